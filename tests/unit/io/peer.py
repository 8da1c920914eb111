"""A small gateway for tests: one thread, one loopback connection, the gateway's side of session and codec."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from typing import Any

from ibwire.session.handshake import RedirectReply
from ibwire.session.session import GatewaySession, Opened, PayloadReceived
from ibwire.wire.codec import Codec, Role
from ibwire.wire.framing import frame

TIME = "20261120 09:30:00 Eastern Standard Time"


class Connection:
    """What a script sees: an agreed connection."""

    def __init__(self, sock: socket.socket, session: GatewaySession, first: list[bytes]) -> None:
        self.sock, self.session = sock, session
        self.codec = Codec(session.server_version, Role.GATEWAY)
        self._payloads = first

    def payload(self) -> bytes | None:
        """The client's next payload; None at its end."""
        while not self._payloads:
            data = self.sock.recv(1 << 16)
            if not data:
                return None
            self.session.receive_data(data)
            self._payloads += [e.payload for e in self.session.events_received() if isinstance(e, PayloadReceived)]
        return self._payloads.pop(0)

    def message(self) -> Any:
        payload = self.payload()
        return None if payload is None else self.codec.decode(payload)

    def wire(self, *messages: Any) -> bytes:
        return b"".join(frame(self.codec.encode(m)) for m in messages)

    def send(self, *messages: Any) -> None:
        self.sock.sendall(self.wire(*messages))


class Peer:
    """Listens on 127.0.0.1; runs ``script`` with each agreed connection, then closes it.

    ``raw``: runs with each plain socket instead, before any handshake. Use as a context manager; what a script raises
    is raised at its end.
    """

    def __init__(
        self,
        script: Callable[[Connection], object] | None = None,
        *,
        raw: Callable[[socket.socket], object] | None = None,
        server_version: int = 176,
        redirects: list[RedirectReply] | None = None,
        receive_buffer: int = 0,
    ) -> None:
        self._script, self._raw, self._version = script, raw, server_version
        self._redirects = redirects or []
        self._listener = socket.socket()
        if receive_buffer:
            self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self._listener.bind(("127.0.0.1", 0))
        self._listener.listen()
        self.port: int = self._listener.getsockname()[1]
        self.accepted = 0
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def __enter__(self) -> Peer:
        self._thread.start()
        return self

    def __exit__(self, kind: object, *exc: object) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._listener.close()
        if self._failure is not None and kind is None:
            raise self._failure

    def _serve(self) -> None:
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            self.accepted += 1
            with sock:
                try:
                    self._one(sock)
                except ConnectionError:
                    pass  # the client left in the middle: its test says whether it should
                except BaseException as exc:
                    self._failure = exc
                    return

    def _one(self, sock: socket.socket) -> None:
        if self._raw is not None:
            self._raw(sock)
            return
        redirect = self._redirects.pop(0) if self._redirects else None
        session = GatewaySession(server_version=self._version, connection_time=TIME, redirect=redirect)
        events: list[Any] = []
        while not events:
            data = sock.recv(4096)
            if not data:
                return
            session.receive_data(data)
            events = session.events_received()
        sock.sendall(session.data_to_send())
        if isinstance(events[0], Opened) and self._script is not None:
            payloads = [e.payload for e in events if isinstance(e, PayloadReceived)]
            self._script(Connection(sock, session, payloads))
