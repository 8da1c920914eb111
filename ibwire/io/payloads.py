"""A link as a stream of raw payloads, in wire order and none lost: what the official message loop wants."""

from __future__ import annotations

from collections.abc import Callable
from copy import copy
from typing import Any

from ibwire.errors import ProtocolError, SessionLost
from ibwire.io.link import Link
from ibwire.ring.payloads import Payloads


class PayloadLink:
    """Every received payload once, in wire order.

    A program that falls behind by more than the backlog limit loses the oldest market data, and hears how much
    (:attr:`lost`); of everything else nothing is ever lost: past its own limit the session ends.

    Parameters
    ----------
    host, port, connect_options : as for :meth:`Link.open`. Its other keywords may follow.

    Notes
    -----
    ``receive_many`` belongs to one thread; everything else may be called from any.

    Raises
    ------
    ConnectError : no session.
    """

    def __init__(self, host: str, port: int, connect_options: str = "", **settings: Any) -> None:
        self._link = Link.open(
            host, port, connect_options=connect_options, records=False, start_api=False, start=False, **settings
        )
        link = self._link
        self._payloads = Payloads(
            getattr(link.market, "region", link.decoder), link.control.cursor(), link.orders.cursor()
        )
        self._error_told = False
        self._link.start()

    @property
    def server_version(self) -> int:
        return self._link.server_version

    @property
    def connection_time(self) -> str:
        return self._link.connection_time

    @property
    def link(self) -> Link:
        """The link itself, for its counts."""
        return self._link

    def is_open(self) -> bool:
        """False once either side closed; payloads that came before may still wait."""
        return not self._link.closed

    def send(self, payload: bytes) -> None:
        """Send one payload. Raises SessionLost when the link is closed."""
        self._link.send(payload)

    def receive_many(self, timeout_ms: int, most: int) -> list[bytes]:
        """The payloads that came, in wire order; an empty list when none came in time.

        Parameters
        ----------
        timeout_ms : how long to wait for the first one; what is there is handed over at once.
        most : how many at a time, at least 1; they no longer count towards the backlog limit.

        Raises
        ------
        SessionLost : the link is closed and everything was taken. ProtocolError : once before that, if it closed
        because of what the peer sent.
        """
        found: list[bytes] = []

        def take(payloads: Payloads) -> int:
            found.extend(payloads.poll(most))
            return len(found)

        self.drain(timeout_ms, take)
        return found

    @property
    def lost(self) -> int:
        """Messages of market data that were given up because this program was too far behind."""
        return self._payloads.lost

    def drain(self, timeout_ms: int, into: Callable[[Payloads], int]) -> int:
        """Give ``into`` the waiting payloads, until it took some.

        Parameters
        ----------
        timeout_ms : how long to wait for the first payload.
        into : reads what is there and returns how many payloads it took; what it raises goes through.

        Returns
        -------
        int
            What ``into`` returned; 0 when nothing came in time.

        Raises
        ------
        As :meth:`receive_many`.
        """
        link = self._link
        while True:
            seen = link.bell.count
            closed = link.closed  # looked at before the ring: what came before the end is still delivered
            if count := into(self._payloads):
                return count
            if closed:
                raise self._ended()
            if not link.bell.wait(seen, timeout_ms) and not link.closed:
                return 0

    def _ended(self) -> Exception:
        """What ended the link, as an exception of its own: raising the link's would tie these frames to the link."""
        ending = self._link.ending
        if ending is None:
            return SessionLost("the connection ended")
        error = ending.error
        if isinstance(error, ProtocolError) and not self._error_told:
            self._error_told = True
            return copy(error)
        return copy(error) if isinstance(error, SessionLost) else SessionLost(str(error))

    def close(self) -> None:
        """Close the link; a waiting :meth:`receive_many` ends. Any thread, any number of times."""
        self._link.close()
