"""What a group is judged by, member by member."""

from __future__ import annotations

from decimal import Decimal
from itertools import permutations, product
from typing import Any

import pytest

from ibwire.spec.orderstates import ENDED, State
from ibwire.trade.groups import ANSWER_MS, SETTLE_MS, Fault, Finding, Member, judge_family, judge_oca
from ibwire.types.constructors import stock

CONTRACT = stock("AAPL", conId=265598)
TEN = Decimal(10)


def member(order_id: int, state: State = State.WORKING, filled: int = 0, **values: Any) -> Member:
    facts: dict[str, Any] = {
        "order_id": order_id,
        "state": state,
        "filled": Decimal(filled),
        "remaining": TEN - filled,
        "placed": TEN,
        "action": "SELL",
        "order_type": "LMT",
        "contract": CONTRACT,
        "oca_type": 1,
        "cancel_asked": False,
        "was_live": True,
        "refusal": "",
    }
    return Member(**{**facts, **values})


def entry(state: State = State.WORKING, filled: int = 0, **values: Any) -> Member:
    return member(1, state, filled, **{"action": "BUY", **values})


def profit(state: State = State.WORKING, filled: int = 0, **values: Any) -> Member:
    return member(2, state, filled, **values)


def stop(state: State = State.WORKING, filled: int = 0, **values: Any) -> Member:
    return member(3, state, filled, **{"order_type": "STP", **values})


def fault(finding: Finding | None) -> Fault | None:
    return None if finding is None else finding.fault


@pytest.mark.parametrize(
    ("parent", "children", "wanted"),
    [
        (entry(), [profit(), stop()], None),
        (entry(State.UNTRANSMITTED), [], None),
        (entry(State.UNTRANSMITTED), [profit(State.UNTRANSMITTED)], Fault.NOT_WORKING),
        (entry(State.UNTRANSMITTED), [profit(State.REJECTED)], Fault.REFUSED),
        (entry(), [profit(), stop(State.REJECTED)], Fault.REFUSED),
        (entry(), [profit(), stop(State.CREATED)], Fault.REFUSED),
        (entry(), [profit(State.EXPIRED), stop()], Fault.GONE),
        (entry(State.UNCERTAIN), [profit(), stop()], None),  # its own event says so
        (entry(), [profit(), stop(State.INACTIVE, was_live=False)], None),  # waits for its parent
        (entry(), [profit(), stop(State.INACTIVE)], Fault.NOT_WORKING),
        (entry(State.FILLED, 10), [profit(), stop(State.INACTIVE, was_live=False)], Fault.NOT_WORKING),
        (entry(), [profit()], Fault.NO_STOP),
        (entry(State.UNTRANSMITTED, action=""), [profit()], Fault.NOT_WORKING),
        (entry(), [stop()], None),
        (entry(), [member(2, action="BUY")], None),  # no exit: a chain
        (entry(), [member(2, State.REJECTED, action="BUY")], Fault.REFUSED),
        (entry(), [member(2, contract=stock("MSFT", conId=1))], None),  # a hedge
        (entry(State.FILLED, 10), [profit(State.FILLED, 10), stop(State.CANCELLED)], None),
        (entry(State.FILLED, 10), [profit(State.FILLED, 10), stop(State.REJECTED)], None),
        (entry(State.FILLED, 10), [profit(State.FILLED, 10), stop()], Fault.NOT_ENDED),
        (entry(State.FILLED, 10), [profit(State.PARTIALLY_FILLED, 4), stop()], Fault.NOT_ENDED),
        (entry(State.FILLED, 10), [profit(State.PARTIALLY_FILLED, 4), stop(remaining=Decimal(6))], None),
        (entry(State.FILLED, 10), [profit(), stop(remaining=Decimal(4))], Fault.TOO_SMALL),
        (entry(State.FILLED, 10), [profit(), stop(remaining=Decimal(4), placed=Decimal(4))], None),
        (entry(State.FILLED, 10), [profit(), stop(remaining=None)], None),
        (entry(State.CANCELLED), [profit(State.CANCELLED), stop(State.CANCELLED)], None),
        (entry(State.CANCELLED), [profit(State.CANCELLED), stop()], Fault.NOT_ENDED),
        (entry(State.CANCELLED, 4), [profit(remaining=Decimal(4)), stop(remaining=Decimal(4))], None),
        (entry(State.CANCELLED, 4), [profit(remaining=Decimal(4)), stop()], Fault.NOT_ENDED),
        (entry(), [profit(), stop(State.CANCELLED), member(4, order_type="TRAIL")], None),  # placed anew
        (entry(), [profit(), stop(State.CANCELLED), member(4, State.UNCERTAIN, order_type="STP")], Fault.GONE),
        (entry(), [profit(), stop(State.CANCELLED), member(4, order_type="STP", remaining=Decimal(3))], Fault.GONE),
    ],
)
def test_families(parent: Member, children: list[Member], wanted: Fault | None) -> None:
    for order in permutations(children):
        assert fault(judge_family(parent, order)) is wanted


