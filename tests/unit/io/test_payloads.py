"""The stream of payloads: in wire order, at most so many at a time, all of them before the end."""

from __future__ import annotations

import socket
import threading
import weakref

import pytest

from ibwire.errors import ProtocolError, SessionLost
from ibwire.io.payloads import PayloadLink
from ibwire.types import incoming

from .peer import Connection, Peer

COUNT = 1000


def received(link: PayloadLink, most: int, wanted: int | None = None) -> list[bytes]:
    """Everything up to the end, or the first so many."""
    found: list[bytes] = []
    while wanted is None or len(found) < wanted:
        try:
            some = link.receive_many(5000, most)
        except SessionLost:
            assert wanted is None
            return found
        assert 0 < len(some) <= most
        found += some
    return found


@pytest.mark.parametrize("most", [1, 7, 5000])
def test_payloads_come_in_wire_order_and_all_of_them_before_the_end(most: int) -> None:
    messages = [incoming.NextValidId(n) for n in range(COUNT)]
    with Peer(lambda c: c.send(*messages)) as peer:
        link = PayloadLink("127.0.0.1", peer.port)
        try:
            found = received(link, most)
            assert found == [f"9\0001\000{n}\000".encode() for n in range(COUNT)]
            with pytest.raises(SessionLost):
                link.receive_many(0, most)
        finally:
            link.close()


def test_nothing_in_time_is_an_empty_list() -> None:
    with Peer(lambda c: c.payload()) as peer:
        link = PayloadLink("127.0.0.1", peer.port)
        assert link.receive_many(1, 10) == []
        link.close()


def test_closing_from_another_thread_ends_the_wait() -> None:
    with Peer(lambda c: c.payload()) as peer:
        link = PayloadLink("127.0.0.1", peer.port)
        closer = threading.Timer(0.05, link.close)
        closer.start()
        with pytest.raises(SessionLost):
            link.receive_many(60_000, 10)
        closer.join()


def test_lost_framing_is_told_once_with_its_reason_after_what_came_before() -> None:
    def breaks(connection: Connection) -> None:
        connection.send(incoming.NextValidId(1))
        connection.sock.sendall(b"\xff\xff\xff\xff")
        connection.sock.shutdown(socket.SHUT_WR)
        connection.payload()

    with Peer(breaks) as peer:
        link = PayloadLink("127.0.0.1", peer.port)
        assert received(link, 10, wanted=1) == [b"9\0001\0001\000"]
        with pytest.raises(ProtocolError, match="4294967295"):
            link.receive_many(5000, 10)
        with pytest.raises(SessionLost, match="4294967295"):
            link.receive_many(5000, 10)
        link.close()


@pytest.mark.parametrize("tail", [b"", b"\xff\xff\xff\xff"], ids=["end", "lost framing"])
def test_the_end_does_not_keep_the_link_alive(tail: bytes) -> None:
    def ends(connection: Connection) -> None:
        connection.sock.sendall(tail)
        connection.sock.shutdown(socket.SHUT_WR)
        connection.payload()

    with Peer(ends) as peer:
        link = PayloadLink("127.0.0.1", peer.port)
        ends_seen = 0
        for _ in range(2):
            try:
                link.receive_many(5000, 10)
            except (SessionLost, ProtocolError) as problem:
                ends_seen += 1
                assert link.link.ending is not None and problem is not link.link.ending.error
        assert ends_seen == 2
        link.close()
        gone = weakref.ref(link)
        del link
        assert gone() is None  # at once: no frame of a traceback holds it
