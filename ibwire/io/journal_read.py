"""Reading a journal: every entry is checked, what cannot be trusted is told, nothing is guessed.

Two kinds of damage are kept apart. Bytes at the very end that are no whole entry, with no entry behind them, are a torn
tail: :attr:`Reading.tail` tells of it, and everything before is good. Anything else (a bad checksum or a hole with
entries behind it, a missing segment, one that does not end as it should) is :class:`JournalCorrupt`, raised when
reading comes to it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Final

from ibwire.io.journal_errors import JournalCorrupt, JournalError, JournalVersion
from ibwire.io.journal_format import (
    ENTRY_HEAD,
    ENTRY_HEAD_BYTES,
    FORMAT_VERSION,
    HEAD_BYTES,
    MAX_BODY_BYTES,
    SUFFIX,
    Entry,
    Kind,
    SegmentHead,
    entry_at,
    padded,
    read_head,
)
from ibwire.ring import impl

__all__ = ["Reading", "Tail", "read", "segments_of", "span"]

_NAME: Final = re.compile(r"\d{8}" + re.escape(SUFFIX))
_ZEROS: Final = bytes(1 << 16)
_FAR: Final = 1 << 32  # sequence numbers: an entry behind a damage is not further away than this
_HINT: Final = (
    "nothing from there on was used; `ibwire journal export` gives what is before it; to begin anew, look at the orders"
    " in TWS, then move the folder away and keep it"
)


@dataclass(slots=True, frozen=True)
class Tail:
    """What stood behind the last good entry and is none.

    Attributes
    ----------
    cut_bytes : int
        From the end of the last good entry to the last byte that is not zero; 0 when only the file is too short.
    short_bytes : int
        How much of the file is missing, against what its head says.
    """

    path: str
    offset: int
    cut_bytes: int
    short_bytes: int = 0

    def __str__(self) -> str:
        parts = []
        if self.cut_bytes:
            where = f"{self.cut_bytes} bytes at {self.offset} of {self.path}"
            parts.append(f"{where} are no whole entry: a torn tail, not used")
        if self.short_bytes:
            parts.append(f"{self.path} is {self.short_bytes} bytes shorter than it was made")
        return "; ".join(parts)


def names_in(directory: Path) -> list[Path]:
    """The segments in a directory, oldest first; other files there are nobody's business."""
    return sorted(one for one in directory.iterdir() if _NAME.fullmatch(one.name))


def segments_of(path: Path) -> list[Path]:
    """The segments of a journal: a directory, or one segment of it.

    Raises
    ------
    JournalError : there is none.
    """
    if path.is_dir():
        found = names_in(path)
        if found:
            return found
        deeper = path / "journal"
        if deeper.is_dir():
            return segments_of(deeper)
    elif path.is_file():
        return [path]
    raise JournalError(f"there is no journal in {path}", hint="name its directory, or one of its segments")


