"""Word documents: a template edited in Word, filled with an engagement's facts.

Templates are filled by docxtpl under rules of our own: a field that the facts lack is an error, and what a
client wrote is text, never markup and never a template. The same template and facts give the same bytes.
"""

from __future__ import annotations

import io
import re
import unicodedata
from collections.abc import Callable, Mapping
from datetime import date, datetime, time
from functools import cache
from typing import TYPE_CHECKING, Any

from include.documents.package import read_parts, write_parts
from include.engagement import dates, money
from include.engagement.process import Language

if TYPE_CHECKING:
    from jinja2 import Environment
    from jinja2.runtime import Context

    from include.documents.template import Template

MEDIA_TYPE = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"

# XML 1.0, production 2: all other characters make a document unreadable, lone surrogates included.
_FORBIDDEN = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
# Overrides and embeddings turn the rest of a line around, figures included; the plain marks (LRM, RLM) stay.
_TURNING = re.compile("[\u202a-\u202e\u2066-\u2069]")
_LINE_ENDS = re.compile("\r\n|[\r\x0b\x0c\x85\u2028\u2029]")
_PROPERTY_LENGTH = 255  # the most that a core property holds
_DOTS = "…" * 8


def render_word(template: bytes, *, title: str, language: Language, facts: Mapping[str, Any]) -> bytes:
    """Return the Word document that ``template`` (a .docx) gives with ``facts``.

    ``title`` goes into the document's properties, with the firm as author and ``facts["day"]`` as date.
    Raises ``jinja2.UndefinedError`` for a field that the facts lack, ``jinja2.TemplateError`` for a broken tag.
    """
    from include.documents.template import Template

    clean = {key: _clean(value) for key, value in facts.items()}
    document = Template(io.BytesIO(template))
    document.render(clean, jinja_env=environment(language))
    _set_properties(document, title=title, language=language, facts=clean)
    raw = io.BytesIO()
    document.save(raw)
    return write_parts(read_parts(raw.getvalue()))


def template_fields(template: bytes) -> set[str]:
    """Return the top-level facts that ``template`` uses."""
    from include.documents.template import Template

    fields: set[str] = Template(io.BytesIO(template)).get_undeclared_template_variables(
        jinja_env=environment("vi")
    )
    return fields


@cache
def environment(language: Language) -> Environment:
    """Return what templates may use: our filters; sandboxed, since people edit templates in Word."""
    from jinja2 import StrictUndefined, pass_context
    from jinja2.sandbox import SandboxedEnvironment

    unit = {"vi": "đồng", "en": "VND"}[language]
    environment = SandboxedEnvironment(undefined=StrictUndefined, autoescape=True, finalize=_finalized)
    filters: dict[str, Callable[..., Any]] = {
        "vnd": lambda amount: f"{money.format_vnd(amount)} {unit}",
        "words": pass_context(_in_words),
        "longdate": lambda day: dates.long_date(day, language),
        "shortdate": dates.short_date,
        "known": _known,
        "dots": lambda value: value if _known(value) else _DOTS,
        "number": money.format_vnd,
        "two_digits": lambda value: f"{value:02d}",
    }
    environment.filters.update(filters)
    return environment


def _in_words(context: Context, amount: int) -> str:
    """Write an amount of VND out in the document's language, with the firm's spelling (``firm.yaml``)."""
    return money.amount_in_words(amount, context["language"], **context["firm"].get("spelling", {}))


def _finalized(value: object) -> object:
    """Refuse to write a fact that is not known: no document says “None”."""
    if value is None:
        raise ValueError("a template prints a fact that is None: put {% if … %} around it")
    return value


def _known(value: object) -> bool:
    """Say whether there is something to write; zero is something."""
    return value is not None and value != ""


def _clean(value: Any) -> Any:
    """Return ``value`` with every text in it made fit for XML: composed, line ends as ``\\n``."""
    if isinstance(value, str):
        text = _FORBIDDEN.sub("", _LINE_ENDS.sub("\n", value))
        return unicodedata.normalize("NFC", _TURNING.sub("", text))
    if isinstance(value, Mapping):
        return {key: _clean(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_clean(inner) for inner in value]
    return value


def _set_properties(document: Template, *, title: str, language: Language, facts: Mapping[str, Any]) -> None:
    day: date = facts["day"]
    number: str = facts["number"]
    properties = document.docx.core_properties
    properties.title = f"{title} {number}".strip()[:_PROPERTY_LENGTH]
    properties.subject = facts["engagement"]["id"][:_PROPERTY_LENGTH]
    properties.author = properties.last_modified_by = facts["firm"]["name"][:_PROPERTY_LENGTH]
    properties.language = {"vi": "vi-VN", "en": "en-GB"}[language]
    properties.created = properties.modified = datetime.combine(day, time())
    properties.revision = facts["version"]
    properties.comments = properties.keywords = ""
