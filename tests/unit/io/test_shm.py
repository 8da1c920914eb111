"""Regions in named shared memory: who may have a name, what is refused, what is left."""

from __future__ import annotations

import errno
import os
import signal
import stat
import struct
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import ibwire
from ibwire import _ring
from ibwire.client.attached import attach
from ibwire.errors import ConfigError, ConnectError, CursorClosed, ForkedClient, SessionLost
from ibwire.io import shm
from ibwire.ring.records import dtype
from ibwire.ring.tables import live_tables
from ibwire.spec import records
from tests.unit.ring.test_tables import OURS, Session

ROOT = Path(__file__).resolve().parents[3]
OWNER = """
import sys
from ibwire.io import shm
segment = shm.create(sys.argv[1], market_records=64, tape_bytes=4096, quotes=8, orders=8)
print("ready", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def name(request: pytest.FixtureRequest) -> Iterator[str]:
    chosen = f"test-{os.getpid()}-{abs(hash(request.node.name)) % 10**6}"
    yield chosen
    Path(f"/dev/shm/ibwire.{chosen}").unlink(missing_ok=True)


def path_of(name: str) -> Path:
    return Path(f"/dev/shm/ibwire.{name}")


class Published(Session):
    """A session whose rings others can attach."""

    def __init__(self, name: str, market: int = 256, tape: int = 1 << 14, quotes: int = 64, orders: int = 64) -> None:
        self.segment = shm.create(name, market_records=market, tape_bytes=tape, quotes=quotes, orders=orders)
        self.region = self.segment.region
        self.market, self.tape = _ring.MarketRing(self.region), _ring.Tape(self.region)
        self.log = _ring.LogRing(tape=self.tape, origin=1)
        self.tables = live_tables(self.market, self.log, OURS)
        self.quotes, self.orders = self.tables
        self.seq = 0


def owner(name: str) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", OWNER, name], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


def end(process: subprocess.Popen[str], kill: bool = False) -> None:
    if kill:
        process.send_signal(signal.SIGKILL)
    process.communicate()


# ---------------------------------------------------------------------------------------------------------- looking on


def test_an_attached_process_sees_records_entries_quotes_orders_and_health(name: str) -> None:
    s = Published(name)
    _ring.set_session(s.region, 225, OURS, 3)
    with attach(name) as seen:
        cursor, tape = seen.cursor(), seen.tape()
        count = seen.count
        s.tick(5, 1, 10.5, 3)
        s.status(1, "Submitted", 0, 5)
        assert tape.poll() == []  # not before it is published
        s.publish()
        assert seen.wait(count, 1000)
        assert cursor.poll()["seq"].tolist() == [1]
        (entry,) = tape.poll()
        assert (entry.seq, entry.kind, entry.origin, entry.payload) == (2, 3, 1, b"Submitted")
        assert len(entry.header) == records.ORDER_HEADER_BYTES
        q, o = seen.quotes.read(5), seen.orders.read(OURS, 1)
        assert q is not None and q.bid == 10.5
        assert o is not None and o.status == "Submitted"
        out = np.zeros(8, dtype("ORDER_ROW"))
        assert seen.orders.snapshot(out) == 1 and out["key2"][0] == 1
        health = seen.health
        assert (health.state, health.owner_pid, health.package) == ("open", os.getpid(), ibwire.__version__)
        assert (health.server_version, health.client_id, health.epoch) == (225, OURS, 3)
        assert (health.counts["quotes"], health.counts["orders"], health.counts["tape_entries"]) == (1, 1, 1)
        assert not seen.wait(seen.count, 1)
        with pytest.raises(ConfigError, match="only read"):
            seen.quotes.add(9)
    with pytest.raises(CursorClosed):
        seen.cursor()
    s.segment.close()


def test_the_mapping_cannot_be_written(name: str) -> None:
    s = Published(name)
    code = (
        "import sys\nfrom ibwire import _ring\nfrom ibwire.io import shm\n"
        "region, _ = shm.attach_region(sys.argv[1])\n_ring.MarketRing(region).append(bytes(64))\n"
    )
    run = subprocess.run([sys.executable, "-c", code, name], cwd=ROOT, check=False, capture_output=True)
    assert run.returncode == -signal.SIGSEGV
    assert s.market.published == 0
    s.segment.close()


def test_a_gap_on_the_tape_is_told_and_the_order_table_has_what_was_lost(name: str) -> None:
    s = Published(name)
    with attach(name) as seen:
        tape = seen.tape()
        s.status(1, "PreSubmitted", 0, 5)
        s.publish()
        assert [e.seq for e in tape.poll()] == [1]
        for number in range(2, 200):
            s.status(number % 7 + 1, "Submitted", number, 5)
            s.publish()
        s.status(1, "Filled", 5, 0)
        s.publish()
        assert tape.poll() == []
        assert (tape.last_gap, tape.gap) == (199, 199)
        o = seen.orders.read(OURS, 1)
        assert o is not None and o.status == "Filled"
        s.status(2, "Filled", 5, 0)
        s.publish()
        assert [e.seq for e in tape.poll()] == [201]
        assert (tape.last_gap, tape.gap) == (0, 199)
    s.segment.close()


def test_the_tape_goes_round_without_a_seam(name: str) -> None:
    s = Published(name, tape=4096)
    with attach(name) as seen:
        tape = seen.tape()
        got: list[Any] = []
        for number in range(1, 500):
            s.entry(3, orderId=number, clientId=OURS, permId=number, payload=bytes([number & 255]) * (number % 400))
            s.publish()
            if number % 3 == 0:
                got += tape.poll(2)
                got += tape.poll()
        assert tape.gap == 0
        assert [e.seq for e in got] == list(range(1, 499))
        assert all(e.payload == bytes([e.seq & 255]) * (e.seq % 400) for e in got)
    s.segment.close()


def test_an_entry_too_long_for_the_tape_leaves_its_header(name: str) -> None:
    s = Published(name, tape=4096)
    with attach(name) as seen:
        tape = seen.tape()
        s.entry(3, orderId=1, clientId=OURS, permId=5, payload=b"x" * 2000)
        s.status(2, "Submitted", 0, 5)
        s.publish()
        long, short = tape.poll()
        assert long.flags & records.FLAG_OMITTED and long.payload == b""
        assert struct.unpack_from("<I", long.header, 24) == (2000,)
        assert short.payload == b"Submitted"
        assert seen.health.counts["tape_omitted"] == 1
        o = seen.orders.read(OURS, 1)
        assert o is not None and o.permId == 5
    s.segment.close()


def test_a_cursor_that_is_overtaken_on_the_market_ring_is_told(name: str) -> None:
    s = Published(name, market=64)
    with attach(name) as seen:
        cursor = seen.cursor()
        for n in range(200):
            s.tick(1, 1, n, 1)
        s.publish()
        got = cursor.poll()
        assert int(cursor.gap) + len(got) == 200
    s.segment.close()


def test_a_child_process_cannot_use_what_its_parent_attached(name: str) -> None:
    s = Published(name)
    seen = attach(name)
    cursor = seen.cursor()
    child = os.fork()
    if not child:
        wrong = 0
        for use in (seen.cursor, lambda: seen.wait(0, 1), cursor.poll, lambda: seen.quotes.read(1)):
            try:
                use()
            except ForkedClient:
                wrong += 1
        s.segment.close()  # the child's end takes nothing away
        os._exit(wrong)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 4
    assert path_of(name).exists()
    assert seen.state == "open"
    s.segment.close()


# ----------------------------------------------------------------------------------------------------------- ends


def test_a_normal_end_removes_the_file_and_tells(name: str) -> None:
    s = Published(name)
    assert stat.S_IMODE(path_of(name).stat().st_mode) == 0o600
    seen = attach(name)
    s.tick(5, 1, 10.5, 3)
    s.publish()
    s.segment.close()
    s.segment.close()
    assert not path_of(name).exists()
    assert seen.state == "closed"
    with pytest.raises(SessionLost, match="has closed"):
        seen.wait(seen.count, 60_000)
    q = seen.quotes.read(5)
    assert q is not None and q.bid == 10.5  # what is mapped stays readable


def test_an_owner_that_just_ends_removes_its_file(name: str) -> None:
    process = owner(name)
    assert name in shm.published()
    end(process)
    assert process.returncode == 0
    assert not path_of(name).exists()


@pytest.mark.parametrize("how", ["block", "yield", "spin"])
def test_the_death_of_the_owner_ends_a_wait(name: str, how: str) -> None:
    process = owner(name)
    seen = attach(name)
    end(process, kill=True)
    with pytest.raises(SessionLost, match=f"process {process.pid}.*has died"):
        seen.wait(seen.count, 60_000, how)
    assert seen.state == "dead"
    assert seen.health.state == "dead"
    with pytest.raises(ConnectError, match="has died"):
        attach(name)
    assert name not in shm.published()


def test_the_next_owner_takes_over_from_a_dead_one(name: str) -> None:
    process = owner(name)
    end(process, kill=True)
    assert path_of(name).exists()
    s = Published(name)
    with attach(name) as seen:
        assert seen.owner_pid == os.getpid()
    s.segment.close()
    assert not path_of(name).exists()


def test_many_who_take_over_at_once_make_one_owner(name: str) -> None:
    end(process := owner(name), kill=True)
    assert process.returncode == -signal.SIGKILL
    code = (
        "import sys\nfrom ibwire.errors import ConfigError\nfrom ibwire.io import shm\nsys.stdin.readline()\n"
        "try:\n    s = shm.create(sys.argv[1], market_records=64)\n"
        "except ConfigError as e:\n    print('alive' in str(e))\nelse:\n    print('mine')\n"
        "sys.stdout.flush()\nsys.stdin.read()\n"
    )
    command = [sys.executable, "-c", code, name]
    crowd = [
        subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(4)
    ]
    for one in crowd:
        assert one.stdin is not None
        one.stdin.write("go\n")
        one.stdin.flush()
    said = sorted(one.stdout.readline() for one in crowd if one.stdout is not None)
    assert said == ["True\n"] * 3 + ["mine\n"]
    for one in crowd:
        one.communicate()
    assert not path_of(name).exists()


def test_a_live_owner_keeps_the_name(name: str) -> None:
    process = owner(name)
    with pytest.raises(ConfigError, match=f"process {process.pid}, which is alive"):
        Published(name)
    end(process)


def test_a_pid_that_another_process_has_now_is_dead(name: str) -> None:
    s = Published(name)
    _, head = shm.attach_region(name)
    assert shm.is_alive(head)
    assert not shm.is_alive({**head, "owner_start": head["owner_start"] + 1})
    s.segment.close()


# ----------------------------------------------------------------------------------------------------- what is refused


@pytest.mark.parametrize("wrong", ["", "a/b", "../x", ".x", "a b", "x" * 65, "ä"])
def test_a_bad_name(wrong: str) -> None:
    with pytest.raises(ConfigError, match="cannot name shared memory"):
        shm.create(wrong, market_records=64)
    with pytest.raises(ConfigError, match="cannot name shared memory"):
        attach(wrong)


def test_nobody_there(name: str) -> None:
    with pytest.raises(ConnectError, match="nobody publishes"):
        attach(name)


@pytest.mark.parametrize("content", [b"", b"something else\n" * 4000, b"\0" * 65536])
def test_a_foreign_file(name: str, content: bytes) -> None:
    path_of(name).write_bytes(content)
    with pytest.raises(ConfigError, match="none of ibwire's"):
        attach(name)
    with pytest.raises(ConfigError, match="none of ibwire's"):
        Published(name)
    assert path_of(name).read_bytes() == content


def patch(name: str, at: int, value: bytes) -> None:
    with path_of(name).open("r+b") as file:
        file.seek(at)
        file.write(value)


@pytest.mark.parametrize(("at", "shown"), [(8, "layout 77"), (12, "records 0000004d")])
def test_another_version_is_refused_with_both_named(name: str, at: int, shown: str) -> None:
    s = Published(name)
    patch(name, at, struct.pack("<I", 77))
    with pytest.raises(ConfigError, match="run the same version") as caught:
        attach(name)
    ours = f"ibwire {ibwire.__version__} (layout {_ring.layout_version()}, records {records.layout_checksum():08x})"
    assert shown in str(caught.value) and ours in str(caught.value)
    s.segment.close()


def test_a_damaged_head_is_refused(name: str) -> None:
    s = Published(name)
    patch(name, 16, struct.pack("<Q", 1 << 40))
    with pytest.raises(ConfigError, match="damaged"):
        attach(name)
    s.segment.close()


def test_no_room_is_told_before_anything_is_there(name: str) -> None:
    with pytest.raises(ConfigError, match=r"KiB of shared memory.*enlarge /dev/shm"):
        shm.create(name, market_records=1 << 36)
    assert not path_of(name).exists()


def test_a_full_memory_while_it_is_taken(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(fd: int, offset: int, length: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", full)
    before = len(os.listdir("/dev/fd"))
    with pytest.raises(ConfigError, match="are free"):
        Published(name)
    assert len(os.listdir("/dev/fd")) == before


def test_a_system_without_shared_memory(name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(shm, "DIRECTORY", str(tmp_path / "none"))
    with pytest.raises(ConfigError, match="need Linux"):
        shm.create(name, market_records=64)
    monkeypatch.setattr(sys, "platform", "win32")
    with pytest.raises(ConfigError, match="need Linux"):
        attach(name)


@pytest.mark.parametrize("wrong", [{"tape_bytes": 5000}, {"quotes": 100}, {"orders": 4}, {"market_records": 100}])
def test_sizes_are_powers_of_two(name: str, wrong: dict[str, int]) -> None:
    with pytest.raises(ConfigError, match="power of two"):
        shm.create(name, **{"market_records": 64, **wrong})
