"""Seeded traffic: the framed bytes of the five message mixes, in both dialects.

Stand-alone on purpose: stdlib only and nothing of ibwire, so what measures the decoder cannot share its opinions.
A mix is a walk that calls one method per message on a sink. The two sinks here write bytes; the one in
``expected.py`` writes the callbacks that the same walk means.

======  ===================================================================================================
M1      tickPrice
M2      45 % tickPrice, 40 % tickSize, 10 % tickString, 5 % tickGeneric
M3      tick-by-tick, half AllLast, half BidAsk
M4      market depth L2 that forms a valid book: sorted sides, no position beyond the end, never crossed
M5      openOrder, orderStatus, execDetails and commission report per order
======  ===================================================================================================

Dialects: ``t176`` is text at server version 176, ``p225`` is protobuf at 225. 100 request ids; prices in whole cents,
written with two digits; sizes are decimals, one in ten of them fractional.
"""

from __future__ import annotations

import struct
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass
from random import Random
from typing import Final, Generic, Protocol, TypeVar

MIXES: Final = ("M1", "M2", "M3", "M4", "M5")
DIALECTS: Final = ("t176", "p225")
SERVER_VERSIONS: Final = {"t176": 176, "p225": 225}
REQUEST_IDS: Final = range(1001, 1101)
ACCOUNT: Final = "DU0000001"
CLIENT_ID: Final = 7
ORDER_REF: Final = "bench"
DOUBLE_MAX: Final = float.fromhex("0x1.fffffffffffffp+1023")
INT_MAX_TEXT: Final = "2147483647"
DOUBLE_MAX_TEXT: Final = "1.7976931348623157E308"

BID, ASK, LAST, HIGH, LOW, CLOSE, OPEN = 1, 2, 4, 6, 7, 9, 14
BID_SIZE, ASK_SIZE, LAST_SIZE, VOLUME = 0, 3, 5, 8
ALL_LAST, BID_ASK = 2, 3
INSERT, UPDATE, DELETE = 0, 1, 2
ASK_SIDE, BID_SIDE = 0, 1

_EXCHANGES = ("NASDAQ", "ARCA", "BATS", "IEX", "NYSE", "DRCTEDGE", "EDGEA", "BYX")
_SYMBOLS = ("AAPL", "AMD", "AMZN", "BAC", "C", "F", "GE", "GOOG", "IBM", "INTC", "JPM", "KO", "MSFT", "NVDA", "QQQ")
_START_S = 1_760_000_000
_DEPTH_ROWS = 10

T = TypeVar("T", covariant=True)


@dataclass(frozen=True, slots=True)
class Order:
    """One filled limit order, as far as the mix varies it. Prices in cents."""

    orderId: int
    permId: int
    conId: int
    symbol: str
    exchange: str
    action: str
    quantity: str
    limit_cents: int
    fill_cents: int
    commission: str
    execId: str
    time: str
    liquidity: int


class Sink(Protocol[T]):
    """What a walk calls, one method per message. Prices in cents, sizes as the decimal text on the wire."""

    def tick_price(self, req_id: int, tick_type: int, cents: int, size: str, mask: int) -> T: ...
    def tick_size(self, req_id: int, tick_type: int, size: str) -> T: ...
    def tick_string(self, req_id: int, tick_type: int, value: str) -> T: ...
    def tick_generic(self, req_id: int, tick_type: int, value: str) -> T: ...
    def all_last(
        self, req_id: int, time_s: int, cents: int, size: str, mask: int, exchange: str, conditions: str
    ) -> T: ...
    def bid_ask(self, req_id: int, time_s: int, bid: int, ask: int, bid_size: str, ask_size: str, mask: int) -> T: ...
    def depth(self, req_id: int, position: int, maker: str, operation: int, side: int, cents: int, size: str) -> T: ...
    def open_order(self, order: Order) -> T: ...
    def order_status(self, order: Order) -> T: ...
    def execution(self, order: Order) -> T: ...
    def commission(self, order: Order) -> T: ...


