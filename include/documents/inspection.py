"""Word templates looked over for the people who edit them: which fields, what is wrong and where, in plain Vietnamese.

A template is looked at as Word left it: every finding names the paragraph. What only shows when the template is filled
is found by filling it with the sample facts, complete and bare, and reading the result back.
"""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from include.documents.readback.making import STATES, check_made
from include.documents.render import render, template_language
from include.documents.sample import bare_facts, sample_facts
from include.engagement.errors import FactsDiffer
from include.engagement.process import Language

STYLES = frozenset(("Normal", "Cell", "Heading1", "Heading2", "Clause", "Bullet", "Small", "Title", "Point", "Header",
                    "Footer"))  # fmt: skip
FONTS = frozenset(("Times New Roman", "Liberation Serif"))
PAGE_MM = (210, 297)  # A4
# Decree 30/2020/NĐ-CP, Appendix I: top and bottom, left, right; body type.
MARGINS_MM = {"top": (20, 25), "bottom": (20, 25), "left": (30, 35), "right": (15, 20)}
BODY_POINTS = (13, 14)
_SIDES = {"top": "trên", "bottom": "dưới", "left": "trái", "right": "phải"}
MOST_BYTES = 20 * 1024 * 1024
_WORDS = 60

_PREFIX = re.compile(r"(\{[{%])(?:tr|tc|p|r)(?=[\s-])")
_TAG = re.compile(r"\{[{%].*?[%}]\}")
_CURVED = re.compile("[“”„‘’]")
_TEMPLATE_ERRORS = (
    (re.compile(r"No filter named '(.+?)'"), "không có bộ lọc “%s”; xem bảng bộ lọc trong templates/README.md"),
    (re.compile("Unexpected end of template|Reached end"),
     "có {% if %} hoặc {% for %} chưa đóng bằng {% endif %}, {% endfor %}"),
    (re.compile(r"unknown tag '(.+?)'"),
     "không hiểu “%s”: kiểm tra {% if %}…{% endif %}, {% for %}…{% endfor %} đã đủ cặp"),
    (re.compile("unexpected '}'|expected token 'end of print|unexpected char"),
     "trường viết sai: phải là {{ tên.trường }}"),
)  # fmt: skip


@dataclass(frozen=True)
class Finding:
    """What is wrong: ``place`` and the first ``words`` of the paragraph (empty: the whole document), and what to do."""

    place: str
    words: str
    problem: str

    def __str__(self) -> str:
        where = f"{self.place} “{self.words}”: " if self.words else f"{self.place}: " if self.place else ""
        return f"{where}{self.problem}"


@dataclass(frozen=True)
class Inspection:
    """The fields that a template uses (``client.name``), in order of appearance, and what is wrong with it."""

    fields: tuple[str, ...]
    findings: tuple[Finding, ...]


@dataclass(frozen=True)
class _Paragraph:
    place: str
    text: str
    style: str
    fonts: frozenset[str]

    def finding(self, problem: str) -> Finding:
        words = self.text if len(self.text) <= _WORDS else self.text[:_WORDS].rstrip() + "…"
        return Finding(self.place, words, problem)


def inspect(key: str, language: Language, template: bytes) -> Inspection:
    """Look a Word template of ``process.DOCUMENTS`` over. Never raises for what is in the file."""
    from docx import Document

    broken = _not_a_document(template)
    if broken:
        return Inspection((), (Finding("", "", broken),))
    try:
        document = Document(io.BytesIO(template))
        paragraphs = list(_paragraphs(document))
        findings = [*_page_findings(document), *_content_findings(template)]
    except Exception as error:  # python-docx and lxml raise a dozen kinds for damaged files
        unreadable = (f"không đọc được tệp này ({type(error).__name__}): hãy mở bằng Word, lưu lại thành .docx, "
                      "hoặc lấy lại bản trước.")  # fmt: skip
        return Inspection((), (Finding("", "", unreadable),))
    findings += [finding for paragraph in paragraphs for finding in _form_findings(paragraph)]
    fields, field_findings = _fields(paragraphs, sample_facts(language), language)
    findings += field_findings
    findings += [
        Finding("", "", f"thiếu trường {{{{ {path} }}}}: văn bản này phải ghi {path}; hãy đặt lại trường vào mẫu.")
        for path in STATES.get(key, ("client.name",))
        if not any(field == path or field.startswith(f"{path}.") or path.startswith(f"{field}.") for field in fields)
    ]
    if not findings:
        findings += _filling_findings(key, language, template)
    return Inspection(tuple(fields), tuple(findings))


