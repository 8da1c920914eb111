"""Requests about the past: bars, updates of the last bar, schedules, first time stamps, histograms and ticks."""

from __future__ import annotations

from collections import defaultdict
from datetime import date
from decimal import Decimal
from typing import NamedTuple

from ibwire.sim import bars, hours, ticks, times, zones
from ibwire.sim.bars import BAR_SIZES, Bar, Length, Series
from ibwire.sim.client import ClientSession, Handlers, Timer
from ibwire.sim.clock import NS_PER_S
from ibwire.sim.exact import EXACT, ZERO
from ibwire.sim.instruments import Instrument
from ibwire.sim.orders import Fill
from ibwire.sim.rng import stable_hash
from ibwire.sim.tape import TapeQuotes
from ibwire.types import incoming, outgoing, structs

HISTORY = "history"
MAX_UPDATED = 50
UPDATE_NS = 5 * NS_PER_S
MAX_BARS = 30_000
MAX_TICKS = 1000
NO_CONTRACT, NO_DATA, INVALID, BAD_TIME, CONTINUOUS_END, NO_TRADES = 200, 162, 321, 10314, 10339, 10299
_DAY_S = 86_400
_HISTOGRAM_UNITS = {"second": "S", "day": "D", "week": "W", "month": "M", "year": "Y"}
_UPDATED = frozenset({"TRADES", "MIDPOINT", "BID", "ASK"})


class Refused(Exception):
    """A request that is answered by an error: its code and text."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(text)
        self.code, self.text = code, text


class Wanted(NamedTuple):
    """A checked request for bars."""

    item: Instrument
    series: Series
    length: Length
    end_s: int
    form: int


# ---------------------------------------------------------------------------------------------- checks


def the_item(session: ClientSession, contract: structs.Contract) -> Instrument:
    item = session.gateway.resolve(contract)
    if item is None:
        raise Refused(NO_CONTRACT, "No security definition fits this contract, or several do")
    return item


def check_what(item: Instrument, what: str) -> str:
    """Whether an instrument has that kind of data."""
    if what not in bars.WORDS:
        raise Refused(INVALID, f"Invalid request: whatToShow '{what}' is no kind of data")
    if item.secType == "CRYPTO" and what == "TRADES":
        raise Refused(NO_TRADES, "whatToShow TRADES does not fit a crypto currency: ask for AGGTRADES")
    if item.secType != "CRYPTO" and what == "AGGTRADES":
        raise Refused(INVALID, "Invalid request: AGGTRADES is for crypto currencies")
    untraded = item.secType == "CASH" and what in bars.TRADED
    unquoted = item.secType == "IND" and what in bars.QUOTED
    rateless = what in bars.RATES and item.secType not in ("STK", "IND")
    if untraded or unquoted or rateless or what in bars.YIELDS:
        raise Refused(NO_DATA, f"Historical data service: no {what} data for {item.localSymbol}")
    return what


def moment(text: str, zone: str) -> int:
    try:
        return times.parse(text, zone)
    except times.BadTime as error:
        raise Refused(BAD_TIME, f"Invalid date or time: {error}") from None


def head_s(item: Instrument) -> int:
    """Return when an instrument's data begins, UTC seconds."""
    draw = stable_hash("head", item.conId)
    year = {"CASH": 2005, "IND": 2004, "CRYPTO": 2021}.get(item.secType, 1994 + draw % 16)
    day = date(year, 1 + draw % 12, 1 + draw % 28)
    if item.expiry is not None:
        day = date.fromordinal(item.expiry.toordinal() - (270 if item.secType == "OPT" else 700))
    if item.underlying is not None:
        day = max(day, zones.local("UTC", head_s(item.underlying)).date())
    span = hours.following(item.session, item.timeZoneId, day)
    return span.start_s


