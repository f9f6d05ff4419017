"""What an installation that serves real clients must not be: its settings, judged without contacting anything.

``python -m include.doctor`` shows every finding; the portal and each of Airflow's components refuse to start over those
that are refused (``refuse_unsafe_start``), where ENGAGEMENT_PRODUCTION=1. No finding holds a secret.
"""

from __future__ import annotations

import base64
import binascii
import json
import os
import stat
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal
from urllib.parse import parse_qsl, unquote, urlsplit

SHORTEST_KEY = 32  # characters of a key that signs
FEWEST_CHARACTERS = 8  # different ones in a key that nobody guesses
SIMPLE = "airflow.api_fastapi.auth.managers.simple.simple_auth_manager.SimpleAuthManager"
STAFF = "plugins.operations.login.StaffLogin"
LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1", "[::1]"})
PLACEHOLDER = "change-me"  # what .env.example has where a secret belongs
DEFAULT_PASSWORDS = frozenset({"admin", "airflow", "changeme", "password", "postgres", "root", "secret", "123456"})
ON, OFF = frozenset({"1", "t", "true", "y", "yes", "on"}), frozenset({"0", "f", "false", "n", "no", "off"})
MAKE_KEY = "openssl rand -hex 32"
LOGIN = "AIRFLOW__CORE__AUTH_MANAGER"
ALL_ADMINS = "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS"
FERNET, SESSIONS, TOKENS = "AIRFLOW__CORE__FERNET_KEY", "AIRFLOW__API__SECRET_KEY", "AIRFLOW__API_AUTH__JWT_SECRET"
TOKENS_BY_FILE = "AIRFLOW__API_AUTH__JWT_PRIVATE_KEY_PATH"
DATABASE = "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"
EXECUTOR, BROKER = "AIRFLOW__CORE__EXECUTOR", "AIRFLOW__CELERY__BROKER_URL"
EXPOSED = "AIRFLOW__API__EXPOSE_CONFIG"
API_HOST, API_URL, API_CERTIFICATE = "AIRFLOW__API__HOST", "AIRFLOW__API__BASE_URL", "AIRFLOW__API__SSL_CERT"
PASSWORDS_FILE = "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE"
# What is judged of Airflow's settings; an unset one has Airflow's default.
AIRFLOW_SETTINGS = (LOGIN, ALL_ADMINS, FERNET, SESSIONS, TOKENS, TOKENS_BY_FILE, DATABASE, EXPOSED, API_HOST, API_URL,
                    API_CERTIFICATE, PASSWORDS_FILE, EXECUTOR, BROKER)  # fmt: skip
REGISTER, PORTAL_KEYS = "ENGAGEMENT_REGISTER_URL", "ENGAGEMENT_PORTAL_KEYS"
METRICS_TOKEN = "ENGAGEMENT_METRICS_TOKEN"
PORTAL_HOST, PORTAL_URL = "ENGAGEMENT_PORTAL_HOST", "ENGAGEMENT_PORTAL_PUBLIC_URL"

Environment = Mapping[str, str]


@dataclass(frozen=True)
class Finding:
    """What was looked at, what was found, and how to mend it; only what is ``ok`` needs no mending."""

    level: Literal["ok", "warning", "refused"]
    subject: str
    found: str
    mend: str = ""

    def __str__(self) -> str:
        return f"{self.subject}: {self.found}" + (f" → {self.mend}" if self.mend else "")


class UnsafeInstallation(Exception):
    """A production installation that must not start as it is; the message lists what to mend."""


def in_production(env: Environment) -> bool:
    """Say whether real clients are served."""
    return env.get("ENGAGEMENT_PRODUCTION", "") == "1"


def refuse_unsafe_start(env: Environment, findings: Iterable[Finding]) -> None:
    """Raise UnsafeInstallation over what is refused, in production; elsewhere nothing is."""
    refused = [f"- {each}" for each in findings if each.level == "refused"]
    if in_production(env) and refused:
        raise UnsafeInstallation("\n".join(("With ENGAGEMENT_PRODUCTION=1 this does not start:", *refused)))