def _not_a_document(template: bytes) -> str:
    if len(template) > MOST_BYTES:
        return f"tệp lớn hơn {MOST_BYTES // 1024 // 1024} MB: hãy bỏ bớt hình ảnh."
    try:
        with zipfile.ZipFile(io.BytesIO(template)) as archive:
            names = archive.namelist()
            size = sum(entry.file_size for entry in archive.infolist())
    except (zipfile.BadZipFile, OSError, ValueError):
        return "tệp không phải là văn bản Word (.docx): hãy mở bằng Word và lưu lại thành .docx."
    if size > 10 * MOST_BYTES:
        return "tệp mở ra quá lớn: hãy bỏ bớt hình ảnh."
    if "word/document.xml" not in names:
        return "tệp không phải là văn bản Word (.docx): hãy mở bằng Word và lưu lại thành .docx."
    if any("vbaProject" in name for name in names):
        return "tệp có macro: hãy lưu lại thành “Word Document (.docx)”, không phải .docm."
    if any(name.startswith("word/embeddings/") for name in names):
        return "tệp có đối tượng nhúng (OLE): hãy xoá đối tượng đó, dùng hình ảnh thay thế."
    return ""


def _paragraphs(document: Any) -> Iterator[_Paragraph]:
    from docx.oxml.ns import qn

    roots = [("", document.element.body)]
    for section in document.sections:
        for name, part in (("đầu trang", section.header), ("đầu trang nhất", section.first_page_header),
                           ("chân trang", section.footer), ("chân trang nhất", section.first_page_footer)):  # fmt: skip
            if not part.is_linked_to_previous:
                roots.append((f"{name}, ", part._element))
    for where, root in roots:
        for number, node in enumerate(root.iter(qn("w:p")), 1):
            text = "".join(
                piece.text or "" if piece.tag == qn("w:t") else " "
                for piece in node.iter(qn("w:t"), qn("w:br"), qn("w:tab"))
                if piece.tag == qn("w:t") or piece.getparent().tag == qn("w:r")
            )
            style = node.find(f"{qn('w:pPr')}/{qn('w:pStyle')}")
            fonts = frozenset(
                font.get(qn("w:ascii")) for font in node.iter(qn("w:rFonts")) if font.get(qn("w:ascii")) is not None
            )
            cell = "ô bảng, " if any(True for _ in node.iterancestors(qn("w:tc"))) else ""
            yield _Paragraph(
                f"{where}{cell}đoạn {number}", text, "Normal" if style is None else style.get(qn("w:val")), fonts
            )


def _page_findings(document: Any) -> Iterator[Finding]:
    for number, section in enumerate(document.sections, 1):
        place = f"trang, phần {number}"
        size = sorted((round(section.page_width.mm), round(section.page_height.mm)))
        if any(abs(have - want) > 1 for have, want in zip(size, PAGE_MM, strict=True)):
            yield Finding(place, "", f"khổ giấy là {size[0]} × {size[1]} mm: hãy chọn A4 (Layout → Size).")
        if section.page_width < section.page_height:
            for side, (least, most) in MARGINS_MM.items():
                have = round(getattr(section, f"{side}_margin").mm)
                if not least <= have <= most:
                    yield Finding(place, "", f"lề {_SIDES[side]} là {have} mm: phải từ {least} đến {most} mm "
                                             "(Nghị định 30/2020/NĐ-CP).")  # fmt: skip
        if "PAGE" not in section.header._element.xml:
            yield Finding(place, "", "thiếu số trang ở giữa đầu trang: Insert → Page Number → Top of Page.")
        elif number == 1 and (
            not section.different_first_page_header_footer or "PAGE" in section.first_page_header._element.xml
        ):
            yield Finding(place, "", "trang đầu không ghi số trang (Nghị định 30/2020/NĐ-CP): mở đầu trang, chọn "
                                     "Different First Page và xoá số trang ở trang đầu.")  # fmt: skip
    size = document.styles["Normal"].font.size
    if size is None or not BODY_POINTS[0] <= size.pt <= BODY_POINTS[1]:
        yield Finding("kiểu Normal", "", f"cỡ chữ nội dung phải từ {BODY_POINTS[0]} đến {BODY_POINTS[1]} "
                                         "(Nghị định 30/2020/NĐ-CP).")  # fmt: skip


