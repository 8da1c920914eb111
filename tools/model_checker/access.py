"""What a thread of a protocol may do: each access is a value that the thread, a generator, yields.

``value = yield load("head", ACQUIRE)``; ``require`` says what must hold. How memory behaves is in memories.py.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

RELAXED, ACQUIRE, RELEASE, SEQ = "relaxed", "acquire", "release", "seq_cst"


class Op(NamedTuple):
    """One access, as a thread yields it."""

    kind: str
    word: str = ""
    value: Any = 0
    order: str = ""


Steps = Generator[Op, Any, Any]
Program = Callable[[], Steps]


def load(word: str, order: str = RELAXED) -> Op:
    return Op("load", word, 0, order)


def store(word: str, value: Any, order: str = RELAXED) -> Op:
    return Op("store", word, value, order)


def add(word: str, value: int, order: str = SEQ) -> Op:
    """Add; gives the value before."""
    return Op("add", word, value, order)


def swap(word: str, value: int, order: str = SEQ) -> Op:
    """Exchange; gives the value before."""
    return Op("swap", word, value, order)


def replace(word: str, old: int, new: int, order: str = SEQ) -> Op:
    """Compare and exchange; gives whether it was ``old``. One that fails loads: seq_cst as it is, any other relaxed."""
    return Op("replace", word, (old, new), order)


def lock(word: str) -> Op:
    """Wait for a mutex, which is 0, and take it. Given back by a store of 0, release."""
    return Op("lock", word, 1, ACQUIRE)


def fence(order: str) -> Op:
    return Op("fence", "", 0, order)


def start(*words: str) -> Op:
    """Begin plain loads; ``arrive`` gives their values."""
    return Op("start", "", words)


def arrive() -> Op:
    return Op("arrive")


def choose(n: int) -> Op:
    """Any of 0 to n - 1: what a thread does by chance."""
    return Op("choose", "", n)


def join(thread: str) -> Op:
    """Wait for the thread's end."""
    return Op("join", "", thread)


def futex_wait(word: str, expected: int) -> Op:
    """The system call: sleep until a wake, unless the word is something else than expected."""
    return Op("futex_wait", word, expected)


def futex_wake(word: str) -> Op:
    return Op("futex_wake", word)


def readable(word: str) -> Op:
    """The system call that sleeps while the word, which the kernel alone changes, is 0."""
    return Op("readable", word)


class Violation(Exception):
    """What must hold does not."""


def require(holds: bool, what: str) -> None:
    if not holds:
        raise Violation(what)


def describe(op: Op) -> str:
    order = f" ({op.order})" if op.order else ""
    if op.kind == "store":
        return f"store {op.word} = {op.value}{order}"
    if op.kind == "start":
        return f"begin to load {', '.join(op.value)}"
    if op.kind == "replace":
        return f"replace {op.word}, {op.value[0]} by {op.value[1]}{order}"
    if op.kind in ("add", "swap", "futex_wait"):
        return f"{op.kind} {op.word}, {op.value}{order}"
    return f"{op.kind} {op.word or op.value or ''}".rstrip() + order


@dataclass
class Scenario:
    """Threads, and the words they share: {word: (value at the start, who writes it)}."""

    name: str
    threads: Mapping[str, Program]
    words: Mapping[str, tuple[Any, tuple[str, ...]]]


Words = dict[str, tuple[Any, tuple[str, ...]]]


def words(by: str, *names: str, value: Any = 0) -> Words:
    """Words that those threads (names with spaces between) write."""
    return {name: (value, tuple(by.split())) for name in names}
