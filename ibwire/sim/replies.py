"""From the simulated world to messages and back: contracts, details, orders, executions. Pure functions.

Everything that a message says about an order comes from the client's own `Order` (it is echoed, as a gateway does) with
the fields that the gateway decides laid over it.
"""

from __future__ import annotations

from collections.abc import Callable
from copy import copy
from dataclasses import fields
from datetime import date
from decimal import Decimal, InvalidOperation
from operator import attrgetter
from typing import Any

from ibwire.sim.account import BASE_CURRENCY, MAINTENANCE_SHARE, PortfolioItem, SimAccount
from ibwire.sim.clock import utc_text, zoned_text
from ibwire.sim.exact import EXACT, ZERO, cents
from ibwire.sim.instruments import ContractQuery, Instrument
from ibwire.sim.opening import parse_time
from ibwire.sim.orders import (
    CANCELLED,
    FILLED,
    INACTIVE,
    ON_REQUEST,
    PRE_SUBMITTED,
    PRICE_CONDITION,
    TIME_CONDITION,
    Commission,
    Condition,
    Fill,
    OrderRequest,
    OrderSnapshot,
    WhatIf,
)
from ibwire.sim.refusals import ATTRIBUTES, TRAIL_TYPES
from ibwire.types import incoming, outgoing, structs

# Below this version times carry two spaces and no zone.
ZONED_TIMES = 173
NO_REQUEST = -1
_DEFAULT_ORDER = structs.Order()
_ORDER_VALUES = attrgetter(*(one.name for one in fields(structs.Order)))
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


Find = Callable[[structs.Contract], Instrument | None]


def order_request(
    message: outgoing.PlaceOrder, clientId: int, instrument: Instrument | None, find: Find, now_ns: int
) -> OrderRequest:
    """A placeOrder as matching sees it; the message itself is the tag. `find` looks up what a condition names."""
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
        auxPrice=decimal_of(order.auxPrice),
        trailStopPrice=decimal_of(order.trailStopPrice),
        trailingPercent=decimal_of(order.trailingPercent),
        lmtPriceOffset=decimal_of(order.lmtPriceOffset),
        triggerMethod=order.triggerMethod,
        cashQty=decimal_of(order.cashQty),
        outsideRth=order.outsideRth,
        good_till_ns=_time(order.goodTillDate, now_ns) if order.tif == "GTD" else 0,
        good_after_ns=_time(order.goodAfterTime, now_ns),
        parentId=order.parentId,
        ocaGroup=order.ocaGroup,
        ocaType=order.ocaType,
        conditions=tuple(_condition(condition, find, now_ns) for condition in order.conditions),
        conditionsIgnoreRth=order.conditionsIgnoreRth,
        conditionsCancelOrder=order.conditionsCancelOrder,
        extras=tuple(name for name in ATTRIBUTES if not _is_unset(name, getattr(order, name))),
        algoStrategy=order.algoStrategy,
        algoParams=tuple((param.tag, param.value) for param in order.algoParams),
    )


def _time(text: str, now_ns: int) -> int:
    """A time text as ns, 0 when empty, -1 when it names no time."""
    if not text:
        return 0
    moment = parse_time(text, now_ns)
    return -1 if moment is None else moment


def _is_unset(name: str, value: Any) -> bool:
    if name == "orderComboLegs":  # one for each leg, also where no leg has a price
        return all(leg.price is None for leg in value)
    return not value or value == getattr(_DEFAULT_ORDER, name)


def _condition(condition: structs.OrderCondition, find: Find, now_ns: int) -> Condition:
    kind, more = condition.condType, bool(condition.isMore)
    if kind == TIME_CONDITION:
        moment = parse_time(condition.time, now_ns)
        problem = "its time is not of the form yyyymmdd hh:mm:ss zone" if moment is None else ""
        return Condition(kind, more, condition.isConjunctionConnection, time_ns=moment or 0, problem=problem)
    if kind == PRICE_CONDITION:
        item = find(structs.Contract(conId=condition.conId or 0, exchange=condition.exchange))
        price = decimal_of(condition.price)
        return Condition(
            kind,
            more,
            condition.isConjunctionConnection,
            instrument=item,
            price=price or ZERO,
            triggerMethod=condition.triggerMethod or 0,
            problem="no contract fits it" if item is None else "",
        )
    return Condition(kind, more, condition.isConjunctionConnection)


def order_contract(snapshot: OrderSnapshot) -> structs.Contract:
    """The contract of an order; a combination has the client's legs, and no contract id."""
    return _with_legs(contract_of(snapshot.instrument), snapshot.request)


