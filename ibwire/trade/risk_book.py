"""What the gate knows: positions, orders, quotes and accounts; and what of it the policies of one request see. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from math import inf, nan
from typing import Any, Protocol

from ibwire.trade.exposure import Entry, Line, Sums, group_of
from ibwire.trade.risk_requests import Part, Request, contract_key, parts_of

__all__ = ["Book", "BookView", "PartView", "QuoteLike"]


class QuoteLike(Protocol):
    """What the gate needs of a quote: prices, NaN while unknown, and when they came."""

    @property
    def bid(self) -> float: ...
    @property
    def ask(self) -> float: ...
    @property
    def last(self) -> float: ...
    @property
    def recv_ns(self) -> int: ...


class Book:
    """What is known of positions, orders, quotes and accounts. Tell it under the gate's lock (its methods do).

    Parameters
    ----------
    lock : context manager
        Shared with the gate. currency : the base, in which money is counted. rates : currency -> worth of one unit in
        the base; a currency without a rate makes money infinite.
    """

    def __init__(
        self, lock: AbstractContextManager[Any], currency: str = "USD", rates: Mapping[str, float] | None = None
    ) -> None:
        self.lock = lock
        self.currency = currency
        self.rates = {currency: 1.0, **(rates or {})}
        self.total = Sums()
        self.accounts: dict[str, Sums] = {}
        self.lines: dict[tuple[str, Any], Line] = {}
        self.quotes: dict[Any, QuoteLike] = {}
        self.values: dict[tuple[str, str], tuple[float, int]] = {}
        self.pnl: dict[str, tuple[float, int]] = {}
        self.told: set[str] = set()
        self._orders: dict[Any, list[Entry]] = {}
        self._asking = False
        self.is_whole = False  # positions and orders are known

    def line(self, account: str, contract: Any, key: Any = None) -> Line:
        """The line of a contract in an account; made when there is none. The lock is held."""
        place = (account, contract_key(contract) if key is None else key)
        line = self.lines.get(place)
        if line is None:
            sums = self.accounts.get(account)
            if sums is None:
                sums = self.accounts[account] = Sums()
            line = self.lines[place] = Line(account, place[1], sums, self.total)
            if "positions" in self.told:
                line.answered()
            if self._asking:
                line.ask()
        if contract is not None:  # a leg of a combination names none
            if line.contract is None:
                line.contract = contract
            if line.unit == inf:
                line.set_unit(contract, self.rates)
        return line

    # -- being told --------------------------------------------------------------------------------------------------

    def on_position(self, account: str, contract: Any, quantity: float, avg_cost: float = nan) -> None:
        """The gateway named a position; it counts from now on."""
        with self.lock:
            line = self.line(account, contract)
            if avg_cost == avg_cost and line.unit < inf:
                line.learn_price(avg_cost / (float(contract.multiplier or 1) or 1.0))
            line.told(float(quantity))

    def on_fill(
        self, account: str, contract: Any, signed_quantity: float, price: float = nan, looked_up: bool = False
    ) -> None:
        """An execution, above 0 for a buy: the position moves now, before the gateway names it.

        One that was looked up may be in the position that the gateway named, or not: both count until it names it
        again. Of a combination the legs move.
        """
        with self.lock:
            for part in parts_of(contract, 1 if signed_quantity >= 0 else -1):
                line = self.line(account, part.contract, part.key)
                money = price if part.contract is not None else nan
                line.filled(part.side * part.ratio * abs(signed_quantity), money, looked_up)

    def on_order(
        self,
        order_id: Any,
        account: str,
        contract: Any,
        side: int,
        remaining: float,
        price: float = nan,
        parent_id: int = 0,
        group: str = "",
    ) -> None:
        """What an order may still fill; 0 when it has ended. ``group``: as :func:`~ibwire.trade.exposure.group_of`."""
        with self.lock:
            had = self._orders.get(order_id, [])
            if remaining > 0 and len(had) == 1 and contract.secType != "BAG":
                one = had[0]
                is_same = (one.side, one.parent_id, one.group) == (side, parent_id, group)
                if is_same and (price != price or price == one.price) and one.line is self.line(account, contract):
                    one.line.change(one, remaining)
                    return
            self._orders.pop(order_id, None)
            for entry in had:
                entry.line.remove(entry)
            if remaining > 0:
                number = order_id if isinstance(order_id, int) else 0
                is_exit = self._is_exit(parent_id, side, had)
                made = self._orders[order_id] = []
                for part in parts_of(contract, side):
                    line = self.line(account, part.contract, part.key)
                    entry = Entry(line, part.side, remaining * part.ratio, number, parent_id, group)
                    entry.is_exit = is_exit
                    known = price if part.contract is not None else nan
                    for one in had:
                        if known != known and one.line is line:
                            known = one.price  # what it was judged by when it went out
                    line.add(entry, known)
                    made.append(entry)

    def _is_exit(self, parent_id: int, side: int, had: list[Entry]) -> bool:
        # Once known it stays so: the parent is forgotten when it has filled.
        if not parent_id:
            return False
        parent = self._orders.get(parent_id)
        if parent:
            return parent[0].side == -side
        return bool(had) and had[0].parent_id == parent_id and had[0].is_exit

    def on_positions_asked(self) -> None:
        """The gateway is asked for every position."""
        with self.lock:
            self._asking = True
            for line in self.lines.values():
                line.ask()

    def on_positions_answered(self) -> None:
        """They are all here."""
        with self.lock:
            self._asking = False
            self.on_told("positions")
            for line in self.lines.values():
                line.answered()

    @property
    def is_settled(self) -> bool:
        """Of every contract the gateway's number and our executions say the same."""
        with self.lock:
            return all(line.is_settled for line in self.lines.values())

    def on_quote(self, key: Any, quote: QuoteLike) -> None:
        """The newest quote of a contract; replaced whole, so that a reader never sees half of it."""
        self.quotes[key] = quote

    def on_value(self, account: str, tag: str, value: str | float, now_ns: int) -> None:
        """A value of an account. Text that is no number is forgotten rather than kept as it was."""
        try:
            number = float(value)
        except ValueError:
            number = nan
        with self.lock:
            self.values[account, tag] = (number, now_ns)
            if tag == "BuyingPower" and account in self.accounts:
                self.accounts[account].spent = 0.0

    def on_pnl(self, account: str, daily: float | None, now_ns: int) -> None:
        """Profit and loss of the day, in the account's currency; None when the gateway does not know."""
        self.pnl[account] = (nan if daily is None else float(daily), now_ns)

    def on_told(self, what: str) -> None:
        """The first whole picture of something is in: ``positions``, ``orders``."""
        self.told.add(what)
        self.is_whole = {"positions", "orders"} <= self.told

    def forget(self, what: str) -> None:
        """It is no longer known: the session is over."""
        self.told.discard(what)
        self.is_whole = {"positions", "orders"} <= self.told


