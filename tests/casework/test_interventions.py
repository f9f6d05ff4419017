"""What staff do by hand: what is shown is what happens, once, and nothing after the end."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest
from sqlalchemy import select

from include.casework import interventions
from include.casework.answers_by_hand import AnswerForClient, File, stage, staged, unstage
from include.casework.corrections import Correct, as_entered
from include.casework.ending import end
from include.casework.interventions import (
    End,
    ExtendDue,
    Intervention,
    PauseReminders,
    Plan,
    Remind,
    Reopen,
    ResumeReminders,
    RevokeLinks,
    SendLink,
    carry_out,
)
from include.engagement.calendar import working_calendar
from include.engagement.errors import RuleBroken
from include.register.models import Document, Event, Mail, Request, SignOff
from tests.casework.saboteur import Killed
from tests.firm import ANSWERS, FORM, PAPERS, PDF, Firm

EVIDENCE = File("bien-ban-goi-dien.pdf", PDF)
TYPED = AnswerForClient("information", {}, "", "", (), {}, EVIDENCE, "Chị Hữu đọc qua điện thoại")
CALENDAR = working_calendar()


def do(firm: Firm, intervention: Intervention, nonce: str = "n1") -> bool:
    with firm.case() as case:
        return carry_out(case, intervention, by="thu-ha", nonce=nonce)


def plan(firm: Firm, intervention: Intervention) -> Plan:
    with firm.case() as case:
        return intervention.plan(case)


def events(firm: Firm, kind: str) -> list[dict[str, Any]]:
    with firm.case() as case:
        rows = case.session.scalars(select(Event).where(Event.kind == kind).order_by(Event.id))
        return [row.facts for row in rows]


def request(firm: Firm, key: str = "information") -> Request:
    with firm.case() as case:
        return case.session.scalars(select(Request).where(Request.key == key)).one()


@pytest.fixture
def asked(firm: Firm) -> Firm:
    firm.settings = replace(firm.settings, portal_url="https://hoso.example", portal_keys=("k" * 40,))
    firm.day(date(2026, 12, 1)).open().ask("information")
    return firm


EACH: dict[str, Callable[[Firm], Intervention]] = {
    "reminder": lambda firm: Remind("information"),
    "due": lambda firm: ExtendDue("information", date(2026, 12, 18), "Kế toán nghỉ sinh"),
    "pause": lambda firm: PauseReminders("Chủ doanh nghiệp đi công tác"),
    "link": lambda firm: SendLink("information"),
    "revoke": lambda firm: RevokeLinks("Máy của khách bị mất"),
    "fact": lambda firm: Correct({"client.sector": "Rang xay cà phê"}, "Khách báo lại"),
    "answer": lambda firm: replace(TYPED, answers={"strategy": "Chuỗi khách sạn"}),
    "end": lambda firm: End("withdrawn", "Khách đổi ý"),
}


@pytest.mark.parametrize("which", EACH)
def test_done_twice_it_is_done_once_and_names_who_did_it(asked: Firm, which: str) -> None:
    intervention = EACH[which](asked)
    assert do(asked, intervention)
    mails = len(asked.outbox.mails)
    assert not do(asked, intervention)
    assert len(asked.outbox.mails) == mails
    assert [facts["by"] for facts in events(asked, intervention.kind)] == ["thu-ha"]


@pytest.mark.parametrize("which", EACH)
def test_looking_at_what_would_come_of_it_changes_nothing(asked: Firm, which: str) -> None:
    with asked.case() as case:
        before = case.session.scalars(select(Event.id)).all()
    mails = len(asked.outbox.mails)
    shown = plan(asked, EACH[which](asked))
    assert shown.digest == plan(asked, EACH[which](asked)).digest
    with asked.case() as case:
        assert case.session.scalars(select(Event.id)).all() == before
    assert len(asked.outbox.mails) == mails


@pytest.mark.parametrize("which", [each for each in EACH if each not in ("revoke", "end")])
def test_nothing_is_done_by_hand_after_the_end(asked: Firm, which: str) -> None:
    end(asked.office(), asked.engagement, by="thu-ha", reason="Khách đổi ý")
    with pytest.raises(RuleBroken):
        do(asked, EACH[which](asked))


@pytest.mark.parametrize("which", ["reminder", "link"])
def test_the_mail_that_is_shown_is_the_one_that_goes(asked: Firm, which: str) -> None:
    [mailing] = plan(asked, EACH[which](asked)).mails
    mails = len(asked.outbox.mails)
    do(asked, EACH[which](asked))
    assert [str(mail["to"]) for mail in asked.outbox.read()[mails:]] == [f"Trần Đức Hữu <{mailing.recipient}>"]


@pytest.mark.parametrize("which", ["reminder", "link"])
def test_two_people_who_send_the_same_on_one_day_send_it_once(asked: Firm, which: str) -> None:
    do(asked, EACH[which](asked), "n1")
    with pytest.raises(RuleBroken, match="Hôm nay"):
        do(asked, EACH[which](asked), "n2")


@pytest.mark.parametrize("which", ["due", "pause", "revoke", "fact", "answer", "end"])
def test_what_matters_needs_a_reason(asked: Firm, which: str) -> None:
    with pytest.raises(RuleBroken, match="lý do"):
        do(asked, replace(EACH[which](asked), reason=" "))  # type: ignore[type-var]


def test_a_reminder_by_hand_stands_for_that_days_own(asked: Firm) -> None:
    due = request(asked).due
    asked.day(due)
    do(asked, Remind("information"))
    assert asked.sweep(due) == 0
    later = CALENDAR.next(due)
    asked.day(later)
    assert asked.sweep(later) == 1


def test_a_reminder_by_hand_stands_for_that_days_own_when_the_server_died_after_it(
    asked: Firm, monkeypatch: pytest.MonkeyPatch
) -> None:
    due = request(asked).due
    asked.day(due)
    remind = interventions.remind_client

    def remind_and_die(*given: Any, **named: Any) -> Mail:
        remind(*given, **named)
        raise Killed

    monkeypatch.setattr(interventions, "remind_client", remind_and_die)
    with pytest.raises(Killed):
        do(asked, Remind("information"))
    mails = len(asked.outbox.mails)
    asked.sweep(due)
    assert len(asked.outbox.mails) == mails


def test_an_address_that_fails_is_not_written_to_by_hand_either(asked: Firm) -> None:
    from include.register.models import IncomingMail, UndeliverableAddress

    with asked.case() as case:
        mail = IncomingMail(mailbox="x", uidvalidity=1, uid=1, size=1, day=case.today, state="bounced")
        case.session.add(mail)
        case.session.flush()
        case.session.add(UndeliverableAddress(address=FORM["client"]["contact"]["email"], since=case.today,
                                              diagnostic="550", incoming_id=mail.id))  # fmt: skip
        case.session.commit()
    with pytest.raises(RuleBroken, match="bị trả lại"):
        do(asked, Remind("information"))


@pytest.mark.parametrize("due", [date(2026, 12, 1), date(2026, 12, 9), date(2026, 12, 19), date(2027, 6, 1), None])
def test_a_due_date_moves_to_a_later_working_day_within_reach(asked: Firm, due: date | None) -> None:
    with pytest.raises(RuleBroken):
        do(asked, ExtendDue("information", due, "Kế toán nghỉ"))
    assert request(asked).due == date(2026, 12, 9)


def test_a_due_date_that_moved_moves_the_reminders_and_nothing_else(asked: Firm) -> None:
    with asked.case() as case:
        stage_due = case.period("intake").due
    do(asked, ExtendDue("information", date(2026, 12, 18), "Kế toán nghỉ"))
    assert asked.day(date(2026, 12, 8)).sweep(date(2026, 12, 8)) == 0
    assert asked.day(date(2026, 12, 17)).sweep(date(2026, 12, 17)) == 1
    assert "18/12/2026" in str(asked.outbox.read()[-1]["subject"])
    with asked.case() as case:
        assert case.period("intake").due == stage_due


def test_while_it_is_paused_nobody_is_chased_and_the_account_manager_is_told_so(asked: Firm) -> None:
    do(asked, PauseReminders("Chủ đi vắng"))
    mails = len(asked.outbox.mails)
    day = date(2026, 12, 21)
    assert asked.day(day).sweep(day) == 0
    [digest] = asked.outbox.read()[mails:]
    body = digest.get_body(("plain",))
    assert body is not None
    assert "Đang tạm dừng nhắc khách" in body.get_content()
    do(asked, ResumeReminders(), "n2")
    following = CALENDAR.next(day)
    assert asked.day(following).sweep(following) > 0


def test_a_pause_can_be_taken_again_after_it_was_lifted(asked: Firm) -> None:
    with pytest.raises(RuleBroken, match="bình thường"):
        do(asked, ResumeReminders())
    do(asked, PauseReminders("a"), "n1")
    with pytest.raises(RuleBroken, match="đang tạm dừng rồi"):
        do(asked, PauseReminders("b"), "n2")
    do(asked, ResumeReminders(), "n3")
    assert do(asked, PauseReminders("c"), "n4")


def test_an_end_names_everything_that_stops(asked: Firm) -> None:
    with asked.case() as case:
        case.session.add(SignOff(engagement_id=case.id, gate="decision", round=1, who="", asked=case.today))
        case.session.commit()
    shown = [change.what.vi for change in plan(asked, End("withdrawn", "Khách đổi ý")).changes]
    assert shown == ["Tình trạng hồ sơ", "Thông tin lập kế hoạch kinh doanh",
                     "Họp quyết định: có nhận thực hiện dịch vụ không?"]  # fmt: skip


def test_a_decision_is_taken_anew_by_hand_until_something_followed(firm: Firm) -> None:
    firm.open().inform().decide()
    again = Reopen("decision", 1, "", "Thiếu người thực hiện")
    assert do(firm, again)
    assert not do(firm, again, "n2")
    assert len(events(firm, "reopened")) == 1
    with pytest.raises(RuleBroken):
        plan(firm, Reopen("nothing", 1, "", "x"))


# --- Facts ----------------------------------------------------------------------------------------------


def test_a_corrected_fact_stands_in_what_is_made_from_then_on_and_nowhere_before(firm: Firm) -> None:
    firm.open().inform().decide()
    with firm.case() as case:
        letter = case.office.storage.get(case.latest("information_letter").path)
    do(firm, Correct({"client.name": "Công ty TNHH Cà phê Ban Mê Mới"}, "Khách đổi tên"))
    with firm.case() as case:
        assert case.office.storage.get(case.latest("information_letter").path) == letter
        assert case.latest("intake_record").version == 2
    firm.sign("quote", "send", net_vnd=185_000_000, vat_percent=8, reserve_days=5, instalments_percent="40, 40, 20")
    firm.ask("quote")
    assert any("Ban Mê Mới" in part.get_content() for part in firm.outbox.read()[-1].walk()
               if part.get_content_type() == "text/plain")  # fmt: skip


def test_the_event_of_a_correction_names_fields_and_no_personal_data(asked: Firm) -> None:
    do(asked, Correct({"client.contact.email": "moi@banmesom.example"}, "Khách báo"))
    [facts] = events(asked, "facts_corrected")
    assert facts["fields"] == ["client.contact.email"]
    assert "moi@" not in str(facts)


def test_a_fact_that_does_not_fit_is_refused_by_the_rules_of_the_form(asked: Firm) -> None:
    with pytest.raises(RuleBroken, match="Mã số thuế"):
        plan(asked, Correct({"client.tax_code": "6001234563"}, "x"))


def test_terms_language_and_consent_are_not_corrected(asked: Firm) -> None:
    with pytest.raises(RuleBroken, match="Chưa có mục nào"):
        plan(asked, Correct({"language": "en", "consent": "", "add_ons.monitoring.visits": "9"}, "x"))


def test_a_form_that_is_sent_back_as_it_stands_changes_nothing(asked: Firm) -> None:
    with asked.case() as case:
        typed = as_entered(case.form)
    with pytest.raises(RuleBroken, match="Chưa có mục nào"):
        plan(asked, Correct(typed, "x"))


# --- Answers --------------------------------------------------------------------------------------------


def test_an_answer_by_hand_goes_through_the_inbox_and_is_acknowledged(asked: Firm) -> None:
    files = {name.partition(".")[0]: File("Ảnh chụp.pdf", data) for name, data in PAPERS.items()}
    answer = replace(TYPED, answers=ANSWERS, files=files)
    [mailing] = plan(asked, answer).mails
    assert mailing.what.vi == "Thư báo đã nhận đủ"
    do(asked, answer)
    assert asked.receive("information") == "complete"
    assert asked.outbox.read()[-1]["to"].addresses[0].addr_spec == mailing.recipient
    with asked.case() as case:
        evidence = case.session.scalars(select(Document).where(Document.key == "evidence/information")).one()
        assert case.office.storage.get(evidence.path) == PDF


def test_what_an_answer_by_hand_leaves_open_is_shown_before(asked: Firm) -> None:
    shown = plan(asked, replace(TYPED, answers={"revenue_vnd": "rất nhiều", "strategy": "Chuỗi"}))
    assert {change.what.vi: change.after.partition(":")[0] for change in shown.changes} == {
        "Định hướng chiến lược": "đã nhận", "Doanh thu năm gần nhất": "trả lại",
    }  # fmt: skip
    assert shown.mails[0].what.vi == "Thư báo còn thiếu"
    assert "vẫn mở" in shown.notes[0].vi


@pytest.mark.parametrize(("answer", "why"), [
    (replace(TYPED, answers={"strategy": "x"}, evidence=None), "bằng chứng"),
    (replace(TYPED, answers={"strategy": "x"}, evidence=File("x.exe", b"MZ" + b"\0" * 99)), "không nhận được"),
    (TYPED, "Chưa có mục nào"),
    (replace(TYPED, request="quote"), "không còn mở"),
])  # fmt: skip
def test_an_answer_by_hand_without_what_it_needs_is_refused(asked: Firm, answer: AnswerForClient, why: str) -> None:
    with pytest.raises(RuleBroken, match=why):
        plan(asked, answer)


def test_a_decision_by_hand_is_one_that_the_round_allows(firm: Firm) -> None:
    firm.open().inform().decide()
    firm.sign("quote", "send", net_vnd=185_000_000, vat_percent=8, reserve_days=5, instalments_percent="40, 40, 20")
    firm.ask("quote")
    with pytest.raises(RuleBroken, match="Xin chọn"):
        plan(firm, replace(TYPED, request="quote", reply="changes", items=("x",)))
    do(firm, replace(TYPED, request="quote", reply="accept"))
    assert firm.receive("quote") == "accept"


def test_what_was_entered_is_kept_until_it_is_confirmed_and_forgotten_then(asked: Firm) -> None:
    storage = asked.office().storage
    answer = replace(TYPED, answers={"strategy": "x"}, files={"sales_documents": File("a.pdf", PDF)}, items=["y"])
    stage(storage, asked.engagement, "n1", answer)
    assert staged(storage, asked.engagement, "n1") == answer
    unstage(storage, asked.engagement, "n1")
    with pytest.raises(RuleBroken, match="xin nhập lại"):
        staged(storage, asked.engagement, "n1")


def test_every_mail_of_an_intervention_belongs_to_the_engagement(asked: Firm) -> None:
    do(asked, Remind("information"))
    with asked.case() as case:
        newest = case.session.scalars(select(Mail).order_by(Mail.id.desc())).first()
    assert (newest.template, newest.state) == ("reminder", "sent")
    assert newest.day - case.today == timedelta(0)
