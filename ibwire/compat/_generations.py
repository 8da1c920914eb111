"""Which release a program was written for, read from its callbacks: resolved at connect, not when a message comes.

Loaded when a program connects, not when it is imported.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from decimal import Decimal
from typing import Any, Final

from ibwire.compat.commission_report import CommissionReport
from ibwire.compat.const import UNSET_DECIMAL, UNSET_DOUBLE, UNSET_INTEGER
from ibwire.compat.wrapper import is_base, overridden

Convert = Callable[[str, Decimal], Any]
"""``(argument or attribute name, value) -> what the program gets``."""

_REPORT: Final = "commissionAndFeesReport"
_OLD_REPORT: Final = "commissionReport"
_POSITIONAL: Final = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)

# Sizes that were floats in 9.81; all others were ints.
_FLOATS_IN_9_81: Final = frozenset(
    {"filled", "remaining", "position", "shares", "cumQty", "totalQuantity", "filledQuantity", "wap"}
)
# Where a size stands among the parameters, for programs whose error() says nothing.
_SIZE_PARAMETERS: Final = (("tickSize", 2), ("orderStatus", 2), ("position", 2), ("updateMktDepth", 5))


def _parameters(function: Callable[..., Any]) -> list[inspect.Parameter] | None:
    """The parameters of a bound callback; None where they cannot be known."""
    try:
        return list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError):
        return None


# ------------------------------------------------------------------------------------------------ error


def error_arguments(function: Callable[..., Any], style: int | None = None) -> tuple[int, ...]:
    """Which of (id, time, code, text, json) an ``error`` callback gets, in that order.

    Parameters
    ----------
    function : the program's ``error``, bound.
    style : 3, 4 or 5: how many parameters it has, for programs that cannot say. None: look.

    Notes
    -----
    Names count first: a second parameter that names a time is 10.37 or newer, one that names a code is older. Then
    the number of parameters: 3 is 9.81, 4 is 10.19, 5 or ``*args`` is 10.37 and newer.
    """
    if style is not None:
        return {3: (0, 2, 3), 4: (0, 2, 3, 4)}.get(style, (0, 1, 2, 3, 4))
    found = _parameters(function)
    if found is None:
        return (0, 1, 2, 3, 4)
    places = [p.name.lower() for p in found if p.kind in _POSITIONAL]
    many = any(p.kind is p.VAR_POSITIONAL for p in found)
    second = places[1] if len(places) > 1 else ""
    newest, older = (0, 1, 2, 3, 4), (0, 2, 3, 4)
    if "time" in second:
        return newest if many else newest[: max(len(places), 4)]
    if "code" in second:
        return older if many else older[: max(len(places), 3)]
    if not many and len(places) in (3, 4):
        return older[: len(places)]
    return newest


def error_caller(wrapper: Any, style: int | None = None) -> Callable[[int, int, int, str, str], None]:
    """A function of (id, time, code, text, json) that calls the wrapper's ``error`` in the form that it has."""
    callback = wrapper.error
    places = error_arguments(callback, style)
    if places == (0, 1, 2, 3, 4):
        found: Callable[[int, int, int, str, str], None] = callback
        return found

    def call(*values: Any) -> None:
        callback(*[values[place] for place in places])

    return call


# ------------------------------------------------------------------------------------------------ sizes


def size_conversion(wrapper: Any, sizes: str | None = None, style: int | None = None) -> Convert | None:
    """What a program's sizes are made of; None: they stay decimals.

    Parameters
    ----------
    sizes : ``"int"``, ``"float"`` or ``"decimal"``, for programs that cannot say. None: a program whose ``error`` has
        three parameters is of the 9.81 time and gets the kinds of then, a whole number or a float; one that does not
        override ``error`` is believed what it annotates.

    Notes
    -----
    As ``int``, a size with a fraction is a float: nothing is cut off. Unset is the sentinel of the kind.
    """
    if sizes is not None:
        kinds: dict[str, Convert | None] = {"int": _as_int, "float": _as_float, "decimal": None}
        if sizes not in kinds:
            raise ValueError(f"sizes is {sizes!r}; give 'int', 'float' or 'decimal'")
        return kinds[sizes]
    if style is not None or _by_program(wrapper, "error"):
        return _as_in_9_81 if len(error_arguments(wrapper.error, style)) == 3 else None
    return _as_in_9_81 if _annotated(wrapper) else None


def _by_program(wrapper: Any, name: str) -> bool:
    """As :func:`overridden`, but not what a base class does with ``error``."""
    if name in getattr(wrapper, "__dict__", ()):
        return True
    owner = next((cls for cls in type(wrapper).__mro__ if name in vars(cls)), None)
    return owner is None or not is_base(owner)


def _annotated(wrapper: Any) -> bool:
    """Whether the first size that the program annotates is a plain number."""
    for name, place in _SIZE_PARAMETERS:
        if overridden(wrapper, name):
            found = _parameters(getattr(wrapper, name)) or []
            if len(found) > place and found[place].annotation is not inspect.Parameter.empty:
                return found[place].annotation in (int, float, "int", "float")
    return False


def _as_int(name: str, value: Decimal) -> int | float:
    if value == UNSET_DECIMAL:
        return UNSET_INTEGER
    whole = int(value)
    return whole if whole == value else float(value)


def _as_float(name: str, value: Decimal) -> float:
    return UNSET_DOUBLE if value == UNSET_DECIMAL else float(value)


def _as_in_9_81(name: str, value: Decimal) -> int | float:
    return _as_float(name, value) if name in _FLOATS_IN_9_81 else _as_int(name, value)


# ------------------------------------------------------------------------------------------------ one callback


def callback_for(wrapper: Any, name: str, style: int | None = None) -> Callable[..., Any] | None:
    """What to call for a callback of the newest release; None where the program overrides none of its names.

    A program that overrides both names of the commission report gets the newer one alone, as an official release
    knows one of them: a program that adds up both would count twice.
    """
    if name == _REPORT and not overridden(wrapper, name):
        return _old_report(wrapper) if overridden(wrapper, _OLD_REPORT) else None
    if not overridden(wrapper, name):
        return None
    if name in getattr(wrapper, "__dict__", ()):  # may be set again at any time
        if name == "error":
            return lambda *values: error_caller(wrapper, style)(*values)
        return lambda *values: getattr(wrapper, name)(*values)
    if name == "error":
        return error_caller(wrapper, style)
    found: Callable[..., Any] = getattr(wrapper, name)
    return found


def _old_report(wrapper: Any) -> Callable[[Any], None]:
    def call(report: Any) -> None:
        old = CommissionReport()
        for name in vars(old):
            setattr(old, name, getattr(report, name))
        wrapper.commissionReport(old)

    return call
