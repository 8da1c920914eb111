"""A soft dollar tier."""

from __future__ import annotations

from ibwire.compat.object_implem import Object


class SoftDollarTier(Object):
    """Name and value as orders carry them, and the name to show."""

    def __init__(self, name: str = "", val: str = "", displayName: str = "") -> None:
        self.name = name
        self.val = val
        self.displayName = displayName

    def __str__(self) -> str:
        return f"Name: {self.name}, Value: {self.val}, DisplayName: {self.displayName}"
