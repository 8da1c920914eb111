"""Every market record in plain Python: kept in chunks up to a limit, past which the oldest go and cursors say how many.

Who owns what: the producer alone appends and drops chunks; a cursor belongs to one consumer and knows how many records
lie behind it. A chunk is a whole run of records, so both parts of a message are always in one.
"""

from __future__ import annotations

import weakref
from collections import deque
from typing import TYPE_CHECKING, Any

from ibwire.errors import CursorClosed
from ibwire.ring.log import MAX_BACKLOG_BYTES
from ibwire.ring.market import PART_AT, MarketRing
from ibwire.ring.records import base_dtype
from ibwire.spec.records import RECORD_BYTES

if TYPE_CHECKING:
    import numpy as np


class EveryRing:
    """Every market record of a ring, up to a limit.

    Parameters
    ----------
    ring : MarketRing
        Whose records it keeps; the producer calls :meth:`flush` before that comes round.
    max_backlog_bytes : int
        How far the slowest cursor may fall behind; past it the oldest records go.

    Attributes
    ----------
    evicted : int
        Records given up unread.
    """

    __slots__ = ("__weakref__", "_chunks", "_copied", "_cursors", "evicted", "max_backlog_bytes", "ring")

    def __init__(self, ring: MarketRing, max_backlog_bytes: int = MAX_BACKLOG_BYTES) -> None:
        self.ring = ring
        self.max_backlog_bytes = max_backlog_bytes
        self.evicted = 0
        self._copied = ring.published
        self._chunks: deque[tuple[int, bytes]] = deque()  # (number of the first record, records)
        self._cursors: list[weakref.ref[EveryCursor]] = []

    @property
    def backlog_bytes(self) -> int:
        """How far the slowest cursor is behind; 0 without cursors."""
        return (self._copied - self._floor()) * RECORD_BYTES

    @property
    def held_bytes(self) -> int:
        """Memory of all chunks."""
        return sum(len(records) for _, records in tuple(self._chunks))

    def flush(self) -> None:
        """Take over what the market ring got. Producer only."""
        records = self.ring.records_since(self._copied)
        if records:
            self._chunks.append((self._copied, records))
            self._copied += len(records) // RECORD_BYTES
        self.collect()

    def collect(self) -> None:
        """Give back what nobody needs any more, or what is past the limit. Producer only."""
        floor = self._floor()
        while self._chunks:
            first, records = self._chunks[0]
            end = first + len(records) // RECORD_BYTES
            if end > floor:
                if (self._copied - first) * RECORD_BYTES <= self.max_backlog_bytes:
                    return
                self.evicted += end - max(first, floor)
            self._chunks.popleft()

    def cursor(self, *, from_start: bool = False) -> EveryCursor:
        """A new cursor: at the end, or at the oldest record that is still held. Any thread."""
        held = tuple(self._chunks)
        cursor = EveryCursor(self, held[0][0] if from_start and held else self._copied)
        self._cursors.append(weakref.ref(cursor))
        return cursor

    def _floor(self) -> int:
        alive = [c for c in (ref() for ref in self._cursors) if c is not None and not c.closed]
        if len(alive) < len(self._cursors):
            self._cursors = [weakref.ref(c) for c in alive]
        return min((c.position for c in alive), default=self._copied)


class EveryCursor:
    """One consumer's place among all market records; read like a market cursor.

    Attributes
    ----------
    gap : int
        Records lost so far because the limit was passed.
    last_gap : int
        Those just before what the last poll returned.
    position : int
        Number of the next record.
    """

    __slots__ = ("__weakref__", "_ring", "closed", "gap", "last_gap", "position")

    def __init__(self, ring: EveryRing, position: int) -> None:
        self._ring = ring
        self.position = position
        self.gap = self.last_gap = 0
        self.closed = False

    @property
    def pending(self) -> int:
        """Records published and not yet polled, lost ones included."""
        return self._ring._copied - self.position

    def poll(self, max: int = 1024) -> np.ndarray[Any, np.dtype[Any]]:
        """The next records as a read-only array of ``base_dtype()``; valid until the next poll."""
        import numpy as np

        return np.frombuffer(self.poll_bytes(max), base_dtype())

    def poll_bytes(self, max: int = 1024) -> bytes:
        """The next records, both parts of a message together, as bytes: 64 for each. Raises CursorClosed."""
        if self.closed:
            raise CursorClosed("this cursor is closed", hint="make a new one")
        if max < 1:
            raise ValueError("max must be at least 1")
        self.last_gap = 0
        for first, records in tuple(self._ring._chunks):
            count = first + len(records) // RECORD_BYTES - self.position
            if count <= 0:
                continue
            if first > self.position:
                self.last_gap = first - self.position
                self.gap += self.last_gap
                self.position = first
                count = len(records) // RECORD_BYTES
            at = len(records) - count * RECORD_BYTES
            if count > 2 and count > max:
                count = 2 if max < 2 else max
                count -= records[at + count * RECORD_BYTES + PART_AT] != 0
            self.position += count
            return records[at : at + count * RECORD_BYTES]
        return b""

    def adopt(self) -> None:
        """Take the cursor over from a thread that is done with it."""

    def close(self) -> None:
        """Let go of what only this cursor still held. Twice is harmless."""
        self.closed = True
