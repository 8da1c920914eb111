"""Hostile bytes by name, through the codec and through both stream decoders."""

from __future__ import annotations

from typing import Any

import pytest

from ibwire.errors import ProtocolError
from ibwire.ring import impl, log, market, stream
from ibwire.spec.records import FLAG_EXTRA, FLAG_UNDECODABLE
from ibwire.wire.codec import Codec, Role, UnknownMessage
from ibwire.wire.framing import MAX_PAYLOAD_BYTES, frame

RINGS = {
    "plain": (market.MarketRing, log.LogRing, stream.StreamDecoder),
    "compiled": (impl.MarketRing, impl.LogRing, impl.StreamDecoder),
}
GOOD = b"1\x006\x009\x001\x00187.43\x00300\x001\x00"
STATUS = b"3\x007\x00Submitted\x000\x00100\x000.0\x00904117\x000\x000.0\x001\x00\x000.0\x00"


class Stream:
    """Rings and a decoder of one implementation."""

    def __init__(self, name: str, sv: int) -> None:
        assert name == "plain" or impl.NAME == "compiled"
        ring, logs, decoder = RINGS[name]
        self.market, self.orders, self.control = ring(1024), logs(), logs()
        self.records, self.order_entries = self.market.cursor(), self.orders.cursor()
        self.entries = self.control.cursor()
        self.decoder: Any = decoder(sv, self.market, self.orders, self.control)

    def feed(self, *payloads: bytes) -> int:
        return int(self.decoder.receive(b"".join(frame(p) for p in payloads), 1))


@pytest.fixture(params=sorted(RINGS))
def text(request: pytest.FixtureRequest) -> Stream:
    """A stream at a version without protobuf."""
    return Stream(request.param, 176)


@pytest.fixture(params=sorted(RINGS))
def proto(request: pytest.FixtureRequest) -> Stream:
    """A stream at the newest version."""
    return Stream(request.param, 225)


def refused(payload: bytes, sv: int = 176) -> ProtocolError:
    """The error that the codec gives for a payload."""
    with pytest.raises(ProtocolError) as caught:
        Codec(sv, Role.CLIENT).decode(payload)
    return caught.value


def bad_frame(s: Stream, payload: bytes, *, order: bool = False) -> None:
    """The stream reports the payload as undecodable and goes on with the next frame."""
    good = GOOD if s.decoder.server_version < 201 else _proto_tick()
    assert s.feed(good, payload, good) == 3
    assert len(s.records.poll_bytes()) == 128
    (entry,) = s.entries.poll()
    assert entry.flags & FLAG_UNDECODABLE and bytes(entry.payload) == payload and entry.seq == 2
    assert s.decoder.stats["bad_frames"] == 1
    orders = s.order_entries.poll()
    assert len(orders) == (1 if order else 0)
    if order:
        assert orders[0].flags & FLAG_UNDECODABLE and bytes(orders[0].payload) == payload and orders[0].seq == 2
    assert s.decoder.explain(payload)


def _proto_tick() -> bytes:
    return (201).to_bytes(4, "big") + b"\x08\x09\x10\x01\x19" + b"\0" * 8 + b"\x22\x03300\x28\x01"


# ------------------------------------------------------------------------------------------------ framing


@pytest.mark.parametrize("length", [0, MAX_PAYLOAD_BYTES + 1, 0xFFFFFFFF])
def test_a_length_that_cannot_be_ends_the_stream_with_the_reason(text: Stream, length: int) -> None:
    with pytest.raises(ProtocolError) as caught:
        text.decoder.receive(frame(GOOD) + length.to_bytes(4, "big") + b"rest", 1)
    assert "framing is lost" in str(caught.value) and caught.value.excerpt
    assert len(text.records.poll_bytes()) == 64, "what came before is delivered"
    with pytest.raises(ProtocolError):
        text.decoder.receive(frame(GOOD), 1)


def test_the_longest_frame_is_taken(text: Stream) -> None:
    payload = b"46\x006\x009\x0045\x00" + b"x" * (MAX_PAYLOAD_BYTES - 11) + b"\0"
    assert len(payload) <= MAX_PAYLOAD_BYTES
    assert text.feed(payload) == 1
    (entry,) = text.entries.poll()
    assert len(entry.payload) == len(payload)


def test_a_truncated_frame_waits_and_is_counted_as_pending(text: Stream) -> None:
    data = frame(GOOD)
    assert text.decoder.receive(data[:-1], 1) == 0
    assert text.decoder.pending_bytes == len(data) - 1
    assert text.decoder.receive(data[-1:], 1) == 1


