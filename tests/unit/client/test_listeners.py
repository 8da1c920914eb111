"""Listeners get every transition, in order; nobody notices a slow or a broken one."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

import ibwire
from ibwire.client.listeners import Listener, Missed, OrderChange
from ibwire.errors import ConfigError, WrongThread
from ibwire.spec.errorcodes import OWN_NOTICE
from ibwire.types.constructors import limit, stock

from .world import World


def listen(world: World, callback: Any, limit: int = 1000, executor: Any = None) -> Listener:
    with world.core.lock:
        return world.core.listeners.add(callback, limit, executor)


def test_every_transition_of_every_order_in_order() -> None:
    world = World()
    got: list[Any] = []
    listener = listen(world, got.append)
    orders = [world.place(price=10_000.0), world.place()]
    world.run(2)
    orders[1].cancel()
    world.run(2)
    assert listener.flush()
    for order in orders:
        assert [change.event for change in got if change.order is order] == list(order.events)
    times = [change.event.ns for change in got]
    assert times == sorted(times)
    assert (listener.missed, listener.errors) == (0, 0)


def test_who_raises_is_told_of_the_next_all_the_same() -> None:
    world = World()
    got: list[Any] = []

    def broken(change: Any) -> None:
        got.append(change)
        raise ZeroDivisionError("mine")

    listener = listen(world, broken)
    order = world.resting()
    assert listener.flush()
    assert len(got) == len(order.events) == listener.errors
    assert isinstance(listener.last_error, ZeroDivisionError)
    told = [text for code, text in world.core.intake.notices if code == OWN_NOTICE]
    assert len(told) == 1 and "broken raised ZeroDivisionError: mine" in told[0]
    order.cancel()
    world.run(1)
    assert order.is_done


def test_who_is_slow_holds_up_nobody_and_learns_what_it_missed() -> None:
    world = World()
    release, entered = threading.Event(), threading.Event()
    slow: list[Any] = []
    quick: list[Any] = []

    def wait(change: Any) -> None:
        entered.set()
        assert release.wait(30)
        slow.append(change)

    listener, other = listen(world, wait, limit=3), listen(world, quick.append)
    first = world.place()
    assert entered.wait(30)  # one is out of the queue
    orders = [first, *(world.resting() for _ in range(10))]
    assert all(order.is_live for order in orders)
    total = sum(len(order.events) for order in orders)
    assert other.flush() and len(quick) == total
    release.set()
    assert listener.flush()
    kept = [change for change in slow if isinstance(change, OrderChange)]
    assert slow[len(kept)] == Missed(total - len(kept))
    assert listener.missed == total - len(kept) > 0
    world.place()
    assert listener.flush()
    assert isinstance(slow[-1], OrderChange), "it goes on"


def test_it_ends_when_it_is_closed_and_with_the_client() -> None:
    world = World()
    one: list[Any] = []
    two: list[Any] = []
    with listen(world, one.append):
        world.resting()
    listen(world, two.append)
    before = len(one)
    world.resting()
    world.core.close()
    assert len(one) == before > 0
    assert two[-1].event.state == "uncertain", "what the end of the session did is told"


def test_an_executor_makes_the_calls() -> None:
    world = World()
    names: set[str] = set()
    with ThreadPoolExecutor(2, "mine") as pool:
        listener = listen(world, lambda change: names.add(threading.current_thread().name.split("_")[0]), 100, pool)
        world.resting()
        assert listener.flush()
    assert names == {"mine"}


def test_an_inline_client_is_not_for_the_listeners_thread() -> None:
    world = World()
    listener = listen(world, lambda change: change.order.cancel())
    order = world.resting()
    assert listener.flush()
    assert isinstance(listener.last_error, WrongThread)
    assert order.is_live


@pytest.mark.parametrize("arguments", [{"callback": 5}, {"limit": 0}, {"limit": 1.5}, {"limit": True}])
def test_bad_arguments(arguments: dict[str, Any]) -> None:
    with ibwire.connect("sim") as client, pytest.raises(ConfigError):
        client.on_order(arguments.pop("callback", print), **arguments)


def test_a_listener_may_wait_modify_and_cancel() -> None:
    with ibwire.connect("sim") as client:
        done: list[str] = []

        def act(change: OrderChange | Missed) -> None:
            assert isinstance(change, OrderChange)
            if change.event.state == "PreSubmitted" and not done:
                done.append("begun")
                modify = change.order.modify(lmtPrice=1.5).wait(30)
                done.append(str(modify.outcome.value if modify.outcome else None))
                change.order.cancel().wait("done", 30)
                done.append(change.order.state.label)

        listener = client.on_order(act)
        order = client.orders.place(client.qualify(stock("AAPL")), limit("BUY", 1, 1.0))
        order.wait("done", 30)
        assert listener.flush(30)
        assert done == ["begun", "accepted", "cancelled"], listener.last_error
