"""The ready policies: each at its limit, past it, and where it cannot know."""

from __future__ import annotations

import sys
import threading
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import pytest

from ibwire.client.quotes import Quote
from ibwire.config import Settings
from ibwire.errors import ConfigError, RiskRejected
from ibwire.trade import risk_policies as p
from ibwire.trade.risk import Book, BookView, Gate, Request
from ibwire.types.builders import trailing
from ibwire.types.constructors import limit, market
from ibwire.types.structs import Contract, Order

AAPL = Contract(conId=265598, symbol="AAPL", secType="STK", exchange="SMART", currency="USD")
DU = "DU0000001"
NAN = float("nan")
S = 1_000_000_000
NOW = 10_000 * S


@dataclass
class Q:
    bid: float = 99.0
    ask: float = 101.0
    last: float = 100.0
    recv_ns: int = NOW


def gate(*policies: Any, told: bool = True) -> tuple[Gate, Book]:
    lock = threading.Lock()
    book = Book(lock)
    if told:
        book.on_told("positions")
        book.on_told("orders")
    return Gate(policies, clock_ns=lambda: NOW, lock=lock, book=book, on_cancel=lambda *_: None), book


def buy(quantity: float = 10, price: float = 100.0, contract: Contract = AAPL, account: str = DU) -> Request:
    return Request(contract, limit("BUY", quantity, price), account)


def sell(quantity: float = 10, price: float = 100.0) -> Request:
    return Request(AAPL, limit("SELL", quantity, price), DU)


def hold(book: Book, contract: Contract, quantity: float) -> None:
    """The gateway was asked, and named it."""
    book.on_positions_asked()
    book.on_position(DU, contract, quantity)
    book.on_positions_answered()


def passes(made: Gate, request: Request) -> BookView | None:
    return made.admit(request)


def refuses(made: Gate, request: Request, says: str) -> None:
    with pytest.raises(RiskRejected, match=says):
        made.admit(request)


@pytest.mark.parametrize("scope", ["order", "contract", "account", "total"])
def test_quantity_and_notional(scope: str) -> None:
    made, _ = gate(p.MaxQuantity(10, scope), p.MaxNotional(1000, scope))
    refuses(made, buy(10.01), "max quantity")
    refuses(made, buy(10, 100.01), "max notional")
    passes(made, buy(10))
    if scope != "order":
        refuses(made, buy(1, 1.0), "max quantity")


def test_a_scope_counts_what_it_says() -> None:
    other = replace(AAPL, conId=1)
    made, _ = gate(p.MaxQuantity(10, "account"), p.MaxQuantity(15, "total"))
    passes(made, buy(6))
    refuses(made, buy(6, contract=other), "account")
    passes(made, buy(9, account="DU0000002"))
    refuses(made, buy(1, account="DU0000003"), "total")


def test_money_that_nobody_knows_is_refused() -> None:
    made, book = gate(p.MaxNotional(1e9))
    refuses(made, Request(AAPL, market("BUY", 1), DU), "unknown")
    refuses(made, buy(1, contract=replace(AAPL, currency="EUR", conId=2)), "unknown")
    refuses(made, buy(1, contract=replace(AAPL, secType="FUT", conId=3)), "unknown")
    book.on_quote(265598, Q())
    passes(made, Request(AAPL, market("BUY", 1), DU))
    refuses(gate(p.MaxNotional(1e9, "account"), told=False)[0], buy(1), "not known yet")


def test_a_price_that_does_not_bind_says_nothing() -> None:
    made, book = gate(p.MaxNotional(1000))
    hidden = (
        Request(AAPL, replace(market("BUY", 100), lmtPrice=0.01), DU),
        Request(AAPL, trailing("BUY", 100, amount=0.01), DU),
        Request(AAPL, Order(action="BUY", totalQuantity=Decimal(100), orderType="REL", auxPrice=0.01), DU),
        sell(100, 0.01),  # it sells at the market
    )
    for request in hidden:
        refuses(made, request, "unknown")
    book.on_quote(265598, Q())
    for request in hidden:
        refuses(made, request, "max notional")
    passes(made, sell(10, 0.01))
    other, book = gate(p.MaxNotional(5000, "contract"))
    book.on_position(DU, AAPL, 0, 1.0)
    refuses(other, sell(100, 0.01), "unknown")


