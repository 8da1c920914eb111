from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from itertools import permutations
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ibwire.spec.errorcodes import OrderEffect
from ibwire.spec.orderstates import Legality, Risk, State
from ibwire.trade.orders import OrderTable
from ibwire.trade.view import OrderView
from tests.unit.trade.messages import CLIENT, PERM, commission, execution, open_order, order, order_status, stock

Step = Callable[[OrderTable, int], object]


def opened(order_id: int = 7, *args: Any, **over: Any) -> Step:
    return lambda table, now: table.on_open_order(open_order(order_id, *args, **over), now)


def status(text: str, filled: object = 0, remaining: object = 100, order_id: int = 7, **over: Any) -> Step:
    return lambda table, now: table.on_order_status(order_status(order_id, text, filled, remaining, **over), now)


def executed(exec_id: str, shares: object, price: float = 187.43, order_id: int = 7, **over: Any) -> Step:
    return lambda table, now: table.on_execution(execution(order_id, exec_id, shares, price, **over), now)


def fee(exec_id: str, amount: object = 0.5) -> Step:
    return lambda table, now: table.on_commission(commission(exec_id, amount), now)


def error(code: int, text: str = "", order_id: int = 7) -> Step:
    return lambda table, now: table.on_error(order_id, code, text, now)


def placed(quantity: object = 100, **over: Any) -> tuple[OrderTable, OrderView]:
    table = OrderTable(CLIENT)
    return table, table.on_place(7, stock(), order(quantity, **over), 1_000_000, 131, "proto")


def play(table: OrderTable, *steps: Step) -> None:
    for index, step in enumerate(steps):
        step(table, 1_000_000 + (index + 1) * 500_000)


def facts(*values: object) -> tuple[object, ...]:
    """Several values compared at once, without regard to their static types."""
    return values


def titles(view: OrderView) -> list[str]:
    return [event.state for event in view.events]


# -- the ordinary life ---------------------------------------------------------------------------------------------


def test_rest_then_fill_as_the_demo_shows_it() -> None:
    table, view = placed()
    play(
        table,
        opened(status="PreSubmitted"),
        status("PreSubmitted"),
        status("Submitted"),
        executed("0000.01.01", 60, 187.43, cum=60),
        fee("0000.01.01"),
        status("Submitted", 60, 40),
        executed("0000.02.01", 40, 187.42, cum=100),
        fee("0000.02.01"),
        status("Filled", 100, 0),
    )
    assert titles(view) == [
        "sent", "PreSubmitted", "Submitted", "execution", "commission", "execution", "Filled", "commission",
    ]  # fmt: skip
    sent, pre, submitted, first = view.events[:4]
    assert (sent.ms, sent.detail) == (0.0, "131 bytes, protobuf placeOrder")
    assert (pre.ms, pre.detail) == (0.5, f"permId {PERM}")
    assert pre.meaning == "LIVE at the broker, waiting for the market: not a failure"
    assert submitted.meaning == "LIVE, working"
    assert (first.meaning, first.detail) == ("60 @ 187.43", "exec 0000.01.01")
    assert view.events[6].meaning == "DONE 100 @ 187.426, commission 0.50 USD so far"
    assert (view.is_filled, view.is_done, view.is_live, view.is_uncertain) == (True, True, False, False)
    assert (view.filled, view.remaining, view.avg_fill_price) == (Decimal(100), Decimal(0), 187.426)
    assert view.commission == {"USD": Decimal("1.0")}
    assert view.wire_status == "Filled"
    assert view.needs_query is False


def test_presubmitted_is_live() -> None:
    table, view = placed()
    assert (view.risk, view.is_live, view.may_fill) == (Risk.MAYBE_LIVE, False, True)
    play(table, status("PreSubmitted"))
    assert (view.state, view.is_live) == (State.WORKING, True)


def test_market_order_filled_without_any_status() -> None:
    table, view = placed()
    play(table, executed("a.01.01", 100))
    assert view.is_filled
    assert titles(view) == ["sent", "execution", "Filled"]


