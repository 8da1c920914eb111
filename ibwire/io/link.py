"""One TCP connection to a gateway and everything on it: session, reader, decoder, rings, writer.

Owner of what: the opening thread does the handshake; then, threaded, the reader's thread alone receives and decodes,
any thread may send; inline, the opening thread receives (in :meth:`Link.poll` and whenever it waits) and sends, and no
other does. Whichever comes first of the reader's end and :meth:`Link.close` ends the link, once.
"""

from __future__ import annotations

import socket
import threading
import time
import weakref
from collections.abc import Callable
from typing import Any, Final

from ibwire.errors import ConnectError, ProtocolError, SessionLost, WaitTimeout, WrongThread
from ibwire.io import life, shm, transport
from ibwire.io.cursor import Cursor
from ibwire.io.dispatch import Dispatcher
from ibwire.io.metrics import COUNTS, Metrics, by_name_of, histograms
from ibwire.io.opening import MARKETS, MODES, check_choice, check_sizes, handshake
from ibwire.io.reader import BUFFER_BYTES, End, Ending, Receiving, make_reader
from ibwire.io.rings import make_rings
from ibwire.io.wait import Bell, InlineBell, RegionBell, Waits, WakeFd, check_how
from ibwire.io.writer import InlineWriter, Writer
from ibwire.ring import impl
from ibwire.ring.log import MAX_BACKLOG_BYTES
from ibwire.session.pacing import Pacing, Traffic
from ibwire.session.session import MAX_REDIRECTS, ClientSession, Redirected
from ibwire.spec.registry import by_name
from ibwire.spec.versions import MAX_CLIENT_VERSION
from ibwire.types.outgoing import StartApi
from ibwire.wire.codec import Codec, Role
from ibwire.wire.framing import frame

