"""What became of a modify. There is no status for it on the wire: the terms that come back are the answer."""

from __future__ import annotations

import copy
import difflib
from dataclasses import MISSING, fields
from decimal import Decimal
from enum import Enum
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Final

from ibwire.errors import ConfigError, PacingError
from ibwire.spec.errorcodes import OrderEffect, order_effect
from ibwire.spec.orderstates import DEADLINE_MS, Flag, State
from ibwire.trade.executions import known
from ibwire.trade.view import OrderEvent
from ibwire.types.structs import Contract, Order, SoftDollarTier

if TYPE_CHECKING:
    from ibwire.client.order_track import OrderTrack

__all__ = ["Modify", "ModifyOutcome", "ModifyPending", "changed_order", "copied"]

_FILLED_ALREADY: Final = 104
# What the gateway does not report, or reports as it likes; and what is ours to set.
_NOT_TERMS: Final = frozenset(
    {"orderId", "clientId", "permId", "parentPermId", "transmit", "whatIf", "overridePercentageConstraints"}
)
_PLAIN: Final = (str, int, float, Decimal, type(None))
_NAMES: Final = tuple(field.name for field in fields(Order))
_HOLDS: Final = {
    kind: tuple(f.name for f in fields(kind) if f.default_factory is not MISSING or f.name == "deltaNeutralContract")
    for kind in (Contract, Order)
}
"""Fields that hold something that can be changed in place."""
_VALUES: Final = {kind: attrgetter(*(f.name for f in fields(kind))) for kind in (Contract, Order, SoftDollarTier)}
_ANSWER_NS: Final = DEADLINE_MS[State.MODIFY_REQUESTED] * 1_000_000


class ModifyOutcome(Enum):
    """What is known of a modify that was sent."""

    ACCEPTED = "accepted"  # the gateway reports the new terms
    REFUSED = "refused"  # the order goes on with its old terms
    TOO_LATE = "too late"  # the order had ended
    UNKNOWN = "unknown"  # no answer in time, or the order is uncertain; what comes later may still settle it


class ModifyPending(PacingError):
    """The modify before has no outcome yet, or the order itself is uncertain. Nothing was sent."""


