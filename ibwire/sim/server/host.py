"""A world on a real loopback socket: with `firehose` the only part of `sim` that knows sockets, threads and wall time.

One thread owns everything: it accepts, reads, drives the virtual clock to where it should be, and writes. Other threads
talk to it through `Host.call`. What a client's bytes mean is its peer's business (`peer`, `replay`).
"""

from __future__ import annotations

import selectors
import socket
import struct
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING, Final, Generic, Protocol, Self, TypeVar

from ibwire.sim.clock import NS_PER_S, VirtualClock

if TYPE_CHECKING:
    from ibwire.sim.faults import Line

HOST: Final = "127.0.0.1"
MAX_CLIENTS: Final = 32
MAX_BACKLOG_BYTES: Final = 64 * 1024 * 1024
_READ_BYTES: Final = 65_536
# The most wall time that one round catches up on, so that sockets are looked at in between; what lies more than a
# second behind (a suspended machine) is dropped.
_STEP_NS: Final = 50_000_000
_GIVE_UP_NS: Final = 1_000_000_000
_WAIT_NS: Final = 3600 * NS_PER_S
_LINGER_NS: Final = 500_000_000
# So long a connection that does not say who it is keeps its place when all places are taken.
_GREETING_NS: Final = 1_000_000_000
_RESET: Final = struct.pack("ii", 1, 0)
_REBIND_TRIES: Final = 200
_REBIND_PAUSE_S: Final = 0.01
T = TypeVar("T")
W = TypeVar("W", bound="World")


def listen(port: int) -> socket.socket:
    """A listening loopback socket; raises OSError when the port cannot be had."""
    return socket.create_server((HOST, port), backlog=4 * MAX_CLIENTS)


class World(Protocol):
    """What a host serves."""

    @property
    def clock(self) -> VirtualClock:
        """What drives it."""

    @property
    def is_down(self) -> bool:
        """True while nobody can connect."""


class PeerLike(Protocol):
    """One client of a world, as bytes; see `ibwire.sim.peer.Peer`."""

    line: Line
    problem: str
    is_behind: bool

    @property
    def hang_up(self) -> bool: ...

    @property
    def is_stranger(self) -> bool: ...

    def receive_data(self, data: bytes) -> None: ...

    def receive_eof(self, abrupt: bool = False) -> None: ...

    def flush(self) -> None: ...


@dataclass(slots=True, eq=False)
class _Connection:
    """One client's socket, from accept to hang-up."""

    socket: socket.socket
    number: int
    peer: PeerLike
    since_ns: int  # wall time
    events: int = selectors.EVENT_READ
    linger_until_ns: int = 0  # wall time; our half is closed, theirs is still read, so that they can read our last word


