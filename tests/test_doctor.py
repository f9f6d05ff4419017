"""What the doctor finds: each look by itself, row by row, and the command over a whole environment."""

from __future__ import annotations

import os
import smtplib
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import yaml
from aiosmtpd.controller import Controller
from aiosmtpd.handlers import Sink
from sqlalchemy import create_engine, text

from include.doctor.__main__ import main
from include.doctor.databases import RegisterFacts, airflow_database_findings, read_register, register_findings
from include.doctor.environment import environment_from, read_environment_file
from include.doctor.files import FEW_BYTES, LEAST_BYTES, disk_findings, folder_finding, storage_findings
from include.doctor.installation import (
    DAGS,
    EXAMPLES,
    PAUSED,
    PLUGINS,
    RUNS,
    ZONE,
    airflow_limit_findings,
    airflow_setup_findings,
    mode_findings,
    portal_findings,
    readable_settings,
)
from include.doctor.look import SECONDS, in_time
from include.doctor.machine import antivirus_findings, font_findings, office_findings
from include.doctor.mail import mail_findings, mailbox_findings, relay_findings
from include.documents.libreoffice import LibreOffice
from include.mail.imap import ImapServer
from include.mail.transport import NoConversation, Relay, TransientMailError
from include.production import DATABASE, EXECUTOR, PORTAL_URL, REGISTER, TOKENS, Finding
from include.register.models import Installation
from include.register.session import newest_schema, sessions
from include.settings import ROOT
from include.storage import StorageError
from local.postgres import Postgres

SMTP, IMAP = "AIRFLOW_CONN_SMTP_DEFAULT", "AIRFLOW_CONN_IMAP_DEFAULT"
WELL = RegisterFacts(version=16, revision=newest_schema(), is_airflows=False, ahead_seconds=0.2, may_write=True,
                     superuser=False)  # fmt: skip


def levels(findings: Iterable[Finding]) -> dict[str, str]:
    """The worst level of each subject."""
    order = ("ok", "warning", "refused")
    found: dict[str, str] = {}
    for each in findings:
        found[each.subject] = max(each.level, found.get(each.subject, "ok"), key=order.index)
        assert each.level == "ok" or each.mend, each
    return found


def test_production_must_say_so() -> None:
    assert levels(mode_findings({"ENGAGEMENT_PRODUCTION": "1"})) == {"ENGAGEMENT_PRODUCTION": "ok"}
    assert levels(mode_findings({})) == {"ENGAGEMENT_PRODUCTION": "refused"}
    assert levels(mode_findings({"ENGAGEMENT_PRODUCTION": "true"})) == {"ENGAGEMENT_PRODUCTION": "refused"}


