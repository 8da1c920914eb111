"""What the simulated gateway refuses of an order, and with which code. Pure functions; texts are our own."""

from __future__ import annotations

from collections.abc import Container
from decimal import Decimal
from typing import NamedTuple

from ibwire.sim.exact import EXACT, ZERO
from ibwire.sim.instruments import Instrument
from ibwire.sim.orders import PRICE_CONDITION, SIDES, OrderRequest
from ibwire.sim.refusals import (
    ADAPTIVE,
    ADAPTIVE_PRIORITY,
    ADAPTIVE_TYPES,
    ALGO_FIXED,
    ALGO_NOT_HERE,
    ALGO_PARAMETER,
    ALGO_UNKNOWN,
    ALGO_VALUE,
    COMBO_TYPES,
    IMMEDIATE,
    INVALID,
    LIMIT_TYPES,
    MATCHED_CONDITIONS,
    MATCHED_TIFS,
    MATCHED_TYPES,
    MKT,
    PATIENCE,
    STOP_TYPES,
    TRAIL_LIMIT,
    TRAIL_TYPES,
    TYPE_UNSUPPORTED,
    order_refusal,
)

DUPLICATE_ID = 103
FILLED_ALREADY = 104
MODIFIES_TOO_MUCH = 105
BAD_PRICE_STEP = 110
BAD_TIF = 111
MODIFY_FAILED = 134
UNKNOWN_ORDER = 135
NOT_CANCELLABLE = 161
NO_CONTRACT = 200
REJECTED = 201
CANCEL_CONFIRMED = 202
INVALID_REQUEST = INVALID
TYPE_CHANGE = 329
BAD_GTD = 334
BAD_TIME = 337
SIZE_TOO_SMALL = 388
HELD_FOR_OPEN = 399
STOP_PRICE_MISSING = 403
UNTRADABLE = 412
WHAT_IF_UNTRANSMITTED = 413
ZERO_SIZE = 434
ACCOUNT_MISSING = 435
NO_PERMISSION = 460
RTH_IGNORED = 2109
PARENT_NOT_FOUND = 10006
UNKNOWN_TIF = 10052
CANCEL_NOT_FOUND = 10147
CANCEL_IMPOSSIBLE = 10148
CASH_NOT_MODIFIED = 10241
FRACTION_NOT_MODIFIED = 10242
CASH_NOT_HERE = 10244
NO_FRACTIONS = 10245
FRACTION_NOT_SMART = 10247
FRACTION_TYPE = 10249
TOO_MANY_DECIMALS = 10286
OCA_GROUP_FIXED = 10326
OCA_TYPE_FIXED = 10327
PARENT_FIXED = 10341

MAX_DIGITS = 15  # of a size before the point; arithmetic beyond is a way to keep a gateway busy
_CASH_TYPES = frozenset({"STK", "CASH", "CRYPTO"})
_ONE = Decimal(1)
_HUNDRED = Decimal(100)


class Refusal(NamedTuple):
    """Why not: the code and the text of the `error` message."""

    code: int
    text: str


def is_absurd(size: Decimal) -> bool:
    """True for a size, a price or an amount with more digits than any order can have."""
    # The text is at most sign, point and digits longer than the digits alone, and far cheaper to get than as_tuple.
    return size.is_finite() and (size.adjusted() > MAX_DIGITS or len(str(size)) > 2 * MAX_DIGITS)


