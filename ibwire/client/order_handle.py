"""One order of a client: to look at, to wait for, to modify and to cancel."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any, ClassVar, Final, Self, SupportsIndex

from ibwire.errors import ConfigError
from ibwire.spec.orderstates import ENDED, RISK, Flag, Risk, State
from ibwire.trade.view import OrderEvent, OrderView

if TYPE_CHECKING:
    from ibwire.client.core import Core
    from ibwire.client.modifying import Modify
    from ibwire.types.structs import Order

__all__ = ["History", "OrderHandle", "Turn", "TurningPoint", "handle_type"]


class Turn(Enum):
    """What makes an event a turning point."""

    FIRST_LIVE = "first live"
    FILL = "fill"
    LATE_FILL = "late fill"  # after it had ended otherwise
    UNCERTAIN = "uncertain"
    MODIFY_REFUSED = "modify refused"
    END = "end"


@dataclass(frozen=True, slots=True)
class TurningPoint:
    """One turning point in an order's life.

    Attributes
    ----------
    turn : Turn
    event : OrderEvent
        One of ``order.events``; the same one may be several turning points.
    """

    turn: Turn
    event: OrderEvent


class History(list[OrderEvent]):
    """The events of one order; whoever follows it is told as they are written, under the client's lock."""

    __slots__ = ("_modify_open", "_order", "_state", "_was_live", "turns")

    def __init__(self, order: OrderHandle) -> None:
        super().__init__()
        self._order = order
        self._state = State.CREATED
        self._was_live = False
        self._modify_open = False
        self.turns: list[TurningPoint] = []

    def append(self, event: OrderEvent, /) -> None:
        """The next event."""
        super().append(event)
        was_open, self._modify_open = self._modify_open, bool(self._order.flags & Flag.MODIFY_OPEN)
        self.turns += [TurningPoint(turn, event) for turn in self._turns(event, was_open)]
        self._state = event.order_state
        self._order._core.on_order_event(self._order, event, was_open)

    def extend(self, events: Iterable[OrderEvent], /) -> None:
        """Events that were held under another id, and told of there."""
        for event in list(events):
            super().append(event)
            if event.state in ("execution", "correction"):
                self.turns.append(TurningPoint(Turn.FILL, event))

    def _turns(self, event: OrderEvent, was_open: bool) -> Iterable[Turn]:
        before, after = self._state, event.order_state
        if not self._was_live and event.kind in ("status", "execution") and RISK[after] is Risk.LIVE:
            self._was_live = True
            yield Turn.FIRST_LIVE
        if event.state in ("execution", "correction"):
            yield Turn.LATE_FILL if before in ENDED and before is not State.FILLED else Turn.FILL
        if event.kind == "error" and was_open and not self._modify_open:
            yield Turn.MODIFY_REFUSED
        if after is State.UNCERTAIN and before is not State.UNCERTAIN:
            yield Turn.UNCERTAIN
        if after in ENDED and after is not before:
            yield Turn.END

    # A copy is a plain list: it follows nothing.
    def __reduce_ex__(self, protocol: SupportsIndex, /) -> Any:
        return list, (list(self),)


def _acknowledged(view: OrderView) -> bool:
    return view.answered or view.seen_live or view.is_done or view.last_error is not None


def _live(view: OrderView) -> bool:
    return view.is_live or view.is_done


def _done(view: OrderView) -> bool:
    return view.is_done


_CONDITIONS: Final[dict[str, Callable[[OrderView], bool]]] = {
    "acknowledged": _acknowledged,
    "live": _live,
    "done": _done,
}


class OrderHandle(OrderView):
    """An order to look at and to wait for; everything else as in :class:`~ibwire.trade.view.OrderView`.

    It is a view: what it says is how things stand now, whoever reads it, in any thread.
    """

    __slots__ = ("_modify", "_sent")
    _core: ClassVar[Core]
    _modify: Modify | None
    _sent: Order | None  # the terms as they were last sent, whatever the caller does to his copy

    def __init__(self, order_id: int, client_id: int, first_ns: int) -> None:
        super().__init__(order_id, client_id, first_ns)
        self.events = History(self)
        self._modify = self._sent = None

    @property
    def critical(self) -> list[TurningPoint]:
        """The turning points, oldest first: first live, each fill, uncertain, late fill, refused modify, the end."""
        assert isinstance(self.events, History)
        return list(self.events.turns)

    def wait(self, what: str = "done", timeout: float | None = None, *, raise_on_timeout: bool = False) -> Self:
        """Wait for a state; returns this order, whatever its state is then. Any thread but the client's own.

        A time-out is no outcome: it changes nothing, cancels nothing, and the order may be filled the moment after.

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
        self._core.await_order(lambda: condition(self), self, problem, timeout, raise_on_timeout)
        return self

    def modify(self, order: Order | None = None, **changes: Any) -> Modify:
        """Send other terms; see :meth:`Orders.modify`."""
        return self._core.orders.modify(self, order, **changes)

    @property
    def last_modify(self) -> Modify | None:
        """The modify that was sent last."""
        return self._modify

    def cancel(self) -> Self:
        """Ask for its cancellation; returns at once, the answer comes as events."""
        self._core.orders.cancel(self)
        return self


def handle_type(core: Core) -> type[OrderHandle]:
    """The handle class of one client: views are made by the order table, which knows no client."""
    return type("OrderHandle", (OrderHandle,), {"__slots__": (), "_core": core, "__module__": __name__})
