"""Looking at another process's session through shared memory: its market data, orders and health. Nothing is sent."""

from __future__ import annotations

import os
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final, Self

from ibwire.errors import CursorClosed, ForkedClient, SessionLost
from ibwire.io import clock, shm
from ibwire.ring.tables import tables_of

if TYPE_CHECKING:
    from types import TracebackType

    from ibwire._ring import MarketCursor, MarketRing, TapeCursor

__all__ = ["Attached", "Health", "attach"]

CHECK_MS: Final = 250.0
"""How often a wait looks whether the owner still runs."""


@dataclass(frozen=True, slots=True)
class Health:
    """How a published session is doing.

    Attributes
    ----------
    state : str
        ``open``; ``closed`` by its owner; ``dead``: the owner ended without saying so.
    owner_pid : int
    age_ms : float
        Since the owner last received anything; infinite before the first receive.
    counts : dict of str to int
        Messages, bytes, bad_frames, rows of the tables and what they refused, ...
    """

    state: str
    owner_pid: int
    package: str
    server_version: int
    client_id: int
    epoch: int
    age_ms: float
    counts: dict[str, int]


def attach(name: str) -> Attached:
    """Look at the session that another process of this user publishes under that name.

    Raises
    ------
    ConnectError : nobody publishes it. ConfigError : it is another version's, another user's, or none of ours.
    """
    return Attached(name)


class Attached:
    """Another process's session, to look at. Made by :func:`attach`; a context manager. It cannot send.

    Attributes
    ----------
    name : str
    market : MarketRing
        For compiled strategies; others use :meth:`cursor`.
    quotes : QuoteTable
        Latest bid, ask and last: ``read(reqId)`` and ``snapshot(out)``.
    orders : OrderTable
        Latest of each order: ``read(clientId, orderId)``, ``find_perm(permId)`` and ``snapshot(out)``.

    Notes
    -----
    Cursors live in this process's own memory: they slow nobody down, and are told what they missed. Any thread may use
    this object; a cursor belongs to the thread that polls it first.
    """

    def __init__(self, name: str) -> None:
        self._region, self._head = shm.attach_region(name)
        self._rings: Any = import_module("ibwire._ring")
        self.name = name
        self.quotes, self.orders = tables_of(self._region)
        self.market: MarketRing = self._rings.MarketRing(self._region)
        self._pid = os.getpid()
        self._closed = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<Attached {self.name!r} of process {self.owner_pid} {self.state}>"

    @property
    def owner_pid(self) -> int:
        """Process that publishes it."""
        return int(self._head["owner_pid"])

    @property
    def state(self) -> str:
        """``open``; ``closed`` by its owner; ``dead``: its owner ended without saying so."""
        said = str(self._rings.state_of(self._region))
        if said == "closed" or shm.is_alive(self._head):
            return said
        return "dead"

    @property
    def count(self) -> int:
        """How often something was published; what :meth:`wait` waits for."""
        return self._region.count

    @property
    def health(self) -> Health:
        """Counts, the age of the last receive, and whether the owner still runs."""
        counts = self._rings.health_of(self._region)
        receive_ns = counts.pop("receive_ns")
        counts.pop("wall_offset")
        counts |= {
            "quotes_capacity": self.quotes.capacity,
            "orders_capacity": self.orders.capacity,
            "market_capacity": self.market.capacity,
        }
        head = self._rings.head_of(self._region)
        return Health(
            self.state,
            self.owner_pid,
            head["package"],
            head["server_version_agreed"],
            head["client_id"],
            head["epoch"],
            max(clock.now_ns() - receive_ns, 0) / 1e6 if receive_ns else float("inf"),
            counts,
        )

    def wall_ns(self, recv_ns: int) -> int:
        """The wall clock's time, ns since 1970, of a monotonic time of this session."""
        return recv_ns + int(self._rings.health_of(self._region)["wall_offset"])

    def cursor(self) -> MarketCursor:
        """A cursor over market records from now on; who falls a ring behind is told how many are gone."""
        self._check()
        return self.market.cursor()

    def tape(self) -> TapeCursor:
        """A cursor over order and control entries from now on. After a gap, read the order table again."""
        self._check()
        cursor: TapeCursor = self._rings.TapeCursor(self._region)
        return cursor

    def wait(self, seen: int, timeout_ms: float | None = None, how: str = "block") -> bool:
        """Wait until :attr:`count` is no longer ``seen``: read it, look at cursors and tables, then wait.

        Parameters
        ----------
        timeout_ms : None for no limit.
        how : ``block``, ``yield`` or ``spin``; without the GIL, and never deaf to Ctrl-C.

        Returns
        -------
        bool
            False when the time was up first.

        Raises
        ------
        SessionLost : the owner closed the session, or died; noticed within a second.
        """
        self._check()
        deadline = None if timeout_ms is None else clock.now_ns() + int(timeout_ms * 1e6)
        while True:
            left_ms = CHECK_MS if deadline is None else min(CHECK_MS, (deadline - clock.now_ns()) / 1e6)
            moved = self._region.wait(seen, max(left_ms, 0.0), how)
            state = self.state if not moved or self._rings.state_of(self._region) == "closed" else "open"
            if state == "dead" and not moved:
                raise SessionLost(
                    f"process {self.owner_pid}, which published {self.name!r}, has died",
                    hint="what is mapped stays readable; attach again when it runs again",
                )
            if state == "closed":
                raise SessionLost(f"process {self.owner_pid} has closed {self.name!r}", hint="attach again later")
            if moved:
                return True
            if deadline is not None and clock.now_ns() >= deadline:
                return False

    def close(self) -> None:
        """Make no more cursors. What was made stays readable for as long as it is referred to."""
        self._closed = True

    def _check(self) -> None:
        if os.getpid() != self._pid:
            raise ForkedClient("this was attached in the parent process", hint="attach in the child")
        if self._closed:
            raise CursorClosed(f"{self.name!r} was closed here", hint="attach again")
