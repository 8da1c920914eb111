from __future__ import annotations

from decimal import Decimal

import pytest

from ibwire.spec.orderstates import Risk, State
from ibwire.trade.orders import OrderTable
from ibwire.trade.view import OrderView, money, plain
from tests.unit.trade.messages import CLIENT, commission, execution, order, order_status, stock


@pytest.mark.parametrize(
    ("number", "text"), [("100.00", "100"), ("1E+3", "1000"), ("0.10", "0.1"), ("100", "100"), ("1E-7", "0.0000001")]
)
def test_plain(number: str, text: str) -> None:
    assert plain(Decimal(number)) == text


def test_money() -> None:
    assert money({"USD": Decimal("1"), "EUR": Decimal("0.125")}) == "0.125 EUR + 1.00 USD"
    assert money({}) == ""


@pytest.mark.parametrize("state", list(State))
def test_the_flags_agree_with_the_risk(state: State) -> None:
    view = OrderView(1, CLIENT, 0, state=state)
    assert view.is_live == (view.risk is Risk.LIVE)
    assert view.is_done == (view.risk is Risk.ENDED)
    assert view.is_uncertain == (view.risk is Risk.UNKNOWN)
    assert view.may_fill == (view.risk not in (Risk.NOT_SENT, Risk.ENDED))
    assert not (view.is_filled and not view.is_done)


def test_summary_says_when_fees_are_missing() -> None:
    table = OrderTable(CLIENT)
    view = table.on_place(7, stock(), order(), 0)
    assert view.summary() == "0"
    table.on_execution(execution(7, "a.01", 60, 187.43), 1)
    table.on_execution(execution(7, "b.01", 40, 187.42), 2)
    assert view.summary() == "100 @ 187.426"
    table.on_commission(commission("a.01", 0.6), 3)
    assert view.summary() == "100 @ 187.426, commission 0.60 USD so far"
    table.on_commission(commission("b.01", 0.4), 4)
    assert view.summary() == "100 @ 187.426, commission 1.00 USD"


def test_total_unknown_means_remaining_only_as_reported() -> None:
    table = OrderTable(CLIENT)
    view = table.on_order_status(order_status(9, "Submitted", 10, 5), 0)
    assert (view.total_quantity, view.remaining) == (None, Decimal(5))
    table.on_execution(execution(9, "a.01", 12, 1.0), 1)
    assert view.remaining is None