def wanted(session: ClientSession, message: outgoing.ReqHistoricalData) -> Wanted:
    item, now_s = the_item(session, message.contract), session.gateway.clock.now_ns // NS_PER_S
    size_s = BAR_SIZES.get(message.barSizeSetting.strip())
    if size_s is None:
        raise Refused(INVALID, f"Invalid request: '{message.barSizeSetting}' is no bar size")
    length = bars.length_of(message.durationStr)
    if length is None:
        raise Refused(INVALID, f"Invalid request: '{message.durationStr}' is no duration such as '1 D'")
    if message.formatDate not in (1, 2):
        raise Refused(INVALID, f"Invalid request: formatDate {message.formatDate} is neither 1 nor 2")
    what = check_what(item, message.whatToShow.upper())
    end_s = now_s
    if message.endDateTime:
        if message.keepUpToDate:
            raise Refused(INVALID, "Invalid request: data that is kept up to date has no end time")
        if item.secType == "CONTFUT":
            raise Refused(CONTINUOUS_END, "A continuous future cannot have an end time")
        end_s = min(moment(message.endDateTime, item.timeZoneId), now_s)
    if message.keepUpToDate and (what not in _UPDATED or size_s < 5):
        raise Refused(INVALID, "Invalid request: only TRADES, MIDPOINT, BID, ASK from 5 secs on are kept up to date")
    if size_s < _DAY_S and (what in bars.RATES or what == bars.SCHEDULE):
        raise Refused(INVALID, f"Invalid request: {what} has bars of 1 day and more")
    if (size_s < 30 and length.unit in "WMY") or (size_s == 1 and (length.unit != "S" or length.number > 2000)):
        raise Refused(NO_DATA, "Historical data service: bars this small are not given for so long")
    series = Series(session.gateway.market.history(item), what, size_s, message.useRTH != 0)
    return Wanted(item, series, length, end_s, message.formatDate)


# ---------------------------------------------------------------------------------------------- bars


def bar_date(bar: Bar, series: Series, form: int, server_version: int) -> str:
    if series.size_s >= _DAY_S:
        return f"{bar.day:%Y%m%d}"
    if form == 2:
        return str(bar.start_s)
    return times.bar_time(bar.start_s, series.quotes.instrument.timeZoneId, server_version)


def bar_data(bar: Bar, want: Wanted, server_version: int) -> structs.BarData:
    text = bar_date(bar, want.series, want.form, server_version)
    return structs.BarData(text, bar.open, bar.high, bar.low, bar.close, bar.volume, bar.wap, bar.trades)


def bars_of(want: Wanted) -> list[Bar]:
    series = want.series
    if series.what in bars.RATES:
        spans = series.spans(want.length, want.end_s, head_s(want.item))
        out = []
        for span in spans:
            rate = bars.rate_of(want.item, series.what, span.day)
            out.append(Bar(span.start_s, span.end_s, span.day, rate, rate, rate, rate, Decimal(-1), Decimal(-1), -1))
        return out
    return series.bars(want.length, want.end_s, head_s(want.item))


def req_historical_data(session: ClientSession, message: outgoing.ReqHistoricalData) -> None:
    reqId, version = message.reqId, session.server_version
    if session.has_feed(HISTORY, reqId):
        session.error(reqId, 322, f"Request id {reqId} is in use for historical data")
        return
    try:
        if message.keepUpToDate and session.count_feeds(HISTORY) >= MAX_UPDATED:
            raise Refused(NO_DATA, f"Historical data service: {MAX_UPDATED} requests are kept up to date already")
        want = wanted(session, message)
        if want.series.what == bars.SCHEDULE:
            send_schedule(session, reqId, want)
            return
        found = bars_of(want)
        if not found or len(found) > MAX_BARS:
            why = "returned no data" if not found else f"gives at most {MAX_BARS} bars at once"
            raise Refused(NO_DATA, f"Historical data service {why}: {want.item.localSymbol} {want.series.what}")
    except Refused as refused:
        session.error(reqId, refused.code, refused.text)
        return
    zone = want.item.timeZoneId
    start, end = (times.bar_time(at, zone, version) for at in (min(found[0].start_s, want.end_s), want.end_s))
    session.send(incoming.HistoricalData(reqId, start, end, [bar_data(bar, want, version) for bar in found]))
    session.send(incoming.HistoricalDataEnd(reqId, start, end))
    if message.keepUpToDate:
        session.add_feed(HISTORY, reqId, Updates(session, reqId, want))


class Updates:
    """Bars of a request that is kept up to date: the one that runs, every 5 s, and before it one that just ended."""

    def __init__(self, session: ClientSession, reqId: int, want: Wanted) -> None:
        self._session, self._reqId, self._want = session, reqId, want
        self._told_s = want.end_s
        self._timer = Timer(session.gateway.clock, UPDATE_NS, self._tell)

    def _tell(self) -> None:
        session, series, item = self._session, self._want.series, self._want.item
        now_s = session.gateway.clock.now_ns // NS_PER_S
        span = hours.last_started(item.session, item.timeZoneId, now_s)
        start_s, end_s = series.bounds(span)
        if start_s < now_s and self._told_s < end_s:
            if series.size_s >= _DAY_S:
                whole = series.bars(Length(1, "M"), now_s, head_s(item))
                pieces = whole[-1:]
            else:
                edges = [edge for edge in series.edges(span) if edge < now_s]
                pairs = list(zip(edges, [*edges[1:], None], strict=True))[-2:]
                stops = [(a, b if b is not None else min(a + series.size_s, end_s)) for a, b in pairs]
                found = (series.over(span, a, b, now_s) for a, b in stops if b > self._told_s)
                pieces = [bar for bar in found if bar is not None]
            for bar in pieces:
                data = bar_data(bar, self._want, session.server_version)
                session.send(incoming.HistoricalDataUpdate(self._reqId, data))
        self._told_s = now_s

    def after_fill(self, fill: Fill) -> None:
        """Nothing to do with it."""

    def close(self) -> None:
        """Stop."""
        self._timer.close()


