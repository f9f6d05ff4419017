"""``python -m local.templates list|check|preview|gallery``: templates for the people who edit them, in Vietnamese.

``gallery`` is for the readers of the project: pictures of what comes out, in English, in ``docs/gallery.md``.
"""

from __future__ import annotations

import argparse
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import groupby
from pathlib import Path
from typing import Any

from rich.console import Console

from include.documents.cached_values import with_cached_values
from include.documents.inspection import inspect
from include.documents.libreoffice import ConversionFailed, LibreOffice, find_libreoffice
from include.documents.model_figures import plan_figures
from include.documents.render import TEMPLATES, render, template_language, template_path, template_sha256
from include.documents.sample import pictured_facts
from include.engagement import process
from include.engagement.process import LANGUAGES, Language
from local.stack import ROOT

PREVIEWS = ROOT / "data" / "previews"
DOCS = ROOT / "docs"
_LANGUAGE_NAMES = {"vi": "tiếng Việt", "en": "tiếng Anh"}


@dataclass(frozen=True)
class Sight:
    """A page of a document that the gallery shows, in English: ``page`` of its PDF, what there is to see on it."""

    key: str
    language: Language
    page: int
    caption: str

    @property
    def file(self) -> str:
        """The name of the picture."""
        return f"{self.key}.{self.language}-{self.page}.png"


# In the order of the stages; a sheet of a workbook is a page.
GALLERY: tuple[Sight, ...] = (
    Sight("questionnaire", "vi", 1, "How to answer, what is asked sheet by sheet, and what is known already."),
    Sight("questionnaire", "vi", 6, "A sheet of questions: yellow cells are for the client, grey ones stay empty."),
    Sight("information_letter", "vi", 1, "National motto, number, place and date as Vietnamese custom has them."),
    Sight("information_letter", "en", 1, "The same letter for a client who reads English."),
    Sight("decision_memo", "vi", 1, "Who the client is and what it said, for the director's decision."),
    Sight("timetable", "vi", 1, "Working days as bars, stage by stage; the reserve in orange."),
    Sight("quote", "vi", 1, "Scope, price, VAT and the total in words."),
    Sight("quote", "vi", 2, "Instalments, time with the reserve, conditions, signature."),
    Sight("quote", "en", 1, "The quote in English."),
    Sight("contract", "vi", 1, "Legal grounds and the two parties."),
    Sight("contract", "vi", 2, "Term, reserve, promised date and price."),
    Sight("contract", "vi", 3, "Instalments, and the right to refuse when information is not accurate."),
    Sight("contract", "vi", 5, "The signatures stand together with the end of the text."),
    Sight("contract", "en", 3, "Instalments and duties, in English."),
    Sight("payment_request", "vi", 1, "The second instalment: agreed at 8 % VAT, due when 10 % holds."),
    Sight("business_plan", "vi", 3, "The draft: the client's facts in place, what is missing marked in yellow."),
    Sight("business_plan", "vi", 6, "Funding and financial plan, with the figures of the model."),
    Sight("business_plan", "vi", 7, "Charts drawn from the model, readable in black and white."),
    Sight("financial_model", "vi", 1, "Results, checks that must be zero, and charts."),
    Sight("financial_model", "vi", 2, "Assumptions with their sources; inputs are yellow."),
    Sight("financial_model", "vi", 8, "The income statement."),
    Sight("financial_model", "vi", 10, "The statement of financial position; assets less funding must be zero."),
    Sight("financial_model", "vi", 12, "Break-even, NPV, IRR, payback and DSCR."),
    Sight("financial_model", "vi", 13, "Three scenarios and the sensitivity of NPV."),
    Sight("scorecard", "vi", 1, "What each member of the council fills in and signs."),
    Sight("review_report", "vi", 1, "What was appraised, and each member's points."),
    Sight("handover_minutes", "vi", 1, "What was handed over, to whom."),
    Sight("acceptance_minutes", "vi", 1, "What the client accepts, beside what the contract says."),
    Sight("plan_against_actual", "vi", 1, "What the client reports beside the plan; what is off by too much is red."),
    Sight("evaluation_form", "vi", 1, "The form that the client fills in after the handover."),
)
# The days on which the sample engagement's papers are written.
_DAYS = {
    "information": date(2026, 12, 2), "contract": date(2026, 12, 14), "delivery": date(2026, 12, 22),
    "appraisal": date(2027, 1, 13), "handover": date(2027, 1, 15), "monitoring": date(2027, 3, 15),
    "feedback": date(2027, 1, 22), "payment_request": date(2027, 1, 14),
}  # fmt: skip


