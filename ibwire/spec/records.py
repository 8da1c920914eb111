"""Ring records: the one source of numpy dtypes, C structs and stubs.

A market record is one cache line of 64 bytes: a 32-byte header, then 32 bytes of its own. A message with more than
that makes two records of the same sequence number; ``part`` is 0 and 1. An order entry is a header of 192 bytes with
numbers and string references, followed by the raw payload. Offsets come from the order of the fields, with natural
alignment; a field names the message paths that fill it.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import Final

SIZES: Final[dict[str, int]] = {"u8": 1, "i8": 1, "u16": 2, "i16": 2, "u32": 4, "i32": 4, "u64": 8, "i64": 8, "f64": 8}

FLAG_EXTRA: Final = 1
"""Bytes or fields stood after the last one that the plan knows."""
FLAG_UNSET: Final = 2
"""At least one number is unset (NaN, INT64_MIN or length 0 says which)."""
FLAG_LONG_TEXT: Final = 4
"""A text was longer than its place; the whole message stands in the control ring with the same sequence number."""
FLAG_LONG_NUMBER: Final = 8  # see EXACT_DIGITS
"""A decimal had more significant digits than EXACT_DIGITS, or an integer did not fit; the whole message stands in the
control ring with the same sequence number."""
FLAG_UNDECODABLE: Final = 16
"""The payload could not be decoded; only kind, sequence, times and the raw payload count."""

FLAG_OMITTED: Final = 32
"""On the tape of shared memory: the entry was too long for it, and its payload is not there."""

EXACT_DIGITS: Final = 15
"""Up to that many significant digits a double and the digits after the point give back the exact decimal."""

INT_UNSET: Final = -(1 << 63)


@dataclass(frozen=True, slots=True)
class RecordField:
    """One field of a record.

    ctype : a key of :data:`SIZES`, or ``charN`` (text of up to N bytes, its length in the field ``name_len``), or
    ``ref`` (offset u32 and length u32 of a text in the raw payload). paths : message paths that are stored here.
    digits : the i8 field that takes the digits after the point of a decimal (-1: unset or not exact).
    part : 0, or 1 for the second cache line of a market record.
    """

    name: str
    ctype: str
    paths: tuple[str, ...] = ()
    digits: str = ""
    part: int = 0
    doc: str = ""

    @property
    def size(self) -> int:
        if self.ctype == "ref":
            return 8
        return int(self.ctype[4:]) if self.ctype.startswith("char") else SIZES[self.ctype]

    @property
    def align(self) -> int:
        return 4 if self.ctype == "ref" else 1 if self.ctype.startswith("char") else self.size


def _f(name: str, ctype: str, paths: str = "", digits: str = "", part: int = 0, doc: str = "") -> RecordField:
    return RecordField(name, ctype, tuple(paths.split()), digits, part, doc)


def _header(aux: str = "", aux_path: str = "", key_path: str = "reqId", part: int = 0) -> tuple[RecordField, ...]:
    return (
        _f("seq", "u64", part=part, doc="sequence number of the wire message, from 1, over all rings"),
        _f("recv_ns", "i64", part=part, doc="monotonic time of the receive call, ns"),
        _f("kind", "u8", part=part, doc="message id"),
        _f("part", "u8", part=part, doc="0, or 1 for the second record of one message"),
        _f("flags", "u16", part=part, doc="FLAG_*"),
        _f(aux or "aux", "i32", aux_path, part=part),
        _f("key", "i64", key_path, part=part, doc="request id"),
    )


@dataclass(frozen=True, slots=True)
class Record:
    """The layout of one message's record(s)."""

    name: str
    message: str
    ring: str
    fields: tuple[RecordField, ...]

    def offsets(self) -> dict[str, int]:
        """Field name -> byte offset (part 1 begins at 64)."""
        out: dict[str, int] = {}
        at = [0, 64]
        for f in self.fields:
            pos = (at[f.part] + f.align - 1) // f.align * f.align
            out[f.name if f.part == 0 or f.name not in out else f"{f.name}_1"] = pos
            at[f.part] = pos + f.size
        if at[0] > PART_BYTES[self.ring] or at[1] > 2 * RECORD_BYTES:
            raise ValueError(f"record {self.name} is too long: {at}")
        return out

    @property
    def parts(self) -> int:
        return 2 if any(f.part for f in self.fields) else 1


