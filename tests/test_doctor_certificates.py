"""What the doctor finds of the portal's certificate, on a server that really speaks TLS."""

from __future__ import annotations

import ipaddress
import socket
import ssl
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from include import clock
from include.doctor.certificates import certificate_findings
from include.production import PORTAL_URL
from tests.test_doctor import levels

DAYS = 60


@dataclass
class Site:
    """A server on this machine, and who trusts its certificate."""

    url: str
    trusted: ssl.SSLContext


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    now = datetime.now(timezone.utc)
    private = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "hoso.example")])
    names = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    made = (
        x509.CertificateBuilder(name, name, private.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=DAYS, hours=1))
        .add_extension(names, critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(private.public_key()), critical=False)
        .sign(private, hashes.SHA256())
    )  # fmt: skip
    both = tmp_path / "both.pem"
    both.write_bytes(made.public_bytes(serialization.Encoding.PEM) + private.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ))  # fmt: skip
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(both)

    def serve(listening: socket.socket) -> None:
        while True:
            try:
                line, _ = listening.accept()
            except OSError:
                return
            try:
                server.wrap_socket(line, server_side=True).close()
            except OSError:
                line.close()

    listening = socket.create_server(("127.0.0.1", 0))
    thread = threading.Thread(target=serve, args=[listening], daemon=True)
    thread.start()
    yield Site(f"https://127.0.0.1:{listening.getsockname()[1]}/khach", ssl.create_default_context(cafile=both))
    listening.shutdown(socket.SHUT_RDWR)
    listening.close()
    thread.join(10)


@pytest.mark.parametrize(("later", "level"), [(0, "ok"), (45, "ok"), (47, "warning"), (61, "warning")])
def test_a_certificate_that_ends_soon_is_worth_a_warning(site: Site, later: int, level: str) -> None:
    now = clock.now() + timedelta(days=later)
    found = certificate_findings({PORTAL_URL: site.url}, now=now, trusted=site.trusted)
    assert levels(found) == {"Certificate": level}


def test_a_certificate_that_browsers_do_not_trust_is_refused(site: Site) -> None:
    assert levels(certificate_findings({PORTAL_URL: site.url}, now=clock.now())) == {"Certificate": "refused"}


def test_a_certificate_of_another_name_is_refused(site: Site) -> None:
    other = site.url.replace("127.0.0.1", "localhost")
    found = certificate_findings({PORTAL_URL: other}, now=clock.now(), trusted=site.trusted)
    assert levels(found) == {"Certificate": "refused"}


def test_a_portal_that_is_not_reached_from_here_is_worth_a_warning() -> None:
    found = certificate_findings({PORTAL_URL: "https://127.0.0.1:1"}, now=clock.now())
    assert levels(found) == {"Certificate": "warning"}


def test_without_https_there_is_no_certificate_to_judge() -> None:
    for url in ("", "http://hoso.example"):
        assert levels(certificate_findings({PORTAL_URL: url}, now=clock.now())) == {}
