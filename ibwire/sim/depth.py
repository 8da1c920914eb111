"""Market depth: a book around the quote, and the row messages that turn one book into the next."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import NamedTuple

from ibwire.sim.exact import EXACT
from ibwire.sim.instruments import Instrument
from ibwire.sim.path import mix
from ibwire.sim.quotes import Quotes

INSERT, UPDATE, DELETE = 0, 1, 2
ASK_SIDE, BID_SIDE = 0, 1
MAX_ROWS = 60
_SLOW_NS = 2_000_000_000  # sizes below the top change this seldom
_UNITS = 60


class Row(NamedTuple):
    """One row of a book: price in steps, size, who shows it."""

    steps: int
    size: Decimal
    maker: str


class Change(NamedTuple):
    """One row message."""

    position: int
    operation: int
    side: int
    row: Row


def side_of(quotes: Quotes, is_bid: bool, rows: int, now_ns: int, makers: list[str]) -> list[Row]:
    """Return one side of the book, best first: the quote, and below it rows that depend on price and time alone."""
    item: Instrument = quotes.instrument
    now = quotes.quote()
    step = -1 if is_bid else 1
    steps, size = (now.bid, now.bid_size) if is_bid else (now.ask, now.ask_size)
    out = [Row(steps, size, makers[mix(steps) % len(makers)])]
    era = now_ns // _SLOW_NS
    while len(out) < rows:
        steps += step
        if steps < 1:
            break
        r = mix(item.conId * 0x10001 + steps)
        if r % 4 == 0:
            continue  # nobody quotes here
        units = 1 + mix(r + (era + (r >> 32)) // 8) % _UNITS
        out.append(Row(steps, EXACT.multiply(item.quote_unit, Decimal(units)), makers[r % len(makers)]))
    return out


def changes(old: list[Row], new: list[Row], side: int) -> Iterator[Change]:
    """Yield what turns the rows of one side into other rows, each change valid in the book that those before it left.

    Rows are known by their price: gone ones are deleted from the bottom up, new ones inserted from the top down, and
    others updated.
    """
    wanted = {row.steps for row in new}
    for position in range(len(old) - 1, -1, -1):
        if old[position].steps not in wanted:
            yield Change(position, DELETE, side, old[position])
    kept = {row.steps: row for row in old if row.steps in wanted}
    for position, row in enumerate(new):
        before = kept.get(row.steps)
        if before is None:
            yield Change(position, INSERT, side, row)
        elif before != row:
            yield Change(position, UPDATE, side, row)


def applied(rows: list[Row], what: Change) -> None:
    """Do one change to one side's rows, as a client does."""
    if what.operation == INSERT:
        rows.insert(what.position, what.row)
    elif what.operation == UPDATE:
        rows[what.position] = what.row
    else:
        del rows[what.position]
