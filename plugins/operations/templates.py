"""The templates of papers and mails: what they use, what is wrong with them, what came of them. Edited as files.

Templates belong to the deployment: a page that wrote them would change a program that others run.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

from fastapi import APIRouter, HTTPException, Request
from fastapi.responses import Response
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from include.documents.inspection import Inspection, inspect
from include.documents.libreoffice import ConversionFailed
from include.documents.render import render, template_path, template_sha256
from include.documents.sample import pictured_facts
from include.engagement import process
from include.engagement.process import LANGUAGES, Language
from include.mail.templates import FOLDER, template_variables
from include.register.models import Document
from plugins.operations.engagement import inline_pdf
from plugins.operations.page import office, shown

router = APIRouter(prefix="/templates")
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
    """A Word template as it lies there now; ``versions``: those that documents were made from, the newest first."""

    key: str
    language: Language
    sha256: str
    row: process.Document
    versions: tuple[Version, ...]
    looked_over: Inspection | None = None


@router.get("")
def listed(request: Request, check: bool = False) -> Response:
    """Show all templates; with ``check``, what is wrong with each (that takes some seconds)."""
    desk = office()
    with desk.sessions() as session:
        papers = [_template(session, key, now, check=check) for key, now in _word_templates()]
    stages = [(stage, [each for each in papers if each.row.stage == stage.key],
               [mail for mail in process.MAILS.values() if mail.stage == stage.key])
              for stage in process.STAGES.values()]  # fmt: skip
    return shown(
        request, "templates.html", stages=stages, check=check, languages=_mail_languages, subject=_subject,
        others=[mail for mail in process.MAILS.values() if not mail.stage],
    )  # fmt: skip


@router.get("/papers/{key}/{language}")
def paper(request: Request, key: str, language: str) -> Response:
    """Show a Word template: its fields, what is wrong with it, its versions."""
    desk, now = office(), _known(key, language)
    with desk.sessions() as session:
        found = _template(session, key, now, check=True)
    return shown(request, "template.html", paper=found, can_show=desk.libreoffice is not None)


@router.get("/papers/{key}/{language}/preview")
def preview(request: Request, key: str, language: str) -> Response:
    """Show the template filled with sample facts, as a PDF."""
    desk, now = office(), _known(key, language)
    if desk.libreoffice is None:
        raise HTTPException(404)
    try:
        made = render(key, language=now, facts=pictured_facts(now))
        data = desk.libreoffice.pdf(made.data, extension=made.extension)
    except ConversionFailed:
        return shown(request, "failure.html", status=503, why=(
            "LibreOffice hiện không lập được bản PDF. Xin thử lại sau ít phút.",
            "LibreOffice cannot make the PDF now. Try again in some minutes.",
        ))  # fmt: skip
    return inline_pdf(data, f"mau-{key}-{now}.pdf")


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


def _template(session: Session, key: str, now: Language, *, check: bool) -> Template:
    data = template_path(key, now).read_bytes()
    rows = session.execute(
        select(Document.template_sha256, func.count(), func.min(Document.day), func.max(Document.day))
        .where(Document.key == key, Document.language == now, Document.template_sha256.is_not(None))
        .group_by(Document.template_sha256).order_by(func.max(Document.id).desc())
    )  # fmt: skip
    versions = tuple(Version(str(sha256), count, first, last) for sha256, count, first, last in rows)
    return Template(key, now, template_sha256(data), process.DOCUMENTS[key], versions,
                    inspect(key, now, data) if check else None)  # fmt: skip
