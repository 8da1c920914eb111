"""The rings: a market ring that overwrites and tells, log rings that lose nothing, and the region that others may map."""

from collections.abc import Callable
from types import ModuleType
from typing import Any, final

import numpy as np
import numpy.typing as npt

def setup(array_of: Callable[[bytearray, int, int], Any], errors: ModuleType) -> None:
    """Give what this module may not import; called once, by ``ring/impl.py``."""

@final
class Region:
    """The memory that a session's producer writes and everybody else reads."""

    bytes: int
    is_owner: bool
    watermark: int
    count: int
    entry_count: int
    def __init__(
        self,
        market_capacity: int = 65536,
        *,
        tape_bytes: int = 0,
        quotes_capacity: int = 0,
        orders_capacity: int = 0,
        sizes: tuple[int, int] = (0, 0),
        memory: Any = None,
    ) -> None: ...
    @staticmethod
    def size_of(
        market_capacity: int,
        tape_bytes: int = 0,
        quotes_capacity: int = 0,
        orders_capacity: int = 0,
        sizes: tuple[int, int] = (0, 0),
    ) -> int:
        """Bytes that a region with these parts takes."""
    @staticmethod
    def attached(memory: Any, wait_memory: Any) -> Region:
        """The region that another process made, looked at; nothing of it is written but the wait page."""
    def follow(self, first: LogRing, second: LogRing) -> None:
        """The lossless rings of the session, so that waits may be for their entries only. Before the producer runs."""
    def step_with(self, stepper: Stepper | None) -> None:
        """Run that with each publication; None: nothing. Before the producer runs."""
    def publish(self, seq: int) -> None:
        """Everything up to ``seq`` is in its rings: say so, and wake who waits. Producer only."""
    def ring(self) -> None:
        """Wake who waits, without anything new. Any thread of the owner."""
    def wait(
        self, seen: int, timeout_ms: float | None = None, how: str = "block", only_entries: bool = False
    ) -> bool:
        """Wait, without the GIL, until :attr:`count` is no longer ``seen``. False when the time was up first."""
    def add_fd(self, fd: int, read_fd: int = -1) -> int:
        """Write to that eventfd with the first publication after each :meth:`clear_fd`. Returns its slot."""
    def clear_fd(self, slot: int) -> None:
        """Take back what was written; call it before looking at the rings."""
    def signal_fd(self, slot: int) -> None:
        """Make it readable again, for what was left behind. The thread that clears it."""
    def remove_fd(self, slot: int) -> None:
        """Forget the eventfd."""

class Reading:
    """What every cursor has in common: it belongs to the thread that polls it first, and to its process."""

    closed: bool
    def adopt(self) -> None:
        """Take the cursor over: the next thread that polls owns it. The caller knows that the old one is done with it."""

@final
class MarketRing:
    """Fixed 64-byte records, overwritten when full. ``capacity``: records, a power of two of at least 64; or a region."""

    region: Region
    capacity: int
    published: int
    def __init__(self, capacity: int | Region = 65536) -> None: ...
    def append(self, record: bytes | bytearray | memoryview) -> None:
        """Append the record(s) of one message: a multiple of 64 bytes. Producer only."""
    def cursor(self) -> MarketCursor:
        """A new cursor that starts at the next record. For the thread that first polls it."""

@final
class MarketCursor(Reading):
    """One consumer's place in a market ring; any number per ring."""

    gap: int
    last_gap: int
    pending: int
    def __init__(self, ring: MarketRing) -> None: ...
    def poll(self, max: int = 1024) -> npt.NDArray[np.void]:
        """The next records, read-only, valid until the next poll."""
    def poll_bytes(self, max: int = 1024) -> bytes:
        """The next records as bytes, 64 each; needs no numpy."""
    def close(self) -> None:
        """No more polls. Twice is harmless."""

class LogRing:
    """Entries of any length, none lost. ``max_backlog_bytes``: above that much unread nothing more is taken."""

    max_backlog_bytes: int
    backlog_bytes: int
    appended: int
    held_bytes: int
    segments: int
    def __init__(
        self, max_backlog_bytes: int = 268435456, evicts: bool = False, *, tape: Tape | None = None, origin: int = 0
    ) -> None: ...
    def append(self, header: bytes | bytearray | memoryview, payload: bytes | bytearray | memoryview = b"") -> None:
        """Append one entry. Producer only. Raises OverflowError past the limit."""
    def collect(self) -> None:
        """Give back what nobody needs any more, now. Producer only."""
    def cursor(self, *, from_start: bool = False) -> LogCursor:
        """A new cursor: at the end, or at the oldest entry that is still held."""

class Place(Reading):
    """A cursor's place in a ring of segments."""

@final
class Entry:
    """One entry of a log ring."""

    seq: int
    recv_ns: int
    kind: int
    flags: int
    code: int
    origin: int
    header: bytes
    payload: bytes

@final
class LogCursor(Place):
    """One consumer's place in a log ring."""

    def __init__(self, ring: LogRing, from_start: bool = False) -> None: ...
    def poll(self, max: int = 1024) -> list[Entry]:
        """Up to ``max`` entries. Raises CursorClosed, WrongThread, ForkedClient."""
    def close(self) -> None:
        """Let go of the entries that only this cursor still held."""

