"""A link by its modes: inline polling and sending, cursors that wait and are watched, metrics."""

from __future__ import annotations

import asyncio
import gc
import os
import select
import socket
import threading
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from ibwire.errors import ConfigError, ConsumerTooSlow, ProtocolError, SessionLost, WrongThread
from ibwire.io.link import Link
from ibwire.io.metrics import Histogram, bucket_end_ns, bucket_of
from ibwire.types import incoming as m
from tests.unit.io.peer import Connection, Peer

LONG_MS = 10_000
TICK = m.TickPrice(9, 1, 187.41, Decimal("300.5"))


def on_demand(conn: Connection) -> None:
    """Sends as many ticks as the length of each payload that comes says."""
    conn.payload()
    while (payload := conn.payload()) is not None:
        conn.send(*[TICK] * len(payload))


def open_link(peer: Peer, **settings: Any) -> Link:
    return Link.open("127.0.0.1", peer.port, timeout_ms=LONG_MS, **settings)


def everything(cursor: Any) -> list[int]:
    """Sequence numbers of all that can be polled; one poll may bring a part of it."""
    seqs: list[int] = []
    while len(records := cursor.poll()):
        assert set(records["key"]) == {9}
        seqs += records["seq"].tolist()
    return seqs


KINDS = [{"mode": mode, "market": market} for mode in ("threaded", "inline") for market in ("latest", "every")]


# ------------------------------------------------------------------------------------------------------------ polling


@pytest.mark.parametrize("settings", KINDS, ids=str)
def test_a_poll_counts_what_came_and_it_is_in_the_cursors(settings: dict[str, Any]) -> None:
    with Peer(on_demand) as peer, open_link(peer, **settings) as link:
        cursor = link.cursor()
        assert link.poll() == 0
        assert link.poll(10) == 0
        link.send(b"xxx")
        count = 0
        while count < 3:
            count += link.poll(LONG_MS)
        assert everything(cursor) == [1, 2, 3]
        assert cursor.pending == cursor.gap == cursor.last_gap == 0


@pytest.mark.parametrize("how", ["block", "yield", "spin"])
@pytest.mark.parametrize("mode", ["threaded", "inline"])
def test_waiting_by_any_means(mode: str, how: str) -> None:
    with Peer(on_demand) as peer, open_link(peer, mode=mode, wait=how, spin=how == "spin") as link:
        cursor = link.cursor()
        assert not cursor.wait(0.01)
        link.send(b"x")
        assert cursor.wait(10)
        assert len(cursor.poll_bytes()) == 64
        link.send(b"x")
        assert cursor.wait(10, how="yield")


def test_a_poll_takes_one_buffer_at_most() -> None:
    with Peer(on_demand) as peer, open_link(peer, mode="inline", buffer_bytes=4096) as link:
        link.send(b"x" * 1000)
        counts: list[int] = []
        while sum(counts) < 1000:
            counts.append(link.poll(LONG_MS))
        assert max(counts) * len(b"\0\0\0\x181\x006\x009\x001\x00187.41\x00300.5\x000\x00") <= 4096 + 100


@pytest.mark.parametrize("mode", ["threaded", "inline"])
@pytest.mark.parametrize(
    ("tail", "error"),
    [(b"", SessionLost), (b"\0\0\0\x10half", SessionLost), (b"\0\0\0\0", ProtocolError)],
)
def test_the_end_comes_after_everything_else(mode: str, tail: bytes, error: type[Exception]) -> None:
    def script(conn: Connection) -> None:
        conn.payload()
        conn.sock.sendall(conn.wire(TICK, TICK) + tail)

    with Peer(script) as peer:
        link = open_link(peer, mode=mode, start=False)
        cursor = link.cursor()
        link.start()
        count = 0
        while count < 2:
            count += link.poll(LONG_MS)
        with pytest.raises(error):
            while True:
                link.poll(LONG_MS)
        assert cursor.wait(1) and everything(cursor) == [1, 2]
        with pytest.raises(error):
            cursor.wait(10)
        with pytest.raises(error):
            link.poll()
        link.close()


