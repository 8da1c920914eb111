"""EClient on a link without a socket: connecting, the loop, requests and what cannot be sent."""

from __future__ import annotations

import inspect
from decimal import Decimal
from typing import Any

import pytest

from ibwire.compat._requests import NAMED_WHEN_NOT_CONNECTED, SEND_FAILED, Requests
from ibwire.compat.client import EClient
from ibwire.compat.common import WshEventData
from ibwire.compat.contract import Contract
from ibwire.compat.execution import ExecutionFilter
from ibwire.compat.order import Order
from ibwire.compat.order_cancel import OrderCancel
from ibwire.compat.scanner import ScannerSubscription
from ibwire.compat.tag_value import TagValue
from ibwire.errors import ConnectError, ProtocolError, SessionLost
from ibwire.spec.registry import OUTGOING
from tests.unit.compat.links import App, FakeLink, at_gateway, from_gateway

METHODS = sorted(name for name in vars(Requests) if not name.startswith("_"))


def test_connect_starts_the_api_then_acknowledges() -> None:
    app = App()
    assert not app.isConnected() and app.serverVersion() is None
    app.setConnectOptions("+PACEAPI")
    app.setOptionalCapabilities("x")
    app.connect("localhost", 4002, 7)
    assert app.opened_with == ("localhost", 4002, "+PACEAPI")
    assert app.isConnected() and app.serverVersion() == 225
    assert app.twsConnectionTime() == "20260102 09:30:00 UTC"
    (start,) = [at_gateway(payload) for payload in app.link.sent]
    assert (start.clientId, start.optionalCapabilities) == (7, "x")
    assert app.names() == ["connectAck"]


def test_connect_twice_is_an_error() -> None:
    app = App().connected()
    app.connect("localhost", 4002, 7)
    assert app.codes() == [(-1, 501)] and app.isConnected() and app.link.sent == []


def test_a_failed_connect_is_reported() -> None:
    class Refused(App):
        def _ibwire_open(self, host: str, port: int, options: str) -> FakeLink:
            raise ConnectError("nothing listens there")

    app = Refused()
    app.connect("localhost", 4002, 7)
    assert app.codes() == [(-1, 502)] and not app.isConnected()
    assert "nothing listens there" in app.heard[0][1][3]


@pytest.mark.parametrize("what", ["host", "options", "capabilities"])
def test_a_character_that_cannot_be_sent_is_reported(what: str) -> None:
    app = App()
    if what == "options":
        app.setConnectOptions("é")
    if what == "capabilities":
        app.setOptionalCapabilities("é")
    app.connect("é" if what == "host" else "localhost", 4002, 7)
    assert app.codes() == [(-1, 579)] and not app.isConnected()


def test_disconnect_closes_once() -> None:
    app = App().connected()
    app.disconnect()
    app.disconnect()
    assert app.names() == ["connectionClosed"]
    assert app.link.closed == 1 and not app.isConnected() and app.serverVersion() is None


def test_run_delivers_in_order_until_the_gateway_closes() -> None:
    app = App().connected()
    app.link.arriving.extend([from_gateway("nextValidId", orderId=n) for n in (1, 2, 3)])
    app.run()
    assert app.heard == [("nextValidId", (n,)) for n in (1, 2, 3)] + [("connectionClosed", ())]
    assert not app.isConnected() and app.link.closed == 1


def test_run_ends_when_a_callback_disconnects() -> None:
    class Quits(App):
        def nextValidId(self, orderId: int) -> None:
            super().nextValidId(orderId)
            self.disconnect()

    app = Quits().connected()
    app.link.arriving.extend([from_gateway("nextValidId", orderId=n) for n in (1, 2)])
    app.run()
    assert app.names() == ["nextValidId", "connectionClosed"]


def test_after_a_disconnect_in_a_callback_nothing_of_what_was_taken_is_delivered() -> None:
    class Quits(App):
        def nextValidId(self, orderId: int) -> None:
            super().nextValidId(orderId)
            if orderId == 2:
                self.disconnect()

        def msgLoopRec(self) -> None:
            self.heard.append(("msgLoopRec", ()))

    app = Quits().connected()
    app.link.arriving.extend([from_gateway("nextValidId", orderId=n) for n in (1, 2, 3, 4)])
    app.run()
    assert app.names() == ["nextValidId", "msgLoopRec", "nextValidId", "connectionClosed", "msgLoopRec"]


def test_given_up_market_data_is_told_once_a_second_at_most() -> None:
    app = App().connected()
    app.link.lost = 5
    app.link.arriving.extend([from_gateway("nextValidId", orderId=1), None, from_gateway("nextValidId", orderId=2)])
    app.run()
    told = [args for name, args in app.heard if name == "error"]
    assert [(args[0], args[2]) for args in told] == [(-1, 0)]
    assert told[0][3].startswith("5 messages of market data")


