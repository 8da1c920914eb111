"""Programs as automata. A generator cannot be copied: a place in it is known by instruction and local variables."""

from __future__ import annotations

from dataclasses import dataclass
from types import FrameType
from typing import Any

from tools.model_checker.access import Op, Program, Violation


@dataclass(slots=True)
class Node:
    """A place in a program: the next access, and one or two ways to get here (what the accesses before gave)."""

    key: Any
    op: Op | None
    broken: str
    ways: list[tuple[Any, ...]]


def _freeze(value: Any) -> Any:
    try:
        hash(value)
    except TypeError:
        return repr(value)
    return value


class Automaton:
    """A program as numbered nodes, made as they are met. Same instruction and same local variables: same node.

    What a program keeps elsewhere (a loop's position that no variable tells) would be forgotten; each step is therefore
    tried on two ways to the node, where there are two, and both must come out equal.
    """

    def __init__(self, program: Program) -> None:
        self.program = program
        self.nodes: list[Node] = []
        self.ids: dict[Any, int] = {}
        self.steps: dict[tuple[int, Any], int] = {}
        self.first = self._enter(())

    def step(self, node: int, value: Any) -> int:
        """The node after the access of this node gave value."""
        found = self.steps.get((node, value))
        if found is None:
            ways = self.nodes[node].ways
            ends = {self._enter((*way, value)) for way in ways}
            if len(ends) != 1:
                raise AssertionError(f"hidden state in {self.program}: keep it in local variables")
            self.steps[node, value] = found = ends.pop()
        return found

    def _enter(self, way: tuple[Any, ...]) -> int:
        op, key, broken = self._run(way)
        found = self.ids.get(key)
        if found is None:
            found = self.ids[key] = len(self.nodes)
            self.nodes.append(Node(key, op, broken, [way]))
        elif len(self.nodes[found].ways) < 2 and way not in self.nodes[found].ways:
            self.nodes[found].ways.append(way)
        return found

    def _run(self, way: tuple[Any, ...]) -> tuple[Op | None, Any, str]:
        steps = self.program()
        try:
            op: Op = next(steps)
            for value in way:
                op = steps.send(value)
        except StopIteration:
            return None, "end", ""
        except Violation as broken:
            return None, ("broken", str(broken)), str(broken)
        frames = []
        at: Any = steps
        while at is not None:
            frame: FrameType = at.gi_frame
            local = tuple((name, _freeze(value)) for name, value in sorted(frame.f_locals.items()))
            frames.append((frame.f_code.co_name, frame.f_lasti, local))
            at = at.gi_yieldfrom
        return op, (op, tuple(frames)), ""
