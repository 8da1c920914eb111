"""Who consumes: a thread that runs a step whenever there may be something, or the program's own thread as it waits."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from ibwire.errors import WrongThread
from ibwire.io.wait import Bell, Waits

__all__ = ["InlinePump", "Pump"]


def _never() -> float | None:
    return None


class Pump:
    """Calls ``step()`` once, and again after every ring of a bell, in its own thread ``ibwire-client``.

    Parameters
    ----------
    bell
        Rung by whoever produces. The thread waits for order and control entries only, where the bell can tell.
    step : callable
        Consumes what there is; False when nothing more will ever come, which ends the thread.
    on_failure : callable
        Called with what ``step`` raised, which also ends the thread: a defect must not end in silence.
    due_ms : callable
        In how many milliseconds to step although nothing rings; None for never. Asked after each step.

    Attributes
    ----------
    lock : threading.RLock
        For the step and everything that shares state with it; free between steps.
    """

    def __init__(
        self,
        bell: Waits,
        step: Callable[[], bool],
        on_failure: Callable[[BaseException], None],
        due_ms: Callable[[], float | None] = _never,
    ) -> None:
        self.lock = threading.RLock()
        self._bell, self._step, self._on_failure, self._due_ms = bell.for_entries(), step, on_failure, due_ms
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="ibwire-client", daemon=True)

    def start(self) -> None:
        """Start the thread; once."""
        self._thread.start()

    def stop(self, timeout_ms: float = 2000) -> None:
        """End the thread after the step that is under way. From any thread; twice is harmless."""
        self._stopping = True
        self._bell.ring()
        if self._thread.ident is not None and threading.current_thread() is not self._thread:
            self._thread.join(timeout_ms / 1000)

    @property
    def is_current(self) -> bool:
        """True in the pump's own thread, where nothing may wait for what the pump itself has to bring."""
        return threading.current_thread() is self._thread

    def turn(self) -> None:
        """The caller is about to look at what steps change; this thread does them anyway."""

    def poll(self, receive: Callable[[float | None], int], timeout_ms: float | None) -> int:
        """Receive, which the steps need not wait for."""
        return receive(timeout_ms)

    def adopt(self) -> None:
        """Nothing belongs to one thread here."""

    def check_owner(self) -> None:
        """Any thread may send and wait."""

    def wait_until(self, news: Bell, condition: Callable[[], bool], timeout_ms: float) -> bool:
        """Wait for a condition that steps, which ring ``news``, bring about; False when the time is up first.

        Raises
        ------
        WrongThread : in the pump's own thread, which brings what would be waited for.
        """
        if self.is_current:
            raise WrongThread("this thread brings what would be waited for", hint="wait in another thread")
        return news.wait_until(condition, timeout_ms)

    def after_fork(self) -> None:
        """In a child process: the thread is the parent's, and nobody holds the lock."""
        self.lock = threading.RLock()

    def _run(self) -> None:
        try:
            while not self._stopping:
                seen = self._bell.count
                if not self._step():
                    return
                self._bell.wait(seen, self._due_ms())
        except BaseException as error:
            self._on_failure(error)


class InlinePump:
    """The face of a :class:`Pump` without a thread: the thread that made it steps, whenever it waits or polls.

    Parameters
    ----------
    bell
        Its waits receive. step, on_failure, due_ms : as for a pump.
    """

    def __init__(
        self,
        bell: Waits,
        step: Callable[[], bool],
        on_failure: Callable[[BaseException], None],
        due_ms: Callable[[], float | None] = _never,
    ) -> None:
        self.lock = threading.RLock()
        self._bell, self._step, self._on_failure, self._due_ms = bell, step, on_failure, due_ms
        self._owner = threading.get_ident()
        self.is_current = False

    def start(self) -> None:
        """There is nothing to start."""

    def stop(self, timeout_ms: float = 2000) -> None:
        """There is nothing to end."""

    def check_owner(self) -> None:
        """Raise WrongThread in any thread but the one that connected."""
        if threading.get_ident() != self._owner:
            raise WrongThread(
                "an inline client is for the thread that connected it",
                hint='call it there, call adopt() when that thread is done with it, or connect with mode="threaded"',
            )

    def turn(self) -> None:
        """Step once. Raises WrongThread."""
        self.check_owner()
        try:
            self._step()
        except Exception as error:
            self._on_failure(error)

    def adopt(self) -> None:
        """This thread steps from now on."""
        self._owner = threading.get_ident()

    def wait_until(self, news: Bell, condition: Callable[[], bool], timeout_ms: float) -> bool:
        """Receive and step until a condition holds; False when the time is up first.

        Raises
        ------
        WrongThread : another thread than the one that connected.
        """
        self.check_owner()

        def holds() -> bool:
            self.turn()
            return condition()

        deadline = time.monotonic() + timeout_ms / 1000
        while True:
            left_ms = (deadline - time.monotonic()) * 1000
            if self._bell.wait_until(holds, self._first(left_ms)):
                return True
            if left_ms <= 0:
                return False

    def _first(self, left_ms: float | None) -> float | None:
        """How long to wait: until a step is due, or the time is up."""
        due_ms = self._due_ms()
        if due_ms is None or left_ms is None:
            return left_ms if due_ms is None else due_ms
        return min(left_ms, due_ms)

    def poll(self, receive: Callable[[float | None], int], timeout_ms: float | None) -> int:
        """Receive, and step whenever something is due meanwhile."""
        self.check_owner()
        deadline = None if timeout_ms is None else time.monotonic() + timeout_ms / 1000
        while True:
            left_ms = None if deadline is None else max(0.0, (deadline - time.monotonic()) * 1000)
            limit_ms = self._first(left_ms) if left_ms != 0 else 0
            try:
                count = receive(limit_ms)
            finally:
                self.turn()
            if count or (left_ms is not None and limit_ms is not None and limit_ms >= left_ms):
                return count

    def after_fork(self) -> None:
        """In a child process: nobody holds the lock."""
        self.lock = threading.RLock()
