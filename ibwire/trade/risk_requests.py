"""What can add risk: one table of every message a client sends, and the request that policies look at. Pure.

A message that is not in the table cannot be sent through the gate at all, so a new one must be put here first.
"""

from __future__ import annotations

from enum import Enum
from math import inf, isfinite, nan
from typing import Any, Final, NamedTuple

__all__ = [
    "EFFECTS",
    "Effect",
    "Kind",
    "Part",
    "Request",
    "contract_key",
    "limit_of",
    "lowers_risk",
    "parts_of",
    "trigger_of",
]


class Effect(Enum):
    """What sending a message can do to the risk that somebody holds."""

    ADDS = "adds"
    """Passes the gate."""
    CANCELS = "cancels"
    """Passes no policy, is never shut, goes before everything else."""
    NONE = "none"
    """Asks, subscribes, ends a subscription."""


class Kind(Enum):
    """What a request wants, for policies."""

    PLACE = "place"
    MODIFY = "modify"
    EXERCISE = "exercise"
    """Exercise of options, or letting them lapse."""
    SETTING = "setting"
    """A setting of TWS or of an adviser's groups that changes what later orders do."""


_ADDS: Final = ("placeOrder", "exerciseOptions", "replaceFA", "updateConfig")
_CANCELS: Final = ("cancelOrder", "reqGlobalCancel")
_NONE: Final = (
    *("reqMktData", "cancelMktData", "reqOpenOrders", "reqAccountUpdates", "reqExecutions", "reqIds"),
    *("reqContractDetails", "reqMktDepth", "cancelMktDepth", "reqNewsBulletins", "cancelNewsBulletins"),
    *("setServerLogLevel", "reqAutoOpenOrders", "reqAllOpenOrders", "reqManagedAccts", "requestFA"),
    *("reqHistoricalData", "reqScannerSubscription", "cancelScannerSubscription", "reqScannerParameters"),
    *("cancelHistoricalData", "reqCurrentTime", "reqRealTimeBars", "cancelRealTimeBars", "reqFundamentalData"),
    *("cancelFundamentalData", "calculateImpliedVolatility", "calculateOptionPrice"),
    *("cancelCalculateImpliedVolatility", "cancelCalculateOptionPrice", "reqMarketDataType", "reqPositions"),
    *("reqAccountSummary", "cancelAccountSummary", "cancelPositions", "verifyRequest", "verifyMessage"),
    *("queryDisplayGroups", "subscribeToGroupEvents", "updateDisplayGroup", "unsubscribeFromGroupEvents"),
    *("startApi", "verifyAndAuthRequest", "verifyAndAuthMessage", "reqPositionsMulti", "cancelPositionsMulti"),
    *("reqAccountUpdatesMulti", "cancelAccountUpdatesMulti", "reqSecDefOptParams", "reqSoftDollarTiers"),
    *("reqFamilyCodes", "reqMatchingSymbols", "reqMktDepthExchanges", "reqSmartComponents", "reqNewsArticle"),
    *("reqNewsProviders", "reqHistoricalNews", "reqHeadTimeStamp", "reqHistogramData", "cancelHistogramData"),
    *("cancelHeadTimeStamp", "reqMarketRule", "reqPnL", "cancelPnL", "reqPnLSingle", "cancelPnLSingle"),
    *("reqHistoricalTicks", "reqTickByTickData", "cancelTickByTickData", "reqCompletedOrders"),
    *("reqWshMetaData", "cancelWshMetaData", "reqWshEventData", "cancelWshEventData", "reqUserInfo"),
    *("reqCurrentTimeInMillis", "cancelContractData", "cancelHistoricalTicks", "reqConfig"),
)

EFFECTS: Final[dict[str, Effect]] = {
    **dict.fromkeys(_ADDS, Effect.ADDS),
    **dict.fromkeys(_CANCELS, Effect.CANCELS),
    **dict.fromkeys(_NONE, Effect.NONE),
}
"""IB's name of every message that a client sends -> its effect. What-if orders and modifies that only lower risk are
placeOrder messages too: :func:`lowers_risk` tells them from the rest."""

_SIDES: Final = {"BUY": 1, "SELL": -1, "SSHORT": -1, "SLONG": -1, "BOT": 1, "SLD": -1}
_LIMITED: Final = frozenset({"LMT", "LOC", "STP LMT", "LIT"})
"""Types whose limit price says at what the order may trade. Elsewhere the field is ignored, or an offset."""
_STOPS: Final = frozenset({"STP", "STP LMT", "STP PRT", "MIT", "LIT"})
_TRAILS: Final = frozenset({"TRAIL", "TRAIL LIMIT"})


def contract_key(contract: Any) -> Any:
    """What a contract is known by: its conId, else everything that describes it."""
    if contract.conId:
        return contract.conId
    legs = tuple((leg.conId, leg.ratio, leg.action) for leg in contract.comboLegs or ())
    return (
        *(contract.symbol, contract.secType, contract.lastTradeDateOrContractMonth, contract.strike, contract.right),
        *(contract.exchange, contract.currency, contract.localSymbol, legs),
    )


class Part(NamedTuple):
    """One contract of an order: the contract itself, or a leg of a combination, of which only the conId is known."""

    key: Any
    contract: Any
    side: int
    ratio: float


def parts_of(contract: Any, side: int) -> list[Part]:
    """What an order on this side buys (side +1) and sells (-1): one contract, or so many of each leg."""
    if contract.secType != "BAG" or not contract.comboLegs:
        return [Part(contract_key(contract), contract, side, 1.0)]
    ratios: dict[tuple[Any, int], float] = {}
    for leg in contract.comboLegs:
        key = (leg.conId, side * _SIDES.get(leg.action, 0))
        ratios[key] = ratios.get(key, 0.0) + float(leg.ratio)
    return [Part(con_id, None, its_side, ratio) for (con_id, its_side), ratio in ratios.items()]


