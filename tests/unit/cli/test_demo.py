"""The demo as a user runs it: a process, piped."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from ibwire.cli import main
from ibwire.cli.demo import _price, _size, _span
from ibwire.cli.measure import decode

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="module")
def output() -> str:
    command = [sys.executable, "-m", "ibwire", "demo", "--seconds", "1", "--seed", "7"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stderr == ""
    return done.stdout


def test_piped_output_is_plain_and_the_table_comes_once(output: str) -> None:
    assert "\x1b" not in output
    assert output.count(" symbol ") == 1
    assert output.count(" AAPL  ") == 1


def test_it_says_where_it_is_and_that_nothing_is_at_stake(output: str) -> None:
    first, second = output.splitlines()[:2]
    assert re.fullmatch(
        r"ibwire \S+   simulated gateway 127\.0\.0\.1:\d+ \(no account, no money, no internet\)", first
    )
    assert "server version 225, protobuf, client 1, account DU0000001" in second


def test_the_table_has_both_symbols_with_their_digits(output: str) -> None:
    rows = {line.split()[0]: line for line in output.splitlines() if line.startswith((" AAPL", " EUR.USD"))}
    assert re.search(r" \d+\.\d\d x \S+ +\d+\.\d\d x ", rows["AAPL"])
    assert re.search(r" \d\.\d{5} x \S+ +\d\.\d{5} x ", rows["EUR.USD"])


def test_the_order_is_followed_to_its_fill(output: str) -> None:
    titles = re.findall(r"^ +[+-][\d.]+ ms  (\S+)", output, re.MULTILINE)
    assert titles[:2] == ["journaled", "sent"]
    assert titles.index("PreSubmitted") < titles.index("execution") < titles.index("Filled")
    assert "PreSubmitted       LIVE at the broker" in output
    assert re.search(r"Filled +DONE 100 @ \d+\.\d", output)
    assert re.search(r"total +filled, 100 @ \S+, commission \d+\.\d\d USD$", output, re.MULTILINE)


def test_the_position_equals_the_gateways_own_book(output: str) -> None:
    assert re.search(r"position +AAPL \+100   gateway's own book: \+100   equal$", output, re.MULTILINE)


def test_the_counts_are_real(output: str) -> None:
    found = re.search(r"^([\d,]+) messages in, (\d+) out, 0 bad frames, 0 gaps   decode ([\d,]+) ns/msg", output, re.M)
    assert found is not None
    assert int(found[1].replace(",", "")) > 100
    assert int(found[2]) >= 8
    assert int(found[3].replace(",", "")) > 0


def test_the_command_it_names_works(output: str, capsys: pytest.CaptureFixture[str]) -> None:
    found = re.search(r"the last frame, explained:  ibwire (.+)$", output, re.MULTILINE)
    assert found is not None
    assert main(found[1].split()) == 0
    assert capsys.readouterr().out


@pytest.mark.parametrize("seconds", ["0", "-1", "nan", "4000"])
def test_seconds_have_a_range(seconds: str) -> None:
    assert main(["demo", f"--seconds={seconds}"]) == 2


@pytest.mark.parametrize("version", [176, 225])
def test_the_figure_is_measured(version: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ibwire.cli.measure._FRAMES", {"compiled": 4000, "plain": 4000})
    assert re.match(r"[\d,]+ ns/msg \(4,000 frames", decode(version))


def test_numbers_in_the_table() -> None:
    assert [_size(value) for value in (300, 2300, 1_000_000, 2_540_000, 0.5, float("nan"))] == [
        *("300", "2,300", "1.0M", "2.5M", "0.5", "-")
    ]
    assert _price(float("nan"), 2) == "-"
    assert [_span(ns) for ns in (800, 12_300, 4_000_000, 2e9)] == ["800 ns", "12 us", "4 ms", "2.0 s"]
