"""Charts show the model's figures to people who print without colour, and to those who hear them read out."""

from __future__ import annotations

import hashlib
import io
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from include.documents.charts import WIDTH_MM, plan_charts
from include.engagement.process import LANGUAGES, Language

ROOT = Path(__file__).resolve().parents[2]
YEARS = {
    "vi": [f"Năm {n} – {2026 + n}" for n in range(1, 4)],
    "en": [f"Year {n} – {2026 + n}" for n in range(1, 4)],
}
NUMBERS: dict[str, Any] = {
    "revenue": [18_809_000_000.0, 21_216_000_000.0, 23_123_000_000.0],
    "costs": [16_800_000_000.0, 18_100_000_000.0, 19_450_000_000.0],
    "net": [-310_000_000.0, 1_210_000_000.0, 1_820_000_000.0],
    "cash": [-560_000_000.0, 1_204_000_000.0, 2_400_000_000.0],
    "opening_cash": None,
    "funding": {"loan": 6_000_000_000.0, "own_capital": 2_200_000_000.0},
    "scenarios": [-649_000_000.0, -2_300_000_000.0, 1_400_000_000.0],
}
ALL = ["revenue_profit", "cash", "funding", "scenarios"]


def picture(data: bytes) -> Image.Image:
    image = Image.open(io.BytesIO(data))
    image.load()
    return image


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_chart_is_a_png_as_wide_as_it_is_printed(language: Language) -> None:
    charts = plan_charts(NUMBERS, YEARS[language], language)
    assert list(charts) == ALL
    for chart in charts.values():
        image = picture(chart.data)
        assert image.format == "PNG"
        assert image.width / 200 * 25.4 == pytest.approx(WIDTH_MM, abs=0.2)
        assert chart.width_mm == WIDTH_MM


@pytest.mark.parametrize("key", ALL)
def test_a_chart_is_drawn_and_its_series_differ_without_colour(key: str) -> None:
    grey = picture(plan_charts(NUMBERS, YEARS["vi"], "vi")[key].data).convert("L")
    shades = {shade: count for count, shade in grey.getcolors(256) or ()}
    ink = sum(count for shade, count in shades.items() if shade < 128)
    assert 0.01 < ink / (grey.width * grey.height) < 0.5
    assert shades[255] > 0.3 * grey.width * grey.height


def test_the_same_figures_give_the_same_bytes_in_another_process_too() -> None:
    program = (
        "import hashlib\nfrom include.documents.charts import plan_charts\n"
        "from tests.documents.test_charts import NUMBERS, YEARS\n"
        "charts = plan_charts(NUMBERS, YEARS['vi'], 'vi').values()\n"
        "print(hashlib.sha256(b''.join(chart.data for chart in charts)).hexdigest())"
    )
    other = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, check=True, capture_output=True, text=True,
        env={**os.environ, "PYTHONHASHSEED": "7", "TZ": "Asia/Ho_Chi_Minh", "PYTHONPATH": str(ROOT)},
    ).stdout.strip()  # fmt: skip
    here = b"".join(chart.data for chart in plan_charts(NUMBERS, YEARS["vi"], "vi").values())
    assert hashlib.sha256(here).hexdigest() == other


def test_other_figures_give_another_picture() -> None:
    other = {**NUMBERS, "cash": [1.0e9, 2.0e9, 3.0e9]}
    assert plan_charts(other, YEARS["vi"], "vi")["cash"].data != plan_charts(NUMBERS, YEARS["vi"], "vi")["cash"].data


