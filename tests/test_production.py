"""What a production installation may not be: each setting that makes it unsafe, row by row, and what starts without."""

from __future__ import annotations

import base64
import hashlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

from include.production import (
    ALL_ADMINS,
    API_CERTIFICATE,
    API_HOST,
    API_URL,
    BROKER,
    DATABASE,
    DEFAULT_PASSWORDS,
    EXECUTOR,
    EXPOSED,
    FERNET,
    LOGIN,
    METRICS_TOKEN,
    PORTAL_HOST,
    PORTAL_KEYS,
    PORTAL_URL,
    REGISTER,
    SESSIONS,
    SIMPLE,
    STAFF,
    TOKENS,
    TOKENS_BY_FILE,
    Finding,
    UnsafeInstallation,
    airflow_findings,
    connection_of,
    engagement_findings,
    file_finding,
    refuse_unsafe_start,
    secret_files,
)
from include.settings import ROOT


def key(name: str) -> str:
    """A key that no one-line rule finds weak; the same in each process of a test run."""
    return hashlib.sha256(name.encode()).hexdigest()


def fernet(name: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(name.encode()).digest()).decode()


SMTP = '{"conn_type": "smtp", "host": "smtp.example", "login": "hoso", "password": "%s"}'
SAFE = {
    "ENGAGEMENT_PRODUCTION": "1",
    REGISTER: f"postgresql+psycopg2://register:{key('register')}@db/register",
    "ENGAGEMENT_STORAGE_URL": "s3://engagements/live",
    PORTAL_URL: "https://hoso.example/khach",
    PORTAL_KEYS: f"{key('new')},{key('old')}",
    LOGIN: STAFF,
    FERNET: fernet("1"),
    SESSIONS: key("sessions"),
    TOKENS: key("tokens"),
    DATABASE: f"postgresql+psycopg2://airflow:{key('airflow')}@db/airflow",
    API_URL: "https://airflow.example",
    EXECUTOR: "CeleryExecutor",
    BROKER: f"redis://:{key('broker')}@redis:6379/0",
    "AIRFLOW_CONN_SMTP_DEFAULT": SMTP % key("mail"),
}
SHORT = key("short")[:24]
DEFAULT = "postgres"
# What somebody changed (None: left out), and what the finding is about.
UNSAFE = [
    ({LOGIN: None}, LOGIN),
    ({LOGIN: SIMPLE}, LOGIN),
    ({LOGIN: "of.ours.SimpleAuthManager"}, LOGIN),
    ({ALL_ADMINS: "True"}, ALL_ADMINS),
    ({ALL_ADMINS: "1"}, ALL_ADMINS),
    ({ALL_ADMINS: "t"}, ALL_ADMINS),
    ({METRICS_TOKEN: SHORT}, METRICS_TOKEN),
    ({BROKER: None}, BROKER),
    ({BROKER: "redis://redis:6379/0"}, BROKER),
    ({BROKER: "redis://:airflow@redis:6379/0"}, BROKER),
    ({FERNET: None}, FERNET),
    ({FERNET: ""}, FERNET),
    ({FERNET: key("not base64")}, FERNET),
    ({FERNET: base64.urlsafe_b64encode(bytes(32)).decode()}, FERNET),
    ({FERNET: f"{SAFE[FERNET]},short"}, FERNET),
    ({FERNET: "change-me"}, FERNET),
    ({SESSIONS: None}, SESSIONS),
    ({SESSIONS: SHORT}, SESSIONS),
    ({SESSIONS: "Change-Me-to-what-openssl-rand-says-here"}, SESSIONS),
    ({TOKENS: None}, TOKENS),
    ({TOKENS: "airflow_jwt_secret"}, TOKENS),
    ({TOKENS: "ab" * 20}, TOKENS),
    ({PORTAL_KEYS: None}, PORTAL_KEYS),
    ({PORTAL_KEYS: f"{SAFE[PORTAL_KEYS]},{SHORT}"}, PORTAL_KEYS),
    ({PORTAL_KEYS: "0" * 64}, PORTAL_KEYS),
    ({PORTAL_KEYS: "change-me-to-what-openssl-rand-says"}, PORTAL_KEYS),
    ({PORTAL_KEYS: SAFE[TOKENS]}, PORTAL_KEYS),
    ({PORTAL_KEYS: SAFE[SESSIONS]}, PORTAL_KEYS),
    ({PORTAL_URL: "http://hoso.example/khach"}, PORTAL_URL),
    ({PORTAL_URL: "http://127.0.0.1:8090", PORTAL_HOST: "0.0.0.0"}, "Portal"),
    ({PORTAL_URL: "http://127.0.0.1:8090", PORTAL_HOST: "::"}, "Portal"),
    ({API_URL: None}, "Airflow's API server"),
    ({API_URL: "http://airflow.example"}, API_URL),
    ({API_URL: "http://127.0.0.1:8080"}, "Airflow's API server"),
    ({API_URL: None, API_HOST: "192.0.2.7"}, "Airflow's API server"),
    ({EXPOSED: "True"}, EXPOSED),
    ({DATABASE: None}, DATABASE),
    ({DATABASE: "sqlite:////opt/airflow/airflow.db"}, DATABASE),
    ({DATABASE: f"postgresql+psycopg2://airflow:{DEFAULT}@db/airflow"}, DATABASE),
    ({DATABASE: "postgresql+psycopg2://airflow:airflow@db/airflow"}, DATABASE),
    ({DATABASE: "postgresql://airflow:wjIE81kcw@db:5432/register"}, REGISTER),
    ({REGISTER: f"postgresql+psycopg2://register:{DEFAULT}@db/register"}, REGISTER),
    ({REGISTER: "postgresql+psycopg2://kho:kho@db/register"}, REGISTER),
    ({REGISTER: "postgresql+psycopg2://engagement:change-me@db/register"}, REGISTER),
    ({"AIRFLOW_CONN_SMTP_DEFAULT": SMTP % "change-me"}, "AIRFLOW_CONN_SMTP_DEFAULT"),
    ({"AIRFLOW_CONN_SMTP_DEFAULT": SMTP % "Admin"}, "AIRFLOW_CONN_SMTP_DEFAULT"),
    ({"AIRFLOW_CONN_IMAP_DEFAULT": "imap://hoso:hoso@imap.example:993"}, "AIRFLOW_CONN_IMAP_DEFAULT"),
    ({"ENGAGEMENT_REHEARSAL": "1"}, "ENGAGEMENT_REHEARSAL"),
]  # fmt: skip
STILL_SAFE = [
    {},
    {API_URL: None, API_HOST: "127.0.0.1"},
    {API_URL: None, API_CERTIFICATE: "/etc/ssl/airflow.pem"},
    {API_URL: "http://localhost:8080", API_HOST: "localhost"},
    {PORTAL_HOST: "0.0.0.0"},
    {PORTAL_URL: None, PORTAL_KEYS: None},
    {PORTAL_URL: "http://127.0.0.1:8090"},
    {FERNET: None, f"{FERNET}_CMD": "cat /run/secrets/fernet"},
    {SESSIONS: None, f"{SESSIONS}_SECRET": "airflow/session"},
    {TOKENS: None, TOKENS_BY_FILE: "/run/secrets/jwt.pem"},
    {DATABASE: None, f"{DATABASE}_SECRET": "airflow/database"},
    {FERNET: f"{fernet('2')},{SAFE[FERNET]}"},
    {EXPOSED: "non-sensitive-only"},
    {ALL_ADMINS: "False"},
    {REGISTER: "postgresql+psycopg2://register@/register?host=/run/postgresql",
     DATABASE: "postgresql+psycopg2://airflow@/airflow?host=/run/postgresql"},
    {"ENGAGEMENT_REHEARSAL": "0"},
]  # fmt: skip


