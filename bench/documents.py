"""``python -m bench.documents``: documents a second, beside what others would need for the same ones.

Word: the same template and facts filled by docxtpl as it comes, the template's plain fields by docx-mailmerge2, and the
floor, which only deflates the parts that filling changes. Excel: openpyxl loading the finished workbook, writing its
inputs and saving it, and the floor, which only zips the finished parts. Reading: openpyxl going over every cell;
“contained” is what a client's file costs, read in a process of its own with limits.
All take turns in one run, so that what else the machine does weighs on all alike; the ratios carry to other machines.
"""

from __future__ import annotations

import argparse
import io
import json
import re
import statistics
import sys
import tempfile
import time
import zlib
from collections.abc import Callable, Mapping
from copy import deepcopy
from datetime import datetime, timezone
from functools import partial
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from bench import machine
from include.documents import word, workbooks
from include.documents.compiled import compiled
from include.documents.package import read_parts, write_parts
from include.documents.render import template_path
from include.documents.sample import sample_facts
from include.engagement import process
from include.engagement.process import Language
from local.stack import ROOT

OUT = ROOT / "data" / "bench"
ROUNDS = 25
LANGUAGE: Language = "vi"
_TAG = re.compile(r"\{[{%#].*?[%}#]\}")
Way = Callable[[], object]


