"""What a handle says comes from the row that the receiving thread keeps, also while the client's thread cannot run."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from decimal import Decimal
from typing import Any

import pytest

import ibwire
from ibwire.errors import WaitTimeout
from ibwire.spec.orderstates import State
from ibwire.types import incoming
from ibwire.types.constructors import limit, stock
from ibwire.wire.codec import Codec, Role
from ibwire.wire.framing import frame


@contextmanager
def client() -> Iterator[ibwire.Client]:
    with ibwire.connect("sim", mode="threaded") as made:
        yield made


@contextmanager
def held_up(made: ibwire.Client) -> Iterator[Any]:
    """While this lasts the client's own thread cannot take one message."""
    core: Any = made._core
    inside, leave = threading.Event(), threading.Event()

    def hold() -> None:
        with core.lock:
            inside.set()
            leave.wait(60)

    holder = threading.Thread(target=hold)
    holder.start()
    assert inside.wait(10)
    try:
        yield core
    finally:
        leave.set()
        holder.join(10)


def until(core: Any, condition: Callable[[], bool]) -> bool:
    """Wait on the bell that the receiving thread rings."""
    found: bool = core.link.bell.wait_until(condition, 20_000)
    return found


def ask(made: ibwire.Client) -> float:
    apple = made.qualify(stock("AAPL"))
    return float(next(q for q in made.quotes(apple) if q.is_two_sided).ask)


def test_a_fill_is_seen_while_the_clients_thread_cannot_run() -> None:
    with client() as made:
        apple, price = made.qualify(stock("AAPL")), ask(made)
        core: Any = made._core
        order = made.orders.place(apple, limit("BUY", 100, 1.0)).wait("live")
        # The modify that fills it is sent from under the lock, and held is who would tell of its end.
        with core.lock:
            order.modify(lmtPrice=price + 5)
            track = core.table.get(order.order_id)
            assert until(core, lambda: order.is_filled)
            now = order.now
            assert (now.state, now.is_live) == (State.FILLED, False)
            assert (now.filled, now.remaining) == (Decimal(100), Decimal(0))
            assert now.avg_fill_price is not None and now.avg_fill_price > 1
            assert order.is_done and not order.is_uncertain and order.filled == 100
            assert not track.is_done and track.filled == 0  # the history is behind
            assert not any(event.state == "execution" for event in order.events)
        order.wait("done")
        assert core.wait_until(lambda: track.is_filled, 10)
        assert order.critical[-1].event in order.events


def test_a_wait_ends_while_the_clients_thread_cannot_run() -> None:
    with client() as made:
        apple, price = made.qualify(stock("AAPL")), ask(made)
        resting = made.orders.place(apple, limit("BUY", 7, 1.0)).wait("live")
        order = made.orders.place(apple, limit("BUY", 7, price + 5, transmit=False))
        assert order.state is State.UNTRANSMITTED
        core: Any = made._core
        with core.lock:
            order.modify(transmit=True)
            found: list[State] = []
            waiter = threading.Thread(target=lambda: found.append(order.wait("done", 30).state))
            waiter.start()
            waiter.join(30)
            assert found == [State.FILLED] and resting.is_live
            with pytest.raises(WaitTimeout, match=r"not done after 0\.01 s"):
                resting.wait("done", 0.01, raise_on_timeout=True)


def test_what_is_sent_is_seen_at_once_and_in_shared_memory() -> None:
    name = f"now-{threading.get_native_id()}"
    with ibwire.connect("sim", mode="threaded", publish=name) as made, ibwire.attach(name) as other:
        apple, core = made.qualify(stock("AAPL")), made._core
        order = made.orders.place(apple, limit("BUY", 7, 1.0)).wait("live")
        key = made.settings.client_id, order.order_id
        with core.lock:  # the gateway's answers are not taken; what we send is told
            order.cancel()
            assert order.cancel_requested
            row = other.orders.read(*key)
            assert row is not None and row.cancel_requested
            assert until(core, lambda: order.state is State.CANCELLED)
            row = other.orders.read(*key)
            assert row is not None and State(row.state) is State.CANCELLED


def test_a_lost_link_is_seen_while_the_clients_thread_cannot_run() -> None:
    with client() as made:
        order = made.orders.place(made.qualify(stock("AAPL")), limit("BUY", 7, 1.0)).wait("live")
        with held_up(made) as core:
            core.link._sock.shutdown(socket.SHUT_RDWR)
            assert until(core, lambda: order.is_uncertain)
            assert core.lost is None and core.table.get(order.order_id).is_live


