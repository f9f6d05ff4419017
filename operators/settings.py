"""What all tasks of the pipeline have in common."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from operators.notice import FailureNotice

# For each stretch of work, not for the waits in between: a worker that hangs is let go and tried again.
WORK_LIMIT = timedelta(minutes=30)

TASK_DEFAULTS: dict[str, Any] = {
    "on_failure_callback": FailureNotice(),
    "owner": "ke-hoach-viet",
    "execution_timeout": WORK_LIMIT,
    "retries": 8,
    "retry_delay": timedelta(seconds=5),
    "retry_exponential_backoff": True,
    "max_retry_delay": timedelta(minutes=30),
}