@pytest.mark.parametrize(("changes", "subject", "level"), [
    ({REGISTER: None}, REGISTER, "refused"),
    ({"ENGAGEMENT_STORAGE_URL": None}, "ENGAGEMENT_STORAGE_URL", "refused"),
    ({PORTAL_URL: "hoso.example"}, "Settings", "refused"),
    ({"ENGAGEMENT_INBOX_POLL_SECONDS": "soon"}, "Settings", "refused"),
    ({"ENGAGEMENT_FIRM_FILE": "/nowhere/firm.yaml"}, "ENGAGEMENT_FIRM_FILE", "refused"),
    ({}, "ENGAGEMENT_FIRM_FILE", "warning"),
    ({}, PORTAL_URL, "warning"),
])  # fmt: skip
def test_settings_that_cannot_be_read_are_named(
    changes: dict[str, str | None], subject: str, level: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [each for each in os.environ if each.startswith("ENGAGEMENT_")]:
        monkeypatch.delenv(name)
    for name, value in ({REGISTER: "postgresql://db/r", "ENGAGEMENT_STORAGE_URL": "s3://b"} | changes).items():
        if value is not None:
            monkeypatch.setenv(name, value)
    assert levels(readable_settings())[subject] == level


def test_a_role_that_anybody_may_decide_for_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    firm = yaml.safe_load((ROOT / "include" / "firm.yaml").read_text(encoding="utf-8"))
    firm["mail"]["reply_to"] = "hoso@firm.vn"
    for name, person in firm["staff"].items():
        for each in person.values() if name == "council" else [person]:
            each["logins"] = ["somebody"]
    everybody, without = tmp_path / "firm.yaml", tmp_path / "without.yaml"
    monkeypatch.setenv(REGISTER, "postgresql://db/r")
    monkeypatch.setenv("ENGAGEMENT_STORAGE_URL", "s3://b")
    monkeypatch.setenv("ENGAGEMENT_FIRM_FILE", str(everybody))
    everybody.write_text(yaml.safe_dump(firm), encoding="utf-8")
    assert "ENGAGEMENT_FIRM_FILE" not in levels(readable_settings())

    del firm["staff"]["council"]["chair"]["logins"]
    without.write_text(yaml.safe_dump(firm), encoding="utf-8")
    monkeypatch.setenv("ENGAGEMENT_FIRM_FILE", str(without))
    (found,) = [each for each in readable_settings() if each.subject == "ENGAGEMENT_FIRM_FILE"]
    assert found.level == "warning" and "council.chair:" in found.found


def test_the_portal_holds_nothing_of_airflows() -> None:
    assert levels(portal_findings({REGISTER: "…", DAGS: "/opt/dags"})) == {"Portal": "ok"}
    for name in (DATABASE, TOKENS, SMTP):
        (found,) = portal_findings({name: "geheim"})
        assert found.level == "refused" and name in found.found and "geheim" not in str(found)


def test_airflow_must_be_the_locked_one_and_find_the_projects_folders(tmp_path: Path) -> None:
    env = {DAGS: str(ROOT / "dags"), PLUGINS: str(ROOT / "plugins"), "PYTHONPATH": f"/opt{os.pathsep}{ROOT}"}
    found = levels(airflow_setup_findings(env))
    assert {found[subject] for subject in ("Airflow", DAGS, PLUGINS, "PYTHONPATH")} == {"ok"}
    for name in env:
        found = levels(airflow_setup_findings(env | {name: str(tmp_path)}))
        assert [each for each in ("Airflow", *env) if found[each] != "ok"] == [name]
        assert levels(airflow_setup_findings({each: env[each] for each in env if each != name}))[name] == "refused"


@pytest.mark.parametrize(("name", "bad"), [
    (EXECUTOR, "SequentialExecutor"), (RUNS, "16"), (RUNS, "many"), (EXAMPLES, "True"), (PAUSED, "True"), (ZONE, "utc"),
    (RUNS, None), (EXAMPLES, None), (PAUSED, None), (ZONE, None),
])  # fmt: skip
def test_a_setting_of_airflow_that_works_badly_here_is_worth_a_warning(name: str, bad: str | None) -> None:
    good = {EXECUTOR: "LocalExecutor", RUNS: "10000", EXAMPLES: "False", PAUSED: "False", ZONE: "Asia/Ho_Chi_Minh"}
    assert set(levels(airflow_limit_findings(good)).values()) == {"ok"}
    env = {each: value for each, value in (good | {name: bad}).items() if value is not None}
    found = levels(airflow_limit_findings(env))
    assert [each for each in found if found[each] == "warning"] == [name]


def test_dry_runs_and_a_missing_record_of_mail_are_worth_a_warning() -> None:
    dry, record = "ENGAGEMENT_MAIL_DRY_RUN", "ENGAGEMENT_MAIL_RECORD"
    assert levels(mail_findings({})) == {record: "warning"}
    assert levels(mail_findings({dry: "1"})) == {record: "warning", dry: "warning"}
    assert dry not in levels(mail_findings({record: "file:///var/mails", dry: "0"}))


def test_office_fonts_and_scanner(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert levels(office_findings(None)) == {"LibreOffice": "warning"}
    assert levels(office_findings(LibreOffice("/usr/bin/soffice"))) == {"LibreOffice": "ok"}
    assert levels(font_findings(["DejaVu Sans", "Liberation Serif"])) == {"Fonts": "ok"}
    assert levels(font_findings(["DejaVu Sans"])) == {"Fonts": "refused"}
    scanner = tmp_path / "clamdscan"
    scanner.touch(mode=0o755)
    for named, level in (("", "warning"), ("scanner-that-is-not-there", "refused"), (str(scanner), "ok")):
        monkeypatch.setenv("ENGAGEMENT_ANTIVIRUS", named)
        assert levels(antivirus_findings()) == {"ENGAGEMENT_ANTIVIRUS": level}


@pytest.mark.parametrize(("facts", "portal", "subject"), [
    (replace(WELL, version=13), False, "Register"),
    (replace(WELL, is_airflows=True), False, "Register"),
    (replace(WELL, revision=""), False, "Register"),
    (replace(WELL, revision="0001"), True, "Register"),
    (replace(WELL, may_write=False), False, "Register"),
    (WELL, True, "Register"),
    (replace(WELL, writers=("portal",)), False, "Register"),
    (replace(WELL, rehearsal=True), False, "Register"),
    (replace(WELL, ahead_seconds=61), False, "Clock"),
    (replace(WELL, ahead_seconds=-61), False, "Clock"),
])  # fmt: skip
def test_a_register_that_is_not_well_is_refused(facts: RegisterFacts, portal: bool, subject: str) -> None:
    found = levels(register_findings(facts, portal=portal))
    assert [each for each in found if found[each] == "refused"] == [subject]


def test_a_register_that_is_well_is_in_order() -> None:
    assert set(levels(register_findings(WELL, portal=False)).values()) == {"ok"}
    assert set(levels(register_findings(replace(WELL, may_write=False), portal=True)).values()) == {"ok"}
    assert levels(register_findings(replace(WELL, superuser=True), portal=False))["Register"] == "warning"


@pytest.fixture
def roles(postgres: Postgres, register: str) -> Iterator[Callable[[str], str]]:
    """Makes an account with the given rights on the register's tables, and returns its URL."""
    owner = create_engine(register, isolation_level="AUTOCOMMIT")
    made: list[str] = []
    database = register.partition("?")[0].rpartition("/")[2]

    def make(rights: str) -> str:
        made.append(f"doctor_{len(made)}")
        with owner.connect() as connection:
            connection.execute(text(f"create role {made[-1]} login"))
            connection.execute(text(f"grant {rights} on all tables in schema public to {made[-1]}"))
        return postgres.url(database, role=made[-1])

    yield make
    with owner.connect() as connection:
        for role in made:
            connection.execute(text(f"drop owned by {role}"))
            connection.execute(text(f"drop role {role}"))
    owner.dispose()


def test_a_migrated_register_says_that_it_is(register: str) -> None:
    facts = read_register(register)
    assert facts.revision == newest_schema()
    assert (facts.is_airflows, facts.superuser, facts.rehearsal) == (False, True, False)
    assert facts.version >= 14 and abs(facts.ahead_seconds) < 5


def test_an_account_that_only_reads_is_told_from_one_that_may_write(
    register: str, roles: Callable[[str], str]
) -> None:
    assert read_register(roles("select")).may_write is False
    assert read_register(register).writers == ()
    for right in ("insert", "update", "delete", "truncate"):
        facts = read_register(roles(f"select, {right}"))
        assert facts.may_write is True, right
    making = roles("select")
    with create_engine(register).begin() as connection:
        connection.execute(text("grant create on schema public to doctor_5"))
    assert read_register(making).may_write is True
    assert read_register(register).writers == ("doctor_1", "doctor_2", "doctor_3", "doctor_4")


def test_a_rehearsals_day_in_the_register_is_seen(register: str) -> None:
    with sessions(register).begin() as session:
        session.merge(Installation(id=1, rehearsal_day=date(2026, 12, 1)))
    assert read_register(register).rehearsal is True


def test_an_empty_database_and_airflows_are_told_from_a_register(postgres: Postgres) -> None:
    postgres.create_database("doctor_empty")
    try:
        url = postgres.url("doctor_empty")
        assert read_register(url).revision == ""
        with create_engine(url).begin() as connection:
            connection.execute(text("create table dag_run (id int)"))
        assert read_register(url).is_airflows is True
        assert levels(airflow_database_findings({DATABASE: url})) == {"Airflow's database": "ok"}
    finally:
        postgres.drop_database("doctor_empty")


class Broken:
    """A storage of which one thing does not work."""

    def __init__(self, broken: str) -> None:
        self.broken = broken

    def __getattr__(self, name: str) -> Callable[..., Any]:
        def answer(*arguments: Any, **options: Any) -> Any:
            if name == self.broken:
                raise StorageError(f"No permission in bucket 'engagements' to {name}.")
            return b"check"

        return answer


@pytest.mark.parametrize(("broken", "portal"), [("check", False), ("list", False), ("put", True), ("get", True),
                                                ("delete", True)])  # fmt: skip
def test_a_right_that_is_missing_in_the_storage_is_named(broken: str, portal: bool) -> None:
    env = {"ENGAGEMENT_STORAGE_URL": "s3://engagements/live"}
    (found,) = storage_findings(env, portal=portal, opener=lambda url: Broken(broken))  # type: ignore[arg-type, return-value]
    assert found.level == "refused" and f"to {broken}" in found.found


@pytest.mark.parametrize("portal", [False, True])
def test_a_storage_that_works_is_left_as_it_was(portal: bool, tmp_path: Path) -> None:
    folder = tmp_path / "kho"
    folder.mkdir(mode=0o700)
    found = levels(storage_findings({"ENGAGEMENT_STORAGE_URL": folder.as_uri()}, portal=portal))
    assert found["Storage"] == "ok"
    assert [path for path in folder.rglob("*") if path.is_file()] == []


def test_a_storage_address_that_is_none_is_refused() -> None:
    assert levels(storage_findings({}, portal=False)) == {"Storage": "refused"}
    far = {"ENGAGEMENT_STORAGE_URL": "s3://b?endpoint=http://s3.example&region=x"}
    found = levels(storage_findings(far, portal=False, opener=lambda url: Broken("")))  # type: ignore[arg-type, return-value]
    assert found == {"Storage": "refused"}


def test_clients_files_are_closed_to_other_accounts_and_have_room(tmp_path: Path) -> None:
    for mode, level in ((0o700, "ok"), (0o770, "ok"), (0o755, "refused"), (0o701, "refused")):
        assert folder_finding(tmp_path, 0o040000 | mode).level == level
    for free, level in ((LEAST_BYTES - 1, "refused"), (FEW_BYTES - 1, "warning"), (FEW_BYTES, "ok")):
        assert levels(disk_findings(tmp_path, free)) == {"Disk": level}


@pytest.mark.parametrize(("connection", "level"), [
    ('{"host": "smtp.example", "login": "hoso", "password": "geheim", "extra": {"disable_ssl": true}}', "ok"),
    ('{"host": "smtp.example", "login": "hoso", "password": "geheim"}', "ok"),
    ('{"host": "smtp.example", "extra": {"disable_ssl": true}}', "warning"),
    ('{"host": "smtp.example", "extra": {"disable_ssl": true, "disable_tls": true}}', "warning"),
    ('{"host": "smtp.example", "login": "hoso", "password": "geheim", "extra": {"disable_ssl": true, '
     '"disable_tls": true}}', "refused"),
    ("", "warning"),
])  # fmt: skip
def test_a_relay_is_greeted_over_tls_and_with_a_login(connection: str, level: str) -> None:
    greeted = relay_findings({SMTP: connection}, greeted=lambda relay: smtplib.SMTP())
    assert levels(greeted) == {SMTP: level}


def test_a_relay_that_does_not_answer_is_refused_without_what_it_said() -> None:
    def refusing(relay: Relay) -> smtplib.SMTP:
        assert relay.timeout == SECONDS
        raise NoConversation("535 hoso/geheim") from smtplib.SMTPAuthenticationError(535, b"hoso/geheim")

    env = {"ENGAGEMENT_SMTP_CONN_ID": "firm", "AIRFLOW_CONN_FIRM": "smtp://hoso:geheim@smtp.example:587"}
    (found,) = relay_findings(env, greeted=refusing)
    assert (found.subject, found.level) == ("AIRFLOW_CONN_FIRM", "refused")
    assert "SMTPAuthenticationError" in found.found and "geheim" not in str(found)


def test_a_real_relay_is_greeted_and_gets_no_mail() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    env = {SMTP: f"smtp://@127.0.0.1:{port}/?disable_ssl=true&disable_tls=true"}
    assert levels(relay_findings(env)) == {SMTP: "refused"}
    controller = Controller(Sink(), hostname="127.0.0.1", port=port)
    controller.start()
    try:
        assert levels(relay_findings(env)) == {SMTP: "ok"}
    finally:
        controller.stop()


def test_the_reply_mailbox_is_entered_over_tls_only() -> None:
    entered: list[ImapServer] = []

    @contextmanager
    def opened(server: ImapServer) -> Iterator[None]:
        if server.password != "right":
            raise TransientMailError("refused")
        entered.append(server)
        yield

    tls = '{"host": "imap.example", "login": "hoso", "password": "right"}'
    for connection, level in (
        (tls, "ok"), (tls.replace("right", "wrong"), "refused"), ("", "warning"),
        (tls.replace('"}', '", "extra": {"use_ssl": false}}'), "refused"),
        (tls.replace('"}', '", "extra": {"use_ssl": false, "starttls": true}}'), "ok"),
    ):  # fmt: skip
        assert levels(mailbox_findings({IMAP: connection}, opened=opened)) == {IMAP: level}, connection
    assert [(server.tls, server.timeout) for server in entered] == [("ssl", SECONDS), ("starttls", SECONDS)]
    folder = mailbox_findings({IMAP: tls, "ENGAGEMENT_REPLY_FOLDER": "/mails"}, opened=opened)
    assert levels(folder)["ENGAGEMENT_REPLY_FOLDER"] == "refused"


def test_what_hangs_is_a_finding_and_holds_up_nothing() -> None:
    answered = threading.Event()

    def hanging() -> list[Finding]:
        answered.wait(60)
        return []

    assert levels(in_time("Storage", hanging, seconds=0.05)) == {"Storage": "refused"}
    answered.set()


def test_a_database_says_itself_why_it_lets_nobody_in(postgres: Postgres) -> None:
    (found,) = in_time("Register", lambda: register_findings(read_register(postgres.url("absent")), portal=False))
    assert found.level == "refused" and '"absent"' in found.found


def test_what_fails_is_a_finding_without_what_it_said() -> None:
    def look() -> list[Finding]:
        raise ValueError("postgresql://register:geheim@db")

    (found,) = in_time("Register", look)
    assert found.level == "refused" and "ValueError" in found.found and "geheim" not in str(found)


def test_a_file_of_settings_is_read_as_compose_and_systemd_read_it(tmp_path: Path) -> None:
    file = tmp_path / ".env"
    file.write_text("# none\n\nA=1\nexport B='{\"x\": \"=\"}'\nC=\"d e\"\nD=\nE=it's\n", encoding="utf-8")
    assert read_environment_file(file) == {"A": "1", "B": '{"x": "="}', "C": "d e", "D": "", "E": "it's"}
    file.write_text("A=1\nnonsense\n", encoding="utf-8")
    with pytest.raises(ValueError, match="line 2"):
        read_environment_file(file)
    read_environment_file(ROOT / ".env.example")


def test_with_a_file_nothing_of_this_shells_installation_counts(tmp_path: Path) -> None:
    file = tmp_path / ".env"
    file.write_text(f"AIRFLOW_HOME={tmp_path}\nENGAGEMENT_PRODUCTION=1\n", encoding="utf-8")
    (tmp_path / "airflow.cfg").write_text("[core]\nload_examples = False\nparallelism = 3\n", encoding="utf-8")
    inherited = {"PATH": "/bin", "PYTHONPATH": "/x", "ENGAGEMENT_REHEARSAL": "1", TOKENS: "x", "AWS_PROFILE": "y"}
    env = environment_from(file, inherited)
    assert env == {"PATH": "/bin", "AIRFLOW_HOME": str(tmp_path), "ENGAGEMENT_PRODUCTION": "1", EXAMPLES: "False"}
    assert environment_from(None, inherited) == inherited


def examined(env: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "include.doctor", *arguments], cwd=ROOT, timeout=120, check=False,
                          env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)} | env,
                          capture_output=True, text=True)  # fmt: skip


