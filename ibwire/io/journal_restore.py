"""Beginning with a journal: only what a client needs is decoded and given to its order table.

Compiled code goes over every entry, checks it and finds which order it is about. Set aside are the orders whose whole
life is in the journal, which the last change of their state ended, with nothing about them for a day and a half: as the
journal's own table said so, and nothing came that it had not taken, they are as it said. What is left is replayed as
:func:`~ibwire.io.journal_rebuild.replay` does it, so the orders that the table gets are the same.
"""

from __future__ import annotations

import mmap
import time
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any, Final

from ibwire.errors import ConsumerTooSlow, ProtocolError
from ibwire.io.journal_errors import JournalCorrupt
from ibwire.io.journal_format import (
    FLAG_CARRIED,
    HEAD_BYTES,
    Act,
    Entry,
    Kind,
    entry_at,
    input_of,
    intent_of,
    json_body,
)
from ibwire.io.journal_read import Reading, segments_of
from ibwire.io.journal_rebuild import DIED, Rebuilt, Replay, begin_with, finish, rebuild
from ibwire.ring import impl
from ibwire.spec.orderstates import ENDED
from ibwire.spec.registry import INCOMING
from ibwire.trade.identity import id_of
from ibwire.trade.orders import OrderTable
from ibwire.trade.view import OrderView
from ibwire.wire.codec import Codec, Role

__all__ = ["KEPT_NS", "Earlier", "begin"]

KEPT_NS: Final = 36 * 3600 * 1_000_000_000
"""So long after the last word about it an order that has ended stays in the table: the gateway's lists are of a day."""

# What a message names, as the compiled index knows it.
_NAMES_ORDER, _NAMES_EXECUTION, _NAMES_FEE, _NAMES_ID, _BINDS_ORDER, _NAMES_PARENT = 1, 2, 3, 4, 5, 6
_ROLES: Final = {
    "openOrder": _NAMES_PARENT,
    "orderStatus": _NAMES_PARENT,
    "completedOrder": _NAMES_ORDER,
    "execDetails": _NAMES_EXECUTION,
    "commissionAndFeesReport": _NAMES_FEE,
    "error": _NAMES_ID,
    "orderBound": _BINDS_ORDER,
}
_DISPUTE: Final = b'"on_dispute"'
_POSITIONS: Final = json_body({"input": "on_positions"})[:-1]


def _roles() -> bytes:
    """What a message of each kind names, for the compiled index."""
    roles = bytearray(256)
    for row in INCOMING.values():
        if row.name in _ROLES:
            roles[row.id] = _ROLES[row.name]
    return bytes(roles)


class _Decoded:
    """What becomes of frames of one server version: entries of an order ring."""

    def __init__(self, server_version: int) -> None:
        orders = impl.LogRing()
        self.decoder = impl.StreamDecoder(server_version, impl.MarketRing(64), orders, impl.LogRing())
        self.cursor = orders.cursor()

    def take(self, frames: bytes) -> int:
        """Decode them; the number of the one before the first."""
        before = self.decoder.watermark
        self.decoder.receive(frames, 0)
        return before


