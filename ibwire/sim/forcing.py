"""What a scenario can make happen to orders. `Gateway.force` and `MatchingEngine.force` are a `Force`.

::

    force = gateway.force
    force.on_place(lambda request, live: DROP if request.orderId == 7 else None)      # 7 is never answered
    force.on_place(lambda request, live: Refusal(201, "No") if live else None)        # every modify is refused
    force.on_cancel(lambda clientId, orderId: DROP)                                   # cancels vanish
    force.fill(1, 5, size=Decimal(40), price=Decimal("187.40"))       # 40 of order 5 of client 1, also after its end
    force.reject(1, 5, 201, "Order rejected: no")                     # Inactive and the message
    force.cancel(1, 5, reason="Cancelled by the exchange")            # Cancelled and 202
    force.hold(1, 5, "locate", warning=(404, "Shares are sought"))    # nothing fills until release(1, 5)
    force.correct(execId, price=Decimal("187.41")); force.bust(execId)
    force.status(1, 5, "Submitted", filled=Decimal(0))                # one stale orderStatus; the order is as it was
    force.perm_id(1, 5, 123); force.cap_price(1, 5, Decimal("190")); force.warn(1, 5, 399, "...")
    force.forget(1, 5); force.next_id(1, 3)                           # as if the gateway had never seen it

Each takes effect when it is called, on the virtual clock of the moment; `gateway.clock.after(ns, ...)` makes it later.
What is sent on account of an order goes through `Gateway.order_filter`, which can delay, drop, double, reorder and
change it: `gateway.order_filter = lambda session, event, messages: [(0, m) for m in messages for _ in range(2)]`.
Habits that hold for every order are `Manners`. Nothing here asks whether a real exchange would do it, but the books
stay right: what fills is booked, and what a busted or corrected execution did to its account is undone.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from enum import Enum
from functools import partial
from typing import TYPE_CHECKING, Any

from ibwire.sim.book import Leg
from ibwire.sim.checks import Refusal
from ibwire.sim.combos import prices_at
from ibwire.sim.orders import INACTIVE, LIQUIDITY_REMOVED, PRE_SUBMITTED, Fill, OrderRequest, StatusChange
from ibwire.sim.working import WorkingOrder

if TYPE_CHECKING:
    from ibwire.sim.matching import MatchingEngine


class Verdict(Enum):
    """What a rule says of a request when it neither lets it pass (None) nor refuses it (`Refusal`)."""

    DROP = "drop"


DROP = Verdict.DROP
PlaceRule = Callable[[OrderRequest, bool], Verdict | Refusal | None]
CancelRule = Callable[[int, int], Verdict | Refusal | None]


class Force:
    """See the module's text. Orders are named by (clientId, orderId); an unknown one is a KeyError.

    Parameters
    ----------
    engine : MatchingEngine
        Whose orders these are.
    """

    def __init__(self, engine: MatchingEngine) -> None:
        self._engine = engine
        self._place_rules: list[PlaceRule] = []
        self._cancel_rules: list[CancelRule] = []

    # -- rules for requests to come ----------------------------------------------------------------------------------

    def on_place(self, rule: PlaceRule) -> Callable[[], None]:
        """Ask `rule(request, live)` of every placement from now on (`live`: it is a modify); return how to stop it.

        The first rule that says something decides: DROP is silence, a `Refusal` is the answer.
        """
        self._place_rules.append(rule)
        return lambda: self._place_rules.remove(rule)

    def on_cancel(self, rule: CancelRule) -> Callable[[], None]:
        """Ask `rule(clientId, orderId)` of every cancel from now on; return how to stop it."""
        self._cancel_rules.append(rule)
        return lambda: self._cancel_rules.remove(rule)

    def takes_placement(self, request: OrderRequest) -> bool:
        """True when a rule decided a placement; the engine asks."""
        if not self._place_rules:
            return False
        order = self._engine.orders.get((request.clientId, request.orderId))
        live = order is not None and not order.held
        for rule in tuple(self._place_rules):
            verdict = rule(request, live)
            if isinstance(verdict, Refusal):
                alive = order is not None and live and not order.done
                self._soon(partial(self._engine.reject, request, verdict, live=alive))
            if verdict is not None:
                return True
        return False

    def takes_cancel(self, clientId: int, orderId: int) -> bool:
        """True when a rule decided a cancel; the engine asks."""
        for rule in tuple(self._cancel_rules):
            verdict = rule(clientId, orderId)
            if isinstance(verdict, Refusal):
                self._soon(partial(self._engine.refuse_cancel, clientId, orderId, verdict))
            if verdict is not None:
                return True
        return False

    def _soon(self, action: Callable[[], None]) -> None:
        self._engine.later(self._engine.clock.now_ns, 0, action)

    # -- orders ------------------------------------------------------------------------------------------------------

    def _order(self, clientId: int, orderId: int) -> WorkingOrder:
        try:
            return self._engine.orders[clientId, orderId]
        except KeyError:
            raise KeyError(f"client {clientId} has no order {orderId}") from None

    def fill(self, clientId: int, orderId: int, size: Decimal | None = None, price: Decimal | None = None) -> None:
        """Fill an order, also one that has ended: the open size (or `size`) at the quote (or `price`).

        Raises
        ------
        ValueError
            If the size is more than is open, or size or price do not fit the instrument.
        """
        order = self._order(clientId, orderId)
        engine = self._engine
        units = order.open_units if size is None else order.units(size)
        book = engine.book(order.instrument)
        steps = book.touch(order) if price is None else order.instrument.steps(price)
        parts = order.instrument.parts
        if not order.number or not 0 < units <= order.open_units or steps is None or (steps <= 0 and not parts):
            raise ValueError(f"order {orderId} cannot fill {size} at {price}: {order.size(order.open_units)} is open")
        net = order.instrument.price(steps)
        prices = prices_at(engine.market, order.instrument, order.is_buy, net) if parts else []
        fills = engine.book_fill(Leg(order, units, steps, LIQUIDITY_REMOVED, prices))
        if not order.done:
            book.resize(order)
        engine.tell_fill(order, fills)
        engine.after_fill(order)

    def reject(self, clientId: int, orderId: int, code: int, text: str, status: str = INACTIVE) -> None:
        """End an order as IB refuses one: the status, then the message."""
        order = self._order(clientId, orderId)
        if not order.done:
            self._engine.fail(order, Refusal(code, text), status)

    def cancel(self, clientId: int, orderId: int, reason: str = "Cancelled by the exchange", code: int = 202) -> None:
        """Cancel an order without being asked to; code 0 sends no message."""
        self._engine.end(self._order(clientId, orderId), reason, code=code)

    def hold(
        self,
        clientId: int,
        orderId: int,
        why: str = "",
        status: str = PRE_SUBMITTED,
        warning: tuple[int, str] | None = None,
    ) -> None:
        """Take an order off its market until `release`; `why` is its whyHeld meanwhile.

        With status Inactive it is held as an order that waits for margin, permission or its exchange is.
        """
        order = self._order(clientId, orderId)
        if order.done:
            return
        order.frozen, order.hold_text = True, why
        order.generation += 1
        order.routed = False
        self._engine.book(order.instrument).withdraw(order)
        if warning is not None:
            self._engine.warn(order, *warning)
        self._engine.set_status(order, status)

    def release(self, clientId: int, orderId: int) -> None:
        """Let a held order go on."""
        order = self._order(clientId, orderId)
        if order.done:
            return
        order.frozen, order.hold_text = False, ""
        self._engine.set_status(order, PRE_SUBMITTED)
        self._engine.update(order)

    def warn(self, clientId: int, orderId: int, code: int, text: str) -> None:
        """Send a message about an order that stays as it is."""
        self._engine.warn(self._order(clientId, orderId), code, text)

    def status(self, clientId: int, orderId: int, status: str | None = None, **fields: Any) -> None:
        """Send openOrder and orderStatus with another status or other fields of `OrderSnapshot`; nothing changes."""
        snapshot = self._order(clientId, orderId).snapshot()
        if status is not None:
            fields["status"] = status
        self._engine.emit(StatusChange(replace(snapshot, **fields), self._engine.clock.now_ns))

    def perm_id(self, clientId: int, orderId: int, permId: int) -> None:
        """Change (or, with 0, hide) the permId that clients are told."""
        order = self._order(clientId, orderId)
        order.permId = permId
        self._engine.set_status(order, order.status)

    def cap_price(self, clientId: int, orderId: int, price: Decimal) -> None:
        """Say that IB capped the order's price."""
        order = self._order(clientId, orderId)
        order.mktCapPrice = price
        self._engine.set_status(order, order.status)

    def forget(self, clientId: int, orderId: int) -> None:
        """Drop an order without a word, as a gateway that restarted between its bytes and its acceptance."""
        self._order(clientId, orderId)
        self._engine.forget((clientId, orderId))

    def next_id(self, clientId: int, orderId: int) -> None:
        """Make `orderId` the next valid id of a client, also a lower one than it was told before."""
        self._engine.set_next_id(clientId, orderId)

    # -- executions --------------------------------------------------------------------------------------------------

    def correct(self, execId: str, size: Decimal | None = None, price: Decimal | None = None) -> Fill:
        """Replace an execution by a corrected one with the next number after the last dot, and report it again.

        Raises
        ------
        KeyError
            If there is no such execution (or a correction has replaced it).
        ValueError
            If the new size or price does not fit the instrument.
        """
        return self._engine.fills.amend(execId, size, price)

    def bust(self, execId: str) -> Fill:
        """Undo an execution: it comes again with size 0 under the next number."""
        return self._engine.fills.amend(execId, Decimal(0), None)
