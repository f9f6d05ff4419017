"""What all tasks of the pipeline have in common."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from operators.notice import FailureNotice

TASK_DEFAULTS: dict[str, Any] = {
    "on_failure_callback": FailureNotice(),
    "owner": "ke-hoach-viet",
    "retries": 8,
    "retry_delay": timedelta(seconds=5),
    "retry_exponential_backoff": True,
    "max_retry_delay": timedelta(minutes=30),
}
