"""A mail that arrived, read without trust: who wrote, what it answers, what it brings, and whether a person wrote it.

Whatever bytes come, reading them raises nothing: what cannot be read is of kind ``unreadable``. Nothing here knows
the register; what is matched is decided in ``include.casework.matching``, what is filed in ``mailbox``.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from email.errors import HeaderParseError
from email.header import decode_header
from email.message import Message
from email.parser import BytesParser
from email.policy import compat32
from email.utils import getaddresses
from html.parser import HTMLParser
from typing import Literal

from include.engagement.text import cleaned

Kind = Literal["personal", "automatic", "report", "unreadable"]
MOST_PARTS = 200
DEEPEST = 20
SIGNATURE_IMAGE_BYTES = 100_000  # an image of a letterhead or a signature is smaller than a scanned paper
LONGEST_TEXT = 100_000  # characters of a text that are read
MOST_IDS = 50  # Message-IDs of a header that are looked at

_ID = re.compile(r"<[^<>\s]{1,250}@[^<>\s]{1,250}>")
# What relays add on the way; two copies of one mail differ in these alone.
_TRACE = frozenset({"received", "return-path", "delivered-to", "x-original-to", "envelope-to", "authentication-results",
                    "received-spf", "arc-seal", "arc-message-signature", "arc-authentication-results", "x-spam-status",
                    "x-spam-score", "x-spam-flag", "x-spam-level"})  # fmt: skip
_SIGNATURES = ("application/pkcs7-signature", "application/x-pkcs7-signature", "application/pgp-signature",
               "application/pgp-keys")  # fmt: skip


@dataclass(frozen=True)
class AttachedFile:
    """A file that came with a mail, under the name that its sender gave it (empty: none)."""

    name: str
    data: bytes = field(repr=False)


@dataclass(frozen=True)
class Undelivered:
    """What a relay reports of one recipient (RFC 3464): ``action`` is ``failed``, ``delayed`` or another word.

    ``recipient`` is the address that it names, casefolded; empty: none.
    """

    action: str
    diagnostic: str
    recipient: str = ""


@dataclass(frozen=True)
class Arrived:
    """A mail as read.

    ``sender`` is the one address of From, casefolded; empty when there is none or more than one. ``answers`` are
    Message-IDs, the likeliest first. ``recipients`` are addresses, casefolded. ``text`` is what the sender wrote, what
    they quote taken away. ``forged``: our own host says that the sender is not who the mail claims. ``reports`` and
    ``reported_ids``: of a report about mails of ours. All strings are a stranger's: data, never shown as markup.
    """

    kind: Kind
    message_id: str = ""
    answers: tuple[str, ...] = ()
    sender: str = ""
    recipients: tuple[str, ...] = ()
    subject: str = ""
    text: str = ""
    files: tuple[AttachedFile, ...] = ()
    forged: bool = False
    reports: tuple[Undelivered, ...] = ()
    reported_ids: tuple[str, ...] = ()


def read_mail(raw: bytes, *, authserv_id: str = "") -> Arrived:
    """Read a mail. ``authserv_id`` is the name under which our own host writes Authentication-Results (RFC 8601)."""
    try:
        return _read(raw, authserv_id)
    except Exception:  # the standard library raises many kinds for malformed mail; a person looks at it
        return Arrived("unreadable")


def content_digest(raw: bytes) -> str:
    """Return a hash of what the sender wrote: the same mail delivered twice has one, whatever relays added to it."""
    head, separator, body = raw.replace(b"\r\n", b"\n").partition(b"\n\n")
    fields = re.split(rb"\n(?![ \t])", head)
    kept = [line for line in fields if line.partition(b":")[0].strip().lower().decode("latin-1") not in _TRACE]
    return hashlib.sha256(b"\n".join(kept) + separator + body.rstrip()).hexdigest()


def _read(raw: bytes, authserv_id: str) -> Arrived:
    message = BytesParser(policy=compat32).parsebytes(raw)
    parts = list(_parts(message))
    senders = _addresses(message, "From")
    sender = senders[0] if len(set(senders)) == 1 else ""
    reports, reported = _reports(message, parts)
    plain, html = _texts(parts)
    body = plain if plain.strip() else _text_of_html(html)
    if not reports and _from_a_mailer(message, sender):
        reported = tuple(dict.fromkeys(_ID.findall(_as_text(raw))))[:MOST_IDS]
        reports = (Undelivered("failed", _first_lines(body)),) if reported else ()
    if reports:
        kind: Kind = "report"
    else:
        kind = "automatic" if _automatic(message) else "personal"
    return Arrived(
        kind=kind,
        message_id=next(iter(_ids(message, "Message-ID")), ""),
        answers=tuple(dict.fromkeys([*_ids(message, "In-Reply-To"), *reversed(_ids(message, "References"))])),
        sender=sender,
        recipients=tuple(
            dict.fromkeys(
                address
                for name in ("X-Original-To", "Delivered-To", "To", "Cc")
                for address in _addresses(message, name)
            )
        ),
        subject=cleaned(_header(message, "Subject"))[:1000],
        text=own_words(body),
        files=tuple(_files(parts, html)),
        forged=bool(authserv_id) and _forged(message, sender, authserv_id),
        reports=reports,
        reported_ids=reported,
    )


# --- headers --------------------------------------------------------------------------------------------


def _header(message: Message, name: str) -> str:
    value = message.get(name)
    return "" if value is None else _decoded(str(value))


def _decoded(value: str) -> str:
    """Return a header value with its encoded words (RFC 2047) read, as far as they can be."""
    pieces = []
    try:
        for piece, charset in decode_header(value):
            pieces.append(piece if isinstance(piece, str) else _in_charset(piece, charset))
    except (ValueError, LookupError, HeaderParseError):
        return value
    return "".join(pieces)


def _in_charset(data: bytes, charset: str | None) -> str:
    try:
        return data.decode(charset or "utf-8", "replace")
    except LookupError:
        return data.decode("utf-8", "replace")


def _addresses(message: Message, name: str) -> list[str]:
    values = [str(value) for value in message.get_all(name, [])]
    return [address.casefold() for _, address in getaddresses(values) if "@" in address]


def _ids(message: Message, name: str) -> list[str]:
    return _ID.findall(" ".join(str(value) for value in message.get_all(name, [])))[:MOST_IDS]


def _automatic(message: Message) -> bool:
    """Say whether a program wrote it (RFC 3834 and what was in use before)."""
    submitted = _header(message, "Auto-Submitted").partition(";")[0].strip().casefold()
    if submitted and submitted != "no":
        return True
    if _header(message, "Precedence").strip().casefold() in ("bulk", "junk", "list", "auto_reply"):
        return True
    if any(name.lower().startswith("list-") for name in message):
        return True
    if any(message.get(name) for name in ("X-Auto-Response-Suppress", "X-Autoreply", "X-Autorespond")):
        return True
    return _null_sender(message)


def _null_sender(message: Message) -> bool:
    return str(message.get("Return-Path", "")).strip() == "<>"


def _from_a_mailer(message: Message, sender: str) -> bool:
    return sender.partition("@")[0] in ("mailer-daemon", "postmaster") and (
        _null_sender(message) or _automatic(message) or sender.startswith("mailer-daemon")
    )


def _forged(message: Message, sender: str, authserv_id: str) -> bool:
    """Say whether our own host found that the sender's domain did not send it.

    Only the topmost of our host's results counts: lower ones may have come with the mail.
    """
    for value in message.get_all("Authentication-Results", []):
        text = re.sub(r"\([^()]*\)", " ", " ".join(str(value).split()))
        host, _, results = text.partition(";")
        if host.split()[:1] != [authserv_id]:
            continue
        verdicts = [(method.casefold(), result.casefold(), properties) for method, result, properties in
                    re.findall(r"\b(spf|dkim|dmarc)\s*=\s*([a-z]+)([^;]*)", results, re.IGNORECASE)]  # fmt: skip
        dmarc = {result for method, result, _ in verdicts if method == "dmarc"}
        if "pass" in dmarc or "fail" in dmarc:
            return "fail" in dmarc
        domain = sender.rpartition("@")[2]
        vouched = any(result == "pass" and _names(properties, domain) for _, result, properties in verdicts)
        return not vouched and any(result in ("fail", "permerror") for _, result, _ in verdicts)
    return False


def _names(properties: str, domain: str) -> bool:
    named = re.findall(r"(?:smtp\.mailfrom|header\.(?:d|i|from))\s*=\s*\"?([^\s\";]+)", properties, re.IGNORECASE)
    found = [value.casefold().rpartition("@")[2] for value in named]
    return any(value == domain or (domain.endswith("." + value) and "." in value) for value in found)


# --- parts ----------------------------------------------------------------------------------------------


def _parts(message: Message, depth: int = 0) -> Iterator[Message]:
    """Yield the leaves: a mail within the mail and a delivery report are leaves too."""
    if depth > DEEPEST:
        raise ValueError("parts within parts within parts")
    payload = message.get_payload()
    if isinstance(payload, list) and message.get_content_maintype() == "multipart":
        count = 0
        for part in payload:
            if not isinstance(part, Message):
                continue
            for leaf in _parts(part, depth + 1):
                count += 1
                if count > MOST_PARTS:
                    raise ValueError("too many parts")
                yield leaf
    else:
        yield message


def _inner(part: Message) -> list[Message]:
    """Return what a part of the kind ``message/…`` contains."""
    payload = part.get_payload()
    return [inner for inner in payload if isinstance(inner, Message)] if isinstance(payload, list) else []


def _data(part: Message) -> bytes:
    payload = part.get_payload(decode=True)
    return payload if isinstance(payload, bytes) else b""


def _file_name(part: Message) -> str:
    """Return a part's file name: RFC 2231, RFC 2047 (which mail programs use against the rule), or plain."""
    try:
        name = part.get_filename()
    except Exception:  # malformed RFC 2231 raises several kinds
        name = None
    return _decoded(name) if isinstance(name, str) else ""


