"""The processes of docker-compose.yaml by hand on this machine, with the settings, commands and files that stand there.

What has to differ from the containers is listed in ``_places`` (where things are on this machine) and in ``REHEARSED``
and ``_differences`` (what is set otherwise, and why).
"""

from __future__ import annotations

import json
import os
import re
import secrets
import shlex
import shutil
import socket
import ssl
import subprocess
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import httpx

from chaos.stand import NOTICED_SOON
from local.ports import HOST
from local.postgres import find_programs
from local.secrets_file import completed
from local.stack import API_SECONDS, ROOT, Stack, StackError
from tests.compose import COMPOSE, SERVICES, image_environment, interpolated

NEEDED = ("redis-server", "caddy")  # programs, and the Debian packages that bring them
TWINS = ("airflow-worker", "airflow-triggerer")
OPERATIONS = ROOT / "docs" / "operations.md"
STEP_SECONDS = 240.0
FILLED_IN = {
    "PORTAL_DOMAIN": "hoso.example",
    "AIRFLOW_DOMAIN": "airflow.example",
    "AIRFLOW_CONN_SMTP_DEFAULT": "{}",
    "AIRFLOW_CONN_IMAP_DEFAULT": "{}",
    "AIRFLOW__CELERY__WORKER_CONCURRENCY": "3",
    "AIRFLOW__CORE__PARALLELISM": "6",
}
# A rehearsal has a day of its own and no patience; seconds.
REHEARSED = {
    "ENGAGEMENT_PRODUCTION": "0",
    "ENGAGEMENT_REHEARSAL": "1",
    "ENGAGEMENT_INBOX_POLL_SECONDS": "0.5",
    "ENGAGEMENT_INBOX_SETTLE_SECONDS": "2",
    "AIRFLOW__SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": "0.1",
    **NOTICED_SOON,
    "AIRFLOW__DAG_PROCESSOR__PARSING_PROCESSES": "1",
}


def missing_programs() -> list[str]:
    """Return the Debian packages that this machine lacks for a cluster."""
    return [program for program in NEEDED if shutil.which(program) is None]


