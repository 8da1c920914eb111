"""What is half of a group: a bracket without its stop, a one-cancels-all group of which a cancel did not come.

Pure: members in, a finding or None out. A *family* is an entry with the orders that name it as their parent; an *OCA
group* is what shares one group name. Where an answer of the gateway may still be on its way (a cancel that follows a
fill, in another message) the finding says how long to wait before it means anything.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import Enum
from operator import attrgetter
from typing import Any, Final

from ibwire.spec.orderstates import ENDED, RISK, Flag, Risk, State
from ibwire.trade.executions import EXACT, ZERO, known
from ibwire.trade.view import plain

__all__ = ["Fault", "Finding", "Member", "judge_family", "judge_oca", "member_of"]

SETTLE_MS: Final = 500
"""How long messages of one event may be apart: a sibling's fill comes after the cancel that it caused, or before."""
ANSWER_MS: Final = 3_000
"""How long the gateway may take to cancel or to reduce what a fill makes too much."""
UNTRANSMITTED_MS: Final = 10_000
_STOPS: Final = ("STP", "TRAIL")  # STP LMT, STP PRT, TRAIL LIMIT, TRAIL LIT ... too
_CANCEL_ASKED, _SEEN_LIVE = int(Flag.CANCEL_ASKED), int(Flag.SEEN_LIVE)
_LOST: Final = frozenset({State.CREATED, State.CANCELLED, State.REJECTED, State.EXPIRED})
_MAY_FILL: Final = frozenset({Risk.MAYBE_LIVE, Risk.LIVE, Risk.UNKNOWN})
_CANCEL_REST: Final = 1
_ONE: Final = Decimal(1)
_order_id = attrgetter("order_id")


class Fault(Enum):
    """What is wrong with a group."""

    REFUSED = "refused"  # a member was refused, or never sent
    GONE = "gone"  # a member was cancelled or ran out, while it was wanted
    UNCERTAIN = "uncertain"  # nobody knows how a member stands
    NOT_WORKING = "not working"  # a member is inactive, or was not transmitted
    NO_STOP = "no stop"  # nothing ends the loss of the entry
    TOO_SMALL = "too small"  # the stops cover a part of what is held
    NOT_ENDED = "not ended"  # a cancel or a reduction did not come after a fill
    OVERFILLED = "overfilled"  # more was filled than the group was for
    BROKE_OFF = "broke off"  # it was not sent whole


@dataclass(frozen=True, slots=True)
class Finding:
    """What is half of a group.

    Attributes
    ----------
    fault : Fault
    order_id : int
        The member that it is about.
    text : str
        A plain sentence.
    after_ms : int
        How long it must have been so to mean anything; 0: at once.
    key : tuple
        Findings with the same one are the same: quantities in the text may differ.
    """

    fault: Fault
    order_id: int
    text: str
    after_ms: int = 0
    key: tuple[Any, ...] = ()


@dataclass(frozen=True, slots=True)
class Member:
    """An order as far as a group wants to know it. ``None`` and 0: not known."""

    order_id: int
    state: State
    filled: Decimal
    remaining: Decimal | None
    placed: Decimal | None  # the quantity that it was sent with
    action: str
    order_type: str
    contract: Any
    oca_type: int
    cancel_asked: bool
    was_live: bool
    refusal: str

    @property
    def may_fill(self) -> bool:
        """Not known to be unable to be filled."""
        return RISK[self.state] in _MAY_FILL

    @property
    def is_open(self) -> bool:
        """It may be filled, or would be if TWS transmitted it."""
        return self.may_fill or self.state is State.UNTRANSMITTED

    @property
    def is_stop(self) -> bool:
        """It ends a loss."""
        return self.order_type.startswith(_STOPS)

    @property
    def is_lost(self) -> bool:
        """It ended before it was filled, or never began."""
        return self.state in _LOST

    def says(self, name: str) -> str:
        """How it stands, in words."""
        words = {
            State.CREATED: "was not sent",
            State.UNTRANSMITTED: "waits in TWS, not transmitted",
            State.CANCELLED: "is cancelled",
            State.REJECTED: "was refused",
            State.EXPIRED: "has expired",
        }
        text = f"{name} {self.order_id} {words.get(self.state, f'is {self.state.label}')}"
        return f"{text} ({self.refusal})" if self.refusal and self.state is State.REJECTED else text


def member_of(order: Any, standing: Any) -> Member:
    """A member out of an order and how it stands, which may be the order itself or one reading of it."""
    terms, sent = order.broker_order or order.order, order.order or order.broker_order
    remaining = standing.remaining
    told = getattr(order, "reported_remaining", None)
    if remaining is not None and told is not None and order.reported_filled == standing.filled:
        remaining = min(remaining, told)  # a status tells of a reduction before an openOrder does
    return Member(
        order.order_id,
        standing.state,
        standing.filled,
        remaining,
        known(getattr(sent, "totalQuantity", None)) or None,
        str(getattr(terms, "action", "") or ""),
        str(getattr(terms, "orderType", "") or ""),
        order.contract or order.broker_contract,
        int(getattr(terms, "ocaType", 0) or 0),
        bool(standing.flags & _CANCEL_ASKED),
        bool(standing.flags & _SEEN_LIVE),
        "" if order.refusal is None else f"{order.refusal[0]}: {order.refusal[1]}",
    )


