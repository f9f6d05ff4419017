"""The sweep under any order of days, crashes, repetitions, and what clients and staff do in between."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from datetime import date, timedelta
from typing import Any

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

from include.casework.interventions import (
    End,
    ExtendDue,
    Intervention,
    PauseReminders,
    Remind,
    ResumeReminders,
    carry_out,
)
from include.casework.outbox import send_due
from include.casework.reminders import sweep
from include.engagement.calendar import working_calendar
from include.engagement.errors import RuleBroken
from include.engagement.process import REMINDERS, Reminder
from include.engagement.reminders import reminder_day
from include.register.models import Mail, ReminderSent, Request
from tests.casework.saboteur import Killed, Saboteur
from tests.firm import ANSWERS, PAPERS, Firm, Outbox

CALENDAR = working_calendar()
ROWS = {row.key: row for row in REMINDERS}
# Plain weeks, the year's end, Tết, and the days off around Reunification Day.
STARTS = (date(2026, 12, 1), date(2026, 12, 24), date(2027, 1, 29), date(2027, 4, 22))
steps = st.integers(1, 8)
rows = st.sampled_from(REMINDERS)


def machine_of(firm: Firm) -> type[RuleBasedStateMachine]:
    class Sweeps(RuleBasedStateMachine):
        """``by_hand`` are the days on which staff reminded before any sweep came to that day."""

        count = 0

        @initialize(start=st.sampled_from(STARTS))
        def ask(self, start: date) -> None:
            type(self).count += 1
            self.firm = Firm(firm.settings, Outbox())
            self.go_to(start)
            self.firm.open(referrer=f"reminders {self.count}").ask("information")
            self.clicks = 0
            self.quiet = False  # paused or answered: the client hears nothing
            self.answered = False
            self.swept: set[date] = set()
            self.by_hand: set[date] = set()

        def go_to(self, day: date) -> None:
            self.today = day
            self.firm.day(day)

        def request(self) -> Request:
            with self.firm.case() as case:
                found = case.request("information", 1)
                assert found is not None
                return found

        def told(self) -> list[tuple[ReminderSent, Mail]]:
            with self.firm.office().sessions() as session:
                found = session.execute(
                    select(ReminderSent, Mail)
                    .join(Request, Request.id == ReminderSent.request_id)
                    .join(Mail, Mail.id == ReminderSent.mail_id)
                    .where(Request.engagement_id == self.firm.engagement)
                    .order_by(ReminderSent.id)
                )
                return [(sent, mail) for sent, mail in found]

        @contextmanager
        def judged(self, since: date) -> Any:
            """Hold against the rules what a sweep tells."""
            request, before = self.request(), {sent.id for sent, _ in self.told()}
            yield
            for sent, _ in self.told():
                if sent.id in before:
                    continue
                row = ROWS[sent.reminder]
                assert not self.quiet
                assert since <= sent.day <= self.today and sent.day > request.asked
                assert CALENDAR.is_working_day(sent.day)
                assert sent.day >= reminder_day(row, request.due, CALENDAR)
                assert row.offset >= 0 or sent.day < request.due
            days = (since + timedelta(days=n) for n in range((self.today - since).days + 1))
            self.swept.update(days)

        def do(self, intervention: Intervention, saboteur: Saboteur | None = None) -> None:
            self.clicks += 1
            office = (saboteur or Saboteur()).watch(self.firm.office())
            with suppress(Killed), office.case(self.firm.engagement) as case:
                carry_out(case, intervention, by="thuha", nonce=f"{self.clicks}")

        @rule(days=st.integers(1, 6))
        def days_pass(self, days: int) -> None:
            self.go_to(self.today + timedelta(days=days))

        @rule(row=rows)
        def the_day_of_a_reminder_comes(self, row: Reminder) -> None:
            self.go_to(max(self.today, reminder_day(row, self.request().due, CALENDAR)))

        @rule(back=st.integers(0, 3))
        def swept_from(self, back: int) -> None:
            since = self.today - timedelta(days=back)
            with self.judged(since):
                sweep(self.firm.office(), since=since, day=self.today)

        @rule(step=steps, after=st.booleans())
        def swept_and_died(self, step: int, after: bool) -> None:
            with self.judged(self.today), suppress(Killed):
                sweep(Saboteur(step, after).watch(self.firm.office()), since=self.today, day=self.today)

        @rule()
        def swept_by_two_at_once(self) -> None:
            with self.judged(self.today), ThreadPoolExecutor(2) as pool:
                list(pool.map(lambda _: self.firm.sweep(self.today), range(2)))

        @precondition(lambda self: not self.answered)
        @rule(row=rows, step=steps, after=st.booleans())
        def reminded_by_hand(self, row: Reminder, step: int, after: bool) -> None:
            self.the_day_of_a_reminder_comes(row)
            with suppress(RuleBroken):
                self.do(Remind("information"), Saboteur(step, after))
            with self.firm.office().sessions() as session:
                key = f"{self.firm.engagement}/reminder_by_staff/information/{self.today}/%"
                if session.scalar(select(Mail.id).where(Mail.key.like(key))) and self.today not in self.swept:
                    self.by_hand.add(self.today)

        @precondition(lambda self: not self.answered)
        @rule(days=st.integers(1, 5))
        def given_more_time(self, days: int) -> None:
            due = CALENDAR.add(max(self.today, self.request().due), days)
            with suppress(RuleBroken):  # not for longer than the firm allows
                self.do(ExtendDue("information", due, "Kế toán nghỉ sinh"))

        @precondition(lambda self: not self.answered)
        @rule()
        def paused_or_resumed(self) -> None:
            self.do(ResumeReminders() if self.quiet else PauseReminders("Đi công tác"))
            self.quiet = not self.quiet

        @precondition(lambda self: not self.answered)
        @rule(n=st.integers(0, 9))
        def answered_in_part(self, n: int) -> None:
            self.firm.put("information", {"answers": {"strategy": f"Chuỗi khách sạn {n}"}}).receive("information")

        @precondition(lambda self: not self.answered)
        @rule()
        def answered_whole(self) -> None:
            self.firm.put("information", {"answers": ANSWERS}, PAPERS).receive("information")
            self.quiet = self.answered = self.request().status == "answered"

        @invariant()
        def each_level_is_told_in_order_and_nobody_twice(self) -> None:
            if not hasattr(self, "quiet"):
                return
            told = self.told()
            asked = {(sent.times_asked, sent.level) for sent, _ in told}
            for times, level in asked:
                offsets = [ROWS[sent.reminder].offset for sent, _ in told
                           if (sent.times_asked, sent.level) == (times, level)]  # fmt: skip
                assert offsets == sorted(set(offsets))
            assert all(n == 1 for n in Counter(mail["Message-ID"] for mail in self.firm.outbox.read()).values())
            again = [sent.day for sent, mail in told if sent.day in self.by_hand and sent.level == "client"
                     and mail.key.startswith(f"{self.firm.engagement}/reminder/")]  # fmt: skip
            assert again == [], "reminded twice on a day"

        def teardown(self) -> None:
            """Left in peace, the sweep catches up: whoever has not answered was told of the last row of each level."""
            if not hasattr(self, "quiet"):
                return
            if not self.answered:
                if self.quiet:
                    self.paused_or_resumed()
                for day in CALENDAR.days(self.today, CALENDAR.add(max(self.today, self.request().due), 7)):
                    self.go_to(day)
                    self.swept_from(0)
                    self.each_level_is_told_in_order_and_nobody_twice()
                last = {row.level: row.key for row in sorted(REMINDERS, key=lambda row: row.offset)}
                times = self.request().times_asked
                assert {*last.values()} <= {sent.reminder for sent, _ in self.told() if sent.times_asked == times}
            send_due(self.firm.office())
            with self.firm.office().sessions() as session:
                claimed = session.scalars(select(Mail).where(Mail.engagement_id == self.firm.engagement)).all()
                arrived = Counter(mail["Message-ID"] for mail in self.firm.outbox.read())
                assert all(mail.state == "sent" and arrived[mail.message_id] == 1 for mail in claimed)
            self.do(End("withdrawn", "Khách đổi ý"))

    return Sweeps


def test_whatever_happens_each_reminder_goes_once_and_none_that_is_due_is_lost(firm: Firm) -> None:
    run_state_machine_as_test(
        machine_of(firm),
        settings=settings(max_examples=10, stateful_step_count=15, deadline=None,
                          suppress_health_check=list(HealthCheck)),
    )  # fmt: skip
