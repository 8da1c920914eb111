"""Moments at which what came so far would fit an end, and something that is still under way contradicts it.

Each was found by a random history (``tools/histories.py``); at the end of an order of arrival nothing of it is seen.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

import pytest

from ibwire.spec.orderstates import State
from tests.unit.trade.arrival import Implementation, Scenario, Step, look_up
from tests.unit.trade.compiled import Compiled
from tests.unit.trade.plain import Plain
from tests.unit.trade.scenarios import LIVE, cancel, completed, error, executed, opened, place, status


@pytest.fixture(params=[Plain, Compiled], ids=["plain", "compiled"])
def make(request: pytest.FixtureRequest) -> Iterator[Implementation]:
    yield request.param


def states(make: Implementation, *steps: Step, answers: tuple[Step, ...] = ()) -> list[State]:
    """The state after each step, and after the look-up."""
    tracker, found = make(), []
    for now, step in enumerate(steps):
        tracker.apply(step, now * 1_000_000)
        found.append(tracker.state(7))
    if answers:
        look_up(Scenario("", (), (), {}, lookup=answers), tracker, len(steps))
        found.append(tracker.state(7))
    return found


def test_executions_that_add_up_to_more_than_they_say_end_nothing(make: Implementation) -> None:
    """97, busted, and 63 of 160: the word of the bust is overtaken by the second execution, which says 63 in all."""
    first, second = executed("a.01.01", 97, cum=97), executed("b.01.01", 63, cum=63)
    bust = executed("a.01.02", 0, cum=0)
    answers = (opened("Submitted", 160), status("Submitted", 63, 97))
    assert states(make, place(160), first, second, bust, answers=answers)[1:] == [
        State.PARTIALLY_FILLED, State.UNCERTAIN, State.UNCERTAIN, State.PARTIALLY_FILLED,
    ]  # fmt: skip


def test_executions_in_any_order_end_it_when_one_names_them_all(make: Implementation) -> None:
    first, second = executed("a.01.01", 97, cum=97), executed("b.01.01", 63, cum=160)
    assert states(make, place(160), second, first)[-1] is State.FILLED
    silent = executed("a.01.01", 97), executed("b.01.01", 63, cum=63)
    assert states(make, place(160), *silent)[-1] is State.FILLED, "one that names nothing says nothing against it"


def test_a_filled_status_settles_what_the_executions_leave_open(make: Implementation) -> None:
    odd = executed("a.01.01", 97, cum=97), executed("b.01.01", 63, cum=63)
    assert states(make, place(160), *odd, status("Filled", 160, 0))[-2:] == [State.UNCERTAIN, State.FILLED]
    assert states(make, place(160), status("Filled", 160, 0), *odd)[-1] is State.FILLED


def test_more_executed_than_ordered_is_no_end(make: Implementation) -> None:
    """180, modified to 400, and back to 180: an openOrder from the beginning looks like the answer to the last."""
    steps = place(180), place(400), place(180), executed("a.01.01", 314, cum=314), opened("Submitted", 180)
    answers = (opened("Submitted", 400), status("Submitted", 314, 86))
    assert states(make, *steps, answers=answers)[-2:] == [State.PARTIALLY_FILLED, State.PARTIALLY_FILLED]
    ended = states(make, *steps, cancel(), answers=(completed("Cancelled", 400),))
    assert ended[-1] is State.CANCELLED


def test_a_modify_that_was_passed_over_may_have_been_refused(make: Implementation) -> None:
    """Two are under way, the second is accepted; a Cancelled that means the first comes later."""
    steps = *LIVE, place(270), place(340), opened("Submitted", 340), status("Cancelled")
    lives = states(make, *steps, answers=(opened("Submitted", 340), status("Submitted")))
    assert lives[-3:] == [State.WORKING, State.UNCERTAIN, State.WORKING]
    assert states(make, *steps, error(202))[-1] is State.CANCELLED


def test_a_modify_to_the_terms_in_force_is_answered_by_nothing(make: Implementation) -> None:
    """An openOrder from before looks like its answer; it was refused, and a Cancelled comes that means that."""
    steps = place(), place(), opened("PendingSubmit"), executed("a.01.01", 40, cum=40), status("Cancelled")
    lives = states(make, *steps, answers=(opened("Submitted"), status("Submitted", 40, 60)))
    assert lives[-2:] == [State.UNCERTAIN, State.PARTIALLY_FILLED]
    back = *LIVE, place(150), opened("Submitted", 150), place(), opened(), status("Cancelled")
    assert states(make, *back)[-1] is State.UNCERTAIN
    assert states(make, *LIVE, place(150), opened("Submitted", 150), status("Cancelled"))[-1] is State.CANCELLED


def test_a_refusal_after_an_ambiguous_answer_is_not_the_placements(make: Implementation) -> None:
    """The openOrder of the placement looked like the modify's; what is refused then is the modify."""
    steps = place(), place(), status("PendingSubmit"), opened("PendingSubmit"), error(103)
    assert states(make, *steps, answers=(opened("PreSubmitted"),))[-2:] == [State.ACKNOWLEDGED, State.WORKING]


