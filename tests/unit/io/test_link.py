from __future__ import annotations

import socket
import threading
from decimal import Decimal
from typing import Any

import pytest

from ibwire.errors import ConfigError, ConnectError, ProtocolError, SessionLost, WaitTimeout
from ibwire.io.link import Link
from ibwire.io.reader import End, Ending
from ibwire.ring import impl
from ibwire.session.handshake import RedirectReply, Reply, encode_reply
from ibwire.types import incoming as m
from ibwire.types.outgoing import ReqOpenOrders, StartApi
from ibwire.wire.codec import Codec, Role
from ibwire.wire.framing import frame
from tests.unit.io.peer import TIME, Connection, Peer

LONG_MS = 10_000
VERSIONS = [100, 176, 200, 201, 213, 225]


def greet(conn: Connection) -> None:
    """startApi in, accounts and first id out, then silence until the client leaves."""
    start = conn.message()
    assert isinstance(start, StartApi)
    conn.send(m.ManagedAccounts("DU0000001,"), m.NextValidId(41))
    while conn.message() is not None:
        pass


def entries(link: Link, count: int) -> list[Any]:
    """The first ``count`` control entries."""
    cursor, got = link.control.cursor(from_start=True), []

    def look() -> bool:
        got.extend(cursor.poll())
        return len(got) >= count or link.closed

    assert link.bell.wait_until(look, LONG_MS)
    return got


@pytest.mark.parametrize("version", VERSIONS)
def test_a_session_from_hello_to_ready(version: int) -> None:
    starts: list[Any] = []

    def script(conn: Connection) -> None:
        starts.append(conn.message())
        conn.send(m.NextValidId(41), m.ManagedAccounts("DU0000001,DU0000002"))
        starts.append(conn.message())
        assert conn.message() is None

    with Peer(script, server_version=version) as peer:
        with Link.open("127.0.0.1", peer.port, 7, optional_capabilities="x") as link:
            assert (link.server_version, link.connection_time) == (version, TIME)
            link.wait_ready(LONG_MS)
            readiness = link.session.readiness
            assert (readiness.next_valid_id, readiness.accounts) == (41, ("DU0000001", "DU0000002"))
            link.send(link.encode(ReqOpenOrders()))
            assert not link.closed
        assert link.closed_reason == "this program closed the connection"
    assert starts == [StartApi(7, "x"), ReqOpenOrders()]


def test_a_pin_keeps_the_session_in_text() -> None:
    with Peer(greet, server_version=225) as peer:
        with Link.open("127.0.0.1", peer.port, max_server_version=200) as link:
            assert link.server_version == 200
            link.wait_ready(LONG_MS)
            assert all(e.payload[0:1].isdigit() for e in entries(link, 2))


def test_what_comes_with_the_handshake_is_not_lost() -> None:
    def raw(sock: socket.socket) -> None:
        sock.recv(100)
        gateway = Codec(176, Role.GATEWAY)
        extra = frame(gateway.encode(m.NextValidId(5)))
        sock.sendall(encode_reply(Reply(176, TIME)) + extra + extra[:3])
        sock.sendall(extra[3:])
        sock.recv(100)

    with Peer(raw=raw) as peer, Link.open("127.0.0.1", peer.port) as link:
        assert [(e.seq, e.kind) for e in entries(link, 2)] == [(1, 9), (2, 9)]


