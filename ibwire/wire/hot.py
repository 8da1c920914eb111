"""Plans as flat tables for the compiled stream decoder: hot messages go from bytes into records.

A table holds no name and no server version: op codes, offsets into the record, conditions. What a record does not keep
is still read and checked. Rows come from the registry, record layouts from :mod:`ibwire.spec.records`.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from decimal import Decimal
from typing import Any, Final

from ibwire.spec import versions as V
from ibwire.spec.model import Bits, Direction, Gate, Item, Repeat, Row, TextRule, When
from ibwire.spec.records import BY_NAME, INT_UNSET, ORDER_HEADER_BYTES, RECORD_BYTES, Record, RecordField
from ibwire.spec.registry import INCOMING
from ibwire.wire import fused
from ibwire.wire.opcodes import (
    ALL_BITS,
    FLAG_ESCAPED,
    FLAG_NEGATIVE,
    FLAG_NOT_COMPUTED,
    FLAG_NULLABLE,
    FLAG_QUESTION,
    FLAG_WIDE,
    NO_SLOT,
    STORE_BIT,
    STORE_CHARS,
    STORE_F64,
    STORE_I8,
    STORE_I16,
    STORE_I32,
    STORE_I64,
    STORE_NONE,
    STORE_REF,
    TEST_EQ_NUMBER,
    TEST_EQ_TEXT,
    TEST_GE,
    TEST_GT,
    TEST_TRUE,
)
from ibwire.wire.plan import (
    Op,
    OpCode,
    Plan,
    Profile,
    ProtoCode,
    ProtoTable,
    RegCond,
    default_of,
    proto_plan,
    text_plan,
)

_STORES: Final = {"u8": STORE_I8, "i8": STORE_I8, "u16": STORE_I16, "i16": STORE_I16, "u32": STORE_I32}
_STORES.update({"i32": STORE_I32, "u64": STORE_I64, "i64": STORE_I64, "f64": STORE_F64, "ref": STORE_REF})

MARKET, ORDER, COLD, RAW_MARKET = 1, 2, 3, 4


class _Target:
    """Where the paths of a record are stored."""

    def __init__(self, record: Record) -> None:
        self.record = record
        self.offsets = record.offsets()
        self.fields: dict[str, tuple[RecordField, int]] = {}
        for f in record.fields:
            at = self.offsets[f.name if f.part == 0 or f"{f.name}_1" not in self.offsets else f"{f.name}_1"]
            for path in f.paths:
                self.fields[path] = (f, at)

    def place(self, path: str) -> tuple[int, int, int, int]:
        """(store, dst, dst2, aux) of a path; STORE_NONE when the record does not keep it."""
        if path not in self.fields:
            return STORE_NONE, 0, 0, 0
        f, at = self.fields[path]
        if f.ctype.startswith("char"):
            return STORE_CHARS, at, self.offsets[f"{f.name}_len"], f.size
        second = self.offsets[f.digits] if f.digits else 0xFFFF
        return _STORES[f.ctype], at, second, 0

    def template(self, plan: Plan, row: Row) -> bytes:
        """The record before anything is decoded: kind, defaults, unset marks."""
        size = ORDER_HEADER_BYTES if self.record.ring == "order" else RECORD_BYTES * self.record.parts
        raw = bytearray(size)
        for f in self.record.fields:
            at = self.offsets[f.name if f.part == 0 or f"{f.name}_1" not in self.offsets else f"{f.name}_1"]
            if f.name == "kind":
                raw[at] = row.id
            elif f.name == "part":
                raw[at] = f.part
            elif f.name.endswith("_digits"):
                raw[at] = 0xFF
            elif f.ctype == "f64":
                struct.pack_into("<d", raw, at, _float_default(plan, f.paths))
            elif f.ctype == "i64" and f.name != "recv_ns" and not _unguarded(plan, f.paths):
                struct.pack_into("<q", raw, at, INT_UNSET)
            elif f.ctype in ("i64", "i32") and _unguarded(plan, f.paths):
                reg = plan.shape.regs[plan.shape.index[f.paths[0]]]
                value = default_of(reg, Profile.TYPED, plan.dialect, Direction.INCOMING)
                unset = INT_UNSET if f.ctype == "i64" else -(1 << 31)
                struct.pack_into("<q" if f.ctype == "i64" else "<i", raw, at, unset if value is None else value)
        return bytes(raw)


def _guard(plan: Plan, path: str) -> str:
    """The optional struct above a path, or an empty text."""
    parts = path.split(".")
    for n in range(1, len(parts)):
        if (found := ".".join(parts[:n])) + "?" in plan.shape.index:
            return found
    return ""


def _unguarded(plan: Plan, paths: tuple[str, ...]) -> bool:
    return bool(paths) and paths[0] in plan.shape.index and not _guard(plan, paths[0])


class _Guards:
    """A bit for each optional struct of a plan."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        names = [r.path[:-1] for r in plan.shape.regs if r.is_presence]
        self.bits = {name: 1 << i for i, name in enumerate(names[:31])}

    def checks(self, target: _Target) -> list[tuple[int, int, int]]:
        """(store, dst, guard) of each number of the record that can be unset."""
        out = []
        for path, (f, at) in target.fields.items():
            index = self.plan.shape.index
            if path not in index or f.ctype not in ("f64", "i64", "i32"):
                continue
            if f.ctype == "f64" or self.plan.shape.regs[index[path]].field.nullable:
                guard = _guard(self.plan, path)
                out.append((_STORES[f.ctype], at, self.bits[guard] if guard else 0))
        return out


