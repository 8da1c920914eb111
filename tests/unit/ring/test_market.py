from __future__ import annotations

import struct
import threading
import warnings

import numpy as np
import pytest

from ibwire.errors import ConfigError
from tests.unit.ring.impls import Impl

CAPACITY = 64


def record(seq: int, part: int = 0) -> bytes:
    return struct.pack("<QqBBHiq", seq, seq * 10, 1, part, 0, 0, 7).ljust(64, bytes([seq & 0xFF]))


def test_records_come_back_in_order_and_read_only(impl: Impl) -> None:
    ring = impl.MarketRing(CAPACITY)
    cursor = ring.cursor()
    for seq in range(1, 11):
        ring.append(record(seq))
    first = cursor.poll(4)
    assert first["seq"].tolist() == [1, 2, 3, 4]
    assert first["recv_ns"].tolist() == [10, 20, 30, 40]
    assert bytes(first["body"][0]) == b"\x01" * 32
    assert not first.flags.writeable
    with pytest.raises(ValueError, match="read-only"):
        first["seq"] = 0
    assert cursor.pending == 6
    assert cursor.poll()["seq"].tolist() == [5, 6, 7, 8, 9, 10]
    assert len(cursor.poll()) == 0
    assert cursor.gap == 0


def test_a_cursor_starts_at_the_next_record(impl: Impl) -> None:
    ring = impl.MarketRing(CAPACITY)
    ring.append(record(1))
    cursor = ring.cursor()
    ring.append(record(2))
    assert cursor.poll()["seq"].tolist() == [2]


def test_the_wrap_is_seamless(impl: Impl) -> None:
    ring = impl.MarketRing(CAPACITY)
    cursor = ring.cursor()
    seen: list[int] = []
    for seq in range(1, 5 * CAPACITY):
        ring.append(record(seq))
        if seq % 37 == 0:
            seen += cursor.poll()["seq"].tolist()
    seen += cursor.poll()["seq"].tolist()
    assert seen == list(range(1, 5 * CAPACITY))
    assert cursor.gap == 0


def test_who_falls_a_ring_behind_is_told_how_many_are_gone(impl: Impl) -> None:
    ring = impl.MarketRing(CAPACITY)
    cursor = ring.cursor()
    for seq in range(1, 201):
        ring.append(record(seq))
    got = cursor.poll(1000)["seq"].tolist()
    assert got == list(range(201 - len(got), 201))
    assert len(got) > CAPACITY // 2
    assert cursor.last_gap == cursor.gap == 200 - len(got)
    ring.append(record(201))
    assert cursor.poll()["seq"].tolist() == [201]
    assert cursor.last_gap == 0
    assert cursor.gap == 200 - len(got)


def test_polled_bytes_are_the_records(impl: Impl) -> None:
    ring = impl.MarketRing(CAPACITY)
    cursor = ring.cursor()
    ring.append(record(1))
    ring.append(record(2))
    assert cursor.poll_bytes() == record(1) + record(2)
    assert cursor.poll_bytes() == b""


