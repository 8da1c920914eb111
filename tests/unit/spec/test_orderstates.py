from __future__ import annotations

from itertools import product

import pytest

from ibwire.spec import orderstates as os_
from ibwire.spec.errorcodes import OrderEffect
from ibwire.spec.orderstates import (
    ENDED,
    RISK,
    RULES,
    TRANSITIONS,
    WIRE_STATUSES,
    Event,
    Flag,
    Legality,
    Risk,
    State,
    Trigger,
    find_rule,
    resolve,
)

LEAVES_EVERYTHING_OPEN = (
    Trigger.WARNING, Trigger.MODIFY_REFUSED, Trigger.CANCEL_REFUSED, Trigger.NOT_FOUND, Trigger.UNDECIDED,
    Trigger.LINK_LOST, Trigger.DEADLINE, Trigger.UNDECODABLE, Trigger.MODIFY_ACCEPTED, Trigger.CANCEL_REQUEST,
    Trigger.OTHER_STATUS, Trigger.PRE_SUBMITTED, Trigger.SUBMITTED, Trigger.PENDING_CANCEL, Trigger.EXECUTION,
)  # fmt: skip


def test_the_table_is_complete() -> None:
    assert set(TRANSITIONS) == set(product(State, Trigger))
    assert len(RISK) == len(os_.STATE_MEANING) == len(os_.DEADLINE_MS) == len(State)


def test_every_event_has_rules_and_the_last_one_always_fits() -> None:
    assert len(RULES) == len(Event)
    for event in Event:
        *special, last = RULES[event]
        assert (last.states, last.need, last.forbid) == ((1 << len(State)) - 1, 0, 0)
        for rule in special:  # one that asks for nothing would hide those after it
            assert rule.need or rule.forbid or rule.states != last.states
            assert not rule.set & rule.clear
            assert (rule.set | rule.clear) < 1 << 16


def test_the_numbers_of_errors_and_statuses_agree() -> None:
    assert [Event(os_.ERROR_EVENT + effect).name for effect in OrderEffect] == [f"ERROR_{e.name}" for e in OrderEffect]
    assert [Event(trigger) for trigger in os_.STATUS_TRIGGER.values()] == list(Event)[: len(WIRE_STATUSES)]


def test_every_rule_is_used() -> None:
    """For each rule there is a state and a word of flags that takes it: none is dead."""
    for event in Event:
        for rule in RULES[event]:
            states = [state for state in State if rule.states >> state & 1]
            assert any(find_rule(state, rule.need, event) is rule for state in states), (event.name, rule)


FLAG_WORDS = (
    0, Flag.SEEN_LIVE | Flag.ANSWERED, Flag.ANSWERED, Flag.FILLS | Flag.SEEN_LIVE, Flag.REFUSED, Flag.SNAPSHOT,
    Flag.MODIFY_OPEN | Flag.SEEN_LIVE, Flag.MODIFY_OPEN, Flag.KEPT_ALIVE, Flag.OF_CANCEL | Flag.SEEN_LIVE, Flag.DOUBT,
    Flag.EXPIRY, Flag.TOLD_FILLED, Flag.SETTLED,
)  # fmt: skip


def steps_of(state: State) -> set[State]:
    """Where one event can lead from a state, by rules and table."""
    found = set()
    for event, word in product(Event, FLAG_WORDS):
        rule = find_rule(state, word, event)
        found.add(resolve(TRANSITIONS[state, rule.trigger].target, word & ~rule.clear | rule.set))
    return found


def reach(start: State) -> set[State]:
    seen, todo = {start}, [start]
    while todo:
        for target in steps_of(todo.pop()) - seen:
            seen.add(target)
            todo.append(target)
    return seen


def test_every_state_is_reached_from_the_first() -> None:
    assert reach(State.CREATED) == set(State)


@pytest.mark.parametrize("state", [state for state in State if state not in ENDED])
def test_no_state_is_a_trap_but_the_ends(state: State) -> None:
    assert reach(state) >= ENDED | {State.WORKING, State.UNCERTAIN}
    assert steps_of(state) > {state}


def test_every_trigger_is_some_rules() -> None:
    assert {rule.trigger for rules in RULES for rule in rules} == set(Trigger)


def test_who_waits_has_a_deadline_and_leaves_by_it() -> None:
    for state in State:
        moves = TRANSITIONS[state, Trigger.DEADLINE].target != state
        assert moves == (os_.DEADLINE_MS[state] > 0)
    assert os_.DEADLINE_MS[State.UNTRANSMITTED] == 0


def test_uncertain_is_left_only_by_an_answer() -> None:
    local = (Event.PLACE, Event.CANCEL_REQUEST, Event.DEADLINE, Event.LINK_LOST, Event.RESTORED, Event.LOOKED_UP)
    for event, word in product((*local, Event.ABSENT, Event.UNDECODABLE, Event.ERROR_WARNING), FLAG_WORDS):
        rule = find_rule(State.UNCERTAIN, word, event)
        assert TRANSITIONS[State.UNCERTAIN, rule.trigger].target == State.UNCERTAIN


def test_doubt_is_left_only_by_an_answer_to_a_look_up_or_an_end() -> None:
    for event, told in product(Event, (Flag.DOUBT, Flag.BLIND)):
        rule = find_rule(State.UNCERTAIN, told, event)
        target = TRANSITIONS[State.UNCERTAIN, rule.trigger].target
        assert target == State.UNCERTAIN or State(target) in ENDED


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
