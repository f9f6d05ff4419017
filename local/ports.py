"""TCP ports of one stack, all on 127.0.0.1."""

from __future__ import annotations

import contextlib
import os
import socket
from dataclasses import dataclass, fields

HOST = "127.0.0.1"


class PortInUse(Exception):
    """A port that the stack needs is taken; the message names it and the way to another."""


@dataclass(frozen=True)
class Ports:
    """Where the parts of a stack answer: Airflow's API and UI, the mail catcher's page, its SMTP, the portal."""

    api: int = 8080
    catcher: int = 8025
    smtp: int = 1025
    portal: int = 8090

    @classmethod
    def from_environment(cls) -> Ports:
        """Return the usual ports, or four in a row from PORT_BASE. Raises ValueError if that is no port."""
        base = os.environ.get("PORT_BASE", "").strip()
        if not base:
            return cls()
        if not (base.isascii() and base.isdigit()) or not 1024 <= int(base) <= 65532:
            raise ValueError(f"PORT_BASE must be a number from 1024 to 65532, not {base!r}.")
        return cls(*range(int(base), int(base) + len(fields(cls))))

    @classmethod
    def free(cls) -> Ports:
        """Return ports that nobody uses now."""
        with contextlib.ExitStack() as stack:
            taken = [stack.enter_context(socket.socket()) for _ in fields(cls)]
            for one in taken:
                one.bind((HOST, 0))
            return cls(*(one.getsockname()[1] for one in taken))

    def check(self) -> None:
        """Raise PortInUse if one of the ports is taken."""
        for field in fields(self):
            port = getattr(self, field.name)
            with socket.socket() as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                try:
                    probe.bind((HOST, port))
                except OSError as error:
                    other = 18080 if port < 18080 else 28080
                    raise PortInUse(
                        f"Port {port} ({field.name}) is in use: stop what uses it, or choose others with PORT_BASE, "
                        f"for example PORT_BASE={other} (takes {other} to {other + 3})."
                    ) from error
