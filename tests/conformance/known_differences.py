"""Where ibwire differs from an official release on purpose: each with its reason.

``test_known_differences.py`` has a test for every key here, that the official behaviour is still so. The other tests
use the entries in four ways: ``adapt`` changes a message before either side sees it, ``ask`` changes what the official
client alone is given, ``ignore`` names attributes that do not count, ``skip`` says that a case is not compared.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from ibwire.spec import versions as V
from ibwire.spec.model import FOREVER, Row

from .oracle import VERSIONS, Decoded, EncodeCase, Encoded

BEFORE_10_37 = ("9.81.1", "10.19.4", "10.30.1")


@dataclass(frozen=True, slots=True)
class Difference:
    """One deliberate divergence.

    Attributes
    ----------
    key, reason : its name, and why we differ.
    direction : "outgoing" or "incoming".
    releases, rows, since, until : where it counts; no rows: all of them.
    """

    key: str
    direction: str
    reason: str
    releases: tuple[str, ...] = VERSIONS
    rows: tuple[str, ...] = ()
    since: int = 0
    until: int = FOREVER
    adapt: Callable[[Any, int], None] | None = None
    ask: Callable[[EncodeCase], None] | None = None
    skip: Callable[[Any, Encoded | Decoded], bool] | None = None
    ignore: tuple[str, ...] = ()

    def counts(self, version: str, row: Row, server_version: int) -> bool:
        """Whether it concerns that release, message and server version."""
        return (
            version in self.releases
            and self.direction == row.direction.value
            and (not self.rows or row.name in self.rows)
            and self.since <= server_version < self.until
        )


def _cash_qty_zero(case: EncodeCase) -> None:
    case.args[2]["v"]["cashQty"] = 0


DIFFERENCES: tuple[Difference, ...] = (
    Difference(
        "placeOrder.cashQty",
        "outgoing",
        "Below the gate of cashQty the official client takes its own unset value for a set one and refuses every order.",
        rows=("placeOrder",),
        until=V.CASH_QTY,
        ask=_cash_qty_zero,
    ),
)


def differences(version: str, row: Row, server_version: int) -> Iterator[Difference]:
    """Those that concern a case."""
    return (d for d in DIFFERENCES if d.counts(version, row, server_version))
