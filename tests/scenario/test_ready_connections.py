"""The ready scenarios about connections, data and times."""

from __future__ import annotations

import pytest

from ibwire.errors import ProtocolError
from ibwire.sim.direct import Direct, DirectClient
from ibwire.sim.scenario import Scenario, names
from ibwire.types import incoming as i
from ibwire.types import outgoing as o
from ibwire.types.structs import Contract
from ibwire.wire.framing import Framer

from . import test_ready_orders
from .drive import AAPL, GREETING, after, order, place, start, words

EURUSD = Contract(symbol="EUR", secType="CASH", exchange="IDEALPRO", currency="USD")


def ticks(desk: Direct, client: DirectClient, seconds: float) -> int:
    """How many price ticks come within so long."""
    desk.advance(seconds)
    return sum(isinstance(message, i.TickPrice) for message in client.messages())


def codes(desk: Direct, client: DirectClient, seconds: float) -> list[int]:
    desk.advance(seconds)
    return [message.errorCode for message in client.messages() if isinstance(message, i.Error)]


def test_outage_without_end() -> None:
    desk, client = start("outage-without-end")
    client.ask(o.ReqMktData(7, AAPL))
    place(client, 1, order(limit=120.0))
    assert ticks(desk, client, 4.0) > 0
    desk.advance(1.0)
    client.messages()
    place(client, 2, order())
    client.ask(o.CancelOrder(1))
    said = after(desk, client, 3.0)
    assert [w for w in said if w != "error 1100"] == ["exec 1 100", "Filled 1", "commission"]
    assert codes(desk, client, 3600.0) == [1100] * 3600
    assert ticks(desk, client, 10.0) == 0


def test_outage_data_lost() -> None:
    desk, client = start("outage-data-lost")
    client.ask(o.ReqMktData(7, AAPL))
    assert ticks(desk, client, 4.9) > 0
    place(client, 1, order(limit=120.0))
    desk.advance(1.0)
    client.messages()
    place(client, 2, order(limit=121.0))
    said = after(desk, client, 9.5)
    assert said == ["error 1101", "PreSubmitted 2", "Submitted 2"]
    assert ticks(desk, client, 60.0) == 0
    client.ask(o.ReqMktData(8, AAPL))
    assert ticks(desk, client, 5.0) > 0


def test_outage_data_kept() -> None:
    desk, client = start("outage-data-kept")
    client.ask(o.ReqMktData(7, AAPL))
    assert ticks(desk, client, 4.9) > 0
    assert codes(desk, client, 0.2) == [1100]
    assert ticks(desk, client, 9.7) == 0
    assert codes(desk, client, 0.2) == [1102]
    assert ticks(desk, client, 5.0) > 0


def test_farm_flap() -> None:
    desk, client = start("farm-flap")
    client.ask(o.ReqMktData(7, AAPL))
    assert codes(desk, client, 4.9) == [2104, 2106, 2158]
    assert codes(desk, client, 0.2) == [2103]
    assert ticks(desk, client, 2.8) == 0
    assert codes(desk, client, 0.2) == [2104]
    assert ticks(desk, client, 10.0) > 0
    assert codes(desk, client, 10.0) == [2103, 2104]
    assert codes(desk, client, 5.0) == [2107]
    assert ticks(desk, client, 600.0) == 0


def test_competing_login() -> None:
    desk, client = start("competing-login")
    client.ask(o.ReqMktData(7, AAPL), o.ReqMktData(8, EURUSD), o.ReqPnL(9, "DU0000001", ""))
    assert ticks(desk, client, 9.9) > 0
    desk.advance(1.0)
    ends = [(m.id, m.errorCode) for m in client.messages() if isinstance(m, i.Error)]
    assert ends == [(7, 10197), (8, 10197)]
    assert ticks(desk, client, 60.0) == 0


@pytest.mark.parametrize("version", [176, 225])
def test_close_mid_frame(version: int) -> None:
    desk, client = start("close-mid-frame", version)
    client.messages()
    place(client, 1, order())
    desk.advance(2.0)
    assert client.closed
    assert words(client.messages()) == ["PreSubmitted 1"]
    framer = Framer()
    framer.feed(client.received)
    while framer.next() is not None:
        pass
    assert framer.pending_bytes == 6
    again = desk.client(version, 1)
    again.ask(o.ReqExecutions(1))
    assert "exec 1 100" in words(again.messages())


def test_half_open() -> None:
    desk, client = start("half-open")
    client.ask(o.ReqMktData(7, AAPL))
    assert ticks(desk, client, 9.9) > 0
    desk.advance(0.2)
    client.messages()
    client.ask(o.ReqCurrentTime())
    assert after(desk, client, 3600.0) == [] and not client.closed
    assert words(desk.client(225, 2).messages()) == GREETING


def test_partial_frames() -> None:
    desk = Direct("partial-frames")
    client = desk.connect()
    client.hello()
    for _ in range(30):
        desk.advance(0.001)
    assert {len(segment) for segment in client.segments} <= {1, 2, 3} and len(client.segments) >= 9
    assert int(bytes(client.received[4:7])) == 225


def test_coalesced_frames() -> None:
    desk = Direct("coalesced-frames")
    client = desk.connect()
    client.hello()
    assert client.segments == []
    desk.advance(0.49)
    assert client.segments == []
    desk.advance(0.02)
    assert len(client.segments) == 1


