"""Hostile clients by the thousand against one simulated gateway: garbage, half handshakes, strangers, broken requests.

``python tests/stress/hostile_clients.py --connections 100000 --seed 1`` (`make soak` calls it). After every batch a
well-behaved client that was connected all along must still get its answers, and nobody else's.
"""

from __future__ import annotations

import argparse
import socket
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from ibwire.sim.rng import Rng
from ibwire.sim.server import Server, serve
from ibwire.types import incoming as i
from ibwire.types import outgoing as o
from ibwire.types.structs import Contract
from ibwire.wire.codec import Codec, Role
from ibwire.wire.framing import Framer, frame

VERSIONS: Final = (100, 157, 176, 200, 201, 203, 213, 225)
AAPL: Final = Contract(symbol="AAPL", secType="STK", exchange="SMART", currency="USD")
_BATCH: Final = 20  # hostile connections open at once; the gateway takes 32 clients
_PATIENCE_S: Final = 20.0
_HELLO: Final = b"API\0"


def noise(rng: Rng, length: int) -> bytes:
    """So many drawn bytes."""
    return b"".join(rng.next_u64().to_bytes(8, "big") for _ in range(length // 8 + 1))[:length]


def greeting(rng: Rng) -> bytes:
    """A handshake of a drawn version and a startApi with a drawn client id."""
    version = rng.choice(VERSIONS)
    started = Codec(version, Role.CLIENT).encode(o.StartApi(rng.between(2, 40)))
    return _HELLO + frame(b"v100..%d" % version) + frame(started)


def _requests(rng: Rng) -> list[bytes]:
    """Valid requests of one version, encoded."""
    codec = Codec(rng.choice(VERSIONS), Role.CLIENT)
    messages = (
        *(o.ReqMktData(rng.below(5), AAPL), o.ReqPositions(), o.ReqContractDetails(1, AAPL), o.ReqCurrentTime()),
        *(o.ReqHistoricalData(3, AAPL, "", "1 D", "1 min", "TRADES", 1, 1, False), o.ReqAccountSummary(4, "All", "x")),
    )
    return [frame(codec.encode(message)) for message in messages]


def broken_fields(rng: Rng) -> bytes:
    """Requests in whole frames whose contents were changed."""
    out = bytearray(greeting(rng))
    for request in _requests(rng):
        changed = bytearray(request)
        for _ in range(rng.between(1, 4)):
            changed[rng.between(4, len(changed) - 1)] = rng.below(256)
        out += changed
    return bytes(out)


# What a hostile client sends, by name.
KINDS: Final[dict[str, Callable[[Rng], bytes]]] = {
    "nothing": lambda rng: b"",
    "garbage": lambda rng: noise(rng, rng.between(1, 3000)),
    "half a handshake": lambda rng: greeting(rng)[: rng.between(1, 20)],
    "garbage for a version": lambda rng: _HELLO + frame(noise(rng, rng.between(1, 60))),
    "TLS": lambda rng: b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + noise(rng, 500),
    "HTTP": lambda rng: b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "too long a frame": lambda rng: greeting(rng) + b"\xff\xff\xff\xf0" + noise(rng, 200),
    "an empty frame": lambda rng: greeting(rng) + b"\0\0\0\0",
    "an unknown message": lambda rng: greeting(rng) + frame(b"9999\0001\0") + frame(b"\0\0\x27\x0fx"),
    "noise in frames": lambda rng: greeting(rng) + b"".join(frame(noise(rng, rng.between(1, 80))) for _ in range(8)),
    "broken fields": broken_fields,
    "no startApi": lambda rng: _HELLO + frame(b"v100..225") + b"".join(_requests(rng)),
    "twice": lambda rng: greeting(rng) * 2,
    "half a request": lambda rng: greeting(rng) + _requests(rng)[0][: rng.between(1, 30)],
    "a message that goes on and on": lambda rng: greeting(rng) + (60_000).to_bytes(4, "big") + noise(rng, 3000),
}

# What the gateway must answer with the end of the connection.
MUST_CLOSE: Final = frozenset({"TLS", "HTTP", "too long a frame", "an empty frame"})


@dataclass(slots=True)
class Outcome:
    """What happened: connections by kind, how many the gateway closed first, answers that the witness got, and requests
    that the gateway could not answer because of a defect of its own."""

    connections: Counter[str] = field(default_factory=Counter)
    closed_by_gateway: int = 0
    witness_answers: int = 0
    defects: list[str] = field(default_factory=list)


class Witness:
    """A client that behaves, connected all along."""

    def __init__(self, server: Server) -> None:
        self.socket = socket.create_connection((server.host, server.port), _PATIENCE_S)
        self.codec, self.framer = Codec(225, Role.CLIENT), Framer()
        self.socket.sendall(_HELLO + frame(b"v100..225"))
        self.payload()
        self.ask(o.StartApi(1))
        self.ask(o.ReqMktData(7, AAPL))

    def payload(self) -> bytes:
        while (found := self.framer.next()) is None:
            data = self.socket.recv(65_536)
            if not data:
                raise AssertionError("the gateway hung up on a client that behaves")
            self.framer.feed(data)
        return found

    def ask(self, message: object) -> None:
        self.socket.sendall(frame(self.codec.encode(message)))

    def check(self) -> None:
        """Ask for the time and read up to the answer; anything strange on the way raises."""
        self.ask(o.ReqCurrentTime())
        while True:
            message = self.codec.decode(self.payload())
            if isinstance(message, i.Error) and message.errorCode < 2000:
                raise AssertionError(f"an error of somebody else: {message}")
            if isinstance(message, i.TickPrice | i.TickSize) and message.reqId != 7:
                raise AssertionError(f"somebody else's tick: {message}")
            if isinstance(message, i.CurrentTime):
                return


def attack(server: Server, connections: int, seed: int) -> Outcome:
    """Make so many hostile connections, and let a witness look after each batch. Raises when anything suffers."""
    rng, outcome = Rng.of(seed, "hostile"), Outcome()
    witness = Witness(server)
    names = list(KINDS)
    for begin in range(0, connections, _BATCH):
        numbers = range(begin, min(begin + _BATCH, connections))
        batch = [_open(server, rng, names[number % len(names)], outcome) for number in numbers]
        for _ in range(2):  # the second answer comes when all of the batch was looked at
            witness.check()
        outcome.witness_answers += 1
        outcome.defects += [problem for problem in server.problems if "could not be processed" in problem]
        server.problems.clear()
        for number, raw in zip(numbers, batch, strict=True):
            outcome.closed_by_gateway += _leave(raw, rng, names[number % len(names)] in MUST_CLOSE)
    witness.check()
    witness.socket.close()
    return outcome


def _open(server: Server, rng: Rng, name: str, outcome: Outcome) -> socket.socket:
    outcome.connections[name] += 1
    raw = socket.create_connection((server.host, server.port), _PATIENCE_S)
    data = KINDS[name](rng)
    try:
        cut = rng.below(len(data) + 1) if rng.chance(1, 3) else len(data)
        raw.sendall(data[:cut])
        raw.sendall(data[cut:])
    except OSError:  # hung up on already
        pass
    return raw


def _leave(raw: socket.socket, rng: Rng, must_close: bool) -> bool:
    """Leave in one of several ways; True when the gateway had closed the connection (or must: waits for it)."""
    if not must_close:
        raw.setblocking(False)
    closed = False
    try:
        while data := raw.recv(65_536):
            closed = not data
        closed = True
    except BlockingIOError:
        pass
    except TimeoutError:
        raise AssertionError("the gateway did not hang up on a stranger") from None
    except OSError:
        closed = True
    if rng.chance(1, 2):
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")  # a reset instead of a close
    raw.close()
    return closed


def main(argv: list[str] | None = None) -> int:
    """Run it from the command line; prints what happened."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--connections", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args(argv)
    begin = time.monotonic()
    with serve(seed=args.seed, rate=20) as server:
        outcome = attack(server, args.connections, args.seed)
        left = server.call(lambda gateway: len(gateway.sessions))
    took = time.monotonic() - begin
    print(
        f"{sum(outcome.connections.values()):,} hostile connections in {took:.1f} s, "
        f"{outcome.closed_by_gateway:,} closed by the gateway; "
        f"the witness got {outcome.witness_answers:,} answers; {left} sessions left; seed {args.seed}"
    )
    for defect in sorted(set(outcome.defects)):
        print(defect, file=sys.stderr)
    return 1 if outcome.defects else 0


if __name__ == "__main__":
    sys.exit(main())
