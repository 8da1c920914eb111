"""numpy dtypes and field places of ring records, made from :mod:`ibwire.spec.records`. numpy loads on first use."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, Final

from ibwire.spec.records import BY_NAME, PART_BYTES, RECORD_BYTES, Record, RecordField

if TYPE_CHECKING:
    import numpy as np

    Records = np.ndarray[Any, np.dtype[Any]]
    """What a poll returns."""

HEAD_BYTES: Final = 32
"""The part of a record that is the same for every kind: seq, recv_ns, kind, part, flags, a number, the key."""

_NUMPY: Final = {"u8": "u1", "i8": "i1", "u16": "<u2", "i16": "<i2", "u32": "<u4", "i32": "<i4", "u64": "<u8"}
_NUMPY_WIDE: Final = {"i64": "<i8", "f64": "<f8", "ref": [("offset", "<u4"), ("length", "<u4")]}


def placed(record: Record) -> list[tuple[RecordField, str, int]]:
    """(field, column name, byte offset) of every field; a repeated name in the second part ends in ``_1``."""
    return [(f, name, at) for f, (name, at) in zip(record.fields, record.offsets().items(), strict=True)]


def record_bytes(record: Record) -> int:
    """Length of one message's record: 64 or 128 bytes in the market ring, 192 before the payload of an order entry.

    Of a row of a live table: 128 (quotes) or 256 (orders).
    """
    return PART_BYTES[record.ring] * record.parts


@cache
def dtype(name: str) -> np.dtype[Any]:
    """The structured dtype of a record.

    Parameters
    ----------
    name : str
        A name of :data:`ibwire.spec.records.RECORDS`, such as ``TICK_PRICE``, or of ``ROWS``, such as ``QUOTE_ROW``.

    Returns
    -------
    numpy.dtype
        64 bytes, 128 for a record of two parts, 192 for an order entry's header. ``charN`` columns are byte strings,
        ``ref`` columns have ``offset`` and ``length`` in the payload. The records of one kind in a polled array are
        ``a[a["kind"] == 1].view(dtype("TICK_PRICE"))``: both parts of a message stand side by side.

    Raises
    ------
    KeyError : no record has that name.
    """
    import numpy as np

    record = BY_NAME[name]
    places = placed(record)
    return np.dtype(
        {
            "names": [column for _, column, _ in places],
            "formats": [_format(f) for f, _, _ in places],
            "offsets": [at for _, _, at in places],
            "itemsize": record_bytes(record),
        }
    )


@cache
def base_dtype() -> np.dtype[Any]:
    """The dtype of what a market cursor's ``poll`` returns: the common head of any record, then 32 bytes of body."""
    import numpy as np

    names = ["seq", "recv_ns", "kind", "part", "flags", "aux", "key", "body"]
    formats: list[Any] = ["<u8", "<i8", "u1", "u1", "<u2", "<i4", "<i8", "V32"]
    return np.dtype({"names": names, "formats": formats, "itemsize": RECORD_BYTES})


def _format(f: RecordField) -> Any:
    if f.ctype.startswith("char"):
        return f"S{f.size}"
    return _NUMPY.get(f.ctype) or _NUMPY_WIDE[f.ctype]


def rows_of(name: str, count: int) -> np.ndarray[Any, np.dtype[Any]]:
    """Room for ``count`` rows of a table, ``QUOTE_ROW`` or ``ORDER_ROW``, for its ``snapshot``."""
    import numpy as np

    return np.zeros(count, dtype(name))


def array_of(buffer: bytearray, count: int, first: int) -> np.ndarray[Any, np.dtype[Any]]:
    """A read-only view of ``count`` records of a buffer from the one numbered ``first``; numpy loads on first use."""
    import numpy as np

    out = np.frombuffer(buffer, dtype=base_dtype(), count=count, offset=first * RECORD_BYTES)
    out.flags.writeable = False
    return out
