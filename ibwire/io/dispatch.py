"""All rings as one stream: what arrived, in the exact order of the wire."""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from typing import Any, Final, Protocol

from ibwire.spec.records import RECORD_BYTES

_SEQ: Final = struct.Struct("<Q")
_BATCH: Final = 1024


class _Watermark(Protocol):
    @property
    def watermark(self) -> int: ...


class _LogCursor(Protocol):
    def poll(self, max: int = ..., /) -> Sequence[Any]: ...
    def adopt(self) -> None: ...
    def close(self) -> None: ...


class _MarketCursor(Protocol):
    @property
    def last_gap(self) -> int: ...

    def poll_bytes(self, max: int = ..., /) -> bytes: ...
    def adopt(self) -> None: ...


class Dispatcher:
    """Drains an order, a control and a market cursor, merged by sequence number, into callbacks.

    Parameters
    ----------
    decoder
        Its ``watermark`` says up to where every ring is complete.
    orders, control, market
        Cursors of its rings, which this object then owns; None leaves a ring out.
    on_entry : callable
        Called with each entry of the order and control rings. A message that stands in several rings (one that could
        not be decoded, or was too long for its record) comes once: as the control entry, which has the whole payload
        and says what was wrong.
    on_market : callable
        Called with the market records that came between two entries, as bytes (64 for each record).
    on_gap : callable
        Called with the number of market records lost, where they are missing.

    Notes
    -----
    One thread. The callbacks run in :meth:`dispatch`; what they raise passes through, and the next call goes on behind
    the item that raised.
    """

    def __init__(
        self,
        decoder: _Watermark,
        orders: _LogCursor | None,
        control: _LogCursor | None,
        market: _MarketCursor | None,
        on_entry: Callable[[Any], object],
        on_market: Callable[[memoryview], object] | None = None,
        on_gap: Callable[[int], object] | None = None,
    ) -> None:
        self._decoder = decoder
        self._orders = _EntrySource(orders)
        self._control = _EntrySource(control)
        self._market = _MarketSource(market)
        self._on_entry, self._on_market, self._on_gap = on_entry, on_market, on_gap

    def dispatch(self) -> int:
        """Deliver everything that had arrived when the call began.

        Returns
        -------
        int
            How many items (entries and market records) were delivered.
        """
        limit = self._decoder.watermark
        delivered = 0
        while True:
            control = self._control.head(limit)
            orders = self._orders.head(limit)
            market = self._market.head(limit)
            seq = min(control, orders, market)
            if seq > limit:
                return delivered
            if self._market.gap and seq == market:
                gap, self._market.gap = self._market.gap, 0
                if self._on_gap is not None:
                    self._on_gap(gap)
            if seq == control:
                # The same message in another ring is this one again.
                if seq == orders:
                    self._orders.take()
                if seq == market:
                    self._market.take(seq + 1)
                delivered += 1
                self._on_entry(self._control.take())
            elif seq == orders:
                delivered += 1
                self._on_entry(self._orders.take())
            else:
                run = self._market.take(min(control, orders, limit + 1))
                delivered += len(run) // RECORD_BYTES
                if self._on_market is not None:
                    self._on_market(run)

    def adopt(self) -> None:
        """Go on in this thread; the one before is done."""
        for source in (self._orders, self._control, self._market):
            source.adopt()

    def close(self) -> None:
        """Close the cursors."""
        self._orders.close()
        self._control.close()


class _EntrySource:
    __slots__ = ("_at", "_cursor", "_items")

    def __init__(self, cursor: _LogCursor | None) -> None:
        self._cursor = cursor
        self._items: Sequence[Any] = ()
        self._at = 0

    def head(self, limit: int) -> int:
        """Sequence number of the next entry; above ``limit`` when there is none up to it."""
        if self._at == len(self._items):
            if self._cursor is None:
                return limit + 1
            self._items, self._at = self._cursor.poll(_BATCH), 0
            if not self._items:
                return limit + 1
        return int(self._items[self._at].seq)

    def take(self) -> Any:
        self._at += 1
        return self._items[self._at - 1]

    def adopt(self) -> None:
        if self._cursor is not None:
            self._cursor.adopt()

    def close(self) -> None:
        if self._cursor is not None:
            self._cursor.close()


class _MarketSource:
    __slots__ = ("_at", "_cursor", "_raw", "gap")

    def __init__(self, cursor: _MarketCursor | None) -> None:
        self._cursor = cursor
        self._raw = memoryview(b"")
        self._at = 0
        self.gap = 0

    def head(self, limit: int) -> int:
        if self._at == len(self._raw):
            if self._cursor is None:
                return limit + 1
            self._raw, self._at = memoryview(self._cursor.poll_bytes(_BATCH)), 0
            self.gap += self._cursor.last_gap
            if not self._raw:
                return limit + 1
        return int(_SEQ.unpack_from(self._raw, self._at)[0])

    def adopt(self) -> None:
        if self._cursor is not None:
            self._cursor.adopt()

    def take(self, before: int) -> memoryview:
        """The records before that sequence number, as far as they were polled."""
        start = at = self._at
        while at < len(self._raw) and _SEQ.unpack_from(self._raw, at)[0] < before:
            at += RECORD_BYTES
        self._at = at
        return self._raw[start:at]
