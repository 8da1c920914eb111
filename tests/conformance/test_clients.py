"""Real clients on our simulated gateway: it must be one to them."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ibwire.sim.server import Server, serve

from .oracle import REPOSITORY, VERSIONS, oracle_path

ACCOUNT = "DU0000001"
HERE = Path(__file__).parent
TIME_LIMIT_S = 120
# What each release announces, and so agrees on with a gateway of version 225.
AGREED = {"9.81.1": 157, "10.19.4": 176, "10.30.1": 187, "10.37.2": 203, "10.46.1": 225}


@pytest.fixture
def server() -> Iterator[Server]:
    with serve(seed=7, rate=50) as running:
        yield running


def tour(worker: str, folder: Path, server: Server) -> dict[str, Any]:
    env = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    env |= {"PYTHONPATH": str(folder), "PYTHONIOENCODING": "utf-8", "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, str(HERE / worker), str(server.port), "1"]
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


@pytest.mark.parametrize("version", VERSIONS)
def test_official_client(version: str, server: Server) -> None:
    result = tour("client_worker.py", oracle_path(version), server)
    assert result["version"] == AGREED[version]
    events = Events(result["events"])
    names = [name for name, _ in events.all]
    # On connect.
    assert events.of("managedAccounts") == [[ACCOUNT]] and events.of("nextValidId") == [[1]]
    assert [code for _, code, _ in events.of("error")[:3]] == [2104, 2106, 2158]
    # Contract and quotes.
    assert events.of("contractDetails") == [[101, 265598, "APPLE INC", 0.01]]
    assert events.of("tickReqParams") == [[102, 0.01]] and events.of("marketDataType") == [[102, 1]]
    quote = {tick: price for _, tick, price in reversed(events.of("tickPrice"))}
    assert quote[1] < quote[2] and 150 < quote[4] < 220
    # A price tick of bid, ask or last is followed by its size.
    for at, (name, fields) in enumerate(events.all):
        if name == "tickPrice" and fields[1] in (1, 2, 4):
            assert events.all[at + 1][0] == "tickSize" and events.all[at + 1][1][1] == {1: 0, 2: 3, 4: 5}[fields[1]]
    # The market order.
    assert names.index("openOrder") < names.index("orderStatus") < names.index("execDetails")
    fills = [fields for fields in events.of("execDetails") if fields[0] == -1]
    assert sum(fields[4] for fields in fills) == 100 and {fields[3] for fields in fills} == {"BOT"}
    statuses = [fields[1] for fields in events.of("orderStatus") if fields[0] == 1]
    assert statuses[0] == "PreSubmitted" and statuses[-1] == "Filled"
    opened = events.of("openOrder")
    assert {tuple(fields[1:4]) for fields in opened} == {(265598, "MKT", 100.0), (265598, "LMT", 100.0)}
    assert len({fields[4] for fields in opened}) == 2 and all(fields[4] for fields in opened)
    reports = events.of("commissionReport", "commissionAndFeesReport")
    assert {fields[0] for fields in reports} == {fields[2] for fields in fills}
    assert sum({fields[0]: fields[1] for fields in reports}.values()) == pytest.approx(1.0)
    # The limit order, and what can be asked afterwards.
    assert [fields[1] for fields in events.of("orderStatus") if fields[0] == 2][-1] == "Cancelled"
    asked = [fields for fields in events.of("execDetails") if fields[0] == 103]
    assert [fields[2:] for fields in asked] == [fields[2:] for fields in fills]
    assert [fields[2] for fields in events.of("completedOrder")] == ["Filled", "Cancelled"]
    assert [fields[:3] for fields in events.of("position")] == [[ACCOUNT, "AAPL", 100.0]]
    assert [fields[2] for fields in events.of("accountSummary")] == ["NetLiquidation", "TotalCashValue"]
    assert ["NetLiquidation", "1000000.00", "USD", ACCOUNT] in events.of("updateAccountValue")
    codes = [code for _, code, _ in events.of("error")]
    assert codes == [2104, 2106, 2158, 202]
    assert list(server.problems) == []


def test_ib_async(server: Server) -> None:
    result = tour("ib_async_worker.py", ib_async_path(), server)
    assert result["version"] == 178 and result["accounts"] == [ACCOUNT]
    assert result["conId"] == 265598
    bid, ask, last = result["quote"]
    assert bid < ask and 150 < last < 220
    assert result["snapshot"][0] < result["snapshot"][1]
    assert result["statuses"][-1] == "Filled" and "PreSubmitted" in result["statuses"]
    assert sum(result["filled"]) == 100 and result["commission"] == pytest.approx(1.0)
    assert all(time.startswith("2026-03-02T14:30:") and time.endswith("+00:00") for time in result["times"])
    assert result["cancelled"][-1] == "Cancelled" and "Submitted" in result["cancelled"]
    assert result["positions"] == [[ACCOUNT, "AAPL", 100.0]]
    assert {"NetLiquidation", "TotalCashValue", "CashBalance"} <= set(result["values"])
    assert result["completed"] == ["Cancelled", "Filled"]
    # It logs the confirmation of a cancel as an error, and every end marker that it had to wait for in vain.
    assert [problem[:9] for problem in result["problems"]] == ["Error 202"]
    assert list(server.problems) == []


def ib_async_path() -> Path:
    """Its folder; an absent one fails the test."""
    root = Path(os.environ.get("IBWIRE_ORACLES") or REPOSITORY / ".oracles")
    folder = root / "ib_async"
    if not (folder / "ib_async").is_dir():
        pytest.fail(f"ib_async is not in {root}: run `make conformance`, which installs it", pytrace=False)
    return folder
