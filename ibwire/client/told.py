"""Order tables that tell the compiled machine what is sent, and one that holds both machines equal.

The compiled machine sees what comes in by itself, in the receiving thread. What we send, ask and conclude about the
link it is told here, under the lock of the one send path and before the bytes leave.
"""

from __future__ import annotations

import functools
import inspect
import math
from collections.abc import Callable, Collection
from decimal import Decimal
from typing import TYPE_CHECKING, Any, ClassVar, Final, Protocol

from ibwire.errors import IbwireError
from ibwire.ring.tables import OrderRows, private_orders
from ibwire.spec.records import INT_UNSET
from ibwire.trade.executions import known
from ibwire.trade.identity import id_of
from ibwire.trade.orders import OrderTable
from ibwire.trade.view import OrderView

if TYPE_CHECKING:
    from ibwire._tracker import OrderValues

__all__ = [
    "ToldTable",
    "TwinTable",
    "counted",
    "differences",
    "exact",
    "fixed_terms",
    "remaining_of",
    "row_name",
    "tell_open",
    "tell_place",
    "told",
    "twin",
]


_PLAIN: Final = 1e9


class _Entry(Protocol):
    @property
    def header(self) -> bytes: ...
    @property
    def payload(self) -> bytes: ...


def fixed_terms(contract: Any, order: Any) -> dict[str, Any]:
    """What the compiled machine is told of a placement beside its quantity and its limit."""
    return {
        "aux": _price(getattr(order, "auxPrice", None)),
        "transmit": getattr(order, "transmit", True) is not False,
        "what_if": bool(getattr(order, "whatIf", False)),
        "parentId": id_of(getattr(order, "parentId", 0)),
        "sec_type": str(getattr(contract, "secType", "") or ""),
        "account": str(getattr(order, "account", "") or ""),
        "divided": bool(getattr(order, "faGroup", "")),
    }


def tell_place(
    rows: OrderRows,
    orderId: int,
    contract: Any,
    order: Any,
    now_ns: int,
    journaled: bool = False,
    fixed: dict[str, Any] | None = None,
) -> None:
    """Tell the compiled machine of a placement or a modify; `fixed`: its :func:`fixed_terms`, where they are ready."""
    total = known(getattr(order, "totalQuantity", None))
    rows.place(
        orderId,
        now_ns,
        quantity=math.nan if total is None else float(total),
        quantity_digits=-1 if total is None else max(0, -int(total.as_tuple().exponent)),
        limit=_price(getattr(order, "lmtPrice", None)),
        journaled=journaled,
        **(fixed_terms(contract, order) if fixed is None else fixed),
    )


def _price(value: Any) -> float:
    """A price as the row has it: NaN where it is not set."""
    if value.__class__ is float and -_PLAIN < value < _PLAIN:  # no spelling of "not set" is among these
        return float(value)
    number = known(value)
    return math.nan if number is None else float(number)


def row_name(table: OrderTable, view: OrderView) -> tuple[int, int] | None:
    """Under which name the compiled table has an order's row; None: under none."""
    if view.order_id and table.get(view.order_id, view.client_id) is view:
        return view.client_id, view.order_id
    return (INT_UNSET, view.perm_id) if view.perm_id else None


