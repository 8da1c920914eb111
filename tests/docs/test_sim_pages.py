"""The pages about the simulated gateway: every example runs, every scenario is listed, every word explained."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TESTING = (ROOT / "docs/sim/testing.md").read_text()
EXAMPLES = re.findall(r"^<!-- (pytest: passes|pytest: fails, .*?|python) -->\n```python\n(.*?)^```$", TESTING, re.M | re.S)


def run(*command: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    # Without autoload: the plugin is loaded once, whether or not this clone was installed with its entry points.
    environment = {"PYTHONPATH": str(ROOT), "PATH": os.environ.get("PATH", ""), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    return subprocess.run(
        [sys.executable, *command], cwd=cwd, env=environment, capture_output=True, text=True, check=False, timeout=120
    )


def test_every_example_is_marked() -> None:
    assert len(EXAMPLES) == TESTING.count("```python") >= 6


@pytest.mark.parametrize(("kind", "source"), EXAMPLES, ids=[f"{n}" for n in range(len(EXAMPLES))])
def test_an_example_runs(kind: str, source: str, tmp_path: Path) -> None:
    (tmp_path / "test_mine.py").write_text(source)
    if kind == "python":
        done = run("test_mine.py", cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        return
    done = run("-m", "pytest", "-q", "-p", "ibwire.testing", "-p", "no:cacheprovider", "test_mine.py", cwd=tmp_path)
    if kind == "pytest: passes":
        assert done.returncode == 0, done.stdout + done.stderr
    else:
        assert done.returncode == 1 and kind.removeprefix("pytest: fails, ") in done.stdout, done.stdout
        assert "Filled" in done.stdout and "--ibwire-seed 7" in done.stdout
