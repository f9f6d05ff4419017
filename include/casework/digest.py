"""The daily digest: one mail a day for a member of staff with something to do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import date

from include import clock
from include.casework.correspondence import dated
from include.casework.facts import firm_mail_facts, in_language
from include.casework.office import Office
from include.mail.message import build_message
from include.mail.templates import render_mail
from include.register.models import Mail
from include.settings import STAFF_PAGES


@dataclass(frozen=True)
class Line:
    """One thing to do: for which engagement and company, what, since when, and whether it is late."""

    engagement: str
    company: str
    what: str
    since: date
    overdue: bool


def send_digest(office: Office, day: date, role: str, lines: Sequence[Line]) -> Mail:
    """Send the digest of a day to the holder of ``role``, once."""
    firm, airflow = office.settings.firm, office.settings.airflow_url
    person = firm["staff"]
    for part in role.split("."):
        person = person[part]
    rendered = render_mail(
        "digest",
        language="vi",
        facts=firm_mail_facts(firm, "vi", recipient_name=person["name"], day=day,
                              digest=[asdict(line) for line in lines],
                              work_page=f"{airflow}{STAFF_PAGES}/work" if airflow else ""),
    )  # fmt: skip

    def build(message_id: str, references: Sequence[str]) -> bytes:
        return build_message(
            sender=in_language(firm["mail"]["sender"], "vi"),
            to=(person["name"], person["email"]),
            reply_to=firm["mail"]["reply_to"],
            subject=rendered.subject,
            text=rendered.text,
            html=rendered.html,
            message_id=message_id,
            references=references,
            date=dated(day, clock.now()),
            attachments=[],
            auto_submitted=True,
            calendar=None,
        )

    return office.ledger.post(
        key=f"digest/{day.isoformat()}/{person['email']}",
        engagement_id=None,
        template="digest",
        stage="",
        recipient=person["email"],
        day=day,
        subject=rendered.subject,
        build=build,
    )
