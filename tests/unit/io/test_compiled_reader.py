"""The compiled reader on a socket pair: every end, and the same rings as its plain twin whatever the chunks."""

from __future__ import annotations

import os
import random
import socket
import struct
import threading
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from ibwire import _ring
from ibwire.errors import ConfigError, ConsumerTooSlow, ProtocolError, SessionLost
from ibwire.io import clock, transport
from ibwire.io.reader import CompiledReader, End, Ending, Reader, Receiving, make_reader
from ibwire.io.wait import Bell, RegionBell, Waits
from ibwire.ring import every, impl, log, market, stream
from ibwire.types import incoming as m
from ibwire.wire.codec import Codec, Role
from ibwire.wire.framing import frame

LONG_MS = 10_000
GATEWAY = Codec(176, Role.GATEWAY)
TICK = frame(GATEWAY.encode(m.TickPrice(9, 1, 187.41, Decimal("300.5"))))


class Running:
    """A reader on one end of a socket pair, with rings and cursors of its kind."""

    def __init__(self, kind: str = "compiled", *, limit: int = 1 << 24, first: bytes = b"", **how: Any) -> None:
        rings: tuple[Any, ...] = (impl.MarketRing, impl.LogRing, impl.EveryRing, impl.StreamDecoder)
        if kind == "plain":
            rings = (market.MarketRing, log.LogRing, every.EveryRing, stream.StreamDecoder)
        market_ring, log_ring, every_ring, decoder = rings
        self.market = market_ring(1 << 12)
        self.orders, self.control = log_ring(limit), log_ring(limit)
        self.every = every_ring(self.market, limit)
        self.decoder: Any = decoder(176, self.market, self.orders, self.control, every=self.every)
        self.cursors = [self.every.cursor(), self.orders.cursor(), self.control.cursor()]
        self.bell: Waits = RegionBell(self.market.region) if kind == "compiled" else Bell()
        self.ours, self.theirs = socket.socketpair()
        self.endings: list[Ending] = []
        self.reader = make_reader(
            self.ours, self.decoder, self.bell, self._ended, first=first, how=Receiving(**how)
        )
        assert type(self.reader) is (CompiledReader if kind == "compiled" else Reader)

    def _ended(self, ending: Ending) -> None:
        self.endings.append(ending)
        transport.shut(self.ours)  # as a link does: the peer need not send what nobody takes

    def start(self) -> Running:
        self.reader.start()
        return self

    def wait(self, messages: int) -> None:
        assert self.bell.wait_until(lambda: self.decoder.watermark >= messages or bool(self.endings), LONG_MS)

    def ended(self) -> Ending:
        assert self.reader.join(LONG_MS)
        self.ours.close()
        self.theirs.close()
        (ending,) = self.endings
        assert self.reader.ending is ending
        return ending

    def content(self) -> list[Any]:
        """Everything in the rings, without the times."""
        records, orders, control = self.cursors
        raw = b"".join(iter(lambda: records.poll_bytes(), b""))
        found: list[Any] = [raw[at : at + 8] + raw[at + 16 : at + 64] for at in range(0, len(raw), 64)]
        for cursor in (orders, control):
            found += [(e.seq, e.kind, e.flags, e.code, bytes(e.payload)) for e in cursor.poll(1 << 20)]
        return found


# ------------------------------------------------------------------------------------------------------------- ends


def test_the_peer_closes() -> None:
    run = Running().start()
    run.theirs.sendall(TICK + TICK[:7])
    run.wait(1)
    run.theirs.close()
    ending = run.ended()
    assert ending.end is End.EOF and "in the middle of a frame (7 bytes" in str(ending)
    assert isinstance(ending.error, SessionLost) and run.decoder.watermark == 1


def test_a_half_closed_peer_is_an_end() -> None:
    run = Running().start()
    run.theirs.sendall(TICK)
    run.theirs.shutdown(socket.SHUT_WR)
    assert run.ended().end is End.EOF


@pytest.mark.parametrize("how", [{}, {"spin": True}, {"timers": True}, {"kernel_times": True}])
def test_this_program_stops_it_while_nothing_comes(how: dict[str, Any]) -> None:
    run = Running(**how).start()
    run.theirs.sendall(TICK)
    run.wait(1)
    run.reader.stop()
    assert run.ended().end is End.CLOSED


@pytest.mark.parametrize("spin", [False, True])
def test_a_reset_is_an_error(spin: bool) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        ours = socket.create_connection(listener.getsockname())
        theirs, _ = listener.accept()
    run = Running()
    endings: list[Ending] = []
    reader = make_reader(ours, run.decoder, run.bell, endings.append, how=Receiving(spin=spin))
    reader.start()
    theirs.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    theirs.close()
    assert reader.join(LONG_MS)
    ours.close()
    run.ours.close()
    run.theirs.close()
    assert endings[0].end is End.ERROR
    assert "connection broke: Connection reset" in str(endings[0])


