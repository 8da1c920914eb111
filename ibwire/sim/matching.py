"""Orders against the market: market and limit orders, with every delay and every split drawn from the seed.

An order draws from its own stream (seed, clientId, orderId), so that its fate does not depend on other orders. What a
client asks about one order (place, modify, cancel) is answered in the order it was asked.

=============  ====================================================================================================
MKT            PreSubmitted, then 1 to 3 fills at the quote of the moment
LMT            PreSubmitted, Submitted; marketable: 1 to 3 fills at the quote, never beyond the limit; else it rests and
               fills at its limit when the market crosses it
IOC            fills at once up to the size shown; the rest PendingCancel, Cancelled, without a message
FOK            fills at once and whole within the size shown, else Inactive
transmit off   silence until the same id is placed again with transmit on
cancel         PendingCancel, then Cancelled and message 202; fills may come between, and if they fill it 10148
=============  ====================================================================================================
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from decimal import Decimal
from functools import partial

from ibwire.sim import checks
from ibwire.sim.account import MAINTENANCE_SHARE, SimAccount
from ibwire.sim.checks import LMT, Refusal
from ibwire.sim.clock import VirtualClock
from ibwire.sim.exact import EXACT
from ibwire.sim.instruments import Instrument
from ibwire.sim.market import Market
from ibwire.sim.orders import (
    BUY,
    CANCELLED,
    FILLED,
    INACTIVE,
    LIQUIDITY_ADDED,
    LIQUIDITY_REMOVED,
    PENDING_CANCEL,
    PRE_SUBMITTED,
    SIDES,
    SUBMITTED,
    Accepted,
    Cancelled,
    CancelRefused,
    Commission,
    Fill,
    Modified,
    OrderEvent,
    OrderRequest,
    OrderSnapshot,
    Rejected,
    StatusChange,
    WhatIf,
)
from ibwire.sim.rng import Rng, stable_hash
from ibwire.sim.working import Latency, Span, WorkingOrder

FIRST_PERM_ID = 904_117
IMMEDIATE = frozenset({"IOC", "FOK"})


class MatchingEngine:
    """Takes orders, matches them against a `Market`, books fills in a `SimAccount`, and tells what happened.

    Parameters
    ----------
    clock, market, account
        The world. Fills are booked before `emit` hears of them.
    emit : callable
        Called with every `OrderEvent`, in order, from inside `VirtualClock.advance`; never from inside a request.
    seed : int
        The world's seed.
    latency : Latency
        Delays; `NO_LATENCY` makes everything happen at the next `advance`, even to the same time.
    """

    def __init__(
        self,
        clock: VirtualClock,
        market: Market,
        account: SimAccount,
        emit: Callable[[OrderEvent], None],
        *,
        seed: int = 0,
        latency: Latency | None = None,
    ) -> None:
        self._clock = clock
        self._market = market
        self._account = account
        self._emit = emit
        self._seed = seed
        self._latency = latency or Latency()
        self._orders: dict[tuple[int, int], WorkingOrder] = {}
        self._high_id: dict[int, int] = {}
        self._next_perm_id = FIRST_PERM_ID
        self._exec_prefix = f"{stable_hash(seed, 'execId') & 0xFFFFFFFF:08x}"
        self._fills: list[Fill] = []

    # -- requests ----------------------------------------------------------------------------------------------------

    def place(self, request: OrderRequest) -> None:
        """Take a new order, a modify, or the release of an untransmitted one; the answer comes as events."""
        key = (request.clientId, request.orderId)
        order = self._orders.get(key)
        if order is not None and not order.held and not request.whatIf:
            # A modify that is not transmitted waits in the dark for one that is.
            if request.transmit:
                self._schedule(order, self._latency.acknowledge_ns, partial(self._modify, order, request))
            return
        refusal = self._refuse_new(request, order)
        if refusal is not None:
            self._answer(request, partial(self._reject, request, refusal, False))
            return
        assert request.instrument is not None  # refuse_order saw to it
        if request.whatIf:
            self._answer(request, partial(self._what_if, request))
            return
        if order is None:
            order = WorkingOrder(request, request.instrument, self._seed, self._clock.now_ns)
            self._orders[key] = order
        order.take(request, request.instrument)
        self._high_id[request.clientId] = max(request.orderId, self._high_id.get(request.clientId, 0))
        if not order.held:
            self._schedule(order, self._latency.acknowledge_ns, partial(self._accept, order))

    def cancel(self, clientId: int, orderId: int) -> None:
        """Ask to cancel one order of one client; the answer comes as events (10147 unknown, 10148 too late)."""
        order = self._orders.get((clientId, orderId))
        if order is None:
            text = f"The order to cancel, id {orderId}, was not found"
            event = CancelRefused(clientId, orderId, checks.CANCEL_NOT_FOUND, text, self._clock.now_ns)
            self._later(self._clock.now_ns, 0, lambda: self._emit(event))
        else:
            self._schedule(order, self._latency.acknowledge_ns, lambda: self._pend_cancel(order))

    def cancel_all(self) -> None:
        """Cancel every open order of every client (a global cancel)."""
        for order in list(self._open()):
            self.cancel(order.request.clientId, order.request.orderId)

    def end_day(self) -> None:
        """Cancel every open DAY order, as at the close of the market."""
        for order in list(self._open()):
            if order.permId and order.request.tif in ("", "DAY"):
                self._later(self._clock.now_ns, 0, partial(self._expire, order))

    # -- looking -----------------------------------------------------------------------------------------------------

    def next_valid_id(self, clientId: int) -> int:
        """Return the lowest order id that this client may use."""
        return self._high_id.get(clientId, 0) + 1

    def open_orders(self, clientId: int | None = None) -> tuple[OrderSnapshot, ...]:
        """Return the accepted orders that are not done, of one client or of all, in the order of their permIds."""
        orders = [o for o in self._open() if o.permId and clientId in (None, o.request.clientId)]
        return tuple(self._snapshot(order) for order in sorted(orders, key=lambda o: o.permId))

    def completed_orders(self) -> tuple[OrderSnapshot, ...]:
        """Return the orders that are done, in the order of their permIds."""
        orders = [order for order in self._orders.values() if order.done]
        return tuple(self._snapshot(order) for order in sorted(orders, key=lambda o: o.permId))

    def executions(self, clientId: int | None = None) -> tuple[Fill, ...]:
        """Return every execution so far, of one client or of all, oldest first."""
        return tuple(fill for fill in self._fills if clientId in (None, fill.order.clientId))

    def order(self, clientId: int, orderId: int) -> OrderSnapshot | None:
        """Return one order as it is now; None when unknown or not accepted yet."""
        order = self._orders.get((clientId, orderId))
        return self._snapshot(order) if order is not None and order.permId else None

    # -- refusing, accepting -----------------------------------------------------------------------------------------

    def _refuse_new(self, request: OrderRequest, held: WorkingOrder | None) -> Refusal | None:
        # A what-if uses no id up, and an untransmitted order keeps its own.
        if held is None and not request.whatIf and request.orderId < self.next_valid_id(request.clientId):
            return Refusal(checks.DUPLICATE_ID, f"Order id {request.orderId} is not above every earlier one")
        return checks.refuse_order(request, (self._account.account,))

    def _reject(self, request: OrderRequest, refusal: Refusal, live: bool) -> None:
        self._emit(Rejected(request.clientId, request.orderId, *refusal, live=live, time_ns=self._clock.now_ns))

    def _what_if(self, request: OrderRequest) -> None:
        instrument = request.instrument
        assert instrument is not None
        price = self._expected_price(request, instrument)
        change = self._account.margin_change(instrument, request.action, request.totalQuantity, price)
        self._emit(
            WhatIf(
                request=request,
                instrument=instrument,
                commission=self._account.estimate_commission(instrument, request.totalQuantity, price),
                init_margin_change=change,
                maint_margin_change=EXACT.multiply(change, MAINTENANCE_SHARE),
                time_ns=self._clock.now_ns,
            )
        )

    def _expected_price(self, request: OrderRequest, instrument: Instrument) -> Decimal:
        if request.orderType == LMT and request.lmtPrice is not None:
            return request.lmtPrice
        process = self._market.process(instrument)
        return instrument.price(process.ask if request.action == BUY else process.bid)

    def _number(self, order: WorkingOrder) -> None:
        order.permId = self._next_perm_id
        self._next_perm_id += 1

    def _accept(self, order: WorkingOrder) -> None:
        if order.done:
            return
        self._number(order)
        now_ns = self._clock.now_ns
        request = order.request
        order.status = PRE_SUBMITTED
        price = self._expected_price(request, order.instrument)
        self._emit(Accepted(self._snapshot(order), now_ns))
        if not self._account.can_afford(order.instrument, request.action, request.totalQuantity, price):
            self._set_status(order, INACTIVE)
            self._reject(request, Refusal(checks.REJECTED, "Order rejected: available funds do not cover it"), False)
            return
        self._set_status(order, PRE_SUBMITTED)
        order.watch = self._market.watch(order.instrument, lambda _, __: self._on_market(order))
        self._schedule(order, self._latency.route_ns, lambda: self._route(order))

    # -- modifying, cancelling ---------------------------------------------------------------------------------------

    def _modify(self, order: WorkingOrder, request: OrderRequest) -> None:
        refusal: Refusal | None
        if order.status == FILLED:
            refusal = Refusal(checks.FILLED_ALREADY, "A filled order cannot be modified")
        elif order.done:
            refusal = Refusal(checks.DUPLICATE_ID, f"Order id {request.orderId} was used by an order that has ended")
        elif order.status == PENDING_CANCEL:
            refusal = Refusal(checks.MODIFY_FAILED, "The order is being cancelled")
        else:
            refusal = checks.refuse_order(request, (self._account.account,))
            refusal = refusal or checks.refuse_modify(order.request, request, order.size(order.filled_units))
        if refusal is not None:
            self._reject(request, refusal, not order.done)
            return
        order.request = request
        order.generation += 1
        order.pieces, order.resting = [], False
        self._emit(Modified(self._snapshot(order), self._clock.now_ns))
        self._set_status(order, order.status)
        if order.routed:
            self._schedule(order, self._latency.fill_ns, lambda: self._work(order))

    def _pend_cancel(self, order: WorkingOrder) -> None:
        if not order.permId:
            # Not transmitted, or transmitted after the cancel was asked: it ends here, and its id stays used.
            order.held = False
            self._number(order)
            self._end(order, "Cancelled before it was transmitted")
        elif order.done:
            self._refuse_cancel(order)
        elif order.status != PENDING_CANCEL:
            self._set_status(order, PENDING_CANCEL)
            self._schedule(order, self._latency.cancel_ns, lambda: self._end(order, "Cancelled on request"))

    def _refuse_cancel(self, order: WorkingOrder) -> None:
        request = order.request
        text = f"Order {request.orderId} cannot be cancelled, state: {order.status}"
        event = CancelRefused(request.clientId, request.orderId, checks.CANCEL_IMPOSSIBLE, text, self._clock.now_ns)
        self._emit(event)

    def _expire(self, order: WorkingOrder) -> None:
        if not order.done:
            self._end(order, "Order expired at the end of the day")

    def _end(self, order: WorkingOrder, reason: str) -> None:
        if order.done:
            # It filled while the cancel was under way.
            self._refuse_cancel(order)
            return
        self._set_status(order, CANCELLED)
        self._emit(Cancelled(self._snapshot(order), checks.CANCEL_CONFIRMED, reason, self._clock.now_ns))

    # -- matching ----------------------------------------------------------------------------------------------------

    def _route(self, order: WorkingOrder) -> None:
        """The order reaches its market."""
        if order.done:
            return
        order.routed = True
        at_rest = order.request.orderType == LMT and order.request.tif not in IMMEDIATE
        if at_rest and order.status == PRE_SUBMITTED:
            self._set_status(order, SUBMITTED)
        self._schedule(order, self._latency.fill_ns, lambda: self._work(order))

    def _immediate(self, order: WorkingOrder) -> None:
        """Fill an IOC or FOK order as far as the size shown goes, and end it."""
        steps = self._touch(order)
        shown = self._market.quote(order.instrument)
        available = order.units(shown.ask_size if order.request.action == BUY else shown.bid_size) if steps else 0
        if order.request.tif == "FOK" and available < order.open_units:
            self._set_status(order, INACTIVE)
            return
        if steps is not None:
            self._execute(order, min(available, order.open_units), steps, LIQUIDITY_REMOVED)
        if not order.done:
            if order.status != PENDING_CANCEL:
                self._set_status(order, PENDING_CANCEL)
            self._set_status(order, CANCELLED)
            self._emit(Cancelled(self._snapshot(order), 0, "", self._clock.now_ns))

    def _touch(self, order: WorkingOrder) -> int | None:
        """Return the other side's best price in steps when the order would trade now, else None."""
        process = self._market.process(order.instrument)
        limit = order.limit_steps()
        if order.request.action == BUY:
            return process.ask if limit is None or process.ask <= limit else None
        return process.bid if limit is None or process.bid >= limit else None

    def _on_market(self, order: WorkingOrder) -> None:
        if order.resting and not order.pieces and not order.done and self._touch(order) is not None:
            order.pieces = order.split()
            self._fill_piece(order, order.generation)

    def _work(self, order: WorkingOrder) -> None:
        """Start to fill if marketable, else rest. Called once after routing and after each modify."""
        if order.done or order.pieces:
            return
        if order.request.tif in IMMEDIATE:
            self._immediate(order)
            return
        if self._touch(order) is None:
            order.resting = True
            return
        order.resting = False
        order.pieces = order.split()
        self._fill_piece(order, order.generation)

    def _fill_piece(self, order: WorkingOrder, generation: int) -> None:
        if order.done or generation != order.generation:
            return
        touch = self._touch(order)
        if touch is None:
            # The market moved away: what is left rests.
            order.pieces, order.resting = [], True
            return
        limit = order.limit_steps()
        passive = order.resting and limit is not None
        price = limit if passive and limit is not None else touch
        self._execute(order, order.pieces.pop(0), price, LIQUIDITY_ADDED if passive else LIQUIDITY_REMOVED)
        if order.pieces:
            self._schedule(order, self._latency.piece_ns, lambda: self._fill_piece(order, generation))

    def _execute(self, order: WorkingOrder, units: int, steps: int, liquidity: int) -> None:
        now_ns = self._clock.now_ns
        order.executions += 1
        order.filled_units += units
        order.traded_steps += units * steps
        order.last_steps = steps
        order.changed_ns = now_ns
        fill = Fill(
            execId=f"{self._exec_prefix}.{order.permId:08x}.{order.executions:02d}.01",
            order=self._snapshot(order),
            side=SIDES[order.request.action],
            qty=order.size(units),
            price=order.instrument.price(steps),
            cumQty=order.size(order.filled_units),
            avgPrice=order.average(),
            lastLiquidity=liquidity,
            exchange=order.venue(),
            time_ns=now_ns,
        )
        self._fills.append(fill)
        charge = self._account.apply(fill)
        self._emit(fill)
        if not order.open_units:
            self._set_status(order, FILLED)
        elif order.status != PENDING_CANCEL:
            self._set_status(order, SUBMITTED)
        report = (order.request.clientId, fill.execId, charge.commission, charge.currency, charge.realized)
        delay_ns = order.rng.between(*self._latency.commission_ns)
        self._later(now_ns, delay_ns, lambda: self._emit(Commission(*report, time_ns=self._clock.now_ns)))

    # -- helpers -----------------------------------------------------------------------------------------------------

    def _open(self) -> Iterator[WorkingOrder]:
        return (order for order in self._orders.values() if not order.done and not order.held)

    def _set_status(self, order: WorkingOrder, status: str) -> None:
        order.status = status
        order.changed_ns = self._clock.now_ns
        if order.done and order.watch is not None:
            order.watch.close()
            order.watch = None
        self._emit(StatusChange(self._snapshot(order), self._clock.now_ns))

    def _snapshot(self, order: WorkingOrder) -> OrderSnapshot:
        return order.snapshot(self._account.account)

    def _answer(self, request: OrderRequest, action: Callable[[], None]) -> None:
        """Run an answer that concerns no working order after a drawn delay."""
        rng = Rng.of(self._seed, "answer", request.clientId, request.orderId)
        self._later(self._clock.now_ns, rng.between(*self._latency.acknowledge_ns), action)

    def _schedule(self, order: WorkingOrder, span: Span, action: Callable[[], None]) -> None:
        """Run an order's next action after a drawn delay, never before its last one."""
        start_ns = max(self._clock.now_ns, order.busy_until_ns)
        delay_ns = order.rng.between(*span)
        # Fills, routing and cancels run side by side; only what the client hears in answer queues behind each other.
        if span is self._latency.acknowledge_ns:
            order.busy_until_ns = start_ns + delay_ns
        self._later(start_ns, delay_ns, action)

    def _later(self, start_ns: int, delay_ns: int, action: Callable[[], None]) -> None:
        self._clock.at(start_ns + delay_ns, action)
