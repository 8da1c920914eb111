"""The compiled order table of a session: told what is sent, stepped by the receiving thread, equal to the plain one."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

import ibwire
from ibwire.client.told import TwinTable, differences
from ibwire.errors import IbwireError, SessionLost
from ibwire.spec.orderstates import State
from ibwire.types.constructors import limit, stock


def connect(mode: str) -> ibwire.Client:
    return ibwire.connect("sim", mode=mode, check_orders=True)


def rows_of(client: ibwire.Client) -> Any:
    tables = client.tables
    assert tables is not None
    return tables.orders


def settled(client: ibwire.Client, condition: Callable[[], bool]) -> None:
    """Take in what comes until the condition holds."""
    core: Any = client._core
    assert core.wait_until(condition, 10)


@pytest.mark.parametrize("mode", ["threaded", "inline"])
def test_the_live_rows_say_what_the_handles_say(mode: str) -> None:
    with connect(mode) as client:
        apple, core = client.qualify(stock("AAPL")), client._core
        rows = rows_of(client)
        assert isinstance(core.table, TwinTable)
        quote = next(q for q in client.quotes(apple) if q.is_two_sided)
        filled = client.orders.place(apple, limit("BUY", 100, quote.ask + 5)).wait("done")
        resting = client.orders.place(apple, limit("BUY", 7, 1.0)).wait("live")
        row = rows.read(client.settings.client_id, resting.order_id)
        assert row is not None and State(row.state) is State.WORKING and row.is_live
        resting.cancel()
        resting.wait("done")
        settled(client, lambda: all(fill.fee is not None for fill in filled.executions))
        row = rows.read(client.settings.client_id, filled.order_id)
        assert row is not None and row.is_filled and row.total_filled == 100 and row.fees > 0
        assert differences(core.table, rows) == []


def test_after_the_end_of_the_session_every_open_order_is_uncertain_in_the_table_too() -> None:
    with connect("threaded") as client:
        apple, rows = client.qualify(stock("AAPL")), rows_of(client)
        resting = client.orders.place(apple, limit("BUY", 7, 1.0)).wait("live")
        assert client.simulator is not None
        client.simulator.close()
        with pytest.raises(SessionLost):
            resting.wait("done", 10)
        row = rows.read(client.settings.client_id, resting.order_id)
        assert row is not None and row.is_uncertain and not row.is_live and row.needs_query


def test_a_difference_is_found_and_named() -> None:
    with connect("threaded") as client:
        apple, core = client.qualify(stock("AAPL")), client._core
        order = client.orders.place(apple, limit("BUY", 7, 1.0)).wait("live")
        table: Any = core.table
        track: Any = table.get(order.order_id)
        with core.lock:
            table.check()
            track.exec_filled = Decimal(3)
            with pytest.raises(IbwireError, match="filled is Decimal"):
                table.check()
            track.exec_filled = Decimal(0)
