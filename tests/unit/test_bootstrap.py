"""The way from a clone to a running command: what is installed for what, and what is said when something is missing."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tools import bootstrap

ROOT = Path(__file__).resolve().parents[2]


def names(extras: list[str]) -> set[str]:
    return {requirement.split(">")[0].split("=")[0] for requirement in bootstrap.requirements(extras)}


def test_demo_installs_the_build_and_numpy_only() -> None:
    assert names([]) == {"setuptools", "cython", "numpy"}


def test_own_extras_are_unfolded() -> None:
    assert names(["dev"]) > names(["test"]) > names([])
    assert not [requirement for requirement in bootstrap.requirements(["dev"]) if requirement.startswith("ibwire")]


def test_unknown_extra_is_named() -> None:
    with pytest.raises(bootstrap.Missing, match="tset"):
        bootstrap.requirements(["tset"])


def test_missing_compiler_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CC", "no-such-compiler -m64")
    (line,) = bootstrap.missing_parts()
    assert line.startswith("missing: a C compiler, 'no-such-compiler'")
    assert "apt install" in line


def test_compiler_that_fails_is_quoted(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    broken = tmp_path / "cc"
    broken.write_text("#!/bin/sh\necho 'fatal error: stdio.h' >&2\nexit 1\n")
    broken.chmod(0o755)
    monkeypatch.setenv("CC", str(broken))
    (line,) = bootstrap.missing_parts()
    assert "fatal error: stdio.h" in line


def test_nothing_is_missing_where_these_tests_run() -> None:
    assert bootstrap.missing_parts() == []


def test_fingerprint_follows_content_and_build_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    source = tmp_path / "a.pyx"
    source.write_text("x = 1")
    first = bootstrap.fingerprint(source)
    assert bootstrap.fingerprint(source) == first
    source.write_text("x = 2")
    second = bootstrap.fingerprint(source)
    monkeypatch.setenv("IBWIRE_SANITIZE", "1")
    assert len({first, second, bootstrap.fingerprint(source)}) == 3


def find_python(candidate: str) -> subprocess.CompletedProcess[str]:
    command = ["sh", str(ROOT / "tools" / "find_python.sh")]
    env = {**os.environ, "PYTHON": candidate}
    return subprocess.run(command, env=env, capture_output=True, text=True, check=False)


def test_python_that_was_named_is_taken() -> None:
    assert find_python(sys.executable).stdout.strip() == sys.executable


def test_python_that_is_too_old_is_refused_with_its_version(tmp_path: Path) -> None:
    old = tmp_path / "python3.9"
    # Answers the question for its version, and fails the comparison with 3.11.
    old.write_text('#!/bin/sh\ncase "$2" in *print*) echo 3.9.2 ;; *) exit 1 ;; esac\n')
    old.chmod(0o755)
    run = find_python(str(old))
    assert run.returncode == 1
    assert "Python 3.11 or newer" in run.stderr
    assert "is 3.9.2" in run.stderr
