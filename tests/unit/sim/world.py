"""One small simulated world, for the tests of this folder."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

from ibwire.sim.account import SimAccount
from ibwire.sim.clock import NS_PER_S, VirtualClock
from ibwire.sim.instruments import ContractQuery, Instrument
from ibwire.sim.market import Market
from ibwire.sim.matching import MatchingEngine
from ibwire.sim.orders import OrderEvent, OrderRequest
from ibwire.sim.universe import InstrumentUniverse
from ibwire.sim.working import Latency


class World:
    """Clock, universe, market, account and matching of one seed, with everything that was emitted."""

    def __init__(
        self, seed: int = 7, ticks_per_s: int = 50, latency: Latency | None = None, cash: Decimal = Decimal(10**9)
    ) -> None:
        self.clock = VirtualClock()
        self.universe = InstrumentUniverse(seed)
        self.market = Market(self.clock, seed, ticks_per_s)
        self.account = SimAccount(self.market.mark_price, cash=cash)
        self.events: list[OrderEvent] = []
        self.engine = MatchingEngine(
            self.clock, self.market, self.account, self.events.append, seed=seed, latency=latency
        )

    def instrument(self, symbol: str, secType: str = "STK", currency: str = "") -> Instrument:
        found = self.universe.resolve(ContractQuery(symbol=symbol, secType=secType, currency=currency))
        assert found is not None
        return found

    def run(self, seconds: float = 2.0) -> list[OrderEvent]:
        """Advance and return what was emitted meanwhile."""
        before = len(self.events)
        self.clock.advance(self.clock.now_ns + int(seconds * NS_PER_S))
        return self.events[before:]

    def order(self, orderId: int = 1, action: str = "BUY", size: str = "100", **changes: object) -> OrderRequest:
        """Return a market order for AAPL with `changes`; a str price becomes a Decimal."""
        request = OrderRequest(1, orderId, self.instrument("AAPL"), action, "MKT", Decimal(size))
        limit = changes.pop("limit", None)
        if limit is not None:
            changes |= {"orderType": "LMT", "lmtPrice": Decimal(str(limit))}
        return replace(request, **changes)  # type: ignore[arg-type]
