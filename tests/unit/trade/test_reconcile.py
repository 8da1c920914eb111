from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

import pytest

from ibwire.spec.orderstates import State
from ibwire.trade.orders import OrderTable
from ibwire.trade.reconcile import LIMIT_MS, Ask, Kind, Reconcile
from ibwire.trade.view import OrderView
from tests.unit.trade.messages import CLIENT, PERM, commission, execution, open_order, order, order_status, stock

MS = 1_000_000
Answers = dict[Ask, Iterable[object]]


def lived(*order_ids: int) -> tuple[OrderTable, list[OrderView]]:
    """Orders that worked when the link was lost."""
    table = OrderTable(CLIENT)
    views = []
    for number in order_ids:
        views.append(table.on_place(number, stock(), order(orderRef=f"r{number}"), 0))
        table.on_order_status(order_status(number, "Submitted", permId=PERM + number), 1)
    table.on_reconnect(10)
    return table, views


def take(table: OrderTable, message: object, now_ns: int) -> None:
    if hasattr(message, "execution"):
        table.on_execution(message, now_ns)
    elif hasattr(message, "execId"):
        table.on_commission(message, now_ns)
    elif hasattr(message, "status"):
        table.on_order_status(message, now_ns)
    elif getattr(message, "orderId", 0):
        table.on_open_order(message, now_ns)
    else:
        table.on_completed_order(message, now_ns)


def run(table: OrderTable, answers: Answers, *silent: Ask, **settings: object) -> tuple[Reconcile, list[Ask]]:
    now = 100 * MS
    plan = Reconcile(table, now, **settings)  # type: ignore[arg-type]
    asked = []
    while not plan.done:
        ask = plan.asks(now)
        if ask is None:
            now = max(now + 1, plan.due_ns)
            continue
        asked.append(ask)
        for message in answers.get(ask, ()):
            take(table, message, now)
        if ask not in silent:
            plan.ended(ask, now)
    return plan, asked


def kinds(plan: Reconcile) -> list[tuple[Kind, int]]:
    return [(difference.kind, difference.order_id) for difference in plan.differences]


def opened(number: int, quantity: int = 100) -> list[object]:
    status = order_status(number, "Submitted", permId=PERM + number)
    return [open_order(number, "Submitted", quantity, permId=PERM + number), status]


def test_the_order_of_the_questions() -> None:
    table, _ = lived(1)
    plan, asked = run(table, {Ask.OPEN_ORDERS: opened(1)})
    assert asked == [Ask.OPEN_ORDERS, Ask.EXECUTIONS, Ask.COMPLETED_ORDERS]
    assert (plan.differences, plan.complete) == ([], True)
    _, asked = run(table, {Ask.ALL_OPEN_ORDERS: opened(1)}, everyone=True, positions={})
    assert asked == [
        Ask.OPEN_ORDERS, Ask.ALL_OPEN_ORDERS, Ask.EXECUTIONS, Ask.COMPLETED_ORDERS, Ask.POSITIONS,
    ]  # fmt: skip


def test_what_happened_meanwhile() -> None:
    table, views = lived(1, 2, 3, 4)
    answers: Answers = {
        Ask.OPEN_ORDERS: [*opened(1), *opened(9)],
        Ask.EXECUTIONS: [
            execution(2, "a.01.01", 100, 1.5, permId=PERM + 2), commission("a.01.01"),
            execution(1, "b.01.01", 30, 1.5, permId=PERM + 1),
        ],
        Ask.COMPLETED_ORDERS: [open_order(0, "Cancelled", permId=PERM + 3)],
    }  # fmt: skip
    plan, _ = run(table, answers)
    assert [view.state for view in views] == [
        State.PARTIALLY_FILLED, State.FILLED, State.CANCELLED, State.UNCERTAIN,
    ]  # fmt: skip
    assert kinds(plan) == [
        (Kind.QUANTITY, 1), (Kind.STATE, 1), (Kind.QUANTITY, 2), (Kind.STATE, 2), (Kind.STATE, 3),
        (Kind.MISSING_THERE, 4), (Kind.MISSING_HERE, 9),
    ]  # fmt: skip
    lost = plan.differences[5]
    assert (lost.ours, lost.theirs) == ("working", "found nowhere")
    assert "nothing was cancelled, nothing sent again" in lost.done
    assert plan.differences[3].ours == "working"
    assert table.uncertain() == [views[3]]


