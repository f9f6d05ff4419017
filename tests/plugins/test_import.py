"""Many engagements from a sheet: previewed, opened row by row, and never twice."""

from __future__ import annotations

import io
import re
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from openpyxl import load_workbook
from sqlalchemy import select

from include.casework.intake_sheets import report
from include.documents.workbooks.intake_rows import read_intake_rows
from include.engagement.intake import QUESTIONS
from include.register.models import Engagement, IntakeSheet
from tests.plugins.conftest import Staff

FIRST = 4  # the first row to fill in
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
TEA = {"client.name": "Hợp tác xã Chè Tân Cương", "client.tax_code": "4600123459", "client.contact.name": "Lý Thị Chè",
       "client.contact.email": "che@tancuong.example", "finance.project_vnd": 3_200_000_000,
       "interests": "xuất khẩu; tín dụng", "consent": "có", "language": "Tiếng Anh"}  # fmt: skip
SILK = {"client.name": "Công ty Lụa Vạn Phúc", "client.tax_code": "0100109106", "client.contact.name": "Đỗ Lụa",
        "client.contact.email": "lua@vanphuc.example"}  # fmt: skip
WRONG = {"client.name": "Công ty Sai", "client.tax_code": "123", "client.contact.name": "Ông Sai",
         "client.contact.email": "sai", "finance.employees": "đông"}  # fmt: skip


@pytest.fixture
def template(staff: Staff) -> bytes:
    handed = staff.http.get("/import/template")
    assert handed.headers["content-disposition"].endswith("mau-nhap-ho-so.xlsx")
    return handed.content


def filled(template: bytes, rows: Sequence[Mapping[str, Any]], *, only_titles: bool = False) -> bytes:
    workbook = load_workbook(io.BytesIO(template))
    sheet = workbook["Hồ sơ"]
    columns = {str(sheet.cell(2, place).value): place for place in range(1, sheet.max_column + 1)}
    for number, entries in enumerate(rows, start=FIRST):
        for path, value in entries.items():
            sheet.cell(number, columns[path]).value = value
    if only_titles:
        sheet.delete_rows(1, 2)
    target = io.BytesIO()
    workbook.save(target)
    return target.getvalue()


def upload(staff: Staff, data: bytes, name: str = "Hội chợ.xlsx") -> Any:
    return staff.http.post("/import", data={"form_token": staff.token()}, files={"sheet": (name, data, XLSX)},
                           follow_redirects=False)  # fmt: skip


def uploaded(staff: Staff, template: bytes, *rows: Mapping[str, Any]) -> str:
    answer = upload(staff, filled(template, rows))
    assert answer.status_code == 303, answer.text
    return str(answer.headers["location"])


def states(staff: Staff) -> list[tuple[int, str, str]]:
    with staff.firm.office().sessions() as session:
        sheet = session.scalars(select(IntakeSheet).order_by(IntakeSheet.read_at.desc())).first()
        assert sheet is not None
        return [(row.number, row.state, row.engagement_id) for row in report(session, sheet)]


def engagements(staff: Staff) -> list[Engagement]:
    with staff.firm.office().sessions() as session:
        return list(session.scalars(select(Engagement).order_by(Engagement.id)))


def test_the_template_says_how_to_fill_it_in_and_guards_its_cells(template: bytes) -> None:
    workbook = load_workbook(io.BytesIO(template))
    sheet, guide = workbook["Hồ sơ"], workbook["Hướng dẫn"]
    titles = [str(sheet.cell(3, place).value).removesuffix(" *") for place in range(1, sheet.max_column + 1)]
    assert titles == [question.label.vi for question in QUESTIONS.values()]
    said = {str(cell.value) for row in guide.iter_rows() for cell in row}
    assert set(titles) <= said
    assert {rule.type for rule in sheet.data_validations.dataValidation} == {"list", "whole", "textLength"}
    assert len(sheet.data_validations.dataValidation) == len(QUESTIONS)
    assert sheet["B4"].number_format.endswith("@"), "a tax code keeps its leading zero"


def test_the_examples_of_the_guide_are_rows_that_would_be_opened(staff: Staff, template: bytes) -> None:
    guide = load_workbook(io.BytesIO(template))["Hướng dẫn"]
    labels = {question.label.vi: path for path, question in QUESTIONS.items()}
    examples = {labels[str(row[0].value)]: row[3].value for row in guide.iter_rows() if str(row[0].value) in labels}
    assert set(examples) == set(QUESTIONS)
    uploaded(staff, template, examples)
    assert states(staff) == [(FIRST, "ready", "")]


def test_a_sheet_is_previewed_before_anything_is_opened(staff: Staff, template: bytes) -> None:
    page = staff.see(uploaded(staff, template, TEA, WRONG, SILK))
    assert "chưa hồ sơ nào được mở" in page
    assert "Mở 2 hồ sơ" in page
    for path in ("client.tax_code", "client.contact.email", "finance.employees"):
        assert QUESTIONS[path].label.vi in page
    assert engagements(staff) == []


