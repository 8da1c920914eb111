"""The sdist holds the whole project without asking git, and an installation from it holds all of the package."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tarfile
import tomllib
from pathlib import Path

import pytest

from tools.check_dist import NOT_COPIED, expected_files

ROOT = Path(__file__).resolve().parents[2]


def setup_py(folder: Path, *arguments: str) -> None:
    command = [sys.executable, "setup.py", "--quiet", *arguments]
    run = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sdist of a copy without git, unpacked."""
    work = tmp_path_factory.mktemp("sdist")
    copy = work / "copy"
    shutil.copytree(ROOT, copy, ignore=shutil.ignore_patterns(*NOT_COPIED))
    # Files that only this test brings: whatever the package holds today, each kind is judged.
    for name in ("spec/extra.pyi", "_extra.pxd", "_extra.h"):
        (copy / "ibwire" / name).write_text("")
    setup_py(copy, "sdist", "--dist-dir", str(work / "dist"))
    (archive,) = (work / "dist").glob("*.tar.gz")
    with tarfile.open(archive) as tar:
        tar.extractall(work / "unpacked", filter="data")
    (folder,) = (work / "unpacked").iterdir()
    return folder


def test_sdist_can_build_test_and_check_itself(unpacked: Path) -> None:
    wanted = ["Makefile", "setup.py", "pyproject.toml", "LICENSE", ".ci/run"]
    wanted += ["README.md", "CHANGELOG.md", "CONTRIBUTING.md"]
    wanted += [path.relative_to(ROOT).as_posix() for path in (ROOT / "tools").glob("*.*")]
    wanted += [path.relative_to(ROOT).as_posix() for path in (ROOT / "tests").rglob("*.py")]
    assert [name for name in wanted if not (unpacked / name).is_file()] == []


def test_sdist_holds_no_build_results(unpacked: Path) -> None:
    left = [path for path in unpacked.rglob("*") if path.suffix in {".so", ".pyc"} or path.name == "build"]
    assert left == []


def test_installation_from_the_sdist_holds_the_whole_package(unpacked: Path, tmp_path: Path) -> None:
    setup_py(unpacked, "build_py", "--build-lib", str(tmp_path))
    installed = {path.relative_to(tmp_path / "ibwire").as_posix() for path in (tmp_path / "ibwire").rglob("*")}
    wanted = expected_files() | {"py.typed", "spec/extra.pyi", "_extra.pxd", "_extra.h"}
    assert wanted - installed == set()


def test_numpy_is_the_only_dependency() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert [requirement.split(">")[0] for requirement in project["dependencies"]] == ["numpy"]
    assert project["requires-python"] == ">=3.11"
