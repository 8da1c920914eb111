from __future__ import annotations

import socket

import pytest

from ibwire.errors import ConfigError, ConnectError
from ibwire.io import transport
from tests.unit.io.peer import Peer


def test_a_connection_is_tuned() -> None:
    with Peer(raw=lambda sock: sock.recv(1)) as peer, transport.connect("localhost", peer.port) as sock:
        assert sock.getpeername() == ("127.0.0.1", peer.port)
        assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
        assert sock.gettimeout() is None


def test_refused_says_what_to_do() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        with pytest.raises(ConnectError, match=r"nothing listens.*start TWS or IB Gateway.*API settings"):
            transport.connect("127.0.0.1", unused.getsockname()[1])


def test_a_name_that_is_none() -> None:
    with pytest.raises(ConnectError, match="no known host"):
        transport.connect("no-such-host.invalid", 4002)


@pytest.mark.parametrize(("port", "timeout_ms"), [(0, 1.0), (70000, 1.0), (4002, 0.0)])
def test_arguments_are_checked(port: int, timeout_ms: float) -> None:
    with pytest.raises(ConfigError):
        transport.connect("127.0.0.1", port, timeout_ms=timeout_ms)


def test_silence_is_a_timeout(monkeypatch: pytest.MonkeyPatch) -> None:
    def never(address: object, timeout: float) -> socket.socket:
        assert timeout == 0.25
        raise TimeoutError("timed out")

    monkeypatch.setattr(socket, "create_connection", never)
    with pytest.raises(ConnectError, match=r"no answer from 10\.0\.0\.7:4002 within 250 ms"):
        transport.connect("10.0.0.7", 4002, timeout_ms=250)
