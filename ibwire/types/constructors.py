"""Short ways to write contracts and orders: each gives a plain dataclass that may be changed before use."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from typing import Any

from ibwire.errors import ConfigError
from ibwire.types.structs import Contract, Order

__all__ = ["forex", "future", "limit", "market", "option", "stock"]

Number = int | float | Decimal | str


def stock(symbol: str, exchange: str = "SMART", currency: str = "USD", **fields: Any) -> Contract:
    """A stock or fund share.

    Parameters
    ----------
    symbol : str
        IB's symbol, such as ``AAPL``.
    exchange, currency : str
        Where to route, and in what money; ``SMART`` routes by itself.
    **fields
        Any other field of :class:`~ibwire.types.structs.Contract`, such as ``primaryExchange="NASDAQ"``.
    """
    return Contract(symbol=_text("symbol", symbol), secType="STK", exchange=exchange, currency=currency, **fields)


def forex(pair: str, exchange: str = "IDEALPRO", **fields: Any) -> Contract:
    """A currency pair: ``EUR.USD``, ``EUR/USD`` or ``EURUSD``."""
    letters = _text("pair", pair).replace(".", "").replace("/", "").upper()
    if len(letters) != 6 or not letters.isalpha():
        raise ConfigError(f"{pair!r} is no currency pair", hint="write it as EUR.USD")
    return Contract(symbol=letters[:3], secType="CASH", exchange=exchange, currency=letters[3:], **fields)


def future(symbol: str, expiry: str, exchange: str, currency: str = "USD", **fields: Any) -> Contract:
    """A future; ``expiry`` is ``YYYYMM`` or ``YYYYMMDD``."""
    return Contract(
        symbol=_text("symbol", symbol),
        secType="FUT",
        lastTradeDateOrContractMonth=_expiry(expiry, (6, 8)),
        exchange=exchange,
        currency=currency,
        **fields,
    )


def option(
    symbol: str,
    expiry: str,
    strike: float,
    right: str,
    exchange: str = "SMART",
    currency: str = "USD",
    **fields: Any,
) -> Contract:
    """An option on a stock or index; ``expiry`` is ``YYYYMMDD``, ``right`` is ``C`` or ``P``."""
    letter = right[:1].upper()
    if right.upper() not in ("C", "P", "CALL", "PUT"):
        raise ConfigError(f"{right!r} is no right of an option", hint="say C or P")
    return Contract(
        symbol=_text("symbol", symbol),
        secType="OPT",
        lastTradeDateOrContractMonth=_expiry(expiry, (6, 8)),
        strike=float(strike),
        right=letter,
        exchange=exchange,
        currency=currency,
        **fields,
    )


def limit(action: str, quantity: Number, price: float, tif: str = "DAY", **fields: Any) -> Order:
    """A limit order.

    Parameters
    ----------
    action : str
        ``BUY`` or ``SELL``.
    quantity : int, Decimal, str or float
        How much, above 0.
    price : float
        The worst acceptable price, in the contract's currency.
    tif : str
        Time in force: DAY, GTC, IOC, ...
    **fields
        Any other field of :class:`~ibwire.types.structs.Order`.

    Raises
    ------
    ConfigError : no such action, a quantity that is not above 0, or a price that is no finite number.
    """
    if not isinstance(price, int | float | Decimal) or price != price or abs(price) == float("inf"):
        raise ConfigError(f"a limit price of {price!r}", hint="give a finite number; a quote without a side has NaN")
    return _order(action, quantity, orderType="LMT", lmtPrice=float(price), tif=tif, **fields)


def market(action: str, quantity: Number, tif: str = "DAY", **fields: Any) -> Order:
    """A market order; parameters as for :func:`limit`."""
    return _order(action, quantity, orderType="MKT", tif=tif, **fields)


def _order(action: str, quantity: Number, **fields: Any) -> Order:
    if action not in ("BUY", "SELL"):
        raise ConfigError(f"there is no action {action!r}", hint="say BUY or SELL")
    try:
        amount = Decimal(str(quantity))
    except InvalidOperation:
        raise ConfigError(f"a quantity of {quantity!r}", hint="give a number") from None
    if not amount.is_finite() or amount <= 0:
        raise ConfigError(f"a quantity of {quantity!r}", hint="give a number above 0")
    return Order(action=action, totalQuantity=amount, **fields)


def _text(name: str, value: str) -> str:
    if not value or not value.strip():
        raise ConfigError(f"an empty {name}")
    return value


def _expiry(value: str, lengths: tuple[int, ...]) -> str:
    if not value.isdigit() or len(value) not in lengths:
        raise ConfigError(f"{value!r} is no expiry", hint="write it as YYYYMM or YYYYMMDD")
    return value
