"""Charts of the report: read on a screen, told apart without colour, each with words for those who hear it.

The figures stand in a table beside each chart, so its alternative text says what it shows and what stands out.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from functools import lru_cache
from threading import Lock
from typing import TYPE_CHECKING, Any

from include.casework import reports
from include.casework.report_tables import reminder_name
from include.casework.reports import AT_ONCE, RATINGS, SOON
from include.documents.picture import Picture
from include.engagement import process
from include.engagement.process import Language, Text

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_WIDTH_INCHES, _DOTS_PER_INCH = 6.3, 200
_MOST_MARKS = 12  # months named on an axis
_DARK, _LIGHT, _LINE, _GRID, _QUIET = "#0b5c4b", "#bfdcd3", "#a84a10", "#d5dbe1", "#55606e"
_FIRST: Mapping[str, Any] = {"color": _DARK, "edgecolor": _DARK, "linewidth": 0.7}
_SECOND: Mapping[str, Any] = {**_FIRST, "color": _LIGHT, "hatch": "////"}
_THIRD: Mapping[str, Any] = {**_FIRST, "color": "white", "hatch": "...."}
_FOURTH: Mapping[str, Any] = {**_FIRST, "color": "#e9edf1", "edgecolor": _QUIET}
_LINES = (("o", "-"), ("s", "--"), ("^", "-."), ("D", ":"), ("v", (0, (5, 1))))
_SHADES = (_DARK, _LINE, "#2f5597", "#7a3b8f", "#3a3f45")
_FONTS = ("Liberation Sans", "Arial", "DejaVu Sans")
_LOOK: Mapping[Any, Any] = {
    "font.size": 9.5,
    "axes.linewidth": 0.8,
    "axes.edgecolor": _QUIET,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.titlesize": 9.5,
    "grid.color": _GRID,
    "grid.linewidth": 0.6,
    "hatch.color": _DARK,
    "hatch.linewidth": 0.6,
    "legend.frameon": False,
    "text.parse_math": False,
}
_drawing = Lock()  # the program's look belongs to the whole process


@lru_cache(maxsize=64)
def drawn(key: str, figures: Any, language: Language) -> Picture:
    """Return a chart of ``CHARTS``; the same figures are drawn once. KeyError: there is no such chart."""
    draw = CHARTS[key]
    from matplotlib import rc_context
    from matplotlib.font_manager import fontManager

    installed = set(fontManager.get_font_names())
    with _drawing, rc_context({**_LOOK, "font.family": [font for font in _FONTS if font in installed]}):
        figure = draw(figures, language)
        written = io.BytesIO()
        figure.savefig(written, format="png", metadata={"Software": None})
    return Picture(written.getvalue(), described(key, figures, language), _WIDTH_INCHES * 25.4)


def described(key: str, figures: Any, language: Language) -> str:
    """Return the alternative text of a chart."""
    told: Text = _WORDS[key](figures)
    beside = Text("Số liệu ở bảng bên cạnh.", "The figures are in the table beside it.")
    return f"{told.in_(language)} {beside.in_(language)}"


# --- the charts -----------------------------------------------------------------------------------------


def _flow(flow: reports.Flow, language: Language) -> Figure:
    figure = _figure(3.5)
    bars, line = figure.subplots(2, 1, sharex=True, gridspec_kw={"height_ratios": (2, 1)})
    months = [month.month for month in flow.months]
    _pairs(bars, [m.opened for m in flow.months], [m.closed for m in flow.months],
           Text("Mở", "Opened").in_(language), Text("Đóng", "Closed").in_(language))  # fmt: skip
    line.plot(range(len(months)), [m.open_at_end for m in flow.months], color=_LINE, marker="o", markersize=4,
              label=Text("Đang mở cuối tháng", "Open at the end of the month").in_(language))  # fmt: skip
    line.set_ylim(bottom=0, top=max(1, max(m.open_at_end for m in flow.months)) * 1.15)
    for axes in (bars, line):
        _whole(axes)
    _months(line, months)
    figure.legend(loc="outside lower center", ncols=3)
    return figure


def _stages(stages: Sequence[reports.StageFlow], language: Language) -> Figure:
    figure = _figure(3.6, wide=2)
    grid = figure.subplots(2, 4, sharex=True, sharey=True)
    for axes, each in zip(grid.flat, stages, strict=True):
        _pairs(axes, [opened for _, opened, _ in each.months], [closed for _, _, closed in each.months],
               Text("Mở", "Opened").in_(language), Text("Đóng", "Closed").in_(language))  # fmt: skip
        axes.set_title(_broken(process.STAGES[each.stage].title.in_(language)), loc="left")
        _whole(axes)
        _months(axes, [month for month, _, _ in each.months], marks=4)
    figure.legend(*grid.flat[0].get_legend_handles_labels(), loc="outside lower center", ncols=2)
    return figure


def _times(times: Sequence[reports.StageTime], language: Language) -> Figure:
    figure = _figure(3.3)
    axes = figure.subplots()
    places = range(len(times))
    medians = [each.median or 0 for each in times]
    reach = [max(0, (each.slowest_tenth or 0) - (each.median or 0)) for each in times]
    axes.barh(places, medians, 0.5, label=Text("Trung vị", "Median").in_(language), **_FIRST)
    axes.barh(places, reach, 0.5, left=medians, label=Text("Đến 9/10 hồ sơ", "Up to 9 in 10").in_(language), **_SECOND)
    axes.scatter([each.standard for each in times], places, marker="|", s=420, linewidths=2.6, color=_LINE, zorder=3,
                 label=Text("Chuẩn", "Standard").in_(language))  # fmt: skip
    _rows(axes, [process.STAGES[each.stage].title.in_(language) for each in times])
    axes.set_xlabel(Text("ngày làm việc", "working days").in_(language))
    figure.legend(loc="outside lower center", ncols=3)
    return figure


def _lost(times: Sequence[reports.StageTime], language: Language) -> Figure:
    figure = _figure(3.3)
    axes = figure.subplots()
    places = range(len(times))
    firm = [each.firm_days / each.rounds if each.rounds else 0 for each in times]
    client = [each.client_days / each.rounds if each.rounds else 0 for each in times]
    axes.barh(places, firm, 0.55, label=Text("Công ty", "Firm").in_(language), **_FIRST)
    axes.barh(places, client, 0.55, left=firm, label=Text("Chờ khách", "Client").in_(language), **_SECOND)
    _rows(axes, [process.STAGES[each.stage].title.in_(language) for each in times])
    axes.margins(x=0.05)
    axes.set_xlabel(Text("ngày làm việc, trung bình một vòng", "working days, mean of a round").in_(language))
    figure.legend(loc="outside lower center", ncols=2)
    return figure


def _council(council: reports.Council, language: Language) -> Figure:
    figure = _figure(3.1)
    axes = figure.subplots()
    passed, failed = [p for _, p, _ in council.months], [f for _, _, f in council.months]
    places = range(len(passed))
    axes.bar(places, passed, 0.6, label=Text("Đạt", "Passed").in_(language), **_FIRST)
    axes.bar(places, failed, 0.6, bottom=passed, label=Text("Không đạt", "Failed").in_(language), **_SECOND)
    if len(passed) <= _MOST_MARKS:
        for place, p, f in zip(places, passed, failed, strict=True):
            if p + f:
                axes.annotate(f"{p / (p + f):.0%}", (place, p + f), textcoords="offset points", xytext=(0, 3),
                              ha="center", fontsize=8.5)  # fmt: skip
    axes.margins(y=0.14)
    _whole(axes)
    _months(axes, [month for month, _, _ in council.months])
    figure.legend(loc="outside lower center", ncols=2)
    return figure


def _criteria(council: reports.Council, language: Language) -> Figure:
    figure = _figure(2.7)
    axes = figure.subplots()
    titles = {criterion.key: criterion.title for criterion in process.CRITERIA}
    for offset, points, name, style in (
        (-0.18, [each.passed for each in council.criteria], Text("Khi đạt", "When passed"), _FIRST),
        (0.18, [each.failed for each in council.criteria], Text("Khi không đạt", "When failed"), _SECOND),
    ):
        drawn_bars = axes.barh([n + offset for n in range(len(points))], [point or 0 for point in points], 0.34,
                               label=name.in_(language), **style)  # fmt: skip
        axes.bar_label(drawn_bars, [_places(point, language) for point in points], padding=3, fontsize=8.5)
    axes.axvline(process.PASS_MARK, color=_LINE, linewidth=1.8,
                 label=f"{Text('Mức đạt', 'Pass mark').in_(language)}: {process.PASS_MARK}")  # fmt: skip
    axes.set_xlim(0, process.COUNCIL_POINTS)
    _rows(axes, [titles[each.key].in_(language) for each in council.criteria])
    figure.legend(loc="outside lower center", ncols=3)
    return figure


def _reserve(reserve: reports.Reserve, language: Language) -> Figure:
    figure = _figure(2.9)
    axes = figure.subplots()
    _pairs(axes, [spent for _, spent, _ in reserve.months], [granted for _, _, granted in reserve.months],
           Text("Đã dùng", "Spent").in_(language), Text("Cấp thêm", "Granted").in_(language))  # fmt: skip
    axes.set_ylabel(Text("ngày làm việc", "working days").in_(language))
    _whole(axes)
    _months(axes, [month for month, _, _ in reserve.months])
    figure.legend(loc="outside lower center", ncols=2)
    return figure


def _reminders(effects: Sequence[reports.ReminderEffect], language: Language) -> Figure:
    rows = {row.key: row for row in process.REMINDERS}
    figure = _figure(3.4)
    axes = figure.subplots()
    begin = [0.0] * len(effects)
    for name, counts, style in (
        (Text(f"trong {AT_ONCE} ngày", f"within {AT_ONCE}"), [each.at_once for each in effects], _FIRST),
        (Text(f"trong {SOON} ngày", f"within {SOON}"), [each.soon for each in effects], _SECOND),
        (Text("muộn hơn", "later"), [each.later for each in effects], _THIRD),
        (Text("chưa trả lời", "not answered"), [each.unanswered for each in effects], _FOURTH),
    ):
        shares = [100 * count / each.sent if each.sent else 0 for count, each in zip(counts, effects, strict=True)]
        axes.barh(range(len(effects)), shares, 0.58, left=begin, label=name.in_(language), **style)
        begin = [start + width for start, width in zip(begin, shares, strict=True)]
    _rows(axes, [f"{reminder_name(rows[each.key]).in_(language)} ({each.sent})" for each in effects])
    axes.set_xlim(0, 100)
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:.0f}%")
    figure.legend(loc="outside lower center", ncols=4)
    return figure


def _ratings(found: reports.Evaluations, language: Language) -> Figure:
    labels = {item.key: item.label.in_(language).rpartition(" (")[0] for item in process.REQUESTS["evaluation"].items}
    figure = _figure(3.5)
    axes = figure.subplots()
    for number, (key, (marker, style), shade) in enumerate(zip(RATINGS, _LINES, _SHADES, strict=True)):
        known = [(place, month.ratings[number]) for place, month in enumerate(found.months)]
        points = [(place, value) for place, value in known if value is not None]
        axes.plot([place for place, _ in points], [value for _, value in points], marker=marker, markersize=4.5,
                  linestyle=style, linewidth=1.5, color=shade, label=labels[key])  # fmt: skip
    axes.set_ylim(0.9, 5.1)
    axes.set_yticks(range(1, 6))
    axes.grid(axis="y")
    _months(axes, [month.month for month in found.months if month.month])
    figure.legend(loc="outside lower center", ncols=2)
    return figure


def _recommend(found: reports.Evaluations, language: Language) -> Figure:
    figure = _figure(2.9)
    axes = figure.subplots()
    for place, month in enumerate(found.months):
        if month.score is not None:
            bars = axes.bar(place, month.score, 0.6, **(_FIRST if month.score >= 0 else _SECOND))
            if len(found.months) <= _MOST_MARKS:
                axes.bar_label(bars, [f"{month.score:+d}" if month.score else "0"], padding=2, fontsize=8.5)
    axes.axhline(0, color="black", linewidth=0.8)
    axes.set_ylim(-112, 112)
    axes.set_yticks((-100, -50, 0, 50, 100))
    axes.grid(axis="y")
    _months(axes, [month.month for month in found.months if month.month])
    return figure


CHARTS: dict[str, Callable[[Any, Language], Figure]] = {
    "flow": _flow, "stages": _stages, "times": _times, "lost": _lost, "council": _council, "criteria": _criteria,
    "reserve": _reserve, "reminders": _reminders, "ratings": _ratings, "recommend": _recommend,
}  # fmt: skip


# --- what they say --------------------------------------------------------------------------------------


def _says_times(times: Sequence[reports.StageTime]) -> Text:
    slow = [each for each in times if each.median is not None and each.median > each.standard]
    if not slow:
        return Text("Biểu đồ thanh: thời gian từng giai đoạn so với chuẩn; không giai đoạn nào có trung vị vượt chuẩn.",
                    "Bars: lead time of each stage against its standard; no stage’s median is above it.")  # fmt: skip
    names = [process.STAGES[each.stage].title for each in slow]
    return Text(
        "Biểu đồ thanh: thời gian từng giai đoạn so với chuẩn; trung vị vượt chuẩn ở: "
        f"{', '.join(name.vi for name in names)}.",
        "Bars: lead time of each stage against its standard; the median is above it in: "
        f"{', '.join(name.en for name in names)}.",
    )


def _says_lost(times: Sequence[reports.StageTime]) -> Text:
    firm, client = sum(each.late_firm for each in times), sum(each.late_client for each in times)
    return Text(
        "Biểu đồ thanh chồng: ngày của công ty và ngày chờ khách, trung bình một vòng. "
        f"Trễ do công ty {firm} ngày, do khách {client} ngày.",
        "Stacked bars: days of the firm and of waiting for the client, mean of a round. "
        f"Late by the firm {firm} days, by the client {client} days.",
    )


def _says_council(council: reports.Council) -> Text:
    whole = council.passed + council.failed
    return Text(f"Biểu đồ cột chồng: kết luận vòng 1 theo tháng; {council.passed} trên {whole} đạt ngay vòng đầu.",
                f"Stacked bars: first verdicts by month; {council.passed} of {whole} passed at first.")  # fmt: skip


def _says_criteria(council: reports.Council) -> Text:
    titles = {criterion.key: criterion.title for criterion in process.CRITERIA}
    worst = max(council.criteria, key=lambda each: each.below)
    if not worst.below:
        return Text("Biểu đồ thanh: điểm từng tiêu chí khi đạt và khi không đạt; không tiêu chí nào dưới mức đạt.",
                    "Bars: points by criterion when passed and when failed; none below the mark.")  # fmt: skip
    return Text(
        "Biểu đồ thanh: điểm từng tiêu chí khi đạt và khi không đạt; hay dưới mức đạt nhất: "
        f"{titles[worst.key].vi} ({worst.below} lần).",
        "Bars: points by criterion when passed and when failed; most often below the mark: "
        f"{titles[worst.key].en} ({worst.below} times).",
    )


def _says_reminders(effects: Sequence[reports.ReminderEffect]) -> Text:
    sent = sum(each.sent for each in effects)
    answered = sent - sum(each.unanswered for each in effects)
    return Text(f"Biểu đồ thanh chồng: khách trả lời sau bao lâu, theo lời nhắc; {answered} trên {sent} lời nhắc có "
                "trả lời trước lời nhắc kế tiếp.",
                f"Stacked bars: how soon clients answered, by reminder; {answered} of {sent} reminders were answered "
                "before the next.")  # fmt: skip


def _says_recommend(found: reports.Evaluations) -> Text:
    score = found.whole.score
    if score is None:
        return Text("Biểu đồ cột: chỉ số giới thiệu theo tháng; chưa có phiếu nào.",
                    "Bars: recommendation score by month; no form yet.")  # fmt: skip
    return Text(f"Biểu đồ cột: chỉ số giới thiệu theo tháng; cả kỳ {score:+d}.",
                f"Bars: recommendation score by month; {score:+d} for the period.")  # fmt: skip


_WORDS: dict[str, Callable[[Any], Text]] = {
    "flow": lambda flow: Text(
        f"Biểu đồ cột và đường: hồ sơ mở, đóng và còn mở theo tháng; cả kỳ mở {flow.opened}, đóng {flow.closed}.",
        f"Bars and line: engagements opened, closed and open by month; {flow.opened} opened and {flow.closed} closed.",
    ),
    "stages": lambda stages: Text(
        "Tám biểu đồ cột nhỏ: mỗi giai đoạn được mở và đóng bao nhiêu lần theo tháng.",
        "Eight small bar charts: how often each stage was opened and closed by month.",
    ),
    "times": _says_times,
    "lost": _says_lost,
    "council": _says_council,
    "criteria": _says_criteria,
    "reserve": lambda reserve: Text(
        f"Biểu đồ cột: ngày dự trù đã dùng và được cấp thêm theo tháng; cả kỳ dùng {sum(m[1] for m in reserve.months)} "
        f"ngày, cấp thêm {sum(m[2] for m in reserve.months)} ngày.",
        f"Bars: days of reserve spent and granted by month; {sum(m[1] for m in reserve.months)} spent and "
        f"{sum(m[2] for m in reserve.months)} granted.",
    ),
    "reminders": _says_reminders,
    "ratings": lambda found: Text(
        f"Biểu đồ đường: điểm trung bình 1–5 của năm câu hỏi theo tháng, {found.whole.answers} phiếu.",
        f"Lines: mean of 1–5 of five questions by month, {found.whole.answers} forms.",
    ),
    "recommend": _says_recommend,
}


# --- how they are drawn ---------------------------------------------------------------------------------


def _figure(height: float, *, wide: float = 1) -> Figure:
    """Return an empty figure, ``height`` inches high, ``wide`` times as wide as the others."""
    from matplotlib.figure import Figure

    return Figure(figsize=(_WIDTH_INCHES * wide, height), dpi=_DOTS_PER_INCH, layout="constrained", facecolor="white")


def _pairs(axes: Axes, first: Sequence[int], second: Sequence[int], one: str, other: str) -> None:
    axes.bar([n - 0.2 for n in range(len(first))], first, 0.38, label=one, **_FIRST)
    axes.bar([n + 0.2 for n in range(len(second))], second, 0.38, label=other, **_SECOND)


def _whole(axes: Axes) -> None:
    """Mark whole numbers only."""
    from matplotlib.ticker import MaxNLocator

    axes.yaxis.set_major_locator(MaxNLocator(integer=True, nbins=5))
    if axes.get_ylim()[1] < 1:
        axes.set_ylim(0, 1)
    axes.grid(axis="y")


def _months(axes: Axes, months: Sequence[date], *, marks: int = _MOST_MARKS) -> None:
    step = -(-len(months) // marks)
    named = range(0, len(months), step)
    # The year stands under the first month that is named of it.
    words = [
        f"{months[n].month}" + (f"\n{months[n].year}" if n == 0 or months[n].year != months[n - step].year else "")
        for n in named
    ]
    axes.set_xticks(list(named), words)
    axes.set_xlim(-0.6, len(months) - 0.4)
    axes.tick_params(axis="x", length=0)


def _rows(axes: Axes, names: Sequence[str]) -> None:
    axes.set_yticks(range(len(names)), [_broken(name) for name in names])
    axes.set_ylim(len(names) - 0.45, -0.55)
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="x")


def _broken(name: str) -> str:
    """Return a name on two lines if it is long."""
    if len(name) <= 24:
        return name
    middle = min((at for at, letter in enumerate(name) if letter == " "), key=lambda at: abs(at - len(name) / 2))
    return f"{name[:middle]}\n{name[middle + 1:]}"


def _places(value: float | None, language: Language) -> str:
    if value is None:
        return "–"
    return f"{value:.1f}".replace(".", ",") if language == "vi" else f"{value:.1f}"
