"""Option prices and greeks, the same on every machine.

Black-Scholes without dividends. Only the basic float operations are used, which IEEE 754 rounds alike everywhere; `exp`
and `ln` are built of them here, because those of C libraries differ in the last place.
"""

from __future__ import annotations

from math import frexp, ldexp, sqrt
from typing import NamedTuple

_LN2 = 0.6931471805599453
_SQRT_TWO_PI = 2.5066282746310002
RATE = 0.04
YEAR_DAYS = 365
MIN_VOL, MAX_VOL = 0.0001, 10.0


def exp(x: float) -> float:
    """e to the power of x, |x| up to about 700."""
    k = int(x / _LN2 + (0.5 if x >= 0 else -0.5))
    r = (x - k * _LN2) / 16.0
    total = 1.0 + r * (1.0 + r / 2.0 * (1.0 + r / 3.0 * (1.0 + r / 4.0 * (1.0 + r / 5.0 * (1.0 + r / 6.0)))))
    total *= total
    total *= total
    total *= total
    total *= total
    return ldexp(total, k)


def ln(x: float) -> float:
    """Natural logarithm of x > 0."""
    m, k = frexp(x)
    if m < 0.7071067811865476:
        m, k = m * 2.0, k - 1
    s = (m - 1.0) / (m + 1.0)
    q = s * s
    series = 1.0 + q * (1 / 3 + q * (1 / 5 + q * (1 / 7 + q * (1 / 9 + q * (1 / 11 + q * (1 / 13 + q / 15))))))
    return 2.0 * s * series + k * _LN2


def density(x: float) -> float:
    """Of the normal distribution."""
    return exp(-x * x / 2.0) / _SQRT_TWO_PI if -37.0 < x < 37.0 else 0.0


def normal(x: float) -> float:
    """Share of the normal distribution below x, to about 1e-7."""
    if x < 0.0:
        return 1.0 - normal(-x)
    t = 1.0 / (1.0 + 0.2316419 * x)
    series = t * (0.31938153 + t * (-0.356563782 + t * (1.781477937 + t * (-1.821255978 + t * 1.330274429))))
    return 1.0 - density(x) * series


class Greeks(NamedTuple):
    """What a model says about one option: money per unit of the underlying; theta a day, vega a vol point."""

    price: float
    delta: float
    gamma: float
    vega: float
    theta: float


def model(call: bool, under: float, strike: float, years: float, vol: float) -> Greeks:
    """Price and greeks. At or after expiry (years <= 0) what the option is worth if it ends now."""
    if years <= 0.0 or vol <= 0.0:
        worth = max(under - strike, 0.0) if call else max(strike - under, 0.0)
        inside = 1.0 if worth > 0.0 else 0.0
        return Greeks(worth, inside if call else -inside, 0.0, 0.0, 0.0)
    root = sqrt(years)
    spread = vol * root
    d1 = (ln(under / strike) + (RATE + vol * vol / 2.0) * years) / spread
    d2 = d1 - spread
    discounted = strike * exp(-RATE * years)
    bell = density(d1)
    gamma, vega = bell / (under * spread), under * bell * root / 100.0
    decay = -under * bell * vol / (2.0 * root)
    if call:
        n1, n2 = normal(d1), normal(d2)
        theta = decay - RATE * discounted * n2
        return Greeks(max(under * n1 - discounted * n2, 0.0), n1, gamma, vega, theta / YEAR_DAYS)
    n1, n2 = normal(-d1), normal(-d2)
    theta = decay + RATE * discounted * n2
    return Greeks(max(discounted * n2 - under * n1, 0.0), -n1, gamma, vega, theta / YEAR_DAYS)


def implied_vol(call: bool, price: float, under: float, strike: float, years: float) -> float | None:
    """The volatility at which the model gives a price; None when there is none."""
    if years <= 0.0 or price <= 0.0 or under <= 0.0 or strike <= 0.0:
        return None
    low, high = MIN_VOL, MAX_VOL
    if not model(call, under, strike, years, low).price <= price <= model(call, under, strike, years, high).price:
        return None
    for _ in range(60):
        middle = (low + high) / 2.0
        if model(call, under, strike, years, middle).price < price:
            low = middle
        else:
            high = middle
    return (low + high) / 2.0
