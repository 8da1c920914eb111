"""The consuming thread: runs a step whenever there may be something to consume."""

from __future__ import annotations

import threading
from collections.abc import Callable

from ibwire.io.wait import Bell

__all__ = ["Pump"]


class Pump:
    """Calls ``step()`` once, and again after every ring of a bell, in its own thread ``ibwire-client``.

    Parameters
    ----------
    bell : Bell
        Rung by whoever produces.
    step : callable
        Consumes what there is; False when nothing more will ever come, which ends the thread.
    on_failure : callable
        Called with what ``step`` raised, which also ends the thread: a defect must not end in silence.

    Attributes
    ----------
    lock : threading.RLock
        For the step and everything that shares state with it; free between steps.
    """

    def __init__(self, bell: Bell, step: Callable[[], bool], on_failure: Callable[[BaseException], None]) -> None:
        self.lock = threading.RLock()
        self._bell, self._step, self._on_failure = bell, step, on_failure
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

    def _run(self) -> None:
        try:
            while not self._stopping:
                seen = self._bell.count
                if not self._step():
                    return
                self._bell.wait(seen)
        except BaseException as error:
            self._on_failure(error)
