"""``ibwire replay``: serve a captured session."""

from __future__ import annotations

import argparse
import sys

from ibwire.cli.sim import say, wait

DESCRIPTION = """
Serve a capture: requests that are in it get the answers that were captured, at the distance in time at which they came,
with the ids of the client that asks now. What was not asked for then is answered with message 321.

  ibwire replay session.ibcap --port 4002 --speed max
"""


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", metavar="FILE", help="a capture")
    parser.add_argument("--port", type=int, default=0, metavar="N", help="0, the default, takes a free one")
    parser.add_argument("--speed", default="original", metavar="original|N|max", help="how fast answers come")
    parser.add_argument("--seconds", type=float, metavar="N", help="stop after so long")


def speed_of(text: str) -> float | None:
    """The factor; 0 for full speed, None when it is none."""
    if text in ("original", "max"):
        return 1.0 if text == "original" else 0.0
    try:
        found = float(text)
    except ValueError:
        return None
    return found if 0 < found < float("inf") else None


def run(args: argparse.Namespace) -> int:
    speed = speed_of(args.speed)
    if speed is None:
        print("--speed is 'original', a number above 0, or 'max'", file=sys.stderr)
        return 2
    from ibwire.io.capture import CaptureReader
    from ibwire.sim.replay import ReplayWorld
    from ibwire.sim.server.host import Host
    from ibwire.wire.capture import sessions

    with CaptureReader(args.file) as reader:
        found = sessions(reader)
        if reader.torn_bytes:
            print(f"the last {reader.torn_bytes} bytes are no whole entry and were left out", file=sys.stderr)
    world = ReplayWorld(found, at_once=not speed)
    versions = ", ".join(sorted({str(script.server_version) for script in world.scripts}))
    what = f"{len(world.scripts)} sessions, server version {versions}"
    with Host(world, world.peer, args.port, speed or 1.0, False) as host:
        say(f"replaying {args.file} on {host.host}:{host.port}   {what}")
        wait(args.seconds)
        for problem in host.problems:
            print(problem, file=sys.stderr)
    if world.unmatched:
        print(f"{world.unmatched} requests were not in the capture", file=sys.stderr)
    return 0
