"""Automatic attachments open with the programs that people have."""

from __future__ import annotations

import io
import re

import pytest
from docx import Document
from openpyxl import load_workbook

from rehearsal.attachments import make_file


def test_the_word_file_opens_and_holds_its_title() -> None:
    document = Document(io.BytesIO(make_file("docx", title="Kế hoạch “Đất & Nước”")))

    assert document.paragraphs[0].text == "Kế hoạch “Đất & Nước”"


def test_the_workbook_opens_and_holds_its_title() -> None:
    sheet = load_workbook(io.BytesIO(make_file("xlsx", title="Báo cáo"))).active

    assert sheet is not None
    assert sheet["A1"].value == "Báo cáo"


def test_the_pdf_s_table_points_at_its_objects() -> None:
    content = make_file("pdf", title="Giấy phép (bản sao)")

    start = int(content.rsplit(b"startxref\n", 1)[1].split(b"\n")[0])
    assert content[start:].startswith(b"xref\n")
    offsets = [int(offset) for offset in re.findall(rb"(\d{10}) 00000 n", content)]
    assert [content[offset:].split(b" ", 1)[0] for offset in offsets] == [str(n + 1).encode() for n in range(6)]
    assert rb"(Giay phep \(ban sao\))" in content


def test_two_files_of_different_occasions_differ() -> None:
    assert make_file("pdf", title="a") != make_file("pdf", title="b")


def test_an_unknown_kind_is_an_error() -> None:
    with pytest.raises(ValueError, match="exe"):
        make_file("exe", title="x")
