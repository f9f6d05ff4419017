"""ClamAV, where the installation has it."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

SECONDS = 120.0


class AntivirusFailed(Exception):
    """ClamAV is there and gave no answer: the file has not been looked at."""


@dataclass(frozen=True)
class Antivirus:
    """An installed ``clamdscan`` or ``clamscan``; a scan that takes longer than ``timeout_seconds`` has failed."""

    executable: str
    timeout_seconds: float = SECONDS

    def finding(self, path: Path) -> str | None:
        """Return the name of what was found in a file, None for nothing. Raises AntivirusFailed."""
        # The daemon runs as another user: it is handed the open file.
        options = ["--fdpass"] if Path(self.executable).name == "clamdscan" else []
        try:
            done = subprocess.run(
                [self.executable, *options, "--no-summary", "--infected", "--", str(path)],
                stdin=subprocess.DEVNULL, capture_output=True, timeout=self.timeout_seconds, check=False,
            )  # fmt: skip
        except (OSError, subprocess.TimeoutExpired) as error:
            raise AntivirusFailed(f"{self.executable}: {error}") from error
        said = done.stdout.decode(errors="replace").strip()
        if done.returncode == 0:
            return None
        if done.returncode == 1:
            return said.rpartition(": ")[2].removesuffix(" FOUND")[:200] or "found by ClamAV"
        raise AntivirusFailed(f"{self.executable} ended with {done.returncode}: {said[-300:]}")


def find_antivirus() -> Antivirus | None:
    """Return the antivirus of this installation: ``ENGAGEMENT_ANTIVIRUS`` names its program; empty, there is none."""
    named = os.environ.get("ENGAGEMENT_ANTIVIRUS", "")
    if not named:
        return None
    found = shutil.which(named)
    if found is None:
        raise AntivirusFailed(f"ENGAGEMENT_ANTIVIRUS names {named}, which is not installed")
    return Antivirus(found)
