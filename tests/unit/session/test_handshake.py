from __future__ import annotations

import pytest

from ibwire.errors import ConfigError, ConnectError
from ibwire.session.handshake import (
    Hello,
    RedirectReply,
    Reply,
    decode_hello,
    decode_reply,
    encode_hello,
    encode_reply,
    not_tws,
)


@pytest.mark.parametrize(
    ("hello", "data"),
    [
        (Hello(100, 225), b"API\0\0\0\0\tv100..225"),
        (Hello(100, 225, "+PACEAPI"), b"API\0\0\0\0\x12v100..225 +PACEAPI"),
        (Hello(100, 100), b"API\0\0\0\0\tv100..100"),
    ],
)
def test_hello_both_ways(hello: Hello, data: bytes) -> None:
    assert encode_hello(hello) == data
    assert decode_hello(data[8:]) == hello


def test_a_single_version_is_a_range_too() -> None:
    assert decode_hello(b"v157") == Hello(157, 157)


@pytest.mark.parametrize("text", [b"", b"v", b"100..225", b"v225..100", b"vX..Y", b"v100..225+X", b"v1..99999999"])
def test_what_is_no_version_range(text: bytes) -> None:
    with pytest.raises(ConnectError):
        decode_hello(text)


def test_options_that_cannot_be_carried() -> None:
    with pytest.raises(ConfigError):
        encode_hello(Hello(100, 225, "a\0b"))
    with pytest.raises(ConfigError):
        encode_hello(Hello(100, 225, "x" * 5000))


@pytest.mark.parametrize(
    ("payload", "reply"),
    [
        (b"176\x0020261120 09:30:00 EST\0", Reply(176, "20261120 09:30:00 EST")),
        (b"178\x0020261120 09:30:00 Eastern Standard Time\0", Reply(178, "20261120 09:30:00 Eastern Standard Time")),
        ("178\x00heure d’été\0".encode(), Reply(178, "heure d’été")),
        (b"178\x00heure d'\xe9t\xe9\0", Reply(178, "heure d'été")),
        (b"176\x00time", Reply(176, "time")),
        (b"176\0", Reply(176, "")),
        (b"176", Reply(176, "")),
        (b"-1\x0010.0.0.7:4001\0", RedirectReply("10.0.0.7", 4001)),
        (b"-1\x00gw.example\0", RedirectReply("gw.example", None)),
        (b"-1\x00[::1]:4001\0", RedirectReply("::1", 4001)),
        (b"-1\x00::1\0", RedirectReply("::1", None)),
    ],
)
def test_replies(payload: bytes, reply: Reply | RedirectReply) -> None:
    assert decode_reply(payload) == reply
    assert decode_reply(encode_reply(reply)[4:]) == reply


@pytest.mark.parametrize("payload", [b"", b"\0", b"hello\0", b"17a\0", b" 176\0", b"99999999999\0"])
def test_what_is_no_reply(payload: bytes) -> None:
    with pytest.raises(ConnectError, match="not a TWS socket"):
        decode_reply(payload)


@pytest.mark.parametrize("address", [b"", b"host:0", b"host:x", b"host:70000", b":4001"])
def test_redirects_to_nowhere(address: bytes) -> None:
    with pytest.raises(ConnectError, match="no address"):
        decode_reply(b"-1\0" + address + b"\0")


@pytest.mark.parametrize(
    ("head", "what"),
    [
        (b"HTTP/1.1 400", "HTTP"),
        (b"\x15\x03\x03\0\x02\x02(", "TLS"),
        (b"SSH-2.0-x", "SSH"),
        (b"\xff\xfe\x00", "ff fe 00"),
    ],
)
def test_who_answered_instead(head: bytes, what: str) -> None:
    assert what in str(not_tws(head))
    assert "7497" in str(not_tws(head))
