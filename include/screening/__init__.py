"""Files from outside, looked at before anybody opens them: what could hurt or cannot be read is told apart here.

``screen`` and the readers do their work in a child process with limits of time, memory and disk, so that a file
made to break its reader breaks that child and nothing else. Nothing here knows the register, the storage or Airflow.
"""

from include.screening.antivirus import Antivirus, AntivirusFailed, find_antivirus
from include.screening.limits import Limits, installed_limits
from include.screening.screen import TAKEN, Verdict, ending_of, read_answers, read_intake_rows, screen

__all__ = [
    "TAKEN",
    "Antivirus",
    "AntivirusFailed",
    "Limits",
    "Verdict",
    "ending_of",
    "find_antivirus",
    "installed_limits",
    "read_answers",
    "read_intake_rows",
    "screen",
]
