"""Every state of a scenario, breadth first: what is reported is a shortest way to a state that breaks something."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from tools.model_checker.access import Scenario
from tools.model_checker.memories import MEMORIES, Memory, State


@dataclass
class Result:
    """What an exploration found; ``broken`` is empty where everything holds."""

    states: int
    broken: str = ""
    trace: list[str] = field(default_factory=list)
    ends: set[tuple[Any, ...]] = field(default_factory=set)  # the words' values at the end


def explore(scenario: Scenario, mode: str, limit: int = 3_000_000) -> Result:
    """Every state that can be reached; stops at the first that breaks something.

    Raises
    ------
    RuntimeError : more than ``limit`` states.
    """
    memory = MEMORIES[mode](scenario)
    first = memory.initial()
    came: dict[State, tuple[State, int, str, Any] | None] = {first: None}
    level = [first]
    result = Result(0)
    while level:
        following = []
        for state in level:
            broken = memory.broken(state)
            moves = [] if broken else memory.successors(state)
            if not moves:
                waiting = memory.waiting(state)
                if not broken and waiting:
                    broken = f"{waiting}: waits for ever"
                if broken:
                    return Result(len(came), broken, list(_trace(memory, came, state)))
                result.ends.add(memory.final(state))
            for t, what, value, untidy in moves:
                after = memory.tidied(untidy)
                if after not in came:
                    came[after] = (state, t, what, value)
                    following.append(after)
        if len(came) > limit:
            raise RuntimeError(f"{scenario.name}, {mode}: more than {limit} states")
        level = following
    result.states = len(came)
    return result


def _trace(memory: Memory, came: Mapping[State, tuple[State, int, str, Any] | None], state: State) -> Iterator[str]:
    steps = []
    while (step := came[state]) is not None:
        state, t, what, value = step
        gives = "" if value is None else f" -> {value}"
        steps.append(f"{memory.names[t]:<10} {what}{gives}")
    return reversed(steps)
