"""How an order is cancelled."""

from ibwire.compat._objects import OrderCancel

__all__ = ["OrderCancel"]
