"""Specialises a row to (server version, dialect, profile): the one place where server versions meet gates.

A **plan** is plain data: flat registers, the ops of one dialect, and how the registers become objects. The reference
interpreters (``text.py``, ``proto.py``) and the compiled one (``_fastdecode``) run the same plans.

Registers: every scalar that a message can hold has one, structs are flattened (``order.softDollarTier.name``), an
optional struct has a presence register before its fields, a list is one register that holds finished elements.

Two profiles say what "not set" looks like: ``typed`` (None) and ``official`` (the sentinels of the official package,
for compat). Encoding does not depend on the profile: None and the sentinel both mean "not set" in a nullable field.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from decimal import Decimal
from functools import cache
from operator import attrgetter
from typing import Any, Final

from ibwire.spec import hooks as _hooks
from ibwire.spec import versions as V
from ibwire.spec.model import (
    ALWAYS,
    FOREVER,
    IF_SET,
    IF_TRUE,
    MISSING,
    Bits,
    Cond,
    Direction,
    Field,
    Gate,
    Group,
    Item,
    Kind,
    Present,
    Repeat,
    Row,
    Skip,
    Struct,
    T,
    TextRule,
    Version,
    When,
)

UNSET_INT: Final = 2147483647
UNSET_LONG: Final = 9223372036854775807
UNSET_DOUBLE: Final = 1.7976931348623157e308
UNSET_DECIMAL: Final = Decimal(2**127 - 1)
SENTINEL: Final[dict[Kind, Any]] = {
    Kind.I32: UNSET_INT,
    Kind.I64: UNSET_LONG,
    Kind.F64: UNSET_DOUBLE,
    Kind.DEC: UNSET_DECIMAL,
    Kind.BOOL: None,
    Kind.STR: "",
}
ZERO: Final[dict[Kind, Any]] = {
    Kind.I32: 0,
    Kind.I64: 0,
    Kind.F64: 0.0,
    Kind.DEC: Decimal(0),
    Kind.BOOL: False,
    Kind.STR: "",
}
SENTINEL_TEXT: Final[dict[Kind, str]] = {
    Kind.I32: "2147483647",
    Kind.I64: "9223372036854775807",
    Kind.F64: "1.7976931348623157e+308",
    Kind.DEC: str(2**127 - 1),
    Kind.BOOL: "",
    Kind.STR: "",
}
PROTO_KIND: Final[dict[Kind, str]] = {
    Kind.I32: "int32",
    Kind.I64: "int64",
    Kind.F64: "double",
    Kind.DEC: "string",
    Kind.BOOL: "bool",
    Kind.STR: "string",
}


FREE_ELEMENTS: Final = 1 << 16
BYTES_PER_ELEMENT: Final = 32


def most_elements(payload_bytes: int) -> int:
    """How many list elements a payload may make, so that a hostile one cannot fill memory with empty objects.

    No gateway comes near: its bars and ticks take more than :data:`BYTES_PER_ELEMENT` bytes each, and other lists are
    shorter than :data:`FREE_ELEMENTS`.
    """
    return FREE_ELEMENTS + payload_bytes // BYTES_PER_ELEMENT


class Profile(enum.Enum):
    """What an unset value looks like to the reader of a decoded message."""

    TYPED = "typed"
    OFFICIAL = "official"


class Dialect(enum.Enum):
    TEXT = "text"
    PROTO = "proto"


class OpCode(enum.IntEnum):
    """Ops of a text plan; the numbers are shared with the compiled interpreter."""

    SKIP = 0
    INT = 1
    FLOAT = 2
    DEC = 3
    BOOL = 4
    STR = 5
    BITS = 6
    WHEN = 7
    REPEAT = 8
    PRESENT = 9


class ProtoCode(enum.IntEnum):
    """Kinds of fields in a protobuf plan; the numbers are shared with the compiled interpreter."""

    INT32 = 0
    INT64 = 1
    DOUBLE = 2
    STRING = 3
    BOOL = 4
    MESSAGE = 5
    REPEATED = 6
    MAP = 7
    LIST = 8
    BITS = 9


_OP_OF_KIND: Final = {
    Kind.I32: OpCode.INT,
    Kind.I64: OpCode.INT,
    Kind.F64: OpCode.FLOAT,
    Kind.DEC: OpCode.DEC,
    Kind.BOOL: OpCode.BOOL,
    Kind.STR: OpCode.STR,
}


@dataclass(slots=True)
class Reg:
    """One register: its path from the message down, the field it belongs to, what a list holds."""

    path: str
    field: Field
    kind: Kind | None  # None: a list, or a presence flag
    elem: Shape | Kind | None = None
    is_presence: bool = False


@dataclass(slots=True)
class Shape:
    """How flat registers become nested objects and back. Offsets are relative to the struct's first register."""

    name: str
    names: tuple[str, ...]
    children: tuple[tuple[int, Shape | None, int], ...]  # (offset, nested shape, presence offset or -1)
    regs: list[Reg]
    index: dict[str, int]
    # Derived. Neighbouring plain fields are moved together: (first register, the one past the last, None, -1).
    runs: tuple[tuple[int, int, Shape | None, int], ...] = field(init=False, repr=False, compare=False)
    fetch: Callable[[Any], tuple[Any, ...]] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        runs: list[tuple[int, int, Shape | None, int]] = []
        for offset, sub, presence in self.children:
            if sub is None and runs and runs[-1][2] is None and runs[-1][1] == offset:
                runs[-1] = (runs[-1][0], offset + 1, None, -1)
            else:
                runs.append((offset, offset + 1, sub, presence))
        self.runs = tuple(runs)
        self.fetch = _fetcher(self.names)

    @property
    def size(self) -> int:
        return len(self.regs)


