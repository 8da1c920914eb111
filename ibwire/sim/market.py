"""Quotes: one seeded process per instrument, in integers, advanced by virtual time only.

What an instrument does depends on (seed, instrument) and on how long it has been watched; not on what else is watched,
on orders, or on how often anybody looks. A process stands still while nobody watches it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from enum import Enum, auto
from typing import NamedTuple

from ibwire.sim.clock import NS_PER_S, Scheduled, VirtualClock
from ibwire.sim.exact import EXACT
from ibwire.sim.instruments import Instrument
from ibwire.sim.rng import Rng

DEFAULT_TICKS_PER_S = 20
MAX_TICKS_PER_S = 1_000_000
_LAST_LIQUID = 30  # displayed sizes are 1.._LAST_LIQUID quote units
_ANCHOR_EVERY = 64  # moves between two steps of the slow price that quotes return to


class TickKind(Enum):
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


class QuoteProcess:
    """The quotes of one instrument.

    Invariants: 1 <= bid < ask; sizes > 0; low <= last <= high; volume never decreases.

    Parameters
    ----------
    instrument : Instrument
        What is quoted. CASH has no trades, IND no bid and ask.
    seed : int
        The world's seed.
    start_ns : int
        Time at which the process starts.
    ticks_per_s : int
        Mean number of changes per second of virtual time, 1..1,000,000.
    """

    def __init__(self, instrument: Instrument, seed: int, start_ns: int, ticks_per_s: int) -> None:
        if not 1 <= ticks_per_s <= MAX_TICKS_PER_S:
            raise ValueError(f"ticks_per_s must be in 1..{MAX_TICKS_PER_S}, not {ticks_per_s}")
        self.instrument = instrument
        self._rng = Rng.of(seed, "quotes", instrument.conId)
        self._mean_ns = NS_PER_S // ticks_per_s
        self._unit = instrument.quote_unit
        self._has_trades = instrument.secType != "CASH"
        self._has_quotes = instrument.tradable
        self._zero = Decimal(0)
        base = instrument.base_steps
        self._move = max(1, base // 50_000)
        self._spread_top = max(1, 2 * instrument.spread_steps - 1)
        self._spread = min(instrument.spread_steps, self._spread_top)
        self._anchor = base
        self._base = base
        self._moves = 0
        self.close = base
        self._bid = max(1, base - self._spread // 2)
        self._last = base
        self.high = self.low = self.open = base
        self._bid_units = self._units()
        self._ask_units = self._units()
        self._last_units = self._units()
        self._volume_units = self._rng.between(1_000, 50_000) if self._has_trades and self._has_quotes else 0
        self.next_ns = start_ns + self._mean_ns

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
    def mark(self) -> int:
        """The price positions are valued at: the last trade held inside the quote, steps."""
        return min(max(self._last, self._bid), self.ask) if self._has_quotes else self._last

    def quote(self) -> Quote:
        """Return everything as of the last step."""
        shown = self._has_quotes
        return Quote(
            bid=self._bid if shown else 0,
            ask=self.ask if shown else 0,
            bid_size=self._size(self._bid_units) if shown else self._zero,
            ask_size=self._size(self._ask_units) if shown else self._zero,
            last=self._last if self._has_trades else 0,
            last_size=self._size(self._last_units) if self._has_trades and shown else self._zero,
            volume=self._size(self._volume_units),
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

    # -- moving ------------------------------------------------------------------------------------------------------

    def step(self, now_ns: int) -> list[TickChange]:
        """Return every change up to and including `now_ns`, in time order.

        How a span is cut into calls makes no difference: one long step gives what many short ones give.
        """
        changes: list[TickChange] = []
        while self.next_ns <= now_ns:
            before = len(changes)
            self._happen(self.next_ns, changes)
            self.next_ns += 1 + self._rng.exponential(self._mean_ns * (len(changes) - before))
        return changes

    def resume(self, now_ns: int, paused_ns: int) -> None:
        """Go on after a pause that began at `paused_ns`, as if the time between had not been."""
        self.next_ns += now_ns - paused_ns

    def _happen(self, at_ns: int, out: list[TickChange]) -> None:
        draw = self._rng.below(100)
        if not self._has_quotes:
            self._drift()
            self._trade(at_ns, out, self._bid)
        elif draw < 45:
            self._resize(at_ns, out, bid_side=draw % 2 == 0)
        elif draw < 80 or not self._has_trades:
            self._requote(at_ns, out)
        else:
            self._trade(at_ns, out, self._bid if draw % 2 else self.ask)

    def _resize(self, at_ns: int, out: list[TickChange], bid_side: bool) -> None:
        units = self._units()
        if bid_side:
            self._bid_units = units
            out.append(TickChange(TickKind.BID_SIZE, 0, self._size(units), at_ns))
        else:
            self._ask_units = units
            out.append(TickChange(TickKind.ASK_SIZE, 0, self._size(units), at_ns))

    def _requote(self, at_ns: int, out: list[TickChange]) -> None:
        bid, ask = self._bid, self.ask
        self._drift()
        if self._rng.chance(1, 4):
            self._spread = self._rng.between(1, self._spread_top)
        if self._bid != bid:
            self._bid_units = self._units()
            out.append(TickChange(TickKind.BID, self._bid, self._size(self._bid_units), at_ns))
        if self.ask != ask:
            self._ask_units = self._units()
            out.append(TickChange(TickKind.ASK, self.ask, self._size(self._ask_units), at_ns))
        if self._bid == bid and self.ask == ask:
            self._resize(at_ns, out, bid_side=True)
        if not self._has_trades:
            self._last = self._bid
            self._extremes(at_ns, out, self._bid)

    def _trade(self, at_ns: int, out: list[TickChange], steps: int) -> None:
        units = self._units() if self._has_quotes else 0
        moved = steps != self._last
        self._last, self._last_units = steps, units
        self._volume_units += units
        size = self._size(units)
        if moved or not self._has_quotes:
            out.append(TickChange(TickKind.LAST, steps, size, at_ns))
        else:
            out.append(TickChange(TickKind.LAST_SIZE, 0, size, at_ns))
        if self._has_quotes:
            out.append(TickChange(TickKind.VOLUME, 0, self._size(self._volume_units), at_ns))
        self._extremes(at_ns, out, steps)

    def _extremes(self, at_ns: int, out: list[TickChange], steps: int) -> None:
        if steps > self.high:
            self.high = steps
            out.append(TickChange(TickKind.HIGH, steps, self._zero, at_ns))
        if steps < self.low:
            self.low = steps
            out.append(TickChange(TickKind.LOW, steps, self._zero, at_ns))

    def _drift(self) -> None:
        """Move the bid by up to `_move` steps, drawn back to a slow anchor, itself drawn back to the base price."""
        self._moves += 1
        if self._moves % _ANCHOR_EVERY == 0:
            self._anchor += self._move * self._pull(self._anchor - self._base)
        size = self._rng.between(1, self._move)
        self._bid = max(1, self._bid + size * self._pull(self._bid - self._anchor))

    def _pull(self, distance: int) -> int:
        """Return +1 or -1, leaning against `distance`."""
        lean = min(max(distance // self._move, -400), 400)
        return 1 if self._rng.below(1000) < 500 - lean else -1

    def _units(self) -> int:
        return self._rng.between(1, _LAST_LIQUID)

    def _size(self, units: int) -> Decimal:
        return EXACT.multiply(self._unit, Decimal(units))


Listener = Callable[[Instrument, list[TickChange]], None]


class Watch:
    """One watcher's hold on an instrument; `close` it when done. Closing twice is harmless."""

    __slots__ = ("_feed", "listener")

    def __init__(self, feed: _Feed, listener: Listener) -> None:
        self._feed: _Feed | None = feed
        self.listener = listener

    def close(self) -> None:
        """Stop being told."""
        feed, self._feed = self._feed, None
        if feed is not None:
            feed.remove(self)


