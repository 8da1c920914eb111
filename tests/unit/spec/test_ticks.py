from __future__ import annotations

from ibwire.spec import ticks


def test_numbers_are_dense_and_names_unique() -> None:
    assert sorted(ticks.NAMES) == list(range(112))
    assert len(ticks.NUMBERS) == 112
    assert ticks.NAMES[ticks.NOT_SET] == "NOT_SET"


def test_known_landmarks() -> None:
    assert [ticks.NAMES[n] for n in (0, 1, 4, 45, 66, 88, 105)] == [
        "BID_SIZE", "BID", "LAST", "LAST_TIMESTAMP", "DELAYED_BID", "DELAYED_LAST_TIMESTAMP", "ODD_LOT_BID",
    ]  # fmt: skip


def test_each_price_has_the_size_of_its_own_name() -> None:
    assert len(ticks.SIZE_OF_PRICE) == 6
    for price, size in ticks.SIZE_OF_PRICE.items():
        assert ticks.NAMES[size] == ticks.NAMES[price] + "_SIZE"


def test_delayed() -> None:
    assert {66, 67, 68, 88, 103} <= ticks.DELAYED
    assert not {1, 2, 4} & ticks.DELAYED


def test_name_never_raises() -> None:
    assert ticks.name(2) == "ASK"
    assert ticks.name(0) == "BID_SIZE"
    assert ticks.name(4711) == "TICK_4711"
