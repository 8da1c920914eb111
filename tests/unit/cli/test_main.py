"""The command line as a whole: verbs, help, exit codes, pipes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import ibwire
from ibwire.cli import VERBS, load, main

ROOT = Path(__file__).resolve().parents[3]


def ibwire_process(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "ibwire", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=60)


def test_without_a_verb_it_lists_the_verbs(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 0
    out = capsys.readouterr().out
    assert [verb for verb in VERBS if f"  {verb}" not in out] == []


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_help_that_names_every_option(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([verb, "--help"]) == 0
    out = capsys.readouterr().out
    assert f"usage: ibwire {verb}" in out
    assert load(verb).DESCRIPTION.strip().splitlines()[0] in out
    assert max(len(line) for line in out.splitlines()) <= 120


def test_a_mistyped_verb_is_corrected(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["dekode"]) == 2
    assert "did you mean 'decode'?" in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [["--nonsense"], ["decode"], ["decode", "x", "--no"], ["explain", "--at", "x"]])
def test_wrong_usage_is_exit_code_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err


def test_a_missing_file_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["decode", "/nonexistent/file"]) == 1
    assert capsys.readouterr().err.count("\n") == 1


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"ibwire {ibwire.__version__}\n"


def test_the_module_is_the_command() -> None:
    done = ibwire_process("explain", "tickPrice", "--at", "176")
    assert done.returncode == 0
    assert done.stdout.startswith("tickPrice: message 1, gateway to client\n")
    assert "\x1b" not in done.stdout


def test_a_reader_that_leaves_is_no_error() -> None:
    command = f"{sys.executable} -m ibwire explain | head -n 1"
    script = ["bash", "-o", "pipefail", "-c", command]
    done = subprocess.run(script, cwd=ROOT, capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (0, "from the gateway:\n", "")


def test_a_verb_is_imported_only_when_it_is_asked_for() -> None:
    code = "import sys; from ibwire.cli import main; main(['explain', 'tickPrice']); print(*sorted(sys.modules))"
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True, timeout=60)
    loaded = done.stdout.splitlines()[-1].split()
    assert "ibwire.cli.explain" in loaded
    assert {"ibwire.cli.demo", "ibwire.cli.decode", "ibwire.client", "numpy"}.isdisjoint(loaded)
