"""The reminders sweep: who is reminded of what on a day; staff get one digest, not a mail per item."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from datetime import date

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from include.casework.correspondence import addressee, post, posted
from include.casework.digest import Line, send_digest
from include.casework.mailbox import digest_lines, undeliverable
from include.casework.office import Case, Office
from include.casework.working_days import calendar_in_force
from include.engagement import process
from include.engagement.reminders import OpenRequest, due_reminders
from include.register.models import Engagement, Event, Mail, ReminderSent, Request, SignOff, UndeliverableAddress
from include.register.queries import first_of_each

PAUSED, RESUMED = "reminders_paused", "reminders_resumed"  # kinds of events: the newest of them holds
HEADS_UP_DAYS = 3  # working days before its due date from which a delivery stands in the department's digest


def sweep(office: Office, *, since: date, day: date) -> int:
    """Send what is due on each working day from ``since`` to ``day``, in order; return the reminders sent.

    The mails of a day go out over one connection, after all of them are in the ledger.
    """
    with office.sessions() as session:
        calendar = calendar_in_force(session)
    days = [since, *calendar.days(since, day)] if calendar.is_working_day(since) else calendar.days(since, day)
    count = 0
    for each in days:
        with office.ledger.batch():
            count += _sweep_day(office, each)
    return count


def _sweep_day(office: Office, day: date) -> int:
    lines: dict[str, list[Line]] = defaultdict(list)
    escalated: dict[str, list[tuple[int, int, str]]] = defaultdict(list)
    count = 0
    with office.sessions() as session:
        ids = _concerned(session, day)
    for engagement_id in ids:
        with office.case(engagement_id, today=day) as case:
            count += _remind(case, lines, escalated)
    _pending_sign_offs(office, day, lines)
    with office.sessions() as session:
        if waiting := digest_lines(session, day):
            lines["account_manager"] += waiting
    for role, entries in lines.items():
        mail = send_digest(office, day, role, entries)
        with office.sessions.begin() as session:
            for request_id, times_asked, key in escalated.get(role, ()):
                session.execute(
                    insert(ReminderSent)
                    .values(request_id=request_id, times_asked=times_asked, reminder=key, level=role, day=day,
                            mail_id=mail.id)
                    .on_conflict_do_nothing()
                )  # fmt: skip
                count += 1
    return count


def _concerned(session: Session, day: date) -> list[str]:
    """Return the engagements in which somebody may have to be told something: opening one takes a lock."""
    calendar = calendar_in_force(session)
    told: dict[tuple[int, int], set[str]] = defaultdict(set)
    for row in session.execute(
        select(ReminderSent.request_id, ReminderSent.times_asked, ReminderSent.reminder)
        .join(Request, Request.id == ReminderSent.request_id).where(Request.status == "open")
    ):  # fmt: skip
        told[row.request_id, row.times_asked].add(row.reminder)
    failing = set(session.scalars(select(UndeliverableAddress.address)))
    requests = session.execute(
        select(
            Request.id, Request.engagement_id, Request.of, Request.asked, Request.due, Request.times_asked,
            Engagement.form["client"]["contact"]["email"].astext.label("email"),
        )
        .join(Engagement, Engagement.id == Request.engagement_id)
        .where(Request.status == "open", Request.asked < day).order_by(Request.engagement_id)
    ).all()  # fmt: skip
    paused = paused_among(session, {row.engagement_id for row in requests})
    return list(dict.fromkeys(
        row.engagement_id for row in requests
        if row.of == "service_department" or row.engagement_id in paused or (row.email or "").casefold() in failing
        or due_reminders(day, OpenRequest(row.id, row.asked, row.due), told[row.id, row.times_asked], calendar)
    ))  # fmt: skip


def _remind(
    case: Case, lines: dict[str, list[Line]], escalated: dict[str, list[tuple[int, int, str]]]
) -> int:
    count = 0
    failing = undeliverable(case.session, addressee(case, "client")[1])
    paused = reminders_paused(case)
    requests = case.session.scalars(
        select(Request)
        .where(Request.engagement_id == case.id, Request.status == "open", Request.asked < case.today)
        .order_by(Request.id)
    ).all()
    for request in requests:
        company = case.form["client"]["name"]
        title = process.REQUESTS[request.kind].title.vi
        if request.of == "service_department":
            if case.calendar.between(case.today, request.due) <= HEADS_UP_DAYS:
                lines["service_department"].append(
                    Line(case.id, company, f"{title}: hạn {request.due:%d/%m/%Y}", request.asked,
                         case.today > request.due)
                )  # fmt: skip
            continue
        if paused is not None:
            lines["account_manager"].append(
                Line(case.id, company, f"Đang tạm dừng nhắc khách: {title}", paused.day, case.today > request.due)
            )
            continue
        for reminder in _due(case, request):
            if reminder.level == "client" and failing is not None:
                continue  # it goes out once the address works or the client has another
            if reminder.level == "client":
                occasion = f"reminder/{request.key}/{request.times_asked}/{reminder.key}"
                mail = posted(case, occasion_by_staff(case, request)) or remind_client(
                    case, request, occasion, level=reminder.key
                )
                case.session.execute(
                    insert(ReminderSent)
                    .values(request_id=request.id, times_asked=request.times_asked, reminder=reminder.key,
                            level="client", day=case.today, mail_id=mail.id)
                    .on_conflict_do_nothing()
                )  # fmt: skip
                case.session.commit()
                count += 1
            else:
                late = case.calendar.between(request.due, case.today)
                lines[reminder.level].append(
                    Line(case.id, company, f"Khách trễ hạn {late} ngày làm việc: {title}", request.asked, True)
                )
                escalated[reminder.level].append((request.id, request.times_asked, reminder.key))
    if failing is not None and any(request.of == "client" for request in requests):
        lines["account_manager"].append(
            Line(case.id, case.form["client"]["name"], "Thư gửi khách bị trả lại: xin gọi khách và sửa địa chỉ email",
                 failing.since, True)
        )  # fmt: skip
    return count


def reminders_paused(case: Case) -> Event | None:
    """Return the event since which the client of this engagement is not reminded; None: they are."""
    newest = case.session.scalar(
        select(Event)
        .where(Event.engagement_id == case.id, Event.kind.in_((PAUSED, RESUMED)))
        .order_by(Event.id.desc())
        .limit(1)
    )
    return newest if newest is not None and newest.kind == PAUSED else None


def paused_among(session: Session, engagements: Collection[str]) -> set[str]:
    """Return which of these engagements' clients are not reminded."""
    theirs = Event.engagement_id.in_(engagements) & Event.kind.in_((PAUSED, RESUMED))
    newest = first_of_each(Event, theirs, Event.id.desc())
    return set(session.scalars(select(newest.c.engagement_id).where(newest.c.kind == PAUSED)))


