"""The database server of the stack."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from local.postgres import Postgres, PostgresError


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
