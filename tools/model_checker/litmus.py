"""Litmus tests: small programs of which it is known what x86 and C11 allow. They hold the checker's memories to that.

Each thread stores what it read into words of its own; a case is what the run may end with, by memory.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import NamedTuple

from tools.model_checker.access import (
    ACQUIRE,
    RELAXED,
    RELEASE,
    SEQ,
    Op,
    Program,
    Scenario,
    Steps,
    add,
    arrive,
    fence,
    load,
    replace,
    start,
    store,
)
from tools.model_checker.search import explore


class Litmus(NamedTuple):
    """Threads as lists of accesses, and an end (``r01``: what thread 0 loaded second): which memories allow it?"""

    name: str
    threads: tuple[tuple[Op, ...], ...]
    asked: Mapping[str, int]
    tso: bool
    relaxed: bool


def run(thread: int, ops: tuple[Op, ...]) -> Steps:
    loads = 0
    late = -1  # where the values of loads that were started go
    for i in range(len(ops)):
        value = yield ops[i]
        if ops[i].kind == "start":
            late = loads
            loads += len(ops[i].value)
        elif ops[i].kind == "arrive":
            for j in range(len(value)):
                yield store(f"r{thread}{late + j}", value[j])
        elif ops[i].kind in ("load", "add", "replace"):
            yield store(f"r{thread}{loads}", value)
            loads += 1


def scenario(case: Litmus) -> Scenario:
    threads: dict[str, Program] = {f"t{i}": partial(run, i, ops) for i, ops in enumerate(case.threads)}
    shared = {word: (0, tuple(threads)) for word in "xy"}
    shared |= {f"r{i}{n}": (0, (f"t{i}",)) for i in range(len(threads)) for n in range(3)}
    return Scenario(case.name, threads, shared)


def allowed(case: Litmus, mode: str) -> bool:
    """Whether a run of that memory may end as the case asks."""
    made = scenario(case)
    names = list(made.words)
    ends = explore(made, mode).ends
    return any(all(end[names.index(word)] == value for word, value in case.asked.items()) for end in ends)


X, Y = "x", "y"
LITMUS = (
    Litmus("store buffering", ((store(X, 1), load(Y)), (store(Y, 1), load(X))), {"r00": 0, "r10": 0}, True, True),
    Litmus("store buffering, seq_cst accesses", ((store(X, 1, SEQ), load(Y, SEQ)), (store(Y, 1, SEQ), load(X, SEQ))),
           {"r00": 0, "r10": 0}, False, False),
    Litmus("store buffering, release and acquire",
           ((store(X, 1, RELEASE), load(Y, ACQUIRE)), (store(Y, 1, RELEASE), load(X, ACQUIRE))),
           {"r00": 0, "r10": 0}, True, True),
    Litmus("store buffering, fences", ((store(X, 1), fence(SEQ), load(Y)), (store(Y, 1), fence(SEQ), load(X))),
           {"r00": 0, "r10": 0}, False, False),
    Litmus("store buffering, fence and seq_cst read-modify-write",
           ((store(X, 1), fence(SEQ), load(Y)), (add(Y, 1), load(X))), {"r00": 0, "r11": 0}, False, True),
    Litmus("message passing", ((store(X, 1), store(Y, 1)), (load(Y), load(X))), {"r10": 1, "r11": 0}, False, True),
    Litmus("message passing, release and acquire", ((store(X, 1), store(Y, 1, RELEASE)), (load(Y, ACQUIRE), load(X))),
           {"r10": 1, "r11": 0}, False, False),
    Litmus("message passing, release only", ((store(X, 1), store(Y, 1, RELEASE)), (load(Y), load(X))),
           {"r10": 1, "r11": 0}, False, True),
    Litmus("message passing, fences",
           ((store(X, 1), fence(RELEASE), store(Y, 1)), (load(Y), fence(ACQUIRE), load(X))),
           {"r10": 1, "r11": 0}, False, False),
    Litmus("message passing, release fence on the wrong side",
           ((fence(RELEASE), store(X, 1), store(Y, 1)), (load(Y, ACQUIRE), load(X))),
           {"r10": 1, "r11": 0}, False, True),
    Litmus("release sequence through a read-modify-write",
           ((store(X, 1), store(Y, 1, RELEASE)), (add(Y, 1, RELAXED),), (load(Y, ACQUIRE), load(X))),
           {"r10": 1, "r20": 2, "r21": 0}, False, False),
    Litmus("load buffering", ((start(X), store(Y, 1), arrive()), (start(Y), store(X, 1), arrive())),
           {"r00": 1, "r10": 1}, False, True),
    Litmus("load buffering, release",
           ((start(X), store(Y, 1, RELEASE), arrive()), (start(Y), store(X, 1, RELEASE), arrive())),
           {"r00": 1, "r10": 1}, False, False),
    Litmus("load delayed beyond an acquire load",
           ((store(Y, 1, RELEASE), store(X, 1, RELEASE)), (start(X), load(Y, ACQUIRE), arrive())),
           {"r10": 1, "r11": 0}, False, True),
    Litmus("two writers, two words", ((store(X, 1), store(Y, 2)), (store(Y, 1), store(X, 2))),
           {"x": 1, "y": 1}, False, True),
    Litmus("two writers, release", ((store(X, 1), store(Y, 2, RELEASE)), (store(Y, 1), store(X, 2, RELEASE))),
           {"x": 1, "y": 1}, False, True),
    Litmus("one word never goes back", ((store(X, 1), store(X, 2)), (load(X), load(X))),
           {"r10": 2, "r11": 1}, False, False),
    Litmus("two sums", ((add(X, 1, RELAXED),), (add(X, 1, RELAXED),)), {"x": 1}, False, False),
    Litmus("two replacements, both succeed", ((replace(X, 0, 1),), (replace(X, 0, 2),)), {"r00": 1, "r10": 1},
           False, False),
    Litmus("two replacements, neither succeeds", ((replace(X, 0, 1),), (replace(X, 0, 2),)), {"r00": 0, "r10": 0},
           False, False),
    Litmus("message passing, a replacement that succeeds",
           ((store(X, 1), replace(Y, 0, 1, RELEASE)), (load(Y, ACQUIRE), load(X))), {"r10": 1, "r11": 0}, False, False),
    Litmus("message passing, a replacement that fails",
           ((store(X, 1), store(Y, 1, RELEASE)), (replace(Y, 0, 2, RELEASE), load(X))), {"r10": 0, "r11": 0},
           False, True),
    Litmus("message passing, a seq_cst replacement that fails",
           ((store(X, 1), store(Y, 1, RELEASE)), (replace(Y, 0, 2), load(X))), {"r10": 0, "r11": 0}, False, False),
    Litmus("own store is seen", ((store(X, 1), load(X)), (store(Y, 1),)), {"r00": 0}, False, False),
    Litmus("four threads agree, acquire",
           ((store(X, 1),), (store(Y, 1),), (load(X, ACQUIRE), load(Y, ACQUIRE)), (load(Y, ACQUIRE), load(X, ACQUIRE))),
           {"r20": 1, "r21": 0, "r30": 1, "r31": 0}, False, True),
    Litmus("four threads agree, seq_cst",
           ((store(X, 1, SEQ),), (store(Y, 1, SEQ),), (load(X, SEQ), load(Y, SEQ)), (load(Y, SEQ), load(X, SEQ))),
           {"r20": 1, "r21": 0, "r30": 1, "r31": 0}, False, False),
)