def test_filled_status_before_its_executions_reports_the_quantity() -> None:
    table, view = placed()
    play(table, status("Filled", 100, 0, avgFillPrice=187.5))
    assert facts(view.is_filled, view.filled, view.confirmed_filled, view.avg_fill_price) == (True, 100, 0, 187.5)
    play(table, executed("a.01.01", 100, 187.43))
    assert facts(view.filled, view.confirmed_filled, view.avg_fill_price) == (100, 100, 187.43)


def test_repeats_are_counted_not_listed() -> None:
    table, view = placed()
    play(table, opened(), *[status("PreSubmitted")] * 5, opened(), executed("a.1", 10), executed("a.1", 10))
    assert titles(view) == ["sent", "PreSubmitted", "execution"]
    assert view.duplicates == 7
    assert view.filled == 10


def test_zeroed_fields_never_undo_known_values() -> None:
    table, view = placed()
    full = status("Submitted", 60, 40, avgFillPrice=10.0, parentId=3, mktCapPrice=5.0)
    play(table, full, status("Submitted", 0, 0, permId=0))
    assert facts(view.perm_id, view.filled, view.avg_fill_price) == (PERM, 60, 10.0)
    assert facts(view.parent_id, view.mkt_cap_price, view.remaining) == (3, 5.0, 40)


def test_message_with_zeroed_ids_makes_no_second_order() -> None:
    table, view = placed()
    play(table, status("Submitted", permId=0, clientId=0))
    assert len(table) == 1
    assert view.state is State.WORKING


def test_unknown_status_text_is_kept_and_changes_nothing() -> None:
    table, view = placed()
    play(table, status("Submitted"), status("Dreaming"))
    assert (view.state, view.wire_status, view.needs_query) == (State.WORKING, "Dreaming", True)
    assert view.events[-1].legality is Legality.ANOMALY


def test_why_held_is_shown_once() -> None:
    table, view = placed()
    play(table, status("PreSubmitted", whyHeld="locate"))
    assert view.why_held == "locate"
    assert "held: locate" in view.events[-1].detail


# -- order of arrival ----------------------------------------------------------------------------------------------

FILL = {
    "open": opened(status="PreSubmitted"),
    "working": status("Submitted"),
    "first": executed("a.01.01", 60, 187.43, cum=60),
    "second": executed("a.02.01", 40, 187.42, cum=100),
    "fee": fee("a.01.01", 0.6),
    "fee2": fee("a.02.01", 0.4),
    "filled": status("Filled", 100, 0),
}


@pytest.mark.parametrize("known_before", [True, False])
def test_every_order_of_arrival_of_a_fill_ends_the_same(known_before: bool) -> None:
    for order_of_arrival in permutations(FILL):
        table = OrderTable(CLIENT)
        if known_before:
            table.on_place(7, stock(), order(), 0)
        play(table, *(FILL[name] for name in order_of_arrival))
        view = table.get(7)
        assert view is not None
        assert len(table) == 1
        assert facts(view.filled, view.remaining, view.avg_fill_price) == (100, 0, 187.426), order_of_arrival
        assert view.commission == {"USD": Decimal("1.0")}, order_of_arrival
        assert {fill.exec_id for fill in view.executions} == {"a.01.01", "a.02.01"}
        assert view.state is State.FILLED, order_of_arrival
        assert view.perm_id == PERM
        assert titles(view).count("Filled") == 1, order_of_arrival
        assert table.book.held_fees == []


def test_every_order_of_arrival_of_a_cancel_after_a_partial_fill() -> None:
    steps = [
        opened(status="PreSubmitted"), status("PendingCancel", 60, 40), executed("a.1", 60), fee("a.1"),
        error(202, "Order Canceled"), status("Cancelled", 60, 40),
    ]  # fmt: skip
    for arrival in permutations(steps):
        table, view = placed()
        table.on_cancel_request(7, 0)
        play(table, *arrival)
        assert view.state in (State.CANCELLED, State.UNCERTAIN)
        assert view.state is not State.UNCERTAIN or view.needs_query
        assert facts(view.filled, view.remaining, view.commission) == (60, 40, {"USD": Decimal("0.5")})


