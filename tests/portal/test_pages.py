"""Pages of the portal: what a client sees, sends and gets back, and what the pipeline then makes of it."""

from __future__ import annotations

import hashlib
import html
import json
import re
from dataclasses import replace

import pytest
from fastapi.testclient import TestClient

from include.casework.new_links import answer_requests
from include.casework.receiving import take_in
from include.engagement import process
from include.portal_links import link_for
from include.register.models import Document
from include.register.session import make_engine
from include.settings import ROOT
from include.storage import StorageFull
from portal.answers import Answer
from portal.app import HEADERS, create_app
from portal.inbox import drop
from portal.wording import WORDS
from tests.firm import ANSWERS, FORM, GOOD, PAPERS, PDF, QUOTE, Firm, facts_of
from tests.portal.conftest import KEYS, MANY, URL, Client

TYPED = {f"answer.{key}": value for key, value in ANSWERS.items()}
FILES = [(f"file.{name.partition('.')[0]}", (name, data, "application/pdf")) for name, data in PAPERS.items()]


def said(page: str) -> str:
    """The text of a page, without its tags."""
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", page)).split())


def inbox(firm: Firm) -> list[str]:
    return [entry.path for entry in firm.office().storage.list("inbox/")]


def state(firm: Firm) -> tuple[list[str], int]:
    with firm.office().sessions() as session:
        return [entry.path for entry in firm.office().storage.list("")], session.query(Document).count()


@pytest.fixture
def informed(client: Client) -> Client:
    """A client who was asked for information."""
    client.firm.open()
    client.firm.ask("information")
    return client


@pytest.fixture
def quoted(client: Client) -> Client:
    """A client who got a quote."""
    client.firm.open().inform().decide().sign("quote", "send", **QUOTE)
    client.firm.ask("quote")
    return client


# --- seeing ---------------------------------------------------------------------------------------------


def test_a_request_shows_what_is_asked_until_when_and_where_the_engagement_stands(informed: Client) -> None:
    text = said(informed.see("information"))
    assert "Thông tin lập kế hoạch kinh doanh" in text and informed.firm.engagement in text
    assert "Định hướng chiến lược" in text and "Giấy chứng nhận đăng ký kinh doanh" in text
    assert re.search(r"Vui lòng trả lời chậm nhất ngày \d\d tháng \d+ năm 20\d\d ?\.", text)
    assert "Tiếp nhận và tìm hiểu nhu cầu – đã xong" in text and "Thực hiện dịch vụ – sắp tới" in text


def test_an_english_engagement_has_english_pages(client: Client) -> None:
    client.firm.open(language="en")
    client.firm.ask("information")
    page = client.see("information")
    assert '<html lang="en">' in page and "Please answer by" in page and "Strategic direction" in page
    vietnamese = re.findall(r"\w*[ạảãăắằặâấầậđếềệôốồộơớờợưứừự]\w*", said(page).replace(FORM["client"]["name"], ""))
    assert vietnamese == []


def test_opening_a_link_changes_nothing(informed: Client) -> None:
    before = state(informed.firm)
    for _ in range(3):
        informed.see("information")
        informed.http.head(informed.link("information"))
    assert state(informed.firm) == before


def test_the_mail_that_asks_carries_the_link_and_the_link_opens(informed: Client) -> None:
    mail = informed.firm.outbox.read()[-1]
    body = mail.get_body(("plain",))
    assert body is not None
    link = re.search(rf"{URL}(/r/\S+)", body.get_content())
    assert link and informed.http.get(link[1]).status_code == 200


