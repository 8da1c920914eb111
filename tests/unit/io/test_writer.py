from __future__ import annotations

import pickle
import socket
import threading
from collections.abc import Iterator

import pytest

from ibwire.errors import SessionLost
from ibwire.io import transport
from ibwire.io.writer import SendFailed, Writer

MIB = 1 << 20
Pair = tuple[socket.socket, socket.socket]


@pytest.fixture
def pair() -> Iterator[Pair]:
    ours, theirs = socket.socketpair()
    ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
    with ours, theirs:
        yield ours, theirs


def read_all(sock: socket.socket, size: int) -> bytes:
    out = bytearray()
    while len(out) < size:
        data = sock.recv(1000)  # a slow reader: small bites
        if not data:
            break
        out += data
    return bytes(out)


def test_a_frame_larger_than_the_buffer_arrives_whole(pair: Pair) -> None:
    ours, theirs = pair
    ours.setblocking(True)
    data = bytes(range(256)) * 8192
    got: list[bytes] = []
    reader = threading.Thread(target=lambda: got.append(read_all(theirs, len(data))))
    reader.start()
    writer = Writer(ours)
    writer.send(data)
    reader.join()
    assert got == [data]
    assert (writer.messages, writer.bytes) == (1, len(data))


def test_what_the_kernel_takes_in_part_is_sent_on() -> None:
    class Stingy(socket.socket):
        def send(self, data: object, flags: int = 0, /) -> int:
            return super().send(memoryview(data)[:7], flags)  # type: ignore[arg-type]

    left, right = socket.socketpair()
    with right, Stingy(fileno=left.detach()) as ours:
        writer = Writer(ours)
        writer.send(b"x" * 20)
        assert right.recv(100) == b"x" * 20
        assert writer.partial_sends == 2


def test_frames_of_many_threads_never_mix(pair: Pair) -> None:
    ours, theirs = pair
    writer = Writer(ours)
    size, each = 3000, 30

    def send(letter: int) -> None:
        for _ in range(each):
            writer.send(bytes([letter]) * size)

    threads = [threading.Thread(target=send, args=(65 + i,)) for i in range(4)]
    for thread in threads:
        thread.start()
    data = read_all(theirs, size * each * 4)
    for thread in threads:
        thread.join()
    frames = [data[i : i + size] for i in range(0, len(data), size)]
    assert all(len(set(f)) == 1 for f in frames)
    assert writer.messages == len(frames) == each * 4


def test_a_broken_connection_says_how_much_went_out(pair: Pair) -> None:
    ours, theirs = pair
    writer = Writer(ours)
    caught: list[SendFailed] = []

    def send() -> None:
        try:
            writer.send(bytes(4 * MIB))
        except SendFailed as exc:
            caught.append(exc)

    thread = threading.Thread(target=send)
    thread.start()
    theirs.recv(10)  # the send has begun; it cannot end
    transport.shut(ours)  # from another thread
    thread.join()
    (error,) = caught
    assert 0 < error.wrote_bytes < 4 * MIB
    assert isinstance(error, SessionLost)
    assert pickle.loads(pickle.dumps(error)).wrote_bytes == error.wrote_bytes
    with pytest.raises(SendFailed, match="nothing was sent") as later:
        writer.send(b"x")
    assert later.value.wrote_bytes == 0
    assert writer.messages == 0


def test_an_interrupted_send_ends_the_connection() -> None:
    class Interrupted(socket.socket):
        def send(self, data: object, flags: int = 0, /) -> int:
            super().send(memoryview(data)[:3], flags)  # type: ignore[arg-type]
            raise KeyboardInterrupt

    left, right = socket.socketpair()
    with right, Interrupted(fileno=left.detach()) as ours:
        writer = Writer(ours)
        with pytest.raises(KeyboardInterrupt):
            writer.send(b"abcdef")
        assert right.recv(100) == b"abc"
        assert right.recv(100) == b""  # half a frame is followed by the end, never by another frame
        with pytest.raises(SendFailed, match="interrupted"):
            writer.send(b"next")


def test_a_stopped_writer_says_why(pair: Pair) -> None:
    writer = Writer(pair[0])
    writer.stop("the gateway closed the connection")
    with pytest.raises(SendFailed, match="the gateway closed"):
        writer.send(b"x")


def test_a_stop_during_a_send_holds(pair: Pair) -> None:
    ours, theirs = pair
    writer = Writer(ours)
    thread = threading.Thread(target=writer.send, args=(bytes(MIB),))
    thread.start()
    theirs.recv(10)  # the send has begun
    writer.stop("the end")
    assert len(read_all(theirs, MIB - 10)) == MIB - 10
    thread.join()
    with pytest.raises(SendFailed, match="the end"):
        writer.send(b"x")
