"""What the parts of a client share: the link, the lock, the ids, the one way out, and the wait for what comes in.

One thread (``ibwire-client``; inline: the program's own, whenever it polls or waits) takes the entries of the order
and control rings, in wire order, under the lock; user threads send under the same lock and wait for ``news``. Market
records are polled by whoever looks at quotes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, Protocol

from ibwire.client.groups import Groups
from ibwire.client.intake import ORDER_KINDS, Intake, Pending
from ibwire.client.listeners import Listeners
from ibwire.client.order_handle import OrderHandle
from ibwire.client.order_now import OrderNow, are_at_odds
from ibwire.client.order_track import OrderTrack, track_type
from ibwire.client.orders import Orders
from ibwire.client.queries import Queries, Run
from ibwire.client.risk import Risk
from ibwire.client.told import ToldTable, TwinTable, counted, row_name, tell_open, told, twin
from ibwire.config import Settings
from ibwire.errors import (
    ConnectError,
    IbwireError,
    PacingError,
    RequestError,
    RiskRejected,
    SessionLost,
    WaitTimeout,
)
from ibwire.io import clock, life
from ibwire.io.cursor import Cursor
from ibwire.io.dispatch import Dispatcher
from ibwire.io.journal import Act, FileJournal, Journal, NullJournal
from ibwire.io.journal_rebuild import TABLE_KINDS
from ibwire.io.journal_restore import Earlier
from ibwire.io.journal_table import journaled, restore, told_of
from ibwire.io.metrics import Metrics
from ibwire.io.pump import InlinePump, Pump
from ibwire.io.statedir import GIVEN_UP
from ibwire.io.wait import Bell, Waits, seconds
from ibwire.ring.tables import LiveTables
from ibwire.session.pacing import Traffic
from ibwire.spec.errorcodes import FARM_OK, OWN_NOTICE
from ibwire.spec.orderstates import State
from ibwire.spec.registry import OUTGOING
from ibwire.trade.identity import Ids, IdStore, MemoryIdStore
from ibwire.trade.orders import OrderTable
from ibwire.trade.positions import date_after
from ibwire.trade.risk_requests import EFFECTS, Effect
from ibwire.trade.view import OrderEvent, OrderView
from ibwire.wire.codec import Codec, Role

__all__ = ["Core", "LinkLike"]

_ID_IN_USE: Final = 326
_STUCK_S: Final = 1.0
CROSS_CHECK_S: Final = 0.25
"""How long connecting waits for positions once the orders are looked up."""
HISTORY_MS: Final = 1000
"""How long a wait for an order that is over waits for the order's history."""


class LinkLike(Protocol):
    """What a client needs of a connection; :class:`ibwire.io.link.Link` is one."""

    decoder: Any
    market: Any
    every: Any
    orders: Any
    control: Any
    tables: LiveTables | None

    @property
    def bell(self) -> Waits: ...
    @property
    def server_version(self) -> int: ...
    @property
    def ending(self) -> Any: ...

    def start(self) -> None: ...
    def turn(self, traffic: Traffic = ..., max_queue_ms: float | None = ..., /) -> None: ...
    def send(self, payload: bytes, traffic: Traffic | None = ..., /) -> int | None: ...
    def poll(self, timeout_ms: float | None = ..., /) -> int: ...
    def fileno(self) -> int: ...
    def cursor(self) -> Cursor: ...
    def adopt(self) -> None: ...
    def metrics(self) -> Metrics: ...
    def record_time(self, stage: str, begin_ns: int, /) -> None: ...
    def close(self) -> None: ...


class Unwritten(Protocol):
    """What the order table is told of a send when its bytes are out, or may be.

    Attributes
    ----------
    sent_ns : int
        When the kernel had the last byte; 0: it has not, as far as is known.
    """

    order_id: int
    sent_ns: int
    is_begun: bool

    def write(self) -> None: ...


