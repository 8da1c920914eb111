"""Waiting for an order and reading its history, in every order of arrival that a gateway is capable of."""

from __future__ import annotations

import threading
from decimal import Decimal
from typing import Any

import pytest

from ibwire.client.core import Core
from ibwire.client.modifying import ModifyOutcome
from ibwire.client.order_handle import Turn
from ibwire.errors import ConfigError, OrderError, PacingError, SessionLost, WaitTimeout, WrongThread
from ibwire.sim.checks import Refusal
from ibwire.sim.forcing import DROP
from ibwire.sim.working import Manners
from ibwire.spec.orderstates import Flag, State
from ibwire.types import incoming, outgoing
from ibwire.types.constructors import limit

from .world import APPLE, World, turns


def test_a_wait_that_times_out_changes_nothing() -> None:
    world = World()
    order = world.resting()
    state, events, sent = order.state, list(order.events), len(world.link.sent)
    assert order.wait("done", timeout=0) is order
    assert order.wait("done", timeout=0.01) is order
    with pytest.raises(WaitTimeout, match=r"order 1 is not done after 0 s; it is working \(LIVE, working"):
        order.wait("done", timeout=0, raise_on_timeout=True)
    assert (order.state, list(order.events), len(world.link.sent)) == (state, events, sent)


def test_a_wait_for_what_does_not_exist_is_a_mistake() -> None:
    with pytest.raises(ConfigError, match=r"'submitted'.*acknowledged, live, done"):
        World().resting().wait("submitted")


def test_a_time_that_is_no_number_is_a_mistake() -> None:
    world = World()
    order = world.resting()
    change = order.modify(lmtPrice=1.01)
    odds: list[Any] = [float("nan"), "5", [], Decimal("NaN")]
    for odd in odds:
        for wait in (order.wait, change.wait):
            with pytest.raises(ConfigError, match="give seconds"):
                wait(timeout=odd)
        with pytest.raises(ConfigError, match="give seconds"):
            world.core.risk.kill("x", timeout=odd)
        with pytest.raises(ConfigError, match="give seconds"):
            world.core.ask(outgoing.ReqPositions(), incoming.Position, incoming.PositionEnd, timeout_s=odd)
    assert world.core.risk.switch.kill is None
    assert world.link.count(outgoing.ReqPositions) == 0
    assert order.wait("live", timeout=10**400) is order
    exact: Any = Decimal("0.5")
    assert order.wait("live", timeout=exact) is order


def test_an_inline_client_waits_in_its_own_thread_only() -> None:
    order = World().resting()
    caught: list[BaseException] = []

    def wait() -> None:
        try:
            order.wait("done", 0.01)
        except WrongThread as error:
            caught.append(error)

    thread = threading.Thread(target=wait)
    thread.start()
    thread.join()
    assert len(caught) == 1


