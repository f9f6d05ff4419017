"""The reply mailbox: every message once, kept before anything else, then filed, waiting for staff, or only recorded.

First the messages of the server are kept: bytes in storage, then a row. Then each kept row is settled from what was
kept. Last, settled messages are put away on the server. Each step can be done again from its start, so whatever dies
in between, the next run comes to the same end. No subject, text or address goes into a log: rows are named by number.
"""

from __future__ import annotations

import hashlib
import logging
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from email.parser import BytesHeaderParser
from typing import Any

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from include.casework.correspondence import post
from include.casework.digest import Line
from include.casework.inbox_drop import Dropped, InboxBusy, drop, joined_reply, stored_names
from include.casework.office import Case, Office
from include.engagement import process
from include.engagement.errors import EngagementError, RuleBroken
from include.engagement.text import cleaned, folded
from include.mail.imap import ReplyMailbox
from include.mail.incoming import Arrived, content_digest, decision, lines_after_decision, read_mail
from include.mail.message import mailbox as address_in
from include.mail.transport import TransientMailError
from include.register.models import Document, Engagement, IncomingMail, Mail, Request, UndeliverableAddress
from include.register.session import advisory_lock, make_engine
from include.storage import Storage
from include.storage.base import NotStored, StorageError

MESSAGES_PER_RUN = 50
BYTES_PER_RUN = 200_000_000
LARGEST_MESSAGE = 70_000_000  # bytes as sent: a file of 50 MB, written in base64
MOST_FILES = 100  # of one message
UNSETTLED = ("kept", "filing")
log = logging.getLogger(__name__)

# Why a message waits for staff: what they read.
REASONS: Mapping[str, str] = {
    "too_large": "Thư quá lớn nên chưa tải về; thư vẫn còn trên máy chủ thư.",
    "unreadable": "Thư không đọc được.",
    "unmatched": "Không rõ thư thuộc hồ sơ nào.",
    "two_engagements": "Thư nêu nhiều hồ sơ khác nhau.",
    "unknown_engagement": "Thư nêu mã hồ sơ không có trong sổ đăng ký.",
    "not_on_file": "Người gửi không có trong hồ sơ.",
    "forged": "Máy chủ thư không xác thực được người gửi.",
    "nothing_open": "Hồ sơ hiện không chờ trả lời nào.",
    "several_open": "Hồ sơ đang chờ nhiều nội dung, không rõ thư trả lời nội dung nào.",
    "request_closed": "Nội dung được trả lời đã khép lại.",
    "empty": "Thư không có nội dung, không có tệp.",
    "too_many_files": f"Thư có hơn {MOST_FILES} tệp đính kèm.",
    "automatic_with_files": "Thư tự động nhưng có tệp đính kèm.",
    "unknown_report": "Thư báo lỗi gửi nhưng không rõ về thư nào của chúng ta.",
    "staff_address_failed": "Thư gửi nội bộ bị trả lại; địa chỉ nhận không dùng được.",
    "read_by_hand": "Khách trả lời bằng lời, không kèm tệp; thư đã được ghi nhận, cần người đọc.",
}


@dataclass(frozen=True)
class Verdict:
    """What becomes of a message: ``state`` of its row (``filing``: to be filed), why, and where it belongs."""

    state: str
    reason: str = ""
    engagement_id: str | None = None
    request_key: str | None = None
    mail: Mail | None = None  # the mail of ours that a report is about
    diagnostic: str = ""


def read_mailbox(office: Office, box: ReplyMailbox, *, authserv_id: str = "") -> Counter[str]:
    """Keep what is new, settle what is kept, put away what is settled; return how many rows came to which state.

    Bounded by ``MESSAGES_PER_RUN`` and ``BYTES_PER_RUN``: the rest waits for the next run. Raises TransientMailError
    or StorageError when a server or storage does not answer: everything else was still done.
    """
    with advisory_lock(make_engine(office.settings.register_url), f"mailbox/{box.name}"):
        _keep_new(office, box)
        counts, trouble = settle_all(office, authserv_id=authserv_id)
        _put_away(office, box)
    if trouble is not None:
        raise trouble
    return counts


