"""ibwire.testing without its fixture: records, sequences and their differences. The fixture: docs/sim/testing.md."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from ibwire.errors import ConfigError, WaitTimeout
from ibwire.testing import OrderRecord, assert_sequence, sim_gateway
from ibwire.types.constructors import limit, market, stock

ROOT = Path(__file__).resolve().parents[2]
SEEN = ["PreSubmitted", "PreSubmitted", "Submitted", "error 399", "fill 40 @ 187.4", "Submitted", "Filled"]
STATUS = ("PreSubmitted", "Submitted", "Filled")


@pytest.mark.parametrize(
    "wanted",
    [
        STATUS,
        (..., "Filled"),
        ("PreSubmitted", ...),
        (...,),
        ("PreSubmitted", ..., "Submitted", ..., "Filled", ...),
        ("PreSubmitted", "Submitted", "error 399", "fill", "Submitted", "Filled"),
        (..., "fill 40 @ 187.4", ...),
    ],
)
def test_sequences_that_are_so(wanted: tuple[Any, ...]) -> None:
    assert_sequence(SEEN, *wanted, timeout=0)


@pytest.mark.parametrize(
    "wanted",
    [
        (),
        ("Filled",),
        ("PreSubmitted", "Filled"),
        ("Submitted", "PreSubmitted", "Filled"),
        (*STATUS, "Cancelled"),
        (..., "Submitted"),
        (..., "fill 50", ...),
    ],
)
def test_sequences_that_are_not(wanted: tuple[Any, ...]) -> None:
    with pytest.raises(AssertionError, match="another sequence"):
        assert_sequence(SEEN, *wanted, timeout=0)


def test_the_difference_is_readable() -> None:
    record = OrderRecord(1, 7, events=["PreSubmitted", "Cancelled"])
    with pytest.raises(AssertionError) as caught:
        assert_sequence(record, "PreSubmitted", "Submitted", "Filled", timeout=0)
    assert str(caught.value).splitlines() == [
        "order 7: another sequence",
        "    wanted          seen",
        "    PreSubmitted    PreSubmitted",
        "  > Submitted       Cancelled",
        "  > Filled          -",
    ]


def test_whose_object_it_is_does_not_matter() -> None:
    log = [SimpleNamespace(status=status) for status in ("PendingSubmit", *STATUS)]
    assert_sequence(SimpleNamespace(log=log, orderStatus=None), "PendingSubmit", *STATUS, timeout=0)
    handle = SimpleNamespace(order_id=1, events=[SimpleNamespace(state=one) for one in ("sent", *STATUS)])
    assert_sequence(handle, *STATUS, timeout=0)
    with pytest.raises(ConfigError, match="int is no order"):
        assert_sequence(3, "Filled")


def test_a_gateway_keeps_a_record() -> None:
    with sim_gateway(seed=3, speed=20, accounts=["DU0000002"]) as gateway:
        ib = gateway.connect()
        apple = ib.qualify(stock("AAPL"))
        order = ib.orders.place(apple, market("BUY", 100)).wait("done")
        gateway.wait_for(lambda: gateway.order(1).events.count("commission") == len(order.executions))
        record = gateway.order(1)
        assert (record.clientId, record.orderId, record.filled) == (1, 1, 100) and len(record.requests) == 1
        assert_sequence(record, "PreSubmitted", ..., "fill", ..., "Filled", ...)
        assert_sequence(order, "PreSubmitted", ..., "Filled")
        assert gateway.position(apple.conId) == gateway.position(apple.conId, "DU0000002") == 100
        assert gateway.order(99).events == [] and {client for client, _ in gateway.requests} == {None, 1}
        with pytest.raises(WaitTimeout):
            gateway.wait_for(lambda: False, timeout=0.01)
        with pytest.raises(ConfigError, match="DU0000002"):
            gateway.position(apple.conId, "DU0000009")
        ib2 = gateway.connect(client_id=2)
        ib2.orders.place(apple, limit("BUY", 1, 120.0)).wait("live")
        with pytest.raises(ConfigError, match="several clients"):
            gateway.order(1)
        gateway.wait_for(lambda: gateway.order(1, 2).statuses[-1] == "Submitted")


def test_a_rule_may_come_later() -> None:
    with sim_gateway(speed=20) as gateway:
        ib = gateway.connect()
        gateway.rule({"request": "cancelOrder"}, {"refuse": {"code": 10148, "text": "Too late"}})
        order = ib.orders.place(ib.qualify(stock("AAPL")), limit("BUY", 1, 120.0)).wait("live")
        order.cancel()
        assert_sequence(gateway.order(order.order_id), "PreSubmitted", "Submitted", "error 10148")


def test_without_pytest_there_is_no_fixture_and_nothing_is_started() -> None:
    seen = "hasattr(t, 'gateway'), 'pytest' in sys.modules, 'ibwire.sim' in sys.modules"
    code = f"import sys, ibwire.testing as t; print({seen})"
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.split() == ["False"] * 3


def test_the_plugin_is_an_entry_point() -> None:
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["entry-points"]["pytest11"] == {"ibwire": "ibwire.testing"}
    assert not any("pytest" in one for one in project["dependencies"])


def test_a_gateway_knows_nothing_of_one_before_it_at_its_port() -> None:
    with sim_gateway(server_version=200) as gateway:
        with gateway.connect() as ib:
            assert ib.orders.place(ib.qualify(stock("AAPL")), limit("BUY", 1, 1.0)).wait("live").order_id == 1
        with gateway.connect() as ib:  # the same gateway: the journal and the ids of its last life
            assert [order.order_id for order in ib.orders.all()] == [1]
        port = gateway.port
    with sim_gateway(server_version=200, port=port) as gateway, gateway.connect() as ib:
        assert ib.orders.all() == []
        assert ib.orders.place(ib.qualify(stock("AAPL")), limit("BUY", 1, 1.0)).wait("live").order_id == 1