def changed(changes: dict[str, str | None]) -> dict[str, str]:
    return {name: value for name, value in (SAFE | changes).items() if value is not None}


def judged(env: dict[str, str]) -> list[Finding]:
    return [*engagement_findings(env), *airflow_findings(env)]


def refused(env: dict[str, str]) -> list[str]:
    return [each.subject for each in judged(env) if each.level == "refused"]


@pytest.mark.parametrize(("changes", "subject"), UNSAFE, ids=lambda value: str(value)[:60])
def test_what_makes_an_installation_unsafe_is_refused_by_its_name(
    changes: dict[str, str | None], subject: str
) -> None:
    assert set(refused(changed(changes))) == {subject}


@pytest.mark.parametrize("changes", STILL_SAFE, ids=lambda value: str(value)[:60])
def test_what_is_safe_is_not_refused(changes: dict[str, str | None]) -> None:
    assert refused(changed(changes)) == []


@pytest.mark.parametrize(("changes", "subject"), UNSAFE, ids=lambda value: str(value)[:60])
def test_no_finding_repeats_a_secret_and_each_says_how_to_mend_it(
    changes: dict[str, str | None], subject: str
) -> None:
    env = changed(changes)
    secret = {value for name in (SESSIONS, TOKENS, FERNET, PORTAL_KEYS) for value in env.get(name, "").split(",")
              if len(value) > 8 and "change-me" not in value.casefold()}  # fmt: skip
    secret |= {connection_of(value).password for value in env.values()} - {"", "change-me", "hoso", "kho", "airflow"}
    for finding in judged(env):
        assert not [each for each in secret if each in str(finding)], finding.subject
        assert finding.level == "ok" or finding.mend


def test_everything_that_was_looked_at_has_a_line() -> None:
    assert {each.level for each in judged(SAFE)} == {"ok"}
    assert len(judged(SAFE)) >= 13


