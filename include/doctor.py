"""``python -m include.doctor [--portal] [FILE]``: what is unsafe or missing in a production installation, and the mend.

Run it where the installation's processes run, with what they get: their environment, or FILE, which holds it as lines
``NAME=value``. ``--portal``: it is the portal's, else that of Airflow's components. One line for each finding; the exit
code is 1 when something is refused. Nothing waits longer than SECONDS; no secret is printed; what is written as a trial
is deleted.
"""

from __future__ import annotations

import configparser
import importlib.metadata
import os
import re
import shutil
import smtplib
import subprocess
import sys
import threading
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from sqlalchemy import create_engine, text
from sqlalchemy.exc import OperationalError
from sqlalchemy.pool import NullPool

from include import clock
from include.documents.libreoffice import LibreOffice, find_libreoffice
from include.mail.connections import imap_server_of, relay_of
from include.mail.imap import ImapServer
from include.mail.record import addresses, record_at
from include.mail.transport import Relay, TransientMailError
from include.production import (
    AIRFLOW_SETTINGS,
    DATABASE,
    FERNET,
    LOOPBACK,
    OFF,
    PORTAL_URL,
    REGISTER,
    SESSIONS,
    TOKENS,
    Environment,
    Finding,
    airflow_findings,
    connection_of,
    engagement_findings,
    file_finding,
    in_production,
)
from include.register.session import newest_schema
from include.screening.antivirus import AntivirusFailed, find_antivirus
from include.settings import ROOT, load_settings
from include.storage import Storage, StorageError, open_storage

SECONDS = 5.0
OLDEST_POSTGRES = 14  # what Airflow 3.3 is tested with
CLOCK_SECONDS = 60.0
LEAST_BYTES, FEW_BYTES = 2_000_000_000, 20_000_000_000  # a single request may bring 5 GB
FEWEST_RUNS = 1000
LETTERS = "charset=1eaf 1ed9 20ab"  # ắ ộ ₫: what fonts without Vietnamese lack first
FONT = "Liberation"
INSTALL_CLAMAV = "apt-get install clamav-daemon clamdscan"
PLUGINS, DAGS = "AIRFLOW__CORE__PLUGINS_FOLDER", "AIRFLOW__CORE__DAGS_FOLDER"
EXECUTOR, EXAMPLES = "AIRFLOW__CORE__EXECUTOR", "AIRFLOW__CORE__LOAD_EXAMPLES"
RUNS, ZONE = "AIRFLOW__CORE__MAX_ACTIVE_RUNS_PER_DAG", "AIRFLOW__CORE__DEFAULT_TIMEZONE"
PAUSED = "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION"
RECORD = "ENGAGEMENT_MAIL_RECORD"
READ = (*AIRFLOW_SETTINGS, PLUGINS, DAGS, EXECUTOR, EXAMPLES, RUNS, ZONE, PAUSED)


def examine(env: Environment, *, portal: bool) -> Iterator[Finding]:
    """Look at everything, at the network last. ``env`` is this process's own environment too."""
    yield from mode_findings(env)
    yield from engagement_findings(env)
    yield from readable_settings()
    if portal:
        yield from portal_findings(env)
    else:
        yield from airflow_findings(env)
        yield from airflow_setup_findings(env)
        yield from mail_findings(env)
        yield from office_findings(find_libreoffice())
        yield from antivirus_findings()
        yield from in_time("Fonts", lambda: font_findings(installed_fonts()))
        yield from in_time("Airflow's database", lambda: airflow_database_findings(env))
        yield from in_time("Mail relay", lambda: relay_findings(env))
        yield from in_time("Reply mailbox", lambda: mailbox_findings(env))
        for address in addresses(env.get(RECORD)):
            yield from in_time(RECORD, partial(record_findings, env, address))
    yield from in_time("Register", lambda: register_findings(read_register(env.get(REGISTER, "")), portal=portal))
    yield from in_time("Storage", lambda: storage_findings(env, portal=portal))


