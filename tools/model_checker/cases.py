"""What is run: each protocol with its bounds, and the mistakes that must be found."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

from tools.model_checker.access import Scenario
from tools.model_checker.log import log
from tools.model_checker.rings import market, row, watermark
from tools.model_checker.turns import turns
from tools.model_checker.waits import descriptor, wake, wake_healing, wake_kinds, wake_ringers


class Mutant(NamedTuple):
    """One mistake in a case, and the memories under which it must be found; under the others it must not be."""

    case: str
    bug: str
    found_by: tuple[str, ...]


CASES: dict[str, Callable[..., Scenario]] = {
    "market": market,
    "market-step": partial(market, records=7, capacity=4, step=2, polls=(2,)),
    "market-pairs": partial(market, records=8, capacity=4, step=2, pairs=True, polls=(2,)),
    "log": partial(log, records=4, cap=2, polls=(1, 1)),
    "log-reuse": partial(log, records=4, polls=(3,)),
    "log-late": partial(log, records=3, polls=(0, 0), late=2),
    "evict": partial(log, records=3, limit=1, polls=(1, 0)),
    "evict-reuse": partial(log, records=4, limit=1, polls=(2,)),
    "evict-two": partial(log, records=4, limit=1, polls=(2, 0)),
    "evict-late": partial(log, records=3, limit=1, polls=(1,), late=1),
    "watermark": watermark,
    "row": row,
    "row-mortal": partial(row, reads=(1, 0), mortal=True),
    "wake": partial(wake, messages=2, consumers=1),
    "wake-two": partial(wake, messages=1, consumers=2),
    "wake-kinds": wake_kinds,
    "wake-ringers": wake_ringers,
    "wake-healing": wake_healing,
    "descriptor": partial(descriptor, messages=3),
    "descriptor-two": partial(descriptor, messages=2, consumers=2, looks=0),
    "turns": turns,
    "turns-two": partial(turns, tells=((1,), (2,)), tries=0, ends=False),
    "turns-order": partial(turns, tells=((1, 2),), tries=0, ends=False),
    "turns-answer": partial(turns, messages=2, answers=2, sends=1, tries=0),
    "turns-reader": partial(turns, reads=True, tries=0, ends=False),
    "turns-outside": partial(turns, outside=2, tries=0, ends=False),
    "turns-waits": partial(turns, waits=True, tries=0, ends=False),
    "turns-mortal": partial(turns, mortal=True, tries=2),
}
# Not run under these: millions of states. The smaller cases of the same protocol are.
TOO_LARGE = {("evict-two", "relaxed")}
BOTH = ("tso", "relaxed")
WEAK = ("relaxed",)
MUTANTS = (
    Mutant("market", "head before the record", BOTH),
    Mutant("market", "mark after the record", BOTH),
    Mutant("market", "mark before the copy", BOTH),
    Mutant("market", "head for the mark", BOTH),
    Mutant("market", "no release fence", WEAK),
    Mutant("market", "head relaxed", WEAK),
    Mutant("market", "head loaded relaxed", WEAK),
    Mutant("market", "no acquire fence", WEAK),
    Mutant("log", "used before the entry", BOTH),
    Mutant("log", "no second look at used", BOTH),
    Mutant("log-reuse", "next before the fresh segment", BOTH),
    Mutant("log", "used relaxed", WEAK),
    Mutant("log", "used loaded relaxed", WEAK),
    Mutant("log", "next relaxed", WEAK),
    Mutant("log-reuse", "leave relaxed", WEAK),
    Mutant("log-reuse", "end asked without a mark", BOTH),
    Mutant("evict-late", "no mark while settling", BOTH),
    Mutant("evict", "no mark", BOTH),
    Mutant("evict", "first_index not checked", BOTH),
    Mutant("evict", "mark after the check", BOTH),
    Mutant("evict", "marks not looked at", BOTH),
    Mutant("evict", "marks before first_index", BOTH),
    Mutant("evict", "mark only released", BOTH),
    Mutant("evict", "first_index only released", BOTH),
    Mutant("evict", "marks loaded relaxed", WEAK),
    Mutant("evict", "first_index loaded relaxed", WEAK),
    Mutant("evict-reuse", "no mark on the way to first", BOTH),
    Mutant("evict-reuse", "index from the next segment", BOTH),
    Mutant("evict-two", "retired list in next", ("tso",)),
    Mutant("watermark", "watermark before the heads", BOTH),
    Mutant("watermark", "watermark after the heads", BOTH),
    Mutant("watermark", "watermark ignored", BOTH),
    Mutant("watermark", "watermark relaxed", WEAK),
    Mutant("watermark", "watermark loaded relaxed", WEAK),
    Mutant("row", "end mark before the words", BOTH),
    Mutant("row", "no begin mark", BOTH),
    Mutant("row", "odd is taken", BOTH),
    Mutant("row", "seq not looked at again", BOTH),
    Mutant("row", "no release fence", WEAK),
    Mutant("row", "end mark relaxed", WEAK),
    Mutant("row", "seq loaded relaxed", WEAK),
    Mutant("row", "no acquire fence", WEAK),
    Mutant("wake", "no fence in the producer", BOTH),
    Mutant("wake", "mark before the watermark", BOTH),
    Mutant("wake", "marked after the check", BOTH),
    Mutant("wake", "wake_seq after the mark", BOTH),
    Mutant("wake", "wake_seq after the check", BOTH),
    Mutant("wake", "wake_seq before the mark", BOTH),
    Mutant("wake-healing", "mark stays", BOTH),
    Mutant("wake", "wake_seq stays", BOTH),
    Mutant("wake", "no fence in the consumer", WEAK),
    Mutant("wake", "no barrier in the consumer", BOTH),
    Mutant("descriptor", "no fence in the producer", BOTH),
    Mutant("descriptor", "no fence in the consumer", BOTH),
    Mutant("descriptor", "poll before clear", BOTH),
    Mutant("descriptor", "flag cleared before the read", BOTH),
    Mutant("descriptor", "flag cleared with nothing read", BOTH),
    Mutant("turns", "left without another look", BOTH),
    Mutant("turns", "turn not respected", BOTH),
    Mutant("turns", "turn not marked as begun", BOTH),
    Mutant("turns", "command after the turn", BOTH),
    Mutant("turns", "published before the step", BOTH),
    Mutant("turns", "says so before the rows", BOTH),
    Mutant("turns", "the end after the entries", BOTH),
    Mutant("turns", "turn taken relaxed", WEAK),
    Mutant("turns", "turn given up relaxed", WEAK),
    Mutant("turns", "what the producer brought loaded relaxed", WEAK),
    Mutant("turns", "command pushed relaxed", WEAK),
    Mutant("turns", "commands taken relaxed", WEAK),
    Mutant("turns-two", "the turn without the interpreter's lock", BOTH),
    Mutant("turns-order", "newest command first", BOTH),
    Mutant("turns-answer", "bytes before the command", BOTH),
    Mutant("turns-reader", "message number after the entries", BOTH),
    Mutant("turns-reader", "what the producer brought stored relaxed", WEAK),
    Mutant("turns-waits", "who steps for others does not ring", BOTH),
    Mutant("turns-mortal", "a lock around the machine", BOTH),
)
