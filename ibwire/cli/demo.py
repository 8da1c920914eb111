"""``ibwire demo``: the whole way through, against the embedded simulated gateway. Every number is measured."""

from __future__ import annotations

import argparse
import math
import os
import statistics
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, TextIO

import ibwire
from ibwire.cli import measure
from ibwire.errors import WaitTimeout
from ibwire.types.constructors import forex, limit, stock
from ibwire.types.structs import Contract

if TYPE_CHECKING:
    from ibwire.client import Client, OrderHandle, QuoteStream

DESCRIPTION = """
Start the simulated gateway on a free loopback port, connect to it over a real socket with the real protocol, stream
two symbols through the decoder, place an order and follow it to its fill.

No account, no money, no internet, nothing to configure. On a terminal the table is live; piped it is printed once.
Exit code 0 when the order was filled, the position equals the gateway's own book and no frame was bad.
"""

SYMBOLS: Final = ("AAPL", "EUR.USD")
TICKS_PER_S: Final = 1000
QUANTITY: Final = 100
REDRAW_S: Final = 0.25
FILL_LIMIT_S: Final = 15.0
FEE_LIMIT_S: Final = 2.0
_MAX_AGES: Final = 50_000


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--seconds", type=float, default=8.0, metavar="N", help="how long to stream (default 8)")
    parser.add_argument("--seed", type=int, default=7, metavar="S", help="seed of the simulated market (default 7)")


def run(args: argparse.Namespace) -> int:
    if not 0 < args.seconds <= 3600:
        print("--seconds is above 0 and at most 3600", file=sys.stderr)
        return 2
    return Demo(args.seconds, args.seed, sys.stdout).run()


@dataclass(slots=True)
class Row:
    """One line of the table."""

    symbol: str
    contract: Contract
    digits: int
    ages_ns: list[int] = field(default_factory=list)


