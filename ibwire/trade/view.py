"""One order as a program sees it, and the events that made it so. Written by the order table only."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from ibwire.spec.orderstates import (
    ENDED,
    RISK,
    STATE_MEANING,
    STATUS_SPEAKS,
    WIRE_MEANING,
    Flag,
    Legality,
    Risk,
    State,
)
from ibwire.trade.executions import EXACT, ZERO, Fill, Part, known, sum_fees

__all__ = ["OrderEvent", "OrderView", "Standing", "money", "plain"]

# Plain integers: operators of Flag make an object each.
_NEEDS_QUERY, _SEEN_LIVE, _ANSWERED = int(Flag.NEEDS_QUERY), int(Flag.SEEN_LIVE), int(Flag.ANSWERED)
_CANCEL_ASKED, _DOUBT = int(Flag.CANCEL_ASKED), int(Flag.DOUBT)


def plain(number: Decimal) -> str:
    """Text of a number without exponent and without trailing zeros."""
    text = format(number, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def money(amounts: dict[str, Decimal]) -> str:
    """``1.00 USD`` with at least two decimals; several currencies joined by plus."""
    parts = []
    for currency, amount in sorted(amounts.items()):
        text = plain(amount)
        whole, _, digits = text.partition(".")
        parts.append(f"{whole}.{digits.ljust(2, '0')} {currency}".rstrip())
    return " + ".join(parts)


@dataclass(frozen=True, slots=True)
class OrderEvent:
    """One step in an order's life.

    Attributes
    ----------
    ns : int
        Monotonic time of the step, in nanoseconds, as the caller gave it: of a message when it was received, so that a
        step of ours that took effect just before it may be the later one.
    ms : float
        Milliseconds since the order was placed (or, for an order of someone else, first seen).
    state : str
        Short title: a wire status as it came, or ``sent``, ``execution``, ``error 201``, ``uncertain`` and the like.
    order_state : State
        Our state after the step.
    wire_status : str
        Last wire status after the step, "" while none came.
    meaning, detail : str
        A plain sentence, and the facts that belong to it.
    kind : str
        local, status, execution, commission, error, link or group.
    legality : Legality
        How the step fits what came before.
    code : int
        Error code of an ``error`` event, else 0.
    """

    ns: int
    ms: float
    state: str
    order_state: State
    wire_status: str
    meaning: str
    detail: str
    kind: str
    legality: Legality = Legality.NORMAL
    code: int = 0


class Standing:
    """What follows from the state, the flags and the last wire status of an order, wherever they stand."""

    __slots__ = ()
    if TYPE_CHECKING:

        @property
        def state(self) -> State: ...
        @property
        def flags(self) -> int: ...
        @property
        def wire_status(self) -> str: ...

    def has(self, flags: int) -> bool:
        """Whether any of these flags is set."""
        return bool(self.flags & flags)

    @property
    def needs_query(self) -> bool:
        """Something happened that only a look-up (open orders, executions, completed orders) settles."""
        return bool(self.flags & _NEEDS_QUERY)

    @property
    def seen_live(self) -> bool:
        """A working status or an execution has proved at least once that the broker accepted it."""
        return bool(self.flags & _SEEN_LIVE)

    @property
    def answered(self) -> bool:
        """The gateway has said something about it."""
        return bool(self.flags & _ANSWERED)

    @property
    def cancel_requested(self) -> bool:
        """A cancel was sent and has not been refused."""
        return bool(self.flags & _CANCEL_ASKED)

    @property
    def risk(self) -> Risk:
        """What the state means for exposure."""
        return RISK[self.state]

    @property
    def is_live(self) -> bool:
        """Known to be at the broker and able to be filled."""
        return self.risk is Risk.LIVE

    @property
    def may_fill(self) -> bool:
        """Not known to be unable to be filled: maybe live, live or unknown."""
        return self.risk in (Risk.MAYBE_LIVE, Risk.LIVE, Risk.UNKNOWN)

    @property
    def is_filled(self) -> bool:
        """The whole quantity is executed."""
        return self.state is State.FILLED

    @property
    def is_done(self) -> bool:
        """Ended: filled, cancelled, rejected or expired."""
        return self.state in ENDED

    @property
    def is_uncertain(self) -> bool:
        """Nobody here knows; look it up."""
        return self.state is State.UNCERTAIN

    @property
    def meaning(self) -> str:
        """The state in one plain sentence; where the last wire status says more, in its sentence."""
        if (self.state, self.wire_status) in STATUS_SPEAKS:
            return WIRE_MEANING[self.wire_status]
        return STATE_MEANING[self.state]


@dataclass(slots=True, eq=False)
class OrderView(Standing):
    """One order. Read it from any thread; only the :class:`~ibwire.trade.orders.OrderTable` writes it.

    Attributes
    ----------
    order_id, client_id : int
        Who placed it; order id 0 for a manual order that is not bound.
    perm_id : int
        The account-wide id, 0 until known; a known one is never overwritten.
    contract, order : object or None
        As placed, else as the gateway reported them.
    broker_contract, broker_order : object or None
        Those of the last openOrder message.
    placed_order : object or None
        The order as first placed, before any modify.
    state : State
        Our view of it.
    wire_status : str
        The last status text as it came, "" while none came.
    events : list of OrderEvent
        Everything that changed it, oldest first. Repeats are counted in `duplicates` only.
    certain : State
        The last state that was not uncertain.
    flags : int
        What it remembers, bits of :class:`~ibwire.spec.orderstates.Flag`.
    due_ns : int
        When its state has lasted too long without an answer; 0 while nothing is awaited.
    last_error : tuple of (int, str) or None
        Last code and text that was not a mere warning.
    notes : list of (int, str)
        Every code and text that came for it, in order.
    became : OrderView or None
        The order that this one turned out to be.
    """

    order_id: int
    client_id: int
    first_ns: int
    perm_id: int = 0
    parent_id: int = 0
    contract: Any = None
    order: Any = None
    broker_contract: Any = None
    broker_order: Any = None
    placed_order: Any = None
    state: State = State.CREATED
    wire_status: str = ""
    events: list[OrderEvent] = field(default_factory=list)
    certain: State = State.CREATED
    flags: int = 0
    due_ns: int = 0
    what_if: bool = False
    refusal: tuple[int, str] | None = None
    last_error: tuple[int, str] | None = None
    advanced_reject: str = ""
    notes: list[tuple[int, str]] = field(default_factory=list)
    order_ref: str = ""
    oca_group: str = ""
    why_held: str = ""
    mkt_cap_price: float = 0.0
    duplicates: int = 0
    pending_modifies: list[Any] = field(default_factory=list)
    replaced: list[Any] = field(default_factory=list)  # terms that an accepted modify took the place of
    became: OrderView | None = None  # the one that it turned out to be, when it was held under its permId only
    modify_refusals: int = 0  # refusals while several modifies are unanswered: which one each meant is not told
    fills: dict[str, Fill[OrderView]] = field(default_factory=dict)
    exec_filled: Decimal = ZERO  # sum of the executions that count for quantity
    exec_notional: Decimal = ZERO
    exec_cum: Decimal = ZERO  # highest cumulative quantity an execution named
    corrected: bool = False
    last_act: str = ""  # place, modify or cancel: what was sent last
    perm_id_told: bool = False
    reported_filled: Decimal = ZERO  # highest quantity a status named
    reported_remaining: Decimal | None = None
    reported_avg: float = 0.0

    @property
    def total_quantity(self) -> Decimal | None:
        """Ordered quantity as last confirmed by the gateway, else as placed; None when unknown (cash orders)."""
        for order in (self.broker_order, self.placed_order):
            total = known(getattr(order, "totalQuantity", None))
            if total:
                return total
        return None

    @property
    def max_quantity(self) -> Decimal | None:
        """The most that may be filled: the total, or more while a modify that raises it is not answered.

        While terms contradict each other (an openOrder that names terms which a modify had replaced), the larger ones.
        """
        doubtful = self.replaced if self.flags & _DOUBT else ()
        asked = [known(getattr(order, "totalQuantity", None)) for order in (*self.pending_modifies, *doubtful)]
        return max((total for total in (self.total_quantity, *asked) if total), default=None)

    @property
    def confirmed_filled(self) -> Decimal:
        """Quantity that executions prove."""
        return self.exec_filled if self.corrected else max(self.exec_filled, self.exec_cum)

    @property
    def filled(self) -> Decimal:
        """Executed quantity. Executions are the truth; a status that names more counts until they come."""
        return self.exec_filled if self.corrected else max(self.exec_filled, self.exec_cum, self.reported_filled)

    @property
    def remaining(self) -> Decimal | None:
        """Quantity not executed, never below zero; None when the total is unknown."""
        total = self.total_quantity
        if total is not None:
            return max(ZERO, EXACT.subtract(total, self.filled))
        return self.reported_remaining if self.reported_filled == self.filled else None

    @property
    def avg_fill_price(self) -> float | None:
        """Average price without fees; None while nothing is executed."""
        if self.filled > self.exec_filled and self.reported_avg:
            return self.reported_avg
        if not self.exec_filled:
            return None
        return float(EXACT.divide(self.exec_notional, self.exec_filled))

    @property
    def commission(self) -> dict[str, Decimal]:
        """Exact fees so far for each currency; empty until a report came.

        Those of an allocated order are its accounts' where any was reported, else the order's own: never both.
        """
        fills = self.executions
        if self.is_allocated:
            shares = [fill for fill in fills if self.part(fill) is Part.ALLOCATION]
            fills = shares if any(fill.fee for fill in shares) else [f for f in fills if f not in shares]
        return sum_fees(fills)

    @property
    def executions(self) -> list[Fill[OrderView]]:
        """The latest revision of each execution, in order of arrival."""
        return list(self.fills.values())

    @property
    def is_allocated(self) -> bool:
        """An advisor's order that is divided among accounts."""
        return any(getattr(order, "faGroup", "") for order in (self.broker_order, self.order))

    def part(self, fill: Fill[OrderView]) -> Part:
        """What a fill is of this order: of the order itself, a leg of a combination, or one account's share."""
        sec_type = getattr(self.broker_contract or self.contract, "secType", "")
        if sec_type == "BAG" and fill.sec_type not in ("", "BAG"):
            return Part.LEG
        if not fill.account or not self.is_allocated or fill.account.startswith(("F", "DF")):
            return Part.ORDER
        own = getattr(self.broker_order or self.order, "account", "")
        return Part.ORDER if own == fill.account else Part.ALLOCATION

    @property
    def fills_are_unequal(self) -> bool:
        """Its executions add up to more than was ordered, or than any of them names: a bust or terms are missing."""
        total = self.max_quantity
        if total is not None and self.confirmed_filled > total:
            return True
        if self.is_allocated:
            return False  # accounts name their own
        counted = [fill for fill in self.fills.values() if fill.shares and self.part(fill) is not Part.LEG]
        most = max((fill.cum for fill in counted), default=ZERO)
        return self.exec_filled > most and all(fill.cum for fill in counted)

    def sum_fills(self) -> None:
        """Sum the executions anew: which of them count may have changed.

        Allocations and the order's own executions are two reports of the same thing: the larger sum counts.
        """
        filled, notional, cum = [ZERO, ZERO], [ZERO, ZERO], ZERO
        for fill in self.fills.values():
            part = self.part(fill)
            if part is Part.LEG:
                continue
            filled[part] = EXACT.add(filled[part], fill.shares)
            notional[part] = EXACT.add(notional[part], EXACT.multiply(fill.shares, fill.price))
            if part is Part.ORDER:
                cum = max(cum, fill.cum)
        larger = Part.ALLOCATION if filled[Part.ALLOCATION] > filled[Part.ORDER] else Part.ORDER
        self.exec_filled, self.exec_notional, self.exec_cum = filled[larger], notional[larger], cum

    def summary(self) -> str:
        """``100 @ 187.426, commission 1.00 USD`` from what is known now."""
        return self.sum_up(self.filled, self.avg_fill_price)

    def sum_up(self, filled: Decimal, price: float | None) -> str:
        """That sentence for a quantity and its average price, with the fees that are known."""
        text = plain(filled)
        if price is not None:
            text = f"{text} @ {price:.12g}"
        fees = money(self.commission)
        if not fees:
            return text
        complete = filled == self.exec_filled and all(fill.fee is not None for fill in self.executions)
        return f"{text}, commission {fees}{'' if complete else ' so far'}"

    def __repr__(self) -> str:
        total = self.total_quantity
        return (
            f"<{type(self).__name__} {self.order_id} client {self.client_id} permId {self.perm_id} {self.state.label}"
            f" {self.wire_status or '-'} filled {plain(self.filled)}/{'?' if total is None else plain(total)}>"
        )
