"""# Nhắc việc

Chạy 8 giờ sáng mỗi ngày; ngày nghỉ thì không gửi gì. Khách được nhắc trước hạn, đúng hạn và sau hạn; sau đó người phụ
trách rồi giám đốc được báo. Nhân viên nhận một thư tổng hợp mỗi ngày. Mỗi lời nhắc chỉ gửi một lần, chạy
lại không gửi lại. Trong diễn tập, kịch bản quyết định ngày nào chạy.
"""

from __future__ import annotations

import os

import pendulum
from airflow.sdk import DAG, Param

from operators.settings import TASK_DEFAULTS
from operators.sweep import SweepReminders

with DAG(
    "reminders",
    dag_display_name="Nhắc việc hằng ngày",
    doc_md=__doc__,
    schedule=None if os.environ.get("ENGAGEMENT_REHEARSAL") == "1" else "0 8 * * *",
    start_date=pendulum.datetime(2026, 1, 1, tz="Asia/Ho_Chi_Minh"),
    catchup=False,
    max_active_runs=1,
    tags=["engagement", "nhắc việc"],
    default_args=TASK_DEFAULTS | {"on_failure_callback": None},
    params={
        "day": Param(None, type=["null", "string"], format="date", title="Ngày",
                     description="Để trống: hôm nay theo giờ Việt Nam"),
        "since": Param(None, type=["null", "string"], format="date", title="Từ ngày",
                       description="Để trống: chỉ ngày trên"),
    },
) as dag:  # fmt: skip
    SweepReminders(task_id="send_reminders", task_display_name="Gửi nhắc việc")
