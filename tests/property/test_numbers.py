"""Numbers equal Python's own, whatever the locale: in messages and in records, compiled and plain."""

from __future__ import annotations

import math
import os
import shutil
import subprocess
import sys
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ibwire.errors import ProtocolError
from ibwire.ring import impl
from ibwire.spec.records import FLAG_LONG_NUMBER, FLAG_UNDECODABLE
from ibwire.wire import text as plain_text
from ibwire.wire.codec import Codec, Role
from ibwire.wire.framing import frame
from ibwire.wire.plan import UNSET_DOUBLE, Profile, text_plan

CODEC = Codec(176, Role.CLIENT)
EXAMPLES = settings(max_examples=400, deadline=None, derandomize=True)

floats = st.floats(allow_nan=False, allow_infinity=False)
written = st.one_of(
    floats.map(repr),
    floats.map(lambda v: f"{v:.20g}"),
    floats.map(lambda v: f"{v:e}"),
    st.floats(-1e15, 1e15).map(lambda v: f"{v:f}"),
    st.integers(-(2**63), 2**63 - 1).map(str),
    st.tuples(st.integers(0, 10**18), st.integers(0, 18)).map(lambda p: str(Decimal(p[0]).scaleb(-p[1]))),
    st.from_regex(r"[+-]?[0-9]{0,25}\.?[0-9]{1,25}([eE][+-]?[0-9]{1,3})?", fullmatch=True),
)
hard = [
    "9007199254740993", "9007199254740992.5", "0.1000000000000000055511151231257827", "2.2250738585072011e-308",
    "4.9406564584124654e-324", "2.4703282292062327e-324", "1e23", "8.5", "123456789012345678901234567890", "1e-400",
    "179769313486231580793728971405303415079934132710037826936173778980444968292764750946649017977587207096330286416692887"
    "910946555547851940402630657488671505820681908902000708383676273854845817711531764475730270069855571366959622842914819"
    "860834936475292719074168444365510704342711559699508093042880", "0.30000000000000004", "1.7976931348623157e308",
]


def value_of(text: str) -> Any:
    """The value of a tickGeneric message with that number."""
    return CODEC.decode(f"45\x006\x009\x0045\x00{text}\x00".encode()).value


def record_of(text: str, kind: str = "generic") -> Any:
    """The record of a message with that number, or None when it was refused."""
    market, orders, control = impl.MarketRing(64), impl.LogRing(), impl.LogRing()
    cursor, entries = market.cursor(), control.cursor()
    decoder = impl.StreamDecoder(176, market, orders, control)
    payload = f"45\x006\x009\x0045\x00{text}\x00" if kind == "generic" else f"2\x006\x009\x000\x00{text}\x00"
    decoder.receive(frame(payload.encode()), 1)
    got = cursor.poll()
    if not len(got):
        assert entries.poll()[0].flags & FLAG_UNDECODABLE
        return None
    return got.copy()[0]


def body(record: Any, offset: int) -> float:
    import struct

    return float(struct.unpack_from("<d", bytes(record["body"]), offset)[0])


@EXAMPLES
@given(written)
def test_floats_equal_python(text: str) -> None:
    expected = float(text)
    found = value_of(text)
    if expected == UNSET_DOUBLE:
        assert found is None
    else:
        assert found == expected and math.copysign(1, found) == math.copysign(1, expected)
    stored = body(record_of(text), 0)
    assert math.isnan(stored) if found is None else stored == expected


@pytest.mark.parametrize("text", hard)
def test_hard_cases(text: str) -> None:
    found = value_of(text)
    assert found == (None if float(text) == UNSET_DOUBLE else float(text))
    stored = body(record_of(text), 0)
    assert stored == float(text) or (found is None and math.isnan(stored))