def _sum(numbers: Sequence[Decimal]) -> Decimal:
    total = ZERO
    for number in numbers:
        total = EXACT.add(total, number)
    return total


# -- families ----------------------------------------------------------------------------------------------------------


def judge_family(parent: Member, children: Sequence[Member]) -> Finding | None:
    """What is half of an entry with its children; None while it is whole, or over."""
    children = sorted(children, key=_order_id)  # in whichever order they came
    exits = [child for child in children if _closes(child, parent)]
    held = max(ZERO, EXACT.subtract(parent.filled, _sum([child.filled for child in exits])))
    # Its last order transmits a family: before that nothing of it works, and it may not be complete.
    if parent.state is State.UNTRANSMITTED:
        return _untransmitted(parent, children)
    if parent.may_fill or held:
        found = _exposed(parent, children, exits, held)
        if found is not None:
            return found
    return _left_over(parent, exits, held)


def _closes(child: Member, parent: Member) -> bool:
    ours, theirs = (getattr(one.contract, "conId", 0) for one in (child, parent))
    if ours and theirs and ours != theirs:
        return False
    return bool(child.action) and bool(parent.action) and (child.action == "BUY") != (parent.action == "BUY")


def _entry(parent: Member, held: Decimal) -> str:
    if not held:
        return f"the entry {parent.order_id} is {parent.state.label} and may fill"
    text = f"{plain(held)} of the entry {parent.order_id} are held"
    return f"{text}, and it may fill on" if parent.may_fill else text


def _untransmitted(parent: Member, children: Sequence[Member]) -> Finding | None:
    """The family waits in TWS: where one of it is gone, or for too long."""
    name = "the entry"
    for child in children:
        if child.is_lost:
            text = f"{child.says(_name(child, parent))}, and {parent.says(name)}: lost when TWS closes"
            return _found(Fault.REFUSED, child, text, phase="waits")
    if not children:
        return None
    text = f"{parent.says(name)}: nothing of its group works, and it is lost when TWS closes"
    return _found(Fault.NOT_WORKING, parent, text, UNTRANSMITTED_MS, phase="waits")


def _name(child: Member, parent: Member) -> str:
    if not _closes(child, parent):
        return "the child"
    return "the stop" if child.is_stop else "the profit order"


def _found(fault: Fault, member: Member, text: str, after_ms: int = 0, phase: str = "") -> Finding:
    return Finding(fault, member.order_id, text, after_ms, (fault, member.order_id, member.state, phase))


def _exposed(parent: Member, children: Sequence[Member], exits: Sequence[Member], held: Decimal) -> Finding | None:
    """The entry may fill, or something of it is held: what of its children is missing, the stop first."""
    phase = "held" if held else "open"
    tail = _entry(parent, held)
    stops = [child for child in exits if child.is_stop]
    others = [child for child in children if child not in stops]
    for group, name in ((stops, "the stop"), (others, "")):
        for child in group:
            found = _missing(child, name or _name(child, parent), held, tail, phase)
            if found is not None and not _replaced(child, group, exits, held, parent):
                return found
    if exits and not stops:
        alive = next((child for child in exits if child.is_open), None)
        if alive is not None:
            text = f"the entry has no stop: only {alive.says(_name(alive, parent))}; {tail}"
            return _found(Fault.NO_STOP, alive, text, SETTLE_MS, phase)
    return _too_small(parent, stops, held, tail)


def _missing(child: Member, name: str, held: Decimal, tail: str, phase: str) -> Finding | None:
    text = f"{child.says(name)}; {tail}"
    if child.state in (State.REJECTED, State.CREATED):
        return _found(Fault.REFUSED, child, text, 0, phase)
    if child.is_lost:  # with a fill of its sibling, or with its parent: which of the messages comes first is open
        return _found(Fault.GONE, child, text, SETTLE_MS, phase)
    if child.state is State.UNCERTAIN:
        return _found(Fault.UNCERTAIN, child, text, SETTLE_MS, phase)
    # Some gateways show a child as Inactive that waits for its parent; one that had worked does not go back to that.
    if child.state is State.UNTRANSMITTED or (child.state is State.INACTIVE and (held or child.was_live)):
        return _found(Fault.NOT_WORKING, child, text, SETTLE_MS, phase)
    return None


def _replaced(child: Member, group: Sequence[Member], exits: Sequence[Member], held: Decimal, parent: Member) -> bool:
    """Another of its kind does its work: it was cancelled to be placed anew."""
    if child not in exits:
        return False
    if child.filled and child.remaining == ZERO:
        return True
    rest = [one for one in group if one is not child and one in exits]
    working = [one for one in rest if one.may_fill and one.state is not State.UNCERTAIN]
    if not working:
        return False
    sizes = [one.remaining for one in working]
    due = EXACT.add(held, parent.remaining or ZERO) if parent.may_fill else held
    return any(size is None for size in sizes) or _sum([size for size in sizes if size is not None]) >= due


