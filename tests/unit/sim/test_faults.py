"""The line: whole frames in, segments out, with every fault alone and together."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ibwire.sim.clock import VirtualClock
from ibwire.sim.faults import Line
from ibwire.sim.rng import Rng

MS = 1_000_000
FRAMES = [bytes([0, 0, 0, n]) + bytes([n]) * n for n in range(1, 6)]


def line() -> tuple[VirtualClock, Line]:
    clock = VirtualClock(0)
    return clock, Line(clock, Rng.of(1, "line"))


def take(line: Line) -> list[bytes]:
    out = []
    while line.segments:
        out.append(bytes(line.segments[0]))
        line.sent(len(out[-1]))
    return out


def test_without_faults_neighbours_share_a_segment() -> None:
    _, one = line()
    for frame in FRAMES:
        one.put(frame)
    assert one.backlog_bytes == sum(map(len, FRAMES))
    one.sent(3)
    assert take(one) == [b"".join(FRAMES)[3:]] and one.backlog_bytes == 0 and one.drained


@given(
    st.integers(0, 5), st.integers(0, 7), st.integers(0, 3), st.integers(0, 9), st.lists(st.integers(0, 4), max_size=6)
)
def test_latency_splitting_and_coalescing_compose_and_lose_nothing(
    latency: int, split: int, gap: int, window: int, pauses: list[int]
) -> None:
    clock, one = line()
    one.latency_ns, one.split_bytes, one.split_gap_ns, one.coalesce_ns = latency * MS, split, gap * MS, window * MS
    sent, out = b"", b""
    for number, pause in enumerate(pauses):
        frame = FRAMES[number % len(FRAMES)]
        sent += frame
        one.put(frame)
        clock.advance(clock.now_ns + pause * MS)
        segments = take(one)
        assert not split or all(len(segment) <= split for segment in segments)
        out += b"".join(segments)
    clock.advance(clock.now_ns + 10**12)
    assert out + b"".join(take(one)) == sent and one.drained and one.backlog_bytes == 0


def test_coalescing_gathers_a_window() -> None:
    clock, one = line()
    one.coalesce_ns = 10 * MS
    for frame in FRAMES[:3]:
        one.put(frame)
        clock.advance(clock.now_ns + 3 * MS)
    assert take(one) == []
    clock.advance(10 * MS)
    assert take(one) == [b"".join(FRAMES[:3])]


def test_a_cut_frame_ends_the_connection() -> None:
    _, one = line()
    one.put(FRAMES[3])
    one.cut_next(6)
    one.put(FRAMES[4])
    one.put(FRAMES[2])
    assert take(one) == [FRAMES[3] + FRAMES[4][:6]] and one.ended == "close"


@pytest.mark.parametrize("at", [None, 0, 3, 100])
def test_corruption_flips_one_bit(at: int | None) -> None:
    _, one = line()
    one.corrupt_next(2, at)
    for frame in FRAMES[:3]:
        one.put(frame)
    (got,) = take(one)
    flipped = int.from_bytes(got, "big") ^ int.from_bytes(b"".join(FRAMES[:3]), "big")
    assert flipped.bit_count() == 2 and got.endswith(FRAMES[2])


def test_silence_is_for_good() -> None:
    clock, one = line()
    one.latency_ns = MS
    one.put(FRAMES[0])
    one.silence()
    one.put(FRAMES[1])
    clock.advance(10 * MS)
    assert take(one) == [] and one.backlog_bytes == 0 and one.ended == ""
    for how in ("reset", "close"):
        one.end(how)
    assert str(one.ended) == "reset"
