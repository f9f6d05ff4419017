"""The report, the calendar, the templates in a real browser: no barrier, no sideways scrolling; pictures on demand."""

from __future__ import annotations

import os
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, sync_playwright

from tests.firm import FORM
from tests.plugins.conftest import Staff
from tests.plugins.test_staff_browser import CHROMIUM, RULES, WIDTHS
from tests.plugins.test_staff_browser import served as served
from tests.plugins.test_templates_page import PAGE, edited
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


@pytest.mark.browser
def test_a_day_off_is_entered_looked_at_and_saved_by_keyboard_and_no_page_has_a_barrier(
    staff: Staff, served: str
) -> None:
    staff.login.role = "admin"
    staff.firm.open().ask("information")
    staff.firm.open(client={**FORM["client"], "name": "Công ty TNHH Nội thất Gỗ Việt"}).inform().decide().contract()
    staff.firm.ask("delivery")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        for number, (device, (width, height)) in enumerate(WIDTHS.items()):
            page = browser.new_context(viewport={"width": width, "height": height}, locale="vi-VN",
                                       bypass_csp=True).new_page()  # fmt: skip
            page.goto(f"{served}/calendar?year=2027")
            look(page, "calendar", device, width)
            page.get_by_label("Từ ngày").fill(f"2026-12-0{3 + number}")
            page.get_by_label("Dịp nghỉ, lý do").fill("Nghỉ của công ty")
            page.get_by_role("button", name="Xem trước").focus()
            page.keyboard.press("Enter")
            page.get_by_role("heading", name="Hạn sẽ dời").wait_for()
            look(page, "calendar-preview", device, width)
            page.get_by_role("button", name="Lưu lịch và dời các hạn trên").focus()
            page.keyboard.press("Enter")
            page.get_by_role("status").wait_for()
            look(page, "calendar-edition", device, width)
        browser.close()


@pytest.mark.browser
def test_a_template_is_sent_mended_looked_at_and_put_into_use_and_no_page_has_a_barrier(
    staff: Staff, served: str, tmp_path: Path
) -> None:
    staff.login.role = "admin"
    wrong, good = tmp_path / "sai.docx", tmp_path / "hop-dong.docx"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        for device, (width, height) in WIDTHS.items():
            wrong.write_bytes(edited(f"Giá cho {device}: {{{{ client.nmae }}}}"))
            good.write_bytes(edited(f"Điều khoản thêm ({device})."))
            page = browser.new_context(viewport={"width": width, "height": height}, locale="vi-VN",
                                       bypass_csp=True).new_page()  # fmt: skip
            page.goto(f"{served}{PAGE}")
            page.get_by_label("Tệp Word (.docx)").set_input_files(wrong)
            page.get_by_role("button", name="Kiểm tra và xem trước").click()
            page.get_by_role("alert").get_by_text("không có trường client.nmae").wait_for()
            look(page, "template-refused", device, width)
            page.get_by_label("Tệp Word (.docx)").set_input_files(good)
            page.get_by_role("button", name="Kiểm tra và xem trước").click()
            page.get_by_role("heading", name="Đưa vào dùng").wait_for()
            look(page, "template-version", device, width)
            page.get_by_label("Lý do").fill("Luật sư đề nghị")
            page.get_by_role("button", name="Đưa vào dùng").click()
            page.get_by_role("status").wait_for()
            assert page.get_by_text("Luật sư đề nghị").first.is_visible()
            look(page, "template-used", device, width)
        browser.close()
