"""The compiled order machine decides what the plain one decides: after every event of any history."""

from __future__ import annotations

from copy import deepcopy
from decimal import Decimal
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from ibwire.client.told import differences, row_name
from ibwire.spec.errorcodes import order_effect
from ibwire.spec.orderstates import WIRE_STATUSES
from ibwire.spec.tables import MOST_CODES, code_table
from tests.unit.trade.arrival import Step
from tests.unit.trade.compiled import Compiled
from tests.unit.trade.messages import CLIENT, commission, execution, open_order, order, order_status, stock
from tests.unit.trade.plain import Plain

OWN_IDS = (7, 8, 9)
IDS = st.sampled_from((*OWN_IDS, 7, 7, 0, -5))
PERMS = st.sampled_from((0, 0, 70, 70, 80, 90, 2**31 - 1))
CLIENTS = st.sampled_from((CLIENT, CLIENT, CLIENT, 0, 5, 2**31 - 1))
QUANTITIES = st.sampled_from((0, 10, 40, 60, 100, 100, 100, 150, "0.5", "99.5", 2**31 - 1))
STATUSES = st.sampled_from((*WIRE_STATUSES, "Dreaming", "Submitted", "Cancelled"))
CODES = st.sampled_from((103, 104, 110, 135, 136, 161, 200, 201, 201, 202, 321, 399, 404, 2102, 10147, 10148, 1, 99999))
EXEC_IDS = st.sampled_from(("a.01.01", "a.01.02", "a.01.03", "b.01.01", "c.01.01", "c.01.02", "d", "e.1x", ""))
GROUPS = st.sampled_from(("", "", "", "G"))
ACCOUNTS = st.sampled_from(("", "DU0000001", "DU0000002", "DF0000001", "F1", "D"))
TYPES = st.sampled_from(("STK", "STK", "BAG", "OPT", ""))
AVERAGES = st.sampled_from((0.0, 10.25, 10.5, 1.7976931348623157e308))
PRICES = st.sampled_from((None, 10.0, 10.5, 187.43))


@st.composite
def _terms(draw: Any) -> dict[str, Any]:
    return {
        "lmtPrice": draw(PRICES), "auxPrice": draw(PRICES), "faGroup": draw(GROUPS), "account": draw(ACCOUNTS),
        "whatIf": draw(st.integers(0, 20)) == 0, "parentId": draw(st.sampled_from((0, 0, 0, 7))),
    }  # fmt: skip


@st.composite
def _steps(draw: Any) -> Step:
    verb = draw(st.sampled_from(("place", "cancel", "openOrder", "openOrder", "orderStatus", "orderStatus",
        "execDetails", "execDetails", "commission", "completedOrder", "orderBound", "error", "error", "undecodable",
        "deadline", "link_lost", "restored", "send_failed", "begin_snapshot", "end_snapshot", "looked_up",
        "listed")))  # fmt: skip
    if verb in ("place", "cancel", "send_failed", "undecodable", "error"):
        order_id = draw(st.sampled_from((*OWN_IDS, 7, *((-1, 0, 500) if verb == "error" else ()))))
        if verb == "place":
            quantity = draw(QUANTITIES)
            return Step(verb, order_id, order(quantity, transmit=draw(st.integers(0, 4)) > 0, **draw(_terms())))
        if verb == "error":
            return Step(verb, order_id, draw(CODES), draw(st.sampled_from(("", "no", "Order Expired", "eXPIRe"))))
        if verb == "send_failed":
            return Step(verb, order_id, draw(st.sampled_from((0, 0, 7))))
        return Step(verb, draw(st.sampled_from((order_id, 0))) if verb == "undecodable" else order_id)
    if verb in ("openOrder", "completedOrder"):
        over = {"permId": draw(PERMS), "clientId": draw(CLIENTS), **draw(_terms())}
        message = open_order(0 if verb == "completedOrder" else draw(IDS), draw(STATUSES), draw(QUANTITIES), **over)
        message.contract = stock(secType=draw(TYPES))
        return Step(verb, 0, message)
    if verb in ("orderStatus", "orderBound"):
        ids = {"permId": draw(PERMS), "clientId": draw(CLIENTS), "parentId": draw(st.sampled_from((0, 0, 7)))}
        ids["avgFillPrice"] = draw(AVERAGES)
        return Step(verb, 0, order_status(draw(IDS), draw(STATUSES), draw(QUANTITIES), draw(QUANTITIES), **ids))
    if verb == "execDetails":
        over = {"permId": draw(PERMS), "clientId": draw(CLIENTS), "acctNumber": draw(ACCOUNTS)}
        over["avgPrice"] = draw(AVERAGES)
        contract = stock(secType=draw(TYPES))
        exec_id, shares, cum = draw(EXEC_IDS), draw(QUANTITIES), draw(st.sampled_from((None, 10, 60, 100)))
        return Step(verb, 0, execution(draw(IDS), exec_id, shares, 10.5, cum, contract, **over))
    if verb == "commission":
        amount = draw(st.sampled_from((None, 0.5, 1.0035, 0.1, 0.2)))
        return Step(verb, 0, commission(draw(EXEC_IDS), amount, draw(st.sampled_from(("USD", "USD", "EUR")))))
    if verb == "listed":
        return Step(verb, 0, tuple(draw(st.sets(st.sampled_from(OWN_IDS)))))
    return Step(verb)


