"""Programs against the simulated gateway: threads, the end, coming back, exceptions, requests that wait."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest

from ibwire.compat.client import EClient
from ibwire.compat.contract import Contract
from ibwire.compat.order import Order
from ibwire.compat.sync_wrapper import ResponseTimeout, TWSSyncWrapper
from ibwire.compat.wrapper import EWrapper
from ibwire.sim.server import Server, serve


class Program(EWrapper, EClient):
    """Disconnects at the ``last``-th current time."""

    def __init__(self, last: int = 1) -> None:
        EClient.__init__(self, self)
        self.last = last
        self.heard: list[str] = []
        self.threads: set[int] = set()

    def error(self, reqId: int, errorTime: int, errorCode: int, errorString: str, json: str = "") -> None:
        self.heard.append(f"error {errorCode}")

    def connectAck(self) -> None:
        self.heard.append("connectAck")

    def connectionClosed(self) -> None:
        self.heard.append("connectionClosed")

    def nextValidId(self, orderId: int) -> None:
        self.heard.append("nextValidId")
        self.threads.add(threading.get_ident())
        self.reqCurrentTime()

    def currentTime(self, time: int) -> None:
        self.heard.append("currentTime")
        if self.heard.count("currentTime") >= self.last:
            self.disconnect()


@pytest.fixture(scope="module", params=[176, 225])
def gateway(request: pytest.FixtureRequest) -> Iterator[Server]:
    with serve(server_version=request.param) as server:
        yield server


def test_a_program_runs_and_comes_back_ten_times(gateway: Server) -> None:
    app = Program()
    for _ in range(10):
        app.heard.clear()
        app.connect("127.0.0.1", gateway.port, 1)
        assert app.isConnected() and app.heard[0] == "connectAck"
        app.run()
        assert not app.isConnected() and app.conn is None
        assert [h for h in app.heard if not h.startswith("error 21")] == [
            "connectAck",
            "nextValidId",
            "currentTime",
            "connectionClosed",
        ]
    assert app.threads == {threading.get_ident()}


def test_requests_from_several_threads_all_arrive(gateway: Server) -> None:
    app = Program(last=81)
    app.connect("127.0.0.1", gateway.port, 2)

    def twenty() -> None:
        for _ in range(20):
            app.reqCurrentTime()

    senders = [threading.Thread(target=twenty) for _ in range(4)]
    for sender in senders:
        sender.start()
    app.run()
    for sender in senders:
        sender.join()
    assert app.heard.count("currentTime") == 81 and app.heard.count("connectionClosed") == 1
    assert "error 504" not in app.heard


def test_another_thread_may_disconnect(gateway: Server) -> None:
    app = Program(last=10**9)
    app.connect("127.0.0.1", gateway.port, 3)
    loop = threading.Thread(target=app.run)
    loop.start()
    app.disconnect()
    loop.join(timeout=10)
    assert not loop.is_alive() and app.heard.count("connectionClosed") == 1


def test_the_gateway_s_end_ends_run() -> None:
    app = Program(last=10**9)
    with serve() as server:
        app.connect("127.0.0.1", server.port, 1)
    app.run()
    assert app.heard[-1] == "connectionClosed" and app.heard.count("connectionClosed") == 1
    app.reqCurrentTime()
    assert app.heard[-1] == "error 504"


def test_nobody_listening_is_told_and_closed() -> None:
    with serve() as server:
        port = server.port
    app = Program()
    app.connect("127.0.0.1", port, 1)
    assert app.heard == ["error 502", "connectionClosed"] and not app.isConnected()


def test_an_exception_in_each_callback_goes_through_and_the_next_run_goes_on(gateway: Server) -> None:
    class Faulty(Program):
        def currentTime(self, time: int) -> None:
            raise ZeroDivisionError

    app = Faulty()
    for _ in range(3):
        app.connect("127.0.0.1", gateway.port, 4)
        with pytest.raises(ZeroDivisionError):
            app.run()
        assert not app.isConnected() and app.heard[-1] == "connectionClosed"


@pytest.mark.parametrize("starts_itself", [False, True])
def test_asynchronous_connects_start_the_api_once(gateway: Server, starts_itself: bool) -> None:
    class Later(Program):
        starts = 0

        def startApi(self) -> None:
            self.starts += 1
            super().startApi()

        def connectAck(self) -> None:
            super().connectAck()
            if starts_itself:
                self.startApi()

    app = Later()
    app.asynchronous = True
    app.connect("127.0.0.1", gateway.port, 5)
    app.run()
    assert app.starts == 1 and "currentTime" in app.heard


# ------------------------------------------------------------------------------------------------ waiting requests


@pytest.fixture
def sync(gateway: Server) -> Iterator[TWSSyncWrapper]:
    found = TWSSyncWrapper(timeout=10)
    assert found.connect_and_start("127.0.0.1", gateway.port, 6)
    yield found
    found.disconnect_and_stop()
    assert not found.isConnected() and not found.api_thread.is_alive() and found.api_thread.failure is None


def apple() -> Contract:
    found = Contract()
    found.symbol, found.secType, found.currency, found.exchange = "AAPL", "STK", "USD", "SMART"
    return found


def test_requests_that_wait_return_their_answers(sync: TWSSyncWrapper) -> None:
    assert sync.get_next_valid_id() >= 1 and sync.get_current_time() > 1_700_000_000
    assert [d.contract.symbol for d in sync.get_contract_details(apple())] == ["AAPL"]
    assert sync.get_positions() == {} and sync.get_portfolio() == [] and sync.get_executions() == []
    summary = sync.get_account_summary("NetLiquidation")
    assert [list(tags) for tags in summary.values()] == [["NetLiquidation"]]
    ticks = sync.get_market_data_snapshot(apple())
    assert ticks["BID"] < ticks["ASK"] and isinstance(ticks["BID_SIZE"], Decimal)
    assert "LAST" in sync.get_market_data_snapshot(apple(), snapshot=False, timeout=0.4)


def test_an_order_that_waits_has_its_status(sync: TWSSyncWrapper) -> None:
    order = Order()
    order.action, order.orderType, order.totalQuantity, order.lmtPrice = "BUY", "LMT", Decimal(1), 1.0
    status = sync.place_order_sync(apple(), order)
    assert status["orderId"] == order.orderId and status["filled"] == 0
    assert list(sync.get_open_orders()) == [order.orderId]
    assert "Cancel" in sync.cancel_order_sync(order.orderId)["status"]


def test_no_answer_in_time_raises_and_says_what_is_known(sync: TWSSyncWrapper) -> None:
    with pytest.raises(ResponseTimeout, match=r"historical_data of request \d+ within 0.2 seconds; error \d+"):
        sync.get_historical_data(apple(), "", "1 D", "no such size", "TRADES", timeout=0.2)
    assert sync.response_events == {} and sync.response_data == {}


def test_the_end_of_the_connection_ends_the_wait() -> None:
    found: Any = TWSSyncWrapper(timeout=60)
    with serve() as server:
        assert found.connect_and_start("127.0.0.1", server.port, 6)
        server.close()
    with pytest.raises(ResponseTimeout, match="before the connection ended"):
        found._wait_for_response(0, "nothing")
    found.disconnect_and_stop()
    assert not found.connect_and_start("127.0.0.1", server.port, 6)
