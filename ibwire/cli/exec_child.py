"""The process that ``ibwire exec`` becomes: ``python exec_child.py SETTINGS script.py|module [args...]``.

Everything that a program can see of plain Python is put back before its first line runs: ``sys.path``, ``sys.argv``,
``__main__``, and tracebacks without the frames of this file.
"""

import sys

if not sys.flags.safe_path:
    del sys.path[0]  # this file's folder: its names must shadow nothing

import builtins
import importlib
import importlib.util
import json
import os
import pkgutil
import runpy
from importlib.machinery import SourceFileLoader
from types import ModuleType, TracebackType
from typing import Any

PACKAGE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def load_ibwire() -> None:
    """Import the ibwire that this file belongs to, wherever it lies; ``sys.path`` stays as it is."""
    spec = importlib.util.spec_from_file_location(
        "ibwire", os.path.join(PACKAGE, "__init__.py"), submodule_search_locations=[PACKAGE]
    )
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["ibwire"] = module
    spec.loader.exec_module(module)


def prepare(settings: dict[str, Any]) -> None:
    """Make ``ibapi`` ours, with what the command line asked for."""
    alias = importlib.import_module("ibwire.cli.exec_alias")
    alias.install()
    if any(name in settings for name in ("host", "port", "client_id", "sizes", "error_style", "stats")):
        importlib.import_module("ibwire.cli.exec_hooks").install(settings)


def new_main() -> dict[str, Any]:
    """A ``__main__`` as a fresh interpreter has it."""
    main = ModuleType("__main__")
    names = vars(main)
    names["__builtins__"] = builtins
    if sys.version_info < (3, 14):
        names["__annotations__"] = {}
    sys.modules["__main__"] = main
    return names


def run_script(path: str, names: dict[str, Any]) -> int:
    """Run a file, or a folder or archive that has a ``__main__.py``. Returns 2 when there is nothing to run."""
    if pkgutil.get_importer(path) is not None:
        sys.path.insert(0, os.path.abspath(path))
        runpy._run_module_as_main("__main__", False)  # type: ignore[attr-defined]  # what `python folder` does
        return 0
    absolute = os.path.abspath(path)
    try:
        with open(path, "rb") as file:
            source = file.read()
    except OSError as error:
        print(f"ibwire exec: can't open file {absolute!r}: [Errno {error.errno}] {error.strerror}", file=sys.stderr)
        return 2
    if not sys.flags.safe_path:
        sys.path.insert(0, os.path.dirname(os.path.realpath(path)))
    names["__file__"] = absolute
    names["__cached__"] = None
    names["__loader__"] = SourceFileLoader("__main__", absolute)
    exec(compile(source, absolute, "exec", dont_inherit=True), names)
    return 0


def run_module(name: str) -> int:
    """As ``python -m name``."""
    if not sys.flags.safe_path:
        sys.path.insert(0, os.getcwd())
    sys.argv[0] = "-m"
    runpy._run_module_as_main(name)  # type: ignore[attr-defined]  # what `python -m` does
    return 0


def hide_own_frames() -> None:
    """Let the traceback of what is about to end the program begin where plain Python's does."""
    hook = sys.excepthook  # perhaps the program's own

    def without(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        while trace is not None and trace.tb_frame.f_code.co_filename == __file__:
            trace = trace.tb_next
        hook(kind, error.with_traceback(trace), trace)

    sys.excepthook = without


def main() -> int:
    settings: dict[str, Any] = json.loads(sys.argv[1])
    del sys.argv[:2]
    load_ibwire()
    prepare(settings)
    names = new_main()
    try:
        return run_module(sys.argv[0]) if settings.get("as_module") else run_script(sys.argv[0], names)
    except BaseException:
        hide_own_frames()
        raise


if __name__ == "__main__":
    code = main()
    if code:
        sys.exit(code)
