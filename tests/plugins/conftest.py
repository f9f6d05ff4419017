"""The staff's pages over the firm of the tests, with somebody signed in."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from airflow.api_fastapi.core_api.security import get_user
from fastapi import HTTPException
from fastapi.testclient import TestClient

from plugins.operations import access
from plugins.operations.app import create_app
from plugins.operations.own_airflow import ask_after_airflow
from tests.firm import Firm


@dataclass
class Login:
    """Stands for Airflow's login: ``role`` viewer reads, user acts, admin sets up, stranger may not; empty: nobody."""

    role: str = "user"
    name: str = "thu-ha"

    def get_name(self) -> str:
        return self.name

    def get_id(self) -> str:
        return self.name

    def is_authorized_dag(self, *, method: str, details: Any, user: Any) -> bool:
        assert details.id == "engagement"
        return self.role in ("user", "admin") or (self.role == "viewer" and method == "GET")

    def is_authorized_variable(self, *, method: str, user: Any) -> bool:
        assert method == "PUT"
        return self.role == "admin"

    def user(self) -> Login:
        if not self.role:
            raise HTTPException(401)
        return self


@dataclass
class Staff:
    """A member of staff with a browser that runs no scripts."""

    http: TestClient
    login: Login
    firm: Firm

    def see(self, path: str, status: int = 200, **headers: str) -> str:
        page = self.http.get(path, headers=headers)
        assert page.status_code == status, page.text
        return page.text

    def token(self) -> str:
        found = re.search(r'name="form_token" value="([^"]+)"', self.see("/waiting"))
        assert found
        return found[1]

    def do(
        self, path: str, *, token: str | None = None, headers: dict[str, str] | None = None, **fields: str
    ) -> httpx.Response:
        data = {"form_token": self.token() if token is None else token, **fields}
        return self.http.post(path, data=data, headers=headers, follow_redirects=False)


@pytest.fixture
def staff(firm: Firm, monkeypatch: pytest.MonkeyPatch) -> Staff:
    return at_work(firm, monkeypatch)


def at_work(firm: Firm, patch: pytest.MonkeyPatch) -> Staff:
    """Return the staff of a firm, at its pages."""
    settings = firm.settings
    patch.setenv("ENGAGEMENT_REGISTER_URL", settings.register_url)
    patch.setenv("ENGAGEMENT_STORAGE_URL", settings.storage_url)
    patch.setenv("ENGAGEMENT_PORTAL_PUBLIC_URL", "https://hoso.example")
    patch.setenv("ENGAGEMENT_PORTAL_KEYS", "k" * 40)
    patch.setenv("AIRFLOW__API__SECRET_KEY", "a-key-of-the-tests")
    login = Login()
    patch.setattr(access, "get_auth_manager", lambda: login)
    app = create_app()
    app.dependency_overrides[get_user] = login.user
    app.dependency_overrides[ask_after_airflow] = lambda: None
    return Staff(TestClient(app, raise_server_exceptions=False), login, firm)
