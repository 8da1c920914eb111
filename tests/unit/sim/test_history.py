"""The past: bars of every size are one path's sums, and what a live listener was told is what history says."""

from __future__ import annotations

from decimal import Decimal
from itertools import pairwise
from typing import Any

import pytest

from ibwire.sim.bars import BAR_SIZES
from ibwire.sim.clock import DEFAULT_START_NS, NS_PER_S
from ibwire.types import incoming as i
from ibwire.types import outgoing as o
from ibwire.types.structs import BarData, Contract
from tests.unit.sim.desk import Desk, coin, errors, future, index, of, option, pair, stock

START_S = DEFAULT_START_NS // NS_PER_S
CONTRACTS = [stock(), pair(), option(), future(), coin()]


def bars(
    desk: Desk, contract: Contract, size: str, duration: str, what: str = "MIDPOINT", **more: Any
) -> list[BarData]:
    fields: dict[str, Any] = {"useRTH": 0, "formatDate": 2, "endDateTime": ""} | more
    request = o.ReqHistoricalData(
        1, contract, barSizeSetting=size, durationStr=duration, whatToShow=what, keepUpToDate=False, **fields
    )
    answer = desk.ask(request)
    assert [type(m) for m in answer] == [i.HistoricalData, i.HistoricalDataEnd], answer
    found: list[BarData] = answer[0].bars
    return found


def summed(parts: list[BarData]) -> tuple[Any, ...]:
    highs, lows = [bar.high or 0.0 for bar in parts], [bar.low or 0.0 for bar in parts]
    volume = sum((bar.volume or Decimal(0) for bar in parts), Decimal(0))
    return parts[0].open, max(highs), min(lows), parts[-1].close, volume, sum(bar.barCount for bar in parts)


def told(bar: BarData) -> tuple[Any, ...]:
    return bar.open, bar.high, bar.low, bar.close, bar.volume, bar.barCount


@pytest.mark.parametrize("rate", [1, 20])
@pytest.mark.parametrize("contract", CONTRACTS, ids=lambda c: c.secType)
def test_a_days_bar_is_the_sum_of_its_parts(contract: Contract, rate: int) -> None:
    desk = Desk(ticks_per_s=rate)
    desk.run(777.0)
    what = {"CASH": "BID", "CRYPTO": "AGGTRADES"}.get(contract.secType, "TRADES")
    day = bars(desk, contract, "1 day", "1 D", what)[-1]
    for size in ("30 secs", "1 min", "3 mins", "5 mins", "1 hour", "4 hours"):
        parts = bars(desk, contract, size, "1 D", what)
        assert told(day)[:4] == summed(parts)[:4], size
        if what != "BID":
            assert told(day)[4:] == summed(parts)[4:], size
        if size == "1 min":
            times = [int(bar.date) for bar in parts]
            assert all(later - earlier == 60 for earlier, later in pairwise(times))


@pytest.mark.parametrize("what", ["TRADES", "MIDPOINT", "BID", "ASK", "BID_ASK"])
def test_every_bar_size_gives_bars(what: str) -> None:
    desk = Desk(ticks_per_s=2)
    for size, seconds in BAR_SIZES.items():
        duration = "600 S" if seconds < 30 else "2 D" if seconds < 86400 else "3 M"
        found = bars(desk, stock(), size, duration, what)
        assert len(found) > 1
        for bar in found:
            assert bar.open is not None and bar.high is not None and bar.low is not None and bar.close is not None
            assert bar.low <= min(bar.open, bar.close) <= max(bar.open, bar.close) <= bar.high
            assert (bar.barCount >= 0) == (what == "TRADES")


def test_times_as_text_as_seconds_and_as_days() -> None:
    desk = Desk()
    desk.run(1.0)
    assert bars(desk, stock(), "1 hour", "2 D", formatDate=1, useRTH=1)[0].date == "20260227 09:30:00 US/Eastern"
    request = o.ReqHistoricalData(1, stock(), "20260228 00:00:00", "1 D", "1 hour", "TRADES", 1, 1)
    assert Desk(server_version=157).ask(request)[0].bars[1].date == "20260227  10:00:00"
    assert bars(desk, stock(), "1 hour", "2 D", formatDate=2, useRTH=1)[0].date == "1772202600"
    assert [bar.date for bar in bars(Desk(), stock(), "1 day", "3 D", useRTH=1, endDateTime="20260301-00:00:00")] == [
        "20260225",
        "20260226",
        "20260227",
    ]