def test_every_order_of_arrival_of_a_refusal_is_rejected_or_uncertain() -> None:
    steps = [error(201, "no margin"), status("Inactive"), opened(status="Inactive"), status("Cancelled")]
    for arrival in permutations(steps):
        table, view = placed()
        play(table, *arrival)
        assert view.state is State.REJECTED
        assert view.last_error == (201, "no margin")


def test_every_order_of_arrival_with_a_correction() -> None:
    steps = [
        executed("a.01.01", 60, 10.0), executed("a.01.02", 50, 10.5), executed("a.02.01", 40, 11.0),
        fee("a.01.01", 1), fee("a.01.02", 2), status("Submitted", 90, 10),
    ]  # fmt: skip
    for arrival in permutations(steps):
        table, view = placed()
        play(table, *arrival)
        assert facts(view.filled, view.remaining) == (90, 10)
        assert view.avg_fill_price == pytest.approx((50 * 10.5 + 40 * 11) / 90)
        assert view.commission == {"USD": Decimal(2)}
        assert view.state in (State.PARTIALLY_FILLED, State.UNCERTAIN)


def test_an_end_by_executions_that_a_correction_takes_back_is_uncertain() -> None:
    table, view = placed()
    play(table, executed("a.01.01", 100), executed("a.01.02", 60))
    assert facts(view.state, view.filled, view.needs_query) == (State.UNCERTAIN, 60, True)


def test_a_correction_after_the_broker_said_filled_leaves_it_filled() -> None:
    table, view = placed()
    play(table, executed("a.01.01", 100), status("Filled", 100, 0), executed("a.01.02", 60))
    assert facts(view.state, view.filled) == (State.FILLED, 60)


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_anything_in_any_order_never_loses_a_fill_and_never_ends_by_an_unproved_error(data: st.DataObject) -> None:
    pool: list[tuple[str, Step]] = [
        *((text, status(text)) for text in ("PreSubmitted", "Submitted", "PendingSubmit", "PendingCancel", "Nonsense")),
        *((str(code), error(code)) for code in (399, 404, 10349, 2109, 481, 135, 136, 161, 10147, 10148, 2102, 104)),
        ("99999", error(99999)),
        ("a.01.01", executed("a.01.01", 10)), ("a.02.01", executed("a.02.01", 20)), ("fee", fee("a.01.01")),
        ("lost", lambda table, now: table.on_link_lost("gone", now)),
        ("garbled", lambda table, now: table.on_undecodable(None, "truncated", now)),
        ("late", lambda table, now: table.on_deadline(7, now)),
        ("cancel", lambda table, now: table.on_cancel_request(7, now)),
        ("modify", lambda table, now: table.on_place(7, stock(), order(150), now)),
    ]  # fmt: skip
    chosen = data.draw(st.lists(st.sampled_from(pool), max_size=25))
    table, view = placed()
    play(table, *(step for _, step in chosen))
    names = {name for name, _ in chosen}
    assert view.filled == 10 * ("a.01.01" in names) + 20 * ("a.02.01" in names)
    assert not view.is_done
    assert view.may_fill
    assert [event.ns for event in view.events] == sorted(event.ns for event in view.events)
    assert len(table) == 1


# -- cancel --------------------------------------------------------------------------------------------------------


def test_pending_cancel_is_live_and_can_still_fill() -> None:
    table, view = placed()
    play(table, status("Submitted"))
    table.on_cancel_request(7, 5_000_000)
    play(table, status("Submitted"), status("PendingCancel"))
    assert (view.state, view.is_live) == (State.CANCEL_REQUESTED, True)
    play(table, executed("a.1", 100))
    assert view.is_filled


def test_202_confirms_and_is_no_error() -> None:
    table, view = placed()
    play(table, status("Submitted"))
    table.on_cancel_request(7, 5_000_000)
    play(table, error(202, "Order Canceled - reason:"))
    assert (view.state, view.last_error) == (State.CANCELLED, None)
    assert titles(view)[-1] == "notice 202"


