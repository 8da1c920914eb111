"""Live tables for a session: latest quotes and orders, kept by the producer at each publication. Compiled only."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, NamedTuple

from ibwire.spec.tables import NO_PRICE, machine_plan, order_plan, quote_plan

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ibwire._ring import LogRing, MarketRing, QuoteTable, Region
    from ibwire._tracker import OrderTable, Tracker
    from ibwire.spec.errorcodes import OrderEffect

__all__ = ["LiveTables", "live_tables", "order_machine", "tables_of"]


class LiveTables(NamedTuple):
    """The tables of one session. Read from any thread."""

    quotes: QuoteTable
    orders: OrderTable


def tables_of(region: Region) -> LiveTables:
    """The tables of a region, to read: those that stand in it, or new ones in memory of their own."""
    rings, tracker = _compiled()
    return LiveTables(rings.QuoteTable(region), tracker.OrderTable(region))


def live_tables(market: MarketRing, orders: LogRing, client_id: int) -> LiveTables:
    """Make the tables of a session and step them with every publication of its region.

    Parameters
    ----------
    market, orders : the rings of the session; nothing has been produced yet.
    client_id : ours; errors name orders of this client.
    """
    rings, tracker = _compiled()
    region = market.region
    made = tables_of(region)
    quotes = rings.QuoteStepper(made.quotes, market, quote_plan(), NO_PRICE)
    machine = order_machine(made.orders, client_id)
    region.step_with(rings.StepBoth(quotes, tracker.RingTracker(machine, orders)))
    return made


def order_machine(
    table: OrderTable, client_id: int, effects: Mapping[int, OrderEffect] | None = None, *, restores: bool = True
) -> Tracker:
    """The compiled order machine over a table, to be fed entry by entry.

    Parameters
    ----------
    table : shows what it concludes, and takes the commands. client_id : ours.
    effects : overrides of what an error code means for an order.
    restores : codes that tell, without an id, that answers may be missing make orders uncertain.
    """
    made: Tracker = _compiled()[1].Tracker(table, client_id, *order_plan(), machine_plan(effects, restores=restores))
    return made


def _compiled() -> tuple[Any, Any]:
    return import_module("ibwire._ring"), import_module("ibwire._tracker")
