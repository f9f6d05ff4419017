"""Scenarios played side by side by the command, through a real Airflow: what came of them."""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from datetime import date
from email import policy
from email.parser import BytesParser
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from include.engagement import process
from include.engagement.calendar import working_calendar
from local.stack import ROOT
from rehearsal.scenario import FOLDER, read_scenario

pytestmark = [pytest.mark.system, pytest.mark.timeout(1800), pytest.mark.xdist_group("played")]

SIDE_BY_SIDE = ("coffee-roastery", "furniture-workshop", "refused-for-inaccuracy", "everything-goes-wrong")
SCHEMA = json.loads((ROOT / "rehearsal" / "result.schema.json").read_text(encoding="utf-8"))
FIXED_STAGES = {key: stage.days for key, stage in process.STAGES.items() if stage.days is not None}
CALENDAR = working_calendar()
AMOUNT = re.compile(r"\d[\d.,]*\s*(VND|đồng|million|billion)|\bour fee\b", re.IGNORECASE)


@dataclass(frozen=True)
class Played:
    """What the command left."""

    exit_code: int
    said: str
    out: Path

    @property
    def results(self) -> dict[str, dict[str, Any]]:
        """The results by scenario."""
        whole = json.loads((self.out / "result.json").read_text(encoding="utf-8"))
        return {result["scenario"]: result for result in whole}


def rehearse(out: Path, *scenarios: str) -> Played:
    """Run the command as its user would."""
    ran = subprocess.run(
        [sys.executable, "-m", "rehearsal", "run", "--out", str(out), *scenarios],
        cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True, timeout=1700,
        check=False,
    )  # fmt: skip
    return Played(ran.returncode, ran.stdout + ran.stderr, out)


@pytest.fixture(scope="session")
def played(tmp_path_factory: pytest.TempPathFactory) -> Played:
    played = rehearse(tmp_path_factory.mktemp("played") / "out", *SIDE_BY_SIDE)
    assert (played.out / "result.json").exists(), played.said
    return played


@pytest.fixture(params=SIDE_BY_SIDE)
def result(request: pytest.FixtureRequest, played: Played) -> dict[str, Any]:
    return played.results[request.param]


def day(text: str) -> date:
    return date.fromisoformat(text)


def problems(instance: Any) -> list[str]:
    validator = Draft202012Validator(SCHEMA, format_checker=Draft202012Validator.FORMAT_CHECKER)
    return [f"{error.json_path}: {error.message}" for error in validator.iter_errors(instance)]


def body(played: Played, mail: dict[str, Any]) -> str:
    message = BytesParser(policy=policy.default).parsebytes((played.out / mail["path"]).read_bytes())
    part = message.get_body(("plain",))
    assert part is not None
    return str(part.get_content())


def test_the_schema_refuses_what_is_not_a_result() -> None:
    Draft202012Validator.check_schema(SCHEMA)
    assert problems({"engagement_id": "KHV-2026-0001"})


def test_the_command_says_that_all_ended_as_expected(played: Played) -> None:
    assert played.exit_code == 0, played.said


def test_clients_answer_through_the_portal_and_by_mail(played: Played) -> None:
    answers = [line for line in played.said.splitlines() if "◂" in line and " delivery" not in line]
    through_portal = [line for line in answers if "qua cổng trả lời" in line]
    assert len(through_portal) >= len(answers) // 3
    assert len(answers) - len(through_portal) >= len(answers) // 3


def test_every_expectation_of_the_scenario_was_looked_at_and_met(result: dict[str, Any]) -> None:
    expected = read_scenario(FOLDER / f"{result['scenario']}.yaml").expect

    assert {each["expect"]: each["got"] for each in result["expectations"]} == expected
    assert all(each["met"] for each in result["expectations"])


def test_the_results_have_the_form_that_their_readers_know(played: Played, result: dict[str, Any]) -> None:
    own = json.loads((played.out / result["scenario"] / "result.json").read_text(encoding="utf-8"))

    assert problems(json.loads((played.out / "result.json").read_text(encoding="utf-8"))) == []
    assert problems(own) == []
    assert own["engagement_id"] == result["engagement_id"]


