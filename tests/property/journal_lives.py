"""Journals as lives of a program leave them: a table and its journal under random traffic, also wrong, with crashes."""

from __future__ import annotations

import random
import time
from collections import deque
from dataclasses import dataclass, fields, replace
from decimal import Decimal
from pathlib import Path
from typing import Any

from ibwire.io.journal import Act, FileJournal
from ibwire.io.journal_restore import begin
from ibwire.io.journal_table import journaled
from ibwire.trade.orders import OrderTable
from ibwire.trade.view import OrderView
from ibwire.types import incoming, outgoing, structs
from ibwire.types.constructors import limit, stock
from ibwire.wire.codec import Codec, Role

CLIENT = 1
AAPL = replace(stock("AAPL"), conId=265598)
STATUSES = ["PendingSubmit", "PreSubmitted", "Submitted", "Filled", "Cancelled", "ApiCancelled", "Inactive", "Odd"]
CODES = [201, 202, 110, 161, 399, 10147, 10148, 135, 104]
_NOT_PLAIN = ("became", "fills")


@dataclass
class Got:
    """What the receiving thread writes down."""

    seq: int
    recv_ns: int
    kind: int
    payload: bytes
    flags: int = 0
    code: int = 0


class World:
    """What is true outside of the program: ids, and the time."""

    def __init__(self, seed: int, version: int) -> None:
        self.rng = random.Random(seed)
        self.version = version
        self.next_id = 1
        self.now_ns = 1_000
        self.execs = 0
        self.gateway = Codec(version, Role.GATEWAY)

    def tick(self) -> int:
        self.now_ns += self.rng.randrange(1, 50)
        return self.now_ns