# ---------------------------------------------------------------------------------------------------- text, version 176


def price_text(cents: int) -> str:
    """Cents as the decimal that goes on the wire, always two digits after the point."""
    return f"{cents // 100}.{cents % 100:02d}"


def _text(*fields: object) -> bytes:
    return ("\0".join(map(str, fields)) + "\0").encode("ascii")


class Text176:
    """Payloads as a gateway of server version 176 writes them."""

    def tick_price(self, req_id: int, tick_type: int, cents: int, size: str, mask: int) -> bytes:
        return _text(1, 6, req_id, tick_type, price_text(cents), size, mask)

    def tick_size(self, req_id: int, tick_type: int, size: str) -> bytes:
        return _text(2, 6, req_id, tick_type, size)

    def tick_string(self, req_id: int, tick_type: int, value: str) -> bytes:
        return _text(46, 6, req_id, tick_type, value)

    def tick_generic(self, req_id: int, tick_type: int, value: str) -> bytes:
        return _text(45, 6, req_id, tick_type, value)

    def all_last(
        self, req_id: int, time_s: int, cents: int, size: str, mask: int, exchange: str, conditions: str
    ) -> bytes:
        return _text(99, req_id, ALL_LAST, time_s, price_text(cents), size, mask, exchange, conditions)

    def bid_ask(self, req_id: int, time_s: int, bid: int, ask: int, bid_size: str, ask_size: str, mask: int) -> bytes:
        return _text(99, req_id, BID_ASK, time_s, price_text(bid), price_text(ask), bid_size, ask_size, mask)

    def depth(self, req_id: int, position: int, maker: str, operation: int, side: int, cents: int, size: str) -> bytes:
        return _text(13, 1, req_id, position, maker, operation, side, price_text(cents), size, 1)

    def open_order(self, o: Order) -> bytes:
        unset = (DOUBLE_MAX_TEXT,) * 9
        limit = price_text(o.limit_cents)
        return _text(
            5, o.orderId, *self._contract(o, "SMART"),
            o.action, o.quantity, "LMT", limit, "0.0", "DAY", "", ACCOUNT, "", 0, ORDER_REF, CLIENT_ID, o.permId,
            0, 0, 0, "", f"{o.permId}.0/{ACCOUNT}/100",  # outsideRth, hidden, discretionaryAmt, -, shares allocation
            "", "", "", "", "", "", "", "", "",  # three fa fields, faProfile, modelCode, goodTillDate, rule80A, -, -
            0, "", -1, 0, "", "", "", "", "", INT_MAX_TEXT, 0, 0, 0, "", 3, 0, 0, "", 0, 0,  # ... triggerMethod
            "", 0, "None", "", 0, "", "", "", "?", 0, 0, "", 0, 0,  # volatility and delta neutral
            "", "", "", "", "", 0, 0, 0,  # trail, basis points, combo legs, routing parameters
            INT_MAX_TEXT, INT_MAX_TEXT, "", "", 0, "", "IB", 0, 0, "", 0,  # scale, hedge, clearing, algo, solicited
            0, "Submitted", *unset, "", "", "", "", "", 0, 0, 0,  # whatIf, status, margins, commissions ... conditions
            "None", DOUBLE_MAX_TEXT, limit, *unset[:4], 0, "", "", "", 0, 1, 0, 0, 0, "", "", 0,  # ... autoCancelParent
            "", "", "", "", "",  # peg best and peg mid
        )  # fmt: skip

    def order_status(self, o: Order) -> bytes:
        fill = price_text(o.fill_cents)
        return _text(3, o.orderId, "Filled", o.quantity, 0, fill, o.permId, 0, fill, CLIENT_ID, "", "0.0")

    def execution(self, o: Order) -> bytes:
        fill = price_text(o.fill_cents)
        return _text(
            11, -1, o.orderId, *self._contract(o, o.exchange), o.execId, o.time, ACCOUNT, o.exchange,
            "BOT" if o.action == "BUY" else "SLD", o.quantity, fill, o.permId, CLIENT_ID, 0, o.quantity, fill,
            ORDER_REF, "", "", "", o.liquidity,
        )  # fmt: skip

    def commission(self, o: Order) -> bytes:
        return _text(59, 1, o.execId, o.commission, "USD", DOUBLE_MAX_TEXT, DOUBLE_MAX_TEXT, "")

    @staticmethod
    def _contract(o: Order, exchange: str) -> tuple[object, ...]:
        return (o.conId, o.symbol, "STK", "", "0.0", "?", "", exchange, "USD", o.symbol, "NMS")


