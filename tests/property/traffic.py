"""Random traffic for the property tests: valid frames of every row, and broken ones made from them. Seeded."""

from __future__ import annotations

import random
from collections.abc import Iterator

from ibwire.spec.model import Row
from ibwire.spec.registry import INCOMING, OUTGOING
from ibwire.wire.codec import Codec, Role
from ibwire.wire.plan import Dialect
from tests.gen import Generator, clear_unsupported

NONSENSE = (b"2147483647", b"-1", b"9" * 30, b"1e400", b"NaN", b"Infinity", b"\xff" * 11, b"\0\0")
VERSIONS = (100, 110, 135, 145, 157, 163, 176, 187, 194, 200, 203, 212, 225)


def dialects(row: Row, server_version: int) -> list[Dialect]:
    """The dialects in which a row can be encoded at a version."""
    out = []
    if row.text is not None:
        out.append(Dialect.TEXT)
    if row.proto and server_version >= 201:
        out.append(Dialect.PROTO)
    return out


def payloads(server_version: int, role: Role, seed: int, each: int = 1) -> Iterator[tuple[Row, Dialect, bytes]]:
    """Payloads that ``role`` sends: every row that exists at the version, in every dialect it has."""
    codec = Codec(server_version, role)
    for row in (INCOMING if role is Role.GATEWAY else OUTGOING).values():
        if row.since > server_version:
            continue
        for dialect in dialects(row, server_version):
            for i in range(each):
                message = Generator(f"{seed} {row.name} {i}", fill=(0.3, 0.8)[i % 2]).message(row)
                clear_unsupported(row, message, server_version, dialect)
                yield row, dialect, codec.encode(message, dialect)


def broken(payload: bytes, rng: random.Random) -> bytes:
    """The payload with one thing wrong: a byte changed, cut, doubled, dropped, or nonsense put in."""
    data = bytearray(payload)
    kind = rng.randrange(8)
    at = rng.randrange(len(data)) if data else 0
    if kind == 0 and data:
        data[at] = rng.randrange(256)
    elif kind == 1:
        del data[at:]
    elif kind == 2 and data:
        del data[at]
    elif kind == 3:
        data[at:at] = bytes([rng.choice((0, 1, 48, 57, 45, 46, 69, 92, 127, 128, 200, 255))])
    elif kind == 4:
        data += bytes(rng.randrange(256) for _ in range(rng.randrange(12)))
    elif kind == 5:
        data[at:at] = rng.choice(NONSENSE)
    elif kind == 6:
        end = min(len(data), at + rng.randrange(1, 9))
        data[at:end] = data[at:end][::-1]
    else:
        data[at:at] = data[: rng.randrange(1, 20)]
    return bytes(data)