def test_the_papers_of_the_mail_can_be_fetched_and_nothing_else(quoted: Client) -> None:
    page = quoted.see("quote")
    links = re.findall(r'href="(/r/[^"]+/documents/(\d+))"', page)
    assert len(links) == 3 and "Báo giá" in page
    fetched = quoted.http.get(links[0][0])
    assert fetched.status_code == 200 and fetched.headers["content-disposition"].startswith("attachment;")
    with quoted.firm.office().sessions() as session:
        row = session.get(Document, int(links[0][1]))
        assert row is not None and hashlib.sha256(fetched.content).hexdigest() == row.sha256
        others = [each.id for each in session.query(Document) if str(each.id) not in {number for _, number in links}]
    for number in [*others, 10**9]:
        assert quoted.http.get(f"{quoted.link('quote')}/documents/{number}").status_code == 404


def test_every_answer_has_the_headers_that_keep_a_page_to_itself(informed: Client) -> None:
    pages = [informed.http.get(path) for path in
             (informed.link("information"), "/r/nothing", "/health", "/static/portal.css")]
    for page in pages:
        for name, value in HEADERS.items():
            if name != "Cache-Control":
                assert page.headers[name] == value
    assert "unsafe" not in HEADERS["Content-Security-Policy"]
    assert "<style" not in pages[0].text and " style=" not in pages[0].text and "onclick" not in pages[0].text


# --- answering ------------------------------------------------------------------------------------------


def test_answers_and_files_reach_the_pipeline_and_the_client_gets_a_receipt(informed: Client) -> None:
    shown = informed.send("information", TYPED, FILES)
    assert shown.status_code == 200 and "/receipt/" in str(shown.url)
    text = said(shown.text)
    assert "4 câu trả lời" in text and "business_registration.pdf" in text
    for data in PAPERS.values():
        assert hashlib.sha256(data).hexdigest() in text
    assert informed.firm.receive("information") == "complete"
    answered = said(informed.see("information"))
    assert "Yêu cầu này đã được trả lời ngày" in answered and ANSWERS["strategy"] in answered


def test_a_part_is_enough_and_the_rest_is_asked_for_again(informed: Client) -> None:
    informed.send("information", {"answer.strategy": "Chuỗi khách sạn"}, FILES[:1])
    assert informed.firm.receive("information") is None
    text = said(informed.see("information"))
    assert "Chuỗi khách sạn" in text and text.count("đã nhận và kiểm tra") == 2


def test_an_answer_joins_one_that_was_not_read_yet(informed: Client) -> None:
    informed.send("information", {"answer.strategy": "cũ", "answer.products": "Cà phê"}, FILES[:1])
    assert "đang xử lý" in said(informed.see("information"))
    rest = {**TYPED, "answer.strategy": "mới"}
    del rest["answer.products"]
    informed.send("information", rest, FILES[1:])
    assert informed.firm.receive("information") == "complete"
    text = said(informed.see("information"))
    assert "mới" in text and "cũ" not in text and "Cà phê" in text


def test_the_same_form_posted_twice_is_one_answer(informed: Client) -> None:
    nonce = informed.nonce("information")
    first = informed.send("information", TYPED, FILES, nonce=nonce)
    lies = inbox(informed.firm)
    again = informed.send("information", {"answer.strategy": "khác"}, FILES, nonce=nonce)
    assert said(first.text) == said(again.text) and inbox(informed.firm) == lies
    assert informed.firm.receive("information") == "complete"
    late = informed.send("information", TYPED, FILES, nonce=nonce)
    assert late.text.count("SHA-256") == 3 and inbox(informed.firm) == []


def test_what_is_wrong_is_said_and_what_was_typed_stays(informed: Client) -> None:
    shown = informed.send("information", {"answer.revenue_vnd": "rất nhiều", "answer.strategy": "Giữ <b>lại</b> & xem"})
    assert shown.status_code == 422 and inbox(informed.firm) == []
    assert "Câu trả lời không phải là một con số." in shown.text
    assert "Giữ &lt;b&gt;lại&lt;/b&gt; &amp; xem" in shown.text and 'value="rất nhiều"' in shown.text


