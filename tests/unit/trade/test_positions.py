"""What the accounts ought to hold, and when nobody can know."""

from __future__ import annotations

from decimal import Decimal

import pytest

from ibwire.trade.positions import MOMENTS_NS, Held, date_after, packed, unpacked

KEY = ("DU0000001", 265598)
S = 1_000_000_000
TEN = {KEY: Decimal(10)}


def held(at_s: int = 100) -> Held:
    made = Held()
    made.told(TEN, "20260112", at_s * S)
    return made


def test_nothing_is_known_before_a_list_came() -> None:
    made = Held()
    made.executed(*KEY, Decimal(5), 0)
    assert made.expected(KEY) is None and not made.can_compare("20260112", True)


def test_executions_count_from_the_list_on() -> None:
    made = held()
    assert made.expected(KEY) == 10 and made.expected(("DU0000001", 1)) == 0
    made.executed(*KEY, Decimal("2.5"), 200 * S)
    made.executed(*KEY, Decimal(-4), 201 * S)
    made.executed("DU0000001", 1, Decimal(-3), 201 * S)
    assert made.expected(KEY) == Decimal("8.5") and made.expected(("DU0000001", 1)) == -3


@pytest.mark.parametrize("at_ns", [100 * S, 100 * S + MOMENTS_NS - 1])
def test_an_execution_right_after_a_list_may_be_in_it(at_ns: int) -> None:
    made = held()
    made.executed(*KEY, Decimal(5), at_ns)
    assert made.expected(KEY) is None
    made.executed(*KEY, Decimal(5), 200 * S)
    assert made.expected(KEY) is None, "until the next list"
    made.told({KEY: Decimal(20)}, "20260112", 300 * S)
    assert made.expected(KEY) == 20


def test_an_execution_right_before_a_list_may_not_be_in_it_unless_the_numbers_agree() -> None:
    made = held()
    made.executed(*KEY, Decimal(5), 199 * S)
    made.told({KEY: Decimal(15)}, "", 200 * S)
    assert made.expected(KEY) == 15
    made.executed(*KEY, Decimal(5), 299 * S)
    made.told({KEY: Decimal(15)}, "", 300 * S)
    assert made.expected(KEY) is None


def test_what_is_not_in_the_list_is_nothing() -> None:
    made = held()
    made.told({}, "", 200 * S)
    assert made.expected(KEY) == 0


def test_after_a_gap_only_a_whole_list_of_the_same_day_will_do() -> None:
    made = held()
    assert made.can_compare("20260113", False), "without a gap the day does not matter"
    made.gap()
    assert made.can_compare("20260112", True)
    assert not made.can_compare("20260112", False)
    assert not made.can_compare("20260113", True)
    assert not made.can_compare("", True)
    made.told(TEN, "20260113", 200 * S)
    assert made.can_compare("20260113", False)


def test_an_execution_of_nobody_ends_it() -> None:
    made = held()
    made.executed("", KEY[1], Decimal(1), 200 * S)
    assert made.expected(KEY) is None and not made.can_compare("20260112", True)


def test_a_clock_that_began_anew_is_no_moment() -> None:
    made = held(at_s=100_000)
    made.executed(*KEY, Decimal(5), 5 * S)
    assert made.expected(KEY) == 15


def test_positions_as_text() -> None:
    sizes = {KEY: Decimal("10.000001"), ("DU0000002", 7): Decimal(-3)}
    assert unpacked(packed(sizes)) == sizes


@pytest.mark.parametrize(
    ("text", "hours", "day"),
    [
        ("20260112 23:10:00 EST", 0, "20260112"),
        ("20260112 23:10:00 Central European Standard Time", 1, "20260113"),
        ("", 0, ""),
        ("yesterday", 0, ""),
    ],
)
def test_the_gateways_date(text: str, hours: int, day: str) -> None:
    assert date_after(text, hours * 3600 * S) == day
