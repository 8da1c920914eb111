"""What the live tables take from the rings: which record means which field of a quote, or of an order's row.

The compiled tables (``_ring``, ``_tracker``) get this as plain numbers, and so know no message and no tick type;
:mod:`ibwire.client.quotes` reads the same rows.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from ibwire.spec import ticks
from ibwire.spec.orderstates import WIRE_STATUSES
from ibwire.spec.records import BY_NAME
from ibwire.spec.registry import INCOMING, by_name

__all__ = [
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
    ERROR = 4  # names an order of ours or a request; it makes no row


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
)


def order_plan() -> tuple[
    list[tuple[int, int, list[tuple[int, int, int, int, int, int]]]], list[tuple[bytes, int]], tuple[int, ...]
]:
    """:data:`ORDER_SOURCES` as numbers.

    Returns
    -------
    tuple
        For each kind: message id, role, and moves (source offset, column offset, 1 for a double, group, digits source
        and digits column or -1). Then the status texts with their codes. Then where order id, permId, client id, code,
        status text and execution id stand in every header.
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
    at = BY_NAME["ORDER_STATUS"].offsets()
    places = tuple(at[name] for name in ("orderId", "permId", "clientId", "code", "status", "execId"))
    return plan, [(text.encode(), code) for text, code in WIRE_STATUS_CODES.items()], places
