"""TCP connections to a gateway: made within a time limit, tuned for small messages, refused with advice."""

from __future__ import annotations

import socket
from typing import Final

from ibwire.errors import ConfigError, ConnectError

LOOPBACK: Final = "127.0.0.1"

_PORTS: Final = "TWS listens on 7496 (live) or 7497 (paper), IB Gateway on 4001 or 4002"
_KEEPALIVE: Final = (("TCP_KEEPIDLE", 30), ("TCP_KEEPINTVL", 10), ("TCP_KEEPCNT", 3))


def connect(
    host: str = LOOPBACK, port: int = 4002, *, timeout_ms: float = 5000, receive_buffer_bytes: int = 0
) -> socket.socket:
    """A connected socket with TCP_NODELAY and keepalive, in blocking mode without a time limit.

    Parameters
    ----------
    host : str
        ``localhost`` means 127.0.0.1: it may resolve to IPv6, which a gateway refuses.
    port : int
        1..65535.
    timeout_ms : float
        Longest wait for the connection.
    receive_buffer_bytes : int
        The kernel's receive buffer (SO_RCVBUF); 0 leaves it to the kernel, which lets it grow as needed.

    Raises
    ------
    ConfigError : the port or the time limit cannot be.
    ConnectError : no connection; the message says what to do.
    """
    if not 0 < port < 65536:
        raise ConfigError(f"port is {port}; it may be 1..65535", hint=_PORTS)
    if timeout_ms <= 0:
        raise ConfigError(f"timeout_ms is {timeout_ms}; it must be above 0")
    if not 0 <= receive_buffer_bytes < 1 << 31:
        raise ConfigError(f"receive_buffer_bytes is {receive_buffer_bytes}; it may be 0..2147483647")
    address = (LOOPBACK if host == "localhost" else host, port)
    try:
        sock = socket.create_connection(address, timeout=timeout_ms / 1000)
    except OSError as exc:
        raise _explain(host, port, timeout_ms, exc) from exc
    try:
        tune(sock)
        if receive_buffer_bytes:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer_bytes)
    except OSError as exc:  # the peer is gone again
        sock.close()
        raise _explain(host, port, timeout_ms, exc) from exc
    return sock


def tune(sock: socket.socket) -> None:
    """Set what every connection of ours has: no delay, keepalive, blocking."""
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in _KEEPALIVE:  # the protocol has no heartbeat: this finds a peer that vanished
        if hasattr(socket, name):
            sock.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
    sock.settimeout(None)


def shut(sock: socket.socket) -> None:
    """Wake every thread that reads from or writes to the socket. Never raises; the socket stays open for close()."""
    try:
        sock.shutdown(socket.SHUT_RDWR)
    except OSError:  # not connected any more
        pass


def _explain(host: str, port: int, timeout_ms: float, exc: OSError) -> ConnectError:
    where = f"{host}:{port}"
    if isinstance(exc, ConnectionRefusedError):
        return ConnectError(
            f"nothing listens at {where}",
            hint=f"start TWS or IB Gateway, allow socket clients in its API settings, check the port ({_PORTS})",
        )
    if isinstance(exc, socket.gaierror):
        return ConnectError(f"{host!r} is no known host ({exc.strerror})", hint="check the name, or give an address")
    if isinstance(exc, TimeoutError):
        return ConnectError(
            f"no answer from {where} within {timeout_ms:g} ms",
            hint="check host and port; a firewall may drop the packets",
        )
    return ConnectError(f"no connection to {where}: {exc.strerror or exc}", hint="check host, port and network")
