"""The database server of the stack."""

from __future__ import annotations

import os
import signal
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.exc import OperationalError, ProgrammingError

from local.keeper import descendants
from local.postgres import Postgres, PostgresError


@pytest.fixture
def tmp_path() -> Iterator[Path]:
    """A folder that is not pytest's own: the next run of pytest closes that to other accounts, the server's too."""
    with tempfile.TemporaryDirectory(prefix="postgres-", ignore_cleanup_errors=True) as folder:
        yield Path(folder)


def test_what_was_written_is_there_after_a_restart(tmp_path: Path) -> None:
    server = Postgres(tmp_path / "data", durable=False)
    for _ in range(2):
        server.start()
        server.create_database("kho")
        with create_engine(server.url("kho")).begin() as connection:
            connection.execute(text("create table if not exists t (x text)"))
            connection.execute(text("insert into t values ('ồ')"))
            rows = connection.execute(text("select upper(x) from t")).scalars().all()
        server.stop()
    assert rows == ["Ồ", "Ồ"]


def test_what_was_committed_outlives_a_server_that_is_killed(tmp_path: Path) -> None:
    server = Postgres(tmp_path / "data", durable=False)
    server.start()
    server.create_database("kho")
    engine = create_engine(server.url("kho"))
    pid = int((tmp_path / "data" / "cluster" / "postmaster.pid").read_text().splitlines()[0])
    with engine.begin() as connection:
        connection.execute(text("create table t (x int)"))
    for number in range(50):
        with engine.begin() as connection:
            connection.execute(text("insert into t values (:n)"), {"n": number})
    for each in (pid, *descendants(pid)):
        os.kill(each, signal.SIGKILL)
    server.stop()
    server.start()
    with create_engine(server.url("kho")).connect() as connection:
        kept = connection.scalar(text("select count(*) from t"))
    server.stop()
    assert kept == 50


def test_a_folder_with_a_long_name_is_no_obstacle(tmp_path: Path) -> None:
    server = Postgres(tmp_path / ("thư mục rất dài " * 8), durable=False)
    server.start()
    with create_engine(server.url("postgres")).connect() as connection:
        assert connection.execute(text("select 1")).scalar() == 1
    server.stop()


def test_only_the_owner_can_reach_the_server(tmp_path: Path) -> None:
    server = Postgres(tmp_path / "data", durable=False)
    server.start()
    with create_engine(server.url("postgres")).connect() as connection:
        assert connection.execute(text("show listen_addresses")).scalar() == ""
        sockets = Path(str(connection.execute(text("show unix_socket_directories")).scalar()))
    assert stat.S_IMODE(sockets.stat().st_mode) == 0o700
    server.stop()


def test_a_server_that_cannot_start_says_why(tmp_path: Path) -> None:
    server = Postgres(tmp_path / "data", durable=False)
    server.start()
    server.stop()
    (tmp_path / "data" / "cluster" / "PG_VERSION").write_text("9.6\n")
    with pytest.raises(PostgresError, match=r"PostgreSQL did not start .*see .*postgres\.log"):
        server.start()
    server.stop()


def test_a_note_stays_with_its_database(postgres: Postgres) -> None:
    postgres.create_database("noted")
    postgres.set_note("noted", "schema 'x'")
    assert postgres.note("noted") == "schema 'x'"
    postgres.drop_database("noted")
    postgres.create_database("noted")
    assert postgres.note("noted") == ""


def test_a_reader_reads_one_database_and_changes_nothing(tmp_path: Path) -> None:
    server = Postgres(tmp_path / "data", durable=False)
    server.start()
    for name in ("kho", "kho_khac"):
        server.create_database(name)
        with create_engine(server.url(name)).begin() as connection:
            connection.execute(text("create table t as select 1 as x"))
    for _ in range(2):
        server.add_reader("khach", "kho")
    mine = create_engine(server.url("kho", role="khach"))
    with mine.connect() as connection:
        assert connection.execute(text("select x from t")).scalar() == 1
    for statement in ("update t set x = 2", "delete from t", "truncate t", "drop table t", "alter table t add y text",
                      "create table u (x text)", "create temporary table u (x text)"):
        with mine.connect() as connection, pytest.raises(ProgrammingError, match=r"permission denied|must be owner"):
            connection.execute(text(statement))
    for other in ("kho_khac", "postgres"):
        with pytest.raises(OperationalError, match="permission denied"):
            create_engine(server.url(other, role="khach")).connect()
    server.stop()


def test_an_option_holds_for_later_sessions_of_one_database(postgres: Postgres) -> None:
    for name in ("limited", "unlimited"):
        postgres.create_database(name)
    postgres.set_option("limited", "idle_in_transaction_session_timeout", "30s")

    def limit(name: str) -> str:
        with create_engine(postgres.url(name)).connect() as connection:
            return str(connection.scalar(text("show idle_in_transaction_session_timeout")))

    assert (limit("limited"), limit("unlimited")) == ("30s", "0")