def engagement_findings(env: Environment) -> list[Finding]:
    """Judge what is the project's own: what the portal and every task need."""
    return _judged(env, {
        "Rehearsals": _rehearsal,
        "Secrets of the project": lambda env: _placeholders(env, "ENGAGEMENT_"),
        "Keys of the portal's links": _portal_keys,
        "Token of monitoring": _metrics_token,
        "Password of the register": lambda env: _password(REGISTER, env.get(REGISTER, "")),
        "Portal": _portal_listening,
        "Files with secrets": _files,
    })  # fmt: skip


def airflow_findings(env: Environment) -> list[Finding]:
    """Judge Airflow's settings, by the names of their variables, wherever their values come from."""
    return _judged(env, {
        "Login": _login,
        "Secrets of Airflow": lambda env: _placeholders(env, "AIRFLOW_"),
        "Keys of Airflow": _airflow_keys,
        "Settings that Airflow shows": _exposed,
        "Airflow's database": _database,
        "Broker of the workers": _broker,
        "Passwords of Airflow's connections": _airflow_passwords,
        "Airflow's API server": _api_listening,
    })  # fmt: skip


def _judged(env: Environment, rules: Mapping[str, Callable[[Environment], Iterable[Finding]]]) -> list[Finding]:
    return [
        found for subject, rule in rules.items()
        for found in (list(rule(env)) or [Finding("ok", subject, "nothing to mend")])
    ]  # fmt: skip


def file_finding(path: Path, mode: int) -> Finding:
    """Judge the permissions of a file that holds secrets."""
    subject, mend = f"File {path}", f"chmod 600 {path}"
    if mode & stat.S_IRWXO:
        return Finding("refused", subject, f"holds secrets and is open to every account (mode {mode & 0o777:o})", mend)
    if mode & stat.S_IRWXG:
        return Finding("warning", subject, f"holds secrets and is open to its group (mode {mode & 0o777:o})", mend)
    return Finding("ok", subject, "only its owner reads it")


def secret_files(env: Environment) -> list[Path]:
    """Return the files with secrets that these settings name or imply; whether they exist is not asked."""
    names = (PASSWORDS_FILE, TOKENS_BY_FILE, "AIRFLOW_CONFIG", "PGPASSFILE", "AWS_SHARED_CREDENTIALS_FILE")
    files = [env[name] for name in names if env.get(name)]
    if home := env.get("AIRFLOW_HOME"):
        files += [f"{home}/airflow.cfg", f"{home}/simple_auth_manager_passwords.json.generated"]
    return [Path(file).expanduser() for file in files]


def weakness(key: str) -> str:
    """Say why a key that signs is none; empty: it is one."""
    if PLACEHOLDER in key.casefold():
        return f"is still the example's “{PLACEHOLDER}”"
    if len(key) < SHORTEST_KEY:
        return f"has {len(key)} characters, fewer than {SHORTEST_KEY}"
    if len(set(key)) < FEWEST_CHARACTERS:
        return f"has fewer than {FEWEST_CHARACTERS} different characters"
    return ""


def keys_in(listed: str) -> tuple[str, ...]:
    """Return the keys of a comma-separated list."""
    return tuple(key for part in listed.split(",") if (key := part.strip()))


def _rehearsal(env: Environment) -> Iterator[Finding]:
    if env.get("ENGAGEMENT_REHEARSAL", "") not in ("", "0"):
        yield Finding("refused", "ENGAGEMENT_REHEARSAL", "is set: reminders would wait for a player",
                      "remove it: rehearsals have an installation of their own")  # fmt: skip


def _placeholders(env: Environment, prefix: str) -> Iterator[Finding]:
    for name in sorted(env):
        # Of the portal's keys each is looked at by itself.
        if name.startswith(prefix) and name != PORTAL_KEYS and PLACEHOLDER in env[name].casefold():
            yield Finding("refused", name, f"still holds the example's “{PLACEHOLDER}”", "put your own secret there")


def _portal_keys(env: Environment) -> Iterator[Finding]:
    keys = keys_in(env.get(PORTAL_KEYS, ""))
    if not keys and env.get(PORTAL_URL, "").strip():
        yield Finding("refused", PORTAL_KEYS, f"is not set, but {PORTAL_URL} is", f"make a key: {MAKE_KEY}")
    for number, key in enumerate(keys, 1):
        if why := weakness(key):
            yield Finding("refused", PORTAL_KEYS, f"its key {number} {why}", f"make one: {MAKE_KEY}")
    if {env.get(TOKENS), env.get(SESSIONS)} & set(keys):
        yield Finding("refused", PORTAL_KEYS, "is a key of Airflow's too: who has the portal could sign in to Airflow",
                      f"make one of its own: {MAKE_KEY}")  # fmt: skip


