"""Orders beyond limit and market: stops, trails, brackets, groups, conditions. Checked when they are made.

Each gives plain :class:`~ibwire.types.structs.Order` objects that may be changed before use.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from math import isfinite
from numbers import Real
from typing import Any, Final

from ibwire.errors import ConfigError
from ibwire.types.constructors import Number, limit, market
from ibwire.types.structs import Contract, Order, OrderCondition, TagValue

__all__ = [
    "Bracket",
    "adaptive",
    "bracket",
    "check_order",
    "conditional",
    "oca",
    "price_condition",
    "stop",
    "stop_limit",
    "time_condition",
    "trailing",
]

_MAY_BE_NEGATIVE: Final = frozenset({"BAG", "FUT", "FOP", "CMDTY"})
"""What has traded, or been quoted as a spread, below 0."""
_WHOLE_ONLY: Final = frozenset({"FUT", "FOP", "OPT", "WAR", "BAG"})
_ACTIONS: Final = ("BUY", "SELL", "SSHORT", "SLONG")
_PRIORITIES: Final = ("Urgent", "Normal", "Patient")
_NEEDS: Final = {
    "LMT": ("lmtPrice",),
    "LOC": ("lmtPrice",),
    "STP": ("auxPrice",),
    "MIT": ("auxPrice",),
    "STP LMT": ("lmtPrice", "auxPrice"),
    "LIT": ("lmtPrice", "auxPrice"),
}


def _price(name: str, value: float) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal) or not isfinite(value):
        raise ConfigError(f"{name} is {value!r}", hint="give a finite number; a quote without a side has NaN")
    return float(value)


def stop(action: str, quantity: Number, trigger: float, tif: str = "DAY", **fields: Any) -> Order:
    """A market order that waits until the market trades at ``trigger`` or worse."""
    made = market(action, quantity, tif, **fields)
    made.orderType, made.auxPrice = "STP", _price("trigger", trigger)
    return made


def stop_limit(
    action: str, quantity: Number, trigger: float, limit_price: float, tif: str = "DAY", **fields: Any
) -> Order:
    """A limit order that waits for ``trigger``. In a fast market it may stay unfilled: then nothing protects."""
    made = limit(action, quantity, _price("limit_price", limit_price), tif, **fields)
    made.orderType, made.auxPrice = "STP LMT", _price("trigger", trigger)
    return made


def trailing(
    action: str,
    quantity: Number,
    *,
    amount: float | None = None,
    percent: float | None = None,
    start: float | None = None,
    tif: str = "DAY",
    **fields: Any,
) -> Order:
    """A stop that follows the market at a distance.

    Parameters
    ----------
    amount, percent : float
        The distance in money or in percent (0..100): exactly one of them, above 0.
    start : float, optional
        Where the stop stands first; TWS takes the market's price else.
    """
    if (amount is None) == (percent is None):
        raise ConfigError("a trailing stop wants one distance", hint="give amount= or percent=, not both")
    made = market(action, quantity, tif, **fields)
    made.orderType = "TRAIL"
    distance = _price("amount" if percent is None else "percent", amount if percent is None else percent)  # type: ignore[arg-type]
    if distance <= 0 or (percent is not None and distance >= 100):
        raise ConfigError(f"a trailing distance of {distance:g}", hint="give a distance above 0, a percent below 100")
    if percent is None:
        made.auxPrice = distance
    else:
        made.trailingPercent = distance
    if start is not None:
        made.trailStopPrice = _price("start", start)
    return made


def adaptive(order: Order, priority: str = "Normal") -> Order:
    """A copy of a limit or market order that IB's adaptive algorithm works: Urgent, Normal or Patient."""
    if priority not in _PRIORITIES:
        raise ConfigError(f"there is no priority {priority!r}", hint=f"say {', '.join(_PRIORITIES)}")
    if order.orderType not in ("LMT", "MKT"):
        raise ConfigError(f"an adaptive order of type {order.orderType}", hint="give a limit or a market order")
    made = copy.copy(order)
    made.algoStrategy, made.algoParams = "Adaptive", [TagValue("adaptivePriority", priority)]
    return made