MARKET_RECORDS: Final = 1 << 16
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
    market, orders, control, every
        The rings; make cursors from any thread. ``every`` is None with ``market="latest"``.
    decoder
        The stream decoder: ``stats`` and ``watermark`` may be read from any thread.
    tables : LiveTables or None
        Latest quotes and orders, kept by the reader; None with the plain twins or without records.
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
        rings = make_rings(settings, session.server_version, session.epoch)
        self.market, self.every, self.orders, self.control = rings.market, rings.every, rings.orders, rings.control
        self.tables, self._segment = rings.tables, rings.segment
        self.decoder = impl.StreamDecoder(
            session.server_version,
            self.market,
            self.orders,
            self.control,
            records=settings["records"],
            every=self.every,
        )
        self._start_api: bool = settings["start_api"]
        self.is_inline: bool = settings["mode"] == "inline"
        self._owner = threading.get_ident()
        region = getattr(self.market, "region", None)
        bell: Waits = Bell() if region is None else RegionBell(region, settings["wait"])
        self._optional_capabilities: str = settings["optional_capabilities"]
        self._encode_lock = threading.Lock()
        self._end_lock = threading.Lock()
        self._ending: Ending | None = None
        self._started = False
        self._generation = life.generation()
        self._polled = 0
        self._fd: tuple[WakeFd, int] | None = None
        self._fds: list[tuple[WakeFd, int]] = []  # of closed cursors: the reader may still write to them
        self._all_fds: list[WakeFd] = []
        self._cursors: weakref.WeakSet[Cursor] = weakref.WeakSet()
        self._is_sending = self._is_exiting = False
        self._told: list[Callable[[Ending], object]] = []  # callbacks that wait for a send to be over
        self._on_close: list[Callable[[Ending], object]] = []
        self._reader = make_reader(sock, self.decoder, bell, self._end, first=first, how=settings["how"])
        self.bell: Waits = InlineBell(bell, self._receives, self._reader.receive) if self.is_inline else bell
        pacing: Pacing | None = settings["pacing"]
        self.writer = InlineWriter(sock, self._receive_now, pacing) if self.is_inline else Writer(sock, pacing)
        life.watch(self)

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
        market: str = "latest",
        mode: str = "threaded",
        wait: str = "block",
        spin: bool = False,
        kernel_times: bool = False,
        timers: bool = False,
        buffer_bytes: int = BUFFER_BYTES,
        receive_buffer_bytes: int = 0,
        publish: str | None = None,
        pacing: Pacing | None = None,
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
        market : str
            ``latest``: market records in a ring that overwrites, and cursors tell what they missed. ``every``: in
            memory up to ``max_backlog_bytes`` too, past which the oldest go.
        mode : str
            ``threaded``: a thread receives, without the GIL. ``inline``: none does, the opening thread calls
            :meth:`poll`.
        wait : str
            How consumers wait unless told otherwise: ``block``, ``yield`` or ``spin``.
        spin, kernel_times, timers, buffer_bytes
            See :class:`~ibwire.io.reader.Receiving`.
        receive_buffer_bytes : int
            The kernel's receive buffer; 0 leaves it to the kernel.
        publish : str or None
            Put the market ring, the tables and a copy of order and control entries into shared memory of that name,
            for ``ibwire.attach``; until the link ends.
        pacing : Pacing, optional
            How fast messages may leave; None for no limit.

        Raises
        ------
        ConfigError : an argument is wrong. ConnectError : no session; the message says what to do.
        """
        how = Receiving(buffer_bytes=buffer_bytes, spin=spin, kernel_times=kernel_times, timers=timers)
        settings = {
            "client_id": client_id,
            "optional_capabilities": optional_capabilities,
            "market_records": market_records,
            "max_backlog_bytes": max_backlog_bytes,
            "records": records,
            "start_api": start_api,
            "market": check_choice("market", market, MARKETS),
            "mode": check_choice("mode", mode, MODES),
            "wait": check_how(wait),
            "how": how,
            "pacing": pacing,
        }
        check_sizes(market_records, max_backlog_bytes)
        # Before connecting: a name that is taken, or too little memory, must not cost a session.
        segment = None if publish is None else shm.create(publish, market_records=market_records)
        offer = {
            "max_server_version": max_server_version,
            "connect_options": connect_options,
            "allow_redirect": allow_redirect,
            "epoch": epoch,
        }
        try:
            link = cls._connect({**settings, "segment": segment}, offer, host, port, timeout_ms, receive_buffer_bytes)
            try:
                if on_close is not None:
                    link.on_close(on_close)
                if start:
                    link.start()
            except BaseException:
                link._sock.close()
                raise
        except BaseException:
            if segment is not None:
                segment.close()
            raise
        return link

    @classmethod
    def _connect(
        cls, settings: dict[str, Any], offer: dict[str, Any], host: str, port: int, timeout_ms: float, buffer_bytes: int
    ) -> Link:
        deadline = time.monotonic() + timeout_ms / 1000
        for redirects in range(MAX_REDIRECTS + 1):
            session = ClientSession(**offer, redirects=redirects, deliver="bytes")
            left_ms = (deadline - time.monotonic()) * 1000
            if redirects and left_ms <= 0:
                break
            limit_ms = left_ms if redirects else timeout_ms
            sock = transport.connect(host, port, timeout_ms=limit_ms, receive_buffer_bytes=buffer_bytes)
            try:
                found = handshake(sock, session, deadline, f"{host}:{port}")
                if isinstance(found, Redirected):
                    sock.close()
                    host, port = found.host, found.port or port
                    continue
                return cls(sock, session, found, {**settings, "host": host, "port": port})
            except BaseException:
                sock.close()
                raise
        raise ConnectError(f"no session within {timeout_ms:g} ms, redirects included")

    def start(self) -> None:
        """Start the reader and send startApi; once. Raises SessionLost when the connection is gone."""
        if self._started:
            return
        life.check(self._generation)
        self._started = True
        if self.is_inline:
            self._check_owner()
            self._reader.receive(0)  # what came with the handshake: the socket will not tell of it
        else:
            self._reader.start()
        if self._start_api:
            self.send(self.encode(StartApi(self.client_id, self._optional_capabilities)))

    # ------------------------------------------------------------------ use

    def encode(self, message: Any) -> bytes:
        """The payload of a message for this peer. Any thread. Raises UnsupportedByServer or RequestError."""
        with self._encode_lock:
            return self.codec.encode(message)

    def turn(self, traffic: Traffic = Traffic.REST, max_queue_ms: float | None = None) -> None:
        """Wait for a message's turn; then send it with ``traffic=None``. For who must not wait under a lock.

        Raises
        ------
        PacingError : too many were before it. SendFailed : the connection is gone. WrongThread, ForkedClient.
        """
        life.check(self._generation)
        if self.is_inline:
            self._check_owner()
        self.writer.turn(traffic, max_queue_ms)

    def send(self, payload: bytes, traffic: Traffic | None = Traffic.REST) -> int:
        """Send one message; returns when the kernel has its last byte. Any thread.

        Parameters
        ----------
        traffic : Traffic or None
            Whose turn to wait for; None when :meth:`turn` was called for it.

        Returns
        -------
        int
            When the kernel had it, monotonic ns.

        Raises
        ------
        SendFailed : a SessionLost that says how many bytes had gone out. ProtocolError : too long a payload.
        PacingError : too many were before it; nothing was sent.
        WrongThread : inline, another thread than the one that opened the link. ForkedClient : a child process.
        """
        if not payload:
            raise ProtocolError("an empty payload cannot be framed")
        life.check(self._generation)
        if not self.is_inline:
            return self.writer.send(frame(payload), 1, traffic)
        self._check_owner()
        self._is_sending = True
        try:
            return self.writer.send(frame(payload), 1, traffic)
        finally:
            self._is_sending = False
            self._tell()

    def poll(self, timeout_ms: float | None = 0) -> int:
        """Take in what has come; inline this is what receives: at most one buffer of it.

        Parameters
        ----------
        timeout_ms : float or None
            How long to wait for something; None for no limit.

        Returns
        -------
        int
            Messages that came since the last poll (inline: in this one); they are in the rings.

        Raises
        ------
        SessionLost, ProtocolError, ConsumerTooSlow : the link has ended, and a poll before has told of everything.
        WrongThread : inline, another thread than the one that opened the link. ForkedClient : a child process.
        """
        life.check(self._generation)
        if self.is_inline:
            self._check_owner()
            count = self._reader.receive(timeout_ms)
            if count > 0:
                return count
            self.check()
            return 0
        if self._fd is not None:
            self.bell.clear_fd(self._fd[1])
        deadline = None if timeout_ms is None else time.monotonic() + timeout_ms / 1000
        while True:
            seen, ending, mark = self.bell.count, self._ending, self.decoder.watermark
            if mark > self._polled:
                count, self._polled = mark - self._polled, mark
                return count
            if ending is not None:
                raise ending.error
            left_ms = None if deadline is None else (deadline - time.monotonic()) * 1000
            if left_ms is not None and left_ms <= 0:
                return 0
            self.bell.wait(seen, left_ms)

    def fileno(self) -> int:
        """What an event loop watches: readable when :meth:`poll` has something to tell. Inline it is the socket."""
        life.check(self._generation)
        if self.is_inline:
            return self._sock.fileno()
        if self._fd is None:
            self._fd = self.take_fd()
            self.bell.ring()  # what came before
        return self._fd[0].fd

    def take_fd(self) -> tuple[WakeFd, int]:
        """A file descriptor that is readable after each publication, and its slot for the bell."""
        with self._end_lock:
            if self._fds:
                return self._fds.pop()
            wake = WakeFd()
            try:
                slot = self.bell.add_fd(wake)
            except BaseException:
                wake.close()
                raise
            self._all_fds.append(wake)
            return wake, slot

    def give_fd(self, wake: WakeFd, slot: int) -> None:
        """It is no longer used. Another cursor may get it; it is closed with the link."""
        with self._end_lock:
            self._fds.append((wake, slot))

    def cursor(self) -> Cursor:
        """A cursor over the market records to come: of ``every`` where that was asked for, else of the latest."""
        life.check(self._generation)
        inner: Any = self.market.cursor() if self.every is None else self.every.cursor()
        cursor = Cursor(self, inner)
        self._cursors.add(cursor)
        return cursor

    def adopt(self) -> None:
        """Inline: this thread receives and sends from now on. The caller knows that the old one is done with it."""
        self._owner = threading.get_ident()

    def metrics(self) -> Metrics:
        """The counts at this moment. Any thread."""
        (counts, kinds), writer, every = self.decoder.counters(), self.writer, self.every
        receive_ns, wall_offset_ns = self._reader.clocks
        return Metrics(
            **{name: counts.get(name, 0) for name in COUNTS},
            control=self.control.appended,
            segments=sum(getattr(ring, "segments", 0) for ring in (self.orders, self.control)),
            evicted=0 if every is None else every.evicted,
            gap=sum(cursor.gap for cursor in list(self._cursors)),
            orders_backlog_bytes=self.orders.backlog_bytes,
            control_backlog_bytes=self.control.backlog_bytes,
            market_backlog_bytes=0 if every is None else every.backlog_bytes,
            sent=writer.messages,
            sent_bytes=writer.bytes,
            partial_sends=writer.partial_sends,
            receive_ns=receive_ns,
            wall_offset_ns=wall_offset_ns,
            kinds=by_name_of(kinds),
            stages=histograms(self._reader.times),
        )

    def record_time(self, stage: str, begin_ns: int) -> None:
        """With ``timers=True``: a stage outside the reader took from ``begin_ns`` (monotonic) until now."""
        if self._reader.times is not None:
            self._reader.times.record(stage, time.monotonic_ns() - begin_ns)

    @property
    def is_timed(self) -> bool:
        """Whether stages are timed."""
        return self._reader.times is not None

    def dispatcher(
        self,
        on_entry: Callable[[Any], object],
        on_market: Callable[[memoryview], object] | None = None,
        on_gap: Callable[[int], object] | None = None,
    ) -> Dispatcher:
        """A dispatcher over all rings, from the oldest entries still held; for one thread."""
        return Dispatcher(
            self.decoder,
            self.orders.cursor(from_start=True),
            self.control.cursor(from_start=True),
            self.market.cursor() if self.every is None else self.every.cursor(from_start=True),
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

        What was received stays in the rings. In a child process it does nothing: the connection is the parent's.
        """
        if self._generation != life.generation():
            return
        self._reader.stop()
        done = self._reader.join(_JOIN_MS) if self._started and not self.is_inline else True
        self._end(Ending(End.CLOSED, SessionLost("this program closed the connection")))
        self.bell.ring()
        self.writer.drain(_DRAIN_MS)  # the descriptor must not be reused under a send
        if not done or (self.is_inline and not self._is_owner()):
            return  # somebody may still be in a receive: the descriptor must not be reused under that either
        with self._end_lock:
            self._sock.close()

    def __del__(self) -> None:
        # Cursors that event loops watch may outlive close(): their descriptors go with the link.
        for wake in self.__dict__.get("_all_fds", ()):
            wake.close()

    # ------------------------------------------------------------------ fork and exit

    def _after_fork(self) -> None:
        self._encode_lock, self._end_lock = threading.Lock(), threading.Lock()
        self.writer.after_fork()
        self.bell.after_fork()

    def _at_exit(self) -> None:
        if self._started and not self.is_inline and self._generation == life.generation():
            self._is_exiting = True
            self._reader.stop()
            self._reader.join(_JOIN_MS)

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
        if self._segment is not None:
            self._segment.close()
        transport.shut(self._sock)  # what this side cannot read any more the peer need not send
        self._told += [] if self._is_exiting else callbacks
        if not self._is_sending:
            self._tell()

    def _tell(self) -> None:
        # Not in the middle of a send, which receives meanwhile: what a callback does might send again.
        while self._told and self._ending is not None:
            self._told.pop(0)(self._ending)

    def _receive_now(self) -> int:
        return self._reader.receive(0)

    def _is_owner(self) -> bool:
        return threading.get_ident() == self._owner

    def _receives(self) -> bool:
        return self._is_owner() and self._ending is None

    def _check_owner(self) -> None:
        if not self._is_owner():
            raise WrongThread(
                "this connection has no thread of its own: the thread that opened it receives and sends",
                hint='call it there, or open with mode="threaded"',
            )
