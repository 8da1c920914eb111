"""A shorter way to the same bytes for messages without lists, presence and hooks: ticks, statuses, most small ones.

A flat message is its fields one after the other, and what a field looks like follows from its value alone. So the plan
of a row becomes one function for each field. A value that a function does not know at sight (another type, an unset
one, one out of range) goes through the interpreters, field by field; so do all errors.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from decimal import Decimal
from operator import attrgetter
from typing import Any, Final

from ibwire.spec.model import ALWAYS, IF_TRUE, Kind
from ibwire.wire import proto, text, varint
from ibwire.wire.plan import SENTINEL, UNSET_DOUBLE, UNSET_INT, Op, OpCode, Plan, ProtoCode, ProtoOp, ProtoTable

Piece = Callable[[Any], bytes]
Encode = Callable[[Any], bytes]
Steps = list[tuple[Callable[[Any], Any], Piece]]

_DOUBLE: Final = struct.Struct("<d")
_SMALL: Final = 1 << 14
_TEXTS: Final = tuple(b"%d\0" % number for number in range(_SMALL))
_COMBINATIONS: Final = 64
_INF: Final = float("inf")


def _varint(value: int) -> bytes:
    out = bytearray()
    varint.write(value, out)
    return bytes(out)


_VARINTS: Final = tuple(map(_varint, range(_SMALL)))


def encoder(plan: Plan, head: bytes) -> Encode | None:
    """Return a function from a message of the plan's row to its payload, None where the plan is not flat.

    The function raises AttributeError for an object that lacks a field, and what the interpreters raise.
    """
    if plan.row_hooks:
        return None
    steps = _text_steps(plan) if plan.proto is None else _proto_steps(plan, plan.proto)
    if steps is None:
        return None

    if len(steps) == 3:  # the most frequent of all: a size
        (get1, piece1), (get2, piece2), (get3, piece3) = steps
        return lambda m: head + piece1(get1(m)) + piece2(get2(m)) + piece3(get3(m))
    if len(steps) == 5:  # a price
        (get1, piece1), (get2, piece2), (get3, piece3), (get4, piece4), (get5, piece5) = steps
        return lambda m: b"".join(
            (head, piece1(get1(m)), piece2(get2(m)), piece3(get3(m)), piece4(get4(m)), piece5(get5(m)))
        )

    def encode(message: Any) -> bytes:
        return head + b"".join([piece(get(message)) for get, piece in steps])

    return encode


# ------------------------------------------------------------------------------------------------ text


def _text_steps(plan: Plan) -> Steps | None:
    steps: Steps = []
    for op in plan.text:
        if op.code is OpCode.SKIP:
            steps.append((_nothing, _constant(op.text.encode() + b"\0")))
        elif op.code is OpCode.BITS and op.bits:
            steps.append((_getter(plan, *(reg for reg, _ in op.bits)), _mask_text(op)))
        elif op.code is OpCode.INT and plan.shape.index["@version"] == op.reg:
            steps.append((_nothing, _constant(b"%d\0" % plan.wire_version)))
        elif op.code <= OpCode.STR and not _listed(plan, op.reg):
            steps.append((_getter(plan, op.reg), _text_piece(op, plan.row.name)))
        else:
            return None
    return steps


def _text_piece(op: Op, name: str) -> Piece:
    def plain(value: Any) -> bytes:
        return text.text_of(op, value, name).encode("utf-8") + b"\0"

    def whole(value: Any) -> bytes:
        if type(value) is int and 0 <= value < _SMALL:
            return _TEXTS[value]
        return plain(value)

    def number(value: Any) -> bytes:
        if type(value) is float and value not in (UNSET_DOUBLE, UNSET_INT) and -_INF < value < _INF:
            return b"%a\0" % value
        return plain(value)

    def decimal(value: Any) -> bytes:
        if type(value) is Decimal:
            return f"{value:f}\0".encode()
        return plain(value)

    return {OpCode.INT: whole, OpCode.FLOAT: number, OpCode.DEC: decimal}.get(op.code, plain)


def _mask_text(op: Op) -> Piece:
    return _known(op.bits, lambda mask: b"%d\0" % mask)


# ------------------------------------------------------------------------------------------------ protobuf


def _proto_steps(plan: Plan, table: ProtoTable) -> Steps | None:
    steps: Steps = []
    for number in sorted(table.ops):
        op = table.ops[number]
        if op.code is ProtoCode.MESSAGE and op.presence < 0 and op.table is not None:
            inner = _proto_steps(plan, op.table)
            if inner is None:
                return None
            steps.append((_itself, _nested(inner, number)))
        elif op.code is ProtoCode.BITS and op.bits:
            steps.append((_getter(plan, *(reg for reg, _ in op.bits)), _mask_proto(op, number)))
        elif op.code <= ProtoCode.BOOL and not _listed(plan, op.reg):
            steps.append((_getter(plan, op.reg), _proto_piece(op, number, plan.row.name)))
        else:
            return None
    return steps


def _proto_piece(op: ProtoOp, number: int, name: str) -> Piece:
    code = op.code

    def plain(value: Any) -> bytes:
        out = bytearray()
        proto.write_scalar(op, value, out, name, number)
        return bytes(out)

    if op.hook is not None:
        return plain
    wire_type = {ProtoCode.DOUBLE: varint.FIXED64, ProtoCode.STRING: varint.LENGTH}.get(code, varint.VARINT)
    tag = _varint(varint.tag(number, wire_type))
    falsy = op.send == IF_TRUE
    least = 1 if falsy else 0
    unset = SENTINEL[op.kind] if op.nullable and op.send != ALWAYS and op.kind is not None else None

    def whole(value: Any) -> bytes:
        if type(value) is int and least <= value < _SMALL:
            return tag + _VARINTS[value]
        return plain(value)

    def double(value: Any) -> bytes:
        if type(value) is float and value != unset and (value or not falsy):
            return tag + _DOUBLE.pack(value)
        return plain(value)

    def decimal(value: Any) -> bytes:
        if type(value) is Decimal and value != unset and (value or not falsy):
            raw = f"{value:f}".encode()
            return tag + _VARINTS[len(raw)] + raw if len(raw) < _SMALL else plain(value)
        return plain(value)

    def words(value: Any) -> bytes:
        if type(value) is str and value:
            raw = value.encode()
            return tag + _VARINTS[len(raw)] + raw if len(raw) < _SMALL else plain(value)
        return plain(value)

    if code in (ProtoCode.INT32, ProtoCode.INT64) and op.kind in (Kind.I32, Kind.I64):
        return whole
    if code is ProtoCode.DOUBLE and op.kind is Kind.F64:
        return double
    if code is ProtoCode.STRING and op.kind is Kind.DEC:
        return decimal
    if code is ProtoCode.STRING and op.kind is Kind.STR:
        return words
    return plain


def _nested(steps: Steps, number: int) -> Piece:
    tag = _varint(varint.tag(number, varint.LENGTH))

    def piece(message: Any) -> bytes:
        raw = b"".join([inner(get(message)) for get, inner in steps])
        return tag + (_VARINTS[len(raw)] if len(raw) < _SMALL else _varint(len(raw))) + raw

    return piece


def _mask_proto(op: ProtoOp, number: int) -> Piece:
    tag = _varint(varint.tag(number, varint.VARINT))
    return _known(op.bits, lambda mask: tag + _varint(mask))


# ------------------------------------------------------------------------------------------------ both


def _getter(plan: Plan, *regs: int) -> Callable[[Any], Any]:
    paths = [plan.shape.regs[reg].path for reg in regs]
    parents = {path.rpartition(".")[0] for path in paths}
    parent = parents.pop()
    if parents or not parent:
        return attrgetter(*paths)
    find, names = attrgetter(parent), attrgetter(*(path[len(parent) + 1 :] for path in paths))
    return lambda message: names(find(message))


def _listed(plan: Plan, reg: int) -> bool:
    """Whether a register holds a list, or says whether something is there, or lies in something that need not be."""
    info = plan.shape.regs[reg]
    parts = info.path.split(".")
    return (
        info.kind is None
        or info.is_presence
        or any(".".join(parts[: depth + 1]) + "?" in plan.shape.index for depth in range(len(parts)))
    )


def _known(places: tuple[tuple[int, int], ...], encode: Callable[[int], bytes]) -> Piece:
    """Flags to a mask's bytes, which are made once for each combination."""
    bits = [bit for _, bit in places]
    if len(bits) == 1:
        unset, is_set = encode(0), encode(bits[0])
        return lambda flag: is_set if flag else unset
    # Equal keys are equally true, whatever their types.
    known: dict[tuple[Any, ...], bytes] = {}

    def piece(flags: tuple[Any, ...]) -> bytes:
        try:
            found = known.get(flags)
        except TypeError:  # a flag that is a list: true or false like any other
            flags = tuple(map(bool, flags))
            found = known.get(flags)
        if found is None:
            found = encode(sum(bit for bit, flag in zip(bits, flags, strict=True) if flag))
            if len(known) < _COMBINATIONS:
                known[flags] = found
        return found

    return piece


def _itself(message: Any) -> Any:
    return message


def _nothing(message: Any) -> None:
    return None


def _constant(raw: bytes) -> Piece:
    return lambda value: raw