def _fetcher(names: tuple[str, ...]) -> Callable[[Any], tuple[Any, ...]]:
    """A function from an object to all of these attributes; it raises AttributeError where one is lacking."""
    if not names:
        return lambda obj: ()
    get = attrgetter(*names)
    return get if len(names) > 1 else lambda obj: (get(obj),)


def _shape(name: str, fields: Iterable[Field]) -> Shape:
    regs: list[Reg] = []
    names: list[str] = []
    children: list[tuple[int, Shape | None, int]] = []
    for f in fields:
        names.append(f.name)
        if isinstance(f.type, Struct) and not f.many:
            sub = struct_shape(f.type)
            presence = -1
            if f.optional:
                presence = len(regs)
                regs.append(Reg(f"{f.name}?", f, None, is_presence=True))
            children.append((len(regs), sub, presence))
            regs.extend(Reg(f"{f.name}.{r.path}", r.field, r.kind, r.elem, r.is_presence) for r in sub.regs)
            continue
        children.append((len(regs), None, -1))
        if f.many:
            elem = struct_shape(f.type) if isinstance(f.type, Struct) else f.type
            regs.append(Reg(f.name, f, None, elem))
        else:
            assert isinstance(f.type, Kind)
            regs.append(Reg(f.name, f, f.type))
    return Shape(name, tuple(names), tuple(children), regs, {r.path: i for i, r in enumerate(regs)})


@cache
def struct_shape(struct: Struct) -> Shape:
    return _shape(struct.name, struct.fields)


@cache
def row_shape(row: Row) -> Shape:
    """Registers of a message; the last one is ``@version``, its obsolete version field."""
    shape = _shape(row.name, row.fields)
    shape.index["@version"] = len(shape.regs)
    shape.regs.append(Reg("@version", Field("@version", Kind.I32), Kind.I32))
    return shape


def default_of(reg: Reg, profile: Profile, dialect: Dialect, direction: Direction) -> Any:
    """The value of a register before anything is decoded; a list is given as a tuple and copied per message.

    In protobuf the typed objects read an absent field as the value that is not sent, whatever the default of a new
    object is: None where nullable, False for a bool that is sent only when true.
    """
    f = reg.field
    if reg.is_presence:
        return False
    if profile is Profile.OFFICIAL:
        special = f.official_text if dialect is Dialect.TEXT else f.official_proto
        value = special if special is not MISSING else f.official
        if value is not MISSING:
            return value
        if reg.kind is None:
            return None
        if f.default is not MISSING:
            return f.default
        return SENTINEL[reg.kind] if f.nullable else ZERO[reg.kind]
    if reg.kind is None:
        return ()
    if dialect is Dialect.PROTO and f.used(direction):
        if f.nullable:
            return None
        if reg.kind is Kind.BOOL and f.sent == IF_TRUE:
            return False
    if f.default is not MISSING:
        return f.default
    return None if f.nullable else ZERO[reg.kind]


