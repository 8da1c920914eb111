"""Reading: socket to stream decoder, in a thread of its own or by a program's own thread, and a reason when it ends.

:class:`Reader` is plain Python; :class:`CompiledReader` is the same face over ``_reader.Reader``, which holds no GIL.
"""

from __future__ import annotations

import enum
import os
import select
import socket
import struct
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Protocol

from ibwire.errors import ConfigError, ConsumerTooSlow, IbwireError, ProtocolError, SessionLost
from ibwire.io.clock import now_ns, wall_ns
from ibwire.io.metrics import StageTimes
from ibwire.io.transport import shut
from ibwire.ring import impl

BUFFER_BYTES: Final = 1 << 18
_LEAST_BUFFER_BYTES: Final = 4096
_MOST_BUFFER_BYTES: Final = 1 << 28
_SLICE_MS: Final = 50.0
_SO_TIMESTAMPNS: Final = 35  # Linux; the module socket does not name it everywhere
_STAMP: Final = struct.Struct("@ll")


class Decoder(Protocol):
    """What the reader needs of a stream decoder."""

    @property
    def pending_bytes(self) -> int: ...

    def receive(self, data: memoryview, recv_ns: int, /) -> int: ...


class Rings(Protocol):
    """What is rung when something came."""

    def ring(self) -> None: ...


class End(enum.Enum):
    """Why a connection ended."""

    CLOSED = "closed"  # by this program
    EOF = "eof"  # by the peer
    ERROR = "error"  # by the network
    PROTOCOL = "protocol"  # framing was lost
    TOO_SLOW = "too_slow"  # a consumer held too much
    FAILED = "failed"  # a defect in this program


@dataclass(frozen=True, slots=True)
class Ending:
    """Why and how a connection ended. ``error`` is what a waiting call should raise."""

    end: End
    error: IbwireError

    def __str__(self) -> str:
        return str(self.error)


@dataclass(frozen=True, slots=True, kw_only=True)
class Receiving:
    """How to receive.

    Attributes
    ----------
    buffer_bytes : int
        Most that one receive takes, 4096 to 2**28.
    spin : bool
        Never sleep in the kernel: a whole core, for microseconds. Compiled reader only.
    kernel_times : bool
        Records carry the time at which the kernel had the last byte of their receive, as monotonic time, instead of
        the time at which the receive returned. Linux; elsewhere nothing changes.
    timers : bool
        Count how long each stage takes.
    """

    buffer_bytes: int = BUFFER_BYTES
    spin: bool = False
    kernel_times: bool = False
    timers: bool = False

    def __post_init__(self) -> None:
        if not _LEAST_BUFFER_BYTES <= self.buffer_bytes <= _MOST_BUFFER_BYTES:
            hint = f"it may be {_LEAST_BUFFER_BYTES}..{_MOST_BUFFER_BYTES}"
            raise ConfigError(f"a receive buffer of {self.buffer_bytes} bytes", hint=hint)


