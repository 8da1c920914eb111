from __future__ import annotations

import pytest

from ibwire.spec import errorcodes as ec
from ibwire.spec.errorcodes import OrderEffect, lookup, order_effect

# Class lists of the facts sheet, section 6.1: each code must carry the letter.
CLASSES = {
    "A": [1100, 1101, 1102, 1300, 2110],
    "B": [2104, 2106, 2158, 2103, 2105, 2157, 2107, 2108, 2119],
    "C": [326, 501, 502, 503, 504, 506, 507, 100],
    "D": [399, 404, 2109, 2111, 2130, 2137, 2168, 2169, 10233, 10311, 10329, 10331, 10333, 10335, 10347, 10349, 481],
    "E": [
        103, 106, 107, 109, 111, 168, 200, 201, 203, 321, 322, 327, 334, 383, 387, 398, 413, 417, 449, 460, 463,
        10000, 10027, 10052, 10058, 10240, 10254, 10268, 10270, 10289, 10345,
    ],
    "F": [104, 105, 110, 134, 2102, 329, 422, 440, 444, 10241, 10242, 10326, 10327, 10341],
    "G": [202, 135, 136, 137, 161, 10147, 10148],
    "H": [
        162, 165, 166, 200, 300, 309, 310, 316, 317, 320, 321, 322, 323, 354, 365, 366, 386, 420, 430, 10090, 10182,
        10187, 10189, 10190, 10197, 10225, 10276, 10284, 10314, 10339,
    ],
    "I": [10089, 10167, 10090],
    "J": [100, 101, 309, 162, 420, 10190],
    "K": [2100, 2101, 435, 436],
    "L": [501, 585, 589, 593],
}  # fmt: skip


@pytest.mark.parametrize(("letter", "code"), [(letter, code) for letter, codes in CLASSES.items() for code in codes])
def test_class(letter: str, code: int) -> None:
    assert letter in lookup(code).classes


def test_rows_are_unique_and_have_a_text() -> None:
    assert len(ec._TABLE) == len({row[0] for row in ec._TABLE})
    assert len(ec._LOCAL) == len({row[0] for row in ec._LOCAL}) == len({row[1] for row in ec._LOCAL})
    for info in ec.CODES.values():
        assert info.text
        assert set(info.classes) <= set("ABCDEFGHIJKL")
        assert info.cls in tuple("ABCDEFGHIJKL")


def test_unlisted_code_is_not_an_error_here() -> None:
    assert lookup(99999).cls == ""
    assert order_effect(99999) is OrderEffect.NOTE


@pytest.mark.parametrize(
    ("code", "effect"),
    [
        (399, OrderEffect.WARNING), (404, OrderEffect.WARNING),
        (10349, OrderEffect.WARNING), (2199, OrderEffect.WARNING),
        (201, OrderEffect.REFUSED), (110, OrderEffect.REFUSED),
        (200, OrderEffect.REFUSED), (10300, OrderEffect.REFUSED),
        (104, OrderEffect.MODIFY_REFUSED), (2102, OrderEffect.MODIFY_REFUSED), (10327, OrderEffect.MODIFY_REFUSED),
        (202, OrderEffect.CANCELLED), (161, OrderEffect.CANCEL_REFUSED), (10148, OrderEffect.CANCEL_REFUSED),
        (135, OrderEffect.NOT_FOUND), (10147, OrderEffect.NOT_FOUND), (100, OrderEffect.UNDECIDED),
        (10328, OrderEffect.UNDECIDED), (162, OrderEffect.NOTE),
    ],
)  # fmt: skip
def test_order_effect(code: int, effect: OrderEffect) -> None:
    assert order_effect(code) is effect


def test_notices() -> None:
    assert all(ec.is_notice(code) for code in (1100, 2104, 2103, 399, 10167))
    assert not any(ec.is_notice(code) for code in (201, 200, 326, 162, 502, 99999))


def test_local_names() -> None:
    assert ec.CLIENT_LOCAL_NAMES["UPDATE_TWS"] == 503
    assert ec.CLIENT_LOCAL_NAMES["FAIL_SEND_CANMKTDEPTH"] == 589
    assert all(501 <= code <= 593 for code in ec.CLIENT_LOCAL)
