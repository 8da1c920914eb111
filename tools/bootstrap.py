"""From a clone to a running command: make .venv, build the compiled modules, run.

    bootstrap.py [--extras test] [--title TEXT] [-- ARG ...]

Step 1 makes ``.venv`` and installs what the build and the run need (and the extras asked for); step 2 builds the
extensions in place; step 3 runs ``.venv/bin/python ARG ...``. A step whose inputs have not changed since it last
succeeded does nothing: the stamps in ``.venv`` are hashes of those inputs. Output of the steps goes to
``.venv/build.log`` and is shown only when a step fails. Standard library only; requirements are read from
pyproject.toml.
"""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import hashlib
import os
import shlex
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import time
import tomllib
import venv
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
VENV_PYTHON = VENV / "bin" / "python"
LOG = VENV / "build.log"
LOG_TAIL_LINES = 120  # a failure in a Cython worker prints its cause far above the end


class Missing(Exception):
    """Something on this machine is missing; the text says what and how to get it."""


class StepFailed(Exception):
    """A command of a step failed; its output is in the log."""


# ---------------------------------------------------------------------------------------------- what this machine has


def missing_parts() -> list[str]:
    """What has to be installed before anything can be built, one line each; empty if nothing."""
    lines = []
    try:
        import ensurepip  # noqa: F401
    except ImportError:
        lines.append("missing: Python's venv and pip (Debian, Ubuntu: apt install python3-venv)")
    cc = shlex.split(os.environ.get("CC") or sysconfig.get_config_var("CC") or "cc")
    if shutil.which(cc[0]) is None:
        lines.append(
            f"missing: a C compiler, {cc[0]!r} is not on PATH"
            " (Debian, Ubuntu: apt install build-essential; Fedora: dnf install gcc; or set CC)"
        )
    header = Path(sysconfig.get_path("include")) / "Python.h"
    if not header.is_file():
        lines.append(
            f"missing: the Python headers, no {header}"
            " (Debian, Ubuntu: apt install python3-dev; Fedora: dnf install python3-devel)"
        )
    if not lines and (error := compile_probe(cc, header.parent)):
        lines.append(f"missing: a C compiler that works; {shlex.join(cc)} cannot compile Python.h:\n{error}")
    return lines


def compile_probe(cc: list[str], include: Path) -> str:
    """Compile the smallest extension source; the compiler's complaint, or an empty text."""
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder, "probe.c")
        source.write_text("#include <Python.h>\n#include <stdatomic.h>\nint probe(void) { return 0; }\n")
        command = [*cc, f"-I{include}", "-c", str(source), "-o", str(source.with_suffix(".o"))]
        run = subprocess.run(command, capture_output=True, text=True, check=False)
    return run.stderr.strip() if run.returncode else ""


# ---------------------------------------------------------------------------------------------- requirements and stamps


def requirements(extras: list[str]) -> list[str]:
    """Requirements of build, run and ``extras``, as pyproject.toml states them (own extras unfolded)."""
    data: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())
    project = data["project"]
    optional: dict[str, list[str]] = project["optional-dependencies"]
    wanted: list[str] = [*data["build-system"]["requires"], *project["dependencies"]]
    pending = list(extras)
    seen: set[str] = set()
    while pending:
        extra = pending.pop(0)
        if extra in seen:
            continue
        seen.add(extra)
        if extra not in optional:
            raise Missing(f"pyproject.toml has no extra {extra!r}")
        own = project["name"] + "["
        for requirement in optional[extra]:
            if requirement.startswith(own):
                pending += [name.strip() for name in requirement[len(own) : requirement.index("]")].split(",")]
            else:
                wanted.append(requirement)
    return wanted


def fingerprint(*parts: str | Path) -> str:
    """A hash over texts and file contents, with the build's own settings."""
    digest = hashlib.sha256()
    settings = [os.environ.get(name, "") for name in ("CC", "CFLAGS", "IBWIRE_SANITIZE")]
    for part in (sys.implementation.cache_tag, *settings, *parts):
        data = part.read_bytes() if isinstance(part, Path) else part.encode()
        digest.update(f"{part}:{len(data)}\n".encode())
        digest.update(data)
    return digest.hexdigest()


def is_current(stamp: Path, value: str) -> bool:
    return stamp.is_file() and stamp.read_text() == value


def logged(*command: str | Path, **env: str) -> None:
    """Run a command with its output appended to the log.

    Raises
    ------
    StepFailed
        If it exits with another code than 0.
    """
    words = [str(word) for word in command]
    with LOG.open("a") as log:
        log.write(f"$ {shlex.join(words)}\n")
        log.flush()
        code = subprocess.run(
            words, cwd=ROOT, env={**os.environ, **env}, stdout=log, stderr=subprocess.STDOUT, check=False
        ).returncode
    if code:
        raise StepFailed(f"exit code {code}: {shlex.join(words)}")


# ---------------------------------------------------------------------------------------------- steps


