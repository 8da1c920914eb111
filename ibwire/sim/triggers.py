"""What stop and trailing orders wait for, and order conditions. Pure functions on integer prices.

A stop order waits until its trigger price is reached, by the method of its `triggerMethod` (0 chooses by instrument):

======  ==================  =======================================================================================
1       double bid/ask      two changes in a row with the bid (buy) or the ask (sell) at the stop or beyond
2       last                one trade at the stop or beyond
3       double last         two trades in a row
4       bid/ask             one change with the bid (buy) or the ask (sell) at the stop or beyond
7       last or bid/ask     whichever comes first
8       mid-point           the middle of bid and ask
======  ==================  =======================================================================================

By default stocks, futures and crypto wait for trades, options for two quotes in a row, currencies for quotes.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from typing import Protocol

from ibwire.sim.exact import EXACT
from ibwire.sim.instruments import Instrument
from ibwire.sim.market import Quote, TickChange, TickKind
from ibwire.sim.orders import PRICE_CONDITION, Condition
from ibwire.sim.refusals import TRAIL_TYPES, TRIGGERED_TYPES
from ibwire.sim.working import WorkingOrder


class Quoted(Protocol):
    """What is asked of an instrument's quotes: prices in steps."""

    @property
    def bid(self) -> int:
        """Best bid."""

    @property
    def ask(self) -> int:
        """Best ask."""

    def quote(self) -> Quote:
        """Return everything, the last trade among it."""


DOUBLE_QUOTE, LAST, DOUBLE_LAST, QUOTE, EITHER, MIDDLE = 1, 2, 3, 4, 7, 8
_DEFAULT = {"OPT": DOUBLE_QUOTE, "CASH": QUOTE}
_TRADES = frozenset({TickKind.LAST, TickKind.LAST_SIZE})
_QUOTES = frozenset({TickKind.BID, TickKind.ASK, TickKind.BID_SIZE, TickKind.ASK_SIZE})
_HUNDRED = Decimal(100)


def method_of(triggerMethod: int, instrument: Instrument) -> int:
    """Return the trigger method in force."""
    return triggerMethod or _DEFAULT.get(instrument.secType, LAST)


def last_steps(process: Quoted) -> int:
    """Return the last trade's price, or the middle of the quote where there are no trades, steps."""
    return process.quote().last or (process.bid + process.ask) // 2


def _prices(method: int, process: Quoted, rising: bool) -> tuple[int, ...]:
    """Return the prices that count, in half steps."""
    if method in (LAST, DOUBLE_LAST):
        return (2 * last_steps(process),)
    if method == MIDDLE:
        return (process.bid + process.ask,)
    quoted = 2 * (process.bid if rising else process.ask)
    return (2 * last_steps(process), quoted) if method == EITHER else (quoted,)


def _counts(method: int, changes: list[TickChange]) -> bool:
    """True when the changes hold something that this method looks at."""
    if method in (LAST, DOUBLE_LAST):
        kinds = _TRADES
    elif method == EITHER:
        kinds = _TRADES | _QUOTES
    else:
        kinds = _QUOTES
    return any(change.kind in kinds for change in changes)


def reached(order: WorkingOrder, process: Quoted, changes: list[TickChange] | None) -> bool:
    """True when the order's trigger price is reached; `changes` None means as of now, without a change."""
    stop = order.stop
    if stop is None:
        return False
    method = method_of(order.request.triggerMethod, order.instrument)
    if changes is not None and not _counts(method, changes):
        return False
    rising = order.is_buy
    prices = _prices(method, process, rising)
    hit = max(prices) >= 2 * stop if rising else min(prices) <= 2 * stop
    order.touches = order.touches + 1 if hit else 0
    return order.touches >= (2 if method in (DOUBLE_QUOTE, DOUBLE_LAST) else 1)


# ---------------------------------------------------------------------------------------------- trailing


def _distance(order: WorkingOrder, reference: int) -> int:
    request, instrument = order.request, order.instrument
    if request.trailingPercent:
        share = EXACT.multiply(Decimal(reference), EXACT.divide(request.trailingPercent, _HUNDRED))
        # Away from the market, so that the stop is never closer than was asked.
        return max(int(share.to_integral_value(ROUND_CEILING)), 1)
    assert request.auxPrice is not None  # refuse_prices saw to it
    return instrument.steps(request.auxPrice) or 1


def start_trailing(order: WorkingOrder, process: Quoted) -> None:
    """Set the first stop of a trailing order, and the distance of a trailing limit's price."""
    request, instrument = order.request, order.instrument
    steps = instrument.steps(request.trailStopPrice) if request.trailStopPrice else None
    order.stop = steps
    if steps is None:
        follow(order, process)
    assert order.stop is not None
    if request.lmtPriceOffset is not None:
        offset = instrument.steps(request.lmtPriceOffset) or 0
        order.trail_offset = offset if order.is_buy else -offset
    elif request.lmtPrice:
        order.trail_offset = (instrument.steps(request.lmtPrice) or order.stop) - order.stop


def follow(order: WorkingOrder, process: Quoted) -> bool:
    """Move a trailing stop after the market; it never moves back. True when it moved."""
    method = method_of(order.request.triggerMethod, order.instrument)
    rising = order.is_buy
    halves = _prices(method, process, rising)
    reference = min(halves) // 2 if rising else (max(halves) + 1) // 2
    distance = _distance(order, reference)
    stop = reference + distance if rising else max(reference - distance, 1)
    if order.stop is None or (stop < order.stop if rising else stop > order.stop):
        order.stop = stop
        return True
    return False


def is_trailing(order: WorkingOrder) -> bool:
    """True for an order whose stop follows the market."""
    return order.request.orderType in TRAIL_TYPES


def needs_trigger(order: WorkingOrder) -> bool:
    """True while an order waits for its trigger price."""
    return order.request.orderType in TRIGGERED_TYPES and not order.triggered


def on_trigger(order: WorkingOrder) -> None:
    """The order is now what it was to become: at the market, or limited."""
    order.triggered = True
    if order.trail_offset is not None and order.stop is not None:
        order.limit = max(order.stop + order.trail_offset, 1)


# ---------------------------------------------------------------------------------------------- conditions

Process = Callable[[Instrument], Quoted]


def holds(condition: Condition, process: Process, now_ns: int) -> bool:
    """True when one condition is fulfilled now."""
    if condition.condType != PRICE_CONDITION:
        return now_ns >= condition.time_ns if condition.isMore else now_ns <= condition.time_ns
    instrument = condition.instrument
    assert instrument is not None  # refuse_conditions saw to it
    rounding = ROUND_CEILING if condition.isMore else ROUND_FLOOR
    halves = EXACT.divide(EXACT.multiply(condition.price, Decimal(2)), instrument.price_step)
    wanted = int(halves.to_integral_value(rounding))
    method = method_of(condition.triggerMethod, instrument)
    prices = _prices(method, process(instrument), condition.isMore)
    return max(prices) >= wanted if condition.isMore else min(prices) <= wanted


def fulfilled(conditions: tuple[Condition, ...], process: Process, now_ns: int) -> bool:
    """True when a chain of conditions is fulfilled: and binds closer than or; an empty chain is."""
    group = True
    for index, condition in enumerate(conditions):
        group = group and holds(condition, process, now_ns)
        if index + 1 == len(conditions):
            return group
        if not condition.conjunction:
            if group:
                return True
            group = True
    return True