# --- keeping --------------------------------------------------------------------------------------------


def _keep_new(office: Office, box: ReplyMailbox) -> None:
    with office.sessions() as session:
        known = set(session.scalars(select(IncomingMail.uid).where(*_of(box))))
    left = BYTES_PER_RUN
    for waiting in [each for each in box.waiting() if each.uid not in known][:MESSAGES_PER_RUN]:
        if waiting.size > LARGEST_MESSAGE:
            _write_row(office, box, waiting.uid, size=waiting.size, state="triage", reason="too_large")
            continue
        left -= waiting.size
        if left < 0:
            break
        raw = box.fetch(waiting.uid)
        if raw is not None:
            _keep(office, box, waiting.uid, raw)


def _keep(office: Office, box: ReplyMailbox, uid: int, raw: bytes) -> None:
    content = content_digest(raw)
    with office.sessions() as session:
        twin = session.scalar(select(IncomingMail).where(IncomingMail.content == content))
    if twin is not None:
        _write_row(office, box, uid, size=len(raw), state="duplicate", path=twin.path)
        return
    path = f"mailbox/{office.today.year}/{hashlib.sha256(raw).hexdigest()}.eml"
    office.storage.put(path, raw, media_type="message/rfc822")
    _write_row(office, box, uid, size=len(raw), state="kept", path=path, content=content)


def _write_row(office: Office, box: ReplyMailbox, uid: int, **values: Any) -> None:
    with office.sessions.begin() as session:
        session.execute(
            insert(IncomingMail)
            .values(mailbox=box.name, uidvalidity=box.uidvalidity, uid=uid, message_id="", day=office.today,
                    **{"reason": "", **values})
            .on_conflict_do_nothing()
        )  # fmt: skip


def _put_away(office: Office, box: ReplyMailbox) -> None:
    with office.sessions() as session:
        done = set(session.scalars(select(IncomingMail.uid).where(*_of(box), IncomingMail.state.not_in(UNSETTLED))))
    for waiting in box.waiting():
        if waiting.uid in done:
            box.archive(waiting.uid)


def _of(box: ReplyMailbox) -> tuple[Any, ...]:
    return IncomingMail.mailbox == box.name, IncomingMail.uidvalidity == box.uidvalidity


# --- settling -------------------------------------------------------------------------------------------


def settle_all(office: Office, *, authserv_id: str = "") -> tuple[Counter[str], Exception | None]:
    """Settle every kept message, oldest first; one that cannot be settled now holds up no other.

    Returns how many came to which state, and the first error that a later try may mend.
    """
    with office.sessions() as session:
        ids = session.scalars(
            select(IncomingMail.id).where(IncomingMail.state.in_(UNSETTLED)).order_by(IncomingMail.id)
        ).all()
    counts: Counter[str] = Counter()
    trouble: Exception | None = None
    for row_id in ids:
        try:
            counts[_settle(office, row_id, authserv_id)] += 1
        except InboxBusy:
            counts["busy"] += 1
        except (TransientMailError, StorageError) as error:
            log.warning("message %d is settled by a later run: %s", row_id, type(error).__name__)
            trouble = trouble or error
    return counts, trouble


def _settle(office: Office, row_id: int, authserv_id: str) -> str:
    with office.sessions() as session:
        row = session.get_one(IncomingMail, row_id)
        assert row.path is not None
        arrived = read_mail(office.storage.get(row.path), authserv_id=authserv_id)
        if row.state == "filing" and row.engagement_id and row.request_key:
            verdict = Verdict("filing", "", row.engagement_id, row.request_key)  # decided by the run that died
        else:
            verdict = judge(session, office.storage, office.settings.firm, arrived)
        row.message_id = cleaned(arrived.message_id)[:500]
        session.commit()
    if verdict.engagement_id is None:
        return _settle_apart(office, row_id, verdict)
    with office.case(verdict.engagement_id) as case:
        row = case.session.get_one(IncomingMail, row_id)
        if row.state not in UNSETTLED:
            return row.state
        row.engagement_id, row.request_key = verdict.engagement_id, verdict.request_key
        if verdict.state == "filing":
            return _file(case, row, arrived)
        if verdict.state == "triage":
            return _to_triage(case, row, verdict.reason)
        if verdict.state == "bounced":
            assert verdict.mail is not None
            _mark(case.session, verdict.mail.recipient, row, verdict.diagnostic)
            _tell(case, "address_failed", f"address_failed/{row.id}", failed=verdict.mail.recipient,
                  reason=f"{verdict.mail.recipient} – {verdict.diagnostic}")  # fmt: skip
        case.event(f"mail_{verdict.state}", key=f"mail_{verdict.state}/{row.id}", incoming=row.id)
        row.state, row.reason = verdict.state, verdict.reason
        case.session.commit()
        return row.state


