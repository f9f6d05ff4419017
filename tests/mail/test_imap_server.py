"""The reply mailbox on real servers: Debian's Dovecot, with mail handed in by its delivery agent or by OpenSMTPD."""

from __future__ import annotations

import os
import pwd
import shutil
import smtplib
import socket
import subprocess
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from email.message import EmailMessage
from pathlib import Path

import pytest

from include.casework.mailbox import read_mailbox
from include.mail.imap import ARCHIVE, ImapServer
from include.mail.transport import TransientMailError
from tests.firm import FORM, PDF, Firm

DELIVER = Path("/usr/lib/dovecot/dovecot-lda")
CONFIG = """
base_dir = {folder}/run
state_dir = {folder}/state
log_path = {folder}/log
protocols = imap
listen = 127.0.0.1
ssl = no
disable_plaintext_auth = no
default_internal_user = {user}
default_internal_group = {group}
default_login_user = {user}
first_valid_uid = 1
mail_location = maildir:{folder}/mail
passdb {{
  driver = static
  args = password=geheim
}}
userdb {{
  driver = static
  args = uid={uid} gid={gid} home={folder}/home
}}
service anvil {{
  chroot =
}}
service imap-login {{
  chroot =
  inet_listener imap {{
    port = {port}
  }}
  inet_listener imaps {{
    port = 0
  }}
}}
service stats {{
  chroot =
}}
"""


OPENSMTPD = """
table boxes {{ "@kehoachviet.example" = "nobody" }}
listen on 127.0.0.1 port {port}
action "deliver" mda "{deliver} -c {folder}/dovecot.conf -d hoso -f %{{sender}}" virtual <boxes>
match from any for domain "kehoachviet.example" action "deliver"
"""


@dataclass
class Dovecot:
    """A running server with one mailbox."""

    folder: Path
    port: int
    user: str

    def server(self, password: str = "geheim") -> ImapServer:
        return ImapServer("127.0.0.1", self.port, "hoso", password, tls="none", timeout=20)

    def deliver(self, raw: bytes) -> None:
        command = [str(DELIVER), "-c", str(self.folder / "dovecot.conf"), "-d", "hoso", "-f", "a@b.example"]
        subprocess.run(command, input=raw, check=True, timeout=60)