def cancel_historical_data(session: ClientSession, message: outgoing.CancelHistoricalData) -> None:
    if not session.drop_feed(HISTORY, message.reqId):
        session.error(message.reqId, 366, f"No historical data request has the id {message.reqId}")


def send_schedule(session: ClientSession, reqId: int, want: Wanted) -> None:
    item, series = want.item, want.series
    spans = series.spans(want.length, want.end_s, head_s(item))
    sessions = []
    for span in spans:
        start, end = (f"{zones.local(item.timeZoneId, at):%Y%m%d-%H:%M:%S}" for at in series.bounds(span))
        sessions.append(structs.HistoricalSession(start, end, f"{span.day:%Y%m%d}"))
    if not sessions:
        raise Refused(NO_DATA, "Historical data service: there are no sessions in this time")
    ends = sessions[0].startDateTime, sessions[-1].endDateTime
    session.send(incoming.HistoricalSchedule(reqId, *ends, item.timeZoneId, sessions))


def req_head_time_stamp(session: ClientSession, message: outgoing.ReqHeadTimeStamp) -> None:
    try:
        item = the_item(session, message.contract)
        check_what(item, message.whatToShow.upper())
        if message.formatDate not in (1, 2):
            raise Refused(INVALID, f"Invalid request: formatDate {message.formatDate} is neither 1 nor 2")
    except Refused as refused:
        session.error(message.reqId, refused.code, refused.text)
        return
    first_s = head_s(item)
    quotes = session.gateway.market.history(item)
    if isinstance(quotes, TapeQuotes):
        first_s = quotes.first_ns // NS_PER_S
    text = str(first_s) if message.formatDate == 2 else zones.utc_text(first_s)
    session.send(incoming.HeadTimestamp(message.reqId, text))


def req_histogram_data(session: ClientSession, message: outgoing.ReqHistogramData) -> None:
    reqId = message.tickerId
    now_s = session.gateway.clock.now_ns // NS_PER_S
    try:
        item = the_item(session, message.contract)
        number, _, word = message.timePeriod.strip().partition(" ")
        unit = _HISTOGRAM_UNITS.get(word.lower().rstrip("s"))
        length = bars.length_of(f"{number} {unit}") if unit is not None else None
        if length is None:
            raise Refused(INVALID, f"Invalid request: '{message.timePeriod}' is no period such as '3 days'")
        what = "AGGTRADES" if item.secType == "CRYPTO" else "TRADES"
        check_what(item, what)
    except Refused as refused:
        session.error(reqId, refused.code, refused.text)
        return
    size_s = 60 if length.unit == "S" or (length.unit == "D" and length.number < 10) else 3600
    series = Series(session.gateway.market.history(item), what, size_s, message.useRTH)
    sizes: defaultdict[float, Decimal] = defaultdict(lambda: ZERO)
    for bar in series.bars(length, now_s, head_s(item)):
        sizes[bar.close] = EXACT.add(sizes[bar.close], bar.volume)
    items = [structs.HistogramData(price, size) for price, size in sorted(sizes.items())]
    session.send(incoming.HistogramData(reqId, items))


# ---------------------------------------------------------------------------------------------- ticks


def req_historical_ticks(session: ClientSession, message: outgoing.ReqHistoricalTicks) -> None:
    try:
        found = ticks_of(session, message)
    except Refused as refused:
        session.error(message.reqId, refused.code, refused.text)
        return
    session.send(found)


