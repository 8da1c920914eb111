"""Policies that are ready to use. Each is one small object; limits are included (a quantity equal to it passes).

Limits hold to one part in 10**9: numbers are doubles. Whatever a policy cannot know refuses, unless it says otherwise.
"""

from __future__ import annotations

import importlib
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from math import inf, nan
from typing import Any, Final

from ibwire.errors import ConfigError
from ibwire.trade.risk import ALLOW, Book, BookView, Cancel, Kind, QuoteLike, Reject, Request, Verdict

__all__ = [
    "AllowedAccounts",
    "AllowedExchanges",
    "AllowedOrderTypes",
    "AllowedSecTypes",
    "BuyingPower",
    "DailyLoss",
    "DuplicateOrder",
    "FlatOnLoss",
    "MarginCushion",
    "MarketHours",
    "MaxNotional",
    "MaxPosition",
    "MaxQuantity",
    "OrderRate",
    "PaperOnly",
    "PriceBand",
    "ReadOnly",
]

_SCOPES: Final = ("order", "contract", "account", "total")
_SECOND_NS: Final = 1_000_000_000
_NO_ACCOUNT: Final = "it is not known which account it would use"
_HOURS_MODULE: Final = "exchange_calendars"


def _limit(name: str, value: float) -> float:
    try:
        number = nan if isinstance(value, str | bool) else float(value)
    except (TypeError, ValueError, OverflowError):
        number = nan
    if not 0 <= number < inf:
        raise ConfigError(f"{name} is {value!r}", hint="give a finite number, 0 or more")
    return number * (1 + 1e-9)


def _scope(name: str, scope: str, scopes: tuple[str, ...]) -> str:
    if scope not in scopes:
        raise ConfigError(f"{name} has no scope {scope!r}", hint=f"say {', '.join(scopes)}")
    return scope


class MaxQuantity:
    """At most so much: in one order, or open (orders that may fill) per contract and account, account, or in total.

    Parameters
    ----------
    limit : float
        In units of the contract. scope : ``order``, ``contract``, ``account`` or ``total``.
    """

    name = "max quantity"

    def __init__(self, limit: float, scope: str = "order") -> None:
        self.limit = _limit("limit", limit)
        self.scope = _scope(self.name, scope, _SCOPES)
        self.needs = () if scope == "order" else ("orders",)

    def check(self, request: Request, book: BookView, now_ns: int) -> Verdict:
        scope = self.scope
        if scope == "order":
            found = request.quantity
            if request.is_combo:
                found = max(part.quantity for part in book.parts)
        elif "orders" not in book.told:
            return Reject("open orders are not known yet")
        elif scope != "total" and not request.account and request.contract is not None:
            return Reject(_NO_ACCOUNT)
        elif scope == "contract":
            if request.contract is not None and not request.is_qualified:
                return Reject("the contract has no conId: what is open of it is not known")
            found = max(part.buy + part.sell for part in book.parts)
        elif scope == "account":
            found = book.account_open
        else:
            found = book.total_open
        if found <= self.limit:
            return ALLOW
        return Reject(f"a quantity of {found:g} ({scope}) is above {self.limit:g}")


class MaxNotional:
    """At most so much money: of one order, or of positions and open orders at worst.

    Parameters
    ----------
    limit : float
        In the base currency of the book. scope : ``order``, ``contract``, ``account`` or ``total``.

    Notes
    -----
    A price that nobody knows (without a quote: of whatever sells, and of a buy without a limit), a multiplier or a
    currency without a rate make money infinite, which refuses. Positions count at their last fill or average cost.
    """

    name = "max notional"

    def __init__(self, limit: float, scope: str = "order") -> None:
        self.limit = _limit("limit", limit)
        self.scope = _scope(self.name, scope, _SCOPES)
        self.needs = ("quotes",) if scope == "order" else ("orders", "positions", "quotes")

    def check(self, request: Request, book: BookView, now_ns: int) -> Verdict:
        scope = self.scope
        if scope == "order":
            found = book.notional
        elif blind := book.blind:
            return Reject(blind)
        elif scope == "contract":
            found = book.line_gross
        elif scope == "account":
            found = book.account_gross
        else:
            found = book.total_gross
        if (found <= self.limit and book.notional < inf) or (scope != "order" and book.only_reduces):
            return ALLOW
        if found == inf or book.notional == inf:
            return Reject("its worth is unknown: no price, no multiplier or no rate for its currency")
        return Reject(f"a worth of {found:.2f} ({scope}) is above {self.limit:g}")


