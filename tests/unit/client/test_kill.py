"""Kills of a client: what they reach, what they report, and what cannot hold them up."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import ibwire
from ibwire.client import OrderHandle
from ibwire.client.risk import Event, KillReport
from ibwire.errors import RiskRejected
from ibwire.io import clock
from ibwire.io.journal_rebuild import replay
from ibwire.io.killswitch import Kill, remove_kill, state_root, write_kill
from ibwire.io.writer import Writer
from ibwire.testing import SimGateway, sim_gateway
from ibwire.trade.orders import OrderTable
from ibwire.trade.risk import ALLOW, Cancel, Verdict
from ibwire.trade.risk_policies import FlatOnLoss, MaxPosition
from ibwire.types import outgoing
from ibwire.types.constructors import limit, market, stock


@pytest.fixture
def gateway() -> Iterator[SimGateway]:
    with sim_gateway() as gateway:
        yield gateway


def resting(client: ibwire.Client, count: int = 1) -> list[OrderHandle]:
    aapl = client.qualify(stock("AAPL"))
    orders = [client.orders.place(aapl, limit("BUY", 1, 1.0 + number)) for number in range(count)]
    return [order.wait("live", 10, raise_on_timeout=True) for order in orders]


def test_each_of_two_kills_at_once_has_its_own_report(gateway: SimGateway) -> None:
    client = gateway.connect()
    resting(client, 5)
    scopes, reports = ["everything", "mine"] * 3, {}
    barrier = threading.Barrier(len(scopes))

    def kill(number: int) -> None:
        barrier.wait()
        reports[number] = client.risk.kill(f"number {number}", scope=scopes[number])

    threads = [threading.Thread(target=kill, args=(number,)) for number in range(len(scopes))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for number, scope in enumerate(scopes):
        assert (reports[number].kill.reason, reports[number].kill.scope) == (f"number {number}", scope)


def test_what_is_left_is_what_is_left_now(gateway: SimGateway, tmp_path: Path) -> None:
    client = gateway.connect(state_dir=str(tmp_path))
    (order,) = resting(client)
    write_kill(tmp_path, Kill("from outside", "ops"))
    order.wait("done", 10, raise_on_timeout=True)
    (report,) = client.risk.reports
    assert report.asked == [order.order_id]
    assert report.left == []


def orders_of_everybody(gateway: SimGateway) -> tuple[ibwire.Client, list[OrderHandle]]:
    """A client, and its orders, another's and a manual one as it knows them."""
    other = gateway.connect(client_id=2)
    resting(other, 2)
    manual = {"symbol": "AAPL", "action": "BUY", "quantity": 5, "limit": 2.0}
    gateway.rule({"request": "reqCurrentTime", "times": 1}, {"manual": manual})
    other._core.send(outgoing.ReqCurrentTime())
    gateway.wait_for(lambda: "reqCurrentTime" in [message.NAME for _, message in gateway.requests])
    client = gateway.connect(client_id=1)
    resting(client)
    orders = client.orders.all()
    assert sorted(order.client_id for order in orders) == [0, 1, 2, 2]
    return client, orders


def test_everything_is_verified_order_by_order(gateway: SimGateway) -> None:
    client, orders = orders_of_everybody(gateway)
    report = client.risk.kill("all", scope="everything")
    assert (report.left, report.failed) == ([], [])
    assert {order.state.name for order in orders} == {"CANCELLED"}  # nobody tells of others': they are looked up


def test_a_file_for_everything_is_verified_too(gateway: SimGateway) -> None:
    client, orders = orders_of_everybody(gateway)
    directory = client.risk.switch.directory
    assert directory is not None
    write_kill(directory, Kill("all", "ops", "everything"))
    for order in orders:
        order.wait("done", 10, raise_on_timeout=True)
    assert client.risk.reports[0].left == []