_PACK: Final = {"u8": "<B", "i8": "<b", "i16": "<h", "i32": "<i", "i64": "<q", "f64": "<d"}


def _guarded_defaults(plan: Plan, target: _Target, guard: str) -> list[tuple[int, bytes]]:
    """(offset, bytes) of what stands in the places of an optional struct once it comes, before its fields do."""
    out: list[tuple[int, bytes]] = []
    index = plan.shape.index
    for path, (f, at) in target.fields.items():
        if f.ctype not in _PACK or _guard(plan, path) != guard:
            continue
        value: Any = 0  # a mask
        if path in index:
            value = default_of(plan.shape.regs[index[path]], Profile.TYPED, plan.dialect, Direction.INCOMING)
        if value is None and f.ctype != "f64":
            raise TypeError(f"{target.record.name}.{f.name}: an integer that can be unset is not foreseen here")
        out.append((at, struct.pack(_PACK[f.ctype], float("nan") if value is None else value)))
        if f.digits:
            out.append((target.offsets[f.digits], b"\0" if isinstance(value, Decimal) else b"\xff"))
    return out


def _float_default(plan: Plan, paths: tuple[str, ...]) -> float:
    for path in paths:
        if path in plan.shape.index and not _guard(plan, path):
            value = default_of(plan.shape.regs[plan.shape.index[path]], Profile.TYPED, plan.dialect, Direction.INCOMING)
            return float("nan") if value is None else float(value)
    return float("nan")


def _bits_of(items: Iterable[Item] | None, found: dict[str, tuple[str, int]]) -> dict[str, tuple[str, int]]:
    for item in items or ():
        if isinstance(item, Bits):
            found.update({path: (item.name, mask) for path, mask, _ in item.bits})
        elif isinstance(item, Gate | When | Repeat):
            _bits_of(item.items, found)
    return found


