"""A link as a stream of raw payloads, in wire order and none lost: what the official message loop wants."""

from __future__ import annotations

from typing import Any

from ibwire.errors import ProtocolError, SessionLost
from ibwire.io.link import Link

_BATCH = 4096


class PayloadLink:
    """Every received payload once, in wire order, up to the backlog limit.

    Parameters
    ----------
    host, port, connect_options : as for :meth:`Link.open`. Its other keywords may follow.

    Notes
    -----
    ``receive`` belongs to one thread; everything else may be called from any.

    Raises
    ------
    ConnectError : no session.
    """

    def __init__(self, host: str, port: int, connect_options: str = "", **settings: Any) -> None:
        self._link = Link.open(
            host, port, connect_options=connect_options, records=False, start_api=False, start=False, **settings
        )
        self._cursor = self._link.control.cursor()
        self._batch: list[Any] = []
        self._next = 0
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

    def receive(self, timeout_ms: int) -> bytes | None:
        """The next payload; None when none came in time.

        Raises
        ------
        SessionLost : the link is closed and everything was taken. ProtocolError : once before that, if it closed
        because of what the peer sent.
        """
        if self._next < len(self._batch):
            payload: bytes = self._batch[self._next].payload
            self._next += 1
            return payload
        link = self._link
        while True:
            seen = link.bell.count
            closed = link.closed  # looked at before the ring: what came before the end is still delivered
            self._batch = self._cursor.poll(_BATCH)
            self._next = 0
            if self._batch:
                self._next = 1
                first: bytes = self._batch[0].payload
                return first
            if closed:
                raise self._ended()
            if not link.bell.wait(seen, timeout_ms) and not link.closed:
                return None

    def _ended(self) -> Exception:
        ending = self._link.ending
        error = ending.error if ending is not None else SessionLost("the connection ended")
        if isinstance(error, ProtocolError) and not self._error_told:
            self._error_told = True
            return error
        return error if isinstance(error, SessionLost) else SessionLost(str(error))

    def close(self) -> None:
        """Close the link; a waiting :meth:`receive` ends. Any thread, any number of times."""
        self._link.close()
