"""DAGs whose tasks do nothing: what Airflow alone costs. The bench copies them among the installation's DAGs."""

from __future__ import annotations

from airflow.sdk import DAG, BaseOperator, Context


class Nothing(BaseOperator):
    """Does nothing."""

    def execute(self, context: Context) -> None:
        """Do nothing."""


with DAG("bench_trivial", schedule=None, catchup=False) as dag:
    previous: BaseOperator | None = None
    for number in range(12):
        task = Nothing(task_id=f"task_{number}")
        if previous is not None:
            previous >> task
        previous = task

with DAG("bench_many", schedule=None, catchup=False):
    for number in range(60):
        Nothing(task_id=f"task_{number}")
