"""Messages made and read by hand: comm, Decoder, Connection, EReader, conditions' fields, sendMsg."""

from __future__ import annotations

import inspect
import queue
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest

from ibwire.compat import comm, utils
from ibwire.compat import order_condition as oc
from ibwire.compat.connection import Connection
from ibwire.compat.const import UNSET_DECIMAL, UNSET_DOUBLE, UNSET_INTEGER
from ibwire.compat.contract import Contract
from ibwire.compat.decoder import Decoder
from ibwire.compat.order import Order
from ibwire.compat.reader import EReader
from ibwire.sim.server import serve
from tests.unit.compat.links import App, FakeLink, Recorder, at_gateway, from_gateway


def test_fields() -> None:
    assert comm.make_field(7) == "7\0" and comm.make_field(True) == "1\0" and comm.make_field("") == "\0"
    assert comm.make_field(1.5) == "1.5\0" and comm.make_field(Decimal("0.10")) == "0.10\0"
    for unset in (UNSET_INTEGER, UNSET_DOUBLE):
        assert comm.make_field_handle_empty(unset) == "\0"
    assert comm.make_field_handle_empty(float("inf")) == "Infinity\0" and comm.make_field_handle_empty(3) == "3\0"
    for make in (comm.make_field, comm.make_field_handle_empty):
        with pytest.raises(ValueError, match="None"):
            make(None)
        with pytest.raises(utils.ClientException) as caught:
            make("é")
        assert caught.value.code == 579


def test_frames() -> None:
    assert comm.make_msg(49, False, "1\0") == b"\0\0\0\x0549\x001\0"
    assert comm.make_msg(49, True, "1\0") == b"\0\0\0\x06\0\0\x00\x311\0"
    assert comm.make_msg("49\x001\0") == comm.make_msg(49, False, "1\0")  # 9.81
    assert comm.make_msg_proto(249, b"\x08\x01") == b"\0\0\0\x06\0\0\0\xf9\x08\x01"
    assert comm.make_initial_msg("v100..225") == b"\0\0\0\x09v100..225"
    assert list(inspect.signature(comm.make_msg).parameters) == ["msgId", "useRawIntMsgId", "text"]
    both = comm.make_initial_msg("ab") + comm.make_initial_msg("")
    assert comm.read_msg(both) == (2, b"ab", b"\0\0\0\0")
    assert comm.read_msg(both[:5]) == (2, "", both[:5]) and comm.read_msg(b"\0\0") == (0, "", b"\0\0")
    assert comm.read_fields(b"1\0\0x\0") == (b"1", b"", b"x") == comm.read_fields("1\0\0x\0")
    assert comm.read_fields(b"") == ()


def test_decode() -> None:
    numbers: list[bytes | str] = [b"7", b"", b"", b"1.5", b"Infinity", b"1", b"", b"2147483647", b"1E+2"]
    fields = iter([*numbers, b"\\u00e9", b"\xe9", "9"])
    got = [utils.decode(int, fields), utils.decode(int, fields), utils.decode(int, fields, True)]
    assert got == [7, 0, UNSET_INTEGER]
    assert [utils.decode(float, fields), utils.decode(float, fields)] == [1.5, float("inf")]
    assert utils.decode(bool, fields) is True
    assert [utils.decode(Decimal, fields) for _ in range(3)] == [UNSET_DECIMAL, UNSET_DECIMAL, 100]
    assert [utils.decode(str, fields, use_unicode=True), utils.decode(str, fields)] == ["é", "é"]
    assert utils.decode(int, fields) == 9
    for bad in (iter([]), iter([b"x"])):
        with pytest.raises(utils.BadMessage):
            utils.decode(int, bad)


def parts(payload: bytes, version: int) -> tuple[int, bytes]:
    if version >= 201:
        return int.from_bytes(payload[:4], "big"), payload[4:]
    number, _, rest = payload.partition(b"\0")
    return int(number), rest


@pytest.mark.parametrize("version", [150, 204])
def test_a_decoder_takes_fields_in_both_forms(version: int) -> None:
    wrapper = Recorder()
    decoder = Decoder(wrapper, version)
    msgId, body = parts(from_gateway("nextValidId", version, orderId=8), version)
    decoder.interpret(comm.read_fields(body), msgId)
    decoder.interpret((str(msgId).encode(), *comm.read_fields(body)))
    decoder.interpret([])
    decoder.interpret([b"1"], 0)
    assert wrapper.heard == [("nextValidId", (8,))] * 2


def test_a_decoder_takes_protobuf_and_a_version_later() -> None:
    wrapper = Recorder()
    decoder = Decoder(wrapper, None)
    decoder.serverVersion = 225
    msgId, body = parts(from_gateway("nextValidId", 225, orderId=8), 225)
    assert decoder.serverVersion == 225
    decoder.processProtoBuf(body, msgId - 200)
    decoder.processProtoBuf(body, 0)
    assert wrapper.heard == [("nextValidId", (8,))]


