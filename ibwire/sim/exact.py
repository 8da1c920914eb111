"""Decimal arithmetic that does not depend on the decimal context of the embedding program."""

from __future__ import annotations

from decimal import ROUND_HALF_EVEN, Context, Decimal, InvalidOperation, Overflow

# Wide enough for size digits x price digits x multiplier; traps stay on so that a mistake is loud.
EXACT = Context(prec=50, rounding=ROUND_HALF_EVEN, traps=[InvalidOperation, Overflow])
ZERO = Decimal(0)
_CENT = Decimal("0.01")
_AVERAGE_PLACES = Decimal("0.00000001")


def ratio(numerator: Decimal, denominator: Decimal) -> Decimal:
    """Return the quotient rounded half-even to 8 places, without trailing zeros (an average price)."""
    return trimmed(EXACT.divide(numerator, denominator).quantize(_AVERAGE_PLACES, context=EXACT))


def cents(value: Decimal) -> Decimal:
    """Return `value` rounded half-even to two places (an amount of money)."""
    return value.quantize(_CENT, context=EXACT)


def trimmed(value: Decimal) -> Decimal:
    """Return `value` without trailing zeros and without an exponent."""
    text = f"{value:f}"
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return Decimal("0") if text in ("-0", "") else Decimal(text)
