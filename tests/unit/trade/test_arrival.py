"""Every order of arrival of every scenario; see ``arrival``."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

import pytest

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


def test_scenarios_have_names_of_their_own() -> None:
    assert len({scenario.name for scenario in SCENARIOS}) == len(SCENARIOS)


def test_only_listed_pairs_may_be_turned() -> None:
    assert is_allowed((1, 0, 2), ((0, 1),))
    assert not is_allowed((2, 0, 1), ((0, 1),))
    assert not is_allowed((1, 2, 0), ((0, 1),))
    assert is_allowed((1, 2, 0), ((0, 1), (0, 2)))
