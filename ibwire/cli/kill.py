"""``ibwire kill``: no new orders, and open ones cancelled, in every program of this user or in one."""

from __future__ import annotations

import argparse
import getpass
import sys
from pathlib import Path
from typing import Final

from ibwire.errors import ConfigError
from ibwire.io import clock
from ibwire.io.killswitch import Kill, read_kill, remove_kill, state_root, write_kill
from ibwire.io.statedir import default_state_dir

DESCRIPTION: Final = """
Shut the kill switch: from now on no ibwire program of this user sends an order that can add risk, and each that runs
cancels its own open orders. It stays shut, also for programs started later, until it is released by hand.

  ibwire kill                            every session of this user
  ibwire kill 127.0.0.1:7497/1           one session, HOST:PORT/CLIENT_ID, that was given no state_dir
  ibwire kill --state-dir DIR            the session whose program was given this state_dir
  ibwire kill --status                   what is shut, and why
  ibwire kill --release                  open it again (with the same choice of session)

--everything: each program sends one global cancel instead. That ALSO CANCELS ORDERS OF OTHER CLIENTS AND ORDERS TYPED
IN BY HAND, of the whole login.

A program that does not run, or that does not use ibwire, cancels nothing: look at TWS. Shut again while it is shut, it
is carried out again: --everything after a plain kill sends the global cancels.
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Arguments."""
    parser.add_argument("session", nargs="?", default="", metavar="HOST:PORT/ID", help="one session; default all")
    parser.add_argument("--state-dir", default="", metavar="DIR", help="the session with this state_dir")
    parser.add_argument("--all", action="store_true", help="every session of this user (the default)")
    parser.add_argument("--everything", action="store_true", help="global cancel: other clients' and manual orders too")
    parser.add_argument("--reason", default="ibwire kill", metavar="TEXT", help="kept in the file and told to programs")
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--release", action="store_true", help="open it again")
    what.add_argument("--status", action="store_true", help="say what is shut; exit code 1 if anything is")


def run(args: argparse.Namespace) -> int:
    """Write, remove or show a kill file."""
    place = _place(args)
    if args.status:
        return _status(place)
    if args.release:
        if not remove_kill(place):
            print(f"there is no kill file in {place}")
            return 1
        print(f"released: {place}")
        print("programs that were shut stay so until they are released or started again")
        return 0
    scope = "everything" if args.everything else "mine"
    is_known = place.is_dir()
    path = write_kill(place, Kill(args.reason, f"{getpass.getuser()} on the command line", scope, clock.wall_ns()))
    print(f"shut: {path}")
    if not is_known and (args.session or args.state_dir):
        print(f"nobody has kept anything in {place} so far: is it the right session?", file=sys.stderr)
    if args.everything:
        print("each program sends a global cancel: other clients' and manual orders too")
    return 0


def _place(args: argparse.Namespace) -> Path:
    if sum((bool(args.session), bool(args.state_dir), args.all)) > 1:
        raise ConfigError("say one of HOST:PORT/ID, --state-dir and --all")
    if args.state_dir:
        return Path(args.state_dir)
    if not args.session:
        return state_root()
    address, _, client_id = args.session.rpartition("/")
    host, _, port = address.rpartition(":")
    if not host or not port.isdigit() or not client_id.isdigit():
        raise ConfigError(f"{args.session!r} is no session", hint="write it as 127.0.0.1:7497/1")
    return default_state_dir(host, int(port), int(client_id))


def _status(place: Path) -> int:
    places = [place]
    if place == state_root() and place.is_dir():
        places += sorted(one for one in place.iterdir() if one.is_dir())
    shut = [(one, found) for one in places if (found := read_kill(one)) is not None]
    for one, found in shut:
        print(f"{one}: {found} (scope {found.scope})")
    if not shut:
        print("nothing is shut")
    return 1 if shut else 0
