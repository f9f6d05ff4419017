"""A portal over the same register and folder that the firm of the tests works with."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import httpx
import pytest
from fastapi.testclient import TestClient

from include.portal_links import link_for
from portal.app import create_app
from portal.limits import Limits
from tests.firm import FORM, Firm

URL = "http://portal.test"
KEYS = ("newest-key-of-the-portal", "the-key-before-it")
ADDRESS = FORM["client"]["contact"]["email"]
MANY = Limits(reads_per_window=10_000, posts_per_window=10_000)
File = tuple[str, tuple[str, bytes, str]]


@dataclass
class Client:
    """A client with a browser that runs no scripts."""

    http: TestClient
    firm: Firm

    def link(self, key: str, *, address: str = ADDRESS, version: int = 1, engagement: str = "") -> str:
        full = link_for(engagement or self.firm.engagement, key, address, version, public_url=URL, keys=KEYS)
        return full.removeprefix(URL)

    def see(self, key: str) -> str:
        page = self.http.get(self.link(key))
        assert page.status_code == 200, page.text
        return page.text

    def nonce(self, key: str) -> str:
        found = re.search(r'name="nonce" value="([^"]+)"', self.see(key))
        assert found
        return found[1]

    def send(
        self, key: str, fields: Mapping[str, str] | None = None, files: Sequence[File] = (), *, nonce: str = ""
    ) -> httpx.Response:
        data = {"nonce": nonce or self.nonce(key), **(fields or {})}
        # A browser always sends multipart, also without a file.
        parts: Any = [*files] or [("file.other", ("", b"", "application/octet-stream"))]
        return self.http.post(self.link(key), data=data, files=parts)


@pytest.fixture
def portal_firm(firm: Firm) -> Firm:
    """The firm with a portal: its mails carry links."""
    firm.settings = replace(firm.settings, portal_url=URL, portal_keys=KEYS)
    return firm


@pytest.fixture
def client_of(portal_firm: Firm) -> Callable[[Limits], Client]:
    """Returns the client of a portal with these limits."""
    def client(limits: Limits) -> Client:
        app = create_app(portal_firm.settings, limits)
        return Client(TestClient(app, base_url=URL, raise_server_exceptions=False), portal_firm)

    return client


@pytest.fixture
def client(client_of: Callable[[Limits], Client]) -> Client:
    return client_of(MANY)
