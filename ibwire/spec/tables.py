"""What the live tables take from the rings: which record means which field of a quote, or of an order's row.

The compiled tables (``_ring``, ``_tracker``) get this as plain numbers, and so know no message and no tick type;
:mod:`ibwire.client.quotes` reads the same rows.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Final, NamedTuple

from ibwire.spec import ticks
from ibwire.spec.errorcodes import CONNECTION_RESTORED, ORDER_ONLY, OrderEffect, order_effect
from ibwire.spec.orderstates import (
    DEADLINE_MS,
    ENDED,
    RISK,
    RULES,
    TRANSITIONS,
    WIRE_STATUSES,
    Event,
    Flag,
    Legality,
    Risk,
    State,
    Trigger,
)
from ibwire.spec.records import BY_NAME
from ibwire.spec.registry import INCOMING, by_name

__all__ = [
    "MOST_CODES",
    "NO_PRICE",
    "ORDER_SOURCES",
    "QUOTE_SOURCES",
    "SIDES",
    "STATUS_NONE",
    "STATUS_UNKNOWN",
    "WIRE_STATUS_CODES",
    "Move",
    "OrderSource",
    "QuoteSource",
    "Role",
    "code_table",
    "machine_plan",
    "order_plan",
    "quote_plan",
]

SIDES: Final = ("bid", "ask", "last")

NO_PRICE: Final = -1.0
"""A price of -1 without a size says that there is no such price now; a combination may well trade at -1."""


class QuoteSource(NamedTuple):
    """A record that brings a price, a size or both for one side of a quote.

    kind : message id. part, record : of which record. tick : its ``tickType``. side : one of :data:`SIDES`.
    price, size : names of the record's fields, or empty. delayed : the data is delayed.
    """

    kind: int
    part: int
    tick: int
    side: str
    price: str
    size: str
    delayed: bool
    record: str


_BY_TICK_LAST: Final = 1
_BY_TICK_ALL_LAST: Final = 2
_BY_TICK_BID_ASK: Final = 3


def _quote_sources() -> tuple[QuoteSource, ...]:
    price, size, by_tick = (by_name(name).id for name in ("tickPrice", "tickSize", "tickByTick"))
    found = []
    for prefix in ("", "DELAYED_"):
        for side in SIDES:
            tick = ticks.NUMBERS[f"{prefix}{side.upper()}"]
            found.append(QuoteSource(price, 0, tick, side, "price", "size", bool(prefix), "TICK_PRICE"))
            tick = ticks.NUMBERS[f"{prefix}{side.upper()}_SIZE"]
            found.append(QuoteSource(size, 0, tick, side, "", "size", bool(prefix), "TICK_SIZE"))
    for tick in (_BY_TICK_LAST, _BY_TICK_ALL_LAST):
        found.append(QuoteSource(by_tick, 0, tick, "last", "price", "size", False, "TICK_BY_TICK"))
    found.append(QuoteSource(by_tick, 0, _BY_TICK_BID_ASK, "bid", "price", "size", False, "TICK_BY_TICK"))
    found.append(QuoteSource(by_tick, 1, _BY_TICK_BID_ASK, "ask", "ask_price", "ask_size", False, "TICK_BY_TICK"))
    return tuple(found)


QUOTE_SOURCES: Final = _quote_sources()


def quote_plan() -> list[tuple[int, int, int, int, int, int, int]]:
    """:data:`QUOTE_SOURCES` as numbers: kind, part, tick, side, offsets of price and size in the record (-1: not
    there), delayed."""
    plan = []
    for source in QUOTE_SOURCES:
        offsets = BY_NAME[source.record].offsets()
        at = [offsets[name] - 64 * source.part if name else -1 for name in (source.price, source.size)]
        side = SIDES.index(source.side)
        plan.append((source.kind, source.part, source.tick, side, at[0], at[1], int(source.delayed)))
    return plan


# ------------------------------------------------------------------------------------------------------------- orders

STATUS_NONE: Final = 0
STATUS_UNKNOWN: Final = 255
WIRE_STATUS_CODES: Final[dict[str, int]] = {text: number for number, text in enumerate(WIRE_STATUSES, 1)}
"""``status_code`` of a row. 0: no status came yet; 255: a text that is not known, which stands beside it as it came."""


class Role:
    """What an entry of a kind is to an order: which counter it raises, and how its order is found."""

    STATUS = 0
    OPEN = 1
    EXECUTION = 2
    COMMISSION = 3  # names an execution, not an order
    ERROR = 4  # names an order of ours or a request
    COMPLETED = 5
    BOUND = 6  # an order typed in by hand has an order id now
    OPEN_END = 7  # the end of an answer to a question for open orders


class Move(NamedTuple):
    """A number that goes from an entry's header to a column of the row.

    digits : digits field that goes with it, by name, or empty. group : 0, it is stored as it is, unset too. Otherwise
    the numbers of one group are stored when at least one of them is neither unset nor zero, and unset ones never are:
    the gateway sends zeros in place of what it does not know, and they must not replace what is known.
    """

    source: str
    column: str
    group: int = 0
    digits: str = ""


class OrderSource(NamedTuple):
    """How entries of one kind go into the order table."""

    record: str
    role: int
    moves: tuple[Move, ...] = ()


ORDER_SOURCES: Final = (
    OrderSource(
        "ORDER_STATUS",
        Role.STATUS,
        (
            Move("filled", "filled", 1, "filled_digits"),
            Move("remaining", "remaining", 1, "remaining_digits"),
            Move("avg_price", "avg_price", 2),
            Move("last_price", "last_price", 3),
            Move("parentId", "parentId", 4),
        ),
    ),
    OrderSource(
        "OPEN_ORDER",
        Role.OPEN,
        (
            Move("quantity", "quantity", 1, "quantity_digits"),
            Move("price", "limit_price"),
            Move("parentId", "parentId", 2),
        ),
    ),
    OrderSource(
        "EXECUTION",
        Role.EXECUTION,
        (Move("filled", "executed", 1), Move("price", "last_price", 2), Move("avg_price", "avg_price", 3)),
    ),
    OrderSource("COMMISSION", Role.COMMISSION),
    OrderSource("ERROR", Role.ERROR),
    OrderSource(
        "COMPLETED_ORDER",
        Role.COMPLETED,
        (
            Move("quantity", "quantity", 1, "quantity_digits"),
            Move("filled", "filled", 2, "filled_digits"),
            Move("price", "limit_price"),
        ),
    ),
    OrderSource("ORDER_BOUND", Role.BOUND),
    OrderSource("OPEN_ORDER_END", Role.OPEN_END),
)


@cache
def order_plan() -> tuple[
    list[tuple[int, int, list[tuple[int, int, int, int, int, int]]]], list[tuple[bytes, int]], tuple[int, ...]
]:
    """:data:`ORDER_SOURCES` as numbers.

    Returns
    -------
    tuple
        For each kind: message id, role, and moves (source offset, column offset, 1 for a double, group, digits source
        and digits column or -1). Then the status texts with their codes, in the order of their events. Then where each
        field stands in every header.
    """
    columns = BY_NAME["ORDER_ROW"].offsets()
    kinds = {row.record: row.id for row in INCOMING.values() if row.record}
    plan = []
    for source in ORDER_SOURCES:
        at = BY_NAME[source.record].offsets()
        types = {f.name: f.ctype for f in BY_NAME[source.record].fields}
        moves = [
            (
                at[move.source],
                columns[move.column],
                int(types[move.source] == "f64"),
                move.group,
                at[move.digits] if move.digits else -1,
                columns[move.digits] if move.digits else -1,
            )
            for move in source.moves
        ]
        plan.append((kinds[source.record], source.role, moves))
    places = tuple(BY_NAME["ORDER_STATUS"].offsets().values())
    return plan, [(text.encode(), code) for text, code in WIRE_STATUS_CODES.items()], places


# ---------------------------------------------------------------------------------------------------- the state machine

MOST_CODES: Final = 1 << 15
"""Error codes below have an entry of their own; any other is no more than a note."""
_MAKES_ORDER: Final = 128
_RESTORES: Final = 64

_STATES: Final = (
    *(State.CREATED, State.UNTRANSMITTED, State.SENT, State.ACKNOWLEDGED, State.WORKING, State.PARTIALLY_FILLED),
    *(State.MODIFY_REQUESTED, State.FILLED, State.CANCELLED, State.REJECTED, State.EXPIRED, State.UNCERTAIN),
    State.JOURNALED,
)
_FLAGS: Final = (
    *(Flag.SEEN_LIVE, Flag.ANSWERED, Flag.CANCEL_ASKED, Flag.MODIFY_OPEN, Flag.DOUBT, Flag.BLIND, Flag.NEEDS_QUERY),
    *(Flag.HELD, Flag.UNNAMED, Flag.FILLS, Flag.SETTLED, Flag.SNAPSHOT, Flag.EXPIRY, Flag.MORE, Flag.OF_CANCEL),
    *(Flag.UNEQUAL, Flag.AMBIGUOUS, Flag.AGAIN),
)
_EVENTS: Final = (
    *(Event.STATUS_FILLED, Event.OTHER_STATUS, Event.EXECUTION, Event.EXECUTION_FULL, Event.EXECUTION_REDUCED),
    *(Event.ERROR_NOTE, Event.TERMS_ACCEPTED, Event.TERMS_STALE, Event.PLACE, Event.PLACE_UNTRANSMITTED),
    *(Event.CANCEL_REQUEST, Event.SEND_FAILED, Event.SEND_BROKEN, Event.LINK_LOST, Event.RESTORED, Event.DEADLINE),
    *(Event.UNDECODABLE, Event.ABSENT, Event.LOOKED_UP, Event.JOURNALED),
)


@cache
def _effects() -> bytes:
    return bytes(int(order_effect(code)) for code in range(MOST_CODES))


@cache
def _rules() -> tuple[list[list[tuple[int, int, int, int, int, int]]], list[tuple[int, int, int, int]]]:
    rules = [[(r.states, r.need, r.forbid, int(r.trigger), r.set, r.clear) for r in of_event] for of_event in RULES]
    cells = [
        (int(state), int(trigger), cell.target, int(cell.legality is Legality.ANOMALY))
        for (state, trigger), cell in TRANSITIONS.items()
    ]
    return rules, cells


def code_table(effects: Mapping[int, OrderEffect] | None = None, *, restores: bool = True) -> bytes:
    """For each error code its effect on an order; plus 128 where it makes an order that is not known.

    ``restores``: plus 64 where it says, without an id, that answers may be missing.
    """
    table = bytearray(_effects())
    for code, effect in (effects or {}).items():
        table[code] = int(effect)
    for code in ORDER_ONLY:
        table[code] |= _MAKES_ORDER
    for code in CONNECTION_RESTORED if restores else ():
        table[code] |= _RESTORES
    return bytes(table)


def machine_plan(effects: Mapping[int, OrderEffect] | None = None, *, restores: bool = True) -> tuple[object, ...]:
    """The order machine of :mod:`ibwire.spec.orderstates` as numbers.

    Returns
    -------
    tuple
        Rules of each event (states, need, forbid, trigger, set, clear); cells (state, trigger, target, 1 for an
        anomaly); ms that each state may last; risk of each; :func:`code_table`; bits of the states that are ends, and
        of those that may be filled; the numbers of what the steps themselves name, which the machine compares with
        its own.
    """
    rules, cells = _rules()
    may_fill = sum(1 << state for state, risk in enumerate(RISK) if risk in (Risk.MAYBE_LIVE, Risk.LIVE, Risk.UNKNOWN))
    effects_named = (OrderEffect.WARNING, OrderEffect.REFUSED, OrderEffect.MODIFY_REFUSED, OrderEffect.CANCELLED)
    effect = (*effects_named, Trigger.WARNING, Trigger.MODIFY_REFUSED)
    return (
        rules,
        cells,
        list(DEADLINE_MS),
        [int(risk) for risk in RISK],
        code_table(effects, restores=restores),
        sum(1 << state for state in ENDED),
        may_fill,
        tuple(int(number) for number in (*_STATES, *_FLAGS, *_EVENTS, *effect)),
    )
