"""What happens inside one slot of a path: the changes that make its bar true, evenly busy, in time order.

A slot has `groups` groups of a quote move, a change of size and a trade. The bid stands at the node's open in the
first group, at its close in the last, and at its high and low in two between; trades are at the bid or the ask, one at
the ask while the bid is at its high, one at the bid while it is at its low. So with a spread of s the trades of a slot
have high + s and low, and open and close on the side that `open_side` and `close_side` say.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from ibwire.sim.path import Node, mix

MOVE: Final = 0  # a: new bid, b: bid units, c: ask units
SIZE: Final = 1  # a: 1 for the bid, 0 for the ask, b: units
TRADE: Final = 2  # a: price, b: units
BOTH: Final = 3  # a: bid units, b: ask units
LEAST_GROUPS: Final = 4
CHANGES_IN_GROUP: Final = 5  # bid and ask, a size, last and volume
SHOWN_UNITS: Final = 30  # displayed sizes are 1..SHOWN_UNITS quote units
SLOT_LENGTHS: Final = (1, 5, 15, 30, 60)
_A: Final = 0x9E3779B97F4A7C15
_MASK: Final = (1 << 64) - 1

Event = tuple[int, int, int, int, int]  # time_ns, what, a, b, c


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


def bids(r: int, node: Node, groups: int) -> tuple[list[int], int, int]:
    """Return the bid of every group, and in which group it is highest and lowest."""
    open_, high, low, close, _ = node
    half = (groups - 2) // 2
    first, second = 1 + (r >> 4) % half, groups // 2 + (r >> 20) % (groups - 1 - groups // 2)
    rising = r >> 3 & 1
    one, other = (low, high) if rising else (high, low)
    out = [open_]
    legs = ((0, first, open_, one), (first, second, one, other), (second, groups - 1, other, close))
    for start, place, begin, end in legs:
        steps = place - start
        out += [begin + (end - begin) * index // steps for index in range(1, steps)]
        out.append(end)
    return (out, second, first) if rising else (out, first, second)


def events(shape: Shape, node: Node, start_s: int, spread: int) -> list[Event]:
    """Return what happens in the slot that begins at `start_s`, in time order; moments have different times."""
    key, slot_s, groups, quoted, traded = shape
    head = mix(key ^ start_s * _A)
    prices, high_at, low_at = bids(head, node, groups)
    out: list[Event] = []
    step_ns = slot_s * 1_000_000_000 // groups
    at_ns = start_s * 1_000_000_000
    third_ns = step_ns // 3
    left, state = node.units, head
    last = groups - 1
    for group, bid in enumerate(prices):
        state = (state + _A) & _MASK
        r = ((state ^ (state >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
        r ^= r >> 27
        when = at_ns + (r & 1023) * third_ns // 1024
        if traded:
            rest = last - group
            spare = left - rest
            # The last trade takes what is left; those before it about their share.
            units = spare if not rest else min(1 + (r >> 10 & 0xFFFF) * (2 * spare // (rest + 1)) // 65_536, spare)
            left -= units
        else:
            units = 0
        if not quoted:
            out.append((when, TRADE, bid, 0, 0))
        else:
            shown, asked = (r >> 26 & 1023) * SHOWN_UNITS >> 10, (r >> 36 & 1023) * SHOWN_UNITS >> 10
            out.append((when, MOVE, bid, 1 + shown, 1 + asked))
            resized = 1 + (r >> 46 & 255) * SHOWN_UNITS // 256
            when += third_ns
            out.append((when, SIZE, r >> 54 & 1, resized, 0))
            when += third_ns
            if not traded:
                out.append((when, BOTH, 1 + (r >> 55) * SHOWN_UNITS // 512, resized, 0))
            else:
                side = r >> 55 & 1
                if group == high_at:
                    side = 1
                elif group == low_at:
                    side = 0
                elif group == 0:
                    side = head & 1
                elif group == last:
                    side = head >> 1 & 1
                out.append((when, TRADE, bid + spread if side else bid, units, 0))
        at_ns += step_ns
    return out
