"""The players: what clients answer to which mail, what staff decide at which gate."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from include.engagement import process
from include.engagement.calendar import working_calendar
from rehearsal.letters import Letter
from rehearsal.players import (
    Correspondents,
    RehearsalFailed,
    compose,
    decide,
    gate_of,
    member_of,
    put_into_inbox,
    unread,
)
from rehearsal.record import AskedDecision, OpenRequest
from rehearsal.scenario import Answer, Appraisal, Care, Decision, Scenario, Staff

ID = "KHV-2026-0001"
TUESDAY = date(2026, 12, 1)


def scenario(*, staff: Staff | None = None, **answers: tuple[Answer, ...]) -> Scenario:
    return Scenario(Path("played.yaml"), "played", TUESDAY, {"language": "vi"}, answers, staff or Staff(), {})


def request(kind: str = "information", *, key: str = "", round_: int = 1, times_asked: int = 1,
            asked: date = TUESDAY, missing: tuple[str, ...] = ()) -> OpenRequest:  # fmt: skip
    return OpenRequest(ID, key or kind, kind, round_, asked, date(2026, 12, 9), times_asked, missing)


def letter(request_key: str, number: int = 1) -> Letter:
    return Letter(Path(f"{number}.eml"), f"<{number}@x>", ("a@b.vn",), "s", None, (), ID, request_key)


def people(tmp_path: Path, played: Scenario) -> Correspondents:
    return Correspondents(tmp_path, working_calendar(), {ID: played})


def test_a_client_acts_the_given_working_days_after_the_request(tmp_path: Path) -> None:
    players = people(tmp_path, scenario(information=(Answer(after_days=4, answers={"strategy": "x"}),)))

    (deed,) = players.plan([letter("information")], [request()], {"<1@x>": "information_request"})

    assert deed.day == date(2026, 12, 7)  # Monday: four working days after Tuesday


def test_a_step_that_is_absent_is_done_on_the_due_day(tmp_path: Path) -> None:
    players = people(tmp_path, scenario())

    (deed,) = players.plan([letter("information")], [request()], {"<1@x>": "information_request"})

    assert (deed.day, deed.answer) == (date(2026, 12, 9), None)


def test_nobody_acts_before_the_mail_has_come(tmp_path: Path) -> None:
    assert people(tmp_path, scenario()).plan([], [request()], {}) == []


def test_a_reminder_does_not_start_the_count_again(tmp_path: Path) -> None:
    players = people(tmp_path, scenario(information=(Answer(after_days=4),)))
    players.plan([letter("information")], [request()], {"<1@x>": "information_request"})

    more = players.plan([letter("information"), letter("information", 2)], [request()],
                        {"<1@x>": "information_request", "<2@x>": "reminder"})  # fmt: skip

    assert more == []


def test_a_mail_about_missing_items_brings_the_next_entry(tmp_path: Path) -> None:
    players = people(tmp_path, scenario(information=(Answer(after_days=1), Answer(after_days=2, reply="second"))))
    templates = {"<1@x>": "information_request", "<2@x>": "items_missing"}
    players.plan([letter("information")], [request()], templates)

    again = request(times_asked=2, asked=date(2026, 12, 2))
    (deed,) = players.plan([letter("information"), letter("information", 2)], [again], templates)

    assert (deed.day, deed.answer and deed.answer.reply) == (date(2026, 12, 4), "second")


def test_a_new_round_of_a_request_goes_on_in_the_same_list(tmp_path: Path) -> None:
    players = people(tmp_path, scenario(quote=(Answer(1, reply="negotiate"), Answer(1, reply="accept"))))
    players.plan([letter("quote")], [request("quote")], {"<1@x>": "quote"})

    (deed,) = players.plan([letter("quote-2", 2)], [request("quote", key="quote-2", round_=2)], {"<2@x>": "quote"})

    assert deed.answer is not None
    assert deed.answer.reply == "accept"


def test_the_tag_of_an_address_is_matched_whatever_its_case(tmp_path: Path) -> None:
    players = people(tmp_path, scenario())

    assert players.plan([letter("Quote-2".lower())], [request("quote", key="quote-2")], {"<1@x>": "quote"})


def test_monitoring_entries_go_by_visits(tmp_path: Path) -> None:
    first, second = Answer(1, {"jobs": 1}), Answer(2, {"jobs": 2})
    players = people(tmp_path, scenario(monitoring=(first, second)))

    (deed,) = players.plan([letter("monitoring-2")], [request("monitoring", key="monitoring-2", round_=2)],
                           {"<1@x>": "monitoring_form"})  # fmt: skip

    assert deed.answer is second


def test_the_department_goes_on_without_another_mail_when_the_plan_itself_is_missing(tmp_path: Path) -> None:
    players = people(tmp_path, scenario(delivery=(Answer(3), Answer(2))))
    players.plan([letter("delivery")], [request("delivery")], {"<1@x>": "assignment"})

    again = players.plan([letter("delivery")], [request("delivery", times_asked=2)], {"<1@x>": "assignment"})

    assert [deed.answer for deed in again] == [Answer(2)]


def test_a_complete_answer_gives_every_missing_item_in_its_kind() -> None:
    missing = tuple(item.key for item in process.INFORMATION_ITEMS if item.required)

    files, reply = compose(None, request(missing=missing), language="vi", day=TUESDAY)

    assert set(reply["answers"]) | set(reply["files"]) == set(missing)
    assert set(files) == set(reply["files"].values())


@pytest.mark.parametrize("item", process.INTAKE_ITEMS, ids=lambda item: item.key)
def test_the_intake_form_takes_every_plausible_value(item: process.Item) -> None:
    from include.engagement.form import column_value

    _, reply = compose(None, request("intake", missing=(item.key,)), language="en", day=TUESDAY)

    value, problem = column_value(item.column, reply["answers"][item.key])
    assert (problem, bool(value)) == (None, True)


def test_an_entry_that_says_only_when_is_answered_completely() -> None:
    _, reply = compose(Answer(after_days=3), request(missing=("strategy",)), language="vi", day=TUESDAY)

    assert set(reply["answers"]) == {"strategy"}


def test_an_incomplete_entry_stays_incomplete() -> None:
    _, reply = compose(Answer(answers={"strategy": "x"}), request(missing=("strategy", "products")),
                       language="vi", day=TUESDAY)  # fmt: skip

    assert reply["answers"] == {"strategy": "x"}


def test_the_same_words_sent_again_are_another_letter() -> None:
    entry = Answer(answers={"strategy": "x"})
    first = compose(entry, request(), language="vi", day=TUESDAY)
    second = compose(entry, request(times_asked=2), language="vi", day=TUESDAY)

    assert first != second


def test_what_is_put_into_the_inbox_is_whole_with_its_hashes_last(tmp_path: Path) -> None:
    put_into_inbox(tmp_path, ID, "contract", files={"hđ.pdf": b"%PDF-"}, reply={"message": "đã ký"})

    folder = tmp_path / "inbox" / ID / "contract"
    reply = json.loads((folder / "reply.json").read_text(encoding="utf-8"))
    assert reply["manifest"] == {"hđ.pdf": hashlib.sha256(b"%PDF-").hexdigest()}
    assert sorted(path.name for path in folder.iterdir()) == ["hđ.pdf", "reply.json"]
    assert unread(tmp_path, ID) == ["contract/hđ.pdf", "contract/reply.json"]


# --- Staff ----------------------------------------------------------------------------------------------


@dataclass
class Asked:
    """A pending sign-off as Airflow shows it."""

    options: list[str]
    run_id: str = ID
    subject: str = ""
    task_id: str = ""
    params: dict[str, Any] = field(default_factory=dict)


@pytest.mark.parametrize("gate", process.SIGN_OFFS)
def test_every_gate_is_known_by_its_options(gate: str) -> None:
    assert gate_of(Asked(list(process.SIGN_OFFS[gate].options.values()))) == gate


def test_a_sign_off_that_nobody_knows_stops_the_rehearsal() -> None:
    with pytest.raises(RehearsalFailed, match=ID):
        gate_of(Asked(["Approve", "Reject"]))


def test_a_council_member_is_known_by_the_task() -> None:
    assert member_of(Asked([], task_id="round_2.appraisal.score_industry")) == "industry"
    assert member_of(Asked([], task_id="round_2.appraisal.conclude")) == ""


def chosen(gate: str, staff: Staff | None = None, *, round_: int = 1, who: str = "", decided: int = 0) -> Any:
    return decide(scenario(staff=staff), AskedDecision(gate, round_, who, None), decided=decided)


@pytest.mark.parametrize("gate", process.SIGN_OFFS)
def test_every_field_of_a_form_is_sent(gate: str) -> None:
    assert set(chosen(gate, who="chair").params) == {entry.key for entry in process.SIGN_OFFS[gate].entries}


@pytest.mark.parametrize("gate", process.SIGN_OFFS)
def test_staff_who_are_told_nothing_give_an_answer_that_their_form_allows(gate: str) -> None:
    from include.engagement.signoffs import check_sign_off

    choice, row = chosen(gate, who="chair"), process.SIGN_OFFS[gate]
    option = next(key for key, label in row.options.items() if label == choice.label)

    assert check_sign_off(row, option, choice.params) is not None


def test_reasons_stand_one_to_a_line() -> None:
    staff = Staff(information_review=(Decision("refuse", {"sector": "sai", "capacity": "thiếu"}),))

    choice = chosen("information_review", staff)

    assert (choice.label, choice.params) == ("Từ chối dịch vụ", {"reason": "sector: sai\ncapacity: thiếu"})


def test_a_second_review_follows_the_second_entry() -> None:
    staff = Staff(information_review=(Decision("ask_again", {"capacity": "thiếu"}), Decision("accept")))

    assert chosen("information_review", staff, round_=2).label == "Chấp nhận"


def test_a_negotiated_quote_changes_only_what_it_names() -> None:
    staff = Staff(revised_quotes=({"net_vnd": 5},))

    assert chosen("quote", staff, round_=2).params == {
        "net_vnd": 5, "vat_percent": None, "reserve_days": None, "instalments_percent": None,
    }  # fmt: skip


def test_instalments_are_written_as_people_write_them() -> None:
    quote = {"net_vnd": 5, "vat_percent": 8, "reserve_days": 2, "instalments_percent": [33.5, 66.5]}

    assert chosen("quote", Staff(quote=quote)).params["instalments_percent"] == "33.5, 66.5"


def test_a_member_without_scores_is_absent() -> None:
    points = {"market": 8.0, "finance": 8.0, "feasibility": 8.0}
    staff = Staff(appraisal=(Appraisal({"chair": points, "finance": points}, {"chair": "tốt"}),))

    assert chosen("scorecard", staff, who="industry").label == "Vắng mặt"
    assert chosen("scorecard", staff, who="chair").params == {**points, "comment": "tốt"}


def test_a_council_that_is_told_nothing_gives_full_marks() -> None:
    params = chosen("scorecard", who="chair").params

    assert {params[criterion.key] for criterion in process.CRITERIA} == {process.COUNCIL_POINTS}


def test_with_nothing_said_the_director_grants_days_and_the_player_says_so() -> None:
    choice = chosen("reserve_exhausted", round_=2)

    assert choice.label == process.SIGN_OFFS["reserve_exhausted"].options["grant_days"]
    assert "5" in choice.note


def test_after_the_last_round_the_contract_can_only_be_terminated() -> None:
    last = process.APPRAISAL_ROUNDS + process.GRANTED_ROUNDS

    choice = chosen("reserve_exhausted", Staff(granted_days=5), round_=last)

    assert choice.label == process.SIGN_OFFS["reserve_exhausted"].options["terminate"]


def test_care_calls_follow_their_list_in_order() -> None:
    staff = Staff(care=(Care("bận", reached=False), Care("tốt")))

    assert chosen("care_call", staff, round_=2, decided=0).label == "Chưa liên lạc được"
    assert chosen("care_call", staff, round_=3, decided=1).params == {"outcome": "tốt"}


# --- through the portal ---------------------------------------------------------------------------------


@dataclass
class Visits:
    """A portal that takes everything, or nothing."""

    takes: bool = True
    opened: list[str] = field(default_factory=list)

    def __call__(self, link: str, reply: Any, files: Any) -> bool:
        self.opened.append(link)
        return self.takes


def answer_all(tmp_path: Path, visits: Visits | None, *kinds: str) -> list[str]:
    """Have the client answer requests, each with a link in its mail; return those that went into the inbox."""
    players = Correspondents(tmp_path, working_calendar(), {ID: scenario()}, visit=visits)
    for number, kind in enumerate(kinds, 1):
        mail = replace(letter(kind, number), text=f"Trả lời trực tuyến\nhttp://127.0.0.1:8090/r/{kind}.x-1\n")
        (deed,) = players.plan([mail], [request(kind, missing=("strategy",))], {mail.message_id: kind})
        players.perform(deed, request(kind, missing=("strategy",)), day=TUESDAY)
    return sorted(path.name for path in (tmp_path / "inbox" / ID).glob("*")) if (tmp_path / "inbox").exists() else []


def test_a_client_answers_every_other_request_by_the_link_in_its_mail(tmp_path: Path) -> None:
    visits = Visits()
    by_mail = answer_all(tmp_path, visits, "information", "quote", "contract", "handover")
    assert by_mail == ["handover", "quote"]
    assert visits.opened == ["http://127.0.0.1:8090/r/information.x-1", "http://127.0.0.1:8090/r/contract.x-1"]


def test_what_the_portal_does_not_take_is_written_in_a_mail(tmp_path: Path) -> None:
    assert answer_all(tmp_path, Visits(takes=False), "information", "quote") == ["information", "quote"]


def test_without_a_portal_everything_goes_by_mail(tmp_path: Path) -> None:
    assert answer_all(tmp_path, None, "information", "quote") == ["information", "quote"]
