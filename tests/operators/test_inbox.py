"""The trigger on the inbox: one listing for all waits, and nothing woken for what is not ready."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from operators.inbox import InboxTrigger, ready


def trigger(folder: str = "KHV-2026-0001/information", poll: float = 1.0, settle: float = 5.0) -> InboxTrigger:
    return InboxTrigger(folder=folder, poll_seconds=poll, settle_seconds=settle)


async def told(*items: frozenset[str]) -> AsyncIterator[frozenset[str]]:
    for item in items:
        yield item


async def fired(one: InboxTrigger, *items: frozenset[str]) -> list[Any]:
    return [event.payload async for event in one.filter_shared_stream(told(*items))]


def test_waits_with_the_same_intervals_share_one_listing() -> None:
    assert trigger("A/x").shared_stream_key() == trigger("B/y").shared_stream_key()
    assert trigger(poll=1).shared_stream_key() != trigger(poll=2).shared_stream_key()
    assert trigger(settle=1).shared_stream_key() != trigger(settle=2).shared_stream_key()


def test_what_recreates_a_trigger_holds_ids_and_intervals_only() -> None:
    path, kwargs = trigger().serialize()
    assert path == "operators.inbox.InboxTrigger"
    assert InboxTrigger(**kwargs).serialize() == (path, kwargs)
    assert set(kwargs) == {"folder", "poll_seconds", "settle_seconds"}


def test_a_trigger_fires_once_and_only_for_its_own_folder() -> None:
    other, own = frozenset({"KHV-2026-0002/information"}), frozenset({"KHV-2026-0001/information"})
    assert asyncio.run(fired(trigger(), other, other)) == []
    assert asyncio.run(fired(trigger(), other, own, own)) == [{"folder": "KHV-2026-0001/information"}]


def test_a_round_of_a_request_is_a_folder_of_its_own() -> None:
    assert asyncio.run(fired(trigger(), frozenset({"KHV-2026-0001/information-2"}))) == []


@pytest.mark.parametrize(
    ("files", "wakes"),
    [
        ({"reply.json": (10, 0.0)}, True),
        ({"plan.docx": (10, 5.0)}, True),
        ({"plan.docx": (10, 4.9)}, False),
        ({"plan.docx.part": (10, 500.0)}, False),
        ({".plan.docx": (10, 500.0)}, False),
        ({"plan.tmp": (10, 500.0)}, False),
        ({}, False),
    ],
)
def test_only_what_may_be_whole_wakes_the_task(files: dict[str, tuple[int, float]], wakes: bool) -> None:
    assert ready(files, 5.0) is wakes


@pytest.fixture
def inbox(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("ENGAGEMENT_REGISTER_URL", "postgresql+psycopg2:///unused")
    monkeypatch.setenv("ENGAGEMENT_STORAGE_URL", tmp_path.as_uri())
    return tmp_path / "inbox"


def lay(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"12345")


def stream(settle: float = 5.0) -> AsyncIterator[frozenset[str]]:
    return InboxTrigger.open_shared_stream({"poll_seconds": 0.01, "settle_seconds": settle})


def test_the_stream_tells_the_folders_in_which_something_lies_ready(inbox: Path) -> None:
    for path in ("KHV-2026-0001/quote/reply.json", "KHV-2026-0002/delivery/plan.docx", "_portal/x.json",
                 "../engagements/x/reply.json"):  # fmt: skip
        lay(inbox / path)

    assert asyncio.run(anext(stream(settle=0))) == {"KHV-2026-0001/quote", "KHV-2026-0002/delivery", "_portal"}
    assert asyncio.run(anext(stream(settle=60))) == {"KHV-2026-0001/quote"}


def test_nobody_is_woken_while_nothing_lies_ready(inbox: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lay(inbox / "KHV-2026-0002/delivery/plan.docx")
    slept = 0
    sleep = asyncio.sleep

    async def counted(seconds: float) -> None:
        nonlocal slept
        slept += 1
        if slept == 3:
            lay(inbox / "KHV-2026-0001/quote/reply.json")
        await sleep(0)

    monkeypatch.setattr(asyncio, "sleep", counted)
    assert asyncio.run(anext(stream())) == {"KHV-2026-0001/quote"}
    assert slept == 3