def test_lost_framing_after_good_messages() -> None:
    run = Running().start()
    run.theirs.sendall(TICK * 3 + b"\xff\xff\xff\xff")
    ending = run.ended()
    assert ending.end is End.PROTOCOL and isinstance(ending.error, ProtocolError)
    assert run.decoder.watermark == 3 and len(run.content()) == 3


def test_a_consumer_that_is_too_slow() -> None:
    run = Running(limit=1 << 20).start()
    error = frame(GATEWAY.encode(m.Error(id=1, errorCode=200, errorMsg="x" * 1000)))
    try:
        run.theirs.sendall(error * 2000)
    except OSError:  # it hangs up in the middle
        pass
    ending = run.ended()
    assert ending.end is End.TOO_SLOW and isinstance(ending.error, ConsumerTooSlow)
    assert len(run.cursors[1].poll(5000)) == run.decoder.watermark


def test_everything_before_the_end_wakes_and_is_there() -> None:
    run = Running().start()
    seen = run.bell.count
    run.theirs.sendall(TICK * 100)
    run.theirs.close()
    assert run.ended().end is End.EOF
    assert run.bell.count > seen and len(run.content()) == 100


def test_a_callback_that_raises_still_wakes_waiters(monkeypatch: pytest.MonkeyPatch) -> None:
    caught: list[object] = []
    monkeypatch.setattr(threading, "excepthook", caught.append)
    run = Running()

    def bad(ending: Ending) -> None:
        raise RuntimeError("in a callback")

    run.reader._on_end = bad
    run.start()
    run.theirs.close()
    assert run.bell.wait_until(lambda: run.reader.ending is not None, LONG_MS)
    assert run.reader.join(LONG_MS)
    run.ours.close()
    assert len(caught) == 1


@pytest.mark.parametrize("size", [0, 4095, 1 << 29])
def test_a_buffer_that_cannot_be(size: int) -> None:
    with pytest.raises(ConfigError, match="receive buffer"):
        Receiving(buffer_bytes=size)


# ------------------------------------------------------------------------------------------------ the same as the twin


def traffic(rng: random.Random, count: int) -> bytes:
    """Frames of every ring, some long, some undecodable."""
    makers: list[Callable[[], bytes]] = [
        lambda: GATEWAY.encode(m.TickPrice(rng.randrange(100), 1, rng.random() * 1000, Decimal(rng.randrange(10**6)))),
        lambda: GATEWAY.encode(m.TickSize(rng.randrange(100), 0, Decimal(rng.randrange(10**6)))),
        lambda: GATEWAY.encode(m.TickString(3, 45, "x" * rng.randrange(300))),
        lambda: GATEWAY.encode(m.Error(id=7, errorCode=202, errorMsg="gone" * rng.randrange(500))),
        lambda: GATEWAY.encode(m.CurrentTime(1_700_000_000 + rng.randrange(1000))),
        lambda: b"1\0" + b"6\0" + b"broken\0",
        lambda: b"199\0unknown\0",
    ]
    return b"".join(frame(rng.choice(makers)()) for _ in range(count))


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("buffer_bytes", [4096, 1 << 18])
def test_any_chunks_give_what_the_twin_gives(seed: int, buffer_bytes: int) -> None:
    rng = random.Random(seed)
    data = traffic(rng, 3000)
    head = rng.randrange(200)
    found = []
    for kind in ("plain", "compiled"):
        run = Running(kind, first=data[:head], buffer_bytes=buffer_bytes).start()
        chunks, at = random.Random(seed), head
        while at < len(data):
            step = chunks.choice((1, 3, 50, 700, 9000, 100_000))
            run.theirs.sendall(data[at : at + step])
            at += step
        run.theirs.close()
        assert run.ended().end is End.EOF
        found.append((run.decoder.watermark, run.content(), run.decoder.counters()[1]))
    assert found[0][0] == 3000
    assert found[0] == found[1]


# ---------------------------------------------------------------------------------------------------- by one receive


@pytest.mark.parametrize("kind", ["plain", "compiled"])
def test_one_receive_at_a_time(kind: str) -> None:
    run = Running(kind, first=TICK)
    assert run.reader.receive(0) == 1  # what came with the handshake
    assert run.reader.receive(0) == -1
    assert run.reader.receive(5) == -1
    run.theirs.sendall(TICK * 2 + TICK[:5])
    assert run.reader.receive(None) == 2
    run.theirs.sendall(TICK[5:])
    assert run.reader.receive(LONG_MS) == 1
    run.theirs.sendall(TICK + b"\0\0\0\0")
    assert run.reader.receive(LONG_MS) == 1  # what was good is told, and the end too
    assert run.endings[0].end is End.PROTOCOL
    assert run.reader.receive(LONG_MS) == 0
    assert len(run.content()) == 5
    run.ours.close()
    run.theirs.close()


