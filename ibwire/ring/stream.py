"""The stream decoder in plain Python: received bytes to ring entries. It defines what the compiled one does.

Every wire message has one sequence number, from 1, over all rings. By the ``record=`` of its row a message goes to
the market ring, or to the order ring (header and raw payload); every other one goes raw to the control ring. Also to
the control ring, with the same sequence number and flags: a market message with a text or number too long for its
record; and whatever cannot be decoded, with the error text. An undecodable order message is in the order ring too.
"""

from __future__ import annotations

from typing import Any, Final

from ibwire.errors import ConsumerTooSlow, ProtocolError
from ibwire.ring.log import ENTRY_HEAD, LogRing
from ibwire.ring.market import MarketRing
from ibwire.ring.store import ORDER_TAIL, ORDER_TAIL_AT, Store
from ibwire.spec.records import FLAG_EXTRA, FLAG_LONG_NUMBER, FLAG_LONG_TEXT, FLAG_UNDECODABLE
from ibwire.wire import proto, text
from ibwire.wire.codec import Codec, Role
from ibwire.wire.framing import Framer
from ibwire.wire.plan import Dialect, Make, Op, OpCode, Plan, ProtoCode, ProtoOp

_LONG: Final = FLAG_LONG_TEXT | FLAG_LONG_NUMBER
_MAX_ERROR_TEXT_BYTES: Final = 400
_MAX_KINDS: Final = 1024


class StreamDecoder:
    """Cuts received bytes into messages and puts each into its ring.

    Parameters
    ----------
    server_version : int
        The agreed version, 100..225.
    market, orders, control
        The rings; this is their only producer.

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
        "_extra",
        "_framer",
        "_lost",
        "_stores",
        "_unknown",
        "control",
        "market",
        "orders",
        "server_version",
        "watermark",
    )

    def __init__(self, server_version: int, market: MarketRing, orders: LogRing, control: LogRing) -> None:
        self.server_version = server_version
        self.market, self.orders, self.control = market, orders, control
        self.watermark = 0
        self._codec = Codec(server_version, Role.CLIENT)
        self._framer = Framer()
        self._stores: dict[int, Store | int | None] = {}
        self._lost: ProtocolError | None = None
        self._bytes = self._bad_frames = self._unknown = self._extra = 0

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
                hint = "poll more often, close cursors that are not read, or raise max_backlog_bytes"
                raise ConsumerTooSlow(str(exc), hint=hint) from None
            self.watermark = seq

    # ------------------------------------------------------------------ one message

    def _message(self, payload: bytes, seq: int, recv_ns: int) -> None:
        try:
            wire_id, start = self._codec.split(payload)
        except ProtocolError as exc:
            self._bad_frames += 1
            self._undecodable(0, payload, 0, seq, recv_ns, str(exc))
            return
        store = self._stores[wire_id] if wire_id in self._stores else self._store(wire_id)
        if store is None:
            self._unknown += 1
            self._undecodable(0, payload, start, seq, recv_ns, f"unknown message id {wire_id}")
        elif isinstance(store, int):
            self._control(store, payload, start, seq, recv_ns, 0)
        else:
            self._record(store, payload, start, seq, recv_ns)

    def _store(self, wire_id: int) -> Store | int | None:
        """What to do with a wire id: make a record, pass it on raw as that kind, or None for an unknown one."""
        found = self._codec.decoder(wire_id)
        kind: Store | int | None = None
        if found is not None:
            plan, _ = found
            kind = Store(plan) if plan.row.record else plan.row.id
            if isinstance(kind, Store):
                _check_names(plan.text, frozenset(plan.shape.regs[r].path for r in kind.refs))
        if len(self._stores) < _MAX_KINDS:  # hostile ids must not fill memory
            self._stores[wire_id] = kind
        return kind

    def _record(self, store: Store, payload: bytes, start: int, seq: int, recv_ns: int) -> None:
        in_orders = store.record.ring == "order"
        try:
            regs, extra, spans = _decode(store.plan, payload, start, self._codec._make)
        except ProtocolError as exc:
            self._bad_frames += 1
            if in_orders:
                self._order(store.unset(seq, recv_ns, FLAG_UNDECODABLE), payload, start)
            self._undecodable(store.plan.row.id, payload, start, seq, recv_ns, str(exc))
            return
        if extra:
            self._extra += 1
        record, flags = store.make(regs, seq, recv_ns, FLAG_EXTRA if extra else 0, spans)
        if in_orders:
            self._order(record, payload, start)
            return
        if flags & _LONG:
            self._control(store.plan.row.id, payload, start, seq, recv_ns, flags)
        self.market.append(record)

    def _order(self, header: bytearray, payload: bytes, start: int) -> None:
        ORDER_TAIL.pack_into(header, ORDER_TAIL_AT, len(payload), start)
        self.orders.append(bytes(header), payload)

    def _control(
        self, kind: int, payload: bytes, start: int, seq: int, recv_ns: int, flags: int, problem: bytes = b""
    ) -> None:
        header = ENTRY_HEAD.pack(seq, recv_ns, kind, 0, flags, 0, len(payload), start) + problem
        self.control.append(header, payload)

    def _undecodable(self, kind: int, payload: bytes, start: int, seq: int, recv_ns: int, problem: str) -> None:
        raw = problem.encode("utf-8", "replace")[:_MAX_ERROR_TEXT_BYTES]
        self._control(kind, payload, start, seq, recv_ns, FLAG_UNDECODABLE, raw)


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
