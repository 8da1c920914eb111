"""Live tables under a writer that never stops, in threads and in processes, killed at any moment: no value is torn."""

from __future__ import annotations

import math
import os
import random
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ibwire import _ring
from ibwire.client.attached import Attached, attach
from ibwire.errors import SessionLost
from ibwire.ring.records import dtype
from ibwire.spec.records import FLAG_TORN, INT_UNSET
from tests.stress.publisher import CLIENT, FRAMES, KEYS, ORDERS, Producer, number_of
from tests.unit.ring.test_tables import Session

ROOT = Path(__file__).resolve().parents[2]
ROUNDS = int(os.environ.get("IBWIRE_STRESS_ROUNDS", 150))
SEED = int(os.environ.get("IBWIRE_STRESS_SEED", 4))
KILLS = int(os.environ.get("IBWIRE_STRESS_KILLS", 12))
LONG_MS = 60_000


def check_quote(key: int, q: Any) -> None:
    n = number_of(q.seq)
    assert q.reqId == key
    assert n % KEYS == key, f"the quote of {key} is that of message {n}"
    assert (q.bid, q.bid_size) == (n, n)
    assert q.bid_ns == q.recv_ns
    assert math.isnan(q.ask) and math.isnan(q.last_size)


def check_order(order: int, o: Any) -> None:
    n = number_of(o.seq)
    assert (o.orderId, o.permId) == (order, order + 49)
    assert n % ORDERS + 1 == order
    assert (o.filled, o.remaining, o.avg_price, o.last_price) == (n, n, n, n)
    assert (o.status, o.status_seq) == (f"Sub{n:06}", o.seq)


def check_rows(quotes: np.ndarray[Any, Any], orders: np.ndarray[Any, Any]) -> None:
    n = (quotes["seq"].astype(np.int64) - 1) % FRAMES
    assert (n % KEYS == quotes["key"]).all() and (quotes["bid"] == n).all() and (quotes["bid_size"] == n).all()
    assert (quotes["bid_ns"] == quotes["recv_ns"]).all()
    n = (orders["seq"].astype(np.int64) - 1) % FRAMES
    assert (n % ORDERS + 1 == orders["key2"]).all() and (orders["filled"] == n).all()
    assert orders["status"].tolist() == [b"Sub%06d" % number for number in n.tolist()]


def look(quotes: Any, orders: Any, is_over: Callable[[], bool]) -> int:
    """Read rows one by one and all at once until it is over; how often."""
    many, few = np.zeros(32, dtype("QUOTE_ROW")), np.zeros(16, dtype("ORDER_ROW"))
    looks = 0
    while not is_over():
        for key in range(KEYS):
            if (q := quotes.read(key)) is not None:
                check_quote(key, q)
        for order in range(1, ORDERS + 1):
            if (o := orders.read(CLIENT, order)) is not None:
                check_order(order, o)
        check_rows(many[: quotes.snapshot(many)], few[: orders.snapshot(few)])
        looks += 1
    return looks


def test_threads_read_whole_rows_while_the_producer_writes_them() -> None:
    producer = Producer(_ring.Region(1 << 12))
    done = threading.Event()
    failures: list[BaseException] = []
    looks: list[int] = []

    def read() -> None:
        try:
            looks.append(look(producer.tables.quotes, producer.tables.orders, done.is_set))
        except BaseException as failure:
            failures.append(failure)

    readers = [threading.Thread(target=read) for _ in range(2)]
    for thread in readers:
        thread.start()
    for _ in range(ROUNDS):
        producer.round()
    done.set()
    for thread in readers:
        thread.join()
    assert failures == []
    assert all(looks)
    q = producer.tables.quotes.read(1)
    assert q is not None and q.changes > ROUNDS