class PartView:
    """One contract of a request at that moment: see :attr:`BookView.parts`. Numbers include the request.

    Attributes
    ----------
    side : int
    quantity : float
        Of this contract in the request.
    highest, lowest : float
        What may be held of it now. buy, sell : what may still be bought and sold. gross : money in it at worst.
    """

    __slots__ = ("buy", "gross", "highest", "lowest", "quantity", "sell", "side")

    def __init__(self, line: Line, side: int, quantity: float) -> None:
        self.side, self.quantity = side, quantity
        self.highest, self.lowest = line.highest, line.lowest
        self.buy, self.sell, self.gross = line.buy, line.sell, line.gross

    @property
    def worst(self) -> float:
        """The largest position that may come of it, on the side that the request is on."""
        up, down = self.highest + self.buy, self.sell - self.lowest
        return up if self.side > 0 else down if self.side < 0 else max(up, down)

    @property
    def only_reduces(self) -> bool:
        """Even with everything that is open on its side, it cannot turn the position round."""
        if self.side > 0:
            return self.highest + self.buy <= 0
        return self.side < 0 and self.lowest - self.sell >= 0


class BookView:
    """The book at the moment at which a request was added to it: for its policies. All numbers include the request.

    Attributes
    ----------
    worst : float
        The largest position that may come of it in any of its contracts, on the side that the request is on.
    buy, sell : float
        What may still be bought and sold of the contract; of a combination the largest of its legs.
    only_reduces : bool
        Even with everything that is open on its side, it cannot turn a position round.
    line_gross, notional : float
        Money in the contract at worst; money of this request. Infinite when unknown.
    quote : QuoteLike or None
        The newest of the contract, None while there is none.
    blind : str
        Why nobody can tell what is held and open where this request would go; empty while that is known.
    account_open, account_worst, account_gross, account_spent, total_open, total_worst, total_gross : float
        See :class:`~ibwire.trade.exposure.Sums`.
    """

    __slots__ = (
        *("_book", "_entries", "_highest", "_lowest", "_parts", "account_gross", "account_open"),
        *("account_spent", "account_worst", "blind", "buy", "line_gross", "notional", "only_reduces", "quote"),
        *("request", "sell", "start_ns", "total_gross", "total_open", "total_worst", "worst"),
    )

    def __init__(self, book: Book, request: Request, now_ns: int) -> None:
        self._book = book
        self.quote = book.quotes.get(request.key)
        self._entries: Sequence[Entry] = ()
        self._parts: list[PartView] | None
        self.request = request
        self.start_ns = now_ns

    @property
    def parts(self) -> list[PartView]:
        """The contract; of a combination its legs; nothing where the request is about no contract."""
        if self._parts is None:
            part = PartView.__new__(PartView)
            part.side, part.quantity = self.request.side, self.request.quantity
            part.highest, part.lowest = self._highest, self._lowest
            part.buy, part.sell, part.gross = self.buy, self.sell, self.line_gross
            self._parts = [part]
        return self._parts

    @property
    def told(self) -> set[str]:
        """What the book has a whole picture of."""
        return self._book.told

    def value(self, tag: str) -> tuple[float, int]:
        """A value of the request's account and when it came; NaN when the gateway never told."""
        return self._book.values.get((self.request.account, tag), (nan, 0))

    def pnl(self) -> tuple[float, int]:
        """Profit and loss of the account's day, and when it came; NaN when unknown."""
        return self._book.pnl.get(self.request.account, (nan, 0))

    def _price(self) -> float:
        """What a unit may cost at worst, as far as limit, trigger and quote tell; NaN when nothing does."""
        request = self.request
        price = request.price
        if request.side > 0 and price == price and request.order_type == "LMT":
            return price
        worst = -1.0
        if price == price:
            worst = abs(price)
        if request.stop == request.stop and request.is_stop and abs(request.stop) > worst:
            worst = abs(request.stop)
        near = self._near(request.key, request.side)
        if near < 0 and (price != price or request.side <= 0):
            return nan  # what sells at a limit, or buys without one, is worth what the market says
        if near > worst:
            worst = near
        return nan if worst < 0 else worst

    def _near(self, key: Any, side: int) -> float:
        """What the market asks for a unit; below 0 when nobody knows."""
        quote = self._book.quotes.get(key)
        if quote is None:
            return -1.0
        near = quote.ask if side > 0 else quote.bid
        if near != near:
            near = quote.last
        return abs(near) if near == near else -1.0

    def _reserve(self) -> None:
        # The lock is held. Most of what an order's admission costs is here and in Line.add.
        request, book = self.request, self._book
        line = book.lines.get((request.account, request.key))
        if request.before is not None or request.is_combo or line is None or line.unit == inf:
            notional = self._reserve_parts()
            line = self._entries[0].line
        else:
            side, quantity, price = request.side, request.quantity, request.price
            if side <= 0 or price != price or request.order_type != "LMT":
                price = self._price()
            entry = Entry(line, side, quantity)
            order = request.order
            if order is not None and (order.parentId or order.ocaGroup):
                self._classify(entry, order, [])
            line.add(entry, price)
            self._entries = (entry,)
            notional = abs(price) * line.unit * quantity
            self._parts = None
            self._highest, self._lowest = high, low = line.highest, line.lowest
            self.buy, self.sell, self.line_gross = line.buy, line.sell, line.gross
            up, down = high + line.buy, line.sell - low
            if side > 0:
                self.worst, self.only_reduces = up, up <= 0
            else:
                self.worst = down if side else max(up, down)
                self.only_reduces = down <= 0 and side < 0
        if request.cash == request.cash:
            cash = request.cash * book.rates.get(request.contract.currency, inf)
            if notional != notional or request.quantity == inf or cash > notional:
                notional = cash
        if notional != notional:
            notional = inf
        self.notional = notional
        self.blind = "" if book.is_whole and request.account and request.is_qualified else self._why_blind()
        sums, total = line.sums, line.total
        self.account_open, self.account_worst, self.account_gross = sums.open, sums.worst, sums.gross
        self.account_spent = spent = sums.spent + notional
        if notional < inf:
            sums.spent = spent
        self.total_open, self.total_worst, self.total_gross = total.open, total.worst, total.gross

    def _reserve_parts(self) -> float:
        """As :meth:`_reserve` for what is not plain: changes, combinations, new contracts. Gives the money in it."""
        request, book = self.request, self._book
        had = book._orders.get(request.order_id, []) if request.before is not None else []
        money, self._parts = 0.0, []
        for one in parts_of(request.contract, request.side):
            if request.is_combo:
                line = book.line(request.account, None, one.key)
                near = self._near(one.key, one.side)
                price = near if near >= 0 else nan
            else:
                line, price = book.line(request.account, request.contract, request.key), self._price()
            self._add(line, one, price, had)
            if request.is_combo:
                money += line.mark * one.ratio * request.quantity if line.mark < inf else inf
            else:
                money = abs(price) * line.unit * request.quantity
            self._parts.append(PartView(line, one.side, request.quantity * one.ratio))
        self.buy, self.sell = max(part.buy for part in self.parts), max(part.sell for part in self.parts)
        self.line_gross = max(part.gross for part in self.parts)
        self.worst = max(part.worst for part in self.parts)
        self.only_reduces = all(part.only_reduces for part in self.parts)
        return money

    def _blank(self) -> None:
        """It is about no contract."""
        self._parts = []
        self.worst = self.buy = self.sell = self.line_gross = self.notional = 0.0
        self.account_open = self.account_worst = self.account_gross = self.account_spent = 0.0
        self.total_open = self.total_worst = self.total_gross = 0.0
        self.only_reduces = False
        self.blind = self._why_blind()

    def _why_blind(self) -> str:
        request, told = self.request, self._book.told
        if "positions" not in told or "orders" not in told:
            return f"{'open orders' if 'positions' in told else 'positions'} are not known yet"
        if request.contract is None:
            return ""
        if not request.account:
            return "it is not known which account it would use"
        if not request.is_qualified:
            return "the contract has no conId: what is held of it is not known"
        return ""

    def _classify(self, entry: Entry, order: Any, had: list[Entry]) -> None:
        if order.parentId:
            entry.parent_id = order.parentId
            entry.is_exit = self._book._is_exit(order.parentId, entry.side, had)
        if order.ocaGroup:
            entry.group = group_of(order)

    def _add(self, line: Line, part: Part, price: float, had: list[Entry]) -> None:
        request = self.request
        wanted = quantity = request.quantity * part.ratio
        entry = Entry(line, part.side, quantity)
        if request.order is not None:
            self._classify(entry, request.order, had)
        for one in had:
            if one.line is line and one.side == part.side:
                filled = max(0.0, float(request.before.totalQuantity or 0) * part.ratio - one.quantity)
                quantity = max(0.0, wanted - filled)
                same = (one.group, one.parent_id, one.is_exit) == (entry.group, entry.parent_id, entry.is_exit)
                # Alone it counts as what comes on top; of a group the larger counts; what changes groups counts anew.
                if same and not (entry.group or entry.is_exit):
                    quantity = max(0.0, quantity - one.quantity)
        entry.quantity = quantity
        line.add(entry, price)
        self._entries = (*self._entries, entry)

    def _release(self) -> None:
        # The lock is held. Harmless twice.
        if self._entries:
            for entry in self._entries:
                entry.line.remove(entry)
            if self.notional < inf:
                sums = self._entries[0].line.sums
                sums.spent = max(0.0, sums.spent - self.notional)
            self._entries = ()
