"""Following quotes: a cursor of its own on the market ring, and a request for each contract."""

from __future__ import annotations

from collections.abc import Sequence
from types import TracebackType
from typing import TYPE_CHECKING

from ibwire.client.intake import Pending
from ibwire.client.quotes import Quote, TickReader
from ibwire.errors import IbwireError, SessionLost
from ibwire.io import clock
from ibwire.io.wait import seconds
from ibwire.trade.risk_requests import contract_key
from ibwire.types import outgoing
from ibwire.types.structs import Contract

if TYPE_CHECKING:
    from ibwire.client.core import Core

__all__ = ["QuoteStream"]

_BATCH = 4096


class QuoteStream:
    """Quotes of some contracts until closed. A context manager; used by one thread.

    Each contract is named by its place in the sequence that was given.

    Attributes
    ----------
    gaps : int
        Market records that were overwritten before this stream came to them. Quotes are newest-wins: they stay right.
    """

    def __init__(self, core: Core, contracts: Sequence[Contract], generic_ticks: str = "") -> None:
        self._core = core
        self._contracts = list(contracts)
        self._reader = TickReader()
        self._pending: dict[int, Pending] = {}
        self._closed = False
        self.gaps = 0
        core.check_usable()
        self._cursor = core.link.market.cursor()
        self._ids = [core.take_request_id() for _ in self._contracts]
        self._keys = {reqId: contract_key(one) for reqId, one in zip(self._ids, self._contracts, strict=True)}
        try:
            for reqId, contract in zip(self._ids, self._contracts, strict=True):
                self._reader.add(reqId)
                if core.link.tables is not None:
                    core.link.tables.quotes.add(reqId)
                with core.lock:
                    self._pending[reqId] = core.intake.expect(reqId, Pending((), None, is_market=True))
                core.send(outgoing.ReqMktData(reqId, contract, generic_ticks))
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> QuoteStream:
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self.close()

    def quote(self, place: int = 0) -> Quote:
        """The newest quote that :meth:`update` has seen."""
        return self._reader.quotes[self._ids[place]]

    def ticks(self, place: int = 0) -> int:
        """Tick records seen so far."""
        return self._reader.ticks[self._ids[place]]

    def update(self, timeout: float) -> list[int]:
        """Take in what has come, waiting for it if need be.

        Parameters
        ----------
        timeout : float
            Seconds to wait for a change.

        Returns
        -------
        list of int
            Places of the contracts whose quote changed; empty when the time was up first.

        Raises
        ------
        MarketDataError : the gateway refused or ended one of the subscriptions.
        SessionLost : the connection is gone.
        """
        bell = self._core.link.bell
        deadline_ns = clock.now_ns() + seconds(timeout) * 1e9
        while True:
            seen = bell.count
            self._core.pump.turn()
            changed = self._take()
            if changed:
                return changed
            self._raise_errors()
            left_ms = (deadline_ns - clock.now_ns()) / 1e6
            if left_ms <= 0:
                return []
            # In slices: an error is told by the client's thread, a moment after the bell.
            bell.wait(seen, min(left_ms, 20.0))

    def _take(self) -> list[int]:
        changed: set[int] = set()
        while True:
            records = self._cursor.poll_bytes(_BATCH)
            self.gaps += self._cursor.last_gap
            if not records:
                return [place for place, reqId in enumerate(self._ids) if reqId in changed]
            changed |= (fresh := self._reader.feed(records))
            for reqId in fresh:  # what the risk gate judges prices by
                self._core.risk.book.on_quote(self._keys[reqId], self._reader.quotes[reqId])

    def _raise_errors(self) -> None:
        for pending in self._pending.values():
            error = pending.error
            if isinstance(error, SessionLost):
                raise SessionLost(str(error)) from error
            if error is not None:
                raise error
        self._core.check_usable()

    def close(self) -> None:
        """End the subscriptions. Twice is harmless."""
        if self._closed:
            return
        self._closed = True
        core = self._core
        for reqId, pending in self._pending.items():
            refused = pending.error is not None
            if core.link.tables is not None:
                core.link.tables.quotes.remove(reqId)
            with core.lock:
                core.intake.forget(reqId, pending)
            if not refused and core.lost is None:
                try:
                    core.send(outgoing.CancelMktData(reqId))
                except IbwireError:  # it is over anyway
                    pass
