"""Asking over a socket: a client against the ready scenarios; what is waited for, told, and never sent again."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest

from ibwire.client import Client
from ibwire.client.listeners import Missed, OrderChange
from ibwire.client.modifying import ModifyOutcome, ModifyPending
from ibwire.client.order_handle import OrderHandle, Turn
from ibwire.errors import PacingError, WaitTimeout
from ibwire.sim.forcing import DROP
from ibwire.spec.orderstates import State
from ibwire.testing import SimGateway, sim_gateway
from ibwire.trade.reconcile import Kind
from ibwire.types import outgoing
from ibwire.types.constructors import limit, stock

LONG_S = 30.0
WHEN: dict[str, Any] = {"request": "placeOrder", "modify": True}


@pytest.fixture(params=[225, 176], ids=["proto", "text"])
def version(request: pytest.FixtureRequest) -> Iterator[int]:
    yield request.param


def connect(gateway: SimGateway, **settings: Any) -> Client:
    """A client whose two order tables, the plain and the compiled one, must say the same after each message."""
    return gateway.connect(check_orders=True, state_dir=None, **settings)


def sent(gateway: SimGateway, kind: type[Any]) -> int:
    return sum(isinstance(message, kind) for _, message in gateway.requests)


def resting(client: Client) -> OrderHandle:
    contract = client.qualify(stock("AAPL"))
    return client.orders.place(contract, limit("BUY", 100, 120.0)).wait("live", LONG_S)


def turns(order: OrderHandle) -> list[Turn]:
    return [point.turn for point in order.critical]


@pytest.mark.parametrize("mode", ["threaded", "inline"])
def test_a_refused_modify_says_why_and_the_order_lives(version: int, mode: str) -> None:
    with sim_gateway("modify-refused", server_version=version) as gateway:
        order = resting(connect(gateway, mode=mode))
        modify = order.modify(lmtPrice=121.0).wait(LONG_S)
        assert (modify.outcome, modify.code) == (ModifyOutcome.REFUSED, 201)
        assert modify.text == "Order rejected: the change is not accepted"
        assert order.is_live and turns(order) == [Turn.FIRST_LIVE, Turn.MODIFY_REFUSED]
        assert order.cancel().wait("done", LONG_S).state is State.CANCELLED
        assert sent(gateway, outgoing.PlaceOrder) == 2


def test_an_accepted_and_a_late_modify(version: int) -> None:
    with sim_gateway(server_version=version) as gateway:
        order = resting(connect(gateway))
        assert order.modify(lmtPrice=121.0).wait(LONG_S).outcome is ModifyOutcome.ACCEPTED
        gateway.rule(when=WHEN, do={"refuse": {"code": 104, "text": "it is filled"}})
        late = order.modify(lmtPrice=122.0).wait(LONG_S)
        assert (late.outcome, late.code, late.text) == (ModifyOutcome.TOO_LATE, 104, "it is filled")


def test_a_refused_cancel_is_looked_up_and_proves_nothing(version: int) -> None:
    with sim_gateway("cancel-refused", server_version=version) as gateway:
        client = connect(gateway)
        order = resting(client)
        for number, code in enumerate((10147, 10148, 161, 136, 135), 1):
            order.cancel()
            assert client._core.wait_until(lambda n=number: len(order.notes) == n, LONG_S)  # type: ignore[misc]
            assert order.notes[-1][0] == code
            assert not order.is_done and order.may_fill
        assert client._core.wait_until(lambda: order.is_live and not order.needs_query, LONG_S)
        order.cancel().wait("done", LONG_S)
        assert order.state is State.CANCELLED and set(turns(order)) == {Turn.FIRST_LIVE, Turn.UNCERTAIN, Turn.END}


def test_a_late_fill_is_told_after_the_end(version: int) -> None:
    with sim_gateway("late-fill", server_version=version) as gateway:
        client = connect(gateway)
        order = resting(client)
        order.cancel().wait("done", LONG_S)
        assert client._core.wait_until(lambda: order.filled == 40 and bool(order.commission), LONG_S)
        assert order.state is State.CANCELLED
        assert turns(order) == [Turn.FIRST_LIVE, Turn.END, Turn.LATE_FILL]
        # Ours and the gateway's, each in order: a message may have been received before a step of ours that came first.
        for ours in (True, False):
            times = [event.ns for event in order.events if (event.kind == "local") is ours]
            assert times and times == sorted(times)
        assert all(event.meaning for event in order.events)


def test_silence_is_uncertain_then_asked_for_and_never_sent_again() -> None:
    """Of a placement and of a modify; both run into their deadlines together."""
    with sim_gateway("silent-placement") as gateway:
        client = connect(gateway)
        silent = client.orders.place(client.qualify(stock("AAPL")), limit("BUY", 100, 120.0))
        with pytest.raises(WaitTimeout, match=r"order 1 is not acknowledged after 0\.01 s; it is sent"):
            silent.wait("acknowledged", 0.01, raise_on_timeout=True)
        order = resting(client)
        gateway.call(lambda world: world.force.on_place(lambda request, live: DROP if live else None))
        modify = order.modify(lmtPrice=121.0)
        with pytest.raises(ModifyPending, match="no outcome yet"):
            order.modify(lmtPrice=122.0)
        assert silent.wait("live", 0).state is State.SENT, "no verdict"
        assert client._core.wait_until(lambda: silent.is_uncertain, LONG_S)
        assert modify.wait(LONG_S).outcome is ModifyOutcome.UNKNOWN
        told = "the gateway reports lmtPrice 120"
        assert client._core.wait_until(lambda: modify.text.startswith(told) and bool(client.differences), LONG_S)
        assert (Kind.MISSING_THERE, 1) in [(d.kind, d.order_id) for d in client.differences]
        assert order.is_live and silent.is_uncertain and silent.may_fill
        assert sent(gateway, outgoing.PlaceOrder) == 3
        assert sent(gateway, outgoing.CancelOrder) == 0
        for question in (outgoing.ReqOpenOrders, outgoing.ReqExecutions, outgoing.ReqCompletedOrders):
            assert sent(gateway, question) >= 2, "once at connect, and since"


def test_a_cancel_waits_for_nothing() -> None:
    """The gateway stands still while it is sent."""
    with sim_gateway() as gateway:
        order = resting(connect(gateway))
        stands, go = threading.Event(), threading.Event()

        def stand(world: Any) -> None:
            stands.set()
            assert go.wait(LONG_S)

        other = threading.Thread(target=gateway.call, args=(stand,))
        other.start()
        assert stands.wait(LONG_S)
        try:
            modify = order.modify(lmtPrice=121.0)
            order.cancel()
            assert order.state is State.CANCEL_REQUESTED and modify.outcome is None
            assert order.wait("done", 0.05) is order and order.may_fill
        finally:
            go.set()
            other.join()
        assert order.wait("done", LONG_S).state is State.CANCELLED


def test_what_finds_no_turn_was_not_sent_and_cancels_go_first() -> None:
    with sim_gateway(speed=1) as gateway:
        client = connect(gateway, rate_per_s=20, max_queue_ms=1)
        contract = client.qualify(stock("AAPL"))
        placed: list[OrderHandle] = []
        with pytest.raises(PacingError) as caught:
            for _ in range(100):
                placed.append(client.orders.place(contract, limit("BUY", 1, 120.0)))
        assert caught.value.retry_after_ms
        assert [order.order_id for order in client.orders.all()] == [order.order_id for order in placed]
        placed[0].cancel().wait("done", LONG_S)
        assert placed[0].state is State.CANCELLED
        gateway.wait_for(lambda: sent(gateway, outgoing.CancelOrder) == 1)
        assert sent(gateway, outgoing.PlaceOrder) == len(placed)


def test_a_slow_and_a_broken_listener_harm_nobody() -> None:
    with sim_gateway("late-fill") as gateway:
        client = connect(gateway)
        go = threading.Event()
        slow: list[OrderChange | Missed] = []
        quick: list[OrderChange] = []

        def wait(change: OrderChange | Missed) -> None:
            assert go.wait(LONG_S)
            slow.append(change)

        def broken(change: OrderChange | Missed) -> None:
            raise SystemExit("mine")

        waiting, failing = client.on_order(wait, limit=2), client.on_order(broken)
        keeping = client.on_order(quick.append)  # type: ignore[arg-type]
        order = resting(client)
        order.cancel().wait("done", LONG_S)
        assert client._core.wait_until(lambda: order.filled == 40 and bool(order.commission), LONG_S)
        assert keeping.flush(LONG_S) and [change.event for change in quick] == list(order.events)
        assert failing.flush(LONG_S) and failing.errors == len(order.events)
        go.set()
        assert waiting.flush(LONG_S)
        at = 0
        for change in slow:  # what was missed is told in its place
            if isinstance(change, OrderChange):
                assert change.event is order.events[at]
            at += change.count if isinstance(change, Missed) else 1
        assert at == len(order.events) and waiting.missed > 0
