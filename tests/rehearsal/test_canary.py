"""The search finds what was planted, however it is written and wherever it lies."""

from __future__ import annotations

import base64
import json
import unicodedata
from pathlib import Path
from urllib.parse import quote

import pytest
from sqlalchemy import text

from include.register.session import make_engine
from rehearsal.canary import traces

NAME = "Trần Đức Hữu"


@pytest.mark.parametrize(
    "written",
    [
        NAME,
        NAME.upper(),
        unicodedata.normalize("NFD", NAME),
        json.dumps({"contact": NAME}),
        f"https://x/?name={quote(NAME)}",
        base64.b64encode(f'{{"contact": "{NAME}"}}'.encode()).decode(),
        base64.b64encode(f'{{"contacts": "{NAME}"}}'.encode()).decode(),
        base64.b64encode(f'{{"a-contact": "{NAME}"}}'.encode()).decode(),
    ],
)
def test_a_planted_name_is_found_in_a_log_and_in_a_table(register: str, tmp_path: Path, written: str) -> None:
    clean = traces({"name": NAME}, database=register, folders=[tmp_path])
    assert clean == []
    (tmp_path / "task.log").write_text(f"INFO {written}\n", encoding="utf-8")
    with make_engine(register).begin() as connection:
        connection.execute(text("create table kept (what text, raw bytea)"))
        connection.execute(text("insert into kept (what) values (:w)"), {"w": written})
    found = traces({"name": NAME}, database=register, folders=[tmp_path])
    assert found == [f"name in file {tmp_path.name}/task.log", "name in table kept, row 1"]


def test_bytes_in_a_table_are_looked_into(register: str) -> None:
    with make_engine(register).begin() as connection:
        connection.execute(text("create table kept (raw bytea)"))
        connection.execute(text("insert into kept values (:w)"), {"w": b"\x80" + NAME.encode()})
    assert traces({"name": NAME}, database=register, folders=[]) == ["name in table kept, row 1"]


def test_a_value_that_would_be_found_everywhere_is_refused(register: str) -> None:
    with pytest.raises(ValueError, match="fewer than"):
        traces({"name": "An"}, database=register, folders=[])
