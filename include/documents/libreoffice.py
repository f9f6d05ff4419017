"""LibreOffice without a window: PDFs of Word documents, computed values of workbooks.

Each call has a profile of its own, so that calls may run side by side, and ends with everything it started.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

SECONDS = 120.0
_PDF = 'pdf:writer_pdf_Export:{"UseTaggedPDF":{"type":"boolean","value":"true"}}'
_XLSX = "xlsx:Calc MS Excel 2007 XML"
# Documents are the firm's own, but what clients wrote stands in them: nothing is loaded from elsewhere, no macro runs.
_SETTINGS = """<?xml version="1.0" encoding="UTF-8"?>
<oor:items xmlns:oor="http://openoffice.org/2001/registry">
<item oor:path="/org.openoffice.Office.Common/Security/Scripting"><prop oor:name="MacroSecurityLevel" oor:op="fuse">
<value>3</value></prop><prop oor:name="DisableMacrosExecution" oor:op="fuse"><value>true</value></prop></item>
<item oor:path="/org.openoffice.Office.Common/Security/Scripting"><prop oor:name="BlockUntrustedRefererLinks"
oor:op="fuse"><value>true</value></prop></item>
<item oor:path="/org.openoffice.Office.Calc/Formula/Load"><prop oor:name="OOXMLRecalcMode" oor:op="fuse">
<value>0</value></prop></item>
</oor:items>
"""


class ConversionFailed(Exception):
    """LibreOffice gave no result; the message says what it said instead."""


@dataclass(frozen=True)
class LibreOffice:
    """An installed LibreOffice; a call that takes longer than ``timeout_seconds`` is ended."""

    executable: str
    timeout_seconds: float = SECONDS

    def pdf(self, data: bytes, *, extension: str) -> bytes:
        """Return a tagged PDF of a document, its fonts inside. Raises ConversionFailed."""
        return self._convert(data, extension, _PDF if extension == "docx" else "pdf")

    def recalculated(self, xlsx: bytes) -> bytes:
        """Return the workbook as LibreOffice writes it, every formula computed anew. Raises ConversionFailed."""
        return self._convert(xlsx, "xlsx", _XLSX)

    def _convert(self, data: bytes, extension: str, target: str) -> bytes:
        with tempfile.TemporaryDirectory(prefix="libreoffice-") as folder:
            profile, out = Path(folder, "profile"), Path(folder, "out")
            (profile / "user").mkdir(parents=True)
            (profile / "user" / "registrymodifications.xcu").write_text(_SETTINGS, encoding="utf-8")
            source = Path(folder, f"document.{extension}")
            source.write_bytes(data)
            said = self._run(
                [f"-env:UserInstallation={profile.as_uri()}", "--headless", "--norestore", "--nolockcheck",
                 "--convert-to", target, "--outdir", str(out), str(source)],
                folder,
            )  # fmt: skip
            result = out / f"document.{target.partition(':')[0]}"
            if not result.is_file():
                raise ConversionFailed(f"LibreOffice made no {result.suffix} of a .{extension}: {said}")
            return result.read_bytes()

    def _run(self, arguments: list[str], folder: str) -> str:
        """Run it in a process group of its own and return the end of what it said."""
        environment = {key: os.environ[key] for key in ("PATH", "LANG", "LC_ALL") if key in os.environ}
        try:
            process = subprocess.Popen(
                [self.executable, *arguments], cwd=folder, env={**environment, "HOME": folder},
                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True,
            )  # fmt: skip
        except OSError as error:
            raise ConversionFailed(f"LibreOffice could not be started: {error}") from error
        try:
            said, _ = process.communicate(timeout=self.timeout_seconds)
        except subprocess.TimeoutExpired:
            raise ConversionFailed(f"LibreOffice took longer than {self.timeout_seconds:.0f} s") from None
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        return said.decode(errors="replace").strip()[-500:]


def find_libreoffice() -> LibreOffice | None:
    """Return the LibreOffice of this machine, if there is one.

    ``ENGAGEMENT_LIBREOFFICE`` names its program; ``none`` says to go without.
    """
    named = os.environ.get("ENGAGEMENT_LIBREOFFICE", "")
    if named == "none":
        return None
    found = shutil.which(named) if named else shutil.which("soffice") or shutil.which("libreoffice")
    return LibreOffice(found) if found else None
