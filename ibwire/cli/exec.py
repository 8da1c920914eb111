"""``ibwire exec``: an unmodified program for the official package, on ibwire."""

from __future__ import annotations

import argparse
import json
import os
import sys
from typing import Any, Final

from ibwire.spec import versions as V

DESCRIPTION: Final = """
Run a program that was written for the official ibapi package on ibwire, unchanged: in its process `ibapi` and its
modules are ibwire.compat. Everything else is as with `python script.py`: arguments, exit code, tracebacks, signals.

  ibwire exec script.py --its-own-option        options of exec stand before the script
  ibwire exec --port 4002 -m package.module     as `python -m`
  ibwire exec --compare FILE --ibapi FOLDER     no script: the official package and ibwire decode the same bytes

FILE holds frames as `ibwire decode` reads them. Both sides run in processes of their own, each with a wrapper that
overrides every callback with the official parameters; the exit code is 0 when all callbacks were equal. Times at
which the client itself notices something are left out.

A child that the program starts as a new interpreter (multiprocessing's spawn) has the ibapi that is installed, if any.
"""

CHILD: Final = os.path.join(os.path.dirname(os.path.abspath(__file__)), "exec_child.py")


def configure(parser: argparse.ArgumentParser) -> None:
    parser.allow_abbrev = False  # or options of the script would be tried as ours
    parser.usage = "ibwire exec [options] script.py [args...] | -m module [args...] | --compare FILE"
    parser.add_argument("command", nargs=argparse.REMAINDER, metavar="script.py [args...]", help="the program")
    parser.add_argument("-m", dest="as_module", action="store_true", help="the program is a module's name")
    parser.add_argument("--host", metavar="HOST", help="connect there, whatever the program says")
    parser.add_argument("--port", type=_port, metavar="PORT", help="likewise")
    parser.add_argument("--client-id", type=int, metavar="N", help="likewise")
    parser.add_argument(
        "--sizes",
        choices=("int", "float", "decimal"),
        help="type of sizes and positions in callbacks (default: as the program's signatures say)",
    )
    parser.add_argument(
        "--error-style",
        type=int,
        choices=(3, 4, 5),
        metavar="N",
        help="call error() with 3 (9.81), 4 (10.19) or 5 (10.37 and later) arguments (default: as the program's says)",
    )
    parser.add_argument("--stats", action="store_true", help="at the end: messages, rates, callbacks, errors (stderr)")
    parser.add_argument("--compare", metavar="FILE", help="decode FILE with the official package and with ibwire")
    parser.add_argument(
        "--ibapi", metavar="FOLDER", help="where the official package lies (default: the installed one)"
    )
    parser.add_argument(
        "--server-version",
        type=int,
        metavar="N",
        help="of FILE, where it has no handshake (default as `ibwire decode`)",
    )


def run(args: argparse.Namespace) -> int:
    command: list[str] = args.command[1:] if args.command[:1] == ["--"] else args.command
    if args.compare is not None:
        return _compare(args, command)
    if args.ibapi is not None or args.server_version is not None:
        return _wrong("--ibapi and --server-version go with --compare")
    if not command:
        return _wrong("which program? Name a script, or a module after -m")
    settings = {
        name: value
        for name in ("as_module", "host", "port", "client_id", "sizes", "error_style", "stats")
        if (value := getattr(args, name)) not in (None, False)
    }
    start(settings, command)
    raise AssertionError("not reached")


def start(settings: dict[str, Any], command: list[str]) -> None:
    """Replace this process by an interpreter that runs the program; what was printed goes out first.

    Parameters
    ----------
    settings : the options by their names, without those that were not given.
    command : the script or module and its arguments.
    """
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    line = [sys.executable, *interpreter_options(sys.orig_argv, sys.argv), CHILD, json.dumps(settings), *command]
    os.execv(sys.executable, line)


def interpreter_options(original: list[str], own: list[str]) -> list[str]:
    """The options that this interpreter was started with (``-O``, ``-X dev``), for the next one.

    Parameters
    ----------
    original, own : ``sys.orig_argv`` and ``sys.argv``.
    """
    options = original[1 : len(original) - len(own)] if len(own) < len(original) else []
    if options and options[-1] == "-m":  # python -m ibwire: the module's name stands in sys.argv as a path
        options.pop()
    return options


def _compare(args: argparse.Namespace, command: list[str]) -> int:
    if command:
        return _wrong("--compare takes no program")
    version = args.server_version
    if version is not None and not V.MIN_CLIENT_VERSION <= version <= V.MAX_CLIENT_VERSION:
        return _wrong(f"--server-version is {V.MIN_CLIENT_VERSION}..{V.MAX_CLIENT_VERSION}, not {version}")
    from ibwire.cli.exec_compare import compare

    return compare(args.compare, args.ibapi, version, sys.stdout)


def _port(text: str) -> int:
    if not text.isascii() or not text.isdecimal() or not 0 < int(text) < 65536:
        raise argparse.ArgumentTypeError(f"a port is a number in 1..65535, not {text!r}")
    return int(text)


def _wrong(problem: str) -> int:
    print(f"ibwire exec: {problem}", file=sys.stderr)
    return 2
