"""The settings: whether they can be read, and suit the work."""

from __future__ import annotations

import importlib.metadata
import os
import re
from collections.abc import Iterator
from pathlib import Path

from include import clock
from include.casework.staff import holders
from include.production import (
    DATABASE,
    EXECUTOR,
    FERNET,
    OFF,
    PORTAL_URL,
    SESSIONS,
    TOKENS,
    Environment,
    Finding,
    in_production,
)
from include.settings import ROOT, load_settings

FEWEST_RUNS = 1000
PLUGINS, DAGS = "AIRFLOW__CORE__PLUGINS_FOLDER", "AIRFLOW__CORE__DAGS_FOLDER"
EXAMPLES = "AIRFLOW__CORE__LOAD_EXAMPLES"
RUNS, ZONE = "AIRFLOW__CORE__MAX_ACTIVE_RUNS_PER_DAG", "AIRFLOW__CORE__DEFAULT_TIMEZONE"
PAUSED = "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION"


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
        if anybody := [role for role, person in holders(firm) if not person.get("logins")]:
            yield Finding("warning", "ENGAGEMENT_FIRM_FILE", f"has no logins for {', '.join(anybody)}: whoever may"
                          " answer sign-offs may answer theirs", "logins: [user name] in each entry")  # fmt: skip
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
