"""What no gateway sends, and what the compiled stream decoder once did otherwise than its twin; each by name."""

from __future__ import annotations

import struct
from typing import Any

import pytest

from ibwire.errors import ConsumerTooSlow, ProtocolError, RequestError
from ibwire.ring import impl
from ibwire.spec.records import FLAG_EXTRA, FLAG_LONG_NUMBER, FLAG_LONG_TEXT, FLAG_UNDECODABLE, FLAG_UNSET
from ibwire.spec.registry import INCOMING
from ibwire.types import incoming as m
from ibwire.types import structs as s
from ibwire.wire import varint as varint_codec
from ibwire.wire.codec import Codec, Role
from ibwire.wire.framing import frame
from ibwire.wire.plan import FREE_ELEMENTS, OpCode, interesting_versions, text_plan
from tests.fuzz.targets import COMPILED, PLAIN, run_stream

TICK_PRICE, TICK_SIZE, TICK_STRING, BY_TICK, PNL = 201, 202, 246, 299, 294
FLAGS_AT, KEY_AT, BODY_AT = 18, 24, 32


def double(number: int, value: float) -> bytes:
    return bytes((number << 3 | 1,)) + struct.pack("<d", value)


def varint(number: int, value: int) -> bytes:
    return bytes((number << 3, value))


def lengthed(number: int, value: bytes) -> bytes:
    return bytes((number << 3 | 2, len(value))) + value


def proto(wire_id: int, *fields: bytes) -> bytes:
    return wire_id.to_bytes(4, "big") + b"".join(fields)


def records(version: int, payload: bytes) -> bytes:
    """The records of a payload, which both decoders make alike; all else that they did is alike too."""
    plain, compiled = (run_stream(rings, version, [frame(payload)]) for rings in (PLAIN, COMPILED))
    assert compiled == plain
    return bytes(plain[0])


def flags(record: bytes) -> int:
    return int(struct.unpack_from("<H", record, FLAGS_AT)[0])


def number(record: bytes, at: int = BODY_AT) -> float:
    return float(struct.unpack_from("<d", record, at)[0])


# ------------------------------------------------------------------------------------------------ numbers


@pytest.mark.parametrize("digits", ["1e400", "-1e400", "9" * 320, "17976931348623159" + "0" * 292])
def test_a_number_beyond_a_double_is_infinite(digits: str) -> None:
    record = records(176, b"45\x006\x009\x0045\x00" + digits.encode() + b"\0")
    assert number(record) == float(digits)
    assert flags(record) == 0


def test_a_size_beyond_a_double_is_in_the_control_ring_too() -> None:
    record = records(176, b"2\x006\x009\x000\x001e400\x00")
    assert number(record, BODY_AT + 8) == float("inf")
    assert flags(record) == FLAG_LONG_NUMBER


@pytest.mark.parametrize("size", ["0.1234567890123456", "1234567890123456", "1e-130"])
def test_long_decimals_without_a_place_for_their_digits(size: str) -> None:
    payload = b"50\x003\x009\x001700000000\x001\x001\x001\x001\x00" + size.encode() + b"\x001\x005\x00"
    assert flags(records(176, payload)) == FLAG_LONG_NUMBER


@pytest.mark.parametrize("word", ["NaN", "nan"])
def test_nan_is_not_set(word: str) -> None:
    assert flags(records(176, b"45\x006\x009\x0045\x00" + word.encode() + b"\0")) == FLAG_UNSET


def test_the_lowest_integer_is_what_stands_for_none() -> None:
    lowest = str(-(1 << 63)).encode()
    assert flags(records(176, b"45\x006\x00" + lowest + b"\x0045\x001.5\x00")) & FLAG_LONG_NUMBER
    assert flags(records(176, b"94\x00" + lowest + b"\x001\x002\x003\x00")) & FLAG_LONG_NUMBER


@pytest.mark.parametrize("mask", [b"255", b"-1", b"9223372036854775807", b"2147483648"])
def test_bits_that_the_row_does_not_know_are_not_kept(mask: bytes) -> None:
    record = records(176, b"1\x006\x009\x001\x00187.43\x00300\x00" + mask + b"\0")
    found = Codec(176, Role.CLIENT).decode(b"1\x006\x009\x001\x00187.43\x00300\x00" + mask + b"\0").attrib
    kept = (found.canAutoExecute, found.pastLimit, found.preOpen)
    assert struct.unpack_from("<i", record, BODY_AT + 16)[0] == sum(1 << i for i, bit in enumerate(kept) if bit)
    assert flags(record) == 0


# ------------------------------------------------------------------------------------------------ twice, out of order


