"""Groups of orders: one handle for each, and somebody who looks whether one is half.

A group is recognised by what its orders say (``parentId``, ``ocaGroup``), however they were placed and in whichever
life of the program. The client's thread looks after every change of a member and tells of what is half, once per
change: as an event of the order that it is about (kind ``group``), as a turning point of it, to whoever listens to
orders, and as a notice.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Self

from ibwire.client.listeners import OrderChange
from ibwire.client.order_track import OrderTrack, Turn
from ibwire.errors import ConfigError, IbwireError
from ibwire.io import clock
from ibwire.spec.errorcodes import OWN_NOTICE
from ibwire.trade.executions import EXACT, ZERO
from ibwire.trade.groups import Fault, Finding, judge_family, judge_oca, member_of
from ibwire.trade.view import OrderEvent
from ibwire.types.structs import Order

if TYPE_CHECKING:
    from ibwire.client.core import Core
    from ibwire.client.order_handle import OrderHandle

__all__ = [
    "BracketHandle",
    "FamilyHandle",
    "GroupHandle",
    "GroupTurn",
    "Groups",
    "OcaHandle",
    "check_oca",
    "send_group",
]

Key = tuple[str, int | str]
"""``("parent", order id)`` or ``("oca", name)``."""


@dataclass(frozen=True, slots=True)
class GroupTurn:
    """A turning point in the life of one order of a group; see :class:`TurningPoint`."""

    order: OrderHandle
    turn: Turn
    event: OrderEvent


class _Group:
    """What is known of one group."""

    __slots__ = ("_members", "finding", "key", "since_ns", "told")

    def __init__(self, key: Key) -> None:
        self.key = key
        self._members: dict[int, OrderTrack] = {}
        self.finding: Finding | None = None  # what holds now
        self.since_ns = 0
        self.told: Finding | None = None  # what was told last and holds still

    def add(self, track: OrderTrack) -> None:
        self._members.setdefault(id(track), track)

    @property
    def members(self) -> list[OrderTrack]:
        found: dict[int, OrderTrack] = {}
        for track in self._members.values():
            while isinstance(track.became, OrderTrack):
                track = track.became
            if not track.what_if:
                found[id(track)] = track
        return list(found.values())

    @property
    def due_ns(self) -> int | None:
        """When the finding is to be told; None for nothing to tell."""
        if self.finding is None or (self.told is not None and self.told.key == self.finding.key):
            return None
        return self.since_ns + self.finding.after_ms * 1_000_000


def _judge(key: Key, parent: Any, members: Sequence[Any], standing: Callable[[Any], Any]) -> Finding | None:
    made = [member_of(one, standing(one)) for one in members]
    if key[0] == "parent":
        return None if parent is None else judge_family(member_of(parent, standing(parent)), made)
    return judge_oca(str(key[1]), made)


class Groups:
    """Looks after the groups of one client. Everything under the client's lock; time comes in."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._groups: dict[Key, _Group] = {}
        self._parents: set[int] = set()
        self._changed: set[Key] = set()
        self._waiting: dict[Key, _Group] = {}  # have something to tell, not yet
        self._half: set[Key] = set()  # of which something was told that holds still
        self._is_ready = False
        self._armed_ns: int | None = 0  # when the thread that steps will look again by itself

    # -- what others say -----------------------------------------------------------------------------------------------

    def note(self, track: OrderTrack) -> None:
        """Something happened to an order, or it was reported. Cheap for one that is in no group."""
        if not (track.parent_id or track.oca_group or track.order_id in self._parents):
            return
        if track.client_id != self._core.client_id or not track.order_id:
            return  # what becomes of it is told to its owner
        if track.order_id in self._parents:
            self._changed.add(("parent", track.order_id))
        if track.parent_id:
            self._parents.add(track.parent_id)
            self._join(("parent", track.parent_id), track)
        if track.oca_group:
            self._join(("oca", track.oca_group), track)

    def _join(self, key: Key, track: OrderTrack) -> None:
        group = self._groups.get(key)
        if group is None:
            group = self._groups[key] = _Group(key)
        group.add(track)
        self._changed.add(key)

    def begin(self) -> None:
        """What an earlier life left was looked up, or will not be: what is half from now on is told."""
        if not self._is_ready:
            self._is_ready = True
            self._changed.update(self._groups)

    def broke_off(self, handles: Sequence[OrderHandle], missing: int, error: BaseException) -> None:
        """A group was not sent whole."""
        first = handles[0]._track
        ids = ", ".join(str(one.order_id) for one in handles)
        why = f"{type(error).__name__}: {error}"
        text = f"of a group {len(handles)} were sent ({ids}; cancels follow), {missing} were not: {why}"
        self._tell(first, Finding(Fault.BROKE_OFF, first.order_id, text), self._core.now_ns())

    # -- time ----------------------------------------------------------------------------------------------------------

    @property
    def due_ns(self) -> int | None:
        """When :meth:`turn` is to be called at the latest; None while nothing is awaited."""
        if not self._is_ready:
            return None
        if self._changed:
            return 0
        return min((due for one in self._waiting.values() if (due := self._due_of(one)) is not None), default=None)

    def arm(self) -> int | None:
        """As :attr:`due_ns`; whoever asks will look again then."""
        self._armed_ns = self.due_ns
        return self._armed_ns

    @property
    def is_early(self) -> bool:
        """Whether something is due before the thread that steps will look again."""
        due_ns = self.due_ns
        return due_ns is not None and (self._armed_ns is None or due_ns < self._armed_ns)

    def _due_of(self, group: _Group) -> int | None:
        if self._core.lost is not None:
            return None if group.due_ns is None else 0  # nothing more will come
        if group.finding is not None and group.finding.fault is Fault.UNCERTAIN and self._core.queries.is_settling:
            return None  # everything is, until that look-up is over
        return group.due_ns

    def turn(self, now_ns: int) -> bool:
        """Look at what changed, and tell what is due. True when something was told."""
        if not self._is_ready or not (self._changed or self._waiting or self._half):
            return False
        # What was told is looked at again whatever came: a reduction is no event of an order.
        changed, self._changed = self._changed | self._half, set()
        for key in changed:
            self._look(self._groups[key], now_ns)
        told = False
        for key, group in list(self._waiting.items()):
            due_ns = self._due_of(group)
            if due_ns is not None and now_ns >= due_ns:
                self._look(group, now_ns)  # quantities change without an event
                due_ns = self._due_of(group)
            if group.due_ns is None:
                del self._waiting[key]
            elif due_ns is not None and now_ns >= due_ns:
                told = True
                del self._waiting[key]
                group.told = group.finding
                self._half.add(key)
                assert group.finding is not None
                self._tell(self._about(group, group.finding), group.finding, now_ns)
        return told

    def _look(self, group: _Group, now_ns: int) -> None:
        finding = self._judge(group)
        before = group.finding
        if finding is None or before is None or finding.key != before.key:
            group.since_ns = now_ns
        group.finding = finding
        if finding is None and group.told is not None:
            about, group.told = self._about(group, group.told), None
            self._half.discard(group.key)
            if self._core.lost is None:
                self._put(about, "group whole", f"{_title(group.key)}: nothing is half any more", now_ns)
        if group.due_ns is not None:
            self._waiting[group.key] = group

    def _judge(self, group: _Group) -> Finding | None:
        members = group.members
        kind, name = group.key
        if kind == "parent":
            parent = self._core.table.get(int(name))
            return _judge(group.key, parent, members, lambda one: one)
        if len(members) < 2 or (members[0].parent_id and len({one.parent_id for one in members}) == 1):
            return None  # children of one parent are judged with it
        return _judge(group.key, None, members, lambda one: one)

    # -- telling -------------------------------------------------------------------------------------------------------

    def _about(self, group: _Group, finding: Finding) -> OrderTrack:
        found = self._core.table.get(finding.order_id)
        return found if isinstance(found, OrderTrack) else group.members[0]

    def _tell(self, about: OrderTrack, finding: Finding, now_ns: int) -> None:
        self._put(about, Turn.HALF_GROUP.value, finding.text, now_ns)
        self._core.intake.notice(OWN_NOTICE, f"half a group: {finding.text}")

    def _put(self, about: OrderTrack, title: str, text: str, now_ns: int) -> None:
        self._core.table.on_group(about.order_id, title, text, now_ns)

    def told_of(self, key: Key) -> str:
        """What was told of a group and holds still; empty for nothing."""
        group = self._groups.get(key)
        return "" if group is None or group.told is None else group.told.text

    def handles(self) -> list[GroupHandle]:
        """One for each group that is known."""
        found: list[GroupHandle] = []
        for key, group in self._groups.items():
            members = [one.handle for one in group.members]
            if key[0] == "oca":
                if len(members) > 1 and not (members[0].parent_id and len({one.parent_id for one in members}) == 1):
                    found.append(OcaHandle(str(key[1]), tuple(members)))
                continue
            parent = self._core.table.get(int(key[1]))
            if isinstance(parent, OrderTrack):
                found.append(FamilyHandle(parent.handle, tuple(members)))
        return found


