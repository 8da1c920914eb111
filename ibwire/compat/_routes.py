"""From a plan and a program to a route: which callbacks a message makes, and what they are given.

A route that is nothing but numbers, texts and flags is also put as plain data, for the compiled dispatcher.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final, NamedTuple

from ibwire.compat._generations import Convert, callback_for
from ibwire.compat._proto_wrapper import TWINS
from ibwire.compat.wrapper import own_twins
from ibwire.spec.model import Call, Kind
from ibwire.wire.calls import BoundCall, bind
from ibwire.wire.plan import Dialect, Make, Op, OpCode, Plan, ProtoCode, ProtoOp, RegCond, Shape, build

# What the compiled dispatcher has room for.
MAX_REGISTERS: Final = 40
MAX_ARGUMENTS: Final = 20

# Computed arguments that depend on one whole number: name in ibwire.spec.hooks.ARGUMENTS -> its field.
_READS: Final = {"size_tick_type": "tickType"}


@dataclass(slots=True)
class Step:
    """One callback of a route: what is called, when, how often and with what."""

    bound: BoundCall
    call: Call
    callback: Callable[..., Any]
    names: tuple[str, ...]


class Twin(NamedTuple):
    """A callback that gets the whole protobuf message; ``parse`` raises ProtocolError for bytes that are none."""

    parse: Callable[[bytes], Any]
    callback: Callable[[Any], None]


@dataclass(slots=True)
class Route:
    """What a message's decoder is and whom it calls; no steps and no twin: nobody listens. ``made`` counts.

    ``twin`` is called before the steps.
    """

    plan: Plan
    run: Callable[..., tuple[list[Any], int]]
    steps: list[Step]
    made: int = 0
    twin: Twin | None = None


def steps_of(plan: Plan, wrapper: Any, style: int | None) -> list[Step]:
    """The callbacks of a message that the wrapper overrides, in their order."""
    calls = [call for call in plan.row.calls if plan.server_version < call.until]
    found = []
    for bound, call in zip(bind(plan), calls, strict=True):
        callback = callback_for(wrapper, call.name, style)
        if callback is not None:
            paths = call.args if call.args is not None else plan.shape.names
            found.append(Step(bound, call, callback, tuple(p.rpartition(".")[2].lstrip("*") for p in paths)))
    return found


def twin_of(plan: Plan, wrapper: Any) -> Twin | None:
    """The callback that gets the whole protobuf message; None where the wrapper does not override it."""
    name = TWINS.get(plan.row.id)
    if plan.dialect is not Dialect.PROTO or name is None or name not in own_twins(wrapper):
        return None
    from ibwire.compat.protobuf import _build  # google.protobuf, only where a program asks for it

    return Twin(lambda body: _build.parse(plan.row.proto, body), lambda message: getattr(wrapper, name)(message))


# ------------------------------------------------------------------------------------------------ flat routes


class FlatField(NamedTuple):
    """One field on the wire. ``code`` is the text op's; ``used``: somebody wants its value."""

    code: int
    reg: int
    used: bool
    number: int
    wide: bool
    nullable: bool
    escaped: bool
    flags: int  # its place in FlatRoute.flags, -1: no flags
    decimal: str  # the name under which its size is converted, "" for what is no size
    table: int  # of protobuf: the message it belongs to, 0 is the outermost
    inner: int  # of protobuf: the message it is, -1: none


class FlatCall(NamedTuple):
    """One callback. An argument is (0, register), (1, flags) or (2, register, function of its value)."""

    callback: Callable[..., Any]
    args: tuple[tuple[Any, ...], ...]
    when: tuple[int, Callable[[Any], bool]] | None


class FlatRoute(NamedTuple):
    """A whole message as plain data."""

    is_text: bool
    init: list[Any]
    fields: list[FlatField]
    calls: list[FlatCall]
    flags: list[Callable[[int | None], Any]]  # of a mask, None where the payload has none


