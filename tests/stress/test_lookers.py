"""All that may look at a session, at once, while the reader receives without the GIL: nothing is missed or torn.

The merged cursor, waits of both kinds, a descriptor, cursors that come and go, the tables with the commands of the send
path, and the counters, each in a thread of its own. Under ``make tsan`` every access of the compiled parts is watched.
"""

from __future__ import annotations

import select
import threading
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import numpy as np

from ibwire import _ring
from ibwire.io.reader import End
from ibwire.io.wait import WakeFd
from ibwire.ring.records import dtype
from ibwire.ring.tables import LiveTables, live_tables
from ibwire.types import incoming as m
from tests.stress.test_reader import FRAMES, Stream

KEYS = 977
CLIENT = 7
SLICE_MS = 20_000


class Session(Stream):
    """A stream with tables. Every hundredth frame tells of an order, every thousandth is a control message."""

    def __init__(self, seed: int) -> None:
        super().__init__(seed)
        self.tables: LiveTables = live_tables(self.market, self.orders, CLIENT)
        self.everybody = threading.Barrier(1)

    def ready(self) -> None:
        """Has its cursors; the stream begins when everybody has."""
        self.everybody.wait()

    def guard(self, job: Callable[[], None]) -> None:
        """Run one of the jobs; what it raises is told at the end."""
        try:
            job()
        except BaseException as failure:
            self.failures.append(repr(failure))
            raise

    def message(self, n: int) -> Any:
        if n % 1000 == 500:
            return m.NextValidId(n)
        if n % 100 == 99:
            filled = Decimal(n % 1000)
            return m.OrderStatus(
                orderId=n % 50 + 1, clientId=CLIENT, permId=n % 50 + 100, status="Submitted", filled=filled,
                remaining=1000 - filled, avgFillPrice=float(n % 1000),
            )  # fmt: skip
        return self.tick(n)

    @property
    def over(self) -> bool:
        return bool(self.endings)

    # -- who looks

    def merge(self) -> None:
        """The whole stream in the order of the wire."""
        at = 0

        def entry(item: Any) -> None:
            nonlocal at
            if item.seq != at + 1:
                self.failures.append(f"entry {item.seq} after {at}")
            at = item.seq

        def records(run: bytes) -> None:
            nonlocal at
            seq = np.frombuffer(run, dtype("TICK_SIZE"))["seq"].astype(np.int64)
            if seq[0] != at + 1 or (np.diff(seq) != 1).any():
                self.failures.append(f"records {seq[0]}..{seq[-1]} after {at}")
            at = int(seq[-1])

        cursors = (self.orders.cursor(), self.control.cursor(), self.every.cursor())
        merged = _ring.MergedCursor(self.market.region, *cursors, entry, records, self.lost)
        self.ready()
        while True:
            seen, over = self.bell.count, self.over
            if not merged.dispatch():
                if over:
                    break
                self.bell.wait(seen, SLICE_MS)
        merged.close()
        if at != self.total:
            self.failures.append(f"merged up to {at}")

    def lost(self, count: int) -> None:
        self.failures.append(f"{count} lost")

    def busy(self) -> None:
        """Polls without ever waiting: what orders its reads is the ring alone."""
        cursor, got = self.every.cursor(), 0
        self.ready()
        while True:
            over = self.over
            batch = cursor.poll(4096)
            got += len(batch)
            if len(batch):
                self.check(batch)
            elif over:
                break
        if got != self.total - self.total // 100 - self.total // 1000:
            self.failures.append(f"{got} records polled")

    def check(self, batch: Any) -> None:
        number = (batch["seq"].astype(np.int64) - 1) % FRAMES
        ticks = batch.view(dtype("TICK_SIZE"))
        if (ticks["size"] != number).any() or (ticks["key"] != number % KEYS).any():
            self.failures.append(f"a record is not its frame's, from {batch['seq'][0]}")

    def entries_only(self) -> None:
        """Sleeps through market data; polls what it is woken for."""
        bell, cursor, got = self.bell.for_entries(), self.orders.cursor(), 0
        self.ready()
        while True:
            seen, over = bell.count, self.over
            entries = cursor.poll(64)
            got += len(entries)
            if not entries:
                if over:
                    break
                bell.wait(seen, SLICE_MS)
        if got != self.total // 100:
            self.failures.append(f"{got} entries")

    def descriptor(self) -> None:
        """Waits for a file descriptor, as an event loop does."""
        wake, cursor, last = WakeFd(), self.market.cursor(), 0
        slot = self.bell.add_fd(wake)
        poller = select.poll()
        poller.register(wake.fd, select.POLLIN)
        self.ready()
        while True:
            self.bell.clear_fd(slot)
            over = self.over
            batch = cursor.poll(16384)
            if len(batch):
                self.check(batch)
                last = int(batch["seq"][-1])
            elif over:
                break
            elif not poller.poll(SLICE_MS):
                self.failures.append(f"the descriptor stays silent after {last}")
                break
        if last != self.total - 1:  # the last frame is an order's
            self.failures.append(f"the newest record is {last}")

    def come_and_go(self) -> None:
        """Cursors that are made and closed while the ring is written."""
        self.ready()
        while not self.over:
            for ring in (self.every, self.market, self.orders):
                cursor: Any = ring.cursor()
                batch = cursor.poll(1000)
                if ring is not self.orders and len(batch):
                    self.check(batch)
                cursor.close()

    def command(self) -> None:
        """What the send path tells the order table, and what it reads there."""
        orders, ns = self.tables.orders, 1
        self.ready()
        while not self.over:
            ns += 1
            orders.place(900 + ns % 20, ns, quantity=5.0, quantity_digits=0, limit=1.5)
            orders.cancel(900 + ns % 20, ns)
            orders.check_deadlines(ns)
            if (row := orders.read(CLIENT, ns % 50 + 1)) is not None and row.status:
                self.whole(row.filled, row.remaining, row.avg_price)
            orders.find_perm(ns % 50 + 100)

    def whole(self, filled: float, remaining: float, price: float) -> None:
        if filled + remaining != 1000 or price != filled:
            self.failures.append(f"an order with {filled}, {remaining} and {price}")

    def look(self) -> None:
        """Rows of both tables, and everything that is counted."""
        quotes, orders = np.zeros(4096, dtype("QUOTE_ROW")), np.zeros(128, dtype("ORDER_ROW"))
        self.ready()
        while not self.over:
            got = quotes[: self.tables.quotes.snapshot(quotes)]
            if ((got["seq"].astype(np.int64) - 1) % FRAMES % KEYS != got["key"]).any():
                self.failures.append("a quote is another one's")
            for row in orders[: self.tables.orders.snapshot(orders)]:
                if row["status_seq"]:
                    self.whole(float(row["filled"]), float(row["remaining"]), float(row["avg_price"]))
            _ring.health_of(self.market.region)
            counts, kinds = self.decoder.counters()
            if sum(kinds.values()) > self.total or counts["bytes"] > len(self.data) * self.rounds:
                self.failures.append(f"counted too much: {counts} {kinds}")
            for log in (self.orders, self.control):
                assert log.held_bytes and log.backlog_bytes >= 0 and log.appended >= 0 and log.segments
            assert self.every.held_bytes and self.every.evicted == 0 and self.decoder.stats["bad_frames"] == 0
            self.bell.ring()


def test_all_that_may_look_look_at_once() -> None:
    run = Session(11)
    jobs: list[Callable[[], None]] = [
        run.merge, run.busy, run.entries_only, run.descriptor, run.come_and_go, run.command, run.look,
    ]  # fmt: skip
    run.everybody = threading.Barrier(len(jobs) + 1)
    threads = [threading.Thread(target=run.guard, args=(job,)) for job in jobs]
    for thread in threads:
        thread.start()
    run.ready()
    run.reader.start()
    run.send()
    for thread in threads:
        thread.join()
    assert run.reader.join(20_000)
    run.ours.close()
    assert run.failures == []
    assert [e.end for e in run.endings] == [End.EOF]
    assert run.decoder.watermark == run.total
