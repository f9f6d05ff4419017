"""The whole installation on one machine: databases, Airflow's processes, the clients' portal, storage, mail catcher.

Everything lives in one data folder and answers on 127.0.0.1 only. ``python -m local up`` runs it until Ctrl-C.
"""

from __future__ import annotations

import base64
import hashlib
import importlib.metadata
import json
import os
import secrets
import shutil
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType

from local.keeper import Keeper, KeeperError
from local.ports import HOST, PortInUse, Ports
from local.postgres import Postgres, PostgresError

ROOT = Path(__file__).resolve().parent.parent
DATA = ROOT / "data" / "up"  # the installation for real use; demos and rehearsals have folders of their own

ROLES = {
    "admin": "admin",
    "director": "user",
    "account_manager": "user",
    "service_department": "user",
    "client_care": "user",
    "council_chair": "user",
    "council_finance": "user",
    "council_industry": "user",
}
AIRFLOW_CONFIG = ROOT / "local" / "airflow_config"
NEEDED_BYTES = 500_000_000
PREPARATION_SECONDS = 300.0
API_SECONDS = 180.0
PORTAL_SECONDS = 60.0
LOCK_LIMIT = "30s"
PORTAL_ROLE = "portal"  # reads the register and nothing else
ENVIRONMENT_FILE = "environment.json"


class StackError(Exception):
    """The stack could not start; the message says in one sentence why and what to do."""