class Demo:
    """One run."""

    def __init__(self, seconds: float, seed: int, out: TextIO) -> None:
        self.seconds, self.seed, self.out = seconds, seed, out
        self.live = out.isatty() and os.environ.get("TERM", "dumb") != "dumb"
        self.rows: list[Row] = []
        self._started_s = 0.0
        self._drawn_s = 0.0
        self._height = 0

    def say(self, text: str = "") -> None:
        """One line, at once."""
        print(text, file=self.out, flush=True)

    def run(self) -> int:
        with ibwire.connect("sim", seed=self.seed, ticks_per_s=TICKS_PER_S) as ib:
            self._introduce(ib)
            self.rows = [self._row(ib, symbol) for symbol in SYMBOLS]
            with ib.stream([row.contract for row in self.rows]) as stream:
                self._started_s = time.perf_counter()
                self._follow(stream, self.seconds)
                self._table(stream)
                filled = self._trade(ib, stream)
                gaps = stream.gaps
            equal = self._compare(ib)
            name, stats, version = ib.last_message, ib.stats, ib.server_version
        self._close(stats, gaps, version, name)
        return 0 if filled and equal and not stats["bad_frames"] else 1

    # -- before ------------------------------------------------------------------------------------------------------

    def _introduce(self, ib: Client) -> None:
        host, port = ib.address
        self.say(f"ibwire {ibwire.__version__}   simulated gateway {host}:{port} (no account, no money, no internet)")
        dialect = "protobuf" if ib.dialect == "proto" else "text"
        account = ", ".join(ib.accounts)
        self.say(
            f"handshake      server version {ib.server_version}, {dialect}, client {ib.client_id}, account {account}"
            f"   {ib.connect_ms:.1f} ms"
        )
        self.say()

    def _row(self, ib: Client, symbol: str) -> Row:
        wanted = forex(symbol) if "." in symbol else stock(symbol)
        details = ib.contract_details(wanted)
        tick = min((one.minTick for one in details if one.minTick), default=0.01)
        return Row(symbol, ib.qualify(wanted), max(0, math.ceil(-math.log10(tick) - 1e-9)))

    # -- the table ---------------------------------------------------------------------------------------------------

    def _follow(self, stream: QuoteStream, seconds: float) -> None:
        until = time.perf_counter() + seconds
        while (left := until - time.perf_counter()) > 0:
            self._take(stream, min(left, REDRAW_S))
            if self.live and time.perf_counter() - self._drawn_s > REDRAW_S:
                self._drawn_s = time.perf_counter()
                self._table(stream)
        while not all(stream.quote(place).is_two_sided for place in range(len(self.rows))):
            if not stream.update(10.0):
                raise WaitTimeout("the simulated gateway sent no quotes within 10 s")

    def _take(self, stream: QuoteStream, timeout: float) -> None:
        for place in stream.update(timeout):
            ages = self.rows[place].ages_ns
            if len(ages) < _MAX_AGES:
                ages.append(time.monotonic_ns() - stream.quote(place).recv_ns)

    def _table(self, stream: QuoteStream) -> None:
        if self._height:
            self.out.write(f"\x1b[{self._height}F")
        lines = list(self._lines(stream))
        clear = "\x1b[2K" if self.live else ""
        self.out.write("".join(f"{clear}{line}\n" for line in lines))
        self.out.flush()
        if self.live:
            self._height = len(lines)

    def _lines(self, stream: QuoteStream) -> Iterator[str]:
        yield f" {'symbol':<10}{'bid x size':>20}{'ask x size':>20}{'last':>12}{'ticks/s':>11}{'age':>9}"
        elapsed_s = max(time.perf_counter() - self._started_s, 1e-9)
        for place, row in enumerate(self.rows):
            quote = stream.quote(place)
            rate = f"{stream.ticks(place) / elapsed_s:,.0f}"
            age = _span(statistics.median(row.ages_ns)) if row.ages_ns else "-"
            bid = f"{_price(quote.bid, row.digits)} x {_size(quote.bid_size)}"
            ask = f"{_price(quote.ask, row.digits)} x {_size(quote.ask_size)}"
            yield f" {row.symbol:<10}{bid:>20}{ask:>20}{_price(quote.last, row.digits):>12}{rate:>11}{age:>9}"

    # -- the order ---------------------------------------------------------------------------------------------------

    def _trade(self, ib: Client, stream: QuoteStream) -> bool:
        self.say()
        row = self.rows[0]
        stream.update(0.0)
        price = round(stream.quote(0).ask, row.digits)
        order = ib.orders.place(row.contract, limit("BUY", QUANTITY, price))
        self.say(f"order {order.order_id}   BUY {QUANTITY} {row.symbol} LMT {price:.{row.digits}f} DAY")
        told = self._events(order, 0)
        until = time.perf_counter() + FILL_LIMIT_S
        while not order.is_done and time.perf_counter() < until:
            self._take(stream, 0.01)
            told = self._events(order, told)
        if order.is_done:
            order.wait("done")  # at once: its history comes level
            self._await_fees(order, stream)
        else:
            self.say(f"    the market left the limit: {order.state.label} after {FILL_LIMIT_S:g} s, cancelling")
            order.cancel()
            order.wait("done", timeout=FILL_LIMIT_S)
        self._events(order, told)
        self.say(f"    {'total':<14}{order.state.label}, {order.summary()}")
        return order.is_filled

    def _await_fees(self, order: OrderHandle, stream: QuoteStream) -> None:
        until = time.perf_counter() + FEE_LIMIT_S
        while any(fill.fee is None for fill in order.executions) and time.perf_counter() < until:
            self._take(stream, 0.01)

    def _events(self, order: OrderHandle, told: int) -> int:
        events = order.events[told:]
        for event in events:
            meaning = "" if event.state == "sent" else event.meaning
            text = "   ".join(part for part in (meaning, event.detail) if part)
            self.say(f"    {event.ms:+10.3f} ms  {event.state:<18} {text}")
        return told + len(events)

    def _compare(self, ib: Client) -> bool:
        row = self.rows[0]
        held = ib.positions()[row.contract].size
        book = ib.simulator.call(lambda gateway: gateway.trading_account.position(row.contract.conId))  # type: ignore[union-attr]
        verdict = "equal" if held == book else "NOT EQUAL"
        self.say(f"    {'position':<14}{row.symbol} {held:+f}   gateway's own book: {book:+f}   {verdict}")
        return bool(held == book)

    # -- after -------------------------------------------------------------------------------------------------------

    def _close(self, stats: dict[str, int], gaps: int, version: int, last_message: str) -> None:
        figure = measure.decode(version)
        self.say()
        self.say(
            f"{stats['messages']:,} messages in, {stats['sent']} out, {stats['bad_frames']} bad frames, {gaps} gaps"
            f"   decode {figure}"
        )
        self.say(f"the last frame, explained:  ibwire explain {last_message} --at {version}")
        self.say('next: examples/first.py | coming from ibapi: README "Migrate" | make test')


def _price(value: float, digits: int) -> str:
    return "-" if math.isnan(value) else f"{value:.{digits}f}"


def _size(value: float) -> str:
    if math.isnan(value):
        return "-"
    if value >= 1e6:
        return f"{value / 1e6:.1f}M"
    return f"{value:,.0f}" if value == int(value) else f"{value:,.4g}"


def _span(ns: float) -> str:
    for unit, scale in (("ns", 1), ("us", 1e3), ("ms", 1e6)):
        if ns < scale * 1000:
            return f"{ns / scale:.0f} {unit}"
    return f"{ns / 1e9:.1f} s"
