"""Zones, hours, the pricing model, contract search, news and the scanner."""

from __future__ import annotations

import math
from datetime import UTC, date, datetime
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ibwire._quotes import slot_events
from ibwire.sim import hours, pricing, times, zones
from ibwire.sim.path import Node, halves, mix
from ibwire.sim.slots import shape_of
from ibwire.types import incoming as i
from ibwire.types import outgoing as o
from ibwire.types.structs import Contract, ScannerSubscription
from tests.unit.sim.desk import Desk, errors, of, stock


@pytest.mark.parametrize(
    ("zone", "utc", "hours_"),
    [
        ("US/Eastern", datetime(2026, 3, 8, 6, 59), -5),
        ("US/Eastern", datetime(2026, 3, 8, 7, 0), -4),
        ("US/Eastern", datetime(2026, 11, 1, 5, 59), -4),
        ("US/Eastern", datetime(2026, 11, 1, 6, 0), -5),
        ("US/Eastern", datetime(2006, 4, 2, 7, 0), -4),
        ("MET", datetime(2026, 3, 29, 0, 59), 1),
        ("MET", datetime(2026, 3, 29, 1, 0), 2),
        ("MET", datetime(2026, 10, 25, 1, 0), 1),
        ("Australia/NSW", datetime(2026, 4, 4, 15, 59), 11),
        ("Australia/NSW", datetime(2026, 4, 4, 16, 0), 10),
        ("Australia/NSW", datetime(2026, 10, 3, 16, 0), 11),
        ("Japan", datetime(2026, 7, 1), 9),
    ],
)
def test_zones_change_where_they_do(zone: str, utc: datetime, hours_: int) -> None:
    assert zones.offset_s(zone, int(utc.replace(tzinfo=UTC).timestamp())) == 3600 * hours_


@given(st.integers(1_000_000_000, 2_500_000_000), st.sampled_from(sorted(zones.ZONES)))
def test_wall_clock_and_back(time_s: int, zone: str) -> None:
    back = zones.utc_s(zone, zones.local(zone, time_s))
    assert back == time_s or back == time_s - 3600  # the hour that comes twice


@given(st.integers(400_000_000, 3_000_000_000))
def test_a_time_is_read_as_it_was_written(time_s: int) -> None:
    assert times.parse(zones.utc_text(time_s), "Japan") == time_s
    assert times.parse(zones.text("UTC", time_s), "Japan") == time_s


def test_holidays() -> None:
    assert date(2026, 4, 3) in hours.us_holidays(2026) and date(2026, 7, 3) in hours.us_holidays(2026)
    assert date(2024, 11, 28) in hours.us_holidays(2024) and date(2021, 6, 18) not in hours.us_holidays(2021)


@given(st.floats(-600, 600))
def test_exp(x: float) -> None:
    assert pricing.exp(x) == pytest.approx(math.exp(x), rel=1e-9)


@given(st.floats(1e-200, 1e200))
def test_ln(x: float) -> None:
    assert pricing.ln(x) == pytest.approx(math.log(x), rel=1e-9, abs=1e-12)


def test_the_model_keeps_parity_and_known_values() -> None:
    call = pricing.model(True, 100.0, 100.0, 1.0, 0.2)
    put = pricing.model(False, 100.0, 100.0, 1.0, 0.2)
    assert call.price == pytest.approx(9.92505, abs=1e-4) and call.delta == pytest.approx(0.61791, abs=1e-4)
    assert call.price - put.price == pytest.approx(100 - 100 * math.exp(-0.04), abs=1e-5)
    assert pricing.model(True, 90.0, 100.0, 0.0, 0.2).price == 0.0


@given(st.integers(0, 2**64 - 1), st.lists(st.integers(1, 10**6), min_size=4, max_size=4), st.integers(1, 99))
def test_halves_make_up_the_whole(r: int, prices: list[int], share: int) -> None:
    low, *middle, high = sorted(prices)
    node = Node(middle[0], high, low, middle[1], 0)
    meet, high1, low1, high2, low2 = halves(r, node, share, 100 - share)
    assert (max(high1, high2), min(low1, low2)) == (high, low)
    assert low1 <= min(node.open, meet) <= max(node.open, meet) <= high1
    assert low2 <= min(node.close, meet) <= max(node.close, meet) <= high2