@pytest.mark.parametrize(
    ("head", "what"),
    [(b"HTTP/1.1 400 Bad Request\r\n\r\n", "HTTP"), (b"\x15\x03\x03\x00\x02\x02\x28", "TLS"), (b"\x16\x03\x01", "TLS")],
)
def test_another_kind_of_server(text: Stream, head: bytes, what: str) -> None:
    with pytest.raises(ProtocolError) as caught:
        text.decoder.receive(head + b"\0" * 8, 1)
    assert "not a TWS socket" in str(caught.value) and what in str(caught.value)


# ------------------------------------------------------------------------------------------------ ids


def test_an_unknown_id_is_an_event(text: Stream) -> None:
    payload = b"177\x001\x00x\x00"
    assert Codec(176, Role.CLIENT).decode(payload) == UnknownMessage(177, payload)
    assert text.feed(GOOD, payload, GOOD) == 3
    (entry,) = text.entries.poll()
    assert (entry.kind, entry.flags, entry.code) == (0, 0, 177)
    assert text.decoder.stats["unknown"] == 1 and text.decoder.stats["bad_frames"] == 0


@pytest.mark.parametrize("wire_id", [0, 199, 200, 399, 455, 456, 100_000, 0xFFFFFFFF])
def test_an_unknown_raw_id_is_an_event(proto: Stream, wire_id: int) -> None:
    payload = wire_id.to_bytes(4, "big") + b"\x08\x01"
    assert isinstance(Codec(225, Role.CLIENT).decode(payload), UnknownMessage)
    assert proto.feed(payload) == 1
    (entry,) = proto.entries.poll()
    assert entry.kind == 0 and not entry.flags


@pytest.mark.parametrize("payload", [b"\0", b"x\0", b"-1\0", b"1", b"99999999999\x00", b"\xff\xfe"])
def test_no_message_id(text: Stream, payload: bytes) -> None:
    assert refused(payload).field == "id"
    bad_frame(text, payload)


def test_less_than_a_raw_id(proto: Stream) -> None:
    assert refused(b"\0\0\1", 225).field == "id"
    bad_frame(proto, b"\0\0\1")


# ------------------------------------------------------------------------------------------------ text


@pytest.mark.parametrize(
    ("payload", "field", "offset"),
    [
        (b"1\x006\x009\x001\x00", "price", 8),
        (b"1\x006\x009\x001\x00187.43\x00300\x001", "attrMask", 19),
        (b"1\x006\x00nine\x001\x00187.43\x00300\x001\x00", "reqId", 4),
        (b"1\x006\x009\x001\x00187.4.3\x00300\x001\x00", "price", 8),
        (b"1\x006\x009\x001\x00187,43\x00300\x001\x00", "price", 8),
        (b"1\x006\x00 9\x001\x00187.43\x00300\x001\x00", "reqId", 4),
        (b"1\x006\x001_0\x001\x00187.43\x00300\x001\x00", "reqId", 4),
        (b"1\x006\x009223372036854775808\x001\x00187.43\x00300\x001\x00", "reqId", 4),
        (b"1\x006\x009\x001\x001e\x00300\x001\x00", "price", 8),
        (b"1\x006\x009\x001\x00187.43\x00NaN\x001\x00", "size", 15),
        (b"1\x006\x009\x001\x00" + b"1" * 600 + b"\x00300\x001\x00", "price", 8),
        (b"1\x006\x009\x001\x00187.\xe943\x00300\x001\x00", "price", 8),
    ],
    ids=[
        *("missing", "without end", "word", "two points", "comma", "space", "underscore", "overflow", "exponent"),
        *("NaN size", "600 digits", "Latin-1"),
    ],
)
def test_broken_fields(text: Stream, payload: bytes, field: str, offset: int) -> None:
    error = refused(payload)
    assert (error.message_name, error.field, error.offset) == ("tickPrice", field, offset)
    assert error.excerpt and "tickPrice" in str(error) and field in str(error)
    bad_frame(text, payload)


def test_extra_fields_are_accepted_flagged_and_counted(text: Stream) -> None:
    payload = GOOD + b"more\x00and more\x00"
    codec = Codec(176, Role.CLIENT)
    assert codec.decode(payload).price == 187.43
    assert codec.counts["extra_bytes"] == 14
    assert text.feed(payload) == 1
    record = text.records.poll()[0]
    assert record["flags"] & FLAG_EXTRA and text.decoder.stats["extra"] == 1