# ------------------------------------------------------------------------------------------------ conditions


@dataclass(slots=True, frozen=True)
class RegCond:
    """A :class:`~ibwire.spec.model.Cond` with its path resolved to a register."""

    op: str
    reg: int
    value: Any
    parts: tuple[RegCond, ...]

    def holds(self, regs: list[Any]) -> bool:
        op = self.op
        if op == "any":
            return any(p.holds(regs) for p in self.parts)
        v = regs[self.reg]
        if op == "true":
            return bool(v)
        if op == "eq":
            return bool(v == self.value)
        if op == "in":
            return v in self.value
        if v is None or v in (UNSET_DOUBLE, UNSET_INT):
            return False
        return bool(v >= self.value) if op == "ge" else bool(v > self.value)


def resolve(cond: Cond, index: dict[str, int], prefix: str = "") -> RegCond:
    if cond.op == "any":
        return RegCond("any", -1, None, tuple(resolve(p, index, prefix) for p in cond.parts))
    return RegCond(cond.op, index[cond.path], cond.value, ())


# ------------------------------------------------------------------------------------------------ text


@dataclass(slots=True)
class Op:
    """One op of a text plan. ``empty`` and ``null`` are what an empty field and a sentinel read as."""

    code: OpCode
    reg: int
    name: str
    empty: Any = None
    null: Any = None
    nullable: bool = False
    wide: bool = False
    null_text: str = ""
    rule: TextRule = TextRule.UTF8
    words: tuple[str, str] | None = None
    hook: _hooks.Hook | None = None
    unknown: str = ""
    not_computed: Any = None
    text: str = ""
    bits: tuple[tuple[int, int], ...] = ()
    cond: RegCond | None = None
    body: tuple[Op, ...] = ()
    sub: SubPlan | None = None


@dataclass(slots=True)
class SubPlan:
    """The element of a list: its own registers. ``shape`` None: the element is the single register itself."""

    ops: tuple[Op, ...]
    init: list[Any]
    lists: tuple[tuple[int, Any], ...]
    shape: Shape | None
    name: str


@dataclass(slots=True)
class Check:
    """A register that this peer cannot be sent: set means error 503."""

    reg: int
    name: str
    default: Any
    gate: int


@dataclass(slots=True)
class Plan:
    """One message at one server version, dialect and profile."""

    row: Row
    server_version: int
    dialect: Dialect
    profile: Profile
    shape: Shape
    init: list[Any]
    lists: tuple[tuple[int, Any], ...]
    text: tuple[Op, ...] = ()
    proto: ProtoTable | None = None
    checks: tuple[Check, ...] = ()
    row_hooks: tuple[_hooks.RowHook, ...] = ()
    wire_version: int = 0
    extra: dict[str, Any] = field(default_factory=dict)


