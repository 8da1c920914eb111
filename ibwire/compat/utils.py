"""The official package's public helpers."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable, Iterable, Iterator
from decimal import Decimal
from enum import Enum
from typing import Any, Final, TypeVar

from ibwire.compat._clock import now_ms
from ibwire.compat.const import DOUBLE_INFINITY, INFINITY_STR
from ibwire.compat.const import UNSET_DECIMAL as UNSET_DECIMAL
from ibwire.compat.const import UNSET_DOUBLE as UNSET_DOUBLE
from ibwire.compat.const import UNSET_INTEGER as UNSET_INTEGER
from ibwire.compat.const import UNSET_LONG as UNSET_LONG

SHOW_UNSET: Final = True

_F = TypeVar("_F", bound=Callable[..., Any])
_E = TypeVar("_E", bound=Enum)


def iswrapper(fn: _F) -> _F:
    """Mark a method as a callback that overrides EWrapper's; it does nothing else."""
    return fn


class BadMessage(Exception):
    """A message that could not be decoded."""

    def __init__(self, text: object) -> None:
        super().__init__(text)
        self.text = text


class ClientException(Exception):
    """A request that cannot be sent: the code, its text, and what was wrong with it."""

    def __init__(self, code: int, msg: str, text: str) -> None:
        super().__init__(code, msg, text)
        self.code = code
        self.msg = msg
        self.text = text


class LogFunction:
    """A decorator that logs each call of a method, at a level of ``logging``."""

    def __init__(self, text: str, logLevel: int) -> None:
        self.text = text
        self.logLevel = logLevel

    def __call__(self, fn: Callable[..., Any]) -> Callable[..., Any]:
        import logging

        log = logging.getLogger("ibwire.compat")

        @functools.wraps(fn)
        def logged(*args: Any, **kwargs: Any) -> Any:
            if log.isEnabledFor(self.logLevel):
                log.log(self.logLevel, "%s %s %r %r", self.text, fn.__name__, args[1:], kwargs)
            return fn(*args, **kwargs)

        return logged


def log_(func: str, params: dict[str, Any], action: str) -> None:
    """Log a call at level INFO: ``action`` is REQUEST or ANSWER."""
    import logging

    log = logging.getLogger("ibwire.compat")
    if log.isEnabledFor(logging.INFO):
        log.info("%s %s %s", action, func, {name: value for name, value in params.items() if name != "self"})


def decode(the_type: type, fields: Iterator[bytes | str], show_unset: bool = False, use_unicode: bool = False) -> Any:
    """The next text field as a value.

    Parameters
    ----------
    the_type : str, int, float, bool or Decimal.
    fields : the fields that are left.
    show_unset : an empty number is the sentinel of its kind, not 0. An empty Decimal always is.
    use_unicode : a text has backslash escapes.

    Raises
    ------
    BadMessage : no field is left, or it is not such a value.
    """
    try:
        field = next(fields)
    except StopIteration:
        raise BadMessage(f"no field is left for a {the_type.__name__}") from None
    raw = field.encode() if isinstance(field, str) else bytes(field or b"")
    return _value(the_type, raw, show_unset, use_unicode)


_UNSET: Final[dict[type, Any]] = {int: UNSET_INTEGER, float: UNSET_DOUBLE, Decimal: UNSET_DECIMAL}


def _value(the_type: type, raw: bytes, show_unset: bool, use_unicode: bool) -> Any:
    from ibwire.wire import values

    if the_type is str:
        return values.decode_escaped(raw) if use_unicode else values.decode_utf8(raw)
    if not raw or (the_type is Decimal and raw in values.DECIMAL_UNSET):
        return _UNSET[the_type] if the_type is Decimal or (show_unset and the_type in _UNSET) else the_type(0)
    if the_type is float and raw == INFINITY_STR.encode():
        return DOUBLE_INFINITY
    try:
        if the_type is Decimal:
            return values.parse_decimal(raw)
        return values.parse_float(raw) if the_type is float else the_type(values.parse_int(raw))
    except (ValueError, OverflowError) as problem:
        raise BadMessage(f"{raw!r} is no {the_type.__name__}: {problem}") from None


def current_fn_name(parent_idx: int = 0) -> str:
    """Name of the calling function, or of one further out."""
    return sys._getframe(1 + parent_idx).f_code.co_name


def isValidFloatValue(val: float) -> bool:
    """False for the sentinel of an unset float."""
    return val != UNSET_DOUBLE


def isValidIntValue(val: int) -> bool:
    """False for the sentinel of an unset integer."""
    return val != UNSET_INTEGER


def isValidLongValue(val: int) -> bool:
    """False for the sentinel of an unset 64-bit integer."""
    return val != UNSET_LONG


def isValidDecimalValue(val: Decimal) -> bool:
    """False for the sentinel of an unset decimal."""
    return val != UNSET_DECIMAL


def floatMaxString(val: float | None) -> str:
    """A float with at most 8 digits after the point; an unset one is empty."""
    if val is None or val == UNSET_DOUBLE:
        return ""
    return f"{val:.8f}".rstrip("0").rstrip(".")


def longMaxString(val: int) -> str:
    """A 64-bit integer; an unset one is empty."""
    return str(val) if val != UNSET_LONG else ""


def intMaxString(val: float) -> str:
    """An integer; an unset one is empty."""
    return str(val) if val != UNSET_INTEGER else ""


def decimalMaxString(val: Decimal | float | str) -> str:
    """A decimal without exponent; an unset one is empty."""
    value = Decimal(str(val)) if isinstance(val, float) else Decimal(val)
    return f"{value:f}" if value != UNSET_DECIMAL else ""


def isAsciiPrintable(val: Iterable[str]) -> bool:
    """True if all characters are printable ASCII, tab, line feed or carriage return."""
    return all(" " <= c <= "~" or c in "\t\n\r" for c in val)


def isPegBenchOrder(orderType: str) -> bool:
    """True for both spellings of pegged to benchmark."""
    return orderType in ("PEG BENCH", "PEGBENCH")


def isPegMidOrder(orderType: str) -> bool:
    """True for both spellings of pegged to midpoint."""
    return orderType in ("PEG MID", "PEGMID")


def isPegBestOrder(orderType: str) -> bool:
    """True for both spellings of pegged to best."""
    return orderType in ("PEG BEST", "PEGBEST")


def currentTimeMillis() -> int:
    """The wall clock in epoch milliseconds."""
    return now_ms()


def getTimeStrFromMillis(time: int) -> str:
    """Epoch milliseconds as local time, such as ``Jan 02, 2026 09:30:00.000``; empty for 0 and below."""
    from datetime import datetime

    return datetime.fromtimestamp(time / 1000.0).strftime("%b %d, %Y %H:%M:%S.%f")[:-3] if time > 0 else ""


def listOfValues(cls: type[_E]) -> list[_E]:
    """The members of an enumeration."""
    return list(cls)


def getEnumTypeFromString(cls: type[_E], stringIn: object) -> _E:
    """The member whose code this is; the first member where there is none."""
    return next((item for item in cls if item.value[0] == stringIn), next(iter(cls)))


def getEnumTypeName(cls: type[_E], valueIn: object) -> str:
    """The name of a member; the first member's for what is no member."""
    found = valueIn if isinstance(valueIn, cls) else next(iter(cls))
    return str(found.value[1])
