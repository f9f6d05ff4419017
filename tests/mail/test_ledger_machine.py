"""Whatever happens to mails, in any order: none is lost, goes twice, overtakes another, or goes when cancelled."""

from __future__ import annotations

import itertools
import threading
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from datetime import date, datetime, timedelta, timezone
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import select
from sqlalchemy.orm import Session, sessionmaker

from include.mail import ledger as ledger_module
from include.mail.ledger import DELAYS, STOPPED, MailLedger, cancel_queued, pause, resume
from include.mail.message import build_message
from include.mail.transport import NoConversation, RefusedMail, TransientMailError, Transport, UnclearMail
from include.register.models import Engagement, Mail
from include.storage import open_storage

RECIPIENTS = ("a@d.vn", "b@d.vn")
MOODS = ("takes", "4xx", "5xx", "away", "drops the reply", "dies before", "dies after", "breaks off before the end")
# The record may still lack a mail after each of these; the ledger asks it after the later two.
MOMENTS = (timedelta(seconds=5), timedelta(seconds=31), timedelta(minutes=5))
_NUMBERS = itertools.count(1)


class Killed(BaseException):
    """The process is gone."""


class Relay(Transport):
    """A relay of many moods, with a record of what it took that lags behind, and can be asked or not."""

    patience = timedelta(minutes=15)

    def __init__(self) -> None:
        self.mood = "takes"
        self.answers_questions = True
        self.taken: list[tuple[str, str]] = []  # Message-ID, recipient
        self.recorded: dict[str, datetime] = {}  # Message-ID, when the record has it

    def send(self, sender: str, recipients: Sequence[str], data: bytes) -> None:
        mood, self.mood = self.mood, self.mood if self.mood in ("takes", "4xx", "away") else "takes"
        if mood == "4xx":
            raise TransientMailError("450 later")
        if mood == "away":
            raise NoConversation("nobody there")
        if mood == "5xx":
            raise RefusedMail("550 no")
        if mood == "dies before":
            raise Killed
        if mood == "breaks off before the end":
            raise UnclearMail("no reply")
        [line] = [line for line in data.splitlines() if line.lower().startswith(b"message-id:")]
        message_id = line.partition(b":")[2].strip().decode()
        self.taken.append((message_id, recipients[0]))
        self.recorded[message_id] = ledger_module.now() + self.patience
        if mood == "drops the reply":
            raise UnclearMail("no reply")
        if mood == "dies after":
            raise Killed

    def contains(self, message_id: str, *, since: datetime) -> bool:
        if not self.answers_questions:
            raise TransientMailError("the record does not answer")
        return message_id in self.recorded and self.recorded[message_id] <= ledger_module.now()


