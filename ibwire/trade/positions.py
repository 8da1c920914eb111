"""What each account ought to hold: the gateway's last word on it, and the executions since.

Nothing is invented: what cannot be known is None, and is not compared. That is a position of which nothing was ever
told; one that an execution may or may not be in already, because they came within moments of each other; one that was
told on another day, with a gap since, as a gateway lists the executions of its day only.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final

from ibwire.trade.executions import EXACT, ZERO
from ibwire.trade.view import plain

__all__ = ["MOMENTS_NS", "MOST", "Held", "date_after", "packed", "unpacked"]

Key = tuple[str, int]
"""(account, conId)."""

MOMENTS_NS: Final = 2_000_000_000
"""How far a position and the execution that made it may be apart."""
MOST: Final = 500
"""So many positions are kept (and written down) for the next comparison."""


def packed(sizes: Mapping[Key, Decimal]) -> str:
    """Positions as one text, for a journal."""
    return json.dumps([[account, con_id, plain(size)] for (account, con_id), size in sorted(sizes.items())])


def unpacked(text: str) -> dict[Key, Decimal]:
    """The reverse."""
    return {(str(account), int(con_id)): Decimal(size) for account, con_id, size in json.loads(text)}


def date_after(text: str, elapsed_ns: int) -> str:
    """The date so much later than a gateway's time (``20260112 10:11:12 EST``); empty when that cannot be read."""
    try:
        begin = datetime.strptime(text[:17], "%Y%m%d %H:%M:%S")
        return (begin + timedelta(microseconds=elapsed_ns // 1000)).strftime("%Y%m%d")
    except (ValueError, OverflowError):
        return ""


class Held:
    """The positions of a login by our own count. One owner thread, that of the order table.

    Attributes
    ----------
    is_known : bool
        A whole list of positions was told.
    """

    def __init__(self) -> None:
        self.is_known = False
        self._sizes: dict[Key, Decimal | None] = {}  # what is not in it was told to be nothing
        self._traded_ns: dict[Key, int] = {}
        self._told_ns = 0
        self._day = ""
        self._has_gap = False

    def told(self, sizes: Mapping[Key, Decimal], day: str, now_ns: int) -> None:
        """The gateway named every position; `day` is its date, ``yyyymmdd``, empty when not known."""
        found: dict[Key, Decimal | None] = {}
        for key in {*sizes, *self._sizes, *self._traded_ns}:
            size = sizes.get(key, ZERO)
            is_moments = key in self._traded_ns and 0 <= now_ns - self._traded_ns[key] < MOMENTS_NS
            if is_moments and not (self.is_known and self._sizes.get(key, ZERO) == size):
                found[key] = None  # the last execution may be in it, or not yet
            elif size or key in self._traded_ns:
                found[key] = size
        self._sizes, self._day, self._told_ns = found, day, now_ns
        self.is_known, self._has_gap = True, False

    def executed(self, account: str, con_id: int, change: Decimal, now_ns: int) -> None:
        """An execution came, or a correction of one; `change` is above zero for what was bought."""
        if not account or not con_id:
            self.is_known = False  # nobody can tell whose it is
            return
        key = account, con_id
        self._traded_ns[key] = now_ns
        if not self.is_known:
            return
        size = self._sizes.get(key, ZERO)
        if size is None or 0 <= now_ns - self._told_ns < MOMENTS_NS:
            self._sizes[key] = None  # what was told may have had it already
        else:
            self._sizes[key] = EXACT.add(size, change)

    def gap(self) -> None:
        """Executions may have been missed; a list of the day's has them, where it is still that day."""
        self._has_gap = True

    def forget(self) -> None:
        """What was told is too much to be kept."""
        self.is_known = False
        self._sizes.clear()

    def can_compare(self, day: str, all_executions: bool) -> bool:
        """Whether what is known now can be held against the gateway's positions.

        Parameters
        ----------
        day : str
            The gateway's date now. all_executions : its list of today's executions came whole.
        """
        if not self.is_known:
            return False
        return not self._has_gap or (all_executions and bool(day) and day == self._day)

    def expected(self, key: Key) -> Decimal | None:
        """What ought to be held; None when that cannot be known."""
        return self._sizes.get(key, ZERO) if self.is_known else None
