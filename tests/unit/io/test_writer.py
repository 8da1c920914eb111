from __future__ import annotations

import pickle
import socket
import threading
import time
from collections.abc import Iterator

import pytest

from ibwire.errors import PacingError, SessionLost
from ibwire.io import transport
from ibwire.io.writer import InlineWriter, SendFailed, Writer
from ibwire.session.pacing import Pacing, Traffic

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


@pytest.mark.parametrize("size", [20, 4 * MIB])
def test_a_send_says_when_the_kernel_had_the_last_byte(pair: Pair, size: int) -> None:
    ours, theirs = pair
    ours.setblocking(True)
    got: list[bytes] = []
    reader = threading.Thread(target=lambda: got.append(read_all(theirs, size)))
    reader.start()
    before = time.monotonic_ns()
    sent_ns = Writer(ours).send(b"x" * size)
    assert before < sent_ns <= time.monotonic_ns()
    reader.join()
    assert got == [b"x" * size]


def test_a_send_to_a_closed_socket_is_an_error(pair: Pair) -> None:
    ours, _ = pair
    writer = Writer(ours)
    ours.close()
    with pytest.raises(SendFailed, match="Bad file descriptor") as caught:
        writer.send(b"x")
    assert caught.value.wrote_bytes == 0


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


def slow(pair: Pair, rate: int = 2, max_queue_ms: float = 30.0) -> Writer:
    return Writer(pair[0], Pacing(rate_per_s=rate, reserved=0, max_queue_ms=max_queue_ms))


def test_past_the_rate_a_send_waits_and_then_says_that_nothing_was_sent(pair: Pair) -> None:
    writer = slow(pair)
    writer.send(b"a")
    writer.send(b"b")
    with pytest.raises(PacingError, match="nothing was sent") as caught:
        writer.send(b"c")
    assert caught.value.retry_after_ms is not None
    assert (pair[1].recv(100), writer.messages) == (b"ab", 2)
    assert writer.queue is not None
    assert (writer.queue.refused, len(writer.queue)) == (1, 0)


def test_a_turn_that_was_taken_is_not_taken_again(pair: Pair) -> None:
    writer = slow(pair, rate=1)
    writer.turn()
    writer.send(b"a", traffic=None)
    with pytest.raises(PacingError):
        writer.turn()
    assert pair[1].recv(100) == b"a"


def test_a_cancel_goes_before_messages_that_waited_longer(pair: Pair) -> None:
    ours, theirs = pair
    writer = Writer(ours, Pacing(rate_per_s=1, reserved=0, max_queue_ms=60_000))
    writer.send(b"0")
    rest = threading.Thread(target=writer.send, args=(b"rest",))
    rest.start()
    assert writer.queue is not None
    while not writer.queue.waited:
        pass
    cancel = threading.Thread(target=writer.send, args=(b"cancel", 1, Traffic.CANCEL))
    cancel.start()
    cancel.join()
    rest.join()
    assert read_all(theirs, 11) == b"0cancelrest"


def test_who_waits_for_a_turn_hears_of_the_end(pair: Pair) -> None:
    writer = slow(pair, rate=1, max_queue_ms=600_000)
    writer.send(b"a")
    caught: list[SendFailed] = []

    def send() -> None:
        try:
            writer.send(b"b", 1, Traffic.CANCEL)
        except SendFailed as exc:
            caught.append(exc)

    thread = threading.Thread(target=send)
    thread.start()
    assert writer.queue is not None
    while not writer.queue.waited:
        pass
    writer.stop("the gateway closed")
    thread.join()
    assert [error.wrote_bytes for error in caught] == [0]
    assert len(writer.queue) == 0


def test_inline_what_comes_in_is_received_while_a_message_waits(pair: Pair) -> None:
    ours, theirs = pair
    got: list[bytes] = []
    pacing = Pacing(rate_per_s=1, reserved=0, max_queue_ms=60_000)
    writer = InlineWriter(ours, lambda: got.append(ours.recv(100)), pacing)
    writer.send(b"a")
    theirs.send(b"tick")
    writer.send(b"b")
    assert got == [b"tick"]
    assert read_all(theirs, 2) == b"ab"


def test_who_waits_for_a_turn_is_not_told_of_a_send_that_is_under_way(pair: Pair) -> None:
    ours, theirs = pair
    writer = Writer(ours, Pacing(rate_per_s=1, reserved=0, max_queue_ms=60_000))
    long = threading.Thread(target=writer.send, args=(bytes(MIB),))
    long.start()
    theirs.recv(10)  # it has begun, and cannot end
    caught: list[BaseException] = []

    def wait() -> None:
        try:
            writer.turn()
        except BaseException as error:
            caught.append(error)

    thread = threading.Thread(target=wait)
    thread.start()
    thread.join(20)
    assert (thread.is_alive(), caught) == (False, [])
    assert len(read_all(theirs, MIB - 10)) == MIB - 10
    long.join()
