"""The short way of encoding gives the bytes of the interpreters, or their error."""

from __future__ import annotations

import math
import random
from dataclasses import fields, is_dataclass
from decimal import Decimal
from typing import Any

import pytest

from ibwire.errors import IbwireError
from ibwire.spec.registry import INCOMING
from ibwire.types import incoming
from ibwire.types.incoming import Error, OrderStatus, TickPrice, TickSize, UpdateMktDepthL2
from ibwire.wire.codec import Codec, Role
from ibwire.wire.plan import UNSET_DOUBLE

VERSIONS = (100, 109, 131, 145, 151, 157, 176, 182, 187, 194, 200, 201, 203, 206, 213, 225)
EACH = 25
ODD: dict[type, tuple[Any, ...]] = {
    int: (0, 1, -1, 127, 128, 16_383, 16_384, 2**31 - 1, -(2**31), 2**31, 2**63 - 1, -(2**63), 2**64),
    float: (
        0.0,
        -0.0,
        1.0,
        187.25,
        1e-7,
        1e22,
        -1.0,
        UNSET_DOUBLE,
        2147483647.0,
        math.inf,
        -math.inf,
        math.nan,
    ),
    Decimal: tuple(map(Decimal, ("0", "-0", "1", "1.0", "1.00", "1E+3", "1E-9", str(2**127 - 1), "NaN", "Infinity"))),
    str: ("", "x", "a\0b", "ñ€", "\\", "y" * 200),
    bool: (True, False),
}
ANY = tuple(value for values in ODD.values() for value in values) + (None, [], object())


def fill(message: Any, rng: random.Random) -> None:
    """Give each plain field a value: mostly of its kind, sometimes of any."""
    for field in fields(message):
        value = getattr(message, field.name)
        if is_dataclass(value) and not isinstance(value, type):
            if rng.random() < 0.02:
                setattr(message, field.name, None)
            else:
                fill(value, rng)
            continue
        kind = next((k for k in ODD if k.__name__ == str(field.type).partition(" |")[0]), None)
        roll = rng.random()
        if kind is None:
            continue
        if roll < 0.03:
            setattr(message, field.name, rng.choice(ANY))
        elif roll < 0.8:
            setattr(message, field.name, rng.choice(ODD[kind]))


def attempt(encode: Any, *args: Any) -> tuple[str, Any]:
    try:
        return "bytes", encode(*args)
    except IbwireError as error:
        return type(error).__name__, str(error)
    except Exception as error:  # what the interpreters do not expect: both must not expect it alike
        return type(error).__name__, None


@pytest.mark.parametrize("server_version", VERSIONS)
def test_equal_to_the_interpreters(server_version: int) -> None:
    rng = random.Random(server_version)
    codec = Codec(server_version, Role.GATEWAY)
    short = 0
    for row in INCOMING.values():
        for _ in range(EACH):
            message = incoming.CLASSES[row.cls_name]()
            fill(message, rng)
            found, expected = attempt(codec.encode, message), attempt(codec.encode_row, row, message)
            assert found == expected, (server_version, message)
            short += found[0] == "bytes" and codec.is_short(type(message))
    assert short > 200


@pytest.mark.parametrize("server_version", VERSIONS)
def test_what_a_gateway_sends_most_goes_the_short_way(server_version: int) -> None:
    codec = Codec(server_version, Role.GATEWAY)
    sent = (TickPrice(1, 1, 1.5, Decimal(1)), TickSize(1, 0, Decimal(1)), OrderStatus(1), Error(1))
    for message in (*sent, UpdateMktDepthL2(1, price=1.5, size=Decimal(1))):
        codec.encode(message)
        assert codec.is_short(type(message)), (type(message).__name__, server_version)


def test_an_object_of_another_class_goes_the_long_way() -> None:
    """One that lacks an attribute is encoded with the row's default, as ever."""
    older = type("TickSize", (), {"reqId": 7, "tickType": 0})()
    codec = Codec(225, Role.GATEWAY)
    assert codec.encode(older) == codec.encode(TickSize(7, 0))
