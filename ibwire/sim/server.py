"""The simulated gateway on a real loopback socket. The only part of `sim` that knows bytes, threads and wall time.

One thread owns everything: it accepts, reads, drives the virtual clock to where wall time says it should be, and
writes. Other threads talk to it through `Server.call`.
"""

from __future__ import annotations

import re
import selectors
import socket
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from decimal import Decimal
from types import TracebackType
from typing import Final, Self, TypeVar

from ibwire.errors import IbwireError, ProtocolError
from ibwire.sim.account import DEFAULT_ACCOUNT
from ibwire.sim.client import ClientSession
from ibwire.sim.clock import VirtualClock, zoned_text
from ibwire.sim.gateway import Gateway
from ibwire.sim.market import DEFAULT_TICKS_PER_S
from ibwire.spec import versions as V
from ibwire.types.incoming import TickPrice, TickSize
from ibwire.wire.codec import Codec, Role
from ibwire.wire.framing import Framer, frame

HOST: Final = "127.0.0.1"
MAX_CLIENTS: Final = 32
MAX_BACKLOG_BYTES: Final = 64 * 1024 * 1024
_HELLO: Final = b"API\0"
_RANGE: Final = re.compile(rb"v(\d{1,9})(?:\.\.(\d{1,9}))?(?: [^\0]*)?")
_READ_BYTES: Final = 65_536
_MAX_HANDSHAKE_BYTES: Final = 4096
# The most wall time that one round catches up on, so that sockets are looked at in between; what lies more than a
# second behind (a suspended machine) is dropped.
_STEP_NS: Final = 50_000_000
_GIVE_UP_NS: Final = 1_000_000_000
_MEMO_TICKS: Final = 65_536
_LINGER_NS: Final = 500_000_000
_READ_FAILED: Final = 320
T = TypeVar("T")


@dataclass(slots=True, eq=False)
class _Connection:
    """One client's socket, from accept to hang-up."""

    socket: socket.socket
    number: int
    hello: bytearray = field(default_factory=bytearray)
    framer: Framer | None = None  # None until `API\0` came
    codec: Codec | None = None  # None until versions are agreed
    session: ClientSession | None = None
    out: bytearray = field(default_factory=bytearray)
    # (reqId, tickType, price, size) -> frame; what the gateway sends of a tick beyond these follows from tickType.
    memo: dict[tuple[int, int, float | None, Decimal], bytes] = field(default_factory=dict)
    wants_write: bool = False
    hang_up: bool = False  # once `out` is empty
    linger_until_ns: int = 0  # wall time; our half is closed, theirs is still read, so that they can read our last word


