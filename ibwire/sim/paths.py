"""Which path an instrument has: its stream, how far its days move, and what it stands on.

An option's price is its model's price of the underlying's path, so that both agree at every moment; everything else has
a path of its own.
"""

from __future__ import annotations

from datetime import date

from ibwire.sim import pricing
from ibwire.sim.hours import Span
from ibwire.sim.instruments import Instrument
from ibwire.sim.path import DayPrices, Path, key_of, mix
from ibwire.sim.slots import close_side, shape_of

# How far a day moves, in millionths of the price.
DAILY_PPM = {"STK": 8_000, "CASH": 2_500, "FUT": 7_000, "IND": 6_000, "CRYPTO": 14_000}
_UNITS_IN_TRADE = 10
_HALF_DAY_YEARS = 0.5 / pricing.YEAR_DAYS
_PRICES_KEPT = 8192
_BASE_VOL, _VOL_SPAN = 18, 22  # per cent


class PathOf:
    """The path, the slot shape and the spreads of one instrument.

    Parameters
    ----------
    instrument, seed, ticks_per_s
        See `QuoteProcess`.
    first_day : date
        The world's first day: at the close before it prices stand at their base.
    """

    def __init__(self, instrument: Instrument, seed: int, ticks_per_s: int, first_day: date) -> None:
        self.instrument = instrument
        self._seed, self._first_day = seed, first_day
        key = key_of(seed, "path", instrument.secType.replace("CONTFUT", "FUT"), instrument.conId)
        self._key = key
        traded, quoted = instrument.secType != "CASH", instrument.secType != "IND"
        self.traded, self.quoted = traded, quoted
        self.shape = shape_of(key, ticks_per_s, quoted, traded)
        self._top = max(1, 2 * instrument.spread_steps - 1)
        groups = self.shape.groups if traded and quoted else 0
        units = (groups, groups * _UNITS_IN_TRADE)
        under = instrument.underlying
        self._known: dict[tuple[date, int], int] = {}
        tree, transform = under or instrument, self.option_price if under is not None else None
        tree_key = key if under is None else key_of(seed, "path", tree.secType, tree.conId)
        ppm = DAILY_PPM.get(tree.secType, 8_000)
        days = DayPrices(tree_key, tree.base_steps, ppm, tree.session, tree.timeZoneId, first_day)
        self.path = Path(
            key,
            days,
            tree_key,
            tree.session,
            instrument.session,
            instrument.timeZoneId,
            self.shape.slot_s,
            units,
            transform,
        )

    def spread(self, day: date) -> int:
        """Return the spread of a day in steps."""
        if not self.quoted:
            return 0
        return 1 + mix(self._key ^ day.toordinal() * 0x9E3779B97F4A7C15) % self._top

    def close(self, span: Span) -> int:
        """Return the last trade of a session in steps (the last bid of what has no trades)."""
        liquid_end = span.liquid_end_s
        node = self.path.node(span, liquid_end - self.path.slot_s, liquid_end)
        assert node is not None  # every session has slots
        side = self.traded and close_side(self.shape, liquid_end - self.path.slot_s)
        return node.close + (self.spread(span.day) if side else 0)

    # -- options -----------------------------------------------------------------------------------------------------

    def volatility(self) -> float:
        """Return the model's volatility of this option: the underlying's, and more away from its price."""
        item = self.instrument
        assert item.underlying is not None
        under = item.underlying
        percent = _BASE_VOL + key_of(self._seed, "vol", under.conId) % _VOL_SPAN
        away = abs(pricing.ln(float(item.strike) / float(under.price(under.base_steps))))
        return percent / 100.0 + min(away, 1.0) / 4.0

    def years(self, day: date) -> float:
        """Return the time to expiry as of a day; on the last day half a day, after it nothing."""
        last = self.instrument.expiry
        assert last is not None  # options have one
        days = (last - day).days
        return days / pricing.YEAR_DAYS if days > 0 else _HALF_DAY_YEARS if days == 0 else 0.0

    def greeks(self, day: date, under: float) -> pricing.Greeks:
        """Return what the model says at a price of the underlying."""
        item = self.instrument
        return pricing.model(item.right == "C", under, float(item.strike), self.years(day), self.volatility())

    def option_price(self, day: date, under_steps: int) -> int:
        """Return the bid at a bid of the underlying, both in steps."""
        known = self._known.get((day, under_steps))
        if known is None:
            assert self.instrument.underlying is not None
            if len(self._known) >= _PRICES_KEPT:
                self._known.clear()
            under = float(self.instrument.underlying.price_step) * under_steps
            worth = self.greeks(day, under).price / float(self.instrument.price_step)
            known = self._known[day, under_steps] = max(int(worth - self.spread(day) / 2.0 + 0.5), 1)
        return known
