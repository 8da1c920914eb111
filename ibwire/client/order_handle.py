"""One order of a client: to look at, to wait for, to modify and to cancel."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final, Self

from ibwire.client.modifying import copied
from ibwire.client.order_now import OrderNow, present
from ibwire.client.order_track import OrderTrack, Turn, TurningPoint
from ibwire.errors import ConfigError
from ibwire.spec.orderstates import State
from ibwire.trade.executions import Fill
from ibwire.trade.view import OrderEvent, OrderView, Standing, plain

if TYPE_CHECKING:
    from ibwire.client.core import Core
    from ibwire.client.modifying import Modify
    from ibwire.types.structs import Order

__all__ = ["OrderHandle", "Turn", "TurningPoint"]


def _acknowledged(now: OrderNow) -> bool:
    return now.answered or now.seen_live or now.is_done or now.problem_code != 0


def _live(now: OrderNow) -> bool:
    return now.is_live or now.is_done


def _done(now: OrderNow) -> bool:
    return now.is_done


_CONDITIONS: Final[dict[str, Callable[[OrderNow], bool]]] = {
    "acknowledged": _acknowledged,
    "live": _live,
    "done": _done,
}


class OrderHandle(Standing):
    """An order to look at and to wait for. Any thread.

    What it *is* (``state``, ``wire_status``, ``is_live``, ``filled`` and the like) is read from the order table that
    the receiving thread keeps: it is up to date even while the client's own thread cannot run. Two attributes are two
    readings; :attr:`now` is one. What *happened* to it (``events``, ``critical``, ``executions``, fees, terms) is told
    by the client's thread, in order, and may be a moment behind.
    """

    __slots__ = ("__weakref__", "_first")

    def __init__(self, track: OrderTrack) -> None:
        self._first = track

    @property
    def _track(self) -> OrderTrack:
        track = self._first
        while track.became is not None:  # it was held under its permId, and turned out to be another
            assert isinstance(track.became, OrderTrack)
            track = self._first = track.became
        return track

    @property
    def _core(self) -> Core:
        return self._track._core

    # -- how it stands -------------------------------------------------------------------------------------------------

    @property
    def now(self) -> OrderNow:
        """How it stands, all of one moment."""
        return present(self._track)

    @property
    def state(self) -> State:
        """Our view of it."""
        return self.now.state

    @property
    def wire_status(self) -> str:
        """The last status text of the gateway; empty while none came."""
        return self.now.wire_status

    @property
    def flags(self) -> int:
        """What it remembers, bits of :class:`~ibwire.spec.orderstates.Flag`."""
        return self.now.flags

    @property
    def certain(self) -> State:
        """The last state that was not uncertain."""
        return self.now.certain

    @property
    def meaning(self) -> str:
        """The state in one plain sentence; where the last wire status says more, in its sentence."""
        return self.now.meaning

    @property
    def perm_id(self) -> int:
        """The account-wide id, 0 until known."""
        return self.now.perm_id

    @property
    def parent_id(self) -> int:
        """Order id of the parent; 0: none."""
        return self.now.parent_id

    @property
    def due_ns(self) -> int:
        """When its state has lasted too long without an answer, monotonic; 0 while nothing is awaited."""
        return self.now.due_ns

    @property
    def filled(self) -> Decimal:
        """Executed quantity. Executions are the truth; a status that names more counts until they come."""
        return self.now.filled

    @property
    def confirmed_filled(self) -> Decimal:
        """Quantity that executions prove."""
        return self.now.confirmed_filled

    @property
    def remaining(self) -> Decimal | None:
        """Quantity not executed, never below zero; None when the total is unknown."""
        return self.now.remaining

    @property
    def avg_fill_price(self) -> float | None:
        """Average price without fees; None while nothing is executed."""
        return self.now.avg_fill_price

    def summary(self) -> str:
        """``100 @ 187.426, commission 1.00 USD`` from what is known now."""
        now = self.now
        return self._track.sum_up(now.filled, now.avg_fill_price)

    # -- what happened -------------------------------------------------------------------------------------------------

    @property
    def order_id(self) -> int:
        """0: it was typed in by hand, and has none yet."""
        return self._track.order_id

    @property
    def client_id(self) -> int:
        """Who placed it."""
        return self._track.client_id

    @property
    def first_ns(self) -> int:
        """When it was placed or first seen, monotonic."""
        return self._track.first_ns

    @property
    def events(self) -> list[OrderEvent]:
        """Everything that changed it, oldest first."""
        return self._track.events

    @property
    def critical(self) -> list[TurningPoint]:
        """The turning points, oldest first: first live, each fill, uncertain, late fill, refused modify, the end."""
        return list(self._track.turns)

    @property
    def contract(self) -> Any:
        """As placed, else as the gateway reported it; None while neither."""
        return self._track.contract

    @property
    def order(self) -> Any:
        """As last placed, else as the gateway reported it; None while neither. A copy."""
        return self._track.shown_order

    @property
    def broker_contract(self) -> Any:
        """That of the last openOrder message, or None."""
        return self._track.broker_contract

    @property
    def broker_order(self) -> Any:
        """That of the last openOrder message, or None."""
        return self._track.broker_order

    @property
    def placed_order(self) -> Any:
        """As first placed, before any modify; None where it was not placed here."""
        return self._track.shown_placed_order

    @property
    def pending_modifies(self) -> list[Any]:
        """Terms that were sent and are not answered."""
        return [copied(order) for order in self._track.pending_modifies]

    @property
    def total_quantity(self) -> Decimal | None:
        """Ordered quantity as last confirmed by the gateway, else as placed; None when unknown (cash orders)."""
        return self._track.total_quantity

    @property
    def max_quantity(self) -> Decimal | None:
        """The most that may be filled, also by a modify that is not answered."""
        return self._track.max_quantity

    @property
    def executions(self) -> list[Fill[OrderView]]:
        """The latest revision of each execution, in order of arrival."""
        return self._track.executions

    @property
    def commission(self) -> dict[str, Decimal]:
        """Exact fees so far for each currency; empty until a report came."""
        return self._track.commission

    @property
    def what_if(self) -> bool:
        """It is a question about margin and fees: no order is made."""
        return self._track.what_if

    @property
    def refusal(self) -> tuple[int, str] | None:
        """Code and text that refused it."""
        return self._track.refusal

    @property
    def last_error(self) -> tuple[int, str] | None:
        """Last code and text that was not a mere warning."""
        return self._track.last_error

    @property
    def advanced_reject(self) -> str:
        """The gateway's own JSON about a refusal, as text."""
        return self._track.advanced_reject

    @property
    def notes(self) -> list[tuple[int, str]]:
        """Every code and text that came for it, in order."""
        return self._track.notes

    @property
    def order_ref(self) -> str:
        """Its reference."""
        return self._track.order_ref

    @property
    def oca_group(self) -> str:
        """The group of which one fill cancels the rest."""
        return self._track.oca_group

    @property
    def why_held(self) -> str:
        """Why it is held, as the last status says."""
        return self._track.why_held

    @property
    def mkt_cap_price(self) -> float:
        """The price that it was capped at; 0: none."""
        return self._track.mkt_cap_price

    @property
    def duplicates(self) -> int:
        """Messages that repeated what was known."""
        return self._track.duplicates

    @property
    def last_modify(self) -> Modify | None:
        """The modify that was sent last."""
        return self._track.last_modify

    def __repr__(self) -> str:
        now, total = self.now, self.total_quantity
        return (
            f"<OrderHandle {self.order_id} client {self.client_id} permId {now.perm_id} {now.state.label}"
            f" {now.wire_status or '-'} filled {plain(now.filled)}/{'?' if total is None else plain(total)}>"
        )

    # -- what to do with it --------------------------------------------------------------------------------------------

    def wait(self, what: str = "done", timeout: float | None = None, *, raise_on_timeout: bool = False) -> Self:
        """Wait for a state; returns this order, whatever its state is then. Any thread but the client's own.

        A time-out is no outcome: it changes nothing, cancels nothing, and the order may be filled the moment after.
        Its history is complete up to that state, unless the client's thread has been held up for a second.

        Parameters
        ----------
        what : str
            ``acknowledged``: the gateway has answered; ``live``: it works at the broker, or has ended already;
            ``done``: it has ended: filled, cancelled, rejected or expired.
        timeout : float, optional
            Seconds; by default the client's ``timeout_s``.
        raise_on_timeout : bool
            Raise WaitTimeout when the time is up.

        Raises
        ------
        WaitTimeout : not yet, and it was asked for.
        SessionLost : the connection is gone; the order may live on at the broker.
        WrongThread : inline, another thread than the one that owns the client.
        """
        condition = _CONDITIONS.get(what)
        if condition is None:
            raise ConfigError(f"an order cannot be waited for to be {what!r}", hint=f"say {', '.join(_CONDITIONS)}")
        problem = f"order {self.order_id} is not {what}"
        self._track._core.await_state(condition, self, problem, timeout, raise_on_timeout)
        return self

    def modify(self, order: Order | None = None, **changes: Any) -> Modify:
        """Send other terms; see :meth:`Orders.modify`."""
        return self._track._core.orders.modify(self, order, **changes)

    def cancel(self) -> Self:
        """Ask for its cancellation; returns at once, the answer comes as events."""
        self._track._core.orders.cancel(self)
        return self
