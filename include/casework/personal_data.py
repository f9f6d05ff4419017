"""What is kept about a person: found, handed out, and erased on request (Law 91/2025/QH15 on personal data protection).

A person is known by an email address, and in the engagements whose contact has it by the contact's name and phone;
what else identifies the person is named by whoever asks. An erasure puts a stable pseudonym wherever the person stands
in the register, in drafts and in rows of sheets. It deletes stored mails and staff's own papers that name the person,
and, where the person was the contact, what was handed in; of each file the hash and size stay. What was sent to the
client or signed is kept as it is, as long as ``kept_until`` says.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
import unicodedata
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from email import message_from_bytes
from email.policy import default
from pathlib import Path
from typing import Any

from sqlalchemy import Text as TextType
from sqlalchemy import inspect, or_, select, text
from sqlalchemy.dialects.postgresql import JSONB, insert
from sqlalchemy.orm import Session

from include.casework.office import Office
from include.casework.retention import erase_file, kept_until
from include.clock import now
from include.documents.archive import facts_path
from include.engagement import process
from include.engagement.errors import RuleBroken
from include.register.models import (
    Base,
    Document,
    Draft,
    Engagement,
    ErasedFile,
    Erasure,
    Event,
    IncomingMail,
    Installation,
    IntakeSheet,
    Mail,
    Request,
    RequestItem,
    ScheduledRun,
    SignOff,
    UndeliverableAddress,
)
from include.register.session import advisory_lock, make_engine
from include.storage import NotStored, Storage

SHORTEST = 3  # characters of what identifies a person
KEPT_REQUESTS = ("quote", "contract", "handover")  # what a client handed in here is part of the contract
KEPT_WHY = "Luật Kế toán 88/2015/QH13, hợp đồng và chứng từ: 10 năm kể từ khi hồ sơ kết thúc"
ERASED = "erased/"  # stands for the path of a file that was erased: a client's file name may name the person
# What never identifies anybody, and holds the register together.
_LEFT = {"id", "engagement_id", "sha256", "template_sha256", "form_digest", "message_id", "thread", "path", "nonce",
         "media_type", "state", "status", "kind", "stage", "language", "template", "request_key", "mailbox", "content",
         "reply_sha256", "saved_by", "read_by", "decided_by", "documents"}  # fmt: skip


@dataclass(frozen=True)
class Person:
    """Somebody: an address, and what else stands for them. ``pseudonym`` stays the same for an address."""

    address: str
    words: tuple[str, ...]
    pseudonym: str

    def stands_in(self, value: object) -> bool:
        """Say whether the person is named in a text, or anywhere in JSON."""
        return bool(_replaced(value, self) != value)

    def erased_from(self, value: Any) -> Any:
        """Return a text or JSON with the pseudonym wherever the person is named."""
        return _replaced(value, self)


@dataclass(frozen=True)
class StoredFile:
    """A file about the person: ``row`` is the register's, if it has one."""

    path: str
    what: str
    row: Document | Mail | IncomingMail | None = None


@dataclass(frozen=True)
class Holdings:
    """All that is kept about a person.

    ``files``: what an erasure deletes; ``kept``: what the law has the firm keep; ``rows``: those that name the person;
    ``open``: engagements that have not ended.
    """

    person: Person
    engagements: list[Engagement]
    files: list[StoredFile]
    kept: list[Document]
    rows: list[Base]
    open: list[str]

    @property
    def digest(self) -> str:
        """What a confirmation confirms: it changes with what would be erased."""
        told = [self.person.pseudonym, *sorted(f.path for f in self.files), *sorted(d.path for d in self.kept),
                *sorted(f"{type(r).__name__}/{inspect(r).identity}" for r in self.rows)]  # fmt: skip
        return hashlib.sha256("\n".join(told).encode()).hexdigest()[:12]

    @property
    def nothing(self) -> bool:
        """Whether nothing is kept that an erasure would change."""
        return not self.files and not self.rows