class ToldTable(OrderTable):
    """The plain order table; what it is told beside messages goes to the compiled one too."""

    told_rows: ClassVar[tuple[OrderRows, ...]]

    @staticmethod
    def sees() -> int:
        """The message that this table had last, by its number."""
        return 0

    is_silent = False  # while an earlier life is read back

    def _told(self) -> tuple[OrderRows, ...]:
        return () if self.is_silent else self.told_rows

    _begun = False  # the rows were told of the placement that comes next

    def begin_place(
        self,
        orderId: int,
        contract: Any,
        order: Any,
        now_ns: int,
        journaled: bool = False,
        fixed: dict[str, Any] | None = None,
    ) -> None:
        for rows in self._told():
            tell_place(rows, orderId, contract, order, now_ns, journaled, fixed)
        self._begun = True

    def _begin(self, orderId: int, contract: Any, order: Any, now_ns: int, journaled: bool) -> None:
        if not self._begun:
            self.begin_place(orderId, contract, order, now_ns, journaled)
        self._begun = False

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
        self._begin(orderId, contract, order, now_ns, journaled)
        return super().on_place(orderId, contract, order, now_ns, nbytes, dialect, journaled)

    def on_sent(self, orderId: int, now_ns: int, nbytes: int = 0, dialect: str = "") -> OrderView | None:
        view = super().on_sent(orderId, now_ns, nbytes, dialect)
        if view is not None:
            self._tell_sent(view, now_ns)
        return view

    def on_placed(
        self, orderId: int, contract: Any, order: Any, now_ns: int, sent_ns: int, nbytes: int = 0, dialect: str = ""
    ) -> OrderView:
        self._begin(orderId, contract, order, now_ns, True)
        view = super().on_placed(orderId, contract, order, now_ns, sent_ns, nbytes, dialect)
        self._tell_sent(view, sent_ns)
        return view

    def _tell_sent(self, view: OrderView, now_ns: int) -> None:
        if view.last_act == "place":
            transmit = getattr(view.placed_order, "transmit", True) is not False
            for rows in self._told():
                rows.sent(view.order_id, now_ns, transmit)

    def on_cancel_request(self, orderId: int, now_ns: int) -> OrderView:
        for rows in self._told():
            rows.cancel(orderId, now_ns)
        return super().on_cancel_request(orderId, now_ns)

    def on_send_failed(self, orderId: int, now_ns: int, reason: str, wrote_bytes: int = 0) -> OrderView | None:
        for rows in self._told():
            rows.send_failed(orderId, now_ns, wrote_bytes)
        return super().on_send_failed(orderId, now_ns, reason, wrote_bytes)

    def on_link_lost(self, reason: str, now_ns: int) -> list[OrderView]:
        for rows in self._told():
            rows.link_lost(now_ns)
        return super().on_link_lost(reason, now_ns)

    def begin_snapshot(self, everyone: bool = False) -> None:
        for rows in self._told():
            rows.begin_snapshot(0, everyone)
        super().begin_snapshot(everyone)

    def end_snapshot(self, now_ns: int, complete: bool = True) -> list[OrderView]:
        for rows in self._told() if not complete else ():  # a complete answer has its end marker in the ring
            rows.end_snapshot(now_ns, False)
        return super().end_snapshot(now_ns, complete)

    def on_executions_listed(self, unnamed: Collection[OrderView]) -> None:
        names = [name for view in unnamed if (name := row_name(self, view)) is not None]
        for rows in self._told():
            rows.executions_listed(0, names)
        super().on_executions_listed(unnamed)

    def on_looked_up(self, now_ns: int) -> list[OrderView]:
        for rows in self._told():
            rows.looked_up(now_ns, self.sees())
        return super().on_looked_up(now_ns)

    def check_deadlines(self, now_ns: int) -> list[OrderView]:
        for rows in self._told():
            rows.check_deadlines(now_ns)
        return super().check_deadlines(now_ns)

    def on_dispute(self, views: list[OrderView], now_ns: int) -> list[OrderView]:
        for view in views:
            order_id = view.order_id if view.client_id == self.client_id and view.order_id else None
            for rows in self._told():
                rows.unreadable(now_ns, order_id)
        return super().on_dispute(views, now_ns)


def told(rows: OrderRows, sees: Callable[[], int]) -> type[ToldTable]:
    """The table class of one connection, whose compiled rows are `rows`."""
    return type("OrderTable", (ToldTable,), {"told_rows": (rows,), "sees": staticmethod(sees), "__module__": __name__})


_CHANGES: Final = ("begin_snapshot", "end_snapshot", "check_deadlines")


def counted(table_type: type[OrderTable]) -> type[OrderTable]:
    """A table class that says when it is between two changes, to those who read its orders without a lock.

    ``changing`` is not 0 during a change; ``changes`` is another number after it.
    """
    members: dict[str, Any] = {"changing": 0, "changes": 0, "__module__": __name__, "__doc__": table_type.__doc__}
    for name, method in inspect.getmembers(table_type, inspect.isfunction):
        if name.startswith("on_") or name in _CHANGES:
            members[name] = _counted(method)
    return type(table_type.__name__, (table_type,), members)