def _settle_apart(office: Office, row_id: int, verdict: Verdict) -> str:
    """Settle what belongs to no engagement; the digest tells staff of what waits."""
    with office.sessions.begin() as session:
        row = session.get_one(IncomingMail, row_id)
        if verdict.mail is not None:
            _mark(session, verdict.mail.recipient, row, verdict.diagnostic)
        row.state, row.reason = verdict.state, verdict.reason
        return row.state


def _to_triage(case: Case, row: IncomingMail, reason: str) -> str:
    # Strangers may write as often as they like: staff hear of them once a day.
    occasion = row.day.isoformat() if reason in ("not_on_file", "forged") else str(row.id)
    _tell(case, "mail_waits", f"mail_waits/{occasion}", reason=REASONS[reason])
    case.event("mail_waits", key=f"mail_waits/{row.id}", incoming=row.id, reason=reason)
    row.state, row.reason = "triage", reason
    case.session.commit()
    return row.state


def _tell(case: Case, template: str, occasion: str, *, reason: str, failed: str = "") -> None:
    """Mail the account manager, or the director where the account manager's own address fails."""
    manager = str(case.firm["staff"]["account_manager"]["email"]).casefold()
    to = "director" if failed.casefold() == manager else "account_manager"
    try:
        post(case, template, occasion, to=to, reason=reason)
    except EngagementError as error:
        case.event("notice_not_sent", key=f"notice_not_sent/{occasion}", why=type(error).__name__)
        log.warning("staff could not be told of %s: %s", occasion, type(error).__name__)


# --- judging --------------------------------------------------------------------------------------------


def judge(session: Session, storage: Storage, firm: Mapping[str, Any], arrived: Arrived) -> Verdict:
    """Decide what becomes of a message. Who is not on file is not trusted, whatever they refer to."""
    if arrived.kind == "unreadable":
        return Verdict("triage", "unreadable")
    if arrived.sender in own_addresses(firm):
        return Verdict("own")
    if arrived.kind == "report":
        return _judge_report(session, arrived)
    engagement_id, request_key, trouble = _home(session, storage, firm, arrived)
    if arrived.kind == "automatic":
        known = None if trouble else engagement_id
        if arrived.files:
            return Verdict("triage", "automatic_with_files", known)
        return Verdict("automatic", engagement_id=known)
    if trouble or engagement_id is None:
        return Verdict("triage", trouble or "unmatched")
    if arrived.forged:
        return Verdict("triage", "forged", engagement_id)
    return _judge_answer(session, firm, arrived, engagement_id, request_key)


def _judge_answer(
    session: Session, firm: Mapping[str, Any], arrived: Arrived, engagement_id: str, request_key: str | None
) -> Verdict:
    engagement = session.get_one(Engagement, engagement_id)
    from_client = arrived.sender in set(_emails(engagement.form.get("client", {})))
    from_department = arrived.sender in set(_emails(firm["staff"]["service_department"]))
    if not arrived.sender or not (from_client or from_department):
        return Verdict("triage", "not_on_file", engagement_id)
    allowed = [of for of, yes in (("client", from_client), ("service_department", from_department)) if yes]
    wanted = select(Request).where(Request.engagement_id == engagement_id)
    if request_key is not None:
        request = session.scalar(wanted.where(Request.key == request_key))
        if request is not None and request.of not in allowed:
            return Verdict("triage", "not_on_file", engagement_id)
        if request is None or request.status != "open":
            return Verdict("triage", "request_closed", engagement_id)
    else:
        still_open = session.scalars(wanted.where(Request.status == "open", Request.of.in_(allowed))).all()
        if len(still_open) != 1:
            return Verdict("triage", "several_open" if still_open else "nothing_open", engagement_id)
        request = still_open[0]
    if not arrived.text and not arrived.files:
        return Verdict("triage", "empty", engagement_id)
    if len(arrived.files) > MOST_FILES:
        return Verdict("triage", "too_many_files", engagement_id)
    return Verdict("filing", "", engagement_id, request.key)


