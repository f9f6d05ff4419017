"""The register and Airflow's database."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy import create_engine, text
from sqlalchemy.pool import NullPool

from include import clock
from include.doctor.look import SECONDS
from include.production import DATABASE, Environment, Finding
from include.register.session import newest_schema

OLDEST_POSTGRES = 14  # what Airflow 3.3 is tested with
CLOCK_SECONDS = 60.0


@dataclass(frozen=True)
class RegisterFacts:
    """What a register says of itself to the account that asks.

    ``ahead_seconds``: its clock before this machine's. ``writers``: other accounts, no superusers, that may change it.
    ``waits``: open requests, for each of which a triggerer waits.
    """

    version: int
    revision: str
    is_airflows: bool
    ahead_seconds: float
    may_write: bool
    superuser: bool
    writers: tuple[str, ...] = ()
    rehearsal: bool = False
    waits: int = 0


_CHANGES = "INSERT, UPDATE, DELETE, TRUNCATE"
_MAY_CHANGE = f"""exists (select from pg_class where relnamespace = 'public'::regnamespace and relkind in ('r', 'p')
    and has_table_privilege(%s, pg_class.oid, '{_CHANGES}'))"""


def read_register(url: str) -> RegisterFacts:
    """Ask the register at ``url``. Raises what the driver raises."""
    engine = _engine(url)
    with engine.connect() as connection:
        row = connection.execute(text(
            f"""select current_setting('server_version_num')::int / 10000, to_regclass('public.dag_run') is not null,
            extract(epoch from clock_timestamp()), {_MAY_CHANGE % 'current_user'}
            or has_schema_privilege('public', 'CREATE'), rolsuper, to_regclass('public.alembic_version') is not null,
            to_regclass('public.installation') is not null, to_regclass('public.request') is not null
            from pg_roles where rolname = current_user"""
        )).one()  # fmt: skip
        ahead = float(row[2]) - clock.now().timestamp()
        writers = connection.execute(text(
            f"""select rolname from pg_roles where rolcanlogin and not rolsuper and rolname <> current_user
            and {_MAY_CHANGE % 'rolname'} order by rolname"""
        )).scalars().all()  # fmt: skip
        revision = connection.execute(text("select version_num from alembic_version")).scalar() if row[5] else None
        rehearsal = row[6] and connection.execute(text("select rehearsal_day from installation")).scalar() is not None
        asked = "select count(*) from request where status = 'open'"
        waits = connection.execute(text(asked)).scalar_one() if row[7] else 0
    return RegisterFacts(
        row[0], str(revision or ""), row[1], ahead, row[3], row[4], tuple(writers), bool(rehearsal), waits
    )


def register_findings(facts: RegisterFacts, *, portal: bool) -> Iterator[Finding]:
    """Judge a register, as the pipeline's account or the portal's sees it."""
    yield from _version("Register", facts.version)
    if facts.is_airflows:
        yield Finding("refused", "Register", "holds Airflow's tables", "create a database of its own for the register")
    newest = newest_schema()
    if facts.revision != newest:
        yield Finding("refused", "Register", f"has schema {facts.revision or 'none'}, not {newest}",
                      'python -c "from include.register.session import migrate; from include.settings import '
                      'load_settings; migrate(load_settings().register_url)"')  # fmt: skip
    else:
        yield Finding("ok", "Register", "has the newest schema")
    if facts.rehearsal:
        yield Finding("refused", "Register", "holds a rehearsal's day", "use a register that was never rehearsed in")
    if abs(facts.ahead_seconds) > CLOCK_SECONDS:
        yield Finding("refused", "Clock", f"the database's is {facts.ahead_seconds:+.0f} s off this machine's",
                      "run a time service (chrony, systemd-timesyncd) on both")  # fmt: skip
    else:
        yield Finding("ok", "Clock", "agrees with the database's")
    if portal and facts.may_write:
        yield Finding("refused", "Register", "the portal's account may change it",
                      "an account that may only read: docker-compose.yaml, databases, has the SQL")  # fmt: skip
    elif portal:
        yield Finding("ok", "Register", "the portal's account only reads")
    elif not facts.may_write:
        yield Finding("refused", "Register", "this account may not write to it", "use the account that owns it")
    elif facts.superuser:
        yield Finding("warning", "Register", "this account is the server's superuser", "an account that owns just this "
                      "database: docker-compose.yaml, databases, has the SQL")  # fmt: skip
    if facts.writers:
        yield Finding("refused", "Register", f"may also be changed by {', '.join(facts.writers)}",
                      "REVOKE what they need not; the portal's account needs SELECT only")  # fmt: skip


def airflow_database_findings(env: Environment) -> Iterator[Finding]:
    """Judge Airflow's database, of which nothing but its version is asked."""
    if not env.get(DATABASE, "").startswith("postgresql"):
        return
    with _engine(env[DATABASE]).connect() as connection:
        version = connection.execute(text("select current_setting('server_version_num')::int / 10000")).scalar_one()
    yield from _version("Airflow's database", version)


def _engine(url: str) -> Any:
    patience = {"connect_timeout": int(SECONDS), "options": f"-c statement_timeout={int(SECONDS * 1000)}"}
    return create_engine(url, poolclass=NullPool, connect_args=patience)


def _version(subject: str, version: int) -> Iterator[Finding]:
    if version < OLDEST_POSTGRES:
        yield Finding("refused", subject, f"runs on PostgreSQL {version}", f"{OLDEST_POSTGRES} or newer is needed")
    else:
        yield Finding("ok", subject, f"runs on PostgreSQL {version}")
