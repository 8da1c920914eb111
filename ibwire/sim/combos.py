"""Combination (BAG) orders: what a client's legs mean, and the book in which such an order waits.

Rules
-----
* The net price of a combination is the sum of its legs' prices times their ratios, sold legs negative; it may be 0 or
  below. To buy the combination is to buy each leg at its ask or sell it at its bid, as the leg's action says; to sell
  it is the reverse.
* It trades against the quotes of its legs alone, all of them at once, never beyond its limit and as far as the size of
  the smallest leg goes; new size comes with the next change of a leg. Orders of clients do not meet in it.
* A fill is an execution of the combination, which the order's size counts, and one of each leg, which the account has.
  Commission is charged, and reported, for the legs.
* Legs have one currency, one multiplier and the same trading hours; order types MKT and LMT.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

from ibwire.sim.book import Book, Leg, Trade
from ibwire.sim.exact import EXACT, ZERO
from ibwire.sim.instruments import ComboPart, Instrument, derived_con_id
from ibwire.sim.market import Market, TickChange, Watch
from ibwire.sim.orders import LIQUIDITY_ADDED, LIQUIDITY_REMOVED
from ibwire.sim.working import WorkingOrder
from ibwire.types import structs

BAG = "BAG"
_MOST_LEGS, _MOST_RATIO = 8, 10_000
_LEG_TYPES = frozenset({"STK", "OPT", "FUT"})
Find = Callable[[structs.Contract], Instrument | None]


def combination(contract: structs.Contract, find: Find) -> tuple[Instrument | None, str]:
    """The instrument that a BAG contract means, or None and, unless a leg fits no contract, what is wrong with it."""
    legs = contract.comboLegs
    if not 2 <= len(legs) <= _MOST_LEGS:
        return None, f"a combination has 2 to {_MOST_LEGS} legs"
    parts = []
    for leg in legs:
        if leg.action not in ("BUY", "SELL") or not 0 < leg.ratio <= _MOST_RATIO:
            return None, f"leg {leg.conId} must have an action BUY or SELL and a ratio above 0"
        item = find(structs.Contract(conId=leg.conId, exchange=leg.exchange)) if leg.conId else None
        if item is None:
            return None, ""
        parts.append(ComboPart(item, leg.ratio, 1 if leg.action == "BUY" else -1, leg.exchange))
    first = parts[0].instrument
    problem = _mismatch([part.instrument for part in parts])
    if problem:
        return None, problem
    identity = (f"{part.instrument.conId} {part.ratio * part.sign}" for part in parts)
    return Instrument(
        conId=derived_con_id(BAG, *identity),
        symbol=contract.symbol or first.symbol,
        secType=BAG,
        currency=first.currency,
        exchange=contract.exchange or first.exchange,
        localSymbol=contract.symbol or first.symbol,
        tradingClass="COMB",
        longName="",
        price_step=min(part.instrument.price_step for part in parts),
        base_steps=0,
        validExchanges=first.validExchanges,
        timeZoneId=first.timeZoneId,
        session=first.session,
        parts=tuple(parts),
    ), ""


def _mismatch(items: list[Instrument]) -> str:
    first = items[0]
    step = min(item.price_step for item in items)
    if len({item.conId for item in items}) < len(items):
        return "two legs are the same contract"
    if any(item.secType not in _LEG_TYPES or not item.tradable for item in items):
        return f"legs are of type {', '.join(sorted(_LEG_TYPES))}"
    if any(item.currency != first.currency or item.unit_multiplier != first.unit_multiplier for item in items):
        return "legs of several currencies or multipliers are not worked by this simulated gateway"
    if any((item.session, item.timeZoneId) != (first.session, first.timeZoneId) for item in items):
        return "legs with different trading hours are not worked by this simulated gateway"
    if any(item.price_step % step for item in items):
        return "the price steps of the legs do not go into each other"
    return ""


def leg_prices(market: Market, instrument: Instrument, buy: bool) -> list[Decimal]:
    """What each leg trades at when the combination is bought or sold now."""
    prices = []
    for part in instrument.parts:
        process = market.process(part.instrument)
        prices.append(part.instrument.price(process.ask if buy == (part.sign > 0) else process.bid))
    return prices


def net_price(instrument: Instrument, prices: list[Decimal]) -> Decimal:
    """The price of the combination at these prices of its legs."""
    net = ZERO
    for part, price in zip(instrument.parts, prices, strict=True):
        net = EXACT.add(net, EXACT.multiply(price, Decimal(part.ratio * part.sign)))
    return net


def prices_at(market: Market, instrument: Instrument, buy: bool, net: Decimal) -> list[Decimal]:
    """Prices of the legs, near what they trade at now, that make this net price.

    Raises
    ------
    ValueError
        If no leg with a ratio of 1 is there to take the difference.
    """
    prices = leg_prices(market, instrument, buy)
    over = EXACT.subtract(net, net_price(instrument, prices))
    for i, part in enumerate(instrument.parts):
        if not over:
            break
        if part.ratio == 1:
            prices[i] = EXACT.add(prices[i], EXACT.multiply(over, Decimal(part.sign)))
            over = ZERO
    if over:
        raise ValueError(f"no leg takes the difference to a net price of {net}")
    return prices


class ComboBook(Book):
    """The orders for one combination. Prices in steps may be negative."""

    def __init__(
        self, instrument: Instrument, market: Market, trade: Trade, moved: Callable[[Book, list[TickChange]], None]
    ) -> None:
        super().__init__(instrument, market, trade, moved)
        self._watches: list[Watch] = []

    def hold(self, order: WorkingOrder) -> None:
        """Keep the legs' markets going as long as this order lives."""
        self._held[order] = None
        if not self._watches:
            self._watches = [self._market.watch(part.instrument, self._on_market) for part in self.instrument.parts]

    def release(self, order: WorkingOrder) -> None:
        """The order is gone: take it out of everything."""
        super().release(order)
        if not self._held:
            for watch in self._watches:
                watch.close()
            self._watches = []

    def offered(self, buy: bool) -> int:
        """The net price, steps, at which one buys or sells now."""
        prices = leg_prices(self._market, self.instrument, buy)
        steps = self.instrument.steps(net_price(self.instrument, prices))
        assert steps is not None  # each leg's step is a multiple of the combination's
        return steps

    def shown(self, buy: bool) -> int:
        """Return how many combinations the legs' quotes still offer to a buyer, or to a seller."""
        sizes = []
        for part in self.instrument.parts:
            quote = self._market.quote(part.instrument)
            size = quote.ask_size if buy == (part.sign > 0) else quote.bid_size
            sizes.append(int(size / part.ratio))
        now = (self.offered(buy), Decimal(min(sizes)))
        if self._seen[not buy] != now:
            self._seen[not buy], self._taken[not buy] = now, 0
        return max(min(sizes) - self._taken[not buy], 0)

    def marketable(self, order: WorkingOrder) -> bool:
        """True when the order could trade now, were there size."""
        return order.accepts(self.touch(order))

    def available(self, order: WorkingOrder) -> int:
        """Return how much an order could trade at once, at most what may fill."""
        return min(self.shown(order.is_buy), order.ready_units) if self.marketable(order) else 0

    def _step(self) -> bool:
        return any(self._against_flow(order) for buy in (True, False) if (order := self._sides[buy].best()) is not None)

    def _fill(self, order: WorkingOrder, units: int, steps: int) -> None:
        prices = leg_prices(self._market, self.instrument, order.is_buy)
        liquidity = LIQUIDITY_ADDED if order.passive else LIQUIDITY_REMOVED
        self._exchange((Leg(order, units, steps, liquidity, prices),))

    def _print(self) -> None:
        """The legs' prints are theirs."""
