"""What LibreOffice does at run time, and what it must not."""

from __future__ import annotations

import io
import os
import shutil
import stat
import subprocess
import threading
from pathlib import Path

import pytest
from openpyxl import Workbook

from include.documents.libreoffice import ConversionFailed, LibreOffice, find_libreoffice
from include.documents.render import render
from include.documents.sample import sample_facts

needs_libreoffice = pytest.mark.skipif(
    find_libreoffice() is None, reason="LibreOffice (soffice) is not installed: no PDF has been made"
)


def stand_in(folder: Path, script: str) -> LibreOffice:
    program = folder / "soffice"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    return LibreOffice(str(program), timeout_seconds=1)


@needs_libreoffice
@pytest.mark.skipif(shutil.which("pdftotext") is None, reason="pdftotext (poppler-utils) is not installed")
def test_a_pdf_says_what_its_document_says(tmp_path: Path) -> None:
    office = find_libreoffice()
    assert office is not None
    facts = sample_facts("vi")
    pdf = office.pdf(render("contract", language="vi", facts=facts).data, extension="docx")
    (tmp_path / "contract.pdf").write_bytes(pdf)
    text = subprocess.run(["pdftotext", tmp_path / "contract.pdf", "-"], capture_output=True, check=True, timeout=60)
    assert facts["client"]["name"].upper() in " ".join(text.stdout.decode().upper().split())


@needs_libreoffice
@pytest.mark.skipif(shutil.which("pdffonts") is None, reason="pdffonts (poppler-utils) is not installed")
def test_a_pdf_brings_its_fonts(tmp_path: Path) -> None:
    office = find_libreoffice()
    assert office is not None
    (tmp_path / "quote.pdf").write_bytes(
        office.pdf(render("quote", language="vi", facts=sample_facts("vi")).data, extension="docx")
    )
    listed = subprocess.run(["pdffonts", tmp_path / "quote.pdf"], capture_output=True, check=True, timeout=60)
    fonts = [line.split() for line in listed.stdout.decode().splitlines()[2:]]
    assert fonts
    assert all(font[-5] == "yes" for font in fonts)  # column "emb"


@needs_libreoffice
def test_conversions_run_side_by_side() -> None:
    office = find_libreoffice()
    assert office is not None
    document = render("intake_record", language="vi", facts=sample_facts("vi")).data
    made: list[bytes] = []
    threads = [
        threading.Thread(target=lambda: made.append(office.pdf(document, extension="docx"))) for _ in range(3)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [pdf[:5] for pdf in made] == [b"%PDF-"] * 3


@needs_libreoffice
def test_nothing_is_fetched_from_elsewhere_when_a_workbook_is_computed() -> None:
    office = find_libreoffice()
    assert office is not None
    book = Workbook()
    book.active["A1"] = '=WEBSERVICE("file:///etc/hostname")'
    data = io.BytesIO()
    book.save(data)
    assert Path("/etc/hostname").read_text().strip().encode() not in office.recalculated(data.getvalue())


def test_what_hangs_is_ended_with_all_it_started(tmp_path: Path) -> None:
    with pytest.raises(ConversionFailed, match="longer than 1 s"):
        stand_in(tmp_path, f"sleep 600 & echo $! > {tmp_path}/child; wait").pdf(b"x", extension="docx")
    child = int((tmp_path / "child").read_text())
    state = Path(f"/proc/{child}/stat")
    assert not state.exists() or state.read_text().rpartition(")")[2].split()[0] in ("Z", "X")


def test_no_result_is_an_error_that_says_what_was_said(tmp_path: Path) -> None:
    with pytest.raises(ConversionFailed, match="source file could not be loaded"):
        stand_in(tmp_path, "echo source file could not be loaded").pdf(b"x", extension="docx")


def test_a_program_that_is_not_there_is_an_error_of_the_same_kind(tmp_path: Path) -> None:
    with pytest.raises(ConversionFailed, match="could not be started"):
        LibreOffice(str(tmp_path / "soffice")).pdf(b"x", extension="docx")


def test_secrets_of_the_environment_do_not_reach_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ENGAGEMENT_REGISTER_URL", "postgresql://secret")
    with pytest.raises(ConversionFailed) as raised:
        stand_in(tmp_path, "env").pdf(b"x", extension="docx")
    assert "PATH=" in str(raised.value)
    assert "secret" not in str(raised.value)


def test_an_installation_may_go_without(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ENGAGEMENT_LIBREOFFICE", "none")
    assert find_libreoffice() is None


def test_an_installation_may_name_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stand_in(tmp_path, "true")
    monkeypatch.setenv("ENGAGEMENT_LIBREOFFICE", str(tmp_path / "soffice"))
    found = find_libreoffice()
    assert found is not None and os.path.samefile(found.executable, tmp_path / "soffice")
