"""How much could be held if everything that may fill did: positions, open orders, and orders on their way out.

Unknown is infinite: a limit that is compared with it refuses. Pure; whoever calls holds the gate's lock.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import inf, isfinite, nan
from typing import Any, Final

__all__ = ["Entry", "Line", "Sums", "exposure_of"]

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
    """What one order, or one request on its way out, could still do to its line."""

    __slots__ = ("group", "line", "order_id", "parent_id", "price", "quantity", "side")

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


class Line:
    """One contract in one account.

    Attributes
    ----------
    position : float
        Held now. buy, sell : what may still be bought and sold.
    mark : float
        Money per unit, the largest that is known; infinite while none is.
    unit : float
        Multiplier times the currency's rate; infinite when either is unknown.
    worst : float
        The largest position that could come of it, either way. gross : the same in money.
    """

    __slots__ = (
        *("account", "buy", "contract", "entries", "gross", "key", "known", "mark", "position", "sell", "sums"),
        *("total", "unit", "worst"),
    )

    def __init__(self, account: str, key: Any, sums: Sums, total: Sums) -> None:
        self.account = account
        self.key = key
        self.contract: Any = None
        self.sums = sums
        self.total = total
        self.position = self.buy = self.sell = self.worst = self.gross = 0.0
        self.mark = self.known = self.unit = inf
        self.entries: set[Entry] = set()
        sums.lines.append(self)
        total.lines.append(self)

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
        up, down = self.position + self.buy, self.sell - self.position
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

    Orders of one OCA group on one side count once, the largest of them: one cancels the rest. Orders that hang on a
    parent of the other side count only as far as the parent has filled: before that they do not work.
    """
    if not entries:
        return 0.0, 0.0
    sums = {1: 0.0, -1: 0.0, 0: 0.0}
    groups: dict[tuple[int, str, int], float] = {}
    parents = {e.order_id: e for e in entries if e.order_id}
    for entry in entries:
        if entry.group or entry.parent_id:
            key = (entry.side, entry.group, 0) if entry.group else (entry.side, "", entry.parent_id)
            quantity = entry.quantity
            parent = parents.get(entry.parent_id)
            if parent is not None and parent.side == -entry.side:
                quantity = max(0.0, quantity - parent.quantity) if isfinite(parent.quantity) else 0.0
            groups[key] = max(groups.get(key, 0.0), quantity)
        else:
            sums[entry.side] += entry.quantity
    for (side, _, _), quantity in groups.items():
        sums[side] += quantity
    both = sums[0]  # a side that nobody knows counts on both
    return sums[1] + both, sums[-1] + both
