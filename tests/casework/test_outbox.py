"""The outbox tells staff of mails that stopped, and of none that they have settled."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import select

from include.casework.outbox import NOTICE, send_due
from include.mail.transport import RefusedMail
from include.register.models import Mail
from tests.firm import Firm


class Killed(BaseException):
    """The process is gone."""


def mails(firm: Firm, *of: Any) -> list[Mail]:
    with firm.office().sessions() as session:
        return list(session.scalars(select(Mail).where(*of)))


def test_a_notice_whose_sender_died_does_not_outlive_its_reason(firm: Firm, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any) -> None:
        raise RefusedMail("550 no such user")

    def die(*_: Any, **__: Any) -> None:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(firm.outbox, "send", refuse)
        firm.open().ask("intake")
    stopped = mails(firm, Mail.state == "refused")
    assert stopped
    with monkeypatch.context() as patch:
        patch.setattr(type(firm.office().storage), "put", die)
        with pytest.raises(Killed):
            send_due(firm.office())
    assert [each.state for each in mails(firm, Mail.template == NOTICE)] == ["claimed"]
    for each in stopped:
        firm.office().ledger.settle(each.key, was_sent=True, by="account_manager", why="looked up")
    send_due(firm.office())
    assert mails(firm, Mail.template == NOTICE) == []
    assert mails(firm, Mail.state != "sent") == []
