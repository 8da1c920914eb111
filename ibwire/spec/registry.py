"""All rows by direction and id, and the packages' order: the one place where rows are collected."""

from __future__ import annotations

import importlib
from typing import Final

from ibwire.spec.model import Direction, Row

_INCOMING: Final = (
    "ticks",
    "orders",
    "system",
    "account",
    "contracts",
    "depth",
    "news",
    "advisor",
    "historical",
    "scanner",
    "misc",
    "config",
)
_OUTGOING: Final = (
    "market",
    "orders",
    "account",
    "contracts",
    "historical",
    "news",
    "scanner",
    "advisor",
    "misc",
    "config",
)


def _collect(package: str, modules: tuple[str, ...], direction: Direction) -> dict[int, Row]:
    found: dict[int, Row] = {}
    for name in modules:
        module = importlib.import_module(f"ibwire.spec.{package}.{name}")
        for value in vars(module).values():
            if not isinstance(value, Row):
                continue
            if value.direction is not direction or found.setdefault(value.id, value) is not value:
                raise ValueError(f"{package}/{name}: row {value.name} has the id {value.id} of another row")
    return dict(sorted(found.items()))


INCOMING: Final[dict[int, Row]] = _collect("incoming", _INCOMING, Direction.INCOMING)
"""Message id -> row of what a gateway sends."""

OUTGOING: Final[dict[int, Row]] = _collect("outgoing", _OUTGOING, Direction.OUTGOING)
"""Message id -> row of what a client sends."""


def by_name(name: str) -> Row:
    """The row of a message by its name, whatever its direction. Raises KeyError with the nearest names."""
    for rows in (INCOMING, OUTGOING):
        for row in rows.values():
            if row.name == name:
                return row
    import difflib

    names = [r.name for rows in (INCOMING, OUTGOING) for r in rows.values()]
    near = difflib.get_close_matches(name, names, 3, 0.4)
    raise KeyError(f"no message {name!r}" + (f"; near: {', '.join(near)}" if near else ""))