@pytest.mark.parametrize("mode", ["threaded", "inline"])
def test_an_order_ring_past_its_limit_ends_the_session(mode: str) -> None:
    def script(conn: Connection) -> None:
        conn.payload()
        conn.send(*[m.Error(id=1, errorCode=200, errorMsg="x" * 1000)] * 3000)

    with Peer(script) as peer, open_link(peer, mode=mode, max_backlog_bytes=1 << 20, start=False) as link:
        cursor = link.orders.cursor()
        link.start()
        with pytest.raises(ConsumerTooSlow, match="poll more often"):
            while True:
                link.poll(LONG_MS)
        assert 500 < len(cursor.poll(5000)) < 1200


def test_market_every_gives_up_the_oldest_and_goes_on() -> None:
    total = 60_000
    with Peer(on_demand) as peer, open_link(peer, market="every", max_backlog_bytes=1 << 20) as link:
        cursor = link.cursor()
        for _ in range(total // 1000):
            link.send(b"x" * 1000)
        assert link.bell.wait_until(lambda: link.decoder.watermark == total, LONG_MS * 3)
        got, seqs = 0, []
        while len(batch := cursor.poll()):
            seqs += batch["seq"].tolist()
            got += len(batch)
        assert cursor.gap > 0 and got + cursor.gap == total
        assert seqs == list(range(total - got + 1, total + 1))
        metrics = link.metrics()
        assert metrics.evicted == metrics.gap == cursor.gap
        assert not link.closed


# --------------------------------------------------------------------------------------------------------- file numbers


@pytest.mark.parametrize("mode", ["threaded", "inline"])
@pytest.mark.parametrize("kind", ["select", "poll", "epoll"])
def test_an_event_loop_is_woken(mode: str, kind: str) -> None:
    with Peer(on_demand) as peer, open_link(peer, mode=mode) as link:
        cursor, poll = link.cursor(), link.poll
        fd = link.fileno()
        poll()
        ready = _watcher(kind, fd)
        assert not ready(0)
        for _ in range(20):
            link.send(b"xx")
            count = 0
            while count < 2:
                assert ready(10)
                count += poll()
            assert len(everything(cursor)) == 2
        assert not ready(0)


def _watcher(kind: str, fd: int) -> Callable[[float], bool]:
    if kind == "select":
        return lambda timeout_s: bool(select.select([fd], [], [], timeout_s)[0])
    if kind == "poll":
        poller = select.poll()
        poller.register(fd, select.POLLIN)
        return lambda timeout_s: bool(poller.poll(timeout_s * 1000))
    epoll = select.epoll()
    epoll.register(fd, select.EPOLLIN)
    return lambda timeout_s: bool(epoll.poll(timeout_s))


def test_a_cursor_has_a_number_of_its_own() -> None:
    with Peer(on_demand) as peer, open_link(peer) as link:
        first, second = link.cursor(), link.cursor()
        assert first.fileno() == first.fileno() != second.fileno()
        ready = {c: _watcher("poll", c.fileno()) for c in (first, second)}
        for cursor in ready:
            cursor.poll()
        link.send(b"xxxx")
        assert link.bell.wait_until(lambda: link.decoder.watermark == 4, LONG_MS)
        assert ready[first](10) and ready[second](10)
        assert len(first.poll(2)) == 2
        assert ready[first](0)  # something was left behind
        assert everything(first) == [3, 4]
        assert not ready[first](0) and ready[second](0)
        number = second.fileno()
        second.close()
        assert link.cursor().fileno() == number  # it is used again, not closed under the reader


@pytest.mark.parametrize("mode", ["threaded", "inline"])
def test_the_end_wakes_an_event_loop(mode: str) -> None:
    def script(conn: Connection) -> None:
        conn.payload()
        conn.payload()

    with Peer(script) as peer, open_link(peer, mode=mode) as link:
        ready = _watcher("poll", link.cursor().fileno())
        link.poll()
        link.send(b"x")
        assert ready(10)


@pytest.mark.parametrize("mode", ["threaded", "inline"])
def test_asyncio_watches_it(mode: str) -> None:
    async def run(link: Link, total: int) -> list[int]:
        loop, done, got = asyncio.get_running_loop(), asyncio.Event(), list[int]()
        cursor = link.cursor()

        def readable() -> None:
            link.poll()
            while len(records := cursor.poll(7)):
                got.extend(records["seq"].tolist())
            if len(got) >= total:
                done.set()

        loop.add_reader(link.fileno(), readable)
        for _ in range(total // 10):
            link.send(b"x" * 10)
            await asyncio.sleep(0)
        await asyncio.wait_for(done.wait(), 20)
        loop.remove_reader(link.fileno())
        return got

    with Peer(on_demand) as peer, open_link(peer, mode=mode) as link:
        assert asyncio.run(run(link, 500)) == list(range(1, 501))


def test_descriptors_go_with_the_link() -> None:
    def once() -> None:
        with Peer(on_demand) as peer, open_link(peer) as link:
            link.fileno()
            link.cursor().fileno()
        del link
        gc.collect()

    once()
    before = len(os.listdir("/proc/self/fd"))
    once()
    assert len(os.listdir("/proc/self/fd")) <= before


# ------------------------------------------------------------------------------------------------------------- inline


def test_a_send_that_blocks_goes_on_receiving() -> None:
    """Both sides send more than the kernel holds: without receives in between neither would get on."""
    size, ticks = 4_000_000, 200_000
    taken: list[int] = []

    def script(conn: Connection) -> None:
        conn.payload()
        conn.sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 65536)
        conn.send(*[TICK] * ticks)  # nobody reads before this is out
        payload = conn.payload()
        taken.append(len(payload or b""))
        conn.payload()

    with Peer(script, receive_buffer=65536) as peer:
        link = open_link(peer, mode="inline", market="every", receive_buffer_bytes=65536)
        link._sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 65536)
        cursor = link.cursor()
        link.send(b"x" * size)
        assert link.writer.partial_sends > 0
        got = 0
        while got < ticks:
            assert cursor.wait(20)
            got += len(cursor.poll())
        link.close()
    assert taken == [size]


