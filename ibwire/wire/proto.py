"""The protobuf dialect in plain Python: our own wire codec, driven by a plan's field tables.

This is the definition; the compiled interpreter in ``_fastdecode`` must do the same (property-tested). Unknown
fields are skipped and counted. Known submessages alone are entered, so nesting ends where the plan ends.
"""

from __future__ import annotations

import struct
from decimal import Decimal
from functools import cache
from typing import Any

from ibwire.errors import ProtocolError, RequestError
from ibwire.spec.model import ALWAYS, IF_TRUE, Kind
from ibwire.wire import values, varint
from ibwire.wire.plan import (
    SENTINEL,
    Make,
    Plan,
    ProtoCode,
    ProtoOp,
    ProtoSub,
    ProtoTable,
    build,
    computed,
    most_elements,
)

_DOUBLE = struct.Struct("<d")
_LAST_SCALAR = int(ProtoCode.BOOL)
_WIRE_TYPE = {
    ProtoCode.INT32: varint.VARINT,
    ProtoCode.INT64: varint.VARINT,
    ProtoCode.BOOL: varint.VARINT,
    ProtoCode.DOUBLE: varint.FIXED64,
    ProtoCode.STRING: varint.LENGTH,
}


class _Parser:
    __slots__ = ("data", "elements_left", "make", "maps", "name", "unknown")

    def __init__(self, data: bytes, name: str, make: Make) -> None:
        self.data, self.name, self.make = data, name, make
        self.unknown = 0
        self.elements_left = most_elements(len(data))
        self.maps: dict[tuple[int, int], tuple[list[Any], dict[str, int]]] = {}  # where each key stands in its list

    def error(self, problem: str, field: str, offset: int) -> ProtocolError:
        return ProtocolError(problem, message_name=self.name, field=field, offset=offset, payload=self.data)

    def varint(self, pos: int, end: int, field: str) -> tuple[int, int]:
        try:
            return varint.read(self.data, pos, end)
        except ValueError as exc:
            raise self.error(str(exc), field, pos) from None

    def span(self, pos: int, end: int, field: str) -> tuple[int, int]:
        """Start and end of a length-delimited value."""
        size, start = self.varint(pos, end, field)
        if size > end - start:
            raise self.error(f"a length of {size} with {end - start} bytes left", field, pos)
        return start, start + size

    def message(self, table: ProtoTable, regs: list[Any], pos: int, end: int) -> None:
        while pos < end:
            at = pos
            key, pos = self.varint(pos, end, "tag")
            op = table.ops.get(key >> 3)
            wire_type = key & 7
            if op is None:
                if key >> 3 == 0:
                    raise self.error("field number 0", table.name, at)
                pos = self.skip(wire_type, pos, end, at, table.name)
                self.unknown += 1
            else:
                pos = self.field(op, wire_type, regs, pos, end, at)

    def skip(self, wire_type: int, pos: int, end: int, at: int, name: str) -> int:
        if wire_type == varint.VARINT:
            return self.varint(pos, end, name)[1]
        if wire_type == varint.LENGTH:
            return self.span(pos, end, name)[1]
        if wire_type in (varint.FIXED64, varint.FIXED32):
            pos += 8 if wire_type == varint.FIXED64 else 4
            if pos > end:
                raise self.error("an unknown field is cut off", name, at)
            return pos
        raise self.error(f"wire type {wire_type} is not used in this protocol", name, at)

    def field(self, op: ProtoOp, wire_type: int, regs: list[Any], pos: int, end: int, at: int) -> int:
        code = op.code
        if code is ProtoCode.LIST:
            return self.packed(op, wire_type, regs, pos, end, at)
        if code is ProtoCode.BITS:
            return self.bits(op, wire_type, regs, pos, end, at)
        expected = _WIRE_TYPE.get(code, varint.LENGTH)
        if wire_type != expected:
            raise self.error(f"wire type {wire_type} where {expected} belongs", op.name, at)
        if code is ProtoCode.MESSAGE:
            start, stop = self.span(pos, end, op.name)
            if op.presence >= 0:
                regs[op.presence] = True
            assert op.table is not None
            self.message(op.table, regs, start, stop)
            return stop
        if code in (ProtoCode.REPEATED, ProtoCode.MAP):
            start, stop = self.span(pos, end, op.name)
            self.elements_left -= 1
            if self.elements_left < 0:
                raise self.error(f"more than {most_elements(len(self.data))} list elements", op.name, at)
            assert op.sub is not None
            self.element(op, op.sub, regs, start, stop)
            return stop
        value, pos = self.scalar(op, code, pos, end)
        regs[op.reg] = self.convert(op, value, at)
        return pos

    def bits(self, op: ProtoOp, wire_type: int, regs: list[Any], pos: int, end: int, at: int) -> int:
        if wire_type != varint.VARINT:
            raise self.error(f"wire type {wire_type} where {varint.VARINT} belongs", op.name, at)
        mask, pos = self.varint(pos, end, op.name)
        for reg, bit in op.bits:
            regs[reg] = bool(mask & bit)
        return pos

    def element(self, op: ProtoOp, sub: ProtoSub, regs: list[Any], start: int, stop: int) -> None:
        inner = list(sub.init)
        for reg, _ in sub.lists:
            inner[reg] = []
        self.message(sub.table, inner, start, stop)
        assert sub.shape is not None
        made = build(sub.shape, inner, 0, self.make)
        if not regs[op.reg]:
            regs[op.reg] = []
        elements = regs[op.reg]
        if op.code is ProtoCode.MAP:  # the last value of a key counts
            _, places = self.maps.setdefault((id(regs), op.reg), (regs, {}))
            at = places.setdefault(made.tag, len(elements))
            if at < len(elements):
                elements[at] = made
                return
        elements.append(made)

    def packed(self, op: ProtoOp, wire_type: int, regs: list[Any], pos: int, end: int, at: int) -> int:
        code = ProtoCode(op.presence)
        if not regs[op.reg]:
            regs[op.reg] = []
        expected = _WIRE_TYPE[code]
        if wire_type == expected:
            value, pos = self.scalar(op, code, pos, end)
            regs[op.reg].append(self.convert(op, value, at))
            return pos
        if wire_type != varint.LENGTH or expected == varint.LENGTH:
            raise self.error(f"wire type {wire_type} where {expected} belongs", op.name, at)
        pos, stop = self.span(pos, end, op.name)
        while pos < stop:
            value, pos = self.scalar(op, code, pos, stop)
            regs[op.reg].append(self.convert(op, value, at))
        return stop

    def scalar(self, op: ProtoOp, code: ProtoCode, pos: int, end: int) -> tuple[Any, int]:
        if code is ProtoCode.DOUBLE:
            if end - pos < 8:
                raise self.error("a double is cut off", op.name, pos)
            return _DOUBLE.unpack_from(self.data, pos)[0], pos + 8
        if code is ProtoCode.STRING:
            start, stop = self.span(pos, end, op.name)
            try:
                return self.data[start:stop].decode("utf-8"), stop
            except UnicodeDecodeError as exc:
                raise self.error("text that is not UTF-8", op.name, start + exc.start) from None
        value, pos = self.varint(pos, end, op.name)
        if code is ProtoCode.BOOL:
            return value != 0, pos
        if code is ProtoCode.INT32:
            value &= 0xFFFFFFFF
            return value - (1 << 32) if value & 0x80000000 else value, pos
        return value - (1 << 64) if value & (1 << 63) else value, pos

    def convert(self, op: ProtoOp, value: Any, at: int) -> Any:
        """From the protobuf kind to the program's kind."""
        if op.hook is not None:
            return op.hook.decode(value)
        kind = op.kind
        if isinstance(value, str):
            if kind is Kind.STR:
                return value
            raw = value.encode()
            try:
                if kind is Kind.DEC:
                    return op.null if not raw or raw in values.DECIMAL_UNSET else values.parse_decimal(raw)
                if not raw:
                    return op.null if op.nullable else (0.0 if kind is Kind.F64 else 0)
                return values.parse_float(raw) if kind is Kind.F64 else values.parse_int(raw)
            except (ValueError, OverflowError) as exc:
                raise self.error(str(exc), op.name, at) from None
        if kind is Kind.BOOL:
            return bool(value)
        if kind in (Kind.I32, Kind.I64):
            value = _whole(value)
            if value is None:
                raise self.error("not a whole number", op.name, at)
        elif kind is Kind.F64:
            value = float(value)
            if op.not_computed is not None and not computed(op.not_computed, value):
                return None
        if op.nullable and kind is not None and value == SENTINEL[kind]:
            return op.null
        return value