@final
class EveryRing:
    """Every market record, in segments, up to a limit: past it the oldest go, and cursors tell how many."""

    ring: MarketRing
    evicted: int
    backlog_bytes: int
    held_bytes: int
    def __init__(self, ring: MarketRing, max_backlog_bytes: int = 268435456) -> None: ...
    def flush(self) -> None:
        """Take over what the market ring got; for whoever appends there by hand. Producer only."""
    def collect(self) -> None:
        """Give back what nobody needs any more, now. Producer only."""
    def cursor(self, *, from_start: bool = False) -> EveryCursor:
        """A new cursor: at the end, or at the oldest record that is still held."""

@final
class EveryCursor(Place):
    """One consumer's place among all market records; read like a :class:`MarketCursor`."""

    gap: int
    last_gap: int
    pending: int
    def __init__(self, ring: EveryRing, from_start: bool = False) -> None: ...
    def poll(self, max: int = 1024) -> npt.NDArray[np.void]:
        """The next records, read-only, valid until the next poll."""
    def poll_bytes(self, max: int = 1024) -> bytes:
        """The next records as bytes, 64 each; needs no numpy."""
    def close(self) -> None:
        """Let go of the records that only this cursor still held."""

@final
class MergedCursor:
    """Drains an order, a control and a market cursor, merged by sequence number, into callbacks."""

    def __init__(
        self,
        region: Region,
        orders: LogCursor | None,
        control: LogCursor | None,
        market: MarketCursor | EveryCursor | None,
        on_entry: Callable[[Entry], object],
        on_market: Callable[[bytes], object] | None = None,
        on_gap: Callable[[int], object] | None = None,
    ) -> None: ...
    def dispatch(self) -> int:
        """Deliver everything that had arrived when the call began; returns how many items were delivered."""
    def adopt(self) -> None:
        """Go on in this thread; the one before is done."""
    def close(self) -> None:
        """Close the cursors."""

class Stepper:
    """What the producer runs with each publication, before it says so. This one does nothing."""

    def __init__(self) -> None: ...

@final
class StepCount(Stepper):
    """Counts how often it was called, for tests."""

    steps: int
    idles: int
    ends: int
    head: int
    seq: int

@final
class StepBoth(Stepper):
    """Two steppers, one after the other."""

    def __init__(self, first: Stepper, second: Stepper) -> None: ...

@final
class Tape:
    """The writing end of a region's tape. Producer only."""

    region: Region
    def __init__(self, region: Region) -> None: ...

@final
class TapeCursor(Reading):
    """One consumer's place on a tape: order and control entries in wire order, with gaps told."""

    gap: int
    last_gap: int
    def __init__(self, region: Region) -> None: ...
    def poll(self, max: int = 1024) -> list[Entry]:
        """Up to ``max`` entries; ``last_gap`` tells how many are missing before them."""
    def close(self) -> None:
        """No more polls. Twice is harmless."""

class Table:
    """What the tables have in common. Read from any thread; not from a child process after fork."""

    region: Region
    rows: int
    refused: int
    capacity: int
    is_full: bool
    def snapshot(self, out: npt.NDArray[np.void]) -> int:
        """Copy every row into an array of this table's dtype; how many. Each is as it was at one moment."""
    def read_bytes(self, key: int, key2: int = 0) -> bytes | None:
        """One row as bytes, or None. Raises SessionLost when its writer died in the middle of it."""

class QuoteTable(Table):
    """The latest bid, ask and last of each request id."""

    def __init__(self, region: Region, capacity: int = 256) -> None: ...
    def add(self, reqId: int) -> None:
        """Begin anew with that request id; call it before the request is sent. Any thread of the owner."""
    def remove(self, reqId: int) -> None:
        """Forget that request id; ticks that come late are dropped. Any thread of the owner."""
    def read(self, reqId: int) -> QuoteValues | None:
        """The quote of one request id at one moment, or None. Raises SessionLost when its writer died in the middle."""

@final
class QuoteValues:
    """One quote as it was at one moment. Prices and sizes are NaN where there is none; times are monotonic, ns."""

    reqId: int
    seq: int
    recv_ns: int
    bid: float
    ask: float
    last: float
    bid_size: float
    ask_size: float
    last_size: float
    bid_ns: int
    ask_ns: int
    last_ns: int
    changes: int
    delayed: bool

@final
class QuoteStepper(Stepper):
    """Keeps a quote table up to date with the market records of each publication."""

    def __init__(
        self,
        table: QuoteTable,
        ring: MarketRing,
        plan: list[tuple[int, int, int, int, int, int, int]],
        no_price: float = -1.0,
    ) -> None: ...

def leave_half_written(table: Table, key: int, key2: int = 0) -> None:
    """For tests: as if the writer died in the middle of that row. Producer only."""

def head_of(memory: Any) -> dict[str, Any] | None:
    """What the head of a mapped file says; None when it is none of ours."""

def layout_version() -> int:
    """The version of the region's layout that this package makes and reads."""

def sign_head(
    region: Region,
    *,
    records: int,
    owner_pid: int,
    owner_start: int,
    owner_space: int,
    created_ns: int,
    package: str,
) -> None:
    """Say whose region it is, and that it may be looked at. Owner, once, before anybody else can map it."""

def set_session(region: Region, version: int, client_id: int, epoch: int) -> None:
    """Note the session that the region is about. Owner only."""

def end_region(region: Region) -> None:
    """Say that nothing more comes, and wake who waits. Owner only; any thread. Twice is harmless."""

def state_of(region: Region) -> str:
    """``building``, ``open`` or ``closed``, as its owner said."""

def health_of(region: Region) -> dict[str, int]:
    """Counts and times of a region. Any process."""
