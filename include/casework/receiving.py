"""Receiving what was put into the inbox: keep it, check it, say what arrived and what is still missing.

Everything new in the inbox is one receipt. Its files are copied to their final place first, then registered with
the items they answer in one transaction, then acknowledged by mail, and only then taken out of the inbox: at any
point the work can be done again from the start.

However much lies there, one taking-in handles a bounded part of it; the rest is the next one's, the reply with the
last. The client hears of the whole in one mail.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import mimetypes
import shutil
import tempfile
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from sqlalchemy import func, select

from include.casework.accuracy import record_contradictions
from include.casework.correspondence import post
from include.casework.facts import number_text
from include.casework.office import Case
from include.documents.workbooks.answer_sheet import UnreadableSheet
from include.engagement import process
from include.engagement.errors import InvalidReply
from include.engagement.form import column_value, fill_form
from include.engagement.items import (
    Assessment,
    FileSeen,
    Standing,
    assess,
    item_named,
    item_of_file,
    problem_words,
)
from include.engagement.replies import LONGEST, Entry, Reply, parse_reply, ready_names
from include.engagement.text import cleaned
from include.register.models import Document, Event, Request, RequestItem
from include.screening import Verdict, find_antivirus, installed_limits, read_answers, screen
from include.storage import safe_name
from include.storage.base import digest

REPLY = "reply.json"
LONGEST_NAME = 120  # characters of a file name as people are shown it
BATCH_FILES, BATCH_BYTES = 50, 500_000_000  # of one taking-in; a file larger than that is one by itself
# Of one request, not of the engagement: a flood in one stage must not keep a signed contract out in the next.
REQUEST_FILES, REQUEST_BYTES = 500, 5_000_000_000
NAMED_FILES = 10  # files set aside that a mail names
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Arrival:
    """One file of a receipt as it lies in the inbox; ``size`` in bytes."""

    name: str
    size: int
    sha256: str


@dataclass(frozen=True)
class Drop:
    """What lies ready in the inbox: this taking-in's part of it, and whether there is ``more`` for the next."""

    arrivals: list[Arrival]
    more: bool


@dataclass(frozen=True)
class Kept:
    """An arrival at its final place: ``verdict`` says whether that is the quarantine, ``words`` why in the client's
    words where the code does not; ``answers`` are those of a filled questionnaire."""

    arrival: Arrival
    shown: str
    path: str
    verdict: Verdict
    words: process.Text | None
    answers: Mapping[str, Any]

    @property
    def problem(self) -> str | process.Text | None:
        """Why the file does not count, None when it does."""
        return self.words or self.verdict.code


def inbox(case: Case, key: str) -> str:
    """Return the inbox folder of a request."""
    return f"inbox/{case.id}/{key}/"


def take_in(case: Case, request: Request, *, replies: Sequence[str] = ()) -> None:
    """Receive what lies ready for ``request`` and answer it; ``request.status`` says whether that completes it.

    ``replies``: the decisions that may be given in this round. Waits for nothing. What comes after the request was
    answered is kept and changes nothing.
    """
    drop = _arrivals(case, request.key)
    fresh = [arrival for arrival in drop.arrivals if case.made_on(_occasion(request.key, arrival)) is None]
    if fresh and request.status == "open":
        _register(case, request, fresh, replies, more=drop.more)
    elif fresh:
        _keep_late(case, request, fresh)
    _acknowledge(case, request)
    _clear(case, request.key, drop.arrivals)


def _clear(case: Case, folder: str, arrivals: Sequence[Arrival]) -> None:
    """Take out of the inbox what is registered; what was refused unread is put into quarantine only now."""
    storage = case.office.storage
    # The reply first: files of a manifest whose others are gone would never be ready again.
    for arrival in sorted(arrivals, key=lambda arrival: arrival.name != REPLY):
        document, source = case.made_on(_occasion(folder, arrival)), inbox(case, folder) + arrival.name
        unread = document is not None and document.key.startswith("quarantined/")
        if unread and document is not None and not storage.exists(document.path):
            storage.move(source, document.path)
        else:
            storage.delete(source)