class MaxPosition:
    """At most such a position, long or short, if everything that is open fills.

    Parameters
    ----------
    limit : float
        In units. scope : ``contract`` (in one account), ``account`` or ``total`` (sums over contracts of the larger
        side of each).
    """

    name = "max position"
    needs = ("orders", "positions")

    def __init__(self, limit: float, scope: str = "contract") -> None:
        self.limit = _limit("limit", limit)
        self.scope = _scope(self.name, scope, _SCOPES[1:])

    def check(self, request: Request, book: BookView, now_ns: int) -> Verdict:
        if blind := book.blind:
            return Reject(blind)
        scope = self.scope
        if scope == "contract":
            # Only the side that the request is on: one that makes too large a position smaller is welcome.
            found = book.worst
        else:
            found = book.account_worst if scope == "account" else book.total_worst
            if book.only_reduces:
                return ALLOW
        if found <= self.limit:
            return ALLOW
        return Reject(f"a position of {found:g} ({scope}) is above {self.limit:g}")


class PriceBand:
    """Limits stay near the market, and the market is known.

    Parameters
    ----------
    fraction : float
        How far a limit may be on the costly side of the quote: 0.02 is 2 %. A buy far below the market costs nothing.
        A stop-limit is measured from its trigger; one that waits for a better price (LIT) from that or the market,
        whichever is stricter.
    max_age_ms : float
        An older quote is no quote, and neither is a delayed one. without_quote : ``reject`` or ``allow``.
    """

    name = "price band"
    needs = ("quotes",)

    def __init__(self, fraction: float, max_age_ms: float = 5000.0, without_quote: str = "reject") -> None:
        self.fraction = _limit("fraction", fraction)
        self._max_age_ns = int(_limit("max_age_ms", max_age_ms) * 1e6)
        self._allow_blind = _scope("without_quote", without_quote, ("reject", "allow")) == "allow"

    def check(self, request: Request, book: BookView, now_ns: int) -> Verdict:
        if request.order is None:
            return ALLOW
        quote = book.quote
        why, middle = "there is no quote of this contract", nan
        if quote is not None:
            if now_ns - quote.recv_ns > self._max_age_ns:
                why = f"the last quote is {(now_ns - quote.recv_ns) / 1e6:.0f} ms old"
            elif getattr(quote, "delayed", False):
                why = "the quotes of this contract are delayed: where the market is now is not known"
            else:
                why, middle = "the quote of this contract has no price", _middle(quote)
        if middle != middle:
            return ALLOW if self._allow_blind else Reject(why)
        price, side = request.price, request.side
        if price != price:
            return ALLOW  # no limit to measure; the market is known
        stop = request.stop
        if stop == stop and request.order_type == "LIT":  # already touched, it is a limit order at the market
            middle = min(middle, stop) if side > 0 else max(middle, stop)
        elif stop == stop and request.is_stop:
            middle = stop
        room = abs(middle) * self.fraction
        is_dear, is_cheap = price > middle + room, price < middle - room
        if not (is_dear if side > 0 else is_cheap if side < 0 else is_dear or is_cheap):
            return ALLOW
        return Reject(f"a limit of {price:g} is more than {self.fraction:.3g} from {middle:g}")


def _middle(quote: QuoteLike) -> float:
    """Where the market is; NaN when the quote does not say."""
    bid = nan if quote.bid == 0 and not getattr(quote, "bid_size", inf) > 0 else quote.bid
    ask = nan if quote.ask == 0 and not getattr(quote, "ask_size", inf) > 0 else quote.ask
    if bid == bid and ask == ask:
        return (bid + ask) / 2
    return quote.last if quote.last == quote.last else bid if bid == bid else ask


