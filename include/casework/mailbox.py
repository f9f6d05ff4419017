"""The reply mailbox: every message once, kept before anything else, then filed, waiting for staff, or only recorded.

First the messages of the server are kept: bytes in storage, then a row. Then each kept row is settled from what was
kept. Last, settled messages are put away on the server. Each step can be done again from its start, so whatever dies
in between, the next run comes to the same end. No subject, text or address goes into a log: rows are named by number.
"""

from __future__ import annotations

import hashlib
import logging
from collections import Counter
from collections.abc import Sequence
from datetime import date
from typing import Any

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from include.casework.correspondence import post
from include.casework.digest import Line
from include.casework.inbox_drop import Dropped, InboxBusy, drop, joined_reply, stored_names
from include.casework.matching import REASONS, Verdict, judge
from include.casework.office import Case, Office
from include.engagement import process
from include.engagement.errors import EngagementError, RuleBroken
from include.engagement.text import cleaned, folded
from include.mail.imap import ReplyMailbox
from include.mail.incoming import Arrived, content_digest, decision, lines_after_decision, read_mail
from include.mail.transport import TransientMailError
from include.register.models import Document, Engagement, IncomingMail, Request, UndeliverableAddress
from include.register.session import advisory_lock, make_engine
from include.storage.base import StorageError

MESSAGES_PER_RUN = 50
BYTES_PER_RUN = 200_000_000
LARGEST_MESSAGE = 70_000_000  # bytes as sent: a file of 50 MB, written in base64
UNSETTLED = ("kept", "filing")
log = logging.getLogger(__name__)


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
            verdict = judge(session, office.storage, office.settings.firm, arrived,
                            archive=office.settings.mail_archive)  # fmt: skip
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
    answers where lines begin with what was asked for, the text as message, the files under safe names.

    ``mark`` tells it from an answer with the same words to this or another request."""
    row = process.REQUESTS[request.kind]
    decided = decision(arrived.text) if row.replies else None
    names = stored_names([file.name for file in arrived.files], mark=mark)
    return Dropped(
        reply=decided if decided in row.replies else None,
        message=arrived.text[:20_000],
        items=lines_after_decision(arrived.text)[:100] if decided == "changes" and decided in row.replies else (),
        answers=answers_in(arrived.text, row.items),
        files={name: file.data for name, file in zip(names, arrived.files, strict=True)},
        mark=mark,
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