def value_of(op: ProtoOp, value: Any) -> Any:
    """A value of the protobuf kind as the program's kind. Raises ProtocolError."""
    return _Parser(b"", "", lambda *_: None).convert(op, value, 0)


def _whole(value: Any) -> int | None:
    if isinstance(value, float):
        return int(value) if value.is_integer() and abs(value) < 2**63 else None
    return int(value)


def decode(plan: Plan, payload: bytes, start: int, make: Make) -> tuple[list[Any], int]:
    """Decode a protobuf body from ``start``.

    Returns
    -------
    (registers, unknown) : the plan's registers, and how many unknown fields were skipped.

    Raises
    ------
    ProtocolError : a varint, length, wire type or text is broken.
    """
    assert plan.proto is not None
    regs = list(plan.init)
    for reg, _ in plan.lists:
        regs[reg] = []
    parser = _Parser(payload, plan.row.name, make)
    parser.message(plan.proto, regs, start, len(payload))
    for hook in plan.row_hooks:
        hook.decode(regs, plan.shape.index, make)
    return regs, parser.unknown


# ------------------------------------------------------------------------------------------------ encode


def encode(plan: Plan, regs: list[Any], out: bytearray, flatten: Any) -> None:
    """Append the protobuf body of a message. ``flatten(shape, element, init)`` gives an element's registers.

    Raises
    ------
    RequestError : a value is of the wrong kind or beyond its field's range.
    """
    assert plan.proto is not None
    for hook in plan.row_hooks:
        hook.encode(regs, plan.shape.index)
    _write(plan.proto, regs, out, plan.row.name, flatten)


