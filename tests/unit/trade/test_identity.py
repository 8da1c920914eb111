from __future__ import annotations

import pytest

from ibwire.errors import ConfigError
from ibwire.spec.orderstates import State
from ibwire.trade.identity import Ids, MemoryIdStore, SharedReference
from ibwire.trade.orders import OrderTable
from tests.unit.trade.messages import CLIENT, execution, open_order, order, order_status, stock


def test_a_bracket_knows_its_members() -> None:
    table = OrderTable(CLIENT)
    parent = table.on_place(1, stock(), order(transmit=False), 0)
    children = [table.on_place(n, stock(), order(parentId=1, transmit=n == 3, ocaGroup="g"), 0) for n in (2, 3)]
    assert table.graph.children(parent) == children
    assert table.graph.parent(children[0]) is parent
    assert table.graph.parent(parent) is None
    assert table.graph.oca_group(children[0]) == [children[1]]
    assert table.graph.oca_group(parent) == []


def test_children_of_another_clients_parent_are_not_ours() -> None:
    table = OrderTable(CLIENT)
    ours = table.on_place(1, stock(), order(), 0)
    table.on_open_order(open_order(9, "Submitted", permId=90, clientId=5, parentId=1), 1)
    assert table.graph.children(ours) == []


def test_a_reference_comes_from_order_openorder_and_execution() -> None:
    table = OrderTable(CLIENT)
    placed = table.on_place(1, stock(), order(orderRef="mine"), 0)
    table.on_open_order(open_order(0, "Submitted", permId=8, clientId=0, orderRef="theirs"), 1)
    table.on_execution(execution(0, "x.01.01", 5, 1.0, permId=9, clientId=0, orderRef="third"), 2)
    assert table.graph.by_ref("mine") == [placed]
    assert [view.perm_id for view in (*table.graph.by_ref("theirs"), *table.graph.by_ref("third"))] == [8, 9]
    assert table.graph.by_ref("nobody's") == []


def test_two_live_perm_ids_under_one_reference_are_reported() -> None:
    table = OrderTable(CLIENT)
    table.on_place(7, stock(), order(orderRef="r"), 0)
    table.on_open_order(open_order(7, "Submitted", permId=70, orderRef="r"), 1)
    assert table.graph.shared_references() == []
    table.on_open_order(open_order(7, "Submitted", permId=71, orderRef="r"), 2)
    assert table.graph.shared_references() == [
        SharedReference("orderId", f"{CLIENT}/7", (70, 71)),
        SharedReference("orderRef", "r", (70, 71)),
    ]
    assert all(view.needs_query or view.is_live for view in table)
    table.on_order_status(order_status(7, "Cancelled", permId=71), 3)
    assert table.graph.shared_references() == []


def test_a_bound_order_keeps_what_it_was() -> None:
    table = OrderTable(0)
    table.on_open_order(open_order(0, "Submitted", permId=66, clientId=0), 0)
    held = table.by_perm_id(66)
    table.on_order_bound(order_status(-5, "", permId=66, clientId=0), 1)
    assert table.get(-5) is held
    assert held is not None
    assert (held.order_id, len(table)) == (-5, 1)
    table.on_error(-5, 10147, "not found", 2)
    assert held.is_uncertain
    assert table.on_error(-1, 1100, "lost", 3) is None


def test_ids_of_other_spellings_of_none_are_none() -> None:
    table = OrderTable(CLIENT)
    for unset in (0, 2147483647, 9223372036854775807):
        table.on_execution(execution(unset, f"x{unset}.01.01", 5, 1.0, permId=9), 0)
    assert [int(view.filled) for view in table] == [15]


def test_a_merge_keeps_references_and_group() -> None:
    table = OrderTable(CLIENT)
    table.on_open_order(open_order(0, "Submitted", permId=70, clientId=0, orderRef="r", ocaGroup="g", parentId=3), 0)
    view = table.on_place(7, stock(), order(), 1)
    table.on_order_status(order_status(7, "Submitted", permId=70), 2)
    assert (table.graph.by_ref("r"), view.oca_group, view.parent_id, len(table)) == ([view], "g", 3, 1)
    assert view.state is State.WORKING


# -- ids -----------------------------------------------------------------------------------------------------------


