"""A restored installation goes on from the backup: it knows its files, mails nothing twice, loses no answer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import select, text, update

from include.backup.__main__ import main
from include.backup.backups import Sources, read_manifest
from include.backup.errors import BackupError
from include.backup.restoring import restore, settle
from include.casework.verification import deviations
from include.clock import now
from include.mail import ledger as ledger_module
from include.mail.ledger import resume
from include.mail.record import FolderRecord
from include.register.models import Document, Engagement, Installation, Mail
from include.register.session import make_engine
from include.storage import Storage, open_storage
from tests.backup.conftest import Place
from tests.firm import ANSWERS, PAPERS, Firm, Outbox

KEY = "information"


@pytest.fixture
def restored(place: Place, empty: Callable[[], Place]) -> Callable[[Path], Place]:
    """Restores a backup into an empty installation, where the same engagement goes on."""

    def at(backup: Path) -> Place:
        target = empty()
        target.firm.engagement = place.firm.engagement
        restore(backup, target.sources)
        return target

    return at


def off(place: Place) -> list[object]:
    office = place.firm.office()
    with office.sessions() as session:
        return list(deviations(session, office.storage))


def storage_of(place: Place) -> Storage:
    return open_storage(place.sources.storage_url)


def paths(place: Place, folder: str = "") -> list[str]:
    return [each.path for each in storage_of(place).list(folder)]


def rows(firm: Firm, model: type[Document] | type[Mail]) -> int:
    with firm.office().sessions() as session:
        return len(session.scalars(select(model)).all())


def let_mail_go(firm: Firm) -> None:
    with firm.office().sessions() as session:
        resume(session)


def test_every_file_lies_as_the_register_says(place: Place, restored: Callable[[Path], Place]) -> None:
    place.firm.inform()
    target = restored(place.back_up())
    assert off(target) == []
    assert rows(target.firm, Document) == rows(place.firm, Document)


def test_airflows_database_is_restored_with_it(place: Place, restored: Callable[[Path], Place]) -> None:
    assert restored(place.back_up()).runs() == 1


def test_ids_go_on_where_they_were(place: Place, restored: Callable[[Path], Place]) -> None:
    target = restored(place.back_up())
    with make_engine(target.airflow_url).begin() as connection:
        assert connection.scalar(text("insert into dag_run (state) values ('x') returning id")) == 2


def test_all_mail_is_paused_and_staff_read_why(place: Place, restored: Callable[[Path], Place]) -> None:
    target = restored(place.back_up())
    with target.firm.office().sessions() as session:
        row = session.get_one(Installation, 1)
    assert row.mail_paused_at is not None
    assert "khôi phục" in (row.mail_paused_why or "")


def test_the_register_is_paused_in_the_transaction_that_loads_it(
    place: Place, empty: Callable[[], Place], monkeypatch: pytest.MonkeyPatch
) -> None:
    target = empty()
    monkeypatch.setattr("include.backup.restoring.settle", lambda place, target: None)
    restore(place.back_up(), target.sources)
    with make_engine(target.sources.register_url).connect() as connection:
        assert connection.scalar(text("select mail_paused_at is not null from installation"))


def test_the_engagement_goes_on_to_its_next_mail(place: Place, restored: Callable[[Path], Place]) -> None:
    target = restored(place.back_up())
    let_mail_go(target.firm)
    target.firm.ask("intake")
    target.firm.ask("information")
    assert rows(target.firm, Mail) > rows(place.firm, Mail)


# --- after the backup ---


def relay_with_record(place: Place, folder: Path) -> Firm:
    """The firm, whose mails from now on leave a record that outlives the installation."""
    folder.mkdir(exist_ok=True)

    class Recorded(Outbox):
        def send(self, sender: str, recipients: object, data: bytes) -> None:
            self.mails.append(data)
            (folder / f"{len(list(folder.iterdir()))}.eml").write_bytes(data)

    class Recording(Firm):
        def office(self) -> object:  # type: ignore[override]
            office = super().office()
            office.ledger._record = FolderRecord(folder, patience=timedelta())
            return office

    return Recording(place.firm.settings, Recorded(), place.firm.engagement)


def test_work_done_again_mails_nothing_again(
    place: Place, restored: Callable[[Path], Place], tmp_path: Path
) -> None:
    backup = place.back_up()
    relay_with_record(place, tmp_path / "record").inform()
    sent = len(list((tmp_path / "record").iterdir()))
    assert sent
    target = restored(backup)
    again = relay_with_record(target, tmp_path / "record")
    let_mail_go(again)
    again.inform()
    assert again.outbox.mails == []
    assert len(list((tmp_path / "record").iterdir())) == sent


def test_without_a_record_what_may_have_gone_waits_for_a_person(
    place: Place, restored: Callable[[Path], Place]
) -> None:
    target = restored(place.back_up())
    let_mail_go(target.firm)
    target.firm.ask("intake")
    target.firm.ask("information")
    with target.firm.office().sessions() as session:
        before = rows(place.firm, Mail)
        states = set(session.scalars(select(Mail.state).order_by(Mail.id).offset(before)))
    assert states == {"unclear"}
    assert target.firm.outbox.mails == []


def test_papers_made_after_the_backups_moment_are_set_aside_not_written_over(
    place: Place, empty: Callable[[], Place], monkeypatch: pytest.MonkeyPatch
) -> None:
    made = list[str]()

    def dump_then_work(held: object, target: Path) -> None:
        real_dump(held, target)  # type: ignore[arg-type]
        if target.name.startswith("register"):
            before = set(paths(place, "engagements"))
            place.firm.ask("intake")
            place.firm.ask("information")
            made.extend(path for path in paths(place, "engagements") if path not in before)

    from include.backup.databases import dump as real_dump

    monkeypatch.setattr("include.backup.backups.dump", dump_then_work)
    target = empty()
    done = restore(place.back_up(), target.sources)
    assert made
    assert {path.split("/", 2)[2] for path in done.aside} == set(made)
    assert off(target) == []
    assert not set(paths(target)) & set(made)


def test_an_answer_that_was_taken_in_after_the_backups_moment_is_in_the_inbox_again(
    place: Place, empty: Callable[[], Place], monkeypatch: pytest.MonkeyPatch
) -> None:
    firm = place.firm
    firm.ask("intake")
    firm.ask("information")

    def dump_then_receive(held: object, target: Path) -> None:
        real_dump(held, target)  # type: ignore[arg-type]
        if target.name.startswith("register"):
            assert firm.put(KEY, {"answers": ANSWERS}, PAPERS).receive(KEY) == "complete"

    from include.backup.databases import dump as real_dump

    monkeypatch.setattr("include.backup.backups.dump", dump_then_receive)
    target = empty()
    done = restore(place.back_up(), target.sources)
    target.firm.engagement = firm.engagement
    assert len(done.back) == len(PAPERS) + 1
    let_mail_go(target.firm)
    assert target.firm.receive(KEY) == "complete"
    assert off(target) == []


def test_an_answer_that_the_register_knows_is_not_in_the_inbox_again(
    place: Place, empty: Callable[[], Place], monkeypatch: pytest.MonkeyPatch
) -> None:
    firm = place.firm
    firm.ask("intake")
    firm.ask("information")
    firm.put(KEY, {"answers": ANSWERS}, PAPERS)
    from include.backup import backups as module

    real_copy, passes = module._copy, list[str]()

    def copy_then_receive(storage: Storage, prefix: str, *rest: object) -> None:
        real_copy(storage, prefix, *rest)  # type: ignore[arg-type]
        if not passes:
            firm.receive(KEY)
        passes.append(prefix)

    monkeypatch.setattr(module, "_copy", copy_then_receive)
    target = empty()
    restore(place.back_up(), target.sources)
    assert passes[0] == "inbox"
    assert paths(target, "inbox") == []


# --- refusals ---


def test_a_register_that_holds_something_is_never_restored_over(place: Place, empty: Callable[[], Place]) -> None:
    backup, target = place.back_up(), empty()
    with make_engine(target.sources.register_url).begin() as connection:
        connection.execute(text("create table something ()"))
    with pytest.raises(BackupError, match="register is not empty"):
        restore(backup, target.sources)


def test_airflows_database_that_holds_something_is_never_restored_over(
    place: Place, empty: Callable[[], Place]
) -> None:
    backup, target = place.back_up(), empty()
    with make_engine(target.airflow_url).begin() as connection:
        connection.execute(text("create table something ()"))
    with pytest.raises(BackupError, match="Airflow is not empty"):
        restore(backup, target.sources)


def test_a_storage_that_holds_something_is_never_restored_over(place: Place, empty: Callable[[], Place]) -> None:
    backup, target = place.back_up(), empty()
    storage_of(target).put("a", b"a", media_type="text/plain")
    with pytest.raises(BackupError, match="not empty"):
        restore(backup, target.sources)
    assert storage_of(target).get("a") == b"a"


def test_a_damaged_backup_is_refused_before_anything_is_written(place: Place, empty: Callable[[], Place]) -> None:
    backup, target = place.back_up(), empty()
    next((place.backups / "files").glob("*/*")).write_bytes(b"?")
    with pytest.raises(BackupError, match="damaged"):
        restore(backup, target.sources)
    assert paths(target) == []


@pytest.mark.parametrize(("name", "value", "word"), [
    ("register_revision", "9999", "schema 9999"),
    ("airflow_version", "99.0.0", "Airflow 99"),
    ("format", 2, "format 2"),
])  # fmt: skip
def test_a_backup_of_a_newer_version_is_refused(
    place: Place, empty: Callable[[], Place], name: str, value: object, word: str
) -> None:
    import json

    backup = place.back_up()
    manifest = json.loads((backup / "manifest.json").read_text(encoding="utf-8")) | {name: value}
    (backup / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    with pytest.raises(BackupError, match=word):
        restore(backup, empty().sources)


# --- only the databases were lost; an older schema; a crash ---


def test_a_storage_that_was_not_lost_stays_and_what_came_later_is_set_aside(
    place: Place, empty: Callable[[], Place]
) -> None:
    backup = place.back_up()
    place.firm.ask("intake")
    place.firm.ask("information")
    databases = empty()
    target = Place(
        Firm(replace(databases.firm.settings, storage_url=place.sources.storage_url), Outbox(), place.firm.engagement),
        databases.airflow_url, place.backups,
    )  # fmt: skip
    done = restore(backup, target.sources, storage_stays=True)
    assert done.aside
    assert off(target) == []


def test_a_backup_of_an_older_schema_is_brought_up_to_date(
    place: Place, empty: Callable[[], Place], postgres: object
) -> None:
    from alembic import command
    from alembic.config import Config

    from include.register.session import MIGRATIONS

    old = empty()
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    engine = make_engine(old.sources.register_url)
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0007")
    older = Place(Firm(old.firm.settings, Outbox()), place.airflow_url, place.backups)
    backup = _dumped_only(older)
    target = empty()
    restore(backup, target.sources)
    with target.firm.office().sessions() as session:
        row = session.get_one(Installation, 1)
    assert row.restored_to is not None
    assert row.mail_paused_at is not None


def _dumped_only(place: Place) -> Path:
    """Back up a register that this code cannot read yet: as the version that it belongs to would have."""
    import include.backup.backups as module

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "deviations", lambda session, index: [])
        return place.back_up()


def test_the_last_step_can_be_done_again(place: Place, empty: Callable[[], Place]) -> None:
    backup, target = place.back_up(), empty()
    restore(backup, target.sources)
    assert settle(backup, target.sources).off == []


def test_the_register_knows_to_which_moment_it_was_restored(place: Place, restored: Callable[[Path], Place]) -> None:
    backup = place.back_up()
    target = restored(backup)
    with target.firm.office().sessions() as session:
        row = session.get_one(Installation, 1)
    assert row.restored_to is not None
    assert row.restored_to.isoformat() == read_manifest(backup).moment


def test_the_command_restores_and_says_what_to_do_next(
    place: Place, empty: Callable[[], Place], capsys: pytest.CaptureFixture[str]
) -> None:
    place.back_up()
    target: Sources = empty().sources
    env = {
        "ENGAGEMENT_REGISTER_URL": target.register_url,
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": target.airflow_url,
        "ENGAGEMENT_STORAGE_URL": target.storage_url,
    }
    assert main(["restore", str(place.backups)], env) == 0
    assert "docs/operations.md" in capsys.readouterr().out


def test_the_doubt_about_mails_begins_with_the_restore(
    place: Place, restored: Callable[[Path], Place], monkeypatch: pytest.MonkeyPatch
) -> None:
    target = restored(place.back_up())
    let_mail_go(target.firm)
    monkeypatch.setattr(ledger_module, "now", lambda: now() + ledger_module.RESTORED_DOUBT + timedelta(hours=1))
    with target.firm.office().sessions() as session:
        session.execute(update(Engagement).values(created_at=now() - timedelta(days=30)))
        session.commit()
    target.firm.ask("intake")
    target.firm.ask("information")
    assert target.firm.outbox.mails
