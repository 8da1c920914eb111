"""A process that publishes without end: ``publisher.py NAME``. Each tick says in price and size which message it is."""

from __future__ import annotations

import sys
from decimal import Decimal
from typing import Any

from ibwire import _ring
from ibwire.io import clock, shm
from ibwire.ring import impl
from ibwire.ring.tables import LiveTables, live_tables
from ibwire.types import incoming as m
from ibwire.wire.codec import Codec, Role
from ibwire.wire.framing import frame

CLIENT = 7
FRAMES = 3000
KEYS = 13
ORDERS = 5


def number_of(seq: int) -> int:
    """What the message of that sequence number says in each of its numbers."""
    return (seq - 1) % FRAMES


def messages() -> bytes:
    """Frames whose n-th says n in every number that a row takes."""
    codec = Codec(176, Role.GATEWAY)
    found: list[Any] = []
    for n in range(FRAMES):
        if n % 10 == 9:
            number = Decimal(n)
            found.append(
                m.OrderStatus(
                    orderId=n % ORDERS + 1, clientId=CLIENT, permId=n % ORDERS + 50, status=f"Sub{n:06}",
                    filled=number, remaining=number, avgFillPrice=float(n), lastFillPrice=float(n),
                )
            )  # fmt: skip
        else:
            found.append(m.TickPrice(n % KEYS, 1, float(n), Decimal(n)))
    return b"".join(frame(codec.encode(one)) for one in found)


class Producer:
    """Rings and tables of a region, fed the same frames again and again."""

    def __init__(self, region: Any) -> None:
        self.region = region
        head: Any = _ring.head_of(region)
        self.market, self.tape = _ring.MarketRing(region), _ring.Tape(region) if head["tape"][0] else None
        rings: tuple[Any, ...] = (self.market, _ring.LogRing(tape=self.tape, origin=1), _ring.LogRing())
        self.tables: LiveTables = live_tables(self.market, rings[1], CLIENT)
        self.decoder = impl.StreamDecoder(176, *rings)
        self.data = messages()

    def round(self) -> None:
        """All frames once, in pieces, so that there are many publications."""
        for at in range(0, len(self.data), 1500):
            self.decoder.receive(self.data[at : at + 1500], clock.now_ns())


def main() -> None:
    segment = shm.create(sys.argv[1], market_records=1 << 12, tape_bytes=1 << 16, quotes=64, orders=16)
    producer = Producer(segment.region)
    producer.round()
    print("ready", flush=True)
    while True:
        producer.round()


if __name__ == "__main__":
    main()
