"""``ibwire capture``: a proxy that writes down a session between any program and a gateway."""

from __future__ import annotations

import argparse
import sys

from ibwire.cli.sim import say, wait
from ibwire.errors import CaptureError, ConfigError

DESCRIPTION = """
Stand between a program and TWS or IB Gateway and write down every byte, with its time in nanoseconds and a checksum.

  ibwire capture --to session.ibcap --listen 4010 --gateway 127.0.0.1:4002

then let the program connect to port 4010. Stop it with Ctrl-C. ibwire replay serves the file again, ibwire sanitize
makes a copy without accounts, names and order references. The session comes first: when the file cannot be written any
more, the capture ends and the traffic goes on. A capture holds everything that passed, accounts included.
"""


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--to", required=True, metavar="FILE", help="the capture; it must not exist")
    parser.add_argument("--listen", type=int, default=0, metavar="PORT", help="loopback port; 0 takes a free one")
    parser.add_argument("--gateway", default="127.0.0.1:4002", metavar="HOST:PORT", help="default 127.0.0.1:4002")
    parser.add_argument("--note", default="", metavar="TEXT", help="kept in the file's header")
    parser.add_argument("--seconds", type=float, metavar="N", help="stop after so long")


def address(text: str) -> tuple[str, int]:
    """Host and port of `HOST:PORT`; raises ConfigError."""
    host, colon, port = text.rpartition(":")
    if not colon or not host or not port.isdigit() or not 0 < int(port) < 65536:
        raise ConfigError(f"--gateway is {text!r}", hint="say HOST:PORT, such as 127.0.0.1:4002")
    return host.strip("[]"), int(port)


def run(args: argparse.Namespace) -> int:
    from ibwire.io.capture import CaptureProxy, CaptureWriter

    host, port = address(args.gateway)
    writer = CaptureWriter(args.to, args.note)

    def tell(problem: CaptureError) -> None:
        print(f"ibwire capture: {problem}; the traffic goes on", file=sys.stderr, flush=True)

    with CaptureProxy(writer, host, port, args.listen, tell) as proxy:
        say(f"capturing on {proxy.host}:{proxy.port} for {host}:{port} to {args.to}")
        wait(args.seconds)
    say(f"{writer.entries:,} entries of {proxy.connections} connections in {args.to}")
    return 0 if proxy.problem is None else 1
