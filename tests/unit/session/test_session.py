from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ibwire.errors import ConfigError, ConnectError, ProtocolError, SessionLost
from ibwire.session.handshake import Hello, RedirectReply, Reply, encode_hello, encode_reply, frame
from ibwire.session.session import (
    BytesReceived,
    ClientSession,
    Ended,
    Event,
    GatewaySession,
    Opened,
    PayloadReceived,
    Redirected,
    Session,
    State,
)

TIME = "20261120 09:30:00 Eastern Standard Time"


def agree(client: Session, gateway: Session, step: int = 1 << 20) -> tuple[list[Event], list[Event]]:
    """Carry bytes both ways, ``step`` at a time, until both are quiet."""
    seen: tuple[list[Event], list[Event]] = ([], [])
    while True:
        out, back = client.data_to_send(), gateway.data_to_send()
        if not out and not back:
            return seen
        for data, to, events in ((out, gateway, seen[1]), (back, client, seen[0])):
            for i in range(0, len(data), step):
                to.receive_data(data[i : i + step])
                events.extend(to.events_received())


@pytest.mark.parametrize("step", [1, 3, 1000])
def test_both_roles_agree(step: int) -> None:
    client = ClientSession(connect_options="+PACEAPI")
    gateway = GatewaySession(server_version=193, connection_time=TIME)
    seen = agree(client, gateway, step)
    assert seen == ([Opened(193, TIME)], [Opened(193, TIME, "+PACEAPI")])
    assert client.state is gateway.state is State.OPEN
    assert (client.server_version, client.connection_time) == (193, TIME)


@pytest.mark.parametrize(("pin", "own", "agreed"), [(225, 225, 225), (200, 225, 200), (225, 178, 178), (100, 100, 100)])
def test_the_lower_maximum_is_agreed(pin: int, own: int, agreed: int) -> None:
    client, gateway = ClientSession(max_server_version=pin), GatewaySession(server_version=own)
    agree(client, gateway)
    assert client.server_version == gateway.server_version == agreed


def test_messages_cross_framed() -> None:
    client, gateway = ClientSession(), GatewaySession()
    agree(client, gateway)
    client.send(b"71\x002\x001\x00\x00")
    client.send(b"x" * 70_000)
    gateway.send(b"9\x001\x001\x00")
    seen = agree(client, gateway, 1000)
    assert seen == (
        [PayloadReceived(b"9\x001\x001\x00")],
        [PayloadReceived(b"71\x002\x001\x00\x00"), PayloadReceived(b"x" * 70_000)],
    )


def test_data_in_the_segment_of_the_handshake_is_handed_on() -> None:
    reply, rest = encode_reply(Reply(176, TIME)), frame(b"15\x001\x00DU0000001\x00") + b"\0\0"
    client = ClientSession(deliver="bytes")
    client.receive_data(reply + rest)
    assert client.events_received() == [Opened(176, TIME), BytesReceived(rest)]
    client.receive_data(b"\0\x05")
    assert client.events_received() == [BytesReceived(b"\0\x05")]


def test_a_request_in_the_segment_of_the_hello_is_not_lost() -> None:
    gateway = GatewaySession()
    gateway.receive_data(encode_hello(Hello(100, 176)) + frame(b"71\0"))
    assert gateway.events_received() == [Opened(176, ""), PayloadReceived(b"71\0")]


@settings(deadline=None)
@given(st.lists(st.binary(min_size=1, max_size=40), max_size=6), st.lists(st.integers(0, 300), max_size=8))
def test_any_chunking_equals_one_chunk(payloads: list[bytes], cuts: list[int]) -> None:
    data = encode_reply(Reply(176, TIME)) + b"".join(map(frame, payloads))
    client = ClientSession()
    events: list[Event] = []
    edges = [0, *sorted(min(c, len(data)) for c in cuts), len(data)]
    for start, end in pairwise(edges):
        client.receive_data(memoryview(data)[start:end])
        events += client.events_received()
    assert events == [Opened(176, TIME), *map(PayloadReceived, payloads)]


# ---------------------------------------------------------------------------------------------- refusals