def _content_findings(template: bytes) -> Iterator[Finding]:
    with zipfile.ZipFile(io.BytesIO(template)) as archive:
        text = archive.read("word/document.xml")
    if re.search(rb"<w:(ins|del|moveFrom|moveTo)[ >]", text):
        yield Finding("", "", "còn sửa đổi được theo dõi (Track Changes): hãy chấp nhận hoặc từ chối hết, "
                              "Review → Accept All.")  # fmt: skip
    if b"<w:commentReference" in text:
        yield Finding("", "", "còn ghi chú (Comments): hãy xoá hết, Review → Delete All Comments.")


def _form_findings(paragraph: _Paragraph) -> Iterator[Finding]:
    text = paragraph.text
    if text.strip() and paragraph.style not in STYLES:
        yield paragraph.finding(f"kiểu đoạn “{paragraph.style}” không thuộc bộ kiểu của công ty: chọn một trong "
                                f"{', '.join(sorted(STYLES - {'Header', 'Footer'}))} (Home → Styles).")  # fmt: skip
    for font in sorted(paragraph.fonts - FONTS):
        yield paragraph.finding(f"phông chữ “{font}”: hãy dùng Times New Roman.")
    for opening, closing, name in (("{{", "}}", "{{ … }}"), ("{%", "%}", "{% … %}")):
        if text.count(opening) > text.count(closing):
            yield paragraph.finding(f"dấu {opening} chưa có {closing} trong cùng đoạn: trường phải viết liền {name}.")
        elif text.count(opening) < text.count(closing):
            yield paragraph.finding(f"dấu {closing} không có {opening} trước nó: trường phải viết liền {name}.")
    for tag in _TAG.findall(text):
        if _CURVED.search(tag):
            yield paragraph.finding(f"dấu nháy cong trong {tag}: bên trong trường chỉ dùng nháy thẳng ' hoặc \".")
    for lone in re.findall(r"(?<![{%])\{\s+\{|(?<!\{)\{(?![{%\s])\s*[a-z_]+(?:\.[a-z_]+)*\s*\}(?!\})", text):
        yield paragraph.finding(
            f"“{lone}” không phải là trường: trường có hai dấu ngoặc nhọn liền nhau, {{{{ tên.trường }}}}."
        )


def _fields(
    paragraphs: Sequence[_Paragraph], facts: Mapping[str, Any], language: Language
) -> tuple[list[str], list[Finding]]:
    """Return the paths of the facts that the tags use, and what is wrong with the tags."""
    from jinja2 import TemplateSyntaxError

    from include.documents.word import environment

    source = "\n".join(_PREFIX.sub(r"\1", paragraph.text.replace("\n", " ")) for paragraph in paragraphs)
    try:
        parsed = environment(language).parse(source)
        environment(language).from_string(source)
    except TemplateSyntaxError as error:
        paragraph = paragraphs[min(max(error.lineno, 1), len(paragraphs)) - 1]
        return [], [paragraph.finding(_plain(error.message or ""))]
    fields: dict[str, None] = {}
    findings: list[Finding] = []
    for path, line in _paths(parsed, {}):
        problem = _unknown(path, facts)
        if problem:
            findings.append(paragraphs[line - 1].finding(problem))
        else:
            fields[path.replace("[]", "")] = None
    return list(fields), findings


