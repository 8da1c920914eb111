"""The official constants: the sentinels that stand for "not set", and limits."""

from __future__ import annotations

from decimal import Decimal
from math import inf
from typing import Final

from ibwire.wire import plan

NO_VALID_ID: Final = -1
MAX_MSG_LEN: Final = 0xFFFFFF
UNSET_INTEGER: Final[int] = plan.UNSET_INT
UNSET_DOUBLE: Final[float] = plan.UNSET_DOUBLE
UNSET_LONG: Final[int] = plan.UNSET_LONG
UNSET_DECIMAL: Final[Decimal] = plan.UNSET_DECIMAL
DOUBLE_INFINITY: Final[float] = inf
INFINITY_STR: Final = "Infinity"
