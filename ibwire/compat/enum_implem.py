"""The official package's simple enumeration: names as attributes, numbered from 0."""

from __future__ import annotations


class Enum:
    """Names to numbers and back.

    Parameters
    ----------
    *args : the names, in the order of their numbers. A name given twice has its last number as attribute.
    """

    def __init__(self, *args: str) -> None:
        self.idx2name: dict[int, str] = dict(enumerate(args))
        self.__dict__.update({name: number for number, name in enumerate(args)})

    def __getattr__(self, name: str) -> int:
        raise AttributeError(f"this enumeration has no {name}: {', '.join(self.__dict__.get('idx2name', {}).values())}")

    def toStr(self, idx: int) -> str:
        """The name of a number, ``NOTFOUND`` for one that has none."""
        return self.idx2name.get(idx, "NOTFOUND")
