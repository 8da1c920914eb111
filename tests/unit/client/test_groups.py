"""Brackets and one-cancels-all groups: one handle each, and what is half is told without being asked."""

from __future__ import annotations

import threading
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

import ibwire
from ibwire.client.groups import BracketHandle, FamilyHandle, GroupHandle, OcaHandle
from ibwire.client.listeners import OrderChange
from ibwire.client.order_handle import OrderHandle, Turn
from ibwire.errors import ConfigError, RiskRejected, WaitTimeout
from ibwire.io.journal_rebuild import replay
from ibwire.sim.checks import Refusal
from ibwire.sim.forcing import DROP
from ibwire.sim.server import serve
from ibwire.spec.errorcodes import OWN_NOTICE
from ibwire.spec.orderstates import State
from ibwire.trade.orders import OrderTable
from ibwire.trade.risk import ALLOW, Reject
from ibwire.types.builders import bracket, oca, stop
from ibwire.types.constructors import limit, stock
from ibwire.types.structs import Order

from .world import APPLE, World, turns

PRICE = Decimal("1.00")
STOP_REFUSED = Refusal(201, "Order rejected - reason: no stops today")


class Told:
    """What a listener hears about groups."""

    def __init__(self, world: World) -> None:
        self.changes: list[OrderChange] = []
        self.world = world
        with world.core.lock:
            self.listener = world.core.listeners.add(self, 10_000, None)

    def __call__(self, change: Any) -> None:
        if change.event.kind == "group":
            self.changes.append(change)

    @property
    def texts(self) -> list[str]:
        assert self.listener.flush()
        return [change.event.meaning for change in self.changes]


def notices(world: World) -> list[str]:
    return [text for code, text in world.core.intake.notices if code == OWN_NOTICE and "half a group" in text]


def a_bracket(world: World, size: int = 10) -> BracketHandle:
    return world.orders.place_bracket(APPLE, bracket("BUY", size, 1.0, 900.0, 0.5))


def by_hand(world: World, *orders: Order) -> list[OrderHandle]:
    """Place a family by plain place(), as a program without brackets does."""
    entry = world.orders.place(APPLE, orders[0])
    rest = []
    for order in orders[1:]:
        order.parentId = entry.order_id
        rest.append(world.orders.place(APPLE, order))
    return [entry, *rest]


def family(world: World) -> list[OrderHandle]:
    return by_hand(
        world,
        limit("BUY", 10, 1.0, transmit=False),
        limit("SELL", 10, 900.0, transmit=False),
        stop("SELL", 10, 0.5),
    )


def fill(world: World, order: OrderHandle, size: int | None = None) -> None:
    world.force.fill(1, order.order_id, size=None if size is None else Decimal(size), price=PRICE)


# -- families ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("closing", [1, 2])
@pytest.mark.parametrize("pieces", [(10,), (3, 7)])
def test_a_group_that_lives_as_it_should_says_nothing(closing: int, pieces: tuple[int, ...]) -> None:
    world = World()
    told, group = Told(world), a_bracket(world)
    world.run(20)
    for order in (group.parent, group.orders[closing]):
        for size in pieces:
            assert group.problem == ""
            fill(world, order, size)
            world.run(5)
    assert group.is_done and not group.may_fill and group.held == 0 and group.filled == 10
    world.run(20)
    assert (told.texts, notices(world), group.problem) == ([], [], "")


def test_a_cancelled_group_says_nothing() -> None:
    world = World()
    told, group = Told(world), a_bracket(world)
    world.run(1)
    assert group.cancel() is group
    world.run(20)
    assert group.wait("done", 0).is_done
    assert (told.texts, notices(world)) == ([], [])


@pytest.mark.parametrize("plain", [False, True])
def test_a_refused_stop_is_told_at_once_and_once(plain: bool) -> None:
    world = World()
    told = Told(world)
    orders = family(world) if plain else a_bracket(world).orders
    world.run(1)
    fill(world, orders[0], 4)
    world.run(1)
    world.force.reject(1, orders[2].order_id, 201, "no margin")
    world.run(0.01)
    text = "the stop 3 was refused (201: no margin); 4 of the entry 1 are held, and it may fill on"
    assert told.texts == [text]
    assert notices(world) == [f"half a group: {text}"]
    assert told.changes[0].order is orders[2]
    assert turns(orders[2])[-2:] == [Turn.END, Turn.HALF_GROUP]
    world.run(30)
    assert told.texts == [text], "once"
    fill(world, orders[0])
    world.run(5)
    assert told.texts == [text], "that more is held changes nothing of it"
    (handle,) = world.orders.groups()
    assert isinstance(handle, FamilyHandle) and handle.problem.startswith("the stop 3 was refused")


