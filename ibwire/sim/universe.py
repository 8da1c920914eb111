"""The instruments of the simulated world: any symbol asked for exists, and always with the same contract id.

A symbol's base price depends on (seed, symbol) unless `reference` knows it; a contract id on the contract alone.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import date
from decimal import Decimal
from math import isqrt

from ibwire.sim import hours, reference
from ibwire.sim.clock import DEFAULT_START_NS, utc_date
from ibwire.sim.exact import EXACT, ZERO, trimmed
from ibwire.sim.instruments import ContractQuery, Instrument, derived_con_id, rule_id
from ibwire.sim.rng import Rng

_SYMBOL = re.compile(r"[A-Z0-9][A-Z0-9 .&-]{0,11}")
_OSI = re.compile(r"([A-Z0-9 .]{6})(\d{6})([CP])(\d{8})")
_FUTURE_CODE = re.compile(r"([A-Z0-9]{1,6}?)([FGHJKMNQUVXZ])(\d)")
_CENT = Decimal("0.01")
_KEPT_QUERIES = 1 << 10
_KEPT_DAYS = 1 << 4
# A day's known instruments, by id, and their market rules: the same in every world, whatever its seed.
_KNOWN: dict[date, tuple[dict[int, Instrument], dict[int, Decimal]]] = {}


class InstrumentUniverse:
    """Every instrument of one simulated world.

    Parameters
    ----------
    seed : int
        Chooses the base prices of symbols that `reference` does not know.
    start_ns : int
        Virtual time at which the world begins: expiries before that day do not exist.
    """

    def __init__(self, seed: int = 0, start_ns: int = DEFAULT_START_NS) -> None:
        self.seed = seed
        self.today = utc_date(start_ns)
        self._by_id: dict[int, Instrument] = {}
        self._found: dict[ContractQuery, tuple[Instrument, ...]] = {}
        self._rules: dict[int, Decimal] = {number: step for step, number in reference.MARKET_RULES.items()}
        self._builders: dict[str, Callable[[ContractQuery], Iterable[Instrument]]] = {
            "STK": self._stocks,
            "CASH": self._pairs,
            "FUT": self._futures,
            "OPT": self._options,
            "IND": self._indexes,
            "CRYPTO": self._coins,
            "CONTFUT": self._continuous,
            "FUT+CONTFUT": lambda query: (*self._futures(query), *self._continuous(query)),
            "CFD": self._cfds,
        }
        self._register_known()

    def find(self, query: ContractQuery) -> tuple[Instrument, ...]:
        """Return every instrument that fits; empty means error 200, several means that the query is ambiguous."""
        if query.conId:
            known = self._by_id.get(query.conId)
            return self._routed((known,), query.exchange) if known is not None else ()
        found = self._found.get(query)
        if found is None:
            found = self._find(query)
            if len(self._found) < _KEPT_QUERIES:
                self._found[query] = found
        return found

    def _find(self, query: ContractQuery) -> tuple[Instrument, ...]:
        builder = self._builders.get(query.secType)
        if builder is None or (query.symbol or query.localSymbol).startswith(reference.MISSING_SYMBOL_PREFIX):
            return ()
        fits = [item for item in builder(query) if _fits(item, query)]
        for item in fits:
            self._by_id.setdefault(item.conId, item)
            self._rules.setdefault(rule_id(item.price_step), item.price_step)
        return self._routed(tuple(fits), query.exchange)

    def resolve(self, query: ContractQuery) -> Instrument | None:
        """Return the one instrument that fits, or None (error 200: no or ambiguous contract)."""
        found = self.find(query)
        return found[0] if len(found) == 1 else None

    def by_con_id(self, conId: int) -> Instrument | None:
        """Return a known instrument; derived ones are known once they were asked for by name."""
        return self._by_id.get(conId)

    def market_rule(self, number: int) -> tuple[tuple[Decimal, Decimal], ...] | None:
        """Return the (low edge, increment) pairs of a market rule, or None when there is no such rule."""
        step = self._rules.get(number)
        return ((ZERO, step),) if step is not None else None

    def search(self, pattern: str) -> tuple[Instrument, ...]:
        """Return known instruments whose symbol or name contains `pattern` (for reqMatchingSymbols), at most 16.

        Symbols that begin with it come first; a pattern that is nobody's but could be a symbol finds that stock.
        """
        wanted = pattern.strip().upper()
        if not wanted:
            return ()
        hits: list[Instrument] = []
        for secType, table in (("STK", reference.STOCKS), ("IND", reference.INDEXES), ("CRYPTO", reference.COINS)):
            for symbol in sorted(table):
                if wanted in symbol or wanted in table[symbol].name.upper():
                    hits += self.find(ContractQuery(symbol=symbol, secType=secType))
        hits.sort(key=lambda item: (item.symbol != wanted, not item.symbol.startswith(wanted)))
        if not hits and wanted.isalnum() and _SYMBOL.fullmatch(wanted):
            hits += self.find(ContractQuery(symbol=wanted, secType="STK"))
        return tuple(hits)[:16]

    # -- builders, one per security type -----------------------------------------------------------------------------

    def _register_known(self) -> None:
        known = _KNOWN.get(self.today)
        if known is None:
            self._find_known()
            known = self._by_id.copy(), self._rules.copy()
            if len(_KNOWN) < _KEPT_DAYS:
                _KNOWN[self.today] = known
        self._by_id, self._rules = known[0].copy(), known[1].copy()

    def _find_known(self) -> None:
        for symbol in reference.STOCKS:
            self.find(ContractQuery(symbol=symbol, secType="STK"))
        for pair in reference.KNOWN_PAIRS:
            self.find(ContractQuery(localSymbol=pair, secType="CASH"))
        for secType, table in (("IND", reference.INDEXES), ("CRYPTO", reference.COINS), ("FUT", reference.FUTURES)):
            for symbol in table:
                self.find(ContractQuery(symbol=symbol, secType=secType))

    def _stocks(self, query: ContractQuery) -> Iterable[Instrument]:
        symbol = query.symbol or query.localSymbol
        currency = query.currency or "USD"
        home = reference.STOCK_HOMES.get(currency)
        if home is None or not _SYMBOL.fullmatch(symbol):
            return
        known = reference.STOCKS.get(symbol) if currency == "USD" else None
        if known is None:
            cents = Rng.of(self.seed, "price", "STK", symbol, currency).between(500, 50_000)
            tradingClass = "NMS" if currency == "USD" else symbol
            known = reference.Stock(f"{symbol} SIMULATED CORP", home.primary, cents, 0, tradingClass)
        yield Instrument(
            conId=known.conId or derived_con_id("STK", symbol, currency),
            symbol=symbol,
            secType="STK",
            currency=currency,
            exchange="SMART",
            primaryExchange=known.primary,
            localSymbol=symbol,
            tradingClass=known.tradingClass,
            marketName=known.tradingClass,
            longName=known.name,
            price_step=_CENT,
            base_steps=known.price_cents,
            validExchanges=home.exchanges,
            timeZoneId=home.timeZoneId,
            session=hours.US_STOCK if currency == "USD" else hours.PLAIN,
            industry=known.industry,
            category=known.category,
            subcategory=known.category,
            stockType=known.stockType,
            aggGroup=1,
            minSize=Decimal("0.0001"),
            sizeIncrement=Decimal("0.0001"),
            suggestedSizeIncrement=Decimal(100),
            quote_unit=Decimal(100),
        )

    def _pairs(self, query: ContractQuery) -> Iterable[Instrument]:
        base, quote = query.symbol, query.currency
        if "." in query.localSymbol:
            local_base, _, local_quote = query.localSymbol.partition(".")
            base, quote = base or local_base, quote or local_quote
        order = reference.CURRENCY_ORDER
        quotes = [quote] if quote else list(order)
        for other in quotes:
            # Pairs exist in the market's direction only: EUR.USD, never USD.EUR.
            if base not in order or other not in order or order.index(base) >= order.index(other):
                continue
            step = Decimal("0.001") if other == "JPY" else Decimal("0.00001")
            rate = EXACT.divide(reference.DOLLAR_VALUE[base], reference.DOLLAR_VALUE[other])
            pair = f"{base}.{other}"
            yield Instrument(
                conId=reference.KNOWN_PAIRS.get(pair) or derived_con_id("CASH", pair),
                symbol=base,
                secType="CASH",
                currency=other,
                exchange="IDEALPRO",
                localSymbol=pair,
                tradingClass=pair,
                marketName=pair,
                longName=f"{base}/{other}",
                price_step=step,
                base_steps=int(EXACT.divide(rate, step).to_integral_value()),
                validExchanges="IDEALPRO",
                timeZoneId="US/Eastern",
                session=hours.FOREX,
                aggGroup=4,
                minSize=_CENT,
                sizeIncrement=_CENT,
                quote_unit=Decimal(500_000),
            )

    def _futures(self, query: ContractQuery) -> Iterable[Instrument]:
        symbol, wanted = query.symbol, query.lastTradeDateOrContractMonth.split(" ")[0]
        code = _FUTURE_CODE.fullmatch(query.localSymbol)
        if code is not None and not wanted:
            symbol = symbol or code[1]
            year = self.today.year + (int(code[3]) - self.today.year) % 10
            wanted = f"{year}{reference.MONTH_LETTERS.index(code[2]) + 1:02d}"
        if not re.fullmatch(r"[A-Z0-9]{1,6}", symbol):
            return
        root = reference.FUTURES.get(symbol, reference.DERIVED_FUTURE)
        for expiry in self._expiries(wanted, root.months):
            yield self._future(symbol, root, expiry)

    def _future(self, symbol: str, root: reference.FutureRoot, expiry: date) -> Instrument:
        step = Decimal(root.step)
        base = int(EXACT.divide(Decimal(root.price), step))
        if not base:
            base = Rng.of(self.seed, "price", "FUT", symbol).between(2_000, 60_000)
        letter = reference.MONTH_LETTERS[expiry.month - 1]
        last = f"{expiry:%Y%m%d}"
        return Instrument(
            conId=derived_con_id("FUT", symbol, last),
            symbol=symbol,
            secType="FUT",
            currency="USD",
            exchange=root.exchange,
            localSymbol=f"{symbol}{letter}{expiry.year % 10}",
            tradingClass=symbol,
            marketName=symbol,
            longName=root.name or f"{symbol} SIMULATED FUTURE",
            price_step=step,
            # A later month costs a little more: one part in 400 a year.
            base_steps=base + base * (expiry - self.today).days // (400 * 365),
            validExchanges=root.exchange,
            timeZoneId="US/Central",
            session=hours.US_FUTURE,
            lastTradeDateOrContractMonth=last,
            multiplier=root.multiplier,
            contractMonth=f"{expiry:%Y%m}",
            realExpirationDate=last,
            underConId=derived_con_id(root.underSecType, symbol),
            underSymbol=symbol,
            underSecType=root.underSecType,
            aggGroup=2147483647,
            spread_steps=1,
        )

    def _continuous(self, query: ContractQuery) -> Iterable[Instrument]:
        """The front month under the name of the whole series; it cannot be traded."""
        if query.lastTradeDateOrContractMonth:
            return
        for front in list(self._futures(replace(query, localSymbol="")))[:1]:
            yield replace(front, secType="CONTFUT", localSymbol=front.symbol, tradable=False, orderTypes="")

    def _cfds(self, query: ContractQuery) -> Iterable[Instrument]:
        """A stock's CFD: its quotes are the stock's, to which a gateway re-routes."""
        for under in self._stocks(query):
            conId = derived_con_id("CFD", under.symbol, under.currency)
            exchange = under.primaryExchange
            yield replace(
                under,
                conId=conId,
                secType="CFD",
                exchange="SMART",
                primaryExchange="",
                validExchanges="SMART",
                underConId=under.conId,
                underSymbol=under.symbol,
                underSecType="STK",
                stockType="",
                marketName=exchange,
            )

    def _options(self, query: ContractQuery) -> Iterable[Instrument]:
        query = _with_osi(query)
        underType = "IND" if query.symbol in reference.INDEXES else "STK"
        found = self.find(ContractQuery(symbol=query.symbol, secType=underType, currency=query.currency))
        if len(found) != 1 or query.right not in ("", "C", "P", "CALL", "PUT"):
            return
        under = found[0]
        rights = [query.right[0]] if query.right else ["C", "P"]
        grid = 5 if under.base_steps > 5_000 else 1
        centre = under.base_steps // 100 // grid * grid
        strikes = [query.strike] if query.strike else [Decimal(centre + k * grid) for k in range(-10, 11)]
        wanted = query.lastTradeDateOrContractMonth.split(" ")[0]
        for expiry in self._expiries(wanted, reference.MONTH_LETTERS, listed=4):
            for strike in strikes:
                # Strikes stand on whole or half units, up to four times the price.
                doubled = EXACT.multiply(strike, Decimal(2))
                if 0 < strike <= under.price(4 * under.base_steps) and doubled == doubled.to_integral_value():
                    for right in rights:
                        yield self._option(under, expiry, trimmed(strike), right)

    def _option(self, under: Instrument, expiry: date, strike: Decimal, right: str) -> Instrument:
        last = f"{expiry:%Y%m%d}"
        strike_cents = int(EXACT.multiply(strike, Decimal(100)))
        inner = under.base_steps - strike_cents if right == "C" else strike_cents - under.base_steps
        # About 0.4 x price x 30 % x sqrt(years), less what the distance from the strike takes.
        days = max((expiry - self.today).days, 1)
        outer = under.base_steps * isqrt(days * 10_000) * 12 // 191_000 - abs(inner) // 3
        return Instrument(
            conId=derived_con_id("OPT", under.symbol, under.currency, last, str(strike), right),
            symbol=under.symbol,
            secType="OPT",
            currency=under.currency,
            exchange="SMART",
            localSymbol=f"{under.symbol:<6}{expiry:%y%m%d}{right}{10 * strike_cents:08d}",
            tradingClass=under.symbol,
            marketName=under.symbol,
            longName=under.longName,
            price_step=_CENT,
            base_steps=max(inner, 0) + max(outer, 3),
            validExchanges="SMART,AMEX,CBOE,PHLX,ISE,BOX",
            timeZoneId=under.timeZoneId,
            session=hours.US_OPTION,
            lastTradeDateOrContractMonth=last,
            strike=strike,
            right=right,
            multiplier="100",
            contractMonth=f"{expiry:%Y%m}",
            realExpirationDate=last,
            underConId=under.conId,
            underSymbol=under.symbol,
            underSecType=under.secType,
            underlying=under,
            aggGroup=2,
            spread_steps=5,
        )

    def _indexes(self, query: ContractQuery) -> Iterable[Instrument]:
        symbol = query.symbol or query.localSymbol
        if not _SYMBOL.fullmatch(symbol):
            return
        known = reference.INDEXES.get(symbol)
        cents = Rng.of(self.seed, "price", "IND", symbol).between(10_000, 900_000)
        price = str(EXACT.multiply(Decimal(cents), _CENT))
        known = known or reference.Index(f"{symbol} Simulated Index", "CBOE", price)
        yield Instrument(
            conId=known.conId or derived_con_id("IND", symbol),
            symbol=symbol,
            secType="IND",
            currency="USD",
            exchange=known.exchange,
            localSymbol=symbol,
            tradingClass=symbol,
            marketName=symbol,
            longName=known.name,
            price_step=_CENT,
            base_steps=int(EXACT.divide(Decimal(known.price), _CENT)),
            validExchanges=known.exchange,
            timeZoneId="US/Eastern",
            session=hours.US_INDEX,
            orderTypes="",
            tradable=False,
        )

    def _coins(self, query: ContractQuery) -> Iterable[Instrument]:
        symbol = query.symbol or query.localSymbol.partition(".")[0]
        if not re.fullmatch(r"[A-Z0-9]{2,6}", symbol):
            return
        known = reference.COINS.get(symbol)
        cents = Rng.of(self.seed, "price", "CRYPTO", symbol).between(20, 100_000)
        known = known or reference.Coin(f"{symbol} cryptocurrency", "0.01", str(EXACT.multiply(Decimal(cents), _CENT)))
        step = Decimal(known.step)
        yield Instrument(
            conId=known.conId or derived_con_id("CRYPTO", symbol),
            symbol=symbol,
            secType="CRYPTO",
            currency="USD",
            exchange="PAXOS",
            localSymbol=f"{symbol}.USD",
            tradingClass=symbol,
            marketName=symbol,
            longName=known.name,
            price_step=step,
            base_steps=int(EXACT.divide(Decimal(known.price), step)),
            validExchanges="PAXOS",
            timeZoneId="US/Central",
            session=hours.CRYPTO,
            minSize=Decimal("0.00000001"),
            sizeIncrement=Decimal("0.00000001"),
            suggestedSizeIncrement=Decimal("0.0001"),
            quote_unit=_CENT,
        )

    # -- helpers -----------------------------------------------------------------------------------------------------

    def _expiries(self, wanted: str, months: str, listed: int = 4) -> list[date]:
        """Return the expiry days that `wanted` (yyyymm or yyyymmdd) stands for; when empty, the next few listed."""
        allowed = {reference.MONTH_LETTERS.index(letter) + 1 for letter in months}
        first = self.today.year * 12 + self.today.month - 1
        days = [hours.third_friday(*divmod_month(first + offset)) for offset in range(60)]
        days = [day for day in days if day >= self.today and day.month in allowed]
        if not wanted:
            return days[:listed]
        return [day for day in days if f"{day:%Y%m}" == wanted or f"{day:%Y%m%d}" == wanted]

    @staticmethod
    def _routed(found: tuple[Instrument, ...], exchange: str) -> tuple[Instrument, ...]:
        """Return the instruments as listed on the exchange asked for; those not listed there fall out."""
        if not exchange:
            return found
        listed = (item for item in found if exchange in item.validExchanges.split(","))
        return tuple(item if item.exchange == exchange else replace(item, exchange=exchange) for item in listed)


def divmod_month(count: int) -> tuple[int, int]:
    """Return (year, month) of a count of months since year 0."""
    year, month = divmod(count, 12)
    return year, month + 1


def _fits(item: Instrument, query: ContractQuery) -> bool:
    """True when nothing that the client said contradicts the instrument."""
    said = (
        (query.symbol, item.symbol),
        (query.currency, item.currency),
        (query.localSymbol, item.localSymbol),
        (query.tradingClass, item.tradingClass),
        (query.multiplier, item.multiplier),
        (query.right[:1], item.right),
    )
    if any(asked and asked != value for asked, value in said):
        return False
    return not query.primaryExchange or query.primaryExchange in (item.primaryExchange, *item.validExchanges.split(","))


def _with_osi(query: ContractQuery) -> ContractQuery:
    """Return the query with what a 21-character option symbol says filled in."""
    match = _OSI.fullmatch(query.localSymbol)
    if match is None:
        return query
    return replace(
        query,
        symbol=query.symbol or match[1].strip(),
        lastTradeDateOrContractMonth=query.lastTradeDateOrContractMonth or f"20{match[2]}",
        right=query.right or match[3],
        strike=query.strike or EXACT.divide(Decimal(match[4]), Decimal(1000)),
    )
