"""Placing, cancelling and following orders.

The order table hears of every order before its bytes leave, so that no answer can come first. Nothing is ever resent.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import TYPE_CHECKING, ClassVar, Final

from ibwire.errors import ConfigError, OrderError, RiskRejected, SessionLost, WaitTimeout
from ibwire.io import clock
from ibwire.trade.view import OrderView
from ibwire.types import outgoing
from ibwire.types.structs import Contract, ExecutionFilter, Order, OrderCancel

if TYPE_CHECKING:
    from ibwire.client.core import Core

__all__ = ["OrderHandle", "Orders", "handle_type"]


def _acknowledged(view: OrderView) -> bool:
    return view.answered or view.seen_live or view.is_done or view.last_error is not None


def _live(view: OrderView) -> bool:
    return view.is_live or view.is_done


def _done(view: OrderView) -> bool:
    return view.is_done


_CONDITIONS: Final[dict[str, Callable[[OrderView], bool]]] = {
    "acknowledged": _acknowledged,
    "live": _live,
    "done": _done,
}


class OrderHandle(OrderView):
    """An order to look at and to wait for; everything else as in :class:`~ibwire.trade.view.OrderView`."""

    __slots__ = ()
    _core: ClassVar[Core]

    def wait(self, what: str = "done", timeout: float | None = None) -> OrderHandle:
        """Wait for a state; returns this order. Any thread but the client's own.

        Parameters
        ----------
        what : str
            ``acknowledged``: the gateway has answered; ``live``: it works at the broker, or has ended already;
            ``done``: it has ended: filled, cancelled, rejected or expired.
        timeout : float, optional
            Seconds; by default the client's ``timeout_s``.

        Raises
        ------
        WaitTimeout : not yet. This is no verdict: the order is as it was and may still fill.
        SessionLost : the connection is gone; the order may live on at the broker.
        """
        condition = _CONDITIONS.get(what)
        if condition is None:
            raise ConfigError(f"an order cannot be waited for to be {what!r}", hint=f"say {', '.join(_CONDITIONS)}")
        core = self._core
        limit = core.timeout_s if timeout is None else timeout
        if core.wait_until(lambda: condition(self) or core.lost is not None, limit):
            if not condition(self):
                raise SessionLost(
                    f"{core.lost}; order {self.order_id} is {self.state.label} ({self.meaning})",
                    hint="connect again and look it up",
                )
            return self
        raise WaitTimeout(
            f"order {self.order_id} is not {what} after {limit:g} s; it is {self.state.label} ({self.meaning})",
            hint="this is no verdict: wait on, or look at its state and events",
        )

    def cancel(self) -> OrderHandle:
        """Ask for its cancellation; the answer comes as events."""
        self._core.orders.cancel(self)
        return self


def handle_type(core: Core) -> type[OrderHandle]:
    """The handle class of one client: views are made by the order table, which knows no client."""
    return type("OrderHandle", (OrderHandle,), {"__slots__": (), "_core": core, "__module__": __name__})


class Orders:
    """The orders of one client. Any thread."""

    def __init__(self, core: Core) -> None:
        self._core = core

    def place(self, contract: Contract, order: Order) -> OrderHandle:
        """Send an order; returns at once with its handle.

        Parameters
        ----------
        contract : Contract
            Fully specified: see ``Client.qualify``.
        order : Order
            Copied, so that it can be used again. Its ``orderId`` is set here; one that names an order of this
            client that has not ended modifies it.

        Raises
        ------
        ConfigError : the order is not complete, or names one that has ended.
        RiskRejected : TWS has no connection to IB, or the order table in shared memory is full; nothing was sent.
        UnsupportedByServer : the gateway's version cannot carry a value; nothing was sent.
        SessionLost : the connection is gone or broke while sending. The handle's state says whether bytes left.
        """
        if order.totalQuantity is None and not getattr(order, "cashQty", None):
            raise ConfigError("an order without a quantity", hint="set totalQuantity")
        if not order.action or not order.orderType:
            raise ConfigError("an order without action or orderType", hint="use limit() or market()")
        core = self._core
        contract, order = copy.copy(contract), copy.copy(order)
        # Held until the bytes are out: placements of several threads leave in the order of their ids.
        with core.lock:
            core.check_usable()
            if core.intake.broker_lost:
                raise RiskRejected(core.intake.broker_lost, policy="connectivity", hint="wait for code 1101 or 1102")
            known = core.table.get(order.orderId) if order.orderId else None
            if known is not None and known.is_done:
                problem = f"order {order.orderId} is {known.state.label}"
                raise ConfigError(problem, hint="set orderId to 0 to place anew")
            order.orderId = order.orderId or core.take_order_id()
            core.use_order_id(order.orderId)
            order.clientId = core.client_id
            payload, dialect = core.encode(outgoing.PlaceOrder(order.orderId, contract, order))
            core.claim_row(order.orderId, is_new=known is None)
            view = core.table.on_place(order.orderId, contract, order, clock.now_ns(), 4 + len(payload), dialect)
            core.send_order(order.orderId, payload)
        core.changed()
        assert isinstance(view, OrderHandle)
        return view

    def cancel(self, order: OrderView | int) -> None:
        """Ask for the cancellation of an order of this client, by handle or order id.

        Raises
        ------
        OrderError : another client's order, or one typed in by hand: only who placed it can cancel it.
        SessionLost : the connection is gone.
        """
        core = self._core
        if isinstance(order, OrderView) and (order.client_id != core.client_id or not order.order_id):
            raise OrderError(10147, f"order {order.order_id} belongs to client {order.client_id}", reqId=order.order_id)
        order_id = order.order_id if isinstance(order, OrderView) else order
        with core.lock:
            core.check_usable()
            payload, _ = core.encode(outgoing.CancelOrder(order_id, OrderCancel()))
            core.table.on_cancel_request(order_id, clock.now_ns())
            core.send_order(order_id, payload)
        core.changed()

    def get(self, order_id: int) -> OrderHandle | None:
        """The order of this client with that id."""
        view = self._core.table.get(order_id)
        return view if isinstance(view, OrderHandle) else None

    def open(self) -> list[OrderHandle]:
        """Every known order that may be filled: maybe live, live or unknown."""
        with self._core.lock:
            return [view for view in self._core.table.open() if isinstance(view, OrderHandle)]

    def all(self) -> list[OrderHandle]:
        """Every known order."""
        with self._core.lock:
            return [view for view in self._core.table if isinstance(view, OrderHandle)]

    def refresh(self) -> None:
        """Ask the gateway for open orders, executions and completed orders; the answers come as events."""
        core = self._core
        with core.lock:
            core.intake.begin_look_up(clock.now_ns())
            core.send(outgoing.ReqOpenOrders())
            core.send(outgoing.ReqExecutions(core.take_request_id(), ExecutionFilter()))
            core.send(outgoing.ReqCompletedOrders(apiOnly=False))
