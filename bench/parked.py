"""Many open engagements on a running installation: copies of what Airflow holds of one that waits for its client.

Run, task instances and trigger are copied. The copies wait for a folder in which nothing ever arrives. A bench is the
only place that writes Airflow's tables.
"""

from __future__ import annotations

from sqlalchemy import Connection, create_engine, text

BATCH = 1000
COLUMNS = text("select column_name from information_schema.columns where table_name = :name order by ordinal_position")
COPY = """
    insert into {table} ({columns}) select {values} from {table} as old, unnest(:names) as new(name)
    where old.run_id = :of
"""
TRIGGERS = """
    with made as (
        insert into trigger ({columns}) select {columns} from trigger, unnest(:names) where id = :trigger returning id
    ), numbered as (select id, row_number() over (order by id) as number from made),
    named as (select name, number from unnest(:names) with ordinality as new(name, number))
    update task_instance set trigger_id = numbered.id from numbered join named using (number)
    where run_id = named.name and trigger_id = :trigger
"""
# As after hours of waiting: the scheduler has looked at each at some time of its last round.
CHANGED = {
    "dag_run": {"run_id": "new.name", "last_scheduling_decision": "now() - random() * interval '30 seconds'"},
    "task_instance": {"id": "gen_random_uuid()", "run_id": "new.name"},
}


class Copies:
    """Copies of the parked run ``of`` in Airflow's database at ``url``."""

    def __init__(self, url: str, of: str) -> None:
        self._engine = create_engine(url)
        self._of = of
        self.number = 0

    def grow(self, number: int) -> None:
        """Make as many more as it takes to have ``number`` of them."""
        names = [f"bench-{each:06d}" for each in range(self.number, number)]
        with self._engine.begin() as connection:
            for start in range(0, len(names), BATCH):
                self._copy(connection, names[start : start + BATCH])
        with self._engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(text("vacuum analyze"))
        self.number = max(self.number, number)

    def watched(self) -> int:
        """Return how many triggers a triggerer has taken on."""
        with self._engine.connect() as connection:
            return connection.scalar(text("select count(*) from trigger where triggerer_id is not null")) or 0

    def round(self, seconds: float) -> float:
        """Return how many seconds the scheduler takes to look at every run, by the last ``seconds`` of watching."""
        looked = text(
            "select count(*), count(*) filter (where at > now() - :seconds * interval '1 second'), "
            "extract(epoch from now() - min(at)) "
            "from (select last_scheduling_decision as at from dag_run where state = 'running') as looks"
        )
        with self._engine.connect() as connection:
            runs, lately, oldest = connection.execute(looked, {"seconds": seconds}).one()
        return float(oldest if lately == runs else seconds * runs / lately)

    def size(self) -> dict[str, int]:
        """Return the rows and the bytes of Airflow's database."""
        with self._engine.connect() as connection:
            rows = sum(connection.scalar(text(f"select count(*) from {name}")) or 0 for name in (*CHANGED, "trigger"))
            return {"rows": rows, "bytes": connection.scalar(text("select pg_database_size(current_database())")) or 0}

    def _copy(self, connection: Connection, names: list[str]) -> None:
        for table, changed in CHANGED.items():
            kept = [name for name in connection.scalars(COLUMNS, {"name": table})
                    if name not in changed and not (table == "dag_run" and name == "id")]  # fmt: skip
            order = COPY.format(table=table, columns=", ".join((*kept, *changed)),
                                values=", ".join((*(f"old.{name}" for name in kept), *changed.values())))  # fmt: skip
            connection.execute(text(order), {"names": names, "of": self._of})
        kept = [name for name in connection.scalars(COLUMNS, {"name": "trigger"}) if name not in ("id", "triggerer_id")]
        parked = text("select trigger_id from task_instance where run_id = :of and trigger_id is not null")
        for trigger in connection.scalars(parked, {"of": self._of}).all():
            order = TRIGGERS.format(columns=", ".join(kept))
            connection.execute(text(order), {"names": names, "trigger": trigger})
