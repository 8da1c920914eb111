"""Flat messages to payloads."""

from typing import Any

class FlatEncoder:
    """A flat message to its payload.

    ``fields`` are tuples (kind, attribute name or None, getter, function of a value, tag, whether zero is left out, unset
    value); see ``ibwire.wire.flat``.
    """

    def __init__(self, head: bytes, fields: list[tuple[Any, ...]]) -> None: ...
    def __call__(self, message: Any) -> bytes:
        """Return the payload; raises AttributeError for an object that lacks a field, and what the functions raise."""
