"""Appends to the journal: entries into mapped, preallocated segments, from any thread, without the GIL."""

from collections.abc import Collection
from typing import final

from ibwire._ring import LogCursor, LogRing, Region, Stepper

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

@final
class Index:
    """Whose the entries of a journal are. One thread."""

    entries: int
    last_ns: int
    high_water: int
    is_closed: bool
    is_doubtful: bool
    listed_ns: int
    wall_offset: int
    def __init__(
        self,
        client_id: int,
        roles: bytes,
        place: int,
        cancels: Collection[int],
        about_orders: Collection[int],
        ended: Collection[bytes],
        listed: bytes,
    ) -> None: ...
    def begin_segment(self) -> None:
        """What is sorted from now on stands in the next segment."""
    def gather(self, data: bytes, at: int, end: int, stop1: int, stop2: int) -> tuple[int, bytes]:
        """The frames from ``at`` on that came in, as they came in, and where the next part begins."""
    def sort(self, data: bytes, at: int, end: int, decoded: LogCursor | None, base: int) -> None:
        """Take the entries from ``at`` to ``end``; ``decoded`` has what became of their frames, from ``base`` + 1 on."""
    def pin(self, order_id: int, perm_id: int) -> None:
        """This order is to be decoded, whatever else is true."""
    def untold(self) -> list[int]:
        """Ids of our orders that are kept and of which the gateway has not said whether they have a parent."""
    def tie(self, order_id: int, parent_id: int) -> None:
        """This order has a parent."""
    def choose(self, before_ns: int) -> int:
        """Set aside the orders that ended, with nothing about them since that time of the wall clock."""
    def want(self, order_id: int, perm_id: int) -> list[int]:
        """Look for an order that is set aside, by its order id or else its permId, with its family: their order ids."""
    def kept(self, segment: int, wanted: bool = False) -> list[int]:
        """Where in a segment the entries begin that are to be decoded; or those of all orders and of the wanted ones."""

def measure(journal: Appender | None, payload: bytes, count: int, turns: int) -> float:
    """For the benchmark: ns of one append of a received frame; without a journal, of copying it."""
