"""Single trades and quotes out of a stream of changes, for tick-by-tick data and historical ticks alike.

Both read the same changes through the same fold, so that history says what a live listener was told.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from decimal import Decimal
from typing import NamedTuple

from ibwire.sim.clock import NS_PER_S
from ibwire.sim.instruments import Instrument
from ibwire.sim.path import mix
from ibwire.sim.quotes import Quotes, TickChange, TickKind

_UNREPORTED_IN = 24  # of so many trades one is not reported to the tape
_WINDOWS = 24


class Trade(NamedTuple):
    """One trade; price in steps."""

    time_ns: int
    steps: int
    size: Decimal
    exchange: str
    unreported: bool
    low: int  # of the session so far
    high: int


class BidAsk(NamedTuple):
    """The quote after a change; prices in steps."""

    time_ns: int
    bid: int
    ask: int
    bid_size: Decimal
    ask_size: Decimal


class Fold:
    """Changes in, trades and quotes out; changes of one moment make one quote.

    Parameters
    ----------
    quotes : Quotes
        As of the moment after which changes will come.
    """

    def __init__(self, quotes: Quotes) -> None:
        now = quotes.quote()
        self._item = quotes.instrument
        self._venues = venues(self._item)
        self.bid, self.ask, self.last = now.bid, now.ask, now.last
        self.bid_size, self.ask_size = now.bid_size, now.ask_size
        self.low, self.high = now.low, now.high

    def take(self, changes: Iterable[TickChange]) -> list[Trade | BidAsk]:
        """Return what the changes say, in time order."""
        out: list[Trade | BidAsk] = []
        quoted_ns = 0
        for kind, steps, size, time_ns in changes:
            if quoted_ns and quoted_ns != time_ns:
                out.append(self.quote(quoted_ns))
                quoted_ns = 0
            if kind is TickKind.LAST or kind is TickKind.LAST_SIZE:
                self.last = steps or self.last
                r = mix(time_ns)
                venue = self._venues[(r >> 8) % len(self._venues)]
                low, high = min(self.low, self.last), max(self.high, self.last)
                self.low, self.high = low, high
                out.append(Trade(time_ns, self.last, size, venue, r % _UNREPORTED_IN == 0, low, high))
                continue
            if kind is TickKind.BID:
                self.bid, self.bid_size = steps, size
            elif kind is TickKind.ASK:
                self.ask, self.ask_size = steps, size
            elif kind is TickKind.BID_SIZE:
                self.bid_size = size
            elif kind is TickKind.ASK_SIZE:
                self.ask_size = size
            else:
                continue
            quoted_ns = time_ns
        if quoted_ns:
            out.append(self.quote(quoted_ns))
        return out

    def quote(self, time_ns: int) -> BidAsk:
        """The quote as of the last change."""
        return BidAsk(time_ns, self.bid, self.ask, self.bid_size, self.ask_size)


def venues(item: Instrument) -> list[str]:
    """Where trades of an instrument happen."""
    listed = item.validExchanges.split(",")
    return listed[1:] if listed[0] == "SMART" and len(listed) > 1 else listed


def between(quotes: Quotes, start_ns: int, end_ns: int) -> Iterator[Trade | BidAsk]:
    """Yield what happened at start_ns <= time < end_ns; `quotes` are the caller's own and are moved."""
    quotes.seek(start_ns - 1)
    fold = Fold(quotes)
    at_ns = start_ns - 1
    while quotes.next_ns < end_ns:
        at_ns = min(max(at_ns + NS_PER_S, quotes.next_ns), end_ns - 1)
        yield from fold.take(quotes.step(at_ns))


def before(quotes: Quotes, end_ns: int, count: int, kind: type[Trade | BidAsk], since_ns: int) -> list[Trade | BidAsk]:
    """Return at least the last `count` ticks of a kind before `end_ns`, oldest first, fewer when there are no more."""
    length_ns = 2 * NS_PER_S
    found: list[Trade | BidAsk] = []
    start_ns = end_ns
    for _ in range(_WINDOWS):
        stop_ns, start_ns = start_ns, max(start_ns - length_ns, since_ns)
        found = [tick for tick in between(quotes, start_ns, stop_ns) if type(tick) is kind] + found
        if len(found) >= count or start_ns <= since_ns:
            break
        if length_ns < 4 * 24 * 3600 * NS_PER_S:
            length_ns *= 2
    return found
