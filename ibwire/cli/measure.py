"""How long decoding takes: prebuilt frames through the stream decoder into its rings, no socket, nothing else."""

from __future__ import annotations

import statistics
import time
from decimal import Decimal
from typing import Final

from ibwire.ring import impl
from ibwire.types import incoming
from ibwire.wire.codec import Codec, Role
from ibwire.wire.framing import frame

_FRAMES: Final = {"compiled": 1_000_000, "plain": 20_000}
_DISTINCT: Final = 2000
_CHUNK_BYTES: Final = 1 << 16
BID, ASK = 1, 2
BID_SIZE, ASK_SIZE = 0, 3


def decode(server_version: int) -> str:
    """``23 ns/msg (1M frames)``: the median of three passes; says so when the decoder is not compiled."""
    frames = list(_frames(server_version))
    chunks = _chunks(frames)
    passes = max(1, _FRAMES[impl.NAME] // len(frames))
    figures = []
    for _ in range(3):
        decoder = impl.StreamDecoder(
            server_version, impl.MarketRing(1 << 16), impl.LogRing(1 << 24), impl.LogRing(1 << 24)
        )
        begin_ns = time.perf_counter_ns()
        for _ in range(passes):
            for chunk in chunks:
                decoder.receive(chunk, begin_ns)
        spent_ns = time.perf_counter_ns() - begin_ns
        figures.append(spent_ns / decoder.stats["messages"])
    total = passes * len(frames)
    count = f"{total / 1e6:.0f}M" if total >= 1_000_000 else f"{total:,}"
    note = "" if impl.NAME == "compiled" else ", the plain decoder: the compiled one is not built"
    return f"{statistics.median(figures):,.0f} ns/msg ({count} frames{note})"


def _frames(server_version: int) -> list[bytes]:
    """Prices and sizes of two sides, as a gateway of that version sends them."""
    codec = Codec(server_version, Role.GATEWAY)
    out = []
    for number in range(_DISTINCT // 2):
        cents = 18_700 + number % 97
        ask = number % 2
        size = Decimal(100 + number % 40 * 10)
        price = incoming.TickPrice(1001, ASK if ask else BID, (cents + ask) / 100, size)
        out.append(frame(codec.encode(price)))
        out.append(frame(codec.encode(incoming.TickSize(1001, ASK_SIZE if ask else BID_SIZE, size))))
    return out


def _chunks(frames: list[bytes]) -> list[bytes]:
    """The frames as a socket would give them."""
    data = b"".join(frames)
    return [data[at : at + _CHUNK_BYTES] for at in range(0, len(data), _CHUNK_BYTES)]
