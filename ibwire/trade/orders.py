"""The order table: every order, driven by what is sent and what comes back, in any order of arrival.

Rules, and read ``ibwire/spec/orderstates.py`` before changing any of them: executions are the truth for quantity;
the wire status is kept as it came, apart from our state; the next state is looked up, never decided here; nothing is
dropped because its order id is unknown; a known value is never overwritten with an unset one; silence, a lost link
and bytes that cannot be read make an order uncertain, never ended. Pure: no clock, no socket, ``now_ns`` comes in.
One owner thread calls the ``on_`` methods; views may be read from any.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from ibwire.spec.errorcodes import ORDER_ONLY, OrderEffect, lookup, order_effect
from ibwire.spec.orderstates import (
    ENDED,
    STATE_MEANING,
    State,
    Trigger,
)
from ibwire.trade.executions import EXACT, ZERO, ExecutionBook, Outcome, known
from ibwire.trade.machine import (
    append,
    apply_status,
    doubt,
    error_trigger,
    learn_terms,
    match_modify,
    move,
    note,
    note_fee,
    quantity_trigger,
    settle_quantity,
    step,
    sum_fills,
)
from ibwire.trade.view import OrderView, plain

__all__ = ["OrderTable"]

_DIALECT_NAME: Final = {"proto": "protobuf"}
_UNSET_IDS: Final = frozenset({0, 2**31 - 1, 2**63 - 1})


def _id(value: Any) -> int:
    """An id as int, 0 for any spelling of "none"."""
    number = int(value or 0)
    return 0 if number in _UNSET_IDS else number


def _text(message: Any, name: str) -> str:
    return str(getattr(message, name, "") or "")


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
        self.book: ExecutionBook[OrderView] = ExecutionBook()
        self._effects = dict(effects or {})
        self._view_type = view_type
        self._views: list[OrderView] = []
        self._by_key: dict[tuple[int, int], OrderView] = {}
        self._by_perm: dict[int, OrderView] = {}

    # -- reading ---------------------------------------------------------------------------------------------------

    def __len__(self) -> int:
        return len(self._views)

    def __iter__(self) -> Iterator[OrderView]:
        return iter(list(self._views))

    def get(self, order_id: int, client_id: int | None = None) -> OrderView | None:
        """The order with this id, of our own client unless another is named."""
        return self._by_key.get((self.client_id if client_id is None else client_id, order_id))

    def by_perm_id(self, perm_id: int) -> OrderView | None:
        """The order with this account-wide id."""
        return self._by_perm.get(perm_id)

    def open(self) -> list[OrderView]:
        """Every order that may be filled: maybe live, live or unknown."""
        return [view for view in self._views if view.may_fill]

    def uncertain(self) -> list[OrderView]:
        """Every order that wants a look-up."""
        return [view for view in self._views if view.needs_query or view.is_uncertain]

    # -- what we send ----------------------------------------------------------------------------------------------

    def on_place(
        self, orderId: int, contract: Any, order: Any, now_ns: int, nbytes: int = 0, dialect: str = ""
    ) -> OrderView:
        """A placeOrder is handed to the socket; the second one of an order that has not ended is a modify.

        Call it before the bytes leave, so that an answer can never come first; `nbytes` and `dialect` only describe
        the event.
        """
        view = self._by_key.get((self.client_id, orderId))
        if view is None:
            view = self._new(self.client_id, orderId, now_ns)
        transmit = getattr(order, "transmit", True) is not False
        view.contract, view.what_if = contract, bool(getattr(order, "whatIf", False))
        view.parent_id = _id(getattr(order, "parentId", 0)) or view.parent_id
        size = f"{nbytes:,} bytes, " if nbytes else ""
        detail = f"{size}{_DIALECT_NAME.get(dialect, dialect)} placeOrder".replace("  ", " ").strip()
        if not view.events:
            view.first_ns = now_ns
        if view.what_if:
            view.order = order
            note(view, now_ns, "what-if", "a question about margin and fees: no order is made", detail, "local")
            return view
        if view.state in ENDED and view.state is not State.FILLED:
            view.seen_live = view.answered = view.modify_refused = view.cancel_requested = False
            view.told_cancelled = view.told_202 = False
            view.refusal = None
        if view.state in ENDED or view.state in (State.CREATED, State.UNTRANSMITTED):
            title = "sent" if transmit else "untransmitted"
            view.placed_order, view.link_was_lost = order, False
        else:
            title = "modify sent"
            view.pending_modifies.append(order)
        view.order = order
        step(view, Trigger.PLACE if transmit else Trigger.PLACE_UNTRANSMITTED, now_ns, title, "", detail, "local")
        if transmit and view.parent_id:
            self._release_group(view, now_ns)
        return view

    def on_cancel_request(self, orderId: int, now_ns: int) -> OrderView:
        """A cancelOrder is handed to the socket. An unknown id is held as uncertain."""
        view = self._by_key.get((self.client_id, orderId)) or self._hold(self.client_id, orderId, now_ns)
        view.cancel_requested = True
        step(view, Trigger.CANCEL_REQUEST, now_ns, "cancel sent", "", "", "local")
        return view

    def on_send_failed(self, orderId: int, now_ns: int, reason: str, wrote_bytes: int = 0) -> OrderView | None:
        """The last send for an order failed. Only with no byte written is it certain that nothing happened."""
        view = self._by_key.get((self.client_id, orderId))
        if view is None:
            return None
        if wrote_bytes:
            step(view, Trigger.UNDECODABLE, now_ns, "uncertain", "", f"send broke off: {reason}", "local")
            return view
        trigger = Trigger.SEND_FAILED
        if view.pending_modifies:
            view.pending_modifies.pop()
            trigger = Trigger.SEND_FAILED if view.state is State.MODIFY_REQUESTED else Trigger.WARNING
        step(view, trigger, now_ns, "send failed", "", reason, "local")
        return view

    # -- what comes back -------------------------------------------------------------------------------------------

    def on_open_order(self, msg: Any, now_ns: int) -> OrderView:
        """An openOrder: `msg` has orderId, contract, order and orderState."""
        order = msg.order
        view = self._locate(_client(order), _id(msg.orderId), _id(getattr(order, "permId", 0)), now_ns)
        status = _text(getattr(msg, "orderState", None), "status")
        if view.what_if or getattr(order, "whatIf", False):
            if not view.events:
                view.what_if, view.state = True, State.CREATED
            note(view, now_ns, "what-if answer", "no order is made", status, "status")
            return view
        learn_terms(view, msg.contract, order)
        view.parent_id = _id(getattr(order, "parentId", 0)) or view.parent_id
        view.answered = True
        if view.pending_modifies:
            match_modify(view, order, now_ns)
        if status:
            apply_status(view, status, now_ns, "")
        settle_quantity(view, now_ns)
        return view

    def on_completed_order(self, msg: Any, now_ns: int) -> OrderView:
        """A completedOrder: `msg` has contract, order and orderState; the order is known by its permId."""
        order = msg.order
        view = self._locate(_client(order), _id(getattr(order, "orderId", 0)), _id(order.permId), now_ns)
        learn_terms(view, msg.contract, order)
        detail = _text(msg.orderState, "completedStatus")
        apply_status(view, _text(msg.orderState, "status"), now_ns, detail, settled=True)
        settle_quantity(view, now_ns)
        return view

    def on_order_status(self, msg: Any, now_ns: int) -> OrderView:
        """An orderStatus; its quantities are hints until executions come, and zeros never undo them."""
        view = self._locate(_client(msg), _id(msg.orderId), _id(msg.permId), now_ns)
        before = view.filled
        filled, remaining = known(msg.filled) or ZERO, known(msg.remaining)
        if filled >= view.reported_filled:
            if filled or remaining:
                view.reported_filled, view.reported_remaining = filled, remaining
            view.reported_avg = float(known(msg.avgFillPrice) or 0) or view.reported_avg
        view.parent_id = _id(getattr(msg, "parentId", 0)) or view.parent_id
        view.mkt_cap_price = float(known(getattr(msg, "mktCapPrice", 0)) or 0) or view.mkt_cap_price
        held = _text(msg, "whyHeld")
        detail = f"held: {held}" if held and held != view.why_held else ""
        view.why_held = held
        apply_status(view, str(msg.status), now_ns, detail, moved=view.filled != before)
        return view

    def on_execution(self, msg: Any, now_ns: int) -> OrderView:
        """An execDetails, live or as the answer to a request: `msg` has contract and execution."""
        execution = msg.execution
        outcome, fill, shares, notional = self.book.on_execution(msg.contract, execution, now_ns)
        view = fill.owner
        if view is None:
            view = self._locate(_client(execution), _id(execution.orderId), _id(execution.permId), now_ns)
            view.contract = view.contract or msg.contract
            fill.owner = view
            view.fills[fill.base] = fill
        else:
            self._learn_perm(view, _id(execution.permId))
        view.corrected = view.corrected or fill.corrected
        if outcome in (Outcome.DUPLICATE, Outcome.STALE):
            view.duplicates += 1
            return view
        if view.counts(fill):
            view.exec_filled = EXACT.add(view.exec_filled, shares)
            view.exec_notional = EXACT.add(view.exec_notional, notional)
            cum = known(getattr(execution, "cumQty", None)) or ZERO
            if cum > view.exec_cum:
                view.exec_cum = cum
                view.reported_avg = float(known(getattr(execution, "avgPrice", None)) or 0) or view.reported_avg
        title = "execution" if outcome is Outcome.NEW else "correction"
        meaning = f"{plain(fill.shares)} @ {plain(fill.price)}"
        trigger = quantity_trigger(view, shares)
        step(view, trigger, now_ns, title, meaning, f"exec {fill.exec_id}", "execution")
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
        view = self._by_key.get((self.client_id, reqId)) if reqId != -1 else None
        if view is None:
            if reqId <= 0 or code not in ORDER_ONLY:
                return None
            view = self._hold(self.client_id, reqId, now_ns)
        effect = self._effects.get(code, order_effect(code))
        view.notes.append((code, text))
        view.advanced_reject = advanced_json or view.advanced_reject
        if effect not in (OrderEffect.WARNING, OrderEffect.CANCELLED):
            view.last_error = (code, text)
        trigger = error_trigger(view, effect, code, text)
        title = f"{'warning' if effect is OrderEffect.WARNING else 'notice' if code == 202 else 'error'} {code}"
        before = view.state
        legality = move(view, trigger)
        meaning = lookup(code).text
        if view.state is not before:
            meaning = f"{meaning}; {STATE_MEANING[view.state]}"
        elif effect not in (OrderEffect.WARNING, OrderEffect.CANCELLED) and view.may_fill:
            meaning = f"{meaning}; the order stays {view.state.label}"
        if effect is OrderEffect.NOTE and view.may_fill:
            view.needs_query = True
        append(view, now_ns, title, meaning, text, "error", legality, code)
        return view

    def on_undecodable(self, order_id: int | None, reason: str, now_ns: int) -> list[OrderView]:
        """An order-bearing message could not be read; without an id it may be about any order."""
        if order_id is None:
            touched = [view for view in self._views if view.state is not State.CREATED]
        else:
            touched = [self._by_key.get((self.client_id, order_id)) or self._hold(self.client_id, order_id, now_ns)]
        for view in touched:
            doubt(view, Trigger.UNDECODABLE, now_ns, f"a message could not be read: {reason}")
            view.needs_query = True  # also when ended: the message may have been a late execution
        return touched

    def on_link_lost(self, reason: str, now_ns: int) -> list[OrderView]:
        """The connection is gone; every order that has not ended becomes uncertain. Returns those."""
        for view in self._views:
            view.link_was_lost = True
        return [view for view in self._views if doubt(view, Trigger.LINK_LOST, now_ns, reason)]

    def on_reconnect(self, now_ns: int, reason: str = "new session") -> list[OrderView]:
        """A new session is up (or 1101/1102 came). Returns the orders that a reconcile must settle."""
        self.epoch += 1
        self.on_link_lost(reason, now_ns)
        return self.uncertain()

    def on_deadline(self, orderId: int, now_ns: int, reason: str = "no answer in time") -> OrderView | None:
        """No answer came in time. Only an order that waits for one becomes uncertain."""
        view = self._by_key.get((self.client_id, orderId))
        if view is not None:
            doubt(view, Trigger.DEADLINE, now_ns, reason)
        return view

    # -- identity --------------------------------------------------------------------------------------------------

    def _new(self, client_id: int, order_id: int, now_ns: int) -> OrderView:
        view = self._view_type(order_id, client_id, now_ns)
        self._views.append(view)
        if order_id:
            self._by_key.setdefault((client_id, order_id), view)
        return view

    def _hold(self, client_id: int, order_id: int, now_ns: int) -> OrderView:
        """A view for an order that this table did not place: other client, manual, or an earlier session."""
        view = self._new(client_id, order_id, now_ns)
        view.state, view.needs_query = State.UNCERTAIN, True
        return view

    def _locate(self, client: int | None, order_id: int, perm_id: int, now_ns: int) -> OrderView:
        client_id = self.client_id if client is None else client
        keyed = self._by_key.get((client_id, order_id)) if order_id else None
        if keyed is None and order_id and client_id == 0 and not perm_id:
            keyed = self._by_key.get((self.client_id, order_id))  # a message with its ids zeroed makes no new order
        permed = self._by_perm.get(perm_id) if perm_id else None
        if permed is not None and keyed is not None and permed is not keyed:
            if keyed.perm_id:
                return permed  # one order id, two orders: the account-wide id decides
            self._merge(keyed, permed, now_ns)
            permed = keyed
        if permed is None and keyed is not None and perm_id and keyed.perm_id and keyed.perm_id != perm_id:
            keyed.needs_query = True
            note(keyed, now_ns, "anomaly", "a second order has the same order id", f"permId {perm_id}", "status")
            keyed = self._view_type(order_id, client_id, now_ns)
            keyed.state, keyed.needs_query = State.UNCERTAIN, True
            self._views.append(keyed)
        view = permed or keyed or self._hold(client_id, order_id, now_ns)
        if order_id:
            if not view.order_id:
                view.order_id, view.client_id = order_id, client_id
            self._by_key.setdefault((client_id, order_id), view)
        self._learn_perm(view, perm_id)
        return view

    def _learn_perm(self, view: OrderView, perm_id: int) -> None:
        if perm_id and not view.perm_id:
            view.perm_id = perm_id
            self._by_perm.setdefault(perm_id, view)

    def _merge(self, view: OrderView, other: OrderView, now_ns: int) -> None:
        """`other` was held under its permId only and turns out to be `view`."""
        for fill in other.fills.values():
            fill.owner = view
        view.fills.update(other.fills)
        view.reported_filled = max(view.reported_filled, other.reported_filled)
        view.reported_avg = view.reported_avg or other.reported_avg
        view.corrected = view.corrected or other.corrected
        view.notes.extend(other.notes)
        view.perm_id = other.perm_id
        self._by_perm[other.perm_id] = view
        for key, held in list(self._by_key.items()):
            if held is other:
                self._by_key[key] = view
        self._views.remove(other)
        view.events.extend(other.events)
        sum_fills(view)
        if other.wire_status:
            apply_status(view, other.wire_status, now_ns, "")
        settle_quantity(view, now_ns)

    def _release_group(self, view: OrderView, now_ns: int) -> None:
        """A transmitted child releases its parent and the siblings that were held back."""
        for other in list(self._views):
            if other is view or other.client_id != self.client_id or other.state is not State.UNTRANSMITTED:
                continue
            if other.order_id == view.parent_id or other.parent_id == view.parent_id:
                step(other, Trigger.PLACE, now_ns, "sent", "", f"released by order {view.order_id}", "local")


def _client(message: Any) -> int | None:
    """The client id of a message, None when it has none."""
    value = getattr(message, "clientId", None)
    return None if value is None or value in (2**31 - 1, 2**63 - 1) else int(value)
