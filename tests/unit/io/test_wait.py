from __future__ import annotations

import _thread
import threading

import pytest

from ibwire.io.wait import Bell


def test_a_ring_between_look_and_wait_is_not_missed() -> None:
    bell = Bell()
    seen = bell.count
    bell.ring()
    assert bell.wait(seen, None)
    assert not bell.wait(bell.count, 1)


def test_a_ring_wakes_every_waiter() -> None:
    bell = Bell()
    seen = bell.count
    woken = [threading.Event() for _ in range(3)]
    threads = [threading.Thread(target=lambda e=e: bell.wait(seen) and e.set()) for e in woken]
    for thread in threads:
        thread.start()
    bell.ring()
    for thread, event in zip(threads, woken, strict=True):
        thread.join()
        assert event.is_set()


def test_wait_until_looks_first_and_after_each_ring() -> None:
    bell = Bell()
    left = [3]

    def condition() -> bool:
        left[0] -= 1
        if left[0]:
            bell.ring()
        return not left[0]

    assert bell.wait_until(condition)
    assert bell.wait_until(lambda: True, 0)
    assert not bell.wait_until(lambda: False, 1)


def test_a_wait_without_limit_hears_ctrl_c() -> None:
    bell = Bell()
    threading.Timer(0.05, _thread.interrupt_main).start()
    with pytest.raises(KeyboardInterrupt):
        bell.wait(bell.count)