def limit_of(order: Any) -> float:
    """The price that an order trades at or better; NaN where nothing limits it."""
    return _price(order.lmtPrice) if order.orderType in _LIMITED else nan


def trigger_of(order: Any) -> float:
    """The price that an order waits for; NaN where it waits for none, or nobody knows: a trail's distance is none."""
    if order.orderType in _STOPS:
        return _price(order.auxPrice)
    return _price(order.trailStopPrice) if order.orderType in _TRAILS else nan


def _price(value: Any) -> float:
    return nan if value is None else float(value)


class Request:
    """One request as policies see it; what it was made of is not changed while they look.

    Attributes
    ----------
    kind : Kind
    account : str
        Where it would go; empty when nobody can tell.
    key : int or tuple
        Of the contract: its conId, else what describes it.
    contract, order : object or None
        As they would be sent; a policy must not change them. message : what is sent where there is no order.
    order_id : int
        The order that is changed; 0 for a new one.
    before : object or None
        The order as it is now, for a modify.
    side : int
        +1 buys, -1 sells, 0 neither.
    quantity : float
        Ordered, above 0; infinite when it cannot be known (an order in money). Of a combination so many times each leg.
    is_combo, is_qualified : bool
        It is a combination; every contract that it is about has its conId, by which positions are known.
    price : float
        The limit price, NaN without. stop : the trigger price, NaN without.
    order_type : str
    cash : float
        Money of an order in money, else NaN.
    closing : bool
        It only closes a position after a stop: flat-on-loss.
    """

    __slots__ = (
        *("account", "before", "cash", "closing", "contract", "is_combo", "is_qualified", "key", "kind", "message"),
        *("order", "order_id", "order_type", "price", "quantity", "side", "stop"),
    )

    def __init__(self, contract: Any, order: Any, account: str = "", before: Any = None, order_id: int = 0) -> None:
        self.kind = Kind.PLACE if before is None else Kind.MODIFY
        self.account = "" if order.faGroup else order.account or account
        self.contract = contract
        self.order = order
        self.order_id = order_id
        self.before = before
        self.message = None
        self.closing = False
        self.key = contract.conId or contract_key(contract)
        if contract.secType == "BAG" and contract.comboLegs:
            self.is_combo, self.is_qualified = True, all(leg.conId for leg in contract.comboLegs)
        else:
            self.is_combo, self.is_qualified = False, bool(contract.conId)
        self.side = _SIDES.get(order.action, 0)
        self.order_type = order.orderType
        total = order.totalQuantity
        if order.orderType == "LMT":  # what most are
            price = order.lmtPrice
            self.price, self.stop = nan if price is None else float(price), nan
        else:
            self.price, self.stop = limit_of(order), trigger_of(order)
        self.cash = nan
        cash = getattr(order, "cashQty", None)
        self.quantity = float(total) if total else inf
        if cash or not total:
            self.quantity = inf
            self.cash = nan if total else _price(cash)  # with both, nobody knows which one counts

    @classmethod
    def of_message(cls, message: Any, account: str = "") -> Request:
        """A request that is no order: exercise of options, or a setting. ``message`` is the one that is sent."""
        made = cls.__new__(cls)
        contract = getattr(message, "contract", None)
        made.kind = Kind.SETTING if contract is None else Kind.EXERCISE
        made.account = getattr(message, "account", "") or account
        made.contract, made.order, made.before, made.message = contract, None, None, message
        made.order_id, made.order_type, made.closing, made.cash, made.is_combo = 0, "", False, nan, False
        made.is_qualified = contract is None or bool(contract.conId)
        made.key = None if contract is None else ("exercise", contract_key(contract))
        made.side = 0
        made.price = made.stop = nan
        made.quantity = 0.0
        if contract is not None:
            # What comes of it is a position in the underlying, at the strike.
            made.side = -1 if str(contract.right)[:1].upper() == "P" else 1
            made.quantity = float(message.exerciseQuantity)
            made.price = _price(contract.strike or None)
        return made

    @property
    def is_order(self) -> bool:
        """A new order, or a changed one."""
        return self.order is not None

    @property
    def is_stop(self) -> bool:
        """It waits for a price before it trades."""
        return self.order_type in _STOPS or self.order_type in _TRAILS

    def __repr__(self) -> str:
        name = getattr(self.contract, "localSymbol", "") or getattr(self.contract, "symbol", "")
        action = getattr(self.order, "action", "")
        return f"<Request {self.kind.value} {action} {self.quantity:g} {name} {self.order_type} {self.account}>"


def lowers_risk(order: Any, before: Any) -> bool:
    """Whether a modify surely adds no risk: the quantity not above what it was, a limit not further out, all else same.

    Anything that is not plainly so counts as adding risk.
    """
    new, old = order.totalQuantity, before.totalQuantity
    if not new or not old or new > old:
        return False
    if order.lmtPrice != before.lmtPrice:
        # Only where the limit is what the order is about: a stop-limit's limit decides whether the stop protects.
        if order.orderType != "LMT" or order.lmtPrice is None or before.lmtPrice is None:
            return False
        further = order.lmtPrice - before.lmtPrice
        if not isfinite(further) or (further > 0) != (_SIDES.get(order.action) == -1):
            return False
    skip = ("totalQuantity", "lmtPrice", "orderId", "clientId", "permId")
    names = [name for cls in type(order).__mro__ for name in getattr(cls, "__slots__", ())] or list(vars(order))
    return all(getattr(order, name) == getattr(before, name, None) for name in names if name not in skip)