def refuse_order(request: OrderRequest, accounts: Container[str], *, must_name_account: bool = False) -> Refusal | None:
    """Return why an order as such cannot be taken, or None when it can."""
    instrument = request.instrument
    if request.problem:
        return Refusal(INVALID_REQUEST, f"Invalid request: {request.problem}")
    if instrument is None:
        return Refusal(NO_CONTRACT, "No security definition fits this contract")
    if not instrument.tradable:
        return Refusal(UNTRADABLE, f"{instrument.localSymbol} cannot be traded")
    if request.action not in SIDES:
        return Refusal(INVALID_REQUEST, f"Invalid request: order action '{request.action}' is not BUY or SELL")
    if request.extras:
        return refuse_extras(request)
    if request.account and request.account not in accounts:
        return Refusal(INVALID_REQUEST, "Invalid request: account code is not one of this login")
    if must_name_account and not request.account:
        return Refusal(ACCOUNT_MISSING, "The order must name one of the login's accounts")
    if request.whatIf and not request.transmit:
        return Refusal(WHAT_IF_UNTRANSMITTED, "A what-if order must have its transmit flag set")
    return (
        refuse_size(request, instrument)
        or refuse_type(request)
        or refuse_algo(request)
        or refuse_prices(request, instrument)
        or refuse_times(request)
        or refuse_conditions(request)
        or refuse_group(request)
    )


def refuse_permission(request: OrderRequest, without: Container[str]) -> Refusal | None:
    """Return why the login may not trade an instrument: its symbol, security type or everything is in `without`."""
    instrument = request.instrument
    assert instrument is not None  # refuse_order saw to it
    for item in (instrument, *(part.instrument for part in instrument.parts)):
        if any(name in without for name in ("*", item.symbol, item.localSymbol, item.secType)):
            return Refusal(NO_PERMISSION, f"No trading permission for {item.localSymbol} ({item.secType})")
    return None


def refuse_extras(request: OrderRequest) -> Refusal | None:
    """Return why an attribute cannot be taken."""
    row = order_refusal("attribute", request.extras[0])
    if request.account and request.extras[0] == "faGroup":
        return Refusal(REJECTED, "Order rejected: account and advisor group exclude each other")
    assert row is not None  # extras are names of that table
    return Refusal(*row)


def refuse_size(request: OrderRequest, instrument: Instrument) -> Refusal | None:
    """Return why a size or a cash quantity cannot be taken."""
    if request.cashQty is not None and request.cashQty != ZERO:
        if instrument.secType not in _CASH_TYPES or request.orderType in TRAIL_TYPES:
            return Refusal(CASH_NOT_HERE, "A cash quantity cannot be used for this order")
        if request.cashQty < ZERO or is_absurd(request.cashQty):
            return Refusal(INVALID_REQUEST, "Invalid request: the cash quantity must be above zero")
        return None
    quantity = request.totalQuantity
    if not quantity.is_finite() or quantity <= ZERO:
        return Refusal(ZERO_SIZE, "The order size must be above zero")
    if is_absurd(quantity):
        return Refusal(INVALID_REQUEST, "Invalid request: the order size is absurd")
    return refuse_fraction(request, instrument)


def refuse_fraction(request: OrderRequest, instrument: Instrument) -> Refusal | None:
    """Return why a size is too small or too fine."""
    quantity, increment = request.totalQuantity, instrument.sizeIncrement
    whole = quantity == quantity.to_integral_value()
    if not whole and increment >= _ONE:
        return Refusal(NO_FRACTIONS, f"{instrument.localSymbol} cannot be traded in fractions")
    if quantity < instrument.minSize:
        return Refusal(SIZE_TOO_SMALL, f"The order size is below the minimum of {instrument.minSize}")
    if not (whole and increment == _ONE):
        count = EXACT.divide(quantity, increment)
        if count != count.to_integral_value():
            return Refusal(TOO_MANY_DECIMALS, f"The order size is not a multiple of {increment}")
    if not whole and instrument.secType == "STK":
        if instrument.exchange != "SMART":
            return Refusal(FRACTION_NOT_SMART, "Fractions of a share can only be routed SMART")
        if request.orderType in TRAIL_TYPES:
            return Refusal(FRACTION_TYPE, f"Order type {request.orderType} does not take fractions of a share")
    return None


