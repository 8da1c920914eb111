"""Combinations in the simulated gateway: what is one, who trades with whom, what cannot be done to its executions."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from ibwire.sim.combos import combination, leg_prices, net_price, prices_at
from ibwire.sim.gateway import Gateway
from ibwire.types import incoming as i
from ibwire.types import outgoing as o
from ibwire.types.structs import ComboLeg, Contract

from .desk import Desk, errors, future, of, option, pair, stock
from .test_gateway import limit

D = Decimal


def leg(gateway: Gateway, contract: Contract, action: str = "BUY", ratio: int = 1) -> ComboLeg:
    item = gateway.resolve(contract)
    assert item is not None, contract
    return ComboLeg(item.conId, ratio, action, item.exchange)


def bag(*legs: ComboLeg) -> Contract:
    return Contract(symbol="AAPL", secType="BAG", exchange="SMART", currency="USD", comboLegs=list(legs))


def two(gateway: Gateway) -> Contract:
    return bag(leg(gateway, stock()), leg(gateway, stock("MSFT"), "SELL", 2))


@pytest.mark.parametrize(
    ("one", "other", "wrong"),
    [
        (stock(), option(), "multipliers"),
        (stock(), pair(), "of type"),
        (stock(), future(), "multipliers"),
        (stock(), stock(), "the same contract"),
    ],
)
def test_what_is_no_combination(one: Contract, other: Contract, wrong: str) -> None:
    gateway = Gateway(7)
    item, problem = combination(bag(leg(gateway, one), leg(gateway, other, "SELL")), gateway.resolve)
    assert item is None and wrong in problem


def test_options_of_one_underlying_are_a_spread_at_their_own_step() -> None:
    gateway = Gateway(7)
    item, problem = combination(bag(leg(gateway, option(190)), leg(gateway, option(195), "SELL")), gateway.resolve)
    assert item is not None and not problem
    assert item.price_step == min(part.instrument.price_step for part in item.parts)
    bought, sold = (net_price(item, leg_prices(gateway.market, item, buy)) for buy in (True, False))
    assert sold < bought


def test_a_net_price_that_is_wished_for_is_made_by_a_leg_of_ratio_one() -> None:
    gateway = Gateway(7)
    item, _ = combination(two(gateway), gateway.resolve)
    assert item is not None
    assert net_price(item, prices_at(gateway.market, item, True, D("-123.45"))) == D("-123.45")
    item, _ = combination(bag(leg(gateway, stock(), ratio=2), leg(gateway, stock("MSFT"), ratio=3)), gateway.resolve)
    assert item is not None
    with pytest.raises(ValueError, match="no leg takes"):
        prices_at(gateway.market, item, True, D(1))


def test_clients_do_not_meet_and_executions_are_not_corrected() -> None:
    desk = Desk()
    contract = two(desk.gateway)
    desk.ask(o.PlaceOrder(1, contract, limit(-900.0)), o.PlaceOrder(2, contract, limit(900.0, "SELL")))
    flow = desk.run(2)
    assert not of(i.ExecDetails, flow) and not errors(flow)
    desk.gateway.force.fill(1, 1, D(5))
    flow = desk.run(1)
    done: list[Any] = of(i.ExecDetails, flow)
    reports: list[Any] = of(i.CommissionAndFeesReport, flow)
    assert {m.commissionAndFeesReport.execId for m in reports} == {m.execution.execId for m in done[1:]}
    assert [(m.contract.secType, m.execution.side, m.execution.shares) for m in done] == [
        ("BAG", "BOT", 5), ("STK", "BOT", 5), ("STK", "SLD", 10),
    ]  # fmt: skip
    assert {m.execution.orderId for m in done} == {1} and len({m.execution.execId for m in done}) == 3
    with pytest.raises(ValueError, match="combination"):
        desk.gateway.force.bust(done[1].execution.execId)
    again: list[Any] = of(i.ExecDetails, desk.ask(o.ReqExecutions(9)))
    assert [m.execution.execId for m in again] == [m.execution.execId for m in done]


def test_who_may_not_trade_a_leg_may_not_trade_the_combination() -> None:
    desk = Desk()
    desk.gateway.engine.without_trading = frozenset({"MSFT"})
    desk.ask(o.PlaceOrder(1, two(desk.gateway), limit(-900.0)), o.PlaceOrder(2, stock(), limit(100.0)))
    flow = desk.run(1)
    assert errors(flow) == [(1, 460)]
