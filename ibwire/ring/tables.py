"""Live tables for a session: latest quotes and orders, kept by the producer at each publication. Compiled only."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from ibwire.spec.tables import NO_PRICE, machine_plan, order_plan, quote_plan

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ibwire._ring import LogRing, MarketRing, QuoteTable, Region
    from ibwire._tracker import OrderTable, OrderValues, Tracker
    from ibwire.spec.errorcodes import OrderEffect

__all__ = ["LiveTables", "OrderRows", "live_tables", "order_machine", "private_orders", "tables_of"]


class OrderRows(Protocol):
    """What is told to the compiled order table, and read from it; :class:`ibwire._tracker.OrderTable` is one."""

    def place(
        self,
        orderId: int,
        now_ns: int,
        *,
        quantity: float = ...,
        quantity_digits: int = ...,
        limit: float = ...,
        aux: float = ...,
        transmit: bool = ...,
        what_if: bool = ...,
        parentId: int = ...,
        sec_type: str = ...,
        account: str = ...,
        divided: bool = ...,
        journaled: bool = ...,
    ) -> None: ...
    def sent(self, orderId: int, now_ns: int, transmit: bool = ...) -> None: ...
    def cancel(self, orderId: int, now_ns: int) -> None: ...
    def send_failed(self, orderId: int, now_ns: int, wrote_bytes: int = ...) -> None: ...
    def link_lost(self, now_ns: int) -> None: ...
    def restored(self, now_ns: int) -> None: ...
    def begin_snapshot(self, now_ns: int, everyone: bool = ...) -> None: ...
    def end_snapshot(self, now_ns: int, complete: bool = ...) -> None: ...
    def executions_listed(self, now_ns: int, unnamed: Sequence[tuple[int, int]] = ...) -> None: ...
    def looked_up(self, now_ns: int, after_seq: int | None = ...) -> None: ...
    def unreadable(self, now_ns: int, orderId: int | None = ...) -> None: ...
    def check_deadlines(self, now_ns: int) -> None: ...
    def read(self, clientId: int, orderId: int) -> OrderValues | None: ...
    def settled(self, clientId: int, orderId: int, after_seq: int = ...) -> OrderValues | None: ...
    def find_perm(self, permId: int) -> OrderValues | None: ...


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
    machine = made.orders.machine = order_machine(made.orders, client_id)
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


def private_orders(client_id: int) -> tuple[OrderTable, Tracker]:
    """An order table and its machine in memory of their own, without rings: entries are handed to the machine."""
    rings, tracker = _compiled()
    table: OrderTable = tracker.OrderTable(rings.Region(64), 8)
    return table, order_machine(table, client_id, restores=False)


def _compiled() -> tuple[Any, Any]:
    return import_module("ibwire._ring"), import_module("ibwire._tracker")