def burst(size: int) -> bytes:
    """Whole frames of exactly ``size`` bytes."""
    gateway = Codec(176, Role.GATEWAY)
    one = frame(gateway.encode(m.CurrentTime(1_700_000_000)))
    many = one * (size // len(one) - 2)
    head = gateway.encode(m.ManagedAccounts(""))
    return many + frame(head[:-1] + b"A" * (size - len(many) - 4 - len(head)) + b"\0")


@pytest.mark.parametrize("size", [4096, 8192, 12288])
def test_a_burst_followed_by_silence_is_delivered_whole(size: int) -> None:
    data = burst(size)
    assert len(data) == size

    def script(conn: Connection) -> None:
        conn.payload()
        conn.sock.sendall(data)
        conn.payload()

    with Peer(script) as peer, Link.open("127.0.0.1", peer.port) as link:
        count = data.count(frame(b"49\x001\x001700000000\0")) + 1
        got = entries(link, count)
        assert b"".join(frame(e.payload) for e in got) == data
        assert link.decoder.pending_bytes == 0


def collect(link: Link, upto: int) -> list[Any]:
    """Everything up to a sequence number, through the dispatcher."""
    seen: list[Any] = []
    dispatcher = link.dispatcher(
        lambda e: seen.append((e.seq, e.kind, e.flags, bytes(e.payload))),
        lambda records: seen.append(bytes(records[:8]) + bytes(records[16:64])),
    )
    link.start()

    def look() -> bool:
        dispatcher.dispatch()
        return link.decoder.watermark >= upto and dispatcher.dispatch() == 0

    assert link.bell.wait_until(look, LONG_MS)
    dispatcher.close()
    return seen


@pytest.mark.parametrize("step", [1, 7, 1000])
def test_any_segmentation_gives_the_same_stream(step: int) -> None:
    messages = [
        m.TickPrice(9, 1, 187.41, Decimal("300.5")),
        m.NextValidId(5),
        m.Error(id=7, errorCode=202, errorMsg="gone"),
        m.TickString(3, 45, "x" * 200),
        m.TickSize(9, 0, Decimal(1)),
    ]

    def stream(step: int) -> list[Any]:
        def script(conn: Connection) -> None:
            conn.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            conn.payload()
            data = conn.wire(*messages)
            for i in range(0, len(data), step):
                conn.sock.sendall(data[i : i + step])
            conn.payload()

        with Peer(script) as peer, Link.open("127.0.0.1", peer.port, start=False) as link:
            return collect(link, len(messages))

    got = stream(step)
    assert got == stream(1 << 20)
    assert len(got) == len(messages)


def test_a_slow_gateway_gets_large_messages_whole() -> None:
    got: list[bytes | None] = []
    release = threading.Event()

    def script(conn: Connection) -> None:
        conn.payload()
        release.wait()
        got.extend(conn.payload() for _ in range(3))

    with Peer(script, receive_buffer=4096) as peer, Link.open("127.0.0.1", peer.port) as link:
        link._sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        payloads = [bytes([65 + i]) * 300_000 for i in range(3)]
        threads = [threading.Thread(target=link.send, args=(p,)) for p in payloads]
        for thread in threads:
            thread.start()
        release.set()
        for thread in threads:
            thread.join()
        peer._thread.join(0)
        assert link.writer.messages == 4
    assert sorted(p for p in got if p) == payloads


# ---------------------------------------------------------------------------------------------- refusals


def answer(data: bytes) -> Any:
    def raw(sock: socket.socket) -> None:
        sock.recv(100)
        sock.sendall(data)
        while sock.recv(100):
            pass

    return raw


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n", "this is not a TWS socket: an HTTP server"),
        (b"\x15\x03\x03\0\x02\x02(", "this is not a TWS socket: a TLS server"),
        (frame(b"99\0t\0"), "upgrade TWS"),
        (frame(b"-1\0elsewhere:4001\0"), "redirects to elsewhere:4001"),
    ],
)
def test_a_peer_that_is_no_gateway_for_us(data: bytes, words: str) -> None:
    with Peer(raw=answer(data)) as peer, pytest.raises(ConnectError, match=words):
        Link.open("127.0.0.1", peer.port, timeout_ms=LONG_MS)


def test_a_gateway_that_hangs_up() -> None:
    with Peer(raw=lambda sock: sock.recv(100)) as peer, pytest.raises(ConnectError, match="during the handshake"):
        Link.open("127.0.0.1", peer.port, timeout_ms=LONG_MS)


def test_a_gateway_that_says_nothing() -> None:
    with Peer(raw=answer(b"")) as peer, pytest.raises(ConnectError, match="did not answer the handshake"):
        Link.open("127.0.0.1", peer.port, timeout_ms=100)


def test_redirects_are_followed_where_allowed() -> None:
    with Peer(greet) as target:
        hops = [RedirectReply("127.0.0.1", None), RedirectReply("127.0.0.1", target.port)]
        with Peer(greet, redirects=hops) as first:
            with Link.open("127.0.0.1", first.port, allow_redirect=True, timeout_ms=LONG_MS) as link:
                assert (link.host, link.port) == ("127.0.0.1", target.port)
            assert (first.accepted, target.accepted) == (2, 1)


def test_a_third_redirect_is_refused() -> None:
    with Peer(greet, redirects=[RedirectReply("127.0.0.1", None)] * 3) as peer:
        with pytest.raises(ConnectError, match="after 2 redirects"):
            Link.open("127.0.0.1", peer.port, allow_redirect=True, timeout_ms=LONG_MS)
        assert peer.accepted == 3


def test_wrong_arguments_are_found_before_connecting() -> None:
    with Peer(greet) as peer:
        with pytest.raises(ConfigError):
            Link.open("127.0.0.1", peer.port, max_server_version=99)
        assert peer.accepted == 0


