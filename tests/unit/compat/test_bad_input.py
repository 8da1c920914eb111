"""What cannot be sent is refused whole: the official code, and a text that names argument and value."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from ibwire.compat.contract import ComboLeg, Contract
from ibwire.compat.order import Order
from ibwire.compat.order_condition import PriceCondition
from ibwire.compat.tag_value import TagValue
from ibwire.spec.registry import by_name
from ibwire.wire.plan import Dialect
from tests.unit.compat.links import App, FakeLink, at_gateway

TEXT, PROTO = 176, 225


def order(**values: Any) -> Order:
    made = Order()
    made.totalQuantity = Decimal(1)
    vars(made).update(values)
    return made


def contract(**values: Any) -> Contract:
    made = Contract()
    vars(made).update(values)
    return made


def bag(leg: Any) -> Contract:
    return contract(secType="BAG", comboLegs=[leg])


def leg(**values: Any) -> ComboLeg:
    made = ComboLeg()
    vars(made).update(values)
    return made


FAR = PriceCondition(0, 2**40, "SMART", True, 1.0)
ODD = TagValue("k", "é")
BAD: list[tuple[str, tuple[Any, ...], int, str, tuple[int, ...]]] = [
    ("reqMktData", (1, contract(symbol=None), "", False, False, None), 510, "contract.symbol is None", (TEXT,)),
    ("reqMktData", (1, contract(symbol="é"), "", False, False, None), 579, "contract.symbol is '\\xe9'", (TEXT,)),
    ("reqMktData", (1, contract(symbol="A\0B"), "", False, False, None), 579, "contract.symbol is 'A\\x00B'", (TEXT,)),
    ("reqMktData", (1, None, "", False, False, None), 510, "contract is None", (TEXT, PROTO)),
    ("reqMktData", (1, "AAPL", "", False, False, None), 510, "contract is 'AAPL'", (TEXT, PROTO)),
    ("reqMktData", (1, contract(conId=2**31), "", False, False, None), 510, "conId is 2147483648", (TEXT, PROTO)),
    ("reqMktData", (1, contract(conId="x"), "", False, False, None), 510, "conId is the text 'x'", (TEXT, PROTO)),
    ("reqMktData", (1, contract(conId=1.5), "", False, False, None), 510, "conId is 1.5", (TEXT, PROTO)),
    ("reqMktData", (1, contract(strike=[]), "", False, False, None), 510, "strike is []", (TEXT, PROTO)),
    ("reqMktData", (1, contract(), "", "yes", False, None), 510, "snapshot is the text 'yes'", (TEXT, PROTO)),
    ("reqMktData", (1, contract(), "", None, False, None), 510, "snapshot is None", (TEXT,)),
    ("reqMktData", (1, bag(leg(action=None)), "", False, False, None), 510, "action is None", (TEXT,)),
    ("reqMktData", (1, bag(leg(action="é")), "", False, False, None), 579, "comboLegs[0].action is", (TEXT,)),
    ("reqMktData", (1, bag(leg(conId=2**40)), "", False, False, None), 510, "comboLegs[0].conId is", (TEXT, PROTO)),
    ("reqMktData", (1, bag(7), "", False, False, None), 510, "comboLegs[0] is 7", (TEXT, PROTO)),
    ("reqMktData", (1, contract(secType="BAG", comboLegs=5), "", False, False, None), 510, "is 5", (TEXT, PROTO)),
    ("reqHistogramData", (1, contract(), "maybe", "1 day"), 567, "useRTH is the text 'maybe'", (TEXT, PROTO)),
    ("placeOrder", (1, contract(), None), 512, "order is None", (TEXT, PROTO)),
    ("placeOrder", (1, contract(), order(totalQuantity="ten")), 512, "is the text 'ten'", (TEXT, PROTO)),
    ("placeOrder", (1, contract(), order(lmtPrice="cheap")), 512, "is the text 'cheap'", (TEXT, PROTO)),
    ("placeOrder", (1, contract(), order(parentId=2**70)), 512, f"order.parentId is {2**70}", (TEXT, PROTO)),
    ("placeOrder", (1, contract(), order(action=None)), 512, "order.action is None", (TEXT,)),
    ("placeOrder", (1, contract(), order(conditions=[FAR])), 512, "[0].conId", (TEXT, PROTO)),
    ("placeOrder", (1, contract(), order(algoStrategy="Vwap", algoParams=[ODD])), 579, "[0].value", (TEXT,)),
    ("reqExecutions", (1, None), 514, "execFilter is None", (TEXT, PROTO)),
    ("cancelOrder", (1, 7), 515, "orderCancel is 7", (TEXT, PROTO)),
    ("reqPnLSingle", (1, "DU0000001", "", 2**31), 573, "is 2147483648", (TEXT, PROTO)),
]  # fmt: skip
CASES = [(version, *case[:4]) for case in BAD for version in case[4]]


@pytest.mark.parametrize(("version", "method", "values", "code", "named"), CASES)
def test_a_bad_value_has_the_official_code_and_is_named(
    version: int, method: str, values: tuple[Any, ...], code: int, named: str
) -> None:
    app = App(FakeLink(version)).connected()
    getattr(app, method)(*values)
    assert app.codes() == [(1, code)], app.heard
    assert named in app.heard[0][1][3] and app.link.sent == []
    app.reqCurrentTime()
    assert len(app.link.sent) == 1


@pytest.mark.parametrize("reqId", [None, "x", 1.5, 2**40])
@pytest.mark.parametrize("version", [TEXT, PROTO])
def test_a_bad_id_is_reported_without_an_id_unless_it_is_a_number(version: int, reqId: Any) -> None:
    app = App(FakeLink(version)).connected()
    app.reqContractDetails(reqId, contract())
    assert app.codes() == [(reqId if reqId == 2**40 else -1, 518)] and app.link.sent == []
    assert "reqId" in app.heard[0][1][3]


@pytest.mark.parametrize("version", [TEXT, PROTO])
def test_numbers_may_come_as_text(version: int) -> None:
    app = App(FakeLink(version)).connected()
    app.placeOrder("3", contract(conId="265598", multiplier=100), order(totalQuantity="10", lmtPrice="1.5"))  # type: ignore[arg-type]
    app.placeOrder(4, contract(), order(totalQuantity=2.5, lmtPrice=Decimal("1.25")))
    first, second = [at_gateway(payload, version) for payload in app.link.sent]
    assert (first.orderId, first.contract.conId, first.contract.multiplier) == (3, 265598, "100")
    assert (first.order.totalQuantity, first.order.lmtPrice) == (10, 1.5)
    assert (second.order.totalQuantity, second.order.lmtPrice) == (Decimal("2.5"), 1.25)
    assert app.codes() == []


def test_protobuf_carries_any_text_and_leaves_none_out() -> None:
    app = App(FakeLink(PROTO)).connected()
    app.reqMktData(1, contract(symbol="é", currency=None), "", False, False, None)
    (got,) = [at_gateway(payload) for payload in app.link.sent]
    assert (got.contract.symbol, got.contract.currency) == ("é", "")


def test_a_text_that_is_not_sent_may_hold_anything() -> None:
    app = App(FakeLink(TEXT)).connected()
    app.reqMktData(1, contract(description="Société"), "", False, False, None)
    assert len(app.link.sent) == 1 and app.codes() == []


@pytest.mark.parametrize(("version", "code"), [(176, None), (177, 585), (211, 585), (212, 585), (225, None)])
def test_advisor_profiles_are_refused_where_they_are_gone(version: int, code: int | None) -> None:
    app = App(FakeLink(version)).connected()
    app.requestFA(2)
    app.replaceFA(4, 2, "<xml/>")
    app.requestFA(1)
    if code is not None and app._ibwire_encoder is not None:
        codec = app._ibwire_encoder._codec
        refused = [codec.dialect_of(by_name(n)) is Dialect.TEXT for n in ("requestFA", "replaceFA")]
        assert app.codes() == [(i, 585) for i, yes in zip((-1, 4), refused, strict=True) if yes]
        assert len(app.link.sent) == 3 - sum(refused)
    else:
        assert app.codes() == [] and len(app.link.sent) == 3


@pytest.mark.parametrize(("version", "code"), [(164, 503), (165, None), (225, None)])
def test_a_schedule_needs_a_gateway_that_knows_it(version: int, code: int | None) -> None:
    app = App(FakeLink(version)).connected()
    app.reqHistoricalData(3, contract(), "", "1 D", "1 day", "SCHEDULE", 1, 1, False, None)
    assert app.codes() == ([(3, code)] if code else []) and len(app.link.sent) == (0 if code else 1)


@pytest.mark.parametrize(
    ("values", "problem"),
    [
        ((7, 4002, 1), "host is 7"),
        (("localhost", "4002", 1), "port is '4002'"),
        (("localhost", 0, 1), "port is 0"),
        (("localhost", 65536, 1), "port is 65536"),
        (("localhost", 4002, None), "clientId is None"),
    ],
)
def test_connect_names_a_wrong_argument(values: tuple[Any, ...], problem: str) -> None:
    app = App()
    with pytest.raises((TypeError, ValueError), match=problem):
        app.connect(*values)
    assert not app.isConnected() and app.heard == []
