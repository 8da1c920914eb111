"""Positions are asked for by the client itself, in virtual time, and held against what is known here."""

from __future__ import annotations

from decimal import Decimal

from ibwire.client.queries import MIN_GAP_MS
from ibwire.trade.positions import MOMENTS_NS
from ibwire.trade.reconcile import AGAIN_MS, Difference, Kind
from ibwire.types import incoming, outgoing

from .world import World

ACCOUNT, AAPL = "DU0000001", 265598


def look(world: World) -> list[Difference]:
    with world.core.lock:
        run = world.core.queries.want()
    world.run(60)
    assert run.differences is not None
    return run.differences


def meddle(world: World, change: int) -> None:
    """A transfer, an exercise: no execution tells of it."""
    world.gateway.accounts[ACCOUNT]._positions[AAPL].quantity += change


def held(world: World) -> Decimal | None:
    return world.core.table.held.expected((ACCOUNT, AAPL))


def bought(world: World, size: int = 10) -> None:
    world.run(10)
    world.place(price=10_000.0, size=size)
    world.run(10)


def test_what_executions_explain_is_no_difference() -> None:
    world = World(reconcile=True)
    bought(world)
    assert held(world) == 10
    for _ in range(3):
        assert look(world) == []
        bought(world, 3)
    assert held(world) == 19
    assert world.link.count(outgoing.ReqPositions) == world.link.count(outgoing.CancelPositions) == 4


def test_what_no_execution_explains_is_reported_once_it_was_looked_at_again() -> None:
    world = World(reconcile=True)
    bought(world)
    meddle(world, -4)
    asked = world.link.count(outgoing.ReqPositions)
    with world.core.lock:
        run = world.core.queries.want()
    world.run(AGAIN_MS / 1000 - 0.1)
    assert run.differences is None and world.link.count(outgoing.ReqPositions) == asked + 1
    world.run(1)
    assert run.differences is not None and world.link.count(outgoing.ReqPositions) == asked + 2
    (found,) = run.differences
    text = f"{ACCOUNT} conId {AAPL}: 10 by the last list and the executions since"
    assert (found.kind, found.ours, found.theirs) == (Kind.POSITION, text, "6")
    assert found.done.startswith("reported; the gateway's position counts")
    assert look(world) == [], "counted from there"
    bought(world)
    assert held(world) == 16 and look(world) == []


def test_a_position_that_is_late_is_no_difference() -> None:
    world = World(reconcile=True)
    bought(world)
    meddle(world, -4)
    world.gateway.clock.after(1_000_000_000, lambda: meddle(world, 4))
    assert look(world) == []


def test_a_fill_within_moments_of_the_list_is_not_counted_from() -> None:
    world = World(reconcile=True)
    world.place(price=10_000.0)
    world.run(MOMENTS_NS / 1e9 - 1)
    assert held(world) is None
    world.run(10)
    meddle(world, 7)
    assert look(world) == [], "it is not known what there was before"
    assert held(world) == 17


def test_a_gap_over_midnight_is_not_compared_and_one_within_the_day_is() -> None:
    for today, expected in (("20260112", 1), ("20260113", 0)):
        world = World(reconcile=True)
        world.core._gateway_time = "20260112 10:00:00 EST"
        look(world)
        bought(world)
        look(world)
        world.link.tell(incoming.Error(-1, 0, 1100, "lost", ""), incoming.Error(-1, 0, 1102, "restored", ""))
        meddle(world, 5)
        world.core._gateway_time = f"{today} 10:00:00 EST"
        world.run(60)
        found = [one.kind for one in world.core.queries.differences]
        assert found == [Kind.POSITION] * expected


def test_positions_that_do_not_come_hold_nobody_up() -> None:
    world = World(reconcile=True)
    world.link.deaf.add(outgoing.ReqPositions)
    order = world.resting()
    with world.core.lock:
        run = world.core.queries.want()
    world.run(3)
    assert run.differences is not None
    assert [(one.kind, one.ours) for one in run.differences] == [(Kind.NOT_ANSWERED, "positions")]
    assert order.is_live


def test_no_look_up_waits_for_a_cross_check() -> None:
    world = World(reconcile=True)
    bought(world)
    order = world.resting()
    meddle(world, 1)
    with world.core.lock:
        run = world.core.queries.want()
    world.run(0.1)
    assert run.is_settled and run.differences is None, "it is asked for once more, later"
    asked = world.link.count(outgoing.ReqOpenOrders)
    with world.core.lock:
        world.core.table.on_dispute([order._track], world.core.now_ns())
    world.run(MIN_GAP_MS / 1000)
    assert order.is_live and world.link.count(outgoing.ReqOpenOrders) == asked + 1
    assert run.differences == [], "of positions nothing is said"
    with world.core.lock:
        world.core.queries.want()
    assert [one.theirs for one in look(world)] == ["11"], "the next one tells"


def test_a_doubt_about_an_order_asks_for_no_positions() -> None:
    world = World(reconcile=True)
    order = world.resting()
    before = world.link.count(outgoing.ReqPositions)
    with world.core.lock:
        world.core.table.on_dispute([order._track], world.core.now_ns())
        world.core.queries.doubt()
    world.run(5)
    assert order.is_live and world.link.count(outgoing.ReqPositions) == before
