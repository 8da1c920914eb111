"""A market out of a file: ticks as comma-separated values instead of seeded ones.

::

    time,symbol,field,price,size
    2026-03-02T14:30:00.000Z,AAPL,bid,187.40,300
    2026-03-02T14:30:00.000Z,AAPL,ask,187.42,500
    2026-03-02T14:30:00.250Z,AAPL,last,187.41,100
    1772461801000000000,FUT:ESH6,bid,5525.25,12

`time` is UTC (with Z, up to nine digits after the second) or whole ns since 1970-01-01, and does not go back. `symbol`
is a stock's in USD, a pair (`EUR.USD`), or another type's local symbol after its type and a colon (`FUT:`, `OPT:`,
`IND:`, `CRYPTO:`). `field` is bid, ask, last or close (the close before; its size is empty). Prices stand on the
instrument's price step, sizes on its size increment. Empty lines and lines that begin with # are passed over.
Instruments that the file does not name stay seeded.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import NamedTuple

from ibwire.errors import ConfigError
from ibwire.sim.clock import NS_PER_S
from ibwire.sim.exact import EXACT
from ibwire.sim.instruments import ContractQuery, Instrument
from ibwire.sim.quotes import Quotes, TickChange, TickKind
from ibwire.sim.universe import InstrumentUniverse

COLUMNS = ("time", "symbol", "field", "price", "size")
FIELDS = ("bid", "ask", "last", "close")
_ISO = re.compile(r"(\d{4}-\d{2}-\d{2})[T ](\d{2}:\d{2}:\d{2})(?:\.(\d{1,9}))?Z")
_NEVER_NS = 1 << 62


class TapeError(ConfigError):
    """A file of ticks that cannot be read.

    Attributes
    ----------
    line, column : int
        Where, counted from 1.
    """

    def __init__(self, line: int, column: int, problem: str) -> None:
        super().__init__(f"ticks, line {line}, column {column} ({COLUMNS[column - 1]}): {problem}")
        self.line, self.column, self._problem = line, column, problem

    def __reduce__(self) -> tuple[type[TapeError], tuple[int, int, str]]:
        return TapeError, (self.line, self.column, self._problem)


class Row(NamedTuple):
    """One line: time, field, price in steps and size in size increments."""

    time_ns: int
    field: str
    steps: int
    units: int


class Tape:
    """The ticks of a file by instrument.

    Parameters
    ----------
    text : str
        The file's text.
    universe : InstrumentUniverse
        Says what the symbols are.

    Raises
    ------
    TapeError
        If a line is not as the module says; it names line and column.
    """

    def __init__(self, text: str, universe: InstrumentUniverse) -> None:
        self._rows: dict[int, list[Row]] = {}
        self._items: dict[str, Instrument] = {}
        last_ns, begun = 0, False
        for line, raw in enumerate(text.splitlines(), 1):
            if not raw.strip() or raw.lstrip().startswith("#"):
                continue
            cells = [cell.strip() for cell in raw.split(",")]
            if len(cells) != len(COLUMNS):
                column = min(len(cells) + 1, len(COLUMNS))
                raise TapeError(line, column, f"needs {len(COLUMNS)} columns, has {len(cells)}")
            if not begun:
                begun = True
                unlike = (n for n, name in enumerate(COLUMNS, 1) if cells[n - 1] != name)
                wrong = next(unlike, 0)
                if wrong:
                    raise TapeError(line, wrong, f"the first line must be {','.join(COLUMNS)}")
                continue
            time_ns = _time_ns(cells[0], line)
            if time_ns < last_ns:
                raise TapeError(line, 1, "goes back in time")
            last_ns = time_ns
            item = self._item(cells[1], line, universe)
            self._rows.setdefault(item.conId, []).append(_row(time_ns, item, cells, line))
        if not begun:
            raise TapeError(1, 1, f"the first line must be {','.join(COLUMNS)}")

    def quotes(self, item: Instrument) -> TapeQuotes | None:
        """Return an instrument's quotes, None when the file does not name it."""
        rows = self._rows.get(item.conId)
        return TapeQuotes(item, rows) if rows else None

    def _item(self, text: str, line: int, universe: InstrumentUniverse) -> Instrument:
        known = self._items.get(text)
        if known is None:
            secType, colon, name = text.partition(":")
            if not colon:
                secType, name = ("CASH" if "." in text else "STK"), text
            query = ContractQuery(secType=secType, localSymbol=name, currency="USD" if secType == "STK" else "")
            found = universe.find(query)
            if len(found) != 1:
                raise TapeError(line, 2, f"'{text}' is no instrument, or several")
            known = self._items[text] = found[0]
        return known


