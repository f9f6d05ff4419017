"""Names that clients give to files, and paths that the firm writes."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from include.storage import UnsafePath, safe_name, safe_path
from include.storage.base import SEGMENT_BYTES


@pytest.mark.parametrize(
    ("given_name", "stored"),
    [
        ("Báo cáo tài chính 2025.pdf", "Báo cáo tài chính 2025.pdf"),
        ("Ba\u0301o ca\u0301o.pdf", "Báo cáo.pdf"),
        ("../../etc/passwd", "passwd"),
        ("C:\\Users\\Hữu\\Giấy phép.docx", "Giấy phép.docx"),
        ("CON.txt", "_CON.txt"),
        ("nul", "_nul"),
        ("com1.tar.gz", "_com1.tar.gz"),
        ("Công ty.pdf", "Công ty.pdf"),
        (".htaccess", "htaccess"),
        ("...", "file"),
        ("", "file"),
        ("/", "file"),
        ("hoá đơn\u202efdp.exe", "hoá đơnfdp.exe"),
        ("a\r\nBcc: x.pdf", "a Bcc_ x.pdf"),
        ("a\0b.pdf", "ab.pdf"),
        ('báo "giá" <1>?.pdf', "báo _giá_ _1__.pdf"),
        ("tệp. ", "tệp"),
        ("a\u200bb.pdf", "ab.pdf"),
        ("\ud800x.pdf", "x.pdf"),
        (".pdf", "pdf"),
    ],
)
def test_a_clients_name_becomes_storable(given_name: str, stored: str) -> None:
    assert safe_name(given_name) == stored


def test_a_long_name_is_cut_between_letters_and_keeps_its_extension() -> None:
    name = safe_name("ế" * 300 + ".docx")
    assert len(name.encode()) <= SEGMENT_BYTES
    assert name.endswith("ế.docx")


@settings(deadline=None)
@given(st.text(max_size=300))
def test_any_name_becomes_one_that_can_be_stored(name: str) -> None:
    stored = safe_name(name)
    assert safe_path(stored) == stored
    assert "/" not in stored
    assert not stored.startswith(".")


@settings(deadline=None)
@given(st.text(max_size=300))
@example("a \ud7fc b")
def test_a_storable_name_stays_as_it_is(name: str) -> None:
    assert safe_name(safe_name(name)) == safe_name(name)


@settings(deadline=None)
@given(st.text(alphabet="aáàảãạăắằẳẵặâấầẩẫậbcdđeéèẻẽẹêếềểễệghiíìỉĩịoóòỏõọôốồổỗộơớờởỡợuúùủũụưứừửữựyýỳỷỹỵ", min_size=1,
               max_size=40))
def test_vietnamese_letters_are_kept(word: str) -> None:
    assert safe_name(unicodedata.normalize("NFD", f"x{word}.pdf")) == unicodedata.normalize("NFC", f"x{word}.pdf")


@pytest.mark.parametrize("path", ["a\nb", "a/\x7f", "Ba\u0301o", "\ud800", "x" * 151, "/".join(["x" * 150] * 7)])
def test_a_path_unfit_for_some_storage_is_refused(path: str) -> None:
    with pytest.raises(UnsafePath):
        safe_path(path)


def test_a_name_of_the_longest_kind_is_taken() -> None:
    assert safe_path(f"inbox/{'ế' * 50}") == f"inbox/{'ế' * 50}"
