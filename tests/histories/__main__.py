"""Records the histories anew: ``make histories``. Their changes are decisions, to be read before they are committed."""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

from include.register.session import migrate
from local.postgres import Postgres
from rehearsal.scenario import FOLDER as SCENARIOS
from tests.histories.history import FOLDER, record, replay, written


def main() -> int:
    """Play every scenario, say it again, write down what was said and decided."""
    with tempfile.TemporaryDirectory(prefix="histories-") as place:
        os.environ["AIRFLOW_HOME"] = str(Path(place) / "airflow")
        server = Postgres(Path(place) / "postgres", durable=False)
        server.start()
        try:
            server.create_database("template_of_all")
            migrate(server.url("template_of_all"))
            for scenario in sorted(SCENARIOS.glob("*.yaml")):
                homes = []
                for part in ("played", "said_again"):
                    name = f"{scenario.stem}_{part}".replace("-", "_")
                    server.create_database(name, template="template_of_all")
                    home = Path(place) / name
                    home.mkdir()
                    homes.append((server.url(name), home))
                history = record(scenario, *homes[0])
                history["decided"] = replay(history, *homes[1])
                (FOLDER / f"{scenario.stem}.json").write_text(written(history), encoding="utf-8")
                print(f"{scenario.stem}: {len(history['days'])} days")
        finally:
            server.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main())
