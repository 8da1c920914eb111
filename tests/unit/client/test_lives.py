"""Random lives of orders through the client itself: what it sends is what the program asked for, each once.

``tools/histories.py`` does the same to the order table and the plan of look-ups; here they are driven by the client's
own queries, deadlines, modifies and handles, against the simulated gateway, in virtual time.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from decimal import Decimal
from typing import Any

import pytest

from ibwire.client.modifying import ModifyOutcome
from ibwire.client.order_handle import OrderHandle
from ibwire.errors import ConfigError, PacingError, RiskRejected
from ibwire.sim.checks import Refusal
from ibwire.sim.forcing import DROP
from ibwire.sim.gateway import Gateway
from ibwire.sim.rng import Rng
from ibwire.sim.working import Manners
from ibwire.types import incoming, outgoing

from .world import World

MS = 1_000_000
ACTS = 25


class Life:
    def __init__(self, seed: int) -> None:
        self.rng = rng = Rng.of(seed, "life")
        self.trouble = rng.choice((0, 3, 10))
        self.delays = rng.choice((0, 5, 50))
        self.calm = False
        manners = Manners(
            status_first=rng.choice((0, 50)),
            duplicates=rng.choice((0, 30)),
            pending_submit=rng.chance(1, 3),
            pending_cancel=rng.chance(2, 3),
            cancel_text_first=rng.chance(1, 3),
        )
        gateway = Gateway(seed, ticks_per_s=4, manners=manners)
        self.world = World(gateway=gateway, server_version=rng.choice((151, 176, 203, 225)))
        gateway.order_filter = self.on_the_way
        gateway.force.on_place(self.fate_of_place)
        gateway.force.on_cancel(lambda clientId, orderId: self.fate(Refusal(161, "no"), Refusal(10148, "no"), DROP))
        self.asked: Counter[tuple[str, int]] = Counter()
        self.seen: Counter[str] = Counter()

    # -- faults ------------------------------------------------------------------------------------------------------

    def strikes(self) -> bool:
        return not self.calm and self.rng.below(100) < self.trouble

    def fate(self, *choices: Any) -> Any:
        return self.rng.choice(choices) if self.strikes() else None

    def fate_of_place(self, request: Any, live: bool) -> Any:
        fate = self.fate(Refusal(201, "no"), Refusal(110, "price"), DROP)
        if live and fate is not None and self.rng.chance(1, 3):
            self.world.force.status(1, request.orderId, "Cancelled")  # it means nothing
        return fate

    def on_the_way(self, session: object, event: object, messages: list[Any]) -> Iterable[tuple[int, Any]]:
        for message in messages:
            if self.strikes():
                continue  # lost
            yield (self.rng.below(self.delays * MS) if self.delays and not self.calm else 0), message
            if self.strikes():
                yield self.rng.below(100 * MS), message

    # -- the program ---------------------------------------------------------------------------------------------------

    def act(self) -> None:
        orders = self.world.orders.all()
        choice = self.rng.below(100)
        try:
            if choice < 40 or not orders:
                price = self.rng.choice((1.0, 1.0, 187.6, 190.0))
                order = self.world.place(price, self.rng.between(1, 40) * 10)
                self.asked["place", order.order_id] += 1
            elif choice < 65:
                order = self.rng.choice(orders)
                size = Decimal(self.rng.between(1, 40) * 10)
                order.modify(lmtPrice=self.rng.choice((1.5, 2.0, 187.7, 190.0)), totalQuantity=size)
                self.asked["place", order.order_id] += 1
            elif choice < 80:
                order = self.rng.choice(orders)
                order.cancel()
                self.asked["cancel", order.order_id] += 1
            elif choice < 85:
                self.outage()
        except (ConfigError, PacingError, RiskRejected) as error:
            self.seen[type(error).__name__] += 1

    def outage(self) -> None:
        link = self.world.link
        link.tell(incoming.Error(-1, 0, 1100, "lost"))
        self.world.run(0.01)
        if self.rng.chance(1, 2):
            link.session.take()  # what was said meanwhile is lost
        link.tell(incoming.Error(-1, 0, self.rng.choice((1101, 1102)), "restored"))
        self.seen["outage"] += 1

    def run(self) -> None:
        for _ in range(ACTS):
            self.act()
            self.world.run(self.rng.choice((0, 0.001, 0.02, 0.2, 3)))
            self.check()
        self.calm = True
        for _ in range(80):
            self.world.run(1)
            self.check()
        self.world.orders.refresh()
        self.world.run(30)
        self.check()
        self.compare()

    # -- what must be ------------------------------------------------------------------------------------------------

    def check(self) -> None:
        sent = Counter[tuple[str, int]]()
        for message in self.world.link.sent:
            if isinstance(message, outgoing.PlaceOrder | outgoing.CancelOrder):
                sent["place" if isinstance(message, outgoing.PlaceOrder) else "cancel", message.orderId] += 1
        assert sent == self.asked, "nothing is sent that nobody asked for, nothing twice"
        for order in self.world.orders.all():
            there = self.there(order)
            if order.is_done and there is not None and there.number:
                assert there.done, f"{order} is called ended and is not: {there.status}"

    def there(self, order: OrderHandle) -> Any:
        return self.world.gateway.engine.orders.get((1, order.order_id))

    def compare(self) -> None:
        for order in self.world.orders.all():
            there = self.there(order)
            self.seen[order.state.label] += 1
            if there is None or not there.number:
                assert order.is_uncertain or order.last_error is not None, order
                continue
            assert not order.is_uncertain, f"{order}: every list names it"
            assert order.is_done == there.done, f"{order}, there {there.status}"
            assert order.confirmed_filled == there.size(there.filled_units), order
            modify = order.last_modify
            if modify is not None:
                assert modify.outcome is not None
                self.seen[modify.outcome.name] += 1
                if modify.outcome is ModifyOutcome.ACCEPTED:
                    assert there.request.totalQuantity == modify.wanted.totalQuantity, modify


@pytest.mark.parametrize("first", range(1, 61, 20))
def test_what_is_sent_is_what_was_asked_for_and_nothing_is_called_ended_that_is_not(first: int) -> None:
    seen = Counter[str]()
    for seed in range(first, first + 20):
        life = Life(seed)
        try:
            life.run()
        except AssertionError as error:
            raise AssertionError(f"seed {seed}: {error}") from error
        seen += life.seen
    assert {"outage", "ModifyPending", "RiskRejected", "filled", "cancelled", "working", "ACCEPTED"} <= set(seen), seen
