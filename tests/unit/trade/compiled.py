"""The compiled order machine as an implementation for ``arrival``, and messages as entries of the order ring."""

from __future__ import annotations

import math
import struct
from decimal import Decimal
from typing import Any, ClassVar, Final

from ibwire import _tracker
from ibwire.client.told import exact, tell_place
from ibwire.ring.tables import private_orders
from ibwire.spec import records
from ibwire.spec.orderstates import State
from ibwire.spec.records import BY_NAME, ORDER_HEADER_BYTES
from ibwire.spec.registry import by_name
from ibwire.trade.executions import known
from tests.unit.trade.arrival import Facts, Step
from tests.unit.trade.messages import CLIENT, stock

_AT: Final = BY_NAME["ORDER_STATUS"].offsets()
_KINDS: Final = {
    "openOrder": by_name("openOrder").id,
    "completedOrder": by_name("completedOrder").id,
    "orderStatus": by_name("orderStatus").id,
    "execDetails": by_name("execDetails").id,
    "commission": by_name("commissionAndFeesReport").id,
    "orderBound": by_name("orderBound").id,
    "error": by_name("error").id,
}
_SEC_TYPE, _GROUP = "secType", "group"
_FLOATS: Final = ("quantity", "filled", "remaining", "price", "avg_price", "last_price")
_IDS: Final = ("orderId", "permId", "clientId", "parentId")


def _digits(number: Decimal | None) -> int:
    return -1 if number is None else max(0, -int(number.as_tuple().exponent))


class EntryMaker:
    """Puts values where the decoder would."""

    def __init__(self, kind: int) -> None:
        self.head = bytearray(ORDER_HEADER_BYTES)
        self.body = b""
        self.head[_AT["kind"]] = kind
        for name in _FLOATS:
            struct.pack_into("<d", self.head, _AT[name], math.nan)
        for name in _IDS:
            struct.pack_into("<q", self.head, _AT[name], records.INT_UNSET)
        for name in ("quantity_digits", "filled_digits", "remaining_digits"):
            self.head[_AT[name]] = 0xFF

    def ids(self, **values: Any) -> None:
        for name, value in values.items():
            if value is not None:
                struct.pack_into("<q", self.head, _AT[name], int(value))

    def decimal(self, name: str, value: object) -> None:
        number = known(value)
        if number is None:
            return
        struct.pack_into("<d", self.head, _AT[name], float(number))
        if len(number.as_tuple().digits) <= records.EXACT_DIGITS:
            struct.pack_into("<b", self.head, _AT[f"{name}_digits"], _digits(number))

    def double(self, name: str, value: Any) -> None:
        if value is not None:
            struct.pack_into("<d", self.head, _AT[name], float(value))

    def texts(self, **values: Any) -> None:
        for name, value in values.items():
            raw = str(value or "").encode()
            struct.pack_into("<II", self.head, _AT[name], len(self.body), len(raw))
            self.body += raw

    def done(self, now_ns: int) -> tuple[bytes, bytes]:
        struct.pack_into("<Qq", self.head, 0, 1, now_ns)
        struct.pack_into("<I", self.head, _AT["payload_bytes"], len(self.body))
        return bytes(self.head), self.body


def _order(made: EntryMaker, msg: Any) -> None:
    order = msg.order
    made.ids(
        orderId=getattr(msg, "orderId", None) or getattr(order, "orderId", None),
        permId=order.permId,
        clientId=getattr(order, "clientId", None),
        parentId=getattr(order, "parentId", 0),
    )
    made.decimal("quantity", order.totalQuantity)
    made.double("price", order.lmtPrice)
    made.double("avg_price", order.auxPrice)
    made.head[_AT["whatIf"]] = bool(getattr(order, "whatIf", False))
    struct.pack_into("<i", made.head, _AT["conId"], getattr(msg.contract, "conId", 0))
    made.texts(
        status=msg.orderState.status, secType=getattr(msg.contract, "secType", ""), text=order.orderType,
        group=getattr(order, "faGroup", ""), account=getattr(order, "account", ""), side=getattr(order, "action", ""),
        orderRef=getattr(order, "orderRef", ""), symbol=getattr(msg.contract, "symbol", ""),
    )  # fmt: skip


