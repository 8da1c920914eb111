"""Order messages with IB's field names, as the decoder hands them over."""

from __future__ import annotations

from decimal import Decimal
from types import SimpleNamespace
from typing import Any

CLIENT = 1
PERM = 904117


def stock(**over: Any) -> SimpleNamespace:
    return SimpleNamespace(**{"symbol": "AAPL", "secType": "STK", "conId": 265598} | over)


def order(quantity: object = 100, **over: Any) -> SimpleNamespace:
    values = {
        "clientId": CLIENT, "permId": 0, "totalQuantity": Decimal(str(quantity)), "lmtPrice": 187.43, "auxPrice": None,
        "transmit": True, "whatIf": False, "parentId": 0, "orderType": "LMT",
    }  # fmt: skip
    return SimpleNamespace(**values | over)


def open_order(order_id: int, status: str = "PreSubmitted", quantity: object = 100, **over: Any) -> SimpleNamespace:
    sent = order(quantity, **{"permId": PERM} | over)
    return SimpleNamespace(
        orderId=order_id, contract=stock(), order=sent, orderState=SimpleNamespace(status=status, completedStatus="")
    )


def order_status(
    order_id: int, status: str, filled: object = 0, remaining: object = 100, **over: Any
) -> SimpleNamespace:
    values = {
        "orderId": order_id, "status": status, "filled": Decimal(str(filled)), "remaining": Decimal(str(remaining)),
        "avgFillPrice": 0.0, "permId": PERM, "parentId": 0, "lastFillPrice": 0.0, "clientId": CLIENT, "whyHeld": "",
        "mktCapPrice": 0.0,
    }  # fmt: skip
    return SimpleNamespace(**values | over)


def execution(
    order_id: int, exec_id: str, shares: object, price: float, cum: object = None, contract: Any = None, **over: Any
) -> SimpleNamespace:
    values = {
        "orderId": order_id, "clientId": CLIENT, "execId": exec_id, "time": "20261120 10:00:00 US/Eastern",
        "side": "BOT", "shares": Decimal(str(shares)), "price": price, "permId": PERM,
        "cumQty": None if cum is None else Decimal(str(cum)), "avgPrice": 0.0,
    }  # fmt: skip
    return SimpleNamespace(reqId=-1, contract=contract or stock(), execution=SimpleNamespace(**values | over))


def commission(exec_id: str, amount: object = 0.5, currency: str = "USD", pnl: object = None) -> SimpleNamespace:
    return SimpleNamespace(execId=exec_id, commissionAndFees=amount, currency=currency, realizedPNL=pnl)