class Reader:
    """Reads a socket until it ends: in its own thread ``ibwire-reader``, or one receive at a time.

    Parameters
    ----------
    sock : socket.socket
        In blocking mode; the reader is the only one that receives from it.
    decoder
        Takes the bytes; used by the reading thread alone.
    bell : Bell
        Rung once per receive call, and at the end.
    on_end : callable
        Called with the Ending, once, from the reading thread, before the last ring.
    first : bytes
        Bytes that were received already, such as those that came with the handshake.

    Attributes
    ----------
    times : StageTimes or None
    """

    def __init__(
        self,
        sock: socket.socket,
        decoder: Decoder,
        bell: Rings,
        on_end: Callable[[Ending], None],
        *,
        first: bytes = b"",
        how: Receiving | None = None,
    ) -> None:
        self._sock, self._decoder, self._bell, self._on_end = sock, decoder, bell, on_end
        self._first = first
        self._how = how or Receiving()
        self._closing = False
        self._thread = threading.Thread(target=self._run, name="ibwire-reader", daemon=True)
        self.times: Any = None
        self.ending: Ending | None = None
        self._receive_ns = self._wall_offset_ns = 0
        self._prepare()

    def _prepare(self) -> None:
        self._view = memoryview(bytearray(self._how.buffer_bytes))
        self.times = StageTimes() if self._how.timers else None
        self._stamps = False
        if self._how.kernel_times:
            try:
                self._sock.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
                self._stamps = True
            except OSError:  # not here
                pass

    # ------------------------------------------------------------------ its own thread

    def start(self) -> None:
        """Start the thread; once."""
        self._thread.start()

    def expect_close(self) -> None:
        """This program is about to shut the socket: the end that follows is no error."""
        self._closing = True

    def stop(self) -> None:
        """End it, from any thread; it shuts the socket. The end is CLOSED, unless it ended before."""
        self._closing = True
        shut(self._sock)

    def join(self, timeout_ms: float | None = None) -> bool:
        """Wait for the end of the thread; True when it has ended (or this is that thread, or it never began)."""
        if self._thread.ident is None or threading.current_thread() is self._thread:
            return True
        self._thread.join(None if timeout_ms is None else timeout_ms / 1000)
        return not self._thread.is_alive()

    def _run(self) -> None:
        self._finish(self._read())

    def _finish(self, ending: Ending) -> None:
        if self._closing and ending.end in (End.EOF, End.ERROR):
            ending = Ending(End.CLOSED, SessionLost("this program closed the connection"))
        self.ending = ending
        try:
            self._on_end(ending)
        finally:
            self._bell.ring()

    # ------------------------------------------------------------------ one receive at a time

    def receive(self, timeout_ms: float | None = 0) -> int:
        """Take what one receive brings, in the calling thread; never while :meth:`start`'s thread runs.

        Parameters
        ----------
        timeout_ms : float or None
            How long to wait for it; None for no limit.

        Returns
        -------
        int
            Messages completed; -1 when nothing came in time; 0 also when it ended, which ``ending`` and ``on_end``
            then say.
        """
        if self.ending is not None:
            return 0
        before = getattr(self._decoder, "watermark", 0)
        try:
            count = self._receive_one(timeout_ms)
        except Exception as exc:
            self._finish(self._ending_of(exc))
            return int(getattr(self._decoder, "watermark", 0) - before)
        if count is None:
            self._finish(self._eof())
            return 0
        return count

    # ------------------------------------------------------------------ plain Python from here on

    @property
    def clocks(self) -> tuple[int, int]:
        """(monotonic time of the newest receive, wall clock minus monotonic), ns."""
        return self._receive_ns, self._wall_offset_ns

    def _read(self) -> Ending:
        try:
            if self._first:
                first, self._first = memoryview(self._first), b""
                self._take(first, 0)
            while (count := self._get(0)) is not None:
                self._take(self._view[: count[0]], count[1])
        except Exception as exc:
            return self._ending_of(exc)
        return self._eof()

    def _receive_one(self, timeout_ms: float | None) -> int | None:
        """Messages completed; None at the end."""
        if self._first:
            first, self._first = memoryview(self._first), b""
            return self._take(first, 0)
        deadline = None if timeout_ms is None else now_ns() + int(timeout_ms * 1e6)
        poller = select.poll()
        poller.register(self._sock, select.POLLIN)
        while True:
            left_ms = _SLICE_MS if deadline is None else min(_SLICE_MS, max(0.0, (deadline - now_ns()) / 1e6))
            if poller.poll(left_ms):
                got = self._get(socket.MSG_DONTWAIT)
                return None if got is None else self._take(self._view[: got[0]], got[1])
            if deadline is not None and now_ns() >= deadline:
                return -1

    def _get(self, flags: int) -> tuple[int, int] | None:
        """Bytes received into the view, and the kernel's stamp; None at the end."""
        if not self._stamps:
            count = self._sock.recv_into(self._view, 0, flags)
            return (count, 0) if count else None
        count, ancillary, _, _ = self._sock.recvmsg_into([self._view], 256, flags)
        stamp = 0
        for level, kind, data in ancillary:
            if level == socket.SOL_SOCKET and kind == _SO_TIMESTAMPNS and len(data) >= _STAMP.size:
                seconds, rest = _STAMP.unpack_from(data)
                stamp = seconds * 1_000_000_000 + rest
        return (count, stamp) if count else None

    def _take(self, data: memoryview, stamp: int) -> int:
        # One read of each clock per receive call, shared by its messages.
        now = now_ns()
        offset = wall_ns() - now
        recv_ns = min(max(stamp - offset, self._receive_ns), now) if stamp else now
        try:
            return self._decoder.receive(data, recv_ns)
        finally:
            self._receive_ns, self._wall_offset_ns = recv_ns, offset
            if self.times is not None:
                self.times.record("decode", now_ns() - now)
            self._bell.ring()

    # ------------------------------------------------------------------ why it ended

    def _eof(self) -> Ending:
        pending = self._decoder.pending_bytes
        where = f" in the middle of a frame ({pending} bytes of it came)" if pending else ""
        return Ending(End.EOF, SessionLost(f"the gateway closed the connection{where}"))

    @staticmethod
    def _ending_of(exc: Exception) -> Ending:
        if isinstance(exc, OSError):
            return Ending(End.ERROR, SessionLost(f"the connection broke: {exc.strerror or exc}"))
        if isinstance(exc, ProtocolError):
            return Ending(End.PROTOCOL, exc)
        if isinstance(exc, ConsumerTooSlow):
            return Ending(End.TOO_SLOW, exc)
        # A defect must end the session, not leave it silent.
        error = SessionLost(f"the reader failed: {type(exc).__name__}: {exc}")
        error.__cause__ = exc
        return Ending(End.FAILED, error)


