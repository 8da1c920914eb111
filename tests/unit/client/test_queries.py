"""Deadlines, and what is asked after them: against the simulated gateway, in virtual time."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest

from ibwire.client.order_handle import Turn
from ibwire.client.queries import AGAIN_MS, MIN_GAP_MS
from ibwire.errors import RiskRejected, SessionLost
from ibwire.sim.forcing import DROP
from ibwire.spec.orderstates import DEADLINE_MS, Risk, State
from ibwire.trade.reconcile import Kind
from ibwire.types import incoming, outgoing
from ibwire.wire.codec import Codec, Role
from ibwire.wire.framing import frame

from .world import World, turns

QUESTIONS = (outgoing.ReqOpenOrders, outgoing.ReqExecutions, outgoing.ReqCompletedOrders)
SENT_S = DEADLINE_MS[State.SENT] / 1000


def asked(world: World) -> list[str]:
    return [type(message).__name__ for message in world.link.sent if type(message) in QUESTIONS]


def test_no_answer_is_uncertain_then_asked_for_and_never_sent_again() -> None:
    world = World()
    world.force.on_place(lambda request, live: DROP)
    order = world.place()
    world.run(SENT_S - 0.001)
    assert order.state is State.SENT and asked(world) == []
    world.run(0.002)
    assert order.is_uncertain and order.may_fill
    assert asked(world) == ["ReqOpenOrders", "ReqExecutions", "ReqCompletedOrders"]
    (difference,) = world.core.queries.differences
    assert (difference.kind, difference.order_id) == (Kind.MISSING_THERE, order.order_id)
    world.run(600)
    assert order.is_uncertain, "found nowhere is no proof of an end"
    assert world.link.count(outgoing.PlaceOrder) == 1
    assert turns(order) == [Turn.UNCERTAIN]


def test_what_is_found_nowhere_is_asked_for_ever_more_seldom() -> None:
    world = World()
    world.force.on_place(lambda request, live: DROP)
    world.place()
    begun: list[float] = []
    start_ns = world.gateway.clock.now_ns
    for _ in range(200):
        before = world.link.count(outgoing.ReqOpenOrders)
        world.run(1)
        if world.link.count(outgoing.ReqOpenOrders) > before:
            begun.append((world.gateway.clock.now_ns - start_ns) / 1e9)
    gaps = [round(later - earlier) for earlier, later in pairwise(begun)]
    assert gaps == [ms // 1000 for ms in (*AGAIN_MS, AGAIN_MS[-1])]


def test_a_lost_answer_is_found_by_asking() -> None:
    world = World()
    world.gateway.order_filter = lambda session, event, messages: []  # whatever the gateway says of orders is lost
    order = world.place()
    world.run(1)
    world.gateway.order_filter = None
    assert order.risk is Risk.MAYBE_LIVE
    world.run(SENT_S)
    assert order.is_live
    assert turns(order) == [Turn.UNCERTAIN, Turn.FIRST_LIVE]
    assert asked(world) == ["ReqOpenOrders", "ReqExecutions", "ReqCompletedOrders"]
    world.run(100)
    assert len(asked(world)) == 3, "it is settled"


def test_lost_fills_are_found_by_asking() -> None:
    world = World()
    world.gateway.order_filter = lambda session, event, messages: []
    order = world.place(price=10_000.0)
    world.run(2)
    world.gateway.order_filter = None
    assert not order.is_filled
    world.run(SENT_S)
    assert order.is_filled and order.filled == 10
    assert turns(order)[-1] is Turn.END and Turn.FILL in turns(order)


def test_an_unanswered_cancel_is_asked_for_and_the_order_is_still_live() -> None:
    world = World()
    order = world.resting()
    world.force.on_cancel(lambda clientId, orderId: DROP)
    order.cancel()
    world.run(DEADLINE_MS[State.CANCEL_REQUESTED] / 1000 + 0.1)
    assert Turn.UNCERTAIN in turns(order)
    assert order.is_live, "the list of open orders has it"
    assert world.link.count(outgoing.CancelOrder) == 1


def test_an_untransmitted_order_has_no_deadline() -> None:
    world = World()
    order = world.place(transmit=False)
    world.run(3600)
    assert order.state is State.UNTRANSMITTED
    assert asked(world) == []


def test_many_doubts_are_one_look_up() -> None:
    world = World()
    world.force.on_place(lambda request, live: DROP)
    for _ in range(20):
        world.place()
        world.run(0.01)
    world.run(SENT_S + 0.5)
    assert world.link.count(outgoing.ReqOpenOrders) == 1
    world.run(MIN_GAP_MS / 1000)
    assert world.link.count(outgoing.ReqOpenOrders) == 2, "those that came into doubt meanwhile"


def test_an_unknown_order_to_cancel_is_looked_up() -> None:
    world = World()
    world.orders.cancel(77)
    world.run(1)
    order = world.orders.get(77)
    assert order is not None and order.is_uncertain
    assert asked(world) == ["ReqOpenOrders", "ReqExecutions", "ReqCompletedOrders"]


def test_an_end_marker_that_never_comes_holds_up_nothing_for_ever() -> None:
    world = World()
    world.link.deaf = {outgoing.ReqExecutions}
    order = world.resting()
    run = world.core.queries.want()
    world.run(5)
    assert run.differences is None
    world.run(20)
    assert run.differences is not None
    assert [d.kind for d in run.differences] == [Kind.NOT_ANSWERED]
    assert order.is_live


def test_a_read_only_session_says_that_it_may_not_ask() -> None:
    world = World(read_only=True)
    run = world.core.queries.want()
    world.run(0.1)
    assert run.differences is not None, "nobody waits for a marker that is not sent"
    assert {d.kind for d in run.differences} == {Kind.NOT_ANSWERED}


@pytest.mark.parametrize("code", [1101, 1102])
def test_after_a_gap_everything_is_looked_up_before_risk_is_added(code: int) -> None:
    world = World()
    order = world.resting()
    world.link.tell(incoming.Error(-1, 0, 1100, "lost"))
    world.core.pump.turn()
    assert order.is_live
    world.force.cancel(1, order.order_id, code=0)
    world.link.session.take()  # what is said meanwhile is lost
    world.link.tell(incoming.Error(-1, 0, code, "restored"))
    world.core.pump.turn()
    assert order.is_uncertain
    with pytest.raises(RiskRejected, match="looked up"):
        world.place()
    world.run(0.1)
    assert order.state is State.CANCELLED
    world.resting()


def test_a_version_without_completed_orders_is_asked_what_it_can_tell() -> None:
    world = World(server_version=140)
    order = world.resting()
    run = world.core.queries.want()
    world.run(1)
    assert run.differences is not None
    assert order.is_live
    assert world.link.count(outgoing.ReqCompletedOrders) == 0


def test_the_end_of_the_session_ends_a_look_up() -> None:
    world = World()
    order = world.resting()
    world.link.deaf = set(QUESTIONS)
    world.core.queries.want()
    world.settle()
    world.link.close()
    world.core.pump.turn()
    assert order.is_uncertain
    world.run(60)
    assert len(asked(world)) == 1
    with pytest.raises(SessionLost):
        order.wait("done", 0.01)


def test_a_look_up_tells_what_an_earlier_life_left_open() -> None:
    world = World()
    order = world.resting()
    again = world.reconnect()
    found = [(d.kind, d.order_id) for d in again.core.queries.differences]
    assert found == [(Kind.MISSING_HERE, order.order_id)], "also what the gateway told by itself before it was asked"
    held = again.orders.get(order.order_id)
    assert held is not None and held.is_live and held.perm_id == order.perm_id


def break_off(world: World, order_id: int) -> None:
    """An orderStatus that breaks off."""
    codec = Codec(225, Role.GATEWAY)
    payload = codec.encode(incoming.OrderStatus(orderId=order_id, status="Submitted", clientId=1))
    world.link.decoder.receive(frame(payload[:9]), world.gateway.clock.now_ns)


def test_what_could_not_be_read_is_looked_up() -> None:
    world = World()
    order = world.resting()
    done = world.place(price=10_000.0)
    world.run(3)
    assert done.is_filled
    break_off(world, order.order_id)
    world.run(MIN_GAP_MS / 1000)
    assert Turn.UNCERTAIN in turns(order)
    assert order.is_live and done.is_filled
    assert not order.needs_query and not done.needs_query
    assert asked(world) == ["ReqOpenOrders", "ReqExecutions", "ReqCompletedOrders"]


def test_answers_that_can_never_be_read_are_asked_for_ever_more_seldom() -> None:
    world = World()
    order = world.resting()
    send = world.link.send

    def answer(payload: bytes, *turn: Any) -> None:
        send(payload, *turn)
        if type(world.link.sent[-1]) is outgoing.ReqOpenOrders:
            break_off(world, order.order_id)

    break_off(world, order.order_id)
    world.link.send = answer  # type: ignore[assignment, method-assign]
    world.run(300)
    assert order.may_fill
    assert world.link.count(outgoing.ReqOpenOrders) < 20


def test_new_doubts_are_looked_up_soon_and_at_most_so_often() -> None:
    world = World()
    begun: list[int] = []
    send = world.link.send

    def watch(payload: bytes, *turn: Any) -> None:
        send(payload, *turn)
        if type(world.link.sent[-1]) is outgoing.ReqOpenOrders:
            begun.append(world.gateway.clock.now_ns)

    world.link.send = watch  # type: ignore[assignment, method-assign]
    for number in range(60):  # a new doubt each half second
        world.orders.cancel(1000 + number)
        world.run(0.5)
    gaps = {later - earlier for earlier, later in pairwise(begun)}
    assert len(begun) >= 15 and gaps == {MIN_GAP_MS * 1_000_000}
