"""How charts look: titles, axes that show, the sheets' type, series that differ without colour too."""

from __future__ import annotations

from openpyxl.chart import BarChart, LineChart
from openpyxl.chart.axis import ChartLines
from openpyxl.chart.legend import Legend
from openpyxl.chart.shapes import GraphicalProperties
from openpyxl.chart.text import RichText, Text
from openpyxl.chart.title import Title
from openpyxl.drawing.line import LineProperties
from openpyxl.drawing.text import CharacterProperties, Paragraph, ParagraphProperties, RegularTextRun
from openpyxl.drawing.text import Font as Typeface

from include.documents.workbooks.layout import FONT, numbers_in
from include.engagement.process import Language

_BARS = ("A9B8D0", "1F3864", "C55A11", "2E7D32")
_LINES = (("1F3864", "solid", "circle"), ("C55A11", "dash", "square"), ("2E7D32", "sysDot", "triangle"))


def finish(
    chart: BarChart | LineChart, *, title: str, x: str, width: float, height: float, language: Language
) -> None:
    """Give a chart its title, axes, size (cm) and series; amounts are shown in millions to keep the axis short."""
    chart.title = _title(title, points=12)
    chart.width, chart.height = width, height  # type: ignore[assignment]
    chart.legend = Legend()
    chart.legend.position = "b"
    chart.legend.txPr = _text(points=10)
    if x:
        chart.x_axis.title = _title(x, points=10)
    chart.x_axis.tickLblPos = "low"  # below the chart, also where bars go down
    chart.x_axis.delete = chart.y_axis.delete = False  # without this, some programs draw no axis at all
    chart.x_axis.txPr = chart.y_axis.txPr = _text(points=10)
    chart.y_axis.number_format = numbers_in(language, "#,##0,,")
    chart.y_axis.majorGridlines = ChartLines()
    chart.y_axis.majorGridlines.spPr = GraphicalProperties(ln=LineProperties(solidFill="D9D9D9"))
    for number, series in enumerate(chart.series):
        if isinstance(chart, LineChart):
            colour, dash, symbol = _LINES[number % len(_LINES)]
            line = series.graphicalProperties.line
            line.solidFill, line.width, line.dashStyle = colour, 28_000, dash
            series.marker.symbol, series.marker.size = symbol, 7
            series.marker.graphicalProperties = GraphicalProperties(solidFill=colour)
            series.smooth = False
        else:
            series.graphicalProperties.solidFill = _BARS[number % len(_BARS)]


def _title(wording: str, *, points: float) -> Title:
    face = _face(points, bold=True)
    paragraph = Paragraph(pPr=ParagraphProperties(defRPr=face), r=[RegularTextRun(rPr=face, t=wording)])
    return Title(tx=Text(rich=RichText(p=[paragraph])), overlay=False)


def _text(*, points: float) -> RichText:
    face = _face(points, bold=False)
    return RichText(p=[Paragraph(pPr=ParagraphProperties(defRPr=face), endParaRPr=face)])


def _face(points: float, *, bold: bool) -> CharacterProperties:
    return CharacterProperties(sz=int(points * 100), b=bold, latin=Typeface(typeface=FONT))
