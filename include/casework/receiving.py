"""Receiving what was put into the inbox: keep it, check it, say what arrived and what is still missing.

Everything new in the inbox is one receipt. Its files are copied to their final place first, then registered with
the items they answer in one transaction, then acknowledged by mail, and only then taken out of the inbox: at any
point the work can be done again from the start.
"""

from __future__ import annotations

import hashlib
import mimetypes
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import select

from include.casework.correspondence import post
from include.casework.office import Case
from include.engagement import process
from include.engagement.errors import InvalidReply
from include.engagement.form import column_value, fill_form
from include.engagement.items import Assessment, FileSeen, Standing, assess, item_named, item_of_file
from include.engagement.replies import Entry, Reply, parse_reply, ready_names
from include.register.models import Document, Event, Request, RequestItem
from include.storage import safe_name

REPLY = "reply.json"
MAX_FILE_BYTES = 50 * 1024 * 1024


@dataclass(frozen=True)
class Arrival:
    """One file of a receipt as it lay in the inbox; ``data`` is None of one too large to read, ``size`` in bytes."""

    name: str
    size: int
    sha256: str
    data: bytes | None


def inbox(case: Case, key: str) -> str:
    """Return the inbox folder of a request."""
    return f"inbox/{case.id}/{key}/"


def take_in(case: Case, request: Request, *, replies: Sequence[str] = ()) -> None:
    """Receive what lies ready for ``request`` and answer it; ``request.status`` says whether that completes it.

    ``replies``: the decisions that may be given in this round. Waits for nothing.
    """
    arrivals = _arrivals(case, request.key)
    fresh = [arrival for arrival in arrivals if case.made_on(_occasion(request, arrival)) is None]
    if fresh and request.status == "open":
        _register(case, request, fresh, replies)
    _acknowledge(case, request)
    # The reply first: files of a manifest whose others are gone would never be ready again.
    for arrival in sorted(arrivals, key=lambda arrival: arrival.name != REPLY):
        case.office.storage.delete(inbox(case, request.key) + arrival.name)


def _arrivals(case: Case, key: str) -> list[Arrival]:
    storage, folder = case.office.storage, inbox(case, key)
    stored = {entry.path.removeprefix(folder): entry for entry in storage.list(folder)}
    settle_seconds = case.office.settings.inbox_settle_seconds
    manifest, ages = None, {name: entry.age_seconds for name, entry in stored.items()}
    if REPLY in stored:
        try:
            reply = parse_reply(storage.get(folder + REPLY))
        except InvalidReply:
            pass  # half-written, or not a reply: it has to hold still before it is taken for the latter
        else:
            manifest = reply.manifest or None
            if all(name in stored for name in reply.files.values()):
                ages[REPLY] = settle_seconds  # what parses as a whole is whole
    entries = [
        Entry(name=name, size=entry.size, age_seconds=ages[name],
              sha256=storage.sha256(folder + name) if manifest and name in manifest else None)
        for name, entry in sorted(stored.items())
    ]  # fmt: skip
    ready = ready_names(entries, manifest, settle_seconds=settle_seconds)
    return [
        Arrival(
            name, stored[name].size, storage.sha256(folder + name),
            storage.get(folder + name) if stored[name].size <= MAX_FILE_BYTES else None,
        )
        for name in ready
    ]  # fmt: skip


def _occasion(request: Request, arrival: Arrival) -> str:
    return f"received/{request.key}/{arrival.sha256[:16]}/{arrival.name}"


