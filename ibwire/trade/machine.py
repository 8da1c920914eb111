"""What one event does to one order: find the rule, look the next state up, keep the quantities, write the event.

Functions over an :class:`~ibwire.trade.view.OrderView`, without identity and without anything outside the view. Which
trigger and which state follow is data, in ``ibwire/spec/orderstates.py``; here is what cannot be: texts, quantities
and terms. The order of the checks is written down in docs/orders/machine.md.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Final

from ibwire.spec.errorcodes import OrderEffect
from ibwire.spec.orderstates import (
    DEADLINE_MS,
    ENDED,
    ERROR_EVENT,
    STATE_MEANING,
    STATUS_TRIGGER,
    TRANSITIONS,
    WIRE_MEANING,
    Event,
    Flag,
    Legality,
    State,
    Trigger,
    find_rule,
    resolve,
    wire_legality,
)
from ibwire.trade.executions import ZERO, Fee, known
from ibwire.trade.view import OrderEvent, OrderView, money

__all__ = [
    "append",
    "apply_status",
    "apply_terms",
    "believe_sum",
    "doubt",
    "error_event",
    "learn_terms",
    "move",
    "note",
    "note_fee",
    "quantity_event",
    "quantity_extra",
    "reopen",
    "same_terms",
    "settle_quantity",
    "step",
]

_MS: Final = 1_000_000
# Plain integers: operators of Flag make an object each.
_FILLS, _DOUBT, _BLIND = int(Flag.FILLS), int(Flag.DOUBT), int(Flag.BLIND)
_IN_FORCE: Final = "the new terms are in force"
_MAYBE_OLDER: Final = "these terms are reported; the message may be older than the modify"
_MORE, _AMBIGUOUS = int(Flag.MORE), int(Flag.AMBIGUOUS)
_FILLS_IN_DOUBT: Final = int(Flag.BLIND | Flag.UNNAMED)
_NEEDS_QUERY, _TOLD_FILLED, _UNEQUAL = int(Flag.NEEDS_QUERY), int(Flag.TOLD_FILLED), int(Flag.UNEQUAL)
_LEGALITY_NOTE: Final = ("", "", "a step back", "out of place")
# Terms whose values in an openOrder show that a modify took effect; "modified" is no status on the wire.
_TERMS: Final = ("totalQuantity", "lmtPrice", "auxPrice")
# Local events that start the time in which an answer is due anew, even when the state stays.
_SENDS: Final = frozenset({Event.PLACE, Event.CANCEL_REQUEST})


# -- the machine -----------------------------------------------------------------------------------------------------


def move(view: OrderView, event: Event, now_ns: int, extra: int = 0) -> tuple[Trigger, Legality]:
    """Take one event: its rule, the next state, the flags after it, the time of the next deadline.

    `extra` are the flags that come with the event (bit 16 and up).
    """
    fills = _FILLS if view.filled > 0 else 0
    word = view.flags | extra | fills
    rule = find_rule(view.state, word, event)
    cell = TRANSITIONS[view.state, rule.trigger]
    before = view.state
    view.flags = view.flags & ~rule.clear | rule.set
    view.state = resolve(cell.target, view.flags | fills)
    if view.state is not State.UNCERTAIN:
        view.certain = view.state
    if view.state in ENDED:
        if before not in ENDED:
            view.flags &= ~_DOUBT
            if not view.flags & _BLIND:
                view.flags &= ~_NEEDS_QUERY
    elif cell.legality is Legality.ANOMALY or (view.state is State.UNCERTAIN and before is not State.UNCERTAIN):
        view.flags |= _NEEDS_QUERY
    if view.state is not before or event in _SENDS:
        limit = DEADLINE_MS[view.state]
        view.due_ns = now_ns + limit * _MS if limit else 0
    return rule.trigger, cell.legality


def step(
    view: OrderView, event: Event, now_ns: int, title: str, meaning: str, detail: str, kind: str, extra: int = 0
) -> Trigger:
    """Move, and write the event; an empty meaning is the sentence of the new state."""
    before = view.state
    trigger, legality = move(view, event, now_ns, extra)
    append(view, now_ns, title, meaning or STATE_MEANING[view.state], detail, kind, legality)
    if view.state is State.FILLED and before is not State.FILLED and kind == "execution":
        append(view, now_ns, "Filled", f"DONE {view.summary()}", "by executions", kind)
    return trigger


def doubt(view: OrderView, event: Event, now_ns: int, reason: str) -> bool:
    """Move, and write an event only when that changed the state; True then."""
    before = view.state
    move(view, event, now_ns)
    if view.state is before:
        return False
    append(view, now_ns, view.state.label, STATE_MEANING[view.state], reason, "link")
    return True


# -- statuses --------------------------------------------------------------------------------------------------------


def apply_status(view: OrderView, status: str, now_ns: int, detail: str, moved: bool = False, extra: int = 0) -> None:
    """Take a status text; `moved`: it told a new quantity."""
    legality = wire_legality(view.wire_status, status)
    event = Event(STATUS_TRIGGER.get(status, Trigger.OTHER_STATUS))
    before, repeat = view.state, view.wire_status == status
    first_filled = event is Event.STATUS_FILLED and not view.flags & _TOLD_FILLED
    view.wire_status = status
    legality = max(legality, move(view, event, now_ns, extra)[1])
    if repeat and view.state is before and not moved:
        view.duplicates += 1
        return
    if first_filled and before is State.FILLED:
        return  # the executions said so already
    if event is Event.STATUS_FILLED and view.state is State.FILLED:
        meaning = f"DONE {view.summary()}"
    else:
        meaning = WIRE_MEANING.get(status, "a status that is not known; the order is kept as it was")
    if view.is_uncertain:
        meaning = f"{meaning}; but {STATE_MEANING[State.UNCERTAIN]}"
    append(view, now_ns, status, meaning, detail, "status", legality)


# -- quantity --------------------------------------------------------------------------------------------------------


def quantity_event(view: OrderView, delta: Decimal) -> Event:
    """What an execution that changed the quantity by `delta` is."""
    total = view.max_quantity
    if total is not None and view.confirmed_filled >= total:
        return Event.EXECUTION_FULL
    return Event.EXECUTION_REDUCED if delta < 0 else Event.EXECUTION


def quantity_extra(view: OrderView, event: Event) -> int:
    """The flag that comes with what :func:`quantity_event` found."""
    return _UNEQUAL if event is Event.EXECUTION_FULL and view.fills_are_unequal else 0


def settle_quantity(view: OrderView, now_ns: int) -> None:
    """The total may have become known, or smaller, after the executions came: look again."""
    if view.confirmed_filled > 0 and view.state is not State.FILLED:
        event = quantity_event(view, ZERO)
        if event is Event.EXECUTION_FULL and not view.flags & _FILLS_IN_DOUBT and not view.fills_are_unequal:
            move(view, event, now_ns)
            append(view, now_ns, "Filled", f"DONE {view.summary()}", "by executions", "execution")


def reopen(view: OrderView, now_ns: int) -> None:
    """Terms are reported that its executions do not fill: those that made it filled were not the last."""
    total = view.max_quantity
    if view.state is not State.FILLED or total is None or view.confirmed_filled >= total:
        return
    if doubt(view, Event.EXECUTION_REDUCED, now_ns, "the terms are larger than those that were filled"):
        view.flags |= _DOUBT  # these may be older ones


def believe_sum(view: OrderView, told: Decimal | None, now_ns: int) -> None:
    """Its executions add up to what the gateway says, and more was named before: a bust was missed."""
    if told and not view.corrected and told == view.exec_filled < max(view.exec_cum, view.reported_filled):
        view.corrected = True
        step(view, Event.EXECUTION_REDUCED, now_ns, "correction", "", "an execution was busted unseen", "execution")


# -- terms -----------------------------------------------------------------------------------------------------------


def learn_terms(view: OrderView, contract: Any, order: Any) -> None:
    """Keep the gateway's own contract and order."""
    if view.order is None:
        view.contract, view.order = contract, order
    view.broker_contract, view.broker_order = contract, order
    view.sum_fills()