class _Feed:
    """One process on the clock: it is scheduled while it has watchers."""

    __slots__ = ("_clock", "_paused_ns", "_scheduled", "_watches", "process")

    def __init__(self, process: QuoteProcess, clock: VirtualClock) -> None:
        self.process = process
        self._clock = clock
        self._watches: list[Watch] = []
        self._scheduled: Scheduled | None = None
        self._paused_ns = clock.now_ns

    def add(self, listener: Listener) -> Watch:
        watch = Watch(self, listener)
        self._watches.append(watch)
        if len(self._watches) == 1:
            self.process.resume(self._clock.now_ns, self._paused_ns)
            self._scheduled = self._clock.at(self.process.next_ns, self._run)
        return watch

    def remove(self, watch: Watch) -> None:
        self._watches.remove(watch)
        if not self._watches and self._scheduled is not None:
            self._clock.cancel(self._scheduled)
            self._scheduled = None
            self._paused_ns = self._clock.now_ns

    def _run(self) -> None:
        changes = self.process.step(self._clock.now_ns)
        self._scheduled = self._clock.at(self.process.next_ns, self._run)
        # A copy: a listener may close its watch, or open another, while it is being told.
        for watch in tuple(self._watches):
            if watch in self._watches:
                watch.listener(self.process.instrument, changes)


class Market:
    """All quote processes of one simulated world, created when first asked for.

    Parameters
    ----------
    clock : VirtualClock
        Drives the processes that are watched.
    seed : int
        The world's seed.
    ticks_per_s : int
        Mean changes per second and instrument; `set_rate` changes it for one instrument.
    """

    def __init__(self, clock: VirtualClock, seed: int = 0, ticks_per_s: int = DEFAULT_TICKS_PER_S) -> None:
        self._clock = clock
        self._seed = seed
        self._ticks_per_s = ticks_per_s
        self._rates: dict[int, int] = {}
        self._feeds: dict[int, _Feed] = {}

    def set_rate(self, conId: int, ticks_per_s: int) -> None:
        """Choose the rate of one instrument; call it before the instrument is first looked at.

        Raises
        ------
        ValueError
            If the instrument's process exists already.
        """
        if conId in self._feeds:
            raise ValueError(f"instrument {conId} is quoted already")
        self._rates[conId] = ticks_per_s

    def process(self, instrument: Instrument) -> QuoteProcess:
        """Return the process of an instrument (one per contract id, whatever the exchange it is routed to)."""
        return self._feed(instrument).process

    def quote(self, instrument: Instrument) -> Quote:
        """Return the quote as of now."""
        return self.process(instrument).quote()

    def mark_price(self, instrument: Instrument) -> Decimal:
        """Return the price that positions in the instrument are valued at."""
        return instrument.price(self.process(instrument).mark)

    def watch(self, instrument: Instrument, listener: Listener) -> Watch:
        """Tell `listener(instrument, changes)` of every change from now on, in the order of watching."""
        return self._feed(instrument).add(listener)

    def _feed(self, instrument: Instrument) -> _Feed:
        feed = self._feeds.get(instrument.conId)
        if feed is None:
            rate = self._rates.get(instrument.conId, self._ticks_per_s)
            process = QuoteProcess(instrument, self._seed, self._clock.now_ns, rate)
            feed = self._feeds[instrument.conId] = _Feed(process, self._clock)
        return feed
