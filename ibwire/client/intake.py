"""What comes in, sorted: answers to their requests, order events to the order table. Pure; the caller holds the lock.

Entries come from the order ring and the control ring, with the raw payload, which is decoded here. Every ``error``
message is in the order ring: its id is a request's, an order's, or -1.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from ibwire.errors import IbwireError, MarketDataError, ProtocolError, RequestError
from ibwire.spec import errorcodes
from ibwire.spec.records import BY_NAME
from ibwire.spec.registry import INCOMING
from ibwire.trade.orders import OrderTable
from ibwire.types import incoming
from ibwire.wire.codec import Codec, UnknownMessage

__all__ = ["ORDER_KINDS", "Entry", "Intake", "Pending"]

_KEEP_NOTICES: Final = 1000
_READ_ONLY: Final = 321
ORDER_KINDS: Final = frozenset(
    row.id for row in INCOMING.values() if row.record and BY_NAME[row.record].ring == "order"
)


class Entry(Protocol):
    """One message of a lossless ring."""

    @property
    def recv_ns(self) -> int: ...
    @property
    def kind(self) -> int: ...
    @property
    def payload(self) -> bytes: ...


@dataclass(slots=True)
class Pending:
    """A request that waits: what came for it, whether it is over, and how.

    Attributes
    ----------
    items : list
        Messages kept, in order. done : the end marker came. error : it failed. notices : (code, text) that ended
        nothing. on_end : called with the time of the end marker, before anything that comes after it is looked at.
    """

    keep: tuple[type[Any], ...]
    end: type[Any] | None
    is_market: bool = False
    items: list[Any] = field(default_factory=list)
    done: bool = False
    error: IbwireError | None = None
    notices: list[tuple[int, str]] = field(default_factory=list)
    on_end: Callable[[int], object] | None = None


class Intake:
    """Sorts decoded messages.

    Attributes
    ----------
    accounts : list of str
        From managedAccounts.
    next_order_id : int or None
        From nextValidId; the next id that may be used for an order.
    broker_lost : str
        Why TWS itself has no connection to IB (codes 1100, 2110); empty while it has one.
    wants_refresh : bool
        The connection came back (1101, 1102): orders should be asked for.
    in_doubt : bool
        A message could not be read that may have been about any order.
    notices : list
        The latest (code, text) that belonged to no request and no order.
    last_message : str
        IB's name of the message that came last.
    bad : int
        Messages that could not be decoded.
    """

    def __init__(self, codec: Codec, table: OrderTable) -> None:
        self.table = table
        self.accounts: list[str] = []
        self.next_order_id: int | None = None
        self.broker_lost = ""
        self.wants_refresh = self.in_doubt = False
        self.notices: list[tuple[int, str]] = []
        self.last_message = ""
        self.bad = 0
        self._codec = codec
        self.on_message: Callable[[Any, int], object] | None = None  # what nothing here handles
        self.on_report: Callable[[Any], object] | None = None  # the order that the gateway has reported, each time
        self._by_id: dict[int, Pending] = {}
        self._shared: list[Pending] = []

    # -- requests --------------------------------------------------------------------------------------------------

    def expect(self, reqId: int | None, pending: Pending) -> Pending:
        """Collect for a request; None for one whose answers carry no id."""
        if reqId is None:
            self._shared.append(pending)
        else:
            self._by_id[reqId] = pending
        return pending

    def forget(self, reqId: int | None, pending: Pending) -> None:
        """The request is no longer of interest."""
        if reqId is not None:
            self._by_id.pop(reqId, None)
        elif pending in self._shared:
            self._shared.remove(pending)

    def fail_all(self, error: IbwireError) -> None:
        """The session is over: nothing that waits will be answered."""
        for pending in [*self._by_id.values(), *self._shared]:
            if not pending.done and pending.error is None:
                pending.error = error

    # -- entries ---------------------------------------------------------------------------------------------------

    def take(self, entry: Entry) -> None:
        """Sort one entry of the order ring or the control ring."""
        try:
            message = self._codec.decode(entry.payload)
        except ProtocolError as error:
            self.bad += 1
            if entry.kind in ORDER_KINDS:
                self.in_doubt = bool(self.table.on_undecodable(None, str(error), entry.recv_ns)) or self.in_doubt
            return
        if isinstance(message, UnknownMessage):
            return
        self.last_message = message.NAME
        handler = getattr(self, f"_on_{type(message).__name__}", None)
        if handler is not None:
            handler(message, entry.recv_ns)
        elif self.on_message is not None:
            self.on_message(message, entry.recv_ns)
        self._collect(message, entry.recv_ns)

    def _collect(self, message: Any, now_ns: int) -> None:
        kind = type(message)
        if kind is incoming.Error:
            return
        reqId = getattr(message, "reqId", None)
        pending = self._by_id.get(reqId) if reqId is not None else None
        waiting = [pending] if pending is not None else self._shared if reqId is None else []
        for one in waiting:
            if one.done or one.error is not None:
                continue
            if kind in one.keep:
                one.items.append(message)
            elif kind is one.end:
                one.done = True
                if one.on_end is not None:
                    one.on_end(now_ns)

    # -- messages --------------------------------------------------------------------------------------------------

    def _on_NextValidId(self, message: incoming.NextValidId, now_ns: int) -> None:
        # A later, lower one must not make ids that were already used come again.
        self.next_order_id = max(self.next_order_id or 0, message.orderId)

    def _on_ManagedAccounts(self, message: incoming.ManagedAccounts, now_ns: int) -> None:
        self.accounts = [name for name in message.accountsList.split(",") if name.strip()]

    def _on_OrderStatus(self, message: incoming.OrderStatus, now_ns: int) -> None:
        view = self.table.on_order_status(message, now_ns)
        if self.on_report is not None:
            self.on_report(view)

    def _on_OpenOrder(self, message: incoming.OpenOrder, now_ns: int) -> None:
        view = self.table.on_open_order(message, now_ns)
        modify = getattr(view, "last_modify", None)  # of a handle
        if modify is not None and not message.order.whatIf:
            modify.on_terms(message.order)
        if self.on_report is not None:
            self.on_report(view)

    def _on_CompletedOrder(self, message: incoming.CompletedOrder, now_ns: int) -> None:
        self.table.on_completed_order(message, now_ns)

    def _on_ExecDetails(self, message: incoming.ExecDetails, now_ns: int) -> None:
        self.table.on_execution(message, now_ns)

    def _on_OrderBound(self, message: incoming.OrderBound, now_ns: int) -> None:
        self.table.on_order_bound(message, now_ns)

    def _on_CommissionAndFeesReport(self, message: incoming.CommissionAndFeesReport, now_ns: int) -> None:
        self.table.on_commission(message.commissionAndFeesReport, now_ns)

    def _on_Error(self, message: incoming.Error, now_ns: int) -> None:
        code, text = message.errorCode, message.errorMsg
        pending = self._by_id.get(message.id)
        if pending is not None:
            if errorcodes.is_notice(code):
                pending.notices.append((code, text))
            elif not pending.done and pending.error is None:
                error = MarketDataError if pending.is_market else RequestError
                pending.error = error(code, text, reqId=message.id, hint=errorcodes.lookup(code).text)
            return
        if self.table.on_error(message.id, code, text, now_ns, message.advancedOrderRejectJson) is not None:
            return
        self.notice(code, text)
        if code == _READ_ONLY and message.id == -1:
            self._refuse_order_lists(code, text)
        if message.id == -1:
            self._connectivity(code, text, now_ns)

    def _refuse_order_lists(self, code: int, text: str) -> None:
        # A session that may not see orders says so without the request's id, and sends no end marker.
        for one in self._shared:
            if one.end in (incoming.OpenOrderEnd, incoming.CompletedOrdersEnd) and not one.done:
                one.error = RequestError(code, text)

    def notice(self, code: int, text: str) -> None:
        """Keep what belongs to no request and no order."""
        self.notices.append((code, text))
        del self.notices[:-_KEEP_NOTICES]

    def _connectivity(self, code: int, text: str, now_ns: int) -> None:
        if code in errorcodes.CONNECTION_LOST:
            self.broker_lost = f"code {code}: {text}"
        elif code in errorcodes.CONNECTION_RESTORED:
            self.broker_lost = ""
            self.wants_refresh = True
            self.table.on_restored(f"code {code}: {text}", now_ns)
