"""The whole stack, really started."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import smtplib
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import astuple, dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
from sqlalchemy import create_engine, inspect, text
from sqlalchemy.exc import OperationalError, ProgrammingError

from local.airflow_api import AirflowApi, ApiError, Conflict, NotFound
from local.keeper import Keeper, descendants
from local.ports import HOST, Ports
from local.stack import ENVIRONMENT_FILE, ROOT, Stack, StackError, running_environment

pytestmark = pytest.mark.system

LAUNCHER = """
import sys, time
from pathlib import Path
from local.stack import Stack
stack = Stack(Path(sys.argv[1]), rehearsal=True)
stack.start()
print(stack.keeper_pid, stack.ports.api, stack.ports.catcher, stack.ports.smtp, stack.ports.portal, flush=True)
time.sleep(600)
"""


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with Stack(tmp_path_factory.mktemp("stack") / "data", rehearsal=True) as stack:
        yield stack


@pytest.fixture(scope="module")
def api(stack: Stack) -> Iterator[AirflowApi]:
    with AirflowApi(stack.api_url, "admin", stack.users["admin"]) as api:
        api.wait_for_dags(["engagement", "reminders"])
        yield api


def answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex((HOST, port)) == 0


def listening(pids: list[int]) -> set[str]:
    """Return the local addresses, as /proc shows them, on which these processes listen."""
    sockets = set()
    for pid in pids:
        with contextlib.suppress(OSError):
            for number in os.listdir(f"/proc/{pid}/fd"):
                with contextlib.suppress(OSError):
                    sockets.add(os.readlink(f"/proc/{pid}/fd/{number}"))
    found = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        for line in Path(table).read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == "0A" and f"socket:[{fields[9]}]" in sockets:
                found.add(fields[1].rpartition(":")[0])
    return found


def test_both_databases_are_at_their_newest_schema(stack: Stack) -> None:
    assert "dag_run" in inspect(create_engine(stack.metadata_url)).get_table_names()
    assert "engagement" in inspect(create_engine(stack.register_url)).get_table_names()


def test_nothing_listens_beyond_this_machine(stack: Stack, api: AirflowApi) -> None:
    assert stack.keeper_pid is not None
    assert listening(descendants(stack.keeper_pid)) == {"0100007F"}


def test_secrets_are_readable_to_their_owner_only(stack: Stack) -> None:
    files = [*(stack.data / "secrets").iterdir(), stack.data / ENVIRONMENT_FILE]
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}


def test_each_member_of_staff_has_an_account(stack: Stack, api: AirflowApi) -> None:
    for name, password in stack.users.items():
        with AirflowApi(stack.api_url, name, password) as mine:
            assert mine.pending_sign_offs() == []


def test_a_wrong_password_is_refused(stack: Stack) -> None:
    with AirflowApi(stack.api_url, "director", "guess") as api, pytest.raises(ApiError, match="may not log in"):
        api.health()


def test_a_run_planned_for_later_waits_and_can_be_taken_back(api: AirflowApi) -> None:
    later = datetime.now(timezone.utc) + timedelta(days=3)
    api.trigger("engagement", run_id="KHV-2026-0001", conf={"engagement_id": "KHV-2026-0001"}, run_after=later)
    with pytest.raises(Conflict):
        api.trigger("engagement", run_id="KHV-2026-0001", conf={"engagement_id": "KHV-2026-0001"}, run_after=later)
    assert [run["dag_run_id"] for run in api.runs("engagement", states=["queued"])] == ["KHV-2026-0001"]
    assert api.runs("engagement", states=["success"]) == []
    api.delete_run("engagement", "KHV-2026-0001")
    with pytest.raises(NotFound):
        api.run("engagement", "KHV-2026-0001")


def test_the_mail_catcher_is_part_of_it(stack: Stack) -> None:
    with smtplib.SMTP(HOST, stack.ports.smtp, timeout=10) as smtp:
        smtp.sendmail("a@firm.example", ["b@client.example"], b"Message-ID: <1@x>\r\n\r\nx\r\n")
    assert [path.name for path in stack.mails.glob("*.eml")] == ["000001-1@x.eml"]


def test_the_portal_answers_with_nothing_of_airflows_in_its_hands(stack: Stack) -> None:
    assert stack.keeper_pid is not None
    [portal] = [pid for pid in descendants(stack.keeper_pid) if b"\0-m\0portal\0" in cmdline(pid)]
    held = Path(f"/proc/{portal}/environ").read_text().split("\0")
    assert not [entry for entry in held if entry.startswith(("AIRFLOW", "_AIRFLOW"))]
    secrets = {(stack.data / "secrets" / name).read_text() for name in ("fernet", "session", "jwt")}
    assert not [entry for entry in held for secret in secrets if secret in entry]
    assert answers(stack.ports.portal)


def test_the_portals_role_enters_the_register_only_and_changes_nothing_there(stack: Stack) -> None:
    url = stack.portal_environment()["ENGAGEMENT_REGISTER_URL"]
    with create_engine(url).connect() as connection:
        assert connection.execute(text("select count(*) from engagement")).scalar() == 0
    for statement in ("delete from engagement", "update installation set id = 1", "create table mine (x text)",
                      "insert into number_series values ('x', 2026, 1)", "create temporary table mine (x text)"):
        with create_engine(url).connect() as connection, pytest.raises(ProgrammingError, match="permission denied"):
            connection.execute(text(statement))
    for database in ("airflow", "postgres"):
        with pytest.raises(OperationalError, match="permission denied"):
            create_engine(url.replace("/register?", f"/{database}?")).connect()


def cmdline(pid: int) -> bytes:
    """Return how the process was started, nothing if it has ended meanwhile."""
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    return b""


def test_settings_of_another_airflow_do_not_leak_in(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__CORE__LOAD_EXAMPLES", "True")
    monkeypatch.setenv("AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS", "True")
    monkeypatch.setenv("ENGAGEMENT_PRODUCTION", "1")
    environment = stack.environment()
    assert environment["AIRFLOW__CORE__LOAD_EXAMPLES"] == "False"
    assert "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS" not in environment
    assert "ENGAGEMENT_PRODUCTION" not in environment


def test_what_another_relay_took_is_not_looked_up_in_the_mail_catchers_folder(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert stack.environment()["ENGAGEMENT_MAIL_RECORD"] == stack.mails.as_uri()
    monkeypatch.setenv("ENGAGEMENT_SMTP_CONN_ID", "firm_smtp")
    assert "ENGAGEMENT_MAIL_RECORD" not in stack.environment()
    monkeypatch.setenv("ENGAGEMENT_MAIL_RECORD", "imap://archive_imap/INBOX")
    assert stack.environment()["ENGAGEMENT_MAIL_RECORD"] == "imap://archive_imap/INBOX"


def test_a_command_in_another_terminal_finds_the_installation(stack: Stack, api: AirflowApi) -> None:
    assert running_environment(stack.data)["ENGAGEMENT_REGISTER_URL"] == stack.register_url


@dataclass(frozen=True)
class Stopped:
    """What a stack that ran beside the first one was, before it was stopped."""

    data: Path
    api_url: str
    users: dict[str, str]
    ports: Ports
    pids: list[int]


@pytest.fixture(scope="module")
def neighbour(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Stopped:
    other = Stack(tmp_path_factory.mktemp("thư mục khác") / "data", rehearsal=True)
    other.start()
    assert other.keeper_pid is not None
    pids = [other.keeper_pid, *descendants(other.keeper_pid)]
    stopped = Stopped(other.data, other.api_url, other.users, other.ports, pids)
    other.stop()
    other.stop()
    return stopped


def test_a_stopped_stack_leaves_nothing_behind(neighbour: Stopped) -> None:
    assert len(neighbour.pids) > 10
    assert not any(Path(f"/proc/{pid}").exists() for pid in neighbour.pids)
    assert not any(map(answers, astuple(neighbour.ports)))
    with pytest.raises(StackError, match="make up"):
        running_environment(neighbour.data)


def test_a_stack_beside_is_not_disturbed(stack: Stack, neighbour: Stopped) -> None:
    assert neighbour.api_url != stack.api_url
    stack.check()
    assert answers(stack.ports.api)


def test_one_folder_is_run_by_one_stack_only(stack: Stack) -> None:
    with pytest.raises(StackError, match=f"^Process {os.getpid()} already runs what lies in"):
        Stack(stack.data, rehearsal=True).start()
    assert running_environment(stack.data)


def test_kill_9_of_the_launcher_leaves_no_process_and_a_sound_installation(neighbour: Stopped) -> None:
    launcher = subprocess.Popen(
        [sys.executable, "-c", LAUNCHER, str(neighbour.data)],
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )
    assert launcher.stdout is not None
    keeper, *ports = map(int, launcher.stdout.readline().split())
    household = descendants(keeper)
    assert all(map(answers, ports))
    launcher.send_signal(signal.SIGKILL)
    launcher.wait()
    # The keeper holds the lock until everything has ended: whoever gets it knows.
    successor = Keeper(lock=neighbour.data / "lock")
    successor.open()
    assert not any(Path(f"/proc/{pid}").exists() for pid in household)
    assert not any(map(answers, ports))
    successor.close()
    assert not (neighbour.data / "postgres" / "cluster" / "postmaster.pid").exists()
    assert json.loads((neighbour.data / "secrets" / "passwords.json").read_text()) == neighbour.users


def test_a_port_in_use_is_told_in_one_sentence_and_nothing_stays(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind((HOST, 0))
        taken.listen()
        free = Ports.free()
        stack = Stack(tmp_path, ports=Ports(free.api, taken.getsockname()[1], free.smtp, free.portal))
        with pytest.raises(StackError, match=rf"^Port {stack.ports.catcher} \(catcher\) is in use: [^\n]*PORT_BASE="):
            stack.start()
    assert stack.keeper_pid is None


def test_a_folder_that_cannot_be_written_is_told_in_one_sentence() -> None:
    with pytest.raises(StackError, match=r"^[^\n]*/proc/nowhere[^\n]*$"):
        Stack(Path("/proc/nowhere/data"), rehearsal=True).start()


def test_a_full_disk_is_told_in_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("local.stack.NEEDED_BYTES", 10**18)
    with pytest.raises(StackError, match=r"^Only \d+ MB are free on the disk of [^\n]*$"):
        Stack(tmp_path, rehearsal=True).start()


def test_a_part_that_ends_by_itself_is_noticed(tmp_path: Path) -> None:
    free = Ports.free()
    one_port_for_two = Ports(free.api, free.smtp, free.smtp, free.portal)
    stack = Stack(tmp_path / "data", rehearsal=True, ports=one_port_for_two)
    with pytest.raises(StackError, match=r"^mail-catcher has ended by itself \(exit code 1\); see .*\.log"):
        stack.start()
    assert stack.keeper_pid is None
