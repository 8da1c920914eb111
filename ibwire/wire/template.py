"""A message prepared once and rebuilt from ready slices with a few new values. Pure.

The slices are found by encoding: once as given, and once more for each slot with another value there. What changes
belongs to the slot, so that nothing here knows where a field stands, in either dialect. A template is made only after
it has rebuilt those probes byte for byte.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from decimal import Decimal
from itertools import pairwise
from struct import Struct
from sys import float_info
from typing import Any, Final

from ibwire.errors import ConfigError, RequestError
from ibwire.spec.registry import OUTGOING
from ibwire.wire import varint
from ibwire.wire.codec import Codec
from ibwire.wire.values import decimal_text

__all__ = ["Template"]

_DOUBLE: Final = Struct("<d")
_SMALL: Final = [bytes((value,)) for value in range(128)]
_MAX: Final = float_info.max
_UNSET: Final = frozenset({2**31 - 1, 2**63 - 1, 2**127 - 1, _MAX})
"""Numbers that mean "not set" somewhere: the full encode knows where."""
# Values that look like nothing else and whose encodings differ in every dialect.
_PROBES: Final[dict[type, tuple[Any, Any]]] = {
    int: (1_073_741_801, 1_073_741_803),
    float: (12345.015625, 54321.078125),
    Decimal: (Decimal("987654.25"), Decimal("456789.75")),
}


def _refused(value: Any) -> RequestError:
    # 0 is left out of some messages; the full encode knows which. A number that does not end is no value.
    return RequestError(320, f"{value!r} cannot go into a prepared message: encode it in full")


def _writer(kind: type, is_proto: bool) -> Callable[[Any], bytes]:
    """What turns a slot's value into its bytes, or refuses it."""
    if kind is Decimal:
        return _decimals(_sized if is_proto else bytes)
    if kind is int:
        return _of_int(_varint if is_proto else b"%d".__mod__)
    return _float_proto if is_proto else _float_text


def _float_text(value: float) -> bytes:
    if value.__class__ is not float or not value or value - value != 0.0 or value == _MAX:
        raise _refused(value)
    return repr(value).encode()


def _float_proto(value: float) -> bytes:
    if value.__class__ is not float or not value or value - value != 0.0 or value == _MAX:
        raise _refused(value)
    return _DOUBLE.pack(value)


def _of_int(write: Callable[[int], bytes]) -> Callable[[Any], bytes]:
    def checked(value: Any) -> bytes:
        if value.__class__ is not int or not value or value in _UNSET:
            raise _refused(value)
        return write(value)

    return checked


def _decimals(wrap: Callable[[bytes], bytes]) -> Callable[[Any], bytes]:
    last: list[tuple[Any, bytes]] = [(None, b"")]  # most orders are of the size of the one before

    def checked(value: Any) -> bytes:
        had, data = last[0]
        if value is had:
            return data
        if value.__class__ is not Decimal or not value or not value.is_finite() or value in _UNSET:
            raise _refused(value)
        data = wrap(decimal_text(value).encode())
        last[0] = (value, data)
        return data

    return checked


def _varint(value: int) -> bytes:
    if 0 <= value < 128:
        return _SMALL[value]
    if 0 <= value < 16384:
        return bytes((value & 127 | 128, value >> 7))
    out = bytearray()
    varint.write(value, out)
    return bytes(out)


def _sized(body: bytes) -> bytes:
    return _varint(len(body)) + body


