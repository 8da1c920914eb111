"""The market ring in plain Python: fixed records of 64 bytes, overwriting; the reader never waits.

Who owns what: the producer alone writes ``_buffer``, ``_reserved`` and ``_head``; a cursor and what it returned belong
to one consumer thread. The order that makes it safe: ``_reserved`` moves before the bytes are written, ``_head``
after. A consumer copies, then looks at ``_reserved``: what may have been overwritten meanwhile it counts as lost.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from ibwire.errors import ConfigError, CursorClosed
from ibwire.ring.records import base_dtype
from ibwire.spec.records import RECORD_BYTES

if TYPE_CHECKING:
    import numpy as np

PART_AT: Final = 17
"""Where a record says which part of its message it is."""


class MarketRing:
    """An overwriting ring for one producer and any number of consumers.

    Parameters
    ----------
    capacity : int
        Records of 64 bytes that it holds; a power of two, at least 64.

    Raises
    ------
    ConfigError : the capacity is no such number.
    """

    __slots__ = ("__weakref__", "_buffer", "_head", "_reserved", "_view", "capacity")

    def __init__(self, capacity: int = 1 << 16) -> None:
        if capacity < 64 or capacity & (capacity - 1):
            raise ConfigError(f"a market ring of {capacity} records", hint="give a power of two of at least 64")
        self.capacity = capacity
        self._buffer = bytearray(capacity * RECORD_BYTES)
        self._view = memoryview(self._buffer)
        self._head = 0
        self._reserved = 0

    @property
    def published(self) -> int:
        """How many records were ever published."""
        return self._head

    def records_since(self, start: int) -> bytes:
        """A copy of the records from that number on; not more than the capacity ago. The producer's thread only."""
        at, end = (n % self.capacity * RECORD_BYTES for n in (start, self._head))
        if start == self._head:
            return b""
        return bytes(self._view[at:end]) if at < end else bytes(self._view[at:]) + bytes(self._view[:end])

    def append(self, record: bytes | bytearray | memoryview) -> None:
        """Publish the record(s) of one message: 64 bytes each, all at once. The producer's thread only."""
        records = memoryview(record)
        count, rest = divmod(len(records), RECORD_BYTES)
        if rest or not 0 < count <= self.capacity:
            raise ValueError(f"{len(records)} bytes are no records")
        head = self._head
        self._reserved = head + count
        start = head % self.capacity * RECORD_BYTES
        first = min(len(records), len(self._buffer) - start)
        self._view[start : start + first] = records[:first]
        if first < len(records):
            self._view[: len(records) - first] = records[first:]
        self._head = head + count

    def cursor(self) -> MarketCursor:
        """A new consumer's place: it gets what is published from now on. Any thread."""
        return MarketCursor(self)


class MarketCursor:
    """One consumer's place in a market ring. Used by one thread.

    Attributes
    ----------
    gap : int
        Records lost in all: overwritten before this cursor came to them.
    last_gap : int
        Records lost just before what the last poll returned. Not 0: a book built from depth records is invalid.
    """

    __slots__ = ("_buffer", "_position", "_ring", "_untold", "closed", "gap", "last_gap")

    def __init__(self, ring: MarketRing) -> None:
        self._ring = ring
        self._position = ring.published
        self._buffer = bytearray()
        self.gap = 0
        self.last_gap = 0
        self._untold = 0
        self.closed = False

    def adopt(self) -> None:
        """Take the cursor over from a thread that is done with it."""

    def close(self) -> None:
        """No more polls. Twice is harmless."""
        self.closed = True

    @property
    def pending(self) -> int:
        """Records published and not yet polled, lost ones included."""
        return self._ring.published - self._position

    def poll(self, max: int = 1024) -> np.ndarray[Any, np.dtype[Any]]:
        """The next records as a read-only array of ``base_dtype()``, perhaps empty; valid until the next poll.

        Parameters
        ----------
        max : int
            At most that many records (at least 2: both parts of a message come together).
        """
        import numpy as np

        return np.frombuffer(self._take(max), base_dtype())

    def poll_bytes(self, max: int = 1024) -> bytes:
        """As :meth:`poll`, as a copy of the bytes: 64 for each record. Needs no numpy."""
        return bytes(self._take(max))

    def _take(self, max: int) -> memoryview:
        if self.closed:
            raise CursorClosed("this cursor is closed", hint="make a new one")
        if max < 1:
            raise ValueError("max must be at least 1")
        ring = self._ring
        lost = 0
        while True:
            head = ring._head
            oldest = head - ring.capacity
            if self._position < oldest:
                lost += oldest - self._position
                self._position = oldest
            position = self._position
            count = self._whole_messages(head, 2 if max < 2 else max)
            self._copy(position, count)
            # Only now is it known which of the copied records the producer left alone.
            unsafe = ring._reserved - ring.capacity - position
            if unsafe > 0:
                lost += unsafe
                self._position = position + unsafe
                continue
            skip = 0
            if count and self._buffer[PART_AT]:  # the first half of this message is gone
                skip = 1
                lost += lost > 0
            self._position = position + count
            if skip and count == 1 and ring._head > self._position:
                continue
            self.gap += lost
            self._untold += lost
            self.last_gap = 0
            if count > skip:  # a gap is told with the records that follow it
                self.last_gap, self._untold = self._untold, 0
            return memoryview(self._buffer)[skip * RECORD_BYTES : count * RECORD_BYTES].toreadonly()

    def _whole_messages(self, head: int, limit: int) -> int:
        """How many records to take so that no message is cut."""
        ring = self._ring
        count = head - self._position
        if count <= limit:
            return count
        after = (self._position + limit) % ring.capacity
        return limit - 1 if ring._buffer[after * RECORD_BYTES + PART_AT] else limit

    def _copy(self, position: int, count: int) -> None:
        ring = self._ring
        size = count * RECORD_BYTES
        if len(self._buffer) < size:
            self._buffer = bytearray(size)  # not resized: an array of the last poll may still show the old one
        start = position % ring.capacity * RECORD_BYTES
        first = min(size, len(ring._buffer) - start)
        out = memoryview(self._buffer)
        out[:first] = ring._view[start : start + first]
        if first < size:
            out[first:size] = ring._view[: size - first]
