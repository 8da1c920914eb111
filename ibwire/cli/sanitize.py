"""``ibwire sanitize``: a copy of a capture without accounts, names and order references."""

from __future__ import annotations

import argparse
import sys

from ibwire.cli.sim import say

DESCRIPTION = """
Copy a capture with every account, name and order reference replaced by an invented one, the same one everywhere. A
message that cannot be read is left out and told, unless --keep-unknown. Look at the result before you give it away.

  ibwire sanitize session.ibcap --to clean.ibcap
"""


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", metavar="FILE", help="a capture")
    parser.add_argument("--to", required=True, metavar="FILE", help="the copy; it must not exist")
    parser.add_argument("--keep-unknown", action="store_true", help="keep messages that cannot be read, as they are")


def run(args: argparse.Namespace) -> int:
    from ibwire.io.capture import CaptureReader, CaptureWriter
    from ibwire.wire.sanitize import Sanitizer

    sanitizer = Sanitizer(args.keep_unknown)
    with CaptureReader(args.file) as reader, CaptureWriter(args.to, "sanitized") as writer:
        for entry in sanitizer.run(reader):
            writer.write(entry.kind, entry.connection, entry.data, entry.time_ns)
        if reader.torn_bytes:
            print(f"the last {reader.torn_bytes} bytes are no whole entry and were left out", file=sys.stderr)
    for line in sanitizer.dropped:
        print(f"left out: {line}", file=sys.stderr)
    kinds = ", ".join(f"{count} {kind}s" for kind, count in sorted(sanitizer.replaced.items())) or "nothing"
    say(f"{writer.entries:,} entries in {args.to}; replaced {kinds}; left out {len(sanitizer.dropped)} messages")
    return 0