def test_202_with_an_expiry_is_expired_unless_a_cancel_was_asked() -> None:
    table, view = placed()
    play(table, status("Submitted"), status("Cancelled"), error(202, "Order Canceled - reason: Order Expired"))
    assert view.state is State.EXPIRED
    table, view = placed()
    table.on_cancel_request(7, 0)
    play(table, error(202, "Order Canceled - reason: Order Expired"))
    assert view.state is State.CANCELLED


@pytest.mark.parametrize("code", [135, 136, 161, 10147, 10148])
def test_a_refused_cancel_ends_nothing_and_wants_a_look_up(code: int) -> None:
    table, view = placed()
    play(table, status("Submitted"))
    table.on_cancel_request(7, 5_000_000)
    play(table, error(code))
    assert not view.is_done
    assert view.needs_query
    assert view in table.uncertain()
    assert view.last_error == (code, "")
    if code in (135, 10147):  # a status may have overtaken the answer: only asking settles it
        play(table, status("Submitted"))
        assert view.is_uncertain
        table.begin_snapshot()
    play(table, opened(status="Submitted"))
    assert (view.is_live, view.needs_query) == (True, False)


def test_a_late_fill_after_cancelled_is_counted() -> None:
    table, view = placed()
    play(table, status("Submitted"), status("Cancelled"), executed("a.1", 30))
    assert facts(view.state, view.filled, view.remaining) == (State.CANCELLED, 30, 70)
    play(table, executed("b.1", 70))
    assert view.state is State.FILLED


@pytest.mark.parametrize("text", ["PreSubmitted", "Submitted"])
def test_a_working_status_after_an_end_is_uncertain(text: str) -> None:
    for end in (status("Cancelled"), error(201)):
        table, view = placed()
        play(table, end, status(text))
        assert (view.state, view.needs_query) == (State.UNCERTAIN, True)


def test_cancel_of_an_unknown_id_is_held() -> None:
    table = OrderTable(CLIENT)
    view = table.on_cancel_request(99, 0)
    assert table.get(99) is view
    assert (view.is_uncertain, view.needs_query) == (True, True)


# -- errors and warnings -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("code", [399, 404, 2109, 2137, 10311, 10349, 481])
@pytest.mark.parametrize("live", [True, False])
def test_a_warning_changes_nothing_but_is_noted(code: int, live: bool) -> None:
    table, view = placed()
    if live:
        play(table, status("Submitted"))
    before = view.state
    play(table, error(code, "note"))
    assert view.state is before
    assert view.notes == [(code, "note")]
    assert view.last_error is None
    assert titles(view)[-1] == f"warning {code}"


@pytest.mark.parametrize("code", [103, 110, 200, 201, 203, 321, 355, 387, 460, 10006, 10289])
def test_a_refusal_of_a_new_order_ends_it_without_any_status(code: int) -> None:
    table, view = placed()
    play(table, error(code, "no"))
    assert (view.state, view.risk) == (State.REJECTED, Risk.ENDED)


@pytest.mark.parametrize("code", [110, 201, 321, 104, 105, 329, 10326])
def test_a_refusal_on_a_live_order_is_a_refused_modify(code: int) -> None:
    table, view = placed()
    play(table, opened(status="Submitted"))
    table.on_place(7, stock(), order(150), 5_000_000)
    assert (view.state, view.is_live) == (State.MODIFY_REQUESTED, True)
    play(table, error(code))
    assert facts(view.state, view.total_quantity, view.max_quantity) == (State.WORKING, 100, 100)


@pytest.mark.parametrize("cancelled_first", [True, False])
def test_cancelled_as_an_artefact_of_a_refused_modify_does_not_end_the_order(cancelled_first: bool) -> None:
    table, view = placed()
    play(table, opened(status="Submitted"))
    table.on_place(7, stock(), order(150), 5_000_000)
    steps = [status("Cancelled"), error(201, "modify refused")]
    play(table, *(steps if cancelled_first else reversed(steps)))
    play(table, status("Submitted"))
    assert (view.state, view.needs_query) == (State.UNCERTAIN, True)
    table.begin_snapshot()
    play(table, opened(status="Submitted"))
    assert table.end_snapshot(9) == []
    assert (view.is_live, view.needs_query) == (True, False)


