"""What both sides say before the first message: pure functions from and to bytes.

Client: ``API\\0``, then a frame ``vMIN..MAX`` (a space and connect options may follow). Gateway: a frame
``serverVersion\\0time\\0``; version -1 means "go to this address instead". No message ids yet, at any version.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from ibwire.errors import ConfigError, ConnectError

PREFIX: Final = b"API\0"
MAX_HELLO_BYTES: Final = 4096
"""Longest frame of the handshake; real ones have some dozens of bytes."""
REDIRECT_VERSION: Final = -1

_RANGE: Final = re.compile(r"v([0-9]{1,6})(?:\.\.([0-9]{1,6}))?(?: (.*))?\Z", re.DOTALL)
_VERSION: Final = re.compile(rb"-?[0-9]{1,9}\Z")
_HINT_PORT: Final = "check host and port (TWS 7496 live, 7497 paper; IB Gateway 4001 live, 4002 paper)"
_FOREIGN: Final = (
    (b"HTTP", "an HTTP server answered"),
    (b"\x15\x03", "a TLS server answered"),
    (b"\x16\x03", "a TLS server answered"),
    (b"SSH-", "an SSH server answered"),
)


@dataclass(frozen=True, slots=True)
class Hello:
    """What a client announces: the versions it speaks and its connect options (such as ``+PACEAPI``)."""

    min_version: int
    max_version: int
    options: str = ""


@dataclass(frozen=True, slots=True)
class Reply:
    """What a gateway answers. ``connection_time`` is its text as it came; zone names may have spaces."""

    server_version: int
    connection_time: str


@dataclass(frozen=True, slots=True)
class RedirectReply:
    """The gateway wants the client elsewhere. ``port`` is None when it named none."""

    host: str
    port: int | None


def frame(payload: bytes) -> bytes:
    """A handshake frame: length, then payload."""
    return len(payload).to_bytes(4, "big") + payload


def encode_hello(hello: Hello) -> bytes:
    """A client's first bytes. Raises ConfigError when the options cannot be carried."""
    text = f"v{hello.min_version}..{hello.max_version}" + (f" {hello.options}" if hello.options else "")
    raw = text.encode("utf-8")
    if len(raw) > MAX_HELLO_BYTES or b"\0" in raw:
        raise ConfigError("connect options with a NUL, or too long", hint=f"at most {MAX_HELLO_BYTES} bytes")
    return PREFIX + frame(raw)


def decode_hello(payload: bytes) -> Hello:
    """A client's version range. Raises ConnectError for anything else."""
    found = _RANGE.match(payload.rstrip(b"\0").decode("utf-8", "replace"))
    if found is None:
        raise ConnectError(f"a client announced {payload[:40]!r} where a version range belongs")
    low = int(found[1])
    high = int(found[2]) if found[2] else low
    if low > high:
        raise ConnectError(f"a client announced the empty version range {low}..{high}")
    return Hello(low, high, found[3] or "")


def encode_reply(reply: Reply | RedirectReply) -> bytes:
    """A gateway's answer, framed."""
    if isinstance(reply, Reply):
        first, second = str(reply.server_version), reply.connection_time
    else:
        host = f"[{reply.host}]" if ":" in reply.host and reply.port is not None else reply.host
        first, second = str(REDIRECT_VERSION), host if reply.port is None else f"{host}:{reply.port}"
    return frame(f"{first}\0{second}\0".encode())


def decode_reply(payload: bytes) -> Reply | RedirectReply:
    """A gateway's answer. Raises ConnectError for anything else."""
    fields = payload.split(b"\0")
    if not _VERSION.match(fields[0]):
        raise not_tws(payload)
    version = int(fields[0])
    try:
        text = fields[1].decode("utf-8") if len(fields) > 1 else ""
    except UnicodeDecodeError:  # localised zone names
        text = fields[1].decode("latin-1")
    return _redirect(text) if version == REDIRECT_VERSION else Reply(version, text)


def _redirect(address: str) -> RedirectReply:
    host, colon, port = address.strip().rpartition(":")
    if not colon or "]" in port or (":" in host and not host.startswith("[")):  # a bare name or IPv6 address
        host, port = address.strip(), ""
    if not host or (port and not (port.isascii() and port.isdigit() and 0 < int(port) < 65536)):
        raise ConnectError(f"the gateway redirects to {address[:80]!r}, which is no address")
    return RedirectReply(host.strip("[]"), int(port) if port else None)


def not_tws(head: bytes) -> ConnectError:
    """The error for a peer whose first bytes are not a gateway's."""
    for magic, what in _FOREIGN:
        if head.startswith(magic):
            return ConnectError(f"this is not a TWS socket: {what}", hint=_HINT_PORT)
    return ConnectError(f"this is not a TWS socket: it answered {head[:24].hex(' ')}", hint=_HINT_PORT)
