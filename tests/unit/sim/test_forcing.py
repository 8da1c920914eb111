"""What a scenario can make happen, and that the books stay right meanwhile."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from ibwire.sim.checks import Refusal
from ibwire.sim.clock import NS_PER_S
from ibwire.sim.director import make_gateway
from ibwire.sim.forcing import DROP
from ibwire.sim.gateway import Gateway
from ibwire.sim.orders import Commission, Fill, OrderRequest, StatusChange
from ibwire.sim.scenario import Scenario
from ibwire.types import incoming as i
from ibwire.types import outgoing as o
from ibwire.types.structs import ExecutionFilter, OrderCondition
from tests.unit.sim.desk import pair
from tests.unit.sim.scripted import Scripted, fills, story
from tests.unit.sim.test_gateway import Desk, errors, limit, market, names, only, statuses, stock

D = Decimal


def test_rules_drop_or_refuse_what_comes() -> None:
    desk = Scripted()
    stop = desk.engine.force.on_place(lambda request, live: DROP if request.orderId == 1 else None)
    assert desk.place(1) == []
    stop()
    desk.place(2, limit="99")
    desk.engine.force.on_place(lambda request, live: Refusal(201, "no") if live else None)
    assert story(desk.place(2, limit="98")) == ["201"]
    assert desk.order(2).request.lmtPrice == D(99)
    assert story(desk.place(3)) == ["PreSubmitted", "fill", "Filled", "commission"]
    stop = desk.engine.force.on_cancel(lambda clientId, orderId: DROP)
    assert desk.cancel(2) == []
    stop()
    desk.engine.force.on_cancel(lambda clientId, orderId: Refusal(136, "not now"))
    assert story(desk.cancel(2)) == ["136"] and desk.status(2) == ["Submitted"]


def test_forced_fills_before_and_after_the_end() -> None:
    desk = Scripted()
    force = desk.engine.force
    desk.place(1, limit="99.00")
    force.fill(1, 1, D(30), D("98.50"))
    assert (desk.status(1), desk.order(1).remaining) == (["Submitted"], D(70))
    assert fills(desk.move(9_890, 9_895)) == [(1, 70, "99.00")]
    desk.place(2, limit="90.00")
    desk.cancel(2)
    before = len(desk.events)
    force.fill(1, 2, D(40), D("90.00"))
    assert story(desk.run(0, before)) == ["fill", "Cancelled", "commission"]
    force.fill(1, 2)
    assert desk.status(2) == ["Filled"]
    assert desk.accounts["DU0000001"].position(desk.aapl.conId) == 200
    for size, price in ((D(1), None), (D("0.00001"), None), (None, D("1.001"))):
        with pytest.raises(ValueError, match="cannot fill"):
            force.fill(1, 2, size, price)
    with pytest.raises(KeyError, match="no order 9"):
        force.fill(1, 9)


def test_a_forced_fill_of_a_parent_wakes_its_children_and_of_a_member_ends_its_group() -> None:
    desk = Scripted()
    desk.place(1, limit="99.00", transmit=False)
    desk.place(2, "SELL", limit="101.00", parentId=1)
    desk.engine.force.fill(1, 1)
    desk.run()
    assert desk.status(1, 2) == ["Filled", "Submitted"]
    for orderId in (3, 4):
        desk.place(orderId, limit="90", ocaGroup="g", ocaType=1)
    desk.engine.force.fill(1, 3, D(1))
    desk.run()
    assert desk.status(3, 4) == ["Submitted", "Cancelled"]


def test_reject_cancel_hold_and_release() -> None:
    desk = Scripted()
    force = desk.engine.force
    for orderId in (1, 2, 3):
        desk.place(orderId, limit="99.00")
    before = len(desk.events)
    force.reject(1, 1, 201, "no")
    force.cancel(1, 2)
    force.hold(1, 3, "locate", warning=(404, "shares are sought"))
    assert story(desk.run(0, before)) == ["Inactive", "201", "Cancelled", "202", "404", "PreSubmitted"]
    assert desk.order(3).whyHeld == "locate" and fills(desk.move(9_890, 9_895)) == []
    force.release(1, 3)
    assert fills(desk.run()) == [(3, 100, "98.95")]
    desk.place(4, limit="90.00")
    force.hold(1, 4, status="Inactive")
    assert [order.orderId for order in desk.engine.open_orders()] == [4]
    assert story(desk.cancel(4)) == ["PendingCancel", "Cancelled", "202"]


def test_a_status_can_lie_and_nothing_changes() -> None:
    desk = Scripted()
    desk.place(1)
    desk.engine.force.status(1, 1, "Submitted", filled=D(0), remaining=D(100))
    told = desk.events[-1]
    assert isinstance(told, StatusChange) and (told.order.status, told.order.filled) == ("Submitted", D(0))
    assert (desk.status(1), desk.order(1).filled) == (["Filled"], D(100))


def test_corrections_and_busts() -> None:
    desk = Scripted()
    account = desk.accounts["DU0000001"]
    desk.place(1)
    first = next(event for event in desk.events if isinstance(event, Fill))
    fixed = desk.engine.force.correct(first.execId, price=D("100.00"))
    assert (fixed.execId, fixed.replaces) == (first.execId[:-2] + "02", first.execId)
    assert (fixed.price, fixed.avgPrice, fixed.cumQty) == (D("100.00"), D(100), D(100))
    assert account.cash() == D(10**9) - 10_000 - 1
    again = desk.engine.force.correct(fixed.execId, size=D(60))
    assert again.execId.endswith(".03") and desk.order(1).filled == 60 and account.position(desk.aapl.conId) == 60
    with pytest.raises(KeyError):
        desk.engine.force.correct(first.execId, size=D(1))
    with pytest.raises(ValueError, match="does not fit"):
        desk.engine.force.correct(again.execId, price=D("1.001"))
    desk.run()
    assert [type(event) for event in desk.events[-2:]] == [Commission, Commission]
    gone = desk.engine.force.bust(again.execId)
    assert (gone.qty, gone.cumQty) == (D(0), D(0))
    assert account.position(desk.aapl.conId) == 0 and account.cash() == D(10**9)
    assert desk.engine.executions() == ()


def test_perm_ids_caps_and_warnings() -> None:
    desk = Scripted()
    desk.place(1, limit="99")
    desk.engine.force.perm_id(1, 1, 77)
    desk.engine.force.cap_price(1, 1, D("98.50"))
    desk.engine.force.warn(1, 1, 10349, "advice")
    order = desk.order(1)
    assert (order.permId, order.mktCapPrice, story(desk.events)[-1]) == (77, D("98.50"), "10349")


def test_an_order_that_never_was() -> None:
    desk = Scripted()
    desk.place(1, limit="99")
    desk.engine.force.forget(1, 1)
    desk.engine.force.next_id(1, 1)
    assert desk.engine.next_valid_id(1) == 1 and desk.listeners == []
    assert story(desk.cancel(1)) == ["10147"]
    assert story(desk.place(1, limit="98")) == ["PreSubmitted", "Submitted"]


# ---------------------------------------------------------------------------------------------- the gateway


def test_an_order_filter_delays_drops_doubles_and_reorders() -> None:
    desk = Desk()

    def change(session: Any, event: Any, messages: list[Any]) -> list[tuple[int, Any]]:
        if isinstance(event, Commission):
            return [(60 * NS_PER_S, message) for message in messages]
        if isinstance(event, Fill):
            return []
        return [(0, message) for message in reversed(messages) for _ in range(2)]

    desk.gateway.order_filter = change
    desk.ask(o.PlaceOrder(1, stock(), market()))
    flow = desk.run(5)
    assert names(flow)[:4] == ["OrderStatus", "OrderStatus", "OpenOrder", "OpenOrder"]
    assert only(i.ExecDetails, flow) == only(i.CommissionAndFeesReport, flow) == []
    assert "CommissionAndFeesReport" in names(desk.run(61))


def test_the_master_client_hears_everybody() -> None:
    desk = Desk(master_client_id=9)
    master, other = desk.join(9, "master"), desk.join(2, "other")
    master.take()
    other.take()
    desk.ask(o.PlaceOrder(1, stock(), market()))
    flow = desk.run()
    assert names(master.take()) == names(flow) and other.take() == []
    master.receive(o.CancelOrder(1))
    desk.run()
    assert errors(master.take()) == [(1, 10147)]


def test_read_only_refuses_orders_and_their_lists() -> None:
    desk = Desk(read_only=True)
    answers = desk.ask(
        o.PlaceOrder(1, stock(), market()),
        o.CancelOrder(1),
        o.ReqOpenOrders(),
        o.ReqAllOpenOrders(),
        o.ReqCompletedOrders(),
        o.ReqGlobalCancel(),
    )
    assert errors(answers) == [(-1, 321)] * 6
    assert len(answers) == 6
    assert names(desk.ask(o.ReqPositions())) == ["PositionEnd"]


@pytest.mark.parametrize(
    ("without", "refused"),
    [(("AAPL",), [1]), (("CASH",), [2]), (("OPT", "FUT"), []), (("*",), [1, 2])],
)
def test_what_the_login_may_not_trade_is_refused_with_460(without: tuple[str, ...], refused: list[int]) -> None:
    gateway, _ = make_gateway(Scenario(gateway={"without_trading": list(without)}))
    session = gateway.connect("first", 225)
    session.receive(o.StartApi(clientId=1))
    session.take()
    for orderId, contract in ((1, stock()), (2, pair())):
        session.receive(o.PlaceOrder(orderId, contract, market()))
    gateway.advance(gateway.clock.now_ns + 2 * NS_PER_S)
    assert errors(session.take()) == [(orderId, 460) for orderId in refused]


def typed(gateway: Gateway, price: str = "100.00") -> OrderRequest:
    instrument = gateway.resolve(stock())
    return OrderRequest(5, 5, instrument, "BUY", "LMT", D(10), lmtPrice=D(price))


def test_orders_typed_in_by_hand_are_bound_by_client_0() -> None:
    desk = Desk()
    zero = desk.join(0, "zero")
    zero.take()
    desk.gateway.engine.place_manually(typed(desk.gateway))
    desk.run()
    assert [m.orderId for m in only(i.OpenOrder, zero.take())] == [0, 0]
    zero.receive(o.CancelOrder(0))
    desk.run()
    assert errors(zero.take()) == [(0, 10147)]
    zero.receive(o.ReqOpenOrders())
    answer = zero.take()
    assert names(answer) == ["OrderBound", "OpenOrder", "OrderStatus", "OpenOrderEnd"]
    bound = answer[0]
    assert bound.orderId < 0 and bound.permId == answer[1].order.permId and answer[1].orderId == bound.orderId
    zero.receive(o.CancelOrder(bound.orderId))
    desk.run()
    assert statuses(zero.take()) == ["PendingCancel", "Cancelled"]
    assert names(desk.ask(o.ReqCompletedOrders(apiOnly=True))) == ["CompletedOrdersEnd"]
    assert names(desk.ask(o.ReqCompletedOrders())) == ["CompletedOrder", "CompletedOrdersEnd"]
    zero.receive(o.ReqAutoOpenOrders(True))
    desk.gateway.engine.place_manually(typed(desk.gateway))
    desk.run()
    flow = zero.take()
    assert names(flow)[0] == "OrderBound" and flow[0].orderId == bound.orderId - 1
    assert errors(desk.ask(o.ReqAutoOpenOrders(True))) == [(-1, 327)]
    with pytest.raises(ValueError, match="110"):
        desk.gateway.engine.place_manually(typed(desk.gateway, "100.001"))


def test_what_the_wire_says_of_a_bracket() -> None:
    desk = Desk()
    desk.ask(
        o.PlaceOrder(1, stock(), limit(150.0, transmit=False)),
        o.PlaceOrder(2, stock(), limit(250.0, "SELL", parentId=1, transmit=False)),
        o.PlaceOrder(3, stock(), stop(140.0, parentId=1)),
    )
    flow = desk.run()
    last = {m.orderId: m for m in only(i.OrderStatus, flow)}
    assert [(last[n].status, last[n].whyHeld, last[n].parentId) for n in (1, 2, 3)] == [
        ("Submitted", "", 0),
        ("PreSubmitted", "child", 1),
        ("PreSubmitted", "child,trigger", 1),
    ]
    child = [m for m in only(i.OpenOrder, flow) if m.orderId == 2][-1].order
    assert (child.parentId, child.parentPermId) == (1, last[1].permId)
    assert (child.ocaGroup, child.ocaType) == (str(last[1].permId), 3)


def stop(price: float, **changes: Any) -> Any:
    order = market("SELL", **changes)
    order.orderType, order.auxPrice = "STP", price
    return order


def test_what_the_wire_says_of_conditions_times_and_attributes() -> None:
    desk = Desk()
    price = OrderCondition(condType=1, isMore=True, conId=265598, exchange="SMART", price=1000.0)
    nowhere = OrderCondition(condType=1, isMore=True, conId=4, exchange="SMART", price=1000.0)
    desk.ask(
        o.PlaceOrder(1, stock(), market(conditions=[price])),
        o.PlaceOrder(2, stock(), market(conditions=[nowhere])),
        o.PlaceOrder(3, stock(), limit(100.0, tif="GTD", goodTillDate="20260302 14:30:10 UTC")),
        o.PlaceOrder(4, stock(), limit(100.0, tif="GTD", goodTillDate="tomorrow")),
        o.PlaceOrder(5, stock(), market(allOrNone=True)),
        o.PlaceOrder(6, stock(), market(algoStrategy="Vwap")),
        o.PlaceOrder(7, stock(), market(displaySize=10, hidden=True, whatIf=True)),
    )
    flow = desk.run(5)
    assert sorted(errors(flow)) == [(2, 321), (4, 337), (5, 321), (6, 442)]
    assert sorted({m.orderId for m in only(i.OpenOrder, flow)}) == [1, 3, 7]
    assert errors(desk.run(10)) == [(3, 202)]


def test_executions_of_earlier_days_are_asked_for_by_number() -> None:
    desk = Desk(ticks_per_s=1)
    desk.ask(o.PlaceOrder(1, stock(), market()))
    desk.run()
    desk.run(86_400)
    counts = [
        len(only(i.ExecDetails, desk.ask(o.ReqExecutions(5, wanted)))) > 0
        for wanted in (ExecutionFilter(), ExecutionFilter(lastNDays=2), ExecutionFilter(specificDates=[20260302]))
    ]
    assert counts == [False, True, True]
