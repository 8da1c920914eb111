"""Where ibwire differs from an official release on purpose: each with its reason and a test that it is still so."""

from __future__ import annotations

from typing import Any

from ibwire.spec.model import Row


def outgoing_difference(version: str, row: Row, sv: int, message: Any, theirs: Any) -> str:
    """The reason why this case is not compared, or an empty text."""
    return ""


def incoming_difference(version: str, row: Row, sv: int, message: Any, payload: bytes, theirs: Any) -> str:
    """The reason why this case is not compared, or an empty text."""
    return ""
