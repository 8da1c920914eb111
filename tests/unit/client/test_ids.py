"""Order ids of a client: kept on disk, above everything that was ever used, whatever the gateway names."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

import ibwire
from ibwire.client import Client
from ibwire.errors import ConfigError, ConnectError
from ibwire.io.idstore import FileIdStore
from ibwire.io.statedir import GIVEN_UP, default_state_dir
from ibwire.sim.server import Server, serve
from ibwire.trade.identity import Ids
from ibwire.types import incoming, outgoing
from ibwire.types.constructors import limit, stock
from ibwire.types.structs import Contract
from tests.unit.io.peer import Connection, Peer

ROOT = Path(__file__).resolve().parents[3]
AAPL = Contract(conId=265598, symbol="AAPL", secType="STK", exchange="SMART", currency="USD")
PLACE_AND_DIE = """
import os, signal, sys
import ibwire
from ibwire.types.constructors import limit
from ibwire.types.structs import Contract
contract = Contract(conId=265598, symbol="AAPL", secType="STK", exchange="SMART", currency="USD")
ib = ibwire.connect("paper", port=int(sys.argv[1]), state_dir=sys.argv[2], reconcile=False)
print(*(ib.orders.place(contract, limit("BUY", 1, 1.0)).order_id for _ in range(3)), flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


class Forgetful:
    """A gateway that names the same next id in every session, as after an id reset; keeps the ids of placements."""

    def __init__(self, next_id: int = 1) -> None:
        self.next_id, self.placed = next_id, list[int]()

    def script(self, connection: Connection) -> None:
        connection.send(incoming.ManagedAccounts("DU0000001"), incoming.NextValidId(self.next_id))
        while (message := connection.message()) is not None:
            if isinstance(message, outgoing.PlaceOrder):
                self.placed.append(message.orderId)


@pytest.fixture
def server() -> Iterator[Server]:
    with serve(seed=7) as running:
        yield running


def place(ib: Client, order_id: int = 0) -> int:
    order = limit("BUY", 1, 1.0)
    order.orderId = order_id
    return ib.orders.place(AAPL, order).order_id


def test_ids_go_on_after_a_restart_though_the_gateway_begins_anew(tmp_path: Path) -> None:
    gateway = Forgetful()
    with Peer(gateway.script) as peer:
        for _ in range(2):
            with ibwire.connect("paper", port=peer.port, state_dir=str(tmp_path), reconcile=False) as ib:
                place(ib)
                place(ib)
        shutil.rmtree(tmp_path / "journal")  # the mark is enough
        with ibwire.connect("paper", port=peer.port, state_dir=str(tmp_path), reconcile=False) as ib:
            place(ib)
        (tmp_path / "order-ids").unlink()  # and so is the journal
        with ibwire.connect("paper", port=peer.port, state_dir=str(tmp_path), reconcile=False) as ib:
            assert place(ib) == 6
    assert gateway.placed == [1, 2, 3, 4, 5, 6]


def test_killed_programs_never_use_an_id_twice(tmp_path: Path) -> None:
    gateway = Forgetful()
    told: list[int] = []
    with Peer(gateway.script) as peer:
        for _ in range(3):
            command = [sys.executable, "-c", PLACE_AND_DIE, str(peer.port), str(tmp_path)]
            done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=120)
            assert done.returncode == -signal.SIGKILL, done.stderr
            told += map(int, done.stdout.split())
            shutil.rmtree(tmp_path / "journal")
    assert len(set(told)) == len(told) == 9
    assert gateway.placed == told == sorted(told)