def _judge_report(session: Session, arrived: Arrived) -> Verdict:
    """A report counts for a mail of the ledger that it names: nobody else knows its Message-ID."""
    ours = _ledger_rows(session, arrived.reported_ids)
    if not ours or arrived.forged:
        return Verdict("triage", "unknown_report")
    mail = ours[0]
    failed = [report for report in arrived.reports if report.action == "failed"]
    if failed and mail.engagement_id is None:
        return Verdict("triage", "staff_address_failed", None, None, mail, failed[0].diagnostic)
    if failed:
        return Verdict("bounced", "", mail.engagement_id, None, mail, failed[0].diagnostic)
    delayed = any(report.action == "delayed" for report in arrived.reports)
    return Verdict("delayed" if delayed else "automatic", "", mail.engagement_id)


def _home(
    session: Session, storage: Storage, firm: Mapping[str, Any], arrived: Arrived
) -> tuple[str | None, str | None, str]:
    """Return engagement, request and trouble (a key of ``REASONS``), by thread, else plus-address, else subject."""
    tagged = list(dict.fromkeys(tag for address in arrived.recipients for tag in _tags(firm, address)))
    answered = [mail for mail in _ledger_rows(session, arrived.answers) if mail.engagement_id is not None]
    if answered:
        engagement_id = answered[0].engagement_id
        assert engagement_id is not None
        if any(tag[0] != engagement_id for tag in tagged):
            return None, None, "two_engagements"
        said = next((key for _, key in tagged if key), None)
        return engagement_id, said or _asked_with(storage, firm, answered[0]), ""
    named = tagged or [(found, None) for found in dict.fromkeys(_ids_in(firm, arrived.subject))]
    if len({engagement_id for engagement_id, _ in named}) > 1:
        return None, None, "two_engagements"
    if not named:
        return None, None, "unmatched"
    engagement_id = named[0][0]
    if session.get(Engagement, engagement_id) is None:
        return None, None, "unknown_engagement"
    return engagement_id, next((key for _, key in named if key), None), ""


def _asked_with(storage: Storage, firm: Mapping[str, Any], mail: Mail) -> str | None:
    """Return the request that a mail of ours asked for: its Reply-To carries it, however the answer was addressed."""
    try:
        sent = storage.get(mail.path) if mail.path else b""
    except NotStored:
        return None
    reply_to = str(BytesHeaderParser().parsebytes(sent).get("Reply-To", "")).casefold()
    tags = (tag for address in re.findall(r"[^\s<>,;]+@[^\s<>,;]+", reply_to) for tag in _tags(firm, address))
    return next((key for engagement_id, key in tags if engagement_id == mail.engagement_id), None)


def _ledger_rows(session: Session, message_ids: Sequence[str]) -> list[Mail]:
    """Return the mails of ours with these Message-IDs, in their order."""
    wanted = [each for each in message_ids if each and "\0" not in each]
    if not wanted:
        return []
    rows = {mail.message_id: mail for mail in session.scalars(select(Mail).where(Mail.message_id.in_(wanted)))}
    return [rows[each] for each in wanted if each in rows]


def _tags(firm: Mapping[str, Any], address: str) -> Iterator[tuple[str, str | None]]:
    """Yield engagement and request of a plus-address of ours (``hoso+KHV-2026-0042.information@…``)."""
    local, _, domain = str(firm["mail"]["reply_to"]).casefold().rpartition("@")
    prefix = str(firm["prefix"])
    found = re.fullmatch(
        rf"{re.escape(local)}\+{re.escape(prefix.casefold())}(-\d{{4}}-\d{{4,9}})(?:\.([a-z0-9_-]{{1,60}}))?@"
        + re.escape(domain),
        address,
    )
    if found:
        yield prefix + found[1], found[2]


