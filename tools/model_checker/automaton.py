"""Programs as automata. A generator cannot be copied: a place in it is known by instruction and local variables."""

from __future__ import annotations

from dataclasses import dataclass
from types import FrameType
from typing import Any

from tools.model_checker.access import Op, Program, Violation

WAYS = 4  # to each node that are kept


@dataclass(slots=True)
class Node:
    """A place: the next access, some ways to get here (what the accesses before gave), and what follows."""

    op: Op | None
    broken: str
    ways: list[tuple[Any, ...]]
    after: dict[Any, int]


class Automaton:
    """A program as numbered nodes, made as they are met. Same instruction and same local variables: same node.

    What a program keeps elsewhere (a loop's position that no variable tells) would be forgotten; each step is therefore
    tried on several ways to the node, where there are several, and all must come out equal.
    """

    def __init__(self, program: Program) -> None:
        self.program = program
        self.nodes: list[Node] = []
        self.ids: dict[Any, int] = {}
        self.first = self._enter(())

    def step(self, at: int, value: Any) -> int:
        """The node after the access of this node gave value."""
        node = self.nodes[at]
        found = node.after.get(value)
        if found is None:
            found = node.after[value] = self._enter((*node.ways[0], value))
            for way in node.ways[1:]:
                self._same(way, value, found)
        return found

    def _same(self, way: tuple[Any, ...], value: Any, expected: int) -> None:
        if self._enter((*way, value)) != expected:
            raise AssertionError(f"hidden state in {self.program}: keep it in local variables")

    def _enter(self, way: tuple[Any, ...]) -> int:
        op, key, broken = self._run(way)
        found = self.ids.get(key)
        if found is None:
            found = self.ids[key] = len(self.nodes)
            self.nodes.append(Node(op, broken, [way], {}))
            return found
        node = self.nodes[found]
        if len(node.ways) < WAYS and way not in node.ways:
            node.ways.append(way)
            for value, after in list(node.after.items()):
                self._same(way, value, after)
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


def _freeze(value: Any) -> Any:
    try:
        hash(value)
    except TypeError:
        return repr(value)
    return value
