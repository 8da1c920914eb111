"""Long runs: nothing lost, nothing torn, memory flat. ``make soak ARGS="--minutes 10"``; ``--part`` picks some.

Parts
-----
flow    1,000 contracts at 200 ticks/s each over a loopback socket, for ``--minutes``: every tick of every contract in
        order, process memory flat after the first fifth.
rings   10^9 records through the overwriting and the segmented ring, by a producer without the GIL (tests/stress).
shared  processes that publish and processes that look are killed (kill -9) at random moments, for ``--minutes``: what
        others see is whole, in sequence, with exact gaps, and the name is free again (tests/stress).
hostile 100,000 hostile connections to one simulated gateway, whose well-behaved client must notice nothing.
orders  100,000 random lives of orders with faults against the simulated gateway (tools/histories.py), on every core;
        ``--histories`` and ``--seed`` choose others. Takes most of an hour of one core; each that fails is printed at
        once, with its seed.
journal programs killed at random while they send orders, for ``--minutes``: what was sent is in their journals
        (tests/stress/journal_kill.py).

A part that finds something says what, and the exit code is 1.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from decimal import Decimal
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Final

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

CONTRACTS: Final = 1000
HISTORIES: Final = 100_000
FIRST_SEED: Final = 1_000_000
_HUNDRED: Final = 100
_TELL: Final = 1_000
TICKS_PER_S: Final = 200
CYCLE: Final = 1000
"""A contract's ticks count up to this and begin again."""
_SEND_S: Final = 30
GROWTH_BYTES: Final = 8 << 20
"""Memory may vary by this much between the second fifth and the end."""


def _frames(version: int) -> list[bytes]:
    """For each tick number of the cycle: one frame of every contract, joined."""
    from ibwire.types import incoming as m
    from ibwire.wire.codec import Codec, Role
    from ibwire.wire.framing import frame

    codec = Codec(version, Role.GATEWAY)
    return [
        b"".join(frame(codec.encode(m.TickSize(reqId, 0, Decimal(n)))) for reqId in range(CONTRACTS))
        for n in range(CYCLE)
    ]


def _send(version: int, seconds: float, pipe: Connection) -> None:
    """The gateway's side, in a process of its own: handshake, then every contract's ticks, evenly."""
    from ibwire.types import incoming as m
    from ibwire.wire.codec import Codec, Role
    from ibwire.wire.framing import frame

    rows = _frames(version)
    codec = Codec(version, Role.GATEWAY)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        pipe.send(listener.getsockname()[1])
        sock, _ = listener.accept()
    with sock:
        sock.settimeout(_SEND_S)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.recv(1 << 16)
        sock.sendall(frame(f"{version}\0{time.strftime('%Y%m%d %H:%M:%S UTC', time.gmtime())}\0".encode()))
        sock.recv(1 << 16)  # startApi
        for message in (m.ManagedAccounts("DU0000001"), m.NextValidId(1)):
            sock.sendall(frame(codec.encode(message)))
        rounds = int(seconds * TICKS_PER_S)
        begin = time.monotonic()
        late = 0
        for number in range(rounds):
            sock.sendall(rows[number % CYCLE])
            ahead = begin + (number + 1) / TICKS_PER_S - time.monotonic()
            if ahead > 0:
                time.sleep(ahead)
            else:
                late += 1
        pipe.send((rounds, late))
        pipe.recv()  # the other side has everything


class Checker:
    """Holds every record against what its contract must bring next."""

    def __init__(self) -> None:
        import numpy as np

        from ibwire.ring.records import dtype

        self._np = np
        self._tick = dtype("TICK_SIZE")
        self._kind = 2
        self._next = np.zeros(CONTRACTS, np.int64)
        self.ticks = 0
        self.failures: list[str] = []

    def take(self, batch: Any) -> None:
        """Check one batch: each row of a round is there, in the order of the contracts."""
        np = self._np
        ticks = batch[batch["kind"] == self._kind].view(self._tick)
        if not len(ticks):
            return
        order = np.argsort(ticks["key"], kind="stable")
        keys, sizes = ticks["key"][order], ticks["size"][order].astype(np.int64)
        first = np.r_[True, keys[1:] != keys[:-1]]
        starts = np.flatnonzero(first)
        within = np.arange(len(keys)) - np.repeat(starts, np.diff(np.r_[starts, len(keys)]))
        wanted = (self._next[keys] + within) % CYCLE
        wrong = np.flatnonzero(sizes != wanted)
        if len(wrong):
            at = wrong[0]
            self.failures.append(f"contract {keys[at]}: tick {sizes[at]} where {wanted[at]} was due")
        self._next[keys[starts]] = (self._next[keys[starts]] + np.diff(np.r_[starts, len(keys)])) % CYCLE
        self.ticks += len(ticks)


