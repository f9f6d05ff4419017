"""What people who edit templates see."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from include.documents.libreoffice import find_libreoffice
from include.documents.render import template_path
from local import templates
from local.templates import DOCS, GALLERY, Sight, gallery_page, main

needs_pictures = pytest.mark.skipif(
    find_libreoffice() is None or shutil.which("pdftoppm") is None,
    reason="LibreOffice or poppler-utils is not installed: no picture of a document has been made",
)


def test_the_list_names_every_template_with_version_and_fields(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list"]) == 0
    said = capsys.readouterr().out
    assert "Hợp đồng dịch vụ (tiếng Anh) – Quyết định, báo giá, ký hợp đồng" in said
    assert "templates/documents/contract.vi.docx, phiên bản " in said
    assert "client.representative.name" in said


def test_good_templates_pass(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", str(template_path("quote", "vi")), str(template_path("intake_record", "vi"))]) == 0
    assert "Mọi mẫu đều dùng được." in capsys.readouterr().out


def test_a_broken_template_fails_with_its_paragraph(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    import docx

    document = docx.Document(str(template_path("quote", "vi")))
    document.add_paragraph("Kính gửi {{ client.nmae }}")
    document.save(str(tmp_path / "quote.vi.docx"))
    assert main(["check", str(tmp_path / "quote.vi.docx")]) == 1
    said = " ".join(capsys.readouterr().out.split())
    assert "✘ quote.vi.docx" in said and "Có phải ý bạn là client.name?" in said and "1 mẫu cần sửa." in said


def test_a_file_of_another_name_is_said_to_be_none(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", str(tmp_path / "hop dong.docx"), str(tmp_path / "contract.vi.docx")]) == 1
    said = " ".join(capsys.readouterr().out.split())
    assert "tên tệp phải là" in said and "không đọc được tệp" in said


def test_without_libreoffice_the_preview_is_word_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("ENGAGEMENT_LIBREOFFICE", "none")
    assert main(["preview", "quote.en", "--out", str(tmp_path)]) == 0
    assert [path.name for path in tmp_path.iterdir()] == ["quote.en.docx"]
    assert "chưa có LibreOffice" in capsys.readouterr().out


@needs_pictures
def test_a_preview_has_pages(tmp_path: Path) -> None:
    assert main(["preview", "evaluation_form.vi", "--out", str(tmp_path)]) == 0
    names = {path.name for path in tmp_path.iterdir()}
    assert {"evaluation_form.vi.docx", "evaluation_form.vi.pdf"} < names
    assert any(name.endswith(".png") for name in names)


def test_an_unknown_name_is_said_to_be_none(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["preview", "nothing", "--out", str(tmp_path)]) == 2
    assert "Không có mẫu nào tên nothing" in capsys.readouterr().out


def test_the_gallery_shows_the_pictures_that_are_there_and_no_others() -> None:
    assert (DOCS / "gallery.md").read_text(encoding="utf-8") == gallery_page()
    assert {path.name for path in (DOCS / "gallery").iterdir()} == {sight.file for sight in GALLERY}


def test_the_gallery_stays_small() -> None:
    assert sum(path.stat().st_size for path in (DOCS / "gallery").iterdir()) < 3_000_000


@needs_pictures
def test_a_gallery_is_made_anew_with_what_it_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(templates, "GALLERY", (Sight("scorecard", "vi", 1, "Points."),))
    (tmp_path / "gallery").mkdir()
    (tmp_path / "gallery" / "old.vi-1.png").write_bytes(b"old")
    assert main(["gallery", "--out", str(tmp_path)]) == 0
    assert [path.name for path in (tmp_path / "gallery").iterdir()] == ["scorecard.vi-1.png"]
    assert (tmp_path / "gallery" / "scorecard.vi-1.png").read_bytes().startswith(b"\x89PNG")
    assert "![Scorecard, page 1: Points.](gallery/scorecard.vi-1.png)" in (tmp_path / "gallery.md").read_text()


@needs_pictures
def test_a_page_that_is_not_there_leaves_the_old_gallery(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(templates, "GALLERY", (Sight("scorecard", "vi", 99, "Nothing."),))
    (tmp_path / "gallery").mkdir()
    (tmp_path / "gallery" / "old.vi-1.png").write_bytes(b"old")
    assert main(["gallery", "--out", str(tmp_path)]) == 1
    assert [path.name for path in (tmp_path / "gallery").iterdir()] == ["old.vi-1.png"]
    assert "không vẽ được trang 99" in capsys.readouterr().out


def test_without_libreoffice_there_is_no_gallery_and_it_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("ENGAGEMENT_LIBREOFFICE", "none")
    assert main(["gallery", "--out", str(tmp_path)]) == 1
    assert list(tmp_path.iterdir()) == []
    assert "Cần LibreOffice và poppler-utils" in capsys.readouterr().out
