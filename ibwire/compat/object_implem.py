"""The base of the official data classes."""

from __future__ import annotations


class Object:
    """Prints as ``Object`` where a class says nothing better; ``repr`` adds the object's id."""

    def __str__(self) -> str:
        return "Object"

    def __repr__(self) -> str:
        return f"{id(self)}: {self}"


def older_name(name: str) -> property:
    """The same attribute under the name that it had in older releases."""

    def read(self: object) -> object:
        return getattr(self, name)

    def write(self: object, value: object) -> None:
        setattr(self, name, value)

    return property(read, write, doc=f"``{name}`` under its older name.")
