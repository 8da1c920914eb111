"""Recorded order flow of live sessions, in its author's reduced notation, through the order table."""

from __future__ import annotations

import json
import os
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from ibwire.client.told import TwinTable, twin
from ibwire.spec.orderstates import State
from ibwire.trade.view import OrderView
from tests.unit.trade.compiled import entry

from .captures import CapturesMissing
from .oracle import REPOSITORY

CLIENT = 1
ENDS = {"Filled": State.FILLED, "Cancelled": State.CANCELLED, "Inactive": State.INACTIVE}
LIVE = {"PreSubmitted", "Submitted"}


def sequences() -> list[dict[str, Any]]:
    root = Path(os.environ.get("IBWIRE_CAPTURES") or REPOSITORY.parent / "shared" / "captures")
    file = root / "sequences.jsonl"
    if not file.exists():
        raise CapturesMissing(f"no sequences.jsonl in {root}: set IBWIRE_CAPTURES to the folder of the recordings")
    found = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    return [one for one in found if any(step.get("msg") == "place_order" for step in one["steps"])]


def names(args: dict[str, Any], **renamed: str) -> SimpleNamespace:
    return SimpleNamespace(**{field: args.get(name) for field, name in renamed.items()})


def order_of(args: dict[str, Any]) -> SimpleNamespace:
    return SimpleNamespace(
        clientId=CLIENT, permId=int(args.get("perm_id") or 0), whatIf=False, parentId=int(args.get("parent_id") or 0),
        totalQuantity=Decimal(args.get("quantity") or args.get("total_quantity") or 0),
        lmtPrice=float(args.get("lmt_price") or 0) or None, auxPrice=float(args.get("aux_price") or 0) or None,
        transmit=str(args.get("transmit", "1")) not in ("0", "false", "False"),
    )  # fmt: skip


def contract_of(args: dict[str, Any]) -> SimpleNamespace:
    fields = args.get("contract") or args
    return SimpleNamespace(secType=fields.get("sec_type", "STK"), symbol=fields.get("symbol", ""), conId=0)


class Player:
    """Feeds one sequence to a table; `told` is the last status of each order, `bought` its executions."""

    def __init__(self) -> None:
        self.table: TwinTable = twin(CLIENT)(CLIENT)
        self.told: dict[int, str] = {}
        self.bought: dict[int, Decimal] = {}
        self.now = 0

    def play(self, steps: list[dict[str, Any]]) -> None:
        for step in steps[:-1] if str(steps[-1].get("line", "")).startswith("disconnect") else steps:
            self.now += 1_000_000
            if step.get("line", "").startswith("disconnect"):
                self.table.on_reconnect(self.now)
            handler = getattr(self, f"on_{step.get('msg')}", None)
            if handler is not None:
                handler(step["args"])
                self.table.check()

    def say(self, verb: str, message: Any, order_id: int = 0, text: str = "") -> None:
        """The same message for the compiled machine."""
        header, payload = entry(verb, message, order_id, text, self.now)
        self.table.take(SimpleNamespace(header=header, payload=payload))

    def on_place_order(self, args: dict[str, Any]) -> None:
        self.table.on_place(int(args["order_id"]), contract_of(args), order_of(args), self.now)

    def on_cancel_order(self, args: dict[str, Any]) -> None:
        self.table.on_cancel_request(int(args["order_id"]), self.now)

    def on_open_order(self, args: dict[str, Any]) -> None:
        state = SimpleNamespace(status=args.get("status", ""), completedStatus="")
        order, order_id = order_of(args), int(args["order_id"])
        order.orderType = ""
        message = SimpleNamespace(orderId=order_id, contract=contract_of(args), order=order, orderState=state)
        self.say("openOrder", message)
        self.table.on_open_order(message, self.now)

    def on_order_status(self, args: dict[str, Any]) -> None:
        message = names(args, orderId="order_id", status="status", avgFillPrice="avg_fill_price", whyHeld="why_held")
        message.filled, message.remaining = Decimal(args["filled"]), Decimal(args["remaining"])
        message.permId, message.clientId = int(args.get("perm_id") or 0), CLIENT
        self.told[message.orderId] = message.status
        self.say("orderStatus", message)
        self.table.on_order_status(message, self.now)

    def on_execution_detail(self, args: dict[str, Any]) -> None:
        execution = names(args, orderId="order_id", execId="exec_id", side="side", time="time", acctNumber="account")
        execution.shares, execution.price = Decimal(args["shares"]), float(args["price"])
        execution.clientId, execution.permId = CLIENT, 0
        self.bought[execution.orderId] = self.bought.get(execution.orderId, Decimal(0)) + execution.shares
        message = SimpleNamespace(contract=contract_of(args), execution=execution)
        self.say("execDetails", message)
        self.table.on_execution(message, self.now)

    def on_commission_report(self, args: dict[str, Any]) -> None:
        report = SimpleNamespace(execId=args["exec_id"], commission=args["commission"], currency=args["currency"])
        self.say("commission", report)
        self.table.on_commission(report, self.now)

    def on_api_error(self, args: dict[str, Any]) -> None:
        order_id, code, text = int(args["req_id"]), int(args["code"]), args["message"]
        self.say("error", code, order_id, text)
        self.table.on_error(order_id, code, text, self.now)


@pytest.mark.parametrize("sequence", sequences(), ids=lambda one: str(one["name"]))
def test_a_recorded_life_ends_as_it_was_told(sequence: dict[str, Any]) -> None:
    player = Player()
    player.play(sequence["steps"])
    assert len(player.table) >= 1
    for view in player.table:
        status = player.told.get(view.order_id, "")
        assert view.filled >= player.bought.get(view.order_id, Decimal(0))
        assert fits(view, status), f"{view} after {status!r}: {[e.state for e in view.events]}"


def fits(view: OrderView, status: str) -> bool:
    if status in ENDS:
        return view.state is ENDS[status]
    if status in LIVE:
        return view.is_live
    return view.state in (State.REJECTED, State.SENT, State.FILLED) if not status else view.may_fill
