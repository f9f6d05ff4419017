"""The databases that docker-compose.yaml makes: each user has a password of its own and enters one of them."""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import re
import subprocess
from collections.abc import Iterator
from urllib.parse import parse_qs, urlsplit

import psycopg2
import pytest
from sqlalchemy import create_engine, text

from include.register.session import migrate
from local.postgres import Postgres, find_programs
from tests.compose import COMPOSE

SECRET = re.compile(r"PASSWORD|SECRET|FERNET|CONN|KEYS")
DATABASES = ("airflow", "register")
ROLES = (*DATABASES, "portal")


@pytest.fixture
def initialised(postgres: Postgres) -> Iterator[tuple[Postgres, dict[str, str]]]:
    """A server on which the file's SQL ran as PostgreSQL's image runs it, and the passwords it was given."""
    passwords = {role: f"of {role}: '\\ $x" for role in ROLES}
    socket = parse_qs(urlsplit(postgres.url("postgres")).query)["host"][0]
    try:
        subprocess.run(
            [str(find_programs() / "psql"), "-v", "ON_ERROR_STOP=1", "--no-psqlrc", "-h", socket, "-U", "postgres"],
            input=COMPOSE["configs"]["databases"]["content"],
            env={
                "PATH": os.defpath,
                "AIRFLOW_DB_PASSWORD": passwords["airflow"],
                "REGISTER_DB_PASSWORD": passwords["register"],
                "PORTAL_DB_PASSWORD": passwords["portal"],
            },
            text=True,
            check=True,
            capture_output=True,
        )
        yield postgres, passwords
    finally:
        for database in DATABASES:
            postgres.drop_database(database)
        engine = create_engine(postgres.url("postgres"), isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            for role in ROLES:
                connection.execute(text(f"drop role if exists {role}"))
        engine.dispose()


def as_role(postgres: Postgres, role: str, database: str) -> str:
    return postgres.url(database).replace("//postgres@", f"//{role}@")


def is_password(stored: str, password: str) -> bool:
    """Whether PostgreSQL's stored verifier (SCRAM-SHA-256, RFC 5803) is this password's."""
    _, salting, keys = stored.split("$")
    iterations, salt = salting.split(":")
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), base64.b64decode(salt), int(iterations))
    client_key = hmac.digest(salted, b"Client Key", "sha256")
    return base64.b64encode(hashlib.sha256(client_key).digest()).decode() == keys.split(":")[0]


def test_each_database_belongs_to_a_user_who_cannot_enter_the_other(
    initialised: tuple[Postgres, dict[str, str]],
) -> None:
    postgres, _ = initialised
    migrate(as_role(postgres, "register", "register"))
    with pytest.raises(psycopg2.OperationalError, match="permission denied"):
        psycopg2.connect(as_role(postgres, "register", "airflow").replace("+psycopg2", ""))
    with pytest.raises(psycopg2.OperationalError, match="permission denied"):
        psycopg2.connect(as_role(postgres, "airflow", "register").replace("+psycopg2", ""))


def test_the_portal_reads_the_register_changes_nothing_and_enters_no_other_database(
    initialised: tuple[Postgres, dict[str, str]],
) -> None:
    postgres, _ = initialised
    migrate(as_role(postgres, "register", "register"))
    portal = psycopg2.connect(as_role(postgres, "portal", "register").replace("+psycopg2", ""))
    portal.autocommit = True
    cursor = portal.cursor()
    cursor.execute("select count(*) from engagement, request, document")
    assert cursor.fetchone() == (0,)
    for statement in ("delete from engagement", "insert into number_series values ('x', 2026, 1)",
                      "create table mine (x text)", "create temporary table mine (x text)"):
        with pytest.raises(psycopg2.errors.InsufficientPrivilege):
            cursor.execute(statement)
    portal.close()
    with pytest.raises(psycopg2.OperationalError, match="permission denied"):
        psycopg2.connect(as_role(postgres, "portal", "airflow").replace("+psycopg2", ""))


def test_the_database_users_get_the_passwords_that_were_set(initialised: tuple[Postgres, dict[str, str]]) -> None:
    postgres, passwords = initialised
    engine = create_engine(postgres.url("postgres"))
    with engine.connect() as connection:
        stored = {role: password for role, password in connection.execute(
            text("select rolname, rolpassword from pg_authid where rolname in ('airflow', 'register', 'portal')")
        )}  # fmt: skip
    engine.dispose()
    assert {role: is_password(stored[role], passwords[role]) for role in ROLES} == {
        "airflow": True,
        "register": True,
        "portal": True,
    }