def _resident_bytes() -> int:
    with open("/proc/self/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def flow(minutes: float, version: int) -> list[str]:
    """Run the flow part; returns what was found wrong."""
    from ibwire.io.link import Link

    here, there = multiprocessing.Pipe()
    sender = multiprocessing.get_context("spawn").Process(target=_send, args=(version, minutes * 60, there))
    sender.start()
    port = here.recv()
    found: list[str] = []
    checker = Checker()
    memory: list[int] = []
    with Link.open(port=port, max_server_version=version, market="every", start=False) as link:
        cursor = link.cursor()
        link.start()
        begin = time.monotonic()
        limit = minutes * 60 + _SEND_S
        total = int(minutes * 60 * TICKS_PER_S) * CONTRACTS
        while checker.ticks < total and not checker.failures and time.monotonic() - begin < limit:
            if not cursor.wait(1.0):
                link.check()
            while len(batch := cursor.poll(1 << 14)):
                checker.take(batch)
            if time.monotonic() - begin > len(memory):
                memory.append(_resident_bytes())
        if cursor.gap:
            found.append(f"{cursor.gap} records were given up")
        if checker.ticks != total:
            found.append(f"{checker.ticks:,} of {total:,} ticks came")
        found += checker.failures
        if here.poll(_SEND_S):
            rounds, late = here.recv()
            print(
                f"flow: {checker.ticks:,} ticks at version {version}, {late:,} of {rounds:,} rounds sent late",
                flush=True,
            )
        here.send("done")
    sender.join(_SEND_S)
    settled = memory[len(memory) // 5 :]
    print(f"flow: memory {min(settled) >> 20} to {max(settled) >> 20} MiB after the first fifth", flush=True)
    if max(settled) - min(settled) > GROWTH_BYTES:
        found.append(f"memory went from {min(settled):,} to {max(settled):,} bytes")
    return found


def rings(minutes: float, version: int) -> list[str]:
    """10^9 records through the rings of tests/stress."""
    env = {**os.environ, "IBWIRE_STRESS_RECORDS": str(10**9 // 4)}
    command = [sys.executable, "-m", "pytest", "-q", "tests/stress/test_rings.py"]
    done = subprocess.run(command, cwd=ROOT, env=env, check=False)
    return [f"pytest ended with {done.returncode}"] if done.returncode else []


def shared(minutes: float, version: int) -> list[str]:
    """Kills in shared memory, each round with a seed of its own."""
    end, seed = time.monotonic() + minutes * 60, 1000
    while time.monotonic() < end:
        env = {**os.environ, "IBWIRE_STRESS_KILLS": "50", "IBWIRE_STRESS_SEED": str(seed)}
        command = [sys.executable, "-m", "pytest", "-q", "tests/stress/test_tables.py", "-k", "killed"]
        done = subprocess.run(command, cwd=ROOT, env=env, stdout=subprocess.PIPE, text=True, check=False)
        if done.returncode:
            print(done.stdout, flush=True)
            return [f"pytest ended with {done.returncode} with IBWIRE_STRESS_SEED={seed}"]
        seed += 2
    return []


def hostile(minutes: float, version: int) -> list[str]:
    """Hostile clients of tests/stress."""
    command = [sys.executable, "tests/stress/hostile_clients.py", "--connections", "100000"]
    done = subprocess.run(command, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}, check=False)
    return [f"hostile_clients ended with {done.returncode}"] if done.returncode else []


def _hundred(first: int) -> tuple[int, list[str]]:
    from tools.histories import run_many

    return first, run_many(_HUNDRED, first)[0]


def orders(minutes: float, version: int, count: int = HISTORIES, seed: int = FIRST_SEED) -> list[str]:
    """Histories by the hundred, each with a seed of its own; all of them, whatever some find."""
    failures: list[str] = []
    done, begin = 0, time.monotonic()
    with multiprocessing.get_context("spawn").Pool() as pool:
        for _, found in pool.imap_unordered(_hundred, range(seed, seed + count, _HUNDRED)):
            done += _HUNDRED
            for text in found:
                print(f"orders: {text}", flush=True)
            failures += found
            if done % _TELL == 0:
                seconds = time.monotonic() - begin
                print(f"orders: {done:,} histories, {len(failures)} failed, {seconds:.0f} s", flush=True)
    print(f"orders: {done:,} histories, {len(failures)} failed", flush=True)
    return failures


def journal(minutes: float, version: int) -> list[str]:
    """Programs killed at random."""
    command = [sys.executable, "-m", "tests.stress.journal_kill", "--minutes", str(minutes)]
    done = subprocess.run(command, cwd=ROOT, check=False)
    return [f"journal_kill ended with {done.returncode}"] if done.returncode else []


PARTS: Final[dict[str, Callable[[float, int], list[str]]]] = {
    "flow": flow,
    "orders": orders,
    "journal": journal,
    "rings": rings,
    "shared": shared,
    "hostile": hostile,
}


def main() -> int:
    parser = argparse.ArgumentParser(description="long runs: no loss, flat memory")
    parser.add_argument("--part", action="append", choices=sorted(PARTS), help="only this part (may be repeated)")
    parser.add_argument("--minutes", type=float, default=10.0, help="length of those parts that have one (default 10)")
    parser.add_argument("--server-version", type=int, default=176)
    parser.add_argument("--histories", type=int, default=HISTORIES, help="of the part orders (default 100,000)")
    parser.add_argument("--seed", type=int, default=FIRST_SEED, help="the first of them")
    args = parser.parse_args()
    chosen = partial(orders, count=args.histories, seed=args.seed)
    parts: dict[str, Callable[[float, int], list[str]]] = {**PARTS, "orders": chosen}
    failed = False
    for name in args.part or PARTS:
        begin = time.monotonic()
        found = parts[name](args.minutes, args.server_version)
        failed |= bool(found)
        print(f"{name}: {'; '.join(found) or 'nothing found'} ({time.monotonic() - begin:.0f} s)", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