def in_time(subject: str, look: Callable[[], Iterable[Finding]], seconds: float = SECONDS) -> list[Finding]:
    """Return what a look at something outside finds; one that fails or lasts too long is a finding itself."""
    found: list[Finding] = []
    finished = threading.Event()

    def run() -> None:
        try:
            found.extend(look())
        except OperationalError as error:
            # libpq repeats host, account and database, and no password.
            said = str(error.orig).strip().splitlines()
            found.append(Finding("refused", subject, said[-1] if said else "does not answer",
                                 "see that it runs, its address is right and this account may use it"))  # fmt: skip
        except Exception as error:  # whatever it is, that part of the installation is not well
            # What it says may hold an address with a password.
            found.append(Finding("refused", subject, f"does not answer ({type(error).__name__})",
                                 "see that it runs, its address is right and this account may use it"))  # fmt: skip
        finished.set()

    # A name server or a network folder may hang where no timeout of a library reaches.
    threading.Thread(target=run, daemon=True).start()
    if not finished.wait(seconds):
        return [Finding("refused", subject, f"did not answer within {seconds:.0f} seconds",
                        "see that it runs and that a firewall lets this machine reach it")]  # fmt: skip
    return found


# --- settings -------------------------------------------------------------------------------------------


def mode_findings(env: Environment) -> Iterator[Finding]:
    """Judge whether the installation knows that it serves real clients."""
    if in_production(env):
        yield Finding("ok", "ENGAGEMENT_PRODUCTION", "real clients are served")
    else:
        yield Finding("refused", "ENGAGEMENT_PRODUCTION", "is not set: an unsafe start would not be refused",
                      "ENGAGEMENT_PRODUCTION=1")  # fmt: skip


def readable_settings() -> Iterator[Finding]:
    """Judge whether the project's settings can be read at all."""
    try:
        settings = load_settings()
        firm = settings.firm
    except KeyError as error:
        yield Finding("refused", str(error.args[0]), "is not set", "see .env.example")
    except ValueError as error:
        yield Finding("refused", "Settings", str(error), "see .env.example")
    except OSError as error:
        yield Finding("refused", "ENGAGEMENT_FIRM_FILE", f"cannot be read ({error.strerror})", "name a file like "
                      "include/firm.yaml")  # fmt: skip
    else:
        if str(firm["mail"]["reply_to"]).endswith(".example"):
            yield Finding("warning", "ENGAGEMENT_FIRM_FILE", "is the example's firm", "copy include/firm.yaml, fill in "
                          "yours, and name the copy")  # fmt: skip
        else:
            yield Finding("ok", "Settings", "can be read")
        if settings.portal_url is None:
            yield Finding("warning", PORTAL_URL, "is not set: no mail has a link, clients answer by email only",
                          "the https address of the portal")  # fmt: skip


def portal_findings(env: Environment) -> Iterator[Finding]:
    """Judge whether the portal's process is kept apart from Airflow."""
    held = [name for name in sorted(env) if name in (DATABASE, FERNET, SESSIONS, TOKENS)
            or name.startswith("AIRFLOW_CONN_")]  # fmt: skip
    if held:
        yield Finding("refused", "Portal", f"holds what is Airflow's: {', '.join(held)}", "start it without them")
    else:
        yield Finding("ok", "Portal", "holds no secret of Airflow's")


