"""Generic ticks: what a number in `genericTickList` brings, as tick messages without their request id.

Numbers that the API defines and that mean nothing for an instrument bring nothing; others are no generic ticks (321).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import NamedTuple

from ibwire.sim import bars
from ibwire.sim.bars import Length, Series
from ibwire.sim.clock import NS_PER_S, utc_date
from ibwire.sim.exact import ZERO
from ibwire.sim.instruments import Instrument
from ibwire.sim.market import Market
from ibwire.sim.path import mix
from ibwire.spec.ticks import NUMBERS

MARK_TICKS = frozenset({221, 232})
RT_VOLUME_TICK, RT_TRADE_VOLUME_TICK, NEWS_TICK, TRADE_COUNT_TICK = 233, 375, 292, 293
EASY_TO_BORROW = 3.0
_DAY_S = 86_400


class Tick(NamedTuple):
    """One tick: its type and a price, a size, a text or a number."""

    tickType: int
    value: float | Decimal | str
    is_price: bool = False


class _About(NamedTuple):
    """What a generic tick may look at."""

    item: Instrument
    market: Market
    now_ns: int
    draw: int

    def high_low(self, days: int) -> tuple[float, float]:
        now_s = self.now_ns // NS_PER_S
        series = Series(self.market.history(self.item), "TRADES", _DAY_S, True)
        found = series.bars(Length(days, "D"), now_s, 0)
        return (max(bar.high for bar in found), min(bar.low for bar in found)) if found else (0.0, 0.0)


def _sizes(*names: str) -> Callable[[_About], Iterator[Tick]]:
    """Sizes drawn from the seed's instrument."""

    def make(about: _About) -> Iterator[Tick]:
        for place, name in enumerate(names):
            yield Tick(NUMBERS[name], Decimal(1_000 + (about.draw >> 7 * place) % 250_000))

    return make


def _yearly(what: str, name: str) -> Callable[[_About], Iterator[Tick]]:
    def make(about: _About) -> Iterator[Tick]:
        yield Tick(NUMBERS[name], bars.rate_of(about.item, what, utc_date(about.now_ns)))

    return make


def _extremes(about: _About) -> Iterator[Tick]:
    for weeks, days in ((13, 63), (26, 126), (52, 252)):
        high, low = about.high_low(days)
        yield Tick(NUMBERS[f"LOW_{weeks}_WEEK"], low, True)
        yield Tick(NUMBERS[f"HIGH_{weeks}_WEEK"], high, True)
    yield Tick(NUMBERS["AVG_VOLUME"], Decimal(100_000 + about.draw % 900_000))


def _shortable(about: _About) -> Iterator[Tick]:
    yield Tick(NUMBERS["SHORTABLE"], EASY_TO_BORROW)
    yield Tick(NUMBERS["SHORTABLE_SHARES"], Decimal(1_000_000 + about.draw % 9_000_000))


def _mark(about: _About) -> Iterator[Tick]:
    yield Tick(NUMBERS["MARK_PRICE"], float(about.market.mark_price(about.item)), True)


def _auction(about: _About) -> Iterator[Tick]:
    yield Tick(NUMBERS["AUCTION_VOLUME"], Decimal(about.draw % 5_000 * 100))
    yield Tick(NUMBERS["AUCTION_PRICE"], about.item.float_price(about.market.process(about.item).open), True)
    yield Tick(NUMBERS["AUCTION_IMBALANCE"], Decimal(about.draw % 900 * 100))
    yield Tick(NUMBERS["REGULATORY_IMBALANCE"], ZERO)


def _last_regular(about: _About) -> Iterator[Tick]:
    yield Tick(NUMBERS["LAST_RTH_TRADE"], about.item.float_price(about.market.process(about.item).close), True)


def _rates(about: _About) -> Iterator[Tick]:
    yield Tick(NUMBERS["TRADE_RATE"], float(60 + about.draw % 400))


def _volume_rate(about: _About) -> Iterator[Tick]:
    yield Tick(NUMBERS["VOLUME_RATE"], float(6_000 + about.draw % 90_000))


def _ratios(about: _About) -> Iterator[Tick]:
    price = float(about.market.mark_price(about.item))
    yield Tick(NUMBERS["FUNDAMENTAL_RATIOS"], f"NPRICE={price:.2f};PEEXCLXOR={10 + about.draw % 300 / 10:.1f};BETA=1.0")