class _TextCompiler:
    def __init__(self, sv: int, profile: Profile, version: int | None, direction: Direction) -> None:
        self.sv, self.profile, self.version, self.direction = sv, profile, version, direction
        self.carried: set[str] = set()
        self.gates: dict[str, tuple[int, bool]] = {}
        self.wire_version = 0

    def compile(self, items: Iterable[Item], shape: Shape, top: bool) -> tuple[Op, ...]:
        out: list[Op] = []
        for item in items:
            self._item(item, shape, top, out)
        return tuple(out)

    def _live(self, since: int, until: int) -> bool:
        return since <= self.sv < until

    def _item(self, item: Item, shape: Shape, top: bool, out: list[Op]) -> None:
        if isinstance(item, T):
            self._field(item, shape, top, out)
        elif isinstance(item, Gate):
            if self._live(item.since, item.until):
                out.extend(self.compile(item.items, shape, top))
            elif top and self.sv < item.since:
                self._note_gate(item.items, item.since)
        elif isinstance(item, Version):
            self._version(item, shape, out)
        elif isinstance(item, Skip):
            if self._live(item.since, item.until):
                out.append(Op(OpCode.SKIP, -1, item.name, text=item.text))
        elif isinstance(item, When):
            body = self.compile(item.items, shape, top)
            out.append(Op(OpCode.WHEN, -1, "", cond=resolve(item.cond, shape.index), body=body))
        elif isinstance(item, Present):
            out.append(Op(OpCode.PRESENT, shape.index[item.path + "?"], item.path))
        elif isinstance(item, Repeat):
            out.append(self._repeat(item, shape, top))
        elif isinstance(item, Bits):
            bits = tuple((shape.index[path], mask) for path, mask, since in item.bits if self.sv >= since)
            out.append(Op(OpCode.BITS, -1, item.name, bits=bits))
        else:
            raise TypeError(f"unknown text item {item!r}")

    def _note_gate(self, items: Iterable[Item], gate: int) -> None:
        for it in items:
            if isinstance(it, T):
                self.gates[it.path] = (max(gate, it.since), it.quiet)
            elif isinstance(it, Repeat):
                self.gates[it.path] = (gate, False)
            elif isinstance(it, When):
                self._note_gate(it.items, gate)
            elif isinstance(it, Gate):
                self._note_gate(it.items, max(gate, it.since))

    def _version(self, item: Version, shape: Shape, out: list[Op]) -> None:
        reg = shape.index["@version"]
        if self.sv < item.until:
            self.wire_version = item.value if self.version is None else self.version
            out.append(Op(OpCode.INT, reg, "version", empty=0))
        else:
            self.wire_version = self.sv if item.absent == "server" else int(item.absent)

    def _field(self, item: T, shape: Shape, top: bool, out: list[Op]) -> None:
        if not self._live(item.since, item.until):
            if top and self.sv < item.since:
                self.gates[item.path] = (item.since, item.quiet)
            return
        if top:
            self.carried.add(item.path)
        if item.path not in shape.index:
            raise KeyError(f"no field {item.path} in {shape.name}; it has {sorted(shape.index)}")
        reg = shape.index[item.path]
        info = shape.regs[reg]
        f = info.field
        if info.is_presence:
            out.append(Op(OpCode.BOOL, reg, item.path, empty=False))
            return
        kind = item.kind or info.kind or Kind.STR
        sub = None
        if info.kind is None and isinstance(info.elem, Shape):  # a list of pairs in one text field
            sub = SubPlan((), [], (), info.elem, info.elem.name)
        nullable = f.nullable or kind is Kind.DEC
        rule = item.rule
        if rule is TextRule.ESCAPED:
            rule = TextRule.ESCAPED_ALWAYS if self.sv >= V.ENCODE_MSG_ASCII7 else TextRule.UTF8
        null = None if self.profile is Profile.TYPED else SENTINEL[kind]
        if self.profile is Profile.TYPED:
            empty = None if nullable else ZERO[kind]
        else:
            empty = SENTINEL[kind] if item.null or kind is Kind.DEC else ZERO[kind]
        if kind is Kind.BOOL and item.null:
            empty = None
        null_text = "" if item.null else SENTINEL_TEXT[kind]
        if f.not_computed is not None:
            null, null_text = None, "-1" if f.not_computed == "negative" else f"{f.not_computed:g}"
        out.append(
            Op(
                _OP_OF_KIND[kind],
                reg,
                item.path,
                empty=empty,
                null=null,
                nullable=nullable,
                wide=kind is Kind.I64,
                null_text=null_text,
                not_computed=f.not_computed,
                rule=rule,
                words=item.words,
                hook=_hooks.VALUE_HOOKS[item.hook] if item.hook else None,
                unknown=item.unknown,
                sub=sub,
            )
        )

    def _repeat(self, item: Repeat, shape: Shape, top: bool) -> Op:
        reg = shape.index[item.path]
        if top:
            self.carried.add(item.path)
        elem = shape.regs[reg].elem
        if isinstance(elem, Shape):
            sub = SubPlan(
                self.compile(item.items, elem, False),
                *_init(elem, self.profile, Dialect.TEXT, self.direction),
                elem,
                elem.name,
            )
        else:
            assert isinstance(elem, Kind)
            single = scalar_shape(elem)
            items = item.items or (T(""),)
            ops = tuple(replace(op, name=op.name or item.path) for op in self.compile(items, single, False))
            sub = SubPlan(ops, [ZERO[elem]], (), None, item.path)
        return Op(OpCode.REPEAT, reg, item.path, sub=sub)


