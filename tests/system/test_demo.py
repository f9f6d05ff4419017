"""The README's first command, as its reader types it."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import subprocess
from pathlib import Path

import httpx
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import sync_playwright

from local.keeper import descendants
from local.ports import HOST
from local.stack import ROOT

pytestmark = [pytest.mark.system, pytest.mark.timeout(1200), pytest.mark.xdist_group("demo")]

CHROMIUM = shutil.which("chromium")
LAST_LINE = "nhấn Ctrl-C để dừng"


def free_base() -> int:
    """Return the first of four free ports in a row."""
    for base in range(23080, 33080, 10):
        try:
            for port in range(base, base + 4):
                with socket.socket() as probe:
                    probe.bind((HOST, port))
        except OSError:
            continue
        return base
    raise RuntimeError("no four free ports in a row")


def engagement_page(told: str) -> str:
    """Open the address that the demo told, signed in as it says; return what the page says to who reads it."""
    [address] = re.findall(r"http://\S+/engagements/e/KHV-\S+", told)
    user, password = re.search(r"Đăng nhập Airflow: (\S+) / (\S+)", told).groups()  # type: ignore[union-attr]
    airflow = address.partition("/engagements/")[0]
    login = httpx.post(f"{airflow}/auth/token", json={"username": user, "password": password}, trust_env=False)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        context = browser.new_context(locale="vi-VN", viewport={"width": 1280, "height": 900}, bypass_csp=True)
        context.add_cookies([{"name": "_token", "value": login.json()["access_token"], "url": airflow}])
        page = context.new_page()
        page.goto(address)
        found = Axe().run(page, options={"runOnly": {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag22aa"]}})
        assert found.violations_count == 0, found.generate_report()
        said = page.inner_text("body")
        browser.close()
    return said


def test_make_demo_plays_tells_where_to_look_stays_up_and_stops_at_ctrl_c() -> None:
    base = free_base()
    demo = subprocess.Popen(
        ["make", "demo", "SCENARIO=declined-by-firm"], cwd=ROOT, env=os.environ | {"PORT_BASE": str(base)},
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )  # fmt: skip
    assert demo.stdout is not None
    said = []
    for line in demo.stdout:
        said.append(line)
        if LAST_LINE in line:
            break
    told = "".join(said)
    started = descendants(demo.pid)
    seen = engagement_page(told) if CHROMIUM else None
    os.killpg(demo.pid, signal.SIGINT)
    demo.communicate()

    assert f"http://{HOST}:{base}/dags/engagement/runs/KHV-" in told, told
    assert f"http://{HOST}:{base}/engagements/e/KHV-" in told
    assert f"http://{HOST}:{base + 1}" in told
    result = json.loads((ROOT / "data" / "demo" / "result" / "result.json").read_text(encoding="utf-8"))
    assert result["outcome"] == "declined_by_firm"
    assert len(started) > 5
    assert not [pid for pid in started if Path(f"/proc/{pid}").exists()]
    if seen is None:
        assert not os.environ.get("CI")
        pytest.skip("NO CHROMIUM, THE FINISHED ENGAGEMENT'S PAGE WAS NOT LOOKED AT")
    assert result["engagement_id"] in seen and "Sông Trà" in seen
