"""A backup holds an installation as it stood at one moment, says what it is of, and notices what is not right."""

from __future__ import annotations

import gzip
import json
import secrets
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import select, text

from include.backup import databases
from include.backup.__main__ import main
from include.backup.backups import backups, faults, make_backup, read_manifest
from include.backup.databases import dump, load, program, snapshot
from include.backup.errors import BackupError
from include.backup.files import Index
from include.register.models import Document, Engagement
from include.register.session import make_engine, newest_schema
from local.postgres import Postgres
from tests.backup.conftest import Place


def contents(place: Place) -> list[Path]:
    return [path for path in (place.backups / "files").glob("*/*") if path.is_file()]


def test_the_manifest_says_what_the_backup_is_of(place: Place) -> None:
    manifest = read_manifest(place.back_up())
    assert manifest.register_revision == newest_schema()
    assert manifest.airflow_revision == "abc"
    assert manifest.airflow_version.startswith("3.")
    assert manifest.files == len(place.firm.office().storage.list(""))
    assert manifest.deviations == []


def test_a_backup_is_whole(place: Place) -> None:
    assert list(faults(place.back_up())) == []


def test_everything_stored_is_in_it(place: Place) -> None:
    index = Index.read(place.back_up() / "files.jsonl.gz")
    storage = place.firm.office().storage
    assert {path: index.sha256(path) for path in index.files} == {
        each.path: storage.sha256(each.path) for each in storage.list("")
    }


def test_what_happens_after_its_moment_is_not_in_the_dump(place: Place, tmp_path: Path) -> None:
    url = place.firm.settings.register_url
    with snapshot(url) as held:
        with make_engine(url).begin() as connection:
            connection.execute(text("update engagement set status = 'changed meanwhile'"))
        dump(held, tmp_path / "dump.gz")
    assert b"changed meanwhile" not in gzip.decompress((tmp_path / "dump.gz").read_bytes())


def test_a_dump_outlives_the_limit_on_forgotten_transactions(place: Place) -> None:
    with make_engine(place.airflow_url).begin() as connection:
        connection.execute(
            text("do $$ begin execute format('alter database %I set idle_in_transaction_session_timeout = 30000', "
                 "current_database()); end $$")
        )  # fmt: skip
    with snapshot(place.airflow_url) as held:
        assert held.connection.scalar(text("show idle_in_transaction_session_timeout")) == "0"