def test_the_alternative_text_says_every_figure_as_vietnamese_readers_write_it() -> None:
    charts = plan_charts(NUMBERS, YEARS["vi"], "vi")
    assert charts["revenue_profit"].alt == (
        "Biểu đồ cột và đường, tỷ đồng. "
        "Năm 1 (2027): doanh thu 18,8; chi phí hoạt động 16,8; lợi nhuận sau thuế -0,31. "
        "Năm 2 (2028): doanh thu 21,2; chi phí hoạt động 18,1; lợi nhuận sau thuế 1,2. "
        "Năm 3 (2029): doanh thu 23,1; chi phí hoạt động 19,4; lợi nhuận sau thuế 1,8."
    )
    assert charts["funding"].alt == (
        "Biểu đồ thanh: cơ cấu nguồn vốn của dự án (triệu đồng). Vốn chủ sở hữu góp thêm: 2.200 (26,8%); "
        "Vốn vay: 6.000 (73,2%). Tổng: 8.200."
    )


def test_the_alternative_text_says_every_figure_as_english_readers_write_it() -> None:
    charts = plan_charts(NUMBERS, YEARS["en"], "en")
    assert charts["cash"].alt == (
        "Bars: closing cash (VND million). Year 1 (2027): -560; Year 2 (2028): 1,204; Year 3 (2029): 2,400. "
        "Without opening cash, which is not available."
    )
    assert charts["scenarios"].alt == (
        "Bars: NPV of the project by scenario (VND million). Base: -649; Cautious: -2,300; Favourable: 1,400."
    )


def test_cash_that_begins_with_what_the_company_has_needs_no_remark() -> None:
    charts = plan_charts({**NUMBERS, "opening_cash": 300_000_000.0}, YEARS["vi"], "vi")
    assert charts["cash"].alt.endswith("Năm 3 (2029): 2.400.")
    assert charts["cash"].data != plan_charts(NUMBERS, YEARS["vi"], "vi")["cash"].data


@pytest.mark.parametrize(
    ("key", "numbers"),
    [
        ("revenue_profit", {"revenue": [1.0e9, None, 3.0e9]}),
        ("revenue_profit", {"costs": [None, None, None]}),
        ("revenue_profit", {"net": None}),
        ("cash", {"cash": [1.0e9, float("nan"), 2.0e9]}),
        ("funding", {"funding": {"loan": None, "own_capital": 2.0e9}}),
        ("funding", {"funding": {"loan": 0.0, "own_capital": 0.0}}),
        ("funding", {"funding": None}),
        ("scenarios", {"scenarios": [1.0e9, None, 2.0e9]}),
        ("scenarios", {"scenarios": []}),
    ],
)
def test_a_chart_of_which_a_figure_is_missing_is_left_out_and_the_others_stay(key: str, numbers: Any) -> None:
    assert list(plan_charts({**NUMBERS, **numbers}, YEARS["vi"], "vi")) == [chart for chart in ALL if chart != key]


def test_a_model_without_figures_has_no_charts() -> None:
    assert plan_charts({}, [], "vi") == {}


def test_figures_that_do_not_belong_to_the_years_are_refused() -> None:
    with pytest.raises(ValueError, match="3 values for 2 years"):
        plan_charts(NUMBERS, YEARS["vi"][:2], "vi")


def test_ten_years_and_a_small_share_are_still_drawn() -> None:
    ten = [1.0e9 * n for n in range(1, 11)]
    numbers = {
        **NUMBERS, "revenue": ten, "costs": ten, "net": ten, "cash": ten,
        "funding": {"loan": 1.0e9, "own_capital": 30.0e9},
    }  # fmt: skip
    charts = plan_charts(numbers, [f"Năm {n} – {2026 + n}" for n in range(1, 11)], "vi")
    assert "Vốn vay: 1,0 (3,2%)" in charts["funding"].alt
    assert all(picture(chart.data).width == 1259 for chart in charts.values())


def test_the_settings_of_other_drawings_in_the_process_are_left_as_they_were() -> None:
    import matplotlib

    before = dict(matplotlib.rcParams)
    plan_charts(NUMBERS, YEARS["vi"], "vi")
    assert dict(matplotlib.rcParams) == before


def test_importing_the_module_loads_no_matplotlib() -> None:
    program = "import sys, include.documents.charts; sys.exit('matplotlib' in sys.modules)"
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=False, env=env)
    assert done.returncode == 0
