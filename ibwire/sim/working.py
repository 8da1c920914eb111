"""One order while the simulated gateway works it, and how long things take. Used by `matching` only."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from ibwire.sim.checks import MKT
from ibwire.sim.exact import EXACT, ZERO, ratio, trimmed
from ibwire.sim.instruments import Instrument
from ibwire.sim.market import Watch
from ibwire.sim.orders import DONE, OrderRequest, OrderSnapshot
from ibwire.sim.rng import Rng

_MS = 1_000_000
_ONE = Decimal(1)
MAX_PIECES = 3
Span = tuple[int, int]


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


class WorkingOrder:
    """One order. Sizes are counted in size increments and prices in steps: conservation is integer arithmetic."""

    def __init__(self, request: OrderRequest, instrument: Instrument, seed: int, now_ns: int) -> None:
        self.request = request
        self.instrument = instrument
        self.rng = Rng.of(seed, "order", request.clientId, request.orderId)
        self.permId = 0  # 0 until accepted
        self.executions = 0
        self.status = ""
        self.held = not request.transmit
        self.routed = False
        self.resting = False  # not marketable when last looked at: what fills now adds liquidity
        self.filled_units = 0
        self.traded_steps = 0  # sum of steps x units
        self.last_steps = 0
        self.pieces: list[int] = []  # units still to fill in the running flow
        self.generation = 0  # a modify makes the running flow stale
        self.busy_until_ns = now_ns
        self.placed_ns = self.changed_ns = now_ns
        self.watch: Watch | None = None

    def take(self, request: OrderRequest, instrument: Instrument) -> None:
        """Replace an order that was never transmitted by what was placed under its id now."""
        self.request, self.instrument, self.held = request, instrument, not request.transmit

    @property
    def done(self) -> bool:
        """True when nothing more can happen to it."""
        return self.status in DONE

    @property
    def open_units(self) -> int:
        """What is left to fill, in size increments."""
        return self.units(self.request.totalQuantity) - self.filled_units

    def units(self, size: Decimal) -> int:
        """Return a size in size increments, rounded down."""
        return int(EXACT.divide(size, self.instrument.sizeIncrement))

    def size(self, units: int) -> Decimal:
        """Return a count of size increments as a size without trailing zeros."""
        return trimmed(EXACT.multiply(self.instrument.sizeIncrement, Decimal(units)))

    def limit_steps(self) -> int | None:
        """Return the limit price in steps, None for a market order."""
        price = self.request.lmtPrice
        return None if self.request.orderType == MKT or price is None else self.instrument.steps(price)

    def average(self) -> Decimal:
        """Return the average fill price, 0 before the first fill."""
        if not self.filled_units:
            return ZERO
        total = EXACT.multiply(self.instrument.price_step, Decimal(self.traded_steps))
        return ratio(total, Decimal(self.filled_units))

    def split(self) -> list[int]:
        """Cut the open size into 1 to 3 pieces, in whole units of 1 where the open size is whole."""
        grain = max(self.units(_ONE), 1)
        if self.open_units % grain:
            grain = 1
        left = self.open_units // grain
        pieces = []
        for others in range(min(self.rng.between(1, MAX_PIECES), left) - 1, 0, -1):
            piece = self.rng.between(1, left - others)
            pieces.append(piece * grain)
            left -= piece
        return [*pieces, left * grain]

    def venue(self) -> str:
        """Return where a fill happens: the exchange routed to, or one of those behind the smart router."""
        if self.instrument.exchange != "SMART":
            return self.instrument.exchange
        return self.rng.choice(self.instrument.validExchanges.split(",")[1:])

    def snapshot(self, default_account: str) -> OrderSnapshot:
        """Return the order as it is now."""
        return OrderSnapshot(
            request=self.request,
            instrument=self.instrument,
            account=self.request.account or default_account,
            permId=self.permId,
            status=self.status,
            filled=self.size(self.filled_units),
            remaining=self.size(self.open_units),
            avgFillPrice=self.average(),
            lastFillPrice=self.instrument.price(self.last_steps) if self.last_steps else ZERO,
            placed_ns=self.placed_ns,
            changed_ns=self.changed_ns,
        )