def test_position_knows_its_side() -> None:
    made, book = gate(p.MaxPosition(100))
    hold(book, AAPL, 150)
    refuses(made, buy(1), "151")
    passes(made, sell(250))
    refuses(made, sell(1), "101")
    refuses(gate(p.MaxPosition(100), told=False)[0], buy(1), "not known yet")


def test_price_band() -> None:
    made, book = gate(p.PriceBand(0.02, max_age_ms=1000))
    refuses(made, buy(), "no quote")
    book.on_quote(265598, Q())
    passes(made, buy(1, 102.0))
    passes(made, buy(1, 1.0))  # far on the harmless side
    refuses(made, buy(1, 102.01), "more than 0.02")
    refuses(made, sell(1, 97.99), "more than 0.02")
    book.on_quote(265598, Q(recv_ns=NOW - 2 * S))
    refuses(made, buy(), "2000 ms old")
    refuses(made, Request(AAPL, market("BUY", 1), DU), "old")
    book.on_quote(265598, Q(NAN, NAN, NAN))
    refuses(made, buy(), "no price")
    passes(gate(p.PriceBand(0.02, without_quote="allow"))[0], buy(1, 1e6))


def test_price_band_of_orders_that_wait() -> None:
    made, book = gate(p.PriceBand(0.02))
    book.on_quote(265598, Q())

    def waiting(kind: str, action: str, trigger: float, price: float) -> Request:
        order = limit(action, 1, price)
        order.orderType, order.auxPrice = kind, trigger
        return Request(AAPL, order, DU)

    passes(made, waiting("STP LMT", "BUY", 500.0, 510.0))
    refuses(made, waiting("STP LMT", "BUY", 500.0, 510.01), "from 500")
    # Who waits for a better price than the market's and names a worse one is at the market at once.
    refuses(made, waiting("LIT", "BUY", 500.0, 500.0), "from 100")
    refuses(made, waiting("LIT", "SELL", 1.0, 1.0), "from 100")
    passes(made, waiting("LIT", "BUY", 90.0, 91.8))
    refuses(made, waiting("LIT", "BUY", 90.0, 91.81), "from 90")
    passes(made, waiting("LIT", "SELL", 110.0, 107.8))
    refuses(made, waiting("LIT", "SELL", 110.0, 107.79), "from 110")


def test_price_band_of_quotes_that_tell_too_little() -> None:
    made, book = gate(p.PriceBand(0.02))
    book.on_quote(265598, Quote(99.0, 101.0, recv_ns=NOW, delayed=True))
    refuses(made, buy(1, 100.0), "delayed")
    passes(gate(p.PriceBand(0.02, without_quote="allow"))[0], buy(1, 100.0))
    book.on_quote(265598, Quote(0.0, 101.0, 100.0, 0.0, 100.0, recv_ns=NOW))  # nobody bids
    refuses(made, sell(1, 50.0), "from 100")
    book.on_quote(265598, Quote(0.0, 0.0, NAN, 0.0, 0.0, recv_ns=NOW))
    refuses(made, sell(1, 0.0), "no price")


def test_price_band_of_a_side_that_is_not_known() -> None:
    made, book = gate(p.PriceBand(0.02))
    book.on_quote(265598, Q())
    for price in (500.0, 1.0):
        order = limit("BUY", 1, price)
        order.action = "buy"
        refuses(made, Request(AAPL, order, DU), "from 100")


def test_rate_and_duplicates() -> None:
    made, _ = gate(p.OrderRate(2, 1000))
    passes(made, buy())
    passes(made, buy())
    refuses(made, buy(), "more than 2")
    made, _ = gate(p.DuplicateOrder(), p.MaxQuantity(10))
    refuses(made, buy(11), "max quantity")
    refuses(made, buy(11), "max quantity")  # what was not sent is no first one
    passes(made, buy())
    refuses(made, buy(), "same order")
    passes(made, buy(10, 100.01))


def test_buying_power_and_cushion() -> None:
    made, book = gate(p.BuyingPower(keep=100))
    refuses(made, buy(), "not known")
    book.on_value(DU, "BuyingPower", "1100", NOW)
    passes(made, buy(5))
    passes(made, buy(5))
    refuses(made, buy(1, 1.0), "more than")
    book.on_value(DU, "BuyingPower", "1100", NOW - 601 * S)
    refuses(made, buy(1, 1.0), "old")
    made, book = gate(p.MarginCushion(0.2))
    book.on_value(DU, "NetLiquidation", 1000, NOW)
    refuses(made, buy(), "ExcessLiquidity of this account is not known")
    book.on_value(DU, "ExcessLiquidity", 199, NOW)
    refuses(made, buy(), "cushion")
    hold(book, AAPL, 10)
    passes(made, sell(10))  # only closes
    book.on_value(DU, "ExcessLiquidity", "n/a", NOW)
    refuses(made, buy(), "not known")


