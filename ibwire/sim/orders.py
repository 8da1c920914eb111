"""What goes into matching and what comes out: plain data.

Events carry an `OrderSnapshot` where a gateway needs one to write openOrder and orderStatus. `request.tag` comes back
untouched: the gateway keeps the client's own message there to echo fields that matching does not look at.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from ibwire.sim.exact import ZERO
from ibwire.sim.instruments import Instrument

BUY, SELL = "BUY", "SELL"
SIDES = {BUY: "BOT", SELL: "SLD"}

# The wire's own status words, as far as this gateway uses them.
API_PENDING = "ApiPending"
PENDING_SUBMIT = "PendingSubmit"
PENDING_CANCEL = "PendingCancel"
API_CANCELLED = "ApiCancelled"
PRE_SUBMITTED = "PreSubmitted"
SUBMITTED = "Submitted"
CANCELLED = "Cancelled"
FILLED = "Filled"
INACTIVE = "Inactive"
# Why an accepted order is not at its market, as `whyHeld` says it; several are joined by commas.
CHILD, TRIGGER, LOCATE = "child", "trigger", "locate"
ON_REQUEST = "Cancelled on request"  # the reason of an order that somebody cancelled
MANUAL_CLIENT = 0  # orders typed into the gateway's own window belong to client 0, with order id 0 until bound

LIQUIDITY_ADDED = 1
LIQUIDITY_REMOVED = 2


PRICE_CONDITION, TIME_CONDITION = 1, 3


@dataclass(frozen=True, slots=True)
class Condition:
    """One order condition. `conjunction` ties it to the next one: True is and, False is or; and binds closer.

    A price condition has `instrument`, `price` and `triggerMethod`, a time condition `time_ns`; `problem` says why the
    condition cannot be taken.
    """

    condType: int
    isMore: bool = True
    conjunction: bool = True
    instrument: Instrument | None = None
    price: Decimal = ZERO
    triggerMethod: int = 0
    time_ns: int = 0
    problem: str = ""


@dataclass(frozen=True, slots=True)
class OrderRequest:
    """One placeOrder as matching sees it; `instrument` is None when no single contract fits.

    `good_till_ns` and `good_after_ns` are 0 when not given and -1 when their text names no time. `extras` are the names
    of the attributes that are set and that this gateway does not work (`refusals.ATTRIBUTES`).
    """

    clientId: int
    orderId: int
    instrument: Instrument | None
    action: str
    orderType: str
    totalQuantity: Decimal
    lmtPrice: Decimal | None = None
    tif: str = "DAY"
    account: str = ""
    orderRef: str = ""
    transmit: bool = True
    whatIf: bool = False
    tag: object = None
    auxPrice: Decimal | None = None
    trailStopPrice: Decimal | None = None
    trailingPercent: Decimal | None = None
    lmtPriceOffset: Decimal | None = None
    triggerMethod: int = 0
    cashQty: Decimal | None = None
    outsideRth: bool = False
    good_till_ns: int = 0
    good_after_ns: int = 0
    parentId: int = 0
    ocaGroup: str = ""
    ocaType: int = 0
    conditions: tuple[Condition, ...] = ()
    conditionsIgnoreRth: bool = False
    conditionsCancelOrder: bool = False
    extras: tuple[str, ...] = ()
    algoStrategy: str = ""
    algoParams: tuple[tuple[str, str], ...] = ()
    problem: str = ""  # with the contract, where that is more than that none fits


@dataclass(slots=True)
class OrderSnapshot:
    """An order at one moment; nobody changes it. `avgFillPrice` and `lastFillPrice` are 0 before the first fill.

    `permId` is what clients are told, 0 while it is late; `number` is the gateway's own and always there. `stopPrice`
    is where a stop or trailing order stands, None for others. `reason` says why an order ended or was refused.
    `commission` is what was reported so far, in the instrument's currency; `manual` tells an order typed in by hand.
    """

    request: OrderRequest
    instrument: Instrument
    account: str
    permId: int
    status: str
    filled: Decimal
    remaining: Decimal
    avgFillPrice: Decimal
    lastFillPrice: Decimal
    placed_ns: int
    changed_ns: int
    number: int = 0
    whyHeld: str = ""
    mktCapPrice: Decimal = ZERO
    reason: str = ""
    warning: str = ""
    ocaGroup: str = ""
    ocaType: int = 0
    stopPrice: Decimal | None = None
    commission: Decimal | None = None
    parentPermId: int = 0
    manual: bool = False

    @property
    def clientId(self) -> int:
        """The client that owns the order."""
        return self.request.clientId

    @property
    def orderId(self) -> int:
        """The owner's number for it."""
        return self.request.orderId