# ---------------------------------------------------------------------------------------------- the end


def test_the_gateway_leaves() -> None:
    endings: list[Ending] = []

    def script(conn: Connection) -> None:
        conn.payload()
        conn.send(m.NextValidId(5))
        conn.sock.sendall(b"\0\0\0\x20half")

    with Peer(script) as peer:
        link = Link.open("127.0.0.1", peer.port, on_close=endings.append)
        assert link.bell.wait_until(lambda: link.closed, LONG_MS)
        assert link.ending is not None
        assert link.ending.end is End.EOF
        assert "in the middle of a frame (8 bytes" in link.closed_reason
        assert [e.kind for e in entries(link, 1)] == [9]
        with pytest.raises(SessionLost, match="the gateway closed"):
            link.send(b"x")
        with pytest.raises(SessionLost, match="the gateway closed"):
            link.wait_ready(LONG_MS)
        link.close()
        assert endings == [link.ending]
        link.on_close(endings.append)
        assert len(endings) == 2


def test_lost_framing_ends_the_link() -> None:
    def script(conn: Connection) -> None:
        conn.payload()
        conn.sock.sendall(b"\xff\xff\xff\xff")
        assert conn.payload() is None  # the client hangs up by itself

    with Peer(script) as peer, Link.open("127.0.0.1", peer.port) as link:
        assert link.bell.wait_until(lambda: link.closed, LONG_MS)
        with pytest.raises(ProtocolError):
            link.check()


def test_a_consumer_that_is_too_slow_ends_the_link() -> None:
    def script(conn: Connection) -> None:
        conn.payload()
        conn.send(*[m.Error(id=1, errorCode=200, errorMsg="x" * 1000)] * 9000)
        conn.payload()

    with Peer(script) as peer:
        with Link.open("127.0.0.1", peer.port, max_backlog_bytes=4 << 20, start=False) as link:
            cursor = link.orders.cursor()
            link.start()
            assert link.bell.wait_until(lambda: link.closed, LONG_MS)
            assert link.ending is not None
            assert link.ending.end is End.TOO_SLOW
            assert len(cursor.poll(10_000)) > 1000


def test_closing_from_another_thread_ends_waits_and_sends() -> None:
    hold = threading.Event()

    def script(conn: Connection) -> None:
        conn.payload()
        hold.wait()  # does not read: a large send cannot end

    with Peer(script, receive_buffer=4096) as peer:
        link = Link.open("127.0.0.1", peer.port)
        outcomes: list[BaseException] = []
        begun = threading.Barrier(3)

        def run(action: Any) -> None:
            begun.wait()
            try:
                action()
            except BaseException as exc:
                outcomes.append(exc)

        actions = [lambda: link.send(bytes(0xFFFFFF)), lambda: link.wait_ready(1_000_000)]
        threads = [threading.Thread(target=run, args=(a,)) for a in actions]
        for thread in threads:
            thread.start()
        begun.wait()
        link.close()
        for thread in threads:
            thread.join()
        hold.set()
        assert len(outcomes) == 2
        assert all(isinstance(o, SessionLost) for o in outcomes)
        assert link.ending is not None
        assert link.ending.end is End.CLOSED


def test_closing_is_idempotent_and_from_any_thread() -> None:
    endings: list[Ending] = []
    with Peer(greet) as peer:
        link = Link.open("127.0.0.1", peer.port, on_close=endings.append)
        threads = [threading.Thread(target=link.close) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        link.close()
    assert [e.end for e in endings] == [End.CLOSED]
    assert "ibwire-reader" not in {t.name for t in threading.enumerate()}


def test_closing_in_the_callback_of_the_end() -> None:
    with Peer(lambda conn: conn.payload()) as peer:
        link = Link.open("127.0.0.1", peer.port, start=False)
        link.on_close(lambda ending: link.close())
        link.start()
        assert link.bell.wait_until(lambda: link.closed, LONG_MS)
        assert link._reader.join(LONG_MS)


def test_a_gateway_that_never_gets_ready() -> None:
    def script(conn: Connection) -> None:
        conn.payload()
        conn.send(m.ManagedAccounts("DU0000001"))
        conn.payload()

    with Peer(script) as peer, Link.open("127.0.0.1", peer.port) as link:
        entries(link, 1)
        with pytest.raises(WaitTimeout, match="no nextValidId"):
            link.wait_ready(1)


def test_the_decoder_is_the_chosen_one() -> None:
    with Peer(greet) as peer, Link.open("127.0.0.1", peer.port) as link:
        assert type(link.decoder) is impl.StreamDecoder
        assert type(link.market) is impl.MarketRing
