"""The gate beside a slow model of the truth: whatever is sent, filled, changed and told in whatever order, no position
that could come of it is larger than the limits."""

from __future__ import annotations

import random
import threading
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from decimal import Decimal
from itertools import combinations

import pytest

from ibwire.errors import RiskRejected
from ibwire.trade.risk import Book, Gate, Request, lowers_risk
from ibwire.trade.risk_policies import MaxPosition
from ibwire.types.constructors import limit
from ibwire.types.structs import Contract, Order

DU = "DU0000001"
CONTRACTS = [Contract(conId=n, symbol=f"S{n}", secType="STK", exchange="SMART", currency="USD") for n in (1, 2)]
LIMIT, OF_ALL = 100, 150
MOST_OPEN = 6
SIDES = {"BUY": 1, "SELL": -1}


@dataclass
class Real:
    """An order as it is at the broker."""

    number: int
    contract: Contract
    terms: Order  # in force
    asked: Order  # last sent
    filled: float = 0.0
    told: float = 0.0  # executions that the book was told of
    live: bool = True
    pending: bool = False

    @property
    def side(self) -> int:
        return SIDES[self.terms.action]

    @property
    def remaining(self) -> float:
        return float(self.terms.totalQuantity or 0) - self.filled if self.live else 0.0


@dataclass
class World:
    """The broker, the book, and what is on its way from the one to the other."""

    rng: random.Random
    gate: Gate
    book: Book
    positions: dict[int, float] = field(default_factory=lambda: {1: 0.0, 2: 0.0})
    orders: dict[int, Real] = field(default_factory=dict)
    about_orders: deque[Callable[[], None]] = field(default_factory=deque)
    about_positions: deque[Callable[[], None]] = field(default_factory=deque)
    sent: int = 0
    refused: int = 0

    def open(self) -> list[Real]:
        return [order for order in self.orders.values() if order.live]

    # -- the truth -------------------------------------------------------------------------------------------------

    def worst(self, con_id: int, sign: int) -> float:
        """The largest position, long (+1) or short, that could still come about: every way of filling is tried."""
        here = [order for order in self.open() if order.contract.conId == con_id and order.remaining > 0]
        best = 0.0
        for size in range(len(here) + 1):
            for chosen in combinations(here, size):
                if self.is_possible(chosen):
                    best = max(best, sum(sign * order.side * order.remaining for order in chosen))
        return sign * self.positions[con_id] + best

    def is_possible(self, chosen: tuple[Real, ...]) -> bool:
        groups: set[object] = set()
        for order in chosen:
            parent = self.orders.get(order.terms.parentId)
            is_exit = parent is not None and parent.side == -order.side
            if is_exit and parent is not None and parent.live and not parent.filled and parent not in chosen:
                return False
            group: object = None
            if order.terms.ocaGroup and order.terms.ocaType in (1, 2):
                group = (order.side, order.terms.ocaGroup)
            elif is_exit:
                group = (order.side, order.terms.parentId)
            if group is not None and group in groups:
                return False
            groups.add(group)
        return True

    def check(self) -> None:
        worst = {n: max(self.worst(n, 1), self.worst(n, -1)) for n in (1, 2)}
        assert max(worst.values()) <= LIMIT, worst
        assert sum(worst.values()) <= OF_ALL, worst

    # -- what happens ----------------------------------------------------------------------------------------------

    def place(self) -> None:
        rng, contract = self.rng, self.rng.choice(CONTRACTS)
        if len(self.open()) >= MOST_OPEN:
            return
        order = limit(rng.choice(("BUY", "SELL")), rng.randint(1, 90), 10.0)
        parents = [one for one in self.open() if one.contract is contract and not one.terms.parentId]
        if parents and rng.random() < 0.4:
            order.parentId = rng.choice(parents).number
        elif rng.random() < 0.4:
            order.ocaGroup, order.ocaType = rng.choice("gh"), rng.choice((1, 3))
        number = self.sent + 1
        try:
            view = self.gate.admit(Request(contract, order, DU))
        except RiskRejected:
            self.refused += 1
            return
        if rng.random() < 0.2:
            self.gate.not_sent(view)  # no turn in time
            return
        self.sent = number
        self.gate.sent(view, number)
        made = self.orders[number] = Real(number, contract, order, order)
        self.tell(made)
        if any(not self.is_possible((made, other)) for other in self.orders.values() if other.filled):
            self.end(made)  # a group that has begun takes nobody in

    def modify(self) -> None:
        free = [order for order in self.open() if not order.pending]
        if not free:
            return
        order = self.rng.choice(free)
        wanted = replace(order.asked, totalQuantity=Decimal(max(self.rng.randint(1, 90), int(order.filled))))
        if not wanted.totalQuantity:
            return
        if self.rng.random() < 0.2:
            wanted.ocaGroup, wanted.ocaType = self.rng.choice(("", "g")), 1
        view = None
        if not lowers_risk(wanted, order.asked):
            try:
                view = self.gate.admit(Request(order.contract, wanted, DU, order.asked, order.number))
            except RiskRejected:
                self.refused += 1
                return
            self.gate.sent(view, order.number)
        order.pending = True
        if self.rng.random() < 0.7 and wanted.ocaGroup == order.terms.ocaGroup:
            order.terms = wanted  # groups are not changed: refused

        def answer() -> None:
            order.asked, order.pending = order.terms, False
            self.told(order)

        self.about_orders.append(answer)

    def fill(self) -> None:
        ready = [order for order in self.open() if order.remaining > 0 and self.is_possible((order,))]
        if not ready:
            return
        order = self.rng.choice(ready)
        size = float(self.rng.randint(1, int(order.remaining)))
        order.filled += size
        position = self.positions[order.contract.conId] = self.positions[order.contract.conId] + order.side * size
        for other in self.open():  # it stops the rest
            if other is not order and not self.is_possible((order, other)):
                self.end(other)
        if not order.remaining:
            order.live = False
        filled, contract = order.filled, order.contract

        def tell() -> None:
            self.book.on_fill(DU, contract, order.side * (filled - order.told), 10.0)
            order.told = filled
            self.told(order)

        self.about_orders.append(tell)
        self.about_positions.append(lambda: self.book.on_position(DU, contract, position))

    def end(self, order: Real) -> None:
        order.live = False
        self.tell(order)
        for child in self.open():
            if child.terms.parentId == order.number and not order.filled:
                self.end(child)

    def cancel(self) -> None:
        if self.open():
            self.end(self.rng.choice(self.open()))

    def tell(self, order: Real) -> None:
        self.about_orders.append(lambda: self.told(order))

    def told(self, order: Real) -> None:
        """The client's view of it: what is not answered may be either."""
        terms = [order.terms, order.asked] if order.pending else [order.terms]
        remaining = max(float(one.totalQuantity or 0) for one in terms) - order.told
        group = order.terms.ocaGroup if order.terms.ocaType in (1, 2) else ""
        if order.pending and order.terms.ocaGroup != order.asked.ocaGroup:
            group = ""
        if not order.live and not self.heard_all(order):
            return
        self.book.on_order(
            *(order.number, DU, order.contract, order.side, remaining if order.live else 0.0, 10.0),
            *(order.terms.parentId, group),
        )

    def heard_all(self, order: Real) -> bool:
        return order.told == order.filled

    def deliver(self) -> None:
        lines = [line for line in (self.about_orders, self.about_positions) if line]
        if lines:
            self.rng.choice(lines).popleft()()


def worlds(seed: int) -> Iterator[World]:
    lock = threading.Lock()
    book = Book(lock)
    book.on_told("positions")
    book.on_told("orders")
    for contract in CONTRACTS:
        book.on_position(DU, contract, 0)
    gate = Gate(
        [MaxPosition(LIMIT), MaxPosition(OF_ALL, "account")], clock_ns=lambda: 1, lock=lock, book=book, budget_ms=1e6
    )
    world = World(random.Random(seed), gate, book)
    acts = [world.place, world.place, world.modify, world.fill, world.cancel, *[world.deliver] * 4]
    for _ in range(60):
        world.rng.choice(acts)()
        yield world


@pytest.mark.parametrize("first", range(0, 400, 50))
def test_no_position_beyond_a_limit_can_come_about(first: int) -> None:
    sent = refused = 0
    for seed in range(first, first + 50):
        for step, world in enumerate(worlds(seed)):
            try:
                world.check()
            except AssertionError as error:
                raise AssertionError(f"seed {seed}, step {step}: {error}") from None
        sent, refused = sent + world.sent, refused + world.refused
    assert sent > 200 and refused > 50