def test_a_file_of_a_format_that_is_not_taken_is_refused_by_name(informed: Client) -> None:
    shown = informed.send("information", {}, [("file.business_registration", ("dkkd.exe", b"MZ", "application/pdf"))])
    assert shown.status_code == 422 and "Tệp không đúng định dạng được nhận." in shown.text
    assert "Vui lòng chọn lại các tệp." in shown.text and inbox(informed.firm) == []


def test_an_empty_form_is_no_answer(informed: Client) -> None:
    assert "Quý khách chưa điền mục nào." in informed.send("information").text
    assert inbox(informed.firm) == []


@pytest.mark.parametrize("name", [
    "../../etc/passwd.pdf", "..\\..\\x.pdf", "a\x00b.pdf", "\u202efdp.exe.pdf", "x" * 300 + ".pdf", "CON.pdf",
    "reply.json.pdf", ".ẩn.pdf", "Giấy phép & <b>.pdf", "tệp.pdf.part.pdf",
])  # fmt: skip
def test_any_name_of_a_file_stays_in_its_folder(informed: Client, name: str) -> None:
    shown = informed.send("information", {}, [("file.business_registration", (name, PDF, "application/pdf"))])
    assert shown.status_code == 200, shown.text
    folder = f"inbox/{informed.firm.engagement}/information/"
    lies = [path.removeprefix(folder) for path in inbox(informed.firm)]
    assert len(lies) == 2 and all("/" not in path for path in lies) and "<b>" not in shown.text
    informed.firm.receive("information")
    assert inbox(informed.firm) == []
    assert "đã nhận" in said(informed.see("information"))


def test_a_quote_is_accepted_negotiated_or_declined_by_one_choice(quoted: Client) -> None:
    assert "Vui lòng chọn một câu trả lời." in quoted.send("quote", {"message": "?"}).text
    shown = quoted.send("quote", {"reply": "negotiate", "message": "Xin chia ba đợt"})
    assert "Muốn trao đổi thêm" in shown.text
    assert quoted.firm.receive("quote") == "negotiate"
    text = said(quoted.see("quote"))
    assert "Muốn trao đổi thêm" in text and "Xin chia ba đợt" in text and "<form" not in quoted.see("quote")


def test_a_decision_that_the_round_does_not_offer_is_refused(quoted: Client) -> None:
    shown = quoted.send("quote", {"reply": "changes", "items": "x"})
    assert shown.status_code == 422 and inbox(quoted.firm) == []


def test_changes_at_the_handover_need_to_be_named(client: Client) -> None:
    client.firm.open().inform().decide().contract().deliver().score(GOOD).conclude()
    client.firm.ask("handover")
    page = client.see("handover")
    assert "Biên bản bàn giao" in page and "Kế hoạch kinh doanh" in page
    assert "Vui lòng ghi những điểm cần chỉnh sửa." in client.send("handover", {"reply": "changes"}).text
    client.send("handover", {"reply": "changes", "items": "Sửa bảng 3\n\n Thêm biểu đồ "})
    assert client.firm.receive("handover") == "changes"
    with client.firm.case() as case:
        assert case.request("handover").reply["items"] == ["Sửa bảng 3", "Thêm biểu đồ"]


def test_an_evaluation_is_a_choice_of_points(client: Client) -> None:
    client.firm.open()
    client.firm.ask("evaluation")
    page = client.see("evaluation")
    assert len(re.findall(r'type="radio" name="answer.recommend"', page)) == 11
    points = {f"answer.{key}": "5" for key in ("quality", "schedule", "staff", "guidance", "value")}
    assert client.send("evaluation", {**points, "answer.recommend": "12"}).status_code == 422
    client.send("evaluation", {**points, "answer.recommend": "10", "answer.comment": "Rất tốt"})
    with client.firm.case() as case:
        request = case.request("evaluation")
        take_in(case, request)
        assert request.status == "answered"
        assert {item.key: (item.value or {}).get("value") for item in case.items(request)}["recommend"] == 10


