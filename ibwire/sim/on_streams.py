"""Requests for streams beside quotes: tick by tick, market depth, real-time bars."""

from __future__ import annotations

from ibwire.sim import bars, depth, hours, on_history, ticks
from ibwire.sim.bars import Series
from ibwire.sim.client import ClientSession, Handlers
from ibwire.sim.clock import NS_PER_S, Scheduled
from ibwire.sim.depth import Row
from ibwire.sim.exact import ZERO
from ibwire.sim.instruments import Instrument
from ibwire.sim.lines import CADENCE_NS, DEFAULT_CADENCE_NS
from ibwire.sim.market import TickChange, Watch
from ibwire.sim.orders import Fill
from ibwire.types import incoming, outgoing, structs

TICK_BY_TICK, DEPTH, REAL_TIME = "tick by tick", "depth", "real-time bars"
MAX_TICK_BY_TICK, MAX_DEPTH, MAX_REAL_TIME = 5, 3, 50
BAR_S = 5
INVALID, IN_USE = 321, 322
DEPTH_RESET = 317
NO_DEPTH = 10092
_TICK_TYPES = {"Last": 1, "AllLast": 2, "BidAsk": 3, "MidPoint": 4}
_REAL_TIME_WORDS = frozenset({"TRADES", "BID", "ASK", "MIDPOINT"})
_MAKERS = {"SMART": "", "NASDAQ": "NSDQ", "ISLAND": "NSDQ"}
_NO_CONTRACT = "No security definition fits this contract, or several do"


class _Fillless:
    def after_fill(self, fill: Fill) -> None:
        """Fills here do not move the simulated market."""