# ------------------------------------------------------------------------------------------------ protobuf, version 225


def _varint(value: int) -> bytes:
    value &= 0xFFFF_FFFF_FFFF_FFFF  # negative numbers travel as 64-bit two's complement: ten bytes
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def _message(*fields: tuple[int, int | float | str | bytes]) -> bytes:
    """Write (number, value) pairs: int and bool as varint, float as fixed64, str and bytes length-delimited."""
    out = []
    for number, value in fields:
        if isinstance(value, int):
            out.append(_varint(number << 3) + _varint(value))
        elif isinstance(value, float):
            out.append(_varint(number << 3 | 1) + struct.pack("<d", value))
        else:
            raw = value.encode() if isinstance(value, str) else value
            out.append(_varint(number << 3 | 2) + _varint(len(raw)) + raw)
    return b"".join(out)


def _proto(msg_id: int, *fields: tuple[int, int | float | str | bytes]) -> bytes:
    return struct.pack(">I", 200 + msg_id) + _message(*fields)


class Proto225:
    """Payloads as a gateway of server version 225 writes them; every field of the message is set, zeros too."""

    def tick_price(self, req_id: int, tick_type: int, cents: int, size: str, mask: int) -> bytes:
        return _proto(1, (1, req_id), (2, tick_type), (3, cents / 100), (4, size), (5, mask))

    def tick_size(self, req_id: int, tick_type: int, size: str) -> bytes:
        return _proto(2, (1, req_id), (2, tick_type), (3, size))

    def tick_string(self, req_id: int, tick_type: int, value: str) -> bytes:
        return _proto(46, (1, req_id), (2, tick_type), (3, value))

    def tick_generic(self, req_id: int, tick_type: int, value: str) -> bytes:
        return _proto(45, (1, req_id), (2, tick_type), (3, float(value)))

    def all_last(
        self, req_id: int, time_s: int, cents: int, size: str, mask: int, exchange: str, conditions: str
    ) -> bytes:
        attributes = _message((1, mask & 1), (2, mask >> 1 & 1))
        tick = _message((1, time_s), (2, attributes), (3, cents / 100), (4, size), (5, exchange), (6, conditions))
        return _proto(99, (1, req_id), (2, ALL_LAST), (3, tick))

    def bid_ask(self, req_id: int, time_s: int, bid: int, ask: int, bid_size: str, ask_size: str, mask: int) -> bytes:
        attributes = _message((1, mask & 1), (2, mask >> 1 & 1))
        tick = _message((1, time_s), (2, attributes), (3, bid / 100), (4, ask / 100), (5, bid_size), (6, ask_size))
        return _proto(99, (1, req_id), (2, BID_ASK), (4, tick))

    def depth(self, req_id: int, position: int, maker: str, operation: int, side: int, cents: int, size: str) -> bytes:
        row = _message((1, position), (2, operation), (3, side), (4, cents / 100), (5, size), (6, maker), (7, 1))
        return _proto(13, (1, req_id), (2, row))

    def open_order(self, o: Order) -> bytes:
        order = _message(
            (1, CLIENT_ID), (2, o.orderId), (3, o.permId), (4, 0), (5, o.action), (6, o.quantity), (8, "LMT"),
            (9, o.limit_cents / 100), (10, 0.0), (11, "DAY"), (12, ACCOUNT), (15, "IB"), (16, 0), (17, 0), (18, 0),
            (19, 0), (20, 0), (23, o.limit_cents / 100), (28, ORDER_REF), (30, 3), (31, 0), (38, 0), (39, 0), (40, 0),
            (41, "None"), (43, 0), (44, "?"), (45, 0), (46, 0), (65, 0), (66, 1), (69, 0), (70, 0), (72, -1), (76, 0.0),
            (77, 0), (83, 0), (85, 0), (86, 0), (87, 0), (93, "None"), (98, 0), (106, 0.0), (111, 1), (112, 0),
            (113, 0), (117, 0), (119, 0), (122, 0), (133, 0), (135, 0), (138, 0), (139, 0), (140, 0), (141, 0),
        )  # fmt: skip
        state = _message((1, "Submitted"))
        return _proto(5, (1, o.orderId), (2, self._contract(o, "SMART")), (3, order), (4, state))

    def order_status(self, o: Order) -> bytes:
        fill = o.fill_cents / 100
        return _proto(
            3, (1, o.orderId), (2, "Filled"), (3, o.quantity), (4, "0"), (5, fill), (6, o.permId), (7, 0), (8, fill),
            (9, CLIENT_ID), (10, ""), (11, 0.0),
        )  # fmt: skip

    def execution(self, o: Order) -> bytes:
        fill = o.fill_cents / 100
        execution = _message(
            (1, o.orderId), (2, o.execId), (3, o.time), (4, ACCOUNT), (5, o.exchange),
            (6, "BOT" if o.action == "BUY" else "SLD"), (7, o.quantity), (8, fill), (9, o.permId), (10, CLIENT_ID),
            (11, 0), (12, o.quantity), (13, fill), (14, ORDER_REF), (18, o.liquidity), (19, 0),
        )  # fmt: skip
        return _proto(11, (1, -1), (2, self._contract(o, o.exchange)), (3, execution))

    def commission(self, o: Order) -> bytes:
        return _proto(59, (1, o.execId), (2, float(o.commission)), (3, "USD"), (4, DOUBLE_MAX), (5, DOUBLE_MAX))

    @staticmethod
    def _contract(o: Order, exchange: str) -> bytes:
        return _message(
            (1, o.conId), (2, o.symbol), (3, "STK"), (5, 0.0), (6, "?"), (8, exchange), (10, "USD"), (11, o.symbol),
            (12, "NMS"),
        )  # fmt: skip