class _Flat:
    """Tries to flatten a route; ``route`` is None where it cannot be."""

    def __init__(self, plan: Plan, steps: list[Step], make: Make, convert: Convert | None) -> None:
        self.plan, self.make = plan, make
        self.flags: list[Callable[[int | None], Any]] = []
        self.structs: dict[str, int] = {}  # path of a struct of flags -> its place in self.flags
        self.places: dict[int, int] = {}  # op -> its place in self.flags
        self.used: set[int] = set()
        self.bit_registers: set[int] = set()
        self.tables: dict[int, int] = {}
        self.inner: dict[int, int] = {}
        self.route: FlatRoute | None = None
        ops = list(plan.text) if plan.dialect is Dialect.TEXT else self._proto_ops(plan)
        if plan.row_hooks or plan.lists or plan.shape.size > MAX_REGISTERS or not all(_plain(op) for op in ops):
            return
        for op in ops:
            self._note_flags(op)
        calls = [self._call(step) for step in steps]
        if all(call is not None for call in calls):
            fields = [self._field(op) for op in ops]
            is_text = plan.dialect is Dialect.TEXT
            init = list(plan.init)
            for field in fields:
                if field.decimal and convert is not None:
                    init[field.reg] = convert(field.decimal, init[field.reg])
            found = [call for call in calls if call is not None]
            self.route = FlatRoute(is_text, init, fields, found, self.flags)

    def _proto_ops(self, plan: Plan) -> list[Any]:
        """The fields of a message and of the messages in it, each after the one that it is in."""
        assert plan.proto is not None
        found: list[Any] = []
        tables = [plan.proto]
        for number, table in enumerate(tables):
            for op in table.ops.values():
                found.append(op)
                self.tables[id(op)] = number
                if op.table is not None:
                    self.inner[id(op)] = len(tables)
                    tables.append(op.table)
        return found

    def _note_flags(self, op: Any) -> None:
        self.bit_registers.update(reg for reg, _ in op.bits)
        if not op.bits:
            return
        shape = self.plan.shape
        for name, (offset, sub, presence) in zip(shape.names, shape.children, strict=True):
            if sub is None or presence >= 0:
                continue
            masks = {reg - offset: mask for reg, mask in op.bits if offset <= reg < offset + sub.size}
            if len(masks) == len(op.bits):
                self.structs[name] = self.places[id(op)] = len(self.flags)
                self.flags.append(_flags(sub, list(self.plan.init[offset : offset + sub.size]), masks, self.make))

    def _field(self, op: Any) -> FlatField:
        text = isinstance(op, Op)
        code = op.code if text else OpCode.DEC if op.kind is Kind.DEC else _TEXT_CODE[op.code]
        return FlatField(
            code=int(code),
            reg=op.reg,
            used=op.reg in self.used,
            number=0 if text else op.number,
            wide=op.wide if text else op.code is ProtoCode.INT64,
            nullable=op.nullable,
            escaped=text and op.rule != 0,
            flags=self.places.get(id(op), -1),
            decimal=self.plan.shape.regs[op.reg].path.rpartition(".")[2] if code is OpCode.DEC else "",
            table=self.tables.get(id(op), 0),
            inner=self.inner.get(id(op), -1),
        )

    def _call(self, step: Step) -> FlatCall | None:
        if step.bound.each >= 0:
            return None
        paths = step.call.args if step.call.args is not None else self.plan.shape.names
        args = [self._argument(path, get) for path, get in zip(paths, step.bound.args, strict=True)]
        when = None
        if step.bound.when is not None:
            reg = self._whole(step.bound.when)
            if reg < 0:
                return None
            when = (reg, self._alone(reg, step.bound.when.holds))
        if any(arg is None for arg in args) or len(args) > MAX_ARGUMENTS:
            return None
        return FlatCall(step.callback, tuple(arg for arg in args if arg is not None), when)

    def _argument(self, path: str, get: Callable[..., Any]) -> tuple[Any, ...] | None:
        index = self.plan.shape.index
        if path in self.structs:
            return (1, self.structs[path])
        if path.startswith("*"):
            reg = index.get(_READS.get(path[1:], ""), -1)
            if reg < 0:
                return None
            self.used.add(reg)
            return (2, reg, self._alone(reg, lambda regs: get(regs, None, self.make)))
        reg = index.get(path, -1)
        if reg < 0 or self.plan.shape.regs[reg].kind is None or reg in self.bit_registers:
            return None
        self.used.add(reg)
        return (0, reg)

    def _whole(self, cond: RegCond) -> int:
        """The register of a condition on one whole number, or -1."""
        if cond.op == "any" or self.plan.shape.regs[cond.reg].kind is not Kind.I32:
            return -1
        self.used.add(cond.reg)
        return cond.reg

    def _alone(self, reg: int, function: Callable[[list[Any]], Any]) -> Callable[[Any], Any]:
        """A function of all registers as one of the only register that it looks at."""
        size = self.plan.shape.size

        def of_value(value: Any) -> Any:
            regs: list[Any] = [None] * size
            regs[reg] = value
            return function(regs)

        return of_value


_TEXT_CODE: Final = {
    ProtoCode.INT32: OpCode.INT,
    ProtoCode.INT64: OpCode.INT,
    ProtoCode.DOUBLE: OpCode.FLOAT,
    ProtoCode.STRING: OpCode.STR,
    ProtoCode.BOOL: OpCode.BOOL,
    ProtoCode.BITS: OpCode.BITS,
    ProtoCode.MESSAGE: OpCode.WHEN,  # a part of the message, as a condition's body is in text
}
_NATURAL: Final = {
    (ProtoCode.INT32, Kind.I32),
    (ProtoCode.INT64, Kind.I64),
    (ProtoCode.DOUBLE, Kind.F64),
    (ProtoCode.STRING, Kind.STR),
    (ProtoCode.STRING, Kind.DEC),
    (ProtoCode.BOOL, Kind.BOOL),
}
_FLAT_OPS: Final = (OpCode.SKIP, OpCode.INT, OpCode.FLOAT, OpCode.DEC, OpCode.BOOL, OpCode.STR, OpCode.BITS)


def _plain(op: Op | ProtoOp) -> bool:
    if op.hook is not None or op.not_computed is not None:
        return False
    if isinstance(op, Op):
        return op.code in _FLAT_OPS and op.words is None and not op.unknown and op.sub is None
    return op.code in (ProtoCode.BITS, ProtoCode.MESSAGE) or (op.code, op.kind) in _NATURAL


def _flags(sub: Shape, init: list[Any], masks: dict[int, int], make: Make) -> Callable[[int | None], Any]:
    def of_mask(mask: int | None) -> Any:
        regs = list(init)
        if mask is not None:
            regs = [bool(mask & masks[reg]) if reg in masks else value for reg, value in enumerate(init)]
        return build(sub, regs, 0, make)

    return of_mask


def flat_route(plan: Plan, steps: list[Step], make: Make, convert: Convert | None = None) -> FlatRoute | None:
    """The route as plain data, None where it holds lists, nested objects or anything that needs thought."""
    return _Flat(plan, steps, make, convert).route


def with_sizes(make: Make, convert: Convert) -> Make:
    """A factory whose objects hold sizes as the program knows them."""

    def made(name: str, names: tuple[str, ...], values: list[Any]) -> Any:
        fitted = [convert(n, v) if type(v) is Decimal else v for n, v in zip(names, values, strict=True)]
        return make(name, names, fitted)

    return made
