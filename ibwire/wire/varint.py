"""Varints and wire types of protobuf, with every end checked."""

from __future__ import annotations

from typing import Final

VARINT: Final = 0
FIXED64: Final = 1
LENGTH: Final = 2
FIXED32: Final = 5

MAX_VARINT_BYTES: Final = 10


def read(data: bytes, pos: int, end: int) -> tuple[int, int]:
    """A varint of up to 64 bits and the position after it. Raises ValueError when it is cut off or too long."""
    value = shift = 0
    for _ in range(MAX_VARINT_BYTES):
        if pos >= end:
            raise ValueError("a varint is cut off")
        byte = data[pos]
        pos += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            if value >> 64:
                raise ValueError("a varint beyond 64 bits")
            return value, pos
        shift += 7
    raise ValueError("a varint of more than 10 bytes")


def write(value: int, out: bytearray) -> None:
    """Append a varint; negative numbers take 10 bytes."""
    value &= (1 << 64) - 1
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)


def tag(number: int, wire_type: int) -> int:
    return number << 3 | wire_type
