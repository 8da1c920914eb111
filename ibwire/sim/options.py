"""Option computations: the greeks beside an option's ticks, and the two calculations a client may ask for."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from ibwire.sim import pricing
from ibwire.sim.client import ClientSession, Handlers
from ibwire.sim.clock import NS_PER_S
from ibwire.sim.instruments import Instrument
from ibwire.sim.quotes import QuoteProcess, TickChange, TickKind
from ibwire.sim.zones import local
from ibwire.spec.ticks import NUMBERS
from ibwire.types import incoming, outgoing

if TYPE_CHECKING:
    from ibwire.sim.gateway import Gateway

_PRICES = 1  # tickAttrib: based on prices, not on returns
_DEFAULT_VOL = 0.3
_CUSTOM = NUMBERS["CUST_OPTION_COMPUTATION"]
_LIVE = ("BID_OPTION_COMPUTATION", "ASK_OPTION_COMPUTATION", "LAST_OPTION_COMPUTATION", "MODEL_OPTION")
_DELAYED = ("DELAYED_BID_OPTION", "DELAYED_ASK_OPTION", "DELAYED_LAST_OPTION", "DELAYED_MODEL_OPTION")
_KINDS = (TickKind.BID, TickKind.ASK, TickKind.LAST)


def years_of(item: Instrument, now_ns: int) -> float:
    """Return the time to expiry; on the last day half a day."""
    assert item.expiry is not None  # options have one
    days = (item.expiry - local(item.timeZoneId, now_ns // NS_PER_S).date()).days
    return days / pricing.YEAR_DAYS if days > 0 else 0.5 / pricing.YEAR_DAYS if days == 0 else 0.0


class LineGreeks:
    """The computations of one market data line."""

    def __init__(self, item: Instrument, delayed: bool) -> None:
        self._item = item
        self._types = [NUMBERS[name] for name in (_DELAYED if delayed else _LIVE)]

    def messages(
        self, gateway: Gateway, reqId: int, lag_ns: int, changes: list[TickChange]
    ) -> Iterator[incoming.TickOptionComputation]:
        """Yield a computation for each price that changed, then the model's."""
        item, market = self._item, gateway.market
        under = item.underlying
        assert under is not None
        process = market.process(under, lag_ns)
        steps = (process.bid + process.ask) / 2.0 if under.secType != "IND" else float(process.last)
        price = float(under.price_step) * steps
        own = market.process(item, lag_ns)
        vol = own.of.volatility() if isinstance(own, QuoteProcess) else _DEFAULT_VOL
        model = pricing.model(
            item.right == "C", price, float(item.strike), years_of(item, gateway.clock.now_ns - lag_ns), vol
        )
        for kind, number in zip(_KINDS, self._types[:3], strict=True):
            change = next((change for change in reversed(changes) if change.kind is kind), None)
            if change is not None:
                yield self._computation(reqId, number, item.float_price(change.steps), vol, model, price)
        yield self._computation(reqId, self._types[3], model.price, vol, model, price)

    @staticmethod
    def _computation(
        reqId: int, number: int, price: float, vol: float, model: pricing.Greeks, under: float
    ) -> incoming.TickOptionComputation:
        # A price's own volatility: the model's, moved by what the price is off, at the model's vega.
        moved = (price - model.price) / (model.vega * 100.0) if model.vega > 0.001 else 0.0
        implied = min(max(vol + moved, pricing.MIN_VOL), pricing.MAX_VOL)
        return incoming.TickOptionComputation(
            *(reqId, number, _PRICES, implied, model.delta, price, 0.0, model.gamma, model.vega, model.theta, under)
        )


# ---------------------------------------------------------------------------------------------- requests


def _option(session: ClientSession, reqId: int, contract: object) -> Instrument | None:
    item = session.gateway.resolve(contract)  # type: ignore[arg-type]
    if item is None:
        session.error(reqId, 200, "No security definition fits this contract, or several do")
    elif item.secType != "OPT":
        session.error(reqId, 321, f"Invalid request: {item.localSymbol} is no option")
        return None
    return item


def calculate_implied_volatility(session: ClientSession, message: outgoing.CalculateImpliedVolatility) -> None:
    item = _option(session, message.reqId, message.contract)
    if item is None:
        return
    years, call, strike = years_of(item, session.gateway.clock.now_ns), item.right == "C", float(item.strike)
    vol = pricing.implied_vol(call, message.optionPrice, message.underPrice, strike, years)
    if vol is None:
        session.error(message.reqId, 321, "Invalid request: no volatility gives this option that price")
        return
    _send(session, message.reqId, pricing.model(call, message.underPrice, strike, years, vol), vol, message.underPrice)


def calculate_option_price(session: ClientSession, message: outgoing.CalculateOptionPrice) -> None:
    item = _option(session, message.reqId, message.contract)
    if item is None:
        return
    vol, under = message.volatility, message.underPrice
    if not pricing.MIN_VOL <= vol <= pricing.MAX_VOL or not 0.0 < under < 1e9:
        limits = f"{pricing.MIN_VOL}..{pricing.MAX_VOL}"
        text = f"Invalid request: volatility {vol} is not in {limits}, or the price not above 0"
        session.error(message.reqId, 321, text)
        return
    years = years_of(item, session.gateway.clock.now_ns)
    _send(session, message.reqId, pricing.model(item.right == "C", under, float(item.strike), years, vol), vol, under)


def _send(session: ClientSession, reqId: int, model: pricing.Greeks, vol: float, under: float) -> None:
    session.send(
        incoming.TickOptionComputation(
            *(reqId, _CUSTOM, _PRICES, vol, model.delta, model.price, 0.0, model.gamma, model.vega, model.theta, under)
        )
    )


def cancel_calculation(session: ClientSession, message: object) -> None:
    """It was answered at once: nothing is left to cancel."""


HANDLERS: Handlers = {
    outgoing.CalculateImpliedVolatility: calculate_implied_volatility,
    outgoing.CalculateOptionPrice: calculate_option_price,
    outgoing.CancelCalculateImpliedVolatility: cancel_calculation,
    outgoing.CancelCalculateOptionPrice: cancel_calculation,
}
