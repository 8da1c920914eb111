"""Requests about quotes: market data lines and snapshots."""

from __future__ import annotations

from decimal import Decimal

from ibwire.sim.client import ClientSession, Handlers
from ibwire.sim.clock import NS_PER_S, Scheduled
from ibwire.sim.exact import EXACT, ZERO, trimmed
from ibwire.sim.instruments import Instrument
from ibwire.sim.market import TickChange, TickKind, Watch
from ibwire.sim.orders import Fill
from ibwire.spec.ticks import NUMBERS
from ibwire.types import incoming, outgoing, structs

LINE = "line"
MAX_LINES = 100
SNAPSHOT_END_NS = NS_PER_S // 4
LIVE = 1
BBO_EXCHANGE = "9c0001"  # the code that reqSmartComponents answers for
SNAPSHOTS_ALLOWED = 3  # bits: snapshot, regulatory snapshot
_MARK_TICKS = frozenset({221, 232})
_RT_VOLUME_TICK = 233
_SHORTABLE_TICK = 236
EASY_TO_BORROW = 3.0
_PRICED = ("BID", "ASK", "LAST", "HIGH", "LOW", "OPEN", "CLOSE")
_PRICES = {TickKind[name]: NUMBERS[name] for name in _PRICED}
_SIZES = {kind: NUMBERS[kind.name] for kind in TickKind if kind not in _PRICES}
_LAST_TIMESTAMP, _HALTED, _MARK = NUMBERS["LAST_TIMESTAMP"], NUMBERS["HALTED"], NUMBERS["MARK_PRICE"]
_RT_VOLUME, _SHORTABLE = NUMBERS["RT_VOLUME"], NUMBERS["SHORTABLE"]
_EXECUTABLE = structs.TickAttrib(canAutoExecute=True)
_PLAIN = structs.TickAttrib()
_CACHED_PRICES = 4096


