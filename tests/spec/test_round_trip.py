"""What the sides of the wire read of each other: hooks, defaults, and fields of one direction.

That every message is written again as it was read: ``test_spec_facts.py``; here the ones with hooks, to the byte.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from ibwire.spec.model import Direction, Row
from ibwire.spec.registry import INCOMING, OUTGOING
from ibwire.types import incoming, outgoing, structs
from ibwire.wire.codec import Codec, Role
from ibwire.wire.plan import Dialect, interesting_versions
from tests.gen import Generator, clear_unsupported

WITH_HOOKS = [row for row in (*INCOMING.values(), *OUTGOING.values()) if row.hook]


def _codecs(row: Row, server_version: int) -> tuple[Codec, Codec]:
    """The sender's and the receiver's."""
    roles = (Role.GATEWAY, Role.CLIENT) if row.direction is Direction.INCOMING else (Role.CLIENT, Role.GATEWAY)
    return Codec(server_version, roles[0]), Codec(server_version, roles[1])


def _dialects(row: Row, server_version: int) -> list[Dialect]:
    return [
        dialect
        for dialect, there in (
            (Dialect.TEXT, row.text is not None),
            (Dialect.PROTO, bool(row.proto) and server_version >= max(row.proto_since, 201)),
        )
        if there
    ]


def _tame(message: Any) -> None:
    """Floats where new objects have an integer; the order's id is its message's."""
    if hasattr(message, "order"):
        message.order.discretionaryAmt = float(message.order.discretionaryAmt)
        if hasattr(message, "orderId"):
            message.order.orderId = message.orderId
    if hasattr(message, "contractDetails"):
        message.contractDetails.coupon = float(message.contractDetails.coupon)


@pytest.mark.parametrize("row", WITH_HOOKS, ids=lambda r: f"{r.direction.value}-{r.name}")
def test_nothing_is_lost(row: Row) -> None:
    seen = 0
    for sv in interesting_versions(row):
        for dialect in _dialects(row, sv):
            sender, receiver = _codecs(row, sv)
            for i, fill in enumerate((0.1, 0.5, 0.95)):
                message = Generator(f"{row.name} {sv} {i}", fill).message(row)
                _tame(message)
                clear_unsupported(row, message, sv, dialect)
                payload = sender.encode(message, dialect)
                decoded = receiver.decode(payload)
                assert sender.encode(decoded, dialect) == payload, f"{sv} {dialect}: {message}"
                assert receiver.counts["extra_bytes"] == receiver.counts["unknown_fields"] == 0
                seen += 1
    assert seen


@pytest.mark.parametrize("transmit", [True, False])
def test_a_bool_that_is_sent_only_when_true(transmit: bool) -> None:
    """An order is transmitted by default; protobuf carries only the true value."""
    message = outgoing.PlaceOrder(orderId=1, order=structs.Order(transmit=transmit, totalQuantity=Decimal(1)))
    for sv in (200, 203, 225):
        payload = Codec(sv, Role.CLIENT).encode(message)
        assert Codec(sv, Role.GATEWAY).decode(payload).order.transmit is transmit


@pytest.mark.parametrize("joined", [True, False])
def test_a_bool_that_is_always_sent(joined: bool) -> None:
    condition = structs.OrderCondition(condType=3, isMore=True, time="10:00:00", isConjunctionConnection=joined)
    message = outgoing.PlaceOrder(orderId=1, order=structs.Order(conditions=[condition], totalQuantity=Decimal(1)))
    for sv in (200, 203, 225):
        decoded = Codec(sv, Role.GATEWAY).decode(Codec(sv, Role.CLIENT).encode(message))
        assert decoded.order.conditions[0].isConjunctionConnection is joined


@pytest.mark.parametrize("size", [None, 0, 7])
def test_an_unset_number_whose_new_objects_have_one(size: int | None) -> None:
    message = outgoing.PlaceOrder(orderId=1, order=structs.Order(displaySize=size, totalQuantity=Decimal(1)))
    for sv in (200, 203, 225):
        assert Codec(sv, Role.GATEWAY).decode(Codec(sv, Role.CLIENT).encode(message)).order.displaySize == size


def test_fields_of_one_direction_in_protobuf() -> None:
    """The client sends no last trade date, the gateway no security ids; both read the other's order without them."""
    contract = structs.Contract(conId=7, lastTradeDate="20261218", secId="US0378331005")
    request = Codec(225, Role.GATEWAY).decode(
        Codec(225, Role.CLIENT).encode(outgoing.ReqContractDetails(reqId=1, contract=contract))
    )
    assert (request.contract.lastTradeDate, request.contract.secId) == ("", "US0378331005")
    answer = Codec(225, Role.CLIENT).decode(
        Codec(225, Role.GATEWAY).encode(incoming.Position(contract=contract, position=Decimal(1)))
    )
    assert (answer.contract.lastTradeDate, answer.contract.secId) == ("20261218", "")


def test_new_objects_keep_their_defaults() -> None:
    """What a gateway does not send to clients at all stays as a new object has it."""
    decoded = Codec(225, Role.CLIENT).decode(Codec(225, Role.GATEWAY).encode(incoming.OpenOrder(orderId=1)))
    assert decoded.order.transmit is True
