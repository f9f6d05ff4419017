"""Hostile files on their way in: kept apart, told of, and in nobody's way."""

from __future__ import annotations

import unicodedata
from pathlib import Path

import pytest
from sqlalchemy import select

from include.engagement.items import FILE_PROBLEMS
from include.register.models import Document, Event, RequestItem
from include.screening.content import EICAR
from tests.firm import ANSWERS, PAPERS, PDF, Firm


def quarantined(firm: Firm) -> list[Event]:
    with firm.office().sessions() as session:
        return list(session.scalars(select(Event).where(Event.kind == "quarantined").order_by(Event.id)))


def test_two_hostile_files_do_not_keep_the_good_ones_of_the_same_arrival(firm: Firm) -> None:
    firm.open().ask("information")
    hostile = {"business_registration.pdf": b"MZ\x90\x00" + b"\0" * 99, "sales_documents.pdf": EICAR}
    firm.put("information", {"answers": ANSWERS}, {**PAPERS, **hostile})
    assert firm.receive("information") is None
    with firm.office().sessions() as session:
        states = {row.key: row.state for row in session.scalars(select(RequestItem)) if row.key + ".pdf" in PAPERS}
    assert {key for key, state in states.items() if state == "returned"} == {"business_registration", "sales_documents"}
    assert {state for key, state in states.items() if f"{key}.pdf" not in hostile} == {"received"}
    assert {event.facts["code"] for event in quarantined(firm)} == {"program", "virus"}


def test_the_client_is_told_in_plain_words_and_nothing_of_how_it_was_found(firm: Firm) -> None:
    firm.open().ask("information")
    firm.put("information", {"answers": ANSWERS}, {**PAPERS, "business_registration.pdf": EICAR})
    firm.receive("information")
    body = firm.outbox.read()[-1].get_body(("plain",))
    assert body is not None
    text = " ".join(body.get_content().split())
    assert FILE_PROBLEMS["virus"].vi in text
    assert "EICAR" not in text and "quarantine" not in text


def test_what_is_in_quarantine_is_kept_as_bytes_that_nothing_opens(firm: Firm) -> None:
    firm.open().ask("information")
    firm.put("information", {}, {"business_registration.pdf": b"<html><script>x</script>"}).receive("information")
    with firm.office().sessions() as session:
        kept = session.scalars(select(Document).where(Document.key.startswith("quarantined/"))).one()
    assert "/quarantine/" in kept.path and kept.media_type == "application/octet-stream"
    assert firm.office().storage.get(kept.path) == b"<html><script>x</script>"


def test_a_file_beyond_the_limit_is_quarantined_without_being_read(
    firm: Firm, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ENGAGEMENT_MAX_FILE_BYTES", "1000")
    firm.open().ask("information")
    firm.put("information", {}, {"business_registration.pdf": PDF + b" " * 2_000}).receive("information")
    assert [event.facts["code"] for event in quarantined(firm)] == ["too_large"]


@pytest.mark.parametrize(
    "name", ["a" * 240 + ".pdf", "business_registration\u202efdp.exe", "nul.pdf", "xin\tchào.pdf", "sub/x.pdf"]
)
def test_no_name_keeps_an_arrival_from_being_received(firm: Firm, name: str) -> None:
    firm.open().ask("information")
    root = firm.settings.storage_url.removeprefix("file://")
    target = Path(root, "inbox", firm.engagement, "information", name)
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(PDF)
    firm.receive("information")
    assert firm.office().storage.list("inbox/") == []
    with firm.office().sessions() as session:
        assert len(session.scalars(select(Document).where(Document.direction == "received")).all()) == 1


def test_names_that_look_alike_are_two_files(firm: Firm) -> None:
    firm.open().ask("information")
    folder = Path(firm.settings.storage_url.removeprefix("file://"), "inbox", firm.engagement, "information")
    folder.mkdir(parents=True, exist_ok=True)
    for name in (unicodedata.normalize("NFC", "đề án.pdf"), unicodedata.normalize("NFD", "đề án.pdf")):
        (folder / name).write_bytes(PDF)
    firm.receive("information")
    with firm.office().sessions() as session:
        assert len(session.scalars(select(Document.path).where(Document.direction == "received")).all()) == 2
