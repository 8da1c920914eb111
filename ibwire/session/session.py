"""One session, sans-IO, from either side of the wire: bytes in, events and bytes out.

Strategy: the session reads the handshake itself. What follows it belongs to the codec, whose bytes it does not know:
with ``deliver="bytes"`` (a client whose reader has a stream decoder) they are handed on as they came, those that
stood in the same segment as the handshake first; with ``deliver="payloads"`` (gateways, tests) it cuts frames.
One thread at a time.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import Final

from ibwire.errors import ConfigError, ConnectError, IbwireError, ProtocolError, SessionLost
from ibwire.session.handshake import (
    MAX_HELLO_BYTES,
    PREFIX,
    Hello,
    RedirectReply,
    Reply,
    decode_hello,
    decode_reply,
    encode_hello,
    encode_reply,
    frame,
    not_tws,
)
from ibwire.session.liveness import Readiness
from ibwire.spec.versions import MAX_CLIENT_VERSION, MIN_CLIENT_VERSION

MAX_REDIRECTS: Final = 2
_MAX_PAYLOAD_BYTES: Final = 0xFFFFFF


class State(enum.Enum):
    """Where a session stands; it only ever moves downward in this list."""

    HANDSHAKE = "handshake"
    OPEN = "open"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True)
class Opened:
    """The version is agreed. ``connection_time``: the gateway's text; ``options``: the client's connect options."""

    server_version: int
    connection_time: str
    options: str = ""


@dataclass(frozen=True, slots=True)
class Redirected:
    """The gateway wants us elsewhere: close, connect to that address, with a new session. ``port`` None: the same."""

    host: str
    port: int | None


@dataclass(frozen=True, slots=True)
class BytesReceived:
    """Bytes after the handshake, for a stream decoder, in any chunking."""

    data: bytes


@dataclass(frozen=True, slots=True)
class PayloadReceived:
    """One message's payload."""

    payload: bytes


@dataclass(frozen=True, slots=True)
class Ended:
    """The session is over: close the connection. ``error`` is a ConnectError before it was open."""

    error: IbwireError


Event = Opened | Redirected | BytesReceived | PayloadReceived | Ended


class Session:
    """Common part of both roles: the four sans-IO verbs, and framing. Use ClientSession or GatewaySession.

    Attributes
    ----------
    state : State
    server_version : int
        0 until it is agreed.
    connection_time : str
    readiness : Readiness
        For whoever decodes the messages to fill in.
    epoch : int
        Number of this session in the program's life; requests and streams belong to one epoch.
    """

    def __init__(self, *, epoch: int = 1, deliver: str = "payloads") -> None:
        if deliver not in ("bytes", "payloads"):
            raise ConfigError(f"deliver is {deliver!r}; it may be 'bytes' or 'payloads'")
        self.state = State.HANDSHAKE
        self.server_version = 0
        self.connection_time = ""
        self.readiness = Readiness()
        self.epoch = epoch
        self._deliver = deliver
        self._in = bytearray()
        self._out = bytearray()
        self._events: list[Event] = []

    # ------------------------------------------------------------------ the four verbs

    def receive_data(self, data: bytes | bytearray | memoryview) -> None:
        """Take what the peer sent, in any chunking. Bytes after the end are ignored."""
        if self.state is State.CLOSED:
            return
        self._in += data
        try:
            if self.state is State.HANDSHAKE:
                self._handshake()
            if self.state is State.OPEN:
                self._pass_on()
        except IbwireError as exc:
            self._end(exc)

    def receive_eof(self) -> None:
        """The peer closed the connection."""
        if self.state is State.HANDSHAKE:
            self._end(self._closed_early())
        elif self.state is State.OPEN:
            where = f" in the middle of a frame ({len(self._in)} bytes of it came)" if self._in else ""
            self._end(SessionLost(f"the peer closed the connection{where}"))

    def events_received(self) -> list[Event]:
        """What happened since the last call, in order."""
        events, self._events = self._events, []
        return events

    def data_to_send(self) -> bytes:
        """Bytes to write now; each byte is given out once."""
        data = bytes(self._out)
        self._out.clear()
        return data

    # ------------------------------------------------------------------ sending

    def send(self, payload: bytes) -> None:
        """Queue one message (startApi first, on a client). Raises SessionLost unless the session is open."""
        if self.state is not State.OPEN:
            raise SessionLost(f"a message cannot be sent: the session is in state {self.state.value}")
        if not 0 < len(payload) <= _MAX_PAYLOAD_BYTES:
            raise ProtocolError(f"a payload of {len(payload)} bytes cannot be framed")
        self._out += frame(payload)

    # ------------------------------------------------------------------ inside

    def _handshake(self) -> None:
        raise NotImplementedError

    def _closed_early(self) -> ConnectError:
        raise NotImplementedError

    def _open(self, server_version: int, connection_time: str, options: str = "") -> None:
        self.state = State.OPEN
        self.server_version, self.connection_time = server_version, connection_time
        self._events.append(Opened(server_version, connection_time, options))

    def _end(self, error: IbwireError) -> None:
        self.state = State.CLOSED
        self._in.clear()
        self._events.append(Ended(error))

    def _pass_on(self) -> None:
        if self._deliver == "bytes":
            if self._in:
                self._events.append(BytesReceived(bytes(self._in)))
                self._in.clear()
            return
        while (payload := self._next(_MAX_PAYLOAD_BYTES)) is not None:
            self._events.append(PayloadReceived(payload))

    def _next(self, limit: int) -> bytes | None:
        """The next whole frame. Raises ProtocolError when its length cannot be."""
        if len(self._in) < 4:
            return None
        length = int.from_bytes(self._in[:4], "big")
        if not 0 < length <= limit:
            head = bytes(self._in[:24])
            raise ProtocolError(f"a frame length of {length}: framing is lost", field="length", offset=0, payload=head)
        if len(self._in) < 4 + length:
            return None
        payload = bytes(self._in[4 : 4 + length])
        del self._in[: 4 + length]
        return payload