def apply_terms(view: OrderView, contract: Any, order: Any, now_ns: int, extra: int = 0) -> None:
    """Take the terms of an openOrder: they may show that a modify took effect, or contradict one that did."""
    accepted = _accepted(view, order)
    if accepted is None and _is_replaced(view, order):
        if not extra & Flag.SNAPSHOT:
            step(view, Event.TERMS_STALE, now_ns, "old terms", "a modify had replaced these terms", "", "status")
            return
        # The broker was asked: that is how it stands. What was in force before may come again, very late.
        before = [terms for terms in (*view.replaced, view.broker_order) if terms is not None]
        view.replaced = [terms for terms in before if not same_terms(terms, order)]
    learn_terms(view, contract, order)
    if accepted is not None:
        extra = accepted | (_MORE if view.pending_modifies else 0)
        meaning = _MAYBE_OLDER if accepted else _IN_FORCE
        step(view, Event.TERMS_ACCEPTED, now_ns, "modified", meaning, "", "status", extra)


def _accepted(view: OrderView, order: Any) -> int | None:
    """Drop the pending modifies up to the last whose terms are reported; None when none fits.

    AMBIGUOUS when one before it, or the placement, was passed over, or the terms were in force before: this may be an
    older message.
    """
    for index in range(len(view.pending_modifies) - 1, -1, -1):
        if same_terms(view.pending_modifies[index], order):
            old = view.broker_order or view.placed_order
            before = [terms for terms in (*view.replaced, old) if terms is not None]
            ambiguous = index or view.broker_order is None or any(same_terms(terms, order) for terms in before)
            before += view.pending_modifies[:index]
            view.replaced = [terms for terms in before if not same_terms(terms, order)]
            del view.pending_modifies[: index + 1]
            view.modify_refusals = max(0, view.modify_refusals - index)
            if view.modify_refusals >= len(view.pending_modifies):
                view.pending_modifies.clear()
                view.modify_refusals = 0
            view.refusal = None
            return _AMBIGUOUS if ambiguous else 0
    return None


