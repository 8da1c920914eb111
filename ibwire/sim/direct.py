"""Clients without sockets: bytes go in and out on virtual time alone, so that a run is a pure function of what is sent.

::

    desk = Direct("late-fill", seed=7)
    client = desk.client(version=225)
    client.ask(outgoing.PlaceOrder(1, contract, order))
    desk.advance(2.0)
    client.messages()                          # typed, in the order in which they came; client.received has the bytes
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ibwire.sim.clock import NS_PER_S
from ibwire.sim.director import make_gateway
from ibwire.sim.peer import Peer
from ibwire.sim.scenario import Scenario
from ibwire.spec import versions as V
from ibwire.types import outgoing
from ibwire.wire.codec import Codec, Role
from ibwire.wire.framing import Framer, frame


class Direct:
    """A gateway and its clients in one thread.

    Parameters
    ----------
    scenario : Scenario, str, Path or None
        As for `ibwire.sim.serve`.
    **options
        Anything that `Gateway` takes, and ``server_version``.
    """

    def __init__(self, scenario: Scenario | str | Path | None = None, **options: Any) -> None:
        self.gateway, self.server_version = make_gateway(scenario, **options)
        self.clients: list[DirectClient] = []

    def connect(self) -> DirectClient:
        """Open a connection and say nothing.

        Raises
        ------
        ConnectionRefusedError
            While the gateway restarts.
        """
        if self.gateway.is_down:
            raise ConnectionRefusedError("the gateway restarts")
        client = DirectClient(self, Peer(self.gateway, len(self.clients) + 1, self.server_version))
        self.clients.append(client)
        return client

    def client(self, version: int = V.MAX_CLIENT_VERSION, clientId: int = 1) -> DirectClient:
        """Open a connection, agree on a version and start the API."""
        client = self.connect()
        client.hello(version)
        if client.codec is not None:
            client.ask(outgoing.StartApi(clientId))
        return client

    def advance(self, seconds: float) -> None:
        """Let virtual time pass."""
        clock = self.gateway.clock
        clock.advance(clock.now_ns + round(seconds * NS_PER_S))
        self.pump()

    def pump(self) -> None:
        """Let what is ready arrive."""
        for client in self.clients:
            client.take()


class DirectClient:
    """One client.

    Attributes
    ----------
    received : bytearray
        Every byte that came.
    segments : list of bytes
        The same, as the gateway sent it: each would have been a send of its own.
    closed : bool
        The gateway has hung up.
    codec : Codec or None
        None until versions are agreed.
    """

    def __init__(self, desk: Direct, peer: Peer) -> None:
        self._desk, self.peer = desk, peer
        self.received = bytearray()
        self.segments: list[bytes] = []
        self.closed = False
        self.left = False
        self.greeting = b""
        self.codec: Codec | None = None
        self._framer = Framer()

    def send_bytes(self, data: bytes) -> None:
        """Send bytes as they are."""
        if not (self.closed or self.left) and self.peer.line.reading:
            self.peer.receive_data(data)
            self._desk.pump()

    def hello(self, version: int = V.MAX_CLIENT_VERSION) -> None:
        """Announce a version range and read the answer."""
        self.send_bytes(b"API\0" + frame(b"v100..%d" % version))
        payload = self._framer.next()
        if payload is not None:
            self.greeting = payload
            agreed = int(payload.split(b"\0")[0])
            self.codec = Codec(agreed, Role.CLIENT) if agreed > 0 else None

    def ask(self, *messages: Any) -> None:
        """Send requests."""
        assert self.codec is not None, "no version was agreed"
        for message in messages:
            self.send_bytes(frame(self.codec.encode(message)))

    def take(self) -> None:
        """Take what the gateway has ready."""
        if self.left:
            return
        self.peer.flush()
        line = self.peer.line
        while line.segments and not self.closed:
            segment = bytes(line.segments[0])
            self.segments.append(segment)
            self.received += segment
            self._framer.feed(segment)
            line.sent(len(segment))
        if not self.closed and self.peer.hang_up and (line.drained or line.ended == "reset"):
            self.closed = True
            self.peer.receive_eof()

    def messages(self) -> list[Any]:
        """Return the messages that came since the last call. Raises ProtocolError for what cannot be read."""
        assert self.codec is not None, "no version was agreed"
        found = []
        while (payload := self._framer.next()) is not None:
            found.append(self.codec.decode(payload))
        return found

    def leave(self, abrupt: bool = False) -> None:
        """Hang up."""
        if not self.left:
            self.left = True
            self.peer.receive_eof(abrupt)
