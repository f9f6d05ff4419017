"""Documents by key: a Word template filled, or a workbook built, from the facts of one engagement."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from include.engagement import process
from include.engagement.process import Language
from include.settings import ROOT

TEMPLATES = ROOT / "templates" / "documents"
WORKBOOK_MEDIA_TYPE = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
_WORKBOOK_SOURCES = Path(__file__).resolve().parent / "workbooks"


@dataclass(frozen=True)
class Rendered:
    """A finished document: its bytes, and which version of its template made it.

    ``extension`` comes without a dot. A workbook's template is the code that builds it: ``template`` is None.
    """

    data: bytes
    media_type: str
    extension: str
    template_sha256: str
    template: bytes | None


def render(
    key: str, *, language: Language, facts: Mapping[str, Any], template: bytes | None = None
) -> Rendered:
    """Return the document ``key`` (a row of ``process.DOCUMENTS``) for these facts.

    ``template``: an earlier version of the Word template instead of the present one. What only staff read is in
    Vietnamese, whatever the engagement's language. The same template and facts give the same bytes. Raises
    ``KeyError`` for an unknown key, TemplateBroken (Vietnamese) for a Word template that cannot be filled.
    """
    document = process.DOCUMENTS[key]
    if document.format == "xlsx":
        from include.documents import workbooks

        return Rendered(
            data=workbooks.build(key, language=language, facts=facts),
            media_type=WORKBOOK_MEDIA_TYPE,
            extension="xlsx",
            template_sha256=_workbooks_sha256(),
            template=None,
        )
    from include.documents import word

    language = template_language(key, language)
    if template is None:
        template = template_path(key, language).read_bytes()
    return Rendered(
        data=word.render_word(template, title=document.title.in_(language), language=language, facts=facts),
        media_type=word.MEDIA_TYPE,
        extension="docx",
        template_sha256=template_sha256(template),
        template=template,
    )


def template_sha256(template: bytes) -> str:
    """Return what a version of a Word template is known by."""
    return hashlib.sha256(template).hexdigest()


def template_language(key: str, language: Language) -> Language:
    """Return the language that ``key`` is written in for an engagement in ``language``."""
    return language if process.DOCUMENTS[key].audience == "client" else "vi"


def template_path(key: str, language: Language) -> Path:
    """Return where the Word template of ``key`` lies."""
    return TEMPLATES / f"{key}.{language}.docx"


def _workbooks_sha256() -> str:
    digest = hashlib.sha256()
    for source in sorted(_WORKBOOK_SOURCES.rglob("*.py")):
        digest.update(source.read_bytes())
    return digest.hexdigest()
