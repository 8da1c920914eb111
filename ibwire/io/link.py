"""One TCP connection to a gateway and everything on it: session, reader, decoder, rings, writer.

Owner of what: the opening thread does the handshake; then the reader's thread alone receives and decodes, any thread
may send, and whichever comes first of the reader's end and :meth:`Link.close` ends the link, once.
"""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable
from typing import Any, Final

from ibwire.errors import ConnectError, ProtocolError, SessionLost, WaitTimeout
from ibwire.io import transport
from ibwire.io.dispatch import Dispatcher
from ibwire.io.reader import End, Ending, Reader
from ibwire.io.wait import Bell
from ibwire.io.writer import Writer
from ibwire.ring import impl
from ibwire.ring.log import MAX_BACKLOG_BYTES
from ibwire.session.session import MAX_REDIRECTS, BytesReceived, ClientSession, Ended, Opened, Redirected
from ibwire.spec.registry import by_name
from ibwire.spec.versions import MAX_CLIENT_VERSION
from ibwire.types.outgoing import StartApi
from ibwire.wire.codec import Codec, Role
from ibwire.wire.framing import frame

MARKET_RECORDS: Final = 1 << 16
_HELLO_BYTES: Final = 1 << 16
_JOIN_MS: Final = 5000
_DRAIN_MS: Final = 1000