class Cluster(Stack):
    """One cluster in the folder ``data``: two workers, two triggerers, one of everything else."""

    def __init__(self, data: Path) -> None:
        super().__init__(data, rehearsal=True)
        text, _, _ = completed("")
        self._env_file = dict(line.split("=", 1) for line in text.splitlines() if "=" in line) | FILLED_IN
        self._redis, self._portal_door, self._staff_door, self._scheduler_health = (_free_port() for _ in range(4))

    @property
    def portal_url(self) -> str:
        """Where clients reach the portal: at the proxy."""
        return f"http://{HOST}:{self._portal_door}"

    @property
    def staff_url(self) -> str:
        """Where staff reach Airflow: at the proxy."""
        return f"https://localhost:{self._staff_door}"

    @property
    def register_url(self) -> str:
        """SQLAlchemy's URL of the register."""
        return self.service_environment("airflow-worker")["ENGAGEMENT_REGISTER_URL"]

    def staff_browser(self) -> httpx.Client:
        """Return what reaches Airflow as staff's browsers do, and trusts the proxy's certificate."""
        root = self.data / "caddy" / "caddy" / "pki" / "authorities" / "local" / "root.crt"
        trust = ssl.create_default_context(cafile=root)
        return httpx.Client(base_url=self.staff_url, verify=trust, trust_env=False, timeout=60)

    def environment(self) -> dict[str, str]:
        """Return a worker's environment."""
        return self._machine() | self.service_environment("airflow-worker")

    def portal_environment(self) -> dict[str, str]:
        """Return the portal's environment."""
        kept = {name: value for name, value in self._machine().items() if not name.startswith("ENGAGEMENT")}
        return kept | self.service_environment("portal")

    def service_environment(self, service: str) -> dict[str, str]:
        """Return what the image and docker-compose.yaml set for a service, with what differs here."""
        image = {} if service == "proxy" else image_environment()
        rows = {name: value for name, value in SERVICES[service]["environment"].items() if value is not None}
        found = {name: self._here(value) for name, value in (image | rows).items()}
        return found | self._differences(service)

    def _differences(self, service: str) -> dict[str, str]:
        if service == "proxy":
            return {"PROXY_BIND": HOST, "PROXY_HTTP_PORT": str(self._portal_door), "PORTAL_SITE": self.portal_url,
                    "AIRFLOW_SITE": self.staff_url, "XDG_DATA_HOME": str(self.data / "caddy"),
                    "XDG_CONFIG_HOME": str(self.data / "caddy"), "HOME": str(self.data / "caddy")}  # fmt: skip
        if service == "portal":
            return {"ENGAGEMENT_PRODUCTION": "0", "ENGAGEMENT_REHEARSAL": "1",
                    "ENGAGEMENT_PORTAL_PUBLIC_URL": self.portal_url, "ENGAGEMENT_PORTAL_HOST": HOST,
                    "ENGAGEMENT_PORTAL_PORT": str(self.ports.portal)}  # fmt: skip
        mail = {"conn_type": "smtp", "host": HOST, "port": self.ports.smtp}
        mail["extra"] = {"disable_ssl": True, "disable_tls": True, "timeout": 30, "retry_limit": 0}
        return REHEARSED | {
            "AIRFLOW_HOME": str(self.data / "airflow"),  # /opt/airflow in Airflow's image
            "AIRFLOW__API__HOST": HOST,
            "AIRFLOW__API__PORT": str(self.ports.api),
            "AIRFLOW__API__BASE_URL": self.staff_url,
            "AIRFLOW__SCHEDULER__SCHEDULER_HEALTH_CHECK_SERVER_PORT": str(self._scheduler_health),
            "ENGAGEMENT_PORTAL_PUBLIC_URL": self.portal_url,
            # The mail catcher is the relay, the reply mailbox and the record of what the relay took.
            "AIRFLOW_CONN_SMTP_DEFAULT": json.dumps(mail),
            "ENGAGEMENT_MAIL_RECORD": self.mails.as_uri(),
            "ENGAGEMENT_REPLY_FOLDER": str(self.mails),
        }

    def _here(self, text: str) -> str:
        """Return a setting as it reads on this machine."""
        text = interpolated(text, self._filled)
        for pattern, place in self._places().items():
            text = re.sub(pattern, lambda _, place=place: place, text)
        return text

    def _filled(self, found: re.Match[str]) -> str:
        value = self._env_file.get(found["name"], "")
        if value or found["rest"].startswith(":-"):
            return value or found["rest"][2:]
        raise StackError(f"{found['name']} is not set: {found['rest'][2:]}")

    def _places(self) -> dict[str, str]:
        sockets = parse_qs(urlsplit(self._postgres.url("postgres")).query)["host"][0]
        return {
            r"@postgres/airflow$": f"@/airflow?host={sockets}",
            r"@postgres/register$": f"@/register?host={sockets}",
            r"@redis:6379": f"@{HOST}:{self._redis}",
            r"airflow-apiserver:8080": f"{HOST}:{self.ports.api}",
            r"portal:8090": f"{HOST}:{self.ports.portal}",
            r"/opt/engagement": str(ROOT),
            r"/var/lib/engagement": str(self.storage),
            r"/etc/engagement/firm\.yaml": str(ROOT / "include" / "firm.yaml"),
        }

    def check_health(self, service: str, *, host: str = "") -> subprocess.CompletedProcess[str]:
        """Do the health check that the file has for a service, in a container whose name is ``host``."""
        kind, *words = SERVICES[service]["healthcheck"]["test"]
        command = [self._here(word) for word in words]
        places = {"localhost:8080": f"{HOST}:{self.ports.api}", "localhost:8974": f"{HOST}:{self._scheduler_health}",
                  "localhost:8090": f"{HOST}:{self.ports.portal}", "redis-cli": f"redis-cli -p {self._redis}"}
        for pattern, place in places.items():
            command = [word.replace(pattern, place) for word in command]
        named = service if "worker" in service else socket.gethostname()
        env = self._machine() | self.service_environment(service) | {"HOSTNAME": host or named}
        shell = ["sh", "-c"] if kind == "CMD-SHELL" else []
        return subprocess.run([*shell, *command], env=env, cwd=ROOT, capture_output=True, text=True, check=False,
                              timeout=STEP_SECONDS)  # fmt: skip

    def back_up(self, folder: Path) -> subprocess.CompletedProcess[str]:
        """Make one backup as the service ``backup`` does."""
        script = SERVICES["backup"]["command"][-1]
        [line] = re.findall(r"(?m)^ *(python -m include\.backup .+?)(?: \|\| true)?$", script)
        line = interpolated(line, lambda found: found[0]).replace("/backups", shlex.quote(str(folder)))
        return subprocess.run(["bash", "-euc", line], env=self._of("backup"), cwd=ROOT, capture_output=True, text=True,
                              check=False, timeout=STEP_SECONDS)  # fmt: skip

    # --- what the containers run ----------------------------------------------------------------------------

    def _prepare_databases(self) -> None:
        sockets = parse_qs(urlsplit(self._postgres.url("postgres")).query)["host"][0]
        # As PostgreSQL's image does it, with the same SQL.
        psql = str(find_programs() / "psql")
        self._step([psql, "--no-psqlrc", "-v", "ON_ERROR_STOP=1", "-h", sockets, "-U", "postgres"],
                   given=COMPOSE["configs"]["databases"]["content"], env={"PATH": os.defpath, **{
                       name: self._env_file[name]
                       for name in SERVICES["postgres"]["environment"] if name in self._env_file}})  # fmt: skip
        self._start_redis()
        self._step(SERVICES["airflow-init"]["command"], env=self._of("airflow-init"))
        self.users = {}
        self.make_user("admin")

    def make_user(self, name: str) -> None:
        """Make a user by the command that docs/operations.md has for it, and its password."""
        said = OPERATIONS.read_text(encoding="utf-8")
        commands = re.findall(r"(?m)^docker compose run --rm airflow-init (airflow users create .+)$", said)
        [words] = [words for words in map(shlex.split, commands) if words[words.index("--username") + 1] == name]
        self.users[name] = secrets.token_hex(12)
        self._step(words, given=f"{self.users[name]}\n" * 2, env=self._of("airflow-init"))

    def _launch_airflow(self) -> None:
        # In the order of depends_on.
        self._launch_service("airflow-apiserver")
        self._await("airflow-apiserver", f"{self.api_url}/api/v2/monitor/health", API_SECONDS)
        for service in ("airflow-scheduler", "airflow-dag-processor", *TWINS):
            self._launch_service(service)
        for service in TWINS:
            self._launch_service(service, f"{service}-2")
        program, *arguments = (self._here(word) for word in SERVICES["proxy"]["command"])
        caddyfile = str(ROOT / COMPOSE["configs"]["caddyfile"]["file"])
        arguments = [caddyfile if word == "/etc/caddy/Caddyfile" else word for word in arguments]
        (self.data / "caddy").mkdir(exist_ok=True)
        self._launch("proxy", *arguments, program=shutil.which(program) or program,
                     env={"PATH": os.defpath, **self.service_environment("proxy")})  # fmt: skip

    def _launch_service(self, service: str, name: str = "") -> None:
        command = SERVICES[service]["command"]
        words = [command] if isinstance(command, str) else list(command)
        # In containers each worker has a host name of its own.
        more = ["--celery-hostname", name or service] if service == "airflow-worker" else []
        self._launch(name or service, "-m", "airflow", *words, *more, env=self._of(service))

    def _of(self, service: str) -> dict[str, str]:
        return self._machine() | self.service_environment(service)

    def _start_redis(self) -> None:
        folder = self.data / "redis"
        folder.mkdir(mode=0o700, exist_ok=True)
        file = folder / "redis.conf"
        content = self._here(COMPOSE["configs"]["redis"]["content"])
        file.write_text(f"{content}\nbind {HOST}\nport {self._redis}\ndir {folder}\n", encoding="utf-8")
        file.chmod(0o600)
        self._launch("redis", str(file), program=shutil.which("redis-server") or "redis-server",
                     env={"PATH": os.defpath})  # fmt: skip

    def _step(self, command: list[str], *, env: dict[str, str], given: str = "") -> None:
        """Run something to its end. Raises StackError with what it said."""
        ran = subprocess.run(
            command, input=given, env=env, cwd=ROOT, capture_output=True, text=True, timeout=STEP_SECONDS, check=False,
            start_new_session=True,
        )  # fmt: skip
        log = self.logs / "steps.log"
        with log.open("a", encoding="utf-8") as file:
            file.write(ran.stdout + ran.stderr)
        if ran.returncode:
            raise StackError(f"{command[:4]} ended with {ran.returncode}: {(ran.stdout + ran.stderr)[-2000:]}")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])
