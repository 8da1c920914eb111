"""A shorter way to the same bytes for messages without lists, presence and hooks: ticks, statuses, most small ones.

A flat message is its fields one after the other, and what a field looks like follows from its value alone. So the plan
of a row becomes a table of fields for `ibwire._flat`. A value that is not written there at sight (another type, an
unset one, one out of range) goes through the interpreters, field by field; so do all errors.
"""

from __future__ import annotations

from collections.abc import Callable
from operator import attrgetter
from typing import Any, Final, NamedTuple

from ibwire._flat import FlatEncoder
from ibwire.spec.model import ALWAYS, IF_TRUE, Kind
from ibwire.wire import proto, text, varint
from ibwire.wire.plan import SENTINEL, UNSET_DOUBLE, UNSET_INT, Op, OpCode, Plan, ProtoCode, ProtoOp, ProtoTable

Piece = Callable[[Any], bytes]
Encode = Callable[[Any], bytes]
Fast = tuple[int, bytes, bool, Any]  # how FlatEncoder writes the plain case: kind, tag, whether zero is left out, unset

# Kinds of FlatEncoder.
_CONSTANT, _OTHER, _INT_TEXT, _INT_PROTO, _DOUBLE_PROTO, _DECIMAL_TEXT, _DECIMAL_PROTO = range(7)
_NOT_FAST: Final[Fast] = (_OTHER, b"", False, None)


class Step(NamedTuple):
    """One field: its value of a message, its bytes of a value, its attribute where it is a plain one."""

    get: Callable[[Any], Any]
    piece: Piece
    name: str | None = None
    fast: Fast = _NOT_FAST


Steps = list[Step]

_SMALL: Final = 1 << 14
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

    return _compiled(head, steps)


def _compiled(head: bytes, steps: Steps) -> Encode:
    return FlatEncoder(head, [(step.fast[0], step.name, step.get, step.piece, *step.fast[1:]) for step in steps])


# ------------------------------------------------------------------------------------------------ text


def _text_steps(plan: Plan) -> Steps | None:
    steps: Steps = []
    for op in plan.text:
        if op.code is OpCode.SKIP:
            steps.append(_constant(op.text.encode() + b"\0"))
        elif op.code is OpCode.BITS and op.bits:
            steps.append(Step(_getter(plan, *(reg for reg, _ in op.bits)), _mask_text(op)))
        elif op.code is OpCode.INT and plan.shape.index["@version"] == op.reg:
            steps.append(_constant(b"%d\0" % plan.wire_version))
        elif op.code <= OpCode.STR and not _listed(plan, op.reg):
            steps.append(Step(_getter(plan, op.reg), *_text_piece(op, plan.row.name, _name(plan, op.reg))))
        else:
            return None
    return steps


def _text_piece(op: Op, name: str, attribute: str | None) -> tuple[Piece, str | None, Fast]:
    def plain(value: Any) -> bytes:
        return text.text_of(op, value, name).encode("utf-8") + b"\0"

    def number(value: Any) -> bytes:
        if type(value) is float and value not in (UNSET_DOUBLE, UNSET_INT) and -_INF < value < _INF:
            return b"%a\0" % value
        return plain(value)

    kind = {OpCode.INT: _INT_TEXT, OpCode.DEC: _DECIMAL_TEXT}.get(op.code, _OTHER)
    return number if op.code is OpCode.FLOAT else plain, attribute, (kind, b"", False, None)


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
            steps.append(Step(_itself, _nested(inner, number)))
        elif op.code is ProtoCode.BITS and op.bits:
            steps.append(Step(_getter(plan, *(reg for reg, _ in op.bits)), _mask_proto(op, number)))
        elif op.code <= ProtoCode.BOOL and not _listed(plan, op.reg):
            piece, fast = _proto_piece(op, number, plan.row.name)
            steps.append(Step(_getter(plan, op.reg), piece, _name(plan, op.reg), fast))
        else:
            return None
    return steps


def _proto_piece(op: ProtoOp, number: int, name: str) -> tuple[Piece, Fast]:
    code = op.code

    def plain(value: Any) -> bytes:
        out = bytearray()
        proto.write_scalar(op, value, out, name, number)
        return bytes(out)

    if op.hook is not None:
        return plain, _NOT_FAST
    wire_type = {ProtoCode.DOUBLE: varint.FIXED64, ProtoCode.STRING: varint.LENGTH}.get(code, varint.VARINT)
    tag = _varint(varint.tag(number, wire_type))
    falsy = op.send == IF_TRUE
    unset = SENTINEL[op.kind] if op.nullable and op.send != ALWAYS and op.kind is not None else None

    def words(value: Any) -> bytes:
        if type(value) is str and value:
            raw = value.encode()
            return tag + _VARINTS[len(raw)] + raw if len(raw) < _SMALL else plain(value)
        return plain(value)

    kind = _OTHER
    if code in (ProtoCode.INT32, ProtoCode.INT64) and op.kind in (Kind.I32, Kind.I64):
        kind = _INT_PROTO
    elif code is ProtoCode.DOUBLE and op.kind is Kind.F64:
        kind = _DOUBLE_PROTO
    elif code is ProtoCode.STRING and op.kind is Kind.DEC:
        kind = _DECIMAL_PROTO
    is_words = code is ProtoCode.STRING and op.kind is Kind.STR
    return words if is_words else plain, (kind, tag, falsy, unset)


def _nested(steps: Steps, number: int) -> Piece:
    tag = _varint(varint.tag(number, varint.LENGTH))
    inner = _compiled(b"", steps)

    def piece(message: Any) -> bytes:
        raw = inner(message)
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


def _name(plan: Plan, reg: int) -> str | None:
    """The attribute of a register that lies in the message itself."""
    path = plan.shape.regs[reg].path
    return None if "." in path else path


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


def _constant(raw: bytes) -> Step:
    return Step(_itself, lambda value: raw, None, (_CONSTANT, raw, False, None))
