"""kill -9 between every two steps of place, cancel and modify: nothing that was sent is unknown to the journal."""

from __future__ import annotations

import queue
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from ibwire.io.journal_format import Kind, intent_of
from ibwire.io.journal_read import read
from ibwire.io.journal_rebuild import rebuild
from ibwire.trade.orders import OrderTable
from ibwire.types import incoming, outgoing
from ibwire.wire.codec import Codec, Role
from tests.unit.io.peer import Connection, Peer

ROOT = Path(__file__).resolve().parents[2]
MOST_STEPS = 400


@pytest.fixture(scope="module")
def children() -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "tests.stress.journal_child"]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        yield process
        assert process.stdin is not None
        process.stdin.close()


class Gateway:
    """Agrees, names account and id, has no orders, and keeps every payload until the client is gone."""

    def __init__(self) -> None:
        self.ended: queue.Queue[list[bytes]] = queue.Queue()

    def script(self, connection: Connection) -> None:
        got: list[bytes] = []
        try:
            connection.send(incoming.ManagedAccounts("DU0000001"), incoming.NextValidId(1))
            while (payload := connection.payload()) is not None:
                got.append(payload)
                self.answer(connection, connection.codec.decode(payload))
        finally:
            self.ended.put(got)


    def answer(self, connection: Connection, message: object) -> None:
        """There is nothing: what a client asks when it connects."""
        match message:
            case outgoing.ReqOpenOrders() | outgoing.ReqAllOpenOrders():
                connection.send(incoming.OpenOrderEnd())
            case outgoing.ReqExecutions(reqId=number):
                connection.send(incoming.ExecDetailsEnd(number))
            case outgoing.ReqCompletedOrders():
                connection.send(incoming.CompletedOrdersEnd())
            case outgoing.ReqPositions():
                connection.send(incoming.PositionEnd())


@pytest.mark.parametrize("operation", ["place", "cancel", "modify"])
def test_nothing_sent_is_unknown(operation: str, tmp_path: Path, children: subprocess.Popen[str]) -> None:
    codec, gateway = Codec(176, Role.GATEWAY), Gateway()
    assert children.stdin is not None
    assert children.stdout is not None
    seen = {"before the intent": 0, "intended only": 0, "sent": 0, "recorded as sent": 0}
    wanted = 1 if operation == "place" else 2
    with Peer(gateway.script) as peer:
        for step in range(1, MOST_STEPS):
            where = tmp_path / str(step)
            children.stdin.write(f"{operation} {step} {peer.port} {where}\n")
            children.stdin.flush()
            answer = children.stdout.readline().strip()
            got = [payload for payload in gateway.ended.get(timeout=30) if is_order(codec, payload)]
            if answer == "done":
                break
            assert answer == "killed", answer
            entries = list(read(where))
            intents = [intent_of(one).frame for one in entries if one.kind == Kind.INTENT]
            assert got == intents[: len(got)]  # what was sent stands there, in its order
            table = OrderTable(1)
            facts = rebuild(where, table)
            recorded = sum(one.kind == Kind.SENT for one in entries)
            assert recorded <= len(got)
            assert len(facts.unanswered) == len(intents) - recorded
            if got:
                assert [(view.order_id, view.is_uncertain) for view in facts.open_orders] == [(1, True)]
                assert facts.high_water == 1
            seen["before the intent"] += len(intents) < wanted
            seen["intended only"] += len(intents) == wanted > len(got)
            seen["sent"] += len(got) == wanted > recorded
            seen["recorded as sent"] += recorded == wanted
        else:
            pytest.fail("the operation has no end")
    assert all(seen.values()), seen  # each stretch of the way was cut at least once


def is_order(codec: Codec, payload: bytes) -> bool:
    return isinstance(codec.decode(payload), outgoing.PlaceOrder | outgoing.CancelOrder)
