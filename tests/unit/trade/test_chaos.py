"""Anything, in any order, with ids missing, zeroed, shared and conflicting: no crash, no fill lost or counted twice."""

from __future__ import annotations

from random import Random
from types import SimpleNamespace

import pytest

from ibwire.spec.orderstates import WIRE_STATUSES
from ibwire.trade.orders import OrderTable
from tests.unit.trade.messages import CLIENT, commission, execution, open_order, order, order_status, stock

STATUSES = (*WIRE_STATUSES, "Zzz")
CODES = (201, 202, 104, 135, 161, 10147, 399, 100, 12345, 110)
PERM_OF = {7: 70, 8: 80, 0: 90}


def one_step(table: OrderTable, rng: Random, now: int, executions: dict[str, SimpleNamespace]) -> None:
    order_id = rng.choice([7, 7, 8, 0])
    perm_id = rng.choice([PERM_OF[order_id]] * 4 + [0]) if order_id else rng.choice([70, 80, 90])
    if rng.random() < 0.03:
        perm_id = 99  # a second order under the same order id
    ids = {"permId": perm_id, "clientId": rng.choice([CLIENT] * 30 + [0, 5])}
    own = order_id or 7
    match rng.randrange(10):
        case 0:
            wanted = order(rng.choice([50, 100, 150]), transmit=rng.random() < 0.8, parentId=rng.choice([0, 0, 7]))
            table.on_place(own, stock(), wanted, now)
        case 1:
            table.on_cancel_request(own, now)
        case 2:
            table.on_open_order(open_order(order_id, rng.choice(STATUSES), rng.choice([50, 100]), **ids), now)
        case 3 | 4:
            table.on_order_status(order_status(order_id, rng.choice(STATUSES), rng.choice([0, 10]), 90, **ids), now)
        case 5 | 6:
            exec_id = f"x.{rng.randrange(6)}.01"
            message = executions.setdefault(exec_id, execution(order_id, exec_id, 10, 1.5, **ids))
            table.on_execution(message, now)
        case 7:
            table.on_commission(commission(f"x.{rng.randrange(6)}.01", 0.1), now)
        case 8:
            table.on_error(rng.choice([7, 8, -1, 55]), rng.choice(CODES), "text", now)
        case _:
            blind_step(table, rng.randrange(5), rng, now)


def blind_step(table: OrderTable, which: int, rng: Random, now: int) -> None:
    if which == 0:
        table.on_link_lost("gone", now)
    elif which == 1:
        table.on_undecodable(rng.choice([None, 7]), "bad", now)
    elif which == 2:
        table.on_deadline(7, now)
    elif which == 3:
        table.on_reconnect(now)
    else:
        table.on_completed_order(open_order(0, "Cancelled", permId=rng.choice([70, 80, 90])), now)


@pytest.mark.parametrize("seed", range(300))
def test_chaos(seed: int) -> None:
    rng = Random(seed)
    table = OrderTable(CLIENT)
    executions: dict[str, SimpleNamespace] = {}
    for now in range(60):
        one_step(table, rng, now, executions)
    views = list(table)
    assert sum(view.exec_filled for view in views) == 10 * len(executions)
    for view in views:
        assert view.needs_query or not view.is_uncertain
        assert not view.perm_id or table.by_perm_id(view.perm_id) is view
        assert not view.order_id or table.get(view.order_id, view.client_id) in views
        assert repr(view)
        assert view.summary()