def ended(session: Session, data: bytes = b"", eof: bool = False) -> Any:
    """The error with which a session ends on that input."""
    session.receive_data(data)
    if eof:
        session.receive_eof()
    (event,) = session.events_received()
    assert isinstance(event, Ended)
    assert session.state is State.CLOSED
    return event.error


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"HTTP", "not a TWS socket: an HTTP server"),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "not a TWS socket: an HTTP server"),
        (b"\x15\x03\x03\0\x02\x02(", "not a TWS socket: a TLS server"),
        (b"\0\0\0\0", "not a TWS socket"),
        (b"\0\0\x20\0", "not a TWS socket"),
        (frame(b"hello\0"), "not a TWS socket"),
        (frame(b"99\0time\0"), "upgrade"),
        (frame(b"226\0time\0"), "chose server version 226"),
        (frame(b"-1\0elsewhere:4001\0"), "redirects to elsewhere:4001"),
    ],
)
def test_what_a_client_refuses(data: bytes, words: str) -> None:
    error = ended(ClientSession(), data)
    assert isinstance(error, ConnectError)
    assert words in str(error)


def test_a_pin_is_kept() -> None:
    assert "201" in str(ended(ClientSession(max_server_version=200), frame(b"201\0time\0")))


def test_a_closed_door_during_the_handshake() -> None:
    assert "trusted" in str(ended(ClientSession(), eof=True))
    assert "TLS" in str(ended(ClientSession(), b"\x15\x03", eof=True))
    assert isinstance(ended(GatewaySession(), b"API\0", eof=True), ConnectError)


@pytest.mark.parametrize("redirects", [0, 1, 2])
def test_redirects_are_followed_twice_where_allowed(redirects: int) -> None:
    client = ClientSession(allow_redirect=True, redirects=redirects)
    gateway = GatewaySession(redirect=RedirectReply("10.0.0.7", 4001))
    mine, theirs = agree(client, gateway)
    assert theirs == [Redirected("10.0.0.7", 4001)]
    if redirects < 2:
        assert mine == [Redirected("10.0.0.7", 4001)]
    else:
        assert isinstance(mine[0], Ended)
    assert client.state is State.CLOSED


@pytest.mark.parametrize(
    "data",
    [b"GET / HTTP/1.1\r\n", b"API\0" + frame(b"v38..99"), b"API\0" + frame(b"nonsense"), b"API\0\0\0\0\0"],
)
def test_what_a_gateway_refuses(data: bytes) -> None:
    gateway = GatewaySession(server_version=200)
    ended(gateway, data)
    assert gateway.data_to_send() == b""


def test_a_client_below_the_minimum_is_turned_away() -> None:
    gateway = GatewaySession(server_version=225, min_version=157)
    assert isinstance(ended(gateway, encode_hello(Hello(100, 156))), ConnectError)
    assert gateway.data_to_send() == b""


@pytest.mark.parametrize(("data", "middle"), [(b"", False), (b"\0\0", True), (b"\0\0\0\x09abc", True)])
def test_the_end_of_an_open_session(data: bytes, middle: bool) -> None:
    client = ClientSession()
    agree(client, GatewaySession())
    error = ended(client, data, eof=True)
    assert isinstance(error, SessionLost)
    assert ("middle of a frame" in str(error)) is middle


@pytest.mark.parametrize("data", [b"\0\0\0\0", b"\x01\0\0\0", b"\xff\xff\xff\xff"])
def test_lost_framing_ends_an_open_session(data: bytes) -> None:
    client = ClientSession()
    agree(client, GatewaySession())
    client.receive_data(frame(b"ok") + data)
    first, last = client.events_received()
    assert first == PayloadReceived(b"ok")
    assert isinstance(last, Ended)
    assert isinstance(last.error, ProtocolError)


def test_nothing_is_sent_before_and_after() -> None:
    client = ClientSession()
    with pytest.raises(SessionLost):
        client.send(b"71\0")
    agree(client, GatewaySession())
    for payload in (b"", b"x" * 0x1000000):
        with pytest.raises(ProtocolError):
            client.send(payload)
    client.receive_eof()
    with pytest.raises(SessionLost):
        client.send(b"71\0")
    client.receive_data(b"late")
    client.receive_eof()
    assert len(client.events_received()) == 1


@pytest.mark.parametrize("version", [99, 226])
def test_only_versions_that_are_spoken_can_be_pinned(version: int) -> None:
    with pytest.raises(ConfigError):
        ClientSession(max_server_version=version)
