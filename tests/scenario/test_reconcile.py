"""What a client finds when it connects: scenarios of the simulated gateway, and programs that come back."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from ibwire.client import Client
from ibwire.client.modifying import ModifyOutcome
from ibwire.errors import ConnectError, OrderError
from ibwire.spec.orderstates import State
from ibwire.testing import SimGateway, sim_gateway
from ibwire.trade.reconcile import Difference, Kind
from ibwire.types.builders import bracket
from ibwire.types.constructors import limit, market, stock

Life = Callable[..., Client]


@pytest.fixture
def gateway() -> Iterator[SimGateway]:
    with sim_gateway(seed=3) as running:
        yield running


@pytest.fixture
def life(gateway: SimGateway, tmp_path: Path) -> Life:
    def connect(**settings: Any) -> Client:
        return gateway.connect(**{"state_dir": str(tmp_path), **settings})

    return connect


def resting(ib: Client, size: int = 10) -> int:
    return ib.orders.place(ib.qualify(stock("AAPL")), limit("BUY", size, 1.0)).wait("live").order_id


def only(ib: Client) -> Difference:
    (found,) = ib.differences
    return found


def test_nothing_happened_meanwhile(life: Life) -> None:
    ib = life()
    number = resting(ib)
    ib.close()
    again = life()
    assert again.differences == []
    order = again.orders.get(number)
    assert order is not None and order.is_live and order.perm_id


def test_missing_here(life: Life) -> None:
    ib = life(state_dir=None)  # nothing is left of this life
    number = resting(ib)
    ib.close()
    again = life()
    found = only(again)
    assert (found.kind, found.order_id, found.client_id) == (Kind.MISSING_HERE, number, 1)
    assert (found.ours, found.theirs, found.done) == ("", "working, 0 executed", "taken into the table")
    order = again.orders.get(number)
    assert order is not None and order.is_live
    order.cancel()
    assert order.wait("done").state is State.CANCELLED


def test_missing_there(life: Life, gateway: SimGateway) -> None:
    gateway.rule({"request": "placeOrder"}, {"drop": True})
    ib = life()
    order = ib.orders.place(ib.qualify(stock("AAPL")), limit("BUY", 10, 1.0))
    ib.close()
    again = life()
    found = only(again)
    assert (found.kind, found.order_id) == (Kind.MISSING_THERE, order.order_id)
    assert found.theirs == "found nowhere"
    assert "nothing was cancelled, nothing sent again" in found.done
    lost = again.orders.get(order.order_id)
    assert lost is not None and lost.is_uncertain and lost.may_fill
    assert again.orders.open() == [lost]
    placed = [request for _, request in gateway.requests if request.NAME == "placeOrder"]
    assert len(placed) == 1
    anew = again.orders.place(again.qualify(stock("AAPL")), limit("BUY", 1, 1.0))
    assert anew.order_id > order.order_id


def test_quantity(life: Life, gateway: SimGateway) -> None:
    ib = life()
    number = resting(ib)
    ib.close()
    gateway.call(lambda world: world.force.fill(1, number, Decimal(4), Decimal(1)))
    again = life()
    kinds = [(found.kind, found.order_id, found.ours, found.theirs) for found in again.differences]
    assert (Kind.QUANTITY, number, "0", "4") in kinds
    assert {kind for kind, *_ in kinds} <= {Kind.QUANTITY, Kind.STATE}
    order = again.orders.get(number)
    assert order is not None and order.filled == 4 and order.is_live
    assert gateway.position(order.contract.conId) == 4


def test_state(life: Life, gateway: SimGateway) -> None:
    ib = life()
    number = resting(ib)
    ib.close()
    gateway.call(lambda world: world.force.cancel(1, number))
    again = life()
    found = only(again)
    assert (found.kind, found.order_id) == (Kind.STATE, number)
    assert (found.ours, found.theirs, found.done) == ("working", "cancelled", "taken over")
    assert not again.orders.open()


def test_unknown_owner(life: Life, gateway: SimGateway, tmp_path: Path) -> None:
    other = life(client_id=2, state_dir=str(tmp_path / "2"))
    number = resting(other)
    ib = life()
    assert (only(ib).kind, only(ib).client_id, only(ib).order_id) == (Kind.UNKNOWN_OWNER, 2, number)
    assert only(ib).theirs == "working, 0 executed"
    assert "told to its owner" in only(ib).done
    theirs = ib._core.table.get(number, 2)
    assert theirs is not None and theirs.is_live
    with pytest.raises(OrderError, match="belongs to client 2"):
        ib.orders.cancel(theirs)
    other.orders.cancel(number)
    other.orders.get(number).wait("done")  # type: ignore[union-attr]
    found = [one.kind for one in ib.reconcile()]
    assert found in ([Kind.MISSING_THERE], [Kind.STATE])
    assert not theirs.is_live, "an order that is no longer listed is not called live"


def test_an_order_typed_in_by_hand_has_an_unknown_owner(tmp_path: Path) -> None:
    with sim_gateway("manual-orders", speed=50) as gateway:
        gateway.wait_for(lambda: gateway.call(lambda world: len(world.engine.orders)) == 2)
        ib = gateway.connect(state_dir=str(tmp_path))
        assert [found.kind for found in ib.differences] == [Kind.UNKNOWN_OWNER] * 2
        manual = ib._core.table.by_perm_id(ib.differences[0].perm_id)
        assert manual is not None and manual.order_id == 0 and manual.is_live
        with pytest.raises(OrderError, match="order 0 belongs to client 0"):
            ib.orders.cancel(manual)
        assert len({found.perm_id for found in ib.differences}) == 2


def test_client_0_may_change_what_was_typed_in_by_hand(tmp_path: Path) -> None:
    with sim_gateway("manual-orders", speed=50) as gateway:
        gateway.wait_for(lambda: gateway.call(lambda world: len(world.engine.orders)) == 2)
        ib = gateway.connect(state_dir=str(tmp_path), client_id=0)
        assert [(one.kind, one.order_id, one.done) for one in ib.differences] == [
            (Kind.UNKNOWN_OWNER, -1, "taken into the table"), (Kind.UNKNOWN_OWNER, -2, "taken into the table"),
        ]  # fmt: skip
        bound = ib.orders.get(-1)
        assert bound is not None and bound.is_live
        assert bound.modify(lmtPrice=140.0).wait().outcome is ModifyOutcome.ACCEPTED
        bound.cancel()
        assert bound.wait("done").state is State.CANCELLED


def test_orders_of_an_earlier_life_can_be_changed_and_cancelled(life: Life) -> None:
    ib = life()
    placed = ib.orders.place_bracket(
        ib.qualify(stock("AAPL")), bracket("BUY", 5, 1.0, take_profit=500.0, stop_loss=0.5)
    )
    placed.parent.wait("live")
    ib.close()
    again = life()
    assert again.differences == []
    parent, profit, loss = (again.orders.get(order.order_id) for order in placed.orders)
    assert parent is not None and profit is not None and loss is not None
    assert [profit.parent_id, loss.parent_id] == [parent.order_id] * 2
    assert loss.modify(auxPrice=0.4).wait().outcome is ModifyOutcome.ACCEPTED
    parent.cancel()
    assert [order.wait("done").state for order in (parent, profit, loss)] == [State.CANCELLED] * 3


def test_two_live_perm_ids_under_one_order(life: Life, gateway: SimGateway) -> None:
    ib = life()
    order = ib.orders.place(ib.qualify(stock("AAPL")), limit("BUY", 10, 1.0, orderRef="swing")).wait("live")
    first = order.perm_id
    gateway.call(lambda world: world.force.perm_id(1, order.order_id, 7_000_001))
    found = ib.reconcile()
    shared = [(one.ours, one.theirs, one.done) for one in found if one.kind is Kind.SHARED_REFERENCE]
    both = f"permIds {first}, 7000001"
    done = "each is kept as an order of its own"
    assert shared == [(f"orderId 1/{order.order_id}", both, done), ("orderRef swing", both, done)]
    views = [view for view in ib._core.table if view.order_id == order.order_id]
    assert [view.perm_id for view in views] == [first, 7_000_001]
    assert views[1].is_live and views[0].may_fill and not views[0].is_live, "one of them is told of; both may fill"
    assert ib._core.table.get(order.order_id) is views[0]


def test_what_nobody_knows_is_held(life: Life, gateway: SimGateway) -> None:
    ib = life()
    known = resting(ib)
    status = {"orderId": 4711, "status": "Submitted", "filled": 0, "remaining": 5, "permId": 99, "clientId": 1}
    gateway.rule({"at_s": 0}, {"send": {"message": "orderStatus", "fields": status}})
    gateway.wait_for(lambda: ib._core.table.get(4711) is not None)
    held = ib.orders.get(4711)
    assert held is not None and held.may_fill and held.perm_id == 99
    assert held.is_live
    (found,) = ib.reconcile()  # the gateway's lists do not name it
    assert (found.kind, found.order_id, found.perm_id) == (Kind.MISSING_THERE, 4711, 99)
    assert held.is_uncertain and held in ib.orders.open()
    placed = ib.orders.place(ib.qualify(stock("AAPL")), limit("BUY", 1, 1.0)).order_id
    assert placed not in (known, 4711)


def test_a_perm_id_that_comes_late_joins_what_was_placed(tmp_path: Path) -> None:
    with sim_gateway("late-perm-id", seed=3) as gateway:
        ib = gateway.connect(state_dir=str(tmp_path))
        number = resting(ib)
        gateway.wait_for(lambda: ib.orders.get(number).perm_id)  # type: ignore[union-attr]
        ib.close()
        again = gateway.connect(state_dir=str(tmp_path))
        assert again.differences == []
        assert [view.order_id for view in again.orders.all()] == [number]


def test_an_id_that_the_gateway_offers_again_is_not_taken(tmp_path: Path) -> None:
    with sim_gateway("next-id-goes-down", speed=5) as gateway:
        ib = gateway.connect(state_dir=str(tmp_path))
        taken = [resting(ib) for _ in range(3)]
        assert ib._core.wait_until(lambda: ib._core.lost is not None, 30)
        ib.close()
        again = None
        while again is None:
            try:
                again = gateway.connect(state_dir=str(tmp_path))
            except ConnectError:
                pass
        assert again._core.intake.next_order_id == 1
        assert resting(again) > max(taken)


def test_positions_are_a_cross_check(life: Life, gateway: SimGateway) -> None:
    ib = life()
    contract = ib.qualify(stock("AAPL"))
    ib.orders.place(contract, market("BUY", 7)).wait("done")
    key = ib.accounts[0], contract.conId
    assert ib.reconcile(positions={key: 7}) == []
    (found,) = ib.reconcile(positions={key: 5})
    assert (found.kind, found.ours, found.theirs) == (Kind.POSITION, f"{key[0]} conId {key[1]}: 5", "7")
    assert found.done == "reported; the gateway's position counts"
    (found,) = ib.reconcile(positions={})
    assert found.theirs == "7"
    assert ib.reconcile() == []
    ib.close()  # what it sent is there then
    names = [request.NAME for _, request in gateway.requests]
    assert names.count("reqPositions") == names.count("cancelPositions") == 5  # connecting and reconcile() ask too


def own(found: list[Difference]) -> list[tuple[str, str]]:
    return [(one.ours, one.theirs) for one in found if one.kind is Kind.POSITION]


def test_positions_are_compared_with_the_last_list_and_the_executions_since(
    life: Life, gateway: SimGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ibwire.trade.positions.MOMENTS_NS", 0)  # here everything happens within moments
    ib = life()
    contract = ib.qualify(stock("AAPL"))
    ib.orders.place(contract, limit("BUY", 7, 1.0)).wait("live")
    assert ib.reconcile() == []  # the first list to count from
    account, number = ib.accounts[0], ib.orders.all()[0].order_id
    # While nobody listens: a fill that the list of executions has, and something that no execution explains.
    ib.close()
    gateway.server.gateway.force.fill(1, number, price=Decimal("1.00"))
    again = life()
    assert own(again.differences) == [], "the fill explains the position"
    again.close()
    position = gateway.server.gateway.accounts[account]._positions[contract.conId]
    position.quantity += 5  # as where an option was exercised: no execution tells of it
    third = life()
    ours = f"{account} conId {contract.conId}: 7 by the last list and the executions since"
    assert third._core.wait_until(lambda: bool(own(third.differences)), 20)
    assert own(third.differences) == [(ours, "12")]
    assert f"position of {ours}; the gateway says 12" in [text for _, text in third.notices]
    names = [request.NAME for _, request in gateway.requests]
    assert names[names.index("reqPositions") :].count("reqPositions") == 5, "what differs is asked for once more"
    assert own(third.reconcile()) == [], "counted from there"


def test_positions_in_what_others_are_known_to_trade_are_not_compared(life: Life) -> None:
    ib = life()
    contract = ib.qualify(stock("AAPL"))
    resting(ib)
    with life(client_id=2, state_dir=None) as other:
        resting(other)
        assert [one.kind for one in ib.reconcile()] == [Kind.UNKNOWN_OWNER]
        other.orders.place(contract, market("BUY", 5)).wait("done")
    assert own(ib.reconcile()) == []


def test_the_program_may_ask_for_positions_at_the_same_time(life: Life) -> None:
    ib = life()
    resting(ib)
    for _ in range(5):
        ib.orders.refresh()
        assert ib.positions(timeout=5) is not None
    assert ib.reconcile() == []
