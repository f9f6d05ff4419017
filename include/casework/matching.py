"""Which request a message of the reply mailbox answers, and whether its sender may: decided, not yet acted upon."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from email.parser import BytesHeaderParser
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from include.mail.incoming import Arrived
from include.mail.message import mailbox as address_in
from include.register.models import Engagement, Mail, Request
from include.storage import Storage
from include.storage.base import NotStored

MOST_FILES = 100  # of one message

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
    "archive_failed": "Hộp thư lưu trữ không nhận được bản sao của thư đã gửi; người nhận không bị ảnh hưởng.",
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


def judge(
    session: Session, storage: Storage, firm: Mapping[str, Any], arrived: Arrived, *, archive: str = ""
) -> Verdict:
    """Decide what becomes of a message. Who is not on file is not trusted, whatever they refer to.

    ``archive`` is the address that gets a copy of every mail; empty: none does.
    """
    if arrived.kind == "unreadable":
        return Verdict("triage", "unreadable")
    if arrived.sender in own_addresses(firm):
        return Verdict("own")
    if arrived.kind == "report":
        return _judge_report(session, arrived, archive.casefold())
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


def _judge_report(session: Session, arrived: Arrived, archive: str) -> Verdict:
    """A report counts for a mail of the ledger that it names: nobody else knows its Message-ID."""
    ours = _ledger_rows(session, arrived.reported_ids)
    if not ours or arrived.forged:
        return Verdict("triage", "unknown_report")
    mail = ours[0]
    of_archive = [report for report in arrived.reports if archive and report.recipient == archive]
    reports = [report for report in arrived.reports if report not in of_archive]
    failed = [report for report in reports if report.action == "failed"]
    if not failed and any(report.action == "failed" for report in of_archive):
        return Verdict("triage", "archive_failed", mail.engagement_id)
    if failed and mail.engagement_id is None:
        return Verdict("triage", "staff_address_failed", None, None, mail, failed[0].diagnostic)
    if failed:
        return Verdict("bounced", "", mail.engagement_id, None, mail, failed[0].diagnostic)
    delayed = any(report.action == "delayed" for report in reports)
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