def test_an_end_during_a_send_is_told_after_it() -> None:
    order: list[str] = []
    over = threading.Event()

    def script(conn: Connection) -> None:
        conn.payload()
        conn.sock.sendall(conn.wire(TICK) + b"\0\0\0\0")
        over.wait(20)  # takes nothing, so that the send has to wait

    with Peer(script) as peer:
        link = open_link(peer, mode="inline")
        link._sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 65536)

        def ended(ending: Any) -> None:
            order.append("ended")
            with pytest.raises(SessionLost):
                link.send(b"again")  # must not find the lock of the send that failed

        link.on_close(ended)
        with pytest.raises(SessionLost, match=r"length of 0|no message|frame"):
            for _ in range(100):
                link.send(b"x" * 10_000_000)
                order.append("sent")
        over.set()
        order.append("raised")
        assert order[-2:] == ["ended", "raised"]
        assert link.decoder.watermark == 1
        link.close()


def test_an_inline_link_belongs_to_the_thread_that_opened_it() -> None:
    with Peer(on_demand) as peer, open_link(peer, mode="inline") as link:
        found: list[str] = []

        def elsewhere() -> None:
            with pytest.raises(WrongThread):
                link.poll()
            with pytest.raises(WrongThread):
                link.send(b"x")
            found.append(threading.current_thread().name)
            link.adopt()
            link.send(b"x")
            found.append(str(link.poll(LONG_MS)))

        thread = threading.Thread(target=elsewhere, name="other")
        thread.start()
        thread.join()
        assert found == ["other", "1"]
        assert "ibwire-reader" not in {t.name for t in threading.enumerate()}
        link.adopt()


