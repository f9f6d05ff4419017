"""The certificate that clients' browsers see."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from urllib.parse import urlsplit

from include.doctor.look import SECONDS
from include.production import PORTAL_URL, Environment, Finding

SOON = timedelta(days=14)  # certificates of 90 days are renewed a month before


def certificate_findings(
    env: Environment, *, now: datetime, trusted: ssl.SSLContext | None = None
) -> Iterator[Finding]:
    """Greet the portal as a browser does, and judge how long its certificate is good."""
    parts = urlsplit(env.get(PORTAL_URL, "").strip())
    if parts.scheme != "https" or not parts.hostname:
        return  # said elsewhere
    where = f"{parts.hostname}:{parts.port or 443}"
    try:
        with (
            socket.create_connection((parts.hostname, parts.port or 443), timeout=SECONDS) as line,
            (trusted or ssl.create_default_context()).wrap_socket(line, server_hostname=parts.hostname) as spoken,
        ):
            ends = str((spoken.getpeercert() or {})["notAfter"])
    except ssl.SSLCertVerificationError as error:
        yield Finding("refused", "Certificate", f"browsers do not trust {where}: {error.verify_message}",
                      "see the proxy's log, and that the host name leads to it")  # fmt: skip
        return
    except OSError as error:
        yield Finding("warning", "Certificate", f"{where} was not reached from here ({type(error).__name__})",
                      "look at it from outside")  # fmt: skip
        return
    left = datetime.fromtimestamp(ssl.cert_time_to_seconds(ends), timezone.utc) - now
    if left < SOON:
        yield Finding("warning", "Certificate", f"of {where} ends in {left.days} days", "see why the proxy does not "
                      "renew it")  # fmt: skip
    else:
        yield Finding("ok", "Certificate", f"of {where} is good for {left.days} days")
