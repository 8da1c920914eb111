"""The bench's own senders and receivers say what happened: counts and checksums, never times."""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterator

import pytest

from benchmarks import mixes, wire
from benchmarks.sender import BLOCK, Sender
from benchmarks.wire import Wire

by_dialect = pytest.mark.parametrize("dialect", mixes.DIALECTS)
by_way = pytest.mark.parametrize("spin", [False, True], ids=["blocking", "spinning"])


@pytest.fixture(scope="module")
def tools(tmp_path_factory: pytest.TempPathFactory) -> Wire:
    return Wire(tmp_path_factory.mktemp("wire"))


@pytest.fixture(scope="module")
def sender() -> Iterator[Sender]:
    with Sender() as child:
        yield child


def _client(port: int) -> socket.socket:
    return wire.begin(wire.connect(port))


def _tails(frames: list[bytes]) -> int:
    return sum(struct.unpack("<Q", frame[-8:])[0] for frame in frames)


@by_way
@by_dialect
def test_a_flood_arrives_byte_for_byte(tools: Wire, sender: Sender, dialect: str, spin: bool) -> None:
    count = 30_000
    frames = list(mixes.frames("M1", dialect, count, seed=4))
    with _client(sender.flood(dialect, count, seed=4)) as sock:
        length, checksum = tools.receive_flood(sock, count, spin=spin)
    assert length == sum(map(len, frames))
    assert checksum == _tails(frames) % 2**64
    assert sender.sent() == {"messages": count, "bytes": length}


def test_a_long_flood_repeats_its_block(tools: Wire, sender: Sender) -> None:
    count = 2 * BLOCK + 17
    frames = list(mixes.frames("M1", "t176", BLOCK, seed=1))
    with _client(sender.flood("t176", count)) as sock:
        length, checksum = tools.receive_flood(sock, count, spin=False)
    assert length == 2 * sum(map(len, frames)) + sum(map(len, frames[:17]))
    assert checksum == (2 * _tails(frames) + _tails(frames[:17])) % 2**64


@by_dialect
def test_the_same_frames_in_python(sender: Sender, dialect: str) -> None:
    with _client(sender.flood(dialect, 500, seed=4)) as sock:
        found = [wire.take_frame(sock) for _ in range(500)]
    assert found == list(mixes.payloads(mixes.mix("M1", dialect, 500, seed=4)))


@pytest.mark.parametrize("spin_sender", [False, True])
@by_way
@by_dialect
def test_every_stamp_arrives(tools: Wire, sender: Sender, dialect: str, spin: bool, spin_sender: bool) -> None:
    count = 400
    with _client(sender.paced(dialect, count, 20_000, spin=spin_sender)) as sock:
        times = tools.receive_paced(sock, wire.stamped(dialect), count, spin=spin)
    assert len(times) == count
    assert all(0 < time_ns < wire.STAMP_MODULUS for time_ns in times)
    assert sender.sent()["messages"] == count


@by_dialect
def test_stamps_are_the_senders_clock(sender: Sender, dialect: str) -> None:
    count, what = 300, wire.stamped(dialect)
    with _client(sender.paced(dialect, count, 20_000, spin=False)) as sock:
        frames = [wire.take(sock, len(what.frame)) for _ in range(count)]
    digits = slice(what.digits_at, what.digits_at + 9)
    for frame in frames:  # nothing else differs
        assert frame[: digits.start] + what.frame[digits] + frame[digits.stop :] == what.frame
    sent = sender.sent()
    assert sum(int(frame[digits]) for frame in frames) == sent["sum"]


def test_a_client_that_does_not_come_is_not_waited_for(tools: Wire, sender: Sender) -> None:
    sender.paced("t176", 100, 1000, spin=False)
    with _client(sender.flood("t176", 10)) as sock:
        tools.receive_flood(sock, 10, spin=False)
    assert sender.sent()["messages"] == 10


def test_a_receiver_says_when_the_sender_leaves(tools: Wire, sender: Sender) -> None:
    with _client(sender.flood("t176", 10)) as sock:
        sock.shutdown(1)  # the sender ends with the client
        with pytest.raises(ConnectionResetError):
            tools.receive_flood(sock, 11, spin=False)


@pytest.mark.parametrize("processes", [False, True], ids=["threads", "processes"])
def test_a_hand_over_loses_nothing(tools: Wire, processes: bool) -> None:
    count = 100_000  # the ring goes round six times
    _ns, checksum = tools.hand_over(count, processes=processes)
    assert checksum == wire.hand_over_checksum(count)
    times, checksum = tools.hand_over_one_way(2000, 100_000, processes=processes)
    assert len(times) == 2000 and min(times) >= 0
    assert checksum == wire.hand_over_checksum(2000)


def test_copies_refuse_what_does_not_fit(tools: Wire) -> None:
    assert tools.copy_ns(256, 10) >= 0
    with pytest.raises(OSError, match="copies"):
        tools.copy_ns(1 << 15, 1)


def test_one_way_goes_over_the_end_of_a_second() -> None:
    assert wire.one_way_ns(5_000_000_100, 1_000_000_000 + 999_999_900) == 200
    assert wire.one_way_ns(5_000_000_100, 1_000_000_090.0) == 10


def test_quantiles_leave_out_the_first_half() -> None:
    found = wire.quantiles([10_000] * 100 + list(range(100)))
    assert (found.p50, found.p99, found.maximum, found.count) == (49, 98, 99, 100)