def find(office: Office, session: Session, address: str, *, also: Sequence[str] = ()) -> Holdings:
    """Return what is kept about the person with an address. ``also``: other names and numbers of theirs.

    Raises RuleBroken for an address that is none or one of the firm's own, and for a word too short to mean somebody.
    """
    address = unicodedata.normalize("NFC", address).strip().casefold()
    if not re.fullmatch(r"[^@\s/]+@[^@\s/]+", address):
        raise RuleBroken(f"“{address}” không phải là địa chỉ thư điện tử.")
    if address in _own_addresses(office.settings.firm):
        raise RuleBroken("Đây là địa chỉ của chính công ty trong firm.yaml; dữ liệu nhân viên không xoá ở đây.")
    for word in also:
        if len(word.strip()) < SHORTEST:
            raise RuleBroken(f"“{word}” quá ngắn để chỉ đúng một người.")
    contact = Engagement.form["client"]["contact"]
    mailed = select(Mail.engagement_id).where(Mail.recipient.ilike(_like(address)))
    engagements = list(session.scalars(
        select(Engagement).where(or_(contact["email"].astext.ilike(_like(address)), Engagement.id.in_(mailed)))
        .order_by(Engagement.id)
    ))  # fmt: skip
    words = dict.fromkeys([address, *(word.strip() for word in also)])
    for engagement in engagements:
        entry = _contact(engagement)
        if str(entry.get("email", "")).casefold() == address:
            words.update(dict.fromkeys(_identifying(entry)))
    person = Person(address, tuple(words), _pseudonym(session, address))
    ids = [engagement.id for engagement in engagements]
    files, kept = _files(office.storage, session, person, engagements)
    rows = list(_rows(session, person, ids))
    return Holdings(person, engagements, files, kept, rows, _open(session, engagements))


def erase(office: Office, address: str, *, also: Sequence[str] = (), by: str, reason: str, asked: date,
          confirmed: str | None) -> tuple[Holdings, Erasure | None]:  # fmt: skip
    """Erase a person if ``confirmed`` is the digest of what would be; return what was found and the record of it.

    Killed at any point it does the rest when it is called again. Raises RuleBroken while one of the person's
    engagements is open or has something planned, or when no reason is given.
    """
    with advisory_lock(make_engine(office.settings.register_url), "erasure"), office.sessions() as session:
        found = find(office, session, address, also=also)
        if found.open:
            raise RuleBroken(f"Hồ sơ {', '.join(found.open)} chưa kết thúc: xoá được khi hồ sơ đã kết thúc.")
        if not reason.strip():
            raise RuleBroken("Xin ghi lý do, ví dụ yêu cầu của khách ngày nào.")
        if confirmed != found.digest or found.nothing:
            return found, None
        record = _record(session, found, by=by, reason=reason, asked=asked, day=office.today)
        for file in found.files:
            _erase_file(session, office.storage, file, day=office.today, erasure=record)
        _erase_rows(session, found, record, day=office.today)
    return found, record