def test_what_is_in_no_list_is_uncertain_even_when_it_looked_live() -> None:
    table = OrderTable(CLIENT)
    view = table.on_place(1, stock(), order(), 0)
    table.on_order_status(order_status(1, "Submitted"), 1)
    run(table, {})
    assert (view.state, table.uncertain()) == (State.UNCERTAIN, [view])


def test_a_list_without_an_end_proves_no_absence() -> None:
    table = OrderTable(CLIENT)
    view = table.on_place(1, stock(), order(), 0)
    table.on_order_status(order_status(1, "Submitted"), 1)
    plan, asked = run(table, {}, Ask.OPEN_ORDERS, Ask.EXECUTIONS)
    assert len(asked) == 3
    assert view.is_live
    assert (plan.done, plan.complete) == (True, False)
    assert [d.ours for d in plan.differences if d.kind is Kind.NOT_ANSWERED] == ["open orders", "executions"]


def test_time_limits_are_data() -> None:
    table, _ = lived(1)
    plan = Reconcile(table, 0, limits_ms={Ask.OPEN_ORDERS: 7})
    assert plan.asks(0) is Ask.OPEN_ORDERS
    assert plan.due_ns == 7 * MS
    assert plan.asks(6 * MS) is None
    assert plan.asks(7 * MS) is Ask.EXECUTIONS
    assert plan.due_ns == (7 + LIMIT_MS[Ask.EXECUTIONS]) * MS
    plan.ended(Ask.OPEN_ORDERS, 8 * MS)  # late: no matter
    assert plan.waiting is Ask.EXECUTIONS


def test_a_refused_question_is_not_waited_for() -> None:
    table, views = lived(1)
    plan = Reconcile(table, 0)
    for ask in (Ask.OPEN_ORDERS, Ask.EXECUTIONS, Ask.COMPLETED_ORDERS):
        assert plan.asks(1) is ask
        plan.refused(ask, "321: read-only", 1)
    assert plan.asks(2) is None
    assert plan.done
    assert [d.theirs for d in plan.differences[:3]] == ["321: read-only"] * 3
    assert plan.differences[3].theirs == "not all lists came to their end"
    assert views[0].is_uncertain


def test_orders_of_others_have_an_unknown_owner() -> None:
    table, _ = lived(1)
    theirs = open_order(5, "Submitted", permId=500, clientId=9)
    plan, _ = run(table, {Ask.ALL_OPEN_ORDERS: [*opened(1), theirs]}, everyone=True)
    assert kinds(plan) == [(Kind.UNKNOWN_OWNER, 5)]


def test_two_live_orders_under_one_reference() -> None:
    table, _ = lived(1)
    twin = open_order(1, "Submitted", permId=77, orderRef="r1")
    plan, _ = run(table, {Ask.OPEN_ORDERS: [*opened(1), twin]})
    assert Kind.SHARED_REFERENCE in [kind for kind, _ in kinds(plan)]


@pytest.mark.parametrize(("mine", "theirs", "same"), [("10", "10.0", True), ("10", "5", False), ("0", "5", False)])
def test_positions_are_a_cross_check(mine: str, theirs: str, same: bool) -> None:
    table, _ = lived(1)
    plan = Reconcile(table, 0, positions={("DU0000001", 1): Decimal(mine)})
    while (ask := plan.asks(1)) is not None:
        if ask is Ask.OPEN_ORDERS:
            for message in opened(1):
                take(table, message, 1)
        elif ask is Ask.POSITIONS:
            plan.position("DU0000001", 1, Decimal(theirs))
        plan.ended(ask, 1)
    assert [kind for kind, _ in kinds(plan)] == ([] if same else [Kind.POSITION])


