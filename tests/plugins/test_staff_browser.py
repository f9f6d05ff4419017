"""The staff's pages in a real browser: no barrier, readable on a desk and on a tablet; pictures on demand."""

from __future__ import annotations

import os
import shutil
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from axe_playwright_python.sync_playwright import Axe
from fastapi import FastAPI
from playwright.sync_api import sync_playwright

from include.casework.drafts import save_draft
from include.casework.mailbox import read_mailbox
from include.casework.signing import ask_for
from include.screening.content import EICAR
from local.ports import HOST, Ports
from tests.casework.mailroom import Box, bounce, sent, written
from tests.firm import BAD, FORM, PDF
from tests.plugins.conftest import Staff
from tests.plugins.test_import import SILK, TEA, WRONG, filled

CHROMIUM = shutil.which("chromium")
if CHROMIUM is None and not os.environ.get("CI"):
    pytest.skip("NO CHROMIUM, THE STAFF'S PAGES WERE NOT TESTED IN A BROWSER", allow_module_level=True)
RULES = {"runOnly": {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]}}
WIDTHS = {"desk": (1280, 900), "tablet": (820, 1180)}


@pytest.fixture
def served(staff: Staff) -> Iterator[str]:
    with serving(staff) as address:
        yield address


@contextmanager
def serving(staff: Staff) -> Iterator[str]:
    """Serve the pages as Airflow mounts them, below a path of their own."""
    port, outer = Ports.free().api, FastAPI()
    outer.mount("/engagements", staff.http.app)
    server = uvicorn.Server(uvicorn.Config(outer, host=HOST, port=port, log_level="warning"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.02)
    try:
        yield f"http://{HOST}:{port}/engagements"
    finally:
        server.should_exit = True
        thread.join()


@pytest.fixture
def busy(staff: Staff) -> Staff:
    """A firm with something of everything."""
    firm, box = staff.firm, Box()
    firm.open().ask("information")
    box.deliver(bounce(sent(firm, "information_request").message_id))
    to = f"hoso+{firm.engagement}.information@kehoachviet.example"
    box.deliver(written(sender="la@o-dau.example", to=to, subject="Gửi hồ sơ công ty", text="Chào công ty.",
                        files={"business_registration.pdf": PDF}))  # fmt: skip
    read_mailbox(firm.office(), box)
    firm.put("information", {}, {"business_registration.pdf": EICAR, "scan-001.pdf": PDF}).receive("information")
    return staff


@pytest.mark.browser
def test_no_page_has_a_barrier_and_none_scrolls_sideways(busy: Staff, served: str) -> None:
    save_draft(busy.firm.office(), "nháp", {"client.name": "Hộ kinh doanh Gốm Chu Đậu"}, by="thu-ha")
    pages = {"work": "/work", "new": "/new", "import": "/import", "board": "/", "waiting": "/waiting",
             "incoming": "/incoming/2", "engagement": f"/e/{busy.firm.engagement}",
             "templates": "/templates", "template": "/templates/papers/contract/vi",
             "template-mail": "/templates/mails/welcome/vi",
             "plan": f"/e/{busy.firm.engagement}/do/remind?key=information",
             "answer": f"/e/{busy.firm.engagement}/do/answer?key=information",
             "correct": f"/e/{busy.firm.engagement}/do/correct", "end": f"/e/{busy.firm.engagement}/do/end",
             "mail": f"/e/{busy.firm.engagement}/mails/1", "failure": "/e/none", "reports": "/reports"}  # fmt: skip
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        for device, (width, height) in WIDTHS.items():
            context = browser.new_context(viewport={"width": width, "height": height}, locale="vi-VN",
                                          bypass_csp=True)  # fmt: skip
            page = context.new_page()
            failed: list[str] = []
            page.on("requestfailed", lambda request, failed=failed: failed.append(request.url))
            for name, path in pages.items():
                page.goto(served + path)
                found: Any = Axe().run(page, options=RULES)
                assert found.violations_count == 0, f"{name}: {found.generate_report()}"
                assert page.evaluate("document.documentElement.scrollWidth") <= width, name
                picture(page, f"{name}-{device}")
            assert failed == []
        browser.close()


@pytest.mark.browser
def test_a_mail_is_filed_by_keyboard_without_scripts(busy: Staff, served: str) -> None:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_context(java_script_enabled=False, locale="vi-VN").new_page()
        page.goto(f"{served}/waiting")
        page.get_by_role("link", name="Xem và xử lý").focus()
        page.keyboard.press("Enter")
        page.get_by_role("button", name="Đưa vào hồ sơ").focus()
        page.keyboard.press("Enter")
        page.get_by_role("status").wait_for()
        assert "Đã đưa thư vào hồ sơ" in page.get_by_role("status").inner_text()
        browser.close()


@pytest.mark.browser
def test_a_form_with_mistakes_puts_the_focus_on_what_is_to_mend_and_each_link_leads_to_its_field(
    busy: Staff, served: str
) -> None:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        for device, (width, height) in WIDTHS.items():
            context = browser.new_context(viewport={"width": width, "height": height}, locale="vi-VN", bypass_csp=True)
            page = context.new_page()
            page.goto(f"{served}/new")
            page.get_by_label("Tên công ty").fill("Hợp tác xã Chè Tân Cương")
            page.get_by_label("Mã số thuế").fill("6001234563")
            page.get_by_role("button", name="Mở hồ sơ").press("Enter")
            page.get_by_role("alert").wait_for()
            page.wait_for_function("document.activeElement.id == 'problems'")
            found: Any = Axe().run(page, options=RULES)
            assert found.violations_count == 0, found.generate_report()
            picture(page, f"new-refused-{device}")
            page.get_by_role("alert").get_by_role("link", name="Mã số thuế").press("Enter")
            assert page.evaluate("document.activeElement.name") == "client.tax_code"
            page.keyboard.press("Control+A")
            page.keyboard.type(FORM["client"]["tax_code"])
            page.get_by_label("Họ tên người liên hệ").fill("Lý Thị Chè")
            page.get_by_label("Email người liên hệ").fill("che@tancuong.example")
            page.get_by_role("button", name="Mở hồ sơ").press("Enter")
            page.get_by_role("alert").get_by_text(busy.firm.engagement).wait_for()
            found = Axe().run(page, options=RULES)
            assert found.violations_count == 0, found.generate_report()
            picture(page, f"new-known-{device}")
        page.get_by_role("checkbox", name="vẫn mở thêm").check()
        page.get_by_role("alert").get_by_role("button", name="Mở hồ sơ").click()
        page.get_by_role("status").wait_for()
        assert "Hợp tác xã Chè Tân Cương" in page.get_by_role("heading", level=1).inner_text()
        picture(page, "new-opened")
        browser.close()


def picture(page: Any, name: str) -> None:
    """Keep a picture of the page where PAGES_PICTURES names a folder."""
    if folder := os.environ.get("PAGES_PICTURES"):
        Path(folder).mkdir(parents=True, exist_ok=True)
        page.screenshot(path=Path(folder) / f"{name}.png", full_page=True)


@pytest.mark.browser
def test_a_sheet_is_uploaded_looked_at_and_opened_without_scripts(busy: Staff, served: str, tmp_path: Path) -> None:
    rows = [{**TEA, "client.tax_code": FORM["client"]["tax_code"]}, WRONG, SILK, SILK]
    path = tmp_path / "Khách gặp ở hội chợ.xlsx"
    path.write_bytes(filled(busy.http.get("/import/template").content, rows))
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_context(java_script_enabled=False, locale="vi-VN").new_page()
        page.goto(f"{served}/import")
        page.get_by_label("Tệp Excel").set_input_files(path)
        page.get_by_role("button", name="Kiểm tra").press("Enter")
        page.get_by_role("button", name="Mở 1 hồ sơ").wait_for()
        preview = page.url
        scripted = browser.new_context(locale="vi-VN", bypass_csp=True).new_page()
        for device, (width, height) in WIDTHS.items():
            scripted.set_viewport_size({"width": width, "height": height})
            scripted.goto(preview)
            found: Any = Axe().run(scripted, options=RULES)
            assert found.violations_count == 0, found.generate_report()
            assert scripted.evaluate("document.documentElement.scrollWidth") <= width
            picture(scripted, f"import-preview-{device}")
        page.get_by_role("checkbox", name="dòng 4").check()
        page.get_by_role("button", name="Mở 1 hồ sơ").press("Enter")
        page.get_by_role("status").wait_for()
        assert page.get_by_role("link", name="KHV-2026-").count() == 2
        assert page.get_by_role("button").count() == 0
        scripted.goto(page.url)
        found = Axe().run(scripted, options=RULES)
        assert found.violations_count == 0, found.generate_report()
        picture(scripted, "import-done")
        browser.close()


@pytest.mark.browser
def test_what_waits_for_whom_reads_well_on_a_desk_and_on_a_tablet(busy: Staff, served: str) -> None:
    with busy.firm.case() as case:
        for gate in ("first_meeting", "decision", "quote"):
            ask_for(case, gate, 1)
        ask_for(case, "scorecard", 2, "finance")
    busy.firm.day(date(2026, 12, 30))
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        for device, (width, height) in WIDTHS.items():
            context = browser.new_context(viewport={"width": width, "height": height}, locale="vi-VN", bypass_csp=True)
            page = context.new_page()
            for login in ("director", "thu-ha"):
                busy.login.name = login
                page.goto(f"{served}/work")
                found: Any = Axe().run(page, options=RULES)
                assert found.violations_count == 0, found.generate_report()
                assert page.evaluate("document.documentElement.scrollWidth") <= width
                picture(page, f"work-{login}-{device}")
        browser.close()


@pytest.mark.browser
def test_a_whole_engagement_reads_well_on_a_desk_and_on_a_tablet(staff: Staff, served: str) -> None:
    firm = staff.firm.day(date(2026, 12, 1)).open()
    firm.inform().decide().contract().ask("delivery")
    firm.day(date(2027, 1, 4)).deliver().score(BAD)
    firm.conclude()
    firm.day(date(2027, 1, 6)).ask("delivery", 2)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        for device, (width, height) in WIDTHS.items():
            context = browser.new_context(viewport={"width": width, "height": height}, locale="vi-VN", bypass_csp=True)
            page = context.new_page()
            page.goto(f"{served}/e/{firm.engagement}")
            found: Any = Axe().run(page, options=RULES)
            assert found.violations_count == 0, found.generate_report()
            assert page.evaluate("document.documentElement.scrollWidth") <= width
            picture(page, f"whole-{device}")
        browser.close()