def _too_small(parent: Member, stops: Sequence[Member], held: Decimal, tail: str) -> Finding | None:
    working = [stop for stop in stops if stop.may_fill]
    if not working or not held or any(stop.remaining is None for stop in working):
        return None
    covered = _sum([stop.remaining for stop in working if stop.remaining is not None])
    sent = [stop.placed for stop in stops]
    if parent.placed is None or any(size is None for size in sent):
        return None
    if _sum([size for size in sent if size is not None]) < parent.placed or covered >= held:
        return None  # it was meant to be smaller
    text = f"the stops cover {plain(covered)}; {tail}"
    return _found(Fault.TOO_SMALL, working[0], text, ANSWER_MS, "held")


def _left_over(parent: Member, exits: Sequence[Member], held: Decimal) -> Finding | None:
    """An exit that can do more than close what is held: its cancel, or its reduction, did not come."""
    if parent.may_fill and parent.remaining is None:
        return None
    most = EXACT.add(held, parent.remaining or ZERO) if parent.may_fill else held
    closed = any(child.filled for child in exits)
    short = parent.state in ENDED and parent.placed is not None and parent.filled < parent.placed
    if not (closed or short or parent.state is State.CREATED):
        return None
    for child in exits:
        if not child.may_fill or child.remaining is None or child.remaining <= most:
            continue
        meant = parent.placed is None or child.placed is None or child.placed <= parent.placed
        if not meant and most:
            continue  # it was sent for more than the entry
        can = f"{_name(child, parent)} {child.order_id} may still fill {plain(child.remaining)}"
        there = f"{plain(most)} are there to close" if most else "nothing is there to close"
        if not most and parent.filled == ZERO:
            there = f"the entry {parent.order_id} is {parent.state.label} and filled nothing"
        text = f"{can}, but {there}"
        return _found(Fault.NOT_ENDED, child, text, ANSWER_MS, "over" if not most else "held")
    return None


# -- one-cancels-all ---------------------------------------------------------------------------------------------------


def judge_oca(name: str, members: Sequence[Member]) -> Finding | None:
    """What is half of a one-cancels-all group; None while it is whole, or over."""
    members = sorted(members, key=_order_id)
    filled = [member for member in members if member.filled]
    found = _overfilled(name, members, filled)
    if found is not None:
        return found
    working = [member for member in members if member.may_fill]
    for member in members:
        rest = [one for one in working if one is not member]
        if rest and not filled:
            found = _lost_member(name, member, rest)
        elif rest and member.filled:
            found = _not_reduced(name, member, rest)
        if found is not None:
            return found
    return None


def _lost_member(name: str, member: Member, rest: Sequence[Member]) -> Finding | None:
    tail = f"order {rest[0].order_id} of the group {name} may fill without it"
    text = f"{member.says('order')}; {tail}"
    if member.state in (State.REJECTED, State.CREATED):
        return _found(Fault.REFUSED, member, text)
    if member.state is State.UNCERTAIN:
        return _found(Fault.UNCERTAIN, member, text, SETTLE_MS)
    if member.state is State.INACTIVE and member.was_live:
        return _found(Fault.NOT_WORKING, member, text, SETTLE_MS)
    if member.is_lost and not member.cancel_asked:
        return _found(Fault.GONE, member, text, ANSWER_MS)
    return None


def _not_reduced(name: str, member: Member, rest: Sequence[Member]) -> Finding | None:
    whole = member.state is State.FILLED
    for other in rest:
        if not (whole or member.oca_type == _CANCEL_REST):
            if other.remaining is None or other.placed is None or member.placed is None:
                continue
            if EXACT.add(other.remaining, other.filled) < other.placed:
                continue  # it was reduced; whether by enough is TWS's arithmetic
            if EXACT.multiply(other.placed, member.filled) < member.placed:
                continue  # less than one piece
        size = "" if other.remaining is None else f" {plain(other.remaining)}"
        missing = "cancel" if whole or member.oca_type == _CANCEL_REST else "reduction"
        what = f"order {other.order_id} may still fill{size}: its {missing} did not come"
        text = f"order {member.order_id} of the group {name} has filled {plain(member.filled)}, but {what}"
        return _found(Fault.NOT_ENDED, other, text, ANSWER_MS, str(member.order_id))
    return None


def _overfilled(name: str, members: Sequence[Member], filled: Sequence[Member]) -> Finding | None:
    if len(filled) < 2:
        return None
    shares, most = ZERO, _ONE
    for member in filled:
        if not member.placed:
            return None
        shares = EXACT.add(shares, EXACT.divide(member.filled, member.placed))
        if member.placed >= 1:  # TWS reduces by whole pieces
            most = EXACT.add(most, EXACT.divide(_ONE, member.placed))
    if shares <= most and not any(member.oca_type == _CANCEL_REST for member in filled):
        return None
    each = " and ".join(f"{plain(one.filled)} of order {one.order_id}" for one in filled)
    # An execution may be taken back (a bust), or be told before the one that it replaces.
    return _found(Fault.OVERFILLED, filled[-1], f"the group {name} overfilled: {each}", SETTLE_MS)
