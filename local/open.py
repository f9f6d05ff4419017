"""``make open FILE=…``: register an intake form with the running stack and start its engagement."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

from include.casework.opening import register_engagement, registered_as
from include.engagement.errors import AlreadyOpen, EngagementError
from include.engagement.form import read_form
from local.airflow_api import AirflowApi, ApiError, Conflict
from local.stack import DATA, StackError, running_environment


def open_file(path: Path, api: AirflowApi) -> str:
    """Register the form in ``path`` and start its run; return the engagement id.

    A form that was registered but whose run never started is started now. Raises InvalidInput with every problem,
    AlreadyOpen when its engagement runs.
    """
    form = read_form(path.read_text(encoding="utf-8"))
    engagement_id = registered_as(form) or register_engagement(form)
    try:
        api.trigger("engagement", run_id=engagement_id, conf={"engagement_id": engagement_id})
    except Conflict:
        raise AlreadyOpen(f"Hồ sơ này đã được mở với mã {engagement_id}; không mở lần thứ hai.") from None
    return engagement_id


def main(arguments: list[str]) -> int:
    """Open the file named on the command line; problems are told in Vietnamese, a line each."""
    if len(arguments) != 1:
        print("Cách dùng: make open FILE=đường-dẫn.yaml")
        return 2
    try:
        os.environ.update(running_environment(Path(os.environ.get("DATA", DATA))))
        passwords = json.loads(Path(os.environ["AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE"]).read_text())
        with AirflowApi(os.environ["AIRFLOW__API__BASE_URL"], "admin", passwords["admin"]) as api:
            engagement_id = open_file(Path(arguments[0]), api)
    except (EngagementError, StackError, ApiError) as error:
        print(error, file=sys.stderr)
        return 1
    except OSError as error:
        print(f"Không đọc được {arguments[0]}: {error.strerror}", file=sys.stderr)
        return 1
    print(f"Đã mở hồ sơ {engagement_id}: {os.environ['AIRFLOW__API__BASE_URL']}/dags/engagement/runs/{engagement_id}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
