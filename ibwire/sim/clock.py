"""Virtual time. Nothing happens until `advance` is called, and then in the order of (time, sequence) only."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta

NS_PER_S = 1_000_000_000
DEFAULT_START_NS = 1_772_461_800 * NS_PER_S  # Monday 2026-03-02 14:30:00 UTC: the US stock market opens
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_push, _pop = heapq.heappush, heapq.heappop


class Scheduled:
    """One scheduled action: the handle that `VirtualClock.at` and `after` return and `cancel` takes."""

    __slots__ = ("_action", "sequence", "time_ns")

    def __init__(self, time_ns: int, sequence: int, action: Callable[[], None]) -> None:
        self.time_ns = time_ns
        self.sequence = sequence
        self._action: Callable[[], None] | None = action

    @property
    def pending(self) -> bool:
        """True until the action has run or was cancelled."""
        return self._action is not None

    def _take(self) -> Callable[[], None] | None:
        action, self._action = self._action, None
        return action


class VirtualClock:
    """A clock with a queue of actions; whoever owns the simulation drives it.

    Parameters
    ----------
    start_ns : int
        First time, in ns since 1970-01-01 UTC.

    Notes
    -----
    Not thread-safe: one thread owns a simulation. Two runs with the same calls run the same actions in the same order.
    """

    __slots__ = ("_heap", "_now_ns", "_running", "_sequence")

    def __init__(self, start_ns: int = DEFAULT_START_NS) -> None:
        self._now_ns = start_ns
        self._sequence = 0
        self._running = False
        self._heap: list[tuple[int, int, Scheduled]] = []

    @property
    def now_ns(self) -> int:
        """The virtual time, ns since 1970-01-01 UTC. Inside an action it is the time the action was scheduled for."""
        return self._now_ns

    def at(self, time_ns: int, action: Callable[[], None]) -> Scheduled:
        """Run `action` when the time reaches `time_ns`; equal times run in the order they were scheduled.

        Raises
        ------
        ValueError
            If `time_ns` lies in the past.
        """
        if time_ns < self._now_ns:
            raise ValueError(f"cannot schedule at {time_ns}: it is already {self._now_ns}")
        sequence = self._sequence
        self._sequence = sequence + 1
        handle = Scheduled(time_ns, sequence, action)
        _push(self._heap, (time_ns, sequence, handle))
        return handle

    def after(self, delay_ns: int, action: Callable[[], None]) -> Scheduled:
        """Run `action` `delay_ns` (>= 0) from now."""
        return self.at(self._now_ns + delay_ns, action)

    def cancel(self, handle: Scheduled) -> bool:
        """Drop a scheduled action; return False if it had run or was cancelled before."""
        return handle._take() is not None

    def next_due_ns(self) -> int | None:
        """Return the time of the earliest pending action, or None when nothing is scheduled."""
        while self._heap and not self._heap[0][2].pending:
            heapq.heappop(self._heap)
        return self._heap[0][0] if self._heap else None

    def advance(self, to_ns: int) -> int:
        """Move the time to `to_ns`, running every action due on the way; return how many ran.

        Actions may schedule further actions; those due by `to_ns` run in the same call. If an action raises, the clock
        stands at that action's time, the action is gone and the rest stays scheduled.

        Raises
        ------
        ValueError
            If `to_ns` lies in the past.
        RuntimeError
            If called from inside an action.
        """
        if self._running:
            raise RuntimeError("advance called from inside a scheduled action")
        if to_ns < self._now_ns:
            raise ValueError(f"cannot go back from {self._now_ns} to {to_ns}")
        ran = 0
        heap = self._heap
        self._running = True
        try:
            while heap and heap[0][0] <= to_ns:
                time_ns, _, handle = _pop(heap)
                action = handle._action
                if action is None:
                    continue
                handle._action = None
                self._now_ns = time_ns
                ran += 1
                action()
            self._now_ns = to_ns
        finally:
            self._running = False
        return ran


def utc_date(time_ns: int) -> date:
    """Return the UTC calendar date of a virtual time."""
    return (_EPOCH + timedelta(seconds=time_ns // NS_PER_S)).date()


def utc_text(time_ns: int) -> str:
    """Return a virtual time as `yyyymmdd-hh:mm:ss`, the zone-free UTC form of the API."""
    return (_EPOCH + timedelta(seconds=time_ns // NS_PER_S)).strftime("%Y%m%d-%H:%M:%S")


def zoned_text(time_ns: int) -> str:
    """Return a virtual time as `yyyymmdd hh:mm:ss UTC`, the form with a zone name."""
    return (_EPOCH + timedelta(seconds=time_ns // NS_PER_S)).strftime("%Y%m%d %H:%M:%S UTC")
