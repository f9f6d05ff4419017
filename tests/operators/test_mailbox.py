"""Which mail servers there are, by Airflow's connections."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from airflow.sdk.exceptions import AirflowSkipException

from include.mail.transport import TransientMailError
from include.settings import Settings, load_settings
from operators.case import ConnectionTransport, imap_server, record_server
from operators.mailbox import reply_mailbox


@pytest.fixture
def settings_of(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Settings]:
    """Returns the settings of an environment."""

    def load(**environment: str) -> Settings:
        for name, value in {"REGISTER_URL": "x", "STORAGE_URL": "x", **environment}.items():
            monkeypatch.setenv(f"ENGAGEMENT_{name}", value)
        return load_settings()

    return load


def test_an_installation_without_a_reply_mailbox_skips_and_says_so(settings_of: Callable[..., Settings]) -> None:
    settings = settings_of(IMAP_CONN_ID="imap_that_is_not_there")
    with pytest.raises(AirflowSkipException, match="replies by email are not read"), reply_mailbox(settings):
        pass


def test_a_mail_record_without_its_connection_cannot_tell() -> None:
    with pytest.raises(TransientMailError, match="imap_that_is_not_there"):
        record_server("imap_that_is_not_there")


def test_the_relay_of_the_connection_gets_the_archive_of_the_settings(
    monkeypatch: pytest.MonkeyPatch, settings_of: Callable[..., Settings]
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_SMTP_TEST", json.dumps({"conn_type": "smtp", "host": "mail.example"}))
    transport = ConnectionTransport(settings_of(SMTP_CONN_ID="smtp_test", MAIL_ARCHIVE=" luutru@firm.example "))
    assert (transport._relay().host, transport._relay().archive) == ("mail.example", "luutru@firm.example")


@pytest.mark.parametrize("archive", ["a@b.example, c@d.example", "luutru", "<a@b.example>"])
def test_an_archive_that_is_no_address_is_refused_at_the_start(
    settings_of: Callable[..., Settings], archive: str
) -> None:
    with pytest.raises(ValueError, match="ENGAGEMENT_MAIL_ARCHIVE must be one address"):
        settings_of(MAIL_ARCHIVE=archive)


@pytest.mark.parametrize(
    ("extra", "tls", "port"),
    [({}, "ssl", 993), ({"use_ssl": False}, "none", 143), ({"use_ssl": "false", "starttls": True}, "starttls", 143)],
)
def test_a_connection_says_how_the_server_is_spoken_to(
    monkeypatch: pytest.MonkeyPatch, extra: dict[str, object], tls: str, port: int
) -> None:
    connection = {"conn_type": "imap", "host": "mail.example", "login": "hoso", "password": "geheim", "extra": extra}
    monkeypatch.setenv("AIRFLOW_CONN_IMAP_TEST", json.dumps(connection))
    server = imap_server("imap_test")
    assert (server.host, server.user, server.tls, server.port) == ("mail.example", "hoso", tls, port)
    assert "geheim" not in repr(server)
