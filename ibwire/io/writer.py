"""The one way bytes leave: whole frames, in order, at the pace of a bucket, whatever the kernel takes at a time."""

from __future__ import annotations

import select
import socket
import threading
from collections.abc import Callable
from typing import Final

from ibwire.errors import PacingError, SessionLost
from ibwire.io import clock
from ibwire.io.transport import shut
from ibwire.ring import impl
from ibwire.session.pacing import Pacing, Queue, Ticket, Traffic

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

    Parameters
    ----------
    pacing : Pacing, optional
        How fast messages may leave; None for no limit.

    Attributes
    ----------
    messages, bytes : int
        Sent so far, whole.
    partial_sends : int
        How often the kernel took only part of what was left.
    queue : Queue or None
        Who waits for a turn, and how long waits were.
    """

    __slots__ = (
        *("_broken", "_lock", "_send_now", "_sent_ns", "_sock", "_stopped", "_turns", "bytes", "messages"),
        *("partial_sends", "queue"),
    )

    def __init__(self, sock: socket.socket, pacing: Pacing | None = None) -> None:
        self.queue = None if pacing is None else Queue(pacing)
        self._turns = threading.Condition(threading.Lock())  # guards the queue; never held while a frame is sent
        self._sock = sock
        self._lock = threading.Lock()
        self._broken = ""  # owned by whoever holds the lock
        self._stopped = ""  # set once, by any thread
        # A socket of another class has a send of its own.
        plain = impl.NAME != "compiled" or type(sock) is not socket.socket
        self._send_now = None if plain else impl.reader_module().send_now
        self._sent_ns = 0
        self.messages = 0
        self.bytes = 0
        self.partial_sends = 0

    def turn(self, traffic: Traffic = Traffic.REST, max_queue_ms: float | None = None) -> None:
        """Wait for this message's turn, without holding anybody up. Then send it with ``traffic=None``.

        For who must not wait while it holds a lock. A turn that is not used is lost, and harms nobody.

        Raises
        ------
        PacingError : too many were before it for ``max_queue_ms`` (the setting's, unless told); never for a cancel.
        SendFailed : the connection is gone; nothing was sent.
        """
        queue = self.queue
        if queue is None:
            return
        with self._turns:
            now_ns = clock.now_ns()
            if queue.try_take(traffic, now_ns):
                return
            ticket = queue.join(traffic, now_ns, max_queue_ms)
        try:
            self._wait_turn(queue, ticket)
        finally:
            with self._turns:
                queue.leave(ticket)  # Ctrl-C too must not leave a place in line that nobody will use
                self._turns.notify_all()

    def _wait_turn(self, queue: Queue, ticket: Ticket) -> None:
        while True:
            if self._stopped:  # not _broken: that is the sender's, and set while a frame is on its way
                raise SendFailed(f"nothing was sent: {self._stopped}")
            with self._turns:
                now_ns = clock.now_ns()
                wait_ns = queue.ask(ticket, now_ns)
                retry_ns = queue.retry_after_ns(ticket.traffic, now_ns) if wait_ns < 0 else 0
            if wait_ns == 0:
                return
            if wait_ns < 0:
                waited_ms = (now_ns - ticket.since_ns) / 1e6
                raise PacingError(
                    f"no turn within {waited_ms:.0f} ms at {queue.pacing.rate_per_s} messages/s; nothing was sent",
                    retry_after_ms=retry_ns / 1e6,
                )
            self._pause(min(wait_ns / 1e6, _SLICE_MS))

    def _pause(self, timeout_ms: float) -> None:
        """Until the line has moved, or at most so long."""
        with self._turns:
            self._turns.wait(timeout_ms / 1000)

    def send(
        self, data: bytes | bytearray | memoryview, messages: int = 1, traffic: Traffic | None = Traffic.REST
    ) -> int:
        """Send whole frames; returns when the kernel has the last byte. Waits while its buffer is full.

        Parameters
        ----------
        traffic : Traffic or None
            Whose turn to wait for; None when :meth:`turn` was called for it.

        Returns
        -------
        int
            The moment at which the kernel had the last byte, monotonic ns.

        Raises
        ------
        SendFailed : a SessionLost; the connection broke, now or earlier. Nothing can be sent after it.
        PacingError : as :meth:`turn`.
        """
        if traffic is not None and self.queue is not None:
            for _ in range(messages):
                self.turn(traffic)
        with self._lock:
            if reason := self._stopped or self._broken:
                raise SendFailed(f"nothing was sent: {reason}")
            # An exception out of here (Ctrl-C too) may leave half a frame on the wire: then nothing may follow it.
            self._broken = "an earlier send was interrupted"
            self._send(data)
            self._broken = ""
            self.messages += messages
            self.bytes += len(data)
            return self._sent_ns

    def _send(self, data: bytes | bytearray | memoryview) -> None:
        wrote, size = 0, len(data)
        left = data
        while True:
            try:
                wrote += (left is data and self._put_now(left)) or self._put(left)
            except OSError as exc:
                self._broken = self._stopped or f"the connection broke: {exc.strerror or exc}"
                shut(self._sock)  # the reader learns of it at once
                raise SendFailed(self._broken, wrote_bytes=wrote) from exc
            except BaseException:
                shut(self._sock)
                raise
            if wrote >= size:
                return
            self.partial_sends += 1
            left = memoryview(data)[wrote:]

    def _put_now(self, data: bytes | bytearray | memoryview) -> int:
        """Give the kernel what it takes without a wait; 0: nothing, or that cannot be done."""
        if self._send_now is None or type(data) is not bytes:
            return 0
        count: int
        count, self._sent_ns = self._send_now(self._sock.fileno(), data)
        return count

    def _put(self, view: bytes | bytearray | memoryview) -> int:
        """Give the kernel some of it; how many bytes it took, at least 1."""
        count = self._sock.send(view)
        self._sent_ns = clock.now_ns()
        return count

    def after_fork(self) -> None:
        """In a child process: nobody holds the lock any more."""
        self._lock = threading.Lock()
        self._turns = threading.Condition(threading.Lock())

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

    def __init__(self, sock: socket.socket, receive: Callable[[], object], pacing: Pacing | None = None) -> None:
        super().__init__(sock, pacing)
        self._receive = receive

    def _pause(self, timeout_ms: float) -> None:
        # Only this thread sends: the line does not move by itself, but what comes in must not wait with us.
        poller = select.poll()
        poller.register(self._sock, select.POLLIN)
        if poller.poll(max(1, timeout_ms)) and not self._stopped:
            self._receive()

    def _put(self, view: bytes | bytearray | memoryview) -> int:
        while True:
            try:
                count = self._sock.send(view, socket.MSG_DONTWAIT)
                self._sent_ns = clock.now_ns()
                return count
            except BlockingIOError:
                pass
            poller = select.poll()
            poller.register(self._sock, select.POLLIN | select.POLLOUT)
            found = poller.poll(_SLICE_MS)
            if found and found[0][1] & ~select.POLLOUT:
                self._receive()
                if self._stopped:
                    raise OSError(self._stopped)
