"""The compiled interpreter equals its plain twin: on valid messages, on broken ones, whole and as a stream."""

from __future__ import annotations

import itertools
import math
import random
from typing import Any

import pytest

from ibwire.errors import ProtocolError
from ibwire.ring import impl, log, market, stream
from ibwire.spec.model import Row
from ibwire.wire import impl as wire_impl
from ibwire.wire import proto, text
from ibwire.wire.codec import Codec, Role
from ibwire.wire.framing import frame
from ibwire.wire.plan import Dialect, Plan, Profile, flatten, proto_plan, text_plan

from .traffic import VERSIONS, broken, payloads

BROKEN_EACH = 6


@pytest.fixture(scope="module")
def fast() -> Any:
    from ibwire import _fastdecode

    assert wire_impl.NAME == "compiled", "the compiled interpreter is not built, or IBWIRE_PURE is set"
    return _fastdecode


def _same(a: Any, b: Any) -> bool:
    if type(a) is not type(b):
        return False
    if isinstance(a, float):
        return (a == b and math.copysign(1, a) == math.copysign(1, b)) or (math.isnan(a) and math.isnan(b))
    if isinstance(a, list | tuple):
        return len(a) == len(b) and all(_same(x, y) for x, y in zip(a, b, strict=True))
    if hasattr(a, "__dataclass_fields__"):
        return all(_same(getattr(a, n), getattr(b, n)) for n in a.__dataclass_fields__)
    return bool(a == b) and str(a) == str(b)


def _plan(row: Row, sv: int, dialect: Dialect, profile: Profile) -> Plan:
    return text_plan(row, sv, profile) if dialect is Dialect.TEXT else proto_plan(row, sv, profile)


def _compare(fast: Any, plan: Plan, dialect: Dialect, payload: bytes, start: int, make: Any) -> bool:
    """True when both decode it to the same, False when both refuse it; anything else fails."""
    plain = text.decode if dialect is Dialect.TEXT else proto.decode
    compiled = fast.text_decode if dialect is Dialect.TEXT else fast.proto_decode
    try:
        expected = plain(plan, payload, start, make)
    except ProtocolError:
        assert compiled(plan, payload, start, make) is None, (plan.row.name, payload)
        return False
    found = compiled(plan, payload, start, make)
    assert found is not None, (plan.row.name, payload)
    assert found[1] == expected[1], (plan.row.name, payload)
    differ = [
        (plan.shape.regs[i].path, a, b)
        for i, (a, b) in enumerate(zip(expected[0], found[0], strict=True))
        if not _same(a, b)
    ]
    assert not differ, (plan.row.name, payload, differ)
    return True


@pytest.mark.parametrize("sender", [Role.GATEWAY, Role.CLIENT])
@pytest.mark.parametrize("sv", VERSIONS)
def test_decoding_equals_the_plain_twin(fast: Any, sv: int, sender: Role) -> None:
    rng = random.Random(f"twins {sv} {sender}")
    codec = Codec(sv, Role.CLIENT if sender is Role.GATEWAY else Role.GATEWAY)
    decoded = refused = 0
    for row, dialect, payload in payloads(sv, sender, seed=1):
        start = codec.split(payload)[1]
        profile = rng.choice(list(Profile))
        plan = _plan(row, sv, dialect, profile)
        assert _compare(fast, plan, dialect, payload, start, codec._make)
        for _ in range(BROKEN_EACH):
            bad = payload[:start] + broken(payload[start:], rng)
            if _compare(fast, plan, dialect, bad, start, codec._make):
                decoded += 1
            else:
                refused += 1
    assert decoded > 50 and refused > 50


@pytest.mark.parametrize("sv", VERSIONS)
def test_encoding_equals_the_plain_twin(fast: Any, sv: int) -> None:
    for sender in Role:
        codec = Codec(sv, Role.CLIENT if sender is Role.GATEWAY else Role.GATEWAY)
        writer = Codec(sv, sender)
        for row, dialect, payload in payloads(sv, sender, seed=2):
            if dialect is not Dialect.TEXT:
                continue
            message = codec.decode(payload)
            plan = text_plan(row, sv)
            outs = []
            for encode in (text.encode, fast.text_encode):
                regs = list(plan.init)
                flatten(plan.shape, message, regs, 0)
                out = bytearray()
                encode(plan, regs, out, lambda s, o, init: _element(s, o, init))
                outs.append(bytes(out))
            assert outs[0] == outs[1], row.name
            assert writer.encode(message, Dialect.TEXT).endswith(outs[1]), row.name


