"""Where an instrument's price is at any time: a tree of seeded pieces, so that no time needs the times before it.

A day's session is a node: the bid's open, high, low and close, in price steps, and the units traded. A node is cut in
two at a fixed place, and what the halves are follows from the node and a hash of (seed, instrument, place): one half
keeps the high, one the low, they meet at one price, and their volumes add up. So a bar of any size, on any day, costs a
few cuts; a day's bar is its minutes' sum, by construction; and what the live market does in a second is what its
history says about that second. The smallest node is a *slot*; `slots` makes the changes of one.

Days stand on value noise around the price of the world's first day. Nothing here is random in time or in order of use.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from datetime import date
from functools import lru_cache
from math import isqrt
from typing import NamedTuple

from ibwire.sim import hours
from ibwire.sim.hours import Session, Span
from ibwire.sim.rng import stable_hash

_MASK = (1 << 64) - 1
_A, _B, _C = 0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB
_GRAINS = (14_400, 3_600, 1_800, 900, 300, 60, 30, 15, 5, 1)
_LIQUID_DENSITY = 16  # units traded in a liquid second to those in one outside
_OCTAVES = 8
_PPM = 1_000_000
_DAYS_KEPT = 512


class Node(NamedTuple):
    """A piece of time: the bid's first, highest, lowest and last price in steps, and units traded."""

    open: int
    high: int
    low: int
    close: int
    units: int


def mix(key: int) -> int:
    """Hash 64 bits to 64 bits."""
    key &= _MASK
    key = ((key ^ (key >> 30)) * _B) & _MASK
    key = ((key ^ (key >> 27)) * _C) & _MASK
    return key ^ (key >> 31)


@lru_cache(maxsize=65_536)
def cut_at(start_s: int, end_s: int, first_edge: int, second_edge: int) -> int:
    """Where the piece start_s..end_s is cut: at an edge of the liquid hours, else on the clock, near the middle."""
    for edge in (first_edge, second_edge):
        if start_s < edge < end_s:
            return edge
    middle = (start_s + end_s) // 2
    for grain in _GRAINS:
        below = middle // grain * grain
        above = below + grain
        place = below if middle - below <= above - middle and below > start_s else above
        if not start_s < place < end_s:
            place = below if place == above else above
        if start_s < place < end_s:
            return place
    raise AssertionError("a second cannot be cut")


def halves(r: int, node: Sequence[int], first_s: int, second_s: int) -> tuple[int, int, int, int, int]:
    """Return (price where the halves meet, high and low of the first, high and low of the second)."""
    open_, high, low, close = node[:4]
    reach = high - low
    if not reach:
        return low, low, low, low, low
    total = first_s + second_s
    meet = open_ + (close - open_) * first_s // total + ((r & 255) + (r >> 8 & 255) - 255) * reach // 700
    meet = low if meet < low else high if meet > high else meet
    high1 = open_ if open_ > meet else meet
    high2 = close if close > meet else meet
    low1 = open_ if open_ < meet else meet
    low2 = close if close < meet else meet
    bar = (first_s << 8) // total
    # One half has the extreme; the other goes part of the way.
    if high1 < high and (high2 == high or (r >> 16 & 255) >= bar):
        high1 += (high - high1) * (r >> 24 & 127) * 27 >> 12
        high2 = high
    elif high2 < high:
        high2 += (high - high2) * (r >> 24 & 127) * 27 >> 12
        high1 = high
    if low1 > low and (low2 == low or (r >> 31 & 255) >= bar):
        low1 -= (low1 - low) * (r >> 39 & 127) * 27 >> 12
        low2 = low
    elif low2 > low:
        low2 -= (low2 - low) * (r >> 39 & 127) * 27 >> 12
        low1 = low
    return meet, high1, low1, high2, low2


