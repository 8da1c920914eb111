"""The two moments at which a process must not be left to itself: a fork, and the end of the interpreter.

Nothing is registered at import; the first connection does it.
"""

from __future__ import annotations

import atexit
import os
import weakref
from typing import Final, Protocol

from ibwire.errors import ForkedClient


class Living(Protocol):
    """Something with threads or locks."""

    def _after_fork(self) -> None: ...
    def _at_exit(self) -> None: ...


_living: Final[weakref.WeakSet[Living]] = weakref.WeakSet()
_hooked = False
_generation = 0


def watch(one: Living) -> None:
    """Tell ``one`` of a fork (in the child) and of the interpreter's end, as long as it lives."""
    global _hooked
    if not _hooked:
        _hooked = True
        os.register_at_fork(after_in_child=_forked)
        atexit.register(_exiting)
    _living.add(one)


def generation() -> int:
    """How many forks lie between this process and the first."""
    return _generation


def check(of: int) -> None:
    """Raise ForkedClient when this process is not the one that was in generation ``of``."""
    if of != _generation:
        raise ForkedClient("this client belongs to the parent process", hint="connect in the child")


def _forked() -> None:
    global _generation
    _generation += 1
    for one in list(_living):
        one._after_fork()


def _exiting() -> None:
    # Readers hold no GIL: they must have ended before anything that they write to goes.
    for one in list(_living):
        one._at_exit()
