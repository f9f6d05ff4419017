"""How charts look: titles, axes that show, the house's colours."""

from __future__ import annotations

from openpyxl.chart import BarChart, LineChart
from openpyxl.chart.axis import ChartLines
from openpyxl.chart.legend import Legend
from openpyxl.chart.shapes import GraphicalProperties
from openpyxl.drawing.line import LineProperties

_COLOURS = ("A9B8D0", "1F3864", "C55A11", "2E7D32")


def finish(chart: BarChart | LineChart, *, title: str, x: str, width: float, height: float, money: bool = True) -> None:
    """Give a chart its title, axes, size (cm) and colours; amounts are shown in millions to keep the axis short."""
    chart.title = title
    chart.width, chart.height = width, height  # type: ignore[assignment]
    chart.legend = Legend()
    chart.legend.position = "b"
    chart.x_axis.title = x or None
    chart.x_axis.tickLblPos = "low"  # below the chart, also where bars go down
    chart.x_axis.delete = chart.y_axis.delete = False  # without this, some programs draw no axis at all
    chart.y_axis.number_format = "#,##0,," if money else "0.00"
    chart.y_axis.majorGridlines = ChartLines()
    chart.y_axis.majorGridlines.spPr = GraphicalProperties(ln=LineProperties(solidFill="D9D9D9"))
    for number, series in enumerate(chart.series):
        colour = _COLOURS[number % len(_COLOURS)]
        if isinstance(chart, LineChart):
            series.graphicalProperties.line.solidFill = colour
            series.graphicalProperties.line.width = 28_000
            series.marker.symbol = "circle"
            series.smooth = False
        else:
            series.graphicalProperties.solidFill = colour
