"""Matching against the simple model: whatever clients and the market do, both tell the same fills and the same ends."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from ibwire.sim.account import SimAccount
from ibwire.sim.clock import VirtualClock
from ibwire.sim.instruments import ContractQuery, Instrument
from ibwire.sim.market import TickChange, TickKind
from ibwire.sim.matching import MatchingEngine
from ibwire.sim.orders import Cancelled, Fill, OrderEvent, OrderRequest, Rejected, StatusChange
from ibwire.sim.universe import InstrumentUniverse
from ibwire.sim.working import NO_LATENCY, Manners
from tests.property.matching_model import BUY, SELL, Model, ModelOrder

D = Decimal
ACCOUNTS = ("DU0000001", "DU0000002")
CASH = D(10**12)
_FOUND = InstrumentUniverse(7).resolve(ContractQuery(symbol="AAPL", secType="STK"))
assert _FOUND is not None
AAPL = replace(_FOUND, sizeIncrement=D(1), minSize=D(1))

ACTIONS = st.sampled_from([BUY, SELL])
SIZES = st.integers(1, 30)
OFFSETS = st.integers(-4, 4)  # steps around 1000
CLIENTS = st.integers(1, 3)
ACCOUNT = st.sampled_from(ACCOUNTS)


class ScriptedMarket:
    """A market of one instrument that does what the test says."""

    def __init__(self) -> None:
        self.bid, self.ask, self.bid_size, self.ask_size = 999, 1001, 10, 10
        self.last, self.last_size = 1000, 0
        self.listeners: list[Callable[[Instrument, list[TickChange]], None]] = []

    def process(self, instrument: Instrument) -> Any:
        return self

    def quote(self, instrument: Instrument | None = None) -> Any:
        return SimpleNamespace(
            bid=self.bid,
            ask=self.ask,
            bid_size=D(self.bid_size),
            ask_size=D(self.ask_size),
            last=self.last,
            last_size=D(self.last_size),
        )

    def mark_price(self, instrument: Instrument) -> Decimal:
        return instrument.price(self.last)

    def watch(self, instrument: Instrument, listener: Callable[[Instrument, list[TickChange]], None]) -> Any:
        self.listeners.append(listener)
        return SimpleNamespace(close=lambda: self.listeners.remove(listener))

    def tell(self, *kinds: TickKind) -> None:
        for listener in tuple(self.listeners):
            listener(AAPL, [TickChange(kind, 0, D(0), 0) for kind in kinds])


class Matching(RuleBasedStateMachine):
    """Clients, the market, and a model beside them."""

    @initialize()
    def start(self) -> None:
        self.clock = VirtualClock()
        self.market = ScriptedMarket()
        self.accounts = {code: SimAccount(self.market.mark_price, code, CASH) for code in ACCOUNTS}
        self.events: list[OrderEvent] = []
        market: Any = self.market
        self.engine = MatchingEngine(
            self.clock, market, self.accounts, self.events.append, latency=NO_LATENCY, manners=Manners(max_pieces=1)
        )
        self.model = Model(999, 1001, 10, 10, 1000)
        self.names: dict[tuple[int, int], ModelOrder] = {}
        self.groups = 0
        self.resized: set[tuple[int, int]] = set()

    # -- helpers -----------------------------------------------------------------------------------------------------

    def name(self, client: int) -> tuple[int, int]:
        return client, 1 + sum(1 for known, _ in self.names if known == client)

    def send(self, order: ModelOrder, *, transmit: bool = True) -> None:
        self.names[order.name] = order
        clientId, orderId = order.name
        aux = order.trail or order.stop
        self.engine.place(
            OrderRequest(
                clientId,
                orderId,
                AAPL,
                order.action,
                order.kind,
                D(order.total),
                lmtPrice=None if order.limit is None else AAPL.price(order.limit),
                auxPrice=AAPL.price(aux) if aux else None,
                trailStopPrice=AAPL.price(order.stop) if order.trail and order.stop else None,
                tif=order.tif,
                account=order.account,
                transmit=transmit,
                parentId=order.parent.name[1] if order.parent else 0,
                ocaGroup=order.group,
                ocaType=order.group_type,
            )
        )

    def settle(self) -> None:
        self.clock.advance(self.clock.now_ns)

    def alive(self) -> list[ModelOrder]:
        return [order for order in self.model.orders if order.state != "done"]

    # -- clients -----------------------------------------------------------------------------------------------------

    @rule(client=CLIENTS, account=ACCOUNT, action=ACTIONS, size=SIZES, offset=OFFSETS)
    def limit(self, client: int, account: str, action: str, size: int, offset: int) -> None:
        self.one(ModelOrder(self.name(client), account, action, "LMT", size, limit=1000 + offset))

    @rule(client=CLIENTS, account=ACCOUNT, action=ACTIONS, size=SIZES)
    def market_order(self, client: int, account: str, action: str, size: int) -> None:
        self.one(ModelOrder(self.name(client), account, action, "MKT", size))

    @rule(client=CLIENTS, action=ACTIONS, size=SIZES, offset=OFFSETS, tif=st.sampled_from(["IOC", "FOK"]))
    def immediate(self, client: int, action: str, size: int, offset: int, tif: str) -> None:
        self.one(ModelOrder(self.name(client), ACCOUNTS[0], action, "LMT", size, limit=1000 + offset, tif=tif))

    @rule(client=CLIENTS, action=ACTIONS, size=SIZES, offset=OFFSETS, limit=st.none() | OFFSETS)
    def stop(self, client: int, action: str, size: int, offset: int, limit: int | None) -> None:
        kind = "STP" if limit is None else "STP LMT"
        price = None if limit is None else 1000 + limit
        self.one(ModelOrder(self.name(client), ACCOUNTS[1], action, kind, size, limit=price, stop=1000 + offset))

    @rule(client=CLIENTS, action=ACTIONS, size=SIZES, amount=st.integers(1, 4))
    def trail(self, client: int, action: str, size: int, amount: int) -> None:
        self.one(ModelOrder(self.name(client), ACCOUNTS[1], action, "TRAIL", size, trail=amount))

    def one(self, order: ModelOrder) -> None:
        self.send(order)
        self.settle()
        self.model.place(order)

    @rule(client=CLIENTS, action=ACTIONS, size=SIZES, offset=OFFSETS, profit=st.integers(1, 4), loss=st.integers(1, 4))
    def bracket(self, client: int, action: str, size: int, offset: int, profit: int, loss: int) -> None:
        entry = 1000 + offset
        sign, back = (1, SELL) if action == BUY else (-1, BUY)
        parent = ModelOrder(self.name(client), ACCOUNTS[0], action, "LMT", size, limit=entry)
        self.send(parent, transmit=False)
        take = ModelOrder(self.name(client), ACCOUNTS[0], back, "LMT", size, limit=entry + sign * profit, parent=parent)
        self.send(take, transmit=False)
        stop = ModelOrder(self.name(client), ACCOUNTS[0], back, "STP", size, stop=entry - sign * loss, parent=parent)
        self.send(stop)
        self.settle()
        self.model.place(parent, take, stop)

    @rule(
        action=ACTIONS,
        kind=st.sampled_from([1, 2]),
        legs=st.lists(st.tuples(CLIENTS, SIZES, OFFSETS), min_size=2, max_size=3),
    )
    def one_cancels_all(self, action: str, kind: int, legs: list[tuple[int, int, int]]) -> None:
        self.groups += 1
        for client, size, offset in legs:
            order = ModelOrder(self.name(client), ACCOUNTS[1], action, "LMT", size, limit=1000 + offset)
            order.group, order.group_type = f"group {self.groups}", kind
            self.one(order)

    @precondition(lambda self: self.alive())
    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        order = data.draw(st.sampled_from(self.alive()))
        self.engine.cancel(*order.name)
        self.settle()
        self.model.cancel(order)

    @precondition(lambda self: any(order.kind == "LMT" for order in self.alive()))
    @rule(data=st.data(), size=SIZES, offset=OFFSETS)
    def modify(self, data: st.DataObject, size: int, offset: int) -> None:
        order = data.draw(st.sampled_from([order for order in self.alive() if order.kind == "LMT"]))
        before = len(self.events)
        self.resized.add(order.name)
        taken = self.model.modify(order, size, 1000 + offset)
        # The request is made from the model's order, which has the new values if they were taken.
        clientId, orderId = order.name
        self.engine.place(
            OrderRequest(
                clientId,
                orderId,
                AAPL,
                order.action,
                "LMT",
                D(size),
                lmtPrice=AAPL.price(1000 + offset),
                tif=order.tif,
                account=order.account,
            )
        )
        self.settle()
        refused = [event.code for event in self.events[before:] if isinstance(event, Rejected)]
        assert refused == ([] if taken else [134])

    # -- the market --------------------------------------------------------------------------------------------------

    @rule(bid=OFFSETS, spread=st.integers(1, 3), bid_size=st.integers(0, 20), ask_size=st.integers(0, 20))
    def quote(self, bid: int, spread: int, bid_size: int, ask_size: int) -> None:
        market = self.market
        if (market.bid, market.ask, market.bid_size, market.ask_size) == (
            999 + bid,
            999 + bid + spread,
            bid_size,
            ask_size,
        ):
            return  # no change, no news
        self.market.bid, self.market.ask = 999 + bid, 999 + bid + spread
        self.market.bid_size, self.market.ask_size = bid_size, ask_size
        self.market.tell(TickKind.BID, TickKind.ASK)
        self.settle()
        self.model.quote(999 + bid, 999 + bid + spread, bid_size, ask_size)

    @rule(price=OFFSETS, size=st.integers(1, 20))
    def print(self, price: int, size: int) -> None:
        self.market.last, self.market.last_size = 1000 + price, size
        self.market.tell(TickKind.LAST)
        self.settle()
        self.model.print(1000 + price, size)

    # -- what must hold ----------------------------------------------------------------------------------------------

    def fills(self) -> list[Fill]:
        return [event for event in self.events if isinstance(event, Fill)]

    @invariant()
    def same_fills_in_the_same_order(self) -> None:
        told = [
            ((fill.order.clientId, fill.order.orderId), int(fill.qty), AAPL.steps(fill.price)) for fill in self.fills()
        ]
        assert told == self.model.fills

    @invariant()
    def same_orders(self) -> None:
        for name, order in self.names.items():
            found = self.engine.order(*name)
            assert found is not None
            assert (name, found.status, found.filled) == (name, order.status, D(order.filled))
            if order.state != "done":
                assert found.remaining == order.total - order.filled

    @invariant()
    def quantity_and_cash_are_conserved(self) -> None:
        commissions = dict.fromkeys(ACCOUNTS, D(0))
        held, paid = dict.fromkeys(ACCOUNTS, D(0)), dict.fromkeys(ACCOUNTS, D(0))
        for fill in self.fills():
            sign = 1 if fill.side == "BOT" else -1
            held[fill.order.account] += sign * fill.qty
            paid[fill.order.account] += sign * fill.qty * fill.price
        for order in self.names.values():
            size = D(order.filled)
            value = sum(
                (D(size) * AAPL.price(price) for name, size, price in self.model.fills if name == order.name), D(0)
            )
            if size:
                commissions[order.account] += self.accounts[order.account].estimate_commission(AAPL, size, value / size)
        for code, account in self.accounts.items():
            assert account.position(AAPL.conId) == held[code]
            assert abs(account.cash() - (CASH - paid[code] - commissions[code])) <= D("0.01") * len(self.names)

    @invariant()
    def no_fill_beyond_its_limit_nor_after_the_end(self) -> None:
        ended: set[tuple[int, int]] = set()
        for event in self.events:
            if isinstance(event, Fill):
                order = event.order
                assert (order.clientId, order.orderId) not in ended
                limit = order.request.lmtPrice
                if limit is not None:
                    assert event.price <= limit if event.side == "BOT" else event.price >= limit
            elif isinstance(event, Cancelled):
                ended.add((event.order.clientId, event.order.orderId))
            elif isinstance(event, StatusChange):
                assert event.order.filled + event.order.remaining == event.order.request.totalQuantity

    @invariant()
    def groups_and_brackets_never_do_too_much(self) -> None:
        for order in self.names.values():
            if order.children:
                assert sum(child.filled for child in order.children) <= order.filled
            if order.group:
                group = [other for other in self.names.values() if other.group == order.group]
                if order.group_type == 1:
                    assert sum(1 for other in group if other.filled) <= 1
                elif not self.resized & {other.name for other in group}:
                    # Shares of what each was for: together no more than one whole, but for what rounding leaves.
                    room = sum(D(1) / other.group_total for other in group)
                    assert sum(D(other.filled) / other.group_total for other in group) <= 1 + room


Matching.TestCase.settings = settings(max_examples=60, stateful_step_count=40, deadline=None, print_blob=True)
TestMatching = Matching.TestCase
