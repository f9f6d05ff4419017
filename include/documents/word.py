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
from functools import cache, partial
from typing import TYPE_CHECKING, Any

from include.documents.package import read_parts, write_parts
from include.documents.picture import has_pictures
from include.engagement import dates, money
from include.engagement.errors import TemplateBroken
from include.engagement.process import Language

if TYPE_CHECKING:
    from docx.opc.coreprops import CoreProperties
    from jinja2 import Environment
    from jinja2.runtime import Context

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
    Raises TemplateBroken (Vietnamese) for a tag that is no Jinja, for a field that the facts lack and for one that
    prints a fact that is not known; ``lxml.etree.XMLSyntaxError`` when tags tear the document's structure.
    """
    from jinja2 import TemplateSyntaxError, UndefinedError

    try:
        return _filled(template, title=title, language=language, facts=clean(facts))
    except (TemplateSyntaxError, UndefinedError, _NotKnown) as error:
        raise TemplateBroken(title, str(error)) from error


def _filled(template: bytes, *, title: str, language: Language, facts: Mapping[str, Any]) -> bytes:
    from include.documents.compiled import compiled

    properties = partial(set_properties, title=title, language=language, facts=facts)
    prepared = None if has_pictures(facts) else compiled(template, language)
    if prepared is None:
        return _with_docxtpl(template, language, facts, properties)
    return prepared.fill(facts, properties)


def _with_docxtpl(
    template: bytes, language: Language, facts: Mapping[str, Any], properties: Callable[[CoreProperties], None]
) -> bytes:
    from include.documents.template import Template

    document = Template(io.BytesIO(template))
    document.render(document.with_images(facts), jinja_env=environment(language))
    properties(document.docx.core_properties)
    raw = io.BytesIO()
    document.save(raw)
    return write_parts(read_parts(raw.getvalue()))


def template_fields(template: bytes) -> set[str]:
    """Return the top-level facts that ``template`` uses."""
    from include.documents.template import Template

    fields: set[str] = Template(io.BytesIO(template)).get_undeclared_template_variables(jinja_env=environment("vi"))
    return fields


@cache
def environment(language: Language) -> Environment:
    """Return what templates may use: our filters; sandboxed, since people edit templates in Word."""
    from jinja2 import StrictUndefined, pass_context
    from jinja2.sandbox import SandboxedEnvironment

    environment = SandboxedEnvironment(undefined=StrictUndefined, autoescape=True, finalize=_finalized)
    filters: dict[str, Callable[..., Any]] = {
        "vnd": lambda amount: money.with_unit(amount, language),
        "words": pass_context(_in_words),
        "longdate": lambda day: dates.long_date(day, language),
        "shortdate": dates.short_date,
        "known": _known,
        "dots": lambda value: value if _known(value) else _DOTS,
        "number": lambda amount: money.format_vnd(amount, language),
        "two_digits": lambda value: f"{value:02d}",
    }
    environment.filters.update(filters)
    return environment


def _in_words(context: Context, amount: int) -> str:
    """Write an amount of VND out in the document's language, with the firm's spelling (``firm.yaml``)."""
    return money.amount_in_words(amount, context["language"], **context["firm"].get("spelling", {}))


class _NotKnown(ValueError):
    """A template prints a fact that is None."""


def _finalized(value: object) -> object:
    """Refuse to write a fact that is not known: no document says “None”."""
    if value is None:
        raise _NotKnown("một trường in ra giá trị trống (None)")
    return value


def _known(value: object) -> bool:
    """Say whether there is something to write; zero is something."""
    return value is not None and value != ""


def clean(facts: Mapping[str, Any]) -> dict[str, Any]:
    """Return ``facts`` with every text in them made fit for XML: composed, line ends as ``\\n``."""
    return {key: _clean(value) for key, value in facts.items()}


def _clean(value: Any) -> Any:
    if isinstance(value, str):
        # Most texts are fit already. Only a plain str goes through as it is: a Markup would not be escaped.
        if type(value) is str and value.isprintable() and unicodedata.is_normalized("NFC", value):
            return value
        text = _FORBIDDEN.sub("", _LINE_ENDS.sub("\n", value))
        return unicodedata.normalize("NFC", _TURNING.sub("", text))
    if isinstance(value, Mapping):
        return clean(value)
    if isinstance(value, (list, tuple)):
        return [_clean(inner) for inner in value]
    return value


def set_properties(properties: CoreProperties, *, title: str, language: Language, facts: Mapping[str, Any]) -> None:
    """Say in a document's properties what it is, whose and of which day, as ``render_word`` has it."""
    day: date = facts["day"]
    number: str = facts["number"]
    properties.title = f"{title} {number}".strip()[:_PROPERTY_LENGTH]
    properties.subject = facts["engagement"]["id"][:_PROPERTY_LENGTH]
    properties.author = properties.last_modified_by = facts["firm"]["name"][:_PROPERTY_LENGTH]
    properties.language = {"vi": "vi-VN", "en": "en-GB"}[language]
    properties.created = properties.modified = datetime.combine(day, time())
    properties.revision = facts["version"]
    properties.comments = properties.keywords = ""
