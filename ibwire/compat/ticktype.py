"""Tick types by name."""

from ibwire.compat.enum_implem import Enum
from ibwire.spec import ticks

TickType = int
TickTypeEnum = Enum(*(ticks.NAMES[number] for number in range(len(ticks.NAMES))))

__all__ = ["TickType", "TickTypeEnum"]