def _title(key: Key) -> str:
    return f"the group of order {key[1]}" if key[0] == "parent" else f"the group {key[1]}"


# -- sending -----------------------------------------------------------------------------------------------------------


def send_group(core: Core, steps: Sequence[Callable[[list[OrderHandle]], OrderHandle]]) -> list[OrderHandle]:
    """Place one order after the other; each step is told which were placed before it.

    Raises
    ------
    Whatever placing raises. What was sent is then cancelled, the error's notes say so, and listeners are told.
    """
    handles: list[OrderHandle] = []
    try:
        for place in steps:
            handles.append(place(handles))
    except BaseException as error:
        for handle in handles:
            try:
                handle.cancel()
                error.add_note(f"half a group: order {handle.order_id} had been sent; its cancel is on its way")
            except IbwireError as problem:
                error.add_note(f"half a group: order {handle.order_id} was sent, and its cancel was not: {problem}")
        if handles:
            with core.lock:
                core.groups.broke_off(handles, len(steps) - len(handles), error)
            core.changed()
        raise
    return handles


def check_oca(orders: Sequence[Order], used: Collection[str]) -> str:
    """The name of the group that these orders are to be.

    Raises
    ------
    ConfigError : they are not one group, or its name was used before.
    """
    if len(orders) < 2:
        raise ConfigError(f"a group of {len(orders)}", hint="give two orders or more: ibwire.types.builders.oca")
    names, kinds = {order.ocaGroup for order in orders}, {order.ocaType for order in orders}
    if len(names) != 1 or not (name := str(names.pop() or "").strip()):
        raise ConfigError("the orders do not name one ocaGroup", hint="use ibwire.types.builders.oca")
    if len(kinds) != 1 or not kinds <= {1, 2, 3}:
        raise ConfigError(f"the orders of the group {name} do not have one ocaType", hint="say 1, 2 or 3 for all")
    if not all(order.transmit for order in orders):
        raise ConfigError(f"an order of the group {name} does not transmit", hint="nothing would transmit it")
    if any(order.orderId for order in orders):
        raise ConfigError(f"an order of the group {name} has an orderId", hint="set it to 0: the group is new")
    if name in used:
        raise ConfigError(f"a group {name} was used before", hint="TWS never forgets a name: take another one")
    return name


