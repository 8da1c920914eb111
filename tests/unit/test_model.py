"""The model checker: its memories allow what x86 and C11 allow, it finds mistakes, it passes what is right."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tools import model
from tools.model_checker.access import (
    ACQUIRE,
    RELEASE,
    SEQ,
    Scenario,
    Steps,
    fence,
    futex_wait,
    load,
    lock,
    readable,
    require,
    store,
    words,
)
from tools.model_checker.cases import CASES, MUTANTS, Mutant
from tools.model_checker.litmus import LITMUS, Litmus, allowed
from tools.model_checker.log import log
from tools.model_checker.rings import market, row, watermark
from tools.model_checker.search import explore
from tools.model_checker.turns import turns
from tools.model_checker.waits import descriptor, wake

MODES = ("tso", "relaxed")


@pytest.mark.parametrize("case", LITMUS, ids=lambda case: case.name)
def test_litmus(case: Litmus) -> None:
    assert (allowed(case, "tso"), allowed(case, "relaxed")) == (case.tso, case.relaxed)


# Tiny bounds: `make model` has larger ones, and every seeded bug.
def tiny_market(bug: str = "") -> Scenario:
    return market(bug, records=3, capacity=2, polls=(1,))


def tiny_row(bug: str = "") -> Scenario:
    return row(bug, reads=(1,))


def tiny_log(bug: str = "") -> Scenario:
    return log(bug, records=3, limit=1, polls=(1,))


def tiny_wake(bug: str = "") -> Scenario:
    return wake(bug, messages=1, consumers=1)


def tiny_watermark(bug: str = "") -> Scenario:
    return watermark(bug, polls=(1,))


def tiny_turns(bug: str = "") -> Scenario:
    return turns(bug, ends=False)


def tiny_answer(bug: str = "") -> Scenario:
    return turns(bug, messages=2, answers=2, sends=1, tries=0)


def tiny_stop(bug: str = "") -> Scenario:
    return turns(bug, tries=1, ends=False, mortal=True)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    "make",
    [tiny_market, tiny_row, tiny_log, tiny_wake, tiny_watermark, tiny_turns, tiny_answer, tiny_stop, descriptor],
)
def test_what_is_right_holds(make: Callable[[], Scenario], mode: str) -> None:
    result = explore(make(), mode)
    assert not result.broken
    assert result.states > 20
    assert result.ends


@pytest.mark.parametrize(
    ("make", "bug", "mode", "what"),
    [
        (tiny_market, "head before the record", "tso", "torn or another one"),
        (tiny_market, "no release fence", "relaxed", "torn or another one"),
        (tiny_row, "no acquire fence", "relaxed", "torn or another row"),
        (tiny_log, "mark only released", "tso", "given back"),
        (tiny_wake, "no fence in the producer", "tso", "waits for ever"),
        (tiny_watermark, "watermark before the heads", "tso", "watermark is not there"),
        (tiny_turns, "left without another look", "tso", "a step is lost"),
        (tiny_turns, "published before the step", "tso", "overtakes a message"),
        (tiny_turns, "says so before the rows", "tso", "older than what was told"),
        (tiny_turns, "command pushed relaxed", "relaxed", "before it is whole"),
        (tiny_answer, "bytes before the command", "tso", "the answer overtakes"),
        (turns, "what the producer brought loaded relaxed", "relaxed", "before the last message"),
        (tiny_stop, "a lock around the machine", "tso", "teller1, judge: waits for ever"),
    ],
)
def test_seeded_bugs_are_found(make: Callable[[str], Scenario], bug: str, mode: str, what: str) -> None:
    result = explore(make(bug), mode)
    assert what in result.broken
    assert result.trace


def test_what_only_reordered_stores_show_does_not_show_under_tso() -> None:
    assert not explore(tiny_market("no release fence"), "tso").broken


def test_the_trace_is_a_shortest_interleaving() -> None:
    def writer() -> Steps:
        for i in range(3):
            yield store("x", i + 1)

    def reader() -> Steps:
        value = yield load("x", ACQUIRE)
        require(value != 1, "one was seen")

    result = explore(Scenario("seen", {"writer": writer, "reader": reader}, words("writer", "x")), "tso")
    assert result.broken == "reader: one was seen"
    assert result.trace[-2:] == ["writer     queue: x reaches memory -> 1", "reader     load x (acquire) -> 1"]
    assert len(result.trace) <= 5


@pytest.mark.parametrize("mode", MODES)
def test_who_waits_for_ever_is_named(mode: str) -> None:
    def sleeper() -> Steps:
        yield futex_wait("word", 0)

    def selector() -> Steps:
        yield readable("word")

    for program in (sleeper, selector):
        result = explore(Scenario("asleep", {"consumer": program}, words("consumer", "word")), mode)
        assert result.broken == "consumer: waits for ever"


@pytest.mark.parametrize("mode", MODES)
def test_a_lock_lets_one_in_and_shows_what_the_one_before_did(mode: str) -> None:
    def adder() -> Steps:
        yield lock("mutex")
        value = yield load("x")
        yield store("x", value + 1)
        yield store("mutex", 0, RELEASE)

    def careless() -> Steps:
        value = yield load("x")
        yield store("x", value + 1)

    shared = words("a b", "x", "mutex")
    ends = explore(Scenario("locked", {"a": adder, "b": adder}, shared), mode).ends
    assert ends == {(2, 0)}
    assert (1, 0) in explore(Scenario("not locked", {"a": adder, "b": careless}, shared), mode).ends


def test_hidden_state_of_a_program_is_refused() -> None:
    def forgetful() -> Steps:
        for word in ("x", "x", "x"):  # the same variables each time round
            yield load(word)

    scenario = Scenario("hidden", {"a": forgetful}, words("", "x"))
    with pytest.raises(AssertionError, match="hidden state"):
        explore(scenario, "tso")


def test_only_declared_writers_may_write() -> None:
    def writer() -> Steps:
        yield fence(SEQ)
        yield store("x", 1)

    with pytest.raises(AssertionError, match="may not write x"):
        explore(Scenario("foreign", {"a": writer}, words("", "x")), "tso")


def test_too_many_states_are_an_error_and_no_pass() -> None:
    with pytest.raises(RuntimeError, match="more than 50 states"):
        explore(tiny_market(), "tso", limit=50)


def test_every_case_has_a_seeded_bug_or_is_a_larger_one() -> None:
    families = {mutant.case.partition("-")[0] for mutant in MUTANTS}
    assert {case.partition("-")[0] for case in CASES} == families


def test_a_bug_that_is_not_found_fails_the_run(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(CASES, "wake", tiny_wake)
    monkeypatch.setattr(model, "MUTANTS", (Mutant("wake", "no fence in the producer", MODES),))
    assert model.main(["--mutants", "wake"]) == 0
    monkeypatch.setattr(model, "MUTANTS", (Mutant("wake", "no such bug", MODES),))
    assert model.main(["--mutants", "wake"]) == 1
    assert "AND SHOULD BE" in capsys.readouterr().out


def test_a_broken_protocol_fails_the_run_and_shows_how(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(CASES, "wake", lambda bug="": tiny_wake("no fence in the producer"))
    monkeypatch.setattr(model, "MUTANTS", ())
    assert model.main(["wake", "--mode", "tso"]) == 1
    out = capsys.readouterr().out
    assert "waits for ever" in out
    assert "futex_wait wake_seq, 0: sleeps" in out