def entry(verb: str, what: Any, order_id: int = 0, text: str = "", now_ns: int = 0) -> tuple[bytes, bytes]:
    """Header and payload of a message, as the decoder makes them."""
    made = EntryMaker(_KINDS[verb])
    if verb in ("openOrder", "completedOrder"):
        _order(made, what)
        if verb == "completedOrder":
            made.decimal("filled", getattr(what.order, "filledQuantity", None))
    elif verb == "orderStatus":
        made.ids(
            orderId=what.orderId, permId=what.permId, clientId=what.clientId, parentId=getattr(what, "parentId", 0)
        )
        made.decimal("filled", what.filled)
        made.decimal("remaining", what.remaining)
        made.double("avg_price", what.avgFillPrice)
        made.texts(status=what.status, text=getattr(what, "whyHeld", ""))
    elif verb == "execDetails":
        one = what.execution
        made.ids(orderId=one.orderId, permId=one.permId, clientId=getattr(one, "clientId", None))
        made.decimal("quantity", one.shares)
        made.decimal("filled", getattr(one, "cumQty", None))
        made.double("price", one.price)
        made.double("avg_price", getattr(one, "avgPrice", None))
        made.texts(
            execId=one.execId, account=getattr(one, "acctNumber", ""), secType=getattr(what.contract, "secType", "")
        )
    elif verb == "commission":
        amount = getattr(what, "commissionAndFees", getattr(what, "commission", None))
        made.double("price", known(amount))
        made.texts(execId=what.execId, text=what.currency)
    elif verb == "orderBound":
        made.ids(orderId=what.orderId, permId=what.permId, clientId=what.clientId)
    else:
        made.ids(orderId=order_id)
        struct.pack_into("<i", made.head, _AT["code"], what)
        made.texts(text=text)
    return made.done(now_ns)


class Compiled:
    """An order machine without a ring: entries are handed to it one by one."""

    made: ClassVar[dict[int, tuple[Any, tuple[bytes, bytes]]]] = {}

    def __init__(self, client_id: int = CLIENT) -> None:
        self.client_id = client_id
        self.table, self.tracker = private_orders(client_id)

    def apply(self, step: Step, now_ns: int) -> None:
        table, what = self.table, step.what
        match step.verb:
            case "place":
                tell_place(table, step.order_id, stock(), what, now_ns)
            case "cancel":
                table.cancel(step.order_id, now_ns)
            case "undecodable":
                table.unreadable(now_ns, step.order_id or None)
            case "deadline":
                table.check_deadlines(1 << 62)
            case "link_lost":
                table.link_lost(now_ns)
            case "restored":
                table.restored(now_ns)
            case "send_failed":
                table.send_failed(step.order_id, now_ns, what)
            case "begin_snapshot":
                table.begin_snapshot(now_ns, everyone=True)
            case "end_snapshot":
                table.end_snapshot(now_ns)
            case "listed":
                table.executions_listed(now_ns, [(self.client_id, key) for key in what])
            case "looked_up":
                table.looked_up(now_ns)
            case _:
                found = self.made.get(id(step))
                if found is None:  # the step is kept, so that its id stays its own
                    found = step, entry(step.verb, what, step.order_id, step.text)
                    self.made[id(step)] = found
                head = bytearray(found[1][0])
                struct.pack_into("<q", head, 8, now_ns)
                self.tracker.take(head, found[1][1])
                return
        self.tracker.settle_rows()

    def row(self, key: int) -> _tracker.OrderValues:
        self.tracker.settle_rows()
        found = self.table.find_perm(-key) if key < 0 else self.table.read(self.client_id, key)
        assert found is not None
        return found

    def state(self, key: int) -> State:
        return State(self.row(key).state)

    def facts(self, key: int) -> Facts:
        row = self.row(key)
        ids = self.tracker.exec_ids(*((-1, -key) if key < 0 else (self.client_id, key)))
        fees = () if math.isnan(row.fees) else ((row.currency, exact(row.fees, row.fees_digits)),)
        return Facts(exact(row.total_filled, row.total_filled_digits), frozenset(ids), fees)

    def keys(self) -> int:
        return self.tracker.orders_held()