# -- handles -----------------------------------------------------------------------------------------------------------


class GroupHandle:
    """Orders that belong together: one thing to look at, to wait for and to cancel. Any thread."""

    __slots__ = ()

    @property
    def orders(self) -> list[OrderHandle]:
        """All of them, in the order in which they were placed."""
        raise NotImplementedError

    @property
    def _key(self) -> Key:
        raise NotImplementedError

    def _finding(self) -> Finding | None:
        raise NotImplementedError

    @property
    def problem(self) -> str:
        """What is half, in a plain sentence; empty while the group is whole, or over.

        How it stands now. Who listens to orders is told the same, and at once: this is for whoever asks. That a
        cancel or a reduction is overdue stands here once it was told.
        """
        finding = self._finding()
        if finding is not None and finding.fault not in (Fault.NOT_ENDED, Fault.TOO_SMALL):
            return finding.text
        core = self.orders[0]._core
        with core.lock:
            told = core.groups.told_of(self._key)
        return told if finding is not None else ""

    @property
    def filled(self) -> Decimal:
        """Executed quantity of all of them."""
        total = ZERO
        for order in self.orders:
            total = EXACT.add(total, order.filled)
        return total

    @property
    def is_done(self) -> bool:
        """Each has ended."""
        return all(order.is_done for order in self.orders)

    @property
    def may_fill(self) -> bool:
        """One of them may be filled."""
        return any(order.may_fill for order in self.orders)

    @property
    def events(self) -> list[OrderChange]:
        """Everything that happened to any of them, oldest first."""
        return [OrderChange(order, event) for order, event, _ in self._merged()]

    @property
    def critical(self) -> list[GroupTurn]:
        """The turning points of all of them, oldest first."""
        return [GroupTurn(order, turn, event) for order, event, turns in self._merged() for turn in turns]

    def _merged(self) -> list[tuple[OrderHandle, OrderEvent, list[Turn]]]:
        # Within an order cause comes before effect, whatever the times say: a message has that of its receipt.
        keyed: list[tuple[int, int, OrderHandle, OrderEvent, list[Turn]]] = []
        for number, order in enumerate(self.orders):
            latest = 0
            points = order.critical
            for event in order.events:
                latest = max(latest, event.ns)
                keyed.append((latest, number, order, event, [one.turn for one in points if one.event is event]))
        keyed.sort(key=lambda one: one[:2])
        return [(order, event, turns) for _, _, order, event, turns in keyed]

    def wait(self, what: str = "done", timeout: float | None = None, *, raise_on_timeout: bool = False) -> Self:
        """Wait until each of them is so; see :meth:`OrderHandle.wait`. The time is for all together.

        Parameters
        ----------
        what : str
            ``acknowledged``, ``live`` or ``done``. timeout : seconds; by default the client's ``timeout_s``.
        raise_on_timeout : bool
            Raise WaitTimeout when the time is up.
        """
        core = self.orders[0]._core
        limit = core.timeout_s if timeout is None else timeout
        begin_ns = clock.now_ns()
        for order in self.orders:
            left = max(0.0, limit - (clock.now_ns() - begin_ns) / 1e9)
            order.wait(what, left, raise_on_timeout=raise_on_timeout)
        return self

    def cancel(self) -> Self:
        """Ask for the cancellation of each; ended ones are left alone. Returns at once.

        Raises
        ------
        As :meth:`Orders.cancel`, once every one was tried.
        """
        problem: IbwireError | None = None
        for order in self.orders:
            if not order.is_done:
                try:
                    order.cancel()
                except IbwireError as error:
                    problem = problem or error
        if problem is not None:
            raise problem
        return self

    def __repr__(self) -> str:
        each = ", ".join(f"{order.order_id} {order.state.label}" for order in self.orders)
        return f"<{type(self).__name__} {each}{'; ' if self.problem else ''}{self.problem}>"