class Server:
    """A running simulated gateway; made by `serve`. A context manager: leaving it closes it.

    Attributes
    ----------
    host : str
        Always the loopback address.
    port : int
        The port it listens on.
    gateway : Gateway
        Owned by the server's thread: look at it through `call`, or after `close`.
    clock : VirtualClock
        The gateway's clock, likewise.
    problems : deque of str
        The last reasons for which the server hung up on a client.
    """

    def __init__(self, gateway: Gateway, port: int, server_version: int, time_scale: float) -> None:
        if not V.MIN_CLIENT_VERSION <= server_version <= V.MAX_CLIENT_VERSION:
            raise ValueError(f"server_version must be in {V.MIN_CLIENT_VERSION}..{V.MAX_CLIENT_VERSION}")
        if not time_scale > 0:
            raise ValueError("time_scale must be above 0")
        self.host = HOST
        self.gateway = gateway
        self.server_version = server_version
        self.problems: deque[str] = deque(maxlen=64)
        self._time_scale = time_scale
        self._connections: list[_Connection] = []
        self._accepted = 0
        self._calls: deque[Callable[[], None]] = deque()
        self._closing = False
        self._failure: BaseException | None = None
        self._listener = socket.create_server((HOST, port), backlog=MAX_CLIENTS)
        self.port: int = self._listener.getsockname()[1]
        self._listener.setblocking(False)
        self._wake_in, self._wake_out = socket.socketpair()
        self._wake_in.setblocking(False)
        self._wake_out.setblocking(False)
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._listener, selectors.EVENT_READ, None)
        self._selector.register(self._wake_out, selectors.EVENT_READ, None)
        self._wall_ns = time.monotonic_ns()
        self._virtual_ns = gateway.clock.now_ns
        self._lock = threading.Lock()  # guards _calls against _closing
        self._thread = threading.Thread(target=self._run, name="ibwire-sim", daemon=True)
        self._thread.start()

    @property
    def clock(self) -> VirtualClock:
        """The gateway's clock; only the server's thread may advance it."""
        return self.gateway.clock

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # -- any thread --------------------------------------------------------------------------------------------------

    def call(self, action: Callable[[Gateway], T], timeout: float = 10.0) -> T:
        """Run `action(gateway)` on the server's thread, between two rounds, and return what it returns.

        Raises
        ------
        RuntimeError
            If the server is closed.
        TimeoutError
            If the thread did not get to it within `timeout` seconds.
        """
        result: Future[T] = Future()

        def run() -> None:
            try:
                result.set_result(action(self.gateway))
            except BaseException as error:
                result.set_exception(error)

        with self._lock:
            if self._closing or self._failure is not None:
                raise RuntimeError("the simulated gateway is closed")
            self._calls.append(run)
        self._wake()
        return result.result(timeout)

    def close(self) -> None:
        """Hang up on every client and stop; twice is harmless.

        Raises
        ------
        RuntimeError
            If the server's thread had ended by an error of its own.
        """
        with self._lock:
            self._closing = True
        self._wake()
        if self._thread is not threading.current_thread():
            self._thread.join()
            self._wake_in.close()
            failure, self._failure = self._failure, None
            if failure is not None:
                raise RuntimeError("the simulated gateway failed") from failure

    def _wake(self) -> None:
        try:
            self._wake_in.send(b"\0")
        except OSError:
            pass  # full: it will wake anyway; closed: nobody is left to wake

    # -- the server's thread -----------------------------------------------------------------------------------------

    def _run(self) -> None:
        try:
            while not self._closing:
                self._round()
        except BaseException as error:
            self._failure = error
        finally:
            self._shut_down()

    def _round(self) -> None:
        for key, events in self._selector.select(self._timeout_s()):
            connection = key.data
            if connection is None:
                self._accept() if key.fileobj is self._listener else self._drain_wakes()
            elif events & selectors.EVENT_READ:
                self._read(connection)
        self._advance()
        while self._calls:
            self._calls.popleft()()
        for connection in tuple(self._connections):
            self._write(connection)

    def _shut_down(self) -> None:
        with self._lock:
            self._closing = True
            calls, self._calls = self._calls, deque()
        for call in calls:
            call()
        for connection in tuple(self._connections):
            self._write(connection)  # what is said already, as far as it goes without waiting
            self._drop(connection)
        self._selector.close()
        self._listener.close()
        self._wake_out.close()

    def _drain_wakes(self) -> None:
        try:
            while len(self._wake_out.recv(4096)) == 4096:
                pass
        except BlockingIOError:
            pass

    # -- time --------------------------------------------------------------------------------------------------------

    def _timeout_s(self) -> float | None:
        """Wall time until there is something to do, None when there is nothing."""
        due_ns = self.clock.next_due_ns()
        dues = [c.linger_until_ns for c in self._connections if c.linger_until_ns]
        if due_ns is not None:
            dues.append(self._wall_ns + int((due_ns - self._virtual_ns) / self._time_scale))
        return max(min(dues) - time.monotonic_ns(), 0) / 1e9 if dues else None

    def _advance(self) -> None:
        """Drive the virtual clock to where wall time says it should be."""
        now_ns, scale = time.monotonic_ns(), self._time_scale
        target_ns = self._virtual_ns + int((now_ns - self._wall_ns) * scale)
        due_ns = self.clock.next_due_ns()
        # The way to the next action is free; what lies behind it is work, and is done in steps.
        if due_ns is not None and due_ns < target_ns:
            end_ns = max(due_ns, self.clock.now_ns) + int(_STEP_NS * scale)
            if target_ns - due_ns > _GIVE_UP_NS * scale:
                self._wall_ns, self._virtual_ns = now_ns, end_ns
            target_ns = min(target_ns, end_ns)
        if target_ns > self.clock.now_ns:
            self.clock.advance(target_ns)

    # -- connections -------------------------------------------------------------------------------------------------

    def _accept(self) -> None:
        try:
            accepted, _ = self._listener.accept()
        except OSError:
            return  # it went away again
        if len(self._connections) >= MAX_CLIENTS:
            self.problems.append(f"refused a client: {MAX_CLIENTS} are connected")
            accepted.close()
            return
        accepted.setblocking(False)
        accepted.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._accepted += 1
        connection = _Connection(accepted, self._accepted)
        self._connections.append(connection)
        self._selector.register(accepted, selectors.EVENT_READ, connection)

    def _drop(self, connection: _Connection) -> None:
        if connection in self._connections:
            self._connections.remove(connection)
            self._selector.unregister(connection.socket)
            connection.socket.close()
            if connection.session is not None:
                connection.session.close()

    def _refuse(self, connection: _Connection, problem: str) -> None:
        """Hang up because of what the client sent, saying why if it can be said."""
        self.problems.append(f"client {connection.number}: {problem}")
        if connection.session is not None:
            connection.session.error(-1, _READ_FAILED, problem)
            connection.session.close()
        connection.hang_up = True

    def _read(self, connection: _Connection) -> None:
        try:
            data = connection.socket.recv(_READ_BYTES)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self._drop(connection)
            return
        if connection.hang_up:
            return
        self._advance()  # a request happens at the time at which it came
        try:
            self._take(connection, data)
        except IbwireError as error:
            self._refuse(connection, str(error))
        except Exception as error:
            # What one client asks for must not take the gateway from the others.
            self._refuse(connection, f"the request could not be processed: {type(error).__name__}: {error}")

    def _take(self, connection: _Connection, data: bytes) -> None:
        framer = connection.framer
        if framer is None:
            connection.hello += data
            head = bytes(connection.hello[: len(_HELLO)])
            if not _HELLO.startswith(head):
                raise ProtocolError("a client must begin with API and a NUL", offset=0, payload=head)
            if len(head) < len(_HELLO):
                return
            framer = connection.framer = Framer()
            data = bytes(connection.hello[len(_HELLO) :])
        framer.feed(data)
        if connection.codec is None and framer.pending_bytes >= 4 and self._agree(connection, framer) is None:
            return
        codec, session = connection.codec, connection.session
        if codec is None or session is None:
            return
        while not connection.hang_up and (payload := framer.next()) is not None:
            session.receive(codec.decode(payload))
            connection.hang_up = session.closed

    def _agree(self, connection: _Connection, framer: Framer) -> Codec | None:
        """Read the version range and answer it."""
        payload = framer.next()
        if payload is None:
            if framer.pending_bytes > _MAX_HANDSHAKE_BYTES:
                raise ProtocolError("the version range does not end", field="version range")
            return None
        match = _RANGE.fullmatch(payload)
        if match is None:
            raise ProtocolError("not a version range", field="version range", offset=0, payload=payload)
        lowest, highest = int(match[1]), int(match[2] or match[1])
        agreed = min(self.server_version, highest)
        if agreed < max(V.MIN_CLIENT_VERSION, lowest):
            raise ProtocolError(
                f"no common version: the client speaks {lowest}..{highest}, this gateway "
                f"{V.MIN_CLIENT_VERSION}..{self.server_version}",
                field="version range",
            )
        connection.codec = Codec(agreed, Role.GATEWAY)
        connection.session = self.gateway.connect(connection.number, agreed)
        connection.out += frame(f"{agreed}\0{zoned_text(self.clock.now_ns)}\0".encode())
        return connection.codec

    # -- writing -----------------------------------------------------------------------------------------------------

    def _write(self, connection: _Connection) -> None:
        out = connection.out
        if connection.linger_until_ns:
            if time.monotonic_ns() >= connection.linger_until_ns:
                self._drop(connection)
            return
        if connection.session is not None and connection.session.outbox:
            self._encode(connection, connection.session)
        if out:
            try:
                sent = connection.socket.send(out)
            except BlockingIOError:
                sent = 0
            except OSError:
                self._drop(connection)
                return
            del out[:sent]
        if len(out) > MAX_BACKLOG_BYTES:
            self.problems.append(f"client {connection.number}: does not read; {len(out)} bytes were waiting for it")
            self._drop(connection)
        elif connection.hang_up and not out:
            self._linger(connection)
        elif bool(out) != connection.wants_write:
            connection.wants_write = bool(out)
            events = selectors.EVENT_READ | (selectors.EVENT_WRITE if out else 0)
            self._selector.modify(connection.socket, events, connection)

    def _linger(self, connection: _Connection) -> None:
        # Closing with their bytes unread would reset the connection and could take our last message with it.
        connection.linger_until_ns = time.monotonic_ns() + _LINGER_NS
        try:
            connection.socket.shutdown(socket.SHUT_WR)
        except OSError:
            self._drop(connection)

    def _encode(self, connection: _Connection, session: ClientSession) -> None:
        assert connection.codec is not None
        out, encode, memo = connection.out, connection.codec.encode, connection.memo
        for message in session.take():
            try:
                # Quotes come back to prices and sizes they had before: most ticks were encoded once already.
                kind = type(message)
                if kind is TickPrice or kind is TickSize:
                    price = message.price if kind is TickPrice else None
                    key = (message.reqId, message.tickType, price, message.size)
                    found = memo.get(key)
                    if found is None:
                        if len(memo) >= _MEMO_TICKS:
                            memo.clear()
                        found = memo[key] = frame(encode(message))
                    out += found
                    continue
                payload = encode(message)
            except IbwireError as error:
                # Ours to answer for, but the other clients need not suffer.
                self.problems.append(f"client {connection.number}: {type(message).__name__}: {error}")
                connection.hang_up = True
                return
            out += len(payload).to_bytes(4, "big")
            out += payload


def serve(
    port: int = 0,
    seed: int = 7,
    server_version: int = V.MAX_CLIENT_VERSION,
    accounts: Sequence[str] = (DEFAULT_ACCOUNT,),
    rate: int = DEFAULT_TICKS_PER_S,
    time_scale: float = 1.0,
    conflate: bool = True,
) -> Server:
    """Start a simulated gateway on the loopback address and return it, listening.

    Parameters
    ----------
    port : int
        0 chooses a free one.
    seed : int
        Decides every price, delay and split.
    server_version : int
        The highest version that it agrees to, 100..225.
    accounts : sequence of str
        Account codes of the login; orders are booked in the first.
    rate : int
        Mean quote changes per second and instrument, 1..1,000,000.
    time_scale : float
        Virtual seconds per second.
    conflate : bool
        Tell changes of quotes together, at IB's cadence; False tells each at its time.

    Raises
    ------
    OSError
        If the port cannot be had.
    ValueError
        If an argument is out of range.
    """
    gateway = Gateway(seed, accounts=accounts, ticks_per_s=rate, conflate=conflate)
    return Server(gateway, port, server_version, time_scale)
