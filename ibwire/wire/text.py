"""The text dialect in plain Python: NUL-terminated fields, read and written by a plan.

This is the definition; the compiled interpreter in ``_fastdecode`` must do the same (property-tested). The end of
the payload is checked before every read; a repeat count is checked against what is left before anything is made.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from ibwire.errors import ProtocolError, RequestError
from ibwire.spec.model import TextRule
from ibwire.wire import values
from ibwire.wire.plan import (
    UNSET_DOUBLE,
    UNSET_INT,
    UNSET_LONG,
    Make,
    Op,
    OpCode,
    Plan,
    Shape,
    build,
    computed,
    most_elements,
)


class _Reader:
    __slots__ = ("data", "elements_left", "name", "pos")

    def __init__(self, data: bytes, pos: int, name: str) -> None:
        self.data, self.pos, self.name = data, pos, name
        self.elements_left = most_elements(len(data))

    def next(self, field: str) -> bytes:
        end = self.data.find(b"\0", self.pos)
        if end < 0:
            what = "the message ends before this field" if self.pos >= len(self.data) else "a field without its end"
            raise self.error(what, field, self.pos)
        raw = self.data[self.pos : end]
        self.pos = end + 1
        return raw

    def error(self, problem: str, field: str, offset: int) -> ProtocolError:
        return ProtocolError(problem, message_name=self.name, field=field, offset=offset, payload=self.data)


def decode(plan: Plan, payload: bytes, start: int, make: Make) -> tuple[list[Any], int]:
    """Decode the fields of a text payload from ``start``.

    Returns
    -------
    (registers, extra) : the plan's registers, and how many bytes stood after the last field.

    Raises
    ------
    ProtocolError : a field is missing, unterminated or not of its kind, or a count is beyond the frame.
    """
    reader = _Reader(payload, start, plan.row.name)
    regs = _fresh(plan.init, plan.lists)
    _run(plan.text, regs, reader, make)
    for hook in plan.row_hooks:
        hook.decode(regs, plan.shape.index, make)
    return regs, len(payload) - reader.pos


def _fresh(init: list[Any], lists: tuple[tuple[int, Any], ...]) -> list[Any]:
    regs = list(init)
    for reg, _ in lists:
        regs[reg] = []
    return regs


def _run(ops: tuple[Op, ...], regs: list[Any], reader: _Reader, make: Make) -> None:
    for op in ops:
        code = op.code
        if code is OpCode.WHEN:
            assert op.cond is not None
            if op.cond.holds(regs):
                _run(op.body, regs, reader, make)
        elif code is OpCode.REPEAT:
            _repeat(op, regs, reader, make)
        elif code is OpCode.PRESENT:
            regs[op.reg] = True
        elif code is OpCode.SKIP:
            reader.next(op.name)
        elif code is OpCode.BITS:
            at = reader.pos
            mask = _int(op, reader.next(op.name), reader, at)
            for reg, bit in op.bits:
                regs[reg] = bool(mask & bit)
        else:
            at = reader.pos
            raw = reader.next(op.name)
            regs[op.reg] = _value(op, raw, reader, at, make)


def _value(op: Op, raw: bytes, reader: _Reader, at: int, make: Make) -> Any:
    code = op.code
    if code is OpCode.STR:
        text = values.decode_escaped(raw) if op.rule is TextRule.ESCAPED_ALWAYS else values.decode_utf8(raw)
        if op.hook is not None:
            if op.sub is not None and op.sub.shape is not None:
                shape = op.sub.shape
                return [make(shape.name, shape.names, list(pair)) for pair in op.hook.decode(text)]
            return op.hook.decode(text)
        return text
    if not raw:
        return op.empty
    if op.unknown and raw == op.unknown.encode():
        return op.null
    if code is OpCode.INT:
        value = _int(op, raw, reader, at)
        return op.null if op.nullable and value == (UNSET_LONG if op.wide else UNSET_INT) else value
    if code is OpCode.BOOL:
        if op.words is not None:
            return raw == op.words[0].encode()
        return _int(op, raw, reader, at) != 0
    try:
        if code is OpCode.FLOAT:
            number = values.parse_float(raw)
            if op.not_computed is not None and not computed(op.not_computed, number):
                return None
            return op.null if op.nullable and number == UNSET_DOUBLE else number
        return op.null if raw in values.DECIMAL_UNSET else values.parse_decimal(raw)
    except ValueError as exc:
        raise reader.error(str(exc), op.name, at) from None


def value_of(op: Op, raw: bytes, make: Make) -> Any:
    """The value of one field by itself. Raises ProtocolError."""
    return _value(op, raw, _Reader(raw, 0, ""), 0, make)


def _int(op: Op, raw: bytes, reader: _Reader, at: int) -> int:
    if not raw:
        return 0
    try:
        return values.parse_int(raw)
    except (ValueError, OverflowError) as exc:
        raise reader.error(str(exc), op.name, at) from None


def _repeat(op: Op, regs: list[Any], reader: _Reader, make: Make) -> None:
    at = reader.pos
    count = _int(op, reader.next(op.name), reader, at)
    left = len(reader.data) - reader.pos
    if count < 0 or count > left:
        raise reader.error(f"a count of {count} with {left} bytes left", op.name, at)
    reader.elements_left -= count
    if reader.elements_left < 0:
        raise reader.error(f"more than {most_elements(len(reader.data))} list elements", op.name, at)
    sub = op.sub
    assert sub is not None
    if count == 0:
        return
    elements: list[Any] = []
    for _ in range(count):
        element = _fresh(sub.init, sub.lists)
        _run(sub.ops, element, reader, make)
        elements.append(element[0] if sub.shape is None else build(sub.shape, element, 0, make))
    regs[op.reg] = elements


# ------------------------------------------------------------------------------------------------ encode


def encode(plan: Plan, regs: list[Any], out: bytearray, flatten: Any) -> None:
    """Append the text fields of a message. ``flatten(shape, element, init)`` gives an element's registers.

    Raises
    ------
    RequestError : a value is missing or of the wrong kind, or text holds a NUL.
    """
    regs[plan.shape.index["@version"]] = plan.wire_version
    for hook in plan.row_hooks:
        hook.encode(regs, plan.shape.index)
    _write(plan.text, regs, out, plan.row.name, flatten)


def _write(ops: tuple[Op, ...], regs: list[Any], out: bytearray, name: str, flatten: Any) -> None:
    for op in ops:
        code = op.code
        if code is OpCode.WHEN:
            assert op.cond is not None
            if op.cond.holds(regs):
                _write(op.body, regs, out, name, flatten)
        elif code is OpCode.REPEAT:
            sub = op.sub
            assert sub is not None
            elements = regs[op.reg] or ()
            out += b"%d\0" % len(elements)
            for element in elements:
                inner = [element] if sub.shape is None else flatten(sub.shape, element, sub.init)
                _write(sub.ops, inner, out, name, flatten)
        elif code is OpCode.PRESENT:
            continue
        elif code is OpCode.SKIP:
            out += op.text.encode() + b"\0"
        elif code is OpCode.BITS:
            mask = 0
            for reg, bit in op.bits:
                if regs[reg]:
                    mask |= bit
            out += b"%d\0" % mask
        else:
            out += text_of(op, regs[op.reg], name).encode("utf-8") + b"\0"


def text_of(op: Op, value: Any, name: str) -> str:
    """The text of one value, without its end. Raises RequestError."""
    code = op.code
    if code is OpCode.STR:
        if op.hook is not None:
            value = op.hook.encode(value)
        if value is None:
            raise _bad(op, name, "is None; give a text")
        text = str(value)
        if op.rule is TextRule.ESCAPED_ALWAYS:
            return values.encode_escaped(text).replace(b"\0", b"\\x00").decode("ascii")
        if "\0" in text:
            raise _bad(op, name, "holds a NUL character, which the text dialect cannot carry")
        return text
    if op.nullable and _is_unset(op, value):
        return op.null_text
    if value is None:
        if op.null_text == "" and code is OpCode.BOOL:
            return ""
        raise _bad(op, name, "is None; give a value")
    if code is OpCode.BOOL:
        if op.words is not None:
            return op.words[0] if value else op.words[1]
        return "1" if value else "0"
    if isinstance(value, str):
        raise _bad(op, name, f"is the text {value!r}; give a number")
    if code is OpCode.DEC and isinstance(value, Decimal):
        return values.decimal_text(value)
    if code is OpCode.INT and isinstance(value, float | Decimal):
        if value != value // 1:
            raise _bad(op, name, f"is {value!r}; give a whole number")
        return str(int(value))
    return values.number_text(value)


def _is_unset(op: Op, value: Any) -> bool:
    if value is None:
        return True
    if op.code is OpCode.INT:
        return bool(value == (UNSET_LONG if op.wide else UNSET_INT))
    if op.code is OpCode.FLOAT:
        return bool(value in (UNSET_DOUBLE, UNSET_INT))
    return False


def _bad(op: Op, name: str, problem: str) -> RequestError:
    return RequestError(_BAD_VALUE, f"{name}.{op.name} {problem}")


_BAD_VALUE = 320
"""The code a gateway itself gives for a request that it cannot read."""

__all__ = ["Shape", "decode", "encode", "text_of", "value_of"]
