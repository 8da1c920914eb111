"""Commands from the program against entries from the receiving thread: none is lost, each is in the table at once."""

from __future__ import annotations

import os
import socket
import threading
from decimal import Decimal
from typing import Any

from ibwire.io import clock
from ibwire.io.reader import Ending, Receiving, make_reader
from ibwire.io.wait import RegionBell
from ibwire.ring import impl
from ibwire.ring.tables import live_tables
from ibwire.spec.orderstates import State
from ibwire.types import incoming as m
from ibwire.wire.codec import Codec, Role
from ibwire.wire.framing import frame

STATUSES = max(2_000, int(os.environ.get("IBWIRE_STRESS_RECORDS", 2_000_000)) // 100)
TELLERS = 2
MINE = 2_000
CLIENT = 1
BUSY = 1


def status(n: int) -> bytes:
    told = m.OrderStatus(
        orderId=BUSY, status="Submitted", filled=Decimal(0), remaining=Decimal(n), avgFillPrice=0.0, permId=55,
        parentId=0, lastFillPrice=0.0, clientId=CLIENT, whyHeld="", mktCapPrice=0.0,
    )  # fmt: skip
    return frame(Codec(225, Role.GATEWAY).encode(told))


def test_what_is_told_is_in_the_table_when_the_call_returns_beside_a_flood_of_entries() -> None:
    made: Any = impl  # the compiled ones
    market, orders, control = made.MarketRing(1 << 10), made.LogRing(), made.LogRing()
    decoder = made.StreamDecoder(225, market, orders, control)
    rows = live_tables(market, orders, CLIENT).orders
    ours, theirs = socket.socketpair()
    endings: list[Ending] = []
    reader = make_reader(ours, decoder, RegionBell(decoder.region), endings.append, how=Receiving())
    failures: list[str] = []

    def tell(first: int) -> None:
        for order_id in range(first, first + MINE):
            rows.place(order_id, clock.now_ns(), quantity=7.0, quantity_digits=0)
            row = rows.settled(CLIENT, order_id)
            if row is None or row.state != State.SENT:
                failures.append(f"order {order_id} is {row} after it was placed")
            rows.cancel(order_id, clock.now_ns())
            row = rows.settled(CLIENT, order_id)
            if row is None or not row.cancel_requested:
                failures.append(f"order {order_id} is {row} after its cancel")

    tellers = [threading.Thread(target=tell, args=(1000 + n * MINE,)) for n in range(TELLERS)]
    blocks = [b"".join(status(n) for n in range(at, at + 100)) for at in range(1, STATUSES + 1, 100)]
    with ours, theirs:
        reader.start()
        for thread in tellers:
            thread.start()
        for block in blocks:
            theirs.sendall(block)
        for thread in tellers:
            thread.join()
        theirs.shutdown(socket.SHUT_WR)
        assert reader.join(60_000)
    assert failures == []
    busy = rows.read(CLIENT, BUSY)
    assert busy is not None and busy.statuses == STATUSES and busy.remaining == len(blocks) * 100
    assert len(endings) == 1 and busy.is_uncertain  # the receiving thread said so itself
    mine = [rows.read(CLIENT, order_id) for order_id in range(1000, 1000 + TELLERS * MINE)]
    assert all(row is not None and row.is_uncertain and row.cancel_requested for row in mine)
