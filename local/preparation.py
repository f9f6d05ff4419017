"""What a new or updated installation needs once: Airflow's tables and the register's. Run as a process of the stack."""

from __future__ import annotations

import os


def prepare() -> None:
    """Bring both databases, named by the environment, to the newest schema."""
    from include.register.session import migrate

    migrate(os.environ["ENGAGEMENT_REGISTER_URL"])

    from airflow.utils.db import initdb

    initdb()


if __name__ == "__main__":
    prepare()
