"""Waiting for what another thread does: by condition, never by sleeping, and never deaf to Ctrl-C.

A bell has a count. Read it, look at what you wait for, and wait only for the count to move on: nothing that happens
between looking and waiting is missed. :class:`Bell` is for everything that runs under the GIL; :class:`RegionBell` is
the same face over a region, which the compiled reader publishes to without the GIL.
"""

from __future__ import annotations

import math
import os
import threading
import time
from collections.abc import Callable
from typing import Any, Final

from ibwire.errors import ConfigError
from ibwire.io import life

SLICE_S: Final = 0.05
"""No wait is deaf to signals for longer than this."""
HOW: Final = ("spin", "yield", "block")
MAX_FDS: Final = 64


class WakeFd:
    """A file descriptor that is readable while something is to be looked at: an eventfd, elsewhere a pipe.

    Attributes
    ----------
    fd : int
        To give to select, poll or epoll. write_fd : the other end; the same for an eventfd.
    """

    __slots__ = ("fd", "write_fd")

    def __init__(self) -> None:
        if hasattr(os, "eventfd"):
            self.fd = self.write_fd = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        else:
            self.fd, self.write_fd = os.pipe()
            os.set_blocking(self.fd, False)
            os.set_blocking(self.write_fd, False)

    def close(self) -> None:
        """Close it; the caller knows that nobody writes any more."""
        for fd in {self.fd, self.write_fd}:
            os.close(fd)


class Waits:
    """What every bell can do."""

    __slots__ = ()

    @property
    def count(self) -> int:
        """How often it was rung."""
        raise NotImplementedError

    def ring(self) -> None:
        """Wake every waiter."""
        raise NotImplementedError

    def wait(self, seen: int, timeout_ms: float | None = None, how: str = "") -> bool:
        """Wait until it was rung after its count was ``seen``.

        Parameters
        ----------
        how : str
            ``spin``, ``yield`` or ``block``; by default the bell's own. Where waits are plain Python they block.

        Returns
        -------
        bool
            False when ``timeout_ms`` passed first (None: no limit).
        """
        raise NotImplementedError

    def for_entries(self) -> Waits:
        """The same for who looks at order and control entries only: where it can, market records do not ring it."""
        return self

    def add_fd(self, wake: WakeFd) -> int:
        """Make it readable with the first ring after each :meth:`clear_fd`. Returns its slot."""
        raise NotImplementedError

    def clear_fd(self, slot: int) -> None:
        """Take back what made it readable; call it before looking."""
        raise NotImplementedError

    def signal_fd(self, slot: int) -> None:
        """Make it readable again, for what was left behind. The thread that clears it."""
        raise NotImplementedError

    def after_fork(self) -> None:
        """In a child process: nobody holds a lock any more."""

    def wait_until(self, condition: Callable[[], bool], timeout_ms: float | None = None) -> bool:
        """Wait until ``condition()`` holds; it is looked at first, and after every ring.

        Returns
        -------
        bool
            The last value of the condition: False when ``timeout_ms`` passed first.
        """
        deadline = None if timeout_ms is None else time.monotonic() + timeout_ms / 1000
        while True:
            seen = self.count
            if condition():
                return True
            left_ms = None if deadline is None else (deadline - time.monotonic()) * 1000
            if left_ms is not None and left_ms <= 0:
                return False
            self.wait(seen, left_ms)


class Bell(Waits):
    """Wakes every waiter at once. Any thread may ring or wait."""

    __slots__ = ("_condition", "_count", "_fds")

    def __init__(self) -> None:
        self._condition = threading.Condition(threading.Lock())
        self._count = 0
        self._fds: dict[int, tuple[int, int]] = {}  # slot -> (write end, read end)

    @property
    def count(self) -> int:
        return self._count

    def ring(self) -> None:
        with self._condition:
            self._count += 1
            self._condition.notify_all()
            for slot in self._fds:
                self.signal_fd(slot)

    def wait(self, seen: int, timeout_ms: float | None = None, how: str = "") -> bool:
        check_how(how or "block")
        deadline = None if timeout_ms is None else time.monotonic() + timeout_ms / 1000
        with self._condition:
            while self._count == seen:
                left = SLICE_S if deadline is None else min(SLICE_S, deadline - time.monotonic())
                if left <= 0:
                    return False
                self._condition.wait(left)
        return True

    def add_fd(self, wake: WakeFd) -> int:
        with self._condition:
            slot = len(self._fds)
            if slot == MAX_FDS:
                raise ConfigError(f"more than {MAX_FDS} file descriptors wait on one session")
            self._fds[slot] = (wake.write_fd, wake.fd)
            return slot

    def clear_fd(self, slot: int) -> None:
        try:
            while os.read(self._fds[slot][1], 4096) and not hasattr(os, "eventfd"):
                pass
        except BlockingIOError:
            pass

    def signal_fd(self, slot: int) -> None:
        try:
            os.write(self._fds[slot][0], b"\1\0\0\0\0\0\0\0")
        except BlockingIOError:  # it is readable already
            pass

    def after_fork(self) -> None:
        self._condition = threading.Condition(threading.Lock())
        self._fds = {}


