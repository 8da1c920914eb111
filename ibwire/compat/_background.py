"""A function in a thread of its own: what the reader and the synchronous wrapper start."""

from __future__ import annotations

from collections.abc import Callable

from ibwire.io.pump import Pump
from ibwire.io.wait import Bell


class Background:
    """Runs ``work()`` once in a daemon thread, at once.

    Attributes
    ----------
    failure : what ``work`` raised, else None.
    """

    def __init__(self, work: Callable[[], None]) -> None:
        self.failure: BaseException | None = None
        self._done = False
        self._bell = Bell()
        self._work = work
        self._pump = Pump(Bell(), self._once, self._failed)
        self._pump.start()

    def is_alive(self) -> bool:
        """Whether it still works."""
        return not self._done

    def join(self, timeout: float | None = None) -> None:
        """Wait for its end, at most ``timeout`` seconds; at once from inside it."""
        if not self._pump.is_current:
            self._bell.wait_until(lambda: self._done, None if timeout is None else timeout * 1000)

    def _once(self) -> bool:
        self._work()
        self._end()
        return False

    def _failed(self, error: BaseException) -> None:
        self.failure = error
        self._end()

    def _end(self) -> None:
        self._done = True
        self._bell.ring()
