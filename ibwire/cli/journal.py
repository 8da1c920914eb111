"""``ibwire journal``: what a journal says, and whether it can be trusted."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from ibwire.errors import ProtocolError
from ibwire.io.journal_format import FLAG_CARRIED, Act, Entry, Kind, input_of, intent_of, received_of, result_of
from ibwire.io.journal_read import Reading, read
from ibwire.io.journal_rebuild import replay
from ibwire.trade.executions import known
from ibwire.trade.orders import OrderTable
from ibwire.trade.view import plain
from ibwire.wire.codec import Codec, Role, UnknownMessage

DESCRIPTION = """
Reads the journal that a client keeps of its orders: what was intended, sent and answered.

  verify    check every entry; exit code 1 when one cannot be trusted
  show      one line for each entry
  rebuild   the order table as it was when the last entry was written
  export    one JSON object for each entry, with its frame in hex and its message decoded

FILE is a journal's directory, the state_dir that holds it, or one segment. Nothing is changed, and a journal that is
being written may be read. Of a torn tail it is told where it begins; at any other damage reading stops, with exit
code 1, and what was written before it is good.
"""
_FOLLOW_S: Final = 0.2
_LEFT_OUT: Final = frozenset({"frame", "message_text", "after"})
_SAID_BY_BRIEF: Final = _LEFT_OUT | {"name", "brief", "code"}
_JSON_KINDS: Final = frozenset(
    {
        Kind.VERDICT, Kind.TRANSITION, Kind.KILL, Kind.SESSION, Kind.OPENED, Kind.OVERRIDE, Kind.HIGH_WATER, Kind.CUT,
        Kind.LOST, Kind.NOTE,
    }
)  # fmt: skip


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("what", choices=("verify", "show", "rebuild", "export"))
    parser.add_argument("file", metavar="FILE", type=Path)
    parser.add_argument("--order", type=int, metavar="ID", help="show, export: only entries about this order id")
    parser.add_argument("--follow", action="store_true", help="show: go on as entries are written, until interrupted")


def run(args: argparse.Namespace) -> int:
    reading = read(args.file)
    if args.what == "verify":
        return _verify(reading)
    if args.what == "rebuild":
        return _rebuild(args.file, reading)
    render = _line if args.what == "show" else _object
    seen = _print(reading, render, args.order, 0)
    while args.follow and args.what == "show":
        sys.stdout.flush()
        time.sleep(_FOLLOW_S)
        seen = _print(read(args.file), render, args.order, seen)
    if reading.tail is not None:
        print(f"ibwire journal: {reading.tail}", file=sys.stderr)
    return 0


def _print(reading: Reading, render: Any, order_id: int | None, seen: int) -> int:
    view = Decoder()
    for entry in reading:
        facts = view.facts(entry)
        if entry.seq > seen and (order_id is None or facts.get("orderId") == order_id):
            print(render(entry, facts, _wall(reading, entry)))
    return max(seen, reading.last_seq)


def _verify(reading: Reading) -> int:
    kinds: Counter[str] = Counter(entry.label for entry in reading)
    if not reading.heads:
        print("no entry: it was only prepared")
        return 0
    first, last = reading.heads[0], reading.heads[-1]
    print(f"segments {first.number} to {last.number}, entries {first.first_seq} to {reading.last_seq}: all whole")
    print("  ".join(f"{name} {count}" for name, count in sorted(kinds.items())))
    if first.first_seq > 1:
        print(f"older segments were removed; ids up to {first.high_water} were used before")
    if reading.tail is not None:
        print(f"{reading.tail}")
    return 0


def _rebuild(path: Path, reading: Reading) -> int:
    client_id = replay(reading, None).client_id
    table = OrderTable(max(client_id, 0))
    facts = replay(path, table)
    for view in table:
        print(f"{view!r}  {view.meaning}")
    print(f"{len(table)} orders, {len(facts.open_orders)} may still fill; client id {client_id}, epoch {facts.epoch}")
    if facts.open_orders:
        print("a client that begins with this journal takes each of those as uncertain until it has asked the gateway")
    for one in facts.unanswered:
        print(f"order {one.order_id}: of its {one.act.label} (entry {one.seq}) it is not known whether bytes left")
    if facts.missed:
        print(f"{facts.missed} entries found no room: something may be missing")
    if facts.killed:
        print(f"the kill switch is engaged: {facts.killed}")
    print(f"highest order id used: {facts.high_water}")
    if facts.tail is not None:
        print(f"{facts.tail}")
    return 0


class Decoder:
    """Entries as plain values, with frames decoded at the version of their session."""

    def __init__(self) -> None:
        self._codecs: dict[Role, Codec] = {}

    def facts(self, entry: Entry) -> dict[str, Any]:
        """What the entry says."""
        kind = entry.kind
        if kind in _JSON_KINDS:
            values = entry.json()
            if kind == Kind.SESSION:
                version = int(values["serverVersion"])
                self._codecs = {role: Codec(version, role) for role in Role}
                values["carried"] = bool(entry.flags & FLAG_CARRIED)
            return values
        if kind == Kind.INTENT:
            intent = intent_of(entry)
            values = {"orderId": intent.order_id, "act": _act(intent.act), "after": intent.after_seq}
            return values | self._message(intent.frame, Role.GATEWAY)
        if kind in (Kind.SENT, Kind.SEND_FAILED):
            result = result_of(entry)
            values = {"orderId": result.order_id, "intent": result.intent_seq, "bytes": result.wrote_bytes}
            return values | ({"reason": result.reason} if result.reason else {})
        if kind == Kind.RECEIVED:
            got = received_of(entry)
            return {"message": got.seq, "code": got.code} | self._message(got.payload, Role.CLIENT)
        if kind == Kind.INPUT:
            after, what, given = input_of(entry)
            return {"input": what, "with": given, "after": after}
        return {"lost": int.from_bytes(entry.body, "little")} if kind == Kind.GAP else {}

    def _message(self, frame: bytes, role: Role) -> dict[str, Any]:
        codec = self._codecs.get(role)
        if codec is None:
            return {"frame": frame.hex()}
        try:
            message = codec.decode(frame)
        except ProtocolError as error:
            return {"undecodable": str(error), "frame": frame.hex()}
        if isinstance(message, UnknownMessage):
            return {"name": f"message {message.id}", "frame": frame.hex()}
        values = {"name": message.NAME, "brief": _brief(message), "message_text": str(message), "frame": frame.hex()}
        about = getattr(message, "orderId", None)
        if about is None:
            about = getattr(getattr(message, "execution", None), "orderId", None)
        if about is None and message.NAME == "error":
            about = message.id
        return values if about is None else {"orderId": about, **values}


def _act(number: int) -> str:
    try:
        return Act(number).label
    except ValueError:  # a newer ibwire added it
        return f"act_{number}"


def _number(value: Any) -> str:
    number = known(value)
    return "-" if number is None else plain(number)


def _brief(message: Any) -> str:
    """What a message about an order says, in a few words."""
    match message.NAME:
        case "orderStatus":
            return f"{message.status} filled {_number(message.filled)} remaining {_number(message.remaining)}"
        case "error":
            return f"{message.errorCode} {message.errorMsg}"
        case "execDetails":
            done = message.execution
            return f"{done.side} {_number(done.shares)} at {_number(done.price)} {done.execId}"
        case "commissionAndFeesReport":
            fees = message.commissionAndFeesReport
            return f"{fees.execId} {_number(fees.commissionAndFees)} {fees.currency}"
        case "placeOrder" | "openOrder" | "completedOrder":
            order, state = message.order, getattr(message, "orderState", None)
            prices = [_number(value) for value in (order.lmtPrice, order.auxPrice) if known(value)]
            terms = [order.action, _number(order.totalQuantity), message.contract.symbol, order.orderType, *prices]
            return " ".join(terms if state is None else [state.status, *terms])
    return ""


def _wall(reading: Reading, entry: Entry) -> str:
    head = reading.heads[-1]
    ns = head.wall_ns + entry.ns - head.mono_ns
    try:
        when = datetime.fromtimestamp(ns // 1_000_000_000, UTC)
    except (OverflowError, ValueError, OSError):
        return f"{entry.ns} ns"
    return f"{when:%Y-%m-%d %H:%M:%S}.{ns % 1_000_000_000 // 1000:06d}Z"


def _line(entry: Entry, facts: dict[str, Any], when: str) -> str:
    is_message = entry.kind in (Kind.INTENT, Kind.RECEIVED)
    left_out = _SAID_BY_BRIEF if is_message else _LEFT_OUT
    words = [f"{key} {value}" for key, value in facts.items() if key not in left_out and value != ""]
    if is_message:
        words.append(f"{facts.get('name', 'a frame that cannot be read')} {facts.get('brief', '')}")
    text = "  ".join(words)
    return f"{entry.seq:>8}  {when}  {entry.label:<11}  {text}".rstrip()


def _object(entry: Entry, facts: dict[str, Any], when: str) -> str:
    head = {"seq": entry.seq, "time": when, "ns": entry.ns, "epoch": entry.epoch, "kind": entry.label}
    return json.dumps(head | facts, ensure_ascii=False)
