"""# Đánh giá và chăm sóc sau dịch vụ

Lượt chạy đầu (`KHV-2026-0042__feedback-1`) gửi phiếu đánh giá; các lượt sau là những lần chăm sóc định kỳ: gọi điện
(**Required Actions**), thư cảm ơn, và thông tin hữu ích nếu khách đã đồng ý nhận.
"""

from __future__ import annotations

from airflow.sdk import DAG, TaskGroup

from include.engagement import process
from operators.case import Step
from operators.client_request import ClientRequest
from operators.schedule_run import ScheduleRun
from operators.settings import TASK_DEFAULTS
from operators.sign_off import SignOff

with DAG(
    "feedback",
    dag_display_name="Đánh giá, chăm sóc khách hàng",
    doc_md=__doc__,
    schedule=None,
    catchup=False,
    max_active_runs=10_000,
    tags=["engagement", "chăm sóc"],
    default_args=TASK_DEFAULTS,
) as dag:
    with TaskGroup("feedback", group_display_name=process.STAGES["feedback"].title.vi):
        schedule_next = ScheduleRun(
            task_id="schedule_next_contact", trigger_dag_id="feedback", task_display_name="Lên lịch lần sau"
        )
        begin = Step(
            task_id="begin", action="feedback:kind_of_contact", number=None, task_display_name="Đến kỳ liên hệ",
        )  # fmt: skip
        evaluate = ClientRequest(
            task_id="await_evaluation", kind="evaluation", number=None, task_display_name="Chờ phiếu đánh giá"
        )
        call = SignOff(task_id="call_client", gate="care_call", number=None, task_display_name="Gọi điện chăm sóc")
    schedule_next
    begin.when("evaluation", "phiếu đánh giá", evaluate)
    begin.when("care", "chăm sóc định kỳ", call)
