"""``ibwire explain``: the layout of a message at a server version."""

from __future__ import annotations

import argparse
import difflib
import sys
from collections.abc import Iterable, Iterator

from ibwire.cli import layout
from ibwire.cli.layout import Line
from ibwire.spec import versions as V
from ibwire.spec.model import FOREVER, Direction, Row
from ibwire.spec.registry import INCOMING, OUTGOING
from ibwire.wire.codec import PROTO_OFFSET
from ibwire.wire.plan import Dialect

DESCRIPTION = """
The layout of a message at a server version: every field in wire order, its kind, what "unset" looks like, since when
it is there, and under which condition. Text and protobuf are both shown unless --dialect says which.

MESSAGE is IB's name of a message (orderStatus, placeOrder, ...) in any case, or a message id. Without MESSAGE: the
list of all messages.
"""


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("message", metavar="MESSAGE", nargs="?", help="a message's name or id")
    parser.add_argument(
        "--at",
        type=int,
        metavar="N",
        default=V.MAX_CLIENT_VERSION,
        help=f"server version, {V.MIN_CLIENT_VERSION}..{V.MAX_CLIENT_VERSION} (default {V.MAX_CLIENT_VERSION})",
    )
    parser.add_argument("--dialect", choices=("text", "proto"), help="only this dialect")


def run(args: argparse.Namespace) -> int:
    if not V.MIN_CLIENT_VERSION <= args.at <= V.MAX_CLIENT_VERSION:
        print(f"--at is {V.MIN_CLIENT_VERSION}..{V.MAX_CLIENT_VERSION}, not {args.at}", file=sys.stderr)
        return 2
    if args.message is None:
        print("\n".join(_list()))
        return 0
    rows = find(args.message)
    if not rows:
        print(f"there is no message {args.message!r}{_suggestion(args.message)}", file=sys.stderr)
        return 1
    for number, row in enumerate(rows):
        if number:
            print()
        print("\n".join(explain(row, args.at, args.dialect)))
    return 0


def find(wanted: str) -> list[Row]:
    """Rows by name (any case) or by id, both directions."""
    every = [*INCOMING.values(), *OUTGOING.values()]
    if wanted.isdigit():
        number = int(wanted)
        return [row for row in every if number in (row.id, row.id + PROTO_OFFSET if row.proto else -1)]
    return [row for row in every if row.name == wanted] or [row for row in every if row.name.lower() == wanted.lower()]


def _suggestion(wanted: str) -> str:
    names = {row.name.lower(): row.name for rows in (INCOMING, OUTGOING) for row in rows.values()}
    near = difflib.get_close_matches(wanted.lower(), names, 3, 0.5)
    near = near or [name for name in names if wanted.lower() in name][:3]
    if not near:
        return "; `ibwire explain` lists them all"
    return "; did you mean " + " or ".join(names[name] for name in near) + "?"


def _list() -> Iterator[str]:
    for title, rows in (("from the gateway", INCOMING), ("from the client", OUTGOING)):
        yield f"{title}:"
        for row in rows.values():
            forms = [form for form, there in (("text", row.text is not None), ("protobuf", bool(row.proto))) if there]
            since = f", since {row.since}" if row.since > V.MIN_CLIENT_VERSION else ""
            yield f"  {row.id:>4}  {row.name:<40} {' and '.join(forms)}{since}"


def explain(row: Row, at: int, dialect: str | None = None) -> Iterator[str]:
    """Lines that explain a row at a server version."""
    incoming = row.direction is Direction.INCOMING
    route = "gateway to client" if incoming else "client to gateway"
    yield f"{row.name}: message {row.id}, {route}"
    if row.doc:
        yield row.doc
    if row.since > V.MIN_CLIENT_VERSION:
        yield f"known since server version {layout.gate_text(row.since)}"
    if row.since > at:
        yield f"not known at server version {at}"
        return
    if incoming and row.calls:
        yield "callbacks: " + ", ".join(dict.fromkeys(call.name for call in row.calls))
    yield _sent_as(row, at)
    if dialect in (None, Dialect.TEXT.value):
        yield ""
        yield from _text(row, at)
    if dialect in (None, Dialect.PROTO.value):
        yield ""
        yield from _proto(row, at)


def _sent_as(row: Row, at: int) -> str:
    if row.text is None:
        return "sent as protobuf only"
    if not row.proto:
        return "sent as text at every version"
    used = "protobuf" if at >= row.proto_since else "text"
    return f"sent as {used} at {at} (protobuf since {layout.gate_text(row.proto_since)})"


def _text(row: Row, at: int) -> Iterator[str]:
    if row.text is None:
        yield "text: no form at any version"
        return
    form = f"id {row.id} in 4 raw bytes" if at >= V.PROTOBUF else f"id {row.id} as the first field"
    yield f"text at server version {at}: {form}, then fields that end in a NUL"
    found = layout.TextLayout(row, at)
    if not found.lines:
        yield "  no fields"
    yield from _table(found.lines, "pos", max(row.since, V.MIN_CLIENT_VERSION))
    if found.absent:
        yield f"  not at {at}:"
        for line in found.absent:
            yield f"    {line.name}: {_span(line)}"


def _span(line: Line) -> str:
    parts = []
    if line.since > V.MIN_CLIENT_VERSION:
        parts.append(f"since {layout.gate_text(line.since)}")
    if line.until != FOREVER:
        parts.append(f"until {line.until - 1}, gone from {layout.gate_text(line.until)}")
    return ", ".join(parts)


def _proto(row: Row, at: int) -> Iterator[str]:
    if not row.proto:
        yield "protobuf: no form at any version"
        return
    if at < V.PROTOBUF:
        yield f"protobuf: not at {at}; frames carry it since {layout.gate_text(V.PROTOBUF)}"
        return
    yield f"protobuf: {row.proto}, id {row.id + PROTO_OFFSET} in 4 raw bytes (the same at every version)"
    lines = layout.proto_lines(row)
    if not lines:
        yield "  no fields"
    late = [line for line in lines if line.since > max(at, row.proto_since)]
    yield from _table(lines, "no.", row.proto_since)
    if late:
        yield f"  above {at}: " + ", ".join(line.name for line in late)


def _table(lines: Iterable[Line], first: str, floor: int) -> Iterator[str]:
    rows = [(first, "field", "kind", "since", "notes")]
    for line in lines:
        indent = "  " * line.depth
        since = layout.gate_text(line.since) if line.since > floor else ""
        notes = list(line.notes)
        if line.until != FOREVER:
            notes.append(f"gone from {layout.gate_text(line.until)}")
        rows.append((line.where, indent + line.name, line.kind, since, "; ".join(notes)))
    if len(rows) == 1:
        return
    # A heading (a condition) has no columns to line up with.
    widths = [max(len(row[i]) for row in rows if row[2]) for i in range(4)]
    for row in rows:
        if row[2]:
            cells = [row[0].rjust(widths[0]), *(row[i].ljust(widths[i]) for i in (1, 2, 3)), row[4]]
            yield ("  " + "  ".join(cells)).rstrip()
        else:
            yield "  " + " " * (widths[0] + 2) + row[1]