class Life:
    """One life of a program: its table, its journal and what it was sent and has not looked at."""

    def __init__(self, directory: Path, world: World, kept_ns: int | None, segment_bytes: int = 1 << 16) -> None:
        self.world, self.rng = world, world.rng
        self.journal = FileJournal(directory, fsync="never", segment_bytes=segment_bytes, thread=False)
        self.taken = self.seq = 0
        self.client = Codec(world.version, Role.CLIENT)
        table_type = journaled(OrderTable, self.journal, lambda: self.taken, world.tick)
        self.table: Any = table_type(CLIENT)
        self.table._is_telling = True
        if kept_ns is not None:
            begin(directory, self.table, kept_ns)
        self.table._is_telling = False
        facts = {"requestsFrom": 1 << 30, "requestsTo": 2**31 - 2}
        self.journal.session(CLIENT, world.version, world.tick(), **facts)
        self.queue: deque[Got] = deque()
        self.perms: dict[int, int] = {}

    # -- the gateway ---------------------------------------------------------------------------------------------------

    def arrives(self, message: Any, garbled: bool = False) -> None:
        """A message is received and written down; the table has not got it yet."""
        self.seq += 1
        payload = self.world.gateway.encode(message)
        if garbled:
            payload = payload[: len(payload) // 2]
        got = Got(self.seq, self.world.tick(), message.MSG_ID, payload)
        self.journal.received(got)
        self.queue.append(got)

    def takes(self, count: int) -> None:
        """The table gets what came, as ``client/intake.py`` gives it."""
        while count and self.queue:
            count -= 1
            got = self.queue.popleft()
            self.taken = got.seq
            try:
                message: Any = self.client.decode(got.payload)
            except Exception:
                self.table.on_undecodable(None, "bad", got.recv_ns)
                continue
            now_ns, table = got.recv_ns, self.table
            match message.NAME:
                case "openOrder":
                    table.on_open_order(message, now_ns)
                case "completedOrder":
                    table.on_completed_order(message, now_ns)
                case "orderBound":
                    table.on_order_bound(message, now_ns)
                case "orderStatus":
                    table.on_order_status(message, now_ns)
                case "execDetails":
                    table.on_execution(message, now_ns)
                case "commissionAndFeesReport":
                    table.on_commission(message.commissionAndFeesReport, now_ns)
                case "error" if message.id < 1 << 30:
                    table.on_error(message.id, message.errorCode, message.errorMsg, now_ns)

    def perm(self, order_id: int) -> int:
        return 70_000 + order_id

    def plain_life(self, order_id: int, end: str = "Filled") -> None:
        """What a gateway says of an order from its placement to its end."""
        order = limit("BUY", 10, 1.0)
        order.orderId, order.clientId, order.permId = order_id, CLIENT, self.perm(order_id)
        self.status(order_id, "Submitted")
        self.open_order(order, "Submitted")
        if end == "Filled":
            self.execution(order_id, CLIENT, self.perm(order_id), 10, 10)
            self.commission(self.world.execs)
        self.status(order_id, end, 10 if end == "Filled" else 0)

    def status(self, order_id: int, status: str, filled: int = 0, client: int = CLIENT, perm: int = -1) -> None:
        perm = self.perm(order_id) if perm < 0 else perm
        parent = getattr(self.table.get(order_id), "parent_id", 0)
        self.arrives(
            incoming.OrderStatus(
                orderId=order_id, status=status, filled=Decimal(filled), remaining=Decimal(10 - filled), permId=perm,
                clientId=client, avgFillPrice=1.0 if filled else 0.0, parentId=parent,
            )
        )  # fmt: skip

    def open_order(self, order: structs.Order, status: str) -> None:
        self.arrives(incoming.OpenOrder(order.orderId, AAPL, order, structs.OrderState(status=status)))

    def execution(self, order_id: int, client: int, perm: int, shares: int, cum: int, again: int = 0) -> None:
        if not again:
            self.world.execs += 1
        name = f"0000e0d5.{again or self.world.execs:08d}.01.{1 + bool(again):02d}"
        self.arrives(
            incoming.ExecDetails(
                -1, AAPL,
                structs.Execution(
                    execId=name, time="20260105 10:00:00", side="BOT", shares=Decimal(shares), price=1.0, permId=perm,
                    clientId=client, orderId=order_id, cumQty=Decimal(cum), avgPrice=1.0, acctNumber="DU0000001",
                ),
            )
        )  # fmt: skip

    def commission(self, number: int) -> None:
        report = structs.CommissionAndFeesReport(f"0000e0d5.{number:08d}.01.01", 1.0, "USD")
        self.arrives(incoming.CommissionAndFeesReport(report))

    # -- the program ---------------------------------------------------------------------------------------------------

    def place(self, order_id: int = 0, *, parent: int = 0, transmit: bool = True, outcome: str = "sent") -> int:
        act = Act.MODIFY if order_id else Act.PLACE
        if not order_id:
            order_id, self.world.next_id = self.world.next_id, self.world.next_id + 1
        order = limit("BUY", self.rng.choice([10, 10, 20]), self.rng.choice([1.0, 2.0]))
        order.orderId, order.parentId, order.transmit = order_id, parent, transmit
        frame = self.client.encode(outgoing.PlaceOrder(order_id, AAPL, order))
        order.clientId = CLIENT
        now_ns = self.world.tick()
        intent = self.journal.intent(act, order_id, frame, self.taken, now_ns)
        self.table.on_place(order_id, AAPL, order, now_ns, 4 + len(frame), "text")
        self._ends(intent, order_id, len(frame), outcome)
        return order_id

    def cancel(self, order_id: int, outcome: str = "sent") -> None:
        frame = self.client.encode(outgoing.CancelOrder(order_id, structs.OrderCancel()))
        now_ns = self.world.tick()
        intent = self.journal.intent(Act.CANCEL, order_id, frame, self.taken, now_ns)
        self.table.on_cancel_request(order_id, now_ns)
        self._ends(intent, order_id, len(frame), outcome)

    def _ends(self, intent: int, order_id: int, count: int, outcome: str) -> None:
        now_ns = self.world.tick()
        if outcome == "sent":
            self.journal.sent(intent, order_id, count, self.taken, now_ns)
        elif outcome == "failed":
            self.table.on_send_failed(order_id, now_ns, "broken pipe", 0)
            self.journal.send_failed(intent, order_id, 0, "broken pipe", self.taken, now_ns)

    def crash(self) -> None:
        """It is gone, and nobody wrote that it ended."""
        self.journal._stop.set()
        self.journal._closed = True
        self.journal._appender.drop()
        from ibwire.io.journal import _unlock

        _unlock(self.journal._lock_fd, self.journal._key)

    def close(self) -> None:
        """It ends in order: everything was looked at, and the link is gone."""
        self.takes(len(self.queue))
        self.journal.lost("closed", self.world.tick())
        self.table.on_link_lost("closed", self.world.tick())
        self.journal.close()


def picture(view: OrderView) -> dict[str, Any]:
    """Everything that is known of an order, as plain values."""
    found = {one.name: repr(getattr(view, one.name)) for one in fields(view) if one.name not in _NOT_PLAIN}
    found["fills"] = str(
        {
            base: (one.exec_id, one.shares, one.price, one.side, one.ns, one.corrected, sorted(one.fees.items()))
            for base, one in view.fills.items()
        }
    )
    return found


def name_of(view: OrderView) -> tuple[int, int, int]:
    return view.client_id, view.order_id, view.perm_id


def later() -> int:
    """A wall clock at which everything is long ago."""
    return time.time_ns() + 10**18
