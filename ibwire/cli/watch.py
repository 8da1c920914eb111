"""``ibwire watch``: quotes, orders and health of a session that another process publishes."""

from __future__ import annotations

import argparse
import json
import math
import shutil
import sys
import time
from datetime import UTC, datetime
from typing import Any, Final

from ibwire.client.attached import Attached, Health, attach
from ibwire.errors import SessionLost
from ibwire.ring.records import rows_of
from ibwire.spec.records import FLAG_TORN, INT_UNSET, ORDER_CONFLICT, ORDER_UNSURE, QUOTE_DELAYED

DESCRIPTION = """\
Show a session that runs in another process of yours, which said publish="NAME" when it connected: the latest quotes and
orders and how it is doing. It only looks: nothing is sent, and nobody is slowed down.

    ibwire watch desk                 until Ctrl-C, or until the session ends
    ibwire watch desk --once          one look
    ibwire watch desk --json          one line of JSON for each look
"""

CLEAR: Final = "\x1b[H\x1b[2J"
_NO_TIME: Final = "-"


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", metavar="NAME", help='what the other process calls it (publish="NAME")')
    parser.add_argument("--once", action="store_true", help="look once and end")
    parser.add_argument("--json", action="store_true", help="one JSON object for each look, on a line of its own")
    parser.add_argument("--interval", type=_interval, default=1.0, metavar="SECONDS", help="between looks (default 1)")
    parser.add_argument("--rows", type=int, default=0, metavar="N", help="at most that many quotes and orders each")


def _interval(text: str) -> float:
    value = float(text)
    if not 0.01 <= value <= 3600:
        raise argparse.ArgumentTypeError(f"{text} is not between 0.01 and 3600 seconds")
    return value


def run(args: argparse.Namespace) -> int:
    """Show it until it ends; 0 when it was closed in order or --once, 1 when its process died."""
    with attach(args.name) as seen:
        while True:
            look = collect(seen)
            _show(look, args)
            if args.once:
                return 0
            end = time.monotonic() + args.interval
            try:
                while (left := end - time.monotonic()) > 0:
                    seen.wait(seen.count, left * 1000)  # it tells when the session has ended
                    time.sleep(max(min(0.05, end - time.monotonic()), 0))
            except SessionLost as lost:
                _show(collect(seen), args)
                print(f"ibwire watch: {lost}", file=sys.stderr)
                return 0 if seen.state == "closed" else 1


# ------------------------------------------------------------------------------------------------------------ looking


def collect(seen: Attached) -> dict[str, Any]:
    """One look: health, quotes and orders as plain values, for JSON and for the table."""
    health = seen.health
    quotes, orders = _rows(seen.quotes, "QUOTE_ROW"), _rows(seen.orders, "ORDER_ROW")
    now_ns = time.monotonic_ns()  # after the rows: no age is negative
    return {
        "name": seen.name,
        "time": datetime.now(UTC).isoformat(timespec="milliseconds"),
        "health": _health(health),
        "quotes": [_quote(row, now_ns) for row in quotes],
        "orders": [_order(row, now_ns) for row in orders],
    }


def _rows(table: Any, name: str) -> list[Any]:
    """Every row of a table, by key."""
    out = rows_of(name, table.capacity + 1)
    found = out[: table.snapshot(out)]
    found.sort(order=("key", "key2"))
    return list(found)


def _health(health: Health) -> dict[str, Any]:
    return {
        "state": health.state,
        "owner_pid": health.owner_pid,
        "package": health.package,
        "server_version": health.server_version,
        "client_id": health.client_id,
        "epoch": health.epoch,
        "age_ms": _number(round(health.age_ms, 1)),
        **health.counts,
    }