def test_one_reading_never_mixes_two_states() -> None:
    with client() as made:
        apple, price = made.qualify(stock("AAPL")), ask(made)
        stop = threading.Event()
        seen: list[ibwire.client.OrderNow] = []
        wrong: list[str] = []
        orders: list[ibwire.OrderHandle] = []

        def look() -> None:
            while not stop.is_set():
                for order in orders[-2:]:
                    now = order.now
                    seen.append(now)
                    if now.remaining is not None and now.filled + now.remaining != 100:
                        wrong.append(repr(now))
                    if now.is_filled and (now.filled != 100 or now.avg_fill_price is None):
                        wrong.append(repr(now))

        looker = threading.Thread(target=look)
        looker.start()
        for n in range(30):
            orders.append(made.orders.place(apple, limit("BUY", 100, price + 5 if n % 2 else 1.0)))
            if n % 3 == 0:
                orders[-1].cancel()
            if n % 2:
                orders[-1].wait("done")
        stop.set()
        looker.join(10)
        assert wrong == [] and len(seen) > 100


def test_readings_do_not_go_back() -> None:
    rank = {State.SENT: 0, State.ACKNOWLEDGED: 1, State.WORKING: 2, State.PARTIALLY_FILLED: 3, State.FILLED: 4}
    with client() as made:
        apple, price = made.qualify(stock("AAPL")), ask(made)
        for _ in range(15):
            order = made.orders.place(apple, limit("BUY", 100, price + 5))
            before = order.now
            while not before.is_done:
                now = order.now
                assert now.seq >= before.seq and rank[now.state] >= rank[before.state] and now.filled >= before.filled
                before = now


def test_where_row_and_history_contradict_each_other_the_order_is_uncertain_and_looked_up() -> None:
    with client() as made:
        core: Any = made._core
        order = made.orders.place(made.qualify(stock("AAPL")), limit("BUY", 7, 1.0)).wait("live")
        # Nothing more comes that would have the executions summed anew.
        assert core.wait_until(lambda: order.wire_status == "Submitted" and core.done_seq >= order.now.seq, 10)
        track = core.table.get(order.order_id)
        with core.lock:
            track.state = State.FILLED
            assert order.is_uncertain and order.needs_query and not order.is_done
            track.state = State.WORKING
            track.exec_filled = Decimal(3)  # the row has no such execution
            assert order.is_uncertain
        assert core.wait_until(lambda: any("say different things" in one.detail for one in order.events), 10)
        with core.lock:
            track.exec_filled = Decimal(0)
        order.wait("live")
        assert core.wait_until(lambda: track.is_live and order.is_live, 20)
        assert any("looked up" in text for _, text in core.intake.notices)


def test_what_is_read_cannot_be_changed() -> None:
    with client() as made:
        order = made.orders.place(made.qualify(stock("AAPL")), limit("BUY", 7, 1.0)).wait("live")
        now = order.now
        with pytest.raises(AttributeError, match="read again"):
            now.state = State.FILLED  # type: ignore[misc]
        assert "working" in repr(now) and repr(order).startswith("<OrderHandle ")


@pytest.mark.parametrize("version", [176, 225])
def test_an_unreadable_order_message_makes_orders_uncertain_and_they_are_looked_up(version: int) -> None:
    """From the gateway's socket to the look-up: the row knows at once, without the client's thread."""
    with ibwire.connect("sim", mode="threaded", max_server_version=version) as made:
        apple, price = made.qualify(stock("AAPL")), ask(made)
        core: Any = made._core
        order = made.orders.place(apple, limit("BUY", 7, 1.0)).wait("live")
        ended = made.orders.place(apple, limit("BUY", 7, price + 5)).wait("done")
        told = incoming.OrderStatus(orderId=order.order_id, status="Submitted", clientId=made.client_id)
        whole = Codec(made.server_version, Role.GATEWAY).encode(told)
        broken = frame(whole[: len(whole) - 5])
        server: Any = made.simulator
        with held_up(made):
            server.call(lambda gateway: server._connections[0].peer.line.put(broken))
            assert until(core, lambda: order.is_uncertain)
            assert order.needs_query and not order.is_live
            assert ended.is_filled and ended.needs_query  # it may have been a late execution
            assert core.intake.bad == 0 and not any("could not be read" in event.detail for event in order.events)
        order.wait("live", 20)
        assert core.intake.bad == 1 and any("could not be read" in event.detail for event in order.events)
        assert core.wait_until(lambda: order.is_live and not order.needs_query and not ended.needs_query, 20)
        assert order.filled == 0 and ended.filled == 7
