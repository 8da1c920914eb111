"""The same seed, scenario and client bytes give the same server bytes, on virtual time."""

from __future__ import annotations

import hashlib
import os
import socket

import pytest

from ibwire.sim.direct import Direct
from ibwire.sim.rng import Rng
from ibwire.sim.scenario import names
from ibwire.sim.server import serve
from ibwire.types import outgoing as o
from ibwire.types.structs import OrderCancel
from ibwire.wire.codec import Codec, Role
from ibwire.wire.framing import Framer, frame

from .drive import AAPL, order, place

TEN = (
    *("late-fill", "stale-status", "corrupted-bytes", "partial-frames", "coalesced-frames", "nightly-restart"),
    *("farm-flap", "oca-overfill", "execution-corrected", "outage-data-lost"),
)
RANDOM_RUNS = 6


def run(scenario: str | None, seed: int, version: int, steps: int = 20) -> str:
    """Play random requests, drawn from the seed, and return the hash of every byte and when it came."""
    rng = Rng.of(seed, "client", version)
    desk = Direct(scenario, seed=seed)
    found = hashlib.sha256()
    client = desk.client(version)
    orderId = 0
    for _ in range(steps):
        if client.closed and not desk.gateway.is_down:
            client = desk.client(version)
        if not client.closed and client.codec is not None:
            drawn = rng.below(6)
            if drawn == 0:
                client.ask(o.ReqMktData(100 + rng.below(3), AAPL))
            elif drawn in (1, 2):
                orderId += 1
                place(client, orderId, order(("BUY", "SELL")[rng.below(2)], limit=150.0 + rng.below(80)))
            elif drawn == 3 and orderId:
                client.ask(o.CancelOrder(1 + rng.below(orderId), OrderCancel()))
            elif drawn == 4:
                client.ask(o.ReqExecutions(900), o.ReqPositions())
            else:
                client.send_bytes(frame(rng.next_u64().to_bytes(8, "big")))
        desk.advance(rng.between(1, 4000) / 1000)
        for one in desk.clients:
            found.update(len(one.received).to_bytes(8, "big") + bytes([one.closed]))
    for one in desk.clients:
        found.update(one.received)
    return found.hexdigest()


def check(scenario: str | None, seed: int, version: int) -> None:
    first, second = (run(scenario, seed, version) for _ in range(2))
    where = "python -m pytest tests/scenario/test_determinism.py -k random_run"
    assert first == second, (
        f"seed {seed}, scenario {scenario}, version {version}: two runs differ; to repeat it: "
        f"IBWIRE_SEED={seed} {where}"
    )


@pytest.mark.parametrize("scenario", TEN)
def test_ten_scenarios_twice(scenario: str) -> None:
    assert scenario in names()
    check(scenario, 11, 225)


def seeds() -> list[int]:
    """Those asked for with IBWIRE_SEED, or a few."""
    wanted = os.environ.get("IBWIRE_SEED")
    return [int(wanted)] if wanted else list(range(RANDOM_RUNS))


@pytest.mark.parametrize("seed", seeds())
def test_random_run(seed: int) -> None:
    rng = Rng.of(seed, "which")
    check(rng.choice(names()), seed, rng.choice((100, 176, 200, 203, 213, 225)))


def test_other_seeds_give_other_bytes() -> None:
    assert run("late-fill", 1, 225) != run("late-fill", 2, 225)


def over_a_socket(pieces: int) -> bytes:
    """One session over a real socket on virtual time that moves one second per request."""
    codec = Codec(225, Role.CLIENT)
    requests = [
        *(o.StartApi(1), o.ReqMktData(7, AAPL), o.PlaceOrder(1, AAPL, order()), o.ReqExecutions(9)),
        *(o.ReqPositions(), o.ReqCurrentTime()),
    ]
    data = b"API\0" + frame(b"v100..225") + b"".join(frame(codec.encode(message)) for message in requests)
    received = b""
    with serve(seed=5, scenario="stale-status", virtual=True, step_s=1.0) as running:
        with socket.create_connection((running.host, running.port), 20) as raw:
            for at in range(0, len(data), pieces):
                raw.sendall(data[at : at + pieces])
            framer = Framer()
            while True:
                received += (got := raw.recv(65_536))
                framer.feed(got)
                while (payload := framer.next()) is not None:
                    if len(received) > 40 and payload[:4] == (49 + 200).to_bytes(4, "big"):
                        return received


def test_a_real_socket_gives_the_same_bytes_however_the_requests_are_cut() -> None:
    assert over_a_socket(10_000) == over_a_socket(7)


def test_virtual_time_moves_only_when_told() -> None:
    with serve(virtual=True) as running:
        before = running.call(lambda gateway: gateway.clock.now_ns)
        running.advance(2.5)
        assert running.call(lambda gateway: gateway.clock.now_ns) == before + 2_500_000_000
    with serve() as running, pytest.raises(RuntimeError, match="virtual=True"):
        running.advance(1.0)