def test_a_refusal_that_may_answer_placement_or_modify_is_uncertain() -> None:
    table, view = placed()
    table.on_place(7, stock(), order(150), 5_000_000)
    play(table, error(201))
    assert view.is_uncertain


def test_a_live_order_that_the_broker_ends_is_rejected() -> None:
    for arrival in permutations([error(201, "margin"), status("Cancelled")]):
        table, view = placed()
        play(table, status("Submitted"), *arrival)
        assert view.state is State.REJECTED


def test_an_unlisted_code_never_ends_an_order() -> None:
    table, view = placed()
    play(table, error(54321, "?"))
    assert (view.state, view.needs_query) == (State.SENT, True)


def test_effects_can_be_overridden() -> None:
    table = OrderTable(CLIENT, effects={201: OrderEffect.WARNING})
    view = table.on_place(7, stock(), order(), 0)
    table.on_error(7, 201, "", 1)
    assert view.state is State.SENT


def test_errors_that_are_not_about_an_order() -> None:
    table, view = placed()
    assert table.on_error(-1, 1100, "lost", 1) is None
    assert table.on_error(9001, 200, "no contract", 1) is None
    assert len(table) == 1
    assert view.notes == []


def test_an_order_error_for_an_unknown_id_is_held() -> None:
    table = OrderTable(CLIENT)
    view = table.on_error(55, 10147, "not found", 1)
    assert view is table.get(55)
    assert view is not None
    assert view.is_uncertain


def test_advanced_reject_is_kept() -> None:
    table, view = placed()
    table.on_error(7, 201, "x", 1, '{"rejects":[]}')
    assert view.advanced_reject == '{"rejects":[]}'


# -- modify --------------------------------------------------------------------------------------------------------


def test_modify_is_accepted_by_its_terms_not_by_a_status() -> None:
    table, view = placed()
    play(table, opened(status="Submitted"))
    table.on_place(7, stock(), order(150), 5_000_000)
    play(table, status("Submitted"), opened(status="Submitted"))
    assert view.state is State.MODIFY_REQUESTED
    play(table, opened(7, "Submitted", 150))
    assert facts(view.state, view.total_quantity, view.pending_modifies) == (State.WORKING, 150, [])


def test_old_quantity_filled_while_a_larger_one_is_pending_does_not_end_it() -> None:
    table, view = placed()
    play(table, opened(status="Submitted"))
    table.on_place(7, stock(), order(200), 5_000_000)
    play(table, executed("a.1", 100))
    assert not view.is_done
    play(table, opened(7, "Submitted", 200), executed("b.1", 100))
    assert view.is_filled


def test_a_smaller_quantity_that_is_not_confirmed_does_not_end_it() -> None:
    table, view = placed()
    table.on_place(7, stock(), order(50), 5_000_000)
    play(table, executed("a.1", 50))
    assert facts(view.is_done, view.remaining) == (False, 50)


def test_modify_of_a_filled_order() -> None:
    table, view = placed()
    play(table, executed("a.1", 100))
    table.on_place(7, stock(), order(150), 5_000_000)
    play(table, error(104, "filled"))
    assert view.is_filled


# -- never blind ---------------------------------------------------------------------------------------------------


def test_link_loss_makes_everything_open_uncertain_and_nothing_else() -> None:
    table = OrderTable(CLIENT)
    views = [table.on_place(number, stock(), order(), 0) for number in range(1, 6)]
    play(
        table, status("Submitted", order_id=1, permId=1), executed("b.1", 100, order_id=2, permId=2),
        status("Inactive", order_id=3, permId=3), error(201, order_id=4),
    )  # fmt: skip
    assert table.on_link_lost("socket closed", 9) == [views[0], views[2], views[4]]
    assert [view.state for view in views] == [
        State.UNCERTAIN, State.FILLED, State.UNCERTAIN, State.REJECTED, State.UNCERTAIN,
    ]  # fmt: skip
    assert table.on_reconnect(10) == [views[0], views[2], views[4]]
    assert table.epoch == 1
    play(table, opened(1, "Submitted", permId=1))
    assert views[0].is_live
    assert table.uncertain() == [views[2], views[4]]


