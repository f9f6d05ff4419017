"""What is kept about a person is found, handed out, and erased on request; what the law has the firm keep stays."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterator
from datetime import date
from email.message import EmailMessage
from pathlib import Path

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import SQLAlchemyError

from include.casework.ending import end
from include.casework.personal_data import Holdings, erase, export, find
from include.casework.verification import deviations
from include.clock import now
from include.engagement.errors import RuleBroken
from include.personal_data import main
from include.register.models import (
    Base,
    Document,
    Draft,
    ErasedFile,
    Erasure,
    Event,
    IncomingMail,
    IntakeSheet,
    Mail,
    ScheduledRun,
    UndeliverableAddress,
)
from tests.firm import FORM, Firm, facts_of

ADDRESS = "ketoan@banmesom.example"
NAME, PHONE = "Trần Đức Hữu", "0903456789"
TRACES = (ADDRESS, NAME, PHONE)
ASKED = date(2026, 12, 1)


@pytest.fixture
def ended(firm: Firm) -> Firm:
    """An engagement with a signed contract, ended; the person also wrote mail, and stands in a draft and a sheet."""
    firm.open().inform().decide().contract()
    end(firm.office(), firm.engagement, by="Thu Hà", reason="khách rút hồ sơ")
    incoming(firm, ADDRESS, firm.engagement)
    with firm.office().sessions.begin() as session:
        session.add(Draft(nonce="draft", entries={"client.contact.email": ADDRESS, "client.name": "Sớm"}, saved_by="a"))
        session.add(IntakeSheet(sha256="s", name="s.xlsx", read_by="a", rows=[
            [2, {"client.contact.email": ADDRESS.upper(), "client.contact.name": NAME}], [3, {"client.name": "Khác"}],
        ]))  # fmt: skip
    firm.office().storage.put(f"portal/receipts/{firm.engagement}/n.json", b"{}", media_type="application/json")
    return firm


def incoming(firm: Firm, sender: str, engagement: str | None, *, path: str = "mailbox/2026/a.eml") -> None:
    mail = EmailMessage()
    mail["From"], mail["Subject"] = f"{NAME} <{sender}>", "Hồ sơ"
    mail.set_content("Xin chào\n")
    firm.office().storage.put(path, mail.as_bytes(), media_type="message/rfc822")
    with firm.office().sessions.begin() as session:
        row = IncomingMail(mailbox="m", uidvalidity=1, uid=len(path), content=path, path=path, size=1, day=ASKED,
                           state="filed", reason=f"thư của {sender}", engagement_id=engagement)  # fmt: skip
        session.add(row)
        session.flush()
        if engagement:
            session.add(UndeliverableAddress(address=sender, since=ASKED, diagnostic="550", incoming_id=row.id))


def holdings(firm: Firm, address: str = ADDRESS) -> Holdings:
    with firm.office().sessions() as session:
        return find(firm.office(), session, address)


def erased(firm: Firm, **given: object) -> Erasure:
    found = holdings(firm)
    _, record = erase(firm.office(), ADDRESS, by="Thu Hà", reason="khách yêu cầu", asked=ASKED,
                      confirmed=found.digest, **given)  # type: ignore[arg-type]  # fmt: skip
    assert record is not None
    return record


def everything(firm: Firm) -> Iterator[tuple[str, str]]:
    """Every row of the register as text, with its table."""
    with firm.office().sessions() as session:
        for table in Base.metadata.sorted_tables:
            for row in session.execute(select(table)):
                yield table.name, json.dumps(tuple(row), default=str, ensure_ascii=False)


def naming(firm: Firm) -> list[str]:
    return [table for table, row in everything(firm) if any(trace.casefold() in row.casefold() for trace in TRACES)]


def test_before_an_erasure_the_person_stands_in_many_tables(ended: Firm) -> None:
    tables = {"engagement", "mail", "draft", "intake_sheet", "incoming_mail", "undeliverable_address"}
    assert tables <= set(naming(ended))


def test_after_an_erasure_no_table_names_the_person(ended: Firm) -> None:
    erased(ended)
    assert naming(ended) == []


def test_no_stored_file_names_the_person_but_what_is_kept(ended: Firm) -> None:
    erased(ended)
    storage = ended.office().storage
    kept = {document.path for document in holdings(ended).kept}
    with ended.office().sessions() as session:
        known = set(session.scalars(select(Document.path)))
    assert [each.path for each in storage.list("mailbox")] == []
    assert [each.path for each in storage.list("portal")] == []
    assert [each.path for each in storage.list(f"engagements/{ended.engagement}/received/information")] == []
    left = {each.path for each in storage.list("engagements") if each.path.split("/")[2] not in ("facts", "mails")}
    assert left - kept <= known


def test_the_pseudonym_is_the_same_wherever_the_person_stood(ended: Firm) -> None:
    record = erased(ended)
    with ended.case() as case:
        contact = case.form["client"]["contact"]
    assert contact == {"name": record.pseudonym, "phone": record.pseudonym,
                       "email": f"{record.pseudonym.lower()}@erased.invalid"}  # fmt: skip


def test_the_company_and_its_representative_stay(ended: Firm) -> None:
    erased(ended)
    with ended.case() as case:
        client = case.form["client"]
    assert (client["name"], client["representative"]) == (FORM["client"]["name"], FORM["client"]["representative"])


def test_another_name_of_the_person_goes_when_it_is_told(ended: Firm) -> None:
    other = FORM["client"]["representative"]["name"]
    office = ended.office()
    with office.sessions() as session:
        digest = find(office, session, ADDRESS, also=[other]).digest
    erase(office, ADDRESS, also=[other], by="a", reason="b", asked=ASKED, confirmed=digest)
    with ended.case() as case:
        assert other not in json.dumps(case.form, ensure_ascii=False)


def test_the_signed_contract_and_what_was_sent_stay_byte_for_byte(ended: Firm) -> None:
    before = {document.path: document.sha256 for document in holdings(ended).kept}
    erased(ended)
    storage = ended.office().storage
    assert {path: storage.sha256(path) for path in before} == before
    assert any("contract" in path for path in before)
    assert any("signed" in path or "scan" in path for path in before)


def test_what_is_kept_is_named_with_its_day_and_its_reason(ended: Firm) -> None:
    kept = erased(ended).kept
    assert {entry["until"] for entry in kept} == {"2036-12-01"}
    assert all("88/2015/QH13" in entry["why"] for entry in kept)


def test_of_each_file_the_hash_stays(ended: Firm) -> None:
    office = ended.office()
    with office.sessions() as session:
        [paper] = session.scalars(select(Document).where(Document.key == "received/financial_statements"))
        [mail, *_] = session.scalars(select(Mail).where(Mail.recipient == ADDRESS).order_by(Mail.id))
    sent = office.storage.sha256(str(mail.path))
    erased(ended)
    with office.sessions() as session:
        assert session.get_one(ErasedFile, f"erased/document/{paper.id}").sha256 == paper.sha256
        assert session.get_one(ErasedFile, f"erased/mail/{mail.id}").sha256 == sent


def test_verification_finds_nothing_amiss_afterwards(ended: Firm) -> None:
    erased(ended)
    office = ended.office()
    with office.sessions() as session:
        assert list(deviations(session, office.storage)) == []


def test_the_record_of_it_holds_nothing_of_the_person(ended: Firm) -> None:
    found = holdings(ended)
    _, record = erase(ended.office(), ADDRESS, by="Thu Hà", reason=f"thư của {NAME}, {ADDRESS}", asked=ASKED,
                      confirmed=found.digest)  # fmt: skip
    assert record is not None
    assert record.finished_at is not None
    assert not any(trace in record.reason for trace in TRACES)
    with ended.case() as case:
        [facts] = facts_of(case, "personal_data_erased")
    assert facts["erasure"] == record.id


def test_done_again_there_is_nothing_left_to_erase(ended: Firm) -> None:
    erased(ended)
    assert holdings(ended).nothing


def test_other_people_stay(ended: Firm) -> None:
    incoming(ended, "nguoikhac@d.example", None, path="mailbox/2026/other.eml")
    with ended.office().sessions.begin() as session:
        session.execute(text("update incoming_mail set reason = 'x' where engagement_id is null"))
    ended.office().storage.put("mailbox/2026/other.eml", b"From: nguoikhac@d.example\r\n\r\nx", media_type="x/x")
    erased(ended)
    assert ended.office().storage.exists("mailbox/2026/other.eml")
    with ended.office().sessions() as session:
        [sheet] = session.scalars(select(IntakeSheet))
    assert sheet.rows[1] == [3, {"client.name": "Khác"}]


def test_a_name_within_another_word_is_not_the_person(ended: Firm) -> None:
    found = holdings(ended)
    assert found.person.erased_from(f"x{ADDRESS}") == f"x{ADDRESS}"
    assert found.person.erased_from(f"{NAME}g") == f"{NAME}g"


# --- refusals and confirmation ---


def test_while_the_engagement_is_open_nothing_is_erased(firm: Firm) -> None:
    firm.open()
    with pytest.raises(RuleBroken, match="chưa kết thúc"):
        erased(firm)


def test_while_something_is_planned_nothing_is_erased(ended: Firm) -> None:
    with ended.office().sessions.begin() as session:
        session.add(ScheduledRun(engagement_id=ended.engagement, dag_id="feedback", run_id="x", number=1,
                                 run_after=now(), status="planned"))  # fmt: skip
    with pytest.raises(RuleBroken, match="chưa kết thúc"):
        erased(ended)


@pytest.mark.parametrize("confirmed", [None, "0123456789ab"])
def test_without_the_right_confirmation_nothing_is_erased(ended: Firm, confirmed: str | None) -> None:
    before = list(everything(ended))
    found, record = erase(ended.office(), ADDRESS, by="a", reason="b", asked=ASKED, confirmed=confirmed)
    assert record is None
    assert not found.nothing
    assert list(everything(ended)) == before


def test_what_changed_since_it_was_shown_is_shown_again(ended: Firm) -> None:
    digest = holdings(ended).digest
    with ended.office().sessions.begin() as session:
        session.add(Draft(nonce="new", entries={"client.contact.email": ADDRESS}, saved_by="a"))
    _, record = erase(ended.office(), ADDRESS, by="a", reason="b", asked=ASKED, confirmed=digest)
    assert record is None


def test_nothing_is_erased_without_a_reason(ended: Firm) -> None:
    with pytest.raises(RuleBroken, match="lý do"):
        erase(ended.office(), ADDRESS, by="a", reason=" ", asked=ASKED, confirmed="x")


@pytest.mark.parametrize("address", ["", "khách", "hoso@kehoachviet.example", "HOSO@kehoachviet.example"])
def test_what_is_no_clients_address_is_refused(ended: Firm, address: str) -> None:
    with pytest.raises(RuleBroken):
        holdings(ended, address)


# --- killed ---


class Killed(BaseException):
    pass


@pytest.mark.parametrize(("after", "moment"), [(0, "before"), (1, "after"), (7, "before"), (10, "after")])
def test_killed_anywhere_the_next_try_does_the_rest(
    ended: Firm, monkeypatch: pytest.MonkeyPatch, after: int, moment: str
) -> None:
    hashes = {document.path: document.sha256 for document in holdings(ended).kept}
    storage_class = type(ended.office().storage)
    delete, count = storage_class.delete, 0

    def die(self: object, path: str) -> None:
        nonlocal count
        count += 1
        if count > after and moment == "before":
            raise Killed
        delete(self, path)  # type: ignore[arg-type]
        if count > after:
            raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(storage_class, "delete", die)
        with pytest.raises(Killed):
            erased(ended)
    erased(ended)
    assert naming(ended) == []
    office = ended.office()
    with office.sessions() as session:
        assert list(deviations(session, office.storage)) == []
        assert len(session.scalars(select(Erasure)).all()) == 1
    assert {path: office.storage.sha256(path) for path in hashes} == hashes


# --- events stay ---


OTHER_CHANGES = ("update event set kind = 'x'", "update event set day = day + 1", "delete from event")


@pytest.mark.parametrize("change", [*OTHER_CHANGES, "update event set facts = '{}'"])
def test_events_still_refuse_every_other_change(firm: Firm, change: str) -> None:
    with firm.open().office().sessions() as session, pytest.raises(SQLAlchemyError, match="never changed"):
        session.execute(text(change))


@pytest.mark.parametrize("change", OTHER_CHANGES)
def test_an_erasure_may_change_an_events_words_only(firm: Firm, change: str) -> None:
    with firm.open().office().sessions() as session, pytest.raises(SQLAlchemyError, match="never changed"):
        session.execute(text("select set_config('register.erasure', 'on', true)"))
        session.execute(text(change))


def test_an_erasure_keeps_what_happened_when_and_in_which_order(ended: Firm) -> None:
    def told() -> list[tuple[object, ...]]:
        with ended.office().sessions() as session:
            rows = session.scalars(select(Event).order_by(Event.id))
            return [(row.id, row.kind, row.day, row.at) for row in rows if row.kind != "personal_data_erased"]

    before = told()
    erased(ended)
    assert told() == before


# --- export ---


@pytest.fixture
def exported(ended: Firm, tmp_path: Path) -> zipfile.ZipFile:
    office = ended.office()
    with office.sessions() as session:
        export(office, session, find(office, session, ADDRESS), tmp_path / "person.zip")
    return zipfile.ZipFile(tmp_path / "person.zip")


def test_an_export_holds_every_row_that_names_the_person(ended: Firm, exported: zipfile.ZipFile) -> None:
    rows = json.loads(exported.read("data.json"))["rows"]
    assert {row["table"] for row in rows} == set(naming(ended))


def test_an_export_holds_the_files_with_their_hashes(ended: Firm, exported: zipfile.ZipFile) -> None:
    import hashlib

    files = json.loads(exported.read("data.json"))["files"]
    assert {each["path"] for each in files} == set(exported.namelist()) - {"data.json"}
    assert all(hashlib.sha256(exported.read(each["path"])).hexdigest() == each["sha256"] for each in files)
    assert {"files/" + document.path for document in holdings(ended).kept} <= {each["path"] for each in files}


def test_that_it_was_handed_out_is_written_down_without_a_name(ended: Firm, exported: zipfile.ZipFile) -> None:
    with ended.case() as case:
        [facts] = facts_of(case, "personal_data_exported")
    assert not any(trace in json.dumps(facts) for trace in TRACES)


# --- the command ---


@pytest.fixture
def installation(ended: Firm, monkeypatch: pytest.MonkeyPatch) -> Firm:
    monkeypatch.setenv("ENGAGEMENT_REGISTER_URL", ended.settings.register_url)
    monkeypatch.setenv("ENGAGEMENT_STORAGE_URL", ended.settings.storage_url)
    return ended


def test_the_command_shows_its_plan_and_then_does_it(installation: Firm, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["erase", ADDRESS, "--reason", "khách yêu cầu"]
    assert main(command) == 3
    confirm = capsys.readouterr().out.rpartition("--confirm ")[2].strip()
    assert main([*command, "--confirm", confirm]) == 0
    assert naming(installation) == []
    assert main(command) == 0
    assert "Không có gì để xoá" in capsys.readouterr().out


def test_the_command_exports(installation: Firm, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    target = tmp_path / "person.zip"
    assert main(["export", ADDRESS, "--to", str(target)]) == 0
    assert target.exists()
    assert main(["export", ADDRESS, "--to", str(target)]) == 1, "nothing is written over"
