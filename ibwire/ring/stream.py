"""The stream decoder in plain Python: received bytes to ring entries. It defines what the compiled one does.

Every wire message has one sequence number, from 1, over all rings. By the ``record=`` of its row a message goes to
the market ring, or to the order ring (header and raw payload); every other one goes raw to the control ring. Also to
the control ring, with the same sequence number and flags: a market message with a text or number too long for its
record; and whatever cannot be decoded (FLAG_UNDECODABLE). An undecodable order message is in the order ring too, with
the 32-byte head alone. A message of unknown id is a control entry of kind 0 without flags, and no failure.

The head of a control entry has the wire id in ``code``. What was wrong with an undecodable message is not stored but
worked out when asked for: :meth:`StreamDecoder.explain`.
"""

from __future__ import annotations

from typing import Any, Final

from ibwire.errors import ConsumerTooSlow, ProtocolError
from ibwire.ring.every import EveryRing
from ibwire.ring.log import ENTRY_HEAD, LogRing
from ibwire.ring.market import MarketRing
from ibwire.ring.store import ORDER_TAIL, ORDER_TAIL_AT, Store
from ibwire.spec.records import BY_NAME, FLAG_EXTRA, FLAG_LONG_NUMBER, FLAG_LONG_TEXT, FLAG_UNDECODABLE
from ibwire.spec.registry import INCOMING
from ibwire.wire import proto, text
from ibwire.wire.codec import Codec, Role
from ibwire.wire.framing import Framer
from ibwire.wire.plan import Dialect, Make, Op, OpCode, Plan, ProtoCode, ProtoOp

TOO_SLOW_HINT: Final = "poll more often, close cursors that are not read, or raise max_backlog_bytes"

_MARKET_KINDS: Final = frozenset(
    row.id for row in INCOMING.values() if row.record and BY_NAME[row.record].ring == "market"
)
_LONG: Final = FLAG_LONG_TEXT | FLAG_LONG_NUMBER
_MAX_KINDS: Final = 1024
_I32: Final = 1 << 31


class StreamDecoder:
    """Cuts received bytes into messages and puts each into its ring.

    Parameters
    ----------
    server_version : int
        The agreed version, 100..225.
    market, orders, control
        The rings; this is their only producer.
    records : bool
        False: no records are made, every message goes raw: market data to the order ring, which has nothing else
        then and may be one that gives up the oldest, and everything else to the control ring.
    every : EveryRing
        Takes every market record too; this is its only producer.

    Attributes
    ----------
    watermark : int
        Sequence number up to which all rings have everything; published after the entries.

    Notes
    -----
    Used by one thread, the reader; :attr:`watermark` and :attr:`stats` may be read from any.
    """

    __slots__ = (
        "_bad_frames",
        "_bytes",
        "_codec",
        "_every",
        "_extra",
        "_framer",
        "_kinds",
        "_lost",
        "_records",
        "_stores",
        "_unknown",
        "control",
        "market",
        "orders",
        "server_version",
        "watermark",
    )

    def __init__(
        self,
        server_version: int,
        market: MarketRing,
        orders: LogRing,
        control: LogRing,
        *,
        records: bool = True,
        every: EveryRing | None = None,
    ) -> None:
        self.server_version = server_version
        self._records = records
        self.market, self.orders, self.control = market, orders, control
        self.watermark = 0
        self._every = every
        self._codec = Codec(server_version, Role.CLIENT)
        self._framer = Framer()
        self._stores: dict[int, Store | int | None] = {}
        self._lost: ProtocolError | None = None
        self._bytes = self._bad_frames = self._unknown = self._extra = 0
        self._kinds: dict[int, int] = {}

    @property
    def stats(self) -> dict[str, int]:
        """Counts since the start: messages, bytes (received), bad_frames, unknown (ids), extra (with surplus data)."""
        return {
            "messages": self.watermark,
            "bytes": self._bytes,
            "bad_frames": self._bad_frames,
            "unknown": self._unknown,
            "extra": self._extra,
        }

    def counters(self) -> tuple[dict[str, int], dict[int, int]]:
        """Counts by name, and messages by wire id."""
        return self.stats, dict(self._kinds)

    @property
    def pending_bytes(self) -> int:
        """Bytes received that do not yet form a whole frame."""
        return self._framer.pending_bytes

    def receive(self, data: bytes | bytearray | memoryview, recv_ns: int) -> int:
        """Take received bytes, in any chunking; ``data`` is copied.

        Parameters
        ----------
        recv_ns : int
            Monotonic time of the receive call; every message that this call completes carries it.

        Returns
        -------
        int
            How many messages were completed.

        Raises
        ------
        ProtocolError : framing is lost; what came before is in the rings, and every later call raises again.
        ConsumerTooSlow : a lossless ring is at its limit.
        """
        if self._lost is not None:
            raise self._lost
        self._bytes += len(data)
        self._framer.feed(data)
        before = self.watermark
        while True:
            try:
                payload = self._framer.next()
            except ProtocolError as exc:
                self._lost = exc
                raise
            if payload is None:
                return self.watermark - before
            seq = self.watermark + 1
            try:
                self._message(payload, seq, recv_ns)
            except OverflowError as exc:
                raise ConsumerTooSlow(str(exc), hint=TOO_SLOW_HINT) from None
            if self._every is not None:
                self._every.flush()
            self.watermark = seq

    def explain(self, payload: bytes) -> str:
        """What is wrong with the payload of an undecodable entry; empty if nothing is. Any thread."""
        try:
            Codec(self.server_version, Role.CLIENT).decode_registers(payload)
        except ProtocolError as exc:
            return str(exc)
        return ""

    # ------------------------------------------------------------------ one message

    def _message(self, payload: bytes, seq: int, recv_ns: int) -> None:
        try:
            wire_id, start = self._codec.split(payload)
        except ProtocolError:
            self._bad_frames += 1
            self._raw(self.control, 0, payload, 0, seq, recv_ns, FLAG_UNDECODABLE)
            return
        store = self._stores[wire_id] if wire_id in self._stores else self._store(wire_id)
        if wire_id in self._kinds or len(self._kinds) < _MAX_KINDS:
            self._kinds[wire_id] = self._kinds.get(wire_id, 0) + 1
        if store is None:
            self._unknown += 1
            self._raw(self.control, 0, payload, wire_id, seq, recv_ns, 0)
        elif isinstance(store, int):
            market = not self._records and store in _MARKET_KINDS
            self._raw(self.orders if market else self.control, store, payload, wire_id, seq, recv_ns, 0)
        else:
            self._record(store, payload, wire_id, start, seq, recv_ns)

    def _store(self, wire_id: int) -> Store | int | None:
        """What to do with a wire id: make a record, pass it on raw as that kind, or None for an unknown one."""
        found = self._codec.decoder(wire_id)
        kind: Store | int | None = None
        if found is not None:
            plan, _ = found
            kind = Store(plan) if plan.row.record and self._records else plan.row.id
            if isinstance(kind, Store):
                _check_names(plan.text, frozenset(plan.shape.regs[r].path for r in kind.texts))
        if len(self._stores) < _MAX_KINDS:  # hostile ids must not fill memory
            self._stores[wire_id] = kind
        return kind

    def _record(self, store: Store, payload: bytes, wire_id: int, start: int, seq: int, recv_ns: int) -> None:
        in_orders, kind = store.record.ring == "order", store.plan.row.id
        try:
            regs, extra, spans = _decode(store.plan, payload, start, self._codec._make)
        except ProtocolError:
            self._bad_frames += 1
            self._raw(self.control, kind, payload, wire_id, seq, recv_ns, FLAG_UNDECODABLE)
            if in_orders:
                self._raw(self.orders, kind, payload, wire_id, seq, recv_ns, FLAG_UNDECODABLE)
            return
        if extra:
            self._extra += 1
        record, flags = store.make(regs, payload, spans, seq, recv_ns, FLAG_EXTRA if extra else 0)
        if in_orders:
            ORDER_TAIL.pack_into(record, ORDER_TAIL_AT, len(payload), start)
            self.orders.append(bytes(record), payload)
            return
        self.market.append(record)
        if flags & _LONG:
            self._raw(self.control, kind, payload, wire_id, seq, recv_ns, flags)

    def _raw(self, ring: LogRing, kind: int, payload: bytes, wire_id: int, seq: int, recv_ns: int, flags: int) -> None:
        code = (wire_id + _I32 & 0xFFFFFFFF) - _I32  # as 32 bits; a longer id stands in the payload
        ring.append(ENTRY_HEAD.pack(seq, recv_ns, kind, 0, flags, code, len(payload), 0), payload)


