"""The templates of papers and mails: what they use, what is wrong with them, what came of them.

An administrator takes a Word template from here, edits it in Word, and sends it back: it is checked, shown with sample
facts, and put into use. Mails are files of the deployment, edited there.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date

from fastapi import APIRouter, HTTPException, Request
from fastapi.responses import Response
from sqlalchemy import func, select
from sqlalchemy.orm import Session
from starlette.datastructures import UploadFile

from include.casework import template_editions
from include.documents.inspection import Inspection, inspect
from include.documents.libreoffice import ConversionFailed
from include.documents.render import render, template_path, template_sha256
from include.documents.sample import pictured_facts
from include.engagement import process
from include.engagement.process import LANGUAGES, Language
from include.mail.templates import FOLDER, template_variables
from include.register.models import Document, TemplateEdition
from include.storage import Storage
from plugins.operations.access import Administering, Posted
from plugins.operations.engagement import inline_pdf
from plugins.operations.page import back_to, download, office, shown

router = APIRouter(prefix="/templates")
NO_FILE = "Xin chọn một tệp .docx."
_SHA256 = re.compile("[0-9a-f]{64}")
_PERHAPS, _FACT = re.compile(r"{% if .*?{% endif %}"), re.compile(r"{{.*?}}")


@dataclass(frozen=True)
class Version:
    """A version of a Word template, and the documents that were made from it: how many, the first and last day."""

    sha256: str
    count: int
    first: date
    last: date


@dataclass(frozen=True)
class Template:
    """A Word template as it is in force; ``versions``: those that documents were made from, the newest first."""

    key: str
    language: Language
    sha256: str
    row: process.Document
    versions: tuple[Version, ...]
    looked_over: Inspection | None = None

    def unused(self, own: str, editions: Sequence[TemplateEdition]) -> list[str]:
        """Return the versions that no document was made from: the present one, the program's, those put into use."""
        known = {version.sha256 for version in self.versions}
        others = dict.fromkeys((self.sha256, own, *(each.sha256 for each in editions if each.sha256)))
        return [sha256 for sha256 in others if sha256 not in known]


@router.get("")
def listed(request: Request, check: bool = False) -> Response:
    """Show all templates; with ``check``, what is wrong with each (that takes some seconds)."""
    desk = office()
    with desk.sessions() as session:
        papers = [_template(session, desk.storage, key, now, check=check) for key, now in _word_templates()]
    stages = [(stage, [each for each in papers if each.row.stage == stage.key],
               [mail for mail in process.MAILS.values() if mail.stage == stage.key])
              for stage in process.STAGES.values()]  # fmt: skip
    return shown(
        request, "templates.html", stages=stages, check=check, languages=_mail_languages, subject=_subject,
        others=[mail for mail in process.MAILS.values() if not mail.stage],
    )  # fmt: skip


@router.get("/papers/{key}/{language}")
def paper(request: Request, key: str, language: str) -> Response:
    """Show a Word template: its fields, what is wrong with it, its versions, who put which into use."""
    return _paper(request, key, _known(key, language))


@router.post("/papers/{key}/{language}")
def offer(request: Request, person: Administering, form: Posted, key: str, language: str) -> Response:
    """Look over a template that was edited in Word. What is good is kept and shown; nothing is in use yet."""
    now, file = _known(key, language), form.get("template")
    if not isinstance(file, UploadFile) or not file.filename:
        return _paper(request, key, now, refused=(NO_FILE,), status=422)
    sha256, looked_over = template_editions.offer(office().storage, key, now, file.file.read())
    if looked_over.findings:
        return _paper(request, key, now, refused=looked_over.findings, status=422)
    return back_to(request, f"/templates/papers/{key}/{now}/versions/{sha256}")


@router.get("/papers/{key}/{language}/versions/{sha256}")
def version(request: Request, key: str, language: str, sha256: str) -> Response:
    """Show a version of a template beside the one that is in force."""
    desk, now = office(), _known(key, language)
    data = _version(desk.storage, key, now, sha256)
    with desk.sessions() as session:
        present = _template(session, desk.storage, key, now, check=True)
    assert present.looked_over is not None
    looked_over = inspect(key, now, data)
    used, uses = set(present.looked_over.fields), set(looked_over.fields)
    return shown(
        request, "template_version.html", paper=present, sha256=sha256, looked_over=looked_over,
        dropped=[field for field in present.looked_over.fields if field not in uses],
        added=[field for field in looked_over.fields if field not in used],
        can_show=desk.libreoffice is not None,
    )  # fmt: skip


