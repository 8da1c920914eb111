"""Placing, modifying, cancelling and following orders.

The order table hears of every order before its bytes leave, so that no answer can come first. Nothing is ever resent.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from decimal import Decimal
from functools import partial
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from ibwire.client.groups import BracketHandle, FamilyHandle, GroupHandle, OcaHandle, check_oca, send_group
from ibwire.client.modifying import Modify, ModifyPending, changed_order, copied
from ibwire.client.order_handle import OrderHandle
from ibwire.client.order_track import OrderTrack
from ibwire.client.told import fixed_terms
from ibwire.errors import ConfigError, IbwireError, OrderError, RiskRejected
from ibwire.io.journal import Act
from ibwire.spec.orderstates import State
from ibwire.trade.risk import BookView, Request, lowers_risk
from ibwire.trade.risk_requests import contract_key
from ibwire.trade.view import OrderView
from ibwire.types import outgoing
from ibwire.types.builders import Bracket, check_order, check_price, check_quantity
from ibwire.types.structs import Contract, Order, OrderCancel
from ibwire.wire.template import Template

if TYPE_CHECKING:
    from ibwire.client.core import Core
    from ibwire.config import Settings

__all__ = ["BracketHandle", "FamilyHandle", "GroupHandle", "OcaHandle", "OrderHandle", "Orders", "PreparedOrder"]

_NOT_OURS: Final = 10147
_NOT_THERE: Final = (State.CREATED, State.UNTRANSMITTED)


class Orders:
    """The orders of one client. Any thread; inline the one that owns the client."""

    def __init__(self, core: Core) -> None:
        self._core = core

    def place(self, contract: Contract, order: Order) -> OrderHandle:
        """Send an order; returns with its handle when the kernel has its last byte.

        Parameters
        ----------
        contract : Contract
            Fully specified: see ``Client.qualify``.
        order : Order
            Copied, so that it can be used again. Its ``orderId`` is set here; one that names an order of this
            client that has not ended modifies it, as :meth:`modify` does.

        Raises
        ------
        ConfigError : the order is not complete, or has an id that was used, or the contract is not qualified.
        OrderError : it names an order that is another client's, or was typed in by hand.
        JournalError : it cannot be written down first (JournalFull); nothing was sent.
        PacingError : too much is being sent; nothing was sent of this.
        RiskRejected : a policy refused it, the kill switch is shut, TWS has no connection to IB, orders are being
            looked up after it had none, or the order table in shared memory is full; nothing was sent.
        UnsupportedByServer : the gateway's version cannot carry a value; nothing was sent.
        SessionLost : the connection is gone or broke while sending. The handle's state says whether bytes left.
        """
        return self._checked(contract, order)

    def prepare(self, contract: Contract, order: Order) -> PreparedOrder:
        """Encode a limit order once, to be placed many times at other prices and quantities.

        Raises
        ------
        ConfigError : no limit price, or one of the fields does not go out at this server version.
        """
        core = self._core
        check_order(contract, order)
        if not core.settings.allow_unqualified:
            _check_qualified(contract)
        contract, order = copy.deepcopy(contract), copy.deepcopy(order)
        order.orderId, order.clientId = 0, core.client_id
        slots = ("orderId", "order.totalQuantity", "order.lmtPrice")
        with core.lock:
            template = Template(core.codec, outgoing.PlaceOrder(1, contract, order), slots)
        ready = _Ready(template, "proto" if template.is_proto else "text", fixed_terms(contract, order))
        return PreparedOrder(self, contract, order, ready)

    def _checked(self, contract: Contract, order: Order, *, closing: bool = False) -> OrderHandle:
        core = self._core
        core.check_usable()
        check_order(contract, order)
        if not core.settings.allow_unqualified:
            _check_qualified(contract)
        contract, order = copied(contract), copied(order)
        known = core.table.get(order.orderId) if order.orderId else None
        self._check_named(order, known)
        self._check_same(known, contract, order)
        self._check_may_add_risk()
        admission = _CLOSING if closing else self._admit(known, contract, order)
        return self._admitted(contract, order, admission)

    def _admitted(
        self, contract: Contract, order: Order, admission: _Admission, ready: _Ready | None = None
    ) -> OrderHandle:
        """Place what the gate let through; contract and order are nobody else's."""
        core = self._core
        try:
            core.take_turn()
            # Held until the bytes are out: placements of several threads leave in the order of their ids.
            with core.lock:
                view = self._place(contract, order, admission, ready)
        except BaseException:
            with core.lock:
                core.write_down()  # twice interrupted
            core.risk.gate.not_sent(admission.view)  # nothing, once it was sent
            raise
        core.changed()
        return view.handle

    def _place(
        self, contract: Contract, order: Order, admission: _Admission, ready: _Ready | None
    ) -> OrderTrack:
        """The lock is held."""
        core = self._core
        if core.unwritten is not None:
            core.write_down()
        self._check_may_add_risk()
        known = core.table.get(order.orderId) if order.orderId else None
        self._check_still(known, admission)
        if known is not None:
            self._check_same(known, contract, order)
            now = known.now if isinstance(known, OrderTrack) else None
            if now is not None and now.is_done:
                problem = f"order {order.orderId} is {now.state.label}"
                raise ConfigError(problem, hint="set orderId to 0 to place anew")
            if isinstance(known, OrderTrack) and now is not None and now.state not in _NOT_THERE:
                self._send_terms(known, contract, order, admission.view)
                return known
        if not order.orderId:
            order.orderId = core.take_order_id()
        elif known is None and not order.whatIf:  # a question uses no id up
            core.use_order_id(order.orderId)
        return self._send(contract, order, is_new=known is None, admitted=admission.view, ready=ready)

    def modify(self, handle: OrderHandle, order: Order | None = None, **changes: Any) -> Modify:
        """Send other terms for an order; returns when the kernel has the last byte.

        One is on its way at a time: the next is refused until this one has an outcome.

        Parameters
        ----------
        handle : OrderHandle
            An order of this client that has not ended.
        order : Order, optional
            All terms; by default those in force.
        **changes
            Fields of the order to change, such as ``lmtPrice=187.5``.

        Returns
        -------
        Modify
            Its ``outcome``: accepted, refused with code and text, too late, or unknown; ``wait`` waits for it.

        Raises
        ------
        ModifyPending : a PacingError; the one before has no outcome yet, or the order is uncertain. Nothing was sent.
        ConfigError : the order has ended or was never sent, or there is no such field.
        OrderError : another client's order, or one typed in by hand.
        PacingError, RiskRejected, UnsupportedByServer, SessionLost : as for :meth:`place`.
        """
        track = self._check_may_modify(handle)
        wanted = changed_order(order if order is not None else self._terms(track), changes)
        return self._modified(track, wanted)

    def _check_may_modify(self, handle: OrderHandle) -> OrderTrack:
        if getattr(handle, "_core", None) is not self._core:
            problem = f"order {handle.order_id} is of another connection"
            raise ConfigError(problem, hint="take it from this client: orders.get(order_id)")
        self._check_owner(handle)
        track, now = handle._track, handle.now
        if now.is_done or now.state is State.CREATED:
            raise ConfigError(f"order {handle.order_id} is {now.state.label}", hint="place a new one")
        self._check_pending(track)
        return track

    def _modified(self, track: OrderTrack, wanted: Order, ready: _Ready | None = None) -> Modify:
        core = self._core
        self._check_may_add_risk()
        contract = track.contract if track.contract is not None else track.broker_contract
        if contract is None:
            raise _no_terms(track)
        check_order(contract, wanted)
        wanted.orderId = track.order_id
        self._check_same(track, contract, wanted)
        admission = self._admit(track, contract, wanted)
        try:
            core.take_turn()
            with core.lock:
                self._check_may_add_risk()
                self._check_still(track, admission)
                now = track.now
                if now.is_done:
                    raise ConfigError(f"order {track.order_id} is {now.state.label} by now; nothing was sent")
                modify = self._send_terms(track, contract, wanted, admission.view, ready)
        except BaseException:
            core.risk.gate.not_sent(admission.view)
            raise
        core.changed()
        return modify

    def place_bracket(self, contract: Contract, bracket: Bracket) -> BracketHandle:
        """Send an entry and its two exits; nothing works at the broker before the last of them is sent.

        Raises
        ------
        As :meth:`place`. What was sent of the group is then cancelled, and the error's notes say so.
        """
        if bracket.parent.transmit or bracket.take_profit.transmit:
            raise ConfigError("a bracket whose first orders transmit", hint="set transmit on the last one only")
        for order in bracket.orders:
            check_order(contract, order)

        def step(order: Order, before: list[OrderHandle]) -> OrderHandle:
            made = copy.copy(order)
            made.parentId = before[0].order_id if before else 0
            return self.place(contract, made)

        return BracketHandle(*send_group(self._core, [partial(step, order) for order in bracket.orders]))

    def place_oca(self, contract: Contract | Sequence[Contract], orders: Sequence[Order]) -> OcaHandle:
        """Send a one-cancels-all group (``ibwire.types.builders.oca``); each order works as soon as it is sent.

        Parameters
        ----------
        contract : Contract or sequence of Contract
            One for all orders, or one for each.
        orders : sequence of Order
            Two or more with one new ``ocaGroup`` and one ``ocaType``. Copied.

        Raises
        ------
        ConfigError : they are no group, its name was used, or as :meth:`place`; looked at before any is sent.
        As :meth:`place`. What was sent of the group is then cancelled, and the error's notes say so.
        """
        contracts = [contract] * len(orders) if isinstance(contract, Contract) else list(contract)
        if len(contracts) != len(orders):
            problem = f"{len(contracts)} contracts for {len(orders)} orders"
            raise ConfigError(problem, hint="give one contract for all, or one for each order")
        core = self._core
        for one, order in zip(contracts, orders, strict=True):
            check_order(one, order)
            if not core.settings.allow_unqualified:
                _check_qualified(one)
        with core.lock:
            used = {view.oca_group for view in core.table}
        name = check_oca(orders, used)

        def step(one: Contract, order: Order, before: list[OrderHandle]) -> OrderHandle:
            return self.place(one, order)

        pairs = zip(contracts, orders, strict=True)
        return OcaHandle(name, tuple(send_group(core, [partial(step, *pair) for pair in pairs])))

    def groups(self) -> list[GroupHandle]:
        """Every group of orders of this client that is known: by ``parentId`` and ``ocaGroup``, however placed."""
        with self._core.lock:
            return self._core.groups.handles()

    def cancel(self, order: OrderHandle | OrderView | int) -> None:
        """Ask for the cancellation of an order of this client, by handle or order id; waits for nothing.

        Its outcome comes as events: until the order has ended it can be filled.

        Raises
        ------
        OrderError : another client's order, or one typed in by hand: only who placed it can cancel it.
        ConfigError : a number that cannot be an order id, or an order at another gateway.
        SessionLost : the connection is gone.
        """
        core = self._core
        if isinstance(order, OrderHandle | OrderView):
            self._check_owner(order)
            order_id = order.order_id
        else:
            order_id = order
            if isinstance(order_id, bool) or not isinstance(order_id, int) or not 0 < abs(order_id) < 1 << 31:
                raise ConfigError(f"{order_id!r} cannot be an order id", hint="give a handle, or its order_id")
        core.check_usable()
        core.take_turn(cancel=True)
        with core.lock:
            core.check_usable()
            payload, _ = core.encode(outgoing.CancelOrder(order_id, OrderCancel()))
            intent, now_ns = core.intend(Act.CANCEL, order_id, payload)
            core.table.on_cancel_request(order_id, now_ns)
            core.send_order(order_id, payload, intent)
        core.changed()

    def cancel_everything(self) -> None:
        """One global cancel: of every open order of the login, ALSO THOSE OF OTHER CLIENTS AND THOSE TYPED IN BY HAND.

        New ones may be placed behind it; ``client.risk.kill(scope="everything")`` shuts that door too.

        Raises
        ------
        SessionLost : the connection is gone.
        """
        core = self._core
        core.check_usable()
        core.take_turn(cancel=True)
        with core.lock:
            core.check_usable()
            payload, _ = core.encode(outgoing.ReqGlobalCancel(OrderCancel()))
            intent, now_ns = core.intend(Act.GLOBAL_CANCEL, 0, payload)
            asked = core.table.cancellable()
            for order_id in asked:
                core.table.on_cancel_request(order_id, now_ns)
            try:
                core.link.send(payload, None)
            except IbwireError as error:
                wrote, now_ns, reason = int(getattr(error, "wrote_bytes", 0)), core.now_ns(), str(error)
                core.journal.send_failed(intent, 0, wrote, reason, core.taken_seq, now_ns)
                for order_id in asked:
                    core.table.on_send_failed(order_id, now_ns, reason, wrote)
                raise
            core.journal.sent(intent, 0, 4 + len(payload), core.taken_seq, core.now_ns())
            core.sent += 1
        core.changed()

    def get(self, order_id: int) -> OrderHandle | None:
        """The order of this client with that id."""
        view = self._core.table.get(order_id)
        return view.handle if isinstance(view, OrderTrack) else None

    def open(self) -> list[OrderHandle]:
        """Every known order that may be filled: maybe live, live or unknown.

        Other clients' and those typed in by hand too, as the last look-up found them: `client_id` says whose they are.
        """
        return [order for order in self.all() if order.may_fill]

    def all(self) -> list[OrderHandle]:
        """Every known order."""
        return [view.handle for view in self._core.table if isinstance(view, OrderTrack)]  # of a copy: no lock

    def refresh(self) -> None:
        """Look everything up; returns at once, what is found comes as events. See ``Client.reconcile``."""
        core = self._core
        with core.lock:
            core.check_usable()
            core.queries.want()
        core.changed()
        core.pump.turn()

    # -- inside --------------------------------------------------------------------------------------------------------

    def _check_named(self, order: Order, known: Any) -> None:
        """An order that came from the gateway says whose it is: sent again, it must not turn into one of ours."""
        core = self._core
        if order.orderId and order.clientId not in (0, core.client_id):
            problem = f"order {order.orderId} belongs to client {order.clientId}"
            raise OrderError(_NOT_OURS, problem, reqId=order.orderId, hint="to place one like it, set orderId to 0")
        named = core.table.by_perm_id(order.permId) if order.permId else None
        if not isinstance(named, OrderTrack) or named is known or order.orderId not in (0, named.order_id):
            return
        if not (named.may_fill or named.now.may_fill):
            return
        problem = f"permId {order.permId} is order {named.order_id} of client {named.client_id}, which may be filled"
        hint = "modify() changes it; to place another like it, set orderId and permId to 0"
        raise OrderError(_NOT_OURS, problem, reqId=named.order_id, hint=hint)

    def _check_owner(self, order: OrderHandle | OrderView) -> None:
        theirs = getattr(order, "_core", None)
        if theirs is not None and theirs is not self._core and not _same_gateway(theirs.settings, self._core.settings):
            problem = f"order {order.order_id} is at another gateway"
            raise ConfigError(problem, hint="use the client that it came from")
        if order.client_id != self._core.client_id or not order.order_id:
            problem = f"order {order.order_id} belongs to client {order.client_id}"
            raise OrderError(_NOT_OURS, problem, reqId=order.order_id)

    def _check_may_add_risk(self) -> None:
        core = self._core
        core.check_usable()
        if core.intake.broker_lost:
            raise RiskRejected(core.intake.broker_lost, policy="connectivity", hint="wait for code 1101 or 1102")
        if core.queries.is_settling:
            problem = "the broker was not connected, and the orders are being looked up"
            raise RiskRejected(problem, policy="connectivity", hint="reconcile() returns when that is done")

    def _admit(self, known: Any, contract: Any, order: Order) -> _Admission:
        """Ask the gate, without any lock: it may take as long as its policies do."""
        risk = self._core.risk
        if order.whatIf:
            return _QUESTION  # no order is made
        before = None
        terms_known = isinstance(known, OrderTrack) and bool(known._sent or known.order or known.broker_order)
        now = known.now if terms_known else None
        # An id that only a cancel or an error named has no terms: what is placed under it is judged as new.
        if now is not None and not now.is_done and now.state is not State.CREATED:
            before = self._terms(known)
            plain = not (known.pending_modifies or now.is_uncertain or now.cancel_requested)
            if plain and lowers_risk(order, before):
                return _Admission(None, False, before)
        view = risk.admit(Request(contract, order, risk.account_of(order), before, order.orderId))
        return _Admission(view, True, before)

    def _check_still(self, known: Any, admission: _Admission) -> None:
        """What was admitted is still what it was judged to be; the lock is held."""
        if admission.risky:
            self._core.risk.check_open(0 if known is None else known.order_id)  # at once: also for what passed the gate
        if known is None:
            return
        now = known.now if isinstance(known, OrderTrack) else None
        if admission.before is None or now is None or now.is_done:
            return
        terms = self._terms(known)
        if terms is not admission.before and terms != admission.before:
            raise ModifyPending(f"order {known.order_id} has other terms by now", hint="nothing was sent: look again")
        if now.cancel_requested and not admission.risky:
            raise ModifyPending(f"the cancel of order {known.order_id} is on its way", hint="nothing was sent")

    def _check_same(self, known: Any, contract: Contract, order: Order) -> None:
        """An order can get other prices and quantities, but is never made another order."""
        now = known.now if isinstance(known, OrderTrack) else None
        if now is None or now.state is State.CREATED or now.is_done:
            if known is not None and known.what_if and not order.whatIf:
                raise ConfigError(f"order {order.orderId} was a what-if question", hint="set orderId to 0")
            return
        if order.whatIf:
            problem = f"a what-if question with the id of order {order.orderId}, which is {now.state.label}"
            raise ConfigError(problem, hint="set orderId to 0: a question has an id of its own")
        terms = known._sent or known.order or known.broker_order
        placed = (known.contract, known.broker_contract)
        keys = [contract_key(one) for one in placed if one is not None]
        if keys and contract_key(contract) not in keys:
            raise ConfigError(f"order {order.orderId} is for another contract", hint="cancel it, and place a new one")
        if terms is not None and order.action != terms.action:
            raise ConfigError(f"order {order.orderId} is to {terms.action}", hint="cancel it, and place a new one")

    def _check_pending(self, track: OrderTrack) -> None:
        now = track.now
        if now.state is State.UNTRANSMITTED:
            return  # held in TWS: it answers to nothing until it is transmitted
        last = track.last_modify
        if last is not None and last.outcome is None:
            problem = f"the modify of order {track.order_id} before this one has no outcome yet"
            raise ModifyPending(problem, hint="wait() for it; nothing was sent")
        if now.is_uncertain:
            problem = f"order {track.order_id} is uncertain; other terms could make a new order of it"
            raise ModifyPending(problem, hint="wait for the look-up; nothing was sent")

    def _terms(self, track: OrderTrack) -> Order:
        """The terms to change: those last sent, unless they are known not to be in force."""
        last = track.last_modify
        if last is not None and not last.is_in_force:
            return last.before
        terms = track._sent or track.order or track.broker_order
        if not isinstance(terms, Order):
            raise _no_terms(track)
        return terms

    def _send_terms(
        self,
        track: OrderTrack,
        contract: Any,
        order: Order,
        admitted: BookView | None = None,
        ready: _Ready | None = None,
    ) -> Modify:
        """Send a modify; the lock is held."""
        self._check_pending(track)
        order.orderId = track.order_id
        modify = Modify(track, self._terms(track), order, self._core.now_ns())
        before, track._modify = track._modify, modify
        try:
            self._send(contract, order, is_new=False, admitted=admitted, ready=ready)
        except BaseException:
            if track.is_uncertain:
                modify.on_due()  # some bytes left
            else:
                track._modify = before
            raise
        if track.state is not State.UNTRANSMITTED:
            self._core.queries.watch(modify)
        return modify

    def _send(
        self,
        contract: Any,
        order: Order,
        *,
        is_new: bool,
        admitted: BookView | None = None,
        ready: _Ready | None = None,
    ) -> OrderTrack:
        """Encode, write the intent, tell the rows, send, tell the table; the lock is held.

        What must be known before an answer can come is done before the bytes leave: the intent, and the row, which the
        receiving thread steps. The history is written after: whoever wants it waits for this lock.
        """
        core = self._core
        order.clientId = core.client_id
        if ready is None:
            payload, dialect = core.encode(outgoing.PlaceOrder(order.orderId, contract, order))
            fixed = None
        else:
            payload = ready.template.fill(order.orderId, order.totalQuantity, order.lmtPrice)
            dialect, fixed = ready.dialect, ready.fixed
        order_id = order.orderId
        core.claim_row(order_id, is_new=is_new)
        intent, now_ns = core.intend(Act.PLACE if is_new else Act.MODIFY, order_id, payload)
        work = _Sending(core, contract, order, now_ns, 4 + len(payload), dialect, admitted, bool(intent))
        core.table.begin_place(order_id, contract, order, now_ns, bool(intent), fixed)
        try:
            core.send_order(order_id, payload, intent, work)
        except BaseException:
            if work.view is not None:
                if not work.view.is_uncertain:
                    work.view._sent = work.before
                core.risk.order_changed(work.view)
            raise
        view = work.view or core.table.get(order_id)
        if not isinstance(view, OrderTrack):  # the notices say why
            problem = f"order {order_id} was sent, but nothing can be told of it"
            raise IbwireError(problem, hint="do not send it again: connect anew")
        return view


