"""Mails from templates: subject, text and HTML in the language of the reader.

A template is ``templates/mail/<key>.<language>.md``: a line ``Subject: …``, a blank line, the body. The text part is
the body without the asterisks of its emphasis; the HTML part is the same body read as Markdown (a line is a line),
inside ``layout.html``.
Facts are data: in the HTML part their punctuation is escaped, so that nothing a client wrote becomes markup, a link
or HTML. Files under ``parts/`` are included by several templates. ``button(title, url)`` puts a link that nobody
should miss: its address is also there as text, to be copied.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping, MutableMapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import cache
from typing import Any
from urllib.parse import quote, urlsplit

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Undefined, meta
from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.token import Token
from markdown_it.utils import OptionsDict
from markupsafe import Markup

from include.engagement.money import with_unit
from include.engagement.process import MAILS, Language
from include.settings import ROOT

FOLDER = ROOT / "templates" / "mail"
SUBJECT_LENGTH = 200

_STYLES = {
    "p": "margin:0 0 14px 0;",
    "ul": "margin:0 0 14px 0;padding-left:22px;",
    "ol": "margin:0 0 14px 0;padding-left:22px;",
    "li": "margin:0 0 6px 0;",
    "a": "color:#0b5c4b;text-decoration:underline;",
    "blockquote": "margin:0 0 14px 0;padding:2px 0 2px 14px;border-left:3px solid #0b5c4b;",
    "button": "display:inline-block;margin:4px 0 8px 0;padding:12px 28px;border-radius:4px;background-color:#0b5c4b;"
              "color:#ffffff;font-weight:bold;text-decoration:none;",
}
_BUTTON = "button"  # the Markdown title that marks a link as one; no fact can give a link a title
_PUNCTUATION = re.compile(r"([!-/:-@\[-`{-~])")
_WEEKDAYS = ("thứ Hai", "thứ Ba", "thứ Tư", "thứ Năm", "thứ Sáu", "thứ Bảy", "Chủ nhật")
_ENGLISH_WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_ENGLISH_MONTHS = ("January", "February", "March", "April", "May", "June", "July", "August", "September", "October",
                   "November", "December")


@dataclass(frozen=True)
class RenderedMail:
    """A mail's wording: ``subject`` is one line; ``text`` and ``html`` say the same."""

    subject: str
    text: str
    html: str


def render_mail(key: str, *, language: Language, facts: Mapping[str, Any]) -> RenderedMail:
    """Return the mail ``key`` (a row of ``process.MAILS``) filled with ``facts``; staff always read Vietnamese.

    Raises KeyError for an unknown key, jinja2.UndefinedError for a fact that the template needs and did not get.
    """
    if MAILS[key].to != "client":
        language = "vi"
    name = f"{key}.{language}.md"
    subject, text = _parts(_environment(language, markdown=False).get_template(name).render(facts))
    _, source = _parts(_environment(language, markdown=True).get_template(name).render(facts))
    body = Markup(_markdown().render(source))
    layout = _layouts().get_template("layout.html")
    html = layout.render(facts, subject=subject, body=body, language=language)
    return RenderedMail(subject=subject, text=text, html=html)


def template_variables(key: str, language: Language) -> set[str]:
    """Return the names of the facts that a template asks for, its parts included."""
    environment = _environment(language, markdown=False)
    names: set[str] = set()
    waiting = [f"{key}.{language}.md"]
    while waiting:
        source = (FOLDER / waiting.pop()).read_text(encoding="utf-8")
        parsed = environment.parse(source)
        names |= meta.find_undeclared_variables(parsed)
        waiting.extend(part for part in meta.find_referenced_templates(parsed) if part)
    return names - set(environment.globals)


def _parts(rendered: str) -> tuple[str, str]:
    first, _, body = rendered.partition("\n")
    heading, _, subject = first.partition(":")
    if heading != "Subject":
        raise ValueError("A mail template begins with the line 'Subject: …'.")
    tidy = re.sub(r"\n{3,}", "\n\n", re.sub(r"[ \t]+\n", "\n", body)).strip("\n") + "\n"
    return " ".join(subject.split())[:SUBJECT_LENGTH], tidy


class _Unemphasised(FileSystemLoader):
    """The templates without ``**``, which a reader of plain text would see."""

    def get_source(self, environment: Environment, template: str) -> tuple[str, str, Callable[[], bool]]:
        source, path, fresh = super().get_source(environment, template)
        return source.replace("**", ""), path, fresh


