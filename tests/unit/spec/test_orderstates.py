from __future__ import annotations

from itertools import product

import pytest

from ibwire.spec import orderstates as os_
from ibwire.spec.orderstates import ENDED, RISK, TRANSITIONS, WIRE_STATUSES, Legality, Risk, State, Trigger

LEAVES_EVERYTHING_OPEN = (
    Trigger.WARNING, Trigger.MODIFY_REFUSED, Trigger.CANCEL_REFUSED, Trigger.NOT_FOUND, Trigger.UNDECIDED,
    Trigger.LINK_LOST, Trigger.DEADLINE, Trigger.UNDECODABLE, Trigger.MODIFY_ACCEPTED, Trigger.CANCEL_REQUEST,
    Trigger.OTHER_STATUS, Trigger.PRE_SUBMITTED, Trigger.SUBMITTED, Trigger.PENDING_CANCEL, Trigger.EXECUTION,
)  # fmt: skip


def test_the_table_is_complete() -> None:
    assert set(TRANSITIONS) == set(product(State, Trigger))
    assert len(RISK) == len(os_.STATE_MEANING) == len(State)


def test_every_wire_step_is_judged() -> None:
    assert set(os_.WIRE_LEGALITY) == set(product(("", *WIRE_STATUSES), WIRE_STATUSES))
    assert all(os_.STATUS_TRIGGER[text].value == index for index, text in enumerate(WIRE_STATUSES))


@pytest.mark.parametrize("trigger", LEAVES_EVERYTHING_OPEN)
def test_what_proves_no_end_ends_nothing(trigger: Trigger) -> None:
    for state in State:
        if state not in ENDED:
            target = TRANSITIONS[state, trigger].target
            assert target == os_.RESUME or State(target) not in ENDED


@pytest.mark.parametrize("trigger", [Trigger.LINK_LOST, Trigger.UNDECODABLE])
def test_nothing_open_survives_blindness(trigger: Trigger) -> None:
    for state in State:
        expected = state if state in ENDED or state is State.CREATED else State.UNCERTAIN
        assert TRANSITIONS[state, trigger].target == expected


def test_filled_leaves_only_by_a_correction() -> None:
    leaving = {trigger for trigger in Trigger if TRANSITIONS[State.FILLED, trigger].target != State.FILLED}
    assert leaving == {Trigger.EXECUTION_REDUCED}


def test_an_ended_order_never_becomes_live_in_one_step() -> None:
    for state, trigger in product(ENDED, Trigger):
        target = TRANSITIONS[state, trigger].target
        assert target != os_.RESUME
        assert RISK[target] is not Risk.LIVE


def test_full_execution_fills_from_anywhere() -> None:
    assert {TRANSITIONS[state, Trigger.EXECUTION_FULL].target for state in State} == {State.FILLED}


def test_risk_of_the_states_that_are_easy_to_get_wrong() -> None:
    assert RISK[State.CANCEL_REQUESTED] is Risk.LIVE
    assert RISK[State.SENT] is Risk.MAYBE_LIVE
    assert RISK[State.INACTIVE] is Risk.MAYBE_LIVE
    assert RISK[State.UNCERTAIN] is Risk.UNKNOWN
    assert {state for state in State if RISK[state] is Risk.ENDED} == ENDED


@pytest.mark.parametrize(
    ("before", "after", "legality"),
    [
        ("", "Submitted", Legality.NORMAL), ("", "Filled", Legality.SKIPS), ("", "PendingCancel", Legality.SKIPS),
        ("Submitted", "PreSubmitted", Legality.BACKWARD), ("PendingCancel", "Submitted", Legality.BACKWARD),
        ("Cancelled", "Submitted", Legality.ANOMALY), ("Cancelled", "Filled", Legality.BACKWARD),
        ("Filled", "Submitted", Legality.ANOMALY), ("Inactive", "Submitted", Legality.BACKWARD),
        ("Filled", "Filled", Legality.NORMAL), ("Submitted", "Dreaming", Legality.ANOMALY),
        ("Dreaming", "Submitted", Legality.NORMAL), ("Dreaming", "Dreaming", Legality.NORMAL),
    ],
)  # fmt: skip
def test_wire_legality(before: str, after: str, legality: Legality) -> None:
    assert os_.wire_legality(before, after) is legality


def test_sentences() -> None:
    assert os_.WIRE_MEANING["PreSubmitted"] == "LIVE at the broker, waiting for the market: not a failure"
    assert State.PARTIALLY_FILLED.label == "partially_filled"
    assert Risk.MAYBE_LIVE.label == "maybe live"
    for state in State:
        text = os_.STATE_MEANING[state]
        assert text.startswith("LIVE") == (RISK[state] is Risk.LIVE)
