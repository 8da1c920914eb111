"""The programs for usual frames see nothing differently: usual frames, and ones with one thing changed, as the twin."""

from __future__ import annotations

import random
import struct
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from ibwire import _fastdecode
from ibwire.ring import impl, log, market, stream
from ibwire.wire import hot
from ibwire.wire.framing import frame
from tests.property.traffic import broken

RINGS: Any = impl  # the chosen ones: their types are not the twins'
LAST = b"\x00".join((b"199", b"x" * 100, b""))  # of no known id: so that the frames before it are far from the end
RAW_LAST = struct.pack(">I", 199) + b"x" * 100
FIELDS = (
    "0", "1", "9", "10", "42", "255", "256", "32767", "32768", "99999999", "123456789", "2147483646", "2147483647",
    "4294967296", "9223372036854775807", "12345678901234567", "1234567890123456", "-1", "-0", "+5", "", ".", "5.", ".5",
    "-.5", "0.01", "1.1.1", "123.45", "1234.567", "12345.678", "0.123456789012345", "0.1234567890123456", "1/5", "1,5",
    "00000.1", "0000000000000001", "999999999999999.9", "99999999999999.9", "-12.5", "1e5", "1.7976931348623157E308",
    "NaN", "Infinity", "?", "12:4", "1 2", "A", "NASDAQ", "DRCTEDGE", "ABCDEFGHIJ", "ABCDEFGHIJK", "x" * 31, "x" * 32,
    "x" * 70, "a\\u0041b", "caf\u00e9", "\u20ac" * 3, "1234567\\", "12345678\\90", " T I",
)  # fmt: skip


def usual_text(rng: random.Random) -> list[str]:
    """The fields of a usual market message at server version 176."""
    number = rng.choice((1, 2, 12, 13, 45, 46, 50, 94, 99, 99, 99, 99))
    price, size = f"{rng.randrange(5000)}.{rng.randrange(100):02d}", str(rng.randrange(5000))
    head = [str(rng.choice((1, 6))), str(rng.randrange(1, 2000)), str(rng.randrange(12))]
    bodies: dict[int, Callable[[], list[str]]] = {
        1: lambda: [*head, price, size, str(rng.randrange(8))],
        2: lambda: [*head, size],
        12: lambda: [*head, "0", "1", price, size],
        13: lambda: [*head, "ARCA", "1", "0", price, size, "1"],
        45: lambda: [*head, price],
        46: lambda: [*head, "1760000000"],
        50: lambda: [head[0], head[1], "1760000000", price, price, price, price, size, price, "7"],
        94: lambda: [head[1], price, price, price],
        99: lambda: [head[1], *_tick_by_tick(rng, price, size)],
    }
    return [str(number), *bodies[number]()]


def _tick_by_tick(rng: random.Random, price: str, size: str) -> list[str]:
    kind = rng.randrange(1, 5)
    tail = [[price, size, "1", "NYSE", " I"], [price, price, size, size, "2"], [price]][max(kind, 2) - 2]
    return [str(kind), "1760000000", *tail]


def texts(rng: random.Random, count: int) -> Iterator[bytes]:
    """Usual messages, one in two with a field changed, or broken anywhere."""
    for _ in range(count):
        fields = usual_text(rng)
        kind = rng.randrange(4)
        if kind == 0:
            fields[rng.randrange(1, len(fields))] = rng.choice(FIELDS)
        payload = "".join(f + "\0" for f in fields).encode()
        if kind == 1:
            payload = broken(payload, rng) or b"1"
        yield payload


def varint(value: int) -> bytes:
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes((*out, value))


def message(*fields: tuple[int, int | float | bytes]) -> bytes:
    out = b""
    for number, value in fields:
        if isinstance(value, int):
            out += varint(number << 3) + varint(value)
        elif isinstance(value, float):
            out += varint(number << 3 | 1) + struct.pack("<d", value)
        else:
            out += varint(number << 3 | 2) + varint(len(value)) + value
    return out


def usual_proto(rng: random.Random) -> bytes:
    """The payload of a usual market message, one in four with a value changed."""
    odd = rng.randrange(4) == 0

    def whole(usual: int) -> int:
        odd_values = (0, 127, 128, 255, 256, 16384, 32768, 1 << 31, 1 << 40, (1 << 64) - 1, 1 << 63, (1 << 32) + 5)
        return rng.choice(odd_values) if odd and rng.random() < 0.4 else usual

    def size() -> bytes:
        return (rng.choice(FIELDS) if odd and rng.random() < 0.4 else str(rng.randrange(5000))).encode()

    def price() -> float:
        odd_values = (0.0, -1.0, 1.7976931348623157e308, -1.7976931348623157e308, float("nan"), float("inf"), 5e-324)
        return rng.choice(odd_values) if odd and rng.random() < 0.4 else rng.randrange(10**6) / 100

    head = (1, whole(rng.randrange(2000))), (2, whole(rng.randrange(12)))
    attributes = message((1, whole(0)), (2, whole(1)))
    row = message((1, whole(3)), (2, whole(1)), (3, whole(0)), (4, price()), (5, size()), (6, size()), (7, whole(1)))
    bodies = {
        1: message(*head, (3, price()), (4, size()), (5, whole(1))),
        2: message(*head, (3, size())),
        45: message(*head, (3, price())),
        46: message(*head, (3, size())),
        13: message(head[0], (2, row)),
        12: message(head[0], (2, row[: rng.randrange(len(row))] if odd else row)),
        99: message(*head, *_way(rng, whole, price, size, attributes)),
    }
    number = rng.choice(tuple(bodies))
    payload = bodies[number]
    if rng.randrange(4) == 0:
        payload = broken(payload, rng)
    return struct.pack(">I", 200 + number) + payload


