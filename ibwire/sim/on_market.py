"""Requests about quotes: market data lines and snapshots."""

from __future__ import annotations

from ibwire.sim import generics
from ibwire.sim.client import ClientSession, Handlers
from ibwire.sim.instruments import Instrument
from ibwire.sim.lines import BBO_EXCHANGE, DELAYED, DELAYED_FROZEN, FROZEN, LINE, LIVE, MarketDataLine
from ibwire.types import incoming, outgoing

__all__ = ["BBO_EXCHANGE", "HANDLERS", "LINE", "MAX_LINES", "REGULATORY_FEE_CENTS"]

MAX_LINES = 100
REGULATORY_FEE_CENTS = 1
NOT_SUBSCRIBED, SHOWN_DELAYED = 354, 10167


def req_mkt_data(session: ClientSession, message: outgoing.ReqMktData) -> None:
    reqId = message.reqId
    generic, wrong = generics.numbers_of(message.genericTickList)
    if session.has_feed(LINE, reqId):
        session.error(reqId, 102, f"Request id {reqId} is in use for market data")
    elif message.snapshot and (generic or wrong):
        session.error(reqId, 414, "A snapshot cannot have generic ticks")
    elif wrong:
        session.error(reqId, 321, f"Invalid request: '{wrong}' is no generic tick")
    else:
        start_line(session, message, generic)


def start_line(session: ClientSession, message: outgoing.ReqMktData, generic: frozenset[int]) -> None:
    reqId, gateway = message.reqId, session.gateway
    item = gateway.resolve(message.contract)
    if item is None:
        session.error(reqId, 200, "No security definition fits this contract, or several do")
        return
    if item.secType == "CFD":
        # The underlying has the data: the client is to ask for that.
        session.send(incoming.RerouteMktDataReq(reqId, item.underConId, item.exchange))
        return
    if message.regulatorySnapshot:
        if item.secType != "STK" or item.currency != "USD":
            session.error(reqId, 321, "Invalid request: regulatory snapshots are of US stocks only")
            return
        gateway.regulatory_snapshots += 1
    data_type = LIVE if message.regulatorySnapshot else type_of(session, item, reqId)
    if data_type is None:
        return
    if session.count_feeds(LINE) >= gateway.max_lines:
        session.error(reqId, 101, f"The limit of {gateway.max_lines} market data lines is reached")
        return
    line = MarketDataLine(session, reqId, item, generic, data_type)
    session.add_feed(LINE, reqId, line)
    line.start(message.snapshot or message.regulatorySnapshot)


def type_of(session: ClientSession, item: Instrument, reqId: int) -> int | None:
    """Which type of data a line gets, None after an error: live data wherever permitted, whatever was asked for."""
    asked, gateway = session.market_data_type, session.gateway
    closed = not gateway.market.is_open(item)
    if not {"*", item.symbol, item.localSymbol} & gateway.without_live:
        return FROZEN if closed and asked in (FROZEN, DELAYED_FROZEN) else LIVE
    if asked in (LIVE, FROZEN):
        text = "Market data is not subscribed for this contract; delayed data is there with market data type 3"
        session.error(reqId, NOT_SUBSCRIBED, text)
        return None
    session.error(reqId, SHOWN_DELAYED, "Market data is not subscribed for this contract: delayed data is shown")
    return DELAYED_FROZEN if closed and asked == DELAYED_FROZEN else DELAYED


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
