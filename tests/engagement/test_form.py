"""The intake form: what is refused, where, and what is missing."""

from __future__ import annotations

import copy
import unicodedata

import pytest
import yaml

from include.engagement.errors import InvalidInput
from include.engagement.form import FIELDS, check_form, column_value, fill_form, form_digest, missing_items, read_form
from include.engagement.process import INTAKE_ITEMS
from include.engagement.yaml_lines import load_with_lines

MINIMAL = {"client": {"name": "Công ty A", "contact": {"name": "Bà B", "email": "b@a.example"}}}
FULL = """\
language: vi
referrer: "Hiệp hội Cà phê"
need: {purpose: "Vay vốn ngân hàng", horizon_months: 60}
client:
  name: "Công ty TNHH Cà phê Ban Mê Sớm"
  tax_code: "6001234562"
  address: "127 Nguyễn Tất Thành"
  sector: "Chế biến cà phê"
  representative: {name: "Nguyễn Thị Ánh Tuyết", title: "Giám đốc"}
  contact: {name: "Trần Đức Hữu", email: "ketoan@banmesom.example", phone: "0903456789"}
  bank: {account: "0231000612345", bank: "Vietcombank"}
finance: {employees: 34, project_vnd: 12500000000, charter_capital_vnd: 5000000000, investment_vnd: 0}
interests: ["xuất khẩu nông sản"]
consent: true
add_ons: {monitoring: {every_months: 1, visits: 3}}
"""


def with_value(path: str, value: object) -> dict:
    form = copy.deepcopy(MINIMAL)
    block = form
    *parents, last = path.split(".")
    for name in parents:
        block = block.setdefault(name, {})
    block[last] = value
    return form


def reasons(data: object) -> dict[str, str]:
    with pytest.raises(InvalidInput) as refused:
        check_form(data)
    return {problem.field: problem.reason for problem in refused.value.problems}


def test_a_full_form_has_nothing_missing():
    assert missing_items(read_form(FULL)) == []


def test_a_form_may_stand_within_engagement():
    assert read_form(yaml.safe_dump({"engagement": yaml.safe_load(FULL)}, allow_unicode=True)) == read_form(FULL)


def test_every_key_is_present_in_a_minimal_form():
    form = check_form(MINIMAL)
    assert form["language"] == "vi"
    assert form["need"] == {"purpose": "", "horizon_months": None}
    assert form["client"]["bank"] == {"account": "", "bank": ""}
    assert (form["interests"], form["consent"], form["add_ons"]) == ([], False, {})


def test_a_checked_form_passes_again_unchanged():
    for form in (check_form(MINIMAL), read_form(FULL)):
        assert check_form(form) == form


def test_all_problems_are_told_at_once():
    assert set(reasons({"language": "fr", "surprise": 1})) == {
        "language", "surprise", "client.name", "client.contact.name", "client.contact.email",
    }  # fmt: skip


@pytest.mark.parametrize("code", ["6001234562", "0100233488", "0314409058-002", "012345678901", "01.00.233.488"])
def test_valid_tax_codes_pass(code):
    assert check_form(with_value("client.tax_code", code))["client"]["tax_code"]


@pytest.mark.parametrize("code", ["6001234563", "12345", "0314409058-000", "abc", 6001234562, "٠١٠٠٢٣٣٤٨٨"])
def test_wrong_tax_codes_are_refused(code):
    assert "client.tax_code" in reasons(with_value("client.tax_code", code))


@pytest.mark.parametrize(
    "phone", ["0236 3822 456", "+84 912 345 678", "0903456789", "(024) 3936 1234", "+49 30 901820"]
)
def test_valid_phones_pass(phone):
    assert check_form(with_value("client.contact.phone", phone))["client"]["contact"]["phone"] == phone


@pytest.mark.parametrize("phone", ["123", "0903ABCDEF", "+84 1", 903456789])
def test_wrong_phones_are_refused(phone):
    assert "client.contact.phone" in reasons(with_value("client.contact.phone", phone))


@pytest.mark.parametrize("email", ["a@b", "a b@c.example", "x@y.example\nBcc: z@y.example", "A <a@b.example>", ""])
def test_wrong_email_addresses_are_refused(email):
    assert "client.contact.email" in reasons(with_value("client.contact.email", email))


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("finance.employees", True),
        ("finance.employees", "34"),
        ("finance.employees", -1),
        ("finance.employees", 3.0),
        ("need.horizon_months", 0),
        ("consent", "yes"),
        ("interests", "xuất khẩu"),
        ("interests", [1]),
        ("client.bank", "Vietcombank"),
        ("client.fax", "1"),
        ("client.name", "   "),
        ("client.name", "A\nB"),
        ("client.name", "A\u2028B"),
        ("client.name", "A\u202eB"),
        ("client.name", "A\x00B"),
        ("client.name", "A\ud800B"),
        ("client.name", "A\uffffB"),
        ("client.name", "A" * 301),
        ("need.purpose", "x" * 2001),
        ("add_ons", {"coaching": {}}),
        ("add_ons", []),
    ],
)
def test_a_value_that_a_field_cannot_take_is_refused(path, value):
    assert any(field.startswith(path) for field in reasons(with_value(path, value)))