@cache
def scalar_shape(kind: Kind) -> Shape:
    """The shape of a list element that is a plain value: one register with an empty path."""
    return Shape("", ("",), ((0, None, -1),), [Reg("", Field("", kind), kind)], {"": 0})


def _init(
    shape: Shape, profile: Profile, dialect: Dialect, direction: Direction
) -> tuple[list[Any], tuple[tuple[int, Any], ...]]:
    init: list[Any] = []
    lists: list[tuple[int, Any]] = []
    for i, reg in enumerate(shape.regs):
        value = default_of(reg, profile, dialect, direction)
        if isinstance(value, tuple):
            lists.append((i, None))
            value = None
        init.append(value)
    return init, tuple(lists)


# ------------------------------------------------------------------------------------------------ protobuf


@dataclass(slots=True)
class ProtoOp:
    """One protobuf field. Register numbers are relative to the table's struct until :func:`_shift` places it."""

    number: int
    name: str
    code: ProtoCode
    reg: int
    kind: Kind | None = None
    nullable: bool = False
    null: Any = None
    send: str = IF_SET
    hook: _hooks.Hook | None = None
    presence: int = -1
    table: ProtoTable | None = None
    sub: ProtoSub | None = None
    bits: tuple[tuple[int, int], ...] = ()
    not_computed: Any = None


@dataclass(slots=True)
class ProtoTable:
    """Fields of one protobuf message by number."""

    name: str
    ops: dict[int, ProtoOp]
    ordered: tuple[ProtoOp, ...] = field(init=False, repr=False, compare=False)  # as they are written

    def __post_init__(self) -> None:
        self.ordered = tuple(self.ops[number] for number in sorted(self.ops))


@dataclass(slots=True)
class ProtoSub:
    """The element of a repeated message or map."""

    table: ProtoTable
    init: list[Any]
    lists: tuple[tuple[int, Any], ...]
    shape: Shape | None
    name: str


_CODE: Final = {
    "int32": ProtoCode.INT32,
    "int64": ProtoCode.INT64,
    "double": ProtoCode.DOUBLE,
    "string": ProtoCode.STRING,
    "bool": ProtoCode.BOOL,
}


class _ProtoCompiler:
    def __init__(self, profile: Profile, direction: Direction) -> None:
        self.profile, self.direction = profile, direction

    def table(self, source: Row | Struct, shape: Shape, base: int = 0) -> ProtoTable:
        ops: dict[int, ProtoOp] = {}
        remapped = {path for _, path in source.proto_map if isinstance(path, str)}
        for f, (child, _, presence) in zip(source.fields, shape.children, strict=True):
            if f.proto and f.used(self.direction) and f.name not in remapped:
                self._add(ops, f.proto, f, base + child, base + presence if presence >= 0 else -1)
        for number, target in source.proto_map:
            if isinstance(target, Group):
                ops[number] = self._group(number, target, shape, base)
            elif isinstance(target, Bits):
                bits = tuple((base + shape.index[path], mask) for path, mask, _ in target.bits)
                ops[number] = ProtoOp(number, target.name, ProtoCode.BITS, -1, bits=bits)
            else:
                self._add_path(ops, number, target, shape, base)
        return ProtoTable(source.name if isinstance(source, Row) else source.proto or source.name, ops)

    def _add_path(self, ops: dict[int, ProtoOp], number: int, path: str, shape: Shape, base: int) -> None:
        if path in shape.index:
            reg = shape.index[path]
            self._add(ops, number, shape.regs[reg].field, base + reg, -1)
            return
        f, off, presence = _find_struct(shape, path)
        self._add(ops, number, f, base + off, base + presence if presence >= 0 else -1)

    def _group(self, number: int, group: Group, shape: Shape, base: int) -> ProtoOp:
        ops: dict[int, ProtoOp] = {}
        if group.base:
            f, off, _ = _find_struct(shape, group.base)
            assert isinstance(f.type, Struct)
            ops.update(self.table(f.type, struct_shape(f.type), base + off).ops)
        for sub_number, path in group.entries:
            self._add_path(ops, sub_number, path, shape, base)
        return ProtoOp(number, group.name, ProtoCode.MESSAGE, -1, send=ALWAYS, table=ProtoTable(group.proto, ops))

    def _add(self, ops: dict[int, ProtoOp], number: int, f: Field, reg: int, presence: int) -> None:
        name = f.proto_name or f.name
        if isinstance(f.type, Struct):
            ops[number] = self._message(number, name, f, f.type, reg, presence)
            return
        kind = f.type
        code = _CODE[f.proto_kind or PROTO_KIND[kind]]
        hook = _hooks.VALUE_HOOKS[f.hook] if f.hook else None
        if f.many:
            sub = ProtoSub(ProtoTable("", {}), [], (), None, name)
            ops[number] = ProtoOp(number, name, ProtoCode.LIST, reg, kind=kind, sub=sub, hook=hook, presence=int(code))
            return
        nullable = f.nullable or kind is Kind.DEC
        null = None if self.profile is Profile.TYPED or f.not_computed is not None else SENTINEL[kind]
        ops[number] = ProtoOp(
            number,
            name,
            code,
            reg,
            kind=kind,
            nullable=nullable,
            null=null,
            send=f.sent,
            hook=hook,
            not_computed=f.not_computed,
        )

    def _message(self, number: int, name: str, f: Field, struct: Struct, reg: int, presence: int) -> ProtoOp:
        shape = struct_shape(struct)
        if not f.many:
            table = self.table(struct, shape, reg)
            return ProtoOp(number, name, ProtoCode.MESSAGE, reg, send=f.sent, presence=presence, table=table)
        init, lists = _init(shape, self.profile, Dialect.PROTO, self.direction)
        sub = ProtoSub(self.table(struct, shape), init, lists, shape, struct.name)
        code = ProtoCode.MAP if f.is_map else ProtoCode.REPEATED
        return ProtoOp(number, name, code, reg, sub=sub)