class OrderRate:
    """At most ``limit`` orders and modifies in any ``per_ms``. Put it last: what is refused after it counts."""

    name = "order rate"

    def __init__(self, limit: int, per_ms: float = 1000.0) -> None:
        if not isinstance(limit, int) or isinstance(limit, bool) or limit < 1:
            raise ConfigError(f"limit is {limit!r}", hint="give a whole number above 0")
        self.limit = limit
        if not per_ms:
            raise ConfigError("per_ms is 0: that is no limit", hint="give milliseconds above 0")
        self._window_ns = int(_limit("per_ms", per_ms) * 1e6)
        # Slots, oldest use first. Taking one is atomic: two threads never judge by the same.
        self._slots: deque[int] = deque([-(1 << 62)] * limit)

    def check(self, request: Request, book: BookView, now_ns: int) -> Verdict:
        slots = self._slots
        try:
            used_ns = slots.popleft()
        except IndexError:  # other threads have every slot in hand at this moment
            return Reject(f"more than {self.limit} orders in {self._window_ns / 1e6:g} ms")
        if now_ns - used_ns >= self._window_ns:
            slots.append(now_ns)
            return ALLOW
        slots.appendleft(used_ns)
        return Reject(f"more than {self.limit} orders in {self._window_ns / 1e6:g} ms")

    def undo(self, request: Request, now_ns: int) -> None:
        """It was not sent after all."""
        try:
            self._slots.remove(now_ns)
        except ValueError:
            return
        self._slots.appendleft(-(1 << 62))


class DuplicateOrder:
    """The same new order (account, contract, side, quantity, type, prices) not twice within ``window_ms``."""

    name = "duplicate order"

    def __init__(self, window_ms: float = 1000.0) -> None:
        self._window_ns = int(_limit("window_ms", window_ms) * 1e6)
        self._seen: dict[tuple[Any, ...], list[int]] = {}
        self._sweep_at = 1024

    def check(self, request: Request, book: BookView, now_ns: int) -> Verdict:
        if request.kind is not Kind.PLACE:
            return ALLOW
        mark, mine = _mark(request), [now_ns]
        found = mine
        for _ in range(3):
            # setdefault is atomic: of two threads with the same order one finds the other's.
            found = self._seen.setdefault(mark, mine)
            if found is mine:
                if len(self._seen) > self._sweep_at:
                    self._sweep(now_ns)
                return ALLOW
            if now_ns - found[0] < self._window_ns:
                break
            self._seen.pop(mark, None)  # an old one, or another thread's fresh one: then the next turn finds none
            if self._seen.setdefault(mark, mine) is mine:
                return ALLOW
        return Reject(f"the same order went out {(now_ns - found[0]) / 1e6:.0f} ms ago")

    def undo(self, request: Request, now_ns: int) -> None:
        """It was not sent after all."""
        found = self._seen.get(_mark(request))
        if found is not None and found[0] == now_ns:
            self._seen.pop(_mark(request), None)

    def _sweep(self, now_ns: int) -> None:
        for mark, found in list(self._seen.items()):
            if now_ns - found[0] >= self._window_ns and self._seen.get(mark) is found:
                self._seen.pop(mark, None)
        self._sweep_at = max(1024, 2 * len(self._seen))


def _mark(request: Request) -> tuple[Any, ...]:
    order = request.order
    more = (order.ocaGroup, order.parentId, order.orderRef) if order is not None else ()
    # repr: NaN is equal to itself there.
    prices = (repr(request.price), repr(request.stop))
    return (request.account, request.key, request.side, request.quantity, request.order_type, *prices, *more)


class _ByValue:
    """A policy on a value of the account that must be known and fresh."""

    needs: tuple[str, ...] = ("values", "orders", "positions", "quotes")

    def __init__(self, max_age_s: float) -> None:
        self._max_age_ns = int(_limit("max_age_s", max_age_s) * _SECOND_NS)

    def _known(self, found: tuple[float, int], what: str, now_ns: int) -> Reject | None:
        value, told_ns = found
        if value != value:
            return Reject(f"{what} of this account is not known")
        if now_ns - told_ns > self._max_age_ns:
            return Reject(f"{what} of this account is {(now_ns - told_ns) / _SECOND_NS:.0f} s old")
        return None


