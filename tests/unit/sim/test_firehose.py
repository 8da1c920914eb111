"""The firehose: what it sends is what a gateway sends, with the time of sending in it, at its rate."""

from __future__ import annotations

import socket
import time
from decimal import Decimal
from typing import Any

import pytest

from ibwire.errors import ConfigError
from ibwire.sim import firehose
from ibwire.sim.server.firehose import FirehoseServer
from ibwire.types import incoming as i
from ibwire.types import outgoing as o
from ibwire.types.structs import Contract
from ibwire.wire.codec import Codec, Role
from ibwire.wire.framing import Framer, frame


@pytest.mark.parametrize("version", [100, 176, 200, 206, 225])
def test_a_block_is_frames_and_its_first_message_carries_the_time(version: int) -> None:
    (block,) = firehose.blocks(version, ["tickPrice", "tickSize"], [7, 8], messages=100, count=1)
    framer, codec = Framer(), Codec(version, Role.CLIENT)
    framer.feed(block.stamp(12_345))
    messages = []
    while (payload := framer.next()) is not None:
        messages.append(codec.decode(payload))
    assert len(messages) == block.messages == 100 and framer.pending_bytes == 0
    assert messages[0].size == Decimal(12_345)
    assert firehose.age_ns(messages[0].size, 12_400) == 55
    assert {type(message) for message in messages} == {i.TickPrice, i.TickSize}
    assert {message.reqId for message in messages} == {7, 8}
    assert firehose.age_ns(float(firehose.STAMP_MODULO - 10), firehose.STAMP_MODULO + 5) == 15


def test_what_cannot_be_sent_is_told() -> None:
    with pytest.raises(ConfigError, match="tickPrice"):
        firehose.blocks(225, ["tickPrise"], [1])
    with pytest.raises(ConfigError, match="rate"):
        FirehoseServer(rate=-1)
    with pytest.raises(ConfigError, match="needs a message"):
        firehose.blocks(225, [], [1])


def read(hose: FirehoseServer, version: int, messages: int) -> list[Any]:
    """Connect, subscribe, and read so many messages after the greeting."""
    codec, framer = Codec(version, Role.CLIENT), Framer()
    found: list[Any] = []
    with socket.create_connection((hose.host, hose.port), 20) as raw:
        raw.sendall(b"API\0" + frame(b"v100..%d" % version))
        contract = Contract(symbol="AAPL", secType="STK", exchange="SMART", currency="USD")
        raw.sendall(frame(codec.encode(o.StartApi(1))) + frame(codec.encode(o.ReqMktData(5, contract))))
        greeted = False
        while len(found) < messages:
            framer.feed(raw.recv(1 << 20))
            while (payload := framer.next()) is not None:
                if greeted:
                    found.append(codec.decode(payload))
                greeted = True
    return found


@pytest.mark.parametrize("version", [176, 225])
def test_a_client_is_greeted_and_flooded(version: int) -> None:
    with FirehoseServer(mix=["tickPrice", "orderStatus", "error"]) as hose:
        found = read(hose, version, 20_000)
    assert [type(message) for message in found[:2]] == [i.ManagedAccounts, i.NextValidId]
    assert {type(message) for message in found[2:]} == {i.TickPrice, i.OrderStatus, i.Error}
    assert hose.sent >= 16_384


def test_a_rate_is_kept_and_strangers_are_hung_up_on() -> None:
    with FirehoseServer(rate=2000) as hose:
        with socket.create_connection((hose.host, hose.port), 20) as stranger:
            stranger.sendall(b"GET / HTTP/1.1\r\n\r\n")
            assert stranger.recv(10) == b""
        begin = time.monotonic()
        ticks: list[Any] = [m for m in read(hose, 225, 600) if isinstance(m, i.TickPrice)]
        took = time.monotonic() - begin
    # Never faster than asked for; how much slower depends on the machine.
    assert len(ticks) / took < 2000 * 1.1
    stamps = [int(m.size) for m in ticks if m.size > 10**6]
    assert stamps == sorted(stamps) and len(stamps) == len(ticks) // 2
