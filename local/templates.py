"""``python -m local.templates list|check|preview``: Word templates for the people who edit them; speaks Vietnamese."""

from __future__ import annotations

import argparse
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from rich.console import Console

from include.documents.inspection import inspect
from include.documents.libreoffice import ConversionFailed, find_libreoffice
from include.documents.render import TEMPLATES, render, template_language, template_path, template_sha256
from include.documents.sample import sample_facts
from include.engagement import process
from include.engagement.process import LANGUAGES, Language
from local.stack import ROOT

PREVIEWS = ROOT / "data" / "previews"
_LANGUAGE_NAMES = {"vi": "tiếng Việt", "en": "tiếng Anh"}


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
    given = parser.parse_args(arguments)
    console = Console(highlight=False, soft_wrap=True)
    if given.command == "list":
        return list_templates(console)
    if given.command == "check":
        return check(console, given.files)
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
        facts = sample_facts(template_language(key, language))
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


def word_templates() -> Iterator[tuple[str, Language]]:
    """Yield every Word template in the order of the stages."""
    for key, row in process.DOCUMENTS.items():
        if row.format == "docx":
            for language in LANGUAGES:
                if (TEMPLATES / f"{key}.{language}.docx").is_file():
                    yield key, language


if __name__ == "__main__":
    sys.exit(main())
