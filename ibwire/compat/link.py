"""What EClient needs of a connection, so that it knows neither sockets nor threads."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol


class Link(Protocol):
    """A session whose handshake is done."""

    @property
    def server_version(self) -> int:
        """The version agreed with the gateway."""

    @property
    def connection_time(self) -> str:
        """The gateway's time text of the handshake, as it came."""

    def is_open(self) -> bool:
        """False once either side closed. Payloads that came before may still wait in :meth:`receive_many`."""

    def send(self, payload: bytes) -> None:
        """Send one payload; the link adds its length. Any thread. Raises SessionLost when it is closed."""

    def drain(self, timeout_ms: int, into: Callable[[Any], int]) -> int:
        """Give ``into`` the waiting payloads (:class:`~ibwire.ring.payloads.Payloads`, or anything with its ``poll``).

        Returns what it returns, 0 when none came in time.

        Waits, ends and raises as :meth:`receive_many`.
        """

    def receive_many(self, timeout_ms: int, most: int) -> list[bytes]:
        """The payloads that came, at most so many, in wire order; empty when none came in time.

        One thread; a KeyboardInterrupt gets through within 50 ms.

        Raises SessionLost when the link is closed and all payloads were taken, ProtocolError (once, before that)
        when it closed because its framing was lost.
        """

    def close(self) -> None:
        """Close it, from any thread; twice does no harm. A waiting :meth:`receive_many` ends."""


Connector = Callable[[str, int, str], Link]
"""``(host, port, connect options) -> Link`` with the handshake done and startApi not yet sent. Raises ConnectError."""