@cache
def _environment(language: Language, *, markdown: bool) -> Environment:
    def finalize(value: Any) -> Any:
        if isinstance(value, (Markup, Undefined)) or value is None:
            return value
        return _escaped(str(value)) if markdown else _visible(str(value))

    environment = Environment(
        loader=FileSystemLoader(FOLDER) if markdown else _Unemphasised(FOLDER),
        undefined=StrictUndefined,
        finalize=finalize,
        autoescape=False,  # HTML is made from Markdown, whose punctuation `finalize` escapes
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["day"] = lambda value: _day(value, language)
    environment.filters["weekday"] = lambda value: _weekday(value, language)
    environment.filters["moment"] = lambda value: _moment(value, language)
    environment.filters["vnd"] = lambda value: with_unit(value, language)
    environment.globals["link"] = lambda title, url: _link(title, url, markdown=markdown)
    environment.globals["button"] = lambda title, url: _button(title, url, markdown=markdown)
    return environment


@cache
def _layouts() -> Environment:
    return Environment(loader=FileSystemLoader(FOLDER), undefined=StrictUndefined, autoescape=True,
                       trim_blocks=True, lstrip_blocks=True)


@cache
def _markdown() -> MarkdownIt:
    parser = MarkdownIt("commonmark", {"html": False, "breaks": True})
    for name in ("paragraph_open", "bullet_list_open", "ordered_list_open", "list_item_open", "link_open",
                 "blockquote_open"):
        parser.add_render_rule(name, _styled)
    return parser


def _styled(
    self: RendererHTML, tokens: Sequence[Token], index: int, options: OptionsDict, env: MutableMapping[str, Any]
) -> str:
    token = tokens[index]
    if not token.hidden:
        is_button = token.attrGet("title") == _BUTTON
        if is_button:
            del token.attrs["title"]
        token.attrSet("style", _STYLES[_BUTTON if is_button else token.tag])
    return self.renderToken(tokens, index, options, env)


def _visible(text: str) -> str:
    """Drop what no reader sees but a program may obey: control, format and bidirectional characters."""
    return "".join(c for c in text.replace("\r\n", "\n") if c in "\n\t" or unicodedata.category(c) not in
                   ("Cc", "Cf", "Cs", "Co"))


def _escaped(text: str) -> str:
    """Return Markdown that reads as ``text``: punctuation escaped, lines kept as lines of one paragraph."""
    lines = [" ".join(line.split()) for line in _visible(text).splitlines()]
    return "\n".join(_PUNCTUATION.sub(r"\\\1", line) for line in lines if line)


def _link(title: str, url: str, *, markdown: bool) -> Markup:
    address = _address(url)
    if not markdown:
        return Markup(f"{_visible(title)}: {address}" if address else _visible(title))
    return Markup(f"[{_escaped(title)}](<{address}>)" if address else _escaped(title))


def _button(title: str, url: str, *, markdown: bool) -> Markup:
    """Return a link on lines of its own: the words, and below them the address."""
    address = _address(url)
    if not markdown:
        return Markup(f"{_visible(title)}\n{address}" if address else _visible(title))
    button = f'[{_escaped(title)}](<{address}> "{_BUTTON}")\n[{_escaped(address)}](<{address}>)'
    return Markup(button if address else _escaped(title))


def _address(url: str) -> str:
    """Return an address that can be followed as it stands in Markdown; empty for one that must not be."""
    safe = urlsplit(url).scheme in ("http", "https", "mailto")
    return quote(url, safe="/:?#@!$&'()*+,;=%~") if safe else ""


def _day(value: date, language: Language) -> str:
    if language == "vi":
        return f"{value.day:02}/{value.month:02}/{value.year}"
    return f"{value.day} {_ENGLISH_MONTHS[value.month - 1]} {value.year}"


def _weekday(value: date, language: Language) -> str:
    names = _WEEKDAYS if language == "vi" else _ENGLISH_WEEKDAYS
    day = _day(value, language)
    return f"{names[value.weekday()]}, ngày {day}" if language == "vi" else f"{names[value.weekday()]}, {day}"


def _moment(value: datetime, language: Language) -> str:
    if language == "vi":
        return f"{value.hour:02} giờ {value.minute:02}, {_weekday(value, language)}"
    return f"{value.hour:02}:{value.minute:02} on {_weekday(value, language)} (Viet Nam time)"