def test_both_parts_of_a_message_come_together(impl: Impl) -> None:
    ring = impl.MarketRing(CAPACITY)
    cursor = ring.cursor()
    for seq in range(1, 6):
        ring.append(record(seq) + record(seq, part=1))
    sizes = []
    while len(got := cursor.poll(3)):
        assert got["part"].tolist() == [0, 1] * (len(got) // 2)
        sizes.append(len(got))
    assert sum(sizes) == 10
    ring.append(record(6) + record(6, part=1))
    assert len(cursor.poll(1)) == 2


def test_half_a_message_after_a_gap_is_left_out(impl: Impl) -> None:
    ring = impl.MarketRing(CAPACITY)
    cursor = ring.cursor()
    ring.append(record(1))
    for seq in range(2, 60):
        ring.append(record(seq) + record(seq, part=1))
    got = cursor.poll()
    assert got["part"][0] == 0
    assert len(got) + cursor.gap == 1 + 2 * 58


@pytest.mark.parametrize("how", ["array", "bytes"])
def test_a_batch_stands_still_until_the_next_poll(impl: Impl, how: str) -> None:
    ring = impl.MarketRing(CAPACITY)
    cursor = ring.cursor()
    for seq in range(1, 11):
        ring.append(record(seq))
    batch = cursor.poll() if how == "array" else cursor.poll_bytes()
    before = bytes(batch)
    for seq in range(11, 11 + 3 * CAPACITY):
        ring.append(record(seq))
    assert bytes(batch) == before == b"".join(record(seq) for seq in range(1, 11))


def test_each_batch_is_an_array_of_its_own(impl: Impl) -> None:
    ring = impl.MarketRing(4096)
    cursor = ring.cursor()
    ring.append(record(1))
    first = cursor.poll()
    with warnings.catch_warnings(action="ignore", category=DeprecationWarning):  # of numpy, since 2.5
        first.dtype = np.dtype("V64")  # what a program does with its array is not seen by the next poll
    for seq in range(2, 2003):  # more than a cursor's buffer held so far
        ring.append(record(seq))
    assert cursor.poll(2001)["seq"].tolist() == list(range(2, 2003))
    assert len(first) == 1
    ring.append(record(2003))
    last = cursor.poll()
    assert last["seq"].tolist() == [2003] and not last.flags.writeable


@pytest.mark.parametrize("max", [0, -1])
def test_a_poll_for_nothing_is_a_mistake(impl: Impl, max: int) -> None:
    cursor = impl.MarketRing(CAPACITY).cursor()
    for poll in (cursor.poll, cursor.poll_bytes):
        with pytest.raises(ValueError, match="at least 1"):
            poll(max)


def test_more_than_the_ring_holds_at_once(impl: Impl) -> None:
    ring = impl.MarketRing(CAPACITY)
    with pytest.raises(ValueError, match="records"):
        ring.append(record(1) * (CAPACITY + 1))


@pytest.mark.parametrize("size", [0, 63, 65])
def test_only_whole_records(impl: Impl, size: int) -> None:
    with pytest.raises(ValueError, match="records"):
        impl.MarketRing(CAPACITY).append(bytes(size))


@pytest.mark.parametrize("capacity", [0, 32, 100])
def test_only_powers_of_two(impl: Impl, capacity: int) -> None:
    with pytest.raises(ConfigError, match="power of two"):
        impl.MarketRing(capacity)


def test_a_racing_producer_never_tears_a_record(impl: Impl) -> None:
    ring = impl.MarketRing(CAPACITY)
    cursors = [ring.cursor(), ring.cursor()]
    count = 20_000
    done = threading.Event()
    problems: list[str] = []

    def produce() -> None:
        for seq in range(1, count + 1):
            ring.append(record(seq))
        done.set()

    def consume(index: int) -> None:
        cursor = cursors[index]
        last = seen = 0
        while True:
            finished = done.is_set()
            got = cursor.poll(50)
            if len(got):
                seqs = got["seq"].astype(np.int64)
                bodies = np.frombuffer(got["body"].tobytes(), np.uint8).reshape(-1, 32)
                if not (bodies == (seqs & 0xFF).astype(np.uint8)[:, None]).all():
                    problems.append("torn")
                if seqs[0] != last + 1 + cursor.last_gap or not (np.diff(seqs) == 1).all():
                    problems.append(f"{seqs[0]} after {last}, gap {cursor.last_gap}")
                last, seen = int(seqs[-1]), seen + len(got)
            elif finished:
                break
        if seen + cursor.gap != count:
            problems.append(f"{seen} + {cursor.gap} != {count}")

    threads = [threading.Thread(target=consume, args=(i,)) for i in range(2)] + [threading.Thread(target=produce)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert problems == []
