"""The ledger: one mail for a reason and recipient, whatever dies in between."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import date, timedelta

import pytest

from include.mail.ledger import DELAYS, THREAD_LENGTH, cancel_queued, pause, resume
from include.mail.message import InvalidAddress
from include.mail.transport import Relay
from include.register.models import Event
from tests.mail.desk import Desk
from tests.mail.post import TO, DyingTransport, Killed, Post


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
    assert office.post(office.ledger(), "1").state == "refused"
    desk.at_rcpt = None
    office.post(office.ledger(), "2")
    assert office.threads[-1] == []


def test_a_4xx_reply_leaves_the_mail_to_be_sent_later_and_the_task_goes_on(
    office: Post, desk: Desk, later: Callable[[timedelta], None]
) -> None:
    desk.at_rcpt = "450 greylisted"
    claimed = office.post(office.ledger())
    assert (claimed.state, claimed.tries) == ("claimed", 1)
    assert "greylisted" in (claimed.error or "")
    desk.at_rcpt = None
    assert office.post(office.ledger()).state == "claimed", "its next try is not due yet"
    assert office.ledger().deliver_due() == {}
    later(DELAYS[0])
    assert office.ledger().deliver_due() == {"sent": 1}
    assert desk.ids() == [claimed.message_id]
    assert office.rows()[0].error is None


def test_a_mail_is_tried_for_48_hours_at_growing_delays_and_then_a_person_decides(
    office: Post, desk: Desk, later: Callable[[timedelta], None]
) -> None:
    assert timedelta(hours=47) < sum(DELAYS, timedelta()) <= timedelta(hours=48)
    assert list(DELAYS) == sorted(DELAYS)
    desk.at_rcpt = "450 busy"
    office.post(office.ledger())
    for delay in DELAYS:
        assert office.rows()[0].state == "claimed"
        later(delay)
        office.ledger().deliver_due()
    assert office.rows()[0].state == "expired"
    desk.at_rcpt = None
    office.ledger().settle(office.rows()[0].key, was_sent=False, by="ha", why="máy chủ đã chạy lại")
    assert office.ledger().deliver_due() == {"sent": 1}
    assert len(desk.taken) == 1


def test_a_refused_mail_stays_refused_until_a_person_settles_it(office: Post, desk: Desk) -> None:
    desk.at_rcpt = "550 no such user"
    for _ in range(2):
        row = office.post(office.ledger())
        assert row.state == "refused"
        assert "no such user" in (row.error or "")
    desk.at_rcpt = None
    assert office.post(office.ledger()).state == "refused"
    office.ledger().settle(office.rows()[0].key, was_sent=False)
    assert office.post(office.ledger()).state == "sent"
    assert len(desk.taken) == 1


def test_of_three_recipients_the_refused_one_holds_up_nobody(office: Post, desk: Desk) -> None:
    ledger, states = office.ledger(), []
    for to, at_rcpt in (("a@d.vn", None), ("b@d.vn", "550 no"), ("c@d.vn", None)):
        desk.at_rcpt = at_rcpt
        states.append(office.post(ledger, to=to).state)
    assert states == ["sent", "refused", "sent"]


def test_a_mail_that_stopped_can_go_to_another_address_as_it_was_written(office: Post, desk: Desk) -> None:
    desk.at_rcpt = "550 no such user"
    old = office.post(office.ledger())
    desk.at_rcpt = None
    for _ in range(2):
        new = office.ledger().redirect(old.key, to="moi@d.vn", by="ha", why="địa chỉ mới")
    assert new.state == "sent"
    assert [row.state for row in office.rows()] == ["cancelled", "sent"]
    [(_, to)] = desk.envelopes
    assert to == ["moi@d.vn"]
    assert desk.ids() == [new.message_id] != [old.message_id]
    was, now_ = office.storage.get(old.path or ""), desk.taken[0]
    assert now_.partition(b"\r\n\r\n")[2] == was.partition(b"\r\n\r\n")[2]
    assert b"\r\nTo: moi@d.vn\r\n" in now_
    with pytest.raises(ValueError, match="only one that stopped"):
        office.ledger().redirect(new.key, to="khac@d.vn", by="ha", why="")


def test_paused_mail_waits_and_goes_once_and_in_order_when_resumed(office: Post, desk: Desk) -> None:
    with office.register() as session:
        pause(session, by="ha", why="đổi máy chủ thư")
    posted = [office.post(office.ledger(), str(n), to=f"k{n % 2}@d.vn").message_id for n in range(4)]
    office.ledger().deliver_due()
    assert desk.taken == []
    with office.register() as session:
        resume(session)
    office.ledger().deliver_due()
    office.ledger().deliver_due()
    assert desk.ids() == posted


def test_a_later_mail_never_overtakes_an_earlier_one_to_the_same_recipient(
    office: Post, desk: Desk, later: Callable[[timedelta], None]
) -> None:
    desk.at_rcpt = "450 busy"
    first = office.post(office.ledger(), "1")
    desk.at_rcpt = None
    assert office.post(office.ledger(), "2").state == "claimed"
    assert office.post(office.ledger(), "2", to="khac@d.vn").state == "sent"
    later(DELAYS[0])
    office.ledger().deliver_due()
    assert desk.ids()[1:] == [row.message_id for row in office.rows() if row.recipient == first.recipient]


def test_a_batch_goes_over_one_connection_and_outlives_a_relay_that_hangs_up(office: Post, desk: Desk) -> None:
    ledger = office.ledger()
    with ledger.batch():
        rows = [office.post(ledger, str(n), to=f"k{n}@d.vn") for n in range(5)]
        assert {row.state for row in rows} == {"claimed"}
    assert desk.ids() == [row.message_id for row in rows]
    assert desk.greetings == 1


def test_a_relay_that_is_away_costs_one_try_and_not_one_for_each_mail(office: Post, desk: Desk) -> None:
    ledger = office.ledger(transport=Relay("127.0.0.1", 9, tls="none"))
    with ledger.batch():
        for n in range(3):
            office.post(ledger, str(n), to=f"k{n}@d.vn")
    assert [row.tries for row in office.rows()] == [1, 0, 0]


def test_what_was_cancelled_never_goes_out(office: Post, desk: Desk) -> None:
    with office.register() as session:
        pause(session, by="ha", why="")
    office.post(office.ledger())
    with office.register() as session:
        assert cancel_queued(session, office.engagement) == 1
        resume(session)
    office.ledger().deliver_due()
    assert office.post(office.ledger()).state == "cancelled"
    assert desk.taken == []


def test_a_mail_cancelled_while_it_is_about_to_go_stays_at_home(office: Post, desk: Desk) -> None:
    storage, get = office.storage, office.storage.get

    def cancel_first(path: str) -> bytes:
        with office.register() as session:
            cancel_queued(session, office.engagement)
        return get(path)

    object.__setattr__(storage, "get", cancel_first)
    assert office.post(office.ledger()).state == "cancelled"
    assert desk.taken == []


def test_a_mail_on_its_way_when_the_engagement_was_ended_is_not_sent_again(office: Post, desk: Desk) -> None:
    with pytest.raises(Killed):
        office.post(office.ledger(transport=DyingTransport(office.relay, after=False)))
    with office.register.begin() as session:
        session.add(Event(engagement_id=office.engagement, key="ended", kind="ended", day=date(2026, 12, 1), facts={}))
    assert office.ledger().deliver_due()["cancelled"] == 1
    assert desk.taken == []


def test_a_dry_run_writes_everything_and_sends_nothing_even_later(office: Post, desk: Desk) -> None:
    row = office.post(office.ledger(dry_run=True))
    assert row.state == "dry_run"
    assert office.storage.get(row.path or "").endswith(b"\n")
    office.ledger().deliver_due()
    assert office.post(office.ledger()).state == "dry_run"
    assert desk.taken == []


def test_a_stored_mail_that_is_gone_holds_up_no_other(office: Post, desk: Desk) -> None:
    with office.register() as session:
        pause(session, by="ha", why="")
    lost, other = office.post(office.ledger(), to="a@d.vn"), office.post(office.ledger(), to="b@d.vn")
    office.storage.delete(lost.path or "")
    with office.register() as session:
        resume(session)
    assert office.ledger().deliver_due() == {"claimed": 1, "sent": 1}
    assert desk.ids() == [other.message_id]


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