def _keep_late(case: Case, request: Request, fresh: Sequence[Arrival]) -> None:
    """Keep what arrived after the request was answered; staff find it in the register."""
    nothing = Reply(answers={}, files={}, reply=None, message="", items=[], manifest={})
    items, room = asked_items(request, case), _room(case, request.key)
    for arrival in fresh:
        item = "reply" if arrival.name == REPLY else item_of_file(arrival.name, items, nothing) or "unassigned"
        file = _keep(case, request.key, arrival, room=room)
        document = _file_away(case, file, folder=request.key, stage=request.stage, item=item)
        case.event("received_late", key=f"received_late/{document.occasion}", request=request.key, item=item,
                   name=file.shown, document=document.id)  # fmt: skip
    case.session.commit()


@dataclass
class Room:
    """What one request may still bring: files and bytes."""

    files: int
    bytes: int

    def take(self, arrival: Arrival) -> bool:
        """Count a file, if there is room for it; the reply itself always has some."""
        fits = arrival.name == REPLY or (self.files > 0 and arrival.size <= self.bytes)
        if fits:
            self.files, self.bytes = self.files - 1, self.bytes - arrival.size
        return fits


def _room(case: Case, folder: str) -> Room:
    count, size = case.session.execute(
        select(func.count(), func.coalesce(func.sum(Document.size), 0))
        .where(Document.engagement_id == case.id, Document.occasion.startswith(f"received/{folder}/", autoescape=True))
    ).one()  # fmt: skip
    return Room(files=REQUEST_FILES - int(count), bytes=REQUEST_BYTES - int(size))


def _taken(case: Case, folder: str) -> set[str]:
    """The beginnings of the hashes of what a folder of the inbox brought so far."""
    occasions = case.session.scalars(
        select(Document.occasion).where(
            Document.engagement_id == case.id, Document.occasion.startswith(f"received/{folder}/", autoescape=True)
        )
    )
    return {occasion.split("/")[2] for occasion in occasions}


def _arrivals(case: Case, key: str) -> Drop:
    storage, folder = case.office.storage, inbox(case, key)
    stored = {entry.path.removeprefix(folder): entry for entry in storage.list(folder)}
    stored = {name: entry for name, entry in stored.items() if _reachable(name)}
    settle_seconds = case.office.settings.inbox_settle_seconds
    manifest, ages = None, {name: entry.age_seconds for name, entry in stored.items()}
    if REPLY in stored and stored[REPLY].size <= LONGEST:
        try:
            reply = parse_reply(storage.get(folder + REPLY))
        except InvalidReply:
            pass  # half-written, or not a reply: it has to hold still before it is taken for the latter
        else:
            here = {unicodedata.normalize("NFC", name) for name in stored}
            absent = {name for name in (*reply.manifest, *reply.files.values()) if name not in here}
            if absent:
                # An earlier taking-in had them: their manifest holds without them.
                taken = _taken(case, key)
                absent = {name for name in absent if reply.manifest.get(name, "")[:16] not in taken}
            manifest = {
                name: sha for name, sha in reply.manifest.items() if name in here or name in absent
            } or None
            if not any(name in absent for name in reply.files.values()):
                ages[REPLY] = settle_seconds  # what parses as a whole is whole
    entries = [
        Entry(name=name, size=entry.size, age_seconds=ages[name],
              sha256=storage.sha256(folder + name) if manifest and name in manifest else None)
        for name, entry in sorted(stored.items())
    ]  # fmt: skip
    ready = ready_names(entries, manifest, settle_seconds=settle_seconds)
    ready.sort(key=lambda name: name == REPLY)
    part, left = list[str](), BATCH_BYTES
    for name in ready[:BATCH_FILES]:
        left -= stored[name].size
        if part and left < 0:
            break
        part.append(name)
    return Drop(
        [Arrival(name, stored[name].size, storage.sha256(folder + name)) for name in part],
        more=len(part) < len(ready),
    )


def _reachable(name: str) -> bool:
    """Tell whether a name in the inbox can be read at all; S3 lets anybody write ``../`` into one."""
    if name and not any(segment in ("", ".", "..") for segment in name.split("/")) and "\0" not in name:
        return True
    log.warning("a file in the inbox has a name that cannot be read, it is left where it is")
    return False


def _occasion(folder: str, arrival: Arrival) -> str:
    name = arrival.name
    if len(name) > LONGEST_NAME or cleaned(name) != name or not name.isprintable():
        # The register holds no such name, and two of them must not become one.
        name = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:16]
    return f"received/{folder}/{arrival.sha256[:16]}/{name}"