def test_regular_hours_only() -> None:
    desk = Desk()
    inside = bars(desk, stock(), "1 min", "1 D", useRTH=1, endDateTime="20260228 00:00:00 US/Eastern")
    every = bars(desk, stock(), "1 min", "1 D", useRTH=0, endDateTime="20260228 00:00:00 US/Eastern")
    assert (len(inside), len(every)) == (390, 960)
    assert inside == every[330:720]


def test_the_end_bounds_what_is_told() -> None:
    desk = Desk()
    whole = bars(desk, stock(), "1 min", "1800 S", endDateTime="20260227-18:00:00")
    assert [int(bar.date) for bar in whole] == [1772215200 - 1800 + 60 * n for n in range(30)]
    assert bars(desk, stock(), "1 min", "1800 S", endDateTime="20260227 13:00:00 America/New_York") == whole
    desk.run(3600.0)
    assert bars(desk, stock(), "1 min", "1800 S", endDateTime="20260227-18:00:00") == whole


def test_a_holiday_and_a_weekend_have_no_bars() -> None:
    found = bars(Desk(), stock(), "1 day", "2 M", useRTH=1)
    days = [bar.date for bar in found]
    assert "20260119" not in days and "20260116" in days and "20260120" in days
    assert "20260228" not in days


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"barSizeSetting": "7 mins"}, 321),
        ({"durationStr": "2 fortnights"}, 321),
        ({"durationStr": "400 D"}, 321),
        ({"whatToShow": "GOSSIP"}, 321),
        ({"whatToShow": "YIELD_BID"}, 162),
        ({"whatToShow": "AGGTRADES"}, 321),
        ({"formatDate": 3}, 321),
        ({"endDateTime": "yesterday"}, 10314),
        ({"endDateTime": "20260227 12:00:00 Mars/Olympus"}, 10314),
        ({"endDateTime": "20260230-12:00:00"}, 10314),
        ({"endDateTime": "20260227-12:00:00", "keepUpToDate": True}, 321),
        ({"barSizeSetting": "1 secs", "durationStr": "1 D"}, 162),
        ({"barSizeSetting": "1 hour", "whatToShow": "SCHEDULE"}, 321),
        ({"endDateTime": "19850101-00:00:00"}, 162),
        ({"contract": stock("NOSUCH")}, 200),
        ({"contract": coin()}, 10299),
        ({"contract": pair()}, 162),
        ({"contract": index(), "whatToShow": "BID"}, 162),
        (
            {"contract": Contract(symbol="ES", secType="CONTFUT", exchange="CME"), "endDateTime": "20260227-12:00:00"},
            10339,
        ),
    ],
)
def test_what_is_refused(changes: dict[str, Any], code: int) -> None:
    fields: dict[str, Any] = {
        "contract": stock(),
        "endDateTime": "",
        "durationStr": "1 D",
        "barSizeSetting": "1 hour",
        "whatToShow": "TRADES",
        "useRTH": 1,
        "formatDate": 1,
    } | changes
    assert errors(Desk().ask(o.ReqHistoricalData(5, **fields))) == [(5, code)]


def test_a_request_kept_up_to_date() -> None:
    desk = Desk()
    desk.run(63.0)
    request = o.ReqHistoricalData(3, stock(), "", "600 S", "1 min", "TRADES", 1, 2, True)
    first = desk.ask(request)
    assert errors(desk.ask(request)) == [(3, 322)]
    updates = [message.bar for message in of(i.HistoricalDataUpdate, desk.run(120.0))]
    assert len({bar.date for bar in updates}) == 3
    last = {bar.date: bar for bar in updates}
    after = bars(desk, stock(), "1 min", "600 S", "TRADES")
    assert [bar for bar in after if bar.date in last][:2] == list(last.values())[:2]
    assert first[0].bars[-1].date == updates[0].date
    assert desk.ask(o.CancelHistoricalData(3)) == [] and desk.run(30.0) == []
    assert errors(desk.ask(o.CancelHistoricalData(3))) == [(3, 366)]


