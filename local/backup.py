"""``python -m local.backup make|check|restore FOLDER``: backups of the installation of ``make up``, its keys included.

Where the environment names an installation, that one is meant: this is ``python -m include.backup`` then.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from include.backup.__main__ import main as command
from include.backup.__main__ import newest
from include.backup.backups import ADDED
from include.backup.errors import BackupError
from local.postgres import Postgres, PostgresError
from local.stack import DATA, ENVIRONMENT_FILE, StackError, running_environment

KEYS = "secrets"


def main(arguments: Sequence[str]) -> int:
    """Do what the command line says, for the installation in DATA if the environment names none; return its code."""
    if "ENGAGEMENT_REGISTER_URL" in os.environ or arguments[:1] not in (["make"], ["restore"]):
        return command(arguments)
    data = Path(os.environ.get("DATA") or DATA)
    try:
        if arguments[0] == "make":
            return command([*arguments, "--add", str(data / KEYS)], running_environment(data))
        return _restore(data, arguments)
    except (BackupError, PostgresError, StackError, OSError) as error:
        print(error, file=sys.stderr)
        return 1


def _restore(data: Path, arguments: Sequence[str]) -> int:
    """Restore into ``data``, whose PostgreSQL runs only so long. Links in mails go on working: their key comes back."""
    if (data / ENVIRONMENT_FILE).exists():
        raise StackError(f"The installation in {data} is running: stop it first.")
    keys = newest(Path(arguments[-1])) / ADDED / KEYS
    postgres = Postgres(data / "postgres")
    try:
        postgres.start()
        for database in ("register", "airflow"):
            postgres.create_database(database)
        code = command(arguments, {
            "ENGAGEMENT_REGISTER_URL": postgres.url("register"),
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": postgres.url("airflow"),
            "ENGAGEMENT_STORAGE_URL": (data / "storage").absolute().as_uri(),
        })  # fmt: skip
    finally:
        postgres.stop()
    if code == 0 and keys.is_dir():
        shutil.copytree(keys, data / KEYS, dirs_exist_ok=True)
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
