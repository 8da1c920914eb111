"""What of a history's order table is held against its gateway, meanwhile and at the end (``tools/histories.py``)."""

from __future__ import annotations

from collections import Counter
from decimal import Decimal
from typing import Any, Final

from ibwire.sim.gateway import Gateway
from ibwire.sim.working import WorkingOrder
from ibwire.spec.orderstates import ENDED, Flag, Risk, State
from ibwire.trade.executions import EXACT, ZERO
from ibwire.trade.orders import OrderTable
from ibwire.trade.reconcile import Reconcile
from ibwire.trade.view import OrderView
from ibwire.types import incoming

CLIENT: Final = 1
_LIVE: Final = frozenset({"ApiPending", "PendingSubmit", "PreSubmitted", "Submitted", "PendingCancel"})


class Wrong(AssertionError):
    """The client's book says something that is not so."""


class Truth:
    """The part of a history that knows better.

    Attributes
    ----------
    sent : set of int
        Order ids that were ever placed.
    told_busts : set of int
        Orders with executions that the gateway's list did not name.
    told_fees : set of str
        Executions whose fee reports arrived.
    taken_back : Counter of int
        Of each order of ours what busts and corrections took from its executions, in units.
    told_filled : dict
        What the table said last of each to be filled.
    told_most : dict
        The most that messages of each order, which could be read, said to be executed of it.
    checked : dict
        How each order looked here and there when it was held against each other last.
    unread_about : set of int
        Orders about which something could not be read since the last look-up that was answered completely.
    """

    seed: int
    gateway: Gateway
    table: OrderTable
    last_plan: Reconcile | None
    seen: Counter[str]
    sent: set[int]
    told_busts: set[int]
    told_fees: set[str]
    taken_back: Counter[int]
    told_filled: dict[int, Decimal]
    told_most: dict[int, Decimal]
    unread_about: set[int]
    checked: dict[int, tuple[object, ...]]

    def theirs(self, order_id: int) -> WorkingOrder | None:
        """The gateway's order, None when it has none."""
        return self.gateway.engine.orders.get((CLIENT, order_id))

    def counterpart(self, view: OrderView) -> WorkingOrder | None:
        """What a view stands for: not another order that got the id of one which the gateway had forgotten."""
        order = self.theirs(view.order_id)
        if order is not None and order.permId and view.perm_id and view.perm_id != order.permId:
            return None
        return order

    # -- at every moment -----------------------------------------------------------------------------------------------

    def check_now(self) -> None:
        """No order is called ended, or not sent, that can still do something; none has more than was ever filled.

        And what was filled stays so, unless one of its executions was changed.
        """
        for view in self.table:
            if view.order_id not in self.sent:
                continue
            order = self.counterpart(view)
            if order is None or not order.number:
                continue
            looks: tuple[object, ...] = (
                view.state,
                view.exec_filled,
                view.exec_cum,
                view.reported_filled,
                view.corrected,
            )
            looks += (
                order.filled_units,
                order.done,
                self.told_most.get(view.order_id),
                view.order_id in self.taken_back,
            )
            if self.checked.get(view.order_id) == looks:
                continue
            self.checked[view.order_id] = looks
            if not order.done:
                if view.state in ENDED:
                    self.wrong(view, order, "is called ended and is not")
                if view.risk is Risk.NOT_SENT:
                    self.wrong(view, order, "is called not sent and works")
            most = order.size(order.filled_units + self.taken_back[view.order_id])
            if view.confirmed_filled > most:
                self.wrong(view, order, f"has more filled than the {most} that ever were")
            before, filled = self.told_filled.get(view.order_id, ZERO), view.filled
            if filled < before and view.order_id not in self.taken_back:
                self.wrong(view, order, f"had {before} filled, and no execution was changed")
            self.told_filled[view.order_id] = filled
            if filled < self.told_most.get(view.order_id, ZERO) and view.order_id not in self.taken_back:
                self.wrong(view, order, f"was told {self.told_most[view.order_id]}")

    def hear(self, message: object) -> None:
        """A message of an order that could be read."""
        if isinstance(message, incoming.ExecDetails):
            order_id, told = message.execution.orderId, message.execution.cumQty
            view = self.table.get(order_id)
            if view is not None and view.confirmed_filled < (told or ZERO) and order_id not in self.taken_back:
                self.wrong(view, self.theirs(order_id), f"was told {told} by an execution")
        elif isinstance(message, incoming.OrderStatus):
            order_id, told = message.orderId, message.filled
        else:
            return
        self.told_most[order_id] = max(self.told_most.get(order_id, ZERO), told or ZERO)

    def check_doubted(self, message: incoming.OpenOrder | incoming.OrderStatus | incoming.ExecDetails) -> None:
        """A message that could not be read was about an order: nothing is sure of that one."""
        about = message.execution if isinstance(message, incoming.ExecDetails) else message
        view = self.table.get(about.orderId)
        if view is None or view.state is State.CREATED:
            return
        self.unread_about.add(view.order_id)
        if not (view.needs_query or view.is_uncertain):
            self.wrong(view, self.theirs(view.order_id), "is sure of itself, and a message about it could not be read")

    def check_blind(self, complete: bool) -> None:
        """A look-up is over: if something was lacking in it, what was not read before is still remembered."""
        if complete:
            self.unread_about.clear()
        for order_id in self.unread_about:
            view = self.table.get(order_id)
            if view is not None and not view.has(Flag.BLIND | Flag.NEEDS_QUERY):
                self.wrong(view, self.theirs(order_id), "has forgotten that a message about it could not be read")

    # -- at the end ----------------------------------------------------------------------------------------------------

    def compare(self, strict: bool) -> None:
        """Hold every order against the gateway's; not `strict`: but those that say themselves that they do not know."""
        if strict and (self.last_plan is None or not self.last_plan.complete):
            raise Wrong(f"seed {self.seed}: the last look-up did not end")
        for (client, _), order in self.gateway.engine.orders.items():
            if client == CLIENT and order.number and self.table.get(order.request.orderId) is None:
                raise Wrong(f"seed {self.seed}: order {order.request.orderId} is not in the book")
        placed = [key for key in self.gateway.engine.orders if key[0] == CLIENT]
        if len(placed) > len(self.sent):
            raise Wrong(f"seed {self.seed}: more orders there than were ever sent")
        for view in self.table:
            if strict or not (view.needs_query or view.is_uncertain):
                self.compare_one(view, self.counterpart(view), strict)

    def compare_one(self, view: OrderView, order: WorkingOrder | None, strict: bool) -> None:
        self.seen[f"compared {view.state.label}"] += 1
        if view.is_uncertain:
            if order is not None and order.number and order.status and view.perm_id:
                self.wrong(view, order, "is uncertain, although every list names it")
            return
        if view.order_id not in self.sent:
            # Named by a permId that no message ever tied to its order: one of ours without a permId, told twice.
            if view.perm_id and not any(one.permId == view.perm_id for one in self.gateway.engine.orders.values()):
                self.wrong(view, order, "is nobody's")
            return
        if order is None or not order.number:
            told = view.last_error is not None or view.wire_status or any(code == 202 for code, _ in view.notes)
            if view.state not in (State.UNTRANSMITTED, State.CREATED) and not (view.is_done and told):
                self.wrong(view, order, "is not known there")
            return
        if view.order_id in self.told_busts:
            return  # the reconcile has said that its executions are in doubt
        self._compare_state(view, order)
        self._compare_fees(view, order)
        if strict:
            self._compare_values(view, order)

    def _compare_state(self, view: OrderView, order: WorkingOrder) -> None:
        filled = order.size(order.filled_units)
        right = {
            "Filled": view.state is State.FILLED,
            "Cancelled": view.state in (State.CANCELLED, State.EXPIRED, State.REJECTED),
            "ApiCancelled": view.state is State.CANCELLED,
            "Inactive": view.state in (State.INACTIVE, State.REJECTED),
        }
        fits = right.get(order.status, view.risk.label in ("live", "maybe live"))
        if order.done and view.is_done and not view.perm_id and not filled:
            return  # its record names a permId that it was never told, and nothing of it is executed
        if not fits and not (filled == 0 and view.state is State.FILLED and order.status in _LIVE):
            self.wrong(view, order, "has another state there")
        if EXACT.subtract(view.confirmed_filled, filled) != ZERO:
            self.wrong(view, order, f"has {filled} filled there")

    def _compare_fees(self, view: OrderView, order: WorkingOrder) -> None:
        for fill in view.executions:
            if fill.exec_id in self.told_fees and fill.revision not in fill.fees:
                self.wrong(view, order, f"has lost the fee of {fill.exec_id}")
        if not all(fill.revision in fill.fees for fill in view.executions):
            return  # the fee of a revision was lost with the link, and is in no list
        fees = sum((f.commission for f in self._commissions(view)), ZERO)
        if view.commission.get("USD", ZERO) != fees:
            self.wrong(view, order, f"has fees of {fees} there")

    def _commissions(self, view: OrderView) -> list[Any]:
        return [self.gateway.commissions[f.exec_id] for f in view.executions if f.exec_id in self.gateway.commissions]

    def _compare_values(self, view: OrderView, order: WorkingOrder) -> None:
        """What a program reads beside the state."""
        filled = order.size(order.filled_units)
        if filled and view.filled != filled:  # where all of it was busted unheard, no execution says so
            self.wrong(view, order, f"says filled {view.filled}")
        if filled and (
            view.avg_fill_price is None or abs(Decimal(str(view.avg_fill_price)) - order.average()) > Decimal("1e-6")
        ):
            self.wrong(view, order, f"has the average price {order.average()} there, not {view.avg_fill_price}")
        if not order.done and order.status in _LIVE:
            if view.total_quantity != order.size(order.total_units) or view.remaining != order.size(order.open_units):
                self.wrong(
                    view, order, f"has {order.size(order.open_units)} of {order.size(order.total_units)} left there"
                )
            limit = None if view.broker_order is None else view.broker_order.lmtPrice
            if order.request.lmtPrice is not None and Decimal(str(limit)) != order.request.lmtPrice:
                self.wrong(view, order, f"has the limit {order.request.lmtPrice} there, not {limit}")

    def wrong(self, view: OrderView, order: WorkingOrder | None, what: str) -> None:
        there = "nothing"
        if order is not None:
            there = f"{order.status or 'no status'}, filled {order.size(order.filled_units)}"
        life = "; ".join(f"{event.state}->{event.order_state.label}" for event in view.events[-12:])
        raise Wrong(f"seed {self.seed}: {view} {what}; there: {there}; lately: {life}")
