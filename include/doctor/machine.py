"""What the machine has: LibreOffice, fonts, a virus scanner, room, open files."""

from __future__ import annotations

import subprocess
from collections.abc import Iterable, Iterator

from include.doctor.look import SECONDS
from include.documents.libreoffice import LibreOffice
from include.production import Finding
from include.screening.antivirus import AntivirusFailed, find_antivirus

LETTERS = "charset=1eaf 1ed9 20ab"  # ắ ộ ₫: what fonts without Vietnamese lack first
FONT = "Liberation"
INSTALL_CLAMAV = "apt-get install clamav-daemon clamdscan"


def office_findings(libreoffice: LibreOffice | None) -> Iterator[Finding]:
    """Judge whether documents become PDFs."""
    if libreoffice is None:
        yield Finding("warning", "LibreOffice", "is not here: clients get Word files, workbooks no computed values",
                      "apt-get install libreoffice-writer libreoffice-calc fonts-liberation2")  # fmt: skip
    else:
        yield Finding("ok", "LibreOffice", libreoffice.executable)


def antivirus_findings() -> Iterator[Finding]:
    """Judge whether a virus scanner looks at what comes from outside."""
    try:
        scanner = find_antivirus()
    except AntivirusFailed as error:
        yield Finding("refused", "ENGAGEMENT_ANTIVIRUS", str(error), f"{INSTALL_CLAMAV}, or remove it")
        return
    if scanner is None:
        yield Finding("warning", "ENGAGEMENT_ANTIVIRUS", "is not set: the built-in checks know no viruses",
                      f"{INSTALL_CLAMAV}, then ENGAGEMENT_ANTIVIRUS=clamdscan")  # fmt: skip
    else:
        yield Finding("ok", "ENGAGEMENT_ANTIVIRUS", scanner.executable)


def installed_fonts() -> list[str]:
    """Return the families of the fonts here that have the Vietnamese letters. Raises OSError without fontconfig."""
    command = ["fc-list", f":{LETTERS}", "family"]
    said = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=True).stdout
    return sorted({line.split(",")[0].strip() for line in said.splitlines() if line.strip()})


def font_findings(families: Iterable[str]) -> Iterator[Finding]:
    """Judge the fonts that PDFs are set in."""
    if any(family.startswith(FONT) for family in families):
        yield Finding("ok", "Fonts", f"{FONT} has the Vietnamese letters")
    else:
        yield Finding("refused", "Fonts", f"no {FONT} with ắ, ộ and ₫: PDFs have letters of another shape, or boxes",
                      "apt-get install fonts-liberation2")  # fmt: skip
