"""``python -m local.end KHV-2026-0042 --reason "…"``: end an engagement of the running stack by hand."""

from __future__ import annotations

import argparse
import getpass
import json
import os
import sys
from pathlib import Path

from include.casework.ending import WITHDRAWN, end, runs_of
from include.casework.office import open_office
from include.engagement import process
from include.engagement.errors import EngagementError
from local.airflow_api import AirflowApi, ApiError
from local.run_end import end_runs
from local.stack import DATA, StackError, running_environment


def main(arguments: list[str]) -> int:
    """End the engagement named on the command line; tells in Vietnamese what was done."""
    parser = argparse.ArgumentParser(prog="python -m local.end", description="Dừng một hồ sơ; tệp được giữ nguyên.")
    parser.add_argument("engagement", help="mã hồ sơ, ví dụ KHV-2026-0042")
    parser.add_argument("--reason", required=True, help="lý do, được ghi vào sổ")
    parser.add_argument("--by", default=getpass.getuser(), help="người quyết định dừng")
    parser.add_argument("--outcome", default=WITHDRAWN, choices=sorted(set(process.OUTCOMES) - {"completed"}))
    given = parser.parse_args(arguments)
    try:
        os.environ.update(running_environment(Path(os.environ.get("DATA", DATA))))
        office = open_office(None)
        ended = end(office, given.engagement, outcome=given.outcome, by=given.by, reason=given.reason)
        passwords = json.loads(Path(os.environ["AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE"]).read_text())
        with AirflowApi(os.environ["AIRFLOW__API__BASE_URL"], "admin", passwords["admin"]) as api:
            count = end_runs(api, runs_of(office, given.engagement))
    except (EngagementError, StackError, ApiError) as error:
        print(error, file=sys.stderr)
        return 1
    told = "Đã dừng hồ sơ" if ended else "Hồ sơ đã dừng từ trước:"
    print(f"{told} {given.engagement}; {count} việc đang chờ được kết thúc. Tệp và sổ ghi được giữ nguyên.")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
