"""The plain order table as an implementation for ``arrival``."""

from __future__ import annotations

from decimal import Decimal

from ibwire.spec.orderstates import State
from ibwire.trade.orders import OrderTable
from ibwire.trade.view import OrderView
from tests.unit.trade.arrival import Facts, Step
from tests.unit.trade.messages import CLIENT, stock


class Plain:
    def __init__(self, client_id: int = CLIENT) -> None:
        self.table = OrderTable(client_id)

    def apply(self, step: Step, now_ns: int) -> None:
        table, what = self.table, step.what
        match step.verb:
            case "place":
                table.on_place(step.order_id, stock(), what, now_ns)
            case "cancel":
                table.on_cancel_request(step.order_id, now_ns)
            case "openOrder":
                table.on_open_order(what, now_ns)
            case "orderStatus":
                table.on_order_status(what, now_ns)
            case "execDetails":
                table.on_execution(what, now_ns)
            case "commission":
                table.on_commission(what, now_ns)
            case "completedOrder":
                table.on_completed_order(what, now_ns)
            case "orderBound":
                table.on_order_bound(what, now_ns)
            case "error":
                table.on_error(step.order_id, what, step.text, now_ns)
            case "undecodable":
                table.on_undecodable(step.order_id or None, "broken", now_ns)
            case "deadline":
                table.check_deadlines(1 << 62)
            case "link_lost":
                table.on_link_lost("gone", now_ns)
            case "restored":
                table.on_restored("back", now_ns)
            case "send_failed":
                table.on_send_failed(step.order_id, now_ns, "broken", what)
            case "begin_snapshot":
                table.begin_snapshot(everyone=True)
            case "end_snapshot":
                table.end_snapshot(now_ns)
            case "listed":
                table.on_executions_listed([view for key in what if (view := table.get(key)) is not None])
            case "looked_up":
                table.on_looked_up(now_ns)
            case _:
                raise AssertionError(step.verb)

    def _view(self, key: int) -> OrderView:
        view = self.table.by_perm_id(-key) if key < 0 else self.table.get(key)
        assert view is not None
        return view

    def state(self, key: int) -> State:
        return self._view(key).state

    def facts(self, key: int) -> Facts:
        view = self._view(key)
        fees: dict[str, Decimal] = view.commission
        ids = frozenset(fill.exec_id for fill in view.executions)
        return Facts(view.filled, ids, tuple(sorted(fees.items())))

    def keys(self) -> int:
        return len(self.table)