@given(st.integers(0, 2**64 - 1), st.lists(st.integers(1, 10**6), min_size=4, max_size=4), st.integers(20, 400))
def test_a_slots_trades_make_its_bar(key: int, prices: list[int], rate: int) -> None:
    low, *middle, high = sorted(prices)
    shape = shape_of(mix(key), rate, True, True)
    node = Node(middle[0], high, low, middle[1], shape.groups + key % 1000)
    found = slot_events(shape, node, 1_772_461_800, 3)
    trades = [event for event in found if event[1] == 2]  # the others move quotes
    assert sum(event[3] for event in trades) == node.units and all(event[3] > 0 for event in trades)
    assert (max(event[2] for event in trades), min(event[2] for event in trades)) == (high + 3, low)
    when = [event[0] for event in found]
    assert when == sorted(set(when)) and when[-1] < (1_772_461_800 + shape.slot_s) * 10**9


def test_search_and_partial_contracts() -> None:
    desk = Desk()
    found = desk.ask(o.ReqMatchingSymbols(1, "AP"))[0].contractDescriptions
    assert found[0].contract.symbol == "AAPL" and "OPT" in found[0].derivativeSecTypes
    assert len(of(i.ContractData, desk.ask(o.ReqContractDetails(2, Contract(symbol="AAPL", secType="OPT"))))) > 100
    front = desk.ask(o.ReqContractDetails(3, Contract(symbol="ES", secType="CONTFUT", exchange="CME")))
    assert front[0].contractDetails.contract.lastTradeDateOrContractMonth == "20260320"
    both = of(i.ContractData, desk.ask(o.ReqContractDetails(4, Contract(symbol="ES", secType="FUT+CONTFUT"))))
    assert [m.contractDetails.contract.secType for m in both] == ["FUT"] * 4 + ["CONTFUT"]
    assert desk.ask(o.ReqMktDepthExchanges())[0].depthMktDataDescriptions


def test_news() -> None:
    desk = Desk()
    assert [p.code for p in desk.ask(o.ReqNewsProviders())[0].newsProviders] == ["SIM", "SIMUPD"]
    found = desk.ask(o.ReqHistoricalNews(1, 265598, "SIM+SIMUPD", "", "", 5))
    headlines = of(i.HistoricalNews, found)
    assert len(headlines) == 5 and found[-1] == i.HistoricalNewsEnd(1, True)
    assert [m.time for m in headlines] == sorted((m.time for m in headlines), reverse=True)
    one = headlines[0]
    assert one.headline in desk.ask(o.ReqNewsArticle(2, one.providerCode, one.articleId))[0].articleText
    assert errors(desk.ask(o.ReqNewsArticle(3, "SIM", "SIM$x"), o.ReqHistoricalNews(4, 1, "SIM", "", "", 5))) == [
        (3, 10276),
        (4, 10276),
    ]
    desk.gateway.bulletin("before")
    assert [m.newsMessage for m in desk.ask(o.ReqNewsBulletins(True))] == ["before"]
    desk.gateway.bulletin("now")
    assert [m.newsMessage for m in desk.session.take()] == ["now"]


def test_scanner() -> None:
    desk = Desk()
    desk.run(5.0)
    xml = ElementTree.fromstring(desk.ask(o.ReqScannerParameters())[0].xml)
    codes = [element.text for element in xml.iter("scanCode")]
    assert "TOP_PERC_GAIN" in codes
    scan = ScannerSubscription(numberOfRows=7, instrument="STK", locationCode="STK.US.MAJOR", scanCode="TOP_PERC_GAIN")
    rows = desk.ask(o.ReqScannerSubscription(1, scan))[0].elements
    assert [row.rank for row in rows] == list(range(7))
    changes = []
    for row in rows:
        quote = desk.gateway.market.quote(desk.gateway.resolve(stock(row.contractDetails.contract.symbol)))  # type: ignore[arg-type]
        changes.append((quote.last - quote.close) / quote.close)
    assert changes == sorted(changes, reverse=True)
    assert len(of(i.ScannerData, desk.run(61.0))) == 2
    scan.scanCode = "LUCKIEST"
    assert errors(desk.ask(o.ReqScannerSubscription(2, scan), o.CancelScannerSubscription(3))) == [(2, 162), (3, 365)]
