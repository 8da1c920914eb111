"""The rings: a market ring that overwrites and tells, and a log ring that loses nothing."""

from collections.abc import Callable
from typing import Any, final

import numpy as np
import numpy.typing as npt

def arrays_by(maker: Callable[[bytearray, int, int], Any]) -> None:
    """Give what makes a read-only array of (buffer, count, first); called once, by ``ring/impl.py``."""

@final
class MarketRing:
    """Fixed 64-byte records, overwritten when full. ``capacity``: records, a power of two of at least 64."""

    capacity: int
    published: int
    def __init__(self, capacity: int = 65536) -> None: ...
    def append(self, record: bytes | bytearray | memoryview) -> None:
        """Append the record(s) of one message: a multiple of 64 bytes. Producer only."""
    def cursor(self) -> MarketCursor:
        """A new cursor that starts at the next record. For the thread that calls it."""

@final
class MarketCursor:
    """One consumer's place in a market ring. Not thread-safe; any number per ring."""

    gap: int
    last_gap: int
    pending: int
    def __init__(self, ring: MarketRing) -> None: ...
    def poll(self, max: int = 1024) -> npt.NDArray[np.void]:
        """The next records, read-only, valid until the next poll."""
    def poll_bytes(self, max: int = 1024) -> bytes:
        """The next records as bytes, 64 each; needs no numpy."""

@final
class LogRing:
    """Entries of any length, none lost. ``max_backlog_bytes``: above that much unread nothing more is taken."""

    max_backlog_bytes: int
    backlog_bytes: int
    appended: int
    def __init__(self, max_backlog_bytes: int = 268435456) -> None: ...
    def append(self, header: bytes | bytearray | memoryview, payload: bytes | bytearray | memoryview = b"") -> None:
        """Append one entry. Producer only. Raises OverflowError past the limit."""
    def cursor(self, *, from_start: bool = False) -> LogCursor:
        """A new cursor: at the end, or at the oldest entry that is still held."""

@final
class Entry:
    """One entry of a log ring."""

    seq: int
    recv_ns: int
    kind: int
    flags: int
    code: int
    header: bytes
    payload: bytes

@final
class LogCursor:
    """One consumer's place in a log ring. Not thread-safe."""

    def __init__(self, ring: LogRing, from_start: bool = False) -> None: ...
    def poll(self, max: int = 1024) -> list[Entry]:
        """Up to ``max`` entries. Raises ValueError on a closed cursor."""
    def close(self) -> None:
        """Let go of the entries that only this cursor still held."""

