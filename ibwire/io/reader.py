"""The reading thread: socket to stream decoder, and a reason when it ends."""

from __future__ import annotations

import enum
import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol

from ibwire.errors import ConsumerTooSlow, IbwireError, ProtocolError, SessionLost
from ibwire.io.clock import now_ns
from ibwire.io.wait import Bell

BUFFER_BYTES: Final = 1 << 18


class Decoder(Protocol):
    """What the reader needs of a stream decoder."""

    @property
    def pending_bytes(self) -> int: ...

    def receive(self, data: memoryview, recv_ns: int, /) -> int: ...


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


class Reader:
    """Reads a socket in its own thread ``ibwire-reader`` until it ends.

    Parameters
    ----------
    sock : socket.socket
        In blocking mode; the reader is the only one that receives from it.
    decoder
        Takes the bytes; used by the reader's thread alone.
    bell : Bell
        Rung once per receive call, and at the end.
    on_end : callable
        Called with the Ending, once, from the reader's thread, before the last ring.
    first : bytes
        Bytes that were received already, such as those that came with the handshake.
    """

    def __init__(
        self,
        sock: socket.socket,
        decoder: Decoder,
        bell: Bell,
        on_end: Callable[[Ending], None],
        *,
        first: bytes = b"",
        buffer_bytes: int = BUFFER_BYTES,
    ) -> None:
        self._sock, self._decoder, self._bell, self._on_end = sock, decoder, bell, on_end
        self._first = first
        self._buffer = bytearray(buffer_bytes)
        self._closing = False
        self._thread = threading.Thread(target=self._run, name="ibwire-reader", daemon=True)
        self.ending: Ending | None = None

    def start(self) -> None:
        """Start the thread; once."""
        self._thread.start()

    def expect_close(self) -> None:
        """This program is about to shut the socket: the end that follows is no error."""
        self._closing = True

    def join(self, timeout_ms: float | None = None) -> bool:
        """Wait for the end of the thread; True when it has ended (or this is that thread, or it never began)."""
        if self._thread.ident is None or threading.current_thread() is self._thread:
            return True
        self._thread.join(None if timeout_ms is None else timeout_ms / 1000)
        return not self._thread.is_alive()

    def _run(self) -> None:
        ending = self._read()
        if self._closing and ending.end in (End.EOF, End.ERROR):
            ending = Ending(End.CLOSED, SessionLost("this program closed the connection"))
        self.ending = ending
        try:
            self._on_end(ending)
        finally:
            self._bell.ring()

    def _read(self) -> Ending:
        decoder, bell, receive = self._decoder, self._bell, self._sock.recv_into
        view = memoryview(self._buffer)
        try:
            if self._first:
                decoder.receive(memoryview(self._first), now_ns())
                self._first = b""
                bell.ring()
            while count := receive(view):
                # One clock read per receive call, shared by its messages.
                decoder.receive(view[:count], now_ns())
                bell.ring()
        except OSError as exc:
            return Ending(End.ERROR, SessionLost(f"the connection broke: {exc.strerror or exc}"))
        except ProtocolError as exc:
            return Ending(End.PROTOCOL, exc)
        except ConsumerTooSlow as exc:
            return Ending(End.TOO_SLOW, exc)
        except Exception as exc:  # a defect must end the session, not leave it silent
            error = SessionLost(f"the reader failed: {type(exc).__name__}: {exc}")
            error.__cause__ = exc
            return Ending(End.FAILED, error)
        pending = decoder.pending_bytes
        where = f" in the middle of a frame ({pending} bytes of it came)" if pending else ""
        return Ending(End.EOF, SessionLost(f"the gateway closed the connection{where}"))
