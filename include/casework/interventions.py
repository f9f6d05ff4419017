"""What staff do in an engagement by hand: first what would come of it, then doing it.

An intervention is planned as often as anybody looks, and carried out once for each form (``nonce``). Its event names
who did it and why.
"""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import date
from typing import Any, ClassVar

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert

from include.casework import ending, signing
from include.casework.correspondence import addressee, portal_link, post, posted
from include.casework.inbox_drop import Dropped, drop, joined_reply, stored_names
from include.casework.mailbox import undeliverable
from include.casework.office import Case
from include.casework.receiving import asked_items
from include.casework.reminders import occasion_by_staff, remind_client, reminder_due, reminders_paused
from include.engagement import process
from include.engagement.dates import short_date
from include.engagement.errors import RuleBroken
from include.engagement.process import Text
from include.engagement.text import cleaned
from include.mail.ledger import WAITING
from include.register.models import Document, Mail, ReminderSent, Request, ScheduledRun, SignOff

UNASSIGNED = "received/unassigned"
LONGEST_REASON = 500  # characters
LONGEST_EXTENSION = 60  # working days from today


@dataclass(frozen=True)
class Change:
    """Something that becomes different: ``before`` and ``after`` as people read them."""

    what: Text
    before: str
    after: str


@dataclass(frozen=True)
class Mailing:
    """A mail that goes out because of it."""

    what: Text
    recipient: str


@dataclass(frozen=True)
class Plan:
    """What an intervention would do now; ``notes`` say what else there is to know, and what it does not do."""

    changes: tuple[Change, ...] = ()
    mails: tuple[Mailing, ...] = ()
    notes: tuple[Text, ...] = ()

    @property
    def digest(self) -> str:
        """What this plan is known by: whoever confirms it confirms this one and no other."""
        return hashlib.sha256(repr(asdict(self)).encode()).hexdigest()


class Intervention(ABC):
    """Something that staff do by hand. ``kind`` is its event's."""

    kind: ClassVar[str]

    @abstractmethod
    def plan(self, case: Case) -> Plan:
        """Say what it would do now. Raises RuleBroken (Vietnamese) when it cannot be done."""

    @abstractmethod
    def apply(self, case: Case, *, by: str, nonce: str) -> Mapping[str, Any] | None:
        """Do it and return the facts of its event, with which its changes are committed; None: the event is written."""

    def was_done(self, case: Case, nonce: str) -> bool:
        """Say whether it was done already, so that it is not done again."""
        return case.happened(f"{self.kind}/{nonce}") is not None


def carry_out(case: Case, intervention: Intervention, *, by: str, nonce: str) -> bool:
    """Do what was planned, once for each ``nonce``; return False when it was done before. Raises RuleBroken."""
    if intervention.was_done(case, nonce):
        return False
    intervention.plan(case)
    facts = intervention.apply(case, by=by, nonce=nonce)
    if facts is not None:
        case.event(intervention.kind, key=f"{intervention.kind}/{nonce}", by=by, **facts)
    case.session.commit()
    return True


@dataclass(frozen=True)
class Remind(Intervention):
    """Remind the client of an open request now, once a day; it stands for an automatic reminder of the same day."""

    request: str
    kind: ClassVar[str] = "reminded_by_staff"

    def plan(self, case: Case) -> Plan:
        """See Intervention."""
        request = open_request(case, self.request, of="client")
        _, address = addressee(case, "client")
        if undeliverable(case.session, address) is not None:
            raise RuleBroken(f"Thư gửi {address} bị trả lại: hãy gọi khách và sửa địa chỉ email trước.")
        if posted(case, occasion_by_staff(case, request)) is not None:
            raise RuleBroken("Hôm nay khách đã được nhắc về yêu cầu này.")
        return Plan(
            mails=(Mailing(_titled(Text("Thư nhắc", "Reminder"), request), address),),
            notes=(Text(f"Thư ghi hạn {short_date(request.due)} và các mục còn thiếu. Thư nhắc tự động của hôm "
                        "nay không gửi thêm.",
                        f"It names the due date {short_date(request.due)} and what is missing. No automatic reminder "
                        "goes on the same day."),),
        )  # fmt: skip

    def apply(self, case: Case, *, by: str, nonce: str) -> Mapping[str, Any] | None:
        """See Intervention."""
        request = open_request(case, self.request, of="client")
        due = reminder_due(case, request)
        mail = remind_client(case, request, occasion_by_staff(case, request), level=due.key if due else "")
        if due is not None:
            case.session.execute(
                insert(ReminderSent)
                .values(request_id=request.id, times_asked=request.times_asked, reminder=due.key, level="client",
                        day=case.today, mail_id=mail.id)
                .on_conflict_do_nothing()
            )  # fmt: skip
        return {"request": request.key}