class Reading:
    """One pass over a journal, oldest entry first.

    Parameters
    ----------
    sources : sequence of (name, path or bytes)
        The segments, in order.

    Attributes
    ----------
    heads : list of SegmentHead
        Of the segments begun so far.
    tail : Tail or None
        After the last entry: what was not used.
    last_seq : int
        Of the newest entry so far; ``next_offset``: where in its segment the next one would begin.
    epoch : int
        The highest so far.
    is_ended : bool
        The last segment ended in order: the next entry belongs into a new one.
    """

    def __init__(self, sources: Sequence[tuple[str, Path | bytes]]) -> None:
        self._sources = list(sources)
        self.heads: list[SegmentHead] = []
        self.tail: Tail | None = None
        self.unused: list[str] = []
        self.last_seq = 0
        self.next_offset = HEAD_BYTES
        self.epoch = 0
        self.is_ended = False

    def __iter__(self) -> Iterator[Entry]:
        for name, data, head, is_last in self._segments():
            yield from self._entries(name, data, head)
            self._finish(name, data, head, is_last)

    def spans(self) -> Iterator[tuple[SegmentHead, bytes, int]]:
        """Its segments, each checked as a whole, in compiled code if built: (head, data, where its entries end)."""
        walk = span if impl.NAME != "compiled" else import_module("ibwire._journal").span
        for name, data, head, is_last in self._segments():
            end, self.last_seq, epoch, self.is_ended = walk(data, HEAD_BYTES, self.last_seq)
            self.next_offset, self.epoch = end, max(self.epoch, epoch)
            if not self.is_ended and (entry := entry_at(memoryview(data), end, head.number)) is not None:
                self._follow(name, entry)
            self._finish(name, data, head, is_last)
            yield head, data, end

    def check(self) -> Reading:
        """Check every entry.

        Raises
        ------
        JournalCorrupt, JournalVersion
        """
        for _ in self.spans():
            pass
        return self

    def _segments(self) -> Iterator[tuple[str, bytes, SegmentHead, bool]]:
        last = len(self._sources) - 1
        for number, (name, source) in enumerate(self._sources):
            data = source if isinstance(source, bytes) else source.read_bytes()
            head = self._head(name, data, number == last)
            if head is None:
                return
            self.heads.append(head)
            self.next_offset, self.is_ended = HEAD_BYTES, False
            yield name, data, head, number == last

    def _head(self, name: str, data: bytes, is_last: bool) -> SegmentHead | None:
        head = read_head(data)
        if isinstance(head, str):
            # A segment that was prepared, or only begun when the power failed, has no entry at all.
            if is_last and (self.heads or not data.strip(b"\0")) and _later(data, 0, self.last_seq) < 0:
                self.unused.append(name)
                if data[:HEAD_BYTES].strip(b"\0"):
                    self.tail = Tail(name, 0, len(data.rstrip(b"\0")))
                return None
            raise JournalCorrupt(head, name, 0, hint=_HINT)
        if head.version > FORMAT_VERSION:
            raise JournalVersion(
                f"{name} has format {head.version}, this ibwire knows up to {FORMAT_VERSION}",
                found=head.version, known=FORMAT_VERSION, hint=f"read it with ibwire {head.package} or newer",
            )  # fmt: skip
        if self.heads:
            before = self.heads[-1]
            if head.journal != before.journal:
                raise JournalCorrupt("it belongs to another journal", name, 0, hint=_HINT)
            if head.number != before.number + 1:
                problem = f"segment {head.number} follows segment {before.number}: there is a hole"
                raise JournalCorrupt(problem, name, 0, hint=_HINT)
            if head.first_seq != self.last_seq + 1:
                problem = f"it begins with entry {head.first_seq}, the one before ended with {self.last_seq}"
                raise JournalCorrupt(problem, name, 0, hint=_HINT)
        self.last_seq = head.first_seq - 1
        return head

    def _entries(self, name: str, data: bytes, head: SegmentHead) -> Iterator[Entry]:
        at, view = HEAD_BYTES, memoryview(data)
        while not self.is_ended and (entry := entry_at(view, at, head.number)) is not None:
            self._follow(name, entry)
            at += padded(ENTRY_HEAD_BYTES + len(entry.body))
            self.last_seq, self.next_offset = entry.seq, at
            self.epoch = max(self.epoch, entry.epoch)
            self.is_ended = entry.kind == Kind.END
            yield entry

    def _follow(self, name: str, entry: Entry) -> None:
        if entry.seq != self.last_seq + 1:
            problem = f"entry {entry.seq} follows entry {self.last_seq}: there is a hole"
            raise JournalCorrupt(problem, name, entry.offset, hint=_HINT)

    def _finish(self, name: str, data: bytes, head: SegmentHead, is_last: bool) -> None:
        """What stands behind the last good entry of a segment."""
        if self.is_ended:
            return
        at = self.next_offset
        if not is_last:
            raise JournalCorrupt("the segment does not end as it should: there is a hole", name, at, hint=_HINT)
        if (later := _later(data, at, self.last_seq)) >= 0:
            problem = f"no good entry, but there are more behind it (the next at byte {later})"
            raise JournalCorrupt(problem, name, at, hint=_HINT)
        cut, short = max(0, _used(data) - at), max(0, head.capacity - len(data))
        if cut or short:
            self.tail = Tail(name, at, cut, short)


def span(data: bytes | memoryview, at: int, last_seq: int) -> tuple[int, int, int, bool]:
    """Go over the good entries that follow each other in a segment.

    Parameters
    ----------
    at : where the first begins. last_seq : sequence number of the one before it.

    Returns
    -------
    at, last_seq, epoch, is_ended
        Where the next entry would begin, and the last one's number; the highest epoch; whether the last one ends the
        segment.
    """
    view, epoch = memoryview(data), 0
    while (entry := entry_at(view, at, 0)) is not None and entry.seq == last_seq + 1:
        at, last_seq = at + padded(ENTRY_HEAD_BYTES + len(entry.body)), entry.seq
        epoch = max(epoch, entry.epoch)
        if entry.kind == Kind.END:
            return at, last_seq, epoch, True
    return at, last_seq, epoch, False


def _used(data: bytes) -> int:
    """Bytes up to the last that is not zero; most of a young segment is zeros."""
    end = len(data)
    while end >= len(_ZEROS) and data[end - len(_ZEROS) : end] == _ZEROS:
        end -= len(_ZEROS)
    start = max(0, end - len(_ZEROS))
    return start + len(data[start:end].rstrip(b"\0"))


def _later(data: bytes, at: int, last_seq: int) -> int:
    """Where behind ``at`` a good entry begins that is newer than the last one; -1 when none does."""
    end = _used(data)
    view = memoryview(data)
    for place in range((at + 7) & ~7, end - ENTRY_HEAD_BYTES + 8, 8):
        if place + ENTRY_HEAD_BYTES > len(data):
            break
        _, length, seq, *_ = ENTRY_HEAD.unpack_from(data, place)
        is_likely = ENTRY_HEAD_BYTES <= length <= MAX_BODY_BYTES and last_seq < seq < last_seq + _FAR
        if is_likely and entry_at(view, place, 0) is not None:
            return place
    return -1


def read(path: Path | str) -> Reading:
    """Read a journal: a directory, or one segment.

    Raises
    ------
    JournalError : there is none. While it is iterated: JournalCorrupt, JournalVersion.
    """
    return Reading([(str(one), one) for one in segments_of(Path(path))])
