"""Charts of a business plan, drawn from the figures of its financial model: made for print, also without colour."""

from __future__ import annotations

import io
import math
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeGuard

from include.documents.picture import Picture
from include.engagement.process import Language, Text

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WIDTH_MM = 160.0
_DOTS_PER_INCH = 200
_MOST_BARS_LABELLED = 7  # years; with more, labels of neighbouring bars would touch
# Every series differs from its neighbour in lightness and hatch or marker too: banks copy in black and white.
_DARK, _LIGHT, _LINE, _GRID = "#1F3864", "#C9D6EA", "#A84A10", "#D9D9D9"
_FIRST: Mapping[str, Any] = {"color": _DARK, "edgecolor": _DARK, "linewidth": 0.8}
_SECOND: Mapping[str, Any] = {**_FIRST, "color": _LIGHT, "hatch": "////"}
_THIRD: Mapping[str, Any] = {**_FIRST, "color": "white", "hatch": "xxxx"}
_FONTS = ("Liberation Serif", "Times New Roman", "DejaVu Serif")  # as in the text around; the last is matplotlib's own
_LOOK: Mapping[Any, Any] = {
    "font.size": 9.5,
    "axes.titlesize": 11.5,
    "axes.titleweight": "bold",
    "axes.titlecolor": _DARK,
    "axes.titlepad": 10,
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "grid.color": _GRID,
    "grid.linewidth": 0.6,
    "hatch.color": _DARK,
    "hatch.linewidth": 0.6,
    "legend.frameon": False,
    "text.parse_math": False,  # a dollar sign in a wording is a dollar sign
}
_REVENUE, _COSTS = Text("Doanh thu", "Revenue"), Text("Chi phí hoạt động", "Operating costs")
_NET = Text("Lợi nhuận sau thuế", "Net profit")
_LOAN, _OWN = Text("Vốn vay", "Loan"), Text("Vốn chủ sở hữu góp thêm", "Owners' new capital")


@dataclass(frozen=True)
class _Scale:
    """The unit that amounts are shown in: million, or billion VND where millions would be long."""

    vnd: float
    unit: Text
    language: Language

    def written(self, amount: float) -> str:
        """Return an amount (VND) in this unit, as readers of the language write numbers."""
        value = amount / self.vnd
        decimals = 0 if self.vnd == 1e6 else 1 if abs(value) >= 1 else 2
        return _written(value, decimals, self.language)

    def titled(self, title: Text) -> str:
        """Return a title with the unit behind it."""
        return f"{title.in_(self.language)} ({self.unit.in_(self.language)})"


def plan_charts(numbers: Mapping[str, Any], years: Sequence[str], language: Language) -> dict[str, Picture]:
    """Return the charts that the figures allow: ``revenue_profit``, ``cash``, ``funding``, ``scenarios``.

    ``numbers`` are the raw figures of ``model_figures`` (VND), ``years`` its years. A chart of which a figure is
    missing is left out: half a chart would show something else than the model says. The alternative text says every
    figure drawn. The same input gives the same bytes on one machine. Raises ValueError when a series is not as long as
    ``years``.
    """
    charts: dict[str, Picture] = {}
    with _look():
        revenue, costs, net = (_series(numbers.get(key), years) for key in ("revenue", "costs", "net"))
        if revenue and costs and net:
            charts["revenue_profit"] = _revenue_profit(revenue, costs, net, years, language)
        cash = _series(numbers.get("cash"), years)
        if cash:
            charts["cash"] = _cash(cash, years, language, opening_known=_known(numbers.get("opening_cash")))
        funding = numbers.get("funding") or {}
        loan, own = funding.get("loan"), funding.get("own_capital")
        if _known(loan) and _known(own) and min(loan, own) >= 0 and loan + own > 0:
            charts["funding"] = _funding(loan=loan, own=own, language=language)
        scenarios = numbers.get("scenarios") or ()
        if scenarios and all(_known(value) for value in scenarios):
            charts["scenarios"] = _scenarios(scenarios, language)
    return charts


def _look() -> AbstractContextManager[None]:
    from matplotlib import rc_context
    from matplotlib.font_manager import fontManager

    installed = set(fontManager.get_font_names())
    # matplotlib logs a line a word for a font that it does not find.
    return rc_context({**_LOOK, "font.family": [font for font in _FONTS if font in installed]})


def _known(value: object) -> TypeGuard[float]:
    return isinstance(value, (int, float)) and math.isfinite(value)