def test_ctrl_c_in_a_callback_loses_nothing_of_what_was_taken() -> None:
    class Interrupted(App):
        def nextValidId(self, orderId: int) -> None:
            super().nextValidId(orderId)
            if orderId == 2:
                raise KeyboardInterrupt

    app = Interrupted().connected()
    app.link.arriving.extend([from_gateway("nextValidId", orderId=n) for n in (1, 2, 3, 4)])
    app.run()
    assert [args[0] for name, args in app.heard if name == "nextValidId"] == [1, 2, 3, 4]


def test_a_callback_that_connects_anew_gets_what_the_new_connection_brings() -> None:
    class Returns(App):
        def nextValidId(self, orderId: int) -> None:
            super().nextValidId(orderId)
            if orderId == 1:
                self.disconnect()
                self.link = FakeLink(200)
                self.link.arriving.append(from_gateway("nextValidId", 200, orderId=7))
                self.connect("localhost", 4002, 7)

    app = Returns().connected()
    app.link.arriving.extend([from_gateway("nextValidId", orderId=n) for n in (1, 2)])
    app.run()
    assert [args[0] for name, args in app.heard if name == "nextValidId"] == [1, 7]


def test_run_without_a_connection_returns() -> None:
    app = App()
    app.run()
    assert app.heard == []


def test_a_program_can_connect_again_after_the_end() -> None:
    app = App().connected()
    for n in (1, 2):
        app.run()
        app.link = FakeLink(100 + n)
        app.connect("localhost", 4002, 7)
        assert app.isConnected() and app.serverVersion() == 100 + n
    app.disconnect()
    assert app.names().count("connectionClosed") == 3


def test_the_loop_tells_of_time_and_messages() -> None:
    class Loop(App):
        def msgLoopTmo(self) -> None:
            self.heard.append(("msgLoopTmo", ()))

        def msgLoopRec(self) -> None:
            self.heard.append(("msgLoopRec", ()))

    app = Loop().connected()
    app.link.arriving.extend([None, from_gateway("nextValidId", orderId=1)])
    app.run()
    assert app.names() == ["msgLoopTmo", "nextValidId", "msgLoopRec", "connectionClosed"]


def test_an_exception_of_the_program_ends_run_and_goes_through() -> None:
    class Faulty(App):
        def nextValidId(self, orderId: int) -> None:
            raise ZeroDivisionError

    app = Faulty().connected()
    app.link.arriving.append(from_gateway("nextValidId", orderId=1))
    with pytest.raises(ZeroDivisionError):
        app.run()
    assert app.names() == ["connectionClosed"] and app.link.closed == 1


def test_ctrl_c_is_told_and_ends_the_loop_at_the_sixth_time() -> None:
    class Stubborn(App):
        def keyboardInterrupt(self) -> None:
            self.heard.append(("keyboardInterrupt", ()))

    app = Stubborn().connected()
    app.link.arriving.extend([KeyboardInterrupt()] * 6)
    with pytest.raises(SystemExit):
        app.run()
    assert app.names() == ["keyboardInterrupt"] * 6 + ["connectionClosed"]


def test_lost_framing_is_reported_with_its_reason() -> None:
    app = App().connected()
    app.link.arriving.append(ProtocolError("a frame of 16777216 bytes"))
    app.run()
    assert app.codes() == [(-1, 507)] and "16777216" in app.heard[0][1][3]
    assert app.names()[-1] == "connectionClosed"


def test_without_a_connection_every_request_says_so() -> None:
    app = App()
    for name in METHODS:
        getattr(app, name)(*arguments(name))
    ids = {name: 3 if name in NAMED_WHEN_NOT_CONNECTED else -1 for name in METHODS}
    assert app.codes() == [(ids[name], 504) for name in METHODS]


def arguments(name: str) -> list[Any]:
    """Something valid for each parameter of a request method."""
    objects = (Contract, Order, OrderCancel, ExecutionFilter, ScannerSubscription, WshEventData)
    made: dict[str, Any] = {cls.__name__: cls() for cls in objects}
    made |= {"int": 3, "str": "7", "bool": True, "float": 1.5, "list[TagValue] | None": [TagValue("a", "b")]}
    made["OrderCancel | None"] = OrderCancel()
    made["Order"].totalQuantity = Decimal(1)
    parameters = list(inspect.signature(getattr(Requests, name)).parameters.values())[1:]
    return [made[p.annotation] for p in parameters]