def test_too_much_traffic_is_told_before_anything_is_known_of_the_order(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World()
    resting = world.resting()

    def busy(core: Core, *, cancel: bool = False) -> None:
        if not cancel:
            raise PacingError("too many", retry_after_ms=5)

    monkeypatch.setattr(Core, "take_turn", busy)
    with pytest.raises(PacingError):
        world.orders.place(APPLE, limit("BUY", 1, 1.0))
    with pytest.raises(PacingError):
        resting.modify(lmtPrice=2.0)
    assert len(world.orders.all()) == 1 and resting.last_modify is None
    resting.cancel()
    world.run(1)
    assert resting.is_done, "a cancel goes out all the same"


def test_a_waiting_turn_holds_no_lock(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World()
    free: list[bool] = []

    def look(core: Core, *, cancel: bool = False) -> None:
        def take() -> None:
            free.append(core.lock.acquire(timeout=5))
            core.lock.release()

        thread = threading.Thread(target=take)
        thread.start()
        thread.join()

    monkeypatch.setattr(Core, "take_turn", look)
    order = world.resting()
    order.modify(lmtPrice=2.0)
    order.cancel()
    assert free == [True] * 3


# ------------------------------------------------------------------------------------------------------ turning points


def test_the_turning_points_of_a_partly_filled_order() -> None:
    world = World()
    order = world.resting()
    world.force.fill(1, order.order_id, size=Decimal(4), price=Decimal("1.00"))
    world.run(0.1)
    world.force.fill(1, order.order_id, price=Decimal("1.00"))
    world.run(1)
    assert turns(order) == [Turn.FIRST_LIVE, Turn.FILL, Turn.FILL, Turn.END]
    assert [point.event in order.events for point in order.critical] == [True] * 4
    assert order.critical[1].event.meaning.startswith("4 @ 1")


def test_a_late_fill_is_a_turning_point_of_its_own() -> None:
    world = World()
    order = world.resting()
    order.cancel()
    world.run(1)
    assert order.state is State.CANCELLED
    world.force.fill(1, order.order_id, size=Decimal(3), price=Decimal("1.00"))
    world.run(1)
    assert turns(order) == [Turn.FIRST_LIVE, Turn.END, Turn.LATE_FILL]
    assert order.filled == 3


def test_a_refused_modify_is_a_turning_point_and_the_order_lives() -> None:
    world = World()
    order = world.resting()
    world.force.on_place(lambda request, live: Refusal(110, "price step") if live else None)
    order.modify(lmtPrice=1.234)
    world.run(1)
    assert turns(order) == [Turn.FIRST_LIVE, Turn.MODIFY_REFUSED]
    assert order.is_live


@pytest.mark.parametrize("code", [105, 110, 201, 329, 10326])
@pytest.mark.parametrize("seen", [False, True])
def test_a_refused_modify_of_what_no_machine_compares_is_a_turning_point_too(code: int, seen: bool) -> None:
    world = World()
    order = world.resting()
    world.force.on_place(lambda request, live: Refusal(code, "no") if live else None)
    modify = order.modify(tif="GTC")
    if seen:  # an openOrder that is older than the modify: quantity and prices are as they were
        stale = incoming.OpenOrder(order.order_id, order.broker_contract, order.broker_order)
        stale.orderState.status = "Submitted"
        world.link.tell(stale)
        world.core.pump.turn()
        assert not order.has(Flag.MODIFY_OPEN) and modify.outcome is None
    world.run(5)
    assert modify.outcome is ModifyOutcome.REFUSED
    assert [turn for turn in turns(order) if turn is not Turn.UNCERTAIN] == [Turn.FIRST_LIVE, Turn.MODIFY_REFUSED]
    told = next(point.event for point in order.critical if point.turn is Turn.MODIFY_REFUSED)
    assert (told, told.code) == (modify.event, code)
    assert order.is_live and order.broker_order.tif == "DAY"


def test_a_cancel_that_overtakes_a_modify_is_no_refused_modify() -> None:
    world = World()
    order = world.resting()
    world.force.on_place(lambda request, live: DROP if live else None)
    modify = order.modify(tif="GTC")
    order.cancel()
    world.run(1)
    assert modify.outcome is ModifyOutcome.TOO_LATE
    assert Turn.MODIFY_REFUSED not in turns(order) and turns(order)[-1] is Turn.END


def test_a_rejected_order_has_only_an_end() -> None:
    world = World()
    world.force.on_place(lambda request, live: Refusal(201, "no"))
    order = world.place()
    world.run(1)
    assert turns(order) == [Turn.END]
    assert order.wait("live", 0).state is State.REJECTED


def test_a_fill_without_any_status_is_a_fill_and_the_end() -> None:
    world = World()
    keep = ("ExecDetails", "CommissionAndFeesReport")
    world.gateway.order_filter = lambda session, event, messages: [
        (0, message) for message in messages if type(message).__name__ in keep
    ]
    order = world.place(price=10_000.0)
    world.run(2)
    assert order.is_filled
    assert set(turns(order)) == {Turn.FILL, Turn.END} or turns(order)[0] is Turn.FIRST_LIVE


def test_doubled_messages_change_no_history() -> None:
    def story(*, doubled: bool) -> tuple[list[Turn], list[State], Decimal]:
        world = World()
        if doubled:
            world.gateway.order_filter = lambda session, event, messages: [(0, m) for m in messages for _ in "ab"]
        order = world.place(price=10_000.0)
        world.run(3)
        return turns(order), [event.order_state for event in order.events], order.filled

    assert story(doubled=True) == story(doubled=False)


def test_a_late_perm_id_changes_nothing_else() -> None:
    world = World(manners=Manners(perm_id_late_ns=(500_000_000, 500_000_001)))
    order = world.place()
    world.run(0.4)
    assert order.is_live and order.perm_id == 0
    world.run(1)
    assert order.perm_id > 0
    assert turns(order) == [Turn.FIRST_LIVE]


# ------------------------------------------------------------------------------------------------------ cancelling


@pytest.mark.parametrize("code", [10147, 10148, 161, 135, 136])
def test_a_cancel_that_is_refused_is_looked_up(code: int) -> None:
    world = World()
    order = world.resting()
    world.force.on_cancel(lambda clientId, orderId: Refusal(code, "no"))
    assert order.cancel() is order
    assert order.state is State.CANCEL_REQUESTED, "it waits for nothing"
    world.run(1)
    assert [event.code for event in order.events if event.kind == "error"] == [code]
    assert world.link.count(outgoing.ReqOpenOrders) == 1
    assert order.is_live, "the list of open orders has it"


def test_a_cancel_is_not_held_up_by_a_modify() -> None:
    world = World()
    order = world.resting()
    world.force.on_place(lambda request, live: DROP)
    order.modify(lmtPrice=2.0)
    order.cancel()
    assert [type(message) for message in world.link.sent[-2:]] == [outgoing.PlaceOrder, outgoing.CancelOrder]
    world.run(1)
    assert order.state is State.CANCELLED


def test_another_clients_order_is_only_to_look_at() -> None:
    world = World()
    theirs = world.resting()
    track: Any = world.core.table.get(theirs.order_id)
    track.client_id = 2
    for act in (theirs.cancel, lambda: theirs.modify(lmtPrice=2.0)):
        with pytest.raises(OrderError, match="client 2"):
            act()


def test_the_end_of_the_session_ends_a_wait_with_what_is_known() -> None:
    world = World()
    order = world.resting()
    world.link.close()
    with pytest.raises(SessionLost, match=r"order 1 is uncertain \(UNKNOWN"):
        order.wait("done", 1)
    assert turns(order) == [Turn.FIRST_LIVE, Turn.UNCERTAIN]


def test_what_a_cancel_finds_unwritten_is_written_down_first() -> None:
    world = World()
    order = world.resting()

    class Work:
        """A placement whose writing down two Ctrl-Cs have kept off."""

        order_id, sent_ns, is_begun, written = 7, 1, False, 0

        def write(self) -> None:
            self.written += 1

    work = world.core.unwritten = Work()
    order.cancel()
    assert work.written == 1