def _series(values: Sequence[float | None] | None, years: Sequence[str]) -> list[float]:
    """Return a value a year, or nothing where one is missing."""
    if not values:
        return []
    if len(values) != len(years):
        raise ValueError(f"{len(values)} values for {len(years)} years")
    known = [value for value in values if _known(value)]
    return known if len(known) == len(values) else []


def _scale(amounts: Sequence[float], language: Language) -> _Scale:
    if max(abs(amount) for amount in amounts) >= 1e10:
        return _Scale(1e9, Text("tỷ đồng", "VND billion"), language)
    return _Scale(1e6, Text("triệu đồng", "VND million"), language)


def _written(value: float, decimals: int, language: Language) -> str:
    text = f"{value:,.{decimals}f}"
    if float(text.replace(",", "")) == 0:
        text = text.lstrip("-")  # a loss too small to show is no minus nothing
    return text.translate(str.maketrans(",.", ".,")) if language == "vi" else text


def _revenue_profit(
    revenue: list[float], costs: list[float], net: list[float], years: Sequence[str], language: Language
) -> Picture:
    scale = _scale([*revenue, *costs], language)
    figure = _figure(height=4.1)
    # Profit is a small part of revenue: on the same scale its line would lie on the axis.
    bars, line = figure.subplots(2, 1, sharex=True, gridspec_kw={"height_ratios": (2, 1)})
    places = range(len(years))
    many = len(years) > _MOST_BARS_LABELLED
    for offset, values, title, style in (
        (-0.2, revenue, _REVENUE, _FIRST),
        (0.2, costs, _COSTS, _SECOND),
    ):
        drawn = bars.bar([place + offset for place in places], values, 0.38, label=title.in_(language), **style)
        bars.bar_label(drawn, [scale.written(value) for value in values], padding=2, fontsize=7 if many else 8.5)
    line.plot(places, net, color=_LINE, marker="o", markersize=5, linewidth=1.8, label=_NET.in_(language))
    _zero(line)
    for place, value in enumerate(net):
        below = value < 0
        line.annotate(
            scale.written(value), (place, value), textcoords="offset points", xytext=(0, -7 if below else 7),
            ha="center", va="top" if below else "bottom", fontsize=8 if many else 9,
        )  # fmt: skip
    bars.set_title(scale.titled(Text("Doanh thu, chi phí và lợi nhuận sau thuế", "Revenue, costs and net profit")))
    for axes in (bars, line):
        _amounts(axes, scale)
    bars.margins(y=0.12)
    line.margins(y=0.35)
    _years(line, years)
    figure.legend(loc="outside lower center", ncols=3)
    said = ". ".join(
        f"{_plain(year)}: "
        + "; ".join(
            f"{name.in_(language).lower()} {scale.written(value)}"
            for name, value in ((_REVENUE, r), (_COSTS, c), (_NET, n))
        )
        for year, r, c, n in zip(years, revenue, costs, net, strict=True)
    )
    opened = Text("Biểu đồ cột và đường,", "Bars and line,").in_(language)
    return _picture(figure, f"{opened} {scale.unit.in_(language)}. {said}.")


def _cash(cash: list[float], years: Sequence[str], language: Language, *, opening_known: bool) -> Picture:
    scale = _scale(cash, language)
    title = scale.titled(Text("Tiền cuối năm", "Closing cash"))
    without = Text("Chưa gồm tiền đầu kỳ: chưa có số liệu", "Without opening cash, which is not available")
    figure = _figure(height=2.7)
    axes = figure.subplots()
    drawn = axes.bar(range(len(years)), cash, 0.55, **_FIRST)
    for bar, value in zip(drawn, cash, strict=True):
        if value < 0:
            bar.set(facecolor=_THIRD["color"], hatch=_THIRD["hatch"])  # a shortfall is seen without reading the sign
    axes.bar_label(drawn, [scale.written(value) for value in cash], padding=2, fontsize=9)
    _zero(axes)
    axes.set_title(title)
    _amounts(axes, scale)
    axes.margins(y=0.16)
    _years(axes, years)
    if not opening_known:
        figure.supxlabel(without.in_(language), fontsize=8.5, fontstyle="italic")
    said = "; ".join(f"{_plain(year)}: {scale.written(value)}" for year, value in zip(years, cash, strict=True))
    note = "" if opening_known else f" {without.in_(language)}."
    opened = Text("Biểu đồ cột:", "Bars:").in_(language)
    return _picture(figure, f"{opened} {title[0].lower()}{title[1:]}. {said}.{note}")