class _Sending:
    """One placement or modify on its way out, and what is written of it once its bytes may be out."""

    __slots__ = (
        *("_admitted", "_contract", "_core", "_dialect", "_is_journaled", "_nbytes", "_now_ns", "_order", "before"),
        *("is_begun", "order_id", "sent_ns", "view"),
    )

    def __init__(
        self, core: Core, contract: Any, order: Order, now_ns: int, nbytes: int, dialect: str,
        admitted: BookView | None, is_journaled: bool,
    ) -> None:  # fmt: skip
        self._core, self._contract, self._order, self._now_ns = core, contract, order, now_ns
        self._nbytes, self._dialect, self._admitted, self._is_journaled = nbytes, dialect, admitted, is_journaled
        self.order_id, self.sent_ns, self.is_begun = order.orderId, 0, False
        self.view: OrderTrack | None = None
        self.before: Order | None = None

    def write(self) -> None:
        """The lock is held."""
        core, order = self._core, self._order
        core.risk.gate.sent(self._admitted, self.order_id)  # first: the table tells the gate's book of its own order
        args = (self.order_id, self._contract, order, self._now_ns)
        if self._is_journaled and self.sent_ns:
            view = core.table.on_placed(*args, self.sent_ns, self._nbytes, self._dialect)
        else:
            view = core.table.on_place(*args, self._nbytes, self._dialect, self._is_journaled)
        assert isinstance(view, OrderTrack)
        self.view, self.before, view._sent = view, view._sent, order


