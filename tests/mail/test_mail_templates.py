"""Every mail template, in every language it is written in."""

from __future__ import annotations

import re
from datetime import date
from html.parser import HTMLParser
from typing import Any

import pytest
from jinja2 import UndefinedError

from include.engagement.process import LANGUAGES, MAILS, Language
from include.mail.templates import FOLDER, render_mail, template_variables
from tests.mail.sample_facts import sample_facts

ALL: list[tuple[str, Language]] = [
    (key, language) for key, mail in MAILS.items() for language in (LANGUAGES if mail.to == "client" else ("vi",))
]
BEFORE_THE_DECISION = ("welcome", "intake_details", "meeting_invitation", "information_request", "items_missing",
                       "items_complete", "reply_unclear", "refusal", "decline")
ASKING = ("intake_details", "information_request", "items_missing", "quote", "contract", "handover", "monitoring_form",
          "evaluation", "reminder")
NOTHING = {"due": None, "days_left": None, "missing": [], "received": [], "items": [], "terms": None,
           "promised": None, "promised_before": None, "lost_days": 0, "reason": "", "reasons": [], "changes": [],
           "attachments": [], "round": 1, "visit": None, "overdue_days": 0, "topics": [], "topic_links": [],
           "digest": [], "stage_title": ""}
HOSTILE = '<img src=x onerror=alert(1)> [bấm](https://evil.example) **đậm** `mã` # x {{ 7*7 }} &lt; <https://evil.example>'