def test_a_session_that_ends_meanwhile_settles_nothing() -> None:
    table, views = lived(1)
    plan = Reconcile(table, 0)
    assert plan.asks(0) is Ask.OPEN_ORDERS
    plan.session_lost()
    assert (plan.done, plan.complete, plan.asks(1)) == (True, False, None)
    assert views[0].is_uncertain


def test_a_correction_that_was_missed_is_a_difference_of_quantity() -> None:
    table, views = lived(1)
    table.on_execution(execution(1, "a.01.01", 40, 1.5, permId=PERM + 1), 20)
    table.on_reconnect(30)
    answers: Answers = {Ask.OPEN_ORDERS: opened(1), Ask.EXECUTIONS: [execution(1, "a.01.02", 0, 1.5, permId=PERM + 1)]}
    plan, _ = run(table, answers)
    assert kinds(plan) == [(Kind.QUANTITY, 1)]
    assert (int(views[0].filled), views[0].state) == (0, State.WORKING)


def test_an_execution_that_the_list_does_not_name_is_reported_and_counted() -> None:
    table, views = lived(1)
    messages = [
        execution(1, f"a{number}.01.01", 10, 1.5, permId=PERM + 1, time=f"{day} 10:00:00 UTC")
        for number, day in enumerate(("20261119", "20261120", "20261120"))
    ]
    for message in messages:
        table.on_execution(message, 20)
    answers: Answers = {Ask.OPEN_ORDERS: opened(1), Ask.EXECUTIONS: messages[2:]}
    plan, _ = run(table, answers)
    lost = [d.ours for d in plan.differences if d.kind is Kind.MISSING_THERE]
    assert lost == ["execution a1.01.01"]  # of yesterday's nothing is said
    assert int(views[0].filled) == 30
    assert [d.ours for d in run(table, {Ask.OPEN_ORDERS: opened(1)}, day="20261119")[0].differences] == [
        "execution a0.01.01"
    ]


def test_an_answer_that_could_not_be_read_settles_nothing() -> None:
    table, views = lived(1)
    plan = Reconcile(table, 0)
    while (ask := plan.asks(1)) is not None:
        if ask is Ask.EXECUTIONS:
            table.on_undecodable(None, "broken", 1)
        plan.ended(ask, 1)
    assert (plan.done, plan.complete) == (True, False)
    assert Kind.NOT_ANSWERED in [kind for kind, _ in kinds(plan)]
    assert views[0].needs_query


def test_executions_that_may_have_been_busted_end_no_order() -> None:
    """A bust that could not be read: our sum reaches the total, and the order works on."""
    table = OrderTable(CLIENT)
    view = table.on_place(1, stock(), order(), 0)
    first = execution(1, "a.01.01", 60, 1.5, permId=PERM + 1)
    table.on_execution(first, 1)
    table.on_undecodable(1, "broken", 2)
    table.on_execution(execution(1, "b.01.01", 40, 1.5, permId=PERM + 1), 3)
    assert (int(view.filled), view.state) == (100, State.UNCERTAIN)
    run(table, {Ask.OPEN_ORDERS: opened(1), Ask.EXECUTIONS: [execution(1, "b.01.01", 40, 1.5, permId=PERM + 1)]})
    assert view.is_live
    table.on_execution(execution(1, "c.01.01", 1, 1.5, permId=PERM + 1), 5)
    assert not view.is_done
    table.on_order_status(order_status(1, "Filled", 100, 0, permId=PERM + 1), 6)
    assert view.is_filled


def test_a_look_up_that_finds_every_execution_ends_by_them() -> None:
    table = OrderTable(CLIENT)
    view = table.on_place(1, stock(), order(), 0)
    fill = execution(1, "a.01.01", 100, 1.5, permId=PERM + 1)
    table.on_undecodable(1, "broken", 2)
    table.on_execution(fill, 3)
    assert view.is_uncertain
    run(table, {Ask.EXECUTIONS: [fill]})
    assert view.is_filled
