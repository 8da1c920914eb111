"""Live tables for a session: latest quotes and orders, kept by the producer at each publication. Compiled only."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, NamedTuple

from ibwire.spec.tables import NO_PRICE, order_plan, quote_plan

if TYPE_CHECKING:
    from ibwire._ring import LogRing, MarketRing, QuoteTable, Region
    from ibwire._tracker import OrderTable

__all__ = ["LiveTables", "live_tables", "tables_of"]


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
    region.step_with(rings.StepBoth(quotes, tracker.Tracker(made.orders, orders, client_id, *order_plan())))
    return made


def _compiled() -> tuple[Any, Any]:
    return import_module("ibwire._ring"), import_module("ibwire._tracker")
