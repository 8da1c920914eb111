"""The reader's thread against consumers: through a real socket every record comes whole, in order, and once.

A record's size field says which frame it came from, so each can be held against its sequence number.
"""

from __future__ import annotations

import os
import random
import socket
import threading
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import numpy as np
import pytest

from ibwire.io.reader import End, Ending, Receiving, make_reader
from ibwire.io.wait import RegionBell
from ibwire.ring import impl
from ibwire.ring.records import dtype
from ibwire.types import incoming as m
from ibwire.wire.codec import Codec, Role
from ibwire.wire.framing import frame

RECORDS = int(os.environ.get("IBWIRE_STRESS_RECORDS", 2_000_000))
FRAMES = 50_000
TICK_SIZE = dtype("TICK_SIZE")


class Stream:
    """A sender, a reader and their socket pair. Every thousandth frame is an error, which goes to the order ring."""

    def __init__(self, seed: int, **how: Any) -> None:
        codec = Codec(225, Role.GATEWAY)
        self.rng = random.Random(seed)
        self.data = b"".join(frame(codec.encode(self.message(n))) for n in range(FRAMES))
        self.rounds = max(1, RECORDS // FRAMES)
        self.total = self.rounds * FRAMES
        self.market: Any = impl.MarketRing(1 << 14)
        self.orders: Any = impl.LogRing()
        self.control: Any = impl.LogRing()
        self.every: Any = impl.EveryRing(self.market, 1 << 30)
        decoder: Any = impl.StreamDecoder(225, self.market, self.orders, self.control, every=self.every)
        self.decoder = decoder
        self.bell = RegionBell(self.decoder.region)
        self.ours, self.theirs = socket.socketpair()
        self.endings: list[Ending] = []
        self.reader = make_reader(self.ours, self.decoder, self.bell, self.endings.append, how=Receiving(**how))
        self.failures: list[str] = []

    def message(self, n: int) -> Any:
        return m.Error(id=n, errorCode=200, errorMsg=str(n)) if n % 1000 == 999 else self.tick(n)

    @staticmethod
    def tick(n: int) -> m.TickSize:
        return m.TickSize(n % 977, 0, Decimal(n))

    def send(self) -> None:
        with self.theirs:
            view, rng = memoryview(self.data), self.rng
            for _ in range(self.rounds):
                at = 0
                while at < len(view):
                    step = rng.choice((1, 13, 1000, 20_000, 300_000))
                    self.theirs.sendall(view[at : at + step])
                    at += step

    def read_market(self, cursor: Any, how: str, lossless: bool) -> None:
        last, got = 0, 0
        while True:
            seen, over = self.bell.count, bool(self.endings)
            batch = cursor.poll(4096)
            if not len(batch):
                if over:
                    break
                self.bell.wait(seen, 20_000, how)
                continue
            got += len(batch)
            seq = batch["seq"].astype(np.int64)
            number = (seq - 1) % FRAMES
            ticks = batch.view(TICK_SIZE)
            if seq[0] <= last or (np.diff(seq) <= 0).any():
                self.failures.append(f"{how}: out of order after {last}")
            if (ticks["size"] != number).any() or (ticks["key"] != number % 977).any():
                self.failures.append(f"{how}: a record is not its frame's, after {last}")
            last = int(seq[-1])
        wanted = self.total - self.total // 1000
        if got + cursor.gap != wanted or (lossless and cursor.gap):
            self.failures.append(f"{how}: {got} records and {cursor.gap} missed make no {wanted}")

    def read_orders(self, cursor: Any) -> None:
        wanted = 1000
        while True:
            seen, over = self.bell.count, bool(self.endings)
            entries = cursor.poll(100)
            for entry in entries:
                if entry.seq != wanted:
                    self.failures.append(f"entry {entry.seq} instead of {wanted}")
                wanted = entry.seq + 1000
            if not entries:
                if over:
                    break
                self.bell.wait(seen, 20_000)
        if wanted != self.total + 1000:
            self.failures.append(f"entries end before {wanted}")


@pytest.mark.parametrize(
    "how", [{}, {"buffer_bytes": 8192}, {"timers": True, "kernel_times": True}], ids=["plain", "small buffer", "timed"]
)
def test_nothing_is_lost_mixed_or_doubled_on_the_way(how: dict[str, Any]) -> None:
    run = Stream(7, **how)
    lossless, latest = run.every.cursor(), run.market.cursor()
    jobs: list[Callable[[], None]] = [
        lambda: run.read_market(lossless, "block", True),
        lambda: run.read_market(latest, "yield", False),
        lambda: run.read_orders(orders),
        run.send,
    ]
    orders = run.orders.cursor()
    threads = [threading.Thread(target=job) for job in jobs]
    for thread in threads:
        thread.start()
    run.reader.start()
    for thread in threads:
        thread.join()
    assert run.reader.join(20_000)
    run.ours.close()
    assert run.failures == []
    assert [e.end for e in run.endings] == [End.EOF]
    assert run.decoder.watermark == run.total
    assert run.decoder.counters()[0]["bytes"] == len(run.data) * run.rounds