def _metrics_token(env: Environment) -> Iterator[Finding]:
    token = env.get(METRICS_TOKEN, "")
    if token and PLACEHOLDER not in token and (why := weakness(token)):
        yield Finding("refused", METRICS_TOKEN, why, f"make one: {MAKE_KEY}")


def _login(env: Environment) -> Iterator[Finding]:
    manager = env.get(LOGIN, SIMPLE)
    if manager.rpartition(".")[2] == "SimpleAuthManager":
        yield Finding("refused", LOGIN, "is SimpleAuthManager: plain passwords in a file, no limit on guessing",
                      f"{LOGIN}={STAFF}")  # fmt: skip
    if env.get(ALL_ADMINS, "").casefold() in ON:
        yield Finding("refused", ALL_ADMINS, "is on: whoever reaches Airflow is its administrator", "remove it")


def _airflow_keys(env: Environment) -> Iterator[Finding]:
    for name, what in ((FERNET, "encrypts connections"), (SESSIONS, "signs sessions"), (TOKENS, "signs logins")):
        mend = "make one: openssl rand -base64 32 | tr +/ -_" if name == FERNET else f"make one: {MAKE_KEY}"
        if name not in env or not env[name]:
            elsewhere = f"{name}_CMD" in env or f"{name}_SECRET" in env or (name == TOKENS and env.get(TOKENS_BY_FILE))
            if not elsewhere:
                yield Finding("refused", name, f"is not set: each process would make its own key that {what}", mend)
        elif name == FERNET:
            # Placeholders are found by their own rule.
            if PLACEHOLDER not in env[name] and not all(map(_is_fernet_key, keys_in(env[name]))):
                yield Finding("refused", name, "is not 32 random bytes in URL-safe base64", mend)
        elif PLACEHOLDER not in env[name] and (why := weakness(env[name])):
            yield Finding("refused", name, why, mend)
    if env.get(SESSIONS) and env.get(SESSIONS) == env.get(TOKENS):
        yield Finding("warning", TOKENS, f"is the same as {SESSIONS}", f"make one of its own: {MAKE_KEY}")