def test_a_global_cancel_is_in_the_journal(gateway: SimGateway, tmp_path: Path) -> None:
    client = gateway.connect(state_dir=str(tmp_path))
    resting(client, 3)
    client.risk.kill("all", scope="everything")
    for order in client.orders.all():
        order.wait("done", 10)  # with its history
    client.close()
    table = OrderTable(client.client_id)
    facts = replay(tmp_path, table)
    assert facts.unanswered == []
    for order in client.orders.all():
        view = table.get(order.order_id)
        assert view is not None
        assert [event.state for event in view.events] == [event.state for event in order.events]
        assert "cancel sent" in [event.state for event in view.events]
        assert (view.state, view.flags) == (order.state, order.flags)


def test_a_send_that_does_not_end_holds_no_kill_and_no_close(gateway: SimGateway) -> None:
    client = gateway.connect()
    orders = resting(client, 3)
    held, go = threading.Event(), threading.Event()

    def stuck() -> None:
        with client._core.lock:  # so it is while the kernel takes no more of a placement
            held.set()
            go.wait(30)

    sender = threading.Thread(target=stuck)
    sender.start()
    assert held.wait(10)
    reports: list[KillReport] = []
    kill = threading.Thread(target=lambda: reports.append(client.risk.kill("hung", timeout=0.1)))
    kill.start()
    kill.join(20)
    assert not kill.is_alive()
    (report,) = reports
    assert "does not read" in report.failed[0][1]
    assert len(report.left) == 3
    assert client.risk.switch.kill is not None
    go.set()
    for order in orders:
        order.wait("done", 10, raise_on_timeout=True)  # the cancels went out when they could
    sender.join()


def test_close_ends_a_send_that_does_not_end(gateway: SimGateway) -> None:
    client = gateway.connect()
    link, held, done = client._core.link, threading.Event(), threading.Event()

    def stuck() -> None:
        with client._core.lock:
            held.set()
            while link.ending is None and not done.wait(0.01):  # as a send does, whose socket is shut by close()
                pass

    sender = threading.Thread(target=stuck)
    sender.start()
    assert held.wait(10)
    closing = threading.Thread(target=client.close)
    closing.start()
    closing.join(20)
    done.set()
    assert not closing.is_alive()
    sender.join()


def test_any_thread_closes_a_client_that_listens_to_a_signal(gateway: SimGateway) -> None:
    before = signal.getsignal(signal.SIGUSR1)
    client = gateway.connect()
    client.risk.kill_on_signal(signal.SIGUSR1)
    thread = threading.Thread(target=client.close)
    thread.start()
    thread.join()
    try:
        assert client._core.link.ending is not None
    finally:
        signal.signal(signal.SIGUSR1, before)


def test_a_kill_that_cannot_be_written_down_says_what_it_did(gateway: SimGateway, tmp_path: Path) -> None:
    client = gateway.connect(state_dir=str(tmp_path))
    (order,) = resting(client)
    (tmp_path / "kill.json" / "x").mkdir(parents=True)  # nothing can take its place
    client.risk.switch.kill = None
    with pytest.raises(OSError, match="started again is not shut") as caught:
        client.risk.kill("full")
    assert "0 orders may still fill" in str(caught.value)
    assert order.state.name == "CANCELLED"


