"""Finished engagements are archived when their time has come, and what nobody works with any more goes."""

from __future__ import annotations

import os
import time
from datetime import date, timedelta
from pathlib import Path

import pytest
from sqlalchemy import select, update

from include.casework.ending import end
from include.casework.retention import sweep
from include.casework.verification import deviations
from include.clock import now
from include.register.models import Document, Draft, Engagement, ErasedFile, IntakeSheet, Mail, ScheduledRun
from tests.firm import ANSWERS, PAPERS, Firm, facts_of

ENDED = date(2026, 12, 1)
DUE = date(2028, 12, 1)


@pytest.fixture
def ended(firm: Firm) -> Firm:
    """An engagement that was ended on ENDED."""
    firm.open().ask("intake")
    firm.ask("information")
    firm.put("information", {"answers": ANSWERS}, {**PAPERS, "virus.exe": b"MZ\x90\x00"}).receive("information")
    end(firm.office(), firm.engagement, by="Thu Hà", reason="khách rút hồ sơ")
    with firm.office().sessions() as session:
        assert session.get_one(Engagement, firm.engagement).closed == ENDED
    return firm


def archived(firm: Firm) -> date | None:
    with firm.office().sessions() as session:
        return session.get_one(Engagement, firm.engagement).archived


def swept(firm: Firm, day: date = DUE) -> dict[str, int]:
    return {what: count for what, count in sweep(firm.day(day).office()).items() if count}


def test_an_engagement_is_archived_two_years_after_its_end(ended: Firm) -> None:
    assert swept(ended) == {"archived": 1}
    assert archived(ended) == DUE


def test_a_day_earlier_it_is_not(ended: Firm) -> None:
    assert swept(ended, DUE - timedelta(days=1)) == {}


def test_an_open_engagement_is_never_archived(firm: Firm) -> None:
    assert swept(firm.open(), date(2040, 1, 1)) == {}


def test_done_again_it_finds_nothing(ended: Firm) -> None:
    swept(ended)
    assert swept(ended) == {}


def test_every_paper_but_those_in_quarantine_stays_as_it_was(ended: Firm) -> None:
    office = ended.office()
    with office.sessions() as session:
        papers = session.scalars(select(Document).where(Document.key.not_like("quarantined/%"))).all()
    swept(ended)
    assert papers
    assert [office.storage.sha256(paper.path) for paper in papers] == [paper.sha256 for paper in papers]


def test_a_file_in_quarantine_leaves_its_hash(ended: Firm) -> None:
    office = ended.office()
    with office.sessions() as session:
        [quarantined] = session.scalars(select(Document).where(Document.key.like("quarantined/%")))
    swept(ended)
    assert not office.storage.exists(quarantined.path)
    with office.sessions() as session:
        assert session.get_one(ErasedFile, quarantined.path).sha256 == quarantined.sha256


def test_verification_finds_nothing_amiss_afterwards(ended: Firm) -> None:
    swept(ended)
    office = ended.office()
    with office.sessions() as session:
        assert list(deviations(session, office.storage)) == []


def test_links_end_with_it(ended: Firm) -> None:
    with ended.case() as case:
        before = case.engagement.link_version
    swept(ended)
    with ended.case() as case:
        assert case.engagement.link_version == before + 1


def test_what_lies_unread_and_the_portals_receipts_go(ended: Firm) -> None:
    storage = ended.office().storage
    ended.put("information", {"message": "muộn"})
    storage.put(f"portal/receipts/{ended.engagement}/n.json", b"{}", media_type="application/json")
    swept(ended)
    assert storage.list("inbox") == storage.list("portal") == []


def test_it_is_written_down(ended: Firm) -> None:
    swept(ended)
    with ended.case() as case:
        assert facts_of(case, "archived") == [{"unread": 0, "quarantined": 1}]


@pytest.mark.parametrize("status", ["planned", "running"])
def test_what_is_still_planned_keeps_it_open(ended: Firm, status: str) -> None:
    with ended.office().sessions.begin() as session:
        session.add(ScheduledRun(engagement_id=ended.engagement, dag_id="feedback", run_id="x", number=1,
                                 run_after=now(), status=status))  # fmt: skip
    assert swept(ended) == {}


def test_a_mail_that_waits_for_a_person_keeps_it_open(ended: Firm) -> None:
    with ended.office().sessions.begin() as session:
        first = session.scalars(select(Mail.id).order_by(Mail.id)).first()
        session.execute(update(Mail).where(Mail.id == first).values(state="unclear"))
    assert swept(ended) == {}


def test_a_killed_archiving_is_done_to_its_end_by_the_next(ended: Firm, monkeypatch: pytest.MonkeyPatch) -> None:
    storage_class = type(ended.office().storage)

    class Killed(BaseException):
        pass

    def die(self: object, path: str) -> None:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(storage_class, "delete", die)
        with pytest.raises(Killed):
            swept(ended)
    assert swept(ended) == {"archived": 1}


def test_one_that_fails_holds_up_no_other(ended: Firm, monkeypatch: pytest.MonkeyPatch) -> None:
    import include.casework.retention as module

    monkeypatch.setattr(module, "archive", lambda case: 1 / 0)
    assert swept(ended) == {"failed": 1}


def test_drafts_and_sheets_go_after_ninety_days(firm: Firm) -> None:
    old, young = now() - timedelta(days=91), now() - timedelta(days=89)
    with firm.office().sessions.begin() as session:
        for name, at in (("old", old), ("young", young)):
            session.add(Draft(nonce=name, entries={"client.name": name}, saved_by="a", saved_at=at))
            session.add(IntakeSheet(sha256=name, name=name, rows=[], read_by="a", read_at=at))
    assert swept(firm) == {"drafts": 1, "sheets": 1}
    with firm.office().sessions() as session:
        assert session.scalars(select(Draft.nonce)).all() == ["young"]


def test_the_trace_of_a_draft_that_was_registered_stays(firm: Firm) -> None:
    """A form sent twice is one engagement, however much later."""
    firm.open()
    with firm.office().sessions.begin() as session:
        session.add(Draft(nonce="n", entries={}, saved_by="a", saved_at=now() - timedelta(days=900),
                          engagement_id=firm.engagement))  # fmt: skip
    assert swept(firm) == {}


def test_an_upload_that_nobody_finished_goes_after_two_days(firm: Firm, tmp_path: Path) -> None:
    storage = firm.office().storage
    for name, days in (("old", 3), ("young", 1)):
        path = f"inbox/KHV-2026-0001/information/{name}.pdf.part"
        storage.put(path, b"x", media_type="text/plain")
        then = time.time() - days * 86_400
        os.utime(tmp_path / path, (then, then))
    assert swept(firm) == {"unfinished uploads": 1}
    assert [each.path.rpartition("/")[2] for each in storage.list("inbox")] == ["young.pdf.part"]
