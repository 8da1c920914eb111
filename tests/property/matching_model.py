"""Matching as simple as it can be said: lists, sorted anew for every trade. Slow, and meant to be obviously right.

Sizes and prices are whole numbers. One instrument, no delays, one piece per order.
"""

from __future__ import annotations

from dataclasses import dataclass, field

BUY, SELL = "BUY", "SELL"
INFINITE = 10**9


@dataclass(eq=False)
class ModelOrder:
    """One order; `state` is waiting (parent, trigger), working or done."""

    name: tuple[int, int]
    account: str
    action: str
    kind: str
    total: int
    limit: int | None = None
    stop: int | None = None
    trail: int = 0
    tif: str = "DAY"
    parent: ModelOrder | None = None
    group: str = ""
    group_type: int = 0
    group_total: int = 0
    filled: int = 0
    seq: int = 0
    passive: bool = False
    state: str = "waiting"
    status: str = "PreSubmitted"
    triggered: bool = False
    children: list[ModelOrder] = field(default_factory=list)

    @property
    def sign(self) -> int:
        return 1 if self.action == BUY else -1

    def accepts(self, price: int) -> bool:
        return self.limit is None or self.sign * price <= self.sign * self.limit

    def siblings(self) -> list[ModelOrder]:
        return [] if self.parent is None else [child for child in self.parent.children if child is not self]

    def siblings_filled(self) -> int:
        return sum(child.filled for child in self.siblings() if child.action == self.action)

    @property
    def ready(self) -> int:
        if self.parent is None:
            return self.total - self.filled
        return max(min(self.total, self.parent.filled - self.siblings_filled()) - self.filled, 0)


