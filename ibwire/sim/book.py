"""The order book of one instrument: client orders among themselves and against the seeded flow, in whole numbers.

The flow is what the market shows: a bid and an ask with a size each, and prints. It never notices the clients.

Rules
-----
* Better prices first; at one price, the older order first. An order at the market comes before every limit.
* At one price the flow's own size stands before a client's order.
* An order that could trade when it came takes what is shown, at the price shown, and waits for new size when that is
  used up; new size comes with the next change of that side of the quote. It never trades beyond its limit.
* An order that could not trade when it came is passive: it fills at its own limit, when the other side of the quote
  comes to it, or when a trade prints beyond it. A print at its own price is the flow's, which stood there before.
* Two client orders that meet trade at the price of the older one, unless the flow's price is better: then the newer
  one waits for the flow. An order at the market that waits for size stands at the price it waits for. Orders of one
  account trade with each other like any others.

The book knows no message and no clock: the engine hands in orders and changes, and is told of trades by `trade`.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal
from operator import attrgetter

from ibwire.sim.exact import ZERO
from ibwire.sim.instruments import Instrument
from ibwire.sim.market import Market, TickChange, TickKind, Watch
from ibwire.sim.orders import LIQUIDITY_ADDED, LIQUIDITY_REMOVED
from ibwire.sim.working import WorkingOrder

_AT_MARKET = -(1 << 62)  # ranks before every price
_BID_KINDS = frozenset({TickKind.BID, TickKind.BID_SIZE})
_ASK_KINDS = frozenset({TickKind.ASK, TickKind.ASK_SIZE})
_PRINT_KINDS = frozenset({TickKind.LAST, TickKind.LAST_SIZE})
_by_seq = attrgetter("seq")


class Leg:
    """One order's part of a trade: it took or gave `units` at `steps`."""

    __slots__ = ("liquidity", "order", "prices", "steps", "units")

    def __init__(
        self, order: WorkingOrder, units: int, steps: int, liquidity: int, prices: Sequence[Decimal] = ()
    ) -> None:
        self.order, self.units, self.steps, self.liquidity = order, units, steps, liquidity
        self.prices = prices  # of a combination's legs


Trade = Callable[[tuple[Leg, ...]], None]


class Side:
    """The orders of one side, best first. `sign` is -1 for bids and +1 for asks."""

    __slots__ = ("_levels", "_ranks", "_sign")

    def __init__(self, sign: int) -> None:
        self._sign = sign
        self._ranks: list[int] = []
        self._levels: dict[int, list[WorkingOrder]] = {}

    def rank(self, order: WorkingOrder) -> int:
        """Return what an order is sorted by; lower comes first."""
        return _AT_MARKET if order.limit is None else self._sign * order.limit

    def add(self, order: WorkingOrder) -> None:
        """Put an order in, by price and then by `seq`."""
        rank = self.rank(order)
        level = self._levels.get(rank)
        if level is None:
            self._levels[rank] = [order]
            insort(self._ranks, rank)
        elif level[-1].seq < order.seq:
            level.append(order)
        else:
            insort(level, order, key=_by_seq)

    def remove(self, order: WorkingOrder) -> bool:
        """Take an order out; False when it is not in."""
        rank = self.rank(order)
        level = self._levels.get(rank)
        if level is None:
            return False
        index = bisect_left(level, order.seq, key=_by_seq)
        if index == len(level) or level[index] is not order:
            return False
        del level[index]
        if not level:
            del self._levels[rank]
            del self._ranks[bisect_left(self._ranks, rank)]
        return True

    def best(self) -> WorkingOrder | None:
        """Return the first order, None when there is none."""
        return self._levels[self._ranks[0]][0] if self._ranks else None

    def __iter__(self) -> Iterator[WorkingOrder]:
        """Best first. The side must not change meanwhile."""
        for rank in self._ranks:
            yield from self._levels[rank]

    def __bool__(self) -> bool:
        return bool(self._ranks)