class _Scan:
    """One pass over a journal without decoding it in Python."""

    def __init__(self, directory: Path, client_id: int) -> None:
        self._paths = segments_of(directory)
        self.reading = Reading([(str(path), path) for path in self._paths])
        cancels = [act for act in Act if not act.may_add_risk]
        about = [Act.PLACE, Act.MODIFY, Act.CANCEL]
        ended = [state.label.encode() for state in ENDED]
        make = import_module("ibwire._journal").Index
        self.index: Any = make(client_id, _roles(), Act.PLACE, cancels, about, ended, _POSITIONS)
        self.before_opened: list[int] = []  # time of the last entry before each process began
        self._versions: dict[int, int] = {}  # by epoch
        self._by_version: dict[int, _Decoded] = {}
        self._decoded: _Decoded | None = None

    def run(self) -> None:
        """Sort every entry.

        Raises
        ------
        JournalCorrupt, JournalVersion : as any reading. ProtocolError, ConsumerTooSlow : it cannot be done so.
        """
        for head, data, end in self.reading.spans():
            self.index.begin_segment()
            self.index.wall_offset = head.wall_ns - head.mono_ns
            self._segment(head.number, data, end)
        for entry in self.entries():  # nothing was chosen yet: those of every order
            if entry.kind == Kind.INPUT and _DISPUTE in entry.body:
                self._pin(entry)

    def _segment(self, number: int, data: bytes, end: int) -> None:
        at, index = HEAD_BYTES, self.index
        while at < end:
            self._first(entry_at(data, at, number))
            stop, frames = index.gather(data, at, end, Kind.SESSION, Kind.OPENED)
            cursor, before = None, 0
            if self._decoded is not None:
                cursor, before = self._decoded.cursor, self._decoded.take(frames)
            index.sort(data, at, stop, cursor, before)
            at = stop

    def _first(self, entry: Entry | None) -> None:
        """The first entry of a part may say what holds for the rest."""
        if entry is None:
            return
        if entry.kind == Kind.SESSION and (self._decoded is None or not entry.flags & FLAG_CARRIED):
            version = int(entry.json()["serverVersion"])
            self._versions[entry.epoch] = version
            if version not in self._by_version:
                self._by_version[version] = _Decoded(version)
            self._decoded = self._by_version[version]
        elif entry.kind == Kind.OPENED:
            self.before_opened.append(self.index.last_ns)
            self.index.wall_offset = int(entry.json()["wallNs"]) - entry.ns

    def _pin(self, entry: Entry) -> None:
        """Whom a dispute names is doubted, and one that is not ours makes all of them doubtful: none may be missing."""
        for value in input_of(entry)[2].values():
            for _, order_id, perm_id in value["orders"]:
                self.index.pin(order_id, perm_id)

    def choose(self, before_ns: int) -> int:
        """Set aside what ended before that; how many."""
        found: int = self.index.choose(before_ns)
        if found and self._tie(set(self.index.untold())):
            found = self.index.choose(before_ns)
        return found

    def _tie(self, untold: set[int]) -> int:
        """The parents of these orders, from what was sent: what releases a parent belongs to what it tells."""
        found = 0
        for entry in self.entries() if untold else ():
            if entry.kind != Kind.INTENT:
                continue
            intent = intent_of(entry)
            if intent.order_id in untold and intent.act in (Act.PLACE, Act.MODIFY):
                codec = Codec(self._versions[entry.epoch], Role.GATEWAY)
                parent = id_of(codec.decode(intent.frame).order.parentId)
                if parent:
                    self.index.tie(intent.order_id, parent)
                    found += 1
        return found

    def entries(self, wanted: bool = False) -> Iterator[Entry]:
        """Those that are every order's, or of one that is not set aside, or `wanted` last; oldest first."""
        for number, (head, path) in enumerate(zip(self.reading.heads, self._paths, strict=False)):
            offsets = self.index.kept(number, wanted)
            if not offsets:
                continue
            with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
                for at in offsets:
                    with memoryview(data) as view:
                        entry = entry_at(view, at, head.number)
                    if entry is None:
                        raise JournalCorrupt("an entry that was good is no more", str(path), at)
                    yield entry

    def replay(self, table: Any, wanted: bool = False) -> Replay:
        """Give a new table these entries."""
        work, opened = Replay(table), iter(self.before_opened)
        for entry in self.entries(wanted):
            if entry.kind == Kind.OPENED:
                work.facts.last_ns = next(opened)
            work.take(entry)
        return work


class Earlier:
    """The orders that were set aside, for who names one of them: ``graph.earlier`` of a table.

    Attributes
    ----------
    found : callable or None
        Told of an order before the table has it.
    """

    def __init__(self, scan: _Scan, table: Any) -> None:
        self._scan, self._table = scan, table
        self._is_looking = False
        self.found: Callable[[OrderView], object] | None = None

    def __call__(self, order_id: int, perm_id: int) -> bool:
        """Give the table the order with one of these ids. False: there is none, or its segment was removed."""
        family = [] if self._is_looking else self._scan.index.want(order_id, perm_id)
        if not family:
            return False
        self._is_looking = True
        try:
            alone = OrderTable(self._table.client_id, view_type=self._table.graph.view_type)
            self._scan.replay(alone, wanted=True).finish()
            alone.on_link_lost(DIED, self._scan.index.last_ns)
        except FileNotFoundError:
            return False
        finally:
            self._is_looking = False
        views = [view for one in sorted(family) if (view := alone.get(one)) is not None]
        for view in views:
            if self.found is not None:
                self.found(view)
            self._table.adopt(view)
        return bool(views)


def begin(directory: Path, table: Any, kept_ns: int = KEPT_NS, wall_ns: int | None = None) -> Rebuilt:
    """Give a new table what a program that begins needs of a journal; every order that had not ended is uncertain.

    Parameters
    ----------
    directory : the journal's. table : a new order table of its client id.
    kept_ns : how long after the last word about it an order that has ended is still given to the table.
    wall_ns : the wall clock; now by default.

    Raises
    ------
    JournalError : it is damaged (JournalCorrupt), or of another client id or a newer ibwire.
    """
    if impl.NAME != "compiled":
        return rebuild(directory, table)
    scan = _Scan(directory, table.client_id)
    try:
        scan.run()
    except (ProtocolError, ConsumerTooSlow):  # frames that no stream has: the long way says what they are
        return rebuild(directory, table)
    aside = scan.choose((time.time_ns() if wall_ns is None else wall_ns) - kept_ns)
    work = scan.replay(table)
    facts = finish(work, scan.reading)
    facts.entries, facts.last_ns = scan.index.entries, scan.index.last_ns
    facts.is_closed, facts.set_aside = scan.index.is_closed, aside
    facts.high_water = max(facts.high_water, scan.index.high_water)
    begin_with(facts, table)
    if aside:
        facts.earlier = table.graph.earlier = Earlier(scan, table)
    return facts
