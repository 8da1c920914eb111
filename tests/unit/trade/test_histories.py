"""Random lives of orders with faults, against the simulated gateway: ``tools/histories.py`` says what is compared."""

from __future__ import annotations

import pytest

from ibwire.spec.orderstates import TRANSITIONS, Cell, Legality, State, Trigger
from tools.histories import History, run_many

CHUNK = 100
ONCE_WRONG = (1001195, 1002225, 1003763, 1005698, 1050737, 1051721, 1056644)
"""Seeds of ``make soak`` that found a fault, in lives without tools/history_acts.py; what it was: test_doubt.py."""


@pytest.mark.parametrize("first", range(1, 1001, CHUNK))
def test_the_book_is_the_gateways_or_says_that_it_does_not_know(first: int) -> None:
    failures, seen = run_many(CHUNK, first)
    assert not failures, "\n".join(failures)
    assert seen["link lost"]
    assert seen["unreadable"]
    assert seen["bracket"]
    assert seen["send failed"]
    assert seen["lost in an outage"]
    assert seen["compared uncertain"] < seen["compared filled"]


@pytest.mark.parametrize("seed", ONCE_WRONG)
def test_what_was_wrong_once(seed: int) -> None:
    History(seed, wider=False).run()


@pytest.mark.parametrize(
    ("state", "trigger", "target"),
    [
        (State.SENT, Trigger.DEADLINE, State.REJECTED),  # silence taken for a refusal
        (State.WORKING, Trigger.LINK_LOST, State.WORKING),  # a lost link taken for nothing
        (State.CANCEL_REQUESTED, Trigger.CANCEL_REFUSED, State.CANCELLED),
        (State.MODIFY_REQUESTED, Trigger.CANCELLED_DOUBTFUL, State.CANCELLED),
        (State.MODIFY_REQUESTED, Trigger.MODIFY_REFUSED, State.REJECTED),
        (State.UNCERTAIN, Trigger.STATUS_CANCELLED, State.UNCERTAIN),  # blind when it need not be
    ],
)
def test_a_wrong_opinion_is_found(
    state: State, trigger: Trigger, target: State, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(TRANSITIONS, (state, trigger), Cell(int(target), Legality.NORMAL))
    failures, _ = run_many(300, 1, report=1)
    assert failures
    assert "again: python -m tools.histories --only" in failures[0]


def test_a_seed_is_a_history() -> None:
    assert run_many(3, 77) == run_many(3, 77)
