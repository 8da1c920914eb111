"""The order table: every order, driven by what is sent and what comes back, in any order of arrival.

Rules, and read ``ibwire/spec/orderstates.py`` before changing any of them: executions are the truth for quantity;
the wire status is kept as it came, apart from our state; the next state is looked up, never decided here; nothing is
dropped because its order id is unknown; a known value is never overwritten with an unset one; silence, a lost link
and bytes that cannot be read make an order uncertain, never ended. Pure: no clock, no socket, ``now_ns`` comes in.
One owner thread calls the ``on_`` methods; views may be read from any.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any, Final

from ibwire.spec.errorcodes import ORDER_ONLY, OrderEffect, lookup, order_effect
from ibwire.spec.orderstates import ENDED, STATE_MEANING, Event, Flag, State
from ibwire.trade.executions import EXACT, ZERO, ExecutionBook, Outcome, Part, known
from ibwire.trade.identity import OrderGraph, client_of, id_of
from ibwire.trade.machine import (
    append,
    apply_status,
    apply_terms,
    believe_sum,
    doubt,
    error_event,
    learn_terms,
    move,
    note,
    note_fee,
    quantity_event,
    quantity_extra,
    reopen,
    settle_quantity,
    step,
)
from ibwire.trade.positions import Held, unpacked
from ibwire.trade.view import OrderView, plain

__all__ = ["OrderTable"]

_UNNAMED, _AGAIN = int(Flag.UNNAMED), int(Flag.AGAIN)
_DIALECT_NAME: Final = {"proto": "protobuf"}


_FRESH: Final = (State.CREATED, State.UNTRANSMITTED, State.CANCELLED, State.REJECTED, State.EXPIRED)
"""What is placed in one of these states is placed anew, and no modify."""


def _size(nbytes: int, dialect: str) -> str:
    size = f"{nbytes:,} bytes, " if nbytes else ""
    return f"{size}{_DIALECT_NAME.get(dialect, dialect)} placeOrder".replace("  ", " ").strip()


def _text(message: Any, name: str) -> str:
    return str(getattr(message, name, "") or "")


def _marks(msg: Any) -> tuple[object, ...]:
    """What tells orders without any id apart."""
    order = msg.order
    names = ("orderRef", "action", "orderType", "totalQuantity", "lmtPrice", "auxPrice")
    return (getattr(msg.contract, "conId", 0), *(getattr(order, name, None) for name in names))


class OrderTable:
    """Orders by (client id, order id) and by permId.

    Parameters
    ----------
    client_id : int
        Our own client id. Orders of other clients and manual orders are held too.
    effects : mapping of int to OrderEffect, optional
        Overrides of what a code means for an order (``ibwire.spec.errorcodes``).
    view_type : type, optional
        Subclass of :class:`OrderView` to make.

    Attributes
    ----------
    graph : OrderGraph
        The orders by all their names.
    book : ExecutionBook
        Every execution, also those whose order is not known.
    epoch : int
        Number of the session, counted by :meth:`on_reconnect`.
    heard : set of str
        Executions named since somebody emptied it, without their revision (``Fill.base``).
    unread : int
        Messages about orders that could not be read.
    held : Held
        What the accounts ought to hold, by the last list of positions and the executions since.
    """

    def __init__(
        self,
        client_id: int = 0,
        *,
        effects: Mapping[int, OrderEffect] | None = None,
        view_type: type[OrderView] = OrderView,
    ) -> None:
        self.client_id = client_id
        self.epoch = 0
        self.unread = 0
        self.heard: set[str] = set()
        self.held = Held()
        self.book: ExecutionBook[OrderView] = ExecutionBook()
        self.graph = OrderGraph(client_id, view_type)
        self._effects = dict(effects or {})
        self._asked: dict[int, OrderView] = {}  # id of the view -> one that the answer ought to name, and has not yet

    # -- reading ---------------------------------------------------------------------------------------------------

    def __len__(self) -> int:
        return len(self.graph)

    def __iter__(self) -> Iterator[OrderView]:
        return iter(self.graph)

    def get(self, order_id: int, client_id: int | None = None) -> OrderView | None:
        """The order with this id, of our own client unless another is named."""
        return self.graph.by_key(order_id, client_id)

    def by_perm_id(self, perm_id: int) -> OrderView | None:
        """The order with this account-wide id."""
        return self.graph.by_perm_id(perm_id)

    def open(self) -> list[OrderView]:
        """Every order that may be filled: maybe live, live or unknown."""
        return [view for view in self.graph if view.may_fill]

    def uncertain(self) -> list[OrderView]:
        """Every order that wants a look-up."""
        return [view for view in self.graph if view.needs_query or view.is_uncertain]

    def cancellable(self) -> list[int]:
        """Ids of our own orders that may be filled, or that TWS holds untransmitted: those that a cancel is for."""
        own = (view for view in self.graph if view.client_id == self.client_id and view.order_id)
        held = State.UNTRANSMITTED
        return [view.order_id for view in own if view.may_fill or (view.state is held and not view.what_if)]

    def adopt(self, view: OrderView) -> None:
        """Take an order of our own, with its executions, of which nothing was known here; ``graph.earlier`` does."""
        for fill in view.fills.values():
            self.book.adopt(fill)
        self.graph.adopt(view)

    def _own(self, order_id: int) -> OrderView | None:
        return self.graph.by_key(order_id)

    # -- what we send ----------------------------------------------------------------------------------------------

    def begin_place(
        self,
        orderId: int,
        contract: Any,
        order: Any,
        now_ns: int,
        journaled: bool = False,
        fixed: dict[str, Any] | None = None,
    ) -> None:
        """A placeOrder is about to leave: for who keeps rows that somebody reads without waiting for this table.

        :meth:`on_placed` (or, when the send failed, :meth:`on_place`) follows under the same lock. `fixed`: what such
        rows are told of it beside quantity and limit, where that is ready.
        """

    def on_place(
        self,
        orderId: int,
        contract: Any,
        order: Any,
        now_ns: int,
        nbytes: int = 0,
        dialect: str = "",
        journaled: bool = False,
    ) -> OrderView:
        """A placeOrder is handed to the socket; the second one of an order that has not ended is a modify.

        Call it, or :meth:`begin_place`, before the bytes leave, and before any answer is taken; `nbytes` and `dialect`
        only describe the event. `journaled`: it is only written down so far; :meth:`on_sent` follows.
        """
        return self._place(orderId, contract, order, now_ns, _size(nbytes, dialect), journaled)

    def on_sent(self, orderId: int, now_ns: int, nbytes: int = 0, dialect: str = "") -> OrderView | None:
        """The kernel has the last byte of what was journaled, or of a modify or a cancel, to which that is nothing."""
        view = self._own(orderId)
        if view is not None and view.last_act == "place":
            self._sent(view, now_ns, _size(nbytes, dialect))
        return view

    def on_placed(
        self, orderId: int, contract: Any, order: Any, now_ns: int, sent_ns: int, nbytes: int = 0, dialect: str = ""
    ) -> OrderView:
        """:meth:`on_place` of what was journaled at `now_ns`, and :meth:`on_sent` at `sent_ns`."""
        size = _size(nbytes, dialect)
        view = self._place(orderId, contract, order, now_ns, size, True)
        if view.last_act == "place":
            self._sent(view, sent_ns, size)
        return view

    def _place(
        self, orderId: int, contract: Any, order: Any, now_ns: int, detail: str, journaled: bool
    ) -> OrderView:
        view = self._own(orderId) or self.graph.new(self.client_id, orderId, now_ns)
        self._asked.pop(id(view), None)  # the answer may be older than this
        transmit = getattr(order, "transmit", True) is not False
        view.contract, view.what_if = contract, bool(getattr(order, "whatIf", False))
        self.graph.learn_order(view, order)
        if not view.events:
            view.first_ns = now_ns
        if view.what_if:
            view.order = order
            note(view, now_ns, "what-if", "a question about margin and fees: no order is made", detail, "local")
            return view
        fresh = view.state in _FRESH
        if fresh:
            view.placed_order, view.refusal, view.last_act = order, None, "place"
            view.pending_modifies.clear()
            view.replaced.clear()
            view.modify_refusals = 0
            if view.state in ENDED:
                view.broker_order = None
        else:
            view.last_act = "modify"
            if view.state is not State.FILLED:
                view.pending_modifies.append(order)
        view.order = order
        if fresh and journaled:
            step(view, Event.JOURNALED, now_ns, "journaled", "", "", "local", _AGAIN)
        elif fresh:
            self._leave(view, now_ns, detail)
        else:
            event = Event.PLACE if transmit else Event.PLACE_UNTRANSMITTED
            step(view, event, now_ns, "modify sent", "", detail, "local", _AGAIN)
            if transmit and view.parent_id:
                self._release_group(view, now_ns)
        return view

    def _sent(self, view: OrderView, now_ns: int, detail: str) -> None:
        if view.state is State.JOURNALED:
            self._leave(view, now_ns, detail)

    def _leave(self, view: OrderView, now_ns: int, detail: str) -> None:
        """A placement is out."""
        transmit = getattr(view.placed_order, "transmit", True) is not False
        event, title = (Event.PLACE, "sent") if transmit else (Event.PLACE_UNTRANSMITTED, "untransmitted")
        step(view, event, now_ns, title, "", detail, "local", _AGAIN)
        if transmit and view.parent_id:
            self._release_group(view, now_ns)

    def on_cancel_request(self, orderId: int, now_ns: int) -> OrderView:
        """A cancelOrder is handed to the socket. An unknown id is held as uncertain."""
        view = self._own(orderId) or self.graph.hold(self.client_id, orderId, now_ns)
        self._asked.pop(id(view), None)
        view.last_act = "cancel"
        step(view, Event.CANCEL_REQUEST, now_ns, "cancel sent", "", "", "local")
        return view

    def on_send_failed(self, orderId: int, now_ns: int, reason: str, wrote_bytes: int = 0) -> OrderView | None:
        """The last send for an order failed. Only with no byte written is it certain that nothing happened."""
        view = self._own(orderId)
        if view is None:
            return None
        if wrote_bytes:
            step(view, Event.SEND_BROKEN, now_ns, "uncertain", "", f"send broke off: {reason}", "local")
            return view
        extra = 0
        if view.last_act == "cancel":
            extra = int(Flag.OF_CANCEL)
        elif view.last_act == "modify" or view.pending_modifies:
            # Whatever became of the modify meanwhile: the order itself was sent before.
            del view.pending_modifies[-1:]
            extra = 0 if view.has(Flag.MODIFY_OPEN) and not view.pending_modifies else Flag.MORE
        step(view, Event.SEND_FAILED, now_ns, "send failed", "", reason, "local", extra)
        return view

    # -- what comes back -------------------------------------------------------------------------------------------

    def on_open_order(self, msg: Any, now_ns: int) -> OrderView:
        """An openOrder: `msg` has orderId, contract, order and orderState."""
        order = msg.order
        ids = id_of(msg.orderId), id_of(getattr(order, "permId", 0))
        view = self._locate(client_of(order), *ids, now_ns, _marks(msg))
        status = _text(getattr(msg, "orderState", None), "status")
        if view.what_if or getattr(order, "whatIf", False):
            if not view.events:
                view.what_if, view.state, view.flags = True, State.CREATED, 0
            note(view, now_ns, "what-if answer", "no order is made", status, "status")
            return view
        # Each is named once: what comes for it before the question or after the answer is no answer.
        extra = 0 if self._asked.pop(id(view), None) is None else int(Flag.SNAPSHOT)
        self.graph.learn_order(view, order)
        apply_terms(view, msg.contract, order, now_ns, extra)
        reopen(view, now_ns)
        view.flags |= int(Flag.ANSWERED)
        if status:
            apply_status(view, status, now_ns, "", extra=extra)
        settle_quantity(view, now_ns)
        return view

    def on_completed_order(self, msg: Any, now_ns: int) -> OrderView:
        """A completedOrder: `msg` has contract, order and orderState; the order is known by its permId."""
        order = msg.order
        ids = id_of(getattr(order, "orderId", 0)), id_of(order.permId)
        view = self._locate(client_of(order), *ids, now_ns, _marks(msg))
        self.graph.learn_order(view, order)
        learn_terms(view, msg.contract, order)
        told = known(getattr(order, "filledQuantity", None))
        view.reported_filled = max(view.reported_filled, told or ZERO)
        believe_sum(view, told, now_ns)
        reopen(view, now_ns)
        detail = _text(msg.orderState, "completedStatus")
        apply_status(view, _text(msg.orderState, "status"), now_ns, detail, extra=int(Flag.SETTLED))
        settle_quantity(view, now_ns)
        return view

    def on_order_bound(self, msg: Any, now_ns: int) -> OrderView:
        """An orderBound: an order typed in by hand has an order id now."""
        return self._locate(client_of(msg), id_of(msg.orderId), id_of(msg.permId), now_ns)

    def on_order_status(self, msg: Any, now_ns: int) -> OrderView:
        """An orderStatus; its quantities are hints until executions come, and zeros never undo them."""
        view = self._locate(client_of(msg), id_of(msg.orderId), id_of(msg.permId), now_ns)
        before = view.filled
        filled, remaining = known(msg.filled) or ZERO, known(msg.remaining)
        if filled >= view.reported_filled:
            if filled or remaining:
                view.reported_filled, view.reported_remaining = filled, remaining
            view.reported_avg = float(known(msg.avgFillPrice) or 0) or view.reported_avg
        view.parent_id = id_of(getattr(msg, "parentId", 0)) or view.parent_id
        view.mkt_cap_price = float(known(getattr(msg, "mktCapPrice", 0)) or 0) or view.mkt_cap_price
        held = _text(msg, "whyHeld")
        detail = f"held: {held}" if held and held != view.why_held else ""
        view.why_held = held
        apply_status(view, str(msg.status), now_ns, detail, view.filled != before)
        return view

    def on_execution(self, msg: Any, now_ns: int) -> OrderView:
        """An execDetails, live or as the answer to a request: `msg` has contract and execution."""
        execution = msg.execution
        if self.graph.earlier is not None:  # it may be one of an order that is not here yet
            ids = id_of(execution.orderId), id_of(execution.permId)
            self.graph.recall(client_of(execution), *ids)
        outcome, fill, shares, notional = self.book.on_execution(msg.contract, execution, now_ns)
        self.heard.add(fill.base)
        view, other = fill.owner, None
        if view is None:
            ids = id_of(execution.orderId), id_of(execution.permId)
            view = self._locate(client_of(execution), *ids, now_ns)
            view.contract = view.contract or msg.contract
            fill.owner = view
            view.fills[fill.base] = fill
        else:
            other = self.graph.learn_perm(view, id_of(execution.permId))
            if other is not None:
                self._merge(view, other, now_ns)
        self.graph.learn_ref(view, _text(execution, "orderRef"))
        view.corrected = view.corrected or fill.corrected
        if outcome in (Outcome.DUPLICATE, Outcome.STALE):
            view.duplicates += 1
            return view
        if shares and fill.sec_type != "BAG":  # of a combination its legs are held
            change = shares if fill.side.startswith("B") else -shares
            self.held.executed(fill.account, id_of(getattr(msg.contract, "conId", 0)), change, now_ns)
        if view.is_allocated or other is not None:  # a merge has summed this one already
            view.sum_fills()
        elif view.part(fill) is not Part.LEG:
            view.exec_filled = EXACT.add(view.exec_filled, shares)
            view.exec_notional = EXACT.add(view.exec_notional, notional)
            if fill.cum > view.exec_cum:
                view.exec_cum = fill.cum
                view.reported_avg = float(known(getattr(execution, "avgPrice", None)) or 0) or view.reported_avg
        title = "execution" if outcome is Outcome.NEW else "correction"
        meaning = f"{plain(fill.shares)} @ {plain(fill.price)}"
        event = quantity_event(view, shares)
        extra = quantity_extra(view, event)
        step(view, event, now_ns, title, meaning, f"exec {fill.exec_id}", "execution", extra)
        if outcome is Outcome.NEW and fill.fee is not None:
            note_fee(view, fill.fee, now_ns)
        return view

    def on_commission(self, msg: Any, now_ns: int) -> OrderView | None:
        """A commission-and-fees report; None while its execution has not come (the report is kept)."""
        had = self.book.get(str(msg.execId))
        before = had.fee if had is not None else None
        fee, fill = self.book.on_commission(msg)
        if fill is None or fill.owner is None:
            return None
        if before == fill.fee:
            fill.owner.duplicates += 1
            return fill.owner
        note_fee(fill.owner, fee, now_ns)
        return fill.owner

    def on_error(self, reqId: int, code: int, text: str, now_ns: int, advanced_json: str = "") -> OrderView | None:
        """An error message. None when its id is no order's; -1 never is."""
        view = self._own(reqId) if reqId != -1 else None
        if view is None:
            if reqId <= 0 or code not in ORDER_ONLY:
                return None
            view = self.graph.hold(self.client_id, reqId, now_ns)
        effect = self._effects.get(code, order_effect(code))
        view.notes.append((code, text))
        view.advanced_reject = advanced_json or view.advanced_reject
        if effect not in (OrderEffect.WARNING, OrderEffect.CANCELLED):
            view.last_error = (code, text)
        title = f"{'warning' if effect is OrderEffect.WARNING else 'notice' if code == 202 else 'error'} {code}"
        before = view.state
        legality = error_event(view, effect, code, text, now_ns)
        meaning = lookup(code).text
        if view.state is not before:
            meaning = f"{meaning}; {STATE_MEANING[view.state]}"
        elif effect not in (OrderEffect.WARNING, OrderEffect.CANCELLED) and view.may_fill:
            meaning = f"{meaning}; the order stays {view.state.label}"
        append(view, now_ns, title, meaning, text, "error", legality, code)
        settle_quantity(view, now_ns)  # a refused modify: what is filled may be all there is
        return view

    def on_undecodable(self, order_id: int | None, reason: str, now_ns: int) -> list[OrderView]:
        """An order-bearing message could not be read; without an id it may be about any order."""
        self.unread += 1
        self.held.gap()
        if order_id is None:
            touched = [view for view in self.graph if view.state is not State.CREATED]
        else:
            touched = [self._own(order_id) or self.graph.hold(self.client_id, order_id, now_ns)]
        for view in touched:  # ended ones too are to be looked up: the message may have been a late execution
            doubt(view, Event.UNDECODABLE, now_ns, f"a message could not be read: {reason}")
        return touched

    def on_dispute(self, views: list[OrderView], now_ns: int) -> list[OrderView]:
        """Two accounts of these orders say different things: they are doubted until they are looked up.

        With one among them that is not ours, all are: the compiled table knows no other name for it.
        """
        if not all(view.client_id == self.client_id and view.order_id for view in views):
            views = [view for view in self.graph if view.state is not State.CREATED]
        for view in views:
            doubt(view, Event.UNDECODABLE, now_ns, "two accounts of the order say different things")
        return views

    # -- the link --------------------------------------------------------------------------------------------------

    def on_link_lost(self, reason: str, now_ns: int) -> list[OrderView]:
        """The connection is gone; every order that has not ended becomes uncertain. Returns those."""
        self._asked.clear()
        self.held.gap()
        return [view for view in self.graph if doubt(view, Event.LINK_LOST, now_ns, reason)]

    def on_reconnect(self, now_ns: int, reason: str = "new session") -> list[OrderView]:
        """A new session is up. Returns the orders that a reconcile must settle."""
        self.epoch += 1
        self.on_link_lost(reason, now_ns)
        return self.uncertain()

    def on_restored(self, reason: str, now_ns: int) -> list[OrderView]:
        """1101 or 1102 on a session that lives: answers may be missing. Returns the orders to look up."""
        self.held.gap()
        for view in self.graph:
            doubt(view, Event.RESTORED, now_ns, reason)
        return self.uncertain()

    # -- deadlines -------------------------------------------------------------------------------------------------

    def next_deadline_ns(self) -> int | None:
        """When :meth:`check_deadlines` has something to do; None while nothing is awaited."""
        return min((view.due_ns for view in self.graph if view.due_ns), default=None)

    def check_deadlines(self, now_ns: int) -> list[OrderView]:
        """Make every order uncertain whose answer is overdue. Returns those."""
        late = [view for view in self.graph if 0 < view.due_ns <= now_ns]
        return [view for view in late if doubt(view, Event.DEADLINE, now_ns, "no answer in time")]

    def on_deadline(self, orderId: int, now_ns: int, reason: str = "no answer in time") -> OrderView | None:
        """No answer came in time. Only an order that waits for one becomes uncertain."""
        view = self._own(orderId)
        if view is not None:
            doubt(view, Event.DEADLINE, now_ns, reason)
        return view

    # -- asking the gateway ----------------------------------------------------------------------------------------

    def begin_snapshot(self, everyone: bool = False) -> None:
        """Open orders are about to be asked for: the next openOrder of each is how it stands now.

        `everyone`: of all clients (reqAllOpenOrders), else of our own.
        """
        asked = [v for v in self.graph if v.may_fill and (everyone or v.client_id == self.client_id)]
        self._asked = {id(view): view for view in asked}

    def end_snapshot(self, now_ns: int, complete: bool = True) -> list[OrderView]:
        """The end marker came (or, `complete` False, did not). Returns the orders that it should have named.

        Absence is no proof of an end: those are uncertain.
        """
        missing, self._asked = [view for view in self._asked.values() if view.may_fill], {}
        if not complete:
            return []
        for view in missing:
            doubt(view, Event.ABSENT, now_ns, "not in the list of open orders")
        return missing

    def on_looked_up(self, now_ns: int) -> list[OrderView]:
        """Open orders, executions and completed orders were all answered. Returns what is still not known."""
        for view in self.graph:
            believe_sum(view, view.reported_filled, now_ns)
            move(view, Event.LOOKED_UP, now_ns)
            settle_quantity(view, now_ns)
        return self.uncertain()

    def on_executions_listed(self, unnamed: Collection[OrderView]) -> None:
        """The list of executions came to its end; it lacks some of these orders, so their sum ends none of them."""
        lacking = {id(view) for view in unnamed}
        for view in self.graph:
            view.flags = view.flags & ~_UNNAMED | (_UNNAMED if id(view) in lacking else 0)

    # -- positions -------------------------------------------------------------------------------------------------

    def on_positions(self, sizes: str, day: str, now_ns: int) -> None:
        """The gateway named every position (``trade.positions.packed``) on its `day`, ``yyyymmdd``."""
        self.held.told(unpacked(sizes), day, now_ns)

    # -- groups ----------------------------------------------------------------------------------------------------

    def on_group(self, orderId: int, title: str, meaning: str, now_ns: int) -> OrderView | None:
        """Something was found out about the group of an order of ours: for its history, nothing else changes."""
        view = self._own(orderId)
        if view is not None:
            note(view, now_ns, title, meaning, "", "group")
        return view

    # -- identity --------------------------------------------------------------------------------------------------

    def _locate(
        self, client: int | None, order_id: int, perm_id: int, now_ns: int, marks: tuple[object, ...] = ()
    ) -> OrderView:
        view, merged, rival = self.graph.locate(client, order_id, perm_id, now_ns, marks)
        if merged is not None:
            self._merge(view, merged, now_ns)
        if rival is not None:
            rival.flags |= int(Flag.NEEDS_QUERY)
            note(rival, now_ns, "anomaly", "a second order has the same order id", f"permId {perm_id}", "status")
        return view

    def _merge(self, view: OrderView, other: OrderView, now_ns: int) -> None:
        """`other` was held under its permId only and turns out to be `view`."""
        self._asked.pop(id(other), None)
        other.became = view
        for fill in other.fills.values():
            fill.owner = view
        view.fills.update(other.fills)
        view.reported_filled = max(view.reported_filled, other.reported_filled)
        view.reported_avg = view.reported_avg or other.reported_avg
        view.corrected = view.corrected or other.corrected
        view.notes.extend(other.notes)
        view.flags |= other.flags & int(Flag.SEEN_LIVE | Flag.ANSWERED | Flag.DOUBT | Flag.BLIND)
        view.events.extend(other.events)
        view.sum_fills()
        if other.wire_status:
            apply_status(view, other.wire_status, now_ns, "")
        settle_quantity(view, now_ns)
        if view.exec_filled and not view.is_done and view.state is not State.PARTIALLY_FILLED:
            step(view, Event.EXECUTION, now_ns, "execution", "", f"of permId {view.perm_id}", "execution")

    def _release_group(self, view: OrderView, now_ns: int) -> None:
        """A transmitted child releases its parent and the siblings that were held back."""
        for other in self.graph:
            if other is view or other.client_id != self.client_id or other.state is not State.UNTRANSMITTED:
                continue
            if other.order_id == view.parent_id or other.parent_id == view.parent_id:
                step(other, Event.PLACE, now_ns, "sent", "", f"released by order {view.order_id}", "local")
