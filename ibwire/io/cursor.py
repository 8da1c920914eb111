"""A consumer's place among the market records of a link: polled, waited for, or watched by an event loop."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Protocol

from ibwire.io import life
from ibwire.io.wait import Waits, WakeFd

if TYPE_CHECKING:
    from collections.abc import Callable

    from ibwire.io.reader import Ending
    from ibwire.ring.records import Records


class Poll(Protocol):
    """How records are polled."""

    def __call__(self, max: int = ...) -> Records: ...


class PollBytes(Protocol):
    """How records are polled as bytes."""

    def __call__(self, max: int = ...) -> bytes: ...


class Source(Protocol):
    """What a cursor needs of its link."""

    @property
    def bell(self) -> Waits: ...
    @property
    def ending(self) -> Ending | None: ...
    @property
    def is_inline(self) -> bool: ...

    def fileno(self) -> int: ...
    def take_fd(self) -> tuple[WakeFd, int]: ...
    def give_fd(self, wake: WakeFd, slot: int) -> None: ...


class Cursor:
    """Reads market records; for the thread that first polls it.

    Attributes
    ----------
    poll : callable
        ``poll(max=1024)``: the next records as a read-only structured array of the cursor's own buffer, perhaps empty,
        valid until the next poll. Raises CursorClosed, WrongThread or ForkedClient.
    poll_bytes : callable
        The same as bytes, 64 for each record.
    """

    __slots__ = ("__weakref__", "_fd", "_generation", "_inner", "_slot", "_source", "poll", "poll_bytes")

    poll: Poll
    poll_bytes: PollBytes

    def __init__(self, source: Source, inner: Any) -> None:
        self._source, self._inner = source, inner
        self._fd: WakeFd | None = None
        self._slot = -1
        self._generation = life.generation()
        # The ring's own methods: nothing stands between a program and its records.
        self.poll = inner.poll
        self.poll_bytes = inner.poll_bytes

    @property
    def gap(self) -> int:
        """Records that this cursor missed so far."""
        return int(self._inner.gap)

    @property
    def last_gap(self) -> int:
        """Records missed just before what the last poll returned. Not 0: a book built from depth records is invalid."""
        return int(self._inner.last_gap)

    @property
    def pending(self) -> int:
        """Records that a poll would find, missed ones included."""
        return int(self._inner.pending)

    @property
    def closed(self) -> bool:
        """True once it was closed."""
        return bool(self._inner.closed)

    def wait(self, timeout: float | None = None, how: str = "") -> bool:
        """Wait, without the GIL, until there is something to poll.

        Parameters
        ----------
        timeout : float or None
            Seconds; None for no limit.
        how : str
            ``spin`` (a core, nanoseconds), ``yield`` (a core that others may have) or ``block`` (microseconds); by
            default as the connection was opened. An inline connection receives meanwhile.

        Returns
        -------
        bool
            False when the time was up first.

        Raises
        ------
        SessionLost, ProtocolError, ConsumerTooSlow : the connection has ended and everything was polled.
        ForkedClient : a child process.
        """
        bell, source = self._source.bell, self._source
        life.check(self._generation)
        deadline = None if timeout is None else time.monotonic() + timeout
        while True:
            seen = bell.count
            ending = source.ending  # looked at first: what came before the end is then in the ring
            if self._inner.pending:
                return True
            if ending is not None:
                raise ending.error
            left_ms = None if deadline is None else (deadline - time.monotonic()) * 1000
            if left_ms is not None and left_ms <= 0:
                return False
            bell.wait(seen, left_ms, how)

    def fileno(self) -> int:
        """A file descriptor that is readable when there may be something to poll: for select, epoll or asyncio.

        A poll that leaves nothing behind takes that back. The end of the connection makes it readable too. It belongs
        to this cursor, and closing that may give it to another one; inline it is the socket, and ``Client.poll`` comes
        first.
        """
        life.check(self._generation)
        if self._source.is_inline:
            return self._source.fileno()
        if self._fd is None:
            self._fd, self._slot = self._source.take_fd()
            self.poll = self._clearing(self._inner.poll)
            self.poll_bytes = self._clearing(self._inner.poll_bytes)
            self._source.bell.ring()  # what is there already
        return self._fd.fd

    def _clearing(self, poll: Callable[[int], Any]) -> Any:
        bell, slot, inner = self._source.bell, self._slot, self._inner

        def cleared(max: int = 1024) -> Any:
            bell.clear_fd(slot)
            found = poll(max)
            if inner.pending:
                bell.signal_fd(slot)
            return found

        return cleared

    def adopt(self) -> None:
        """Take it over: the next thread that polls owns it. The caller knows that the old one is done with it."""
        self._inner.adopt()

    def close(self) -> None:
        """No more polls. Twice is harmless."""
        self._inner.close()
        if self._fd is not None:
            wake, self._fd = self._fd, None
            self._source.give_fd(wake, self._slot)