# ------------------------------------------------------------------------------------------------------------ the walks


class _Walk(Generic[T]):
    """The state of one seeded walk: a price per request id, a book per request id, the clock of the exchange."""

    def __init__(self, sink: Sink[T], seed: int) -> None:
        self.rng = Random(seed)
        self.sink = sink
        self.cents = {req_id: self.rng.randrange(500, 400_000) for req_id in REQUEST_IDS}
        self.time_s = _START_S
        self.books: dict[tuple[int, int], list[int]] = {(r, s): [] for r in REQUEST_IDS for s in (ASK_SIDE, BID_SIDE)}

    def instrument(self) -> tuple[int, int]:
        """Pick a request id and move its price a few cents."""
        req_id = self.rng.choice(REQUEST_IDS)
        cents = max(100, self.cents[req_id] + self.rng.randint(-3, 3))
        self.cents[req_id] = cents
        return req_id, cents

    def size(self) -> str:
        if self.rng.random() < 0.1:
            digits = self.rng.randint(1, 4)
            units = self.rng.randrange(1, 10**digits)
            return f"{self.rng.randrange(200)}.{units:0{digits}d}".rstrip("0")
        return str(self.rng.choice((1, 10, 100)) * self.rng.randint(1, 99))

    def tick_price(self) -> T:
        rng = self.rng
        req_id, cents = self.instrument()
        tick_type = rng.choices((BID, ASK, LAST, rng.choice((HIGH, LOW, CLOSE, OPEN))), (45, 45, 9, 1))[0]
        size = self.size() if tick_type <= LAST else "0"
        mask = rng.choices((0, 1, 2, 4), (30, 66, 2, 2))[0] if tick_type <= ASK else 0
        return self.sink.tick_price(req_id, tick_type, cents, size, mask)

    def m1(self) -> Iterator[T]:
        while True:
            yield self.tick_price()

    def m2(self) -> Iterator[T]:
        rng, sink = self.rng, self.sink
        while True:
            kind = rng.random()
            if kind < 0.45:
                yield self.tick_price()
            elif kind < 0.85:
                tick_type = rng.choices((BID_SIZE, ASK_SIZE, LAST_SIZE, VOLUME), (42, 42, 10, 6))[0]
                size = str(rng.randrange(100_000, 90_000_000)) if tick_type == VOLUME else self.size()
                yield sink.tick_size(rng.choice(REQUEST_IDS), tick_type, size)
            elif kind < 0.95:
                yield self.tick_string()
            else:
                req_id = rng.choice(REQUEST_IDS)
                tick_type = rng.choice((23, 24, 49, 54, 56))
                # Volatilities come with as many digits as a double keeps exactly; halted and the rates are short.
                value = f"0.{rng.randrange(10**14, 6 * 10**14)}" if tick_type < 25 else f"{rng.randrange(3)}.0"
                yield sink.tick_generic(req_id, tick_type, value)

    def tick_string(self) -> T:
        rng = self.rng
        req_id, cents = self.instrument()
        self.time_s += rng.random() < 0.1
        tick_type = rng.choices((45, 48, 32, 33, 84), (60, 25, 5, 5, 5))[0]
        if tick_type == 45:
            return self.sink.tick_string(req_id, tick_type, str(self.time_s))
        if tick_type == 48:
            stamp = f"{self.time_s}{rng.randrange(1000):03d}"
            value = f"{price_text(cents)};{self.size()};{stamp};{rng.randrange(10**6)};{price_text(cents)};true"
            return self.sink.tick_string(req_id, tick_type, value)
        return self.sink.tick_string(req_id, tick_type, "".join(rng.sample("ABCKNPQVZ", rng.randint(1, 5))))

    def m3(self) -> Iterator[T]:
        rng, sink = self.rng, self.sink
        while True:
            req_id, cents = self.instrument()
            self.time_s += rng.random() < 0.01
            if rng.random() < 0.5:
                mask = rng.choices((0, 1, 2), (80, 2, 18))[0]
                exchange, conditions = rng.choice(_EXCHANGES), rng.choice(("", " ", "  I", " T I", "4"))
                yield sink.all_last(req_id, self.time_s, cents, self.size(), mask, exchange, conditions)
            else:
                ask = cents + rng.randint(1, 4)
                mask = rng.choices((0, 1, 2), (96, 2, 2))[0]
                yield sink.bid_ask(req_id, self.time_s, cents, ask, self.size(), self.size(), mask)

    def m4(self) -> Iterator[T]:
        rng = self.rng
        while True:
            key = rng.choice(REQUEST_IDS), rng.choice((ASK_SIDE, BID_SIDE))
            rows = len(self.books[key])
            chance = rng.random()
            if rows == _DEPTH_ROWS or (rows > 2 and chance < 0.15):
                yield self.depth_row(key, DELETE)
            elif rows < 3 or chance < 0.35:
                yield self.depth_row(key, INSERT)
            else:
                yield self.depth_row(key, UPDATE)

    def depth_row(self, key: tuple[int, int], operation: int) -> T:
        """Apply one change to one side of one book. Rows hold the distance from the middle, so sides never cross."""
        req_id, side = key
        rows, rng = self.books[key], self.rng
        maker = rng.choice(_EXCHANGES)
        if operation == INSERT:
            distance = rng.randint(1, 60)
            position = bisect_left(rows, distance)
            rows.insert(position, distance)
        else:
            position = rng.randrange(len(rows))
            distance = rows[position]
        if operation == DELETE:
            del rows[position]
            return self.sink.depth(req_id, position, maker, operation, side, 0, "0")
        middle = self.cents[req_id]
        cents = middle + distance if side == ASK_SIDE else middle - distance
        return self.sink.depth(req_id, position, maker, operation, side, cents, self.size())

    def m5(self) -> Iterator[T]:
        sink = self.sink
        order_id = 0
        while True:
            order_id += 1
            order = self.order(order_id)
            yield sink.open_order(order)
            yield sink.order_status(order)
            yield sink.execution(order)
            yield sink.commission(order)

    def order(self, order_id: int) -> Order:
        rng = self.rng
        _, cents = self.instrument()
        action = rng.choice(("BUY", "SELL"))
        better = rng.randrange(3)
        second = order_id % 21_600
        return Order(
            orderId=order_id,
            permId=1_500_000_000 + order_id,
            conId=rng.randrange(100_000, 800_000_000),
            symbol=rng.choice(_SYMBOLS),
            exchange=rng.choice(_EXCHANGES),
            action=action,
            quantity=str(rng.randint(1, 20) * 50),
            limit_cents=cents,
            fill_cents=cents - better if action == "BUY" else cents + better,
            commission=price_text(rng.randrange(35, 900)),
            execId=f"0000e0d5.{rng.randrange(1 << 32):08x}.01.01",
            time=f"20261120 {10 + second // 3600}:{second // 60 % 60:02d}:{second % 60:02d} US/Eastern",
            liquidity=rng.choice((1, 2)),
        )