def test_after_a_link_loss_cancelled_is_a_snapshot_even_with_a_modify_pending() -> None:
    table, view = placed()
    play(table, opened(status="Submitted"))
    table.on_place(7, stock(), order(150), 5_000_000)
    table.on_link_lost("gone", 6_000_000)
    play(table, status("Cancelled"))
    assert view.state is State.CANCELLED


def test_undecodable_with_and_without_an_id() -> None:
    table, view = placed()
    other = table.on_place(8, stock(), order(), 0)
    play(table, status("Submitted"), status("Submitted", order_id=8, permId=8))
    assert table.on_undecodable(7, "bad number", 5) == [view]
    assert (view.is_uncertain, other.is_uncertain) == (True, False)
    assert view.events[-1].detail == "a message could not be read: bad number"
    table.on_undecodable(None, "bad frame", 6)
    assert other.is_uncertain
    held = table.on_undecodable(77, "bad", 7)
    assert held == [table.get(77)]


def test_undecodable_on_an_ended_order_wants_a_look_up() -> None:
    table, view = placed()
    play(table, status("Cancelled"))
    table.on_undecodable(7, "bad", 5)
    assert (view.state, view.needs_query) == (State.CANCELLED, True)


def test_deadline_concerns_only_who_waits() -> None:
    table, view = placed()
    table.on_deadline(7, 5)
    assert view.is_uncertain
    assert titles(view)[-1] == "uncertain"
    play(table, status("Submitted"))
    table.on_deadline(7, 6)
    assert view.is_live
    assert table.on_deadline(1234, 7) is None


def test_send_failures() -> None:
    table, view = placed()
    table.on_send_failed(7, 5, "refused by the socket")
    assert (view.state, view.risk) == (State.CREATED, Risk.NOT_SENT)
    table, view = placed()
    table.on_send_failed(7, 5, "broken pipe", wrote_bytes=12)
    assert view.is_uncertain
    table, view = placed()
    play(table, status("Submitted"))
    table.on_place(7, stock(), order(150), 5)
    table.on_send_failed(7, 6, "full")
    assert facts(view.state, view.max_quantity) == (State.WORKING, 100)


# -- identity ------------------------------------------------------------------------------------------------------


def test_orders_of_others_are_held_apart() -> None:
    table, view = placed()
    play(
        table, status("Submitted", clientId=5, permId=55), executed("x.1", 5, order_id=0, clientId=0, permId=66),
        status("Submitted", order_id=7, permId=PERM),
    )  # fmt: skip
    assert len(table) == 3
    assert table.get(7) is view
    other = table.get(7, client_id=5)
    assert other is not None
    assert other.perm_id == 55
    manual = table.by_perm_id(66)
    assert manual is not None
    assert facts(manual.filled, manual.remaining, manual.is_uncertain) == (5, None, True)


def test_an_execution_known_by_perm_id_only_joins_its_order() -> None:
    table, view = placed()
    play(table, executed("a.1", 40, order_id=2147483647), fee("a.1"), status("Submitted", 40, 60))
    assert list(table) == [view]
    assert facts(view.filled, view.commission) == (40, {"USD": Decimal("0.5")})
    play(table, executed("b.1", 60, order_id=0))
    assert view.is_filled


def test_two_orders_under_one_order_id_stay_apart() -> None:
    table, view = placed()
    play(table, status("Submitted"), status("Submitted", permId=5), executed("a.1", 10, permId=5))
    assert facts(len(table), view.filled, view.needs_query) == (2, 0, True)
    second = table.by_perm_id(5)
    assert second is not None
    assert facts(second.filled, second.order_id) == (10, 7)


def test_completed_order_settles_by_perm_id() -> None:
    table, view = placed()
    play(table, status("Submitted"))
    table.on_link_lost("gone", 5)
    message = open_order(0, "Cancelled")
    table.on_completed_order(message, 6)
    assert (view.state, len(table)) == (State.CANCELLED, 1)