def _counted(method: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(method)
    def call(self: Any, *args: Any, **values: Any) -> Any:
        self.changing += 1  # under the client's lock
        try:
            return method(self, *args, **values)
        finally:
            self.changes += 1
            self.changing -= 1

    return call


def tell_open(table: OrderTable, rows: OrderRows, now_ns: int) -> None:
    """Tell of the orders that an earlier life left open: placed, and uncertain."""
    for view in table.open():
        if view.client_id == table.client_id and view.order_id and view.order is not None:
            tell_place(rows, view.order_id, view.contract, view.order, now_ns)
    rows.link_lost(now_ns)


# ------------------------------------------------------------------------------------------------- both held equal


class TwinTable(ToldTable):
    """The plain order table with a compiled machine of its own, which is told the same in the same order.

    For tests and for looking for errors: :meth:`check` after each message.
    """

    machine: ClassVar[Any]
    rows: ClassVar[OrderRows]  # its own; the last of those that are told
    entry: _Entry | None = None

    def take(self, entry: _Entry) -> None:
        """The entry whose message comes next."""
        self.entry = entry

    def check(self) -> None:
        """Raise IbwireError when the two machines say different things about an order."""
        self.machine.settle_rows()
        found = differences(self, self.rows)
        if found:
            raise IbwireError(f"the plain and the compiled order table differ: {'; '.join(found)}")

    def _same(self) -> None:
        if self.entry is not None:
            self.machine.settle_rows()  # what was told before
            self.machine.take(self.entry.header, self.entry.payload)

    def on_open_order(self, msg: Any, now_ns: int) -> OrderView:
        self._same()
        return super().on_open_order(msg, now_ns)

    def on_completed_order(self, msg: Any, now_ns: int) -> OrderView:
        self._same()
        return super().on_completed_order(msg, now_ns)

    def on_order_bound(self, msg: Any, now_ns: int) -> OrderView:
        self._same()
        return super().on_order_bound(msg, now_ns)

    def on_order_status(self, msg: Any, now_ns: int) -> OrderView:
        self._same()
        return super().on_order_status(msg, now_ns)

    def on_execution(self, msg: Any, now_ns: int) -> OrderView:
        self._same()
        return super().on_execution(msg, now_ns)

    def on_commission(self, msg: Any, now_ns: int) -> OrderView | None:
        self._same()
        return super().on_commission(msg, now_ns)

    def on_error(self, reqId: int, code: int, text: str, now_ns: int, advanced_json: str = "") -> OrderView | None:
        self._same()
        return super().on_error(reqId, code, text, now_ns, advanced_json)

    def on_undecodable(self, order_id: int | None, reason: str, now_ns: int) -> list[OrderView]:
        self.rows.unreadable(now_ns, order_id)
        return super().on_undecodable(order_id, reason, now_ns)

    def on_restored(self, reason: str, now_ns: int) -> list[OrderView]:
        self.rows.restored(now_ns)
        return super().on_restored(reason, now_ns)

    def end_snapshot(self, now_ns: int, complete: bool = True) -> list[OrderView]:
        if complete:
            self.rows.end_snapshot(now_ns, True)
        return super().end_snapshot(now_ns, complete)


def twin(client_id: int, live: OrderRows | None = None, sees: Callable[[], int] = lambda: 0) -> type[TwinTable]:
    """A table class with a compiled machine of its own; `live`, of the connection, is told too."""
    rows, machine = private_orders(client_id)
    members: dict[str, Any] = {"rows": rows, "machine": machine, "sees": staticmethod(sees), "__module__": __name__}
    members["told_rows"] = (rows,) if live is None else (live, rows)
    return type("OrderTable", (TwinTable,), members)


@functools.lru_cache(4096)
def exact(value: float, digits: int) -> Decimal:
    """The decimal that a double and its digits after the point stand for."""
    return Decimal(f"{value:.{max(digits, 0)}f}")


def remaining_of(row: OrderValues) -> Decimal | None:
    """The quantity that is not executed; None when the total is not known."""
    return None if math.isnan(row.total_remaining) else exact(row.total_remaining, row.total_remaining_digits)


def differences(table: OrderTable, rows: OrderRows) -> list[str]:
    """What the compiled rows say otherwise than the plain views, in words; empty when they agree."""
    found = []
    for view in table:
        name = row_name(table, view)
        if name is None:
            continue
        row = rows.read(*name)
        if row is None:
            found.append(f"{view} has no row")
        else:
            found += [f"{view}: {what}" for what in _of_row(view, row)]
    return found


def _of_row(view: OrderView, row: OrderValues) -> list[str]:
    fees = view.commission
    pairs: dict[str, tuple[object, object]] = {
        "state": (row.state, int(view.state)),
        "flags": (row.memory, view.flags),
        "certain": (row.certain, int(view.certain)),
        "risk": (row.risk, int(view.risk)),
        "due_ns": (row.due_ns, view.due_ns),
        "permId": (row.permId, view.perm_id),
        "parentId": (row.parentId, view.parent_id),
        "pending_modifies": (row.pending_modifies, len(view.pending_modifies)),
        "filled": (exact(row.total_filled, row.total_filled_digits), view.filled),
        "confirmed_filled": (exact(row.confirmed_filled, row.confirmed_filled_digits), view.confirmed_filled),
        "refusal": (row.refusal_code, view.refusal[0] if view.refusal else 0),
        "problem": (row.problem_code, view.last_error[0] if view.last_error else 0),
        "remaining": (remaining_of(row), view.remaining),
        "wire_status": (row.status, view.wire_status),
    }
    average = math.nan if view.avg_fill_price is None else view.avg_fill_price
    both_unset = math.isnan(row.average) and math.isnan(average)
    if not both_unset and not math.isclose(row.average, average, rel_tol=1e-12):  # the last digit of a quotient may
        pairs["average"] = (row.average, average)
    if len(fees) < 2:
        seen = {} if math.isnan(row.fees) else {row.currency: exact(row.fees, row.fees_digits)}
        pairs["fees"] = (seen, fees)
    return [f"{what} is {theirs!r} and should be {ours!r}" for what, (theirs, ours) in pairs.items() if theirs != ours]
