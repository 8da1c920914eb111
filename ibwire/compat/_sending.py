"""Requests to payloads: looks at every value first, so that what cannot be sent is refused whole, by name.

Loaded when a program connects, not when it is imported.
"""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from functools import cache
from types import SimpleNamespace
from typing import Any, Final

from ibwire.compat import errors
from ibwire.compat._requests import SEND_FAILED
from ibwire.compat.const import NO_VALID_ID
from ibwire.compat.utils import isAsciiPrintable
from ibwire.errors import RequestError, UnsupportedByServer
from ibwire.spec import structs
from ibwire.spec import versions as V
from ibwire.spec.model import Direction, Kind, Row, Struct
from ibwire.spec.registry import OUTGOING
from ibwire.wire.codec import Codec, Role
from ibwire.wire.plan import (
    SENTINEL,
    Dialect,
    Op,
    OpCode,
    ProtoTable,
    Reg,
    Shape,
    build,
    flatten,
    proto_plan,
    row_shape,
    text_plan,
)

_ROWS: Final[dict[str, Row]] = {row.name: row for row in OUTGOING.values() if row.direction is Direction.OUTGOING}
_IDS: Final = ("reqId", "orderId", "tickerId")
_LIMIT: Final = {Kind.I32: 1 << 31, Kind.I64: 1 << 63}
_NEED_EXTRA_AUTH: Final = {name: SEND_FAILED[name] for name in ("verifyRequest", "verifyAndAuthRequest")}
_PROFILES: Final = 2  # the advisor data type that no longer exists


class Refused(Exception):
    """A request that is not sent: ``code``, ``text`` and the id that it had, for ``error()``."""

    def __init__(self, code: int, text: str, reqId: int) -> None:
        super().__init__(code, text, reqId)
        self.code, self.text, self.reqId = code, text, reqId


class Encoder:
    """Encodes requests for one server version. Any thread."""

    def __init__(self, server_version: int) -> None:
        self.server_version = server_version
        self._codec = Codec(server_version, Role.CLIENT)

    def encode(self, name: str, values: tuple[object, ...], *, extra_auth: bool = False) -> bytes:
        """The payload of a request; ``values`` are its row's fields in their order.

        Parameters
        ----------
        extra_auth : whether the program said that it wants to be verified; without, two requests are refused.

        Raises
        ------
        Refused : with the official code. 503: the gateway is too old. 579: a character that this dialect cannot
            carry. 585: advisor profiles. Else the code for a request of this kind that cannot be sent; the text names
            the argument and its value.
        """
        row = _ROWS[name]
        reqId = request_id(row, values)
        if not extra_auth and name in _NEED_EXTRA_AUTH:
            code = _NEED_EXTRA_AUTH[name]
            if name == "verifyRequest" and self._codec.dialect_of(row) is Dialect.TEXT:
                code = SEND_FAILED["verifyMessage"]  # as the official client, which has it so in text alone
            raise Refused(code, f"{name}: set extraAuth before the connection is made", reqId)
        try:
            self._refuse(name, dict(zip((f.name for f in row.fields), values, strict=True)))
            return self._encode(row, values)
        except UnsupportedByServer as problem:
            raise Refused(errors.UPDATE_TWS.code(), f"{errors.UPDATE_TWS.msg()}: {problem.text}", reqId) from None
        except _Unprintable as problem:
            raise Refused(errors.INVALID_SYMBOL.code(), f"{errors.INVALID_SYMBOL.msg()}: {problem}", reqId) from None
        except RequestError as problem:
            own = problem.code in _OWN_CODES
            code, text = (problem.code, problem.text) if own else (SEND_FAILED[name], f"{name}: {problem.text}")
            raise Refused(code, text, reqId) from None
        except (TypeError, ValueError, ArithmeticError, AttributeError) as problem:
            raise Refused(SEND_FAILED[name], f"{name}: {problem}", reqId) from None

    def _refuse(self, name: str, values: dict[str, object]) -> None:
        """What the official client refuses by value, beside what the rows say."""
        version = self.server_version
        if name in ("requestFA", "replaceFA") and values["faData"] == _PROFILES:
            if version >= V.FA_PROFILE_DESUPPORT and self._codec.dialect_of(_ROWS[name]) is Dialect.TEXT:
                raise RequestError(errors.FA_PROFILE_NOT_SUPPORTED.code(), errors.FA_PROFILE_NOT_SUPPORTED.msg())
        elif name == "reqHistoricalData" and version < V.HISTORICAL_SCHEDULE and values["whatToShow"] == "SCHEDULE":
            raise UnsupportedByServer("reqHistoricalData.whatToShow SCHEDULE", V.HISTORICAL_SCHEDULE, version)

    def _encode(self, row: Row, values: tuple[object, ...]) -> bytes:
        for f, value in zip(row.fields, values, strict=True):
            if isinstance(f.type, Struct) and not f.many:
                if value is None and f.type is structs.ORDER_CANCEL:
                    continue
                if not hasattr(value, f.type.fields[0].name):
                    raise TypeError(f"{f.name} is {value!r}; give a {f.type.name}")
        message = SimpleNamespace(**dict(zip((f.name for f in row.fields), values, strict=True)))
        for name in [name for name, value in vars(message).items() if value is None]:
            if isinstance(_field(row, name).type, Struct):
                delattr(message, name)
        if row.since <= self.server_version:
            shape = row_shape(row)
            text = self._codec.dialect_of(row) is Dialect.TEXT
            regs = _blank(shape)
            flatten(shape, message, regs, 0)
            changed = _Look(text).struct(shape, regs, _sent(row, self.server_version, text), "")
            if self._older_defaults(row, shape, regs, text) or changed:
                message = build(shape, regs, 0, _bare)
        return self._codec.encode_row(row, message)

    def _older_defaults(self, row: Row, shape: Shape, regs: list[Any], text: bool) -> bool:
        """Objects of older releases hold False where the newest hold None: not set, so it needs no newer gateway."""
        plan = text_plan(row, self.server_version) if text else proto_plan(row, self.server_version)
        changed = False
        for check in plan.checks:
            if regs[check.reg] is False and check.default is None and shape.regs[check.reg].kind is Kind.BOOL:
                regs[check.reg], changed = None, True
        return changed


