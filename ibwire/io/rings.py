"""The rings and live tables of one connection, in memory of its own or in shared memory under a name."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import Any, Final

from ibwire.io.shm import Segment
from ibwire.ring import impl
from ibwire.ring.tables import LiveTables, live_tables

__all__ = ["CONTROL", "ORDERS", "Rings", "make_rings"]

ORDERS: Final = 1
CONTROL: Final = 2
"""``origin`` of an entry on the tape of shared memory: which ring it is of."""


@dataclass(frozen=True, slots=True)
class Rings:
    """What :func:`make_rings` made. ``every`` is None with ``market="latest"``, ``tables`` with the plain twins."""

    market: Any
    every: Any
    orders: Any
    control: Any
    tables: LiveTables | None
    segment: Segment | None


def make_rings(settings: dict[str, Any], server_version: int, epoch: int) -> Rings:
    """Rings and tables for the settings of a link; ``settings["segment"]`` is the shared memory, or None."""
    limit, segment = settings["max_backlog_bytes"], settings["segment"]
    if impl.NAME != "compiled":
        market = impl.MarketRing(settings["market_records"])
        every = impl.EveryRing(market, limit) if settings["market"] == "every" else None
        return Rings(market, every, impl.LogRing(limit), impl.LogRing(limit), None, None)
    rings: Any = import_module("ibwire._ring")
    market = rings.MarketRing(settings["market_records"] if segment is None else segment.region)
    every = rings.EveryRing(market, limit) if settings["market"] == "every" else None
    tape = None if segment is None else rings.Tape(segment.region)
    # Without records there are no order entries: that ring takes the raw market data, the oldest of which may go.
    orders = rings.LogRing(limit, not settings["records"], tape=tape, origin=ORDERS)
    control = rings.LogRing(limit, tape=tape, origin=CONTROL)
    # Without records nothing is decoded: there is nothing to keep tables of.
    tables = live_tables(market, orders, settings["client_id"]) if settings["records"] else None
    if segment is not None:
        rings.set_session(segment.region, server_version, settings["client_id"], epoch)
    return Rings(market, every, orders, control, tables, segment)
