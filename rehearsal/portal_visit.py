"""A client's visit to the portal, as a browser without scripts makes it: open the link, fill the form in, send it."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any
from urllib.parse import urljoin

import httpx

LINK = re.compile(r"(?m)^(https?://\S+/r/[\w.-]+)\r?$")  # a line of a mail, which ends in CRLF
SECONDS = 60.0
# The form points a mistake out, or the portal has enough for now: who meets that writes a mail instead.
SENT_BACK = frozenset({413, 422, 429, 503})


class PortalFailed(Exception):
    """The portal did what it must not do; the message says what, without the link."""


@dataclass
class Form:
    """The form of a page: what it would send untouched, and which fields there are to fill in."""

    action: str = ""
    fields: dict[str, str] = field(default_factory=dict)
    choices: dict[str, list[str]] = field(default_factory=dict)
    uploads: list[str] = field(default_factory=list)


class _Forms(HTMLParser):
    """Collects the forms of a page that are posted."""

    def __init__(self) -> None:
        super().__init__()
        self.forms: list[Form] = []
        self._open: Form | None = None
        self._area = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "form" and given.get("method", "").lower() == "post":
            self._open = Form(given.get("action", ""))
            self.forms.append(self._open)
        form, name = self._open, given.get("name", "")
        if form is None or not name:
            return
        if tag == "textarea":
            self._area = name
            form.fields[name] = ""
        elif tag == "input" and given.get("type") == "file":
            form.uploads.append(name)
        elif tag == "input" and given.get("type") == "radio":
            form.choices.setdefault(name, []).append(given.get("value", ""))
            if "checked" in given:
                form.fields[name] = given.get("value", "")
        elif tag == "input":
            form.fields[name] = given.get("value", "")

    def handle_data(self, data: str) -> None:
        if self._open is not None and self._area:
            self._open.fields[self._area] += data

    def handle_endtag(self, tag: str) -> None:
        if tag == "textarea":
            self._area = ""
        elif tag == "form":
            self._open = None


def link_in(text: str) -> str:
    """Return the portal's address in the text of a mail; empty: there is none."""
    found = LINK.search(text)
    return found[1] if found else ""


def forms_of(page: str) -> list[Form]:
    """Return the forms of a page that are posted."""
    parser = _Forms()
    parser.feed(page)
    return parser.forms


def visit(
    link: str, reply: Mapping[str, Any], files: Mapping[str, bytes], *, transport: httpx.BaseTransport | None = None
) -> bool:
    """Answer a request on its page with what would else stand in ``reply.json``; True: the portal gave its receipt.

    False: the form cannot say it, or the portal sent it back for correction; nothing was stored then. Raises
    PortalFailed when a page, or a receipt with the SHA-256 of each file, does not come.
    """
    with httpx.Client(trust_env=False, timeout=SECONDS, follow_redirects=True, transport=transport) as browser:
        opened = browser.get(link)
        if opened.status_code == 429:
            return False
        forms = forms_of(opened.text)
        if opened.status_code != 200 or not forms:
            raise PortalFailed(f"the page of an open request has no form (HTTP {opened.status_code})")
        form = forms[0]
        fields, uploads = _filled(form, reply), _chosen(form, reply, files)
        if fields is None or uploads is None:
            return False
        # A browser sends a file field that was left empty too; so the form always goes as multipart/form-data.
        empty = [(name, ("", b"", "application/octet-stream")) for name in form.uploads] or [("none", ("", b"", ""))]
        sent = browser.post(urljoin(str(opened.url), form.action), data=fields, files=uploads or empty)
    if sent.status_code in SENT_BACK:
        return False
    missing = [name for name, content in files.items() if hashlib.sha256(content).hexdigest() not in sent.text]
    if sent.status_code != 200 or "/receipt/" not in sent.url.path or missing:
        raise PortalFailed(f"no receipt came for an answer with {len(files)} files (HTTP {sent.status_code})")
    return True


def _filled(form: Form, reply: Mapping[str, Any]) -> dict[str, str] | None:
    """Return the form's fields with the answers in them; None when the form has no place for one."""
    wanted: dict[str, str] = {}
    for key, value in reply.get("answers", {}).items():
        if isinstance(value, (bool, float)):
            return None  # people write these in more than one way
        wanted[f"answer.{key}"] = str(value)
    if reply.get("reply"):
        wanted |= {"reply": str(reply["reply"]), "message": str(reply.get("message", ""))}
        if reply.get("items"):
            wanted["items"] = "\n".join(reply["items"])
    for name, value in wanted.items():
        if name in form.choices and value not in form.choices[name]:
            return None
        if name not in form.choices and name not in form.fields:
            return None
    return form.fields | wanted


def _chosen(
    form: Form, reply: Mapping[str, Any], files: Mapping[str, bytes]
) -> Sequence[tuple[str, tuple[str, bytes, str]]] | None:
    items = {name: item for item, name in reply.get("files", {}).items()}
    chosen = []
    for name, content in files.items():
        place = f"file.{items[name]}" if name in items else "file.other"
        if place not in form.uploads:
            return None
        chosen.append((place, (name, content, "application/octet-stream")))
    return chosen
