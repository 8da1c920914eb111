"""What a journal's bytes mean. Data and pure functions; the writers repeat the numbers and tests compare them.

A journal is a directory of segments, ``00000001.ibj`` and on, each of one size and preallocated with zeros. A segment
is a head of 256 bytes, then entries, each at a multiple of 8:

    crc u32 | length u32 | seq u64 | ns i64 | kind u16 | flags u16 | epoch u32 | body

Little-endian. The length counts the entry from its first byte, without what pads it; the CRC32 (zlib's) is of all after
itself. Sequence numbers go up by one over the whole journal; the times are monotonic nanoseconds, and the head holds
the wall clock beside them. A segment that is not the last one ends with an ``END`` entry; the last one ends where the
next eight bytes are zero. Bytes that are no entry at the end of the last segment, with none after them, are a torn
tail: the program died, or the power failed, while they were written.
"""

from __future__ import annotations

import json
import struct
import zlib
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, Final

__all__ = ["FORMAT_VERSION", "Act", "Entry", "Kind", "SegmentHead", "encode_entry", "frame_of", "make_head"]

FORMAT_VERSION: Final = 1
MAGIC: Final = b"IBWJRNL\n"
HEAD_BYTES: Final = 256
ENTRY_HEAD_BYTES: Final = 32
RECORD_HEAD_BYTES: Final = 32
SUFFIX: Final = ".ibj"
FLAG_CARRIED: Final = 1
"""A session entry that was repeated at the beginning of a segment; nothing happened."""
MAX_BODY_BYTES: Final = 1 << 25

HEAD: Final = struct.Struct("<8sIIQQQQqqqQ32s")
ENTRY_HEAD: Final = struct.Struct("<IIQqHHI")
RECORD_HEAD: Final = struct.Struct("<QqBBHiII")
"""Of a received entry: seq, recv_ns, kind, part, flags, code, length of the frame, padding; as in every ring."""
INTENT: Final = struct.Struct("<qQHHI")
"""Order id, message taken last, what (:class:`Act`), 0, length of the frame, which follows."""
OUTCOME: Final = struct.Struct("<qQQQ")
"""Order id, message taken last, sequence number of the intent, bytes that the kernel took; a reason follows."""
AFTER: Final = struct.Struct("<Q")
_CRC: Final = struct.Struct("<I")


class Kind(IntEnum):
    """What an entry is."""

    INTENT = 1  # a frame about an order, before its bytes
    SENT = 2
    SEND_FAILED = 3
    RECEIVED = 4  # an entry of the order ring
    INPUT = 5  # what else the order table was told: a lost link, a deadline, an end of a list
    VERDICT = 6  # of the risk gate
    TRANSITION = 7
    KILL = 8
    SESSION = 9  # a connection was agreed
    OPENED = 10  # a process began to write
    OVERRIDE = 11  # somebody did something by hand, with a name
    HIGH_WATER = 12
    GAP = 13  # so many entries found no room
    END = 14  # of a segment; the next one goes on
    CUT = 15  # a torn tail was cut here
    CLOSED = 16  # in order
    LOST = 17  # the link ended
    NOTE = 18

    @property
    def label(self) -> str:
        """Lower-case name, such as ``send_failed``."""
        return self.name.lower()


class Act(IntEnum):
    """What an intent wants."""

    PLACE = 1
    MODIFY = 2
    CANCEL = 3
    GLOBAL_CANCEL = 4
    OTHER = 5  # what else can change a position, such as an exercise of options

    @property
    def label(self) -> str:
        """Lower-case name."""
        return self.name.lower()

    @property
    def may_add_risk(self) -> bool:
        """Whether it is refused when it cannot be journaled; a cancel never is."""
        return self is not Act.CANCEL and self is not Act.GLOBAL_CANCEL


@dataclass(slots=True, frozen=True)
class SegmentHead:
    """The head of a segment.

    Attributes
    ----------
    journal : int
        Names the journal: every segment of it has the same.
    wall_ns, mono_ns : int
        Both clocks at the moment it was begun.
    high_water : int
        The highest order id used before it.
    """

    version: int
    journal: int
    number: int
    first_seq: int
    capacity: int
    wall_ns: int
    mono_ns: int
    high_water: int
    pid: int
    package: str


@dataclass(slots=True, frozen=True)
class Entry:
    """One entry: what it is, when, and its body.

    Attributes
    ----------
    epoch : int
        Which agreed connection it belongs to, from 1; 0 before the first.
    offset : int
        Where it begins in its segment.
    """

    seq: int
    ns: int
    kind: int
    flags: int
    epoch: int
    body: bytes
    segment: int
    offset: int

    @property
    def label(self) -> str:
        """Name of its kind; a number when a newer ibwire added it."""
        try:
            return Kind(self.kind).label
        except ValueError:
            return f"kind_{self.kind}"

    def json(self) -> dict[str, Any]:
        """The body of an entry that holds JSON."""
        found: dict[str, Any] = json.loads(self.body)
        return found