@dataclass(frozen=True)
class ExtendDue(Intervention):
    """Give an open request a later due date."""

    request: str
    due: date | None
    reason: str
    kind: ClassVar[str] = "due_extended"

    def plan(self, case: Case) -> Plan:
        """See Intervention."""
        request = open_request(case, self.request)
        reasoned(self.reason, "lùi hạn")
        if self.due is None:
            raise RuleBroken("Xin ghi ngày hạn mới.")
        latest = case.calendar.add(case.today, LONGEST_EXTENSION)
        if self.due <= max(request.due, case.today) or self.due > latest:
            raise RuleBroken(f"Hạn mới phải sau {short_date(max(request.due, case.today))} và không quá "
                             f"{short_date(latest)} ({LONGEST_EXTENSION} ngày làm việc).")  # fmt: skip
        if not case.calendar.is_working_day(self.due):
            raise RuleBroken(f"{short_date(self.due)} không phải là ngày làm việc.")
        return Plan(
            changes=(Change(_titled(Text("Hạn", "Due date"), request), short_date(request.due), short_date(self.due)),),
            notes=(Text("Không thư nào được gửi ngay. Trang trả lời của khách và các thư nhắc sau ghi hạn mới. Hạn của "
                        "giai đoạn và ngày hẹn với khách không đổi.",
                        "No mail goes now. The client's page and later reminders name the new date. The stage's due "
                        "date and the promised date stay."),),
        )  # fmt: skip

    def apply(self, case: Case, *, by: str, nonce: str) -> Mapping[str, Any] | None:
        """See Intervention."""
        request = open_request(case, self.request)
        before, request.due = request.due, self.due or request.due
        request.days = case.calendar.between(request.asked, request.due)
        return {"request": request.key, "before": before.isoformat(), "after": request.due.isoformat(),
                "reason": reasoned(self.reason, "lùi hạn")}  # fmt: skip


@dataclass(frozen=True)
class PauseReminders(Intervention):
    """Stop reminding the client of this engagement, and telling staff that they are late; due dates stand."""

    reason: str
    kind: ClassVar[str] = "reminders_paused"

    def plan(self, case: Case) -> Plan:
        """See Intervention."""
        refuse_closed(case)
        reasoned(self.reason, "tạm dừng nhắc khách")
        if reminders_paused(case) is not None:
            raise RuleBroken("Việc nhắc khách của hồ sơ này đang tạm dừng rồi.")
        return Plan(
            changes=(Change(Text("Nhắc khách", "Reminders"), "tự động", "tạm dừng"),),
            notes=(Text("Khách không nhận thư nhắc, không ai nhận báo cáo khách trễ. Hạn không đổi, thời gian chờ "
                        "khách vẫn được tính. Thư tổng hợp mỗi sáng của phụ trách khách hàng ghi việc tạm dừng.",
                        "The client gets no reminders and nobody is told that they are late. Due dates stand and the "
                        "client's time still counts. The account manager's daily digest says that it is paused."),),
        )  # fmt: skip

    def apply(self, case: Case, *, by: str, nonce: str) -> Mapping[str, Any] | None:
        """See Intervention."""
        return {"reason": reasoned(self.reason, "tạm dừng nhắc khách")}


@dataclass(frozen=True)
class ResumeReminders(Intervention):
    """Remind the client again."""

    kind: ClassVar[str] = "reminders_resumed"

    def plan(self, case: Case) -> Plan:
        """See Intervention."""
        refuse_closed(case)
        if reminders_paused(case) is None:
            raise RuleBroken("Việc nhắc khách của hồ sơ này đang chạy bình thường.")
        return Plan(
            changes=(Change(Text("Nhắc khách", "Reminders"), "tạm dừng", "tự động"),),
            notes=(Text("Lần nhắc kế tiếp là sáng ngày làm việc tới, nếu khi đó có yêu cầu đến mốc nhắc; những mốc đã "
                        "lỡ gộp thành một thư.",
                        "The next reminder goes on the morning of the next working day, if one is due then; those "
                        "that were missed become one mail."),),
        )  # fmt: skip

    def apply(self, case: Case, *, by: str, nonce: str) -> Mapping[str, Any] | None:
        """See Intervention."""
        return {}