def _write(table: ProtoTable, regs: list[Any], out: bytearray, name: str, flatten: Any) -> None:
    for op in table.ordered:
        code, number = op.code, op.number
        if code <= _LAST_SCALAR:
            value = regs[op.reg]
            if value is not None or op.send == ALWAYS:  # most fields of an order are None
                write_scalar(op, value, out, name, number)
        elif code is ProtoCode.MESSAGE:
            if op.presence >= 0 and not regs[op.presence]:
                continue
            assert op.table is not None
            inner = bytearray()
            _write(op.table, regs, inner, name, flatten)
            _bytes(number, inner, out)
        elif code in (ProtoCode.REPEATED, ProtoCode.MAP):
            _write_elements(op, regs[op.reg] or (), out, name, flatten)
        elif code is ProtoCode.BITS:
            mask = sum(bit for reg, bit in op.bits if regs[reg])
            out += _tag(number, varint.VARINT)
            varint.write(mask, out)
        else:
            _write_list(op, regs[op.reg] or (), out, name)


def write_scalar(op: ProtoOp, value: Any, out: bytearray, name: str, number: int) -> None:
    """Append one scalar field, or nothing where its value is not sent. Raises RequestError."""
    if _sends(op, value):
        _scalar(op, op.code, value, out, name, number)


def _write_elements(op: ProtoOp, elements: Any, out: bytearray, name: str, flatten: Any) -> None:
    sub = op.sub
    assert sub is not None and sub.shape is not None
    if op.code is ProtoCode.MAP:
        elements = {e.tag: e for e in elements}.values()
    for element in elements:
        inner = bytearray()
        _write(sub.table, flatten(sub.shape, element, sub.init), inner, name, flatten)
        _bytes(op.number, inner, out)


def _write_list(op: ProtoOp, elements: Any, out: bytearray, name: str) -> None:
    code = ProtoCode(op.presence)
    if code is ProtoCode.STRING:
        for value in elements:
            _scalar(op, code, value, out, name, op.number)
        return
    if not elements:
        return
    inner = bytearray()
    for value in elements:
        _scalar(op, code, value, inner, name, 0)
    _bytes(op.number, inner, out)


@cache
def _tag(number: int, wire_type: int) -> bytes:
    out = bytearray()
    varint.write(varint.tag(number, wire_type), out)
    return bytes(out)


def _bytes(number: int, inner: bytes | bytearray, out: bytearray) -> None:
    out += _tag(number, varint.LENGTH)
    varint.write(len(inner), out)
    out += inner


def _sends(op: ProtoOp, value: Any) -> bool:
    if op.send == ALWAYS:
        return True
    if op.send == IF_TRUE:
        return bool(value)
    if value is None:
        return False
    return not (op.nullable and op.kind is not None and value == SENTINEL[op.kind])


def _scalar(op: ProtoOp, code: ProtoCode, value: Any, out: bytearray, name: str, number: int) -> None:
    """Append one scalar with its tag; number 0: without (packed)."""
    if op.hook is not None:
        value = op.hook.encode(value)
        if value is None:
            return
    try:
        if code is ProtoCode.STRING:
            if number:
                _bytes(number, _as_text(op, value).encode("utf-8"), out)
            return
        if number:
            out += _tag(number, varint.FIXED64 if code is ProtoCode.DOUBLE else varint.VARINT)
        if code is ProtoCode.DOUBLE:
            out += _DOUBLE.pack(float(value))
            return
        whole = int(value)
        if whole != value and not isinstance(value, bool):
            raise ValueError("not a whole number")
    except (TypeError, ValueError, OverflowError) as exc:
        raise RequestError(_BAD_VALUE, f"{name}.{op.name} is {value!r}: {exc}") from None
    limit = 1 << (31 if code is ProtoCode.INT32 else 63)
    if code is ProtoCode.BOOL:
        whole = 1 if whole else 0
    elif not -limit <= whole < limit:
        raise RequestError(_BAD_VALUE, f"{name}.{op.name} is {value!r}: beyond its {limit.bit_length()} bits")
    varint.write(whole, out)


def _as_text(op: ProtoOp, value: Any) -> str:
    if op.kind is Kind.DEC:
        return values.decimal_text(value) if isinstance(value, Decimal) else values.decimal_text(Decimal(str(value)))
    return str(value)


_BAD_VALUE = 320
"""The code a gateway itself gives for a request that it cannot read."""
