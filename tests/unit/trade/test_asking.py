"""Deadlines, look-ups and what the link does: when an order is in doubt, and what settles it."""

from __future__ import annotations

import pytest

from ibwire.spec.orderstates import DEADLINE_MS, STATE_MEANING, WIRE_MEANING, Flag, State
from ibwire.trade.orders import OrderTable
from ibwire.trade.view import OrderView
from tests.unit.trade.messages import CLIENT, PERM, execution, open_order, order, order_status, stock

MS = 1_000_000


def placed(**over: object) -> tuple[OrderTable, OrderView]:
    table = OrderTable(CLIENT)
    return table, table.on_place(7, stock(), order(**over), 0)


def working() -> tuple[OrderTable, OrderView]:
    table, view = placed()
    table.on_open_order(open_order(7, "Submitted"), MS)
    return table, view


# -- deadlines -----------------------------------------------------------------------------------------------------


def test_no_answer_in_time_is_uncertain_and_nothing_else() -> None:
    table, view = placed()
    due = DEADLINE_MS[State.SENT] * MS
    assert table.next_deadline_ns() == due
    assert table.check_deadlines(due - 1) == []
    assert table.check_deadlines(due) == [view]
    assert (view.state, view.needs_query, table.next_deadline_ns()) == (State.UNCERTAIN, True, None)
    assert table.check_deadlines(10 * due) == []
    assert len(view.events) == 2


def test_what_waits_for_nothing_has_no_deadline() -> None:
    for table, view in (placed(transmit=False), working()):
        assert (view.due_ns, table.next_deadline_ns()) == (0, None)
        assert table.check_deadlines(1 << 60) == []


def test_a_repeat_does_not_put_the_deadline_off_and_a_new_cancel_does() -> None:
    table, view = working()
    table.on_cancel_request(7, 10 * MS)
    due = view.due_ns
    assert due == (10 + DEADLINE_MS[State.CANCEL_REQUESTED]) * MS
    table.on_order_status(order_status(7, "PendingCancel"), 500 * MS)
    table.on_order_status(order_status(7, "PendingCancel"), 600 * MS)
    assert view.due_ns == due
    table.on_cancel_request(7, 700 * MS)
    assert view.due_ns == due + 690 * MS


def test_each_order_has_its_own() -> None:
    table, view = placed()
    second = table.on_place(8, stock(), order(), 100 * MS)
    assert table.check_deadlines(view.due_ns) == [view]
    assert table.next_deadline_ns() == second.due_ns


# -- sentences -----------------------------------------------------------------------------------------------------


def test_the_meaning_of_presubmitted_is_no_failure() -> None:
    _, view = placed()
    assert view.meaning == STATE_MEANING[State.SENT]
    table, view = placed()
    for text in ("PendingSubmit", "PreSubmitted", "Submitted"):
        table.on_order_status(order_status(7, text), MS)
        assert view.meaning == WIRE_MEANING[text]
    table.on_execution(execution(7, "a.01.01", 10, 1.0), MS)
    assert view.meaning == STATE_MEANING[State.PARTIALLY_FILLED]
    table.on_link_lost("gone", MS)
    assert view.meaning.startswith("UNKNOWN")


# -- snapshots -----------------------------------------------------------------------------------------------------


def test_only_the_answer_settles_a_contradiction() -> None:
    table, view = working()
    for text in ("Cancelled", "Submitted", "Submitted"):
        table.on_order_status(order_status(7, text), 2 * MS)
    assert view.is_uncertain
    table.begin_snapshot()
    table.on_order_status(order_status(7, "Submitted"), 3 * MS)
    assert view.is_uncertain  # a status is no answer: the list names orders by openOrder
    table.on_open_order(open_order(7, "Submitted"), 3 * MS)
    assert (view.state, view.needs_query, view.flags & Flag.DOUBT) == (State.WORKING, False, 0)
    table.on_order_status(order_status(7, "Cancelled"), 4 * MS)
    table.on_open_order(open_order(7, "Submitted"), 4 * MS)  # the second one is no answer any more
    assert view.is_uncertain


def test_the_answer_may_be_older_than_what_was_sent_since() -> None:
    table, view = working()
    table.begin_snapshot()
    table.on_place(7, stock(), order(150), 2 * MS)
    table.on_open_order(open_order(7, "Submitted", 150), 3 * MS)
    table.on_open_order(open_order(7, "Submitted", 100), 3 * MS)
    assert view.total_quantity == 150
    assert view.max_quantity == 150
    assert view.is_uncertain
    assert table.end_snapshot(4 * MS) == []


def test_absence_is_doubt_and_no_end() -> None:
    table, view = working()
    held = table.on_open_order(open_order(3, "Submitted", permId=PERM + 1, clientId=9), MS)
    table.begin_snapshot()
    assert table.end_snapshot(2 * MS) == [view]
    assert (view.state, held.is_live) == (State.UNCERTAIN, True)
    table.begin_snapshot(everyone=True)
    assert table.end_snapshot(3 * MS) == [view, held]


def test_a_list_without_an_end_says_nothing_about_what_it_lacks() -> None:
    table, view = working()
    table.begin_snapshot()
    assert table.end_snapshot(2 * MS, complete=False) == []
    assert view.is_live


def test_a_look_up_that_found_nothing_is_over() -> None:
    table, view = placed()
    table.on_undecodable(7, "bad", MS)
    table.begin_snapshot()
    table.end_snapshot(2 * MS)
    assert table.on_looked_up(3 * MS) == [view]
    assert (view.state, view.needs_query) == (State.UNCERTAIN, False)


# -- the link ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("lost", [True, False])
def test_a_cancelled_beside_a_modify_after_the_link(lost: bool) -> None:
    """A new session answers no old modify; on one that lived on, the Cancelled may be the modify's refusal."""
    table, view = working()
    table.on_place(7, stock(), order(150), 2 * MS)
    if lost:
        table.on_reconnect(3 * MS)
    else:
        assert table.on_restored("1102", 3 * MS) == [view]
    table.on_order_status(order_status(7, "Cancelled"), 4 * MS)
    assert view.state is (State.CANCELLED if lost else State.UNCERTAIN)


def test_a_cancel_that_could_not_be_sent_leaves_a_pending_modify_alone() -> None:
    table, view = working()
    table.on_place(7, stock(), order(150), 2 * MS)
    table.on_cancel_request(7, 3 * MS)
    table.on_send_failed(7, 4 * MS, "full")
    assert len(view.pending_modifies) == 1
    assert (view.state, view.cancel_requested) == (State.MODIFY_REQUESTED, False)
    assert view.max_quantity == 150


def test_pending_cancel_after_a_refused_cancel_is_doubtful() -> None:
    table, view = working()
    table.on_cancel_request(7, 2 * MS)
    table.on_error(7, 161, "no", 3 * MS)
    assert view.is_uncertain
    table.on_order_status(order_status(7, "Submitted"), 4 * MS)
    assert view.is_live
    table.on_order_status(order_status(7, "PendingCancel"), 5 * MS)
    assert view.is_uncertain


def test_a_modify_of_an_inactive_order_claims_no_life() -> None:
    table, view = placed()
    table.on_order_status(order_status(7, "Inactive"), MS)
    table.on_place(7, stock(), order(150), 2 * MS)
    assert (view.state, view.is_live, view.may_fill) == (State.SENT, False, True)
    table.on_error(7, 110, "no", 3 * MS)
    assert not view.is_live