def _number(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None


def _age(recv_ns: Any, now_ns: int) -> float | None:
    return round((now_ns - int(recv_ns)) / 1e6, 1) if recv_ns else None


def _quote(row: Any, now_ns: int) -> dict[str, Any]:
    torn = bool(row["flags"] & FLAG_TORN)
    values = {name: _number(row[name]) for name in ("bid_size", "bid", "ask", "ask_size", "last", "last_size")}
    return {
        "reqId": int(row["key"]),
        **values,
        "age_ms": None if torn else _age(row["recv_ns"], now_ns),
        "seq": None if torn else int(row["seq"]),
        "delayed": not torn and bool(row["flags"] & QUOTE_DELAYED),
        "torn": torn,
    }


def _order(row: Any, now_ns: int) -> dict[str, Any]:
    torn = bool(row["flags"] & FLAG_TORN)
    by_perm = int(row["key"]) == INT_UNSET
    values = {
        name: _number(row[name])
        for name in ("quantity", "filled", "remaining", "limit_price", "avg_price", "last_price", "executed")
    }
    numbers = ("permId", "parentId", "error_code", "statuses", "executions", "commissions", "errors", "seq")
    return {
        "clientId": None if by_perm else int(row["key"]),
        "orderId": None if by_perm else int(row["key2"]),
        "status": "" if torn else row["status"].decode("utf-8", "replace"),
        **values,
        **{name: None if torn else int(row[name]) for name in numbers},
        "age_ms": None if torn else _age(row["recv_ns"], now_ns),
        "conflict": not torn and bool(row["flags"] & ORDER_CONFLICT),
        "unsure": not torn and bool(row["flags"] & ORDER_UNSURE),
        "torn": torn,
    }


# ------------------------------------------------------------------------------------------------------------ showing


def _show(look: dict[str, Any], args: argparse.Namespace) -> None:
    if args.json:
        print(json.dumps(look), flush=True)
        return
    live = not args.once and sys.stdout.isatty()
    height = shutil.get_terminal_size().lines if live else 0
    most = args.rows or (max((height - 9) // 2, 3) if live else 0)
    print((CLEAR if live else "") + "\n".join(table(look, most)), flush=True)


def table(look: dict[str, Any], most: int = 0) -> list[str]:
    """The lines of one look; at most that many rows of each table (0: all)."""
    health = look["health"]
    lines = [
        f"{look['name']}   {health['state']}   process {health['owner_pid']}   client {health['client_id']}   "
        f"version {health['server_version']}   last receive {_ago(health['age_ms'])}   {look['time']}",
        f"messages {health['messages']}   bytes {health['bytes']}   bad frames {health['bad_frames']}   "
        f"unknown {health['unknown']}   quotes {health['quotes']} of {health['quotes_capacity']}   "
        f"orders {health['orders']} of {health['orders_capacity']}",
    ]
    for name, text in (
        ("quotes_refused", "ticks found no row: the quote table is full"),
        ("orders_refused", "order messages found no row: the order table is full"),
        ("orders_undecodable", "order messages could not be decoded"),
    ):
        if health[name]:
            lines.append(f"! {health[name]} {text}")
    lines += ["", f"{'reqId':>8} {'size':>10} {'bid':>12} {'ask':>12} {'size':>10} {'last':>12} {'size':>10}  age"]
    shown = look["quotes"][:most] if most else look["quotes"]
    for q in shown:
        cells = f"{q['reqId']:>8} {_text(q['bid_size']):>10} {_text(q['bid']):>12} {_text(q['ask']):>12} "
        cells += f"{_text(q['ask_size']):>10} {_text(q['last']):>12} {_text(q['last_size']):>10}  {_ago(q['age_ms'])}"
        lines.append(cells + (" delayed" if q["delayed"] else "") + (" half-written" if q["torn"] else ""))
    lines += _more(look["quotes"], shown)
    lines += ["", f"{'order':>12} {'permId':>11} {'status':<24} {'filled':>10} {'left':>10} {'average':>12}  age"]
    shown = look["orders"][:most] if most else look["orders"]
    for o in shown:
        name = _NO_TIME if o["orderId"] is None else f"{o['clientId']}/{o['orderId']}"
        marks = [text for text in ("conflict", "unsure") if o[text]]
        marks += ["half-written"] * o["torn"] + [f"error {o['error_code']}"] * bool(o["error_code"])
        cells = f"{name:>12} {_text(o['permId']):>11} {o['status'] or _NO_TIME:<24} {_text(o['filled']):>10} "
        cells += f"{_text(o['remaining']):>10} {_text(o['avg_price']):>12}  {_ago(o['age_ms'])}"
        lines.append(" ".join([cells, *marks]))
    lines += _more(look["orders"], shown)
    return lines


def _more(rows: list[Any], shown: list[Any]) -> list[str]:
    return [f"    and {len(rows) - len(shown)} more"] if len(rows) > len(shown) else []


def _text(value: float | None) -> str:
    return _NO_TIME if value is None else f"{value:.10g}"


def _ago(age_ms: float | None) -> str:
    if age_ms is None:
        return _NO_TIME
    return f"{age_ms:.0f} ms" if age_ms < 10_000 else f"{age_ms / 1000:.0f} s"