class TickByTick(_Fillless):
    """One reqTickByTickData: every trade or quote, one message each."""

    def __init__(self, session: ClientSession, message: outgoing.ReqTickByTickData, item: Instrument) -> None:
        self._session, self._reqId, self._item = session, message.reqId, item
        self._kind = _TICK_TYPES[message.tickType]
        self._ignores_size = message.ignoreSize or self._kind == 4
        market = session.gateway.market
        self._fold = ticks.Fold(market.process(item))
        self._before = (self._fold.bid, self._fold.ask)
        self._watch = market.watch(item, self._on_changes)

    def _on_changes(self, item: Instrument, changes: list[TickChange]) -> None:
        for tick in self._fold.take(changes):
            if isinstance(tick, ticks.Trade):
                if self._kind == 2 or (self._kind == 1 and not tick.unreported):
                    last = on_history.last_tick(item, tick)
                    self._session.send(incoming.TickByTick(self._reqId, self._kind, last=last))
            elif self._kind >= 3:
                prices = (tick.bid, tick.ask)
                if self._ignores_size and prices == self._before:
                    continue
                self._before = prices
                self._session.send(self._quote(item, tick))

    def _quote(self, item: Instrument, tick: ticks.BidAsk) -> incoming.TickByTick:
        if self._kind == 3:
            return incoming.TickByTick(self._reqId, 3, bidAsk=on_history.quote_tick(item, tick))
        price = on_history.middle(item, tick)
        return incoming.TickByTick(
            self._reqId, 4, midPoint=structs.HistoricalTick(tick.time_ns // NS_PER_S, price, ZERO)
        )

    def close(self) -> None:
        """Stop."""
        self._watch.close()


def req_tick_by_tick_data(session: ClientSession, message: outgoing.ReqTickByTickData) -> None:
    reqId, item = message.reqId, session.gateway.resolve(message.contract)
    if item is None:
        session.error(reqId, 200, _NO_CONTRACT)
        return
    traded = message.tickType in ("Last", "AllLast")
    missing = item.secType == ("CASH" if traded else "IND")
    if message.tickType not in _TICK_TYPES or missing or not 0 <= message.numberOfTicks <= 1000:
        session.error(reqId, 10189, f"Tick-by-tick data '{message.tickType}' is not valid for {item.localSymbol}")
    elif session.has_feed(TICK_BY_TICK, reqId):
        session.error(reqId, IN_USE, f"Request id {reqId} is in use for tick-by-tick data")
    elif session.count_feeds(TICK_BY_TICK) >= MAX_TICK_BY_TICK:
        session.error(reqId, 10190, f"The limit of {MAX_TICK_BY_TICK} tick-by-tick streams is reached")
    else:
        if message.numberOfTicks:
            _send_history(session, message, item)
        session.add_feed(TICK_BY_TICK, reqId, TickByTick(session, message, item))


def _send_history(session: ClientSession, message: outgoing.ReqTickByTickData, item: Instrument) -> None:
    """The last ticks before the stream begins."""
    what = {"BidAsk": "BID_ASK", "MidPoint": "MIDPOINT"}.get(message.tickType, "TRADES")
    kind: type[ticks.Trade | ticks.BidAsk] = ticks.Trade if what == "TRADES" else ticks.BidAsk
    gateway = session.gateway
    found = ticks.before(
        gateway.market.history(item), gateway.clock.now_ns + 1, message.numberOfTicks, kind, on_history.head_s(item)
    )
    if message.tickType == "Last":
        found = [tick for tick in found if not (isinstance(tick, ticks.Trade) and tick.unreported)]
    session.send(on_history.answer(message.reqId, item, what, found[-message.numberOfTicks :]))


def cancel_tick_by_tick_data(session: ClientSession, message: outgoing.CancelTickByTickData) -> None:
    if not session.drop_feed(TICK_BY_TICK, message.reqId):
        session.error(message.reqId, 300, f"No tick-by-tick stream has the id {message.reqId}")


# ---------------------------------------------------------------------------------------------- depth


class Depth(_Fillless):
    """One reqMktDepth: a book of its rows, kept right by row messages."""

    def __init__(self, session: ClientSession, message: outgoing.ReqMktDepth, item: Instrument) -> None:
        self._session, self._reqId, self._rows = session, message.reqId, message.numRows
        self._smart = message.isSmartDepth
        self._second_level = item.secType == "STK"
        venues = ticks.venues(item)
        self._makers = venues if item.exchange == "SMART" else [_MAKERS.get(item.exchange, item.exchange)]
        self._books: dict[int, list[Row]] = {depth.ASK_SIDE: [], depth.BID_SIDE: []}
        self._item = item
        period_ns = CADENCE_NS.get(item.secType, DEFAULT_CADENCE_NS)
        self._tell()
        self._watch: Watch = session.gateway.market.watch(item, lambda _, __: self._tell(), period_ns)

    def reset(self) -> None:
        """Say that the book is to be cleared, and send it anew."""
        self._session.error(self._reqId, DEPTH_RESET, "Market depth was reset: clear the book")
        self._books = {depth.ASK_SIDE: [], depth.BID_SIDE: []}
        self._tell()

    def _tell(self) -> None:
        gateway = self._session.gateway
        quotes = gateway.market.process(self._item)
        for side, book in self._books.items():
            rows = depth.side_of(quotes, side == depth.BID_SIDE, self._rows, gateway.clock.now_ns, self._makers)
            for position, operation, _, row in depth.changes(book, rows, side):
                self._send(position, operation, side, row)
            self._books[side] = rows

    def _send(self, position: int, operation: int, side: int, row: Row) -> None:
        deleted = operation == depth.DELETE
        price, size = (0.0, ZERO) if deleted else (self._item.float_price(row.steps), row.size)
        if self._second_level:
            self._session.send(
                incoming.UpdateMktDepthL2(self._reqId, position, row.maker, operation, side, price, size, self._smart)
            )
        else:
            self._session.send(incoming.UpdateMktDepth(self._reqId, position, operation, side, price, size))

    def close(self) -> None:
        """Stop."""
        self._watch.close()


def req_mkt_depth(session: ClientSession, message: outgoing.ReqMktDepth) -> None:
    reqId, item = message.reqId, session.gateway.resolve(message.contract)
    if item is None:
        session.error(reqId, 200, _NO_CONTRACT)
    elif not 1 <= message.numRows <= depth.MAX_ROWS:
        session.error(reqId, INVALID, f"Invalid request: {message.numRows} rows are not in 1..{depth.MAX_ROWS}")
    elif item.secType == "CFD":
        session.send(incoming.RerouteMktDepthReq(reqId, item.underConId, item.exchange))
    elif item.secType == "IND" or (item.exchange == "SMART") is not message.isSmartDepth:
        text = "Market depth is not supported for this type and exchange"
        session.error(reqId, NO_DEPTH, f"{text}; with SMART it needs isSmartDepth, elsewhere it must not have it")
    elif session.has_feed(DEPTH, reqId):
        session.error(reqId, IN_USE, f"Request id {reqId} is in use for market depth")
    elif session.count_feeds(DEPTH) >= MAX_DEPTH:
        session.error(reqId, 309, f"The limit of {MAX_DEPTH} market depth streams is reached")
    else:
        session.add_feed(DEPTH, reqId, Depth(session, message, item))


def cancel_mkt_depth(session: ClientSession, message: outgoing.CancelMktDepth) -> None:
    if not session.drop_feed(DEPTH, message.reqId):
        session.error(message.reqId, 310, f"No market depth stream has the id {message.reqId}")


# ---------------------------------------------------------------------------------------------- real-time bars


class RealTimeBars(_Fillless):
    """One reqRealTimeBars: a bar at every fifth second of the clock, of the 5 s before it."""

    def __init__(self, session: ClientSession, reqId: int, series: Series) -> None:
        self._session, self._reqId, self._series = session, reqId, series
        self._next: Scheduled | None = None
        self._schedule()

    def _schedule(self) -> None:
        clock = self._session.gateway.clock
        grid_ns = BAR_S * NS_PER_S
        self._next = clock.at((clock.now_ns // grid_ns + 1) * grid_ns, self._tell)

    def _tell(self) -> None:
        self._schedule()
        session, series = self._session, self._series
        end_s = session.gateway.clock.now_ns // NS_PER_S
        item = series.quotes.instrument
        span = hours.last_started(item.session, item.timeZoneId, end_s - BAR_S)
        start_s, stop_s = series.bounds(span)
        if not start_s <= end_s - BAR_S or end_s > stop_s:
            return
        bar = series.over(span, end_s - BAR_S, end_s, end_s)
        if bar is None:
            return
        prices = (bar.open, bar.high, bar.low, bar.close)
        session.send(incoming.RealtimeBar(self._reqId, bar.start_s, *prices, bar.volume, bar.wap, bar.trades))

    def close(self) -> None:
        """Stop."""
        if self._next is not None:
            self._session.gateway.clock.cancel(self._next)
            self._next = None


def req_real_time_bars(session: ClientSession, message: outgoing.ReqRealTimeBars) -> None:
    reqId, what = message.reqId, message.whatToShow.upper()
    try:
        item = on_history.the_item(session, message.contract)
        shown = "AGGTRADES" if item.secType == "CRYPTO" and what == "AGGTRADES" else what
        if shown not in _REAL_TIME_WORDS | {"AGGTRADES"} or message.barSize != BAR_S:
            text = "Invalid request: real-time bars are of 5 s and TRADES, BID, ASK or MIDPOINT"
            raise on_history.Refused(INVALID, text)
        on_history.check_what(item, shown)
    except on_history.Refused as refused:
        # What the history service would refuse, this one calls an invalid real-time query.
        session.error(reqId, 420 if refused.code == on_history.NO_DATA else refused.code, refused.text)
        return
    if session.has_feed(REAL_TIME, reqId):
        session.error(reqId, IN_USE, f"Request id {reqId} is in use for real-time bars")
    elif session.count_feeds(REAL_TIME) >= MAX_REAL_TIME:
        session.error(reqId, 420, f"The limit of {MAX_REAL_TIME} real-time bar streams is reached")
    else:
        series = bars.Series(session.gateway.market.history(item), shown, BAR_S, message.useRTH)
        session.add_feed(REAL_TIME, reqId, RealTimeBars(session, reqId, series))


def cancel_real_time_bars(session: ClientSession, message: outgoing.CancelRealTimeBars) -> None:
    if not session.drop_feed(REAL_TIME, message.reqId):
        session.error(message.reqId, 300, f"No real-time bars have the id {message.reqId}")


HANDLERS: Handlers = {
    outgoing.ReqTickByTickData: req_tick_by_tick_data,
    outgoing.CancelTickByTickData: cancel_tick_by_tick_data,
    outgoing.ReqMktDepth: req_mkt_depth,
    outgoing.CancelMktDepth: cancel_mkt_depth,
    outgoing.ReqRealTimeBars: req_real_time_bars,
    outgoing.CancelRealTimeBars: cancel_real_time_bars,
}
