"""Programs in the style of the official samples, on ibwire against the simulated gateway, in both dialects."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from ibwire.sim.server import serve

ROOT = Path(__file__).resolve().parents[3]
PROGRAMS = ROOT / "tests" / "programs"
PATIENCE_S = 60
TEXT, PROTOBUF = 200, 225


class Done:
    """What a program that ended well printed."""

    def __init__(self, text: str) -> None:
        lines = [json.loads(line) for line in text.splitlines()]
        self.result: dict[str, Any] = lines.pop()["result"]
        self.callbacks: list[dict[str, Any]] = lines[:-1]

    def names(self) -> list[str]:
        return [line["name"] for line in self.callbacks]

    def of(self, name: str) -> list[dict[str, Any]]:
        """The arguments of a callback's calls, numbers as text."""
        return [
            {
                key: value["n"] if isinstance(value, dict) and "n" in value else value
                for key, value in line["args"].items()
            }
            for line in self.callbacks
            if line["name"] == name
        ]


def run(program: str, server_version: int, *more: str, options: tuple[str, ...] = ()) -> Done:
    with serve(seed=7, rate=20, time_scale=10.0, server_version=server_version) as server:
        command = [sys.executable, "-m", "ibwire", "exec", *options, str(PROGRAMS / program), str(server.port), *more]
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        done = subprocess.run(
            command, env=environment, cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE_S, check=False
        )
        assert done.returncode == 0, done.stderr[-4000:] + done.stdout[-2000:]
        assert done.stderr == ""
        assert list(server.problems) == []
    return Done(done.stdout)


@pytest.mark.parametrize(
    ("generation", "server_version"),
    [("9.81", 157), ("10.19", 176), ("10.30", 187), ("10.37", 203), ("10.46", TEXT), ("10.46", PROTOBUF)],
)
def test_every_request_is_answered(generation: str, server_version: int) -> None:
    done = run("every_request.py", server_version, "--generation", generation)
    assert done.result == {"serverVersion": server_version, "unanswered": [], "forgotten": [], "ended": True}
    fills = done.of("execDetails")
    assert fills and done.of("orderStatus")[-1]["status"] == "Cancelled"
    report = "commissionAndFeesReport" if generation in ("10.37", "10.46") else "commissionReport"
    assert len(done.of(report)) == len(fills)  # once live, once with the executions asked for
    assert done.names().count("connectionClosed") == 1


@pytest.mark.parametrize("server_version", [TEXT, PROTOBUF])
@pytest.mark.parametrize(
    ("program", "sizes", "report"),
    [
        ("generation_981.py", "float", "commissionReport"),
        ("generation_1019.py", "Decimal", "commissionReport"),
        ("generation_1046.py", "Decimal", "commissionAndFeesReport"),
    ],
)
def test_a_generation(program: str, sizes: str, report: str, server_version: int) -> None:
    done = run(program, server_version)
    assert done.result == {"state": "done", "kinds": {"filled": sizes, "shares": sizes}}
    fills = done.of("execDetails")
    assert sum(float(fill["shares"]) for fill in fills) == 100
    assert [each["execId"] for each in done.of(report)] == [fill["execId"] for fill in fills]
    assert [each["errorCode"] for each in done.of("error")] == ["2104", "2106", "2158", "202"]
    assert done.names()[-1] == "connectionClosed"


@pytest.mark.parametrize("server_version", [TEXT, PROTOBUF])
def test_many_threads(server_version: int) -> None:
    done = run("multi_threaded.py", server_version)
    assert done.result["answered"] == done.result["expected"] == 300
    assert {each["symbols"][0] for each in done.of("symbolSamples")} == {"AAPL"}
    ids = [each["reqId"] for each in done.of("contractDetailsEnd")]
    assert len(ids) == len(set(ids)) == 200


@pytest.mark.parametrize("server_version", [TEXT, PROTOBUF])
def test_raising_in_every_callback(server_version: int) -> None:
    done = run("raises_in_callbacks.py", server_version)
    raised = done.of("raised")
    assert len(raised) == done.result["expected"]
    assert {each["of"] for each in raised} == {each["text"] for each in raised}
    assert not any(each["connected"] for each in raised)
    assert [each["during"] for each in done.of("connectionClosed")] == [each["of"] for each in raised]


@pytest.mark.parametrize("options", [(), ("--client-id", "5")])
def test_ten_connections_one_after_the_other(options: tuple[str, ...]) -> None:
    done = run("reconnect_ten_times.py", PROTOBUF, options=options)
    assert done.result == {"answered": 10}
    one = [
        "connectAck",
        "managedAccounts",
        "nextValidId",
        "error",
        "error",
        "error",
        "answered",
        "connectionClosed",
        "returned",
    ]
    assert done.names() == one * 10
    assert all(each["connected"] for each in done.of("connectAck"))
    assert not any(each["connected"] for each in done.of("returned"))