class _Admission(NamedTuple):
    """What the gate said of a request."""

    view: BookView | None
    risky: bool
    before: Order | None  # the terms in force that it was compared with


class _Ready(NamedTuple):
    """What is ready of an order before it is placed."""

    template: Template
    dialect: str
    fixed: dict[str, Any]


_QUESTION: Final = _Admission(None, False, None)
_CLOSING: Final = _QUESTION


class PreparedOrder:
    """An order that is encoded but for its price and quantity. Any thread. Made by :meth:`Orders.prepare`."""

    __slots__ = ("_contract", "_order", "_orders", "_ready", "_spare")

    def __init__(self, orders: Orders, contract: Contract, order: Order, ready: _Ready) -> None:
        self._orders, self._contract, self._order, self._ready = orders, contract, order, ready
        self._spare = [self._copies()]

    def place(self, price: float, quantity: Decimal | int | None = None) -> OrderHandle:
        """Send a new order; checks, gate, pacing and journal as for :meth:`Orders.place`, which says what it raises.

        Parameters
        ----------
        price : float
            The limit, not 0. quantity : by default that of the order it was made from.
        """
        orders = self._orders
        orders._check_may_add_risk()
        contract, order = self._made(price, quantity)
        admission = orders._admit(None, contract, order)
        handle = orders._admitted(contract, order, admission, self._ready)
        if not self._spare:
            self._spare.append(self._copies())  # the next one's, now that the bytes are out
        return handle

    def modify(self, handle: OrderHandle, price: float, quantity: Decimal | int | None = None) -> Modify:
        """Give an order these terms: for one that was made from this, or is for the same contract and side.

        Everything else as for :meth:`Orders.modify`, which says what it raises.
        """
        orders = self._orders
        track = orders._check_may_modify(handle)
        contract, made = self._made(price, quantity)
        made.orderId = handle.order_id
        orders._check_same(track, contract, made)
        return orders._modified(track, made, self._ready)

    def _copies(self) -> tuple[Contract, Order]:
        return copied(self._contract), copied(self._order)

    def _made(self, price: float, quantity: Decimal | int | None) -> tuple[Contract, Order]:
        """Contract and order of their own, with these terms."""
        try:
            contract, order = self._spare.pop()
        except IndexError:
            contract, order = self._copies()
        try:
            order.lmtPrice = float(price)
            if quantity is not None:
                order.totalQuantity = Decimal(quantity)
        except (TypeError, ValueError, ArithmeticError) as error:
            problem = f"a price of {price!r}, a quantity of {quantity!r}"
            raise ConfigError(problem, hint="give a float, and a whole number or a Decimal") from error
        check_price(contract, "lmtPrice", order.lmtPrice)
        if quantity is not None:
            check_quantity(contract, order)
        return contract, order


def _same_gateway(one: Settings, other: Settings) -> bool:
    # An embedded gateway ends with its client: nobody else's order is there.
    return one.target != "sim" and (one.target, one.address) == (other.target, other.address)


def _no_terms(order: OrderTrack) -> ConfigError:
    """An order that was only heard of: by its status, an execution, an error, or a cancel of ours."""
    problem = f"the terms of order {order.order_id} are not known here"
    return ConfigError(problem, hint="client.reconcile() asks for them; a cancel needs none")


def _check_qualified(contract: Contract) -> None:
    if contract.conId or (contract.comboLegs and all(leg.conId for leg in contract.comboLegs)):
        return
    name = contract.localSymbol or contract.symbol or "a contract without symbol"
    raise ConfigError(f"{name} is not qualified: it has no conId", hint="place client.qualify(contract)")
