"""Ways round the gate that somebody might find: none of them is one."""

from __future__ import annotations

import threading
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

import ibwire
from ibwire.client.modifying import ModifyOutcome, ModifyPending
from ibwire.errors import ConfigError, RiskRejected
from ibwire.trade.risk import ALLOW, BookView, Request, Verdict
from ibwire.trade.risk_policies import MaxPosition, ReadOnly
from ibwire.types.builders import bracket, conditional, price_condition
from ibwire.types.constructors import limit, market, stock


def connect(**settings: Any) -> ibwire.Client:
    return ibwire.connect("sim", **settings)


def shut(client: ibwire.Client) -> None:
    """From now on every policy refuses."""
    client.risk.gate._checks = (ReadOnly().check,)


class Waits:
    """A policy that keeps what it looks at waiting until the test goes on."""

    name = "waits"

    def __init__(self) -> None:
        self.looking, self.go, self.on = threading.Event(), threading.Event(), False

    def check(self, request: Request, book: BookView, now_ns: int) -> Verdict:
        if self.on:
            self.looking.set()
            self.go.wait(20)
        return ALLOW


def in_thread(work: Callable[[], object]) -> tuple[threading.Thread, list[BaseException]]:
    caught: list[BaseException] = []

    def run() -> None:
        try:
            work()
        except BaseException as error:
            caught.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    return thread, caught


def test_a_what_if_question_has_an_id_of_its_own() -> None:
    with connect(policies=[MaxPosition(100)]) as client:
        aapl = client.qualify(stock("AAPL"))
        order = client.orders.place(aapl, limit("BUY", 10, 1.0)).wait("live")
        with pytest.raises(ConfigError, match="what-if"):
            client.orders.place(aapl, limit("BUY", 1000, 1.0, orderId=order.order_id, whatIf=True))
        with pytest.raises(ConfigError, match="what-if"):
            order.modify(totalQuantity=Decimal(1000), whatIf=True)
        asked = client.orders.place(aapl, limit("BUY", 1000, 1.0, whatIf=True))
        with pytest.raises(ConfigError, match="what-if"):
            client.orders.place(aapl, limit("BUY", 50, 1.0, orderId=asked.order_id))
        assert client.risk.book.line(client.accounts[0], aapl).buy == 10


@pytest.mark.parametrize("value", [1, "True", None])
def test_yes_and_no_are_true_and_false(value: Any) -> None:
    with connect(policies=[ReadOnly()]) as client:
        aapl = client.qualify(stock("AAPL"))
        with pytest.raises(ConfigError, match="whatIf"):
            client.orders.place(aapl, limit("BUY", 1, 1.0, whatIf=value))


def test_an_order_does_not_become_another_one() -> None:
    with connect() as client:
        aapl, msft = client.qualify(stock("AAPL")), client.qualify(stock("MSFT"))
        order = client.orders.place(aapl, limit("BUY", 10, 1.0)).wait("live")
        shut(client)
        with pytest.raises(ConfigError, match="another contract"):
            client.orders.place(msft, limit("BUY", 10, 1.0, orderId=order.order_id))
        with pytest.raises(ConfigError, match="to BUY"):
            client.orders.place(aapl, limit("SELL", 10, 1.0, orderId=order.order_id))


def test_what_is_changed_in_place_is_a_change() -> None:
    with connect() as client:
        aapl = client.qualify(stock("AAPL"))
        far = conditional(limit("BUY", 1, 1.0), price_condition(aapl, above=100000.0))
        waiting = client.orders.place(aapl, far).wait("live")
        other = conditional(limit("BUY", 1, 1.0), price_condition(aapl, above=100000.0))
        held = client.orders.place(aapl, other).wait("live")
        shut(client)
        far.conditions.clear()
        far.orderId = waiting.order_id
        assert held.order is not None
        again = held.order
        again.conditions[0].price = 1.0
        for order in (far, again):
            with pytest.raises(RiskRejected, match="only reads"):
                client.orders.place(aapl, order)
        with pytest.raises(RiskRejected, match="only reads"):
            held.modify(conditions=[])