def test_before_a_fill_and_after_it_are_two_things() -> None:
    world = World()
    told, group = Told(world), a_bracket(world)
    world.run(1)
    world.force.cancel(1, group.stop_loss.order_id)
    world.run(2)
    assert told.texts == ["the stop 3 is cancelled; the entry 1 is working and may fill"]
    fill(world, group.parent)
    world.run(5)
    assert told.texts[1:] == ["the stop 3 is cancelled; 10 of the entry 1 are held"]
    assert group.problem == told.texts[1] and group.held == 10
    fill(world, group.take_profit)
    world.run(5)
    assert told.texts[2:] == ["the group of order 1: nothing is half any more"]
    assert group.problem == ""
    critical = [(point.order, point.turn) for point in group.critical]
    assert critical[-1][1] is Turn.END and critical.count((group.stop_loss, Turn.HALF_GROUP)) == 2
    assert [change.event.ns for change in group.events] == sorted(change.event.ns for change in group.events)
    assert len(group.events) == sum(len(order.events) for order in group.orders)


def test_a_refused_last_child_leaves_nothing_that_is_not_told() -> None:
    world = World()
    told = Told(world)
    world.force.on_place(lambda request, live: STOP_REFUSED if request.orderId == 3 else None)
    group = a_bracket(world)
    world.run(1)
    assert len(told.texts) == 1 and told.texts[0].startswith("the stop 3 was refused (201: "), told.texts
    assert group.problem == told.texts[0]


def test_an_uncertain_stop_is_told_unless_a_look_up_settles_it() -> None:
    world = World()
    told = Told(world)
    world.force.on_place(lambda request, live: DROP if request.orderId == 3 else None)
    a_bracket(world)
    world.run(40)
    assert [text for text in told.texts if text.startswith("the stop 3 is uncertain")], told.texts
    assert len(set(told.texts)) == len(told.texts)


def test_an_entry_without_a_stop() -> None:
    world = World()
    told = Told(world)
    by_hand(world, limit("BUY", 10, 1.0, transmit=False), limit("SELL", 10, 900.0))
    world.run(5)
    text = "the entry has no stop: only the profit order 2 is working; the entry 1 is working and may fill"
    assert told.texts == [text]


def test_a_stop_alone_is_whole_and_so_is_a_single_order() -> None:
    world = World()
    told = Told(world)
    by_hand(world, limit("BUY", 10, 1.0, transmit=False), stop("SELL", 10, 0.5))
    world.orders.place(APPLE, limit("BUY", 10, 1.0, transmit=False))
    world.run(30)
    assert told.texts == []
    assert len(world.orders.groups()) == 1


def test_a_stop_that_was_replaced_leaves_the_group_whole() -> None:
    world = World()
    told, group = Told(world), a_bracket(world)
    world.run(1)
    group.stop_loss.cancel()
    world.run(0.2)
    world.orders.place(APPLE, stop("SELL", 10, 0.6, parentId=group.parent.order_id))
    world.run(20)
    assert told.texts == []


@pytest.mark.parametrize("by_program", [False, True])
def test_a_stop_that_covers_less_than_is_held(by_program: bool) -> None:
    world = World()
    told, group = Told(world), a_bracket(world)
    world.run(1)
    fill(world, group.parent)
    world.run(1)
    if by_program:
        group.stop_loss.modify(totalQuantity=Decimal(4))
    else:  # as where TWS cuts it down, or somebody by hand
        world.force.status(1, group.stop_loss.order_id, remaining=Decimal(4))
    world.run(10)
    assert told.texts == ([] if by_program else ["the stops cover 4; 10 of the entry 1 are held"])


def test_an_exit_that_is_left_over_is_told() -> None:
    world = World()
    told, group = Told(world), a_bracket(world)
    world.run(1)
    fill(world, group.parent)
    world.run(1)
    about_stop = {"OpenOrder", "OrderStatus", "Error"}
    world.gateway.order_filter = lambda session, event, messages: [
        (0, one)
        for one in messages
        if type(one).__name__ not in about_stop or 3 not in (getattr(one, "orderId", 0), getattr(one, "id", 0))
    ]
    fill(world, group.take_profit)
    world.run(2)
    assert told.texts == [] and group.problem == "", "its cancel may be on its way"
    world.run(5)
    assert told.texts == ["the stop 3 may still fill 10, but nothing is there to close"]
    assert group.problem == told.texts[0]


def test_a_family_that_nobody_transmits() -> None:
    world = World()
    told = Told(world)
    by_hand(world, limit("BUY", 10, 1.0, transmit=False), stop("SELL", 10, 0.5, transmit=False))
    world.run(5)
    assert told.texts == []
    world.run(10)
    assert len(told.texts) == 1 and "waits in TWS, not transmitted" in told.texts[0]