RECORD_BYTES: Final = 64
ORDER_HEADER_BYTES: Final = 192
QUOTE_ROW_BYTES: Final = 128
ORDER_ROW_BYTES: Final = 320
PART_BYTES: Final[dict[str, int]] = {
    "market": RECORD_BYTES,
    "order": ORDER_HEADER_BYTES,
    "quotes": QUOTE_ROW_BYTES,
    "orders": ORDER_ROW_BYTES,
}
"""Bytes of one record, or of one part of it, by where it stands: the rings, then the live tables."""


def _market(name: str, message: str, *fields: RecordField, aux: str = "", aux_path: str = "", parts: int = 1) -> Record:
    second = _header(part=1, key_path="") if parts == 2 else ()
    head = tuple(f for f in fields if f.part == 0)
    tail = tuple(f for f in fields if f.part == 1)
    return Record(name, message, "market", (*_header(aux, aux_path), *head, *second, *tail))


_TICK: Final = ("tickType", "tickType")

_PRICE_FIELDS = (
    _f("price", "f64", "price", "price_digits"),
    _f("size", "f64", "size", "size_digits"),
    _f("mask", "i32", "attrMask", doc="attribute bits: 1 can auto-execute, 2 past limit, 4 pre-open"),
    _f("price_digits", "i8"),
    _f("size_digits", "i8"),
)


def _order_entry(name: str, message: str, **paths: str) -> Record:
    fields = (
        _f("seq", "u64"),
        _f("recv_ns", "i64"),
        _f("kind", "u8", doc="message id"),
        _f("part", "u8"),
        _f("flags", "u16"),
        _f("code", "i32", paths.get("code", ""), doc="error code"),
        _f("payload_bytes", "u32", doc="length of the raw payload after this header"),
        _f("body", "u32", doc="where the fields begin in the payload"),
        _f("orderId", "i64", paths.get("orderId", "")),
        _f("permId", "i64", paths.get("permId", "")),
        _f("clientId", "i64", paths.get("clientId", "")),
        _f("parentId", "i64", paths.get("parentId", "")),
        _f("quantity", "f64", paths.get("quantity", ""), "quantity_digits"),
        _f("filled", "f64", paths.get("filled", ""), "filled_digits"),
        _f("remaining", "f64", paths.get("remaining", ""), "remaining_digits"),
        _f("price", "f64", paths.get("price", ""), doc="limit price, execution price or commission"),
        _f("avg_price", "f64", paths.get("avg_price", ""), doc="of an open order: its stop price or trail"),
        _f("last_price", "f64", paths.get("last_price", "")),
        _f("status", "ref", paths.get("status", "")),
        _f("text", "ref", paths.get("text", ""), doc="whyHeld, error text, execution id"),
        _f("execId", "ref", paths.get("execId", "")),
        _f("side", "ref", paths.get("side", "")),
        _f("orderRef", "ref", paths.get("orderRef", "")),
        _f("account", "ref", paths.get("account", "")),
        _f("symbol", "ref", paths.get("symbol", "")),
        _f("secType", "ref", paths.get("secType", "")),
        _f("group", "ref", paths.get("group", ""), doc="faGroup: the order is divided among accounts"),
        _f("quantity_digits", "i8"),
        _f("filled_digits", "i8"),
        _f("remaining_digits", "i8"),
        _f("whatIf", "u8", paths.get("whatIf", "")),
        _f("conId", "i32", paths.get("conId", "")),
    )
    return Record(name, message, "order", fields)


