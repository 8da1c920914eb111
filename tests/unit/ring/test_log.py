from __future__ import annotations

import gc
import struct
import threading

import pytest

from ibwire.errors import CursorClosed
from ibwire.ring import log
from tests.unit.ring.impls import IMPLS, Impl

MIB = 1 << 20


def head(seq: int, payload: bytes, kind: int = 3, flags: int = 5, code: int = -7) -> bytes:
    return struct.pack("<QqBBHiII", seq, seq * 10, kind, 0, flags, code, len(payload), 0)


def fill(ring: log.LogRing, count: int, size: int = 100, start: int = 1) -> None:
    for seq in range(start, start + count):
        payload = bytes([seq & 0xFF]) * size
        ring.append(head(seq, payload), payload)


def test_an_entry_has_all_that_was_put_in(impl: Impl) -> None:
    ring = impl.LogRing()
    cursor = ring.cursor()
    header = head(1, b"payload") + b"more header"
    ring.append(header, b"payload")
    (entry,) = cursor.poll()
    assert (entry.seq, entry.recv_ns, entry.kind, entry.flags, entry.code) == (1, 10, 3, 5, -7)
    assert entry.header == header
    assert entry.payload == b"payload"
    assert cursor.poll() == []
    assert ring.appended == 1


def test_nothing_is_lost_over_many_segments(impl: Impl) -> None:
    ring = impl.LogRing()
    slow, fast = ring.cursor(), ring.cursor()
    seen = []
    for start in range(1, 5001, 500):
        fill(ring, 500, 1000, start)
        seen += [e.seq for e in fast.poll(10_000)]
    assert seen == list(range(1, 5001))
    entries = []
    while got := slow.poll(77):
        assert len(got) <= 77
        entries += got
    assert [e.seq for e in entries] == list(range(1, 5001))
    assert all(e.payload == bytes([e.seq & 0xFF]) * 1000 for e in entries)


def test_where_a_cursor_starts(impl: Impl) -> None:
    ring = impl.LogRing()
    fill(ring, 3)
    late, early = ring.cursor(), ring.cursor(from_start=True)
    fill(ring, 1, start=4)
    assert [e.seq for e in late.poll()] == [4]
    assert [e.seq for e in early.poll()] == [1, 2, 3, 4]


def test_an_entry_may_be_larger_than_a_segment(impl: Impl) -> None:
    ring = impl.LogRing()
    cursor = ring.cursor()
    fill(ring, 2, 3 * MIB)
    assert [len(e.payload) for e in cursor.poll()] == [3 * MIB, 3 * MIB]


def test_a_cursor_that_does_not_read_stops_the_producer_at_the_limit(impl: Impl) -> None:
    ring = impl.LogRing(8 * MIB)
    cursor = ring.cursor()
    with pytest.raises(OverflowError):
        fill(ring, 10_000, 10_000)
    held = ring.appended
    assert 6 * MIB < held * 10_032 <= 8 * MIB
    assert len(cursor.poll(10_000)) == held
    fill(ring, 1, 10_000, held + 1)
    assert [e.seq for e in cursor.poll()] == [held + 1]


@pytest.mark.parametrize("limit", [MIB // 2, 4 * MIB])
@pytest.mark.parametrize("how", ["read", "closed", "dropped", "never made"])
def test_without_a_slow_cursor_there_is_no_limit(impl: Impl, how: str, limit: int) -> None:
    ring = impl.LogRing(limit)
    cursor = None if how == "never made" else ring.cursor()
    for start in range(1, 1001, 10):
        fill(ring, 10, 20_000, start)
        if how == "read" and cursor:
            while cursor.poll():
                pass
        elif how == "closed" and start == 1 and cursor:
            cursor.close()
        elif how == "dropped" and start == 1:
            cursor = None
            gc.collect()
    assert ring.appended == 1000
    assert ring.backlog_bytes == 0


def test_the_backlog_is_that_of_the_slowest_cursor(impl: Impl) -> None:
    ring = impl.LogRing()
    assert ring.backlog_bytes == 0
    fast, slow = ring.cursor(), ring.cursor()
    fill(ring, 10, 100_000)
    fast.poll()
    slow.poll(4)
    assert 600_000 < ring.backlog_bytes < 601_000
    slow.close()
    assert ring.backlog_bytes == 0
    fast.close()
    fill(ring, 10, 100_000, 11)
    assert ring.backlog_bytes == 0


def test_what_was_refused_was_not_stored(impl: Impl) -> None:
    ring = impl.LogRing(100_000)
    cursor = ring.cursor()
    fill(ring, 1, 90_000)
    with pytest.raises(OverflowError):
        fill(ring, 1, 90_000, 2)
    assert ring.appended == 1
    assert [e.seq for e in cursor.poll()] == [1]
    fill(ring, 1, 90_000, 3)
    assert [e.seq for e in cursor.poll()] == [3]


def test_entries_outlive_their_ring(impl: Impl) -> None:
    ring = impl.LogRing()
    cursor = ring.cursor()
    fill(ring, 2, 1000)
    entries = cursor.poll()
    fill(ring, 2000, 5000, 3)
    cursor.close()
    del ring, cursor
    gc.collect()
    assert [(e.seq, e.payload) for e in entries] == [(1, b"\x01" * 1000), (2, b"\x02" * 1000)]


@pytest.mark.parametrize("header", [b"", bytes(31), head(1, b"longer than what comes")])
def test_the_compiled_ring_refuses_a_header_that_promises_too_much(header: bytes) -> None:
    with pytest.raises(ValueError, match="header"):
        IMPLS["compiled"].LogRing().append(header, b"short")


def test_a_closed_cursor_says_so(impl: Impl) -> None:
    cursor = impl.LogRing().cursor()
    cursor.close()
    cursor.close()
    with pytest.raises(CursorClosed):
        cursor.poll()


def test_a_ring_lets_go_of_what_no_cursor_needs(impl: Impl) -> None:
    ring = impl.LogRing()
    cursor = ring.cursor()
    fill(ring, 100, 100_000)
    assert 100 * 100_032 <= ring.backlog_bytes <= 100 * 100_048
    del cursor
    gc.collect()
    assert ring.backlog_bytes == 0
    fill(ring, 11, 100_000, start=101)  # the producer gives back, when it goes on to a new segment
    assert len(ring.cursor(from_start=True).poll(1000)) <= 21  # two segments of about ten


def test_a_producer_and_two_consumers(impl: Impl) -> None:
    ring = impl.LogRing()
    count = 20_000
    cursors = [ring.cursor(), ring.cursor()]
    seen: list[list[int]] = [[], []]

    def consume(index: int) -> None:
        while len(seen[index]) < count:
            seen[index] += [e.seq for e in cursors[index].poll(100)]

    threads = [threading.Thread(target=consume, args=(i,)) for i in range(2)]
    threads.append(threading.Thread(target=fill, args=(ring, count, 200)))
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seen == [list(range(1, count + 1))] * 2
