"""The wall clock of errors that the client makes itself; the clock module is loaded when the first one is made."""

from __future__ import annotations


def now_ms() -> int:
    """Epoch milliseconds."""
    from ibwire.io.clock import wall_ms

    return wall_ms()
