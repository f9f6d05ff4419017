"""What an installation sets: environment variables for machinery, ``firm.yaml`` for the firm itself."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Settings:
    """Machinery of one installation.

    ``storage_url`` is ``file:///folder`` or ``s3://bucket/prefix``; ``register_url`` an SQLAlchemy URL.
    ``mail_record`` is where the firm can look up which mails its relay took (see ``include.mail.transport``).
    ``production`` installations refuse a rehearsal's calendar.
    """

    register_url: str
    storage_url: str
    inbox_poll_seconds: float
    inbox_settle_seconds: float
    smtp_conn_id: str
    mail_record: str | None
    production: bool
    firm_file: Path

    @property
    def firm(self) -> dict[str, Any]:
        """The firm: party block, id prefix, mail addresses, staff (see ``include/firm.yaml``)."""
        return _read_firm(self.firm_file)


@cache
def _read_firm(path: Path) -> dict[str, Any]:
    firm: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    return firm


def load_settings() -> Settings:
    """Read the settings from ``ENGAGEMENT_*``; ``KeyError`` names a variable that must be set."""
    env = os.environ
    return Settings(
        register_url=env["ENGAGEMENT_REGISTER_URL"],
        storage_url=env["ENGAGEMENT_STORAGE_URL"],
        inbox_poll_seconds=float(env.get("ENGAGEMENT_INBOX_POLL_SECONDS", "2")),
        inbox_settle_seconds=float(env.get("ENGAGEMENT_INBOX_SETTLE_SECONDS", "5")),
        smtp_conn_id=env.get("ENGAGEMENT_SMTP_CONN_ID", "smtp_default"),
        mail_record=env.get("ENGAGEMENT_MAIL_RECORD"),
        production=env.get("ENGAGEMENT_PRODUCTION", "") == "1",
        firm_file=Path(env.get("ENGAGEMENT_FIRM_FILE", ROOT / "include" / "firm.yaml")),
    )
