"""Streams beside quotes: tick by tick, depth, real-time bars; and lines at their cadence, of every type of data."""

from __future__ import annotations

from decimal import Decimal
from itertools import pairwise
from typing import Any

import pytest

from ibwire.sim import depth
from ibwire.sim.clock import NS_PER_S
from ibwire.sim.depth import Change, Row
from ibwire.sim.instruments import ContractQuery
from ibwire.sim.on_streams import DEPTH
from ibwire.spec.ticks import NUMBERS
from ibwire.types import incoming as i
from ibwire.types import outgoing as o
from ibwire.types.structs import Contract
from tests.unit.sim.desk import Desk, coin, errors, future, index, of, option, pair, stock

D = Decimal


def played(messages: list[Any], rows: int) -> dict[int, list[Row]]:
    """The books that row messages make; every message must fit the book that it meets."""
    books: dict[int, list[Row]] = {0: [], 1: []}
    for m in messages:
        book = books[m.side]
        assert 0 <= m.position < rows
        assert m.position <= len(book) if m.operation == depth.INSERT else m.position < len(book)
        row = Row(round(m.price * 100), m.size, getattr(m, "marketMaker", ""))
        depth.applied(book, Change(m.position, m.operation, m.side, row))
    return books


def test_a_book_stays_valid_and_stands_around_the_quote() -> None:
    desk = Desk(ticks_per_s=50)
    rows = of(i.UpdateMktDepthL2, desk.ask(o.ReqMktDepth(1, stock(), 5, True)))
    assert {(m.operation, m.isSmartDepth) for m in rows} == {(depth.INSERT, True)} and len(rows) == 10
    rows += of(i.UpdateMktDepthL2, desk.run(60.0))
    assert {m.operation for m in rows} == {0, 1, 2}
    books = played(rows, 5)
    asks, bids = ([row.steps for row in books[side]] for side in (0, 1))
    assert asks == sorted(set(asks)) and bids == sorted(set(bids), reverse=True) and bids[0] < asks[0]
    assert (len(asks), len(bids)) == (5, 5) and all(row.size > 0 and row.maker for row in books[0] + books[1])
    feed = desk.session._feeds[DEPTH, 1]
    feed.reset()  # type: ignore[attr-defined]
    again = desk.session.take()
    assert errors(again) == [(1, 317)]
    # Every change after the reset fits a book that was cleared.
    books = played(again[1:] + of(i.UpdateMktDepthL2, desk.run(10.0)), 5)
    assert (len(books[0]), len(books[1])) == (5, 5)
    assert desk.ask(o.CancelMktDepth(1, True)) == [] and desk.run(5.0) == []
    assert errors(desk.ask(o.CancelMktDepth(1, True))) == [(1, 310)]


def test_first_level_depth_of_a_future() -> None:
    rows = Desk().ask(o.ReqMktDepth(1, future(), 3, False))
    assert {type(m) for m in rows} == {i.UpdateMktDepth} and len(rows) == 6


def test_depth_that_is_refused() -> None:
    desk = Desk()
    asked = [
        o.ReqMktDepth(1, stock("NOSUCH"), 5, True),
        o.ReqMktDepth(2, stock(), 0, True),
        o.ReqMktDepth(3, stock(), 5, False),
        o.ReqMktDepth(4, index(), 5, False),
    ]
    assert errors(desk.ask(*asked)) == [(1, 200), (2, 321), (3, 10092), (4, 10092)]
    desk.ask(*(o.ReqMktDepth(n, stock(), 1, True) for n in (10, 11, 12)))
    assert errors(desk.ask(o.ReqMktDepth(10, stock(), 1, True), o.ReqMktDepth(13, stock(), 1, True))) == [
        (10, 322),
        (13, 309),
    ]


@pytest.mark.parametrize(("word", "number"), [("Last", 1), ("AllLast", 2), ("BidAsk", 3), ("MidPoint", 4)])
def test_tick_by_tick(word: str, number: int) -> None:
    desk = Desk()
    first = desk.ask(o.ReqTickByTickData(1, stock(), word, 20, False))
    assert len(first) == 1 and len(first[0].ticks) in range(15, 21)
    live = of(i.TickByTick, desk.run(20.0))
    assert live and {m.tickType for m in live} == {number}
    if number <= 2:
        assert all(m.last.size > 0 and m.last.exchange for m in live)
        assert any(m.last.tickAttribLast.unreported for m in live) == (number == 2)
    elif number == 3:
        assert all(m.bidAsk.priceBid < m.bidAsk.priceAsk for m in live)
    else:
        assert all(one.midPoint.price != next_.midPoint.price for one, next_ in pairwise(live))
    assert desk.ask(o.CancelTickByTickData(1)) == [] and desk.run(5.0) == []
    assert errors(desk.ask(o.CancelTickByTickData(1))) == [(1, 300)]