def _field(row: Row, name: str) -> Any:
    return next(f for f in row.fields if f.name == name)


def request_id(row: Row | str, values: tuple[object, ...]) -> int:
    """The request or order id among a request's values, -1 where it has none."""
    if isinstance(row, str):
        row = _ROWS[row]
    if row.fields and row.fields[0].name in _IDS and values and isinstance(values[0], int):
        return values[0]
    return NO_VALID_ID


_ABSENT: Final[Any] = object()
"""What a struct of an older release does not have."""


def _bare(name: str, names: tuple[str, ...], values: list[Any]) -> SimpleNamespace:
    return SimpleNamespace(**{n: v for n, v in zip(names, values, strict=True) if v is not _ABSENT})


class _Unprintable(ValueError):
    pass


_OWN_CODES: Final = frozenset({errors.FA_PROFILE_NOT_SUPPORTED.code()})


_Sent = dict[int, Any]
"""Registers that go onto the wire -> those of a list's elements, if it is a list of structs."""


@cache
def _sent(row: Row, server_version: int, text: bool) -> _Sent:
    found: _Sent = {}
    if text:
        _sent_text(text_plan(row, server_version).text, found)
    else:
        table = proto_plan(row, server_version).proto
        assert table is not None
        _sent_proto(table, found)
    return found


def _sent_text(ops: tuple[Op, ...], found: _Sent) -> None:
    for op in ops:
        _sent_text(op.body, found)
        inner: _Sent = {}
        if op.sub is not None:
            _sent_text(op.sub.ops, inner)
            if op.code is not OpCode.REPEAT and op.sub.shape is not None:  # pairs in one text
                inner = {i: {} for i in range(op.sub.shape.size)}
        if op.reg >= 0:
            found[op.reg] = inner


def _sent_proto(table: ProtoTable, found: _Sent) -> None:
    for op in table.ops.values():
        inner: _Sent = {}
        if op.table is not None:
            _sent_proto(op.table, found)
            continue
        if op.sub is not None:
            _sent_proto(op.sub.table, inner)
        if op.reg >= 0:
            found[op.reg] = inner


