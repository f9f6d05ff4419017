"""What a portal takes from one client: bytes, files, requests; and what its process can reach."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Callable

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis.specs.openapi.checks import negative_data_rejection, unsupported_method
from starlette.exceptions import HTTPException

from include.settings import ROOT
from portal.app import create_app
from portal.limits import BodyLimit, Limits, Window
from tests.portal.conftest import MANY, Client


@pytest.fixture
def informed_of(client_of: Callable[[Limits], Client]) -> Callable[[Limits], Client]:
    def client(limits: Limits) -> Client:
        made = client_of(limits)
        made.firm.open()
        made.firm.ask("information")
        return made

    return client


def upload(size: int) -> tuple[str, tuple[str, bytes, str]]:
    return "file.business_registration", ("dkkd.pdf", b"%" * size, "application/pdf")


def test_a_file_beyond_the_limit_is_refused_in_words(informed_of: Callable[[Limits], Client]) -> None:
    client = informed_of(Limits(file_bytes=1000, body_bytes=100_000))
    shown = client.send("information", {"answer.strategy": "giữ lại"}, [upload(1001)])
    assert shown.status_code == 413 and "Có tệp quá lớn" in shown.text and "giữ lại" in shown.text
    assert client.send("information", {}, [upload(1000)]).status_code == 200


def test_a_body_beyond_the_limit_is_not_read_to_its_end(informed_of: Callable[[Limits], Client]) -> None:
    client = informed_of(Limits(body_bytes=50_000))
    assert client.send("information", {}, [upload(60_000)]).status_code == 413
    assert [entry.path for entry in client.firm.office().storage.list("inbox/")] == []


def test_a_body_is_counted_whatever_its_length_is_said_to_be() -> None:
    pieces = [{"type": "http.request", "body": b"x" * 600, "more_body": True} for _ in range(10)]
    read = 0

    async def receive() -> dict[str, object]:
        return pieces.pop(0)

    async def app(scope: object, receive: Callable[[], object], send: object) -> None:
        nonlocal read
        while True:
            read += len((await receive())["body"])

    scope = {"type": "http", "method": "POST", "headers": [(b"content-length", b"10")]}
    with pytest.raises(HTTPException) as caught:
        asyncio.run(BodyLimit(app, Limits(body_bytes=1000))(scope, receive, None))
    assert caught.value.status_code == 413 and read == 600


def test_a_client_that_says_nothing_is_let_go() -> None:
    async def silent() -> dict[str, object]:
        await asyncio.sleep(60)
        return {}

    async def app(scope: object, receive: Callable[[], object], send: object) -> None:
        await receive()

    with pytest.raises(HTTPException) as caught:
        scope = {"type": "http", "method": "POST"}
        asyncio.run(BodyLimit(app, Limits(silence_seconds=0.01))(scope, silent, None))
    assert caught.value.status_code == 408


def test_a_client_that_trickles_is_let_go() -> None:
    read = 0

    async def trickle() -> dict[str, object]:
        await asyncio.sleep(0.01)
        return {"type": "http.request", "body": b"x", "more_body": True}

    async def app(scope: object, receive: Callable[[], object], send: object) -> None:
        nonlocal read
        for _ in range(10_000):
            read += len((await receive())["body"])

    with pytest.raises(HTTPException) as caught:
        slow = Limits(silence_seconds=0.1, bytes_per_second=1000)
        asyncio.run(BodyLimit(app, slow)({"type": "http", "method": "POST"}, trickle, None))
    assert caught.value.status_code == 408 and read < 10_000


def test_thousands_of_files_are_not_taken_at_once(informed_of: Callable[[Limits], Client]) -> None:
    client = informed_of(Limits(files=3))
    assert client.send("information", {}, [upload(10)] * 4).status_code == 400
    assert client.send("information", {}, [upload(10)] * 3).status_code == 200


def test_too_many_requests_are_asked_to_wait(informed_of: Callable[[Limits], Client]) -> None:
    client = informed_of(Limits(reads_per_window=3, posts_per_window=2))
    codes = [client.http.get(client.link("information")).status_code for _ in range(4)]
    assert codes == [200, 200, 200, 429]
    codes = [client.http.post(client.link("information"), data={"nonce": "x"}).status_code for _ in range(2)]
    refused = client.http.post(client.link("information"), data={"nonce": "x"})
    assert 429 not in codes[:1] and refused.status_code == 429 and int(refused.headers["retry-after"]) > 0
    assert "Vui lòng thử lại sau ít phút." in refused.text


def test_a_window_forgets_and_knows_only_so_many() -> None:
    window = Window(1, 0.0)
    assert window.wait("a") == 0 and window.wait("a") == 0
    still = Window(1, 600)
    assert [still.wait("a"), still.wait("b")] == [0, 0] and 1 <= still.wait("a") <= 601


def test_the_process_knows_nothing_of_airflow() -> None:
    code = "import sys, json; import portal.__main__; print(json.dumps(sorted(sys.modules)))"
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)}
    told = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, check=True)
    assert [name for name in json.loads(told.stdout) if name.partition(".")[0] == "airflow"] == []


def test_no_request_breaks_it(informed_of: Callable[[Limits], Client]) -> None:
    """Whatever is sent to whichever route, the answer is one of those that the portal describes, and no failure."""
    client = informed_of(MANY)
    schema = schemathesis.openapi.from_asgi(
        "/openapi.json", create_app(client.firm.settings, MANY, documented=True)
    )

    token = client.link("information").removeprefix("/r/")
    called = []
    for operation in (found.ok() for found in schema.get_all_operations()):

        @given(operation.as_strategy())
        @settings(deadline=None, max_examples=25, suppress_health_check=list(HealthCheck))
        def call(case: schemathesis.Case) -> None:
            case.call_and_validate(excluded_checks=[negative_data_rejection, unsupported_method])
            if "token" in case.path_parameters:
                case.path_parameters["token"] = token
                assert case.call().status_code < 500

        call()
        called.append(operation.label)
    assert len(called) == 7
