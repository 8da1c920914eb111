"""The story that ibwire was begun for: an order placed while the market is closed is LIVE, and is filled at the open.

The example on a socket, a minute in two seconds; and the minute itself, in virtual time.
"""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import Any

import pytest

from ibwire.client.order_handle import OrderHandle, Turn
from ibwire.sim.clock import DEFAULT_START_NS
from ibwire.sim.gateway import Gateway
from ibwire.spec.orderstates import State
from ibwire.types import outgoing
from ibwire.types.constructors import market
from tests.unit.client.world import APPLE, World, turns

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "market_closed.py"
MINUTE_NS = 60_000_000_000
APPLE_ID = 265598


@pytest.fixture(scope="module")
def example() -> dict[str, Any]:
    return runpy.run_path(str(EXAMPLE))


def told(order: OrderHandle) -> list[str]:
    return [event.state for event in order.events if event.kind in ("local", "status")]


def test_it_waits_for_the_open(example: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> None:
    order, position, theirs = example["story"]()
    shown = capsys.readouterr().out.splitlines()[0]
    assert shown == "PreSubmitted, 0 filled: LIVE at the broker, waiting for the market: not a failure"
    assert (order.state, position, theirs) == (State.FILLED, 100, 100)
    assert told(order)[:3] == ["journaled", "sent", "PreSubmitted"]
    assert "cancel sent" not in told(order)
    first, *fills, end = turns(order)
    assert (first, set(fills), end) == (Turn.FIRST_LIVE, {Turn.FILL}, Turn.END)
    assert order.critical[0].event.wire_status == "PreSubmitted"


def test_a_governor_makes_an_emergency_cancel(example: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> None:
    order, position, theirs = example["story"](example["no_market_orders_at_the_open"])
    assert (order.state, position, theirs) == (State.CANCELLED, 0, 0)
    assert told(order)[:4] == ["journaled", "sent", "PreSubmitted", "cancel sent"]
    assert turns(order) == [Turn.FIRST_LIVE, Turn.END]
    assert order.filled == 0
    assert "refused: no new orders: killed" in capsys.readouterr().out


def test_the_minute_itself() -> None:
    world = World(gateway=Gateway(7, start_ns=DEFAULT_START_NS - MINUTE_NS))
    order = world.orders.place(APPLE, market("BUY", 100))
    world.run(0.1)
    seen = (order.state, order.wire_status, order.risk.label, order.meaning)
    assert seen == (
        State.WORKING, "PreSubmitted", "live", "LIVE at the broker, waiting for the market: not a failure",
    )  # fmt: skip
    events = list(order.events)
    world.run(59)
    assert seen == (order.state, order.wire_status, order.risk.label, order.meaning)
    assert list(order.events) == events
    assert [type(message) for message in world.link.sent] == [outgoing.PlaceOrder], "nothing is asked or cancelled"
    assert order.wait("live", 0) is order
    world.run(3)
    assert order.is_filled and order.filled == 100
    book = world.gateway.account("")
    assert book is not None and book.position(APPLE_ID) == 100
    assert [type(message) for message in world.link.sent] == [outgoing.PlaceOrder]
