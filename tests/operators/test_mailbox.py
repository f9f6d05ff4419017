"""Where the reply mailbox is, by Airflow's connection."""

from __future__ import annotations

import json

import pytest
from airflow.sdk.exceptions import AirflowSkipException

from operators.mailbox import imap_server


def test_an_installation_without_a_reply_mailbox_skips_and_says_so() -> None:
    with pytest.raises(AirflowSkipException, match="replies by email are not read"):
        imap_server("imap_that_is_not_there")


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
