"""A connection as public programs know it: frames in and out, without a client."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

from ibwire.compat import errors
from ibwire.compat._clock import now_ms
from ibwire.compat.const import NO_VALID_ID
from ibwire.errors import ConfigError, ConnectError, SessionLost

if TYPE_CHECKING:
    from ibwire.compat.client import EClient
    from ibwire.compat.link import Link

_WAIT_S: Final = 1.0
_TELL_EVERY_MS: Final = 1000
_CHUNK_BYTES: Final = 1 << 16


class Connection:
    """A TCP connection that carries bytes as they are: the program does the handshake and the framing.

    Parameters
    ----------
    host, port : where the gateway listens.

    Attributes
    ----------
    socket : the socket while connected, else None.
    wrapper : hears of failures and of the end, if one is set.

    Notes
    -----
    For one thread that receives and one that sends.
    """

    def __init__(self, host: str | None, port: int | None) -> None:
        self.host = host
        self.port = port
        self.socket: Any = None
        self.wrapper: Any = None

    def connect(self) -> None:
        """Connect; a failure is told to the wrapper as code 502, and leaves it unconnected."""
        from ibwire.io import transport

        try:
            self.socket = transport.connect(self.host or transport.LOOPBACK, int(self.port or 0))
        except (ConnectError, ConfigError) as problem:
            self._tell(errors.CONNECT_FAIL, str(problem))
            return
        self.socket.settimeout(_WAIT_S)

    def disconnect(self) -> None:
        """Close; the wrapper's ``connectionClosed`` is called once."""
        found, self.socket = self.socket, None
        if found is not None:
            found.close()
            if self.wrapper is not None:
                self.wrapper.connectionClosed()

    def isConnected(self) -> bool:
        """True from :meth:`connect` until either side closes."""
        return self.socket is not None

    def sendMsg(self, msg: bytes) -> int:
        """Send bytes as they are; returns how many went out, 0 when not connected. Raises OSError."""
        if self.socket is None:
            return 0
        self.socket.sendall(msg)
        return len(msg)

    def recvMsg(self) -> bytes:
        """What has come, waiting at most a second; empty when nothing came or the connection ended."""
        if self.socket is None:
            return b""
        try:
            found: bytes = self.socket.recv(_CHUNK_BYTES)
        except TimeoutError:
            return b""
        except OSError:
            found = b""
        if not found:
            self.disconnect()
        return found

    def _tell(self, what: errors.CodeMsgPair, more: str) -> None:
        if self.wrapper is not None:
            from ibwire.compat._generations import error_caller

            error_caller(self.wrapper)(NO_VALID_ID, now_ms(), what.code(), f"{what.msg()}: {more}", "")


class OpenConnection(Connection):
    """``EClient.conn``: the client's own connection, whose bytes the client's reader receives.

    Attributes
    ----------
    payloads : the link under it.
    waiting : payloads that were taken from it and not yet delivered.
    """

    def __init__(self, client: EClient, link: Link) -> None:
        super().__init__(client.host, client.port)
        self.payloads = link
        self.waiting: Iterator[bytes] = iter(())
        self._lost = self._lost_told_ms = 0
        self._client = client

    def newly_lost(self) -> int:
        """Messages of market data given up since this was last not 0; at most once a second."""
        lost: int = getattr(self.payloads, "lost", 0) - self._lost
        if lost and now_ms() - self._lost_told_ms >= _TELL_EVERY_MS:
            self._lost, self._lost_told_ms = self._lost + lost, now_ms()
            return lost
        return 0

    @property
    def link(self) -> Any:
        """The link's own figures, where it keeps any."""
        return getattr(self.payloads, "link", None)

    def connect(self) -> None:
        """Nothing: it is connected already."""

    def disconnect(self) -> None:
        """Close the client's connection; the client's ``disconnect`` does the rest."""
        self.payloads.close()

    def isConnected(self) -> bool:
        """True until either side closes."""
        return self.payloads.is_open()

    def sendMsg(self, msg: bytes) -> int:
        """Send whole frames, each with its length; returns how many bytes went out, 0 when not connected.

        Raises
        ------
        ValueError : the bytes are not whole frames; nothing was sent.
        """
        from ibwire.compat.comm import read_msg

        frames: list[bytes] = []
        rest = bytes(msg)
        while rest:
            size, payload, rest = read_msg(rest)
            if not isinstance(payload, bytes) or not payload:
                raise ValueError(f"msg holds {len(rest)} bytes that are no whole frame (length {size})")
            frames.append(payload)
        if not self.isConnected():
            return 0
        try:
            for payload in frames:
                self.payloads.send(payload)
        except SessionLost:
            return 0
        return len(msg)

    def recvMsg(self) -> bytes:
        """Always empty: the client's reader has the bytes."""
        return b""
