"""A journal of any size, of orders that were placed, filled and paid for; some of them still work."""

from __future__ import annotations

import struct
import time
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

from ibwire.io.journal import Act, FileJournal, MemoryJournal
from ibwire.io.journal_format import INTENT, OUTCOME, RECORD_HEAD, Entry, Kind
from ibwire.io.journal_table import journaled
from ibwire.trade.orders import OrderTable
from ibwire.types import incoming, outgoing, structs
from ibwire.types.constructors import limit, stock
from ibwire.wire.codec import Codec, Role

CLIENT: Final = 1
VERSION: Final = 176
OPEN_EVERY: Final = 1000
_ID, _PERM, _FIRST_ID = 7_000_001, 1_700_000_001, 1_000_000
_SEQ: Final = struct.Struct("<Q")
_DAY_NS: Final = 86_400_000_000_000


def _one_order() -> list[Entry]:
    """The entries of one order, as a client writes them."""
    journal = MemoryJournal()
    client, gateway = Codec(VERSION, Role.CLIENT), Codec(VERSION, Role.GATEWAY)
    table: Any = journaled(OrderTable, journal, lambda: 0, lambda: 0)(CLIENT)
    order, contract = limit("BUY", 10, 1.0), stock("AAPL")
    order.orderId, order.account = _ID, "DU0000001"
    frame = client.encode(outgoing.PlaceOrder(_ID, contract, order))
    intent = journal.intent(Act.PLACE, _ID, frame, 0, 1)
    table.on_place(_ID, contract, order, 1)
    journal.sent(intent, _ID, 4 + len(frame), 0, 1)
    order.clientId, order.permId = CLIENT, _PERM
    done = structs.Execution(
        execId=f"0000e0d5.{_ID}.01.01", time="20260105 10:00:00", acctNumber=order.account, exchange="SMART",
        side="BOT", shares=Decimal(10), price=1.0, permId=_PERM, clientId=CLIENT, orderId=_ID, cumQty=Decimal(10),
        avgPrice=1.0,
    )  # fmt: skip
    report = structs.CommissionAndFeesReport(done.execId, 1.0, "USD")

    def said(message: Any, tell: Any, what: Any) -> None:
        class Got:
            seq, recv_ns, kind, flags, code, payload = 1, 1, message.MSG_ID, 0, 0, gateway.encode(message)

        journal.received(Got)
        tell(what, 1)

    def status(text: str, filled: int) -> None:
        message = incoming.OrderStatus(
            _ID, text, Decimal(filled), Decimal(10 - filled), 1.0 if filled else 0.0, _PERM, 0, 0.0, CLIENT
        )
        said(message, table.on_order_status, message)

    for text in ("PreSubmitted", "Submitted"):
        opened = incoming.OpenOrder(_ID, contract, order, structs.OrderState(status=text))
        said(opened, table.on_open_order, opened)
        status(text, 0)
    execution = incoming.ExecDetails(-1, contract, done)
    said(execution, table.on_execution, execution)
    opened = incoming.OpenOrder(_ID, contract, order, structs.OrderState(status="Filled"))
    said(opened, table.on_open_order, opened)
    status("Filled", 10)
    said(incoming.CommissionAndFeesReport(report), table.on_commission, report)
    return list(journal.reading())


def _bodies(entries: list[Entry], n: int, first_seq: int, message: int) -> Iterator[tuple[int, bytes]]:
    """Those entries for the nth order: its own ids, and numbers that go on."""
    order_id, perm_id = _FIRST_ID + n, _PERM + n
    swaps = [
        (str(_PERM).encode(), str(perm_id).encode()), (str(_ID).encode(), str(order_id).encode()),
        (_ID.to_bytes(8, "little"), order_id.to_bytes(8, "little")),
    ]  # fmt: skip
    for at, entry in enumerate(entries):
        body = entry.body
        for old, new in swaps:
            body = body.replace(old, new)
        if entry.kind == Kind.RECEIVED:
            message += 1
            body = _SEQ.pack(message) + body[8:]
            assert RECORD_HEAD.size <= len(body)
        elif entry.kind == Kind.INTENT:
            _, _, act, pad, count = INTENT.unpack_from(body)
            body = INTENT.pack(order_id, message, act, pad, count) + body[INTENT.size :]
        elif entry.kind == Kind.SENT:
            wrote = OUTCOME.unpack_from(body)[3]
            body = OUTCOME.pack(order_id, message, first_seq, wrote)
        yield entry.kind, body
        if not n % OPEN_EVERY and at == len(entries) // 2:
            return  # this one works on


def make(directory: Path, size_bytes: int) -> int:
    """Write one of about that size, as if three days ago; the number of orders in it."""
    entries, orders, written, message = _one_order(), 0, 0, 0
    with FileJournal(directory, fsync="never", retention_segments=None) as journal:
        journal.session(CLIENT, VERSION, time.monotonic_ns() - 3 * _DAY_NS)
        begin_ns, put = time.monotonic_ns() - 3 * _DAY_NS, journal._appender.put
        while written < size_bytes:
            for kind, body in _bodies(entries, orders, journal.last_seq + 1, message):
                put(kind, begin_ns + written, body)
                written += 32 + len(body)
                message += kind == Kind.RECEIVED
            orders += 1
        journal.lost("the end", begin_ns + written)
        journal.told("on_link_lost", message, begin_ns + written, reason="the end")
    return orders
