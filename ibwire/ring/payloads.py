"""Raw payloads of two rings as one stream in wire order: what no decoder made records of."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

__all__ = ["Payloads"]

_BATCH = 1024


class _Entry(Protocol):
    @property
    def seq(self) -> int: ...
    @property
    def payload(self) -> bytes: ...


class _Cursor(Protocol):
    def poll(self, max: int = ..., /) -> Sequence[_Entry]: ...


class Payloads:
    """The place of one consumer in a stream of raw payloads.

    Parameters
    ----------
    source : object
        Its ``watermark`` says up to which sequence number both rings are complete. A region, for the compiled reader
        of these cursors.
    control, market : cursors
        Of the lossless ring, and of the one that may give up its oldest entries; the second may be None.

    Attributes
    ----------
    lost : int
        Payloads that were given up before this consumer came to them.
    next_seq : int
        Sequence number of the next payload if none is lost.

    Notes
    -----
    Used by one thread. Every wire message stands in exactly one of the rings.
    """

    __slots__ = ("_waiting", "control", "lost", "market", "next_seq", "source")

    def __init__(self, source: Any, control: Any, market: Any = None) -> None:
        self.source, self.control, self.market = source, control, market
        self.lost = 0
        self.next_seq = 1
        self._waiting: dict[int, list[_Entry]] = {0: [], 1: []}  # polled and not yet given

    @property
    def is_untouched(self) -> bool:
        """Nothing was polled that was not given: other code may read on with the cursors."""
        return not any(self._waiting.values())

    def poll(self, most: int) -> list[bytes]:
        """The next payloads, at most so many, in wire order."""
        limit = int(self.source.watermark)
        found: list[bytes] = []
        heads = [self._head(0, self.control, limit), self._head(1, self.market, limit)]
        while len(found) < most:
            place = 0 if heads[0] <= heads[1] else 1
            if heads[place] > limit:
                break
            entry = self._waiting[place].pop()
            self.lost += max(0, entry.seq - self.next_seq)
            self.next_seq = max(self.next_seq, entry.seq + 1)
            found.append(entry.payload)
            heads[place] = self._head(place, self.market if place else self.control, limit)
        return found

    def _head(self, place: int, cursor: _Cursor | None, limit: int) -> int:
        waiting = self._waiting[place]
        if not waiting and cursor is not None:
            waiting.extend(reversed(cursor.poll(_BATCH)))
        return int(waiting[-1].seq) if waiting else limit + 1

    def adopt(self) -> None:
        """Go on in this thread; the one before is done."""
        for cursor in (self.control, self.market):
            if cursor is not None:
                cursor.adopt()
