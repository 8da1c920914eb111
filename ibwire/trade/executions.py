"""Executions and their fees: de-duplicated, corrected, summed exactly.

An execution id ends in ``.NN``; a correction has the same id but for those last digits and replaces the earlier one.
Fee reports name an execution id and may come before it, so they are kept until it comes. Every sum is in Decimal with
a context of our own: a program that lowers the precision of its thread does not change a fee.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Context, Decimal, InvalidOperation
from enum import IntEnum
from typing import Any, Final, Generic, TypeVar

__all__ = ["EXACT", "ZERO", "ExecutionBook", "Fee", "Fill", "Outcome", "Part", "known", "split_exec_id", "sum_fees"]

EXACT: Final = Context(prec=200)
ZERO: Final = Decimal(0)
_UNSET_INTEGERS: Final = frozenset({2**31 - 1, 2**63 - 1, -(2**63 - 1), -(2**63), 2**127 - 1})
_DOUBLE_MAX: Final = Decimal("1.797693134862315E+308")  # at or above: the double sentinel in any of its spellings

OwnerT = TypeVar("OwnerT")


def known(value: object) -> Decimal | None:
    """Exact Decimal of a wire number, or None for what means "not set" (None, empty, NaN, infinite, a sentinel).

    A float becomes the shortest decimal that reads back as the same float: 0.1 is 0.1.
    """
    if isinstance(value, Decimal):
        number = value
    elif value is None or value == "":
        return None
    else:
        try:
            number = Decimal(float.__repr__(value) if isinstance(value, float) else str(value))
        except InvalidOperation:
            return None
    if not number.is_finite() or number in _UNSET_INTEGERS or abs(number) >= _DOUBLE_MAX:
        return None
    return number


def split_exec_id(exec_id: str) -> tuple[str, int]:
    """Split ``0000e0d5.5f4.01.02`` into the part that corrections share and the revision, here 2."""
    base, dot, last = exec_id.rpartition(".")
    if dot and last.isascii() and last.isdigit():
        return base, int(last)
    return exec_id, 0


class Outcome(IntEnum):
    """What an execution message turned out to be."""

    NEW = 0
    DUPLICATE = 1
    CORRECTION = 2  # replaces an earlier revision
    STALE = 3  # an earlier revision than the one already held


class Part(IntEnum):
    """What an execution is of its order."""

    ORDER = 0
    ALLOCATION = 1  # one account's share of an advisor's order
    LEG = 2  # of a combination: never counts for the order's quantity


@dataclass(slots=True)
class Fee:
    """One commission-and-fees report; `amount` and `realized_pnl` are None when the report leaves them unset."""

    exec_id: str
    amount: Decimal | None
    currency: str
    realized_pnl: Decimal | None


@dataclass(slots=True, eq=False)
class Fill(Generic[OwnerT]):
    """The latest revision of one execution, with the fee reports of all its revisions.

    Attributes
    ----------
    shares, price : Decimal
        Executed quantity, never negative, and price; zero when the message left them unset.
    sec_type : str
        Security type of the execution's contract: tells a combination from its legs.
    account : str
        The account it was booked in; tells an advisor's order from its allocations.
    cum : Decimal
        The cumulative quantity that it names, 0 when none.
    corrected : bool
        It replaces an earlier revision, seen or not.
    owner : object or None
        The order it belongs to.
    """

    base: str
    revision: int
    exec_id: str
    side: str
    shares: Decimal
    price: Decimal
    time: str
    sec_type: str
    contract: Any
    execution: Any
    ns: int
    account: str = ""
    cum: Decimal = ZERO
    corrected: bool = False
    owner: OwnerT | None = None
    fees: dict[int, Fee] = field(default_factory=dict)

    @property
    def fee(self) -> Fee | None:
        """The report of the highest revision, None until one came."""
        return self.fees[max(self.fees)] if self.fees else None


class ExecutionBook(Generic[OwnerT]):
    """All executions of a session by id. One owner thread."""

    def __init__(self) -> None:
        self._fills: dict[str, Fill[OwnerT]] = {}
        self._early_fees: dict[str, dict[int, Fee]] = {}

    def get(self, exec_id: str) -> Fill[OwnerT] | None:
        """The fill that `exec_id` or any other revision of it stands for."""
        return self._fills.get(split_exec_id(exec_id)[0])

    @property
    def held_fees(self) -> list[Fee]:
        """Fee reports whose execution has not come."""
        return [fee for revisions in self._early_fees.values() for fee in revisions.values()]

    def adopt(self, fill: Fill[OwnerT]) -> None:
        """Take an execution with all that is known of it; nothing was known of it here but perhaps fees."""
        self._fills[fill.base] = fill
        fill.fees.update(self._early_fees.pop(fill.base, {}))

    def on_execution(
        self, contract: Any, execution: Any, now_ns: int
    ) -> tuple[Outcome, Fill[OwnerT], Decimal, Decimal]:
        """Take one execution.

        Returns
        -------
        outcome, fill, shares_delta, notional_delta
            The change of executed quantity and of quantity times price; both zero for a duplicate.
        """
        exec_id = str(execution.execId)
        base, revision = split_exec_id(exec_id)
        shares = abs(known(execution.shares) or ZERO)
        price = known(execution.price) or ZERO
        fill = self._fills.get(base)
        if fill is None:
            fill = Fill(
                base, revision, exec_id, str(getattr(execution, "side", "")), shares, price,
                str(getattr(execution, "time", "")), str(getattr(contract, "secType", "") or ""),
                contract, execution, now_ns, str(getattr(execution, "acctNumber", "") or ""),
                known(getattr(execution, "cumQty", None)) or ZERO, revision > 1,
            )  # fmt: skip
            fill.fees = self._early_fees.pop(base, {})
            self._fills[base] = fill
            return Outcome.NEW, fill, shares, EXACT.multiply(shares, price)
        if revision == fill.revision:
            return Outcome.DUPLICATE, fill, ZERO, ZERO
        fill.corrected = True
        if revision < fill.revision:
            return Outcome.STALE, fill, ZERO, ZERO
        old_shares, old_notional = fill.shares, EXACT.multiply(fill.shares, fill.price)
        fill.revision, fill.exec_id, fill.execution = revision, exec_id, execution
        fill.shares, fill.price = shares, price
        fill.cum = known(getattr(execution, "cumQty", None)) or ZERO
        notional = EXACT.multiply(shares, price)
        return Outcome.CORRECTION, fill, EXACT.subtract(shares, old_shares), EXACT.subtract(notional, old_notional)

    def on_commission(self, report: Any) -> tuple[Fee, Fill[OwnerT] | None]:
        """Take one fee report; the fill is None when its execution has not come yet (the report is kept)."""
        exec_id = str(report.execId)
        base, revision = split_exec_id(exec_id)
        amount = getattr(report, "commissionAndFees", None)
        if amount is None:
            amount = getattr(report, "commission", None)  # the field's name before API 10.35
        pnl = known(getattr(report, "realizedPNL", None))
        fee = Fee(exec_id, known(amount), str(getattr(report, "currency", "") or ""), pnl)
        fill = self._fills.get(base)
        (fill.fees if fill is not None else self._early_fees.setdefault(base, {}))[revision] = fee
        return fee, fill


def sum_fees(fills: Iterable[Fill[OwnerT]]) -> dict[str, Decimal]:
    """Exact fees of `fills` for each currency; reports without an amount add nothing."""
    total: dict[str, Decimal] = {}
    for fill in fills:
        fee = fill.fee
        if fee is not None and fee.amount is not None:
            total[fee.currency] = EXACT.add(total.get(fee.currency, ZERO), fee.amount)
    return total