def airflow_setup_findings(env: Environment) -> Iterator[Finding]:
    """Judge what the project needs of Airflow: version, folders, limits, the way to its modules."""
    wanted = re.search(r"(?m)^apache-airflow==([\w.]+)", (ROOT / "requirements.txt").read_text(encoding="utf-8"))
    try:
        version = importlib.metadata.version("apache-airflow-core")
    except importlib.metadata.PackageNotFoundError:
        version = ""
    if wanted is None or version != wanted[1]:
        yield Finding("refused", "Airflow", f"is version {version or 'none'}, not {wanted[1] if wanted else '?'}",
                      "pip install --require-hashes -r requirements.txt")  # fmt: skip
    else:
        yield Finding("ok", "Airflow", f"is version {version}")
    for name, file, without in (
        (DAGS, "dags/engagement.py", "nothing runs"),
        (PLUGINS, "plugins/engagements.py", "staff have no pages, unsafe starts are not refused"),
    ):
        if Path(env.get(name, ""), Path(file).name).is_file():
            yield Finding("ok", name, "is the project's")
        else:
            yield Finding("refused", name, f"holds no {file}: {without}", f"{name}={(ROOT / file).parent}")
    paths = env.get("PYTHONPATH", "").split(os.pathsep)
    if any(path and Path(path, "operators", "case.py").is_file() for path in paths):
        yield Finding("ok", "PYTHONPATH", "leads to operators/ and include/")
    else:
        yield Finding("refused", "PYTHONPATH", "does not lead to operators/ and include/: no DAG could be read",
                      f"PYTHONPATH={ROOT} for every component")  # fmt: skip
    yield from airflow_limit_findings(env)


def airflow_limit_findings(env: Environment) -> Iterator[Finding]:
    """Judge the settings of Airflow that work badly here as Airflow has them by default."""
    executor = env.get(EXECUTOR, "LocalExecutor").rpartition(".")[2]
    runs = env.get(RUNS, "16")
    rows = (
        (executor in ("SequentialExecutor", "DebugExecutor"), EXECUTOR, f"{executor} does one thing at a time",
         f"{EXECUTOR}=LocalExecutor, or one with workers"),
        (not runs.isdigit() or int(runs) < FEWEST_RUNS, RUNS, f"{runs}: more runs than that wait for one to end",
         f"{RUNS}=10000"),
        (env.get(EXAMPLES, "True").casefold() not in OFF, EXAMPLES, "Airflow's examples stand among the firm's DAGs",
         f"{EXAMPLES}=False"),
        (env.get(PAUSED, "True").casefold() not in OFF, PAUSED, "new DAGs wait until somebody switches them on",
         f"{PAUSED}=False"),
        (env.get(ZONE, "utc") != str(clock.ZONE), ZONE, f"{env.get(ZONE, 'utc')}: reminders go out by another clock",
         f"{ZONE}={clock.ZONE}"),
    )  # fmt: skip
    for bad, name, found, mend in rows:
        yield Finding("warning", name, found, mend) if bad else Finding("ok", name, "suits")


def mail_findings(env: Environment) -> Iterator[Finding]:
    """Judge how mail is kept from being sent twice or not at all."""
    if env.get("ENGAGEMENT_MAIL_DRY_RUN", "") == "1":
        yield Finding("warning", "ENGAGEMENT_MAIL_DRY_RUN", "no mail is sent, now or later", "remove it")
    if not addresses(env.get(RECORD)):
        yield Finding("warning", RECORD, "is not set: of each mail whose answer is lost, a person must find out "
                      "whether it went", "name where to look it up; see .env.example")  # fmt: skip


# --- this machine ---------------------------------------------------------------------------------------


def office_findings(libreoffice: LibreOffice | None) -> Iterator[Finding]:
    """Judge whether documents become PDFs."""
    if libreoffice is None:
        yield Finding("warning", "LibreOffice", "is not here: clients get Word files, workbooks no computed values",
                      "apt-get install libreoffice-writer libreoffice-calc fonts-liberation2")  # fmt: skip
    else:
        yield Finding("ok", "LibreOffice", libreoffice.executable)


def antivirus_findings() -> Iterator[Finding]:
    """Judge whether a virus scanner looks at what comes from outside."""
    try:
        scanner = find_antivirus()
    except AntivirusFailed as error:
        yield Finding("refused", "ENGAGEMENT_ANTIVIRUS", str(error), f"{INSTALL_CLAMAV}, or remove it")
        return
    if scanner is None:
        yield Finding("warning", "ENGAGEMENT_ANTIVIRUS", "is not set: the built-in checks know no viruses",
                      f"{INSTALL_CLAMAV}, then ENGAGEMENT_ANTIVIRUS=clamdscan")  # fmt: skip
    else:
        yield Finding("ok", "ENGAGEMENT_ANTIVIRUS", scanner.executable)


