"""What is not in storage as it was registered is found, file by file."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from include.casework.verification import Deviation, deviations
from include.register.models import Document, Mail
from tests.firm import Firm


def found(firm: Firm) -> list[Deviation]:
    office = firm.office()
    with office.sessions() as session:
        return list(deviations(session, office.storage))


def path_of(firm: Firm, key: str) -> str:
    with firm.case() as case:
        document = case.latest(key)
        assert document is not None
        return str(document.path)


def test_an_engagement_as_it_was_left_shows_nothing(firm: Firm) -> None:
    firm.open().inform()
    assert found(firm) == []


@pytest.mark.parametrize("direction", ["made", "received"])
def test_a_file_that_somebody_changed_is_found(firm: Firm, direction: str) -> None:
    firm.open().inform()
    with firm.office().sessions() as session:
        path = session.scalars(select(Document.path).where(Document.direction == direction)).first()
    assert path is not None
    firm.office().storage.put(path, b"another", media_type="text/plain")
    assert found(firm) == [Deviation(path, "changed")]


def test_a_document_that_is_gone_is_found(firm: Firm) -> None:
    firm.open()
    path = path_of(firm, "intake_record")
    firm.office().storage.delete(path)
    assert found(firm) == [Deviation(path, "gone")]


def test_a_mail_that_is_gone_is_found(firm: Firm) -> None:
    firm.open()
    with firm.office().sessions() as session:
        path = session.scalars(select(Mail.path)).first()
    assert path is not None
    firm.office().storage.delete(path)
    assert found(firm) == [Deviation(path, "gone")]


def test_a_file_that_nobody_registered_is_found(firm: Firm) -> None:
    firm.open()
    stray = f"engagements/{firm.engagement}/contract/contract-v9.docx"
    firm.office().storage.put(stray, b"?", media_type="text/plain")
    assert found(firm) == [Deviation(stray, "unknown")]