class Mails(RuleBasedStateMachine):
    """One engagement's mails through a ledger on a real register, in a time of its own."""

    register: sessionmaker[Session]

    @initialize()
    def begin(self) -> None:
        self.folder = TemporaryDirectory()
        self.storage = open_storage(Path(self.folder.name).as_uri())
        self.relay = Relay()
        self.now = datetime(2026, 12, 1, tzinfo=timezone.utc)
        ledger_module.now = lambda: self.now
        self.engagement = f"KHV-2026-{next(_NUMBERS):04}"
        self.posted: list[str] = []
        self.cancelled: set[str] = set()
        self.settled: set[str] = set()
        self.unwritten: set[str] = set()  # whose first poster died: they may come behind later ones
        with self.register.begin() as session:
            session.add(
                Engagement(id=self.engagement, language="vi", form={}, form_digest=self.engagement,
                           opened=date(2026, 12, 1))
            )  # fmt: skip
        with self.register() as session:
            resume(session)

    def ledger(self) -> MailLedger:
        return MailLedger(self.register, self.storage, self.relay, domain="k.example", record=self.relay)

    def post(self, reason: str, to: str, *, dies: bool = False) -> None:
        key = f"{self.engagement}/{reason}/{to}"
        if key not in self.posted:
            self.posted.append(key)
        self.ledger().post(
            key=key, engagement_id=self.engagement, template="welcome", stage="intake", recipient=to,
            day=date(2026, 12, 1), subject="Chào",
            build=lambda message_id, references: self.written(message_id, references, to, dies=dies),
        )  # fmt: skip

    def written(self, message_id: str, references: list[str], to: str, *, dies: bool) -> bytes:
        if dies:
            self.unwritten.add(message_id)
            raise Killed
        return build_message(
            sender="K <hoso@k.example>", to=("A", to), reply_to=None, subject="Chào", text="x\n", html=None,
            message_id=message_id, references=references, date=self.now,
        )  # fmt: skip

    @rule(reason=st.integers(1, 6).map(str), to=st.sampled_from(RECIPIENTS))
    def dies_before_the_mail_is_written(self, reason: str, to: str) -> None:
        with suppress(Killed):
            self.post(reason, to, dies=True)

    @rule(reason=st.integers(1, 6).map(str), to=st.sampled_from(RECIPIENTS), mood=st.sampled_from(MOODS))
    def is_posted(self, reason: str, to: str, mood: str) -> None:
        self.relay.mood = mood
        with suppress(Killed):
            self.post(reason, to)

    @rule(reason=st.integers(1, 6).map(str), to=st.sampled_from(RECIPIENTS), mood=st.sampled_from(MOODS))
    def is_posted_by_two_at_once(self, reason: str, to: str, mood: str) -> None:
        self.relay.mood = mood

        def quietly() -> None:
            with suppress(Killed):
                self.post(reason, to)

        both = [threading.Thread(target=quietly) for _ in range(2)]
        for each in both:
            each.start()
        for each in both:
            each.join()

    @rule(mood=st.sampled_from(MOODS))
    def the_outbox_runs(self, mood: str) -> None:
        self.relay.mood = mood
        with suppress(Killed):
            self.ledger().deliver_due()
        assert not [row for row in self.rows() if row.state == "claimed" and row.path is None]

    @rule()
    def the_record_comes_or_goes(self) -> None:
        self.relay.answers_questions = not self.relay.answers_questions

    @rule(delay=st.sampled_from(MOMENTS) | st.sampled_from(DELAYS))
    def time_passes(self, delay: timedelta) -> None:
        self.now += delay

    @rule(on=st.booleans())
    def mail_is_paused_or_resumed(self, on: bool) -> None:
        with self.register() as session:
            if on:
                pause(session, by="x", why="y")
            else:
                resume(session)

    @precondition(lambda self: self.posted)
    @rule(data=st.data())
    def a_person_settles_what_stopped(self, data: Any) -> None:
        stopped = [row for row in self.rows() if row.state in STOPPED]
        if stopped:
            row = data.draw(st.sampled_from(stopped))
            # A person finds out the truth.
            was_sent = row.message_id in [taken for taken, _ in self.relay.taken]
            self.ledger().settle(row.key, was_sent=was_sent)
            self.settled.add(row.message_id)

    @rule()
    def what_waits_is_cancelled(self) -> None:
        with self.register() as session:
            cancel_queued(session, self.engagement)
        self.cancelled |= {row.message_id for row in self.rows() if row.state == "cancelled"}

    def rows(self) -> list[Mail]:
        with self.register() as session:
            return list(session.scalars(select(Mail).where(Mail.engagement_id == self.engagement).order_by(Mail.id)))

    @invariant()
    def no_mail_went_twice(self) -> None:
        if hasattr(self, "relay"):
            assert max(Counter(self.relay.taken).values(), default=0) <= 1

    @invariant()
    def nothing_cancelled_went(self) -> None:
        if hasattr(self, "relay"):
            assert not self.cancelled & {message_id for message_id, _ in self.relay.taken}

    def teardown(self) -> None:
        """In the end all is well again, tasks are tried again, people decide: everything has gone, once, in order."""
        if not hasattr(self, "relay"):
            return
        self.relay.mood, self.relay.answers_questions = "takes", True
        with self.register() as session:
            resume(session)
        for key in self.posted:
            _, reason, to = key.split("/")
            self.post(reason, to)
        for _ in range(3):
            self.settled |= {row.message_id for row in self.rows() if row.state in STOPPED}
            self.now += timedelta(hours=9)
            self.ledger().deliver_due()
            for row in self.rows():
                if row.state in STOPPED:
                    was_sent = row.message_id in [taken for taken, _ in self.relay.taken]
                    self.ledger().settle(row.key, was_sent=was_sent)
        self.ledger().deliver_due()
        rows = self.rows()
        assert {row.key for row in rows} == set(self.posted)
        assert {row.state for row in rows} <= {"sent", "cancelled"}
        assert {row.message_id for row in rows if row.state == "cancelled"} == self.cancelled
        sent = [row for row in rows if row.state == "sent"]
        own = {row.message_id for row in rows}
        went = [message_id for message_id, _ in self.relay.taken if message_id in own]
        assert sorted(went) == sorted(row.message_id for row in sent)
        for to in RECIPIENTS:
            moved = self.settled | self.unwritten
            in_order = [row.message_id for row in sent if row.recipient == to and row.message_id not in moved]
            assert [message_id for message_id in went if message_id in in_order] == in_order
        self.folder.cleanup()


def test_any_interleaving_of_crash_retry_and_people_keeps_the_promise_of_mail(
    ledger_register: sessionmaker[Session], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ledger_module, "now", ledger_module.now)
    Mails.register = ledger_register
    run_state_machine_as_test(
        Mails,
        settings=settings(
            max_examples=60, stateful_step_count=25, deadline=None, derandomize=True,
            suppress_health_check=list(HealthCheck),
        ),
    )  # fmt: skip