def test_the_last_of_two_counts_with_its_flags() -> None:
    head = (varint(1, 9), varint(2, 0))
    long = lengthed(3, b"1234567890123456789")
    assert flags(records(225, proto(TICK_SIZE, *head, long))) == FLAG_LONG_NUMBER
    again = records(225, proto(TICK_SIZE, *head, long, lengthed(3, b"5")))
    assert (number(again, BODY_AT + 8), flags(again)) == (5.0, 0)
    assert flags(records(225, proto(TICK_SIZE, *head, lengthed(3, b""), lengthed(3, b"5")))) == 0
    assert flags(records(225, proto(TICK_SIZE, *head, lengthed(3, b"5"), lengthed(3, b"")))) == FLAG_UNSET


def test_a_short_text_after_a_long_one() -> None:
    head = (varint(1, 9), varint(2, 45))
    record = records(225, proto(TICK_STRING, *head, lengthed(3, b"x" * 40), lengthed(3, b"yes")))
    assert flags(record) & FLAG_LONG_TEXT == 0
    assert record[BODY_AT + 1 :].rstrip(b"\0") == b"yes"


def test_fields_out_of_order() -> None:
    straight = records(225, proto(PNL, varint(1, 9), double(2, 1.5), double(3, 2.5), double(4, 3.5)))
    assert records(225, proto(PNL, double(4, 3.5), double(3, 2.5), double(2, 1.5), varint(1, 9))) == straight


def test_a_broken_field_after_one_that_came_twice() -> None:
    payload = proto(TICK_SIZE, varint(1, 9), varint(1, 8), b"\x1a\x7f")
    plain, compiled = (run_stream(rings, 225, [frame(payload)]) for rings in (PLAIN, COMPILED))
    assert compiled == plain
    assert plain[2][0][3] == FLAG_UNDECODABLE


# ------------------------------------------------------------------------------------------------ optional structs

LAST, BID_ASK, MID = 3, 4, 5


@pytest.mark.parametrize("struct_number", [LAST, BID_ASK, MID])
def test_an_optional_struct_without_fields_has_their_defaults(struct_number: int) -> None:
    record = records(225, proto(BY_TICK, varint(1, 9), varint(2, 1), lengthed(struct_number, b"")))
    assert struct.unpack_from("<q", record, BODY_AT)[0] == 0
    assert number(record, BODY_AT + 8) == 0.0


def test_no_optional_struct_leaves_its_places_unset() -> None:
    record = records(225, proto(BY_TICK, varint(1, 9), varint(2, 1)))
    assert number(record, BODY_AT + 8) != number(record, BODY_AT + 8)
    assert flags(record) == 0


@pytest.mark.parametrize("order", [(LAST, BID_ASK), (BID_ASK, LAST), (MID, LAST), (LAST, LAST), (BID_ASK, MID, LAST)])
def test_two_optional_structs_at_once(order: tuple[int, ...]) -> None:
    structs = [lengthed(n, varint(1, n) + double(2 if n == MID else 3, n + 0.5)) for n in order]
    record = records(225, proto(BY_TICK, varint(1, 9), varint(2, 1), *structs))
    assert number(record, BODY_AT + 8) == min(order) + 0.5


# ------------------------------------------------------------------------------------------------ NUL, and more


@pytest.mark.parametrize("surplus", [b"\0", b"\0\0\0\0", b"x", b"more\0"])
def test_nul_after_the_last_field_is_surplus(surplus: bytes) -> None:
    assert flags(records(176, b"45\x006\x009\x0045\x001.5\x00" + surplus)) == FLAG_EXTRA


@pytest.mark.parametrize("payload", [b"\0" * 8, b"45", b"45\0", b"45\x006\x009\x0045\x001.5", b"45\x00\0\0\0"])
def test_nul_where_fields_begin_and_end(payload: bytes) -> None:
    plain, compiled = (run_stream(rings, 176, [frame(payload)]) for rings in (PLAIN, COMPILED))
    assert compiled == plain
    assert plain[3]["messages"] == 1


def test_nul_in_a_text_of_protobuf_stays_and_text_cannot_carry_it() -> None:
    message = Codec(225, Role.CLIENT).decode(proto(TICK_STRING, varint(1, 9), varint(2, 45), lengthed(3, b"a\0b")))
    assert message.value == "a\0b"
    assert records(225, proto(TICK_STRING, varint(1, 9), varint(2, 45), lengthed(3, b"a\0b")))
    with pytest.raises(RequestError, match="NUL"):
        Codec(152, Role.GATEWAY).encode(message)
    escaped = Codec(176, Role.GATEWAY).encode(message)
    assert Codec(176, Role.CLIENT).decode(escaped).value == "a\0b"


def test_every_list_element_takes_bytes() -> None:
    """So that a repeat count, which is checked against the bytes left, bounds what a frame can make."""

    def empty(ops: Any) -> list[str]:
        found: list[str] = []
        for op in ops:
            if op.code is OpCode.REPEAT and all(o.code in (OpCode.WHEN, OpCode.PRESENT) for o in op.sub.ops):
                found.append(op.name)
            found += empty(op.body) + (empty(op.sub.ops) if op.sub is not None else [])
        return found

    for row in INCOMING.values():
        for version in interesting_versions(row) if row.text is not None else ():
            assert empty(text_plan(row, version).text) == [], row.name