def installed_fonts() -> list[str]:
    """Return the families of the fonts here that have the Vietnamese letters. Raises OSError without fontconfig."""
    command = ["fc-list", f":{LETTERS}", "family"]
    said = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=True).stdout
    return sorted({line.split(",")[0].strip() for line in said.splitlines() if line.strip()})


def font_findings(families: Iterable[str]) -> Iterator[Finding]:
    """Judge the fonts that PDFs are set in."""
    if any(family.startswith(FONT) for family in families):
        yield Finding("ok", "Fonts", f"{FONT} has the Vietnamese letters")
    else:
        yield Finding("refused", "Fonts", f"no {FONT} with ắ, ộ and ₫: PDFs have letters of another shape, or boxes",
                      "apt-get install fonts-liberation2")  # fmt: skip


# --- the databases --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class RegisterFacts:
    """What a register says of itself to the account that asks.

    ``ahead_seconds``: its clock before this machine's. ``writers``: other accounts, no superusers, that may change it.
    """

    version: int
    revision: str
    is_airflows: bool
    ahead_seconds: float
    may_write: bool
    superuser: bool
    writers: tuple[str, ...] = ()
    rehearsal: bool = False


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
            to_regclass('public.installation') is not null from pg_roles where rolname = current_user"""
        )).one()  # fmt: skip
        ahead = float(row[2]) - clock.now().timestamp()
        writers = connection.execute(text(
            f"""select rolname from pg_roles where rolcanlogin and not rolsuper and rolname <> current_user
            and {_MAY_CHANGE % 'rolname'} order by rolname"""
        )).scalars().all()  # fmt: skip
        revision = connection.execute(text("select version_num from alembic_version")).scalar() if row[5] else None
        rehearsal = row[6] and connection.execute(text("select rehearsal_day from installation")).scalar() is not None
    return RegisterFacts(row[0], str(revision or ""), row[1], ahead, row[3], row[4], tuple(writers), bool(rehearsal))


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


# --- storage --------------------------------------------------------------------------------------------


def storage_findings(
    env: Environment, *, portal: bool, opener: Callable[[str], Storage] = open_storage
) -> Iterator[Finding]:
    """Write, read and delete in the storage, where this process has to."""
    url = env.get("ENGAGEMENT_STORAGE_URL", "")
    parts = urlsplit(url)
    try:
        storage = opener(url)
        if portal:
            _try_portal_folder(storage)
        else:
            storage.check()
            storage.list("inbox")
    except StorageError as error:
        yield Finding("refused", "Storage", str(error), "mend what it says; see ENGAGEMENT_STORAGE_URL in .env.example")
        return
    yield Finding("ok", "Storage", "takes, gives back and deletes files")
    if parts.scheme == "file":
        folder = Path(unquote(parts.path))
        yield folder_finding(folder, folder.stat().st_mode)
        yield from disk_findings(folder, shutil.disk_usage(folder).free)
    endpoint = urlsplit(dict(parse_qsl(parts.query)).get("endpoint", ""))
    if endpoint.scheme == "http" and endpoint.hostname not in LOOPBACK:
        yield Finding("refused", "Storage", "is reached without TLS", "give an https endpoint")


def _try_portal_folder(storage: Storage) -> None:
    probe = f"portal/.check-{uuid.uuid4().hex}"
    storage.put(probe, b"check", media_type="text/plain")
    try:
        if storage.get(probe) != b"check":
            raise StorageError("The storage does not give back what was written to it.")
    finally:
        storage.delete(probe)


def folder_finding(folder: Path, mode: int) -> Finding:
    """Judge who may enter the folder with the clients' files."""
    if mode & 0o007:
        return Finding("refused", "Storage", f"every account may enter {folder} (mode {mode & 0o777:o})",
                       f"chmod o-rwx {folder}")  # fmt: skip
    return Finding("ok", "Storage", "is closed to other accounts")


