"""Item by item: what is asked, what counts, what goes back."""

from __future__ import annotations

import pytest

from include.engagement.form import check_form
from include.engagement.items import FileSeen, Standing, assess, item_of_file, items_for
from include.engagement.process import REQUESTS, Item, Text
from include.engagement.replies import Reply

INFORMATION = list(REQUESTS["information"].items)
EVALUATION = list(REQUESTS["evaluation"].items)


def form(purpose: str = "", sector: str = "") -> dict:
    return check_form(
        {"need": {"purpose": purpose},
         "client": {"name": "A", "sector": sector, "contact": {"name": "B", "email": "b@a.example"}}}
    )  # fmt: skip


def reply(answers: dict | None = None, files: dict | None = None) -> Reply:
    return Reply(answers=answers or {}, files=files or {}, reply=None, message="", items=[], manifest={})


def standing(items: list[Item], received: tuple[str, ...] = ()) -> dict[str, Standing]:
    return {i.key: Standing(i.key, i.required, "received" if i.key in received else "missing", None) for i in items}


@pytest.mark.parametrize(
    ("purpose", "sector", "key", "asked"),
    [
        ("Vay vốn ngân hàng", "", "loan_vnd", True),
        ("VAY VON NGAN HANG", "", "loan_vnd", True),
        ("Bank credit", "", "collateral", True),
        ("Gọi vốn", "Chế biến cà phê", "loan_vnd", False),
        ("Gọi vốn", "Chế biến cà phê", "export_markets", True),
        ("Furniture", "Manufacturing", "export_markets", True),
        ("Mở cửa hàng", "Bán lẻ ty tế", "licences", False),
        ("", "Phòng khám", "licences", True),
        ("", "", "strategy", True),
    ],
)
def test_purpose_and_sector_choose_the_items(purpose, sector, key, asked):
    assert (key in {item.key for item in items_for("information", form(purpose, sector))}) is asked


def test_an_intake_request_asks_only_what_the_form_left_empty():
    asked = {item.key for item in items_for("intake", form("Vay vốn", "Cà phê"))}
    assert "tax_code" in asked
    assert not asked & {"purpose", "sector", "referrer"}


@pytest.mark.parametrize(
    ("kind", "name", "files", "key"),
    [
        ("information", "business_registration.pdf", {}, "business_registration"),
        ("information", "Business-Registration 2026.PDF", {}, "business_registration"),
        ("information", "dkkd.pdf", {"business_registration": "dkkd.pdf"}, "business_registration"),
        ("information", "dkkd.pdf", {"nothing_asked": "dkkd.pdf"}, None),
        ("information", "dkkd.pdf", {}, None),
        ("contract", "hợp đồng đã ký.pdf", {}, "signed_contract"),
        ("contract", "scan.exe", {}, "signed_contract"),
        ("delivery", "Kế hoạch.docx", {}, "business_plan"),
        ("delivery", "Mô hình.xlsx", {}, "financial_model"),
        ("delivery", "ảnh.png", {}, None),
        ("quote", "báo giá.pdf", {}, None),
    ],
)
def test_a_file_finds_its_item(kind, name, files, key):
    assert item_of_file(name, REQUESTS[kind].items, reply(files=files)) == key


def test_the_longest_key_wins():
    items = [Item("plan", Text("a", "a"), "file"), Item("plan_annex", Text("b", "b"), "file")]
    assert item_of_file("plan-annex-2.pdf", items, reply()) == "plan_annex"


def test_a_half_answer_leaves_exactly_the_rest_missing():
    items = items_for("information", form())
    found = assess(items, standing(items), reply({"strategy": "Xuất khẩu"}),
                   [FileSeen("dkkd.pdf", "business_registration", None)])  # fmt: skip
    assert found.received == {"strategy": "Xuất khẩu"}
    assert found.received_files == {"business_registration": "dkkd.pdf"}
    assert [item.key for item in found.missing_after(items, standing(items))] == [
        "activities", "capacity", "products", "sales_documents", "financial_statements",
    ]  # fmt: skip


def test_what_came_before_is_not_missing_again():
    before = standing(INFORMATION, received=("strategy", "business_registration"))
    found = assess(INFORMATION, before, reply({"activities": "a", "strategy": ""}), [])
    missing = {item.key for item in found.missing_after(INFORMATION, before)}
    assert not missing & {"strategy", "business_registration", "activities"}
    assert found.returned == {}


def test_a_standing_decides_what_is_required():
    before = {**standing(INFORMATION), "pricing": Standing("pricing", True, "returned", "thiếu")}
    found = assess(INFORMATION, before, reply(), [])
    assert "pricing" in {item.key for item in found.missing_after(INFORMATION, before)}