class BuyingPower(_ByValue):
    """There is money for it: its worth and that of all orders since the gateway last told, beside ``keep``.

    Orders that can only make a position smaller pass. The gateway tells the value every three minutes.
    """

    name = "buying power"

    def __init__(self, keep: float = 0.0, tag: str = "BuyingPower", max_age_s: float = 600.0) -> None:
        super().__init__(max_age_s)
        _limit("keep", keep)
        self.keep = float(keep)
        self.tag = tag

    def check(self, request: Request, book: BookView, now_ns: int) -> Verdict:
        if book.only_reduces and not book.blind:
            return ALLOW
        found = book.value(self.tag)
        if (unknown := self._known(found, self.tag, now_ns)) is not None:
            return unknown
        if book.account_spent + self.keep <= found[0]:
            return ALLOW
        return Reject(f"orders worth {book.account_spent:.2f} beside {self.keep:g} are more than {found[0]:.2f}")


class MarginCushion(_ByValue):
    """Excess liquidity stays at least this part of net liquidation; orders that only reduce a position pass."""

    name = "margin cushion"

    def __init__(self, minimum: float = 0.1, max_age_s: float = 600.0) -> None:
        super().__init__(max_age_s)
        if _limit("minimum", minimum) >= 1:
            raise ConfigError(f"minimum is {minimum!r}", hint="give a part from 0 to 1, such as 0.1")
        self.minimum = float(minimum)

    def check(self, request: Request, book: BookView, now_ns: int) -> Verdict:
        if book.only_reduces and not book.blind:
            return ALLOW
        excess, whole = book.value("ExcessLiquidity"), book.value("NetLiquidation")
        for found, what in ((excess, "ExcessLiquidity"), (whole, "NetLiquidation")):
            if (unknown := self._known(found, what, now_ns)) is not None:
                return unknown
        if whole[0] > 0 and excess[0] / whole[0] >= self.minimum:
            return ALLOW
        return Reject(f"the margin cushion is {excess[0]:g} of {whole[0]:g}, below {self.minimum:g}")


class DailyLoss:
    """Stop when an account has lost ``limit`` today. What happens then: the kill switch, scope ``mine``.

    It looks at every order and whenever the gateway tells a new figure. Once hit it stays so until :meth:`reset`.

    Parameters
    ----------
    limit : float
        Loss in the account's currency, above 0. max_age_s : an older figure is none.
    """

    name = "daily loss"
    needs: tuple[str, ...] = ("pnl",)
    flatten = False

    def __init__(self, limit: float, max_age_s: float = 60.0) -> None:
        _limit("limit", limit)
        self.limit = float(limit)
        if not self.limit:
            raise ConfigError("limit is 0", hint="give a loss above 0")
        self._max_age_ns = int(_limit("max_age_s", max_age_s) * _SECOND_NS)
        self._hit: dict[str, str] = {}

    def check(self, request: Request, book: BookView, now_ns: int) -> Verdict:
        if (why := self._hit.get(request.account)) is not None:
            return Reject(why)
        daily, told_ns = book.pnl()
        if daily != daily:
            return Reject("profit and loss of the day is not known")
        if now_ns - told_ns > self._max_age_ns:
            return Reject(f"profit and loss of the day is {(now_ns - told_ns) / _SECOND_NS:.0f} s old")
        return ALLOW if daily > -self.limit else self._stop(request.account, daily)

    def watch(self, book: Book, now_ns: int) -> Verdict:
        """Look at every account."""
        for account, (daily, _) in list(book.pnl.items()):
            if daily <= -self.limit and account not in self._hit:
                return self._stop(account, daily)
        return ALLOW

    def reset(self) -> None:
        """A new day, or a decision: it starts anew. The kill switch is released apart from this."""
        self._hit.clear()

    def _stop(self, account: str, daily: float) -> Cancel:
        self._hit[account] = why = f"the day's loss of {-daily:.2f} has reached {self.limit:g}"
        return Cancel(why, "mine", self.flatten)


class FlatOnLoss(DailyLoss):
    """As :class:`DailyLoss`, and then the positions of this client's accounts are closed at the market.

    Nothing else in ibwire trades on its own; this does, because it was put here.
    """

    name = "flat on loss"
    needs = ("pnl", "orders", "positions")
    flatten = True


