"""The child process in which a file is looked at: it limits itself first, then opens the file, then says what it is.

Started by ``include.screening.screen`` with the task as JSON; its answer is one JSON object on standard output.
"""

from __future__ import annotations

import contextlib
import json
import mmap
import os
import resource
import sys
import tempfile
from typing import Any

from include.screening.archives import check_archive
from include.screening.content import Watch, kind_of, refuse_program
from include.screening.images import check_jpeg, check_png
from include.screening.limits import Limits
from include.screening.pdf import check_pdf
from include.screening.refusal import Refused

_CHUNK = 1 << 20
_EXPECTED = {"pdf": "pdf", "png": "png", "jpg": "jpeg", "jpeg": "jpeg", "docx": "docx", "xlsx": "xlsx", "zip": "zip"}
_OLE_LOCKED = "EncryptedPackage".encode("utf-16-le")
_OLE_MACROS = "_VBA_PROJECT".encode("utf-16-le")


def limit(limits: Limits, folder: str) -> None:
    """Bound this process before it sees anything of the file; ``folder`` takes its temporary files."""
    largest = limits.unpacked_bytes + limits.answers_bytes
    for what, most in (
        (resource.RLIMIT_CPU, limits.cpu_seconds),
        (resource.RLIMIT_AS, limits.memory_bytes),
        (resource.RLIMIT_FSIZE, largest),
        (resource.RLIMIT_NOFILE, 64),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_NPROC, 0),
    ):
        # A service may have set a lower bound of its own, which stays.
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(what, (most, most))
    os.nice(5)
    tempfile.tempdir = folder


def check(path: str, *, ending: str, formats: list[str], limits: Limits) -> str:
    """Return the kind of a file that may be taken. Raises Refused."""
    with open(path, "rb") as file:
        watch = Watch()
        watch.see_all(iter(lambda: file.read(_CHUNK), b""))
        refuse_program(watch.head)
        kind = kind_of(watch.head)
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            if kind == "ole":
                if data.find(_OLE_LOCKED) >= 0:
                    raise Refused("encrypted", "an Office file with a password")
                if data.find(_OLE_MACROS) >= 0:
                    raise Refused("macros", "an old Office file with macros")
            elif kind == "pdf":
                check_pdf(data, limits)
            elif kind == "png":
                check_png(data, limits)
            elif kind == "jpeg":
                check_jpeg(data, limits)
            if kind in ("pdf", "png", "jpeg") and data.rfind(b"PK\x05\x06", max(0, len(data) - 65_557)) >= 0:
                raise Refused("not_what_it_says", f"an archive behind a {kind}")
        if kind == "zip":
            kind = check_archive(file, limits)
    if ending not in formats:
        raise Refused("format_not_taken", f"{kind or 'unknown content'} that ends in .{ending[:20]}")
    if _EXPECTED.get(ending) != kind:
        raise Refused("not_what_it_says", f"{kind or 'unknown content'} that ends in .{ending[:20]}")
    return kind


def answers(path: str) -> dict[str, Any]:
    """Return what a questionnaire says, or why it cannot be read."""
    from include.documents.workbooks.answer_sheet import UnreadableSheet, read_questionnaire

    with open(path, "rb") as file:
        data = file.read()
    try:
        return {"answers": read_questionnaire(data)}
    except UnreadableSheet as error:
        return {"unreadable": {"vi": error.words.vi, "en": error.words.en}}


def intake_rows(path: str) -> dict[str, Any]:
    """Return the rows of a sheet of intake forms, or why it cannot be read."""
    from include.documents.workbooks.answer_sheet import UnreadableSheet
    from include.documents.workbooks.intake_rows import read_intake_rows

    with open(path, "rb") as file:
        data = file.read()
    try:
        return {"rows": read_intake_rows(data)}
    except UnreadableSheet as error:
        return {"unreadable": {"vi": error.words.vi, "en": error.words.en}}


_READERS = {"answers": answers, "intake_rows": intake_rows}


def main(task: dict[str, Any]) -> None:
    """Do the task and print what came of it."""
    limits = Limits(**task["limits"])
    reader = _READERS.get(task["task"])
    if reader is not None:
        # Before the limits: the machine's own libraries are not what is bounded.
        import python_calamine  # noqa: F401

        import include.documents.workbooks.intake_rows  # noqa: F401
    limit(limits, task["folder"])
    try:
        if reader is not None:
            result = reader(task["path"])
        else:
            kind = check(task["path"], ending=task["ending"], formats=task["formats"], limits=limits)
            result = {"code": None, "detail": "", "kind": kind}
    except Refused as refused:
        result = {"code": refused.code, "detail": refused.detail, "kind": ""}
    except (MemoryError, RecursionError) as error:
        result = {"code": "too_complex", "detail": type(error).__name__, "kind": ""}
    except Exception as error:  # a file made to break its reader: the kind of error says enough
        result = {"code": "damaged", "detail": f"cannot be read ({type(error).__name__})", "kind": ""}
    json.dump(result, sys.stdout)


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