@dataclass(slots=True)
class Accepted:
    """The order has a permId. A `StatusChange` follows at once."""

    order: OrderSnapshot
    time_ns: int


@dataclass(slots=True)
class Modified:
    """A modify took effect (`order` has the new values). A `StatusChange` with the unchanged status follows."""

    order: OrderSnapshot
    time_ns: int


@dataclass(slots=True)
class StatusChange:
    """openOrder and orderStatus are due."""

    order: OrderSnapshot
    time_ns: int


@dataclass(frozen=True, slots=True)
class Warned:
    """A message about an order that stays live (399, 2109, ...)."""

    order: OrderSnapshot
    code: int
    text: str
    time_ns: int


@dataclass(frozen=True, slots=True)
class Bound:
    """An order typed in by hand got an API order id; orderBound is due."""

    order: OrderSnapshot
    time_ns: int


@dataclass(frozen=True, slots=True)
class Fill:
    """One execution. `qty` > 0 (0 when it was busted); `cumQty` and `avgPrice` include it. `leg`: of a combination.

    A correction has the execId of the fill it replaces but for the digits after the last dot, and `replaces` names that
    fill.
    """

    execId: str
    order: OrderSnapshot
    side: str
    qty: Decimal
    price: Decimal
    cumQty: Decimal
    avgPrice: Decimal
    lastLiquidity: int
    exchange: str
    time_ns: int
    replaces: str = ""
    leg: Instrument | None = None

    @property
    def instrument(self) -> Instrument:
        """What was traded: the order's instrument or, of a combination, a leg."""
        return self.leg or self.order.instrument


@dataclass(frozen=True, slots=True)
class Commission:
    """The commission report of one execution. `realizedPNL` is None when the execution closed nothing."""

    clientId: int
    execId: str
    commission: Decimal
    currency: str
    realizedPNL: Decimal | None
    time_ns: int


@dataclass(frozen=True, slots=True)
class Cancelled:
    """The rest of the order is gone; the `StatusChange` was sent before. `code` 0 means that no message is due."""

    order: OrderSnapshot
    code: int
    text: str
    time_ns: int


@dataclass(frozen=True, slots=True)
class Rejected:
    """A placement or, when `live`, a modify was refused; then the order goes on as it was."""

    clientId: int
    orderId: int
    code: int
    text: str
    live: bool
    time_ns: int


@dataclass(frozen=True, slots=True)
class CancelRefused:
    """There was nothing to cancel, or no longer."""

    clientId: int
    orderId: int
    code: int
    text: str
    time_ns: int


@dataclass(frozen=True, slots=True)
class WhatIf:
    """The answer to a what-if order: estimates in the account's base currency, no live order."""

    request: OrderRequest
    instrument: Instrument
    commission: Decimal
    init_margin_change: Decimal
    maint_margin_change: Decimal
    equity_change: Decimal = ZERO
    time_ns: int = 0
    account: str = ""
    warning: str = ""


OrderEvent = (
    Accepted
    | Modified
    | StatusChange
    | Warned
    | Bound
    | Fill
    | Commission
    | Cancelled
    | Rejected
    | CancelRefused
    | WhatIf
)