def export(office: Office, session: Session, found: Holdings, target: Path) -> int:
    """Write a ZIP of all that is kept about a person: ``data.json`` and the files; return the number of files."""
    unfinished = target.with_name(f".{target.name}.unfinished")
    listed, missing = list[dict[str, Any]](), list[str]()
    with zipfile.ZipFile(unfinished, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in dict.fromkeys([*(f.path for f in found.files), *(d.path for d in found.kept)]):
            try:
                with office.storage.open(path) as source, archive.open(f"files/{path}", "w", force_zip64=True) as copy:
                    sha256, size = hashlib.sha256(), 0
                    while chunk := source.read(1 << 20):
                        sha256.update(chunk)
                        copy.write(chunk)
                        size += len(chunk)
            except NotStored:
                missing.append(path)
                continue
            listed.append({"path": f"files/{path}", "sha256": sha256.hexdigest(), "size": size})
        data = {
            "person": found.person.address,
            "as_of": now().isoformat(),
            "engagements": [{"id": e.id, "opened": e.opened, "closed": e.closed} for e in found.engagements],
            "rows": [{"table": type(row).__tablename__, **_as_json(row)} for row in found.rows],
            "files": listed,
            "no_longer_stored": missing,
        }
        archive.writestr("data.json", json.dumps(data, ensure_ascii=False, indent=1, default=_plain))
    unfinished.replace(target)
    for engagement in found.engagements:
        session.execute(insert(Event).values(
            engagement_id=engagement.id, key=f"personal_data_exported/{now().isoformat()}",
            kind="personal_data_exported", day=office.today,
            facts={"person": found.person.pseudonym, "files": len(listed)},
        ))  # fmt: skip
    session.commit()
    return len(listed)


# --- finding ------------------------------------------------------------------------------------------------


def _contact(engagement: Engagement) -> dict[str, Any]:
    return (engagement.form.get("client") or {}).get("contact") or {}


def _identifying(contact: dict[str, Any]) -> Iterator[str]:
    for key in ("name", "phone", "email"):
        value = str(contact.get(key) or "").strip()
        if len(value) >= SHORTEST:
            yield value


def _own_addresses(firm: Any) -> set[str]:
    """Return every address in firm.yaml, wherever it stands."""
    if isinstance(firm, dict):
        return set[str]().union(*map(_own_addresses, firm.values()))
    if isinstance(firm, list):
        return set[str]().union(*map(_own_addresses, firm))
    return {firm.casefold()} if isinstance(firm, str) and "@" in firm else set()


def _like(value: str) -> str:
    return value.replace("\\", r"\\").replace("%", r"\%").replace("_", r"\_")


def _pseudonym(session: Session, address: str) -> str:
    secret = session.scalars(select(Installation.message_id_secret)).one()
    return "P-" + hmac.digest(secret.encode(), f"person/{address}".encode(), "sha256").hex()[:12]


def _open(session: Session, engagements: Sequence[Engagement]) -> list[str]:
    planned = set(session.scalars(
        select(ScheduledRun.engagement_id).where(ScheduledRun.status.in_(("planned", "running")))
    ))  # fmt: skip
    return [e.id for e in engagements if e.closed is None or e.id in planned]


def _files(
    storage: Storage, session: Session, person: Person, engagements: Sequence[Engagement]
) -> tuple[list[StoredFile], list[Document]]:
    ids = [engagement.id for engagement in engagements]
    as_contact = {engagement.id for engagement in engagements if person.stands_in(_contact(engagement).get("email"))}
    erased = set(session.scalars(select(ErasedFile.path)))
    files, kept = list[StoredFile](), list[Document]()
    for document in session.scalars(select(Document).where(Document.engagement_id.in_(ids)).order_by(Document.id)):
        if document.path.startswith(ERASED):
            continue
        if _is_kept(document):
            kept.append(document)
        elif document.path in erased or (
            document.engagement_id in as_contact if document.direction == "received"
            else _facts_name(storage, document, person)
        ):
            files.append(StoredFile(document.path, document.key, document))
            if storage.exists(facts := _facts_of(document)):
                files.append(StoredFile(facts, "facts"))
    for mail in session.scalars(
        select(Mail).where(or_(Mail.engagement_id.in_(ids), Mail.recipient.ilike(_like(person.address))))
        .where(Mail.path.is_not(None)).order_by(Mail.id)
    ):  # fmt: skip
        path = str(mail.path)
        if not path.startswith(ERASED) and (path in erased or _mail_names(storage, path, person)):
            files.append(StoredFile(path, "mail", mail))
    incoming = select(IncomingMail).where(IncomingMail.path.is_not(None)).order_by(IncomingMail.id)
    for arrived in session.scalars(incoming):
        path = str(arrived.path)
        if not path.startswith(ERASED) and (path in erased or _mail_names(storage, path, person)):
            files.append(StoredFile(path, "incoming_mail", arrived))
    for engagement_id in as_contact:
        for folder in (f"inbox/{engagement_id}", f"portal/receipts/{engagement_id}"):
            files += [StoredFile(stored.path, folder.partition("/")[0]) for stored in storage.list(folder)]
    return files, kept


def _is_kept(document: Document) -> bool:
    """Say whether a paper was sent to the client, is part of the contract, or is what the firm delivered."""
    if document.direction == "made":
        row = process.DOCUMENTS.get(document.key.partition("/")[0])
        return row is None or row.audience == "client"
    if document.key.startswith("quarantined/"):
        return False
    request = document.occasion.split("/")[1].partition("-")[0] if "/" in document.occasion else ""
    known = process.REQUESTS.get(request)
    return known is not None and (known.key in KEPT_REQUESTS or known.of != "client")


def _facts_of(document: Document) -> str:
    return facts_path(document.engagement_id, document.key.partition("/")[0], document.version)


def _facts_name(storage: Storage, document: Document, person: Person) -> bool:
    try:
        facts = storage.get(_facts_of(document))
    except NotStored:
        return False
    return person.stands_in(json.loads(facts))


def _mail_names(storage: Storage, path: str, person: Person) -> bool:
    try:
        data = storage.get(path)
    except NotStored:
        return False
    mail = message_from_bytes(data, policy=default)
    if person.stands_in([str(value) for value in mail.values()]):
        return True
    texts = (part for part in mail.walk() if part.get_content_maintype() == "text")
    return any(person.stands_in(_decoded(part.get_payload(decode=True))) for part in texts)


def _decoded(payload: object) -> str:
    return payload.decode("utf-8", "replace") if isinstance(payload, bytes) else str(payload)


def _rows(session: Session, person: Person, ids: Sequence[str]) -> Iterator[Base]:
    """Yield the rows that name the person, in the person's engagements and where no engagement is known yet."""
    requests = select(Request.id).where(Request.engagement_id.in_(ids))
    for rows in (
        select(Engagement).where(Engagement.id.in_(ids)),
        *(select(model).where(model.engagement_id.in_(ids))
          for model in (Request, Mail, SignOff, Event, IncomingMail, Document)),
        select(RequestItem).where(RequestItem.request_id.in_(requests)),
        select(Mail).where(Mail.engagement_id.is_(None), Mail.recipient.ilike(_like(person.address))),
        select(IncomingMail).where(IncomingMail.engagement_id.is_(None)),
        select(Draft), select(IntakeSheet), select(UndeliverableAddress),
    ):  # fmt: skip
        yield from (row for row in session.scalars(rows) if _names(row, person))


def _names(row: Base, person: Person) -> bool:
    return any(person.stands_in(getattr(row, name)) for name in _columns(type(row)))


def _columns(model: type[Base]) -> list[str]:
    """Return the columns of a table in which people's words may stand."""
    return [
        column.key for column in inspect(model).columns
        if isinstance(column.type, (TextType, JSONB)) and column.key not in _LEFT
    ]  # fmt: skip


def _replaced(value: Any, person: Person) -> Any:
    if isinstance(value, str):
        for word in person.words:
            by = f"{person.pseudonym.lower()}@erased.invalid" if "@" in word else person.pseudonym
            value = re.sub(rf"(?<!\w){re.escape(word)}(?!\w)", by, value, flags=re.IGNORECASE)
        return value
    if isinstance(value, dict):
        return {key: _replaced(each, person) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_replaced(each, person) for each in value]
    return value


# --- erasing ------------------------------------------------------------------------------------------------


def _record(session: Session, found: Holdings, *, by: str, reason: str, asked: date, day: date) -> Erasure:
    """Return the record of this erasure, or of the one that was broken off."""
    broken_off = session.scalar(
        select(Erasure).where(Erasure.pseudonym == found.person.pseudonym, Erasure.finished_at.is_(None))
    )
    if broken_off is not None:
        return broken_off
    until = {engagement.id: kept_until(engagement).isoformat() for engagement in found.engagements}
    record = Erasure(
        pseudonym=found.person.pseudonym, by=by, reason=found.person.erased_from(reason), asked=asked, day=day,
        engagements=list(until),
        kept=[{"what": each.path, "until": until[each.engagement_id], "why": KEPT_WHY} for each in found.kept],
    )  # fmt: skip
    session.add(record)
    session.commit()
    return record


def _erase_file(session: Session, storage: Storage, file: StoredFile, *, day: date, erasure: Erasure) -> None:
    """Delete a file; of one that the register knows the hash stays, under a path that names nobody."""
    if file.row is None:
        storage.delete(file.path)
        return
    known = session.get(ErasedFile, file.path)
    if known is not None:
        sha256, size = known.sha256, known.size
    elif isinstance(file.row, Document):
        sha256, size = file.row.sha256, file.row.size
    else:
        sha256, size = storage.sha256(file.path), len(storage.get(file.path))
    erase_file(session, storage, file.path, sha256, size, day=day, erasure_id=erasure.id)
    neutral = f"{ERASED}{file.row.__tablename__}/{file.row.id}"
    session.get_one(ErasedFile, file.path).path = neutral
    file.row.path = neutral
    if isinstance(file.row, Document) and file.row.direction == "received":
        file.row.occasion = "/".join([*file.row.occasion.split("/")[:3], f"erased-{file.row.id}"])
    session.commit()


def _erase_rows(session: Session, found: Holdings, erasure: Erasure, *, day: date) -> None:
    """Put the pseudonym into every row that names the person, and finish the record: all of it or nothing."""
    session.execute(text("select set_config('register.erasure', 'on', true)"))
    for row in found.rows:
        for name in _columns(type(row)):
            value = getattr(row, name)
            if (erased := found.person.erased_from(value)) != value:
                setattr(row, name, erased)
    for engagement in found.engagements:
        engagement.link_version += 1
        session.execute(insert(Event).values(
            engagement_id=engagement.id, key=f"personal_data_erased/{erasure.id}", kind="personal_data_erased", day=day,
            facts={"person": found.person.pseudonym, "erasure": erasure.id, "reason": erasure.reason, "by": erasure.by},
        ).on_conflict_do_nothing())  # fmt: skip
    erasure.finished_at = now()
    session.commit()


# --- exporting ----------------------------------------------------------------------------------------------


def _as_json(row: Base) -> dict[str, Any]:
    return {column.key: getattr(row, column.key) for column in inspect(type(row)).columns}


def _plain(value: object) -> str:
    return value.isoformat() if isinstance(value, (date, datetime)) else str(value)