def test_tick_by_tick_that_is_refused() -> None:
    desk = Desk()
    asked = [
        o.ReqTickByTickData(1, stock(), "Gossip"),
        o.ReqTickByTickData(2, pair(), "Last"),
        o.ReqTickByTickData(3, index(), "BidAsk"),
        o.ReqTickByTickData(4, stock("NOSUCH"), "Last"),
    ]
    assert errors(desk.ask(*asked)) == [(1, 10189), (2, 10189), (3, 10189), (4, 200)]
    desk.ask(*(o.ReqTickByTickData(n, stock(), "Last") for n in range(10, 15)))
    assert errors(desk.ask(o.ReqTickByTickData(15, stock(), "Last"))) == [(15, 10190)]


def test_real_time_bars_come_every_five_seconds() -> None:
    desk = Desk(ticks_per_s=2)
    desk.run(1.5)
    assert desk.ask(o.ReqRealTimeBars(1, stock(), 5, "MIDPOINT", True)) == []
    live = of(i.RealtimeBar, desk.run(21.0))
    assert [m.time % 5 for m in live] == [0] * 4 and {b.time - a.time for a, b in pairwise(live)} == {5}
    assert all(m.low <= min(m.open_, m.close) and m.high >= max(m.open_, m.close) for m in live)
    refused = desk.ask(
        o.ReqRealTimeBars(2, stock(), 10, "TRADES", True), o.ReqRealTimeBars(3, pair(), 5, "TRADES", True)
    )
    assert errors(refused) == [(2, 321), (3, 420)]
    desk.ask(o.CancelRealTimeBars(1))
    assert desk.run(10.0) == []


# ---------------------------------------------------------------------------------------------- lines


