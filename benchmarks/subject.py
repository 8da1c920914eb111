"""The subject: ibwire's compiled decoder, behind the one function that the benchmarks call.

Measured is the checked decode of bytes in memory into records of a ring, with sequence and receive stamp, as the reader
does it; no Python callback.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from types import ModuleType

from ibwire.wire import hot

SERVER_VERSION = {"t176": 176, "p225": 225}
RING_RECORDS = 16384


def _compiled(name: str) -> ModuleType:
    try:
        return importlib.import_module(f"ibwire.{name}")
    except ImportError as error:
        raise RuntimeError(f"ibwire is not built: there is no ibwire.{name} to measure") from error


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
    ring, fast = _compiled("_ring"), _compiled("_fastdecode")
    market = ring.MarketRing(RING_RECORDS)
    stream = fast.StreamDecoder(hot.tables(SERVER_VERSION[dialect]), market, ring.LogRing(), ring.LogRing())
    return lambda: int(stream.receive(data, 1))
