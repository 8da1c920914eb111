"""How much could be held if everything that may fill did: positions, open orders, and orders on their way out.

Unknown is infinite: a limit that is compared with it refuses. Pure; whoever calls holds the gate's lock.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import inf, isfinite, nan
from typing import Any, Final

__all__ = ["Entry", "Line", "Sums", "exposure_of", "group_of"]

_RESUM_EVERY: Final = 256
_NEED_MULTIPLIER: Final = frozenset({"OPT", "FOP", "FUT", "WAR", "IOPT"})


class Sums:
    """Sums over lines: of one account, or of all.

    Attributes
    ----------
    open : float
        Quantity of everything that may fill.
    worst : float
        Sum of the largest positions that each line could end with, either way.
    gross : float
        The same in money of the base currency.
    spent : float
        Money of the orders admitted since the gateway last told what there is to spend.
    """

    __slots__ = ("changes", "gross", "lines", "open", "spent", "worst")

    def __init__(self) -> None:
        self.open = self.worst = self.gross = self.spent = 0.0
        self.lines: list[Line] = []
        self.changes = 0

    def sum_up(self) -> None:
        """Make the sums anew."""
        self.changes = 0
        self.open = sum(line.buy + line.sell for line in self.lines)
        self.worst = sum(line.worst for line in self.lines)
        self.gross = sum(line.gross for line in self.lines)


class Entry:
    """What one order, or one request on its way out, could still do to its line.

    ``group`` is that of orders of which one cancels or reduces the rest, before they can overfill. ``started``: some
    of it has filled. ``is_exit``: it hangs on an order of the other side.
    """

    __slots__ = ("group", "is_exit", "line", "order_id", "parent_id", "price", "quantity", "side", "started")

    def __init__(
        self, line: Line, side: int, quantity: float, order_id: int = 0, parent_id: int = 0, group: str = ""
    ) -> None:
        self.line = line
        self.side = side
        self.quantity = quantity
        self.price = nan
        self.order_id = order_id
        self.parent_id = parent_id
        self.group = group
        self.started = self.is_exit = False


def group_of(order: Any) -> str:
    """The group of an order, if one fill in it stops the rest in time: OCA types 1 and 2. Others may all fill."""
    return (order.ocaGroup or "") if order.ocaType in (1, 2) else ""


class Line:
    """One contract in one account.

    Attributes
    ----------
    position, other : float
        Held now, and what is held if the gateway's last number and our fills are not about the same moment: messages
        of both kinds come in any order. buy, sell : what may still be bought and sold.
    mark : float
        Money per unit, the largest that is known; infinite while none is.
    unit : float
        Multiplier times the currency's rate; infinite when either is unknown.
    worst : float
        The largest position that could come of it, either way. gross : the same in money.
    """

    __slots__ = (
        *("_fills", "_jump", "_told", "account", "buy", "contract", "entries", "gross", "key", "known", "mark"),
        *("other", "position", "sell", "sums", "total", "unit", "worst"),
    )

    def __init__(self, account: str, key: Any, sums: Sums, total: Sums) -> None:
        self.account = account
        self.key = key
        self.contract: Any = None
        self.sums = sums
        self.total = total
        self.position = self.other = self.buy = self.sell = self.worst = self.gross = 0.0
        self._told, self._fills, self._jump = False, 0, 0.0
        self.mark = self.known = self.unit = inf
        self.entries: set[Entry] = set()
        sums.lines.append(self)
        total.lines.append(self)

    def told(self, quantity: float) -> None:
        """The gateway's number. Until it agrees with what our fills say, both are possible."""
        expected = self.position
        if not self._told:
            self._told, self.other = True, quantity + expected
        elif quantity in (expected, self.other):
            self.other, self._fills, self._jump = quantity, 0, 0.0
        elif self._fills:
            self.other, self._fills = expected, self._fills - 1
        else:  # somebody else's trade, or one of ours whose execution has not come yet
            self.other, self._jump = quantity, quantity - expected
        self.position = quantity
        self.update()

    def filled(self, quantity: float, price: float, looked_up: bool = False) -> None:
        """An execution, above 0 for a buy; one that a look-up found may be in the gateway's number, or not."""
        if looked_up:
            self.other += quantity
        else:
            self.position += quantity
            if self._jump * quantity > 0 and abs(quantity) <= abs(self._jump):
                self._jump -= quantity  # the number that jumped may have had it in it
            else:
                self.other += quantity
        self._fills += 1
        self.learn_price(price)
        self.update()

    @property
    def highest(self) -> float:
        """The most that may be held now."""
        return self.position if self.position > self.other else self.other

    @property
    def lowest(self) -> float:
        """The least that may be held now."""
        return self.other if self.position > self.other else self.position

    def set_unit(self, contract: Any, rates: Mapping[str, float]) -> None:
        """Learn multiplier and currency, if this contract tells them."""
        unit = rates.get(contract.currency, inf)
        multiplier = contract.multiplier
        if multiplier:
            try:
                unit *= float(multiplier)
            except ValueError:
                unit = inf
        elif contract.secType in _NEED_MULTIPLIER:
            unit = inf
        self.unit = unit if unit > 0 else inf

    def add(self, entry: Entry, price: float) -> None:
        """Count it. ``price`` is money per unit; not a number when unknown."""
        self.entries.add(entry)
        entry.price = price
        if entry.group or entry.parent_id:
            self.update()
            return
        side, quantity = entry.side, entry.quantity
        if side > 0:
            self.buy += quantity
        elif side < 0:
            self.sell += quantity
        else:
            self.update()
            return
        self._settle(price, quantity)

    def remove(self, entry: Entry) -> None:
        """Count it no longer; harmless twice."""
        if entry in self.entries:
            self.entries.discard(entry)
            self.update()

    def learn_price(self, price: float) -> None:
        """What units were worth last, by a fill or the gateway's average. NaN says nothing."""
        money = abs(price) * self.unit
        if money == money:
            self.known = money

    def update(self) -> None:
        """Count everything anew: nothing is ever subtracted, so nothing drifts."""
        self.mark = inf
        for price in (self.known, *(abs(entry.price) * self.unit for entry in self.entries)):
            # A price that was never sent must leave no trace: the largest of what is there.
            if price < inf and (self.mark == inf or price > self.mark):
                self.mark = price
        before = self.buy + self.sell
        self.buy, self.sell = exposure_of(self.entries)
        self._settle(nan, self.buy + self.sell - before)

    def _settle(self, price: float, opened: float) -> None:
        if price == price:
            money = abs(price) * self.unit
            if money > self.mark or (self.mark == inf and money < inf):
                self.mark = money
        high, low = self.position, self.other
        if low > high:
            high, low = low, high
        up, down = high + self.buy, self.sell - low
        worst = up if up > down else down
        gross = worst * self.mark if worst else 0.0
        more_worst, more_gross = worst - self.worst, gross - self.gross
        self.worst, self.gross = worst, gross
        # Written out for both: this is most of what an order's admission costs.
        sums, total = self.sums, self.total
        sums.open += opened
        sums.worst += more_worst
        sums.gross += more_gross
        total.open += opened
        total.worst += more_worst
        total.gross += more_gross
        total.changes += 1
        number = total.open + total.worst + total.gross
        if number - number != 0.0:  # infinite, or the difference of infinities
            sums.sum_up()
            total.sum_up()
        elif total.changes >= _RESUM_EVERY:  # so that nothing drifts
            for other in {line.sums for line in total.lines}:
                other.sum_up()
            total.sum_up()