def test_a_refused_placement_may_be_told_after_the_modify_that_was_taken_for_one(make: Implementation) -> None:
    steps = place(340), place(280), status("PendingSubmit", 0, 280), opened("PendingSubmit", 280), error(103)
    assert states(make, *steps, answers=(opened("PreSubmitted", 280),))[-2:] == [State.ACKNOWLEDGED, State.WORKING]
    told = place(340), opened("PendingSubmit", 340), place(280), opened("PendingSubmit", 280), error(201)
    assert states(make, *told)[-1] is State.REJECTED, "both were answered: this ends it"


def test_a_cancelled_of_a_refused_modify_may_come_after_the_next_was_accepted(make: Implementation) -> None:
    steps = *LIVE, place(270), error(201), place(340), opened("Submitted", 340), status("Cancelled")
    assert states(make, *steps)[-2:] == [State.WORKING, State.UNCERTAIN]
    assert states(make, *steps, error(202))[-1] is State.CANCELLED


@pytest.mark.parametrize("again", [True, False])
def test_a_refusal_of_what_was_sent_twice_untransmitted_may_be_of_either(make: Implementation, again: bool) -> None:
    steps = place(250, transmit=False), place(210, transmit=again), error(103)
    assert states(make, *steps)[-1] is State.UNCERTAIN
    assert states(make, *steps, opened("Submitted", 210), answers=(opened("Submitted", 210),))[-1] is State.WORKING
    assert states(make, *steps, answers=(completed("Inactive"),))[-1] is State.REJECTED
    assert states(make, *steps, answers=(status("Filled", 100, 0, 8),))[-1] is State.REJECTED, "refused, and not there"
    unread = *steps, Step("undecodable")
    assert states(make, *unread, answers=(status("Filled", 100, 0, 8),))[-1] is State.UNCERTAIN, "not read"


def test_one_refusal_of_a_placement_and_its_modify_and_no_order_there(make: Implementation) -> None:
    steps = place(), place(150), error(201)
    assert states(make, *steps, answers=(status("Filled", 100, 0, 8),))[-2:] == [State.UNCERTAIN, State.REJECTED]
    lives = states(make, *steps, answers=(opened("Inactive"), status("Inactive")))
    assert lives[-1] is State.INACTIVE, "it was named, so it was the modify that was refused"


def test_a_refusal_of_what_its_group_transmitted_is_its_own(make: Implementation) -> None:
    steps = place(transmit=False), place(order_id=8, parentId=7), error(201)
    assert states(make, *steps)[-1] is State.REJECTED


def test_a_transmission_that_could_not_be_sent_leaves_the_order_at_tws(make: Implementation) -> None:
    steps = place(transmit=False), place(), Step("send_failed", 7, 0)
    assert states(make, *steps)[-1] is State.UNCERTAIN, "it was sent once"
    assert states(make, place(), Step("send_failed", 7, 0))[-1] is State.CREATED