def test_without_a_state_dir_the_users_kill_file_shuts(
    gateway: SimGateway, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    client: Any = gateway.connect(state_dir=None)
    (order,) = resting(client)
    write_kill(state_root(), Kill("everybody", "ops"))
    with pytest.raises(RiskRejected, match="everybody"):
        client.orders.place(client.qualify(stock("AAPL")), limit("BUY", 1, 1.0))
    assert order.wait("done", 10).state.name == "CANCELLED"
    remove_kill(state_root())
    client.risk.release()
    resting(client)


def losing(client: ibwire.Client, held: int) -> str:
    """Buy some, and reach the day's loss; returns the account."""
    core, account, aapl = client._core, client.accounts[0], client.qualify(stock("AAPL"))
    assert core.wait_until(lambda: "positions" in client.risk.book.told and account in client.risk.book.pnl, 10)
    assert client.orders.place(aapl, market("BUY", held)).wait("done", 10).is_filled
    assert core.wait_until(lambda: client.risk.book.line(account, aapl).is_settled, 10)
    return account


def test_flat_on_loss_also_where_somebody_has_killed_before() -> None:
    with ibwire.connect("sim", policies=[FlatOnLoss(100)]) as client:
        account = losing(client, 7)
        client.risk.kill("by hand")
        aapl = client.qualify(stock("AAPL"))
        assert client.positions()[aapl].size == 7
        client.risk.book.on_pnl(account, -100.0, clock.now_ns())
        client.risk.gate.watch(clock.now_ns())
        assert client._core.wait_until(lambda: client.positions()[aapl].size == 0 or bool(client.risk.problems), 10)
        assert client.risk.problems == []


def test_a_governors_wider_scope_after_a_kill() -> None:
    def governor(event: Event, _: object) -> Verdict:
        return Cancel("all of it", "everything") if event is Event.FILL else ALLOW

    with ibwire.connect("sim", governor=governor) as client:
        client.risk.switch.kill = Kill("before")  # a fill comes while it is shut
        core, aapl = client._core, client.qualify(stock("AAPL"))
        core.orders._checked(aapl, market("BUY", 1), closing=True)
        assert core.wait_until(lambda: [one.kill.scope for one in client.risk.reports] == ["everything"], 10)


def test_two_at_once_close_a_position_once() -> None:
    with ibwire.connect("sim", policies=[MaxPosition(100)]) as client:
        core, aapl = client._core, client.qualify(stock("AAPL"))
        account = client.accounts[0]
        assert core.wait_until(lambda: {"positions", "orders"} <= client.risk.book.told, 10)
        assert client.orders.place(aapl, market("BUY", 5)).wait("done", 10).is_filled
        line = client.risk.book.line(account, aapl)
        assert core.wait_until(lambda: line.position == 5 and line.is_settled, 10)
        client.risk.book.line(account, None, 4711)._base = 3.0  # a leg that was filled, and is not named yet
        client.risk.book.line(account, None, 4711).told(3.0)
        client.risk.kill("x")
        threads = [threading.Thread(target=client.risk.flatten) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        assert core.wait_until(lambda: line.position == 0, 10)
        assert client.positions()[aapl].size == 0
        assert any("conId 4711" in problem for problem in client.risk.problems)


def test_a_governor_is_not_told_of_an_earlier_life(gateway: SimGateway, tmp_path: Path) -> None:
    seen: list[tuple[Event, int]] = []

    def governor(event: Event, subject: Any) -> Verdict:
        seen.append((event, getattr(subject, "order_id", 0)))
        return ALLOW

    first = gateway.connect(state_dir=str(tmp_path))
    aapl = first.qualify(stock("AAPL"))
    filled = first.orders.place(aapl, market("BUY", 1)).wait("done", 10)
    (live,) = resting(first)
    first.close()
    again = gateway.connect(state_dir=str(tmp_path), governor=governor)
    again.orders.place(aapl, market("BUY", 1)).wait("done", 10)
    gateway.wait_for(lambda: Event.FILL in [event for event, _ in seen])
    assert not {filled.order_id, live.order_id} & {order_id for _, order_id in seen}


def test_a_signal_handler_that_kills_in_the_middle_of_a_send(
    gateway: SimGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = gateway.connect()
    (order,) = resting(client)
    reports: list[KillReport] = []
    before = signal.signal(signal.SIGUSR1, lambda *_: reports.append(client.risk.kill("by a handler")))
    aapl, send, done = client.qualify(stock("AAPL")), Writer._send, threading.Event()

    def interrupted(writer: Writer, data: Any) -> None:
        if threading.current_thread() is threading.main_thread() and not done.is_set():
            done.set()
            os.kill(os.getpid(), signal.SIGUSR1)  # the handler runs before this returns
        send(writer, data)

    monkeypatch.setattr(Writer, "_send", interrupted)
    try:
        second = client.orders.place(aapl, limit("BUY", 1, 1.0))
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert "signal handler" in reports[0].failed[0][1]
    assert client.risk.switch.kill is not None
    for one in (order, second):
        assert one.wait("done", 10).state.name == "CANCELLED"
