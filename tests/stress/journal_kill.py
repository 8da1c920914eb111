"""Programs that are killed while they send orders, and what their journal says against what the gateway got.

    python -m tests.stress.journal_kill --minutes 10 --seed 1      (``make soak`` calls it)

runs random ones: at any step of the interpreter, and several threads killed from outside at any moment. The suite
kills at every named point instead (``test_journal_kill.py``).
"""

from __future__ import annotations

import argparse
import os
import queue
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from ibwire.io.journal_format import Kind, intent_of
from ibwire.io.journal_read import read
from ibwire.io.journal_rebuild import Rebuilt, rebuild
from ibwire.trade.orders import OrderTable
from ibwire.types import incoming, outgoing
from ibwire.wire.codec import Codec, Role
from tests.unit.io.peer import Connection, Peer

ROOT = Path(__file__).resolve().parents[2]
OPERATIONS = ("place", "cancel", "modify")
MOST_STEPS = 400
_CODEC = Codec(176, Role.GATEWAY)


class Gateway:
    """Agrees, names account and id, and keeps what is about orders until the client is gone."""

    def __init__(self) -> None:
        self.ended: queue.Queue[list[bytes]] = queue.Queue()

    def script(self, connection: Connection) -> None:
        got: list[bytes] = []
        try:
            connection.send(incoming.ManagedAccounts("DU0000001"), incoming.NextValidId(1))
            while (payload := connection.payload()) is not None:
                if isinstance(connection.codec.decode(payload), outgoing.PlaceOrder | outgoing.CancelOrder):
                    got.append(payload)
        finally:
            self.ended.put(got)


@dataclass
class Death:
    """How one program ended. `point`: where; empty when it lived."""

    point: str
    got: list[bytes]
    intents: list[bytes]
    recorded: int
    facts: Rebuilt
    table: OrderTable


class Rig:
    """Programs to be killed, a gateway for them, and their state; a context manager."""

    def __init__(self, where: Path) -> None:
        self._where = where
        self._gateway = Gateway()
        self._peer = Peer(self._gateway.script)
        command = [sys.executable, "-m", "tests.stress.journal_child"]
        self._child = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self._count = 0

    def __enter__(self) -> Self:
        self._peer.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._child:
            assert self._child.stdin is not None
            self._child.stdin.close()
        self._peer.__exit__(kind, error, trace)

    def kill(self, operation: str, where: str, after_s: float = 0) -> Death:
        """One program; `after_s`: kill it from outside then."""
        assert self._child.stdin is not None
        assert self._child.stdout is not None
        self._count += 1
        state = self._where / str(self._count)
        self._child.stdin.write(f"{operation} {where} {self._peer.port} {state}\n")
        self._child.stdin.flush()
        answer = self._child.stdout.readline().strip()
        if answer.startswith("running "):
            time.sleep(after_s)
            os.kill(int(answer.removeprefix("running ")), signal.SIGKILL)
            answer = "outside " + self._child.stdout.readline().strip()
        point, _, ending = answer.rpartition(" ")
        if ending not in ("killed", "done"):
            raise AssertionError(answer)
        got = self._gateway.ended.get(timeout=60)
        entries = list(read(state))
        table = OrderTable(1)
        facts = rebuild(state, table)
        intents = [intent_of(one).frame for one in entries if one.kind == Kind.INTENT]
        recorded = sum(one.kind == Kind.SENT for one in entries)
        shutil.rmtree(state)
        return Death(point if ending == "killed" else "", got, intents, recorded, facts, table)


def check(death: Death) -> None:
    """Raise AssertionError when something that was sent is not known."""
    got, intents, facts = death.got, death.intents, death.facts
    assert got == intents[: len(got)]  # what was sent stands there, in its order
    assert death.recorded <= len(got)
    assert len(facts.unanswered) == len(intents) - death.recorded
    sent = {message.orderId for message in map(_CODEC.decode, got)}
    assert all(view.is_uncertain for view in facts.open_orders)
    assert sent <= {view.order_id for view in facts.open_orders}
    assert facts.high_water >= max(sent, default=0)


def at_random(rig: Rig, rng: random.Random) -> str:
    """One random death; returns what it was."""
    if rng.random() < 0.3:
        after_s = rng.uniform(0, 0.05)
        death, what = rig.kill("stream", "-", after_s), f"stream after {after_s * 1000:.3f} ms"
    else:
        operation, step = rng.choice(OPERATIONS), rng.randrange(1, MOST_STEPS)
        death, what = rig.kill(operation, f"step:{step}"), f"{operation} at step {step} ({{}})"
    what = what.format(death.point or "lived")
    try:
        check(death)
    except AssertionError as error:
        error.add_note(what)
        raise
    return what.partition(" ")[0] if death.point else "lived"


def main() -> int:
    parser = argparse.ArgumentParser(description="programs killed at random; what was sent is in their journals")
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--seed", type=int, default=0, help="0: by the clock")
    args = parser.parse_args()
    seed = args.seed or time.time_ns() % 1_000_000
    rng, seen, end = random.Random(seed), Counter[str](), time.monotonic() + args.minutes * 60
    with tempfile.TemporaryDirectory() as name, Rig(Path(name)) as rig:
        while time.monotonic() < end:
            try:
                seen[at_random(rig, rng)] += 1
            except AssertionError as error:
                notes = "; ".join(getattr(error, "__notes__", ()))
                print(f"journal: seed {seed}, program {seen.total() + 1}, {notes}: {error!r}", flush=True)
                return 1
    print(f"journal: {dict(seen)}, seed {seed}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
