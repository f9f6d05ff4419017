"""The portal's log: one JSON object a line, with the engagement's id and nothing about a person.

What an exception says may repeat what a client typed, or the address of a database: its kind and where it came from are
written, its words are not.
"""

from __future__ import annotations

import json
import logging
import traceback
from datetime import datetime, timezone
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


class JsonLines(logging.Formatter):
    """Writes a record; ``extra={"engagement": …}`` says whose it is."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        line: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, timezone.utc).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if engagement := getattr(record, "engagement", None):
            line["engagement"] = engagement
        if record.exc_info and record.exc_info[1] is not None:
            error = record.exc_info[1]
            line["error"] = type(error).__name__
            line["at"] = [f"{_short(each.filename)}:{each.lineno} {each.name}"
                          for each in traceback.extract_tb(error.__traceback__)]  # fmt: skip
        return json.dumps(line, ensure_ascii=False)


def _short(filename: str) -> str:
    path = Path(filename)
    return str(path.relative_to(ROOT)) if path.is_relative_to(ROOT) else path.name


def write_json_lines() -> None:
    """Have everything that this process logs written so, to standard error."""
    handler = logging.StreamHandler()
    handler.setFormatter(JsonLines())
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
