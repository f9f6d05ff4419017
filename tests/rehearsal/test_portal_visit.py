"""A client's visit to the portal, against pages like the portal's."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from email import message_from_bytes
from typing import Any

import httpx
import pytest

from rehearsal.portal_visit import PortalFailed, forms_of, link_in, visit

LINK = "http://127.0.0.1:8090/khach/r/abc.def-_1"
PAGE = """<form method="post" enctype="multipart/form-data" action="/khach/r/abc.def-_1">
<input type="hidden" name="nonce" value="n&amp;1">
<textarea name="answer.strategy">Đã có &lt;1&gt;</textarea><input type="text" name="answer.revenue_vnd" value="">
<input type="radio" name="reply" value="accept"><input type="radio" name="reply" value="decline">
<textarea name="message"></textarea><textarea name="items"></textarea>
<input type="file" name="file.papers" multiple><input type="file" name="file.other" multiple>
</form>"""


@dataclass
class Portal:
    """Answers like the portal; ``posted`` is what came, by field."""

    page: str = PAGE
    status: int = 303
    receipt: str = ""
    opened: int = 200
    posted: list[tuple[str, str, bytes]] = field(default_factory=list)

    def __call__(self, request: httpx.Request) -> httpx.Response:
        if request.method == "POST":
            head = f"Content-Type: {request.headers['content-type']}\r\n\r\n".encode()
            for part in message_from_bytes(head + request.read()).get_payload():
                names = dict(part.get_params(header="content-disposition"))
                self.posted.append((names["name"], names.get("filename", ""), part.get_payload(decode=True)))
            location = {"location": "/khach/r/abc.def-_1/receipt/1"} if self.status == 303 else {}
            return httpx.Response(self.status, headers=location)
        if "/receipt/" in request.url.path:
            return httpx.Response(200, text=self.receipt)
        return httpx.Response(self.opened, text=self.page)

    def visited(self, reply: dict[str, Any], files: dict[str, bytes] | None = None) -> bool:
        return visit(LINK, reply, files or {}, transport=httpx.MockTransport(self))

    def fields(self) -> dict[str, str]:
        return {name: content.decode() for name, filename, content in self.posted if not filename and content}


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_the_link_is_the_line_of_a_mail_that_is_nothing_but_it(end: str) -> None:
    assert link_in(end.join(("Kính gửi", "", "Trả lời trực tuyến", LINK, "", "Trân trọng"))) == LINK
    assert link_in("Xem https://kehoachviet.example/r\nhttps://kehoachviet.example") == ""


def test_a_form_is_read_with_what_it_holds_already() -> None:
    [form] = forms_of(PAGE)
    assert form.fields["answer.strategy"] == "Đã có <1>"
    assert form.fields["nonce"] == "n&1"
    assert form.choices == {"reply": ["accept", "decline"]}
    assert form.uploads == ["file.papers", "file.other"]


def test_answers_and_files_go_into_their_fields_and_what_was_there_stays() -> None:
    portal = Portal(receipt=hashlib.sha256(b"1").hexdigest() + hashlib.sha256(b"2").hexdigest())
    reply = {"answers": {"revenue_vnd": 1_500_000_000}, "files": {"papers": "dkkd.pdf"}}
    assert portal.visited(reply, {"dkkd.pdf": b"1", "thêm.pdf": b"2"})
    assert portal.fields() == {"nonce": "n&1", "answer.strategy": "Đã có <1>", "answer.revenue_vnd": "1500000000"}
    assert [(name, content) for name, filename, content in portal.posted if filename] == [
        ("file.papers", b"1"), ("file.other", b"2")
    ]  # fmt: skip


def test_a_decision_goes_with_its_message_and_changes() -> None:
    portal = Portal()
    assert portal.visited({"reply": "decline", "message": "Chưa phù hợp", "items": ["một", "hai"]})
    assert portal.fields() | {"reply": "decline", "message": "Chưa phù hợp", "items": "một\nhai"} == portal.fields()


@pytest.mark.parametrize(
    ("reply", "files"),
    [
        ({"answers": {"unknown": "x"}}, {}),
        ({"answers": {"revenue_vnd": 1.5}}, {}),
        ({"reply": "negotiate"}, {}),
        ({"files": {"unknown": "a.pdf"}}, {"a.pdf": b"1"}),
    ],
)
def test_what_the_form_has_no_place_for_is_not_sent(reply: dict[str, Any], files: dict[str, bytes]) -> None:
    portal = Portal()
    assert not portal.visited(reply, files)
    assert portal.posted == []


@pytest.mark.parametrize("status", [413, 422, 429, 503])
def test_what_the_portal_sends_back_is_left_to_a_mail(status: int) -> None:
    assert not Portal(status=status).visited({"reply": "accept"})


@pytest.mark.parametrize("portal", [Portal(opened=410), Portal(opened=500), Portal(page="<p>x</p>"), Portal(status=500),
                                    Portal(status=404)])  # fmt: skip
def test_a_portal_that_fails_is_not_passed_over(portal: Portal) -> None:
    with pytest.raises(PortalFailed):
        portal.visited({"reply": "accept"})


def test_a_receipt_must_name_every_file_by_its_hash() -> None:
    with pytest.raises(PortalFailed, match="no receipt"):
        Portal(receipt="x").visited({}, {"a.pdf": b"1"})