def _is_replaced(view: OrderView, order: Any) -> bool:
    return any(same_terms(terms, order) for terms in view.replaced)


def same_terms(wanted: Any, reported: Any) -> bool:
    """Whether two orders agree in the terms that both state."""
    for name in _TERMS:
        want, have = known(getattr(wanted, name, None)), known(getattr(reported, name, None))
        if want is not None and have is not None and want != have:
            return False
    return True


# -- errors ----------------------------------------------------------------------------------------------------------


def error_event(view: OrderView, effect: OrderEffect, code: int, text: str, now_ns: int) -> Legality:
    """Take an error code by what it means for an order."""
    extra = Flag.EXPIRY if "expire" in text.lower() else 0
    if view.modify_refusals + 1 < len(view.pending_modifies):
        extra |= Flag.MORE
    open_before = view.flags & Flag.MODIFY_OPEN
    if effect is OrderEffect.REFUSED and not open_before:
        view.refusal = (code, text)
    trigger, legality = move(view, Event(ERROR_EVENT + effect), now_ns, extra)
    if trigger is Trigger.MODIFY_REFUSED:
        view.pending_modifies.clear()
        view.modify_refusals = 0
    elif open_before and trigger is Trigger.WARNING and effect in (OrderEffect.REFUSED, OrderEffect.MODIFY_REFUSED):
        view.modify_refusals += 1
    return legality


# -- the history -----------------------------------------------------------------------------------------------------


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
