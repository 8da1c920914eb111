"""The client against the embedded gateway: a real socket, the real protocol, both dialects."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from decimal import Decimal

import pytest

import ibwire
from ibwire import (
    ConfigError,
    ConnectError,
    ForkedClient,
    MarketDataError,
    OrderError,
    RequestError,
    RiskRejected,
    SessionLost,
    WaitTimeout,
)
from ibwire.client import Client
from ibwire.config import Settings
from ibwire.io import life
from ibwire.sim.gateway import Gateway
from ibwire.sim.server import Server, serve
from ibwire.spec.orderstates import State
from ibwire.trade.identity import Ids
from ibwire.types.constructors import forex, limit, market, option, stock
from ibwire.types.structs import Contract, Order


@pytest.fixture(params=[176, 225], ids=["text", "proto"])
def ib(request: pytest.FixtureRequest) -> Iterator[Client]:
    with ibwire.connect("sim", max_server_version=request.param) as client:
        yield client


@pytest.fixture
def proto_ib() -> Iterator[Client]:
    with ibwire.connect("sim") as client:
        yield client


def simulator(client: Client) -> Server:
    assert isinstance(client.simulator, Server)
    return client.simulator


def test_the_session_is_ready_when_connect_returns(ib: Client) -> None:
    assert ib.accounts == ["DU0000001"]
    assert ib.server_version in (176, 225)
    assert ib.dialect == ("text" if ib.server_version == 176 else "proto")
    assert ib.client_id == 1
    assert ib.connect_ms > 0
    assert {code for code, _ in ib.notices} == {2104, 2106, 2158}


def test_qualify_fills_in_what_the_gateway_knows(ib: Client) -> None:
    asked = stock("AAPL")
    found = ib.qualify(asked)
    assert found.conId > 0
    assert (found.symbol, found.secType, found.currency) == ("AAPL", "STK", "USD")
    assert asked.conId == 0, "the caller's object is left alone"


def test_qualify_says_that_nothing_fits(ib: Client) -> None:
    with pytest.raises(RequestError, match="200") as caught:
        ib.qualify(Contract(conId=999_999_999))
    assert caught.value.code == 200
    assert caught.value.reqId >= Ids.ORDER_LIMIT


def test_qualify_names_the_candidates_of_an_ambiguous_description(ib: Client) -> None:
    month = ib.contract_details(Contract(symbol="ES", secType="FUT", exchange="CME", currency="USD"))
    assert len(month) > 1
    with pytest.raises(RequestError, match=rf"{len(month)} contracts fit 'ES'") as caught:
        ib.qualify(Contract(symbol="ES", secType="FUT", exchange="CME", currency="USD"))
    assert str(month[0].contract.conId) in str(caught.value)


def test_quotes_come_and_the_subscription_ends_with_the_loop(ib: Client) -> None:
    aapl = ib.qualify(stock("AAPL"))
    for quote in ib.quotes(aapl, timeout=10):
        if quote.is_two_sided:
            break
    assert 0 < quote.bid < quote.ask
    assert quote.mid == (quote.bid + quote.ask) / 2
    assert quote.recv_ns > 0
    lines = simulator(ib).call(lambda gateway: sum(s.count_feeds("line") for s in gateway.sessions))
    assert lines == 0


def test_a_stream_follows_several_contracts(ib: Client) -> None:
    contracts = [ib.qualify(stock("AAPL")), ib.qualify(forex("EUR.USD"))]
    with ib.stream(contracts) as stream:
        seen: set[int] = set()
        while seen != {0, 1}:
            changed = stream.update(10)
            assert changed, "no change within 10 s"
            seen.update(changed)
        assert stream.quote(0).bid > 50 > stream.quote(1).bid > 0
        assert stream.ticks(0) > 0 < stream.ticks(1)


def test_quotes_of_what_does_not_exist_end_with_the_gateways_error(ib: Client) -> None:
    with pytest.raises(MarketDataError) as caught:
        next(ib.quotes(Contract(conId=999_999_999), timeout=10))
    assert caught.value.code == 200


def hush(gateway: Gateway) -> None:
    for session in gateway.sessions:
        session.drop_feeds()


def test_silence_ends_with_a_time_out(proto_ib: Client) -> None:
    index = proto_ib.qualify(stock("AAPL"))
    quotes = proto_ib.quotes(index, timeout=0.2)
    next(quotes)
    simulator(proto_ib).call(hush)
    with pytest.raises(WaitTimeout, match="AAPL"):
        for _ in quotes:
            pass


def test_an_order_is_followed_to_its_fill(ib: Client) -> None:
    aapl = ib.qualify(stock("AAPL"))
    order = ib.orders.place(aapl, market("BUY", 100))
    journaled, sent = order.events[:2]
    assert (journaled.order_state, sent.order_state) == (State.JOURNALED, State.SENT)
    assert order.wait("acknowledged", timeout=10) is order
    order.wait("live", timeout=10)
    order.wait("done", timeout=30)
    assert order.state is State.FILLED
    assert (order.filled, order.remaining) == (Decimal(100), Decimal(0))
    titles = [event.state for event in order.events]
    assert titles[:2] == ["journaled", "sent"]
    assert titles.index("PreSubmitted") < titles.index("execution") < titles.index("Filled")
    assert ("protobuf" in sent.detail) == (ib.dialect == "proto")
    assert sum(fill.shares for fill in order.executions) == 100
    assert ib.positions()[aapl].size == 100
    book = simulator(ib).call(lambda gateway: gateway.trading_account.position(aapl.conId))
    assert book == 100
    assert ib.orders.open() == []


def test_a_resting_order_is_live_until_it_is_cancelled(ib: Client) -> None:
    aapl = ib.qualify(stock("AAPL"))
    order = ib.orders.place(aapl, limit("BUY", 10, 1.0))
    order.wait("live", timeout=10)
    assert order in ib.orders.open()
    assert order.wait("done", timeout=0.05) is order
    assert order.is_live, "a time-out changes nothing"
    with pytest.raises(WaitTimeout, match="no verdict"):
        order.wait("done", timeout=0.05, raise_on_timeout=True)
    assert order.is_live
    order.cancel().wait("done", timeout=10)
    assert order.state is State.CANCELLED
    assert order.filled == 0


def test_a_modify_keeps_the_order(proto_ib: Client) -> None:
    aapl = proto_ib.qualify(stock("AAPL"))
    order = proto_ib.orders.place(aapl, limit("BUY", 10, 1.0))
    order.wait("live", timeout=10)
    changed = order.order
    changed.lmtPrice = 1.5
    assert proto_ib.orders.place(aapl, changed) is order
    assert order.state is State.MODIFY_REQUESTED
    order.cancel().wait("done", timeout=10)
    changed.lmtPrice = 2.0
    with pytest.raises(ConfigError, match="cancelled"):
        proto_ib.orders.place(aapl, changed)


def test_a_refused_order_is_rejected_with_the_reason(ib: Client) -> None:
    order = ib.orders.place(ib.qualify(stock("AAPL")), limit("BUY", 10, 1.005))
    order.wait("done", timeout=10)
    assert order.state is State.REJECTED
    assert order.last_error is not None


def test_order_ids_and_request_ids_never_meet(proto_ib: Client) -> None:
    aapl = proto_ib.qualify(stock("AAPL"))
    orders = [proto_ib.orders.place(aapl, limit("BUY", 1, 1.0)) for _ in range(5)]
    ids = [order.order_id for order in orders]
    assert ids == sorted(set(ids))
    assert max(ids) < Ids.ORDER_LIMIT
    chosen = proto_ib.orders.place(aapl, Order(orderId=500, action="BUY", totalQuantity=Decimal(1), orderType="MKT"))
    assert chosen.order_id == 500
    assert proto_ib.orders.place(aapl, limit("BUY", 1, 1.0)).order_id == 501


def test_the_callers_order_can_be_used_again(proto_ib: Client) -> None:
    aapl = proto_ib.qualify(stock("AAPL"))
    wanted = limit("BUY", 1, 1.0)
    first, second = proto_ib.orders.place(aapl, wanted), proto_ib.orders.place(aapl, wanted)
    assert first.order_id != second.order_id
    assert wanted.orderId == 0


def test_incomplete_orders_are_refused_before_anything_is_sent(proto_ib: Client) -> None:
    aapl = proto_ib.qualify(stock("AAPL"))
    sent = proto_ib.stats["sent"]
    with pytest.raises(ConfigError, match="quantity"):
        proto_ib.orders.place(aapl, Order(action="BUY", orderType="MKT"))
    with pytest.raises(ConfigError, match="action"):
        proto_ib.orders.place(aapl, Order(totalQuantity=Decimal(1)))
    assert proto_ib.stats["sent"] == sent
    assert proto_ib.orders.all() == []


def test_what_the_version_cannot_carry_is_refused_before_anything_is_sent() -> None:
    with ibwire.connect("sim", max_server_version=100) as ib:
        order = limit("BUY", 1, 1.0, cashQty=100.0)
        order.totalQuantity = None
        with pytest.raises(ibwire.UnsupportedByServer, match="cashQty"):
            ib.orders.place(ib.qualify(stock("AAPL")), order)
        assert ib.orders.all() == []


def test_nothing_is_sent_while_tws_has_no_connection_to_ib(proto_ib: Client) -> None:
    aapl = proto_ib.qualify(stock("AAPL"))
    resting = proto_ib.orders.place(aapl, limit("BUY", 1, 1.0)).wait("live", timeout=10)

    def tell(code: int) -> None:
        def send(gateway: Gateway) -> None:
            for session in gateway.sessions:
                session.error(-1, code, "told")

        simulator(proto_ib).call(send)
        core = proto_ib._core
        assert core.wait_until(lambda: (code, "told") in core.intake.notices, 10)

    tell(1100)
    with pytest.raises(RiskRejected, match="1100"):
        proto_ib.orders.place(aapl, limit("BUY", 1, 1.0))
    assert resting.is_live, "the outage says nothing about an order"
    tell(1102)
    proto_ib.reconcile()
    assert resting.is_live, "the look-up after 1102 settles it"
    proto_ib.orders.place(aapl, limit("BUY", 1, 1.0)).wait("live", timeout=10)


def test_account_summary(ib: Client) -> None:
    values = {value.tag: value for value in ib.account_summary("NetLiquidation,BuyingPower")}
    assert set(values) == {"NetLiquidation", "BuyingPower"}
    assert values["NetLiquidation"].account == "DU0000001"
    assert values["NetLiquidation"].currency == "USD"
    assert Decimal(values["NetLiquidation"].value) > 0


def test_positions_are_looked_up_by_contract(ib: Client) -> None:
    aapl, other = ib.qualify(stock("AAPL")), ib.qualify(stock("MSFT"))
    ib.orders.place(aapl, market("SELL", 5)).wait("done", timeout=30)
    positions = ib.positions()
    assert positions[aapl].size == -5
    assert positions[aapl].account == "DU0000001"
    assert positions[other].size == 0
    assert (aapl in positions, other in positions) == (True, False)
    with pytest.raises(KeyError, match="qualify"):
        positions[stock("AAPL")]


# ---------------------------------------------------------------------------------------------- losing the connection


def test_a_lost_link_ends_quotes_waits_and_requests_and_makes_orders_uncertain(ib: Client) -> None:
    aapl = ib.qualify(stock("AAPL"))
    order = ib.orders.place(aapl, limit("BUY", 10, 1.0)).wait("live", timeout=10)
    quotes = ib.quotes(aapl, timeout=10)
    next(quotes)
    simulator(ib).close()
    with pytest.raises(SessionLost):
        for _ in quotes:
            pass
    with pytest.raises(SessionLost, match=f"order {order.order_id} is uncertain"):
        order.wait("done", timeout=10)
    assert order.state is State.UNCERTAIN
    assert order.needs_query
    with pytest.raises(SessionLost):
        ib.positions()
    with pytest.raises(SessionLost):
        ib.orders.place(aapl, limit("BUY", 10, 1.0))
    assert len(ib.orders.all()) == 1, "an order that could not leave is no order"


def test_leaving_the_block_closes_everything() -> None:
    with ibwire.connect("sim") as ib:
        aapl = ib.qualify(stock("AAPL"))
        order = ib.orders.place(aapl, limit("BUY", 10, 1.0)).wait("live", timeout=10)
        host, port = ib.address
    assert order.state is State.UNCERTAIN, "it may live on at the broker"
    with pytest.raises(SessionLost):
        ib.qualify(aapl)
    with pytest.raises(OSError):
        socket.create_connection((host, port), timeout=1)
    ib.close()


def test_a_forked_child_may_not_use_it(proto_ib: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(life, "_generation", life.generation() + 1)  # as after a fork
        with pytest.raises(ForkedClient):
            proto_ib.qualify(stock("AAPL"))
        proto_ib.close()  # in a child: touches nothing
    assert proto_ib.qualify(stock("AAPL")).conId


# ---------------------------------------------------------------------------------------------- connecting


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


@pytest.mark.parametrize("target", ["paper", "live"])
def test_nobody_there_is_an_error_with_the_address_and_never_another_gateway(target: str) -> None:
    port = free_port()
    confirm = {"confirm": "orders spend real money"} if target == "live" else {}
    with pytest.raises(ConnectError, match=rf"127\.0\.0\.1:{port}.*start TWS"):
        ibwire.connect(target, port=port, timeout_s=2, **confirm)


def test_live_wants_to_be_confirmed_before_anything_is_opened() -> None:
    with serve() as server:
        for confirm in ("", "yes", "orders spend real money!"):
            with pytest.raises(ConfigError, match="confirm"):
                ibwire.connect("live", port=server.port, confirm=confirm)
        assert server.call(lambda gateway: len(gateway.sessions)) == 0


def test_paper_connects_to_a_gateway_that_runs() -> None:
    with serve() as server, ibwire.connect("paper", port=server.port, client_id=7) as ib:
        assert ib.client_id == 7
        assert ib.simulator is None
        assert ib.qualify(stock("AAPL")).conId


def test_paper_refuses_a_live_account() -> None:
    with serve(accounts=("U0000001",)) as server:
        with pytest.raises(ConnectError, match="live account"):
            ibwire.connect("paper", port=server.port)
        with ibwire.connect("live", port=server.port, confirm="orders spend real money") as ib:
            assert ib.accounts == ["U0000001"]


def test_a_client_id_in_use_is_said() -> None:
    with serve() as server, ibwire.connect("paper", port=server.port, client_id=3):
        with pytest.raises(ConnectError, match=r"client id 3 is in use"):
            ibwire.connect("paper", port=server.port, client_id=3)


def test_a_gateway_that_never_gets_ready_is_said() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        with pytest.raises(ConnectError, match=r"127\.0\.0\.1:\d+.*did not answer"):
            ibwire.connect("paper", port=listener.getsockname()[1], timeout_s=0.3)


def test_an_option_chain_entry_is_found(proto_ib: Client) -> None:
    details = proto_ib.contract_details(Contract(symbol="AAPL", secType="OPT", exchange="SMART", currency="USD"))
    one = details[len(details) // 2].contract
    assert one.strike is not None
    again = proto_ib.qualify(option("AAPL", one.lastTradeDateOrContractMonth, one.strike, one.right))
    assert again.conId == one.conId


def test_the_same_seed_gives_the_same_market() -> None:
    def first_quote(seed: int) -> tuple[float, float]:
        with ibwire.connect("sim", seed=seed, ticks_per_s=1) as ib:
            for quote in ib.quotes(ib.qualify(stock("AAPL"))):
                if quote.is_two_sided:
                    return quote.bid, quote.ask
        raise AssertionError

    assert first_quote(7) == first_quote(7)
    assert Settings.make("sim").seed == 7


def test_the_gateway_is_the_real_one(proto_ib: Client) -> None:
    assert simulator(proto_ib).call(lambda gateway: type(gateway)) is Gateway


def test_another_clients_order_cannot_be_cancelled_here() -> None:
    with serve() as server, ibwire.connect("paper", port=server.port, client_id=1) as first:
        theirs = first.orders.place(first.qualify(stock("AAPL")), limit("BUY", 1, 1.0)).wait("live", timeout=10)
        with ibwire.connect("paper", port=server.port, client_id=2) as second:
            with pytest.raises(OrderError, match="belongs to client 1"):
                second.orders.cancel(theirs)
        assert theirs.is_live