@pytest.mark.parametrize(
    ("answers", "returned"),
    [
        ({"strategy": "  "}, "strategy"),
        ({"strategy": None}, "strategy"),
        ({"strategy": {"a": 1}}, "strategy"),
        ({"strategy": True}, "strategy"),
        ({"strategy": "x" * 30_001}, "strategy"),
        ({"revenue_vnd": "nhiều lắm"}, "revenue_vnd"),
        ({"revenue_vnd": -1}, "revenue_vnd"),
        ({"revenue_vnd": "12,5"}, "revenue_vnd"),
        ({"business_registration": "sẽ gửi sau"}, "business_registration"),
    ],
)
def test_an_answer_that_cannot_count_goes_back_with_a_reason_in_both_languages(answers, returned):
    found = assess(INFORMATION, standing(INFORMATION), reply(answers), [])
    assert list(found.returned) == [returned]
    assert found.returned[returned].vi and found.returned[returned].en
    assert returned not in found.received


def test_an_empty_answer_to_something_optional_is_no_matter():
    assert assess(INFORMATION, standing(INFORMATION), reply({"vision": ""}), []).returned == {}


def test_numbers_are_kept_as_numbers_and_text_as_text():
    answers = {"revenue_vnd": "1.450.000.000", "cost_vnd": 1190000000.0, "capacity": 18.0, "products": ["a", "b"]}
    found = assess(INFORMATION, standing(INFORMATION), reply(answers), [])
    assert found.received == {
        "revenue_vnd": 1_450_000_000,
        "cost_vnd": 1_190_000_000,
        "capacity": "18",
        "products": "a; b",
    }
    assert all(not isinstance(value, float) for value in found.received.values())


@pytest.mark.parametrize(
    ("key", "score", "counts"),
    [("quality", 5, True), ("quality", "1", True), ("quality", 0, False), ("quality", 6, False),
     ("quality", 4.5, False),
     ("recommend", 0, True), ("recommend", 10, True), ("recommend", 11, False), ("staff", True, False)],
)  # fmt: skip
def test_scores_keep_to_their_scale(key, score, counts):
    found = assess(EVALUATION, standing(EVALUATION), reply({key: score}), [])
    assert (key in found.received, key in found.returned) == (counts, not counts)


def test_an_intake_answer_is_checked_like_the_form():
    items = items_for("intake", form())
    found = assess(items, standing(items), reply({"tax_code": "6001234563", "phone": "0236 3822 456"}), [])
    assert set(found.returned) == {"tax_code"}
    assert found.received == {"phone": "0236 3822 456"}


def test_answers_to_what_nobody_asked_are_kept():
    found = assess(INFORMATION, standing(INFORMATION), reply({"charter_capital": "20 tỷ"}), [])
    assert found.extra == {"charter_capital": "20 tỷ"}


def test_keys_are_matched_whatever_their_dashes_and_case():
    assert assess(INFORMATION, standing(INFORMATION), reply({"Strategy ": "a"}), []).received == {"strategy": "a"}


@pytest.mark.parametrize(
    ("file", "returned"),
    [
        (FileSeen("dkkd.exe", "business_registration", None), True),
        (FileSeen("dkkd", "business_registration", None), True),
        (FileSeen("dkkd.pdf", "business_registration", "empty"), True),
        (FileSeen("dkkd.pdf", "business_registration", "Tệp có mật khẩu."), True),
        (FileSeen("dkkd.PDF", "business_registration", None), False),
    ],
)
def test_a_file_that_cannot_count_goes_back(file, returned):
    found = assess(INFORMATION, standing(INFORMATION), reply(), [file])
    assert ("business_registration" in found.returned) is returned
    assert ("business_registration" in found.received_files) is not returned


def test_a_good_file_outweighs_a_bad_one_for_the_same_item():
    files = [FileSeen("a.pdf", "sales_documents", None), FileSeen("b.exe", "sales_documents", None)]
    found = assess(INFORMATION, standing(INFORMATION), reply(), files)
    assert (found.received_files, found.returned) == ({"sales_documents": "a.pdf"}, {})


def test_a_file_of_no_item_is_kept_unassigned():
    assert assess(INFORMATION, standing(INFORMATION), reply(), [FileSeen("ảnh.png", None, None)]).unassigned == [
        "ảnh.png"
    ]


def test_a_good_file_outweighs_words_for_the_same_item():
    files = [FileSeen("dkkd.pdf", "business_registration", None)]
    found = assess(INFORMATION, standing(INFORMATION), reply({"business_registration": "gửi kèm"}), files)
    assert (found.received_files, found.returned) == ({"business_registration": "dkkd.pdf"}, {})


def test_words_outweigh_a_file_where_words_are_asked_for():
    files = [FileSeen("strategy.pdf", "strategy", None)]
    alone = assess(INFORMATION, standing(INFORMATION), reply(), files)
    with_words = assess(INFORMATION, standing(INFORMATION), reply({"strategy": "a"}), files)
    assert set(alone.returned) == {"strategy"}
    assert (with_words.received, with_words.returned) == ({"strategy": "a"}, {})
