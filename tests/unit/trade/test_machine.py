from __future__ import annotations

from decimal import Decimal

import pytest

from ibwire.spec.errorcodes import OrderEffect
from ibwire.spec.orderstates import ENDED, TRANSITIONS, Event, Flag, Legality, State, find_rule, resolve
from ibwire.trade import machine
from ibwire.trade.view import OrderView
from tests.unit.trade.messages import CLIENT, order


def view_in(state: State, **fields: object) -> OrderView:
    view = OrderView(7, CLIENT, 0, state=state)
    for name, value in fields.items():
        setattr(view, name, value)
    return view


@pytest.mark.parametrize("state", list(State))
@pytest.mark.parametrize("event", list(Event))
def test_move_is_the_tables(state: State, event: Event) -> None:
    for flags in (0, Flag.SEEN_LIVE, Flag.DOUBT, Flag.REFUSED, Flag.MODIFY_OPEN | Flag.SEEN_LIVE):
        view = view_in(state, flags=int(flags))
        trigger, legality = machine.move(view, event, 0)
        rule, cell = find_rule(state, flags, event), TRANSITIONS[state, trigger]
        assert (trigger, legality) == (rule.trigger, cell.legality)
        assert view.state is resolve(cell.target, view.flags)
        assert view.flags & rule.set & ~Flag.NEEDS_QUERY & ~Flag.DOUBT == rule.set & ~Flag.NEEDS_QUERY & ~Flag.DOUBT
        if view.state is State.UNCERTAIN and state is not State.UNCERTAIN:
            assert view.needs_query
        if view.state in ENDED and state not in ENDED:
            assert not view.needs_query


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"reported_filled": Decimal(1)}, State.PARTIALLY_FILLED),
        ({"flags": int(Flag.SEEN_LIVE)}, State.WORKING),
        ({"flags": int(Flag.ANSWERED)}, State.ACKNOWLEDGED),
        ({}, State.SENT),
    ],
)
def test_resume(fields: dict[str, object], expected: State) -> None:
    view = view_in(State.CANCEL_REQUESTED, **fields)
    machine.move(view, Event.SEND_FAILED, 0, Flag.OF_CANCEL)
    assert view.state is expected


def test_a_bust_of_the_only_execution_is_no_fill() -> None:
    view = view_in(State.SENT)
    machine.move(view, Event.EXECUTION, 0)
    assert view.state is State.WORKING


@pytest.mark.parametrize(
    ("effect", "live", "pending", "expected", "left"),
    [
        (OrderEffect.REFUSED, False, 0, State.REJECTED, 0),
        (OrderEffect.REFUSED, True, 0, State.WORKING, 0),
        (OrderEffect.REFUSED, True, 1, State.WORKING, 0),
        (OrderEffect.REFUSED, True, 2, State.MODIFY_REQUESTED, 2),  # which of the two it was is not told
        (OrderEffect.REFUSED, False, 1, State.UNCERTAIN, 1),
        (OrderEffect.MODIFY_REFUSED, False, 0, State.SENT, 0),
        (OrderEffect.WARNING, True, 1, State.MODIFY_REQUESTED, 1),
        (OrderEffect.NOTE, False, 0, State.SENT, 0),
        (OrderEffect.NOT_FOUND, True, 0, State.UNCERTAIN, 0),
    ],
)
def test_errors(effect: OrderEffect, live: bool, pending: int, expected: State, left: int) -> None:
    state = State.MODIFY_REQUESTED if live and pending else State.WORKING if live else State.SENT
    flags = (Flag.SEEN_LIVE if live else 0) | (Flag.MODIFY_OPEN if pending else 0)
    view = view_in(state, flags=int(flags), pending_modifies=[order()] * pending)
    machine.error_event(view, effect, 201, "text", 0)
    assert (view.state, len(view.pending_modifies)) == (expected, left)


def test_as_many_refusals_as_modifies_leave_none() -> None:
    flags = Flag.SEEN_LIVE | Flag.MODIFY_OPEN
    view = view_in(State.MODIFY_REQUESTED, flags=int(flags), pending_modifies=[order(150), order(120)])
    machine.error_event(view, OrderEffect.REFUSED, 201, "", 0)
    assert view.max_quantity == 150  # it may be the second that was refused
    machine.error_event(view, OrderEffect.MODIFY_REFUSED, 104, "", 0)
    assert (view.state, view.pending_modifies) == (State.WORKING, [])


def test_terms_are_compared_as_numbers_and_unset_ones_not_at_all() -> None:
    assert machine.same_terms(order("100.0", lmtPrice="187.430"), order(100, lmtPrice=187.43))
    assert machine.same_terms(order(100, auxPrice=None), order(100, auxPrice=1.5))
    assert not machine.same_terms(order(100), order(101))


def test_the_legality_of_a_step_is_told() -> None:
    view = view_in(State.WORKING, wire_status="Submitted", flags=int(Flag.SEEN_LIVE))
    machine.apply_status(view, "PreSubmitted", 1, "")
    assert view.events[-1].legality is Legality.BACKWARD
    assert view.events[-1].detail == "a step back"