def test_every_document_lies_where_the_result_says_as_it_was_registered(played: Played, result: dict[str, Any]) -> None:
    for document in result["documents"]:
        content = (played.out / document["path"]).read_bytes()
        assert hashlib.sha256(content).hexdigest() == document["sha256"], document["path"]
    assert len({(row["key"], row["version"], row["path"]) for row in result["documents"]}) == len(result["documents"])


def test_every_mail_was_received_with_what_the_result_tells_of_it(played: Played, result: dict[str, Any]) -> None:
    for mail in result["mails"]:
        message = BytesParser(policy=policy.default).parsebytes((played.out / mail["path"]).read_bytes())
        assert message["Message-ID"].strip() == mail["message_id"]
        assert [part.get_filename() for part in message.iter_attachments()] == mail["attachments"]


def test_no_mail_goes_out_twice(result: dict[str, Any]) -> None:
    ids = [mail["message_id"] for mail in result["mails"]]
    told = [(mail["key"], *mail["to"], mail["subject"], mail["date"][:10]) for mail in result["mails"]]

    assert len(set(ids)) == len(ids)
    assert len(set(told)) == len(told)


def test_every_reminder_is_a_mail_that_arrived_on_its_day(result: dict[str, Any]) -> None:
    dates = {mail["message_id"]: mail["date"][:10] for mail in result["mails"]}

    assert all(dates[each["mail"]] == each["day"] for each in result["reminders"] if each["level"] == "client")
    assert all(CALENDAR.is_working_day(day(each["day"])) for each in result["reminders"])


def test_a_stage_is_due_after_its_days_and_the_days_that_the_client_took_beyond(result: dict[str, Any]) -> None:
    periods = [each for each in result["stages"] if each["stage"] in FIXED_STAGES and each["round"] == 1]

    assert periods
    for each in periods:
        days = FIXED_STAGES[each["stage"]] + each["client_wait_days"]
        assert CALENDAR.add(day(each["opened"]), days) == day(each["due"]), each


def test_working_days_are_those_between_opening_and_closing(result: dict[str, Any]) -> None:
    for each in result["stages"]:
        assert each["closed"] is not None, each
        assert each["working_days"] == CALENDAR.between(day(each["opened"]), day(each["closed"])), each


def test_the_ids_of_later_runs_follow_from_the_engagement(result: dict[str, Any]) -> None:
    runs = [run["run_id"] for run in result["scheduled_runs"]]
    wanted = [f"{result['engagement_id']}__{dag_id}-{number}"
              for dag_id in ("monitoring", "feedback")
              for number in range(1, 1 + sum(run["dag_id"] == dag_id for run in result["scheduled_runs"]))]  # fmt: skip

    assert sorted(runs) == sorted(wanted)


def test_only_a_bought_add_on_is_monitored(played: Played) -> None:
    monitored = {name: sum(run["dag_id"] == "monitoring" for run in result["scheduled_runs"])
                 for name, result in played.results.items()}  # fmt: skip

    assert monitored["coffee-roastery"] == 3
    assert monitored["furniture-workshop"] == 0
    assert monitored["refused-for-inaccuracy"] == 0


def test_the_dates_promised_are_reckoned_by_hand(played: Played) -> None:
    results = played.results

    # Signed on Wednesday 9 December 2026: 20 + 1 + 2 days and 5 of reserve; Friday 1 January is off. Tuesday.
    assert results["coffee-roastery"]["promised_date"] == "2027-01-19"
    # Signed on Friday 12 February 2027: 20 + 1 + 2 days and 6 of reserve, nothing off until April. Thursday.
    assert results["furniture-workshop"]["promised_date"] == "2027-03-25"
    assert results["furniture-workshop"]["delivered_date"] <= "2027-03-25"


