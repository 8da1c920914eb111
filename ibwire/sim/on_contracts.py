"""Requests about contracts: details, search, chains, market rules."""

from __future__ import annotations

from decimal import Decimal

from ibwire.sim import replies
from ibwire.sim.client import ClientSession, Handlers
from ibwire.sim.instruments import ContractQuery, Instrument
from ibwire.sim.on_market import BBO_EXCHANGE
from ibwire.sim.reference import US_STOCK_EXCHANGES
from ibwire.types import incoming, outgoing, structs

_DERIVATIVES = {"STK": ["CFD", "OPT"], "IND": ["FUT", "OPT"]}
_DEPTH = (
    ("STK", "ARCA BATS BEX BYX CHX DRCTEDGE EDGEA IEX ISLAND MEMX NASDAQ NYSE PSX", "Deep2"),
    ("FUT", "CBOT CME COMEX NYMEX", "Deep"),
    ("OPT", "AMEX BOX CBOE ISE PHLX", "Deep"),
    ("CASH", "IDEALPRO", "Deep"),
    ("CRYPTO", "PAXOS", "Deep"),
)


def req_contract_details(session: ClientSession, message: outgoing.ReqContractDetails) -> None:
    gateway = session.gateway
    found = gateway.find(message.contract)
    if not found:
        session.error(message.reqId, 200, "No security definition fits this contract")
        return
    for item in found:
        session.send(incoming.ContractData(message.reqId, replies.details_of(item, gateway.universe.today)))
    session.send(incoming.ContractDetailsEnd(message.reqId))


def req_matching_symbols(session: ClientSession, message: outgoing.ReqMatchingSymbols) -> None:
    hits = []
    for item in session.gateway.universe.search(message.pattern):
        contract = structs.Contract(
            conId=item.conId,
            symbol=item.symbol,
            secType=item.secType,
            primaryExchange=item.primaryExchange or item.exchange,
            currency=item.currency,
            description=item.longName,
        )
        hits.append(structs.ContractDescription(contract, list(_DERIVATIVES.get(item.secType, []))))
    session.send(incoming.SymbolSamples(message.reqId, hits))


def req_sec_def_opt_params(session: ClientSession, message: outgoing.ReqSecDefOptParams) -> None:
    """The listed options of a stock or index; options on futures do not exist here."""
    reqId = message.reqId
    under = session.gateway.universe.by_con_id(message.underlyingConId)
    found: tuple[Instrument, ...] = ()
    if under is not None and not message.futFopExchange and message.underlyingSymbol in ("", under.symbol):
        found = session.gateway.universe.find(ContractQuery(symbol=under.symbol, secType="OPT"))
    if under is None or not found or message.underlyingSecType not in ("", under.secType):
        session.error(reqId, 200, "No option chain fits this underlying")
        return
    first = found[0]
    expirations = sorted({item.lastTradeDateOrContractMonth for item in found})
    strikes: list[Decimal] = sorted({item.strike for item in found})
    for exchange in first.validExchanges.split(","):
        session.send(
            incoming.SecurityDefinitionOptionParameter(
                reqId,
                exchange,
                message.underlyingConId,
                first.tradingClass,
                first.multiplier,
                list(expirations),
                [float(strike) for strike in strikes],
            )
        )
    session.send(incoming.SecurityDefinitionOptionParameterEnd(reqId))


def req_market_rule(session: ClientSession, message: outgoing.ReqMarketRule) -> None:
    steps = session.gateway.universe.market_rule(message.marketRuleId)
    if steps is None:
        session.error(-1, 321, f"Invalid request: there is no market rule {message.marketRuleId}")
        return
    increments = [structs.PriceIncrement(float(edge), float(step)) for edge, step in steps]
    session.send(incoming.MarketRule(message.marketRuleId, increments))


def req_smart_components(session: ClientSession, message: outgoing.ReqSmartComponents) -> None:
    if message.bboExchange != BBO_EXCHANGE:
        session.error(message.reqId, 321, f"Invalid request: there is no exchange map '{message.bboExchange}'")
        return
    venues = US_STOCK_EXCHANGES.split(",")[1:]
    components = [structs.SmartComponent(bit, venue, chr(ord("A") + bit)) for bit, venue in enumerate(venues)]
    session.send(incoming.SmartComponents(message.reqId, components))


def req_mkt_depth_exchanges(session: ClientSession, message: outgoing.ReqMktDepthExchanges) -> None:
    rows = [
        structs.DepthMktDataDescription(exchange, secType, "", service, None)
        for secType, exchanges, service in _DEPTH
        for exchange in exchanges.split()
    ]
    session.send(incoming.MktDepthExchanges(rows))


HANDLERS: Handlers = {
    outgoing.ReqMktDepthExchanges: req_mkt_depth_exchanges,
    outgoing.ReqContractDetails: req_contract_details,
    outgoing.ReqMatchingSymbols: req_matching_symbols,
    outgoing.ReqSecDefOptParams: req_sec_def_opt_params,
    outgoing.ReqMarketRule: req_market_rule,
    outgoing.ReqSmartComponents: req_smart_components,
}