RECORDS: Final[tuple[Record, ...]] = (
    _market("TICK_PRICE", "tickPrice", *_PRICE_FIELDS, aux="tickType", aux_path="tickType"),
    _market("TICK_SIZE", "tickSize", *_PRICE_FIELDS, aux="tickType", aux_path="tickType"),
    _market("TICK_GENERIC", "tickGeneric", _f("value", "f64", "value"), aux="tickType", aux_path="tickType"),
    _market(
        "TICK_STRING",
        "tickString",
        _f("text_len", "u8"),
        _f("text", "char31", "value"),
        aux="tickType",
        aux_path="tickType",
    ),
    _market(
        "OPTION_COMPUTATION",
        "tickOptionComputation",
        _f("impliedVol", "f64", "impliedVol"),
        _f("delta", "f64", "delta"),
        _f("optPrice", "f64", "optPrice"),
        _f("pvDividend", "f64", "pvDividend"),
        _f("gamma", "f64", "gamma", part=1),
        _f("vega", "f64", "vega", part=1),
        _f("theta", "f64", "theta", part=1),
        _f("undPrice", "f64", "undPrice", part=1),
        aux="tickType",
        aux_path="tickType",
        parts=2,
    ),
    _market(
        "TICK_BY_TICK",
        "tickByTick",
        _f("time", "i64", "last.time bidAsk.time midPoint.time", doc="seconds since 1970"),
        _f("price", "f64", "last.price bidAsk.priceBid midPoint.price"),
        _f("size", "f64", "last.size bidAsk.sizeBid", "size_digits"),
        _f(
            "mask",
            "i32",
            "last.mask bidAsk.mask",
            doc="last: 1 past limit, 2 unreported; 1 bid past low, 2 ask past high",
        ),
        _f("size_digits", "i8"),
        _f("ask_size_digits", "i8"),
        _f("ask_price", "f64", "bidAsk.priceAsk", part=1),
        _f("ask_size", "f64", "bidAsk.sizeAsk", "ask_size_digits", part=1),
        _f("exchange_len", "u8", part=1),
        _f("exchange", "char7", "last.exchange", part=1),
        _f("conditions_len", "u8", part=1),
        _f("conditions", "char7", "last.specialConditions", part=1),
        aux="tickType",
        aux_path="tickType",
        parts=2,
    ),
    *(
        _market(
            name,
            message,
            _f("price", "f64", "price"),
            _f("size", "f64", "size", "size_digits"),
            _f("operation", "i16", "operation", doc="0 insert, 1 update, 2 delete"),
            _f("side", "u8", "side", doc="0 ask, 1 bid"),
            _f("size_digits", "i8"),
            _f("smart", "u8", "isSmartDepth"),
            _f("market_maker_len", "u8"),
            _f("market_maker", "char10", "marketMaker" if name == "MARKET_DEPTH_L2" else ""),
            aux="position",
            aux_path="position",
        )
        for name, message in (("MARKET_DEPTH", "updateMktDepth"), ("MARKET_DEPTH_L2", "updateMktDepthL2"))
    ),
    _market(
        "REAL_TIME_BAR",
        "realtimeBar",
        _f("time", "i64", "time"),
        _f("open", "f64", "open_"),
        _f("high", "f64", "high"),
        _f("low", "f64", "low"),
        _f("close", "f64", "close", part=1),
        _f("volume", "f64", "volume", part=1),
        _f("wap", "f64", "wap", part=1),
        aux="count",
        aux_path="count",
        parts=2,
    ),
    _market(
        "PNL",
        "pnl",
        _f("dailyPnL", "f64", "dailyPnL"),
        _f("unrealizedPnL", "f64", "unrealizedPnL"),
        _f("realizedPnL", "f64", "realizedPnL"),
    ),
    _market(
        "PNL_SINGLE",
        "pnlSingle",
        _f("dailyPnL", "f64", "dailyPnL"),
        _f("unrealizedPnL", "f64", "unrealizedPnL"),
        _f("realizedPnL", "f64", "realizedPnL"),
        _f("value", "f64", "value", part=1),
        _f("position", "f64", "pos", "position_digits", part=1),
        _f("position_digits", "i8", part=1),
        parts=2,
    ),
    _order_entry(
        "ORDER_STATUS",
        "orderStatus",
        orderId="orderId",
        permId="permId",
        clientId="clientId",
        parentId="parentId",
        filled="filled",
        remaining="remaining",
        avg_price="avgFillPrice",
        last_price="lastFillPrice",
        status="status",
        text="whyHeld",
    ),
    _order_entry(
        "OPEN_ORDER",
        "openOrder",
        orderId="orderId",
        permId="order.permId",
        clientId="order.clientId",
        parentId="order.parentId",
        quantity="order.totalQuantity",
        price="order.lmtPrice",
        status="orderState.status",
        side="order.action",
        orderRef="order.orderRef",
        account="order.account",
        symbol="contract.symbol",
        text="order.orderType",
        avg_price="order.auxPrice",
        secType="contract.secType",
        group="order.faGroup",
        whatIf="order.whatIf",
        conId="contract.conId",
    ),
    _order_entry(
        "EXECUTION",
        "execDetails",
        orderId="execution.orderId",
        permId="execution.permId",
        clientId="execution.clientId",
        parentId="reqId",
        quantity="execution.shares",
        filled="execution.cumQty",
        price="execution.price",
        avg_price="execution.avgPrice",
        execId="execution.execId",
        side="execution.side",
        orderRef="execution.orderRef",
        account="execution.acctNumber",
        symbol="contract.symbol",
        secType="contract.secType",
        conId="contract.conId",
    ),
    _order_entry(
        "COMPLETED_ORDER",
        "completedOrder",
        orderId="order.orderId",
        permId="order.permId",
        clientId="order.clientId",
        parentId="order.parentId",
        quantity="order.totalQuantity",
        filled="order.filledQuantity",
        price="order.lmtPrice",
        avg_price="order.auxPrice",
        status="orderState.status",
        side="order.action",
        orderRef="order.orderRef",
        account="order.account",
        symbol="contract.symbol",
        secType="contract.secType",
        group="order.faGroup",
        text="order.orderType",
        conId="contract.conId",
    ),
    _order_entry("ORDER_BOUND", "orderBound", orderId="orderId", permId="permId", clientId="clientId"),
    _order_entry("OPEN_ORDER_END", "openOrderEnd"),
    _order_entry(
        "COMMISSION",
        "commissionAndFeesReport",
        execId="commissionAndFeesReport.execId",
        price="commissionAndFeesReport.commissionAndFees",
        last_price="commissionAndFeesReport.realizedPNL",
        text="commissionAndFeesReport.currency",
    ),
    _order_entry("ERROR", "error", orderId="id", code="errorCode", text="errorMsg"),
)



