"""``python -m local.verify``: compare every file in storage with the register; exit code 1 when one differs."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from include.casework.office import open_office
from include.casework.verification import deviations
from include.storage.base import StorageError
from local.stack import DATA, StackError, running_environment

WORDS = {"gone": "không còn", "changed": "đã bị thay đổi", "unknown": "không có trong sổ"}


def main() -> int:
    """Verify the installation that the environment names, else the running stack's; say in Vietnamese what is off."""
    try:
        if "ENGAGEMENT_REGISTER_URL" not in os.environ:
            os.environ.update(running_environment(Path(os.environ.get("DATA", DATA))))
        office = open_office(None)
        with office.sessions() as session:
            found = list(deviations(session, office.storage))
    except (StackError, StorageError) as error:
        print(error, file=sys.stderr)
        return 1
    for each in found:
        print(f"{WORDS[each.why]}: {each.path}")
    print(f"{len(found)} tệp khác với sổ." if found else "Mọi tệp đều đúng như trong sổ.")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
