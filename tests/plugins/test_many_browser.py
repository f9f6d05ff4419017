"""Every page for every role in a real browser, with 2 000 engagements open: no barrier, nothing offered in vain."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, sync_playwright
from sqlalchemy import text

from include.casework.signing import ask_for
from include.documents.archive import keep_template
from include.documents.render import template_sha256
from include.settings import ROOT, Settings
from local.postgres import Postgres
from tests.firm import Firm, Outbox
from tests.plugins.conftest import Staff, at_work
from tests.plugins.test_staff_browser import CHROMIUM, RULES, WIDTHS, picture, serving
from tests.plugins.test_templates_page import edited
from tests.seeded import seed

TODAY = date(2026, 12, 1)
TEMPLATE = edited()
OFFERED = template_sha256(TEMPLATE)
NAMES = {"viewer": ("viewer", "khach"), "operator": ("user", "thu-ha"), "council": ("user", "council_finance"),
         "admin": ("admin", "quan-tri")}  # fmt: skip
PAGES = {
    "board": "/", "board-late": "/?late=true", "board-searched": "/?search=ca+phe&sort=client&page=2", "work": "/work",
    "everybodys-work": "/work?everybody=true", "new": "/new", "import": "/import", "waiting": "/waiting",
    "engagement": "/e/{}", "mail": "/e/{}/mails/1", "end": "/e/{}/do/end", "reports": "/reports",
    "templates": "/templates", "template": "/templates/papers/contract/vi", "calendar": "/calendar",
    "template-version": f"/templates/papers/contract/vi/versions/{OFFERED}",
}  # fmt: skip
CLOSED = {
    "viewer": {"new", "import", "end"},
    "operator": set[str](),
    "council": {"new", "import", "end", "waiting", "reports", "templates", "template", "template-version",
                "calendar"},
    "admin": set[str](),
}
# What somebody may be offered: the page it is offered on, and what it is there.
OFFERS = {
    "a new engagement": ("board", 'nav a[href$="/new"]'),
    "the report": ("board", 'nav a[href$="/reports"]'),
    "everybody's work": ("work", 'a[href$="everybody=true"]'),
    "acting on an engagement": ("engagement", 'a[href*="/do/"]'),
    "the mail switch": ("waiting", 'form[action$="/mail-switch"]'),
    "editing the calendar": ("calendar", 'form[action$="/calendar/preview"]'),
    "sending a template": ("template", 'form[action$="/papers/contract/vi"]'),
    "putting a template into use": ("template-version", f'form[action$="/versions/{OFFERED}"]'),
}
MAY = {
    "viewer": {"the report"},
    "operator": {"a new engagement", "the report", "acting on an engagement", "the mail switch"},
    "council": set[str](),
    "admin": set(OFFERS) - {"everybody's work"},
}
SOME_ROWS = {"exclude": [["tbody tr:nth-child(n+9)"]]}  # the rows of a table are alike, and axe takes its time for each
PERSONAL = re.compile(r'name="(form_token|nonce)" value="[^"]*"|<p class="who">.*?</p>')


@pytest.fixture(scope="module")
def staff(
    postgres: Postgres, register_template: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Staff]:
    """A firm with 2 000 engagements, one of them with papers, mails and a council that judges it."""
    postgres.create_database("register_many", template=register_template)
    settings = Settings(
        register_url=postgres.url("register_many"), storage_url=tmp_path_factory.mktemp("many").as_uri(),
        inbox_poll_seconds=1, inbox_settle_seconds=0, smtp_conn_id="smtp_default", mail_record=None, production=False,
        firm_file=ROOT / "include" / "firm.yaml",
    )  # fmt: skip
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ENGAGEMENT_LIBREOFFICE", "none")
        firm = Firm(settings, Outbox()).day(TODAY)
        firm.open().inform().decide().contract().ask("delivery")
        with firm.case() as case:
            ask_for(case, "scorecard", 1, "finance")
        keep_template(firm.office().storage, "contract", "vi", TEMPLATE)
        with firm.office().sessions() as session:
            seed(session, finished=400, still_open=2000, today=TODAY)
            session.execute(text("analyze"))
            session.commit()
        yield at_work(firm, patch)
    postgres.drop_database("register_many")


@pytest.fixture(scope="module")
def served(staff: Staff) -> Iterator[str]:
    with serving(staff) as address:
        yield address


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def looked_at() -> set[str]:
    """The pages that axe has seen."""
    return set()


@pytest.fixture(params=NAMES)
def role(request: pytest.FixtureRequest, staff: Staff) -> str:
    staff.login.role, staff.login.name = NAMES[request.param]
    return str(request.param)


@pytest.fixture
def page(chromium: Browser) -> Iterator[Page]:
    width, height = WIDTHS["tablet"]
    context = chromium.new_context(viewport={"width": width, "height": height}, locale="vi-VN", bypass_csp=True)
    yield context.new_page()
    context.close()


@pytest.mark.browser
@pytest.mark.timeout(300)
def test_every_page_reads_well_for_every_role(
    staff: Staff, served: str, page: Page, role: str, looked_at: set[str]
) -> None:
    failed: list[str] = []
    page.on("requestfailed", lambda request: failed.append(request.url))
    for name, path in PAGES.items():
        answer = page.goto(served + path.format(staff.firm.engagement))
        assert answer is not None
        assert answer.status == (403 if name in CLOSED[role] else 200), name
        for device, (width, height) in WIDTHS.items():
            page.set_viewport_size({"width": width, "height": height})
            assert page.evaluate("document.documentElement.scrollWidth") <= width, f"{name} on a {device}"
            picture(page, f"many-{role}-{name}-{device}")
        if (markup := PERSONAL.sub("", page.content())) in looked_at:
            continue  # as another role saw it
        looked_at.add(markup)
        found: Any = Axe().run(page, context=SOME_ROWS, options=RULES)
        assert found.violations_count == 0, f"{name}: {found.generate_report()}"
    assert failed == []


@pytest.mark.browser
def test_nothing_is_offered_that_the_role_may_not_do(staff: Staff, served: str, page: Page, role: str) -> None:
    offered = set[str]()
    for name in sorted({name for name, _ in OFFERS.values()} - CLOSED[role]):
        page.goto(served + PAGES[name].format(staff.firm.engagement))
        offered |= {what for what, (on, at) in OFFERS.items() if on == name and page.locator(at).count()}
    if role == "operator":
        assert page.locator("header .who").inner_text() == "thu-ha"
    assert offered == MAY[role]


@pytest.mark.browser
def test_the_board_of_2000_is_searched_filtered_and_left_through_by_keyboard(
    staff: Staff, served: str, page: Page
) -> None:
    staff.login.role, staff.login.name = NAMES["operator"]
    page.goto(f"{served}/")
    assert int(page.locator("h1 .count").inner_text()) > 2000
    page.get_by_role("searchbox").focus()
    page.keyboard.type("phe som")
    page.keyboard.press("Enter")
    page.wait_for_url("**search=phe+som**")
    found = page.locator("tbody tr")
    assert found.count() == 50
    assert all("Cà phê Ban Mê Sớm" in row for row in found.all_inner_texts())
    page.get_by_role("link", name="sau").focus()
    page.keyboard.press("Enter")
    page.wait_for_url("**page=2**")
    page.get_by_label("chỉ hồ sơ trễ").focus()
    page.keyboard.press("Space")
    page.get_by_role("button", name="Lọc").press("Enter")
    page.wait_for_url("**late=true**")
    assert all("trễ" in row for row in page.locator("tbody tr").all_inner_texts())
