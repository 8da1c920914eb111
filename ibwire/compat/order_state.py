"""The state of an order."""

from ibwire.compat._objects import OrderAllocation, OrderState

__all__ = ["OrderAllocation", "OrderState"]
