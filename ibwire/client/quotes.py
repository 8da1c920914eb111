"""Top of book from tick records: what a quote is, and how records change it. Pure; no ring and no clock."""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass, replace
from typing import Final

from ibwire.spec.records import BY_NAME, RECORD_BYTES
from ibwire.spec.tables import NO_PRICE, QUOTE_SOURCES

__all__ = ["Quote", "TickReader"]

NAN: Final = math.nan


@dataclass(frozen=True, slots=True)
class Quote:
    """Best prices and sizes of one contract at one moment. NaN where the gateway has given none.

    Attributes
    ----------
    bid, ask, last : float
        Prices; NaN while not known or when a side is empty. A comparison with NaN is false.
    bid_size, ask_size, last_size : float
        Sizes that belong to them.
    recv_ns : int
        Monotonic time at which the bytes of the latest change came in, ns.
    seq : int
        Sequence number of the message with the latest change.
    delayed : bool
        The gateway sends delayed data.
    """

    bid: float = NAN
    ask: float = NAN
    last: float = NAN
    bid_size: float = NAN
    ask_size: float = NAN
    last_size: float = NAN
    recv_ns: int = 0
    seq: int = 0
    delayed: bool = False

    @property
    def mid(self) -> float:
        """Middle of bid and ask; NaN unless both are known."""
        return (self.bid + self.ask) / 2

    @property
    def is_two_sided(self) -> bool:
        """Both bid and ask are known."""
        return not math.isnan(self.bid) and not math.isnan(self.ask)


# (kind, tick type) -> price field or "", size field, delayed; of the records with price and size at the same places.
_SOURCES: Final = {
    (source.kind, source.tick): (source.side if source.price else "", f"{source.side}_size", source.delayed)
    for source in QUOTE_SOURCES
    if source.record in ("TICK_PRICE", "TICK_SIZE")
}
_OFFSETS: Final = BY_NAME["TICK_PRICE"].offsets()
# seq, recv_ns, kind, part, flags, tick type, key, price, size: the same places in both records.
_HEAD: Final = struct.Struct("<QqBBHiqdd")
if [_OFFSETS[name] for name in ("recv_ns", "kind", "flags", "tickType", "key", "price", "size")] != [
    *(8, 16, 18, 20, 24, 32, 40)
]:
    raise ImportError("the tick records have another layout than this reader knows")


class TickReader:
    """Keeps the quotes of some request ids up to date from polled records.

    Attributes
    ----------
    quotes : dict of int to Quote
        The newest quote of each request id.
    ticks : dict of int to int
        Tick records seen for each request id, of any tick type.
    """

    def __init__(self) -> None:
        self.quotes: dict[int, Quote] = {}
        self.ticks: dict[int, int] = {}

    def add(self, reqId: int) -> None:
        """Follow a request id."""
        self.quotes[reqId] = Quote()
        self.ticks[reqId] = 0

    def feed(self, records: bytes | bytearray | memoryview) -> set[int]:
        """Apply records (64 bytes each, in order); the request ids whose quote changed."""
        changed: dict[int, dict[str, float]] = {}
        seen: dict[int, tuple[int, int, bool]] = {}
        quotes, counts = self.quotes, self.ticks
        for at in range(0, len(records), RECORD_BYTES):
            seq, recv_ns, kind, part, _, tick, key, price, size = _HEAD.unpack_from(records, at)
            if key not in quotes or part:
                continue
            counts[key] += 1
            found = _SOURCES.get((kind, tick))
            if found is None:
                continue
            name, size_name, delayed = found
            if not name:
                update = {size_name: size}
            elif price == NO_PRICE and not size > 0:
                update = {name: NAN, size_name: NAN}
            else:
                update = {name: price, size_name: size} if size == size else {name: price}
            changed.setdefault(key, {}).update(update)
            seen[key] = (seq, recv_ns, delayed)
        for key, fields in changed.items():
            seq, recv_ns, delayed = seen[key]
            quotes[key] = replace(quotes[key], seq=seq, recv_ns=recv_ns, delayed=delayed, **fields)
        return set(changed)
