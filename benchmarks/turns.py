"""Turns: everybody is measured once per round, so that a moment of the machine meets all of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def interleaved(runs: int, takers: dict[str, Callable[[], T]], *, warm_up: bool = True) -> dict[str, list[T]]:
    """What each of them measured, in ``runs`` rounds; before them, one to warm up."""
    seen: dict[str, list[T]] = {name: [] for name in takers}
    for turn in range(-warm_up, runs):
        for name, take in takers.items():
            value = take()
            if turn >= 0:
                seen[name].append(value)
    return seen
