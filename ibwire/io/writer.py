"""The one way bytes leave: whole frames, in order, whatever the kernel takes at a time."""

from __future__ import annotations

import select
import socket
import threading
from collections.abc import Callable
from typing import Final

from ibwire.errors import SessionLost
from ibwire.io.transport import shut

_SLICE_MS: Final = 50


class SendFailed(SessionLost):
    """The connection broke while a frame was being sent.

    Attributes
    ----------
    wrote_bytes : int
        Bytes of that frame that the kernel had taken: 0 means that the peer cannot have any of it.
    """

    wrote_bytes: int

    def __init__(self, problem: str = "", *, wrote_bytes: int = 0, hint: str = "") -> None:
        super().__init__(problem, hint=hint)
        self.wrote_bytes = wrote_bytes


class Writer:
    """Sends frames on a blocking socket. Any thread; frames never mix.

    Attributes
    ----------
    messages, bytes : int
        Sent so far, whole.
    partial_sends : int
        How often the kernel took only part of what was left.
    """

    __slots__ = ("_broken", "_lock", "_sock", "_stopped", "bytes", "messages", "partial_sends")

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._lock = threading.Lock()
        self._broken = ""  # owned by whoever holds the lock
        self._stopped = ""  # set once, by any thread
        self.messages = 0
        self.bytes = 0
        self.partial_sends = 0

    def send(self, data: bytes | bytearray | memoryview, messages: int = 1) -> None:
        """Send whole frames; returns when the kernel has the last byte. Waits while its buffer is full.

        Raises
        ------
        SendFailed : a SessionLost; the connection broke, now or earlier. Nothing can be sent after it.
        """
        with self._lock:
            if reason := self._stopped or self._broken:
                raise SendFailed(f"nothing was sent: {reason}")
            # An exception out of here (Ctrl-C too) may leave half a frame on the wire: then nothing may follow it.
            self._broken = "an earlier send was interrupted"
            self._send(memoryview(data))
            self._broken = ""
            self.messages += messages
            self.bytes += len(data)

    def _send(self, view: memoryview) -> None:
        wrote = 0
        while wrote < len(view):
            try:
                count = self._put(view[wrote:])
            except OSError as exc:
                self._broken = self._stopped or f"the connection broke: {exc.strerror or exc}"
                shut(self._sock)  # the reader learns of it at once
                raise SendFailed(self._broken, wrote_bytes=wrote) from exc
            except BaseException:
                shut(self._sock)
                raise
            wrote += count
            if wrote < len(view):
                self.partial_sends += 1

    def _put(self, view: memoryview) -> int:
        """Give the kernel some of it; how many bytes it took, at least 1."""
        return self._sock.send(view)

    def after_fork(self) -> None:
        """In a child process: nobody holds the lock any more."""
        self._lock = threading.Lock()

    def drain(self, timeout_ms: float) -> None:
        """Wait for a send that is under way in another thread to return; after a shut it does so at once."""
        if self._lock.acquire(timeout=timeout_ms / 1000):
            self._lock.release()

    def stop(self, reason: str) -> None:
        """Refuse everything from now on. Does not wait for a send that is under way: shut the socket for that."""
        if not self._stopped:
            self._stopped = reason


class InlineWriter(Writer):
    """A writer for a thread that also receives: while the kernel takes nothing, it goes on receiving.

    Otherwise a gateway that waits for us to read would wait for ever, and we for it.

    Parameters
    ----------
    receive : callable
        Takes what has come, without waiting; calls nothing of the user's.
    """

    __slots__ = ("_receive",)

    def __init__(self, sock: socket.socket, receive: Callable[[], object]) -> None:
        super().__init__(sock)
        self._receive = receive

    def _put(self, view: memoryview) -> int:
        while True:
            try:
                return self._sock.send(view, socket.MSG_DONTWAIT)
            except BlockingIOError:
                pass
            poller = select.poll()
            poller.register(self._sock, select.POLLIN | select.POLLOUT)
            found = poller.poll(_SLICE_MS)
            if found and found[0][1] & ~select.POLLOUT:
                self._receive()
                if self._stopped:
                    raise OSError(self._stopped)
