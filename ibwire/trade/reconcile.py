"""After a gap: what to ask, in which order, what came of it, and what is different from what we believed.

Sans-IO: :meth:`Reconcile.asks` says what to send now, the messages go to the order table as ever and, for their end
markers, to the plan; time comes in. Order of the questions (reference SEMANTICS, section 8): open orders, executions,
completed orders, positions; each until its end marker or its time limit. Nothing here cancels, and nothing is sent
again: what is found nowhere stays uncertain and is reported. Orders may be entered again when
:attr:`Reconcile.orders_done`; a cross-check of positions may go on after it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import Enum
from typing import Any, Final

from ibwire.spec.orderstates import State
from ibwire.trade.executions import ZERO, Fill, known
from ibwire.trade.identity import SharedReference, id_of
from ibwire.trade.orders import OrderTable
from ibwire.trade.positions import MOMENTS_NS, MOST, packed
from ibwire.trade.view import OrderView, plain

__all__ = ["LIMIT_MS", "Ask", "Difference", "Kind", "Reconcile"]


class Ask(Enum):
    """One question to the gateway."""

    OPEN_ORDERS = "open orders"  # reqOpenOrders, of our own client
    ALL_OPEN_ORDERS = "all open orders"  # reqAllOpenOrders, where the client may
    EXECUTIONS = "executions"  # reqExecutions, from the last known one on
    COMPLETED_ORDERS = "completed orders"  # reqCompletedOrders
    POSITIONS = "positions"  # reqPositions: a cross-check


_NOT_ACCEPTED: Final = frozenset({State.SENT, State.ACKNOWLEDGED})

LIMIT_MS: Final[dict[Ask, int]] = {
    Ask.OPEN_ORDERS: 5_000,
    Ask.ALL_OPEN_ORDERS: 5_000,
    Ask.EXECUTIONS: 10_000,  # some builds never send the end marker
    Ask.COMPLETED_ORDERS: 15_000,  # slow where the list is long
    Ask.POSITIONS: 10_000,
}
"""How long each answer may take; without its end marker then, the plan goes on and says so."""
AGAIN_MS: Final = MOMENTS_NS // 1_000_000 + 500
"""After how long positions that differ are asked for again."""


class Kind(Enum):
    """What is different."""

    MISSING_HERE = "missing here"  # the gateway has an order or execution that we did not know
    MISSING_THERE = "missing there"  # we have one that the gateway's lists do not name
    QUANTITY = "quantity"  # executed quantity differs
    STATE = "state"  # state differs
    UNKNOWN_OWNER = "unknown owner"  # an order of nobody that we know: another client's, or typed in by hand
    SHARED_REFERENCE = "shared reference"  # two orders that may be filled under one name
    POSITION = "position"  # executions since the last reconcile do not explain the position
    NOT_ANSWERED = "not answered"  # a question got no end marker


@dataclass(frozen=True, slots=True)
class Difference:
    """One difference, and what was done about it.

    Attributes
    ----------
    kind : Kind
    order_id, client_id, perm_id : int
        The order, zeros where it is about none.
    ours, theirs : str
        What we believed, and what the gateway says; empty where there is nothing.
    done : str
        What was done: always to our picture of things, never to an order.
    """

    kind: Kind
    order_id: int
    client_id: int
    perm_id: int
    ours: str
    theirs: str
    done: str


@dataclass(frozen=True, slots=True)
class _Belief:
    state: State
    filled: Decimal
    was_open: bool


class Reconcile:
    """One reconcile, from a new session (or 1101, 1102, or a doubt) to the list of differences.

    Parameters
    ----------
    table : OrderTable
        Its orders are already uncertain where the session was new (``on_reconnect``).
    now_ns : int
        The time, of the caller's monotonic clock.
    everyone : bool
        Ask for the orders of all clients too, and for those typed in by hand.
    positions : mapping, optional
        (account, conId) -> position as it should be by the caller's count; given, positions are asked for and compared.
    own_positions : bool
        Ask for positions and compare them with those of the table's own count (``table.held``), where both are known:
        contracts that orders of ours are for, and of nobody else that we know. What differs is asked for once more,
        :data:`AGAIN_MS` later, before it is reported.
    limits_ms : mapping, optional
        Other time limits than :data:`LIMIT_MS`.
    day : str
        The gateway's date, ``yyyymmdd``: of that day it lists every execution. By default the latest that it names.
    today : str
        The gateway's date by its own clock, where it is known; it is needed to compare positions over a gap.

    Notes
    -----
    One thread, the table's. ``asks`` first, then every message to the table and to ``received``, then ``asks`` again.
    """

    def __init__(
        self,
        table: OrderTable,
        now_ns: int,
        *,
        everyone: bool = False,
        positions: Mapping[tuple[str, int], Decimal] | None = None,
        own_positions: bool = False,
        limits_ms: Mapping[Ask, int] | None = None,
        day: str = "",
        today: str = "",
    ) -> None:
        self._table = table
        self._limits = {**LIMIT_MS, **(limits_ms or {})}
        self._wanted = positions
        self._found: dict[tuple[str, int], Decimal] = {}
        others = (Ask.ALL_OPEN_ORDERS,) if everyone else ()
        self.counts_positions = own_positions and positions is None
        last = () if positions is None and not own_positions else (Ask.POSITIONS,)
        self._not_before_ns = 0
        self._is_again = False
        self._plan = [Ask.OPEN_ORDERS, *others, Ask.EXECUTIONS, Ask.COMPLETED_ORDERS, *last]
        self._waiting: Ask | None = None
        self._due_ns = now_ns
        self._unread = table.unread
        self._day, self._today = day, today
        self._unnamed: list[tuple[OrderView, str]] = []
        self._unequal: list[tuple[tuple[str, int], Decimal, Decimal]] = []
        self._unanswered: list[Ask] = []
        self._absent: list[OrderView] = []
        self._fills_then: list[tuple[OrderView, Fill[OrderView]]] = []
        self._before = {id(view): self._belief(view) for view in table}
        self._fills = {base for view in table for base in view.fills}
        self.differences: list[Difference] = []
        self.orders_done = self.done = False

    def _belief(self, view: OrderView) -> _Belief:
        return _Belief(view.certain, view.filled, view.may_fill)

    @property
    def waiting(self) -> Ask | None:
        """The question that is not answered yet."""
        return self._waiting

    @property
    def due_ns(self) -> int:
        """When :meth:`asks` is to be called at the latest."""
        return self._due_ns

    @property
    def complete(self) -> bool:
        """Done, and every question was answered to its end marker, in messages that could be read.

        If not, begin another one after a while: executions may be missing of orders that look ended.
        """
        return self.done and not self._unanswered and self._table.unread == self._unread

    @property
    def knows_open(self) -> bool:
        """The list of open orders came whole, so that no order of ours is open that is not known."""
        asked = (Ask.OPEN_ORDERS, Ask.ALL_OPEN_ORDERS)
        return self.orders_done and not any(ask in self._unanswered for ask in asked)

    # -- the four verbs ------------------------------------------------------------------------------------------------

    def asks(self, now_ns: int) -> Ask | None:
        """What to send now, None for nothing. Call it after every message, and when :attr:`due_ns` has come."""
        if self._waiting is not None and now_ns >= self._due_ns:
            self._unanswered.append(self._waiting)
            self._ended(self._waiting, now_ns, complete=False)
        if self._waiting is not None or self.done or now_ns < self._not_before_ns:
            return None
        if self.counts_positions and self._plan == [Ask.POSITIONS] and not self.orders_done:
            self._finish_orders(now_ns)  # nobody is to wait with orders for a cross-check
        if not self._plan:
            self._finish(now_ns)
            return None
        self._waiting = self._plan.pop(0)
        self._due_ns = now_ns + self._limits[self._waiting] * 1_000_000
        if self._waiting in (Ask.OPEN_ORDERS, Ask.ALL_OPEN_ORDERS):
            self._table.begin_snapshot(everyone=self._waiting is Ask.ALL_OPEN_ORDERS)
        elif self._waiting is Ask.EXECUTIONS:
            self._table.heard.clear()
            self._fills_then = [(view, fill) for view in self._table for fill in view.executions if fill.shares]
        return self._waiting

    def ended(self, ask: Ask, now_ns: int) -> None:
        """The end marker of a question came; one that is not waited for (any more) is ignored."""
        if ask is self._waiting:
            self._ended(ask, now_ns, complete=True)

    def refused(self, ask: Ask, reason: str, now_ns: int) -> None:
        """The gateway refused the question, as in read-only mode (321): there is no answer to wait for."""
        if ask is self._waiting:
            self._unanswered.append(ask)
            self._add(Kind.NOT_ANSWERED, None, ask.value, reason, "the orders that it would settle stay uncertain")
            self._ended(ask, now_ns, complete=False)

    @property
    def not_before_ns(self) -> int:
        """Before then :meth:`asks` has nothing to ask."""
        return self._not_before_ns

    def give_up_positions(self) -> None:
        """Something that matters more is to be asked: the cross-check ends here, and says nothing."""
        if self.orders_done and self.counts_positions:
            self._plan.clear()
            self._waiting, self._not_before_ns = None, 0

    def skipped(self, ask: Ask, now_ns: int) -> None:
        """The question was not asked after all, and does not matter."""
        if ask is self._waiting:
            self._waiting, self._due_ns = None, now_ns

    def position(self, account: str, con_id: int, size: Any) -> None:
        """A position came."""
        self._found[account, con_id] = known(size) or ZERO

    def session_lost(self) -> None:
        """The session is over before the answers were: this reconcile is no use any more; begin another."""
        self._plan.clear()
        self._waiting = None
        self._unanswered.append(Ask.OPEN_ORDERS)
        self.orders_done = self.done = True

    # -- inside --------------------------------------------------------------------------------------------------------

    def _ended(self, ask: Ask, now_ns: int, *, complete: bool) -> None:
        self._waiting = None
        self._due_ns = now_ns
        if ask in (Ask.OPEN_ORDERS, Ask.ALL_OPEN_ORDERS):
            absent = self._table.end_snapshot(now_ns, complete)
            if complete:  # the longer list has the last word
                self._absent = absent
        elif ask is Ask.EXECUTIONS and complete:
            heard = self._table.heard
            named = [fill.time[:8] for view in self._table for fill in view.executions if fill.base in heard]
            day = self._day or max(named, default="")
            missing = [(view, fill) for view, fill in self._fills_then if fill.base not in heard]
            self._unnamed = [(view, fill.exec_id) for view, fill in missing if day and fill.time[:8] == day]
            self._table.on_executions_listed([view for view, _ in self._unnamed])
        elif ask is Ask.POSITIONS and complete and self.counts_positions:
            self._count_positions(now_ns)

    def _count_positions(self, now_ns: int) -> None:
        held = self._table.held
        everything = Ask.EXECUTIONS not in self._unanswered and self._table.unread == self._unread
        unequal: dict[tuple[str, int], Decimal] = {}
        if held.can_compare(self._today, everything):
            for key in self._comparable():
                ours = held.expected(key)
                if ours is not None and ours != self._found.get(key, ZERO):
                    unequal[key] = ours
        if unequal and not self._is_again:
            self._is_again = True  # an execution and its position come one after the other
            self._found = {}
            self._plan.append(Ask.POSITIONS)
            self._not_before_ns = self._due_ns = now_ns + AGAIN_MS * 1_000_000
            return
        self._unequal = [(key, ours, self._found.get(key, ZERO)) for key, ours in sorted(unequal.items())]
        if len(self._found) <= MOST:
            self._table.on_positions(packed(self._found), self._today, now_ns)
        else:
            held.forget()

    def _comparable(self) -> set[tuple[str, int]]:
        """Positions in what our orders are for, and nobody else's that we know: those can be told by executions."""
        ours: set[int] = set()
        others: set[int] = set()
        accounts = {account for account, _ in self._found}
        for view in self._table:
            own = view.client_id == self._table.client_id and view.order_id > 0
            for contract in (view.contract, view.broker_contract, *(fill.contract for fill in view.executions)):
                (ours if own else others).add(id_of(getattr(contract, "conId", 0)))
                legs = getattr(contract, "comboLegs", None) or ()
                (ours if own else others).update(id_of(getattr(leg, "conId", 0)) for leg in legs)
            accounts.update(fill.account for fill in view.executions if fill.account)
        return {(account, con_id) for account in accounts for con_id in ours - others - {0}}

    def _finish(self, now_ns: int) -> None:
        if not self.orders_done:
            self._finish_orders(now_ns)
        self.done = True
        self._tell_unanswered()
        self._compare_positions()

    def _tell_unanswered(self) -> None:
        told = {d.ours for d in self.differences if d.kind is Kind.NOT_ANSWERED}
        for ask in self._unanswered:
            if ask.value not in told:
                self._add(Kind.NOT_ANSWERED, None, ask.value, "no end marker in time", "what came was taken")

    def _finish_orders(self, now_ns: int) -> None:
        self.orders_done = True
        unread = self._table.unread - self._unread
        if unread:
            self._add(Kind.NOT_ANSWERED, None, "", f"{unread} messages could not be read", "ask again")
        elif not any(ask is not Ask.POSITIONS for ask in self._unanswered):
            self._table.on_looked_up(now_ns)
        self._tell_unanswered()
        for view in self._table:
            before = self._before.get(id(view))
            if before is None:
                self._is_new(view)
            else:
                self._compare(view, before)
        for view, exec_id in self._unnamed:
            done = "still counted, but ends nothing: it may have been busted, look in TWS"
            self._add(Kind.MISSING_THERE, view, f"execution {exec_id}", "not in the list of the day", done)
        for shared in self._table.graph.shared_references():
            self._is_shared(shared)

    def _is_new(self, view: OrderView) -> None:
        theirs = f"{view.state.label}, {plain(view.filled)} executed"
        foreign = view.client_id != self._table.client_id or view.order_id <= 0
        kind = Kind.UNKNOWN_OWNER if foreign else Kind.MISSING_HERE
        elsewhere = view.client_id != self._table.client_id
        done = "taken into the table" + ("; what becomes of it is told to its owner" if elsewhere else "")
        self._add(kind, view, "", theirs, done)

    def _compare(self, view: OrderView, before: _Belief) -> None:
        new = sum(1 for base in view.fills if base not in self._fills)
        if view.filled != before.filled:
            done = f"executions are the truth; {new} were not known" if new else "taken over"
            self._add(Kind.QUANTITY, view, plain(before.filled), plain(view.filled), done)
        elif new:
            self._add(Kind.MISSING_HERE, view, "", f"{new} executions", "taken into the order")
        progress = before.state in _NOT_ACCEPTED and view.is_live
        known_before = before.state is not State.CREATED  # else it was held from its first message on
        if not view.is_uncertain and view.state is not before.state and known_before and not progress:
            self._add(Kind.STATE, view, before.state.label, view.state.label, "taken over")
        if view.is_uncertain and before.was_open:
            done = "stays uncertain: look in TWS; nothing was cancelled, nothing sent again"
            listed = view not in self._absent
            theirs = view.wire_status if listed and view.wire_status and not self._unanswered else "found nowhere"
            if self._unanswered:
                theirs = "not all lists came to their end"
            self._add(Kind.MISSING_THERE, view, before.state.label, theirs, done)

    def _is_shared(self, shared: SharedReference) -> None:
        ids = ", ".join(map(str, shared.perm_ids))
        text = f"{shared.kind} {shared.reference}"
        self._add(Kind.SHARED_REFERENCE, None, text, f"permIds {ids}", "each is kept as an order of its own")

    def _compare_positions(self) -> None:
        for (account, con_id), ours, theirs in self._unequal:
            text = f"{account} conId {con_id}: {plain(ours)} by the last list and the executions since"
            done = "reported; the gateway's position counts: another client, a hand, an exercise or a transfer did it"
            self._add(Kind.POSITION, None, text, plain(theirs), done)
        if self._wanted is None or Ask.POSITIONS in self._unanswered:
            return
        for key in sorted({*self._wanted, *self._found}):
            ours, theirs = self._wanted.get(key, ZERO), self._found.get(key, ZERO)
            if ours != theirs:
                account, con_id = key
                text = f"{account} conId {con_id}: {plain(ours)}"
                self._add(Kind.POSITION, None, text, plain(theirs), "reported; the gateway's position counts")

    def _add(self, kind: Kind, view: OrderView | None, ours: str, theirs: str, done: str) -> None:
        ids = (0, 0, 0) if view is None else (view.order_id, view.client_id, view.perm_id)
        self.differences.append(Difference(kind, *ids, ours, theirs, done))
