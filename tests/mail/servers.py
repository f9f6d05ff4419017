"""Mail servers of Debian's in a folder of their own: Dovecot, and an OpenSMTPD that delivers into it."""

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

from include.mail.imap import ImapServer

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
mail_location = maildir:{folder}/mail/%u
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
table archived {{ "luutru@kehoachviet.example" = "nobody" }}
table ours {{ "@kehoachviet.example" = "nobody" }}
table theirs {{ "@d.vn" = "nobody" }}
listen on 127.0.0.1 port {port}
action "archive" mda "{deliver} -c {folder}/dovecot.conf -d luutru -f %{{sender}}" virtual <archived>
action "deliver" mda "{deliver} -c {folder}/dovecot.conf -d hoso -f %{{sender}}" virtual <ours>
action "client" mda "{deliver} -c {folder}/dovecot.conf -d khach -f %{{sender}}" virtual <theirs>
match from any for rcpt-to "luutru@kehoachviet.example" action "archive"
match from any for domain "kehoachviet.example" action "deliver"
match from any for domain "d.vn" action "client"
"""


@dataclass
class Dovecot:
    """A running server where every account has a mailbox: the firm's ``hoso`` and ``luutru``, a client's ``khach``."""

    folder: Path
    port: int
    user: str

    def server(self, password: str = "geheim", *, user: str = "hoso") -> ImapServer:
        return ImapServer("127.0.0.1", self.port, user, password, tls="none", timeout=20)

    def deliver(self, raw: bytes, *, user: str = "hoso") -> None:
        command = [str(DELIVER), "-c", str(self.folder / "dovecot.conf"), "-d", user, "-f", "a@b.example"]
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
