"""Appends to the journal: entries into mapped, preallocated segments, from any thread, without the GIL."""

from typing import final

from ibwire._ring import LogRing, Region, Stepper

def crc32(data: bytes | bytearray | memoryview, value: int = 0) -> int:
    """As ``zlib.crc32``."""

def span(data: bytes | memoryview, at: int, last_seq: int) -> tuple[int, int, int, bool]:
    """Twin of ``io.journal_read.span``: over the good entries that follow each other from ``at`` on."""

@final
class Appender:
    """The one writer of a journal's segments."""

    last_seq: int
    segment: int
    used_bytes: int
    has_spare: bool
    wants_spare: bool
    missed: int
    failure: int
    is_synced: bool
    def __init__(self, directory: str, head: bytes, segment_bytes: int, keeps_files: bool = True) -> None: ...
    def start(self, number: int, first_seq: int) -> None:
        """Begin with a new segment. Once, before anything is appended."""
    def resume(self, number: int, at: int, next_seq: int) -> None:
        """Go on in a segment that is there: what lies behind ``at`` is wiped. Once, before anything is appended."""
    def set_preamble(self, body: bytes, epoch: int) -> None:
        """What each new segment begins with, as an entry: the session that goes on. ``epoch`` stands in entries."""
    def set_high_water(self, order_id: int) -> None:
        """The highest order id that was used; it stands in the head of each new segment."""
    def put(self, kind: int, ns: int, a: bytes, b: bytes = b"", reserve: int = 0, counts: bool = True) -> int:
        """Append one entry of two parts. Any thread. Its sequence number, or 0 when it found no room."""
    def prepare(self) -> None:
        """Make the next segment now, so that nobody waits for it later. Raises OSError when it cannot be had."""
    def sync(self) -> None:
        """Have everything appended so far on the disk. Any thread; others append meanwhile. Raises OSError."""
    def drop(self) -> None:
        """Let go of the files. Nothing is appended after it."""

def is_there(path: bytes) -> bool:
    """Whether there is a file. Keeps the GIL."""

@final
class Recorder(Stepper):
    """Appends what comes into the order ring, in the thread that receives, before anything else looks at it."""

    def __init__(self, journal: Appender, ring: LogRing, region: Region) -> None: ...

def measure(journal: Appender | None, payload: bytes, count: int, turns: int) -> float:
    """For the benchmark: ns of one append of a received frame; without a journal, of copying it."""