def _way(rng: random.Random, whole: Any, price: Any, size: Any, attributes: bytes) -> list[tuple[int, bytes]]:
    ways = [
        (3, message((1, whole(1760000000)), (2, attributes), (3, price()), (4, size()), (5, size()), (6, size()))),
        (4, message((1, whole(1760000000)), (2, attributes), (3, price()), (4, price()), (5, size()), (6, size()))),
        (5, message((1, whole(1760000000)), (2, price()), (3, size()))),
    ]
    return [rng.choice(ways)]


def compiled(version: int, wide: bool, data: bytes) -> Any:
    ticks, orders, control = RINGS.MarketRing(1 << 12), RINGS.LogRing(), RINGS.LogRing()
    cursors = ticks.cursor(), control.cursor()
    twin = RINGS.StreamDecoder(version, ticks, orders, control)._record_of
    made = _fastdecode.StreamDecoder({**hot.tables(version), "wide": wide}, ticks, orders, control, twin)
    made.receive(data, 7)
    return result(cursors, made.stats)


def plain(version: int, data: bytes) -> Any:
    ticks, control = market.MarketRing(1 << 12), log.LogRing()
    cursors = ticks.cursor(), control.cursor()
    made = stream.StreamDecoder(version, ticks, log.LogRing(), control)
    made.receive(data, 7)
    return result(cursors, made.stats)


def result(cursors: Any, stats: dict[str, int]) -> Any:
    records = bytes(cursors[0].poll_bytes(1 << 12))
    entries = []
    while batch := cursors[1].poll():
        entries += [(e.seq, e.kind, e.flags, e.code, bytes(e.header), bytes(e.payload)) for e in batch]
    counted = {k: stats[k] for k in ("messages", "bytes", "bad_frames", "unknown", "extra")}
    return [records[at : at + 64] for at in range(0, len(records), 64)], entries, counted


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("wide", [False, True])
@pytest.mark.parametrize("dialect", ["text", "proto"])
def test_usual_frames_and_nearly_usual_ones(dialect: str, wide: bool, seed: int) -> None:
    rng = random.Random(f"{dialect} {seed}")
    if dialect == "text":
        version, payloads = 176, [*texts(rng, 300), LAST]
    else:
        version, payloads = 225, [*(usual_proto(rng) for _ in range(300)), RAW_LAST]
    data = b"".join(frame(p) for p in payloads)
    assert compiled(version, wide, data) == plain(version, data)


@pytest.mark.parametrize("field", FIELDS)
@pytest.mark.parametrize("wide", [False, True])
def test_every_odd_field_in_every_place(field: str, wide: bool) -> None:
    rng = random.Random(field)
    payloads = []
    for _ in range(40):
        fields = usual_text(rng)
        for at in range(1, len(fields)):
            payloads.append("".join(f + "\0" for f in [*fields[:at], field, *fields[at + 1 :]]).encode())
    data = b"".join(frame(p) for p in [*payloads, LAST])
    assert compiled(176, wide, data) == plain(176, data)


def test_market_messages_have_programs() -> None:
    made = hot.tables(225)
    for dialect in ("text", "proto"):
        for number in (1, 2, 12, 13, 45, 46, 94, 99):
            assert made[dialect][number][3] is not None, (dialect, number)


def test_two_records_across_the_end_of_the_ring() -> None:
    one = b"2\x006\x007\x000\x00100\x00"
    two = b"99\x007\x003\x001760000000\x001.25\x001.26\x00100\x00200\x000\x00"
    for wide in (False, True):
        ticks, orders, control = RINGS.MarketRing(64), RINGS.LogRing(), RINGS.LogRing()
        cursor = ticks.cursor()
        made = _fastdecode.StreamDecoder({**hot.tables(176), "wide": wide}, ticks, orders, control)
        seen = b""
        for _ in range(9):
            made.receive(b"".join(frame(p) for p in (one, *[two] * 8, LAST)), 7)
            seen += bytes(cursor.poll_bytes(64))
        assert cursor.gap == 0
        sequences = [struct.unpack_from("<Q", seen, at)[0] for at in range(0, len(seen), 64)]
        parts = [seen[at + 17] for at in range(0, len(seen), 64)]
        assert parts == [0, *[0, 1] * 8] * 9
        assert sequences == sorted(sequences) and len(set(sequences)) == 9 * 9