# ---------------------------------------------------------------------------- decoding that knows where texts stand


class _TextReader(text._Reader):
    """Notes where each field of the payload stood."""

    __slots__ = ("spans",)

    def __init__(self, data: bytes, pos: int, name: str) -> None:
        super().__init__(data, pos, name)
        self.spans: dict[str, tuple[int, int]] = {}

    def next(self, field: str) -> bytes:
        at = self.pos
        raw = super().next(field)
        self.spans[field] = (at, len(raw))
        return raw


class _ProtoParser(proto._Parser):
    """Notes where the texts of the message itself stood (not those of list elements)."""

    __slots__ = ("regs", "spans")

    def __init__(self, data: bytes, name: str, make: Make, regs: list[Any]) -> None:
        super().__init__(data, name, make)
        self.regs = regs
        self.spans: dict[int, tuple[int, int]] = {}

    def field(self, op: ProtoOp, wire_type: int, regs: list[Any], pos: int, end: int, at: int) -> int:
        after = super().field(op, wire_type, regs, pos, end, at)
        if op.code is ProtoCode.STRING and regs is self.regs:
            start, stop = self.span(pos, end, op.name)
            self.spans[op.reg] = (start, stop - start)
        return after


def _decode(plan: Plan, payload: bytes, start: int, make: Make) -> tuple[list[Any], int, dict[int, tuple[int, int]]]:
    """Registers, surplus, and where each text register stands in the payload."""
    regs = text._fresh(plan.init, plan.lists)
    if plan.dialect is Dialect.TEXT:
        reader = _TextReader(payload, start, plan.row.name)
        text._run(plan.text, regs, reader, make)
        index = plan.shape.index
        spans = {index[name]: span for name, span in reader.spans.items() if name in index}
        extra = len(payload) - reader.pos
    else:
        assert plan.proto is not None
        parser = _ProtoParser(payload, plan.row.name, make, regs)
        parser.message(plan.proto, regs, start, len(payload))
        spans, extra = parser.spans, parser.unknown
    for hook in plan.row_hooks:
        hook.decode(regs, plan.shape.index, make)
    return regs, extra, spans


def _check_names(ops: tuple[Op, ...], names: frozenset[str]) -> None:
    """A text that is referred to must not share its name with a field of a list element."""
    for op in ops:
        if op.code is OpCode.WHEN:
            _check_names(op.body, names)
        elif op.code is OpCode.REPEAT and op.sub is not None:
            for inner in op.sub.ops:
                if inner.name in names:
                    raise TypeError(f"{inner.name} names a field and a field of a list element")


__all__ = ["StreamDecoder"]
