"""Programs of every release's time: signatures, names and kinds are read from the program."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from decimal import Decimal
from functools import wraps
from typing import Any

import pytest

from ibwire.compat import _generations
from ibwire.compat.commission_report import CommissionReport
from ibwire.compat.common import BarData, HistogramData, WshEventData
from ibwire.compat.const import UNSET_DECIMAL, UNSET_DOUBLE, UNSET_INTEGER
from ibwire.compat.contract import Contract
from ibwire.compat.dispatch import Dispatcher
from ibwire.compat.order import Order
from ibwire.compat.order_cancel import OrderCancel
from ibwire.compat.order_state import OrderState
from ibwire.compat.wrapper import EWrapper
from ibwire.types import structs
from tests.unit.compat.links import App, at_gateway, from_gateway

ERROR = from_gateway("error", id=7, errorTime=1, errorCode=201, errorMsg="no", advancedOrderRejectJson="{}")
NEWEST = (7, 1, 201, "no", "{}")


FORMS: list[tuple[str, tuple[Any, ...]]] = [
    ("reqId, errorCode, errorString", (7, 201, "no")),
    ("a, b, c", (7, 201, "no")),
    ("reqId, errorCode, errorString, advancedOrderRejectJson=''", (7, 201, "no", "{}")),
    ("a, b, c, d", (7, 201, "no", "{}")),
    ("reqId, errorTime, errorCode, errorString, advancedOrderRejectJson=''", NEWEST),
    ("reqId, time, code, text", (7, 1, 201, "no")),  # names before the count: no JSON wanted
    ("a, b, c, d, e", NEWEST),
    ("*args", NEWEST),
    ("reqId, *args", NEWEST),
    ("reqId, errorCode, *rest", (7, 201, "no", "{}")),
    ("reqId, errorTime, *rest", NEWEST),
    ("reqId, errorCode, errorString, advancedOrderRejectJson='', more=None", (7, 201, "no", "{}")),
]


def program(parameters: str, base: type = EWrapper) -> Any:
    """An object whose ``error`` has these parameters and keeps what it gets, but for a last ``more``."""
    found: dict[str, Any] = {}
    names = [p.strip().split("=")[0] for p in parameters.split(",")]
    values = ", ".join(name for name in names if name != "more")
    exec(f"def error(self, {parameters}):\n    self.got = ({values},)", found)
    return type("Program", (base,), {"error": found["error"]})()


@pytest.mark.parametrize(("parameters", "expected"), FORMS)
def test_error_gets_what_its_parameters_ask_for(parameters: str, expected: tuple[Any, ...]) -> None:
    app = program(parameters)
    Dispatcher(app, 225).interpret(ERROR)
    assert app.got == expected


def test_the_client_s_own_errors_have_the_program_s_form() -> None:
    class Old(App):
        def error(self, reqId: int, errorCode: int, errorString: str) -> None:  # type: ignore[override]
            self.heard.append(("error", (reqId, errorCode)))

    app = Old()
    app.reqIds(1)
    app.connected()
    app.link.arriving.append(b"\0\0\0\x09four\0")
    app.run()
    assert app.heard == [("error", (-1, 508)), ("connectionClosed", ())]


def test_a_decorated_error_is_what_it_wraps() -> None:
    def logged(function: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(function)
        def call(*args: Any, **named: Any) -> Any:
            return function(*args, **named)

        return call

    class Program(EWrapper):
        @logged
        def error(self, reqId: int, errorCode: int, errorString: str) -> None:
            self.got = (reqId, errorCode, errorString)

    app = Program()
    Dispatcher(app, 225).interpret(ERROR)
    assert app.got == (7, 201, "no")


def test_an_error_set_on_the_object_is_looked_at_anew() -> None:
    app = program("reqId, errorCode, errorString")
    dispatcher = Dispatcher(app, 225)
    got: list[Any] = []
    app.error = lambda reqId, errorTime, errorCode, errorString, json="": got.append((errorTime, errorCode))
    dispatcher.interpret(ERROR)
    app.error = lambda reqId, errorCode, errorString: got.append((errorCode, errorString))
    dispatcher.interpret(ERROR)
    assert got == [(1, 201), (201, "no")]


@pytest.mark.parametrize(("style", "expected"), [(3, (7, 201, "no")), (4, (7, 201, "no", "{}")), (5, NEWEST)])
def test_a_style_can_be_told(style: int, expected: tuple[Any, ...]) -> None:
    app = program("*args")
    Dispatcher(app, 225, error_style=style).interpret(ERROR)
    assert app.got == expected


def test_programs_of_every_time_may_call_the_base(caplog: pytest.LogCaptureFixture) -> None:
    app = EWrapper()
    app.error(7, 201, "of 9.81")
    app.error(7, 201, "of 10.19", "{}")
    app.error(7, 1, 201, "of 10.37", "{}")
    app.error(reqId=7, errorCode=201, errorString="by name")
    app.error(7, errorTime=1, errorCode=201, errorString="named")
    texts = [message.partition(": ") for message in caplog.messages]
    assert {head for head, _, _ in texts} == {"error 201 for id 7"}
    expected = ["of 9.81", "of 10.19 {}", "of 10.37 {}", "by name", "named"]
    assert [text.strip() for _, _, text in texts] == expected
    official = ["self", "reqId", "errorTime", "errorCode", "errorString", "advancedOrderRejectJson"]
    assert list(inspect.signature(EWrapper.error).parameters) == official


# ------------------------------------------------------------------------------------------------ reports


REPORTED = structs.CommissionAndFeesReport(execId="e.1", commissionAndFees=1.25, currency="USD")
REPORT = from_gateway("commissionAndFeesReport", commissionAndFeesReport=REPORTED)


@pytest.mark.parametrize("names", [("commissionReport",), ("commissionAndFeesReport",), ("", "both")])
def test_the_report_has_the_name_that_the_program_overrides(names: tuple[str, ...]) -> None:
    class Program(EWrapper):
        def __init__(self) -> None:
            self.got: list[Any] = []

    def keep(name: str) -> Callable[..., None]:
        return lambda self, report: self.got.append((name, type(report).__name__, report.commission, report.execId))

    both = "both" in names
    for name in ("commissionReport", "commissionAndFeesReport") if both else names:
        setattr(Program, name, keep(name))
    app = Program()
    Dispatcher(app, 225).interpret(REPORT)
    name = "commissionAndFeesReport" if both else names[0]
    kind = "CommissionReport" if name == "commissionReport" else "CommissionAndFeesReport"
    assert app.got == [(name, kind, 1.25, "e.1")]


def test_a_report_that_nobody_wants_is_not_decoded() -> None:
    dispatcher = Dispatcher(EWrapper(), 225)
    dispatcher.interpret(REPORT)
    assert dispatcher.skipped == 1 and not dispatcher.counts


def test_order_bound_has_its_three_numbers_in_their_order() -> None:
    class Old(EWrapper):
        def orderBound(self, reqId: int, apiClientId: int, apiOrderId: int) -> None:
            self.got = (reqId, apiClientId, apiOrderId)

    for version in (180, 225):
        app = Old()
        Dispatcher(app, version).interpret(from_gateway("orderBound", version, permId=2**40, clientId=7, orderId=9))
        assert app.got == (2**40, 7, 9)


# ------------------------------------------------------------------------------------------------ sizes


class Sizes(EWrapper):
    """Keeps sizes of several kinds."""

    def __init__(self) -> None:
        self.got: list[Any] = []

    def tickSize(self, reqId: int, tickType: int, size: Any) -> None:
        self.got.append(size)

    def position(self, account: str, contract: Any, position: Any, avgCost: float) -> None:
        self.got.append(position)

    def execDetails(self, reqId: int, contract: Any, execution: Any) -> None:
        self.got.append(execution.shares)


class OldSizes(Sizes):
    def error(self, reqId: int, errorCode: int, errorString: str) -> None: ...  # type: ignore[override]


class AnnotatedSizes(Sizes):
    def tickSize(self, reqId: int, tickType: int, size: int) -> None:  # type: ignore[override]
        self.got.append(size)


class NewSizes(AnnotatedSizes):
    def error(self, reqId: int, errorTime: int, errorCode: int, errorString: str, json: str = "") -> None: ...


def sizes_of(app: Sizes, version: int, **settings: Any) -> list[Any]:
    dispatcher = Dispatcher(app, version, **settings)
    for size in (Decimal(300), Decimal("0.5"), None):
        dispatcher.interpret(from_gateway("tickSize", version, reqId=1, tickType=0, size=size))
    dispatcher.interpret(from_gateway("position", version, account="DU0000001", position=Decimal(7)))
    execution = structs.Execution(shares=Decimal(4))
    dispatcher.interpret(from_gateway("execDetails", version, execution=execution))
    return app.got


KINDS: list[tuple[type[Sizes], dict[str, Any], list[Any]]] = [
    (Sizes, {}, [Decimal(300), Decimal("0.5"), UNSET_DECIMAL, Decimal(7), Decimal(4)]),
    (NewSizes, {}, [Decimal(300), Decimal("0.5"), UNSET_DECIMAL, Decimal(7), Decimal(4)]),
    (OldSizes, {}, [300, 0.5, UNSET_INTEGER, 7.0, 4.0]),
    (AnnotatedSizes, {}, [300, 0.5, UNSET_INTEGER, 7.0, 4.0]),
    (OldSizes, {"sizes": "decimal"}, [Decimal(300), Decimal("0.5"), UNSET_DECIMAL, Decimal(7), Decimal(4)]),
    (Sizes, {"sizes": "int"}, [300, 0.5, UNSET_INTEGER, 7, 4]),
    (Sizes, {"sizes": "float"}, [300.0, 0.5, UNSET_DOUBLE, 7.0, 4.0]),
]


@pytest.mark.parametrize("version", [176, 225])
@pytest.mark.parametrize(("cls", "settings", "expected"), KINDS)
def test_sizes_are_of_the_program_s_time(
    cls: type[Sizes], settings: dict[str, Any], expected: list[Any], version: int
) -> None:
    got = sizes_of(cls(), version, **settings)
    assert got == expected and [type(v) for v in got] == [type(v) for v in expected]


def test_an_unknown_kind_of_size_is_refused() -> None:
    with pytest.raises(ValueError, match="sizes is 'long'"):
        _generations.size_conversion(EWrapper(), "long")


def test_attributes_have_their_older_names_too() -> None:
    state, bar, entry = OrderState(), BarData(), HistogramData()
    state.commissionAndFees = 1.5
    assert state.commission == 1.5
    state.commissionCurrency = "USD"
    assert state.commissionAndFeesCurrency == "USD" and "commissionCurrency" not in vars(state)
    bar.wap, entry.size = Decimal(3), Decimal(4)
    assert (bar.average, entry.count) == (3, 4)
    assert Order().eTradeOnly is True and "eTradeOnly" not in vars(Order())
    assert CommissionReport().commission == 0.0


# ------------------------------------------------------------------------------------------------ requests


def test_a_cancel_may_be_written_as_in_every_release() -> None:
    app = App().connected()
    cancel = OrderCancel()
    cancel.manualOrderCancelTime = "20260102-09:30:00"
    app.cancelOrder(5)
    app.cancelOrder(5, "")
    app.cancelOrder(5, "20260102-09:30:00")
    app.cancelOrder(5, manualCancelOrderTime="20260102-09:30:00")
    app.cancelOrder(5, cancel)
    app.cancelOrder(orderId=5, orderCancel=cancel)
    got = [at_gateway(payload).orderCancel.manualOrderCancelTime for payload in app.link.sent]
    assert got == ["", ""] + ["20260102-09:30:00"] * 4 and app.codes() == []
    app.reqGlobalCancel()
    app.reqGlobalCancel(OrderCancel())
    assert [type(at_gateway(p)).__name__ for p in app.link.sent[-2:]] == ["ReqGlobalCancel"] * 2


def test_other_requests_may_be_written_as_before() -> None:
    app = App().connected()
    app.exerciseOptions(1, Contract(), 1, 2, "DU0000001", 0)
    app.reqWshEventData(2, WshEventData(), 173)
    app.reqWshEventData(2, WshEventData(), MIN_SERVER_VER_WSH_EVENT_DATA_FILTERS_DATE=173)
    assert [type(at_gateway(p)).__name__ for p in app.link.sent] == ["ExerciseOptions"] + ["ReqWshEventData"] * 2
    app.setConnectionOptions("+PACEAPI")
    assert app.connectOptions == "+PACEAPI"
