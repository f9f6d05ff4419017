"""What the rows of the procedure promise is done somewhere: no document unmade, no mail unsent, nothing beside them."""

from __future__ import annotations

import ast
from collections.abc import Iterator

import pytest

from include.engagement import process
from include.settings import ROOT


def texts() -> set[str]:
    """Every text constant of the modules that act on engagements."""
    found = set()
    for room in ("include/casework", "operators"):
        for path in (ROOT / room).glob("*.py"):
            tree = ast.parse(path.read_text(encoding="utf-8"))
            found |= {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant)
                      and isinstance(node.value, str)}  # fmt: skip
    return found


TEXTS = texts()


def carried() -> Iterator[str]:
    for mail in process.MAILS.values():
        yield from mail.attachments


@pytest.mark.parametrize("key", process.DOCUMENTS)
def test_every_document_is_made_somewhere(key: str) -> None:
    assert key in TEXTS


@pytest.mark.parametrize("key", process.MAILS)
def test_every_mail_is_sent_somewhere(key: str) -> None:
    assert key in TEXTS


def test_mails_carry_documents_that_exist_and_every_document_for_clients_reaches_them() -> None:
    assert set(carried()) <= process.DOCUMENTS.keys()
    to_clients = {key for mail in process.MAILS.values() if mail.to == "client" for key in mail.attachments}
    assert {key for key, row in process.DOCUMENTS.items() if row.audience == "client"} <= to_clients