@router.get("/papers/{key}/{language}/versions/{sha256}/preview")
def preview(request: Request, key: str, language: str, sha256: str) -> Response:
    """Show a version of a template filled with sample facts, as a PDF."""
    desk, now = office(), _known(key, language)
    data = _version(desk.storage, key, now, sha256)
    if desk.libreoffice is None:
        raise HTTPException(404)
    try:
        made = render(key, language=now, facts=pictured_facts(now), template=data)
        pdf = desk.libreoffice.pdf(made.data, extension=made.extension)
    except ConversionFailed:
        return shown(request, "failure.html", status=503, why=(
            "LibreOffice hiện không lập được bản PDF. Xin thử lại sau ít phút.",
            "LibreOffice cannot make the PDF now. Try again in some minutes.",
        ))  # fmt: skip
    return inline_pdf(pdf, f"mau-{key}-{now}.pdf")


@router.get("/papers/{key}/{language}/versions/{sha256}/file")
def file(key: str, language: str, sha256: str) -> Response:
    """Hand out a version of a template, to be edited in Word."""
    now = _known(key, language)
    return download(_version(office().storage, key, now, sha256), f"{key}.{now}.docx")


@router.post("/papers/{key}/{language}/versions/{sha256}")
def use(request: Request, person: Administering, form: Posted, key: str, language: str, sha256: str) -> Response:
    """Put a version into use, in the place of the one that the page showed as in force."""
    desk, now = office(), _known(key, language)
    with desk.sessions() as session:
        template_editions.use(
            session, desk.storage, key, now, sha256, instead_of=str(form.get("instead_of", "")), by=person.name,
            note=str(form.get("note", "")), today=desk.today,
        )  # fmt: skip
    return back_to(request, f"/templates/papers/{key}/{now}", "used")


@router.get("/mails/{key}/{language}")
def mail(request: Request, key: str, language: str) -> Response:
    """Show a mail template as it is written."""
    row = process.MAILS.get(key)
    if row is None or language not in _mail_languages(row):
        raise HTTPException(404)
    now: Language = "en" if language == "en" else "vi"
    return shown(
        request, "template_mail.html", row=row, now=now, fields=sorted(template_variables(key, now)),
        text=(FOLDER / f"{key}.{now}.md").read_text(encoding="utf-8"), papers=process.DOCUMENTS,
    )  # fmt: skip


def _word_templates() -> Iterator[tuple[str, Language]]:
    for key, row in process.DOCUMENTS.items():
        for now in LANGUAGES:
            if row.format == "docx" and template_path(key, now).is_file():
                yield key, now


def _known(key: str, language: str) -> Language:
    """Return the language of a template that is there. Raises HTTPException 404."""
    for known, now in _word_templates():
        if (known, now) == (key, language):
            return now
    raise HTTPException(404)


def _mail_languages(mail: process.Mail) -> list[Language]:
    return [now for now in LANGUAGES if (FOLDER / f"{mail.key}.{now}.md").is_file()]


def _subject(mail: process.Mail, language: str) -> str:
    """Return what a mail's template always says in its subject, with … where a fact stands."""
    languages = _mail_languages(mail)
    written = (FOLDER / f"{mail.key}.{language if language in languages else languages[0]}.md").read_text("utf-8")
    subject = _PERHAPS.sub("", written.partition("\n")[0].removeprefix("Subject:"))
    return " ".join(_FACT.sub("…", subject).replace("[…]", "").split())


def _paper(
    request: Request, key: str, now: Language, *, refused: Sequence[object] = (), status: int = 200
) -> Response:
    desk = office()
    with desk.sessions() as session:
        found = _template(session, desk.storage, key, now, check=True)
        editions = template_editions.editions(session, key, now)
    return shown(request, "template.html", status=status, paper=found, can_show=desk.libreoffice is not None,
                 editions=editions, refused=refused,
                 own=template_sha256(template_path(key, now).read_bytes()))  # fmt: skip


def _version(storage: Storage, key: str, now: Language, sha256: str) -> bytes:
    """Return a version of a template. Raises HTTPException 404."""
    data = template_editions.version(storage, key, now, sha256) if _SHA256.fullmatch(sha256) else None
    if data is None:
        raise HTTPException(404)
    return data


def _template(session: Session, storage: Storage, key: str, now: Language, *, check: bool) -> Template:
    data = template_editions.template_in_force(session, storage, key, now)
    rows = session.execute(
        select(Document.template_sha256, func.count(), func.min(Document.day), func.max(Document.day))
        .where(Document.key == key, Document.language == now, Document.template_sha256.is_not(None))
        .group_by(Document.template_sha256).order_by(func.max(Document.id).desc())
    )  # fmt: skip
    versions = tuple(Version(str(sha256), count, first, last) for sha256, count, first, last in rows)
    return Template(key, now, template_sha256(data), process.DOCUMENTS[key], versions,
                    inspect(key, now, data) if check else None)  # fmt: skip