def _is_text(part: Message) -> bool:
    return (
        part.get_content_type() in ("text/plain", "text/html")
        and part.get_content_disposition() != "attachment"
        and not _file_name(part)
    )


def _texts(parts: Sequence[Message]) -> tuple[str, str]:
    """Return the text that stands in the mail itself, as plain text and as HTML."""
    found: dict[str, list[str]] = {"text/plain": [], "text/html": []}
    for part in parts:
        if _is_text(part):
            found[part.get_content_type()].append(_in_charset(_data(part), part.get_content_charset())[:LONGEST_TEXT])
    return "\n".join(found["text/plain"]), "\n".join(found["text/html"])


def _files(parts: Sequence[Message], html: str) -> Iterator[AttachedFile]:
    for part in parts:
        media_type = part.get_content_type()
        if _is_text(part) or media_type in (*_SIGNATURES, "message/delivery-status"):
            continue
        if media_type == "message/rfc822":
            inner = _inner(part)
            data = inner[0].as_bytes() if inner else _data(part)
            yield AttachedFile(_file_name(part) or "thu-dinh-kem.eml", data)
            continue
        data = _data(part)
        content_id = str(part.get("Content-ID", "")).strip().strip("<>")
        decoration = (
            part.get_content_maintype() == "image"
            and bool(content_id)
            and f"cid:{content_id}" in html
            and len(data) <= SIGNATURE_IMAGE_BYTES
        )
        if not decoration:
            yield AttachedFile(_file_name(part) or _name_of(media_type), data)