def test_a_lower_next_valid_id_changes_nothing() -> None:
    ids = Ids()
    ids.learn(50)
    assert [ids.reserve(), ids.reserve(3), ids.reserve()] == [50, 51, 54]
    ids.learn(10)
    assert ids.reserve() == 55
    ids.learn(100)
    assert ids.reserve() == 100


def test_ids_of_the_caller_are_never_given_out_again() -> None:
    ids = Ids()
    ids.use(10)
    assert ids.reserve() == 11
    for used in (4, 10, 11):
        with pytest.raises(ConfigError, match=f"{used} is not above 11, the highest"):
            ids.use(used)
    ids.use(12)
    assert ids.reserve() == 13


def test_ids_of_an_earlier_life_are_not_the_callers_either() -> None:
    ids = Ids(MemoryIdStore(300), used=40)  # 41 to 299: a block that a crash left
    with pytest.raises(ConfigError, match="not above 40"):
        ids.use(40)
    ids.use(41)
    assert ids.reserve() == 300


def test_what_the_gateway_passed_over_was_used_by_somebody() -> None:
    ids = Ids()
    ids.learn(70)
    with pytest.raises(ConfigError, match="not above 69"):
        ids.use(69)
    ids.use(70)


def test_the_ranges_are_chosen_by_what_the_gateway_names_first() -> None:
    ids = Ids(used=2_000_000)  # an order of an earlier life may be open under it
    assert ids.requests[0] == Ids.ORDER_LIMIT
    ids.learn(Ids.HIGH_GATEWAY + 1)
    assert ids.requests == (2_000_001, Ids.HIGH_GATEWAY)
    assert ids.take_request() == 2_000_001
    ids = Ids()
    request = ids.take_request()
    ids.learn(Ids.HIGH_GATEWAY + 1)
    assert ids.take_request() == request + 1
    assert ids.reserve() < request


def test_order_and_request_ids_never_meet() -> None:
    for gateway in (1, 5_000, Ids.HIGH_GATEWAY, Ids.HIGH_GATEWAY + 1, Ids.ORDER_LIMIT + 5):
        ids = Ids()
        ids.learn(gateway)
        requests = {ids.take_request() for _ in range(100)}
        orders = {ids.reserve() for _ in range(100)}
        assert not requests & orders
        assert len(requests) == len(orders) == 100
        assert min(orders) >= gateway


@pytest.mark.parametrize("order_id", [0, -4, 1 << 30, 2**31])
def test_an_id_that_cannot_be_an_orders(order_id: int) -> None:
    with pytest.raises(ConfigError, match="order id"):
        Ids().use(order_id)


def test_an_id_where_requests_are() -> None:
    ids = Ids()
    ids.learn(Ids.HIGH_GATEWAY + 1)
    with pytest.raises(ConfigError, match="request ids"):
        ids.use(Ids.LOW_REQUESTS + 7)


def test_the_end_of_the_ids_is_told() -> None:
    ids = Ids(MemoryIdStore(Ids.ORDER_LIMIT - 2))
    assert ids.reserve() == Ids.ORDER_LIMIT - 2
    with pytest.raises(ConfigError, match="used up"):
        ids.reserve(5)
    with pytest.raises(ConfigError, match="last"):
        ids.learn(2**31 - 1)
    with pytest.raises(ConfigError, match="reserved"):
        ids.reserve(0)


def test_an_order_without_any_id_is_held_once() -> None:
    table = OrderTable(CLIENT)
    for now in range(3):
        table.on_completed_order(open_order(0, "Cancelled", permId=0, clientId=0), now)
        table.on_completed_order(open_order(0, "Cancelled", permId=0, clientId=0, lmtPrice=1.0), now)
        table.on_order_status(order_status(0, "Submitted", permId=0, clientId=0), now)
    assert len(table) == 3


def test_a_perm_id_that_a_correction_brings_joins_what_was_held_under_it() -> None:
    table = OrderTable(CLIENT)
    view = table.on_place(7, stock(), order(), 0)
    table.on_execution(execution(7, "a.01.01", 100, 1.0, permId=0), 1)
    table.on_completed_order(open_order(0, "Filled", permId=70), 2)
    assert len(table) == 2
    table.on_execution(execution(7, "a.01.02", 0, 1.0, permId=70), 3)
    assert (len(table), table.by_perm_id(70), view.state, view.wire_status) == (1, view, State.FILLED, "Filled")
