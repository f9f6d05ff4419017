"""# Lưu trữ và dọn dẹp

Chạy mỗi tuần một lần, đêm Chủ nhật. Hồ sơ đã kết thúc từ 24 tháng trước (`ENGAGEMENT_ARCHIVE_MONTHS`) được đưa vào
lưu trữ: quyết định, sổ ghi và mọi văn bản đã gửi, đã ký vẫn giữ nguyên; đường dẫn của khách hết hiệu lực, tệp chưa ai
đọc và tệp bị cách ly được xoá. Phiếu nháp và bảng nhập để quá 90 ngày, tệp tải lên dở dang quá 2 ngày cũng được xoá.

Chạy lại không làm gì thêm. Xoá dữ liệu của một người theo yêu cầu là việc khác: xem docs/operations.md.
"""

from __future__ import annotations

import pendulum
from airflow.sdk import DAG

from operators.retention import Retain
from operators.settings import TASK_DEFAULTS

with DAG(
    "retention",
    dag_display_name="Lưu trữ và dọn dẹp",
    doc_md=__doc__,
    schedule="0 2 * * 0",
    start_date=pendulum.datetime(2026, 1, 1, tz="Asia/Ho_Chi_Minh"),
    catchup=False,
    max_active_runs=1,
    tags=["engagement", "lưu trữ"],
    default_args=TASK_DEFAULTS | {"on_failure_callback": None},
) as dag:
    Retain(task_id="archive_and_clean", task_display_name="Lưu trữ và dọn dẹp")
