"""Writes the secrets that docker-compose.yaml wants into ``.env``: ``python3 local/secrets_file.py [FILE]``.

Standard library only: a machine that runs containers needs nothing else of the project. What the file has already is
left as it is. What only people know is added with an empty value, which Compose refuses to start with.
"""

from __future__ import annotations

import base64
import os
import re
import secrets
import sys
from collections.abc import Callable
from pathlib import Path

PRIVATE = 0o600


def _password() -> str:
    """Return letters and digits: passwords of databases and of Redis stand inside URLs."""
    return secrets.token_hex(24)


def _key() -> str:
    return secrets.token_hex(32)


def _fernet_key() -> str:
    return base64.urlsafe_b64encode(secrets.token_bytes(32)).decode()


SECRETS: dict[str, Callable[[], str]] = {
    "POSTGRES_PASSWORD": _password,
    "AIRFLOW_DB_PASSWORD": _password,
    "REGISTER_DB_PASSWORD": _password,
    "PORTAL_DB_PASSWORD": _password,
    "REDIS_PASSWORD": _password,
    "AIRFLOW__CORE__FERNET_KEY": _fernet_key,
    "AIRFLOW__API__SECRET_KEY": _key,
    "AIRFLOW__API_AUTH__JWT_SECRET": _key,
    "ENGAGEMENT_PORTAL_KEYS": _key,
}
KNOWN_BY_PEOPLE = {
    "PORTAL_DOMAIN": "the host name at which clients reach the portal, such as hoso.example",
    "AIRFLOW_DOMAIN": "the host name at which staff reach Airflow, such as airflow.example",
    "AIRFLOW_CONN_SMTP_DEFAULT": "the mail relay, as in .env.example",
    "AIRFLOW_CONN_IMAP_DEFAULT": "the mailbox that clients reply to, as in .env.example",
}


def completed(text: str) -> tuple[str, list[str], list[str]]:
    """Return the file's text with what it lacked, the names that got a secret, and those that people must fill in."""
    written, empty = [], []
    for name, draw in SECRETS.items():
        if not _value(text, name):
            text = _with(text, f"{name}={draw()}")
            written.append(name)
    for name, what in KNOWN_BY_PEOPLE.items():
        if not _value(text, name):
            empty.append(name)
            if not _assignments(text, name):
                text = _with(text, f"# {what[0].upper()}{what[1:]}.\n{name}=")
    return text, written, empty


def complete(path: Path) -> tuple[list[str], list[str]]:
    """Complete a file, whole or not at all, readable to its owner only. Returns as ``completed``; raises OSError."""
    path = path.resolve()
    before = path.read_text(encoding="utf-8") if path.exists() else ""
    text, written, empty = completed(before)
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with open(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, PRIVATE), "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)
    return written, empty


def _assignments(text: str, name: str) -> list[re.Match[str]]:
    return list(re.finditer(rf"(?m)^[ \t]*(?:export[ \t]+)?{name}[ \t]*[=:][ \t]*(.*)$", text))


def _value(text: str, name: str) -> str:
    """Return what a variable has in the end, as Compose reads the file: the last line counts."""
    found = _assignments(text, name)
    value = found[-1][1].strip() if found else ""
    return "" if value.startswith("#") or value in ("''", '""') else value


def _with(text: str, lines: str) -> str:
    return text + ("" if not text or text.endswith("\n") else "\n") + lines + "\n"


def main(arguments: list[str]) -> int:
    """Complete the file and say what was done, without a secret."""
    path = Path(arguments[0] if arguments else ".env")
    try:
        written, empty = complete(path)
    except OSError as error:
        print(f"{error.filename or path}: {error.strerror or error}", file=sys.stderr)
        return 1
    print(f"{path}: " + (f"wrote {', '.join(written)}" if written else "had every secret already"))
    for name in empty:
        print(f"To fill in there: {name}, {KNOWN_BY_PEOPLE[name]}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
