"""The gateway as a client meets it: typed requests in, typed answers out, in virtual time."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from ibwire.sim import refusals
from ibwire.sim.client import ClientSession
from ibwire.sim.clock import NS_PER_S
from ibwire.sim.gateway import _HANDLERS, Gateway
from ibwire.sim.on_market import MAX_LINES
from ibwire.spec.errorcodes import lookup
from ibwire.spec.ticks import NUMBERS
from ibwire.spec.versions import MAX_CLIENT_VERSION
from ibwire.types import incoming as i
from ibwire.types import outgoing as o
from ibwire.types.structs import Contract, ExecutionFilter, Order

D = Decimal
ACCOUNT = "DU0000001"


def stock(symbol: str = "AAPL", **changes: Any) -> Contract:
    return Contract(symbol=symbol, secType="STK", exchange="SMART", currency="USD", **changes)


def market(action: str = "BUY", size: str = "100", **changes: Any) -> Order:
    return Order(action=action, totalQuantity=D(size), orderType="MKT", **changes)


def limit(price: float, action: str = "BUY", size: str = "100", **changes: Any) -> Order:
    return Order(action=action, totalQuantity=D(size), orderType="LMT", lmtPrice=price, **changes)


class Desk:
    """One gateway and its first client, started."""

    def __init__(self, seed: int = 7, server_version: int = MAX_CLIENT_VERSION, **settings: Any) -> None:
        self.gateway = Gateway(seed, **settings)
        self.session = self.gateway.connect("first", server_version)
        self.session.receive(o.StartApi(clientId=1))
        self.hello = self.session.take()

    def ask(self, *messages: Any) -> list[Any]:
        """What comes at once."""
        for message in messages:
            self.session.receive(message)
        return self.session.take()

    def run(self, seconds: float = 2.0) -> list[Any]:
        """What comes as time goes by."""
        self.gateway.advance(self.gateway.clock.now_ns + int(seconds * NS_PER_S))
        return self.session.take()

    def join(self, clientId: int, key: str = "second") -> ClientSession:
        session = self.gateway.connect(key, MAX_CLIENT_VERSION)
        session.receive(o.StartApi(clientId=clientId))
        return session


def names(messages: list[Any]) -> list[str]:
    return [type(message).__name__ for message in messages]


def only(kind: type[Any], messages: list[Any]) -> list[Any]:
    return [message for message in messages if type(message) is kind]


def errors(messages: list[Any]) -> list[tuple[int, int]]:
    return [(message.id, message.errorCode) for message in only(i.Error, messages)]


def statuses(messages: list[Any]) -> list[str]:
    seen = [message.status for message in only(i.OrderStatus, messages)]
    return [status for index, status in enumerate(seen) if index == 0 or seen[index - 1] != status]


# ---------------------------------------------------------------------------------------------- connecting


def test_on_connect_list() -> None:
    hello = Desk().hello
    assert names(hello) == ["ManagedAccounts", "NextValidId", "Error", "Error", "Error"]
    assert hello[0].accountsList == ACCOUNT and hello[1].orderId == 1
    assert errors(hello) == [(-1, 2104), (-1, 2106), (-1, 2158)]
    assert hello[2].errorTime == 1772461800000


def test_nothing_but_start_api_before_start_api() -> None:
    gateway = Gateway()
    session = gateway.connect("early", 200)
    assert session.outbox == []
    session.receive(o.ReqMktData(4, stock()))
    assert errors(session.take()) == [(4, 321)]
    session.receive(o.StartApi(clientId=0))
    session.take()
    session.receive(o.StartApi(clientId=0))
    assert errors(session.take()) == [(-1, 321)]


def test_client_id_in_use() -> None:
    desk = Desk()
    second = desk.join(1)
    assert errors(second.take()) == [(-1, 326)]
    assert second.closed and second not in desk.gateway.sessions
    assert "CurrentTime" in names(desk.ask(o.ReqCurrentTime()))
    desk.session.close()
    assert names(desk.join(1, "third").take())[0] == "ManagedAccounts"


def test_keys_are_unique_while_connected() -> None:
    desk = Desk()
    with pytest.raises(ValueError, match="connected already"):
        desk.gateway.connect("first", 200)
    desk.session.close()
    desk.gateway.connect("first", 200)


def test_accounts_of_a_login() -> None:
    desk = Desk(accounts=("DU0000001", "DU0000002"))
    assert desk.hello[0].accountsList == "DU0000001,DU0000002"
    answer = desk.ask(o.ReqAccountSummary(1, "All", "NetLiquidation"))
    assert [(m.account, m.value) for m in only(i.AccountSummary, answer)] == [
        ("DU0000001", "1000000.00"),
        ("DU0000002", "1000000.00"),
    ]
    with pytest.raises(ValueError, match="at least one"):
        Gateway(accounts=())


def test_own_open_orders_are_replayed_on_connect() -> None:
    desk = Desk()
    desk.ask(o.PlaceOrder(5, stock(), limit(150.0)))
    desk.run()
    desk.session.close()
    other, same = desk.join(2, "other"), desk.join(1, "again")
    assert only(i.OpenOrder, other.take()) == []
    hello = same.take()
    assert names(hello)[-2:] == ["OpenOrder", "OrderStatus"]
    assert (hello[-2].orderId, hello[-1].status, hello[1].orderId) == (5, "Submitted", 6)


# ---------------------------------------------------------------------------------------------- contracts


def test_contract_details() -> None:
    answer = Desk().ask(o.ReqContractDetails(9, stock()))
    assert names(answer) == ["ContractData", "ContractDetailsEnd"]
    details = answer[0].contractDetails
    assert (answer[0].reqId, answer[1].reqId) == (9, 9)
    assert (details.contract.conId, details.contract.localSymbol, details.minTick) == (265598, "AAPL", 0.01)
    assert details.contract.primaryExchange == "NASDAQ" and "SMART" in details.validExchanges


def test_unknown_contracts_get_200_wherever_they_are_named() -> None:
    desk = Desk()
    nowhere = stock("NOSUCH1")
    requests = (o.ReqContractDetails(1, nowhere), o.ReqMktData(2, nowhere), o.ReqSecDefOptParams(3, "NOSUCH1"))
    assert errors(desk.ask(*requests)) == [(1, 200), (2, 200), (3, 200)]
    desk.ask(o.PlaceOrder(4, nowhere, market()))
    assert errors(desk.run()) == [(4, 200)]


def test_an_ambiguous_contract_is_listed_but_not_quoted() -> None:
    desk = Desk()
    future = Contract(symbol="ES", secType="FUT", exchange="CME", currency="USD")
    answer = desk.ask(o.ReqContractDetails(1, future))
    assert len(only(i.ContractData, answer)) > 1
    assert errors(desk.ask(o.ReqMktData(2, future))) == [(2, 200)]


def test_a_remembered_contract_id_still_resolves() -> None:
    found = Desk().ask(o.ReqContractDetails(1, stock("ZZTOP")))[0].contractDetails.contract
    fresh = Desk()
    assert names(fresh.ask(o.ReqContractDetails(1, found))) == ["ContractData", "ContractDetailsEnd"]
    found.conId += 1
    assert errors(fresh.ask(o.ReqContractDetails(2, found))) == [(2, 200)]


def test_search_chains_rules_and_exchange_map() -> None:
    desk = Desk()
    samples = desk.ask(o.ReqMatchingSymbols(1, "apple"))[0]
    assert [d.contract.symbol for d in samples.contractDescriptions] == ["AAPL"]
    chain = desk.ask(o.ReqSecDefOptParams(2, "AAPL", "", "STK", 265598))
    assert names(chain)[-1] == "SecurityDefinitionOptionParameterEnd"
    assert chain[0].exchange == "SMART" and chain[0].strikes == sorted(chain[0].strikes) != []
    rule = desk.ask(o.ReqMarketRule(26))[0]
    assert [(p.lowEdge, p.increment) for p in rule.priceIncrements] == [(0.0, 0.01)]
    params = only(i.TickReqParams, desk.ask(o.ReqMktData(3, stock())))[0]
    parts = desk.ask(o.ReqSmartComponents(4, params.bboExchange))[0].smartComponents
    assert "NASDAQ" in [part.exchange for part in parts]
    assert len({part.exchangeLetter for part in parts}) == len(parts)
    assert errors(desk.ask(o.ReqMarketRule(99), o.ReqSmartComponents(5, "?"))) == [(-1, 321), (5, 321)]


# ---------------------------------------------------------------------------------------------- market data


def test_a_line_begins_with_what_is_known_and_goes_on() -> None:
    desk = Desk()
    start = desk.ask(o.ReqMktData(3, stock()))
    assert names(start)[:2] == ["TickReqParams", "MarketDataType"]
    first = {tick.tickType: tick.price for tick in only(i.TickPrice, start)}
    assert {NUMBERS[name] for name in ("BID", "ASK", "LAST", "HIGH", "LOW", "CLOSE", "OPEN")} == set(first)
    assert first[1] < first[2]
    ticks = desk.run(10)
    assert len(ticks) > 50 and {m.reqId for m in ticks} == {3}
    assert {"TickPrice", "TickSize", "TickString"} == set(names(ticks))
    assert all(m.price * 100 == pytest.approx(round(m.price * 100)) for m in only(i.TickPrice, ticks))


def test_a_cancelled_line_is_silent_and_its_id_free() -> None:
    desk = Desk()
    desk.ask(o.ReqMktData(3, stock()))
    assert errors(desk.ask(o.ReqMktData(3, stock("MSFT")))) == [(3, 102)]
    assert desk.ask(o.CancelMktData(3)) == []
    assert desk.run(5) == []
    assert errors(desk.ask(o.CancelMktData(3))) == [(3, 300)]
    assert errors(desk.ask(o.ReqMktData(3, stock("MSFT")))) == []


def test_a_snapshot_ends() -> None:
    desk = Desk()
    assert errors(desk.ask(o.ReqMktData(1, stock(), "233", snapshot=True))) == [(1, 414)]
    assert "TickPrice" in names(desk.ask(o.ReqMktData(2, stock(), snapshot=True)))
    assert names(desk.run(5)) == ["TickSnapshotEnd"]
    assert errors(desk.ask(o.CancelMktData(2))) == [(2, 300)]


def test_generic_ticks() -> None:
    desk = Desk(ticks_per_s=100)
    start = desk.ask(o.ReqMktData(1, stock(), "mdoff,233,221,236"))
    assert NUMBERS["SHORTABLE"] in [m.tickType for m in only(i.TickGeneric, start)]
    ticks = desk.run(3)
    volumes = [m.value.split(";") for m in only(i.TickString, ticks) if m.tickType == NUMBERS["RT_VOLUME"]]
    assert volumes and all(len(parts) == 6 for parts in volumes)
    totals = [D(parts[3]) for parts in volumes]
    assert all(
        later - earlier == D(parts[1]) for earlier, later, parts in zip(totals, totals[1:], volumes[1:], strict=False)
    )
    assert NUMBERS["MARK_PRICE"] in [m.tickType for m in only(i.TickPrice, ticks)]


def test_market_data_lines_are_limited() -> None:
    desk = Desk()
    answers = desk.ask(*(o.ReqMktData(n, stock()) for n in range(MAX_LINES + 1)))
    assert errors(answers) == [(MAX_LINES, 101)]


def test_an_old_client_is_not_sent_what_it_cannot_know() -> None:
    answer = Desk(server_version=100).ask(o.ReqMktData(1, stock()))
    assert "TickReqParams" not in names(answer) and names(answer)[0] == "MarketDataType"


# ---------------------------------------------------------------------------------------------- orders


def test_market_order_from_placement_to_commission() -> None:
    desk = Desk()
    assert desk.ask(o.PlaceOrder(1, stock(), market(orderRef="mine", parentId=0))) == []
    flow = desk.run()
    assert names(flow)[:3] == ["OpenOrder", "OrderStatus", "ExecDetails"]
    assert statuses(flow) in (["PreSubmitted", "Filled"], ["PreSubmitted", "Submitted", "Filled"])
    fills, reports = only(i.ExecDetails, flow), only(i.CommissionAndFeesReport, flow)
    assert {fill.reqId for fill in fills} == {-1}
    assert sum(fill.execution.shares for fill in fills) == 100 and fills[-1].execution.cumQty == 100
    assert [fill.execution.execId for fill in fills] == [r.commissionAndFeesReport.execId for r in reports]
    for fill, report in zip(fills, reports, strict=True):
        assert flow.index(fill) < flow.index(report)
    done = only(i.OrderStatus, flow)[-1]
    assert (done.orderId, done.clientId, done.filled, done.remaining) == (1, 1, D(100), D(0))
    opened = only(i.OpenOrder, flow)[-1]
    assert (opened.order.permId, opened.order.account, opened.order.orderRef) == (done.permId, ACCOUNT, "mine")
    assert opened.orderState.status == "Filled" and opened.contract.conId == 265598
    assert fills[0].execution.side == "BOT" and fills[0].execution.orderRef == "mine"
    assert desk.ask(o.ReqIds(1))[0].orderId == 2


def test_limit_order_rests_and_is_cancelled() -> None:
    desk = Desk()
    desk.ask(o.PlaceOrder(1, stock(), limit(150.0)))
    flow = desk.run()
    assert names(flow) == ["OpenOrder", "OrderStatus"] * 2
    assert statuses(flow) == ["PreSubmitted", "Submitted"]
    assert flow[0].order.lmtPrice == 150.0 and flow[0].order.tif == "DAY"
    assert names(desk.ask(o.ReqOpenOrders())) == ["OpenOrder", "OrderStatus", "OpenOrderEnd"]
    desk.ask(o.CancelOrder(1))
    flow = desk.run()
    assert names(flow) == ["OrderStatus", "OrderStatus", "Error"]
    assert statuses(flow) == ["PendingCancel", "Cancelled"] and errors(flow) == [(1, 202)]
    assert names(desk.ask(o.ReqOpenOrders())) == ["OpenOrderEnd"]
    done = desk.ask(o.ReqCompletedOrders())
    assert names(done) == ["CompletedOrder", "CompletedOrdersEnd"]
    assert (done[0].orderState.status, done[0].order.permId) == ("Cancelled", flow[0].permId)
    desk.ask(o.CancelOrder(1), o.CancelOrder(77))
    assert errors(desk.run()) == [(77, 10147), (1, 10148)]


def test_modify_tells_the_new_price() -> None:
    desk = Desk()
    desk.ask(o.PlaceOrder(1, stock(), limit(150.0)))
    desk.run()
    desk.ask(o.PlaceOrder(1, stock(), limit(151.0)))
    flow = desk.run()
    assert names(flow) == ["OpenOrder", "OrderStatus"] and flow[0].order.lmtPrice == 151.0


def test_refused_orders() -> None:
    desk = Desk()
    desk.ask(
        o.PlaceOrder(1, stock(), market(orderRef="x", account="DU0000009")),
        o.PlaceOrder(2, stock(), limit(150.001)),
        o.PlaceOrder(3, stock(), Order(action="BUY", totalQuantity=D(1), orderType="FEELINGS")),
        o.PlaceOrder(4, stock(), Order(action="BUY", orderType="MKT")),
    )
    flow = desk.run()
    assert sorted(errors(flow)) == [(1, 321), (2, 110), (3, 321), (4, 434)]
    assert names(flow) == ["Error"] * 4
    assert errors(desk.ask(o.PlaceOrder(5, stock(), market(size="1E+900000")))) == [(5, 321)]


def test_what_if_estimates_and_leaves_nothing() -> None:
    desk = Desk()
    desk.ask(o.PlaceOrder(1, stock(), market(whatIf=True)))
    flow = desk.run()
    assert names(flow) == ["OpenOrder"]
    state = flow[0].orderState
    assert D(state.initMarginBefore) + D(state.initMarginChange) == D(state.initMarginAfter) > 0
    assert state.commissionAndFees == 1.0 and state.commissionAndFeesCurrency == "USD"
    assert names(desk.ask(o.ReqOpenOrders(), o.ReqCompletedOrders())) == ["OpenOrderEnd", "CompletedOrdersEnd"]


def test_orders_belong_to_their_client() -> None:
    desk = Desk()
    other = desk.join(2)
    other.take()
    desk.ask(o.PlaceOrder(1, stock(), limit(150.0)))
    desk.run()
    assert other.take() == []
    other.receive(o.CancelOrder(1))
    other.receive(o.ReqOpenOrders())
    desk.gateway.advance(desk.gateway.clock.now_ns + NS_PER_S)
    assert names(other.take()) == ["OpenOrderEnd", "Error"]
    other.receive(o.ReqAllOpenOrders())
    assert names(other.take()) == ["OpenOrder", "OrderStatus", "OpenOrderEnd"]
    other.receive(o.ReqGlobalCancel())
    assert statuses(desk.run()) == ["PendingCancel", "Cancelled"]


def test_orders_live_on_while_their_client_is_away() -> None:
    desk = Desk()
    desk.ask(o.PlaceOrder(1, stock(), market()))
    desk.session.close()
    desk.run()
    again = desk.join(1, "again")
    again.take()
    again.receive(o.ReqExecutions(5))
    answer = again.take()
    assert sum(m.execution.shares for m in only(i.ExecDetails, answer)) == 100
    assert {m.reqId for m in only(i.ExecDetails, answer)} == {5}
    assert names(answer)[-2:] == ["CommissionAndFeesReport", "ExecDetailsEnd"]


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        (ExecutionFilter(), 100),
        (ExecutionFilter(clientId=1, symbol="AAPL", secType="STK", side="BUY"), 100),
        (ExecutionFilter(time="20260302 14:29:00"), 100),
        (ExecutionFilter(time="20260302-14:59:00"), 0),
        (ExecutionFilter(side="SELL"), 0),
        (ExecutionFilter(clientId=3), 0),
        (ExecutionFilter(acctCode="DU0000002"), 0),
        (ExecutionFilter(specificDates=[20260301]), 0),
    ],
)
def test_execution_filters(wanted: ExecutionFilter, expected: int) -> None:
    desk = Desk()
    desk.ask(o.PlaceOrder(1, stock(), market()))
    desk.run()
    answer = desk.ask(o.ReqExecutions(5, wanted))
    assert sum(m.execution.shares for m in only(i.ExecDetails, answer)) == expected
    assert names(answer)[-1] == "ExecDetailsEnd"


def test_execution_times_follow_the_version() -> None:
    for version, pattern in ((172, "20260302  14:30:0"), (173, "20260302 14:30:0")):
        desk = Desk(server_version=version)
        desk.ask(o.PlaceOrder(1, stock(), market()))
        execution = only(i.ExecDetails, desk.run())[0].execution
        assert execution.time.startswith(pattern) and execution.time.endswith("UTC") == (version == 173)


# ---------------------------------------------------------------------------------------------- account


def test_account_updates_then_changes_after_a_fill() -> None:
    desk = Desk()
    start = desk.ask(o.ReqAccountUpdates(True, ""))
    kinds = names(start)
    assert kinds[-2:] == ["UpdateAccountTime", "AccountDownloadEnd"] and set(kinds[:-2]) == {"UpdateAccountValue"}
    assert start[-1].accountName == ACCOUNT
    desk.ask(o.PlaceOrder(1, stock(), market()))
    later = desk.run()
    line = only(i.UpdatePortfolio, later)[-1]
    assert (line.position, line.contract.symbol, line.accountName) == (D(100), "AAPL", ACCOUNT)
    cash = [m for m in only(i.UpdateAccountValue, later) if m.key == "TotalCashValue"]
    assert D(cash[-1].val) < 1_000_000
    desk.ask(o.ReqAccountUpdates(False, ""))
    desk.ask(o.PlaceOrder(2, stock(), market()))
    assert "UpdateAccountValue" not in names(desk.run(400))
    again = desk.ask(o.ReqAccountUpdates(True, ACCOUNT))
    assert only(i.UpdatePortfolio, again)[0].position == 200
    assert errors(desk.ask(o.ReqAccountUpdates(True, "DU0000009"))) == [(-1, 321)]


def test_summary_tags_limit_and_cancel() -> None:
    desk = Desk()
    answer = desk.ask(o.ReqAccountSummary(1, "All", "NetLiquidation,BuyingPower,Nonsense"))
    assert [m.tag for m in answer[:-1]] == ["NetLiquidation", "BuyingPower"] and answer[-1] == i.AccountSummaryEnd(1)
    desk.ask(o.ReqAccountSummary(2, "All", "$LEDGER"))
    assert errors(desk.ask(o.ReqAccountSummary(3, "All", "NetLiquidation"))) == [(3, 322)]
    desk.ask(o.CancelAccountSummary(1))
    assert errors(desk.ask(o.ReqAccountSummary(3, "All", "NetLiquidation"))) == []
    assert errors(desk.ask(o.ReqAccountSummary(4, "Friends", "NetLiquidation"))) == [(4, 321)]


def test_positions_follow_fills_until_cancelled() -> None:
    desk = Desk()
    assert names(desk.ask(o.ReqPositions())) == ["PositionEnd"]
    desk.ask(o.PlaceOrder(1, stock(), market()))
    assert only(i.Position, desk.run())[-1].position == 100
    desk.ask(o.PlaceOrder(2, stock(), market("SELL")))
    assert only(i.Position, desk.run())[-1].position == 0
    desk.ask(o.CancelPositions())
    desk.ask(o.PlaceOrder(3, stock(), market()))
    assert only(i.Position, desk.run()) == []
    answer = desk.ask(o.ReqPositionsMulti(7, ACCOUNT))
    assert names(answer) == ["PositionMulti", "PositionMultiEnd"] and answer[0].pos == 100


def test_account_updates_multi() -> None:
    desk = Desk()
    answer = desk.ask(o.ReqAccountUpdatesMulti(4, ACCOUNT, "", True))
    assert answer[-1] == i.AccountUpdateMultiEnd(4)
    assert {"NetLiquidation", "CashBalance"} <= {m.key for m in answer[:-1]}
    assert "BuyingPower" not in {m.key for m in answer[:-1]}


def test_profit_and_loss_streams() -> None:
    desk = Desk()
    start = desk.ask(o.ReqPnL(1, ACCOUNT), o.ReqPnLSingle(2, ACCOUNT, "", 265598))
    assert names(start) == ["Pnl", "PnlSingle"] and start[1].pos == 0 and start[1].dailyPnL is None
    desk.ask(o.ReqMktData(3, stock()), o.PlaceOrder(1, stock(), market()))
    flow = desk.run(30)
    total, single = only(i.Pnl, flow)[-1], only(i.PnlSingle, flow)[-1]
    assert single.pos == 100 and single.dailyPnL == pytest.approx(total.dailyPnL, abs=0.02)
    desk.ask(o.CancelPnL(1), o.CancelPnLSingle(2))
    assert not {"Pnl", "PnlSingle"} & set(names(desk.run(30)))


# ---------------------------------------------------------------------------------------------- the rest


def test_every_request_has_an_answer_or_a_reason_for_none() -> None:
    placed = {*_HANDLERS, *refusals.REFUSED, *refusals.SILENT, o.StartApi}
    assert placed == set(o.CLASSES.values())
    assert len(_HANDLERS) + len(refusals.REFUSED) + len(refusals.SILENT) + 1 == len(placed)


@pytest.mark.parametrize("kind", refusals.REFUSED, ids=lambda kind: kind.__name__)
def test_what_is_not_done_is_refused_under_its_own_id(kind: Callable[..., Any]) -> None:
    message = kind()
    name = next((name for name in ("reqId", "tickerId") if hasattr(message, name)), None)
    if name is not None:
        setattr(message, name, 41)
    answer = Desk().ask(message)
    code = refusals.REFUSED[type(message)][0]
    assert errors(answer) == [(41 if name else -1, code)] and answer[0].errorMsg
    assert lookup(code).cls in ("H", "E")


def test_what_the_codec_cannot_place_is_answered() -> None:
    assert errors(Desk().ask(object())) == [(-1, 321)]


def test_small_requests() -> None:
    desk = Desk()
    desk.run(1.5)
    answer = desk.ask(o.ReqCurrentTime(), o.ReqCurrentTimeInMillis(), o.ReqManagedAccts(), o.ReqFamilyCodes())
    assert answer[:3] == [i.CurrentTime(1772461801), i.CurrentTimeInMillis(1772461801500), i.ManagedAccounts(ACCOUNT)]
    assert answer[3].familyCodes[0].accountID == ACCOUNT
    assert errors(desk.ask(o.ReqAutoOpenOrders(True), o.ReqMarketDataType(9))) == [(-1, 327), (-1, 321)]
    assert desk.ask(o.ReqMarketDataType(3), o.SetServerLogLevel(5)) == []


def a_session(seed: int) -> list[Any]:
    desk = Desk(seed)
    out = desk.hello
    out += desk.ask(o.ReqAccountUpdates(True, ""), o.ReqMktData(1, stock()), o.ReqMktData(2, stock("QQQ"), "233"))
    out += desk.run(1)
    out += desk.ask(o.PlaceOrder(1, stock(), market()), o.PlaceOrder(2, stock("QQQ"), limit(475.6, "SELL")))
    for _ in range(20):
        out += desk.run(0.25)
    out += desk.ask(o.CancelOrder(2), o.ReqExecutions(3), o.ReqCompletedOrders())
    return out + desk.run(2)


def test_a_seed_decides_every_message() -> None:
    first = a_session(11)
    assert first == a_session(11)
    assert first != a_session(12)
    assert len(first) > 200
