"""An accepted order from its acceptance to its end: hours, triggers, conditions, the book, fills and what they cause.

`MatchingEngine` is built on it; it alone decides what is accepted. Everything here runs on the virtual clock.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

from ibwire.sim import checks, groups, opening, triggers
from ibwire.sim.account import Charge, SimAccount
from ibwire.sim.book import Book, Leg
from ibwire.sim.checks import Refusal
from ibwire.sim.clock import VirtualClock
from ibwire.sim.combos import ComboBook
from ibwire.sim.executions import Executions
from ibwire.sim.instruments import Instrument
from ibwire.sim.market import Market, TickChange
from ibwire.sim.orders import (
    CANCELLED,
    CHILD,
    FILLED,
    INACTIVE,
    PENDING_CANCEL,
    PRE_SUBMITTED,
    SUBMITTED,
    TRIGGER,
    Cancelled,
    Fill,
    OrderEvent,
    OrderRequest,
    Rejected,
    StatusChange,
    Warned,
)
from ibwire.sim.refusals import IMMEDIATE
from ibwire.sim.working import CLOSED, CONDITIONS, LATER, Latency, Manners, Span, WorkingOrder

FIRST_PERM_ID = 904_117


class Workbench:
    """The orders of one gateway at work; see `MatchingEngine` for the parameters."""

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
        self.clock = clock
        self.market = market
        self.accounts = {accounts.account: accounts} if isinstance(accounts, SimAccount) else accounts
        self._first_account = next(iter(self.accounts))
        self.emit = emit
        self.latency = latency or Latency()
        self.manners = manners or Manners()
        self.orders: dict[tuple[int, int], WorkingOrder] = {}
        self._next_number = FIRST_PERM_ID
        self._next_seq = 1
        self.fills = Executions(clock, self.accounts, emit, self.latency, seed)
        self._books: dict[int, Book] = {}
        self.groups = groups.Groups()
        self._openings: dict[tuple[int, bool], opening.Opening] = {}
        self._turns: set[tuple[int, bool]] = set()
        self._dependents: dict[int, dict[WorkingOrder, None]] = {}

    # -- telling -----------------------------------------------------------------------------------------------------

    def book(self, instrument: Instrument) -> Book:
        """Return the book of an instrument (one per contract id, whatever the exchange routed to)."""
        found = self._books.get(instrument.conId)
        if found is None:
            kind = ComboBook if instrument.parts else Book
            found = self._books[instrument.conId] = kind(instrument, self.market, self._on_trade, self._on_moved)
        return found

    def reject(self, request: OrderRequest, refusal: Refusal, *, live: bool) -> None:
        """Tell that a placement, or a modify of a live order, was refused."""
        self.emit(Rejected(request.clientId, request.orderId, *refusal, live=live, time_ns=self.clock.now_ns))

    def warn(self, order: WorkingOrder, code: int, text: str) -> None:
        """Send a message about an order that stays as it is."""
        self.emit(Warned(order.snapshot(), code, text, self.clock.now_ns))


    def take_number(self) -> int:
        """Return the next number of the gateway."""
        number, self._next_number = self._next_number, self._next_number + 1
        return number

    def number(self, order: WorkingOrder) -> None:
        """Give an order the gateway's number, and its permId now or later."""
        order.number = self.take_number()
        late = self.manners.perm_id_late_ns
        if late == (0, 0):
            order.permId = order.number
        else:
            self.clock.after(order.rng.between(*late), lambda: self._tell_perm_id(order))

    def _tell_perm_id(self, order: WorkingOrder) -> None:
        order.permId = order.permId or order.number
        self.emit(StatusChange(order.snapshot(), self.clock.now_ns))

    # -- hours, times, conditions ------------------------------------------------------------------------------------

    def block(self, order: WorkingOrder) -> None:
        """Find out what keeps a new order from its market."""
        request, now_ns = order.request, self.clock.now_ns
        if order.parent is not None and not order.parent.filled_units:
            order.blocks.add(CHILD)
        if not self.opening(order).is_open:
            order.blocks.add(CLOSED)
        if request.good_after_ns > now_ns:
            order.blocks.add(LATER)
        if request.conditions and not request.conditionsCancelOrder:
            order.blocks.add(CONDITIONS)
        if triggers.needs_trigger(order):
            if triggers.is_trailing(order) and order.stop is None:
                triggers.start_trailing(order, self.market.process(order.instrument))
            order.blocks.add(TRIGGER)

    def outside(self, order: WorkingOrder) -> bool:
        """True for an order that works in all hours of its market."""
        return order.request.outsideRth or order.instrument.secType in ("CASH", "CRYPTO")

    def opening(self, order: WorkingOrder, *, outside: bool | None = None) -> opening.Opening:
        """Return whether an order's market is open, and when that changes."""
        wide = self.outside(order) if outside is None else outside
        key = (order.instrument.conId, wide)
        known = self._openings.get(key)
        if known is None or known.changes_ns <= self.clock.now_ns:
            session, zone = order.instrument.session, order.instrument.timeZoneId
            known = opening.opening(session, zone, self.clock.now_ns, outside=wide)
            self._openings[key] = known
        return known

    def watch_hours(self, order: WorkingOrder) -> None:
        """See to it that somebody looks at this instrument's orders when its market opens or closes."""
        key = (order.instrument.conId, self.outside(order))
        changes_ns = self.opening(order).changes_ns
        if key not in self._turns and changes_ns < opening.NEVER_NS:
            self._turns.add(key)
            self.clock.at(changes_ns, lambda: self._turn_hours(order.instrument, key))

    def _turn_hours(self, instrument: Instrument, key: tuple[int, bool]) -> None:
        self._turns.discard(key)
        for order in self.book(instrument).live():
            if order.instrument.conId != key[0] or self.outside(order) != key[1] or order.done:
                continue
            if self.opening(order).is_open:
                order.blocks.discard(CLOSED)
            elif order.request.tif in ("", "DAY") and CLOSED not in order.blocks:
                self.expire(order)
                continue
            else:
                order.blocks.add(CLOSED)
            self.watch_hours(order)
            self.update(order)

    def start_timers(self, order: WorkingOrder) -> None:
        """Start an order's times and conditions."""
        request, now_ns = order.request, self.clock.now_ns
        if request.tif == "GTD" and request.good_till_ns:
            order.timers.append(self.clock.at(max(request.good_till_ns, now_ns), lambda: self.expire(order)))
        if LATER in order.blocks:
            order.timers.append(self.clock.at(request.good_after_ns, lambda: self._unblock(order, LATER)))
        for condition in request.conditions:
            if condition.instrument is not None:
                conId = condition.instrument.conId
                self._dependents.setdefault(conId, {})[order] = None
                if conId != order.instrument.conId:
                    self.book(condition.instrument).hold(order)
            elif condition.time_ns > now_ns:
                order.timers.append(self.clock.at(condition.time_ns, lambda: self._try_conditions(order)))
        if request.conditions:
            self._try_conditions(order)

    def _unblock(self, order: WorkingOrder, block: str) -> None:
        before = order.why_held()
        order.blocks.discard(block)
        if not order.done and order.why_held() != before:
            self.set_status(order, order.status)
        self.update(order)

    def _try_conditions(self, order: WorkingOrder) -> None:
        request = order.request
        if order.done or order.conditions_met:
            return
        if not (request.conditionsIgnoreRth or self.opening(order, outside=False).is_open):
            return
        if triggers.fulfilled(request.conditions, self.market.process, self.clock.now_ns):
            order.conditions_met = True
            if request.conditionsCancelOrder:
                self.end(order, "Cancelled by its conditions")
            else:
                self._unblock(order, CONDITIONS)

    def update(self, order: WorkingOrder) -> None:
        """Bring an accepted order to where its blocks let it be."""
        if order.done or not order.number or order.frozen:
            return
        if order.blocks - {TRIGGER}:
            if order.routed:
                order.routed = False
                order.generation += 1
                self.book(order.instrument).withdraw(order)
                if order.status == SUBMITTED:
                    self.set_status(order, PRE_SUBMITTED)
            else:
                self.book(order.instrument).waiting.pop(order, None)
        elif TRIGGER in order.blocks:
            self.book(order.instrument).waiting[order] = None
            if triggers.reached(order, self.market.process(order.instrument), None):
                self._trigger(order)
        elif not order.routed:
            order.routed = True
            generation = order.generation
            self.schedule(order, self.latency.route_ns, lambda: self._route(order, generation))

    def _trigger(self, order: WorkingOrder) -> None:
        self.book(order.instrument).waiting.pop(order, None)
        triggers.on_trigger(order)
        order.blocks.discard(TRIGGER)
        self.set_status(order, SUBMITTED if order.status == PRE_SUBMITTED else order.status)
        self.update(order)

    def _on_moved(self, book: Book, changes: list[TickChange]) -> None:
        if book.waiting:
            process = self.market.process(book.instrument)
            for order in tuple(book.waiting):
                if triggers.reached(order, process, changes):
                    self._trigger(order)
                elif triggers.is_trailing(order):
                    triggers.follow(order, process)
        dependents = self._dependents.get(book.instrument.conId)
        if dependents:
            for order in tuple(dependents):
                self._try_conditions(order)

    # -- at the market -----------------------------------------------------------------------------------------------

    def _route(self, order: WorkingOrder, generation: int) -> None:
        """The order reaches its market."""
        if order.done or generation != order.generation:
            return
        self._submit(order)
        self.schedule(order, self.latency.fill_ns, lambda: self.enter(order, generation))

    def _submit(self, order: WorkingOrder) -> None:
        at_rest = order.limit is not None and order.request.tif not in IMMEDIATE
        if at_rest and order.status == PRE_SUBMITTED:
            self.set_status(order, SUBMITTED)

    def enter(self, order: WorkingOrder, generation: int) -> None:
        """Put an order into its book; once after routing and after each modify."""
        if order.done or order.frozen or generation != order.generation:
            return
        self._submit(order)  # a modify on the way there made the routing stale
        if not order.seq:
            order.seq = self._next_seq
            self._next_seq += 1
        if order.request.tif in IMMEDIATE:
            self._immediate(order)
            return
        book = self.book(order.instrument)
        if not order.ready_units:
            return
        most = self.manners.max_pieces * order.patience
        book.enter(order, order.split(most) if book.marketable(order) else [])
        self._go_on(order, generation)

    def _go_on(self, order: WorkingOrder, generation: int) -> None:
        if order.pieces and not order.done:
            least, most = self.latency.piece_ns
            span = (least * order.patience, most * order.patience)
            self.schedule(order, span, lambda: self._next_piece(order, generation))

    def _next_piece(self, order: WorkingOrder, generation: int) -> None:
        if order.done or order.frozen or generation != order.generation:
            return
        self.book(order.instrument).next_piece(order)
        self._go_on(order, generation)

    def _immediate(self, order: WorkingOrder) -> None:
        """Fill an IOC or FOK order as far as the size shown goes, and end it."""
        book = self.book(order.instrument)
        available = book.available(order)
        if order.request.tif == "FOK" and available < order.open_units:
            order.reason = "Nothing was filled"
            self.close(order)
            self.set_status(order, INACTIVE)
            return
        if available:
            book.enter(order, [available])
        if order.done:
            return
        book.withdraw(order)
        if order.status != PENDING_CANCEL:
            self.set_status(order, PENDING_CANCEL)
        self.end(order, "", code=0)

    # -- fills -------------------------------------------------------------------------------------------------------

    def _on_trade(self, legs: tuple[Leg, ...]) -> None:
        booked = [self.book_fill(leg) for leg in legs]
        for leg, fills in zip(legs, booked, strict=True):
            self.tell_fill(leg.order, fills)
        for leg in legs:
            self.after_fill(leg.order)

    def book_fill(self, leg: Leg) -> list[tuple[Fill, Charge]]:
        """Book one order's part of a trade: its execution and, of a combination, then those of the legs."""
        order = leg.order
        fill, charge = self.fills.book(order, leg.units, leg.steps, leg.liquidity)
        if not order.instrument.parts:
            return [(fill, charge)]
        return [(fill, charge), *self.fills.book_legs(order, fill, leg.prices)]

    def tell_fill(self, order: WorkingOrder, fills: list[tuple[Fill, Charge]]) -> None:
        """Send executions, what they make of the order's status, and their commission reports."""
        status = order.status
        if not order.open_units:
            status = FILLED
            self.close(order)
        elif not order.done and status != PENDING_CANCEL:
            status = SUBMITTED
        if order.status_first:
            self.set_status(order, status)
        for fill, _ in fills:
            self.emit(fill)
        if not order.status_first:
            self.set_status(order, status)
        again = self.manners.repeat_with_commission and status == FILLED
        for fill, charge in fills:
            if fill.leg is not None or len(fills) == 1:  # a combination's own execution costs nothing
                self.fills.report(fill, charge, order, partial(self.set_status, order, FILLED) if again else None)

    def after_fill(self, order: WorkingOrder) -> None:
        """Do to other orders what a fill of this one means for them."""
        for other in self.groups.others(order):
            if order.family or order.oca_type == groups.REDUCE_BLOCK:
                self._reduce(other)
            elif order.oca_type == groups.REDUCE:
                self.schedule(other, self.latency.cancel_ns, partial(self._reduce, other))
            elif not other.frozen:
                # Blocked at once, so that nothing can overfill; the news takes its time.
                other.frozen = True
                self.book(other.instrument).withdraw(other)
                self.schedule(other, self.latency.cancel_ns, partial(self.end, other, "One cancels all"))
        if order.parent is not None:
            for sibling in groups.open_children(order.parent):
                self.book(sibling.instrument).resize(sibling)
        for child in groups.open_children(order):
            if CHILD in child.blocks:
                if child.number:
                    self._unblock(child, CHILD)
            elif child.seq and child.routed:
                self.book(child.instrument).withdraw(child)
                self.enter(child, child.generation)

    def _reduce(self, order: WorkingOrder) -> None:
        """Take from an order what another one of its group has filled."""
        if order.done:
            return
        total = self.groups.due_total(order)
        if total <= order.filled_units:
            self.end(order, "One cancels all")
        elif total < order.total_units:
            order.set_total(total)
            self.book(order.instrument).resize(order)
            self.set_status(order, order.status)

    # -- ends --------------------------------------------------------------------------------------------------------

    def set_status(self, order: WorkingOrder, status: str) -> None:
        """Change (or repeat) an order's status and tell it."""
        order.status = status
        order.changed_ns = self.clock.now_ns
        snapshot = order.snapshot()
        self.emit(StatusChange(snapshot, self.clock.now_ns))
        if order.twice:
            self.emit(StatusChange(snapshot, self.clock.now_ns))

    def drop_timers(self, order: WorkingOrder) -> None:
        """Stop an order's times and conditions."""
        for timer in order.timers:
            self.clock.cancel(timer)
        order.timers.clear()
        for condition in order.request.conditions:
            if condition.instrument is not None:
                self._dependents.get(condition.instrument.conId, {}).pop(order, None)
                if condition.instrument.conId != order.instrument.conId:
                    self.book(condition.instrument).release(order)

    def close(self, order: WorkingOrder) -> None:
        """Nothing more happens to an order by itself."""
        order.ended = True
        self.drop_timers(order)
        self.book(order.instrument).release(order)

    def expire(self, order: WorkingOrder) -> None:
        """End an order whose time is up."""
        if not order.done:
            self.end(order, "Order expired")

    def end(self, order: WorkingOrder, reason: str, *, code: int = checks.CANCEL_CONFIRMED) -> None:
        """Cancel what is open of an order, and what depends on it."""
        if order.done:
            return
        if not order.number:
            self.number(order)
        order.reason = reason
        self.close(order)
        if self.manners.cancel_text_first and code:
            order.status = CANCELLED
            self.emit(Cancelled(order.snapshot(), code, reason, self.clock.now_ns))
        self.set_status(order, CANCELLED)
        if not (self.manners.cancel_text_first and code):
            self.emit(Cancelled(order.snapshot(), code, reason, self.clock.now_ns))
        self._end_children(order)

    def fail(self, order: WorkingOrder, refusal: Refusal, status: str) -> None:
        """End an order that was refused after it had been taken."""
        order.reason = refusal.text
        self.close(order)
        self.set_status(order, status)
        self.reject(order.request, refusal, live=False)
        self._end_children(order)

    def _end_children(self, order: WorkingOrder) -> None:
        for child in groups.open_children(order):
            if not order.filled_units:
                child.held = False
                self.end(child, "Its parent order has ended")
            elif child.oca_key is not None and child.instrument.conId == order.instrument.conId:
                total = groups.family_total(child)
                if total < child.total_units:
                    self._shrink(child, total)

    def _shrink(self, child: WorkingOrder, total: int) -> None:
        """A parent has ended with a part filled: its child is for that part."""
        child.oca_total = min(child.oca_total, total)
        if total <= child.filled_units:
            self.end(child, "Its parent order has ended")
            return
        child.set_total(total)
        self.book(child.instrument).resize(child)
        self.set_status(child, child.status)

    # -- helpers -----------------------------------------------------------------------------------------------------

    def schedule(self, order: WorkingOrder, span: Span, action: Callable[[], None]) -> None:
        """Run an order's next action after a drawn delay, never before its last one."""
        start_ns = max(self.clock.now_ns, order.busy_until_ns)
        delay_ns = order.rng.between(*span)
        # Fills, routing and cancels run side by side; only what the client hears in answer queues behind each other.
        if span is self.latency.acknowledge_ns:
            order.busy_until_ns = start_ns + delay_ns
        self.later(start_ns, delay_ns, action)

    def later(self, start_ns: int, delay_ns: int, action: Callable[[], None]) -> None:
        """Run an action of the gateway."""
        self.clock.at(start_ns + delay_ns, action)
