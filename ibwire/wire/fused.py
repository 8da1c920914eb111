"""Programs for the usual frames of market messages: plans without conditions and lists, one op for each field in order.

Made from the tables of :mod:`ibwire.wire.hot`, as plain data for the compiled decoder, which runs them on frames that
hold every field, in order, with nothing unusual in it; all others it decodes by those tables. A plan whose text
branches on one small integer, or whose protobuf message holds one of several optional structs, becomes one program for
its first fields and one for each way on. A plan of any other shape has no program, and loses nothing but time.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from ibwire.spec.model import Kind
from ibwire.wire.opcodes import (
    FLAG_ESCAPED,
    FLAG_NEGATIVE,
    FLAG_NOT_COMPUTED,
    FLAG_NULLABLE,
    NO_SLOT,
    STORE_BIT,
    STORE_CHARS,
    STORE_F64,
    STORE_I8,
    STORE_I16,
    STORE_I32,
    STORE_I64,
    STORE_NONE,
    TEST_EQ_NUMBER,
)
from ibwire.wire.plan import OpCode, ProtoCode

# The kinds of ops, as in _fused.h. BIT and TEXT_NUMBER are protobuf's, CHECK and SKIP are text's.
STOP, CHECK, I64, I32, I16, I8, BOOL, NUMBER, DOUBLE, CHARS, SKIP, GUARDED, OPEN, CLOSE = range(14)
BIT: Final = CHECK
TEXT_NUMBER: Final = SKIP

MOST_OPS: Final = 14
WAYS: Final = 16
SHORTEST_CHARS: Final = 7  # texts are stored eight bytes at a time, with their count before them
FIRST_BYTES: Final = 32  # the first fields of a plan with several ways lie in these bytes of the record
INT32_MAX: Final = (1 << 31) - 1
NO_DIGITS: Final = 0xFFFF
_INTEGERS: Final = {STORE_I64: I64, STORE_I32: I32, STORE_I16: I16, STORE_I8: I8}
_GUARDS: Final = FLAG_NEGATIVE | FLAG_NOT_COMPUTED


class FusedOp(NamedTuple):
    """One field."""

    kind: int
    key: int = 0
    dst: int = 0
    dst2: int = NO_DIGITS
    aux: int = 0
    room: int = 0
    refused: float = 0.0
    negative: bool = False


class Program(NamedTuple):
    """A record before anything is decoded, and its fields in the order of the wire."""

    template: bytes
    ops: list[FusedOp]


class Fused(NamedTuple):
    """The program of a plan, or of its first fields; then the ways on, by integer (text) or field number (protobuf)."""

    first: Program
    ways: dict[int, Program]


class _Unusual(Exception):
    """This plan has no program."""


def _covered(ops: list[FusedOp], checks: list[tuple[int, int, int]], seen: int) -> None:
    """Every number that could stay unset must be set by an op."""
    places = {op.dst for op in ops if op.kind in (I64, I32, NUMBER, DOUBLE, GUARDED)}
    for _, dst, guard in checks:
        if (not guard or guard & seen) and dst not in places:
            raise _Unusual
    if len(ops) > MOST_OPS:
        raise _Unusual


def _chars(dst: int, dst2: int, room: int, refused: int, key: int = 0) -> FusedOp:
    if room < SHORTEST_CHARS or dst2 != dst - 1:
        raise _Unusual
    return FusedOp(CHARS, key, dst, dst2, refused, room)


# ------------------------------------------------------------------------------------------------ text


def _text_op(made: tuple[Any, ...], slot_allowed: bool = False) -> FusedOp:
    code, store, dst, dst2, aux, flags, slot, fval, _ = made
    if slot != NO_SLOT and not slot_allowed:
        raise _Unusual
    if code == OpCode.SKIP or (code == OpCode.STR and store == STORE_NONE):
        return FusedOp(SKIP)
    if code == OpCode.STR and store == STORE_CHARS:
        return _chars(dst, dst2, aux, ord("\\") if flags & FLAG_ESCAPED else 0)
    if code in (OpCode.FLOAT, OpCode.DEC) and store == STORE_F64:
        if code == OpCode.FLOAT and flags & _GUARDS:
            refused = fval if flags & FLAG_NOT_COMPUTED else float("nan")
            return FusedOp(GUARDED, 0, dst, dst2, 0, 0, refused, bool(flags & FLAG_NEGATIVE))
        return FusedOp(DOUBLE if dst2 == NO_DIGITS else NUMBER, 0, dst, dst2)
    if code in (OpCode.INT, OpCode.BITS, OpCode.BOOL) and store == STORE_NONE:
        return FusedOp(CHECK)
    if code == OpCode.INT and not flags & FLAG_NULLABLE and store in _INTEGERS:
        return FusedOp(_INTEGERS[store], 0, dst, aux=-1)
    if code == OpCode.BITS and store == STORE_I32:
        return FusedOp(I32, 0, dst, aux=aux)
    if code == OpCode.BOOL and store == STORE_I8:
        return FusedOp(BOOL, 0, dst)
    raise _Unusual


def _text(made: tuple[Any, ...]) -> Fused:
    template, rows, tests, _, constants, checks = made
    rows = rows[:-1]
    if constants:
        raise _Unusual
    split = next((i for i, row in enumerate(rows) if row[0] == OpCode.WHEN), len(rows))
    if split == len(rows):
        ops = [_text_op(row) for row in rows]
        _covered(ops, checks, 0)
        return Fused(Program(template, ops), {})
    first = [_text_op(row, i == split - 1) for i, row in enumerate(rows[:split])]
    slot = rows[split - 1][6] if first else NO_SLOT
    if [op.kind for op in first] != [I64, I32] or any(op.dst >= FIRST_BYTES for op in first):
        raise _Unusual
    ways = {}
    for way in range(WAYS):
        found = _way(rows, split, tests, slot, way)
        if found is not None:
            ops, seen = found
            _covered(ops, checks, seen)
            ways[way] = Program(template, ops)
    return Fused(Program(template, first), ways)


def _way(
    rows: list[tuple[Any, ...]], at: int, tests: list[tuple[int, int, float, bytes]], slot: int, way: int
) -> tuple[list[FusedOp], int] | None:
    """The ops after the first fields if the slot holds ``way``, and the optional structs that then come."""
    ops: list[FusedOp] = []
    seen, taken = 0, False
    while at < len(rows):
        code, _, test, count, *_, jump = rows[at]
        if code != OpCode.WHEN or any(t[:2] != (slot, TEST_EQ_NUMBER) for t in tests[test : test + count]):
            raise _Unusual
        if any(t[2] == way for t in tests[test : test + count]):
            taken = True
            for row in rows[at + 1 : jump]:
                if row[0] == OpCode.PRESENT:
                    seen |= row[4]
                else:
                    ops.append(_text_op(row))
        at = jump
    return (ops, seen) if taken else None


# ------------------------------------------------------------------------------------------------ protobuf


def _proto_op(made: tuple[Any, ...]) -> FusedOp:
    number, code, store, dst, dst2, aux, flags, kind, fval, _ = made
    if number > 15 or (flags & FLAG_NULLABLE and code in (ProtoCode.INT32, ProtoCode.INT64, ProtoCode.BOOL)):
        raise _Unusual
    varint, fixed, text = number << 3, number << 3 | 1, number << 3 | 2
    if code in (ProtoCode.INT32, ProtoCode.INT64, ProtoCode.BOOL) and store == STORE_BIT:
        return FusedOp(BIT, varint, dst, aux=aux)
    if code in (ProtoCode.INT32, ProtoCode.INT64) and store in _INTEGERS:
        most = INT32_MAX if code == ProtoCode.INT32 else 0
        return FusedOp(_INTEGERS[store], varint, dst, aux=most if store == STORE_I64 else -1)
    if code == ProtoCode.BITS and store == STORE_I32:
        return FusedOp(I32, varint, dst, aux=aux)
    if code == ProtoCode.BOOL and store == STORE_I8:
        return FusedOp(BOOL, varint, dst)
    if code == ProtoCode.DOUBLE and store == STORE_F64 and kind == Kind.F64:
        if flags & _GUARDS:
            refused = fval if flags & FLAG_NOT_COMPUTED else float("nan")
            return FusedOp(GUARDED, fixed, dst, dst2, 0, 0, refused, bool(flags & FLAG_NEGATIVE))
        return FusedOp(DOUBLE, fixed, dst)
    if code == ProtoCode.STRING and kind == Kind.DEC:
        if store == STORE_NONE:
            return FusedOp(TEXT_NUMBER, text)
        if store == STORE_F64 and dst2 != NO_DIGITS:
            return FusedOp(NUMBER, text, dst, dst2)
    if code == ProtoCode.STRING and kind in (0, Kind.STR) and store == STORE_CHARS:
        return _chars(dst, dst2, aux, 0, text)
    raise _Unusual


def _table(tables: list[tuple[Any, ...]], index: int, depth: int) -> list[FusedOp]:
    """The ops of a table with nested messages in their places."""
    out: list[FusedOp] = []
    for row in sorted(tables[index][0]):
        if row[1] != ProtoCode.MESSAGE:
            out.append(_proto_op(row))
            continue
        if row[5] or depth > 1 or tables[row[9]][1]:
            raise _Unusual
        out += _nested(tables, row, depth)
    return out


def _nested(tables: list[tuple[Any, ...]], row: tuple[Any, ...], depth: int) -> list[FusedOp]:
    if row[0] > 15:
        raise _Unusual
    return [FusedOp(OPEN, row[0] << 3 | 2), *_table(tables, row[9], depth + 1), FusedOp(CLOSE)]


def _proto(made: tuple[Any, ...]) -> Fused:
    template, tables, checks = made
    rows = sorted(tables[0][0])
    optional = [row for row in rows if row[1] == ProtoCode.MESSAGE and row[5]]
    if not optional:
        ops = _table(tables, 0, 0)
        _covered(ops, checks, 0)
        return Fused(Program(template, ops), {})
    first = [_proto_op(row) for row in rows[: -len(optional)]]
    if rows[-len(optional) :] != optional or any(op.dst >= FIRST_BYTES for op in first):
        raise _Unusual
    ways = {}
    for row in optional:
        ops = _nested(tables, row, 0)
        _covered(first + ops, checks, row[5])
        begun = bytearray(template)
        for at, data in tables[row[9]][1]:
            if at < FIRST_BYTES:
                raise _Unusual
            begun[at : at + len(data)] = data
        ways[row[0]] = Program(bytes(begun), ops)
    return Fused(Program(template, first), ways)


def program(made: tuple[Any, ...], *, proto: bool) -> Fused | None:
    """The program of what ``hot.text_table`` or ``hot.proto_tables`` made for a market message, or None."""
    try:
        return _proto(made) if proto else _text(made)
    except _Unusual:
        return None


__all__ = ["Fused", "FusedOp", "Program", "program"]
