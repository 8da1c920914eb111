"""Short ways to write contracts and orders."""

from __future__ import annotations

import math
from decimal import Decimal
from typing import Any

import pytest

from ibwire.errors import ConfigError
from ibwire.types.constructors import forex, future, limit, market, option, stock
from ibwire.types.structs import Contract, Order


def test_contracts() -> None:
    assert stock("AAPL") == Contract(symbol="AAPL", secType="STK", exchange="SMART", currency="USD")
    assert stock("SAP", "IBIS", "EUR", primaryExchange="IBIS").primaryExchange == "IBIS"
    euro = Contract(symbol="EUR", secType="CASH", exchange="IDEALPRO", currency="USD")
    assert forex("EUR.USD") == forex("eurusd") == forex("EUR/USD") == euro
    es = future("ES", "202612", "CME")
    assert (es.secType, es.lastTradeDateOrContractMonth, es.exchange) == ("FUT", "202612", "CME")
    call = option("AAPL", "20261218", 200, "call")
    assert (call.secType, call.strike, call.right) == ("OPT", 200.0, "C")


def test_orders() -> None:
    wanted = Order(action="BUY", totalQuantity=Decimal("0.1"), orderType="LMT", lmtPrice=187.43, tif="GTC")
    assert limit("BUY", 0.1, 187.43, "GTC") == wanted
    assert market("SELL", "3", outsideRth=True) == Order(
        action="SELL", totalQuantity=Decimal(3), orderType="MKT", tif="DAY", outsideRth=True
    )


@pytest.mark.parametrize("quantity", [0, -1, "x", math.nan, math.inf])
def test_a_quantity_is_above_zero(quantity: Any) -> None:
    with pytest.raises(ConfigError, match="quantity"):
        market("BUY", quantity)


@pytest.mark.parametrize("price", [math.nan, math.inf, None, "1.0"])
def test_a_limit_is_a_finite_number(price: Any) -> None:
    with pytest.raises(ConfigError, match="limit price"):
        limit("BUY", 1, price)


def test_a_limit_may_be_below_zero() -> None:
    assert limit("BUY", 1, -0.5).lmtPrice == -0.5


@pytest.mark.parametrize("action", ["buy", "", "SSHORT", "LONG"])
def test_there_are_two_actions(action: str) -> None:
    with pytest.raises(ConfigError, match="BUY or SELL"):
        market(action, 1)


@pytest.mark.parametrize(
    "make",
    [
        lambda: stock(""),
        lambda: forex("EURUS"),
        lambda: forex("EUR.US1"),
        lambda: future("ES", "DEC26", "CME"),
        lambda: option("AAPL", "2026-12-18", 200, "C"),
        lambda: option("AAPL", "20261218", 200, "X"),
    ],
)
def test_what_cannot_be_meant_is_refused(make: Any) -> None:
    with pytest.raises(ConfigError):
        make()
