"""A look at something outside that may fail or never end."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable

from sqlalchemy.exc import OperationalError

from include.production import Finding

SECONDS = 5.0


def in_time(subject: str, look: Callable[[], Iterable[Finding]], seconds: float = SECONDS) -> list[Finding]:
    """Return what a look at something outside finds; one that fails or lasts too long is a finding itself."""
    found: list[Finding] = []
    finished = threading.Event()

    def run() -> None:
        try:
            found.extend(look())
        except OperationalError as error:
            # libpq repeats host, account and database, and no password.
            said = str(error.orig).strip().splitlines()
            found.append(Finding("refused", subject, said[-1] if said else "does not answer",
                                 "see that it runs, its address is right and this account may use it"))  # fmt: skip
        except Exception as error:  # whatever it is, that part of the installation is not well
            # What it says may hold an address with a password.
            found.append(Finding("refused", subject, f"does not answer ({type(error).__name__})",
                                 "see that it runs, its address is right and this account may use it"))  # fmt: skip
        finished.set()

    # A name server or a network folder may hang where no timeout of a library reaches.
    threading.Thread(target=run, daemon=True).start()
    if not finished.wait(seconds):
        return [Finding("refused", subject, f"did not answer within {seconds:.0f} seconds",
                        "see that it runs and that a firewall lets this machine reach it")]  # fmt: skip
    return found
