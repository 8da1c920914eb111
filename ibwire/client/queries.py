"""Asking the gateway how things stand: after a deadline, a doubt or a gap, by plan, at most so often, never a resend.

The plan is :class:`ibwire.trade.reconcile.Reconcile`; here is when it runs and how its questions get out. Everything
is called under the client's lock by whoever steps the client; time comes in.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from ibwire.client.intake import Pending
from ibwire.client.modifying import Modify, ModifyOutcome
from ibwire.errors import IbwireError
from ibwire.spec import versions as V
from ibwire.spec.errorcodes import OWN_NOTICE
from ibwire.trade.reconcile import Ask, Difference, Kind, Reconcile
from ibwire.types import incoming, outgoing
from ibwire.types.structs import ExecutionFilter

if TYPE_CHECKING:
    from ibwire.client.core import Core

__all__ = ["AGAIN_MS", "MIN_GAP_MS", "Queries", "Run"]

MIN_GAP_MS: Final = 2_000
"""From the begin of one look-up to the begin of the next, unless the program asks for it."""
AGAIN_MS: Final = (2_000, 5_000, 15_000, 60_000)
"""How long to leave an order alone that the last look-ups did not settle; the last one stays."""
_MS: Final = 1_000_000
_POSITIONS: Final = "positions"
_OWN_LIMIT: Final = {Ask.POSITIONS: 2_000}  # nobody asked for them: a cross-check is not worth a long wait
_RETRY_NS: Final = 20 * _MS

_QUESTION: Final[dict[Ask, tuple[type[Any], type[Any]]]] = {
    Ask.OPEN_ORDERS: (outgoing.ReqOpenOrders, incoming.OpenOrderEnd),
    Ask.ALL_OPEN_ORDERS: (outgoing.ReqAllOpenOrders, incoming.OpenOrderEnd),
    Ask.COMPLETED_ORDERS: (outgoing.ReqCompletedOrders, incoming.CompletedOrdersEnd),
    Ask.POSITIONS: (outgoing.ReqPositions, incoming.PositionEnd),
}


Positions = Mapping[tuple[str, int], Decimal]


class Run:
    """One look-up that somebody waits for.

    Attributes
    ----------
    differences : list of Difference or None
        What it found; None while it is not over.
    is_settled : bool
        The orders are looked up; positions may still be compared.
    positions : mapping or None
        (account, conId) -> position as whoever waits believes it to be; None: not asked for.
    """

    __slots__ = ("differences", "is_settled", "positions")

    def __init__(self, positions: Positions | None = None) -> None:
        self.differences: list[Difference] | None = None
        self.is_settled = False
        self.positions = positions


class Queries:
    """The deadlines and the look-ups of one client.

    Attributes
    ----------
    differences : list of Difference
        What the last look-up found.
    """

    def __init__(self, core: Core) -> None:
        self._core = core
        self.differences: list[Difference] = []
        self._plan: Reconcile | None = None
        self._waiting_for: list[Run] = []  # served by the plan that runs
        self._asked_for: list[Run] = []  # served by the next one
        self._pending: tuple[int | None, Pending] | None = None
        self._modifies: list[Modify] = []  # without an outcome
        self._unsure: list[Modify] = []  # for the next look-up
        self._look_ns: int | None = None  # when the first deadline may have passed
        self._began_ns = -MIN_GAP_MS * _MS
        self._may_begin_ns = 0
        self._may_send_ns = 0
        self._wanted = self._by_session = self._session_runs = self._held = False
        self._doubted: set[int] = set()  # ids of the views that the plan is to settle
        self._hurry = self._has_claim = False
        self._level = 0
        self._quiet = False
        self._armed_ns: int | None = 0  # when the thread that steps will look again by itself

    # -- what others say -----------------------------------------------------------------------------------------------

    @property
    def is_settling(self) -> bool:
        """After a gap in the session, until its look-up is over: not the time to add risk."""
        return self._by_session or self._session_runs

    @property
    def is_looking(self) -> bool:
        """A look-up is under way: executions that come may be old ones."""
        return self._plan is not None and not self._plan.orders_done

    def note(self, view: Any) -> None:
        """Something happened to an order."""
        if view.due_ns and (self._look_ns is None or view.due_ns < self._look_ns):
            self._look_ns = view.due_ns
        if (view.is_uncertain or view.needs_query) and not self._quiet:
            self.doubt(view)

    def doubt(self, view: Any = None) -> None:
        """An order, or any of them, is in doubt."""
        if self._plan is None or (view is not None and id(view) not in self._doubted):
            self._want_soon()
        else:
            self._wanted = True  # the look-up that runs was to settle it: the next one is not hurried

    def _want_soon(self) -> None:
        """A doubt that no look-up has been tried on."""
        self._wanted, self._hurry, self._level = True, True, 0
        self._may_begin_ns = min(self._may_begin_ns, self._began_ns + MIN_GAP_MS * _MS)

    def watch(self, modify: Modify) -> None:
        """A modify wants an answer in time."""
        self._modifies = [one for one in self._modifies if one.outcome is None]
        self._modifies.append(modify)
        self._look_ns = modify.due_ns if self._look_ns is None else min(self._look_ns, modify.due_ns)

    def close(self) -> None:
        """The session begins: ask nothing until :meth:`release`, whatever is in doubt."""
        self._held = True

    def hold(self, now_ns: int) -> Run:
        """As :meth:`close`; then everything is asked, and compared with what is known now."""
        self._held = True
        run = Run()
        self._asked_for.append(run)
        self._begin(now_ns)
        return run

    def release(self) -> None:
        """The gateway is ready to be asked."""
        self._held = False

    def want(self, positions: Positions | None = None) -> Run:
        """The program asks: begin as soon as what is under way is over."""
        run = Run(positions)
        self._asked_for.append(run)
        return run

    def session_gap(self) -> None:
        """1101 or 1102: look everything up."""
        self._by_session = True
        self._want_soon()

    def session_lost(self) -> None:
        """Nobody will answer any more."""
        if self._plan is not None:
            self._plan.session_lost()
            self._forget()
        self._plan = None
        self._wanted = self._by_session = self._session_runs = False

    # -- time ----------------------------------------------------------------------------------------------------------

    def due_ns(self) -> int | None:
        """When :meth:`turn` is to be called at the latest; None while nothing is awaited."""
        dues = [self._look_ns]
        if self._plan is not None and not self._held:
            may_ns = max(self._may_send_ns, self._plan.not_before_ns)
            dues.append(may_ns if self._plan.waiting is None else self._plan.due_ns)
            if self._plan.orders_done and (self._asked_for or self._by_session or self._hurry):
                dues.append(0 if self._asked_for else self._may_begin_ns)
        elif self._plan is None and self._asked_for:
            dues.append(0)
        elif self._plan is None and self._wanted:
            dues.append(self._may_begin_ns)
        return min((due for due in dues if due is not None), default=None)

    def arm(self) -> int | None:
        """As :meth:`due_ns`; whoever asks will look again then."""
        self._armed_ns = self.due_ns()
        return self._armed_ns

    @property
    def is_early(self) -> bool:
        """Whether something is due before the thread that steps will look again."""
        due_ns = self.due_ns()
        return due_ns is not None and (self._armed_ns is None or due_ns < self._armed_ns)

    def turn(self, now_ns: int) -> bool:
        """Do what is due. True when that may have changed an order or ended a look-up."""
        changed = self._look(now_ns)
        if self._held or self._core.lost is not None:
            return changed
        if self._plan is None and (self._asked_for or (self._wanted and now_ns >= self._may_begin_ns)):
            if not self._asked_for and not self._by_session and not self._has_doubt():
                self._wanted = False  # it was settled meanwhile
                return changed
            self._begin(now_ns)
        self._give_way(now_ns)
        return self._drive(now_ns) or changed

    # -- inside --------------------------------------------------------------------------------------------------------

    def _give_way(self, now_ns: int) -> None:
        """No order waits for a cross-check of positions to be over before it is looked up."""
        plan = self._plan
        if plan is None or not plan.orders_done or not plan.counts_positions or plan.done:
            return
        if self._asked_for or ((self._by_session or self._hurry) and now_ns >= self._may_begin_ns):
            if plan.waiting is not None:
                self._end_positions()
            plan.give_up_positions()

    def _look(self, now_ns: int) -> bool:
        if self._look_ns is None or now_ns < self._look_ns:
            return False
        table = self._core.table
        changed = bool(table.check_deadlines(now_ns))
        for modify in [one for one in self._modifies if one.outcome is None and now_ns >= one.due_ns]:
            modify.on_due()
            self._unsure.append(modify)
            changed = True
            self._want_soon()
        self._modifies = [one for one in self._modifies if one.outcome is None]
        dues = [table.next_deadline_ns(), *(one.due_ns for one in self._modifies)]
        self._look_ns = min((due for due in dues if due is not None), default=None)
        return changed

    def _has_doubt(self) -> bool:
        self._unsure = [one for one in self._unsure if one.outcome is ModifyOutcome.UNKNOWN]
        return bool(self._unsure or self._core.table.uncertain())

    def _begin(self, now_ns: int) -> None:
        table = self._core.table
        # A doubt about orders of our own needs no more than those; a session, or the program, wants to know all.
        everyone = bool(self._asked_for) or self._by_session
        everyone = everyone or any(view.client_id != table.client_id for view in table.uncertain())
        positions = next((run.positions for run in self._asked_for if run.positions is not None), None)
        own = everyone and positions is None
        self._plan = Reconcile(
            table,
            now_ns,
            everyone=everyone,
            positions=positions,
            own_positions=own,
            limits_ms=_OWN_LIMIT if own else None,
            today=self._core.today(now_ns),
        )
        self._unsure = []  # one look-up each
        self._doubted = {id(view) for view in table.uncertain()}
        self._waiting_for, self._asked_for = self._asked_for, []
        self._session_runs = self._by_session
        self._wanted = self._hurry = self._by_session = False
        self._began_ns, self._may_begin_ns = now_ns, now_ns + MIN_GAP_MS * _MS
        self._may_send_ns = 0

    def _drive(self, now_ns: int) -> bool:
        """Ask the next question, if it is time. True when the plan got on."""
        plan = self._plan
        if plan is None:
            return False
        self._check_refusal(plan, now_ns)
        if plan.waiting is not None and now_ns < plan.due_ns:
            return False
        if plan.waiting is None and now_ns < plan.not_before_ns:
            return False
        if now_ns < self._may_send_ns or not self._core.try_turn():
            self._may_send_ns = max(self._may_send_ns, now_ns + _RETRY_NS)
            return False
        self._quiet = True  # what the plan itself concludes is no reason for another one
        try:
            self._forget()
            ask = plan.asks(now_ns)
            if ask is not None:
                self._send(plan, ask)
        finally:
            self._quiet = False
        if plan.orders_done:
            self._settle(plan)
        if plan.done:
            self._end(plan, now_ns)
        return True

    def _send(self, plan: Reconcile, ask: Ask) -> None:
        core = self._core
        if ask is Ask.POSITIONS and plan.counts_positions:
            if not core.claim(_POSITIONS):  # the program asks just now: it is not to wait for a cross-check
                plan.skipped(ask, plan.due_ns)
                return
            self._has_claim = True
        if ask is Ask.COMPLETED_ORDERS and core.link.server_version < V.COMPLETED_ORDERS:
            plan.refused(ask, f"server version {core.link.server_version} has no such list", plan.due_ns)
            return
        reqId = core.take_request_id() if ask is Ask.EXECUTIONS else None
        if reqId is not None:
            message: Any = outgoing.ReqExecutions(reqId, ExecutionFilter())
            end: type[Any] = incoming.ExecDetailsEnd
        else:
            kind, end = _QUESTION[ask]
            message = kind()  # completed orders: those typed in by hand too
        keep = (incoming.Position,) if ask is Ask.POSITIONS else ()
        pending = Pending(keep, end, on_end=lambda now_ns: self._on_end(plan, ask, now_ns, pending))
        self._pending = reqId, core.intake.expect(reqId, pending)
        try:
            core.send_now(message)
        except IbwireError as error:  # the version has no such question, or the session is over
            plan.refused(ask, str(error), plan.due_ns)

    def _on_end(self, plan: Reconcile, ask: Ask, now_ns: int, pending: Pending) -> None:
        # At once, not with the next turn: what comes right behind the marker is no answer any more.
        if ask is Ask.POSITIONS:
            for row in pending.items:
                plan.position(row.account, row.contract.conId, row.position)
            self._end_positions()
            self._end_claim()
        if plan is self._plan:
            self._quiet = True
            try:
                plan.ended(ask, now_ns)
            finally:
                self._quiet = False

    def _end_positions(self) -> None:
        # They would be told of for ever. A policy that wants them has asked itself.
        if not self._core.risk.follows_positions and self._core.try_turn():
            try:
                self._core.send_now(outgoing.CancelPositions())
            except IbwireError:  # the session is over
                pass

    def _check_refusal(self, plan: Reconcile, now_ns: int) -> None:
        if self._pending is not None and self._pending[1].error is not None and plan.waiting is not None:
            plan.refused(plan.waiting, str(self._pending[1].error), now_ns)

    def _end_claim(self) -> None:
        if self._has_claim:
            self._has_claim = False
            self._core.unclaim(_POSITIONS)

    def _forget(self) -> None:
        self._end_claim()
        if self._pending is not None:
            self._core.intake.forget(*self._pending)
            self._pending = None

    def _settle(self, plan: Reconcile) -> None:
        """The orders are looked up; at most a cross-check of positions goes on."""
        self.differences, self._session_runs = plan.differences, False
        for run in self._waiting_for:
            run.is_settled = True
        self._core.risk.looked_up(plan.knows_open)
        self._core.groups.begin()

    def _end(self, plan: Reconcile, now_ns: int) -> None:
        for run in self._waiting_for:
            run.differences = plan.differences
        self._waiting_for, self._plan = [], None
        for one in plan.differences:
            if one.kind is Kind.POSITION and plan.counts_positions:  # who connects may not wait for it
                self._core.intake.notice(OWN_NOTICE, f"position of {one.ours}; the gateway says {one.theirs}")
        self._wanted = self._wanted or bool(self._core.table.uncertain())
        if self._wanted and not self._hurry:
            self._may_begin_ns = now_ns + AGAIN_MS[self._level] * _MS
            self._level = min(self._level + 1, len(AGAIN_MS) - 1)
