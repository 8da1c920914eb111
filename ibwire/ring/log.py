"""The lossless ring in plain Python (order ring and control ring): entries in segments, kept while a cursor needs them.

Who owns what: the producer alone appends; it fills a segment before it links the next one, so a consumer that sees
the link sees the whole segment. A cursor belongs to one consumer thread and keeps its segment and all later ones
alive by referring to it; nothing else does, but for the newest two.
"""

from __future__ import annotations

import struct
import weakref
from typing import Final, NamedTuple

from ibwire.errors import CursorClosed

SEGMENT_BYTES: Final = 1 << 20
MAX_BACKLOG_BYTES: Final = 256 << 20
ENTRY_HEAD: Final = struct.Struct("<QqBBHiII")
"""How every header begins: seq, recv_ns, kind, part, flags, code, payload_bytes, body (where the fields begin)."""


class Entry(NamedTuple):
    """One message of a lossless ring; it and its bytes stay valid for good.

    ``kind`` is the message id (0: unknown), ``flags`` are FLAG_* of :mod:`ibwire.spec.records`. ``header`` is the
    order record (192 bytes) in the order ring; in the control ring, and of an undecodable message, it is
    :data:`ENTRY_HEAD` alone.
    """

    seq: int
    recv_ns: int
    kind: int
    flags: int
    code: int
    header: bytes
    payload: bytes


class _Segment:
    __slots__ = ("base_bytes", "entries", "next", "used_bytes")

    def __init__(self, base_bytes: int) -> None:
        self.base_bytes = base_bytes
        self.used_bytes = 0
        self.entries: list[tuple[int, Entry]] = []  # (bytes in the ring up to its end, entry)
        self.next: _Segment | None = None


class LogRing:
    """A lossless ring for one producer and any number of consumers.

    Parameters
    ----------
    max_backlog_bytes : int
        How far the slowest cursor may fall behind; past it nothing more is taken.

    Attributes
    ----------
    appended : int
        Entries so far.
    """

    __slots__ = ("__weakref__", "_cursors", "_first", "_floor_bytes", "_last", "_total_bytes", "appended",
                 "max_backlog_bytes")  # fmt: skip

    def __init__(self, max_backlog_bytes: int = MAX_BACKLOG_BYTES) -> None:
        self.max_backlog_bytes = max_backlog_bytes
        self.appended = 0
        self._first = self._last = _Segment(0)
        self._total_bytes = 0
        self._floor_bytes = 0  # the slowest cursor is here or further
        self._cursors: list[weakref.ref[LogCursor]] = []

    def append(self, header: bytes, payload: bytes = b"") -> None:
        """Publish one entry; ``header`` begins with :data:`ENTRY_HEAD`. The producer's thread only.

        Raises
        ------
        OverflowError : the slowest cursor would be more than ``max_backlog_bytes`` behind; nothing was stored.
        """
        size = len(header) + len(payload)
        total = self._total_bytes + size
        limit = self.max_backlog_bytes
        if total - self._floor_bytes > limit and self._unread(total) > limit:
            raise OverflowError(f"the slowest cursor is more than {limit} bytes behind")
        seq, recv_ns, kind, _, flags, code, _, _ = ENTRY_HEAD.unpack_from(header)
        segment = self._last
        if segment.used_bytes and segment.used_bytes + size > SEGMENT_BYTES:
            segment = _Segment(self._total_bytes)
        segment.used_bytes += size
        segment.entries.append((total, Entry(seq, recv_ns, kind, flags, code, header, payload)))
        self._total_bytes = total
        self.appended += 1
        if segment is not self._last:
            self._last.next = segment
            self._first, self._last = self._last, segment

    def cursor(self, *, from_start: bool = False) -> LogCursor:
        """A new consumer's place: after the newest entry, or at the oldest one still held. Any thread."""
        cursor = LogCursor(self._first)
        self._cursors.append(weakref.ref(cursor))
        self._floor_bytes = min(self._floor_bytes, cursor.read_bytes)
        if not from_start:
            while cursor.poll(1 << 16):
                pass
        return cursor

    @property
    def backlog_bytes(self) -> int:
        """How far the slowest cursor is behind; 0 without cursors."""
        return self._unread(self._total_bytes)

    def _unread(self, total: int) -> int:
        floor = total
        for ref in list(self._cursors):
            cursor = ref()
            if cursor is not None and not cursor.closed:
                floor = min(floor, cursor.read_bytes)
                continue
            try:
                self._cursors.remove(ref)
            except ValueError:  # another thread saw it too
                pass
        self._floor_bytes = floor
        return total - floor


class LogCursor:
    """One consumer's place in a lossless ring. Used by one thread; holds what it has not read until closed.

    Attributes
    ----------
    read_bytes : int
        Bytes of the ring that lie behind it.
    """

    __slots__ = ("__weakref__", "_at", "_segment", "closed", "read_bytes")

    def __init__(self, segment: _Segment) -> None:
        self._segment = segment
        self._at = 0
        self.read_bytes = segment.base_bytes
        self.closed = False

    def poll(self, max: int = 1024) -> list[Entry]:
        """The next entries, at most ``max``; an empty list when there is none. Raises CursorClosed once closed."""
        if self.closed:
            raise CursorClosed("this cursor is closed", hint="make a new one")
        out: list[Entry] = []
        while len(out) < max:
            segment = self._segment
            after = segment.next  # read before the entries: once linked, the segment is whole
            found = segment.entries[self._at : self._at + max - len(out)]
            if found:
                out.extend(entry for _, entry in found)
                self._at += len(found)
                self.read_bytes = found[-1][0]
            elif after is not None:
                self._segment = after
                self._at = 0
            else:
                break
        return out

    def adopt(self) -> None:
        """Take the cursor over from a thread that is done with it."""

    def close(self) -> None:
        """Give up the place; what only this cursor held may go."""
        self.closed = True
        self._segment = _Segment(0)
