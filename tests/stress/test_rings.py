"""Producer without the GIL against consumers: every record is whole, in order, and accounted for.

The producer is the compiled stream decoder, fed the same frames again and again by a thread of its own; a record's size
field says which frame it came from, so each can be held against its sequence number.
"""

from __future__ import annotations

import os
import threading
from decimal import Decimal
from typing import Any

import numpy as np
import pytest

from ibwire.ring import impl
from ibwire.ring.records import dtype
from ibwire.types import incoming as m
from ibwire.wire.codec import Codec, Role
from ibwire.wire.framing import frame

RECORDS = int(os.environ.get("IBWIRE_STRESS_RECORDS", 10_000_000))
FRAMES = 50_000
TICK_SIZE = dtype("TICK_SIZE")


class Flood:
    """A decoder and the frames that are fed to it until ``records`` have been published."""

    def __init__(self, version: int, capacity: int, every_bytes: int = 0) -> None:
        codec = Codec(version, Role.GATEWAY)
        self.data = b"".join(frame(codec.encode(m.TickSize(n % 977, 0, Decimal(n)))) for n in range(FRAMES))
        self.market = impl.MarketRing(capacity)
        self.orders, self.control = impl.LogRing(), impl.LogRing()
        self.every = impl.EveryRing(self.market, every_bytes) if every_bytes else None
        self.decoder = impl.StreamDecoder(version, self.market, self.orders, self.control, every=self.every)
        self.rounds = max(1, RECORDS // FRAMES)
        self.total = self.rounds * FRAMES
        self.failures: list[str] = []
        self.go = threading.Event()

    def produce(self) -> None:
        self.go.wait()
        # In pieces, so that frames are cut and every path of the decoder is taken.
        view = memoryview(self.data)
        for number in range(self.rounds):
            cut = (number * 7919) % len(view)
            self.decoder.receive(view[:cut], number)
            self.decoder.receive(view[cut:], number)

    def consume(self, cursor: Any, most: int, lossless: bool) -> None:
        """Poll until the last record, whatever gaps there are."""
        self.go.wait()
        at = 0
        while at < self.total:
            batch = cursor.poll(most)
            if not len(batch):
                continue
            seq = batch["seq"].astype(np.int64)
            first = at + 1 + int(cursor.last_gap)
            if lossless and cursor.last_gap:
                self.failures.append(f"{cursor.last_gap} lost after {at}")
                return
            if seq[0] != first or (np.diff(seq) != 1).any():
                self.failures.append(f"after {at}, gap {cursor.last_gap}: {seq[0]}..{seq[-1]}, {len(seq)} records")
                return
            number = (seq - 1) % FRAMES
            record = batch.view(TICK_SIZE)
            if (record["size"] != number).any() or (record["key"] != number % 977).any():
                self.failures.append(f"torn after {at}")
                return
            at = int(seq[-1])

    def run(self, cursors: list[tuple[Any, int]], *, lossless: bool = False) -> None:
        threads = [threading.Thread(target=self.consume, args=(c, most, lossless)) for c, most in cursors]
        threads.append(threading.Thread(target=self.produce))
        for thread in threads:
            thread.start()
        self.go.set()
        for thread in threads:
            thread.join()
        assert self.failures == []


@pytest.mark.parametrize("version", [176, 225], ids=["text", "proto"])
@pytest.mark.parametrize("capacity", [1 << 12, 1 << 16])
def test_an_overwriting_ring_tears_nothing_and_counts_what_is_gone(version: int, capacity: int) -> None:
    flood = Flood(version, capacity)
    cursors = [(flood.market.cursor(), 256), (flood.market.cursor(), 16384)]
    flood.run(cursors)
    assert all(cursor.pending == 0 for cursor, _ in cursors)


def test_a_ring_that_keeps_everything_keeps_everything() -> None:
    flood = Flood(176, 1 << 14, every_bytes=8 << 30)
    assert flood.every is not None
    flood.run([(flood.every.cursor(), 16384)], lossless=True)
    flood.every.collect()
    assert flood.every.held_bytes <= 2 << 20


def test_segments_that_are_given_up_under_a_reader_are_never_read_as_others() -> None:
    flood = Flood(176, 1 << 14, every_bytes=2 << 20)
    assert flood.every is not None
    asleep = flood.every.cursor()  # so that there is something to give up, however fast the others are
    cursors = [(flood.every.cursor(), 16384), (flood.every.cursor(), 64)]
    flood.run(cursors)
    assert len(asleep.poll(1)) > 0
    # What one cursor lost another may have read, so the ring gave up at least what the worst one lost.
    worst = max(asleep.gap, *(cursor.gap for cursor, _ in cursors))
    assert flood.every.evicted >= worst >= flood.total - (2 << 20) // 64 > 0
