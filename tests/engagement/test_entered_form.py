"""The form as staff enter it on a page or in a row of a sheet."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from include.engagement.form import ENTRIES, FIELDS, check_form, entered_form
from include.engagement.intake import QUESTIONS

MINIMAL = {"client.name": "Công ty A", "client.contact.name": "Bà B", "client.contact.email": "b@a.example"}


def value(path: str, entered: object) -> object:
    form, refused = entered_form({**MINIMAL, path: entered})
    assert not refused
    found: object = form
    for name in path.split("."):
        assert isinstance(found, dict)
        found = found[name]
    return found


@pytest.mark.parametrize(
    ("path", "entered", "kept"),
    [
        ("finance.project_vnd", "3.200.000.000", 3_200_000_000),
        ("finance.project_vnd", "3,2 tỷ", 3_200_000_000),
        ("finance.project_vnd", 3_200_000_000.0, 3_200_000_000),
        ("finance.employees", " ", None),
        ("finance.employees", 0, 0),
        ("language", "Tiếng Anh", "en"),
        ("language", "", "vi"),
        ("consent", "Có", True),
        ("consent", "x", True),
        ("consent", True, True),
        ("consent", "không", False),
        ("consent", None, False),
        ("interests", "xuất khẩu; tín dụng\nchuyển đổi  số;", ["xuất khẩu", "tín dụng", "chuyển đổi số"]),
        ("client.tax_code", 6001234562.0, "6001234562"),
        ("client.address", "127 Nguyễn Tất Thành\nĐắk Lắk", "127 Nguyễn Tất Thành Đắk Lắk"),
        ("need.purpose", "Vay vốn\nMở xưởng", "Vay vốn\nMở xưởng"),
    ],
)
def test_people_write_values_in_their_own_way(path: str, entered: object, kept: object) -> None:
    assert value(path, entered) == kept


@pytest.mark.parametrize(
    ("path", "entered", "why"),
    [
        ("client.name", "  ", "còn trống"),
        ("language", "Tiếng Pháp", "phải là vi hoặc en"),
        ("consent", "có lẽ", "“có” hoặc “không”"),
        ("finance.employees", "nhiều", "không phải là một con số"),
        ("finance.employees", "2,5", "số nguyên"),
        ("need.horizon_months", "601", "từ 1 đến 600"),
        ("client.contact.email", "b@", "thư điện tử"),
        ("client.tax_code", "6001234563", "chữ số kiểm tra"),
        ("add_ons.monitoring.visits", "3", ""),
    ],
)
def test_what_does_not_fit_is_refused_at_its_field(path: str, entered: str, why: str) -> None:
    _, refused = entered_form({**MINIMAL, path: entered})
    if path == "add_ons.monitoring.visits":
        assert set(refused) == {"add_ons.monitoring.every_months"}, "a rhythm without its number is half an answer"
    else:
        assert set(refused) == {path}
        assert why in refused[path].vi


def test_every_field_is_asked_once_and_no_other() -> None:
    assert set(QUESTIONS) == set(ENTRIES)


VALUES = st.text(max_size=40) | st.integers() | st.floats() | st.none()


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.dictionaries(st.sampled_from(sorted(ENTRIES)), VALUES))
def test_whatever_is_entered_is_refused_or_makes_a_form_that_passes_unchanged(entries: dict[str, object]) -> None:
    form, refused = entered_form({**MINIMAL, **entries})
    if not refused:
        assert check_form(form) == form
        assert set(form) == {path.partition(".")[0] for path in FIELDS} | {"add_ons"}
