"""The ceiling: ``ceiling.c`` compiled when the benchmark starts and called through ctypes.

One call decodes a whole buffer, so what ctypes costs (about a microsecond) does not show.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

from benchmarks import native

MIXES: Final = ("M1", "M2", "M3", "M4")
CAPACITY: Final = 1 << 14
PADDING: Final = bytes(8)


class _Second(ctypes.Structure):
    _fields_ = (("price2", ctypes.c_double), ("size2", ctypes.c_double))


class _Texts(ctypes.Structure):
    _fields_ = tuple((name, ctypes.c_uint32) for name in ("text_at", "text_bytes", "text2_at", "text2_bytes"))


class _Either(ctypes.Union):
    _fields_ = (("second", _Second), ("texts", _Texts))


class Record(ctypes.Structure):
    """The 64-byte record of ``ceiling.c``, which says what the fields mean."""

    _fields_ = (
        ("msg_id", ctypes.c_uint16),
        ("operation", ctypes.c_uint8),
        ("side", ctypes.c_uint8),
        ("type", ctypes.c_int32),
        ("req_id", ctypes.c_int64),
        ("price", ctypes.c_double),
        ("size", ctypes.c_double),
        ("either", _Either),
        ("time", ctypes.c_int64),
        ("mask", ctypes.c_uint8),
        ("smart", ctypes.c_uint8),
        ("price_digits", ctypes.c_uint8),
        ("size_digits", ctypes.c_uint8),
        ("price2_digits", ctypes.c_uint8),
        ("size2_digits", ctypes.c_uint8),
        ("unused", ctypes.c_uint16),
    )


class Ceiling:
    """Bare C decoders of mixes M1..M4 into a ring of `CAPACITY` records (1 MiB).

    Parameters
    ----------
    folder : where the shared library is built; it must outlive this object
    byte_loops : build the plain variant, one byte at a time, instead of the fastest

    Raises
    ------
    subprocess.CalledProcessError
        The C compiler (environment variable CC, else ``cc``) failed.
    """

    def __init__(self, folder: Path, *, byte_loops: bool = False) -> None:
        loaded = native.load("ceiling.c", folder, *(("BYTE_LOOPS",) if byte_loops else ()))
        self._decoders: dict[str, Any] = {"t176": loaded.decode_text, "p225": loaded.decode_proto}
        for decoder in self._decoders.values():
            decoder.argtypes = (ctypes.c_char_p, ctypes.c_int64, ctypes.c_void_p, ctypes.c_int64)
            decoder.restype = ctypes.c_int64
        self._ring = (Record * CAPACITY)()

    def decoder(self, dialect: str, data: bytes) -> Callable[[], int]:
        """Prepare one buffer of whole frames; the returned call decodes all of it and returns the count of messages.

        Unchecked: only for bytes of ``mixes.py``.
        """
        padded, length = data + PADDING, len(data)
        decode, ring = self._decoders[dialect], self._ring
        return lambda: int(decode(padded, length, ring, CAPACITY))

    def records(self, count: int) -> Iterator[Record]:
        """The first ``count`` slots of the ring (the same objects every time; the next call overwrites them)."""
        return iter(self._ring[:count])
