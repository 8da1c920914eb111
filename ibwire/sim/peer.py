"""One client's bytes, from the first one to the hang-up: handshake, requests, answers. No socket, no wall clock.

`Peer` is to a client what a socket's other end is: `server` gives it what a real socket received and sends what it has
to say; `direct` does the same without sockets, on virtual time alone.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ibwire.errors import IbwireError, ProtocolError
from ibwire.sim.client import ClientSession
from ibwire.sim.clock import zoned_text
from ibwire.sim.faults import Line, LineAct
from ibwire.sim.rng import Rng
from ibwire.spec import versions as V
from ibwire.wire.codec import Codec, Role
from ibwire.wire.framing import Framer, frame

if TYPE_CHECKING:
    from ibwire.sim.gateway import Gateway

READ_FAILED = 320
_HELLO = b"API\0"
_RANGE = re.compile(rb"v(\d{1,9})(?:\.\.(\d{1,9}))?(?: [^\0]*)?")
_MAX_HANDSHAKE_BYTES = 4096
_REDIRECT = -1
# A crowd of requests, each with virtual time after it, must not pile up what comes of them.
_FLUSH_AT = 4096  # messages
_ENOUGH_BYTES = 4 << 20  # ready to be sent: the next requests wait


Watch = Callable[["Peer", bool, Any], None]


class Peer:
    """The gateway's end of one connection.

    Parameters
    ----------
    gateway : Gateway
    number : int
        Different for every connection of this gateway.
    server_version : int
        The highest version that is agreed to.
    on_frame : callable, optional
        Called after each request was taken.
    watch : callable, optional
        Called as ``watch(peer, is_request, message)`` with every typed message either way.

    Attributes
    ----------
    line : Line
        What is ready to be sent, and the faults on the way.
    session : ClientSession or None
        None until versions are agreed.
    is_behind : bool
        Requests wait that were received, until the client has read: call `receive_data` with nothing when it has.
    problem : str
        Why the gateway ended it; empty while it lives or when the client left.
    """

    def __init__(
        self,
        gateway: Gateway,
        number: int,
        server_version: int,
        on_frame: Callable[[], None] | None = None,
        watch: Watch | None = None,
    ) -> None:
        self._gateway, self._server_version = gateway, server_version
        self.number = number
        self._on_frame, self._watch = on_frame, watch
        self.line = Line(gateway.clock, Rng.of(gateway.seed, "line", number))
        self.session: ClientSession | None = None
        self.problem = ""
        self._hello = bytearray()
        self._framer: Framer | None = None  # None until `API\0` came
        self._codec: Codec | None = None  # None until versions are agreed
        self._gone = False
        self.is_behind = False

    # -- what the caller does ----------------------------------------------------------------------------------------

    @property
    def hang_up(self) -> bool:
        """True once the gateway is done with the client: send what is ready, then close."""
        return bool(self.problem or self.line.ended) or (self.session is not None and self.session.closed)

    @property
    def is_stranger(self) -> bool:
        """True until the client has said who it is (startApi)."""
        return self.session is None or self.session.clientId is None

    def receive_data(self, data: bytes) -> None:
        """Take bytes of the client, cut anywhere. Never raises for what a client sends."""
        if self.hang_up or self.line.silent or self._gone:
            self.is_behind = False
            return
        try:
            self._take(data)
        except IbwireError as error:
            self.refuse(str(error))
        except Exception as error:
            # What one client asks for must not take the gateway from the others.
            self.refuse(f"the request could not be processed: {type(error).__name__}: {error}")

    def receive_eof(self, abrupt: bool = False) -> None:
        """The client is gone; `abrupt` without a proper close, which can keep its id taken for a while."""
        self._gone = True
        if self.session is not None:
            self.session.close(abrupt=abrupt)

    def flush(self) -> None:
        """Turn what the session has to say into bytes on the line."""
        session = self.session
        if session is not None and session.outbox:
            self._encode(session)

    def refuse(self, problem: str) -> None:
        """Hang up because of what the client sent, saying why if it can be said."""
        self.problem = self.problem or problem
        if self.session is not None:
            self.session.error(-1, READ_FAILED, problem)
            self.flush()
            self.session.close()

    # -- bytes in ----------------------------------------------------------------------------------------------------

    def _take(self, data: bytes) -> None:
        framer = self._framer
        if framer is None:
            self._hello += data
            head = bytes(self._hello[: len(_HELLO)])
            if not _HELLO.startswith(head):
                raise ProtocolError("a client must begin with API and a NUL", offset=0, payload=head)
            if len(head) < len(_HELLO):
                return
            framer = self._framer = Framer()
            data = bytes(self._hello[len(_HELLO) :])
        framer.feed(data)
        if self._codec is None and framer.pending_bytes >= 4:
            self._agree(framer)
        codec, session = self._codec, self.session
        if codec is None or session is None:
            return
        self.is_behind = False
        while not self.hang_up and not self.line.silent and (payload := framer.next()) is not None:
            self._request(codec, session, payload)
            if self._on_frame is not None:
                self._on_frame()
                if self.line.ready_bytes > _ENOUGH_BYTES:
                    self.is_behind = True
                    return
            if len(session.outbox) > _FLUSH_AT:
                self.flush()

    def _request(self, codec: Codec, session: ClientSession, payload: bytes) -> None:
        codec.split(payload)  # a payload without a message id is no request at all: raises
        try:
            message: Any = codec.decode(payload)
        except ProtocolError as error:
            if session.clientId is None:
                raise
            # The frame ended where it said it would: a real gateway answers and goes on.
            session.error(-1, READ_FAILED, str(error))
            return
        if self._watch is not None:
            self._watch(self, True, message)
        session.receive(message)

    def _agree(self, framer: Framer) -> None:
        """Read the version range and answer it."""
        payload = framer.next()
        if payload is None:
            if framer.pending_bytes > _MAX_HANDSHAKE_BYTES:
                raise ProtocolError("the version range does not end", field="version range")
            return
        match = _RANGE.fullmatch(payload)
        if match is None:
            raise ProtocolError("not a version range", field="version range", offset=0, payload=payload)
        lowest, highest = int(match[1]), int(match[2] or match[1])
        agreed = min(self._server_version, highest)
        if agreed < max(V.MIN_CLIENT_VERSION, lowest):
            raise ProtocolError(
                f"no common version: the client speaks {lowest}..{highest}, this gateway "
                f"{V.MIN_CLIENT_VERSION}..{self._server_version}",
                field="version range",
            )
        director = self._gateway.director
        elsewhere = director.on_handshake(self.line) if director is not None else ""
        if elsewhere:
            self.line.put(frame(f"{_REDIRECT}\0{elsewhere}\0".encode()))
            self.line.end()
        if elsewhere or self.hang_up or self.line.silent:
            return
        codec = self._codec = Codec(agreed, Role.GATEWAY)
        session = self.session = self._gateway.connect(self.number, agreed)
        if director is not None:
            session.flush = self.flush  # faults on the line happen at the time of the message
        elif self._watch is None:
            session.to_frame = lambda message: frame(codec.encode(message))
        self.line.put(frame(f"{agreed}\0{zoned_text(self._gateway.clock.now_ns)}\0".encode()))

    # -- bytes out ---------------------------------------------------------------------------------------------------

    def _encode(self, session: ClientSession) -> None:
        codec, line, watch = self._codec, self.line, self._watch
        assert codec is not None
        # Without a scenario nothing happens to single frames: a crowd of ticks goes on the line as one.
        batch = bytearray()
        put: Callable[[bytes], None] = batch.extend if self._gateway.director is None else line.put
        for message in session.take():
            kind = type(message)
            if kind is bytes:  # a frame already
                put(message)
                continue
            if watch is not None and kind is not LineAct:
                watch(self, False, message)
            try:
                if kind is LineAct:
                    message.run(line)
                    continue
                found = frame(codec.encode(message))
            except IbwireError as error:
                # Ours to answer for, but the other clients need not suffer.
                self.problem = f"{kind.__name__}: {error}"
                session.close()
                break
            put(found)
        if batch:
            line.put(batch)
