"""``ibwire decode``: a file of frames, every message with named fields."""

from __future__ import annotations

import argparse
import contextlib
import sys
from collections.abc import Iterator
from typing import Final, TextIO

from ibwire.cli import decoding, show
from ibwire.spec import versions as V
from ibwire.wire.codec import Role

DEFAULT_VERSION: Final = 176

DESCRIPTION = f"""
Turn recorded bytes into messages with named fields.

FILE holds frames as they stand on the socket: a 4-byte big-endian length, then the payload. Nothing in a frame says
which server version it was written for, and fields shift with it. It is taken from, in this order:
  1. --server-version;
  2. a handshake frame (version and time) before it in the file;
  3. {DEFAULT_VERSION}.
Without --server-version, --try-versions finds the versions at which each frame is consumed exactly and reads it at
the nearest of them: for recordings whose version is not known, or that mix several. Exact consumption is a strong
hint, not a proof: two layouts can have the same length.

A frame that cannot be read is reported and the next one follows. A length that cannot be right ends the file.
Values that are not set are written as "unset", never as zero; inside structs they are left out (--all shows them).
"""


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", metavar="FILE", help="file of frames, or - for standard input")
    parser.add_argument(
        "--server-version",
        type=int,
        metavar="N",
        help=f"server version, {V.MIN_CLIENT_VERSION}..{V.MAX_CLIENT_VERSION} (default {DEFAULT_VERSION})",
    )
    parser.add_argument(
        "--from",
        dest="side",
        choices=("gateway", "client"),
        default="gateway",
        help="who sent the bytes (default: gateway)",
    )
    parser.add_argument(
        "--try-versions", action="store_true", help="find for each frame the versions that consume it exactly"
    )
    parser.add_argument("--json", action="store_true", help="one JSON object per line, everything in it")
    parser.add_argument("--all", action="store_true", help="also fields that are unset or at their default")


def run(args: argparse.Namespace) -> int:
    version = args.server_version
    if version is not None and not V.MIN_CLIENT_VERSION <= version <= V.MAX_CLIENT_VERSION:
        print(f"--server-version is {V.MIN_CLIENT_VERSION}..{V.MAX_CLIENT_VERSION}, not {version}", file=sys.stderr)
        return 2
    role = Role.CLIENT if args.side == "gateway" else Role.GATEWAY
    with contextlib.nullcontext(sys.stdin.buffer) if args.file == "-" else open(args.file, "rb") as source:
        reader = decoding.Reader(
            role, version or DEFAULT_VERSION, pinned=version is not None, try_versions=args.try_versions
        )
        entries = reader.entries(iter(lambda: source.read(1 << 16), b""))
        return _print(entries, args, sys.stdout)


def _print(entries: Iterator[decoding.Entry], args: argparse.Namespace, out: TextIO) -> int:
    good = bad = unknown = 0
    for entry in entries:
        if entry.error:
            bad += 1
        elif entry.name == decoding.UNKNOWN:
            unknown += 1
        else:
            good += 1
        if args.json:
            print(show.to_json(entry.as_dict()), file=out)
        else:
            for line in _lines(entry, args.all):
                print(line, file=out)
    summary = f"{good} messages, {bad} bad frames, {unknown} of unknown id"
    print(summary, file=sys.stderr if args.json else out)
    return 1 if bad else 0


def _lines(entry: decoding.Entry, everything: bool) -> Iterator[str]:
    head = f"[{entry.index}] at {entry.offset}, {entry.nbytes} bytes: {entry.name}"
    if entry.dialect:
        head += f" ({entry.dialect}, id {entry.wire_id}, version {entry.server_version})"
    elif entry.wire_id is not None:
        head += f" (id {entry.wire_id})"
    yield head
    if entry.fits:
        yield f"    consumed exactly at {entry.fits}"
    elif entry.fits is not None:
        yield "    consumed exactly at no version"
    if entry.error:
        yield f"    bad frame: {entry.error}"
    rows = list(show.flat(entry.fields, everything=everything))
    width = min(max((len(name) for name, _ in rows), default=0), 44)
    for name, value in rows:
        yield f"    {name:<{width}}  {value}"
    if entry.extra:
        unit = "bytes" if entry.dialect == "text" else "unknown fields"
        yield f"    ({entry.extra} {unit} after the last field that this version knows)"