def _find_struct(shape: Shape, path: str) -> tuple[Field, int, int]:
    """The field, first register and presence register of the struct at ``path``."""
    head, _, rest = path.partition(".")
    pos = shape.names.index(head)
    offset, sub, presence = shape.children[pos]
    if sub is None:
        raise KeyError(f"{path} is no struct in {shape.name}")
    if rest:
        f, off, pres = _find_struct(sub, rest)
        return f, offset + off, offset + pres if pres >= 0 else -1
    struct_field = Field(head, _struct_of(sub.name), optional=presence >= 0)
    return struct_field, offset, presence


@cache
def _struct_of(name: str) -> Struct:
    from ibwire.spec import structs

    for s in structs.ALL:
        if s.name == name:
            return s
    raise KeyError(name)


# ------------------------------------------------------------------------------------------------ plans


def _checks(
    row: Row, shape: Shape, sv: int, carried: set[str] | None, gates: dict[str, tuple[int, bool]]
) -> tuple[Check, ...]:
    out: list[Check] = []
    for i, reg in enumerate(shape.regs):
        gate, quiet = gates.get(reg.path, (0, False))
        if reg.field.since and not reg.is_presence:
            gate, quiet = max(gate, reg.field.since), quiet or reg.field.quiet
        if gate <= sv or quiet or (carried is not None and reg.path in carried):
            continue
        default = default_of(reg, Profile.TYPED, Dialect.TEXT, row.direction)
        out.append(Check(i, reg.path, default, gate))
    return tuple(out)


@cache
def text_plan(row: Row, server_version: int, profile: Profile = Profile.TYPED, version: int | None = None) -> Plan:
    """The text plan of a row. ``version`` overrides the obsolete version field that is written (for tests)."""
    if row.text is None:
        raise KeyError(f"{row.name} has no text form")
    shape = row_shape(row)
    c = _TextCompiler(server_version, profile, version, row.direction)
    ops = c.compile(row.text, shape, True)
    init, lists = _init(shape, profile, Dialect.TEXT, row.direction)
    init[shape.index["@version"]] = c.wire_version
    return Plan(
        row,
        server_version,
        Dialect.TEXT,
        profile,
        shape,
        init,
        lists,
        text=ops,
        checks=_checks(row, shape, server_version, c.carried, c.gates),
        row_hooks=_hooks.row_hooks(row.hook, "text"),
        wire_version=c.wire_version,
    )