class Page(HTMLParser):
    """The tags and words of a page; ``unclosed`` are tags opened and not closed."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.links: list[str] = []
        self.unclosed: list[str] = []
        self.words = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.links += [value or "" for name, value in attrs if name == "href"]
        if tag not in ("br", "meta"):
            self.unclosed.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag != "br":
            assert self.unclosed.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words += data


@pytest.mark.parametrize(("key", "language"), ALL)
def test_a_mail_has_one_subject_line_and_says_the_same_twice(key: str, language: Language) -> None:
    mail = render_mail(key, language=language, facts=sample_facts())
    assert "\n" not in mail.subject
    assert "**" not in mail.text
    assert key == "digest" or mail.subject.startswith("[KHV-2026-0042] ")
    assert "\n\n\n" not in mail.text
    assert "{" not in mail.text + mail.html
    page = Page(mail.html)
    assert page.unclosed == []
    said = re.sub(r"[*\s]", "", re.sub(r"(?m)^(- |\d\. )", "", mail.text))
    read = re.sub(r"\s", "", page.words)
    if key != "useful_information":
        assert said in read


@pytest.mark.parametrize(("key", "language"), ALL)
def test_a_template_asks_only_for_facts_that_mails_have(key: str, language: Language) -> None:
    assert template_variables(key, language) <= set(sample_facts())


def test_there_is_a_template_for_every_row_and_none_beside() -> None:
    assert {path.name for path in FOLDER.glob("*.md")} == {f"{key}.{language}.md" for key, language in ALL}


@pytest.mark.parametrize(("key", "language"), ALL)
def test_a_missing_fact_is_an_error_and_not_a_gap(key: str, language: Language) -> None:
    with pytest.raises(UndefinedError):
        render_mail(key, language=language, facts={"firm": sample_facts()["firm"]})


@pytest.mark.parametrize(("key", "language"), ALL)
def test_what_a_client_wrote_stays_text(key: str, language: Language) -> None:
    facts = {name: _hostile(value) for name, value in sample_facts().items() if name not in ("firm", "level")}
    plain = Page(render_mail(key, language=language, facts=sample_facts()).html)
    mail = render_mail(key, language=language, facts={**sample_facts(), **facts})
    page = Page(mail.html)
    assert set(page.tags) <= set(plain.tags) | {"br"}
    assert page.tags.count("strong") == plain.tags.count("strong")
    assert not any("evil" in link for link in page.links)
    assert HOSTILE in mail.text
    assert HOSTILE in page.words


def _hostile(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: "javascript:alert(1)" if name == "url" else _hostile(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [HOSTILE if isinstance(inner, str) else _hostile(inner) for inner in value]
    return HOSTILE if isinstance(value, str) else value


def test_lines_of_a_client_stay_lines_and_make_no_headings_lists_or_code() -> None:
    text = "Dòng một\r\n\r\n# Hai\n    ba\n- bốn\n===\n1. năm"
    page = Page(render_mail("contract", language="vi", facts=sample_facts(reason=text)).html)
    plain = Page(render_mail("contract", language="vi", facts=sample_facts(reason="x")).html)
    assert page.tags.count("br") == plain.tags.count("br") + 5
    assert set(page.tags) == set(plain.tags)
    assert re.sub(r"\s", "", text) in re.sub(r"\s", "", page.words)


def test_characters_that_turn_text_around_are_dropped() -> None:
    mail = render_mail("contract", language="vi", facts=sample_facts(reason="a\u202eb\x07c\u200b"))
    assert "abc" in mail.text
    assert "abc" in mail.html


def test_a_subject_stays_one_line_whatever_a_client_is_called() -> None:
    client = {"name": "A\r\nBcc: x@y.vn\n" + "B" * 500, "contact": {"name": "x"}}
    subject = render_mail("assignment", language="vi", facts=sample_facts(client=client)).subject
    assert "\n" not in subject
    assert "\r" not in subject
    assert len(subject) <= 200


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("key", BEFORE_THE_DECISION)
def test_no_price_and_no_promise_before_the_decision(key: str, language: Language) -> None:
    mail = render_mail(key, language=language, facts=sample_facts())
    said = f"{mail.subject}\n{mail.text}\n{Page(mail.html).words}".casefold()
    assert not re.search(r"199|2031|\bvnd\b|đồng\b|báo giá|giá trị|\bphí\b|chi phí|cam kết|hứa|bảo đảm|ưu đãi", said)
    assert not re.search(r"price|\bfees?\b|quote|promis|guarantee|\bcosts?\b|discount|commit", said)


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_first_meeting_is_called_a_social_one(language: Language) -> None:
    text = render_mail("meeting_invitation", language=language, facts=sample_facts()).text
    assert ("giao lưu" if language == "vi" else "social meeting") in text


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("key", ASKING)
def test_a_mail_that_asks_says_how_and_until_when(key: str, language: Language) -> None:
    text = render_mail(key, language=language, facts=sample_facts(overdue_days=0)).text
    assert ("trả lời thư này" if language == "vi" else "reply to this message") in text
    assert ("thứ Tư, ngày 09/12/2026" if language == "vi" else "Wednesday, 9 December 2026") in text


@pytest.mark.parametrize(("key", "language"), ALL)
def test_a_mail_reads_well_when_nothing_optional_is_known(key: str, language: Language) -> None:
    needed = {name: value for name, value in NOTHING.items() if name not in ("due", "terms") or key not in ASKING}
    mail = render_mail(key, language=language, facts=sample_facts(**needed))
    assert "None" not in mail.subject + mail.text
    assert "\n\n\n" not in mail.text


@pytest.mark.parametrize(
    ("facts", "vi", "en"),
    [
        ({"days_left": 1, "overdue_days": 0}, "còn 1 ngày làm việc", "in 1 working day."),
        ({"days_left": 0, "overdue_days": 0}, "hôm nay, thứ Tư, ngày 09/12/2026", "due today, Wednesday"),
        ({"days_left": 0, "overdue_days": 4}, "quá hạn 4 ngày làm việc", "4 working days overdue"),
    ],
)
def test_a_reminder_says_where_the_request_stands(facts: dict[str, Any], vi: str, en: str) -> None:
    assert vi in render_mail("reminder", language="vi", facts=sample_facts(**facts)).text
    assert en in render_mail("reminder", language="en", facts=sample_facts(**facts)).text


def test_the_last_quote_is_not_open_to_negotiation() -> None:
    for last in (False, True):
        facts = sample_facts(terms={"gross_vnd": 199_800_000, "version": 4, "last": last})
        text = render_mail("quote", language="vi", facts=facts).text
        assert ("- Thương lượng" in text) is not last
        assert "199.800.000 đồng" in text


def test_staff_read_vietnamese_whatever_the_client_reads() -> None:
    assert render_mail("review", language="en", facts=sample_facts()).text.startswith("Kính gửi")


def test_links_to_useful_information_can_be_followed() -> None:
    mail = render_mail("useful_information", language="vi", facts=sample_facts())
    assert "https://kehoachviet.example/xuat-khau?a=1&b=2" in Page(mail.html).links
    assert "- Cẩm nang xuất khẩu: https://kehoachviet.example/xuat-khau?a=1&b=2" in mail.text


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_button_is_a_link_whose_address_can_also_be_copied(language: Language) -> None:
    mail = render_mail("quote", language=language, facts=sample_facts())
    address = sample_facts()["portal_link"]
    assert Page(mail.html).links.count(address) == 2
    assert address in Page(mail.html).words
    assert address in mail.text.splitlines()
    assert 'title="button"' not in mail.html


@pytest.mark.parametrize("url", ["javascript:alert(1)", "data:text/html,x", "//evil.example", 'https://x"onclick="y'])
def test_a_button_leads_nowhere_but_to_an_address(url: str) -> None:
    page = Page(render_mail("quote", language="vi", facts=sample_facts(portal_link=url)).html)
    assert not [link for link in page.links if not link.startswith(("http", "mailto:"))]
    assert "onclick=" not in render_mail("quote", language="vi", facts=sample_facts(portal_link=url)).html.replace(
        "%22onclick=%22", "")  # fmt: skip


def test_the_digest_puts_what_is_late_first() -> None:
    rows = [{"engagement": f"KHV-2026-000{number}", "company": "A", "what": "B", "since": date(2026, 12, 1),
             "overdue": number == 2} for number in (1, 2)]  # fmt: skip
    text = render_mail("digest", language="vi", facts=sample_facts(digest=rows)).text
    assert text.index("KHV-2026-0002") < text.index("KHV-2026-0001")
