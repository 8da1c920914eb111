"""A connection that publishes, seen from outside."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import ibwire
from ibwire.errors import ConfigError, ConnectError, RiskRejected
from ibwire.io.link import Link
from ibwire.io.rings import CONTROL, ORDERS

ROOT = Path(__file__).resolve().parents[3]
LOOK = """
import json, sys, ibwire
with ibwire.attach(sys.argv[1]) as seen:
    quote = None
    while True:
        count = seen.count
        quote = seen.quotes.read(int(sys.argv[2]))
        if quote is not None and quote.bid == quote.bid and quote.ask == quote.ask:
            break
        seen.wait(count, 60_000)
    order = seen.orders.read(1, int(sys.argv[3]))
    print(json.dumps([quote.bid < quote.ask, order.status, order.permId, seen.health.client_id]))
"""


@pytest.fixture
def name() -> Iterator[str]:
    chosen = f"linked-{os.getpid()}"
    yield chosen
    Path(f"/dev/shm/ibwire.{chosen}").unlink(missing_ok=True)


def test_another_process_sees_the_quotes_and_orders_of_a_client(name: str) -> None:
    with ibwire.connect("sim", publish=name, client_id=1) as ib:
        with ibwire.attach(name) as seen:
            tape = seen.tape()
            aapl = ib.qualify(ibwire.stock("AAPL"))
            with ib.stream([aapl]) as stream:
                assert stream.update(30)
                reqId = stream._ids[0]
                order = ib.orders.place(aapl, ibwire.limit("BUY", 10, 1.0))
                order.wait("live", timeout=30)
                run = subprocess.run(
                    [sys.executable, "-c", LOOK, name, str(reqId), str(order.order_id)],
                    cwd=ROOT, capture_output=True, text=True, check=True,
                )  # fmt: skip
                two_sided, status, perm_id, client_id = json.loads(run.stdout)
                assert two_sided and client_id == 1
                assert (status, perm_id) == (order.wire_status, order.perm_id)
                assert ib.tables is not None and ib.tables.quotes.read(reqId) is not None
            entries = tape.poll()
            assert {e.origin for e in entries} == {ORDERS, CONTROL}
            assert [e.seq for e in entries] == sorted(e.seq for e in entries)
            ib.close()
            assert seen.state == "closed"
    assert not Path(f"/dev/shm/ibwire.{name}").exists()


def test_a_subscription_that_ended_is_no_quote_any_more(name: str) -> None:
    with ibwire.connect("sim", ticks_per_s=1000) as ib:
        aapl = ib.qualify(ibwire.stock("AAPL"))
        with ib.stream([aapl]) as stream:
            assert stream.update(30)
            reqId = stream._ids[0]
        ib.contract_details(aapl)  # something that comes later, so that the reader has been there
        assert ib.tables is not None
        assert ib.tables.quotes.read(reqId) is None


def test_a_full_order_table_refuses_new_orders(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ibwire.io.shm.create.__kwdefaults__", {"tape_bytes": 1 << 16, "quotes": 64, "orders": 8})
    with ibwire.connect("sim", publish=name) as ib:
        aapl = ib.qualify(ibwire.stock("AAPL"))
        for _ in range(6):
            ib.orders.place(aapl, ibwire.limit("BUY", 1, 1.0)).wait("live", timeout=30)
        sent = ib.stats["sent"]
        with pytest.raises(RiskRejected, match="order table in shared memory is full"):
            ib.orders.place(aapl, ibwire.limit("BUY", 1, 1.0))
        assert ib.stats["sent"] == sent


def test_a_name_that_cannot_be_had_costs_no_connection(name: str) -> None:
    with ibwire.connect("sim", publish=name):
        with pytest.raises(ConfigError, match="which is alive"):
            Link.open(port=1, publish=name)  # nobody listens there, and nobody was asked
    with pytest.raises(ConfigError, match="cannot name"):
        Link.open(port=1, publish="a/b")


def test_a_connection_that_fails_leaves_no_name(name: str) -> None:
    with pytest.raises(ConnectError):
        Link.open(port=1, publish=name)
    assert not Path(f"/dev/shm/ibwire.{name}").exists()
