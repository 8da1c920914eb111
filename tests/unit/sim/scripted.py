"""A gateway whose market does what the test says, for the tests of order types."""

from __future__ import annotations

from decimal import Decimal
from types import SimpleNamespace
from typing import Any

from ibwire.sim.account import SimAccount
from ibwire.sim.clock import DEFAULT_START_NS, NS_PER_S, VirtualClock
from ibwire.sim.instruments import ContractQuery, Instrument
from ibwire.sim.market import TickChange, TickKind
from ibwire.sim.matching import MatchingEngine
from ibwire.sim.orders import (
    Cancelled,
    CancelRefused,
    Commission,
    Fill,
    OrderEvent,
    OrderRequest,
    OrderSnapshot,
    Rejected,
    StatusChange,
    Warned,
)
from ibwire.sim.universe import InstrumentUniverse
from ibwire.sim.working import NO_LATENCY, Latency, Manners

D = Decimal


class Quotes:
    """One instrument's quotes, in steps and sizes."""

    def __init__(self) -> None:
        self.bid, self.ask, self.bid_size, self.ask_size = 9_999, 10_001, D(1000), D(1000)
        self.last, self.last_size = 10_000, D(100)

    def quote(self) -> Quotes:
        return self


class Scripted:
    """An engine on a market without a will of its own: 99.99 x 100.01, last 100.00, 1,000 on both sides."""

    def __init__(
        self,
        *,
        latency: Latency = NO_LATENCY,
        manners: Manners | None = None,
        start_ns: int = DEFAULT_START_NS,
        accounts: tuple[str, ...] = ("DU0000001",),
        cash: int = 10**9,
    ) -> None:
        self.clock = VirtualClock(start_ns)
        self.universe = InstrumentUniverse(7)
        self.quotes: dict[int, Quotes] = {}
        self.listeners: list[tuple[int, Any]] = []
        self.events: list[OrderEvent] = []
        market: Any = self
        self.accounts = {code: SimAccount(self.mark_price, code, D(cash)) for code in accounts}
        self.engine = MatchingEngine(
            self.clock,
            market,
            self.accounts,
            self.events.append,
            latency=latency,
            manners=manners or Manners(max_pieces=1),
        )
        self.aapl = self.instrument("AAPL")

    # -- the market --------------------------------------------------------------------------------------------------

    def instrument(self, symbol: str, secType: str = "STK", currency: str = "") -> Instrument:
        found = self.universe.resolve(ContractQuery(symbol=symbol, secType=secType, currency=currency))
        assert found is not None
        return found

    def process(self, instrument: Instrument) -> Quotes:
        return self.quotes.setdefault(instrument.conId, Quotes())

    quote = process

    def mark_price(self, instrument: Instrument) -> Decimal:
        return instrument.price(self.process(instrument).last)

    def watch(self, instrument: Instrument, listener: Any) -> Any:
        entry = (instrument.conId, listener)
        self.listeners.append(entry)
        return SimpleNamespace(close=lambda: self.listeners.remove(entry))

    def move(self, bid: int, ask: int, size: int = 1000, instrument: Instrument | None = None) -> list[OrderEvent]:
        """Quote anew and return what came of it."""
        item = instrument or self.aapl
        quotes = self.process(item)
        quotes.bid, quotes.ask, quotes.bid_size, quotes.ask_size = bid, ask, D(size), D(size)
        return self.tell(item, TickKind.BID, TickKind.ASK)

    def print(self, steps: int, size: int = 100, instrument: Instrument | None = None) -> list[OrderEvent]:
        """Trade and return what came of it."""
        item = instrument or self.aapl
        quotes = self.process(item)
        quotes.last, quotes.last_size = steps, D(size)
        return self.tell(item, TickKind.LAST)

    def tell(self, item: Instrument, *kinds: TickKind) -> list[OrderEvent]:
        before = len(self.events)
        for conId, listener in tuple(self.listeners):
            if conId == item.conId:
                listener(item, [TickChange(kind, 0, D(0), self.clock.now_ns) for kind in kinds])
        self.clock.advance(self.clock.now_ns)
        return self.events[before:]

    # -- orders ------------------------------------------------------------------------------------------------------

    def place(self, orderId: int, action: str = "BUY", size: str = "100", **fields: Any) -> list[OrderEvent]:
        """Place an order for AAPL; prices are given as numbers or texts. Returns what came of it."""
        limit = fields.pop("limit", None)
        if limit is not None:
            fields = {"orderType": "LMT", "lmtPrice": D(str(limit)), **fields}
        for name in ("auxPrice", "trailStopPrice", "trailingPercent", "lmtPriceOffset", "cashQty", "lmtPrice"):
            if name in fields and fields[name] is not None:
                fields[name] = D(str(fields[name]))
        values = {"clientId": 1, "instrument": self.aapl, "orderType": "MKT", **fields}
        before = len(self.events)
        self.engine.place(OrderRequest(orderId=orderId, action=action, totalQuantity=D(size), **values))
        return self.run(0, before)

    def cancel(self, orderId: int, clientId: int = 1) -> list[OrderEvent]:
        before = len(self.events)
        self.engine.cancel(clientId, orderId)
        return self.run(0, before)

    def run(self, seconds: float = 0, before: int | None = None) -> list[OrderEvent]:
        start = len(self.events) if before is None else before
        self.clock.advance(self.clock.now_ns + int(seconds * NS_PER_S))
        return self.events[start:]

    def order(self, orderId: int, clientId: int = 1) -> OrderSnapshot:
        found = self.engine.order(clientId, orderId)
        assert found is not None
        return found

    def status(self, *orderIds: int) -> list[str]:
        return [self.order(orderId).status for orderId in orderIds]


def fills(events: list[OrderEvent]) -> list[tuple[int, int, str]]:
    """(order id, size, price) of each execution."""
    return [(e.order.orderId, int(e.qty), f"{e.price:.2f}") for e in events if isinstance(e, Fill)]


def story(events: list[OrderEvent]) -> list[str]:
    """Each event in a word: the status, `fill`, `commission` or the code."""
    words = []
    for event in events:
        if isinstance(event, StatusChange):
            words.append(event.order.status)
        elif isinstance(event, Fill):
            words.append("fill")
        elif isinstance(event, Commission):
            words.append("commission")
        elif isinstance(event, Rejected | Cancelled | CancelRefused | Warned):
            words.append(str(event.code))
    return words
