"""Requests about orders and executions, and what matching says about them as messages."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from ibwire.sim import replies
from ibwire.sim.checks import is_absurd
from ibwire.sim.client import NS_PER_MS, ClientSession, Handlers
from ibwire.sim.clock import utc_date
from ibwire.sim.combos import BAG, combination
from ibwire.sim.opening import parse_time
from ibwire.sim.orders import (
    CANCELLED,
    MANUAL_CLIENT,
    PENDING_CANCEL,
    Accepted,
    Bound,
    Cancelled,
    CancelRefused,
    Commission,
    Fill,
    Modified,
    OrderEvent,
    OrderSnapshot,
    Rejected,
    StatusChange,
    Warned,
    WhatIf,
)
from ibwire.types import incoming, outgoing, structs

if TYPE_CHECKING:
    from ibwire.sim.gateway import Gateway

# A cancel is told by orderStatus alone; every other change comes with openOrder before it.
_STATUS_ONLY = frozenset({PENDING_CANCEL, CANCELLED})
MAX_DAYS = 7  # that executions are kept for
_SIDES = {"BUY": "BOT", "SELL": "SLD"}


# ---------------------------------------------------------------------------------------------- events

OrderFilter = Callable[[ClientSession, OrderEvent, list[Any]], Iterable[tuple[int, Any]]]
"""(session, event, messages) -> (delay in ns, message) pairs; see `Gateway.order_filter`."""


def client_of(event: OrderEvent) -> int:
    """Whose order an event is about."""
    if isinstance(event, Rejected | CancelRefused | Commission):
        return event.clientId
    if isinstance(event, WhatIf):
        return event.request.clientId
    return event.order.clientId


def tell(session: ClientSession, event: OrderEvent) -> None:
    """Send what one event of matching means to one client."""
    messages = messages_of(session, event)
    change = session.gateway.order_filter
    if change is None:
        for message in messages:
            session.send(message)
        return
    for delay_ns, message in change(session, event, messages):
        if delay_ns <= 0:
            session.send(message)
        else:
            session.gateway.clock.after(delay_ns, partial(session.send, message))


def messages_of(session: ClientSession, event: OrderEvent) -> list[Any]:
    """What one event of matching means on the wire."""
    gateway = session.gateway
    if isinstance(event, StatusChange):
        status = replies.order_status(event.order)
        return [status] if event.order.status in _STATUS_ONLY else [replies.open_order(event.order), status]
    if isinstance(event, Fill):
        return [replies.exec_details(event, session.server_version)]
    if isinstance(event, Commission):
        return [replies.commission_report(event)]
    if isinstance(event, Cancelled | Warned):
        return [error_of(gateway, event.order.orderId, event.code, event.text)] if event.code else []
    if isinstance(event, Rejected | CancelRefused):
        return [error_of(gateway, event.orderId, event.code, event.text)]
    if isinstance(event, WhatIf):
        return [replies.what_if(event, gateway.accounts[event.account])]
    if isinstance(event, Bound):
        return [incoming.OrderBound(event.order.permId, event.order.clientId, event.order.orderId)]
    # Both are followed by a StatusChange that says it all.
    assert isinstance(event, Accepted | Modified)
    return []


def error_of(gateway: Gateway, orderId: int, code: int, text: str) -> incoming.Error:
    """A message about an order."""
    return incoming.Error(orderId, gateway.clock.now_ns // NS_PER_MS, code, text)


def open_orders(orders: Iterable[OrderSnapshot]) -> Iterable[Any]:
    """Return openOrder and orderStatus of each order."""
    for order in orders:
        yield replies.open_order(order)
        yield replies.order_status(order)


# ---------------------------------------------------------------------------------------------- requests


def refuse_read_only(session: ClientSession) -> bool:
    """True, after message 321 about no id at all, when this gateway only lets clients look."""
    if session.gateway.read_only:
        session.error(-1, 321, "Invalid request: the API is in read-only mode")
    return session.gateway.read_only


def place_order(session: ClientSession, message: outgoing.PlaceOrder) -> None:
    gateway = session.gateway
    if refuse_read_only(session):
        return
    # What is no size is told at once, before anything computes with it.
    size = replies.decimal_of(message.order.totalQuantity)
    if size is not None and is_absurd(size):
        session.error(message.orderId, 321, "Invalid request: the order size is absurd")
        return
    problem = ""
    if message.contract.secType == BAG:
        instrument, problem = combination(message.contract, gateway.resolve)
    else:
        instrument = gateway.resolve(message.contract)
    now_ns = gateway.clock.now_ns
    request = replies.order_request(message, session.owner(), instrument, gateway.resolve, now_ns)
    gateway.engine.place(replace(request, problem=problem) if problem else request)


def cancel_order(session: ClientSession, message: outgoing.CancelOrder) -> None:
    if not refuse_read_only(session):
        session.gateway.engine.cancel(session.owner(), message.orderId)


def req_global_cancel(session: ClientSession, message: outgoing.ReqGlobalCancel) -> None:
    if not refuse_read_only(session):
        session.gateway.engine.cancel_all()


def req_open_orders(session: ClientSession, message: outgoing.ReqOpenOrders) -> None:
    if refuse_read_only(session):
        return
    if session.owner() == MANUAL_CLIENT:
        for order in session.gateway.engine.bind():
            session.send(incoming.OrderBound(order.permId, order.clientId, order.orderId))
    send_open_orders(session, session.owner())


def req_all_open_orders(session: ClientSession, message: outgoing.ReqAllOpenOrders) -> None:
    if not refuse_read_only(session):
        send_open_orders(session, None)


def send_open_orders(session: ClientSession, clientId: int | None) -> None:
    for message in open_orders(session.gateway.engine.open_orders(clientId)):
        session.send(message)
    session.send(incoming.OpenOrderEnd())


def req_auto_open_orders(session: ClientSession, message: outgoing.ReqAutoOpenOrders) -> None:
    """Binds orders that will be typed in by hand: client 0 gets no answer, as with a real gateway."""
    if session.owner() != MANUAL_CLIENT:
        session.error(-1, 327, "Only client id 0 may bind orders automatically")
    else:
        session.gateway.engine.auto_bind = message.bAutoBind


def req_completed_orders(session: ClientSession, message: outgoing.ReqCompletedOrders) -> None:
    if refuse_read_only(session):
        return
    for order in session.gateway.engine.completed_orders():
        if not (message.apiOnly and order.manual):
            session.send(replies.completed_order(order, session.server_version))
    session.send(incoming.CompletedOrdersEnd())


def req_executions(session: ClientSession, message: outgoing.ReqExecutions) -> None:
    gateway = session.gateway
    now_ns = gateway.clock.now_ns
    for fill in gateway.engine.executions():
        if passes(message.execFilter, fill, now_ns):
            session.send(replies.exec_details(fill, session.server_version, message.reqId))
            report = gateway.commissions.get(fill.execId)
            if report is not None:
                session.send(replies.commission_report(report))
    session.send(incoming.ExecDetailsEnd(message.reqId))


def passes(wanted: structs.ExecutionFilter, fill: Fill, now_ns: int) -> bool:
    """True when an execution is one of those asked for; what is empty or 0 asks for nothing."""
    order = fill.order
    item = fill.instrument
    since_ns = parse_time(wanted.time, now_ns) if wanted.time else None
    return (
        wanted.clientId in (0, order.clientId)
        and wanted.acctCode in ("", order.account)
        and wanted.symbol in ("", item.symbol)
        and wanted.secType in ("", item.secType)
        and wanted.exchange in ("", fill.exchange)
        and _SIDES.get(wanted.side, wanted.side) in ("", fill.side)
        and (since_ns is None or fill.time_ns >= since_ns)
        and _on_day(wanted, fill.time_ns, now_ns)
    )


def _on_day(wanted: structs.ExecutionFilter, time_ns: int, now_ns: int) -> bool:
    """True for the days asked for; by default those since midnight (UTC, the gateway's zone)."""
    day = utc_date(time_ns)
    if wanted.specificDates:
        return int(f"{day:%Y%m%d}") in wanted.specificDates
    days = wanted.lastNDays
    if days is None or not 0 < days <= MAX_DAYS:
        days = 1
    return (utc_date(now_ns) - day).days < days


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