def _register(case: Case, request: Request, fresh: Sequence[Arrival], replies: Sequence[str]) -> None:
    items = asked_items(request, case)
    reply, unclear = _read_reply(fresh, replies)
    files = [arrival for arrival in fresh if arrival.name != REPLY]
    problems = {file.name: _problem(file) for file in files}
    answers: dict[str, Any] = {}
    for file in files:
        if problems[file.name] is None and file.name.lower().endswith(".xlsx"):
            try:
                answers |= _workbook_answers(file)
            except InvalidReply as error:
                problems[file.name] = str(error)
    reply = replace(reply, answers={**answers, **reply.answers})  # what the reply itself says counts more
    seen = [FileSeen(name=file.name, item=item_of_file(file.name, items, reply), problem=problems[file.name])
            for file in files]  # fmt: skip
    rows = case.items(request)
    standing = {row.key: Standing(row.key, row.required, row.state, row.reason) for row in rows}
    found = assess(items, standing, reply, seen)
    returned = {key: reason.in_(case.language) for key, reason in found.returned.items()}
    if request.kind == "intake":
        case.engagement.form, rejected = fill_form(case.form, found.received)
        columns = {item.key: item.column for item in items}
        for key in rejected:
            _, reason = column_value(columns[key], found.received[key])
            returned[key] = reason.in_(case.language) if reason else rejected[key]

    kept = {arrival.name: _keep(case, request, arrival, seen) for arrival in fresh}
    for row in rows:
        if row.key in returned:
            row.state, row.reason = "returned", returned[row.key]
        elif row.key in found.received:
            row.state, row.reason, row.value = "received", None, {"value": found.received[row.key]}
        elif row.key in found.received_files:
            row.state, row.reason = "received", None
            row.document_id = kept[found.received_files[row.key]].id
    for key, value in found.extra.items():
        case.session.add(RequestItem(request_id=request.id, key=key[:100], required=False, state="received",
                                     value={"value": value}))  # fmt: skip
    _settle(case, request, items, found, reply, unclear, returned, fresh)


def _settle(
    case: Case,
    request: Request,
    items: Sequence[process.Item],
    found: Assessment,
    reply: Reply,
    unclear: str,
    returned: Mapping[str, str],
    fresh: Sequence[Arrival],
) -> None:
    """Decide whether the request is answered, move the clock, write the receipt down, commit."""
    missing = [row.key for row in case.items(request) if row.required and row.state != "received"]
    decided = not process.REQUESTS[request.kind].replies or (reply.reply is not None and not unclear)
    waited = case.calendar.between(request.asked, case.today)
    if request.of == "client":
        more_to_deliver = request.kind == "handover" and reply.reply != "accept"
        case.client_kept_us_waiting(request.stage, request.stage_round, waited, moves_promise=more_to_deliver)
    if not missing and decided:
        request.status, request.answered = "answered", case.today
        if reply.reply is not None:
            request.reply = {"reply": reply.reply, "message": reply.message, "items": reply.items}
    else:
        request.times_asked += 1
        request.asked = case.today
        request.due = max(
            request.due, case.calendar.add(case.today, process.REQUESTS[request.kind].follow_up_days)
        )
    digest = hashlib.sha256("".join(sorted(_occasion(request, a) for a in fresh)).encode()).hexdigest()[:16]
    case.event(
        "received", key=f"received/{request.key}/{digest}", request=request.key, unclear=unclear,
        received=[*found.received, *found.received_files], returned=returned, missing=missing,
        unassigned=found.unassigned, complete=request.status == "answered",
    )  # fmt: skip
    case.session.commit()


def asked_items(request: Request, case: Case) -> list[process.Item]:
    """Return the rows of what this request asked for."""
    rows = {item.key: item for item in process.REQUESTS[request.kind].items}
    return [rows.get(row.key) or item_named(row.key) for row in case.items(request)]


def _read_reply(fresh: Sequence[Arrival], replies: Sequence[str]) -> tuple[Reply, str]:
    """Return the reply among the arrivals, and what is unclear about it (a code, empty when nothing is)."""
    empty = Reply(answers={}, files={}, reply=None, message="", items=[], manifest={})
    data = next((arrival.data for arrival in fresh if arrival.name == REPLY), None)
    if not data:
        return empty, "no_reply" if replies else ""
    try:
        reply = parse_reply(data)
    except InvalidReply:
        return empty, "unreadable"
    if replies and reply.reply not in replies:
        return reply, "not_possible" if reply.reply else "no_reply"
    if reply.reply == "changes" and not reply.items:
        return reply, "no_changes_named"
    return reply, ""


def _workbook_answers(file: Arrival) -> dict[str, Any]:
    """Return what a filled-in questionnaire says; nothing for any other workbook. Raises InvalidReply."""
    from include.documents.workbooks import read_questionnaire

    return read_questionnaire(file.data or b"")