def _name_of(media_type: str) -> str:
    endings: Mapping[str, str] = {"application/pdf": ".pdf", "image/jpeg": ".jpg", "image/png": ".png",
                                  "application/zip": ".zip", "application/ms-tnef": ".dat",
                                  "application/pkcs7-mime": ".p7m"}  # fmt: skip
    return "tep-khong-ten" + endings.get(media_type, "")


def _reports(message: Message, parts: Sequence[Message]) -> tuple[tuple[Undelivered, ...], tuple[str, ...]]:
    """Return what a delivery report says of each recipient, and the Message-IDs of the mails it is about."""
    status = [part for part in parts if part.get_content_type() == "message/delivery-status"]
    if message.get_content_type() != "multipart/report" or not status:
        return (), ()
    found = []
    for part in status:
        for block in _inner(part):
            action = str(block.get("Action", "")).strip().casefold()
            if action:
                said = " ".join([str(block.get("Status", "")), str(block.get("Diagnostic-Code", ""))])
                of = str(block.get("Final-Recipient", "")).rpartition(";")[2].strip().casefold()
                found.append(Undelivered(action, cleaned(" ".join(said.split()))[:500], of))
    ids: list[str] = []
    for part in parts:
        media_type = part.get_content_type()
        if media_type == "message/rfc822":
            ids += [identity for inner in _inner(part) for identity in _ids(inner, "Message-ID")]
        elif media_type == "text/rfc822-headers":
            ids += _ids(BytesParser(policy=compat32).parsebytes(_data(part), headersonly=True), "Message-ID")
    return tuple(found), tuple(dict.fromkeys(ids))[:MOST_IDS]


def _as_text(raw: bytes) -> str:
    return raw[:1_000_000].decode("utf-8", "replace")


def _first_lines(text: str) -> str:
    return cleaned(" ".join(text.split()))[:500]


# --- words ----------------------------------------------------------------------------------------------

_ATTRIBUTION = re.compile(
    r"^\s*(on\b.{4,200}\bwrote:|(vào|ngày|lúc|thứ)\b.{4,200}\bđã viết:|.{0,200}\b(wrote|đã viết):)\s*$",
    re.IGNORECASE,
)
_DIVIDER = re.compile(
    r"^\s*(-{2,}\s*(original message|forwarded message|thư gốc|tin nhắn gốc|tin đã chuyển tiếp)\s*-{2,}|_{10,})\s*$",
    re.IGNORECASE,
)
_HEADER_BLOCK = re.compile(r"^\s*\*?(from|từ)\s*:\*?\s+\S", re.IGNORECASE)
_HEADER_NEXT = re.compile(r"^\s*\*?(sent|date|to|subject|đã gửi|ngày|đến|tới|chủ đề|tiêu đề)\s*:", re.IGNORECASE)


