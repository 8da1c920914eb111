"""The table goes on while a thread of the program has the GIL and does not give it back."""

from __future__ import annotations

import ctypes
import os
import socket
import subprocess
import sys
from importlib import import_module

from ibwire.io import clock, shm
from ibwire.io.reader import Ending, Receiving, make_reader
from ibwire.io.wait import RegionBell
from ibwire.ring import impl
from ibwire.ring.tables import live_tables
from ibwire.spec.orderstates import State

CLIENT = 1
CHILD = """
import os, socket, sys, time
from ibwire.io import shm
from ibwire.ring.tables import tables_of
from ibwire.spec.orderstates import State
from ibwire.wire.framing import frame

name, fd, done = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
region, _ = shm.attach_region(name)
rows = tables_of(region).orders
fields = ("3", "1", "Submitted", "40", "60", "10.5", "55", "0", "10.5", "1", "", "0")
until = time.monotonic() + 20
socket.socket(fileno=fd).sendall(frame("".join(field + "\\0" for field in fields).encode()))
while (row := rows.read(1, 1)).state != State.PARTIALLY_FILLED and time.monotonic() < until:
    pass
os.write(done, b"%d" % row.remaining if row.remaining == row.remaining else b"nothing")
"""


def test_a_message_is_in_the_table_while_nobody_else_gets_the_gil() -> None:
    name = f"gil-{os.getpid()}"
    segment = shm.create(name, market_records=1 << 10, tape_bytes=1 << 16, quotes=64, orders=64)
    rings = import_module("ibwire._ring")
    ours, theirs = socket.socketpair()
    told, done = os.pipe()
    market, orders = rings.MarketRing(segment.region), rings.LogRing(tape=rings.Tape(segment.region), origin=1)
    rows = live_tables(market, orders, CLIENT).orders
    decoder = impl.StreamDecoder(176, market, orders, rings.LogRing())
    endings: list[Ending] = []
    reader = make_reader(ours, decoder, RegionBell(segment.region), endings.append, how=Receiving())
    try:
        rows.place(1, clock.now_ns(), quantity=100.0, quantity_digits=0)
        reader.start()
        arguments = [sys.executable, "-c", CHILD, name, str(theirs.fileno()), str(done)]
        child = subprocess.Popen(arguments, pass_fds=[theirs.fileno(), done])
        answer = ctypes.create_string_buffer(16)
        # Called with the GIL: until the child has seen the row, no other line of Python runs in this process.
        count = ctypes.PyDLL(None).read(told, answer, 16)
        assert answer.raw[:count] == b"60"
        assert child.wait(20) == 0
        row = rows.read(CLIENT, 1)
        assert row is not None and State(row.state) is State.PARTIALLY_FILLED and row.total_filled == 40
    finally:
        reader.stop()
        assert reader.join(20_000) and len(endings) == 1
        ours.close()
        theirs.close()
        os.close(told)
        os.close(done)
        segment.close()
