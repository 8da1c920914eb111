"""One market data line: changes of a quote in, tick messages out, as its client subscribed to them."""

from __future__ import annotations

from decimal import Decimal
from typing import NamedTuple

from ibwire.sim import generics, news, options
from ibwire.sim.client import NS_PER_MS, ClientSession
from ibwire.sim.clock import NS_PER_S, Scheduled
from ibwire.sim.exact import EXACT, ZERO, trimmed
from ibwire.sim.generics import MARK_TICKS, NEWS_TICK, RT_TRADE_VOLUME_TICK, RT_VOLUME_TICK, TRADE_COUNT_TICK
from ibwire.sim.instruments import Instrument
from ibwire.sim.market import DELAY_NS, TickChange, TickKind, Watch
from ibwire.sim.orders import Fill
from ibwire.spec.ticks import NUMBERS
from ibwire.types import incoming, structs

LINE = "line"
SNAPSHOT_END_NS = NS_PER_S // 4
LIVE, FROZEN, DELAYED, DELAYED_FROZEN = 1, 2, 3, 4
BBO_EXCHANGE = "9c0001"  # the code that reqSmartComponents answers for
SNAPSHOTS_ALLOWED = 3  # bits: snapshot, regulatory snapshot
# How long the gateway gathers changes before it tells them, by security type.
CADENCE_NS = {"CASH": 5 * NS_PER_MS, "OPT": 100 * NS_PER_MS}
DEFAULT_CADENCE_NS = 250 * NS_PER_MS
_PRICED = ("BID", "ASK", "LAST", "HIGH", "LOW", "OPEN", "CLOSE")
_SIZED = ("BID_SIZE", "ASK_SIZE", "LAST_SIZE", "VOLUME")
_PRICE_OF = {
    TickKind.BID_SIZE: TickKind.BID,
    TickKind.ASK_SIZE: TickKind.ASK,
    TickKind.LAST_SIZE: TickKind.LAST,
}
_BY_NAME = {kind.name: kind for kind in TickKind}
_EXECUTABLE = structs.TickAttrib(canAutoExecute=True)
_PLAIN = structs.TickAttrib()
_MARK = NUMBERS["MARK_PRICE"]
_CACHED_PRICES = 4096
_CACHED_FRAMES = 256
_VOLUME, _LAST, _BID, _ASK = TickKind.VOLUME, TickKind.LAST, TickKind.BID, TickKind.ASK


class Types(NamedTuple):
    """The tick types of a line: live ones, or those of delayed data."""

    prices: dict[TickKind, int]
    sizes: dict[TickKind, int]
    last_timestamp: int
    halted: int


def _types(prefix: str) -> Types:
    prices = {_BY_NAME[name]: NUMBERS[prefix + name] for name in _PRICED}
    sizes = {_BY_NAME[name]: NUMBERS[prefix + name] for name in _SIZED}
    return Types(prices, sizes, NUMBERS[prefix + "LAST_TIMESTAMP"], NUMBERS[prefix + "HALTED"])


_LIVE_TYPES, _DELAYED_TYPES = _types(""), _types("DELAYED_")


def conflated(changes: list[TickChange]) -> list[TickChange]:
    """Return what is left to tell of changes that are told together: the last of each kind, first mentioned first."""
    out: dict[TickKind, TickChange] = {}
    for change in changes:
        kind = change.kind
        price = _PRICE_OF.get(kind)
        if price is not None and price in out:
            out[price] = TickChange(price, out[price].steps, change.size, change.time_ns)
        else:
            out[kind] = change
    for size, price in _PRICE_OF.items():
        if price in out and size in out:
            del out[size]
    return list(out.values())


