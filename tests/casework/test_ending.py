"""An engagement ended by hand at any point: nothing leaves any more, all files stay."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from sqlalchemy import select

from include.casework import planning
from include.casework.correspondence import post
from include.casework.ending import end, runs_of
from include.casework.office import Office
from include.engagement.errors import RuleBroken, UnknownEngagement
from include.mail.ledger import pause, resume
from include.register.models import Document, Mail, Request, ScheduledRun, SignOff, StagePeriod
from tests.firm import GOOD, Firm

POINTS: dict[str, Callable[[Firm], object]] = {
    "just opened": lambda firm: firm.open(),
    "waiting for information": lambda firm: firm.open().ask("information"),
    "deciding": lambda firm: firm.open().inform(),
    "delivering": lambda firm: firm.open().inform().decide().contract().ask("delivery"),
    "scored": lambda firm: firm.open().inform().decide().contract().deliver().score(GOOD),
}


def stop(firm: Firm, **more: str) -> bool:
    return end(firm.office(), firm.engagement, by="thuha", reason=more.pop("reason", "Khách đổi ý"), **more)


@pytest.mark.parametrize("point", POINTS)
def test_wherever_it_is_ended_links_die_nothing_waits_and_files_stay(firm: Firm, point: str) -> None:
    POINTS[point](firm)
    with firm.case() as case:
        version = case.engagement.link_version
        files = {row.path for row in case.session.scalars(select(Document))}
        case.session.add(SignOff(engagement_id=case.id, gate="decision", round=9, who="", asked=case.today))
        case.session.commit()
    assert stop(firm)
    mails = len(firm.outbox.mails)
    with firm.case() as case:
        assert case.ended
        assert (case.engagement.status, case.engagement.closed) == ("withdrawn", case.today)
        assert case.engagement.link_version == version + 1
        assert not case.session.scalars(select(Request).where(Request.status == "open")).all()
        assert not case.session.scalars(select(StagePeriod).where(StagePeriod.closed.is_(None))).all()
        undecided = select(SignOff).where(SignOff.decision.is_(None), SignOff.ended.is_(None))
        assert not case.session.scalars(undecided).all()
        assert all(case.office.storage.get(path) for path in files)
        with pytest.raises(RuleBroken, match="đã dừng"):
            post(case, "completion", "completion")
    assert firm.sweep(firm.office().today.replace(day=31)) == 0
    assert len(firm.outbox.mails) == mails
    assert not stop(firm)


def test_mail_that_waited_is_cancelled_and_never_goes(firm: Firm) -> None:
    firm.open()
    with firm.office().sessions() as session:
        pause(session, by="viet", why="máy chủ thư")
    firm.ask("information")
    mails = len(firm.outbox.mails)
    stop(firm)
    office: Office = firm.office()
    with office.sessions() as session:
        resume(session)
        assert "claimed" not in session.scalars(select(Mail.state)).all()
    office.ledger.deliver_due()
    assert len(firm.outbox.mails) == mails


def test_after_the_handover_an_end_drops_the_planned_runs_and_keeps_the_outcome(firm: Firm) -> None:
    firm.open().inform().decide().contract().deliver().score(GOOD)
    firm.conclude()
    firm.hand_over()
    with firm.case() as case:
        planned = planning.plan_next(case, "monitoring")
        assert planned is not None
    assert stop(firm)
    with firm.case() as case:
        assert case.engagement.status == "completed"
        assert case.session.scalars(select(ScheduledRun.status)).all() == ["dropped"]
        assert planning.plan_next(case, "monitoring") is None
        assert planning.plan_next(case, "feedback") is None
    assert runs_of(firm.office(), firm.engagement) == [
        ("engagement", firm.engagement), ("monitoring", f"{firm.engagement}__monitoring-1")
    ]  # fmt: skip


def test_what_the_procedure_closed_is_not_ended_again(firm: Firm) -> None:
    firm.open()
    with firm.case() as case:
        case.close("refused")
    with pytest.raises(RuleBroken, match="đã đóng"):
        stop(firm)


@pytest.mark.parametrize("more", [{"reason": " "}, {"outcome": "completed"}, {"outcome": "vanished"}])
def test_an_end_needs_a_reason_and_an_outcome(firm: Firm, more: dict[str, str]) -> None:
    firm.open()
    with pytest.raises(RuleBroken):
        stop(firm, **more)
    with firm.case() as case:
        assert not case.ended


def test_an_unknown_engagement_is_not_ended(firm: Firm) -> None:
    with pytest.raises(UnknownEngagement):
        end(firm.office(), "KHV-2026-9999", by="x", reason="y")