class Stack:
    """One installation in the folder ``data``.

    A ``rehearsal`` may move the installation's day, takes free ports and trades safety against power cuts for speed.
    Without ``ports``, a stack takes the usual ones (see ``Ports.from_environment``). ``dags`` is Airflow's DAGs folder,
    ``mail_server`` the module that takes the mails. ``added`` is laid over the environment of what it starts.
    """

    def __init__(
        self,
        data: Path,
        *,
        rehearsal: bool = False,
        ports: Ports | None = None,
        dags: Path = ROOT / "dags",
        mail_server: str = "local.mail_catcher",
        added: Mapping[str, str] | None = None,
    ) -> None:
        self.data = data.resolve()
        self.dags = dags
        self._mail_server = mail_server
        self._added = dict(added or {})
        self._launched: dict[str, tuple[tuple[str, ...], Mapping[str, str]]] = {}
        self.rehearsal = rehearsal
        self._ports = ports
        self._keeper = Keeper(lock=self.data / "lock")
        self._postgres = Postgres(self.data / "postgres", keeper=self._keeper, durable=not rehearsal)
        self.storage = self.data / "storage"
        self.mails = self.data / "mails"
        self.logs = self.data / "logs"
        self.users: dict[str, str] = {}

    @property
    def ports(self) -> Ports:
        """The ports in use. Raises StackError before the start."""
        if self._ports is None:
            raise StackError("The stack has no ports before it starts.")
        return self._ports

    @property
    def api_url(self) -> str:
        """Where Airflow's UI and REST API answer."""
        return f"http://{HOST}:{self.ports.api}"

    @property
    def catcher_url(self) -> str:
        """Where the mail catcher's page answers."""
        return f"http://{HOST}:{self.ports.catcher}"

    @property
    def portal_url(self) -> str:
        """Where clients reach the portal: ENGAGEMENT_PORTAL_PUBLIC_URL where a proxy stands before it."""
        here = f"http://{HOST}:{self.ports.portal}"
        return here if self.rehearsal else os.environ.get("ENGAGEMENT_PORTAL_PUBLIC_URL", "").strip() or here

    @property
    def metadata_url(self) -> str:
        """SQLAlchemy's URL of Airflow's database."""
        return self._postgres.url("airflow")

    @property
    def register_url(self) -> str:
        """SQLAlchemy's URL of the register."""
        return self._postgres.url("register")

    @property
    def keeper_pid(self) -> int | None:
        """The process that every process of the stack descends from; None: not running."""
        return self._keeper.pid

    def __enter__(self) -> Stack:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.stop()

    def start(self) -> None:
        """Start everything; returns when Airflow's API answers. Raises StackError, with nothing left running."""
        try:
            self._start()
        except BaseException as error:
            self.stop()
            if isinstance(error, (KeeperError, PostgresError, PortInUse, ValueError)):
                raise StackError(str(error)) from error
            if isinstance(error, PermissionError):
                raise StackError(f"No permission to write {error.filename or self.data}.") from error
            if isinstance(error, OSError):
                raise StackError(f"{error.filename or self.data}: {error.strerror or error}.") from error
            raise

    def stop(self) -> None:
        """Stop everything that was started, and wait for it. May be called again."""
        ours = self._keeper.pid is not None  # else what lies in the folder is another stack's
        self._keeper.close()
        self._postgres.stop()
        if ours:
            (self.data / ENVIRONMENT_FILE).unlink(missing_ok=True)

    def environment(self) -> dict[str, str]:
        """Return the environment for a process that works on this installation."""
        kept = self._machine()
        engagement = self._engagement()
        if kept.get("ENGAGEMENT_SMTP_CONN_ID"):
            # Mail goes through another relay: what that took never lies in the catcher's folder.
            del engagement["ENGAGEMENT_MAIL_RECORD"]
        return {**kept, **engagement, **self._airflow(), **self._added}

    def portal_environment(self) -> dict[str, str]:
        """Return the portal's environment: nothing of Airflow's, no mail, and of the databases the register to read."""
        engagement = self._engagement() | {
            "ENGAGEMENT_REGISTER_URL": self._postgres.url("register", role=PORTAL_ROLE),
            "ENGAGEMENT_PORTAL_HOST": HOST,
            "ENGAGEMENT_PORTAL_PORT": str(self.ports.portal),
        }
        del engagement["ENGAGEMENT_MAIL_RECORD"], engagement["ENGAGEMENT_REPLY_FOLDER"]
        kept = {name: os.environ[name] for name in _PORTAL_KEEPS if name in os.environ}
        if self.rehearsal:
            kept.pop("ENGAGEMENT_PRODUCTION", None)
        added = {name: value for name, value in self._added.items() if not name.startswith("AIRFLOW")}
        return {"PATH": os.defpath, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1", **kept, **engagement, **added}

    def _machine(self) -> dict[str, str]:
        """Return what a process needs of this machine's own environment."""
        kept = {
            name: value
            for name, value in os.environ.items()
            # Settings of some other Airflow, and what would slow every start down.
            if not name.startswith(("AIRFLOW", "_AIRFLOW")) and name not in _DROPPED
        }
        if self.rehearsal:
            kept.pop("ENGAGEMENT_PRODUCTION", None)
        local = ",".join(filter(None, (kept.get("NO_PROXY") or kept.get("no_proxy"), HOST, "localhost")))
        return kept | {
            "PATH": os.pathsep.join((str(Path(sys.executable).parent), kept.get("PATH", os.defpath))),
            "PYTHONPATH": str(ROOT),
            "PYTHONUNBUFFERED": "1",
            "NO_PROXY": local,
            "no_proxy": local,
        }

    def _engagement(self) -> dict[str, str]:
        return {
            "ENGAGEMENT_REGISTER_URL": self.register_url,
            "ENGAGEMENT_STORAGE_URL": self.storage.as_uri(),
            "ENGAGEMENT_MAIL_RECORD": self.mails.as_uri(),
            "ENGAGEMENT_REPLY_FOLDER": str(self.mails),
            "ENGAGEMENT_PORTAL_PUBLIC_URL": self.portal_url,
            "ENGAGEMENT_PORTAL_KEYS": self._secret("portal-links"),
            "ENGAGEMENT_INBOX_POLL_SECONDS": "0.3" if self.rehearsal else "1",
            "ENGAGEMENT_INBOX_SETTLE_SECONDS": "2",
            **({"ENGAGEMENT_REHEARSAL": "1"} if self.rehearsal else {}),
        }

    def _airflow(self) -> dict[str, str]:
        home = self.data / "airflow"
        mail = {"conn_type": "smtp", "host": HOST, "port": self.ports.smtp}
        mail["extra"] = {"disable_ssl": True, "disable_tls": True, "timeout": 30, "retry_limit": 0}
        settings = {
            "CORE__DAGS_FOLDER": self.dags,
            "CORE__PLUGINS_FOLDER": ROOT / "plugins" if (ROOT / "plugins").is_dir() else home / "plugins",
            "CORE__LOAD_EXAMPLES": False,
            "CORE__EXECUTOR": "LocalExecutor",
            "CORE__PARALLELISM": 8,
            "CORE__MAX_ACTIVE_TASKS_PER_DAG": 64,
            "CORE__MAX_ACTIVE_RUNS_PER_DAG": 10_000,
            "CORE__DAGS_ARE_PAUSED_AT_CREATION": False,
            "CORE__DEFAULT_TIMEZONE": "Asia/Ho_Chi_Minh",
            "CORE__HOSTNAME_CALLABLE": "socket.gethostname",  # asks no name server
            "CORE__FERNET_KEY": self._secret("fernet"),
            "CORE__AUTH_MANAGER": "airflow.api_fastapi.auth.managers.simple.simple_auth_manager.SimpleAuthManager",
            "CORE__SIMPLE_AUTH_MANAGER_USERS": ",".join(f"{name}:{role}" for name, role in ROLES.items()),
            "CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": self.passwords_file,
            "CORE__EXECUTION_API_SERVER_URL": f"{self.api_url}/execution/",
            "DATABASE__SQL_ALCHEMY_CONN": self.metadata_url,
            "LOGGING__BASE_LOG_FOLDER": home / "logs",
            "LOGGING__DAG_PROCESSOR_CHILD_PROCESS_LOG_DIRECTORY": home / "logs" / "dag_processor",
            "LOGGING__COLORED_CONSOLE_LOG": False,
            "API__HOST": HOST,
            "API__PORT": self.ports.api,
            "API__BASE_URL": self.api_url,
            "API__WORKERS": 1,
            "API__SECRET_KEY": self._secret("session"),
            "API__INSTANCE_NAME": "Kế Hoạch Việt",
            "API_AUTH__JWT_SECRET": self._secret("jwt"),
            "API_AUTH__JWT_ISSUER": "engagement-pipeline",
            "API_AUTH__JWT_LEEWAY": 660,  # seconds; a clock that steps back by ten minutes refuses no token
            "SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": 0.1,
            "SCHEDULER__MAX_DAGRUNS_PER_LOOP_TO_SCHEDULE": 10,  # what was answered is taken up between two turns
            "SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": 60,
            # A task whose start was lost with a worker or an API server is queued again, however often that happens.
            "SCHEDULER__TASK_QUEUED_TIMEOUT": 60,
            "SCHEDULER__NUM_STUCK_IN_QUEUED_RETRIES": 1000,
            "WORKERS__MIN_HEARTBEAT_INTERVAL": 1,
            "DAG_PROCESSOR__PARSING_PROCESSES": 1,
            "DAG_PROCESSOR__REFRESH_INTERVAL": 10,
            "DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": 30,
        }
        return {f"AIRFLOW__{name}": str(value) for name, value in settings.items()} | {
            "AIRFLOW_HOME": str(home),
            "AIRFLOW_CONN_SMTP_DEFAULT": json.dumps(mail),
        }

    @property
    def passwords_file(self) -> Path:
        """Where the users' passwords lie (JSON, name → password), readable to its owner only."""
        return self.data / "secrets" / "passwords.json"

    def _start(self) -> None:
        if self._ports is None:
            self._ports = Ports.free() if self.rehearsal else Ports.from_environment()
        self._make_folders()
        self._keeper.open()
        self._ports.check()
        self._make_users()
        self._postgres.start()
        self._prepare_databases()
        self._launch("portal", "-m", "portal", env=self.portal_environment())
        ports = ("--smtp-port", str(self.ports.smtp), "--page-port", str(self.ports.catcher))
        self._launch("mail-catcher", "-m", self._mail_server, str(self.mails), *ports)
        self._launch_airflow()
        self._await("portal", f"http://{HOST}:{self.ports.portal}/health", PORTAL_SECONDS)
        self._await("api-server", f"{self.api_url}/api/v2/monitor/health", API_SECONDS)
        _write_private(self.data / ENVIRONMENT_FILE, json.dumps(self.environment(), indent=1))

    def _prepare_databases(self) -> None:
        """Bring Airflow's database and the register to where the processes find them as they need them."""
        for database in ("airflow", "register"):
            self._postgres.create_database(database)
        # Workers that outlive a killed scheduler hold its connection open, and with it the lock on a run.
        self._postgres.set_option("airflow", "idle_in_transaction_session_timeout", LOCK_LIMIT)
        self._migrate()
        self._postgres.add_reader(PORTAL_ROLE, "register")

    def _launch_airflow(self) -> None:
        """Start Airflow's processes, and what only they need."""
        self._launch("api-server", "-m", "airflow", "api-server", "--host", HOST, "--port", str(self.ports.api))
        self._launch("dag-processor", "-m", "airflow", "dag-processor")
        # Their log servers would listen on every address; the API server reads the same log folder.
        self._launch("scheduler", "-m", "airflow", "scheduler", "--skip-serve-logs", env=self._scheduler_environment())
        self._launch("triggerer", "-m", "airflow", "triggerer", "--skip-serve-logs")

    def _make_folders(self) -> None:
        for folder in (self.data, self.data / "airflow", self.storage, self.mails, self.logs, self.data / "secrets"):
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        free = shutil.disk_usage(self.data).free
        if free < NEEDED_BYTES:
            raise StackError(
                f"Only {free // 1_000_000} MB are free on the disk of {self.data}; the stack needs "
                f"{NEEDED_BYTES // 1_000_000} MB: free some, or choose another folder with DATA=."
            )

    def _make_users(self) -> None:
        known: dict[str, str] = {}
        if self.passwords_file.exists():
            known = json.loads(self.passwords_file.read_text(encoding="utf-8") or "{}")
        self.users = {name: known.get(name) or secrets.token_urlsafe(12) for name in ROLES}
        _write_private(self.passwords_file, json.dumps(self.users, indent=1) + "\n")

    def _secret(self, name: str) -> str:
        """Return a key of 32 random bytes that stays the same for this installation."""
        path = self.data / "secrets" / name
        if not path.exists():
            _write_private(path, base64.urlsafe_b64encode(secrets.token_bytes(32)).decode())
        return path.read_text(encoding="ascii")

    def _migrate(self) -> None:
        wanted = _schema_version()
        if self._postgres.note("airflow") == wanted:
            return
        self._launch("preparation", "-m", "local.preparation")
        code = self._keeper.wait("preparation", PREPARATION_SECONDS)
        if code != 0:
            raise StackError(f"The databases could not be brought up to date; see {self._log('preparation')}.")
        self._postgres.set_note("airflow", wanted)

    def _scheduler_environment(self) -> dict[str, str]:
        env = self.environment()
        return env | {"PYTHONPATH": os.pathsep.join((env["PYTHONPATH"], str(AIRFLOW_CONFIG)))}

    def _launch(
        self, name: str, *arguments: str, env: dict[str, str] | None = None, program: str = sys.executable
    ) -> None:
        """Start a process, in the installation's environment if it is given none of its own."""
        log = self._log(name)
        if log.exists():
            log.replace(log.with_suffix(".previous.log"))
        self._launched[name] = (program, *arguments), env or self.environment()
        self.restart(name)

    def restart(self, name: str) -> int:
        """Start a part that has ended again, as it was started, or PostgreSQL; return its process id."""
        if name == "postgres":
            self._postgres.start()
            return self._keeper.pids()[name]
        command, env = self._launched[name]
        return self._keeper.start(name, command, env=env, cwd=ROOT, log=self._log(name))

    def add_twin(self, name: str, *, port: int | None = None) -> str:
        """Start a second process of a part, where it serves at a ``port`` of its own; return the twin's name."""
        twin = f"{name}-2"
        arguments, env = self._launched[name]
        if port is not None:
            first = str({"api-server": self.ports.api, "portal": self.ports.portal}[name])
            arguments = tuple(str(port) if each == first else each for each in arguments)
            env = {**env, "ENGAGEMENT_PORTAL_PORT": str(port)}
        self._launched[twin] = arguments, env
        self.restart(twin)
        return twin

    def forget(self, name: str) -> None:
        """Count a part no longer among those that should run."""
        self._launched.pop(name, None)

    @property
    def launched(self) -> list[str]:
        """The parts that were started and should run, PostgreSQL aside."""
        return [name for name in self._launched if name != "preparation"]

    def pids(self) -> dict[str, int]:
        """Return the process ids of the parts that run now, by name."""
        return self._keeper.pids()

    def _log(self, name: str) -> Path:
        return self.logs / f"{name}.log"

    def _await(self, name: str, url: str, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        while True:
            self.check()
            try:
                with opener.open(url, timeout=5):
                    return
            except (OSError, urllib.error.URLError):
                if time.monotonic() > deadline:
                    raise StackError(
                        f"{name} did not answer within {seconds:.0f} seconds; see {self._log(name)}."
                    ) from None
                time.sleep(0.2)

    def check(self) -> None:
        """Raise StackError if a part of the stack has ended by itself."""
        for name, code in self._keeper.ended().items():
            if name != "preparation":
                raise StackError(f"{name} has ended by itself (exit code {code}); see {self._log(name)}.")


_DROPPED = frozenset({"PYTHONDONTWRITEBYTECODE", "PYTHONHOME", "PYTHONSTARTUP", "DATABASE_URL"})
_PORTAL_KEEPS = ("LANG", "LC_ALL", "TZ", "TMPDIR", "ENGAGEMENT_FIRM_FILE", "ENGAGEMENT_MAX_FILE_BYTES",
                 "ENGAGEMENT_PRODUCTION")  # fmt: skip


def running_environment(data: Path) -> dict[str, str]:
    """Return the environment of the stack that runs in ``data``, for commands from another terminal.

    Raises StackError when none runs there.
    """
    try:
        found: dict[str, str] = json.loads((data / ENVIRONMENT_FILE).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise StackError(f"Nothing runs in {data}: start it with make up.") from None
    return found


def _schema_version() -> str:
    """Return what both databases' schemas depend on, in short."""
    digest = hashlib.sha256(importlib.metadata.version("apache-airflow-core").encode())
    for path in sorted((ROOT / "include" / "register" / "migrations" / "versions").glob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _write_private(path: Path, text: str) -> None:
    """Write a file that only its owner can read, whole or not at all."""
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    with open(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
        file.write(text)
    unfinished.replace(path)