@dataclass(frozen=True)
class SendLink(Intervention):
    """Send the client a new link to an open request, once for each version of the links and day."""

    request: str
    kind: ClassVar[str] = "link_sent_by_staff"

    def plan(self, case: Case) -> Plan:
        """See Intervention."""
        request = self._request(case)
        if posted(case, self._occasion(case, request)) is not None:
            raise RuleBroken("Hôm nay khách đã được gửi đường dẫn mới cho yêu cầu này.")
        return Plan(mails=(Mailing(_titled(Text("Đường dẫn mới", "New link"), request), addressee(case, "client")[1]),))

    def apply(self, case: Case, *, by: str, nonce: str) -> Mapping[str, Any] | None:
        """See Intervention."""
        request = self._request(case)
        post(case, "new_link", self._occasion(case, request), request=request, stage=request.stage)
        return {"request": request.key}

    def _request(self, case: Case) -> Request:
        request = open_request(case, self.request, of="client")
        if not portal_link(case, request):
            raise RuleBroken("Chưa có trang trả lời cho khách, nên không có đường dẫn để gửi.")
        return request

    @staticmethod
    def _occasion(case: Case, request: Request) -> str:
        return f"new_link/{request.key}/{case.today.isoformat()}/{case.engagement.link_version}"


@dataclass(frozen=True)
class RevokeLinks(Intervention):
    """Make all links of the engagement worthless."""

    reason: str
    kind: ClassVar[str] = "links_revoked"

    def plan(self, case: Case) -> Plan:
        """See Intervention."""
        reasoned(self.reason, "thu hồi đường dẫn")
        return Plan(
            changes=(Change(Text("Đường dẫn đã gửi cho khách", "Links that the client has"), "dùng được",
                            "không dùng được nữa"),),
            notes=(Text("Không thư nào được gửi; hãy gửi đường dẫn mới sau đó.",
                        "No mail goes out; send a new link afterwards."),),
        )  # fmt: skip

    def apply(self, case: Case, *, by: str, nonce: str) -> Mapping[str, Any] | None:
        """See Intervention."""
        case.engagement.link_version += 1
        return {"reason": reasoned(self.reason, "thu hồi đường dẫn"), "version": case.engagement.link_version}


@dataclass(frozen=True)
class End(Intervention):
    """End the engagement: see ``include.casework.ending``."""

    outcome: str
    reason: str
    kind: ClassVar[str] = "ended"

    def plan(self, case: Case) -> Plan:
        """See Intervention."""
        ending.refuse_end(case, self.outcome, self.reason)
        requests = case.session.scalars(
            select(Request).where(Request.engagement_id == case.id, Request.status == "open").order_by(Request.id)
        )
        gates = case.session.scalars(
            select(SignOff).where(SignOff.engagement_id == case.id, SignOff.decision.is_(None),
                                  SignOff.ended.is_(None)).order_by(SignOff.id)
        )  # fmt: skip
        planned = case.session.scalars(
            select(ScheduledRun.run_id).where(ScheduledRun.engagement_id == case.id, ScheduledRun.status == "planned")
        ).all()
        waiting = case.session.scalars(
            select(Mail).where(Mail.engagement_id == case.id, Mail.state.in_(WAITING)).order_by(Mail.id)
        )
        status = Text("Tình trạng hồ sơ", "Status")
        changes = [] if case.engagement.closed else [Change(status, "đang thực hiện", process.OUTCOMES[self.outcome])]
        changes += [Change(process.REQUESTS[row.kind].title, "đang chờ", "đã rút") for row in requests]
        changes += [Change(_said(process.SIGN_OFFS[row.gate].title), "đang chờ", "không chờ nữa") for row in gates]
        changes += [Change(_said(run), "đã lên lịch", "bỏ") for run in planned]
        changes += [Change(_said(f"Thư “{row.subject}”"), "chờ gửi", "hủy") for row in waiting]
        return Plan(
            changes=tuple(changes),
            notes=(Text("Không thư nào được gửi, kể cả thư báo cho khách. Đường dẫn của khách không dùng được nữa. Tệp "
                        "và sổ ghi được giữ nguyên. Không mở lại được.",
                        "No mail goes out, not even to tell the client. The client's links die. Files and records are "
                        "kept. It cannot be undone."),),
        )  # fmt: skip

    def apply(self, case: Case, *, by: str, nonce: str) -> Mapping[str, Any] | None:
        """See Intervention."""
        ending.end_case(case, outcome=self.outcome, by=by, reason=self.reason)
        return None

    def was_done(self, case: Case, nonce: str) -> bool:
        """See Intervention: an engagement ends once, whoever asks for it."""
        return case.ended


