"""The ledger: one mail for a reason and recipient, whatever dies in between."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from datetime import date, datetime, timezone
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session, sessionmaker

from include.mail import ledger as ledger_module
from include.mail.ledger import THREAD_LENGTH, MailLedger
from include.mail.message import InvalidAddress, build_message
from include.mail.transport import FolderRecord, RefusedMail, Relay, TransientMailError, UnclearMail
from include.register.models import Mail
from include.storage import open_storage
from tests.mail.desk import Desk

TO = "khach@d.vn"


class Killed(BaseException):
    """Stands for the end of the process: nothing may catch it."""


class Post:
    """A ledger over a real register, a folder and a real relay, with a mail to post."""

    def __init__(self, register: sessionmaker[Session], folder: Path, relay: Any, engagement: str) -> None:
        self.register = register
        self.engagement = engagement
        self.storage = open_storage((folder / "store").as_uri())
        self.record_folder = folder / "record"
        self.record_folder.mkdir()
        self.relay = relay
        self.threads: list[list[str]] = []

    def ledger(self, *, transport: Any = None, record: bool = True, judge_after_seconds: float = 0) -> MailLedger:
        return MailLedger(
            self.register,
            self.storage,
            transport or self.relay,
            domain="kehoachviet.example",
            record=FolderRecord(self.record_folder) if record else None,
            judge_after_seconds=judge_after_seconds,
        )

    def build(self, message_id: str, references: Sequence[str], *, to: str = TO) -> bytes:
        self.threads.append(list(references))
        return build_message(
            sender="Kế Hoạch Việt <hoso@kehoachviet.example>",
            to=("Trần, Hữu", to),
            reply_to=None,
            subject="Chào Quý khách",
            text="Xin chào\n",
            html=None,
            message_id=message_id,
            references=references,
            date=datetime(2026, 12, 1, 2, 0, tzinfo=timezone.utc),
        )

    def post(self, ledger: MailLedger, reason: str = "welcome", *, to: str = TO,
             build: Callable[[str, list[str]], bytes] | None = None) -> Mail:
        return ledger.post(
            key=f"{self.engagement}/{reason}/{to}",
            engagement_id=self.engagement,
            template="welcome",
            stage="intake",
            recipient=to,
            day=date(2026, 12, 1),
            build=build or (lambda message_id, references: self.build(message_id, references, to=to)),
            subject="Chào Quý khách",
        )

    def rows(self) -> list[Mail]:
        with self.register() as session:
            return list(session.scalars(select(Mail).where(Mail.engagement_id == self.engagement).order_by(Mail.id)))


@pytest.fixture
def office(
    ledger_register: sessionmaker[Session], tmp_path: Path, relay: Relay, desk: Desk, engagement: str
) -> Post:
    post = Post(ledger_register, tmp_path, relay, engagement)
    desk.archive = post.record_folder
    return post


def test_a_mail_is_sent_kept_and_written_down(office: Post, desk: Desk) -> None:
    row = office.post(office.ledger())
    assert (row.state, row.error) == ("sent", None)
    assert row.sent_at is not None
    assert row.message_id.endswith("@kehoachviet.example>")
    assert desk.envelopes == [("hoso@kehoachviet.example", [TO])]
    assert desk.ids() == [row.message_id]
    assert row.path is not None
    assert row.path.startswith(f"engagements/{office.engagement}/mails/")
    assert office.storage.get(row.path) == desk.taken[0]


def test_the_same_reason_gives_one_mail(office: Post, desk: Desk) -> None:
    first, second = office.post(office.ledger()), office.post(office.ledger())
    assert first.message_id == second.message_id
    assert len(desk.taken) == 1


def test_other_reasons_and_recipients_give_mails_of_their_own(office: Post, desk: Desk) -> None:
    ledger = office.ledger()
    office.post(ledger)
    office.post(ledger, "reminder")
    office.post(ledger, to="khac@d.vn")
    assert len(desk.taken) == 3


def test_two_at_once_send_one_mail(office: Post, desk: Desk) -> None:
    start = threading.Barrier(4)
    ids: list[str] = []

    def post() -> None:
        ledger = office.ledger()
        start.wait()
        ids.append(office.post(ledger).message_id)

    threads = [threading.Thread(target=post) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(desk.taken) == 1
    assert ids == desk.ids() * 4


def test_later_mails_refer_to_the_earlier_ones_of_the_same_recipient(office: Post) -> None:
    ledger = office.ledger()
    first = office.post(ledger, "1").message_id
    office.post(ledger, "1", to="khac@d.vn")
    second = office.post(ledger, "2").message_id
    office.post(ledger, "3")
    assert office.threads == [[], [], [first], [first, second]]


def test_a_long_thread_keeps_its_first_and_last_mails(office: Post) -> None:
    ledger = office.ledger()
    ids = [office.post(ledger, str(number)).message_id for number in range(THREAD_LENGTH + 5)]
    assert office.threads[-1] == [ids[0], *ids[:-1][-THREAD_LENGTH:]]


def test_a_mail_that_was_never_sent_is_no_part_of_the_thread(office: Post, desk: Desk) -> None:
    desk.at_rcpt = "550 no"
    with pytest.raises(RefusedMail):
        office.post(office.ledger(), "1")
    desk.at_rcpt = None
    office.post(office.ledger(), "2")
    assert office.threads[-1] == []


def test_a_4xx_reply_leaves_the_mail_to_be_sent_by_the_next_try(office: Post, desk: Desk) -> None:
    desk.at_rcpt = "450 greylisted"
    with pytest.raises(TransientMailError, match="greylisted"):
        office.post(office.ledger())
    claimed = office.rows()[0]
    assert claimed.state == "claimed"
    assert "greylisted" in (claimed.error or "")
    desk.at_rcpt = None
    assert office.post(office.ledger()).message_id == claimed.message_id
    assert len(desk.taken) == 1
    assert office.rows()[0].error is None


def test_a_refused_mail_stays_refused_until_a_person_settles_it(office: Post, desk: Desk) -> None:
    desk.at_rcpt = "550 no such user"
    for _ in range(2):
        with pytest.raises(RefusedMail, match="no such user"):
            office.post(office.ledger())
    desk.at_rcpt = None
    with pytest.raises(RefusedMail):
        office.post(office.ledger())
    assert office.rows()[0].state == "refused"
    office.ledger().settle(office.rows()[0].key, was_sent=False)
    assert office.post(office.ledger()).state == "sent"
    assert len(desk.taken) == 1


def test_a_dropped_reply_is_looked_up_and_not_sent_again(office: Post, desk: Desk) -> None:
    desk.hang_up_after_data = True
    with pytest.raises(TransientMailError):
        office.post(office.ledger())
    assert office.rows()[0].state == "handed_over"
    desk.hang_up_after_data = False
    assert office.post(office.ledger()).state == "sent"
    assert len(desk.taken) == 1


def test_without_a_record_a_dropped_reply_goes_to_a_person(office: Post, desk: Desk) -> None:
    desk.hang_up_after_data = True
    with pytest.raises(UnclearMail):
        office.post(office.ledger(record=False))
    desk.hang_up_after_data = False
    with pytest.raises(UnclearMail, match="không tự gửi lại"):
        office.post(office.ledger(record=False))
    assert len(desk.taken) == 1
    office.ledger().settle(office.rows()[0].key, was_sent=True)
    assert office.post(office.ledger(record=False)).state == "sent"
    assert len(desk.taken) == 1


class DyingTransport:
    """Dies before or after the relay took the mail."""

    def __init__(self, relay: Relay, *, after: bool) -> None:
        self.relay, self.after = relay, after

    def send(self, sender: str, recipients: Sequence[str], data: bytes) -> None:
        if self.after:
            self.relay.send(sender, recipients, data)
        raise Killed


def die_at_mark(state: str) -> Callable[..., Any]:
    marked = MailLedger._marked

    def mark(self: MailLedger, row_id: int, to: str, **more: Any) -> Mail:
        if to == state:
            raise Killed
        return marked(self, row_id, to, **more)

    return mark


def test_killed_before_the_row_is_claimed_leaves_nothing(
    office: Post, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(*_: object) -> None:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(ledger_module, "insert", die)
        with pytest.raises(Killed):
            office.post(office.ledger())
    assert office.rows() == []
    office.post(office.ledger())
    assert len(desk.taken) == 1


@pytest.mark.parametrize("step", ["lock", "build", "put", "handed_over", "before", "after", "sent"])
def test_killed_at_any_step_the_next_try_sends_exactly_one_mail(
    office: Post, desk: Desk, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    def die(*_: object, **__: object) -> Any:
        raise Killed

    with monkeypatch.context() as patch:
        transport = DyingTransport(office.relay, after=step == "after") if step in ("before", "after") else None
        if step == "lock":
            patch.setattr(ledger_module, "advisory_lock", die)
        if step == "put":
            patch.setattr(office.storage, "put", die)
        if step in ("handed_over", "sent"):
            patch.setattr(MailLedger, "_marked", die_at_mark(step))
        with pytest.raises(Killed):
            office.post(office.ledger(transport=transport), build=die if step == "build" else None)
    claimed = office.rows()[0].message_id
    assert office.post(office.ledger()).state == "sent"
    assert desk.ids() == [claimed]


def test_a_mail_handed_over_a_moment_ago_is_not_judged_yet(office: Post, desk: Desk) -> None:
    with pytest.raises(Killed):
        office.post(office.ledger(transport=DyingTransport(office.relay, after=False)))
    with pytest.raises(TransientMailError, match="a moment ago"):
        office.post(office.ledger(judge_after_seconds=3600))
    assert desk.taken == []


def test_a_mail_for_somebody_else_than_its_row_never_leaves(office: Post, desk: Desk) -> None:
    with pytest.raises(InvalidAddress):
        office.post(office.ledger(), build=lambda i, r: office.build(i, r, to="khac@d.vn"))
    with pytest.raises(InvalidAddress):
        office.post(office.ledger(), build=lambda i, r: office.build("<other@id>", r))
    assert desk.taken == []


def test_a_mail_without_an_engagement_is_kept_by_month(office: Post, desk: Desk) -> None:
    row = office.ledger().post(
        key=f"digest/{office.engagement}", engagement_id=None, template="digest", stage="", recipient=TO,
        day=date(2026, 12, 1), subject="Tổng hợp", build=office.build,
    )  # fmt: skip
    assert row.path is not None
    assert row.path.startswith("mails/2026-12/")
    assert len(desk.taken) == 1
