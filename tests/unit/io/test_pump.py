"""The consuming thread."""

from __future__ import annotations

import threading

from ibwire.io.pump import InlinePump, Pump
from ibwire.io.wait import Bell


def test_it_steps_at_once_and_after_every_ring_until_told_to_stop() -> None:
    bell, done = Bell(), Bell()
    steps: list[str] = []

    def step() -> bool:
        steps.append(threading.current_thread().name)
        done.ring()
        return True

    pump = Pump(bell, step, lambda error: None)
    pump.start()
    assert done.wait_until(lambda: len(steps) >= 1, 5000)
    count = len(steps)
    bell.ring()
    assert done.wait_until(lambda: len(steps) > count, 5000)
    pump.stop()
    count = len(steps)
    bell.ring()
    assert not done.wait_until(lambda: len(steps) > count, 100)
    assert set(steps) == {"ibwire-client"}
    pump.stop()


def test_a_ring_between_step_and_wait_is_not_missed() -> None:
    bell, done = Bell(), Bell()
    left = [3]

    def step() -> bool:
        left[0] -= 1
        bell.ring()  # as if something came in while this step ran
        done.ring()
        return left[0] > 0

    Pump(bell, step, lambda error: None).start()
    assert done.wait_until(lambda: left[0] == 0, 5000)


def test_a_step_that_says_so_is_the_last() -> None:
    bell = Bell()
    threads: list[threading.Thread] = []

    def step() -> bool:
        threads.append(threading.current_thread())
        return False

    pump = Pump(bell, step, lambda error: None)
    pump.start()
    pump.stop()
    assert len(threads) == 1
    assert not threads[0].is_alive()


def test_a_defect_is_told() -> None:
    bell, told = Bell(), Bell()
    errors: list[BaseException] = []

    def step() -> bool:
        raise ZeroDivisionError("defect")

    def on_failure(error: BaseException) -> None:
        errors.append(error)
        told.ring()

    Pump(bell, step, on_failure).start()
    assert told.wait_until(lambda: bool(errors), 5000)
    assert isinstance(errors[0], ZeroDivisionError)


def test_it_knows_its_own_thread() -> None:
    bell, done = Bell(), Bell()
    seen: list[bool] = []

    def step() -> bool:
        seen.append(pump.is_current)
        done.ring()
        return True

    pump = Pump(bell, step, lambda error: None)
    pump.start()
    assert done.wait_until(lambda: bool(seen), 5000)
    assert seen[0]
    assert not pump.is_current
    pump.stop()


def test_it_steps_when_something_is_due_though_nothing_rings() -> None:
    bell, done = Bell(), Bell()
    steps: list[int] = []

    def step() -> bool:
        steps.append(1)
        done.ring()
        return len(steps) < 5

    Pump(bell, step, lambda error: None, lambda: 1.0).start()
    assert done.wait_until(lambda: len(steps) == 5, 5000)


def test_inline_waits_and_polls_step_when_something_is_due() -> None:
    steps: list[int] = []
    polls: list[float | None] = []

    def step() -> bool:
        steps.append(1)
        return True

    pump = InlinePump(Bell(), step, lambda error: None, lambda: 1.0)
    assert pump.wait_until(Bell(), lambda: len(steps) >= 5, 30_000)

    def receive(timeout_ms: float | None) -> int:
        polls.append(timeout_ms)
        return 7 if len(polls) == 4 else 0

    steps.clear()
    assert pump.poll(receive, None) == 7
    assert (polls, len(steps)) == ([1.0] * 4, 4)
    polls.clear()
    assert pump.poll(receive, 0) == 0
    assert polls == [0.0], "what must not wait does not"


def test_inline_waits_as_long_as_they_are_told_while_nothing_is_due() -> None:
    polls: list[float | None] = []

    def receive(timeout_ms: float | None) -> int:
        polls.append(timeout_ms)
        return 0

    pump = InlinePump(Bell(), lambda: True, lambda error: None)
    assert not pump.wait_until(Bell(), lambda: False, 1)
    assert pump.poll(receive, 5) == 0
    assert len(polls) == 1 and polls[0] is not None and 0 < polls[0] <= 5
