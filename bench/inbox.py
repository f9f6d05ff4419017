"""The inbox with thousands of waits: requests to the storage, CPU, and how soon a file is noticed.

The waits are our triggers in Airflow's own shared stream, as a triggerer runs them; the storage is a folder, then S3
(moto's server, in a process of its own).
"""

from __future__ import annotations

import asyncio
import logging
import multiprocessing
import statistics
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import boto3
import structlog
from airflow.triggers.shared_stream import SharedStreamManager
from botocore.client import BaseClient
from moto.server import ThreadedMotoServer

from bench.machine import environment
from include.settings import load_settings
from include.storage import open_storage
from operators.inbox import InboxTrigger

WAITS, FILES, BURST = 10_000, 200, 500
POLL_SECONDS = 1.0
IDLE_INTERVALS = 10
PATIENCE_SECONDS = 120.0
BUCKET = "bench"
UNUSED = "postgresql+psycopg2:///unused"
REPLY = b'{"reply": "accept"}'


def measure(folder: Path) -> dict[str, Any]:
    """Return for each storage what WAITS waits cost and how soon they end.

    Listing requests an interval (the most of idle and busy), CPU seconds a minute while nothing comes, seconds from a
    file to its wait's event, and how many files of a burst were noticed.
    """
    found = {}
    local = folder / "storage"
    local.mkdir()
    with environment(ENGAGEMENT_REGISTER_URL=UNUSED, ENGAGEMENT_STORAGE_URL=local.as_uri()):
        found["folder"] = asyncio.run(_measured())
    with _s3() as url, environment(ENGAGEMENT_REGISTER_URL=UNUSED, ENGAGEMENT_STORAGE_URL=url):
        found["S3"] = asyncio.run(_measured())
    return found


async def _measured() -> dict[str, Any]:
    storage = open_storage(load_settings().storage_url)
    manager = SharedStreamManager(log=structlog.get_logger(), max_subscriber_queue=1000)
    noticed: dict[str, float] = {}

    async def wait(number: int) -> None:
        trigger = InboxTrigger(folder=f"KHV-2026-{number:05d}/information", poll_seconds=POLL_SECONDS, settle_seconds=5)
        key = trigger.shared_stream_key()
        stream = manager.subscribe(trigger_id=number, trigger=trigger, key=key)
        async for event in trigger.filter_shared_stream(stream):
            noticed[event.payload["folder"]] = time.time()
        await manager.unsubscribe(number, key)

    async def answer(numbers: range) -> dict[str, float]:
        """Lay one reply for each number; return the seconds until each was noticed."""
        landed = {}
        for number in numbers:
            folder = f"KHV-2026-{number:05d}/information"
            await asyncio.to_thread(storage.put, f"inbox/{folder}/reply.json", REPLY, media_type="application/json")
            landed[folder] = time.time()
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not landed.keys() <= noticed.keys():
            if time.monotonic() > deadline:
                raise RuntimeError(f"{len(landed.keys() - noticed.keys())} files were not noticed")
            await asyncio.sleep(0.05)
        for folder in landed:
            await asyncio.to_thread(storage.delete, f"inbox/{folder}/reply.json")
        return {folder: max(noticed[folder] - at, 0.0) for folder, at in landed.items()}

    waits = [asyncio.create_task(wait(number)) for number in range(WAITS)]
    try:
        await asyncio.sleep(POLL_SECONDS)
        with _counted_requests() as requests:
            began, used = time.perf_counter(), time.process_time()
            await asyncio.sleep(IDLE_INTERVALS * POLL_SECONDS)
            minutes = (time.perf_counter() - began) / 60
            idle_cpu = (time.process_time() - used) / minutes
            idle_requests = requests["ListObjectsV2"] / (minutes * 60 / POLL_SECONDS)
        with _counted_requests() as requests:
            began = time.perf_counter()
            seconds = list((await answer(range(FILES))).values())
            intervals = (time.perf_counter() - began) / POLL_SECONDS
            busy_requests = requests["ListObjectsV2"] / intervals
        burst = await answer(range(FILES, FILES + BURST))
    finally:
        for task in waits:
            task.cancel()
        await asyncio.gather(*waits, return_exceptions=True)
        await manager.stop_all()
    return {"waits": WAITS, "requests_an_interval": max(idle_requests, busy_requests), "idle_cpu": idle_cpu,
            "noticed": {"median": statistics.median(seconds), "max": max(seconds), "n": len(seconds)},
            "burst_noticed": len(burst)}  # fmt: skip


@contextmanager
def _counted_requests() -> Iterator[dict[str, int]]:
    counts = {"ListObjectsV2": 0}
    whole = BaseClient._make_api_call

    def counted(self: Any, operation: str, given: Any) -> Any:
        counts[operation] = counts.get(operation, 0) + 1
        return whole(self, operation, given)

    BaseClient._make_api_call = counted
    try:
        yield counts
    finally:
        BaseClient._make_api_call = whole


def _serve(port: Any, ready: Any) -> None:
    logging.disable(logging.WARNING)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    port.value = server.get_host_and_port()[1]
    ready.set()
    threading.Event().wait()


@contextmanager
def _s3() -> Iterator[str]:
    apart = multiprocessing.get_context("spawn")
    port, ready = apart.Value("i", 0), apart.Event()
    server = apart.Process(target=_serve, args=(port, ready), daemon=True)
    server.start()
    ready.wait()
    keys = {"AWS_ACCESS_KEY_ID": "bench", "AWS_SECRET_ACCESS_KEY": "bench", "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_ENDPOINT_URL_S3": f"http://127.0.0.1:{port.value}"}  # fmt: skip
    try:
        with environment(**keys):
            boto3.client("s3").create_bucket(Bucket=BUCKET)
            yield f"s3://{BUCKET}/live"
    finally:
        server.kill()
