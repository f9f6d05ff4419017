"""Receiving: a drop of any size is taken in by parts, nothing is lost, and the client hears of it once."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import select

from include.casework import receiving
from include.engagement.items import FILE_PROBLEMS
from include.register.models import Document, RequestItem
from tests.firm import ANSWERS, PAPERS, PDF, Firm


def said(firm: Firm) -> str:
    body = firm.outbox.read()[-1].get_body(("plain",))
    assert body is not None
    return " ".join(body.get_content().split())


def received(firm: Firm) -> list[Document]:
    with firm.office().sessions() as session:
        rows = select(Document).where(Document.occasion.startswith("received/")).order_by(Document.id)
        return list(session.scalars(rows))


def drop(firm: Firm, count: int) -> None:
    storage = firm.office().storage
    for number in range(count):
        storage.put(f"inbox/{firm.engagement}/information/anh-{number:03}.pdf", PDF + str(number).encode(),
                    media_type="application/pdf")  # fmt: skip


def until_empty(firm: Firm) -> tuple[int, str | None]:
    """Take in as often as the trigger would wake the task."""
    for times in range(1, 30):
        outcome = firm.receive("information")
        if not firm.office().storage.list("inbox/"):
            return times, outcome
    raise AssertionError("the inbox never empties")


def test_one_taking_in_is_bounded_and_the_rest_is_the_next_ones(firm: Firm, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(receiving, "BATCH_FILES", 3)
    firm.open().ask("information")
    drop(firm, 7)
    firm.receive("information")
    assert len(received(firm)) == 3 and len(firm.office().storage.list("inbox/")) == 4
    assert until_empty(firm)[0] == 2
    assert len(received(firm)) == 7


def test_the_bytes_of_one_taking_in_are_bounded_too(firm: Firm, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(receiving, "BATCH_BYTES", 1)
    firm.open().ask("information")
    drop(firm, 2)
    firm.receive("information")
    assert len(received(firm)) == 1


def test_a_reply_with_more_files_than_one_part_completes_the_request_and_is_answered_once(
    firm: Firm, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(receiving, "BATCH_FILES", 2)
    firm.open().ask("information")
    mails = len(firm.outbox.mails)
    files = {"scan-1.pdf": PDF + b"1", "scan-2.pdf": PDF + b"2", "scan-3.pdf": PDF + b"3", "them.pdf": PDF + b"4"}
    assigned = dict(zip((name.removesuffix(".pdf") for name in PAPERS), files, strict=False))
    firm.put("information", {"answers": ANSWERS, "files": assigned}, files)
    times, outcome = until_empty(firm)
    assert (times, outcome) == (3, "complete")
    assert len(firm.outbox.mails) == mails + 1
    with firm.office().sessions() as session:
        rows = {row.key: row for row in session.scalars(select(RequestItem)) if row.key in assigned}
    assert all(row.state == "received" and row.document_id for row in rows.values()) and len(rows) == 3


def test_beyond_what_a_request_may_bring_files_are_set_aside_and_the_client_is_told(
    firm: Firm, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(receiving, "REQUEST_FILES", 2)
    firm.open().ask("information")
    drop(firm, 15)
    until_empty(firm)
    kept = received(firm)
    assert [row.key.partition("/")[0] for row in kept] == ["received"] * 2 + ["quarantined"] * 13
    storage = firm.office().storage
    assert [storage.get(row.path) for row in kept] == [PDF + str(number).encode() for number in range(15)]
    assert FILE_PROBLEMS["too_many_files"].vi in said(firm) and "và 3 tệp khác" in said(firm)


def test_a_file_refused_unread_is_moved_only_after_it_is_registered(
    firm: Firm, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ENGAGEMENT_MAX_FILE_BYTES", "10")
    firm.open().ask("information")
    drop(firm, 1)

    def killed(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(receiving, "_settle", killed)
        with pytest.raises(KeyboardInterrupt):
            firm.receive("information")
    assert not received(firm) and len(firm.office().storage.list("inbox/")) == 1
    firm.receive("information")
    (row,) = received(firm)
    assert firm.office().storage.get(row.path) == PDF + b"0"


def test_a_file_that_answers_nothing_and_is_refused_is_told_of_by_name(firm: Firm) -> None:
    firm.open().ask("information")
    firm.put("information", {"answers": {"strategy": "Xuất khẩu"}}, {"nghi-ngo.pdf": b"MZ\x90\x00" + b"\0" * 99})
    firm.receive("information")
    assert f"nghi-ngo.pdf – {FILE_PROBLEMS['program'].vi}" in said(firm)


def test_a_second_upload_is_a_new_version_and_the_old_one_is_kept(firm: Firm) -> None:
    firm.open().ask("information")
    for version in (b"mot", b"hai"):
        firm.put("information", {}, {"business_registration.pdf": PDF + version}).receive("information")
    rows = [row for row in received(firm) if row.key == "received/business_registration"]
    assert [row.version for row in rows] == [1, 2]
    assert [firm.office().storage.get(row.path) for row in rows] == [PDF + b"mot", PDF + b"hai"]
    with firm.office().sessions() as session:
        item = session.scalars(select(RequestItem).where(RequestItem.key == "business_registration")).one()
    assert item.document_id == rows[1].id


def test_what_comes_after_the_answer_is_kept_and_changes_nothing(firm: Firm) -> None:
    firm.open().ask("information")
    firm.put("information", {"answers": ANSWERS}, PAPERS)
    assert firm.receive("information") == "complete"
    mails = len(firm.outbox.mails)
    firm.put("information", {"answers": {"strategy": "khác"}}, {"business_registration.pdf": PDF + b"moi"})
    assert firm.receive("information") == "complete"
    assert firm.office().storage.list("inbox/") == [] and len(firm.outbox.mails) == mails
    assert [row.version for row in received(firm) if row.key == "received/business_registration"] == [1, 2]
    with firm.office().sessions() as session:
        strategy = session.scalars(select(RequestItem).where(RequestItem.key == "strategy")).one()
    assert strategy.value is not None and strategy.value["value"] == ANSWERS["strategy"]


def test_long_names_of_answers_that_begin_alike_stop_nothing(firm: Firm) -> None:
    firm.open().ask("information")
    for _ in range(2):
        extra = {"x" * 100 + str(number): f"{number}" for number in range(3)}
        firm.put("information", {"answers": {**extra, "strategy": f"lần {_}"}}).receive("information")
    assert firm.office().storage.list("inbox/") == []
