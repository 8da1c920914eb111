"""Every example runs as it stands, in a process of its own."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = sorted(path.name for path in (ROOT / "examples").glob("*.py"))


def run(name: str) -> str:
    command = [sys.executable, str(ROOT / "examples" / name)]
    environment = {"PYTHONPATH": str(ROOT), "PATH": ""}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stderr == ""
    return done.stdout


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_runs(name: str) -> None:
    assert run(name)


def test_first_ends_with_the_position() -> None:
    lines = run("first.py").splitlines()
    assert re.match(r" +0\.000 ms  journaled ", lines[0])
    assert any("Filled" in line for line in lines)
    assert lines[-1] == "100"


def test_market_closed_waits_and_the_governor_cancels() -> None:
    text = run("market_closed.py")
    live = "PreSubmitted   LIVE at the broker, waiting for the market: not a failure"
    assert text.count(live) == 2
    first, _, second = text.partition("in the gateway's book 100\n")
    assert "cancel sent" not in first  # the program takes waiting for waiting
    assert first.splitlines()[-1] == "filled, position 100, "
    assert "everything is cancelled: a market order would be filled at the open, at any price" in second
    assert "refused: no new orders: killed" in second
    assert second.splitlines()[-1] == "cancelled, position 0, in the gateway's book 0"


def test_first_is_short() -> None:
    source = (ROOT / "examples" / "first.py").read_text()
    assert len([line for line in source.splitlines() if line.strip()]) <= 20
