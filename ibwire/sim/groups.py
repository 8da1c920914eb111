"""Orders that depend on each other: one-cancels-all groups and brackets, in integers.

=====  ============================================================================================================
OCA 1  any fill of one cancels the others, at once: nothing of the rest can fill (block)
OCA 2  a fill reduces the others by the same share of their size, at once (block)
OCA 3  as 2, but the reduction takes its time: meanwhile the others can fill, and overfill (no block)
=====  ============================================================================================================

The children of one parent are such a group too, named after the parent's permId (type 3 in openOrder): together they
never fill more than the parent has filled, so that a bracket does not sell more than it bought. A child waits for its
parent's first fill; cancelling a parent that has filled nothing cancels its children, and when a parent ends with a
part filled its children shrink to that part. A stock order for whole shares is reduced by whole shares.
"""

from __future__ import annotations

from decimal import Decimal

from ibwire.sim.working import WorkingOrder

_ONE = Decimal(1)
CANCEL_BLOCK, REDUCE_BLOCK, REDUCE = 1, 2, 3
DEFAULT_OCA_TYPE = REDUCE
Key = tuple[str, str]


class Groups:
    """The one-cancels-all groups by (account, name)."""

    def __init__(self) -> None:
        self._groups: dict[Key, list[WorkingOrder]] = {}

    def spent(self, key: Key) -> bool:
        """True when a member of a group has filled something: no order may join it any more."""
        members = self._groups.get(key)
        return members is not None and any(order.filled_units for order in members)

    def join(self, order: WorkingOrder, name: str, kind: int, *, family: bool = False) -> None:
        """Make an order a member of its account's group of that name; `family` for the children of one parent."""
        order.family = family
        key = (order.account, name)
        order.oca_group, order.oca_key, order.oca_type = name, key, kind
        order.oca_total = order.total_units
        self._groups.setdefault(key, []).append(order)

    def others(self, order: WorkingOrder) -> list[WorkingOrder]:
        """Return the members of an order's group that are not done, but for itself."""
        if order.oca_key is None:
            return []
        return [other for other in self._groups[order.oca_key] if other is not order and not other.done]

    def due_total(self, order: WorkingOrder) -> int:
        """Return the size that is left of a member after what the others have filled, in units."""
        if order.family:
            return family_total(order)
        assert order.oca_key is not None
        taken = 0
        for other in self._groups[order.oca_key]:
            if other is not order and other.filled_units and other.oca_total:
                taken += order.oca_total * min(other.filled_units, other.oca_total) // other.oca_total
        share = order.units(_ONE) if order.instrument.secType == "STK" else 1
        if order.oca_total % share == 0:
            taken -= taken % share  # an order for whole shares stays one
        return order.oca_total - taken


def family_total(child: WorkingOrder) -> int:
    """Return the size of a child that its parent's size and its siblings' fills leave, in units."""
    parent = child.parent
    if parent is None or parent.instrument.conId != child.instrument.conId:
        return child.oca_total
    bought = parent.filled_units if parent.done else parent.total_units
    return min(child.oca_total, bought - child.siblings_filled())


def open_children(order: WorkingOrder) -> list[WorkingOrder]:
    """Return the children that are not done."""
    return [child for child in order.children if not child.done]
