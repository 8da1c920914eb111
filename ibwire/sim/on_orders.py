"""Requests about orders and executions, and what matching says about them as messages."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from ibwire.sim import replies
from ibwire.sim.client import ClientSession, Handlers
from ibwire.sim.clock import utc_text
from ibwire.sim.orders import (
    CANCELLED,
    PENDING_CANCEL,
    Accepted,
    Cancelled,
    CancelRefused,
    Commission,
    Fill,
    Modified,
    OrderEvent,
    OrderSnapshot,
    Rejected,
    StatusChange,
    WhatIf,
)
from ibwire.types import incoming, outgoing, structs

if TYPE_CHECKING:
    from ibwire.sim.gateway import Gateway

# A cancel is told by orderStatus alone; every other change comes with openOrder before it.
_STATUS_ONLY = frozenset({PENDING_CANCEL, CANCELLED})
MAX_DIGITS = 15  # of an order size before the point; arithmetic beyond is a way to keep a gateway busy
_SIDES = {"BUY": "BOT", "SELL": "SLD"}


# ---------------------------------------------------------------------------------------------- events


def client_of(event: OrderEvent) -> int:
    """Whose order an event is about."""
    if isinstance(event, Rejected | CancelRefused | Commission):
        return event.clientId
    if isinstance(event, WhatIf):
        return event.request.clientId
    return event.order.clientId


def tell(session: ClientSession, event: OrderEvent) -> None:
    """Send what one event of matching means to the client that owns the order."""
    if isinstance(event, StatusChange):
        order = event.order
        if order.status not in _STATUS_ONLY:
            session.send(replies.open_order(order, session.gateway.fees(order.permId)))
        session.send(replies.order_status(order))
    elif isinstance(event, Fill):
        session.send(replies.exec_details(event, session.server_version))
    elif isinstance(event, Commission):
        session.send(replies.commission_report(event))
    elif isinstance(event, Cancelled):
        if event.code:
            session.error(event.order.orderId, event.code, event.text)
    elif isinstance(event, Rejected | CancelRefused):
        session.error(event.orderId, event.code, event.text)
    elif isinstance(event, WhatIf):
        session.send(replies.what_if(event, session.gateway.trading_account))
    else:
        # Both are followed by a StatusChange that says it all.
        assert isinstance(event, Accepted | Modified)


def open_orders(gateway: Gateway, orders: Iterable[OrderSnapshot]) -> Iterable[Any]:
    """Return openOrder and orderStatus of each order."""
    for order in orders:
        yield replies.open_order(order, gateway.fees(order.permId))
        yield replies.order_status(order)


# ---------------------------------------------------------------------------------------------- requests


def place_order(session: ClientSession, message: outgoing.PlaceOrder) -> None:
    gateway, size = session.gateway, replies.decimal_of(message.order.totalQuantity)
    if size is not None and is_absurd(size):
        session.error(message.orderId, 321, "Invalid request: the order size is absurd")
        return
    gateway.engine.place(replies.order_request(message, session.owner(), gateway.resolve(message.contract)))


def is_absurd(size: Decimal) -> bool:
    return size.adjusted() > MAX_DIGITS or len(size.as_tuple().digits) > 2 * MAX_DIGITS


def cancel_order(session: ClientSession, message: outgoing.CancelOrder) -> None:
    session.gateway.engine.cancel(session.owner(), message.orderId)


def req_global_cancel(session: ClientSession, message: outgoing.ReqGlobalCancel) -> None:
    session.gateway.engine.cancel_all()


def req_open_orders(session: ClientSession, message: outgoing.ReqOpenOrders) -> None:
    send_open_orders(session, session.owner())


def req_all_open_orders(session: ClientSession, message: outgoing.ReqAllOpenOrders) -> None:
    send_open_orders(session, None)


def send_open_orders(session: ClientSession, clientId: int | None) -> None:
    gateway = session.gateway
    for message in open_orders(gateway, gateway.engine.open_orders(clientId)):
        session.send(message)
    session.send(incoming.OpenOrderEnd())


def req_auto_open_orders(session: ClientSession, message: outgoing.ReqAutoOpenOrders) -> None:
    """Binds orders typed in by hand, of which there are none here: client 0 gets no answer, as with a real gateway."""
    if session.clientId != 0:
        session.error(-1, 327, "Only client id 0 may bind orders automatically")


def req_completed_orders(session: ClientSession, message: outgoing.ReqCompletedOrders) -> None:
    for order in session.gateway.engine.completed_orders():
        session.send(replies.completed_order(order, session.server_version))
    session.send(incoming.CompletedOrdersEnd())


def req_executions(session: ClientSession, message: outgoing.ReqExecutions) -> None:
    gateway = session.gateway
    for fill in gateway.engine.executions():
        if passes(message.execFilter, fill):
            session.send(replies.exec_details(fill, session.server_version, message.reqId))
            report = gateway.commissions.get(fill.execId)
            if report is not None:
                session.send(replies.commission_report(report))
    session.send(incoming.ExecDetailsEnd(message.reqId))


def passes(wanted: structs.ExecutionFilter, fill: Fill) -> bool:
    """True when an execution is one of those asked for; what is empty or 0 asks for nothing."""
    order = fill.order
    item, day = order.instrument, utc_text(fill.time_ns)
    # `yyyymmdd hh:mm:ss [zone]` and `yyyymmdd-hh:mm:ss`, both taken as UTC, compare as text once alike.
    since = wanted.time[:17].replace(" ", "-", 1)
    return (
        wanted.clientId in (0, order.clientId)
        and wanted.acctCode in ("", order.account)
        and wanted.symbol in ("", item.symbol)
        and wanted.secType in ("", item.secType)
        and wanted.exchange in ("", fill.exchange)
        and _SIDES.get(wanted.side, wanted.side) in ("", fill.side)
        and day >= since
        and (not wanted.specificDates or int(day[:8]) in wanted.specificDates)
    )


def req_ids(session: ClientSession, message: outgoing.ReqIds) -> None:
    session.send(incoming.NextValidId(session.gateway.engine.next_valid_id(session.owner())))


HANDLERS: Handlers = {
    outgoing.PlaceOrder: place_order,
    outgoing.CancelOrder: cancel_order,
    outgoing.ReqGlobalCancel: req_global_cancel,
    outgoing.ReqOpenOrders: req_open_orders,
    outgoing.ReqAllOpenOrders: req_all_open_orders,
    outgoing.ReqAutoOpenOrders: req_auto_open_orders,
    outgoing.ReqCompletedOrders: req_completed_orders,
    outgoing.ReqExecutions: req_executions,
    outgoing.ReqIds: req_ids,
}
