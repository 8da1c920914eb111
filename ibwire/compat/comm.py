"""Messages by hand: fields to text, text to frames, and back."""

from __future__ import annotations

from ibwire.compat.const import DOUBLE_INFINITY, INFINITY_STR, UNSET_DOUBLE, UNSET_INTEGER
from ibwire.compat.errors import INVALID_SYMBOL
from ibwire.compat.utils import ClientException, isAsciiPrintable

_LENGTH = 4


def make_id(msgId: int, raw: bool) -> bytes:
    """A message's id as it begins a payload: four bytes from server version 201, text before."""
    return msgId.to_bytes(4, "big") if raw else b"%d\0" % msgId


def _framed(payload: bytes) -> bytes:
    return len(payload).to_bytes(_LENGTH, "big") + payload


def _make_msg(msgId: int, useRawIntMsgId: bool, text: str) -> bytes: ...  # type: ignore[empty-body]


def make_msg(msgId: int | str, useRawIntMsgId: bool = False, text: str | None = None) -> bytes:
    """A frame of a text message.

    Parameters
    ----------
    msgId : the id; in 9.81 the whole text, id field first, was the only argument.
    useRawIntMsgId : whether the server version is 201 or newer.
    text : the fields, each made by :func:`make_field`.
    """
    if text is None:
        return _framed(str(msgId).encode())
    return _framed(make_id(int(msgId), useRawIntMsgId) + text.encode())


make_msg.__wrapped__ = _make_msg  # type: ignore[attr-defined]


def make_msg_proto(msgId: int, protobufData: bytes) -> bytes:
    """A frame of a protobuf message; ``msgId`` is the id on the wire, 200 added."""
    return _framed(make_id(msgId, True) + protobufData)


def make_initial_msg(text: str) -> bytes:
    """A frame of a bare text: the version range of the handshake."""
    return _framed(text.encode())


def make_field(val: object) -> str:
    """A value as a text field with its zero; bools are 1 and 0.

    Raises
    ------
    ValueError : the value is None. ClientException : 579, a text holds what is not printable ASCII.
    """
    if val is None:
        raise ValueError("val is None, which has no form on the wire; give a value")
    if isinstance(val, str) and not isAsciiPrintable(val):
        raise ClientException(INVALID_SYMBOL.code(), INVALID_SYMBOL.msg(), ascii(val))
    return f"{int(val) if isinstance(val, bool) else val}\0"


def make_field_handle_empty(val: object) -> str:
    """As :func:`make_field`; an unset number is empty, infinity is a word."""
    if val in (UNSET_INTEGER, UNSET_DOUBLE):
        val = ""
    elif val == DOUBLE_INFINITY:
        val = INFINITY_STR
    return make_field(val)


def read_msg(buf: bytes) -> tuple[int, bytes | str, bytes]:
    """The first frame of a buffer: (its length, its payload, what follows).

    The payload is an empty text, and nothing is taken, while the frame is not whole.
    """
    if len(buf) < _LENGTH:
        return 0, "", buf
    size = int.from_bytes(buf[:_LENGTH], "big")
    end = _LENGTH + size
    if len(buf) < end:
        return size, "", buf
    return size, bytes(buf[_LENGTH:end]), buf[end:]


def read_fields(buf: bytes | str) -> tuple[bytes, ...]:
    """The fields of a text payload; each ends with a zero, and what follows the last zero is none."""
    data = buf.encode() if isinstance(buf, str) else bytes(buf)
    return tuple(data.split(b"\0")[:-1])
