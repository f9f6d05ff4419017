"""The trigger on the inbox: one listing for all waits, and nothing woken for what is not ready."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from operators.inbox import InboxTrigger, Listing, ready


def trigger(folder: str = "KHV-2026-0001/information", poll: float = 1.0) -> InboxTrigger:
    return InboxTrigger(folder=folder, poll_seconds=poll, settle_seconds=5.0)


async def listings(*items: Listing) -> AsyncIterator[Listing]:
    for item in items:
        yield item


async def fired(one: InboxTrigger, *items: Listing) -> list[Any]:
    return [event.payload async for event in one.filter_shared_stream(listings(*items))]


def test_waits_with_the_same_interval_share_one_listing() -> None:
    assert trigger("A/x").shared_stream_key() == trigger("B/y").shared_stream_key()
    assert trigger(poll=1).shared_stream_key() != trigger(poll=2).shared_stream_key()


def test_what_recreates_a_trigger_holds_ids_and_intervals_only() -> None:
    path, kwargs = trigger().serialize()
    assert path == "operators.inbox.InboxTrigger"
    assert InboxTrigger(**kwargs).serialize() == (path, kwargs)
    assert set(kwargs) == {"folder", "poll_seconds", "settle_seconds"}


def test_a_trigger_fires_once_and_only_for_its_own_folder() -> None:
    other: Listing = {"KHV-2026-0002/information": {"reply.json": (10, 60.0)}}
    own: Listing = {"KHV-2026-0001/information": {"reply.json": (10, 0.0)}}
    assert asyncio.run(fired(trigger(), other, other)) == []
    assert asyncio.run(fired(trigger(), other, own, own)) == [{"folder": "KHV-2026-0001/information"}]


def test_a_round_of_a_request_is_a_folder_of_its_own() -> None:
    second: Listing = {"KHV-2026-0001/information-2": {"reply.json": (10, 60.0)}}
    assert asyncio.run(fired(trigger(), second)) == []


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


def test_the_listing_shows_each_request_with_its_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ENGAGEMENT_REGISTER_URL", "postgresql+psycopg2:///unused")
    monkeypatch.setenv("ENGAGEMENT_STORAGE_URL", tmp_path.as_uri())
    for path in ("inbox/KHV-2026-0001/quote/reply.json", "inbox/KHV-2026-0002/delivery/plan.docx", "engagements/x/y"):
        target = tmp_path / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(b"12345")

    async def first() -> Listing:
        async for listing in InboxTrigger.open_shared_stream({"poll_seconds": 0.01}):
            return listing
        raise AssertionError

    listing = asyncio.run(first())
    assert {folder: {name: size for name, (size, _) in files.items()} for folder, files in listing.items()} == {
        "KHV-2026-0001/quote": {"reply.json": 5},
        "KHV-2026-0002/delivery": {"plan.docx": 5},
    }
