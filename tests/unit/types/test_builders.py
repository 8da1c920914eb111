"""Stops, trails, brackets, groups and conditions; what is refused before it is sent."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from typing import Any, cast

import pytest

from ibwire.errors import ConfigError
from ibwire.types import builders as b
from ibwire.types.constructors import limit, market
from ibwire.types.structs import Contract, Order, TagValue

AAPL = Contract(conId=265598, symbol="AAPL", secType="STK", exchange="SMART", currency="USD")
NAN, INF = float("nan"), float("inf")


def test_stops() -> None:
    made = b.stop("SELL", 5, 90.0)
    assert (made.orderType, made.auxPrice, made.totalQuantity) == ("STP", 90.0, Decimal(5))
    assert made.lmtPrice is None
    made = b.stop_limit("SELL", 5, 90.0, 89.5, "GTC")
    assert (made.orderType, made.auxPrice, made.lmtPrice, made.tif) == ("STP LMT", 90.0, 89.5, "GTC")
    made = b.trailing("SELL", 5, amount=1.5, start=80)
    assert (made.orderType, made.auxPrice, made.trailingPercent, made.trailStopPrice) == ("TRAIL", 1.5, None, 80.0)
    assert b.trailing("SELL", 5, percent=2).trailingPercent == 2.0


def test_adaptive_and_conditions_leave_the_order_as_it_was() -> None:
    plain = limit("BUY", 1, 10.0)
    made = b.adaptive(plain, "Patient")
    assert (made.algoStrategy, made.algoParams) == ("Adaptive", [TagValue("adaptivePriority", "Patient")])
    made = b.conditional(plain, b.price_condition(AAPL, above=100), b.time_condition("20261218-14:30:00"), any_of=True)
    first, second = made.conditions
    assert (first.condType, first.isMore, first.price, first.conId, first.exchange) == (1, True, 100.0, 265598, "SMART")
    assert (second.condType, second.time, second.isConjunctionConnection) == (3, "20261218-14:30:00", False)
    assert plain == limit("BUY", 1, 10.0)


def test_a_group() -> None:
    made = b.oca([limit("SELL", 1, 10.0), b.stop("SELL", 1, 8.0)], "g1", 2)
    assert [(one.ocaGroup, one.ocaType) for one in made] == [("g1", 2)] * 2


@pytest.mark.parametrize(("action", "entry", "profit", "loss"), [("BUY", 100, 110, 90), ("SELL", 100, 90, 110)])
def test_a_bracket_is_released_by_its_last(action: str, entry: float, profit: float, loss: float) -> None:
    made = b.bracket(action, 3, entry, profit, loss)
    assert [one.transmit for one in made.orders] == [False, False, True]
    assert [one.orderType for one in made.orders] == ["LMT", "LMT", "STP"]
    assert {one.action for one in made.orders[1:]} == {"SELL" if action == "BUY" else "BUY"}
    assert b.bracket(action, 3, None, profit, loss).parent.orderType == "MKT"


BAD: list[Callable[[], Any]] = [
    lambda: b.stop("SELL", 5, NAN),
    lambda: b.stop("HOLD", 5, 1.0),
    lambda: b.stop_limit("SELL", 5, 90.0, INF),
    lambda: b.trailing("SELL", 5),
    lambda: b.trailing("SELL", 5, amount=1, percent=1),
    lambda: b.trailing("SELL", 5, amount=0),
    lambda: b.trailing("SELL", 5, percent=100),
    lambda: b.adaptive(limit("BUY", 1, 1.0), "urgent"),
    lambda: b.adaptive(b.stop("BUY", 1, 1.0)),
    lambda: b.conditional(limit("BUY", 1, 1.0)),
    lambda: b.price_condition(AAPL),
    lambda: b.price_condition(Contract(symbol="X"), above=1),
    lambda: b.time_condition("tomorrow"),
    lambda: b.oca([limit("BUY", 1, 1.0)], "g"),
    lambda: b.oca([limit("BUY", 1, 1.0)] * 2, " "),
    lambda: b.oca([limit("BUY", 1, 1.0)] * 2, "g", 4),
    lambda: b.bracket("BUY", 1, 100, 90, 110),
    lambda: b.bracket("BUY", 1, 120, 110, 90),
    lambda: b.bracket("SELL", 1, None, 110, 90),
    lambda: b.bracket("BUY", 1, 100, NAN, 90),
    lambda: b.bracket("BUY", 0, 100, 110, 90),
]


@pytest.mark.parametrize("make", BAD)
def test_what_makes_no_sense_is_refused(make: Callable[[], Any]) -> None:
    with pytest.raises(ConfigError):
        make()


GOOD = limit("BUY", 10, 100.0)


@pytest.mark.parametrize(
    ("order", "sec_type", "says"),
    [
        (replace(GOOD, lmtPrice=NAN), "STK", "lmtPrice is nan"),
        (replace(GOOD, lmtPrice=-1.0), "STK", "below 0"),
        (replace(GOOD, lmtPrice=None), "STK", "without lmtPrice"),
        (replace(GOOD, totalQuantity=None), "STK", "without a quantity"),
        (replace(GOOD, totalQuantity=Decimal(0)), "STK", "without a quantity"),
        (replace(GOOD, totalQuantity=Decimal(-1)), "STK", "quantity of -1"),
        (replace(GOOD, totalQuantity=Decimal("NaN")), "STK", "quantity of NaN"),
        (replace(GOOD, totalQuantity=Decimal("1.5")), "FUT", "whole"),
        (replace(GOOD, cashQty=5.0), "STK", "cashQty"),
        (replace(GOOD, orderType="TRAIL"), "STK", "distance"),
        (replace(GOOD, whatIf=cast(Any, 1)), "STK", "whatIf"),
        (replace(GOOD, cashQty=NAN), "STK", "cashQty"),
        (Order(action="BUY", totalQuantity=Decimal(1)), "STK", "orderType"),
        (replace(market("BUY", 1), orderType="STP"), "STK", "without auxPrice"),
        (replace(market("BUY", 1), orderType="TRAIL", trailingPercent=INF), "STK", "trailingPercent"),
    ],
)
def test_bad_values_are_found_before_sending(order: Order, sec_type: str, says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        b.check_order(replace(AAPL, secType=sec_type), order)


def test_what_may_be_is_let_through() -> None:
    b.check_order(replace(AAPL, secType="BAG"), replace(GOOD, lmtPrice=-1.0))
    b.check_order(AAPL, replace(GOOD, totalQuantity=Decimal("0.5")))
    b.check_order(AAPL, replace(market("BUY", 1), totalQuantity=None, cashQty=500.0))
