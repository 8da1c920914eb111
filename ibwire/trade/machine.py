"""What one trigger does to one order: look the next state up, keep the quantities, write the event.

Functions over an :class:`~ibwire.trade.view.OrderView`, without identity and without anything outside the view. The
choice of the trigger is here, the choice of the state is in ``ibwire/spec/orderstates.py``.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Final

from ibwire.spec.errorcodes import OrderEffect
from ibwire.spec.orderstates import (
    ENDED,
    LIVE_STATUSES,
    RESUME,
    STATE_MEANING,
    STATUS_TRIGGER,
    TRANSITIONS,
    WIRE_MEANING,
    Legality,
    State,
    Trigger,
    wire_legality,
)
from ibwire.trade.executions import EXACT, ZERO, Fee, Fill, known
from ibwire.trade.view import OrderEvent, OrderView, money

__all__ = [
    "append",
    "apply_status",
    "doubt",
    "error_trigger",
    "learn_terms",
    "match_modify",
    "move",
    "note",
    "note_fee",
    "quantity_trigger",
    "same_terms",
    "settle_quantity",
    "step",
    "sum_fills",
]

_PROOF_OF_LIFE: Final = frozenset(
    {Trigger.PRE_SUBMITTED, Trigger.SUBMITTED, Trigger.STATUS_FILLED, Trigger.EXECUTION, Trigger.EXECUTION_FULL}
)
_WANTS_QUERY: Final = frozenset(
    {
        Trigger.CANCEL_REFUSED,
        Trigger.NOT_FOUND,
        Trigger.UNDECIDED,
        Trigger.REFUSED_LIVE,
        Trigger.CANCELLED_DOUBTFUL,
        Trigger.OTHER_STATUS,
    }
)
_LEGALITY_NOTE: Final = ("", "", "a step back", "out of place")
# Terms whose values in an openOrder show that a modify took effect; "modified" is no status on the wire.
_TERMS: Final = ("totalQuantity", "lmtPrice", "auxPrice")


def apply_status(
    view: OrderView, status: str, now_ns: int, detail: str, moved: bool = False, settled: bool = False
) -> None:
    """Take a status text; `moved`: it told a new quantity, `settled`: it is a record and answers nothing."""
    legality = wire_legality(view.wire_status, status)
    trigger = STATUS_TRIGGER.get(status, Trigger.OTHER_STATUS)
    if trigger in (Trigger.STATUS_CANCELLED, Trigger.API_CANCELLED) and not view.cancel_requested:
        if (view.pending_modifies or view.modify_refused) and not (settled or view.link_was_lost):
            trigger = Trigger.CANCELLED_DOUBTFUL
        elif view.refusal is not None:
            trigger = Trigger.CANCELLED_REFUSED
    elif view.told_202 and view.told_cancelled and view.is_done and status in LIVE_STATUSES:
        trigger = Trigger.STALE_STATUS
    elif trigger is Trigger.STATUS_INACTIVE and view.refusal is not None and not view.seen_live:
        trigger = Trigger.CANCELLED_REFUSED
    view.told_cancelled = view.told_cancelled or status in ("Cancelled", "ApiCancelled")
    before, repeat = view.state, view.wire_status == status
    view.answered = True
    view.wire_status = status
    legality = max(legality, move(view, trigger))
    if trigger is not Trigger.OTHER_STATUS and not view.is_uncertain:
        view.needs_query = False
    if trigger in (Trigger.PRE_SUBMITTED, Trigger.SUBMITTED):
        view.modify_refused = False
    if repeat and view.state is before and not moved:
        view.duplicates += 1
        return
    first_told = trigger is Trigger.STATUS_FILLED and not view.told_filled
    view.told_filled = view.told_filled or first_told
    if first_told and before is State.FILLED:
        return  # the executions said so already
    if trigger is Trigger.STATUS_FILLED and view.state is State.FILLED:
        meaning = f"DONE {view.summary()}"
    else:
        meaning = WIRE_MEANING.get(status, "a status that is not known; the order is kept as it was")
    if view.is_uncertain:
        meaning = f"{meaning}; but {STATE_MEANING[State.UNCERTAIN]}"
    append(view, now_ns, status, meaning, detail, "status", legality)


def quantity_trigger(view: OrderView, delta: Decimal) -> Trigger:
    """The trigger of an execution that changed the quantity by `delta`."""
    total = view.max_quantity
    if total is not None and view.confirmed_filled >= total:
        return Trigger.EXECUTION_FULL
    if delta < 0:
        # With the broker's own Filled on record a smaller quantity does not reopen the order.
        return Trigger.WARNING if view.told_filled else Trigger.EXECUTION_REDUCED
    return Trigger.EXECUTION


def settle_quantity(view: OrderView, now_ns: int) -> None:
    """Executions may have come before the total was known: look again."""
    if view.confirmed_filled > 0 and view.state is not State.FILLED:
        trigger = quantity_trigger(view, ZERO)
        if trigger is Trigger.EXECUTION_FULL:
            move(view, trigger)
            append(view, now_ns, "Filled", f"DONE {view.summary()}", "by executions", "execution")


def learn_terms(view: OrderView, contract: Any, order: Any) -> None:
    """Keep the gateway's own contract and order."""
    if view.order is None:
        view.contract, view.order = contract, order
    view.broker_contract, view.broker_order = contract, order
    sum_fills(view)


