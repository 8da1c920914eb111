"""What becomes of a modify."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from ibwire.client.modifying import ModifyOutcome, ModifyPending, _same
from ibwire.errors import ConfigError, PacingError, SessionLost, WaitTimeout
from ibwire.io.writer import SendFailed
from ibwire.sim.checks import Refusal
from ibwire.sim.forcing import DROP
from ibwire.spec.orderstates import DEADLINE_MS, State
from ibwire.types import incoming, outgoing

from .world import World

ANSWER_S = DEADLINE_MS[State.MODIFY_REQUESTED] / 1000


def test_new_terms_that_come_back_are_accepted() -> None:
    world = World()
    order = world.resting()
    modify = order.modify(lmtPrice=2.0, totalQuantity=Decimal(7))
    assert modify.outcome is None
    assert order.state is State.MODIFY_REQUESTED
    assert modify.changes == {"lmtPrice": 2.0, "totalQuantity": Decimal(7)}
    assert modify.wait(0) is modify and modify.outcome is None, "a time-out is no outcome"
    with pytest.raises(WaitTimeout, match="no outcome"):
        modify.wait(0, raise_on_timeout=True)
    world.run(1)
    assert modify.wait(0).outcome is ModifyOutcome.ACCEPTED
    assert modify.event is not None and modify.event.state == "modified"
    assert modify.event.meaning == "the new terms are in force"
    assert (order.broker_order.lmtPrice, order.total_quantity) == (2.0, Decimal(7))
    assert order.is_live
    assert order.last_modify is modify


def test_terms_that_no_status_tells_of_are_confirmed_by_open_order() -> None:
    world = World()
    order = world.resting()
    modify = order.modify(tif="GTC")
    stale = incoming.OpenOrder(order.order_id, order.broker_contract, order.broker_order)
    stale.orderState.status = "Submitted"
    world.link.tell(stale)
    world.core.pump.turn()
    assert modify.outcome is None, "an openOrder with the old terms is no answer"
    assert order.events[-1].meaning == "these terms are reported; the message may be older than the modify"
    world.run(1)
    assert modify.outcome is ModifyOutcome.ACCEPTED
    assert order.broker_order.tif == "GTC"


@pytest.mark.parametrize("code", [105, 110, 201, 329, 10326])
def test_a_refusal_comes_with_its_reason_and_the_next_one_builds_on_the_old_terms(code: int) -> None:
    world = World()
    order = world.resting()
    stop = world.force.on_place(lambda request, live: Refusal(code, "no such price") if live else None)
    modify = order.modify(lmtPrice=3.0, tif="GTC")
    world.run(1)
    assert (modify.outcome, modify.code, modify.text) == (ModifyOutcome.REFUSED, code, "no such price")
    assert order.is_live and order.broker_order.lmtPrice == 1.0
    stop()
    again = order.modify(totalQuantity=Decimal(5))
    assert (again.wanted.lmtPrice, again.wanted.tif) == (1.0, "DAY")
    world.run(1)
    assert again.outcome is ModifyOutcome.ACCEPTED


def test_it_is_too_late_for_a_filled_order() -> None:
    world = World()
    order = world.resting()
    world.force.fill(1, order.order_id, price=Decimal(1))
    modify = order.modify(lmtPrice=2.0)
    world.force.on_place(lambda request, live: None)
    world.run(1)
    assert order.is_filled
    assert modify.outcome in (ModifyOutcome.TOO_LATE, ModifyOutcome.UNKNOWN), modify
    with pytest.raises(ConfigError, match="filled"):
        order.modify(lmtPrice=2.0)


@pytest.mark.parametrize(("code", "text"), [(104, "Cannot modify"), (201, "Order rejected - reason: already Filled")])
def test_it_is_too_late_when_the_gateway_says_that_it_is_filled(code: int, text: str) -> None:
    world = World()
    order = world.resting()
    world.force.on_place(lambda request, live: Refusal(code, text))
    modify = order.modify(lmtPrice=2.0)
    world.run(1)
    assert (modify.outcome, modify.code, modify.text) == (ModifyOutcome.TOO_LATE, code, text)
    assert order.is_live, "its executions say the rest"


def test_it_is_too_late_when_the_order_ends_first() -> None:
    world = World()
    order = world.resting()
    world.force.on_place(lambda request, live: DROP)
    modify = order.modify(lmtPrice=2.0)
    order.cancel()
    world.run(1)
    assert (modify.outcome, modify.text) == (ModifyOutcome.TOO_LATE, "the order is cancelled")


def test_no_answer_is_unknown_and_the_look_up_shows_the_old_terms() -> None:
    world = World()
    order = world.resting()
    stop = world.force.on_place(lambda request, live: DROP)
    modify = order.modify(lmtPrice=2.0)
    world.run(ANSWER_S + 1)
    assert modify.outcome is ModifyOutcome.UNKNOWN
    assert modify.text == "the gateway reports lmtPrice 1.0"
    assert order.is_live and world.link.count(outgoing.ReqOpenOrders) == 1
    assert world.link.count(outgoing.PlaceOrder) == 2, "nothing is sent again"
    stop()
    again = order.modify(totalQuantity=Decimal(5))
    assert again.wanted.lmtPrice == 1.0, "built on the terms in force"
    world.run(1)
    assert again.outcome is ModifyOutcome.ACCEPTED


def test_a_lost_answer_is_found_by_the_look_up() -> None:
    world = World()
    order = world.resting()
    world.gateway.order_filter = lambda session, event, messages: []
    modify = order.modify(lmtPrice=2.0)
    world.run(1)
    world.gateway.order_filter = None
    world.run(ANSWER_S)
    assert modify.outcome is ModifyOutcome.ACCEPTED
    assert order.is_live


def test_one_is_on_its_way_at_a_time() -> None:
    world = World()
    order = world.resting()
    first = order.modify(lmtPrice=2.0)
    sent = len(world.link.sent)
    for act in (lambda: order.modify(lmtPrice=3.0), lambda: world.orders.place(order.contract, order.order)):
        with pytest.raises(ModifyPending, match="no outcome yet") as caught:
            act()
        assert isinstance(caught.value, PacingError)
    assert len(world.link.sent) == sent
    world.run(1)
    assert first.outcome is ModifyOutcome.ACCEPTED
    order.modify(lmtPrice=3.0)
    world.run(1)
    assert order.broker_order.lmtPrice == 3.0


def test_an_uncertain_order_is_not_modified() -> None:
    world = World()
    world.force.on_place(lambda request, live: DROP)
    order = world.place()
    world.run(60)
    with pytest.raises(ModifyPending, match="uncertain"):
        order.modify(lmtPrice=2.0)
    assert world.link.count(outgoing.PlaceOrder) == 1


def test_placing_with_a_live_orders_id_is_a_modify() -> None:
    world = World()
    order = world.resting()
    changed = order.order
    changed.lmtPrice = 2.0  # the caller's own object: what was sent is remembered apart from it
    assert world.orders.place(order.contract, changed) is order
    assert order.last_modify is not None and order.last_modify.changes == {"lmtPrice": 2.0}
    world.run(1)
    assert order.last_modify.outcome is ModifyOutcome.ACCEPTED


def test_an_untransmitted_order_can_be_changed_and_transmitted() -> None:
    world = World()
    order = world.place(transmit=False)
    order.modify(lmtPrice=2.0)
    order.modify(lmtPrice=3.0)
    world.run(60)
    assert order.state is State.UNTRANSMITTED
    order.modify(transmit=True)
    world.run(1)
    assert order.is_live and order.broker_order.lmtPrice == 3.0


def test_a_refused_transmission_is_looked_up_and_then_known() -> None:
    """The refusal may have been of the untransmitted placement, and the order live: the list of open orders tells."""
    world = World()
    order = world.place(transmit=False)
    world.run(10)
    world.force.on_place(lambda request, live: Refusal(201, "margin"))
    order.modify(transmit=True)
    world.settle()
    assert order.state is State.REJECTED
    assert [event.order_state for event in order.events][-2:] == [State.UNCERTAIN, State.REJECTED]
    assert order.last_error == (201, "margin")
    assert world.link.count(outgoing.ReqOpenOrders) == 1


def test_what_cannot_be_sent_is_refused_before_anything_is_sent() -> None:
    world = World()
    order = world.resting()
    sent = len(world.link.sent)
    with pytest.raises(ConfigError, match="did you mean lmtPrice"):
        order.modify(lmt_price=2.0)
    with pytest.raises(ConfigError, match="orderId cannot be modified"):
        order.modify(orderId=5)
    assert len(world.link.sent) == sent and order.last_modify is None


@pytest.mark.parametrize("wrote_bytes", [0, 5])
def test_a_modify_that_broke_off(wrote_bytes: int) -> None:
    world = World()
    order = world.resting()
    world.link.fail = SendFailed("broke", wrote_bytes=wrote_bytes)
    with pytest.raises(SessionLost):
        order.modify(lmtPrice=2.0)
    if wrote_bytes:
        assert order.is_uncertain and order.last_modify is not None
        assert order.last_modify.outcome is ModifyOutcome.UNKNOWN
    else:
        assert order.is_live and order.last_modify is None


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (1.5, Decimal("1.5"), True),
        (None, 1.7976931348623157e308, True),
        (None, 2147483647, True),
        (None, "", True),
        (0.0, None, False),
        ("DAY", "GTC", False),
        ("DAY", "", False),
        (True, False, False),
        ([], None, True),
        ([1], [2], False),
        ("2", 2, True),
    ],
)
def test_values_are_compared_by_what_they_mean(one: Any, other: Any, same: bool) -> None:
    assert _same(one, other) is _same(other, one) is same
