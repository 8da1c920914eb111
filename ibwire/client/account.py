"""Positions and account values as the gateway reports them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal

from ibwire.types.structs import Contract

__all__ = ["AccountValue", "Position", "Positions"]


@dataclass(frozen=True, slots=True)
class Position:
    """What an account holds of one contract.

    Attributes
    ----------
    account : str
        The account.
    contract : Contract
        The contract, as the gateway names it (always with conId).
    size : Decimal
        Quantity; negative when short.
    avg_cost : float
        Average cost for one unit, in the contract's currency, with multiplier and fees as the gateway counts them.
    """

    account: str
    contract: Contract
    size: Decimal
    avg_cost: float


@dataclass(frozen=True, slots=True)
class AccountValue:
    """One value of an account summary; ``value`` is the gateway's text, ``currency`` may be empty."""

    account: str
    tag: str
    value: str
    currency: str


class Positions(Mapping[Contract, Position]):
    """The book at one moment, by contract.

    A contract is looked up by its conId; a contract that has none yet raises KeyError: qualify it first. A contract
    that no account holds gives a position of size 0. With several accounts a look-up gives the sum over all of them
    (``account`` is then empty); iterate over :meth:`values` for each.
    """

    def __init__(self, rows: list[Position]) -> None:
        self._rows = rows

    def __getitem__(self, contract: Contract) -> Position:
        if not contract.conId:
            raise KeyError(f"{contract.symbol or 'a contract'} has no conId: qualify it first")
        rows = [row for row in self._rows if row.contract.conId == contract.conId]
        if len(rows) == 1:
            return rows[0]
        size = sum((row.size for row in rows), Decimal(0))
        cost = float(sum(Decimal(repr(row.avg_cost)) * row.size for row in rows) / size) if size else 0.0
        return Position("", contract, size, cost)

    def __contains__(self, contract: object) -> bool:
        return isinstance(contract, Contract) and any(row.contract.conId == contract.conId for row in self._rows)

    def __iter__(self) -> Iterator[Contract]:
        return (row.contract for row in self._rows)

    def __len__(self) -> int:
        return len(self._rows)

    def rows(self) -> list[Position]:
        """Every position of every account."""
        return list(self._rows)

    def __repr__(self) -> str:
        inside = ", ".join(f"{row.contract.localSymbol or row.contract.symbol} {row.size:+f}" for row in self._rows)
        return f"<Positions {inside or 'none'}>"
