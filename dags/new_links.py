"""# Gửi lại đường dẫn trả lời

Đường dẫn trong thư gửi khách có hạn. Khách mở đường dẫn đã hết hạn có thể bấm “Gửi cho tôi đường dẫn mới”: luồng này
gửi đường dẫn mới đến địa chỉ email đã ghi trong hồ sơ, không gửi đi nơi nào khác, mỗi yêu cầu nhiều nhất một thư một
ngày. Việc đã khép lại thì không gửi gì.

Luôn có một lượt chạy đang chờ; gửi xong thì lượt đó kết thúc và lượt sau chờ tiếp. Chờ không tốn tài nguyên.
"""

from __future__ import annotations

import pendulum
from airflow.sdk import DAG

from operators.link_requests import AnswerLinkRequests
from operators.settings import TASK_DEFAULTS

with DAG(
    "new_links",
    dag_display_name="Gửi lại đường dẫn trả lời",
    doc_md=__doc__,
    schedule="@continuous",
    start_date=pendulum.datetime(2026, 1, 1, tz="Asia/Ho_Chi_Minh"),
    catchup=False,
    max_active_runs=1,
    tags=["engagement", "cổng trả lời"],
    default_args=TASK_DEFAULTS | {"on_failure_callback": None},
) as dag:
    AnswerLinkRequests(task_id="answer_link_requests", task_display_name="Chờ và gửi đường dẫn mới")