def refuse_type(request: OrderRequest) -> Refusal | None:
    """Return why an order type or time in force cannot be taken."""
    combo = request.instrument is not None and request.instrument.parts
    if request.orderType not in MATCHED_TYPES or (combo and request.orderType not in COMBO_TYPES):
        row = order_refusal("orderType", request.orderType)
        if row is not None:
            return Refusal(*row)
        if combo and request.orderType in MATCHED_TYPES:
            return Refusal(TYPE_UNSUPPORTED, f"Order type {request.orderType} does not go with a combination")
        return Refusal(INVALID_REQUEST, f"Invalid request: '{request.orderType}' is not an order type")
    if request.tif not in MATCHED_TIFS:
        row = order_refusal("tif", request.tif)
        if row is not None:
            return Refusal(*row)
        return Refusal(INVALID_REQUEST, f"Invalid request: '{request.tif}' is not a time in force")
    if request.tif in IMMEDIATE and request.orderType in TRAIL_TYPES:
        return Refusal(BAD_TIF, f"Time in force {request.tif} does not go with order type {request.orderType}")
    if not 0 <= request.triggerMethod <= 8 or request.triggerMethod in (5, 6):
        return Refusal(INVALID_REQUEST, f"Invalid request: there is no trigger method {request.triggerMethod}")
    return None


def _off_step(price: Decimal | None, instrument: Instrument) -> bool:
    if price is None or is_absurd(price):
        return True
    steps = instrument.steps(price)
    return steps is None or (steps <= 0 and not instrument.parts)  # a net price may be anything


def refuse_prices(request: OrderRequest, instrument: Instrument) -> Refusal | None:
    """Return why a price cannot be taken."""
    step = Refusal(BAD_PRICE_STEP, f"The price is not a positive multiple of the price step {instrument.minTick}")
    if request.orderType in LIMIT_TYPES and _off_step(request.lmtPrice, instrument):
        return step
    if request.orderType in STOP_TYPES:
        if not request.auxPrice:
            return Refusal(STOP_PRICE_MISSING, "The stop price (auxPrice) is missing")
        return step if _off_step(request.auxPrice, instrument) else None
    if request.orderType in TRAIL_TYPES:
        return _refuse_trail(request, instrument, step)
    return None


def _refuse_trail(request: OrderRequest, instrument: Instrument, step: Refusal) -> Refusal | None:
    amount, percent = request.auxPrice or None, request.trailingPercent or None
    if (amount is None) == (percent is None):
        return Refusal(INVALID_REQUEST, "Invalid request: a trailing order has an amount or a percentage, and not both")
    if amount is not None and _off_step(amount, instrument):
        return step
    if percent is not None and not ZERO < percent < _HUNDRED:
        return Refusal(INVALID_REQUEST, "Invalid request: the trailing percentage must be above 0 and below 100")
    if request.trailStopPrice and _off_step(request.trailStopPrice, instrument):
        return step
    if request.orderType != TRAIL_LIMIT:
        return None
    offset, limit = request.lmtPriceOffset, request.lmtPrice or None
    if (offset is None) == (limit is None) or (limit is not None and not request.trailStopPrice):
        text = "a trailing limit has an offset, or a limit price and a stop price"
        return Refusal(INVALID_REQUEST, f"Invalid request: {text}")
    if limit is not None:
        return step if _off_step(limit, instrument) else None
    assert offset is not None
    off = is_absurd(offset) or instrument.steps(offset) is None
    return step if off else None


def refuse_algo(request: OrderRequest) -> Refusal | None:
    """Return why an algorithm, or how it is set, cannot be taken."""
    strategy = request.algoStrategy
    if not strategy:
        return Refusal(ALGO_UNKNOWN, "Algorithm parameters without an algorithm") if request.algoParams else None
    if strategy != ADAPTIVE:
        row = order_refusal("algorithm", strategy)
        return Refusal(*row) if row is not None else Refusal(ALGO_UNKNOWN, f"There is no algorithm '{strategy}'")
    if request.orderType not in ADAPTIVE_TYPES or (request.instrument is not None and request.instrument.parts):
        return Refusal(ALGO_NOT_HERE, f"The algorithm {strategy} does not go with this order")
    for tag, value in request.algoParams:
        if tag != ADAPTIVE_PRIORITY:
            return Refusal(ALGO_PARAMETER, f"The algorithm {strategy} has no parameter '{tag}'")
        if value not in PATIENCE:
            return Refusal(ALGO_VALUE, f"The parameter {tag} cannot be '{value}'")
    return None


