"""Virtual time moves when told, and in order."""

from __future__ import annotations

import pytest

from ibwire.sim.clock import DEFAULT_START_NS, NS_PER_S, VirtualClock, utc_date, utc_text, zoned_text


def test_actions_run_by_time_then_by_order_of_scheduling() -> None:
    clock, ran = VirtualClock(100), list[tuple[str, int]]()
    for name, at in (("late", 300), ("b", 200), ("c", 200), ("a", 150)):
        clock.at(at, lambda name=name: ran.append((name, clock.now_ns)))  # type: ignore[misc]
    assert clock.advance(200) == 3
    assert ran == [("a", 150), ("b", 200), ("c", 200)]
    assert clock.now_ns == 200
    assert clock.next_due_ns() == 300


def test_actions_scheduled_on_the_way_run_in_the_same_call() -> None:
    clock, ran = VirtualClock(0), list[int]()

    def again() -> None:
        ran.append(clock.now_ns)
        clock.after(10, again)

    clock.at(5, again)
    clock.advance(34)
    assert ran == [5, 15, 25]
    assert clock.next_due_ns() == 35


def test_cancelled_actions_do_not_run() -> None:
    clock, ran = VirtualClock(0), list[int]()
    handle = clock.at(5, lambda: ran.append(1))
    assert handle.pending
    assert clock.cancel(handle)
    assert not clock.cancel(handle)
    assert clock.next_due_ns() is None
    assert clock.advance(10) == 0 and ran == []


def test_time_does_not_go_back() -> None:
    clock = VirtualClock(10)
    with pytest.raises(ValueError, match="already 10"):
        clock.at(9, lambda: None)
    with pytest.raises(ValueError, match="go back"):
        clock.advance(9)


def test_advance_from_inside_an_action_is_refused_and_the_rest_survives() -> None:
    clock, ran = VirtualClock(0), list[int]()

    def inside() -> None:
        clock.advance(5)

    clock.at(1, inside)
    clock.at(2, lambda: ran.append(2))
    with pytest.raises(RuntimeError, match="inside"):
        clock.advance(3)
    assert clock.now_ns == 1
    clock.advance(3)
    assert ran == [2]


def test_texts_of_the_default_start() -> None:
    assert utc_text(DEFAULT_START_NS + NS_PER_S - 1) == "20260302-14:30:00"
    assert zoned_text(DEFAULT_START_NS) == "20260302 14:30:00 UTC"
    assert utc_date(DEFAULT_START_NS).isoweekday() == 1