def test_a_portal_that_is_well_passes(register: str, roles: Callable[[str], str], tmp_path: Path) -> None:
    from tests.test_production import key

    (tmp_path / "kho").mkdir(mode=0o700)
    env = {"ENGAGEMENT_PRODUCTION": "1", REGISTER: roles("select"), PORTAL_URL: "https://hoso.example",
           "ENGAGEMENT_PORTAL_KEYS": key("new"), "ENGAGEMENT_STORAGE_URL": (tmp_path / "kho").as_uri()}  # fmt: skip
    done = examined(env, "--portal")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "ok       Register: the portal's account only reads" in done.stdout
    assert key("new") not in done.stdout
    writing = examined(env | {REGISTER: register}, "--portal")
    assert writing.returncode == 1 and "refused  Register: the portal's account may change it" in writing.stdout


def test_the_example_as_it_stands_is_refused_secret_by_secret(tmp_path: Path) -> None:
    file = tmp_path / ".env"
    text = (ROOT / ".env.example").read_text(encoding="utf-8").replace("s3://engagements/live", tmp_path.as_uri())
    file.write_text(text.replace(".example:", ".invalid:"), encoding="utf-8")
    file.chmod(0o644)
    done = examined({}, str(file))
    assert done.returncode == 1
    for subject in (f"File {file}", REGISTER, "ENGAGEMENT_PORTAL_KEYS", SMTP, IMAP, TOKENS, DATABASE, "Register"):
        assert f"refused  {subject}: " in done.stdout, subject
    assert "AIRFLOW__CORE__AUTH_MANAGER" not in done.stdout


def test_a_command_that_is_not_understood_is_none_of_the_findings(tmp_path: Path) -> None:
    assert main(["a", "b"]) == 2
    assert main([str(tmp_path / "not-there")]) == 2


def test_a_server_that_takes_the_call_and_says_nothing_is_left_in_time() -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        env = {SMTP: f"smtp://@127.0.0.1:{silent.getsockname()[1]}/?disable_ssl=true&disable_tls=true"}
        assert levels(in_time(SMTP, lambda: relay_findings(env), seconds=0.05)) == {SMTP: "refused"}
