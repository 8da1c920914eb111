"""What the fuzzers feed: inputs of one byte string each, seeds from every row, and mutations that keep the shape.

An input is a byte for the server version, a byte of options, then payloads, each after its length in two bytes
(``pack`` and ``unpack``), so that a mutated input still has sound framing. Everything is a function of these bytes: a
failure is repeated from them alone.
"""

from __future__ import annotations

import random
from collections.abc import Iterator

from ibwire.errors import IbwireError
from ibwire.spec.model import Direction
from ibwire.spec.registry import INCOMING, OUTGOING
from ibwire.wire.codec import Codec, Role
from ibwire.wire.plan import Dialect, interesting_versions
from tests.gen import Generator

VERSIONS = sorted({v for rows in (INCOMING, OUTGOING) for row in rows.values() for v in interesting_versions(row)})
MAX_INPUT_BYTES = 1 << 16

NUMBERS = (
    *(b"", b"-1", b"0", b"1", b"2", b"?", b"+5", b".5", b"5.", b"-", b".", b"1e", b"x", b"1_0", b" 1", b"0x10"),
    *(b"2147483647", b"2147483648", b"9223372036854775807", b"9223372036854775808", b"-9223372036854775808"),
    *(b"1.7976931348623157E308", b"1.7976931348623157e308", b"NaN", b"inf", b"-Infinity", b"1e400", b"1E-400"),
    *(b"4.9e-324", b"2.2250738585072011e-308", b"9007199254740993", b"0.30000000000000004", b"1e22", b"1e23"),
    *(b"170141183460469231731687303715884105727", b"1234567890123456789012", b"1e1234567", b"1" * 600),
    *(b"000000000000001", b"65535", b"5000000000", b"0." + b"0" * 130, b"A" * 70),
    *(b"\xe9", b"\xc3\xa9", b"1\\u00e9", b"\\", b"\\x00", b"\\ud83d\\ude00"),
)
PIECES = (
    *(b"\0", b"\0\0", b"\xff" * 11, b"\x80" * 9 + b"\x01", b"\xff" * 9 + b"\x7f"),
    *(b"\x0a\x00", b"\x12\x7f", b"\x0b", b"\x00"),
)
BYTES = (0, 1, 2, 0x2D, 0x39, 0x7F, 0x80, 0xFF)


def pack(version: int, options: int, payloads: list[bytes]) -> bytes:
    """The input of these payloads at a server version of :data:`VERSIONS`."""
    out = bytearray((VERSIONS.index(version), options))
    for payload in payloads:
        out += min(len(payload), 0xFFFF).to_bytes(2, "big") + payload[:0xFFFF]
    return bytes(out)


def unpack(data: bytes) -> tuple[int, int, list[bytes]]:
    """(server version, options, payloads) of any bytes; empty payloads are left out."""
    version = VERSIONS[data[0] % len(VERSIONS)] if data else VERSIONS[0]
    options = data[1] if len(data) > 1 else 0
    payloads, at = [], 2
    while at + 2 < len(data):
        size = int.from_bytes(data[at : at + 2], "big")
        payload = data[at + 2 : at + 2 + size]
        if payload:
            payloads.append(payload)
        at += 2 + size
    return version, options, payloads


def seeds(seed: int | str, role: Role) -> Iterator[tuple[int, bytes]]:
    """(server version, payload) that ``role`` receives: every row, every dialect, some versions."""
    rng = random.Random(f"{seed} {role}")
    rows = INCOMING if role is Role.CLIENT else OUTGOING
    for row in rows.values():
        versions = interesting_versions(row)
        for version in sorted({versions[0], versions[-1], *rng.sample(versions, min(2, len(versions)))}):
            sender = Codec(version, Role.GATEWAY if row.direction is Direction.INCOMING else Role.CLIENT)
            for dialect in Dialect:
                for fill in (0.3, 0.9):
                    try:
                        yield version, sender.encode(Generator(rng.random().hex(), fill).message(row), dialect)
                    except IbwireError:  # not in that dialect, or a value that this version cannot carry
                        continue


def mutate(data: bytes, rng: random.Random) -> bytes:
    """One input made from another."""
    version, options, payloads = unpack(data)
    if not payloads:
        payloads = [bytes((0, 0, 0, rng.randrange(256)))]
    for _ in range(rng.choice((1, 1, 2, 4))):
        at = rng.randrange(len(payloads))
        what = rng.random()
        if what < 0.85:
            payloads[at] = _mutate_payload(payloads[at], rng) or b"\0"
        elif what < 0.90:
            payloads.insert(at, payloads[rng.randrange(len(payloads))])
        elif what < 0.93 and len(payloads) > 1:
            del payloads[at]
        elif what < 0.96:
            version = rng.choice(VERSIONS)
        else:
            options = rng.randrange(256)
    return pack(version, options, payloads)[:MAX_INPUT_BYTES]


def _mutate_payload(payload: bytes, rng: random.Random) -> bytes:
    what = rng.random()
    if what < 0.45:
        return _mutate_fields(payload, rng)
    data = bytearray(payload)
    at = rng.randrange(len(data) + 1)
    if what < 0.55:
        del data[at:]
    elif what < 0.65:
        data[at:at] = rng.choice(PIECES)
    elif what < 0.72:
        data[at:at] = bytes(rng.randrange(256) for _ in range(rng.randrange(1, 10)))
    elif what < 0.88 and at < len(data):
        data[at] = rng.choice((*BYTES, data[at] ^ 1 << rng.randrange(8), rng.randrange(256)))
    else:  # a part once more, somewhere: fields that come twice
        start, end = sorted((rng.randrange(len(data) + 1), rng.randrange(len(data) + 1)))
        data[at:at] = data[start:end]
    return bytes(data)


def _mutate_fields(payload: bytes, rng: random.Random) -> bytes:
    fields = payload.split(b"\0")
    at = rng.randrange(len(fields))
    what = rng.random()
    if what < 0.6:
        fields[at] = rng.choice(NUMBERS)
    elif what < 0.75:
        fields.insert(at, rng.choice(NUMBERS))
    elif what < 0.9 and len(fields) > 1:
        del fields[at]
    else:
        fields[at] = fields[rng.randrange(len(fields))]
    return b"\0".join(fields)
