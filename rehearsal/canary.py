"""Looking for what must not be there: personal data, links and secrets in Airflow's database and in all logs."""

from __future__ import annotations

import base64
import json
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from urllib.parse import quote, quote_plus

from sqlalchemy import Engine, create_engine, inspect, text

LEAST_LETTERS = 6  # what is shorter is found everywhere


def forms_of(value: str) -> frozenset[str]:
    """Return a value as it may be written: plain, composed and decomposed, in JSON, in a URL, in hex, in Base64."""
    written = {value}
    for shape in (unicodedata.normalize("NFC", value), unicodedata.normalize("NFD", value)):
        data = shape.encode()
        written |= {shape, json.dumps(shape)[1:-1], quote(shape), quote_plus(shape), data.hex(),
                    data.decode("latin-1")}  # fmt: skip
        # Where it begins within three bytes decides how Base64 spells it; the letters at both ends depend on the rest.
        for offset in range(3):
            coded = base64.b64encode(b"\0" * offset + data).decode()
            written.add(coded[(0, 2, 3)[offset] : len(coded) - 4])
    return frozenset(form.casefold() for form in written if len(form) >= LEAST_LETTERS)


def traces(planted: Mapping[str, str], *, database: str, folders: Iterable[Path]) -> list[str]:
    """Return where any of the ``planted`` values stands, by name, never the value: tables with rows, files.

    ``database`` is an SQLAlchemy URL; every row of every table is read as text. Raises ValueError for a value that is
    too short to be looked for.
    """
    forms = {name: forms_of(value) for name, value in planted.items()}
    for name, value in planted.items():
        if len(value) < LEAST_LETTERS:
            raise ValueError(f"{name} has fewer than {LEAST_LETTERS} letters: it would be found everywhere")
    found = []
    for place, content in (*_rows(create_engine(database)), *_files(folders)):
        low = content.casefold()
        found += [f"{name} in {place}" for name, each in forms.items() if any(form in low for form in each)]
    return sorted(set(found))


def _rows(engine: Engine) -> Iterator[tuple[str, str]]:
    with engine.connect() as connection:
        for table in inspect(engine).get_table_names():
            for number, (row,) in enumerate(connection.execute(text(f'select t::text from "{table}" t')), 1):
                yield f"table {table}, row {number}", row.replace("\\\\", "\\")  # a row as text doubles backslashes


def _files(folders: Iterable[Path]) -> Iterator[tuple[str, str]]:
    for folder in folders:
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                yield f"file {path.relative_to(folder.parent)}", path.read_bytes().decode("utf-8", "replace")
