"""``ibwire sim``: the simulated gateway as a program; any client can connect to it."""

from __future__ import annotations

import argparse
import gc
import signal
import socket
import sys
import threading
import time
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TextIO

if TYPE_CHECKING:
    from ibwire.sim.peer import Peer

DESCRIPTION = """
Run a simulated gateway on 127.0.0.1: the real protocol, seeded instruments and prices, orders that fill, no account and
no money. Any client of the API can connect; stop it with Ctrl-C.

  ibwire sim --port 4002
  ibwire sim --scenario late-fill --speed 10
  ibwire sim --scenario mine.toml --seed 3 --server-version 176 --log traffic.log
  ibwire sim --list            the ready scenarios
  ibwire sim --explain NAME    what one does, and its file
  ibwire sim --firehose max --mix tickPrice,tickSize    pre-encoded frames, for load

With --speed virtual no time passes but one second after each request: equal bytes in give equal bytes out.
"""

VIRTUAL: Final = "virtual"
COLLECT_AFTER: Final = 50_000
"""Objects after which this program looks for cycles: a market makes many that die young, and hardly a cycle."""

_STEP_S: Final = 1.0
_PORT: Final = 0
_HOST: Final = "127.0.0.1"
_BACKLOG: Final = 128


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--port", type=int, default=_PORT, metavar="N", help="0, the default, takes a free one")
    parser.add_argument("--server-version", type=int, metavar="N", help="highest version, 100..225 (default 225)")
    parser.add_argument("--seed", type=int, metavar="S", help="seed of the world (default: the scenario's, or 7)")
    parser.add_argument("--scenario", metavar="FILE|NAME", help="what is to happen: a ready scenario or a TOML file")
    parser.add_argument("--accounts", nargs="+", metavar="CODE", help="account codes of the login (DU0000001)")
    parser.add_argument("--log", metavar="FILE", help="write every message there, with its virtual time; - is stdout")
    parser.add_argument("--speed", default="1", metavar="X", help="virtual seconds per second, or 'virtual'")
    parser.add_argument("--rate", type=int, metavar="N", help="mean quote changes per second and instrument")
    parser.add_argument("--ticks", metavar="FILE", help="a CSV of ticks that is the market (docs/sim/market.md)")
    parser.add_argument("--seconds", type=float, metavar="N", help="stop after so long")
    parser.add_argument("--list", action="store_true", help="list the ready scenarios and exit")
    parser.add_argument("--explain", metavar="NAME", help="explain a scenario and exit")
    parser.add_argument("--firehose", metavar="RATE|max", help="send pre-encoded frames: so many a second, or all")
    parser.add_argument("--mix", default="tickPrice", metavar="NAMES", help="messages of the firehose (tickPrice)")


def run(args: argparse.Namespace) -> int:
    if args.list:
        return show_list(sys.stdout)
    if args.explain:
        return explain(args.explain, sys.stdout)
    problem = check(args)
    if problem:
        print(problem, file=sys.stderr)
        return 2
    if args.firehose:
        from ibwire.sim.server.firehose import FirehoseServer

        rate = 0 if args.firehose == "max" else int(args.firehose)
        mix = args.mix.split(",")
        with FirehoseServer(args.port, rate, mix, args.server_version or 225) as hose:
            pace = f"{rate:,} messages/s" if rate else "as fast as it is read"
            say(f"firehose on {hose.host}:{hose.port}, {pace}")
            wait(args.seconds)
            say(f"{hose.sent:,} messages sent")
        return 0
    return serve(args)


def check(args: argparse.Namespace) -> str:
    """What is wrong with the arguments."""
    if args.speed != VIRTUAL:
        try:
            speed = float(args.speed)
        except ValueError:
            speed = 0.0
        if not 0 < speed < float("inf"):
            return "--speed is a number above 0, or 'virtual'"
    if args.firehose and args.firehose != "max" and not (args.firehose.isdigit() and int(args.firehose)):
        return "--firehose is a whole number of messages a second, or 'max'"
    if not 0 <= args.port <= 65535:
        return "--port is 0..65535"
    if args.server_version is not None and not 100 <= args.server_version <= 225:
        return "--server-version is 100..225"
    if args.seed is not None and args.seed < 0:
        return "--seed is at least 0"
    if args.seconds is not None and not 0 < args.seconds < float("inf"):
        return "--seconds is a number above 0"
    if args.rate is not None and not 1 <= args.rate <= 1_000_000:
        return "--rate is 1..1000000"
    return ""


