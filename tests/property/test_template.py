"""Prepared messages: byte for byte what a full encode gives."""

from __future__ import annotations

import copy
from dataclasses import replace
from decimal import Decimal
from functools import cache
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ibwire.errors import ConfigError, RequestError
from ibwire.types import builders, outgoing
from ibwire.types.constructors import limit, market
from ibwire.types.structs import Contract
from ibwire.wire.codec import Codec, Role
from ibwire.wire.template import Template

AAPL = Contract(conId=265598, symbol="AAPL", secType="STK", exchange="SMART", currency="USD")
SLOTS = ("orderId", "order.totalQuantity", "order.lmtPrice")
PLAIN = limit("BUY", 10, 187.5, tif="GTC", account="DU0000001")
ORDERS = {
    "plain": PLAIN,
    "child": replace(PLAIN, parentId=7, ocaGroup="a", ocaType=1, orderRef="r" * 200),
    "adaptive": builders.adaptive(PLAIN),
    "conditional": builders.conditional(PLAIN, builders.price_condition(AAPL, above=187.5)),
}
VERSIONS = (120, 176, 203, 225)


@cache
def prepared(version: int, name: str) -> tuple[Codec, Template]:
    codec = Codec(version, Role.CLIENT)
    return codec, Template(codec, outgoing.PlaceOrder(1, AAPL, ORDERS[name]), SLOTS)


PRICES = st.floats(allow_nan=False, allow_infinity=False).filter(lambda x: x != 0 and abs(x) < 1e300)
QUANTITIES = st.decimals(allow_nan=False, allow_infinity=False, min_value="1e-8", max_value=10**12)


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(VERSIONS), st.sampled_from(sorted(ORDERS)), st.integers(1, 2**31 - 2), QUANTITIES, PRICES)
def test_a_template_is_a_full_encode(version: int, name: str, order_id: int, quantity: Decimal, price: float) -> None:
    codec, template = prepared(version, name)
    order = replace(copy.deepcopy(ORDERS[name]), totalQuantity=quantity, lmtPrice=price)
    assert template.fill(order_id, quantity, price) == codec.encode(outgoing.PlaceOrder(order_id, AAPL, order))


@pytest.mark.parametrize(
    "values",
    [
        (1, Decimal(1), 0.0),
        (1, Decimal(0), 1.0),
        (0, Decimal(1), 1.0),
        (1, Decimal(1), float("nan")),
        (1, Decimal(1), float("inf")),
        (1, Decimal("NaN"), 1.0),
        (1, Decimal(1), 1),
        (1, 1, 1.0),
        (True, Decimal(1), 1.0),
        (2**31 - 1, Decimal(1), 1.0),
        (1, Decimal(2**31 - 1), 1.0),
        (1, Decimal(1), None),
    ],
)
@pytest.mark.parametrize("version", [176, 225])
def test_what_may_be_written_otherwise_is_refused(version: int, values: tuple[Any, ...]) -> None:
    with pytest.raises(RequestError, match="prepared"):
        prepared(version, "plain")[1].fill(*values)


def test_a_slot_must_be_set_and_sent() -> None:
    codec = Codec(176, Role.CLIENT)
    with pytest.raises(ConfigError, match=r"order\.lmtPrice is None"):
        Template(codec, outgoing.PlaceOrder(1, AAPL, market("BUY", 1)), SLOTS)
    with pytest.raises(ConfigError, match=r"order\.permId"):
        Template(codec, outgoing.PlaceOrder(1, AAPL, replace(PLAIN, permId=5)), ("order.permId",))