def test_the_same_key_for_two_things_is_worth_a_warning() -> None:
    warned = [each for each in judged(changed({TOKENS: SAFE[SESSIONS]})) if each.level == "warning"]
    assert [each.subject for each in warned] == [TOKENS]


@pytest.mark.parametrize(("mode", "level"), [(0o600, "ok"), (0o400, "ok"), (0o640, "warning"), (0o644, "refused"),
                                             (0o602, "refused"), (0o666, "refused")])  # fmt: skip
def test_a_file_of_secrets_is_for_its_owner(mode: int, level: str) -> None:
    assert file_finding(Path("/etc/engagement/.env"), 0o100000 | mode).level == level


def test_files_of_secrets_are_those_that_the_settings_name(tmp_path: Path) -> None:
    env = {"AIRFLOW_HOME": str(tmp_path), "PGPASSFILE": str(tmp_path / "pgpass")}
    assert tmp_path / "airflow.cfg" in secret_files(env) and tmp_path / "pgpass" in secret_files(env)
    for name in ("airflow.cfg", "pgpass"):
        (tmp_path / name).touch(mode=0o644)
    assert refused(SAFE | env) == [f"File {tmp_path / name}" for name in ("pgpass", "airflow.cfg")]


@pytest.mark.parametrize("value", ["{", "[]", "imap://[", '{"extra": "{"}', "smtp://host:port", "7", ""])
def test_a_connection_that_cannot_be_read_is_an_empty_one(value: str) -> None:
    assert connection_of(value).password == ""


def test_a_connection_is_read_as_json_and_as_a_url() -> None:
    for value in ('{"host": "smtp.example", "port": 587, "login": "hồ sơ", "password": "a/b", "extra": {"x": true}}',
                  "smtp://h%E1%BB%93%20s%C6%A1:a%2Fb@smtp.example:587/?__extra__=%7B%22x%22%3A+true%7D"):  # fmt: skip
        read = connection_of(value)
        assert (read.host, read.port, read.login, read.password) == ("smtp.example", 587, "hồ sơ", "a/b")
        assert read.extra == {"x": True}
        assert "a/b" not in repr(read)


def test_default_passwords_are_compared_as_people_type_them() -> None:
    assert all(each == each.casefold() for each in DEFAULT_PASSWORDS)


def test_outside_of_production_nothing_is_refused() -> None:
    refuse_unsafe_start({}, [Finding("refused", "anything", "is unsafe", "mend it")])
    refuse_unsafe_start({"ENGAGEMENT_PRODUCTION": "1"}, [Finding("warning", "anything", "is odd", "look at it")])
    with pytest.raises(UnsafeInstallation, match="anything: is unsafe → mend it"):
        refuse_unsafe_start({"ENGAGEMENT_PRODUCTION": "1"}, [Finding("refused", "anything", "is unsafe", "mend it")])


@pytest.mark.parametrize(("changes", "why"), [
    ({PORTAL_KEYS: "change-me-to-what-openssl-rand-says"}, PORTAL_KEYS),
    ({PORTAL_URL: "http://hoso.example"}, PORTAL_URL),
    ({REGISTER: f"postgresql+psycopg2://portal:{DEFAULT}@127.0.0.1:1/register"}, REGISTER),
])  # fmt: skip
def test_the_portal_does_not_start_unsafe(changes: dict[str, str | None], why: str, tmp_path: Path) -> None:
    ours = {name: value for name, value in changed(changes).items() if name.startswith("ENGAGEMENT_")}
    env = {"PATH": os.defpath, "PYTHONPATH": str(ROOT), "ENGAGEMENT_PORTAL_PORT": "0"} | ours
    env["ENGAGEMENT_STORAGE_URL"] = tmp_path.as_uri()
    done = subprocess.run([sys.executable, "-m", "portal"], env=env, capture_output=True, text=True, timeout=60,
                          check=False)  # fmt: skip
    assert done.returncode == 1
    assert why in done.stderr and "ENGAGEMENT_PRODUCTION=1" in done.stderr and "Traceback" not in done.stderr


def test_no_task_works_in_an_unsafe_installation(monkeypatch: pytest.MonkeyPatch) -> None:
    from operators.case import open_office

    monkeypatch.setenv("ENGAGEMENT_PRODUCTION", "1")
    monkeypatch.setenv("ENGAGEMENT_REHEARSAL", "1")
    with pytest.raises(UnsafeInstallation, match="ENGAGEMENT_REHEARSAL"):
        open_office()


def test_make_up_is_not_for_production() -> None:
    done = subprocess.run([sys.executable, "-m", "local", "up"], env={**os.environ, "ENGAGEMENT_PRODUCTION": "1"},
                          cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)  # fmt: skip
    assert done.returncode == 1
    assert "In production" in done.stderr and done.stdout == ""