def test_a_bracket_that_broke_off_is_told() -> None:
    world = World()
    told = Told(world)
    real = world.orders.place

    def place(contract: Any, order: Order) -> OrderHandle:
        if order.orderType == "STP":
            raise RiskRejected("no stops", policy="mine")
        return real(contract, order)

    world.orders.place = place  # type: ignore[method-assign]
    with pytest.raises(RiskRejected) as caught:
        a_bracket(world)
    assert len(caught.value.__notes__) == 2
    world.run(20)
    assert told.texts[0].startswith("of a group 2 were sent (1, 2; cancels follow), 1 were not: RiskRejected: mine:")
    assert len(told.texts) == len(notices(world)) == 1
    assert all(order.is_done for order in world.orders.all())


def test_a_lost_connection_is_told_with_what_it_means_for_the_group() -> None:
    world = World()
    told, group = Told(world), a_bracket(world)
    world.run(1)
    fill(world, group.parent)
    world.run(1)
    world.link.close()
    world.core.pump.turn()
    assert told.texts == ["the stop 3 is uncertain; 10 of the entry 1 are held"]


def test_who_closes_hears_nothing() -> None:
    world = World()
    told = Told(world)
    a_bracket(world)
    world.run(1)
    world.core.close()
    assert told.texts == []


# -- one cancels all ---------------------------------------------------------------------------------------------------


def a_group(world: World, kind: int = 1, *sizes: int) -> OcaHandle:
    orders = [limit("BUY", size, 1.0 - number / 10) for number, size in enumerate(sizes or (10, 10))]
    return world.orders.place_oca(APPLE, oca(orders, "mine", kind))


@pytest.mark.parametrize("kind", [1, 2, 3])
@pytest.mark.parametrize("pieces", [(10,), (3, 7)])
def test_an_oca_group_that_lives_as_it_should(kind: int, pieces: tuple[int, ...]) -> None:
    world = World()
    told, group = Told(world), a_group(world, kind)
    world.run(2)
    assert group.wait("live", 0).may_fill
    for size in pieces:
        fill(world, group.orders[0], size)
        world.run(10)
        assert group.problem == ""
    assert group.is_done and group.filled == 10
    assert (told.texts, notices(world), group.problem) == ([], [], "")
    (handle,) = world.orders.groups()
    assert handle == group


@pytest.mark.parametrize("plain", [False, True])
def test_a_refused_member_is_told(plain: bool) -> None:
    world = World()
    told = Told(world)
    world.force.on_place(lambda request, live: Refusal(201, "no") if request.orderId == 2 else None)
    if plain:
        for order in oca([limit("BUY", 10, 1.0), limit("BUY", 10, 0.9)], "mine"):
            world.orders.place(APPLE, order)
    else:
        assert a_group(world).orders[1].order_id == 2
    world.run(1)
    assert told.texts == ["order 2 was refused (201: no); order 1 of the group mine may fill without it"]
    assert world.orders.groups()[0].problem == told.texts[0]


@pytest.mark.parametrize(("kind", "size", "what"), [(1, 3, "cancel"), (1, 10, "cancel"), (2, 5, "reduction")])
def test_a_cancel_or_a_reduction_that_does_not_come(kind: int, size: int, what: str) -> None:
    world = World()
    told, group = Told(world), a_group(world, kind)
    world.run(1)
    world.gateway.order_filter = lambda session, event, messages: [
        (0, one) for one in messages if 2 not in (getattr(one, "orderId", 0), getattr(one, "id", 0))
    ]
    fill(world, group.orders[0], size)
    world.run(2)
    assert told.texts == [] and group.problem == ""
    world.run(5)
    text = f"order 1 of the group mine has filled {size}, but order 2 may still fill 10: its {what} did not come"
    assert told.texts == [text]
    assert group.problem == text


def test_an_overfilled_group_is_told() -> None:
    world = World()
    told, group = Told(world), a_group(world, 3)
    world.run(1)
    fill(world, group.orders[0])
    world.run(1)
    fill(world, group.orders[1], 4)
    world.run(5)
    assert told.texts == ["the group mine overfilled: 10 of order 1 and 4 of order 2"]


