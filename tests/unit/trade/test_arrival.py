"""Every order of arrival of every scenario; see ``arrival``."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import permutations
from math import factorial, prod
from random import Random

import pytest

from ibwire.client.told import differences
from tests.unit.trade.arrival import EXHAUSTIVE, Implementation, Scenario, check, is_allowed
from tests.unit.trade.compiled import Compiled
from tests.unit.trade.plain import Plain
from tests.unit.trade.scenarios import SCENARIOS as USUAL
from tests.unit.trade.scenarios_rare import RARE

SCENARIOS = (*USUAL, *RARE)
IMPLEMENTATIONS: dict[str, Implementation] = {"plain": Plain, "compiled": Compiled}


@pytest.fixture(params=list(IMPLEMENTATIONS.values()), ids=list(IMPLEMENTATIONS))
def make(request: pytest.FixtureRequest) -> Iterator[Implementation]:
    yield request.param


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda s: s.name)
def test_every_order_of_arrival(scenario: Scenario, make: Implementation) -> None:
    tried = check(scenario, make, Random(7))
    if len(scenario.messages) > EXHAUSTIVE:
        assert tried > 1000
    else:
        messages = scenario.messages
        alike = [messages.count(one) for at, one in enumerate(messages) if one not in messages[:at]]
        assert tried == factorial(len(messages)) // prod(map(factorial, alike))


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda s: s.name)
def test_both_machines_say_the_same_in_every_order_of_arrival(scenario: Scenario) -> None:
    """All orders of up to 6 messages; of more, random ones."""
    rng, seen = Random(3), 0
    count = len(scenario.messages)
    orders = permutations(range(count)) if count <= 6 else (rng.sample(range(count), count) for _ in range(700))
    for order in orders:
        plain, compiled = Plain(), Compiled()
        for now, step in enumerate((*scenario.before, *(scenario.messages[at] for at in order))):
            plain.apply(step, now * 1_000_000)
            compiled.apply(step, now * 1_000_000)
        compiled.tracker.settle_rows()
        assert differences(plain.table, compiled.table) == [], order
        seen += 1
    assert seen


def test_scenarios_have_names_of_their_own_and_some_are_longer_than_is_tried_out() -> None:
    assert len(SCENARIOS) >= 62 and any(len(scenario.messages) > EXHAUSTIVE for scenario in SCENARIOS)
    assert len({scenario.name for scenario in SCENARIOS}) == len(SCENARIOS)


def test_only_listed_pairs_may_be_turned() -> None:
    assert is_allowed((1, 0, 2), ((0, 1),))
    assert not is_allowed((2, 0, 1), ((0, 1),))
    assert not is_allowed((1, 2, 0), ((0, 1),))
    assert is_allowed((1, 2, 0), ((0, 1), (0, 2)))
