"""What an installation sets: environment variables for machinery, ``firm.yaml`` for the firm itself."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yaml

from include.engagement.errors import EngagementError
from include.mail.message import checked_address
from include.production import SHORTEST_KEY, keys_in

ROOT = Path(__file__).resolve().parent.parent
STAFF_PAGES = "/engagements"  # below Airflow's address


@dataclass(frozen=True)
class Settings:
    """Machinery of one installation.

    ``storage_url`` is ``file:///folder`` or ``s3://bucket/prefix``; ``register_url`` an SQLAlchemy URL.
    ``mail_record`` lists where the firm can look up which mails its relay took (see ``include.mail.record``);
    ``mail_archive`` is an address that gets a copy of every mail, empty: there is none.
    ``production`` installations refuse a rehearsal's calendar. ``portal_url`` is where clients reach the portal (None:
    there is none, and no mail links to it); ``portal_keys`` sign its links, newest first. ``authserv_id`` is the name
    under which the firm's own mail host writes what it found about a sender (RFC 8601); empty: it writes nothing.
    ``airflow_url`` is where staff reach Airflow; empty: mails to staff link to no page. With ``mail_dry_run`` mails are
    written and never sent. Replies are read from ``imap_conn_id``, on one machine from ``reply_folder``, where the mail
    catcher keeps them. ``archive_months``: how long after its end an engagement is archived.
    """

    register_url: str
    storage_url: str
    inbox_poll_seconds: float
    inbox_settle_seconds: float
    smtp_conn_id: str
    mail_record: str | None
    production: bool
    firm_file: Path
    airflow_url: str = ""
    portal_url: str | None = None
    portal_keys: tuple[str, ...] = field(default=(), repr=False)
    imap_conn_id: str = "imap_default"
    reply_folder: Path | None = None
    authserv_id: str = ""
    mail_dry_run: bool = False
    mail_archive: str = ""
    archive_months: int = 24

    @property
    def firm(self) -> dict[str, Any]:
        """The firm: party block, id prefix, mail addresses, staff (see ``include/firm.yaml``)."""
        return _read_firm(self.firm_file)


@cache
def _read_firm(path: Path) -> dict[str, Any]:
    firm: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    return firm


def load_settings() -> Settings:
    """Read the settings from ``ENGAGEMENT_*``.

    KeyError names a variable that must be set, ValueError says what is wrong with one.
    """
    env = os.environ
    portal_url, portal_keys = _portal(
        env.get("ENGAGEMENT_PORTAL_PUBLIC_URL", ""), env.get("ENGAGEMENT_PORTAL_KEYS", "")
    )
    return Settings(
        register_url=env["ENGAGEMENT_REGISTER_URL"],
        storage_url=env["ENGAGEMENT_STORAGE_URL"],
        inbox_poll_seconds=float(env.get("ENGAGEMENT_INBOX_POLL_SECONDS", "2")),
        inbox_settle_seconds=float(env.get("ENGAGEMENT_INBOX_SETTLE_SECONDS", "5")),
        smtp_conn_id=env.get("ENGAGEMENT_SMTP_CONN_ID", "smtp_default"),
        mail_record=env.get("ENGAGEMENT_MAIL_RECORD"),
        production=env.get("ENGAGEMENT_PRODUCTION", "") == "1",
        firm_file=Path(env.get("ENGAGEMENT_FIRM_FILE", ROOT / "include" / "firm.yaml")),
        airflow_url=env.get("AIRFLOW__API__BASE_URL", "").rstrip("/"),
        portal_url=portal_url,
        portal_keys=portal_keys,
        reply_folder=Path(env["ENGAGEMENT_REPLY_FOLDER"]) if env.get("ENGAGEMENT_REPLY_FOLDER") else None,
        imap_conn_id=env.get("ENGAGEMENT_IMAP_CONN_ID", "imap_default"),
        authserv_id=env.get("ENGAGEMENT_AUTHSERV_ID", ""),
        mail_dry_run=env.get("ENGAGEMENT_MAIL_DRY_RUN", "") == "1",
        archive_months=_months(env.get("ENGAGEMENT_ARCHIVE_MONTHS") or "24"),
        mail_archive=_archive(env.get("ENGAGEMENT_MAIL_ARCHIVE", "").strip()),
    )


def _months(value: str) -> int:
    if not value.isdecimal() or not int(value):
        raise ValueError(f"ENGAGEMENT_ARCHIVE_MONTHS must be a number of months, such as 24, not {value!r}.")
    return int(value)


def _archive(address: str) -> str:
    try:
        return checked_address(address) if address else ""
    except EngagementError as error:
        raise ValueError(f"ENGAGEMENT_MAIL_ARCHIVE must be one address, such as luutru@firm.example: {error}") from None


def _portal(url: str, listed: str) -> tuple[str | None, tuple[str, ...]]:
    """Return the portal's address without a slash at its end, and its keys. Raises ValueError."""
    url = url.strip().rstrip("/")
    keys = keys_in(listed)
    if any(len(key) < SHORTEST_KEY for key in keys):
        raise ValueError(
            f"ENGAGEMENT_PORTAL_KEYS holds a key of fewer than {SHORTEST_KEY} characters: make one with "
            "“openssl rand -hex 32”; several are separated by commas, the newest first."
        )
    if not url:
        return None, keys
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
        raise ValueError("ENGAGEMENT_PORTAL_PUBLIC_URL must be an http(s) address, such as https://hoso.example/khach.")
    if not keys:
        raise ValueError(
            "ENGAGEMENT_PORTAL_PUBLIC_URL is set but ENGAGEMENT_PORTAL_KEYS is not: links to the portal are signed "
            "with a key; make one with “openssl rand -hex 32”, give it to Airflow and to the portal, and keep it."
        )
    return url, keys