def test_an_oca_group_is_looked_at_before_anything_is_sent() -> None:
    world = World()
    sent = len(world.link.sent)
    two = [limit("BUY", 1, 1.0), limit("BUY", 1, 0.9)]
    wrong: list[tuple[Any, Any, str]] = [
        (APPLE, two[:1], "a group of 1"),
        (APPLE, two, "do not name one ocaGroup"),
        (APPLE, [*oca(two, "a"), *oca(two, "b")], "do not name one ocaGroup"),
        (APPLE, [oca(two, "a", 1)[0], oca(two, "a", 2)[1]], "do not have one ocaType"),
        ([APPLE], oca(two, "a"), "1 contracts for 2 orders"),
        (APPLE, oca([two[0], Order(action="BUY", orderType="LMT", totalQuantity=Decimal(1))], "a"), "without lmtPrice"),
        (APPLE, oca([two[0], limit("BUY", 1, 1.0, transmit=False)], "a"), "does not transmit"),
        (APPLE, oca([two[0], limit("BUY", 1, 1.0, orderId=7)], "a"), "has an orderId"),
    ]
    for contract, orders, says in wrong:
        with pytest.raises(ConfigError, match=says):
            world.orders.place_oca(contract, orders)
    assert len(world.link.sent) == sent
    world.orders.place_oca([APPLE, APPLE], oca(two, "a"))
    with pytest.raises(ConfigError, match="was used before"):
        world.orders.place_oca(APPLE, oca(two, "a"))


def test_half_an_oca_group_is_cancelled_and_told() -> None:
    with ibwire.connect("sim") as client:
        aapl = client.qualify(stock("AAPL"))
        client.risk.gate._checks = (
            lambda request, book, now_ns: Reject("no") if request.price == 0.9 else ALLOW,
        )
        with pytest.raises(RiskRejected) as caught:
            client.orders.place_oca(aapl, oca([limit("BUY", 1, 1.0), limit("BUY", 1, 0.9)], "mine"))
        assert caught.value.__notes__ == ["half a group: order 1 had been sent; its cancel is on its way"]
        (order,) = client.orders.all()
        assert order.wait("done").state is State.CANCELLED
        assert [text for _, text in client.notices if text.startswith("half a group: of a group 1 were sent (1;")]


# -- through a client --------------------------------------------------------------------------------------------------


def wait_for(client: ibwire.Client, text: str) -> list[str]:
    def found() -> list[str]:
        return [told for code, told in client.notices if code == OWN_NOTICE and text in told]

    assert client._core.wait_until(lambda: bool(found()), 10), client.notices
    return found()


def test_it_is_told_from_the_clients_thread_while_the_program_sleeps() -> None:
    names: list[str] = []
    with ibwire.connect("sim") as client:
        aapl = client.qualify(stock("AAPL"))

        def slow(change: Any) -> None:
            if change.event.kind == "group":
                names.append(threading.current_thread().name)
                raise ZeroDivisionError("mine")

        listener = client.on_order(slow)
        client.orders.place_oca(aapl, oca([limit("BUY", 1, 1.0), limit("BUY", 1, 0.9)], "mine")).wait("live")
        assert client.simulator is not None
        client.simulator.gateway.force.reject(1, 2, 201, "no")
        assert wait_for(client, "order 2 was refused (201: no)")
        assert listener.flush() and names == ["ibwire-listener"]
        assert client.orders.place(aapl, limit("BUY", 1, 1.0)).wait("live").is_live, "nobody is harmed"


@pytest.mark.parametrize("kind", ["family", "oca"])
def test_after_a_restart_the_journal_says_which_orders_belong_together(kind: str, tmp_path: Path) -> None:
    with serve(seed=3) as server:
        place = {"host": server.host, "port": server.port, "state_dir": str(tmp_path)}
        with ibwire.connect("paper", **place) as client:
            aapl = client.qualify(stock("AAPL"))
            made: GroupHandle
            if kind == "family":
                made = client.orders.place_bracket(aapl, bracket("BUY", 3, 1.0, 900.0, 0.5))
            else:
                made = client.orders.place_oca(aapl, oca([limit("BUY", 1, 1.0), limit("BUY", 1, 0.9)], "mine"))
            made.wait("live")
        server.gateway.force.reject(1, made.orders[-1].order_id, 201, "no margin")
        with ibwire.connect("paper", **place) as client:
            last = made.orders[-1].order_id
            told = wait_for(client, f"{last} ")
            assert len(told) == 1 and told[0].startswith("half a group: "), told
            (group,) = client.orders.groups()
            assert [one.order_id for one in group.orders] == [one.order_id for one in made.orders]
            assert told[0].endswith(group.problem)
            assert Turn.HALF_GROUP in [point.turn for point in group.critical]
            events = [event for event in group.orders[-1].events if event.kind == "group"]
    table = OrderTable(1)
    replay(tmp_path, table)
    again = table.get(last)
    assert again is not None and [one.meaning for one in again.events if one.kind == "group"] == [
        event.meaning for event in events
    ]


def test_a_wait_has_one_time_for_all() -> None:
    world = World()
    group = a_bracket(world)
    world.run(1)
    assert group.wait("live", 0).parent.is_live
    with pytest.raises(WaitTimeout):
        group.wait("done", 0, raise_on_timeout=True)
    assert repr(group).startswith("<BracketHandle 1 working, 2 ")
    assert isinstance(group, GroupHandle)
