"""Registering what staff enter: once, whoever sends it how often."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from include.casework import intake
from include.casework.drafts import Submission, save_draft, submit
from include.casework.opening import awaiting_run, register_engagement
from include.engagement.form import check_form
from tests.firm import FORM, Firm

ENTRIES = {"client.name": "Công ty Gốm Chu Đậu", "client.contact.name": "Lê Gốm",
           "client.contact.email": "gom@chudau.example", "client.tax_code": "6001234562"}  # fmt: skip


def send(firm: Firm, nonce: str, accepted: tuple[str, ...] | None = (), **entries: str) -> Submission:
    return submit(firm.office(), nonce, {**ENTRIES, **entries}, by="thu-ha", accepted=accepted)


@pytest.mark.parametrize("kept", [False, True])
def test_a_form_clicked_eight_times_at_once_is_one_engagement(firm: Firm, kept: bool) -> None:
    if kept:
        save_draft(firm.office(), "one", ENTRIES, by="thu-ha")
    with ThreadPoolExecutor(8) as pool:
        opened = list(pool.map(lambda _: send(firm, "one").engagement_id, range(8)))
    assert opened == ["KHV-2026-0001"] * 8
    with firm.office().sessions() as session:
        assert awaiting_run(session, most=9) == ["KHV-2026-0001"]


def test_of_two_forms_for_one_client_at_once_the_second_is_warned_of_the_first(firm: Firm) -> None:
    with ThreadPoolExecutor(6) as pool:
        came_of = list(pool.map(lambda number: send(firm, f"nonce {number}", referrer=f"Khách {number}"), range(6)))
    assert [each.engagement_id for each in came_of if each.engagement_id] == ["KHV-2026-0001"]
    assert [[known.id for known in each.known] for each in came_of if not each.engagement_id] == [["KHV-2026-0001"]] * 5


def test_clients_without_a_tax_code_are_not_taken_for_one_another(firm: Firm) -> None:
    for number in (1, 2):
        assert send(firm, f"nonce {number}", **{"client.tax_code": "", "referrer": f"Khách {number}"}).engagement_id


def test_what_is_registered_otherwise_is_not_started_here(firm: Firm) -> None:
    register_engagement(check_form(FORM), settings=firm.settings)
    first = send(firm, "one", None).engagement_id
    with firm.office().sessions() as session:
        assert awaiting_run(session, most=9) == [first]
    firm.engagement = first
    with firm.case() as case:
        intake.open_engagement(case)
    with firm.office().sessions() as session:
        assert awaiting_run(session, most=9) == []
