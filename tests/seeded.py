"""A register with many engagements, written row by row: finished and open ones over the months before a day.

Everything follows from an engagement's number, so that two registers of the same size are alike.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from random import Random
from typing import Any

from sqlalchemy import insert
from sqlalchemy.orm import Session

from include.engagement import process
from include.engagement.calendar import working_calendar
from include.register.models import (
    Engagement,
    Event,
    ReminderSent,
    Request,
    RequestItem,
    ReserveEntry,
    SignOff,
    StagePeriod,
)
from tests.firm import FORM

NAMES = (
    "Cà phê Ban Mê Sớm", "Nội thất Gỗ Việt", "Thủy sản Bạc Liêu", "Dệt may Hòa Thọ", "Du lịch Sa Pa Xanh",
    "Nông sản Đà Lạt", "Phòng khám An Tâm", "Bánh kẹo Hương Quê", "Cơ khí Long Biên", "Gốm sứ Bát Tràng",
)  # fmt: skip
FIRST = 10_000  # no number that the register gives in a test
CALENDAR = working_calendar()


def seed(session: Session, *, finished: int, still_open: int, today: date, months: int = 14) -> None:
    """Write ``finished`` engagements that ended before ``today`` and ``still_open`` ones."""
    rows: dict[Any, list[dict[str, Any]]] = {
        model: [] for model in (Engagement, StagePeriod, Event, SignOff, ReserveEntry, Request, RequestItem,
                                ReminderSent)
    }  # fmt: skip
    numbers = iter(range(1, 10_000_000))
    for number in range(1, finished + still_open + 1):
        chance = Random(number)
        span = 30 * months if number <= finished else 45
        opened = CALENDAR.first_on_or_after(today - timedelta(days=chance.randrange(5, span)))
        _live(rows, numbers, f"KHV-{opened.year}-{FIRST + number}", opened, today, chance, ends=number <= finished)
    for model, values in rows.items():
        for start in range(0, len(values), 5000):
            session.execute(insert(model), values[start : start + 5000])
    session.commit()


def _live(
    rows: dict[Any, list[dict[str, Any]]], numbers: Iterator[int], name: str, opened: date, today: date,
    chance: Random, *, ends: bool,
) -> None:  # fmt: skip
    company = f"Công ty {chance.choice(NAMES)} {name[-4:]}"
    row: dict[str, Any] = {
        "id": name, "language": "vi", "form": {**FORM, "client": {**FORM["client"], "name": company}},
        "form_digest": name, "opened": opened, "status": "open", "closed": None, "signed": None, "promised": None,
        "delivered": None,
    }  # fmt: skip
    rows[Engagement].append(row)

    def event(kind: str, key: str, day: date, **facts: Any) -> None:
        rows[Event].append({"engagement_id": name, "key": key, "kind": kind, "day": day, "facts": facts})

    def stage(key: str, number: int, begun: date, took: int, waited: int = 0) -> date | None:
        row_of = process.STAGES[key]
        days = row_of.days or 5
        lost = max(0, waited - row_of.client_days)
        closed = CALENDAR.add(begun, took) if took else begun
        over = closed > today
        rows[StagePeriod].append(
            {"engagement_id": name, "stage": key, "round": number, "opened": begun, "days": days,
             "due": CALENDAR.add(begun, days + lost), "closed": None if over else closed, "client_waited": waited,
             "client_wait_days": lost}
        )  # fmt: skip
        if over:
            return None
        event("stage_closed", f"stage_closed/{key}/{number}", closed, stage=key, round=number)
        return closed

    def asked(kind: str, key: str, begun: date, took: int, number: int = 1) -> int:
        request = process.REQUESTS[kind]
        answered = CALENDAR.add(begun, took) if took else begun
        due = CALENDAR.add(begun, request.answer_days)
        known, done = next(numbers), answered <= today
        rows[Request].append(
            {"id": 1_000_000 + known, "engagement_id": name, "key": key, "kind": kind, "round": number,
             "stage": request.stage, "stage_round": 1, "asked": begun, "due": due, "of": request.of,
             "status": "answered" if done else "open", "answered": answered if done else None}
        )  # fmt: skip
        for reminder in process.REMINDERS:
            day = CALENDAR.add(due, reminder.offset) if reminder.offset >= 0 else CALENDAR.subtract(due, 1)
            if request.of == "client" and begun < day <= min(today, answered) and (day < answered or not done):
                rows[ReminderSent].append(
                    {"request_id": 1_000_000 + known, "times_asked": 1, "reminder": reminder.key,
                     "level": reminder.level, "day": day}
                )  # fmt: skip
        if done:
            event("received", f"received/{key}/{known}", answered, request=key)
        return 1_000_000 + known

    def items(request: int, values: dict[str, int]) -> None:
        rows[RequestItem].extend(
            {"request_id": request, "key": key, "required": True, "state": "received", "value": {"value": value}}
            for key, value in values.items()
        )

    def waits(gate: str, number: int, begun: date, who: str = "") -> None:
        rows[SignOff].append(
            {"engagement_id": name, "gate": gate, "round": number, "who": who, "asked": begun, "decision": None,
             "form": None, "day": None}
        )  # fmt: skip

    took = chance.choice((0, 1, 1, 2, 3))
    at = stage("intake", 1, opened, took, took)
    if at is None:
        return waits("first_meeting", 1, opened)
    took = chance.choice((3, 4, 5, 6, 6, 7, 8, 9, 12, 15))
    asked("information", "information", at, took)
    at = stage("information", 1, at, took + chance.choice((0, 0, 1)), took)
    if at is None:
        return
    if ends and chance.random() < 0.12:
        row["status"], row["closed"] = chance.choice(("refused", "declined_by_firm", "declined_by_client")), at
        return
    begun = at
    at = stage("contract", 1, at, chance.choice((1, 2, 3, 4, 6)), chance.choice((0, 1, 2)))
    if at is None:
        return waits(chance.choice(("decision", "quote")), 1, begun)
    row["signed"], row["promised"] = at, CALENDAR.add(at, 28)
    rows[ReserveEntry].append({"engagement_id": name, "kind": "contracted", "round": 1, "days": 5, "day": at,
                               "reason": "hợp đồng"})  # fmt: skip
    asked("delivery", "delivery", at, 20)
    at = stage("delivery", 1, at, chance.choice((15, 18, 19, 20, 20, 21, 23)))
    for number in (1, 2, 3):
        if at is None:
            return
        begun = at
        at = stage("appraisal", number, at, chance.choice((0, 1, 1, 2)))
        if at is None:
            for member in chance.sample(process.COUNCIL, chance.choice((1, 2, 3))):
                waits("scorecard", number, begun, member.key)
            return
        passed = chance.random() < (0.72 if number == 1 else 0.85) or number == 3
        for member in process.COUNCIL:
            points = {c.key: chance.choice((7, 8, 9) if passed else (4, 5, 6, 7)) for c in process.CRITERIA}
            rows[SignOff].append(
                {"engagement_id": name, "gate": "scorecard", "round": number, "who": member.key, "asked": at,
                 "decision": "submit", "form": points, "day": at}
            )  # fmt: skip
        event("verdict", f"verdict/{number}", at, round=number, passed=passed)
        if passed:
            break
        days = chance.choice((1, 2, 3))
        at = stage("delivery", number + 1, at, days)
        if at is None:
            return
        rows[ReserveEntry].append({"engagement_id": name, "kind": "spent", "round": number + 1, "days": -days,
                                   "day": at, "reason": "làm lại"})  # fmt: skip
    assert at is not None
    row["delivered"] = at
    took = chance.choice((0, 1, 1, 2, 2, 4))
    asked("handover", "handover", at, took)
    at = stage("handover", 1, at, took, took)
    if at is None:
        return
    row["status"], row["closed"] = "completed", at
    evaluated = CALENDAR.add(at, process.EVALUATION_AFTER_DAYS)
    if evaluated > today or chance.random() < 0.2:
        return
    request = asked("evaluation", "evaluation", evaluated, chance.choice((1, 2, 4, 5, 7)))
    if rows[Request][-1]["status"] == "answered":
        ratings = {item.key: chance.choice((3, 4, 4, 5, 5)) for item in process.REQUESTS["evaluation"].items[:5]}
        items(request, {**ratings, "recommend": chance.choice((5, 7, 8, 9, 9, 10, 10))})
