"""The gate and the kill switch of one client, wired to its orders, and what tells the gate's book."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from enum import Enum
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from ibwire.client.queries import Run
from ibwire.errors import ConfigError, IbwireError, JournalError, RiskRejected
from ibwire.io import clock
from ibwire.io.killswitch import Kill, KillSwitch, in_background, new_lock, user_root
from ibwire.io.statedir import default_state_dir
from ibwire.io.wait import seconds
from ibwire.spec.orderstates import State
from ibwire.spec.records import BY_NAME, RECORD_BYTES
from ibwire.spec.registry import INCOMING
from ibwire.trade.exposure import group_of
from ibwire.trade.risk import ALLOW, Book, BookView, Cancel, Gate, Reject, Request, Verdict
from ibwire.trade.risk_requests import limit_of, trigger_of
from ibwire.trade.view import OrderView
from ibwire.types import incoming, outgoing
from ibwire.types.constructors import market
from ibwire.types.structs import Contract

if TYPE_CHECKING:
    from ibwire.client.core import Core
    from ibwire.client.order_handle import OrderHandle
    from ibwire.client.order_track import OrderTrack

__all__ = ["Event", "KillReport", "Risk"]

_TAGS: Final = "BuyingPower,ExcessLiquidity,NetLiquidation"
_BATCH: Final = 4096
_OFFSETS: Final = BY_NAME["PNL"].offsets()
_KIND_AT: Final = _OFFSETS["kind"]
_PNL_KIND: Final = next(row.id for row in INCOMING.values() if row.record == "PNL")
_PNL: Final = struct.Struct("<8xqBB6xqd")
if [_OFFSETS[name] for name in ("recv_ns", "kind", "part", "key", "dailyPnL")] != [8, 16, 17, 24, 32]:
    raise ImportError("the record of profit and loss has another layout than this reader knows")
_LOOK_NS: Final = 50_000_000
_SETTLE_NS: Final = 1_000_000_000
_STUCK_S: Final = 1.0
_AGAIN_S: Final = 0.5
_VERIFY_S: Final = 10.0
_FOR_EVER_S: Final = 1e9
_UNKNOWN_RISK: Final = float("inf")
_GOVERNOR: Final = "governor"


class Event(Enum):
    """When a governor is asked."""

    PRE_ORDER = "before an order or a modify is sent"
    ORDER_LIVE = "the order is known to work at the broker"
    FILL = "an execution came"


@dataclass(slots=True, eq=False)
class KillReport:
    """What a kill did.

    Attributes
    ----------
    kill : Kill
    asked : list of int
        Order ids whose cancel was sent, in that order; empty for a global cancel.
    failed : list of (int, str)
        Cancels that could not be sent; with order id 0: that of all of them, or why none has gone out yet.
    sent_ns : int
        From the decision to the last cancel's last byte in the kernel.
    """

    kill: Kill
    asked: list[int] = field(default_factory=list)
    failed: list[tuple[int, str]] = field(default_factory=list)
    sent_ns: int = 0
    _hit: list[OrderHandle] = field(default_factory=list)

    @property
    def left(self) -> list[OrderHandle]:
        """What it hit and may still fill, as far as is known at this moment."""
        return list(filter(_open, self._hit))


class _Governor:
    """The user's callback as the last policy."""

    name = _GOVERNOR

    def __init__(self, callback: Any) -> None:
        self._callback = callback

    def check(self, request: Request, book: BookView, now_ns: int) -> Verdict:
        found: Verdict = self._callback(Event.PRE_ORDER, request)
        return found


