"""What a business plan shows of the financial model: read from the workbook, never reckoned a second time."""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping
from typing import Any

from openpyxl import Workbook, load_workbook

from include.documents.charts import plan_charts
from include.engagement.process import Language, Text

MISSING = Text("chưa có số liệu", "not available")
_SUMMARY = Text("Tổng quan", "Summary")
# Where rows stand: the sheet's place in the workbook and the row. A test holds them against the labels.
_YEARS = (7, 6)
_SCENARIOS = (11, (8, 9, 10))
_COSTS = (7, (8, 9))  # variable and fixed; costs stand there with a minus
_ROWS: Mapping[str, tuple[int, int, Text]] = {
    "revenue": (7, 7, Text("Doanh thu (triệu đồng)", "Revenue (VND million)")),
    "ebitda": (7, 10, Text("EBITDA (triệu đồng)", "EBITDA (VND million)")),
    "net": (7, 16, Text("Lợi nhuận sau thuế (triệu đồng)", "Net profit (VND million)")),
    "cash": (8, 25, Text("Tiền cuối năm (triệu đồng)", "Closing cash (VND million)")),
    "service": (10, 25, Text("Gốc và lãi phải trả (triệu đồng)", "Debt service (VND million)")),
    "dscr": (10, 26, Text("DSCR toàn doanh nghiệp (lần)", "DSCR of the company (times)")),
}
_KEY: Mapping[str, tuple[str, Text]] = {
    "project_npv": ("money", Text("NPV (triệu đồng)", "NPV (VND million)")),
    "project_irr": ("share", Text("IRR", "IRR")),
    "payback": ("years", Text("Thời gian hoàn vốn có chiết khấu (năm)", "Discounted payback (years)")),
    "break_even_first": (
        "money",
        Text("Doanh thu hòa vốn năm 1 (triệu đồng)", "Break-even revenue of year 1 (VND million)"),
    ),
    "dscr_min": ("ratio", Text("DSCR thấp nhất, toàn doanh nghiệp (lần)", "Lowest DSCR of the company (times)")),
}


def plan_figures(xlsx_with_values: bytes, language: Language) -> dict[str, Any]:
    """Return the figures of a financial model as a business plan shows them; raises as ``model_figures``.

    ``by_year``: a row a year (title, revenue, ebitda, net, cash, service, dscr), ``results``: title and value, the NPV
    of each scenario last; ``notes``; ``charts``: pictures. A model that lacks an input has notes alone.
    """
    figures = model_figures(xlsx_with_values, language)
    scenario = {"vi": "NPV, kịch bản", "en": "NPV, scenario"}[language]
    if all(value is None for value in figures["numbers"]["revenue"]):
        return {"by_year": [], "results": [], "notes": figures["notes"], "charts": []}
    return {
        "by_year": [
            {"title": year, **{key: row["values"][n] for key, row in zip(_ROWS, figures["rows"], strict=True)}}
            for n, year in enumerate(figures["years"])
        ],
        "results": [
            *figures["key"],
            *({**case, "title": f"{scenario} “{case['title']}”"} for case in figures["scenarios"]),
        ],
        "notes": figures["notes"],
        "charts": list(plan_charts(figures["numbers"], figures["years"], language).values()),
    }


def model_figures(xlsx_with_values: bytes, language: Language) -> dict[str, Any]:
    """Return the figures of a financial model whose formulas carry their values.

    ``years``, ``rows`` (title, values), ``key`` and ``scenarios`` (title, value) are text as a reader sees it; what
    the model cannot compute reads MISSING. ``notes`` is what the model itself says about missing and assumed inputs.
    ``numbers`` holds the same figures raw: VND, shares, years, times, None where missing; beside them operating costs
    by year (``costs``, positive), the project's ``funding`` (``loan``, ``own_capital``; loan None where none was given)
    and ``opening_cash``. Raises KeyError when the workbook is no financial model of ours, ValueError when it is one in
    the other language.
    """
    book = load_workbook(io.BytesIO(xlsx_with_values), data_only=True)
    ready = _named(book, "ready") == 1
    if book.sheetnames[0] != _SUMMARY.in_(language):
        raise ValueError(f"the first sheet is “{book.sheetnames[0]}”, not “{_SUMMARY.in_(language)}”")
    heads = [cell.value for cell in book.worksheets[_YEARS[0]][_YEARS[1]][3:]]
    years = [" – ".join(str(head).split("\n")) for head in heads if head is not None]
    series = {
        key: [_number(book.worksheets[sheet].cell(row, 4 + n).value, ready) for n in range(len(years))]
        for key, (sheet, row, _) in _ROWS.items()
    }
    costs = [
        _sum(_number(book.worksheets[_COSTS[0]].cell(row, 4 + n).value, ready) for row in _COSTS[1])
        for n in range(len(years))
    ]
    named = {name: _named(book, name) for name in _KEY}
    sheet, rows = book.worksheets[_SCENARIOS[0]], _SCENARIOS[1]
    scenarios = [(str(sheet.cell(row, 1).value), _number(sheet.cell(row, 11).value, ready)) for row in rows]
    return {
        "years": years,
        "rows": [
            {
                "title": title.in_(language),
                "values": [
                    "–" if key == "dscr" and ready and value is None  # a year without debt lacks nothing
                    else _shown(value, "ratio" if key == "dscr" else "money", language)
                    for value in series[key]
                ],
            }
            for key, (_, _, title) in _ROWS.items()
        ],
        "key": [
            {
                "title": title.in_(language),
                # With all inputs there, a text is the model's own result, such as a payback beyond its years.
                "value": str(named[name])
                if ready and isinstance(named[name], str)
                else _shown(_number(named[name], ready), kind, language),
            }
            for name, (kind, title) in _KEY.items()
        ],
        "scenarios": [{"title": title, "value": _shown(value, "money", language)} for title, value in scenarios],
        "notes": _notes(book),
        "numbers": {
            **series,
            **{name: _number(value, ready) for name, value in named.items()},
            "costs": [None if cost is None else 0 - cost for cost in costs],
            "funding": {
                # The model reckons with no loan where none is given; that is no figure of the client's.
                "loan": _number(_named(book, "loan"), ready),
                "own_capital": _number(_named(book, "own_capital"), ready),
            },
            "opening_cash": _number(_named(book, "opening_cash"), True),
            "scenarios": [value for _, value in scenarios],
        },
    }


def _notes(book: Workbook) -> list[str]:
    notes = [line.removeprefix("• ") for line in str(_named(book, "notes") or "").split("\n")]
    return [note for note in (str(_named(book, "missing_note") or ""), *notes) if note]


def _named(book: Workbook, name: str) -> Any:
    title, where = next(iter(book.defined_names[name].destinations))
    return book[title][where].value


def _number(value: Any, ready: bool) -> float | None:
    return float(value) if ready and isinstance(value, (int, float)) else None


def _sum(values: Iterable[float | None]) -> float | None:
    known = list(values)
    return None if None in known else sum(value for value in known if value is not None)


def _shown(value: float | None, kind: str, language: Language) -> str:
    if value is None:
        return MISSING.in_(language)
    written = {
        "money": f"{value / 1e6:,.0f}",
        "share": f"{value * 100:.1f}%",
        "years": f"{value:.1f}",
        "ratio": f"{value:.2f}",
    }[kind]
    return written.translate(str.maketrans(",.", ".,")) if language == "vi" else written
