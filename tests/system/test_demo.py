"""The README's first command, as its reader types it."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
from pathlib import Path

import pytest

from local.keeper import descendants
from local.ports import HOST
from local.stack import ROOT

pytestmark = [pytest.mark.system, pytest.mark.timeout(1200), pytest.mark.xdist_group("demo")]

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
    os.killpg(demo.pid, signal.SIGINT)
    demo.communicate()

    assert f"http://{HOST}:{base}/dags/engagement/runs/KHV-" in told, told
    assert f"http://{HOST}:{base}/engagements/e/KHV-" in told
    assert f"http://{HOST}:{base + 1}" in told
    result = json.loads((ROOT / "data" / "demo" / "result" / "result.json").read_text(encoding="utf-8"))
    assert result["outcome"] == "declined_by_firm"
    assert len(started) > 5
    assert not [pid for pid in started if Path(f"/proc/{pid}").exists()]