def _shown(name: str) -> str:
    """Return a file name as it can be shown and kept: no marks that do not show or that turn the writing around."""
    visible = "".join(c for c in name if unicodedata.category(c) not in ("Cc", "Cf", "Cs", "Co", "Cn"))
    return unicodedata.normalize("NFC", visible).strip()[-LONGEST_NAME:] or "?"


def _register(
    case: Case, request: Request, fresh: Sequence[Arrival], replies: Sequence[str], *, more: bool
) -> None:
    items = asked_items(request, case)
    reply, unclear = _assigning_reply(case, request) if more else _read_reply(case, request, fresh, replies)
    stated = set(reply.answers)
    room = _room(case, request.key)
    files = [_keep(case, request.key, arrival, room=room) for arrival in fresh]
    answers = {key: value for file in files for key, value in file.answers.items()}
    reply = replace(reply, answers={**answers, **reply.answers})  # what the reply itself says counts more
    seen = {
        file.arrival.name: FileSeen(name=file.shown, item=item_of_file(file.arrival.name, items, reply),
                                    problem=file.problem)
        for file in files if file.arrival.name != REPLY
    }  # fmt: skip
    rows = case.items(request)
    standing = {row.key: Standing(row.key, row.required, row.state, row.reason) for row in rows}
    found = assess(items, standing, reply, list(seen.values()))
    returned = {key: reason.in_(case.language) for key, reason in found.returned.items()}
    if request.kind in ("intake", "information"):
        case.engagement.form, rejected = fill_form(case.form, found.received)
        columns = {item.key: item.column for item in items}
        for key in rejected:
            _, reason = column_value(columns[key], found.received[key])
            returned[key] = reason.in_(case.language) if reason else rejected[key]

    documents: dict[tuple[str, str], Document] = {}
    sources: dict[str, int] = {}
    for file in files:
        match = seen.get(file.arrival.name)
        item = "reply" if match is None else match.item or "unassigned"
        document = _file_away(case, file, folder=request.key, stage=request.stage, item=item)
        if not file.problem:
            documents[item, file.shown] = document
        told = stated if match is None else set(file.answers) - stated
        sources.update(dict.fromkeys(told, document.id))
    for row in rows:
        if row.key in returned:
            row.state, row.reason = "returned", returned[row.key]
        elif row.key in found.received:
            row.state, row.reason = "received", None
            row.value = {"value": found.received[row.key], "document": sources.get(row.key)}
        elif row.key in found.received_files:
            row.state, row.reason = "received", None
            row.document_id = documents[row.key, found.received_files[row.key]].id
    named = {row.key: row for row in rows}
    for key, value in found.extra.items():
        kept = {"value": value, "document": sources.get(key)}
        if (short := key[:100]) in named:
            named[short].value = kept
            continue
        named[short] = RequestItem(request_id=request.id, key=short, required=False, state="received", value=kept)
        case.session.add(named[short])
    set_aside = [
        {"name": file.shown, "reason": problem_words(file.problem).in_(case.language)}
        for file in files
        if file.problem and file.arrival.name != REPLY and seen[file.arrival.name].item is None
    ]
    whole = [
        {"item": seen[file.arrival.name].item or "", "name": file.shown, "size": file.arrival.size,
         "sha256": file.arrival.sha256}
        for file in files if not file.problem and file.arrival.name != REPLY
    ]  # fmt: skip
    questions = record_contradictions(case) if request.kind == "information" else []
    _settle(case, request, found, reply, unclear, returned, fresh, more=more, files=whole, set_aside=set_aside,
            questions=questions)  # fmt: skip