class Template:
    """One message with slots. Any thread; what it was made from may change afterwards.

    Parameters
    ----------
    codec : Codec
        Encodes for the peer; used here only.
    message : object
        The message, with a value in every slot.
    slots : sequence of str
        Paths of the fields that will change, such as ``order.lmtPrice``: numbers, which must be set.

    Raises
    ------
    ConfigError : a slot is not set, is no number, or does not go out at this server version.
    """

    __slots__ = ("_kinds", "_nested", "_pieces", "_slots", "_writers", "is_proto")

    def __init__(self, codec: Codec, message: Any, slots: Sequence[str]) -> None:
        values = [_get(message, path) for path in slots]
        self._kinds = tuple(_kind(path, value) for path, value in zip(slots, values, strict=True))
        probes = [_PROBES[kind] for kind in self._kinds]
        base = [probe[0] for probe in probes]
        payload = _encode(codec, message, slots, base)
        self.is_proto = codec.dialect_of(OUTGOING[type(message).MSG_ID]).value == "proto"
        self._writers = tuple(_writer(kind, self.is_proto) for kind in self._kinds)
        spans = []
        for number, (path, (old, new)) in enumerate(zip(slots, probes, strict=True)):
            changed = base[:number] + [new] + base[number + 1 :]
            written = self._writers[number]
            spans.append((*_span(payload, _encode(codec, message, slots, changed), written(old), path), number))
        spans.sort()
        if any(a[1] > b[0] for a, b in pairwise(spans)):
            raise ConfigError(f"the slots {', '.join(slots)} cannot be told apart")
        self._cut(payload, spans)
        for values_now in (base, [probe[1] for probe in probes], values):
            if self.fill(*values_now) != _encode(codec, message, slots, values_now):
                raise ConfigError(f"{type(message).__name__} cannot be prepared with {', '.join(slots)}")

    def _cut(self, payload: bytes, spans: list[tuple[int, int, int]]) -> None:
        # A protobuf message that holds slots has its own length in front, which changes with them: pieces are cut at
        # those lengths too, and _nested says for each from which piece to which one it counts.
        inner = _holders(payload, spans) if self.is_proto else []
        cuts = sorted([(start, end, number) for start, end, number in spans] + [(s, e, -1) for s, e, _ in inner])
        pieces: list[bytes | int] = []
        nested: list[tuple[int, int]] = []
        at = 0
        open_ends: list[tuple[int, int]] = []
        for start, end, number in cuts:
            while open_ends and open_ends[-1][0] <= start:
                stop, place = open_ends.pop()
                pieces.append(payload[at:stop])
                at = stop
                nested.append((place, len(pieces)))
            pieces.append(payload[at:start])
            at = end
            if number < 0:
                pieces.append(-1)
                open_ends.append((next(stop for s, _, stop in inner if s == start), len(pieces) - 1))
            else:
                pieces.append(number)
        while open_ends:
            stop, place = open_ends.pop()
            pieces.append(payload[at:stop])
            at = stop
            nested.append((place, len(pieces)))
        pieces.append(payload[at:])
        self._pieces = [piece if isinstance(piece, bytes) else b"" for piece in pieces]
        slots = ((place, piece) for place, piece in enumerate(pieces) if isinstance(piece, int))
        self._slots = tuple((at, n, self._writers[n]) for at, n in slots if n >= 0)
        # Innermost first: where the length stands, what it counts that never changes, and the pieces that do.
        changing = {place for place, piece in enumerate(pieces) if isinstance(piece, int)}
        self._nested = tuple(
            (
                place,
                sum(len(self._pieces[at]) for at in range(place + 1, end)),
                tuple(at for at in range(place + 1, end) if at in changing),
            )
            for place, end in nested
        )

    def fill(self, *values: Any) -> bytes:
        """The payload with these values, in the order of the slots: equal to a full encode of them.

        Raises
        ------
        RequestError : a value is of another kind than its slot, not finite, or one that the peer is not sent.
        """
        pieces = self._pieces.copy()
        for place, number, write in self._slots:
            pieces[place] = write(values[number])
        for place, size, changing in self._nested:
            for at in changing:
                size += len(pieces[at])
            pieces[place] = _varint(size)
        return b"".join(pieces)


def _get(message: Any, path: str) -> Any:
    for name in path.split("."):
        message = getattr(message, name)
    return message


def _kind(path: str, value: Any) -> type:
    kind = type(value)
    if kind not in _PROBES or kind is bool or not value:
        raise ConfigError(f"{path} is {value!r}", hint="a slot wants an int, float or Decimal that is set and not 0")
    return kind


def _encode(codec: Codec, message: Any, slots: Sequence[str], values: Sequence[Any]) -> bytes:
    made = copy.deepcopy(message)
    for path, value in zip(slots, values, strict=True):
        *outer, last = path.split(".")
        setattr(_get(made, ".".join(outer)) if outer else made, last, value)
    return codec.encode(made)


def _span(payload: bytes, other: bytes, written: bytes, path: str) -> tuple[int, int]:
    """Where a slot's bytes are: they are there once, and differ in the other encoding."""
    at = payload.find(written)
    if at < 0 or payload.find(written, at + 1) >= 0 or written in other:
        raise ConfigError(f"{path} is not sent to this gateway as it is", hint="encode this message in full")
    return at, at + len(written)


def _holders(payload: bytes, spans: list[tuple[int, int, int]]) -> list[tuple[int, int, int]]:
    """Lengths of the protobuf messages around slots: (start of the length, its end, end of the message)."""
    found: list[tuple[int, int, int]] = []
    _walk(payload, 4, len(payload), {start for start, _, _ in spans}, found)
    return found


def _walk(payload: bytes, at: int, stop: int, starts: set[int], found: list[tuple[int, int, int]]) -> None:
    while at < stop:
        tag, at = varint.read(payload, at, stop)
        kind = tag & 7
        if kind == 0:
            _, at = varint.read(payload, at, stop)
        elif kind == 1:
            at += 8
        elif kind == 5:
            at += 4
        else:
            begin = at
            size, at = varint.read(payload, at, stop)
            if begin not in starts and any(at <= start < at + size for start in starts):
                found.append((begin, at, at + size))
                _walk(payload, at, at + size, starts, found)
            at += size