def many(count: int) -> bytes:
    """A frame of empty scanner elements."""
    return proto(220, varint(1, 9)) + b"\x12\x00" * count


def test_empty_elements_cannot_fill_memory() -> None:
    assert len(Codec(225, Role.CLIENT).decode(many(FREE_ELEMENTS)).elements) == FREE_ELEMENTS
    with pytest.raises(ProtocolError, match=r"more than .* list elements") as caught:
        Codec(225, Role.CLIENT).decode(many(FREE_ELEMENTS + FREE_ELEMENTS // 8))
    assert (caught.value.message_name, caught.value.offset > FREE_ELEMENTS) == ("scannerData", True)


def test_empty_elements_of_text_cannot_fill_memory() -> None:
    count = FREE_ELEMENTS + FREE_ELEMENTS // 8
    payload = b"75\x009\x00SMART\x001\x00AAPL\x00100\x00" + b"%d\x00" % count + b"\x00" * count + b"0\x00"
    with pytest.raises(ProtocolError, match=r"more than .* list elements"):
        Codec(176, Role.CLIENT).decode(payload)


@pytest.mark.parametrize("more", [0, 9000])
def test_empty_elements_of_an_order_message(more: int) -> None:
    conditions = b"\xa2\x06\x00" * (FREE_ELEMENTS + more)
    length = bytearray()
    varint_codec.write(len(conditions), length)
    payload = proto(205, varint(1, 7), b"\x1a" + length + conditions)
    plain, compiled = (run_stream(rings, 225, [frame(payload)]) for rings in (PLAIN, COMPILED))
    assert compiled == plain
    assert plain[3]["bad_frames"] == (more > 0)


def test_the_last_value_of_a_key_counts() -> None:
    pairs = [(b"a", b"1"), (b"b", b"2"), (b"a", b"3"), (b"c", b"4"), (b"b", b"5")]
    params = b"".join(b"\xf2\x03" + bytes((6,)) + lengthed(1, k) + lengthed(2, v) for k, v in pairs)
    payload = proto(205, varint(1, 7), lengthed(3, params))
    found = Codec(225, Role.CLIENT).decode(payload).order.algoParams
    assert [(p.tag, p.value) for p in found] == [("a", "3"), ("b", "5"), ("c", "4")]
    assert records(225, payload) == b""


def test_as_many_keys_as_there_may_be() -> None:
    """Linear: with a search per key a frame of them would keep its reader busy for hours."""
    pairs = b"".join(b"\xf2\x03" + bytes((7,)) + lengthed(1, b"%05d" % i) for i in range(FREE_ELEMENTS))
    length = bytearray()
    varint_codec.write(len(pairs), length)
    payload = proto(205, varint(1, 7), b"\x1a" + length + pairs)
    assert len(Codec(225, Role.CLIENT).decode(payload).order.algoParams) == FREE_ELEMENTS


def test_an_error_in_a_list_of_plain_values_names_the_list() -> None:
    plans = [text_plan(row, 176) for row in INCOMING.values() if row.text is not None]
    lists = [op for plan in plans for op in plan.text if op.sub is not None and op.sub.shape is None and op.sub.ops]
    assert lists
    for repeat in lists:
        assert repeat.sub is not None
        assert [op.name for op in repeat.sub.ops] == [repeat.name]


def test_the_watermark_stops_before_what_a_full_ring_refused() -> None:
    market, orders, control = impl.MarketRing(64), impl.LogRing(4096), impl.LogRing(4096)
    cursor = orders.cursor()
    decoder = impl.StreamDecoder(176, market, orders, control)
    message = Codec(176, Role.GATEWAY).encode(m.Error(id=1, errorCode=200, errorMsg="x" * 1000))
    with pytest.raises(ConsumerTooSlow):
        decoder.receive(frame(message) * 20, 1)
    entries = cursor.poll()
    assert decoder.watermark == len(entries) == entries[-1].seq
    assert decoder.stats["messages"] == len(entries)


def test_both_records_of_a_message_come_at_once() -> None:
    market, orders, control = impl.MarketRing(64), impl.LogRing(), impl.LogRing()
    cursor = market.cursor()
    decoder = impl.StreamDecoder(225, market, orders, control)
    quote = s.HistoricalTickBidAsk(1700000001, s.TickAttribBidAsk(), 1.5, 2.5)
    data = frame(Codec(225, Role.GATEWAY).encode(m.TickByTick(2, 3, bidAsk=quote)))
    for _ in range(100):
        decoder.receive(data, 1)
        assert cursor.poll()["part"].tolist() == [0, 1]
