"""What stands for us in conformance: objects built as compat builds them."""

from __future__ import annotations

from typing import Any

from .normal import Notation, normalise


class _Object:
    """An object with the attributes that compat's class would have."""

    def __init__(self, name: str, names: tuple[str, ...], values: list[Any]) -> None:
        self.__dict__.update(zip(names, values, strict=True))
        type(self)


def official_make(name: str, names: tuple[str, ...], values: list[Any]) -> Any:
    cls = type(name, (_Object,), {})
    return cls(name, names, values)


__all__ = ["Notation", "normalise", "official_make"]