def serve(args: argparse.Namespace) -> int:
    """Run the gateway until it is stopped."""
    with ExitStack() as stack:
        stack.callback(gc.set_threshold, *gc.get_threshold())
        gc.set_threshold(COLLECT_AFTER, 10, 10)
        # Listening comes before the imports: who connects meanwhile waits in the queue, and is not refused.
        listener = stack.enter_context(socket.create_server((_HOST, args.port), backlog=_BACKLOG))
        line = f"simulated gateway on {_HOST}:{listener.getsockname()[1]}   {_world(args)}"
        if args.scenario is None:
            say(line)
        from ibwire.sim import server

        virtual = args.speed == VIRTUAL
        settings: dict[str, Any] = {"virtual": virtual, "step_s": _STEP_S if virtual else 0.0}
        if not virtual:
            settings["time_scale"] = float(args.speed)
        if args.rate is not None:
            settings["rate"] = args.rate
        if args.ticks:
            settings["ticks"] = Path(args.ticks).read_text(encoding="utf-8")
        if args.log:
            out = sys.stdout if args.log == "-" else stack.enter_context(open(args.log, "w", encoding="utf-8"))
            settings["watch"] = Log(out).write
        running = stack.enter_context(
            server.serve(
                args.port,
                args.seed,
                args.server_version,
                args.accounts,
                scenario=args.scenario,
                listener=listener,
                **settings,
            )
        )
        if args.scenario is not None:  # only now is it known to be one
            say(line)
        wait(args.seconds)
        for problem in running.problems:
            print(problem, file=sys.stderr)
    return 0


def _world(args: argparse.Namespace) -> str:
    seed = "" if args.seed is None else f", seed {args.seed}"
    if args.server_version is not None:
        seed += f", server version {args.server_version}"
    scenario = f", scenario {args.scenario}" if args.scenario else ""
    return ("virtual time" if args.speed == VIRTUAL else f"speed {float(args.speed):g}") + seed + scenario


def say(text: str) -> None:
    """One line, at once: whoever started this program waits for it."""
    print(text, flush=True)


def wait(seconds: float | None) -> None:
    """Until Ctrl-C, a termination signal, or the end of the time."""
    done = threading.Event()
    before = {number: signal.signal(number, lambda *_: done.set()) for number in (signal.SIGINT, signal.SIGTERM)}
    until = None if seconds is None else time.monotonic() + seconds
    try:
        while not done.wait(0.5 if until is None else max(min(0.5, until - time.monotonic()), 0)):
            if until is not None and time.monotonic() >= until:
                break
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


class Log:
    """Writes one line per message: virtual time, client, direction, message."""

    def __init__(self, out: TextIO) -> None:
        self._out = out

    def write(self, peer: Peer, is_request: bool, message: Any) -> None:
        """Called on the server's thread."""
        session = peer.session
        now_ns = 0 if session is None else session.gateway.clock.now_ns
        who = "-" if session is None or session.clientId is None else session.clientId
        arrow = ">" if is_request else "<"
        self._out.write(f"{now_ns / 1e9:.6f} {who} {arrow} {message!r}\n")
        self._out.flush()


# ---------------------------------------------------------------------------------------------- ready scenarios


def show_list(out: TextIO) -> int:
    """The ready scenarios."""
    from ibwire.sim.scenario import Scenario, names

    for name in names():
        found = Scenario.load(name)
        items = ",".join(map(str, found.items))
        print(f"{name:<26} {items:>8}  {found.title}", file=out)
    return 0


def explain(name: str, out: TextIO) -> int:
    """One scenario: what it does, what a client sees, and its file."""
    from importlib import resources

    from ibwire.sim.scenario import Scenario, names

    found = Scenario.load(name)
    print(f"{found.title}\n\n{found.about}\n", file=out)
    if found.sequence:
        print("A client sees:", file=out)
        for line in found.sequence:
            print(f"  {line}", file=out)
        print(file=out)
    ready = name in names()
    text = (
        resources.files("ibwire.sim").joinpath("scenarios", f"{name}.toml").read_text(encoding="utf-8")
        if ready
        else Path(name).read_text(encoding="utf-8")
    )
    # What the reader has just read is not printed twice.
    settings = text[text.index("\n[") + 1 :] if "\n[" in text else ""
    print(settings.strip() or "It has no rules.", file=out)
    return 0
