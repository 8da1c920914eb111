"""Orders of clients against the market: what is accepted, when it works, how it ends, and every message that is due.

An order draws from its own stream (seed, clientId, orderId). What a client asks about one order (place, modify, cancel)
is answered in the order it was asked. `book` decides who trades at which price, `triggers` when a stop, a trail or a
condition is due, `groups` what orders mean to each other, `opening` when a market is open, `executions` what traded;
`forcing` makes things happen that a scenario wants.

=============  ====================================================================================================
MKT            PreSubmitted, then 1 to 3 fills at the quote of the moment, as far as its size goes
LMT            PreSubmitted, Submitted; marketable: fills at the quote, never beyond the limit; else it rests
STP, TRAIL     PreSubmitted with whyHeld `trigger` until the trigger price is reached, then as MKT; Submitted
STP LMT        the same, then as LMT; TRAIL LIMIT: at the stop plus or minus its offset
IOC            fills at once up to the size shown; the rest PendingCancel, Cancelled, without a message
FOK            fills at once and whole within the size shown, else Inactive
Adaptive       an MKT or LMT order in more pieces, each later, the more patient it is
combination    (BAG) MKT and LMT against the quotes of its legs; see `combos`
transmit off   silence until the same id, or a child with this parent, is placed with transmit on
child          PreSubmitted with whyHeld `child` until its parent fills
closed market  message 399 and PreSubmitted until the market opens; a DAY order expires at the close
cancel         PendingCancel, then Cancelled and message 202; fills may come between, and if they fill it 10148
=============  ====================================================================================================
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from decimal import Decimal
from functools import partial

from ibwire.sim import checks, groups, triggers
from ibwire.sim.account import MAINTENANCE_SHARE, SimAccount
from ibwire.sim.checks import Refusal
from ibwire.sim.clock import VirtualClock, utc_date
from ibwire.sim.exact import EXACT
from ibwire.sim.forcing import Force
from ibwire.sim.instruments import Instrument
from ibwire.sim.market import Market
from ibwire.sim.orders import (
    API_PENDING,
    BUY,
    CANCELLED,
    FILLED,
    INACTIVE,
    MANUAL_CLIENT,
    ON_REQUEST,
    PENDING_CANCEL,
    PENDING_SUBMIT,
    PRE_SUBMITTED,
    TRIGGER,
    Accepted,
    Bound,
    CancelRefused,
    Fill,
    Modified,
    OrderEvent,
    OrderRequest,
    OrderSnapshot,
    WhatIf,
)
from ibwire.sim.refusals import LIMIT_TYPES
from ibwire.sim.rng import Rng
from ibwire.sim.workbench import Workbench
from ibwire.sim.working import CLOSED, CONDITIONS, LATER, Latency, Manners, WorkingOrder

NO_FUNDS = Refusal(checks.REJECTED, "Order rejected: available funds do not cover it")
# Whose regular hours are all there is: outsideRth means nothing.
_RTH_IGNORED = frozenset({"OPT", "CASH", "CRYPTO"})


class MatchingEngine(Workbench):
    """Takes orders, matches them against a `Market`, books fills in accounts, and tells what happened.

    Parameters
    ----------
    clock, market
        The world.
    accounts : mapping or SimAccount
        The login's accounts by code; the first one is meant where an order names none. Fills are booked before `emit`
        hears of them.
    emit : callable
        Called with every `OrderEvent`, in order, from inside `VirtualClock.advance`; never from inside a request.
    seed : int
        The world's seed.
    latency : Latency
        Delays; `NO_LATENCY` makes everything happen at the next `advance`, even to the same time.
    manners : Manners
        Habits of the gateway.

    Attributes
    ----------
    force : Force
        Makes things happen that would not happen by themselves.
    auto_bind : bool
        Orders typed in by hand get an API order id at once.
    """

    def __init__(
        self,
        clock: VirtualClock,
        market: Market,
        accounts: Mapping[str, SimAccount] | SimAccount,
        emit: Callable[[OrderEvent], None],
        *,
        seed: int = 0,
        latency: Latency | None = None,
        manners: Manners | None = None,
    ) -> None:
        super().__init__(clock, market, accounts, emit, seed=seed, latency=latency, manners=manners)
        self._seed = seed
        self._high_id: dict[int, int] = {}
        self._manual_id = 0
        self.auto_bind = False
        self.without_trading: frozenset[str] = frozenset()  # symbols and security types, `*` for all
        self.force = Force(self)

    # -- requests ----------------------------------------------------------------------------------------------------

    def place(self, request: OrderRequest) -> None:
        """Take a new order, a modify, or the release of an untransmitted one; the answer comes as events."""
        if self.force.takes_placement(request):
            return
        key = (request.clientId, request.orderId)
        order = self.orders.get(key)
        if order is not None and not order.held and not request.whatIf:
            # A modify that is not transmitted waits in the dark for one that is.
            if request.transmit:
                self.schedule(order, self.latency.acknowledge_ns, partial(self._modify, order, request))
            return
        refusal = self._refuse_new(request, order)
        if refusal is not None:
            self._answer(request, partial(self.reject, request, refusal, live=False))
            return
        instrument = request.instrument
        assert instrument is not None  # refuse_order saw to it
        if request.whatIf:
            self._answer(request, partial(self._what_if, request))
            return
        if order is None:
            order = WorkingOrder(request, instrument, self._seed, self.clock.now_ns)
            self.orders[key] = order
            order.parent = self.orders.get((request.clientId, request.parentId)) if request.parentId else None
            if order.parent is not None:
                order.parent.children.append(order)
        order.take(request, instrument)
        order.account = request.account or self._first_account
        self._high_id[request.clientId] = max(request.orderId, self._high_id.get(request.clientId, 0))
        if request.transmit:
            self._transmit(order)

    def _transmit(self, order: WorkingOrder) -> None:
        """Let an order go, and with it its parent and the parent's children."""
        parent = order.parent
        family = [order] if parent is None or not parent.held else [parent, *parent.children]
        for member in family:
            member.held = False
            if member.parent is not None:
                member.busy_until_ns = max(member.busy_until_ns, member.parent.busy_until_ns)
            self.schedule(member, self.latency.acknowledge_ns, partial(self._accept, member))

    def cancel(self, clientId: int, orderId: int) -> None:
        """Ask to cancel one order of one client; the answer comes as events (10147 unknown, 10148 too late)."""
        if self.force.takes_cancel(clientId, orderId):
            return
        order = self.orders.get((clientId, orderId))
        if order is None:
            text = f"The order to cancel, id {orderId}, was not found"
            refusal = Refusal(checks.CANCEL_NOT_FOUND, text)
            self.later(self.clock.now_ns, 0, partial(self.refuse_cancel, clientId, orderId, refusal))
        else:
            self.schedule(order, self.latency.acknowledge_ns, lambda: self._pend_cancel(order))

    def cancel_all(self) -> None:
        """Cancel every open order of every client (a global cancel)."""
        for order in list(self._open()):
            self.schedule(order, self.latency.acknowledge_ns, partial(self._pend_cancel, order))

    def end_day(self) -> None:
        """Cancel every open DAY order, as at the close of the market."""
        for order in list(self._open()):
            if order.number and order.request.tif in ("", "DAY"):
                self.later(self.clock.now_ns, 0, partial(self.expire, order))

    # -- orders typed in by hand -------------------------------------------------------------------------------------

    def place_manually(self, request: OrderRequest) -> OrderSnapshot:
        """Take an order that somebody types into the gateway's own window: client 0, order id 0 until it is bound.

        Raises
        ------
        ValueError
            If it is one that the gateway would refuse.
        """
        self._manual_id -= 1
        request = replace(request, clientId=MANUAL_CLIENT, orderId=self._manual_id, transmit=True)
        refusal = checks.refuse_order(request, self.accounts)
        if refusal is not None or request.instrument is None:
            raise ValueError(f"an order that the gateway would refuse: {refusal}")
        order = WorkingOrder(request, request.instrument, self._seed, self.clock.now_ns)
        order.manual = True
        order.account = request.account or self._first_account
        self.orders[MANUAL_CLIENT, self._manual_id] = order
        if not self.auto_bind:
            order.request = replace(request, orderId=0)
        self.schedule(order, self.latency.acknowledge_ns, partial(self._accept, order))
        return order.snapshot()

    def bind(self) -> tuple[OrderSnapshot, ...]:
        """Give the open orders typed in by hand their (negative) API order ids; return those that had none."""
        bound = []
        for (_, orderId), order in self.orders.items():
            if order.manual and not order.request.orderId and not order.done and order.number:
                order.request = replace(order.request, orderId=orderId)
                bound.append(order.snapshot())
        return tuple(bound)

    # -- looking -----------------------------------------------------------------------------------------------------

    def next_valid_id(self, clientId: int) -> int:
        """Return the lowest order id that this client may use."""
        return self._high_id.get(clientId, 0) + 1

    def open_orders(self, clientId: int | None = None) -> tuple[OrderSnapshot, ...]:
        """Return the accepted orders that are not done, of one client or of all, in the order of their numbers."""
        orders = [o for o in self._open() if o.number and clientId in (None, o.request.clientId)]
        return tuple(order.snapshot() for order in sorted(orders, key=lambda o: o.number))

    def completed_orders(self) -> tuple[OrderSnapshot, ...]:
        """Return the orders that are done, in the order of their numbers."""
        orders = [order for order in self.orders.values() if order.done]
        return tuple(order.snapshot() for order in sorted(orders, key=lambda o: o.number))

    def executions(self, clientId: int | None = None) -> tuple[Fill, ...]:
        """Return every execution so far, of one client or of all, oldest first."""
        return self.fills.of(clientId)

    def order(self, clientId: int, orderId: int) -> OrderSnapshot | None:
        """Return one order as it is now; None when unknown or not accepted yet."""
        order = self.orders.get((clientId, orderId))
        return order.snapshot() if order is not None and order.number else None

    # -- refusing, accepting -----------------------------------------------------------------------------------------

    def _refuse_new(self, request: OrderRequest, held: WorkingOrder | None) -> Refusal | None:
        # A what-if uses no id up, and an untransmitted order keeps its own.
        if held is None and not request.whatIf and request.orderId < self.next_valid_id(request.clientId):
            return Refusal(checks.DUPLICATE_ID, f"Order id {request.orderId} is not above every earlier one")
        refusal = checks.refuse_order(request, self.accounts, must_name_account=len(self.accounts) > 1)
        refusal = refusal or checks.refuse_permission(request, self.without_trading)
        if refusal is None and request.parentId and (request.clientId, request.parentId) not in self.orders:
            return Refusal(checks.PARENT_NOT_FOUND, f"The parent order {request.parentId} was not found")
        return refusal

    def _what_if(self, request: OrderRequest) -> None:
        instrument = request.instrument
        assert instrument is not None
        account = self.accounts[request.account or self._first_account]
        price = self._expected_price(request, instrument)
        quantity = request.totalQuantity
        if request.cashQty:
            quantity = EXACT.divide(request.cashQty, EXACT.multiply(price, instrument.unit_multiplier))
        change = account.margin_change(instrument, request.action, quantity, price)
        if not account.can_afford(instrument, request.action, quantity, price):
            self.reject(request, NO_FUNDS, live=False)
            return
        self.emit(
            WhatIf(
                request=request,
                instrument=instrument,
                commission=account.estimate_commission(instrument, quantity, price),
                init_margin_change=change,
                maint_margin_change=EXACT.multiply(change, MAINTENANCE_SHARE),
                time_ns=self.clock.now_ns,
                account=account.account,
            )
        )

    def _expected_price(self, request: OrderRequest, instrument: Instrument) -> Decimal:
        if request.orderType in LIMIT_TYPES and request.lmtPrice is not None:
            return request.lmtPrice
        return instrument.price(self.book(instrument).offered(request.action == BUY))

    def _accept(self, order: WorkingOrder) -> None:
        if order.done:
            return
        request, manners = order.request, self.manners
        if order.parent is not None and order.parent.done and not order.parent.filled_units:
            order.number = self.take_number()
            self.fail(order, Refusal(checks.REJECTED, "Order rejected: its parent order has ended"), CANCELLED)
            return
        self.number(order)
        order.status_first = manners.status_first > 0 and order.rng.chance(manners.status_first, 100)
        order.twice = manners.duplicates > 0 and order.rng.chance(manners.duplicates, 100)
        price = self._expected_price(request, order.instrument)
        if request.cashQty:
            unit = EXACT.multiply(price, order.instrument.unit_multiplier)
            order.set_total(order.units(EXACT.divide(request.cashQty, unit)))
            order.cash_sized = True
        self._join(order)
        self.block(order)
        order.status = PRE_SUBMITTED
        refusal = self._refuse_late(order, price)
        self.emit(Accepted(order.snapshot(), self.clock.now_ns))
        if order.manual and order.request.orderId:
            self.emit(Bound(order.snapshot(), self.clock.now_ns))
        if refusal is not None:
            self.fail(order, refusal, INACTIVE)
            return
        if manners.api_pending:
            self.set_status(order, API_PENDING)
        if manners.pending_submit:
            self.set_status(order, PENDING_SUBMIT)
        self._warn_hours(order)
        self.set_status(order, PRE_SUBMITTED)
        self.book(order.instrument).hold(order)
        self.watch_hours(order)
        self.start_timers(order)
        self.update(order)

    def _refuse_late(self, order: WorkingOrder, price: Decimal) -> Refusal | None:
        """Return why IB itself refuses an order that the gateway has taken."""
        request = order.request
        if not order.total_units:
            return Refusal(checks.SIZE_TOO_SMALL, "The cash quantity buys less than the smallest size")
        if order.oca_key is not None and not order.family and self.groups.spent(order.oca_key):
            return Refusal(checks.REJECTED, f"Order rejected: the group {order.oca_group} has filled already")
        account = self.accounts[order.account]
        if order.parent is None and not account.can_afford(
            order.instrument, request.action, request.totalQuantity, price
        ):
            return NO_FUNDS
        return None

    def _join(self, order: WorkingOrder) -> None:
        request = order.request
        if request.ocaGroup:
            self.groups.join(order, request.ocaGroup, request.ocaType or groups.DEFAULT_OCA_TYPE)
        elif order.parent is not None:
            self.groups.join(order, str(order.parent.number), groups.REDUCE, family=True)

    def _warn_hours(self, order: WorkingOrder) -> None:
        if order.request.outsideRth and order.instrument.secType in _RTH_IGNORED:
            self.warn(order, checks.RTH_IGNORED, "Outside regular hours is ignored for this order")
        if CLOSED in order.blocks:
            self.warn(order, checks.HELD_FOR_OPEN, "Order message: it is held until the market opens")

    # -- modifying, cancelling ---------------------------------------------------------------------------------------

    def _modify(self, order: WorkingOrder, request: OrderRequest) -> None:
        refusal = self._refuse_modify(order, request)
        if refusal is not None:
            self.reject(request, refusal, live=not order.done)
            return
        old = order.request
        instrument = request.instrument
        assert instrument is not None  # refuse_order saw to it
        # What a modify leaves out stays: the group and the parent.
        kept = (old.ocaGroup, old.ocaType, old.parentId)
        if (request.ocaGroup, request.ocaType, request.parentId) != kept:
            request = replace(request, ocaGroup=old.ocaGroup, ocaType=old.ocaType, parentId=old.parentId)
        self.book(order.instrument).withdraw(order)
        order.generation += 1
        order.take(request, instrument)
        order.oca_total = order.total_units
        if not keeps_priority(old, request):
            order.seq = 0
        self._retrigger(order, old, request)
        self._restart(order)
        self.emit(Modified(order.snapshot(), self.clock.now_ns))
        self.set_status(order, order.status)
        if order.routed and not order.blocks:
            generation = order.generation
            self.schedule(order, self.latency.fill_ns, lambda: self.enter(order, generation))
        else:
            order.routed = False
            self.update(order)

    def _refuse_modify(self, order: WorkingOrder, request: OrderRequest) -> Refusal | None:
        if order.status == FILLED:
            return Refusal(checks.FILLED_ALREADY, "A filled order cannot be modified")
        if order.done:
            return Refusal(checks.DUPLICATE_ID, f"Order id {request.orderId} was used by an order that has ended")
        if order.status == PENDING_CANCEL:
            return Refusal(checks.MODIFY_FAILED, "The order is being cancelled")
        parent = order.parent
        if request.parentId and parent is not None and parent.done and self._is_past(parent):
            return Refusal(checks.UNKNOWN_ORDER, f"There is no order {request.parentId} (the parent) any more")
        refusal = checks.refuse_order(request, self.accounts)
        refusal = refusal or checks.refuse_modify(order.request, request, order.size(order.filled_units))
        if refusal is not None or order.parent is not None:
            return refusal
        left = EXACT.subtract(request.totalQuantity, order.size(order.filled_units))
        price = self._expected_price(request, order.instrument)
        account = self.accounts[order.account]
        return None if account.can_afford(order.instrument, request.action, left, price) else NO_FUNDS

    def _is_past(self, order: WorkingOrder) -> bool:
        return utc_date(order.changed_ns) != utc_date(self.clock.now_ns)

    def _retrigger(self, order: WorkingOrder, old: OrderRequest, new: OrderRequest) -> None:
        """A stop or trail that has not been reached yet starts anew where the modify put it."""
        if not triggers.needs_trigger(order):
            order.blocks.discard(TRIGGER)
            return
        moved = (old.auxPrice, old.trailingPercent, old.trailStopPrice) != (
            new.auxPrice,
            new.trailingPercent,
            new.trailStopPrice,
        )
        if triggers.is_trailing(order) and moved:
            triggers.start_trailing(order, self.market.process(order.instrument))
        order.touches = 0
        order.blocks.add(TRIGGER)

    def _restart(self, order: WorkingOrder) -> None:
        """Begin the order's times and conditions again with its new values."""
        self.drop_timers(order)
        order.blocks -= {CLOSED, LATER, CONDITIONS}
        order.conditions_met = False
        self.block(order)
        self.watch_hours(order)
        self.start_timers(order)

    def _pend_cancel(self, order: WorkingOrder) -> None:
        if not order.number:
            # Not transmitted, or transmitted after the cancel was asked: it ends here, and its id stays used.
            order.held = False
            self.end(order, "Cancelled before it was transmitted")
        elif order.done:
            self._refuse_cancel(order)
        elif order.status == PENDING_CANCEL:
            text = f"Order {order.request.orderId} is being cancelled already, permId {order.permId}"
            self._refuse_cancel(order, checks.NOT_CANCELLABLE, text)
        else:
            if self.manners.pending_cancel:
                self.set_status(order, PENDING_CANCEL)
            self.schedule(order, self.latency.cancel_ns, lambda: self._finish_cancel(order))

    def _finish_cancel(self, order: WorkingOrder) -> None:
        if order.done:
            # It filled while the cancel was under way.
            self._refuse_cancel(order)
        else:
            self.end(order, ON_REQUEST)

    def _refuse_cancel(self, order: WorkingOrder, code: int = checks.CANCEL_IMPOSSIBLE, text: str = "") -> None:
        request = order.request
        text = text or f"Order {request.orderId} cannot be cancelled, state: {order.status}"
        self.refuse_cancel(request.clientId, request.orderId, Refusal(code, text))

    def refuse_cancel(self, clientId: int, orderId: int, refusal: Refusal) -> None:
        """Tell that a cancel was refused."""
        self.emit(CancelRefused(clientId, orderId, *refusal, time_ns=self.clock.now_ns))

    def forget(self, key: tuple[int, int]) -> None:
        """Drop an order without a word."""
        order = self.orders.pop(key)
        if not order.done:
            self.close(order)

    def set_next_id(self, clientId: int, orderId: int) -> None:
        """Make `orderId` the next valid id of a client."""
        self._high_id[clientId] = orderId - 1

    # -- helpers -----------------------------------------------------------------------------------------------------

    def _open(self) -> Iterator[WorkingOrder]:
        return (order for order in self.orders.values() if not order.done and not order.held)

    def _answer(self, request: OrderRequest, action: Callable[[], None]) -> None:
        """Run an answer that concerns no working order after a drawn delay."""
        rng = Rng.of(self._seed, "answer", request.clientId, request.orderId)
        self.later(self.clock.now_ns, rng.between(*self.latency.acknowledge_ns), action)


def keeps_priority(old: OrderRequest, new: OrderRequest) -> bool:
    """True for a modify that leaves an order its place in the queue: the same price, and no more size."""
    same = (old.orderType, old.lmtPrice, old.auxPrice) == (new.orderType, new.lmtPrice, new.auxPrice)
    return same and new.totalQuantity <= old.totalQuantity
