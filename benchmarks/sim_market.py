"""What the simulated market costs, CPU time of one process on one core, no socket.

    python -m benchmarks.sim_market [--seconds 5]

`lines`: 1,000 market data lines of 1,000 stocks at 100 changes/s each, made, told and encoded for one client, told each
on its own and gathered at IB's cadence. `day`: 24 virtual hours of 100 instruments, 10 of them subscribed.
"""

from __future__ import annotations

import argparse
import time
from typing import Any

from ibwire.sim.client import ClientSession
from ibwire.sim.clock import NS_PER_S
from ibwire.sim.gateway import Gateway
from ibwire.types import outgoing, structs
from ibwire.wire.codec import Codec, Role
from ibwire.wire.framing import frame


def opened(gateway: Gateway, count: int, subscribed: int) -> ClientSession:
    """One client with lines."""
    gateway.max_lines = count
    session = gateway.connect("client", 225)
    session.receive(outgoing.StartApi(1))
    for number in range(count):
        stock = structs.Contract(symbol=f"S{number}", secType="STK", exchange="SMART", currency="USD")
        session.receive(outgoing.ReqContractDetails(number, stock))
        if number < subscribed:
            session.receive(outgoing.ReqMktData(number, stock))
    session.take()
    return session


class Encoder:
    """As the server encodes (`ibwire.sim.peer`)."""

    def __init__(self, session: ClientSession) -> None:
        self.session, self.codec = session, Codec(225, Role.GATEWAY)
        session.to_frame = self.frame

    def frame(self, message: Any) -> bytes:
        """One message as it goes onto the wire."""
        return frame(self.codec.encode(message))

    def size(self) -> tuple[int, int]:
        """(Messages, bytes) of what waits."""
        messages, batch = self.session.take(), bytearray()
        for message in messages:
            batch += message if type(message) is bytes else self.frame(message)
        return len(messages), len(batch)


def lines(seconds: int, conflate: bool) -> None:
    gateway = Gateway(7, ticks_per_s=100, conflate=conflate)
    session = opened(gateway, 1000, 1000)
    encoder = Encoder(session)
    count = 0
    begun = time.process_time()
    for _ in range(20 * seconds):
        gateway.advance(gateway.clock.now_ns + NS_PER_S // 20)
        count += encoder.size()[0]
    used = time.process_time() - begun
    how = "gathered" if conflate else "each change"
    print(f"lines  {how:12} {count / seconds:12,.0f} messages/s  {100 * used / seconds:6.1f} % of a core")


def day(ticks_per_s: int, encode: bool) -> None:
    gateway = Gateway(7, ticks_per_s=ticks_per_s)
    session = opened(gateway, 100, 10)
    encoder = Encoder(session) if encode else None
    count = 0
    begun = time.process_time()
    for _ in range(24 * 60):
        gateway.advance(gateway.clock.now_ns + 60 * NS_PER_S)
        count += encoder.size()[0] if encoder is not None else len(session.take())
    used = time.process_time() - begun
    what = "encoded" if encode else "not encoded"
    print(f"day    rate {ticks_per_s:3} {what:12} {count:12,} messages  {used:6.1f} s")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=int, default=5)
    seconds = parser.parse_args().seconds
    lines(seconds, conflate=False)
    lines(seconds, conflate=True)
    day(1, encode=True)
    day(20, encode=False)


if __name__ == "__main__":
    main()
