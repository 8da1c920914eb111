"""Official objects in our client, and an official EWrapper as its wrapper, for every release."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from .oracle import REPOSITORY, VERSIONS, oracle_path

WORKER = REPOSITORY / "tests" / "conformance" / "object_worker.py"
ERROR_PARAMETERS = 5  # the worker's error takes *args


@pytest.mark.parametrize("version", VERSIONS)
def test_official_objects_are_as_good_as_ours(version: str) -> None:
    path = os.pathsep.join((str(oracle_path(version)), str(REPOSITORY)))
    command = [sys.executable, str(WORKER)]
    run = subprocess.run(command, env={**os.environ, "PYTHONPATH": path}, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    found = json.loads(run.stdout)
    heard = found["heard"]
    assert {tuple(h[:2]) for h in heard if h[0] == "error"} == {("error", ERROR_PARAMETERS)}
    assert [h for h in heard if h[0] != "error"] == [
        ["nextValidId", 1],
        ["contractDetails", "AAPL"],
        ["contractDetailsEnd", 3],
    ]
    conditions = [[1, 187.5], [3, "20260102 09:30:00 UTC"]]
    assert found["placed"] == [["3", 1.25, 265598, [["maxPctVol", "0.1"]], conditions]] * 2