def test_a_request_that_is_answered_takes_no_more(quoted: Client) -> None:
    nonce = quoted.nonce("quote")
    quoted.firm.put("quote", {"reply": "accept"}).receive("quote")
    shown = quoted.send("quote", {"reply": "decline"}, nonce=nonce)
    assert shown.status_code == 409 and "không còn nhận câu trả lời" in shown.text and inbox(quoted.firm) == []


# --- links ----------------------------------------------------------------------------------------------


def test_links_that_were_changed_swapped_or_made_up_open_nothing(informed: Client) -> None:
    good = informed.link("information")
    token = good.removeprefix("/r/")
    turned = token[:-9] + ("A" if token[-9] != "A" else "B") + token[-8:]
    for bad in (turned, token[1:], "x", "." * 2000, token.replace(".", "", 1)):
        assert informed.http.get(f"/r/{bad}").status_code == 404
    assert informed.http.get(informed.link("quote")).status_code == 404
    assert informed.http.get(informed.link("information", engagement="KHV-2026-9999")).status_code == 404
    other = link_for(informed.firm.engagement, "information", "x@y.example", 1, public_url=URL, keys=("not-ours",))
    assert informed.http.get(other.removeprefix(URL)).status_code == 404


def test_a_form_of_one_request_is_no_form_of_another(quoted: Client) -> None:
    first = quoted.firm.engagement
    nonce = quoted.nonce("quote")
    quoted.firm.open(referrer="người khác")
    quoted.firm.ask("information")
    shown = quoted.send("information", TYPED, nonce=nonce)
    assert shown.status_code == 409 and "mở quá lâu" in shown.text and inbox(quoted.firm) == []
    assert first != quoted.firm.engagement


def test_the_key_before_still_opens_links_and_a_key_taken_away_does_not(informed: Client) -> None:
    def made(key: str) -> str:
        address = "ketoan@banmesom.example"
        full = link_for(informed.firm.engagement, "information", address, 1, public_url=URL, keys=(key,))
        return full.removeprefix(URL)

    assert informed.http.get(made(KEYS[1])).status_code == 200
    settings = replace(informed.firm.settings, portal_keys=KEYS[:1])
    rotated = TestClient(create_app(settings, MANY), base_url=URL)
    assert rotated.get(made(KEYS[0])).status_code == 200 and rotated.get(made(KEYS[1])).status_code == 404


@pytest.mark.parametrize("change", [{"version": 2}, {"address": "cu@banmesom.example"}])
def test_a_link_that_was_replaced_offers_a_new_one_to_the_address_on_file(
    informed: Client, change: dict[str, int | str]
) -> None:
    link = informed.link("information", **change)
    shown = informed.http.get(link)
    assert shown.status_code == 410 and "Gửi cho tôi đường dẫn mới" in shown.text and "Chiến lược" not in shown.text
    assert inbox(informed.firm) == []
    for _ in range(2):
        assert "trong ít phút" in informed.http.post(f"{link}/new-link").text
    assert len(inbox(informed.firm)) == 1
    sent = len(informed.firm.outbox.mails)
    assert answer_requests(informed.firm.office()) == 1
    [mail] = informed.firm.outbox.read()[sent:]
    assert "ketoan@banmesom.example" in str(mail["to"]) and inbox(informed.firm) == []