def test_what_is_over_is_never_half_and_what_is_held_without_a_stop_always() -> None:
    for p, a, b in product(State, repeat=3):
        for bought, first, second in ((0, 0, 0), (10, 0, 0), (10, 10, 0), (10, 0, 10), (4, 0, 0)):
            finding = judge_family(entry(p, bought), [profit(a, first), stop(b, second)])
            held = bought - first - second
            if {p, a, b} <= ENDED and not held:
                assert finding is None
            if held and p in ENDED and b in ENDED and b is not State.FILLED:
                assert finding is not None and finding.order_id == 3, (p, a, b, bought)
            assert finding is None or finding.text


@pytest.mark.parametrize(
    ("members", "wanted", "after_ms"),
    [
        ([member(1), member(2)], None, 0),
        ([member(1), member(2, State.REJECTED)], Fault.REFUSED, 0),
        ([member(1, State.FILLED, 10), member(2, State.REJECTED)], None, 0),
        ([member(1), member(2, State.UNCERTAIN)], Fault.UNCERTAIN, SETTLE_MS),
        ([member(1), member(2, State.INACTIVE)], Fault.NOT_WORKING, SETTLE_MS),
        ([member(1), member(2, State.CANCELLED)], Fault.GONE, ANSWER_MS),
        ([member(1), member(2, State.CANCELLED, cancel_asked=True)], None, 0),
        ([member(1, State.CANCELLED), member(2, State.CANCELLED)], None, 0),
        ([member(1, State.FILLED, 10), member(2, State.CANCELLED)], None, 0),
        ([member(1, State.FILLED, 10), member(2)], Fault.NOT_ENDED, ANSWER_MS),
        ([member(1, State.PARTIALLY_FILLED, 1), member(2)], Fault.NOT_ENDED, ANSWER_MS),
        ([member(1, filled=5, oca_type=2), member(2, oca_type=2)], Fault.NOT_ENDED, ANSWER_MS),
        ([member(1, filled=5, oca_type=2), member(2, oca_type=2, remaining=Decimal(5))], None, 0),
        # less than a piece of it: TWS reduces by whole ones
        ([member(1, filled=1, oca_type=2), member(2, oca_type=2, placed=Decimal(2), remaining=Decimal(2))], None, 0),
        ([member(1, filled=5, oca_type=3), member(2, oca_type=3, remaining=None)], None, 0),
        ([member(1, State.FILLED, 10), member(2, filled=4)], Fault.OVERFILLED, SETTLE_MS),
        ([member(1, State.CANCELLED, 5, oca_type=2), member(2, State.FILLED, 5, oca_type=2)], None, 0),
        ([member(1, filled=9, oca_type=3), member(2, filled=9, oca_type=3)], Fault.OVERFILLED, SETTLE_MS),
    ],
)
def test_groups(members: list[Member], wanted: Fault | None, after_ms: int) -> None:
    for order in permutations(members):
        finding = judge_oca("mine", order)
        assert fault(finding) is wanted
        assert finding is None or (finding.after_ms == after_ms and "mine" in finding.text)