def main(arguments: list[str] | None = None) -> int:
    """List, check or preview; return the exit code: 1 when a template has a finding."""
    parser = argparse.ArgumentParser(prog="python -m local.templates", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("list", help="every template with its version and fields")
    checking = commands.add_parser("check", help="what is wrong with templates")
    checking.add_argument("files", nargs="*", type=Path, metavar="FILE", help="default: all of templates/documents")
    previewing = commands.add_parser("preview", help="templates filled with sample data, as Word, PDF and PNG")
    previewing.add_argument("keys", nargs="*", metavar="NAME", help="such as contract or contract.en; default: all")
    previewing.add_argument("--out", type=Path, default=PREVIEWS, metavar="FOLDER")
    showing = commands.add_parser("gallery", help="pictures of the main documents, for docs/gallery.md")
    showing.add_argument("--out", type=Path, default=DOCS, metavar="FOLDER")
    given = parser.parse_args(arguments)
    console = Console(highlight=False, soft_wrap=True)
    if given.command == "list":
        return list_templates(console)
    if given.command == "check":
        return check(console, given.files)
    if given.command == "gallery":
        return gallery(console, given.out)
    return preview(console, given.keys, given.out)


def list_templates(console: Console) -> int:
    """Print every template with its stage, version and fields."""
    for key, language in word_templates():
        row = process.DOCUMENTS[key]
        template = template_path(key, language).read_bytes()
        console.print(f"[bold]{row.title.vi}[/] ({_LANGUAGE_NAMES[language]}) – {process.STAGES[row.stage].title.vi}")
        console.print(f"  tệp: templates/documents/{key}.{language}.docx, phiên bản {template_sha256(template)[:8]}")
        console.print(f"  trường: {', '.join(inspect(key, language, template).fields)}\n", markup=False)
    return 0


def check(console: Console, files: list[Path]) -> int:
    """Print what is wrong with templates; return 1 when something is."""
    wrong = 0
    for path in files or [template_path(key, language) for key, language in word_templates()]:
        named = re.fullmatch(r"([a-z_]+)\.(vi|en)\.docx", path.name)
        if named is None or named[1] not in process.DOCUMENTS:
            console.print(f"✘ {path}: tên tệp phải là ‹tên mẫu›.vi.docx hoặc .en.docx, như trong templates/documents.")
            wrong += 1
            continue
        try:
            template = path.read_bytes()
        except OSError as error:
            console.print(f"✘ {path}: không đọc được tệp ({error.strerror}).")
            wrong += 1
            continue
        findings = inspect(named[1], "en" if named[2] == "en" else "vi", template).findings
        console.print(f"{'✘' if findings else '✔'} {path.name}", style="red" if findings else "green")
        for finding in findings:
            console.print(f"    {finding}", markup=False)
        wrong += bool(findings)
    console.print(f"{wrong} mẫu cần sửa." if wrong else "Mọi mẫu đều dùng được.")
    return 1 if wrong else 0


def preview(console: Console, keys: list[str], out: Path) -> int:
    """Write templates filled with sample data to ``out``: Word always, PDF and PNG where the programs are there."""
    wanted = [(key, language) for key, language in word_templates() if not keys or {key, f"{key}.{language}"} & {*keys}]
    if not wanted:
        console.print(f"Không có mẫu nào tên {', '.join(keys)}; xem: make templates")
        return 2
    office = find_libreoffice()
    if office is None:
        console.print("Máy này chưa có LibreOffice: chỉ có tệp Word. Cài libreoffice-writer và fonts-liberation2.")
    elif shutil.which("pdftoppm") is None:
        console.print("Máy này chưa có poppler-utils: chỉ có tệp Word và PDF.")
    out.mkdir(parents=True, exist_ok=True)
    for key, language in wanted:
        stem = out / f"{key}.{language}"
        facts = facts_of(key, language)
        data = render(key, language=language, facts=facts).data
        Path(f"{stem}.docx").write_bytes(data)
        made = [f"{stem}.docx"]
        if office is not None:
            try:
                Path(f"{stem}.pdf").write_bytes(office.pdf(data, extension="docx"))
            except ConversionFailed as error:
                console.print(f"✘ {key}.{language}: {error}")
                return 1
            made += [f"{stem}.pdf", *pictures(Path(f"{stem}.pdf"))]
        console.print("\n".join(made), markup=False)
    return 0


def pictures(pdf: Path, *, dots_per_inch: int = 80) -> list[str]:
    """Write a PNG of each page beside a PDF and return their paths; none without poppler."""
    program = shutil.which("pdftoppm")
    if program is None:
        return []
    for old in pdf.parent.glob(f"{pdf.stem}-*.png"):
        old.unlink()
    subprocess.run(
        [program, "-r", str(dots_per_inch), "-png", str(pdf), str(pdf.with_suffix(""))], check=True, timeout=120
    )
    return sorted(str(path) for path in pdf.parent.glob(f"{pdf.stem}-*.png"))


def gallery(console: Console, out: Path) -> int:
    """Write ``gallery.md`` and its pictures in ``gallery/`` below ``out``; return 1 when a program is missing."""
    office, program = find_libreoffice(), shutil.which("pdftoppm")
    if office is None or program is None:
        console.print("Cần LibreOffice và poppler-utils để làm bộ hình.")
        return 1
    with tempfile.TemporaryDirectory(prefix="gallery-") as folder:
        for (key, language), sights in groupby(GALLERY, lambda sight: (sight.key, sight.language)):
            pdf = Path(folder, "document.pdf")
            try:
                made = render(key, language=language, facts=gallery_facts(key, language, office))
                pdf.write_bytes(office.pdf(made.data, extension=made.extension))
            except ConversionFailed as error:
                console.print(f"✘ {key}.{language}: {error}")
                return 1
            for sight in sights:
                picture = Path(folder, sight.file)
                page = str(sight.page)
                drawn = subprocess.run(
                    [program, "-r", "72", "-png", "-f", page, "-l", page, "-singlefile", str(pdf),
                     str(picture.with_suffix(""))], capture_output=True, text=True, timeout=120, check=False,
                )  # fmt: skip
                if drawn.returncode or not picture.is_file():
                    said = drawn.stderr.strip()
                    console.print(f"✘ {key}.{language}: không vẽ được trang {page}. {said}", markup=False)
                    return 1
        # Only now: a run that failed leaves the old pictures as they were.
        pictures_folder = out / "gallery"
        pictures_folder.mkdir(parents=True, exist_ok=True)
        for old in pictures_folder.glob("*.png"):
            old.unlink()
        for sight in GALLERY:
            shutil.copyfile(Path(folder, sight.file), pictures_folder / sight.file)
    (out / "gallery.md").write_text(gallery_page(), encoding="utf-8")
    console.print(f"{out / 'gallery.md'}: {len(GALLERY)} hình.", markup=False)
    return 0


def facts_of(key: str, language: Language) -> dict[str, Any]:
    """Return the sample facts on the day that such a document is written, with a number of its own kind."""
    row = process.DOCUMENTS[key]
    day = _DAYS.get(key) or _DAYS[row.stage]
    number = f"12/{day.year}/{row.number_kind}-KHV" if row.number_kind else ""
    facts = pictured_facts(template_language(key, language))
    return facts | {"day": day, "due": day + timedelta(days=7), "number": number}


def gallery_facts(key: str, language: Language, office: LibreOffice) -> dict[str, Any]:
    """Return the facts of a document with the figures of the model that they give."""
    facts = facts_of(key, language)
    if key == "business_plan":
        model = render("financial_model", language=language, facts=facts).data
        facts["model"] = plan_figures(with_cached_values(model, office), language)
    return facts


def gallery_page() -> str:
    """Return the gallery in Markdown: every sight with its alt text and caption, by stage."""
    lines = [
        "# What comes out",
        "",
        "Pages of the main documents, filled with sample facts: an invented coffee roaster that wants a bank loan.",
        "`python -m local.templates gallery` makes this page and its pictures; `make preview KEY=contract` shows a",
        "whole document.",
    ]
    for stage, sights in groupby(GALLERY, lambda sight: process.DOCUMENTS[sight.key].stage):
        lines += ["", f"## {process.STAGES[stage].title.en}"]
        for sight in sights:
            title = process.DOCUMENTS[sight.key].title.en
            lines += ["", f"**{title}**, page {sight.page}. {sight.caption}", "",
                      f"![{title}, page {sight.page}: {sight.caption}](gallery/{sight.file})"]  # fmt: skip
    return "\n".join(lines) + "\n"


def word_templates() -> Iterator[tuple[str, Language]]:
    """Yield every Word template in the order of the stages."""
    for key, row in process.DOCUMENTS.items():
        if row.format == "docx":
            for language in LANGUAGES:
                if (TEMPLATES / f"{key}.{language}.docx").is_file():
                    yield key, language


if __name__ == "__main__":
    sys.exit(main())
