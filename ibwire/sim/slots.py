"""How slots look, and on which side they begin and end. What happens inside one, in time order: `ibwire._quotes`.

A slot has `groups` groups of a quote move, a change of size and a trade. The bid stands at the node's open in the
first group, at its close in the last, and at its high and low in two between; trades are at the bid or the ask, one at
the ask while the bid is at its high, one at the bid while it is at its low. So with a spread of s the trades of a slot
have high + s and low, and open and close on the side that `open_side` and `close_side` say.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from ibwire.sim.path import mix

LEAST_GROUPS: Final = 4
CHANGES_IN_GROUP: Final = 5  # bid and ask, a size, last and volume
SLOT_LENGTHS: Final = (1, 5, 15, 30, 60)
_A: Final = 0x9E3779B97F4A7C15


class Shape(NamedTuple):
    """How an instrument's slots look."""

    key: int
    slot_s: int
    groups: int
    quoted: bool  # has a bid and an ask
    traded: bool  # has trades


def shape_of(key: int, ticks_per_s: int, quoted: bool, traded: bool) -> Shape:
    """Return the shortest slots in which a rate has groups enough."""
    in_group = CHANGES_IN_GROUP if quoted else 1
    least = LEAST_GROUPS * in_group
    slot_s = next((length for length in SLOT_LENGTHS if ticks_per_s * length >= least), SLOT_LENGTHS[-1])
    return Shape(key, slot_s, max(ticks_per_s * slot_s // in_group, LEAST_GROUPS), quoted, traded)


def open_side(shape: Shape, start_s: int) -> int:
    """1 when a slot's first trade is at the ask, 0 at the bid."""
    return mix(shape.key ^ start_s * _A) & 1 if shape.quoted else 0


def close_side(shape: Shape, start_s: int) -> int:
    """1 when a slot's last trade is at the ask, 0 at the bid."""
    return mix(shape.key ^ start_s * _A) >> 1 & 1 if shape.quoted else 0
