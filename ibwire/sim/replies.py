"""From the simulated world to messages and back: contracts, details, orders, executions. Pure functions.

Everything that a message says about an order comes from the client's own `Order` (it is echoed, as a gateway does) with
the fields that the gateway decides laid over it.
"""

from __future__ import annotations

from copy import copy
from datetime import date
from decimal import Decimal, InvalidOperation

from ibwire.sim.account import MAINTENANCE_SHARE, PortfolioItem, SimAccount
from ibwire.sim.clock import utc_text, zoned_text
from ibwire.sim.exact import EXACT, ZERO, cents
from ibwire.sim.instruments import ContractQuery, Instrument
from ibwire.sim.orders import (
    CANCELLED,
    FILLED,
    PRE_SUBMITTED,
    Commission,
    Fill,
    OrderRequest,
    OrderSnapshot,
    WhatIf,
)
from ibwire.types import incoming, outgoing, structs

# Below this version times carry two spaces and no zone.
ZONED_TIMES = 173
NO_REQUEST = -1
_NOT_SET = 1.7976931348623157e308
_RIGHTS = {"CALL": "C", "PUT": "P", "C": "C", "P": "P"}
_NO_RIGHT = frozenset({"", "?", "0"})


def decimal_of(value: float | int | Decimal | None) -> Decimal | None:
    """A number of a message as the shortest Decimal that stands for it; None for none or no finite number."""
    if value is None:
        return None
    try:
        number = value if isinstance(value, Decimal) else Decimal(repr(value))
    except InvalidOperation:
        return None
    return number if number.is_finite() else None


def query_of(contract: structs.Contract) -> ContractQuery:
    """What a client's contract asks for."""
    right = contract.right.upper()
    return ContractQuery(
        conId=contract.conId,
        symbol=contract.symbol,
        secType=contract.secType,
        lastTradeDateOrContractMonth=contract.lastTradeDateOrContractMonth,
        strike=decimal_of(contract.strike) or ZERO,
        right="" if right in _NO_RIGHT else _RIGHTS.get(right, right),
        multiplier=contract.multiplier,
        exchange=contract.exchange,
        primaryExchange=contract.primaryExchange,
        currency=contract.currency,
        localSymbol=contract.localSymbol,
        tradingClass=contract.tradingClass,
    )


def contract_of(item: Instrument, exchange: str | None = None) -> structs.Contract:
    """The contract of an instrument; `exchange` replaces the one it is routed to."""
    return structs.Contract(
        conId=item.conId,
        symbol=item.symbol,
        secType=item.secType,
        lastTradeDateOrContractMonth=item.lastTradeDateOrContractMonth,
        strike=float(item.strike),
        right=item.right,
        multiplier=item.multiplier,
        exchange=item.exchange if exchange is None else exchange,
        currency=item.currency,
        localSymbol=item.localSymbol,
        tradingClass=item.tradingClass,
    )


def details_of(item: Instrument, today: date) -> structs.ContractDetails:
    """The contract details of an instrument, with hours from `today` on."""
    contract = contract_of(item)
    contract.primaryExchange = item.primaryExchange
    return structs.ContractDetails(
        contract=contract,
        marketName=item.marketName,
        minTick=float(item.minTick),
        orderTypes=item.orderTypes,
        validExchanges=item.validExchanges,
        priceMagnifier=item.priceMagnifier,
        underConId=item.underConId,
        longName=item.longName,
        contractMonth=item.contractMonth,
        industry=item.industry,
        category=item.category,
        subcategory=item.subcategory,
        timeZoneId=item.timeZoneId,
        tradingHours=item.tradingHours(today),
        liquidHours=item.liquidHours(today),
        evRule=item.evRule,
        evMultiplier=item.evMultiplier,
        aggGroup=item.aggGroup,
        underSymbol=item.underSymbol,
        underSecType=item.underSecType,
        marketRuleIds=item.marketRuleIds,
        realExpirationDate=item.realExpirationDate,
        stockType=item.stockType,
        minSize=item.minSize,
        sizeIncrement=item.sizeIncrement,
        suggestedSizeIncrement=item.suggestedSizeIncrement,
    )


def time_text(time_ns: int, server_version: int) -> str:
    """A time as this version's clients expect it in executions and completed orders."""
    return zoned_text(time_ns) if server_version >= ZONED_TIMES else utc_text(time_ns).replace("-", "  ")


# ---------------------------------------------------------------------------------------------- orders


def order_request(message: outgoing.PlaceOrder, clientId: int, instrument: Instrument | None) -> OrderRequest:
    """A placeOrder as matching sees it; the message itself is the tag."""
    order = message.order
    return OrderRequest(
        clientId=clientId,
        orderId=message.orderId,
        instrument=instrument,
        action=order.action,
        orderType=order.orderType,
        totalQuantity=decimal_of(order.totalQuantity) or ZERO,  # old layouts carry whole numbers
        lmtPrice=decimal_of(order.lmtPrice),
        tif=order.tif,
        account=order.account,
        orderRef=order.orderRef,
        transmit=order.transmit,
        whatIf=order.whatIf,
        tag=message,
    )


def _placed(request: OrderRequest) -> structs.Order:
    tag = request.tag
    return copy(tag.order) if isinstance(tag, outgoing.PlaceOrder) else structs.Order()