SIGNATURES = {
    ".pdf": (b"%PDF-",),
    ".docx": (b"PK\x03\x04",),
    ".xlsx": (b"PK\x03\x04",),
    ".zip": (b"PK\x03\x04",),
    ".png": (b"\x89PNG",),
    ".jpg": (b"\xff\xd8\xff",),
    ".jpeg": (b"\xff\xd8\xff",),
}


def _problem(file: Arrival) -> str | None:
    """Return why a file cannot be taken as what it claims to be; None when it can."""
    if file.data is None:
        return "too_large"
    if not file.data:
        return "empty"
    extension = "." + file.name.lower().rpartition(".")[2]
    if not any(file.data.startswith(magic) for magic in SIGNATURES.get(extension, ())):
        return "not_what_it_says"
    return None


def _keep(case: Case, request: Request, arrival: Arrival, seen: Sequence[FileSeen]) -> Document:
    """Copy a file to its final place under a storable name and register it (not committed)."""
    match = next((file for file in seen if file.name == arrival.name), None)
    return _file_away(
        case, arrival, occasion=_occasion(request, arrival), folder=request.key, stage=request.stage,
        problem=match.problem if match else None,
        key="received/" + ("reply" if match is None else match.item or "unassigned"),
    )  # fmt: skip


def _file_away(
    case: Case, arrival: Arrival, *, occasion: str, folder: str, stage: str, problem: str | None, key: str
) -> Document:
    area = "quarantine" if problem else "received"
    path = f"engagements/{case.id}/{area}/{folder}/{arrival.sha256[:8]}-{safe_name(arrival.name)}"
    media_type = mimetypes.guess_type(arrival.name)[0] or "application/octet-stream"
    if arrival.data is None:
        case.office.storage.move(inbox(case, folder) + arrival.name, path)
    else:
        case.office.storage.put(path, arrival.data, media_type=media_type)
    if problem:
        key = "quarantined/" + key.rpartition("/")[2]
    previous = case.latest(key)
    document = Document(
        engagement_id=case.id, key=key, version=previous.version + 1 if previous else 1, occasion=occasion,
        stage=stage, direction="received", number=None, path=path, sha256=arrival.sha256, size=arrival.size,
        media_type=media_type, language=None, template_sha256=None, day=case.today,
    )  # fmt: skip
    case.session.add(document)
    case.session.flush()
    return document


def _acknowledge(case: Case, request: Request) -> None:
    """Tell a client what each receipt brought; a receipt is told of once."""
    if request.of != "client":
        return
    labels = {item.key: item.label.in_(case.language) for item in asked_items(request, case)}
    receipts = case.session.scalars(
        select(Event)
        .where(Event.engagement_id == case.id, Event.kind == "received", Event.facts["request"].astext == request.key)
        .order_by(Event.id)
    )
    for receipt in receipts:
        facts = receipt.facts
        if facts["unclear"]:
            post(case, "reply_unclear", receipt.key, request=request, stage=request.stage, reason=facts["unclear"])
            continue
        template = "items_complete" if facts["complete"] else "items_missing"
        if facts["complete"] and (process.REQUESTS[request.kind].replies or request.kind == "evaluation"):
            continue  # what follows says it
        post(
            case, template, receipt.key, request=request, stage=request.stage,
            received=[labels.get(key, key) for key in facts["received"]],
            missing=[{"label": labels.get(key, key), "reason": facts["returned"].get(key, "")}
                     for key in facts["missing"]],
        )  # fmt: skip


def take_loose_files(case: Case, folder: str, *, stage: str) -> None:
    """Take files of staff that answer no open request; a file named after a deliverable is its new version."""
    items = process.REQUESTS["delivery"].items
    nothing = Reply(answers={}, files={}, reply=None, message="", items=[], manifest={})
    for arrival in _arrivals(case, folder):
        occasion = f"received/{folder}/{arrival.sha256[:16]}/{arrival.name}"
        if case.made_on(occasion) is None:
            item = item_of_file(arrival.name, items, nothing)
            _file_away(case, arrival, occasion=occasion, folder=folder, stage=stage, problem=_problem(arrival),
                       key="received/" + (item or "unassigned"))  # fmt: skip
            case.session.commit()
        case.office.storage.delete(inbox(case, folder) + arrival.name)