@pytest.mark.parametrize("mode", ["threaded", "inline"])
def test_a_wait_after_the_end_has_its_limit_and_costs_nothing(mode: str) -> None:
    with Peer(lambda conn: conn.payload()) as peer, open_link(peer, mode=mode) as link:
        with pytest.raises(SessionLost):
            while True:
                link.poll(LONG_MS)
        before = os.times()
        assert not link.bell.wait(link.bell.count, 300)
        used = os.times()
        assert used.user + used.system - before.user - before.system < 0.15


def test_closing_again_touches_no_socket_of_others() -> None:
    with Peer(on_demand) as peer:
        link = open_link(peer)
        link.close()
        ours, theirs = socket.socketpair()  # takes the number that was just given back
        link.close()
        ours.sendall(b"x")
        assert theirs.recv(1) == b"x"
        ours.close()
        theirs.close()


def test_an_inline_link_gets_ready() -> None:
    def script(conn: Connection) -> None:
        conn.payload()
        conn.send(m.ManagedAccounts("DU0000001,"), m.NextValidId(41))
        conn.payload()

    with Peer(script) as peer, open_link(peer, mode="inline") as link:
        link.wait_ready(LONG_MS)
        assert link.session.readiness.next_valid_id == 41


# ------------------------------------------------------------------------------------------------------------ settings


@pytest.mark.parametrize(
    "wrong",
    [
        {"market": "all"},
        {"mode": "thread"},
        {"wait": "sleep"},
        {"market_records": 100},
        {"max_backlog_bytes": 0},
        {"buffer_bytes": 10},
        {"receive_buffer_bytes": -1},
    ],
    ids=str,
)
def test_a_wrong_argument_is_found_before_anything_is_opened(wrong: dict[str, Any]) -> None:
    with Peer(on_demand) as peer:
        with pytest.raises(ConfigError):
            open_link(peer, **wrong)
        assert peer.accepted == 0


def test_the_kernels_receive_buffer_is_set() -> None:
    with Peer(on_demand) as peer, open_link(peer, receive_buffer_bytes=32768) as link:
        assert link._sock.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF) == 65536  # the kernel doubles it


# ------------------------------------------------------------------------------------------------------------- metrics


def test_metrics_count_by_kind() -> None:
    def script(conn: Connection) -> None:
        conn.payload()
        conn.send(TICK, TICK, m.NextValidId(5), m.Error(id=1, errorCode=200, errorMsg="x"))
        conn.sock.sendall(b"\0\0\0\x0a1\x006\x00broken")
        conn.payload()

    with Peer(script) as peer, open_link(peer, timers=True) as link:
        assert link.bell.wait_until(lambda: link.decoder.watermark == 5, LONG_MS)
        metrics = link.metrics()
        assert metrics.kinds == {"tickPrice": 3, "error": 1, "nextValidId": 1}
        assert (metrics.messages, metrics.market, metrics.orders, metrics.control) == (5, 2, 1, 2)
        assert (metrics.bad_frames, metrics.unknown, metrics.sent) == (1, 0, 1)
        assert metrics.receives >= 1 and metrics.segments == 2
        assert 0 < metrics.stages["decode"].quantile_ns(0.5) <= metrics.stages["decode"].quantile_ns(1.0)
        with pytest.raises(AttributeError):
            metrics.messages = 1  # type: ignore[misc]


def test_buckets_hold_what_they_say() -> None:
    for ns in [*range(2000), 10**6, 12345678, 10**12, 10**14]:
        at = bucket_of(ns)
        if at < 639:
            assert ns <= bucket_end_ns(at) <= ns * 1.0625 + 1
            assert at == 0 or bucket_end_ns(at - 1) < ns or ns < 16
    assert bucket_of(-5) == 0
    counts = [0] * 640
    for ns in range(1, 101):
        counts[bucket_of(ns * 1000)] += 1
    found = Histogram(tuple(counts))
    assert found.total == 100
    assert 50_000 <= found.quantile_ns(0.5) <= 53_200 and 100_000 <= found.quantile_ns(1.0) <= 106_300
    assert Histogram().quantile_ns(0.5) == 0
