"""The bench of documents: every way makes what it is said to make."""

from __future__ import annotations

import io

import docx
import pytest

from bench import documents
from include.documents.render import template_path


def test_every_way_to_make_and_read_a_document_is_measured() -> None:
    measured = documents.measure(["refusal_letter", "timetable", "questionnaire"], rounds=1)
    assert measured["word"]["refusal_letter"].keys() == {"ours", "unchecked", "docxtpl", "mailmerge", "floor"}
    assert measured["workbooks"].keys() == {"timetable", "questionnaire"}
    assert measured["reading"]["questionnaire"].keys() == {"ours", "contained", "openpyxl"}
    taken = [seconds for kind in measured.values() for ways in kind.values() for seconds in ways.values()]
    assert min(taken) > 0


@pytest.mark.parametrize("key", ["contract", "quote"])
def test_mail_merge_fills_every_plain_field_of_the_template(key: str) -> None:
    template, values = documents._merge_template(template_path(key, "vi").read_bytes())
    made = docx.Document(io.BytesIO(documents._with_mailmerge(template, values)))
    text = "".join(made.element.body.itertext())
    assert len(values) > 20 and text.count("Công ty TNHH Cà phê Ban Mê Sớm") >= len(values) and "«" not in text