def test_legs_of_a_combination_do_not_count_for_quantity() -> None:
    combo, leg = stock(secType="BAG"), stock(secType="OPT")
    for known_before in (True, False):
        table = OrderTable(CLIENT)
        if known_before:
            table.on_place(7, combo, order(10), 0)
        play(
            table, executed("l.1", 10, 3.0, contract=leg, cum=10), executed("c.1", 4, 1.5, contract=combo, cum=4),
            executed("l.2", 20, 2.0, contract=leg, cum=20), fee("l.1"),
        )  # fmt: skip
        message = open_order(7, "Submitted", 10)
        message.contract = combo
        table.on_open_order(message, 5)
        view = table.get(7)
        assert view is not None
        assert facts(view.filled, view.remaining, view.avg_fill_price) == (4, 6, 1.5)
        assert view.commission == {"USD": Decimal("0.5")}
        assert known_before is False or view.state is State.PARTIALLY_FILLED


# -- transmit, brackets, what-if -----------------------------------------------------------------------------------


def test_the_transmitted_child_releases_its_group() -> None:
    table = OrderTable(CLIENT)
    parent = table.on_place(1, stock(), order(transmit=False), 0)
    target = table.on_place(2, stock(), order(transmit=False, parentId=1), 1)
    alone = table.on_place(9, stock(), order(transmit=False), 1)
    assert [view.risk for view in (parent, target)] == [Risk.NOT_SENT] * 2
    table.on_place(3, stock(), order(parentId=1), 2)
    assert [view.state for view in (parent, target, alone)] == [State.SENT, State.SENT, State.UNTRANSMITTED]
    assert parent.events[-1].detail == "released by order 3"


def test_what_if_makes_no_order_but_can_be_refused() -> None:
    table = OrderTable(CLIENT)
    view = table.on_place(7, stock(), order(whatIf=True), 0)
    play(table, opened(7, "PreSubmitted", whatIf=True), opened(7, "PreSubmitted", whatIf=True))
    assert (view.risk, len(table)) == (Risk.NOT_SENT, 1)
    table.on_error(7, 201, "no", 5)
    assert view.state is State.REJECTED


def test_a_real_order_after_a_what_if_with_a_late_second_answer() -> None:
    table = OrderTable(CLIENT)
    view = table.on_place(7, stock(), order(whatIf=True), 0)
    table.on_place(7, stock(), order(), 1)
    play(table, opened(7, "PreSubmitted", whatIf=True))
    assert view.state is State.SENT
    play(table, status("Submitted"))
    assert view.is_live


def test_placing_a_rejected_id_again_starts_over() -> None:
    table, view = placed()
    play(table, error(201))
    table.on_place(7, stock(), order(), 5)
    assert (view.state, view.refusal) == (State.SENT, None)
    play(table, status("Cancelled"))
    assert view.state is State.CANCELLED


# -- texts and types -----------------------------------------------------------------------------------------------


def test_cash_quantity_order_has_no_total() -> None:
    table, view = placed(0)
    play(table, status("Submitted"), executed("a.1", "0.5"))
    assert (view.total_quantity, view.remaining, view.state) == (None, None, State.PARTIALLY_FILLED)


def test_fractions_are_exact() -> None:
    table, view = placed("0.30000000000000000001")
    play(table, executed("a.1", "0.1"), executed("b.1", "0.2"), status("Submitted", "0.3", 0))
    assert (view.remaining, view.is_done) == (Decimal("1E-20"), False)
    play(table, executed("c.1", "1E-20"))
    assert view.is_filled


def test_view_type_is_the_callers() -> None:
    class Handle(OrderView):
        pass

    table = OrderTable(CLIENT, view_type=Handle)
    assert type(table.on_place(7, stock(), order(), 0)) is Handle
    assert "7" in repr(table.get(7))


def test_messages_without_client_id_are_our_own() -> None:
    table, view = placed()
    message: Any = order_status(7, "Submitted")
    fields = {name: value for name, value in vars(message).items() if name != "clientId"}
    table.on_order_status(SimpleNamespace(**fields), 5)
    assert view.is_live