@pytest.mark.parametrize(("contract", "period_ms"), [(stock(), 250), (option(), 100), (pair(), 5)])
def test_cadence(contract: Contract, period_ms: int) -> None:
    desk = Desk(ticks_per_s=400)
    desk.ask(o.ReqMktData(1, contract))
    times: list[int] = []
    for _ in range(1000):
        if desk.run(0.001):
            times.append(desk.gateway.clock.now_ns // 1_000_000)
    gaps = {b - a for a, b in pairwise(times)}
    assert min(gaps) >= period_ms and len(times) > 500 // period_ms


def test_each_change_on_its_own_when_asked_for() -> None:
    one, other = Desk(ticks_per_s=200), Desk(ticks_per_s=200, conflate=False)
    counts = []
    for desk in (one, other):
        desk.ask(o.ReqMktData(1, stock()))
        counts.append(len(desk.run(10.0)))
    assert 1800 < counts[1] < 2400 and counts[0] < counts[1] / 4


def test_delayed_data_is_the_live_data_of_a_quarter_of_an_hour_ago() -> None:
    live, late = Desk(conflate=False), Desk(conflate=False, without_live={"AAPL"})
    assert errors(late.ask(o.ReqMktData(1, stock()))) == [(1, 354)]
    live.ask(o.ReqMktData(1, stock()))
    then = [(m.price, m.size) for m in of(i.TickPrice, live.run(10.0)) if m.tickType == NUMBERS["BID"]]
    late.run(900.0)
    late.ask(o.ReqMarketDataType(3))
    first = late.ask(o.ReqMktData(1, stock()))
    assert errors(first) == [(1, 10167)] and of(i.MarketDataType, first)[0].marketDataType == 3
    types = {m.tickType for m in of(i.TickPrice, first) + of(i.TickSize, first)}
    assert types == {66, 67, 68, 72, 73, 74, 75, 76}
    now = late.run(10.0)
    assert [(m.price, m.size) for m in of(i.TickPrice, now) if m.tickType == 66] == then != []
    assert 88 in {m.tickType for m in of(i.TickString, now)}


def test_a_closed_market_has_no_quote_but_a_frozen_one() -> None:
    desk = Desk(ticks_per_s=1)
    desk.run(20 * 3600.0 - 7 * 3600.0)  # 22:30 in New York
    live = desk.ask(o.ReqMktData(1, stock()))
    assert of(i.MarketDataType, live)[0].marketDataType == 1
    assert {m.price for m in of(i.TickPrice, live) if m.tickType in (1, 2)} == {-1.0}
    desk.ask(o.ReqMarketDataType(2))
    frozen = desk.ask(o.ReqMktData(2, stock()))
    assert of(i.MarketDataType, frozen)[0].marketDataType == 2
    assert all(m.price > 100 for m in of(i.TickPrice, frozen))
    assert desk.run(600.0) == []


def test_option_greeks() -> None:
    desk = Desk()
    desk.run(1.0)
    start = desk.ask(o.ReqMktData(1, option()))
    found = {m.tickType: m for m in of(i.TickOptionComputation, start)}
    assert set(found) == {10, 11, 12, 13}
    model = found[13]
    assert 0.1 < model.impliedVol < 0.8 and 0 < model.delta < 1 and model.gamma > 0 > model.theta
    assert model.undPrice == pytest.approx(187, abs=5) and found[10].optPrice < model.optPrice < found[11].optPrice
    assert found[10].impliedVol < model.impliedVol < found[11].impliedVol
    assert {10, 11, 13} <= {m.tickType for m in of(i.TickOptionComputation, desk.run(20.0))}


def test_option_calculations_are_each_others_inverse() -> None:
    desk = Desk()
    price = desk.ask(o.CalculateOptionPrice(1, option(), 0.3, 187.0))[0]
    assert price.tickType == 53
    vol = desk.ask(o.CalculateImpliedVolatility(2, option(), price.optPrice, 187.0))[0]
    assert vol.impliedVol == pytest.approx(0.3, abs=1e-5)
    bad = [
        o.CalculateOptionPrice(3, stock(), 0.3, 187.0),
        o.CalculateOptionPrice(4, option(), -1.0, 187.0),
        o.CalculateImpliedVolatility(5, option(), 500.0, 187.0),
        o.CalculateImpliedVolatility(6, option(strike=1e9), 1.0, 187.0),
    ]
    assert errors(desk.ask(*bad)) == [(3, 321), (4, 321), (5, 321), (6, 200)]


def test_an_option_follows_its_underlying() -> None:
    gateway = Desk(ticks_per_s=20).gateway
    call, put = (
        gateway.universe.find(ContractQuery(localSymbol=f"AAPL  260320{side}00190000", secType="OPT"))[0]
        for side in "CP"
    )
    under = gateway.resolve(stock())
    assert under is not None
    seen = set()
    for _ in range(200):
        gateway.advance(gateway.clock.now_ns + 7 * NS_PER_S)
        seen.add(tuple(gateway.market.process(item).bid for item in (under, call, put)))
    for first, second in pairwise(sorted(seen)):
        assert second[1] >= first[1] and second[2] <= first[2]


@pytest.mark.parametrize(
    ("number", "names"),
    [
        (100, "OPTION_CALL_VOLUME OPTION_PUT_VOLUME"),
        (101, "OPTION_CALL_OPEN_INTEREST OPTION_PUT_OPEN_INTEREST"),
        (104, "OPTION_HISTORICAL_VOL"),
        (105, "AVG_OPT_VOLUME"),
        (106, "OPTION_IMPLIED_VOL"),
        (165, "LOW_13_WEEK HIGH_13_WEEK LOW_26_WEEK HIGH_26_WEEK LOW_52_WEEK HIGH_52_WEEK AVG_VOLUME"),
        (221, "MARK_PRICE"),
        (225, "AUCTION_VOLUME AUCTION_PRICE AUCTION_IMBALANCE REGULATORY_IMBALANCE"),
        (236, "SHORTABLE SHORTABLE_SHARES"),
        (258, "FUNDAMENTAL_RATIOS"),
        (318, "LAST_RTH_TRADE"),
        (456, "IB_DIVIDENDS"),
    ],
)
def test_a_generic_tick_brings_its_types(number: int, names: str) -> None:
    desk = Desk()
    plain = {m.tickType for m in desk.ask(o.ReqMktData(1, stock())) if hasattr(m, "tickType")}
    more = {m.tickType for m in desk.ask(o.ReqMktData(2, stock(), str(number))) if hasattr(m, "tickType")}
    assert more - plain == {NUMBERS[name] for name in names.split()}


def test_generic_ticks_that_are_none_and_those_of_others() -> None:
    desk = Desk()
    assert errors(desk.ask(o.ReqMktData(1, stock(), "233,999"), o.ReqMktData(2, stock(), "2x"))) == [(1, 321), (2, 321)]
    assert errors(desk.ask(o.ReqMktData(3, pair(), "236,165"), o.ReqMktData(4, stock(), "mdoff,292:SIM"))) == []
    assert of(i.TickNews, desk.run(61.0))[0].tickerId == 4


def test_regulatory_snapshots_are_counted_and_a_cfd_is_re_routed() -> None:
    desk = Desk()
    assert of(i.TickPrice, desk.ask(o.ReqMktData(1, stock(), regulatorySnapshot=True)))
    assert of(i.TickSnapshotEnd, desk.run(12.0)) and desk.gateway.regulatory_snapshots == 1
    assert errors(desk.ask(o.ReqMktData(2, coin(), regulatorySnapshot=True))) == [(2, 321)]
    cfd = stock(secType="CFD")
    assert desk.ask(o.ReqMktData(3, cfd))[0] == i.RerouteMktDataReq(3, 265598, "SMART")
    assert desk.ask(o.ReqMktDepth(4, cfd, 5, True))[0] == i.RerouteMktDepthReq(4, 265598, "SMART")


def test_same_seed_same_messages() -> None:
    def everything(seed: int) -> list[Any]:
        desk = Desk(seed)
        contracts = (stock(), pair(), option(), index(), coin(), future())
        out = desk.ask(*(o.ReqMktData(n, contract, "233") for n, contract in enumerate(contracts)))
        out += desk.ask(o.ReqMktDepth(10, stock(), 5, True), o.ReqTickByTickData(11, stock(), "AllLast"))
        return out + desk.run(20.0)

    assert everything(3) == everything(3)
    assert everything(3) != everything(4)
