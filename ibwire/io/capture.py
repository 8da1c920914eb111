"""Capture files on disk, and the proxy that writes them: between any program and a gateway, or our own client and one.

The session comes first: when a capture cannot be written any more it ends, `problem` says why, and the bytes go on.
"""

from __future__ import annotations

import errno
import os
import selectors
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from ibwire.errors import CaptureError, ConnectError
from ibwire.io import clock, transport
from ibwire.wire.capture import Decoder, Entry, Kind, encode_entry, encode_header

__all__ = ["CaptureProxy", "CaptureReader", "CaptureWriter"]

_READ_BYTES: Final = 1 << 16
_HIGH_WATER_BYTES: Final = 1 << 20
_CONNECT_MS: Final = 5000


class CaptureWriter:
    """Writes a new capture file. Any thread. A context manager.

    Parameters
    ----------
    path : str or Path
        Must not exist: a capture is never overwritten.
    note : str
        Kept in the header.

    Raises
    ------
    CaptureError
        If the file exists or cannot be written.
    """

    def __init__(self, path: str | Path, note: str = "") -> None:
        self.path = str(path)
        self.entries = 0
        self._lock = threading.Lock()
        # Wall time that never goes back: the offset is taken once.
        self._offset_ns = clock.wall_ns() - clock.now_ns()
        try:
            flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL | getattr(os, "O_CLOEXEC", 0)
            self._fd = os.open(self.path, flags, 0o600)
        except FileExistsError:
            raise CaptureError("the file exists", path=self.path, hint="a capture is never overwritten") from None
        except OSError as error:
            raise CaptureError(f"cannot be created: {error.strerror}", path=self.path) from None
        self._length = 0
        self._write(encode_header(clock.wall_ns(), note))

    def now_ns(self) -> int:
        """The time for an entry."""
        return clock.now_ns() + self._offset_ns

    def write(self, kind: Kind, connection: int, data: bytes = b"", time_ns: int | None = None) -> None:
        """Add one entry; when this returns the kernel has it.

        Raises
        ------
        CaptureError
            If it cannot be written; the file then ends with the entry before.
        """
        entry = Entry(kind, connection, self.now_ns() if time_ns is None else time_ns, data)
        with self._lock:
            if self._fd < 0:
                raise CaptureError("the capture is closed", path=self.path)
            self._write(encode_entry(entry))
            self.entries += 1

    def _write(self, data: bytes) -> None:
        view = memoryview(data)
        try:
            while view:
                view = view[os.write(self._fd, view) :]
        except OSError as error:
            with suppress(OSError):
                os.ftruncate(self._fd, self._length)
            full = error.errno in (errno.ENOSPC, errno.EDQUOT)
            hint = "make room; what was written before is whole" if full else ""
            problem = "the disk is full" if full else f"cannot be written: {error.strerror}"
            raise CaptureError(problem, path=self.path, hint=hint) from None
        self._length += len(data)

    def close(self) -> None:
        """Close the file; twice is harmless."""
        with self._lock:
            if self._fd >= 0:
                os.close(self._fd)
                self._fd = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class CaptureReader:
    """Reads a capture file, entry by entry. A context manager; iterate it once.

    Attributes
    ----------
    created_ns : int
        Wall time of its creation.
    note : str
    torn_bytes : int
        Known after the last entry; see `ibwire.wire.capture.Decoder`.

    Raises
    ------
    CaptureError
        If the file cannot be read, is no capture, or is damaged in the middle.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = str(path)
        try:
            self._file = open(path, "rb")  # noqa: SIM115 - closed by close()
        except OSError as error:
            raise CaptureError(f"cannot be read: {error.strerror}", path=self.path) from None
        try:
            self._decoder = Decoder(self._read, self.path)
        except BaseException:
            self._file.close()
            raise
        self.created_ns, self.note = self._decoder.created_ns, self._decoder.note

    def _read(self, count: int) -> bytes:
        try:
            return self._file.read(count)
        except OSError as error:
            raise CaptureError(f"cannot be read: {error.strerror}", path=self.path) from None

    @property
    def torn_bytes(self) -> int:
        """How many bytes at the end are no whole entry."""
        return self._decoder.torn_bytes

    def __iter__(self) -> Iterator[Entry]:
        return iter(self._decoder)

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


# ---------------------------------------------------------------------------------------------- the proxy


@dataclass(slots=True, eq=False)
class _End:
    """One side of one connection: what it sends is written down and goes to the other side."""

    sock: socket.socket
    connection: int
    kind: Kind
    out: bytearray
    other: _End | None = None
    ended: bool = False  # its peer has said its last
    shut: bool = False  # we have said our last to it
    broken: bool = False  # gone without a proper end
    events: int = 0


class CaptureProxy:
    """Stands between programs and a gateway and writes down every byte, with the time at which it came.

    Parameters
    ----------
    writer : CaptureWriter
        Closed with the proxy.
    host, port
        The gateway.
    listen_port : int
        On the loopback address; 0 takes a free one.
    on_problem : callable, optional
        Called once, from the proxy's thread, when the capture cannot be written any more; traffic goes on.

    Attributes
    ----------
    host, port : where programs connect to.
    problem : CaptureError or None
        Why the capture ended early.
    refused : ConnectError or None
        Why the gateway could not be reached when a program connected last.
    connections : int
        How many there were so far.
    """

    def __init__(
        self,
        writer: CaptureWriter,
        host: str,
        port: int,
        listen_port: int = 0,
        on_problem: Callable[[CaptureError], None] | None = None,
    ) -> None:
        self.writer, self._gateway, self._on_problem = writer, (host, port), on_problem
        self.problem: CaptureError | None = None
        self.refused: ConnectError | None = None
        self.connections = 0
        self.host = transport.LOOPBACK
        self._listener = socket.create_server((self.host, listen_port))
        self._listener.setblocking(False)
        self.port: int = self._listener.getsockname()[1]
        self._wake_in, self._wake_out = socket.socketpair()
        self._closing = False
        self._ends: set[_End] = set()
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._listener, selectors.EVENT_READ, None)
        self._selector.register(self._wake_out, selectors.EVENT_READ, None)
        self._thread = threading.Thread(target=self._run, name="ibwire-capture", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Break every connection, stop, and close the file; twice is harmless."""
        self._closing = True
        with suppress(OSError):
            self._wake_in.send(b"\0")
        self._thread.join()
        self._wake_in.close()
        self.writer.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # -- the proxy's thread ------------------------------------------------------------------------------------------

    def _run(self) -> None:
        try:
            while not self._closing:
                for key, events in self._selector.select():
                    if key.fileobj is self._listener:
                        self._accept()
                    elif isinstance(key.data, _End) and key.data in self._ends:
                        if events & selectors.EVENT_READ:
                            self._read(key.data)
                        if events & selectors.EVENT_WRITE and key.data in self._ends:
                            self._flush(key.data)
        finally:
            for end in tuple(self._ends):
                end.sock.close()
            self._selector.close()
            self._listener.close()
            self._wake_out.close()

    def _note(self, kind: Kind, connection: int, data: bytes = b"") -> None:
        if self.problem is not None:
            return
        try:
            self.writer.write(kind, connection, data)
        except CaptureError as error:
            self.problem = error
            if self._on_problem is not None:
                self._on_problem(error)

    def _accept(self) -> None:
        try:
            client, _ = self._listener.accept()
        except OSError:
            return
        try:
            gateway = transport.connect(*self._gateway, timeout_ms=_CONNECT_MS)
            transport.tune(client)
        except (ConnectError, OSError) as error:
            self.refused = error if isinstance(error, ConnectError) else ConnectError(str(error))
            client.close()  # as if nobody listened: that is what the program asked for
            return
        self.connections += 1
        number = self.connections
        near = _End(client, number, Kind.FROM_CLIENT, bytearray())
        far = _End(gateway, number, Kind.FROM_GATEWAY, bytearray(), near)
        near.other = far
        self._note(Kind.CONNECTED, number)
        for end in (near, far):
            end.sock.setblocking(False)
            self._ends.add(end)
            self._watch(end)

    def _watch(self, end: _End) -> None:
        """Wait for what there is to do: read while the other side keeps up, write while something is due."""
        other = end.other
        assert other is not None
        read = not (end.ended or end.broken or other.broken) and len(other.out) < _HIGH_WATER_BYTES
        events = (selectors.EVENT_READ if read else 0) | (selectors.EVENT_WRITE if end.out else 0)
        if events == end.events:
            return
        if not end.events:
            self._selector.register(end.sock, events, end)
        elif not events:
            self._selector.unregister(end.sock)
        else:
            self._selector.modify(end.sock, events, end)
        end.events = events

    def _read(self, end: _End) -> None:
        other = end.other
        assert other is not None
        try:
            data = end.sock.recv(_READ_BYTES)
        except BlockingIOError:
            return
        except OSError:
            self._break(end)
            return
        if data:
            self._note(end.kind, end.connection, data)
            other.out += data
        else:
            end.ended = True
            self._note(_ENDED[end.kind], end.connection)
        self._flush(other)

    def _flush(self, end: _End) -> None:
        other = end.other
        assert other is not None
        if end.broken:
            end.out.clear()
            return
        try:
            if end.out:
                del end.out[: end.sock.send(end.out)]
            if other.ended and not end.out and not end.shut:
                end.shut = True
                end.sock.shutdown(socket.SHUT_WR)
        except BlockingIOError:
            pass
        except OSError:
            self._break(end)
            return
        if (end.shut and other.shut) or (other.broken and not end.out):
            self._drop(end, other)
            return
        self._watch(end)
        self._watch(other)

    def _break(self, end: _End) -> None:
        """One side is gone without a proper end: so is the other, once it has what came before."""
        other = end.other
        assert other is not None
        if not end.ended:
            self._note(_ENDED[end.kind], end.connection)
        end.ended = end.broken = True
        end.out.clear()
        self._watch(end)
        if other.broken or not other.out:
            self._drop(end, other)
        else:
            self._watch(other)

    def _drop(self, *ends: _End) -> None:
        for end in ends:
            if end in self._ends:
                self._ends.discard(end)
                if end.events:
                    self._selector.unregister(end.sock)
                end.sock.close()


_ENDED: Final = {Kind.FROM_CLIENT: Kind.CLIENT_ENDED, Kind.FROM_GATEWAY: Kind.GATEWAY_ENDED}
