"""Why an instrument cannot be traded."""

from __future__ import annotations

from ibwire.compat.object_implem import Object


class IneligibilityReason(Object):
    """One reason: its id and what it means."""

    def __init__(self, id_: str | None = None, description: str | None = None) -> None:
        self.id_ = str(id_)
        self.description = str(description)

    def __str__(self) -> str:
        return f"[id: {self.id_}, description: {self.description}];"