@pytest.mark.parametrize("kind", ["plain", "compiled"])
def test_one_receive_finds_the_end(kind: str) -> None:
    run = Running(kind)
    run.theirs.close()
    assert run.reader.receive(LONG_MS) == 0
    assert run.endings[0].end is End.EOF
    run.ours.close()


def test_a_spinning_receive_has_a_limit_too() -> None:
    run = Running(spin=True)
    assert run.reader.receive(5) == -1
    run.theirs.sendall(TICK)
    assert run.reader.receive(LONG_MS) == 1
    run.ours.close()
    run.theirs.close()


# ------------------------------------------------------------------------------------------------------------- times


@pytest.mark.parametrize("kind", ["plain", "compiled"])
def test_records_of_one_receive_share_its_time(kind: str) -> None:
    run = Running(kind)
    before = clock.now_ns()
    run.theirs.sendall(TICK * 3)
    assert run.reader.receive(LONG_MS) == 3
    raw = run.cursors[0].poll_bytes()
    stamps = {struct.unpack_from("<q", raw, at + 8)[0] for at in range(0, len(raw), 64)}
    receive_ns, offset = run.reader.clocks
    assert stamps == {receive_ns} and before <= receive_ns <= clock.now_ns()
    assert abs(receive_ns + offset - clock.wall_ns()) < 60_000_000_000
    run.ours.close()
    run.theirs.close()


@pytest.mark.parametrize("kind", ["plain", "compiled"])
def test_kernel_times_are_when_the_bytes_came_not_when_they_were_taken(kind: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        ours = socket.create_connection(listener.getsockname())
        theirs, _ = listener.accept()
    run = Running(kind)
    endings: list[Ending] = []
    reader = make_reader(ours, run.decoder, run.bell, endings.append, how=Receiving(kernel_times=True))
    stamps: list[int] = []
    for _ in range(200):  # the kernel begins to stamp a moment after it was asked to
        begin = clock.now_ns()
        theirs.sendall(TICK)
        sent = clock.now_ns()
        threading.Event().wait(0.002)
        taken = clock.now_ns()
        assert reader.receive(LONG_MS) == 1
        (stamp,) = struct.unpack_from("<q", run.cursors[0].poll_bytes(), 8)
        stamps.append(stamp)
        if begin <= stamp <= sent < taken:
            break
    else:
        pytest.fail("no time of the kernel's")
    assert stamps == sorted(stamps)
    for sock in (ours, theirs, run.ours, run.theirs):
        sock.close()


def test_stages_are_timed_where_asked_for() -> None:
    run = Running(timers=True).start()
    for count in range(1, 6):
        run.theirs.sendall(TICK)
        run.wait(count)
    run.theirs.close()
    run.ended()
    times = run.reader.times
    assert {stage: sum(times.buckets(stage)) > 0 for stage in ("receive", "decode", "publish", "dispatch")} == {
        "receive": True,
        "decode": True,
        "publish": True,
        "dispatch": False,
    }
    other = Running()
    assert other.reader.times is None and sum(times.buckets("step")) == sum(times.buckets("publish"))
    other.ours.close()
    other.theirs.close()


def test_memory_is_given_back_while_nothing_comes() -> None:
    run = Running().start()
    error = frame(GATEWAY.encode(m.Error(id=1, errorCode=200, errorMsg="x" * 1000)))
    run.theirs.sendall(error * 4000)
    run.wait(4000)
    held = run.orders.held_bytes
    assert len(run.cursors[1].poll(5000)) == 4000
    assert held > 3 << 20
    # Only the reader gives segments back, and nothing wakes it now.
    assert _soon(lambda: run.orders.held_bytes <= 2 << 20)
    run.reader.stop()
    run.ended()


def test_what_steps_with_a_publication_is_told_when_nothing_comes() -> None:
    run = Running(timers=True)
    counted = _ring.StepCount()
    run.market.region.step_with(_ring.StepBoth(_ring.Stepper(), counted))
    run.start()
    run.theirs.sendall(TICK * 3)
    run.wait(3)
    assert counted.steps >= 1 and (counted.head, counted.seq) == (3, 3)
    before = counted.idles
    assert _soon(lambda: counted.idles >= before + 2)  # about twice a second
    run.reader.stop()
    run.ended()


def _soon(condition: Callable[[], bool]) -> bool:
    pause = threading.Event()
    return any(condition() or pause.wait(0.05) for _ in range(200))


def test_the_reader_closes_no_descriptor_of_others() -> None:
    before = set(os.listdir("/proc/self/fd"))
    run = Running().start()
    run.theirs.close()
    run.ended()
    del run
    assert set(os.listdir("/proc/self/fd")) <= before
