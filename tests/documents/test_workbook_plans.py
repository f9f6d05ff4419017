"""Timetable, work plan, and plan against actual."""

from __future__ import annotations

from datetime import date, datetime
from pathlib import Path
from typing import Any

import pytest

from include.documents import workbooks
from include.documents.sample import bare_facts, sample_facts
from include.engagement.calendar import working_calendar
from tests.documents.workbook_reading import needs_libreoffice, opened, recalculated


def built(key: str, **changes: Any) -> Any:
    return opened(workbooks.build(key, language="vi", facts={**sample_facts("vi"), **changes}))


def dates_in_header(sheet: Any) -> list[date]:
    header = next(row for row in sheet.iter_rows() if row[0].value == "STT")
    return [cell.value.date() for cell in header if isinstance(cell.value, datetime)]


def test_the_chart_has_a_column_for_each_working_day_and_none_for_holidays() -> None:
    days = dates_in_header(built("timetable").active)
    assert days == working_calendar().days(date(2026, 12, 14), date(2027, 1, 22))
    assert date(2027, 1, 1) not in days


@pytest.mark.parametrize("key", ["timetable", "work_plan"])
def test_the_working_days_are_those_of_the_facts(key: str) -> None:
    off = date(2026, 12, 22)
    days = [day for day in sample_facts("vi")["working_days"] if day != off]
    cells = [cell.value for sheet in built(key, working_days=days) for row in sheet.iter_rows() for cell in row]
    shown = {cell.date() for cell in cells if isinstance(cell, datetime)}
    assert off not in shown
    assert {date(2026, 12, 21), date(2026, 12, 23)} <= shown


def test_the_reserve_is_a_row_of_its_own_without_a_number() -> None:
    sheet = built("timetable").active
    row = next(row for row in sheet.iter_rows() if row[1].value == "Thời gian dự trù")
    assert row[0].value is None and row[2].value == 5
    assert [cell.value for cell in sheet["A"] if isinstance(cell.value, int)] == [1, 2, 3]


def test_bars_are_rules_over_the_dates_so_they_follow_when_a_date_moves() -> None:
    sheet = built("timetable").active
    rules = [rule for area in sheet.conditional_formatting for rule in area.rules]
    assert len(rules) == 2 and all("$D" in rule.formula[0] and "$E" in rule.formula[0] for rule in rules)


def test_the_promised_date_is_shown_and_before_signature_it_is_said_to_be_open() -> None:
    def texts(sheet: Any) -> list[Any]:
        return [cell.value for row in sheet.iter_rows() for cell in row]

    def beside(sheet: Any, label: str) -> Any:
        return next(row[2].value for row in sheet.iter_rows() if row[1].value == label)

    assert beside(built("timetable").active, "Ngày cam kết bàn giao").date() == date(2027, 1, 22)
    assert "được xác định khi ký hợp đồng" in texts(built("timetable", promised=None).active)


def test_a_timetable_of_many_months_is_drawn_by_week_on_one_page() -> None:
    rows = sample_facts("vi")["timetable"]
    rows[-1]["end"] = date(2028, 6, 30)
    working_days = working_calendar().days(date(2026, 12, 14), date(2028, 6, 30))
    days = dates_in_header(built("timetable", timetable=rows, working_days=working_days).active)
    assert len(days) <= 80 and all(day.weekday() == 0 for day in days)


def test_an_empty_timetable_says_what_is_missing() -> None:
    sheet = opened(workbooks.build("timetable", language="vi", facts=bare_facts("vi"))).active
    assert any("Thiếu số liệu" in str(cell.value) for row in sheet.iter_rows() for cell in row)


def test_tasks_of_the_work_plan_lie_inside_the_days_of_delivery() -> None:
    sheet = built("work_plan").active
    tasks = [row for row in sheet.iter_rows() if isinstance(row[0].value, int)]
    spans = [(row[2].value, row[3].value) for row in tasks]
    assert len(tasks) == 17 and all(1 <= first <= last <= 20 for first, last in spans)
    assert max(last for _, last in spans) == 20 and min(first for first, _ in spans) == 1
    assert {rule.type for rule in sheet.data_validations.dataValidation} == {"whole", "list", "date"}
    assert all(row[8].value == "Chưa làm" for row in tasks)


@needs_libreoffice
def test_dates_of_the_work_plan_are_looked_up_in_the_working_calendar(tmp_path: Path) -> None:
    data = workbooks.build("work_plan", language="vi", facts=sample_facts("vi"))
    rows = recalculated(data)["Kế hoạch công việc"]
    tasks = [row for row in rows if isinstance(row[0], float)]
    assert tasks[0][4] == date(2026, 12, 15) and max(row[5] for row in tasks) == date(2027, 1, 12)
    calendar = working_calendar()
    assert all(calendar.is_working_day(row[4]) and calendar.is_working_day(row[5]) for row in tasks)


@needs_libreoffice
def test_variances_are_actual_less_a_months_share_of_the_plan(tmp_path: Path) -> None:
    data = workbooks.build("plan_against_actual", language="vi", facts=sample_facts("vi"))
    rows = recalculated(data)["So sánh"]
    first = next(row for row in rows if row[0] == 1.0 and isinstance(row[1], date))
    plan = 14_500_000_000 / 12
    assert first[2:5] == pytest.approx([plan, 1_450_000_000, 1_450_000_000 - plan], abs=0.5)
    assert first[5] == pytest.approx(1_450_000_000 / plan - 1)
    profit = (14_500_000_000 - 11_900_000_000) / 12
    assert first[10:13] == pytest.approx([profit, 260_000_000, 260_000_000 - profit], abs=0.5)
    total = next(row for row in rows if row[0] == "Lũy kế")
    assert total[3] == 3_060_000_000


@needs_libreoffice
def test_without_plan_figures_the_comparison_names_them_and_keeps_the_actual_ones(tmp_path: Path) -> None:
    facts = sample_facts("vi")
    facts["answer"]["revenue_vnd"] = ""
    rows = recalculated(workbooks.build("plan_against_actual", language="vi", facts=facts))["So sánh"]
    assert any("Thiếu số liệu: doanh thu kế hoạch một năm" in row for row in rows)
    first = next(row for row in rows if row[0] == 1.0 and isinstance(row[1], date))
    assert first[2] == "" and first[3] == 1_450_000_000 and first[4] == ""


def test_variances_are_formulas_and_two_charts_stand_below() -> None:
    sheet = built("plan_against_actual").active
    row = next(row for row in sheet.iter_rows() if row[0].value == 1)
    assert all(row[column].data_type == "f" for column in (2, 4, 5, 6, 8, 9, 10, 11, 12, 13))
    assert len(sheet._charts) == 2


def test_a_period_of_three_months_has_three_twelfths_of_the_plan() -> None:
    sheet = built("plan_against_actual", monitoring={"every_months": 3, "visits": 2}).active
    label = next(row for row in sheet.iter_rows() if row[0].value == "Số tháng mỗi kỳ theo dõi")
    assert label[2].value == 3


def test_before_the_signature_the_timetable_says_that_its_dates_are_provisional() -> None:
    condition = "nếu hợp đồng được ký ngày 14/12/2026"

    def said(book: Any) -> bool:
        return any(condition in str(cell.value) for row in book.active.iter_rows() for cell in row)

    assert said(built("timetable", contract=None)) and not said(built("timetable"))
