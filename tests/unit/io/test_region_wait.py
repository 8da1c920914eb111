"""Waiting on a region: who is woken by what, and what is left of who was killed in its sleep."""

from __future__ import annotations

import os
import signal
import struct
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ibwire import _reader, _ring
from ibwire.io import shm
from ibwire.io.pump import Pump
from ibwire.io.wait import Bell, RegionBell
from ibwire.ring import impl

ROOT = Path(__file__).resolve().parents[3]
LONG_MS = 10_000


class Session:
    """A region, its rings, and who publishes by hand."""

    def __init__(self, region: _ring.Region | None = None) -> None:
        assert impl.NAME == "compiled"
        self.market = _ring.MarketRing(64 if region is None else region)
        self.region = self.market.region
        self.orders, self.control = _ring.LogRing(), _ring.LogRing()
        self.region.follow(self.orders, self.control)
        self.seq = 0

    def tick(self) -> None:
        self.seq += 1
        self.market.append(struct.pack("<Q", self.seq).ljust(64, b"\0"))
        self.region.publish(self.seq)

    def entry(self, ring: _ring.LogRing) -> None:
        self.seq += 1
        ring.append(struct.pack("<Q", self.seq).ljust(32, b"\0"))
        self.region.publish(self.seq)

    @property
    def wakes(self) -> int:
        return int(_reader.counters(self.region)[0]["wakes"])

    def counts(self) -> tuple[int, int]:
        return self.region.count, self.region.entry_count


def soon(condition: Callable[[], bool]) -> bool:
    pause = threading.Event()
    return any(condition() or pause.wait(0.01) for _ in range(1000))


def test_only_entries_and_rings_by_hand_are_news_to_who_waits_for_entries() -> None:
    run = Session()
    before = run.counts()
    run.tick()
    assert run.counts() == (before[0] + 1, before[1])
    assert not run.region.wait(before[1], 0, only_entries=True) and run.region.wait(before[0], 0)
    for number, ring in enumerate((run.orders, run.control), 1):
        run.entry(ring)
        assert run.counts() == (before[0] + 1 + number, before[1] + number)
    run.tick()
    run.region.ring()
    assert run.counts() == (before[0] + 5, before[1] + 3)
    assert run.region.wait(before[1] + 2, 0, only_entries=True)


def test_a_region_that_knows_no_rings_holds_nothing_back() -> None:
    region = _ring.Region(64)
    before = region.entry_count
    region.publish(1)
    assert region.entry_count == before + 1


@pytest.mark.parametrize("how", ["block", "yield", "spin"])
def test_who_waits_for_entries_sleeps_through_market_records(how: str) -> None:
    run = Session()
    woken: list[bool] = []
    bell = RegionBell(run.region, how).for_entries()
    seen = bell.count
    waiter = threading.Thread(target=lambda: woken.append(bell.wait(seen, LONG_MS)))
    waiter.start()
    threading.Event().wait(0.05)
    for _ in range(1000):
        run.tick()
    assert run.wakes == 0 and waiter.is_alive()  # neither is the producer's time spent on it
    run.entry(run.orders)
    waiter.join()
    assert woken == [True]


def test_sleepers_of_both_kinds_are_woken_by_what_concerns_both() -> None:
    run = Session()
    every, entries = RegionBell(run.region), RegionBell(run.region).for_entries()
    for _ in range(200):
        found: list[bool] = []
        waiters = [
            threading.Thread(target=lambda b=bell, seen=bell.count, out=found: out.append(b.wait(seen, LONG_MS)))
            for bell in (every, every, entries, entries)
        ]
        for waiter in waiters:
            waiter.start()
        run.entry(run.control)
        for waiter in waiters:
            waiter.join()
        assert found == [True] * 4


def test_a_pump_steps_for_entries_and_not_for_market_records() -> None:
    run, done = Session(), Bell()
    steps: list[int] = []

    def step() -> bool:
        steps.append(run.seq)
        done.ring()
        return True

    pump = Pump(RegionBell(run.region), step, lambda error: None)
    pump.start()
    assert done.wait_until(lambda: len(steps) == 1, LONG_MS)
    for _ in range(1000):
        run.tick()
    run.entry(run.orders)
    assert done.wait_until(lambda: steps[-1] == run.seq, LONG_MS)
    assert len(steps) <= 3
    pump.stop()
    assert not pump._thread.is_alive()


@pytest.fixture
def name() -> Iterator[str]:
    chosen = f"wait-{os.getpid()}"
    yield chosen
    Path(f"/dev/shm/ibwire.{chosen}").unlink(missing_ok=True)


SLEEPER = """
import sys
from ibwire.client.attached import attach
seen = attach(sys.argv[1])
count = seen.count
print("ready", flush=True)
seen.wait(count)
"""


def asleep(pid: int) -> bool:
    """In a futex, as far as the kernel says; where it does not, sleeping at all."""
    try:
        wchan = Path(f"/proc/{pid}/wchan").read_text()
    except OSError:
        wchan = ""
    state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    return state == "S" and ("futex" in wchan or wchan in ("", "0"))


def test_a_process_killed_in_its_sleep_costs_one_wake_and_no_more(name: str) -> None:
    segment = shm.create(name, market_records=64)
    run = Session(segment.region)
    sleepers: list[Any] = [
        subprocess.Popen([sys.executable, "-c", SLEEPER, name], cwd=ROOT, stdout=subprocess.PIPE, text=True)
        for _ in range(3)
    ]
    for sleeper in sleepers:
        assert sleeper.stdout.readline() == "ready\n"
        assert soon(lambda pid=sleeper.pid: asleep(pid))  # type: ignore[misc]
    for sleeper in sleepers:
        sleeper.send_signal(signal.SIGKILL)
        sleeper.communicate()
    before = run.wakes
    for _ in range(1000):
        run.tick()
    assert run.wakes - before <= 1
    # And those who live are woken as ever.
    bell = RegionBell(run.region)
    found: list[bool] = []
    seen = bell.count
    waiter = threading.Thread(target=lambda: found.append(bell.wait(seen, LONG_MS)))
    waiter.start()
    run.tick()
    waiter.join()
    assert found == [True]
    segment.close()
