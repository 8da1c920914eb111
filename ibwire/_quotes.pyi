"""The quotes of the simulated market: what happens in one slot of a path, and how it moves a quote."""

from decimal import Decimal
from typing import Any

def slot_events(
    shape: tuple[Any, ...], node: tuple[int, ...], start_s: int, spread: int
) -> list[tuple[int, int, int, int, int]]:
    """What happens in the slot that begins at ``start_s``, in time order: (time_ns, what, a, b, c)."""

class QuoteState:
    """A quote in whole price steps and size units, and the events that move it.

    ``change`` is made of (kind, steps, size, time_ns); ``kinds`` are those of ``ibwire.sim.quotes.TickKind`` in order. A
    subclass has ``size(units)`` and ``_refill()``, which calls ``_load_slot`` or ``_load_day``. Not thread-safe.
    """

    _bid: int
    _spread: int
    _last: int
    _bid_units: int
    _ask_units: int
    _last_units: int
    _volume_units: int
    _liquid_ns: int
    _has_trades: bool
    _has_quotes: bool
    _opened: bool
    open: int
    high: int
    low: int
    close: int
    next_ns: int
    _sizes: dict[int, Decimal]
    def __init__(self, change: type[Any], kinds: tuple[Any, ...], zero: Decimal) -> None: ...
    def _load_slot(self, shape: tuple[Any, ...], node: tuple[int, ...], start_s: int, spread: int) -> None: ...
    def _load_day(self, at_ns: int, close: int, first: int) -> None: ...
    def step(self, now_ns: int) -> list[Any]:
        """Return every change up to and including ``now_ns``, in time order."""

    def _trade(self, at_ns: int, out: list[Any], steps: int, units: int) -> None: ...
    def _extremes(self, at_ns: int, out: list[Any], steps: int) -> None: ...
    def _begin(self, at_ns: int, out: list[Any], close: int, first: int) -> None: ...
