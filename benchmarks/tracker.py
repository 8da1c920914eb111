"""What the compiled order machine costs, in one run beside what it is held against.

    python -m benchmarks.tracker [--count N] [--runs N] [--probes N] [--json FILE]

`rate`: order entries a second, M5 in memory -> decode -> order ring -> machine -> table, beside ib_async's decoder with
its full wrapper. `latency`: one receive in memory (one message of M5) decoded and stepped, beside decoded alone.
`spinning`: another process sends a status and looks at the shared table until it is there, with and without a thread
that spins in pure Python in the process that receives, and with another process that spins (as much of the machine, no
GIL).
"""

from __future__ import annotations

import argparse
import contextlib
import gc
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from functools import partial
from importlib import import_module
from pathlib import Path
from statistics import median

from benchmarks import mixes, results, wire
from benchmarks.compat_peer import Side
from benchmarks.results import NS, RATE, Figure
from benchmarks.turns import interleaved
from ibwire.io import shm
from ibwire.ring import impl
from ibwire.ring.tables import live_tables, tables_of
from ibwire.spec import records
from ibwire.wire import hot
from ibwire.wire.framing import frame

DIALECT = "t176"
VERSION = 176
CLIENT = 1
PACE_S = 0.002


class Session:
    """A decoder with its rings; with `tracks` also with the live tables."""

    def __init__(self, tracks: bool) -> None:
        rings = import_module("ibwire._ring")
        self.region = rings.Region(1 << 10, sizes=(records.QUOTE_ROW_BYTES, records.ORDER_ROW_BYTES))
        self.market, self.orders = rings.MarketRing(self.region), rings.LogRing()
        self.tables = live_tables(self.market, self.orders, CLIENT) if tracks else None
        fast = import_module("ibwire._fastdecode")
        self.decoder = fast.StreamDecoder(hot.tables(VERSION), self.market, self.orders, rings.LogRing())


def rate(tracks: bool, data: bytes, count: int) -> float:
    """Messages per second of a pass, after one that is not counted.

    This process has just waited for seconds while ib_async worked; its own first pass measures the machine waking up.
    """
    _rate(tracks, data, count)
    return _rate(tracks, data, count)


def _rate(tracks: bool, data: bytes, count: int) -> float:
    gc.collect()  # the session of the pass before is gone, and its memory with it: there is one at a time
    session = Session(tracks)
    pieces = [data[at : at + 65536] for at in range(0, len(data), 65536)]
    begin_ns = time.perf_counter_ns()
    for piece in pieces:
        session.decoder.receive(piece, 1)
    seconds = (time.perf_counter_ns() - begin_ns) / 1e9
    if session.tables is not None and session.tables.orders.rows != count // 4:
        raise RuntimeError(f"{session.tables.orders.rows} rows of {count // 4} orders")
    return count / seconds