@dataclass(slots=True, frozen=True)
class Intent:
    """The body of an intent."""

    order_id: int
    after_seq: int
    act: int
    frame: bytes


@dataclass(slots=True, frozen=True)
class Result:
    """The body of what became of a send. ``wrote_bytes``: how many the kernel took."""

    order_id: int
    after_seq: int
    intent_seq: int
    wrote_bytes: int
    reason: str


@dataclass(slots=True, frozen=True)
class Received:
    """The body of a received entry, with the attributes of an entry of a ring."""

    seq: int
    recv_ns: int
    kind: int
    flags: int
    code: int
    payload: bytes


def make_head(
    *, journal: int, number: int, first_seq: int, capacity: int, wall_ns: int, mono_ns: int, high_water: int, pid: int,
    package: str,
) -> bytes:  # fmt: skip
    """The 256 bytes at the beginning of a segment."""
    text = package.encode()[:32]
    head = HEAD.pack(
        MAGIC, FORMAT_VERSION, HEAD_BYTES, journal, number, first_seq, capacity, wall_ns, mono_ns, high_water, pid, text
    ).ljust(HEAD_BYTES - 4, b"\0")
    return head + _CRC.pack(zlib.crc32(head))


def read_head(data: bytes) -> SegmentHead | str:
    """The head, or in words why there is none."""
    if len(data) < HEAD_BYTES:
        return "it is too short for a head"
    magic, version, _, journal, number, first, capacity, wall, mono, high, pid, package = HEAD.unpack_from(data)
    if magic != MAGIC:
        return "it does not begin like a journal"
    if version <= FORMAT_VERSION and zlib.crc32(data[: HEAD_BYTES - 4]) != _CRC.unpack_from(data, HEAD_BYTES - 4)[0]:
        return "the checksum of its head is wrong"
    text = package.rstrip(b"\0").decode("utf-8", "replace")
    return SegmentHead(version, journal, number, first, capacity, wall, mono, high, pid, text)


def padded(count: int) -> int:
    """Up to the next multiple of 8."""
    return (count + 7) & ~7


def encode_entry(seq: int, ns: int, kind: int, flags: int, epoch: int, body: bytes) -> bytes:
    """The bytes of one entry, padded."""
    length = ENTRY_HEAD_BYTES + len(body)
    rest = ENTRY_HEAD.pack(0, length, seq, ns, kind, flags, epoch)[4:] + body
    return (_CRC.pack(zlib.crc32(rest)) + rest).ljust(padded(length), b"\0")


def entry_at(data: bytes | memoryview, at: int, segment: int) -> Entry | None:
    """The entry at a place, when a whole one with a good checksum is there."""
    if at + ENTRY_HEAD_BYTES > len(data):
        return None
    crc, length, seq, ns, kind, flags, epoch = ENTRY_HEAD.unpack_from(data, at)
    end = at + length
    if not ENTRY_HEAD_BYTES <= length <= MAX_BODY_BYTES or end > len(data):
        return None
    if zlib.crc32(data[at + 4 : end]) != crc:
        return None
    return Entry(seq, ns, kind, flags, epoch, bytes(data[at + ENTRY_HEAD_BYTES : end]), segment, at)


def json_body(values: dict[str, Any]) -> bytes:
    """The body of an entry that holds JSON."""
    return json.dumps(values, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogatepass")


def intent_of(entry: Entry) -> Intent:
    """The body of an intent."""
    order_id, after, act, _, count = INTENT.unpack_from(entry.body)
    return Intent(order_id, after, act, entry.body[INTENT.size : INTENT.size + count])


def result_of(entry: Entry) -> Result:
    """The body of a ``SENT`` or ``SEND_FAILED``."""
    order_id, after, intent, wrote = OUTCOME.unpack_from(entry.body)
    return Result(order_id, after, intent, wrote, entry.body[OUTCOME.size :].decode("utf-8", "replace"))


def received_of(entry: Entry) -> Received:
    """The body of a received entry."""
    seq, recv_ns, kind, _, flags, code, count, _ = RECORD_HEAD.unpack_from(entry.body)
    frame = entry.body[RECORD_HEAD_BYTES : RECORD_HEAD_BYTES + count]
    return Received(seq, recv_ns, kind, flags, code, frame)


def input_of(entry: Entry) -> tuple[int, str, dict[str, Any]]:
    """The body of an ``INPUT``: message taken last, which input, with what."""
    (after,) = AFTER.unpack_from(entry.body)
    values = json.loads(entry.body[AFTER.size :])
    return after, values["input"], values["with"]


def frame_of(entry: Entry) -> bytes:
    """The wire bytes that an entry carries, without their length; empty for those that carry none."""
    if entry.kind == Kind.INTENT:
        return intent_of(entry).frame
    return received_of(entry).payload if entry.kind == Kind.RECEIVED else b""
