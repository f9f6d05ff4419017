"""A mail server for demos and rehearsals: takes messages over SMTP, keeps them, delivers nothing, shows them on a page.

``python -m local.mail_catcher FOLDER --smtp-port N --page-port N``. A message becomes ``<number>-<message id>.eml``,
byte for byte what came after DATA; its envelope lies beside it in ``<number>-<message id>.json`` and is there first.
"""

from __future__ import annotations

import argparse
import html
import json
import re
import signal
import threading
from datetime import datetime, timezone
from email import message_from_bytes, policy
from email.message import EmailMessage
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import FrameType
from typing import Any
from urllib.parse import quote, unquote, urlsplit

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

from local.ports import HOST

NUMBER_DIGITS = 6
LONGEST_NAME = 80  # characters of the Message-ID in a file name
LARGEST_MESSAGE = 50_000_000  # bytes


class MailFolder:
    """The messages kept in one folder, numbered in the order in which they came."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        path.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._last = max((int(name.split("-")[0]) for name in self.names()), default=0)

    def names(self) -> list[str]:
        """Return the names of all messages, oldest first."""
        return sorted(path.stem for path in self._path.glob("[0-9]*-*.eml"))

    def add(self, content: bytes, *, sender: str, recipients: list[str]) -> str:
        """Keep a message and return its name; its bytes are not touched."""
        header = content.split(b"\r\n\r\n", 1)[0]
        found = re.search(rb"^message-id:\s*<([^>\r\n]*)>", header, re.IGNORECASE | re.MULTILINE)
        identity = re.sub(r"[^A-Za-z0-9.@+-]", "_", found.group(1).decode("ascii", "replace")) if found else "none"
        with self._lock:
            self._last += 1
            name = f"{self._last:0{NUMBER_DIGITS}}-{identity[:LONGEST_NAME]}"
            envelope = {
                "number": self._last,
                "mail_from": sender,
                "rcpt_to": recipients,
                "received": datetime.now(timezone.utc).isoformat(),
            }
            self._put(f"{name}.json", json.dumps(envelope, ensure_ascii=False, indent=1).encode())
            self._put(f"{name}.eml", content)
        return name

    def envelope(self, name: str) -> dict[str, Any]:
        """Return the envelope of a message. Raises KeyError for an unknown one."""
        self._known(name)
        envelope: dict[str, Any] = json.loads((self._path / f"{name}.json").read_text(encoding="utf-8"))
        return envelope

    def source(self, name: str) -> bytes:
        """Return a message as it came. Raises KeyError for an unknown one."""
        self._known(name)
        return (self._path / f"{name}.eml").read_bytes()

    def message(self, name: str) -> EmailMessage:
        """Return a message parsed. Raises KeyError for an unknown one."""
        return message_from_bytes(self.source(name), policy=policy.default)

    def _known(self, name: str) -> None:
        if name not in self.names():
            raise KeyError(name)

    def _put(self, name: str, content: bytes) -> None:
        unfinished = self._path / f".{name}.part"
        unfinished.write_bytes(content)
        unfinished.replace(self._path / name)


class Receiver:
    """What aiosmtpd calls when a message has come."""

    def __init__(self, folder: MailFolder) -> None:
        self._folder = folder

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        content = envelope.original_content
        if content is None:
            return "554 5.6.0 No message"
        try:
            name = self._folder.add(content, sender=envelope.mail_from or "", recipients=list(envelope.rcpt_tos))
        except OSError as error:
            return f"452 4.3.1 Cannot keep the message: {error.strerror}"
        return f"250 2.0.0 Kept as {name.split('-')[0]}"


class Catcher:
    """The SMTP server and the page of one mail folder; both answer on 127.0.0.1 only."""

    def __init__(
        self, folder: Path, *, smtp_port: int, page_port: int, receiver: type[Receiver] = Receiver
    ) -> None:
        mails = MailFolder(folder)
        self._smtp = Controller(
            receiver(mails),
            hostname=HOST,
            port=smtp_port,
            server_hostname="mail-catcher.localhost",  # its own name would be asked of a name server
            ident="mail catcher",
            enable_SMTPUTF8=True,
            data_size_limit=LARGEST_MESSAGE,
        )
        self._page = ThreadingHTTPServer((HOST, page_port), type("Page", (_Page,), {"mails": mails}))
        self._page.daemon_threads = True
        self.page_port: int = self._page.server_address[1]

    def start(self) -> None:
        """Answer from now on."""
        self._smtp.start()
        threading.Thread(target=self._page.serve_forever, daemon=True, name="page").start()

    def stop(self) -> None:
        """Answer no more."""
        self._smtp.stop()
        self._page.shutdown()
        self._page.server_close()


STYLE = """body{font:15px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:70rem;padding:0 1rem;color:#222}
table{border-collapse:collapse;width:100%}td,th{text-align:left;padding:.35rem .6rem;border-bottom:1px solid #ddd;
vertical-align:top}pre{white-space:pre-wrap;background:#f6f6f6;padding:1rem}iframe{width:100%;height:46rem;
border:1px solid #ddd;background:#fff}small{color:#666}summary{cursor:pointer;padding:.5rem 0}"""
PAGE_POLICY = "default-src 'none'; style-src 'unsafe-inline'; frame-src 'self'; base-uri 'none'; form-action 'none'"
# A link in a mail opens in a window of its own: pages refuse to be shown inside of others.
SANDBOX = "allow-popups allow-popups-to-escape-sandbox"
NEW_WINDOW = "<base target=_blank>"
MAIL_POLICY = f"sandbox {SANDBOX}; default-src 'none'; style-src 'unsafe-inline'; img-src data:; form-action 'none'"


class _Page(BaseHTTPRequestHandler):
    """The page: ``/``, ``/<name>``, ``/<name>/html``, ``/<name>/source``, ``/<name>/<n>`` for the n-th attachment."""

    mails: MailFolder

    def do_GET(self) -> None:
        # A foreign site whose name was made to point here must not read the mails.
        if urlsplit(f"//{self.headers.get('Host', '')}").hostname not in (HOST, "localhost"):
            self.send_error(HTTPStatus.MISDIRECTED_REQUEST)
            return
        parts = [unquote(part) for part in urlsplit(self.path).path.split("/") if part]
        try:
            self._answer(parts)
        except (KeyError, IndexError, ValueError):
            self.send_error(HTTPStatus.NOT_FOUND)

    def _answer(self, parts: list[str]) -> None:
        if not parts:
            self._send(self._list())
            return
        name, *rest = parts
        if not rest:
            self._send(self._detail(name))
        elif rest == ["html"]:
            part = self.mails.message(name).get_body(("html",))
            if part is None:
                raise KeyError(name)
            self._send(NEW_WINDOW.join(_at_head(str(part.get_content()))), content_policy=MAIL_POLICY)
        elif rest == ["source"]:
            self._send_file(self.mails.source(name), f"{name}.eml")
        elif len(rest) == 1:
            attachment = list(self.mails.message(name).iter_attachments())[int(rest[0])]
            self._send_file(_bytes(attachment), attachment.get_filename() or f"{name}-{rest[0]}")
        else:
            raise KeyError(name)

    def _list(self) -> str:
        rows = []
        for name in reversed(self.mails.names()):
            message, envelope = self.mails.message(name), self.mails.envelope(name)
            files = sum(1 for _ in message.iter_attachments())
            rows.append(
                f"<tr><td>{envelope['number']}<td><a href='/{quote(name)}'>{_text(message['subject'])}</a>"
                f"<td>{html.escape(', '.join(envelope['rcpt_to']))}<td>{_text(message['date'])}<td>{files or ''}"
            )
        head = "<tr><th>Số<th>Tiêu đề<th>Người nhận<th>Ngày<th>Tệp"
        body = f"<table>{head}{''.join(rows)}</table>" if rows else "<p>Chưa có thư nào."
        return _document("Thư đã gửi", f"{body}<p><small>Thư được giữ tại đây, không gửi ra ngoài.</small>")

    def _detail(self, name: str) -> str:
        message, envelope = self.mails.message(name), self.mails.envelope(name)
        heads = {"From": "Người gửi", "To": "Người nhận", "Cc": "Đồng gửi", "Reply-To": "Trả lời về", "Date": "Ngày"}
        traces = ("Message-ID", "In-Reply-To", "References")
        rows = "".join(f"<tr><th>{title}<td>{_text(message[key])}" for key, title in heads.items() if message[key])
        more = "".join(f"<tr><th>{key}<td>{_text(message[key])}" for key in traces if message[key])
        more += f"<tr><th>Envelope<td>{html.escape(envelope['mail_from'])} → "
        more += html.escape(", ".join(envelope["rcpt_to"]))
        files = "".join(
            f"<li><a href='/{quote(name)}/{number}'>{html.escape(part.get_filename() or part.get_content_type())}</a> "
            f"<small>{len(_bytes(part)):,} byte</small>"
            for number, part in enumerate(message.iter_attachments())
        )
        body = f"<p><a href='/'>← Tất cả thư</a> · <a href='/{quote(name)}/source'>Bản gốc</a><table>{rows}</table>"
        body += f"<ul>{files}</ul>" if files else ""
        plain, formatted = message.get_body(("plain",)), message.get_body(("html",))
        if formatted:
            body += f"<iframe sandbox='{SANDBOX}' src='/{quote(name)}/html' title='Nội dung thư'></iframe>"
        if plain:
            body += f"<details{' open' if formatted is None else ''}><summary>Bản chữ thường</summary>"
            body += f"<pre>{html.escape(str(plain.get_content()))}</pre></details>"
        body += f"<details><summary>Thông tin chuyển thư</summary><table>{more}</table></details>"
        return _document(str(message["subject"] or name), body)

    def _send(self, text: str, *, content_policy: str = PAGE_POLICY) -> None:
        content = text.encode("utf-8", "replace")
        self.send_response(HTTPStatus.OK)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Security-Policy", content_policy)
        self._finish(content)

    def _send_file(self, content: bytes, name: str) -> None:
        self.send_response(HTTPStatus.OK)
        self.send_header("Content-Type", "application/octet-stream")
        self.send_header("Content-Disposition", f"attachment; filename*=UTF-8''{quote(name, safe='')}")
        self.send_header("Content-Security-Policy", "sandbox; default-src 'none'")
        self._finish(content)

    def _finish(self, content: bytes) -> None:
        self.send_header("Content-Length", str(len(content)))
        self.send_header("X-Content-Type-Options", "nosniff")
        self.send_header("Referrer-Policy", "no-referrer")
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:
        """Keep who reads which mail out of the log."""


def _document(title: str, body: str) -> str:
    head = f"<!doctype html><html lang=vi><meta charset=utf-8><title>{html.escape(title)}</title><style>{STYLE}</style>"
    return f"{head}<h1>{html.escape(title)}</h1>{body}"


def _at_head(page: str) -> tuple[str, str]:
    """Return a page in two parts, between which what belongs into its head may stand."""
    before, tag, after = page.partition("<head>")
    return (before + tag, after) if tag else ("", page)


def _text(value: object) -> str:
    return html.escape(str(value)) if value else "—"


def _bytes(part: EmailMessage) -> bytes:
    if part.get_content_maintype() == "message":
        return b"".join(bytes(inner) for inner in part.iter_parts())
    content = part.get_payload(decode=True)
    return content if isinstance(content, bytes) else bytes(part)


def main(receiver: type[Receiver] = Receiver) -> None:
    """Run until a signal comes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--smtp-port", type=int, required=True)
    parser.add_argument("--page-port", type=int, required=True)
    asked = parser.parse_args()
    over = threading.Event()

    def end(number: int, frame: FrameType | None) -> None:
        over.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, end)
    catcher = Catcher(asked.folder, smtp_port=asked.smtp_port, page_port=asked.page_port,
                      receiver=receiver)  # fmt: skip
    catcher.start()
    over.wait()
    catcher.stop()


if __name__ == "__main__":
    main()
