"""The callbacks of what waits in a ring: the same as payload by payload, whatever a callback does."""

from __future__ import annotations

from typing import Any

import pytest

from ibwire.compat.dispatch import Dispatcher
from ibwire.compat.wrapper import EWrapper
from ibwire.ring.payloads import Payloads
from ibwire.wire.framing import frame
from tests.unit.compat.links import from_gateway
from tests.unit.ring.impls import IMPLS


class Listener(EWrapper):
    def __init__(self) -> None:
        self.heard: list[tuple[Any, ...]] = []
        self.fails_at = self.drains_at = self.stops_at = -1

    def tickString(self, reqId: int, tickType: int, value: str) -> None:
        self.heard.append(("tickString", reqId, tickType, value))
        if reqId == self.fails_at:
            raise RuntimeError("user code")
        if reqId == self.stops_at:
            self.rig.dispatcher.stop()
        if reqId == self.drains_at:
            self.rig.drain()

    def nextValidId(self, orderId: int) -> None:
        self.heard.append(("nextValidId", orderId))

    def error(self, *args: Any, **kw: Any) -> None:
        self.heard.append(("error", args[2]))

    rig: Rig


class Rig:
    """Two rings as a connection without records has them: market data may be given up, nothing else."""

    def __init__(self, kind: str, version: int, limit: int = 256 << 20) -> None:
        impl = IMPLS[kind]
        market = impl.MarketRing(64)
        self.control = impl.LogRing()
        self.market = impl.LogRing(limit, True) if kind == "compiled" else impl.LogRing(limit)
        self.decoder = impl.StreamDecoder(version, market, self.market, self.control, records=False)
        source = getattr(market, "region", self.decoder)
        self.payloads = Payloads(source, self.control.cursor(), self.market.cursor())
        self.listener = Listener()
        self.listener.rig = self
        self.version = version
        self.dispatcher = Dispatcher(self.listener, version)

    def put(self, payload: bytes) -> None:
        self.decoder.receive(frame(payload), 1)

    def put_strings(self, *ids: int, value: str = "x") -> None:
        for reqId in ids:
            self.put(from_gateway("tickString", self.version, reqId=reqId, tickType=45, value=value))

    def drain(self, most: int = 1 << 20) -> int:
        return self.dispatcher.drain(self.payloads, most, None)

    @property
    def ids(self) -> list[int]:
        return [heard[1] for heard in self.listener.heard if heard[0] == "tickString"]


@pytest.fixture(params=[("plain", 176), ("compiled", 176), ("compiled", 225)], ids=str)
def rig(request: pytest.FixtureRequest) -> Rig:
    return Rig(*request.param)


def test_every_payload_once_in_order_over_many_segments(rig: Rig) -> None:
    rig.put_strings(*range(300), value="y" * 10_000)
    assert rig.drain() == 300
    assert rig.ids == list(range(300))
    assert rig.drain() == 0
    assert rig.market.backlog_bytes == 0


def test_what_is_not_plain_goes_the_general_way(rig: Rig) -> None:
    rig.put_strings(1, value="über")
    rig.put(b"\x00\x00\x00\x09" if rig.version == 225 else b"9\x00")  # nextValidId cut short
    rig.put(from_gateway("nextValidId", rig.version, orderId=7))
    rig.put_strings(2)
    assert rig.drain() == 4
    assert [h[0] for h in rig.listener.heard] == ["tickString", "error", "nextValidId", "tickString"]
    assert rig.listener.heard[0][3] == "über"


def test_no_more_than_asked_for(rig: Rig) -> None:
    rig.put_strings(*range(10))
    assert [rig.drain(3), rig.drain(3), rig.drain(30)] == [3, 3, 4]
    assert rig.ids == list(range(10))


def test_after_an_exception_the_next_payload_follows(rig: Rig) -> None:
    rig.put_strings(1, 2, 3)
    rig.listener.fails_at = 2
    with pytest.raises(RuntimeError):
        rig.drain()
    assert rig.drain() == 1
    assert rig.ids == [1, 2, 3]


def test_a_callback_that_drains_too(rig: Rig) -> None:
    rig.put_strings(*range(200), value="z" * 20_000)
    rig.listener.drains_at = 50
    assert rig.drain() == 51  # the callback took the others
    assert rig.ids == list(range(200))
    rig.put_strings(200)
    assert rig.drain() == 1


def test_stop_in_a_callback(rig: Rig) -> None:
    rig.put_strings(1, 2, 3)
    rig.listener.stops_at = 2
    assert rig.drain() == 2
    assert rig.drain() == 1
    assert rig.ids == [1, 2, 3]


def test_a_cursor_closed_in_a_callback(rig: Rig) -> None:
    class Closes(Listener):
        def tickString(self, reqId: int, tickType: int, value: str) -> None:
            super().tickString(reqId, tickType, value)
            self.rig.payloads.market.close()
            self.rig.dispatcher.stop()

    closes = Closes()
    closes.rig = rig
    rig.dispatcher = Dispatcher(closes, rig.version)
    rig.put_strings(1, 2)
    assert rig.drain() == 1
    assert [heard[1] for heard in closes.heard] == [1]


def test_both_rings_come_in_wire_order(rig: Rig) -> None:
    for number in range(1, 500, 2):
        rig.put_strings(number)
        rig.put(from_gateway("nextValidId", rig.version, orderId=number + 1))
    assert rig.drain(101) == 101
    assert rig.payloads.poll(100) != []  # payload by payload in between
    rig.drain()
    assert [heard[1] for heard in rig.listener.heard] == [*range(1, 102), *range(202, 501)]
    assert rig.payloads.lost == 0


def test_what_is_above_the_watermark_waits() -> None:
    rig = Rig("compiled", 176)
    rig.put_strings(1, 2)
    rig.payloads.source.publish(1)  # as if the second were being stored right now
    assert rig.drain() == 1
    rig.payloads.source.publish(2)
    assert rig.drain() == 1
    assert rig.ids == [1, 2]


@pytest.mark.parametrize("version", [176, 225])
def test_who_is_too_slow_loses_market_data_and_nothing_else(version: int) -> None:
    rig = Rig("compiled", version, limit=3 << 20)
    for number in range(2000):
        rig.put_strings(number, value="y" * 10_000)
        if number % 100 == 0:
            rig.put(from_gateway("nextValidId", rig.version, orderId=number))
    rig.drain()
    assert [h[1] for h in rig.listener.heard if h[0] == "nextValidId"] == list(range(0, 2000, 100))
    assert 0 < len(rig.ids) < 400
    assert rig.ids == list(range(2000 - len(rig.ids), 2000))
    assert rig.payloads.lost == 2000 - len(rig.ids)
    assert rig.payloads.next_seq == 2021


def test_polling_counts_what_is_lost_too() -> None:
    rig = Rig("compiled", 176, limit=3 << 20)
    for number in range(1000):
        rig.put_strings(number, value="y" * 10_000)
    found = rig.payloads.poll(10_000)
    assert rig.payloads.lost == 1000 - len(found) > 0
