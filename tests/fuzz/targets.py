"""What is fuzzed. A target takes the bytes of an input and returns what they led to; whatever it raises is a bug.

What it returns is the feedback of our own fuzzer: an input that leads to something new is kept and mutated further.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Hashable, Iterator
from functools import cache
from typing import Any

from ibwire.errors import ProtocolError
from ibwire.ring import impl as ring_impl
from ibwire.ring import log, market, stream
from ibwire.wire import hot, impl, proto, text
from ibwire.wire.codec import Codec, Role, UnknownMessage
from ibwire.wire.framing import Framer, frame
from ibwire.wire.plan import Dialect
from tests.fuzz.inputs import unpack

Feature = Hashable
Target = Callable[[bytes], Feature]

PLAIN = (market.MarketRing, log.LogRing, stream.StreamDecoder)
COMPILED = (ring_impl.MarketRing, ring_impl.LogRing, ring_impl.StreamDecoder)
AS_GATEWAY, RAW_STREAM = 0x80, 0x40
setattr(hot, "tables", cache(hot.tables))  # noqa: B010  once per version, not once per input
_DIGITS = re.compile(r"[0-9]+")


class Differ(AssertionError):
    """The compiled part and its plain twin disagree."""


@cache
def _codec(version: int, role: Role) -> Codec:
    return Codec(version, role)


# ------------------------------------------------------------------------------------------------ whole messages


def codec(data: bytes) -> Feature:
    """A payload gives a message or a ProtocolError that says where, from either side; both twins say the same."""
    version, options, payloads = unpack(data)
    this = _codec(version, Role.GATEWAY if options & AS_GATEWAY else Role.CLIENT)
    return tuple(_decoded(this, payload) for payload in payloads)


def _decoded(this: Codec, payload: bytes) -> Feature:
    try:
        message = this.decode(payload)
    except ProtocolError as exc:
        if exc.offset < 0 or not exc.excerpt or not exc.field:
            raise AssertionError(f"an error that does not say where: {exc}") from exc
        found: Any = str(exc)
        feature: Feature = (exc.message_name, exc.field, _DIGITS.sub("0", exc.problem))
    else:
        found, feature = message, type(message).__name__
    if isinstance(found, UnknownMessage):
        return feature
    expected = _plain(this, payload)
    if repr(found) != repr(expected):
        raise Differ(f"plain: {expected!r}\ncompiled: {found!r}")
    return feature


def _plain(this: Codec, payload: bytes) -> Any:
    try:
        wire_id, start = this.split(payload)
        found = this.decoder(wire_id)
        assert found is not None
        plan, _ = found
        run = text.decode if plan.dialect is Dialect.TEXT else proto.decode
        regs, _ = run(plan, payload, start, this._make)
    except ProtocolError as exc:
        return str(exc)
    return this._message(plan.shape, regs, plan.row)


# ------------------------------------------------------------------------------------------------ streams


def _wire(options: int, payloads: list[bytes], data: bytes) -> bytes:
    return data[2:] if options & RAW_STREAM else b"".join(frame(p) for p in payloads)


def _chunks(options: int, wire: bytes) -> Iterator[bytes]:
    """The stream in pieces, each in memory of its own: read past its end, and the sanitizer says so."""
    rng = random.Random(options)
    longest = (1, 7, 64, 4096)[options % 4]
    at = 0
    while at < len(wire):
        size = rng.randint(1, longest)
        yield wire[at : at + size]
        at += size


def run_stream(rings: tuple[Any, Any, Any], version: int, pieces: list[bytes]) -> tuple[Any, ...]:
    market_ring, log_ring, decoder_class = rings
    most = max(64, sum(map(len, pieces)) // 4)  # no message of fewer bytes, with its length, makes two records
    ticks, orders, control = market_ring(1 << most.bit_length()), log_ring(), log_ring()
    cursors = ticks.cursor(), orders.cursor(), control.cursor()
    decoder = decoder_class(version, ticks, orders, control)
    lost = ""
    for piece in pieces:
        try:
            decoder.receive(piece, 1000)
        except ProtocolError as exc:
            lost = exc.problem  # its excerpt shows what had come by then
            break
    stats = {k: v for k, v in decoder.stats.items() if k in ("messages", "bad_frames", "unknown", "extra")}
    records = bytes(cursors[0].poll_bytes(most))
    return records, _entries(cursors[1]), _entries(cursors[2]), stats, decoder.watermark, lost


def _entries(cursor: Any) -> list[tuple[Any, ...]]:
    out: list[tuple[Any, ...]] = []
    while batch := cursor.poll():
        out += [(e.seq, e.recv_ns, e.kind, e.flags, e.code, bytes(e.header), bytes(e.payload)) for e in batch]
    return out


def _feature(result: tuple[Any, ...]) -> Feature:
    records, orders, control, stats, _, lost = result
    ticks = {(records[at + 16], records[at + 18]) for at in range(0, len(records), 64)}
    entries = {(name, e[2], e[3]) for name, ring in (("o", orders), ("c", control)) for e in ring}
    return frozenset(ticks), frozenset(entries), stats["unknown"] > 0, stats["extra"] > 0, _DIGITS.sub("0", lost)


def chunks(data: bytes) -> Feature:
    """The compiled stream decoder: the same whatever the chunking, and as the framer cuts."""
    version, options, payloads = unpack(data)
    wire = _wire(options, payloads, data)
    cut = run_stream(COMPILED, version, list(_chunks(options, wire)))
    whole = run_stream(COMPILED, version, [wire])
    if cut != whole:
        raise Differ(f"whole: {whole}\ncut: {cut}")
    if _framed(_chunks(options, wire)) != whole[4]:
        raise Differ(f"the framer does not find {whole[4]} messages")
    return _feature(cut)


def _framed(pieces: Iterator[bytes]) -> int:
    framer, count = Framer(), 0
    for piece in pieces:
        framer.feed(piece)
        try:
            while framer.next() is not None:
                count += 1
        except ProtocolError:
            break
    return count


def twins(data: bytes) -> Feature:
    """Compiled and plain stream decoder fill their rings alike."""
    if impl.NAME != "compiled" or ring_impl.NAME != "compiled":
        raise RuntimeError("the compiled modules are not there: nothing to compare")
    version, options, payloads = unpack(data)
    wire = _wire(options, payloads, data)
    plain, compiled = run_stream(PLAIN, version, [wire]), run_stream(COMPILED, version, [wire])
    if plain != compiled:
        raise Differ(f"plain: {plain}\ncompiled: {compiled}")
    return _feature(plain)


TARGETS: dict[str, Target] = {"codec": codec, "chunks": chunks, "twins": twins}
