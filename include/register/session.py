"""Sessions, locks and migrations of the register."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from sqlalchemy import Engine, create_engine, text
from sqlalchemy.orm import Session, sessionmaker
from sqlalchemy.pool import NullPool

MIGRATIONS = Path(__file__).resolve().parent / "migrations"


def make_engine(url: str) -> Engine:
    """Return an engine without a pool: tasks are short-lived processes that fork, and connections do not."""
    return create_engine(url, poolclass=NullPool)


@cache
def sessions(url: str) -> sessionmaker[Session]:
    """Return the session factory of the register at ``url``; rows stay readable after a commit."""
    return sessionmaker(make_engine(url), expire_on_commit=False)


def lock_number(name: str) -> int:
    """Return the number that PostgreSQL knows the lock ``name`` by."""
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big", signed=True)


@contextmanager
def advisory_lock(engine: Engine, name: str, *, wait: bool = True) -> Iterator[bool]:
    """Hold PostgreSQL's session-level lock ``name`` on a connection of its own; say whether it is held.

    It waits for its turn, or with ``wait`` off goes without a lock that somebody else holds. The server lets go of it
    when the holder dies, so a killed task leaves nothing locked.
    """
    number = {"n": lock_number(name)}
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        if wait:
            connection.execute(text("select pg_advisory_lock(:n)"), number)
        elif not connection.scalar(text("select pg_try_advisory_lock(:n)"), number):
            yield False
            return
        try:
            yield True
        finally:
            connection.execute(text("select pg_advisory_unlock(:n)"), number)


def newest_schema() -> str:
    """Return the revision that ``migrate`` brings a register to."""
    from alembic.script import ScriptDirectory

    return str(ScriptDirectory(str(MIGRATIONS)).get_current_head())


def known_schemas() -> set[str]:
    """Return the revisions that ``migrate`` can start from."""
    from alembic.script import ScriptDirectory

    return {str(script.revision) for script in ScriptDirectory(str(MIGRATIONS)).walk_revisions()}


def migrate(url: str) -> None:
    """Bring the register at ``url`` to the newest schema; safe to run from two processes at once."""
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.set_main_option("sqlalchemy.url", url.replace("%", "%%"))
    engine = make_engine(url)
    with advisory_lock(engine, "register-migrations"), engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