def own_words(text: str) -> str:
    """Return what the sender wrote, without what they quote: by the marks that mail programs put, and by no guess.

    What stands before “… wrote:” without quote marks after it, before a divider or a block of From/Sent is kept; lines
    that begin with ``>`` are left out wherever they stand, so an answer below or between them is kept. The whole text
    stays in the stored mail.
    """
    lines = unicodedata.normalize("NFC", text[:LONGEST_TEXT].replace("\r\n", "\n").replace("\r", "\n")).split("\n")
    kept: list[str] = []
    number = 0
    while number < len(lines):
        line = lines[number]
        attribution = _attribution(lines, number)
        if attribution:
            following = next((later for later in lines[number + attribution :] if later.strip()), "")
            if following.lstrip().startswith(">"):
                number += attribution
                continue
            break
        if line == "-- " or _DIVIDER.match(line):
            break
        if _HEADER_BLOCK.match(line) and any(_HEADER_NEXT.match(later) for later in lines[number + 1 : number + 4]):
            break
        if not line.lstrip().startswith(">"):
            kept.append(line.rstrip())
        number += 1
    return cleaned(re.sub(r"\n{3,}", "\n\n", "\n".join(kept)).strip())


def _attribution(lines: Sequence[str], number: int) -> int:
    """Return how many lines say “… wrote:” from here on: programs fold it into two or three. 0: none."""
    if not lines[number].strip():
        return 0
    for count in (1, 2, 3):
        joined = " ".join(line.strip() for line in lines[number : number + count])
        starts = re.match(r"(on|vào|ngày|lúc|thứ)\b", joined.strip(), re.IGNORECASE) is not None
        if len(joined) < 400 and _ATTRIBUTION.match(joined) and (starts or count == 1):
            return count
    return 0


class _Words(HTMLParser):
    """The words of a page, line by line; what is quoted comes with ``>`` before it."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.pieces: list[str] = []
        self.hidden = 0
        self.quoted = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in ("script", "style", "head", "title"):
            self.hidden += 1
        elif tag == "blockquote":
            self.quoted += 1
        if tag in ("br", "p", "div", "tr", "li", "blockquote", "h1", "h2", "h3"):
            self.pieces.append("\n")

    def handle_endtag(self, tag: str) -> None:
        if tag in ("script", "style", "head", "title"):
            self.hidden = max(0, self.hidden - 1)
        elif tag == "blockquote":
            self.quoted = max(0, self.quoted - 1)
        if tag in ("p", "div", "tr", "li", "blockquote", "h1", "h2", "h3"):
            self.pieces.append("\n")

    def handle_data(self, data: str) -> None:
        if not self.hidden:
            words = re.sub(r"\s+", " ", data)
            self.pieces.append(f"\n> {words}\n" if self.quoted and words.strip() else words)


def _text_of_html(html: str) -> str:
    words = _Words()
    words.feed(html)
    words.close()
    return re.sub(r"[ \t]*\n[ \t]*", "\n", "".join(words.pieces))


# The words that our own mails offer, and their nearest; anything else is a message that a person weighs.
_DECISIONS: Mapping[str, str] = {
    **dict.fromkeys(("đồng ý", "chấp nhận", "đồng ý báo giá", "đồng ý với báo giá", "đồng ý bàn giao",
                     "xác nhận đồng ý", "accept", "accepted", "agree", "agreed"), "accept"),
    **dict.fromkeys(("không đồng ý", "từ chối", "không chấp nhận", "decline", "declined"), "decline"),
    **dict.fromkeys(("thương lượng", "đề nghị thương lượng", "xin thương lượng", "negotiate"), "negotiate"),
    **dict.fromkeys(("đề nghị chỉnh sửa", "yêu cầu chỉnh sửa", "request changes", "changes"), "changes"),
}  # fmt: skip
_WHO = re.compile(r"^(dạ|vâng)?[, ]*(chúng tôi|tôi|công ty|công ty chúng tôi|em|i|we)?\s+")


def decision(text: str) -> str | None:
    """Return the decision that the first line says, all of it and nothing else; None when it does not."""
    first = next((line for line in text.split("\n") if line.strip()), "")
    plain = re.sub(r"\s+", " ", first.casefold()).strip(" .,!:;-–")
    return _DECISIONS.get(plain) or _DECISIONS.get(_WHO.sub("", plain))


def lines_after_decision(text: str) -> list[str]:
    """Return the points listed below the first line, without bullets and numbers."""
    lines = [line for line in text.split("\n") if line.strip()][1:]
    return [point for line in lines if (point := cleaned(re.sub(r"^\s*([-*•–+]|\d{1,2}[.)])\s*", "", line)))]