def test_no_log_holds_a_link(informed: Client, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG", logger="portal")
    link = informed.link("information")
    informed.send("information", TYPED, FILES)
    informed.http.get(link[:-3])
    informed.http.get(informed.link("information", version=9))
    assert "an answer to information was received" in caplog.text
    assert link.removeprefix("/r/")[:30] not in caplog.text


def test_it_runs_under_a_path_behind_a_proxy(informed: Client) -> None:
    settings = replace(informed.firm.settings, portal_url="https://firm.test/khach-hang")
    http = TestClient(create_app(settings, MANY), base_url="https://firm.test")
    page = http.get(informed.link("information")).text
    assert 'href="/khach-hang/static/portal.css"' in page and 'action="/khach-hang/r/' in page


def test_a_receipt_keeps_to_its_engagement(informed: Client) -> None:
    where = str(informed.send("information", TYPED).url)
    nonce = where.rpartition("/")[2]
    informed.firm.open(referrer="người khác")
    informed.firm.ask("information")
    assert informed.http.get(f"{informed.link('information')}/receipt/{nonce}").status_code == 404
    for bad in ("%2e%2e", "a" * 100, "x.json"):
        assert informed.http.get(f"{informed.link('information')}/receipt/{bad}").status_code == 404


def test_the_reply_in_the_inbox_is_what_the_architecture_describes(informed: Client) -> None:
    informed.send("information", {"answer.strategy": "x"}, FILES[:1])
    storage = informed.firm.office().storage
    reply = json.loads(storage.get(f"inbox/{informed.firm.engagement}/information/reply.json"))
    [name] = reply["manifest"]
    assert name.startswith("business_registration-") and reply["answers"] == {"strategy": "x"}
    assert reply["manifest"][name] == hashlib.sha256(FILES[0][1][1]).hexdigest()


def test_an_upload_that_died_halfway_holds_back_nothing_that_comes_after(
    informed: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    from include.storage.local import LocalStorage

    def full(*given: object, **more: object) -> None:
        raise StorageFull("no room")

    with monkeypatch.context() as patched:
        patched.setattr(LocalStorage, "put_file", full)
        refused = informed.send("information", {"answer.strategy": "dở dang"}, FILES[:1])
    assert refused.status_code == 503 and "Retry-After" in refused.headers
    assert informed.firm.receive("information") is None  # half of it is not read
    informed.send("information", TYPED, FILES)
    assert informed.firm.receive("information") == "complete" and inbox(informed.firm) == []


def test_the_same_words_said_again_are_a_second_answer(informed: Client) -> None:
    for _ in range(2):
        informed.send("information", {"answer.strategy": "x"})
        informed.firm.receive("information")
    with informed.firm.case() as case:
        assert len(facts_of(case, "received")) == 2


@pytest.mark.parametrize("language", ["vi", "en"])
def test_every_item_of_the_information_request_comes_with_help(client: Client, language: str) -> None:
    client.firm.open(language=language)
    client.firm.ask("information")
    assert process.ITEM_HELP.keys() == {item.key for item in process.INFORMATION_ITEMS}
    page = client.see("information")
    text = said(page)
    with client.firm.case() as case:
        for item in case.items(case.request("information")):
            assert process.ITEM_HELP[item.key].in_(language) in text
            assert f'aria-describedby="{"file" if f"file.{item.key}" in page else "answer"}.{item.key}-help"' in page


def test_every_wording_is_used() -> None:
    shown = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "portal").rglob("*")
                    if path.suffix in (".html", ".py") and path.name != "wording.py")  # fmt: skip
    by_value = {"missing", "received", "returned", "done", "now", "next", *process.REQUESTS["quote"].replies, "changes"}
    unused = {key for key in WORDS if f"words.{key}" not in shown and f'"{key}"' not in shown} - by_value
    assert unused == set()


def test_of_two_posts_of_a_form_at_the_same_time_the_second_finds_the_first_ones_receipt(informed: Client) -> None:
    storage, engine = informed.firm.office().storage, make_engine(informed.firm.settings.register_url)
    first, second = (
        drop(storage, engine, informed.firm.engagement, "information", nonce="f" * 32,
             answer=Answer(answers={"strategy": said}), uploads=[], file_bytes=1000)
        for said in ("một", "hai")
    )  # fmt: skip
    assert first == second
    reply = json.loads(storage.get(f"inbox/{informed.firm.engagement}/information/reply.json"))
    assert reply["answers"] == {"strategy": "một"}