def sum_fills(view: OrderView) -> None:
    """Sum the executions anew: which of them count may have changed."""
    counted: list[Fill[OrderView]] = [fill for fill in view.fills.values() if view.counts(fill)]
    filled = notional = cum = ZERO
    for fill in counted:
        cum = max(cum, known(getattr(fill.execution, "cumQty", None)) or ZERO)
        filled = EXACT.add(filled, fill.shares)
        notional = EXACT.add(notional, EXACT.multiply(fill.shares, fill.price))
    view.exec_filled, view.exec_notional, view.exec_cum = filled, notional, cum


def match_modify(view: OrderView, order: Any, now_ns: int) -> None:
    """Drop the pending modifies up to the last whose terms the gateway now reports."""
    for index in range(len(view.pending_modifies) - 1, -1, -1):
        if same_terms(view.pending_modifies[index], order):
            del view.pending_modifies[: index + 1]
            break
    else:
        return
    view.refusal = None
    view.modify_refused = False
    trigger = Trigger.WARNING if view.pending_modifies else Trigger.MODIFY_ACCEPTED
    step(view, trigger, now_ns, "modified", "the new terms are in force", "", "status")


def error_trigger(view: OrderView, effect: OrderEffect, code: int, text: str) -> Trigger:
    """The trigger of an error code, from what the code means and what the order waits for."""
    if effect is OrderEffect.CANCELLED:
        view.told_202 = True
        expired = "expire" in text.lower() and not view.cancel_requested
        return Trigger.EXPIRED if expired else Trigger.CANCEL_CONFIRMED
    if effect is OrderEffect.CANCEL_REFUSED:
        view.cancel_requested = False
        return Trigger.CANCEL_REFUSED
    if effect is OrderEffect.NOT_FOUND:
        return Trigger.NOT_FOUND
    if effect is OrderEffect.UNDECIDED:
        return Trigger.UNDECIDED
    if effect is OrderEffect.MODIFY_REFUSED or (effect is OrderEffect.REFUSED and view.pending_modifies):
        if not view.pending_modifies:
            return Trigger.WARNING
        if effect is OrderEffect.REFUSED and not view.seen_live:
            return Trigger.UNDECIDED  # it may answer the placement or the modify
        view.pending_modifies.pop(0)
        view.modify_refused = True
        return Trigger.WARNING if view.pending_modifies else Trigger.MODIFY_REFUSED
    if effect is OrderEffect.REFUSED:
        view.refusal = (code, text)
        return Trigger.REFUSED_LIVE if view.seen_live else Trigger.REFUSED
    return Trigger.WARNING


def move(view: OrderView, trigger: Trigger) -> Legality:
    """Look the next state up and go there."""
    cell = TRANSITIONS[view.state, trigger]
    view.seen_live = view.seen_live or trigger in _PROOF_OF_LIFE
    target = cell.target
    if target in (RESUME, State.WORKING) and view.filled > 0:
        target = State.PARTIALLY_FILLED
    elif target == RESUME:
        target = State.WORKING if view.seen_live else State.ACKNOWLEDGED if view.answered else State.SENT
    elif target == State.UNCERTAIN and view.state is not State.UNCERTAIN:
        view.needs_query = True
    view.state = State(target)
    if view.state in ENDED:
        view.needs_query = False
    elif trigger in _WANTS_QUERY or cell.legality is Legality.ANOMALY:
        view.needs_query = True
    return cell.legality


def step(view: OrderView, trigger: Trigger, now_ns: int, title: str, meaning: str, detail: str, kind: str) -> None:
    """Move, and write the event; an empty meaning is the sentence of the new state."""
    before = view.state
    legality = move(view, trigger)
    append(view, now_ns, title, meaning or STATE_MEANING[view.state], detail, kind, legality)
    if view.state is State.FILLED and before is not State.FILLED and kind == "execution":
        append(view, now_ns, "Filled", f"DONE {view.summary()}", "by executions", kind)


def doubt(view: OrderView, trigger: Trigger, now_ns: int, reason: str) -> bool:
    """Move, and write an event only when that changed the state; True then."""
    before = view.state
    move(view, trigger)
    if view.state is before:
        return False
    append(view, now_ns, "uncertain", STATE_MEANING[view.state], reason, "link")
    return True


def note_fee(view: OrderView, fee: Fee, now_ns: int) -> None:
    """Write a fee event."""
    text = money({fee.currency: fee.amount}) if fee.amount is not None else "not stated"
    note(view, now_ns, "commission", text, f"exec {fee.exec_id}", "commission")


def note(view: OrderView, now_ns: int, title: str, meaning: str, detail: str, kind: str) -> None:
    """Write an event that moves nothing."""
    append(view, now_ns, title, meaning, detail, kind)


def append(view: OrderView, now_ns: int, title: str, meaning: str, detail: str, kind: str,
    legality: Legality = Legality.NORMAL, code: int = 0,
) -> None:  # fmt: skip
    """Write an event with its time since the placement."""
    parts = [detail, _LEGALITY_NOTE[legality]]
    if view.perm_id and not view.perm_id_told:
        view.perm_id_told = True
        parts.insert(0, f"permId {view.perm_id}")
    ms = (now_ns - view.first_ns) / 1e6
    text = ", ".join(part for part in parts if part)
    view.events.append(OrderEvent(now_ns, ms, title, view.state, view.wire_status, meaning, text, kind, legality, code))


def same_terms(wanted: Any, reported: Any) -> bool:
    """Whether two orders agree in the terms that both state."""
    for name in _TERMS:
        want, have = known(getattr(wanted, name, None)), known(getattr(reported, name, None))
        if want is not None and have is not None and want != have:
            return False
    return True