def _ids_in(firm: Mapping[str, Any], subject: str) -> list[str]:
    return re.findall(rf"(?<![\w-]){re.escape(str(firm['prefix']))}-\d{{4}}-\d{{4,9}}(?![\w-])", subject)


def own_addresses(firm: Mapping[str, Any]) -> set[str]:
    """Return the addresses that the firm's own mails come from and answers go to, casefolded."""
    senders = firm["mail"]["sender"]
    written = list(senders.values()) if isinstance(senders, Mapping) else [senders]
    return {address_in(str(each))[1].casefold() for each in [*written, firm["mail"]["reply_to"]]}


def _emails(people: Any) -> Iterator[str]:
    """Yield every address on file of a client or a member of staff."""
    if isinstance(people, Mapping):
        for key, value in people.items():
            if key == "email" and isinstance(value, str):
                yield value.strip().casefold()
            else:
                yield from _emails(value)
    elif isinstance(people, list):
        for each in people:
            yield from _emails(each)


# --- filing ---------------------------------------------------------------------------------------------


def _file(case: Case, row: IncomingMail, arrived: Arrived) -> str:
    """Put a message's answer into the inbox of ``row.request_key`` and note it as filed."""
    request = case.session.scalars(
        select(Request).where(Request.engagement_id == case.id, Request.key == row.request_key)
    ).one()
    begun = row.state == "filing" and row.reply_sha256 is not None
    if not (begun and (request.status != "open" or _taken_in(case, row))):
        if request.status != "open":
            return _to_triage(case, row, "request_closed")
        answer = answer_of(arrived, request, mark=(row.content or "")[:8])
        folder = f"inbox/{case.id}/{request.key}/"
        reply = joined_reply(case.office.storage, folder, answer)
        row.state, row.reply_sha256 = "filing", hashlib.sha256(reply).hexdigest()
        case.session.commit()
        drop(case.office.storage, folder, answer, reply)
        if not answer.files and answer.reply is None and not answer.answers:
            _tell(case, "mail_waits", f"mail_waits/{row.id}", reason=REASONS["read_by_hand"])
    case.event("mail_filed", key=f"mail_filed/{row.id}", incoming=row.id, request=request.key,
               files=len(arrived.files))  # fmt: skip
    row.state, row.reason = "filed", ""
    case.session.commit()
    return row.state


def _taken_in(case: Case, row: IncomingMail) -> bool:
    """Say whether the reply that a run put into the inbox before it died was received since."""
    return (
        case.session.scalar(
            select(Document.id).where(
                Document.engagement_id == case.id, Document.direction == "received",
                Document.sha256 == row.reply_sha256,
            )
        )
        is not None
    )  # fmt: skip


def answer_of(arrived: Arrived, request: Request, *, mark: str) -> Dropped:
    """Return a message as an answer to ``request``: a decision where the first line says one and nothing else,
    answers where lines begin with what was asked for, the text as message, the files under safe names."""
    row = process.REQUESTS[request.kind]
    decided = decision(arrived.text) if row.replies else None
    names = stored_names([file.name for file in arrived.files], mark=mark)
    return Dropped(
        reply=decided if decided in row.replies else None,
        message=arrived.text[:20_000],
        items=lines_after_decision(arrived.text)[:100] if decided == "changes" and decided in row.replies else (),
        answers=answers_in(arrived.text, row.items),
        files={name: file.data for name, file in zip(names, arrived.files, strict=True)},
    )


def answers_in(text: str, items: Sequence[process.Item]) -> dict[str, str]:
    """Return what lines of the form “what was asked for: answer” say; the wording counts, not accents or case."""
    asked = {folded(name): item.key for item in items if item.kind != "file"
             for name in (item.label.vi, item.label.en, item.key)}  # fmt: skip
    found: dict[str, str] = {}
    for line in text.split("\n"):
        label, colon, value = line.partition(":")
        key = asked.get(folded(label))
        if colon and key and value.strip():
            found.setdefault(key, value.strip()[:5_000])
    return found