def test_corrupted_bytes() -> None:
    desk, client = start("corrupted-bytes")
    client.ask(o.ReqMktData(7, AAPL))
    client.messages()
    with pytest.raises(ProtocolError):
        for _ in range(600):
            desk.advance(0.1)
            client.messages()


def test_gateway_stops_reading() -> None:
    desk, client = start("gateway-stops-reading")
    client.ask(o.ReqMktData(7, AAPL))
    desk.advance(3.0)
    assert not client.peer.line.reading
    assert ticks(desk, client, 4.9) > 0
    desk.advance(0.2)
    assert client.peer.line.reading


def test_id_taken_after_restart() -> None:
    desk, client = start("id-taken-after-restart")
    desk.advance(10.0)
    assert client.closed
    with pytest.raises(ConnectionRefusedError):
        desk.client()
    desk.advance(2.0)
    for _ in range(3):
        refused = desk.client()
        assert words(refused.messages()) == ["error 326"] and refused.closed
        desk.advance(2.0)
    assert words(desk.client(225, 2).messages()) == GREETING
    desk.advance(2.0)
    assert words(desk.client().messages()) == GREETING


def test_nightly_restart() -> None:
    desk, client = start("nightly-restart")
    place(client, 1, order(limit=120.0))
    assert codes(desk, client, 39.0)[3:] == [1100] * 6
    assert codes(desk, client, 2.0) == [1102]
    desk.advance(20.0)
    assert client.closed
    desk.advance(66.0)
    assert words(desk.client().messages()) == [*GREETING, "Submitted 1"]


def test_next_id_goes_down() -> None:
    desk, client = start("next-id-goes-down")
    for orderId in (1, 2, 3):
        place(client, orderId, order(limit=120.0))
    desk.advance(11.1)
    messages = desk.client().messages()
    assert [m.orderId for m in messages if isinstance(m, i.NextValidId)] == [1]
    assert sorted(m.orderId for m in messages if isinstance(m, i.OpenOrder)) == [1, 2, 3]


def test_restart_eats_order() -> None:
    desk, client = start("restart-eats-order")
    client.messages()
    place(client, 1, order(limit=120.0))
    assert after(desk, client, 1.0) == ["PreSubmitted 1", "Submitted 1"]
    place(client, 2, order(limit=121.0))
    assert after(desk, client, 0.5) == [] and client.closed
    desk.advance(1.0)
    messages = desk.client().messages()
    assert [m.orderId for m in messages if isinstance(m, i.NextValidId)] == [2]
    assert [m.orderId for m in messages if isinstance(m, i.OpenOrder)] == [1]


def test_too_many_messages() -> None:
    desk, client = start("too-many-messages")
    desk.advance(2.0)
    client.messages()
    said = []
    for _ in range(3):
        client.ask(*[o.ReqCurrentTime()] * 51)
        said += after(desk, client, 1.0)
    assert said == [*([*["currentTime"] * 50, "error 100"] * 3)] and client.closed


def test_historical_pacing() -> None:
    desk, client = start("historical-pacing")
    client.messages()

    def ask(reqId: int, bars: str = "5 secs", end: str = "", show: str = "TRADES") -> list[str]:
        client.ask(o.ReqHistoricalData(reqId, AAPL, end, "60 S", bars, show, 1, 1, False))
        desk.advance(0.1)
        return [m.errorMsg for m in client.messages() if isinstance(m, i.Error) and m.errorCode == 162]

    assert not any("pacing" in text for text in ask(1))
    assert [("pacing" in text) for text in ask(2)] == [True]
    desk.advance(15.0)
    assert not any("pacing" in text for text in ask(3))
    many = [ask(n, end=f"2026030{n % 10}-00:00:00") for n in range(10, 17)]
    assert [any("pacing" in text for text in texts) for texts in many] == [False] * 4 + [True] * 3
    assert not any("pacing" in text for n in range(20, 40) for text in ask(n, bars="1 min"))


def test_mixed_dialects() -> None:
    desk, client = start("mixed-dialects")
    assert client.greeting.startswith(b"203\0")
    client.ask(o.ReqMktData(7, AAPL))
    place(client, 1, order(limit=120.0))
    desk.advance(1.0)
    framer, ids = Framer(), set()
    framer.feed(client.received)
    while (payload := framer.next()) is not None:
        ids.add(int.from_bytes(payload[:4], "big"))
    assert {1, 9, 203, 205} <= ids and not {3, 5, 201, 209} & ids


def test_redirect() -> None:
    desk = Direct("redirect")
    client = desk.connect()
    client.hello()
    assert client.greeting == b"-1\x00127.0.0.1:9\x00" and client.closed
    assert words(desk.client().messages()) == GREETING


def test_every_ready_scenario_is_driven_here_and_every_item_has_one() -> None:
    tests = {*vars(test_ready_orders), *globals()}
    assert {f"test_{name.replace('-', '_')}" for name in names()} <= tests
    assert {item for name in names() for item in Scenario.load(name).items} == set(range(1, 23))
    for name in names():
        found = Scenario.load(name)
        assert found.title and found.about and found.sequence and found.items, name