class Link:
    """An open connection, made by :meth:`open`.

    Attributes
    ----------
    host, port : the peer, after redirects.
    client_id : int
    session : ClientSession
        Agreed version, readiness, epoch. Its bytes are done with: the stream decoder has the rest.
    server_version : int
    connection_time : str
        The gateway's own text.
    codec : Codec
        Of the agreed version. Used under :meth:`encode`'s lock by any thread; decode with a codec of your own.
    market, orders, control
        The rings; make cursors from any thread.
    decoder
        The stream decoder: ``stats`` and ``watermark`` may be read from any thread.
    bell : Bell
        Rung once per receive call, and when the link ends.
    """

    def __init__(self, sock: socket.socket, session: ClientSession, first: bytes, settings: dict[str, Any]) -> None:
        self._sock = sock
        self.session = session
        self.host: str = settings["host"]
        self.port: int = settings["port"]
        self.client_id: int = settings["client_id"]
        self.server_version = session.server_version
        self.connection_time = session.connection_time
        self.codec = Codec(session.server_version, Role.CLIENT)
        limit = settings["max_backlog_bytes"]
        self.market = impl.MarketRing(settings["market_records"])
        self.orders, self.control = impl.LogRing(limit), impl.LogRing(limit)
        self.decoder = impl.StreamDecoder(
            session.server_version, self.market, self.orders, self.control, records=settings["records"]
        )
        self._start_api: bool = settings["start_api"]
        self.bell = Bell()
        self.writer = Writer(sock)
        self._optional_capabilities: str = settings["optional_capabilities"]
        self._encode_lock = threading.Lock()
        self._end_lock = threading.Lock()
        self._ending: Ending | None = None
        self._started = False
        self._on_close: list[Callable[[Ending], object]] = []
        self._reader = Reader(sock, self.decoder, self.bell, self._end, first=first)

    # ------------------------------------------------------------------ opening

    @classmethod
    def open(
        cls,
        host: str = transport.LOOPBACK,
        port: int = 4002,
        client_id: int = 1,
        *,
        max_server_version: int = MAX_CLIENT_VERSION,
        connect_options: str = "",
        optional_capabilities: str = "",
        timeout_ms: float = 5000,
        allow_redirect: bool = False,
        market_records: int = MARKET_RECORDS,
        max_backlog_bytes: int = MAX_BACKLOG_BYTES,
        epoch: int = 1,
        on_close: Callable[[Ending], object] | None = None,
        start: bool = True,
        records: bool = True,
        start_api: bool = True,
    ) -> Link:
        """Connect, agree on a version and start reading.

        Parameters
        ----------
        max_server_version : int
            Highest version announced, 100..225.
        timeout_ms : float
            For connection and handshake together, redirects included.
        allow_redirect : bool
            Follow a gateway that names another address, at most twice.
        market_records : int
            Capacity of the market ring in records of 64 bytes; a power of two.
        max_backlog_bytes : int
            Limit of the order ring and of the control ring, each.
        epoch : int
            Number of this session in the program's life.
        on_close : callable
            See :meth:`on_close`.
        start : bool
            False: nothing is read or sent after the handshake until :meth:`start`, so that cursors made before miss
            nothing.
        records : bool
            False: every message goes raw to the control ring, in wire order; nothing is decoded here.
        start_api : bool
            False: the caller sends startApi.

        Raises
        ------
        ConfigError : an argument is wrong. ConnectError : no session; the message says what to do.
        """
        deadline = time.monotonic() + timeout_ms / 1000
        for redirects in range(MAX_REDIRECTS + 1):
            session = ClientSession(
                max_server_version=max_server_version,
                connect_options=connect_options,
                allow_redirect=allow_redirect,
                redirects=redirects,
                epoch=epoch,
                deliver="bytes",
            )
            left_ms = (deadline - time.monotonic()) * 1000
            if redirects and left_ms <= 0:
                break
            sock = transport.connect(host, port, timeout_ms=left_ms if redirects else timeout_ms)
            try:
                found = _handshake(sock, session, deadline, f"{host}:{port}")
                if isinstance(found, Redirected):
                    sock.close()
                    host, port = found.host, found.port or port
                    continue
                settings = {
                    "host": host,
                    "port": port,
                    "client_id": client_id,
                    "optional_capabilities": optional_capabilities,
                    "market_records": market_records,
                    "max_backlog_bytes": max_backlog_bytes,
                    "records": records,
                    "start_api": start_api,
                }
                link = cls(sock, session, found, settings)
                if on_close is not None:
                    link.on_close(on_close)
                if start:
                    link.start()
            except BaseException:
                sock.close()
                raise
            return link
        raise ConnectError(f"no session within {timeout_ms:g} ms, redirects included")

    def start(self) -> None:
        """Start the reader and send startApi; once. Raises SessionLost when the connection is gone."""
        if self._started:
            return
        self._started = True
        self._reader.start()
        if self._start_api:
            self.send(self.encode(StartApi(self.client_id, self._optional_capabilities)))

    # ------------------------------------------------------------------ use

    def encode(self, message: Any) -> bytes:
        """The payload of a message for this peer. Any thread. Raises UnsupportedByServer or RequestError."""
        with self._encode_lock:
            return self.codec.encode(message)

    def send(self, payload: bytes) -> None:
        """Send one message; returns when the kernel has its last byte. Any thread.

        Raises
        ------
        SendFailed : a SessionLost that says how many bytes had gone out. ProtocolError : too long a payload.
        """
        if not payload:
            raise ProtocolError("an empty payload cannot be framed")
        self.writer.send(frame(payload))

    def dispatcher(
        self,
        on_entry: Callable[[Any], object],
        on_market: Callable[[memoryview], object] | None = None,
        on_gap: Callable[[int], object] | None = None,
    ) -> Dispatcher:
        """A dispatcher over all three rings, from the oldest entries still held; for one thread."""
        return Dispatcher(
            self.decoder,
            self.orders.cursor(from_start=True),
            self.control.cursor(from_start=True),
            self.market.cursor(),
            on_entry,
            on_market,
            on_gap,
        )

    def wait_ready(self, timeout_ms: float = 5000) -> None:
        """Wait for nextValidId and managedAccounts, and note them in ``session.readiness``. Soon after :meth:`open`.

        Raises
        ------
        WaitTimeout : they did not come in time. SessionLost, ProtocolError : the link ended first; says why.
        """
        readiness = self.session.readiness
        codec = Codec(self.server_version, Role.CLIENT)
        wanted = {by_name("nextValidId").id, by_name("managedAccounts").id}
        cursor = self.control.cursor(from_start=True)

        def look() -> bool:
            while entries := cursor.poll():
                for payload in (e.payload for e in entries if e.kind in wanted and not e.flags):
                    try:
                        message = codec.decode(payload)
                    except ProtocolError:
                        continue
                    if type(message).NAME == "nextValidId":
                        readiness.on_next_valid_id(message.orderId)
                    else:
                        readiness.on_managed_accounts(message.accountsList)
            return readiness.ready or self._ending is not None

        try:
            done = self.bell.wait_until(look, timeout_ms)
        finally:
            cursor.close()
        if readiness.ready:
            return
        if not done:
            missing = "nextValidId" if readiness.next_valid_id is None else "managedAccounts"
            raise WaitTimeout(f"no {missing} within {timeout_ms:g} ms", hint="is the gateway logged in?")
        self.check()

    def check(self) -> None:
        """Raise what ended the link, if it has ended."""
        if self._ending is not None:
            raise self._ending.error

    # ------------------------------------------------------------------ the end

    @property
    def closed(self) -> bool:
        """True once the link has ended, whoever ended it."""
        return self._ending is not None

    @property
    def ending(self) -> Ending | None:
        """Why the link ended, with the error; None while it lives."""
        return self._ending

    @property
    def closed_reason(self) -> str:
        """Why the link ended, in words; empty while it lives."""
        return "" if self._ending is None else str(self._ending)

    def on_close(self, callback: Callable[[Ending], object]) -> None:
        """Call ``callback(ending)`` once when the link ends, from the thread that ends it; at once if it has ended."""
        with self._end_lock:
            ending = self._ending
            if ending is None:
                self._on_close.append(callback)
                return
        callback(ending)

    def close(self) -> None:
        """End the link and wait for its reader. Any thread, any number of times; a blocked send returns with an error.

        What was received stays in the rings.
        """
        self._reader.expect_close()
        transport.shut(self._sock)
        if self._started:
            self._reader.join(_JOIN_MS)
        self._end(Ending(End.CLOSED, SessionLost("this program closed the connection")))
        self.bell.ring()
        self.writer.drain(_DRAIN_MS)  # the descriptor must not be reused under a send
        self._sock.close()

    def __enter__(self) -> Link:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def _end(self, ending: Ending) -> None:
        with self._end_lock:
            if self._ending is not None:
                return
            self.writer.stop(str(ending))  # first: who sees the end must not find the writer going
            self._ending = ending
            callbacks, self._on_close = self._on_close, []
        transport.shut(self._sock)  # what this side cannot read any more the peer need not send
        for callback in callbacks:
            callback(ending)


def _handshake(sock: socket.socket, session: ClientSession, deadline: float, where: str) -> Redirected | bytes:
    """Agree on a version. Returns bytes that came after the answer, or where to go instead; raises ConnectError."""
    try:
        while True:
            out = session.data_to_send()
            left = deadline - time.monotonic()
            if left <= 0:
                raise TimeoutError
            sock.settimeout(left)
            if out:
                sock.sendall(out)
            data = sock.recv(_HELLO_BYTES)
            if data:
                session.receive_data(data)
            else:
                session.receive_eof()
            events = session.events_received()
            for event in events:
                if isinstance(event, Ended):
                    raise event.error
                if isinstance(event, Redirected):
                    return event
            if events and isinstance(events[0], Opened):
                sock.settimeout(None)
                return b"".join(e.data for e in events if isinstance(e, BytesReceived))
    except TimeoutError:
        raise ConnectError(
            f"{where} accepted the connection but did not answer the handshake in time",
            hint="look for a dialog in TWS that asks to accept the connection; is this the API port?",
        ) from None
    except OSError as exc:
        raise ConnectError(
            f"{where} broke off the handshake: {exc.strerror or exc}",
            hint="is this address among the trusted ones in the API settings?",
        ) from exc
