"""What the simulated world means by an instrument, and the question a client asks about one.

Prices are counted in whole price steps (`price_step`); Decimals appear only at the edge.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import NamedTuple

from ibwire.sim import hours, reference
from ibwire.sim.exact import EXACT, ZERO, trimmed
from ibwire.sim.rng import stable_hash

_DERIVED_ID_BASE = 900_000_000
_DERIVED_ID_SPAN = 1_000_000_000
_RULE_BASE = 10_000
ORDER_TYPES = "COND,DAY,FOK,GTC,GTD,IOC,LMT,MKT,OCA,STP,STPLMT,TRAIL,TRAILLMT,WHATIF"
_ONE = Decimal(1)


@dataclass(frozen=True, slots=True)
class ContractQuery:
    """What a client said about a contract; empty means not said. Field names are the API's."""

    conId: int = 0
    symbol: str = ""
    secType: str = ""
    lastTradeDateOrContractMonth: str = ""
    strike: Decimal = ZERO
    right: str = ""
    multiplier: str = ""
    exchange: str = ""
    primaryExchange: str = ""
    currency: str = ""
    localSymbol: str = ""
    tradingClass: str = ""


class ComboPart(NamedTuple):
    """A leg of a combination: `ratio` of it are bought (sign 1) or sold (-1) with each combination that is bought."""

    instrument: Instrument
    ratio: int
    sign: int
    exchange: str = ""


@dataclass(frozen=True, slots=True)
class Instrument:
    """One instrument: the contract, its details and how its simulated quotes behave.

    Camel-case fields are contract and contract-details fields of the API. `price_step` is minTick, `base_steps` the
    price around which quotes move, in steps; `quote_unit` is the size that displayed sizes are multiples of.
    """

    conId: int
    symbol: str
    secType: str
    currency: str
    exchange: str
    localSymbol: str
    tradingClass: str
    longName: str
    price_step: Decimal
    base_steps: int
    validExchanges: str
    timeZoneId: str
    session: hours.Session
    primaryExchange: str = ""
    lastTradeDateOrContractMonth: str = ""
    strike: Decimal = ZERO
    right: str = ""
    multiplier: str = ""
    contractMonth: str = ""
    realExpirationDate: str = ""
    marketName: str = ""
    industry: str = ""
    category: str = ""
    subcategory: str = ""
    stockType: str = ""
    underConId: int = 0
    underSymbol: str = ""
    underSecType: str = ""
    priceMagnifier: int = 1
    aggGroup: int = 0
    evRule: str = ""
    evMultiplier: int = 0
    minSize: Decimal = _ONE
    sizeIncrement: Decimal = _ONE
    suggestedSizeIncrement: Decimal = _ONE
    orderTypes: str = ORDER_TYPES
    quote_unit: Decimal = _ONE
    spread_steps: int = 2
    tradable: bool = True
    underlying: Instrument | None = None  # of an option or a CFD: prices follow from its
    parts: tuple[ComboPart, ...] = ()  # of a combination

    @property
    def expiry(self) -> date | None:
        """The last day it trades, None for what does not expire."""
        text = self.lastTradeDateOrContractMonth
        return date(int(text[:4]), int(text[4:6]), int(text[6:8])) if len(text) == 8 else None

    @property
    def minTick(self) -> Decimal:
        """The price step."""
        return self.price_step

    @property
    def unit_multiplier(self) -> Decimal:
        """Money per price unit and size unit: the multiplier as a number, 1 when there is none."""
        return Decimal(self.multiplier) if self.multiplier else _ONE

    @property
    def marketRuleIds(self) -> str:
        """One market rule id per valid exchange, in the same order."""
        return ",".join([str(rule_id(self.price_step))] * len(self.validExchanges.split(",")))

    def price(self, steps: int) -> Decimal:
        """Return a price counted in steps as a Decimal with the step's digits."""
        return EXACT.multiply(self.price_step, Decimal(steps))

    def float_price(self, steps: int) -> float:
        """Return a price counted in steps as the float nearest to it."""
        return float(EXACT.multiply(self.price_step, Decimal(steps)))

    def steps(self, price: Decimal) -> int | None:
        """Return a price as a count of steps, or None when it is not on a step (or is no number)."""
        if not price.is_finite():
            return None
        count = EXACT.divide(price, self.price_step)
        whole = count.to_integral_value()
        return int(whole) if whole == count else None

    def tradingHours(self, first: date) -> str:
        """Return the trading hours text of the days from `first` on."""
        return hours.hours_text(self.session, self.session.trading, first)

    def liquidHours(self, first: date) -> str:
        """Return the liquid hours text of the days from `first` on."""
        return hours.hours_text(self.session, self.session.liquid, first)


def rule_id(price_step: Decimal) -> int:
    """Return the id of the market rule with this one price step."""
    known = reference.MARKET_RULES.get(trimmed(price_step))
    return known if known is not None else _RULE_BASE + int(EXACT.divide(Decimal(1000), price_step))


def derived_con_id(*identity: str) -> int:
    """Return the contract id of an instrument that `reference` does not know; below 2**31."""
    return _DERIVED_ID_BASE + stable_hash("conId", *identity) % _DERIVED_ID_SPAN
