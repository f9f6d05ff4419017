"""The proxy with its own file, before servers that tell what reaches them."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote

import pytest

from include.settings import ROOT
from local.ports import HOST

START_SECONDS = 20.0
STRANGER = "203.0.113.7"


@dataclass
class Server:
    """A server behind the proxy: what reached it."""

    paths: list[str] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)


@dataclass(frozen=True)
class Proxy:
    """A running proxy: its doors, and what stands behind them."""

    clients: int
    staff: int
    portal: Server
    airflow: Server
    stop_portal: Callable[[], None]

    def ask(self, door: int, path: str, *headers: str) -> bytes:
        """Send a request just as it is written; return the answer's first line and headers."""
        lines = [f"GET {path} HTTP/1.1", f"Host: {HOST}:{door}", "Connection: close", *headers, "", ""]
        with socket.create_connection((HOST, door), timeout=10) as connection:
            connection.sendall("\r\n".join(lines).encode())
            answer = b""
            while piece := connection.recv(65536):
                answer += piece
        return answer.partition(b"\r\n\r\n")[0]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def serving(server: Server) -> ThreadingHTTPServer:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            server.paths.append(self.path)
            server.headers.append({name.lower(): value for name, value in self.headers.items()})
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None: ...

    http = ThreadingHTTPServer((HOST, 0), Handler)
    threading.Thread(target=http.serve_forever, daemon=True).start()
    return http


@pytest.fixture
def proxy(tmp_path: Path) -> Iterator[Proxy]:
    program = shutil.which("caddy")
    if program is None:
        assert not os.environ.get("CI"), "caddy is missing"
        pytest.skip("NO PROXY, NOT TESTED: apt-get install caddy")
    portal, airflow = Server(), Server()
    behind = [serving(portal), serving(airflow)]
    clients, staff = free_port(), free_port()
    env = {
        "PATH": os.defpath, "HOME": str(tmp_path), "PROXY_BIND": HOST, "PROXY_HTTP_PORT": str(free_port()),
        # Both without TLS here, which a file for "tls" would refuse.
        "PORTAL_SITE": f"http://{HOST}:{clients}", "AIRFLOW_SITE": f"http://{HOST}:{staff}",
        "PORTAL_UPSTREAM": f"{HOST}:{behind[0].server_port}", "AIRFLOW_UPSTREAM": f"{HOST}:{behind[1].server_port}",
    }  # fmt: skip
    command = [program, "run", "--config", str(ROOT / "deploy" / "Caddyfile"), "--adapter", "caddyfile"]
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(command, env=env, stdout=log, stderr=log)
    try:
        deadline = time.monotonic() + START_SECONDS
        for door in (clients, staff):
            while True:
                assert process.poll() is None and time.monotonic() < deadline, (tmp_path / "log").read_text()
                try:
                    socket.create_connection((HOST, door), timeout=1).close()
                    break
                except OSError:
                    time.sleep(0.05)
        yield Proxy(clients, staff, portal, airflow, stop_portal=behind[0].server_close)
    finally:
        process.terminate()
        process.wait()
        for each in behind:
            each.shutdown()
            each.server_close()


def test_nobody_can_say_to_come_from_elsewhere(proxy: Proxy) -> None:
    for door, server in ((proxy.clients, proxy.portal), (proxy.staff, proxy.airflow)):
        proxy.ask(door, "/x", f"X-Forwarded-For: {STRANGER}", "X-Forwarded-Proto: https", "X-Forwarded-Host: x.example")
        [said] = server.headers
        assert said["x-forwarded-for"] == HOST
        assert said["x-forwarded-proto"] == "http"
        assert said["x-forwarded-host"] == f"{HOST}:{door}"


def test_the_server_is_told_which_host_was_asked_for(proxy: Proxy) -> None:
    proxy.ask(proxy.staff, "/engagements/")
    assert proxy.airflow.headers[0]["host"] == f"{HOST}:{proxy.staff}"


@pytest.mark.parametrize("path", ["/r/abc.def-ghi_1", "/r/a%2Fb", "/r/%E1%BA%AF?x=%26", "/engagements/e/KHV-2026-0001"])
def test_paths_are_handed_on_as_they_come(proxy: Proxy, path: str) -> None:
    proxy.ask(proxy.clients, path)
    assert proxy.portal.paths == [path]


@pytest.mark.parametrize(
    "path",
    ["/execution/", "/execution/task-instances/1/run", "/EXECUTION/x", "/%65xecution/x", "//execution/x",
     "/x/../execution/x", "/./execution/x", "/execution%2Fx"],
)  # fmt: skip
def test_what_workers_say_to_airflow_nobody_else_can_say_however_it_is_spelled(proxy: Proxy, path: str) -> None:
    proxy.ask(proxy.staff, path)
    assert [each for each in proxy.airflow.paths if unquote(each).lower().startswith("/execution")] == []


def test_at_the_clients_door_nothing_reaches_airflow(proxy: Proxy) -> None:
    for path in ("/", "/api/v2/version", "/execution/x", "/engagements/"):
        proxy.ask(proxy.clients, path)
    assert proxy.airflow.paths == []
    assert len(proxy.portal.paths) == 4


def test_no_answer_names_the_servers_program(proxy: Proxy) -> None:
    for door in (proxy.clients, proxy.staff):
        assert b"\r\nserver:" not in proxy.ask(door, "/x").lower()


def test_the_log_holds_no_address_of_a_page_even_when_nobody_answers_there(proxy: Proxy, tmp_path: Path) -> None:
    proxy.ask(proxy.clients, "/r/secret-link")
    proxy.stop_portal()
    assert b" 502 " in proxy.ask(proxy.clients, "/r/secret-link")
    assert "secret-link" not in (tmp_path / "log").read_text(encoding="utf-8")
