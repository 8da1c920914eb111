"""The public names: few, lazy, and all of them there."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import ibwire

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("name", ibwire.__all__)
def test_every_public_name_is_there(name: str) -> None:
    assert getattr(ibwire, name) is not None
    assert name in dir(ibwire)


def test_there_are_at_most_forty() -> None:
    assert len(ibwire.__all__) <= 42
    assert set(ibwire._HOMES) | {"__version__"} == set(ibwire.__all__)


def test_every_exception_is_public() -> None:
    from ibwire import errors

    assert set(errors.__all__) <= set(ibwire.__all__)


def test_a_name_that_is_not_there_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="'nothing'"):
        ibwire.nothing  # noqa: B018


def test_the_version_is_that_of_the_project() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert ibwire.__version__ == project["version"]


def test_importing_loads_next_to_nothing() -> None:
    code = "import sys; import ibwire; print(*[name for name in sys.modules if name.startswith('ibwire')])"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["ibwire"]


def test_the_client_needs_no_numpy() -> None:
    code = "import sys; sys.argv=['x']; exec(open('examples/first.py').read()); print('numpy' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "False"
