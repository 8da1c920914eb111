"""The simulated account: cash, positions, commissions and profit, in Decimals.

Rules
-----
* A position is exactly the sum of its fills.
* An opening fill adds price x size x multiplier to the cost; its commission is in the cost too, as with IB.
* A closing fill realises proceeds less the share of the cost it closes less its commission.
* Futures move no cash but their realised profit; currency pairs move both currencies and count as cash, not as value.
* Every figure of the account is in its base currency (USD), at `reference`'s fixed exchange rates.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from decimal import Decimal, localcontext

from ibwire.sim import reference
from ibwire.sim.exact import EXACT, ZERO, cents, ratio
from ibwire.sim.instruments import Instrument
from ibwire.sim.orders import BUY, SELL, SIDES, Fill

DEFAULT_ACCOUNT = "DU0000001"
DEFAULT_CASH = Decimal(1_000_000)
BASE_CURRENCY = "USD"


@dataclass(frozen=True, slots=True)
class Tariff:
    """A commission rule: a rate per unit or a share of the value, at least `minimum` and at most `cap_share` of the
    value, per order."""

    per_unit: Decimal = ZERO
    value_share: Decimal = ZERO
    minimum: Decimal = ZERO
    cap_share: Decimal = Decimal(1)

    def total(self, quantity: Decimal, value: Decimal) -> Decimal:
        """Return the commission of an order that has filled `quantity` for `value`; it never falls as they grow."""
        raw = EXACT.add(EXACT.multiply(self.per_unit, quantity), EXACT.multiply(self.value_share, value))
        return cents(min(max(raw, self.minimum), EXACT.multiply(self.cap_share, value)))


TARIFFS: dict[str, Tariff] = {
    "STK": Tariff(per_unit=Decimal("0.005"), minimum=Decimal(1), cap_share=Decimal("0.01")),
    "CASH": Tariff(value_share=Decimal("0.00002"), minimum=Decimal(2)),
    "FUT": Tariff(per_unit=Decimal("2.25")),
    "OPT": Tariff(per_unit=Decimal("0.65"), minimum=Decimal(1)),
    "CRYPTO": Tariff(value_share=Decimal("0.0018"), minimum=Decimal("1.75"), cap_share=Decimal("0.01")),
}
# Initial margin as a share of the value.
MARGIN: dict[str, Decimal] = {
    "STK": Decimal("0.25"),
    "CASH": Decimal("0.03"),
    "FUT": Decimal("0.06"),
    "OPT": Decimal(1),
    "CRYPTO": Decimal(1),
}
MAINTENANCE_SHARE = Decimal("0.9")


@dataclass(slots=True)
class Position:
    """One position. `cost` is signed like `quantity`: money put in for a long, money received for a short."""

    instrument: Instrument
    quantity: Decimal = ZERO
    cost: Decimal = ZERO
    realized: Decimal = ZERO

    @property
    def avgCost(self) -> Decimal:
        """IB's average cost: money per unit, multiplier and commissions included; 0 when flat."""
        return ratio(self.cost, self.quantity) if self.quantity else ZERO


@dataclass(frozen=True, slots=True)
class PortfolioItem:
    """One line of the portfolio, in the instrument's currency."""

    account: str
    instrument: Instrument
    position: Decimal
    marketPrice: Decimal
    marketValue: Decimal
    averageCost: Decimal
    unrealizedPNL: Decimal
    realizedPNL: Decimal


@dataclass(frozen=True, slots=True)
class AccountValue:
    """One account value; `value` is text, as on the wire."""

    key: str
    value: str
    currency: str


@dataclass(frozen=True, slots=True)
class Charge:
    """What a fill cost and realised. `realized` is None when it closed nothing."""

    commission: Decimal
    currency: str
    realized: Decimal | None


@dataclass(slots=True)
class _OrderTotal:
    quantity: Decimal = ZERO
    value: Decimal = ZERO
    charged: Decimal = ZERO


@dataclass(frozen=True, slots=True)
class Totals:
    """The account in its base currency."""

    cash: Decimal
    long_value: Decimal
    short_value: Decimal
    futures_pnl: Decimal
    unrealized: Decimal
    realized: Decimal
    init_margin: Decimal
    net_liquidation: Decimal = field(init=False)

    def __post_init__(self) -> None:
        total = EXACT.add(EXACT.add(self.cash, self.futures_pnl), EXACT.add(self.long_value, self.short_value))
        object.__setattr__(self, "net_liquidation", total)


