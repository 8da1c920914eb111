"""The quote of one instrument as it changes: state, and the events that move it.

`QuoteProcess` draws its events from the instrument's path (see `path` and `slots`), so that the quote at a time is a
function of (seed, instrument, rate, time) and of nothing else: it does not matter who looked, when, or how often.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from enum import IntEnum, auto
from typing import NamedTuple

from ibwire._quotes import QuoteState
from ibwire.sim.clock import NS_PER_S, utc_date
from ibwire.sim.exact import EXACT
from ibwire.sim.instruments import Instrument
from ibwire.sim.path import Node, Path
from ibwire.sim.paths import PathOf
from ibwire.sim.slots import close_side, open_side

MAX_TICKS_PER_S = 1_000_000


class TickKind(IntEnum):
    """What a tick change is about. Kinds with a price carry its size; *_SIZE and VOLUME are size only."""

    BID = auto()
    ASK = auto()
    LAST = auto()
    BID_SIZE = auto()
    ASK_SIZE = auto()
    LAST_SIZE = auto()
    VOLUME = auto()
    HIGH = auto()
    LOW = auto()
    OPEN = auto()
    CLOSE = auto()


class TickChange(NamedTuple):
    """One change: the kind, a price in steps (0 for size-only kinds), a size, and when (ns)."""

    kind: TickKind
    steps: int
    size: Decimal
    time_ns: int


@dataclass(frozen=True, slots=True)
class Quote:
    """A quote as of one moment; prices in steps, 0 where the instrument has no such price."""

    bid: int
    ask: int
    bid_size: Decimal
    ask_size: Decimal
    last: int
    last_size: Decimal
    volume: Decimal
    open: int
    high: int
    low: int
    close: int


class Quotes(QuoteState):
    """A quote and how events change it; where events come from is for subclasses.

    Invariants: 1 <= bid < ask; sizes > 0; low <= last <= high; volume never decreases within a session.
    """

    def __init__(self, instrument: Instrument) -> None:
        self._zero = Decimal(0)
        super().__init__(TickChange, tuple(TickKind), self._zero)
        self.instrument = instrument
        self._has_trades = instrument.secType != "CASH"
        self._has_quotes = instrument.secType != "IND"
        self._unit = instrument.quote_unit

    # -- looking -----------------------------------------------------------------------------------------------------

    @property
    def bid(self) -> int:
        """Best bid, steps."""
        return self._bid

    @property
    def ask(self) -> int:
        """Best ask, steps."""
        return self._bid + self._spread

    @property
    def last(self) -> int:
        """Last trade, steps."""
        return self._last

    @property
    def mark(self) -> int:
        """The price positions are valued at: the last trade held inside the quote, steps."""
        return min(max(self._last, self._bid), self.ask) if self._has_quotes else self._last

    def quote(self) -> Quote:
        """Return everything as of the last step."""
        shown = self._has_quotes
        return Quote(
            bid=self._bid if shown else 0,
            ask=self.ask if shown else 0,
            bid_size=self.size(self._bid_units) if shown else self._zero,
            ask_size=self.size(self._ask_units) if shown else self._zero,
            last=self._last if self._has_trades else 0,
            last_size=self.size(self._last_units) if self._has_trades and shown else self._zero,
            volume=self.size(self._volume_units),
            open=self.open,
            high=self.high,
            low=self.low,
            close=self.close,
        )

    def snapshot(self, now_ns: int) -> list[TickChange]:
        """Return the changes that bring a new subscriber up to date, in the order a gateway sends them."""
        quote, zero = self.quote(), self._zero
        changes = []
        if quote.bid:
            changes.append(TickChange(TickKind.BID, quote.bid, quote.bid_size, now_ns))
            changes.append(TickChange(TickKind.ASK, quote.ask, quote.ask_size, now_ns))
        if quote.last:
            changes.append(TickChange(TickKind.LAST, quote.last, quote.last_size, now_ns))
            if self._has_quotes:
                changes.append(TickChange(TickKind.VOLUME, 0, quote.volume, now_ns))
        for kind, steps in ((TickKind.HIGH, quote.high), (TickKind.LOW, quote.low), (TickKind.CLOSE, quote.close)):
            changes.append(TickChange(kind, steps, zero, now_ns))
        if quote.last:
            changes.append(TickChange(TickKind.OPEN, quote.open, zero, now_ns))
        return changes

    def size(self, units: int) -> Decimal:
        """Return a count of quote units as a size."""
        known = self._sizes.get(units)
        if known is None:
            known = EXACT.multiply(self._unit, Decimal(units))
            if units < 4096:
                self._sizes[units] = known
        return known

    # -- moving ------------------------------------------------------------------------------------------------------

    def seek(self, now_ns: int) -> None:
        """Be as of a time without telling what happened until then."""
        raise NotImplementedError

    def _refill(self) -> None:
        """Load what happens next, with `_load_slot` or `_load_day`."""
        raise NotImplementedError


class QuoteProcess(Quotes):
    """The seeded quotes of one instrument.

    Parameters
    ----------
    instrument : Instrument
        What is quoted. CASH has no trades, IND no bid and ask.
    seed : int
        The world's seed.
    start_ns : int
        Time as of which the process is made.
    ticks_per_s : int
        Mean number of changes per second while the market is open, 1..1,000,000.
    world_ns : int or None
        When the world began; None means at `start_ns`.
    """

    def __init__(
        self, instrument: Instrument, seed: int, start_ns: int, ticks_per_s: int, world_ns: int | None = None
    ) -> None:
        if not 1 <= ticks_per_s <= MAX_TICKS_PER_S:
            raise ValueError(f"ticks_per_s must be in 1..{MAX_TICKS_PER_S}, not {ticks_per_s}")
        super().__init__(instrument)
        first_day = utc_date(start_ns if world_ns is None else world_ns)
        self.of = PathOf(instrument, seed, ticks_per_s, first_day)
        self.path: Path = self.of.path
        self._shape = self.of.shape
        self._span = self.path.last_started(start_ns // NS_PER_S)
        self._slots: Iterator[tuple[int, Node]] = iter(())
        self.seek(start_ns)

    def seek(self, now_ns: int) -> None:
        """Be as of a time without telling what happened until then."""
        path, slot_s = self.path, self.path.slot_s
        now_s = now_ns // NS_PER_S
        span = path.last_started(now_s)
        # From the slot before: it says what sizes are shown.
        if now_s < span.start_s + slot_s:
            span = path.following(span, -1)
            now_s = span.end_s
        from_s = span.start_s + (min(now_s, span.end_s) - span.start_s) // slot_s * slot_s - slot_s
        self._span = span
        self._spread = self.of.spread(span.day)
        close, first = self._prices_of()
        self._begin(span.start_s * NS_PER_S, [], close, first)
        self._bid = self._last = first
        self._liquid_ns = span.liquid_start_s * NS_PER_S
        if from_s > span.start_s:
            self._look_back(from_s)
        self._slots = path.slots(span, from_s)
        self._refill()
        self.step(now_ns)

    def _look_back(self, from_s: int) -> None:
        """Take over what the session was until a slot."""
        path, span = self.path, self._span
        before = path.node(span, span.start_s, from_s)
        assert before is not None  # the session has slots before this one
        lift = self._spread if self._has_trades and self._has_quotes else 0
        self._bid = before.close
        side = close_side(self._shape, from_s - path.slot_s) if lift else 0
        self._last = before.close + lift * side
        self.high, self.low = before.high + lift, before.low
        self._volume_units = before.units
        if from_s > span.liquid_start_s:
            slot = path.node(span, span.liquid_start_s, span.liquid_start_s + path.slot_s)
            assert slot is not None
            self.open = slot.open + (lift if open_side(self._shape, span.liquid_start_s) else 0)
            self._opened = self._has_trades

    def _prices_of(self) -> tuple[int, int]:
        """(Close before the session, its first price)."""
        span = self._span
        first = next(self.path.slots(span, span.start_s))[1].open
        side = self._has_trades and open_side(self._shape, span.start_s)
        return self.of.close(self.path.following(span, -1)), first + (self._spread if side else 0)

    def _refill(self) -> None:
        found = next(self._slots, None)
        if found is None:
            span = self._span = self.path.following(self._span)
            self._spread = self.of.spread(span.day)
            self._liquid_ns = span.liquid_start_s * NS_PER_S
            self._slots = self.path.slots(span, span.start_s)
            close, first = self._prices_of()
            self._load_day(span.start_s * NS_PER_S, close, first)
            return
        start_s, node = found
        self._load_slot(self._shape, node, start_s, self._spread)
