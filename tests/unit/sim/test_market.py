"""Quotes are a function of (seed, instrument) and virtual time, and always make sense."""

from __future__ import annotations

from decimal import Decimal
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ibwire.sim.clock import DEFAULT_START_NS, NS_PER_S
from ibwire.sim.instruments import ContractQuery, Instrument
from ibwire.sim.market import QuoteProcess, TickChange, TickKind
from ibwire.sim.universe import InstrumentUniverse
from tests.unit.sim.world import World

QUERIES = [
    ContractQuery(symbol="AAPL", secType="STK"),
    ContractQuery(symbol="EUR", secType="CASH", currency="USD"),
    ContractQuery(localSymbol="ESH6", secType="FUT"),
    ContractQuery(symbol="BTC", secType="CRYPTO"),
    ContractQuery(symbol="SPX", secType="IND"),
    ContractQuery(localSymbol="AAPL  260320C00190000", secType="OPT"),
]


def instrument(query: ContractQuery) -> Instrument:
    found = InstrumentUniverse(7).resolve(query)
    assert found is not None
    return found


def process(query: ContractQuery = QUERIES[0], seed: int = 7, rate: int = 100) -> QuoteProcess:
    return QuoteProcess(instrument(query), seed, DEFAULT_START_NS, rate)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(0, NS_PER_S // 4), max_size=20))
def test_how_time_is_cut_makes_no_difference(cuts: list[int]) -> None:
    pieces, whole = process(), process()
    at = DEFAULT_START_NS
    changes: list[TickChange] = []
    for cut in cuts:
        at += cut
        changes += pieces.step(at)
    assert changes == whole.step(at)
    assert pieces.quote() == whole.quote()


def test_seed_and_instrument_decide() -> None:
    end = DEFAULT_START_NS + NS_PER_S
    assert process().step(end) == process().step(end)
    assert process().step(end) != process(seed=8).step(end)
    assert process().step(end) != process(ContractQuery(symbol="MSFT", secType="STK")).step(end)


@pytest.mark.parametrize("query", QUERIES, ids=lambda query: query.secType)
def test_invariants_hold_after_every_change(query: ContractQuery) -> None:
    quotes = process(query)
    shown = dict[TickKind, TickChange]()
    last_volume, last_ns = Decimal(0), DEFAULT_START_NS
    while last_ns < DEFAULT_START_NS + 60 * NS_PER_S:
        now_ns = quotes.next_ns
        changes = quotes.step(now_ns)
        assert changes and all(change.time_ns == now_ns for change in changes)
        assert now_ns > last_ns
        shown |= {change.kind: change for change in changes}
        quote = quotes.quote()
        assert query.secType == "IND" or 1 <= quotes.bid < quotes.ask
        assert quotes.low <= quotes.high
        assert quote.volume >= last_volume
        assert quote.bid_size >= 0 and quote.ask_size >= 0
        if quote.last:
            assert quotes.low <= quote.last <= quotes.high
        for change in changes:
            if change.kind is TickKind.BID:
                assert (change.steps, change.size) == (quote.bid, quote.bid_size) and change.size > 0
            if change.kind is TickKind.ASK:
                assert (change.steps, change.size) == (quote.ask, quote.ask_size) and change.size > 0
        last_volume, last_ns = quote.volume, now_ns
    has_trades, has_quotes = query.secType != "CASH", query.secType != "IND"
    assert (TickKind.LAST in shown) == has_trades
    assert (TickKind.BID in shown) == has_quotes


@pytest.mark.parametrize("rate", [10, 300, 3000])
def test_rate_is_kept_on_average(rate: int) -> None:
    seconds = 20_000 // rate
    count = len(process(rate=rate).step(DEFAULT_START_NS + seconds * NS_PER_S))
    assert 0.95 < count / (rate * seconds) < 1.05


@pytest.mark.parametrize("rate", [0, 1_000_001])
def test_impossible_rates_are_refused(rate: int) -> None:
    with pytest.raises(ValueError, match="ticks_per_s"):
        process(rate=rate)


def test_prices_stay_near_the_base() -> None:
    quotes = process(rate=3000)
    quotes.step(DEFAULT_START_NS + 60 * NS_PER_S)
    assert 0.95 * quotes.close < quotes.low < quotes.high < 1.05 * quotes.close


def watched(symbols: list[str]) -> list[TickChange]:
    world, seen = World(), list[TickChange]()
    for symbol in symbols:
        item = world.instrument(symbol)
        world.market.watch(item, lambda who, changes: seen.extend(changes) if who.symbol == "AAPL" else None)
    world.run()
    return seen


def test_what_else_is_watched_makes_no_difference() -> None:
    alone = watched(["AAPL"])
    assert alone and alone == watched(["MSFT", "AAPL", "IBM"])


@settings(max_examples=20, deadline=None)
@given(st.lists(st.integers(0, 40 * NS_PER_S), min_size=1, max_size=4), st.sampled_from(QUERIES))
def test_who_looks_and_when_makes_no_difference(times: list[int], query: ContractQuery) -> None:
    watched, found = process(query, rate=20), process(query, rate=20)
    at = DEFAULT_START_NS
    for step in times:
        at += step
        watched.step(at)
        found.seek(at)
        assert (found.quote(), found.next_ns) == (watched.quote(), watched.next_ns)


def test_a_quote_that_nobody_watched_is_where_a_watched_one_is() -> None:
    world, other = World(), World()
    aapl = world.instrument("AAPL")
    world.market.quote(aapl)
    other.market.watch(aapl, lambda _, changes: None)
    for seconds in (0.5, 10.0, 100.0):
        world.run(seconds)
        other.run(seconds)
        assert world.market.quote(aapl) == other.market.quote(aapl)


def test_over_night_and_over_a_weekend() -> None:
    """Monday 2026-03-02 to Tuesday, and Friday to Monday: closed in between, and the close is the last session's."""
    quotes = process(rate=1)
    changes = quotes.step(DEFAULT_START_NS + 24 * 3600 * NS_PER_S)
    closes = [change for change in changes if change.kind is TickKind.CLOSE]
    assert [change.time_ns for change in closes] == [1772528400 * NS_PER_S]  # Tuesday 04:00 in New York
    last = max(change.time_ns for change in changes if change.time_ns < closes[0].time_ns)
    assert 1772499600 - 60 < last / NS_PER_S < 1772499600  # Monday 20:00
    quotes.seek((1772499600 + 5 * 24 * 3600) * NS_PER_S)
    assert quotes.next_ns == 1772528400 * NS_PER_S + 6 * 24 * 3600 * NS_PER_S - 3600 * NS_PER_S  # summer time began


def test_changes_of_a_period_come_together_and_are_the_same() -> None:
    world, seen, together, calls = World(), list[TickChange](), list[TickChange](), list[int]()
    aapl = world.instrument("AAPL")
    world.market.watch(aapl, lambda _, changes: seen.extend(changes))

    def take(_: Instrument, changes: list[TickChange]) -> None:
        together.extend(changes)
        calls.append(world.clock.now_ns)

    world.market.watch(aapl, take, NS_PER_S // 4)
    world.run(10.0)
    assert together == seen[: len(together)] and len(seen) - len(together) < 20
    assert {later - earlier for earlier, later in pairwise(calls)} == {NS_PER_S // 4}
    alone, apart = World(), list[TickChange]()
    alone.market.watch(aapl, lambda _, changes: apart.extend(changes), NS_PER_S // 4)
    alone.run(10.0)
    assert apart == together


def test_two_watchers_hear_the_same_and_one_may_leave_while_told() -> None:
    world, first, second = World(), list[TickChange](), list[TickChange]()
    aapl = world.instrument("AAPL")

    def leave(_: Instrument, changes: list[TickChange]) -> None:
        first.extend(changes)
        watch.close()

    watch = world.market.watch(aapl, leave)
    world.market.watch(aapl, lambda _, changes: second.extend(changes))
    world.run()
    assert first and first == second[: len(first)] and len(second) > len(first)


def test_snapshot_says_what_the_quote_says() -> None:
    quotes = process()
    quotes.step(DEFAULT_START_NS + NS_PER_S)
    quote = quotes.quote()
    changes = {change.kind: change for change in quotes.snapshot(5)}
    assert (changes[TickKind.BID].steps, changes[TickKind.ASK].size) == (quote.bid, quote.ask_size)
    assert (changes[TickKind.LAST].steps, changes[TickKind.VOLUME].size) == (quote.last, quote.volume)
    assert changes[TickKind.CLOSE].steps == quote.close


def test_rate_of_one_instrument() -> None:
    world = World(ticks_per_s=1)
    aapl = world.instrument("AAPL")
    world.market.set_rate(aapl.conId, 1000)
    seen = list[TickChange]()
    world.market.watch(aapl, lambda _, changes: seen.extend(changes))
    world.run(1.0)
    assert len(seen) > 800
    with pytest.raises(ValueError, match="quoted already"):
        world.market.set_rate(aapl.conId, 1)
