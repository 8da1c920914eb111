"""Scenarios in every order of arrival, against any implementation of the order machine.

A :class:`Scenario` is data: what happened before, the messages that then come, what is true at the end, which pairs
the gateway may swap, and what it answers when it is asked. :func:`check` runs one against an :class:`Implementation`:
in every order of arrival (of up to 8 messages, else shuffled) quantity, fees and executions are the same; the state is
the true one or uncertain, and the true one where only swappable pairs are swapped; after the look-up it is the true
one whatever came before.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import combinations, permutations
from random import Random
from typing import Any, Final, NamedTuple, Protocol

from ibwire.spec.orderstates import ENDED, State

EXHAUSTIVE: Final = 8
ALL: Final = "all"


class Step(NamedTuple):
    """One thing that happens: the name of it, an order id where it is local, and the message or order."""

    verb: str
    order_id: int = 0
    what: Any = None
    text: str = ""


class Facts(NamedTuple):
    """What no order of arrival may change."""

    filled: Decimal
    executions: frozenset[str]
    fees: tuple[tuple[str, Decimal], ...]


class Tracker(Protocol):
    """An order table under test. Orders are named by a key: an order id, or a permId with a minus sign before it."""

    def apply(self, step: Step, now_ns: int) -> None: ...
    def state(self, key: int) -> State: ...
    def facts(self, key: int) -> Facts: ...
    def keys(self) -> int:
        """How many orders it holds."""


Implementation = Callable[[], Tracker]


@dataclass(frozen=True)
class Scenario:
    """See the module's text.

    Attributes
    ----------
    truth : dict
        Key -> (state, filled) at the end.
    swaps : "all" or pairs of indexes into `messages`
        What may overtake what in a real gateway.
    sure : bool
        In the order given the state is the true one; else it is uncertain, and only the look-up tells.
    lookup : tuple of Step
        What the gateway answers to open orders and completed orders; None: it is not asked.
    also : tuple of State
        What may be told besides the truth and uncertain where more is turned round than a gateway would: never an end.
    orders : int
        How many orders there are then; 0: not looked at.
    """

    name: str
    before: tuple[Step, ...]
    messages: tuple[Step, ...]
    truth: Mapping[int, tuple[State, int | Decimal]]
    swaps: str | tuple[tuple[int, int], ...] = ALL
    sure: bool = True
    lookup: tuple[Step, ...] | None = None
    also: tuple[State, ...] = ()
    orders: int = 0

    def __post_init__(self) -> None:
        assert not ENDED.intersection(self.also)


def all_but(count: int, *pairs: tuple[int, int]) -> tuple[tuple[int, int], ...]:
    """Every pair of `count` messages but these may be swapped."""
    return tuple(pair for pair in combinations(range(count), 2) if pair not in pairs)


def arrivals(messages: Sequence[object], rng: Random, shuffles: int) -> Iterator[tuple[int, ...]]:
    """Every order of the messages, equal ones taken for one, or `shuffles` random ones beyond EXHAUSTIVE."""
    count = len(messages)
    if count <= EXHAUSTIVE:
        equal = [(a, b) for a, b in combinations(range(count), 2) if messages[a] == messages[b]]
        for order in permutations(range(count)):
            if all(order.index(a) < order.index(b) for a, b in equal):
                yield order
        return
    near = list(range(count))
    yield tuple(near)
    for _ in range(shuffles):
        if rng.random() < 0.5:
            rng.shuffle(near)
        else:  # close to the order given
            near = list(range(count))
            for _ in range(rng.randrange(1, 4)):
                at = rng.randrange(count - 1)
                near[at], near[at + 1] = near[at + 1], near[at]
        yield tuple(near)


def is_allowed(order: tuple[int, ...], swaps: str | tuple[tuple[int, int], ...]) -> bool:
    """Whether every pair that stands the other way round is one that may."""
    if swaps == ALL:
        return True
    turned = {(b, a) for a, b in combinations(order, 2) if b < a}
    return turned <= {tuple(pair) for pair in swaps}


def check(scenario: Scenario, make: Implementation, rng: Random, shuffles: int = 2000) -> int:
    """Run a scenario; returns how many orders of arrival were tried."""
    expected: dict[int, Facts] = {}
    tried = 0
    for order in arrivals(scenario.messages, rng, shuffles):
        tried += 1
        tracker = make()
        steps = (*scenario.before, *(scenario.messages[index] for index in order))
        for now, step in enumerate(steps):
            tracker.apply(step, now * 1_000_000)
        where = f"{scenario.name} {order}"
        for key, (truth, filled) in scenario.truth.items():
            state, facts = tracker.state(key), tracker.facts(key)
            assert facts == expected.setdefault(key, facts), where
            assert facts.filled == filled, where
            must = scenario.sure and is_allowed(order, scenario.swaps)
            doubt = state is State.UNCERTAIN or state in scenario.also
            assert state is truth or (doubt and not must), f"{where} {key}: {state!r}"
        assert not scenario.orders or tracker.keys() == scenario.orders, where
        if scenario.lookup is not None:
            look_up(scenario, tracker, len(steps))
            for key, (truth, filled) in scenario.truth.items():
                assert tracker.state(key) is truth, f"{where} {key} after the look-up: {tracker.state(key)!r}"
                assert tracker.facts(key).filled == filled, where
    return tried


def look_up(scenario: Scenario, tracker: Tracker, now: int) -> None:
    """Ask, and let the scenario's answers come."""
    answers = scenario.lookup or ()
    now_ns = now * 1_000_000
    tracker.apply(Step("begin_snapshot"), now_ns)
    for step in answers:
        if step.verb in ("openOrder", "orderStatus"):
            tracker.apply(step, now_ns)
    tracker.apply(Step("end_snapshot"), now_ns)
    for step in answers:
        if step.verb not in ("openOrder", "orderStatus"):
            tracker.apply(step, now_ns)
    tracker.apply(Step("looked_up"), now_ns)
