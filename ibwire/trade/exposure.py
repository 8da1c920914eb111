"""How much could be held if everything that may fill did: positions, open orders, and orders on their way out.

Unknown is infinite: a limit that is compared with it refuses. Pure; whoever calls holds the gate's lock.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import inf, nan
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

    ``group`` is that of orders of which one cancels or reduces the rest, before they can overfill. ``is_exit``: it
    hangs on an order of the other side.
    """

    __slots__ = ("group", "is_exit", "line", "order_id", "parent_id", "price", "quantity", "side")

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
        self.is_exit = False


def group_of(order: Any) -> str:
    """The group of an order, if one fill in it stops the rest in time: OCA types 1 and 2. Others may all fill."""
    return (order.ocaGroup or "") if order.ocaType in (1, 2) else ""


class Line:
    """One contract in one account.

    Attributes
    ----------
    position : float
        Held now by our own count: the last number on which the gateway and we agreed, and the executions since.
    lowest, highest : float
        What may be held: numbers and executions come in any order, and a number may have any of them in it.
    buy, sell : float
        What may still be bought and sold.
    mark : float
        Money per unit, the largest that is known; infinite while none is.
    unit : float
        Multiplier times the currency's rate; infinite when either is unknown.
    worst : float
        The largest position that could come of it, either way. gross : the same in money.
    """

    __slots__ = (
        *("_asked", "_at_mark", "_base", "_changes", "_fills", "_is_told", "_old", "_told", "account", "buy"),
        *("contract", "entries", "gross"),
        *("highest", "is_named", "key", "known", "lowest", "mark", "position", "sell", "sums", "total", "unit"),
        "worst",
    )

    def __init__(self, account: str, key: Any, sums: Sums, total: Sums) -> None:
        self.account = account
        self.key = key
        self.contract: Any = None
        self.sums = sums
        self.total = total
        self.position = self.lowest = self.highest = self.buy = self.sell = self.worst = self.gross = 0.0
        self._base = self._told = 0.0
        self._is_told = self.is_named = False
        self._fills: list[float] = []  # since the two agreed last
        self._old: list[float] = []  # that may be older than the first number
        self._asked: tuple[int, int] | None = None  # how many of both there were when the gateway was asked
        self.mark = self.known = self.unit = inf
        self._at_mark = self._changes = 0  # entries whose price is the mark; changes since all was counted anew
        self.entries: set[Entry] = set()
        sums.lines.append(self)
        total.lines.append(self)

    def told(self, quantity: float) -> None:
        """The gateway's number. Which executions are in it, it does not say."""
        self.is_named = True
        if not self._is_told:
            self._is_told, self._base = True, quantity
        self._told = quantity
        self._hold()

    def filled(self, quantity: float, price: float, looked_up: bool = False) -> None:
        """An execution, above 0 for a buy; one that a look-up found may have been in every number so far."""
        (self._old if looked_up or not self._is_told else self._fills).append(quantity)
        self.learn_price(price)
        self._hold()

    def ask(self) -> None:
        """The gateway is asked for its number: what comes has every execution in it that came before this."""
        self._asked, self.is_named = (len(self._fills), len(self._old)), False

    def answered(self) -> None:
        """All numbers came that were asked for; what was not named is nothing."""
        if self._asked is not None:
            fills, old = self._asked
            self._told = self._base = self._told if self.is_named else 0.0
            self._asked = None
            del self._fills[:fills], self._old[:old]
            self._hold()
        self._is_told = True  # who is not named holds nothing

    @property
    def is_settled(self) -> bool:
        """The gateway's number and our executions say the same."""
        return self.lowest == self.highest

    def _hold(self) -> None:
        own = self._base + sum(self._fills)
        if own == self._told and not self._old:
            self._base = own
            self._fills.clear()
        self.position = own
        down, up = _both(self._fills)
        old_down, old_up = _both(self._old)
        self.lowest = min(own, self._told + down) + old_down
        self.highest = max(own, self._told + up) + old_up
        self.update()

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
        side, quantity = entry.side, entry.quantity
        if not side or entry.group or entry.parent_id:
            self.update()
            return
        if side > 0:
            self.buy += quantity
        else:
            self.sell += quantity
        if price == price:
            money = price * self.unit
            if money < 0:
                money = -money
            if money > self.mark or (self.mark == inf and money < inf):
                self.mark, self._at_mark = money, 1
            elif money == self.mark:
                self._at_mark += 1
        self._settle(quantity)

    def remove(self, entry: Entry) -> None:
        """Count it no longer; harmless twice."""
        entries, side, quantity = self.entries, entry.side, entry.quantity
        if entry not in entries:
            return
        entries.discard(entry)
        self._changes += 1
        if abs(entry.price) * self.unit == self.mark:
            self._at_mark -= 1
        plain = side and not entry.group and not entry.parent_id and quantity < inf
        if not plain or not entries or self._at_mark < 1 or self._changes >= _RESUM_EVERY:
            self.update()
            return
        if side > 0:
            self.buy -= quantity
        else:
            self.sell -= quantity
        self._settle(-quantity)

    def change(self, entry: Entry, quantity: float) -> None:
        """It may fill so much from now on; the rest of it stays as it is."""
        more = quantity - entry.quantity
        if not more:
            return
        self._changes += 1
        entry.quantity = quantity
        if entry.group or entry.parent_id or not entry.side or more - more != 0.0 or self._changes >= _RESUM_EVERY:
            self.update()
            return
        if entry.side > 0:
            self.buy += more
        else:
            self.sell += more
        self._settle(more)

    def learn_price(self, price: float) -> None:
        """What units were worth last, by a fill or the gateway's average. NaN says nothing."""
        money = abs(price) * self.unit
        if money == money:
            self.known = money

    def update(self) -> None:
        """Count everything anew: what was added and subtracted before cannot drift far."""
        self.mark, self._at_mark, self._changes = self.known, 0, 0
        for entry in self.entries:
            # A price that was never sent must leave no trace: the largest of what is there.
            money = abs(entry.price) * self.unit
            if money < inf and (self.mark == inf or money > self.mark):
                self.mark, self._at_mark = money, 1
            elif money == self.mark:
                self._at_mark += 1
        before = self.buy + self.sell
        self.buy, self.sell = exposure_of(self.entries)
        self._settle(self.buy + self.sell - before)

    def _settle(self, opened: float) -> None:
        up, down = self.highest + self.buy, self.sell - self.lowest
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
        number = more_worst + more_gross
        if number - number != 0.0:  # infinite, or the difference of infinities
            sums.sum_up()
            total.sum_up()
        elif total.changes >= _RESUM_EVERY:  # so that nothing drifts
            for other in {line.sums for line in total.lines}:
                other.sum_up()
            total.sum_up()


def _both(quantities: list[float]) -> tuple[float, float]:
    """Sums of those below 0 and of those above."""
    return sum(q for q in quantities if q < 0), sum(q for q in quantities if q > 0)


def exposure_of(entries: set[Entry]) -> tuple[float, float]:
    """(buys, sells) that could still happen on one line.

    Orders of one group on one side count once, the largest of them: one cancels the rest. So do the exits of one
    parent (its children on the other side). They count from the start: whether their parent has filled may be known
    here later than to the broker.
    """
    if not entries:
        return 0.0, 0.0
    sums = {1: 0.0, -1: 0.0, 0: 0.0}
    groups: dict[tuple[int, str, int], float] = {}
    for entry in entries:
        if entry.group:
            key = (entry.side, entry.group, 0)
        elif entry.is_exit:
            key = (entry.side, "", entry.parent_id)
        else:
            sums[entry.side] += entry.quantity
            continue
        groups[key] = max(groups.get(key, 0.0), entry.quantity)
    for (side, _, _), quantity in groups.items():
        sums[side] += quantity
    both = sums[0]  # a side that nobody knows counts on both
    return sums[1] + both, sums[-1] + both
