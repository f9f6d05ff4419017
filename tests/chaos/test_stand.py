"""What the stand breaks it leaves whole."""

from __future__ import annotations

import threading
from pathlib import Path

from chaos.stand import Stand
from local.stack import ROOT


def test_a_dag_file_that_two_break_at_once_is_whole_after_both(tmp_path: Path) -> None:
    stand = Stand(tmp_path, seed=1)
    file = tmp_path / "dags" / "engagement.py"
    first_broke, second_begins = threading.Event(), threading.Event()

    def first() -> None:
        with stand.broken_dag():
            first_broke.set()
            second_begins.wait()

    def second() -> None:
        first_broke.wait()
        second_begins.set()
        with stand.broken_dag():
            assert file.read_text(encoding="utf-8") != (ROOT / "dags" / "engagement.py").read_text(encoding="utf-8")

    threads = [threading.Thread(target=each) for each in (first, second)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert file.read_text(encoding="utf-8") == (ROOT / "dags" / "engagement.py").read_text(encoding="utf-8")
