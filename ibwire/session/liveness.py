"""How far a session has come: what a gateway says unasked before requests make sense."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class Readiness:
    """What was seen since the session began. A session is ready once both have come, in whatever order.

    Attributes
    ----------
    next_valid_id : int or None
        The first order id that the gateway offers; a later nextValidId (asked for with reqIds) never lowers it.
    accounts : tuple of str or None
        Account names of managedAccounts.
    """

    next_valid_id: int | None = None
    accounts: tuple[str, ...] | None = None

    @property
    def ready(self) -> bool:
        return self.next_valid_id is not None and self.accounts is not None

    def on_next_valid_id(self, orderId: int) -> None:
        self.next_valid_id = orderId if self.next_valid_id is None else max(orderId, self.next_valid_id)

    def on_managed_accounts(self, accountsList: str) -> None:
        """``accountsList`` as it came: commas between, and often one at the end."""
        self.accounts = tuple(name for name in (part.strip() for part in accountsList.split(",")) if name)
