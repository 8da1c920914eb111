from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from ibwire.cli import main
from tests.unit.io.test_shm import OWNER, ROOT, Published


@pytest.fixture
def name() -> Iterator[str]:
    chosen = f"watched-{os.getpid()}"
    yield chosen
    Path(f"/dev/shm/ibwire.{chosen}").unlink(missing_ok=True)


def filled(name: str) -> Published:
    s = Published(name)
    s.tick(5, 1, 10.5, 300)
    s.tick(5, 2, 10.75, 4)
    s.tick(6, 68, 99.0, 4)
    s.status(1, "Submitted", 40, 60, avg_price=10.25)
    s.status(2, "Inactive", 0, 5)
    s.status(0, "Submitted", 0, 5, permId=77, clientId=0)
    s.publish()
    s.entry(4, orderId=2, code=201)
    s.publish()
    return s


def test_one_look(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    s = filled(name)
    assert main(["watch", name, "--once"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith(f"{name}   open   process {os.getpid()}   ")
    rows = [line.split() for line in lines]
    assert any(row[:7] == ["5", "300", "10.5", "10.75", "4", "-", "-"] for row in rows)
    assert any(row[:1] == ["6"] and row[-1] == "delayed" for row in rows)
    assert any(row[:6] == ["7/1", "1001", "Submitted", "40", "60", "10.25"] for row in rows)
    assert any(row[:3] == ["7/2", "1002", "Inactive"] and row[-2:] == ["error", "201"] for row in rows)
    assert any(row[:3] == ["-", "77", "Submitted"] for row in rows)
    s.segment.close()


def test_one_look_as_json(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    s = filled(name)
    assert main(["watch", name, "--once", "--json"]) == 0
    look = json.loads(capsys.readouterr().out)
    assert [q["reqId"] for q in look["quotes"]] == [5, 6]
    assert (look["quotes"][0]["bid"], look["quotes"][0]["last"]) == (10.5, None)
    assert [(o["clientId"], o["orderId"], o["status"]) for o in look["orders"]] == [
        (None, None, "Submitted"),
        (7, 1, "Submitted"),
        (7, 2, "Inactive"),
    ]
    assert look["health"]["state"] == "open"
    assert look["health"]["owner_pid"] == os.getpid()
    s.segment.close()


def test_rows_that_do_not_fit_are_counted(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    s = filled(name)
    assert main(["watch", name, "--once", "--rows", "1"]) == 0
    out = capsys.readouterr().out
    assert "and 1 more" in out and "and 2 more" in out
    s.segment.close()


@pytest.mark.parametrize("kill", [False, True])
def test_it_ends_with_the_session(name: str, kill: bool) -> None:
    pipes = {"cwd": ROOT, "stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    owner: subprocess.Popen[str] = subprocess.Popen([sys.executable, "-c", OWNER, name], **pipes)  # type: ignore[call-overload]
    assert owner.stdout is not None and owner.stdout.readline() == "ready\n"
    command = [sys.executable, "-m", "ibwire", "watch", name, "--json", "--interval", "0.05"]
    watch: subprocess.Popen[str] = subprocess.Popen(command, stderr=subprocess.PIPE, **pipes)  # type: ignore[call-overload]
    assert watch.stdout is not None
    for _ in range(3):
        assert json.loads(watch.stdout.readline())["health"]["state"] == "open"
    if kill:
        owner.send_signal(signal.SIGKILL)
    owner.communicate()
    out, error = watch.communicate()
    assert json.loads(out.splitlines()[-1])["health"]["state"] == ("dead" if kill else "closed")
    assert ("has died" if kill else "has closed") in error
    assert watch.returncode == int(kill)


def test_nobody_there(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["watch", "nobody-at-all", "--once"]) == 1
    assert "nobody publishes 'nobody-at-all'" in capsys.readouterr().err
    assert main(["watch", "a/b"]) == 1
    assert "cannot name shared memory" in capsys.readouterr().err
    assert main(["watch", "x", "--interval", "0"]) == 2