def _blank(shape: Shape) -> list[Any]:
    return [False if reg.is_presence else _ABSENT for reg in shape.regs]


class _Look:
    """Checks values in place. A number that came as text becomes a number: the official text form sends it too."""

    def __init__(self, text: bool) -> None:
        self.text = text

    def struct(self, shape: Shape, regs: list[Any], sent: _Sent, path: str) -> bool:
        """True if a value was changed. Raises TypeError, ValueError or _Unprintable."""
        changed = False
        for i, inner in sent.items():
            reg, value = shape.regs[i], regs[i]
            kind = reg.kind
            if value is None:
                self._nothing(reg, path)
                continue
            if value is _ABSENT or reg.is_presence:
                continue
            if kind is Kind.STR:
                if self.text:
                    written = str(value)
                    if not (written.isascii() and written.isprintable()) and not isAsciiPrintable(written):
                        raise _Unprintable(f"{path}{reg.path} is {value!a}")
            elif kind is None:
                if value and reg.elem is not None:
                    changed |= self._elements(reg, regs, i, inner, path)
            elif value.__class__ is str:
                if value or not reg.field.nullable:
                    regs[i], changed = _number(kind, value, path + reg.path), True
            elif kind in _LIMIT:
                self._whole(kind, value, path + reg.path)
            elif not isinstance(value, int | float | Decimal):
                raise TypeError(f"{path}{reg.path} is {value!r}; give a {_WORDS[kind]}")
        return changed

    def _nothing(self, reg: Reg, path: str) -> None:
        """None means unset where a field can be; in protobuf also a flag or a text that is left out."""
        kind = reg.kind
        if kind is None or reg.field.nullable or kind is Kind.DEC:
            return
        if self.text or kind not in (Kind.STR, Kind.BOOL):
            raise TypeError(f"{path}{reg.path} is None; give a {_WORDS[kind]}")

    def _elements(self, reg: Reg, regs: list[Any], i: int, sent: _Sent, path: str) -> bool:
        elements = regs[i]
        if isinstance(elements, str) or not hasattr(elements, "__iter__"):
            raise TypeError(f"{path}{reg.path} is {elements!r}; give a list")
        if not isinstance(reg.elem, Shape):
            return False
        made, changed = [], False
        for n, element in enumerate(elements):
            where = f"{path}{reg.path}[{n}]"
            inner = _blank(reg.elem)
            flatten(reg.elem, element, inner, 0)
            if all(value is _ABSENT or value is False for value in inner):
                raise TypeError(f"{where} is {element!r}; give a {reg.elem.name}")
            if self.struct(reg.elem, inner, sent, f"{where}."):
                changed = True
                element = build(reg.elem, inner, 0, _bare)
            made.append(element)
        if changed:
            regs[i] = made
        return changed

    def _whole(self, kind: Kind, value: Any, where: str) -> None:
        if not isinstance(value, int | float | Decimal):
            raise TypeError(f"{where} is {value!r}; give a whole number")
        if value.__class__ is not int and value != value // 1:
            raise ValueError(f"{where} is {value!r}; give a whole number")
        limit = _LIMIT[kind]
        if not -limit <= value < limit and value != SENTINEL[kind]:
            raise ValueError(f"{where} is {value!r}; its range is {-limit}..{limit - 1}")


_WORDS: Final = {
    Kind.I32: "whole number",
    Kind.I64: "whole number",
    Kind.F64: "number",
    Kind.DEC: "number",
    Kind.BOOL: "bool",
    Kind.STR: "text",
}


def _number(kind: Kind, text: str, where: str) -> Any:
    try:
        if kind is Kind.F64:
            return float(text)
        if kind is Kind.DEC:
            return Decimal(text)
        if kind is Kind.BOOL:
            return {"0": False, "1": True, "False": False, "True": True}[text]
        return int(text)
    except (ValueError, InvalidOperation, KeyError):
        raise TypeError(f"{where} is the text {text!r}; give a {_WORDS[kind]}") from None


__all__ = ["Encoder", "Refused", "request_id"]
