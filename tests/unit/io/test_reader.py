from __future__ import annotations

import socket
import threading

import pytest

from ibwire.errors import ConsumerTooSlow, ProtocolError, SessionLost
from ibwire.io import transport
from ibwire.io.reader import End, Ending, Reader
from ibwire.io.wait import Bell


class Sink:
    """A decoder that keeps what it is given."""

    def __init__(self, error: Exception | None = None) -> None:
        self.data = bytearray()
        self.times: list[int] = []
        self.threads: set[str] = set()
        self.pending_bytes = 0
        self.error = error

    def receive(self, data: memoryview, recv_ns: int, /) -> int:
        self.data += data
        self.times.append(recv_ns)
        self.threads.add(threading.current_thread().name)
        if self.error is not None:
            raise self.error
        return 1


class Running:
    """A started reader on one end of a socket pair."""

    def __init__(self, sink: Sink, first: bytes = b"") -> None:
        self.sink, self.bell = sink, Bell()
        self.ours, self.theirs = socket.socketpair()
        self.endings: list[Ending] = []
        self.reader = Reader(self.ours, sink, self.bell, self.endings.append, first=first)
        self.reader.start()

    def wait(self, size: int) -> None:
        assert self.bell.wait_until(lambda: len(self.sink.data) >= size, 10_000)

    def ended(self) -> Ending:
        assert self.reader.join(10_000)
        self.ours.close()
        self.theirs.close()
        (ending,) = self.endings
        assert self.reader.ending is ending
        return ending


@pytest.mark.parametrize("size", [4096, 8192, 12288])
def test_a_burst_and_then_silence_is_taken_whole(size: int) -> None:
    run = Running(Sink())
    data = bytes(i % 251 for i in range(size))
    run.theirs.sendall(data)
    run.wait(size)
    assert bytes(run.sink.data) == data
    assert run.endings == []
    run.theirs.close()
    run.ended()


def test_what_came_before_comes_first() -> None:
    run = Running(Sink(), first=b"before ")
    run.theirs.sendall(b"after")
    run.wait(12)
    assert run.sink.data == b"before after"
    assert run.sink.threads == {"ibwire-reader"}
    assert run.sink.times == sorted(run.sink.times)
    run.theirs.close()
    run.ended()


@pytest.mark.parametrize("pending", [0, 5])
def test_the_end_by_the_peer(pending: int) -> None:
    run = Running(Sink())
    run.sink.pending_bytes = pending
    run.theirs.close()
    ending = run.ended()
    assert ending.end is End.EOF
    assert isinstance(ending.error, SessionLost)
    assert ("middle of a frame (5 bytes" in str(ending)) is bool(pending)


def test_the_end_by_this_program() -> None:
    run = Running(Sink())
    run.reader.expect_close()
    transport.shut(run.ours)
    assert run.ended().end is End.CLOSED


@pytest.mark.parametrize(
    ("error", "end"),
    [
        (ProtocolError("framing is lost"), End.PROTOCOL),
        (ConsumerTooSlow("behind"), End.TOO_SLOW),
        (RuntimeError("a defect"), End.FAILED),
    ],
)
def test_the_end_by_what_came(error: Exception, end: End) -> None:
    run = Running(Sink(error))
    seen = run.bell.count
    run.theirs.sendall(b"x")
    ending = run.ended()
    assert ending.end is end
    assert str(error) in str(ending)
    assert ending.error is error or ending.error.__cause__ is error
    assert run.bell.count > seen


def test_the_end_by_the_network() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        ours = socket.create_connection(listener.getsockname())
        theirs, _ = listener.accept()
    theirs.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    endings: list[Ending] = []
    reader = Reader(ours, Sink(), Bell(), endings.append)
    reader.start()
    theirs.close()  # a reset
    assert reader.join(10_000)
    ours.close()
    assert [e.end for e in endings] == [End.ERROR]
    assert "connection broke" in str(endings[0])


def test_a_callback_that_raises_still_wakes_waiters(monkeypatch: pytest.MonkeyPatch) -> None:
    caught: list[object] = []
    monkeypatch.setattr(threading, "excepthook", caught.append)
    ours, theirs = socket.socketpair()
    bell = Bell()

    def bad(ending: Ending) -> None:
        raise RuntimeError("in a callback")

    reader = Reader(ours, Sink(), bell, bad)
    reader.start()
    theirs.close()
    assert bell.wait_until(lambda: bell.count > 0, 10_000)
    assert reader.join(10_000)
    ours.close()
    assert reader.ending is not None
    assert len(caught) == 1
