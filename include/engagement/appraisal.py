"""The council's verdict and what follows from it (stage 5)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_DOWN, ROUND_HALF_UP, Decimal
from fractions import Fraction
from typing import Literal

from include.engagement.errors import RuleBroken
from include.engagement.process import APPRAISAL_ROUNDS, COUNCIL, CRITERIA, PASS_MARK, QUORUM

PLACES = Decimal("0.01")


@dataclass(frozen=True)
class Scorecard:
    """A member's scorecard: points by criterion, 0 to ``COUNCIL_POINTS``; none from who was absent."""

    member: str
    present: bool
    points: Mapping[str, Decimal | float]
    comment: str


@dataclass(frozen=True)
class Verdict:
    """What the scorecards amount to: means with 2 places; ``reasons`` (Vietnamese) say why it failed."""

    quorate: bool
    mean: Decimal
    passed: bool
    by_criterion: dict[str, Decimal]
    reasons: list[str]


def _exact(points: Decimal | float) -> Fraction:
    return Fraction(Decimal(str(points)))


def _shown(exact: Fraction) -> Decimal:
    """Round to 2 places, but never up to the pass mark what is below it."""
    value = Decimal(exact.numerator) / Decimal(exact.denominator)
    rounded = value.quantize(PLACES, ROUND_HALF_UP)
    return value.quantize(PLACES, ROUND_DOWN) if exact < PASS_MARK <= rounded else rounded


def vietnamese(number: Decimal) -> str:
    """Return a mean as it is written in Vietnamese: ``6,33``."""
    return f"{number:.2f}".replace(".", ",")


def tally(cards: Sequence[Scorecard]) -> Verdict:
    """Return the verdict: the mean over the members present, weighted by criterion (rows of ``process``).

    Raises RuleBroken when a present member left a criterion out or a member stands there twice.
    """
    members = [card.member for card in cards]
    if len(set(members)) != len(members):
        raise RuleBroken("Một thành viên hội đồng có hai phiếu thẩm định trong cùng một vòng.")
    present = [card for card in cards if card.present]
    for card in present:
        if any(criterion.key not in card.points for criterion in CRITERIA):
            raise RuleBroken(f"Phiếu thẩm định của thành viên “{card.member}” còn thiếu điểm.")
    if not present:
        return Verdict(quorate=False, mean=Decimal("0.00"), passed=False, by_criterion={}, reasons=[])
    means = {
        criterion.key: sum((_exact(card.points[criterion.key]) for card in present), Fraction()) / len(present)
        for criterion in CRITERIA
    }
    weight = sum(criterion.weight for criterion in CRITERIA)
    mean = sum((means[criterion.key] * criterion.weight for criterion in CRITERIA), Fraction()) / weight
    quorate = len(present) >= QUORUM
    passed = quorate and mean >= PASS_MARK
    return Verdict(
        quorate=quorate,
        mean=_shown(mean),
        passed=passed,
        by_criterion={key: _shown(value) for key, value in means.items()},
        reasons=[] if passed else _reasons(means, present),
    )


def _reasons(means: dict[str, Fraction], present: Sequence[Scorecard]) -> list[str]:
    titles = {member.key: member.title.vi for member in COUNCIL}
    weak = [
        f"{criterion.title.vi}: {vietnamese(_shown(means[criterion.key]))} điểm, dưới mức đạt {PASS_MARK}"
        for criterion in CRITERIA
        if means[criterion.key] < PASS_MARK
    ]
    comments = [f"{titles.get(card.member, card.member)}: {card.comment.strip()}" for card in present]
    return weak + [line for card, line in zip(present, comments, strict=True) if card.comment.strip()]


def after_verdict(verdict: Verdict, *, round: int, reserve_left: int) -> Literal["pass", "rework", "director"]:
    """Return what follows in appraisal round ``round`` (from 1) with ``reserve_left`` working days of reserve.

    A fail is paid from the reserve; with none left, or after the last round, the director decides. Raises
    RuleBroken without a quorum: then nothing was decided.
    """
    if not verdict.quorate:
        raise RuleBroken(f"Hội đồng chưa đủ túc số {QUORUM} thành viên nên chưa thể kết luận.")
    if verdict.passed:
        return "pass"
    if round < APPRAISAL_ROUNDS and reserve_left > 0:
        return "rework"
    return "director"