class _TextTable:
    def __init__(self, plan: Plan, record: Record) -> None:
        self.plan = plan
        self.target = _Target(record)
        self.guards = _Guards(plan)
        self.ops: list[tuple[Any, ...]] = []
        self.tests: list[tuple[int, int, float, bytes]] = []
        self.slots: dict[tuple[int, int], int] = {}
        self.constants: list[tuple[int, float]] = []
        self._collect(plan.text, 0)
        version = plan.shape.index["@version"]
        if (0, version) in self.slots and not any(op.reg == version for op in plan.text):
            self.constants.append((self.slots[0, version], float(plan.wire_version)))
        self._emit(plan.text, 0, True)
        self.ops.append((len(OpCode), 0, 0, 0, 0, 0, NO_SLOT, 0.0, 0))

    def _collect(self, ops: Iterable[Op], scope: int) -> None:
        for op in ops:
            if op.cond is not None:
                for reg in _regs_of(op.cond):
                    self.slots.setdefault((scope, reg), len(self.slots))
                self._collect(op.body, scope)
            elif op.code is OpCode.REPEAT and op.sub is not None:
                self._collect(op.sub.ops, id(op.sub))

    def _emit(self, ops: Iterable[Op], scope: int, top: bool) -> None:
        for op in ops:
            if op.code is OpCode.WHEN:
                self._when(op, scope, top)
            elif op.code is OpCode.REPEAT:
                at = len(self.ops)
                self.ops.append(())
                assert op.sub is not None
                self._emit(op.sub.ops, id(op.sub), False)
                slot = self.slots.get((scope, op.reg), NO_SLOT)
                self.ops[at] = (int(OpCode.REPEAT), 0, 0, 0, 0, 0, slot, 0.0, len(self.ops))
            elif op.code is OpCode.PRESENT:
                if top:
                    bit = self.guards.bits[op.name]
                    self.ops.append((int(op.code), 0, 0, 0, bit, 0, NO_SLOT, 0.0, 0))
            else:
                self._field(op, scope, top)

    def _when(self, op: Op, scope: int, top: bool) -> None:
        assert op.cond is not None
        first = len(self.tests)
        self._tests(op.cond, scope)
        count = len(self.tests) - first
        at = len(self.ops)
        self.ops.append(())
        self._emit(op.body, scope, top)
        self.ops[at] = (int(OpCode.WHEN), 0, first, count, 0, 0, NO_SLOT, 0.0, len(self.ops))

    def _tests(self, cond: RegCond, scope: int) -> None:
        if cond.op == "any":
            for part in cond.parts:
                self._tests(part, scope)
            return
        slot = self.slots[scope, cond.reg]
        values = cond.value if cond.op == "in" else (cond.value,)
        for value in values:
            if cond.op == "true":
                self.tests.append((slot, TEST_TRUE, 0.0, b""))
            elif isinstance(value, str):
                self.tests.append((slot, TEST_EQ_TEXT, 0.0, value.encode()))
            else:
                code = {"ge": TEST_GE, "gt": TEST_GT}.get(cond.op, TEST_EQ_NUMBER)
                self.tests.append((slot, code, float(value), b""))

    def _field(self, op: Op, scope: int, top: bool) -> None:
        store, dst, dst2, aux = self.target.place(op.name) if top else (STORE_NONE, 0, 0, 0)
        flags = FLAG_NULLABLE if op.nullable else 0
        fval = 0.0
        if op.not_computed is not None:
            flags |= FLAG_NEGATIVE if op.not_computed == "negative" else FLAG_NOT_COMPUTED
            fval = 0.0 if op.not_computed == "negative" else float(op.not_computed)
        if op.unknown:
            flags |= FLAG_QUESTION
        if op.wide:
            flags |= FLAG_WIDE
        if op.rule is TextRule.ESCAPED_ALWAYS:
            flags |= FLAG_ESCAPED
        code = op.code
        if code is OpCode.INT:
            aux = ALL_BITS
        elif code is OpCode.BITS:
            aux = sum(bit for _, bit in op.bits)  # what the row does not know is not kept
        if code is OpCode.BOOL and op.words is not None:
            code = OpCode.STR
        slot = self.slots.get((scope, op.reg), NO_SLOT) if op.reg >= 0 else NO_SLOT
        self.ops.append((int(code), store, dst, dst2, aux, flags, slot, fval, 0))


def _regs_of(cond: RegCond) -> list[int]:
    return [r for p in cond.parts for r in _regs_of(p)] if cond.op == "any" else [cond.reg]


def text_table(plan: Plan, record: Record) -> tuple[Any, ...]:
    """(template, ops, tests, slots, constants, checks) of a text plan."""
    t = _TextTable(plan, record)
    checks = t.guards.checks(t.target)
    return t.target.template(plan, plan.row), t.ops, t.tests, len(t.slots), t.constants, checks


