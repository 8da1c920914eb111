"""The clocks. Everything else is given the time."""

from __future__ import annotations

import time


def now_ns() -> int:
    """Monotonic nanoseconds; only differences mean something."""
    return time.monotonic_ns()


def wall_ns() -> int:
    """Nanoseconds since 1970, UTC."""
    return time.time_ns()


def wall_ms() -> int:
    """Milliseconds since 1970, UTC."""
    return time.time_ns() // 1_000_000