class CompiledReader(Reader):
    """As :class:`Reader`, without the GIL. ``decoder`` is a compiled stream decoder, ``bell`` that of its region."""

    _decoder: impl.CompiledDecoder

    def _prepare(self) -> None:
        how, decoder, module = self._how, self._decoder, impl.reader_module()
        self.times = module.StageTimes() if how.timers else None
        self._region = decoder.region
        self._inner = module.Reader(
            self._sock.fileno(),
            decoder.inner,
            self._region,
            orders=decoder.orders,
            control=decoder.control,
            every=decoder.every,
            buffer_bytes=how.buffer_bytes,
            spin=how.spin,
            kernel_times=how.kernel_times,
            times=self.times,
        )

    def stop(self) -> None:
        self._inner.stop()
        super().stop()

    @property
    def clocks(self) -> tuple[int, int]:
        found: tuple[int, int] = impl.reader_module().times(self._region)
        return found

    def _feed(self) -> None:
        first, self._first = self._first, b""
        if first:
            self._inner.feed(first)

    def _read(self) -> Ending:
        self._feed()
        self._inner.run()
        return self._found()

    def receive(self, timeout_ms: float | None = 0) -> int:
        if self.ending is not None:
            return 0
        inner = self._inner
        if self._first:
            before = self._decoder.inner.seq
            self._feed()
            if not inner.reason:
                return int(self._decoder.inner.seq - before)
        count = int(inner.receive(timeout_ms))
        if inner.reason:
            self._finish(self._found())
        return count

    def _found(self) -> Ending:
        reason = self._inner.reason
        if reason == "eof":
            return self._eof()
        if reason == "failed":
            try:
                self._decoder.check()
            except Exception as exc:
                return self._ending_of(exc)
        if reason == "stopped":
            return Ending(End.CLOSED, SessionLost("this program closed the connection"))
        number = self._inner.errno
        return Ending(End.ERROR, SessionLost(f"the connection broke: {os.strerror(number)}"))


def make_reader(
    sock: socket.socket,
    decoder: Any,
    bell: Rings,
    on_end: Callable[[Ending], None],
    *,
    first: bytes = b"",
    how: Receiving | None = None,
) -> Reader:
    """The compiled reader where the decoder is compiled, else its plain twin."""
    kind = CompiledReader if isinstance(decoder, impl.CompiledDecoder) else Reader
    return kind(sock, decoder, bell, on_end, first=first, how=how)
