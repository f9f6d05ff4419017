"""Small valid files that a scenario asks for with ``auto:docx``, ``auto:xlsx`` or ``auto:pdf``."""

from __future__ import annotations

import io
import unicodedata

AUTO_KINDS = ("docx", "xlsx", "pdf")


def make_file(kind: str, *, title: str) -> bytes:
    """Return a small valid file of ``kind`` with ``title`` in it. Raises ValueError for an unknown kind."""
    makers = {"docx": _docx, "xlsx": _xlsx, "pdf": _pdf}
    if kind not in makers:
        raise ValueError(f"no such kind of automatic file: {kind}")
    return makers[kind](title)


def _docx(title: str) -> bytes:
    from docx import Document

    document = Document()
    document.add_heading(title, level=1)
    document.add_paragraph("Tài liệu mẫu của buổi diễn tập.")
    content = io.BytesIO()
    document.save(content)
    return content.getvalue()


def _xlsx(title: str) -> bytes:
    from openpyxl import Workbook

    workbook = Workbook()
    sheet = workbook.active
    assert sheet is not None
    sheet.title = "Số liệu"
    for row in ((title, ""), ("Năm", "Doanh thu (VND)"), (2025, 12_000_000_000), (2026, 15_500_000_000)):
        sheet.append(row)
    content = io.BytesIO()
    workbook.save(content)
    return content.getvalue()


def _pdf(title: str) -> bytes:
    """Write the one-page PDF by hand: its standard font knows no Vietnamese marks, so they are dropped."""
    plain = unicodedata.normalize("NFD", title.replace("đ", "d").replace("Đ", "D"))
    shown = plain.encode("ascii", "ignore").decode()
    for mark in ("\\", "(", ")"):
        shown = shown.replace(mark, "\\" + mark)
    stream = f"BT /F1 16 Tf 72 760 Td ({shown}) Tj ET".encode()
    objects = (
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 4 0 R /Resources 6 0 R >>",
        b"<< /Length %d >>\nstream\n%s\nendstream" % (len(stream), stream),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
        b"<< /Font << /F1 5 0 R >> >>",
    )
    content = b"%PDF-1.4\n%\xe2\xe3\xcf\xd3\n"
    offsets = []
    for number, body in enumerate(objects, start=1):
        offsets.append(len(content))
        content += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    table = len(content)
    content += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    content += b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    content += b"trailer\n<< /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (len(objects) + 1, table)
    return content