def one_by_one(tracks: bool, frames: list[bytes]) -> float:
    """Median ns of one receive of one message."""
    session, times, now = Session(tracks), [], time.perf_counter_ns
    receive = session.decoder.receive
    for data in frames:
        begin_ns = now()
        receive(data, 1)
        times.append(now() - begin_ns)
    return float(median(times[len(times) // 2 :]))


# ----------------------------------------------------------------------------------- from the socket to the table


def probe(name: str, fd: int, count: int) -> None:
    """The other process: send, look until it is there. Prints its quantiles, ns."""
    region, _facts = shm.attach_region(name)
    rows = tables_of(region).orders
    with socket.socket(fileno=fd) as peer:
        times = []
        for n in range(1, count + 1):
            data = status(n)
            time.sleep(PACE_S)
            begin_ns = time.perf_counter_ns()
            peer.sendall(data)
            while (row := rows.read(CLIENT, 1)) is None or row.remaining != n:
                if time.perf_counter_ns() - begin_ns > 5_000_000_000:
                    raise RuntimeError(f"status {n} is not in the table after 5 s")
            times.append(time.perf_counter_ns() - begin_ns)
    found = wire.quantiles(times)
    print(found.p50, found.p99, flush=True)


def status(n: int) -> bytes:
    fields = ["3", "1", "Submitted", "0", str(n), "0", "55", "0", "0", str(CLIENT), "", "0"]
    return frame("".join(f"{field}\0" for field in fields).encode())


def to_table(spins: str, count: int) -> tuple[int, int]:
    """(p50, p99) ns from bytes at the socket to the state in the table, as another process sees it.

    `spins`: what computes meanwhile: a ``thread`` of the receiving process, in pure Python, or another ``process``,
    which takes as much of the machine and cannot have the GIL; or nothing.
    """
    name = f"bench-tracker-{os.getpid()}"
    segment = shm.create(name, market_records=1 << 10, tape_bytes=1 << 16, quotes=64, orders=64)
    rings, reader_module = import_module("ibwire._ring"), import_module("ibwire._reader")
    ours, theirs = socket.socketpair()
    stop = threading.Event()
    other = subprocess.Popen([sys.executable, "-c", "while True: pass"]) if spins == "process" else None
    try:
        market, orders = rings.MarketRing(segment.region), rings.LogRing(tape=rings.Tape(segment.region), origin=1)
        tables = live_tables(market, orders, CLIENT)
        fast = import_module("ibwire._fastdecode")
        decoder = fast.StreamDecoder(hot.tables(VERSION), market, orders, rings.LogRing())
        reader = reader_module.Reader(ours.fileno(), decoder, segment.region, orders=orders)
        threads = [threading.Thread(target=reader.run)]
        if spins == "thread":
            threads.append(threading.Thread(target=spin, args=(stop,)))
        for thread in threads:
            thread.start()
        command = [sys.executable, "-m", "benchmarks.tracker", "--probe", name, "--fd", str(theirs.fileno())]
        done = subprocess.run(
            [*command, "--probes", str(count)],
            pass_fds=[theirs.fileno()],
            stdout=subprocess.PIPE,
            check=True,
            timeout=300,
        )
        stop.set()
        reader.stop()
        ours.shutdown(socket.SHUT_RDWR)
        for thread in threads:
            thread.join()
        assert tables.orders.rows == 1
        p50, p99 = done.stdout.split()
        return int(p50), int(p99)
    finally:
        stop.set()
        if other is not None:
            other.kill()
            other.wait()
        ours.close()
        theirs.close()
        with contextlib.suppress(OSError):
            segment.close()


def spin(stop: threading.Event) -> None:
    n = 0
    while not stop.is_set():
        for _ in range(10_000):
            n += 1


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=40_000, help="messages of M5")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--probes", type=int, default=2_000)
    parser.add_argument("--json", type=Path, help="write this file, and the table beside it as .md")
    parser.add_argument("--probe", help=argparse.SUPPRESS)
    parser.add_argument("--fd", type=int, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.probe:
        probe(args.probe, args.fd, args.probes)
        return
    if impl.NAME != "compiled":
        raise SystemExit("ibwire is not built")
    data = mixes.mix("M5", DIALECT, args.count, 7)
    frames = [frame(payload) for payload in mixes.payloads(data)]
    with Side("ib_async") as peer:

        def theirs() -> float:
            answer = peer.ask(do="orders", dialect=DIALECT, count=args.count, seed=7)
            return float(answer["messages_per_s"])

        takers: dict[str, Callable[[], float]] = {
            "tracked": partial(rate, True, data, args.count),
            "decoded": partial(rate, False, data, args.count),
            "ib_async": theirs,
        }
        rates = interleaved(args.runs, takers)
    single = interleaved(
        args.runs, {"stepped": partial(one_by_one, True, frames), "decoded": partial(one_by_one, False, frames)}
    )
    seen = interleaved(
        args.runs, {"alone": partial(to_table, "", args.probes), "spinning": partial(to_table, "thread", args.probes),
                    "crowded": partial(to_table, "process", args.probes)},
        warm_up=False,
    )  # fmt: skip
    p50, p99 = ({name: [one[at] for one in found] for name, found in seen.items()} for at in (0, 1))
    of = partial(Figure, "tracker")
    table = "to the table, beside a thread that spins in Python"
    figures = [
        of("order entries, decoded and tracked (M5)", DIALECT, RATE, rates["tracked"], "ib_async, full wrapper",
           rates["ib_async"], 100.0),
        of("order entries, decoded and tracked (M5)", DIALECT, RATE, rates["tracked"], "decoded alone",
           rates["decoded"]),
        of("one message, decoded and stepped, p50", DIALECT, NS, single["stepped"], "decoded alone", single["decoded"],
           3.0),
        of(f"bytes at the socket {table}, p50", DIALECT, NS, p50["spinning"], "without it", p50["alone"]),
        of(f"bytes at the socket {table}, p99", DIALECT, NS, p99["spinning"], "without it", p99["alone"], 2.0),
        of(f"bytes at the socket {table}, p99", DIALECT, NS, p99["spinning"], "another process spins", p99["crowded"]),
    ]  # fmt: skip
    for one in figures:
        target = "" if one.target is None else f" (target {one.target:g})"
        print(f"{one.what}: {median(one.ours):,.0f} {one.unit}, {one.other} {median(one.theirs):,.0f}: "
              f"{one.ratio:.2f} times{target}")  # fmt: skip
    if args.json is not None:
        results.write(args.json, figures, [], args.runs)


if __name__ == "__main__":
    main()
