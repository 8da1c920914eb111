"""The market of one simulated world: who watches which quote, and when they are told.

A watcher hears of every change at its time, or, with a period, of all changes of a stretch at its end, as a gateway's
aggregated quotes come. What is told does not depend on who else watches; a quote that nobody watches costs nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

from ibwire.sim import hours
from ibwire.sim.clock import NS_PER_S, Scheduled, VirtualClock
from ibwire.sim.instruments import Instrument
from ibwire.sim.quotes import MAX_TICKS_PER_S, Quote, QuoteProcess, Quotes, TickChange, TickKind
from ibwire.sim.rng import stable_hash

__all__ = [
    "DEFAULT_TICKS_PER_S",
    "MAX_TICKS_PER_S",
    "Listener",
    "Market",
    "Quote",
    "QuoteProcess",
    "Quotes",
    "TickChange",
    "TickKind",
    "Watch",
]

DEFAULT_TICKS_PER_S = 20
DELAY_NS = 900 * NS_PER_S  # of delayed data
_STEP_AT_MOST_NS = 60 * NS_PER_S  # a quote nobody watched is made anew after that, not walked there

Listener = Callable[[Instrument, list[TickChange]], None]
Tape = Callable[[Instrument], "Quotes | None"]


class Watch:
    """One watcher's hold on an instrument; `close` it when done. Closing twice is harmless."""

    __slots__ = ("_feed", "due", "listener", "pending", "period_ns")

    def __init__(self, feed: _Feed, listener: Listener, period_ns: int) -> None:
        self._feed: _Feed | None = feed
        self.listener = listener
        self.period_ns = period_ns
        self.pending: list[TickChange] = []
        self.due: Scheduled | None = None

    @property
    def open(self) -> bool:
        """True until it is closed."""
        return self._feed is not None

    def close(self) -> None:
        """Stop being told."""
        feed, self._feed = self._feed, None
        if feed is not None:
            feed.remove(self)


class _Feed:
    """One quote on the clock: it is scheduled while it has watchers."""

    __slots__ = ("_clock", "_lag_ns", "_period_ns", "_phase", "_scheduled", "_watches", "process")

    def __init__(self, process: Quotes, clock: VirtualClock, lag_ns: int) -> None:
        self.process = process
        self._clock = clock
        self._lag_ns = lag_ns
        self._phase = stable_hash("phase", process.instrument.conId)
        self._watches: list[Watch] = []
        self._period_ns = 0  # the shortest of those who watch
        self._scheduled: Scheduled | None = None

    def current(self) -> Quotes:
        """Return the quote as of now."""
        process = self.process
        as_of_ns = self._clock.now_ns - self._lag_ns
        if process.next_ns <= as_of_ns:
            if not self._watches and as_of_ns - process.next_ns > _STEP_AT_MOST_NS:
                process.seek(as_of_ns)
            else:
                self._tell(process.step(as_of_ns), self._clock.now_ns)
        return process

    def add(self, listener: Listener, period_ns: int) -> Watch:
        self.current()
        watch = Watch(self, listener, period_ns)
        self._watches.append(watch)
        self._period_ns = min(other.period_ns for other in self._watches)
        self._schedule(self._clock.now_ns)
        return watch

    def remove(self, watch: Watch) -> None:
        self._watches.remove(watch)
        if watch.due is not None:
            self._clock.cancel(watch.due)
        if self._watches:
            self._period_ns = min(other.period_ns for other in self._watches)
        elif self._scheduled is not None:
            self._clock.cancel(self._scheduled)
            self._scheduled = None

    def _schedule(self, now_ns: int) -> None:
        """Run at the next change, or where all who watch have a period, at the end of the shortest."""
        if self._scheduled is not None:
            self._clock.cancel(self._scheduled)
        due_ns = self.process.next_ns + self._lag_ns
        if self._period_ns:
            due_ns = self._end_of(due_ns, self._period_ns)
        self._scheduled = self._clock.at(due_ns if due_ns > now_ns else now_ns, self._run)

    def _end_of(self, time_ns: int, period_ns: int) -> int:
        """The end of the stretch of a period in which a time lies; different instruments have different phases."""
        phase = self._phase % period_ns
        return time_ns + (phase - time_ns) % period_ns

    def _run(self) -> None:
        self._scheduled = None
        now_ns = self._clock.now_ns
        changes = self.process.step(now_ns - self._lag_ns)
        if changes:
            self._tell(changes, now_ns)
        if self._watches and self._scheduled is None:
            self._schedule(now_ns)

    def _tell(self, changes: list[TickChange], now_ns: int) -> None:
        item, watches = self.process.instrument, self._watches
        if len(watches) == 1 and not watches[0].period_ns:
            watches[0].listener(item, changes)
            return
        # A copy: a listener may close its watch, or open another, while it is being told.
        for watch in tuple(watches):
            if not watch.open:
                continue
            if not watch.period_ns:
                watch.listener(item, changes)
                continue
            end_ns = self._end_of(now_ns, watch.period_ns)
            if end_ns == now_ns and watch.due is None:
                watch.listener(item, changes)
                continue
            watch.pending += changes
            if watch.due is None:
                watch.due = self._clock.at(end_ns, lambda watch=watch: self._flush(watch))  # type: ignore[misc]

    def _flush(self, watch: Watch) -> None:
        changes, watch.pending, watch.due = watch.pending, [], None
        watch.listener(self.process.instrument, changes)


