"""``python -m portal``: serve the portal on ENGAGEMENT_PORTAL_HOST (127.0.0.1) and ENGAGEMENT_PORTAL_PORT (8090).

In production it does not start unless its settings are safe. Addresses are not logged: whoever has one can answer. A
proxy in front is believed about who asks, when its own address is in FORWARDED_ALLOW_IPS (127.0.0.1).
"""

from __future__ import annotations

import os
import sys

import uvicorn

from include.production import UnsafeInstallation, engagement_findings, refuse_unsafe_start
from include.settings import load_settings
from portal.app import create_app
from portal.log import write_json_lines

if __name__ == "__main__":
    try:
        refuse_unsafe_start(os.environ, engagement_findings(os.environ))
    except UnsafeInstallation as error:
        sys.exit(str(error))
    write_json_lines()
    uvicorn.run(
        create_app(load_settings()), host=os.environ.get("ENGAGEMENT_PORTAL_HOST", "127.0.0.1"),
        port=int(os.environ.get("ENGAGEMENT_PORTAL_PORT", "8090")), access_log=False, log_config=None,
        server_header=False, timeout_keep_alive=10, limit_concurrency=200, h11_max_incomplete_event_size=16_384,
    )  # fmt: skip
