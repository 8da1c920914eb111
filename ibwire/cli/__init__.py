"""The ``ibwire`` command: one file per verb, each imported only when it is asked for.

A verb's module has ``DESCRIPTION`` (its help, a docstring-like text), ``configure(parser)`` and ``run(args) -> exit
code``. Exit codes: 0 done, 1 something was found wrong or failed, 2 wrong usage, 130 interrupted.
"""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from typing import Final, Protocol, cast

__all__ = ["VERBS", "main"]

VERBS: Final[dict[str, str]] = {
    "demo": "connect to the embedded simulated gateway: quotes, an order, its fill",
    "decode": "turn recorded bytes into messages with named fields",
    "explain": "the layout of a message at a server version, and since when each field is there",
    "sim": "run the simulated gateway: scenarios, faults, any server version",
    "capture": "write down a session between any program and a gateway",
    "replay": "serve a captured session again",
    "sanitize": "copy a capture without accounts, names and order references",
    "journal": "check, show, rebuild or export the journal of orders",
    "kill": "no new orders, open ones cancelled: in every program of this user, or in one",
    "exec": "run a program written for the official ibapi package, unchanged",
    "watch": "quotes, orders and health of a session that another process publishes",
}
"""Verb -> one line of help. Each is a module of this package."""


class Verb(Protocol):
    """What a verb's module offers."""

    DESCRIPTION: str

    def configure(self, parser: argparse.ArgumentParser) -> None:
        """Add the verb's arguments."""

    def run(self, args: argparse.Namespace) -> int:
        """Do it; the exit code."""


def load(verb: str) -> Verb:
    """The module of a verb."""
    return cast(Verb, importlib.import_module(f"{__name__}.{verb}"))


class Formatter(argparse.RawDescriptionHelpFormatter):
    """Descriptions as written, options at a fixed column."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog, max_help_position=30, width=110)


def _top_parser() -> argparse.ArgumentParser:
    lines = "\n".join(f"  {verb:<10} {text}" for verb, text in VERBS.items())
    parser = argparse.ArgumentParser(
        prog="ibwire",
        usage="ibwire VERB [arguments]   (ibwire VERB --help says more)",
        description=f"Client, codec and simulated gateway for the socket API of TWS and IB Gateway.\n\nverbs:\n{lines}",
        epilog="exit codes: 0 done, 1 something failed or was found wrong, 2 wrong usage, 130 interrupted",
        formatter_class=Formatter,
    )
    parser.add_argument("--version", action="store_true", help="print the version and exit")
    return parser


def _verb_parser(verb: str) -> tuple[argparse.ArgumentParser, Verb]:
    module = load(verb)
    parser = argparse.ArgumentParser(
        prog=f"ibwire {verb}", description=module.DESCRIPTION.strip(), formatter_class=Formatter
    )
    module.configure(parser)
    return parser, module


def _unknown(verb: str) -> int:
    import difflib

    near = difflib.get_close_matches(verb, VERBS, 1, 0.4)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    print(f"ibwire: there is no verb {verb!r}{hint} The verbs: {', '.join(VERBS)}", file=sys.stderr)
    return 2


def main(argv: list[str] | None = None) -> int:
    """Run one command line; returns the exit code.

    Parameters
    ----------
    argv : list of str, optional
        Arguments without the program's name; by default the process's own.
    """
    arguments = sys.argv[1:] if argv is None else argv
    if not arguments or arguments[0].startswith("-"):
        return _top(arguments)
    if arguments[0] not in VERBS:
        return _unknown(arguments[0])
    from ibwire.errors import IbwireError

    try:
        parser, module = _verb_parser(arguments[0])
        code = module.run(parser.parse_args(arguments[1:]))
        sys.stdout.flush()
        return code
    except SystemExit as stop:  # argparse: --help or wrong usage
        return stop.code if isinstance(stop.code, int) else 2
    except BrokenPipeError:  # the reader of our output has left, as `head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130
    except (IbwireError, OSError) as error:
        print(f"ibwire {arguments[0]}: {error}", file=sys.stderr)
        return 1


def _top(arguments: list[str]) -> int:
    parser = _top_parser()
    try:
        args, rest = parser.parse_known_args(arguments)
    except SystemExit as stop:
        return stop.code if isinstance(stop.code, int) else 2
    if args.version:
        from ibwire import __version__

        print(f"ibwire {__version__}")
        return 0
    if rest:
        print(f"ibwire: unknown option {rest[0]}; see ibwire --help", file=sys.stderr)
        return 2
    parser.print_help()
    return 0 if not arguments else 2
