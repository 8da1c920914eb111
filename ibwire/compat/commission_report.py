"""The commission report under its name before 10.37."""

from __future__ import annotations

from ibwire.compat.object_implem import Object
from ibwire.compat.utils import floatMaxString, intMaxString


class CommissionReport(Object):
    """Commission and realized profit of one execution, as programs for older releases know it."""

    def __init__(self) -> None:
        self.execId: str = ""
        self.commission: float = 0.0
        self.currency: str = ""
        self.realizedPNL: float = 0.0
        self.yield_: float = 0.0
        self.yieldRedemptionDate: int = 0

    def __str__(self) -> str:
        return (
            f"ExecId: {self.execId}, Commission: {floatMaxString(self.commission)}, Currency: {self.currency}, "
            f"RealizedPnL: {floatMaxString(self.realizedPNL)}, Yield: {floatMaxString(self.yield_)}, "
            f"YieldRedemptionDate: {intMaxString(self.yieldRedemptionDate)}"
        )
