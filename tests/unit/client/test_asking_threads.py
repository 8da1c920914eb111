"""Waiting from several threads, Ctrl-C in a wait, and deadlines that nobody polls for."""

from __future__ import annotations

import os
import signal
import threading
import time
from pathlib import Path
from typing import cast

import pytest

import ibwire
from ibwire.client.core import Core, LinkLike
from ibwire.client.modifying import ModifyOutcome
from ibwire.config import Settings
from ibwire.io.link import Link
from ibwire.sim.gateway import Gateway
from ibwire.spec.orderstates import DEADLINE_MS, State
from ibwire.testing import sim_gateway
from ibwire.trade.reconcile import Kind
from ibwire.types import outgoing
from ibwire.types.constructors import limit, stock

from .test_core import AAPL, READY, FakeLink


@pytest.mark.parametrize("mode", ["threaded", "inline"])
def test_a_deadline_passes_though_nothing_comes(mode: str) -> None:
    """Threaded the client's own thread sees to it; inline whatever waits."""
    now = [1_000]
    link = FakeLink(*READY)
    core = Core(Settings.make("paper", timeout_s=5.0, mode=mode), cast(LinkLike, link), lambda: now[0])
    core.start()
    order = core.orders.place(AAPL, limit("BUY", 1, 1.0))
    now[0] += DEADLINE_MS[State.SENT] * 1_000_000 - 1
    link.bell.ring()
    assert order.wait("done", 0.05).state is State.SENT
    now[0] += 1
    link.bell.ring()
    assert core.wait_until(lambda: order.is_uncertain and len(link.sent) == 2, 5)
    assert [type(message) for message in link.sent] == [outgoing.PlaceOrder, outgoing.ReqOpenOrders]
    core.close()


def test_several_threads_wait_for_one_order() -> None:
    with ibwire.connect("sim") as client:
        order = client.orders.place(client.qualify(stock("AAPL")), limit("BUY", 1, 1.0))
        states: list[str] = []
        threads = [
            threading.Thread(target=lambda: states.append(order.wait("done", 30).state.label)) for _ in range(8)
        ]
        for thread in threads:
            thread.start()
        modify = order.wait("live", 30).modify(lmtPrice=1.5)
        assert modify.wait(30).outcome is ModifyOutcome.ACCEPTED
        order.cancel()
        for thread in threads:
            thread.join(30)
        assert states == ["cancelled"] * 8


@pytest.mark.parametrize("mode", ["threaded", "inline"])
@pytest.mark.parametrize("what", ["order", "modify", "reconcile"])
def test_ctrl_c_ends_every_wait(mode: str, what: str) -> None:
    with ibwire.connect("sim", mode=mode) as client:
        order = client.orders.place(client.qualify(stock("AAPL")), limit("BUY", 1, 1.0)).wait("live", 30)

        def deafen(gateway: Gateway) -> None:
            gateway.handle = lambda session, message: None  # type: ignore[method-assign]

        client.simulator.call(deafen)  # type: ignore[union-attr]
        begun, stop = threading.Event(), threading.Event()

        def interrupt() -> None:
            begun.wait()
            while not stop.wait(0.01):  # until it is heard: the first may come before the wait
                os.kill(os.getpid(), signal.SIGINT)

        thread = threading.Thread(target=interrupt)
        thread.start()
        try:
            with pytest.raises(KeyboardInterrupt):
                try:
                    modify = order.modify(lmtPrice=2.0) if what == "modify" else None
                    begun.set()
                    if modify is not None:
                        modify.wait(30)
                    elif what == "order":
                        order.wait("done", 30)
                    else:
                        client.reconcile(30)
                finally:
                    stop.set()
        finally:
            stop.set()
            begun.set()
            thread.join()
        assert order.may_fill


def test_connecting_looks_up_what_is_open() -> None:
    with ibwire.connect("sim") as client:
        simulator = client.simulator
        assert simulator is not None
        order = client.orders.place(client.qualify(stock("AAPL")), limit("BUY", 1, 1.0)).wait("live", 30)
        with ibwire.connect("paper", port=simulator.port, client_id=2) as other:
            assert [(one.kind, one.client_id, one.order_id) for one in other.differences] == [
                (Kind.UNKNOWN_OWNER, 1, order.order_id)
            ]
            assert other.reconcile() == []
        assert client.reconcile() == []
        assert client.differences == []
        assert order.is_live
        with ibwire.connect("paper", port=simulator.port, client_id=3, reconcile=False) as third:
            assert third.stats["sent"] == 1


def test_nothing_is_asked_before_the_session_has_begun(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with sim_gateway() as gateway:
        first = gateway.connect(state_dir=str(tmp_path))
        first.orders.place(first.qualify(stock("AAPL")), limit("BUY", 1, 1.0)).wait("live")
        first.close()
        begun = len(gateway.requests)
        start = Link.start

        def slow(link: Link) -> None:  # the client's thread looks at what an earlier life left meanwhile
            time.sleep(0.2)
            start(link)

        monkeypatch.setattr(Link, "start", slow)
        again = gateway.connect(state_dir=str(tmp_path), reconcile=False)
        again.orders.all()[0].wait("live", 10, raise_on_timeout=True)  # it was in doubt, and is looked up
        assert gateway.requests[begun][1].NAME == "startApi"
        assert 321 not in [code for code, _ in again.notices]
