"""What the simulated gateway refuses, and with which code. Pure functions; texts are our own."""

from __future__ import annotations

from collections.abc import Container
from decimal import Decimal
from typing import NamedTuple

from ibwire.sim.exact import EXACT, ZERO
from ibwire.sim.instruments import Instrument
from ibwire.sim.orders import SIDES, OrderRequest

DUPLICATE_ID = 103
FILLED_ALREADY = 104
MODIFIES_TOO_MUCH = 105
BAD_PRICE_STEP = 110
BAD_TIF = 111
MODIFY_FAILED = 134
NO_CONTRACT = 200
REJECTED = 201
CANCEL_CONFIRMED = 202
INVALID_REQUEST = 321
TYPE_CHANGE = 329
TYPE_UNSUPPORTED = 387
SIZE_TOO_SMALL = 388
UNTRADABLE = 412
WHAT_IF_UNTRANSMITTED = 413
ZERO_SIZE = 434
TOO_MANY_DECIMALS = 10286
CANCEL_NOT_FOUND = 10147
CANCEL_IMPOSSIBLE = 10148

MKT, LMT = "MKT", "LMT"
MATCHED_TYPES = frozenset({MKT, LMT})
# Types that the API knows and this gateway does not match: 387. A word that is no type at all gets 321.
# fmt: off
OTHER_TYPES = frozenset({
    "STP", "STP LMT", "STP PRT", "TRAIL", "TRAIL LIMIT", "TRAIL LIT", "TRAIL MIT", "MIT", "LIT", "MOC", "LOC", "MOO",
    "LOO", "MTL", "MKT PRT", "MIDPRICE", "REL", "VOL", "PEG MKT", "PEG MID", "PEG BEST", "PEG PRIM", "PEG STK",
    "PEG BENCH", "PEGMIDVOL", "PEGMKTVOL", "PEGPRMVOL", "PEGSRFVOL", "PASSV REL", "SNAP MKT", "SNAP MID", "SNAP PRIM",
    "REL + LMT", "REL + MKT", "LMT + MKT", "IBALGO", "BOX TOP", "FUNARI", "QUOTE", "ICEBERG", "",
})
# fmt: on
MATCHED_TIFS = frozenset({"", "DAY", "GTC", "IOC", "FOK"})
OTHER_TIFS = frozenset({"GTD", "OPG", "DTC", "AUC", "GTX", "OVERNIGHT", "OVERNIGHT + DAY", "MINUTES"})


class Refusal(NamedTuple):
    """Why not: the code and the text of the `error` message."""

    code: int
    text: str


def refuse_order(request: OrderRequest, accounts: Container[str]) -> Refusal | None:
    """Return why an order as such cannot be taken, or None when it can."""
    instrument = request.instrument
    if instrument is None:
        return Refusal(NO_CONTRACT, "No security definition fits this contract")
    if not instrument.tradable:
        return Refusal(UNTRADABLE, f"{instrument.localSymbol} cannot be traded")
    if request.action not in SIDES:
        return Refusal(INVALID_REQUEST, f"Invalid request: order action '{request.action}' is not BUY or SELL")
    if request.account and request.account not in accounts:
        return Refusal(INVALID_REQUEST, "Invalid request: account code is not one of this login")
    if request.whatIf and not request.transmit:
        return Refusal(WHAT_IF_UNTRANSMITTED, "A what-if order must have its transmit flag set")
    return refuse_size(request.totalQuantity, instrument) or refuse_type(request) or refuse_price(request, instrument)


def refuse_size(quantity: Decimal, instrument: Instrument) -> Refusal | None:
    """Return why a size cannot be taken."""
    if not quantity.is_finite() or quantity <= ZERO:
        return Refusal(ZERO_SIZE, "The order size must be above zero")
    if quantity < instrument.minSize:
        return Refusal(SIZE_TOO_SMALL, f"The order size is below the minimum of {instrument.minSize}")
    count = EXACT.divide(quantity, instrument.sizeIncrement)
    if count != count.to_integral_value():
        return Refusal(TOO_MANY_DECIMALS, f"The order size is not a multiple of {instrument.sizeIncrement}")
    return None


def refuse_type(request: OrderRequest) -> Refusal | None:
    """Return why an order type or time in force cannot be taken."""
    if request.orderType not in MATCHED_TYPES:
        if request.orderType in OTHER_TYPES:
            return Refusal(TYPE_UNSUPPORTED, f"Order type {request.orderType} is not supported for this contract here")
        return Refusal(INVALID_REQUEST, f"Invalid request: '{request.orderType}' is not an order type")
    if request.tif not in MATCHED_TIFS:
        if request.tif in OTHER_TIFS:
            return Refusal(BAD_TIF, f"Time in force {request.tif} does not go with order type {request.orderType} here")
        return Refusal(INVALID_REQUEST, f"Invalid request: '{request.tif}' is not a time in force")
    return None


def refuse_price(request: OrderRequest, instrument: Instrument) -> Refusal | None:
    """Return why a limit price cannot be taken."""
    if request.orderType != LMT:
        return None
    steps = None if request.lmtPrice is None else instrument.steps(request.lmtPrice)
    if steps is None or steps <= 0:
        return Refusal(BAD_PRICE_STEP, f"The price is not a positive multiple of the price step {instrument.minTick}")
    return None


def refuse_modify(old: OrderRequest, new: OrderRequest, filled: Decimal) -> Refusal | None:
    """Return why a modify cannot be taken although the new order as such could: price, size and tif may change."""
    was, now = old.instrument, new.instrument
    if was is None or now is None or was.conId != now.conId or old.action != new.action:
        return Refusal(MODIFIES_TOO_MUCH, "The order differs from the working one in more than price, size and tif")
    if old.orderType != new.orderType and (old.orderType, new.orderType) != (LMT, MKT):
        return Refusal(TYPE_CHANGE, f"An order of type {old.orderType} cannot become {new.orderType}")
    if new.totalQuantity <= filled:
        return Refusal(MODIFY_FAILED, f"The new size is not above the {filled} filled already")
    return None