def compare(plain: Plain, compiled: Compiled) -> None:
    """Hold every order of one against its row of the other."""
    compiled.tracker.settle_rows()
    assert compiled.keys() == plain.keys()
    assert differences(plain.table, compiled.table) == []
    for view in plain.table:
        name = row_name(plain.table, view)
        row = compiled.table.read(*name) if name is not None else None
        if name is None or row is None:
            continue
        for name_of in ("is_live", "is_done", "is_filled", "is_uncertain", "needs_query", "seen_live", "answered",
                        "cancel_requested", "may_fill"):  # fmt: skip
            assert getattr(row, name_of) == getattr(view, name_of), name_of
        if len(view.commission) > 1:
            assert row.fees_digits == -1 and row.currency == ""
        ids = compiled.tracker.exec_ids(*((-1, view.perm_id) if name[0] < -1 else name))
        assert set(ids) == {fill.exec_id for fill in view.executions}


@settings(max_examples=400, deadline=None)
@given(st.lists(_steps(), min_size=1, max_size=40))
def test_any_history_step_by_step(steps: list[Step]) -> None:
    plain, compiled = Plain(), Compiled()
    for now, step in enumerate(steps, 1):
        step = Step(step.verb, step.order_id, deepcopy(step.what), step.text)
        plain.apply(step, now * 1_000_000)
        compiled.apply(step, now * 1_000_000)
        compiled.made.clear()
        compare(plain, compiled)


def test_a_correction_that_shows_two_orders_to_be_one_counts_once() -> None:
    steps = (
        Step("execDetails", 0, execution(7, "a.01.01", 5, 10.5, permId=0)),
        Step("orderStatus", 0, order_status(0, "Submitted", 0, 100, permId=70, clientId=0)),
        Step("execDetails", 0, execution(7, "a.01.02", 10, 10.5, permId=70)),
    )
    plain, compiled = Plain(), Compiled()
    for now, step in enumerate(steps, 1):
        plain.apply(step, now)
        compiled.apply(step, now)
    compare(plain, compiled)
    view = plain.table.get(7)
    assert view is not None and view.filled == 10 and plain.keys() == 1


def test_codes_that_have_no_entry_are_notes() -> None:
    table = code_table()
    assert {int(order_effect(code)) for code in (-7, -1, MOST_CODES, MOST_CODES + 5000, 1 << 30)} == {0}
    assert table[201] & 15 == int(order_effect(201)) and table[201] & 128
    assert Decimal(len(table)) == MOST_CODES
