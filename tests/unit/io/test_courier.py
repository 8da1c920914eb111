"""Items reach whoever listens in order, and whoever brings them never waits."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from ibwire.io.courier import Courier


class Gate:
    """A receiver that takes what it gets only while it is open."""

    def __init__(self) -> None:
        self.open = threading.Event()
        self.entered = threading.Event()
        self.got: list[Any] = []
        self.threads: set[str] = set()

    def __call__(self, item: Any) -> None:
        self.entered.set()
        assert self.open.wait(30)
        self.threads.add(threading.current_thread().name)
        self.got.append(item)


@pytest.fixture
def gate() -> Iterator[Gate]:
    made = Gate()
    yield made
    made.open.set()


def lost(count: int) -> str:
    return f"lost {count}"


def test_everything_comes_in_order(gate: Gate) -> None:
    courier = Courier(gate, "courier-test", 1000, lost)
    gate.open.set()
    for number in range(500):
        assert courier.put(number)
    assert courier.flush(30)
    assert gate.got == list(range(500))
    assert gate.threads == {"courier-test"}
    courier.close(30)
    assert not courier.put(1)


def test_what_is_too_much_is_counted_and_told_in_its_place(gate: Gate) -> None:
    courier = Courier(gate, "courier-test", 3, lost)
    assert courier.put("first")
    assert gate.entered.wait(30)  # it is out of the queue
    assert [courier.put(number) for number in range(5)] == [True, True, True, False, False]
    assert not courier.flush(0.01)
    gate.open.set()
    assert courier.flush(30)
    courier.put("last")
    courier.close(30)
    assert gate.got == ["first", 0, 1, 2, "lost 2", "last"]


def test_closing_delivers_what_there_is(gate: Gate) -> None:
    courier = Courier(gate, "courier-test", 10, lost)
    courier.put(1)
    courier.put(2)
    gate.open.set()
    courier.close(30)
    courier.close(30)
    assert gate.got == [1, 2]


def test_closing_waits_only_a_moment_for_who_never_returns(gate: Gate) -> None:
    courier = Courier(gate, "courier-test", 10, lost)
    courier.put(1)
    courier.close(0.01)
    assert gate.got == []


def test_it_may_be_closed_from_its_own_thread() -> None:
    done = threading.Event()

    def end(item: object) -> None:
        courier.close(30)
        done.set()

    courier = Courier(end, "courier-test", 10, lost)
    courier.put(1)
    assert done.wait(30)


def test_an_executor_makes_the_calls_one_at_a_time() -> None:
    running, most, got = 0, 0, []

    def take(item: int) -> None:
        nonlocal running, most
        running += 1
        most = max(most, running)
        got.append(item)
        running -= 1

    with ThreadPoolExecutor(4, "pool") as pool:
        courier = Courier(take, "courier-test", 1000, lost, pool)
        for number in range(300):
            courier.put(number)
        assert courier.flush(30)
        courier.close(30)
    assert (got, most) == (list(range(300)), 1)


def test_an_executor_that_is_gone_ends_it_and_is_told(gate: Gate) -> None:
    pool = ThreadPoolExecutor(1)
    pool.shutdown()
    failures: list[BaseException] = []
    told = threading.Event()

    def tell(error: BaseException) -> None:
        failures.append(error)
        told.set()

    courier = Courier(gate, "courier-test", 10, lost, pool, tell)
    courier.put(1)
    assert told.wait(30)
    assert isinstance(failures[0], RuntimeError)
    assert not courier.put(2)
