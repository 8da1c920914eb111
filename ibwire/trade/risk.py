"""The risk gate: nothing that can add risk goes round it, and whatever it cannot judge it refuses.

How two threads cannot both pass one limit, although no lock is held while policies look: a request's own exposure is
added to the book first, under the lock, and what the book then says is copied for its policies (a :class:`BookView`).
So of two requests the one that came second sees the first, whatever either's policies are doing. A request that is
refused, or whose verdict is late, is taken out again; one whose policies never return counts until its budget is over
(after that it can only be refused) and holds nobody but its caller.

Pure: the clock and the lock come in. :mod:`ibwire.trade.risk_policies` has policies that are ready to use.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from math import inf
from typing import Any, Final, Protocol

from ibwire.errors import ConfigError, RiskRejected
from ibwire.trade.risk_book import Book, BookView, QuoteLike
from ibwire.trade.risk_requests import Effect, Kind, Request, lowers_risk

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


class Policy(Protocol):
    """One rule. ``check`` may run in several threads at once, takes no lock of the gate, and must be quick.

    It may have more: ``needs``, names of what the book must be told (``orders``, ``positions``, ``values``, ``pnl``,
    ``quotes``); ``undo(request, now_ns)``, called when a request that it allowed is refused after all; and
    ``watch(book, now_ns) -> Verdict``, called when the book was told something.
    """

    @property
    def name(self) -> str: ...

    def check(self, request: Request, book: BookView, now_ns: int) -> Verdict: ...


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
        ``(Cancel, Request | None, policy)``: does what the Cancel of that policy wants; called without the lock.
    knows : set of str
        What somebody tells the book (see :class:`Policy`); a policy that needs more is refused here, by name.

    Attributes
    ----------
    shut : str
        Why nothing that adds risk goes out; empty while open. Set and cleared by the kill switch.
    refused : int
        How many were.
    """

    def __init__(
        self,
        policies: Iterable[Policy] = (),
        *,
        clock_ns: Callable[[], int],
        lock: AbstractContextManager[Any],
        book: Book | None = None,
        budget_ms: float = 50.0,
        on_cancel: Callable[[Cancel, Request | None, str], object] | None = None,
        knows: Iterable[str] = ("orders", "positions", "values", "pnl", "quotes"),
    ) -> None:
        if not 0 < budget_ms < inf:
            raise ConfigError(f"budget_ms is {budget_ms!r}", hint="give milliseconds above 0")
        self.policies = tuple(policies)
        self.book = book or Book(lock)
        self.shut = ""
        self.refused = self._asked = 0
        self._lock = lock
        self._clock_ns = clock_ns
        self._budget_ns = int(budget_ms * 1e6)
        self._on_cancel = on_cancel
        self._checks = tuple(_checked(policy, set(knows)) for policy in self.policies)
        self._open: list[BookView] = []  # whose policies are looking, oldest first

    @property
    def admitted(self) -> int:
        """How many were not refused."""
        return self._asked - self.refused

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
            self._asked, self.refused = self._asked + 1, self.refused + 1
            raise RiskRejected(f"no new orders: {self.shut}", hint="release the kill switch by hand")
        if not self._checks or request.closing:
            self._asked += 1
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
                    view._blank()
                looking.append(view)
                self._asked += 1
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
            late_ns = self._clock_ns() - now_ns
            if late_ns <= self._budget_ns:
                try:
                    looking.remove(view)  # atomic: either this or whoever drops the late ones finds it there
                except ValueError:
                    pass
                else:
                    return view
            limit = f"the verdict took {late_ns / 1e6:.1f} ms; it may take at most {self._budget_ns / 1e6:g} ms"
            raise self._refuse(view, allowed, limit)
        if isinstance(verdict, Cancel):
            refusal = self._refuse(view, allowed, verdict.reason)
            self.cancel(verdict, request, self.policies[allowed].name)
            raise refusal
        if isinstance(verdict, Reject):
            raise self._refuse(view, allowed, verdict.reason)
        raise self._refuse(view, allowed, f"it answered {verdict!r}, which is no verdict")

    def sent(self, view: BookView | None, order_id: Any = None) -> None:
        """Its bytes may be out: it counts as an order from now on, until the book hears how it stands."""
        if view is None:
            return
        with self._lock:
            made, view._entries = list(view._entries), ()
            if order_id is None or not made:
                return  # what is no order is never heard of again: it goes on counting
            orders = self.book._orders
            had = orders.get(order_id, [])
            for entry in made:
                entry.order_id = order_id if isinstance(order_id, int) else 0
                for one in had:
                    if one.line is entry.line and one.side == entry.side:
                        alone = not (entry.group or entry.is_exit or one.group or one.is_exit)
                        if one.group != entry.group or one.is_exit != entry.is_exit:
                            entry.group, entry.is_exit = "", False  # until it is answered it may be in neither
                        entry.quantity = entry.quantity + one.quantity if alone else max(entry.quantity, one.quantity)
                        if entry.price != entry.price:
                            entry.price = one.price
            orders[order_id] = made
            if had:
                for one in had:
                    one.line.entries.discard(one)
                for one in (*had, *made):
                    one.line.update()

    def not_sent(self, view: BookView | None) -> None:
        """It was admitted, but not one byte of it left."""
        if view is not None:
            with self._lock:
                view._release()
            self._undo(view, len(self._checks))

    def cancel(self, verdict: Cancel, request: Request | None, policy: str) -> None:
        """Do what a policy's Cancel wants; with nobody to do it, at least nothing new goes out."""
        if self._on_cancel is not None:
            self._on_cancel(verdict, request, policy)
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
                self.cancel(verdict, None, policy.name)
            elif isinstance(verdict, Reject):
                self.shut = self.shut or f"{policy.name}: {verdict.reason}"

    def _drop_late(self, now_ns: int) -> None:
        # The lock is held. They can only be refused; what they hold is free for others.
        for view in list(self._open):
            if view.start_ns < now_ns - self._budget_ns:
                try:
                    self._open.remove(view)
                except ValueError:  # its verdict came at this moment, in time
                    continue
                view._release()

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


def _checked(policy: Any, knows: set[str]) -> Callable[[Request, BookView, int], Verdict]:
    check = getattr(policy, "check", None)
    if isinstance(policy, type):
        raise ConfigError(f"{policy.__name__} is a class", hint=f"make one: {policy.__name__}(...)")
    if not callable(check) or not isinstance(getattr(policy, "name", None), str):
        raise ConfigError(f"{policy!r} is no policy", hint="a policy has a name and check(request, book, now_ns)")
    lacking = sorted(set(getattr(policy, "needs", ())) - knows)
    if lacking:
        raise ConfigError(f"{policy.name} needs {', '.join(lacking)}: untold here", hint="use ibwire.connect")
    found: Callable[[Request, BookView, int], Verdict] = check
    return found