def test_what_is_taken_out_of_the_inbox_while_the_databases_are_dumped_is_in_the_backup(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    storage = place.firm.office().storage
    storage.put("inbox/KHV-2026-0001/information/letter.pdf", b"letter", media_type="application/pdf")

    def dump_while_it_is_taken(held: object, target: Path) -> None:
        storage.delete("inbox/KHV-2026-0001/information/letter.pdf")
        target.write_bytes(b"")

    monkeypatch.setattr("include.backup.backups.dump", dump_while_it_is_taken)
    assert Index.read(place.back_up() / "files.jsonl.gz").exists("inbox/KHV-2026-0001/information/letter.pdf")


def test_a_second_backup_copies_only_what_is_new(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    place.back_up()
    before = len(contents(place))
    place.firm.office().storage.put("engagements/new.txt", b"new", media_type="text/plain")
    read = list[str]()
    storage_class = type(place.firm.office().storage)
    opened = storage_class.open
    monkeypatch.setattr(storage_class, "open", lambda self, path: read.append(path) or opened(self, path))
    place.back_up()
    assert (len(contents(place)), read) == (before + 1, ["engagements/new.txt"])


@pytest.mark.parametrize("name", ["register.sql.gz", "airflow.sql.gz", "files.jsonl.gz"])
def test_a_backup_that_was_changed_is_damaged(place: Place, name: str) -> None:
    backup = place.back_up()
    with gzip.open(backup / name, "ab") as file:
        file.write(b"\n")
    assert f"{name} was changed" in list(faults(backup))


@pytest.mark.parametrize("change", [lambda path: path.unlink(), lambda path: path.write_bytes(b"?")])
def test_a_content_that_is_gone_or_changed_is_found(place: Place, change: object) -> None:
    backup = place.back_up()
    change(contents(place)[0])  # type: ignore[operator]
    assert list(faults(backup))


def test_a_file_that_is_not_as_the_register_says_is_told_and_the_rest_is_kept(place: Place) -> None:
    with place.firm.office().sessions() as session:
        path = session.scalars(select(Document.path)).first()
    assert path is not None
    place.firm.office().storage.delete(path)
    backup = place.back_up()
    assert read_manifest(backup).deviations == [f"gone: {path}"]
    assert list(faults(backup)) == []


def aged(backup: Path, days: int) -> Path:
    """Have a backup be of ``days`` ago."""
    manifest = json.loads((backup / "manifest.json").read_text(encoding="utf-8"))
    moment = datetime.fromisoformat(manifest["moment"]) - timedelta(days=days)
    return backup.rename(backup.with_name(moment.strftime("%Y-%m-%dT%H-%M-%SZ")))


def test_the_newest_of_each_of_the_last_days_is_kept(place: Place) -> None:
    made = [aged(place.back_up(), days) for days in (3, 2, 1)]
    newest = place.back_up(keep=3)
    assert backups(place.backups) == [*made[1:], newest]


def test_of_one_day_only_the_newest_is_kept(place: Place) -> None:
    aged(place.back_up(), 1)
    earlier = place.back_up()
    earlier = earlier.rename(earlier.with_name(earlier.name[:11] + "00-00-00Z"))
    newest = place.back_up(keep=1)
    assert backups(place.backups) == [newest]


def test_a_content_that_no_backup_names_any_more_is_deleted(place: Place) -> None:
    storage = place.firm.office().storage
    storage.put("engagements/old.txt", b"old", media_type="text/plain")
    aged(place.back_up(), 1)
    storage.delete("engagements/old.txt")
    backup = place.back_up(keep=1)
    wanted = {kept.sha256 for kept in Index.read(backup / "files.jsonl.gz").files.values()}
    assert {path.name for path in contents(place)} == wanted


def test_nothing_is_deleted_while_a_file_is_missing(place: Place) -> None:
    old = aged(place.back_up(), 5)
    with place.firm.office().sessions() as session:
        path = session.scalars(select(Document.path)).first()
    assert path is not None
    place.firm.office().storage.delete(path)
    place.back_up(keep=1)
    assert old in backups(place.backups)


def test_a_backup_that_broke_off_is_none_and_goes_with_the_next(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr("include.backup.backups.dump", lambda held, target: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            place.back_up()
    assert backups(place.backups) == []
    place.back_up()
    assert list(place.backups.glob(".unfinished*")) == []


def test_two_backups_at_once_are_one(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    def dump_twice(held: object, target: Path) -> None:
        with pytest.raises(BackupError, match="under way"):
            make_backup(place.sources, place.backups)
        raise KeyboardInterrupt

    monkeypatch.setattr("include.backup.backups.dump", dump_twice)
    with pytest.raises(KeyboardInterrupt):
        place.back_up()


def test_nobody_else_may_read_a_backup(place: Place) -> None:
    assert place.back_up().parent.stat().st_mode & 0o077 == 0


def test_a_password_never_stands_on_a_command_line() -> None:
    drawn = secrets.token_hex(8)
    dsn, env = databases._connection(f"postgresql+psycopg2://somebody:{drawn}@db.example/register?sslmode=require")
    assert drawn not in dsn
    assert env["PGPASSWORD"] == drawn
    assert "sslmode=require" in dsn


def test_a_server_newer_than_every_program_is_told(place: Place) -> None:
    with pytest.raises(BackupError, match="postgresql-client-99"):
        program("pg_dump", server=99)


def test_without_a_setting_nothing_is_begun(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["make", str(tmp_path / "backups")], {"ENGAGEMENT_REGISTER_URL": "postgresql://x/y"}) == 1
    assert "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN" in capsys.readouterr().err
    assert not (tmp_path / "backups").exists()


def test_the_command_makes_and_checks_a_backup(place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    env = {
        "ENGAGEMENT_REGISTER_URL": place.sources.register_url,
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": place.sources.airflow_url,
        "ENGAGEMENT_STORAGE_URL": place.sources.storage_url,
    }
    assert main(["make", str(place.backups), "--keep", "7"], env) == 0
    assert main(["check", str(place.backups)], {}) == 0
    assert "is whole" in capsys.readouterr().out


def test_an_engagement_of_the_time_between_two_backups_is_in_the_second(place: Place) -> None:
    place.back_up()
    with place.firm.office().sessions() as session:
        session.get_one(Engagement, place.firm.engagement).status = "a word of today"
        session.commit()
    dumped = (place.back_up() / "register.sql.gz").read_bytes()
    assert b"a word of today" in gzip.decompress(dumped)


def loaded(place: Place, postgres: Postgres, tmp_path: Path, sql: str) -> object:
    """Load a dump that begins as one of a newer PostgreSQL does, and return what a table of it says."""
    (tmp_path / "dump.sql.gz").write_bytes(gzip.compress(f"SET no_such_setting = 0;\n{sql}".encode()))
    postgres.create_database("older")
    try:
        load(tmp_path / "dump.sql.gz", postgres.url("older"))
        with make_engine(postgres.url("older")).connect() as connection:
            return connection.scalar(text("select word from t"))
    finally:
        postgres.drop_database("older")


def test_a_setting_that_the_server_is_too_old_for_is_left_out(
    place: Place, postgres: Postgres, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("include.backup.databases.TOO_NEW", {b"SET no_such_setting = 0;": 99})
    assert loaded(place, postgres, tmp_path, "create table t as select 'a' as word;") == "a"


def test_a_dump_that_cannot_be_loaded_leaves_nothing_and_tells_no_rows(
    place: Place, postgres: Postgres, tmp_path: Path
) -> None:
    with pytest.raises(BackupError, match="no_such_setting"):
        loaded(place, postgres, tmp_path, "create table t as select 'a' as word;")
    rows = "create table t (word text primary key); insert into t values ('Trần'), ('Trần');"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("include.backup.databases.TOO_NEW", {b"SET no_such_setting = 0;": 99})
        with pytest.raises(BackupError) as refused:
            loaded(place, postgres, tmp_path, rows)
    assert "Trần" not in str(refused.value)
