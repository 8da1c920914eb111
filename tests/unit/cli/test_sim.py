"""ibwire sim, capture, replay and sanitize as a user runs them: processes and their output."""

from __future__ import annotations

import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

import ibwire
from ibwire.cli import main
from ibwire.types.constructors import market, stock

ROOT = Path(__file__).resolve().parents[3]
LIMIT_S = 60


@contextmanager
def running(*arguments: str) -> Iterator[tuple[subprocess.Popen[str], str, int]]:
    """`ibwire ...` as a process: it, its first line, and the port in it."""
    process = subprocess.Popen(
        [sys.executable, "-m", "ibwire", *arguments],
        cwd=ROOT,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    try:
        assert process.stdout is not None and process.stderr is not None
        line = process.stdout.readline()
        found = re.search(r" on 127\.0\.0\.1:(\d+)", line)
        assert found is not None, line + process.stderr.read()
        yield process, line, int(found[1])
    finally:
        process.kill()
        process.communicate()


def trade(port: int, client_id: int = 1, capture: str = "") -> str:
    """Buy with ibwire's own client; return the order's summary."""
    with ibwire.connect("paper", port=port, client_id=client_id, capture=capture) as ib:
        order = ib.orders.place(ib.qualify(stock("AAPL")), market("BUY", 100)).wait("done")
        return order.summary()


def test_a_gateway_listens_at_once_and_ends_by_a_signal(tmp_path: Path) -> None:
    log = tmp_path / "log"
    with running("sim", "--seed", "3", "--speed", "20", "--log", str(log), "--server-version", "187") as parts:
        process, line, port = parts
        assert "speed 20, seed 3, server version 187" in line
        assert trade(port).startswith("100 @ ")
        process.send_signal(signal.SIGINT)
        assert process.wait(LIMIT_S) == 0
    lines = log.read_text().splitlines()
    assert any(" 1 > PlaceOrder(" in one for one in lines) and any(" 1 < ExecDetails(" in one for one in lines)
    times = [float(one.split()[0]) for one in lines]
    assert times == sorted(times)


def test_a_scenario_is_played(tmp_path: Path) -> None:
    mine = tmp_path / "mine.toml"
    mine.write_text('[[rule]]\nwhen = { request = "placeOrder" }\ndo = { refuse = { code = 201, text = "No" } }\n')
    with running("sim", "--scenario", str(mine)) as (_, line, port):
        assert f"scenario {mine}" in line
        with ibwire.connect("paper", port=port) as ib:
            order = ib.orders.place(ib.qualify(stock("AAPL")), market("BUY", 100)).wait("done")
            assert "201" in str(order.last_error)


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["--speed", "0"], 2, "--speed"),
        (["--speed", "fast"], 2, "--speed"),
        (["--speed", "nan"], 2, "--speed"),
        (["--port", "70000"], 2, "--port"),
        (["--server-version", "99"], 2, "--server-version"),
        (["--rate", "0"], 2, "--rate"),
        (["--seed", "-3"], 2, "--seed"),
        (["--seconds", "-1"], 2, "--seconds"),
        (["--firehose", "-5"], 2, "--firehose"),
        (["--firehose", "max", "--mix", "tickPrise"], 1, "did you mean tickPrice"),
        (["--scenario", "late-fil"], 1, "did you mean 'late-fill'"),
        (["--explain", "zzz"], 1, "ibwire sim --list"),
    ],
)
def test_wrong_arguments(arguments: list[str], code: int, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["sim", "--seconds", "0.01", *arguments]) == code
    assert said in capsys.readouterr().err


def test_a_port_that_is_taken(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        assert main(["sim", "--port", str(taken.getsockname()[1])]) == 1
    assert "ibwire sim: " in capsys.readouterr().err


def test_a_firehose_runs(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["sim", "--firehose", "1000", "--mix", "tickPrice,tickSize", "--seconds", "0.01"]) == 0
    out = capsys.readouterr().out
    assert "1,000 messages/s" in out and "0 messages sent" in out


def test_a_session_is_captured_sanitized_and_replayed(tmp_path: Path) -> None:
    captured, clean, own = (str(tmp_path / name) for name in ("a.ibcap", "b.ibcap", "c.ibcap"))
    with running("sim", "--speed", "20", "--accounts", "DU7654321") as (_, _, gateway):
        with running("capture", "--to", captured, "--gateway", f"127.0.0.1:{gateway}") as (process, _, port):
            bought = trade(port)
            process.send_signal(signal.SIGTERM)
            out, err = process.communicate(timeout=LIMIT_S)
            assert (process.returncode, err) == (0, "") and "1 connections" in out
        assert trade(gateway, 2, own).startswith("100 @ ") and Path(own).stat().st_size > 1000
    assert main(["sanitize", captured, "--to", clean]) == 0
    assert b"DU7654321" in Path(captured).read_bytes() and b"DU7654321" not in Path(clean).read_bytes()
    with Path(clean).open("ab") as file:
        file.write(b"\0\0\0")
    with running("replay", clean, "--speed", "max") as (process, line, port):
        assert "1 sessions, server version 225" in line
        assert trade(port, client_id=7) == bought
        process.send_signal(signal.SIGINT)
        assert "the last 3 bytes are no whole entry" in process.communicate(timeout=LIMIT_S)[1]


def test_captures_that_cannot_be(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    exists = tmp_path / "here"
    exists.write_bytes(b"not a capture")
    assert main(["capture", "--to", str(exists)]) == 1
    assert main(["capture", "--to", str(tmp_path / "new"), "--gateway", "nowhere"]) == 1
    assert main(["replay", str(exists)]) == 1
    assert main(["replay", str(exists), "--speed", "0"]) == 2
    assert main(["sanitize", str(exists), "--to", str(tmp_path / "other")]) == 1
    err = capsys.readouterr().err
    assert all(said in err for said in ("the file exists", "HOST:PORT", "this is no capture", "--speed"))
    assert not (tmp_path / "new").exists() and not (tmp_path / "other").exists()
