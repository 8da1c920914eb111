"""The risk gate: nothing that can add risk goes round it, and whatever it cannot judge it refuses.

How two threads cannot both pass one limit, although no lock is held while policies look: a request's own exposure is
added to the book first, under the lock, and what the book then says is copied for its policies (a :class:`BookView`).
So of two requests the one that came second sees the first, whatever either's policies are doing. A request that is
refused, or whose verdict is late, is taken out again; one whose policies never return counts until its budget is over
(after that it can only be refused) and holds nobody but its caller.

Pure: the clock and the lock come in. :mod:`ibwire.trade.risk_policies` has policies that are ready to use.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from math import inf, nan
from typing import Any, Final, Protocol

from ibwire.errors import ConfigError, RiskRejected
from ibwire.trade.exposure import Entry, Line, Sums
from ibwire.trade.risk_requests import Effect, Kind, Request, contract_key, lowers_risk

__all__ = [
    "ALLOW",
    "SCOPES",
    "Allow",
    "Book",
    "BookView",
    "Cancel",
    "Effect",
    "Gate",
    "Kind",
    "Policy",
    "QuoteLike",
    "Reject",
    "Request",
    "Verdict",
    "lowers_risk",
]

SCOPES: Final = ("order", "mine", "everything")


@dataclass(frozen=True, slots=True)
class Allow:
    """Go on to the next policy. Return :data:`ALLOW` rather than a new one."""


@dataclass(frozen=True, slots=True)
class Reject:
    """Refuse this request; the reason is told to who sent it."""

    reason: str


@dataclass(frozen=True, slots=True)
class Cancel:
    """Refuse this request and cancel what is there.

    Parameters
    ----------
    scope : str
        ``order``: the order it is about. ``mine``: the kill switch: every order of this client, and no new ones until
        it is released. ``everything``: the kill switch with one global cancel, which hits other clients' and manual
        orders too.
    flatten : bool
        With ``mine`` or ``everything``: then close the positions at the market.
    """

    reason: str
    scope: str = "mine"
    flatten: bool = False

    def __post_init__(self) -> None:
        if self.scope not in SCOPES:
            raise ConfigError(f"there is no scope {self.scope!r}", hint=f"say {', '.join(SCOPES)}")


Verdict = Allow | Reject | Cancel
ALLOW: Final = Allow()


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


class Policy(Protocol):
    """One rule. ``check`` may run in several threads at once, takes no lock of the gate, and must be quick.

    It may have more: ``needs``, names of what the book must be told (``orders``, ``positions``, ``values``, ``pnl``,
    ``quotes``); ``undo(request, now_ns)``, called when a request that it allowed is refused after all; and
    ``watch(book, now_ns) -> Verdict``, called when the book was told something.
    """

    @property
    def name(self) -> str: ...

    def check(self, request: Request, book: BookView, now_ns: int) -> Verdict: ...


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
        self._orders: dict[Any, Entry] = {}

    def line(self, account: str, contract: Any, key: Any = None) -> Line:
        """The line of a contract in an account; made when there is none. The lock is held."""
        place = (account, contract_key(contract) if key is None else key)
        line = self.lines.get(place)
        if line is None:
            sums = self.accounts.get(account)
            if sums is None:
                sums = self.accounts[account] = Sums()
            line = self.lines[place] = Line(account, place[1], sums, self.total)
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
            line.position = float(quantity)
            if avg_cost == avg_cost and line.unit < inf:
                line.learn_price(avg_cost / (float(contract.multiplier or 1) or 1.0))
            line.update()

    def on_fill(self, account: str, contract: Any, signed_quantity: float, price: float = nan) -> None:
        """An execution, above 0 for a buy: the position moves now, before the gateway names it."""
        with self.lock:
            line = self.line(account, contract)
            line.position += signed_quantity
            line.learn_price(price)
            line.update()

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
        """What an order may still fill; 0 when it has ended."""
        with self.lock:
            self._set_order(order_id, account, contract, side, remaining, price, parent_id, group)

    def _set_order(
        self,
        order_id: Any,
        account: str,
        contract: Any,
        side: int,
        remaining: float,
        price: float,
        parent_id: int,
        group: str,
    ) -> None:
        had = self._orders.pop(order_id, None)
        if had is not None:
            had.line.remove(had)
        if remaining > 0:
            line = self.line(account, contract)
            number = order_id if isinstance(order_id, int) else 0
            self._orders[order_id] = entry = Entry(line, side, remaining, number, parent_id, group)
            line.add(entry, price)
        if had is not None and (had.order_id or had.parent_id):
            had.line.update()  # children count differently without it

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

    def forget(self, what: str) -> None:
        """It is no longer known: the session is over."""
        self.told.discard(what)


class BookView:
    """The book at the moment at which a request was added to it: for its policies. All numbers include the request.

    Attributes
    ----------
    position : float
        Held of the contract in the account. buy, sell : what may still be bought and sold of it.
    line_gross, notional : float
        Money in the contract at worst; money of this request. Infinite when unknown.
    account_open, account_worst, account_gross, account_spent, total_open, total_worst, total_gross : float
        See :class:`~ibwire.trade.exposure.Sums`.
    """

    __slots__ = (
        *("_book", "_entry", "_void", "account_gross", "account_open", "account_spent", "account_worst", "buy"),
        *("line_gross", "notional", "position", "request", "sell", "start_ns", "total_gross", "total_open"),
        "total_worst",
    )

    def __init__(self, book: Book, request: Request, now_ns: int) -> None:
        self._book = book
        self._entry: Entry | None = None
        self._void = False
        self.request = request
        self.start_ns = now_ns

    @property
    def quote(self) -> QuoteLike | None:
        """The newest quote of the contract, None while there is none."""
        return self._book.quotes.get(self.request.key)

    @property
    def only_reduces(self) -> bool:
        """Even with everything that is open on its side, it cannot turn the position round."""
        if self.request.side > 0:
            return self.position + self.buy <= 0
        return self.request.side < 0 and self.position - self.sell >= 0

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
        quote = self._book.quotes.get(request.key)
        worst = -1.0
        if price == price:
            worst = abs(price)
        if request.stop == request.stop and request.is_stop and abs(request.stop) > worst:
            worst = abs(request.stop)
        if quote is not None:
            near = quote.ask if request.side > 0 else quote.bid
            if near != near:
                near = quote.last
            if abs(near) > worst:
                worst = abs(near)
        return nan if worst < 0 else worst

    def _reserve(self) -> None:
        # The lock is held.
        request, book = self.request, self._book
        quantity = request.quantity
        line = book.lines.get((request.account, request.key))
        if line is None or line.unit == inf:
            line = book.line(request.account, request.contract, request.key)
        if request.before is not None:
            had = book._orders.get(request.order_id)
            more = quantity
            if had is not None and had.line is line and had.side == request.side:
                filled = max(0.0, float(request.before.totalQuantity or 0) - had.quantity)
                more = max(0.0, quantity - filled - had.quantity)
            quantity = more
        price = self._price()
        entry = Entry(line, request.side, quantity)
        order = request.order
        if order is not None:
            entry.parent_id, entry.group = order.parentId or 0, order.ocaGroup or ""
        notional = request.cash
        if notional == notional:
            notional *= book.rates.get(request.contract.currency, inf)
        if notional != notional:
            notional = abs(price) * line.unit * request.quantity
            if notional != notional:
                notional = inf
        line.add(entry, price)
        self._entry = entry
        self.notional = notional
        self.position, self.buy, self.sell = line.position, line.buy, line.sell
        self.line_gross = line.gross
        sums, total = line.sums, line.total
        self.account_open, self.account_worst, self.account_gross = sums.open, sums.worst, sums.gross
        self.account_spent = sums.spent + notional
        if notional < inf:
            sums.spent += notional
        self.total_open, self.total_worst, self.total_gross = total.open, total.worst, total.gross

    def _release(self) -> None:
        # The lock is held. Harmless twice.
        self._void = True
        entry = self._entry
        if entry is not None:
            self._entry = None
            entry.line.remove(entry)
            if self.notional < inf:
                entry.line.sums.spent = max(0.0, entry.line.sums.spent - self.notional)


class Gate:
    """Asks the policies in order; the first that does not allow decides.

    Parameters
    ----------
    policies : iterable of Policy
    clock_ns : callable
        Monotonic nanoseconds: verdicts are held to their budget with it.
    lock : context manager
        Held for microseconds, never while a policy looks. book : shares it.
    budget_ms : float
        Time for all policies together; a verdict that comes later refuses.
    on_cancel : callable
        ``(Cancel, Request | None)``: does what a policy's Cancel wants; called without the lock.
    knows : set of str
        What somebody tells the book (see :class:`Policy`); a policy that needs more is refused here, by name.

    Attributes
    ----------
    shut : str
        Why nothing that adds risk goes out; empty while open. Set and cleared by the kill switch.
    admitted, refused : int
        Counts.
    """

    def __init__(
        self,
        policies: Iterable[Policy] = (),
        *,
        clock_ns: Callable[[], int],
        lock: AbstractContextManager[Any],
        book: Book | None = None,
        budget_ms: float = 50.0,
        on_cancel: Callable[[Cancel, Request | None], object] | None = None,
        knows: Iterable[str] = ("orders", "positions", "values", "pnl", "quotes"),
    ) -> None:
        if not 0 < budget_ms < inf:
            raise ConfigError(f"budget_ms is {budget_ms!r}", hint="give milliseconds above 0")
        self.policies = tuple(policies)
        self.book = book or Book(lock)
        self.shut = ""
        self.admitted = self.refused = 0
        self._lock = lock
        self._clock_ns = clock_ns
        self._budget_ns = int(budget_ms * 1e6)
        self._on_cancel = on_cancel
        self._checks = tuple(_checked(policy, set(knows)) for policy in self.policies)
        self._open: list[BookView] = []  # whose policies are looking, oldest first

    @property
    def needs(self) -> frozenset[str]:
        """What the policies need to be told."""
        return frozenset(need for policy in self.policies for need in getattr(policy, "needs", ()))

    def admit(self, request: Request) -> BookView | None:
        """Let a request through, or raise. Then send it, and call :meth:`sent` or :meth:`not_sent`.

        Returns
        -------
        BookView or None
            What to give to those two; None where there are no policies.

        Raises
        ------
        RiskRejected : refused; names the policy. Nothing of the request stays in the book.
        """
        if self.shut and not request.closing:
            self.refused += 1
            raise RiskRejected(f"no new orders: {self.shut}", hint="release the kill switch by hand")
        if not self._checks or request.closing:
            self.admitted += 1
            return None
        now_ns = self._clock_ns()
        view = BookView(self.book, request, now_ns)
        looking = self._open
        allowed = 0
        verdict: Verdict = ALLOW
        try:
            with self._lock:
                if looking and looking[0].start_ns < now_ns - self._budget_ns:
                    self._drop_late(now_ns)
                if request.contract is not None:
                    view._reserve()
                else:
                    _blank(view)
                looking.append(view)
            for check in self._checks:
                verdict = check(request, view, now_ns)
                if verdict is not ALLOW:
                    if not isinstance(verdict, Allow):
                        break
                    verdict = ALLOW
                allowed += 1
        except Exception as error:  # a policy's own RiskRejected too
            raise self._refuse(view, allowed, f"{type(error).__name__}: {error}") from error
        except BaseException:  # Ctrl-C inside a policy: nothing was decided, so nothing goes
            self._refuse(view, allowed, "interrupted")
            raise
        if verdict is ALLOW:
            with self._lock:
                # Under the lock: whoever drops a late one and this caller agree on whether it was late.
                late_ns = self._clock_ns() - now_ns
                if not view._void and late_ns <= self._budget_ns:
                    looking.remove(view)
                    self.admitted += 1
                    return view
            limit = f"the verdict took {late_ns / 1e6:.1f} ms; it may take at most {self._budget_ns / 1e6:g} ms"
            raise self._refuse(view, allowed, limit)
        if isinstance(verdict, Cancel):
            refusal = self._refuse(view, allowed, verdict.reason)
            self.cancel(verdict, request)
            raise refusal
        if isinstance(verdict, Reject):
            raise self._refuse(view, allowed, verdict.reason)
        raise self._refuse(view, allowed, f"it answered {verdict!r}, which is no verdict")

    def sent(self, view: BookView | None, order_id: Any = None) -> None:
        """Its bytes may be out: it counts as an order from now on, until the book hears how it stands."""
        if view is None or view._entry is None:
            return
        with self._lock:
            entry, view._entry = view._entry, None
            if order_id is None:
                return  # what is no order is never heard of again: it goes on counting
            had = self.book._orders.get(order_id)
            if had is not None and had.line is entry.line and had.side == entry.side:
                entry.quantity += had.quantity
            if had is not None:
                had.line.entries.discard(had)
            entry.order_id = order_id if isinstance(order_id, int) else 0
            self.book._orders[order_id] = entry
            if had is not None:
                had.line.update()
                entry.line.update()

    def not_sent(self, view: BookView | None) -> None:
        """It was admitted, but not one byte of it left."""
        if view is not None:
            with self._lock:
                view._release()
            self._undo(view, len(self._checks))

    def cancel(self, verdict: Cancel, request: Request | None) -> None:
        """Do what a Cancel wants; with nobody to do it, at least nothing new goes out."""
        if self._on_cancel is not None:
            self._on_cancel(verdict, request)
        elif verdict.scope != "order":
            self.shut = self.shut or verdict.reason

    def watch(self, now_ns: int) -> None:
        """The book was told something: policies that watch may cancel, or shut the gate by rejecting."""
        for policy in self.policies:
            look = getattr(policy, "watch", None)
            if look is None:
                continue
            try:
                verdict = look(self.book, now_ns)
            except Exception as error:
                verdict = Reject(f"{policy.name} failed: {type(error).__name__}: {error}")
            if isinstance(verdict, Cancel):
                self.cancel(verdict, None)
            elif isinstance(verdict, Reject):
                self.shut = self.shut or f"{policy.name}: {verdict.reason}"

    def _drop_late(self, now_ns: int) -> None:
        # The lock is held. They can only be refused; what they hold is free for others.
        while self._open and self._open[0].start_ns < now_ns - self._budget_ns:
            self._open.pop(0)._release()

    def _refuse(self, view: BookView, allowed: int, reason: str) -> RiskRejected:
        # `allowed` policies allowed; the next one did not, unless there is none.
        with self._lock:
            view._release()
            if view in self._open:
                self._open.remove(view)
            self.refused += 1
        self._undo(view, allowed)
        return RiskRejected(reason, policy=self.policies[allowed].name if allowed < len(self.policies) else "")

    def _undo(self, view: BookView, allowed: int) -> None:
        for policy in self.policies[:allowed]:
            undo = getattr(policy, "undo", None)
            if undo is not None:
                try:
                    undo(view.request, view.start_ns)
                except Exception:  # it has allowed already: what it counts too much only refuses more
                    pass


def _blank(view: BookView) -> None:
    view.position = view.buy = view.sell = view.line_gross = view.notional = 0.0
    view.account_open = view.account_worst = view.account_gross = view.account_spent = 0.0
    view.total_open = view.total_worst = view.total_gross = 0.0


def _checked(policy: Any, knows: set[str]) -> Callable[[Request, BookView, int], Verdict]:
    check = getattr(policy, "check", None)
    if not callable(check) or not isinstance(getattr(policy, "name", None), str):
        raise ConfigError(f"{policy!r} is no policy", hint="a policy has a name and check(request, book, now_ns)")
    lacking = sorted(set(getattr(policy, "needs", ())) - knows)
    if lacking:
        raise ConfigError(f"{policy.name} needs {', '.join(lacking)}: untold here", hint="use ibwire.connect")
    found: Callable[[Request, BookView, int], Verdict] = check
    return found