class Core:
    """The inside of a client.

    Parameters
    ----------
    now_ns : callable
        The clock of everything here that waits for the gateway.
    journal : Journal, optional
        Told of everything about orders; closed with this.
    state_dir : Path or None
        Where the kill file is; None keeps it in memory.
    store : IdStore, optional
        The mark of the order ids; closed with this.
    """

    def __init__(
        self,
        settings: Settings,
        link: LinkLike,
        now_ns: Callable[[], int] = clock.now_ns,
        journal: Journal | None = None,
        state_dir: Path | None = None,
        store: IdStore | None = None,
    ) -> None:
        self.settings = settings
        self.timeout_s = settings.timeout_s
        self.client_id = settings.client_id
        self.link = link
        self.lost: SessionLost | None = None
        self.sent = 0
        self.unwritten: Unwritten | None = None
        self.is_restoring = False  # what is told of orders happened in an earlier life
        self.now_ns = now_ns
        self.journal: Journal = journal or NullJournal()
        self.taken_seq = 0  # the message that the table has or had last
        self.done_seq = 0  # the message that the table is through with
        self.rows: Any = link.tables.orders if link.tables is not None else None
        self._disputed: list[OrderTrack] = []
        self._is_recalling = False
        table_type = counted(self._table_type())
        if journal is not None:
            table_type = journaled(table_type, journal, lambda: self.taken_seq, now_ns)
        self.table: OrderTable = table_type(settings.client_id, view_type=track_type(self))
        self.intake = Intake(Codec(link.server_version, Role.CLIENT), self.table)
        self.orders = Orders(self)
        self.queries = Queries(self)
        self.groups = Groups(self)
        self.risk = Risk(self, settings.policies, settings.governor, state_dir)
        self.intake.on_message, self.intake.on_report = self.risk.take, self.groups.note
        self.listeners = Listeners(self._tell)
        self.news = Bell()
        self._codec = Codec(link.server_version, Role.CLIENT)
        self._generation = life.generation()
        self._closed = False
        self._claimed: set[str] = set()
        self._begin_ns, self._gateway_time = now_ns(), str(getattr(link, "connection_time", ""))
        self._dispatcher = Dispatcher(link.decoder, link.orders.cursor(), link.control.cursor(), None, self._take)
        kind = InlinePump if settings.mode == "inline" else Pump
        self.pump: Pump | InlinePump = kind(link.bell, self._step, self._failed, self._due_ms)
        self.lock: Any = self.pump.lock
        """For the tables and for sending; free between steps."""
        self._is_inline = settings.mode == "inline"
        self._learned: int | None = None  # the id that the gateway named last
        self._evicted = self._evicted_told_ns = 0
        self._store: IdStore = store or MemoryIdStore()
        self.ids = Ids(self._store, self._restore())
        self.journal.session(self.client_id, link.server_version, now_ns(), **self._id_facts(), host=settings.host)
        self.journal.record(link)
        if isinstance(self.journal, FileJournal):
            self.journal.keep_with(self._store.top_up)
        if settings.state_dir is None and settings.target != "sim":
            self.intake.notice(OWN_NOTICE, GIVEN_UP)
        life.watch(self)

    def _id_facts(self) -> dict[str, int]:
        first, end = self.ids.requests
        return {"requestsFrom": first, "requestsTo": end}

    # -- the compiled order table --------------------------------------------------------------------------------------

    def _table_type(self) -> type[OrderTable]:
        live = self.rows
        if self.settings.check_orders and live is not None:
            return twin(self.client_id, live, lambda: self.taken_seq)
        return OrderTable if live is None else told(live, lambda: self.taken_seq)

    def _restore(self) -> int:
        """Begin with what an earlier life left; returns the highest order id used, 0 when none is known."""
        table = self.table
        if isinstance(table, ToldTable):
            table.is_silent = True
        self.is_restoring = True
        try:
            rebuilt = restore(table, self.journal)
        finally:
            self.is_restoring = False
            if isinstance(table, ToldTable):
                table.is_silent = False
        for view in table:
            assert isinstance(view, OrderTrack)
            view.is_restored = True
        if isinstance(table, ToldTable) and len(table):
            for rows in table.told_rows:
                tell_open(table, rows, self.now_ns())
        if rebuilt is None:
            return 0
        if rebuilt.earlier is not None:
            self._wire_earlier(rebuilt.earlier)
        for text in told_of(rebuilt, getattr(self.journal, "cut", "")):
            self.intake.notice(OWN_NOTICE, text)
        return rebuilt.high_water

    def _wire_earlier(self, earlier: Earlier) -> None:
        """Orders of an earlier life are found by any thread, and what they were then nobody is told of now."""

        def look(order_id: int, perm_id: int) -> None:
            with self.lock:
                self._is_recalling = True
                try:
                    earlier(order_id, perm_id)
                finally:
                    self._is_recalling = False

        def found(view: OrderView) -> None:
            assert isinstance(view, OrderTrack)
            view.is_restored = True

        earlier.found = found
        self.table.graph.earlier = look

    def handle_of(self, track: OrderTrack) -> OrderHandle:
        """What programs get of an order that the table makes."""
        return OrderHandle(track)

    def dispute(self, track: OrderTrack) -> None:
        """Row and history of an order were found to say different things; the client's thread looks at it."""
        if track not in self._disputed:
            self._disputed.append(track)
            self.link.bell.ring()

    def _settle_disputes(self) -> int:
        disputed, self._disputed = self._disputed, []
        for track in disputed:
            name = row_name(self.table, track)
            row = self.rows.settled(*name, self.done_seq) if name is not None else None
            if row is not None and row.stepped_seq > self.done_seq:
                self._disputed.append(track)  # more has come: judged when that is taken
            elif row is not None and are_at_odds(track, row):
                text = f"order {track.order_id}: its row says {State(row.state).label}, its history {track.state.label}"
                self.intake.notice(OWN_NOTICE, f"{text}; it is taken for uncertain and looked up")
                self.table.on_dispute([track], self.now_ns())
                self.queries.doubt()
        return len(disputed)

    # -- life --------------------------------------------------------------------------------------------------------

    def start(self, reconcile: bool = False) -> None:
        """Start reading, say who we are, and wait for account and ids; with `reconcile` also for what is open.

        Raises
        ------
        ConnectError : the gateway refused or did not answer; it says why where the gateway did.
        """
        self.queries.close()
        run = self.queries.hold(self.now_ns()) if reconcile else None
        self.pump.start()
        try:
            try:
                self.link.start()
                self.sent += 1
            except SessionLost:  # the ending says why
                pass
            ready = self.wait_until(self._is_settled, self.timeout_s)
        except BaseException:
            self.close()
            raise
        told = [(code, text) for code, text in self.intake.notices if code not in FARM_OK]
        codes = {code for code, _ in told}
        if ready and self.lost is None and _ID_IN_USE not in codes:
            try:
                self._learn_ids()
                self.risk.start()
                with self.lock:
                    self.queries.release()
                self.changed()
                if run is not None:
                    self._await_first(run)
                else:
                    with self.lock:
                        self.groups.begin()
            except BaseException:
                self.close()
                raise
            return
        self.close()
        if _ID_IN_USE in codes:
            raise ConnectError(f"client id {self.client_id} is in use", hint="choose another client_id")
        if told:
            raise ConnectError("the gateway refused the session: " + "; ".join(f"code {c}: {t}" for c, t in told))
        if ready:
            raise ConnectError(f"the session ended at once: {self.lost}")
        raise ConnectError(
            f"the gateway agreed on version {self.link.server_version} but sent no account and no id"
            f" within {self.timeout_s:g} s",
            hint="is it logged in? a dialog may be waiting there",
        )

    def _learn_ids(self) -> None:
        with self.lock:
            before = self.ids.requests
            self.ids.learn(self.intake.next_order_id or 0)
            if self.ids.requests != before:  # whoever rebuilds must know an order's error from a request's
                self.journal.high_water(0, self.now_ns(), **self._id_facts())

    def _await_first(self, run: Run) -> None:
        # What is not answered in time goes on by itself: a gateway that keeps a list back is no reason to fail.
        try:
            if self.wait_until(lambda: run.is_settled or self.lost is not None, self.timeout_s):
                self.wait_until(lambda: run.differences is not None or self.lost is not None, CROSS_CHECK_S)
        except BaseException:
            self.close()
            raise

    def today(self, now_ns: int) -> str:
        """The gateway's date, ``yyyymmdd``, by the time it named at the start; empty when that cannot be read."""
        return date_after(self._gateway_time, now_ns - self._begin_ns)

    def _is_settled(self) -> bool:
        intake = self.intake
        refused = any(code == _ID_IN_USE for code, _ in intake.notices)
        return self.lost is not None or refused or (intake.next_order_id is not None and bool(intake.accounts))

    def _after_fork(self) -> None:
        self.pump.after_fork()
        self.lock = self.pump.lock
        self.news.after_fork()
        self.listeners.after_fork()

    def _at_exit(self) -> None:
        """The link ends by itself."""

    @property
    def is_forked(self) -> bool:
        """True in a child process: the parent's socket, rings and simulator are not its to touch."""
        return life.generation() != self._generation

    def close(self) -> None:
        """End the session. Twice is harmless; orders live on at the broker."""
        if self.is_forked:
            return
        lock = self.lock
        if not lock.acquire(timeout=_STUCK_S):
            self.link.close()  # a send that the gateway does not take holds it: now it returns with an error
            lock.acquire()
        try:
            if self._closed:
                return
            self._closed = True
        finally:
            lock.release()
        self.risk.stop()
        self.link.close()
        self.pump.stop()
        with self.lock:
            self._dispatcher.adopt()  # the pump has ended
            self._step()  # what came in before the end
            self._dispatcher.close()
            self._store.close()  # before the journal: who begins with that has the mark
            self.journal.close()
        self.listeners.close()

    # -- coming in ---------------------------------------------------------------------------------------------------

    def _take(self, entry: Any) -> None:
        if entry.kind in TABLE_KINDS:
            self.journal.received(entry, from_control=entry.kind not in ORDER_KINDS)
        self.taken_seq = entry.seq
        table = self.table
        if isinstance(table, TwinTable):
            table.take(entry)
            self.intake.take(entry)
            table.check()
        else:
            self.intake.take(entry)
        self.done_seq = entry.seq

    def _step(self) -> bool:
        # The ending is looked at first: what came before it is then in the rings.
        ending = self.link.ending
        with self.lock:
            begin_ns = clock.now_ns() if self.settings.timers else 0
            if self.unwritten is not None:
                self.write_down()
            count = self._dispatcher.dispatch()
            if begin_ns and count:
                self.link.record_time("dispatch", begin_ns)
            if self.settings.market == "every":
                self._tell_evicted()
            if self.intake.wants_refresh:
                self.intake.wants_refresh = False
                self.queries.session_gap()
            if self.intake.in_doubt:
                self.intake.in_doubt = False
                self.queries.doubt()
            if self._disputed:
                count += self._settle_disputes()
            if ending is not None and self.lost is None:
                self._lose(ending.error)
                count += 1
            count += self.queries.turn(self.now_ns())
            self.risk.turn(self.now_ns())
            if not self._closed:  # who leaves knows that nobody looks after his groups
                count += self.groups.turn(self.now_ns())
        if self.settings.mode == "inline":
            self.journal.maintain()
        if count:
            self.news.ring()
        if self.settings.mode == "inline":
            self.risk.look()
        return ending is None

    def _due_ms(self) -> float | None:
        """In how many milliseconds a step is due even if nothing comes."""
        with self.lock:
            dues = () if self.lost is not None else (self.queries.arm(), self.risk.due_ns, self.groups.arm())
        due_ns = min((due for due in dues if due is not None), default=None)
        return None if due_ns is None else max(1.0, (due_ns - self.now_ns()) / 1e6)

    def on_order_event(self, order: OrderTrack, event: OrderEvent) -> None:
        """The order table wrote an event; the lock is held."""
        if self._is_recalling:
            return
        self.queries.note(order)
        self.groups.note(order)
        self.listeners.note(order.handle, event)
        self.risk.order_changed(order)

    def _tell(self, text: str) -> None:
        with self.lock:
            self.intake.notice(OWN_NOTICE, text)

    def _tell_evicted(self) -> None:
        # At most once a second: it is told while the program has more than enough to do.
        evicted, now_ns = self.link.every.evicted, clock.now_ns()
        if evicted > self._evicted and now_ns - self._evicted_told_ns >= 1_000_000_000:
            lost, self._evicted, self._evicted_told_ns = evicted - self._evicted, evicted, now_ns
            self.intake.notice(OWN_NOTICE, f"{lost} market records were given up: a cursor is too far behind")

    def _lose(self, error: IbwireError) -> None:
        self.lost = error if isinstance(error, SessionLost) else SessionLost(str(error))
        if self.lost is not error:
            self.lost.__cause__ = error
        now_ns = self.now_ns()
        self.journal.lost(str(error), now_ns)
        self.table.on_link_lost(str(error), now_ns)
        if self.link.tables is not None and self.link.ending is not None:  # nobody receives any more
            self.link.tables.orders.flush()
        self.intake.fail_all(self.lost)
        self.queries.session_lost()
        self.link.bell.ring()  # who waits for an order listens there

    def _failed(self, error: BaseException) -> None:
        with self.lock:
            if self.lost is None:
                lost = SessionLost(f"the client failed: {type(error).__name__}: {error}")
                lost.__cause__ = error
                self._lose(lost)
        self.link.close()
        self.news.ring()

    def changed(self) -> None:
        """Something changed that did not come in; wake who waits, and who steps if it has to look earlier now."""
        self.news.ring()
        if self.queries.is_early or self.groups.is_early:
            self.link.bell.ring()

    def wait_until(self, condition: Callable[[], bool], timeout_s: float) -> bool:
        """Wait for what comes in; False when the time is up first. Raises ConfigError when the time is no number."""
        self.check_process()
        return self.pump.wait_until(self.news, condition, seconds(timeout_s) * 1000)

    def await_order(
        self, condition: Callable[[], bool], order: OrderHandle, problem: str, timeout: float | None, strict: bool
    ) -> None:
        """Wait for something about an order; `strict`: the time being up is an error.

        Raises
        ------
        WaitTimeout, SessionLost : they say what the order is.
        """
        limit = self.timeout_s if timeout is None else seconds(timeout)
        over = self.wait_until(lambda: condition() or self.lost is not None, limit)
        self._conclude(over, condition(), order, problem, limit if strict else None)

    def _conclude(self, over: bool, met: bool, order: OrderHandle, problem: str, limit: float | None) -> None:
        if over and not met:
            raise SessionLost(
                f"{self.lost}; order {order.order_id} is {order.state.label} ({order.meaning})",
                hint="connect again and look it up",
            )
        if not over and limit is not None:
            raise WaitTimeout(
                f"{problem} after {limit:g} s; it is {order.state.label} ({order.meaning})",
                hint="this is no verdict: wait on, or look at its state and events",
            )

    def await_state(
        self, holds: Callable[[OrderNow], bool], order: OrderHandle, problem: str, timeout: float | None, strict: bool
    ) -> None:
        """Wait for an order to stand in some way; see :meth:`await_order`. Its row says when, not its history."""
        if self.rows is None or self.settings.mode == "inline" or self.pump.is_current:
            self.await_order(lambda: holds(order.now), order, problem, timeout, strict)
            return
        self.check_process()
        limit, met = self.timeout_s if timeout is None else seconds(timeout), False

        def is_over() -> bool:
            nonlocal met
            met = holds(order.now)
            return met or self.lost is not None

        over = self.link.bell.for_entries().wait_until(is_over, limit * 1000)
        if met:
            seq = order.now.seq
            self.news.wait_until(lambda: self.done_seq >= seq or self.lost is not None, HISTORY_MS)
        self._conclude(over, met, order, problem, limit if strict else None)

    def poll(self, timeout_ms: float | None) -> int:
        """As ``Link.poll``; inline, what came is taken in too."""
        self.check_process()
        return self.pump.poll(self.link.poll, timeout_ms)

    def adopt(self) -> None:
        """Inline: the calling thread polls, waits and sends from now on."""
        self.link.adopt()
        self.pump.adopt()
        self._dispatcher.adopt()

    # -- going out ---------------------------------------------------------------------------------------------------

    def check_process(self) -> None:
        """Raise ForkedClient in a child process."""
        life.check(self._generation)

    def check_usable(self) -> None:
        """Raise ForkedClient, WrongThread (inline) or SessionLost when nothing can be sent."""
        life.check(self._generation)
        if self._is_inline:
            self.pump.check_owner()
        if self.lost is not None:
            raise SessionLost(str(self.lost)) from self.lost

    def take_request_id(self) -> int:
        """A new request id; never one that an order has or will have."""
        with self.lock:
            return self.ids.take_request()

    def take_order_id(self) -> int:
        """A new order id: never below what the gateway named, never one that was used, in this life or another.

        Raises
        ------
        ConfigError, JournalFull : none are left, or it cannot be marked as taken.
        """
        with self.lock:
            self._learn_next()
            return self.ids.reserve()

    def _learn_next(self) -> None:
        named = self.intake.next_order_id
        if named != self._learned:
            self.ids.learn(named or 0)
            self._learned = named

    def use_order_id(self, order_id: int) -> None:
        """An id that the caller chose for a new order; no other gets it.

        Raises
        ------
        ConfigError : it may be another order's, or cannot be an order's. JournalFull : it cannot be marked as taken.
        """
        with self.lock:
            self._learn_next()
            self.ids.use(order_id)

    def claim_row(self, order_id: int, *, is_new: bool) -> None:
        """Its row in the live table, before an order goes out. Raises RiskRejected when there is no room for it."""
        tables = self.link.tables
        if tables is None or not is_new:
            return
        if tables.orders.is_full:
            problem = f"the order table in shared memory is full ({tables.orders.rows} orders)"
            raise RiskRejected(problem, policy="order table", hint="connect again; nothing was sent")
        tables.orders.add(self.client_id, order_id)

    def encode(self, message: Any) -> tuple[bytes, str]:
        """Payload and dialect of a message."""
        with self.lock:
            return self._codec.encode(message), self.dialect(type(message))

    @property
    def codec(self) -> Codec:
        """What messages are encoded with; use it under the lock."""
        return self._codec

    def dialect(self, message_type: type[Any]) -> str:
        """``text`` or ``proto``: how a message goes out at this version."""
        return self._codec.dialect_of(OUTGOING[message_type.MSG_ID]).value

    def take_turn(self, *, cancel: bool = False) -> None:
        """Wait until one message may be sent; the lock is not held. Raises PacingError, never for a cancel."""
        self.link.turn(Traffic.CANCEL if cancel else Traffic.REST)

    def try_turn(self) -> bool:
        """Whether one message may be sent now; never waits."""
        try:
            self.link.turn(Traffic.REST, 0)
        except PacingError:
            return False
        return True

    def send(self, message: Any, *, cancel: bool = False) -> None:
        """Send one message that is about no order.

        Raises
        ------
        RiskRejected : it can add risk, and did not come through the gate. PacingError : no turn in time.
        """
        self.check_usable()
        self.take_turn(cancel=cancel)
        self.send_now(message)

    def send_now(self, message: Any) -> None:
        """As :meth:`send`, when it is its turn."""
        if EFFECTS.get(type(message).NAME, Effect.ADDS) is Effect.ADDS:
            raise RiskRejected(f"{type(message).NAME} does not go round the risk gate")
        with self.lock:
            self.check_usable()
            self.link.send(self.encode(message)[0], None)
            self.sent += 1

    def intend(self, act: Act, order_id: int, payload: bytes) -> tuple[int, int]:
        """Before the table hears of it: (number of the intent in the journal, the time). The lock is held.

        Raises
        ------
        JournalFull : not written down, so nothing may be sent; never for a cancel.
        """
        now_ns = self.now_ns()
        return self.journal.intent(act, order_id, payload, self.taken_seq, now_ns), now_ns

    def send_order(self, order_id: int, payload: bytes, intent: int, work: Unwritten | None = None) -> None:
        """Send what is about an order; table and journal hear of a failure. The lock is held.

        Parameters
        ----------
        work : Unwritten, optional
            What the table is told as soon as bytes may be out, whatever becomes of the send.
        """
        if self.unwritten is not None:
            self.write_down()
        self.unwritten = work
        try:
            left_ns = self.link.send(payload, None)  # its turn came before the lock
            now_ns = left_ns if left_ns and self.now_ns is clock.now_ns else self.now_ns()
            if work is not None:
                work.sent_ns = now_ns
            self.journal.sent(intent, order_id, 4 + len(payload), self.taken_seq, now_ns)
            self.sent += 1
        except IbwireError as error:
            wrote, now_ns, reason = int(getattr(error, "wrote_bytes", 0)), self.now_ns(), str(error)
            self.write_down()
            self.journal.send_failed(intent, order_id, wrote, reason, self.taken_seq, now_ns)
            self.table.on_send_failed(order_id, now_ns, reason, wrote)
            raise
        except BaseException as error:  # Ctrl-C: nobody knows how much has left
            self.write_down()
            if work is not None and not work.sent_ns:
                self.table.on_send_failed(order_id, self.now_ns(), type(error).__name__, 1)
            raise
        self.write_down()

    def write_down(self) -> None:
        """Tell the table of a send whose bytes may be out, if that was not done. The lock is held.

        A Ctrl-C may have come in between: whoever has the lock next does it.
        """
        work = self.unwritten
        if work is None:
            return
        if not work.is_begun:
            work.is_begun = True
            try:
                work.write()
            except Exception as error:
                self._unwritable(work, error)
        else:
            self._unwritable(work, None)
        self.unwritten = None

    def _unwritable(self, work: Unwritten, error: Exception | None) -> None:
        why = "that was interrupted" if error is None else f"{type(error).__name__}: {error}"
        text = f"order {work.order_id} was sent, but its history could not be written ({why}); it is looked up"
        self.intake.notice(OWN_NOTICE, text)
        view = self.table.get(work.order_id)
        if view is not None:
            self.table.on_dispute([view], self.now_ns())
        self.queries.doubt()

    def ask(
        self,
        message: Any,
        keep: type[Any],
        end: type[Any],
        reqId: int | None = None,
        timeout_s: float | None = None,
    ) -> list[Any]:
        """Send a request and collect its answers until the end marker.

        Raises
        ------
        RequestError : the gateway refused. WaitTimeout : no end marker in time. SessionLost : the link is gone.
        """
        limit = self.timeout_s if timeout_s is None else seconds(timeout_s)
        pending = Pending((keep,), end)
        with self.lock:
            self.check_usable()
            self.intake.expect(reqId, pending)
        try:
            self.send(message)
            over = self.wait_until(lambda: pending.done or pending.error is not None, limit)
        finally:
            with self.lock:
                self.intake.forget(reqId, pending)
        if isinstance(pending.error, RequestError):
            raise pending.error
        if pending.error is not None:
            raise SessionLost(str(pending.error)) from pending.error
        if not over:
            name = type(message).NAME
            raise WaitTimeout(f"no end of the answer to {name} within {limit:g} s ({len(pending.items)} came)")
        return pending.items

    def try_send(self, message: Any) -> None:
        """Send what tidies up; a session that is over needs no tidying."""
        try:
            self.send(message)
        except IbwireError:
            pass

    @contextmanager
    def one_at_a_time(self, name: str) -> Iterator[None]:
        """Requests whose answers carry no id wait for each other.

        Raises
        ------
        WaitTimeout : the one before did not end in time.
        """
        if not self.wait_until(lambda: self.claim(name), self.timeout_s):
            raise WaitTimeout(f"another request for {name} is under way")
        try:
            yield
        finally:
            self.unclaim(name)
            self.changed()

    def unclaim(self, name: str) -> None:
        """The request under that name is over."""
        with self.lock:
            self._claimed.discard(name)

    def claim(self, name: str) -> bool:
        """Whether no other request under that name is under way; then this one is."""
        with self.lock:
            if name in self._claimed:
                return False
            self._claimed.add(name)
            return True