def price_condition(
    contract: Contract, above: float | None = None, below: float | None = None, exchange: str = ""
) -> OrderCondition:
    """The price of a qualified contract is above, or below, a value (one of the two)."""
    if (above is None) == (below is None):
        raise ConfigError("a price condition wants one of above= and below=")
    if not contract.conId:
        raise ConfigError(f"{contract.symbol or 'a contract'} has no conId", hint="qualify it first")
    price = above if above is not None else below
    assert price is not None
    return OrderCondition(
        condType=1,
        isMore=above is not None,
        price=_price("price", price),
        conId=contract.conId,
        exchange=exchange or contract.exchange,
        triggerMethod=0,
    )


def time_condition(after: str) -> OrderCondition:
    """The time is after ``YYYYMMDD-HH:MM:SS`` (UTC) or ``YYYYMMDD HH:MM:SS ZONE``."""
    if len(after) < 17 or not after[:8].isdigit() or after[8] not in "- ":
        raise ConfigError(f"{after!r} is no time", hint="write it as 20261218-14:30:00, in UTC")
    return OrderCondition(condType=3, isMore=True, time=after)


def conditional(
    order: Order, *conditions: OrderCondition, any_of: bool = False, cancel: bool = False, outside_rth: bool = False
) -> Order:
    """A copy of an order that waits for all of its conditions (or any), or is cancelled by them.

    Parameters
    ----------
    any_of : one is enough. cancel : conditions cancel it rather than release it. outside_rth : they count outside
        regular hours too.
    """
    if not conditions:
        raise ConfigError("a conditional order without conditions")
    made = copy.copy(order)
    made.conditions = [copy.copy(one) for one in conditions]
    for one in made.conditions:
        one.isConjunctionConnection = not any_of
    made.conditionsCancelOrder, made.conditionsIgnoreRth = cancel, outside_rth
    return made


def oca(orders: Sequence[Order], group: str, kind: int = 1) -> list[Order]:
    """Copies that are one group: when one fills, the rest are cancelled (kind 1) or reduced (2; 3 may overfill).

    The group's name must be new: TWS never forgets one.
    """
    if len(orders) < 2:
        raise ConfigError(f"a group of {len(orders)}", hint="give two orders or more")
    if not group.strip():
        raise ConfigError("a group without a name", hint="give a name that was never used in this account")
    if kind not in (1, 2, 3):
        raise ConfigError(f"there is no OCA type {kind!r}", hint="say 1 (cancel), 2 (reduce) or 3 (reduce, unblocked)")
    made = [copy.copy(order) for order in orders]
    for one in made:
        one.ocaGroup, one.ocaType = group, kind
    return made


@dataclass(slots=True)
class Bracket:
    """An entry and what closes it again. Place it with ``client.orders.place_bracket``."""

    parent: Order
    take_profit: Order
    stop_loss: Order

    @property
    def orders(self) -> list[Order]:
        """In the order in which they are sent."""
        return [self.parent, self.take_profit, self.stop_loss]


def bracket(
    action: str,
    quantity: Number,
    entry: float | None,
    take_profit: float,
    stop_loss: float,
    tif: str = "GTC",
    **fields: Any,
) -> Bracket:
    """An entry (a limit, or with None a market order), a limit that takes the profit and a stop that ends the loss.

    Raises
    ------
    ConfigError : a price is on the wrong side of another one.
    """
    if action not in ("BUY", "SELL"):
        raise ConfigError(f"there is no action {action!r}", hint="say BUY or SELL")
    profit, loss = _price("take_profit", take_profit), _price("stop_loss", stop_loss)
    middle = None if entry is None else _price("entry", entry)
    sign, other = (1, "SELL") if action == "BUY" else (-1, "BUY")
    if not sign * loss < sign * profit or (middle is not None and not sign * loss < sign * middle < sign * profit):
        shown = "" if middle is None else f", entry {middle:g}"
        raise ConfigError(
            f"a bracket that {action.lower()}s with stop {loss:g}{shown}, profit {profit:g}",
            hint="a buy wants stop < entry < profit, a sell the reverse",
        )
    if middle is None:
        parent = market(action, quantity, tif, **fields)
    else:
        parent = limit(action, quantity, middle, tif, **fields)
    children = (limit(other, quantity, profit, tif, **fields), stop(other, quantity, loss, tif, **fields))
    made = Bracket(parent, *children)
    parent.transmit = made.take_profit.transmit = False  # the last one releases all three
    return made


