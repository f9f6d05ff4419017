"""Opening engagements at the same time, and the numbers they take."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from include.casework.opening import register_engagement
from include.engagement.errors import AlreadyOpen
from include.engagement.form import check_form
from include.register.numbers import next_number
from tests.firm import FORM, Firm


def attempt(firm: Firm, referrer: str) -> str | None:
    try:
        return register_engagement(check_form({**FORM, "referrer": referrer}), settings=firm.settings)
    except AlreadyOpen:
        return None


def test_eight_openings_of_one_form_at_once_open_it_once(firm: Firm) -> None:
    with ThreadPoolExecutor(8) as pool:
        opened = list(pool.map(lambda _: attempt(firm, "Website"), range(8)))
    assert [one for one in opened if one] == ["KHV-2026-0001"]


def test_ids_taken_at_once_have_no_gap_and_no_twin(firm: Firm) -> None:
    with ThreadPoolExecutor(8) as pool:
        opened = list(pool.map(lambda number: attempt(firm, f"Khách {number}"), range(12)))
    assert sorted(str(one) for one in opened) == [f"KHV-2026-{number:04d}" for number in range(1, 13)]


def test_a_number_of_a_transaction_that_failed_is_given_again(firm: Firm) -> None:
    sessions = firm.office().sessions
    with pytest.raises(RuntimeError), sessions.begin() as session:
        assert next_number(session, "HĐ", 2026) == 1
        raise RuntimeError
    with sessions.begin() as session:
        assert next_number(session, "HĐ", 2026) == 1
    with sessions.begin() as session:
        assert next_number(session, "HĐ", 2027) == 1
