"""The outbox: mails that could not go when they were posted, and the word to staff about those that never will."""

from __future__ import annotations

import logging
from collections import Counter

from sqlalchemy import select

from include.casework.correspondence import addressee, post
from include.casework.office import Case, Office
from include.clock import now
from include.mail.ledger import STOPPED
from include.register.models import Mail

log = logging.getLogger(__name__)

NOTICE = "mail_stopped"
WHY = {
    "refused": "Máy chủ thư từ chối thư này: địa chỉ sai, hộp thư đầy hoặc nội dung không được nhận.",
    "unclear": "Không rõ máy chủ thư đã nhận thư này hay chưa.",
    "expired": "Đã thử gửi nhiều lần trong 48 giờ mà không được.",
}


def send_due(office: Office) -> Counter[str]:
    """Send what is due, then tell staff of each mail that stopped; count the rows that were due by their state."""
    states = office.ledger.deliver_due()
    with office.sessions() as session:
        stopped = session.scalars(
            select(Mail).where(
                Mail.state.in_(STOPPED), Mail.told_at.is_(None), Mail.engagement_id.is_not(None),
                Mail.template != NOTICE,
            ).order_by(Mail.id)
        ).all()  # fmt: skip
    for mail in stopped:
        assert mail.engagement_id is not None
        try:
            with office.case(mail.engagement_id) as case:
                _tell(case, mail.id)
        except Exception:
            log.exception("Staff could not be told that mail %d stopped; tried again at the next turn", mail.id)
    return states


def _tell(case: Case, mail_id: int) -> None:
    """Tell the account manager, or the director where the account manager's own mail stopped, once."""
    row = case.session.get_one(Mail, mail_id)
    if row.state not in STOPPED or row.told_at is not None:
        return
    role = "director" if row.recipient == addressee(case, "account_manager")[1] else "account_manager"
    post(case, NOTICE, f"{NOTICE}/{row.id}/{row.state}", to=role,
         reason=f"“{row.subject}” – {row.recipient}\n{WHY[row.state]}")  # fmt: skip
    case.event(NOTICE, key=f"{NOTICE}/{row.id}/{row.state}", mail=row.id, template=row.template, state=row.state)
    row.told_at = now()
    case.session.commit()