def walk(name: str, sink: Sink[T], count: int, seed: int) -> Iterator[T]:
    """Yield what ``sink`` returns for each of the first ``count`` messages of mix ``name``.

    Raises
    ------
    ValueError
        ``name`` is not one of `MIXES`.
    """
    if name not in MIXES:
        raise ValueError(f"no mix {name!r}: one of {', '.join(MIXES)}")
    state = _Walk(sink, seed)
    messages = getattr(state, name.lower())()
    return (next(messages) for _ in range(count))


def frames(name: str, dialect: str, count: int, seed: int) -> Iterator[bytes]:
    """Yield ``count`` frames, each a 4-byte big-endian length and its payload.

    Parameters
    ----------
    name : one of `MIXES`
    dialect : one of `DIALECTS`
    count : messages, at least 0 (M5 has four messages per order)
    seed : the same seed gives the same bytes on every Python

    Raises
    ------
    ValueError
        Unknown mix or dialect.
    """
    sinks: dict[str, Sink[bytes]] = {"t176": Text176(), "p225": Proto225()}
    if dialect not in sinks:
        raise ValueError(f"no dialect {dialect!r}: one of {', '.join(sinks)}")
    return (struct.pack(">I", len(payload)) + payload for payload in walk(name, sinks[dialect], count, seed))


def mix(name: str, dialect: str, count: int, seed: int = 1) -> bytes:
    """All of `frames` as one buffer, as if received in one piece."""
    return b"".join(frames(name, dialect, count, seed))


def first_messages(dialect: str) -> tuple[bytes, bytes]:
    """Payloads of nextValidId and managedAccounts, which a gateway sends first and clients wait for."""
    if dialect == "t176":
        return _text(9, 1, 1), _text(15, 1, ACCOUNT)
    return _proto(9, (1, 1)), _proto(15, (1, ACCOUNT))


def payloads(data: bytes) -> Iterator[bytes]:
    """Split a buffer of whole frames back into payloads."""
    at = 0
    while at < len(data):
        (length,) = struct.unpack_from(">I", data, at)
        yield data[at + 4 : at + 4 + length]
        at += 4 + length