class ClientSession(Session):
    """The client's side. Its first bytes are ready in :meth:`data_to_send` at once.

    Parameters
    ----------
    max_server_version : int
        Highest version announced, 100..225: a pin. At most 200 keeps the session in the text dialect.
    connect_options : str
        Sent after the version range, such as ``+PACEAPI``.
    allow_redirect : bool
        Follow a gateway that names another address; refused by default.
    redirects : int
        How many were followed already; more than two are refused.
    epoch : int
        Number of this session in the program's life, from 1.
    deliver : str
        ``bytes`` or ``payloads``: what becomes of data after the handshake.

    Raises
    ------
    ConfigError : a version outside 100..225, or options that cannot be sent.
    """

    def __init__(
        self,
        *,
        max_server_version: int = MAX_CLIENT_VERSION,
        connect_options: str = "",
        allow_redirect: bool = False,
        redirects: int = 0,
        epoch: int = 1,
        deliver: str = "payloads",
    ) -> None:
        super().__init__(epoch=epoch, deliver=deliver)
        if not MIN_CLIENT_VERSION <= max_server_version <= MAX_CLIENT_VERSION:
            raise ConfigError(
                f"max_server_version is {max_server_version}; it may be {MIN_CLIENT_VERSION}..{MAX_CLIENT_VERSION}"
            )
        self._max_version = max_server_version
        self._redirects = redirects
        self._allow_redirect = allow_redirect
        self._out += encode_hello(Hello(MIN_CLIENT_VERSION, max_server_version, connect_options))

    def _handshake(self) -> None:
        if len(self._in) >= 4 and not 0 < int.from_bytes(self._in[:4], "big") <= MAX_HELLO_BYTES:
            raise not_tws(bytes(self._in[:64]))
        payload = self._next(MAX_HELLO_BYTES)
        if payload is None:
            return
        reply = decode_reply(payload)
        if isinstance(reply, RedirectReply):
            self._redirect(reply)
            return
        if reply.server_version < MIN_CLIENT_VERSION:
            raise ConnectError(
                f"the gateway speaks server version {reply.server_version}, {MIN_CLIENT_VERSION} is the least",
                hint="upgrade TWS or IB Gateway",
            )
        if reply.server_version > self._max_version:
            raise ConnectError(
                f"the gateway chose server version {reply.server_version}, but {self._max_version} was the most offered"
            )
        self._open(reply.server_version, reply.connection_time)

    def _redirect(self, reply: RedirectReply) -> None:
        where = reply.host if reply.port is None else f"{reply.host}:{reply.port}"
        if not self._allow_redirect:
            raise ConnectError(f"the gateway redirects to {where}", hint="connect there, or allow redirects")
        if self._redirects >= MAX_REDIRECTS:
            raise ConnectError(f"the gateway redirects to {where}, after {self._redirects} redirects already")
        self.state = State.CLOSED
        self._events.append(Redirected(reply.host, reply.port))

    def _closed_early(self) -> ConnectError:
        if self._in.startswith((b"\x15\x03", b"\x16\x03")):
            return not_tws(bytes(self._in))
        return ConnectError(
            "the gateway closed the connection during the handshake",
            hint="in its API settings, is this address trusted, and are at most 32 clients connected?",
        )


class GatewaySession(Session):
    """The gateway's side.

    Parameters
    ----------
    server_version : int
        The highest version it speaks; the agreed one is the lower of this and what the client announces.
    connection_time : str
        Sent with the version, such as ``20261120 09:30:00 EST``.
    min_version : int
        Clients that end below it are turned away.
    redirect : RedirectReply or None
        Send every client there instead.
    """

    def __init__(
        self,
        *,
        server_version: int = MAX_CLIENT_VERSION,
        connection_time: str = "",
        min_version: int = MIN_CLIENT_VERSION,
        redirect: RedirectReply | None = None,
        epoch: int = 1,
        deliver: str = "payloads",
    ) -> None:
        super().__init__(epoch=epoch, deliver=deliver)
        self._own_version, self._min_version = server_version, min_version
        self._own_time = connection_time
        self._redirect = redirect
        self._greeted = False

    def _handshake(self) -> None:
        if not self._greeted:
            if not PREFIX.startswith(self._in[: len(PREFIX)]):
                raise ConnectError(f"the peer is no API client: it sent {bytes(self._in[:24]).hex(' ')}")
            if len(self._in) < len(PREFIX):
                return
            del self._in[: len(PREFIX)]
            self._greeted = True
        payload = self._next(MAX_HELLO_BYTES)
        if payload is None:
            return
        hello = decode_hello(payload)
        if hello.max_version < self._min_version or hello.min_version > self._own_version:
            raise ConnectError(
                f"the client speaks {hello.min_version}..{hello.max_version}, "
                f"this gateway {self._min_version}..{self._own_version}"
            )
        if self._redirect is not None:
            self._out += encode_reply(self._redirect)
            self.state = State.CLOSED
            self._events.append(Redirected(self._redirect.host, self._redirect.port))
            return
        version = min(self._own_version, hello.max_version)
        self._out += encode_reply(Reply(version, self._own_time))
        self._open(version, self._own_time, hello.options)

    def _closed_early(self) -> ConnectError:
        return ConnectError("the client closed the connection during the handshake")