def _element(shape: Any, obj: Any, init: list[Any]) -> list[Any]:
    regs = list(init)
    flatten(shape, obj, regs, 0)
    return regs


# ------------------------------------------------------------------------------------------------ streams


def _stream(sv: int, seed: str) -> bytes:
    rng = random.Random(seed)
    frames = [frame(p) for _, _, p in payloads(sv, Role.GATEWAY, seed=3, each=2)]
    for _, _, payload in payloads(sv, Role.GATEWAY, seed=4):
        for _ in range(3):
            bad = broken(payload, rng)
            if bad:
                frames.append(frame(bad))
    rng.shuffle(frames)
    return b"".join(frames)


def _run(
    rings: tuple[Any, Any, Any], sv: int, data: bytes, cuts: list[int]
) -> tuple[bytes, list[tuple[Any, ...]], list[tuple[Any, ...]], dict[str, int]]:
    market_ring, log_ring, decoder_class = rings
    m, o, c = market_ring(1 << 15), log_ring(), log_ring()
    cm, co, cc = m.cursor(), o.cursor(), c.cursor()
    decoder = decoder_class(sv, m, o, c)
    edges = [0, *cuts, len(data)]
    for start, end in itertools.pairwise(edges):
        decoder.receive(data[start:end], 1000)
    records = bytes(cm.poll_bytes(1 << 15))
    return records, _entries(co), _entries(cc), {k: v for k, v in decoder.stats.items() if k in KEYS}


KEYS = ("messages", "bytes", "bad_frames", "unknown", "extra")
PLAIN = (market.MarketRing, log.LogRing, stream.StreamDecoder)
COMPILED = (impl.MarketRing, impl.LogRing, impl.StreamDecoder)


def _entries(cursor: Any) -> list[tuple[Any, ...]]:
    out: list[tuple[Any, ...]] = []
    while batch := cursor.poll(1000):
        out.extend((e.seq, e.recv_ns, e.kind, e.flags, e.code, bytes(e.header), bytes(e.payload)) for e in batch)
    return out


@pytest.mark.parametrize("sv", VERSIONS)
def test_a_stream_fills_the_rings_as_the_plain_twin_does(sv: int) -> None:
    assert impl.NAME == "compiled"
    data = _stream(sv, f"stream {sv}")
    plain = _run(PLAIN, sv, data, [])
    compiled = _run(COMPILED, sv, data, [])
    assert plain[3] == compiled[3]
    for name, a, b in zip(("orders", "control"), plain[1:3], compiled[1:3], strict=True):
        for x, y in zip(a, b, strict=False):
            assert x == y, f"{name} entry {x[0]}"
        assert len(a) == len(b), name
    for at in range(0, len(plain[0]), 64):
        assert plain[0][at : at + 64] == compiled[0][at : at + 64], f"record {at // 64}"
    assert plain[0] == compiled[0]
    assert plain[3]["bad_frames"] > 20


@pytest.mark.parametrize("rings", [PLAIN, COMPILED], ids=["plain", "compiled"])
@pytest.mark.parametrize("sv", [100, 176, 225])
def test_any_chunking_equals_one_chunk(sv: int, rings: tuple[Any, Any, Any]) -> None:
    data = _stream(sv, f"chunks {sv}")[: 60_000 if rings is COMPILED else 20_000]
    whole = _run(rings, sv, data, [])
    rng = random.Random(sv)
    for cuts in (
        list(range(1, len(data))),
        sorted(rng.randrange(len(data)) for _ in range(200)),
        sorted(rng.randrange(len(data)) for _ in range(20)),
        list(range(4096, len(data), 4096)),
    ):
        assert _run(rings, sv, data, cuts) == whole
