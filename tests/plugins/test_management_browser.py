"""The report and the calendar in a real browser: no barrier, no sideways scrolling; pictures on demand."""

from __future__ import annotations

import os
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, sync_playwright

from tests.plugins.conftest import Staff
from tests.plugins.test_staff_browser import CHROMIUM, RULES, WIDTHS
from tests.plugins.test_staff_browser import served as served
from tests.seeded import seed


def look(page: Page, name: str, device: str, width: int) -> None:
    found: Any = Axe().run(page, options=RULES)
    assert found.violations_count == 0, f"{name}: {found.generate_report()}"
    assert page.evaluate("document.documentElement.scrollWidth") <= width, name
    assert page.evaluate("Array.from(document.images).every(image => image.naturalWidth > 0)"), name
    if folder := os.environ.get("PAGES_PICTURES"):
        Path(folder).mkdir(parents=True, exist_ok=True)
        page.screenshot(path=Path(folder) / f"{name}-{device}.png", full_page=True)


@pytest.mark.browser
def test_the_report_has_no_barrier_and_every_chart_is_seen(staff: Staff, served: str) -> None:
    with staff.firm.office().sessions() as session:
        seed(session, finished=120, still_open=25, today=date(2026, 12, 1))
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        for device, (width, height) in WIDTHS.items():
            page = browser.new_context(viewport={"width": width, "height": height}, locale="vi-VN",
                                       bypass_csp=True).new_page()  # fmt: skip
            page.goto(f"{served}/reports")
            look(page, "reports", device, width)
        browser.close()