def refuse_times(request: OrderRequest) -> Refusal | None:
    """Return why a good-till or good-after time cannot be taken."""
    if request.tif == "GTD" and request.good_till_ns == 0:
        return Refusal(BAD_GTD, "A good-till-date order must say until when (goodTillDate)")
    if request.good_till_ns < 0 or request.good_after_ns < 0:
        return Refusal(BAD_TIME, "The date, time or time zone is not of the form yyyymmdd hh:mm:ss zone")
    return None


def refuse_conditions(request: OrderRequest) -> Refusal | None:
    """Return why an order condition cannot be taken."""
    for condition in request.conditions:
        if condition.condType not in MATCHED_CONDITIONS:
            names = (f"{condition.condType} {word}" for word in ("margin", "execution", "volume", "percent change"))
            rows = [row for row in (order_refusal("condition", name) for name in names) if row is not None]
            text = f"Invalid request: there is no order condition of type {condition.condType}"
            return Refusal(*rows[0]) if rows else Refusal(INVALID_REQUEST, text)
        if condition.problem:
            return Refusal(INVALID_REQUEST, f"Invalid request: order condition: {condition.problem}")
        if condition.condType == PRICE_CONDITION and condition.price <= ZERO:
            return Refusal(INVALID_REQUEST, "Invalid request: order condition: the price must be above zero")
    return None


def refuse_group(request: OrderRequest) -> Refusal | None:
    """Return why a one-cancels-all group cannot be taken."""
    if not 0 <= request.ocaType <= 3:
        return Refusal(INVALID_REQUEST, f"Invalid request: there is no one-cancels-all type {request.ocaType}")
    return None


def refuse_modify(old: OrderRequest, new: OrderRequest, filled: Decimal) -> Refusal | None:
    """Return why a modify cannot be taken although the new order as such could: price, size and tif may change."""
    was, now = old.instrument, new.instrument
    if was is None or now is None or was.conId != now.conId or old.action != new.action:
        return Refusal(MODIFIES_TOO_MUCH, "The order differs from the working one in more than price, size and tif")
    if new.account and old.account and new.account != old.account:
        return Refusal(MODIFIES_TOO_MUCH, "The account of a working order cannot be changed")
    if old.cashQty:
        return Refusal(CASH_NOT_MODIFIED, "An order with a cash quantity cannot be modified")
    if old.totalQuantity != old.totalQuantity.to_integral_value() and was.secType == "STK":
        return Refusal(FRACTION_NOT_MODIFIED, "An order for fractions of a share cannot be modified")
    if old.orderType != new.orderType and new.orderType != MKT:
        return Refusal(TYPE_CHANGE, f"An order of type {old.orderType} cannot become {new.orderType}")
    if (old.algoStrategy, old.algoParams) != (new.algoStrategy, new.algoParams):
        return Refusal(ALGO_FIXED, "The algorithm of a working order cannot be changed")
    if new.ocaGroup and new.ocaGroup != old.ocaGroup:
        return Refusal(OCA_GROUP_FIXED, "The one-cancels-all group of a working order cannot be changed")
    if new.ocaGroup and new.ocaType != old.ocaType:
        return Refusal(OCA_TYPE_FIXED, "The one-cancels-all type of a working order cannot be changed")
    if new.parentId and new.parentId != old.parentId:
        return Refusal(PARENT_FIXED, "The parent of a working order cannot be changed")
    if new.totalQuantity <= filled:
        return Refusal(MODIFY_FAILED, f"The new size is not above the {filled} filled already")
    return None
