"""The parent's side: start the child, wait no longer than the limit, take its verdict."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import unicodedata
from collections.abc import Collection
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from include.screening.antivirus import Antivirus
from include.screening.limits import Limits

ROOT = Path(__file__).resolve().parent.parent.parent
TAKEN = ("pdf", "docx", "xlsx", "png", "jpg", "jpeg", "zip")
_START = "import json, sys; sys.path.insert(0, sys.argv[2]); from include.screening.child import main; "
_START += "main(json.loads(sys.argv[1]))"


@dataclass(frozen=True)
class Verdict:
    """What came of looking at a file.

    ``code`` is None for a file that may be taken, else a key of ``include.engagement.items.FILE_PROBLEMS``;
    ``detail`` (English) is for logs and evidence, never for clients; ``kind`` of content: ``pdf``, ``xlsx``, ….
    """

    code: str | None
    detail: str
    kind: str


def ending_of(name: str) -> str:
    """Return the ending of a file name as a person's machine takes it: marks that do not show are not there."""
    shown = "".join(c for c in unicodedata.normalize("NFC", name) if unicodedata.category(c) not in ("Cc", "Cf", "Cs"))
    stem, dot, ending = shown.rstrip(". ").rpartition(".")
    return ending.casefold() if stem and dot else ""


def screen(
    path: Path,
    *,
    name: str,
    limits: Limits,
    formats: Collection[str] = TAKEN,
    antivirus: Antivirus | None = None,
) -> Verdict:
    """Look at the file at ``path``, which came under ``name``; ``formats`` are the endings that are taken.

    Whatever the file is, this returns, after at most ``limits.wall_seconds`` (and those of ``antivirus``).
    """
    size = path.stat().st_size
    if size == 0:
        return Verdict("empty", "0 bytes", "")
    if size > limits.file_bytes:
        return Verdict("too_large", f"{size} bytes, more than {limits.file_bytes}", "")
    if antivirus and (found := antivirus.finding(path)):
        return Verdict("virus", found, "")
    result = _ask_child(
        {"task": "screen", "path": str(path), "ending": ending_of(name), "formats": sorted(formats)}, limits
    )
    return Verdict(result["code"], result["detail"], result["kind"])


def read_answers(path: Path, *, limits: Limits) -> dict[str, Any]:
    """Return ``{item key: answer}`` of a filled questionnaire (see ``read_questionnaire``), read in a child.

    Raises UnreadableSheet (an InvalidReply), also when the reading takes more than the limits give it.
    """
    answers: dict[str, Any] = _read("answers", path, limits)["answers"]
    return answers


def read_intake_rows(path: Path, *, limits: Limits) -> list[tuple[int, dict[str, Any]]]:
    """Return the rows of a sheet of intake forms (see ``intake_rows``), read in a child. Raises UnreadableSheet."""
    return [(number, entries) for number, entries in _read("intake_rows", path, limits)["rows"]]


def _read(task: str, path: Path, limits: Limits) -> dict[str, Any]:
    from include.documents.workbooks.answer_sheet import TOO_COMPLEX, UnreadableSheet
    from include.engagement.process import Text

    result = _ask_child({"task": task, "path": str(path)}, limits)
    if "kind" not in result and "unreadable" not in result:
        return result
    words = result.get("unreadable")
    raise UnreadableSheet(Text(words["vi"], words["en"]) if words else TOO_COMPLEX)


def _ask_child(task: dict[str, Any], limits: Limits) -> dict[str, Any]:
    """Return the child's answer; a child that is killed or says nothing found the file too much."""
    with tempfile.TemporaryDirectory(prefix="screening-") as folder, tempfile.TemporaryFile() as said:
        arguments = json.dumps({**task, "limits": asdict(limits), "folder": folder})
        # Nothing of the parent's environment: it holds what a broken child must not know.
        environment = {key: os.environ[key] for key in ("PATH", "LANG", "LD_LIBRARY_PATH") if key in os.environ}
        process = subprocess.Popen(
            [sys.executable, "-I", "-B", "-c", _START, arguments, str(ROOT)], stdin=subprocess.DEVNULL, stdout=said,
            stderr=subprocess.DEVNULL, start_new_session=True, cwd=folder, env=environment,
        )  # fmt: skip
        try:
            process.wait(timeout=limits.wall_seconds)
        except subprocess.TimeoutExpired:
            return _too_complex(f"longer than {limits.wall_seconds:.0f} s")
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        said.seek(0)
        answer = said.read(limits.answers_bytes + 1)
    if process.returncode < 0:
        return _too_complex(f"ended by signal {-process.returncode}")
    if process.returncode > 0 or len(answer) > limits.answers_bytes:
        return _too_complex(f"no verdict (exit {process.returncode}, {len(answer)} bytes)")
    try:
        result: dict[str, Any] = json.loads(answer)
    except ValueError:
        return _too_complex("no verdict")
    return result


def _too_complex(detail: str) -> dict[str, Any]:
    return {"code": "too_complex", "detail": detail, "kind": ""}


