"""The judge of the stand: an engagement in order is passed, and each thing that can go wrong is found."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from chaos.judge import Verdict, judge, picture
from include.engagement import process
from include.register.models import Document, Mail, NumberSeries, SignOff
from tests.firm import PAPERS, Firm


@dataclass(frozen=True)
class Letter:
    """A mail as the mail server has it."""

    message_id: str


@dataclass(frozen=True)
class Said:
    """An answer that somebody was told is taken."""

    engagement_id: str
    gate: str
    who: str
    option: str
    by: str


HANDED_IN = [hashlib.sha256(content).hexdigest() for content in PAPERS.values()]


@pytest.fixture
def played(firm: Firm) -> Firm:
    """An engagement up to its quote, with two decisions."""
    firm.open().inform().decide()
    firm.sign("first_meeting", "yes")
    return firm


def judged(
    firm: Firm, *, letters: list[str] | None = None, said: list[Said] | None = None,
    undisturbed: list[tuple[str, str]] | None = None,
) -> Verdict:  # fmt: skip
    if letters is None:
        letters = [str(mail["Message-ID"]) for mail in firm.outbox.read()]
    with firm.office().sessions() as session:
        return judge(session, letters=[Letter(each) for each in letters], storage=storage(firm),
                     given=decided(session) if said is None else said, handed_in=HANDED_IN,
                     undisturbed={} if undisturbed is None else {firm.engagement: Counter(undisturbed)})  # fmt: skip


def storage(firm: Firm) -> Path:
    return Path(firm.settings.storage_url.removeprefix("file://"))


def decided(session: Session) -> list[Said]:
    rows = session.scalars(select(SignOff).where(SignOff.decision.is_not(None)))
    return [Said(row.engagement_id, row.gate, row.who, process.SIGN_OFFS[row.gate].options[row.decision or ""],
                 row.decided_by or "") for row in rows]  # fmt: skip


def test_what_is_in_order_is_passed(played: Firm) -> None:
    verdict = judged(played)

    assert verdict.findings == []
    assert verdict.mails_due == len(played.outbox.mails) > 0
    assert verdict.decisions == 3
    assert verdict.files_handed_in == len(PAPERS)


def test_a_mail_that_never_arrived_is_lost(played: Firm) -> None:
    letters = [str(mail["Message-ID"]) for mail in played.outbox.read()]
    assert judged(played, letters=letters[1:]).mails_lost == 1


def test_a_mail_that_arrived_twice_is_doubled(played: Firm) -> None:
    letters = [str(mail["Message-ID"]) for mail in played.outbox.read()]
    assert judged(played, letters=[*letters, letters[0]]).mails_doubled == 1


def test_a_mail_that_nothing_asked_for_is_found(played: Firm) -> None:
    letters = [str(mail["Message-ID"]) for mail in played.outbox.read()]
    assert judged(played, letters=[*letters, "<stranger@firm.example>"]).mails_doubled == 1


def test_the_same_reason_under_two_keys_is_doubled(played: Firm) -> None:
    with played.office().sessions() as session:
        first = session.scalars(select(Mail).order_by(Mail.id)).first()
        assert first is not None
        again = {name: getattr(first, name) for name in ("engagement_id", "template", "stage", "recipient", "thread",
                                                         "subject", "day", "state")}  # fmt: skip
        session.add(Mail(key="another", message_id="<another@firm.example>", **again))
        session.commit()
    letters = [str(mail["Message-ID"]) for mail in played.outbox.read()]
    assert judged(played, letters=[*letters, "<another@firm.example>"]).mails_doubled == 1


def mails_of(firm: Firm) -> list[tuple[str, str]]:
    with firm.office().sessions() as session:
        return [(day.isoformat(), template) for day, template in session.execute(select(Mail.day, Mail.template))]


def test_the_mails_of_an_undisturbed_engagement_are_in_order(played: Firm) -> None:
    assert judged(played, undisturbed=mails_of(played)).findings == []


def test_a_mail_that_only_the_undisturbed_engagement_has_is_lost(played: Firm) -> None:
    assert judged(played, undisturbed=[*mails_of(played), ("2026-12-01", "quote")]).mails_lost == 1


def test_a_mail_that_the_undisturbed_engagement_has_not_is_doubled(played: Firm) -> None:
    assert judged(played, undisturbed=mails_of(played)[1:]).mails_doubled == 1


def test_an_answer_that_was_taken_and_is_not_kept_is_lost(played: Firm) -> None:
    with played.office().sessions() as session:
        said = decided(session)
        session.execute(delete(SignOff).where(SignOff.gate == "decision"))
        session.commit()
    assert judged(played, said=said).decisions_lost == 1


def test_an_answer_that_became_another_is_changed(played: Firm) -> None:
    with played.office().sessions() as session:
        said = decided(session)
        session.execute(update(SignOff).where(SignOff.gate == "decision").values(decision="decline"))
        session.commit()
    assert judged(played, said=said).decisions_changed == 1


def test_an_answer_kept_as_somebody_elses_is_changed(played: Firm) -> None:
    with played.office().sessions() as session:
        said = decided(session)
        session.execute(update(SignOff).where(SignOff.gate == "decision").values(decided_by="another"))
        session.commit()
    assert judged(played, said=said).decisions_changed == 1


def remove(file: Path) -> None:
    file.unlink()


def overwrite(file: Path) -> None:
    file.write_bytes(b"something else")


@pytest.mark.parametrize("harm", [remove, overwrite])
def test_a_document_that_is_not_as_registered_is_found(played: Firm, harm: Callable[[Path], None]) -> None:
    with played.office().sessions() as session:
        path = session.scalars(select(Document.path).where(Document.direction == "made")).first()
    harm(storage(played) / str(path))
    assert len(judged(played).findings) == 1


def test_a_file_that_nobody_registered_is_found(played: Firm) -> None:
    stray = storage(played) / "engagements" / played.engagement / "contract" / "stray.docx"
    stray.parent.mkdir(parents=True, exist_ok=True)
    stray.write_bytes(b"?")
    assert len(judged(played).findings) == 1


def test_a_file_that_was_handed_in_and_is_gone_is_found(played: Firm) -> None:
    with played.office().sessions() as session:
        session.execute(update(Document).where(Document.sha256 == HANDED_IN[0]).values(sha256="0" * 64))
        session.commit()
    assert any(HANDED_IN[0] in finding for finding in judged(played).findings)


def test_a_gap_in_a_series_of_numbers_is_found(played: Firm) -> None:
    with played.office().sessions() as session:
        session.execute(update(NumberSeries).where(NumberSeries.kind == "engagement").values(last=7))
        session.commit()
    assert len(judged(played).findings) == 1


def test_the_picture_shows_a_decision_that_changed(played: Firm) -> None:
    with played.office().sessions() as session:
        before = picture(session)
        session.execute(update(SignOff).where(SignOff.gate == "decision").values(decision="decline"))
        after = picture(session)
    assert [name for name in before if before[name] != after[name]] == ["decisions"]
