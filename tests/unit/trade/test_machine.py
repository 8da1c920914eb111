from __future__ import annotations

from decimal import Decimal

import pytest

from ibwire.spec.errorcodes import OrderEffect
from ibwire.spec.orderstates import ENDED, RESUME, TRANSITIONS, Legality, State, Trigger
from ibwire.trade import machine
from ibwire.trade.view import OrderView
from tests.unit.trade.messages import CLIENT, order


def view_in(state: State, **fields: object) -> OrderView:
    view = OrderView(7, CLIENT, 0, state=state)
    for name, value in fields.items():
        setattr(view, name, value)
    return view


@pytest.mark.parametrize("state", list(State))
@pytest.mark.parametrize("trigger", list(Trigger))
def test_move_is_the_table(state: State, trigger: Trigger) -> None:
    view = view_in(state)
    legality = machine.move(view, trigger)
    cell = TRANSITIONS[state, trigger]
    assert legality is cell.legality
    if cell.target != RESUME:
        assert view.state == cell.target
    if view.state is State.UNCERTAIN and state is not State.UNCERTAIN:
        assert view.needs_query
    if view.state in ENDED:
        assert not view.needs_query


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"reported_filled": Decimal(1)}, State.PARTIALLY_FILLED),
        ({"seen_live": True}, State.WORKING),
        ({"answered": True}, State.ACKNOWLEDGED),
        ({}, State.SENT),
    ],
)
def test_resume(fields: dict[str, object], expected: State) -> None:
    view = view_in(State.CANCEL_REQUESTED, **fields)
    machine.move(view, Trigger.CANCEL_REFUSED)
    assert (view.state, view.needs_query) == (expected, True)


@pytest.mark.parametrize(
    ("effect", "live", "pending", "expected"),
    [
        (OrderEffect.REFUSED, False, 0, Trigger.REFUSED),
        (OrderEffect.REFUSED, True, 0, Trigger.REFUSED_LIVE),
        (OrderEffect.REFUSED, True, 1, Trigger.MODIFY_REFUSED),
        (OrderEffect.REFUSED, True, 2, Trigger.WARNING),  # the second modify is still to be answered
        (OrderEffect.REFUSED, False, 1, Trigger.UNDECIDED),
        (OrderEffect.MODIFY_REFUSED, False, 0, Trigger.WARNING),
        (OrderEffect.MODIFY_REFUSED, False, 1, Trigger.MODIFY_REFUSED),
        (OrderEffect.WARNING, True, 1, Trigger.WARNING),
        (OrderEffect.NOTE, False, 0, Trigger.WARNING),
        (OrderEffect.NOT_FOUND, True, 0, Trigger.NOT_FOUND),
    ],
)
def test_error_trigger(effect: OrderEffect, live: bool, pending: int, expected: Trigger) -> None:
    view = view_in(State.WORKING if live else State.SENT, seen_live=live, pending_modifies=[order()] * pending)
    assert machine.error_trigger(view, effect, 201, "text") is expected


def test_terms_are_compared_as_numbers_and_unset_ones_not_at_all() -> None:
    assert machine.same_terms(order("100.0", lmtPrice="187.430"), order(100, lmtPrice=187.43))
    assert machine.same_terms(order(100, auxPrice=None), order(100, auxPrice=1.5))
    assert not machine.same_terms(order(100), order(101))


def test_the_legality_of_a_step_is_told() -> None:
    view = view_in(State.WORKING, wire_status="Submitted", seen_live=True)
    machine.apply_status(view, "PreSubmitted", 1, "")
    assert view.events[-1].legality is Legality.BACKWARD
    assert view.events[-1].detail == "a step back"
