"""What a keeper started ends with it, however its launcher ends."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from local.keeper import Keeper, KeeperError, descendants

ROOT = Path(__file__).resolve().parents[2]

# A process that leaves an orphan in a session of its own, deaf to polite signals, as bad servers do. Both hold the
# FIFO open: it reads as ended only when the last of them is gone.
UNRULY = """
import os, signal, sys, time
os.open(sys.argv[1], os.O_WRONLY)
signal.signal(signal.SIGTERM, signal.SIG_IGN)
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        open(sys.argv[1] + ".ready", "w").close()
        time.sleep(600)
    os._exit(0)
time.sleep(600)
"""

LAUNCHER = """
import sys, time
from pathlib import Path
from local.keeper import Keeper
folder = Path(sys.argv[1])
keeper = Keeper(lock=folder / "lock")
keeper.open()
argv = [sys.executable, "-c", sys.argv[2], str(folder / "alive")]
keeper.start("unruly", argv, env={}, cwd=folder, log=folder / "log")
while not (folder / "alive.ready").exists():
    time.sleep(0.02)
print(keeper.pid, flush=True)
time.sleep(600)
"""


class Fifo:
    """Tells when the last process that holds it has ended."""

    def __init__(self, path: Path) -> None:
        os.mkfifo(path)
        self._reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)

    def all_ended(self, seconds: float = 30) -> bool:
        poll = select.poll()
        poll.register(self._reader, 0)  # hang-ups are always told
        return bool(poll.poll(seconds * 1000)) and os.read(self._reader, 1) == b""


@pytest.fixture
def alive(tmp_path: Path) -> Fifo:
    return Fifo(tmp_path / "alive")


def launch(folder: Path) -> tuple[subprocess.Popen[str], int]:
    launcher = subprocess.Popen(
        [sys.executable, "-c", LAUNCHER, str(folder), UNRULY],
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        # Whoever runs the tests may ignore SIGHUP, as nohup does; children would inherit that.
        preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_DFL),
    )
    assert launcher.stdout is not None
    return launcher, int(launcher.stdout.readline())


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGHUP, signal.SIGTERM])
def test_nothing_outlives_a_killed_launcher(tmp_path: Path, alive: Fifo, number: signal.Signals) -> None:
    launcher, keeper = launch(tmp_path)
    assert len(descendants(keeper)) == 2
    launcher.send_signal(number)
    launcher.communicate()
    assert alive.all_ended()


def test_a_keeper_that_is_told_to_end_ends_all_first(tmp_path: Path, alive: Fifo) -> None:
    launcher, keeper = launch(tmp_path)
    os.kill(keeper, signal.SIGTERM)
    assert alive.all_ended()
    launcher.kill()
    launcher.communicate()


def test_the_end_of_a_process_is_told(tmp_path: Path) -> None:
    keeper = Keeper(lock=tmp_path / "lock")
    keeper.open()
    keeper.start("short", [sys.executable, "-c", "raise SystemExit(7)"], env={}, cwd=tmp_path, log=tmp_path / "log")
    assert keeper.wait("short", 30) == 7
    keeper.close()
    keeper.close()


def test_what_must_end_last_still_lives_when_the_others_have_ended(tmp_path: Path) -> None:
    said = tmp_path / "said"
    wait = "import signal, sys, time; signal.signal({0}, lambda *_: (open(sys.argv[1], 'a').write('{1}'), sys.exit()));"
    wait += "open(sys.argv[1] + '.{1}', 'w').close(); time.sleep(600)"
    keeper = Keeper(lock=tmp_path / "lock")
    keeper.open()
    for name, number, last in (("database", 2, signal.SIGINT), ("client", 15, None)):
        argv = [sys.executable, "-c", wait.format(number, name[0]), str(said)]
        keeper.start(name, argv, env={}, cwd=tmp_path, log=tmp_path / "log", last=last)
    while not all((tmp_path / f"said.{letter}").exists() for letter in "dc"):
        assert not keeper.ended()
    keeper.close()
    assert said.read_text() == "cd"


def test_a_program_that_is_not_there_is_told(tmp_path: Path) -> None:
    keeper = Keeper(lock=tmp_path / "lock")
    keeper.open()
    with pytest.raises(KeeperError, match=r"nothing could not be started: .*No such file"):
        keeper.start("nothing", ["/no/such/program"], env={}, cwd=tmp_path, log=tmp_path / "log")
    keeper.close()


def test_two_keepers_never_share_a_folder(tmp_path: Path) -> None:
    first, second = Keeper(lock=tmp_path / "lock"), Keeper(lock=tmp_path / "lock")
    first.open()
    with pytest.raises(KeeperError, match="already runs what lies in"):
        second.open()
    first.close()
    second.open()
    second.close()