def _is_finite(value: Any) -> bool:
    if value.__class__ is float:
        return isfinite(value)
    if isinstance(value, Decimal):
        return value.is_finite()
    return isinstance(value, Real) and not isinstance(value, bool) and isfinite(value)


def check_order(contract: Contract, order: Order) -> None:
    """Look at an order before anything of it is sent.

    Raises
    ------
    ConfigError : no action or type, an action that there is not, an id that is no number, a quantity that is not above
        0 or not whole where it must be, a price that is missing, no number, NaN, infinite, or below 0 where that
        cannot be.
    """
    if not isinstance(contract, Contract) or not isinstance(order, Order):
        raise ConfigError(f"{type(contract).__name__} and {type(order).__name__} are no Contract and Order")
    if not order.action or not order.orderType:
        raise ConfigError("an order without action or orderType", hint="use limit() or market()")
    if order.action not in _ACTIONS:
        raise ConfigError(f"the action is {order.action!r}", hint="say BUY or SELL, as it is written here")
    if not isinstance(order.orderId, int) or isinstance(order.orderId, bool):
        raise ConfigError(f"{order.orderId!r} cannot be an order id", hint="give a whole number, or 0 for the next")
    for name in ("transmit", "whatIf"):
        if not isinstance(getattr(order, name), bool):
            raise ConfigError(f"{name} is {getattr(order, name)!r}", hint="say True or False")
    check_quantity(contract, order)
    cash, quantity = order.cashQty, order.totalQuantity
    if cash is not None and not (_is_finite(cash) and cash >= 0):
        raise ConfigError(f"cashQty is {cash}", hint="give an amount above 0")
    if cash and quantity:
        raise ConfigError(f"a quantity of {quantity} and cashQty {cash}", hint="set one of them")
    for name in _NEEDS.get(order.orderType, ()):
        if getattr(order, name) is None:
            raise ConfigError(f"a {order.orderType} order without {name}", hint=f"set {name}")
    for name in ("lmtPrice", "auxPrice", "trailStopPrice", "trailingPercent"):
        value = getattr(order, name)
        if value is None:
            continue
        check_price(contract, name, value)
    if order.orderType in ("TRAIL", "TRAIL LIMIT") and not (order.auxPrice or order.trailingPercent):
        raise ConfigError(f"a {order.orderType} order without a distance", hint="set auxPrice or trailingPercent")


def check_quantity(contract: Contract, order: Order) -> None:
    """The part of :func:`check_order` that is about how much. Raises ConfigError."""
    quantity = order.totalQuantity
    if quantity is None or (_is_finite(quantity) and quantity == 0):
        if not order.cashQty:
            raise ConfigError("an order without a quantity", hint="set totalQuantity")
    elif not _is_finite(quantity) or quantity < 0:
        raise ConfigError(f"a quantity of {quantity}", hint="give a number above 0")
    elif contract.secType in _WHOLE_ONLY and quantity % 1:
        raise ConfigError(f"a quantity of {quantity} of a {contract.secType}", hint="give a whole number")


def check_price(contract: Contract, name: str, value: float) -> None:
    """The part of :func:`check_order` that is about one price. Raises ConfigError."""
    if not _is_finite(value):
        raise ConfigError(f"{name} is {value!r}", hint="give a finite number; a quote without a side has NaN")
    if value < 0 and contract.secType not in _MAY_BE_NEGATIVE:
        raise ConfigError(f"{name} is {value}: below 0 for a {contract.secType or 'contract'}")