class Risk:
    """``client.risk``: the gate, its book and the kill switch. Any thread.

    Attributes
    ----------
    gate : Gate
    book : Book
    switch : KillSwitch
    reports : list of KillReport
        What each kill did.
    problems : list of str
        What a governor raised, and what a kill could not do.
    """

    def __init__(self, core: Core, policies: Iterable[Any] = (), governor: Any = None, directory: Path | None = None):
        lock = new_lock()
        self._core = core
        self._governor = governor
        self.book = Book(lock)
        asked = (*policies, *((_Governor(governor),) if governor is not None else ()))
        self.gate = Gate(
            asked,
            clock_ns=clock.now_ns,
            lock=lock,
            book=self.book,
            budget_ms=core.settings.gate_budget_ms,
            on_cancel=self._on_cancel,
        )
        # Whoever keeps nothing on disk is shut by `ibwire kill` all the same; the embedded simulator has no orders.
        above = next(iter(user_root()), None) if directory is None and core.settings.target != "sim" else None
        self.switch = KillSwitch(directory, above, on_kill=self._on_kill)
        self.reports: list[KillReport] = []
        self.problems: list[str] = []
        self._needs = self.gate.needs
        if core.settings.mode == "inline" and any(getattr(policy, "flatten", False) for policy in self.gate.policies):
            raise ConfigError("flat on loss waits in a thread of its own", hint='connect with mode="threaded"')
        self._counted: dict[int, tuple[OrderTrack, float]] = {}  # by identity: the quantity that the book was told
        self._told: dict[int, tuple[bool, int]] = {}  # order id -> (told that it is live, fills told of)
        self._request_ids: dict[int, str] = {}
        self._look_ns = 0
        self._ask_ns: int | None = None  # when to have the positions named again
        self._cursor: Any = None  # the looking thread's
        self._killing, self._flattening = new_lock(), new_lock()
        self._waited_for: set[int] = set()  # kills, by identity, whose end somebody waits for
        self._tripping = new_lock()

    @property
    def follows_positions(self) -> bool:
        """Whether a policy wants to hear of every position."""
        return "positions" in self._needs

    # -- orders on their way out -------------------------------------------------------------------------------------

    def check_open(self, order_id: int = 0, *, files: bool = True) -> None:
        """Raise RiskRejected while the kill switch is shut. Called when the bytes are about to leave.

        Parameters
        ----------
        files : bool
            Look for kill files now; else what is known in memory.
        """
        shut: Any = (self.switch.check() if files else self.switch.kill) or self.gate.shut
        if shut:
            if files:
                self._core.journal.verdict(order_id, "reject", "", f"no new orders: {shut}", clock.now_ns())
            raise RiskRejected(f"no new orders: {shut}", hint="release it by hand: client.risk.release()")

    def admit(self, request: Request) -> BookView | None:
        """Ask the gate. Raises RiskRejected."""
        try:
            if not request.closing:
                self.check_open(files=False)
            return self.gate.admit(request)
        except RiskRejected as refusal:
            self._core.journal.verdict(request.order_id, "reject", refusal.policy, str(refusal), clock.now_ns())
            raise

    def account_of(self, order: Any) -> str:
        """The account that an order goes to; empty when nobody can tell."""
        accounts = self._core.intake.accounts
        if order.faGroup:
            return ""
        return order.account or (accounts[0] if len(accounts) == 1 else "")

    # -- the kill switch ---------------------------------------------------------------------------------------------

    def kill(self, reason: str = "", scope: str = "mine", by: str = "code", timeout: float = 10.0) -> KillReport:
        """Shut the gate and cancel; returns when every cancel is sent and confirmed, or `timeout` has passed.

        For signals there is :meth:`kill_on_signal`: a handler that calls this may have stopped its own thread in the
        middle of anything.

        Parameters
        ----------
        reason, by : str
            Kept in the kill file.
        scope : str
            ``mine``: this client's orders, largest risk first. ``everything``: one global cancel, which ALSO HITS
            ORDERS OF OTHER CLIENTS AND ORDERS TYPED IN BY HAND.
        timeout : float
            Seconds to wait for confirmations after the last cancel.

        Raises
        ------
        ConfigError : there is no such scope, or the time is no number; nothing was done.
        OSError : the kill file could not be written, so a program that is started again is not shut. Everything else
            was done, see ``reports``.
        """
        timeout, kill = seconds(timeout), self.switch.made(reason, by, scope)
        if self._core.lock._is_owned():  # in the middle of a send of this very thread: it must come to its end first
            self.switch.trip_later(kill.reason, kill.by, kill.scope)
            why = "asked for in the middle of a send, as a signal handler may be: the cancels follow behind it"
            return KillReport(kill, failed=[(0, why)], _hit=self.left())
        self._waited_for.add(id(kill))
        problem = self.switch.engage(kill)
        report = next(one for one in reversed(self.reports) if one.kill is kill)
        self.wait_ended(report, timeout)
        if problem is not None:
            text = f"it is shut, {len(report.left)} orders may still fill; but its file could not be written"
            text = f"{text} ({problem.strerror or problem}): a program that is started again is not shut"
            raise OSError(problem.errno, text) from problem
        return report

    def look(self) -> None:
        """Inline: look for kills of others, 20 times a second at most; every order looks for itself."""
        now_ns = clock.now_ns()
        if now_ns >= self._look_ns or self.switch.is_signalled:
            self._look_ns = now_ns + _LOOK_NS
            self.switch.look()

    def release(self, by: str = "code") -> bool:
        """Let orders go again, by hand; `by` is who, for the journal. False when nothing was shut.

        Policies that have stopped by themselves have their own reset.

        Raises
        ------
        ConfigError : the kill file for every session is there still.
        """
        had, self.gate.shut = bool(self.gate.shut), ""
        had = self.switch.release() or had
        if had:
            now_ns = clock.now_ns()
            try:
                self._core.journal.override(by, "release of the kill switch", now_ns)
            except JournalError as error:  # it is released all the same
                self.problems.append(str(error))
            self._core.journal.kill("released", "", f"by {by}", now_ns)
        return had

    def kill_on_signal(self, number: int, scope: str = "mine") -> None:
        """A signal kills. Main thread only."""
        self.switch.on_signal(number, scope)

    def left(self) -> list[OrderHandle]:
        """Orders of this client that may still fill, or that wait untransmitted in TWS; largest risk first."""
        core = self._core
        own = [order for order in core.orders.all() if order.client_id == core.client_id and order.order_id]
        return sorted(filter(_open, own), key=_risk_of, reverse=True)

    def _behind(self) -> bool:
        """Whether one of them may fill, or the book has not heard yet that it cannot: it follows the history."""
        with self._core.lock:
            own = [v for v in self._core.table if v.client_id == self._core.client_id and v.order_id]
            if any(map(_open, own)):
                return True
        return bool(self.left())

    def wait_ended(self, report: KillReport, timeout: float) -> None:
        """Wait until nothing that a kill hit may fill; what is left then is in the report.

        Nobody tells this client what becomes of other clients' orders and of manual ones: they are looked up until
        they have ended.
        """
        core, end_ns = self._core, clock.now_ns() + int(min(timeout, _FOR_EVER_S) * 1e9)

        def wait_for(condition: Callable[[], bool], most_s: float) -> None:
            left_s = max(0.0, (end_ns - clock.now_ns()) / 1e9)
            core.wait_until(lambda: condition() or not self._rest(report) or core.lost is not None, min(left_s, most_s))

        try:
            while self._rest(report) and core.lost is None and clock.now_ns() < end_ns:
                if not self._others(report):
                    wait_for(lambda: False, timeout)
                    continue
                if not core.lock.acquire(timeout=_AGAIN_S):  # a send that does not come to its end
                    continue
                try:
                    run = core.queries.want()
                finally:
                    core.lock.release()
                core.changed()
                wait_for(partial(_is_over, run), timeout)
                wait_for(lambda: False, _AGAIN_S)
        finally:
            report._hit = self._rest(report)

    def _others(self, report: KillReport) -> bool:
        """Whether orders are left of which only a look-up tells."""
        return any(order.client_id != self._core.client_id for order in self._rest(report))

    def _rest(self, report: KillReport) -> list[OrderHandle]:
        """What a kill hits: of everybody, or of this client."""
        return list(filter(_open, self._core.orders.all())) if report.kill.scope == "everything" else self.left()

    def _on_kill(self, kill: Kill) -> None:
        begin_ns = clock.now_ns()
        report = KillReport(kill)
        self.reports.append(report)
        self._core.journal.kill("engaged", kill.scope, str(kill), begin_ns)
        lock = self._core.lock
        # A place() that was let through before the switch was shut has sent its bytes when the lock is free.
        if lock.acquire(timeout=_STUCK_S):
            lock.release()
            self._carry_out(report, begin_ns)
            return
        problem = "a send has not come to its end: the gateway does not read; cancels follow when it does"
        report.failed.append((0, problem))
        report._hit = self._rest(report)
        in_background("ibwire-kill-now", self._carry_out, report, begin_ns)

    def _carry_out(self, report: KillReport, begin_ns: int) -> None:
        with self._killing:  # one after the other: never two floods of cancels
            try:
                if report.kill.scope == "everything":
                    self._cancel_everything(report)
                else:
                    self._cancel_mine(report)
            finally:
                report.sent_ns = clock.now_ns() - begin_ns
                report._hit = self._rest(report)
        is_inline = self._core.settings.mode == "inline"
        if report.kill.scope == "everything" and id(report.kill) not in self._waited_for and not is_inline:
            in_background("ibwire-kill-ends", self.wait_ended, report, _VERIFY_S)

    def _cancel_mine(self, report: KillReport) -> None:
        core = self._core
        with core.lock:
            pass
        for view in self.left():
            if not _open(view):
                continue  # it has ended while others had their turn
            try:
                core.orders.cancel(view)
                report.asked.append(view.order_id)
            except IbwireError as error:
                report.failed.append((view.order_id, str(error)))

    def _cancel_everything(self, report: KillReport) -> None:
        core = self._core
        try:
            core.orders.cancel_everything()
        except IbwireError as error:
            report.failed.append((0, str(error)))
            return
        with core.lock:
            core.queries.want()  # each order is looked at
        core.changed()

    def _on_cancel(self, verdict: Cancel, request: Request | None, policy: str) -> None:
        if verdict.scope == "order":
            if request is not None and request.order_id:
                self._core.orders.cancel(request.order_id)
            return
        self.gate.shut = self.gate.shut or verdict.reason
        self._later(verdict, policy if policy == _GOVERNOR else f"policy {policy}")

    def _later(self, verdict: Cancel, by: str) -> None:
        # In a thread of its own: who asked may hold the client's lock, and must not wait for the cancels.
        with self._tripping:  # two fills at once are two governors that ask
            kill = self.switch.kill
            is_wider = kill is not None and verdict.scope == "everything" and kill.scope != "everything"
            if kill is not None and not is_wider and not verdict.flatten:  # that one closes no position
                return
            if self._core.settings.mode == "inline":
                self.switch.trip_later(verdict.reason, by, verdict.scope)  # the next step cancels
                return
            self.switch.kill = Kill(verdict.reason, by, verdict.scope)
        in_background("ibwire-kill-now", self._trip, verdict, by)

    def _trip(self, verdict: Cancel, by: str) -> None:
        try:
            self.switch.trip(verdict.reason, by, verdict.scope)
        except OSError as error:
            self.problems.append(f"the kill file could not be written: {error}")
        if verdict.flatten:
            try:
                self.flatten()
            except Exception as error:  # nobody else would hear of it
                self.problems.append(f"positions may be open: {error}")

    def flatten(self, timeout: float = 10.0) -> list[OrderHandle]:
        """Close every position that the book knows at the market; only while the kill switch is shut.

        First every order of this client must have ended, within `timeout` seconds: an order that may still fill and
        its position's closing would make a new position. Contracts for which one is left are not closed; `problems`
        says which. Orders of other clients are not known to this.

        Returns
        -------
        list of OrderHandle
            The orders that were sent.

        Raises
        ------
        ConfigError : the switch is open, or positions are not told (no policy needs them).
        """
        timeout = seconds(timeout)
        with self._flattening:  # two at once would close a position twice
            return self._flatten(timeout)

    def _flatten(self, timeout: float) -> list[OrderHandle]:
        core = self._core
        if self.switch.check() is None:
            raise ConfigError("positions are closed only while the kill switch is shut", hint="kill() first")
        if "positions" not in self.book.told:
            raise ConfigError("positions are not known here", hint="use FlatOnLoss or MaxPosition, which ask for them")
        core.wait_until(lambda: not self._behind() or core.lost is not None, timeout)
        with self.book.lock:
            lines = [line for line in self.book.lines.values() if line.position]
            held = [(x.account, x.contract, x.key, x.position, bool(x.entries) or not x.is_settled) for x in lines]
        sent: list[OrderHandle] = []
        for account, contract, key, position, busy in held:
            name = f"conId {key}" if contract is None else contract.localSymbol or contract.symbol
            if busy or contract is None:  # of a leg of a combination nobody has told what it is
                problem = "an order may still fill, or the gateway says another number than our executions"
                self.problems.append(f"{position:g} {name} in {account} is not closed: {problem}")
                continue
            try:
                action = "SELL" if position > 0 else "BUY"
                order = market(action, repr(abs(position)), account=account)
                sent.append(core.orders._checked(self._routed(contract), order, closing=True))
            except IbwireError as error:
                self.problems.append(f"{position:g} {name} in {account} is not closed: {error}")
        return sent

    def _routed(self, contract: Contract) -> Contract:
        """A contract with a place to trade: positions come without one."""
        if contract.exchange:
            return contract
        reqId = self._core.take_request_id()
        request = outgoing.ReqContractDetails(reqId, Contract(conId=contract.conId))
        rows = self._core.ask(request, incoming.ContractData, incoming.ContractDetailsEnd, reqId)
        if not rows:
            raise ConfigError(f"no contract has the conId {contract.conId}")
        found: Contract = rows[0].contractDetails.contract
        return found

    # -- telling the book --------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Ask for what the policies need, and watch for kills."""
        core, needs = self._core, self._needs
        if "positions" in needs:
            self.book.on_positions_asked()
            core.send(outgoing.ReqPositions())
        if "orders" in needs and not core.settings.reconcile:
            with core.lock:
                core.queries.want()  # what is open is not known without
            core.changed()
        if "values" in needs:
            reqId = core.take_request_id()
            core.send(outgoing.ReqAccountSummary(reqId, "All", _TAGS))
        if "pnl" in needs:
            self._cursor = core.link.market.cursor()
            self.switch.on_look = self._look_at_pnl
            for account in core.intake.accounts:
                reqId = core.take_request_id()
                self._request_ids[reqId] = account
                core.send(outgoing.ReqPnL(reqId, account, ""))
        if core.settings.mode != "inline":
            self.switch.start()

    def stop(self) -> None:
        """The session is over."""
        self.switch.stop()

    def take(self, message: Any, now_ns: int) -> None:
        """A message came in; the client's lock is held. Cheap for what the policies do not need."""
        kind = type(message)
        if kind is incoming.Position and "positions" in self._needs:
            if message.position is not None:
                self.book.on_position(message.account, message.contract, float(message.position), message.avgCost)
                self._doubt()
        elif kind is incoming.PositionEnd:
            self.book.on_positions_answered()
            self._doubt()
        elif kind is incoming.AccountSummary:
            self.book.on_value(message.account, message.tag, message.value, now_ns)

    def looked_up(self, knows_open: bool) -> None:
        """A look-up is over; the client's lock is held."""
        if knows_open:
            self.book.on_told("orders")

    def turn(self, now_ns: int) -> None:
        """Have the positions named again while they and our executions differ. The client's lock is held."""
        if self._ask_ns is None or now_ns < self._ask_ns or self._core.lost is not None or not self._core.try_turn():
            return
        self._ask_ns = None
        if self.book.is_settled:
            return
        self.book.on_positions_asked()
        try:
            self._core.send_now(outgoing.ReqPositions())
        except IbwireError as error:
            self.problems.append(f"positions could not be asked for: {error}")

    @property
    def due_ns(self) -> int | None:
        """When :meth:`turn` is to be called next; None while nothing is to be asked."""
        return self._ask_ns

    def _doubt(self) -> None:
        # Not at once: a fill and the position after it come one after the other.
        if self._ask_ns is None and "positions" in self.book.told and not self.book.is_settled:
            self._ask_ns = self._core.now_ns() + _SETTLE_NS

    def _look_at_pnl(self) -> None:
        # Profit and loss comes down the market ring; what a full ring overwrote comes again within a second or so.
        cursor, told = self._cursor, False
        while cursor is not None and (data := bytes(cursor.poll_bytes(_BATCH))):
            kinds, at = data[_KIND_AT::RECORD_BYTES], -1
            while (at := kinds.find(_PNL_KIND, at + 1)) >= 0:
                recv_ns, kind, part, reqId, daily = _PNL.unpack_from(data, at * RECORD_BYTES)
                if kind == _PNL_KIND and not part and reqId in self._request_ids:
                    self.book.on_pnl(self._request_ids[reqId], daily, recv_ns)
                    told = True
        if told:
            self.gate.watch(clock.now_ns())

    def order_changed(self, view: OrderTrack) -> None:
        """An order changed; the client's lock is held."""
        if self.gate.policies:
            self._count(view)
        if self._governor is not None and view.client_id == self._core.client_id:
            self._tell_governor(view)

    def _count(self, view: OrderTrack) -> None:
        contract, order = view.broker_contract or view.contract, view.broker_order or view.order
        if contract is None or order is None or view.what_if:
            return
        if contract.secType == "BAG" and not contract.comboLegs and view.contract is not None:
            contract = view.contract  # reported without its legs
        account = self.account_of(order)
        side = 1 if order.action == "BUY" else -1
        _, counted = self._counted.get(id(view), (view, 0.0))
        filled = float(view.filled)
        if filled != counted:
            self._counted[id(view)] = (view, filled)
            price = view.avg_fill_price
            signed, price = side * (filled - counted), float("nan") if price is None else price
            self.book.on_fill(account, contract, signed, price, looked_up=self._core.queries.is_looking)
            self._doubt()
        total = view.max_quantity
        remaining = 0.0
        if _open(view):
            remaining = _UNKNOWN_RISK if total is None else max(0.0, float(total) - float(view.filled))
        key = view.order_id if view.client_id == self._core.client_id else (view.client_id, view.perm_id)
        bounds = [abs(price) for price in (limit_of(order), trigger_of(order)) if price == price]
        price = max(bounds, default=float("nan"))
        groups = {group_of(one) for one in (order, *view.pending_modifies)}  # which of them holds is not known
        group = groups.pop() if len(groups) == 1 else ""
        self.book.on_order(key, account, contract, side, remaining, price, view.parent_id, group)

    def _tell_governor(self, view: OrderTrack) -> None:
        seen, fills = self._told.get(view.order_id, (False, 0))
        if not self._core.is_restoring:  # that was told in the earlier life
            if view.is_live and not seen:
                self._ask_governor(Event.ORDER_LIVE, view.handle)
            if len(view.fills) > fills:
                self._ask_governor(Event.FILL, view.handle)
        self._told[view.order_id] = (seen or view.is_live, len(view.fills))

    def _ask_governor(self, event: Event, view: OrderHandle) -> None:
        if self._core.settings.mode == "inline":
            self._govern(event, view)
        else:
            # Not in the thread that brings the orders: a callback that never returns must hold nothing.
            in_background("ibwire-governor", self._govern, event, view)

    def _govern(self, event: Event, view: OrderHandle) -> None:
        try:
            verdict = self._governor(event, view)
        except Exception as error:
            verdict = Reject(f"the governor failed at {event.name}: {type(error).__name__}: {error}")
            self.problems.append(verdict.reason)
        if verdict is ALLOW:
            return
        if isinstance(verdict, Cancel):
            if verdict.scope == "order":
                try:
                    self._core.orders.cancel(view)
                except IbwireError as error:
                    self.problems.append(f"order {view.order_id} could not be cancelled: {error}")
            else:
                self._on_cancel(verdict, None, _GOVERNOR)
        else:
            reason = verdict.reason if isinstance(verdict, Reject) else f"the governor answered {verdict!r}"
            self.gate.shut = self.gate.shut or reason


def _is_over(run: Run) -> bool:
    return run.differences is not None


def _open(order: OrderHandle | OrderView) -> bool:
    return order.may_fill or (order.state is State.UNTRANSMITTED and not order.what_if)


def _risk_of(view: OrderHandle) -> float:
    """Money that may still change hands; what is unknown comes first."""
    remaining = view.remaining
    order = view.broker_order or view.order
    bounds = [] if order is None else [price for price in (limit_of(order), trigger_of(order)) if price == price]
    if remaining is None or not bounds:
        return _UNKNOWN_RISK
    price = max(map(abs, bounds))
    multiplier = getattr(view.contract, "multiplier", "") or "1"
    try:
        return abs(float(remaining) * float(price) * float(multiplier))
    except ValueError:
        return _UNKNOWN_RISK


def directory_of(state_dir: str | None, target: str, address: tuple[str, int], client_id: int) -> Path | None:
    """Where a session's state lives; None for in memory. The embedded simulator's is in memory unless named."""
    if state_dir:
        return Path(state_dir).expanduser()
    if state_dir is None or target == "sim":
        return None
    return default_state_dir(address[0], address[1], client_id)
