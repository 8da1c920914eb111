"""examples/cython_strategy: built against the package as it is, and run on its rings."""

from __future__ import annotations

import random
import struct
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from ibwire import _ring

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = ROOT / "examples/cython_strategy"


@pytest.fixture(scope="module")
def crossings(tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder = tmp_path_factory.mktemp("built")
    command = [sys.executable, str(EXAMPLE / "build.py"), str(folder)]
    run = subprocess.run(command, cwd=ROOT, env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"}, check=False,
                         capture_output=True, text=True)  # fmt: skip
    assert run.returncode == 0, run.stderr
    sys.path.insert(0, str(folder))
    try:
        import crossings  # type: ignore[import-not-found]
    finally:
        sys.path.remove(str(folder))
    return crossings


def tick(seq: int, key: int, side: int, price: float, kind: int = 1) -> bytes:
    return struct.pack("<QqBBHiqdd", seq, seq, kind, 0, 0, side, key, price, 1.0).ljust(64, b"\0")


def plain(ticks: list[tuple[int, float]], weight: float) -> int:
    """The same strategy in plain Python."""
    price, average, above, count = {1: 0.0, 2: 0.0}, 0.0, 0, 0
    for side, value in ticks:
        price[side] = value
        if price[1] <= 0 or price[2] <= 0:
            continue
        mid = (price[1] + price[2]) / 2
        average = average or mid
        now = 1 if mid > average else -1 if mid < average else above
        count += bool(above and now != above)
        above = now
        average += weight * (mid - average)
    return count


def test_it_says_what_the_same_strategy_in_python_says(crossings: Any) -> None:
    rng = random.Random(1)
    ring = _ring.MarketRing(1 << 12)
    strategy = crossings.Crossings(ring, 7, 0.05)
    ticks = [(rng.choice((1, 2)), rng.uniform(99, 101)) for _ in range(3000)]
    for seq, (side, price) in enumerate(ticks, 1):
        ring.append(tick(seq, 7, side, price))
    ring.append(tick(3001, 8, 1, 5.0))
    ring.append(tick(3002, 7, 1, 5.0, kind=2))
    ring.region.publish(3002)
    assert strategy.run(0) == plain(ticks, 0.05) > 100
    assert (strategy.ticks, strategy.lost) == (3000, 0)


def test_it_runs_without_the_gil_while_another_thread_produces(crossings: Any) -> None:
    ring = _ring.MarketRing(1 << 16)
    strategy = crossings.Crossings(ring, 7)
    found: list[int] = []
    thread = threading.Thread(target=lambda: found.append(strategy.run(20_000, 10_000)))
    thread.start()
    for seq in range(1, 10_001):
        ring.append(tick(seq, 7, seq % 2 + 1, 100 + seq % 3))
        if seq % 100 == 0:
            ring.region.publish(seq)
    thread.join()
    assert strategy.ticks + strategy.lost >= 10_000
    assert found == [strategy.crossings] and strategy.crossings > 0


def test_what_it_missed_is_counted_and_no_crossing_is_made_up(crossings: Any) -> None:
    ring = _ring.MarketRing(64)
    strategy = crossings.Crossings(ring, 7)
    for seq in range(1, 1001):
        ring.append(tick(seq, 7, seq % 2 + 1, 100.0))
    ring.region.publish(1000)
    assert strategy.run(0) == 0
    assert strategy.lost + strategy.ticks == 1000
    assert strategy.lost > 900
