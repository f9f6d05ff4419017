"""An installation with something in it, and an empty one to restore it into."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from sqlalchemy import text

from include.backup.backups import Sources, make_backup
from include.register.session import make_engine, sessions
from include.settings import Settings
from local.postgres import Postgres
from tests.firm import Firm, Outbox

_NUMBERS = itertools.count(1)


@dataclass
class Place:
    """An installation: a firm at work, a database that stands for Airflow's, and a folder for its backups."""

    firm: Firm
    airflow_url: str
    backups: Path

    @property
    def sources(self) -> Sources:
        settings = self.firm.settings
        return Sources(settings.register_url, self.airflow_url, settings.storage_url)

    def back_up(self, *, keep: int | None = None) -> Path:
        return make_backup(self.sources, self.backups, keep=keep)

    def runs(self) -> int:
        with make_engine(self.airflow_url).connect() as connection:
            return int(connection.scalar(text("select count(*) from dag_run")) or 0)


@pytest.fixture
def place(
    firm: Firm, postgres: Postgres, new_storage: Callable[[str], str], tmp_path: Path
) -> Iterator[Place]:
    """An installation whose firm has opened an engagement; Airflow's database holds a run."""
    name = f"airflow_{next(_NUMBERS)}"
    postgres.create_database(name)
    with make_engine(postgres.url(name)).begin() as connection:
        connection.execute(text("create table alembic_version (version_num text)"))
        connection.execute(text("insert into alembic_version values ('abc')"))
        connection.execute(text("create table dag_run (id serial primary key, state text)"))
        connection.execute(text("insert into dag_run (state) values ('running')"))
    settings = replace(firm.settings, storage_url=new_storage("storage"))
    yield Place(Firm(settings, Outbox()).open(), postgres.url(name), tmp_path / "backups")
    postgres.drop_database(name)


@pytest.fixture
def empty(
    postgres: Postgres, new_storage: Callable[[str], str], tmp_path: Path, firm: Firm
) -> Iterator[Callable[[], Place]]:
    """Makes an installation without anything: two databases without a table, a storage without a file."""
    names = list[str]()

    def make() -> Place:
        number = next(_NUMBERS)
        names.extend((f"restored_register_{number}", f"restored_airflow_{number}"))
        for name in names[-2:]:
            postgres.create_database(name)
        register_url, airflow_url = map(postgres.url, names[-2:])
        settings: Settings = replace(
            firm.settings, register_url=register_url, storage_url=new_storage(f"restored-{number}")
        )
        return Place(Firm(settings, Outbox()), airflow_url, tmp_path / "backups")

    yield make
    sessions.cache_clear()
    for name in names:
        postgres.drop_database(name)