def test_daily_loss_stops_and_stays_stopped() -> None:
    policy = p.DailyLoss(100)
    made, book = gate(policy)
    refuses(made, buy(), "not known")
    book.on_pnl(DU, -99.99, NOW)
    passes(made, buy())
    book.on_pnl(DU, -100.0, NOW)
    refuses(made, buy(), "has reached 100")
    book.on_pnl(DU, 5.0, NOW)
    refuses(made, buy(), "has reached 100")
    policy.reset()
    passes(made, buy())
    book.on_pnl(DU, None, NOW)
    refuses(made, buy(), "not known")
    book.on_pnl(DU, 5.0, NOW - 61 * S)
    refuses(made, buy(), "old")


def test_what_is_allowed() -> None:
    made, _ = gate(p.AllowedAccounts(DU), p.AllowedExchanges("SMART"), p.AllowedSecTypes("STK"), p.PaperOnly())
    passes(made, buy())
    refuses(made, buy(account="DU0000002"), "allowed accounts")
    refuses(made, buy(account=""), "allowed accounts")
    refuses(made, buy(contract=replace(AAPL, exchange="IBIS")), "allowed exchanges")
    refuses(made, buy(contract=replace(AAPL, secType="FUT")), "security types")
    refuses(gate(p.AllowedOrderTypes("MKT"))[0], buy(), "order types")
    refuses(gate(p.PaperOnly())[0], buy(account="U0000001"), "live")
    refuses(gate(p.PaperOnly())[0], buy(account=""), "not known")
    refuses(gate(p.ReadOnly())[0], buy(), "only reads")


def test_market_hours(monkeypatch: pytest.MonkeyPatch) -> None:
    class Calendar:
        def is_open_on_minute(self, minute: datetime) -> bool:
            assert (minute.second, minute.utcoffset()) == (0, minute.utcoffset())
            return minute.hour == 15

    monkeypatch.setitem(sys.modules, "exchange_calendars", None)
    with pytest.raises(ConfigError, match="exchange_calendars"):
        p.MarketHours({"*": "XNYS"}, lambda: 0)
    fake: Any = SimpleNamespace(get_calendar={"XNYS": Calendar()}.__getitem__)
    monkeypatch.setitem(sys.modules, "exchange_calendars", fake)
    with pytest.raises(ConfigError, match="no such calendar"):
        p.MarketHours({"*": "nowhere"}, lambda: 0)
    hour = [15]
    made, _ = gate(p.MarketHours({"SMART": "XNYS"}, lambda: hour[0] * 3600 * S + 7))
    passes(made, buy())
    hour[0] = 3
    refuses(made, buy(), "closed")
    refuses(made, buy(contract=replace(AAPL, exchange="IBIS")), "nobody knows")


@pytest.mark.parametrize(
    "make",
    [
        lambda: p.MaxQuantity(-1),
        lambda: p.MaxQuantity(NAN),
        lambda: p.MaxNotional(1, "all"),
        lambda: p.MaxPosition(1, "order"),
        lambda: p.OrderRate(0),
        lambda: p.AllowedAccounts(),
        lambda: p.DailyLoss(0),
        lambda: p.MarginCushion(1),
        lambda: p.PriceBand(0.1, without_quote="maybe"),
        lambda: p.MaxQuantity("10"),  # type: ignore[arg-type]
        lambda: p.MaxNotional(None),  # type: ignore[arg-type]
        lambda: p.MaxPosition(True),
        lambda: p.OrderRate(True),
        lambda: p.OrderRate(5, 0),
        lambda: p.MarginCushion("x"),  # type: ignore[arg-type]
        lambda: gate(p.MaxQuantity),  # the class, not one of it
        lambda: Settings.make("sim", policies=p.MaxQuantity(1)),
    ],
)
def test_settings_that_make_no_sense(make: Any) -> None:
    with pytest.raises(ConfigError):
        make()
