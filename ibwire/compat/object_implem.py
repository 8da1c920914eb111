"""The base of the official data classes."""

from __future__ import annotations


class Object:
    """Prints as ``Object`` where a class says nothing better; ``repr`` adds the object's id."""

    def __str__(self) -> str:
        return "Object"

    def __repr__(self) -> str:
        return f"{id(self)}: {self}"