def disk_findings(folder: Path, free: int) -> Iterator[Finding]:
    """Judge the room that is left, in bytes."""
    left, mend = f"{free / 1e9:.1f} GB are left on the disk of {folder}", "free some, or move the storage"
    if free < LEAST_BYTES:
        yield Finding("refused", "Disk", left, mend)
    elif free < FEW_BYTES:
        yield Finding("warning", "Disk", left, mend)
    else:
        yield Finding("ok", "Disk", left)


# --- mail servers ---------------------------------------------------------------------------------------


def relay_findings(
    env: Environment, *, greeted: Callable[[Relay], smtplib.SMTP] = Relay.greeted
) -> Iterator[Finding]:
    """Greet the mail relay as mails do, and take leave."""
    name = f"AIRFLOW_CONN_{env.get('ENGAGEMENT_SMTP_CONN_ID', 'smtp_default').upper()}"
    if not env.get(name):
        yield Finding("warning", name, "is not in the environment; where Airflow itself keeps it, it was not tried",
                      "see .env.example")  # fmt: skip
        return
    relay = relay_of(connection_of(env[name]), timeout=SECONDS)
    near = relay.host in LOOPBACK
    if relay.tls == "none" and relay.user and not near:
        yield Finding("refused", name, "sends its password without TLS", 'take "disable_tls" out of its extra')
        return
    if relay.tls == "none" and not near:
        yield Finding("warning", name, "sends clients' mail without TLS", 'take "disable_tls" out of its extra')
    if not relay.user and not near:
        yield Finding("warning", name, "has no login", "give an account, unless the relay knows this machine")
    try:
        smtp = greeted(relay)
    except TransientMailError as error:
        said = type(error.__cause__ or error).__name__  # what a server says may repeat the login
        yield Finding("refused", name, f"no conversation with {relay.host}:{relay.port} ({said})",
                      "see host, port, login and TLS of the connection")  # fmt: skip
        return
    with suppress(OSError, smtplib.SMTPException):
        smtp.quit()
    yield Finding("ok", name, f"{relay.host} answers" + ("" if relay.tls == "none" else " over TLS")
                  + (" and takes the login" if relay.user else ""))  # fmt: skip


def mailbox_findings(
    env: Environment, *, opened: Callable[[ImapServer], AbstractContextManager[Any]] = ImapServer.open
) -> Iterator[Finding]:
    """Log in to the mailbox that clients reply to, as the DAG ``mailbox`` does."""
    name = f"AIRFLOW_CONN_{env.get('ENGAGEMENT_IMAP_CONN_ID', 'imap_default').upper()}"
    if env.get("ENGAGEMENT_REPLY_FOLDER"):
        yield Finding("refused", "ENGAGEMENT_REPLY_FOLDER", "replies are read from a folder of mails", "remove it")
    if not env.get(name):
        yield Finding("warning", name, "is not in the environment: unless Airflow itself keeps it, nobody reads what "
                      "clients reply by email", "see .env.example")  # fmt: skip
        return
    server = imap_server_of(connection_of(env[name]), timeout=SECONDS)
    if server.tls == "none" and server.host not in LOOPBACK:
        yield Finding("refused", name, "sends its password without TLS", '"use_ssl": true in its extra')
        return
    try:
        with opened(server):
            pass
    except TransientMailError:
        yield Finding("refused", name, f"{server.host}:{server.port} does not let this account in",
                      "see host, port, login and TLS of the connection")  # fmt: skip
        return
    yield Finding("ok", name, f"{server.host} lets this account in")