class SimAccount:
    """One simulated account.

    Parameters
    ----------
    mark_price : callable
        Returns the price an instrument is valued at.
    account : str
        Account code.
    cash : Decimal
        Starting cash, USD.
    """

    def __init__(
        self,
        mark_price: Callable[[Instrument], Decimal],
        account: str = DEFAULT_ACCOUNT,
        cash: Decimal = DEFAULT_CASH,
    ) -> None:
        self.account = account
        self.start_cash = cash
        self._mark_price = mark_price
        self._cash: dict[str, Decimal] = {BASE_CURRENCY: cash}
        self._positions: dict[int, Position] = {}
        self._orders: dict[tuple[int, int], _OrderTotal] = {}
        self._history: list[Fill] = []

    # -- fills -------------------------------------------------------------------------------------------------------

    def apply(self, fill: Fill) -> Charge:
        """Book one execution and return what it cost and realised."""
        self._history.append(fill)
        instrument = fill.instrument
        with localcontext(EXACT):
            value = fill.qty * fill.price * instrument.unit_multiplier
            commission = self._charge((fill.order.number or fill.order.permId, instrument), fill.qty, value)
            position = self._positions.setdefault(instrument.conId, Position(instrument))
            signed = fill.qty if fill.side == SIDES[BUY] else -fill.qty
            realized = self._book(position, signed, value, commission)
            self._move_cash(instrument, signed, value, commission, realized)
            position.realized += realized or ZERO
        return Charge(commission, instrument.currency, None if realized is None else cents(realized))

    def revert(self, fill: Fill) -> None:
        """Take an execution out of the book again, as if it had never been: the rest is booked anew."""
        self._history = [entry for entry in self._history if entry.execId != fill.execId]
        history, self._history = self._history, []
        self._cash = {BASE_CURRENCY: self.start_cash}
        self._positions.clear()
        self._orders.clear()
        for entry in history:
            self.apply(entry)

    def _charge(self, what: tuple[int, Instrument], quantity: Decimal, value: Decimal) -> Decimal:
        """Return this piece's part of the order's commission: the minimum is per order (and leg), not per piece."""
        number, instrument = what
        total = self._orders.setdefault((number, instrument.conId), _OrderTotal())
        total.quantity += quantity
        total.value += value
        due = TARIFFS[instrument.secType].total(total.quantity, total.value)
        piece, total.charged = due - total.charged, due
        return piece

    @staticmethod
    def _book(position: Position, signed: Decimal, value: Decimal, commission: Decimal) -> Decimal | None:
        """Change size and cost; return the realised profit (commission deducted), None when nothing was closed."""
        sign = 1 if signed > 0 else -1
        held = position.quantity
        closing = min(abs(signed), abs(held)) if held * signed < 0 else ZERO
        opening = abs(signed) - closing
        # Multiply before dividing: whatever comes out even stays exact.
        closed_value, closed_commission = value * closing / abs(signed), commission * closing / abs(signed)
        realized: Decimal | None = None
        if closing:
            freed = position.cost * closing / abs(held)
            realized = -sign * closed_value - freed - closed_commission
            position.cost -= freed
        if opening:
            position.cost += sign * (value - closed_value) + commission - closed_commission
        position.quantity = held + signed
        return realized

    def _move_cash(
        self, instrument: Instrument, signed: Decimal, value: Decimal, commission: Decimal, realized: Decimal | None
    ) -> None:
        paid = value if signed > 0 else -value
        if instrument.secType == "FUT":
            # Variation margin: only profit and the commission (which `realized` has for the closed part) move cash.
            self._add_cash(instrument.currency, realized if realized is not None else ZERO)
            return
        if instrument.secType == "CASH":
            self._add_cash(instrument.symbol, signed)
        self._add_cash(instrument.currency, -paid - commission)

    def _add_cash(self, currency: str, amount: Decimal) -> None:
        self._cash[currency] = self._cash.get(currency, ZERO) + amount

    # -- looking -----------------------------------------------------------------------------------------------------

    def cash(self, currency: str = BASE_CURRENCY) -> Decimal:
        """Return the balance of one currency."""
        return self._cash.get(currency, ZERO)

    def position(self, conId: int) -> Decimal:
        """Return the size held, 0 when none."""
        held = self._positions.get(conId)
        return held.quantity if held is not None else ZERO

    def positions(self) -> tuple[Position, ...]:
        """Return every position that is not flat, by contract id."""
        return tuple(self._positions[key] for key in sorted(self._positions) if self._positions[key].quantity)

    def portfolio(self, *, flat: bool = False) -> tuple[PortfolioItem, ...]:
        """Return the portfolio by contract id; `flat` includes positions closed today."""
        keys = sorted(self._positions)
        return tuple(self._item(self._positions[key]) for key in keys if flat or self._positions[key].quantity)

    def pnl(self, conId: int) -> PortfolioItem | None:
        """Return one portfolio line (for single-position profit), None when never traded."""
        held = self._positions.get(conId)
        return None if held is None else self._item(held)

    def _item(self, held: Position) -> PortfolioItem:
        price = self._mark_price(held.instrument)
        with localcontext(EXACT):
            value = held.quantity * price * held.instrument.unit_multiplier
            return PortfolioItem(
                account=self.account,
                instrument=held.instrument,
                position=held.quantity,
                marketPrice=price,
                marketValue=cents(value),
                averageCost=held.avgCost,
                unrealizedPNL=cents(value - held.cost),
                realizedPNL=cents(held.realized),
            )

    def totals(self) -> Totals:
        """Return the account's figures in the base currency."""
        with localcontext(EXACT):
            cash = sum((amount * _rate(currency) for currency, amount in self._cash.items()), ZERO)
            long_value = short_value = futures = unrealized = realized = margin = ZERO
            for held in self._positions.values():
                rate = _rate(held.instrument.currency)
                price = self._mark_price(held.instrument)
                value = held.quantity * price * held.instrument.unit_multiplier * rate
                profit = value - held.cost * rate
                unrealized += profit
                realized += held.realized * rate
                margin += abs(value) * MARGIN[held.instrument.secType]
                if held.instrument.secType == "FUT":
                    futures += profit
                elif held.instrument.secType != "CASH":
                    long_value += max(value, ZERO)
                    short_value += min(value, ZERO)
            return Totals(cash, long_value, short_value, futures, unrealized, realized, margin)

    def margin_change(self, instrument: Instrument, action: str, quantity: Decimal, price: Decimal) -> Decimal:
        """Return by how much an order, once filled, would raise (or lower) the initial margin, base currency.

        A combination: the sum of its legs, at their marks.
        """
        if instrument.parts:
            legs = self._legs(instrument, action, quantity)
            return sum((self.margin_change(*leg) for leg in legs), ZERO)
        with localcontext(EXACT):
            held = self.position(instrument.conId)
            after = held + (quantity if action == BUY else -quantity)
            per_unit = price * instrument.unit_multiplier * _rate(instrument.currency) * MARGIN[instrument.secType]
            return (abs(after) - abs(held)) * per_unit

    def estimate_commission(self, instrument: Instrument, quantity: Decimal, price: Decimal) -> Decimal:
        """Return the commission of a whole order, in the instrument's currency."""
        if instrument.parts:
            legs = self._legs(instrument, BUY, quantity)
            return sum((self.estimate_commission(item, size, mark) for item, _, size, mark in legs), ZERO)
        with localcontext(EXACT):
            return TARIFFS[instrument.secType].total(quantity, quantity * price * instrument.unit_multiplier)

    def _legs(
        self, combo: Instrument, action: str, quantity: Decimal
    ) -> list[tuple[Instrument, str, Decimal, Decimal]]:
        """What an order for a combination trades: instrument, action, size, mark of each leg."""
        return [
            (
                part.instrument,
                BUY if (action == BUY) == (part.sign > 0) else SELL,
                EXACT.multiply(quantity, Decimal(part.ratio)),
                self._mark_price(part.instrument),
            )
            for part in combo.parts
        ]

    def can_afford(self, instrument: Instrument, action: str, quantity: Decimal, price: Decimal) -> bool:
        """True when the order lowers the margin or the available funds cover it."""
        change = self.margin_change(instrument, action, quantity, price)
        if change <= 0:
            return True
        totals = self.totals()
        return change <= EXACT.subtract(totals.net_liquidation, totals.init_margin)

    def values(self) -> tuple[AccountValue, ...]:
        """Return the values of reqAccountUpdates: figures in the base currency, then balances per currency."""
        out = [AccountValue(key, value, "") for key, value in self._words().items()]
        out += [AccountValue(key, str(cents(value)), BASE_CURRENCY) for key, value in self._figures().items()]
        return (*out, *self.ledger())

    def summary(self, tags: Iterable[str]) -> tuple[AccountValue, ...]:
        """Return the values of reqAccountSummary for `tags`, in their order; unknown tags give nothing."""
        words, figures = self._words(), self._figures()
        out: list[AccountValue] = []
        for tag in tags:
            if tag in figures:
                out.append(AccountValue(tag, str(cents(figures[tag])), BASE_CURRENCY))
            elif tag in words:
                out.append(AccountValue(tag, words[tag], ""))
            elif tag.startswith("$LEDGER"):
                out += self._ledger_for(tag.partition(":")[2])
        return tuple(out)

    def ledger(self) -> tuple[AccountValue, ...]:
        """Return the balances per currency and, as BASE, altogether."""
        return self._ledger_for("ALL")

    def _ledger_for(self, wanted: str) -> tuple[AccountValue, ...]:
        totals = self.totals()
        out: list[AccountValue] = []
        if wanted in ("", "ALL", "BASE"):
            figures = {
                "CashBalance": totals.cash,
                "TotalCashBalance": totals.cash,
                "NetLiquidationByCurrency": totals.net_liquidation,
                "UnrealizedPnL": totals.unrealized,
                "RealizedPnL": totals.realized,
            }
            out += [AccountValue(key, str(cents(value)), "BASE") for key, value in figures.items()]
            out.append(AccountValue("ExchangeRate", "1.00", "BASE"))
        for currency in sorted(self._cash):
            if wanted in ("ALL", currency):
                balance = str(cents(self._cash[currency]))
                out.append(AccountValue("Currency", currency, currency))
                out.append(AccountValue("CashBalance", balance, currency))
                out.append(AccountValue("TotalCashBalance", balance, currency))
                out.append(AccountValue("ExchangeRate", str(_rate(currency)), currency))
        return tuple(out)

    def _words(self) -> dict[str, str]:
        totals = self.totals()
        net = totals.net_liquidation
        free = EXACT.subtract(net, _maintenance(totals))
        gross = EXACT.subtract(totals.long_value, totals.short_value)
        return {
            "AccountCode": self.account,
            "AccountReady": "true",
            "AccountType": "INDIVIDUAL",
            "AccountOrGroup": self.account,
            "Cushion": str(ratio(free, net)) if net > 0 else "0",
            "DayTradesRemaining": "-1",
            "Leverage": str(cents(EXACT.divide(gross, net))) if net > 0 else "0.00",
            "LookAheadNextChange": "0",
        }

    def _figures(self) -> dict[str, Decimal]:
        totals = self.totals()
        net, init, maintenance = totals.net_liquidation, totals.init_margin, _maintenance(totals)
        available = max(EXACT.subtract(net, init), ZERO)
        excess = EXACT.subtract(net, maintenance)
        return {
            "AccruedCash": ZERO,
            "AvailableFunds": available,
            "BuyingPower": EXACT.multiply(available, Decimal(4)),
            "EquityWithLoanValue": net,
            "ExcessLiquidity": excess,
            "FullAvailableFunds": available,
            "FullExcessLiquidity": excess,
            "FullInitMarginReq": init,
            "FullMaintMarginReq": maintenance,
            "GrossPositionValue": EXACT.subtract(totals.long_value, totals.short_value),
            "InitMarginReq": init,
            "LookAheadAvailableFunds": available,
            "LookAheadExcessLiquidity": excess,
            "LookAheadInitMarginReq": init,
            "LookAheadMaintMarginReq": maintenance,
            "MaintMarginReq": maintenance,
            "NetLiquidation": net,
            "PreviousDayEquityWithLoanValue": self.start_cash,
            "RealizedPnL": totals.realized,
            "SettledCash": totals.cash,
            "TotalCashValue": totals.cash,
            "UnrealizedPnL": totals.unrealized,
        }


def _maintenance(totals: Totals) -> Decimal:
    return EXACT.multiply(totals.init_margin, MAINTENANCE_SHARE)


def _rate(currency: str) -> Decimal:
    """Return what one unit of a currency is worth in the base currency (a crypto coin is a position, not cash)."""
    return reference.DOLLAR_VALUE[currency]
