"""Each order type, time in force and group, on a market that does exactly what the test says."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from ibwire.sim.clock import NS_PER_S
from ibwire.sim.instruments import ContractQuery
from ibwire.sim.opening import parse_time
from ibwire.sim.orders import Condition, Fill
from ibwire.sim.working import NO_LATENCY, Manners
from tests.unit.sim.scripted import Scripted, fills, story

D = Decimal


def moment(text: str) -> int:
    found = parse_time(text, 0)
    assert found is not None
    return found


# ---------------------------------------------------------------------------------------------- book


def test_a_market_order_takes_the_size_shown_and_waits_for_more() -> None:
    desk = Scripted()
    assert fills(desk.place(1, size="1500")) == [(1, 1000, "100.01")]
    assert fills(desk.print(10_001, 5000)) == []
    assert fills(desk.move(9_999, 10_002, 400)) == [(1, 400, "100.02")]
    assert fills(desk.move(9_999, 10_003, 400)) == [(1, 100, "100.03")]
    assert desk.status(1) == ["Filled"]


def test_price_then_time_among_resting_orders_of_all_clients() -> None:
    desk = Scripted()
    desk.place(1, limit="99.98")
    desk.place(1, limit="99.99", clientId=2, account="")
    desk.place(2, limit="99.99")
    events = desk.move(9_990, 9_995, 250)
    done = [(e.order.clientId, e.order.orderId, int(e.qty)) for e in events if isinstance(e, Fill)]
    assert done == [(2, 1, 100), (1, 2, 100), (1, 1, 50)]
    # Resting orders fill at their own limits.
    assert [price for _, _, price in fills(events)] == ["99.99", "99.99", "99.98"]


def test_a_print_beyond_the_limit_fills_and_one_at_it_does_not() -> None:
    desk = Scripted()
    desk.place(1, limit="100.00")
    assert fills(desk.print(10_000, 500)) == []
    assert fills(desk.print(9_999, 30)) == [(1, 30, "100.00")]
    assert desk.order(1).remaining == 70


def test_clients_trade_with_each_other_inside_the_quote() -> None:
    desk = Scripted()
    desk.place(1, limit="100.00", size="60")
    events = desk.place(1, "SELL", clientId=2)
    assert fills(events) == [(1, 60, "100.00"), (1, 60, "100.00"), (1, 40, "99.99")]
    assert desk.accounts["DU0000001"].position(desk.aapl.conId) == -40


def test_a_modify_for_less_keeps_the_place_and_one_for_more_or_another_price_does_not() -> None:
    desk = Scripted()
    for orderId in (1, 2, 3):
        desk.place(orderId, limit="99.99")
    desk.place(1, limit="99.99", size="50")
    desk.place(2, limit="99.99", size="150")
    assert [orderId for orderId, _, _ in fills(desk.move(9_980, 9_990))] == [1, 3, 2]


# ---------------------------------------------------------------------------------------------- stops, trails


def test_a_stop_waits_held_for_its_trigger_and_then_takes_the_market() -> None:
    desk = Scripted()
    assert story(desk.place(1, "SELL", orderType="STP", auxPrice="99.90")) == ["PreSubmitted"]
    assert desk.order(1).whyHeld == "trigger"
    assert story(desk.print(9_991)) == [] and story(desk.move(9_980, 9_982)) == []
    assert story(desk.print(9_990)) == ["Submitted", "fill", "Filled", "commission"]
    assert desk.order(1).whyHeld == "" and desk.order(1).avgFillPrice == D("99.80")


def test_a_stop_that_is_reached_already_goes_at_once() -> None:
    assert fills(Scripted().place(1, orderType="STP", auxPrice="99.00")) == [(1, 100, "100.01")]


def test_a_stop_limit_does_not_trade_beyond_its_limit() -> None:
    desk = Scripted()
    desk.place(1, "SELL", orderType="STP LMT", auxPrice="99.90", lmtPrice="99.85")
    desk.move(9_980, 9_982)
    assert story(desk.print(9_980)) == ["Submitted"]
    assert fills(desk.move(9_985, 9_987)) == [(1, 100, "99.85")]


@pytest.mark.parametrize(
    ("method", "reached_by"),
    [
        (1, [(10_100, 10_102), (10_100, 10_103)]),
        (2, [(10_100,)]),
        (3, [(10_100,), (10_100,)]),
        (4, [(10_100, 10_102)]),
        (7, [(10_100, 10_102)]),
        (8, [(10_098, 10_102)]),
    ],
)
def test_trigger_methods(method: int, reached_by: list[tuple[int, ...]]) -> None:
    desk = Scripted()
    desk.place(1, orderType="STP", auxPrice="101.00", triggerMethod=method)
    for prices in reached_by:
        assert desk.order(1).status == "PreSubmitted"
        if len(prices) == 1:
            desk.print(prices[0])
        else:
            desk.move(prices[0], prices[1])
    assert desk.order(1).status == "Filled"


def test_a_trailing_stop_follows_and_never_goes_back() -> None:
    desk = Scripted()
    desk.place(1, "SELL", orderType="TRAIL", auxPrice="0.50")
    assert desk.order(1).stopPrice == D("99.50")
    desk.print(10_100)
    assert desk.order(1).stopPrice == D("100.50")
    desk.print(10_060)
    assert desk.order(1).stopPrice == D("100.50")
    assert story(desk.print(10_050))[:2] == ["Submitted", "fill"]


def test_a_trailing_percentage_and_a_first_stop() -> None:
    desk = Scripted()
    desk.place(1, "BUY", orderType="TRAIL", trailingPercent=1, trailStopPrice="103")
    assert desk.order(1).stopPrice == D("103.00")
    desk.print(9_900)
    assert desk.order(1).stopPrice == D("99.99")
    assert fills(desk.print(9_999)) == [(1, 100, "100.01")]


def test_a_trailing_limit_has_its_price_at_its_offset_from_the_stop() -> None:
    desk = Scripted()
    desk.place(1, "SELL", orderType="TRAIL LIMIT", auxPrice="0.50", lmtPriceOffset="0.10", trailStopPrice="99.50")
    desk.move(9_930, 9_935)
    assert fills(desk.print(9_940)) == []
    assert desk.order(1).status == "Submitted"
    assert fills(desk.move(9_940, 9_945)) == [(1, 100, "99.40")]


def test_a_triggered_trailing_limit_can_be_modified() -> None:
    desk = Scripted()
    fields = {"orderType": "TRAIL LIMIT", "auxPrice": "0.50", "lmtPriceOffset": "0.10"}
    desk.place(1, "SELL", **fields)
    desk.move(9_900, 9_905)
    desk.print(9_950)
    desk.place(1, "SELL", size="50", **fields)
    assert desk.status(1) == ["Submitted"]
    assert fills(desk.move(9_939, 9_945)) == [] and fills(desk.move(9_940, 9_945)) == [(1, 50, "99.40")]


# ---------------------------------------------------------------------------------------------- time


def test_good_till_date_ends_then() -> None:
    desk = Scripted()
    desk.place(1, limit="99", tif="GTD", good_till_ns=desk.clock.now_ns + 60 * NS_PER_S)
    assert story(desk.run(59)) == []
    assert story(desk.run(2)) == ["Cancelled", "202"]


def test_good_after_waits() -> None:
    desk = Scripted()
    desk.place(1, good_after_ns=desk.clock.now_ns + 60 * NS_PER_S)
    assert fills(desk.run(59)) == []
    assert fills(desk.run(2)) == [(1, 100, "100.01")]


def test_a_day_order_ends_at_the_close_and_a_good_till_cancelled_one_sleeps_over_night() -> None:
    desk = Scripted()
    desk.place(1, limit="99")
    desk.place(2, limit="98", tif="GTC")
    desk.place(3, limit="97", outsideRth=True)
    desk.clock.advance(moment("20260302 16:00:00 US/Eastern"))
    assert desk.status(1, 2, 3) == ["Cancelled", "PreSubmitted", "Submitted"]
    assert fills(desk.move(9_690, 9_695)) == [(3, 100, "97.00")]
    desk.clock.advance(moment("20260303 09:29:59 US/Eastern"))
    assert desk.status(2) == ["PreSubmitted"]
    desk.clock.advance(moment("20260303 09:30:00 US/Eastern"))
    assert desk.status(2) == ["Filled"]


def test_an_order_outside_the_hours_is_warned_about_and_waits_for_the_open() -> None:
    desk = Scripted(start_ns=moment("20260302 08:00:00 US/Eastern"))
    assert story(desk.place(1)) == ["399", "PreSubmitted"]
    assert fills(desk.place(2, outsideRth=True)) == [(2, 100, "100.01")]
    assert fills(desk.run(5400)) == [(1, 100, "100.01")]


def test_a_day_order_placed_after_the_close_is_for_the_next_day() -> None:
    desk = Scripted(start_ns=moment("20260306 17:00:00 US/Eastern"))  # a Friday
    desk.place(1, limit="99")
    desk.clock.advance(moment("20260309 12:00:00 US/Eastern"))
    assert desk.status(1) == ["Submitted"]
    desk.clock.advance(moment("20260309 16:00:00 US/Eastern"))
    assert desk.status(1) == ["Cancelled"]


def test_outside_hours_means_nothing_for_currencies() -> None:
    desk = Scripted()
    eur = desk.instrument("EUR", "CASH", "USD")
    assert "2109" in story(desk.place(1, instrument=eur, outsideRth=True, limit="0.05"))


def test_immediate_or_cancel_and_fill_or_kill_look_at_the_book_too() -> None:
    desk = Scripted()
    desk.place(1, "SELL", limit="100.00", size="50")
    assert story(desk.place(2, limit="100.01", size="1051", tif="FOK")) == ["PreSubmitted", "Inactive"]
    events = desk.place(3, limit="100.01", size="1050", tif="FOK")
    assert [row for row in fills(events) if row[0] == 3] == [(3, 50, "100.00"), (3, 1000, "100.01")]
    events = desk.place(4, limit="100.01", size="10", tif="IOC")
    assert story(events) == ["PreSubmitted", "PendingCancel", "Cancelled", "0"]


# ---------------------------------------------------------------------------------------------- brackets


def bracket(desk: Scripted, size: str = "100") -> None:
    desk.place(1, limit="100.00", size=size, transmit=False)
    desk.place(2, "SELL", limit="101.00", size=size, parentId=1, transmit=False)
    assert desk.events == []
    desk.place(3, "SELL", orderType="STP", auxPrice="99.00", size=size, parentId=1)


def test_a_bracket_is_released_by_its_last_child_and_waits_for_its_parent() -> None:
    desk = Scripted()
    bracket(desk)
    assert desk.status(1, 2, 3) == ["Submitted", "PreSubmitted", "PreSubmitted"]
    assert [desk.order(n).whyHeld for n in (1, 2, 3)] == ["", "child", "child,trigger"]
    assert {(desk.order(n).ocaGroup, desk.order(n).ocaType) for n in (2, 3)} == {(str(desk.order(1).permId), 3)}
    assert fills(desk.move(10_200, 10_210)) == []


def test_one_child_filled_ends_the_other() -> None:
    desk = Scripted()
    bracket(desk)
    desk.move(9_990, 9_995)
    assert desk.status(1, 2, 3) == ["Filled", "Submitted", "PreSubmitted"]
    desk.move(10_100, 10_105)
    assert desk.status(2, 3) == ["Filled", "Cancelled"]
    assert desk.accounts["DU0000001"].position(desk.aapl.conId) == 0


def test_children_fill_no_more_than_their_parent_has() -> None:
    desk = Scripted()
    bracket(desk)
    desk.move(9_990, 9_995, 40)
    assert desk.order(1).filled == 40
    assert [size for n, size, _ in fills(desk.move(10_100, 10_105)) if n == 2] == [40]
    assert desk.order(3).remaining == 60
    assert fills(desk.print(9_990)) == [(1, 60, "100.00"), (2, 60, "101.00")]


def test_cancelling_an_unfilled_parent_cancels_its_children() -> None:
    desk = Scripted()
    bracket(desk)
    assert story(desk.cancel(1)).count("202") == 3
    assert desk.status(1, 2, 3) == ["Cancelled"] * 3


def test_cancelling_a_part_filled_parent_leaves_the_children_that_part() -> None:
    desk = Scripted()
    bracket(desk)
    desk.move(9_990, 9_995, 40)
    desk.cancel(1)
    assert desk.status(1, 2, 3) == ["Cancelled", "Submitted", "PreSubmitted"]
    assert (desk.order(2).remaining, desk.order(3).remaining) == (D(40), D(40))


def test_a_child_before_its_parent_is_refused() -> None:
    assert story(Scripted().place(2, "SELL", limit="101", parentId=1)) == ["10006"]


def test_a_child_modified_when_its_parent_is_a_day_old() -> None:
    desk = Scripted()
    bracket(desk)
    desk.place(4, "SELL", limit="105", tif="GTC", parentId=1)
    desk.move(9_990, 9_995)
    assert story(desk.place(4, "SELL", limit="104", tif="GTC", parentId=1)) == ["Submitted"]
    desk.clock.advance(moment("20260303 09:45:00 US/Eastern"))
    assert story(desk.place(4, "SELL", limit="103", tif="GTC", parentId=1)) == ["135"]
    assert desk.order(4).request.lmtPrice == D(104)
    assert story(desk.place(4, "SELL", limit="103", tif="GTC")) == ["Submitted"]


# ---------------------------------------------------------------------------------------------- one cancels all


def test_type_1_cancels_the_others_at_the_first_fill() -> None:
    desk = Scripted()
    for orderId in (1, 2):
        desk.place(orderId, limit=f"99.9{orderId}", ocaGroup="g", ocaType=1)
    desk.move(9_980, 9_985, 30)
    assert (desk.order(2).filled, desk.order(2).status, desk.order(1).status) == (D(30), "Submitted", "Cancelled")
    assert story(desk.place(3, limit="99", ocaGroup="g", ocaType=1)) == ["Inactive", "201"]


def test_type_1_blocks_before_it_tells() -> None:
    desk = Scripted(latency=replace(NO_LATENCY, cancel_ns=(10**6, 10**6)))
    for orderId in (1, 2):
        desk.place(orderId, limit=f"99.9{orderId}", ocaGroup="g", ocaType=1)
    assert [row[0] for row in fills(desk.move(9_980, 9_985, 1000))] == [2]
    assert desk.status(1) == ["Submitted"]
    assert story(desk.run(0.01)) == ["Cancelled", "202"]


def test_type_2_reduces_by_the_share_filled() -> None:
    desk = Scripted()
    desk.place(1, limit="99.90", size="200", ocaGroup="g", ocaType=2)
    desk.place(2, limit="99.95", size="100", ocaGroup="g", ocaType=2)
    desk.move(9_980, 9_995, 25)
    assert (desk.order(2).remaining, desk.order(1).remaining) == (D(75), D(150))
    desk.move(9_980, 9_995, 100)
    assert desk.status(1, 2) == ["Cancelled", "Filled"]


def test_a_stock_order_for_whole_shares_is_reduced_by_whole_shares() -> None:
    desk = Scripted()
    desk.place(1, limit="99.90", size="100", ocaGroup="g", ocaType=2)
    desk.place(2, limit="99.95", size="60", ocaGroup="g", ocaType=2)
    desk.move(9_980, 9_995, 25)
    assert (desk.order(2).remaining, desk.order(1).remaining) == (D(35), D(59))
    desk.place(3, limit="99.95", size="60", ocaGroup="h", ocaType=2)
    desk.place(4, limit="99.90", size="0.5", ocaGroup="h", ocaType=2)
    desk.move(9_980, 9_995, 65)
    assert (desk.order(3).remaining, desk.order(4).remaining) == (D(30), D("0.25"))


def test_type_3_can_overfill() -> None:
    desk = Scripted(latency=replace(NO_LATENCY, cancel_ns=(10**6, 10**6)))
    desk.place(1, limit="99.91", ocaGroup="g", ocaType=3)
    desk.place(2, limit="99.92", ocaGroup="g", ocaType=3)
    assert [row[:2] for row in fills(desk.move(9_980, 9_985, 150))] == [(2, 100), (1, 50)]
    desk.run(0.01)
    assert desk.status(1, 2) == ["Cancelled", "Filled"]


def test_a_group_is_of_one_account() -> None:
    desk = Scripted(accounts=("DU0000001", "DU0000002"))
    desk.place(1, limit="99.91", ocaGroup="g", ocaType=1, account="DU0000001")
    desk.place(2, limit="99.92", ocaGroup="g", ocaType=1, account="DU0000002")
    desk.move(9_980, 9_985, 100)
    assert desk.status(1, 2) == ["Submitted", "Filled"]


# ---------------------------------------------------------------------------------------------- conditions


def test_a_price_condition_on_another_instrument() -> None:
    desk = Scripted()
    msft = desk.instrument("MSFT")
    desk.place(1, conditions=(Condition(1, True, instrument=msft, price=D("120.00")),))
    assert fills(desk.print(12_500)) == [] and desk.status(1) == ["PreSubmitted"]
    assert fills(desk.print(12_000, instrument=msft)) == [(1, 100, "100.01")]
    assert desk.listeners == []


def test_and_binds_closer_than_or() -> None:
    for first, second, third, expected in (
        (True, False, True, True),
        (True, False, False, False),
        (False, True, False, False),
        (True, True, False, True),
    ):
        desk = Scripted()
        now_ns = desk.clock.now_ns
        parts = [
            Condition(3, holds, conjunction, time_ns=now_ns)
            for holds, conjunction in ((first, True), (second, False), (third, True))
        ]
        desk.run(1)  # so that `before now` is false and `after now` true
        assert bool(fills(desk.place(1, conditions=tuple(parts)))) is expected


def test_a_time_condition_and_one_that_cancels() -> None:
    desk = Scripted()
    then = Condition(3, True, time_ns=desk.clock.now_ns + NS_PER_S)
    desk.place(1, conditions=(then,))
    desk.place(2, limit="99", conditions=(then,), conditionsCancelOrder=True)
    assert desk.status(1, 2) == ["PreSubmitted", "Submitted"]
    desk.run(1)
    assert desk.status(1, 2) == ["Filled", "Cancelled"]


def test_conditions_wait_for_regular_hours_unless_told_otherwise() -> None:
    desk = Scripted(start_ns=moment("20260302 08:00:00 US/Eastern"))
    met = (Condition(1, True, instrument=desk.aapl, price=D("99.00")),)
    desk.place(1, conditions=met, outsideRth=True)
    desk.place(2, conditions=met, outsideRth=True, conditionsIgnoreRth=True)
    assert desk.status(1, 2) == ["PreSubmitted", "Filled"]
    desk.clock.advance(moment("20260302 09:30:01 US/Eastern"))
    desk.print(10_000)
    assert desk.status(1) == ["Filled"]


# ---------------------------------------------------------------------------------------------- sizes, accounts


def test_a_cash_quantity_becomes_a_size() -> None:
    desk = Scripted()
    assert [e[1] for e in fills(desk.place(1, size="0", cashQty="2500.25"))] == [25]
    order = desk.order(1)
    assert (order.filled, order.request.totalQuantity) == (D(25), D(25))
    desk.place(2, size="0", cashQty=500, limit="90")
    assert story(desk.place(2, size="0", cashQty=600, limit="90")) == ["10241"]
    assert story(desk.place(3, size="0", cashQty="0.0001")) == ["Inactive", "388"]


def test_what_takes_no_fractions_and_no_cash() -> None:
    desk = Scripted()
    future = desk.universe.find(ContractQuery(localSymbol="ESH6", secType="FUT"))[0]
    assert story(desk.place(1, size="0.5", instrument=future)) == ["10245"]
    assert story(desk.place(1, size="0", cashQty=100, instrument=future)) == ["10244"]
    direct = desk.universe.find(ContractQuery(symbol="AAPL", secType="STK", exchange="NASDAQ"))[0]
    assert story(desk.place(1, size="0.5", instrument=direct)) == ["10247"]
    assert story(desk.place(1, size="0.5", orderType="TRAIL", auxPrice=1)) == ["10249"]
    desk.place(1, size="0.5", limit="90")
    assert story(desk.place(1, size="0.5", limit="91")) == ["10242"]


def test_with_several_accounts_each_order_names_one() -> None:
    desk = Scripted(accounts=("DU0000001", "DU0000002"))
    assert story(desk.place(1)) == ["435"]
    desk.place(1, account="DU0000002")
    assert [book.position(desk.aapl.conId) for book in desk.accounts.values()] == [0, 100]
    assert desk.accounts["DU0000001"].cash() == 10**9


def test_what_if_that_no_funds_cover_is_refused() -> None:
    desk = Scripted(cash=1000)
    assert story(desk.place(1, size="10000", whatIf=True)) == ["201"]
    assert desk.engine.next_valid_id(1) == 1


# ---------------------------------------------------------------------------------------------- manners


def test_manners() -> None:
    rest = {"limit": "99"}
    assert story(Scripted(manners=Manners(duplicates=100)).place(1, **rest)) == ["PreSubmitted"] * 2 + ["Submitted"] * 2
    pending = Scripted(manners=Manners(api_pending=True, pending_submit=True))
    assert story(pending.place(1, **rest)) == ["ApiPending", "PendingSubmit", "PreSubmitted", "Submitted"]
    first = Scripted(manners=Manners(max_pieces=1, status_first=100)).place(1)
    assert story(first) == ["PreSubmitted", "Filled", "fill", "commission"]
    again = Scripted(manners=Manners(max_pieces=1, repeat_with_commission=True)).place(1)
    assert story(again) == ["PreSubmitted", "fill", "Filled", "Filled", "commission"]
    desk = Scripted(manners=Manners(pending_cancel=False, cancel_text_first=True))
    desk.place(1, **rest)
    assert story(desk.cancel(1)) == ["202", "Cancelled"]


def test_a_late_perm_id() -> None:
    desk = Scripted(manners=Manners(perm_id_late_ns=(NS_PER_S, NS_PER_S)))
    desk.place(1, limit="99")
    assert desk.order(1).permId == 0 and [o.orderId for o in desk.engine.open_orders()] == [1]
    assert story(desk.run(1)) == ["Submitted"] and desk.order(1).permId == desk.order(1).number > 0


def test_pending_cancel_twice_is_161() -> None:
    desk = Scripted(latency=replace(NO_LATENCY, cancel_ns=(10**6, 10**6)))
    desk.place(1, limit="99")
    assert story(desk.cancel(1)) == ["PendingCancel"]
    assert story(desk.cancel(1)) == ["161"]


def test_a_modify_before_the_order_reached_its_market_and_one_that_no_funds_cover() -> None:
    desk = Scripted(latency=replace(NO_LATENCY, route_ns=(10**6, 10**6)), cash=10_000)
    assert story(desk.place(1, limit="99")) == ["PreSubmitted"]
    assert story(desk.place(1, limit="98")) == ["PreSubmitted", "Submitted"]
    assert story(desk.run(1)) == []
    assert story(desk.place(1, limit="98", size="100000")) == ["201"]
    assert desk.order(1).remaining == 100


def test_a_market_that_never_closes_leaves_no_timer_behind() -> None:
    desk = Scripted()
    desk.place(1, instrument=desk.instrument("BTC", "CRYPTO"), limit="1.00", size="1")
    assert desk.status(1) == ["Submitted"] and desk.clock.next_due_ns() is None
