from __future__ import annotations

import threading
from typing import Any

import numpy as np
import pytest

from ibwire.errors import CursorClosed
from tests.unit.ring.impls import Impl
from tests.unit.ring.test_market import record

SEGMENT = (1 << 20) // 64
"""Records in one segment of the compiled ring."""


def seqs(cursor: Any, most: int = 1 << 20) -> list[int]:
    """Sequence numbers of everything that there is to poll."""
    found: list[int] = []
    while len(batch := cursor.poll(most)):
        found += batch["seq"].tolist()
    return found


class Rig:
    """A market ring of 1024 records and an every-ring that is flushed after each message."""

    def __init__(self, impl: Impl, limit: int = 256 << 20) -> None:
        self.market = impl.MarketRing(1024)
        self.ring = impl.EveryRing(self.market, limit)
        self.next = 1

    def fill(self, count: int, parts: int = 1, flush_every: int = 500) -> None:
        for number in range(self.next, self.next + count):
            self.market.append(b"".join(record(number, part) for part in range(parts)))
            if number % flush_every == 0:
                self.ring.flush()
        self.next += count
        self.ring.flush()


def test_every_record_comes_in_order_over_many_segments(impl: Impl) -> None:
    rig = Rig(impl)
    cursor = rig.ring.cursor()
    rig.fill(3 * SEGMENT + 10)
    assert cursor.pending == 3 * SEGMENT + 10
    assert seqs(cursor, 1000) == list(range(1, 3 * SEGMENT + 11))
    assert (cursor.gap, cursor.last_gap, cursor.pending) == (0, 0, 0)


def test_both_parts_come_together(impl: Impl) -> None:
    rig = Rig(impl)
    cursor = rig.ring.cursor()
    rig.fill(1)  # from here on every pair lies across an even boundary
    rig.fill(SEGMENT, parts=2, flush_every=301)
    rig.fill(1)
    parts: list[tuple[int, int]] = []
    while len(batch := cursor.poll(101)):
        assert batch["part"][0] == 0
        assert batch["seq"][-1] in (1, SEGMENT + 2) or batch["part"][-1] == 1
        parts += zip(batch["seq"].tolist(), batch["part"].tolist(), strict=True)
    pairs = [(seq, part) for seq in range(2, SEGMENT + 2) for part in (0, 1)]
    assert parts == [(1, 0), *pairs, (SEGMENT + 2, 0)]


def test_past_the_limit_the_oldest_go_and_are_counted(impl: Impl) -> None:
    rig = Rig(impl, limit=4 << 20)
    slow, fast = rig.ring.cursor(), rig.ring.cursor()
    total = 0
    for _ in range(8):
        rig.fill(SEGMENT)
        total += SEGMENT
        assert len(seqs(fast)) == SEGMENT
    assert fast.gap == 0
    got = seqs(slow)
    assert got == list(range(total - len(got) + 1, total + 1))
    assert slow.gap == total - len(got) == rig.ring.evicted
    assert 3 * SEGMENT <= len(got) <= 4 * SEGMENT


def test_a_gap_is_told_with_what_follows_it(impl: Impl) -> None:
    rig = Rig(impl, limit=2 << 20)
    cursor = rig.ring.cursor()
    rig.fill(10)
    assert seqs(cursor) == list(range(1, 11))
    rig.fill(4 * SEGMENT)
    first = cursor.poll(1)
    assert first["seq"][0] == 11 + cursor.last_gap
    assert cursor.gap == cursor.last_gap > 0
    cursor.poll(1)
    assert cursor.last_gap == 0


def test_memory_is_given_back_once_read(impl: Impl) -> None:
    rig = Rig(impl)
    cursor = rig.ring.cursor()
    rig.fill(8 * SEGMENT)
    assert rig.ring.held_bytes >= 8 << 20
    assert rig.ring.backlog_bytes == 8 << 20
    seqs(cursor)
    rig.ring.collect()
    assert rig.ring.held_bytes <= 2 << 20
    assert rig.ring.backlog_bytes == 0


def test_a_closed_cursor_holds_nothing(impl: Impl) -> None:
    rig = Rig(impl)
    cursor = rig.ring.cursor()
    rig.fill(3 * SEGMENT)
    cursor.close()
    cursor.close()
    rig.ring.collect()
    assert rig.ring.held_bytes <= 2 << 20
    with pytest.raises(CursorClosed):
        cursor.poll()


def test_a_cursor_from_the_start_gets_what_is_held(impl: Impl) -> None:
    rig = Rig(impl)
    keeper = rig.ring.cursor()
    rig.fill(5)
    assert seqs(rig.ring.cursor(from_start=True)) == [1, 2, 3, 4, 5]
    assert seqs(rig.ring.cursor()) == []
    assert len(seqs(keeper)) == 5


def test_a_slow_consumer_racing_eviction_gets_whole_records_and_exact_gaps(impl: Impl) -> None:
    """Segments are used again while a cursor reads: what it gets must be in order, and gap + got = published."""
    total = 40 * SEGMENT if impl.name == "compiled" else 4 * SEGMENT
    rig = Rig(impl, limit=2 << 20)
    ready = threading.Barrier(3)
    failures: list[str] = []

    def consume(most: int) -> None:
        cursor = rig.ring.cursor()
        ready.wait()
        at = 0
        while at < total:
            batch = cursor.poll(most)
            if not len(batch):
                continue
            got = batch["seq"].tolist()
            if got != list(range(at + cursor.last_gap + 1, at + cursor.last_gap + 1 + len(got))):
                failures.append(f"after {at}, gap {cursor.last_gap}: {got[:3]}..{got[-3:]}")
                return
            if (batch["recv_ns"] != batch["seq"].astype("i8") * 10).any():
                failures.append(f"torn after {at}")
                return
            at = got[-1]

    threads = [threading.Thread(target=consume, args=(most,)) for most in (64, 4096)]
    for thread in threads:
        thread.start()
    block = b"".join(record(n) for n in range(1, 513))
    view = bytearray(block)
    ready.wait()
    for start in range(0, total, 512):
        heads = np.frombuffer(view, dtype=[("seq", "<u8"), ("recv_ns", "<i8"), ("rest", "V48")])
        heads["seq"] = np.arange(start + 1, start + 513)
        heads["recv_ns"] = heads["seq"] * 10
        rig.market.append(bytes(view))
        rig.ring.flush()
    for thread in threads:
        thread.join()
    assert failures == []