@pytest.mark.parametrize(
    "monitoring",
    [{}, {"every_months": 0, "visits": 3}, {"every_months": 1}, {"every_months": 1, "visits": True},
     {"every_months": 1, "visits": 1, "free": 1}, 3],
)  # fmt: skip
def test_monitoring_needs_its_rhythm_and_number(monitoring):
    assert all(
        field.startswith("add_ons.monitoring") for field in reasons({**MINIMAL, "add_ons": {"monitoring": monitoring}})
    )


def test_text_is_kept_in_nfc():
    decomposed = unicodedata.normalize("NFD", 'Công ty Cổ phần Gỗ & Mây "Đất Thủ" 🌱')
    assert check_form(with_value("client.name", decomposed))["client"]["name"] == unicodedata.normalize(
        "NFC", decomposed
    )


def test_a_purpose_may_have_lines():
    assert check_form(with_value("need.purpose", "Vay vốn\nvà mở rộng"))["need"]["purpose"] == "Vay vốn\nvà mở rộng"


def test_a_refusal_names_the_line():
    with pytest.raises(InvalidInput) as refused:
        read_form(FULL.replace("6001234562", "6001234563").replace("every_months: 1", "every_months: 0"))
    assert [(p.line, p.field) for p in refused.value.problems] == [
        (6, "client.tax_code"), (15, "add_ons.monitoring.every_months"),
    ]  # fmt: skip


def test_lines_count_within_engagement_too():
    with pytest.raises(InvalidInput) as refused:
        read_form("engagement:\n  client:\n    name: A\n    contact:\n      email: nowhere\n      name: B\n")
    assert [(p.line, p.field) for p in refused.value.problems] == [(5, "client.contact.email")]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("a: 1\nb: [1, 2\nc: 3\n", 3),
        ("a: 1\na: 2\n", 2),
        ("a: 1\n\tb: 2\n", 2),
        ("a: !!python/object/apply:os.system ['true']\n", 1),
        ("a: 1\n---\nb: 2\n", 2),
        ("a: 1\n? [x]\n: 2\n", 2),
        ("a: 2026-13-45\n", 1),
        ("a: 1\nb: \x01\n", 2),
        ("[" * 5000, 1),
        ("a: &a [*a]\n", 1),
    ],
)
def test_broken_yaml_is_refused_with_its_line(text, line):
    with pytest.raises(InvalidInput) as refused:
        load_with_lines(text)
    assert refused.value.problems[0].line == line


def test_a_billion_laughs_are_refused():
    laughs = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    laughs += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 12)]
    with pytest.raises(InvalidInput):
        load_with_lines("\n".join(laughs))


def test_a_path_gives_its_line_and_a_missing_path_that_of_its_parent():
    _, line_of = load_with_lines("a:\n  b:\n    - x\n    - c: 1\n")
    assert [line_of(p) for p in ("a", "a.b[0]", "a.b[1].c", "a.b[1].d", "a.z", "", "q")] == [1, 3, 4, 4, 1, 1, 1]


def test_an_empty_file_is_refused():
    with pytest.raises(InvalidInput):
        read_form("")


def test_equal_forms_have_equal_digests_and_others_not():
    form = read_form(FULL)
    shuffled = dict(reversed(form.items()))
    assert form_digest(form) == form_digest(shuffled)
    assert form_digest(form) != form_digest({**form, "referrer": "khác"})


def test_what_is_empty_is_missing_and_a_stated_zero_is_not():
    missing = {item.key for item in missing_items(check_form(MINIMAL))}
    assert missing == {item.key for item in INTAKE_ITEMS if item.required}
    stated = {item.key for item in missing_items(check_form(with_value("finance.project_vnd", 0)))}
    assert missing - stated == {"project_vnd"}


def test_every_intake_item_fills_a_field_of_the_form():
    assert {item.column for item in INTAKE_ITEMS} <= set(FIELDS)


def test_answers_fill_the_form_and_wrong_ones_come_back_with_a_reason():
    before = check_form(MINIMAL)
    kept = copy.deepcopy(before)
    form, refused = fill_form(
        before,
        {"tax_code": "6001234563", "phone": "0236 3822 456", "charter_capital_vnd": "5.000.000.000",
         "employees": "nhiều",
         "address": "1 Phố A\nHà Nội", "bank_account": 231000612345, "project_vnd": 2.5, "unknown": "x", "sector": " "},
    )  # fmt: skip
    assert before == kept
    assert set(refused) == {"tax_code", "employees", "project_vnd", "sector"}
    assert form["client"]["contact"]["phone"] == "0236 3822 456"
    assert form["client"]["address"] == "1 Phố A Hà Nội"
    assert form["client"]["bank"]["account"] == "231000612345"
    assert form["finance"]["charter_capital_vnd"] == 5_000_000_000
    assert check_form(form) == form


def test_an_accepted_answer_is_accepted_again():
    for column, answer in (("client.tax_code", "0314409058-002"), ("finance.employees", "1.200")):
        value, _ = column_value(column, answer)
        assert column_value(column, value) == (value, None)
