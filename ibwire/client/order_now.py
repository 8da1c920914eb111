"""How an order stands: read from the compiled order table, which the receiving thread keeps whatever Python does.

The client's thread takes the same messages a moment later, for the history. While it cannot run, the row goes on. So
what an order *is* comes from its row; what *happened* to it comes from its history. docs/adr/0011.
"""

from __future__ import annotations

import math
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from ibwire.client.told import exact, remaining_of, row_name
from ibwire.errors import ForkedClient, SessionLost
from ibwire.spec.orderstates import Flag, Risk, State
from ibwire.trade.view import Standing, plain

if TYPE_CHECKING:
    from ibwire._tracker import OrderValues
    from ibwire.client.core import Core
    from ibwire.client.order_track import OrderTrack

__all__ = ["OrderNow", "are_at_odds", "present"]

_TRIES: Final = 4
_STATES: Final = tuple(map(State, range(len(State))))  # calling an enum is slow
_HELD_S: Final = 0.25
_NEEDS_QUERY: Final = int(Flag.NEEDS_QUERY)
_UNKNOWN_RISK: Final = int(Risk.UNKNOWN)


class OrderNow(Standing):
    """An order at one moment: everything in it belongs together, and nothing changes any more.

    Attributes
    ----------
    state, certain : State
        Our view of it; the last one that was not uncertain.
    wire_status : str
        The last status text of the gateway, at most 24 bytes of it; empty while none came.
    flags : int
        What it remembers, bits of :class:`~ibwire.spec.orderstates.Flag`.
    perm_id, parent_id : int
        0 while not known.
    due_ns : int
        When an answer is overdue, monotonic; 0 while none is awaited.
    filled, confirmed_filled : Decimal
        Executed quantity; what executions prove of it.
    remaining : Decimal or None
        Quantity not executed; None when the total is not known.
    avg_fill_price : float or None
        Without fees; None while nothing is executed.
    seq : int
        The message up to which it takes all into account.
    """

    __slots__ = (
        *("avg_fill_price", "certain", "confirmed_filled", "due_ns", "filled", "flags", "parent_id", "perm_id"),
        *("problem_code", "remaining", "seq", "state", "wire_status"),
    )
    certain: State
    perm_id: int
    parent_id: int
    due_ns: int
    filled: Decimal
    confirmed_filled: Decimal
    remaining: Decimal | None
    avg_fill_price: float | None
    seq: int
    problem_code: int

    def __setattr__(self, name: str, value: Any) -> None:
        raise AttributeError(f"{name} of what was read cannot be set: read again")

    def __repr__(self) -> str:
        return f"<OrderNow {self.state.label} {self.wire_status or '-'} filled {plain(self.filled)} seq {self.seq}>"


_put = object.__setattr__


def _of_row(row: OrderValues) -> OrderNow:
    now = OrderNow()
    _put(now, "state", _STATES[row.state])
    _put(now, "certain", _STATES[row.certain])
    _put(now, "flags", row.memory)
    _put(now, "wire_status", row.status)
    _put(now, "perm_id", row.permId)
    _put(now, "parent_id", row.parentId)
    _put(now, "due_ns", row.due_ns)
    _put(now, "filled", exact(row.total_filled, row.total_filled_digits))
    _put(now, "confirmed_filled", exact(row.confirmed_filled, row.confirmed_filled_digits))
    _put(now, "remaining", remaining_of(row))
    _put(now, "avg_fill_price", None if math.isnan(row.average) else row.average)
    _put(now, "seq", row.stepped_seq)
    _put(now, "problem_code", row.problem_code)
    return now


def _of_track(track: OrderTrack, seq: int) -> OrderNow:
    now = OrderNow()
    for name in ("state", "certain", "flags", "wire_status", "perm_id", "parent_id", "due_ns", "filled",
                 "confirmed_filled", "remaining", "avg_fill_price"):  # fmt: skip
        _put(now, name, getattr(track, name))
    _put(now, "seq", seq)
    _put(now, "problem_code", track.last_error[0] if track.last_error else 0)
    return now


def _unknown(now: OrderNow) -> OrderNow:
    _put(now, "state", State.UNCERTAIN)
    _put(now, "flags", now.flags | _NEEDS_QUERY)
    return now


def present(track: OrderTrack) -> OrderNow:
    """How an order stands now. Any thread; waits for nobody but a step of the receiving thread that is under way."""
    core = track._core
    rows = core.rows
    if rows is not None:
        for _ in range(_TRIES):
            try:
                row, done = _row(core, track)
            except (SessionLost, TimeoutError):  # whoever keeps the row stands still in the middle of it
                return _unknown(_settled(core, track))
            if row is None:
                break
            now = _together(core, track, row, done)
            if now is not None:
                return now
    return _settled(core, track)


def _row(core: Core, track: OrderTrack) -> tuple[OrderValues | None, int]:
    """Its row, in which everything is that the client's thread has taken before, and up to where that is."""
    done, name = core.done_seq, row_name(core.table, track)
    if name is None:
        return None, done
    try:
        row = core.rows.settled(*name, done)
        if row is None and track.perm_id:  # it may have a better name there by now
            row = core.rows.find_perm(track.perm_id)
    except ForkedClient:  # a child process has what was known when it was made
        return None, done
    return row, done


def _together(core: Core, track: OrderTrack, row: OrderValues, done: int) -> OrderNow | None:
    """What row and history say; None: look again."""
    table: Any = core.table
    changes = table.changes
    if table.changing or row.stepped_seq > done:  # the history is behind
        return _later(track, row) if track.is_restored else _of_row(row)
    if track.is_restored:
        now = _of_track(track, done)
    elif row.risk == _UNKNOWN_RISK or not are_at_odds(track, row):
        return _of_row(row)
    else:
        now = _unknown(_of_row(row))
    if table.changing or table.changes != changes or core.done_seq != done:
        return None
    if not track.is_restored:
        core.dispute(track)
    return now


def are_at_odds(track: OrderTrack, row: OrderValues) -> bool:
    """Whether they say different things about what may still happen or has been executed. Which messages came before
    a command of ours may differ between them; that never makes such a difference."""
    return row.risk != track.risk or row.total_filled != float(track.filled)


def _later(track: OrderTrack, row: OrderValues) -> OrderNow:
    # The row has later messages, the track has what an earlier life saw executed: nothing executed is ever undone.
    now = _of_row(row)
    for name in ("filled", "confirmed_filled"):
        known = getattr(track, name)
        if known > getattr(now, name):
            _put(now, name, known)
            _put(now, "remaining", None)
            _put(now, "avg_fill_price", None)
    return now


def _settled(core: Core, track: OrderTrack) -> OrderNow:
    """What the history says, between two of its steps."""
    table: Any = core.table
    for _ in range(_TRIES):
        changes, done = table.changes, core.done_seq
        now = _of_track(track, done)
        if not table.changing and table.changes == changes:
            return now
    held = core.lock.acquire(timeout=_HELD_S)
    try:
        now = _of_track(track, core.done_seq)
        return now if held else _unknown(now)
    finally:
        if held:
            core.lock.release()
