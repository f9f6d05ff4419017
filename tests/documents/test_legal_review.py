"""The lawyer's list speaks of clauses that are there."""

from __future__ import annotations

import io
import re

import docx
import pytest

from include.documents.render import template_path
from include.engagement import process
from include.settings import ROOT

REVIEW = (ROOT / "docs" / "legal-review.md").read_text(encoding="utf-8")
CLAUSES = re.findall(r"^\| (\d+\.\d+) \| [^|]+ \| ([^|]+) \|", REVIEW, re.M)


def clauses(language: str) -> dict[str, str]:
    """The contract's clauses by their numbers, which Word counts: headings are articles, clauses count below them."""
    document = docx.Document(io.BytesIO(template_path("contract", language).read_bytes()))  # type: ignore[arg-type]
    article = clause = 0
    found: dict[str, str] = {}
    for paragraph in document.paragraphs:
        style = paragraph.style.style_id if paragraph.style is not None else ""
        if style == "Heading1":
            article, clause = article + 1, 0
        elif style == "Clause":
            clause += 1
            found[f"{article}.{clause}"] = paragraph.text.replace("\u00a0", " ")
    return found


@pytest.mark.parametrize(("number", "wording"), CLAUSES)
def test_a_listed_clause_says_what_is_quoted(number: str, wording: str) -> None:
    assert wording.strip() in clauses("vi")[number]


def test_the_english_contract_has_the_same_clauses_and_one_about_languages() -> None:
    assert clauses("en").keys() - clauses("vi").keys() == {"13.4"}
    assert clauses("vi").keys() < clauses("en").keys()
    assert "Vietnamese" in clauses("en")["13.4"]


def test_the_other_documents_of_the_list_exist() -> None:
    assert set(re.findall(r"^\| `(\w+)` \|", REVIEW, re.M)) <= set(process.DOCUMENTS)