def _row(name: str, table: str, *fields: RecordField) -> Record:
    return Record(
        name,
        "",
        table,
        (
            _f("lock", "u64", doc="odd while the row is written"),
            _f("state", "u32", doc="ROW_*"),
            _f("flags", "u32", doc="QUOTE_* or ORDER_*"),
            _f("key", "i64", doc="request id, or client id (INT_UNSET: no order id is known, key2 is permId)"),
            _f("key2", "i64", doc="0, or order id"),
            _f("seq", "u64", doc="message of the latest change"),
            _f("recv_ns", "i64", doc="monotonic time at which that came, ns"),
            *fields,
        ),
    )


ROW_FREE: Final = 0
ROW_USED: Final = 1
ROW_REMOVED: Final = 2
"""``state`` of a row. A removed one still knows its key, and what comes late for it is dropped."""

FLAG_TORN: Final = 1
"""In a snapshot: the writer died while it wrote this row; of its values only the key may be right."""
QUOTE_DELAYED: Final = 2
"""The latest price or size was a delayed one."""
ORDER_CONFLICT: Final = 2
"""Another order, of another permId, has the same client id and order id."""
ORDER_STATUS_CUT: Final = 4
"""The status text is longer than its place."""
ORDER_UNSURE: Final = 8
"""A message about orders could not be decoded since: this row may be behind."""

ORDER_INEXACT: Final = 16
"""A quantity or a fee has more digits than a row can hold exactly: see the order's own messages."""

