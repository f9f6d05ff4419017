"""Ports of a stack."""

from __future__ import annotations

import socket

import pytest

from local.ports import HOST, PortInUse, Ports


@pytest.mark.parametrize("address", [HOST, "0.0.0.0"])
def test_a_port_in_use_is_named_with_the_way_to_another(address: str) -> None:
    with socket.socket() as taken:
        taken.bind((address, 0))
        taken.listen()
        ports = Ports.free()
        ports = Ports(taken.getsockname()[1], ports.catcher, ports.smtp, ports.portal)
        with pytest.raises(PortInUse, match=rf"Port {ports.api} \(api\) is in use.*PORT_BASE=[12]8080 "):
            ports.check()


def test_free_ports_are_free_and_differ() -> None:
    ports = Ports.free()
    ports.check()
    assert len({ports.api, ports.catcher, ports.smtp, ports.portal}) == 4


def test_the_base_moves_all_ports(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PORT_BASE", "18080")
    assert Ports.from_environment() == Ports(18080, 18081, 18082, 18083)


def test_without_a_base_the_usual_ports_are_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PORT_BASE", raising=False)
    assert Ports.from_environment() == Ports(8080, 8025, 1025, 8090)


@pytest.mark.parametrize("base", ["80", "65533", "abc", "-1", "٣٠٠٠"])
def test_a_base_that_is_no_port_is_refused(monkeypatch: pytest.MonkeyPatch, base: str) -> None:
    monkeypatch.setenv("PORT_BASE", base)
    with pytest.raises(ValueError, match="PORT_BASE must be a number from 1024 to 65532"):
        Ports.from_environment()
