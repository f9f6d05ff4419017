"""The report as a page, as pictures and as a workbook."""

from __future__ import annotations

import io
import re
from datetime import date

import pytest
from PIL import Image
from python_calamine import CalamineWorkbook

from include.casework.report_charts import CHARTS
from tests.documents.workbook_reading import opened
from tests.firm import FORM
from tests.plugins.conftest import Staff
from tests.seeded import seed

CHOSEN = "from=2026-07&to=2026-12"


@pytest.fixture
def years(staff: Staff) -> Staff:
    with staff.firm.office().sessions() as session:
        seed(session, finished=40, still_open=10, today=date(2026, 12, 1))
    return staff


def test_every_chart_is_a_picture_of_its_own_with_words_and_a_table_beside_it(years: Staff) -> None:
    page = years.see(f"/reports?{CHOSEN}")
    assert "Báo cáo 07/2026 – 12/2026" in page
    shown = dict(re.findall(r'<img src="/reports/charts/(\w+)\.png\?[^"]+" alt="([^"]+)"', page))
    assert set(shown) == set(CHARTS)
    assert all(len(words) > 40 for words in shown.values())
    assert page.count("<table") == len(CHARTS) + 2
    for key in CHARTS:
        picture = years.http.get(f"/reports/charts/{key}.png?{CHOSEN}")
        assert picture.headers["content-type"] == "image/png"
        assert Image.open(io.BytesIO(picture.content)).width >= 1200


def test_the_page_is_there_before_the_first_engagement(staff: Staff) -> None:
    assert "chưa có hồ sơ nào" in staff.see("/reports")
    for key in CHARTS:
        assert staff.http.get(f"/reports/charts/{key}.png").status_code == 200
    assert "holds no engagement" in staff.see("/reports", **{"Accept-Language": "en"})


@pytest.mark.parametrize("query", ["from=2026-13&to=abc", "from=9999-12&to=0001-01", "from=2026-12&to=2026-01"])
def test_months_that_are_none_or_turned_round_are_no_failure(staff: Staff, query: str) -> None:
    staff.see(f"/reports?{query}")


def test_a_chart_that_is_none_is_not_there(staff: Staff) -> None:
    staff.see("/reports/charts/secrets.png", 404)


def test_the_workbook_says_what_the_page_says_and_takes_no_formula_from_a_client(years: Staff) -> None:
    name = '=HYPERLINK("http://evil.example","Cà phê")'
    years.firm.open(client={**FORM["client"], "name": name})
    file = years.http.get(f"/reports/workbook?{CHOSEN}")
    assert file.headers["content-disposition"].endswith("bao-cao-2026-07-2026-12.xlsx")
    book = CalamineWorkbook.from_filelike(io.BytesIO(file.content))
    flow = book.get_sheet_by_name("Hồ sơ theo tháng").to_python()
    assert flow[4] == ["Tháng", "Mở", "Đóng", "Đang mở cuối tháng"]
    page = years.see(f"/reports?{CHOSEN}")
    first = [str(int(cell)) for cell in flow[5][1:]]
    assert flow[5][0] == date(2026, 7, 1)
    assert "".join(f'<td class="number">{cell}</td>' for cell in first) in page
    listed = book.get_sheet_by_name("Danh sách hồ sơ").to_python()
    assert name in [row[1] for row in listed]
    cells = [cell for sheet in opened(file.content) for row in sheet.iter_rows() for cell in row]
    assert [cell.coordinate for cell in cells if cell.data_type == "f"] == []
