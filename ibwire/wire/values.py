"""Scalars in the text dialect: strict, locale-independent, length-bounded, and equal to Python's own numbers.

The grammar is narrower than ``int()`` and ``float()``: no spaces, no underscores. What it accepts has Python's value.
"""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Final

MAX_NUMBER_CHARS: Final = 512
"""Longest text of a number; the longest double written out in full has 325 characters."""

INFINITY_TEXT: Final = "Infinity"

_INT: Final = re.compile(rb"[+-]?[0-9]{1,400}\Z")
_FLOAT: Final = re.compile(rb"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]{1,6})?\Z")
_WORDS: Final = {b"Infinity": float("inf"), b"-Infinity": float("-inf"), b"inf": float("inf"), b"-inf": float("-inf")}
_NAN: Final = (b"NaN", b"nan")
INT64_MIN: Final = -(1 << 63)
INT64_MAX: Final = (1 << 63) - 1


def parse_int(raw: bytes) -> int:
    """An integer of 64 bits. Raises ValueError for anything else, OverflowError beyond 64 bits."""
    if not _INT.match(raw):
        raise ValueError("not an integer")
    value = int(raw)
    if not INT64_MIN <= value <= INT64_MAX:
        raise OverflowError("integer beyond 64 bits")
    return value


def parse_float(raw: bytes) -> float:
    """A double, correctly rounded; ``Infinity``, ``inf``, ``NaN`` are values. Raises ValueError for anything else."""
    if len(raw) <= MAX_NUMBER_CHARS and _FLOAT.match(raw):
        return float(raw)
    if raw in _WORDS:
        return _WORDS[raw]
    if raw in _NAN:
        return float("nan")
    raise ValueError("not a number")


def parse_decimal(raw: bytes) -> Decimal:
    """An exact decimal. Raises ValueError for anything that is not a finite number."""
    if len(raw) <= MAX_NUMBER_CHARS and _FLOAT.match(raw):
        return Decimal(raw.decode("ascii"))
    raise ValueError("not a decimal number")


DECIMAL_UNSET: Final = frozenset(
    (
        b"2147483647",
        b"9223372036854775807",
        b"1.7976931348623157E308",
        b"-9223372036854775808",
        str(2**127 - 1).encode(),
    )
)
"""Texts that mean "no size", besides empty (official decoder; captures)."""

_ESCAPE: Final = re.compile(r"\\(u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|x[0-9a-fA-F]{2}|[0-7]{1,3}|[\\'\"abfnrtv]|\n)")
_SHORT: Final = {
    "\\": "\\",
    "'": "'",
    '"': '"',
    "a": "\a",
    "b": "\b",
    "f": "\f",
    "n": "\n",
    "r": "\r",
    "t": "\t",
    "v": "\v",
    "\n": "",
}


def decode_utf8(raw: bytes) -> str:
    """Text as UTF-8, or as Latin-1 where it is not (Windows gateways); never raises."""
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return raw.decode("latin-1")


def _unescape(match: re.Match[str]) -> str:
    body = match.group(1)
    if body in _SHORT:
        return _SHORT[body]
    code = int(body, 8) if body[0] in "01234567" else int(body[1:], 16)
    return chr(code) if code <= 0x10FFFF else match.group(0)


def decode_escaped(raw: bytes) -> str:
    """Text with backslash escapes (``\\u00f1``); an escape that makes no sense stays as written; never raises."""
    text = decode_utf8(raw)
    if "\\" not in text:
        return text
    text = _ESCAPE.sub(_unescape, text)
    if any("\ud800" <= c <= "\udfff" for c in text):  # escaped surrogate pairs are one character
        text = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return text


def encode_escaped(text: str) -> bytes:
    """The escaped form of a text: ASCII without NUL."""
    return text.encode("unicode-escape")


def number_text(value: float | int | bool) -> str:
    """A number as the official client writes it: Python's shortest form; bools are 1 and 0."""
    if value is True:
        return "1"
    if value is False:
        return "0"
    if value in (float("inf"), float("-inf")):
        return INFINITY_TEXT if value > 0 else "-" + INFINITY_TEXT
    return str(value)


def decimal_text(value: Decimal) -> str:
    """A decimal without an exponent, all digits kept."""
    return f"{value:f}"
