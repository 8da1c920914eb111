"""The simulator's numbers are the same everywhere."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ibwire.sim.rng import Rng, stable_hash


def test_published_splitmix64_vector() -> None:
    rng = Rng(1234567)
    assert [rng.next_u64() for _ in range(5)] == [
        6457827717110365317,
        3203168211198807973,
        9817491932198370423,
        4593380528125082431,
        16408922859458223821,
    ]


def test_streams_depend_on_seed_and_name_only() -> None:
    def draw(seed: int, *name: int | str) -> list[int]:
        rng = Rng.of(seed, *name)
        return [rng.below(1000) for _ in range(20)]

    assert draw(7, "quotes", 1) == draw(7, "quotes", 1)
    assert (
        len({tuple(draw(*args)) for args in ((7, "quotes", 1), (8, "quotes", 1), (7, "quotes", 2), (7, "o", 1))}) == 4
    )


def test_hash_is_pinned_and_keeps_parts_apart() -> None:
    assert stable_hash("a", "b") != stable_hash("ab")
    assert stable_hash(7, "quotes", 265598) == 0x5501825E72E88B60


@given(st.integers(0, 2**64), st.integers(1, 10**6))
def test_below_is_in_range(state: int, limit: int) -> None:
    rng = Rng(state)
    assert all(0 <= rng.below(limit) < limit for _ in range(20))


@pytest.mark.parametrize("limit", [0, -1, 2**64 + 1])
def test_below_refuses_impossible_limits(limit: int) -> None:
    with pytest.raises(ValueError, match="limit"):
        Rng(1).below(limit)


def test_below_reaches_every_value_about_equally() -> None:
    rng = Rng.of(1, "even")
    counts = [0] * 6
    for _ in range(6000):
        counts[rng.below(6)] += 1
    assert min(counts) > 850 and max(counts) < 1150


def test_exponential_has_the_mean_asked_for() -> None:
    rng = Rng.of(1, "wait")
    values = [rng.exponential(1_000_000) for _ in range(20_000)]
    assert min(values) >= 0
    assert 970_000 < sum(values) / len(values) < 1_030_000
    assert max(values) > 4_000_000
