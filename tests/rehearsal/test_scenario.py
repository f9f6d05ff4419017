"""Scenario files: what is read, and what is refused with which line."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from include.engagement.errors import InvalidInput
from rehearsal.scenario import FOLDER, Scenario, find_scenario, read_scenario

FORM = """\
engagement:
  language: vi
  referrer: "Website"
  need: {purpose: "Mở rộng", horizon_months: 36}
  client:
    name: "Công ty TNHH Thử"
    tax_code: "6001234562"
    address: "1 Lê Lợi, Huế"
    sector: "Thương mại"
    representative: {name: "Lê An", title: "Giám đốc"}
    contact: {name: "Trần Bình", email: "binh@thu.example", phone: "0905123456"}
    bank: {account: "123456789", bank: "Vietcombank"}
  finance: {employees: 5, project_vnd: 1000, charter_capital_vnd: 1000, investment_vnd: 1000}
  interests: []
  consent: false
"""
FIRST_LINE = FORM.count("\n") + 2  # the line after `today` and the form


def read(folder: Path, rest: str = "", *, today: str = "2026-12-01", form: str = FORM) -> Scenario:
    path = folder / "tried.yaml"
    path.write_text(f"today: {today}\n{form}{rest}", encoding="utf-8")
    return read_scenario(path)


def refused(folder: Path, rest: str = "", **more: str) -> dict[str, tuple[int, str]]:
    with pytest.raises(InvalidInput) as caught:
        read(folder, rest, **more)
    return {problem.field: (problem.line, problem.reason) for problem in caught.value.problems}


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.yaml")), ids=lambda path: path.stem)
def test_every_scenario_that_comes_with_the_project_can_be_read(path: Path) -> None:
    assert read_scenario(path).expect


def test_a_scenario_needs_no_steps_at_all(tmp_path: Path) -> None:
    scenario = read(tmp_path)

    assert scenario.answers == {}
    assert scenario.staff.decision.option == "accept"
    assert scenario.today == date(2026, 12, 1)


def test_a_scenario_is_found_by_its_bare_name() -> None:
    assert find_scenario("coffee-roastery") == FOLDER / "coffee-roastery.yaml"


def test_an_unknown_name_is_answered_with_the_names_there_are() -> None:
    with pytest.raises(InvalidInput, match="coffee-roastery"):
        find_scenario("tea-house")


def test_attachments_are_looked_for_beside_the_scenario(tmp_path: Path) -> None:
    (tmp_path / "dkkd.pdf").write_bytes(b"%PDF-1.4")

    scenario = read(tmp_path, "client: {information: [{files: {business_registration: dkkd.pdf}}]}\n")

    assert scenario.answers["information"][0].files == {"business_registration": str(tmp_path / "dkkd.pdf")}


def test_the_first_word_file_delivered_is_the_plan_and_the_first_workbook_the_model(tmp_path: Path) -> None:
    scenario = read(tmp_path, 'staff: {delivery: [{files: ["auto:xlsx", "auto:docx", "auto:docx"]}]}\n')

    delivery = scenario.answers["delivery"][0]
    assert delivery.files == {"financial_model": "auto:xlsx", "business_plan": "auto:docx"}
    assert delivery.more_files == ("auto:docx",)


@pytest.mark.parametrize("written", ["{grant_days: 5}", '"grant_days: 5"'])
def test_days_granted_may_be_written_as_a_pair_or_as_text(tmp_path: Path, written: str) -> None:
    assert read(tmp_path, f"staff: {{after_reserve_exhausted: {written}}}\n").staff.granted_days == 5


def test_an_expectation_that_the_steps_will_not_meet_is_no_mistake_in_the_file(tmp_path: Path) -> None:
    scenario = read(tmp_path, "staff: {decision: {decline: bận}}\nexpect: {outcome: completed}\n")

    assert scenario.expect == {"outcome": "completed"}


REFUSALS = [
    ("an unknown key", "surprise: 1\n", "surprise", 0, "khóa không có"),
    ("an unknown step", "client:\n  lunch: []\n", "client.lunch", 1, "khóa không có"),
    ("an unknown expectation", "expect:\n  outcom: completed\n", "expect.outcom", 1, "outcome"),
    ("an unknown outcome", "expect:\n  outcome: done\n", "expect.outcome", 1, "completed"),
    ("a negative wait", "client:\n  quote:\n    - {after_days: -1, reply: accept}\n",
     "client.quote[0].after_days", 2, "từ 0"),
    ("a reserve below one day",
     "staff:\n  quote: {net_vnd: 1, vat_percent: 8, reserve_days: 0, instalments_percent: [100]}\n",
     "staff.quote.reserve_days", 1, "từ 1"),
    ("a quote without a reserve", "staff:\n  quote: {net_vnd: 1, vat_percent: 8, instalments_percent: [100]}\n",
     "staff.quote.reserve_days", 1, "còn thiếu"),
    ("instalments that do not add up",
     "staff:\n  quote: {net_vnd: 1, vat_percent: 8, reserve_days: 2, instalments_percent: [50, 40]}\n",
     "staff.quote.instalments_percent", 1, "90%"),
    ("a reply that nobody knows", "client:\n  quote:\n    - {reply: perhaps}\n", "client.quote[0].reply", 2, "accept"),
    ("a fourth negotiation", "client:\n  quote:\n" + "    - {reply: negotiate}\n" * 4, "client.quote[3]", 5, "3 lần"),
    ("fewer revised quotes than negotiations",
     "client: {quote: [{reply: negotiate}, {reply: negotiate}]}\nstaff:\n  revised_quotes: [{net_vnd: 5}]\n",
     "staff.revised_quotes", 2, "1 báo giá"),
    ("a reply after acceptance", "client:\n  quote:\n    - {reply: accept}\n    - {reply: decline}\n",
     "client.quote[1]", 3, "accept"),
    ("a contract after the client declined", "client:\n  quote: [{reply: decline}]\n  contract: [{after_days: 1}]\n",
     "client.contract", 2, "không đồng ý"),
    ("a quote after the firm declined", "staff:\n  decision: {decline: bận}\n  quote: "
     "{net_vnd: 1, vat_percent: 8, reserve_days: 1, instalments_percent: [100]}\n", "staff.quote", 2, "không nhận"),
    ("a decision after a refusal", "staff:\n  information_review: [{refuse: {sector: sai}}]\n  decision: accept\n",
     "staff.decision", 2, "từ chối"),
    ("a review after acceptance", "staff:\n  information_review:\n    - accept\n    - accept\n",
     "staff.information_review[1]", 3, "accept"),
    ("a third review that asks again",
     "staff:\n  information_review:\n" + "    - ask_again: {products: thiếu}\n" * 3,
     "staff.information_review[2]", 4, "vòng cuối"),
    ("a council member nobody knows",
     "staff:\n  appraisal:\n    - scores: {guest: {market: 5, finance: 5, feasibility: 5}}\n",
     "staff.appraisal[0].scores.guest", 2, "chair"),
    ("a criterion nobody knows",
     "staff:\n  appraisal:\n    - scores: {chair: {market: 5, finance: 5, feasibility: 5, style: 5}}\n",
     "staff.appraisal[0].scores.chair.style", 2, "market"),
    ("points out of range",
     "staff:\n  appraisal:\n    - scores: {chair: {market: 11, finance: 5, feasibility: 5}}\n",
     "staff.appraisal[0].scores.chair.market", 2, "10"),
    ("a criterion left out", "staff:\n  appraisal:\n    - scores: {chair: {market: 8}}\n",
     "staff.appraisal[0].scores.chair", 2, "feasibility"),
    ("a council without a quorum",
     "staff:\n  appraisal:\n    - scores: {chair: {market: 8, finance: 8, feasibility: 8}}\n",
     "staff.appraisal[0].scores", 2, "túc số"),
    ("an appraisal after one that passed", "staff:\n  appraisal:\n    - {}\n    - {}\n",
     "staff.appraisal[1]", 3, "đạt"),
    ("a delivery after the council passed the first",
     'staff:\n  delivery:\n    - {files: ["auto:docx"]}\n    - {files: ["auto:docx"]}\n  appraisal: [{}]\n',
     "staff.delivery[1]", 3, "1 vòng"),
    ("changes that name nothing", "client:\n  handover:\n    - {reply: changes}\n", "client.handover[0]", 2, "items"),
    ("a third round of changes", "client:\n  handover:\n" + "    - {reply: changes, items: [a]}\n" * 3,
     "client.handover[2]", 4, "2 lần"),
    ("monitoring that was not bought", "client:\n  monitoring:\n    - {figures: {jobs: 3}}\n",
     "client.monitoring[0]", 2, "không mua"),
    ("a file that is not there", "client:\n  contract:\n    - {file: missing.pdf}\n",
     "client.contract[0].file", 2, "missing.pdf"),
    ("an automatic file of an unknown kind", "client:\n  contract:\n    - {file: 'auto:exe'}\n",
     "client.contract[0].file", 2, "auto:pdf"),
    ("too many care calls", "staff:\n  care:\n" + "    - {outcome: a}\n" * 3, "staff.care[2]", 4, "2 lần"),
    ("a score out of range", "client:\n  evaluation:\n    scores: {quality: 6}\n",
     "client.evaluation.scores.quality", 2, "quá 5"),
]  # fmt: skip


@pytest.mark.parametrize(("rest", "field", "offset", "reason"), [row[1:] for row in REFUSALS],
                         ids=[row[0] for row in REFUSALS])  # fmt: skip
def test_is_refused_with_its_line_and_the_reason(
    tmp_path: Path, rest: str, field: str, offset: int, reason: str
) -> None:
    problems = refused(tmp_path, rest)

    assert list(problems) == [field]
    line, told = problems[field]
    assert line == FIRST_LINE + offset
    assert reason in told


def test_a_weekend_is_no_day_to_open_an_engagement(tmp_path: Path) -> None:
    assert refused(tmp_path, today="2026-12-06")["today"] == (1, "06/12/2026 không phải là ngày làm việc")


def test_a_date_that_does_not_exist_is_refused_at_its_line(tmp_path: Path) -> None:
    assert refused(tmp_path, today='"2026-02-30"')["today"][0] == 1


def test_what_the_intake_form_refuses_is_refused_at_its_line_in_the_scenario(tmp_path: Path) -> None:
    problems = refused(tmp_path, form=FORM.replace("6001234562", "6001234563"))

    assert problems["engagement.client.tax_code"][0] == 8


def test_all_problems_are_told_at_once(tmp_path: Path) -> None:
    problems = refused(tmp_path, "client:\n  contract: [{file: no.pdf}]\nstaff:\n  care: [{}, {}]\n")

    assert set(problems) == {"staff.care[0].outcome", "staff.care[1].outcome"}


def test_a_key_that_stands_twice_is_refused(tmp_path: Path) -> None:
    assert refused(tmp_path, "expect: {}\nexpect: {}\n")["expect"][0] == FIRST_LINE + 1
