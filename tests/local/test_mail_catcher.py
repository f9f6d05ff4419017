"""The mail catcher, by real SMTP conversations and real requests to its page."""

from __future__ import annotations

import json
import smtplib
from collections.abc import Iterator
from email.message import EmailMessage
from email.policy import SMTP as SMTP_POLICY
from email.policy import SMTPUTF8
from pathlib import Path

import httpx
import pytest

from local.mail_catcher import Catcher
from local.ports import HOST, Ports


class Running:
    def __init__(self, folder: Path) -> None:
        ports = Ports.free()
        self.folder, self.smtp_port = folder, ports.smtp
        self.page = f"http://{HOST}:{ports.catcher}"
        self.catcher = Catcher(folder, smtp_port=ports.smtp, page_port=ports.catcher)

    def send(self, content: bytes, *, sender: str = "a@firm.example", to: tuple[str, ...] = ("b@client.example",),
             options: tuple[str, ...] = ()) -> None:
        with smtplib.SMTP(HOST, self.smtp_port, timeout=10) as smtp:
            smtp.sendmail(sender, to, content, mail_options=options)

    def get(self, path: str, **headers: str) -> httpx.Response:
        return httpx.get(self.page + path, headers=headers, trust_env=False)

    def kept(self) -> list[Path]:
        return sorted(self.folder.glob("*.eml"))


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Running]:
    running = Running(tmp_path / "mails")
    running.catcher.start()
    yield running
    running.catcher.stop()


def letter(**headers: str) -> EmailMessage:
    message = EmailMessage(policy=SMTP_POLICY)
    message["From"] = "Kế Hoạch Việt <hoso@firm.example>"
    message["To"] = "b@client.example"
    message["Subject"] = headers.get("subject", "Thư chào mừng quý khách")
    message["Message-ID"] = headers.get("identity", "<khv-1.welcome@firm.example>")
    message.set_content("Kính gửi Quý khách,\r\n.dòng bắt đầu bằng dấu chấm\r\n", cte="8bit")
    message.add_alternative("<p>Kính gửi <script>alert(1)</script></p>", subtype="html")
    message.add_attachment(bytes(range(256)), maintype="application", subtype="pdf", filename="Hợp đồng số 1.pdf")
    return message


def test_a_message_is_kept_byte_for_byte(running: Running) -> None:
    content = letter().as_bytes()
    running.send(content, options=("BODY=8BITMIME",))
    assert running.kept()[0].read_bytes() == content


def test_headers_and_addresses_beyond_ascii_are_kept_as_they_came(running: Running) -> None:
    message = EmailMessage(policy=SMTPUTF8)
    message["From"], message["To"], message["Subject"] = "hồsơ@firm.example", "khách@client.example", "Báo giá"
    message.set_content("Nội dung", cte="8bit")
    content = message.as_bytes()
    options = ("SMTPUTF8", "BODY=8BITMIME")
    running.send(content, sender="hồsơ@firm.example", to=("khách@client.example",), options=options)
    assert running.kept()[0].read_bytes() == content
    assert json.loads(running.kept()[0].with_suffix(".json").read_text())["rcpt_to"] == ["khách@client.example"]


def test_the_envelope_lies_beside_the_message(running: Running) -> None:
    running.send(letter().as_bytes(), to=("b@client.example", "hidden@firm.example"), options=("BODY=8BITMIME",))
    envelope = json.loads(running.kept()[0].with_suffix(".json").read_text(encoding="utf-8"))
    assert envelope["mail_from"] == "a@firm.example"
    assert envelope["rcpt_to"] == ["b@client.example", "hidden@firm.example"]


def test_messages_are_numbered_in_the_order_they_came_across_restarts(running: Running) -> None:
    running.send(letter(identity="<z@firm.example>").as_bytes())
    again = Running(running.folder)
    again.catcher.start()
    again.send(letter(identity="<a@firm.example>").as_bytes())
    again.catcher.stop()
    assert [path.stem for path in running.kept()] == ["000001-z@firm.example", "000002-a@firm.example"]


def test_a_message_id_cannot_lead_out_of_the_folder(running: Running) -> None:
    running.send(b"Message-ID: <../../etc/passwd>\r\n\r\nx\r\n")
    assert [path.name for path in running.kept()] == ["000001-.._.._etc_passwd.eml"]


def test_a_message_without_an_id_is_kept_too(running: Running) -> None:
    running.send(b"Subject: x\r\n\r\nMessage-ID: <body@x>\r\n")
    assert [path.stem for path in running.kept()] == ["000001-none"]


def test_the_page_lists_shows_and_hands_out_attachments(running: Running) -> None:
    running.send(letter().as_bytes())
    name = running.kept()[0].stem
    assert "Thư chào mừng quý khách" in running.get("/").text
    assert "dấu chấm" in running.get(f"/{name}").text
    attachment = running.get(f"/{name}/0")
    assert attachment.content == bytes(range(256))
    assert attachment.headers["content-disposition"].startswith("attachment;")


def test_a_mail_cannot_run_scripts_or_fetch_from_elsewhere(running: Running) -> None:
    running.send(letter(subject="<img src=x>").as_bytes())
    name = running.kept()[0].stem
    policy = running.get(f"/{name}/html").headers["content-security-policy"]
    assert policy.startswith("sandbox allow-popups allow-popups-to-escape-sandbox; default-src 'none'")
    assert "script-src" not in policy and "allow-scripts" not in policy
    assert "<img src=x>" not in running.get("/").text + running.get(f"/{name}").text


def test_a_link_in_a_mail_opens_in_a_window_of_its_own(running: Running) -> None:
    running.send(letter().as_bytes())
    name = running.kept()[0].stem
    assert "<base target=_blank>" in running.get(f"/{name}/html").text
    assert "<iframe sandbox='allow-popups allow-popups-to-escape-sandbox'" in running.get(f"/{name}").text


@pytest.mark.parametrize("path", ["/nothing", "/../secrets/passwords.json", "/%2e%2e%2flock", "/000001-none/7"])
def test_what_is_not_there_is_not_found(running: Running, path: str) -> None:
    running.send(b"Subject: x\r\n\r\n.\r\n")
    assert running.get(path).status_code == 404


def test_a_foreign_host_name_is_refused(running: Running) -> None:
    assert running.get("/", Host="evil.example").status_code == 421
