"""# Mở quy trình cho hồ sơ mới

Hồ sơ mà nhân viên mở trên trang *Hồ sơ mới* hoặc nhập từ Excel được ghi vào sổ đăng ký trước, rồi luồng này bắt đầu
lượt chạy `engagement` của từng hồ sơ trong vòng một phút. Lượt chạy mang chính mã hồ sơ nên không bao giờ có hai lượt
cho một hồ sơ; máy chủ dừng giữa chừng thì lượt kế tiếp làm nốt.

Hồ sơ mở bằng `make open` không qua đây.
"""

from __future__ import annotations

from datetime import timedelta

import pendulum
from airflow.providers.standard.operators.trigger_dagrun import TriggerDagRunOperator
from airflow.sdk import DAG

from operators.openings import FindOpenings
from operators.settings import TASK_DEFAULTS

with DAG(
    "openings",
    dag_display_name="Mở quy trình cho hồ sơ mới",
    doc_md=__doc__,
    schedule=timedelta(minutes=1),
    start_date=pendulum.datetime(2026, 1, 1, tz="Asia/Ho_Chi_Minh"),
    catchup=False,
    max_active_runs=1,
    tags=["engagement", "hồ sơ mới"],
    default_args=TASK_DEFAULTS | {"on_failure_callback": None},
) as dag:
    found = FindOpenings(task_id="find_openings", task_display_name="Tìm hồ sơ chưa có lượt chạy")
    TriggerDagRunOperator.partial(
        task_id="start_run", trigger_dag_id="engagement", logical_date=None, skip_when_already_exists=True,
        openlineage_inject_parent_info=False, task_display_name="Bắt đầu quy trình",
    ).expand_kwargs(found.output)  # fmt: skip
