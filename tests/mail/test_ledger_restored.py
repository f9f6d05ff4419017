"""A register restored from a backup lacks what was sent after it: the record knows, and nothing is mailed again."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import delete, update

from include.clock import now
from include.mail.ledger import RESTORED_DOUBT, mark_restored, resume
from include.mail.transport import Relay
from include.register.models import Engagement, Event, Mail
from include.register.session import sessions
from tests.mail.desk import Desk
from tests.mail.post import Post

BACKUP_AGE = timedelta(hours=6)


@pytest.fixture
def office(register: str, tmp_path: Path, relay: Relay, desk: Desk) -> Iterator[Post]:
    """An engagement of before the backup, in a register of its own: a restore concerns the whole of it."""
    post = Post(sessions(register), tmp_path, relay, "KHV-2026-0001")
    with post.register.begin() as session:
        session.add(Engagement(id=post.engagement, language="vi", form={}, form_digest="a", opened=now().date(),
                               created_at=now() - 2 * BACKUP_AGE))  # fmt: skip
    desk.archive = post.record_folder
    return post


def restore(office: Post) -> None:
    """Take the register back to a moment before its mails, and let mail go again."""
    with office.register() as session:
        session.execute(delete(Mail))
        session.commit()
        mark_restored(session, to=now() - BACKUP_AGE, by="test", why="restored")
        resume(session)


def test_what_was_sent_after_the_backup_does_not_go_again(office: Post, desk: Desk) -> None:
    office.post(office.ledger())
    restore(office)
    assert office.post(office.ledger()).state == "sent"
    assert len(desk.taken) == 1


def test_that_a_mail_was_taken_over_is_written_down(office: Post) -> None:
    office.post(office.ledger())
    restore(office)
    row = office.post(office.ledger())
    with office.register() as session:
        [event] = session.query(Event).all()
    assert (event.kind, event.facts) == ("mail_taken_over", {"mail": row.id})


def test_what_the_record_lacks_goes_at_once(office: Post, desk: Desk) -> None:
    restore(office)
    assert office.post(office.ledger()).state == "sent"
    assert len(desk.taken) == 1


def test_a_relay_that_wrote_its_record_late_is_waited_for(
    office: Post, desk: Desk, later: Callable[[timedelta], None]
) -> None:
    patience = timedelta(minutes=15)
    restore(office)
    assert office.post(office.ledger(patience=patience)).state == "handed_over"
    later(patience + timedelta(seconds=1))
    assert office.delivered(patience) == "sent"
    assert len(desk.taken) == 1


def test_without_a_record_a_person_decides(office: Post, desk: Desk) -> None:
    restore(office)
    assert office.post(office.ledger(record=False)).state == "unclear"
    assert desk.taken == []


def test_a_mail_that_waited_at_the_backup_may_have_gone_since(office: Post, desk: Desk) -> None:
    desk.at_mail = "451 later"
    row = office.post(office.ledger())
    assert row.state == "claimed"
    desk.at_mail = None
    with office.register() as session:
        session.execute(update(Mail).values(next_try_at=None))
        session.commit()
    assert office.delivered(timedelta()) == "sent"
    with office.register() as session:
        session.execute(update(Mail).values(state="claimed", sent_at=None))
        session.commit()
        mark_restored(session, to=now() - BACKUP_AGE, by="test", why="restored")
        resume(session)
    assert office.delivered(timedelta()) == "sent"
    assert len(desk.taken) == 1


def test_a_crash_after_the_restore_is_judged_with_patience_again(
    office: Post, desk: Desk, later: Callable[[timedelta], None]
) -> None:
    restore(office)
    later(timedelta(hours=1))
    desk.hang_up_after_data, desk.archive = True, None
    row = office.post(office.ledger(patience=timedelta(minutes=15)))
    assert row.state == "handed_over"
    assert office.delivered(timedelta(minutes=15)) == "handed_over"
    assert len(desk.taken) == 1


def test_mail_is_paused_until_a_person_has_looked(office: Post, desk: Desk) -> None:
    with office.register() as session:
        mark_restored(session, to=now() - BACKUP_AGE, by="test", why="restored")
    office.post(office.ledger())
    assert desk.taken == []


def test_what_went_is_known_while_mail_is_still_paused(office: Post) -> None:
    office.post(office.ledger())
    with office.register() as session:
        session.execute(delete(Mail))
        session.commit()
        mark_restored(session, to=now() - BACKUP_AGE, by="test", why="restored")
    assert office.post(office.ledger()).state == "sent"


def test_an_engagement_opened_after_the_restore_is_not_in_doubt(office: Post, desk: Desk) -> None:
    restore(office)
    with office.register() as session:
        session.execute(update(Engagement).values(created_at=now()))
        session.commit()
    assert office.post(office.ledger(record=False)).state == "sent"


def test_the_doubt_ends(office: Post, desk: Desk, later: Callable[[timedelta], None]) -> None:
    restore(office)
    later(RESTORED_DOUBT + timedelta(seconds=1))
    assert office.post(office.ledger(record=False)).state == "sent"


def test_the_id_of_a_mail_is_not_given_again(office: Post) -> None:
    before = office.post(office.ledger()).id
    restore(office)
    assert office.post(office.ledger(), "another").id > before