class Modify:
    """One modify on its way. Any thread.

    Attributes
    ----------
    order : OrderHandle
        The order.
    wanted : Order
        The terms that were sent.
    changes : dict
        What is new in them.
    code, text : int, str
        The gateway's reason, where it gave one.
    event : OrderEvent or None
        What decided it.
    """

    def __init__(self, track: OrderTrack, before: Order, wanted: Order, now_ns: int) -> None:
        self.order, self.before, self.wanted = track.handle, before, wanted
        self._track = track
        self.changes = {n: getattr(wanted, n) for n in _NAMES if not _same(getattr(before, n), getattr(wanted, n))}
        self.code, self.text = 0, ""
        self.event: OrderEvent | None = None
        self.due_ns = now_ns + _ANSWER_NS
        # What is taken back to "not set" is the gateway's to choose.
        self._terms = [n for n, value in self.changes.items() if n not in _NOT_TERMS and value not in (None, "")]
        self._outcome: ModifyOutcome | None = None
        self._reported = ""  # how the reported terms differ, while they do

    @property
    def outcome(self) -> ModifyOutcome | None:
        """What is known now; None while nothing is. ``UNKNOWN`` may still become another, no other does."""
        return self._outcome

    @property
    def is_settled(self) -> bool:
        """Accepted, refused or too late: it stays so."""
        return self._outcome not in (None, ModifyOutcome.UNKNOWN)

    @property
    def is_in_force(self) -> bool:
        """Not known to have come to nothing: it was accepted, or may be yet, and no other terms are reported."""
        if self._outcome is ModifyOutcome.UNKNOWN:
            return not self._reported
        return self._outcome in (None, ModifyOutcome.ACCEPTED)

    def wait(self, timeout: float | None = None, *, raise_on_timeout: bool = False) -> Modify:
        """Wait for an outcome; returns this modify. A time-out is none: ``outcome`` is still None then.

        Parameters
        ----------
        timeout : float, optional
            Seconds; by default the client's ``timeout_s``.
        raise_on_timeout : bool
            Raise WaitTimeout instead.

        Raises
        ------
        SessionLost : the connection was lost before there was an outcome.
        """
        core = self._track._core
        what = f"the modify of order {self.order.order_id} has no outcome"
        core.await_order(lambda: self._outcome is not None, self.order, what, timeout, raise_on_timeout)
        return self

    def __repr__(self) -> str:
        outcome = "pending" if self._outcome is None else self._outcome.value
        reason = f" {self.code} {self.text}" if self.code else f" {self.text}" if self.text else ""
        return f"<Modify of order {self.order.order_id} {self.changes} {outcome}{reason}>"

    # -- the client's thread; its lock is held -------------------------------------------------------------------------

    def on_event(self, event: OrderEvent, was_open: bool) -> None:
        """Something happened to the order; `was_open`: the machine had a modify to be answered before it."""
        order = self._track
        if self.is_settled:
            return
        if event.kind == "error" and self._is_refusal(event, was_open):
            text = next((text for code, text in reversed(order.notes) if code == event.code), "")
            late = event.code == _FILLED_ALREADY or order.is_done or "filled" in text.lower()  # 201 may say so too
            self._settle(ModifyOutcome.TOO_LATE if late else ModifyOutcome.REFUSED, event, event.code, text)
        elif event.order_state in (State.CANCELLED, State.EXPIRED, State.REJECTED):
            self._settle(ModifyOutcome.TOO_LATE, event, 0, f"the order is {event.order_state.label}")
        elif event.order_state is State.UNCERTAIN and self._outcome is None:
            self._settle(ModifyOutcome.UNKNOWN, event, 0, "the order is uncertain")

    def _is_refusal(self, event: OrderEvent, was_open: bool) -> bool:
        if was_open and not self._track.has(Flag.MODIFY_OPEN):
            return True
        # Terms that the machine does not compare: it may hold the modify for answered already.
        return not was_open and order_effect(event.code) in (OrderEffect.MODIFY_REFUSED, OrderEffect.REFUSED)

    def on_terms(self, reported: Order) -> None:
        """An openOrder: the terms in force."""
        if self.is_settled:
            return
        other = [n for n in self._terms if not _same(getattr(self.wanted, n), getattr(reported, n))]
        if other:
            self._reported = "the gateway reports " + ", ".join(f"{n} {getattr(reported, n)}" for n in other)
            if self._outcome is ModifyOutcome.UNKNOWN:
                self.text = self._reported
        else:
            self._settle(ModifyOutcome.ACCEPTED, self._track.events[-1] if self._track.events else None, 0, "")

    def on_due(self) -> None:
        """It was not answered in time."""
        if self._outcome is None:
            text = self._reported or "not answered in time"
            if self._track.is_filled:
                text = "the order is filled; under which terms was not told"
            self._settle(ModifyOutcome.UNKNOWN, None, 0, text)

    def _settle(self, outcome: ModifyOutcome, event: OrderEvent | None, code: int, text: str) -> None:
        self._outcome, self.event, self.code, self.text = outcome, event, code, text


def copied(made: Any) -> Any:
    """A copy of a contract or an order that shares nothing that can be changed."""
    values = _VALUES.get(type(made))
    if values is None:
        return copy.deepcopy(made)
    found = type(made)(*values(made))
    for name in _HOLDS.get(type(made), ()):
        value = getattr(made, name)
        if isinstance(value, list):
            setattr(found, name, copy.deepcopy(value) if value else [])
        elif value is not None:
            setattr(found, name, copied(value))
    return found


def changed_order(order: Order, changes: dict[str, Any]) -> Order:
    """A copy with other terms; a name that is no field of an order is a ConfigError."""
    wanted: Order = copied(order)
    for name, value in changes.items():
        if name not in _NAMES:
            near = difflib.get_close_matches(name, _NAMES, 1, 0.5)
            raise ConfigError(f"an order has no {name!r}", hint=f"did you mean {near[0]}?" if near else "see Order")
        if name in ("orderId", "clientId", "permId"):
            raise ConfigError(f"{name} cannot be modified")
        setattr(wanted, name, value)
    return wanted


def _same(one: Any, other: Any) -> bool:
    """Whether two values mean the same: numbers by value, every spelling of "not set" alike."""
    if one == other:
        return True
    if isinstance(one, bool) or isinstance(other, bool):
        return bool(one) == bool(other)
    if not isinstance(one, _PLAIN) or not isinstance(other, _PLAIN):
        return not one and not other
    left, right = known(one), known(other)
    if left is not None or right is not None:
        return left == right
    # Neither is a number: texts, or sentinels that mean "not set".
    return not (isinstance(one, str) and one) and not (isinstance(other, str) and other)
