"""Every code with an order's id, at every moment of its life: only 202 ends an order that was seen live."""

from __future__ import annotations

import pytest

from ibwire.spec.errorcodes import CLASS_RANGES, CLIENT_LOCAL, CODES, OrderEffect, lookup, order_effect
from ibwire.spec.orderstates import ENDED, State
from tests.unit.trade.arrival import Step, Tracker
from tests.unit.trade.compiled import Compiled
from tests.unit.trade.plain import Plain
from tests.unit.trade.scenarios import LIVE, cancel, error, executed, opened, place, status

BORDERS = {code for low, high, _, _ in CLASS_RANGES for code in (low, (low + high) // 2, high)}
WIRE_CODES = sorted(({*CODES, *BORDERS} - {*CLIENT_LOCAL}) | {0, 7, 99999, 2**31 - 1})

SENT = (place(),)
HELD = (place(), opened("PendingSubmit"))
PARTLY = (*LIVE, executed("a.01.01", 40, cum=40))
MODIFYING = (*LIVE, place(150))
CANCELLING = (*LIVE, cancel())

UNCERTAIN = dict.fromkeys((OrderEffect.CANCEL_REFUSED, OrderEffect.NOT_FOUND), State.UNCERTAIN)
LOST = {**UNCERTAIN, OrderEffect.UNDECIDED: State.UNCERTAIN}
OVER = {OrderEffect.CANCELLED: State.CANCELLED}
REFUSED = {OrderEffect.REFUSED: State.REJECTED}
ANSWERED = dict.fromkeys((OrderEffect.REFUSED, OrderEffect.MODIFY_REFUSED), State.WORKING)

# What each effect makes of an order; those that are not named leave it as it is.
MOMENTS = {
    "sent": (SENT, State.SENT, {**LOST, **OVER, **REFUSED}),
    "acknowledged": (HELD, State.ACKNOWLEDGED, {**UNCERTAIN, **OVER, **REFUSED}),
    "working": (LIVE, State.WORKING, {**UNCERTAIN, **OVER}),
    "partly filled": (PARTLY, State.PARTIALLY_FILLED, {**UNCERTAIN, **OVER}),
    "modifying": (MODIFYING, State.MODIFY_REQUESTED, {**LOST, **OVER, **ANSWERED}),
    "cancelling": (CANCELLING, State.CANCEL_REQUESTED, {**LOST, **OVER}),
    "filled": ((*LIVE, executed("a.01.01", 100, cum=100)), State.FILLED, {}),
    "cancelled": ((*CANCELLING, status("Cancelled"), error(202)), State.CANCELLED, {}),
}


def after(tracker: Tracker, *steps: Step) -> State:
    for now, step in enumerate(steps):
        tracker.apply(step, now * 1_000_000)
    return tracker.state(7)


@pytest.mark.parametrize("make", [Plain, Compiled])
@pytest.mark.parametrize("moment", MOMENTS)
def test_what_a_code_makes_of_an_order(moment: str, make: type[Plain] | type[Compiled]) -> None:
    before, state, moves = MOMENTS[moment]
    for code in WIRE_CODES:
        expected = moves.get(order_effect(code), state)
        if moment == "cancelled" and order_effect(code) is OrderEffect.REFUSED:
            continue  # one that says why it was ended
        assert after(make(), *before, error(code, "text")) is expected, (code, order_effect(code))


@pytest.mark.parametrize("letter", "ABCHIJK")
def test_what_is_about_something_else_moves_no_order_that_works(letter: str) -> None:
    """Connectivity, farms, requests, data, limits and accounts, even if they came with an order's id."""
    codes = [code for code in WIRE_CODES if lookup(code).cls == letter]
    assert codes
    for code in codes:
        for before in (LIVE, PARTLY):
            assert after(Plain(), *before, error(code)) is after(Plain(), *before), code
        assert after(Plain(), *SENT, error(code, "", -1)) is State.SENT
        if letter in "BI":  # farms come and go, market data is absent: not even a look-up
            view = Plain()
            assert after(view, *SENT, error(code)) is State.SENT
            assert not view.table.uncertain() and view.table.get(7).last_error is None  # type: ignore[union-attr]


def test_what_only_a_look_up_can_tell_asks_for_one() -> None:
    quiet = {OrderEffect.WARNING, OrderEffect.MODIFY_REFUSED, OrderEffect.CANCELLED}
    for code in WIRE_CODES:
        tracker = Plain()
        after(tracker, *LIVE, error(code))
        assert bool(tracker.table.uncertain()) is (order_effect(code) not in quiet), code


def test_only_202_ends_what_was_seen_live() -> None:
    for before, state, moves in MOMENTS.values():
        if state not in ENDED and state not in (State.SENT, State.ACKNOWLEDGED):
            assert {effect for effect, target in moves.items() if target in ENDED} == {OrderEffect.CANCELLED}, before