def test_empty_fields_are_values(text: Stream) -> None:
    message = Codec(176, Role.CLIENT).decode(b"1\x006\x00\x00\x00\x00\x00\x00")
    assert (message.reqId, message.price, message.size) == (0, None, None)
    assert text.feed(b"1\x006\x00\x00\x00\x00\x00\x00") == 1
    assert len(text.records.poll_bytes()) == 64


@pytest.mark.parametrize("count", [b"-1", b"5", b"2147483647", b"9223372036854775807"])
def test_a_repeat_count_beyond_the_frame_or_negative(text: Stream, count: bytes) -> None:
    payload = b"96\x009\x00" + count + b"\x00"
    error = refused(payload)
    assert (error.message_name, error.field) == ("historicalTicks", "ticks") and "count" in str(error)
    assert text.feed(GOOD, payload) == 2
    assert not text.entries.poll()[0].flags, "a cold message goes raw to the control ring; its reader decodes it"


def test_latin_1_text_is_read(text: Stream) -> None:
    payload = b"4\x002\x00-1\x002104\x00Verbindung mit M\xe4rkten\x00\x00"
    assert Codec(176, Role.CLIENT).decode(payload).errorMsg == "Verbindung mit Märkten"
    assert text.feed(payload) == 1
    assert bytes(text.order_entries.poll()[0].payload) == payload


def test_a_broken_order_message_reaches_the_order_ring_too(text: Stream) -> None:
    payload = STATUS.replace(b"904117", b"9x4117")
    assert Codec(176, Role.CLIENT).decode(STATUS).permId == 904117
    assert refused(payload).field == "permId"
    bad_frame(text, payload, order=True)


# ------------------------------------------------------------------------------------------------ protobuf

TICK = (201).to_bytes(4, "big")


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        (b"\x08" + b"\xff" * 11, "more than 10 bytes"),
        (b"\x08" + b"\xff" * 9 + b"\x7f", "beyond 64 bits"),
        (b"\x08\xff", "cut off"),
        (b"\x08", "cut off"),
        (b"\xff", "cut off"),
        (b"\x19\0\0\0", "cut off"),
        (b"\x22\x0a123", "length of 10"),
        (b"\x22" + b"\xff" * 9 + b"\x01" + b"1", "a length of"),
        (b"\x09" + b"\0" * 8, "wire type 1"),
        (b"\x22\x01x", "decimal"),
        (b"\x00\x01", "field number 0"),
        (b"\x63\x64", "wire type 3"),
        (b"\x66", "wire type 6"),
        (b"\x12\x02hi", "wire type 2"),
    ],
    ids=lambda v: v.hex()[:24] if isinstance(v, bytes) else v,
)
def test_broken_protobuf(proto: Stream, body: bytes, problem: str) -> None:
    error = refused(TICK + body, 225)
    assert error.message_name == "tickPrice" and problem in str(error) and error.offset >= 4 and error.excerpt
    bad_frame(proto, TICK + body)


def test_text_that_is_not_utf_8_in_protobuf(proto: Stream) -> None:
    payload = (246).to_bytes(4, "big") + b"\x08\x09\x10\x2d\x1a\x02\xe4x"
    assert "UTF-8" in str(refused(payload, 225))
    bad_frame(proto, payload)


def test_unknown_protobuf_fields_are_skipped_flagged_and_counted(proto: Stream) -> None:
    payload = _proto_tick() + b"\xa0\x06\x01" + b"\xaa\x06\x03abc" + b"\xb1\x06" + b"\0" * 8 + b"\xbd\x06" + b"\0" * 4
    codec = Codec(225, Role.CLIENT)
    assert codec.decode(payload).reqId == 9
    assert codec.counts["unknown_fields"] == 4
    assert proto.feed(payload) == 1
    assert proto.records.poll()[0]["flags"] & FLAG_EXTRA


def test_endless_nesting_ends_where_the_plan_ends(proto: Stream) -> None:
    inner = b""
    for _ in range(2000):  # a submessage in an unknown field in a submessage ...
        size = len(inner)
        head = bytearray()
        while size > 0x7F:
            head.append(size & 0x7F | 0x80)
            size >>= 7
        head.append(size)
        inner = b"\x12" + bytes(head) + inner
    payload = (205).to_bytes(4, "big") + inner
    try:
        Codec(225, Role.CLIENT).decode(payload)
    except ProtocolError as error:
        assert error.message_name == "openOrder"
    assert proto.feed(payload) == 1


def test_a_broken_protobuf_order_message_reaches_the_order_ring_too(proto: Stream) -> None:
    bad_frame(proto, (203).to_bytes(4, "big") + b"\x08\x07\x12\x09Subm", order=True)
