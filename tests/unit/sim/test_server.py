"""The gateway on a real loopback socket, met by a small raw client at versions on both sides of the dialect gates."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from decimal import Decimal
from types import TracebackType
from typing import Any, Self

import pytest

from ibwire.sim import peer
from ibwire.sim.scenario import Scenario
from ibwire.sim.server import MAX_CLIENTS, Server, host, serve
from ibwire.spec.versions import MAX_CLIENT_VERSION
from ibwire.types import incoming as i
from ibwire.types import outgoing as o
from ibwire.types.structs import Contract, Order
from ibwire.wire.codec import Codec, Role
from ibwire.wire.framing import Framer, frame

PATIENCE_S = 20.0
VERSIONS = (100, 176, 200, 203, 213, 225)
AAPL = Contract(symbol="AAPL", secType="STK", exchange="SMART", currency="USD")


class RawClient:
    """A blocking client with nothing but a codec."""

    def __init__(self, server: Server, version: int = MAX_CLIENT_VERSION, clientId: int | None = 1) -> None:
        self.socket = socket.create_connection((server.host, server.port), PATIENCE_S)
        self.framer = Framer()
        self.socket.sendall(b"API\0" + frame(b"v100..%d" % version))
        self.version, self.time = self.payload().rstrip(b"\0").split(b"\0")
        self.codec = Codec(int(self.version), Role.CLIENT)
        if clientId is not None:
            self.ask(o.StartApi(clientId=clientId))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.socket.close()

    def ask(self, *messages: Any) -> None:
        self.socket.sendall(b"".join(frame(self.codec.encode(message)) for message in messages))

    def payload(self) -> bytes:
        while (found := self.framer.next()) is None:
            data = self.socket.recv(65_536)
            if not data:
                raise EOFError
            self.framer.feed(data)
        return found

    def next(self) -> Any:
        return self.codec.decode(self.payload())

    def until(self, wanted: type[Any] | Callable[[Any], bool]) -> list[Any]:
        """Everything up to and including the first message that fits."""
        seen = []
        while True:
            seen.append(self.next())
            if isinstance(seen[-1], wanted) if isinstance(wanted, type) else wanted(seen[-1]):
                return seen

    def rest(self) -> list[Any]:
        """Everything until the gateway hangs up."""
        seen = []
        try:
            while True:
                seen.append(self.next())
        except EOFError:
            return seen


@pytest.fixture
def server() -> Iterator[Server]:
    with serve(seed=7, rate=200, time_scale=5.0) as running:
        yield running
        print(*running.problems, sep="\n")  # shown when a test fails


def is_filled(message: Any) -> bool:
    return isinstance(message, i.OrderStatus) and message.status == "Filled"


@pytest.mark.parametrize("version", VERSIONS)
def test_a_session_from_handshake_to_commission(server: Server, version: int) -> None:
    with RawClient(server, version) as client:
        assert (int(client.version), client.time[:17]) == (version, b"20260302 14:30:00")
        hello = [client.next() for _ in range(5)]
        assert hello[0] == i.ManagedAccounts("DU0000001") and hello[1] == i.NextValidId(1)
        assert [(m.id, m.errorCode) for m in hello[2:]] == [(-1, 2104), (-1, 2106), (-1, 2158)]
        client.ask(o.ReqContractDetails(7, AAPL))
        details = client.until(i.ContractDetailsEnd)[0]
        assert (details.reqId, details.contractDetails.contract.conId) == (7, 265598)
        client.ask(o.ReqMktData(8, AAPL))
        ticks = client.until(lambda m: isinstance(m, i.TickPrice) and m.tickType == 2)
        bid, ask = (m.price for m in ticks if isinstance(m, i.TickPrice))
        assert bid is not None and ask is not None and 185 < bid < ask < 190
        client.ask(o.PlaceOrder(1, AAPL, Order(action="BUY", totalQuantity=Decimal(100), orderType="MKT")))
        flow = client.until(i.CommissionAndFeesReport)
        orders: list[Any] = [m for m in flow if isinstance(m, i.OpenOrder | i.OrderStatus | i.ExecDetails)]
        assert [type(m) for m in orders[:3]] == [i.OpenOrder, i.OrderStatus, i.ExecDetails]
        assert orders[0].order.totalQuantity == 100 and orders[2].reqId == -1
        if not any(map(is_filled, flow)):
            client.until(is_filled)
        client.ask(o.ReqExecutions(9))
        fills: list[Any] = [m for m in client.until(i.ExecDetailsEnd) if isinstance(m, i.ExecDetails)]
        fills = [m for m in fills if m.reqId == 9]
        assert sum(m.execution.shares for m in fills) == 100
    assert list(server.problems) == []


def test_the_lower_of_both_versions_is_agreed() -> None:
    with serve(server_version=187) as running:
        with RawClient(running, 225) as client:
            assert client.version == b"187"
            assert isinstance(client.next(), i.ManagedAccounts)
        with RawClient(running, 9999) as client:
            assert client.version == b"187"


def test_bytes_may_come_in_any_pieces(server: Server) -> None:
    codec = Codec(200, Role.CLIENT)
    wire = b"API\0" + frame(b"v100..200 +PACEAPI") + frame(codec.encode(o.StartApi(clientId=1)))
    wire += frame(codec.encode(o.ReqContractDetails(3, AAPL)))
    seen = []
    for size in (len(wire), 1):
        with socket.create_connection((server.host, server.port), PATIENCE_S) as raw:
            raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for at in range(0, len(wire), size):
                raw.sendall(wire[at : at + size])
            client = RawClient.__new__(RawClient)
            client.socket, client.framer, client.codec = raw, Framer(), codec
            client.payload()
            seen.append([type(m) for m in client.until(i.ContractDetailsEnd)])
    assert seen[0] == seen[1] and i.ContractData in seen[0]


@pytest.mark.parametrize(
    "greeting",
    [
        b"GET / HTTP/1.1\r\n\r\n",
        b"\x16\x03\x01\x02\x00",
        b"API\0" + frame(b"v38..99"),
        b"API\0" + frame(b"v226..300"),
        b"API\0" + frame(b"hello"),
        b"API\0" + b"\xff\xff\xff\xff",
        b"API\0" + b"\0\0\0\0",
        b"API\0" + (8192).to_bytes(4, "big") + b"v" * 5000,
    ],
)
def test_strangers_are_hung_up_on(server: Server, greeting: bytes) -> None:
    with socket.create_connection((server.host, server.port), PATIENCE_S) as raw:
        raw.sendall(greeting)
        assert raw.recv(100) == b""
    with RawClient(server) as client:
        assert isinstance(client.next(), i.ManagedAccounts)
    assert len(server.problems) == 1


@pytest.mark.parametrize("version", [176, 225])
@pytest.mark.parametrize(
    "garbage",
    [b"\0\0\0\0", b"\xff\xff\xff\xff", frame(b"\xff" * 40), frame(b"3\0a\0b\0"), frame(b"\0\0\0\xcb\xff\xff\xff")],
)
def test_hostile_bytes_end_only_their_sender(server: Server, version: int, garbage: bytes) -> None:
    with RawClient(server, version) as bystander, RawClient(server, version, clientId=2) as client:
        client.until(lambda m: isinstance(m, i.Error) and m.errorCode == 2158)
        client.socket.sendall(garbage + b"more" * 1000)
        last = client.rest()
        # What can be read as a frame is answered and passed over; where framing is lost, it ends.
        assert [(m.id, m.errorCode) for m in last][-1] == (-1, 320)
        assert [m.errorCode for m in last][:-1] in ([], [320], [321])
        bystander.ask(o.ReqIds(1))
        bystander.until(lambda m: isinstance(m, i.NextValidId))
        bystander.ask(o.ReqCurrentTime())
        bystander.until(i.CurrentTime)
    assert server.call(lambda gateway: [s.clientId for s in gateway.sessions]) in ([1], [])


def test_an_unknown_message_is_answered_and_the_session_goes_on(server: Server) -> None:
    with RawClient(server, 200) as client:
        client.socket.sendall(frame(b"9999\0001\000"))
        client.until(lambda m: isinstance(m, i.Error) and m.errorCode == 321)
        client.ask(o.ReqCurrentTime())
        client.until(i.CurrentTime)


def test_a_client_id_in_use_is_told_and_hung_up_on(server: Server) -> None:
    with RawClient(server) as first:
        first.until(lambda m: isinstance(m, i.Error) and m.errorCode == 2158)
        with RawClient(server) as second:
            assert [m.errorCode for m in second.rest()] == [326]
        first.ask(o.ReqCurrentTime())
        first.until(i.CurrentTime)


def test_no_more_than_32_clients(server: Server) -> None:
    clients = [RawClient(server, clientId=n) for n in range(MAX_CLIENTS)]
    for client in clients:
        client.next()
    with socket.create_connection((server.host, server.port), PATIENCE_S) as raw:
        assert raw.recv(10) == b""
    for client in clients:
        client.socket.close()


def test_a_crowd_of_requests_with_time_after_each_waits_for_its_reader(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(host, "MAX_BACKLOG_BYTES", 600_000)
    monkeypatch.setattr(peer, "_ENOUGH_BYTES", 20_000)
    monkeypatch.setattr(peer, "_FLUSH_AT", 64)
    with serve(virtual=True, step_s=1.0) as server, RawClient(server) as client:
        client.ask(o.ReqMktData(1, AAPL))
        asked = 4000
        client.ask(*[o.ReqCurrentTime()] * asked, o.ReqPositions())
        seen = client.until(i.PositionEnd)
        assert [type(m) for m in seen].count(i.CurrentTime) == asked and len(seen) > 10 * asked
        assert list(server.problems) == []


def test_a_market_from_a_file_that_has_ended_goes_on_standing_still() -> None:
    ticks = "time,symbol,field,price,size\n2026-03-02T14:30:00Z,AAPL,bid,187.40,300\n"
    with serve(time_scale=20.0, ticks=ticks) as server, RawClient(server) as client:
        client.ask(o.ReqMktData(1, Contract(symbol="AAPL", secType="STK", exchange="SMART", currency="USD")))
        client.until(i.TickPrice)
        client.ask(o.ReqCurrentTime())
        client.until(i.CurrentTime)


def test_half_a_handshake_keeps_nobody_out(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(host, "_GREETING_NS", 3600 * 10**9)
    with RawClient(server, clientId=90) as first:
        first.next()
        strangers = [socket.create_connection((server.host, server.port), PATIENCE_S) for _ in range(MAX_CLIENTS - 1)]
        for stranger in strangers:
            stranger.sendall(b"API\0\0\0")
        first.ask(o.ReqCurrentTime())
        first.until(i.CurrentTime)
        with socket.create_connection((server.host, server.port), PATIENCE_S) as raw:
            assert raw.recv(10) == b""  # they may still be about to say it
        monkeypatch.setattr(host, "_GREETING_NS", 0)
        with RawClient(server, clientId=91) as late:
            late.ask(o.ReqCurrentTime())
            late.until(i.CurrentTime)
        assert strangers[0].recv(10) == b""
        first.ask(o.ReqCurrentTime())
        first.until(i.CurrentTime)
        for stranger in strangers:
            stranger.close()


def test_a_client_that_does_not_read_is_dropped(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(host, "MAX_BACKLOG_BYTES", 100_000)
    with RawClient(server) as idle, RawClient(server, clientId=2) as other:
        question = frame(idle.codec.encode(o.ReqSmartComponents(1, "?" * 60_000)))  # the answer quotes it
        with pytest.raises(OSError):  # the connection is reset while we go on asking
            for _ in range(100_000):
                idle.socket.sendall(question)
        other.ask(o.ReqCurrentTime())
        other.until(i.CurrentTime)
    assert any("does not read" in problem for problem in server.problems)


def test_a_failure_in_one_request_stays_with_its_client(server: Server) -> None:
    def break_search(gateway: Any) -> None:
        gateway.universe.search = None

    server.call(break_search)
    with RawClient(server) as client, RawClient(server, clientId=2) as other:
        client.ask(o.ReqMatchingSymbols(1, "A"))
        assert client.rest()[-1].errorCode == 320
        other.ask(o.ReqCurrentTime())
        other.until(i.CurrentTime)


def test_virtual_time_runs_at_its_scale_and_closing_ends_it() -> None:
    running = serve(time_scale=100.0)
    start = running.call(lambda gateway: gateway.clock.now_ns)
    with RawClient(running) as client:
        client.ask(o.ReqMktData(1, AAPL))
        client.until(lambda m: isinstance(m, i.TickString) and int(m.value) >= start // 10**9 + 5)
    running.close()
    running.close()
    with pytest.raises(RuntimeError, match="closed"):
        running.call(lambda gateway: gateway)
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((running.host, running.port), 1)
    assert "ibwire-sim" not in [thread.name for thread in threading.enumerate()]


def test_closing_hangs_up_on_clients() -> None:
    with serve() as running:
        client = RawClient(running)
        client.until(lambda m: isinstance(m, i.Error) and m.errorCode == 2158)
    assert client.rest() == []
    client.socket.close()


def test_a_failure_of_the_world_is_loud() -> None:
    running = serve()

    def broken() -> None:
        raise ZeroDivisionError("the world broke")

    running.call(lambda gateway: gateway.clock.after(1, broken))
    with pytest.raises(RuntimeError, match="closed"):
        while True:
            running.call(lambda gateway: None)
    with pytest.raises(RuntimeError, match="failed") as caught:
        running.close()
    assert isinstance(caught.value.__cause__, ZeroDivisionError)
    running.close()


@pytest.mark.parametrize("settings", [{"server_version": 99}, {"rate": 0}, {"time_scale": 0.0}, {"accounts": ()}])
def test_arguments_out_of_range(settings: dict[str, Any]) -> None:
    with pytest.raises(ValueError):
        serve(**settings)


# ---------------------------------------------------------------------------------------------- faults, for real


def settled(client: RawClient) -> None:
    client.until(lambda m: isinstance(m, i.Error) and m.errorCode == 2158)


def test_a_restart_refuses_connections_on_the_same_port_and_then_takes_them() -> None:
    with serve(time_scale=10.0, client_id_hold_ns=3 * 10**9) as running:
        with RawClient(running) as client:
            settled(client)
            running.call(lambda gateway: gateway.restart(3 * 10**9))
            assert client.rest() == []
        refused, codes = 0, []
        first: Any = None
        while not isinstance(first, i.ManagedAccounts):
            try:
                with RawClient(running) as client:
                    first = client.next()
                    codes.append(getattr(first, "errorCode", 0))
            except ConnectionRefusedError:
                refused += 1
        # Away for three seconds, then the id is taken for three more; a tenth of that here.
        assert refused and codes[-1] == 0 and set(codes[:-1]) == {326}


def test_bytes_split_for_real_and_a_reset_is_one() -> None:
    with serve(time_scale=100.0, scenario="partial-frames") as running:
        with socket.create_connection((running.host, running.port), PATIENCE_S) as raw:
            raw.sendall(b"API\0" + frame(b"v100..176"))
            pieces = b""
            while len(pieces) < 20:
                piece = raw.recv(100)
                assert piece
                pieces += piece
            assert pieces[4:7] == b"176"
    scenario = Scenario().rule({"event": "connect"}, {"close": "reset", "after_ms": 50})
    with serve(scenario=scenario) as running, RawClient(running) as client:
        with pytest.raises(ConnectionResetError):
            client.rest()


def test_a_gateway_that_stops_reading_blocks_its_client() -> None:
    scenario = Scenario().rule({"request": "reqIds"}, {"stop_reading": True})
    with serve(scenario=scenario) as running, RawClient(running) as client:
        settled(client)
        client.ask(o.ReqIds(1))
        client.until(i.NextValidId)
        client.socket.settimeout(0.5)
        with pytest.raises(TimeoutError):
            while True:
                client.socket.sendall(frame(client.codec.encode(o.ReqCurrentTime())) * 10_000)


def test_a_half_open_gateway_says_nothing_more() -> None:
    scenario = Scenario().rule({"request": "reqIds"}, {"silence": True})
    with serve(scenario=scenario) as running, RawClient(running) as client, RawClient(running, clientId=2) as other:
        settled(client)
        client.ask(o.ReqIds(1), o.ReqCurrentTime())
        settled(other)
        other.ask(o.ReqCurrentTime())
        other.until(i.CurrentTime)
        client.socket.settimeout(0.2)
        with pytest.raises(TimeoutError):
            client.next()
