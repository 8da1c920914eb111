"""Chooses rings and stream decoder once: compiled, or the plain twin with ``IBWIRE_PURE=1``. ``NAME`` says which."""

from __future__ import annotations

import os
from importlib import import_module
from typing import Any, Final

from ibwire import errors
from ibwire.errors import ConsumerTooSlow, ProtocolError
from ibwire.ring import every, log, market, stream
from ibwire.ring.records import array_of
from ibwire.ring.store import Store
from ibwire.spec.records import FLAG_EXTRA
from ibwire.wire.codec import Codec, Role
from ibwire.wire.framing import check_length

__all__ = ["NAME", "CompiledDecoder", "EveryRing", "LogRing", "MarketRing", "StreamDecoder", "reader_module"]


class CompiledDecoder(stream.StreamDecoder):
    """The compiled stream decoder behind the face of its twin.

    It is given its tables as plain data and raises builtin exceptions; both are turned around here, once per receive
    call.
    """

    __slots__ = ("every", "inner", "region")

    def __init__(
        self, server_version: int, market: Any, orders: Any, control: Any, *, records: bool = True, every: Any = None
    ) -> None:
        from ibwire.wire.hot import tables

        self.server_version = server_version
        self.market, self.orders, self.control, self.every = market, orders, control, every
        self.region: Any = market.region
        self.region.follow(orders, control)
        inner = import_module("ibwire._fastdecode").StreamDecoder
        self._codec, self._stores, self._records = Codec(server_version, Role.CLIENT), {}, records
        self.inner: Any = inner(tables(server_version, records), market, orders, control, self._record_of, every)

    def _record_of(self, payload: bytes) -> tuple[bytes, int]:
        """The record and flags of a payload with fields that come twice or out of order. The reader's thread."""
        wire_id, start = self._codec.split(payload)
        store = self._stores[wire_id] if wire_id in self._stores else self._store(wire_id)
        assert isinstance(store, Store)
        regs, extra, spans = stream._decode(store.plan, payload, start, self._codec._make)
        record, flags = store.make(regs, payload, spans, 0, 0, FLAG_EXTRA if extra else 0)
        return bytes(record), flags

    @property
    def watermark(self) -> int:  # type: ignore[override]
        return int(self.region.watermark)

    @property
    def stats(self) -> dict[str, int]:
        return dict(self.inner.stats)

    def counters(self) -> tuple[dict[str, int], dict[int, int]]:
        found: tuple[dict[str, int], dict[int, int]] = import_module("ibwire._reader").counters(self.region)
        return found

    @property
    def pending_bytes(self) -> int:
        return int(self.inner.pending_bytes)

    def receive(self, data: bytes | bytearray | memoryview, recv_ns: int) -> int:
        before = int(self.inner.seq)
        try:
            return int(self.inner.receive(data, recv_ns))
        except (OverflowError, ValueError):
            self.check()
        return int(self.inner.seq) - before

    def check(self) -> None:
        """Raise why nothing more is taken, if so: ProtocolError, ConsumerTooSlow or MemoryError."""
        try:
            self.inner.check()
        except OverflowError as exc:
            raise ConsumerTooSlow(str(exc), hint=stream.TOO_SLOW_HINT) from None
        except ValueError as exc:
            _, length, head = exc.args
            check_length(length, head)
            raise ProtocolError("framing is lost", payload=head) from None


MarketRing: type[market.MarketRing] = market.MarketRing
LogRing: type[log.LogRing] = log.LogRing
EveryRing: type[every.EveryRing] = every.EveryRing
StreamDecoder: type[stream.StreamDecoder] = stream.StreamDecoder


def _choose() -> str:
    """Take the compiled classes, all or none of them: they share their memory layout."""
    global EveryRing, LogRing, MarketRing, StreamDecoder
    if os.environ.get("IBWIRE_PURE", "") not in ("", "0"):
        return "plain"
    try:
        rings, decoder = import_module("ibwire._ring"), import_module("ibwire._fastdecode")
        if not hasattr(decoder, "StreamDecoder"):
            return "plain"
    except ImportError:
        return "plain"
    rings.setup(array_of, errors)
    MarketRing, LogRing, EveryRing, StreamDecoder = rings.MarketRing, rings.LogRing, rings.EveryRing, CompiledDecoder
    return "compiled"


NAME: Final = _choose()


def reader_module() -> Any:
    """The compiled reader's module; None with the plain twins."""
    return import_module("ibwire._reader") if NAME == "compiled" else None