def _plain(message: str) -> str:
    """Say what Jinja found wrong in words for people who write letters."""
    for pattern, words in _TEMPLATE_ERRORS:
        found = pattern.search(message)
        if found:
            return words.replace("%s", found[1] if found.groups() else "")
    return f"trường viết sai ({message}): so lại với một trường đang dùng được trong mẫu."


def _paths(node: Any, scope: Mapping[str, str]) -> Iterator[tuple[str, int]]:
    """Yield the facts that a parsed template uses, with their lines; ``[]`` marks an element of a list."""
    from jinja2 import nodes

    if isinstance(node, nodes.For):
        listed = _path_of(node.iter, scope)
        yield from _paths(node.iter, scope)
        inner = dict(scope)
        if isinstance(node.target, nodes.Name):
            inner[node.target.name] = f"{listed}[]" if listed else ""
        inner["loop"] = ""
        for child in (*node.body, *node.else_, *([node.test] if node.test else ())):
            yield from _paths(child, inner)
        return
    if isinstance(node, nodes.Assign) and isinstance(node.target, nodes.Name):
        yield from _paths(node.node, scope)
        if isinstance(scope, dict):
            scope[node.target.name] = ""
        return
    path = _path_of(node, scope)
    if path is not None:
        if path:
            yield path, node.lineno
        if isinstance(node, (nodes.Name, nodes.Getattr)):
            return
    for child in node.iter_child_nodes():
        yield from _paths(child, scope)


def _path_of(node: Any, scope: Mapping[str, str]) -> str | None:
    """Return the dotted path of an expression that names a fact; "" for a name of the template's own; else None."""
    from jinja2 import nodes

    if isinstance(node, nodes.Filter) and node.node is not None:
        return _path_of(node.node, scope) and None
    if isinstance(node, nodes.Name):
        return scope.get(node.name, node.name) if node.ctx == "load" else None
    if isinstance(node, nodes.Getattr):
        base = _path_of(node.node, scope)
        return None if base is None else f"{base}.{node.attr}" if base else ""
    if isinstance(node, nodes.Getitem) and isinstance(node.arg, nodes.Const) and isinstance(node.arg.value, str):
        base = _path_of(node.node, scope)
        return None if base is None else f"{base}.{node.arg.value}" if base else ""
    return None


def _unknown(path: str, facts: Mapping[str, Any]) -> str:
    """Return what is wrong with a path, empty when the sample facts have it."""
    value: Any = facts
    so_far = ""
    for part in path.split("."):
        name, listed = part.removesuffix("[]"), part.endswith("[]")
        if not isinstance(value, Mapping):
            return "" if value is None else f"{so_far} không có phần nhỏ hơn nên không viết được {path}."
        if name not in value:
            near = get_close_matches(name, list(value), n=1, cutoff=0.5)
            hint = f" Có phải ý bạn là {so_far + '.' if so_far else ''}{near[0]}?" if near else ""
            return f"không có trường {path.replace('[]', '')}.{hint} Danh sách trường: templates/README.md."
        value = value[name]
        so_far = f"{so_far}.{name}" if so_far else name
        if listed:
            value = value[0] if isinstance(value, (list, tuple)) and value else None
    return ""


def _filling_findings(key: str, language: Language, template: bytes) -> Iterator[Finding]:
    for facts, which in ((sample_facts(language), "đầy đủ"), (bare_facts(language), "tối thiểu")):
        try:
            made = render(key, language=template_language(key, language), facts=facts, template=template)
            check_made(key, made.data, facts=facts, language=language, template=template)
        except FactsDiffer as error:
            yield Finding("", "", str(error))
            return  # the bare facts would say it again
        except Exception as error:  # whatever a template can do wrong is a finding
            yield Finding("", "", f"không điền được mẫu với dữ liệu {which}: {error}. Trường có thể trống phải đặt "
                                  "trong {% if … %} … {% endif %}.")  # fmt: skip
