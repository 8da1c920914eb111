"""Top of book from tick records: what a quote is, and how records change it. Pure; no ring and no clock."""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass, replace
from typing import Final

from ibwire.spec import ticks
from ibwire.spec.records import BY_NAME, RECORD_BYTES
from ibwire.spec.registry import INCOMING

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


_ROWS: Final = {row.name: row.id for row in INCOMING.values()}
_PRICE_KIND: Final = _ROWS["tickPrice"]
_SIZE_KIND: Final = _ROWS["tickSize"]
_SIDES: Final = {"BID": "bid", "ASK": "ask", "LAST": "last"}


def _types(suffix: str) -> dict[int, str]:
    """Tick type -> field of a quote, for live and delayed data."""
    found = {}
    for prefix in ("", "DELAYED_"):
        for side, name in _SIDES.items():
            found[ticks.NUMBERS[f"{prefix}{side}{suffix.upper()}"]] = f"{name}{suffix}"
    return found


_PRICES: Final = _types("")
_SIZES: Final = _types("_size")
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
            if kind == _PRICE_KIND:
                update = self._price(tick, price, size)
            elif kind == _SIZE_KIND and tick in _SIZES:
                update = {_SIZES[tick]: size}
            else:
                continue
            if update:
                changed.setdefault(key, {}).update(update)
                seen[key] = (seq, recv_ns, tick in ticks.DELAYED)
        for key, fields in changed.items():
            seq, recv_ns, delayed = seen[key]
            quotes[key] = replace(quotes[key], seq=seq, recv_ns=recv_ns, delayed=delayed, **fields)
        return set(changed)

    @staticmethod
    def _price(tick: int, price: float, size: float) -> dict[str, float]:
        name = _PRICES.get(tick)
        if name is None:
            return {}
        # -1 without a size says that there is no such price now; a combination may well trade at -1.
        if price == -1 and not size > 0:
            return {name: NAN, f"{name}_size": NAN}
        update = {name: price}
        if size == size:
            update[f"{name}_size"] = size
        return update