class MarketDataLine:
    """One reqMktData: turns tick changes into tick messages.

    A price message carries its size; a size message comes alone when only the size changed.
    """

    def __init__(self, session: ClientSession, reqId: int, item: Instrument, generic: frozenset[int]) -> None:
        self._session = session
        self._reqId = reqId
        self._item = item
        self._generic = generic
        self._floats: dict[int, float] = {}
        self._second = 0
        self._last = 0.0
        self._last_size = ZERO
        self._traded = ZERO
        self._volume = ZERO
        self._watch: Watch | None = None
        self._end: Scheduled | None = None

    # -- life --------------------------------------------------------------------------------------------------------

    def start(self, snapshot: bool) -> None:
        """Send what is known now, then the changes, or for a snapshot its end."""
        session, item = self._session, self._item
        gateway, now_ns = session.gateway, session.gateway.clock.now_ns
        session.send(incoming.TickReqParams(self._reqId, float(item.minTick), BBO_EXCHANGE, SNAPSHOTS_ALLOWED))
        # Live data is permitted for everything here, so live is what comes, whatever type was asked for.
        session.send(incoming.MarketDataType(self._reqId, LIVE))
        process = gateway.market.process(item)
        self.on_changes(item, process.snapshot(now_ns))
        if item.tradable:
            session.send(incoming.TickGeneric(self._reqId, _HALTED, 0.0))
        if _SHORTABLE_TICK in self._generic and item.secType == "STK":
            session.send(incoming.TickGeneric(self._reqId, _SHORTABLE, EASY_TO_BORROW))
        if snapshot:
            self._end = gateway.clock.after(SNAPSHOT_END_NS, self._finish)
        else:
            self._watch = gateway.market.watch(item, self.on_changes)

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

    def after_fill(self, fill: Fill) -> None:
        """Fills here do not move the simulated market."""

    # -- ticks -------------------------------------------------------------------------------------------------------

    def on_changes(self, item: Instrument, changes: list[TickChange]) -> None:
        """Send changes in their order."""
        send, reqId = self._session.send, self._reqId
        for kind, steps, size, time_ns in changes:
            number = _PRICES.get(kind)
            if number is None:
                if kind is TickKind.LAST_SIZE:
                    self._last_size = size
                send(incoming.TickSize(reqId, _SIZES[kind], size))
                # What the line begins with is no trade.
                if kind is TickKind.VOLUME and _RT_VOLUME_TICK in self._generic and self._watch is not None:
                    self._rt_volume(size, time_ns)
                continue
            price = self._floats.get(steps)
            if price is None:
                price = self._price(steps)
            if kind is TickKind.LAST:
                self._trade(price, size, time_ns)
            attrib = _EXECUTABLE if kind is TickKind.BID or kind is TickKind.ASK else _PLAIN
            send(incoming.TickPrice(reqId, number, price, size, attrib))

    def _price(self, steps: int) -> float:
        """A float for a price; the Decimal arithmetic is done once for each price."""
        if len(self._floats) >= _CACHED_PRICES:
            self._floats.clear()
        price = self._floats[steps] = float(self._item.price(steps))
        return price

    def _trade(self, price: float, size: Decimal, time_ns: int) -> None:
        self._last, self._last_size = price, size
        second = time_ns // NS_PER_S
        if second != self._second:
            self._second = second
            self._session.send(incoming.TickString(self._reqId, _LAST_TIMESTAMP, str(second)))
        if self._generic & _MARK_TICKS:
            mark = float(self._session.gateway.market.mark_price(self._item))
            self._session.send(incoming.TickPrice(self._reqId, _MARK, mark, ZERO, _PLAIN))

    def _rt_volume(self, total: Decimal, time_ns: int) -> None:
        """`price;size;time in ms;day's volume;average price of what this line saw;one trade?`"""
        self._volume = EXACT.add(self._volume, self._last_size)
        self._traded = EXACT.add(self._traded, EXACT.multiply(Decimal(repr(self._last)), self._last_size))
        average = EXACT.divide(self._traded, self._volume) if self._volume else ZERO
        parts = (self._last, self._last_size, time_ns // 1_000_000, total, trimmed(round(average, 8)), "true")
        self._session.send(incoming.TickString(self._reqId, _RT_VOLUME, ";".join(map(str, parts))))


# ---------------------------------------------------------------------------------------------- requests


def req_mkt_data(session: ClientSession, message: outgoing.ReqMktData) -> None:
    reqId = message.reqId
    parts = [part.partition(":")[0].strip() for part in message.genericTickList.split(",")]
    parts = [part for part in parts if part]
    if session.has_feed(LINE, reqId):
        session.error(reqId, 102, f"Request id {reqId} is in use for market data")
    elif message.snapshot and parts:
        session.error(reqId, 414, "A snapshot cannot have generic ticks")
    else:
        # Words are legal too (`mdoff,292:SOURCE` names news); they only bring nothing here.
        start_line(session, message, frozenset(int(part) for part in parts if part.isdecimal()))


def start_line(session: ClientSession, message: outgoing.ReqMktData, generic: frozenset[int]) -> None:
    reqId, snapshot = message.reqId, message.snapshot or message.regulatorySnapshot
    item = session.gateway.resolve(message.contract)
    if item is None:
        session.error(reqId, 200, "No security definition fits this contract, or several do")
    elif session.count_feeds(LINE) >= MAX_LINES:
        session.error(reqId, 101, f"The limit of {MAX_LINES} market data lines is reached")
    else:
        line = MarketDataLine(session, reqId, item, generic)
        session.add_feed(LINE, reqId, line)
        line.start(snapshot)


def cancel_mkt_data(session: ClientSession, message: outgoing.CancelMktData) -> None:
    if not session.drop_feed(LINE, message.reqId):
        session.error(message.reqId, 300, f"No market data line has the id {message.reqId}")


def req_market_data_type(session: ClientSession, message: outgoing.ReqMarketDataType) -> None:
    """A preference for the session; each line says for itself what it really gets."""
    if not 1 <= message.marketDataType <= 4:
        session.error(-1, 321, f"Invalid request: market data type {message.marketDataType} is not in 1..4")
        return
    session.market_data_type = message.marketDataType


HANDLERS: Handlers = {
    outgoing.ReqMktData: req_mkt_data,
    outgoing.CancelMktData: cancel_mkt_data,
    outgoing.ReqMarketDataType: req_market_data_type,
}
