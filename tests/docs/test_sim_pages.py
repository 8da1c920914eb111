"""The pages about the simulated gateway: every example runs, every scenario is listed, every word explained."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from ibwire.cli import main
from ibwire.sim.scenario import Scenario, names
from ibwire.sim.vocabulary import ACTIONS, WHEN

ROOT = Path(__file__).resolve().parents[2]
TESTING = (ROOT / "docs/sim/testing.md").read_text()
_EXAMPLE = r"^<!-- (pytest: passes|pytest: fails, .*?|python) -->\n```python\n(.*?)^```$"
EXAMPLES = re.findall(_EXAMPLE, TESTING, re.M | re.S)


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


def test_the_scenario_of_the_language_page_is_the_same_in_python() -> None:
    page = (ROOT / "docs/sim/language.md").read_text()
    (toml,), (python,) = (re.findall(rf"^```{kind}\n(.*?)^```$", page, re.M | re.S) for kind in ("toml", "python"))
    made: dict[str, Scenario] = {}
    exec(python, made)
    assert Scenario.parse(toml) == made["scenario"] and tomllib.loads(toml)["rule"]
    assert all(f"| `{word}` |" in page for word in (*ACTIONS, *WHEN))


def test_every_ready_scenario_is_on_its_page_and_can_be_explained(capsys: pytest.CaptureFixture[str]) -> None:
    page = (ROOT / "docs/sim/scenarios.md").read_text()
    assert main(["sim", "--list"]) == 0
    listed = [line.split()[0] for line in capsys.readouterr().out.splitlines()]
    assert listed == names() == re.findall(r"^## ([a-z-]+)$", page, re.M)
    for name in names():
        assert main(["sim", "--explain", name]) == 0
        told = capsys.readouterr().out
        assert Scenario.load(name).title in told and Scenario.load(name).about in told


def test_the_number_of_ready_scenarios_is_right() -> None:
    assert len(names()) == 40 and "[Forty are ready](scenarios.md)" in TESTING