def test_terms_that_changed_while_the_gate_looked_are_judged_again() -> None:
    waits = Waits()
    with connect(policies=[waits, MaxPosition(100)]) as client:
        client.risk.gate._budget_ns = 60_000_000_000
        aapl = client.qualify(stock("AAPL"))
        order = client.orders.place(aapl, limit("BUY", 60, 1.0)).wait("live")
        waits.on = True
        thread, caught = in_thread(lambda: order.modify(lmtPrice=1.01))
        assert waits.looking.wait(20)
        waits.on = False
        assert order.modify(totalQuantity=Decimal(10)).wait().is_settled
        client.orders.place(aapl, limit("BUY", 90, 1.0)).wait("live")
        waits.go.set()
        thread.join(20)
        assert [type(error) for error in caught] == [ModifyPending]
        assert client.risk.book.line(client.accounts[0], aapl).buy == 100


def test_a_smaller_order_that_was_judged_before_a_still_smaller_one_is_not_sent() -> None:
    with connect(policies=[MaxPosition(100)], max_queue_ms=20_000) as client:
        core, aapl = client._core, client.qualify(stock("AAPL"))
        order = client.orders.place(aapl, limit("BUY", 60, 1.0)).wait("live")
        take, began, go = core.take_turn, threading.Event(), threading.Event()

        def slow(*, cancel: bool = False) -> None:
            if threading.current_thread() is thread:
                began.set()
                go.wait(20)
            take(cancel=cancel)

        core.take_turn = slow  # type: ignore[method-assign]
        caught: list[BaseException] = []

        def down() -> None:
            try:
                order.modify(totalQuantity=Decimal(50))
            except BaseException as error:
                caught.append(error)

        thread = threading.Thread(target=down)
        thread.start()
        assert began.wait(20)
        assert order.modify(totalQuantity=Decimal(10)).wait().is_settled
        go.set()
        thread.join(20)
        assert [type(error) for error in caught] == [ModifyPending]


def test_a_cancel_that_is_on_its_way_is_not_overtaken_by_new_terms_while_shut() -> None:
    with connect() as client:
        core, aapl = client._core, client.qualify(stock("AAPL"))
        order = client.orders.place(aapl, limit("BUY", 60, 1.0)).wait("live")
        with core.lock:  # nothing comes in meanwhile
            core.table.on_cancel_request(order.order_id, core.now_ns())
        client.risk.switch.kill = client.risk.switch.trip("drill")
        with pytest.raises(RiskRejected, match="drill"):
            order.modify(totalQuantity=Decimal(50))


def test_a_gate_that_is_shut_while_an_order_waits_for_its_turn_stops_it() -> None:
    with connect(rate_per_s=10, max_queue_ms=20_000) as client:
        aapl = client.qualify(stock("AAPL"))
        take, began, go = client._core.take_turn, threading.Event(), threading.Event()

        def slow(*, cancel: bool = False) -> None:
            began.set()
            go.wait(20)
            take(cancel=cancel)

        client._core.take_turn = slow  # type: ignore[method-assign]
        thread, caught = in_thread(lambda: client.orders.place(aapl, limit("BUY", 1, 1.0)))
        assert began.wait(20)
        client.risk.gate.shut = "a governor said no"
        go.set()
        thread.join(20)
        assert [str(error) for error in caught if "governor" in str(error)] == [str(caught[0])]
        assert client.orders.all() == []


def test_nothing_public_sends_an_order_without_the_gate() -> None:
    with connect(policies=[ReadOnly()]) as client:
        aapl = client.qualify(stock("AAPL"))
        group = bracket("BUY", 1, 2.0, 3.0, 1.0)
        prepared = client.orders.prepare(aapl, limit("BUY", 1, 1.0))
        held = limit("BUY", 1, 1.0, transmit=False)
        for send in (
            lambda: client.orders.place(aapl, limit("BUY", 1, 1.0)),
            lambda: client.orders.place(aapl, held),
            lambda: client.orders.place_bracket(aapl, group),
            lambda: prepared.place(1.0),
        ):
            with pytest.raises(RiskRejected, match="only reads"):
                send()
        assert client.orders.all() == []
        assert not any("close" in name for name in dir(client.orders) if not name.startswith("_"))