def test_a_modify_that_could_not_be_sent_does_not_unsend_its_order(make: Implementation) -> None:
    """The placement was not answered yet: calling it not sent would invite a second one."""
    assert states(make, place(), place(150), Step("send_failed", 7, 0))[-1] is State.SENT
    refused = place(), place(150), error(110), Step("send_failed", 7, 0)
    assert states(make, *refused)[-1] is not State.CREATED
    cancelled = place(), cancel(), place(150), Step("send_failed", 7, 0)
    assert states(make, *cancelled)[-1] is State.CANCEL_REQUESTED


def test_a_refusal_after_a_new_session_may_be_of_the_modify_before_it(make: Implementation) -> None:
    """The placement was not answered before the link broke; the order may be live, and its modify refused."""
    steps = place(), place(150), Step("link_lost"), error(110)
    assert states(make, *steps)[-1] is State.UNCERTAIN
    assert states(make, place(), Step("link_lost"), error(201))[-1] is State.REJECTED, "nothing else was sent"


@pytest.mark.parametrize("told", [executed("c.01.01", 19, cum=100), status("Filled", 100, 0)], ids=["cumQty", "status"])
def test_an_execution_that_was_busted_unseen_is_not_counted(make: Implementation, told: Step) -> None:
    """66, 15 and 19 of 100, of which nothing was heard, and the first is gone: the lists say 34, what was told 100."""
    fills = executed("b.01.01", 15, cum=81), executed("c.01.01", 19, cum=34)
    tracker = make()
    steps = place(), Step("link_lost"), told, *fills, completed("Filled", filledQuantity=34)
    for now, step in enumerate(steps):
        tracker.apply(step, now)
    assert (tracker.state(7), tracker.facts(7).filled) == (State.FILLED, Decimal(34))


def test_smaller_terms_that_made_it_filled_were_not_the_last(make: Implementation) -> None:
    """TWS shrinks a child to 6 and lets it grow again; the word of the 6 comes last."""
    steps = *LIVE, opened("Submitted", 6), executed("a.01.01", 6)
    assert states(make, *steps)[-1] is State.FILLED
    assert states(make, *steps, completed("Cancelled"))[-1] is State.CANCELLED
    assert states(make, *steps, opened("Submitted"))[-1] is State.UNCERTAIN
    filled = *steps, status("Filled", 6, 0), opened("Submitted")
    assert states(make, *filled)[-1] is State.FILLED, "it was told so"


def test_a_modify_back_that_an_old_message_seemed_to_confirm_may_be_refused(make: Implementation) -> None:
    """100, 150, 100 again: an openOrder from before says 100, the second modify is refused, and 100 are executed."""
    steps = *LIVE, place(150), opened("Submitted", 150), place(100), opened("Submitted", 100)
    assert states(make, *steps, executed("a.01.01", 100))[-1] is State.PARTIALLY_FILLED
    assert states(make, *steps, error(201), executed("a.01.01", 100))[-1] is State.PARTIALLY_FILLED
    assert states(make, *steps, executed("a.01.01", 100), status("Filled", 100, 0))[-1] is State.FILLED


def test_a_cancelled_after_terms_that_passed_a_modify_over_may_be_of_that_one(make: Implementation) -> None:
    """100, then 60, 100 and 40 at once: an openOrder from before says 100, one of the 40 follows; the 60 is refused."""
    steps = *LIVE, place(60), place(100), place(40), opened("Submitted", 100), opened("Submitted", 40)
    assert states(make, *steps, status("Cancelled"), error(201))[-1] is State.UNCERTAIN


def test_terms_that_a_look_up_undid_may_come_once_more(make: Implementation) -> None:
    """Shrunk to 50; the broker, asked, says 100 again. The word of the 50 comes a second time, very late."""
    tracker = make()
    for now, step in enumerate((*LIVE, place(50), opened("Submitted", 50))):
        tracker.apply(step, now)
    look_up(Scenario("", (), (), {}, lookup=(opened("Submitted", 100), status("Submitted"))), tracker, 10)
    tracker.apply(opened("Submitted", 50), 20_000_000)
    assert tracker.state(7) is State.UNCERTAIN
    tracker.apply(executed("a.01.01", 50, cum=50), 21_000_000)
    assert tracker.state(7) is State.UNCERTAIN, "50 of the 100 may be left"
