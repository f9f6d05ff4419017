"""result.json, made from a register and a mail folder that the test fills."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from datetime import date, datetime, timezone
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.orm import Session

from include.engagement.calendar import working_calendar
from include.register.models import (
    Document,
    Engagement,
    Event,
    Mail,
    ReminderSent,
    Request,
    ReserveEntry,
    ScheduledRun,
    StagePeriod,
)
from include.register.session import sessions
from rehearsal.letters import Letter, Mailbox
from rehearsal.report import expectations, promise_kept, unmet, write_results
from rehearsal.scenario import Scenario, Staff

ID = "KHV-2026-0001"
OTHER = "KHV-2026-0002"
EXPECT = {"outcome": "completed", "appraisal_rounds": 2, "reserve_left": 3, "promised_date_kept": True,
          "monitoring_runs": 1}  # fmt: skip


def scenario(name: str = "played", **expect: Any) -> Scenario:
    return Scenario(Path(f"{name}.yaml"), name, date(2026, 12, 1), {}, {}, Staff(), expect or EXPECT)


def mail_row(number: int, template: str, *, engagement: str | None = ID) -> Mail:
    return Mail(id=number, key=f"key-{number}", engagement_id=engagement, template=template, stage="information",
                recipient="a@b.vn", message_id=f"<{number}@x>", thread=[], subject="as registered",
                day=date(2026, 12, 1), state="sent")  # fmt: skip


def receive(folder: Path, number: int, text: str = "") -> None:
    message = EmailMessage()
    message["To"], message["Subject"] = "a@b.vn", f"thư {number}"
    message["Date"], message["Message-ID"] = "Wed, 02 Dec 2026 09:00:00 +0700", f"<{number}@x>"
    message.set_content(text or "nội dung")
    message.add_attachment(b"x", maintype="application", subtype="pdf", filename="thư.pdf")
    (folder / f"{number:06}-x.eml").write_bytes(message.as_bytes())


@pytest.fixture
def storage(tmp_path: Path) -> Path:
    (tmp_path / "storage" / "engagements" / ID / "contract").mkdir(parents=True)
    (tmp_path / "storage" / "engagements" / ID / "contract" / "quote-v2.docx").write_bytes(b"quote")
    return tmp_path / "storage"


@pytest.fixture
def letters(tmp_path: Path) -> list[Letter]:
    folder = tmp_path / "mails"
    folder.mkdir()
    receive(folder, 1)
    receive(folder, 2)
    receive(folder, 4, f"Hồ sơ {OTHER} trễ hạn")
    receive(folder, 5, f"Hồ sơ {ID} trễ hạn")
    return Mailbox(folder).letters()


@pytest.fixture
def session(register: str) -> Iterator[Session]:
    with sessions(register)() as session:
        for number, id_ in enumerate((ID, OTHER)):
            session.add(
                Engagement(id=id_, language="vi", form={}, form_digest=str(number), opened=date(2026, 12, 1),
                           status="completed", closed=date(2027, 1, 20), promised=date(2027, 1, 20),
                           delivered=date(2027, 1, 18))
            )  # fmt: skip
        session.flush()
        session.add_all([
            StagePeriod(engagement_id=ID, stage="information", round=1, opened=date(2026, 12, 2), days=6,
                        due=date(2026, 12, 10), closed=date(2026, 12, 8), client_wait_days=1),
            StagePeriod(engagement_id=ID, stage="intake", round=1, opened=date(2026, 12, 1), days=2,
                        due=date(2026, 12, 3), closed=date(2026, 12, 2)),
            ReserveEntry(engagement_id=ID, kind="contracted", round=1, days=5, day=date(2026, 12, 9), reason=""),
            ReserveEntry(engagement_id=ID, kind="spent", round=2, days=-2, day=date(2027, 1, 12), reason=""),
            Event(engagement_id=ID, key="verdict/1", kind="verdict", day=date(2027, 1, 8), facts={"round": 1}),
            Event(engagement_id=ID, key="verdict/2", kind="verdict", day=date(2027, 1, 12), facts={"round": 2}),
            ScheduledRun(engagement_id=ID, dag_id="monitoring", run_id=f"{ID}__monitoring-1", number=1,
                         run_after=datetime(2027, 2, 11, 1, tzinfo=timezone.utc), status="done"),
            ScheduledRun(engagement_id=ID, dag_id="feedback", run_id=f"{ID}__feedback-1", number=1,
                         run_after=datetime(2027, 1, 27, 1, tzinfo=timezone.utc), status="done"),
            Request(id=1, engagement_id=ID, key="information", kind="information", round=1, stage="information",
                    stage_round=1, asked=date(2026, 12, 2), due=date(2026, 12, 10), of="client", status="answered"),
            mail_row(1, "information_request"), mail_row(2, "reminder"), mail_row(3, "welcome"),
            mail_row(4, "digest", engagement=None), mail_row(5, "digest", engagement=None),
            Document(engagement_id=ID, key="quote", version=2, occasion="2", stage="contract", direction="made",
                     path=f"engagements/{ID}/contract/quote-v2.docx", sha256=hashlib.sha256(b"quote").hexdigest(),
                     size=5, media_type="application/x", day=date(2026, 12, 8)),
            Document(engagement_id=ID, key="lost", version=1, occasion="1", stage="contract", direction="made",
                     path=f"engagements/{ID}/contract/lost.docx", sha256="0", size=5, media_type="application/x",
                     day=date(2026, 12, 8)),
        ])  # fmt: skip
        session.flush()
        session.add(ReminderSent(request_id=1, times_asked=1, reminder="before_due", level="client",
                                 day=date(2026, 12, 9), mail_id=2))  # fmt: skip
        session.commit()
        yield session


@pytest.fixture
def result(session: Session, storage: Path, letters: list[Letter], tmp_path: Path) -> dict[str, Any]:
    write_results(session, [(scenario(), ID)], storage=storage, letters=letters, calendar=working_calendar(),
                  out=tmp_path / "out")  # fmt: skip
    written: dict[str, Any] = json.loads((tmp_path / "out" / "result.json").read_text(encoding="utf-8"))
    return written


def test_has_the_keys_that_its_readers_know(result: dict[str, Any]) -> None:
    assert list(result) == ["engagement_id", "outcome", "stages", "documents", "mails", "reminders", "reserve",
                            "promised_date", "delivered_date", "scheduled_runs", "expectations"]  # fmt: skip


def test_stages_stand_in_order_with_their_working_days(result: dict[str, Any]) -> None:
    assert [stage["stage"] for stage in result["stages"]] == ["intake", "information"]
    assert result["stages"][1] == {
        "stage": "information", "round": 1, "opened": "2026-12-02", "due": "2026-12-10", "closed": "2026-12-08",
        "working_days": 4, "client_wait_days": 1,
    }  # fmt: skip


def test_documents_are_what_lies_in_storage_copied_beside_the_result(result: dict[str, Any], tmp_path: Path) -> None:
    (document,) = result["documents"]

    assert (document["key"], document["version"], document["path"]) == ("quote", 2, "documents/contract/quote-v2.docx")
    copied = (tmp_path / "out" / document["path"]).read_bytes()
    assert hashlib.sha256(copied).hexdigest() == document["sha256"]


def test_mails_are_what_was_received_not_what_was_registered(result: dict[str, Any], tmp_path: Path) -> None:
    assert [mail["message_id"] for mail in result["mails"]] == ["<1@x>", "<2@x>", "<5@x>"]
    assert result["mails"][0] == {
        "key": "information_request", "stage": "information", "to": ["a@b.vn"], "subject": "thư 1",
        "date": "2026-12-02T09:00:00+07:00", "message_id": "<1@x>", "attachments": ["thư.pdf"],
        "path": "mails/000001-x.eml",
    }  # fmt: skip
    assert (tmp_path / "out" / "mails" / "000001-x.eml").is_file()


def test_reminders_name_the_mail_that_carried_them(result: dict[str, Any]) -> None:
    assert result["reminders"] == [
        {"request": "information", "day": "2026-12-09", "level": "client", "mail": "<2@x>"}
    ]  # fmt: skip


def test_reserve_and_dates_are_those_of_the_register(result: dict[str, Any]) -> None:
    assert result["reserve"] == {"contracted": 5, "spent": 2, "left": 3}
    assert (result["promised_date"], result["delivered_date"]) == ("2027-01-20", "2027-01-18")


def test_scheduled_runs_stand_in_the_order_of_their_days(result: dict[str, Any]) -> None:
    assert [run["run_after"] for run in result["scheduled_runs"]] == [
        "2027-01-27T08:00:00+07:00", "2027-02-11T08:00:00+07:00",
    ]  # fmt: skip


def test_expectations_are_measured_against_what_happened(result: dict[str, Any]) -> None:
    assert {each["expect"]: each["got"] for each in result["expectations"]} == EXPECT
    assert unmet([result]) == []


def test_several_scenarios_get_a_folder_each_and_one_list(
    session: Session, storage: Path, letters: list[Letter], tmp_path: Path
) -> None:
    out = tmp_path / "out"

    write_results(session, [(scenario("a"), ID), (scenario("b"), OTHER), (scenario("b"), OTHER)], storage=storage,
                  letters=letters, calendar=working_calendar(), out=out)  # fmt: skip

    listed = json.loads((out / "result.json").read_text(encoding="utf-8"))
    assert [each["scenario"] for each in listed] == ["a", "b-1", "b-2"]
    assert json.loads((out / "b-2" / "result.json").read_text(encoding="utf-8"))["engagement_id"] == OTHER
    assert all((out / mail["path"]).is_file() for each in listed for mail in each["mails"])


def test_an_expectation_that_is_not_met_is_told_in_words() -> None:
    got = {"outcome": "refused", "reserve_left": 3}
    result = {"engagement_id": ID, "expectations": expectations({"outcome": "completed", "reserve_left": 3}, got=got)}

    assert unmet([result]) == [f"{ID}: outcome phải là completed, thực tế là refused"]


@pytest.mark.parametrize(
    ("promised", "delivered", "kept"),
    [
        (None, None, True),
        (date(2027, 1, 20), date(2027, 1, 20), True),
        (date(2027, 1, 20), date(2027, 1, 21), False),
        (date(2027, 1, 20), None, False),
    ],
)
def test_a_promise_is_kept_by_handing_over_in_time(promised: date | None, delivered: date | None, kept: bool) -> None:
    assert promise_kept(promised, delivered) is kept
