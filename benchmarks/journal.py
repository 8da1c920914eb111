"""What journaling costs: per order entry in the receiving thread, and per order on the way out.

    python -m benchmarks.journal [ENTRIES [MIB]]

Entries as they come (a status with its frame, a placement) go through the compiled recorder with fsync interval and
never, beside a bare memcpy append of the same bytes; medians of several turns of one run, as ratios. Then what an order
id costs from the mark on disk, beside one from memory. Last how long a client takes to begin with a journal of MIB
(200): as it is checked when it is opened, and given to the order table, beside reading the same bytes and their CRC32.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
import zlib
from collections.abc import Callable
from pathlib import Path

from benchmarks import journal_made
from ibwire import _journal
from ibwire.io.idstore import open_id_store
from ibwire.io.journal import Act, FileJournal, NullJournal
from ibwire.io.journal_format import RECORD_HEAD, Kind
from ibwire.io.journal_read import read, segments_of
from ibwire.io.journal_rebuild import rebuild
from ibwire.io.journal_restore import KEPT_NS, begin
from ibwire.trade.identity import Ids
from ibwire.trade.orders import OrderTable

TURNS = 5


def median_ns(work: Callable[[], object], count: int) -> float:
    """Nanoseconds of one of `count`, the median of some turns."""
    found = []
    for _ in range(TURNS):
        begin = time.perf_counter_ns()
        work()
        found.append((time.perf_counter_ns() - begin) / count)
    return statistics.median(found)


def recorded(directory: Path, fsync: str, payload: bytes, count: int) -> float:
    """One order entry from ring to journal, in the compiled recorder."""
    with FileJournal(directory, fsync=fsync, segment_bytes=1 << 29, retention_segments=None) as journal:
        return _journal.measure(journal._appender, payload, count, TURNS)


def seconds(work: Callable[[], object], turns: int = 3) -> float:
    """Seconds, the median of some turns."""
    found = []
    for _ in range(turns):
        begin_s = time.perf_counter()
        work()
        found.append(time.perf_counter() - begin_s)
    return statistics.median(found)


def restoring(size_bytes: int) -> None:
    """How long a client takes to begin with a journal, most of whose orders have ended."""

    def passed(directory: Path) -> None:
        for path in segments_of(directory):
            zlib.crc32(path.read_bytes())

    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        orders = journal_made.make(directory, size_bytes)
        count, mib = read(directory).check().last_seq, size_bytes / (1 << 20)
        bare = seconds(lambda: passed(directory))
        print(f"{mib:.0f} MiB, {count:,} entries of {orders:,} orders: read with its CRC32 in {bare:.2f} s")
        checked = seconds(lambda: read(directory).check())
        print(f"  checked, as when it is opened {checked:8.2f} s   {checked / bare:7.1f} times that")
        table = OrderTable(journal_made.CLIENT)
        begun = seconds(lambda: begin(directory, OrderTable(journal_made.CLIENT)))
        facts = begin(directory, table)
        told = f"{len(facts.open_orders)} open orders in the table, {facts.set_aside:,} set aside"
        print(f"  given to the order table      {begun:8.2f} s   {begun / bare:7.1f} times that; {told}")
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        orders = journal_made.make(directory, size_bytes // 50)
        count = read(directory).check().last_seq
        day = 4 * 86_400_000_000_000
        for label, work in (
            ("orders of today", lambda: begin(directory, OrderTable(journal_made.CLIENT), KEPT_NS + day)),
            ("all, from Python alone", lambda: rebuild(directory, OrderTable(journal_made.CLIENT))),
        ):
            took = seconds(work)
            print(f"  {label:<29} {took / count * 1e6:8.1f} us an entry, {took / orders * 1e6:.0f} us an order")


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    for size in (120, 400, 900):
        payload = bytes(range(1, 251)) * 4
        payload = payload[:size]
        bare = _journal.measure(None, payload, count, TURNS)
        print(f"frame of {size} bytes: bare memcpy append {bare:.0f} ns")
        for fsync in ("never", "interval"):
            with tempfile.TemporaryDirectory() as name:
                ns = recorded(Path(name), fsync, payload, count)
                print(f"  order entry, fsync {fsync:<9} {ns:7.0f} ns   {ns / bare:5.1f} times the bare append")
    frame = bytes(range(1, 251)) * 2
    outgoing = {}
    for label in ("null", "never", "interval"):
        with tempfile.TemporaryDirectory() as name:
            journal = NullJournal() if label == "null" else FileJournal(Path(name), fsync=label)

            def orders(journal: FileJournal | NullJournal = journal) -> None:
                for order_id in range(2000):
                    journal.sent(journal.intent(Act.PLACE, order_id, frame, 0, 1), order_id, 504, 0, 2)

            outgoing[label] = median_ns(orders, 2000)
            journal.close()
        print(f"intent and sent of one order, {label:<9} {outgoing[label]:7.0f} ns")
    for label in ("memory", "disk"):
        with tempfile.TemporaryDirectory() as name:
            ids = Ids(open_id_store(Path(name) if label == "disk" else None))

            def take(ids: Ids = ids) -> None:
                for _ in range(5000):
                    ids.reserve()

            print(f"order id from {label:<7} {median_ns(take, 5000):7.0f} ns, in blocks of 256 where there is a disk")
    with tempfile.TemporaryDirectory() as name:
        with FileJournal(Path(name), fsync="never") as written:
            head = RECORD_HEAD.pack(1, 1, 3, 0, 0, 0, 400, 0)
            for n in range(count):
                written._appender.put(Kind.RECEIVED, n, head, frame[:400])
        begin = time.perf_counter()
        entries = sum(1 for _ in read(name))
        took = time.perf_counter() - begin
        print(f"{entries} entries read and checked in {took:.2f} s, {entries / took:,.0f}/s")
    restoring((int(sys.argv[2]) if len(sys.argv) > 2 else 200) << 20)


if __name__ == "__main__":
    main()
