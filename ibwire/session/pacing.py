"""How fast messages may leave: a bucket of tokens and the queue in front of it. Pure: the time is passed in.

A gateway takes 50 messages a second, all kinds together (reference: error code 100); past that it may hang up, and a
hung-up session cannot cancel. So the limit holds for every second there is, not on average: a token that was spent
comes back exactly one second later, and no more than ``rate_per_s`` are ever out. Cancels come first: some tokens are
theirs alone, and while one waits nothing else goes. Among equals, who came first goes first; nothing is dropped: who
gives up is told.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Final

from ibwire.errors import ConfigError

__all__ = [
    "Pacing",
    "Queue",
    "Ticket",
    "TokenBucket",
    "Traffic",
]

SECOND_NS: Final = 1_000_000_000


class Traffic(IntEnum):
    """The two classes of messages."""

    CANCEL = 0
    REST = 1


@dataclass(frozen=True, slots=True)
class Pacing:
    """Limits of one connection.

    Parameters
    ----------
    rate_per_s : int
        Messages in any one second, 1..1000000. TWS takes half as many as the login has market data lines: 50 by
        default.
    reserved : int
        How many of them only cancels may use; less than ``rate_per_s``. -1: a tenth, rounded up (none of 1).
    max_queue_ms : float
        How long a message that is no cancel may wait for its turn; 0 or more. Cancels wait as long as it takes.

    Raises
    ------
    ConfigError : a value is out of range.
    """

    rate_per_s: int = 50
    reserved: int = -1
    max_queue_ms: float = 1000.0

    def __post_init__(self) -> None:
        rate = self.rate_per_s
        if not isinstance(rate, int) or isinstance(rate, bool) or not 1 <= rate <= 1_000_000:
            raise ConfigError(f"rate_per_s is {rate!r}", hint="give a whole number from 1 to 1000000; TWS takes 50")
        if self.reserved == -1:
            object.__setattr__(self, "reserved", 0 if rate == 1 else -(-rate // 10))
        if not isinstance(self.reserved, int) or not 0 <= self.reserved < rate:
            raise ConfigError(f"reserved is {self.reserved!r}", hint=f"give a whole number from 0 to {rate - 1}")
        if not 0 <= self.max_queue_ms < float("inf"):
            raise ConfigError(f"max_queue_ms is {self.max_queue_ms!r}", hint="give milliseconds, 0 or more")


class TokenBucket:
    """``rate_per_s`` tokens, each of which comes back a second after it was spent. One thread at a time.

    Parameters
    ----------
    rate_per_s, reserved : as for :class:`Pacing`.
    """

    __slots__ = ("_rest", "_spent", "rate_per_s", "reserved")

    def __init__(self, rate_per_s: int, reserved: int = 0) -> None:
        self.rate_per_s = rate_per_s
        self.reserved = reserved
        self._rest = rate_per_s - reserved
        self._spent: deque[int] = deque()  # when, oldest first; at most rate_per_s

    def available(self, now_ns: int, traffic: Traffic = Traffic.CANCEL) -> int:
        """Tokens that a class may spend now."""
        limit = self.rate_per_s if traffic is Traffic.CANCEL else self._rest
        return max(0, limit - self._count(now_ns))

    def take(self, traffic: Traffic, now_ns: int) -> int:
        """Spend a token: 0 when done, else the nanoseconds until there is one, and nothing was spent."""
        spent = self._spent
        limit = self.rate_per_s if traffic is Traffic.CANCEL else self._rest
        if self._count(now_ns) < limit:
            spent.append(max(now_ns, spent[-1]) if spent else now_ns)  # a clock that steps back gives nothing away
            return 0
        return max(1, spent[len(spent) - limit] + SECOND_NS - now_ns)

    def _count(self, now_ns: int) -> int:
        spent, gone = self._spent, now_ns - SECOND_NS
        while spent and spent[0] <= gone:
            spent.popleft()
        return len(spent)


@dataclass(slots=True, eq=False)
class Ticket:
    """A place in the queue. ``deadline_ns`` is None for a cancel."""

    traffic: Traffic
    since_ns: int
    deadline_ns: int | None


@dataclass(slots=True)
class Queue:
    """Who waits for a token, in the order of their turns. One thread at a time: the caller locks.

    Attributes
    ----------
    waited : int
        Messages that had to wait. refused : those that gave up. longest_ns : the longest wait that ended well.
    """

    pacing: Pacing
    bucket: TokenBucket = field(init=False)
    waited: int = 0
    refused: int = 0
    longest_ns: int = 0
    _lines: tuple[deque[Ticket], deque[Ticket]] = field(init=False)

    def __post_init__(self) -> None:
        self.bucket = TokenBucket(self.pacing.rate_per_s, self.pacing.reserved)
        self._lines = (deque(), deque())

    def __len__(self) -> int:
        return len(self._lines[0]) + len(self._lines[1])

    def try_take(self, traffic: Traffic, now_ns: int) -> bool:
        """Take a token at once, if it is this class's turn and there is one."""
        lines = self._lines
        if lines[0] or (traffic and lines[1]):
            return False
        return self.bucket.take(traffic, now_ns) == 0

    def join(self, traffic: Traffic, now_ns: int, max_queue_ms: float | None = None) -> Ticket:
        """Stand in line; for how long is the setting's, unless told."""
        limit_ns = int((self.pacing.max_queue_ms if max_queue_ms is None else max_queue_ms) * 1e6)
        ticket = Ticket(traffic, now_ns, None if traffic is Traffic.CANCEL else now_ns + limit_ns)
        self._lines[traffic].append(ticket)
        self.waited += 1
        return ticket

    def ask(self, ticket: Ticket, now_ns: int) -> int:
        """0: go, the token is taken and the place in line given up. Else ask again after so many nanoseconds.

        A negative answer says that the wait was too long; the place is given up.
        """
        line = self._lines[ticket.traffic]
        first = line[0] is ticket and not (ticket.traffic and self._lines[0])
        wait_ns = self.bucket.take(ticket.traffic, now_ns) if first else SECOND_NS
        if wait_ns == 0:
            line.popleft()
            self.longest_ns = max(self.longest_ns, now_ns - ticket.since_ns)
            return 0
        if ticket.deadline_ns is None:
            return wait_ns
        left_ns = ticket.deadline_ns - now_ns
        if left_ns <= 0:
            self.leave(ticket)
            self.refused += 1
            return -1
        return min(wait_ns, left_ns)

    def leave(self, ticket: Ticket) -> None:
        """Give up the place; harmless when it was given up."""
        line = self._lines[ticket.traffic]
        if ticket in line:
            line.remove(ticket)

    def retry_after_ns(self, traffic: Traffic, now_ns: int) -> int:
        """A fair guess at how long a new message of this class would wait."""
        ahead = len(self._lines[0]) + (len(self._lines[1]) if traffic else 0)
        free = self.bucket.available(now_ns, traffic)
        if ahead < free:
            return 0
        limit = self.bucket.rate_per_s - (self.bucket.reserved if traffic else 0)
        return SECOND_NS * (1 + (ahead - free) // limit)
