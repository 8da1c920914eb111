"""Memory after a flood: a consumer that fell behind and caught up keeps none of it, also when nothing more comes."""

from __future__ import annotations

import subprocess
import sys
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from ibwire.io.link import Link
from ibwire.types import incoming as m
from tests.unit.io.peer import Connection, Peer

COUNT = 100_000
ROOT = Path(__file__).resolve().parents[3]

# In a process of its own: resident memory is the whole process's.
FLOOD = """
import os, sys, threading
from decimal import Decimal
from ibwire.io.link import Link
from ibwire.types import incoming as m
from tests.unit.io.peer import Connection, Peer

COUNT, BLOCK = 600_000, 10_000
records = sys.argv[1] == "every"

def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")

def flood(conn):
    conn.payload()
    block = conn.wire(*[m.TickPrice(n % 50, 1, 100.25, Decimal(n)) for n in range(BLOCK)])
    while conn.payload() is not None:
        for _ in range(COUNT // BLOCK):
            conn.sock.sendall(block)

def take(cursor, link, got, until):
    while got < until:
        seen = link.bell.count
        found = len(cursor.poll(256))
        got += found
        if not found and not link.bell.wait(seen, 20_000):
            sys.exit(f"{got} of {COUNT} came: {link.closed_reason}")
    return got

with Peer(flood) as peer, Link.open("127.0.0.1", peer.port, records=records, market="every", start=False) as link:
    # Without records the raw market data lies in the order ring.
    ring = link.every if records else link.orders
    cursor = ring.cursor()
    link.start()
    link.send(b"go")
    # Some of it as it comes, so that segments are given back and used again; then none.
    got = take(cursor, link, 0, COUNT // 4)
    before = resident()
    assert link.bell.wait_until(lambda: link.decoder.watermark >= COUNT, 60_000)
    held = ring.held_bytes
    assert take(cursor, link, got, COUNT) == COUNT
    pause = threading.Event()
    for _ in range(200):  # only the reader gives memory back, and nothing wakes it
        if ring.held_bytes <= 2 << 20:
            break
        pause.wait(0.05)
    print(held, ring.held_bytes, resident() - before)
"""


@pytest.mark.parametrize("ring", ["every", "payloads"])
def test_a_flood_that_was_taken_leaves_no_memory_behind(ring: str) -> None:
    run = subprocess.run([sys.executable, "-c", FLOOD, ring], cwd=ROOT, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    most, held, grown = map(int, run.stdout.split())
    assert most > 20 << 20
    assert held <= 2 << 20
    assert grown < 8 << 20


def test_a_connection_that_ends_gives_back_what_was_read() -> None:
    def flood(conn: Connection) -> None:
        conn.payload()
        conn.send(*[m.TickPrice(1, 1, 100.25, Decimal(n)) for n in range(COUNT)])
        while conn.payload() is not None:
            pass

    with Peer(flood) as peer, Link.open("127.0.0.1", peer.port, market="every") as link:
        ring: Any = link.every
        cursor = ring.cursor()
        link.send(b"go")
        assert link.bell.wait_until(lambda: link.decoder.watermark >= COUNT, 20_000)
        got = 0
        while got < COUNT:
            got += len(cursor.poll(16384))
        link.close()
        assert ring.held_bytes <= 2 << 20
