from __future__ import annotations

import decimal
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ibwire.trade.executions import ExecutionBook, Outcome, known, split_exec_id, sum_fees
from tests.unit.trade.messages import commission, execution


def take(book: ExecutionBook[object], exec_id: str, shares: object = 10, price: float = 2.5) -> tuple[Outcome, Decimal]:
    msg = execution(1, exec_id, shares, price)
    outcome, _, delta, _ = book.on_execution(msg.contract, msg.execution, 0)
    return outcome, delta


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, None), ("", None), (0.1, Decimal("0.1")), ("0.10", Decimal("0.10")), (3, Decimal(3)),
        (2147483647, None), (9223372036854775807, None), (-9223372036854775807, None), (2**127 - 1, None),
        (1.7976931348623157e308, None), ("1.7976931348623157E308", None), ("1.797693134862315E+308", None),
        (float("nan"), None), (float("inf"), None), ("abc", None), (Decimal("1E-18"), Decimal("1E-18")),
    ],
)  # fmt: skip
def test_known(value: object, expected: Decimal | None) -> None:
    assert known(value) == expected


def test_known_reads_a_float_subclass_by_value() -> None:
    class Odd(float):
        def __repr__(self) -> str:
            return f"odd({float(self)})"

    assert known(Odd(1.5)) == Decimal("1.5")


@given(st.floats(allow_nan=False, allow_infinity=False, min_value=-1e300, max_value=1e300))
def test_known_float_reads_back(value: float) -> None:
    if value in (2147483647.0, 9.223372036854775807e18, -9.223372036854775807e18, float(2**127 - 1)):
        return
    number = known(value)
    assert number is not None
    assert float(number) == value


@pytest.mark.parametrize(
    ("exec_id", "base", "revision"),
    [("0000e0d5.5f4.01.02", "0000e0d5.5f4.01", 2), ("plain", "plain", 0), ("a.b", "a.b", 0), ("a.", "a.", 0)],
)
def test_split_exec_id(exec_id: str, base: str, revision: int) -> None:
    assert split_exec_id(exec_id) == (base, revision)


def test_duplicate_counts_once() -> None:
    book: ExecutionBook[object] = ExecutionBook()
    assert take(book, "a.01.01") == (Outcome.NEW, Decimal(10))
    assert take(book, "a.01.01") == (Outcome.DUPLICATE, Decimal(0))
    assert take(book, "a.02.01") == (Outcome.NEW, Decimal(10))


def test_correction_replaces_and_an_older_one_is_ignored() -> None:
    book: ExecutionBook[object] = ExecutionBook()
    take(book, "a.01.02", 10)
    assert take(book, "a.01.01", 99) == (Outcome.STALE, Decimal(0))
    assert take(book, "a.01.10", 7) == (Outcome.CORRECTION, Decimal(-3))  # 10 is above 2: numbers, not text
    fill = book.get("a.01.01")
    assert fill is not None
    assert (fill.shares, fill.revision, fill.corrected) == (Decimal(7), 10, True)


def test_fee_before_execution_is_held() -> None:
    book: ExecutionBook[object] = ExecutionBook()
    fee, fill = book.on_commission(commission("a.01.01", 0.35))
    assert fill is None
    assert book.held_fees == [fee]
    take(book, "a.01.01")
    assert book.held_fees == []
    held = book.get("a.01.01")
    assert held is not None
    assert held.fee == fee


@pytest.mark.parametrize("backwards", [False, True])
def test_fee_of_the_highest_revision_counts(backwards: bool) -> None:
    book: ExecutionBook[object] = ExecutionBook()
    take(book, "a.01.01")
    reports = [commission("a.01.01", 1.0), commission("a.01.02", 1.5)]
    for report in reversed(reports) if backwards else reports:
        book.on_commission(report)
    fill = book.get("a.01.01")
    assert fill is not None
    assert sum_fees([fill]) == {"USD": Decimal("1.5")}


def test_fees_are_exact_whatever_the_callers_decimal_context() -> None:
    book: ExecutionBook[object] = ExecutionBook()
    fills = []
    for index in range(10):
        take(book, f"a.{index}.01")
        book.on_commission(commission(f"a.{index}.01", 0.1))
    book.on_commission(commission("a.9.01", 123456789.123456))
    for index in range(10):
        fill = book.get(f"a.{index}.01")
        assert fill is not None
        fills.append(fill)
    with decimal.localcontext() as context:
        context.prec = 3
        assert sum_fees(fills) == {"USD": Decimal("123456790.023456")}


def test_fee_without_amount_adds_nothing_and_currencies_stay_apart() -> None:
    book: ExecutionBook[object] = ExecutionBook()
    for exec_id, amount, currency in (("a.1", 1.7976931348623157e308, "USD"), ("b.1", 2, "EUR"), ("c.1", 3, "USD")):
        take(book, exec_id)
        book.on_commission(commission(exec_id, amount, currency))
    fills = [fill for name in "abc" if (fill := book.get(f"{name}.1")) is not None]
    assert sum_fees(fills) == {"EUR": Decimal(2), "USD": Decimal(3)}


def test_old_name_of_the_fee_field() -> None:
    class Report:
        execId, commission, currency, realizedPNL = "a.1", 1.25, "USD", 1.7976931348623157e308

    fee, _ = ExecutionBook[object]().on_commission(Report())
    assert fee.amount == Decimal("1.25")
    assert fee.realized_pnl is None
