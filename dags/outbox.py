"""# Gửi thư còn chờ

Thư nào máy chủ thư chưa nhận được ngay thì nằm chờ ở đây và được gửi lại, giãn cách dần, tối đa 48 giờ; hồ sơ không
phải đợi. Mỗi thư chỉ đi một lần, theo đúng thứ tự của từng người nhận.

- Thư bị từ chối, quá 48 giờ, hoặc không rõ đã đi hay chưa: người phụ trách được báo và quyết định.
- Khi tạm dừng gửi thư của toàn hệ thống, mọi thư nằm chờ; cho gửi lại thì chúng đi lần lượt.
"""

from __future__ import annotations

from datetime import timedelta

import pendulum
from airflow.sdk import DAG

from operators.outbox import SendOutbox
from operators.settings import TASK_DEFAULTS

with DAG(
    "outbox",
    dag_display_name="Gửi thư còn chờ",
    doc_md=__doc__,
    schedule=timedelta(minutes=2),
    start_date=pendulum.datetime(2026, 1, 1, tz="Asia/Ho_Chi_Minh"),
    catchup=False,
    max_active_runs=1,
    tags=["engagement", "thư đi"],
    default_args=TASK_DEFAULTS | {"on_failure_callback": None},
) as dag:
    SendOutbox(task_id="send_due", task_display_name="Gửi thư đến lượt")