def test_threads_read_whole_rows_while_new_ones_come() -> None:
    session = Session()
    done = threading.Event()
    failures: list[BaseException] = []

    def read() -> None:
        rows = np.zeros(4096, dtype("ORDER_ROW"))
        try:
            while not done.is_set():
                got = rows[: session.orders.snapshot(rows)]
                assert (got["filled"] + got["remaining"] == got["permId"] - 10_000).all()
        except BaseException as failure:
            failures.append(failure)

    readers = [threading.Thread(target=read) for _ in range(2)]
    for thread in readers:
        thread.start()
    for order in range(1, 3000):
        # Known by its permId first, so that the row is made twice.
        for orderId in (INT_UNSET, order):
            filled = float(order // 2)
            session.status(orderId, "Submitted", filled, order - filled, permId=10_000 + order)
        session.publish()
    done.set()
    for thread in readers:
        thread.join()
    assert failures == []


@pytest.fixture
def name() -> Iterator[str]:
    chosen = f"stress-{os.getpid()}"
    yield chosen
    Path(f"/dev/shm/ibwire.{chosen}").unlink(missing_ok=True)


def publisher(name: str) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.stress.publisher", name], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


def drain(seen: Attached, cursor: Any, tape: Any) -> int:
    """Poll once; every record and entry is whole, gaps are exact. Returns how many came."""
    records = cursor.poll()
    if len(records):
        price = records.view(dtype("TICK_PRICE"))
        n = (price["seq"].astype(np.int64) - 1) % FRAMES
        assert (price["price"] == n).all() and (price["size"] == n).all() and (price["key"] == n % KEYS).all()
    entries = tape.poll()
    for entry in entries:
        n = number_of(entry.seq)
        assert f"\0Sub{n:06}\0{n}\0{n}\0".encode() in entry.payload
    if entries:
        numbers = [entry.seq for entry in entries]
        assert numbers == list(range(numbers[0], numbers[-1] + 1, 10))
    return len(records) + len(entries)


def test_a_writer_that_is_killed_at_any_moment_leaves_nothing_torn(name: str) -> None:
    rng = random.Random(SEED)
    for _ in range(KILLS):
        process = publisher(name)
        seen = attach(name)
        cursor, tape = seen.cursor(), seen.tape()
        killer = threading.Timer(rng.uniform(0.0, 0.05), process.send_signal, [signal.SIGKILL])
        killer.start()
        count = came = 0
        # Killed while nobody reads, or, if it was in the middle of a row that is read next, in that row.
        with pytest.raises(SessionLost, match=r"has died|stopped while it wrote"):
            while True:
                count = seen.count
                came += drain(seen, cursor, tape)
                for key in range(KEYS):
                    if (q := seen.quotes.read(key)) is not None:
                        check_quote(key, q)
                seen.wait(count, LONG_MS)
        killer.join()
        process.communicate()
        torn = 0
        many, few = np.zeros(32, dtype("QUOTE_ROW")), np.zeros(16, dtype("ORDER_ROW"))
        quotes, orders = many[: seen.quotes.snapshot(many)], few[: seen.orders.snapshot(few)]
        for rows in (quotes, orders):
            torn += int((rows["flags"] & FLAG_TORN != 0).sum())
        check_rows(quotes[quotes["flags"] & FLAG_TORN == 0], orders[orders["flags"] & FLAG_TORN == 0])
        assert torn <= 1  # one writer: at most one row was being written
        drain(seen, cursor, tape)


WATCHER = """
import sys
from ibwire.client.attached import attach
seen = attach(sys.argv[1])
cursor, tape, how = seen.cursor(), seen.tape(), sys.argv[2]
print("ready", flush=True)
while True:
    count = seen.count
    cursor.poll(), tape.poll(), seen.quotes.read(1), seen.wait(count, 1000, how)
"""


def test_attached_processes_that_are_killed_hold_nobody_up(name: str) -> None:
    rng = random.Random(SEED + 1)
    process = publisher(name)
    seen = attach(name)
    cursor, tape = seen.cursor(), seen.tape()
    for number in range(KILLS):
        watcher = subprocess.Popen(
            [sys.executable, "-c", WATCHER, name, ("block", "spin")[number % 2]],
            cwd=ROOT, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert watcher.stdout is not None and watcher.stdout.readline() == "ready\n"
        before = seen.health.counts["messages"]
        threading.Event().wait(rng.uniform(0.0, 0.02))
        watcher.send_signal(signal.SIGKILL)
        watcher.communicate()
        while seen.health.counts["messages"] == before:
            assert seen.wait(seen.count, LONG_MS)
        drain(seen, cursor, tape)
        look(seen.quotes, seen.orders, iter((False, True)).__next__)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    successor = publisher(name)  # the name is free again
    assert attach(name).state == "open"
    successor.send_signal(signal.SIGKILL)
    successor.communicate()