def test_a_late_client_is_reminded_on_the_days_reckoned_by_hand(played: Played) -> None:
    reminders = played.results["furniture-workshop"]["reminders"]

    assert [(each["request"], each["day"], each["level"]) for each in reminders] == [
        # Asked on Monday 18 January, due on Tuesday 26: the day before, the day itself, the day after.
        ("information", "2027-01-25", "client"),  # Monday
        ("information", "2027-01-26", "client"),  # Tuesday
        ("information", "2027-01-27", "client"),  # Wednesday
        # Half of it came on Thursday 28; the rest is due on Tuesday 2 February and came the day before.
        ("information", "2027-02-01", "client"),  # Monday
        # Asked on Wednesday 3 February; Tết is off from Thursday 4 to Wednesday 10; due on Monday 15.
        ("contract", "2027-02-12", "client"),  # Friday
        # Asked on Wednesday 17 March, due on Friday 19; answered on Thursday with changes.
        ("handover", "2027-03-18", "client"),  # Thursday
        # Asked again on that Thursday, due on Monday 22.
        ("handover-2", "2027-03-19", "client"),  # Friday
        # Asked on Friday 26 March, due on Friday 2 April, answered on Monday 5.
        ("evaluation", "2027-04-01", "client"),  # Thursday
        ("evaluation", "2027-04-02", "client"),  # Friday
        ("evaluation", "2027-04-05", "client"),  # Monday
    ]


def test_a_failed_appraisal_is_paid_from_the_reserve_inside_the_promised_date(played: Played) -> None:
    result = played.results["furniture-workshop"]
    again = next(each for each in result["stages"] if (each["stage"], each["round"]) == ("delivery", 2))

    # Friday 12 March to Wednesday 17 March: three of the six days.
    assert result["reserve"] == {"contracted": 6, "spent": 3, "left": 3}
    # One day of appraisal and two of handover before Thursday 25 March: Monday 22.
    assert again["due"] == "2027-03-22"


def test_a_refusal_is_told_in_the_clients_language_and_no_price_ever_left(played: Played) -> None:
    result = played.results["refused-for-inaccuracy"]
    mails = [mail for mail in result["mails"] if "anna@songhanclinic.example" in mail["to"]]

    assert [mail["key"] for mail in mails][-1] == "refusal"
    assert "Dear" in body(played, mails[-1])
    for mail in mails:
        assert mail["key"] not in ("quote", "contract")
        assert not AMOUNT.search(body(played, mail))
    assert not {"quote", "contract", "timetable"} & {row["key"] for row in result["documents"]}


def test_an_expectation_that_is_not_met_ends_with_exit_code_1(tmp_path: Path) -> None:
    told = (FOLDER / "declined-by-firm.yaml").read_text(encoding="utf-8")
    scenario = tmp_path / "too-hopeful.yaml"
    scenario.write_text(told.replace("outcome: declined_by_firm", "outcome: declined_by_client"), encoding="utf-8")
    assert scenario.read_text(encoding="utf-8") != told

    played = rehearse(tmp_path / "out", str(scenario))

    result = json.loads((played.out / "result.json").read_text(encoding="utf-8"))
    assert played.exit_code == 1
    assert problems(result) == []
    assert {"expect": "outcome", "wanted": "declined_by_client", "got": "declined_by_firm", "met": False} in result[
        "expectations"
    ]


def test_a_scenario_with_an_unknown_key_starts_nothing(tmp_path: Path) -> None:
    told = (FOLDER / "declined-by-firm.yaml").read_text(encoding="utf-8")
    scenario = tmp_path / "unknown.yaml"
    scenario.write_text(f"{told}\nlunch: 1\n", encoding="utf-8")
    line = scenario.read_text(encoding="utf-8").splitlines().index("lunch: 1") + 1

    played = rehearse(tmp_path / "out", str(scenario))

    assert played.exit_code == 2
    assert f"dòng {line}, mục “lunch”" in played.said
    assert "Airflow" not in played.said
    assert not played.out.exists()