def ticks_of(session: ClientSession, message: outgoing.ReqHistoricalTicks) -> object:
    item, what, count = the_item(session, message.contract), message.whatToShow.upper(), message.numberOfTicks
    now_ns = session.gateway.clock.now_ns
    if what not in ("TRADES", "BID_ASK", "MIDPOINT"):
        raise Refused(INVALID, f"Invalid request: there are no historical ticks of '{what}'")
    if bool(message.startDateTime) == bool(message.endDateTime):
        raise Refused(INVALID, "Invalid request: historical ticks need a start time or an end time, not both")
    if not 1 <= count <= MAX_TICKS:
        raise Refused(INVALID, f"Invalid request: {count} ticks are not in 1..{MAX_TICKS}")
    untraded = what == "TRADES" and item.secType == "CASH"
    if untraded or (what != "TRADES" and item.secType == "IND"):
        raise Refused(NO_DATA, f"Historical data service: no {what} ticks for {item.localSymbol}")
    quotes = session.gateway.market.history(item)
    kind: type[ticks.Trade | ticks.BidAsk] = ticks.Trade if what == "TRADES" else ticks.BidAsk
    picked: list[ticks.Trade | ticks.BidAsk]
    if message.startDateTime:
        start_ns = moment(message.startDateTime, item.timeZoneId) * NS_PER_S
        picked = []
        for tick in ticks.between(quotes, max(start_ns, head_s(item) * NS_PER_S), now_ns):
            if type(tick) is kind and keeps(tick, picked, message, item):
                picked.append(tick)
                if len(picked) == count:
                    break
    else:
        end_ns = min(moment(message.endDateTime, item.timeZoneId) * NS_PER_S, now_ns)
        every: list[ticks.Trade | ticks.BidAsk] = []
        for more in (2, 16, 128):  # how many of all ticks it may take to have enough of those asked for
            every = []
            for tick in ticks.before(quotes, end_ns, more * count, kind, head_s(item) * NS_PER_S):
                if keeps(tick, every, message, item):
                    every.append(tick)
            if len(every) >= count:
                break
        picked = every[-count:]
    return answer(message.reqId, item, what, picked)


def keeps(
    tick: ticks.Trade | ticks.BidAsk,
    before: list[ticks.Trade | ticks.BidAsk],
    message: outgoing.ReqHistoricalTicks,
    item: Instrument,
) -> bool:
    """Whether a tick is asked for: in regular hours, and not of a size alone."""
    if message.useRth:
        span = hours.last_started(item.session, item.timeZoneId, tick.time_ns // NS_PER_S)
        if not span.liquid_start_s <= tick.time_ns // NS_PER_S < span.liquid_end_s:
            return False
    if isinstance(tick, ticks.BidAsk) and before and (message.ignoreSize or message.whatToShow.upper() == "MIDPOINT"):
        last = before[-1]
        assert isinstance(last, ticks.BidAsk)
        return (last.bid, last.ask) != (tick.bid, tick.ask)
    return True


def answer(reqId: int, item: Instrument, what: str, picked: list[ticks.Trade | ticks.BidAsk]) -> object:
    if what == "TRADES":
        trades = [last_tick(item, tick) for tick in picked if isinstance(tick, ticks.Trade)]
        return incoming.HistoricalTicksLast(reqId, trades, True)
    quotes = [tick for tick in picked if isinstance(tick, ticks.BidAsk)]
    if what == "MIDPOINT":
        middles = [structs.HistoricalTick(q.time_ns // NS_PER_S, middle(item, q), ZERO) for q in quotes]
        return incoming.HistoricalTicks(reqId, middles, True)
    return incoming.HistoricalTicksBidAsk(reqId, [quote_tick(item, q) for q in quotes], True)


def last_tick(item: Instrument, tick: ticks.Trade) -> structs.HistoricalTickLast:
    """One trade as history and tick-by-tick data tell it."""
    attrib = structs.TickAttribLast(pastLimit=False, unreported=tick.unreported)
    price = item.float_price(tick.steps)
    conditions = "I" if tick.unreported else ""
    return structs.HistoricalTickLast(tick.time_ns // NS_PER_S, attrib, price, tick.size, tick.exchange, conditions)


def quote_tick(item: Instrument, tick: ticks.BidAsk) -> structs.HistoricalTickBidAsk:
    """One quote as history and tick-by-tick data tell it."""
    bid, ask = item.float_price(tick.bid), item.float_price(tick.ask)
    attrib = structs.TickAttribBidAsk()
    return structs.HistoricalTickBidAsk(tick.time_ns // NS_PER_S, attrib, bid, ask, tick.bid_size, tick.ask_size)


def middle(item: Instrument, tick: ticks.BidAsk) -> float:
    """The price half way between bid and ask."""
    return round(float(item.price_step) * (tick.bid + tick.ask) / 2.0, 9)


def cancel_nothing(session: ClientSession, message: object) -> None:
    """What is cancelled was answered at once: there is nothing left to cancel, and a gateway says nothing."""


HANDLERS: Handlers = {
    outgoing.ReqHistoricalData: req_historical_data,
    outgoing.CancelHistoricalData: cancel_historical_data,
    outgoing.ReqHeadTimeStamp: req_head_time_stamp,
    outgoing.CancelHeadTimeStamp: cancel_nothing,
    outgoing.ReqHistogramData: req_histogram_data,
    outgoing.CancelHistogramData: cancel_nothing,
    outgoing.ReqHistoricalTicks: req_historical_ticks,
    outgoing.CancelHistoricalTicks: cancel_nothing,
}
