"""A client with a real browser, on a phone and on a desk, with scripts and without; and no barrier on any page."""

from __future__ import annotations

import hashlib
import os
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import boto3
import pytest
import uvicorn
from axe_playwright_python.sync_playwright import Axe
from moto.server import ThreadedMotoServer
from playwright.sync_api import Browser, Page, expect, sync_playwright

from include.portal_links import link_for
from local.ports import HOST, Ports
from portal import inbox
from portal.app import create_app
from tests.firm import ANSWERS, GOOD, PDF, QUOTE, Firm
from tests.portal.conftest import ADDRESS, KEYS, MANY

CHROMIUM = shutil.which("chromium")
if CHROMIUM is None and not os.environ.get("CI"):
    pytest.skip("NO CHROMIUM, THE PORTAL'S PAGES WERE NOT TESTED IN A BROWSER", allow_module_level=True)
RULES = {"runOnly": {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]}}
PHONE: dict[str, Any] = {"viewport": {"width": 390, "height": 844}, "is_mobile": True, "has_touch": True}
DESK: dict[str, Any] = {"viewport": {"width": 1280, "height": 900}}
Open = Callable[..., Page]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def served(firm: Firm) -> Iterator[Firm]:
    """The firm with a portal that answers on a port of this machine."""
    port = Ports.free().api
    firm.settings = replace(firm.settings, portal_url=f"http://{HOST}:{port}", portal_keys=KEYS)
    server = uvicorn.Server(uvicorn.Config(create_app(firm.settings, MANY), host=HOST, port=port, log_level="warning"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.02)
    yield firm
    server.should_exit = True
    thread.join()


@pytest.fixture
def bucket(firm: Firm, monkeypatch: pytest.MonkeyPatch) -> Iterator[ThreadedMotoServer]:
    """The firm's storage in S3."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    server = ThreadedMotoServer(ip_address=HOST, port=0, verbose=False)
    server.start()
    endpoint = f"http://{HOST}:{server.get_host_and_port()[1]}"
    boto3.client("s3", endpoint_url=endpoint, region_name="us-east-1").create_bucket(Bucket="ho-so")
    firm.settings = replace(firm.settings, storage_url=f"s3://ho-so/firm?endpoint={endpoint}&region=us-east-1")
    yield server
    server.stop()


@pytest.fixture
def open_page(browser: Browser, served: Firm, request: pytest.FixtureRequest) -> Iterator[Open]:
    contexts = []

    def opened(key: str, *, device: dict[str, Any] = PHONE, scripts: bool = True) -> Page:
        context = browser.new_context(**device, java_script_enabled=scripts, locale="vi-VN")
        contexts.append(context)
        page = context.new_page()
        assert served.settings.portal_url is not None
        page.goto(link_for(served.engagement, key, ADDRESS, 1, public_url=served.settings.portal_url, keys=KEYS))
        return page

    yield opened
    for context in contexts:
        context.close()


def look(page: Page, name: str) -> None:
    """Keep a picture where one is asked for, and let nobody be kept out."""
    if folder := os.environ.get("PORTAL_PICTURES"):
        page.screenshot(path=Path(folder, f"{name}.png"), full_page=True)
    found = Axe().run(page, options=RULES)
    assert found.violations_count == 0, found.generate_report()


def test_a_client_answers_from_a_phone_with_a_file(served: Firm, open_page: Open, tmp_path: Path) -> None:
    served.open()
    served.ask("information")
    page = open_page("information")
    look(page, "information-phone")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    for key, value in ANSWERS.items():
        page.locator(f"[name='answer.{key}']").fill(value)
    for key in ("business_registration", "sales_documents", "financial_statements"):
        path = tmp_path / f"{key}.pdf"
        path.write_bytes(PDF + key.encode())
        page.locator(f"[name='file.{key}']").set_input_files(path)
    page.get_by_role("button", name="Gửi câu trả lời").click()
    expect(page.get_by_role("heading", name="Biên nhận")).to_be_visible()
    look(page, "receipt-phone")
    assert served.receive("information") == "complete"
    page.get_by_role("link", name="Quay lại yêu cầu").click()
    expect(page.get_by_text("Yêu cầu này đã được trả lời")).to_be_visible()
    look(page, "answered-phone")


def test_what_was_typed_is_still_there_when_the_page_is_opened_again(served: Firm, open_page: Open) -> None:
    served.open()
    served.ask("information")
    page = open_page("information", device=DESK)
    page.locator("[name='answer.strategy']").fill("Chuỗi khách sạn")
    page.reload()
    expect(page.locator("[name='answer.strategy']")).to_have_value("Chuỗi khách sạn")
    page.get_by_role("button", name="Gửi câu trả lời").click()
    expect(page.get_by_role("heading", name="Biên nhận")).to_be_visible()
    page.get_by_role("link", name="Quay lại yêu cầu").click()
    served.receive("information")
    page.reload()
    expect(page.locator("[name='answer.strategy']")).to_have_value("Chuỗi khách sạn")  # from the register now
    look(page, "partly-desk")


def test_mistakes_are_named_and_lead_to_their_field(served: Firm, open_page: Open) -> None:
    served.open()
    served.ask("information")
    page = open_page("information", device=DESK)
    page.locator("[name='answer.revenue_vnd']").fill("rất nhiều")
    page.get_by_role("button", name="Gửi câu trả lời").click()
    expect(page.get_by_role("alert")).to_be_focused()
    look(page, "mistake-desk")
    page.get_by_role("link", name="Doanh thu năm gần nhất: Câu trả lời không phải là một con số.").click()
    expect(page.locator("[name='answer.revenue_vnd']")).to_have_value("rất nhiều")


@pytest.mark.parametrize("scripts", [True, False], ids=["with scripts", "without"])
def test_a_quote_is_accepted_by_keyboard(served: Firm, open_page: Open, scripts: bool) -> None:
    served.open().inform().decide().sign("quote", "send", **QUOTE)
    served.ask("quote")
    page = open_page("quote", device=DESK, scripts=scripts)
    if scripts:
        look(page, "quote-desk")
    with page.expect_download() as fetched:
        page.get_by_role("link", name="Báo giá").click()
    assert fetched.value.suggested_filename.startswith("Báo giá KHV-")
    page.get_by_role("radio", name="Đồng ý", exact=True).focus()
    page.keyboard.press("Space")
    page.get_by_role("button", name="Gửi câu trả lời").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Biên nhận")).to_be_visible()
    assert served.receive("quote") == "accept"


def test_changes_are_asked_for_at_the_handover(served: Firm, open_page: Open) -> None:
    served.open().inform().decide().contract().deliver().score(GOOD).conclude()
    served.ask("handover")
    page = open_page("handover")
    look(page, "handover-phone")
    page.get_by_role("radio", name="Cần chỉnh sửa").check()
    page.get_by_label("Những điểm cần chỉnh sửa").fill("Sửa bảng 3\nThêm biểu đồ")
    page.get_by_role("button", name="Gửi câu trả lời").click()
    expect(page.get_by_role("heading", name="Biên nhận")).to_be_visible()
    assert served.receive("handover") == "changes"


def test_an_evaluation_takes_some_taps(served: Firm, open_page: Open) -> None:
    served.open()
    served.ask("evaluation")
    page = open_page("evaluation")
    look(page, "evaluation-phone")
    for key in ("quality", "schedule", "staff", "guidance", "value"):
        page.locator(f"[name='answer.{key}'][value='5']").check()
    page.locator("[name='answer.recommend'][value='9']").check()
    page.get_by_role("button", name="Gửi câu trả lời").click()
    expect(page.get_by_text("6 câu trả lời")).to_be_visible()


def test_an_english_client_and_an_old_link(served: Firm, open_page: Open) -> None:
    served.open(language="en")
    served.ask("information")
    page = open_page("information", device=DESK)
    look(page, "information-english")
    url = page.url
    with served.case() as case:
        case.engagement.link_version = 2
        case.session.commit()
    page.goto(url)
    look(page, "old-link")
    page.get_by_role("button", name="Send me a new link").click()
    expect(page.get_by_role("status")).to_contain_text("a new link will be in your mailbox")
    page.goto(f"{served.settings.portal_url}/r/made-up")
    look(page, "bad-link")


def test_an_upload_that_is_cut_off_is_sent_again_as_one_answer(served: Firm, open_page: Open, tmp_path: Path) -> None:
    served.open()
    served.ask("information")
    page = open_page("information", device=DESK)
    posted: list[str] = []

    def cut_first(route: Any) -> None:
        if route.request.method == "POST":
            posted.append(route.request.resource_type)
        if len(posted) == 1:
            posted.append("cut off")
            route.abort("connectionreset")
        else:
            route.continue_()

    page.route("**/r/**", cut_first)
    path = tmp_path / "dkkd.pdf"
    path.write_bytes(PDF)
    page.locator("[name='file.business_registration']").set_input_files(path)
    page.get_by_role("button", name="Gửi câu trả lời").click()
    expect(page.get_by_role("heading", name="Biên nhận")).to_be_visible(timeout=15_000)
    assert posted == ["xhr", "cut off", "xhr"]  # the page sent it again; the browser itself would send a document
    assert len(served.office().storage.list("inbox/")) == 2


@pytest.mark.parametrize("reached", [True, False], ids=["storage reached", "storage not reached"])
def test_with_s3_the_bytes_go_straight_to_the_storage_or_else_with_the_form(
    bucket: ThreadedMotoServer, served: Firm, open_page: Open, tmp_path: Path, reached: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    served.open()
    served.ask("information")
    page = open_page("information", device=DESK)
    came_along: list[str] = []
    copied = inbox._copied
    monkeypatch.setattr(inbox, "_copied", lambda *given, **more: came_along.append("file") or copied(*given, **more))
    if not reached:
        page.route("**/ho-so/**", lambda route: route.abort())
        page.add_init_script("window.setTimeout = ((set) => (work) => set(work, 0))(window.setTimeout)")
        page.reload()
    path = tmp_path / "dkkd.pdf"
    path.write_bytes(PDF.replace(b"%%EOF", b"%" * 300_000 + b"\n%%EOF"))
    page.locator("[name='file.business_registration']").set_input_files(path)
    page.get_by_role("button", name="Gửi câu trả lời").click()
    expect(page.get_by_role("heading", name="Biên nhận")).to_be_visible(timeout=20_000)
    expect(page.get_by_text(hashlib.sha256(path.read_bytes()).hexdigest())).to_be_visible()
    assert came_along == ([] if reached else ["file"])
    assert served.receive("information") is None
    with served.case() as case:
        assert {item.key: item.state for item in case.items(case.request("information"))}[
            "business_registration"] == "received"
    assert served.office().storage.list("inbox/") == []
