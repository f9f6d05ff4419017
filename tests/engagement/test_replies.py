"""Reading ``reply.json`` and the rule that nothing half-written is read."""

from __future__ import annotations

import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from include.engagement.errors import InvalidReply
from include.engagement.replies import Entry, Reply, parse_reply, ready_names

SHA_A, SHA_B = "a" * 64, "b" * 64


def test_every_key_is_optional():
    assert parse_reply(b"{}") == Reply(answers={}, files={}, reply=None, message="", items=[], manifest={})


def test_a_full_reply_is_read_and_unknown_keys_left_aside():
    reply = parse_reply(
        json.dumps(
            {"answers": {"strategy": " Xuất khẩu ", "quality": 5}, "files": {"business_registration": "dkkd.pdf"},
             "reply": "Accept", "message": "Cảm ơn", "items": ["Bảng độ nhạy", " "],
             "manifest": {"dkkd.pdf": SHA_A.upper()}, "more": 1}
        ).encode()
    )  # fmt: skip
    assert reply == Reply(
        answers={"strategy": "Xuất khẩu", "quality": 5}, files={"business_registration": "dkkd.pdf"}, reply="accept",
        message="Cảm ơn", items=["Bảng độ nhạy"], manifest={"dkkd.pdf": SHA_A},
    )  # fmt: skip


def test_a_byte_order_mark_is_no_obstacle():
    assert parse_reply(b"\xef\xbb\xbf" + b'{"reply": "accept"}').reply == "accept"


def test_characters_that_break_documents_are_taken_out():
    assert parse_reply(rb'{"message": "a\u0000b\u202ec\ud800d\r\ne"}').message == "abcd\ne"


@pytest.mark.parametrize(
    "data",
    [
        b"", b"[]", b"nonsense", b'{"reply": ', b"\xff\xfe{}", b'{"reply": 1}', b'{"answers": []}', b'{"items": [1]}',
        b'{"answers": {"a": NaN}}', b'{"answers": {"a": 1e999}}', b'{"answers": {"a": ' + b"9" * 5000 + b"}}",
        b'{"answers": {"a": ' + b"[" * 20 + b"]" * 20 + b"}}", b"[" * 100_000, b'{"a": ' * 50_000,
        b'{"files": {"a": "../x"}}', b'{"files": {"a": ""}}', b'{"manifest": {"x.pdf": "12"}}',
        b'{"manifest": {"x.part": "' + b"a" * 64 + b'"}}', b'{"manifest": {".x": "' + b"a" * 64 + b'"}}',
        b'{"message": "' + b"x" * 1_000_001 + b'"}',
    ],
)  # fmt: skip
def test_what_is_no_reply_is_refused(data):
    with pytest.raises(InvalidReply):
        parse_reply(data)


@given(st.binary(max_size=300))
def test_no_bytes_make_it_fail_otherwise(data):
    with contextlib.suppress(InvalidReply):
        parse_reply(data)


def entry(name: str, age: float = 60, sha: str | None = None) -> Entry:
    return Entry(name=name, size=1, age_seconds=age, sha256=sha)


@pytest.mark.parametrize(
    ("case", "entries", "manifest", "ready"),
    [
        ("a file that held still", [entry("a.pdf", 5)], None, ["a.pdf"]),
        ("a file still being written", [entry("a.pdf", 4.9)], None, []),
        ("only the unsettled one waits", [entry("a.pdf"), entry("b.pdf", 1)], None, ["a.pdf"]),
        ("a reply without manifest settles like any file", [entry("reply.json", 1), entry("a.pdf")], None, ["a.pdf"]),
        ("an empty manifest is none", [entry("reply.json", 1)], {}, []),
        ("hidden and unfinished names", [entry(".a"), entry("a.part"), entry("A.TMP"), entry("b")], None, ["b"]),
        ("all named files there: at once", [entry("reply.json", 0), entry("a.pdf", 0, SHA_A)], {"a.pdf": SHA_A},
         ["reply.json", "a.pdf"]),
        ("a named file lacks", [entry("reply.json"), entry("a.pdf", 60, SHA_A)], {"a.pdf": SHA_A, "b.pdf": SHA_B}, []),
        ("a named file is not whole", [entry("reply.json"), entry("a.pdf", 60, SHA_B)], {"a.pdf": SHA_A}, []),
        ("a hash not computed yet", [entry("reply.json"), entry("a.pdf")], {"a.pdf": SHA_A}, []),
        ("files beside the manifest go by age", [entry("reply.json"), entry("c.pdf"), entry("d.pdf", 0)],
         {"a.pdf": SHA_A}, ["c.pdf"]),
        ("hashes in capitals", [entry("reply.json", 0), entry("a.pdf", 0, SHA_A)], {"a.pdf": SHA_A.upper()},
         ["reply.json", "a.pdf"]),
        ("a name in another Unicode form", [entry("reply.json", 0), entry("ba\u0309n.pdf", 0, SHA_A)],
         {"b\u1ea3n.pdf": SHA_A}, ["reply.json", "ba\u0309n.pdf"]),
        ("a manifest that names its reply", [entry("reply.json", 0), entry("a.pdf", 0, SHA_A)],
         {"a.pdf": SHA_A, "reply.json": SHA_B}, ["reply.json", "a.pdf"]),
        ("an empty inbox", [], None, []),
    ],
)  # fmt: skip
def test_only_whole_files_are_ready(case, entries, manifest, ready):
    assert ready_names(entries, manifest, settle_seconds=5) == ready, case