class Model:
    """The flow's quote, the orders, and every fill as (name, size, price)."""

    def __init__(self, bid: int, ask: int, bid_size: int, ask_size: int, last: int) -> None:
        self.bid, self.ask, self.last = bid, ask, last
        self.left = {BUY: ask_size, SELL: bid_size}  # what the flow has left for a buyer, for a seller
        self.orders: list[ModelOrder] = []
        self.fills: list[tuple[tuple[int, int], int, int]] = []
        self.entering: list[ModelOrder] = []
        self.stops: list[ModelOrder] = []
        self.seq = 0

    # -- what clients do ---------------------------------------------------------------------------------------------

    def place(self, *family: ModelOrder) -> None:
        for order in family:
            if order.parent is not None:
                order.parent.children.append(order)
            order.group_total = order.total
            self.orders.append(order)
            if order.group and any(o.group == order.group and o.filled for o in self.orders):
                order.state, order.status = "done", "Inactive"
                continue
            if order.trail:
                order.stop = order.stop or (max(self.last - order.sign * -order.trail, 1))
        for order in family:
            if order.state != "done" and (order.parent is None or order.parent.filled):
                self.arm(order)
        self.run()

    def cancel(self, order: ModelOrder) -> None:
        self.end(order, "Cancelled")
        self.run()

    def modify(self, order: ModelOrder, total: int, limit: int) -> bool:
        if total <= order.filled:
            return False
        if order.limit != limit or total > order.total:
            order.seq = 0
        order.total = order.group_total = total
        order.limit = limit
        if order.state == "working":
            self.entering.append(order)
            order.state = "waiting"
        self.run()
        return True

    # -- what the market does ----------------------------------------------------------------------------------------

    def quote(self, bid: int, ask: int, bid_size: int, ask_size: int) -> None:
        self.bid, self.ask = bid, ask
        self.left = {BUY: ask_size, SELL: bid_size}
        self.market_moved(0)

    def print(self, price: int, size: int) -> None:
        self.last = price
        self.market_moved(size)

    def market_moved(self, printed: int) -> None:
        for order in self.working():
            if not order.accepts(self.touch(order)):
                order.passive = True
        self.match()
        for side in (BUY, SELL):
            while printed:
                best = self.best(side)
                if best is None or best.limit is None or not best.passive:
                    break
                if not best.sign * best.limit > best.sign * self.last:
                    break
                size = min(printed, best.ready)
                printed -= size
                self.trade([(best, size, best.limit)])
        for order in list(self.stops):
            assert order.stop is not None
            if order.sign * self.last >= order.sign * order.stop:
                self.trigger(order)
            elif order.trail:
                trailed = max(self.last + order.sign * order.trail, 1)
                order.stop = min(order.stop, trailed) if order.action == BUY else max(order.stop, trailed)
        self.run()

    # -- how it works ------------------------------------------------------------------------------------------------

    def touch(self, order: ModelOrder) -> int:
        return self.ask if order.action == BUY else self.bid

    def working(self) -> list[ModelOrder]:
        return [order for order in self.orders if order.state == "working"]

    def best(self, action: str) -> ModelOrder | None:
        side = [order for order in self.working() if order.action == action and order.ready]
        side.sort(key=lambda o: (-INFINITE if o.limit is None else -o.sign * o.limit, o.seq))
        return side[0] if side else None

    def stands_at(self, order: ModelOrder) -> int:
        touch = self.touch(order)
        if order.limit is None:
            return touch
        if order.passive:
            return order.limit
        return min(order.limit, touch) if order.action == BUY else max(order.limit, touch)

    def arm(self, order: ModelOrder) -> None:
        if order.stop is None or order.triggered:
            self.entering.append(order)
            return
        self.stops.append(order)
        if order.sign * self.last >= order.sign * order.stop:
            self.trigger(order)

    def trigger(self, order: ModelOrder) -> None:
        self.stops.remove(order)
        order.triggered = True
        order.status = "Submitted"
        self.entering.append(order)

    def run(self) -> None:
        while self.entering:
            order = self.entering.pop(0)
            if order.state != "done":
                self.enter(order)

    def enter(self, order: ModelOrder) -> None:
        if not order.seq:
            self.seq += 1
            order.seq = self.seq
        if order.limit is not None and order.status == "PreSubmitted" and order.tif == "DAY":
            order.status = "Submitted"
        other = self.best(SELL if order.action == BUY else BUY)
        could = order.accepts(self.touch(order)) or (other is not None and order.accepts(self.stands_at(other)))
        order.passive = not could
        if order.tif == "FOK" and self.reach(order) < order.total:
            self.end(order, "Inactive")
            return
        order.state = "working"
        self.match()
        if order.tif == "IOC" and order.state != "done":
            self.end(order, "Cancelled")

    def reach(self, order: ModelOrder) -> int:
        """What a fill-or-kill order could get at once."""
        touch = self.touch(order)
        total = self.left[order.action] if order.accepts(touch) else 0
        groups: set[object] = set()
        others = [other for other in self.working() if other.action != order.action and other.ready]
        for other in sorted(others, key=lambda o: (-INFINITE if o.limit is None else -o.sign * o.limit, o.seq)):
            price = self.stands_at(other)
            if not order.accepts(price) or order.sign * price > order.sign * touch:
                break
            group = other.group or (other.parent and other.parent.name)
            if not group or group not in groups:
                total += other.ready
            groups.add(group)
        return total

    def match(self) -> None:
        while self.step():
            pass

    def step(self) -> bool:
        bid, ask = self.best(BUY), self.best(SELL)
        if bid is not None and ask is not None:
            older, newer = (bid, ask) if bid.seq < ask.seq else (ask, bid)
            price, touch = self.stands_at(older), self.touch(newer)
            if newer.accepts(price) and newer.sign * price <= newer.sign * touch:
                if price == touch and self.from_flow(newer):
                    return True
                size = min(bid.ready, ask.ready)
                self.trade([(older, size, price), (newer, size, price)])
                return True
        return any(order is not None and self.from_flow(order) for order in (bid, ask))

    def from_flow(self, order: ModelOrder) -> bool:
        size = min(order.ready, self.left[order.action])
        if not size or not order.accepts(self.touch(order)):
            return False
        self.left[order.action] -= size
        price = order.limit if order.passive and order.limit is not None else self.touch(order)
        self.trade([(order, size, price)])
        return True

    def trade(self, legs: list[tuple[ModelOrder, int, int]]) -> None:
        for order, size, price in legs:
            order.filled += size
            self.fills.append((order.name, size, price))
            if order.filled == order.total:
                order.state, order.status = "done", "Filled"
            else:
                order.status = "Submitted"
        for order, _, _ in legs:
            self.consequences(order)

    def consequences(self, order: ModelOrder) -> None:
        for other in self.orders:
            if other is order or other.state == "done":
                continue
            if order.group and other.group == order.group and other.account == order.account:
                if order.group_type == 1:
                    self.end(other, "Cancelled")
                else:
                    others = [o for o in self.orders if o.group == other.group and o.account == other.account]
                    taken = sum(
                        other.group_total * min(o.filled, o.group_total) // o.group_total
                        for o in others
                        if o is not other
                    )
                    self.shrink(other, other.group_total - taken)
            elif order.parent is not None and other.parent is order.parent:
                self.shrink(other, self.family_total(other))
        for child in order.children:
            if child.state == "working":
                # More of it may trade now: it comes anew, with its old place in the queue.
                other_best = self.best(SELL if child.action == BUY else BUY)
                could = child.accepts(self.touch(child))
                could = could or (other_best is not None and child.accepts(self.stands_at(other_best)))
                child.passive = not could if child.ready else child.passive
            elif child.state == "waiting" and child not in self.entering and child not in self.stops:
                self.arm(child)

    def family_total(self, child: ModelOrder) -> int:
        assert child.parent is not None
        bought = child.parent.filled if child.parent.state == "done" else child.parent.total
        return min(child.group_total, bought - child.siblings_filled())

    def shrink(self, order: ModelOrder, total: int) -> None:
        if total <= order.filled:
            self.end(order, "Cancelled")
        elif total < order.total:
            order.total = total

    def end(self, order: ModelOrder, status: str) -> None:
        if order.state == "done":
            return
        order.state, order.status = "done", status
        if order in self.stops:
            self.stops.remove(order)
        for child in order.children:
            if child.state != "done":
                if not order.filled:
                    self.end(child, "Cancelled")
                else:
                    total = self.family_total(child)
                    if total < child.total:
                        child.group_total = min(child.group_total, total)
                        self.shrink(child, total)
