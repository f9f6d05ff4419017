"""The environment that is judged: this process's, or that of a file, and what airflow.cfg says beside it."""

from __future__ import annotations

import configparser
import re
from collections.abc import Mapping
from pathlib import Path

from include.doctor.installation import DAGS, EXAMPLES, PAUSED, PLUGINS, RUNS, ZONE
from include.doctor.workers import CAPACITY
from include.production import AIRFLOW_SETTINGS, Environment

READ = (*AIRFLOW_SETTINGS, PLUGINS, DAGS, EXAMPLES, RUNS, ZONE, PAUSED, CAPACITY)


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
