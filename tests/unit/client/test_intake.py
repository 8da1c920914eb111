"""What comes in, sorted, whatever its order; entries made by the real codec."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import pytest

from ibwire.client.intake import Intake, Pending
from ibwire.errors import MarketDataError, RequestError, SessionLost
from ibwire.spec.orderstates import State
from ibwire.trade.orders import OrderTable
from ibwire.types import incoming
from ibwire.types.structs import Contract, Order
from ibwire.wire.codec import Codec, Role


@dataclass
class Entry:
    kind: int
    payload: bytes
    recv_ns: int = 10
    flags: int = 0
    seq: int = 1


class World:
    def __init__(self, version: int = 225) -> None:
        self.gateway = Codec(version, Role.GATEWAY)
        self.table = OrderTable(1)
        self.intake = Intake(Codec(version, Role.CLIENT), self.table)

    def __call__(self, *messages: Any) -> None:
        for message in messages:
            self.intake.take(Entry(message.MSG_ID, self.gateway.encode(message)))

    def expect(self, reqId: int | None = 9, **kw: Any) -> Pending:
        return self.intake.expect(reqId, Pending((incoming.Position, incoming.AccountSummary), None, **kw))

    def place(self, order_id: int = 5) -> Any:
        order = Order(orderId=order_id, action="BUY", totalQuantity=Decimal(10), orderType="MKT")
        return self.table.on_place(order_id, Contract(symbol="AAPL"), order, 1)


def error(id: int, code: int, text: str = "x") -> incoming.Error:
    return incoming.Error(id=id, errorCode=code, errorMsg=text)


def test_what_a_session_begins_with() -> None:
    world = World()
    world(incoming.ManagedAccounts("DU0000001,DU0000002,"), incoming.NextValidId(7))
    assert world.intake.accounts == ["DU0000001", "DU0000002"]
    assert world.intake.next_order_id == 7
    world(incoming.NextValidId(3))
    assert world.intake.next_order_id == 7, "ids that may have been used do not come again"
    assert world.intake.last_message == "nextValidId"


def test_answers_go_to_their_request_until_its_end() -> None:
    world = World()
    first = world.intake.expect(9, Pending((incoming.AccountSummary,), incoming.AccountSummaryEnd))
    second = world.intake.expect(10, Pending((incoming.AccountSummary,), incoming.AccountSummaryEnd))
    world(
        incoming.AccountSummary(9, "DU0000001", "A", "1", ""),
        incoming.AccountSummary(10, "DU0000001", "B", "2", ""),
        incoming.AccountSummaryEnd(9),
        incoming.AccountSummary(9, "DU0000001", "C", "3", ""),
    )
    assert ([item.tag for item in first.items], first.done) == (["A"], True)
    assert ([item.tag for item in second.items], second.done) == (["B"], False)
    world.intake.forget(10, second)
    world(incoming.AccountSummaryEnd(10))
    assert not second.done


def test_answers_without_an_id_go_to_who_asked() -> None:
    world = World()
    asked = world.intake.expect(None, Pending((incoming.Position,), incoming.PositionEnd))
    world(incoming.Position("DU0000001", Contract(conId=1), Decimal(3), 1.0), incoming.PositionEnd())
    assert (len(asked.items), asked.done) == (1, True)


@pytest.mark.parametrize(("is_market", "kind"), [(False, RequestError), (True, MarketDataError)])
def test_an_error_ends_the_request_it_names(is_market: bool, kind: type[RequestError]) -> None:
    world = World()
    pending = world.expect(is_market=is_market)
    world(error(9, 200, "no security definition"))
    assert type(pending.error) is kind
    assert pending.error.code == 200
    assert pending.error.reqId == 9


def test_a_notice_ends_nothing() -> None:
    world = World()
    pending = world.expect(is_market=True)
    world(error(9, 10167, "delayed data"), error(-1, 2104, "farm"))
    assert pending.error is None
    assert pending.notices == [(10167, "delayed data")]
    assert world.intake.notices == [(2104, "farm")]


def test_an_error_with_an_orders_id_goes_to_the_order() -> None:
    world = World()
    view = world.place()
    world(error(5, 201, "rejected"))
    assert view.state is State.REJECTED
    assert world.intake.notices == []


def test_order_messages_reach_the_table() -> None:
    world = World()
    view = world.place()
    world(incoming.OrderStatus(orderId=5, status="Submitted", filled=Decimal(0), remaining=Decimal(10), clientId=1))
    assert view.state is State.WORKING
    assert view.wire_status == "Submitted"


@pytest.mark.parametrize("version", [176, 225])
def test_an_order_message_that_cannot_be_read_makes_orders_uncertain(version: int) -> None:
    world = World(version)
    view = world.place()
    payload = world.gateway.encode(incoming.OrderStatus(orderId=5, status="Submitted", clientId=1))
    world.intake.take(Entry(3, payload[:9]))
    assert view.state is State.UNCERTAIN
    assert world.intake.bad == 1


def test_other_messages_that_cannot_be_read_are_counted_only() -> None:
    world = World(176)
    view = world.place()
    world.intake.take(Entry(63, b"63\x001\0"))
    world.intake.take(Entry(0, b"nonsense"))
    world.intake.take(Entry(0, b"9999\0x\0"))
    assert view.state is State.SENT
    assert world.intake.bad == 2


def test_connectivity() -> None:
    world = World()
    view = world.place()
    world(incoming.OrderStatus(orderId=5, status="Submitted", filled=Decimal(0), remaining=Decimal(10), clientId=1))
    world(error(-1, 1100, "lost"))
    assert "1100" in world.intake.broker_lost
    assert view.is_live, "the outage says nothing about an order"
    world(error(-1, 1102, "restored"))
    assert world.intake.broker_lost == ""
    assert world.intake.wants_refresh
    assert view.is_uncertain


def test_the_end_of_the_session_ends_what_waits() -> None:
    world = World()
    waiting, shared = world.expect(9), world.expect(None)
    over = world.intake.expect(10, Pending((), None))
    over.done = True
    lost = SessionLost("gone")
    world.intake.fail_all(lost)
    assert (waiting.error, shared.error, over.error) == (lost, lost, None)


def test_notices_do_not_fill_memory() -> None:
    world = World()
    for number in range(1100):
        world(error(-1, 2104, str(number)))
    assert len(world.intake.notices) == 1000
    assert world.intake.notices[-1] == (2104, "1099")
