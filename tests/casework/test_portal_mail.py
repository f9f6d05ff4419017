"""Links to the portal: in which mails they stand, and that they stand nowhere else."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import date
from email.message import EmailMessage
from typing import Any

import pytest
from sqlalchemy import inspect, text

from include import clock
from include.casework import feedback
from include.casework.new_links import answer_requests
from include.casework.outbox import send_due
from include.engagement import process
from include.mail import ledger
from include.portal_links import person_of, read_link
from include.register.models import Engagement, Mail
from include.register.session import make_engine
from tests.firm import ANSWERS, FORM, GOOD, PAPERS, QUOTE, Firm

KEYS = ("k" * 40,)
URL = "https://hoso.example/khach"
ADDRESS = FORM["client"]["contact"]["email"]
LINK = re.compile(re.escape(URL) + r"/r/([\w.-]+)")


@pytest.fixture
def linked(firm: Firm) -> Firm:
    """A firm with a portal."""
    firm.settings = replace(firm.settings, portal_url=URL, portal_keys=KEYS)
    return firm


def part(mail: EmailMessage, kind: str) -> str:
    found = mail.get_body((kind,))
    assert found is not None
    return str(found.get_content())


def links(mail: EmailMessage) -> list[str]:
    return LINK.findall(part(mail, "plain"))


def templates(firm: Firm) -> list[str]:
    with firm.office().sessions() as session:
        return [row.template for row in session.query(Mail).order_by(Mail.id)]


def by_template(firm: Firm) -> dict[str, EmailMessage]:
    return dict(zip(templates(firm), firm.outbox.read(), strict=True))


def whole_register(firm: Firm) -> str:
    """Every value of every row, as text."""
    engine = make_engine(firm.settings.register_url)
    with engine.connect() as connection:
        tables = inspect(engine).get_table_names()
        return "\n".join(str(row) for table in tables for row in connection.execute(text(f'select * from "{table}"')))


def played(firm: Firm) -> Firm:
    """An engagement up to its evaluation, with everything that a client can be asked on the way."""
    bare = {key: value for key, value in FORM["finance"].items() if key != "employees"}
    firm.open(finance=bare)
    firm.ask("intake")
    firm.put("intake", {"answers": {"employees": 34}}).receive("intake")
    firm.ask("information")
    firm.put("information", {"answers": {"strategy": "Chuỗi khách sạn"}}).receive("information")
    firm.sweep(date(2026, 12, 18))
    firm.put("information", {"answers": ANSWERS}, PAPERS).receive("information")
    firm.sign("information_review", "accept")
    firm.decide()
    firm.sign("quote", "send", **QUOTE)
    firm.ask("quote")
    firm.put("quote", {"message": "?"}).receive("quote")
    firm.put("quote", {"reply": "accept"}).receive("quote")
    firm.ask("contract")
    firm.put("contract", files={"scan.pdf": b"%PDF-1.4\n%%EOF\n"}).receive("contract")
    firm.sign("contract_check", "accept")
    firm.deliver().score(GOOD)
    firm.conclude()
    firm.hand_over()
    firm.ask("monitoring")
    with firm.case() as case:
        feedback.ask(case, 1)
    return firm


ASKING = ("intake_details", "information_request", "items_missing", "reminder", "quote", "reply_unclear", "contract",
          "handover", "monitoring_form", "evaluation")  # fmt: skip


def test_every_mail_that_asks_the_client_for_something_links_to_its_request_and_no_other_mail_does(
    linked: Firm,
) -> None:
    found: dict[str, set[str]] = {}
    played(linked)
    for template, mail in zip(templates(linked), linked.outbox.read(), strict=True):
        for token in links(mail):
            link = read_link(token, keys=KEYS)
            assert (link.engagement_id, link.person, link.version) == (linked.engagement, person_of(ADDRESS), 1)
            assert str(mail["Reply-To"]).startswith(f"hoso+{linked.engagement}.{link.request_key}@")
            assert str(mail["To"].addresses[0].addr_spec) == ADDRESS
            found.setdefault(template, set()).add(link.request_key)
    assert set(found) == set(ASKING)
    assert found["items_missing"] == {"information"}
    assert found["reply_unclear"] == {"quote"}


def test_the_link_is_nowhere_but_in_the_mail_and_its_copy(linked: Firm) -> None:
    tokens = [token for mail in played(linked).outbox.read() for token in links(mail)]
    register = whole_register(linked)
    assert linked.engagement in register
    assert not [token for token in tokens if token in register]
    assert URL not in register and KEYS[0] not in register
    storage = linked.office().storage
    stored = {entry.path: storage.get(entry.path).replace(b"=\r\n", b"") for entry in storage.list("engagements/")}
    keeping = {path.split("/")[2] for path, data in stored.items() if any(token.encode() in data for token in tokens)}
    assert keeping == {"mails"}


def test_no_log_carries_the_link(linked: Firm, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    linked.open()
    linked.ask("information")
    tokens = links(by_template(linked)["information_request"])
    assert tokens and not any(token in caplog.text for token in tokens)


def test_the_text_has_the_address_on_a_line_of_its_own_and_the_page_a_button_and_the_address(linked: Firm) -> None:
    linked.open()
    linked.ask("information")
    mail = by_template(linked)["information_request"]
    [token] = links(mail)
    assert f"{URL}/r/{token}" in part(mail, "plain").splitlines()
    assert "không cần tài khoản" in part(mail, "plain")
    page = part(mail, "html")
    assert re.search(rf'<a href="{URL}/r/{token}" style="display:inline-block;[^"]*">Trả lời trực tuyến</a>', page)
    assert f">{URL}/r/{token}</a>" in page


def test_a_client_who_reads_english_is_told_in_english(linked: Firm) -> None:
    linked.open(language="en")
    linked.ask("information")
    mail = by_template(linked)["information_request"]
    assert "You can answer here, without an account, or reply to this message." in part(mail, "plain")
    assert links(mail)


def test_without_a_portal_mails_stay_as_they_were(firm: Firm) -> None:
    firm.open()
    firm.ask("information")
    mail = by_template(firm)["information_request"]
    assert "không cần tài khoản" not in part(mail, "plain") + part(mail, "html")


def test_the_service_department_gets_no_link(linked: Firm) -> None:
    linked.open().inform().decide().contract()
    linked.ask("delivery")
    mail = by_template(linked)["assignment"]
    assert URL not in part(mail, "plain") + part(mail, "html")


# --- a new link -----------------------------------------------------------------------------------------


def wish(firm: Firm, name: str, content: bytes = b"{}") -> None:
    firm.office().storage.put(f"inbox/_portal/{name}", content, media_type="application/json")


def wished(firm: Firm) -> list[str]:
    return [entry.path for entry in firm.office().storage.list("inbox/_portal/")]


def asked(firm: Firm) -> Firm:
    firm.open()
    firm.ask("information")
    return firm


def test_who_asks_for_a_new_link_gets_it_at_the_address_on_file(linked: Firm) -> None:
    asked(linked)
    wish(linked, f"{linked.engagement}.information.json", b'{"to": "thief@evil.example"}')
    assert answer_requests(linked.office()) == 1
    mail = by_template(linked)["new_link"]
    assert [address.addr_spec for address in mail["To"].addresses] == [ADDRESS]
    assert read_link(links(mail)[0], keys=KEYS).request_key == "information"
    assert wished(linked) == []


def test_a_new_link_goes_out_once_a_day(linked: Firm) -> None:
    asked(linked)
    for day, mails in ((1, 1), (1, 1), (2, 2)):
        linked.day(date(2026, 12, day))
        wish(linked, f"{linked.engagement}.information.json")
        answer_requests(linked.office())
        assert templates(linked).count("new_link") == mails


def test_what_is_answered_gets_no_new_link(linked: Firm) -> None:
    linked.open().inform()
    wish(linked, f"{linked.engagement}.information.json")
    assert answer_requests(linked.office()) == 0
    assert "new_link" not in templates(linked)
    assert wished(linked) == []


@pytest.mark.parametrize(
    "name",
    ["KHV-2026-9999.information.json", "{id}.delivery.json", "{id}.passwords.json", "{id}.json", "x", "{id}.quote.json",
     "{id}.information.json.exe", "a" * 100 + ".information.json", "{id}/information.json"],
)  # fmt: skip
def test_a_wish_that_nobody_can_fulfil_goes_without_harm(linked: Firm, name: str) -> None:
    asked(linked)
    wish(linked, name.replace("{id}", linked.engagement))
    wish(linked, f"{linked.engagement}.information.json")
    assert answer_requests(linked.office()) == 1
    assert wished(linked) == []


def test_the_service_department_cannot_be_sent_a_clients_link(linked: Firm) -> None:
    linked.open().inform().decide().contract()
    linked.ask("delivery")
    wish(linked, f"{linked.engagement}.delivery.json")
    assert answer_requests(linked.office()) == 0


def test_a_refused_mail_is_recorded_and_holds_up_nobody_else(linked: Firm, monkeypatch: pytest.MonkeyPatch) -> None:
    from include.mail.transport import RefusedMail

    asked(linked)
    first = linked.engagement
    contact = {**FORM["client"]["contact"], "email": "a@b.example"}
    linked.open(client={**FORM["client"], "contact": contact}).ask("information")
    for engagement in (first, linked.engagement):
        wish(linked, f"{engagement}.information.json")
    send = linked.outbox.send

    def picky(sender: str, recipients: Any, data: bytes) -> None:
        if recipients == [ADDRESS]:
            raise RefusedMail("550 no such user")
        send(sender, recipients, data)

    monkeypatch.setattr(linked.outbox, "send", picky)
    assert answer_requests(linked.office()) == 2
    assert wished(linked) == []
    with linked.office().sessions() as session:
        [refused] = session.query(Mail).filter_by(state="refused")
        assert refused.engagement_id == first
    monkeypatch.undo()
    monkeypatch.setenv("ENGAGEMENT_LIBREOFFICE", "none")
    send_due(linked.office())
    send_due(linked.office())
    assert [subject for subject in linked.outbox.subjects() if "chưa gửi được" in subject and first in subject] != []
    assert sum("chưa gửi được" in subject for subject in linked.outbox.subjects()) == 1


def test_a_relay_that_is_away_keeps_the_link_for_later(linked: Firm, monkeypatch: pytest.MonkeyPatch) -> None:
    from include.mail.transport import TransientMailError

    asked(linked)
    wish(linked, f"{linked.engagement}.information.json")
    with monkeypatch.context() as patch:
        def away(*_: Any) -> None:
            raise TransientMailError("451")

        patch.setattr(linked.outbox, "send", away)
        assert answer_requests(linked.office()) == 1
    assert wished(linked) == []
    before = len(linked.outbox.mails)
    monkeypatch.setattr(ledger, "now", lambda: clock.now() + ledger.DELAYS[0])
    send_due(linked.office())
    assert len(linked.outbox.mails) == before + 1


# --- revoking -------------------------------------------------------------------------------------------


def version(firm: Firm) -> int:
    with firm.office().sessions() as session:
        return session.get_one(Engagement, firm.engagement).link_version


def test_links_end_with_an_engagement_that_the_firm_ends(linked: Firm) -> None:
    asked(linked)
    assert version(linked) == 1
    linked.put("information", {"answers": ANSWERS}, PAPERS).receive("information")
    assert linked.sign("information_review", "refuse", reason="charter_capital: không khớp") == "refuse"
    linked.refuse()
    assert version(linked) == 2
    linked.refuse()
    assert version(linked) == 2


def test_links_of_a_completed_engagement_still_show_how_it_stands(linked: Firm) -> None:
    linked.open().inform().decide().contract().deliver().score(GOOD)
    linked.conclude()
    linked.hand_over()
    assert version(linked) == 1


def test_every_outcome_is_one_or_the_other() -> None:
    from include.casework.office import FIRM_ENDED

    assert set(FIRM_ENDED) < set(process.OUTCOMES)
