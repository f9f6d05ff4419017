"""One mail as bytes, ready for a relay: RFC 5322, MIME, no way in for injected headers."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from email.errors import HeaderParseError
from email.header import Header
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import EmailPolicy
from email.utils import format_datetime
from typing import Any

from include.engagement.errors import EngagementError

_LOCAL_PART = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*")
_LABEL = re.compile(r"[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?")
_MAILBOX = re.compile(r'(?:"((?:[^"\\]|\\.)*)"|([^<>"]*))\s*<([^<>]*)>')
# The standard library encodes a longer word in a header, and the thread would be lost.
_MESSAGE_ID = re.compile(r"(?=.{5,76}$)<[^<>\s@]+@[^<>\s@]+>")
_MEDIA_TYPE = re.compile(r"[a-z]+/[a-z0-9][a-z0-9.+-]*")


class _FoldedInWords(EmailPolicy):
    """Folds headers so that no space is lost.

    Before Python 3.13 the standard library's fold puts a space between two encoded words, where RFC 2047 §6.2 has
    readers drop it. ``email.header.Header`` keeps it inside the words.
    """

    def fold(self, name: str, value: Any) -> str:
        if str(value).isascii() or not (name == "Subject" or hasattr(value, "addresses")):
            return str(super().fold(name, value))
        if hasattr(value, "addresses"):
            parts = [(_encoded(a.display_name, name), a.addr_spec) for a in value.addresses]
            text = ", ".join(f"{words}{self.linesep} <{spec}>" if words else spec for words, spec in parts)
        else:
            text = _encoded(str(value), name)
        return f"{name}: {text}{self.linesep}"

    def fold_binary(self, name: str, value: Any) -> bytes:
        return self.fold(name, value).encode("ascii")


def _encoded(text: str, name: str) -> str:
    return Header(text, "utf-8", header_name=name).encode(linesep="\r\n") if text else ""


_WHOLE_WORDS = _FoldedInWords(linesep="\r\n")


class InvalidAddress(EngagementError):
    """An address, a display name or another header value that must not go into a mail."""


@dataclass(frozen=True)
class Attachment:
    """A file that goes with a mail, under the name that the reader sees."""

    name: str
    data: bytes
    media_type: str


def mailbox(text: str) -> tuple[str, str]:
    """Split ``Tên <a@b.vn>`` or ``a@b.vn`` into name and address. Raises InvalidAddress."""
    _one_line(text, "address")
    # email.utils.parseaddr is lenient: out of "a: b@c.vn <d@e.vn>" it reads b@c.vn.
    found = _MAILBOX.fullmatch(text.strip())
    if found is None:
        return "", checked_address(text.strip())
    quoted, plain, email = found.groups()
    return re.sub(r"\\(.)", r"\1", quoted) if quoted is not None else plain.strip(), checked_address(email)


def checked_address(email: str) -> str:
    """Return one plain ASCII address (a domain's Unicode letters become punycode), else raise InvalidAddress.

    RFC 5321: a dot-atom of at most 64 bytes, ``@``, a domain of at most 253.
    """
    local, at, domain = email.rpartition("@")
    try:
        ascii_domain = domain.encode("idna").decode("ascii") if domain else ""
    except UnicodeError:
        ascii_domain = ""
    labels = ascii_domain.split(".")
    if (
        not at
        or len(local) > 64
        or len(ascii_domain) > 253
        or not _LOCAL_PART.fullmatch(local)
        or not all(_LABEL.fullmatch(label) for label in labels)
    ):
        raise InvalidAddress(f"Địa chỉ email không hợp lệ: {email!r}.")
    return f"{local}@{ascii_domain}"


def build_message(
    *,
    sender: str,
    to: tuple[str, str],
    reply_to: str | None,
    subject: str,
    text: str,
    html: str | None,
    message_id: str,
    references: Sequence[str],
    date: datetime,
    attachments: Sequence[Attachment] = (),
    auto_submitted: bool = True,
    calendar: bytes | None = None,
) -> bytes:
    """Return the mail with CRLF line ends, all of it ASCII; the same arguments give the same bytes.

    ``sender`` and ``reply_to``: ``Tên <a@b.vn>`` or a bare address. ``to``: name (may be empty) and address.
    ``references``: Message-IDs of the thread, oldest first; the last is answered. ``date`` carries its zone.
    ``auto_submitted`` marks it by RFC 3834, so that out-of-office programs keep still. ``calendar`` is an
    invitation (RFC 6047, METHOD:REQUEST). Raises InvalidAddress, also for a line break in any header value.
    """
    if date.tzinfo is None:
        raise ValueError("The date of a mail needs a zone.")
    message = EmailMessage(policy=_WHOLE_WORDS)
    message["From"] = _address(*mailbox(sender))
    message["To"] = _address(*to)
    if reply_to:
        message["Reply-To"] = _address(*mailbox(reply_to))
    message["Subject"] = _one_line(subject, "subject")
    message["Date"] = format_datetime(date)
    message["Message-ID"] = _checked_id(message_id)
    if references:
        thread = [_checked_id(reference) for reference in references]
        message["In-Reply-To"] = thread[-1]
        message["References"] = " ".join(thread)
    if auto_submitted:
        message["Auto-Submitted"] = "auto-generated"

    message.set_content(text, charset="utf-8", cte="quoted-printable")
    if html is not None:
        message.add_alternative(html, subtype="html", charset="utf-8", cte="quoted-printable")
    if calendar is not None:
        message.add_alternative(
            calendar.decode(), subtype="calendar", charset="utf-8", cte="base64", params={"method": "REQUEST"}
        )
    for attachment in attachments:
        _attach(message, attachment)
    if calendar is not None:
        # Programs that do not read the alternative offer this one to a click.
        _attach(message, Attachment("invite.ics", calendar, "application/ics"))
    _fix_boundaries(message, message_id)
    return message.as_bytes()


def _attach(message: EmailMessage, attachment: Attachment) -> None:
    media_type = attachment.media_type.lower()
    if not _MEDIA_TYPE.fullmatch(media_type) or media_type.startswith(("message/", "multipart/")):
        media_type = "application/octet-stream"
    maintype, subtype = media_type.split("/")
    name = unicodedata.normalize("NFC", _one_line(attachment.name, "attachment name"))
    message.add_attachment(attachment.data, maintype=maintype, subtype=subtype, cte="base64", filename=name)


def _address(name: str, email: str) -> Address:
    try:
        return Address(_one_line(name, "display name"), addr_spec=checked_address(email))
    except (ValueError, HeaderParseError) as error:
        raise InvalidAddress(f"Địa chỉ email không hợp lệ: {email!r}.") from error


def _one_line(value: str, what: str) -> str:
    if any(unicodedata.category(character) in ("Cc", "Cs", "Zl", "Zp") for character in value):
        raise InvalidAddress(f"Control characters or line breaks in {what}: {value!r}.")
    return value


def _checked_id(message_id: str) -> str:
    if not message_id.isascii() or not _MESSAGE_ID.fullmatch(message_id):
        raise InvalidAddress(f"Not a Message-ID of at most 76 characters: {message_id!r}.")
    return message_id


def _fix_boundaries(message: EmailMessage, message_id: str) -> None:
    # "=_" occurs neither in quoted-printable nor in base64, so no body can contain a boundary.
    for number, part in enumerate(message.walk()):
        if part.is_multipart():
            part.set_boundary(f"=_{hashlib.sha256(f'{number} {message_id}'.encode()).hexdigest()[:32]}")
