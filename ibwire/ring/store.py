"""From decoded registers to ring records: which register fills which place, worked out once per plan.

The rules, which the compiled decoder follows too:

* A place starts as unset: NaN (f64), INT64_MIN (i64), -1 (digits), 0 (everything else). A field whose paths the
  message does not have, or whose optional struct did not come, stays so.
* A value that is not set is stored as NaN, INT64_MIN, INT32_MIN (i32) or 0 (shorter integers); FLAG_UNSET says that
  there is a NaN, INT64_MIN or INT32_MIN among the numbers that came or could have come.
* An integer beyond its place is stored as INT64_MIN, INT32_MIN, -32768 or 255, with FLAG_LONG_NUMBER.
* A number is stored as the nearest double; its digits field takes the digits after the point as written (-1: more than
  127, or not written as text). FLAG_LONG_NUMBER: a decimal of more than 15 significant digits, more than a double is
  sure to give back, or beyond its range.
* Text is stored as its bytes on the wire, as many as fit. FLAG_LONG_TEXT: that is not all, or it is more than plain
  ASCII (other characters, escapes), so that only the whole message says what it means. A ``ref`` names the bytes of a
  text in the raw payload.
* A path that names no field is a mask: the ``Bits`` item of that name, made again from the bits that the row knows.
* The head of a second part repeats that of the first, but for ``part``.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from math import isfinite, isnan, nan
from typing import Any, Final

from ibwire.ring.records import HEAD_BYTES, placed, record_bytes
from ibwire.spec.model import Bits, Gate, Item, Kind, Repeat, Row, TextRule, When
from ibwire.spec.records import (
    BY_NAME,
    EXACT_DIGITS,
    FLAG_LONG_NUMBER,
    FLAG_LONG_TEXT,
    FLAG_UNSET,
    INT_UNSET,
    RECORD_BYTES,
    Record,
    RecordField,
)
from ibwire.wire.plan import Op, OpCode, Plan

MAX_SCALE: Final = 127
"""Most digits after the point that a digits field holds."""

HEAD: Final = struct.Struct("<QqBBH")
"""seq, recv_ns, kind, part, flags."""
ORDER_TAIL: Final = struct.Struct("<II")
"""payload_bytes and body of an order or control header, at byte 24."""
ORDER_TAIL_AT: Final = 24

_PACK: Final = {
    ctype: struct.Struct("<" + code)
    for ctype, code in (
        *(("u8", "B"), ("i8", "b"), ("u16", "H"), ("i16", "h")),
        *(("u32", "I"), ("i32", "i"), ("u64", "Q"), ("i64", "q"), ("f64", "d")),
    )
}
_RANGE: Final = {  # lowest and highest value, what stands for a value beyond them, what stands for none
    "i64": (1 - (1 << 63), (1 << 63) - 1, INT_UNSET, INT_UNSET),
    "i32": (1 - (1 << 31), (1 << 31) - 1, -(1 << 31), -(1 << 31)),
    "i16": (1 - (1 << 15), (1 << 15) - 1, -(1 << 15), 0),
    "u8": (0, 255, 255, 0),
}
_STAMPED: Final = frozenset(("seq", "recv_ns", "kind", "part", "flags", "payload_bytes", "body"))


@dataclass(frozen=True, slots=True)
class Source:
    """Where a value comes from: a register or a mask, if every optional struct above it is there."""

    guards: tuple[int, ...]
    reg: int
    bits: tuple[tuple[int, int], ...] = ()

    def applies(self, regs: list[Any]) -> bool:
        return all(regs[g] for g in self.guards)

    def value(self, regs: list[Any]) -> Any:
        return sum(bit for reg, bit in self.bits if regs[reg]) if self.bits else regs[self.reg]


@dataclass(frozen=True, slots=True)
class Place:
    """One field of a record with its sources; the first that applies counts."""

    name: str
    ctype: str
    at: int
    size: int
    sources: tuple[Source, ...]
    digits_at: int = -1
    length_at: int = -1


def bits_of(row: Row) -> Iterator[Bits]:
    """Every mask of a row, in both dialects."""

    def walk(items: tuple[Item, ...]) -> Iterator[Bits]:
        for item in items:
            if isinstance(item, Bits):
                yield item
            elif isinstance(item, Gate | When | Repeat):
                yield from walk(item.items)

    yield from walk(row.text or ())
    for _, target in row.proto_map:
        if isinstance(target, Bits):
            yield target


def source(plan: Plan, path: str) -> Source | None:
    """The source of a record path, or None when the message has nothing of that name."""
    index = plan.shape.index
    parts = path.split(".")
    guards = tuple(index[g] for g in (".".join(parts[:n]) + "?" for n in range(1, len(parts))) if g in index)
    if path in index:
        return Source(guards, index[path])
    for item in bits_of(plan.row):
        if item.name == path:
            return Source(guards, -1, tuple((index[p], mask) for p, mask, _ in item.bits))
    return None


class Store:
    """Makes the record of a message from its registers. One per plan; used by the producer's thread.

    Parameters
    ----------
    plan : Plan
        A plan of the typed profile whose row names a record.
    """

    __slots__ = ("_escaped", "_places", "_template", "parts", "plan", "record", "texts")

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.record: Record = BY_NAME[plan.row.record]
        self.parts = self.record.parts
        places = placed(self.record)
        self._places = tuple(_place(plan, f, at, places) for f, _, at in places if f.name not in _STAMPED)
        self._places = tuple(p for p in self._places if p.sources)
        self._template = _template(self.record)
        self._escaped = frozenset(_escaped(plan.text))
        kinds = plan.shape.regs
        self.texts = frozenset(s.reg for p in self._places for s in p.sources if kinds[s.reg].kind is Kind.STR)

    def make(
        self, regs: list[Any], payload: bytes, spans: dict[int, tuple[int, int]], seq: int, recv_ns: int, flags: int
    ) -> tuple[bytearray, int]:
        """The record of a message, an order header still without payload_bytes and body, and its flags.

        ``spans``: register -> (offset, length) of its text in the payload.
        """
        out = bytearray(self._template)
        for place in self._places:
            for src in place.sources:
                if src.applies(regs):
                    at, size = spans.get(src.reg, (0, 0))
                    if place.ctype == "ref":
                        ORDER_TAIL.pack_into(out, place.at, at, size)
                    elif place.length_at >= 0:
                        flags |= _store_text(out, place, payload[at : at + size], src.reg in self._escaped)
                    elif place.ctype == "f64":
                        flags |= _store_float(out, place, src.value(regs), payload[at : at + size])
                    else:
                        flags |= _store_int(out, place, src.value(regs))
                    break
        self.stamp(out, seq, recv_ns, flags)
        return out, flags

    def stamp(self, out: bytearray, seq: int, recv_ns: int, flags: int) -> None:
        """Write the head of every part."""
        kind = self.plan.row.id
        HEAD.pack_into(out, 0, seq, recv_ns, kind, 0, flags)
        if self.record.ring == "market" and self.parts == 2:
            out[RECORD_BYTES : RECORD_BYTES + HEAD_BYTES] = out[:HEAD_BYTES]
            HEAD.pack_into(out, RECORD_BYTES, seq, recv_ns, kind, 1, flags)


def _place(plan: Plan, f: RecordField, at: int, places: list[tuple[RecordField, str, int]]) -> Place:
    offsets = {other.name: offset for other, _, offset in places}
    sources = tuple(s for s in (source(plan, path) for path in f.paths) if s is not None)
    is_text = f.ctype.startswith("char")
    for s in sources:
        kind = plan.shape.regs[s.reg].kind if s.reg >= 0 else Kind.I32
        if kind is None or (kind is Kind.STR) != (is_text or f.ctype == "ref"):
            raise TypeError(f"record {plan.row.record}: {f.name} cannot hold what stands in {f.paths}")
    digits_at = offsets[f.digits] if f.digits else -1
    return Place(f.name, f.ctype, at, f.size, sources, digits_at, offsets[f"{f.name}_len"] if is_text else -1)


def _template(record: Record) -> bytes:
    out = bytearray(record_bytes(record))
    digits = {f.digits for f in record.fields if f.digits}
    for f, _, at in placed(record):
        if f.name in digits:
            _PACK["i8"].pack_into(out, at, -1)
        elif f.ctype == "f64":
            _PACK["f64"].pack_into(out, at, nan)
        elif f.ctype == "i64" and f.name != "recv_ns":
            _PACK["i64"].pack_into(out, at, INT_UNSET)
    return bytes(out)


def _escaped(ops: tuple[Op, ...]) -> Iterator[int]:
    for op in ops:
        if op.code is OpCode.WHEN:
            yield from _escaped(op.body)
        elif op.code is OpCode.STR and op.rule is TextRule.ESCAPED_ALWAYS:
            yield op.reg


def _store_text(out: bytearray, place: Place, raw: bytes, escaped: bool) -> int:
    kept = raw[: place.size]
    out[place.at : place.at + len(kept)] = kept
    out[place.length_at] = len(kept)
    plain = len(kept) == len(raw) and kept.isascii() and not (escaped and b"\\" in kept)
    return 0 if plain else FLAG_LONG_TEXT


def _store_float(out: bytearray, place: Place, value: Any, raw: bytes) -> int:
    flags = 0
    number = nan if value is None else float(value)
    digits = -1
    if isnan(number):
        flags = FLAG_UNSET
    elif isinstance(value, Decimal):
        digits = _scale(value)
        if digits < 0 or not isfinite(number) or len(value.as_tuple().digits) > EXACT_DIGITS:
            flags = FLAG_LONG_NUMBER
    elif raw and isfinite(number):  # a double for the program, but text on the wire
        digits = _scale(Decimal(raw.decode("ascii")))
    _PACK["f64"].pack_into(out, place.at, number)
    if place.digits_at >= 0:
        _PACK["i8"].pack_into(out, place.digits_at, digits)
    return flags


def _scale(value: Decimal) -> int:
    """Digits after the point as written; -1 above 127."""
    exponent = value.as_tuple().exponent
    assert isinstance(exponent, int)
    return max(-exponent, 0) if -exponent <= MAX_SCALE else -1


def _store_int(out: bytearray, place: Place, value: Any) -> int:
    low, high, beyond, null = _RANGE[place.ctype]
    flags = 0
    if value is None:
        value = null
    elif not low <= value <= high:
        value, flags = beyond, FLAG_LONG_NUMBER
    if value == null and null < 0:
        flags |= FLAG_UNSET
    _PACK[place.ctype].pack_into(out, place.at, int(value))
    return flags