def exposure_of(entries: set[Entry]) -> tuple[float, float]:
    """(buys, sells) that could still happen on one line.

    Orders of one group on one side count once, the largest of them: one cancels the rest. So do the exits of one
    parent (its children on the other side); before any of the parent has filled, they do not work.
    """
    if not entries:
        return 0.0, 0.0
    sums = {1: 0.0, -1: 0.0, 0: 0.0}
    groups: dict[tuple[int, str, int], float] = {}
    parents = {e.order_id: e for e in entries if e.order_id}
    for entry in entries:
        quantity = entry.quantity
        if entry.is_exit:
            parent = parents.get(entry.parent_id)
            if parent is not None and parent.side == -entry.side and not parent.started:
                # At most what it sells beyond what the parent buys.
                quantity = max(0.0, quantity - parent.quantity) if isfinite(parent.quantity) else 0.0
        if entry.group:
            key = (entry.side, entry.group, 0)
        elif entry.is_exit:
            key = (entry.side, "", entry.parent_id)
        else:
            sums[entry.side] += quantity
            continue
        groups[key] = max(groups.get(key, 0.0), quantity)
    for (side, _, _), quantity in groups.items():
        sums[side] += quantity
    both = sums[0]  # a side that nobody knows counts on both
    return sums[1] + both, sums[-1] + both
