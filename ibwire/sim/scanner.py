"""The market scanner: its parameters, and the world's known instruments ranked by what a scan asks for."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from xml.sax.saxutils import escape

from ibwire.sim import reference, replies
from ibwire.sim.client import ClientSession, Handlers, Timer
from ibwire.sim.clock import NS_PER_S
from ibwire.sim.instruments import ContractQuery, Instrument
from ibwire.sim.orders import Fill
from ibwire.sim.quotes import Quote
from ibwire.types import incoming, outgoing, structs

SCAN = "scan"
MAX_SCANS = 10
MAX_ROWS = 50
AGAIN_NS = 30 * NS_PER_S
INVALID, FAILED = 321, 162
INSTRUMENTS = {"STK": "US Stocks", "ETF.EQ.US": "US Equity ETFs", "FUT.US": "US Futures", "IND.US": "US Indexes"}
LOCATIONS = {"STK.US": "US Stocks", "STK.US.MAJOR": "Listed/NASDAQ", "FUT.US": "US Futures", "IND.US": "US Indexes"}


def _change(quote: Quote) -> int:
    return (quote.last - quote.close) * 1_000_000 // quote.close


# Scan code -> (what it is called, its key: highest first).
CODES: dict[str, tuple[str, Callable[[Quote], int]]] = {
    "TOP_PERC_GAIN": ("Top % Gainers", _change),
    "TOP_PERC_LOSE": ("Top % Losers", lambda quote: -_change(quote)),
    "MOST_ACTIVE": ("Most Active", lambda quote: int(quote.volume)),
    "HOT_BY_VOLUME": ("Hot Contracts by Volume", lambda quote: int(quote.volume)),
    "HIGH_OPEN_GAP": ("Top Close-to-Open % Gainers", lambda q: (q.open - q.close) * 1_000_000 // q.close),
    "LOW_OPEN_GAP": ("Top Close-to-Open % Losers", lambda q: (q.close - q.open) * 1_000_000 // q.close),
    "TOP_PRICE_RANGE": ("Top Price Range", lambda quote: quote.high - quote.low),
}


def parameters() -> str:
    """Return the XML of reqScannerParameters."""
    groups = {
        "InstrumentList": "".join(
            f"<Instrument><name>{escape(name)}</name><type>{code}</type></Instrument>"
            for code, name in INSTRUMENTS.items()
        ),
        "LocationTree": "".join(
            f"<Location><displayName>{escape(name)}</displayName><locationCode>{code}</locationCode></Location>"
            for code, name in LOCATIONS.items()
        ),
        "ScanTypeList": "".join(
            f"<ScanType><displayName>{escape(name)}</displayName><scanCode>{code}</scanCode></ScanType>"
            for code, (name, _) in CODES.items()
        ),
    }
    body = "".join(f"<{tag}>{content}</{tag}>" for tag, content in groups.items())
    return f'<?xml version="1.0" encoding="UTF-8"?>\n<ScanParameterResponse>{body}</ScanParameterResponse>\n'


class Scan:
    """One scanner subscription: its rows now and again every 30 s."""

    def __init__(self, session: ClientSession, reqId: int, wanted: structs.ScannerSubscription) -> None:
        self._session, self._reqId, self._wanted = session, reqId, wanted
        self._timer = Timer(session.gateway.clock, AGAIN_NS, self.tell)
        self._items = [item for item in self._candidates() if self._fits_type(item)]

    def _candidates(self) -> list[Instrument]:
        universe = self._session.gateway.universe
        kind = self._wanted.instrument.partition(".")[0]
        if kind == "FUT":
            fronts = (universe.find(ContractQuery(symbol=symbol, secType="FUT")) for symbol in reference.FUTURES)
            return [found[0] for found in fronts if found]
        table = reference.INDEXES if kind == "IND" else reference.STOCKS
        secType = "IND" if kind == "IND" else "STK"
        found = (universe.find(ContractQuery(symbol=symbol, secType=secType)) for symbol in table)
        return [item for items in found for item in items]

    def _fits_type(self, item: Instrument) -> bool:
        kind = self._wanted.instrument.partition(".")[0]
        filter_ = self._wanted.stockTypeFilter.upper()
        etf = item.stockType == "ETF"
        if kind == "ETF" or filter_ in ("ETF", "STOCK"):
            return etf == (kind == "ETF" or filter_ == "ETF")
        return True

    def tell(self) -> None:
        """Send the rows."""
        session, wanted = self._session, self._wanted
        market, today = session.gateway.market, session.gateway.universe.today
        key = CODES[wanted.scanCode][1]
        rated = []
        for item in self._items:
            quote = market.quote(item)
            price = item.float_price(quote.last)
            above, below = wanted.abovePrice, wanted.belowPrice
            too_low = above is not None and price < above
            too_high = below is not None and price > below
            too_quiet = wanted.aboveVolume is not None and quote.volume < wanted.aboveVolume
            if not (too_low or too_high or too_quiet):
                rated.append((-key(quote), item.symbol, item))
        rows = wanted.numberOfRows
        count = MAX_ROWS if rows is None or not 0 < rows <= MAX_ROWS else rows
        rated.sort(key=lambda entry: entry[:2])
        elements = [row(rank, item, today) for rank, (_, _, item) in enumerate(rated[:count])]
        session.send(incoming.ScannerData(self._reqId, elements))

    def after_fill(self, fill: Fill) -> None:
        """Nothing to do with it."""

    def close(self) -> None:
        """Stop."""
        self._timer.close()


def row(rank: int, item: Instrument, today: date) -> structs.ScanData:
    """One row: of its details a scan says little."""
    details = structs.ContractDetails(contract=replies.contract_of(item), marketName=item.marketName)
    return structs.ScanData(rank, details, "", "", "", "")


# ---------------------------------------------------------------------------------------------- requests


def req_scanner_parameters(session: ClientSession, message: outgoing.ReqScannerParameters) -> None:
    session.send(incoming.ScannerParameters(parameters()))


def req_scanner_subscription(session: ClientSession, message: outgoing.ReqScannerSubscription) -> None:
    reqId, wanted = message.reqId, message.subscription
    if session.has_feed(SCAN, reqId):
        session.error(reqId, 322, f"Request id {reqId} is in use for a scan")
    elif wanted.scanCode not in CODES or wanted.instrument not in INSTRUMENTS:
        what = f"'{wanted.scanCode}' of '{wanted.instrument}'"
        session.error(reqId, FAILED, f"The scanner does not know {what}: see the scanner parameters")
    elif session.count_feeds(SCAN) >= MAX_SCANS:
        session.error(reqId, FAILED, f"The limit of {MAX_SCANS} scans is reached")
    else:
        scan = Scan(session, reqId, wanted)
        session.add_feed(SCAN, reqId, scan)
        scan.tell()


def cancel_scanner_subscription(session: ClientSession, message: outgoing.CancelScannerSubscription) -> None:
    if not session.drop_feed(SCAN, message.reqId):
        session.error(message.reqId, 365, f"No scan has the id {message.reqId}")


HANDLERS: Handlers = {
    outgoing.ReqScannerParameters: req_scanner_parameters,
    outgoing.ReqScannerSubscription: req_scanner_subscription,
    outgoing.CancelScannerSubscription: cancel_scanner_subscription,
}