class _Allowed:
    """One of some texts."""

    name = "allowed"
    _what = ""

    def __init__(self, *allowed: str) -> None:
        if not allowed or not all(isinstance(one, str) and one for one in allowed):
            raise ConfigError(f"{type(self).__name__} without names", hint="name at least one")
        self.allowed = frozenset(allowed)

    def _look(self, found: str) -> Verdict:
        if found in self.allowed:
            return ALLOW
        return Reject(f"{self._what} {found!r} is not among {', '.join(sorted(self.allowed))}")


class AllowedAccounts(_Allowed):
    """Only these accounts. An order that names none, of a login with several, is refused; allocations too."""

    name = "allowed accounts"
    _what = "account"

    def check(self, request: Request, book: BookView, now_ns: int) -> Verdict:
        order = request.order
        if order is not None and (order.faGroup or order.modelCode):
            return Reject("an allocation to several accounts cannot be judged")
        return self._look(request.account)


class AllowedExchanges(_Allowed):
    """Only orders routed to these, and listed there where the contract says so."""

    name = "allowed exchanges"
    _what = "exchange"

    def check(self, request: Request, book: BookView, now_ns: int) -> Verdict:
        return ALLOW if request.contract is None else self._look(request.contract.exchange)


class AllowedSecTypes(_Allowed):
    """Only contracts of these types: STK, OPT, FUT, ..."""

    name = "allowed security types"
    _what = "security type"

    def check(self, request: Request, book: BookView, now_ns: int) -> Verdict:
        return ALLOW if request.contract is None else self._look(request.contract.secType)


class AllowedOrderTypes(_Allowed):
    """Only orders of these types: LMT, MKT, STP, ..."""

    name = "allowed order types"
    _what = "order type"

    def check(self, request: Request, book: BookView, now_ns: int) -> Verdict:
        return ALLOW if request.order is None else self._look(request.order_type)


class PaperOnly:
    """Only paper accounts, which begin with D."""

    name = "paper only"

    def check(self, request: Request, book: BookView, now_ns: int) -> Verdict:
        if request.account.startswith("D"):
            return ALLOW
        return Reject("the account is a live one" if request.account else "it is not known which account it would use")


class ReadOnly:
    """Nothing that can add risk."""

    name = "read only"

    def check(self, request: Request, book: BookView, now_ns: int) -> Verdict:
        return Reject("this client only reads")


class MarketHours:
    """Only while the exchange is open. Needs the extra ``ibwire[hours]`` (exchange_calendars), loaded when made.

    Parameters
    ----------
    calendars : mapping of str to str
        Exchange (the contract's primaryExchange, else its exchange) -> calendar, such as ``{"NASDAQ": "XNYS"}``. The
        key ``*`` is for every other; without it an exchange that is not named is refused.
    wall_ns : callable
        Nanoseconds since 1970 UTC, such as ``time.time_ns``.
    """

    name = "market hours"

    def __init__(self, calendars: Mapping[str, str], wall_ns: Callable[[], int]) -> None:
        try:
            module = importlib.import_module(_HOURS_MODULE)
        except ImportError as error:
            raise ConfigError("market hours need exchange_calendars", hint="pip install ibwire[hours]") from error
        names: Iterable[str] = set(calendars.values())
        try:
            made = {name: module.get_calendar(name) for name in names}
        except Exception as error:
            raise ConfigError(f"no such calendar: {error}", hint="see its get_calendar_names()") from error
        self._by_exchange = {exchange: made[name] for exchange, name in calendars.items()}
        self._wall_ns = wall_ns

    def check(self, request: Request, book: BookView, now_ns: int) -> Verdict:
        contract = request.contract
        if contract is None:
            return ALLOW
        exchange = contract.primaryExchange or contract.exchange
        calendar = self._by_exchange.get(exchange, self._by_exchange.get("*"))
        if calendar is None:
            return Reject(f"nobody knows the hours of {exchange}")
        minute = datetime.fromtimestamp(self._wall_ns() // _SECOND_NS, UTC).replace(second=0)
        if calendar.is_open_on_minute(minute):
            return ALLOW
        return Reject(f"{exchange} is closed")
