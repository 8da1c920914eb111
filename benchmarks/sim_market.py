"""What the simulated market costs.

    python -m benchmarks.sim_market [--seconds 10] [--hours 24] [--part lines --part day --part start]

`lines`: 1,000 market data lines of 1,000 stocks at 100 changes a second each, made, told and encoded for one client,
each change on its own and gathered at IB's cadence; processor time of one process, no socket. `day`: `ibwire sim
--speed virtual` itself, 24 virtual hours of 100 instruments of which 10 are subscribed, with a client that reads
everything.
`start`: `ibwire sim` from nothing to a connection. On a machine that others use too the processor time says more than
the clock on the wall, and the best of several seconds or runs more than their middle.
"""

from __future__ import annotations

import argparse
import gc
import re
import resource
import socket
import subprocess
import sys
import threading
import time
from contextlib import ExitStack
from statistics import median
from typing import Any, Final

from benchmarks.child import ROOT
from ibwire.cli.sim import COLLECT_AFTER
from ibwire.sim.client import ClientSession
from ibwire.sim.clock import NS_PER_S
from ibwire.sim.gateway import Gateway
from ibwire.types import incoming, outgoing, structs
from ibwire.wire.codec import Codec, Role
from ibwire.wire.framing import frame

LINES: Final = 1000
CHANGES_PER_S: Final = 100
INSTRUMENTS: Final = 100
SUBSCRIBED: Final = 10
DAY_RATES: Final = (1, 20)  # changes a second and instrument; 20 is what ibwire sim does
STARTS: Final = 9
TARGETS: Final = {"lines": 100.0, "day": 60.0, "start": 300.0}
PATIENCE_S: Final = 1800.0


def stock(number: int) -> structs.Contract:
    return structs.Contract(symbol=f"S{number}", secType="STK", exchange="SMART", currency="USD")


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
    """One line of the table."""
    gateway = Gateway(7, ticks_per_s=CHANGES_PER_S, conflate=conflate)
    gateway.max_lines = LINES
    session = gateway.connect("client", 225)
    session.receive(outgoing.StartApi(1))
    for number in range(LINES):
        session.receive(outgoing.ReqMktData(number, stock(number)))
    session.take()
    encoder = Encoder(session)
    count, used = 0, []
    for _ in range(seconds):
        begun = time.process_time()
        for _ in range(20):
            gateway.advance(gateway.clock.now_ns + NS_PER_S // 20)
            count += encoder.size()[0]
        used.append(100 * (time.process_time() - begun))
    how = "gathered" if conflate else "each change"
    print(
        f"lines  {how:12} {count / seconds:12,.0f} messages/s   % of a core: {min(used):5.1f} best second, "
        f"{median(used):5.1f} median   (below {TARGETS['lines']:.0f})"
    )


def day(ticks_per_s: int, hours: float) -> None:
    """One line of the table: the program itself, and a client that reads."""
    codec = Codec(225, Role.CLIENT)
    requests: list[Any] = [outgoing.StartApi(1)]
    for number in range(INSTRUMENTS):
        requests.append(outgoing.ReqContractDetails(number, stock(number)))
        if number < SUBSCRIBED:
            requests.append(outgoing.ReqMktData(number, stock(number)))
    hello = b"API\0" + frame(b"v225..225") + b"".join(frame(codec.encode(request)) for request in requests)
    question = 100 * frame(codec.encode(outgoing.ReqCurrentTime()))  # a virtual second passes after each
    last = frame(codec.encode(outgoing.ReqPositions()))
    end = frame(Codec(225, Role.GATEWAY).encode(incoming.PositionEnd()))

    def ask(client: socket.socket) -> None:
        client.sendall(hello)
        for _ in range(round(hours * 36)):
            client.sendall(question)
        client.sendall(last)

    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    command = [sys.executable, "-m", "ibwire", "sim", "--speed", "virtual", "--rate", str(ticks_per_s)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as program:
        assert program.stdout is not None
        found = re.search(r"127\.0\.0\.1:(\d+)", program.stdout.readline())
        assert found is not None
        with ExitStack() as stack:
            stack.callback(program.terminate)
            client = stack.enter_context(socket.create_connection(("127.0.0.1", int(found[1])), PATIENCE_S))
            begun = time.perf_counter()
            asker = threading.Thread(target=ask, args=(client,), daemon=True)
            asker.start()
            count, tail = 0, b""
            while end not in tail:
                data = client.recv(1 << 20)
                if not data:
                    raise RuntimeError("ibwire sim hung up")
                count += len(data)
                tail = tail[-len(end) :] + data
            wall_s = time.perf_counter() - begun
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    print(
        f"day    rate {ticks_per_s:<7} {hours:4g} virtual h {count / 1e6:8.1f} MB   {wall_s:6.1f} s on the wall, "
        f"{cpu_s:6.1f} s of processor time   (24 h below {TARGETS['day']:.0f} s)"
    )


def start() -> None:
    """The last line of the table."""
    walls, cpus = [], []
    for _ in range(STARTS):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        begun = time.perf_counter()
        command = [sys.executable, "-m", "ibwire", "sim", "--seed", "7"]
        with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as program:
            assert program.stdout is not None
            found = re.search(r"127\.0\.0\.1:(\d+)", program.stdout.readline())
            assert found is not None
            socket.create_connection(("127.0.0.1", int(found[1])), PATIENCE_S).close()
            walls.append(1000 * (time.perf_counter() - begun))
            program.terminate()
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        cpus.append(1000 * (after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime))
    print(
        f"start  to a connection: {min(walls):5.0f} ms best, {median(walls):5.0f} ms median   (below "
        f"{TARGETS['start']:.0f}); whole start, with what is imported after it: {min(cpus):5.0f} ms of processor time"
    )


def main() -> None:
    """Print a line for each figure."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=int, default=10)
    parser.add_argument("--hours", type=float, default=24.0)
    parser.add_argument("--part", action="append", choices=TARGETS)
    args = parser.parse_args()
    parts = args.part or list(TARGETS)
    gc.set_threshold(COLLECT_AFTER, 10, 10)  # as ibwire sim does
    if "start" in parts:
        start()
    if "lines" in parts:
        lines(args.seconds, conflate=False)
        lines(args.seconds, conflate=True)
    if "day" in parts:
        for rate in DAY_RATES:
            day(rate, args.hours)


if __name__ == "__main__":
    main()