def reminder_due(case: Case, request: Request) -> process.Reminder | None:
    """Return the reminder that the day's sweep sends the client, or would, had it not run yet."""
    return next((row for row in _due(case, request) if row.level == "client"), None)


def _due(case: Case, request: Request) -> list[process.Reminder]:
    sent = case.session.scalars(
        select(ReminderSent.reminder).where(
            ReminderSent.request_id == request.id, ReminderSent.times_asked == request.times_asked
        )
    )
    opened = OpenRequest(request_id=request.id, asked=request.asked, due=request.due)
    return due_reminders(case.today, opened, set(sent), case.calendar)


def occasion_by_staff(case: Case, request: Request) -> str:
    """Return the occasion of the one reminder that staff may send a client by hand on a day."""
    return f"reminder_by_staff/{request.key}/{case.today.isoformat()}"


def remind_client(case: Case, request: Request, occasion: str, *, level: str) -> Mail:
    """Mail the client what a request still waits for, once for each occasion."""
    labels = {item.key: item.label.in_(case.language) for item in process.REQUESTS[request.kind].items}
    return post(
        case, "reminder", occasion, request=request, stage=request.stage, level=level,
        days_left=case.calendar.between(case.today, request.due),
        overdue_days=case.calendar.between(request.due, case.today),
        missing=[{"label": labels.get(row.key, row.key), "reason": row.reason or ""}
                 for row in case.items(request) if row.required and row.state != "received"],
    )  # fmt: skip


def _pending_sign_offs(office: Office, day: date, lines: dict[str, list[Line]]) -> None:
    with office.sessions() as session:
        rows = session.execute(
            select(SignOff, Engagement)
            .join(Engagement, Engagement.id == SignOff.engagement_id)
            .where(SignOff.decision.is_(None), SignOff.ended.is_(None), SignOff.asked < day)
            .order_by(SignOff.id)
        )
        for row, engagement in rows:
            gate = process.SIGN_OFFS[row.gate]
            role = f"council.{row.who}" if gate.role == "council" else gate.role
            lines[role].append(Line(engagement.id, engagement.form["client"]["name"], gate.title, row.asked, True))