def _with_legs(contract: structs.Contract, request: OrderRequest) -> structs.Contract:
    if contract.secType == "BAG" and isinstance(request.tag, outgoing.PlaceOrder):
        contract.conId = 0
        contract.comboLegs = [copy(leg) for leg in request.tag.contract.comboLegs]
        signed = ((leg.conId, -leg.ratio if leg.action == "SELL" else leg.ratio) for leg in contract.comboLegs)
        contract.comboLegsDescrip = ",".join(f"{conId}|{ratio}" for conId, ratio in signed)
    return contract


def _placed(request: OrderRequest) -> structs.Order:
    tag = request.tag
    if not isinstance(tag, outgoing.PlaceOrder):
        return structs.Order()
    order = tag.order
    return structs.Order(*_ORDER_VALUES(order)) if type(order) is structs.Order else copy(order)  # 4 times faster


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
    order.parentId, order.parentPermId = request.parentId, snapshot.parentPermId
    if snapshot.ocaGroup:
        order.ocaGroup, order.ocaType = snapshot.ocaGroup, snapshot.ocaType
    if snapshot.stopPrice is not None and request.orderType in TRAIL_TYPES:
        order.trailStopPrice = float(snapshot.stopPrice)
    return order


def order_state(snapshot: OrderSnapshot) -> structs.OrderState:
    """The orderState of an order as it is."""
    state = structs.OrderState(status=snapshot.status)
    if snapshot.commission is not None:
        state.commissionAndFees = float(snapshot.commission)
        state.commissionAndFeesCurrency = snapshot.instrument.currency
    if snapshot.status == INACTIVE:
        state.rejectReason = snapshot.reason
    return state


def open_order(snapshot: OrderSnapshot) -> incoming.OpenOrder:
    """openOrder; it has the commission once a report went out."""
    contract = order_contract(snapshot)
    return incoming.OpenOrder(snapshot.orderId, contract, order_of(snapshot), order_state(snapshot))


def order_status(snapshot: OrderSnapshot) -> incoming.OrderStatus:
    """orderStatus."""
    return incoming.OrderStatus(
        orderId=snapshot.orderId,
        status=snapshot.status,
        filled=snapshot.filled,
        remaining=snapshot.remaining,
        avgFillPrice=float(snapshot.avgFillPrice),
        permId=snapshot.permId,
        parentId=snapshot.request.parentId,
        lastFillPrice=float(snapshot.lastFillPrice),
        clientId=snapshot.clientId,
        whyHeld=snapshot.whyHeld,
        mktCapPrice=float(snapshot.mktCapPrice),
    )


def completed_order(snapshot: OrderSnapshot, server_version: int) -> incoming.CompletedOrder:
    """completedOrder: the order keeps its permId, no order id."""
    order = order_of(snapshot)
    order.orderId = 0
    order.filledQuantity = snapshot.filled
    if snapshot.status == FILLED:
        word = f"Filled Size: {snapshot.filled}"
    elif snapshot.status == CANCELLED:
        word = "Cancelled by Trader" if snapshot.reason == ON_REQUEST else "Cancelled by System"
    else:
        word = "Rejected by System"
    state = order_state(snapshot)
    state.completedTime, state.completedStatus = time_text(snapshot.changed_ns, server_version), word
    return incoming.CompletedOrder(order_contract(snapshot), order, state)


def what_if(event: WhatIf, account: SimAccount) -> incoming.OpenOrder:
    """The openOrder that answers a what-if order: margins before, change and after."""
    totals = account.totals()
    before = (totals.init_margin, EXACT.multiply(totals.init_margin, MAINTENANCE_SHARE), totals.net_liquidation)
    changes = (event.init_margin_change, event.maint_margin_change, event.equity_change)
    after = [EXACT.add(value, change) for value, change in zip(before, changes, strict=True)]
    order = _placed(event.request)
    order.orderId, order.clientId = event.request.orderId, event.request.clientId
    order.account = event.request.account or account.account
    order.totalQuantity = event.request.totalQuantity
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
        marginCurrency=BASE_CURRENCY,
        warningText=event.warning,
    )
    contract = _with_legs(contract_of(event.instrument), event.request)
    return incoming.OpenOrder(event.request.orderId, contract, order, state)


# ---------------------------------------------------------------------------------------------- fills, positions


def exec_details(fill: Fill, server_version: int, reqId: int = NO_REQUEST) -> incoming.ExecDetails:
    """execDetails; live ones carry request id -1."""
    order = fill.order
    return incoming.ExecDetails(
        reqId,
        contract_of(fill.instrument) if fill.leg is not None else order_contract(order),
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
            evRule=fill.instrument.evRule,
            evMultiplier=float(fill.instrument.evMultiplier),
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
