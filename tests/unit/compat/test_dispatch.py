"""Payloads become callbacks: only those that somebody hears, in order; bad payloads become error()."""

from __future__ import annotations

import logging
from collections.abc import Callable
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import pytest

from ibwire.compat.common import TickAttrib
from ibwire.compat.dispatch import Dispatcher
from ibwire.compat.wrapper import EWrapper, overridden
from ibwire.types import structs
from tests.unit.compat.links import Recorder, from_gateway

BID: dict[str, Any] = {"reqId": 9, "tickType": 1, "price": 187.41, "size": Decimal(300)}
VERSIONS = pytest.mark.parametrize("server_version", [100, 176, 205, 225])


Form = Callable[..., Dispatcher]


def plain(wrapper: Any, server_version: int, **settings: Any) -> Dispatcher:
    """A dispatcher without the compiled one, whatever is built."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("ibwire.compat.dispatch._compiled", lambda: None)
        return Dispatcher(wrapper, server_version, **settings)


FORMS = pytest.mark.parametrize("form", [Dispatcher, plain])


class Ticks(Recorder):
    def tickPrice(self, reqId: int, tickType: int, price: float, attrib: TickAttrib) -> None:
        self.heard.append(("tickPrice", (reqId, tickType, price, attrib)))

    def tickSize(self, reqId: int, tickType: int, size: Decimal) -> None:
        self.heard.append(("tickSize", (reqId, tickType, size)))


class SizesOnly(Recorder):
    tickSize = Ticks.tickSize


@VERSIONS
def test_a_price_is_followed_by_its_size(server_version: int) -> None:
    wrapper = Ticks()
    attrib = structs.TickAttrib(canAutoExecute=True)
    Dispatcher(wrapper, server_version).interpret(from_gateway("tickPrice", server_version, **BID, attrib=attrib))
    (first, price), second = wrapper.heard
    assert (first, price[:3]) == ("tickPrice", (9, 1, 187.41))
    assert type(price[3]) is TickAttrib and price[3].canAutoExecute
    assert second == ("tickSize", (9, 0, Decimal(300)))


def test_a_price_without_a_size_of_its_own_comes_alone() -> None:
    wrapper = Ticks()
    Dispatcher(wrapper, 225).interpret(from_gateway("tickPrice", **{**BID, "tickType": 9}))
    assert wrapper.names() == ["tickPrice"]


@VERSIONS
def test_only_what_is_overridden_is_called(server_version: int) -> None:
    wrapper = SizesOnly()
    Dispatcher(wrapper, server_version).interpret(from_gateway("tickPrice", server_version, **BID))
    assert wrapper.heard == [("tickSize", (9, 0, Decimal(300)))]


@VERSIONS
def test_a_message_that_nobody_hears_is_not_decoded(server_version: int) -> None:
    wrapper = Recorder()
    dispatcher = Dispatcher(wrapper, server_version)
    dispatcher.interpret(from_gateway("tickPrice", server_version, **BID))
    dispatcher.interpret(from_gateway("tickPrice", server_version, **BID)[:6])  # broken, but nobody asks
    dispatcher.interpret(from_gateway("nextValidId", server_version, orderId=4))
    assert wrapper.heard == [("nextValidId", (4,))]
    assert dispatcher.skipped == 2
    assert dispatcher.counts["tickPrice"] == 0 and dispatcher.counts["nextValidId"] == 1


@FORMS
def test_callbacks_set_on_the_object_count_from_the_next_payload_on(form: Form) -> None:
    wrapper: Any = Recorder()
    dispatcher = form(wrapper, 225)

    def hears(mark: str) -> Any:
        return lambda time: wrapper.heard.append((mark, (time,)))

    dispatcher.interpret(from_gateway("currentTime", time=1))
    wrapper.currentTime = hears("a")
    dispatcher.interpret(from_gateway("currentTime", time=2))
    wrapper.currentTime = hears("b")  # set again
    dispatcher.interpret(from_gateway("currentTime", time=3))
    del wrapper.currentTime
    dispatcher.interpret(from_gateway("currentTime", time=4))
    assert wrapper.heard == [("a", (2,)), ("b", (3,))]
    assert dispatcher.skipped == 2


@FORMS
def test_a_change_of_the_class_counts_after_a_refresh(form: Form) -> None:
    class Program(Recorder):
        pass

    wrapper = Program()
    dispatcher = form(wrapper, 225)
    dispatcher.interpret(from_gateway("currentTime", time=1))
    setattr(Program, "currentTime", lambda self, time: self.heard.append(("currentTime", (time,))))  # noqa: B010
    dispatcher.refresh()
    dispatcher.interpret(from_gateway("currentTime", time=2))
    assert wrapper.heard == [("currentTime", (2,))]


def test_who_overrides() -> None:
    official = type("EWrapper", (), {"__module__": "ibapi.wrapper", "tickSize": lambda *a: None})
    assert not overridden(EWrapper(), "tickSize") and not overridden(Recorder(), "tickSize")
    assert overridden(SizesOnly(), "tickSize")
    assert not overridden(type("Program", (official,), {})(), "tickSize")
    assert overridden(SimpleNamespace(tickSize=print), "tickSize")
    assert not overridden(SimpleNamespace(), "tickSize")
    assert overridden(EWrapper(), "error")  # an error is never lost


def test_one_callback_for_each_bar_then_the_end() -> None:
    class Bars(Recorder):
        def historicalData(self, reqId: int, bar: Any) -> None:
            self.heard.append(("historicalData", (reqId, bar.date)))

        def historicalDataEnd(self, reqId: int, start: str, end: str) -> None:
            self.heard.append(("historicalDataEnd", (reqId, start, end)))

    wrapper = Bars()
    bars = [structs.BarData(date="20260102"), structs.BarData(date="20260105")]
    payload = from_gateway("historicalData", 176, reqId=2, bars=bars, startDateStr="a", endDateStr="b")
    Dispatcher(wrapper, 176).interpret(payload)
    assert wrapper.heard == [
        ("historicalData", (2, "20260102")),
        ("historicalData", (2, "20260105")),
        ("historicalDataEnd", (2, "a", "b")),
    ]


@pytest.mark.parametrize("server_version", [176, 194, 225])
def test_errors_come_with_five_arguments(server_version: int) -> None:
    wrapper = Recorder()
    payload = from_gateway(
        "error", server_version, id=7, errorTime=1, errorCode=201, errorMsg="no", advancedOrderRejectJson="{}"
    )
    Dispatcher(wrapper, server_version).interpret(payload)
    assert wrapper.heard == [("error", (7, 1 if server_version >= 194 else 0, 201, "no", "{}"))]


def test_an_error_that_nobody_hears_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR, "ibwire.compat"):
        Dispatcher(EWrapper(), 225).interpret(from_gateway("error", id=7, errorCode=201, errorMsg="refused"))
    assert "201" in caplog.text and "refused" in caplog.text


@pytest.mark.parametrize(
    ("payload", "code"),
    [
        (b"", 508),
        (b"\0\0", 508),
        ((9).to_bytes(4, "big"), 508),  # nextValidId in text, its fields missing
        ((9).to_bytes(4, "big") + b"1\x00four\x00", 508),
        ((209).to_bytes(4, "big") + b"\x0a\xff\xff", 508),  # protobuf with a length beyond its end
        ((4711).to_bytes(4, "big") + b"1\0", 505),
    ],
)
def test_a_bad_payload_is_reported_and_the_next_one_is_delivered(payload: bytes, code: int) -> None:
    wrapper = Recorder()
    dispatcher = Dispatcher(wrapper, 225)
    for _ in range(2):
        dispatcher.interpret(payload)
    dispatcher.interpret(from_gateway("nextValidId", orderId=4))
    assert wrapper.codes() == [(-1, code), (-1, code)]
    assert wrapper.heard[0][1][1] > 1_700_000_000_000 and len(wrapper.heard[0][1]) == 5
    assert wrapper.heard[2:] == [("nextValidId", (4,))]


def test_an_exception_of_the_program_goes_through_and_harms_nothing() -> None:
    class Faulty(Ticks):
        def tickPrice(self, reqId: int, tickType: int, price: float, attrib: TickAttrib) -> None:
            raise ZeroDivisionError

    wrapper = Faulty()
    dispatcher = Dispatcher(wrapper, 225)
    with pytest.raises(ZeroDivisionError):
        dispatcher.interpret(from_gateway("tickPrice", **BID))
    dispatcher.interpret(from_gateway("tickSize", reqId=1, tickType=0, size=Decimal(5)))
    assert wrapper.heard == [("tickSize", (1, 0, Decimal(5)))]
