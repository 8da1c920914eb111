"""From decoded registers to EWrapper callbacks: a row's ``calls=`` table, resolved once per plan."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from ibwire.spec import hooks
from ibwire.spec.model import Call
from ibwire.wire.plan import Make, Plan, RegCond, Shape, build, resolve

Getter = Callable[[list[Any], Any, Make], Any]


@dataclass(slots=True)
class BoundCall:
    """One callback of one plan: ``name`` and how each argument is read from (registers, element, make)."""

    name: str
    args: tuple[Getter, ...]
    each: int
    when: RegCond | None


def _getter(path: str, plan: Plan) -> Getter:
    shape = plan.shape
    if path.startswith("*"):
        function = hooks.ARGUMENTS[path[1:]]
        dialect = plan.dialect.value
        return lambda regs, _element, _make: function(regs, shape.index, dialect)
    if path == ".":
        return lambda _regs, element, _make: element
    if path.startswith("."):
        read = operator.attrgetter(path[1:])
        return lambda _regs, element, _make: read(element)
    if path in shape.index:
        reg = shape.index[path]
        return lambda regs, _element, _make: regs[reg]
    base, sub, presence = _find(shape, path)

    def read_struct(regs: list[Any], _element: Any, make: Make) -> Any:
        if presence >= 0 and not regs[presence]:
            return None
        return build(sub, regs, base, make)

    return read_struct


def _find(shape: Shape, path: str) -> tuple[int, Shape, int]:
    base, presence = 0, -1
    for part in path.split("."):
        offset, sub, pres = shape.children[shape.names.index(part)]
        if sub is None:
            raise KeyError(path)
        presence = base + pres if pres >= 0 else -1
        base, shape = base + offset, sub
    return base, shape, presence


def bind(plan: Plan) -> tuple[BoundCall, ...]:
    """The callbacks of a plan. Calls that end before its server version are left out."""
    out = []
    for call in plan.row.calls:
        if plan.server_version < call.until:
            out.append(_bind(call, plan))
    return tuple(out)


def _bind(call: Call, plan: Plan) -> BoundCall:
    paths = call.args if call.args is not None else plan.shape.names
    each = plan.shape.index[call.each] if call.each else -1
    when = resolve(call.when, plan.shape.index) if call.when is not None else None
    return BoundCall(call.name, tuple(_getter(p, plan) for p in paths), each, when)


def callbacks(bound: tuple[BoundCall, ...], regs: list[Any], make: Make) -> Iterator[tuple[str, list[Any]]]:
    """The callbacks of one decoded message, in order: (name, arguments)."""
    for call in bound:
        if call.when is not None and not call.when.holds(regs):
            continue
        if call.each < 0:
            yield call.name, [get(regs, None, make) for get in call.args]
            continue
        for element in regs[call.each] or ():
            yield call.name, [get(regs, element, make) for get in call.args]