def order_of(snapshot: OrderSnapshot) -> structs.Order:
    """The client's order as the gateway tells it back."""
    request = snapshot.request
    order = _placed(request)
    order.orderId, order.clientId, order.permId = snapshot.orderId, snapshot.clientId, snapshot.permId
    order.account = snapshot.account
    order.tif = order.tif or "DAY"
    order.totalQuantity = request.totalQuantity
    # A gateway names every price; one that the order type does not use is 0.
    order.lmtPrice = order.lmtPrice or 0.0
    order.auxPrice = order.auxPrice or 0.0
    return order


def open_order(snapshot: OrderSnapshot, fees: tuple[Decimal, str] | None = None) -> incoming.OpenOrder:
    """openOrder; `fees` is (commission so far, currency) once a report went out."""
    state = structs.OrderState(status=snapshot.status)
    if fees is not None:
        state.commissionAndFees, state.commissionAndFeesCurrency = float(fees[0]), fees[1]
    return incoming.OpenOrder(snapshot.orderId, contract_of(snapshot.instrument), order_of(snapshot), state)


def order_status(snapshot: OrderSnapshot) -> incoming.OrderStatus:
    """orderStatus."""
    return incoming.OrderStatus(
        orderId=snapshot.orderId,
        status=snapshot.status,
        filled=snapshot.filled,
        remaining=snapshot.remaining,
        avgFillPrice=float(snapshot.avgFillPrice),
        permId=snapshot.permId,
        parentId=_placed(snapshot.request).parentId,
        lastFillPrice=float(snapshot.lastFillPrice),
        clientId=snapshot.clientId,
        whyHeld="",
        mktCapPrice=0.0,
    )


def completed_order(snapshot: OrderSnapshot, server_version: int) -> incoming.CompletedOrder:
    """completedOrder: the order keeps its permId, no order id."""
    order = order_of(snapshot)
    order.orderId = 0
    order.filledQuantity = snapshot.filled
    words = {FILLED: f"Filled Size: {snapshot.filled}", CANCELLED: "Cancelled by Trader"}
    state = structs.OrderState(
        status=snapshot.status,
        completedTime=time_text(snapshot.changed_ns, server_version),
        completedStatus=words.get(snapshot.status, "Rejected by System"),
    )
    return incoming.CompletedOrder(contract_of(snapshot.instrument), order, state)


def what_if(event: WhatIf, account: SimAccount) -> incoming.OpenOrder:
    """The openOrder that answers a what-if order: margins before, change and after."""
    totals = account.totals()
    before = (totals.init_margin, EXACT.multiply(totals.init_margin, MAINTENANCE_SHARE), totals.net_liquidation)
    changes = (event.init_margin_change, event.maint_margin_change, event.equity_change)
    after = [EXACT.add(value, change) for value, change in zip(before, changes, strict=True)]
    order = _placed(event.request)
    order.orderId, order.clientId = event.request.orderId, event.request.clientId
    order.account = event.request.account or account.account
    text = [str(cents(value)) for value in (*before, *changes, *after)]
    state = structs.OrderState(
        status=PRE_SUBMITTED,
        initMarginBefore=text[0],
        maintMarginBefore=text[1],
        equityWithLoanBefore=text[2],
        initMarginChange=text[3],
        maintMarginChange=text[4],
        equityWithLoanChange=text[5],
        initMarginAfter=text[6],
        maintMarginAfter=text[7],
        equityWithLoanAfter=text[8],
        commissionAndFees=float(event.commission),
        minCommissionAndFees=float(event.commission),
        maxCommissionAndFees=float(event.commission),
        commissionAndFeesCurrency=event.instrument.currency,
    )
    return incoming.OpenOrder(event.request.orderId, contract_of(event.instrument), order, state)


# ---------------------------------------------------------------------------------------------- fills, positions


def exec_details(fill: Fill, server_version: int, reqId: int = NO_REQUEST) -> incoming.ExecDetails:
    """execDetails; live ones carry request id -1."""
    order = fill.order
    return incoming.ExecDetails(
        reqId,
        contract_of(order.instrument),
        structs.Execution(
            execId=fill.execId,
            time=time_text(fill.time_ns, server_version),
            acctNumber=order.account,
            exchange=fill.exchange,
            side=fill.side,
            shares=fill.qty,
            price=float(fill.price),
            permId=order.permId,
            clientId=order.clientId,
            orderId=order.orderId,
            cumQty=fill.cumQty,
            avgPrice=float(fill.avgPrice),
            orderRef=order.request.orderRef,
            lastLiquidity=fill.lastLiquidity,
        ),
    )


def commission_report(event: Commission) -> incoming.CommissionAndFeesReport:
    """commissionAndFeesReport; what does not apply carries the wire's word for "not set"."""
    return incoming.CommissionAndFeesReport(
        structs.CommissionAndFeesReport(
            execId=event.execId,
            commissionAndFees=float(event.commission),
            currency=event.currency,
            realizedPNL=_NOT_SET if event.realizedPNL is None else float(event.realizedPNL),
            yield_=_NOT_SET,
        )
    )


def position(item: PortfolioItem) -> incoming.Position:
    """position; its contract names no exchange."""
    return incoming.Position(item.account, contract_of(item.instrument, ""), item.position, float(item.averageCost))


def portfolio_line(item: PortfolioItem) -> incoming.UpdatePortfolio:
    """updatePortfolio."""
    contract = contract_of(item.instrument, "")
    contract.primaryExchange = item.instrument.primaryExchange or item.instrument.exchange
    return incoming.UpdatePortfolio(
        contract,
        item.position,
        float(item.marketPrice),
        float(item.marketValue),
        float(item.averageCost),
        float(item.unrealizedPNL),
        float(item.realizedPNL),
        item.account,
    )
