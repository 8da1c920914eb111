"""Chooses rings and stream decoder once: compiled, or the plain twin with ``IBWIRE_PURE=1``. ``NAME`` says which."""

from __future__ import annotations

import os
from importlib import import_module
from typing import Final

from ibwire.ring import log, market, stream

__all__ = ["NAME", "LogRing", "MarketRing", "StreamDecoder"]

MarketRing: type[market.MarketRing] = market.MarketRing
LogRing: type[log.LogRing] = log.LogRing
StreamDecoder: type[stream.StreamDecoder] = stream.StreamDecoder


def _choose() -> str:
    """Take the compiled classes, all or none of them: they share their memory layout."""
    global LogRing, MarketRing, StreamDecoder
    if os.environ.get("IBWIRE_PURE", "") not in ("", "0"):
        return "plain"
    try:
        rings, decoder = import_module("ibwire._ring"), import_module("ibwire._fastdecode")
        found = rings.MarketRing, rings.LogRing, decoder.StreamDecoder
    except (ImportError, AttributeError):
        return "plain"
    MarketRing, LogRing, StreamDecoder = found
    return "compiled"


NAME: Final = _choose()