def test_history_and_live_meet_without_a_seam() -> None:
    """Tick by tick for 20 s; afterwards history of these 20 s says the same, trade by trade and bar by bar."""
    desk = Desk()
    desk.ask(o.ReqTickByTickData(1, stock(), "AllLast"), o.ReqTickByTickData(2, stock(), "BidAsk"))
    desk.ask(o.ReqRealTimeBars(3, stock(), 5, "TRADES", False))
    live = desk.run(20.0)
    asked: dict[str, Any] = {"startDateTime": "20260302-14:30:00", "numberOfTicks": 1000, "useRth": 0}
    trades = desk.ask(o.ReqHistoricalTicks(4, stock(), whatToShow="TRADES", **asked))[0].ticks
    quotes = desk.ask(o.ReqHistoricalTicks(5, stock(), whatToShow="BID_ASK", **asked))[0].ticks
    streamed = of(i.TickByTick, live)
    assert [m.last for m in streamed if m.reqId == 1] == trades != []
    assert [m.bidAsk for m in streamed if m.reqId == 2] == quotes != []
    five = bars(desk, stock(), "5 secs", "20 S", "TRADES")
    real = of(i.RealtimeBar, live)
    shown = [(m.time, m.open_, m.high, m.low, m.close, m.volume, m.count) for m in real]
    assert shown == [(int(b.date), *told(b)) for b in five]
    assert sum(trade.size for trade in trades) == sum(bar.volume or 0 for bar in five)
    assert max(trade.price for trade in trades) == max(bar.high or 0.0 for bar in five)


def test_ticks_before_an_end_are_the_last_ones() -> None:
    desk = Desk()
    since = o.ReqHistoricalTicks(1, stock(), "20260227-15:00:00", "", 200, "TRADES", 1)
    forward = desk.ask(since)[0].ticks
    end = forward[-1].time + 1
    text = f"20260227-15:{(end - 1772204400) // 60:02d}:{end % 60:02d}"
    back = desk.ask(o.ReqHistoricalTicks(2, stock(), "", text, 50, "TRADES", 1))[0].ticks
    more = desk.ask(o.ReqHistoricalTicks(1, stock(), "20260227-15:00:00", "", 300, "TRADES", 1))[0].ticks
    upto = [tick for tick in more if tick.time < end]
    assert back == upto[-50:]


def test_middle_ticks_change_price() -> None:
    desk = Desk()
    ticks = desk.ask(o.ReqHistoricalTicks(1, pair(), "", "20260302-14:00:00", 100, "MIDPOINT", 0))[0].ticks
    assert len(ticks) == 100 and all(a.price != b.price for a, b in pairwise(ticks))


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"whatToShow": "ASK"}, 321),
        ({"startDateTime": "", "endDateTime": ""}, 321),
        ({"endDateTime": "20260227-16:00:00"}, 321),
        ({"numberOfTicks": 1001}, 321),
        ({"numberOfTicks": 0}, 321),
        ({"startDateTime": "soon"}, 10314),
        ({"contract": pair()}, 162),
        ({"contract": stock("NOSUCH")}, 200),
    ],
)
def test_tick_requests_that_are_refused(changes: dict[str, Any], code: int) -> None:
    fields: dict[str, Any] = {
        "contract": stock(),
        "startDateTime": "20260227-15:00:00",
        "endDateTime": "",
        "numberOfTicks": 10,
        "whatToShow": "TRADES",
        "useRth": 1,
    } | changes
    assert errors(Desk().ask(o.ReqHistoricalTicks(5, **fields))) == [(5, code)]


def test_schedule_head_and_histogram() -> None:
    desk = Desk()
    desk.run(1.0)
    schedule = desk.ask(o.ReqHistoricalData(1, stock(), "", "5 D", "1 day", "SCHEDULE", 1, 1))[0]
    assert schedule.timeZone == "US/Eastern" and len(schedule.sessions) == 5
    last = schedule.sessions[-1]
    assert (last.startDateTime, last.endDateTime, last.refDate) == (
        "20260302-09:30:00",
        "20260302-16:00:00",
        "20260302",
    )
    head = desk.ask(o.ReqHeadTimeStamp(2, stock(), "TRADES", 1, 2))[0]
    text = desk.ask(o.ReqHeadTimeStamp(2, stock(), "TRADES", 1, 1))[0]
    assert int(head.headTimestamp) < START_S - 10**8 and text.headTimestamp[8] == "-"
    assert errors(desk.ask(o.ReqHeadTimeStamp(2, stock(), "HEADS", 1, 1))) == [(2, 321)]
    items = desk.ask(o.ReqHistogramData(3, stock(), True, "3 days"))[0].items
    prices = [item.price for item in items]
    assert prices == sorted(set(prices)) and all(item.size > 0 for item in items)
    assert errors(desk.ask(o.ReqHistogramData(3, stock(), True, "3 moons"))) == [(3, 321)]


def test_what_was_asked_for_before_makes_no_difference() -> None:
    one, other = Desk(), Desk()
    bars(one, stock(), "1 hour", "1 M")
    bars(one, stock("MSFT"), "1 day", "1 Y")
    assert bars(one, stock(), "1 min", "2 D") == bars(other, stock(), "1 min", "2 D")
