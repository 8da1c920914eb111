"""What has traded: executions, their commission reports, busts and corrections, and the accounts that follow them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal

from ibwire.sim.account import Charge, SimAccount
from ibwire.sim.clock import VirtualClock
from ibwire.sim.exact import EXACT, ZERO, ratio
from ibwire.sim.orders import SIDES, Commission, Fill, OrderEvent
from ibwire.sim.rng import stable_hash
from ibwire.sim.working import Latency, WorkingOrder

_OTHER = {"BOT": "SLD", "SLD": "BOT"}


class Executions:
    """Every execution of one gateway, oldest first.

    Parameters
    ----------
    clock, accounts, emit, latency
        The engine's. An account has a fill before anybody hears of it.
    seed : int
        Gives the execution ids their first part.
    """

    def __init__(
        self,
        clock: VirtualClock,
        accounts: Mapping[str, SimAccount],
        emit: Callable[[OrderEvent], None],
        latency: Latency,
        seed: int,
    ) -> None:
        self._clock, self._accounts, self._emit, self._latency = clock, accounts, emit, latency
        self._prefix = f"{stable_hash(seed, 'execId') & 0xFFFFFFFF:08x}"
        self._fills: dict[str, tuple[Fill, WorkingOrder]] = {}

    def of(self, clientId: int | None = None) -> tuple[Fill, ...]:
        """Return every execution as it stands, of one client or of all, oldest first; busted ones are gone."""
        fills = (fill for fill, _ in self._fills.values() if fill.qty)
        return tuple(fill for fill in fills if clientId in (None, fill.order.clientId))

    def book(self, order: WorkingOrder, units: int, steps: int, liquidity: int) -> tuple[Fill, Charge]:
        """Book one execution on its order and its account."""
        now_ns = self._clock.now_ns
        order.executions += 1
        order.filled_units += units
        order.traded_steps += units * steps
        order.last_steps = steps
        order.changed_ns = now_ns
        fill = Fill(
            execId=f"{self._prefix}.{order.number:08x}.{order.executions:02d}.01",
            order=order.snapshot(),
            side=SIDES[order.request.action],
            qty=order.size(units),
            price=order.instrument.price(steps),
            cumQty=order.size(order.filled_units),
            avgPrice=order.average(),
            lastLiquidity=liquidity,
            exchange=order.venue(),
            time_ns=now_ns,
        )
        self._fills[fill.execId] = (fill, order)
        if order.instrument.parts:  # its legs are what the account gets
            return fill, Charge(ZERO, order.instrument.currency, None)
        return fill, self._accounts[order.account].apply(fill)

    def book_legs(self, order: WorkingOrder, of: Fill, prices: Sequence[Decimal]) -> list[tuple[Fill, Charge]]:
        """Book what a combination's execution means for each leg."""
        booked = []
        for place, (part, price) in enumerate(zip(order.instrument.parts, prices, strict=True)):
            order.executions += 1
            qty = EXACT.multiply(of.qty, Decimal(part.ratio))
            value = EXACT.add(order.leg_values.get(place, ZERO), EXACT.multiply(qty, price))
            order.leg_values[place] = value
            total = EXACT.multiply(order.size(order.filled_units), Decimal(part.ratio))
            fill = replace(
                of,
                execId=f"{self._prefix}.{order.number:08x}.{order.executions:02d}.01",
                side=of.side if part.sign > 0 else _OTHER[of.side],
                qty=qty,
                price=price,
                cumQty=total,
                avgPrice=ratio(value, total),
                exchange=part.exchange or of.exchange,
                leg=part.instrument,
            )
            self._fills[fill.execId] = (fill, order)
            booked.append((fill, self._accounts[order.account].apply(fill)))
        return booked

    def report(
        self, fill: Fill, charge: Charge, order: WorkingOrder, before: Callable[[], None] | None = None
    ) -> None:
        """Send the commission report of an execution after a drawn delay; `before` runs right before it."""
        delay_ns = order.rng.between(*self._latency.commission_ns)

        def send() -> None:
            order.commission = EXACT.add(order.commission or ZERO, charge.commission)
            if before is not None:
                before()
            now_ns = self._clock.now_ns
            clientId = order.request.clientId
            self._emit(Commission(clientId, fill.execId, charge.commission, charge.currency, charge.realized, now_ns))

        self._clock.after(delay_ns, send)

    def amend(self, execId: str, qty: Decimal | None, price: Decimal | None) -> Fill:
        """Correct the size or the price of an execution (size 0 busts it), and tell it under the next id.

        Raises
        ------
        KeyError
            If there is no such execution.
        ValueError
            If the new size or price does not fit the instrument.
        """
        old, order = self._fills[execId]
        if order.instrument.parts:
            raise ValueError("executions of a combination are not corrected")
        new_qty = old.qty if qty is None else qty
        new_price = old.price if price is None else price
        steps, was = order.instrument.steps(new_price), order.instrument.steps(old.price)
        units = order.units(new_qty)
        if steps is None or was is None or units < 0 or order.size(units) != new_qty:
            raise ValueError(f"{new_qty} at {new_price} does not fit {order.instrument.localSymbol}")
        old_units = order.units(old.qty)
        order.filled_units += units - old_units
        order.traded_steps += units * steps - old_units * was
        stem, _, number = execId.rpartition(".")
        account = self._accounts[order.account]
        account.revert(old)
        fill = replace(
            old,
            execId=f"{stem}.{int(number) + 1:02d}",
            order=order.snapshot(),
            qty=order.size(units),
            price=new_price,
            cumQty=order.size(order.filled_units),
            avgPrice=ratio(_value(order), Decimal(order.filled_units)) if order.filled_units else ZERO,
            time_ns=self._clock.now_ns,
            replaces=execId,
        )
        # Their order stays: a correction stands where the execution stood.
        self._fills = {
            (fill.execId if key == execId else key): ((fill, order) if key == execId else entry)
            for key, entry in self._fills.items()
        }
        charge = account.apply(fill) if units else Charge(ZERO, order.instrument.currency, None)
        self._emit(fill)
        self.report(fill, charge, order)
        return fill


def _value(order: WorkingOrder) -> Decimal:
    return order.instrument.price(order.traded_steps)