# --- what staff do --------------------------------------------------------------------------------------


def triage(session: Session) -> list[IncomingMail]:
    """Return the messages that wait for staff, oldest first."""
    return list(
        session.scalars(select(IncomingMail).where(IncomingMail.state == "triage").order_by(IncomingMail.id))
    )


def file_to(office: Office, row_id: int, engagement_id: str, request_key: str) -> None:
    """File a message that waits, to a request that staff name: they vouch for its sender. Done already counts as done.

    Raises RuleBroken (Vietnamese) for a message that is not waiting or not kept here, or a request that is not open;
    UnknownEngagement; InboxBusy when the inbox is being read just now.
    """
    with office.case(engagement_id) as case:
        row = _waiting_row(case.session, row_id)
        if row.state == "filed" and (row.engagement_id, row.request_key) == (engagement_id, request_key):
            return
        if row.state not in ("triage", "filing"):
            raise RuleBroken("Thư này đã được xử lý, không còn chờ phân loại.")
        if row.path is None:
            raise RuleBroken("Thư quá lớn, chỉ còn trên máy chủ thư: xin tải tệp về và đưa vào hồ sơ bằng tay.")
        request = case.session.scalar(
            select(Request).where(Request.engagement_id == engagement_id, Request.key == request_key)
        )
        if request is None or request.status != "open":
            raise RuleBroken(f"Hồ sơ {engagement_id} không chờ trả lời “{request_key}”.")
        row.engagement_id, row.request_key = engagement_id, request_key
        _file(case, row, read_mail(office.storage.get(row.path)))


def dismiss(session: Session, row_id: int, *, reason: str) -> None:
    """Note that a message that waits needs nothing, with staff's reason; commits. Done already counts as done.

    Raises RuleBroken (Vietnamese) without a reason, or for a message that is not waiting.
    """
    row = _waiting_row(session, row_id)
    if row.state == "dismissed":
        return
    if row.state != "triage":
        raise RuleBroken("Thư này đã được xử lý, không còn chờ phân loại.")
    if not cleaned(reason):
        raise RuleBroken("Xin ghi lý do bỏ qua thư.")
    row.state, row.reason = "dismissed", cleaned(reason)[:500]
    session.commit()


def _waiting_row(session: Session, row_id: int) -> IncomingMail:
    row = session.get(IncomingMail, row_id, with_for_update=True)
    if row is None:
        raise RuleBroken(f"Không có thư số {row_id}.")
    return row


def digest_lines(session: Session, day: date) -> list[Line]:
    """Return what the account manager's digest says of the messages that wait on ``day``: one line per engagement."""
    rows = [row for row in triage(session) if row.day <= day]
    lines = []
    for engagement_id in sorted({row.engagement_id for row in rows}, key=lambda each: each or ""):
        waiting = [row for row in rows if row.engagement_id == engagement_id]
        engagement = session.get(Engagement, engagement_id) if engagement_id else None
        company = engagement.form["client"]["name"] if engagement else "chưa rõ hồ sơ"
        what = f"{len(waiting)} thư đến chờ phân loại"
        lines.append(Line(engagement_id or "Hộp thư", company, what, min(row.day for row in waiting), True))
    return lines


# --- addresses that fail --------------------------------------------------------------------------------


def undeliverable(session: Session, address: str) -> UndeliverableAddress | None:
    """Return the mark of an address that relays report as failing, None while it works."""
    return session.scalar(select(UndeliverableAddress).where(UndeliverableAddress.address == address.casefold()))


def address_works_again(session: Session, address: str) -> None:
    """Lift the mark of an address, since staff says so: it is chased again. Commits; no mark counts as lifted.

    A client who gets another address needs no lifting: marks belong to addresses.
    """
    row = undeliverable(session, address)
    if row is not None:
        session.delete(row)
        session.commit()


def _mark(session: Session, address: str, row: IncomingMail, diagnostic: str) -> None:
    session.execute(
        insert(UndeliverableAddress)
        .values(address=address.casefold(), since=row.day, diagnostic=cleaned(diagnostic)[:500], incoming_id=row.id)
        .on_conflict_do_nothing()
    )