def _dividends(about: _About) -> Iterator[Tick]:
    yield Tick(NUMBERS["IB_DIVIDENDS"], f"{about.draw % 500 / 100:.2f},{about.draw % 520 / 100:.2f},,")


def _premium(about: _About) -> Iterator[Tick]:
    yield Tick(NUMBERS["INDEX_FUTURE_PREMIUM"], about.draw % 2_000 / 100.0)


def _nav(*names: str) -> Callable[[_About], Iterator[Tick]]:
    def make(about: _About) -> Iterator[Tick]:
        price = about.item.float_price(about.market.process(about.item).close)
        for name in names:
            yield Tick(NUMBERS[name], price, True)

    return make


_STOCKS, _LISTED = frozenset({"STK"}), frozenset({"STK", "IND"})
_TRADED = frozenset({"STK", "FUT", "CONTFUT", "OPT", "CRYPTO"})
_ETF = "ETF"
# Number -> (security types it means something for, what it brings). Lines bring what follows trades themselves.
GENERIC: dict[int, tuple[frozenset[str], Callable[[_About], Iterator[Tick]] | None]] = {
    100: (_LISTED, _sizes("OPTION_CALL_VOLUME", "OPTION_PUT_VOLUME")),
    101: (_LISTED, _sizes("OPTION_CALL_OPEN_INTEREST", "OPTION_PUT_OPEN_INTEREST")),
    104: (_LISTED, _yearly("HISTORICAL_VOLATILITY", "OPTION_HISTORICAL_VOL")),
    105: (_LISTED, _sizes("AVG_OPT_VOLUME")),
    106: (_LISTED, _yearly("OPTION_IMPLIED_VOLATILITY", "OPTION_IMPLIED_VOL")),
    162: (frozenset({"IND"}), _premium),
    165: (_STOCKS, _extremes),
    RT_VOLUME_TICK: (_TRADED, None),
    RT_TRADE_VOLUME_TICK: (_TRADED, None),
    221: (_TRADED, _mark),
    225: (_STOCKS, _auction),
    232: (_TRADED, _mark),
    236: (_STOCKS, _shortable),
    256: (_STOCKS, None),
    258: (_STOCKS, _ratios),
    NEWS_TICK: (_STOCKS, None),
    TRADE_COUNT_TICK: (_TRADED, None),
    294: (_TRADED, _rates),
    295: (_TRADED, _volume_rate),
    318: (_TRADED, _last_regular),
    411: (_LISTED, _yearly("HISTORICAL_VOLATILITY", "RT_HISTORICAL_VOL")),
    456: (_STOCKS, _dividends),
    460: (frozenset(), None),
    576: (frozenset({_ETF}), _nav("ETF_NAV_BID", "ETF_NAV_ASK")),
    577: (frozenset({_ETF}), _nav("ETF_NAV_LAST")),
    578: (frozenset({_ETF}), _nav("ETF_NAV_CLOSE", "ETF_NAV_PRIOR_CLOSE")),
    586: (frozenset(), None),
    587: (_STOCKS, None),
    588: (frozenset({"FUT", "CONTFUT"}), _sizes("FUTURES_OPEN_INTEREST")),
    595: (_STOCKS, _sizes("SHORT_TERM_VOLUME_3_MIN", "SHORT_TERM_VOLUME_5_MIN", "SHORT_TERM_VOLUME_10_MIN")),
    614: (frozenset({_ETF}), _nav("ETF_NAV_HIGH", "ETF_NAV_LOW")),
    619: (_TRADED, None),
    623: (frozenset({_ETF}), _nav("ETF_FROZEN_NAV_LAST")),
}


def numbers_of(text: str) -> tuple[frozenset[int], str]:
    """Return the generic ticks of a list, and the first entry that is none ("" when all are).

    Words are legal too: `mdoff`, and what follows a colon names a source.
    """
    found, wrong = set(), ""
    for part in text.split(","):
        name = part.partition(":")[0].strip()
        if not name or name.isalpha():
            continue
        if name.isascii() and name.isdigit() and int(name) in GENERIC:
            found.add(int(name))
        else:
            wrong = wrong or name
    return frozenset(found), wrong


def ticks_of(item: Instrument, market: Market, now_ns: int, wanted: frozenset[int]) -> Iterator[Tick]:
    """Yield what the wanted generic ticks say as a line begins, in the order of their numbers."""
    about = _About(item, market, now_ns, mix(item.conId))
    kinds = {item.secType, item.stockType}
    for number in sorted(wanted):
        fits, make = GENERIC[number]
        if make is not None and kinds & fits:
            yield from make(about)
