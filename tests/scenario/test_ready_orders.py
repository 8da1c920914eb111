"""The ready scenarios about orders, each met by a client on virtual time: the messages, in their order."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from ibwire.sim.direct import Direct, DirectClient
from ibwire.types import incoming as i
from ibwire.types import outgoing as o
from ibwire.types.structs import OrderCancel

from .drive import after, order, place, start, word, words

UNSET = 1.7976931348623157e308
RESTING = ["PreSubmitted 1", "Submitted 1"]


def resting(desk: Direct, client: DirectClient, orderId: int = 1) -> None:
    """A limit order that works and does not fill."""
    place(client, orderId, order(limit=120.0))
    assert after(desk, client, 1.0)[-2:] == [f"PreSubmitted {orderId}", f"Submitted {orderId}"]


def test_fill_without_status() -> None:
    desk, client = start("fill-without-status")
    client.messages()
    place(client, 1, order())
    assert after(desk, client, 2.0) == ["PreSubmitted 1", "exec 1 100", "commission"]
    assert desk.gateway.trading_account.position(265598) == 100


def test_status_before_execution() -> None:
    desk, client = start("status-before-execution")
    client.messages()
    place(client, 1, order())
    assert after(desk, client, 2.0) == ["PreSubmitted 1", "Filled 1", "exec 1 100", "commission"]


def test_stale_status() -> None:
    desk, client = start("stale-status")
    client.messages()
    place(client, 1, order())
    desk.advance(2.0)
    messages = client.messages()
    assert [w for w in words(messages) if w != "commission"] == [
        *("PreSubmitted 1", "PreSubmitted 1", "exec 1 100", "Filled 1", "Filled 1", "Submitted 1", "Submitted 1")[:6]
    ]
    stale: Any = [m for m in messages if isinstance(m, i.OrderStatus)][-1]
    assert (stale.status, stale.filled, stale.remaining) == ("Submitted", 0, 100)
    client.ask(o.ReqCompletedOrders())
    done = [m.orderState.status for m in client.messages() if isinstance(m, i.CompletedOrder)]
    assert done == ["Filled"]


def test_silent_placement() -> None:
    desk, client = start("silent-placement")
    client.messages()
    place(client, 1, order(limit=120.0))
    assert after(desk, client, 60.0) == []
    place(client, 2, order(limit=120.0))
    assert after(desk, client, 1.0) == ["PreSubmitted 2", "Submitted 2"]


def test_cancel_text_first() -> None:
    desk, client = start("cancel-text-first")
    resting(desk, client)
    client.ask(o.CancelOrder(1, OrderCancel()))
    assert after(desk, client, 1.0) == ["PendingCancel 1", "error 202 for 1", "Cancelled 1"]


def test_late_fill() -> None:
    desk, client = start("late-fill")
    resting(desk, client)
    client.ask(o.CancelOrder(1, OrderCancel()))
    said = after(desk, client, 1.0)
    assert said[:4] == ["PendingCancel 1", "Cancelled 1", "error 202 for 1", "exec 1 40"]
    assert said[-1] == "commission"
    assert desk.gateway.trading_account.position(265598) == 40


def test_modify_refused() -> None:
    desk, client = start("modify-refused")
    resting(desk, client)
    place(client, 1, order(limit=121.0))
    assert after(desk, client, 1.0) == ["error 201 for 1"]
    client.ask(o.ReqOpenOrders())
    (found,) = [m for m in client.messages() if isinstance(m, i.OpenOrder)]
    assert (found.orderState.status, found.order.lmtPrice) == ("Submitted", 120.0)


def test_cancel_refused() -> None:
    desk, client = start("cancel-refused")
    resting(desk, client)
    said = []
    for _ in range(6):
        client.ask(o.CancelOrder(1, OrderCancel()))
        said += after(desk, client, 1.0)
    refusals = [f"error {code} for 1" for code in (10147, 10148, 161, 136, 135)]
    assert said == [*refusals, "PendingCancel 1", "Cancelled 1", "error 202 for 1"]


def test_harmless_warnings() -> None:
    desk, client = start("harmless-warnings")
    client.messages()
    place(client, 1, order(limit=120.0))
    said = after(desk, client, 1.0)
    assert [w for w in said if "error" in w] == ["error 399 for 1", "error 404 for 1", "error 10349 for 1"]
    assert [w for w in said if "error" not in w] == RESTING


def test_executions_never_end() -> None:
    desk, client = start("executions-never-end")
    resting(desk, client)
    place(client, 2, order())
    desk.advance(2.0)
    client.leave()
    again = desk.client(225, 1)
    desk.advance(0.1)
    assert words(again.messages(), opens=True)[-2:] == ["openOrder", "Submitted 1"]
    again.ask(o.ReqExecutions(9))
    said = after(desk, again, 60.0)
    assert {word.split()[0] for word in said} == {"exec", "commission"}


@pytest.mark.parametrize("version", [176, 225])
def test_read_only(version: int) -> None:
    desk, client = start("read-only", version)
    client.messages()
    place(client, 5, order())
    client.ask(o.CancelOrder(5, OrderCancel()), o.ReqOpenOrders())
    assert after(desk, client, 1.0) == ["error 321"] * 3


def test_execution_corrected() -> None:
    desk, client = start("execution-corrected")
    client.messages()
    place(client, 1, order())
    assert after(desk, client, 1.0)[-2:] == ["exec 1 100", "Filled 1"]
    assert after(desk, client, 1.5) == ["commission"]
    desk.advance(1.5)
    messages = [m for m in client.messages() if isinstance(m, i.ExecDetails)]
    (corrected,) = messages
    assert corrected.execution.execId.endswith(".02") and corrected.execution.price == 187.40
    assert corrected.execution.shares == corrected.execution.cumQty == 100
    client.ask(o.ReqExecutions(3))
    asked = [m.execution.execId for m in client.messages() if isinstance(m, i.ExecDetails)]
    assert asked == [corrected.execution.execId]


def test_late_perm_id() -> None:
    desk, client = start("late-perm-id")
    client.messages()
    place(client, 1, order(limit=120.0))
    desk.advance(2.0)
    status = [m for m in client.messages() if isinstance(m, i.OrderStatus)]
    assert [(m.status, bool(m.permId)) for m in status] == [
        *(("PreSubmitted", False), ("Submitted", False), ("Submitted", True))
    ]


def test_manual_orders() -> None:
    desk, client = start("manual-orders", clientId=0)
    other = desk.client(225, 4)
    other.messages()
    client.messages()
    assert after(desk, client, 3.0) == ["PreSubmitted 0", "Submitted 0", "PreSubmitted 0", "Submitted 0"]
    assert words(other.messages()) == []
    client.ask(o.ReqOpenOrders())
    messages = client.messages()
    bound = {m.permId: m.orderId for m in messages if isinstance(m, i.OrderBound)}
    opened = {m.order.permId: m.orderId for m in messages if isinstance(m, i.OpenOrder)}
    assert bound == opened and set(bound.values()) == {-1, -2}
    other.ask(o.ReqOpenOrders())
    assert words(other.messages()) == ["openOrderEnd"]
    other.ask(o.ReqAllOpenOrders())
    assert words(other.messages()) == ["Submitted -1", "Submitted -2", "openOrderEnd"]


def test_bracket_too_fast() -> None:
    desk, client = start("bracket-too-fast")
    client.messages()
    place(client, 1, order(limit=120.0, transmit=False))
    place(client, 2, order("SELL", limit=250.0, parentId=1, transmit=False))
    place(client, 3, order("SELL", orderType="STP", auxPrice=100.0, parentId=1, transmit=True))
    said = after(desk, client, 1.0)
    assert said[0] == "error 10006 for 2" and "Submitted 1" in said
    assert [w for w in said if w.endswith((" 2", " 3"))][1:] == ["PreSubmitted 3"]


def test_oca_overfill() -> None:
    desk, client = start("oca-overfill")
    client.messages()
    for orderId in (1, 2):
        place(client, orderId, order(limit=120.0 + orderId, ocaGroup="pair", ocaType=3))
    said = after(desk, client, 3.0)
    assert [w for w in said if w.startswith("exec")] == ["exec 1 100", "exec 2 100"]
    assert {"Filled 1", "Filled 2"} <= set(said)
    assert desk.gateway.trading_account.position(265598) == 200


@pytest.mark.parametrize("version", [176, 225])
def test_unset_numbers(version: int) -> None:
    desk, client = start("unset-numbers", version)
    client.messages()
    place(client, 1, order(size="0.5"))
    desk.advance(2.0)
    messages = client.messages()
    opened: Any = next(m for m in messages if isinstance(m, i.OpenOrder))
    assert opened.order.auxPrice is None and opened.order.minQty is None and opened.orderState.commissionAndFees is None
    fills: list[Any] = [m.execution.shares for m in messages if isinstance(m, i.ExecDetails)]
    assert sum(fills) == Decimal("0.5")
    report = next(m for m in messages if isinstance(m, i.CommissionAndFeesReport))
    assert report.commissionAndFeesReport.realizedPNL == UNSET


def test_what_if_twice() -> None:
    desk, client = start("what-if-twice")
    client.messages()
    place(client, 1, order(whatIf=True))
    desk.advance(1.0)
    first, second = client.messages()
    assert isinstance(first, i.OpenOrder) and isinstance(second, i.OpenOrder)
    assert first.orderState.warningText and not first.orderState.initMarginAfter
    assert not second.orderState.warningText and float(second.orderState.initMarginAfter) > 0


def test_what_if_rejected() -> None:
    desk, client = start("what-if-rejected")
    client.messages()
    place(client, 1, order(whatIf=True))
    assert after(desk, client, 5.0, opens=True) == ["error 201 for 1"]


def test_many_accounts() -> None:
    desk, client = start("many-accounts")
    assert isinstance(first := client.messages()[0], i.ManagedAccounts)
    assert first.accountsList.split(",") == ["DU0000001", "DU0000002", "DU0000003"]
    place(client, 1, order())
    assert after(desk, client, 1.0) == ["error 435 for 1"]
    place(client, 2, order(account="DU0000002"))
    said = after(desk, client, 2.0)
    assert said[0] == "PreSubmitted 2" and "Filled 2" in said
    place(client, 3, order(account="DU0000002", faGroup="All"))
    assert after(desk, client, 2.0) == ["error 201 for 3"]
    assert [account.position(265598) for account in desk.gateway.accounts.values()] == [0, 100, 0]


def test_reordered_messages() -> None:
    desk, client = start("reordered-messages")
    client.messages()
    place(client, 1, order())
    assert after(desk, client, 2.0, opens=True) == [
        *("openOrder", "PreSubmitted 1", "openOrder", "Filled 1", "exec 1 100", "commission")
    ]


def test_words_name_every_kind() -> None:
    assert word(i.OpenOrderEnd()) == "openOrderEnd"
