"""The subject: ibwire's compiled decoder, behind the one function that the benchmarks call.

Measured is the checked decode of bytes in memory into records of a ring, with sequence and receive stamp, as the reader
does it; no Python callback.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from types import ModuleType


def _compiled() -> ModuleType:
    try:
        return importlib.import_module("ibwire._fastdecode")
    except ImportError as error:
        raise RuntimeError("ibwire is not built: there is no ibwire._fastdecode to measure") from error


def decoder(dialect: str, data: bytes) -> Callable[[], int]:
    """Prepare one buffer of whole frames; the returned call decodes all of it and returns the count of messages.

    Parameters
    ----------
    dialect : ``t176`` or ``p225``
    data : frames as ``mixes.mix`` makes them

    Raises
    ------
    RuntimeError
        The compiled decoder is not there.
    """
    _compiled()
    raise RuntimeError(f"ibwire._fastdecode does not decode {len(data)} bytes of {dialect} into records yet")
