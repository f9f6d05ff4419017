"""What the engagement's page says of decisions."""

from __future__ import annotations

from include.casework.signing import reopen
from tests.plugins.conftest import Staff


def test_a_decision_taken_anew_is_told_apart_from_the_one_that_stands(staff: Staff) -> None:
    staff.firm.open().inform().decide()
    home = f"/e/{staff.firm.engagement}"
    assert "đã được quyết định lại" not in staff.see(home)
    with staff.firm.case() as case:
        reopen(case, "decision", 1, by="giam-doc", reason="thiếu người")
    page = staff.see(home)
    assert "Nhận thực hiện <span" in page
    assert "đã được quyết định lại" in page
    assert "chờ quyết định" in page
