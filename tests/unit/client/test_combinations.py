"""Combination and adaptive orders through the client: what it makes of them equals what the gateway has."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

import ibwire
from ibwire.client.modifying import ModifyOutcome
from ibwire.client.order_handle import OrderHandle
from ibwire.sim.combos import combination, leg_prices, net_price
from ibwire.sim.gateway import Gateway
from ibwire.sim.working import Manners
from ibwire.spec.orderstates import State
from ibwire.types import incoming, outgoing
from ibwire.types.builders import adaptive, stop
from ibwire.types.constructors import limit, market, stock
from ibwire.types.structs import ComboLeg, Contract, Order, TagValue

from .world import APPLE, World

AAPL, MSFT = 265598, 272093
VERSIONS = (157, 176, 203, 213, 225)


def pair(second: str = "SELL", ratio: int = 1) -> Contract:
    """One AAPL against some MSFT."""
    legs = [ComboLeg(AAPL, 1, "BUY", "SMART"), ComboLeg(MSFT, ratio, second, "SMART")]
    return Contract(symbol="AAPL", secType="BAG", exchange="SMART", currency="USD", comboLegs=legs)


def place(world: World, order: Order, contract: Contract | None = None) -> OrderHandle:
    return world.orders.place(contract or pair(), order)


def positions(world: World) -> tuple[int, int]:
    account = world.gateway.trading_account
    return int(account.position(AAPL)), int(account.position(MSFT))


def check_book(world: World, handle: OrderHandle) -> None:
    """The order as the client has it is the order as the gateway has it."""
    theirs = world.gateway.engine.order(1, handle.order_id)
    assert theirs is not None
    assert (handle.filled, handle.remaining, handle.wire_status) == (theirs.filled, theirs.remaining, theirs.status)
    assert handle.perm_id == theirs.permId
    if theirs.filled:
        assert handle.avg_fill_price == pytest.approx(float(theirs.avgFillPrice))
    fees = handle.commission.get("USD")
    assert (fees or 0) == (theirs.commission or 0)
    executed = {fill.execId for fill in world.gateway.engine.executions() if fill.order.orderId == handle.order_id}
    assert {fill.exec_id for fill in handle.executions} == executed


@pytest.mark.parametrize("server_version", VERSIONS)
@pytest.mark.parametrize(("action", "second", "ratio"), [("BUY", "SELL", 1), ("SELL", "SELL", 2), ("BUY", "BUY", 3)])
def test_a_combination_fills_once_and_its_legs_are_the_positions(
    action: str, second: str, ratio: int, server_version: int
) -> None:
    world = World(server_version=server_version)
    handle = place(world, market(action, 12), pair(second, ratio))
    world.run(5)
    assert handle.is_filled and handle.filled == 12
    check_book(world, handle)
    side = 1 if action == "BUY" else -1
    assert positions(world) == (12 * side, 12 * side * ratio * (-1 if second == "SELL" else 1))
    whole = [fill for fill in handle.executions if fill.sec_type == "BAG"]
    legs = [fill for fill in handle.executions if fill.sec_type == "STK"]
    assert sum(fill.shares for fill in whole) == 12
    assert sum(fill.shares for fill in legs) == 12 * (1 + ratio)
    paid = sum(fill.price * fill.shares * (1 if fill.side == "BOT" else -1) for fill in legs)
    assert side * float(paid) / 12 == pytest.approx(handle.avg_fill_price)


@pytest.mark.parametrize("status_first", [0, 100])
def test_a_combination_waits_at_a_net_price_below_nothing_is_moved_there_and_filled_in_parts(status_first: int) -> None:
    world = World(manners=Manners(status_first=status_first, duplicates=status_first))
    handle = place(world, limit("BUY", 10, -900.0))
    world.run(1)
    assert handle.is_live and handle.wire_status == "Submitted" and positions(world) == (0, 0)
    check_book(world, handle)
    world.force.fill(1, handle.order_id, Decimal(4), Decimal("-900.01"))
    world.run(1)
    assert handle.state is State.PARTIALLY_FILLED and handle.filled == 4 and positions(world) == (4, -4)
    assert handle.avg_fill_price == pytest.approx(-900.01)
    check_book(world, handle)
    changed = handle.modify(lmtPrice=-800.0, totalQuantity=Decimal(12))
    world.run(1)
    assert changed.outcome is ModifyOutcome.ACCEPTED and handle.is_live and handle.remaining == 8
    assert world.gateway.engine.open_orders(1)[0].request.lmtPrice == Decimal("-800")
    handle.modify(lmtPrice=50_000.0)
    world.run(5)
    assert handle.is_filled and handle.filled == 12 and positions(world) == (12, -12)
    check_book(world, handle)


def test_a_combination_is_cancelled_and_fills_late() -> None:
    world = World()
    handle = place(world, limit("BUY", 10, -900.0))
    world.run(1)
    handle.cancel()
    world.run(1)
    assert handle.state is State.CANCELLED and positions(world) == (0, 0)
    world.force.fill(1, handle.order_id, Decimal(3))
    world.run(1)
    assert handle.filled == 3 and positions(world) == (3, -3)
    assert [fill.shares for fill in handle.executions if fill.sec_type == "BAG"] == [3]
    check_book(world, handle)


@pytest.mark.parametrize("seed", range(4))
def test_a_waiting_combination_fills_by_itself_never_beyond_its_limit(seed: int) -> None:
    world = World(gateway=Gateway(seed, ticks_per_s=20))
    item, problem = combination(pair(), world.gateway.resolve)
    assert item is not None and not problem
    bought = net_price(item, leg_prices(world.gateway.market, item, True))
    sold = net_price(item, leg_prices(world.gateway.market, item, False))
    assert sold < bought
    handles = [
        *(place(world, limit("BUY", 50, float(bought) - 0.03 * n)) for n in range(3)),
        *(place(world, limit("SELL", 50, float(sold) + 0.03 * n)) for n in range(3)),
        place(world, limit("BUY", 500, float(bought), tif="IOC")),
        place(world, limit("BUY", 9_999, float(bought), tif="FOK")),
    ]
    world.run(60)
    assert any(handle.filled for handle in handles)
    for handle in handles:
        check_book(world, handle)
        sign = 1 if handle.order.action == "BUY" else -1
        whole = [fill for fill in handle.executions if fill.sec_type == "BAG"]
        assert sum(fill.shares for fill in whole) == handle.filled <= handle.order.totalQuantity
        assert all(sign * float(fill.price) <= sign * handle.order.lmtPrice + 1e-9 for fill in whole)
    assert handles[-1].filled == 0 and handles[-1].is_done and handles[-2].is_done
    net = sum(handle.filled * (1 if handle.order.action == "BUY" else -1) for handle in handles)
    assert positions(world) == (net, -net)


def test_a_combination_that_filled_while_nobody_was_there_is_counted_once() -> None:
    world = World()
    handle = place(world, limit("BUY", 10, -900.0))
    world.run(1)
    again = World.reconnect(world)
    again.force.fill(1, handle.order_id, Decimal(4))
    again.run(1)
    once_more = again.reconnect()
    found = once_more.orders.get(handle.order_id)
    assert found is not None and found.is_live and (found.filled, found.remaining) == (Decimal(4), Decimal(6))
    check_book(once_more, found)
    once_more.force.fill(1, handle.order_id)
    once_more.run(1)
    assert found.is_filled and found.filled == 10
    check_book(once_more, found)


def test_what_a_combination_would_cost_is_asked_without_an_order() -> None:
    world = World()
    said: list[Any] = []

    def listen(session: object, event: object, messages: list[Any]) -> list[tuple[int, Any]]:
        said.extend(messages)
        return [(0, message) for message in messages]

    world.gateway.order_filter = listen
    handle = place(world, limit("BUY", 10, 1.0, whatIf=True))
    world.run(1)
    answer = said[0]
    items = [world.gateway.resolve(Contract(conId=conId)) for conId in (AAPL, MSFT)]
    marks = [world.gateway.market.mark_price(item) for item in items if item is not None]
    assert [type(message) for message in said] == [incoming.OpenOrder]
    assert answer.contract.comboLegs == pair().comboLegs and answer.orderState.commissionAndFees == 2.0
    assert float(answer.orderState.initMarginChange) == pytest.approx(float(sum(marks)) * 10 * 0.25, rel=1e-3)
    assert handle.what_if and positions(world) == (0, 0) and not world.gateway.engine.open_orders()


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"comboLegs": []}, 321),
        ({"comboLegs": [ComboLeg(AAPL, 1, "BUY", "SMART"), ComboLeg(4, 1, "SELL", "SMART")]}, 200),
        ({"comboLegs": [ComboLeg(AAPL, 1, "BUY", "SMART"), ComboLeg(AAPL, 1, "SELL", "SMART")]}, 321),
        ({"comboLegs": [ComboLeg(AAPL, 0, "BUY", "SMART"), ComboLeg(MSFT, 1, "SELL", "SMART")]}, 321),
    ],
)
def test_a_combination_that_is_none_is_refused(change: dict[str, Any], code: int) -> None:
    world = World()
    contract = pair()
    for name, value in change.items():
        setattr(contract, name, value)
    handle = place(world, market("BUY", 1), contract)
    world.run(1)
    assert handle.state is State.REJECTED and handle.refusal is not None and handle.refusal[0] == code


def test_a_stop_for_a_combination_is_refused() -> None:
    world = World()
    handle = place(world, stop("BUY", 1, 5.0))
    world.run(1)
    assert handle.state is State.REJECTED and handle.refusal is not None and handle.refusal[0] == 387


@pytest.mark.parametrize("server_version", VERSIONS)
@pytest.mark.parametrize("priority", ["Urgent", "Normal", "Patient"])
def test_an_adaptive_order_reaches_the_gateway_and_fills(priority: str, server_version: int) -> None:
    world = World(server_version=server_version)
    handle = world.orders.place(APPLE, adaptive(market("BUY", 100), priority))
    world.run(20)
    sent = next(m for m in world.link.sent if isinstance(m, outgoing.PlaceOrder))
    assert sent.order.algoStrategy == "Adaptive" and sent.order.algoParams == [TagValue("adaptivePriority", priority)]
    assert handle.is_filled and world.gateway.trading_account.position(AAPL) == 100
    check_book(world, handle)


def test_an_adaptive_limit_is_modified_and_cancelled_and_a_patient_one_comes_in_more_pieces() -> None:
    world = World()
    handle = world.orders.place(APPLE, adaptive(limit("BUY", 60, 1.0), "Patient"))
    world.run(1)
    assert handle.is_live
    changed = handle.modify(lmtPrice=2.0)
    world.run(1)
    assert changed.outcome is ModifyOutcome.ACCEPTED
    assert world.gateway.engine.open_orders(1)[0].request.algoStrategy == "Adaptive"
    handle.cancel()
    world.run(1)
    assert handle.state is State.CANCELLED
    counts = {}
    for priority in ("Urgent", "Patient"):
        many = [world.orders.place(APPLE, adaptive(market("BUY", 100), priority)) for _ in range(8)]
        world.run(60)
        assert all(one.is_filled for one in many)
        for one in many:
            check_book(world, one)
        counts[priority] = sum(len(one.executions) for one in many)
    assert counts["Patient"] > counts["Urgent"]


@pytest.mark.parametrize(
    ("strategy", "params", "code"),
    [
        ("Feelings", [], 439),
        ("Vwap", [TagValue("maxPctVol", "0.1")], 442),
        ("Adaptive", [TagValue("adaptivePriority", "Calm")], 441),
        ("Adaptive", [TagValue("speed", "Urgent")], 443),
    ],
)
def test_an_algorithm_that_the_gateway_does_not_know_is_refused(
    strategy: str, params: list[TagValue], code: int
) -> None:
    world = World()
    order = market("BUY", 10)
    order.algoStrategy, order.algoParams = strategy, params
    handle = world.orders.place(APPLE, order)
    world.run(1)
    assert handle.state is State.REJECTED and handle.refusal is not None and handle.refusal[0] == code
    assert world.gateway.engine.open_orders() == ()


def test_the_algorithm_of_a_working_order_stays() -> None:
    world = World()
    handle = world.resting()
    changed = handle.modify(algoStrategy="Adaptive")
    world.run(1)
    assert handle.is_live and changed.outcome is ModifyOutcome.REFUSED and changed.code == 440
    check_book(world, handle)


def test_through_a_socket_positions_are_those_of_the_legs() -> None:
    with ibwire.connect("sim") as client:
        apple, other = (client.qualify(stock(symbol)) for symbol in ("AAPL", "MSFT"))
        legs = [ComboLeg(apple.conId, 1, "BUY", "SMART"), ComboLeg(other.conId, 2, "SELL", "SMART")]
        contract = Contract(symbol="AAPL", secType="BAG", exchange="SMART", currency="USD", comboLegs=legs)
        order = client.orders.place(contract, market("BUY", 3)).wait("done", timeout=20)
        slow = client.orders.place(apple, adaptive(market("BUY", 4), "Urgent")).wait("done", timeout=20)
        assert order.is_filled and slow.is_filled and order.filled == 3
        held = {row.contract.conId: row.size for row in client.positions().values()}
        assert held == {apple.conId: 7, other.conId: -6}
