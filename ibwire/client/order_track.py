"""The plain state machine's own record of one order of a client, and its history. Told of by the client's thread."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any, ClassVar, SupportsIndex

from ibwire.client.modifying import ModifyOutcome, copied
from ibwire.spec.orderstates import ENDED, RISK, Flag, Risk, State
from ibwire.trade.view import OrderEvent, OrderView

if TYPE_CHECKING:
    from ibwire.client.core import Core
    from ibwire.client.modifying import Modify
    from ibwire.client.order_handle import OrderHandle
    from ibwire.client.order_now import OrderNow
    from ibwire.types.structs import Order

__all__ = ["History", "OrderTrack", "Turn", "TurningPoint", "track_type"]


class Turn(Enum):
    """What makes an event a turning point."""

    FIRST_LIVE = "first live"
    FILL = "fill"
    LATE_FILL = "late fill"  # after it had ended otherwise
    UNCERTAIN = "uncertain"
    MODIFY_REFUSED = "modify refused"
    HALF_GROUP = "half a group"  # of its bracket or its one-cancels-all group something is missing
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

    def __init__(self, order: OrderTrack) -> None:
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
        if self._order.last_modify is not None:
            self._order.last_modify.on_event(event, was_open)
        self.turns += [TurningPoint(turn, event) for turn in self._turns(event, was_open)]
        self._state = event.order_state
        self._order._core.on_order_event(self._order, event)

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
        if event.kind == "error" and ((was_open and not self._modify_open) or self._refused_modify(event)):
            yield Turn.MODIFY_REFUSED
        if event.kind == "group" and event.state == Turn.HALF_GROUP.value:
            yield Turn.HALF_GROUP
        if after is State.UNCERTAIN and before is not State.UNCERTAIN:
            yield Turn.UNCERTAIN
        if after in ENDED and after is not before:
            yield Turn.END

    def _refused_modify(self, event: OrderEvent) -> bool:
        # The machine compares quantity and prices: of another term it may hold the modify for answered already.
        modify = self._order.last_modify
        return modify is not None and modify.event is event and modify.outcome is ModifyOutcome.REFUSED

    # A copy is a plain list: it follows nothing.
    def __reduce_ex__(self, protocol: SupportsIndex, /) -> Any:
        return list, (list(self),)


class OrderTrack(OrderView):
    """An order as the plain machine has it after the messages that the client's thread has taken.

    Inside only: causes and effects in their order. Who wants to know how things stand asks its ``handle``.

    Attributes
    ----------
    handle : OrderHandle
        What programs have of it.
    is_restored : bool
        It is known from an earlier life of the program, whose executions the compiled table has not seen.
    """

    __slots__ = ("_modify", "_sent", "_shown", "handle", "is_restored")
    _core: ClassVar[Core]
    _modify: Modify | None
    _sent: Order | None  # the terms as they were last sent
    _shown: tuple[Any, Any]
    handle: OrderHandle
    is_restored: bool

    def __init__(self, order_id: int, client_id: int, first_ns: int) -> None:
        super().__init__(order_id, client_id, first_ns)
        self.events = History(self)
        self._modify = self._sent = None
        self._shown = (None, None)
        self.is_restored = False
        self.handle = self._core.handle_of(self)

    @property
    def now(self) -> OrderNow:
        """How it stands, which this may be behind of."""
        return self.handle.now

    @property
    def shown_order(self) -> Any:
        """A copy of `order` for the program, which may change it to place another like it; the same one every time."""
        return self._copy_of(self.order)

    @property
    def shown_placed_order(self) -> Any:
        """As :attr:`shown_order`, of `placed_order`."""
        return self._copy_of(self.placed_order) if self.placed_order is self.order else copied(self.placed_order)

    def _copy_of(self, order: Any) -> Any:
        if order is None:
            return None
        of, copy = self._shown
        if of is not order:
            copy = copied(order)
            self._shown = (order, copy)
        return copy

    @property
    def turns(self) -> list[TurningPoint]:
        """The turning points, oldest first."""
        assert isinstance(self.events, History)
        return self.events.turns

    @property
    def last_modify(self) -> Modify | None:
        """The modify that was sent last."""
        return self._modify


def track_type(core: Core) -> type[OrderTrack]:
    """The class of one client's orders: they are made by the order table, which knows no client."""
    return type("OrderTrack", (OrderTrack,), {"__slots__": (), "_core": core, "__module__": __name__})