def record_findings(env: Environment, address: str) -> Iterator[Finding]:
    """Ask a mail record for a mail that never was."""

    def imap_server(conn_id: str) -> ImapServer:
        name = f"AIRFLOW_CONN_{conn_id.upper()}"
        if not env.get(name):
            raise KeyError(name)
        return imap_server_of(connection_of(env[name]), timeout=SECONDS)

    try:
        record_at(address, imap_server).contains(f"<{uuid.uuid4().hex}@doctor.invalid>", since=clock.now())
    except ValueError as error:
        yield Finding("refused", RECORD, str(error), "see .env.example")
    except KeyError as error:
        yield Finding("warning", RECORD, f"{address} was not asked: {error.args[0]} is not in the environment; Airflow "
                      "itself may keep it", "see .env.example")  # fmt: skip
    except TransientMailError as error:
        yield Finding("refused", RECORD, f"{address} cannot be asked: {error}", "mend what it says: mails whose answer "
                      "is lost would wait for it, then for a person")  # fmt: skip
    else:
        yield Finding("ok", RECORD, f"{address} can be asked")


# --- the command ----------------------------------------------------------------------------------------


def read_environment_file(path: Path) -> dict[str, str]:
    """Return the lines ``NAME=value`` of a file, as systemd and Compose read them. Raises ValueError with the line."""
    found: dict[str, str] = {}
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        line = line.strip()
        if not line or line.startswith("#"):
            continue
        name, equals, value = line.removeprefix("export ").partition("=")
        value = value.strip()
        if not equals or not re.fullmatch(r"[A-Za-z_]\w*", name):
            raise ValueError(f"{path}, line {number}: not NAME=value")
        if len(value) > 1 and value[0] in "\"'" and value[-1] == value[0]:
            value = value[1:-1]
        found[name] = value
    return found


def with_airflow_cfg(env: Environment) -> dict[str, str]:
    """Return the environment, and what airflow.cfg sets beside it, by the names of the variables."""
    path = env.get("AIRFLOW_CONFIG") or (f"{env['AIRFLOW_HOME']}/airflow.cfg" if env.get("AIRFLOW_HOME") else "")
    parser = configparser.ConfigParser(interpolation=None, strict=False, allow_no_value=True)
    if path:
        parser.read(Path(path).expanduser(), encoding="utf-8")
    found = dict(env)
    for name in READ:
        _, section, key = name.lower().split("__")
        value = parser.get(section, key, fallback=None)
        if value and name not in env:
            found[name] = value
    return found


def environment_from(file: Path | None, inherited: Mapping[str, str]) -> dict[str, str]:
    """Return the installation's environment: what is inherited, or a file's instead of all that concerns it."""
    if file is None:
        return with_airflow_cfg(inherited)
    kept = {name: value for name, value in inherited.items()
            if not name.startswith(("ENGAGEMENT_", "AIRFLOW", "AWS_")) and name != "PYTHONPATH"}  # fmt: skip
    return with_airflow_cfg(kept | read_environment_file(file))


def main(arguments: list[str]) -> int:
    """Print the findings, the worst last; returns 1 when something is refused, 2 when it was not asked properly."""
    portal, files = "--portal" in arguments, [Path(each) for each in arguments if each != "--portal"]
    if len(files) > 1:
        print("Usage: python -m include.doctor [--portal] [FILE]", file=sys.stderr)
        return 2
    try:
        env = environment_from(files[0] if files else None, os.environ)
    except (OSError, ValueError) as error:
        print(error, file=sys.stderr)
        return 2
    # Libraries that are tried look there.
    for name in set(os.environ) - set(env):
        del os.environ[name]
    os.environ.update(env)
    found = [file_finding(file, file.stat().st_mode) for file in files]
    found += examine(env, portal=portal)
    order = ("ok", "warning", "refused")
    for each in sorted(found, key=lambda each: order.index(each.level)):
        print(f"{each.level:8} {each}")
    counts = {level: sum(each.level == level for each in found) for level in order}
    print(f"{counts['refused']} refused, {counts['warning']} to look at, {counts['ok']} in order")
    return 1 if counts["refused"] else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
