"""Every builder's order through the client, old and new servers: the gateway gets what was meant, and does it."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import fields
from decimal import Decimal
from typing import Any

import pytest

from ibwire.client.order_handle import OrderHandle
from ibwire.spec.orderstates import State
from ibwire.types import builders as b
from ibwire.types import outgoing
from ibwire.types.constructors import limit, market, stock
from ibwire.types.structs import Order

from .world import World

VERSIONS = (157, 176, 203, 213, 225)
APPLE = stock("AAPL", conId=265598)
OURS = {"orderId", "clientId", "permId", "parentPermId"}
FIELDS = [field.name for field in fields(Order)]


def got(world: World) -> list[outgoing.PlaceOrder]:
    return [message for message in world.link.sent if isinstance(message, outgoing.PlaceOrder)]


def check_got(message: outgoing.PlaceOrder, meant: Order) -> None:
    """Each field of the order that arrived is the one that was meant."""
    found = {n: (getattr(message.order, n), getattr(meant, n)) for n in FIELDS if n not in OURS}
    assert {n: pair for n, pair in found.items() if pair[0] != pair[1]} == {}
    assert (message.contract.conId, message.contract.symbol, message.contract.exchange) == (265598, "AAPL", "SMART")


def is_filled(world: World, order: OrderHandle) -> None:
    world.run(20)
    assert order.is_filled and order.filled == order.order.totalQuantity
    sign = 1 if order.order.action == "BUY" else -1
    assert world.gateway.trading_account.position(265598) == sign * order.filled


def waits(why: str = "", status: str = "") -> Callable[[World, OrderHandle], None]:
    def check(world: World, order: OrderHandle) -> None:
        world.run(20)
        assert order.is_live and order.filled == 0 and order.why_held == why
        assert order.wire_status == (status or ("PreSubmitted" if why else "Submitted"))
        order.cancel()
        world.run(2)
        assert order.state is State.CANCELLED and not world.gateway.engine.open_orders()

    return check


def over(price: float) -> Any:
    return b.price_condition(APPLE, above=price)


# What is placed, and what becomes of it. AAPL stands near 187.
SINGLE: dict[str, tuple[Order, Callable[[World, OrderHandle], None]]] = {
    "market": (market("BUY", 7), is_filled),
    "market, all it can say": (market("SELL", 7, "GTC", orderRef="a note", account="DU0000001"), is_filled),
    "limit that fills": (limit("BUY", 7, 500.25), is_filled),
    "limit that waits": (limit("SELL", 7, 500.25, "GTC", outsideRth=True, orderRef="b"), waits()),
    "stop that waits": (b.stop("SELL", 7, 20.5), waits("trigger")),
    "stop that is reached": (b.stop("BUY", 7, 20.5), is_filled),
    "stop limit that waits": (b.stop_limit("SELL", 7, 20.5, 20.25), waits("trigger")),
    "stop limit that is reached": (b.stop_limit("BUY", 7, 20.5, 500.25), is_filled),
    "trail by amount": (b.trailing("SELL", 7, amount=20.5, start=100.25), waits("trigger")),
    "trail by percent": (b.trailing("BUY", 7, percent=12.5), waits("trigger")),
    "adaptive market": (b.adaptive(market("BUY", 70), "Urgent"), is_filled),
    "adaptive limit": (b.adaptive(limit("SELL", 7, 500.25), "Patient"), waits()),
    "condition that holds": (b.conditional(market("BUY", 7), over(1.5)), is_filled),
    "condition that does not": (
        b.conditional(limit("BUY", 7, 20.5), over(9_000.0), outside_rth=True),
        waits("", "PreSubmitted"),
    ),
    "one of two conditions": (
        b.conditional(market("BUY", 7), over(9_000.0), b.time_condition("20200102-10:00:00"), any_of=True),
        is_filled,
    ),
    "two conditions, one not": (
        b.conditional(limit("BUY", 7, 20.5), over(1.5), b.time_condition("20990102-10:00:00"), cancel=True),
        waits(),
    ),
}


@pytest.mark.parametrize("server_version", VERSIONS)
@pytest.mark.parametrize("name", SINGLE)
def test_one_order(name: str, server_version: int) -> None:
    meant, check = SINGLE[name]
    world = World(server_version=server_version)
    handle = world.orders.place(APPLE, copy.copy(meant))
    (message,) = got(world)
    assert message.orderId == handle.order_id
    check_got(message, meant)
    check(world, handle)


@pytest.mark.parametrize("server_version", VERSIONS)
@pytest.mark.parametrize(("action", "entry"), [("BUY", None), ("SELL", 20.5)])
def test_a_bracket(action: str, entry: float | None, server_version: int) -> None:
    world = World(server_version=server_version)
    profit, loss = (900.5, 10.25) if action == "BUY" else (10.25, 900.5)
    meant = b.bracket(action, 7, entry, profit, loss, orderRef="c")
    handle = world.orders.place_bracket(APPLE, b.bracket(action, 7, entry, profit, loss, orderRef="c"))
    parent, *children = got(world)
    check_got(parent, meant.parent)
    for message, child in zip(children, (meant.take_profit, meant.stop_loss), strict=True):
        child.parentId = parent.orderId
        check_got(message, child)
    world.run(20)
    assert handle.parent.is_filled and handle.take_profit.is_live and handle.stop_loss.is_live
    account = world.gateway.trading_account
    assert account.position(265598) == (7 if action == "BUY" else -7)
    world.force.fill(1, handle.take_profit.order_id, price=Decimal(str(profit)))
    world.run(5)
    assert handle.take_profit.is_filled and handle.stop_loss.state is State.CANCELLED and account.position(265598) == 0


@pytest.mark.parametrize("server_version", VERSIONS)
@pytest.mark.parametrize("kind", [1, 2, 3])
def test_a_group_of_which_one_fills(kind: int, server_version: int) -> None:
    world = World(server_version=server_version)
    meant = b.oca([limit("BUY", 7, 20.5), limit("BUY", 7, 10.25)], "g1", kind)
    handle = world.orders.place_oca(APPLE, b.oca([limit("BUY", 7, 20.5), limit("BUY", 7, 10.25)], "g1", kind))
    for message, order in zip(got(world), meant, strict=True):
        check_got(message, order)
    world.run(5)
    first, second = handle.orders
    assert first.is_live and second.is_live
    world.force.fill(1, first.order_id)
    world.run(5)
    assert first.is_filled and second.state is State.CANCELLED and not world.gateway.engine.open_orders()
    assert world.gateway.trading_account.position(265598) == 7
