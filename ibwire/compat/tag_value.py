"""A tag with its value, both text; lists of them carry options."""

from __future__ import annotations

from ibwire.compat.object_implem import Object


class TagValue(Object):
    """One option. Both parts are made text, so that numbers may be given."""

    def __init__(self, tag: object = None, value: object = None) -> None:
        self.tag = str(tag)
        self.value = str(value)

    def __str__(self) -> str:
        return f"{self.tag}={self.value};"
