"""A captured session is served again: exact where nothing differs, ids re-mapped where they do."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from ibwire.errors import CaptureError
from ibwire.sim.direct import Direct
from ibwire.sim.replay import ReplayPeer, ReplayWorld, id_of
from ibwire.types import incoming as i
from ibwire.types import outgoing as o
from ibwire.types.structs import Contract, ExecutionFilter, Order, OrderCancel
from ibwire.wire.capture import Entry, Kind, sessions
from ibwire.wire.codec import Codec, Role
from ibwire.wire.framing import Framer, frame

AAPL = Contract(symbol="AAPL", secType="STK", exchange="SMART", currency="USD")
MSFT = Contract(symbol="MSFT", secType="STK", exchange="SMART", currency="USD")
SECOND = 10**9


def market(size: int = 100) -> Order:
    return Order(action="BUY", totalQuantity=Decimal(size), orderType="MKT")


def capture(version: int) -> tuple[list[Entry], bytes]:
    """A session with a gateway, as a proxy would have written it down, and what its gateway said."""
    desk = Direct(seed=7)
    entries = [Entry(Kind.CONNECTED, 1, desk.gateway.clock.now_ns)]
    client = desk.connect()
    got = 0

    def note() -> None:
        nonlocal got
        if len(client.received) > got:
            data = bytes(client.received[got:])
            entries.append(Entry(Kind.FROM_GATEWAY, 1, desk.gateway.clock.now_ns, data))
            got = len(client.received)

    def send(data: bytes) -> None:
        entries.append(Entry(Kind.FROM_CLIENT, 1, desk.gateway.clock.now_ns, data))
        client.send_bytes(data)
        note()
        for _ in range(20):
            desk.advance(0.05)
            note()

    send(b"API\0" + frame(b"v100..%d" % version))
    codec = Codec(version, Role.CLIENT)
    for message in (
        *(o.StartApi(1), o.ReqContractDetails(5, AAPL), o.ReqMktData(6, AAPL), o.PlaceOrder(1, AAPL, market())),
        *(o.ReqPositions(), o.ReqExecutions(8, ExecutionFilter()), o.ReqCurrentTime()),
        *(o.PlaceOrder(2, AAPL, Order(action="BUY", totalQuantity=Decimal(10), orderType="LMT", lmtPrice=150.0)),),
        o.CancelOrder(2, OrderCancel()),
    ):
        send(frame(codec.encode(message)))
    return entries, bytes(client.received)


class Client:
    """A client of a replay, on virtual time."""

    def __init__(self, world: ReplayWorld, version: int) -> None:
        self.world, self.peer = world, ReplayPeer(world, 1)
        self.codec, self.framer, self.received = Codec(version, Role.CLIENT), Framer(), b""
        self.peer.receive_data(b"API\0" + frame(b"v100..%d" % version))
        self.take()
        assert self.framer.next() is not None

    def take(self) -> None:
        while self.peer.line.segments:
            segment = bytes(self.peer.line.segments[0])
            self.peer.line.sent(len(segment))
            self.received += segment
            self.framer.feed(segment)

    def ask(self, *messages: Any, seconds: float = 1.0) -> list[Any]:
        for message in messages:
            self.peer.receive_data(frame(self.codec.encode(message)))
            self.world.clock.advance(self.world.clock.now_ns + round(seconds * SECOND))
        self.take()
        found = []
        while (payload := self.framer.next()) is not None:
            found.append(self.codec.decode(payload))
        return found


@pytest.mark.parametrize("version", [100, 176, 200, 203, 225])
def test_the_same_requests_get_the_same_bytes(version: int) -> None:
    entries, said = capture(version)
    client = Client(ReplayWorld(sessions(entries)), version)
    for message in [m for s in sessions(entries) for m in s.messages if m.from_client]:
        client.peer.receive_data(frame(message.payload))
        client.world.clock.advance(client.world.clock.now_ns + SECOND)
    client.world.clock.advance(client.world.clock.now_ns + SECOND)
    client.take()
    assert client.received == said and client.world.unmatched == 0


@pytest.mark.parametrize("version", [176, 225])
def test_other_ids_and_another_order_of_requests(version: int) -> None:
    client = Client(ReplayWorld(sessions(capture(version)[0])), version)
    greeting = client.ask(o.StartApi(9))
    assert isinstance(greeting[0], i.ManagedAccounts)
    placed: list[Any] = client.ask(o.PlaceOrder(701, AAPL, market()))
    status = [m for m in placed if isinstance(m, i.OrderStatus)]
    assert {m.orderId for m in status} == {701} and {m.clientId for m in status} == {9}
    assert status[-1].status == "Filled"
    assert {m.order.orderId for m in placed if isinstance(m, i.OpenOrder)} == {701}
    fills = [m for m in placed if isinstance(m, i.ExecDetails)]
    assert {m.execution.orderId for m in fills} == {701} and {m.reqId for m in fills} == {-1}
    reports = [m.commissionAndFeesReport.execId for m in placed if isinstance(m, i.CommissionAndFeesReport)]
    assert sorted(reports) == sorted(m.execution.execId for m in fills)
    ticks: list[Any] = client.ask(o.ReqMktData(44, AAPL))
    assert ticks and {id_of(m) for m in ticks} == {44}
    before = len(client.ask(seconds=2.0))
    client.ask(o.CancelMktData(44))
    assert [m for m in client.ask(o.ReqPositions()) if isinstance(m, i.TickPrice)] == [] and before >= 0
    asked: list[Any] = client.ask(o.ReqExecutions(50, ExecutionFilter()))
    assert isinstance(asked[-1], i.ExecDetailsEnd) and asked[-1].reqId == 50
    details: list[Any] = client.ask(o.ReqContractDetails(51, AAPL))
    assert [(type(m), m.reqId) for m in details] == [(i.ContractData, 51), (i.ContractDetailsEnd, 51)]
    resting = Order(action="BUY", totalQuantity=Decimal(10), orderType="LMT", lmtPrice=150.0)
    client.ask(o.PlaceOrder(702, AAPL, resting))
    cancelled: list[Any] = client.ask(o.CancelOrder(702, OrderCancel()))
    assert [m.status for m in cancelled if isinstance(m, i.OrderStatus)] == ["PendingCancel", "Cancelled"]
    assert [(m.id, m.errorCode) for m in cancelled if isinstance(m, i.Error)] == [(702, 202)]


def test_what_was_not_captured_is_answered() -> None:
    client = Client(ReplayWorld(sessions(capture(225)[0])), 225)
    client.ask(o.StartApi(1))
    answer = client.ask(o.ReqContractDetails(77, MSFT), o.ReqScannerParameters())
    assert [(m.id, m.errorCode) for m in answer] == [(77, 321), (-1, 321)]
    assert client.world.unmatched == 2


def test_full_speed_keeps_the_order() -> None:
    entries, _ = capture(225)
    slow, fast = (Client(ReplayWorld(sessions(entries), at_once=fast), 225) for fast in (False, True))
    for client in (slow, fast):
        client.ask(o.StartApi(1))
    expected = slow.ask(o.PlaceOrder(1, AAPL, market()))
    assert fast.ask(o.PlaceOrder(1, AAPL, market()), seconds=0.0) == expected


def test_a_client_that_cannot_speak_the_captured_version_is_told() -> None:
    world = ReplayWorld(sessions(capture(225)[0]))
    peer = ReplayPeer(world, 1)
    peer.receive_data(b"API\0" + frame(b"v100..176"))
    assert peer.hang_up and "225" in peer.problem
    with pytest.raises(CaptureError, match="handshake"):
        ReplayWorld(sessions([Entry(Kind.CONNECTED, 1, 0)]))