class MarketDataLine:
    """One reqMktData: turns tick changes into tick messages.

    A price message carries its size; a size message comes alone when only the size changed.
    """

    def __init__(
        self, session: ClientSession, reqId: int, item: Instrument, generic: frozenset[int], data_type: int
    ) -> None:
        self._session = session
        self._reqId = reqId
        self._item = item
        self._generic = generic
        self._data_type = data_type
        delayed = data_type in (DELAYED, DELAYED_FROZEN)
        self._lag_ns = DELAY_NS if delayed else 0
        self._types = _DELAYED_TYPES if delayed else _LIVE_TYPES
        self._floats: dict[int, float] = {}
        # (kind, size) -> its frame; shown sizes are few and come again and again, a day's volume does not.
        self._frames: dict[tuple[TickKind, Decimal], bytes] = {}
        self._second = 0
        self._last = 0.0
        self._last_size = ZERO
        self._traded = ZERO
        self._volume = ZERO
        self._day_volume = ZERO
        self._pending = ZERO  # traded since the last running volume
        self._trades = 0
        self._watch: Watch | None = None
        self._end: Scheduled | None = None
        self._news: news.Headlines | None = None
        self._conflates = session.gateway.conflate
        self._greeks = options.LineGreeks(item, delayed) if item.secType == "OPT" else None

    # -- life --------------------------------------------------------------------------------------------------------

    def start(self, snapshot: bool) -> None:
        """Send what is known now, then the changes, or for a snapshot its end."""
        session, item = self._session, self._item
        gateway = session.gateway
        now_ns = gateway.clock.now_ns
        session.send(incoming.TickReqParams(self._reqId, float(item.minTick), BBO_EXCHANGE, SNAPSHOTS_ALLOWED))
        session.send(incoming.MarketDataType(self._reqId, self._data_type))
        process = gateway.market.process(item, self._lag_ns)
        self._day_volume = process.quote().volume
        first = process.snapshot(now_ns - self._lag_ns)
        if not gateway.market.is_open(item) and self._data_type in (LIVE, DELAYED):
            first = [c for c in first if c.kind is not TickKind.BID and c.kind is not TickKind.ASK]
            for kind in (TickKind.BID, TickKind.ASK) if item.secType != "IND" else ():
                session.send(incoming.TickPrice(self._reqId, self._types.prices[kind], -1.0, ZERO, _PLAIN))
        self._send(first)
        if item.secType != "IND":
            session.send(incoming.TickGeneric(self._reqId, self._types.halted, 0.0))
        if not self._lag_ns:
            self._send_generic(now_ns)
        if snapshot:
            self._end = gateway.clock.after(SNAPSHOT_END_NS, self._finish)
            return
        period_ns = CADENCE_NS.get(item.secType, DEFAULT_CADENCE_NS) if self._conflates else 0
        self._watch = gateway.market.watch(item, self.on_changes, period_ns, self._lag_ns)
        if NEWS_TICK in self._generic:
            self._news = news.Headlines(session, self._reqId, item)

    def _finish(self) -> None:
        self._session.send(incoming.TickSnapshotEnd(self._reqId))
        self._session.drop_feed(LINE, self._reqId)

    def close(self) -> None:
        """Stop."""
        if self._watch is not None:
            self._watch.close()
            self._watch = None
        if self._end is not None:
            self._session.gateway.clock.cancel(self._end)
            self._end = None
        if self._news is not None:
            self._news.close()

    def after_fill(self, fill: Fill) -> None:
        """Fills here do not move the simulated market."""

    # -- ticks -------------------------------------------------------------------------------------------------------

    def on_changes(self, item: Instrument, changes: list[TickChange]) -> None:
        """Send changes, in their order or together."""
        self._send(conflated(changes) if self._conflates and len(changes) > 1 else changes)
        if self._generic:
            self._after_trades(changes)

    def _send(self, changes: list[TickChange]) -> None:
        session, reqId = self._session, self._reqId
        prices, sizes, frames = self._types.prices, self._types.sizes, self._frames
        to_frame = session.to_frame if session.gateway.director is None and not session.closed else None
        # Ticks are as old as the protocol: where nobody looks at them they need not pass `send`.
        send = session.send if to_frame is None else session.outbox.append
        quoted = False
        for kind, steps, size, time_ns in changes:
            number = prices.get(kind)
            if number is None:
                if to_frame is None or kind is _VOLUME:
                    send(incoming.TickSize(reqId, sizes[kind], size))
                    continue
                known = frames.get((kind, size))
                if known is None:
                    if len(frames) >= _CACHED_FRAMES:
                        frames.clear()
                    known = frames[kind, size] = to_frame(incoming.TickSize(reqId, sizes[kind], size))
                send(known)
                continue
            price = self._floats.get(steps)
            if price is None:
                price = self._price(steps)
            if kind is _LAST:
                self._last, self._last_size = price, size
                second = time_ns // NS_PER_S
                if second != self._second:
                    self._second = second
                    send(incoming.TickString(reqId, self._types.last_timestamp, str(second)))
                attrib = _PLAIN
            else:
                attrib = _EXECUTABLE if kind is _BID or kind is _ASK else _PLAIN
            quoted = True
            send(incoming.TickPrice(reqId, number, price, size, attrib))
        if quoted and self._greeks is not None:
            for message in self._greeks.messages(self._session.gateway, reqId, self._lag_ns, changes):
                send(message)

    def _price(self, steps: int) -> float:
        """A float for a price; the Decimal arithmetic is done once for each price."""
        if len(self._floats) >= _CACHED_PRICES:
            self._floats.clear()
        price = self._floats[steps] = self._item.float_price(steps)
        return price

    # -- generic ticks -----------------------------------------------------------------------------------------------

    def _send_generic(self, now_ns: int) -> None:
        session, reqId = self._session, self._reqId
        for number, value, is_price in generics.ticks_of(self._item, session.gateway.market, now_ns, self._generic):
            if is_price:
                session.send(incoming.TickPrice(reqId, number, float(value), ZERO, _PLAIN))
            elif isinstance(value, Decimal):
                session.send(incoming.TickSize(reqId, number, value))
            elif isinstance(value, str):
                session.send(incoming.TickString(reqId, number, value))
            else:
                session.send(incoming.TickGeneric(reqId, number, value))

    def _after_trades(self, changes: list[TickChange]) -> None:
        """What follows trades: the mark price, the running volume, the count of trades."""
        send, generic = self._session.send, self._generic
        trades, last_ns, total = 0, 0, ZERO
        for kind, steps, size, time_ns in changes:
            if kind is TickKind.LAST or kind is TickKind.LAST_SIZE:
                trades += 1
                if steps:
                    self._last = self._floats.get(steps) or self._price(steps)
                self._last_size = size
            elif kind is TickKind.CLOSE:
                self._day_volume = self._volume = self._traded = ZERO
            elif kind is TickKind.VOLUME:
                self._count(size)
                last_ns, total = time_ns, size
        if not trades:
            return
        if generic & MARK_TICKS:
            mark = float(self._session.gateway.market.mark_price(self._item))
            send(incoming.TickPrice(self._reqId, _MARK, mark, ZERO, _PLAIN))
        self._trades += trades
        if TRADE_COUNT_TICK in generic:
            send(incoming.TickGeneric(self._reqId, NUMBERS["TRADE_COUNT"], float(self._trades)))
        if self._pending and generic & {RT_VOLUME_TICK, RT_TRADE_VOLUME_TICK}:
            self._rt_volume(total, last_ns, trades == 1)
        self._pending = ZERO

    def _count(self, total: Decimal) -> None:
        size = EXACT.subtract(total, self._day_volume)
        self._day_volume = total
        self._pending = EXACT.add(self._pending, size)
        self._volume = EXACT.add(self._volume, size)
        self._traded = EXACT.add(self._traded, EXACT.multiply(Decimal(repr(self._last)), size))

    def _rt_volume(self, total: Decimal, time_ns: int, single: bool) -> None:
        """`price;size;time in ms;day's volume;average price of what this line saw;one trade?`"""
        average = EXACT.divide(self._traded, self._volume) if self._volume else ZERO
        flag = str(single).lower()
        parts = (self._last, self._pending, time_ns // NS_PER_MS, total, trimmed(round(average, 8)), flag)
        text = ";".join(map(str, parts))
        for wanted, name in ((RT_VOLUME_TICK, "RT_VOLUME"), (RT_TRADE_VOLUME_TICK, "RT_TRD_VOLUME")):
            if wanted in self._generic:
                self._session.send(incoming.TickString(self._reqId, NUMBERS[name], text))