def test_a_decoder_reports_and_raises() -> None:
    wrapper = Recorder()
    decoder = Decoder(wrapper, 150)
    with pytest.raises(utils.BadMessage):
        decoder.interpret([b"1", b"four"], 9)
    with pytest.raises(utils.BadMessage):
        decoder.interpret([b"1"], 9)
    decoder.interpret([b"1"], 4711)
    assert wrapper.codes() == [(-1, 508), (-1, 508), (-1, 505)]


CONDITIONS = [
    (oc.PriceCondition(2, 265598, "SMART", True, 187.5), ["a", "1", "187.5", "265598", "SMART", "2"]),
    (oc.TimeCondition(False, "20260102 09:30:00 UTC"), ["a", "0", "20260102 09:30:00 UTC"]),
    (oc.MarginCondition(True, 30.0), ["a", "1", "30.0"]),
    (oc.ExecutionCondition("STK", "SMART", "AAPL"), ["a", "STK", "SMART", "AAPL"]),
    (oc.VolumeCondition(265598, "SMART", True, 1000), ["a", "1", "1000", "265598", "SMART"]),
    (oc.PercentChangeCondition(265598, "SMART", True, 2.5), ["a", "1", "2.5", "265598", "SMART"]),
]


@pytest.mark.parametrize(("condition", "fields"), CONDITIONS)
def test_a_condition_s_fields_are_those_of_an_order(condition: oc.OrderCondition, fields: list[str]) -> None:
    assert condition.make_fields() == [f"{field}\0" for field in fields]
    assert condition.condType is not None
    again = oc.Create(condition.condType)
    assert again is not None
    again.decode(iter(field.encode() for field in fields))
    assert vars(again) == vars(condition)
    app = App(FakeLink(150)).connected()
    order = Order()
    order.totalQuantity, order.conditions = Decimal(1), [condition]
    app.placeOrder(1, Contract(), order)
    assert "".join([f"{condition.condType}\0", *condition.make_fields()]).encode() in app.link.sent[0]


@pytest.mark.parametrize("version", [150, 225])
def test_messages_by_hand_are_sent(version: int) -> None:
    app = App(FakeLink(version)).connected()
    app.sendMsg(49, comm.make_field(1))
    if version < 201:
        app.sendMsg("49\x001\0")  # 9.81
        assert app.conn is not None and app.conn.sendMsg(comm.make_msg(49, False, "1\0")) == 9
    else:
        app.sendMsgProtoBuf(249, b"")
        assert app.conn is not None and app.conn.sendMsg(comm.make_msg_proto(249, b"")) == 8
    assert {type(at_gateway(payload, version)).__name__ for payload in app.link.sent} == {"ReqCurrentTime"}
    with pytest.raises(ValueError, match="whole frame"):
        app.conn.sendMsg(comm.make_initial_msg("ab") + b"\0\0\0\x09")
    count = len(app.link.sent)
    assert app.conn.isConnected() and app.conn.recvMsg() == b"" and app.conn.host == "127.0.0.1"
    app.conn.disconnect()
    assert not app.isConnected() and app.conn.sendMsg(comm.make_initial_msg("ab")) == 0
    app.sendMsg(49, "1\0")
    assert app.codes() == [(-1, 504)] and len(app.link.sent) == count


@pytest.fixture
def port() -> Iterator[int]:
    with serve(server_version=176) as server:
        yield server.port


def test_a_bare_connection_shakes_hands_and_reads(port: int) -> None:
    wrapper = Recorder()
    conn = Connection("127.0.0.1", port)
    conn.wrapper = wrapper
    assert not conn.isConnected() and conn.sendMsg(b"x") == 0 and conn.recvMsg() == b""
    conn.connect()
    assert conn.isConnected()
    conn.sendMsg(b"API\0" + comm.make_initial_msg("v100..176"))
    buf = b""
    while comm.read_msg(buf)[1] == "":
        buf += conn.recvMsg()
    _, hello, rest = comm.read_msg(buf)
    assert comm.read_fields(hello)[0] == b"176" and rest == b""
    got: queue.Queue[bytes] = queue.Queue()
    reader = EReader(conn, got)
    reader.start()
    conn.sendMsg(comm.make_msg(71, False, "2\x005\0\0"))
    seen = [got.get(timeout=10) for _ in range(2)]
    assert {payload.split(b"\0")[0] for payload in seen} == {b"9", b"15"}
    conn.disconnect()
    conn.disconnect()
    assert wrapper.names() == ["connectionClosed"]


def test_a_connection_that_cannot_be_made_is_told() -> None:
    with serve() as server:
        port = server.port
    wrapper: Any = Recorder()
    conn = Connection("127.0.0.1", port)
    conn.wrapper = wrapper
    conn.connect()
    assert wrapper.codes() == [(-1, 502)] and not conn.isConnected()
