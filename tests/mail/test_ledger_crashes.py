"""The ledger: whatever dies in between, and whatever answer is lost, each mail goes once or waits for a person."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any

import pytest

from include.mail.ledger import DELAYS, MailLedger
from include.mail.transport import Transport, UnclearMail
from include.register.models import Mail
from tests.mail.desk import Desk
from tests.mail.post import DyingTransport, Killed, Post


def test_a_dropped_reply_is_looked_up_and_not_sent_again(office: Post, desk: Desk) -> None:
    desk.hang_up_after_data = True
    assert office.post(office.ledger()).state == "handed_over"
    desk.hang_up_after_data = False
    assert office.post(office.ledger()).state == "sent"
    assert len(desk.taken) == 1


def test_without_a_record_a_dropped_reply_goes_to_a_person(office: Post, desk: Desk) -> None:
    desk.hang_up_after_data = True
    assert office.post(office.ledger(record=False)).state == "unclear"
    desk.hang_up_after_data = False
    assert office.ledger(record=False).deliver_due() == {}
    assert office.post(office.ledger(record=False)).state == "unclear"
    assert len(desk.taken) == 1
    office.ledger().settle(office.rows()[0].key, was_sent=True)
    assert office.post(office.ledger(record=False)).state == "sent"
    assert len(desk.taken) == 1


def die(*_: object, **__: object) -> Any:
    raise Killed


def die_at_mark(state: str) -> Callable[..., Any]:
    marked = MailLedger._marked

    def mark(self: MailLedger, row: Mail, to: str, **more: Any) -> Mail:
        if to == state:
            raise Killed
        return marked(self, row, to, **more)

    return mark


@pytest.mark.parametrize("step", ["advisory_lock", "hmac.digest"])
def test_killed_before_the_row_is_claimed_leaves_nothing(
    office: Post, desk: Desk, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(f"include.mail.ledger.{step}", die)
        with pytest.raises(Killed):
            office.post(office.ledger())
    assert office.rows() == []
    office.post(office.ledger())
    assert len(desk.taken) == 1


@pytest.mark.parametrize("step", ["build", "put", "path"])
def test_a_mail_that_was_never_written_leaves_nothing_when_nobody_posts_it_again(
    office: Post, desk: Desk, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    with monkeypatch.context() as patch:
        if step == "put":
            patch.setattr(office.storage, "put", die)
        if step == "path":
            patch.setattr(MailLedger, "_marked", die)
        with pytest.raises(Killed):
            office.post(office.ledger(), build=die if step == "build" else None)
    [claimed] = office.rows()
    office.ledger().deliver_due()
    assert office.rows() == []
    assert office.storage.list("") == []
    assert office.post(office.ledger()).message_id == claimed.message_id
    assert desk.ids() == [claimed.message_id]


def test_a_mail_that_is_being_written_is_not_taken_back(office: Post, desk: Desk) -> None:
    def build_while_the_outbox_runs(message_id: str, references: Sequence[str]) -> bytes:
        office.ledger().deliver_due()
        return office.build(message_id, references)

    office.post(office.ledger(), build=build_while_the_outbox_runs)
    assert [row.state for row in office.rows()] == ["sent"]
    assert len(desk.taken) == 1


@pytest.mark.parametrize("step", ["build", "put", "handed_over", "before", "after", "sent"])
def test_killed_at_any_step_the_next_try_sends_exactly_one_mail(
    office: Post, desk: Desk, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    with monkeypatch.context() as patch:
        transport = DyingTransport(office.relay, after=step == "after") if step in ("before", "after") else None
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
        office.post(office.ledger(transport=DyingTransport(office.relay, after=False), judge_after_seconds=3600))
    assert office.post(office.ledger()).state == "handed_over"
    assert office.ledger().deliver_due() == {}
    assert desk.taken == []


QUARTER = timedelta(minutes=15)


def test_a_record_that_lags_is_not_believed_to_say_no_before_its_patience_is_over(
    office: Post, desk: Desk, later: Callable[[timedelta], None]
) -> None:
    desk.archive = None
    with pytest.raises(Killed):
        office.post(office.ledger(transport=DyingTransport(office.relay, after=True), patience=QUARTER))
    assert office.delivered(QUARTER) == "handed_over"
    later(QUARTER - timedelta(seconds=1))
    assert office.delivered(QUARTER) == "handed_over"
    (office.record_folder / "1.eml").write_bytes(desk.taken[0])
    later(timedelta(seconds=1))
    assert office.delivered(QUARTER) == "sent"
    assert desk.ids().count(office.rows()[0].message_id) == 1


def test_a_record_that_has_the_mail_is_believed_at_once(office: Post, desk: Desk) -> None:
    with pytest.raises(Killed):
        office.post(office.ledger(transport=DyingTransport(office.relay, after=True), patience=QUARTER))
    assert office.delivered(QUARTER) == "sent"
    assert desk.ids().count(office.rows()[0].message_id) == 1


def test_the_patience_begins_when_the_conversation_has_ended(
    office: Post, desk: Desk, later: Callable[[timedelta], None]
) -> None:
    class Slow(Transport):
        def send(self, sender: str, recipients: Sequence[str], data: bytes) -> None:
            later(QUARTER)
            raise UnclearMail("no reply for a quarter of an hour")

    assert office.post(office.ledger(transport=Slow(), patience=QUARTER)).state == "handed_over"
    assert office.delivered(QUARTER) == "handed_over"
    later(QUARTER)
    assert office.delivered(QUARTER) == "sent"


def test_a_record_that_was_away_has_its_patience_too(
    office: Post, desk: Desk, later: Callable[[timedelta], None]
) -> None:
    with pytest.raises(Killed):
        office.post(office.ledger(transport=DyingTransport(office.relay, after=False), patience=QUARTER))
    aside = office.record_folder.rename(office.record_folder.with_name("aside"))
    assert office.delivered(QUARTER) == "handed_over"
    aside.rename(office.record_folder)
    later(max(DELAYS[0], QUARTER - timedelta(seconds=1)))
    assert office.delivered(QUARTER) == "handed_over"
    later(timedelta(seconds=1))
    assert office.delivered(QUARTER) == "sent"
    assert desk.ids().count(office.rows()[0].message_id) == 1
