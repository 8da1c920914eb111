"""Telling others of every transition of every order, in order, without ever waiting for them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from ibwire.errors import ConfigError
from ibwire.io.courier import Courier, Submits
from ibwire.trade.view import OrderEvent

if TYPE_CHECKING:
    from ibwire.client.order_handle import OrderHandle

__all__ = ["DEFAULT_LIMIT", "Listener", "Listeners", "Missed", "OrderChange"]

DEFAULT_LIMIT: Final = 10_000
_CLOSE_S: Final = 0.5


@dataclass(frozen=True, slots=True)
class OrderChange:
    """One transition.

    Attributes
    ----------
    order : OrderHandle
        The order, as it is now, which may be further on than the event.
    event : OrderEvent
        What happened; the last one told is the last one in ``order.events`` at that time.
    """

    order: OrderHandle
    event: OrderEvent


@dataclass(frozen=True, slots=True)
class Missed:
    """A listener was so slow that changes could not be kept for it; they are in each order's ``events``.

    Attributes
    ----------
    count : int
        How many were not kept, at this place.
    """

    count: int


Callback = Callable[[OrderChange | Missed], object]


class Listener:
    """One who is told of order changes. Made by ``Client.on_order``; leaving it as a context manager ends it.

    Attributes
    ----------
    missed : int
        Changes that were not kept because it was too slow.
    errors : int
        How often it raised; it is told of what comes next all the same.
    last_error : BaseException or None
        What it raised last.
    """

    def __init__(
        self, callback: Callback, limit: int, executor: Submits | None, tell: Callable[[str], object]
    ) -> None:
        self.missed = self.errors = 0
        self.last_error: BaseException | None = None
        self.name = getattr(callback, "__qualname__", None) or type(callback).__name__
        self._callback, self._tell = callback, tell
        self._courier = Courier(self._deliver, "ibwire-listener", limit, Missed, executor, self._failed)

    def _note(self, change: OrderChange) -> None:
        if not self._courier.put(change):
            self.missed += 1

    def _deliver(self, item: OrderChange | Missed) -> None:
        try:
            self._callback(item)
        except BaseException as error:  # whatever it is, it is the listener's own
            self.errors += 1
            self.last_error = error
            if self.errors == 1:
                self._tell(f"the order listener {self.name} raised {type(error).__name__}: {error}")

    def _failed(self, error: BaseException) -> None:
        self.last_error = error
        self._tell(f"the executor of the order listener {self.name} failed: {type(error).__name__}: {error}")

    def flush(self, timeout: float = 5.0) -> bool:
        """Wait until it has been told of everything so far; False when the time is up (seconds) first."""
        return self._courier.flush(timeout)

    def close(self) -> None:
        """End it; what waits is still told."""
        self._courier.close(_CLOSE_S)

    def __enter__(self) -> Listener:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


class Listeners:
    """All listeners of a client. ``note`` wants the client's lock, which keeps the order; it never waits.

    Parameters
    ----------
    tell : callable
        Takes the text of a notice.
    """

    def __init__(self, tell: Callable[[str], object]) -> None:
        self._tell = tell
        self._all: tuple[Listener, ...] = ()

    def add(self, callback: Callback, limit: int, executor: Submits | None) -> Listener:
        """See ``Client.on_order``."""
        if not callable(callback):
            raise ConfigError(f"{callback!r} cannot be called", hint="give a function that takes one change")
        if not isinstance(limit, int) or isinstance(limit, bool) or limit < 1:
            raise ConfigError(f"limit is {limit!r}", hint="give a whole number of at least 1")
        listener = Listener(callback, limit, executor, self._tell)
        self._all = (*self._all, listener)
        return listener

    def note(self, order: OrderHandle, event: OrderEvent) -> None:
        """Something happened to an order."""
        if self._all:
            change = OrderChange(order, event)
            for listener in self._all:
                listener._note(change)

    def close(self) -> None:
        """End all of them."""
        for listener in self._all:
            listener.close()

    def after_fork(self) -> None:
        """In a child process there are none."""
        for listener in self._all:
            listener._courier.after_fork()
        self._all = ()
