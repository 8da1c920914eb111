"""Waiting for what another thread does: by condition, never by sleeping, and never deaf to Ctrl-C.

A :class:`Bell` has a count. Read it, look at what you wait for, and wait only for the count to move on: nothing that
happens between looking and waiting is missed.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Final

SLICE_S: Final = 0.05
"""No wait is deaf to signals for longer than this."""


class Bell:
    """Wakes every waiter at once. Any thread may ring or wait."""

    __slots__ = ("_condition", "_count")

    def __init__(self) -> None:
        self._condition = threading.Condition(threading.Lock())
        self._count = 0

    @property
    def count(self) -> int:
        """How often it was rung."""
        return self._count

    def ring(self) -> None:
        """Wake every waiter."""
        with self._condition:
            self._count += 1
            self._condition.notify_all()

    def wait(self, seen: int, timeout_ms: float | None = None) -> bool:
        """Wait until it was rung after its count was ``seen``.

        Returns
        -------
        bool
            False when ``timeout_ms`` passed first (None: no limit).
        """
        deadline = None if timeout_ms is None else time.monotonic() + timeout_ms / 1000
        with self._condition:
            while self._count == seen:
                left = SLICE_S if deadline is None else min(SLICE_S, deadline - time.monotonic())
                if left <= 0:
                    return False
                self._condition.wait(left)
        return True

    def wait_until(self, condition: Callable[[], bool], timeout_ms: float | None = None) -> bool:
        """Wait until ``condition()`` holds; it is looked at first, and after every ring.

        Returns
        -------
        bool
            The last value of the condition: False when ``timeout_ms`` passed first.
        """
        deadline = None if timeout_ms is None else time.monotonic() + timeout_ms / 1000
        while True:
            seen = self._count
            if condition():
                return True
            left_ms = None if deadline is None else (deadline - time.monotonic()) * 1000
            if left_ms is not None and left_ms <= 0:
                return False
            self.wait(seen, left_ms)