def _is_fernet_key(key: str) -> bool:
    try:
        data = base64.b64decode(key, altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        return False
    return len(data) == 32 and len(set(data)) >= FEWEST_CHARACTERS


def _airflow_passwords(env: Environment) -> Iterator[Finding]:
    for name in sorted(env):
        if name == DATABASE or name.startswith("AIRFLOW_CONN_"):
            yield from _password(name, env[name])


def _exposed(env: Environment) -> Iterator[Finding]:
    if env.get(EXPOSED, "").casefold() in ON:
        yield Finding("refused", EXPOSED, "shows every setting, keys included, to who may see the configuration",
                      "remove it, or set non-sensitive-only")  # fmt: skip


def _database(env: Environment) -> Iterator[Finding]:
    known = env.get(DATABASE) or f"{DATABASE}_CMD" in env or f"{DATABASE}_SECRET" in env
    if not known or env.get(DATABASE, "").startswith("sqlite"):
        yield Finding("refused", DATABASE, "is not set, or SQLite: a file beside the program that accounts may share",
                      "postgresql+psycopg2://airflow:…@…/airflow, a database apart from the register")  # fmt: skip
    elif env.get(REGISTER) and _where(env[REGISTER]) == _where(env.get(DATABASE, "")):
        yield Finding("refused", REGISTER, "is Airflow's own database: who operates Airflow could read every client",
                      "create another database, with a user of its own")  # fmt: skip


def _broker(env: Environment) -> Iterator[Finding]:
    """Judge who may hand work to Celery's workers: whoever may has their accounts and keys."""
    if not with_celery(env) or f"{BROKER}_CMD" in env or f"{BROKER}_SECRET" in env:
        return
    parts = urlsplit(env.get(BROKER, ""))
    if not parts.hostname:
        yield Finding("refused", BROKER, "is not set: Airflow would take one without a password",
                      "redis://:…@…:6379/0, with a password")  # fmt: skip
    elif not parts.password and parts.hostname not in LOOPBACK:
        yield Finding("refused", BROKER, "has no password: whoever reaches it has the workers do what they like",
                      "requirepass at the broker, and redis://:…@…:6379/0")  # fmt: skip
    else:
        yield from _password(BROKER, env[BROKER])


def with_celery(env: Environment) -> bool:
    """Say whether tasks run on Celery's workers."""
    return "CeleryExecutor" in env.get(EXECUTOR, "")


def _where(url: str) -> tuple[str, int, str]:
    parts = urlsplit(url)
    host = parts.hostname or dict(parse_qsl(parts.query)).get("host", "")
    return host, parts.port or 5432, parts.path


def _password(name: str, value: str) -> Iterator[Finding]:
    """Judge the password in a URL, or in a connection as JSON."""
    account = connection_of(value)
    password = account.password
    if password and (password.casefold() in DEFAULT_PASSWORDS or password == account.login):
        yield Finding("refused", name, "has a password that everybody tries first", "give that account another: "
                      "openssl rand -hex 24")  # fmt: skip


@dataclass(frozen=True)
class Connection:
    """What an ``AIRFLOW_CONN_*`` variable says, as a URL or as JSON; ``port`` 0: none."""

    host: str = ""
    port: int = 0
    login: str = ""
    password: str = field(default="", repr=False)
    extra: Mapping[str, object] = field(default_factory=dict, repr=False)


def connection_of(value: str) -> Connection:
    """Read a connection; what cannot be read is an empty one."""
    try:
        if value.lstrip().startswith("{"):
            content = json.loads(value)
            extra = content.get("extra") or {}
            if isinstance(extra, str):
                extra = json.loads(extra)
            return Connection(str(content.get("host") or ""), int(content.get("port") or 0),
                              str(content.get("login") or ""), str(content.get("password") or ""), extra)  # fmt: skip
        parts = urlsplit(value)
        extra = dict(parse_qsl(parts.query))
        if "__extra__" in extra:
            extra = json.loads(extra["__extra__"])
        return Connection(unquote(parts.hostname or ""), parts.port or 0, unquote(parts.username or ""),
                          unquote(parts.password or ""), extra)  # fmt: skip
    except (ValueError, AttributeError, TypeError):
        return Connection()


def _listening(
    what: str, host: str, url: str, *, host_name: str, url_name: str, by_itself: bool
) -> Iterator[Finding]:
    """Judge one server: it speaks TLS ``by_itself``, or a proxy before it does, or nobody else reaches it."""
    parts = urlsplit(url)
    near = host.strip() in LOOPBACK
    if by_itself or parts.scheme == "https":
        yield Finding("ok", what, "is reached over TLS")
    elif parts.hostname and parts.hostname not in LOOPBACK:
        yield Finding("refused", url_name, "is not https: what people send and see can be read on its way",
                      "put a proxy with TLS before it and give its https address")  # fmt: skip
    elif not near:
        yield Finding("refused", what, f"listens on {host} and nothing says that TLS stands before it",
                      f"{host_name}=127.0.0.1, or a proxy with TLS and its https address as {url_name}")  # fmt: skip
    else:
        yield Finding("ok", what, "is reached from this machine only")


def _portal_listening(env: Environment) -> Iterator[Finding]:
    if url := env.get(PORTAL_URL, "").strip():
        yield from _listening("Portal", env.get(PORTAL_HOST, "127.0.0.1"), url,
                              host_name=PORTAL_HOST, url_name=PORTAL_URL, by_itself=False)  # fmt: skip


def _api_listening(env: Environment) -> Iterator[Finding]:
    yield from _listening("Airflow's API server", env.get(API_HOST, "0.0.0.0"), env.get(API_URL, ""),
                          host_name=API_HOST, url_name=API_URL, by_itself=bool(env.get(API_CERTIFICATE)))  # fmt: skip


def _files(env: Environment) -> Iterator[Finding]:
    for path in secret_files(env):
        try:
            yield file_finding(path, os.stat(path).st_mode)
        except OSError:
            continue  # not there, or not for us: then nobody here reads secrets from it
