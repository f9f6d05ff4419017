"""The reply mailbox on a real server: Debian's Dovecot, with mail handed in by its own delivery agent."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from include.mail.imap import ARCHIVE, ImapServer
from include.mail.transport import TransientMailError

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
        group = subprocess.run(["id", "-gn", owner.pw_name], capture_output=True, text=True, check=True).stdout.strip()
        (folder / "dovecot.conf").write_text(
            CONFIG.format(folder=folder, port=port, user=owner.pw_name, group=group, uid=owner.pw_uid,
                          gid=owner.pw_gid),
            encoding="utf-8",
        )  # fmt: skip
        running = subprocess.Popen([program, "-F", "-c", str(folder / "dovecot.conf")])
        try:
            _await_greeting(running, port, folder)
            yield Dovecot(folder, port, owner.pw_name)
        finally:
            running.terminate()
            running.wait(timeout=30)


def _await_greeting(running: subprocess.Popen[bytes], port: int, folder: Path) -> None:
    for _ in range(200):
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
                if connection.recv(100).startswith(b"* OK"):
                    return
        except OSError:
            pass
        try:
            running.wait(timeout=0.1)
        except subprocess.TimeoutExpired:
            continue
        break
    log = folder / "log"
    pytest.fail(f"Dovecot did not start: {log.read_text() if log.exists() else 'no log'}")


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
