"""Any symbol exists, is the same instrument every time, and says about itself what the API asks."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ibwire.sim.instruments import ContractQuery, Instrument
from ibwire.sim.universe import InstrumentUniverse

UNIVERSE = InstrumentUniverse(7)


def one(query: ContractQuery, universe: InstrumentUniverse = UNIVERSE) -> Instrument:
    found = universe.resolve(query)
    assert found is not None
    return found


def test_known_stock() -> None:
    aapl = one(ContractQuery(symbol="AAPL", secType="STK", exchange="SMART", currency="USD"))
    assert (aapl.conId, aapl.primaryExchange, aapl.tradingClass) == (265598, "NASDAQ", "NMS")
    assert aapl.price(aapl.base_steps) == Decimal("187.42")
    assert aapl.marketRuleIds.count(",") == aapl.validExchanges.count(",")
    assert one(ContractQuery(conId=265598)) == aapl


def test_currency_pair_in_market_direction_only() -> None:
    eur = one(ContractQuery(symbol="EUR", secType="CASH", currency="USD", exchange="IDEALPRO"))
    assert (eur.localSymbol, eur.minTick, eur.conId) == ("EUR.USD", Decimal("0.00001"), 12087792)
    assert Decimal("1.08") < eur.price(eur.base_steps) < Decimal("1.09")
    assert one(ContractQuery(localSymbol="EUR.USD", secType="CASH")) == eur
    assert UNIVERSE.find(ContractQuery(symbol="USD", secType="CASH", currency="EUR")) == ()
    yen = one(ContractQuery(symbol="USD", secType="CASH", currency="JPY"))
    assert (yen.minTick, yen.price(yen.base_steps) > 100) == (Decimal("0.001"), True)


def test_future_by_month_by_code_and_as_a_list() -> None:
    march = one(ContractQuery(symbol="ES", secType="FUT", lastTradeDateOrContractMonth="202603", exchange="CME"))
    assert (march.localSymbol, march.lastTradeDateOrContractMonth, march.multiplier) == ("ESH6", "20260320", "50")
    assert one(ContractQuery(localSymbol="ESH6", secType="FUT")) == march
    listed = UNIVERSE.find(ContractQuery(symbol="ES", secType="FUT"))
    assert [item.localSymbol for item in listed] == ["ESH6", "ESM6", "ESU6", "ESZ6"]
    assert UNIVERSE.resolve(ContractQuery(symbol="ES", secType="FUT")) is None
    for gone in ("202602", "20260319", "202604"):
        assert UNIVERSE.find(ContractQuery(symbol="ES", secType="FUT", lastTradeDateOrContractMonth=gone)) == ()


def test_option_by_fields_and_by_osi_symbol() -> None:
    query = ContractQuery(
        symbol="AAPL", secType="OPT", lastTradeDateOrContractMonth="20260320", strike=Decimal(190), right="C"
    )
    call = one(query)
    assert (call.localSymbol, call.underConId, call.multiplier) == ("AAPL  260320C00190000", 265598, "100")
    assert one(ContractQuery(localSymbol=call.localSymbol, secType="OPT")) == call
    put = one(ContractQuery(localSymbol="AAPL  260320P00190000", secType="OPT"))
    # Parity, about: call - put = price - strike.
    difference = call.price(call.base_steps) - put.price(put.base_steps)
    assert abs(difference - (Decimal("187.42") - 190)) < Decimal("0.05")
    assert call.base_steps > 3
    assert len(UNIVERSE.find(ContractQuery(symbol="AAPL", secType="OPT"))) == 168


def test_index_and_coin() -> None:
    assert not one(ContractQuery(symbol="SPX", secType="IND", exchange="CBOE")).tradable
    coin = one(ContractQuery(symbol="BTC", secType="CRYPTO", exchange="PAXOS"))
    assert (coin.sizeIncrement, coin.minTick) == (Decimal("0.00000001"), Decimal("0.25"))


@pytest.mark.parametrize(
    "query",
    [
        ContractQuery(symbol="NOSUCH1", secType="STK"),
        ContractQuery(symbol="AAPL", secType="STK", exchange="NOWHERE"),
        ContractQuery(symbol="AAPL", secType="STK", currency="XXX"),
        ContractQuery(symbol="AAPL", secType="STK", primaryExchange="IDEALPRO"),
        ContractQuery(symbol="AAPL", secType="XYZ"),
        ContractQuery(symbol="aapl", secType="STK"),
        ContractQuery(symbol="", secType="STK"),
        ContractQuery(symbol="AAPL", secType="STK", localSymbol="MSFT"),
        ContractQuery(conId=1),
        ContractQuery(symbol="AAPL", secType="OPT", right="X"),
        ContractQuery(symbol="AAPL", secType="OPT", strike=Decimal("190.1")),
    ],
)
def test_what_does_not_exist(query: ContractQuery) -> None:
    assert UNIVERSE.find(query) == ()


@given(st.from_regex(r"[A-Z][A-Z0-9]{0,5}", fullmatch=True), st.sampled_from(["STK", "FUT", "CRYPTO", "IND"]))
def test_derived_instruments_do_not_depend_on_what_was_asked_before(symbol: str, secType: str) -> None:
    query = ContractQuery(symbol=symbol, secType=secType)
    fresh, again = InstrumentUniverse(7).find(query), UNIVERSE.find(query)
    assert fresh == again
    for item in again:
        assert item.base_steps > 0 and 0 < item.conId < 2**31
        assert UNIVERSE.by_con_id(item.conId) == item
        assert item.steps(item.price(item.base_steps)) == item.base_steps
        rule = UNIVERSE.market_rule(int(item.marketRuleIds.split(",")[0]))
        assert rule == ((Decimal(0), item.minTick),)


def test_seed_changes_derived_prices_but_no_contract_id() -> None:
    query = ContractQuery(symbol="ZZZZ", secType="STK")
    here, there = one(query), one(query, InstrumentUniverse(8))
    assert here.conId == there.conId and here.base_steps != there.base_steps


def test_routing_changes_the_exchange_and_not_the_instrument() -> None:
    routed = one(ContractQuery(conId=265598, exchange="ARCA"))
    assert (routed.exchange, routed.conId) == ("ARCA", 265598)
    assert one(ContractQuery(conId=265598)).exchange == "SMART"


def test_steps_refuses_what_is_not_on_a_step() -> None:
    aapl = one(ContractQuery(conId=265598))
    assert aapl.steps(Decimal("187.4200")) == 18742
    for bad in ("187.425", "NaN", "Infinity"):
        assert aapl.steps(Decimal(bad)) is None


def test_hours() -> None:
    saturday = date(2026, 3, 7)
    aapl, eur = one(ContractQuery(conId=265598)), one(ContractQuery(conId=12087792))
    assert aapl.liquidHours(saturday).startswith("20260307:CLOSED;20260308:CLOSED;20260309:0930-20260309:1600;")
    assert eur.tradingHours(date(2026, 3, 9)).startswith("20260308:1715-20260309:1700;")


def test_search() -> None:
    assert [item.symbol for item in UNIVERSE.search("apple")] == ["AAPL"]
    assert UNIVERSE.search("no such name") == ()
