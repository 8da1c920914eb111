"""Carrying what happens to whoever listens, one after the other, on a thread of its own: putting never waits."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any, Final, Protocol

from ibwire.io.wait import SLICE_S, seconds

__all__ = ["Courier", "Submits"]

_BATCH: Final = 64


class Submits(Protocol):
    """What is wanted of an executor: ``concurrent.futures`` has several."""

    def submit(self, fn: Callable[..., Any], /, *args: Any) -> Any: ...


class Courier:
    """A bounded queue and the thread that empties it.

    Parameters
    ----------
    deliver : callable
        Called with each item; it must not raise.
    name : str
        Name of the thread, which starts with the first item.
    limit : int
        How many items may wait. Those that come then are not kept; how many is told in their place.
    overflow : callable
        Makes the item that tells how many were not kept.
    executor : optional
        Where to call ``deliver``, one call at a time; by default the courier's own thread.
    on_failure : callable
        Called with what the executor raised, which ends the courier.
    """

    def __init__(
        self,
        deliver: Callable[[Any], object],
        name: str,
        limit: int,
        overflow: Callable[[int], object],
        executor: Submits | None = None,
        on_failure: Callable[[BaseException], object] = lambda error: None,
    ) -> None:
        self._deliver, self._limit, self._overflow = deliver, limit, overflow
        self._executor, self._on_failure = executor, on_failure
        self._changed = threading.Condition(threading.Lock())
        self._queue: deque[Any] = deque()
        self._kept_out = 0  # since the last item that was kept
        self._busy = 0  # items in delivery
        self._closed = False
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def put(self, item: object) -> bool:
        """Leave an item; False when it could not be kept. Any thread; never waits for a delivery."""
        with self._changed:
            if self._closed:
                return False
            if len(self._queue) >= self._limit:
                self._kept_out += 1
                return False
            self._tell_overflow()
            self._queue.append(item)
            if self._thread.ident is None:
                self._thread.start()
            self._changed.notify_all()
            return True

    def _tell_overflow(self) -> None:
        if self._kept_out:
            self._queue.append(self._overflow(self._kept_out))
            self._kept_out = 0

    def flush(self, timeout_s: float) -> bool:
        """Wait until everything put so far is delivered; False when the time is up first."""
        deadline = time.monotonic() + seconds(timeout_s)
        with self._changed:
            while self._queue or self._busy or self._kept_out:
                left = deadline - time.monotonic()
                if left <= 0 or not self._thread.is_alive():
                    return False
                self._changed.wait(min(left, SLICE_S))
        return True

    def close(self, timeout_s: float) -> None:
        """Take nothing more, and wait a moment until what there is has been delivered. Twice is harmless."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        if self._thread.is_alive() and self._thread is not threading.current_thread():
            self._thread.join(timeout_s)

    def after_fork(self) -> None:
        """In a child process: the thread is the parent's."""
        self._changed = threading.Condition(threading.Lock())
        self._closed = True

    # -- the thread ----------------------------------------------------------------------------------------------------

    def _run(self) -> None:
        while batch := self._take():
            try:
                if self._executor is None:
                    self._carry(batch)
                else:
                    self._executor.submit(self._carry, batch).result()
            except BaseException as error:
                with self._changed:
                    self._closed = True
                    self._queue.clear()
                self._on_failure(error)
            with self._changed:
                self._busy = 0
                self._changed.notify_all()

    def _carry(self, batch: list[Any]) -> None:
        for item in batch:
            self._deliver(item)

    def _take(self) -> list[Any]:
        """The next items; empty at the end."""
        with self._changed:
            while not self._queue:
                if self._kept_out:
                    self._tell_overflow()
                elif self._closed:
                    return []
                else:
                    self._changed.wait()
            batch = [self._queue.popleft() for _ in range(min(len(self._queue), _BATCH))]
            self._busy = len(batch)
            return batch