def _time_ns(text: str, line: int) -> int:
    if text.isascii() and text.isdigit() and len(text) < 20:
        return int(text)
    match = _ISO.fullmatch(text)
    if match is not None:
        try:
            moment = datetime.strptime(f"{match[1]} {match[2]}", "%Y-%m-%d %H:%M:%S").replace(tzinfo=UTC)
            return int(moment.timestamp()) * NS_PER_S + int((match[3] or "0").ljust(9, "0"))
        except ValueError:
            pass  # 30 February
    raise TapeError(line, 1, f"'{text}' is neither yyyy-mm-ddThh:mm:ss.fffZ nor whole nanoseconds")


def _row(time_ns: int, item: Instrument, cells: list[str], line: int) -> Row:
    field = cells[2]
    if field not in FIELDS:
        raise TapeError(line, 3, f"'{field}' is none of {', '.join(FIELDS)}")
    steps = item.steps(_number(cells[3], line, 4))
    if steps is None or steps < 1:
        raise TapeError(line, 4, f"{cells[3]} is not above 0 and on the price step {item.price_step}")
    if field == "close":
        if cells[4]:
            raise TapeError(line, 5, "a close has no size")
        return Row(time_ns, field, steps, 0)
    units = EXACT.divide(_number(cells[4], line, 5), item.sizeIncrement)
    if units < 0 or units != units.to_integral_value():
        raise TapeError(line, 5, f"{cells[4]} is not at least 0 and on the size increment {item.sizeIncrement}")
    return Row(time_ns, field, steps, int(units))


def _number(text: str, line: int, column: int) -> Decimal:
    try:
        number = Decimal(text)
    except InvalidOperation:
        raise TapeError(line, column, f"'{text}' is no number") from None
    if not number.is_finite() or abs(number) > 10**15:
        raise TapeError(line, column, f"{text} is not a number below 1e15")
    return number


class TapeQuotes(Quotes):
    """One instrument's quotes as a file says them.

    Before a field's first line its first value counts; after the last line nothing changes. A bid that reaches the ask
    pushes it one step away, and the other way round.
    """

    def __init__(self, instrument: Instrument, rows: list[Row]) -> None:
        super().__init__(instrument)
        self._unit = instrument.sizeIncrement
        self._rows = rows
        self._times = [row.time_ns for row in rows]
        self.first_ns = self._times[0]
        self._day = 0
        self.seek(self.first_ns - 1)

    def _first(self, fields: Iterable[str]) -> Row:
        return next((row for field in fields for row in self._rows if row.field == field), self._rows[0])

    def seek(self, now_ns: int) -> None:
        """Be as of a time without telling what happened until then."""
        bid, ask = self._first(("bid", "last")), self._first(("ask", "last"))
        last, close = self._first(("last", "bid")), self._first(("close", "last", "bid"))
        self._bid, self._bid_units, self._ask_units = bid.steps, max(bid.units, 1), max(ask.units, 1)
        self._spread = max(ask.steps - bid.steps, 1)
        self._begin(0, [], close.steps, last.steps)
        self._last_units = last.units
        self._index = 0
        self.next_ns = self._times[0]
        stop = bisect_right(self._times, now_ns)
        while self._index < stop:
            self._next([])

    def step(self, now_ns: int) -> list[TickChange]:
        """Return every change up to and including `now_ns`, in time order."""
        changes: list[TickChange] = []
        while self.next_ns <= now_ns:
            self._next(changes)
        return changes

    def _next(self, out: list[TickChange]) -> None:
        at_ns, field, steps, units = self._rows[self._index]
        self._index += 1
        self.next_ns = self._times[self._index] if self._index < len(self._times) else _NEVER_NS
        if field == "last":
            self._trade(at_ns, out, steps, units)
        elif field == "close":
            self.close = steps
            out.append(TickChange(TickKind.CLOSE, steps, self._zero, at_ns))
        else:
            self._side(at_ns, out, field == "bid", steps, units)
            if not self._has_trades:
                self._last = self._bid
                self._extremes(at_ns, out, self._bid)

    def _side(self, at_ns: int, out: list[TickChange], is_bid: bool, steps: int, units: int) -> None:
        bid, ask = (steps, self.ask) if is_bid else (self._bid, steps)
        if bid >= ask:
            bid, ask = (bid, bid + 1) if is_bid else (max(ask - 1, 1), max(ask, 2))
        old_bid, old_ask = self._bid, self.ask
        self._bid, self._spread = bid, ask - bid
        if is_bid:
            self._bid_units = units
        else:
            self._ask_units = units
        for mine, old, new, kinds, shown in (
            (is_bid, old_bid, bid, (TickKind.BID, TickKind.BID_SIZE), self._bid_units),
            (not is_bid, old_ask, ask, (TickKind.ASK, TickKind.ASK_SIZE), self._ask_units),
        ):
            if new != old:
                out.append(TickChange(kinds[0], new, self.size(shown), at_ns))
            elif mine:
                out.append(TickChange(kinds[1], 0, self.size(shown), at_ns))