class Market:
    """All quotes of one simulated world, created when first asked for.

    Parameters
    ----------
    clock : VirtualClock
        Drives the quotes that are watched.
    seed : int
        The world's seed.
    ticks_per_s : int
        Mean changes per second and instrument; `set_rate` changes it for one instrument.
    tape : callable or None
        Returns the quotes of an instrument that is not to be drawn from the seed (see `tape`), None for all others.
    """

    def __init__(
        self, clock: VirtualClock, seed: int = 0, ticks_per_s: int = DEFAULT_TICKS_PER_S, tape: Tape | None = None
    ) -> None:
        self._clock = clock
        self._start_ns = clock.now_ns
        self._seed = seed
        self._ticks_per_s = ticks_per_s
        self._tape = tape
        self._rates: dict[int, int] = {}
        self._feeds: dict[tuple[int, int], _Feed] = {}

    def set_rate(self, conId: int, ticks_per_s: int) -> None:
        """Choose the rate of one instrument; call it before the instrument is first looked at.

        Raises
        ------
        ValueError
            If the instrument's quotes exist already.
        """
        if (conId, 0) in self._feeds:
            raise ValueError(f"instrument {conId} is quoted already")
        self._rates[conId] = ticks_per_s

    def process(self, instrument: Instrument, lag_ns: int = 0) -> Quotes:
        """Return the quotes of an instrument as of now (one per contract id, whatever the exchange it is routed to).

        `lag_ns` is how late delayed data is: 0, or one amount for all.
        """
        feed = self._feeds.get((instrument.conId, lag_ns)) or self._feed(instrument, lag_ns)
        return feed.current()

    def quote(self, instrument: Instrument) -> Quote:
        """Return the quote as of now."""
        return self.process(instrument).quote()

    def mark_price(self, instrument: Instrument) -> Decimal:
        """Return the price that positions in the instrument are valued at."""
        return instrument.price(self.process(instrument).mark)

    def watch(self, instrument: Instrument, listener: Listener, period_ns: int = 0, lag_ns: int = 0) -> Watch:
        """Tell `listener(instrument, changes)` of every change from now on, in the order of watching.

        With a period all changes of a stretch come at its end, in their order.
        """
        return self._feed(instrument, lag_ns).add(listener, period_ns)

    def is_open(self, instrument: Instrument, liquid: bool = False) -> bool:
        """Return whether the instrument trades now (with `liquid`, whether in its regular hours)."""
        now_s = self._clock.now_ns // NS_PER_S
        span = hours.last_started(instrument.session, instrument.timeZoneId, now_s)
        if liquid:
            return span.liquid_start_s <= now_s < span.liquid_end_s
        return now_s < span.end_s

    def history(self, instrument: Instrument) -> Quotes:
        """Return quotes of the instrument that belong to the caller, to be moved to any time with `seek`."""
        return self._make(instrument, self._clock.now_ns)

    def _feed(self, instrument: Instrument, lag_ns: int) -> _Feed:
        feed = self._feeds.get((instrument.conId, lag_ns))
        if feed is None:
            process = self._make(instrument, self._clock.now_ns - lag_ns)
            feed = self._feeds[instrument.conId, lag_ns] = _Feed(process, self._clock, lag_ns)
        return feed

    def _make(self, instrument: Instrument, at_ns: int) -> Quotes:
        taped = self._tape(instrument) if self._tape is not None else None
        if taped is not None:
            taped.seek(at_ns)
            return taped
        rate = self._rates.get(instrument.conId, self._ticks_per_s)
        return QuoteProcess(instrument, self._seed, at_ns, rate, self._start_ns)
