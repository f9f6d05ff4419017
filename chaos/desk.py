"""The account manager of a stand: settles the mails that stopped, and has the outbox looked through more often."""

from __future__ import annotations

import logging
import threading

from sqlalchemy import func, or_, select

from chaos.people import patiently
from include.casework.office import open_office
from include.clock import now
from include.mail.ledger import STOPPED, WAITING
from include.register.models import Mail
from include.settings import Settings
from local.airflow_api import AirflowApi, ApiError
from rehearsal.letters import Mailbox

LOOK_SECONDS = 2.0
log = logging.getLogger(__name__)


class Desk:
    """Works in a thread of its own until it is told to end; ``settled`` counts mails."""

    def __init__(self, settings: Settings, api: AirflowApi, mailbox: Mailbox) -> None:
        self._settings = settings
        self._api = api
        self._mailbox = mailbox
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True, name="desk")
        self.settled = 0

    def __enter__(self) -> Desk:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def open_mails(self) -> int:
        """Return how many mails have not come to their end."""
        with open_office(None, settings=self._settings).sessions() as session:
            rows = select(func.count()).select_from(Mail).where(Mail.state.in_((*WAITING, *STOPPED)))
            return session.scalar(rows) or 0

    def _run(self) -> None:
        while not self._over.wait(LOOK_SECONDS):
            try:
                self._look()
            except Exception as error:  # something is away; the next look finds it
                log.info("the desk looks again later: %s", type(error).__name__)

    def _look(self) -> None:
        office = open_office(None, settings=self._settings)
        with office.sessions() as session:
            stopped = session.scalars(select(Mail).where(Mail.state.in_(STOPPED))).all()
            due = session.scalar(
                select(Mail.id)
                .where(Mail.state.in_(WAITING), Mail.path.is_not(None),
                       or_(Mail.next_try_at.is_(None), Mail.next_try_at <= now()))
                .limit(1)
            )  # fmt: skip
        arrived = {letter.message_id for letter in self._mailbox.letters()} if stopped else set()
        for row in stopped:
            office.ledger.settle(row.key, was_sent=row.message_id in arrived, by="account_manager", why="looked up")
            self.settled += 1
        if due is not None or stopped:
            self._send()

    def _send(self) -> None:
        under_way = patiently(lambda: self._api.runs("outbox", states=("queued", "running")))
        if not under_way:
            try:
                self._api.trigger("outbox")
            except ApiError as error:
                log.info("the outbox cannot be triggered now: %s", error.status)