def test_a_brackets_entry_does_not_work_alone() -> None:
    with connect() as client:
        aapl = client.qualify(stock("AAPL"))
        group = bracket("BUY", 1, 2.0, 3.0, 1.0)
        group.parent.transmit = True
        with pytest.raises(ConfigError, match="transmit"):
            client.orders.place_bracket(aapl, group)
        assert client.orders.all() == []


def test_a_quantity_and_an_amount_are_not_both_given() -> None:
    with connect() as client, pytest.raises(ConfigError, match="cashQty"):
        client.orders.place(client.qualify(stock("AAPL")), limit("BUY", 1, 1.0, cashQty=1e6))


def test_what_is_not_known_is_not_nothing() -> None:
    with connect(policies=[MaxPosition(100)], allow_unqualified=True) as client:
        aapl = client.qualify(stock("AAPL"))
        with pytest.raises(RiskRejected, match="conId"):
            client.orders.place(stock("AAPL"), limit("BUY", 1, 1.0))
        with pytest.raises(RiskRejected, match="account"):
            client.orders.place(aapl, limit("BUY", 1, 1.0, faGroup="all"))
        client.risk.book.forget("orders")
        with pytest.raises(RiskRejected, match="open orders are not known"):
            client.orders.place(aapl, limit("BUY", 1, 1.0))


def test_executions_of_before_are_in_the_positions_already() -> None:
    with connect() as first:
        aapl = first.qualify(stock("AAPL"))
        assert first.orders.place(aapl, market("BUY", 40)).wait("done").is_filled
        assert first._core.wait_until(lambda: True, 1)
        sim = first.simulator
        assert sim is not None
        with ibwire.connect("paper", host=sim.host, port=sim.port, client_id=first.settings.client_id + 1) as other:
            held = other.positions()[aapl].size
        first._core.link.close()
        with ibwire.connect(
            "paper", host=sim.host, port=sim.port, client_id=1, state_dir=None, policies=[MaxPosition(100)]
        ) as again:
            core, line = again._core, again.risk.book.line(again.accounts[0], aapl)
            assert core.wait_until(lambda: {"positions", "orders"} <= again.risk.book.told, 5)
            assert core.wait_until(lambda: line.is_settled, 5)
            assert line.lowest == line.highest == float(held)
            assert again.orders.place(aapl, market("SELL", 10)).wait("done").is_filled
            assert core.wait_until(lambda: line.lowest == line.highest == float(held) - 10, 5)


def test_through_a_prepared_order_too() -> None:
    with connect() as client:
        aapl, msft = client.qualify(stock("AAPL")), client.qualify(stock("MSFT"))
        prepared = client.orders.prepare(aapl, limit("BUY", 5, 2.0))
        order = prepared.place(1.25).wait("live")
        modify = prepared.modify(order, 1.5, 4).wait()
        assert (modify.outcome, modify.changes) == (
            ModifyOutcome.ACCEPTED,
            {"totalQuantity": Decimal(4), "lmtPrice": 1.5},
        )
        assert order.broker_order.lmtPrice == 1.5
        other = client.orders.place(msft, limit("BUY", 1, 1.0)).wait("live")
        with pytest.raises(ConfigError, match="another contract"):
            prepared.modify(other, 1.5)
        for price, quantity in (("1.5.2", 1), (None, 1), (1.5, "many"), (1.5, 0), (1.5, -1), (float("inf"), 1)):
            with pytest.raises(ConfigError):
                prepared.modify(order, price, quantity)  # type: ignore[arg-type]
        shut(client)
        assert prepared.modify(order, 1.25, 4).wait().is_settled  # lower: no policy is asked
        with pytest.raises(RiskRejected, match="only reads"):
            prepared.modify(order, 1.25, 5)
        client.risk.kill("drill", timeout=5)
        with pytest.raises((ConfigError, RiskRejected)):
            prepared.modify(order, 1.0, 4)