def _settle(
    case: Case,
    request: Request,
    found: Assessment,
    reply: Reply,
    unclear: str,
    returned: Mapping[str, str],
    fresh: Sequence[Arrival],
    *,
    more: bool,
    files: Sequence[Mapping[str, Any]],
    set_aside: Sequence[Mapping[str, str]],
    questions: Sequence[str],
) -> None:
    """Decide whether the request is answered, move the clock, write the receipt down, commit.

    With ``more`` to come nothing is decided yet: the last part of what lies there does that.
    """
    missing = [row.key for row in case.items(request) if row.required and row.state != "received"]
    decided = not process.REQUESTS[request.kind].replies or (reply.reply is not None and not unclear)
    waited = case.calendar.between(request.asked, case.today)
    if request.of == "client" and not more:
        more_to_deliver = request.kind == "handover" and reply.reply != "accept"
        case.client_kept_us_waiting(request.stage, request.stage_round, waited, moves_promise=more_to_deliver)
    if more:
        pass
    elif not missing and decided:
        request.status, request.answered = "answered", case.today
        if reply.reply is not None:
            request.reply = {"reply": reply.reply, "message": reply.message, "items": reply.items}
    else:
        request.times_asked += 1
        request.asked = case.today
        request.due = max(
            request.due, case.calendar.add(case.today, process.REQUESTS[request.kind].follow_up_days)
        )
        request.days = case.calendar.between(case.today, request.due)
    receipt = hashlib.sha256("".join(sorted(_occasion(request.key, a) for a in fresh)).encode()).hexdigest()[:16]
    case.event(
        "received", key=f"received/{request.key}/{receipt}", request=request.key, unclear=unclear,
        received=[*found.received, *found.received_files], returned=returned, missing=missing,
        unassigned=found.unassigned, complete=request.status == "answered", more=more, files=list(files),
        set_aside=list(set_aside), questions=list(questions),
    )  # fmt: skip
    case.session.commit()


def asked_items(request: Request, case: Case) -> list[process.Item]:
    """Return the rows of what this request asked for."""
    rows = {item.key: item for item in process.REQUESTS[request.kind].items}
    return [rows.get(row.key) or item_named(row.key) for row in case.items(request)]


def _assigning_reply(case: Case, request: Request) -> tuple[Reply, str]:
    """Return, of a reply that waits for the last part of its files, only which file belongs to which item."""
    files: dict[str, str] = {}
    storage, path = case.office.storage, inbox(case, request.key) + REPLY
    if storage.exists(path):
        with contextlib.suppress(InvalidReply), storage.open(path) as stored:
            files = parse_reply(stored.read(LONGEST + 1)).files
    return Reply(answers={}, files=files, reply=None, message="", items=[], manifest={}), ""


def _read_reply(
    case: Case, request: Request, fresh: Sequence[Arrival], replies: Sequence[str]
) -> tuple[Reply, str]:
    """Return the reply among the arrivals, and what is unclear about it (a code, empty when nothing is)."""
    empty = Reply(answers={}, files={}, reply=None, message="", items=[], manifest={})
    arrival = next((arrival for arrival in fresh if arrival.name == REPLY), None)
    if arrival is None or not arrival.size:
        return empty, "no_reply" if replies else ""
    if arrival.size > LONGEST:
        return empty, "unreadable"
    data = case.office.storage.get(inbox(case, request.key) + REPLY)
    try:
        reply = parse_reply(data)
    except InvalidReply:
        return empty, "unreadable"
    if replies and reply.reply not in replies:
        return reply, "not_possible" if reply.reply else "no_reply"
    if reply.reply == "changes" and not reply.items:
        return reply, "no_changes_named"
    return reply, ""


def _keep(case: Case, folder: str, arrival: Arrival, *, room: Room) -> Kept:
    """Look at a file of the inbox and copy it to its final place: what was looked at is what is kept.

    A file beyond a limit is not opened; it goes to quarantine once it is registered.
    """
    storage, source = case.office.storage, inbox(case, folder) + arrival.name
    limits, answers, words = installed_limits(), dict[str, Any](), None
    unread = None
    if arrival.size > limits.file_bytes:
        unread = Verdict("too_large", f"{arrival.size} bytes, more than {limits.file_bytes}", "")
    elif not room.take(arrival):
        unread = Verdict("too_many_files", f"beyond {REQUEST_FILES} files or {REQUEST_BYTES} bytes of a request", "")
    if unread is not None:
        verdict, path = unread, _place(case, folder, arrival, quarantined=True)
        return Kept(arrival, _shown(arrival.name), path, verdict, None, {})
    with tempfile.TemporaryDirectory(prefix="arrival-") as temporary:
        copy = Path(temporary, "file")
        with storage.open(source) as stored, open(copy, "wb") as file:
            shutil.copyfileobj(stored, file, 1 << 20)
        with open(copy, "rb") as file:
            # What lies in the inbox may have been replaced since it was listed.
            arrival = replace(arrival, sha256=digest(file), size=file.tell())
        if arrival.name == REPLY:
            verdict = Verdict(None, "", "json")
        else:
            verdict = screen(copy, name=arrival.name, limits=limits, antivirus=find_antivirus())
        if verdict.kind == "xlsx":
            try:
                answers = read_answers(copy, limits=limits)
            except UnreadableSheet as error:
                verdict, words = Verdict("unreadable_sheet", "a questionnaire that cannot be read", ""), error.words
        path = _place(case, folder, arrival, quarantined=verdict.code is not None)
        storage.put_file(path, copy, media_type=_media_type(arrival, verdict))
    return Kept(arrival, _shown(arrival.name), path, verdict, words, answers)


