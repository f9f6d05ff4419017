"""# Theo dõi thực hiện kế hoạch

Chỉ có ở hợp đồng mua dịch vụ cộng thêm này. Mỗi lần theo dõi là một lượt chạy (`KHV-2026-0042__monitoring-2`), tự
bắt đầu vào ngày đã hẹn. Khách gửi số liệu; nhân viên nhận xét tại **Required Actions**; khách nhận báo cáo và góp ý.
"""

from __future__ import annotations

from airflow.sdk import DAG, TaskGroup

from include.engagement import process
from operators.conversation import ReviewedRequest
from operators.schedule_run import ScheduleRun
from operators.settings import TASK_DEFAULTS

with DAG(
    "monitoring",
    dag_display_name="Theo dõi thực hiện",
    doc_md=__doc__,
    schedule=None,
    catchup=False,
    max_active_runs=10_000,
    tags=["engagement", "theo dõi"],
    default_args=TASK_DEFAULTS,
) as dag:
    with TaskGroup("monitoring", group_display_name=process.STAGES["monitoring"].title.vi):
        schedule_next = ScheduleRun(
            task_id="schedule_next_visit", trigger_dag_id="monitoring", task_display_name="Lên lịch lần sau"
        )
        assess = ReviewedRequest(
            task_id="assess_progress", kind="monitoring", gate="monitoring_assessment", number=None,
            task_display_name="Khách gửi số liệu, đánh giá và tư vấn",
        )  # fmt: skip
    schedule_next
    assess
