"""The implementations that the ring tests run on: name -> classes with the same names and results."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ibwire.ring import every, impl, log, market, stream


@dataclass(frozen=True)
class Impl:
    """One implementation of rings and stream decoder."""

    name: str
    MarketRing: Any
    LogRing: Any
    EveryRing: Any
    StreamDecoder: Any


IMPLS = {
    "plain": Impl("plain", market.MarketRing, log.LogRing, every.EveryRing, stream.StreamDecoder),
    "compiled": Impl("compiled", impl.MarketRing, impl.LogRing, impl.EveryRing, impl.StreamDecoder),
}