class Book:
    """The book of one instrument.

    Parameters
    ----------
    instrument, market
        What is traded, and the flow.
    trade : callable
        Called with the one or two legs of each trade, after the book's own counts changed; it may take other orders
        out of the book.
    moved : callable
        Called with (book, changes) after each change of the market, once the orders in the book had their turn.
    """

    def __init__(
        self,
        instrument: Instrument,
        market: Market,
        trade: Trade,
        moved: Callable[[Book, list[TickChange]], None],
    ) -> None:
        self.instrument = instrument
        self._market = market
        self._trade, self._moved = trade, moved
        self._sides = {True: Side(-1), False: Side(1)}
        self._taken = {True: 0, False: 0}  # of the size that the flow bids (True) and asks
        self._seen = {True: (0, ZERO), False: (0, ZERO)}  # the price and size that this was taken of
        self._takers: dict[WorkingOrder, None] = {}
        self.waiting: dict[WorkingOrder, None] = {}  # for their trigger price, oldest first
        self._held: dict[WorkingOrder, None] = {}
        self._watch: Watch | None = None
        self._settling = False

    # -- who is here -------------------------------------------------------------------------------------------------

    def hold(self, order: WorkingOrder) -> None:
        """Keep the market going as long as this order lives."""
        self._held[order] = None
        if self._watch is None:
            self._watch = self._market.watch(self.instrument, self._on_market)

    def release(self, order: WorkingOrder) -> None:
        """The order is gone: take it out of everything."""
        self.withdraw(order)
        self._held.pop(order, None)
        if not self._held and self._watch is not None:
            self._watch.close()
            self._watch = None

    def live(self) -> list[WorkingOrder]:
        """Return the accepted orders that are not done."""
        return list(self._held)

    def withdraw(self, order: WorkingOrder) -> None:
        """Take an order off the market; it keeps what it has filled."""
        self._sides[order.is_buy].remove(order)
        self._takers.pop(order, None)
        self.waiting.pop(order, None)
        order.book_units, order.pieces, order.passive = 0, [], False

    def orders(self, buy: bool) -> list[WorkingOrder]:
        """Return the orders of one side as they stand, best first."""
        return list(self._sides[buy])

    # -- the flow ----------------------------------------------------------------------------------------------------

    def touch(self, order: WorkingOrder) -> int:
        """Return the other side's best price, steps."""
        return self.offered(order.is_buy)

    def offered(self, buy: bool) -> int:
        """The price, steps, at which one buys or sells now."""
        process = self._market.process(self.instrument)
        return process.ask if buy else process.bid

    def shown(self, buy: bool) -> int:
        """Return what the flow still offers to a buyer (or bids to a seller), in size increments."""
        quote = self._market.quote(self.instrument)
        now = (quote.ask, quote.ask_size) if buy else (quote.bid, quote.bid_size)
        if self._seen[not buy] != now:
            # It changed while no order was here to watch.
            self._seen[not buy], self._taken[not buy] = now, 0
        return max(int(now[1] / self.instrument.sizeIncrement) - self._taken[not buy], 0)

    def marketable(self, order: WorkingOrder) -> bool:
        """True when the order could trade now, were there size."""
        if order.accepts(self.touch(order)):
            return True
        other = self._sides[not order.is_buy].best()
        return other is not None and order.accepts(self._price(other))

    def _price(self, order: WorkingOrder) -> int:
        """Return the price at which an order stands: its limit, or the price it waits for."""
        touch = self.touch(order)
        if order.limit is None:
            return touch
        if order.passive:
            return order.limit
        return min(order.limit, touch) if order.is_buy else max(order.limit, touch)

    # -- trading -----------------------------------------------------------------------------------------------------

    def enter(self, order: WorkingOrder, pieces: list[int]) -> None:
        """Put an order on the market; a marketable one comes in pieces, the first of them now."""
        if not order.ready_units:
            return
        order.passive = not self.marketable(order)
        if order.passive:
            order.book_units, order.pieces = order.ready_units, []
        else:
            order.book_units, order.pieces = pieces[0], pieces[1:]
            self._takers[order] = None
        self._sides[order.is_buy].add(order)
        self.settle()

    def next_piece(self, order: WorkingOrder) -> None:
        """Let the next piece of an order come."""
        if order.pieces:
            if not order.book_units:
                self._sides[order.is_buy].add(order)
            order.book_units += order.pieces.pop(0)
            self.settle()

    def available(self, order: WorkingOrder) -> int:
        """Return how much an order could trade at once, at most what may fill."""
        units = 0
        touch = self.touch(order)
        if order.accepts(touch):
            units = self.shown(order.is_buy)
        # Of a group only the first counts: what it fills, the others lose.
        groups = {order.oca_key}
        for other in self._sides[not order.is_buy]:
            price = self._price(other)
            if units >= order.ready_units or not order.accepts(price) or not self._fair(order, price):
                break
            if other.oca_key is None or other.oca_key not in groups:
                groups.add(other.oca_key)
                units += other.book_units
        return min(units, order.ready_units)

    def resize(self, order: WorkingOrder) -> None:
        """The order's size was reduced: what stands here may not exceed what is open."""
        over = order.book_units + sum(order.pieces) - order.ready_units
        while over > 0 and order.pieces:
            last = order.pieces.pop()
            if last > over:
                order.pieces.append(last - over)
            over -= last
        if over > 0:
            order.book_units = max(order.book_units - over, 0)
        if not order.book_units:
            self._sides[order.is_buy].remove(order)

    def settle(self) -> None:
        """Let everything trade that can."""
        if self._settling:
            return  # a trade led here; the loop below goes on until nothing is left to do
        self._settling = True
        try:
            while self._step():
                pass
        finally:
            self._settling = False

    def _step(self) -> bool:
        bid, ask = self._sides[True].best(), self._sides[False].best()
        if bid is not None and ask is not None:
            taker, maker = (bid, ask) if bid.seq > ask.seq else (ask, bid)
            price = self._price(maker)
            if taker.accepts(price) and self._fair(taker, price):
                if price == self.touch(taker) and self._against_flow(taker):
                    return True
                units = min(maker.book_units, taker.book_units)
                self._exchange(
                    (Leg(maker, units, price, LIQUIDITY_ADDED), Leg(taker, units, price, LIQUIDITY_REMOVED)),
                )
                return True
        return any(order is not None and self._against_flow(order) for order in (bid, ask))

    def _fair(self, taker: WorkingOrder, price: int) -> bool:
        """True when the flow offers nothing better than `price`."""
        touch = self.touch(taker)
        return price <= touch if taker.is_buy else price >= touch

    def _against_flow(self, order: WorkingOrder) -> bool:
        touch = self.touch(order)
        if not order.accepts(touch):
            return False
        units = min(self.shown(order.is_buy), order.book_units)
        if not units:
            return False
        self._taken[not order.is_buy] += units
        self._fill(order, units, touch)
        return True

    def _fill(self, order: WorkingOrder, units: int, steps: int) -> None:
        """Trade against the flow: a passive order at its limit."""
        if order.passive and order.limit is not None:
            self._exchange((Leg(order, units, order.limit, LIQUIDITY_ADDED),))
        else:
            self._exchange((Leg(order, units, steps, LIQUIDITY_REMOVED),))

    def _exchange(self, legs: tuple[Leg, ...]) -> None:
        for leg in legs:
            order = leg.order
            order.book_units -= leg.units
            if not order.book_units:
                self._sides[order.is_buy].remove(order)
        self._trade(legs)

    # -- the market moves --------------------------------------------------------------------------------------------

    def _on_market(self, _: Instrument, changes: list[TickChange]) -> None:
        prints = False
        for change in changes:
            kind = change.kind
            if kind in _BID_KINDS:
                self._taken[True] = 0
            elif kind in _ASK_KINDS:
                self._taken[False] = 0
            elif kind in _PRINT_KINDS:
                prints = True
        if self._takers:
            self._turn_passive()
        if self._sides[True] or self._sides[False]:
            self.settle()
            if prints:
                self._print()
        self._moved(self, changes)

    def _turn_passive(self) -> None:
        """Orders whose limit the market left behind rest there, whole."""
        for order in tuple(self._takers):
            if not order.accepts(self.touch(order)):
                del self._takers[order]
                order.passive = True
                rest, order.pieces = sum(order.pieces), []
                if rest and not order.book_units:
                    self._sides[order.is_buy].add(order)
                order.book_units += rest

    def _print(self) -> None:
        quote = self._market.quote(self.instrument)
        left = int(quote.last_size / self.instrument.sizeIncrement)
        for buy in (True, False):
            while left:
                order = self._sides[buy].best()
                if order is None or order.limit is None or not order.passive:
                    break
                if not (order.limit > quote.last if buy else order.limit < quote.last):
                    break
                units = min(left, order.book_units)
                left -= units
                self._fill(order, units, quote.last)