def _place(case: Case, folder: str, arrival: Arrival, *, quarantined: bool) -> str:
    stored = safe_name(arrival.name)
    mark = arrival.sha256[:8]
    if stored != arrival.name:
        # Two names may be made into one, and nothing is stored over another file.
        mark += "-" + hashlib.sha256(arrival.name.encode("utf-8", "surrogatepass")).hexdigest()[:6]
    area = "quarantine" if quarantined else "received"
    return f"engagements/{case.id}/{area}/{folder}/{safe_name(f'{mark}-{stored}')}"


def _media_type(arrival: Arrival, verdict: Verdict) -> str:
    # Whoever serves what is in quarantine must not have it opened.
    unknown = "application/octet-stream"
    return unknown if verdict.code else mimetypes.guess_type(safe_name(arrival.name))[0] or unknown


def _file_away(case: Case, file: Kept, *, folder: str, stage: str, item: str) -> Document:
    """Register a file at its final place (not committed); one in quarantine with an event that says why."""
    arrival, verdict = file.arrival, file.verdict
    occasion = _occasion(folder, arrival)
    key = f"{'quarantined' if verdict.code else 'received'}/{item}"
    previous = case.latest(key)
    document = Document(
        engagement_id=case.id, key=key, version=previous.version + 1 if previous else 1, occasion=occasion,
        stage=stage, direction="received", number=None, path=file.path, sha256=arrival.sha256,
        size=arrival.size, media_type=_media_type(arrival, verdict), language=None,
        template_sha256=None, day=case.today,
    )  # fmt: skip
    case.session.add(document)
    case.session.flush()
    if verdict.code:
        case.event("quarantined", key=f"quarantined/{occasion}", request=folder, item=item, name=file.shown,
                   code=verdict.code, detail=verdict.detail, path=file.path)  # fmt: skip
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
    received, files, set_aside, questions = list[str](), list[dict[str, Any]](), list[dict[str, str]](), list[str]()
    for receipt in receipts:
        facts = receipt.facts
        received += facts["received"]
        files += facts.get("files", [])
        set_aside += facts.get("set_aside", [])
        questions += facts.get("questions", [])
        if facts.get("more"):
            continue
        told: dict[str, Any] = {
            "received": [labels.get(key, key) for key in dict.fromkeys(received)],
            "files": [
                {"title": labels.get(file["item"]) or file["name"], "size": number_text(file["size"], case.language),
                 "sha256": file["sha256"]}
                for file in files[:NAMED_FILES]
            ],
            "set_aside": set_aside[:NAMED_FILES],
            "set_aside_more": max(0, len(set_aside) - NAMED_FILES),
            "questions": questions,
        }
        received, files, set_aside, questions = [], [], [], []
        if facts["unclear"]:
            post(case, "reply_unclear", receipt.key, request=request, stage=request.stage, reason=facts["unclear"])
            continue
        template = "items_complete" if facts["complete"] else "items_missing"
        if facts["complete"] and (process.REQUESTS[request.kind].replies or request.kind == "evaluation"):
            continue  # what follows says it
        post(
            case, template, receipt.key, request=request, stage=request.stage,
            missing=[{"label": labels.get(key, key), "reason": facts["returned"].get(key, "")}
                     for key in facts["missing"]],
            **told,
        )  # fmt: skip


def take_loose_files(case: Case, folder: str, *, stage: str) -> None:
    """Take files of staff that answer no open request; a file named after a deliverable is its new version."""
    items = process.REQUESTS["delivery"].items
    nothing = Reply(answers={}, files={}, reply=None, message="", items=[], manifest={})
    more = True
    while more:  # nobody comes back for what staff put there before they confirm
        drop = _arrivals(case, folder)
        room, more = _room(case, folder), drop.more
        for arrival in drop.arrivals:
            if case.made_on(_occasion(folder, arrival)) is None:
                item = item_of_file(arrival.name, items, nothing)
                file = _keep(case, folder, arrival, room=room)
                _file_away(case, file, folder=folder, stage=stage, item=item or "unassigned")
                case.session.commit()
        _clear(case, folder, drop.arrivals)
