"""A message's layout as lines of a table: the plan gives order and kinds, the row gives since when and until when.

The plan of one version and the row that it was made from are walked side by side: every op of the plan came from one
live item of the row.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Final

from ibwire.spec import versions as V
from ibwire.spec.model import (
    FOREVER,
    Bits,
    Cond,
    Gate,
    Item,
    Kind,
    Present,
    Repeat,
    Row,
    Skip,
    T,
    TextRule,
    Version,
    When,
)
from ibwire.wire.plan import (
    SENTINEL_TEXT,
    Dialect,
    Op,
    OpCode,
    Plan,
    ProtoCode,
    ProtoOp,
    ProtoTable,
    Shape,
    proto_plan,
    text_plan,
)

GATE_NAMES: Final[dict[int, str]] = {value: name for name, value in V.GATES.items()}

_KINDS: Final = {
    OpCode.SKIP: "unused",
    OpCode.INT: "int",
    OpCode.FLOAT: "float",
    OpCode.DEC: "decimal",
    OpCode.BOOL: "bool",
    OpCode.STR: "text",
    OpCode.BITS: "bits",
}
_WIRE: Final = {
    ProtoCode.INT32: "int32",
    ProtoCode.INT64: "int64",
    ProtoCode.DOUBLE: "double",
    ProtoCode.STRING: "string",
    ProtoCode.BOOL: "bool",
    ProtoCode.BITS: "int32",
    ProtoCode.MESSAGE: "message",
    ProtoCode.REPEATED: "repeated",
    ProtoCode.MAP: "map",
    ProtoCode.LIST: "repeated",
}

_HOOKS: Final = {
    "tag_values": "tag=value; pairs",
    "pair_count": "number of pairs",
    "float8_text": "at most 8 digits after the point",
    "plain_text": "a number written as text",
}
_SENTINELS: Final = {
    SENTINEL_TEXT[Kind.F64]: "Double.MAX",
    SENTINEL_TEXT[Kind.DEC]: "2**127-1",
}


@dataclass(slots=True)
class Line:
    """One line: where a value stands, what it is, since when. A heading has no kind."""

    where: str
    name: str
    kind: str = ""
    nullable: bool = False
    since: int = 0
    until: int = FOREVER
    notes: list[str] = field(default_factory=list)
    depth: int = 0
    path: str = ""


@dataclass(frozen=True, slots=True)
class _Scope:
    """What surrounds an item: gates, nesting, and whether a position is exact."""

    since: int = 0
    until: int = FOREVER
    depth: int = 0
    prefix: str = ""
    name: str = ""

    def gated(self, since: int, until: int) -> _Scope:
        return replace(self, since=max(self.since, since), until=min(self.until, until))


def gate_text(version: int) -> str:
    """``163 FRACTIONAL_SIZE_SUPPORT``."""
    name = GATE_NAMES.get(version)
    return f"{version} {name}" if name else str(version)


def condition_text(cond: Cond) -> str:
    """A condition in words."""
    path = "the version field" if cond.path == "@version" else cond.path
    if cond.op == "any":
        return " or ".join(condition_text(part) for part in cond.parts)
    if cond.op == "true":
        return f"{path.removesuffix('?')} is present" if path.endswith("?") else f"{path} is set and not zero"
    if cond.op == "in":
        return f"{path} is one of {', '.join(repr(value) for value in cond.value)}"
    sign = {"eq": "=", "ge": ">=", "gt": ">"}[cond.op]
    return f"{path} {sign} {cond.value!r}"


class TextLayout:
    """The text layout of a row at one server version.

    Attributes
    ----------
    lines : list of Line
        In wire order; ``where`` is the position after the message id, ``n+`` where something before it varies.
    absent : list of Line
        Fields that this version does not carry, with the versions that do.
    """

    def __init__(self, row: Row, server_version: int) -> None:
        self.row, self.server_version = row, server_version
        self.lines: list[Line] = []
        self.absent: list[Line] = []
        self._at = 1
        self._exact = True
        plan = text_plan(row, server_version)
        self._version_field = any(op.name == "version" for op in plan.text)
        self._wire_version = plan.wire_version
        self._walk(row.text or (), iter(plan.text), plan.shape, _Scope(since=row.since))

    def _live(self, scope: _Scope) -> bool:
        return scope.since <= self.server_version < scope.until

    def _place(self, scope: _Scope) -> str:
        if scope.prefix:
            return ""
        where = f"{self._at}" if self._exact else f"{self._at}+"
        self._at += 1
        return where

    def _walk(self, items: Iterable[Item], ops: Iterator[Op], shape: Shape, scope: _Scope) -> None:
        for item in items:
            if isinstance(item, Gate):
                inner = scope.gated(item.since, item.until)
                if self._live(inner):
                    self._walk(item.items, ops, shape, inner)
                else:
                    self._missing(item.items, inner)
            elif isinstance(item, When):
                self._when(item, next(ops), shape, scope)
            elif isinstance(item, Repeat):
                self._repeat(item, next(ops), scope)
            elif isinstance(item, Present):
                next(ops)
            else:
                self._single(item, ops, shape, scope)

    def _single(self, item: Item, ops: Iterator[Op], shape: Shape, scope: _Scope) -> None:
        if isinstance(item, T | Skip):
            scope = scope.gated(item.since, item.until)
        elif isinstance(item, Version):
            scope = scope.gated(0, item.until)
        if not self._live(scope):
            self._missing((item,), scope)
            return
        op = next(ops)
        kind = _KINDS[op.code]
        name = scope.name if op.name == "" else scope.prefix + op.name
        line = Line(self._place(scope), name, kind, op.nullable, scope.since, scope.until, _notes(op), scope.depth)
        if isinstance(item, T):
            line.path = item.path
        elif isinstance(item, Version):
            line.notes.append(f"obsolete version field, we send {item.value}")
        elif isinstance(item, Bits):
            known = [f"{mask} {path}" for path, mask, bit in item.bits if self.server_version >= bit]
            line.notes.append(", ".join(known))
        self.lines.append(line)

    def _when(self, item: When, op: Op, shape: Shape, scope: _Scope) -> None:
        settled = self._settled(item.cond)
        if settled:
            self._walk(item.items, iter(op.body), shape, scope)
        if settled is not None:
            return
        self.lines.append(Line("", f"when {condition_text(item.cond)}:", depth=scope.depth))
        at = self._at
        self._walk(item.items, iter(op.body), shape, replace(scope, depth=scope.depth + 1))
        if not scope.prefix:
            self._at, self._exact = at, False

    def _settled(self, cond: Cond) -> bool | None:
        """The answer to a condition on the version field where that is not on the wire; None where it is."""
        if cond.path != "@version" or self._version_field:
            return None
        return bool(self._wire_version >= cond.value) if cond.op == "ge" else None

    def _repeat(self, item: Repeat, op: Op, scope: _Scope) -> None:
        name = scope.prefix + item.path
        count = Line(self._place(scope), name, "count", False, scope.since, scope.until, [], scope.depth, item.path)
        self.lines.append(count)
        self.lines.append(Line("", "for each:", depth=scope.depth))
        sub = op.sub
        assert sub is not None
        # Without a shape the element is one plain value, whose item a row may leave out.
        inner = replace(scope, depth=scope.depth + 1, prefix=f"{name}[].", name=f"{name}[]")
        self._walk(item.items or (T(""),), iter(sub.ops), sub.shape or _EMPTY, inner)
        if not scope.prefix:
            self._exact = False

    def _missing(self, items: Iterable[Item], scope: _Scope) -> None:
        for item in items:
            if isinstance(item, Gate):
                self._missing(item.items, scope.gated(item.since, item.until))
            elif isinstance(item, When | Repeat):
                if isinstance(item, Repeat):
                    self.absent.append(Line("", scope.prefix + item.path, "", False, scope.since, scope.until))
                else:
                    self._missing(item.items, scope)
            elif isinstance(item, T | Skip):
                name = item.path if isinstance(item, T) else item.name
                at = scope.gated(item.since, item.until)
                self.absent.append(Line("", scope.prefix + name, "", False, at.since, at.until, path=name))
            elif isinstance(item, Version):
                self.absent.append(Line("", "version", "", False, scope.since, scope.until))


_EMPTY: Final = Shape("", (), (), [], {})


def _notes(op: Op) -> list[str]:
    notes = []
    if op.nullable and op.code is not OpCode.SKIP:
        sentinel = _SENTINELS.get(op.null_text, op.null_text)
        notes.append(f"unset is empty or {sentinel}" if sentinel else "unset is empty")
    if op.name.endswith("?"):
        notes.append("1 if the struct follows")
    if op.unknown:
        notes.append(f"{op.unknown} is unset too")
    if op.words is not None:
        notes.append(f"{op.words[0]!r} or {op.words[1]!r}")
    if op.rule is TextRule.ESCAPED_ALWAYS:
        notes.append("backslash escapes")
    if op.hook is not None:
        notes.append(_HOOKS.get(op.hook.name, op.hook.name))
    return notes


# ------------------------------------------------------------------------------------------------ protobuf


def proto_lines(row: Row) -> list[Line]:
    """The protobuf layout of a row: by field number, submessages indented."""
    plan = proto_plan(row, V.MAX_CLIENT_VERSION)
    assert plan.proto is not None
    return list(_table(plan.proto, plan.shape, row.proto_since, ""))


def _table(table: ProtoTable, shape: Shape, since: int, prefix: str) -> Iterator[Line]:
    for number, op in sorted(table.ops.items()):
        yield from _proto_op(number, op, shape, since, prefix)


def _proto_op(number: int, op: ProtoOp, shape: Shape, since: int, prefix: str) -> Iterator[Line]:
    """``prefix``: where a reader expects the fields of this table; a field that lives elsewhere says so."""
    line = Line(str(number), prefix + op.name, _WIRE[op.code], op.nullable, since)
    if 0 <= op.reg < len(shape.regs) and op.code is not ProtoCode.MESSAGE:
        reg = shape.regs[op.reg]
        line.since = max(since, reg.field.since)
        line.path = reg.path
        if reg.path and reg.path != line.name:
            line.notes.append(f"is {reg.path}")
    if op.nullable:
        line.notes.append("absent is unset")
    if op.hook is not None:
        line.notes.append(_HOOKS.get(op.hook.name, op.hook.name))
    sub = op.sub
    if op.code is ProtoCode.BITS:
        line.notes.append("bits " + ", ".join(f"{mask} {shape.regs[reg].path}" for reg, mask in op.bits))
    elif op.code is ProtoCode.MAP:
        line.kind = "map of string to string"
    elif op.code is ProtoCode.LIST:
        line.kind = f"repeated {_WIRE[ProtoCode(op.presence)]}"
    elif op.table is not None:
        line.kind = f"message {op.table.name}"
    elif sub is not None:
        line.kind = f"repeated {sub.table.name}"
    yield line
    if op.table is not None:
        yield from _table(op.table, shape, line.since, f"{line.name}.")
    elif op.code is ProtoCode.REPEATED and sub is not None and sub.shape is not None:
        for inner in _table(sub.table, sub.shape, line.since, ""):
            inner.name = f"{line.name}[].{inner.name}"
            yield inner


def carried(plan: Plan) -> frozenset[str]:
    """Names of the message's own fields that a plan's wire form carries."""
    if plan.dialect is Dialect.TEXT:
        paths = {line.path or line.name for line in TextLayout(plan.row, plan.server_version).lines}
    else:
        paths = {line.path or line.name for line in proto_lines(plan.row)}
    return frozenset(path.partition(".")[0].rstrip("?") for path in paths)