@dataclass(frozen=True)
class Reopen(Intervention):
    """Have a decision taken anew: see ``include.casework.signing.reopen``."""

    gate: str
    round: int
    who: str
    reason: str
    kind: ClassVar[str] = "reopened"

    def plan(self, case: Case) -> Plan:
        """See Intervention."""
        gate = process.SIGN_OFFS.get(self.gate)
        if gate is None:
            raise RuleBroken("Không có việc ký duyệt này.")
        reasoned(self.reason, "quyết định lại")
        row = signing.refuse_reopening(case, self.gate, self.round, self.who)
        assert row.decision is not None
        return Plan(
            changes=(Change(_said(gate.title), f"{gate.options[row.decision]} ({row.decided_by})", "chờ quyết định"),),
            notes=(Text("Quyết định cũ được giữ trong sổ. Việc này được hỏi lại trong Airflow, mục Required Actions.",
                        "The old decision stays in the register. It is asked for again in Airflow, under Required "
                        "Actions."),),
        )  # fmt: skip

    def apply(self, case: Case, *, by: str, nonce: str) -> Mapping[str, Any] | None:
        """See Intervention."""
        signing.reopen(case, self.gate, self.round, self.who, by=by, reason=self.reason)
        return None

    def was_done(self, case: Case, nonce: str) -> bool:
        """See Intervention: while the new attempt waits nothing is to be done."""
        row = signing.sign_off(case, self.gate, self.round, self.who)
        return row is not None and signing.waits_anew(row)


def open_request(case: Case, key: str, *, of: str | None = None) -> Request:
    """Return the request of this key. Raises RuleBroken (Vietnamese) when it is not open (to ``of``)."""
    refuse_closed(case)
    request = case.session.scalar(select(Request).where(Request.engagement_id == case.id, Request.key == key))
    if request is None or request.status != "open" or (of and request.of != of):
        raise RuleBroken("Yêu cầu này không còn mở.")
    return request


def reasoned(reason: str, what: str) -> str:
    """Return the reason as it is kept. Raises RuleBroken (Vietnamese) for none."""
    kept = cleaned(reason)[:LONGEST_REASON]
    if not kept:
        raise RuleBroken(f"Xin ghi lý do {what}.")
    return kept


def refuse_closed(case: Case) -> None:
    """Raise RuleBroken (Vietnamese) once the engagement is closed; a completed one still has its after-care."""
    if case.ended or (case.engagement.closed is not None and case.engagement.status != "completed"):
        raise RuleBroken(f"Hồ sơ {case.id} đã đóng.")


def _titled(what: Text, request: Request) -> Text:
    title = process.REQUESTS[request.kind].title
    return Text(f"{what.vi}: {title.vi}", f"{what.en}: {title.en}")


def _said(words: str) -> Text:
    return Text(words, words)


def assign_file(case: Case, document_id: int, item_key: str, *, by: str) -> None:
    """Hand a file that came without an item in again, as that item: it is checked and acknowledged like any other.

    Raises RuleBroken (Vietnamese) when there is no such file or item, or the request is closed; InboxBusy.
    """
    document = case.session.get(Document, document_id)
    if document is None or document.engagement_id != case.id or document.key != UNASSIGNED:
        raise RuleBroken("Không có tệp này trong số tệp chưa xếp.")
    if case.happened(f"file_assigned/{document.id}") is not None:
        return
    request = case.session.scalar(
        select(Request).where(Request.engagement_id == case.id, Request.key == document.path.split("/")[3])
    )
    if request is None or request.status != "open":
        raise RuleBroken("Yêu cầu mà tệp này trả lời đã khép lại.")
    if item_key not in {item.key for item in asked_items(request, case) if item.kind == "file"}:
        raise RuleBroken(f"Yêu cầu này không có mục tệp “{item_key}”.")
    extension = document.path.rpartition(".")[2]
    [name] = stored_names([f"{item_key}.{extension}"], mark=f"staff{document.id}n")
    folder = f"inbox/{case.id}/{request.key}/"
    answer = Dropped(files={name: case.office.storage.get(document.path)}, mark=f"assigned/{document.id}")
    drop(case.office.storage, folder, answer, joined_reply(case.office.storage, folder, answer))
    case.event("file_assigned", key=f"file_assigned/{document.id}", document=document.id, item=item_key, by=by)
    case.session.commit()
