"""The way of one client's bytes, and what can happen to them on it. No socket, no wall clock.

A `Line` is what lies between the gateway and the socket of one client. Whole frames go in; segments come out, each of
which is to be sent on its own. Without a fault a frame is ready at once and neighbours share a segment. Faults compose:
latency delays every frame, coalescing gathers what was sent within a while, splitting cuts it into pieces with pauses;
a corrupted or cut frame goes the same way. Bytes never overtake each other: reordering is for messages (`director`).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from ibwire.sim.clock import VirtualClock
from ibwire.sim.rng import Rng

LENGTH_BYTES = 4
CLOSE, RESET = "close", "reset"


@dataclass(frozen=True, slots=True)
class LineAct:
    """Something to do with a line; stands in a session's outbox between the messages before and after which it is."""

    run: Callable[[Line], None]


class Line:
    """One client's bytes between the gateway and its socket.

    Parameters
    ----------
    clock : VirtualClock
        The gateway's.
    rng : Rng
        Draws which byte of a frame is corrupted.

    Attributes
    ----------
    silent : bool
        Nothing leaves any more and what comes is ignored; the connection stays open (a half-open peer).
    reading : bool
        False: the gateway does not take what the client sends, so that the client's own sends will block.
    ended : str
        `close` (once everything ready has left) or `reset` (at once, as a crashed host); empty while it lives.
    latency_ns, coalesce_ns, split_bytes, split_gap_ns : int
        0 for none.
    """

    def __init__(self, clock: VirtualClock, rng: Rng) -> None:
        self._clock, self._rng = clock, rng
        self.silent = False
        self.reading = True
        self.ended = ""
        self.latency_ns = 0
        self.coalesce_ns = 0
        self.split_bytes = 0
        self.split_gap_ns = 0
        self.segments: deque[bytearray] = deque()
        self.ready_bytes = 0  # in segments
        self.backlog_bytes = 0  # in segments and on the way
        self._window_ns = -1  # when the gathering of frames ends
        self._last_due_ns = 0
        self._on_the_way = 0
        self._cut: int | None = None
        self._cut_how = CLOSE
        self._corrupt = 0
        self._corrupt_at: int | None = None

    # -- bytes -------------------------------------------------------------------------------------------------------

    def put(self, frame: bytes | bytearray) -> None:
        """Send one whole frame (or any bytes that belong together)."""
        if self.silent or self.ended:
            return
        if self._corrupt:
            frame = self._corrupted(frame)
        if self._cut is not None:
            frame, how = frame[: self._cut], self._cut_how
            self._cut = None
            self._pass(frame)
            self.end(how)
            return
        self._pass(frame)

    def sent(self, count: int) -> None:
        """So many bytes of the first segment have left."""
        segment = self.segments[0]
        self.backlog_bytes -= count
        self.ready_bytes -= count
        if count == len(segment):
            self.segments.popleft()
        else:
            del segment[:count]

    @property
    def drained(self) -> bool:
        """True when nothing is ready and nothing on the way."""
        return not self.segments and not self._on_the_way

    def _pass(self, data: bytes | bytearray) -> None:
        if not data:
            return
        if not (self.latency_ns or self.coalesce_ns or self.split_bytes or self._on_the_way):
            self.backlog_bytes += len(data)
            self.ready_bytes += len(data)
            if self.segments:
                self.segments[-1] += data
            else:
                self.segments.append(bytearray(data))
            return
        now_ns = self._clock.now_ns
        due_ns = now_ns + self.latency_ns
        if self.coalesce_ns:
            if self._window_ns <= now_ns:
                self._window_ns = now_ns + self.coalesce_ns
            due_ns = max(due_ns, self._window_ns)
        due_ns = max(due_ns, self._last_due_ns)
        size = self.split_bytes or len(data)
        for at in range(0, len(data), size):
            if self.split_bytes and (at or due_ns == self._last_due_ns):
                due_ns += self.split_gap_ns
            self._later(due_ns, data[at : at + size], apart=bool(self.split_bytes))
        self._last_due_ns = due_ns

    def _later(self, due_ns: int, piece: bytes | bytearray, apart: bool) -> None:
        self._on_the_way += 1
        self.backlog_bytes += len(piece)
        self._clock.at(due_ns, partial(self._arrive, piece, apart))

    def _arrive(self, piece: bytes | bytearray, apart: bool) -> None:
        self._on_the_way -= 1
        if self.silent or self.ended == RESET:
            self.backlog_bytes -= len(piece)
            return
        self.ready_bytes += len(piece)
        if apart or not self.segments:
            self.segments.append(bytearray(piece))
        else:
            self.segments[-1] += piece

    def _corrupted(self, frame: bytes | bytearray) -> bytes:
        self._corrupt -= 1
        at = self._corrupt_at
        if at is None:
            at = self._rng.between(min(LENGTH_BYTES, len(frame) - 1), len(frame) - 1)
        changed = bytearray(frame)
        at = min(at, len(frame) - 1)
        changed[at] ^= 1 << self._rng.below(8)
        return bytes(changed)

    # -- faults ------------------------------------------------------------------------------------------------------

    def cut_next(self, size: int, how: str = CLOSE) -> None:
        """Send only `size` bytes of the next frame and end the connection."""
        self._cut, self._cut_how = size, how

    def corrupt_next(self, count: int = 1, at: int | None = None) -> None:
        """Flip a bit in each of the next `count` frames, in byte `at` (0..3 is the length) or in a drawn one."""
        self._corrupt, self._corrupt_at = count, at

    def silence(self) -> None:
        """Say and hear nothing from now on."""
        self.silent = True
        self.backlog_bytes -= self.ready_bytes
        self.ready_bytes = 0
        self.segments.clear()

    def end(self, how: str = CLOSE) -> None:
        """End the connection: `close` after what has been sent, `reset` at once."""
        self.ended = self.ended or how