ROWS: Final[tuple[Record, ...]] = (
    _row(
        "QUOTE_ROW",
        "quotes",
        *(_f(name, "f64", doc="NaN: none") for name in ("bid", "ask", "last", "bid_size", "ask_size", "last_size")),
        *(_f(name, "i64", doc="when one of both last came; 0: never") for name in ("bid_ns", "ask_ns", "last_ns")),
        _f("changes", "u64", doc="prices and sizes taken so far"),
    ),
    _row(
        "ORDER_ROW",
        "orders",
        _f("permId", "i64", doc="0 while not known"),
        _f("parentId", "i64", doc="0: none"),
        _f("quantity", "f64", doc="total of the order"),
        _f("filled", "f64", doc="by the latest status"),
        _f("remaining", "f64", doc="by the latest status"),
        _f("avg_price", "f64", doc="of the fills, by the latest status or execution"),
        _f("last_price", "f64", doc="of the last fill, by the latest status or execution"),
        _f("limit_price", "f64"),
        _f("executed", "f64", doc="cumulative quantity by the latest execution"),
        _f("error_seq", "u64", doc="message of the last error"),
        _f("status_seq", "u64", doc="message of the latest status"),
        _f("error_code", "i32", doc="of the last error; 0: none"),
        _f("status_code", "u8", doc="see WIRE_STATUS_CODES"),
        _f("status_len", "u8"),
        _f("quantity_digits", "i8"),
        _f("filled_digits", "i8"),
        _f("remaining_digits", "i8"),
        _f("total_remaining_digits", "i8"),
        _f("pad1", "u16"),
        _f("statuses", "u32", doc="status messages so far"),
        _f("opens", "u32", doc="open order messages so far"),
        _f("executions", "u32", doc="executions so far, each execution id once"),
        _f("commissions", "u32", doc="commission reports so far"),
        _f("errors", "u32", doc="errors so far"),
        _f("status", "char24", doc="the gateway's text, as it came"),
        _f("order_state", "u8", doc="State: our own conclusion"),
        _f("risk", "u8", doc="Risk: what the state means for exposure"),
        _f("certain", "u8", doc="the last State that was not uncertain"),
        _f("pending_modifies", "u8", doc="modifies that are not answered"),
        _f("memory", "u32", doc="Flag: what the order remembers"),
        _f("due_ns", "i64", doc="when an answer is overdue, monotonic; 0: none is awaited"),
        _f("total_filled", "f64", doc="executed quantity; a status that names more counts until executions come"),
        _f("confirmed_filled", "f64", doc="quantity that executions prove"),
        _f("total_filled_digits", "i8"),
        _f("confirmed_filled_digits", "i8"),
        _f("fees_digits", "i8"),
        _f("currency_len", "u8"),
        _f("refusal_code", "i32", doc="code that refused the order; 0: none"),
        _f("fees", "f64", doc="so far; NaN: none came, or in several currencies"),
        _f("currency", "char4", doc="of the fees"),
        _f("corrections", "u32", doc="executions that replaced another"),
        _f("notional", "f64", doc="quantity times price of the executions"),
        _f("total_remaining", "f64", doc="quantity not executed, from all that is known; NaN: the total is not known"),
        _f("average", "f64", doc="average price of what is filled, without fees; NaN: nothing is"),
        _f("stepped_seq", "u64", doc="every message up to this one is in the row"),
        _f("problem_code", "i32", doc="of the last error that was no mere warning; 0: none"),
        _f("pad2", "u32"),
        *(_f(f"pad{n}", "u64") for n in range(3, 7)),
    ),
)
"""Rows of the live tables. All begin alike; a reader copies a whole row while ``lock`` is even and unchanged."""

BY_NAME: Final[dict[str, Record]] = {r.name: r for r in (*RECORDS, *ROWS)}


def layout_checksum() -> int:
    """Changes with any name, type or place of any record or row: 32 bits that two programs compare."""
    lines = []
    for record in BY_NAME.values():
        lines.append(f"{record.name}/{record.ring}")
        lines += (f"{f.name}={f.ctype}@{at}" for f, at in zip(record.fields, record.offsets().values(), strict=True))
    return zlib.crc32("\n".join(lines).encode())