def test_the_gateway_can_raise_them_at_any_time(tmp_path: Path) -> None:
    def script(connection: Connection) -> None:
        connection.send(incoming.ManagedAccounts("DU0000001"), incoming.NextValidId(5))
        while (message := connection.message()) is not None:
            if isinstance(message, outgoing.PlaceOrder):
                connection.send(incoming.NextValidId(40 if message.orderId == 5 else 3))

    with Peer(script) as peer, ibwire.connect(
        "paper", port=peer.port, state_dir=str(tmp_path), reconcile=False
    ) as ib:
        assert place(ib) == 5
        assert ib._core.wait_until(lambda: ib._core.intake.next_order_id == 40, 10)
        assert place(ib) == 40
        with pytest.raises(ConfigError, match="order id 6 is not above 40"):
            place(ib, 6)
        assert place(ib, 50) == 50
        assert place(ib) == 51
    assert FileIdStore(tmp_path / "order-ids").mark() == 52


def test_threads_take_ids_of_their_own_and_send_in_their_order(tmp_path: Path) -> None:
    gateway = Forgetful()
    taken: list[list[int]] = [[] for _ in range(6)]
    with Peer(gateway.script) as peer, ibwire.connect(
        "paper", port=peer.port, state_dir=str(tmp_path), reconcile=False, rate_per_s=0
    ) as ib:

        def some(number: int) -> None:
            taken[number] += [place(ib) for _ in range(100)]

        threads = [threading.Thread(target=some, args=(number,)) for number in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    every = sorted(one for ids in taken for one in ids)
    assert every == list(range(1, 601))
    assert gateway.placed == every


def test_a_client_id_is_used_once_and_each_has_ids_of_its_own(server: Server) -> None:
    port = server.port
    with ibwire.connect("paper", port=port) as one:
        contract = one.qualify(stock("AAPL"))
        assert [one.orders.place(contract, limit("BUY", 1, 1.0)).order_id for _ in range(2)] == [1, 2]
        with pytest.raises(ConnectError, match="client id 1 is in use"):
            ibwire.connect("paper", port=port)  # here: by the journal
        with pytest.raises(ConnectError, match="client id 1 is in use"):
            ibwire.connect("paper", port=port, state_dir=None)  # there: by the gateway, code 326
        with ibwire.connect("paper", port=port, client_id=2) as two:
            assert two.orders.place(contract, limit("BUY", 1, 1.0)).order_id == 1
    for client_id, mark in ((1, 3), (2, 2)):
        path = default_state_dir("127.0.0.1", port, client_id) / "order-ids"
        assert FileIdStore(path).mark() == mark


def test_in_memory_says_what_that_gives_up(server: Server) -> None:
    with ibwire.connect("paper", port=server.port, client_id=3, state_dir=None) as ib:
        assert (0, GIVEN_UP) in ib.notices
        place(ib)
    assert not default_state_dir("127.0.0.1", server.port, 3).exists()
    with ibwire.connect("sim") as ib:
        assert all(code for code, _ in ib.notices)


def test_request_ids_and_order_ids_never_meet(tmp_path: Path) -> None:
    for next_id in (1, Ids.HIGH_GATEWAY + 1):
        gateway = Forgetful(next_id)
        where = str(tmp_path / str(next_id))
        with Peer(gateway.script) as peer, ibwire.connect(
            "paper", port=peer.port, state_dir=where, reconcile=False, rate_per_s=0
        ) as ib:
            first, end = ib._core.ids.requests
            requests = [ib._core.take_request_id() for _ in range(50)]
            orders = [place(ib) for _ in range(50)]
            assert all(first <= one < end for one in requests)
            assert not any(first <= one < end for one in orders)
            with pytest.raises(ConfigError):
                place(ib, requests[-1] + 1)
        assert gateway.placed == orders


def test_a_forked_child_gives_nothing_back(tmp_path: Path) -> None:
    gateway = Forgetful()
    with Peer(gateway.script) as peer, ibwire.connect(
        "paper", port=peer.port, state_dir=str(tmp_path), reconcile=False
    ) as ib:
        place(ib)
        mark = FileIdStore(tmp_path / "order-ids").mark()
        child = os.fork()
        if not child:
            ib.close()
            os._exit(0)
        os.waitpid(child, 0)
        assert FileIdStore(tmp_path / "order-ids").mark() == mark > 2
        assert place(ib) == 2