def venv_version() -> str:
    """Version of the interpreter in .venv, or an empty text if there is none that runs."""
    if not VENV_PYTHON.exists():
        return ""
    code = "import sys; print('%d.%d.%d' % sys.version_info[:3])"
    run = subprocess.run([VENV_PYTHON, "-c", code], capture_output=True, text=True, check=False)
    return run.stdout.strip()


def venv_is_usable(version: str) -> bool:
    """Whether .venv can be kept: it runs, is new enough and, where PYTHON was named, is of that version."""
    if not version or tuple(map(int, version.split("."))) < (3, 11):
        return False
    return not os.environ.get("PYTHON") or version == "{}.{}.{}".format(*sys.version_info[:3])


def make_environment(extras: list[str]) -> str:
    """Make .venv if need be and install what is wanted; returns the line's text."""
    version = venv_version()
    if not venv_is_usable(version):
        if lines := missing_parts():
            raise Missing("\n".join(lines))
        venv.create(VENV, clear=True, with_pip=True, symlinks=True)
        version = venv_version()
    LOG.write_text("")
    wanted = requirements(extras)
    installed_file = VENV / ".installed"
    installed = set(installed_file.read_text().splitlines()) if installed_file.is_file() else set()
    if not set(wanted) <= installed:
        logged(VENV_PYTHON, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *wanted)
        installed_file.write_text("\n".join(sorted(installed | set(wanted))) + "\n")
    return f"python {version}"


def compiled_sources() -> list[Path]:
    return sorted((ROOT / "ibwire").glob("*.pyx"))


def build() -> str:
    """Build in place and register the package in .venv, where sources changed; returns the line's text."""
    sources = compiled_sources()
    count = f"{len(sources)} compiled module{'' if len(sources) == 1 else 's'}"
    inputs = [ROOT / "setup.py", *sources]
    for pattern in ("*.pxd", "*.h", "*.pxi"):
        inputs += sorted((ROOT / "ibwire").glob(pattern))
    modules_stamp, modules = VENV / ".modules", fingerprint(*inputs)
    missing = [path for path in sources if not list(path.parent.glob(f"{path.stem}.*.so"))]
    fresh = is_current(modules_stamp, modules) and not missing
    if not fresh:
        if lines := missing_parts():
            raise Missing("\n".join(lines))
        logged(VENV_PYTHON, "setup.py", "--quiet", "build_ext", "--inplace")
        modules_stamp.write_text(modules)
    install_stamp, install = VENV / ".package", fingerprint(ROOT / "pyproject.toml", ROOT / "setup.py")
    if not is_current(install_stamp, install):
        pip = ("-m", "pip", "install", "--quiet", "--disable-pip-version-check")
        logged(VENV_PYTHON, *pip, "--no-deps", "--no-build-isolation", "--editable", ".")
        install_stamp.write_text(install)
    return f"{count}, unchanged" if fresh else count


# ---------------------------------------------------------------------------------------------- the command


def report(number: int, total: int, name: str, text: str, began: float) -> None:
    line = f"[{number}/{total}] {name:<8} {text}"
    print(f"{line:<72} {time.monotonic() - began:6.1f} s", flush=True)


@contextlib.contextmanager
def only_one() -> Iterator[None]:
    """Two makes in one tree take turns."""
    (ROOT / "build").mkdir(exist_ok=True)
    with (ROOT / "build" / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def show_failure(error: StepFailed) -> None:
    tail = LOG.read_text(errors="replace").splitlines()[-LOG_TAIL_LINES:] if LOG.is_file() else []
    print(*tail, sep="\n", file=sys.stderr)
    print(f"failed: {error}\n   the whole log: {LOG.relative_to(ROOT)}", file=sys.stderr)


def main(argv: list[str]) -> int:
    own, found, command = argv, "--" in argv, []
    if found:
        cut = argv.index("--")
        own, command = argv[:cut], argv[cut + 1 :]
    parser = argparse.ArgumentParser(prog="bootstrap.py", description=__doc__.split("\n")[0])
    parser.add_argument("--extras", default="", help="extras of pyproject.toml to install, separated by commas")
    parser.add_argument("--title", default="", help="what the last step is called (default: its command)")
    options = parser.parse_args(own)
    total = 3 if command else 2
    try:
        with only_one():
            began = time.monotonic()
            text = make_environment([extra for extra in options.extras.split(",") if extra])
            report(1, total, ".venv", text, began)
            began = time.monotonic()
            report(2, total, "build", build(), began)
    except Missing as error:
        print(error, file=sys.stderr)
        return 1
    except (StepFailed, subprocess.CalledProcessError) as error:
        show_failure(error if isinstance(error, StepFailed) else StepFailed(str(error)))
        return 1
    if command:
        print(f"[3/3] {options.title or shlex.join(command)}", flush=True)
        os.execv(VENV_PYTHON, [str(VENV_PYTHON), *command])
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
