"""``python -m local up``: run the installation for real use, until Ctrl-C or the terminal closes."""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path

from include.documents.libreoffice import find_libreoffice
from include.production import in_production
from local.stack import DATA, Stack, StackError

WITHOUT_LIBREOFFICE = (
    "LibreOffice   not found (soffice): clients get Word files instead of PDFs, workbooks go without computed values\n"
)
NOT_PRODUCTION = (
    "make up has simple logins and no TLS, for one machine and people who trust each other: it does not run with "
    "ENGAGEMENT_PRODUCTION=1. Unset that, or see “In production” in README.md."
)


def up() -> int:
    """Start the stack in DATA, say where everything is, and stay until a signal comes; returns the exit code."""
    if in_production(os.environ):
        print(NOT_PRODUCTION, file=sys.stderr)
        return 1
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.default_int_handler)
    stack = Stack(Path(os.environ.get("DATA") or DATA))
    print("Starting …", flush=True)
    began = time.monotonic()
    try:
        with stack:
            print(
                f"Airflow       {stack.api_url} ({time.monotonic() - began:.0f} s)\n"
                f"Portal        {stack.portal_url} (clients come by the links in their mails)\n"
                f"Mail catcher  {stack.catcher_url} (SMTP on port {stack.ports.smtp})\n"
                f"Storage       {stack.storage}\n"
                f"Passwords     {stack.passwords_file}\n"
                f"{'' if find_libreoffice() else WITHOUT_LIBREOFFICE}"
                "make open FILE=… opens an engagement from another terminal. Ctrl-C stops everything.",
                flush=True,
            )
            while True:
                time.sleep(2)
                stack.check()
    except KeyboardInterrupt:
        return 0
    except StackError as error:
        print(error, file=sys.stderr)
        return 1


def main(arguments: list[str]) -> int:
    """Run the command named on the command line."""
    if arguments != ["up"]:
        print("Usage: python -m local up", file=sys.stderr)
        return 2
    return up()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
