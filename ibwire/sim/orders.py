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
PENDING_CANCEL = "PendingCancel"
PRE_SUBMITTED = "PreSubmitted"
SUBMITTED = "Submitted"
CANCELLED = "Cancelled"
FILLED = "Filled"
INACTIVE = "Inactive"
DONE = frozenset({CANCELLED, FILLED, INACTIVE})

LIQUIDITY_ADDED = 1
LIQUIDITY_REMOVED = 2


@dataclass(frozen=True, slots=True)
class OrderRequest:
    """One placeOrder as matching sees it; `instrument` is None when no single contract fits."""

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


@dataclass(frozen=True, slots=True)
class OrderSnapshot:
    """An order at one moment. `avgFillPrice` and `lastFillPrice` are 0 before the first fill."""

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

    @property
    def clientId(self) -> int:
        """The client that owns the order."""
        return self.request.clientId

    @property
    def orderId(self) -> int:
        """The owner's number for it."""
        return self.request.orderId


@dataclass(frozen=True, slots=True)
class Accepted:
    """The order has a permId. A `StatusChange` follows at once."""

    order: OrderSnapshot
    time_ns: int


@dataclass(frozen=True, slots=True)
class Modified:
    """A modify took effect (`order` has the new values). A `StatusChange` with the unchanged status follows."""

    order: OrderSnapshot
    time_ns: int


@dataclass(frozen=True, slots=True)
class StatusChange:
    """openOrder and orderStatus are due."""

    order: OrderSnapshot
    time_ns: int


@dataclass(frozen=True, slots=True)
class Fill:
    """One execution. `qty` > 0; `cumQty` and `avgPrice` include it."""

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


OrderEvent = Accepted | Modified | StatusChange | Fill | Commission | Cancelled | Rejected | CancelRefused | WhatIf