@EXAMPLES
@given(st.text(alphabet="0123456789+-.eE_ xNnaAiIfF,", max_size=12))
def test_what_is_no_number_is_refused_by_both_twins(text: str) -> None:
    payload = f"45\x006\x009\x0045\x00{text}\x00".encode()
    plan = text_plan(CODEC.decoder(45)[0].row, 176, Profile.TYPED)  # type: ignore[index]
    try:
        expected = plain_text.decode(plan, payload, 3, CODEC._make)[0][2]
    except ProtocolError:
        with pytest.raises(ProtocolError):
            CODEC.decode(payload)
        assert record_of(text) is None
        return
    found = value_of(text)
    assert found == expected or (math.isnan(found) and math.isnan(expected))
    assert record_of(text) is not None
    if expected is not None and not text.strip("+-").lower().startswith(("inf", "nan")):
        assert expected == float(text)


@EXAMPLES
@given(st.integers(-(10**20), 10**20))
def test_integers_equal_python(value: int) -> None:
    payload = f"2\x006\x00{value}\x000\x00100\x00".encode()
    if -(2**63) <= value < 2**63:
        assert CODEC.decode(payload).reqId == value
    else:
        with pytest.raises(ProtocolError):
            CODEC.decode(payload)


@EXAMPLES
@given(st.integers(0, 10**20), st.integers(0, 20))
def test_sizes_are_exact(digits: int, scale: int) -> None:
    size = Decimal(digits).scaleb(-scale)
    text = f"{size:f}"
    assert CODEC.decode(f"2\x006\x009\x000\x00{text}\x00".encode()).size == size
    record = record_of(text, "size")
    number, after = body(record, 8), bytes(record["body"])[21]
    if len(size.as_tuple().digits) <= 15:
        assert not record["flags"] & FLAG_LONG_NUMBER
        assert Decimal(f"{number:.{after}f}") == size and after == max(0, scale)
    else:
        assert record["flags"] & FLAG_LONG_NUMBER and number == float(size)


COMMA = """
import locale, sys
locale.setlocale(locale.LC_ALL, sys.argv[1])
assert locale.localeconv()["decimal_point"] == ",", locale.localeconv()
from tests.property.test_numbers import value_of, record_of, body, hard
for text in ["187.43", "0.5", "-2.25e-3", "12345.678901234567", *hard]:
    record = body(record_of(text), 0)
    assert value_of(text) in (float(text), None), text
    assert record == float(text) or value_of(text) is None, text
print("equal")
"""


def _comma_locale(tmp_path: Path) -> tuple[str, dict[str, str]]:
    """A locale whose decimal point is a comma: one of the machine's, or one that localedef makes."""
    listed = subprocess.run(["locale", "-a"], capture_output=True, text=True, check=True).stdout.split()
    for name in listed:
        if name.split("_")[0] in ("de", "fr", "es", "it", "nl", "sv", "da", "pt"):
            return name, {}
    localedef = shutil.which("localedef")
    if localedef is None:
        pytest.fail("no comma locale on this machine and no localedef to make one")
    source = tmp_path / "comma"
    source.write_text(
        'LC_NUMERIC\ndecimal_point "<U002C>"\nthousands_sep "<U002E>"\ngrouping 3;3\nEND LC_NUMERIC\n'
        'LC_CTYPE\ncopy "POSIX"\nEND LC_CTYPE\n'
    )
    subprocess.run(
        [localedef, "-c", "--no-archive", "-i", str(source), "-f", "UTF-8", str(tmp_path / "xx_XX.UTF-8")],
        capture_output=True,
        check=False,
    )
    return "xx_XX.UTF-8", {"LOCPATH": str(tmp_path)}


def test_a_comma_locale_changes_nothing(tmp_path: Path) -> None:
    name, extra = _comma_locale(tmp_path)
    root = Path(__file__).resolve().parents[2]
    code = COMMA if not extra else COMMA.replace("LC_ALL", "LC_NUMERIC")
    done = subprocess.run(
        [sys.executable, "-c", code, name],
        cwd=root,
        env={**os.environ, **extra, "PYTHONPATH": str(root)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.strip() == "equal", done.stderr
