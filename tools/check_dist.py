"""Build sdist and wheel as a stranger would, without git, and try each in an environment of its own.

The sdist is made from a copy of the tree without .git, the wheel from the unpacked sdist. Both are then installed with
plain pip: numpy must be the only package that comes along, and the ``ibwire`` command must run. Results go to dist/.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import tomllib
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
# Not part of the project, or made from it: neither may be needed.
NOT_COPIED = (
    *(".git", ".venv", ".oracles", "__pycache__", ".*_cache", ".hypothesis", ".benchmarks"),
    *("build", "dist", "*.egg-info", "*.so"),
)
# What pip itself may bring into a new environment.
INSTALLERS = {"pip", "setuptools", "wheel"}
# Runs in the new environment, outside the tree.
PROBE = """
import importlib, pathlib, sys, ibwire
home = pathlib.Path(ibwire.__file__).parent
for source in home.glob("*.pyx"):
    importlib.import_module(f"ibwire.{source.stem}")
print("\\n".join(sorted(p.relative_to(home).as_posix() for p in home.rglob("*") if p.is_file())))
"""


def run(*command: str | Path, cwd: Path) -> str:
    """Standard output of a command that must succeed; the environment's Python settings stay out of it."""
    env = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "IBWIRE_"))}
    words = [str(word) for word in command]
    done = subprocess.run(words, cwd=cwd, env=env, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"failed ({done.returncode}): {' '.join(words)}\n{done.stdout}\n{done.stderr}")
    return done.stdout


def build(work: Path, out: Path) -> tuple[Path, Path]:
    """Sdist from a copy without git, wheel from the unpacked sdist."""
    copy = work / "copy"
    shutil.copytree(ROOT, copy, ignore=shutil.ignore_patterns(*NOT_COPIED))
    run(sys.executable, "-m", "build", "--sdist", "--no-isolation", "--outdir", out, cwd=copy)
    (sdist,) = out.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        archive.extractall(work / "unpacked", filter="data")
    (unpacked,) = (work / "unpacked").iterdir()
    run(sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", out, cwd=unpacked)
    (wheel,) = out.glob("*.whl")
    return sdist, wheel


def expected_files() -> set[str]:
    """Files of the package that an installation must hold, relative to it."""
    suffixes = {".py", ".pyi", ".pyx", ".pxd", ".pxi", ".h", ".typed"}
    package = ROOT / "ibwire"
    return {path.relative_to(package).as_posix() for path in package.rglob("*") if path.suffix in suffixes}


def try_install(artifact: Path, work: Path) -> str:
    """Install ``artifact`` into a new environment and use it; the line to report."""
    home = work / f"env-{artifact.suffix.lstrip('.')}"
    venv.create(home, with_pip=True, symlinks=True)
    python = home / "bin" / "python"
    run(python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", artifact, cwd=work)
    listed = json.loads(run(python, "-m", "pip", "list", "--format=json", "--disable-pip-version-check", cwd=work))
    extra = {package["name"].lower() for package in listed} - INSTALLERS - {"ibwire"}
    if extra != {"numpy"}:
        raise SystemExit(f"{artifact.name} brings {sorted(extra)}; numpy is to be the only dependency")
    installed = set(run(python, "-c", PROBE, cwd=work).split("\n"))
    if missing := expected_files() - installed:
        raise SystemExit(f"{artifact.name} lacks {sorted(missing)}")
    run(home / "bin" / "ibwire", "--help", cwd=work)
    return f"{artifact.name:<60} {artifact.stat().st_size / 1024:8.0f} kB   installs, imports, ibwire --help runs"


def main() -> int:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        out = work / "dist"
        print(f"building {project['name']} {project['version']}", flush=True)
        for artifact in build(work, out):
            print(try_install(artifact, work), flush=True)
        shutil.rmtree(ROOT / "dist", ignore_errors=True)
        shutil.copytree(out, ROOT / "dist")
    return 0


if __name__ == "__main__":
    sys.exit(main())
