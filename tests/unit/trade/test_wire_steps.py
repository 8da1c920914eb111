"""Every step between two wire statuses of SEMANTICS 3.1, legal or not, drawn from the table and run."""

from __future__ import annotations

import pytest

from ibwire.spec.orderstates import ENDED, FINAL_STATUSES, WIRE_LEGALITY, Legality, Risk, State
from ibwire.trade.orders import OrderTable
from ibwire.trade.view import OrderView
from tests.unit.trade.messages import CLIENT, execution, order, order_status, stock

WORKING = ("PreSubmitted", "Submitted", "PendingCancel")


def told(*statuses: str, executed: int = 0) -> OrderView:
    table = OrderTable(CLIENT)
    view = table.on_place(7, stock(), order(), 0)
    if executed:
        table.on_execution(execution(7, "a.01.01", executed, 1.5), 1)
    for now, text in enumerate(statuses, 2):
        if text:
            filled = 100 if text == "Filled" else executed
            table.on_order_status(order_status(7, text, filled, 100 - filled), now)
    return view


@pytest.mark.parametrize(("before", "after"), WIRE_LEGALITY)
def test_a_step(before: str, after: str) -> None:
    view = told(before, after)
    assert view.wire_status == after
    if before != after:
        last = view.events[-1]
        assert last.legality >= WIRE_LEGALITY[before, after]
        if WIRE_LEGALITY[before, after] is Legality.ANOMALY:
            assert last.detail.endswith("out of place")
    if before == "Filled":
        assert view.is_filled  # by what the broker said, whatever comes after
    elif before in FINAL_STATUSES and after in WORKING[:2]:
        assert view.state is State.UNCERTAIN
        assert view.needs_query
    elif after in FINAL_STATUSES:
        assert view.state in ENDED
    elif before not in FINAL_STATUSES:
        assert view.may_fill
        assert view.risk in (Risk.MAYBE_LIVE, Risk.LIVE, Risk.UNKNOWN)


@pytest.mark.parametrize(("before", "after"), WIRE_LEGALITY)
def test_no_step_touches_what_executions_say(before: str, after: str) -> None:
    view = told(before, after, executed=40)
    told_filled = "Filled" in (before, after)
    assert view.confirmed_filled == 40
    assert view.filled == (100 if told_filled else 40)
    full = told(before, after, executed=100)
    assert full.is_filled
    assert full.confirmed_filled == 100


@pytest.mark.parametrize(("before", "after"), WIRE_LEGALITY)
def test_a_repeat_is_nothing(before: str, after: str) -> None:
    once, twice = told(before, after), told(before, after, after)
    assert (once.state, once.flags, len(once.events)) == (twice.state, twice.flags, len(twice.events))
    assert twice.duplicates == once.duplicates + 1