def main(arguments: list[str] | None = None) -> int:
    """Measure the kinds of documents that are named, else all; print and write it; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m bench.documents", description=__doc__)
    parser.add_argument("--out", type=Path, default=OUT, metavar="FOLDER")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("kinds", nargs="*", metavar="KIND", help="keys of documents, such as contract")
    given = parser.parse_args(arguments)
    results: dict[str, Any] = {"machine": machine.facts(), "rounds": given.rounds}
    results |= measure(given.kinds or list(process.DOCUMENTS), rounds=given.rounds)
    results["machine"]["load_after"] = machine.load()
    console = Console(highlight=False, width=120)
    for table in _tables(results):
        console.print(table)
    given.out.mkdir(parents=True, exist_ok=True)
    path = given.out / f"documents-{datetime.now(timezone.utc):%Y%m%dT%H%M%SZ}.json"
    path.write_text(json.dumps(results, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
    console.print(f"Written to {path}")
    return 0


def measure(kinds: list[str], *, rounds: int = ROUNDS) -> dict[str, Any]:
    """Return the median seconds of every way to make each kind of document, and to read a filled questionnaire."""
    found: dict[str, Any] = {"word": {}, "workbooks": {}, "reading": {}}
    for key in kinds:
        if process.DOCUMENTS[key].format == "docx":
            found["word"][key] = _medians(_word_ways(key), rounds)
        else:
            found["workbooks"][key] = _medians(_workbook_ways(key), rounds)
    if "questionnaire" in kinds:
        with tempfile.TemporaryDirectory(prefix="bench-") as folder:
            found["reading"]["questionnaire"] = _medians(_reading_ways(Path(folder)), rounds)
    return found


def _medians(ways: Mapping[str, Way], rounds: int) -> dict[str, float]:
    for way in ways.values():  # whatever is prepared once
        way()
    taken: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, way in ways.items():
            began = time.perf_counter()
            way()
            taken[name].append(time.perf_counter() - began)
    return {name: statistics.median(seconds) for name, seconds in taken.items()}


def _word_ways(key: str) -> dict[str, Way]:
    template, facts = template_path(key, LANGUAGE).read_bytes(), word.clean(sample_facts(LANGUAGE))
    properties = partial(word.set_properties, title=key, language=LANGUAGE, facts=facts)
    prepared = compiled(template, LANGUAGE)
    assert prepared is not None, f"only docxtpl can fill {key}"
    before, after = read_parts(template), read_parts(prepared.fill(facts, properties))
    changed = [part for name, part in after.items() if before.get(name) != part]
    fields = _merge_template(template)
    return {
        "ours": lambda: prepared.fill(facts, properties),
        "unchecked": lambda: prepared.fill(facts, properties, check=False),
        "docxtpl": lambda: _with_docxtpl(template, facts, properties),
        "mailmerge": lambda: _with_mailmerge(*fields),
        "floor": lambda: [zlib.compress(part) for part in changed],
    }


def _with_docxtpl(template: bytes, facts: dict[str, Any], properties: Callable[[Any], None]) -> bytes:
    from docxtpl import DocxTemplate  # type: ignore[import-untyped]

    document = DocxTemplate(io.BytesIO(template))
    document.render(facts, jinja_env=word.environment(LANGUAGE))
    properties(document.docx.core_properties)
    return _saved(document)


def _merge_template(template: bytes) -> tuple[bytes, dict[str, str]]:
    """Return the template with a merge field for each of its plain tags, and a text for each field.

    Loops and conditions are left out, which spares docx-mailmerge2 their work.
    """
    from docx import Document
    from docx.oxml import OxmlElement
    from docx.oxml.ns import qn

    document = Document(io.BytesIO(template))
    values: dict[str, str] = {}
    for run in list(document.element.body.iter(qn("w:r"))):
        text = "".join(node.text or "" for node in run.iter(qn("w:t")))
        if not _TAG.search(text):
            continue
        for tag in _TAG.findall(text):
            if not tag.startswith("{{"):
                continue
            name = f"f{len(values)}"
            values[name] = "Công ty TNHH Cà phê Ban Mê Sớm"
            field = OxmlElement("w:fldSimple")
            field.set(qn("w:instr"), f" MERGEFIELD {name} \\* MERGEFORMAT ")
            shown = deepcopy(run)
            for node in shown.iter(qn("w:t")):
                node.text = f"«{name}»"
            field.append(shown)
            run.addprevious(field)
        for node in run.iter(qn("w:t")):
            node.text = _TAG.sub("", node.text or "")
    return _saved(document), values


def _with_mailmerge(template: bytes, values: dict[str, str]) -> bytes:
    from mailmerge import MailMerge  # type: ignore[import-untyped]

    with MailMerge(io.BytesIO(template)) as document:
        document.merge(**values)
        file = io.BytesIO()
        document.write(file)
    return file.getvalue()


def _workbook_ways(key: str) -> dict[str, Way]:
    facts = sample_facts(LANGUAGE)
    finished = workbooks.build(key, language=LANGUAGE, facts=facts)
    parts = read_parts(finished)
    return {
        "ours": lambda: workbooks.build(key, language=LANGUAGE, facts=facts),
        "openpyxl": lambda: _filled_again(finished),
        "floor": lambda: write_parts(parts),
    }


def _filled_again(workbook: bytes) -> bytes:
    from openpyxl import load_workbook

    book = load_workbook(io.BytesIO(workbook))
    for sheet in book:
        for row in sheet.iter_rows():
            for cell in row:
                if cell.value is not None and cell.data_type != "f":
                    cell.value = cell.value
    return _saved(book)


def _reading_ways(folder: Path) -> dict[str, Way]:
    from include.screening import installed_limits, read_answers

    path, limits = folder / "questionnaire.xlsx", installed_limits()
    data = workbooks.build("questionnaire", language=LANGUAGE, facts=sample_facts(LANGUAGE))
    path.write_bytes(data)
    return {
        "ours": lambda: workbooks.read_questionnaire(data),
        "contained": lambda: read_answers(path, limits=limits),
        "openpyxl": lambda: _every_cell(data),
    }


def _every_cell(workbook: bytes) -> list[object]:
    from openpyxl import load_workbook

    book = load_workbook(io.BytesIO(workbook), data_only=True)
    return [value for sheet in book for row in sheet.values for value in row]


def _saved(document: Any) -> bytes:
    file = io.BytesIO()
    document.save(file)
    return file.getvalue()


def _tables(results: dict[str, Any]) -> list[Table]:
    facts = results["machine"]
    where = (
        f"{facts['cores']} cores, Python {facts['python']}; load {facts['load']:.1f} before, "
        f"{facts['load_after']:.1f} after; median of {results['rounds']}"
    )
    return [
        _table(f"Word, documents a second ({where})", results["word"],
               {"× docxtpl": ("docxtpl", "ours"), "× mail merge": ("mailmerge", "ours"),
                "unchecked/floor": ("floor", "unchecked")}),
        _table("Excel, workbooks a second", results["workbooks"],
               {"× openpyxl fill": ("openpyxl", "ours"), "of floor": ("floor", "ours")}),
        _table("Reading, workbooks a second", results["reading"], {"× openpyxl": ("openpyxl", "ours")}),
    ]  # fmt: skip


def _table(title: str, rows: Mapping[str, Mapping[str, float]], ratios: Mapping[str, tuple[str, str]]) -> Table:
    ways = list(next(iter(rows.values()), {}))
    table = Table("", *ways, *ratios, title=title)
    for key, taken in rows.items():
        table.add_row(key, *(f"{1 / taken[way]:.0f}" for way in ways),
                      *(f"{taken[one] / taken[other]:.2f}" for one, other in ratios.values()))  # fmt: skip
    return table


if __name__ == "__main__":
    sys.exit(main())