@pytest.mark.parametrize("server_version", [200, 202, 225])
def test_every_request_sends_its_message(server_version: int) -> None:
    app = App(FakeLink(server_version)).connected()
    app.extraAuth = True
    sent = []
    for name in METHODS:
        getattr(app, name)(*arguments(name))
        sent += [type(at_gateway(payload, server_version)).__name__ for payload in app.link.sent]
        app.link.sent.clear()
    expected = [name[0].upper() + name[1:] for name in METHODS]
    if server_version == 225:
        assert sent == expected, app.heard
    else:
        assert sent and set(sent) < set(expected)
        assert [code for _, code in app.codes()] == [503] * (len(METHODS) - len(sent)), app.heard


@pytest.mark.parametrize(
    ("server_version", "name", "code"),
    [
        (176, "verifyRequest", 545),  # the official client has this one's code wrong in text
        (225, "verifyRequest", 544),
        (176, "verifyAndAuthRequest", 551),
        (225, "verifyAndAuthRequest", 551),
    ],
)
def test_requests_to_be_verified_need_extra_auth(server_version: int, name: str, code: int) -> None:
    app = App(FakeLink(server_version)).connected()
    getattr(app, name)(*arguments(name))
    assert app.codes() == [(-1, code)] and "extraAuth" in app.heard[0][1][3] and app.link.sent == []
    app.extraAuth = True
    getattr(app, name)(*arguments(name))
    assert len(app.link.sent) == 1 and len(app.codes()) == 1


def test_every_row_has_its_method_and_its_code() -> None:
    rows = {row.name for row in OUTGOING.values()}
    assert set(METHODS) == rows - {"startApi", "reqConfig", "updateConfig"}
    assert set(SEND_FAILED) == set(METHODS) | {"startApi"}


def test_a_request_carries_its_values() -> None:
    app = App().connected()
    contract = Contract()
    contract.symbol, contract.secType, contract.currency = "AAPL", "STK", "USD"
    app.reqMktData(3, contract, "233", False, False, None)
    (got,) = [at_gateway(payload) for payload in app.link.sent]
    assert (got.reqId, got.contract.symbol, got.genericTickList, got.snapshot) == (3, "AAPL", "233", False)


def test_what_the_gateway_is_too_old_for_is_503_with_its_id() -> None:
    app = App(FakeLink(150)).connected()
    app.reqUserInfo(4)
    order = Order()
    order.totalQuantity, order.manualOrderTime = Decimal(1), "20260102-09:30:00"
    app.placeOrder(8, Contract(), order)
    assert app.codes() == [(4, 503), (8, 503)] and app.link.sent == []
    assert "manualOrderTime" in app.heard[1][1][3]


@pytest.mark.parametrize(
    ("method", "values", "code", "named"),
    [
        ("placeOrder", (5, None, Order()), 512, "contract"),
        ("placeOrder", (5, Contract(), "BUY"), 512, "order"),
        ("reqMktData", (5, "AAPL", "", False, False, None), 510, "contract"),
        ("reqExecutions", (5, None), 514, "execFilter"),
        ("cancelOrder", (5, 20260102), 515, "orderCancel"),
        ("reqContractDetails", (2**40, Contract()), 518, "reqId"),
    ],
)
def test_what_cannot_be_encoded_has_the_official_code_and_names_the_argument(
    method: str, values: tuple[Any, ...], code: int, named: str
) -> None:
    app = App().connected()
    getattr(app, method)(*values)
    assert app.codes() == [(values[0], code)]
    assert named in app.heard[0][1][3] and app.link.sent == []


def test_a_cancel_needs_no_order_cancel() -> None:
    app = App().connected()
    app.cancelOrder(5, None)
    app.reqGlobalCancel(None)
    assert [type(at_gateway(p)).__name__ for p in app.link.sent] == ["CancelOrder", "ReqGlobalCancel"]


def test_a_connection_that_breaks_while_sending_has_the_code_of_the_request() -> None:
    class Breaks(FakeLink):
        broken = False

        def send(self, payload: bytes) -> None:
            if self.broken:
                raise SessionLost("the connection broke")
            super().send(payload)

    link = Breaks()
    app = App(link).connected()
    link.broken = True
    app.placeOrder(6, Contract(), Order())
    assert app.codes() == [(6, 512)] and "broke" in app.heard[0][1][3]


def test_requests_work_from_inside_a_callback() -> None:
    class Asks(App):
        def nextValidId(self, orderId: int) -> None:
            self.reqCurrentTime()

    app = Asks().connected()
    app.link.arriving.append(from_gateway("nextValidId", orderId=1))
    app.run()
    assert [type(at_gateway(p)).__name__ for p in app.link.sent] == ["ReqCurrentTime"]


def test_wrapper_and_client_may_be_two_objects() -> None:
    app = App()
    client = EClient(app)
    client.reqIds(1)
    assert app.codes() == [(-1, 504)]
