"""Rules at work: counting, times, chance, functions; client ids; what the ready scenarios do not reach."""

from __future__ import annotations

from typing import Any

import pytest

from ibwire.sim.direct import Direct
from ibwire.sim.director import Occasion
from ibwire.sim.scenario import Scenario
from ibwire.types import incoming as i
from ibwire.types import outgoing as o
from ibwire.types.structs import Contract, Order

AAPL = Contract(symbol="AAPL", secType="STK", exchange="SMART", currency="USD")
DROP = {"drop": True}


def answered(when: dict[str, Any], requests: int = 8, pause_s: float = 1.0, **options: Any) -> list[int]:
    """Which of so many reqCurrentTime, a second apart, are answered when the rule drops those that fit."""
    desk = Direct(Scenario().rule({"request": "reqCurrentTime", **when}, DROP), **options)
    client = desk.client()
    client.messages()
    found = []
    for number in range(1, requests + 1):
        client.ask(o.ReqCurrentTime())
        if client.messages():
            found.append(number)
        desk.advance(pause_s)
    return found


@pytest.mark.parametrize(
    ("when", "dropped"),
    [
        ({}, {1, 2, 3, 4, 5, 6, 7, 8}),
        ({"nth": 3}, {3}),
        ({"nth": [2, 5]}, {2, 5}),
        ({"from_nth": 6}, {6, 7, 8}),
        ({"times": 2}, {1, 2}),
        ({"from_nth": 3, "times": 2}, {3, 4}),
        ({"after_s": 3}, {4, 5, 6, 7, 8}),
        ({"before_s": 3}, {1, 2, 3}),
        ({"client": 1}, {1, 2, 3, 4, 5, 6, 7, 8}),
        ({"client": [2, 3]}, set()),
        ({"symbol": "AAPL"}, set()),
        ({"chance": 0}, set()),
        ({"chance": 100}, {1, 2, 3, 4, 5, 6, 7, 8}),
    ],
)
def test_when(when: dict[str, Any], dropped: set[int]) -> None:
    assert set(range(1, 9)) - set(answered(when)) == dropped


def test_chance_is_drawn_from_the_seed() -> None:
    runs = [answered({"chance": 50}, 40, 0.0, seed=seed) for seed in (1, 1, 2)]
    assert runs[0] == runs[1] != runs[2] and 5 < len(runs[0]) < 35


def test_at_s_again_and_again() -> None:
    desk = Direct(Scenario().rule({"at_s": 2, "every_s": 3, "times": 3}, {"error": {"code": 2100, "text": "again"}}))
    client = desk.client()
    seen = []
    for second in range(1, 15):
        desk.advance(1.0)
        seen += [second for m in client.messages() if isinstance(m, i.Error) and m.errorCode == 2100]
    assert seen == [2, 5, 8]


def test_a_function_decides_and_has_the_gateway_at_hand() -> None:
    seen: list[Occasion] = []

    def decide(occasion: Occasion) -> bool:
        seen.append(occasion)
        occasion.session.error(7, 2100, "from a function")  # type: ignore[union-attr]
        return len(seen) == 1

    desk = Direct(Scenario().rule({"request": "reqCurrentTime"}, decide))
    client = desk.client()
    client.messages()
    client.ask(o.ReqCurrentTime(), o.ReqCurrentTime())
    assert [type(m) for m in client.messages()] == [i.Error, i.Error, i.CurrentTime]
    assert seen[0].gateway is desk.gateway and isinstance(seen[0].message, o.ReqCurrentTime)


def test_an_action_that_cannot_be_done_is_noted_and_harms_nobody() -> None:
    desk = Direct(Scenario().rule({"request": "reqCurrentTime"}, [{"fill": 5, "order_id": 9}, {"bust": True}]))
    client = desk.client()
    client.ask(o.ReqCurrentTime())
    desk.advance(1.0)
    director = desk.gateway.director
    assert director is not None and len(director.notes) == 2 and "no order 9" in director.notes[0]
    assert isinstance(client.messages()[-1], i.CurrentTime) and not client.closed


def test_send_raw_and_delay() -> None:
    scenario = Scenario()
    scenario.rule({"request": "reqIds"}, [{"send": {"message": "nextValidId", "fields": {"orderId": 77}}}, DROP])
    scenario.rule({"message": "currentTime"}, {"delay_ms": 500})
    desk = Direct(scenario)
    client = desk.client()
    client.messages()
    client.ask(o.ReqIds(1), o.ReqCurrentTime())
    desk.advance(0.4)
    assert client.messages() == [i.NextValidId(77)]
    desk.advance(0.2)
    assert [type(m) for m in client.messages()] == [i.CurrentTime]
    desk = Direct(Scenario().rule({"event": "connect"}, {"raw": "00000002ffff"}))
    assert bytes(desk.client().received).endswith(b"\x00\x00\x00\x02\xff\xff")


def test_how_long_an_id_stays_taken() -> None:
    desk = Direct(client_id_hold_ns=5 * 10**9)

    def codes() -> list[int]:
        return [m.errorCode for m in desk.client().messages() if isinstance(m, i.Error)]

    first = desk.client()
    assert codes() == [326]  # in use
    first.leave(abrupt=True)
    assert codes() == [326]  # the gateway has not noticed yet
    desk.advance(5.0)
    again = desk.client()
    assert 326 not in [m.errorCode for m in again.messages() if isinstance(m, i.Error)]
    again.leave()
    assert 326 not in codes()  # properly closed: free at once


def test_a_restart_loses_what_was_not_transmitted() -> None:
    desk = Direct()
    client = desk.client()
    client.ask(o.PlaceOrder(1, AAPL, Order(action="BUY", totalQuantity=1, orderType="LMT", lmtPrice=120.0)))  # type: ignore[arg-type]
    held = Order(action="BUY", totalQuantity=1, orderType="LMT", lmtPrice=120.0, transmit=False)  # type: ignore[arg-type]
    client.ask(o.PlaceOrder(2, AAPL, held))
    desk.advance(1.0)
    desk.gateway.restart(10**9)
    desk.pump()
    assert client.closed and desk.gateway.is_down
    desk.advance(1.0)
    again = desk.client()
    assert [m.orderId for m in again.messages() if isinstance(m, i.OpenOrder)] == [1]


def test_the_master_client_hears_of_everybodys_orders() -> None:
    desk = Direct(master_client_id=9)
    client, master, other = (desk.client(225, clientId) for clientId in (1, 9, 2))
    client.ask(o.PlaceOrder(1, AAPL, Order(action="BUY", totalQuantity=1, orderType="MKT")))  # type: ignore[arg-type]
    desk.advance(2.0)
    assert any(isinstance(m, i.ExecDetails) and m.execution.clientId == 1 for m in master.messages())
    assert not any(isinstance(m, i.ExecDetails) for m in other.messages())


def test_a_request_that_cannot_be_read_is_answered_and_passed_over() -> None:
    from ibwire.wire.framing import frame

    desk = Direct()
    client = desk.client(176)
    client.messages()
    client.send_bytes(frame(b"3\x0045\x00x\x00"))
    client.ask(o.ReqCurrentTime())
    messages = client.messages()
    assert [(m.id, m.errorCode) for m in messages if isinstance(m, i.Error)] == [(-1, 320)]
    assert isinstance(messages[-1], i.CurrentTime) and not client.closed
    client.send_bytes(b"\xff\xff\xff\xff")
    assert [m.errorCode for m in client.messages()] == [320] and client.closed
