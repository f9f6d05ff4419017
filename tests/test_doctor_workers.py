"""What the doctor finds of the workers' broker, the triggerer and its files."""

from __future__ import annotations

import os
import secrets
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from include.doctor.databases import read_register
from include.doctor.look import in_time
from include.doctor.workers import CAPACITY, SPARE_FILES, broker_findings, triggerer_findings
from include.production import BROKER, EXECUTOR
from local.ports import Ports
from tests.firm import Firm
from tests.test_doctor import levels

PASSWORD = secrets.token_hex(16)
CELERY = {EXECUTOR: "CeleryExecutor"}


@pytest.mark.parametrize(("env", "waits", "files", "found"), [
    ({}, 10, 65_536, {CAPACITY: "ok", "Open files": "ok"}),
    ({}, 801, 65_536, {CAPACITY: "warning", "Open files": "ok"}),
    ({CAPACITY: "10000"}, 801, 65_536, {CAPACITY: "ok", "Open files": "ok"}),
    ({CAPACITY: "10000"}, 10, 1024, {CAPACITY: "ok", "Open files": "warning"}),
    ({}, 10, 1000 + SPARE_FILES - 1, {CAPACITY: "ok", "Open files": "warning"}),
    ({CAPACITY: "many"}, 10, 65_536, {CAPACITY: "refused"}),
    ({CAPACITY: "0"}, 10, 65_536, {CAPACITY: "refused"}),
])  # fmt: skip
def test_a_triggerer_has_room_and_files_for_every_wait(
    env: dict[str, str], waits: int, files: int, found: dict[str, str]
) -> None:
    assert levels(triggerer_findings(env, waits=waits, files=files)) == found


def test_the_register_says_how_many_requests_are_waited_for(firm: Firm) -> None:
    firm.open()
    firm.ask("information")
    assert read_register(firm.settings.register_url).waits == 1


def test_without_celery_there_is_no_broker_to_try() -> None:
    assert levels(broker_findings({EXECUTOR: "LocalExecutor", BROKER: "redis://nowhere.invalid"})) == {}
    assert levels(broker_findings({EXECUTOR: "CeleryExecutor"})) == {BROKER: "warning"}


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[int]:
    """The port of a Redis that wants a password."""
    server = shutil.which("redis-server")
    if server is None:
        assert not os.environ.get("CI"), "redis-server is not installed"
        pytest.skip("NO REDIS-SERVER, BROKER NOT TESTED")
    port = Ports.free().api
    command = [server, "--bind", "127.0.0.1", "--port", str(port), "--requirepass", PASSWORD, "--save", "",
               "--dir", str(tmp_path)]  # fmt: skip
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            assert any("Ready to accept connections" in line for line in process.stdout)
            yield port
        finally:
            process.terminate()


def test_a_broker_is_greeted_with_its_password(broker: int) -> None:
    url = f"redis://:{PASSWORD}@127.0.0.1:{broker}/0"
    assert levels(in_time("Broker", lambda: broker_findings(CELERY | {BROKER: url}))) == {BROKER: "ok"}
    for wrong in (url.replace(PASSWORD, "x" + PASSWORD), url.replace(f":{PASSWORD}@", ""), "redis://127.0.0.1:1/0"):
        (found,) = in_time("Broker", lambda wrong=wrong: broker_findings(CELERY | {BROKER: wrong}))
        assert found.level == "refused", wrong
        assert PASSWORD not in str(found)