def test_right_rows_are_opened_though_others_are_wrong(staff: Staff, template: bytes) -> None:
    home = uploaded(staff, template, TEA, WRONG, SILK)
    assert staff.do(home).status_code == 303
    assert states(staff) == [(4, "opened", "KHV-2026-0001"), (5, "refused", ""), (6, "opened", "KHV-2026-0002")]
    tea, silk = engagements(staff)
    assert (tea.form["language"], tea.form["interests"]) == ("en", ["xuất khẩu", "tín dụng"])
    assert tea.form["finance"]["project_vnd"] == 3_200_000_000
    assert silk.form["client"]["tax_code"] == "0100109106"
    page = staff.see(f"{home}?done=opened")
    assert "/e/KHV-2026-0001" in page
    assert "<button>" not in page


def test_the_same_sheet_opens_nothing_twice_even_when_an_engagement_is_closed(staff: Staff, template: bytes) -> None:
    home = uploaded(staff, template, TEA, SILK)
    staff.do(home)
    staff.firm.engagement = "KHV-2026-0001"
    with staff.firm.case() as case:
        case.close("declined_by_client")
    assert staff.do(home).status_code == 303
    again = uploaded(staff, template, SILK, TEA)
    assert again != home
    staff.do(again, row="4")
    assert [each.id for each in engagements(staff)] == ["KHV-2026-0001", "KHV-2026-0002"]
    assert states(staff) == [(4, "opened", "KHV-2026-0002"), (5, "opened", "KHV-2026-0001")]


def test_a_mended_row_of_the_same_sheet_is_opened_and_no_other(staff: Staff, template: bytes) -> None:
    staff.do(uploaded(staff, template, TEA, WRONG))
    mended = {**WRONG, "client.tax_code": "", "client.contact.email": "dung@sai.example", "finance.employees": 12}
    staff.do(uploaded(staff, template, TEA, mended))
    assert states(staff) == [(4, "opened", "KHV-2026-0001"), (5, "opened", "KHV-2026-0002")]
    assert len(engagements(staff)) == 2


def test_a_known_client_is_opened_only_where_the_row_is_ticked(staff: Staff, template: bytes) -> None:
    staff.do(uploaded(staff, template, TEA))
    more = {**TEA, "need.purpose": "Gọi vốn"}
    home = uploaded(staff, template, more, {**SILK, "referrer": "A"}, {**SILK, "referrer": "B"}, TEA, more)
    assert [state for _, state, _ in states(staff)] == ["known", "ready", "known", "opened", "repeated"]
    staff.do(home)
    assert [state for _, state, _ in states(staff)] == ["known", "opened", "known", "opened", "repeated"]
    staff.do(home, row="6")
    assert [state for _, state, _ in states(staff)] == ["known", "opened", "opened", "opened", "repeated"]
    assert len(engagements(staff)) == 3


def test_the_twin_of_an_open_engagement_is_named_and_not_opened(staff: Staff, template: bytes) -> None:
    staff.do("/new", nonce="page", act="open", **{k: str(v) for k, v in SILK.items()})
    home = uploaded(staff, template, SILK)
    assert states(staff) == [(4, "twin", "KHV-2026-0001")]
    staff.do(home, row="4")
    assert len(engagements(staff)) == 1


def test_columns_are_found_by_their_titles_in_any_order(template: bytes) -> None:
    assert read_intake_rows(filled(template, [SILK], only_titles=True)) == [(2, SILK)]


@pytest.mark.parametrize(
    ("name", "data", "why"),
    [
        ("a.xlsx", b"PK not a workbook", "Không đọc được bảng"),
        ("a.csv", b"Ten;Email", "Không đọc được bảng"),
        ("a.xlsm", None, "Không đọc được bảng"),
    ],
)
def test_what_is_no_sheet_is_refused_in_plain_words(
    staff: Staff, template: bytes, name: str, data: bytes | None, why: str
) -> None:
    answer = upload(staff, template if data is None else data, name)
    assert answer.status_code == 422
    assert why in answer.text


def test_an_empty_sheet_a_strange_one_and_none_at_all_are_refused(staff: Staff, template: bytes) -> None:
    assert "chưa có dòng nào" in upload(staff, template).text
    strange = load_workbook(io.BytesIO(template))
    del strange["Hồ sơ"]
    target = io.BytesIO()
    strange.save(target)
    assert "Không thấy dòng tiêu đề" in upload(staff, target.getvalue()).text
    assert "Xin chọn một tệp" in staff.do("/import").text


def test_where_the_virus_check_does_not_run_no_sheet_is_opened(
    staff: Staff, template: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ENGAGEMENT_ANTIVIRUS", "no-such-scanner")
    assert "mã độc hiện không chạy" in upload(staff, filled(template, [SILK])).text


def test_what_a_sheet_says_is_data_and_can_be_deleted(staff: Staff, template: bytes) -> None:
    home = uploaded(staff, template, {**SILK, "client.name": "<b>Lụa</b> =1+1"})
    page = staff.see(home)
    assert "&lt;b&gt;Lụa&lt;/b&gt; =1+1" in page
    assert re.search(rf"{home}\b", staff.see("/import"))
    assert staff.do(f"{home}/forget").status_code == 303
    staff.see(home, 404)
    assert staff.do(home).status_code == 409


def test_a_viewer_imports_nothing(staff: Staff) -> None:
    staff.login.role = "viewer"
    for path in ("/import", "/import/template", "/import/0"):
        staff.see(path, 403)