class _ProtoTables:
    def __init__(self, plan: Plan, record: Record) -> None:
        self.plan = plan
        self.target = _Target(record)
        self.guards = _Guards(plan)
        self.bits = _bits_of(plan.row.text, {})
        self.tables: list[tuple[Any, ...]] = []
        assert plan.proto is not None
        self._add(plan.proto, True)

    def _add(self, table: ProtoTable, top: bool, guard: str = "") -> int:
        index = len(self.tables)
        self.tables.append(())
        ops: list[tuple[Any, ...]] = []
        for number, op in table.ops.items():
            path = self.plan.shape.regs[op.reg].path if top and 0 <= op.reg < len(self.plan.shape.regs) else ""
            store, dst, dst2, aux = self.target.place(path) if path else (STORE_NONE, 0, 0, 0)
            code, sub = op.code, -1
            if code is ProtoCode.MESSAGE:
                assert op.table is not None
                inner = self.plan.shape.regs[op.presence].path[:-1] if top and op.presence >= 0 else ""
                sub = self._add(op.table, top, inner)
                store = STORE_NONE
                aux = self.guards.bits[inner] if inner else 0
            elif code in (ProtoCode.REPEATED, ProtoCode.MAP):
                assert op.sub is not None
                sub = self._add(op.sub.table, False)
                store = STORE_NONE
            elif code is ProtoCode.LIST:
                sub, store = op.presence, STORE_NONE
            elif code is ProtoCode.BITS:
                store, dst, dst2, aux = self.target.place(op.name)
            elif path in self.bits:
                name, mask = self.bits[path]
                store, dst, dst2, aux = self.target.place(name)
                store, aux = (STORE_BIT, mask) if store != STORE_NONE else (STORE_NONE, 0)
            if code is ProtoCode.BITS:
                aux = sum(bit for _, bit in op.bits)
            elif code in (ProtoCode.INT32, ProtoCode.INT64) and store != STORE_BIT:
                aux = ALL_BITS
            flags = FLAG_NULLABLE if op.nullable else 0
            fval = 0.0
            if op.not_computed is not None:
                flags |= FLAG_NEGATIVE if op.not_computed == "negative" else FLAG_NOT_COMPUTED
                fval = 0.0 if op.not_computed == "negative" else float(op.not_computed)
            kind = int(op.kind) if op.kind is not None and op.hook is None else 0
            ops.append((number, int(code), store, dst, dst2, aux, flags, kind, fval, sub))
        self.tables[index] = (ops, _guarded_defaults(self.plan, self.target, guard) if guard else [])
        return index


def proto_tables(plan: Plan, record: Record) -> tuple[Any, ...]:
    """(template, tables, checks) of a protobuf plan; table 0 is the message itself.

    A table is its ops, and what stands in an optional struct's places once it comes.
    """
    t = _ProtoTables(plan, record)
    return t.target.template(plan, plan.row), t.tables, _Guards(plan).checks(t.target)


def tables(server_version: int, records: bool = True) -> dict[str, Any]:
    """Everything that the compiled stream decoder needs for one server version, as plain data.

    Without ``records`` every message goes raw: market data to the order ring, which has nothing else then and may give
    up the oldest, and everything else to the control ring.
    """
    text: dict[int, tuple[int, int, Any, Any]] = {}
    proto: dict[int, tuple[int, int, Any, Any]] = {}
    raw_ids = server_version >= V.PROTOBUF
    for row in INCOMING.values():
        record = BY_NAME.get(row.record) if row.record else None
        if row.text is not None:
            made = text_table(text_plan(row, server_version), record) if record is not None and records else None
            text[row.id] = _entry(record, made, proto=False)
        if row.proto and raw_ids:
            made = proto_tables(proto_plan(row, server_version), record) if record is not None and records else None
            proto[row.id] = _entry(record, made, proto=True)
    return {"raw_ids": raw_ids, "text": text, "proto": proto}


def _entry(record: Record | None, made: tuple[Any, ...] | None, *, proto: bool) -> tuple[int, int, Any, Any]:
    """(route, records, table, program for the usual frames) of one message."""
    if record is None or made is None:
        return RAW_MARKET if record is not None and record.ring == "market" else COLD, 0, None, None
    if record.ring == "order":
        return ORDER, record.parts, made, None
    return MARKET, record.parts, made, fused.program(made, proto=proto)


__all__ = ["proto_tables", "tables", "text_table"]