class DayPrices:
    """Daily open, high, low and close of one instrument, any day, without the days before it.

    Parameters
    ----------
    key : int
        The stream's 64-bit key.
    base : int
        Price in steps at the close before `first_day`.
    daily_ppm : int
        How far a day moves, in millionths.
    session, zone
        Decide which days trade.
    """

    def __init__(self, key: int, base: int, daily_ppm: int, session: Session, zone: str, first_day: date) -> None:
        self._key, self._base, self._ppm = key, base, daily_ppm
        self._session, self._zone = session, zone
        self._sizes = [isqrt(daily_ppm * daily_ppm << octave) for octave in range(_OCTAVES)]
        self._lattice: dict[tuple[int, int], int] = {}
        self._level = self._noise(hours.following(session, zone, first_day, -1).day.toordinal())

    def _noise(self, day: int) -> int:
        total = 0
        for octave, size in enumerate(self._sizes):
            index, part = day >> octave, day & ((1 << octave) - 1)
            one, other = self._point(octave, index, size), self._point(octave, index + 1, size)
            total += one + ((other - one) * part >> octave)
        return total

    def _point(self, octave: int, index: int, size: int) -> int:
        known = self._lattice.get((octave, index))
        if known is None:
            known = mix(self._key + _A * (index * _OCTAVES + octave + 1)) % (2 * size + 1) - size
            self._lattice[octave, index] = known
        return known

    def close(self, day: date) -> int:
        """Return the close of a day in steps."""
        moved = self._noise(day.toordinal()) - self._level
        return max(self._base + self._base * moved // _PPM, self._base // 20, 1)

    def ohlc(self, day: date) -> tuple[int, int, int, int]:
        """Return the four prices of a day that trades."""
        close, before = self.close(day), self.close(hours.following(self._session, self._zone, day, -1).day)
        r = mix(self._key ^ mix(day.toordinal()))
        reach = self._base * self._ppm // _PPM
        open_ = max(before + reach * ((r & 1023) - 512) // 2048, 1)
        high = max(open_, close) + reach * (r >> 10 & 1023) // 1024
        low = max(min(open_, close) - reach * (r >> 20 & 1023) // 1024, 1)
        return open_, high, low, close


class Path:
    """One instrument's price and volume through all of its sessions.

    Parameters
    ----------
    key : int
        Key of volumes and of what is drawn inside slots.
    days : DayPrices
        Where days stand; an option has those of its underlying.
    tree_key : int
        Key of the cuts; an option has that of its underlying.
    tree_session, session, zone
        The session that is cut, and the own trading hours inside it.
    slot_s : int
        Length of a slot in seconds: 1, 5, 15, 30 or 60.
    slot_units : tuple of (int, int)
        Least and about average units traded in a slot; (0, 0) for what has no trades.
    transform : callable or None
        (day, price in steps of the tree) -> own price in steps, rising or falling all over; None: the same.
    """

    def __init__(
        self,
        key: int,
        days: DayPrices,
        tree_key: int,
        tree_session: Session,
        session: Session,
        zone: str,
        slot_s: int,
        slot_units: tuple[int, int],
        transform: Callable[[date, int], int] | None = None,
    ) -> None:
        self.key, self.slot_s, self.session, self.zone = key, slot_s, session, zone
        self.days, self.tree_key, self.tree_session = days, tree_key, tree_session
        self._least, self._mean = slot_units
        self._transform = transform
        self._roots: dict[date, Node] = {}

    # -- sessions ----------------------------------------------------------------------------------------------------

    def last_started(self, time_s: int) -> Span:
        """Return the session that runs at a time, or the last one before it."""
        return hours.last_started(self.session, self.zone, time_s)

    def following(self, span: Span, step: int = 1) -> Span:
        """Return the next session, or with -1 the one before."""
        return hours.following(self.session, self.zone, span.day, step)

    # -- pieces ------------------------------------------------------------------------------------------------------

    def pieces(self, span: Span, edges: Sequence[int], start_s: int, end_s: int) -> Iterator[tuple[int, int, Node]]:
        """Yield (start, end, node) of every piece of start_s..end_s that no edge lies in, in time order.

        The range must lie in the session; `edges` are sorted UTC seconds, whole slots from the session's start.
        """
        outer = hours.span_of(self.tree_session, self.zone, span.day)
        assert outer is not None  # a day of an instrument is a day of what it stands on
        todo = [(outer.start_s, outer.end_s, self._root(span, outer))]
        first_edge, second_edge = outer.liquid_start_s, outer.liquid_end_s
        while todo:
            a, b, node = todo.pop()
            if b <= start_s or a >= end_s:
                continue
            if a >= start_s and b <= end_s:
                place = bisect_left(edges, a + 1)
                if place == len(edges) or edges[place] >= b:
                    yield a, b, self._shown(span.day, node) if self._transform else node
                    continue
            m = cut_at(a, b, first_edge, second_edge)
            r = mix(self.tree_key + a * _A + (b - a) * _B)
            meet, high1, low1, high2, low2 = halves(r, node, m - a, b - m)
            units = self._first_units(span, node[4], a, m, b)
            todo.append((m, b, Node(meet, high2, low2, node[3], node[4] - units)))
            todo.append((a, m, Node(node[0], high1, low1, meet, units)))

    def slots(self, span: Span, from_s: int) -> Iterator[tuple[int, Node]]:
        """Yield (start, node) of every slot of a session from the one on that begins at or holds `from_s`."""
        first = span.start_s + max(from_s - span.start_s, 0) // self.slot_s * self.slot_s
        edges = range(span.start_s, span.end_s + 1, self.slot_s)
        for start, _, node in self.pieces(span, edges, first, span.end_s):
            yield start, node

    def node(self, span: Span, start_s: int, end_s: int) -> Node | None:
        """Return the sum over start_s..end_s (whole slots, inside the session), None when it is empty."""
        return total(node for _, _, node in self.pieces(span, (), start_s, end_s))

    # -- inside ------------------------------------------------------------------------------------------------------

    def _root(self, span: Span, outer: Span) -> Node:
        root = self._roots.get(span.day)
        if root is None:
            if len(self._roots) >= _DAYS_KEPT:
                self._roots.clear()
            count = (span.end_s - span.start_s) // self.slot_s
            spread = mix(self.key + span.day.toordinal() * _C) & 1023
            over = self._mean * count * (512 + spread) // 1024
            # Outside the liquid hours little is traded, but in every slot something.
            units = self._least * count + (over if self._mean else 0)
            root = self._roots[span.day] = Node(*self.days.ohlc(span.day), units)
        return root

    def _first_units(self, span: Span, units: int, a: int, m: int, b: int) -> int:
        """How much of a piece's units its first half has."""
        if not units:
            return 0
        first, first_weight = self._weight(span, a, m)
        second, second_weight = self._weight(span, m, b)
        r = mix(self.key + a * _C + (b - a) * _A)
        first_weight *= 192 + (r & 127)
        second_weight *= 192 + (r >> 8 & 127)
        both = first_weight + second_weight
        least = self._least * first
        if not both:
            return least
        return least + (units - least - self._least * second) * first_weight // both

    def _weight(self, span: Span, a: int, b: int) -> tuple[int, int]:
        """(Slots of the session in a..b, their weight)."""
        a, b = max(a, span.start_s), min(b, span.end_s)
        if a >= b:
            return 0, 0
        liquid = min(b, span.liquid_end_s) - max(a, span.liquid_start_s)
        return (b - a) // self.slot_s, b - a + (_LIQUID_DENSITY - 1) * max(liquid, 0)

    def _shown(self, day: date, node: Node) -> Node:
        assert self._transform is not None
        open_, high, low, close = (self._transform(day, price) for price in node[:4])
        return Node(open_, max(high, low), min(high, low), close, node.units)


def total(nodes: Iterator[Node]) -> Node | None:
    """Return the sum of nodes in time order, None for none."""
    first = next(nodes, None)
    if first is None:
        return None
    open_, high, low, close, units = first
    for node in nodes:
        high = node.high if node.high > high else high
        low = node.low if node.low < low else low
        close = node.close
        units += node.units
    return Node(open_, high, low, close, units)


def key_of(seed: int, *name: int | str) -> int:
    """Return the key of a stream."""
    return stable_hash(seed, *name)