def _funding(*, loan: float, own: float, language: Language) -> Picture:
    total = loan + own
    scale = _scale([total], language)
    title = scale.titled(Text("Cơ cấu nguồn vốn của dự án", "Funding of the project"))
    figure = _figure(height=1.7)
    axes = figure.subplots()
    begin, said = 0.0, []
    for amount, name, style in (
        (own, _OWN, _FIRST),
        (loan, _LOAN, _SECOND),
    ):
        share = amount / total * 100
        shown = f"{_written(share, 1, language)}%"
        axes.barh(0, share, 0.5, left=begin, label=name.in_(language), **style)
        text = f"{scale.written(amount)}\n({shown})"
        if share >= 12:
            axes.text(
                begin + share / 2, 0, text, ha="center", va="center", linespacing=1.25, color="black",
                bbox={"boxstyle": "round,pad=0.25", "facecolor": "white", "edgecolor": "none"},
            )  # fmt: skip
        elif amount:
            axes.text(begin + share / 2, 0.3, f"{scale.written(amount)} ({shown})", ha="center", va="bottom")
        begin += share
        said.append(f"{name.in_(language)}: {scale.written(amount)} ({shown})")
    axes.set(xlim=(0, 100), ylim=(-0.35, 0.55 if min(own, loan) / total < 0.12 else 0.35), yticks=[])
    axes.spines["left"].set_visible(False)
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:.0f}%")
    axes.set_title(title)
    figure.legend(loc="outside lower center", ncols=2)
    opened = Text("Biểu đồ thanh:", "Stacked bar:").in_(language)
    whole = Text("Tổng", "Total").in_(language)
    return _picture(
        figure, f"{opened} {title[0].lower()}{title[1:]}. {'; '.join(said)}. {whole}: {scale.written(total)}."
    )


def _scenarios(values: Sequence[float], language: Language) -> Picture:
    from include.documents.workbooks.financial_model.assumptions import SCENARIOS

    names = [scenario.in_(language) for scenario, _ in zip(SCENARIOS, values, strict=True)]
    scale = _scale(values, language)
    title = scale.titled(Text("NPV của dự án theo kịch bản", "NPV of the project by scenario"))
    figure = _figure(height=2.5)
    axes = figure.subplots()
    for place, (name, value, style) in enumerate(zip(names, values, (_FIRST, _THIRD, _SECOND), strict=True)):
        drawn = axes.bar(place, value, 0.5, label=name, **style)
        axes.bar_label(drawn, [scale.written(value)], padding=3)
    _zero(axes)
    axes.set_title(title)
    _amounts(axes, scale)
    axes.margins(x=0.15, y=0.18)
    axes.set_xticks([])
    axes.spines["bottom"].set_visible(False)
    figure.legend(loc="outside lower center", ncols=len(names))
    said = "; ".join(f"{name}: {scale.written(value)}" for name, value in zip(names, values, strict=True))
    return _picture(figure, f"{Text('Biểu đồ cột:', 'Bars:').in_(language)} {title}. {said}.")


def _figure(*, height: float) -> Figure:
    """Return an empty figure, ``height`` inches high, as wide as it is printed."""
    from matplotlib.figure import Figure  # not pyplot, which keeps figures of the whole process

    return Figure(figsize=(WIDTH_MM / 25.4, height), dpi=_DOTS_PER_INCH, layout="constrained", facecolor="white")


def _amounts(axes: Axes, scale: _Scale) -> None:
    axes.yaxis.set_major_formatter(lambda value, _: _short(value / scale.vnd, scale.language))
    axes.grid(axis="y")


def _short(value: float, language: Language) -> str:
    """Return a mark of the axis with as many decimals as it needs."""
    decimals = next((n for n in (0, 1) if math.isclose(round(value, n), value, abs_tol=1e-9)), 2)
    return _written(value, decimals, language)


def _zero(axes: Axes) -> None:
    axes.axhline(0, color="black", linewidth=0.8)


def _years(axes: Axes, years: Sequence[str]) -> None:
    axes.set_xticks(range(len(years)), [year.replace(" – ", "\n") for year in years])
    axes.tick_params(axis="x", length=0)
    axes.spines["bottom"].set_visible(False)


def _plain(year: str) -> str:
    return year.replace(" – ", " (") + ")" if " – " in year else year


def _picture(figure: Figure, alt: str) -> Picture:
    written = io.BytesIO()
    # Without the name of the program, whose version would change the bytes.
    figure.savefig(written, format="png", metadata={"Software": None})
    return Picture(written.getvalue(), alt, WIDTH_MM)
