"""A file of ticks as the market, and what is said about a wrong one."""

from __future__ import annotations

import pickle
from decimal import Decimal

import pytest

from ibwire.errors import ConfigError
from ibwire.sim.tape import Tape, TapeError
from ibwire.sim.universe import InstrumentUniverse
from ibwire.types import incoming as i
from ibwire.types import outgoing as o
from tests.unit.sim.desk import Desk, of, stock

HEAD = "time,symbol,field,price,size\n"
FILE = """# a minute of Apple
time,symbol,field,price,size
2026-03-02T14:29:00Z,AAPL,close,185.00,
2026-03-02T14:29:00.000Z,AAPL,bid,187.40,300
2026-03-02T14:29:00.000Z, AAPL, ask, 187.42, 500

2026-03-02T14:30:01.5Z,AAPL,last,187.41,100
1772461802000000001,AAPL,bid,187.42,200
1772461803000000000,FUT:ESH6,bid,5525.25,12
2026-03-02T14:30:04Z,AAPL,last,187.50,700
"""


def test_the_file_is_the_market() -> None:
    desk = Desk(ticks=FILE, conflate=False)
    start = desk.ask(o.ReqMktData(1, stock()), o.ReqTickByTickData(2, stock(), "Last"))
    first = {m.tickType: (m.price, m.size) for m in of(i.TickPrice, start)}
    assert (first[1], first[2], first[9]) == ((187.40, Decimal(300)), (187.42, Decimal(500)), (185.00, Decimal(0)))
    live = desk.run(5.0)
    prices = [(m.tickType, m.price) for m in of(i.TickPrice, live)]
    # A bid that reaches the ask pushes it away by one step.
    assert [p for p in prices if p[0] in (1, 2)] == [(1, 187.42), (2, 187.43)]
    trades = [(m.last.price, m.last.size) for m in of(i.TickByTick, live) if m.last]
    assert trades == [(187.41, Decimal(100)), (187.50, Decimal(700))]
    bar = desk.ask(o.ReqHistoricalData(3, stock(), "", "60 S", "1 min", "TRADES", 1, 2))[0].bars[-1]
    assert (bar.open, bar.high, bar.low, bar.close, bar.volume, bar.barCount) == (
        *(187.41, 187.50, 187.41, 187.50),
        *(Decimal(800), 2),
    )
    assert len(desk.ask(o.ReqHistoricalTicks(4, stock(), "20260302-14:29:00", "", 9, "TRADES", 0))[0].ticks) == 2


def test_instruments_that_the_file_does_not_name_stay_seeded() -> None:
    taped, seeded = Desk(ticks=FILE), Desk()
    for desk in (taped, seeded):
        desk.ask(o.ReqMktData(1, stock("MSFT")))
    assert taped.run(5.0) == seeded.run(5.0)


@pytest.mark.parametrize(
    ("text", "line", "column", "says"),
    [
        ("", 1, 1, "first line"),
        ("time,symbol,field,cost,size\n", 1, 4, "first line"),
        (HEAD + "1,AAPL,bid,187.40\n", 2, 5, "needs 5 columns"),
        (HEAD + "1,AAPL,bid,187.40,1,1\n", 2, 5, "has 6"),
        (HEAD + "noon,AAPL,bid,187.40,1\n", 2, 1, "noon"),
        (HEAD + "2026-02-30T00:00:00Z,AAPL,bid,187.40,1\n", 2, 1, "2026-02-30"),
        (HEAD + "5,AAPL,bid,187.40,1\n\n4,AAPL,bid,187.40,1\n", 4, 1, "back in time"),
        (HEAD + "1,NOSUCH,bid,187.40,1\n", 2, 2, "NOSUCH"),
        (HEAD + "1,FUT:ES,bid,187.40,1\n", 2, 2, "FUT:ES"),
        (HEAD + "1,AAPL,price,187.40,1\n", 2, 3, "price"),
        (HEAD + "1,AAPL,bid,187.405,1\n", 2, 4, "price step 0.01"),
        (HEAD + "1,AAPL,bid,many,1\n", 2, 4, "no number"),
        (HEAD + "1,AAPL,bid,-1,1\n", 2, 4, "above 0"),
        (HEAD + "1,AAPL,bid,1E+99,1\n", 2, 4, "1e15"),
        (HEAD + "1,AAPL,bid,187.40,-2\n", 2, 5, "size increment"),
        (HEAD + "1,AAPL,close,187.40,2\n", 2, 5, "no size"),
    ],
)
def test_a_wrong_file_names_line_and_column(text: str, line: int, column: int, says: str) -> None:
    with pytest.raises(TapeError, match=says) as caught:
        Tape(text, InstrumentUniverse(7))
    error = caught.value
    assert (error.line, error.column) == (line, column) and isinstance(error, ConfigError)
    again = pickle.loads(pickle.dumps(error))
    assert (str(again), again.line, again.column) == (str(error), line, column)