@cache
def proto_plan(row: Row, server_version: int, profile: Profile = Profile.TYPED) -> Plan:
    """The protobuf plan of a row; the layout is the same at every server version, only the checks differ."""
    if not row.proto:
        raise KeyError(f"{row.name} has no protobuf form")
    shape = row_shape(row)
    table = _ProtoCompiler(profile, row.direction).table(row, shape)
    init, lists = _init(shape, profile, Dialect.PROTO, row.direction)
    return Plan(
        row,
        server_version,
        Dialect.PROTO,
        profile,
        shape,
        init,
        lists,
        proto=table,
        checks=_checks(row, shape, server_version, None, {}),
        row_hooks=_hooks.row_hooks(row.hook, "proto"),
    )


# ------------------------------------------------------------------------------------------------ objects


def computed(not_computed: Any, value: float) -> bool:
    """False where the number is the gateway's way to say that it computed nothing."""
    return bool(value >= 0 if not_computed == "negative" else value != not_computed)


Make = Callable[[str, tuple[str, ...], list[Any]], Any]
"""Builds the object of a struct: (struct name, field names, values)."""


def build(shape: Shape, regs: list[Any], base: int, make: Make) -> Any:
    """Registers to an object."""
    return make(shape.name, shape.names, values_of(shape, regs, base, make))


def values_of(shape: Shape, regs: list[Any], base: int, make: Make) -> list[Any]:
    """Registers to the values of an object's fields."""
    values: list[Any] = []
    for first, end, sub, presence in shape.runs:
        if sub is None:
            values += regs[base + first : base + end]
        elif presence >= 0 and not regs[base + presence]:
            values.append(None)
        else:
            values.append(build(sub, regs, base + first, make))
    return values


def flatten(shape: Shape, obj: Any, regs: list[Any], base: int) -> None:
    """An object to registers; an attribute that the object lacks (older classes) keeps the register's default."""
    try:
        values = shape.fetch(obj)
    except AttributeError:
        values = tuple(getattr(obj, name, MISSING) for name in shape.names)
        _flatten_each(shape, values, regs, base)
        return
    at = 0
    for first, end, sub, presence in shape.runs:
        count = end - first
        if sub is None:
            regs[base + first : base + end] = values[at : at + count]
        else:
            _flatten_sub(sub, values[at], regs, base + first, base + presence if presence >= 0 else -1)
        at += count


def _flatten_each(shape: Shape, values: tuple[Any, ...], regs: list[Any], base: int) -> None:
    for value, (offset, sub, presence) in zip(values, shape.children, strict=True):
        if value is MISSING:
            continue
        if sub is None:
            regs[base + offset] = value
        else:
            _flatten_sub(sub, value, regs, base + offset, base + presence if presence >= 0 else -1)


def _flatten_sub(sub: Shape, value: Any, regs: list[Any], base: int, presence: int) -> None:
    if presence >= 0:
        regs[presence] = value is not None
    if value is not None:
        flatten(sub, value, regs, base)


def interesting_versions(row: Row) -> list[int]:
    """Server versions at which the row's bytes can differ: the ends, and both sides of every gate in it."""
    found = {V.MIN_CLIENT_VERSION, V.MAX_CLIENT_VERSION}

    def gate(value: int) -> None:
        if V.MIN_CLIENT_VERSION < value <= V.MAX_CLIENT_VERSION:
            found.update((value - 1, value))

    def walk(items: Iterable[Item]) -> None:
        for it in items:
            if isinstance(it, T | Skip | Gate):
                gate(it.since)
                if it.until != FOREVER:
                    gate(it.until)
            if isinstance(it, Gate | When | Repeat):
                walk(it.items)
            if isinstance(it, T) and it.rule is TextRule.ESCAPED:
                gate(V.ENCODE_MSG_ASCII7)
            if isinstance(it, Version) and it.until != FOREVER:
                gate(it.until)
            if isinstance(it, Bits):
                for _, _, s in it.bits:
                    gate(s)

    walk(row.text or ())
    gate(row.proto_since)
    gate(row.since)
    gate(V.PROTOBUF)
    for reg in row_shape(row).regs:
        gate(reg.field.since)
    lowest = max(V.MIN_CLIENT_VERSION, row.since)
    return sorted(v for v in found if v >= lowest)
