"""Positions by contract."""

from __future__ import annotations

from decimal import Decimal

import pytest

from ibwire.client.account import Position, Positions
from ibwire.types.structs import Contract

AAPL, MSFT = Contract(conId=1, symbol="AAPL"), Contract(conId=2, symbol="MSFT")


def book() -> Positions:
    return Positions(
        [
            Position("DU0000001", AAPL, Decimal(100), 10.0),
            Position("DU0000002", AAPL, Decimal(300), 12.0),
            Position("DU0000001", MSFT, Decimal("-0.5"), 20.0),
        ]
    )


def test_one_account() -> None:
    found = book()[Contract(conId=2, exchange="SMART")]
    assert (found.account, found.size, found.avg_cost) == ("DU0000001", Decimal("-0.5"), 20.0)


def test_several_accounts_are_added_up() -> None:
    found = book()[AAPL]
    assert (found.account, found.size, found.avg_cost) == ("", Decimal(400), 11.5)
    assert [row.account for row in book().rows() if row.contract is AAPL] == ["DU0000001", "DU0000002"]


def test_nothing_held_is_zero_and_not_an_error() -> None:
    other = Contract(conId=3, symbol="IBM")
    assert book()[other].size == 0
    assert other not in book()
    assert (AAPL in book(), len(book()), len(Positions([]))) == (True, 3, 0)


def test_a_description_is_no_contract() -> None:
    with pytest.raises(KeyError, match="qualify"):
        book()[Contract(symbol="AAPL")]


def test_opposite_positions_cancel_out() -> None:
    rows = [Position("DU0000001", AAPL, Decimal(5), 10.0), Position("DU0000002", AAPL, Decimal(-5), 12.0)]
    found = Positions(rows)[AAPL]
    assert (found.size, found.avg_cost) == (Decimal(0), 0.0)


def test_it_shows_what_it_holds() -> None:
    assert repr(Positions([])) == "<Positions none>"
    assert "MSFT -0.5" in repr(book())
