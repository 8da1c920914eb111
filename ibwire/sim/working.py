"""One order while the simulated gateway works it, how long things take, and which habits the gateway has."""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import Decimal
from functools import lru_cache

from ibwire.sim.clock import Scheduled
from ibwire.sim.exact import EXACT, ZERO, ratio, trimmed
from ibwire.sim.instruments import Instrument
from ibwire.sim.orders import CHILD, TRIGGER, OrderRequest, OrderSnapshot
from ibwire.sim.refusals import ADAPTIVE_PRIORITY, LIMIT_TYPES, PATIENCE, STOP_TYPES, TRAIL_LIMIT
from ibwire.sim.rng import Rng

_MS = 1_000_000
_ONE = Decimal(1)
MAX_PIECES = 3
Span = tuple[int, int]

# Why an accepted order is kept from its market. CHILD and TRIGGER are told in `whyHeld`.
CLOSED, CONDITIONS, LATER = "closed", "conditions", "later"
_TOLD = (CHILD, TRIGGER)


@dataclass(frozen=True, slots=True)
class Latency:
    """How long the gateway and the market take, as (least, most) in ns of virtual time."""

    acknowledge_ns: Span = (_MS // 5, _MS // 2)
    route_ns: Span = (5 * _MS, 25 * _MS)
    fill_ns: Span = (_MS // 2, 3 * _MS)
    piece_ns: Span = (10 * _MS, 150 * _MS)
    cancel_ns: Span = (2 * _MS, 20 * _MS)
    commission_ns: Span = (_MS // 100, _MS // 10)


NO_LATENCY = Latency((0, 0), (0, 0), (0, 0), (0, 0), (0, 0), (0, 0))


@dataclass(frozen=True, slots=True)
class Manners:
    """Which of the things that real gateways do by turns this one does. Shares are per cent of orders, drawn by seed.

    Attributes
    ----------
    max_pieces : int
        An order that takes from the market does so in 1..max_pieces pieces.
    status_first : int
        Share of orders whose orderStatus Filled comes before execDetails.
    duplicates : int
        Share of orders whose every openOrder and orderStatus comes twice.
    repeat_with_commission : bool
        The status of a filled order comes again, with the commission, before the commission report.
    perm_id_late_ns : tuple of int
        For so long (least, most) after the acceptance permId is 0; then the status comes again with it.
    pending_submit, api_pending : bool
        Whether these statuses come before PreSubmitted.
    pending_cancel : bool
        Whether PendingCancel comes before Cancelled.
    cancel_text_first : bool
        Message 202 comes before the status Cancelled instead of after it.
    """

    max_pieces: int = MAX_PIECES
    status_first: int = 0
    duplicates: int = 0
    repeat_with_commission: bool = False
    perm_id_late_ns: Span = (0, 0)
    pending_submit: bool = False
    api_pending: bool = False
    pending_cancel: bool = True
    cancel_text_first: bool = False


class WorkingOrder:
    """One order. Sizes are counted in size increments and prices in steps: conservation is integer arithmetic."""

    __slots__ = (
        "account",
        "blocks",
        "book_units",
        "busy_until_ns",
        "cash_sized",
        "changed_ns",
        "children",
        "commission",
        "conditions_met",
        "ended",
        "executions",
        "family",
        "filled_units",
        "frozen",
        "generation",
        "held",
        "hold_text",
        "instrument",
        "last_steps",
        "leg_values",
        "limit",
        "manual",
        "mktCapPrice",
        "number",
        "oca_group",
        "oca_key",
        "oca_total",
        "oca_type",
        "parent",
        "passive",
        "permId",
        "pieces",
        "placed_ns",
        "reason",
        "request",
        "rng",
        "routed",
        "seq",
        "status",
        "status_first",
        "stop",
        "timers",
        "total_units",
        "touches",
        "traded_steps",
        "trail_offset",
        "triggered",
        "twice",
        "unit",
    )

    def __init__(self, request: OrderRequest, instrument: Instrument, seed: int, now_ns: int) -> None:
        self.request = request
        self.instrument = instrument
        self.account = request.account
        self.rng = Rng.of(seed, "order", request.clientId, request.orderId)
        self.number = 0  # 0 until accepted; then the gateway's own number, which is the first permId
        self.permId = 0  # what clients are told
        self.executions = 0
        self.status = ""
        self.reason = ""
        self.ended = False
        self.held = not request.transmit
        self.routed = False
        self.triggered = False
        self.conditions_met = False
        self.blocks: set[str] = set()
        self.hold_text = ""  # a forced whyHeld
        self.frozen = False  # forced: nothing happens to it but what is forced
        self.manual = False
        self.mktCapPrice = ZERO
        self.commission: Decimal | None = None  # as far as it was reported
        self.unit = instrument.sizeIncrement
        self.total_units = 0
        self.cash_sized = False
        self.filled_units = 0
        self.traded_steps = 0  # sum of steps x units
        self.last_steps = 0
        self.leg_values: dict[int, Decimal] = {}  # of a combination: what each leg has traded for
        self.limit: int | None = None  # steps; of the order as it works now, None at the market
        self.stop: int | None = None  # steps
        self.trail_offset: int | None = None  # a trailing limit's distance from the stop, steps
        self.touches = 0  # times in a row that the trigger price was reached, for the double methods
        self.seq = 0  # time priority
        self.passive = False  # not marketable when last looked at: what fills now adds liquidity
        self.book_units = 0  # what stands in the book
        self.pieces: list[int] = []  # what follows later
        self.generation = 0  # a modify makes the running flow stale
        self.busy_until_ns = now_ns
        self.placed_ns = self.changed_ns = now_ns
        self.parent: WorkingOrder | None = None
        self.children: list[WorkingOrder] = []
        self.family = False  # its group is its parent's children
        self.oca_group = ""
        self.oca_key: tuple[str, str] | None = None
        self.oca_type = 0
        self.oca_total = 0
        self.timers: list[Scheduled] = []
        self.status_first = self.twice = False
        self.take(request, instrument)

    def take(self, request: OrderRequest, instrument: Instrument) -> None:
        """Take the values of a request: at first, while it is not transmitted, and by a modify."""
        self.request, self.instrument = request, instrument
        self.unit = instrument.sizeIncrement
        self.total_units = self.units(request.totalQuantity)
        if request.orderType in LIMIT_TYPES:
            self.limit = self._steps(request.lmtPrice)
        elif request.orderType != TRAIL_LIMIT or not self.triggered:
            self.limit = None  # a trailing limit gets its price from the stop, when that is reached
        if request.orderType in STOP_TYPES and not self.triggered:
            self.stop = self._steps(request.auxPrice)

    def _steps(self, price: Decimal | None) -> int | None:
        return None if price is None else self.instrument.steps(price)

    @property
    def done(self) -> bool:
        """True when nothing more can happen to it."""
        return self.ended

    @property
    def patience(self) -> int:
        """How much slower than an order as such its algorithm works it."""
        request = self.request
        return PATIENCE[dict(request.algoParams).get(ADAPTIVE_PRIORITY, "Normal")] if request.algoStrategy else 1

    @property
    def is_buy(self) -> bool:
        """True for a buy order."""
        return self.request.action == "BUY"

    @property
    def open_units(self) -> int:
        """What is left to fill, in size increments."""
        return self.total_units - self.filled_units

    @property
    def ready_units(self) -> int:
        """What may fill now: a child fills no more than its parent has, less what its siblings took of it."""
        parent = self.parent
        if parent is None or parent.instrument.conId != self.instrument.conId:
            return self.total_units - self.filled_units
        bought = parent.filled_units - self.siblings_filled()
        return max(min(self.total_units, bought) - self.filled_units, 0)

    def siblings_filled(self) -> int:
        """Return what the parent's other children on this side have filled."""
        if self.parent is None:
            return 0
        action = self.request.action
        others = (child for child in self.parent.children if child is not self and child.request.action == action)
        return sum(child.filled_units for child in others)

    def set_total(self, units: int) -> None:
        """Change the size, as one-cancels-all groups, brackets and cash quantities do."""
        self.total_units = units
        self.request = replace(self.request, totalQuantity=self.size(units))

    def units(self, size: Decimal) -> int:
        """Return a size in size increments, rounded down."""
        if self.unit == _ONE:
            return int(size)
        return int(EXACT.divide(size, self.unit))

    def size(self, units: int) -> Decimal:
        """Return a count of size increments as a size without trailing zeros."""
        if self.unit == _ONE:
            return Decimal(units)
        return _size(self.unit, units)

    def accepts(self, steps: int) -> bool:
        """True when the order may trade at a price."""
        limit = self.limit
        return limit is None or (steps <= limit if self.request.action == "BUY" else steps >= limit)

    def average(self) -> Decimal:
        """Return the average fill price, 0 before the first fill."""
        if not self.filled_units:
            return ZERO
        return _average(self.instrument.price_step, self.traded_steps, self.filled_units)

    def split(self, most: int) -> list[int]:
        """Cut what may fill now into 1 to `most` pieces, in whole units of 1 where it is whole."""
        ready = self.ready_units
        grain = max(self.units(_ONE), 1)
        if ready % grain:
            grain = 1
        left = ready // grain
        pieces = []
        for others in range(min(self.rng.between(1, most), left) - 1, 0, -1):
            piece = self.rng.between(1, left - others)
            pieces.append(piece * grain)
            left -= piece
        return [*pieces, left * grain]

    def venue(self) -> str:
        """Return where a fill happens: the exchange routed to, or one of those behind the smart router."""
        if self.instrument.exchange != "SMART":
            return self.instrument.exchange
        return self.rng.choice(self.instrument.validExchanges.split(",")[1:])

    def why_held(self) -> str:
        """Return `whyHeld`: what keeps an accepted order from its market, as far as the wire has a word for it."""
        if self.hold_text:
            return self.hold_text
        if self.ended or not self.blocks:
            return ""
        return ",".join(word for word in _TOLD if word in self.blocks)

    def snapshot(self) -> OrderSnapshot:
        """Return the order as it is now."""
        filled = self.filled_units
        step = self.instrument
        return OrderSnapshot(
            request=self.request,
            instrument=step,
            account=self.account,
            permId=self.permId,
            status=self.status,
            filled=self.size(filled) if filled else ZERO,
            remaining=self.size(self.total_units - filled),
            avgFillPrice=self.average() if filled else ZERO,
            lastFillPrice=step.price(self.last_steps) if filled else ZERO,
            placed_ns=self.placed_ns,
            changed_ns=self.changed_ns,
            number=self.number,
            whyHeld=self.why_held(),
            mktCapPrice=self.mktCapPrice,
            reason=self.reason,
            ocaGroup=self.oca_group,
            ocaType=self.oca_type,
            stopPrice=None if self.stop is None else step.price(self.stop),
            commission=self.commission,
            parentPermId=0 if self.parent is None else self.parent.permId,
            manual=self.manual,
        )


@lru_cache(maxsize=1 << 10)
def _average(price_step: Decimal, traded_steps: int, units: int) -> Decimal:
    # One fill asks for it three times: the execution and the orders before and after it.
    return ratio(EXACT.multiply(price_step, Decimal(traded_steps)), Decimal(units))


@lru_cache(maxsize=1 << 16)
def _size(increment: Decimal, units: int) -> Decimal:
    return trimmed(EXACT.multiply(increment, Decimal(units)))
