"""Chooses the interpreter once: compiled, or its plain twin with ``IBWIRE_PURE=1``. ``NAME`` says which.

The compiled one knows no error texts: where a payload is broken it gives None, and the plain twin, run on the same
payload, raises the error.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from decimal import Decimal
from typing import Any, Final

from ibwire.errors import ProtocolError
from ibwire.wire import proto, text
from ibwire.wire.plan import SENTINEL, Make, Op, Plan, ProtoOp


class _Plain:
    """What the compiled interpreter leaves to the plain one."""

    Decimal = Decimal
    SENTINEL = SENTINEL

    @staticmethod
    def text_value(op: Op, raw: bytes, make: Make) -> Any:
        try:
            return text.value_of(op, raw, make)
        except ProtocolError:
            return NotImplemented

    @staticmethod
    def proto_value(op: ProtoOp, value: Any) -> Any:
        try:
            return proto.value_of(op, value)
        except ProtocolError:
            return NotImplemented

    text_of = staticmethod(text.text_of)


def _compiled() -> Any:
    if os.environ.get("IBWIRE_PURE", "") not in ("", "0"):
        return None
    try:
        from ibwire import _fastdecode
    except ImportError:
        return None
    _fastdecode.tools(_Plain)
    return _fastdecode


_fast: Final = _compiled()
NAME: Final = "plain" if _fast is None else "compiled"


def _text_decode(plan: Plan, payload: bytes, start: int, make: Make) -> tuple[list[Any], int]:
    found: tuple[list[Any], int] | None = _fast.text_decode(plan, payload, start, make)
    return text.decode(plan, payload, start, make) if found is None else found


def _proto_decode(plan: Plan, payload: bytes, start: int, make: Make) -> tuple[list[Any], int]:
    found: tuple[list[Any], int] | None = _fast.proto_decode(plan, payload, start, make)
    return proto.decode(plan, payload, start, make) if found is None else found


text_decode: Callable[..., tuple[list[Any], int]] = text.decode if _fast is None else _text_decode
proto_decode: Callable[..., tuple[list[Any], int]] = proto.decode if _fast is None else _proto_decode
text_encode: Callable[..., None] = text.encode if _fast is None else _fast.text_encode
proto_encode: Callable[..., None] = proto.encode
