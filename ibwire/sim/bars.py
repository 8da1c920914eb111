"""Bars of any size out of paths: what the market did, summed; and the API's words for sizes and lengths of time."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import NamedTuple

from ibwire.sim import hours, ticks, zones
from ibwire.sim.clock import NS_PER_S
from ibwire.sim.exact import EXACT, trimmed
from ibwire.sim.hours import Span
from ibwire.sim.instruments import Instrument
from ibwire.sim.path import Node, mix
from ibwire.sim.quotes import QuoteProcess, Quotes
from ibwire.sim.slots import close_side, open_side

_MINUTE, _HOUR, _DAY = 60, 3600, 86_400
WEEK, MONTH = 7 * _DAY, 30 * _DAY
BAR_SIZES: dict[str, int] = {
    **{f"{n} sec{s}": n for n in (1, 5, 10, 15, 30) for s in ("", "s")},
    **{f"{n} min{s}": n * _MINUTE for n in (1, 2, 3, 5, 10, 15, 20, 30) for s in ("", "s")},
    **{f"{n} hour{s}": n * _HOUR for n in (1, 2, 3, 4, 8) for s in ("", "s")},
    "1 day": _DAY,
    "1D": _DAY,
    "1 week": WEEK,
    "1W": WEEK,
    "1 month": MONTH,
    "1M": MONTH,
}
_DURATION = re.compile(r"(\d{1,6}) ([SDWMY])")
_LONGEST = {"S": _DAY, "D": 365, "W": 52, "M": 12, "Y": 40}
TRADED = frozenset({"TRADES", "ADJUSTED_LAST", "AGGTRADES"})
QUOTED = frozenset({"BID", "ASK", "MIDPOINT", "BID_ASK"})
RATES = frozenset({"HISTORICAL_VOLATILITY", "OPTION_IMPLIED_VOLATILITY", "FEE_RATE"})
YIELDS = frozenset({"YIELD_BID", "YIELD_ASK", "YIELD_BID_ASK", "YIELD_LAST"})
SCHEDULE = "SCHEDULE"
WORDS = TRADED | QUOTED | RATES | YIELDS | {SCHEDULE}
_NONE = Decimal(-1)


class Bar(NamedTuple):
    """One bar: its piece of time in UTC seconds, its day, prices, and -1 where a kind of bar has no volume."""

    start_s: int
    end_s: int
    day: date
    open: float
    high: float
    low: float
    close: float
    volume: Decimal
    wap: Decimal
    trades: int


class Length(NamedTuple):
    """A durationStr."""

    number: int
    unit: str

    def start(self, end: date) -> date:
        """Return the first calendar day of this length back from a day; not for seconds and days."""
        if self.unit == "W":
            return end - timedelta(days=7 * self.number)
        months = end.year * 12 + end.month - 1 - self.number * (12 if self.unit == "Y" else 1)
        year, month = divmod(months, 12)
        last = (date(year + (month + 1) // 12, (month + 1) % 12 + 1, 1) - timedelta(days=1)).day
        return date(year, month + 1, min(end.day, last))


def length_of(text: str) -> Length | None:
    """Return a duration, None when it is none or too long."""
    match = _DURATION.fullmatch(text.strip())
    if match is None or not 1 <= int(match[1]) <= _LONGEST[match[2]]:
        return None
    return Length(int(match[1]), match[2])


@dataclass(frozen=True, slots=True)
class Series:
    """Which bars of which instrument."""

    quotes: Quotes
    what: str
    size_s: int
    liquid: bool

    # -- which pieces of time ----------------------------------------------------------------------------------------

    def bounds(self, span: Span) -> tuple[int, int]:
        """Return a session's start and end."""
        return (span.liquid_start_s, span.liquid_end_s) if self.liquid else (span.start_s, span.end_s)

    def spans(self, length: Length, end_s: int, head_s: int) -> list[Span]:
        """Return the sessions that a length back from an end touches, oldest first."""
        item = self.quotes.instrument
        span = hours.last_started(item.session, item.timeZoneId, end_s - 1)
        if self.liquid and span.liquid_start_s >= end_s:
            span = hours.following(item.session, item.timeZoneId, span.day, -1)
        out: list[Span] = []
        left_s = length.number if length.unit == "S" else 0
        first = length.start(span.day) if length.unit in "WMY" else None
        while span.end_s > head_s:
            if first is not None and span.day <= first:
                break
            out.append(span)
            if length.unit == "D" and len(out) == length.number:
                break
            if left_s:
                start_s, stop_s = self.bounds(span)
                left_s -= min(stop_s, end_s) - start_s
                if left_s <= 0:
                    break
            span = hours.following(item.session, item.timeZoneId, span.day, -1)
        return out[::-1]

    def edges(self, span: Span) -> list[int]:
        """Return where the intraday bars of a session begin, and at last where it ends."""
        start_s, end_s = self.bounds(span)
        shift = zones.offset_s(self.quotes.instrument.timeZoneId, start_s)
        first = ((start_s + shift) // self.size_s + 1) * self.size_s - shift
        return [start_s, *range(first, end_s, self.size_s), end_s]

    def group(self, day: date) -> tuple[int, int]:
        """Return the week or month that a day belongs to."""
        if self.size_s == MONTH:
            return day.year, day.month
        year, week, _ = day.isocalendar()
        return year, week

    # -- bars --------------------------------------------------------------------------------------------------------

    def bars(self, length: Length, end_s: int, head_s: int) -> list[Bar]:
        """Return the bars of a length back from an end, oldest first; the last may be unfinished."""
        spans = self.spans(length, end_s, head_s)
        if self.size_s >= _DAY:
            daily = [bar for span in spans if (bar := self.of_day(span, end_s)) is not None]
            return daily if self.size_s == _DAY else list(self._grouped(daily))
        if length.unit != "S":
            return [bar for span in spans for bar in self.of_session(span, end_s)]
        out: list[Bar] = []
        left_s = length.number
        for span in reversed(spans):
            start_s, stop_s = self.bounds(span)
            since_s = min(stop_s, end_s) - left_s
            out = self.of_session(span, end_s, since_s) + out
            left_s -= min(stop_s, end_s) - start_s
        return out

    def of_day(self, span: Span, end_s: int) -> Bar | None:
        """Return a session's one bar, as far as `end_s`."""
        start_s, stop_s = self.bounds(span)
        return self.over(span, start_s, stop_s, end_s)

    def of_session(self, span: Span, end_s: int, since_s: int = 0) -> list[Bar]:
        """Return a session's bars that begin before `end_s` and end after `since_s`."""
        edges = self.edges(span)
        edges = edges[max(bisect_right(edges, since_s) - 1, 0) :]
        quotes = self.quotes
        whole = [edge for edge in edges if edge <= end_s]
        out: list[Bar] = []
        if isinstance(quotes, QuoteProcess) and self.size_s >= quotes.path.slot_s:
            if len(whole) > 1:
                out = list(self._summed(quotes, span, whole))
        else:
            out = [bar for a, b in pairwise(whole) if (bar := self._walked(span, a, b, b)) is not None]
        if len(whole) < len(edges) and whole and whole[-1] < end_s:
            open_bar = self.over(span, whole[-1], edges[len(whole)], end_s)
            out += [open_bar] if open_bar is not None else []
        return out

    def over(self, span: Span, start_s: int, stop_s: int, now_s: int) -> Bar | None:
        """Return the bar of a piece of a session, as far as `now_s`; None when nothing was there yet."""
        quotes, until_s = self.quotes, min(stop_s, now_s)
        if until_s <= start_s:
            return None
        if isinstance(quotes, QuoteProcess):
            slot_s = quotes.path.slot_s
            whole = until_s - (until_s - span.start_s) % slot_s
            if (start_s - span.start_s) % slot_s == 0 and whole > start_s:
                summed = next(self._summed(quotes, span, [start_s, whole]))
                if whole == until_s:
                    return summed._replace(end_s=stop_s)
                rest = self._walked(span, whole, until_s, until_s)
                return joined([summed, rest] if rest else [summed])._replace(end_s=stop_s)
        return self._walked(span, start_s, stop_s, until_s)

    def _summed(self, quotes: QuoteProcess, span: Span, edges: list[int]) -> Iterator[Bar]:
        """Bars between edges that stand on slots."""
        place, node = 0, None
        for a, b, piece in quotes.path.pieces(span, edges, edges[0], edges[-1]):
            if node is None:
                node = piece
            else:
                high, low = max(node.high, piece.high), min(node.low, piece.low)
                node = Node(node.open, high, low, piece.close, node.units + piece.units)
            if b == edges[place + 1]:
                yield self._bar(quotes, span, edges[place], b, node)
                place, node = place + 1, None
            assert a < edges[-1]

    def _bar(self, quotes: QuoteProcess, span: Span, start_s: int, end_s: int, node: Node) -> Bar:
        of, shape = quotes.of, quotes.of.shape
        spread, price = of.spread(span.day), quotes.instrument.float_price
        open_, high, low, close, units = node
        what = self.what
        volume, wap, count = _NONE, _NONE, -1
        if what in TRADED:
            lift = spread if of.quoted and of.traded else 0
            open_ += lift * open_side(shape, start_s)
            close += lift * close_side(shape, end_s - shape.slot_s)
            high += lift
            volume = quotes.size(units) if units else Decimal(0)
            count = (end_s - start_s) // shape.slot_s * shape.groups if of.quoted else 0
            wap = trimmed(EXACT.multiply(quotes.instrument.price_step, Decimal((open_ + high + low + close) // 4)))
        elif what == "ASK":
            open_, high, low, close = open_ + spread, high + spread, low + spread, close + spread
        elif what == "MIDPOINT":
            half = float(quotes.instrument.price_step) * spread / 2.0
            prices = [round(price(steps) + half, 9) for steps in (open_, high, low, close)]
            return Bar(start_s, end_s, span.day, prices[0], prices[1], prices[2], prices[3], volume, wap, count)
        elif what == "BID_ASK":
            # Mean bid, highest ask, lowest bid, mean ask.
            mean = (open_ + high + low + close) // 4
            open_, high, close = mean, high + spread, mean + spread
        return Bar(start_s, end_s, span.day, price(open_), price(high), price(low), price(close), volume, wap, count)

    def _walked(self, span: Span, start_s: int, stop_s: int, until_s: int) -> Bar | None:
        """A bar from single ticks: for pieces that do not stand on slots, and for tapes."""
        quotes = self.quotes
        price = quotes.instrument.float_price
        quotes.seek(start_s * NS_PER_S - 1)
        now = quotes.quote()
        traded = self.what in TRADED
        values: list[float] = []
        volume, money, count = Decimal(0), Decimal(0), 0
        asks: list[int] = []
        bids: list[int] = []
        for tick in ticks.between(quotes, start_s * NS_PER_S, until_s * NS_PER_S):
            if isinstance(tick, ticks.Trade):
                if traded:
                    values.append(price(tick.steps))
                    volume = EXACT.add(volume, tick.size)
                    money = EXACT.add(money, EXACT.multiply(tick.size, Decimal(tick.steps)))
                    count += 1
            elif not traded:
                bids.append(tick.bid)
                asks.append(tick.ask)
        if traded:
            if not values:
                if not now.last:
                    return None
                flat = price(now.last)
                return Bar(start_s, stop_s, span.day, flat, flat, flat, flat, Decimal(0), _NONE, 0)
            mean = EXACT.divide(money, volume) if volume else Decimal(0)
            wap = trimmed(EXACT.multiply(mean, quotes.instrument.price_step).quantize(Decimal("1e-8"), context=EXACT))
            four = (values[0], max(values), min(values), values[-1])
            return Bar(start_s, stop_s, span.day, *four, volume, wap, count)
        bids, asks = bids or [now.bid], asks or [now.ask]
        if not bids[0]:
            return None
        if self.what == "BID_ASK":
            four = (price(sum(bids) // len(bids)), price(max(asks)), price(min(bids)), price(sum(asks) // len(asks)))
        else:
            if self.what == "MIDPOINT":
                values = [round((price(bid) + price(ask)) / 2.0, 9) for bid, ask in zip(bids, asks, strict=True)]
            else:
                values = [price(steps) for steps in (bids if self.what == "BID" else asks)]
            four = (values[0], max(values), min(values), values[-1])
        return Bar(start_s, stop_s, span.day, *four, _NONE, _NONE, -1)

    def _grouped(self, daily: list[Bar]) -> Iterator[Bar]:
        start = 0
        for index in range(1, len(daily) + 1):
            if index == len(daily) or self.group(daily[index].day) != self.group(daily[start].day):
                yield joined(daily[start:index])
                start = index


def joined(bars: list[Bar]) -> Bar:
    """Return the sum of bars that follow each other; its day is that of the last."""
    first, last = bars[0], bars[-1]
    volume, wap, count = _NONE, _NONE, -1
    if first.trades >= 0:
        volume = sum((bar.volume for bar in bars), Decimal(0))
        count = sum(bar.trades for bar in bars)
        money = sum((EXACT.multiply(bar.volume, bar.wap) for bar in bars), Decimal(0))
        wap = last.wap
        if volume:
            wap = trimmed(EXACT.divide(money, volume).quantize(Decimal("1e-8"), context=EXACT))
    high, low = max(bar.high for bar in bars), min(bar.low for bar in bars)
    return Bar(first.start_s, last.end_s, last.day, first.open, high, low, last.close, volume, wap, count)


def rate_of(item: Instrument, what: str, day: date) -> float:
    """Return a yearly volatility or a borrow rate of a day, as a share."""
    base = 0.16 + mix(item.conId) % 200 / 1000.0
    if what == "FEE_RATE":
        return 0.25
    wobble = mix(item.conId * 31 + day.toordinal()) % 100 / 5000.0
    return round(base + wobble + (0.01 if what == "OPTION_IMPLIED_VOLATILITY" else 0.0), 6)