class _Family(GroupHandle):
    __slots__ = ()

    @property
    def _key(self) -> Key:
        return "parent", self.orders[0].order_id

    def _finding(self) -> Finding | None:
        parent, *children = self.orders
        return _judge(self._key, parent, children, lambda one: one.now)

    @property
    def filled(self) -> Decimal:
        """Executed quantity of the entry; see :attr:`held`."""
        return self.orders[0].filled

    @property
    def held(self) -> Decimal:
        """What is left of it: the entry's executed quantity without that of the orders that close it."""
        parent, *children = [(one.order or one.broker_order, one.filled) for one in self.orders]
        left = parent[1]
        for terms, filled in children:
            if getattr(terms, "action", "") != getattr(parent[0], "action", ""):
                left = EXACT.subtract(left, filled)
        return max(ZERO, left)


@dataclass(frozen=True, slots=True, repr=False)
class FamilyHandle(_Family):
    """An entry and the orders that wait for it."""

    parent: OrderHandle
    children: tuple[OrderHandle, ...]

    @property
    def orders(self) -> list[OrderHandle]:
        """The entry first."""
        return [self.parent, *self.children]


@dataclass(frozen=True, slots=True, repr=False)
class BracketHandle(_Family):
    """A bracket that was sent: one thing to look at, to wait for and to cancel."""

    parent: OrderHandle
    take_profit: OrderHandle
    stop_loss: OrderHandle

    @property
    def orders(self) -> list[OrderHandle]:
        """Entry, profit, loss."""
        return [self.parent, self.take_profit, self.stop_loss]


@dataclass(frozen=True, slots=True, repr=False)
class OcaHandle(GroupHandle):
    """A one-cancels-all group: when one fills, the rest are cancelled or reduced.

    Attributes
    ----------
    group : str
        Its name.
    members : tuple of OrderHandle
    """

    group: str
    members: tuple[OrderHandle, ...]

    @property
    def orders(self) -> list[OrderHandle]:
        """The members, in the order in which they were placed."""
        return list(self.members)

    @property
    def _key(self) -> Key:
        return "oca", self.group

    def _finding(self) -> Finding | None:
        return _judge(self._key, None, self.orders, lambda one: one.now)
