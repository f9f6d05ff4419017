"""The council's verdict, and that a failed appraisal never leads to handover."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from include.engagement.appraisal import Scorecard, Verdict, after_verdict, tally
from include.engagement.errors import RuleBroken
from include.engagement.process import APPRAISAL_ROUNDS, COUNCIL, CRITERIA, PASS_MARK, QUORUM


def card(member: str, market: float, finance: float, feasibility: float, comment: str = "") -> Scorecard:
    points = {"market": market, "finance": finance, "feasibility": feasibility}
    return Scorecard(member=member, present=True, points=points, comment=comment)


def absent(member: str) -> Scorecard:
    return Scorecard(member=member, present=False, points={}, comment="")


FAILED = [
    card("chair", 6, 4, 5),
    card("finance", 6, 3, 5, "Thiếu phân tích dòng tiền chiết khấu"),
    card("industry", 7, 5, 5),
]
PASSED = [card("chair", 8, 8, 8), card("finance", 8, 8, 7), card("industry", 8, 7, 8)]


def test_a_fail_names_weak_criteria_and_comments():
    verdict = tally(FAILED)
    assert (verdict.quorate, verdict.passed, verdict.mean) == (True, False, Decimal("5.11"))
    assert verdict.by_criterion == {
        "market": Decimal("6.33"), "finance": Decimal("4.00"), "feasibility": Decimal("5.00"),
    }  # fmt: skip
    assert verdict.reasons == [
        "Thị trường: 6,33 điểm, dưới mức đạt 7",
        "Tài chính: 4,00 điểm, dưới mức đạt 7",
        "Tính khả thi: 5,00 điểm, dưới mức đạt 7",
        "Ủy viên tài chính: Thiếu phân tích dòng tiền chiết khấu",
    ]


def test_a_pass_has_no_reasons():
    assert tally(PASSED) == Verdict(
        True, Decimal("7.78"), True,
        {"market": Decimal("8.00"), "finance": Decimal("7.67"), "feasibility": Decimal("7.67")}, [],
    )  # fmt: skip


def test_exactly_the_pass_mark_passes():
    assert tally([card("chair", 7, 7, 7), card("finance", 6, 7, 8), absent("industry")]).passed


def test_a_mean_just_below_the_mark_fails_and_does_not_look_like_a_pass():
    verdict = tally([card("chair", 7, 7, 6.999), card("finance", 7, 7, 7)])
    assert (verdict.passed, verdict.mean) == (False, Decimal("6.99"))


def test_points_of_an_absent_member_do_not_count():
    ghost = Scorecard("industry", False, {"market": 0, "finance": 0, "feasibility": 0}, "không dự")
    assert tally([*PASSED[:2], ghost]).mean == tally(PASSED[:2]).mean


@pytest.mark.parametrize("cards", [[], [absent("chair"), absent("finance")], [PASSED[0], absent("finance")]])
def test_without_a_quorum_nothing_is_decided(cards):
    verdict = tally(cards)
    assert not verdict.quorate and not verdict.passed
    with pytest.raises(RuleBroken):
        after_verdict(verdict, round=1, reserve_left=5)


def test_a_member_has_one_card():
    with pytest.raises(RuleBroken):
        tally([PASSED[0], PASSED[0]])


def test_a_present_member_scores_every_criterion():
    with pytest.raises(RuleBroken):
        tally([PASSED[0], Scorecard("finance", True, {"market": 8}, "")])


@pytest.mark.parametrize(
    ("cards", "number", "left", "course"),
    [
        (PASSED, 1, 0, "pass"),
        (PASSED, APPRAISAL_ROUNDS, 0, "pass"),
        (FAILED, 1, 1, "rework"),
        (FAILED, 1, 0, "director"),
        (FAILED, APPRAISAL_ROUNDS - 1, 3, "rework"),
        (FAILED, APPRAISAL_ROUNDS, 3, "director"),
        (FAILED, APPRAISAL_ROUNDS + 1, 3, "director"),
    ],
)
def test_what_follows_a_verdict(cards, number, left, course):
    assert after_verdict(tally(cards), round=number, reserve_left=left) == course


POINT = st.integers(0, 40).map(lambda quarter: quarter / 4)
CARDS = st.tuples(
    *(st.one_of(st.just(absent(m.key)), st.builds(card, st.just(m.key), POINT, POINT, POINT)) for m in COUNCIL)
)


@given(CARDS, st.integers(1, 5), st.integers(0, 10))
def test_only_a_mean_at_the_mark_with_a_quorum_leads_to_handover(cards, number, left):
    present = [c for c in cards if c.present]
    earned = sum(c.points[k.key] * k.weight for c in present for k in CRITERIA)
    wanted = PASS_MARK * len(present) * sum(k.weight for k in CRITERIA)
    verdict = tally(cards)
    if len(present) < QUORUM:
        with pytest.raises(RuleBroken):
            after_verdict(verdict, round=number, reserve_left=left)
    else:
        assert (after_verdict(verdict, round=number, reserve_left=left) == "pass") is (earned >= wanted)
        assert verdict.passed or verdict.reasons