class RegionBell(Waits):
    """The waits of a region: without the GIL, woken by the reader itself.

    Parameters
    ----------
    region
        The region that the reader publishes to.
    how : str
        How :meth:`wait` waits unless told: ``block``, ``yield`` or ``spin``.
    only_entries : bool
        What brings market records and no entry of the order or control ring does not count: no thread wakes for it.
    """

    __slots__ = ("_generation", "_only_entries", "_region", "how")

    def __init__(self, region: Any, how: str = "block", *, only_entries: bool = False) -> None:
        self._region, self.how, self._only_entries = region, check_how(how), only_entries
        self._generation = life.generation()

    @property
    def count(self) -> int:
        """How often something was published, or it was rung."""
        return int(self._region.entry_count if self._only_entries else self._region.count)

    def for_entries(self) -> RegionBell:
        return RegionBell(self._region, self.how, only_entries=True)

    def ring(self) -> None:
        """Wake every waiter. Any thread of this process."""
        if self._generation == life.generation():
            self._region.ring()

    def wait(self, seen: int, timeout_ms: float | None = None, how: str = "") -> bool:
        """Wait until it was rung after its count was ``seen``; False when ``timeout_ms`` passed first.

        Raises
        ------
        ForkedClient : in a child process, where nobody rings.
        """
        life.check(self._generation)
        return bool(self._region.wait(seen, timeout_ms, how or self.how, self._only_entries))

    def add_fd(self, wake: WakeFd) -> int:
        return int(self._region.add_fd(wake.write_fd, wake.fd))

    def clear_fd(self, slot: int) -> None:
        self._region.clear_fd(slot)

    def signal_fd(self, slot: int) -> None:
        self._region.signal_fd(slot)


class InlineBell(Waits):
    """Waits by receiving: for a connection without a reader's thread.

    Parameters
    ----------
    inner : the bell of the rings.
    receives : whether this is the thread that receives, and there is still something to receive from.
    receive : one receive, which rings ``inner`` when something came; a time limit in ms, None for none.
    """

    __slots__ = ("_generation", "_inner", "_receive", "_receives")

    def __init__(self, inner: Waits, receives: Callable[[], bool], receive: Callable[[float | None], object]) -> None:
        self._inner, self._receives, self._receive = inner, receives, receive
        self._generation = life.generation()

    @property
    def count(self) -> int:
        return self._inner.count

    def ring(self) -> None:
        self._inner.ring()

    def wait(self, seen: int, timeout_ms: float | None = None, how: str = "") -> bool:
        life.check(self._generation)
        deadline = None if timeout_ms is None else time.monotonic() + timeout_ms / 1000
        while self._inner.count == seen:
            left_ms = None if deadline is None else (deadline - time.monotonic()) * 1000
            if left_ms is not None and left_ms <= 0:
                return False
            if not self._receives():
                return self._inner.wait(seen, left_ms, how)
            self._receive(left_ms)
        return True

    def add_fd(self, wake: WakeFd) -> int:
        return self._inner.add_fd(wake)

    def clear_fd(self, slot: int) -> None:
        self._inner.clear_fd(slot)

    def signal_fd(self, slot: int) -> None:
        self._inner.signal_fd(slot)

    def after_fork(self) -> None:
        self._inner.after_fork()


def check_how(how: str) -> str:
    """``how`` itself, if it is one. Raises ConfigError."""
    if how not in HOW:
        raise ConfigError(f"a wait cannot be by {how!r}", hint=f"say {', '.join(HOW)}")
    return how


def seconds(value: Any) -> float:
    """A time to wait as a float, infinity too. Raises ConfigError for what is no number of seconds."""
    try:
        number = math.nan if isinstance(value, str | bytes) else float(value)
    except (TypeError, ValueError):
        number = math.nan
    except OverflowError:
        number = math.inf
    if math.isnan(number):
        raise ConfigError(f"a time of {value!r} to wait", hint="give seconds, such as 5 or 0.5")
    return number