class Host(Generic[W]):
    """A world on a loopback port. A context manager: leaving it closes it.

    Attributes
    ----------
    host : str
        Always the loopback address.
    port : int
        The port it listens on.
    world
        Owned by the host's thread: look at it through `call`, or after `close`.
    problems : deque of str
        The last reasons for which it hung up on a client.
    """

    def __init__(
        self,
        world: W,
        make_peer: Callable[[int], PeerLike],
        port: int,
        time_scale: float,
        virtual: bool,
        listener: socket.socket | None = None,
    ) -> None:
        if not time_scale > 0:
            raise ValueError("time_scale must be above 0")
        self.host = HOST
        self.world = world
        self.problems: deque[str] = deque(maxlen=64)
        self._make_peer = make_peer
        self._time_scale, self._virtual = time_scale, virtual
        self._connections: list[_Connection] = []
        self._accepted = 0
        self._calls: deque[Callable[[], None]] = deque()
        self._closing = False
        self._failure: BaseException | None = None
        self._selector = selectors.DefaultSelector()
        self._listener: socket.socket | None = None
        self.port = port
        self._listen(listener)
        self._wake_in, self._wake_out = socket.socketpair()
        self._wake_in.setblocking(False)
        self._wake_out.setblocking(False)
        self._selector.register(self._wake_out, selectors.EVENT_READ, None)
        self._wall_ns = time.monotonic_ns()
        self._virtual_ns = world.clock.now_ns
        self._lock = threading.Lock()  # guards _calls against _closing
        self._thread = threading.Thread(target=self._run, name="ibwire-sim", daemon=True)
        self._thread.start()

    @property
    def clock(self) -> VirtualClock:
        """The world's clock; only the host's thread may advance it."""
        return self.world.clock

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # -- any thread --------------------------------------------------------------------------------------------------

    def call(self, action: Callable[[W], T], timeout: float = 10.0) -> T:
        """Run `action(world)` on the host's thread, between two rounds, and return what it returns.

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
                result.set_result(action(self.world))
            except BaseException as error:
                result.set_exception(error)

        with self._lock:
            if self._closing or self._failure is not None:
                raise RuntimeError("the simulated gateway is closed")
            self._calls.append(run)
        self._wake()
        return result.result(timeout)

    def advance(self, seconds: float, timeout: float = 60.0) -> None:
        """Let `seconds` of virtual time pass, at once; the way to make anything happen on a virtual clock.

        What clients had sent before is not waited for: ask for something and read the answer first.

        Raises
        ------
        RuntimeError
            If the host is closed, or its clock is driven by wall time.
        """
        if not self._virtual:
            raise RuntimeError("this clock follows wall time: serve(virtual=True) gives it to you")
        span_ns = round(seconds * NS_PER_S)
        self.call(lambda world: world.clock.advance(world.clock.now_ns + span_ns), timeout)

    def close(self) -> None:
        """Hang up on every client and stop; twice is harmless.

        Raises
        ------
        RuntimeError
            If the host's thread had ended by an error of its own.
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

    # -- the host's thread -------------------------------------------------------------------------------------------

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
        # What a caller asks for happens after what clients asked for before.
        calls, self._calls = self._calls, deque()
        for call in calls:
            call()
        if self.world.is_down == (self._listener is not None):
            self._open_or_close()
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
        self._unlisten()
        self._selector.close()
        self._wake_out.close()

    def _drain_wakes(self) -> None:
        try:
            while len(self._wake_out.recv(4096)) == 4096:
                pass
        except BlockingIOError:
            pass

    # -- listening ---------------------------------------------------------------------------------------------------

    def _listen(self, listener: socket.socket | None = None) -> None:
        listener = listener or listen(self.port)
        listener.setblocking(False)
        self.port = listener.getsockname()[1]
        self._listener = listener
        self._selector.register(listener, selectors.EVENT_READ, None)

    def _unlisten(self) -> None:
        if self._listener is not None:
            self._selector.unregister(self._listener)
            self._listener.close()
            self._listener = None

    def _open_or_close(self) -> None:
        if self.world.is_down:
            self._unlisten()
            return
        for left in reversed(range(_REBIND_TRIES)):
            try:
                self._listen()
                return
            except OSError:  # somebody else uses the port for a moment
                if not left:
                    raise
                time.sleep(_REBIND_PAUSE_S)

    # -- time --------------------------------------------------------------------------------------------------------

    def _timeout_s(self) -> float | None:
        """Wall time until there is something to do, None when there is nothing."""
        dues = [c.linger_until_ns for c in self._connections if c.linger_until_ns]
        due_ns = None if self._virtual else self.clock.next_due_ns()
        if due_ns is not None:
            dues.append(self._wall_ns + int((due_ns - self._virtual_ns) / self._time_scale))
        if self._listener is None and not self._virtual:
            # The end of a restart is no action of the clock.
            dues.append(time.monotonic_ns() + _STEP_NS)
        if not dues:
            return None
        # What is due in years, as after a file of ticks has ended, is more than a selector can wait for.
        return min(max(min(dues) - time.monotonic_ns(), 0), _WAIT_NS) / 1e9

    def _advance(self) -> None:
        """Drive the virtual clock to where wall time says it should be."""
        if self._virtual:
            return
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
        """Take everybody who waits: one at a time would make a crowd wait for each other's rounds."""
        assert self._listener is not None
        for _ in range(4 * MAX_CLIENTS):
            try:
                accepted, _address = self._listener.accept()
            except OSError:
                return  # nobody waits any more
            self._admit(accepted)

    def _admit(self, accepted: socket.socket) -> None:
        if len(self._connections) >= MAX_CLIENTS and not self._make_room():
            self.problems.append(f"refused a client: {MAX_CLIENTS} are connected")
            accepted.close()
            return
        accepted.setblocking(False)
        accepted.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._accepted += 1
        connection = _Connection(accepted, self._accepted, self._make_peer(self._accepted), time.monotonic_ns())
        self._connections.append(connection)
        self._selector.register(accepted, connection.events, connection)

    def _make_room(self) -> bool:
        """Drop one that is on its way out, or that has not said who it is for too long; True if there was one."""
        late_ns = time.monotonic_ns() - _GREETING_NS
        for connection in self._connections:
            silent = connection.peer.is_stranger and connection.since_ns < late_ns
            if silent:
                self.problems.append(f"client {connection.number}: gave its place away, having never said who it is")
            if silent or connection.linger_until_ns:
                self._drop(connection)
                return True
        return False

    def _drop(self, connection: _Connection, abrupt: bool = False) -> None:
        if connection in self._connections:
            self._connections.remove(connection)
            if connection.events:
                self._selector.unregister(connection.socket)
            connection.socket.close()
            if not connection.linger_until_ns:
                self._report(connection)
            connection.peer.receive_eof(abrupt)

    def _report(self, connection: _Connection) -> None:
        if connection.peer.problem:
            self.problems.append(f"client {connection.number}: {connection.peer.problem}")

    def _read(self, connection: _Connection) -> None:
        abrupt = False
        try:
            data = connection.socket.recv(_READ_BYTES)
        except BlockingIOError:
            return
        except OSError:
            data, abrupt = b"", True
        if not data:
            self._drop(connection, abrupt)
            return
        self._advance()  # a request happens at the time at which it came
        connection.peer.receive_data(data)

    def _write(self, connection: _Connection) -> None:
        peer, line = connection.peer, connection.peer.line
        if connection.linger_until_ns:
            if time.monotonic_ns() >= connection.linger_until_ns:
                self._drop(connection)
            return
        peer.flush()
        if line.ended == "reset":
            # Both halves go at once and unread bytes with them, as when the machine behind it dies.
            connection.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            self._drop(connection)
            return
        try:
            while line.segments:
                segment = line.segments[0]
                count = connection.socket.send(segment)
                whole = count == len(segment)
                line.sent(count)
                if not whole:
                    break
        except BlockingIOError:
            pass
        except OSError:
            self._drop(connection, abrupt=True)
            return
        if peer.is_behind and not line.segments:
            peer.receive_data(b"")
            peer.flush()
        if line.backlog_bytes > MAX_BACKLOG_BYTES:
            self.problems.append(f"client {connection.number}: does not read; {line.backlog_bytes} bytes were waiting")
            self._drop(connection)
        elif peer.hang_up and line.drained:
            self._linger(connection)
        else:
            self._expect(connection)

    def _expect(self, connection: _Connection) -> None:
        """Wait for what this connection is about."""
        line = connection.peer.line
        is_read = line.reading and not connection.peer.is_behind
        events = (selectors.EVENT_READ if is_read else 0) | (selectors.EVENT_WRITE if line.segments else 0)
        if events == connection.events:
            return
        if not connection.events:
            self._selector.register(connection.socket, events, connection)
        elif not events:
            self._selector.unregister(connection.socket)
        else:
            self._selector.modify(connection.socket, events, connection)
        connection.events = events

    def _linger(self, connection: _Connection) -> None:
        # Closing with their bytes unread would reset the connection and could take our last message with it.
        connection.linger_until_ns = time.monotonic_ns() + _LINGER_NS
        self._report(connection)
        connection.peer.line.reading = True
        self._expect(connection)
        try:
            connection.socket.shutdown(socket.SHUT_WR)
        except OSError:
            self._drop(connection)
