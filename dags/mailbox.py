"""# Đọc thư trả lời của khách

Khách trả lời thư của chúng tôi, kèm tệp nếu cần: cứ hai phút, luồng này đọc hộp thư trả lời và đưa nội dung, tệp đính
kèm vào đúng yêu cầu đang chờ của hồ sơ. Mỗi thư chỉ xử lý một lần; thư gốc được lưu trước tiên.

- Người gửi không có trong hồ sơ, thư không rõ thuộc hồ sơ nào, yêu cầu đã khép lại: thư **chờ nhân viên phân loại**.
- Thư tự động (vắng mặt, bản tin) được lưu lại, không trả lời.
- Thư của chúng tôi bị trả lại: ngừng nhắc địa chỉ đó và báo cho người phụ trách.

Chỗ đọc thư là kết nối `imap_default`; không có kết nối này thì không đọc gì.
"""

from __future__ import annotations

from datetime import timedelta

import pendulum
from airflow.sdk import DAG

from operators.mailbox import ReadMailbox
from operators.settings import TASK_DEFAULTS

with DAG(
    "mailbox",
    dag_display_name="Đọc thư trả lời của khách",
    doc_md=__doc__,
    schedule=timedelta(minutes=2),
    start_date=pendulum.datetime(2026, 1, 1, tz="Asia/Ho_Chi_Minh"),
    catchup=False,
    max_active_runs=1,
    tags=["engagement", "thư đến"],
    default_args=TASK_DEFAULTS | {"on_failure_callback": None},
) as dag:
    ReadMailbox(task_id="read_mailbox", task_display_name="Đọc và phân loại thư đến")
