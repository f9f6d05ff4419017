"""``python -m local.personal_data``: ``include.personal_data`` for the running stack, if the environment names none."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from include.personal_data import main
from local.stack import DATA, StackError, running_environment

if __name__ == "__main__":
    try:
        if "ENGAGEMENT_REGISTER_URL" not in os.environ:
            os.environ.update(running_environment(Path(os.environ.get("DATA") or DATA)))
    except StackError as error:
        sys.exit(str(error))
    sys.exit(main(sys.argv[1:]))
