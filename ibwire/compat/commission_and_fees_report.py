"""What an execution cost."""

from ibwire.compat._objects import CommissionAndFeesReport

__all__ = ["CommissionAndFeesReport"]