@pytest.fixture(scope="module")
def dovecot() -> Iterator[Dovecot]:
    """Dovecot in a folder of its own; it never reads mail as root, so root hands that to nobody."""
    program = shutil.which("dovecot") or shutil.which("dovecot", path="/usr/sbin")
    if program is None or not DELIVER.exists():
        if os.environ.get("CI"):
            pytest.fail("dovecot-imapd is not installed")
        pytest.skip("NO DOVECOT, NOT TESTED: install dovecot-imapd")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with tempfile.TemporaryDirectory(prefix="dovecot-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        owner = pwd.getpwnam("nobody") if os.geteuid() == 0 else pwd.getpwuid(os.geteuid())
        for each in (folder, *(folder / room for room in ("mail", "home", "state"))):
            each.mkdir(exist_ok=True)
            each.chmod(0o755)
            if os.geteuid() == 0:
                os.chown(each, owner.pw_uid, owner.pw_gid)
        (folder / "log").touch()
        (folder / "log").chmod(0o666)  # the delivery agent writes it too, under its own account
        group = subprocess.run(["id", "-gn", owner.pw_name], capture_output=True, text=True, check=True).stdout.strip()
        (folder / "dovecot.conf").write_text(
            CONFIG.format(folder=folder, port=port, user=owner.pw_name, group=group, uid=owner.pw_uid,
                          gid=owner.pw_gid),
            encoding="utf-8",
        )  # fmt: skip
        running = subprocess.Popen([program, "-F", "-c", str(folder / "dovecot.conf")])
        try:
            if not _greets(running, port, b"* OK"):
                log = folder / "log"
                pytest.fail(f"Dovecot did not start: {log.read_text() if log.exists() else 'no log'}")
            yield Dovecot(folder, port, owner.pw_name)
        finally:
            running.terminate()
            running.wait(timeout=30)


@pytest.fixture
def smtp_port(dovecot: Dovecot, tmp_path: Path) -> Iterator[int]:
    """The port of an OpenSMTPD that delivers the firm's mail into Dovecot. It has one queue and socket a machine."""
    program = shutil.which("smtpd") or shutil.which("smtpd", path="/usr/sbin")
    if program is None:
        if os.environ.get("CI"):
            pytest.fail("opensmtpd is not installed")
        pytest.skip("NO OPENSMTPD, NOT TESTED: install opensmtpd")
    if os.geteuid() != 0:
        pytest.skip("NOT ROOT, OPENSMTPD NOT TESTED: it runs as root only")
    if subprocess.run(["smtpctl", "show", "status"], capture_output=True, check=False).returncode == 0:
        pytest.skip("ANOTHER OPENSMTPD RUNS ON THIS MACHINE, NOT TESTED: stop it first")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    config = tmp_path / "smtpd.conf"
    config.write_text(OPENSMTPD.format(port=port, deliver=DELIVER, folder=dovecot.folder), encoding="utf-8")
    config.chmod(0o600)
    with (tmp_path / "log").open("wb") as log:
        running = subprocess.Popen([program, "-d", "-f", str(config)], stdout=log, stderr=log)
    try:
        if not _greets(running, port, b"220"):
            pytest.skip(f"OPENSMTPD DOES NOT START HERE, NOT TESTED: {(tmp_path / 'log').read_text()[-500:]}")
        yield port
    finally:
        running.terminate()
        running.wait(timeout=30)


def _greets(running: subprocess.Popen[bytes], port: int, greeting: bytes) -> bool:
    """Wait until a server greets; False when it ends before, or never does."""
    for _ in range(200):
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
                if connection.recv(100).startswith(greeting):
                    return True
        except OSError:
            pass
        try:
            running.wait(timeout=0.1)
        except subprocess.TimeoutExpired:
            continue
        break
    return False


def mail(number: int) -> bytes:
    return f"From: a@b.example\nTo: hoso@x.example\nMessage-ID: <{number}@b.example>\n\nthư {number}\n".encode()


def test_messages_come_oldest_first_whole_and_unmarked_and_are_put_away_once(dovecot: Dovecot) -> None:
    for number in (1, 2, 3):
        dovecot.deliver(mail(number))
    with dovecot.server().open() as box:
        waiting = box.waiting()
        assert [each.uid for each in waiting] == sorted(each.uid for each in waiting) and len(waiting) == 3
        first = box.fetch(waiting[0].uid)
        assert first is not None and len(first) == waiting[0].size
        assert first.replace(b"\r\n", b"\n").endswith("thư 1\n".encode())
        box.archive(waiting[0].uid)
        box.archive(waiting[0].uid)
        validity = box.uidvalidity
    with dovecot.server().open() as again:
        assert [each.uid for each in again.waiting()] == [each.uid for each in waiting[1:]]
        assert again.fetch(waiting[0].uid) is None
        assert again.uidvalidity == validity > 0
    stored = [path.name for path in (dovecot.folder / "mail" / f".{ARCHIVE}").rglob("*") if ":2," in path.name]
    assert len(stored) == 1 and stored[0].endswith("S")
    with dovecot.server().open() as rest:
        for each in rest.waiting():
            rest.archive(each.uid)
        assert rest.waiting() == []


def test_an_account_that_is_refused_and_a_port_that_is_closed_are_tried_again_later(dovecot: Dovecot) -> None:
    with pytest.raises(TransientMailError) as refused, dovecot.server("falsch").open():
        pass
    assert "hoso" not in str(refused.value)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(TransientMailError), ImapServer("127.0.0.1", port, "hoso", "x", tls="none", timeout=5).open():
        pass


def test_a_clients_reply_goes_through_real_servers_into_its_request(
    dovecot: Dovecot, smtp_port: int, firm: Firm
) -> None:
    firm.open()
    firm.ask("information")
    asking = firm.outbox.read()[-1]
    reply = EmailMessage()
    reply["From"] = FORM["client"]["contact"]["email"]
    reply["To"] = str(asking["Reply-To"])
    reply["Subject"] = f"Re: {asking['Subject']}"
    reply["In-Reply-To"] = str(asking["Message-ID"])
    reply.set_content("Định hướng chiến lược: Chuỗi khách sạn\n")
    reply.add_attachment(PDF, maintype="application", subtype="pdf", filename="business_registration.pdf")
    with smtplib.SMTP("127.0.0.1", smtp_port) as server:
        server.send_message(reply)
    counts: Counter[str] = Counter()
    for _ in range(100):
        with dovecot.server().open() as box:
            counts += read_mailbox(firm.office(), box)
        if counts["filed"]:
            break
        time.sleep(0.1)
    assert counts["filed"] == 1, (dovecot.folder / "log").read_text(encoding="utf-8")[-2000:]
    assert firm.receive("information") is None
    with firm.case() as case:
        state = {item.key: item.state for item in case.items(case.request("information"))}
    assert state["strategy"] == state["business_registration"] == "received"
    with dovecot.server().open() as box:
        assert box.waiting() == []
